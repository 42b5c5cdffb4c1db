"""The sitemap's word: which pages changed, and which need not be asked for.

Sites lie, so the word is checked: of pages whose lastmod is the same, one in a hundred is
asked for, and a site whose page changed under the same lastmod is not believed any more.
Every function writes inside the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from fanwen.spiders.archive import UNLINKED, later, utc_now
from fanwen.spiders.discovery import PRIORITY
from fanwen.spiders.items import Discovered

_SPOT_CHECKS = 100  # of so many pages whose lastmod is the same, one is asked for all the same
_LONGEST_DAYS = 365  # and every page after so long


def announce(conn: sqlite3.Connection, sitemap: str, links: Iterable[Discovered]) -> None:
    """Write down what a sitemap says of its pages; a lastmod in the future says nothing."""
    now = utc_now()
    conn.executemany(
        "UPDATE url SET sitemap = ?, lastmod = ? WHERE url = ?",
        [(sitemap, link.lastmod if (link.lastmod or "") <= now else None, link.url) for link in links],
    )


def settled(lastmod: str | None, fetched_at: str) -> str | None:
    """The lastmod that a body fetched then is known to have: of a day that is over, or a moment before."""
    return lastmod if lastmod is not None and fetched_at[: len(lastmod)] > lastmod else None


def diff(conn: sqlite3.Connection, sitemap: str, crawl: int, *, trusted: bool) -> list[str]:
    """Pages of the sitemap whose lastmod differs become due, those whose is the same are spared.

    The sitemaps, named by a sitemap index, that are spared: what they say still holds, so the caller
    goes on with them.
    """
    conn.execute(
        "UPDATE url SET state = 'new', attempts = 0, not_before = NULL,"  # gone until it has come again
        " priority = CASE kind WHEN 'sitemap' THEN :sitemap_priority ELSE :priority END"
        " WHERE sitemap = :sitemap AND state IN ('done', 'failed', 'gone') AND moved_to IS NULL"
        " AND lastmod IS NOT NULL AND lastmod IS NOT lastmod_held AND body_hash IS NOT NULL"
        f" AND gone IS NOT '{UNLINKED}'"
        " AND coalesce((SELECT crawl FROM fetch WHERE id = url.last_fetch), 0) <> :crawl",
        {
            "sitemap": sitemap,
            "crawl": crawl,
            "priority": PRIORITY["detail"],
            "sitemap_priority": PRIORITY["sitemap"],
        },
    )
    if not trusted:
        return []
    spared = conn.execute(
        "UPDATE url SET state = 'done', spared = :crawl,"
        " next_visit = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+' || interval_days || ' days')"
        " WHERE sitemap = :sitemap AND state = 'new' AND body_hash IS NOT NULL AND lastmod = lastmod_held"
        f" AND (kind = 'sitemap' OR (id * 7919 + :crawl * 104729) % {_SPOT_CHECKS} <> 0)"
        " AND (SELECT fetched_at FROM fetch WHERE id = url.last_fetch) > :long_ago RETURNING url, kind",
        {"sitemap": sitemap, "crawl": crawl, "long_ago": later(days=-_LONGEST_DAYS)},
    ).fetchall()
    return [url for url, kind in spared if kind == "sitemap"]


def reopen(conn: sqlite3.Connection, site: str, crawl: int) -> int:
    """Make due again what this crawl spared of a site that lies; how many pages."""
    return conn.execute(
        "UPDATE url SET state = 'new', spared = NULL WHERE site = ? AND spared = ? AND state = 'done'",
        (site, crawl),
    ).rowcount
