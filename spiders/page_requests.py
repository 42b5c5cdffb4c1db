"""What the scripts of a page may ask for while it is rendered: judged and fetched like everything else.

In goes a request that the browser would like to make, out comes the site's answer, or the
reason why it is refused. Whatever is asked for goes through the crawl's own downloader, in
the pace of its host and on the budget of its site; the browser connects to nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urljoin, urlsplit

from scrapy import Request
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest
from twisted.python.failure import Failure

from fanwen.spiders.decompress import TRUNCATED, RefusedBodyError
from fanwen.spiders.guard import refusal
from fanwen.spiders.items import Leased
from fanwen.spiders.pace import Host, jittered
from fanwen.spiders.robots import DISALLOWED, ROBOTS_PATH, Robots
from fanwen.spiders.run import Run
from fanwen.spiders.scope import origin
from fanwen.spiders.takedown import TAKEN_DOWN
from fanwen.spiders.urls import canonical_url

# of one page; the bytes are counted after decompression
MAX_REQUESTS, MAX_BYTES = 20, 16 * 1024 * 1024
MAX_KEPT = 64 * 1024 * 1024  # bytes of scripts that the pages of a crawl share
_MAX_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WAIT = frozenset({429, 503})
# what can bring text; pictures, styles, frames, beacons and event streams are not fetched
_KINDS = frozenset({"script", "xhr", "fetch"})
# of the browser's headers; nothing that proves who asks, so no wall is opened
_SENT = frozenset({"accept", "origin", "referer", "x-requested-with"})
_REUSE = (b"X-Robots-Tag", b"TDM-Reservation", b"Content-Usage", b"Content-Signal")


class Refused(IgnoreRequest):
    """A request of a page that is not made; its text is the reason."""


class Cut(Refused):
    """It would have been made but for a limit, so the page may lack something."""


@dataclass
class Shared:
    """What the pages of one crawl share: scripts by URL, and the hosts of pages that are being rendered."""

    scripts: dict[str, Any] = field(default_factory=dict)
    size: int = 0
    hosts: set[str] = field(default_factory=set)

    def keep(self, url: str, response: Any) -> None:
        if response.status == 200 and self.size + len(response.body) <= MAX_KEPT:
            self.scripts[url] = response
            self.size += len(response.body)


@dataclass
class PageRequests:
    """The requests of one page.

    ``failure`` is what makes the page itself fail: an exception, or an answer that tells us to wait. ``cut``:
    a limit was reached or an answer came torn, so the page may lack something. ``said`` are headers about
    reuse of what was fetched as data. ``under_way`` counts requests that wait for their turn or their answer.
    """

    run: Run
    leased: Leased
    url: str
    download: Callable[[Request], Awaitable[Any]]
    shared: Shared
    asked: int = 0
    refused: int = 0
    size: int = 0
    under_way: int = 0
    cut: bool = False
    closed: bool = False
    failure: Any = None
    said: list[tuple[bytes, bytes]] = field(default_factory=list)
    _answers: dict[str, Any] = field(default_factory=dict)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answer(self, url: str, method: str, kind: str, headers: Mapping[str, str]) -> Any:
        """The response to one request of the page; redirects are followed here. Raises Refused."""
        try:
            self.judge(url, method, kind)
            if self.under_way >= MAX_REQUESTS:
                raise Cut("the page asks for too much")
            self.under_way += 1
            try:
                async with self._one:
                    return await self._answer(url.partition("#")[0], kind, headers)
            finally:
                self.under_way -= 1
        except (IgnoreRequest, DownloadCancelledError, RefusedBodyError) as error:
            self.refused += 1
            self.cut = self.cut or not isinstance(error, Refused) or isinstance(error, Cut)
            raise Refused(str(error)) from None
        except Exception as error:
            self.failure = self.failure or error
            raise Refused(str(error)) from None

    def judge(self, url: str, method: str, kind: str) -> None:
        """Raises Refused for what is never asked for, whatever robots.txt says."""
        if kind not in _KINDS:
            raise Refused(f"{kind} is not fetched")
        if method != "GET":
            raise Refused(f"{method} is not GET")
        reason = refusal(url)
        if reason is not None:
            raise Refused(reason)
        if self._home(url) is None:
            raise Refused("it leaves the site")
        if self.run.options.takedown.names(canonical_url(url)):
            raise Refused(TAKEN_DOWN)

    async def _answer(self, url: str, kind: str, headers: Mapping[str, str]) -> Any:
        asked = url
        for _ in range(_MAX_HOPS + 1):
            self.judge(url, "GET", kind)
            robots = await self._robots(url)
            if not robots.allows(url):
                raise Refused(robots.closed or DISALLOWED)
            if self._reserved(url) - self._reserved(self.url):
                raise Refused("robots.txt reserves it, and not the page")
            known = self._answers.get(url) or (self.shared.scripts.get(url) if kind == "script" else None)
            response = known or await self._fetch(url, headers)
            if response.status not in _REDIRECTS:
                self._answers[asked] = self._answers[url] = response
                if known is None and kind == "script":
                    self.shared.keep(url, response)
                elif known is None:
                    self.said += [(name, v) for name in _REUSE for v in response.headers.getlist(name)]
                return response
            url = urljoin(url, response.headers.get("Location", b"").decode("latin-1")).partition("#")[0]
        raise Refused("too many redirects in a row")

    async def _fetch(self, url: str, headers: Mapping[str, str]) -> Any:
        spent = self.run.frontier.budgets.reason(self.leased.site)
        if self.asked >= MAX_REQUESTS or self.size >= MAX_BYTES or spent is not None:
            raise Cut(spent or "the page asks for too much")
        host = self._host(url)
        sent = {name: value for name, value in headers.items() if name in _SENT}
        await self._turn(host)
        self.asked += 1
        response = await self._download(host, Request(url, headers=sent, meta=self._meta(host)))
        self.size += len(response.body)
        if response.status in _WAIT:
            self.failure = self.failure or response
        self.cut = self.cut or response.status >= 500 or bool({TRUNCATED, "dataloss"} & set(response.flags))
        frontier = self.run.frontier
        with self.run.trap(), frontier.archive.write() as conn:
            frontier.budgets.spend(conn, self.leased.site, response.meta.get("wire_bytes", 0))
        return response

    async def _robots(self, url: str) -> Robots:
        """The robots.txt in force for a URL, asked for as the scheduler would ask."""
        host, place = self._host(url), origin(url)
        spider = self.run.crawler.spider
        while (robots := host.robots_for(place)) is None:
            await self._turn(host)
            at, hops = host.robots_next.get(place, (place + ROBOTS_PATH, 0))
            of = {"host": host, "site": self.leased.site, "origin": place, "hops": hops}
            request = Request(at, meta={**of, **self._meta(host)})
            try:
                spider.robots_answered(await self._download(host, request))
            except Exception as error:
                failure: Any = Failure(error)  # type: ignore[no-untyped-call]
                failure.request = request
                spider.robots_unanswered(failure)
            host.busy = host.name in self.shared.hosts
        return robots

    async def _turn(self, host: Host) -> None:
        """Wait until the host may be asked. A host with a page here is busy with that page."""
        while True:
            if self.closed or self.run.error is not None or not self.run.crawler.crawling:
                raise Cut("the page is done with")
            if host.closed is not None:
                raise Refused(host.closed)
            wait = host.ready_at - monotonic()
            if wait <= 0 and (not host.busy or host.name in self.shared.hosts):
                return
            await asyncio.sleep(min(max(wait, 0.02), 1.0))

    async def _download(self, host: Host, request: Request) -> Any:
        host.ask(jittered(self.run.delay(self.leased.site, host.robots_for(origin(request.url)))))
        try:
            return await self.download(request)
        finally:
            host.answered()
            host.busy = host.name in self.shared.hosts

    def _reserved(self, url: str) -> set[str]:
        robots = self._host(url).robots_for(origin(url))
        return set() if robots is None else robots.reservations(url)

    def _meta(self, host: Host) -> dict[str, Any]:
        return {"proxy": self.run.options.proxy, "download_slot": host.name}

    def _home(self, url: str) -> str | None:
        return self.run.scope(self.leased.site).home(urlsplit(url).netloc.lower())

    def _host(self, url: str) -> Host:
        return self.run.host(self._home(url) or urlsplit(url).netloc)
