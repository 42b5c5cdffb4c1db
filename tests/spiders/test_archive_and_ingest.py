"""What is put into archive.db comes out again, and damage never passes for data."""

from __future__ import annotations

import sqlite3

import pytest

from fanwen.errors import DamagedError, UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.frontier import Frontier
from fanwen.spiders.ingest import ingest_files, warc_files
from fanwen.spiders.items import Discovered, Fetch, PageRead
from fanwen.spiders.site import builtin_site_folder, read_site, read_sites


def test_files_become_documents_whatever_they_are_called(tmp_path):
    folder = tmp_path / "in" / "b"
    folder.mkdir(parents=True)
    (folder / "二.txt").write_text("第二篇")
    (folder / "一.TXT").write_text("第一篇")
    (folder / "copy.txt").write_text("第一篇")
    (folder / "page.html").write_text("<p>网页</p>")
    (folder / "empty.txt").write_text(" \n")
    (folder / "tape.doc").write_text("?")
    (folder / ".hidden.txt").write_text("hidden")
    (tmp_path / "in" / "a.pdf").write_bytes(b"%PDF-1.4")
    with Archive(tmp_path / "archive.db") as archive:
        report = ingest_files(archive, [tmp_path / "in"])
        assert (report.added, report.known) == (4, 1)
        assert {(skipped.reason, skipped.path.rsplit("/", 1)[1]) for skipped in report.skipped} == {
            ("empty", "empty.txt"),
            ("unknown_type", "tape.doc"),
        }
        documents = list(archive.documents())
        assert [document.url for document in documents] == sorted(document.url for document in documents)
        assert {document.site for document in documents} == {"local"}
        found = {archive.body(document.parts[0].body_hash).decode() for document in documents}
        assert found == {"第一篇", "第二篇", "<p>网页</p>", "%PDF-1.4"}
        before = [*archive.documents(), archive.newest_fetched_at()]
        again = ingest_files(archive, [folder / "一.TXT", tmp_path / "in"])
        assert (again.added, again.known) == (0, 6)
        assert [*archive.documents(), archive.newest_fetched_at()] == before
        assert archive.verify() == []


def test_a_missing_path_is_named_and_nothing_is_stored(tmp_path):
    (tmp_path / "a.txt").write_text("一")
    with Archive(tmp_path / "archive.db") as archive:
        with pytest.raises(UsageError, match=r"nirgends\.txt"):
            ingest_files(archive, [tmp_path / "a.txt", tmp_path / "nirgends.txt"])
        assert list(archive.documents()) == []


@pytest.mark.parametrize("kind", ["garbage", "truncated", "foreign", "header"])
def test_a_torn_or_foreign_file_is_refused_in_one_sentence(tmp_path, kind):
    path = tmp_path / "archive.db"
    with Archive(path) as archive:
        for n in range(200):
            archive.store_file(f"{n}".encode() * 500, name="x.txt", content_type="text/plain")
    data = path.read_bytes()
    if kind == "garbage":
        path.write_bytes(b"this is no database, though it is long enough" * 100)
    elif kind == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "header":
        path.write_bytes(b"\0" * 100 + data[100:])
    else:
        path.unlink()
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE book (title)")
        other.commit()
        other.close()
    for readonly in (False, True):
        with pytest.raises(DamagedError) as error:
            Archive(path, readonly=readonly)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_damage_inside_is_found_by_verify_and_on_reading(tmp_path):
    path = tmp_path / "archive.db"
    with Archive(path) as archive:
        archive.store_file(b"one " * 100, name="x.txt", content_type="text/plain")
        archive.store_file(b"two " * 100, name="y.txt", content_type="text/plain")
        digest = next(iter(archive.documents())).parts[0].body_hash
        with archive.write() as conn:
            blob = bytearray(conn.execute("SELECT data FROM body WHERE sha256 = ?", (digest,)).fetchone()[0])
            blob[-3] ^= 1
            conn.execute("UPDATE body SET data = ? WHERE sha256 = ?", (bytes(blob), digest))
        with pytest.raises(DamagedError, match=digest):
            archive.body(digest)
        assert [digest in trouble for trouble in archive.verify()] == [True]
        archive.conn.execute("PRAGMA foreign_keys = OFF")
        with archive.write() as conn:
            conn.execute("DELETE FROM body WHERE sha256 = ?", (digest,))
        assert any("missing row of body" in trouble for trouble in archive.verify())
        with pytest.raises(DamagedError, match="lost"):
            archive.body(digest)


def test_reading_needs_an_archive(tmp_path):
    with pytest.raises(UsageError, match="no archive"):
        Archive(tmp_path / "archive.db", readonly=True)
    (tmp_path / "archive.db").touch()
    with pytest.raises(UsageError, match="empty"):
        Archive(tmp_path / "archive.db", readonly=True)
    with Archive(tmp_path / "archive.db") as archive:
        assert list(archive.documents()) == []
        assert archive.newest_fetched_at() is None


SITE = """name = "bu.example"
title = "部"
family = "test"
host = "bu.example"
start = ["http://bu.example/"]
"""


def _frontier(tmp_path, name):
    (tmp_path / "bu.example.toml").write_text(SITE)
    archive = Archive(tmp_path / f"{name}.db")
    frontier = Frontier(archive, read_sites([tmp_path]))
    frontier.begin(revisit=False, shard="1/1")
    return archive, frontier


def _visit(frontier, url, links=(), status=200):
    """Visit until this URL has been visited, giving back what else comes first."""
    skipped = []
    while (leased := frontier.lease("bu.example")).url != url:
        skipped.append(leased)
    body = None if status != 200 else f"body of {url}".encode()
    frontier.record(
        leased,
        Fetch(url, "2026-01-01T00:00:00Z", status, (), body),
        PageRead(tuple(links)),
        read=status == 200,
    )
    for other in skipped:
        frontier.give_back(other)
    return leased


BASE = "http://bu.example"


@pytest.mark.parametrize("order", ["pages first", "parts first"])
def test_a_part_that_a_list_names_too_is_one_document_in_any_order(tmp_path, order):
    archive, frontier = _frontier(tmp_path, "x")
    _visit(frontier, f"{BASE}/", [Discovered(f"{BASE}/a/1_{n}.html", "detail") for n in (3, 2, 1)])
    numbers = (1, 2, 3) if order == "pages first" else (3, 2, 1)
    for n in numbers:
        row = archive.conn.execute(
            "SELECT document_url, part FROM url WHERE url = ?", (f"{BASE}/a/1_{n}.html",)
        ).fetchone()
        links = [Discovered(f"{BASE}/a/1_{n + 1}.html", "part", row[0], row[1] + 1000)] if n < 3 else []
        _visit(frontier, f"{BASE}/a/1_{n}.html", links)
    (document,) = archive.documents()
    assert document.url == f"{BASE}/a/1_1.html"
    assert [part.url for part in document.parts] == [f"{BASE}/a/1_{n}.html" for n in (1, 2, 3)]
    assert not document.missing_parts
    frontier.close()
    archive.close()


def test_a_part_that_never_came_is_reported(tmp_path):
    archive, frontier = _frontier(tmp_path, "x")
    _visit(frontier, f"{BASE}/", [Discovered(f"{BASE}/a/1.html", "detail")])
    _visit(frontier, f"{BASE}/a/1.html", [Discovered(f"{BASE}/a/1_2.html", "part", f"{BASE}/a/1.html", 1000)])
    _visit(frontier, f"{BASE}/a/1_2.html", status=404)
    (document,) = archive.documents()
    assert (len(document.parts), document.missing_parts) == (1, True)
    frontier.close()
    archive.close()


def test_every_url_is_leased_once(tmp_path):
    archive, frontier = _frontier(tmp_path, "x")
    _visit(frontier, f"{BASE}/", [Discovered(f"{BASE}/a/{n}.html", "detail") for n in range(20)])
    leased = []
    while (one := frontier.lease("bu.example")) is not None:
        leased.append(one.url)
    assert len(leased) == len(set(leased)) == 20
    frontier.close()  # as a kill would: nothing is given back
    archive.close()
    archive = Archive(tmp_path / "x.db")
    frontier = Frontier(archive, read_sites([tmp_path]))
    frontier.begin(revisit=False, shard="1/1")
    assert frontier.resumed
    assert sum(1 for _ in iter(lambda: frontier.lease("bu.example"), None)) == 20
    frontier.close()
    archive.close()


def test_the_site_files_that_come_with_fanwen_are_valid_and_short():
    sites = read_sites([builtin_site_folder()])
    assert len(sites) >= 5
    assert len({site.family for site in sites.values()}) >= 5
    for name, site in sites.items():
        assert site.status == "candidate"
        assert "could not be checked" in site.note
        assert len((builtin_site_folder() / f"{name}.toml").read_text().splitlines()) <= 35


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('titel = "x"', "titel"),
        ("[follow]\ndetails = ['(']", "follow.details"),
        ("[parts]\nnext_link = 'a['", "next_link"),
        ("[polite]\ndelay = -1", "polite.delay"),
        ('sitemaps = ["http://elsewhere.example/map.xml"]', "elsewhere.example"),
    ],
)
def test_a_wrong_site_file_says_where(tmp_path, line, word):
    path = tmp_path / "bu.example.toml"
    path.write_text(SITE + line + "\n")
    with pytest.raises(UsageError, match=r"bu\.example\.toml") as error:
        read_site(path)
    assert word in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_with_a_file_that_only_looks_like_a_warc_gives_the_others(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.WARC").write_bytes(b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n\r\n\r\n")
    (folder / "b.warc.gz").write_bytes(b"")
    assert warc_files([folder]) == [folder / "a.WARC"]
    assert warc_files([folder / "b.warc.gz"]) == [folder / "b.warc.gz"]  # named, so that it is an error
    with Archive(tmp_path / "a.db") as archive:
        report = ingest_files(archive, [folder])
    assert [(skipped.path, skipped.reason) for skipped in report.skipped] == [
        (str(folder / "b.warc.gz"), "no_warc")
    ]
