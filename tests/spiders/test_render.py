"""Rendered pages: the guard, the pace and the budget hold for whatever a script may try.

What is judged is tested without a browser; the rest needs the extra and a Chromium, and is skipped without.
"""

from __future__ import annotations

import json
import shutil
import socket
import sys
import threading
import types
from importlib.util import find_spec
from pathlib import Path

import pytest

from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.crawl import CrawlOptions, sites_to_crawl
from fanwen.spiders.site import Site

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


def _rendering(crawler, extra="", host="xuanran.example", **polite):
    crawler.site(host, extra, **polite)
    path = crawler.sites / f"{host}.toml"
    path.write_text("render = true\n" + path.read_text(encoding="utf-8"), encoding="utf-8")


def _bodies(crawler):
    with Archive(crawler.archive, readonly=True) as archive:
        rows = archive.conn.execute(
            "SELECT u.url, f.headers, f.truncated, f.error, f.body_hash, f.reservations FROM fetch f"
            " JOIN url u ON u.id = f.url_id ORDER BY f.id"
        ).fetchall()
        return {
            row[0][len(HOST) :]: {
                "headers": dict(json.loads(row[1])),
                "truncated": bool(row[2]),
                "error": row[3],
                "text": archive.body(row[4]).decode("utf-8") if row[4] else "",
                "reserved": json.loads(row[5]),
            }
            for row in rows
        }


HOSTILE = """
const tcp = '127.0.0.1:%(tcp)d', udp = '127.0.0.1:%(udp)d', farm = '127.0.0.1:%(farm)d';
const inside = ['http://' + tcp, 'http://' + farm, 'http://169.254.169.254', 'http://2130706433:%(tcp)d',
                'http://localhost:%(tcp)d', 'http://bieren.example', 'http://[::1]:%(tcp)d'];
const tries = `for (const at of ${JSON.stringify(inside)}) {
  fetch(at + '/fetch').catch(() => 0); new WebSocket(at.replace('http', 'ws') + '/ws');
  new EventSource(at + '/events'); try { importScripts(at + '/import') } catch (e) {} }`;
for (const at of inside) {
  for (const [tag, name] of [['img', 'src'], ['iframe', 'src'], ['script', 'src'], ['object', 'data']]) {
    const made = document.createElement(tag); made[name] = at + '/' + tag; document.body.append(made); }
  for (const rel of ['stylesheet', 'preload', 'prefetch', 'preconnect', 'dns-prefetch', 'prerender']) {
    const made = document.createElement('link'); made.rel = rel; made.as = 'script'; made.href = at + '/' + rel;
    document.head.append(made); }
  navigator.sendBeacon(at + '/beacon', 'x'); window.open(at + '/open');
}
eval(tries);
new Worker(URL.createObjectURL(new Blob([tries])));
new SharedWorker(URL.createObjectURL(new Blob([tries])));
try { new WebTransport('https://' + udp + '/transport') } catch (e) {}
const rtc = new RTCPeerConnection({iceServers: [{urls: 'stun:' + udp}, {urls: 'turn:' + udp, username: 'a',
  credential: 'b'}, {urls: 'turn:' + tcp + '?transport=tcp', username: 'a', credential: 'b'}]});
rtc.createDataChannel('a'); rtc.createOffer().then(offer => rtc.setLocalDescription(offer));
document.cookie = 'known=1; path=/';
if (navigator.serviceWorker) navigator.serviceWorker.register('/worker.js').catch(() => 0);
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

    names = ("text", "hostile", "redirect", "other", "closed", "endless", "wait", "left", "noai")
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
    farm["http://xunhuan.example/"] = answer((APP % "for (;;) {}").encode())
    _rendering(crawler, host="xunhuan.example")
    _rendering(crawler)
    path = crawler.sites / "xuanran.example.toml"
    path.write_text('hosts = ["api.xuanran.example"]\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    report = _run(crawler)
    print(json.dumps(report, ensure_ascii=False)[:3000])
    bodies = _bodies(crawler)
    for k, v in bodies.items():
        print(k, v["headers"].get("x-fanwen-rendered"), v["truncated"], v["error"], v["etag"] if "etag" in v else "", len(v["text"]), v["reserved"], TEXT in v["text"])
    print(listener.reached, posted)
    print({u: n for u, n in farm.hits.items()})
    t0 = farm.log[0][0]
    print([(round(t - t0, 1), a.host[:4], a.path) for t, a in farm.log if 'end?' not in a.path])
    assert 0


def _run(crawler):
    import time
    t = time.time()
    p = crawler.start(progress=None)
    line = p.stdout.readline()
    print("report after", time.time() - t)
    out, err = p.communicate(timeout=100)
    print("exit after", time.time() - t, err)
    return json.loads(line)
