"""Hostile and broken servers: nothing lost, nothing private reached, each trouble on record."""

from __future__ import annotations

import gzip
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from fanwen.spiders.archive import Archive

HOST = "http://mafan.example"


def _fetches(path, url):
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT f.status, f.outcome, f.truncated, f.error FROM fetch f JOIN url u ON u.id = f.url_id"
        " WHERE u.url = ? ORDER BY f.id",
        (url,),
    ).fetchall()
    connection.close()
    return rows


def _bodies(path):
    with Archive(path, readonly=True) as archive:
        return {
            document.url: (archive.body(document.parts[0].body_hash), document.parts[0].truncated)
            for document in archive.documents()
        }


TEXT = "一篇很长的工作总结。".encode() * 300


def test_sizes_and_torn_bodies(farm, crawler, answer):
    packed = gzip.compress(TEXT)
    names = ("bomb", "big", "torn-gzip", "torn", "two-members", "not-gzip", "good-gzip", "chunk", "padded")
    farm.page(f"{HOST}/", [f"/a/{name}.html" for name in names])
    zipped = {"Content-Encoding": "gzip"}
    farm[f"{HOST}/a/bomb.html"] = answer(gzip.compress(b"\0" * 60_000_000), headers=zipped)
    farm[f"{HOST}/a/big.html"] = answer(b"x" * 9_000_000)
    farm[f"{HOST}/a/torn-gzip.html"] = answer(packed[: len(packed) // 2], headers=zipped)
    farm[f"{HOST}/a/torn.html"] = answer(TEXT, cut=1000)
    farm[f"{HOST}/a/two-members.html"] = answer(packed + gzip.compress(b"end"), headers=zipped)
    farm[f"{HOST}/a/not-gzip.html"] = answer(b"<p>plain</p>", headers=zipped)
    farm[f"{HOST}/a/good-gzip.html"] = answer(packed, headers=zipped)
    farm[f"{HOST}/a/chunk.html"] = answer(TEXT, length=False)  # ends with the connection, which is allowed
    farm[f"{HOST}/a/padded.html"] = answer(packed + b"\0" * 64, headers=zipped)
    crawler.site("mafan.example")
    assert crawler.run()["exit_code"] == 3
    bodies = _bodies(crawler.archive)
    whole = {url.rsplit("/", 1)[1] for url, (_, truncated) in bodies.items() if not truncated}
    torn = {url.rsplit("/", 1)[1] for url, (_, truncated) in bodies.items() if truncated}
    assert whole == {"two-members.html", "good-gzip.html", "chunk.html", "padded.html"}
    assert torn == {"torn-gzip.html", "torn.html"}
    assert bodies[f"{HOST}/a/torn.html"][0] == TEXT[:1000]
    assert TEXT.startswith(bodies[f"{HOST}/a/torn-gzip.html"][0])
    assert bodies[f"{HOST}/a/two-members.html"][0] == TEXT + b"end"
    for name in ("bomb", "big", "not-gzip"):
        ((status, outcome, _, error),) = _fetches(crawler.archive, f"{HOST}/a/{name}.html")
        assert (status, outcome) == (0, "failed")
        assert error


def test_a_torn_body_never_replaces_a_whole_one(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm[f"{HOST}/a/1.html"] = answer(TEXT, headers={"ETag": '"1"'})
    crawler.site("mafan.example")
    crawler.run()
    farm[f"{HOST}/a/1.html"] = answer(TEXT, cut=50, headers={"ETag": '"2"'})
    crawler.run(revisit=True)
    assert _bodies(crawler.archive)[f"{HOST}/a/1.html"] == (TEXT, False)
    farm[f"{HOST}/a/1.html"] = answer(TEXT + b"!", headers={"ETag": '"3"'})
    crawler.run(revisit=True)
    assert _bodies(crawler.archive)[f"{HOST}/a/1.html"] == (TEXT + b"!", False)


def test_redirects_stay_in_the_site_and_on_the_public_web(farm, crawler, answer):
    def to(place, status=302):
        return answer(status=status, headers={"Location": place})

    names = ("local", "file", "number", "away", "moved", "loop", "self", "home")
    farm.page(f"{HOST}/", [f"/a/{name}.html" for name in names] + ["/a/chain-0.html", "/a/shouye/index.html"])
    farm[f"{HOST}/a/local.html"] = to(f"http://127.0.0.1:{farm.proxy.rsplit(':', 1)[1]}/secret")
    farm[f"{HOST}/a/file.html"] = to("file:///etc/passwd")
    farm[f"{HOST}/a/number.html"] = to("http://2130706433/secret")
    farm[f"{HOST}/a/away.html"] = to("http://qita.example/a/1.html", 301)
    farm[f"{HOST}/a/moved.html"] = to("/a/new-place.html", 301)
    farm.page(f"{HOST}/a/new-place.html")
    farm[f"{HOST}/a/loop.html"] = to("/a/loop-b.html")
    farm[f"{HOST}/a/loop-b.html"] = to("/a/loop.html")
    farm[f"{HOST}/a/self.html"] = to("/a/self.html")
    farm[f"{HOST}/a/home.html"] = to("/")
    for n in range(10):
        farm[f"{HOST}/a/chain-{n}.html"] = to(f"/a/chain-{n + 1}.html")
    farm[f"{HOST}/a/shouye/"] = to("/a/shouye/index.html")  # our canonical spelling is not the server's
    farm.page(f"{HOST}/a/shouye/index.html", text="首页文档")
    crawler.site("mafan.example")
    crawler.run()
    assert set(_bodies(crawler.archive)) == {f"{HOST}/a/new-place.html", f"{HOST}/a/shouye/"}
    assert {asked.host for _, asked in farm.log} == {"mafan.example"}
    assert max(farm.pages_asked().values()) == 1
    assert farm.hits[f"{HOST}/a/chain-5.html"] == 1
    assert farm.hits[f"{HOST}/a/chain-6.html"] == 0
    for name in ("local", "file", "number", "away", "self"):
        ((status, outcome, _, error),) = _fetches(crawler.archive, f"{HOST}/a/{name}.html")
        assert (status in (301, 302), outcome, "redirect" in error) == (True, "refused", True)
    ((status, outcome, _, error),) = _fetches(crawler.archive, f"{HOST}/a/home.html")
    assert (status, outcome, "front page" in error) == (404, "missing", True)


def test_headers_that_are_nonsense_stop_no_crawl(farm, crawler, answer):
    """Each was able to end the crawl of all sites: a Location that is no URL, a wait longer than time itself."""
    places = {
        "bracket": "http://[::1",
        "nothing": "",
        "port": "http://mafan.example:99999/",
        "utf8": "/a/范文.html".encode().decode("latin-1"),
        "gbk": "/a/范文.html".encode("gbk").decode("latin-1"),
    }
    farm.page(f"{HOST}/", [f"/a/{name}.html" for name in places])
    for name, place in places.items():
        farm[f"{HOST}/a/{name}.html"] = answer(status=302, headers={"Location": place})
    farm.page(f"{HOST}/a/%E8%8C%83%E6%96%87.html")
    farm.page(f"{HOST}/a/%B7%B6%CE%C4.html")
    farm["http://luan.example/robots.txt"] = answer(status=302, headers={"Location": "http://[::1"})
    waits = ("inf", "1e20", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT")
    for number, wait in enumerate(waits):
        farm[f"http://deng{number}.example/"] = answer(status=429, headers={"Retry-After": wait})
        crawler.site(f"deng{number}.example")
    crawler.site("mafan.example")
    crawler.site("luan.example")
    report = crawler.run()
    assert report["exit_code"] == 3
    assert set(_bodies(crawler.archive)) == {
        f"{HOST}/a/%E8%8C%83%E6%96%87.html",
        f"{HOST}/a/%B7%B6%CE%C4.html",
    }
    assert {name for name, site in report["sites"].items() if site["told_to_wait"]} == {
        f"deng{number}.example" for number in range(len(waits))
    }
    for name in ("bracket", "nothing", "port"):
        assert _fetches(crawler.archive, f"{HOST}/a/{name}.html")[0][:2] == (302, "refused")
    assert {asked.host for _, asked in farm.log} == {"mafan.example", "luan.example"} | {
        f"deng{number}.example" for number in range(len(waits))
    }


def test_whoever_asks_for_a_pause_is_given_it_or_left(farm, crawler, answer):
    """A day between two requests would hold every crawl up for days; tdmrep.json may tell us to wait too."""
    farm["http://tian.example/robots.txt"] = answer(
        b"User-agent: *\nCrawl-delay: 86400\n", content_type="text/plain"
    )
    long, short = {"Retry-After": "7200"}, {"Retry-After": "1"}
    farm["http://jiu.example/.well-known/tdmrep.json"] = answer(status=503, headers=long)
    farm["http://duan.example/.well-known/tdmrep.json"] = answer(status=429, headers=short)
    for host in ("tian.example", "jiu.example", "duan.example"):
        farm.page(f"http://{host}/", ["/a/1.html"])
        farm.page(f"http://{host}/a/1.html")
        crawler.site(host)
    report = crawler.run()
    assert report["exit_code"] == 3
    assert "86400 seconds" in report["sites"]["tian.example"]["closed"]
    assert "7200 seconds" in report["sites"]["jiu.example"]["closed"]
    assert set(farm.pages_asked()) == {"http://duan.example/", "http://duan.example/a/1.html"}
    told, asked = (
        moment
        for moment, one in farm.log
        if one.host == "duan.example" and "1.html" not in one.path and one.path != "/robots.txt"
    )
    assert asked - told >= 0.95
    assert crawler.run(only=["tian.example"])["exit_code"] == 4


def test_a_page_that_moves_is_not_two_documents(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/old.html"])
    farm.page(f"{HOST}/a/old.html", text="搬家")
    crawler.site("mafan.example")
    crawler.run()
    farm[f"{HOST}/a/old.html"] = answer(status=301, headers={"Location": "/a/between.html"})
    farm[f"{HOST}/a/between.html"] = answer(status=301, headers={"Location": "/a/new.html"})
    farm.page(f"{HOST}/a/new.html", text="搬家", status=503)
    crawler.run(revisit=True)
    assert set(_bodies(crawler.archive)) == {f"{HOST}/a/old.html"}, (
        "the old place counts until the new one has come"
    )
    farm.page(f"{HOST}/a/new.html", text="搬家")
    crawler.run(revisit=True)
    with Archive(crawler.archive, readonly=True) as archive:
        gone = {document.url: document.gone for document in archive.documents()}
    assert gone == {f"{HOST}/a/old.html": f"moved to {HOST}/a/new.html", f"{HOST}/a/new.html": None}


def test_links_to_private_addresses_are_never_asked(farm, crawler):
    spellings = [
        "http://127.0.0.1/a/1",
        "http://0x7f.1/a/2",
        "http://localhost/a/3",
        "http://[::1]/a/4",
        "file:///a/5",
    ]
    farm.page(f"{HOST}/", [*spellings, "ftp://mafan.example/a/6", "/a/ok.html"])
    farm.page(f"{HOST}/a/ok.html")
    crawler.site("mafan.example")
    assert crawler.run()["exit_code"] == 0
    assert set(farm.pages_asked()) == {f"{HOST}/", f"{HOST}/a/ok.html"}


def test_without_a_proxy_a_private_start_is_refused(farm, crawler):
    port = farm.proxy.rsplit(":", 1)[1]
    crawler.proxy = None
    crawler.site("neibu.example")
    path = crawler.sites / "neibu.example.toml"
    path.write_text(
        path.read_text()
        .replace('host = "neibu.example"', f'host = "127.0.0.1:{port}"')
        .replace("http://neibu.example/", f"http://127.0.0.1:{port}/")
    )
    report = crawler.run(contact="test@mafan.example")
    assert report["exit_code"] == 3
    assert "not a public address" in report["refused_starts"][0]
    assert not farm.log


def test_robots_decides(farm, crawler, answer):
    farm[f"{HOST}/robots.txt"] = answer(
        b"User-agent: *\nDisallow: /a/no\n\nUser-agent: GPTBot\nDisallow: /a/ai\n", content_type="text/plain"
    )
    farm.page(f"{HOST}/", ["/a/no-1.html", "/a/yes.html", "/a/ai.html"])
    farm.page(f"{HOST}/a/no-1.html")
    farm.page(f"{HOST}/a/yes.html", headers={"X-Robots-Tag": "googlebot: noindex", "TDM-Reservation": "0"})
    farm[f"{HOST}/a/ai.html"] = answer(
        b'<meta name="Robots" content="NOAI, nofollow"><meta name="tdm-reservation" content="1"><p>x'
    )
    crawler.site("mafan.example")
    report = crawler.run()
    assert report["exit_code"] == 0
    assert report["sites"]["mafan.example"]["blocked"] == 1
    assert farm.hits[f"{HOST}/a/no-1.html"] == 0
    with Archive(crawler.archive, readonly=True) as archive:
        consents = {document.url: document.parts[0].consent for document in archive.documents()}
        robots = {consent.robots_hash for consent in consents.values()}
        assert len(robots) == 1
        assert b"GPTBot" in archive.body(robots.pop())
    assert consents[f"{HOST}/a/yes.html"].reservations == ()
    assert consents[f"{HOST}/a/yes.html"].x_robots_tag == "googlebot: noindex"
    assert consents[f"{HOST}/a/ai.html"].reservations == (
        "meta robots: noai",
        "robots.txt: GPTBot",
        "tdm-reservation",
    )
    assert crawler.run()["exit_code"] == 0, "nothing is due, and a forbidden page is no trouble"
    farm[f"{HOST}/robots.txt"] = answer(b"User-agent: fanwen\nDisallow: /a/yes\n", content_type="text/plain")
    crawler.run(revisit=True)
    with Archive(crawler.archive, readonly=True) as archive:
        newest = {document.url: document.parts[0].consent.reservations for document in archive.documents()}
    assert newest[f"{HOST}/a/yes.html"] == ("robots.txt: disallow",)
    assert newest[f"{HOST}/a/ai.html"] == ("meta robots: noai", "tdm-reservation")


def test_robots_that_cannot_be_read_forbids_on_the_servers_fault_only(farm, crawler, answer):
    shut = {
        "s503.example": {"status": 503},
        "s429.example": {"status": 429},
        "silent.example": {"hang_up": True},
    }
    free = {"s403.example": {"status": 403}, "s404.example": {"status": 404}}
    for host, robots in (shut | free).items():
        farm[f"http://{host}/robots.txt"] = answer(b"oops", **robots)
        farm.page(f"http://{host}/", ["/a/1.html"])
        farm.page(f"http://{host}/a/1.html")
        crawler.site(host)
    report = crawler.run()
    assert {name for name, site in report["sites"].items() if site["shut"]} == set(shut)
    assert all(site["queue"] == 1 for name, site in report["sites"].items() if name in shut)
    assert set(farm.pages_asked()) == {f"http://{host}{path}" for host in free for path in ("/", "/a/1.html")}
    assert report["exit_code"] == 3
    assert crawler.run(only=["s503.example"])["exit_code"] == 4
    for host in shut:
        farm[f"http://{host}/robots.txt"] = answer(b"", content_type="text/plain")
    assert crawler.run()["exit_code"] == 0, "the next crawl goes on"
    assert len(_bodies(crawler.archive)) == 5


def test_robots_is_followed_over_redirects_but_not_inside(farm, crawler, answer):
    farm[f"{HOST}/robots.txt"] = answer(
        status=301, headers={"Location": "http://www.mafan.example/robots.txt"}
    )
    farm["http://www.mafan.example/robots.txt"] = answer(
        b"User-agent: *\nDisallow: /a/", content_type="text/plain"
    )
    farm["http://nei.example/robots.txt"] = answer(
        status=301, headers={"Location": "http://169.254.169.254/"}
    )
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm.page("http://nei.example/")
    crawler.site("mafan.example")
    crawler.site("nei.example")
    report = crawler.run()
    assert set(farm.pages_asked()) == {f"{HOST}/"}
    assert report["sites"]["mafan.example"]["blocked"] == 1
    assert "not a public address" in report["sites"]["nei.example"]["closed"]


def test_retry_after_is_heeded_in_seconds_and_as_a_date(farm, crawler, answer):
    soon = {"seconds": "1", "date": None}
    farm.page(f"{HOST}/", ["/a/seconds.html", "/a/date.html"])

    def busy(name, status):
        def route(asked):
            if asked.times > 1:
                return answer(b"<p>at last</p>")
            value = soon[name] or format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
            return answer(status=status, headers={"Retry-After": value})

        return route

    farm[f"{HOST}/a/seconds.html"] = busy("seconds", 429)
    farm[f"{HOST}/a/date.html"] = busy("date", 503)
    crawler.site("mafan.example")
    report = crawler.run()
    site = report["sites"]["mafan.example"]
    assert (site["waits"], site["documents"], site["queue"]) == (2, 2, 0)
    for name in ("seconds", "date"):
        first, second = (moment for moment, asked in farm.log if asked.path == f"/a/{name}.html")
        assert second - first >= 0.95


def test_a_long_wait_ends_the_visit_and_is_remembered(farm, crawler, answer):
    farm[f"{HOST}/"] = answer(status=429, headers={"Retry-After": "3600"})
    crawler.site("mafan.example")
    started = time.monotonic()
    report = crawler.run()
    assert (report["exit_code"], time.monotonic() - started < 20) == (4, True)
    asked = len(farm.log)
    again = crawler.run(revisit=True)
    assert (again["exit_code"], len(farm.log)) == (4, asked), (
        "not even robots.txt is asked before the hour is over"
    )
    assert "wait" in again["sites"]["mafan.example"]["closed"]


def test_passing_failures_are_tried_again_and_never_make_a_page_gone(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/once.html", "/a/always.html", "/a/hang.html"])
    farm[f"{HOST}/a/once.html"] = lambda asked: answer(b"ok") if asked.times > 1 else answer(status=502)
    farm[f"{HOST}/a/always.html"] = answer(b"broken", status=500)
    farm[f"{HOST}/a/hang.html"] = lambda asked: answer(b"ok") if asked.times > 2 else answer(hang_up=True)
    crawler.site("mafan.example")
    report = crawler.run()
    assert report["exit_code"] == 3
    assert set(_bodies(crawler.archive)) == {f"{HOST}/a/once.html", f"{HOST}/a/hang.html"}
    assert [row[:2] for row in _fetches(crawler.archive, f"{HOST}/a/always.html")] == [(500, "failed")] * 3
    farm.page(f"{HOST}/a/always.html", text="修好了")
    assert crawler.run()["exit_code"] == 0
    assert f"{HOST}/a/always.html" in _bodies(crawler.archive)


def test_a_server_that_vanishes_leaves_its_pages_for_later(farm, crawler, answer):
    urls = [f"/a/{n}.html" for n in range(40)]
    farm.page(f"{HOST}/", urls)
    for url in urls:
        farm[HOST + url] = answer(hang_up=True)
    crawler.site("mafan.example")
    report = crawler.run()
    assert report["exit_code"] == 5
    assert sum(farm.pages_asked().values()) < 30, "a dead host is left alone"
    for url in urls:
        farm.page(HOST + url)
    assert crawler.run()["exit_code"] == 0
    assert len(_bodies(crawler.archive)) == 40


def test_servers_that_fail_in_the_middle_of_a_crawl_cost_nothing(farm, crawler, answer):
    """One hangs, one resets connections, and one is gone for good, its listener closed."""
    pages = [f"/a/{n}.html" for n in range(12)]
    over = threading.Event()
    broken = {"hang.example", "reset.example"}

    def failing(asked):
        if asked.path <= "/a/3" or asked.host not in broken:
            return answer(f"<p>{asked.path}".encode())
        if asked.host == "hang.example":
            over.wait(30)
        return answer(reset=True)

    for host in ("hang.example", "reset.example", "gone.example"):
        farm.page(f"http://{host}/", pages)
        for path in pages:
            farm[f"http://{host}{path}"] = failing
        crawler.site(host)
    first = crawler.run(only=sorted(broken), timeout=0.3)
    over.set()
    assert first["exit_code"] == 5
    held = set(_bodies(crawler.archive))
    assert {f"http://{host}/a/1.html" for host in broken} < held
    for host in broken:
        assert "not answering" in first["sites"][host]["closed"]

    last = farm.pages_asked().total() + 6  # the front page, and 0 to 4
    farm["http://gone.example/a/4.html"] = lambda asked: farm.server.server_close() or answer(hang_up=True)
    assert crawler.run(only=["gone.example"])["exit_code"] == 5
    assert farm.pages_asked().total() <= last
    held = set(_bodies(crawler.archive))
    farm.server.shutdown()

    again = type(farm)()
    again.routes = {**farm.routes, ("gone.example", "/a/4.html"): answer(b"<p>4")}
    broken.clear()
    crawler.proxy = again.proxy
    try:
        assert crawler.run()["exit_code"] == 0
    finally:
        again.stop()
    assert len(_bodies(crawler.archive)) == 36
    assert not held & set(again.hits)


def test_hostile_markup_is_stored_and_harms_nobody(farm, crawler, answer):
    pages = {
        "deep": b"<div>" * 50_000 + b'<a href="/a/late.html">x',
        "nul": b"\0\x01<p>\xff\xfe<a href='/a/\xff.html'>",
        "entities": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><p>&a;</p>',
        # the parser would compare each attribute with all before it, for minutes
        "attributes": b"<p " + b" ".join(b"a%d='>'" % n for n in range(150_000)) + b">" + TEXT,
        "bad-links": b"<a href='http://[bad'>1</a><a href='//'>2</a><a href='http://mafan.example:99999/a/'>3</a>",
        "empty": b"",
    }
    farm.page(f"{HOST}/", [f"/a/{name}.html" for name in pages])
    for name, body in pages.items():
        farm[f"{HOST}/a/{name}.html"] = answer(body)
    crawler.site("mafan.example")
    report = crawler.run()
    assert report["reason"] == "finished"
    assert {url.rsplit("/", 1)[1][:-5]: body for url, (body, _) in _bodies(crawler.archive).items()} == pages
