"""The frontier: which URLs to visit, who visits them now, and what each visit brought.

It lives in archive.db beside the bodies, and each visit is written in one transaction:
the URL's new state, the fetch, the body and the links found on the page. A kill at any
moment therefore loses nothing that was committed, and nothing committed is fetched again.

A URL is leased to a crawl. A crawl holds an operating-system lock for as long as its
process lives, so the next crawl knows for sure that one is dead, takes its leases back
and resumes it; two processes never hold the same URL.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from fanwen.errors import BlockedError
from fanwen.spiders import absent, discovery, lastmod
from fanwen.spiders.archive import LEAST_DAYS, MOST_DAYS, Archive, explained, insert, later, utc_now
from fanwen.spiders.budget import Budgets
from fanwen.spiders.discovery import HELD_PRIORITY, LIES, LIST_DAYS, Discovery, Place
from fanwen.spiders.guard import refusal
from fanwen.spiders.items import Discovered, Fetch, Leased, PageRead
from fanwen.spiders.reader import reader_of
from fanwen.spiders.robots import SITE_WIDE, TDMREP_PATH
from fanwen.spiders.scope import Scope
from fanwen.spiders.site import Site
from fanwen.spiders.urls import canonical_url

_GONE_AFTER = 3  # visits in a row that answered 404
_REFUSALS = frozenset({401, 403, 407, 451})
_FORGET_DAYS = 180  # what was learned of a site is looked at again
_NOTHING = PageRead()


class Before(NamedTuple):
    """What the archive knew of a URL before a visit."""

    body_hash: str | None
    truncated: bool
    interval: int
    missing: int
    consent_fetch: int | None
    words: str | None
    lastmod: str | None
    lastmod_held: str | None
    place: Place


class Frontier:
    """The crawl's side of an archive, for the sites given."""

    def __init__(self, archive: Archive, sites: Mapping[str, Site]):
        self.archive = archive
        self.sites = sites
        self.crawl = 0
        self.resumed = False
        self.discovery = Discovery(sites)
        self.budgets = Budgets(sites)
        self.rescoped: set[str] = set()  # sites of which something was learned that changes their scope
        self._lock: int | None = None
        self._ahead: dict[str, Leased] = {}  # by host, leased together with the visit before
        self._follow_rules = {name: _follow_rules(site) for name, site in sites.items()}

    def begin(self, *, revisit: bool, shard: str) -> tuple[str, ...]:
        """Start a crawl, or resume the one a kill left; the start URLs that the guard refused.

        With ``revisit`` every known URL becomes due, once: a resumed crawl is not marked again.
        Raises BlockedError while another crawl of one of these sites runs.
        """
        names = json.dumps(sorted(self.sites))
        with self.archive.write() as conn:
            for crawl, others, *shape in conn.execute(
                "SELECT id, sites, revisit, shard FROM crawl WHERE finished_at IS NULL ORDER BY id"
            ).fetchall():
                shared = self.sites.keys() & set(json.loads(others))
                lock = _lock(self._lock_path(crawl))
                if lock is None:
                    if shared:
                        raise BlockedError(
                            f"Another crawl of {', '.join(sorted(shared))} is running in"
                            f" {self.archive.path}; wait until it has ended."
                        )
                    continue
                conn.execute("UPDATE url SET state = 'new', lease = NULL WHERE lease = ?", (crawl,))
                if not self.crawl and [others, *shape] == [names, int(revisit), shard]:
                    self.crawl, self._lock, self.resumed = crawl, lock, True
                    continue
                if shared:
                    conn.execute(
                        "UPDATE crawl SET finished_at = ?, reason = 'superseded' WHERE id = ?",
                        (utc_now(), crawl),
                    )
                _unlock(lock, self._lock_path(crawl))
            conn.execute("DELETE FROM learned WHERE since < ?", (later(days=-_FORGET_DAYS),))
            if not self.resumed:
                self._start(conn, names, revisit, shard)
            self.discovery.load(conn, self.crawl)
            return self._seed(conn)

    def scope(self, site: str) -> Scope:
        """The site's scope, with what has been learned of it up to now."""
        return self.discovery.scope(self.sites[site])

    def hosts(self) -> list[str]:
        """The hosts that have something to visit."""
        rows = self.archive.conn.execute(
            "SELECT DISTINCT host FROM url WHERE state = 'new'"
            f" AND site IN ({_marks(self.sites)}) ORDER BY host",
            (*self.sites,),
        )
        return [host for (host,) in rows]

    def queue(self, site: str) -> int:
        """How many URLs of the site are still to be visited."""
        row = self.archive.conn.execute(
            "SELECT count(*) FROM url WHERE site = ? AND state IN ('new', 'leased')", (site,)
        ).fetchone()
        return int(row[0])

    def lease(self, host: str) -> Leased | None:
        """Take the next due URL of a host, or None; none of a site whose budget of the day is spent."""
        if host in self._ahead:
            return self._ahead.pop(host)
        with self.archive.write() as conn:
            return self._lease(conn, host)

    def _lease(self, conn: sqlite3.Connection, host: str) -> Leased | None:
        sites = self.budgets.left(conn)
        if not sites:
            return None
        row = conn.execute(
            "UPDATE url SET state = 'leased', lease = ? WHERE id = (SELECT id FROM url"
            " WHERE state = 'new' AND host = ? AND (not_before IS NULL OR not_before <= ?)"
            # nothing else of a host while a sitemap of it is unread: it may say what need not be asked
            " AND (kind = 'sitemap' OR NOT EXISTS (SELECT 1 FROM url s WHERE s.host = url.host"
            "  AND s.site = url.site AND s.kind = 'sitemap' AND s.state IN ('new', 'leased')))"
            f" AND site IN ({_marks(sites)}) ORDER BY priority DESC, place, id LIMIT 1)"
            " RETURNING id, url, site, host, kind, document_url, part, depth, hops, attempts,"
            " etag, last_modified, follow_rules, body_hash",
            (self.crawl, host, utc_now(), *sites),
        ).fetchone()
        if row is None:
            return None
        leased = Leased(*row[:12])
        rules, body = row[12:]
        # a page is read in full again when the site file follows other links than it did then
        if body is None or rules != self._follow_rules[leased.site]:
            return replace(leased, etag=None, last_modified=None)
        return leased

    def next_retry(self, host: str) -> str | None:
        """When the earliest put-off URL of a host is due, None when it has none."""
        sites = self.budgets.left(self.archive.conn)
        row = self.archive.conn.execute(
            f"SELECT min(not_before) FROM url WHERE state = 'new' AND host = ? AND site IN ({_marks(sites)})",
            (host, *sites),
        ).fetchone()
        return None if row[0] is None else str(row[0])

    def doubtful(self, leased: Leased, page: PageRead) -> bool:
        """Whether an invented address of the site should be asked for, before this page is believed."""
        return absent.doubtful(self.archive.conn, self.discovery, leased, page)

    def judge(self, site: str, words: str, *, absent_too: bool, example: str, size: int) -> None:
        """Keep whether an invented address shows these words too: then nothing is there."""
        with self.archive.write() as conn:
            self.budgets.spend(conn, site, size)
            absent.judge(conn, self.discovery, site, words, absent=absent_too, example=example)

    def record(
        self,
        leased: Leased,
        fetch: Fetch,
        page: PageRead = _NOTHING,
        *,
        read: bool = False,
        moved_to: str | None = None,
        retry_in: float | None = None,
    ) -> str:
        """Write one visit in one transaction, and give its outcome.

        ``read``: the page was parsed and its links are all it has. ``moved_to``: it redirects there, within
        the site. ``retry_in``: seconds until this crawl tries a failed visit again, None for the next crawl.
        Outcomes: new, changed, unchanged, moved, missing (404 or a soft one, not yet believed), gone, failed,
        and refused (forbidden by the site, or a redirect that is not followed).
        """
        with self.archive.write() as conn:
            before = _before(conn, leased)
            fetch, moved_to = absent.seen_through(conn, self.discovery, leased, fetch, page, moved_to)
            body_hash = None if fetch.body is None else self.archive.store_body(fetch.body)
            outcome = _outcome(fetch, body_hash, before, moved_to)
            fetch_id = self.insert_fetch(conn, leased.id, fetch, outcome, body_hash, before.consent_fetch)
            self.budgets.spend(conn, leased.site, fetch.wire_bytes or len(fetch.body or b""))
            if outcome in ("new", "changed"):
                conn.execute(
                    "UPDATE url SET body_hash = ?, body_fetch = ?, words_hash = ?, han = ?,"
                    " first_fetched_at = coalesce(first_fetched_at, ?) WHERE id = ?",
                    (body_hash, fetch_id, page.words_hash, page.han, fetch.fetched_at, leased.id),
                )
            good = outcome in ("new", "changed", "unchanged")
            if good:
                same = outcome == "unchanged" or (
                    page.words_hash is not None and page.words_hash == before.words
                )
                self._settle_good(
                    conn, leased, fetch, fetch_id, before, same=same, first=outcome == "new", read=read
                )
            else:
                self._settle_bad(conn, leased, fetch, fetch_id, outcome, moved_to, retry_in)
            if read:
                discovery.prune(conn, leased, page.links)
            self._follow(conn, leased, page, before, good=good, moved=moved_to is not None)
            if outcome == "changed" and page.words_hash != before.words:
                self._doubt_sitemap(conn, leased, before)
            if outcome == "new" and self.discovery.compare(conn, leased, page):
                self.rescoped.add(leased.site)
            following = self._lease(conn, leased.host)  # a transaction of its own would cost as much again
        if following is not None:
            self._ahead[leased.host] = following
        return outcome

    def take_links(self, conn: sqlite3.Connection, leased: Leased, links: Sequence[Discovered]) -> None:
        """Take all the links of a page that was read outside a crawl, inside the caller's transaction."""
        conn.execute(
            "UPDATE url SET follow_rules = ? WHERE id = ?", (self._follow_rules[leased.site], leased.id)
        )
        discovery.prune(conn, leased, links)
        self.discovery.found(conn, leased, links, _before(conn, leased).place)

    def block(self, leased: Leased, reason: str) -> None:
        """A URL that robots.txt forbids: its earlier body is kept, the next crawl looks again."""
        with self.archive.write() as conn:
            conn.execute(
                "UPDATE url SET state = 'blocked', lease = NULL, note = ? WHERE id = ?", (reason, leased.id)
            )

    def give_back(self, leased: Leased) -> None:
        """Put a leased URL back, as if it had never been taken."""
        with self.archive.write() as conn:
            conn.execute("UPDATE url SET state = 'new', lease = NULL WHERE id = ?", (leased.id,))

    def record_robots(self, origin: str, path: str, fetch: Fetch, site: str) -> str | None:
        """Keep a robots.txt or tdmrep.json as evidence; its sha256, None where there is none."""
        with self.archive.write() as conn:
            self.budgets.spend(conn, site, fetch.wire_bytes)
            body_hash = None if fetch.body is None else self.archive.store_body(fetch.body)
            insert(
                conn,
                "robots",
                origin=origin,
                path=path,
                crawl=self.crawl,
                fetched_at=fetch.fetched_at,
                status=fetch.status,
                error=fetch.error,
                body_hash=body_hash,
            )
        return body_hash

    def newest_tdmrep(self, origin: str) -> tuple[str, bytes] | None:
        """(sha256, body) of the last tdmrep.json that the origin gave, for when it does not answer."""
        row = self.archive.conn.execute(
            "SELECT body_hash FROM robots WHERE origin = ? AND path = ? AND (body_hash IS NOT NULL OR"
            " status BETWEEN 400 AND 499) ORDER BY id DESC LIMIT 1",
            (origin, TDMREP_PATH),
        ).fetchone()
        return None if row is None or row[0] is None else (row[0], self.archive.body(row[0]))

    def add_sitemaps(self, site: str, urls: Sequence[str]) -> None:
        """Sitemaps that a robots.txt names, as start pages of the site."""
        with self.archive.write() as conn:
            for url in urls:
                self.discovery.insert(conn, site, Discovered(url, "sitemap"), None, Place(url, 0, 0, 0))

    def trap(self, site: str, kind: str, example: str) -> None:
        """Count something that is not followed."""
        with self.archive.write() as conn:
            self.discovery.trap(conn, site, kind, example)

    def wait(self, host: str, seconds: float, reason: str) -> None:
        """Remember that a host told us to stay away for so long."""
        with self.archive.write() as conn:
            conn.execute(
                "INSERT INTO host (host, wait_until, reason) VALUES (?, ?, ?)"
                " ON CONFLICT (host) DO UPDATE SET wait_until = max(wait_until, excluded.wait_until),"
                " reason = excluded.reason",
                (host, later(seconds=seconds), reason),
            )

    def waits(self) -> dict[str, tuple[str, str]]:
        """The hosts that must still be left alone: until when, and why."""
        rows = self.archive.conn.execute(
            "SELECT host, wait_until, reason FROM host WHERE wait_until > ?", (utc_now(),)
        )
        return {host: (until, reason) for host, until, reason in rows}

    def end(self, reason: str, stats: str, *, finished: bool) -> None:
        """Give all leases back; a crawl that read its queue to the end is closed, another can be resumed."""
        with self.archive.write() as conn:
            conn.execute("UPDATE url SET state = 'new', lease = NULL WHERE lease = ?", (self.crawl,))
            conn.execute(
                "UPDATE crawl SET reason = ?, stats = ?, finished_at = ? WHERE id = ?",
                (reason, stats, utc_now() if finished else None, self.crawl),
            )
        if self._lock is not None:
            _unlock(self._lock, self._lock_path(self.crawl))
            self._lock = None

    def close(self) -> None:
        """Let go of the lock; the crawl stays open unless it ended."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _start(self, conn: sqlite3.Connection, names: str, revisit: bool, shard: str) -> None:
        now = utc_now()
        self.crawl = insert(conn, "crawl", started_at=now, sites=names, revisit=int(revisit), shard=shard)
        self._lock = _lock(self._lock_path(self.crawl))
        conn.execute(
            "UPDATE url SET state = 'new', attempts = 0, not_before = NULL,"
            " priority = CASE WHEN kind IN ('detail', 'attachment') AND body_hash IS NOT NULL"
            f" THEN {HELD_PRIORITY} ELSE priority END WHERE site IN ({_marks(self.sites)})"
            " AND (state IN ('new', 'blocked') OR (state IN ('done', 'failed') AND (? OR next_visit <= ?))"
            " OR (state = 'gone' AND next_visit <= ?))",
            (*self.sites, int(revisit), now, now),
        )

    def _seed(self, conn: sqlite3.Connection) -> tuple[str, ...]:
        refused = []
        for site in self.sites.values():
            for kind, urls in (("list", site.start), ("sitemap", site.sitemaps)):
                for url in urls:
                    reason = refusal(url)
                    if reason is None:
                        # as it is written, and under the name by which links will find it
                        known = self.scope(site.name).url(url)[0] or canonical_url(url)
                        place = Place(known, 0, 0, 0)
                        self.discovery.insert(conn, site.name, Discovered(known, kind), None, place)
                    else:
                        refused.append(f"{url}: {reason}")
        return tuple(refused)

    def insert_fetch(
        self,
        conn: sqlite3.Connection,
        url_id: int,
        fetch: Fetch,
        outcome: str,
        body_hash: str | None,
        earlier: int | None,
    ) -> int:
        """Write one visit down, of this crawl or of none; a 304 goes on to say what ``earlier`` said."""
        consent = fetch.consent
        meta, robots_tag, tdm, usage, reservations = (
            consent.meta_robots,
            consent.x_robots_tag,
            consent.tdm_reservation,
            consent.content_usage,
            set(consent.reservations),
        )
        if fetch.status == 304 and earlier is not None:
            # a 304 repeats neither the page nor all headers: what was said with the page still holds
            old = conn.execute(
                "SELECT meta_robots, x_robots_tag, tdm_reservation, content_usage, reservations FROM fetch"
                " WHERE id = ?",
                (earlier,),
            ).fetchone()
            meta, robots_tag, tdm, usage = (
                meta or old[0],
                robots_tag or old[1],
                tdm or old[2],
                usage or old[3],
            )
            # the site's files were read afresh, so their earlier word does not count any more
            reservations |= {word for word in json.loads(old[4]) if not word.startswith(SITE_WIDE)}
        return insert(
            conn,
            "fetch",
            url_id=url_id,
            crawl=self.crawl or None,
            fetched_at=fetch.fetched_at,
            status=fetch.status,
            outcome=outcome,
            headers=json.dumps(fetch.headers, ensure_ascii=False),
            content_type=fetch.content_type,
            body_hash=body_hash,
            bytes=len(fetch.body or b""),
            wire=fetch.wire_bytes or len(fetch.body or b""),
            not_modified=int(fetch.status == 304),
            truncated=int(fetch.truncated),
            error=fetch.error,
            robots_hash=consent.robots_hash,
            x_robots_tag=robots_tag,
            meta_robots=meta,
            tdm_reservation=tdm,
            content_usage=usage,
            tdmrep_hash=consent.tdmrep_hash,
            reservations=json.dumps(sorted(reservations), ensure_ascii=False),
        )

    def _settle_good(
        self,
        conn: sqlite3.Connection,
        leased: Leased,
        fetch: Fetch,
        fetch_id: int,
        before: Before,
        *,
        same: bool,
        first: bool,
        read: bool,
    ) -> None:
        """``same``: the page says what it said before, whatever its bytes."""
        if leased.kind in ("list", "sitemap"):
            days = LIST_DAYS
        elif same:
            days = min(MOST_DAYS, before.interval * 2)
        else:
            days = before.interval if first else max(LEAST_DAYS, before.interval // 2)
        if fetch.truncated:
            days = 1
        # validators of a torn body would freeze it: a 304 would confirm what was never whole
        keep = fetch.status == 304 or not fetch.truncated
        conn.execute(
            "UPDATE url SET state = 'done', lease = NULL, attempts = 0, not_before = NULL, failures = 0,"
            " missing = 0, hops = 0, moved_to = NULL, gone = NULL, note = NULL, spared = NULL,"
            " last_fetch = :fetch, consent_fetch = :fetch, interval_days = :days,"
            " interval_was = :was, next_visit = :next,"
            " lastmod_held = :lastmod, etag = CASE WHEN :same THEN coalesce(:etag, etag) ELSE :etag END,"
            " last_modified = CASE WHEN :same THEN coalesce(:modified, last_modified) ELSE :modified END,"
            " follow_rules = CASE WHEN :same THEN follow_rules WHEN :read THEN :rules END WHERE id = :id",
            {
                "fetch": fetch_id,
                "days": days,
                "was": before.interval,
                "next": later(days=days),
                "same": fetch.status == 304,
                "lastmod": lastmod.settled(before.lastmod, fetch.fetched_at) if keep else None,
                "etag": fetch.etag if keep else None,
                "modified": fetch.last_modified if keep else None,
                "read": read,
                "rules": self._follow_rules[leased.site],
                "id": leased.id,
            },
        )

    def _settle_bad(
        self,
        conn: sqlite3.Connection,
        leased: Leased,
        fetch: Fetch,
        fetch_id: int,
        outcome: str,
        moved_to: str | None,
        retry_in: float | None,
    ) -> None:
        state, next_visit, gone = "done", later(days=1), None
        if outcome == "gone":
            state, next_visit = "gone", later(days=MOST_DAYS)
            gone = _gone_reason(fetch)
        elif outcome == "moved":
            next_visit = later(days=MOST_DAYS)
            # whoever moved here moves on with it, and what the target is known to have moved to counts
            onward = conn.execute("SELECT moved_to FROM url WHERE url = ?", (moved_to,)).fetchone()
            if onward and onward[0] not in (None, leased.url):
                moved_to = str(onward[0])
            conn.execute("UPDATE url SET moved_to = ? WHERE moved_to = ?", (moved_to, leased.url))
        elif outcome == "failed":
            state, next_visit = ("failed", utc_now()) if retry_in is None else ("new", utc_now())
        conn.execute(
            "UPDATE url SET state = ?, lease = NULL, last_fetch = ?, next_visit = ?,"
            " gone = coalesce(?, gone), moved_to = coalesce(?, moved_to), note = ?,"
            " attempts = attempts + 1, failures = failures + (? = 'failed'),"
            " missing = CASE WHEN ? IN ('missing', 'gone') THEN missing + 1 ELSE missing END, not_before = ?"
            " WHERE id = ?",
            (
                state,
                fetch_id,
                next_visit,
                gone,
                moved_to,
                fetch.error,
                state,
                outcome,
                None if retry_in is None else later(seconds=retry_in),
                leased.id,
            ),
        )

    def _follow(
        self,
        conn: sqlite3.Connection,
        leased: Leased,
        page: PageRead,
        before: Before,
        *,
        good: bool,
        moved: bool,
    ) -> None:
        """Put what the page brought into the frontier."""
        at = before.place._replace(hops=before.place.hops + 1 if moved else 0)
        for kind, example in page.traps:
            self.discovery.trap(conn, leased.site, kind, example)
        brought = self.discovery.found(conn, leased, page.links, at)
        if not good:
            return
        if leased.kind == "list":
            self.discovery.list_read(conn, leased, at, brought, known=before.body_hash is not None)
        elif leased.kind == "sitemap":
            if page.links:
                lastmod.announce(conn, leased.url, page.links)
            self._diff(conn, leased.site, leased.url)
        else:
            absent.check_target(conn, self.discovery, leased, page)

    def _diff(self, conn: sqlite3.Connection, site: str, sitemap: str) -> None:
        trusted = not self.discovery.knows(site, LIES)
        for spared in lastmod.diff(conn, sitemap, self.crawl, trusted=trusted):
            self._diff(conn, site, spared)

    def _doubt_sitemap(self, conn: sqlite3.Connection, leased: Leased, before: Before) -> None:
        """A page that changed under the lastmod it had: the sitemap's word counts no more."""
        if (
            before.lastmod is None
            or before.lastmod != before.lastmod_held
            or leased.kind in ("list", "sitemap")
        ):
            return
        self.discovery.learn(conn, leased.site, LIES, "lastmod", leased.url)
        lastmod.reopen(conn, leased.site, self.crawl)
        self.discovery.trap(conn, leased.site, LIES, leased.url)

    def _lock_path(self, crawl: int) -> Path:
        return self.archive.path.with_name(f"{self.archive.path.name}.crawl-{crawl}.lock")


def _before(conn: sqlite3.Connection, leased: Leased) -> Before:
    *known, series, place, depth, hops = conn.execute(
        "SELECT u.body_hash, coalesce(f.truncated, 0), u.interval_days, u.missing, u.consent_fetch,"
        " u.words_hash, u.lastmod, u.lastmod_held, coalesce(u.series, u.url), u.place, u.depth, u.hops"
        " FROM url u LEFT JOIN fetch f ON f.id = u.body_fetch WHERE u.id = ?",
        (leased.id,),
    ).fetchone()
    return Before._make((*known, Place(series, place, depth, hops)))


def _follow_rules(site: Site) -> str:
    """What decides which links are followed: while it is the same, an unchanged page is not read again."""
    rules = [site.host, site.hosts, site.follow.model_dump(), site.parts.model_dump()]
    if site.spider is not None:
        rules += [site.spider, reader_of(site.spider).version]
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:16]


def _outcome(fetch: Fetch, body_hash: str | None, before: Before, moved_to: str | None) -> str:
    if moved_to is not None:
        return "moved"
    if fetch.status == 200 and body_hash is not None:
        if fetch.truncated and before.body_hash is not None and not before.truncated:
            return "failed"  # a torn body never replaces a whole one
        if before.body_hash is None:
            return "new"
        return "unchanged" if before.body_hash == body_hash else "changed"
    if fetch.status == 304 and before.body_hash is not None:
        return "unchanged"
    if fetch.status == 410 or (fetch.status == 404 and before.missing + 1 >= _GONE_AFTER):
        return "gone"
    if fetch.status == 404:
        return "missing"
    return "refused" if fetch.status in _REFUSALS or 300 <= fetch.status < 400 else "failed"


def _gone_reason(fetch: Fetch) -> str:
    if fetch.status == 410:
        return "http 410"
    return "http 404 three times" if fetch.error == "http 404" else "not there three times"


def _marks(values: Collection[str]) -> str:
    return ",".join("?" * len(values))


def _lock(path: Path) -> int | None:
    """Take an operating-system lock, which ends with the process; None when another process has it."""
    with explained(path):
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
    return handle


def _unlock(handle: int, path: Path) -> None:
    path.unlink(missing_ok=True)
    os.close(handle)
