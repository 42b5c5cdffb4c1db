"""The way of a crawl that goes well: everything found, stored once, and cheap to visit again."""

from __future__ import annotations

import json
import sqlite3
from itertools import pairwise
from pathlib import Path

from fanwen.spiders.archive import Archive

HOST = "http://xiaozhan.example"


def _documents(path: Path) -> dict[str, list[str]]:
    with Archive(path, readonly=True) as archive:
        return {
            document.url: [archive.body(part.body_hash).decode() for part in document.parts]
            for document in archive.documents()
        }


def _mini_site(farm, tagged, answer) -> None:
    farm.page(
        f"{HOST}/", ["/list2", "/a/1.html?utm_source=x", "/a/2.html#top", "/about", "http://else.example/a/9"]
    )
    farm.page(
        f"{HOST}/list2",
        ["/a/3.html", "/a/1.html", "/files/tongzhi.pdf", "javascript:void(0)", "mailto:a@b.c"],
    )
    farm.page(f"{HOST}/a/1.html", ["/a/7.html"])  # a detail's neighbours are not followed
    farm[f"{HOST}/a/2.html"] = tagged(
        '<p>第一页</p><a class="next" href="2_2.html">下一页</a><i data-url="/frag/2-1.html"></i>'.encode(),
        '"v1"',
    )
    farm[f"{HOST}/a/2_2.html"] = tagged('<p>第二页</p><a class="next" href="2.html">回</a>'.encode(), '"v2"')
    farm.page(f"{HOST}/frag/2-1.html", text="片段")
    farm.page(f"{HOST}/a/3.html")
    farm.page(f"{HOST}/files/tongzhi.pdf", ["/a/666.html"], content_type="application/pdf")
    farm[f"{HOST}/sitemap.xml"] = answer(
        f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>{HOST}/a/4.html'
        f"</loc></url><url><loc>http://10.0.0.1/a/5.html</loc></url></urlset>".encode(),
        content_type="application/xml",
    )
    farm.page(f"{HOST}/a/4.html")


PARTS = "[parts]\nnext_link = 'a.next'\nfragment = 'i[data-url]'\n"


def _site(crawler) -> None:
    crawler.site("xiaozhan.example", PARTS)
    path = crawler.sites / "xiaozhan.example.toml"
    path.write_text(path.read_text().replace("[follow]", f'sitemaps = ["{HOST}/sitemap.xml"]\n[follow]'))


def test_a_whole_site_is_read_once_and_parts_are_joined(farm, crawler, tagged, answer):
    _mini_site(farm, tagged, answer)
    _site(crawler)
    report = crawler.run()
    assert report["exit_code"] == 0
    assert report["reason"] == "finished"
    documents = _documents(crawler.archive)
    assert list(documents) == [
        f"{HOST}/a/1.html",
        f"{HOST}/a/2.html",
        f"{HOST}/a/3.html",
        f"{HOST}/a/4.html",
        f"{HOST}/files/tongzhi.pdf",
    ]
    assert ["第一页" in documents[f"{HOST}/a/2.html"][0], len(documents[f"{HOST}/a/2.html"])] == [True, 3]
    assert "片段" in documents[f"{HOST}/a/2.html"][1]
    assert "第二页" in documents[f"{HOST}/a/2.html"][2]
    assert set(farm.pages_asked().values()) == {1}
    asked = set(farm.pages_asked())
    assert not asked & {f"{HOST}/about", f"{HOST}/a/7.html", f"{HOST}/a/666.html", "http://else.example/a/9"}
    site = report["sites"]["xiaozhan.example"]
    assert (site["requests"], site["new"], site["queue"]) == (10, 10, 0)
    agents = {asked.headers["user-agent"] for _, asked in farm.log}
    assert len(agents) == 1
    assert agents.pop().startswith("fanwen/")
    assert not any("cookie" in asked.headers or "referer" in asked.headers for _, asked in farm.log)


def test_a_second_visit_sends_validators_and_finds_what_changed(farm, crawler, tagged, answer):
    _mini_site(farm, tagged, answer)
    _site(crawler)
    crawler.run()
    farm.page(f"{HOST}/a/3.html", text="改过的正文")
    farm.page(f"{HOST}/", ["/list2", "/a/1.html", "/a/2.html", "/a/8.html"])
    farm.page(f"{HOST}/a/8.html", text="新来的")
    again = crawler.run(revisit=True)["sites"]["xiaozhan.example"]
    assert dict(map(tuple, again["by_status"]))[304] == 2
    assert (again["new"], again["changed"], again["errors"]) == (1, 2, 0)
    documents = _documents(crawler.archive)
    assert "改过的正文" in documents[f"{HOST}/a/3.html"][0]
    assert len(documents[f"{HOST}/a/2.html"]) == 3
    connection = sqlite3.connect(crawler.archive)
    rows = connection.execute(
        "SELECT body_hash, bytes, not_modified FROM fetch WHERE status = 304"
    ).fetchall()
    connection.close()
    assert rows == [(None, 0, 1)] * 2


def test_without_revisit_only_what_is_due_is_asked(farm, crawler, tagged, answer):
    _mini_site(farm, tagged, answer)
    _site(crawler)
    crawler.run()
    before = sum(farm.pages_asked().values())
    report = crawler.run()
    assert (report["exit_code"], sum(farm.pages_asked().values()) - before) == (0, 0)


def test_a_changed_site_file_reads_unchanged_pages_again(farm, crawler, tagged):
    farm[f"{HOST}/"] = tagged(b'<a href="/a/1.html">1</a><a href="/b/1.html">2</a>', '"same"')
    farm.page(f"{HOST}/a/1.html")
    farm.page(f"{HOST}/b/1.html")
    crawler.site("xiaozhan.example")
    crawler.run()
    path = crawler.sites / "xiaozhan.example.toml"
    path.write_text(path.read_text().replace("'^/a/'", "'^/a/', '^/b/'"))
    crawler.run(revisit=True)
    assert f"{HOST}/b/1.html" in _documents(crawler.archive)


def test_an_article_that_shrinks_loses_its_last_page(farm, crawler, tagged):
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm[f"{HOST}/a/1.html"] = tagged(b'one <a class="next" href="1_2.html">2</a>', '"a"')
    farm[f"{HOST}/a/1_2.html"] = tagged(b'two <a class="next" href="1_3.html">3</a>', '"b"')
    farm[f"{HOST}/a/1_3.html"] = tagged(b"three", '"c"')
    crawler.site("xiaozhan.example", PARTS)
    crawler.run()
    assert _documents(crawler.archive) == {
        f"{HOST}/a/1.html": [
            'one <a class="next" href="1_2.html">2</a>',
            'two <a class="next" href="1_3.html">3</a>',
            "three",
        ]
    }
    farm[f"{HOST}/a/1_2.html"] = tagged(b"two is the end now", '"b2"')
    crawler.run(revisit=True)
    assert [body[:3] for body in _documents(crawler.archive)[f"{HOST}/a/1.html"]] == ["one", "two"]


def test_gone_takes_410_or_three_404s_and_the_last_body_stays(farm, crawler):
    farm.page(f"{HOST}/", ["/a/1.html", "/a/2.html", "/a/3.html"])
    for name in ("1", "2", "3"):
        farm.page(f"{HOST}/a/{name}.html", text=f"第{name}篇")
    crawler.site("xiaozhan.example")
    crawler.run()
    states = []
    for visit in range(3):
        farm.page(f"{HOST}/a/1.html", status=410)
        farm.page(f"{HOST}/a/2.html", status=404)
        farm.page(f"{HOST}/a/3.html", status=404 if visit != 1 else 200)  # comes back in between
        crawler.run(revisit=True)
        with Archive(crawler.archive, readonly=True) as archive:
            states.append([document.gone for document in archive.documents()])
    assert states == [
        ["http 410", None, None],
        ["http 410", None, None],
        ["http 410", "http 404 three times", None],
    ]
    assert "第2篇" in _documents(crawler.archive)[f"{HOST}/a/2.html"][0]


def test_the_pace_of_a_site_is_kept(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/1.html", "/a/2.html"])
    farm.page("http://kuai.example/", ["/a/1.html"])
    for url in (f"{HOST}/a/1.html", f"{HOST}/a/2.html", "http://kuai.example/a/1.html"):
        farm.page(url)
    farm["http://kuai.example/robots.txt"] = answer(
        b"User-agent: fanwen\nCrawl-delay: 0.7\n", content_type="text/plain"
    )
    crawler.site("xiaozhan.example", delay=0.4)
    crawler.site("kuai.example")
    crawler.run()
    for host, gap in (("xiaozhan.example", 0.4), ("kuai.example", 0.7)):
        times = [moment for moment, asked in farm.log if asked.host == host and asked.path != "/robots.txt"]
        assert min(later - earlier for earlier, later in pairwise(times)) >= gap * 0.98


def test_shards_share_the_sites_without_overlap(farm, crawler):
    names = [f"zhan{n}.example" for n in range(6)]
    for name in names:
        farm.page(f"http://{name}/", ["/a/1.html"])
        farm.page(f"http://{name}/a/1.html")
        crawler.site(name)
    first = set(crawler.run(shard=[1, 2])["sites"])
    second = set(crawler.run(shard=[2, 2])["sites"])
    assert first | second == set(names)
    assert not first & second
    assert len(_documents(crawler.archive)) == 6


def test_paused_sites_and_a_missing_contact(farm, crawler):
    crawler.site("xiaozhan.example")
    path = crawler.sites / "xiaozhan.example.toml"
    path.write_text('status = "paused"\n' + path.read_text())
    assert crawler.run()["error"] == "UsageError"
    path.write_text(path.read_text().replace("paused", "active"))
    crawler.proxy = None
    refused = crawler.run()
    assert (refused["error"], "contact" in refused["message"]) == ("UsageError", True)


def test_the_report_is_kept_with_the_crawl(farm, crawler):
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm.page(f"{HOST}/a/1.html")
    crawler.site("xiaozhan.example")
    crawler.run()
    connection = sqlite3.connect(crawler.archive)
    reason, stats = connection.execute("SELECT reason, stats FROM crawl").fetchone()
    connection.close()
    assert reason == "finished"
    assert json.loads(stats)[0]["new"] == 2
