"""Pages that show nothing without JavaScript: what their scripts make of them, for sites that ask for it.

In goes the answer to a request of the crawl, out comes the same answer with the rendered
page as its body, in UTF-8, marked with :data:`RENDERED`. The browser has no network: the page
and whatever its scripts may ask for are handed to it (:mod:`fanwen.spiders.page_requests`).
Needs the extra ``fanwen[render]`` and a Chromium; nothing else imports this module.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from hashlib import sha256
from time import monotonic
from typing import Any

from scrapy import signals
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Headers, Response

from fanwen.errors import UsageError
from fanwen.spiders.decompress import TRUNCATED
from fanwen.spiders.items import Leased
from fanwen.spiders.links import is_html
from fanwen.spiders.page_requests import PageRequests, Refused, Shared
from fanwen.spiders.run import Run, StoppedError
from fanwen.spiders.scope import origin

RENDERED = "X-Fanwen-Rendered"  # a header of the stored answer: by which browser
BROWSER = "FANWEN_BROWSER"  # environment variable: the browser's path
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_AT_ONCE = 4  # pages
# seconds: of one page with all pauses; of its scripts alone; without any request until it counts as done
_MOST, _SCRIPTS, _QUIET = 180.0, 10.0, 0.5
_STEP = 0.05
_MOST_REFUSED = 200  # requests of one page
# what is said of the bytes that came, and not of the rendered page
_OF_BYTES = ("Content-Length", "Content-Encoding", "Content-MD5", "Digest", "ETag", "Last-Modified")
_SERIALISE = "(t => t.length > %d ? null : t)(document.documentElement.outerHTML)"
# The second wall: should a request get past the routes, no name resolves, the proxy of all is
# not there, and nothing may go round it.
NO_NETWORK = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://none.invalid:9",
    "--proxy-bypass-list=<-loopback>",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
)


class RenderError(IgnoreRequest):
    """A page that cannot be rendered, and could not the next time."""


def find_browser(site: str) -> str:
    """The path of the browser. Raises UsageError, naming the site, without the extra or without a browser."""
    try:
        import playwright.async_api  # noqa: F401
    except ImportError:
        raise UsageError(
            f"The site '{site}' says render = true, which needs an extra: pip install 'fanwen[render]'."
        ) from None
    given = os.environ.get(BROWSER)
    found = next(filter(None, map(shutil.which, (given,) if given else _NAMES)), None)
    if found is None:
        raise UsageError(
            f"The site '{site}' says render = true, but there is no browser"
            f"{f' at {given}' if given else ''}; install Chromium, or give the path of one in {BROWSER}."
        )
    return found


class RenderMiddleware:
    """Scrapy downloader middleware: renders the HTML pages of sites that say ``render = true``."""

    def __init__(self, crawler: Any):
        self.crawler = crawler
        self.shared = Shared()
        self.driver: Any = None
        self.browser: Any = None
        self._opening = asyncio.Lock()
        self._places = asyncio.Semaphore(_AT_ONCE)
        crawler.signals.connect(self.close, signals.spider_closed)

    @classmethod
    def from_crawler(cls, crawler: Any) -> RenderMiddleware:
        return cls(crawler)

    def process_request(self, request: Any) -> None:
        """The page's own bytes may be the same although its scripts would show something else."""
        if self._leased(request) is not None:
            for name in ("If-None-Match", "If-Modified-Since"):
                request.headers.pop(name, None)

    async def process_response(self, request: Any, response: Any) -> Any:
        leased = self._leased(request)
        if leased is None or response.status != 200 or {TRUNCATED, "dataloss"} & set(response.flags):
            return response
        run, kind = self.crawler.spider.run, (response.headers.get("Content-Type") or b"").decode("latin-1")
        if not is_html(response.body, kind or None) or "/xml" in kind:
            return response
        if sha256(response.body).hexdigest() in run.options.takedown.hashes:
            return response
        host = request.meta["host"]
        host.put_off(host.pause)
        self.shared.hosts.add(host.name)
        try:
            async with self._places:
                return await self._rendered(run, leased, response)
        finally:
            self.shared.hosts.discard(host.name)

    async def close(self) -> None:
        if self.browser is not None:
            await self.browser.close()
        if self.driver is not None:
            await self.driver.stop()

    def _leased(self, request: Any) -> Leased | None:
        """The page that this request is for, if it is one to render; soft 404s are looked for alike."""
        meta = request.meta
        probe = None if "host" not in meta or "origin" in meta else meta["host"].probe
        leased: Leased | None = meta.get("leased") or (probe and probe.leased)
        if leased is None or leased.kind in ("sitemap", "attachment"):
            return None
        return leased if self.crawler.spider.run.options.sites[leased.site].render else None

    async def _rendered(self, run: Run, leased: Leased, response: Any) -> Any:
        asked = PageRequests(run, leased, response.url, self.crawler.engine.download_async, self.shared)
        browser = await self._open(leased.site)
        # a context of its own: no cookies, storage, cache or worker outlives the page
        context = await browser.new_context(
            user_agent=self.crawler.settings["USER_AGENT"],
            locale="zh-CN",
            service_workers="block",
            accept_downloads=False,
        )
        try:
            text, whole = await self._shown(context, response, asked)
        finally:
            asked.closed = True
            await context.close()
        if isinstance(asked.failure, Exception):
            raise asked.failure
        if asked.failure is not None:
            return response.replace(
                status=asked.failure.status, headers=asked.failure.headers, body=b"", flags=[]
            )
        return _marked(response, asked, text, f"Chromium {browser.version}", whole=whole)

    async def _shown(self, context: Any, response: Any, asked: PageRequests) -> tuple[str, bool]:
        """The page as it stands when its scripts have no more to ask, and whether they came to an end."""
        first, ready = [response], asyncio.Event()

        async def routed(route: Any) -> None:
            if not route.request.is_navigation_request():
                await _serve(route, asked)
            elif first:
                await _fulfil(route, first.pop())
            else:
                await route.fulfill(status=204)  # stay on this page

        await context.route("**", routed)
        await context.route_web_socket("**", lambda socket: socket.close())
        page = await context.new_page()
        page.on("domcontentloaded", lambda _: ready.set())
        await page.goto(response.url, wait_until="commit")
        session = await context.new_cdp_session(page)
        try:
            world = await _world(session)
            whole = await self._settled(session, world, asked, ready)
            if asked.failure is not None:
                return "", False
            limit = self.crawler.settings.getint("DOWNLOAD_MAXSIZE")
            await _sent(session, "Emulation.setScriptExecutionDisabled", value=True)
            text = await _evaluated(session, world, _SERIALISE % limit)
        except TimeoutError:
            raise RenderError("its scripts do not end, or fill it without end") from None
        finally:
            if origin(page.url) != origin(response.url):
                raise RenderError("its scripts left the page")
        if text is None or len(text.encode("utf-8", "replace")) > limit:
            raise RenderError(f"too large: more than {limit} bytes when rendered")
        return text, whole

    async def _settled(self, session: Any, world: int, asked: PageRequests, ready: asyncio.Event) -> bool:
        """Wait until the page asks for nothing more; False where a limit came first."""
        spent = quiet = 0.0
        until = monotonic() + _MOST
        while spent < _SCRIPTS and monotonic() < until and asked.refused < _MOST_REFUSED:
            if asked.failure is not None:
                return False
            if ready.is_set() and quiet >= _QUIET:
                return True
            if not self.crawler.crawling:
                raise StoppedError
            # by the page's own clock, so that a machine under load takes no text away
            await _evaluated(session, world, f"new Promise(done => setTimeout(done, {1000 * _STEP}))")
            spent, quiet = (spent, 0.0) if asked.under_way else (spent + _STEP, quiet + _STEP)
        return False

    async def _open(self, site: str) -> Any:
        """The browser; a new one where there is none yet, or where it broke down."""
        from playwright.async_api import Error, async_playwright

        async with self._opening:
            if self.browser is None or not self.browser.is_connected():
                self.driver = self.driver or await async_playwright().start()
                path = find_browser(site)
                try:
                    self.browser = await self.driver.chromium.launch(
                        executable_path=path,
                        args=list(NO_NETWORK),
                        chromium_sandbox=os.geteuid() != 0,  # with it, Chromium refuses to run as root
                        handle_sigint=False,
                        handle_sigterm=False,
                        handle_sighup=False,
                    )
                except Error as error:
                    reason = str(error).partition("\n")[0]
                    with self.crawler.spider.run.trap():
                        raise UsageError(
                            f"The browser {path} does not start ({reason}); name another in {BROWSER}."
                        ) from None
                    raise RenderError("no browser") from None
            return self.browser


async def _serve(route: Any, asked: PageRequests) -> None:
    """Answer one request of the page from the crawl's own downloader; never with a redirect.

    The browser would follow that one by itself, past the routes.
    """
    request = route.request
    try:
        response = await asked.answer(request.url, request.method, request.resource_type, request.headers)
    except Refused:
        if request.resource_type == "stylesheet":  # loaders wait for styles before they show anything
            await route.fulfill(status=200, content_type="text/css", body="")
        else:
            await route.abort("blockedbyclient")
        return
    asked.under_way += 1  # until the page has it
    try:
        await _fulfil(route, response)
    finally:
        asked.under_way -= 1


async def _fulfil(route: Any, response: Any) -> None:
    """Hand an answer on, without cookies and whatever else its headers would make a browser do."""
    passed = {
        name.decode("latin-1").lower(): values[-1].decode("latin-1")
        for name, values in response.headers.items()
        if name.lower() == b"content-type" or name.lower().startswith(b"access-control-")
    }
    await route.fulfill(
        status=response.status, headers={"content-type": "text/html", **passed}, body=response.body
    )


async def _world(session: Any) -> int:
    """A world of our own in the page, where no script of it has changed what the words mean."""
    frame = (await _sent(session, "Page.getFrameTree"))["frameTree"]["frame"]["id"]
    return int((await _sent(session, "Page.createIsolatedWorld", frameId=frame))["executionContextId"])


async def _evaluated(session: Any, world: int, expression: str) -> Any:
    sent = {"expression": expression, "contextId": world, "awaitPromise": True, "returnByValue": True}
    return (await _sent(session, "Runtime.evaluate", **sent))["result"].get("value")


async def _sent(session: Any, method: str, **parameters: Any) -> Any:
    """Raises TimeoutError where the scripts of the page let nothing else run."""
    return await asyncio.wait_for(session.send(method, parameters), _SCRIPTS)


def _marked(response: Any, asked: PageRequests, text: str, browser: str, *, whole: bool) -> Response:
    body = f"<!DOCTYPE html>\n{text}".encode("utf-8", "replace")
    headers = Headers(response.headers)
    for name in _OF_BYTES:
        headers.pop(name, None)
    headers["Content-Type"] = "text/html; charset=utf-8"
    headers[RENDERED] = f"{browser}; asked={asked.asked} refused={asked.refused}"
    for said, value in asked.said:
        headers.appendlist(said, value)
    flags = [] if whole and not asked.cut else [TRUNCATED]
    return Response(response.url, headers=headers, body=body, flags=flags, request=response.request)
