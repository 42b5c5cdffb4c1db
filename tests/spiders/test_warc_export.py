"""An archive goes out as a WARC file and comes in again as the same archive; other tools read the file too."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import warc_files as w
from fastwarc.warc import ArchiveIterator as FastArchiveIterator
from warcio.archiveiterator import ArchiveIterator

from fanwen.errors import DamagedError, UsageError
from fanwen.spiders.archive import Archive, utc_now
from fanwen.spiders.ingest import ingest_files
from fanwen.spiders.warc import NOT_CARRIED, STATE_TYPE, UrlState, Visit
from fanwen.spiders.warc_ingest import ingest_warc
from fanwen.spiders.warc_write import export_warc

HOST = "http://wen.example"
RULES = b"User-agent: *\nDisallow: /a/secret\n"


def _first(farm, answer, tagged):
    farm[f"{HOST}/robots.txt"] = answer(b"User-agent: GPTBot\nDisallow: /a/4\n", content_type="text/plain")
    names = ("1", "2", "3", "4", "5", "secret", "old", "same")
    farm.page(f"{HOST}/", [f"/a/{name}" for name in names] + ["/f/b.pdf"])
    farm[f"{HOST}/a/1"] = answer(w.page("第一页", links='<a class="next" href="/a/1_2">下一页</a>'))
    farm[f"{HOST}/a/1_2"] = answer(w.page("第二页", links='<a class="next" href="/a/1_3">下一页</a>'))
    farm[f"{HOST}/a/2"] = tagged(w.page("不变的一页"), '"two"')
    farm[f"{HOST}/a/3"] = answer(
        w.page("会变的一页"), headers={"X-Robots-Tag": "noai", "X-Name": "文".encode().decode("latin-1")}
    )
    farm[f"{HOST}/a/4"] = answer(w.page("保留", '<meta name="robots" content="noarchive">'))
    packed = gzip.compress(w.page("压缩" * 90), mtime=0)
    farm[f"{HOST}/a/5"] = answer(packed[:-20], headers={"Content-Encoding": "gzip"})
    farm.page(f"{HOST}/a/secret", text="后来禁止")
    farm.page(f"{HOST}/a/old", text="后来不在")
    farm[f"{HOST}/a/same"] = answer(w.page("不变的一页"))
    farm[f"{HOST}/f/b.pdf"] = answer(b"%PDF-1.4 " + bytes(range(256)) * 9, content_type="application/pdf")


def _later(farm, answer):
    farm[f"{HOST}/robots.txt"] = answer(RULES, content_type="text/plain")
    farm[f"{HOST}/a/3"] = answer(w.page("变了的一页"), headers={"TDM-Reservation": "0"})
    farm[f"{HOST}/a/old"] = answer(b"gone", 410)
    farm[f"{HOST}/a/4"] = answer(b"", 301, {"Location": "/a/40"})
    farm.page(f"{HOST}/a/40", text="搬了家")
    farm[f"{HOST}/a/2"] = lambda asked: answer(status=304, headers={"ETag": '"two"'})


def _next_second(path: Path) -> None:
    """WARC knows a visit by its second; no real site is visited twice in one, but our farm is fast."""
    with Archive(path) as archive:
        last = archive.conn.execute("SELECT max(fetched_at) FROM fetch").fetchone()[0]
    while utc_now() <= last:
        time.sleep(0.02)


@pytest.fixture(scope="module")
def original(web, answer, tagged):
    """An archive with every trouble: two crawls, further pages, torn, gone, moved, forbidden, reserved, by hand."""
    farm, crawler = web
    crawler.site("wen.example", extra='[parts]\nnext_link = "a.next"')
    _first(farm, answer, tagged)
    assert crawler.run()["reason"] == "finished"
    _later(farm, answer)
    _next_second(crawler.archive)
    assert crawler.run(revisit=True)["reason"] == "finished"
    note = crawler.archive.with_name("手记.md")
    note.write_text("# 图书角工作总结\n\n图书角的同学整理了书架。", encoding="utf-8")
    with Archive(crawler.archive) as archive:
        ingest_files(archive, [note])
        states = dict(archive.conn.execute("SELECT state, count(*) FROM url GROUP BY 1"))
        assert {"done", "gone", "blocked"} <= states.keys(), states
        assert archive.conn.execute("SELECT count(*) FROM fetch WHERE truncated").fetchone()[0] >= 1
        assert archive.conn.execute("SELECT count(*) FROM fetch WHERE not_modified").fetchone()[0] == 1
    return crawler.archive


@pytest.fixture
def crawled(original, tmp_path):
    """A copy of that archive."""
    return Path(shutil.copy(original, tmp_path / "archive.db"))


def _exported(archive: Path, file: Path, **options):
    with Archive(archive, readonly=True) as opened:
        return export_warc(opened, file, **options)


def _ingested(archive: Path, *files: Path):
    with Archive(archive) as opened:
        return ingest_warc(opened, files, {})


def _documents(path: Path):
    with Archive(path) as archive:
        assert archive.verify() == []
        documents = list(archive.documents())
        bodies = {part.body_hash: archive.body(part.body_hash) for one in documents for part in one.parts}
    return documents, bodies


def _fetches(path: Path):
    columns = ", ".join(f"f.{name}" for name in Visit.model_fields)
    with Archive(path) as archive:
        return archive.conn.execute(
            f"SELECT u.url, {columns} FROM fetch f JOIN url u ON u.id = f.url_id ORDER BY 1, 2, f.id"
        ).fetchall()


@pytest.mark.parametrize("name", ["out.warc.gz", "out.warc"])
def test_what_goes_out_comes_in_again_as_the_same_archive(crawled, tmp_path, name):
    report = _exported(crawled, tmp_path / name)
    taken = _ingested(tmp_path / "two.db", tmp_path / name)
    assert dict(taken.skipped) == {"warcinfo": 1}
    assert taken.urls == report.urls
    assert _documents(tmp_path / "two.db") == _documents(crawled)
    assert sorted(map(str, _fetches(tmp_path / "two.db"))) == sorted(map(str, set(_fetches(crawled))))
    _exported(tmp_path / "two.db", tmp_path / f"again-{name}")
    assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / name).read_bytes()
    again = _ingested(tmp_path / "two.db", tmp_path / name)
    assert (again.taken, again.urls, again.robots) == (0, 0, 0)
    assert _documents(tmp_path / "two.db") == _documents(crawled)


def test_the_next_crawl_goes_on_in_the_new_archive_as_in_the_old(crawled, tmp_path, web):
    farm, crawler = web
    _exported(crawled, tmp_path / "out.warc.gz")
    _ingested(tmp_path / "two.db", tmp_path / "out.warc.gz")
    asked = []
    for archive in (crawled, tmp_path / "two.db"):
        farm.hits.clear()
        crawler.run(archive=str(archive), only=["wen.example"], revisit=True)
        asked.append(dict(farm.hits))
    assert asked[0] == asked[1]
    assert len(asked[0]) > 8


def test_two_tools_read_every_record_and_find_every_hash_right(crawled, tmp_path):
    _exported(crawled, tmp_path / "out.warc.gz")
    kinds: Counter[str] = Counter()
    with Archive(crawled) as archive, (tmp_path / "out.warc.gz").open("rb") as file:
        for record in ArchiveIterator(file, check_digests="raise"):
            kinds[record.rec_type] += 1
            body = record.content_stream().read()
            if record.rec_type in ("response", "resource"):
                digest = record.rec_headers.get_header("WARC-Payload-Digest").removeprefix("sha256:")
                assert base64.b32decode(digest).hex() == hashlib.sha256(body).hexdigest()
                assert record.rec_headers.get_header("WARC-Truncated") == "unspecified" or (
                    archive.body(base64.b32decode(digest).hex()) == body
                )
    assert kinds["response"] >= 14
    assert kinds["resource"] == kinds["warcinfo"] == 1
    assert kinds["revisit"] >= 5
    with (tmp_path / "out.warc.gz").open("rb") as file:
        seen = [
            record for record in FastArchiveIterator(file, parse_http=False) if record.verify_block_digest()
        ]
    assert len(seen) == sum(kinds.values())


def _records(path: Path):
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            head = record.rec_headers
            yield (
                record.rec_type,
                head.get_header("WARC-Target-URI"),
                head,
                record.http_headers,
                record.content_stream().read(),
            )


def test_headers_say_what_the_kept_body_is(crawled, tmp_path):
    _exported(crawled, tmp_path / "out.warc.gz")
    found = {
        url: (head, http, body)
        for kind, url, head, http, body in _records(tmp_path / "out.warc.gz")
        if kind == "response"
    }
    head, http, body = found[f"{HOST}/a/5"]
    assert http.get_header("X-Archive-Orig-content-encoding") == "gzip"
    assert http.get_header("content-encoding") is None
    assert http.get_header("Content-Length") == str(len(body))
    assert head.get_header("WARC-Truncated") == "disconnect"
    assert w.page("压缩" * 90).startswith(body)


def test_the_same_body_and_a_304_are_revisits_that_name_the_first(crawled, tmp_path):
    _exported(crawled, tmp_path / "out.warc.gz")
    profiles = {}
    for kind, url, head, _, body in _records(tmp_path / "out.warc.gz"):
        if kind == "revisit":
            profile = head.get_header("WARC-Profile").rsplit("/", 1)[1]
            profiles.setdefault((url, profile), (head.get_header("WARC-Refers-To-Target-URI"), body))
    assert profiles[f"{HOST}/a/2", "server-not-modified"] == (None, b"")
    assert profiles[f"{HOST}/a/same", "identical-payload-digest"] == (f"{HOST}/a/2", b"")


def test_nothing_of_this_machine_or_moment_is_in_the_file(crawled, tmp_path):
    one, two = tmp_path / "one.warc.gz", tmp_path / "elsewhere" / "two.warc.gz"
    two.parent.mkdir()
    _exported(crawled, one)
    _exported(crawled, two)
    assert one.read_bytes() == two.read_bytes()
    text = gzip.decompress(one.read_bytes())
    assert str(tmp_path).encode() not in text
    assert socket.gethostname().encode() not in text
    assert text.startswith(b"WARC/1.1\r\nWARC-Type: warcinfo\r\n")


def test_sites_and_time_choose(crawled, tmp_path, web):
    farm, crawler = web
    crawler.site("shi.example")
    farm.page("http://shi.example/", ["/a/1"])
    farm.page("http://shi.example/a/1")
    crawler.run(archive=str(crawled), only=["shi.example"])
    with Archive(crawled) as archive:
        old = "= '2020-01-01T00:00:00Z' WHERE"
        front = "(SELECT id FROM url WHERE url = 'http://shi.example/')"
        archive.conn.execute(f"UPDATE fetch SET fetched_at {old} url_id IN {front}")
        archive.conn.execute(f"UPDATE url SET discovered_at {old} id IN {front}")
        archive.conn.commit()
    _exported(crawled, tmp_path / "out.warc.gz", sites=["shi.example"])
    urls = {url for kind, url, *_ in _records(tmp_path / "out.warc.gz") if kind == "response"}
    paths = ("robots.txt", ".well-known/tdmrep.json", "", "a/1")
    assert urls == {f"http://shi.example/{path}" for path in paths}
    _exported(crawled, tmp_path / "out.warc.gz", sites=["shi.example"], since="2021-01-01T00:00:00Z")
    urls = {url for kind, url, *_ in _records(tmp_path / "out.warc.gz") if kind == "response"}
    assert urls == {f"http://shi.example/{path}" for path in paths if path}
    with pytest.raises(UsageError, match=r"nosuch\.example.*shi\.example"):
        _exported(crawled, tmp_path / "no.warc.gz", sites=["nosuch.example"])


@pytest.mark.parametrize("order", ["as they came", "the later first"])
def test_a_file_a_week_gives_the_whole_archive(tmp_path, farm, crawler, answer, tagged, order):
    crawler.site("wen.example", extra='[parts]\nnext_link = "a.next"')
    _first(farm, answer, tagged)
    crawler.run()
    with Archive(crawler.archive) as archive:  # the first crawl was a week ago
        archive.conn.execute("UPDATE fetch SET fetched_at = '2026-01-01' || substr(fetched_at, 11)")
        archive.conn.execute("UPDATE url SET first_fetched_at = '2026-01-01' || substr(first_fetched_at, 11),"
                             " discovered_at = '2026-01-01' || substr(discovered_at, 11)")  # fmt: skip
        archive.conn.commit()
    first, second = tmp_path / "1.warc.gz", tmp_path / "2.warc.gz"
    _exported(crawler.archive, first)
    _later(farm, answer)
    crawler.run(revisit=True)
    _exported(crawler.archive, second, since="2026-01-02T00:00:00Z")
    files = (first, second) if order == "as they came" else (second, first)
    for file in files:
        _ingested(tmp_path / "two.db", file)
    for one, other in zip(_documents(tmp_path / "two.db")[0], _documents(crawler.archive)[0], strict=True):
        assert one == other
    _ingested(tmp_path / "two.db", first)
    assert _documents(tmp_path / "two.db") == _documents(crawler.archive)


def test_every_column_goes_along_or_is_left_on_purpose(tmp_path):
    with Archive(tmp_path / "archive.db") as archive:
        for table, carried in (("url", set(UrlState.model_fields)), ("fetch", set(Visit.model_fields))):
            columns = {row[1] for row in archive.conn.execute(f"PRAGMA table_info({table})")}
            assert columns == carried | NOT_CARRIED[table]


def test_a_state_that_was_tampered_with_is_skipped(crawled, tmp_path):
    _exported(crawled, tmp_path / "out.warc")
    block = {"visited_at": None, "visits": [], "url": {"url": "http://10.0.0.1/", "state": "flying"}}
    records = [
        w.record(f"{HOST}/x", json.dumps(block).encode(), kind="metadata", content_type=STATE_TYPE),
        w.record(f"{HOST}/y", b"\xff not json", kind="metadata", content_type=STATE_TYPE),
    ]
    told = next(
        body
        for kind, url, _, _, body in _records(tmp_path / "out.warc")
        if url == f"{HOST}/a/1" and kind == "metadata"
    )
    huge = json.loads(told)
    huge["url"]["priority"] = 10**30
    records.append(
        w.record(f"{HOST}/a/1", json.dumps(huge).encode(), kind="metadata", content_type=STATE_TYPE)
    )
    inside = told.replace(f"{HOST}/a/1".encode(), b"http://10.0.0.1/a/1")
    records.append(w.record("http://10.0.0.1/a/1", inside, kind="metadata", content_type=STATE_TYPE))
    w.written(tmp_path / "bad.warc.gz", *records)
    report = _ingested(tmp_path / "two.db", tmp_path / "bad.warc.gz")
    assert (report.urls, dict(report.skipped)) == (0, {"bad_state": 3, "refused_address": 1})


def test_a_lost_body_is_due_again(crawled, tmp_path):
    """A record of our own that is broken: the URL is kept, without a body, and the next crawl gets it."""
    _exported(crawled, tmp_path / "out.warc")
    data = (tmp_path / "out.warc").read_bytes()
    (tmp_path / "out.warc").write_bytes(
        data.replace("会变的一页".encode(), "被改的一页".encode()).replace(
            "变了的一页".encode(), "被改的一页".encode()
        )
    )
    report = _ingested(tmp_path / "two.db", tmp_path / "out.warc")
    assert dict(report.skipped) == {"warcinfo": 1, "wrong_digest": 2, "body_missing": 2}
    with Archive(tmp_path / "two.db") as archive:
        row = archive.conn.execute(
            "SELECT state, body_hash, etag FROM url WHERE url = ?", (f"{HOST}/a/3",)
        ).fetchone()
        assert row == ("new", None, None)
        assert archive.verify() == []


# --- troubles of the disk


def test_a_damaged_body_stops_the_export_and_leaves_the_earlier_file(crawled, tmp_path):
    file = tmp_path / "out.warc.gz"
    file.write_bytes(b"the earlier one")
    with Archive(crawled) as archive:
        digest = archive.conn.execute("SELECT body_hash FROM url WHERE url = ?", (f"{HOST}/a/3",)).fetchone()[
            0
        ]
        archive.conn.execute("UPDATE body SET data = zeroblob(50) WHERE sha256 = ?", (digest,))
        archive.conn.commit()
    with pytest.raises(DamagedError, match=digest):
        _exported(crawled, file)
    assert file.read_bytes() == b"the earlier one"
    assert list(tmp_path.glob("*.new")) == []


_LIMITED = """
import resource, sys
from pathlib import Path
from fanwen.errors import FanwenError
from fanwen.spiders.archive import Archive, utc_now
from fanwen.spiders.warc_write import export_warc
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
try:
    with Archive(sys.argv[1], readonly=True) as archive:
        export_warc(archive, Path(sys.argv[2]))
except FanwenError as error:
    print(error.exit_code, error)
"""


def test_a_full_disk_leaves_nothing_half(crawled, tmp_path):
    file = tmp_path / "out.warc"
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(crawled), str(file)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert done.stdout.startswith("5 ")
    assert "full" in done.stdout
    assert not file.exists()
    assert list(tmp_path.glob("*.new")) == []


@pytest.mark.parametrize(
    "name",
    ["out.gz", "out", "out.warc.zst", "nowhere/out.warc.gz", "archive.db/out.warc", f"{'x' * 250}.warc"],
)
def test_a_name_or_place_that_cannot_be_says_so(crawled, tmp_path, name):
    with pytest.raises(UsageError) as error:
        _exported(crawled, tmp_path / name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)
