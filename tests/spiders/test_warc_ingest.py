"""WARC files of other crawlers: what is taken, what is left and counted, and how torn a file may be."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tracemalloc
import zlib
from hashlib import sha256
from pathlib import Path

import brotli
import pytest
import warc_files as w
import zstandard
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.site import read_sites
from fanwen.spiders.takedown import read_takedown
from fanwen.spiders.warc import REASONS
from fanwen.spiders.warc_ingest import ingest_warc
from fanwen.spiders.warc_read import Broken, Record, read_warc
from fanwen.spiders.warc_write import export_warc

SITE = """name = "bu.example"
title = "部"
family = "test"
host = "bu.example"
hosts = ["m.bu.example"]
start = ["http://bu.example/"]
[follow]
lists = ['^/$', '^/list']
details = ['^/a/']
attachments = ['\\.(pdf|docx)$']
ignore = ['/print']
[parts]
next_link = "a.next"
"""
ROOT = Path(__file__).resolve().parents[2]
URL = "http://bu.example/a/1.html"


@pytest.fixture
def sites(tmp_path):
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "bu.example.toml").write_text(SITE, encoding="utf-8")
    return read_sites([tmp_path / "sites"])


@pytest.fixture
def take(tmp_path, sites):
    """Take records (or whole files) into ``archive.db``; the report."""

    def take(*records, name="in.warc.gz", archive="archive.db"):
        path = w.written(tmp_path / name, *records)
        with Archive(tmp_path / archive) as opened:
            return ingest_warc(opened, [path], sites)

    return take


@pytest.fixture
def archive(tmp_path):
    with Archive(tmp_path / "archive.db") as opened:
        yield opened


def contents(path):
    """Everything that an archive holds, without the numbers of rows."""
    with Archive(path) as archive:
        fetch = "(SELECT url || fetched_at || status FROM fetch f JOIN url v ON v.id = f.url_id WHERE f.id = u.{})"
        urls = archive.conn.execute(
            "SELECT url, site, host, kind, state, document_url, part, next_visit, etag, last_modified, body_hash,"
            f" first_fetched_at, gone, {fetch.format('body_fetch')}, {fetch.format('last_fetch')},"
            f" {fetch.format('consent_fetch')} FROM url u ORDER BY url"
        ).fetchall()
        fetches = archive.conn.execute(
            "SELECT url, fetched_at, status, f.body_hash, truncated, headers, reservations"
            " FROM fetch f JOIN url u ON u.id = f.url_id ORDER BY 1, 2, 3, 4"
        ).fetchall()
        assert archive.verify() == []
        return urls, fetches, list(archive.documents())


# --- bodies as archives keep them


@pytest.mark.parametrize("encoding", w.ENCODED)
@pytest.mark.parametrize("kept", ["as it came", "undone"])
@pytest.mark.parametrize("in_chunks", [False, True])
def test_chunks_and_compression_are_undone_where_they_are_there(take, archive, encoding, kept, in_chunks):
    body = w.page("总结" * 50)
    sent = w.ENCODED[encoding](body) if kept == "as it came" else body
    headers = [
        f"Content-Encoding: {encoding.split()[0]}",
        f"Content-Length: {len(w.ENCODED[encoding](body))}",
    ]
    if in_chunks:
        headers = [headers[0], "Transfer-Encoding: chunked"]
        sent = w.chunked(sent) if kept == "as it came" else sent
    report = take(w.answer(URL, sent, *headers))
    assert (report.taken, dict(report.skipped)) == (1, {})
    (document,) = archive.documents()
    assert archive.body(document.parts[0].body_hash) == body
    assert not document.parts[0].truncated


@pytest.mark.parametrize("encoding", w.ENCODED)
@pytest.mark.parametrize("where", ["chunks", "length", "neither"])
def test_a_text_file_whose_headers_lie_is_taken_as_it_is(take, archive, encoding, where):
    body = "第一季度工作总结\n一、加强学习。\n二、完成任务。\n".encode("gb18030") * 5
    headers = [f"Content-Encoding: {encoding.split()[0]}"]
    headers += {"chunks": ["Transfer-Encoding: chunked"], "length": ["Content-Length: 40"]}.get(where, [])
    take(w.answer("http://bu.example/a/1.txt", body, *headers, content_type="text/plain"))
    (document,) = archive.documents()
    assert archive.body(document.parts[0].body_hash) == body
    assert not document.parts[0].truncated


_BODY = w.page("".join(random.Random(7).choices("工作总结计划汇报心得体会申请书演讲稿", k=4000)))


@pytest.mark.parametrize(
    ("sent", "headers", "kept"),
    [
        (_BODY[:3000], [f"Content-Length: {len(_BODY)}"], _BODY[:3000]),
        (w.chunked(_BODY)[:3000], ["Transfer-Encoding: chunked"], None),
        (gzip.compress(_BODY)[:2000], ["Content-Encoding: gzip"], None),
        (brotli.compress(_BODY)[:2000], ["Content-Encoding: br"], None),
        (
            w.chunked(gzip.compress(_BODY)[:2000]),
            ["Content-Encoding: gzip", "Transfer-Encoding: chunked"],
            None,
        ),
    ],
    ids=["length", "chunks", "gzip", "br", "gzip in chunks"],
)
def test_a_torn_body_is_kept_and_marked(take, archive, sent, headers, kept):
    take(w.answer(URL, sent, *headers))
    (document,) = archive.documents()
    assert document.parts[0].truncated
    body = archive.body(document.parts[0].body_hash)
    assert _BODY.startswith(body)
    assert len(body) > 1000
    assert kept is None or body == kept


def test_a_torn_zstd_body_gives_its_whole_blocks(take, archive):
    body = w.page("".join(random.Random(7).choices("工作总结计划汇报心得体会申请书演讲稿", k=200_000)))
    take(w.answer(URL, zstandard.compress(body)[:-9], "Content-Encoding: zstd"))
    (document,) = archive.documents()
    assert document.parts[0].truncated
    kept = archive.body(document.parts[0].body_hash)
    assert body.startswith(kept)
    assert len(kept) > 100_000


def test_a_record_that_says_it_is_cut_is_marked(take, archive):
    other = "http://bu.example/a/2.html"
    take(
        w.record(URL, w.http(w.page("总结")), "WARC-Truncated: length"),
        w.record(other, w.http(w.page("计划")), "WARC-Segment-Number: 1"),
        w.record(other, b"...", "WARC-Segment-Number: 2", kind="continuation"),
    )
    assert [document.parts[0].truncated for document in archive.documents()] == [True, True]


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (gzip.compress(bytes(64_000_000), 5), ["Content-Encoding: gzip"], "too_large"),
        (brotli.compress(bytes(64_000_000), quality=2), ["Content-Encoding: br"], "too_large"),
        (b"<html>" + b" " * (8 * 1024 * 1024), [], "too_large"),
        (b"<html>" + b" " * (30 * 1024 * 1024), [], "too_large"),
        (zstandard.compress(bytes(64_000_000)), ["Content-Encoding: zstd"], "too_large"),
        (b"\x1f\x9d packed", ["Content-Encoding: compress"], "unknown_encoding"),
        (gzip.compress(b"")[:10] + b"\xff" * 20, ["Content-Encoding: gzip"], "damaged_body"),
        (b" \r\n ", [], "empty"),
    ],
    ids=["gzip bomb", "brotli bomb", "large", "larger", "zstd bomb", "compress", "no gzip", "empty"],
)
def test_bodies_that_a_crawl_would_refuse_are_refused(tmp_path, sites, archive, body, headers, reason):
    good = w.answer("http://bu.example/a/2.html", w.page("计划"))
    path = w.written(tmp_path / "in.warc.gz", w.answer(URL, body, *headers), good)
    tracemalloc.start()
    report = ingest_warc(archive, [path], sites)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert dict(report.skipped) == {reason: 1}
    assert report.taken == 1
    assert peak < 50_000_000


# --- what is taken, and as what


def test_the_site_file_decides_what_a_page_is(take, archive):
    report = take(
        w.answer("http://bu.example/a/1.html", w.page("一")),
        w.answer("http://m.bu.example:80/a/2.html?utm_source=x#top", w.page("二")),
        w.answer("http://bu.example/f/3.pdf", b"%PDF-1.4 " + w.page("三"), content_type="application/pdf"),
        w.answer("http://bu.example/list_2.html", w.page("四")),
        w.answer("http://bu.example/about.html", w.page("五")),
        w.answer("http://bu.example/a/print/6.html", w.page("六")),
        w.answer("http://bu.example/a/7.png", b"\x89PNG", content_type="image/png"),
    )
    assert report.taken == report.urls == 3
    assert dict(report.skipped) == {"list_page": 1, "no_pattern": 1, "out_of_scope": 1, "unread_type": 1}
    rows = archive.conn.execute("SELECT url, site, host, kind, state FROM url ORDER BY url").fetchall()
    assert rows == [
        ("http://bu.example/a/1.html", "bu.example", "bu.example", "detail", "done"),
        ("http://bu.example/a/2.html", "bu.example", "bu.example", "detail", "done"),
        ("http://bu.example/f/3.pdf", "bu.example", "bu.example", "attachment", "done"),
    ]


def test_a_host_that_no_site_file_knows_is_its_own_site_until_one_does(take, archive, tmp_path):
    pages = [
        w.answer("http://tree.example/x", w.page("一")),
        w.answer("http://tree.example/y", w.page("二")),
    ]
    assert take(*pages).taken == 2
    assert {document.site for document in archive.documents()} == {"tree.example"}
    text = SITE.replace("bu.example", "tree.example")
    text = text.replace('name = "tree.example"', 'name = "shu"').replace("'^/a/'", "'^/x'")
    (tmp_path / "sites" / "shu.toml").write_text(text, encoding="utf-8")
    with Archive(tmp_path / "archive.db") as opened:
        report = ingest_warc(opened, [tmp_path / "in.warc.gz"], read_sites([tmp_path / "sites"]))
    assert (report.taken, report.known) == (0, 2)
    assert {document.site for document in archive.documents()} == {"shu"}


def test_a_page_of_www_is_found_again_when_a_site_file_calls_it_by_its_bare_name(take, archive, tmp_path):
    assert take(w.answer("http://www.tree.example/a/x", w.page("一"))).taken == 1
    (tmp_path / "sites" / "tree.example.toml").write_text(
        SITE.replace("bu.example", "tree.example"), encoding="utf-8"
    )
    with Archive(tmp_path / "archive.db") as opened:
        report = ingest_warc(opened, [tmp_path / "in.warc.gz"], read_sites([tmp_path / "sites"]))
    assert (report.taken, report.known) == (1, 0)
    found = {document.url: document.gone for document in archive.documents()}
    assert found == {
        "http://tree.example/a/x": None,
        "http://www.tree.example/a/x": "moved to http://tree.example/a/x",
    }


@pytest.mark.parametrize(
    ("content_type", "body", "taken"),
    [
        ("text/html; charset=gbk", w.page("一"), True),
        ("application/xhtml+xml", w.page("一"), True),
        ("text/plain", "工作总结".encode(), True),
        ("application/pdf", b"%PDF-1.7", True),
        ("application/octet-stream", b"%PDF-1.7", True),
        ("application/octet-stream", b"PK\x03\x04" + b"." * 26 + b"[Content_Types].xml", True),
        (None, w.page("一"), True),
        ("application/octet-stream", b"PK\x03\x04" + b"." * 26 + b"classes.dex", False),
        ("application/json", b'{"text": "x"}', False),
        ("text/css", b"p {}", False),
        (None, b"\0\1\2", False),
    ],
)
def test_only_types_that_fanwen_reads_are_taken(take, content_type, body, taken):
    report = take(w.answer(URL, body, content_type=content_type))
    assert (report.taken, dict(report.skipped)) == ((1, {}) if taken else (0, {"unread_type": 1}))


def test_every_record_that_is_no_page_is_counted_by_its_reason(take):
    page = w.http(w.page("总结"))
    report = take(
        w.record(None, b"software: x\r\n", kind="warcinfo", content_type="application/warc-fields"),
        w.record(URL, b"GET / HTTP/1.1\r\n\r\n", kind="request"),
        w.record(URL, b"a: b\r\n", kind="metadata", content_type="application/warc-fields"),
        w.record(URL, "只有文字".encode(), kind="conversion", content_type="text/plain"),
        w.record("dns:bu.example", b"20240301 bu.example. A 9.9.9.9", content_type="text/dns"),
        w.record("ftp://bu.example/a/1", page),
        w.record(None, page),
        w.record("http://", page),
        w.record(URL, page, date=None),
        w.record(URL, page, date="yesterday"),
        w.record(URL, page, date="2999-01-01T00:00:00Z"),
        w.record(URL, b"this is no HTTP"),
        w.record(URL, w.http(b"moved", "Location: /", status="301 Moved")),
        w.record(URL, w.http(w.page("没有"), status="404 Not Found")),
        w.record(URL, page, kind="nonsense"),
        w.record(URL, page),
    )
    assert report.taken == 1
    assert dict(report.skipped) == {
        "bad_header": 1,
        "warcinfo": 1,
        "request": 1,
        "metadata": 1,
        "conversion": 1,
        "not_http": 2,
        "no_uri": 1,
        "refused_address": 1,
        "no_date": 3,
        "no_http": 1,
        "not_200": 2,
    }


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/a/1", "http://[::1]/a/1", "http://10.0.0.8/a/1", "http://2130706433/", "http://localhost/",
     "http://169.254.169.254/latest", "http://intranet/a", "https://db.internal/a"],
)  # fmt: skip
def test_addresses_that_a_crawl_refuses_are_refused(take, archive, url):
    report = take(w.answer(url, w.page("总结")))
    assert (report.taken, dict(report.skipped)) == (0, {"refused_address": 1})
    assert list(archive.documents()) == []


def test_what_the_takedown_list_names_does_not_come_in(tmp_path, sites, archive):
    listed = tmp_path / "takedown.txt"
    named = sha256(w.page("按哈希")).hexdigest()
    listed.write_text(f"https://www.bu.example/a/1.html\nliebiao.example\n{named}\n", encoding="utf-8")
    pages = [
        w.answer(URL, w.page("按网址")),
        w.answer("http://m.liebiao.example/x", w.page("按主机")),
        w.answer("http://bu.example/a/2.html", w.page("按哈希")),
        w.answer("http://bu.example/a/3.html", w.page("好")),
    ]
    path = w.written(tmp_path / "in.warc.gz", *pages)
    with Archive(tmp_path / "all.db") as everything:
        ingest_warc(everything, [path], sites)
        export_warc(everything, tmp_path / "own.warc.gz")
    takedown = read_takedown(listed)
    report = ingest_warc(archive, [path], sites, takedown=takedown)
    assert (report.taken, dict(report.skipped)) == (1, {"taken_down": 3})
    report = ingest_warc(archive, [tmp_path / "own.warc.gz"], sites, takedown=takedown)
    assert report.skipped["taken_down"] >= 3
    kept = archive.conn.execute("SELECT sha256 FROM body").fetchall()
    assert kept == [(sha256(w.page("好")).hexdigest(),)]


def test_a_page_that_says_it_is_not_there_replaces_none(take, archive):
    """Neither by its words, nor where a crawl has learned what the site shows for what is not there."""
    shown = w.page("首页大全")
    assert take(w.answer("http://bu.example/a/2.html", shown)).taken == 1
    (words,) = archive.conn.execute("SELECT words_hash FROM url").fetchone()
    archive.conn.execute(
        "INSERT INTO learned VALUES ('bu.example', 'soft 404', ?, '2024-01-01', '')", (words,)
    )
    archive.conn.commit()
    nothing = "<html><body><h1>404</h1><p>您访问的页面不存在</p></body></html>".encode()
    report = take(
        w.answer(URL, w.page("总结")),
        w.answer(URL, nothing, date="2024-05-01T00:00:00Z"),
        w.answer(URL, shown, date="2024-06-01T00:00:00Z"),
    )
    assert (report.taken, dict(report.skipped)) == (1, {"soft_404": 2})
    document = archive.document(URL)
    assert archive.body(document.parts[0].body_hash) == w.page("总结")


def test_a_fragment_may_be_json(take, archive, tmp_path):
    text = SITE.replace('next_link = "a.next"', 'api = "http://bu.example/api?id={id}&page={page}"\n'
                        "api_values = 'data-id=.(?P<id>[0-9]+). data-pages=.(?P<pages>[0-9]+)'")  # fmt: skip
    (tmp_path / "sites" / "bu.example.toml").write_text(text, encoding="utf-8")
    part = w.answer(
        "http://bu.example/api?id=7&page=1", '{"text": "第一页"}'.encode(), content_type="application/json"
    )
    page = w.answer(URL, w.page("总结", links='<div data-id="7" data-pages="1"></div>'))
    files = [w.written(tmp_path / "1.warc", part), w.written(tmp_path / "2.warc", page)]
    report = ingest_warc(archive, files, read_sites([tmp_path / "sites"]))
    assert (report.taken, dict(report.skipped)) == (2, {})
    assert [len(document.parts) for document in archive.documents()] == [2]


def test_a_session_that_a_crawl_learned_is_dropped_here_too(take, archive):
    archive.conn.execute(
        "INSERT INTO learned VALUES ('bu.example', 'session parameter', 'zd', '2024-01-01', '')"
    )
    archive.conn.commit()
    take(w.answer(f"{URL}?zd=a1b2c3d4e5", w.page("总结")))
    assert [document.url for document in archive.documents()] == [URL]


# --- dates, orders, repeats


def test_the_newest_whole_body_counts_whatever_the_order(take, tmp_path):
    old, new, newest = w.page("旧"), w.page("新"), w.page("最新的一页")
    records = [
        w.answer(URL, old, 'ETag: "1"', date="2023-02-01T00:00:00Z"),
        w.answer(URL, new, 'ETag: "2"', "X-Robots-Tag: noai", date="2023-06-01T00:00:00.250Z"),
        w.record(URL, w.http(newest[:90], f"Content-Length: {len(newest)}"), date="2024-01-01T00:00:00Z"),
        w.answer(URL, old, 'ETag: "1"', date="2023-01-01T00:00:00Z"),
    ]
    seen = []
    for number, order in enumerate(itertools.permutations(records)):
        assert take(*order, archive=f"{number}.db").taken == 4
        urls, fetches, documents = contents(tmp_path / f"{number}.db")
        seen.append(json.dumps([urls, fetches, repr(documents)]))
    assert len(set(seen)) == 1
    (document,) = documents
    with Archive(tmp_path / "0.db") as archive:
        assert archive.body(document.parts[0].body_hash) == new
    assert document.first_fetched_at == "2023-01-01T00:00:00Z"
    assert document.parts[0].fetched_at == "2023-06-01T00:00:00Z"
    assert document.parts[0].consent.reservations == ("x-robots-tag: noai",)
    assert urls[0][8] == '"2"'


def test_the_same_in_two_files_or_twice_is_one_visit(take, tmp_path):
    records = [w.answer(f"http://bu.example/a/{n}.html", w.page(f"第{n}篇")) for n in range(450)]
    assert take(*records).taken == 450
    before = contents(tmp_path / "archive.db")
    for name in ("in.warc.gz", "in.warc"):
        report = take(*records, name=name)
        assert (report.taken, report.known, report.urls) == (0, 450, 0)
    assert contents(tmp_path / "archive.db") == before


def test_a_run_that_is_killed_loses_nothing_and_the_next_goes_on(tmp_path, sites):
    records = [w.answer(f"http://bu.example/a/{n}.html", w.page(f"第{n}篇")) for n in range(900)]
    path = w.written(tmp_path / "in.warc.gz", *records)

    def die(done):
        if done == 400:
            raise KeyboardInterrupt

    with Archive(tmp_path / "a.db") as archive, pytest.raises(KeyboardInterrupt):
        ingest_warc(archive, [path], sites, progress=die)
    with Archive(tmp_path / "a.db") as archive:
        assert len(list(archive.documents())) == 400
        report = ingest_warc(archive, [path], sites)
    assert (report.taken, report.known) == (500, 400)
    with Archive(tmp_path / "b.db") as archive:
        ingest_warc(archive, [path], sites)
    assert contents(tmp_path / "a.db") == contents(tmp_path / "b.db")


_LIMITED = """
import resource, sys
from pathlib import Path
from fanwen.errors import FanwenError
from fanwen.spiders.archive import Archive
from fanwen.spiders.warc_ingest import ingest_warc
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
try:
    with Archive(sys.argv[1]) as archive:
        ingest_warc(archive, [Path(sys.argv[2])], {})
except FanwenError as error:
    print(error.exit_code, error)
"""


def test_a_full_disk_stops_the_run_and_the_next_goes_on(tmp_path):
    noise = random.Random(3)
    pages = [w.page("".join(chr(noise.randint(0x4E00, 0x9FFF)) for _ in range(2000))) for _ in range(900)]
    records = [w.answer(f"http://bu.example/a/{n}", body) for n, body in enumerate(pages)]
    path = w.written(tmp_path / "in.warc.gz", *records)
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path / "a.db"), str(path)],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout.startswith("5 "), done
    with Archive(tmp_path / "a.db") as archive:
        kept = len(list(archive.documents()))
        assert kept % 200 == 0
        report = ingest_warc(archive, [path], {})
        assert (report.taken, report.known) == (900 - kept, kept)
        assert archive.verify() == []


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_the_pages_of_one_article_are_joined_wherever_they_stand(take, archive, order):
    def part(n):
        link = f'<a class="next" href="/read?p={n + 1}">下一页</a>' if n < 3 else ""
        url = "http://bu.example/a/1.html" if n == 1 else f"http://bu.example/read?p={n}"
        return w.answer(url, w.page(f"第{n}页", links=link))

    other = w.answer("http://bu.example/read?p=9", w.page("别的"))
    report = take(*(part(n) for n in order), other)
    assert (report.taken, dict(report.skipped)) == (3, {"no_pattern": 1})
    (document,) = archive.documents()
    assert [part.url for part in document.parts] == [
        "http://bu.example/a/1.html",
        "http://bu.example/read?p=2",
        "http://bu.example/read?p=3",
    ]
    assert not document.missing_parts
    assert take(*(part(n) for n in order), other).taken == 0


def test_a_further_page_that_the_file_does_not_hold_is_reported(take, archive):
    take(w.answer(URL, w.page("第一页", links='<a class="next" href="/a/1_2.html">下一页</a>')))
    (document,) = archive.documents()
    assert document.missing_parts


def test_a_later_crawl_asks_only_whether_the_page_changed(tmp_path, farm, crawler, tagged):
    crawler.site("wen.example")
    body = w.page("总结", links='<a href="/f/b.pdf">附件</a>')
    farm.page("http://wen.example/", ["/a/1", "/a/2"])
    farm["http://wen.example/a/1"] = tagged(body, '"one"')
    farm.page("http://wen.example/a/2")
    farm.page("http://wen.example/f/b.pdf")
    path = w.written(tmp_path / "in.warc.gz", w.answer("http://wen.example/a/1", body, 'ETag: "one"'))
    with Archive(crawler.archive) as archive:
        assert ingest_warc(archive, [path], read_sites([crawler.sites])).taken == 1
    report = crawler.run()
    asked = {one.path: one.headers.get("if-none-match") for _, one in farm.log}
    assert asked.pop("/.well-known/tdmrep.json") is None
    assert asked == {"/robots.txt": None, "/": None, "/a/1": '"one"', "/a/2": None, "/f/b.pdf": None}
    assert report["sites"]["wen.example"]["unchanged"] == 1
    with Archive(crawler.archive) as archive:
        document = archive.document("http://wen.example/a/1")
        assert document.parts[0].fetched_at == document.first_fetched_at == w.DATE
        assert document.parts[0].consent.robots_hash is not None


def test_what_a_crawl_found_later_is_not_undone_by_an_older_file(tmp_path, farm, crawler, answer):
    crawler.site("wen.example")
    farm.page("http://wen.example/", ["/a/1", "/a/2"])
    farm.page("http://wen.example/a/1", text="今天")
    farm["http://wen.example/a/2"] = answer(b"", 410)
    crawler.run()
    before = [(one.url, one.parts) for one in _documents_of(crawler.archive)]
    pages = [
        w.answer(f"http://wen.example/a/{n}", w.page(f"从前{n}"), date="2021-05-05T00:00:00Z") for n in (1, 2)
    ]
    with Archive(crawler.archive) as archive:
        report = ingest_warc(archive, [w.written(tmp_path / "in.warc", *pages)], read_sites([crawler.sites]))
    assert report.taken == 2
    one, two = _documents_of(crawler.archive)
    assert [(one.url, one.parts)] == before
    assert one.first_fetched_at == "2021-05-05T00:00:00Z"
    assert two.gone == "http 410"


def _documents_of(path):
    with Archive(path) as archive:
        return list(archive.documents())


# --- revisits


def test_revisits_are_resolved_where_the_first_one_is_there(take, archive):
    body = w.page("总结")
    profile = "WARC-Profile: http://netpreserve.org/warc/1.1/revisit/"
    other = "http://bu.example/a/2.html"
    report = take(
        w.answer(URL, body, 'ETag: "1"', "X-Robots-Tag: noarchive"),
        w.record(
            other, w.http(b""), profile + "identical-payload-digest", "WARC-Payload-Digest: sha1:UNKNOWN",
            f"WARC-Refers-To-Target-URI: {URL}", f"WARC-Refers-To-Date: {w.DATE}", kind="revisit",
        ),
        w.record(
            URL, w.http(b"", status="304 Not Modified", content_type=None), profile + "server-not-modified",
            kind="revisit", date="2024-05-01T00:00:00Z",
        ),
        w.record("http://bu.example/a/3.html", b"", profile + "server-not-modified", kind="revisit"),
        w.record(
            "http://bu.example/a/4.html", w.http(b""), profile + "identical-payload-digest",
            "WARC-Payload-Digest: sha1:NOWHERE", kind="revisit",
        ),
    )  # fmt: skip
    assert (report.taken, dict(report.skipped)) == (3, {"revisit_unresolved": 2})
    first, second = archive.documents()
    assert first.parts[0].body_hash == second.parts[0].body_hash
    assert first.parts[0].fetched_at == w.DATE
    assert first.parts[0].consent.reservations == ("x-robots-tag: noarchive",)
    assert second.parts[0].consent.reservations == ()
    rows = archive.conn.execute("SELECT next_visit, etag FROM url ORDER BY url").fetchall()
    assert rows[0] == ("2024-05-31T00:00:00Z", '"1"')


def test_a_revisit_finds_its_first_by_any_name(take, archive):
    """By the name that another host of the site has, by a date of another zone, and by a hash that is not ours."""
    profile = "WARC-Profile: http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"
    sha1 = "WARC-Payload-Digest: sha1:ABCDABCDABCDABCDABCDABCDABCDABCD"
    report = take(
        w.record("https://m.bu.example/a/1.html", w.http(w.page("总结")), sha1, "WARC-Record-ID: <urn:uuid:1>"),
        w.record(
            "http://bu.example/a/2.html", w.http(b"", content_type=None), profile,
            "WARC-Refers-To-Target-URI: https://www.bu.example/a/1.html",
            "WARC-Refers-To-Date: 2024-03-01T16:00:00+08:00", kind="revisit",
        ),
        w.record(
            "http://bu.example/a/3.html", w.http(b""), profile, sha1, "WARC-Refers-To: <urn:uuid:1>",
            "WARC-Truncated: length", kind="revisit",
        ),
    )  # fmt: skip
    assert (report.taken, dict(report.skipped)) == (3, {})
    found = [document.parts[0] for document in archive.documents()]
    assert len({part.body_hash for part in found}) == 1
    assert {(part.content_type, part.truncated) for part in found} == {("text/html", False)}


# --- consent


def test_a_tdmrep_counts_without_a_robots_txt_and_a_long_robots_txt_too(take, archive):
    rules = b"User-agent: GPTBot\nDisallow: /a/\n" + b"#" * 600_000
    take(
        w.answer(
            "http://bu.example/.well-known/tdmrep.json", b'[{"location": "/a/", "tdm-reservation": 1}]',
            content_type="application/json",
        ),
        w.answer(URL, w.page("一")),
        w.answer("http://tree.example/a/1", w.page("二")),
        w.answer("http://tree.example/robots.txt", rules, content_type="text/plain"),
    )  # fmt: skip
    one, two = archive.documents()
    assert one.parts[0].consent.reservations == ("tdmrep.json",)
    assert one.parts[0].consent.tdmrep_hash is not None
    assert two.parts[0].consent.reservations == ("robots.txt: GPTBot",)


@pytest.mark.parametrize(
    ("headers", "head", "found"),
    [
        (["X-Robots-Tag: noai, noindex"], "", ("x-robots-tag: noai", "x-robots-tag: noindex")),
        (["x-robots-tag: fanwen: noarchive"], "", ("x-robots-tag: noarchive",)),
        (["TDM-Reservation: 1"], "", ("tdm-reservation",)),
        ([], '<meta name="tdm-reservation" content="1">', ("tdm-reservation",)),
        ([], '<META NAME="Robots" CONTENT="NOINDEX,follow">', ("meta robots: noindex",)),
        ([], "", ()),
    ],
)
@pytest.mark.parametrize("host", ["bu.example", "www.unknown.example"])
def test_what_was_said_about_reuse_is_heard(take, archive, headers, head, found, host):
    take(w.answer(f"http://{host}/a/1.html", w.page("总结", head), *headers))
    (document,) = archive.documents()
    assert document.parts[0].consent.reservations == found
    assert document.parts[0].consent.robots_hash is None
    (kept,) = archive.conn.execute("SELECT headers FROM fetch").fetchone()
    names = [name for name, _ in json.loads(kept)]
    assert names == ["content-type", *(header.partition(":")[0].lower() for header in headers)]


def test_a_robots_txt_of_the_file_is_heard_too(take, archive):
    rules = b"User-agent: GPTBot\nDisallow: /a/\n\nUser-agent: fanwen\nDisallow: /a/2\n"
    report = take(
        w.answer("http://bu.example/robots.txt", rules, content_type="text/plain"),
        w.answer("http://bu.example/a/1.html", w.page("一")),
        w.answer("http://bu.example/a/2.html", w.page("二")),
    )
    assert (report.robots, report.taken) == (1, 2)
    one, two = archive.documents()
    assert one.parts[0].consent.reservations == ("robots.txt: GPTBot",)
    assert two.parts[0].consent.reservations == ("robots.txt: GPTBot", "robots.txt: disallow")
    assert archive.body(one.parts[0].consent.robots_hash) == rules


def test_every_reason_is_explained():
    sources = "".join(
        (ROOT / "spiders" / name).read_text(encoding="utf-8") for name in ("warc_read.py", "warc_ingest.py")
    )
    used = set(
        re.findall(
            r'(?:return|Broken\(|if source.damaged else|is None else|skipped\[) ?"([a-z_0-9]+)"', sources
        )
    )
    used |= {"body_missing", "no_pattern", "too_large", "unknown_encoding", "damaged_body", "garbage"}
    assert used - {"unknown"} == set(REASONS)


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_date_beyond_the_calendar_ends_no_run(take, date):
    refers = ["WARC-Refers-To-Target-URI: http://bu.example/a/9", f"WARC-Refers-To-Date: {date}"]
    report = take(
        w.record(URL, w.http(w.page("一")), date=date), w.record(URL, w.http(b""), *refers, kind="revisit")
    )
    assert dict(report.skipped) == {"no_date": 1, "revisit_unresolved": 1}


@pytest.mark.parametrize("digest", ["shake_128:AAAA", "sha1:", "foo:bar", "sha256:文", "md5:00", "::"])
def test_a_hash_that_cannot_be_read_proves_nothing(take, digest):
    assert take(w.record(URL, w.http(w.page("一")), f"WARC-Block-Digest: {digest}")).taken == 1


def test_bytes_of_headers_are_kept_whatever_their_encoding(take, archive, tmp_path):
    name = "文件名".encode()
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Name: " + name + b"\r\n\r\n" + w.page("一")
    gbk = w.record("http://bu.example/a/GBK", block).replace(b"/GBK", b"/" + "工作".encode("gbk"))
    assert take(w.record(URL, block), gbk).taken == 2
    urls = [document.url for document in archive.documents()]
    assert urls == ["http://bu.example/a/%B9%A4%D7%F7", URL]
    export_warc(archive, tmp_path / "out.warc")
    assert (tmp_path / "out.warc").read_bytes().count(b"x-name: " + name + b"\r\n") == 1 + 1


# --- torn files


def _good(n):
    return w.answer(
        f"http://bu.example/a/{n}.html", w.page(f"第{n}篇，{'图书角' * 200}{random.Random(n).random()}")
    )


def _wrong_length(by):
    block = w.http(w.page("错"))
    return w.record("http://bu.example/a/99.html", block, length=len(block) + by)


_BROKEN = {
    "length too long": _wrong_length(+40),
    "length far too long": _wrong_length(+5_000_000),
    "length too short": _wrong_length(-40),
    "length without end": w.record(
        "http://bu.example/a/99.html", w.http(b""), length=int("9" * 4000)
    ).replace(b"9" * 4000, b"9" * 5000),
    "no length": _good(99).replace(b"Content-Length", b"Content-Longth"),
    "length no number": _good(99).replace(b"Content-Length: ", b"Content-Length: x"),
    "headers without end": b"WARC/1.0\r\n" + b"X: y\r\n" * 20_000,
    "wrong hash": w.record(
        "http://bu.example/a/99.html", w.http(w.page("错")), "WARC-Block-Digest: sha1:" + "A" * 32
    ),
    "garbage": b"what is this?\n" * 500,
    "zeros": bytes(100_000),
}


@pytest.mark.parametrize("name", ["in.warc.gz", "in.warc"])
@pytest.mark.parametrize("trouble", _BROKEN)
def test_a_broken_record_takes_no_neighbour_with_it(take, name, trouble):
    report = take(_good(1), _BROKEN[trouble], _good(2), _good(3), name=name)
    assert report.taken == 3, report
    assert sum(report.skipped.values()) == 1, report


@pytest.mark.parametrize("trouble", ["cut", "flipped", "zeroed", "checksum", "between"])
def test_reading_goes_on_behind_a_broken_gzip_member(tmp_path, sites, trouble):
    packed = [gzip.compress(_good(n), mtime=0) for n in range(1, 6)]
    bad = bytearray(packed[2])
    if trouble == "cut":
        bad = bad[: len(bad) // 2]
    elif trouble == "flipped":
        bad[len(bad) // 2] ^= 0xFF
    elif trouble == "zeroed":
        bad[20:120] = bytes(100)
    elif trouble == "checksum":
        bad[-8] ^= 1
    else:
        bad += b"some bytes that nobody asked for"
    (tmp_path / "in.warc.gz").write_bytes(b"".join([*packed[:2], bytes(bad), *packed[3:]]))
    with Archive(tmp_path / "a.db") as archive:
        report = ingest_warc(archive, [tmp_path / "in.warc.gz"], sites)
        urls = [document.url for document in archive.documents()]
    lost = 0 if trouble == "between" else 1
    assert (report.taken, dict(report.skipped)) == (5 - lost, {"gzip": 1} if lost else {})
    assert lost == 0 or "http://bu.example/a/3.html" not in urls


def test_a_file_that_ends_early_gives_what_is_whole(tmp_path, sites):
    for name in ("in.warc.gz", "in.warc"):
        path = w.written(tmp_path / name, *(_good(n) for n in range(20)))
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        with Archive(tmp_path / f"{name}.db") as archive:
            report = ingest_warc(archive, [path], sites)
        assert 8 <= report.taken <= 10
        assert sum(report.skipped.values()) == 1


def test_one_gzip_member_around_all_records_is_read(tmp_path, sites):
    path = tmp_path / "in.warc.gz"
    path.write_bytes(gzip.compress(b"".join(_good(n) for n in range(30))))
    with Archive(tmp_path / "a.db") as archive:
        assert ingest_warc(archive, [path], sites).taken == 30


def test_random_damage_never_ends_a_run(tmp_path, sites, soak):
    rng = random.Random(4)
    plain = b"".join(_good(n) for n in range(8))
    packed = w.members(*(_good(n) for n in range(8)))
    for turn in range(400 if soak else 60):
        data = bytearray(plain if turn % 2 else packed)
        for _ in range(rng.randint(1, 6)):
            place = rng.randrange(len(data))
            data[place : place + rng.choice((0, 1, 50))] = rng.randbytes(rng.choice((0, 1, 50)))
        path = tmp_path / "x.warc"
        path.write_bytes(data)
        try:
            found = list(read_warc(path))
        except UsageError:
            continue
        whole = {one.block for one in found if isinstance(one, Record)}
        assert len(whole) <= 9
        assert all(one.reason for one in found if isinstance(one, Broken))


_NO_WARC = {
    "empty": b"",
    "short": b"hello",
    "gzip of text": gzip.compress(b"hello " * 1000, mtime=0),
    "gzip of noise": gzip.compress(random.Random(1).randbytes(100_000), mtime=0),
    "gzip of nothing": b"\x1f\x8b\x08\x00",
    "zeros": bytes(9999),
}


@pytest.mark.parametrize("content", _NO_WARC.values(), ids=_NO_WARC)
def test_a_file_that_is_no_warc_says_so_before_anything_is_taken(tmp_path, sites, content):
    good = w.written(tmp_path / "good.warc.gz", _good(1))
    (tmp_path / "bad.warc.gz").write_bytes(content)
    with Archive(tmp_path / "a.db") as archive:
        with pytest.raises(UsageError, match=r"bad\.warc\.gz is no WARC file") as error:
            ingest_warc(archive, [good, tmp_path / "bad.warc.gz"], sites)
        assert list(archive.documents()) == []
    assert "\n" not in str(error.value)


def test_a_file_that_another_tool_wrote(tmp_path, sites):
    """warcio's own writer, request and response pairs, digests by sha1."""
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=True, warc_version="1.1")
    writer.write_record(writer.create_warcinfo_record("x.warc.gz", {"software": "test"}))
    body = w.page("别的工具写的总结")
    for n in range(3):
        url = f"http://bu.example/a/{n}.html"
        head = StatusAndHeaders(
            "200 OK", [("Content-Type", "text/html"), ("Content-Encoding", "gzip")], "HTTP/1.1"
        )
        sent = gzip.compress(body + str(n).encode())
        response = writer.create_warc_record(url, "response", io.BytesIO(sent), len(sent), http_headers=head)
        asked = StatusAndHeaders("GET / HTTP/1.1", [("Host", "bu.example")], is_http_request=True)
        request = writer.create_warc_record(url, "request", http_headers=asked)
        writer.write_request_response_pair(request, response)
    path = tmp_path / "in.warc.gz"
    path.write_bytes(out.getvalue())
    with Archive(tmp_path / "a.db") as archive:
        report = ingest_warc(archive, [path], sites)
        assert (report.taken, dict(report.skipped)) == (3, {"warcinfo": 1, "request": 3})
        assert archive.body(next(archive.documents()).parts[0].body_hash) == body + b"0"


def _deflated(*chunks):
    stream = zlib.compressobj(6, wbits=31)
    return b"".join([*map(stream.compress, chunks), stream.flush()])


def _nested(count):
    """Gzip members, each of which begins within the one before and is damaged only at the very end."""
    head = b"\x1f\x8b\x08" + bytes(6) + b"\x03"
    block = b"A" * 1000 + head
    stored = b"\0" + len(block).to_bytes(2, "little") + (65535 - len(block)).to_bytes(2, "little") + block
    return head + stored * count + b"\xff"


_READ = """
import resource, sys
from pathlib import Path
from fanwen.spiders.warc_read import read_warc
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
print(sum(1 for _ in read_warc(Path(sys.argv[1]))))
"""


@pytest.mark.parametrize("trouble", ["lines", "members"])
def test_no_file_is_read_for_ever(tmp_path, trouble):
    """Each takes less than a second of a processor; where all is read again for each trouble, many minutes."""
    path = tmp_path / "in.warc"
    if trouble == "lines":
        lines = _deflated(*[b"\n" * 1_000_000] * 40, *[b"a\n" * 500_000] * 40)
        path.write_bytes(gzip.compress(_good(1)) + lines)
    else:
        path.write_bytes(gzip.compress(_good(1)) + _nested(20_000))
    done = subprocess.run([sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done
    assert 1 <= int(done.stdout) <= 20_000


def test_memory_does_not_grow_with_the_file(tmp_path, sites):
    """Ten thousand records of 20 KB, and one of 200 MB that is passed over."""
    filler = os.urandom(20_000)
    peaks = []
    for count in (500, 5_000):
        path = tmp_path / f"{count}.warc"
        with path.open("wb") as out:
            for n in range(count):
                out.write(w.record(f"http://bu.example/other/{n}", w.http(filler)))
            head = w.record(URL, b"", length=100_000_000)
            out.write(head[:-4])
            for _ in range(100):
                out.write(bytes(1_000_000))
            out.write(b"\r\n\r\n" + _good(1))
        tracemalloc.start()
        with Archive(tmp_path / f"{count}.db") as archive:
            report = ingest_warc(archive, [path], sites)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (report.taken, dict(report.skipped)) == (1, {"no_pattern": count, "too_large": 1})
    assert peaks[1] < peaks[0] * 1.2
    assert peaks[1] < 60_000_000
