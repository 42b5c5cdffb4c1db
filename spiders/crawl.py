"""One crawl: from site files to pages in archive.db.

In go :class:`CrawlOptions`, out comes a :class:`CrawlReport`, counted from what was
stored. One crawl per process: the reactor cannot be started twice. A crawl that is
killed, interrupted or runs out of disk is resumed by the next call with the same sites.
"""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256

from fanwen import __version__
from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.counts import SiteCount, Trap, counts
from fanwen.spiders.frontier import Frontier
from fanwen.spiders.run import CrawlOptions, Run, Visit
from fanwen.spiders.site import Site

__all__ = ["CrawlOptions", "CrawlReport", "SiteReport", "Visit", "crawl", "sites_to_crawl"]

_SKIPPED = ("paused", "retired")


@dataclass(frozen=True, slots=True)
class SiteReport:
    """What one crawl brought for one site; counts are visits, ``bytes`` of bodies, ``wire_bytes`` as sent.

    ``by_status`` are (HTTP status, visits), 0 for no usable answer. ``errors`` are failed visits, ``refused``
    visits that the site forbade or redirects not followed, ``blocked`` URLs that robots.txt forbids,
    ``waits`` how often we were told to wait, ``queue`` URLs left. ``closed``: why the site was left early.
    ``spared`` pages were not asked for because a sitemap says they are the same; ``scripted`` ones show
    nothing without JavaScript. ``traps`` are what was not followed, ``robots`` the sha256 of each robots.txt
    in force, ``budget`` says that the site may be asked no more today, which is no trouble.
    ``requests_today`` and ``bytes_today`` (over the wire) count for it, over all crawls of the day (UTC).
    """

    site: str
    requests: int
    by_status: tuple[tuple[int, int], ...]
    bytes: int
    new: int
    changed: int
    unchanged: int
    missing: int
    gone: int
    moved: int
    refused: int
    blocked: int
    errors: int
    waits: int
    queue: int
    documents: int
    wire_bytes: int = 0
    spared: int = 0
    scripted: int = 0
    traps: tuple[Trap, ...] = ()
    robots: tuple[str, ...] = ()
    budget: str | None = None
    requests_today: int = 0
    bytes_today: int = 0
    closed: str | None = None
    told_to_wait: bool = False

    @property
    def good(self) -> int:
        """Visits that brought or confirmed a page."""
        return self.new + self.changed + self.unchanged

    @property
    def shut(self) -> bool:
        """Nothing could be had because the site keeps us out, or told us to wait."""
        silent = self.closed is not None and "not answering" in self.closed
        forbidden = self.refused > 0 or (self.blocked > 0 and self.documents == 0)
        kept_out = self.told_to_wait or forbidden or (self.closed is not None and not silent)
        return self.good == 0 and kept_out

    @property
    def degraded(self) -> bool:
        """It gave errors, or nothing where something was asked for, or mostly pages that need a browser."""
        empty = self.requests > 0 and self.good == 0
        scripted = self.scripted * 2 > self.new + self.changed
        return self.errors > 0 or self.closed is not None or empty or self.shut or scripted


@dataclass(frozen=True, slots=True)
class CrawlReport:
    """``reason`` is finished or interrupted; ``refused_starts`` are start URLs the address guard refused."""

    crawl: int
    reason: str
    resumed: bool
    sites: tuple[SiteReport, ...]
    refused_starts: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 ok, 3 degraded, 4 kept out or told to wait everywhere, 5 interrupted or pages left."""
        if self.reason != "finished":
            return 5
        if self.sites and all(site.shut for site in self.sites):
            return 4
        if any(s.queue and not s.told_to_wait and not s.shut and s.budget is None for s in self.sites):
            return 5
        return 3 if self.refused_starts or any(site.degraded for site in self.sites) else 0


def crawl(options: CrawlOptions) -> CrawlReport:
    """Crawl the sites until nothing is due, or until SIGINT, SIGTERM or SIGHUP.

    Raises UsageError without contact or with nothing to crawl, BlockedError when another crawl of a site runs
    or the archive is locked, IncompleteError when the disk is full, DamagedError for a torn archive.
    """
    sites = sites_to_crawl(options)
    with Archive(options.archive_path) as archive:
        frontier = Frontier(archive, sites)
        run = Run(options, frontier)
        try:
            shard = "1/1" if options.shard is None else "{}/{}".format(*options.shard)
            refused = frontier.begin(revisit=options.revisit, shard=shard)
            _run_reactor(run)
            if run.error is not None:
                raise run.error
            finished = run.reason == "finished"
            report = CrawlReport(
                crawl=frontier.crawl,
                reason=run.reason if finished else "interrupted",
                resumed=frontier.resumed,
                sites=tuple(_site_report(run, count) for count in counts(archive, frontier.crawl, sites)),
                refused_starts=refused,
            )
            stats = json.dumps([asdict(site) for site in report.sites], ensure_ascii=False)
            frontier.end(report.reason, stats, finished=finished)
        finally:
            frontier.close()
    return report


def sites_to_crawl(options: CrawlOptions) -> dict[str, Site]:
    """The sites that this call crawls: paused and retired ones left out, and those of other shards.

    Raises UsageError when that leaves none, when sites of the public web would be read without a contact, or
    when a site is to be rendered and there is nothing to render it with.
    """
    sites = {name: site for name, site in options.sites.items() if site.status not in _SKIPPED}
    if not sites:
        raise UsageError(
            "There is no site to crawl; name one that 'fanwen sites list' shows and that is not paused."
        )
    if options.proxy is None and not (options.contact or "").strip():
        raise UsageError(
            "Crawling needs a contact for the user agent; run 'fanwen init' and give a mail address."
        )
    if options.shard is not None:
        share, shares = options.shard
        if not 1 <= share <= shares:
            raise UsageError(f"The shard {share}/{shares} does not exist; give i/n with 1 ≤ i ≤ n.")
        sites = {name: site for name, site in sites.items() if shard_of(name, shares) == share}
    if rendered := [name for name, site in sites.items() if site.render]:
        from fanwen.spiders.render import find_browser  # imports Scrapy, which is slow

        find_browser(rendered[0])
    return sites


def shard_of(site: str, shares: int) -> int:
    """Which of the shares (from 1) a site belongs to; the same on every machine."""
    return int.from_bytes(sha256(site.encode()).digest()[:8], "big") % shares + 1


def _run_reactor(run: Run) -> None:
    # Scrapy is slow to import and is needed here only
    from scrapy.crawler import CrawlerProcess

    from fanwen.spiders.spider import FanwenSpider

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.getsignal(number) for number in numbers}
    if handlers[signal.SIGHUP] != signal.SIG_IGN:  # nohup
        # a closed terminal ends a crawl in order, as Scrapy does it for the other two
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    process = CrawlerProcess(_settings(run.options, run.frontier.sites))
    for name in ("scrapy", "twisted"):  # now, because the process has just set their levels itself
        logging.getLogger(name).setLevel(logging.ERROR)
        # what went wrong is told by the report, not by the log's last resort on the terminal
        logging.getLogger(name).addHandler(logging.NullHandler())
    run.crawler = process.create_crawler(FanwenSpider)
    try:
        started = process.crawl(run.crawler, run=run)
        started.addErrback(lambda failure: setattr(run, "error", run.error or failure.value))
        process.start()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _settings(options: CrawlOptions, sites: Mapping[str, Site]) -> dict[str, object]:
    from fanwen.spiders import settings as defaults

    chosen = {name: getattr(defaults, name) for name in dir(defaults) if name.isupper()}
    contact = f"; {' '.join(options.contact.split())}" if options.contact else ""
    hosts = {host for site in sites.values() for host in (site.host, *site.hosts)}
    # through a proxy all hosts share the connections that are kept open
    shared = {"CONCURRENT_REQUESTS_PER_DOMAIN": max(1, len(hosts))} if options.proxy else {}
    render = {"fanwen.spiders.render.RenderMiddleware": 100} if any(s.render for s in sites.values()) else {}
    return (
        chosen
        | shared
        | {
            "DOWNLOADER_MIDDLEWARES": {**defaults.DOWNLOADER_MIDDLEWARES, **render},
            "USER_AGENT": f"fanwen/{__version__} (research corpus of Chinese sample essays{contact})",
            "FANWEN_PROXY": options.proxy,
            # the scheduler keeps the delay
            "DOWNLOAD_SLOTS": {host: {"concurrency": 1, "delay": 0.0, "jitter": 0.0} for host in hosts},
        }
    )


def _site_report(run: Run, count: SiteCount) -> SiteReport:
    site = run.frontier.sites[count.site]
    hosts = [run.hosts[name] for name in (site.host, *site.hosts) if name in run.hosts]
    closed = sorted(f"{host.name}: {host.closed}" for host in hosts if host.closed)
    outcomes = count.outcomes
    requests_today, bytes_today = run.frontier.budgets.spent(run.frontier.archive.conn, count.site)
    return SiteReport(
        site=count.site,
        requests=count.requests,
        by_status=count.statuses,
        bytes=count.bytes,
        new=outcomes.get("new", 0),
        changed=outcomes.get("changed", 0),
        unchanged=outcomes.get("unchanged", 0),
        missing=outcomes.get("missing", 0),
        gone=outcomes.get("gone", 0),
        moved=outcomes.get("moved", 0),
        refused=outcomes.get("refused", 0),
        blocked=count.blocked,
        errors=outcomes.get("failed", 0),
        waits=run.waits[count.site],
        queue=count.queued,
        documents=count.documents,
        wire_bytes=count.wire_bytes,
        spared=count.spared,
        scripted=count.scripted,
        traps=count.traps,
        robots=count.robots,
        budget=run.frontier.budgets.reason(count.site) if count.queued else None,
        requests_today=requests_today,
        bytes_today=bytes_today,
        closed="; ".join(closed) or None,
        told_to_wait=any(host.told_to_wait for host in hosts),
    )
