"""robots.txt and consent: what a site allows, and what it says about reuse.

In goes the answer to a request for robots.txt, out comes :class:`Robots`, which decides
each URL; in goes a page, out comes its :class:`Consent`. Strict: when robots.txt cannot
be had for a reason on the server's side, nothing of the host is fetched in this run.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from protego import Protego

from fanwen.spiders.items import Consent

ROBOTS_AGENT = "fanwen"  # the name by which robots.txt groups address us
MAX_ROBOTS_BYTES = 512 * 1024  # RFC 9309: at least 500 KiB must be read
NO_ROBOTS = sha256(b"").hexdigest()  # asked for, and the site has none: that is evidence too
_AGENT_PREFIX = re.compile(r"([a-z0-9._-]+)\s*:\s*(.*)", re.IGNORECASE)
# directives with a value of their own, which look like an agent's name before a colon
_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


@dataclass(frozen=True, slots=True)
class Robots:
    """The robots.txt of one origin. ``closed`` says why nothing may be fetched; None where rules decide."""

    hash: str | None
    closed: str | None
    rules: Protego

    def allows(self, url: str) -> bool:
        return self.closed is None and bool(self.rules.can_fetch(url, ROBOTS_AGENT))

    def delay(self) -> float:
        """Seconds between two requests that the host asks for; 0 where it asks for none."""
        rate = self.rules.request_rate(ROBOTS_AGENT)
        asked = rate.seconds / rate.requests if rate and rate.requests else 0.0
        return max(float(self.rules.crawl_delay(ROBOTS_AGENT) or 0.0), asked)

    def reservations(self, url: str) -> set[str]:
        """Agents that gather texts for language models and are told to leave this URL alone."""
        agents = _words()[1]
        return {f"robots.txt: {agent}" for agent in agents if not self.rules.can_fetch(url, agent)}


def read_robots(status: int, body: bytes, digest: str | None, error: str | None = None) -> Robots:
    """Rules from an answer: 2xx are read, 4xx allow everything, 5xx, 429 and no answer forbid everything."""
    nothing = Protego.parse("")
    if error is not None or status == 0:
        return Robots(digest, f"robots.txt could not be read ({error})", nothing)
    if status >= 500 or status == 429:
        return Robots(digest, f"robots.txt answered {status}", nothing)
    if 200 <= status < 300:
        return Robots(digest, None, Protego.parse(body[:MAX_ROBOTS_BYTES].decode("utf-8-sig", "replace")))
    return Robots(digest, None, nothing)


def read_consent(
    url: str,
    robots: Robots | None,
    headers: Mapping[str, Iterable[str]],
    metas: Iterable[tuple[str, str]] = (),
) -> Consent:
    """Everything said about reuse with one page.

    ``headers`` maps lower-case names to their values; ``metas`` are (name, content) of the
    page's meta elements, names in lower case.
    """
    tags = [value for value in headers.get("x-robots-tag", ()) if value.strip()]
    meta_robots = [content for name, content in metas if name in ("robots", ROBOTS_AGENT) and content.strip()]
    tdm = [
        *headers.get("tdm-reservation", ()),
        *(content for name, content in metas if name == "tdm-reservation"),
    ]
    found = set() if robots is None else robots.reservations(url)
    for tag in tags:
        found |= {f"x-robots-tag: {word}" for word in _directives(_for_us(tag))}
    for content in meta_robots:
        found |= {f"meta robots: {word}" for word in _directives(content)}
    if any(value.strip() == "1" for value in tdm):
        found.add("tdm-reservation")
    return Consent(
        robots_hash=None if robots is None else robots.hash or NO_ROBOTS,
        x_robots_tag=", ".join(tags) or None,
        meta_robots=", ".join(meta_robots) or None,
        tdm_reservation=", ".join(tdm) or None,
        reservations=tuple(sorted(found)),
    )


def _for_us(tag: str) -> str:
    """The directives of an X-Robots-Tag, unless it is addressed to a search engine by name."""
    match = _AGENT_PREFIX.match(tag.strip())
    if match is None or match[1].lower() in _VALUED:
        return tag
    agents = {agent.lower() for agent in _words()[1]}
    return match[2] if match[1].lower() in agents | {ROBOTS_AGENT} else ""


def _directives(text: str) -> set[str]:
    words = {word.strip().lower() for word in re.split(r"[,;\s]+", text)}
    return words & _words()[0]


@cache
def _words() -> tuple[frozenset[str], tuple[str, ...]]:
    data = tomllib.loads((files("fanwen.spiders") / "rules" / "consent.toml").read_text(encoding="utf-8"))
    return frozenset(data["directives"]), tuple(data["agents"])
