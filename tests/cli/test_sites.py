"""``fanwen sites``: a site from pages, dry runs, canaries, as a maintainer uses them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fanwen.corpus.health import gates
from fanwen.spiders.samples import site_folder
from fanwen.spiders.samples.server import SampleServer
from fanwen.spiders.site import read_site

Run = Callable[..., Any]
PAGES = {
    "zongjie.example": ["/", "/gongzuo/", "/gongzuo/1001.html", "/gongzuo/1003.html", "/yanjiang/2001.html"],
    "wendang.example": ["/", "/doc/501.html", "/doc/502.html", "/doc/504.html"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[SampleServer]:
    with SampleServer("one") as running:
        yield running


@pytest.fixture
def saved(tmp_path: Path, server: SampleServer) -> Callable[[str], Path]:
    """A folder of saved pages of a sample site, each with the comment that browsers write."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": server.proxy_url}))

    def save(host: str) -> Path:
        folder = tmp_path / "saved" / host
        folder.mkdir(parents=True)
        for path in PAGES[host]:
            url = f"http://{host}{path}"
            comment = f"<!-- saved from url=({len(url):04})http://{host}{path} -->\n".encode()
            name = path.strip("/").replace("/", "_").removesuffix(".html") or "front"
            (folder / f"{name}.html").write_bytes(comment + opener.open(url, timeout=10).read())
        return folder

    return save


@pytest.fixture
def sample_site(tmp_path: Path) -> Callable[[str], Path]:
    """The site file of a sample site in the home."""

    def put(host: str) -> Path:
        folder = tmp_path / "home" / "sites"
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(site_folder() / f"{host}.toml", folder / f"{host}.toml"))

    return put


def one_sentence(done: Any, code: int, *words: str) -> None:
    assert done.code == code, done.err
    assert done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err, done.err


def json_of(done: Any) -> Any:
    assert done.err == "", done.err
    return json.loads(done.out)


def test_a_site_from_saved_pages(fanwen: Run, saved: Callable[[str], Path], tmp_path: Path) -> None:
    done = fanwen("sites", "new", "--from", saved("zongjie.example"))
    assert (done.code, done.err) == (0, "")
    file = tmp_path / "home" / "sites" / "zongjie.example.toml"
    text = file.read_text(encoding="utf-8")
    written, ours = (
        tomllib.loads(text),
        tomllib.loads((site_folder() / file.name).read_text(encoding="utf-8")),
    )
    assert len(text.splitlines()) <= 25
    assert written["status"] == "candidate"
    assert (written["host"], written["start"]) == (ours["host"], ours["start"])
    assert written["follow"]["details"] == ours["follow"]["details"]
    assert written["extract"]["title"] == ours["extract"]["title"]
    assert written["extract"]["content"] == ours["extract"]["content"]
    assert fanwen("sites", "check", "zongjie.example").code == 0
    assert re.search(r"^  zongjie\.example +candidate ", fanwen("sites", "list").out, re.M)
    # it is a candidate: nothing crawls it
    one_sentence(fanwen("crawl", "zongjie.example"), 2, "candidate")


def test_the_review_page_is_well_formed_and_loads_nothing(
    fanwen: Run, saved: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = saved("wendang.example")
    page = folder / "doc_501.html"
    page.write_bytes(
        page.read_bytes().replace(
            b'<div id="reader">', b'<div id="reader"><p>&lt;script&gt;alert(1)&lt;/script&gt;</p>'
        )
    )
    made = json_of(fanwen("sites", "new", "--from", folder, "--json"))
    text = Path(made["review"]).read_text(encoding="utf-8")
    tree = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
    assert not [e.tag for e in tree.iter() if e.tag in ("script", "img", "link", "iframe", "object")]
    assert not [name for e in tree.iter() for name in e.attrib if name in ("src", "href", "onclick")]
    assert "default-src 'none'" in text
    ids = [e.get("id") for e in tree.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    shown = "".join(tree.itertext())
    assert "<script>alert(1)</script>" in shown
    assert "把握 How sure" in shown
    assert "#reader" in shown
    for row in made["pages"]:
        assert row["url"] in shown
        for piece in row["pieces"]:
            assert piece["title"] in shown
            assert piece["begins"][:15] in shown
    kinds = {row["url"]: (row["kind"], row["encoding"], len(row["pieces"])) for row in made["pages"]}
    assert kinds == {
        "http://wendang.example/": ("list", "gb18030", 0),
        "http://wendang.example/doc/501.html": ("detail", "gb18030", 1),
        "http://wendang.example/doc/502.html": ("detail", "gb18030", 1),  # no charset declared anywhere
        "http://wendang.example/doc/504.html": ("detail", "gb18030", 3),
    }
    assert {p["key"]: p["sure"] for p in made["proposals"]}["extract.content"] == "yes"


def test_a_site_file_is_never_overwritten(fanwen: Run, saved: Callable[[str], Path], tmp_path: Path) -> None:
    folder = saved("zongjie.example")
    assert fanwen("sites", "new", "--from", folder).code == 0
    file = tmp_path / "home" / "sites" / "zongjie.example.toml"
    file.write_text("# mine\n")
    one_sentence(fanwen("sites", "new", "--from", folder), 2, str(file), "--name")
    assert file.read_text() == "# mine\n"
    assert fanwen("sites", "new", "--from", folder, "--name", "other").code == 0
    one_sentence(fanwen("sites", "new", "--from", folder, "--name", "../evil"), 2, "../evil")
    done = fanwen("sites", "new", "--from", folder, "--name", "gwyoo.com")
    assert "replaces the built-in site" in done.out


def test_a_site_from_pages_fetched_as_a_crawl_fetches(
    fanwen: Run, server: SampleServer, tmp_path: Path
) -> None:
    urls = [
        f"http://gongwen.example{path}" for path in ("/notice/14.html", "/notice/16.html", "/private/21.html")
    ]
    done = fanwen("sites", "new", *urls, "--proxy", server.proxy_url, "--delay", "0", "--json")
    assert done.code == 0, done.err
    made = json.loads(done.out)
    # robots.txt forbids /private/, and nobody goes round it
    assert [row["url"] for row in made["pages"]] == urls[:2]
    assert "/private/21.html" in "".join(made["failed"])
    assert "robots" in "".join(made["failed"])
    written = tomllib.loads(Path(made["file"]).read_text(encoding="utf-8"))
    assert written["follow"]["details"] == [r"^/notice/\d+\.html$"]
    assert written["extract"]["content"] == [".zoom"]
    assert not (tmp_path / "home" / "archive.db").exists()


def test_pages_that_may_not_be_fetched(fanwen: Run, server: SampleServer) -> None:
    proxy = ("--proxy", server.proxy_url, "--delay", "0")
    one_sentence(fanwen("sites", "new", "http://zongjie.example/gongzuo/1001.html"), 2, "contact")
    one_sentence(fanwen("sites", "new", "http://169.254.169.254/latest", *proxy), 2, "not a public address")
    one_sentence(fanwen("sites", "new", "file:///etc/passwd", *proxy), 2, "file:///etc/passwd")
    one_sentence(fanwen("sites", "new", "http://gongwen.example/private/21.html", *proxy), 4, "robots")
    one_sentence(fanwen("sites", "new", "http://zongjie.example/none.html", *proxy), 2, "404")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "is empty"),
        (b"%PDF-1.7\n%\xe2\xe3", "no HTML page"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "no HTML page"),
        ("只有字，没有标签。".encode(), "no HTML page"),
        (b"<html><body><div id='app'></div><script>go()</script></body></html>", "running Chinese text"),
        (
            "<html><body><ul><li><a href='/a/1.html'>一篇范文的题目</a></li></ul></body></html>".encode(),
            "only",
        ),
    ],
)
def test_pages_that_hold_no_article(fanwen: Run, tmp_path: Path, body: bytes, words: str) -> None:
    (tmp_path / "page.html").write_bytes(body)
    one_sentence(
        fanwen("sites", "new", "--from", "page.html", "--url", "http://x.example/a/1.html"), 2, words
    )
    assert not (tmp_path / "home").exists()


def test_wrong_uses_are_one_sentence(fanwen: Run, saved: Callable[[str], Path]) -> None:
    folder = saved("zongjie.example")
    one_sentence(fanwen("sites", "new"), 2, "--from")
    one_sentence(fanwen("sites", "new", "http://a.example/1.html", "--from", folder), 2, "not both")
    one_sentence(fanwen("sites", "new", "http://a.example/1", "--url", "http://a.example/1"), 2, "--from")
    one_sentence(fanwen("sites", "check", "nosuch.example"), 2, "nosuch.example", "sites list")
    one_sentence(fanwen("sites", "check", "none.toml"), 2, "none.toml")
    one_sentence(fanwen("sites", "check", "--page", folder / "front.html"), 2, "name it")
    one_sentence(fanwen("sites", "check", "--url", "http://a.example/"), 2, "--page")
    one_sentence(fanwen("sites", "check", "gwyoo.com", "--fetch", "http://a.example/"), 2, "a.example")
    one_sentence(fanwen("sites", "approve", "gwyoo.com", folder / "front.html"), 2, "would not visit")
    one_sentence(fanwen("sites", "approve", "gwyoo.com", "http://www.gwyoo.com/a/b"), 2, "archive")


def test_a_dry_run_shows_what_would_be_taken(
    fanwen: Run, saved: Callable[[str], Path], sample_site: Callable[[str], Path], tmp_path: Path
) -> None:
    sample_site("zongjie.example")
    folder = saved("zongjie.example")
    pages = [
        a for name in ("gongzuo_1001", "gongzuo_1003", "gongzuo") for a in ("--page", folder / f"{name}.html")
    ]
    report = json_of(fanwen("sites", "check", "zongjie.example", *pages, "--html", "dry.html", "--json"))
    compilation, article, listed = report["pages"]
    assert report["warnings"] == []
    assert (compilation["kind"], len(compilation["pieces"]), compilation["rejects"]) == ("detail", 3, [])
    assert [piece["genre"] for piece in compilation["pieces"]] == ["工作总结"] * 3
    assert article["links"] == {"part": ["http://zongjie.example/gongzuo/1003_2.html"]}
    assert (listed["kind"], listed["pieces"]) == ("list", [])
    assert "http://zongjie.example/gongzuo/1001.html" in listed["links"]["detail"]
    ElementTree.fromstring(
        (tmp_path / "dry.html").read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>\n")
    )
    done = fanwen("sites", "check", "zongjie.example", *pages)
    assert (done.code, done.err) == (0, "")
    assert "detail (details: ^/(gongzuo|yanjiang)/\\d+\\.html$)" in done.out
    # a URL that no pattern wants is said to be none, and why
    other = ("--page", folder / "gongzuo_1001.html", "--url", "http://zongjie.example/elsewhere/1")
    (row,) = json_of(fanwen("sites", "check", "zongjie.example", *other, "--json"))["pages"]
    assert (row["kind"], row["why"]) == (None, "no pattern of [follow] matches it")
    assert len(row["pieces"]) == 3


def test_a_dry_run_fetches_politely(
    fanwen: Run, server: SampleServer, sample_site: Callable[[str], Path], tmp_path: Path
) -> None:
    sample_site("wendang.example")
    done = fanwen(
        "sites", "check", "wendang.example", "--fetch", "http://wendang.example/doc/504.html",
        "--proxy", server.proxy_url, "--json",
    )  # fmt: skip
    (row,) = json_of(done)["pages"]
    assert (row["kind"], len(row["pieces"])) == ("detail", 3)
    assert "incomplete" in row["pieces"][2]["flags"]
    assert not (tmp_path / "home" / "archive.db").exists()


def test_warnings_do_not_make_a_file_wrong(fanwen: Run, sample_site: Callable[[str], Path]) -> None:
    file = sample_site("wendang.example")
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("details = ['^/doc/", "details = ['^/$', '^/(\\w+)+x$', '^/doc/"), encoding="utf-8"
    )
    done = fanwen("sites", "check", "wendang.example")
    assert done.code == 0
    assert "start http://wendang.example/ is also a detail" in done.err
    assert "holds the crawl up" in done.err
    (row,) = json.loads(fanwen("sites", "check", "wendang.example", "--json").out)
    assert (row["site"], row["status"], row["ok"]) == ("wendang.example", "active", True)
    assert len(row["warnings"]) >= 2


def test_canaries_say_when_a_page_gives_something_else(
    fanwen: Run, saved: Callable[[str], Path], sample_site: Callable[[str], Path], tmp_path: Path
) -> None:
    file = sample_site("zongjie.example")
    pages = sorted(saved("zongjie.example").glob("*_*.html"))
    approved = json_of(fanwen("sites", "approve", "zongjie.example", *pages, "--json"))
    assert [len(row["pieces"]) for row in approved] == [3, 1, 1]
    folder = tmp_path / "home" / "sites" / "zongjie.example"
    assert len(list(folder.iterdir())) == 6
    assert sorted(f.read_bytes() for f in folder.glob("*.html")) == sorted(f.read_bytes() for f in pages)
    done = fanwen("sites", "check", "zongjie.example")
    assert (done.code, "3 canaries, 0 of them changed" in done.out) == (0, True)

    # the selector of the content takes something else
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('[".article-content"]', '[".crumb"]'), encoding="utf-8")
    done = fanwen("sites", "check")
    assert done.code == 3
    assert "3 canaries, 3 of them changed" in done.out
    assert "http://zongjie.example/gongzuo/1001.html: it gave 3 pieces, and gives 0" in done.out
    rows = {row["site"]: row for row in json.loads(fanwen("sites", "check", "--json").out)}
    assert not rows["zongjie.example"]["ok"]
    assert rows["gwyoo.com"]["ok"]

    # nothing is accepted by itself: a person approves again, and is told what that means
    assert fanwen("sites", "check").code == 3
    again = fanwen("sites", "approve", "zongjie.example", pages[0])
    assert "accepted: it gave 3 pieces, and gives 0" in again.out
    assert "3 canaries, 2 of them changed" in fanwen("sites", "check", "zongjie.example").out
    file.write_text(text.replace("a.next", "a.gone"), encoding="utf-8")
    fanwen("sites", "approve", "zongjie.example", pages[0])
    assert "it had 1 links of kind part, and has 0" in fanwen("sites", "check", "zongjie.example").out


def test_canaries_that_were_tampered_with(
    fanwen: Run, saved: Callable[[str], Path], sample_site: Callable[[str], Path], tmp_path: Path
) -> None:
    sample_site("zongjie.example")
    fanwen("sites", "approve", "zongjie.example", saved("zongjie.example") / "gongzuo_1001.html")
    folder = tmp_path / "home" / "sites" / "zongjie.example"
    (page,), (record,) = folder.glob("*.html"), folder.glob("*.json")
    body, told = page.read_bytes(), record.read_text(encoding="utf-8")
    page.write_bytes(body[:-1])
    one_sentence(fanwen("sites", "check"), 1, page.name, "approve")
    page.unlink()
    one_sentence(fanwen("sites", "check"), 1, page.name)
    page.write_bytes(body)
    for wrong in (
        "",
        "[]",
        "{}",
        told.replace('"pieces"', '"peaces"'),
        told.replace(page.name, f"../{page.name}"),
    ):
        record.write_text(wrong, encoding="utf-8")
        one_sentence(fanwen("sites", "check"), 2, record.name, "approve")
    record.write_text(told, encoding="utf-8")
    assert fanwen("sites", "check").code == 0


def test_a_page_of_the_archive_becomes_a_canary(
    fanwen: Run, server: SampleServer, sample_site: Callable[[str], Path]
) -> None:
    sample_site("wenku.example")
    assert fanwen("crawl", "wenku.example", "--proxy", server.proxy_url).code == 0
    done = fanwen("sites", "approve", "wenku.example", "http://wenku.example/p/7001.html")
    assert done.code == 0, done.err
    assert re.search(r"kept as .*\.json", done.out)
    assert "1 canaries, 0 of them changed" in fanwen("sites", "check", "wenku.example").out


def test_the_list_says_what_was_decided(fanwen: Run, sample_site: Callable[[str], Path]) -> None:
    sample_site("wenku.example")
    lines = fanwen("sites", "list").out.splitlines()
    assert lines[0].split() == ["site", "status", "family", "rights", "reviewed", "on", "title"]
    row = next(line for line in lines if "wenku.example" in line)
    for word in ("active", "flattened-document", "allowed", "2026-01-05"):
        assert word in row
    assert "–" in next(line for line in lines if "gwyoo.com" in line)


def test_an_article_over_two_pages_is_one_canary(
    fanwen: Run,
    saved: Callable[[str], Path],
    sample_site: Callable[[str], Path],
    tmp_path: Path,
    server: SampleServer,
) -> None:
    file = sample_site("zongjie.example")
    folder = saved("zongjie.example")
    first, second = folder / "gongzuo_1003.html", folder / "second.html"
    url = "http://zongjie.example/gongzuo/1003_2.html"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": server.proxy_url}))
    second.write_bytes(
        f"<!-- saved from url=(0044){url} -->\n".encode() + opener.open(url, timeout=10).read()
    )
    alone = json_of(fanwen("sites", "check", "zongjie.example", "--page", first, "--json"))["pages"]
    (both,) = json_of(fanwen("sites", "approve", "zongjie.example", second, first, "--json"))
    assert both["url"] == "http://zongjie.example/gongzuo/1003.html"
    assert sum(p["chars"] for p in both["pieces"]) > sum(p["chars"] for p in alone[0]["pieces"])
    kept = tmp_path / "home" / "sites" / "zongjie.example"
    assert sorted(f.suffix for f in kept.iterdir()) == [".html", ".html", ".json"]
    assert fanwen("sites", "check", "zongjie.example").code == 0
    # the second page's template alone breaks
    (record,) = kept.glob("*.json")
    told = json.loads(record.read_text(encoding="utf-8"))
    part = kept / told["pages"][1]["file"]
    broken = part.read_bytes().replace(b"article-content", b"article-other").replace(b"<p>", b"<p hidden>")
    part.write_bytes(broken)
    told["pages"][1]["sha256"] = hashlib.sha256(broken).hexdigest()
    record.write_text(json.dumps(told), encoding="utf-8")
    done = fanwen("sites", "check", "zongjie.example")
    assert done.code == 3
    assert "its text had" in done.out
    # rules of former days hold for what came in those days
    text = file.read_text(encoding="utf-8")
    fanwen("sites", "approve", "zongjie.example", second, first)
    file.write_text(text.replace('[".article-content"]', '[".new"]'), encoding="utf-8")
    # the generic extraction gives the same, and yet the site has changed
    done = fanwen("sites", "check", "zongjie.example")
    assert (done.code, "extractor was 'selector', is 'density'" in done.out) == (3, True), done.out
    old = '\n[[old]]\nvalid_until = 2999-01-01\nextract.content = [".article-content"]\n'
    file.write_text(text.replace('[".article-content"]', '[".new"]') + old, encoding="utf-8")
    done = fanwen("sites", "check", "zongjie.example")
    assert done.code == 0, done.out
    assert "2999-01-01 has not come yet" in done.err


READER = """
from fanwen.spiders.reader import PageReader, Reading

class Upside(PageReader):
    def read_page(self, page):
        if page.url.endswith("/p/7002.html"):
            raise ValueError("no such page")
        html = page.body.decode("utf-8", "replace") if page.url.endswith("/p/7001.html") else None
        links = ("/p/7001.html", "file:///etc/passwd", "http://127.0.0.1/p/1.html", "http://other.example/p/1.html")
        return Reading(links=links, html=html and "<title>别的总结</title><p>" + "这是自己的读法给出的正文，一共有很多字。" * 20)
"""


def test_a_class_of_ones_own_and_rules_of_former_days(
    fanwen: Run, server: SampleServer, sample_site: Callable[[str], Path], tmp_path: Path
) -> None:
    """One crawl: links of a reader are judged like others, the archive keeps what came, a build reads it anew."""
    file = sample_site("wenku.example")
    text = file.read_text(encoding="utf-8")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "upside.py").write_text(READER, encoding="utf-8")
    path = {"PYTHONPATH": str(tmp_path / "lib")}

    def say(more: str) -> None:
        file.write_text(text.replace('host = "wenku', more + 'host = "wenku'), encoding="utf-8")

    for spider, word in (
        ("upside:Upside", "No module named"),  # not on the path
        ("os:system", "not a fanwen.spiders.reader.PageReader"),
        ("upside", "module:Class"),
        ("os:none", "none"),
    ):
        say(f'spider = "{spider}"\n')
        one_sentence(fanwen("crawl", "wenku.example"), 2, str(file), word)
    say('spider = "upside:Upside"\n')
    crawled = fanwen("crawl", "wenku.example", "--proxy", server.proxy_url, "--json", **path)
    assert crawled.code == 0, crawled.err
    assert {request.host for request in server.requests} <= {*PAGES, "wenku.example", "gongwen.example"}
    built = json_of(fanwen("build", "--json", **path))
    assert built["rejects"]["unreadable"] == 1
    page = json_of(fanwen("explain", "http://wenku.example/p/7001.html", "--json", **path))
    assert page["title"] == "别的总结"
    refused = json_of(fanwen("explain", "http://wenku.example/p/7002.html", "--json", **path))
    assert "ValueError: no such page" in json.dumps(refused["rejects"])
    # without the class the archive still holds what came
    say("")
    assert json_of(fanwen("build", "--json"))["cleaned"] > 0
    assert json_of(fanwen("explain", "http://wenku.example/p/7001.html", "--json"))["title"] != "别的总结"
    # rules that ended before the pages came change nothing; those that had not are used again
    for until, extractor in (("2001-01-01", "trafilatura"), ("2999-01-01", "selector")):
        file.write_text(
            f'{text}\n[[old]]\nvalid_until = {until}\nextract.content = ["body"]\n', encoding="utf-8"
        )
        again = json_of(fanwen("build", "--json"))
        assert (again["cleaned"] > 0) is (extractor == "selector")
        shown = json_of(fanwen("explain", "http://wenku.example/p/7001.html", "--json"))
        assert shown["extractor"] == extractor
    # a site whose selectors find nothing any more has changed, whatever else gives its text
    for selector, passed in (("body", True), (".gone", False)):
        file.write_text(text.replace('["@trafilatura"]', f'["{selector}"]'), encoding="utf-8")
        assert fanwen("build").code == 0
        site = read_site(file)
        held = {gate.name: gate for gate in gates(tmp_path / "home" / "corpus.db", {site.name: site})}
        assert held["selected"].passed is passed, held["selected"]
    assert "found nothing" in held["selected"].detail
