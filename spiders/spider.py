"""The one spider: it reads every site by its site file.

In come answers to requests that the scheduler made, out goes one transaction per visit
into the archive. Nothing is extracted or cleaned here, and nothing is handed to Scrapy:
no items, no requests.
"""

from __future__ import annotations

import string
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from time import monotonic
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from scrapy import Spider
from scrapy.exceptions import DownloadCancelledError, IgnoreRequest

from fanwen.spiders.archive import utc_now
from fanwen.spiders.decompress import TRUNCATED, RefusedBodyError
from fanwen.spiders.guard import refusal
from fanwen.spiders.items import NEEDS_SCRIPT, Consent, Discovered, Fetch, Leased, PageRead
from fanwen.spiders.links import read_page
from fanwen.spiders.pace import MAX_STRIKES, Host, Probe, retry_after
from fanwen.spiders.robots import (
    MAX_ROBOTS_BYTES,
    ROBOTS_PATH,
    TDMREP_PATH,
    Tdmrep,
    read_consent,
    read_robots,
    read_tdmrep,
)
from fanwen.spiders.run import Run, StoppedError
from fanwen.spiders.scope import invented, origin
from fanwen.spiders.takedown import TAKEN_DOWN

MAX_HOPS = 5
_MOST_SITEMAPS = 50  # that one robots.txt may name
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_LONG_WAIT = 3600.0  # for a host that says "too many requests" and not for how long


class FanwenSpider(Spider):
    name = "fanwen"

    def __init__(self, run: Run | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if run is None:
            raise SystemExit(
                "Run 'fanwen crawl' instead: it opens the archive and sets the pace of each site."
            )
        self.run = run

    async def start(self) -> AsyncIterator[Any]:
        """Nothing: start URLs are in the frontier before the crawl begins."""
        return
        yield  # what makes this a generator

    def answered(self, response: Any) -> None:
        """A page, a redirect, an error page or a 304: one visit, one transaction."""
        with self.run.trap():
            host: Host = response.meta["host"]
            leased: Leased = response.meta["leased"]
            host.answered()
            fetch = self._fetch(response, host)
            if response.status in _PASSING:
                self._failed(host, leased, fetch, retry_after(_header(response, "Retry-After")))
                return
            host.strikes = 0
            if response.status in _REDIRECTS:
                self._redirected(host, leased, fetch, response)
            elif response.status == 200:
                self._page(host, leased, fetch, response)
            elif response.status == 304 and not (leased.etag or leased.last_modified):
                self._record(
                    leased, replace(fetch, status=0, error="answered 304 to a request without validators")
                )
            else:
                self._record(leased, fetch)

    def unanswered(self, failure: Any) -> None:
        """No usable answer: refused by the guard, too large, timed out, or no connection."""
        with self.run.trap():
            host: Host = failure.request.meta["host"]
            leased: Leased = failure.request.meta["leased"]
            host.answered()
            if failure.check(StoppedError):
                self.run.frontier.give_back(leased)
                return
            fetch = Fetch(leased.url, utc_now(), 0, (), None, error=_reason(failure))
            if failure.check(IgnoreRequest, DownloadCancelledError, RefusedBodyError):
                self._record(leased, fetch)  # the next try would end the same way
            else:
                self._failed(host, leased, fetch, None)

    def robots_answered(self, response: Any) -> None:
        with self.run.trap():
            host, origin, hops = (response.meta[key] for key in ("host", "origin", "hops"))
            host.answered()
            if response.status in _REDIRECTS and hops < MAX_HOPS:
                target = _location(response)
                reason = refusal(target)
                if reason is None:
                    host.robots_next[origin] = (target, hops + 1)
                    return
                self._robots(host, response.request, response.status, b"", f"redirected: {reason}")
                return
            wait = retry_after(_header(response, "Retry-After"))
            if response.status in (429, 503) and wait:
                self.run.frontier.wait(host.name, wait, f"robots.txt answered {response.status}: wait")
                host.told_to_wait = True
            self._robots(host, response.request, response.status, response.body, None)

    def robots_unanswered(self, failure: Any) -> None:
        with self.run.trap():
            host = failure.request.meta["host"]
            host.answered()
            host.robots_failures += 1
            if host.robots_failures <= self.run.options.retries and not failure.check(
                IgnoreRequest, RefusedBodyError
            ):
                host.put_off(self._back_off(host.robots_failures - 1))
                return
            self._robots(host, failure.request, 0, b"", _reason(failure))

    def tdmrep_answered(self, response: Any) -> None:
        with self.run.trap():
            self._tdmrep(response.request, response.status, response.body, None)
            self._heed(response)

    def tdmrep_unanswered(self, failure: Any) -> None:
        with self.run.trap():
            self._tdmrep(failure.request, 0, b"", _reason(failure))

    def probed(self, response: Any) -> None:
        """An address that nobody gave out: what it shows, the site shows for whatever is not there."""
        with self.run.trap():
            host: Host = response.meta["host"]
            host.answered()
            self._heed(response)
            probe, host.probe = host.probe, None
            if probe is None:
                return
            words = None
            if response.status == 200:
                shown = read_page(
                    probe.leased,
                    self.run.scope(probe.leased.site),
                    response.url,
                    response.body,
                    _header(response, "Content-Type"),
                )
                words = shown.words_hash
            self.run.frontier.judge(
                probe.leased.site,
                probe.page.words_hash or "",
                absent_too=words == probe.page.words_hash,
                example=probe.url,
                size=_wire_bytes(response),
            )
            self._record(probe.leased, probe.fetch, probe.page, read=_is_read(probe.page, probe.fetch))

    def not_probed(self, failure: Any) -> None:
        with self.run.trap():
            host: Host = failure.request.meta["host"]
            host.answered()
            probe, host.probe = host.probe, None
            if probe is not None:
                self._record(probe.leased, probe.fetch, probe.page, read=_is_read(probe.page, probe.fetch))

    def _robots(self, host: Host, request: Any, status: int, body: bytes, error: str | None) -> None:
        origin, site = request.meta["origin"], request.meta["site"]
        digest = self._site_file(origin, ROBOTS_PATH, site, status, body, error)
        robots = read_robots(status, body, digest, error)
        host.robots[origin] = (monotonic(), robots)
        host.robots_next.pop(origin, None)
        host.robots_failures = 0
        scope = self.run.scope(site)
        sitemaps = {scope.url(url)[0] for url in robots.sitemaps()[:_MOST_SITEMAPS]} - {None}
        if sitemaps:
            self.run.frontier.add_sitemaps(site, sorted(str(url) for url in sitemaps))

    def _tdmrep(self, request: Any, status: int, body: bytes, error: str | None) -> None:
        host, origin = request.meta["host"], request.meta["origin"]
        host.answered()
        digest = self._site_file(origin, TDMREP_PATH, request.meta["site"], status, body, error)
        if status not in (200, 404, 410) and (known := self.run.frontier.newest_tdmrep(origin)):
            digest, body = known  # it cannot be read now: what it said last still holds
        host.tdmrep[origin] = Tdmrep(digest, read_tdmrep(body) if digest else ())

    def _site_file(
        self, origin: str, path: str, site: str, status: int, body: bytes, error: str | None
    ) -> str | None:
        """Keep what the site says for all its pages; the sha256 of it, None where there is nothing."""
        kept = 200 <= status < 300 and (path == ROBOTS_PATH or len(body) <= MAX_ROBOTS_BYTES)
        fetch = Fetch(
            origin + path,
            utc_now(),
            status,
            (),
            body if kept else None,
            error=error,
            wire_bytes=len(body),
        )
        return self.run.frontier.record_robots(origin, path, fetch, site)

    def _page(self, host: Host, leased: Leased, fetch: Fetch, response: Any) -> None:
        body = response.body
        if sha256(body).hexdigest() in self.run.options.takedown.hashes:
            self.run.frontier.block(leased, TAKEN_DOWN)
            return
        scope = self.run.scope(leased.site)
        page = read_page(leased, scope, response.url, body, fetch.content_type)
        site = origin(response.url)
        consent = read_consent(
            leased.url, host.robots_for(site), _headers(response), page.metas, host.tdmrep.get(site)
        )
        fetch = replace(
            fetch,
            body=body,
            truncated=bool({TRUNCATED, "dataloss"} & set(response.flags)),
            error=NEEDS_SCRIPT if page.needs_script else page.problem,
            consent=consent,
        )
        for link in page.links:
            self.run.host(urlsplit(link.url).netloc).drained = False
        if self.run.frontier.doubtful(leased, page) and self._may_probe(host, leased):
            host.probe = Probe(invented(response.url), leased, fetch, page)
            return
        self._record(leased, fetch, page, read=_is_read(page, fetch))

    def _may_probe(self, host: Host, leased: Leased) -> bool:
        url = invented(leased.url)
        robots = host.robots_for(origin(url))
        return robots is not None and robots.allows(url)

    def _redirected(self, host: Host, leased: Leased, fetch: Fetch, response: Any) -> None:
        """Within the site the target takes this URL's place; a redirect that leaves it is only noted."""
        target = _location(response)
        url, _ = self.run.scope(leased.site).url(target)
        if url == leased.url and target != response.url and response.meta["again"] < MAX_HOPS:
            # two spellings of one page, and the server insists on the other
            host.pending = (leased, target, response.meta["again"] + 1)
            if origin(target) != origin(response.url):
                host.insists = (urlsplit(target).scheme, urlsplit(target).netloc)
            return
        if url is None:
            problem = refusal(target) or "it leaves the site"
        elif url == leased.url:
            problem = "it leads to itself"
        elif leased.hops >= MAX_HOPS:
            problem = "too many redirects in a row"
        elif urlsplit(url).path == "/" and leased.kind != "list":
            fetch = replace(fetch, status=404)  # a soft one
            problem = "it leads to the front page"
        else:
            self.run.host(urlsplit(url).netloc).drained = False
            document = leased.document_url if leased.kind == "part" else None
            there = PageRead((Discovered(url, leased.kind, document, leased.part),))
            self._record(leased, fetch, there, moved_to=url)
            return
        self._record(leased, replace(fetch, error=f"redirect to {target[:500]} not followed: {problem}"))

    def _failed(self, host: Host, leased: Leased, fetch: Fetch, asked: float | None) -> None:
        """Try again later in this crawl, or leave it, or leave the host, for the next one; never 'gone'."""
        options = self.run.options
        again = leased.attempts < options.retries
        # a moment that is over is a clock that goes wrong, not leave to ask at once
        wait = asked or self._back_off(leased.attempts)
        if asked is not None:
            self.run.waits[leased.site] += 1
        if wait > options.max_wait or (fetch.status == 429 and not again):
            wait = max(wait, _LONG_WAIT if asked is None else 0.0)
            self.run.frontier.wait(host.name, wait, f"answered {fetch.status}: wait")
            host.close(f"told us to wait {wait:.0f} seconds", told_to_wait=True)
            self._record(leased, fetch, retry_in=wait)
            return
        host.strikes += 1
        host.put_off(wait)
        host.drained = False
        self._record(leased, fetch, retry_in=wait if again else None)
        if host.strikes >= MAX_STRIKES:
            host.close(f"not answering: {fetch.error}")

    def _heed(self, response: Any) -> None:
        """An answer to a question of our own that says to wait counts for the host like that of a page."""
        host, wait = response.meta["host"], retry_after(_header(response, "Retry-After"))
        if response.status not in (429, 503) or wait is None:
            return
        host.put_off(wait)
        if wait > self.run.options.max_wait:
            self.run.frontier.wait(host.name, wait, f"answered {response.status}: wait")
            host.close(f"told us to wait {wait:.0f} seconds", told_to_wait=True)

    def _record(
        self,
        leased: Leased,
        fetch: Fetch,
        page: PageRead = PageRead(),
        *,
        read: bool = False,
        moved_to: str | None = None,
        retry_in: float | None = None,
    ) -> None:
        outcome = self.run.frontier.record(
            leased, fetch, page, read=read, moved_to=moved_to, retry_in=retry_in
        )
        trouble = fetch.error if outcome not in ("new", "changed", "unchanged", "moved") else None
        self.run.seen(leased.site, leased.url, fetch.status, outcome, trouble)

    def _back_off(self, attempts: int) -> float:
        return min(self.run.options.retry_delay * 2.0**attempts, self.run.options.max_wait)

    def _fetch(self, response: Any, host: Host) -> Fetch:
        headers = _headers(response)
        site = origin(response.url)
        leased: Leased = response.meta["leased"]
        good = response.status in (200, 304)
        return Fetch(
            url=leased.url,
            fetched_at=utc_now(),
            status=response.status,
            headers=tuple((name, value) for name, values in headers.items() for value in values),
            body=None,
            content_type=_header(response, "Content-Type"),
            etag=_header(response, "ETag"),
            last_modified=_header(response, "Last-Modified"),
            error=None if good else f"http {response.status}",
            # a page's own words count too, and are read with it
            consent=Consent()
            if response.status == 200
            else read_consent(leased.url, host.robots_for(site), headers, (), host.tdmrep.get(site)),
            wire_bytes=_wire_bytes(response),
        )


def _is_read(page: PageRead, fetch: Fetch) -> bool:
    """A torn page may lack links: it neither proves that a part is gone nor counts as read."""
    return page.problem is None and not fetch.truncated


def _wire_bytes(response: Any) -> int:
    return int(response.meta.get("wire_bytes", len(response.body)))


def _headers(response: Any) -> dict[str, list[str]]:
    return {
        name.decode("latin-1").lower(): [value.decode("latin-1") for value in values]
        for name, values in response.headers.items()
    }


def _header(response: Any, name: str) -> str | None:
    value = response.headers.get(name)
    return None if value is None else value.decode("latin-1")


def _location(response: Any) -> str:
    """Where a redirect leads; what cannot be joined to a URL is left as it is, for the guard to refuse."""
    raw: bytes = response.headers.get("Location") or b""
    try:
        location = raw.decode("utf-8")
    except UnicodeDecodeError:
        location = quote(raw, safe=string.punctuation)  # in the site's charset, as its pages link to it
    base: str = response.url
    try:
        return urljoin(base, location)
    except ValueError:
        return location


def _reason(failure: Any) -> str:
    text = " ".join(str(failure.value).split())
    return f"{type(failure.value).__name__}: {text}"[:300]
