"""robots.txt and consent: what a site allows, and what it says about reuse.

In goes the answer to a request for robots.txt, out comes :class:`Robots`, which decides
each URL; in goes a page, out comes its :class:`Consent`. Strict: when robots.txt cannot
be had for a reason on the server's side, nothing of the host is fetched in this run.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.resources import files

from protego import Protego

from fanwen.spiders.items import Consent
from fanwen.spiders.scope import target

ROBOTS_AGENT = "fanwen"  # the name by which robots.txt groups address us
ROBOTS_PATH, TDMREP_PATH = "/robots.txt", "/.well-known/tdmrep.json"
DISALLOWED, TDMREP_RESERVES = "robots.txt: disallow", "tdmrep.json"
# how reservations begin that a site makes for many pages at once, and not with the page
SITE_WIDE = ("robots.txt", TDMREP_RESERVES)
_LONGEST_PAUSE = 600.0  # seconds; a crawl would wait for days for a site that asks for more
MAX_ROBOTS_BYTES = 512 * 1024  # RFC 9309: at least 500 KiB must be read
NO_ROBOTS = sha256(b"").hexdigest()  # asked for, and the site has none: that is evidence too
_VERSION = re.compile(r"^(\s*user-agent\s*:[^/#\n]*)/[^\s#]*", re.IGNORECASE | re.MULTILINE)
_AGENT_PREFIX = re.compile(r"([a-z0-9._-]+|\*)\s*:\s*(.*)", re.IGNORECASE)
# directives with a value of their own, which look like an agent's name before a colon
_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


@dataclass(frozen=True)
class Robots:
    """The robots.txt of one origin. ``closed`` says why nothing may be fetched; None where rules decide."""

    hash: str | None
    closed: str | None
    rules: Protego
    agents: tuple[str, ...] = ()  # who gathers texts for language models and has rules of its own here
    usages: tuple[tuple[str, str], ...] = ()  # (path pattern, preferences) of the Content-Usage lines for us

    def allows(self, url: str) -> bool:
        return self.closed is None and bool(self.rules.can_fetch(url, ROBOTS_AGENT))

    def delay(self) -> float:
        """Seconds between two requests that the host asks for; 0 where it asks for none."""
        rate = self.rules.request_rate(ROBOTS_AGENT)
        asked = rate.seconds / rate.requests if rate and rate.requests else 0.0
        return max(float(self.rules.crawl_delay(ROBOTS_AGENT) or 0.0), asked)

    def sitemaps(self) -> tuple[str, ...]:
        return tuple(self.rules.sitemaps)

    def reservations(self, url: str) -> set[str]:
        """Agents for language models that are told to leave this URL alone, and uses that are denied."""
        found = {f"robots.txt: {agent}" for agent in self.agents if not self.rules.can_fetch(url, agent)}
        return found | {f"robots.txt: content-usage {use}" for use in denied(self.usage(url))}

    def usage(self, url: str) -> str:
        """The Content-Usage preferences of robots.txt for this URL: those of the longest path that fits."""
        fitting = [(len(path), said) for path, said in self.usages if _fits(path, url)]
        return max(fitting)[1] if fitting else ""


def read_robots(status: int, body: bytes, digest: str | None, error: str | None = None) -> Robots:
    """Rules from an answer: 2xx are read, 4xx allow everything, 5xx, 429 and no answer forbid everything."""
    nothing = Protego.parse("")
    if error is not None or status == 0:
        return Robots(digest, f"robots.txt could not be read ({error})", nothing)
    if status >= 500 or status == 429:
        return Robots(digest, f"robots.txt answered {status}", nothing)
    if not 200 <= status < 300:
        return Robots(digest, None, nothing)
    text = _VERSION.sub(r"\1", body[:MAX_ROBOTS_BYTES].decode("utf-8-sig", "replace"))
    groups = _groups(text)
    agents = tuple(
        agent for agent in _words()[1] if any(name in agent.lower() for name in groups if name != "*")
    )
    usages = next(
        (groups[name] for name in groups if name != "*" and name in ROBOTS_AGENT), groups.get("*", [])
    )
    robots = Robots(digest, None, Protego.parse(text), agents, tuple(usages))
    if robots.delay() > _LONGEST_PAUSE:
        return replace(robots, closed=f"robots.txt asks for {robots.delay():.0f} seconds between requests")
    return robots


def _groups(text: str) -> dict[str, list[tuple[str, str]]]:
    """The Content-Usage lines of each group of a robots.txt, by agent name in lower case."""
    groups: dict[str, list[tuple[str, str]]] = {}
    named: list[str] = []
    naming = False
    for line in text.splitlines():
        key, _, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent":
            named = [*named, value.lower()] if naming else [value.lower()]
            for name in named:
                groups.setdefault(name, [])
        elif key in ("content-usage", "content-signal"):
            path, said = re.match(r"(/\S*)?\s*(.*)", value).groups()  # type: ignore[union-attr]
            for name in named or ["*"]:
                groups.setdefault(name, []).append((path or "/", said))
        naming = key == "user-agent" or (naming and not key)
    return groups


def read_tdmrep(body: bytes) -> tuple[tuple[str, bool], ...]:
    """(location pattern, reserved) of a /.well-known/tdmrep.json; nothing for a file that is none."""
    try:
        rows = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ()
    rows = [rows] if isinstance(rows, dict) else rows if isinstance(rows, list) else []
    return tuple(
        (str(row["location"]), row.get("tdm-reservation") in (1, "1"))
        for row in rows[:1000]
        if isinstance(row, dict) and isinstance(row.get("location"), str)
    )


@dataclass(frozen=True)
class Tdmrep:
    """The /.well-known/tdmrep.json of one origin; ``rows`` are (location pattern, reserved)."""

    hash: str | None = None
    rows: tuple[tuple[str, bool], ...] = ()

    def reserves(self, url: str) -> bool:
        """By the longest pattern that fits; where two are as long, the reservation counts."""
        fitting = [(len(path), reserved) for path, reserved in self.rows if _fits(path, url)]
        return bool(fitting) and max(fitting)[1]


def denied(preferences: str) -> set[str]:
    """The uses of ours that a Content-Usage value denies: ``train-ai=n, search=y`` denies train-ai."""
    said = dict(re.findall(r"([a-z][a-z0-9-]*)\s*=\s*[\"?]?(yes|no|y|n|0|1)\b", preferences.lower()))
    return {use for use, value in said.items() if value in ("n", "no", "0") and use in _words()[2]}


def _fits(pattern: str, url: str) -> bool:
    """Whether a robots-like path pattern (* and $) fits the URL's path and query."""
    path = target(url)
    first, *parts = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    place = len(first)
    # the leftmost place of each part leaves the most for the rest: no pattern takes more than one pass
    for part in parts:
        found = path.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    last = parts[-1] if parts else first
    return not pattern.endswith("$") or (path.endswith(last) if parts else place == len(path))


def read_consent(
    url: str,
    robots: Robots | None,
    headers: Mapping[str, Iterable[str]],
    metas: Iterable[tuple[str, str]] = (),
    tdmrep: Tdmrep | None = None,
) -> Consent:
    """Everything said about reuse with one page.

    ``headers`` maps lower-case names to their values; ``metas`` are (name, content) of the
    page's meta elements, names in lower case.
    """
    tags = [value for value in headers.get("x-robots-tag", ()) if value.strip()]
    meta_robots = [content for name, content in metas if name in _addressed() and content.strip()]
    tdm = [
        *headers.get("tdm-reservation", ()),
        *(content for name, content in metas if name == "tdm-reservation"),
    ]
    found = set() if robots is None else robots.reservations(url)
    for tag in tags:
        found |= {f"x-robots-tag: {word}" for word in _directives(", ".join(_for_us(tag)))}
    for content in meta_robots:
        found |= {f"meta robots: {word}" for word in _directives(content)}
    if any(value.strip() == "1" for value in tdm):
        found.add("tdm-reservation")
    if tdmrep is not None and tdmrep.reserves(url):
        found.add(TDMREP_RESERVES)
    usage = [*headers.get("content-usage", ()), *headers.get("content-signal", ())]
    found |= {f"content-usage: {use}" for use in denied(", ".join(usage))}
    return Consent(
        robots_hash=None if robots is None else robots.hash or NO_ROBOTS,
        x_robots_tag=", ".join(tags) or None,
        meta_robots=", ".join(meta_robots) or None,
        tdm_reservation=", ".join(tdm) or None,
        content_usage=", ".join([*usage, *([robots.usage(url)] if robots and robots.usages else [])]) or None,
        tdmrep_hash=None if tdmrep is None else tdmrep.hash,
        reservations=tuple(sorted(found)),
    )


def _for_us(tag: str) -> Iterator[str]:
    """The directives of an X-Robots-Tag, but those for a search engine; a name holds until the next one."""
    ours = True
    for part in tag.split(","):
        match = _AGENT_PREFIX.fullmatch(part.strip())
        if match is not None and match[1].lower() not in _VALUED:
            ours, part = match[1].lower() in _addressed(), match[2]
        if ours:
            yield part


def _directives(text: str) -> set[str]:
    words = {word.strip().lower() for word in re.split(r"[,;，；、\s]+", text)}
    return words & _words()[0]


@cache
def _addressed() -> frozenset[str]:
    """The names by which a directive means us: everybody's, ours, and those of crawlers for models."""
    return frozenset({"robots", "*", ROBOTS_AGENT, *(agent.lower() for agent in _words()[1])})


@cache
def _words() -> tuple[frozenset[str], tuple[str, ...], frozenset[str]]:
    """Directives, agents for language models, uses that can be denied."""
    data = tomllib.loads((files("fanwen.spiders") / "rules" / "consent.toml").read_text(encoding="utf-8"))
    return frozenset(data["directives"]), tuple(data["agents"]), frozenset(data["usages"])
