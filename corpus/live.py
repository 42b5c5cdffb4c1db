"""A crawl as it goes on, for a terminal: one line per site, rewritten; silent in a pipe."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from typing import TextIO

from fanwen.corpus.report import table
from fanwen.spiders.crawl import Visit

_LINES = 12  # the sites that were visited last
_EVERY = 0.5  # seconds


@dataclass(slots=True)
class _Site:
    done: int
    queue: int
    since: float
    outcome: str
    error: str


class CrawlProgress:
    """Called with every :class:`Visit`; shows queue, pages done and a minute, and the last error by site."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._sites: dict[str, _Site] = {}
        self._shown = 0.0
        self._lines = 0

    def __call__(self, visit: Visit) -> None:
        if not self._live:
            return
        now = time.monotonic()
        known = self._sites.pop(visit.site, None)
        error = f"{visit.url}: {visit.error}" if visit.error else known.error if known else ""
        since = known.since if known else now
        # visited last, shown last
        self._sites[visit.site] = _Site(visit.visited, visit.queue, since, visit.outcome, error)
        if now - self._shown >= _EVERY:
            self._shown = now
            self._draw(now)

    def close(self) -> None:
        """Take the lines away."""
        if self._live:
            self._show([])

    def _draw(self, now: float) -> None:
        shown = list(self._sites.items())[-_LINES:]
        rows: list[tuple[object, ...]] = [("site", "queue", "done", "per minute", "", "last error")]
        for name, site in shown:
            minutes = max(now - site.since, 1.0) / 60
            rows.append((name, site.queue, site.done, round(site.done / minutes), site.outcome, site.error))
        width = shutil.get_terminal_size().columns - 1
        lines = [line[:width] for line in table(rows).split("\n")]
        self._show(lines)

    def _show(self, lines: list[str]) -> None:
        # up to the first of our lines, and everything below it gone
        text = f"\x1b[{self._lines}A\x1b[J" if self._lines else ""
        try:
            self._stream.write(text + "".join(f"{line}\n" for line in lines))
            self._stream.flush()
        except OSError:  # the terminal was closed; the crawl goes on
            self._live = False
        self._lines = len(lines)
