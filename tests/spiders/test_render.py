"""Rendered pages: the guard, the pace and the budget hold for whatever a script may try.

What is judged is tested without a browser; the rest needs the extra and a Chromium, and is skipped without.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
import types
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from time import monotonic

import pytest
from scrapy.http import Response

from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.crawl import CrawlOptions, sites_to_crawl
from fanwen.spiders.items import Leased
from fanwen.spiders.pace import Host
from fanwen.spiders.page_requests import MAX_REQUESTS, PageRequests, Refused, Shared
from fanwen.spiders.render import NO_NETWORK
from fanwen.spiders.robots import read_robots
from fanwen.spiders.scope import Scope
from fanwen.spiders.site import Site
from fanwen.spiders.takedown import Takedown

HOST = "http://xuanran.example"
TEXT = "过去的一年里，图书馆的同志们把旧书一本一本修好，把新书一箱一箱搬上楼，来看书的人比从前多了。" * 5
needs_browser = pytest.mark.skipif(
    find_spec("playwright") is None or shutil.which("chromium") is None,
    reason="needs the extra: pip install 'fanwen[render]', and a Chromium on the PATH",
)


def _site(**values):
    return Site(name="a", title="a", host="a.example", start=("http://a.example/",), **values)


def _options(tmp_path: Path, **values) -> CrawlOptions:
    return CrawlOptions(tmp_path / "archive.db", {"a": _site(**values)}, contact="a@b.example")


def test_without_the_extra_the_site_is_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright.async_api", None)
    assert sites_to_crawl(_options(tmp_path))
    with pytest.raises(UsageError, match=r"'a' says render = true.*pip install 'fanwen\[render\]'"):
        sites_to_crawl(_options(tmp_path, render=True))


def test_without_a_browser_too(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright", types.ModuleType("playwright"))
    monkeypatch.setitem(sys.modules, "playwright.async_api", types.ModuleType("async_api"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("FANWEN_BROWSER", raising=False)
    with pytest.raises(UsageError, match="no browser; install Chromium"):
        sites_to_crawl(_options(tmp_path, render=True))
    monkeypatch.setenv("FANWEN_BROWSER", "/nowhere/chromium")
    with pytest.raises(UsageError, match="no browser at /nowhere/chromium"):
        sites_to_crawl(_options(tmp_path, render=True))
    (tmp_path / "chromium").write_text("#!/bin/sh\n", encoding="ascii")
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.delenv("FANWEN_BROWSER")
    assert sites_to_crawl(_options(tmp_path, render=True))


# -- what a page may ask for ----------------------------------------------------------------------------


class FakeRun:
    """As much of a crawl as the requests of one page need; ``answers`` by URL, what was asked in ``log``."""

    def __init__(self, answers, takedown=Takedown(), spent=None):
        self.site = _site(hosts=("api.a.example",))
        self.options = types.SimpleNamespace(takedown=takedown, proxy=None)
        self.crawler = types.SimpleNamespace(crawling=True, spider=self)
        self.frontier = types.SimpleNamespace(
            budgets=types.SimpleNamespace(reason=lambda site: spent, spend=lambda conn, site, size: None),
            archive=types.SimpleNamespace(write=nullcontext),
        )
        self.error, self.trap = None, nullcontext
        self.answers, self.log, self.hosts = answers, [], {}

    def scope(self, site):
        return Scope(self.site)

    def host(self, name):
        return self.hosts.setdefault(name, Host(name))

    def delay(self, site, robots):
        return 0.0

    def robots_answered(self, response):
        host = response.meta["host"]
        host.robots[response.meta["origin"]] = (
            monotonic(),
            read_robots(response.status, response.body, None),
        )

    async def download(self, request):
        self.log.append(request.url)
        status, headers, body = self.answers.get(request.url, (404, {}, b""))
        return Response(request.url, status=status, headers=headers, body=body, request=request)

    def page(self):
        leased = Leased(1, "http://a.example/1", "a", "a.example", "detail", "http://a.example/1", 0, 0, 0, 0)
        return PageRequests(self, leased, leased.url, self.download, Shared())

    def ask(self, page, url, method="GET", kind="fetch", **headers):
        return asyncio.run(page.answer(url, method, kind, headers))


@pytest.mark.parametrize(
    ("url", "method", "kind", "reason"),
    [
        ("http://a.example/t", "POST", "fetch", "not GET"),
        ("http://a.example/t", "GET", "document", "document is not fetched"),
        ("http://a.example/t", "GET", "websocket", "websocket is not fetched"),
        ("http://a.example/t", "GET", "image", "image is not fetched"),
        ("http://b.example/t", "GET", "fetch", "leaves the site"),
        ("http://a.example.b.example/t", "GET", "script", "leaves the site"),
        ("http://a.example@b.example/t", "GET", "script", "leaves the site"),
        ("http://a.example:81/t", "GET", "xhr", "leaves the site"),
        ("http://127.0.0.1:8000/", "GET", "fetch", "not a public address"),
        ("http://2130706433/", "GET", "fetch", "disguised"),
        ("http://169.254.169.254/latest", "GET", "xhr", "not a public address"),
        ("http://localhost/", "GET", "script", "name of the"),
        ("file:///etc/passwd", "GET", "fetch", "scheme file"),
        ("ftp://a.example/t", "GET", "fetch", "scheme ftp"),
        ("http://a.example/no/t", "GET", "fetch", "robots.txt: disallow"),
        ("http://api.a.example/t", "GET", "fetch", "robots.txt answered 500"),
        ("http://a.example/ki/t", "GET", "fetch", "robots.txt reserves it"),
        ("http://a.example/weg", "GET", "fetch", "takedown"),
        ("http://a.example/r/in", "GET", "fetch", "not a public address"),
        ("http://a.example/r/out", "GET", "script", "leaves the site"),
        ("http://a.example/r/no", "GET", "script", "robots.txt: disallow"),
        ("http://a.example/r/round", "GET", "script", "too many redirects"),
    ],
)
def test_a_page_may_ask_for_no_more_than_the_crawl_itself(url, method, kind, reason):
    def to(place):
        return 302, {"Location": place}, b""

    answers = {
        "http://a.example/robots.txt": (200, {}, b"User-agent: *\nDisallow: /no\n\nUser-agent: GPTBot\nDisallow: /ki\n"),
        "http://api.a.example/robots.txt": (500, {}, b""),
        "http://a.example/r/in": to("http://127.0.0.1/t"),
        "http://a.example/r/out": to("//b.example/t"),
        "http://a.example/r/no": to("/no/t"),
        "http://a.example/r/round": to("/r/round2"),
        "http://a.example/r/round2": to("/r/round"),
    }  # fmt: skip
    run = FakeRun(answers, Takedown(urls=frozenset({"a.example/weg"})))
    page = run.page()
    with pytest.raises(Refused, match=reason):
        run.ask(page, url, method, kind)
    assert set(run.log) <= set(answers)
    assert (page.refused, page.cut, page.failure) == (1, False, None)


def test_answers_are_asked_for_once_and_only_so_many(monkeypatch):
    robots = {
        "http://a.example/robots.txt": (404, {}, b""),
        "http://a.example/r": (302, {"Location": "/t"}, b""),
    }
    run = FakeRun({**robots, "http://a.example/t": (200, {"X-Robots-Tag": "noai"}, b"text")})
    page = run.page()
    for _ in range(3):
        assert run.ask(page, "http://a.example/r#top", cookie="a=b", authorization="c").body == b"text"
    assert run.log == ["http://a.example/robots.txt", "http://a.example/r", "http://a.example/t"]
    assert page.said == [(b"X-Robots-Tag", b"noai")]
    for n in range(MAX_REQUESTS - 2):
        run.ask(page, f"http://a.example/n{n}", kind="script")
    with pytest.raises(Refused, match="asks for too much"):
        run.ask(page, "http://a.example/more")
    assert page.cut
    # a script that one page fetched is there for the next one of the crawl
    run.answers["http://a.example/s.js"] = (200, {}, b"script")
    first, asked = run.page(), len(run.log)
    second = replace(run.page(), shared=first.shared)
    assert [run.ask(one, "http://a.example/s.js", kind="script").body for one in (first, second)] == [
        b"script"
    ] * 2
    assert len(run.log) == asked + 1


def test_what_fails_for_now_fails_the_page():
    robots = {"http://a.example/robots.txt": (404, {}, b"")}
    run = FakeRun(
        {
            **robots,
            "http://a.example/w": (429, {"Retry-After": "7"}, b""),
            "http://a.example/e": (500, {}, b""),
        }
    )
    page = run.page()
    run.ask(page, "http://a.example/e")
    assert (page.cut, page.failure) == (True, None)
    run.ask(page, "http://a.example/w")
    assert page.failure.headers["Retry-After"] == b"7"
    spent = FakeRun(robots, spent="its budget is spent")
    page = spent.page()
    with pytest.raises(Refused, match="its budget is spent"):
        spent.ask(page, "http://a.example/t")
    assert (page.cut, spent.log) == (True, ["http://a.example/robots.txt"])


# -- with a browser -------------------------------------------------------------------------------------

APP = '<html><head><meta charset="gbk"></head><body><div id="app"></div><script>%s</script></body></html>'
SHOW = "function show(t){document.getElementById('app').innerHTML += '<p>' + t + '</p>'}\n"
FETCH = SHOW + "fetch('%s').then(r => r.json()).then(d => show(d.text)).catch(e => show('没有 ' + e));\n"


class Listener:
    """A TCP and a UDP port of the machine itself, which nothing may ever reach."""

    def __init__(self) -> None:
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.reached: list[bytes] = []
        for wait in (self._accept, self._receive):
            threading.Thread(target=wait, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            self.reached.append(b"tcp")
            connection.close()

    def _receive(self) -> None:
        while True:
            try:
                self.reached.append(b"udp " + self.udp.recvfrom(100)[0])
            except OSError:
                return

    def close(self) -> None:
        for one in (self.tcp, self.udp):
            one.shutdown(socket.SHUT_RDWR) if one is self.tcp else None
            one.close()


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


def _rendering(crawler, host="xuanran.example", **polite):
    crawler.env["FANWEN_BROWSER"] = shutil.which("chromium") or ""
    crawler.site(host, **polite)
    path = crawler.sites / f"{host}.toml"
    path.write_text("render = true\n" + path.read_text(encoding="utf-8"), encoding="utf-8")


def _fetches(crawler):
    """The last visit of each page, by its name."""
    with Archive(crawler.archive, readonly=True) as archive:
        rows = archive.conn.execute(
            "SELECT u.url, f.headers, f.truncated, f.error, f.body_hash, f.reservations FROM fetch f"
            " JOIN url u ON u.id = f.url_id ORDER BY f.id"
        ).fetchall()
        return {
            url.rpartition("/")[2].removesuffix(".html"): {
                "headers": dict(json.loads(headers)),
                "truncated": bool(truncated),
                "error": error,
                "text": archive.body(body).decode("utf-8") if body else "",
                "reserved": json.loads(reserved),
            }
            for url, headers, truncated, error, body, reserved in rows
        }


HOSTILE = """
const tcp = '127.0.0.1:%(tcp)d', udp = '127.0.0.1:%(udp)d', farm = '127.0.0.1:%(farm)d';
const inside = ['http://' + tcp, 'http://' + farm, 'http://169.254.169.254', 'http://2130706433:%(tcp)d',
                'http://localhost:%(tcp)d', 'http://bieren.example', 'http://[::1]:%(tcp)d'];
const tries = `for (const at of ${JSON.stringify(inside)}) {
  fetch(at + '/fetch').catch(() => 0);
  try { new WebSocket(at.replace('http', 'ws') + '/ws') } catch (e) {}
  try { new EventSource(at + '/events') } catch (e) {}
  try { importScripts(at + '/import') } catch (e) {} }`;
for (const at of inside) {
  for (const [tag, name] of [['img', 'src'], ['iframe', 'src'], ['script', 'src'], ['object', 'data']]) {
    const made = document.createElement(tag); made[name] = at + '/' + tag; document.body.append(made); }
  for (const rel of ['stylesheet', 'preload', 'prefetch', 'preconnect', 'dns-prefetch', 'prerender']) {
    const made = document.createElement('link'); made.rel = rel; made.as = 'script'; made.href = at + '/' + rel;
    document.head.append(made); }
  navigator.sendBeacon(at + '/beacon', 'x'); window.open(at + '/open');
}
const tried = each => { try { each() } catch (e) {} };
tried(() => eval(tries));
tried(() => new Worker(URL.createObjectURL(new Blob([tries]))));
tried(() => new SharedWorker(URL.createObjectURL(new Blob([tries]))));
tried(() => new WebTransport('https://' + udp + '/transport'));
tried(() => {
  const rtc = new RTCPeerConnection({iceServers: [{urls: 'stun:' + udp}, {urls: 'turn:' + udp, username: 'a',
    credential: 'b'}, {urls: 'turn:' + tcp + '?transport=tcp', username: 'a', credential: 'b'}]});
  rtc.createDataChannel('a'); rtc.createOffer().then(offer => rtc.setLocalDescription(offer)) });
tried(() => { document.cookie = 'known=1; path=/' });
tried(() => navigator.serviceWorker.register('/worker.js').catch(() => 0));
fetch('/api/post', {method: 'POST', body: 'x'}).catch(() => 0);
fetch('file:///etc/passwd').then(r => r.text()).then(show).catch(() => 0);
const frame = document.createElement('iframe'); frame.src = 'file:///etc/passwd'; document.body.append(frame);
const form = document.createElement('form'); form.method = 'post'; form.action = '/api/form';
document.body.append(form); setTimeout(() => form.submit(), 200);
setTimeout(() => { location.href = 'file:///etc/passwd' }, 300);
setTimeout(() => { location.href = 'http://' + tcp + '/navigated' }, 400);
"""


@needs_browser
def test_what_scripts_show_is_archived_and_what_they_may_not_reach_is_not(farm, crawler, answer, listener):
    posted: list[str] = []
    farm.server.RequestHandlerClass.do_POST = lambda handler: posted.append(handler.path)
    ports = {
        "tcp": listener.tcp.getsockname()[1],
        "udp": listener.udp.getsockname()[1],
        "farm": farm.server.server_address[1],
    }

    def page(name, script):
        farm[f"{HOST}/a/{name}.html"] = answer((APP % (SHOW + script)).encode(), headers={"ETag": '"1"'})

    def data(path, text=TEXT, **headers):
        body = json.dumps({"text": text}).encode()
        farm[path] = answer(body, content_type="application/json", headers=headers)

    names = ("text", "hostile", "redirect", "other", "closed", "endless", "wait", "left", "noai", "hangup")
    links = "".join(f"<a href=/a/{name}.html>{name}</a>" for name in names)
    farm[f"{HOST}/"] = answer((APP % f"{SHOW}show('{links}')").encode(), headers={"Set-Cookie": "a=b"})
    farm[f"{HOST}/robots.txt"] = answer(b"User-agent: *\nDisallow: /private/\n", content_type="text/plain")
    farm["http://api.xuanran.example/robots.txt"] = answer(b"User-agent: *\nDisallow: /no\n")
    farm[f"{HOST}/s/app.js"] = answer((FETCH % "/api/text").encode(), content_type="text/javascript")
    data(f"{HOST}/api/text")
    script = "const s = document.createElement('script'); s.src = '/s/app.js'; document.body.append(s);"
    page("text", script + "fetch('/api/text')")
    page("hostile", HOSTILE % ports + script)
    farm[f"{HOST}/r/in"] = answer(status=302, headers={"Location": f"http://127.0.0.1:{ports['tcp']}/in"})
    farm[f"{HOST}/r/on"] = answer(status=302, headers={"Location": "/api/text"})
    page("redirect", FETCH % "/r/in" + FETCH % "/r/on")
    data("http://api.xuanran.example/yes", **{"Access-Control-Allow-Origin": "*"})
    data("http://api.xuanran.example/no", **{"Access-Control-Allow-Origin": "*"})
    page("other", FETCH % "http://api.xuanran.example/no" + FETCH % "http://api.xuanran.example/yes")
    data(f"{HOST}/private/text")
    page("closed", FETCH % "/private/text")
    page("endless", f"show('{TEXT}'); let n = 0; setInterval(() => fetch('/api/end?' + n++), 1)")
    farm[f"{HOST}/api/wait"] = lambda asked: (
        answer(status=429, headers={"Retry-After": "0"})
        if asked.times == 1
        else answer(json.dumps({"text": TEXT}).encode())
    )
    page("wait", FETCH % "/api/wait")
    page("left", f"show('{TEXT}'); location.href = 'about:blank'")
    data(f"{HOST}/api/noai", **{"X-Robots-Tag": "noai"})
    page("noai", FETCH % "/api/noai")
    farm[f"{HOST}/api/hangup"] = lambda asked: (
        answer(hang_up=True) if asked.times == 1 else answer(json.dumps({"text": TEXT}).encode())
    )
    page("hangup", FETCH % "/api/hangup")
    farm["http://xunhuan.example/a/loop.html"] = answer((APP % "for (;;) {}").encode())
    _rendering(crawler, host="xunhuan.example", start="/a/loop.html")
    _rendering(crawler)
    path = crawler.sites / "xuanran.example.toml"
    path.write_text('hosts = ["api.xuanran.example"]\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    report = crawler.run()
    site = report["sites"]["xuanran.example"]
    assert (report["exit_code"], site["documents"], site["scripted"], site["waits"]) == (3, 9, 1, 1)
    pages = _fetches(crawler)
    for name in ("text", "hostile", "redirect", "other", "wait", "noai", "endless", "hangup"):
        assert TEXT in pages[name]["text"], name
        assert pages[name]["headers"]["x-fanwen-rendered"].startswith("Chromium "), name
        assert pages[name]["headers"]["content-type"] == "text/html; charset=utf-8", name
        assert "etag" not in pages[name]["headers"], name
        assert pages[name]["truncated"] == (name == "endless"), name
    assert "root:" not in pages["hostile"]["text"]
    assert pages["redirect"]["text"].count(TEXT) == 1
    assert pages["closed"]["error"] == "shows nothing without JavaScript"
    assert pages["left"]["error"] == "RenderError: its scripts left the page"
    assert pages["loop"]["error"] == "RenderError: its scripts do not end, or fill it without end"
    assert {name for name, one in pages.items() if one["reserved"]} == {"noai"}
    # what was asked of whom
    assert (listener.reached, posted) == ([], [])
    asked = farm.pages_asked()
    assert {url.split("/")[2] for url in asked} == {
        "xuanran.example",
        "api.xuanran.example",
        "xunhuan.example",
    }
    assert sum(n for url, n in asked.items() if "/api/end" in url) == MAX_REQUESTS
    assert (asked[f"{HOST}/s/app.js"], asked[f"{HOST}/private/text"]) == (1, 0)
    assert (asked["http://api.xuanran.example/yes"], asked["http://api.xuanran.example/no"]) == (1, 0)
    for _, one in farm.log:
        assert "cookie" not in one.headers
        assert one.headers["user-agent"].startswith("fanwen/")


@needs_browser
@pytest.mark.parametrize("closed", [True, False])
def test_without_any_route_the_browser_reaches_nothing_either(listener, closed):
    """The second wall alone; where it is taken away, this page reaches the ports."""
    from playwright.sync_api import sync_playwright

    tcp, udp = listener.tcp.getsockname()[1], listener.udp.getsockname()[1]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=list(NO_NETWORK) if closed else [],
            chromium_sandbox=os.geteuid() != 0,
        )
        page = browser.new_page()
        body = APP % (SHOW + HOSTILE % {"tcp": tcp, "udp": udp, "farm": tcp})
        # https, because some of what is tried is there only for pages that came safely
        page.route("https://a.example/", lambda route: route.fulfill(body=body, content_type="text/html"))
        page.goto("https://a.example/", wait_until="commit")
        page.wait_for_timeout(3000)
        browser.close()
    reached = {one[:3] for one in listener.reached}
    assert reached == (set() if closed else {b"tcp", b"udp"})


@needs_browser
def test_a_rendered_page_keeps_pace_and_budget_and_is_asked_for_without_validators(
    farm, crawler, answer, tagged
):
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm[f"{HOST}/a/1.html"] = tagged((APP % (FETCH % "/api/1" + FETCH % "/api/2")).encode(), '"same"')
    for n in (1, 2):
        farm[f"{HOST}/api/{n}"] = answer(json.dumps({"text": f"{TEXT}{n}"}).encode())
    crawler.site("xuanran.example")
    crawler.run()
    assert "x-fanwen-rendered" not in _fetches(crawler)["1"]["headers"]
    before = len(farm.log)
    (crawler.sites / "xuanran.example.toml").unlink()
    _rendering(crawler, delay=0.3)
    assert crawler.run(revisit=True)["sites"]["xuanran.example"]["changed"] >= 1
    assert _fetches(crawler)["1"]["text"].count(TEXT) == 2
    asked = farm.log[before:]
    assert not [one.path for _, one in asked if "if-none-match" in one.headers and one.path.startswith("/a/")]
    times = [at for at, _ in asked]
    assert len(times) == 6  # robots.txt and tdmrep.json among them
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.29
    with Archive(crawler.archive, readonly=True) as archive:
        (spent,) = archive.conn.execute("SELECT requests FROM budget").fetchone()
        (etag,) = archive.conn.execute("SELECT etag FROM url WHERE url LIKE '%/1.html'").fetchone()
    assert (spent, etag) == (len(farm.log), None)


@needs_browser
def test_a_browser_that_does_not_start_ends_the_crawl(farm, crawler, tmp_path):
    farm.page(f"{HOST}/")
    _rendering(crawler)
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\nexit 3\n", encoding="ascii")
    fake.chmod(0o755)
    crawler.env["FANWEN_BROWSER"] = str(fake)
    report = crawler.run()
    assert (report["error"], report["exit_code"]) == ("UsageError", 2)
    assert f"{fake} does not start" in report["message"]


@needs_browser
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_browser_outlives_a_crawl_and_the_page_is_rendered_by_the_next(farm, crawler, answer, number):
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm[f"{HOST}/a/1.html"] = answer((APP % (FETCH % "/api/1")).encode())
    waiting = threading.Event()

    def slow(asked):
        waiting.set()
        time.sleep(2 if asked.times == 1 else 0)
        return answer(json.dumps({"text": TEXT}).encode())

    farm[f"{HOST}/api/1"] = slow
    _rendering(crawler)
    process = crawler.start()
    assert waiting.wait(30)
    browsers = _descendants(process.pid)
    assert len(browsers) > 2
    assert crawler.kill_when(process, lambda: True, number)
    if number == signal.SIGINT:
        process.communicate(timeout=30)
    until = time.monotonic() + 20
    while time.monotonic() < until and any(_alive(pid) for pid in browsers):
        time.sleep(0.1)
    assert not [pid for pid in browsers if _alive(pid)]
    report = crawler.run()
    assert (report["resumed"], report["exit_code"]) == (True, 0)
    assert TEXT in _fetches(crawler)["1"]["text"]


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        children = [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
        found += [one for child in children for one in (child, *_descendants(child))]
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
