"""Sites that go on for ever, or show one page under many addresses: bounded, and reported."""

from __future__ import annotations

import re
import sqlite3

import pytest
from lxml import html

from fanwen.spiders import links
from fanwen.spiders.archive import Archive
from fanwen.spiders.items import Discovered
from fanwen.spiders.scope import Scope, invented, shape
from fanwen.spiders.site import Follow, Site

HOST = "http://xianjing.example"
ESSAY = "过去的一年里，图书馆的同志们把旧书一本一本修好，把新书一箱一箱搬上楼，来看书的人比从前多了。" * 12


def _documents(crawler):
    with Archive(crawler.archive, readonly=True) as archive:
        return {document.url: document.gone for document in archive.documents()}


def _site(crawler, follow, extra="", host="xianjing.example"):
    crawler.site(host, extra)
    path = crawler.sites / f"{host}.toml"
    text = path.read_text(encoding="utf-8")
    lists = "lists = ['^/$', '^/list']"
    assert lists in text
    path.write_text(text.replace(lists, follow), encoding="utf-8")


def _traps(report, site="xianjing.example"):
    return {trap["kind"]: trap["count"] for trap in report["sites"][site]["traps"]}


def _endless(farm, answer, prefix, page):
    """Every address under the prefix answers."""

    class Routes(dict):
        def get(self, key, default=None):
            path = key[1]
            if path.startswith(prefix) and key not in self:
                return lambda asked: answer(page(asked.path).encode())
            return super().get(key, default)

    farm.routes = Routes(farm.routes)


def test_an_infinite_calendar_ends(farm, crawler, answer):
    def month(path):
        n = int(re.search(r"m=(\d+)", path)[1])
        return f'<a href="/rili?y=2026&m={n + 1}">下一页</a><a href="/rili?y=2026&m={n + 2}">{n + 2}月</a>'

    farm.page(f"{HOST}/", ["/a/1.html", "/rili?y=2026&m=1"])
    farm.page(f"{HOST}/a/1.html")
    _endless(farm, answer, "/rili", month)
    _site(crawler, "lists = ['^/$', '^/rili']")
    report = crawler.run()
    assert report["exit_code"] == 0
    assert sum("rili" in url for url in farm.pages_asked()) <= 25
    assert _traps(report)["lists without end"] > 0


def test_a_list_whose_pages_repeat_the_last_one_ends(farm, crawler, answer):
    def page(path):
        n = int(path[len("/list_") : -len(".html")])
        links = "".join(f'<a href="/a/{min(n, 4)}-{m}.html">文</a>' for m in range(3))
        return f'{links}<a href="/list_{n + 1}.html">下一页</a>'

    farm.page(f"{HOST}/", ["/list_1.html"])
    _endless(farm, answer, "/list_", page)
    for n in range(1, 5):
        for m in range(3):
            farm.page(f"{HOST}/a/{n}-{m}.html")
    _site(crawler, "lists = ['^/$', '^/list']")
    report = crawler.run()
    assert report["sites"]["xianjing.example"]["documents"] == 12
    assert sum("list" in url for url in farm.pages_asked()) == 7, "four with something new, three without"
    assert _traps(report)["lists without end"] == 1


def test_a_cloud_of_tags_is_not_read_to_the_end(farm, crawler, answer):
    words = [chr(ord("a") + n // 26) + chr(ord("a") + n % 26) for n in range(300)]
    farm.page(f"{HOST}/", [f"/tag/{word}/" for word in words] + ["/a/1.html", "/xinde/"])
    farm.page(f"{HOST}/a/1.html")
    for word in words:
        farm.page(f"{HOST}/tag/{word}/", ["/a/1.html"])
    farm.page(f"{HOST}/xinde/", ["/a/2.html"])
    farm.page(f"{HOST}/a/2.html")
    _site(crawler, "lists = ['^/$', '^/tag/', '^/xinde/']")
    report = crawler.run()
    assert sum("/tag/" in url for url in farm.pages_asked()) <= 21
    assert _traps(report)["lists without end"] >= 275
    assert report["sites"]["xianjing.example"]["documents"] == 2


def test_tags_that_can_be_combined_end_though_each_has_a_shape_of_its_own(farm, crawler, answer):
    """Three tags deep there are thousands; a folder beside them, which brings something, is read."""
    tags = [f"{letter}{n}" for n, letter in enumerate("abcdefghijkl")]

    def combined(asked):
        chosen = asked.path[len("/tag/") :].split("+")
        links = [f"{asked.path}+{tag}" for tag in tags if tag not in chosen]
        for link in links:
            farm[HOST + link] = combined
        return answer("".join(f'<a href="{link}">{link}</a>' for link in [*links, "/a/1.html"]).encode())

    for tag in tags:
        farm[f"{HOST}/tag/{tag}"] = combined
    years = [f"/lanmu/{chr(ord('a') + n)}/x/" for n in range(5)]
    farm.page(f"{HOST}/", [*(f"/tag/{tag}" for tag in tags), "/a/1.html", *years])
    farm.page(f"{HOST}/a/1.html")
    for n, year in enumerate(years):
        farm.page(f"{HOST}{year}", [f"/a/neu{n}.html"])
        farm.page(f"{HOST}/a/neu{n}.html")
    _site(crawler, "lists = ['^/$', '^/tag/', '^/lanmu/']")
    report = crawler.run()
    assert sum("/tag/" in url for url in farm.pages_asked()) <= 61
    assert report["sites"]["xianjing.example"]["documents"] == 6
    assert _traps(report)["lists without end"] > 50


def test_sections_that_brought_something_are_read_every_time(farm, crawler):
    sections = [f"/lanmu{chr(ord('a') + n)}/" for n in range(25)]
    farm.page(f"{HOST}/", sections)
    for n, section in enumerate(sections):
        farm.page(f"{HOST}{section}", [f"/a/{n}.html"])
        farm.page(f"{HOST}/a/{n}.html")
    _site(crawler, "lists = ['^/$', '^/lanmu']")
    crawler.run()
    farm.page(f"{HOST}{sections[-1]}", ["/a/24.html", "/a/neu.html"])
    farm.page(f"{HOST}/a/neu.html")
    assert crawler.run(revisit=True)["sites"]["xianjing.example"]["new"] == 1


def test_paths_that_repeat_themselves_are_not_followed(farm, crawler, answer):
    _endless(farm, answer, "/list/", lambda path: f'<a href="{path}a/b/">x</a><a href="/a/1.html">y</a>')
    farm.page(f"{HOST}/", ["/list/"])
    farm.page(f"{HOST}/a/1.html")
    _site(crawler, "lists = ['^/$', '^/list']")
    report = crawler.run()
    assert len(farm.pages_asked()) <= 6
    assert _traps(report) == {"repeating path": 1}


def test_depth_and_number_of_urls_are_limited(farm, crawler):
    farm.page(f"{HOST}/", ["/list-a", "/list-b"])
    for n, name in enumerate("abcdefgh"):
        farm.page(f"{HOST}/list-{name}", [f"/list-{chr(ord(name) + 1)}", f"/a/{name}.html"])
        farm.page(f"{HOST}/a/{name}.html", text=f"第{n}篇")
    _site(crawler, "lists = ['^/$', '^/list']", "[limits]\ndepth = 3\n")
    report = crawler.run()
    assert {url for url in farm.pages_asked() if "list" in url} == {f"{HOST}/list-{name}" for name in "abcd"}
    assert _traps(report) == {"too deep": 2}
    _site(crawler, "lists = ['^/$', '^/list']", "[limits]\nurls = 12\n")
    report = crawler.run(revisit=True)
    connection = sqlite3.connect(crawler.archive)
    assert connection.execute("SELECT count(*) FROM url").fetchone()[0] == 12
    connection.close()
    assert _traps(report)["too many URLs"] >= 1


def test_a_session_in_the_query_is_learned_and_left_out(farm, crawler, answer):
    asked_times = [0]

    def front(asked):
        asked_times[0] += 1
        token = f"a{asked_times[0]}f09c77b1e{asked_times[0]}d"
        return answer("".join(f'<a href="/a/{n}.html?kh={token}">文</a>' for n in range(4)).encode())

    for n in range(4):
        farm.page(f"{HOST}/a/{n}.html", text=f"{ESSAY}{n}")
    farm[f"{HOST}/"] = front
    _endless(farm, answer, "/a/", lambda path: f"<p>{ESSAY}{path[3]}</p>")
    _site(crawler, "lists = ['^/$']")
    for _ in range(4):
        crawler.run(revisit=True)
    report = crawler.run(revisit=True)
    documents = _documents(crawler)
    alive = {url for url, gone in documents.items() if gone is None}
    assert alive == {f"{HOST}/a/{n}.html" for n in range(4)}
    assert report["sites"]["xianjing.example"]["new"] == 0
    assert report["sites"]["xianjing.example"]["requests"] <= 5 + 12


def test_numbers_that_name_pages_are_no_sessions(farm, crawler, answer):
    farm[f"{HOST}/"] = answer("".join(f'<a href="/a/show?id={n}">文</a>' for n in range(8)).encode())
    for n in range(8):
        farm[f"{HOST}/a/show?id={n}"] = answer(f"<p>{ESSAY}</p>".encode())
    _site(crawler, "lists = ['^/$']")
    crawler.run()
    assert len(_documents(crawler)) == 8


def test_a_mirror_host_is_learned(farm, crawler, answer):
    other = "http://jing.example"
    farm[f"{HOST}/"] = answer(
        "".join(f'<a href="/a/{n}.html">文</a><a href="{other}/a/{n}.html">镜</a>' for n in range(9)).encode()
    )
    for n in range(9):
        for host in (HOST, other):
            farm[f"{host}/a/{n}.html"] = answer(f"<p>{ESSAY}第{n}篇</p>".encode())
    _site(crawler, "lists = ['^/$']")
    path = crawler.sites / "xianjing.example.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("start =", 'hosts = ["jing.example"]\nstart ='))
    report = crawler.run()
    alive = {url for url, gone in _documents(crawler).items() if gone is None}
    assert alive == {f"{HOST}/a/{n}.html" for n in range(9)}
    assert _traps(report)["mirror host jing.example"] == 3
    before = sum(farm.hits.values())
    crawler.run(revisit=True)
    assert sum(farm.hits.values()) - before <= 14, "nine pages, the front page, and what is asked of a host"


def test_www_m_and_the_bare_name_are_one_host_under_one_scheme(farm, crawler, answer):
    farm[f"{HOST}/"] = answer(
        b"<a href='http://www.xianjing.example/a/1.html'>1</a><a href='https://m.xianjing.example/a/1.html'>1</a>"
        b"<a href='//wap.xianjing.example/a/2.html'>2</a><a href='http://qita.xianjing.example/a/3.html'>3</a>"
    )
    for n in (1, 2):
        farm.page(f"{HOST}/a/{n}.html")
    _site(crawler, "lists = ['^/$']")
    crawler.run()
    assert set(farm.pages_asked()) == {f"{HOST}/", f"{HOST}/a/1.html", f"{HOST}/a/2.html"}


def test_a_host_that_insists_on_www_costs_one_redirect_only(farm, crawler, answer):
    farm.page("http://www.xianjing.example/", [f"/a/{n}.html" for n in range(6)])
    farm[f"{HOST}/"] = answer(status=301, headers={"Location": "http://www.xianjing.example/"})
    for n in range(6):
        farm.page(f"http://www.xianjing.example/a/{n}.html", text=str(n))
        farm[f"{HOST}/a/{n}.html"] = answer(
            status=301, headers={"Location": f"http://www.xianjing.example/a/{n}.html"}
        )
    farm["http://www.xianjing.example/robots.txt"] = answer(
        b"User-agent: *\nDisallow: /a/5", content_type="text/plain"
    )
    _site(crawler, "lists = ['^/$']")
    crawler.run()
    assert set(_documents(crawler)) == {f"{HOST}/a/{n}.html" for n in range(5)}
    redirected = [url for url in farm.pages_asked() if url.startswith(f"{HOST}/")]
    assert redirected == [f"{HOST}/"]


# -- soft 404s ----------------------------------------------------------------------------------------


def test_soft_404s_by_their_words_are_no_documents_and_close_nothing_at_once(farm, crawler, answer):
    gone = "<html><title>提示信息</title><p>您访问的内容已经被删除，请返回首页。</p></html>".encode()
    farm.page(f"{HOST}/", ["/a/1.html", "/a/2.html"])
    farm.page(f"{HOST}/a/1.html", text=ESSAY)
    farm[f"{HOST}/a/2.html"] = answer(gone)
    _site(crawler, "lists = ['^/$']")
    report = crawler.run()
    assert (set(_documents(crawler)), _traps(report)) == ({f"{HOST}/a/1.html"}, {"soft 404": 1})
    with Archive(crawler.archive, readonly=True) as archive:
        (before,) = [document.parts for document in archive.documents()]
    farm[f"{HOST}/a/1.html"] = answer(gone)
    for _ in range(2):
        crawler.run(revisit=True)
        with Archive(crawler.archive, readonly=True) as archive:
            (document,) = archive.documents()
        assert (document.gone, document.parts[0].body_hash) == (None, before[0].body_hash)
    crawler.run(revisit=True)
    assert _documents(crawler) == {f"{HOST}/a/1.html": "not there three times"}


def test_a_long_essay_about_missing_pages_is_an_essay(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm[f"{HOST}/a/1.html"] = answer(f"<p>屏幕上写着：页面不存在。{ESSAY}</p>".encode())
    _site(crawler, "lists = ['^/$']")
    crawler.run()
    assert set(_documents(crawler)) == {f"{HOST}/a/1.html"}


def test_soft_404s_without_a_phrase_are_found_by_asking_for_what_nobody_gave_out(farm, crawler, answer):
    farm.page(f"{HOST}/", [f"/a/{n}.html" for n in range(8)])
    nothing = "<p>小站整修中，去别处看看吧。</p><a href='/x'>{}</a>"
    _endless(farm, answer, "/a/", lambda path: nothing.format(path))
    for n in (0, 1):
        farm.page(f"{HOST}/a/{n}.html", text=f"{ESSAY}{n}")
    _site(crawler, "lists = ['^/$']")
    report = crawler.run()
    assert set(_documents(crawler)) == {f"{HOST}/a/0.html", f"{HOST}/a/1.html"}
    assert max(farm.pages_asked().values()) == 1
    assert sum(farm.pages_asked().values()) == 10, "nine pages and one that was made up"
    assert _traps(report)["soft 404"] >= 4
    farm[f"{HOST}/a/0.html"] = answer(nothing.format("").encode())
    for _ in range(2):
        crawler.run(revisit=True)
        assert _documents(crawler)[f"{HOST}/a/0.html"] is None
    crawler.run(revisit=True)
    assert _documents(crawler)[f"{HOST}/a/0.html"] == "not there three times"


def test_short_pages_that_are_alike_are_pages_where_a_made_up_address_is_not_found(farm, crawler, answer):
    farm.page(f"{HOST}/", [f"/a/{n}.html" for n in range(8)])
    for n in range(8):
        farm[f"{HOST}/a/{n}.html"] = answer("<p>同一段话。</p>".encode())
    _site(crawler, "lists = ['^/$']")
    crawler.run()
    assert len(_documents(crawler)) == 8
    assert sum(farm.pages_asked().values()) == 10


def test_redirects_of_everything_to_one_place_are_soft_404s(farm, crawler, answer):
    farm.page(f"{HOST}/", [f"/a/{n}.html" for n in range(6)])
    for n in range(6):
        farm.page(f"{HOST}/a/{n}.html", text=f"{ESSAY}{n}")
    farm.page(f"{HOST}/a/cuowu.html", text="出了点问题")
    _site(crawler, "lists = ['^/$']")
    crawler.run()
    for n in range(5):
        farm[f"{HOST}/a/{n}.html"] = answer(status=302, headers={"Location": "/a/cuowu.html"})
    for _ in range(2):
        crawler.run(revisit=True)
        documents = _documents(crawler)
        assert {documents[f"{HOST}/a/{n}.html"] for n in range(6)} == {None}
    crawler.run(revisit=True)
    crawler.run(revisit=True)
    documents = _documents(crawler)
    assert {documents[f"{HOST}/a/{n}.html"] for n in range(5)} == {"not there three times"}
    assert documents[f"{HOST}/a/5.html"] is None
    assert f"{HOST}/a/cuowu.html" not in documents


def test_pages_that_need_a_browser_are_reported(farm, crawler, answer):
    farm.page(f"{HOST}/", [f"/a/{n}.html" for n in range(3)])
    for n in range(3):
        farm[f"{HOST}/a/{n}.html"] = answer(
            f'<html><body><div id="app"></div><script src="/{n}.js"></script></body></html>'.encode()
        )
    _site(crawler, "lists = ['^/$']")
    report = crawler.run()
    assert (report["sites"]["xianjing.example"]["scripted"], report["exit_code"]) == (3, 3)


# -- scope ----------------------------------------------------------------------------------------------


def _scope(**values):
    return Scope(
        Site(
            name="a",
            title="a",
            family="test",
            host="www.zhan.example",
            start=("https://www.zhan.example/",),
            follow=Follow(lists=("^/list",), details=("^/a/",)),
            **values,
        )
    )


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("/a/1.html", "https://www.zhan.example/a/1.html"),
        ("http://zhan.example/a/1.html", "https://www.zhan.example/a/1.html"),
        ("//m.zhan.example/a/1.html?utm_source=x", "https://www.zhan.example/a/1.html"),
        ("https://ben.example/a/1.html", None),
        ("http://www.zhan.example.evil.example/a/1.html", None),
        ("http://wwwzhan.example/a/1.html", None),
    ],
)
def test_links_get_the_one_name_of_the_site(link, url):
    assert _scope().url(link, "https://www.zhan.example/list")[0] == url


def test_a_mirror_and_a_session_that_were_learned_are_left_out():
    scope = Scope(_scope(hosts=("b.example",)).site, frozenset({"kh"}), (("b.example", "www.zhan.example"),))
    assert scope.url("http://b.example/a/1?kh=1&id=2")[0] == "https://www.zhan.example/a/1?id=2"


@pytest.mark.parametrize(
    ("url", "is_trap"),
    [
        ("/a/b/a/b/a/b/", True),
        ("/x/x/x/", True),
        ("/a/1/a/2/a/3/a/4", True),
        ("/a/" + "b" * 2100, True),
        ("/a/" + "/".join(map(str, range(30))), True),
        ("/2026/2026/1.html", False),
        ("/a/2026/11/11/11.html", False),
    ],
)
def test_addresses_that_grow_are_traps(url, is_trap):
    assert (_scope().url(url, "https://www.zhan.example/")[1] is not None) == is_trap


def test_shapes_and_made_up_addresses():
    assert shape("http://a.example/list/12_3.html") == shape("http://a.example/list/7_99.html")
    assert shape("http://a.example/tag/hao/") == shape("http://a.example/tag/bu/")
    assert shape("http://a.example/tag/hao/") != shape("http://a.example/gao/hao/")
    assert shape("http://a.example/l?p=1&q=x") == shape("http://a.example/l?q=2&p=3")
    assert invented("http://a.example/b/1.html").startswith("http://a.example/b/1")
    assert invented("http://a.example/b/1.html").endswith(".html")
    assert invented("http://a.example/b?x=1&id=2").startswith("http://a.example/b?x=1&id=1")
    assert Discovered("u", "list").page is None


@pytest.mark.parametrize(
    "words",
    [
        "文章不见了",
        "此内容因违规无法查看",
        "很抱歉，没有找到您要的页面",
        "Sorry, the page you requested was not found",
    ],
)
def test_ways_to_say_that_nothing_is_there(words):
    assert links._soft_404(f"<p>{words}</p>") is not None


@pytest.mark.parametrize(
    ("text", "leads_on"),
    [
        ("查看更多", True),
        ("Next →", True),
        ("后一页", True),
        ("下一篇", False),
        ("更多范文", False),
        ("10月", False),
    ],
)
def test_links_that_lead_on_in_a_list(text, leads_on):
    root = html.fromstring(f"<div><a href='/l/2'>{text}</a></div>")
    assert ("/l/2" in links._further_pages(root)) == leads_on
