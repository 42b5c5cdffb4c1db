"""Scrapy's scheduler on top of the frontier: which request goes out next, and when.

Each host has one request under way at most, keeps its delay, and is asked for its
robots.txt before anything else. Links never pass through here: the spider writes them to
the archive together with the page they were found on.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from scrapy import Request
from scrapy.core.scheduler import BaseScheduler

from fanwen.spiders.items import Leased
from fanwen.spiders.pace import Host, Probe, jittered
from fanwen.spiders.robots import DISALLOWED, ROBOTS_PATH, TDMREP_PATH, Robots
from fanwen.spiders.run import Run
from fanwen.spiders.scope import origin, target
from fanwen.spiders.takedown import TAKEN_DOWN

_BLOCKED_AT_ONCE = 100  # URLs that robots.txt forbids, judged before the reactor gets its turn again


class FrontierScheduler(BaseScheduler):
    def __init__(self, crawler: Any):
        self.crawler = crawler
        self.order: deque[Host] = deque()
        self.timer: Any = None

    @classmethod
    def from_crawler(cls, crawler: Any) -> FrontierScheduler:
        return cls(crawler)

    def open(self, spider: Any) -> None:
        self.spider = spider
        self.run: Run = spider.run
        with self.run.trap():
            self.run.open_hosts()

    def close(self, reason: str) -> None:
        self._cancel_timer()
        self.run.reason = reason

    def has_pending_requests(self) -> bool:
        return self.run.error is None and any(
            host.busy or host.pending or not host.drained
            for host in self.run.hosts.values()
            if host.closed is None
        )

    def enqueue_request(self, request: Request) -> bool:
        return False  # nothing is queued here: what is not in the archive would not survive a kill

    def next_request(self) -> Request | None:
        with self.run.trap():
            return self._next()
        return None

    def _next(self) -> Request | None:
        if len(self.order) != len(self.run.hosts):
            self.order = deque(self.run.hosts.values())
        earliest: float | None = None
        for _ in range(len(self.order)):
            host = self.order[0]
            self.order.rotate(-1)
            if host.busy or host.closed is not None or host.drained:
                continue
            if host.ready_at <= monotonic() and (request := self._request_to(host)) is not None:
                return request
            if host.closed is None and not host.drained:
                earliest = host.ready_at if earliest is None else min(earliest, host.ready_at)
        if earliest is not None:
            self._wake_in(earliest - monotonic())
        return None

    def _request_to(self, host: Host) -> Request | None:
        if host.probe is not None:
            return self._probe_request(host, host.probe)
        for _ in range(_BLOCKED_AT_ONCE):
            taken = self._take(host)
            if taken is None:
                return None
            leased, url, again = taken
            if self.run.options.takedown.names(leased.url):
                self.run.frontier.block(leased, TAKEN_DOWN)
                continue
            robots = host.robots_for(origin(url))
            if robots is None or (robots.closed is None and origin(url) not in host.tdmrep):
                host.pending = taken
                return self._site_file_request(host, leased, origin(url), robots)
            if robots.closed is not None:
                host.close(robots.closed)
                self.run.frontier.give_back(leased)
                return None
            if robots.allows(url):
                host.ask(jittered(self.run.delay(leased.site, robots)))
                return self._page_request(host, leased, url, again)
            self.run.frontier.block(leased, DISALLOWED)
        return None

    def _take(self, host: Host) -> tuple[Leased, str, int] | None:
        if host.pending is not None:
            taken, host.pending = host.pending, None
            return taken
        leased = self.run.frontier.lease(host.name)
        if leased is not None:
            return leased, self._spelt(host, leased.url), 0
        later = self.run.frontier.next_retry(host.name)
        if later is None:
            host.drained = True
        else:
            due = datetime.fromisoformat(later) - datetime.now(UTC)
            host.put_off(max(0.05, due.total_seconds()))
        return None

    def _spelt(self, host: Host, url: str) -> str:
        """The URL as the host wants it; asking for another spelling would cost a redirect each time."""
        if host.insists is None or origin(url).partition("://")[2] != host.name:
            return url
        return "://".join(host.insists) + target(url)

    def _site_file_request(self, host: Host, leased: Leased, origin: str, robots: Robots | None) -> Request:
        """robots.txt first, then what the site says of text and data mining as a whole."""
        host.ask(jittered(self.run.delay(leased.site, robots)))
        answered, unanswered = self.spider.tdmrep_answered, self.spider.tdmrep_unanswered
        url, hops = origin + TDMREP_PATH, 0
        if robots is None:
            answered, unanswered = self.spider.robots_answered, self.spider.robots_unanswered
            url, hops = host.robots_next.get(origin, (origin + ROBOTS_PATH, 0))
        meta = {"host": host, "site": leased.site, "origin": origin, "hops": hops, **self._meta(host)}
        return Request(url, callback=answered, errback=unanswered, meta=meta, dont_filter=True)

    def _probe_request(self, host: Host, probe: Probe) -> Request:
        host.ask(jittered(self.run.delay(probe.leased.site, host.robots_for(origin(probe.url)))))
        return Request(
            probe.url,
            callback=self.spider.probed,
            errback=self.spider.not_probed,
            meta={"host": host, **self._meta(host)},
            dont_filter=True,
        )

    def _page_request(self, host: Host, leased: Leased, url: str, again: int) -> Request:
        headers = {}
        if leased.etag:
            headers["If-None-Match"] = leased.etag
        if leased.last_modified:
            headers["If-Modified-Since"] = leased.last_modified
        return Request(
            url,
            callback=self.spider.answered,
            errback=self.spider.unanswered,
            headers=headers,
            meta={"host": host, "leased": leased, "again": again, **self._meta(host)},
            dont_filter=True,
        )

    def _meta(self, host: Host) -> dict[str, Any]:
        # None, not absent: Scrapy would otherwise obey http_proxy of the environment, past the address guard
        return {"proxy": self.run.options.proxy, "download_slot": host.name}

    def _wake_in(self, seconds: float) -> None:
        from twisted.internet import reactor

        clock: Any = reactor
        self._cancel_timer()
        # the engine's own heart beats every five seconds only
        self.timer = clock.callLater(max(0.0, seconds), self._wake)

    def _wake(self) -> None:
        self.timer = None
        slot = getattr(self.crawler.engine, "_slot", None)
        if slot is not None:
            slot.nextcall.schedule()

    def _cancel_timer(self) -> None:
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self.timer = None
