"""What one crawl brought, counted from what was stored, so that killed processes of it count too."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fanwen.spiders.archive import Archive
from fanwen.spiders.items import NEEDS_SCRIPT


@dataclass(frozen=True, slots=True)
class Trap:
    """What was not followed: how often, and one example."""

    kind: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class SiteCount:
    """What the fetches of one crawl brought for one site.

    ``statuses`` are (status, visits), 0: no answer. ``bytes`` are of bodies, ``wire_bytes`` as sent.
    ``spared``: pages not asked for because a sitemap says they are the same. ``scripted``: pages that show
    nothing without JavaScript. ``robots``: sha256 of each robots.txt in force.
    """

    site: str
    requests: int
    statuses: tuple[tuple[int, int], ...]
    outcomes: Mapping[str, int]
    bytes: int
    wire_bytes: int
    spared: int
    scripted: int
    traps: tuple[Trap, ...]
    robots: tuple[str, ...]
    blocked: int
    queued: int
    documents: int


def counts(archive: Archive, crawl: int, sites: Iterable[str]) -> list[SiteCount]:
    """What this crawl brought so far, by site, kills included: counted from the fetches themselves."""
    conn = archive.conn
    rows = conn.execute(
        "SELECT u.site, f.status, f.outcome, count(*), sum(f.bytes), sum(f.wire), sum(f.error IS ?)"
        " FROM fetch f JOIN url u ON u.id = f.url_id WHERE f.crawl = ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        (NEEDS_SCRIPT, crawl),
    ).fetchall()
    found = []
    for name in sorted(sites):
        mine = [row[1:] for row in rows if row[0] == name]
        statuses: Counter[int] = Counter()
        outcomes: Counter[str] = Counter()
        for status, outcome, visits, *_ in mine:
            statuses[status] += visits
            outcomes[outcome] += visits
        blocked, queued, documents, spared = conn.execute(
            "SELECT coalesce(sum(state = 'blocked'), 0), coalesce(sum(state IN ('new', 'leased')), 0),"
            " coalesce(sum(kind IN ('detail', 'attachment') AND body_hash IS NOT NULL), 0),"
            " coalesce(sum(spared = ?), 0) FROM url WHERE site = ?",
            (crawl, name),
        ).fetchone()
        found.append(
            SiteCount(
                site=name,
                requests=sum(statuses.values()),
                statuses=tuple(sorted(statuses.items())),
                outcomes=outcomes,
                bytes=sum(row[3] for row in mine),
                wire_bytes=sum(row[4] for row in mine),
                spared=spared,
                scripted=sum(row[5] for row in mine),
                traps=_traps(conn, crawl, name),
                robots=_robots(conn, crawl, name),
                blocked=blocked,
                queued=queued,
                documents=documents,
            )
        )
    return found


def _traps(conn: sqlite3.Connection, crawl: int, site: str) -> tuple[Trap, ...]:
    rows = conn.execute(
        "SELECT kind, count, example FROM trap WHERE crawl = ? AND site = ? ORDER BY count DESC, kind",
        (crawl, site),
    )
    return tuple(Trap(*row) for row in rows)


def _robots(conn: sqlite3.Connection, crawl: int, site: str) -> tuple[str, ...]:
    rows = conn.execute(
        "SELECT DISTINCT f.robots_hash FROM fetch f JOIN url u ON u.id = f.url_id"
        " WHERE f.crawl = ? AND u.site = ? AND f.robots_hash IS NOT NULL ORDER BY 1",
        (crawl, site),
    )
    return tuple(digest for (digest,) in rows)
