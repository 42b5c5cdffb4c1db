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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from fanwen.errors import BlockedError
from fanwen.spiders.archive import UNLINKED, Archive, explained, insert, utc_now
from fanwen.spiders.guard import refusal
from fanwen.spiders.items import Discovered, Fetch, Leased
from fanwen.spiders.site import Site
from fanwen.spiders.urls import canonical_url

# Parts first, so that a document that was begun is soon whole; lists last, so that the queue stays short.
PRIORITY = {"sitemap": 50, "part": 40, "attachment": 30, "detail": 20, "list": 10}
# A page's fragments lie between it and the next page: page n has part n * PART_STEP.
PART_STEP = 1000

_LIST_DAYS = 1
_LEAST_DAYS, _MOST_DAYS = 30, 365  # how long a page is left alone
_GONE_AFTER = 3  # visits in a row that answered 404
_REFUSALS = frozenset({401, 403, 407, 451})


@dataclass(frozen=True, slots=True)
class SiteCount:
    """What the fetches of one crawl brought for one site; ``statuses`` are (status, visits), 0: no answer."""

    site: str
    requests: int
    statuses: tuple[tuple[int, int], ...]
    outcomes: Mapping[str, int]
    bytes: int
    blocked: int
    queued: int
    documents: int


class Frontier:
    """The crawl's side of an archive, for the sites given."""

    def __init__(self, archive: Archive, sites: Mapping[str, Site]):
        self.archive = archive
        self.sites = sites
        self.crawl = 0
        self.resumed = False
        self._lock: int | None = None
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
            if not self.resumed:
                self._start(conn, names, revisit, shard)
            return self._seed(conn)

    def hosts(self) -> list[str]:
        """The hosts that have something to visit."""
        rows = self.archive.conn.execute(
            f"SELECT DISTINCT host FROM url WHERE state = 'new' AND site IN ({self._marks()}) ORDER BY host",
            (*self.sites,),
        )
        return [host for (host,) in rows]

    def lease(self, host: str) -> Leased | None:
        """Take the next due URL of a host, or None."""
        with self.archive.write() as conn:
            row = conn.execute(
                "UPDATE url SET state = 'leased', lease = ? WHERE id = (SELECT id FROM url"
                " WHERE state = 'new' AND host = ? AND (not_before IS NULL OR not_before <= ?)"
                f" AND site IN ({self._marks()}) ORDER BY priority DESC, id LIMIT 1)"
                " RETURNING id, url, site, host, kind, document_url, part, depth, hops, attempts,"
                " etag, last_modified, follow_rules, body_hash",
                (self.crawl, host, utc_now(), *self.sites),
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
        row = self.archive.conn.execute(
            f"SELECT min(not_before) FROM url WHERE state = 'new' AND host = ? AND site IN ({self._marks()})",
            (host, *self.sites),
        ).fetchone()
        return None if row[0] is None else str(row[0])

    def record(
        self,
        leased: Leased,
        fetch: Fetch,
        links: Sequence[Discovered] = (),
        *,
        read: bool = False,
        moved_to: str | None = None,
        retry_in: float | None = None,
    ) -> str:
        """Write one visit in one transaction, and give its outcome.

        ``read``: the page was parsed and ``links`` are all it has. ``moved_to``: it redirects there, within
        the site. ``retry_in``: seconds until this crawl tries a failed visit again, None for the next crawl.
        Outcomes: new, changed, unchanged, moved, missing (404, not yet believed), gone, failed, and refused
        (forbidden by the site, or a redirect that is not followed).
        """
        with self.archive.write() as conn:
            before = conn.execute(
                "SELECT u.body_hash, coalesce(f.truncated, 0), u.interval_days, u.missing, u.consent_fetch"
                " FROM url u LEFT JOIN fetch f ON f.id = u.body_fetch WHERE u.id = ?",
                (leased.id,),
            ).fetchone()
            held = before[0] is not None and not before[1]
            body_hash = None if fetch.body is None else self.archive.store_body(fetch.body)
            outcome = _outcome(fetch, body_hash, before[0], held, before[3], moved_to)
            fetch_id = self._insert_fetch(conn, leased, fetch, outcome, body_hash, before[4])
            if outcome in ("new", "changed"):
                conn.execute(
                    "UPDATE url SET body_hash = ?, body_fetch = ?,"
                    " first_fetched_at = coalesce(first_fetched_at, ?) WHERE id = ?",
                    (body_hash, fetch_id, fetch.fetched_at, leased.id),
                )
            if outcome in ("new", "changed", "unchanged"):
                self._settle_good(conn, leased, fetch, fetch_id, outcome, before[2], read)
            else:
                self._settle_bad(conn, leased, fetch, fetch_id, outcome, moved_to, retry_in)
            if read:
                self._prune(conn, leased, links)
            self._discover(conn, leased, links, moved=moved_to is not None)
        return outcome

    def take_links(self, conn: sqlite3.Connection, leased: Leased, links: Sequence[Discovered]) -> None:
        """Take all the links of a page that was read outside a crawl, inside the caller's transaction."""
        conn.execute(
            "UPDATE url SET follow_rules = ? WHERE id = ?", (self._follow_rules[leased.site], leased.id)
        )
        self._prune(conn, leased, links)
        self._discover(conn, leased, links, moved=False)

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

    def record_robots(self, origin: str, fetch: Fetch) -> str | None:
        """Keep a robots.txt as evidence; its sha256, None where there is none."""
        with self.archive.write() as conn:
            body_hash = None if fetch.body is None else self.archive.store_body(fetch.body)
            insert(
                conn,
                "robots",
                origin=origin,
                crawl=self.crawl,
                fetched_at=fetch.fetched_at,
                status=fetch.status,
                error=fetch.error,
                body_hash=body_hash,
            )
        return body_hash

    def wait(self, host: str, seconds: float, reason: str) -> None:
        """Remember that a host told us to stay away for so long."""
        with self.archive.write() as conn:
            conn.execute(
                "INSERT INTO host (host, wait_until, reason) VALUES (?, ?, ?)"
                " ON CONFLICT (host) DO UPDATE SET wait_until = max(wait_until, excluded.wait_until),"
                " reason = excluded.reason",
                (host, _later(seconds=seconds), reason),
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

    def counts(self) -> list[SiteCount]:
        """What this crawl brought so far, by site, kills included: counted from the fetches themselves."""
        conn = self.archive.conn
        rows = conn.execute(
            "SELECT u.site, f.status, f.outcome, count(*), sum(f.bytes)"
            " FROM fetch f JOIN url u ON u.id = f.url_id WHERE f.crawl = ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            (self.crawl,),
        ).fetchall()
        counts = []
        for name in sorted(self.sites):
            mine = [row[1:] for row in rows if row[0] == name]
            statuses: dict[int, int] = {}
            outcomes: dict[str, int] = {}
            for status, outcome, visits, _ in mine:
                statuses[status] = statuses.get(status, 0) + visits
                outcomes[outcome] = outcomes.get(outcome, 0) + visits
            blocked, queued, documents = conn.execute(
                "SELECT coalesce(sum(state = 'blocked'), 0), coalesce(sum(state IN ('new', 'leased')), 0),"
                " coalesce(sum(kind IN ('detail', 'attachment') AND body_hash IS NOT NULL), 0)"
                " FROM url WHERE site = ?",
                (name,),
            ).fetchone()
            counts.append(
                SiteCount(
                    site=name,
                    requests=sum(statuses.values()),
                    statuses=tuple(sorted(statuses.items())),
                    outcomes=outcomes,
                    bytes=sum(row[3] for row in mine),
                    blocked=blocked,
                    queued=queued,
                    documents=documents,
                )
            )
        return counts

    def _start(self, conn: sqlite3.Connection, names: str, revisit: bool, shard: str) -> None:
        now = utc_now()
        self.crawl = insert(conn, "crawl", started_at=now, sites=names, revisit=int(revisit), shard=shard)
        self._lock = _lock(self._lock_path(self.crawl))
        conn.execute(
            f"UPDATE url SET state = 'new', attempts = 0, not_before = NULL WHERE site IN ({self._marks()})"
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
                        self._insert(conn, site.name, Discovered(canonical_url(url), kind), None, 0, 0)
                    else:
                        refused.append(f"{url}: {reason}")
        return tuple(refused)

    def _insert_fetch(
        self,
        conn: sqlite3.Connection,
        leased: Leased,
        fetch: Fetch,
        outcome: str,
        body_hash: str | None,
        earlier: int | None,
    ) -> int:
        consent = fetch.consent
        meta, robots_tag, tdm, reservations = (
            consent.meta_robots,
            consent.x_robots_tag,
            consent.tdm_reservation,
            set(consent.reservations),
        )
        if fetch.status == 304 and earlier is not None:
            # a 304 repeats neither the page nor all headers: what was said with the page still holds
            old = conn.execute(
                "SELECT meta_robots, x_robots_tag, tdm_reservation, reservations FROM fetch WHERE id = ?",
                (earlier,),
            ).fetchone()
            meta, robots_tag, tdm = meta or old[0], robots_tag or old[1], tdm or old[2]
            # robots.txt was read afresh, so its earlier word does not count any more
            reservations |= {word for word in json.loads(old[3]) if not word.startswith("robots.txt")}
        return insert(
            conn,
            "fetch",
            url_id=leased.id,
            crawl=self.crawl,
            fetched_at=fetch.fetched_at,
            status=fetch.status,
            outcome=outcome,
            headers=json.dumps(fetch.headers, ensure_ascii=False),
            content_type=fetch.content_type,
            body_hash=body_hash,
            bytes=len(fetch.body or b""),
            not_modified=int(fetch.status == 304),
            truncated=int(fetch.truncated),
            error=fetch.error,
            robots_hash=consent.robots_hash,
            x_robots_tag=robots_tag,
            meta_robots=meta,
            tdm_reservation=tdm,
            reservations=json.dumps(sorted(reservations), ensure_ascii=False),
        )

    def _settle_good(
        self,
        conn: sqlite3.Connection,
        leased: Leased,
        fetch: Fetch,
        fetch_id: int,
        outcome: str,
        interval: int,
        read: bool,
    ) -> None:
        if leased.kind in ("list", "sitemap"):
            days = _LIST_DAYS
        elif outcome == "unchanged":
            days = min(_MOST_DAYS, interval * 2)
        else:
            days = interval if outcome == "new" else max(_LEAST_DAYS, interval // 2)
        if fetch.truncated:
            days = 1
        # validators of a torn body would freeze it: a 304 would confirm what was never whole
        keep = fetch.status == 304 or not fetch.truncated
        conn.execute(
            "UPDATE url SET state = 'done', lease = NULL, attempts = 0, not_before = NULL, failures = 0,"
            " missing = 0, hops = 0, moved_to = NULL, gone = NULL, note = NULL,"
            " last_fetch = :fetch, consent_fetch = :fetch, interval_days = :days, next_visit = :next,"
            " etag = CASE WHEN :same THEN coalesce(:etag, etag) ELSE :etag END,"
            " last_modified = CASE WHEN :same THEN coalesce(:modified, last_modified) ELSE :modified END,"
            " follow_rules = CASE WHEN :same THEN follow_rules WHEN :read THEN :rules END WHERE id = :id",
            {
                "fetch": fetch_id,
                "days": days,
                "next": _later(days=days),
                "same": fetch.status == 304,
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
        state, next_visit, gone = "done", _later(days=1), None
        if outcome == "gone":
            state, next_visit = "gone", _later(days=_MOST_DAYS)
            gone = "http 410" if fetch.status == 410 else "http 404 three times"
        elif outcome == "moved":
            next_visit = _later(days=_MOST_DAYS)
            # whoever moved here moves on with it
            conn.execute("UPDATE url SET moved_to = ? WHERE moved_to = ?", (moved_to, leased.url))
        elif outcome == "failed":
            state, next_visit = ("failed", utc_now()) if retry_in is None else ("new", utc_now())
        conn.execute(
            "UPDATE url SET state = ?, lease = NULL, last_fetch = ?, next_visit = ?,"
            " gone = coalesce(?, gone), moved_to = coalesce(?, moved_to), note = ?,"
            " attempts = attempts + 1, failures = failures + (? = 'failed'),"
            " missing = CASE WHEN ? = 404 THEN missing + 1 ELSE missing END, not_before = ? WHERE id = ?",
            (
                state,
                fetch_id,
                next_visit,
                gone,
                moved_to,
                fetch.error,
                state,
                fetch.status,
                None if retry_in is None else _later(seconds=retry_in),
                leased.id,
            ),
        )

    def _prune(self, conn: sqlite3.Connection, leased: Leased, links: Sequence[Discovered]) -> None:
        """Parts that the page had and has no longer leave the document; their bodies stay in the archive."""
        if leased.kind not in ("detail", "part") or leased.part % PART_STEP:
            return
        linked = [link.url for link in links if link.kind == "part"]
        goes_on = any(link.kind == "part" and link.part % PART_STEP == 0 for link in links)
        end = leased.part + PART_STEP if goes_on else 10**9
        conn.execute(
            f"UPDATE url SET state = 'gone', lease = NULL, gone = '{UNLINKED}', next_visit = NULL"
            " WHERE document_url = ? AND kind = 'part' AND part > ? AND part <= ?"
            f" AND url NOT IN ({','.join('?' * len(linked))})",
            (leased.document_url, leased.part, end, *linked),
        )

    def _discover(
        self, conn: sqlite3.Connection, leased: Leased, links: Sequence[Discovered], *, moved: bool
    ) -> None:
        hops = leased.hops + 1 if moved else 0
        depth = leased.depth if moved else leased.depth + 1
        for link in links:
            self._insert(conn, leased.site, link, leased.url, depth, hops)

    def _insert(
        self,
        conn: sqlite3.Connection,
        site: str,
        link: Discovered,
        source: str | None,
        depth: int,
        hops: int,
    ) -> None:
        document = link.document_url or link.url
        insert(
            conn,
            "url",
            url=link.url,
            site=site,
            host=urlsplit(link.url).netloc,
            kind=link.kind,
            state="new",
            priority=PRIORITY[link.kind],
            depth=depth,
            hops=hops,
            document_url=document,
            part=link.part,
            discovered_from=source,
            discovered_at=utc_now(),
            interval_days=_LIST_DAYS if link.kind in ("list", "sitemap") else _LEAST_DAYS,
            tail="ON CONFLICT (url) DO NOTHING",
        )
        if link.kind == "part":
            self._adopt(conn, link, document)

    def _adopt(self, conn: sqlite3.Connection, link: Discovered, document: str) -> None:
        """A known URL turns out to be a part: whichever page was read first, the document is the same."""
        known = conn.execute(
            "SELECT u.kind, u.document_url, u.part, u.gone, d.moved_to FROM url u"
            " LEFT JOIN url d ON d.url = u.document_url WHERE u.url = ?",
            (link.url,),
        ).fetchone()
        kind, owner, part, gone, owner_moved = known
        if gone == UNLINKED and owner == document:
            conn.execute(
                "UPDATE url SET state = 'new', gone = NULL, part = ? WHERE url = ?", (link.part, link.url)
            )
        elif kind == "detail" and link.url != document:
            conn.execute(
                "UPDATE url SET document_url = ?, part = part + ? WHERE document_url = ? AND url <> ?",
                (document, link.part, link.url, link.url),
            )
            conn.execute(
                "UPDATE url SET kind = 'part', document_url = ?, part = ?, priority = ? WHERE url = ?",
                (document, link.part, PRIORITY["part"], link.url),
            )
        elif kind == "part" and owner != document and (owner_moved is not None or gone == UNLINKED):
            conn.execute(
                "UPDATE url SET document_url = ?, part = ?, gone = NULL,"
                " state = CASE WHEN state = 'gone' THEN 'new' ELSE state END WHERE url = ?",
                (document, link.part, link.url),
            )
        elif kind == "part" and owner == document and part != link.part:
            conn.execute("UPDATE url SET part = ? WHERE url = ?", (link.part, link.url))

    def _marks(self) -> str:
        return ",".join("?" * len(self.sites))

    def _lock_path(self, crawl: int) -> Path:
        return self.archive.path.with_name(f"{self.archive.path.name}.crawl-{crawl}.lock")


def _follow_rules(site: Site) -> str:
    """What decides which links are followed: while it is the same, an unchanged page is not read again."""
    rules = [site.host, site.hosts, site.follow.model_dump(), site.parts.model_dump()]
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:16]


def _outcome(
    fetch: Fetch,
    body_hash: str | None,
    before: str | None,
    held_whole: bool,
    missing: int,
    moved_to: str | None,
) -> str:
    if moved_to is not None:
        return "moved"
    if fetch.status == 200 and body_hash is not None:
        if fetch.truncated and held_whole:
            return "failed"  # a torn body never replaces a whole one
        if before is None:
            return "new"
        return "unchanged" if before == body_hash else "changed"
    if fetch.status == 304 and before is not None:
        return "unchanged"
    if fetch.status == 410 or (fetch.status == 404 and missing + 1 >= _GONE_AFTER):
        return "gone"
    if fetch.status == 404:
        return "missing"
    return "refused" if fetch.status in _REFUSALS or 300 <= fetch.status < 400 else "failed"


def _later(*, days: float = 0, seconds: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(days=days, seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


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
