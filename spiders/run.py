"""What the scheduler and the spider share during one crawl: frontier, hosts, and the first trouble."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from fanwen.spiders.frontier import Frontier
from fanwen.spiders.pace import Host
from fanwen.spiders.robots import Robots
from fanwen.spiders.scope import Scope
from fanwen.spiders.site import Site
from fanwen.spiders.takedown import Takedown


class StoppedError(Exception):
    """A visit that the end of the crawl broke off; its URL is given back."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One visited page, for whoever watches.

    ``visited`` counts the site's pages of this process, ``queue`` those to visit (a second old at most).
    """

    site: str
    url: str
    status: int
    outcome: str
    visited: int
    queue: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CrawlOptions:
    """What to crawl and how.

    ``sites`` are those to crawl, by name; paused and retired ones are left out. ``contact`` (a URL or a mail
    address) goes into the user agent and is required without a ``proxy``. ``revisit`` makes every known page
    due, once per crawl. ``shard`` (i, n), i from 1, takes the i-th of n shares of the sites. ``retries`` and
    ``retry_delay`` (seconds, doubled each time) are for visits that fail; a host that asks for more than
    ``max_wait`` seconds is left for the next crawl. What ``takedown`` names is neither asked for nor stored.
    """

    archive_path: Path
    sites: Mapping[str, Site]
    contact: str | None = None
    proxy: str | None = None
    revisit: bool = False
    shard: tuple[int, int] | None = None
    progress: Callable[[Visit], None] | None = None
    retries: int = 2
    retry_delay: float = 10.0
    max_wait: float = 120.0
    takedown: Takedown = Takedown()


@dataclass
class Run:
    """One crawl while it runs. ``error`` is the trouble that stopped it."""

    options: CrawlOptions
    frontier: Frontier
    hosts: dict[str, Host] = field(default_factory=dict)
    visited: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    error: Exception | None = None
    reason: str = "interrupted"  # until the scheduler is closed in order
    crawler: Any = None
    _stopping: Any = None
    _queues: dict[str, tuple[float, int]] = field(default_factory=dict)
    _scopes: dict[str, Scope] = field(default_factory=dict)

    def open_hosts(self) -> None:
        """The hosts with work; those that told an earlier crawl to wait stay closed until then."""
        waits = self.frontier.waits()
        for name in self.frontier.hosts():
            host = self.host(name)
            if name in waits:
                until, reason = waits[name]
                host.close(f"{reason} until {until}", told_to_wait=True)

    def host(self, name: str) -> Host:
        return self.hosts.setdefault(name, Host(name))

    def scope(self, site: str) -> Scope:
        """The site's scope; made anew when something was learned of the site."""
        if site in self.frontier.rescoped:
            self.frontier.rescoped.discard(site)
            self._scopes.pop(site, None)
            for host in self.hosts.values():
                host.drained = False
        if site not in self._scopes:
            self._scopes[site] = self.frontier.scope(site)
        return self._scopes[site]

    def delay(self, site: str, robots: Robots | None) -> float:
        """Seconds between two requests: the site file's, or more where robots.txt asks for more."""
        return max(self.options.sites[site].polite.delay, robots.delay() if robots else 0.0)

    def seen(self, site: str, url: str, status: int, outcome: str, error: str | None) -> None:
        self.visited[site] += 1
        if self.options.progress is None:
            return
        counted, queue = self._queues.get(site, (0.0, 0))
        if monotonic() - counted > 1:
            queue = self.frontier.queue(site)
            self._queues[site] = (monotonic(), queue)
        self.options.progress(Visit(site, url, status, outcome, self.visited[site], queue, error))

    @contextmanager
    def trap(self) -> Iterator[None]:
        """Stop the crawl at the first trouble, to be raised when the reactor has ended."""
        try:
            yield
        except Exception as error:
            if self.error is None:
                self.error = error
            self.stop()

    def stop(self) -> None:
        if self._stopping is None and self.crawler is not None:
            self._stopping = asyncio.ensure_future(self.crawler.stop_async())
