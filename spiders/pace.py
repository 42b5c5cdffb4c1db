"""How gently a host is read: what is known about it during one run.

Times are seconds of the monotonic clock, so a change of the wall clock hurries nobody.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

from fanwen.spiders.items import Fetch, Leased, PageRead
from fanwen.spiders.robots import Robots, Tdmrep

ROBOTS_TTL = 24 * 3600.0
_LONGEST_WAIT = 30 * 24 * 3600.0  # seconds; one header keeps nobody away for ever
MAX_STRIKES = 8  # failures in a row, over all pages, until a host counts as not answering
_JITTER = 0.5


@dataclass(frozen=True, slots=True)
class Probe:
    """A page that may be a soft 404, and the invented address of its site that tells."""

    url: str
    leased: Leased
    fetch: Fetch
    page: PageRead


@dataclass(slots=True)
class Host:
    """One host: the pace asked for, its robots.txt and tdmrep.json by origin, and what is under way."""

    name: str
    ready_at: float = 0.0
    busy: bool = False
    pause: float = 0.0  # seconds between an answer and the next request
    drained: bool = False
    closed: str | None = None  # why nothing more is asked of it in this run
    told_to_wait: bool = False
    strikes: int = 0
    pending: tuple[Leased, str, int] | None = None  # taken; the exact URL to ask for; how often that changed
    probe: Probe | None = None
    insists: tuple[str, str] | None = None  # scheme and host to which it redirects every page
    robots: dict[str, tuple[float, Robots]] = field(default_factory=dict)
    robots_next: dict[str, tuple[str, int]] = field(default_factory=dict)  # redirects of robots.txt
    robots_failures: int = 0
    tdmrep: dict[str, Tdmrep] = field(default_factory=dict)

    def robots_for(self, origin: str) -> Robots | None:
        """The rules in force for an origin (scheme and host), None where they must be asked for (again)."""
        known = self.robots.get(origin)
        return known[1] if known and monotonic() - known[0] < ROBOTS_TTL else None

    def ask(self, pause: float) -> None:
        """A request goes out."""
        self.busy, self.pause = True, pause

    def answered(self) -> None:
        """It came back: the pause begins now, so that a site that is slow is asked more slowly."""
        self.busy = False
        self.put_off(self.pause)

    def put_off(self, seconds: float) -> None:
        self.ready_at = max(self.ready_at, monotonic() + seconds)

    def close(self, reason: str, *, told_to_wait: bool = False) -> None:
        self.closed = reason
        self.told_to_wait = self.told_to_wait or told_to_wait


def jittered(delay: float) -> float:
    """A delay around the one asked for, so that visits do not look like a drum."""
    return delay * random.uniform(1.0, 1.0 + _JITTER)


def retry_after(value: str | None) -> float | None:
    """Seconds asked for by a Retry-After header (number or date), 30 days at most; None: it says nothing."""
    if value is None or not value.strip():
        return None
    try:
        return min(max(0.0, float(value)), _LONGEST_WAIT)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - datetime.now(UTC)).total_seconds()), _LONGEST_WAIT)
