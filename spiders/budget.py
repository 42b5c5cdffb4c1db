"""What may be asked of a site on one day (UTC), counted in the archive, kills included."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fanwen.spiders.archive import utc_now
from fanwen.spiders.site import Site


@dataclass
class Budgets:
    """The budgets of the sites of one crawl; what was spent is read once a day and then counted along."""

    sites: Mapping[str, Site]
    _day: str = ""
    _spent: dict[str, tuple[int, int]] = field(default_factory=dict)

    def spend(self, conn: sqlite3.Connection, site: str, size: int) -> None:
        """Count one request and its bytes over the wire, inside the caller's transaction."""
        day = self._today(conn)
        row = conn.execute(
            "INSERT INTO budget (site, day, requests, bytes) VALUES (?, ?, 1, ?)"
            " ON CONFLICT DO UPDATE SET requests = requests + 1, bytes = bytes + excluded.bytes"
            " RETURNING requests, bytes",
            (site, day, size),
        ).fetchone()
        self._spent[site] = (row[0], row[1])

    def left(self, conn: sqlite3.Connection) -> tuple[str, ...]:
        """The sites that may still be asked today."""
        self._today(conn)
        return tuple(name for name in self.sites if self.reason(name) is None)

    def spent(self, conn: sqlite3.Connection, site: str) -> tuple[int, int]:
        """Requests and bytes over the wire of this day."""
        self._today(conn)
        return self._spent.get(site, (0, 0))

    def reason(self, site: str) -> str | None:
        """Why the site is left alone for today, None while it may be asked."""
        polite = self.sites[site].polite
        requests, size = self._spent.get(site, (0, 0))
        if polite.requests_per_day is not None and requests >= polite.requests_per_day:
            return f"its budget of {polite.requests_per_day} requests a day is spent"
        if polite.mb_per_day is not None and size >= polite.mb_per_day * 1e6:
            return f"its budget of {polite.mb_per_day:g} MB a day is spent"
        return None

    def _today(self, conn: sqlite3.Connection) -> str:
        day = utc_now()[:10]
        if day != self._day:
            rows: Iterable[tuple[str, int, int]] = conn.execute(
                "SELECT site, requests, bytes FROM budget WHERE day = ?", (day,)
            )
            self._spent = {site: (requests, size) for site, requests, size in rows}
            self._day = day
        return day
