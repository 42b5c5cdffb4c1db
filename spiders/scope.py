"""What belongs to a site, and under which one URL: hosts, schemes, sessions, and shapes that never end.

In goes a link as it stands on a page, out comes its canonical URL within the site, or the
reason why it is not followed. What the crawl has learned of a site (a session parameter,
a mirror host) is part of its scope, so that the same page is asked for once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from hashlib import blake2b
from urllib.parse import unquote, urlsplit

from fanwen.spiders.guard import refusal
from fanwen.spiders.items import Discovered
from fanwen.spiders.site import Site
from fanwen.spiders.urls import canonical_url, is_plain_path, join

MAX_URL = 2000
REPEATS, TOO_LONG = "repeating path", "endless URL"
# three times in a row, or one folder four times anywhere
_REPEATING = re.compile(r"((?:/[^/]+){1,3})\1{2,}(?=/|$)")
_DEEP = 24
_ALIASES = frozenset({"www", "m", "wap", "mobile", "3g"})


@dataclass(frozen=True)
class Scope:
    """One site's scope: ``sessions`` are parameters to drop, ``mirrors`` (host, the one it shows again)."""

    site: Site
    sessions: frozenset[str] = frozenset()
    mirrors: tuple[tuple[str, str], ...] = ()

    @cached_property
    def scheme(self) -> str:
        """Of the first start page; https where there is none."""
        return next((urlsplit(url).scheme for url in (*self.site.start, *self.site.sitemaps)), "https")

    @cached_property
    def _homes(self) -> dict[str, str]:
        """The host that stands for each host in scope."""
        homes = {host: host for host in self.site.hosts if _bare(host) != _bare(self.site.host)}
        return homes | dict(self.mirrors)

    def url(self, link: str, base: str = "") -> tuple[str | None, str | None]:
        """(canonical URL within the site or None, the kind of trap it is or None)."""
        url, trap = self._within(link, base)
        return (url, None) if trap is None else (None, trap)

    def _within(self, link: str, base: str) -> tuple[str | None, str | None]:
        """The same, with the URL of a trap too."""
        if link.startswith("/") and not link.startswith("//"):
            base = origin(base) + "/" if base else base  # the same on every page, so found in the cache
        known = _resolved(base, link)
        if known is None:
            return None, None
        url, host, trap = known
        home = self.home(host)
        if home is None:
            return None, None
        if home != host or not url.startswith(self.scheme + ":"):
            url = self._at(home, url)
        if self.sessions and "?" in url:
            url = without(url, self.sessions)
        path = target(url)
        if any(pattern.search(path) for pattern in _compiled(self.site.follow.ignore)):
            return None, None
        return url, trap

    def home(self, host: str) -> str | None:
        """The host that stands for ``host`` in this site, None where it does not belong to it."""
        if host == self.site.host or _bare(host) == _bare(self.site.host):
            return self.site.host
        return self._homes.get(host)

    def _at(self, home: str, url: str) -> str:
        scheme = self.scheme if home == self.site.host else urlsplit(url).scheme
        return f"{scheme}://{home}{target(url)}"

    @cached_property
    def _patterns(self) -> dict[str, tuple[re.Pattern[str], ...]]:
        follow = self.site.follow
        by_kind = {"attachment": follow.attachments, "detail": follow.details, "list": follow.lists}
        return {kind: _compiled(patterns) for kind, patterns in by_kind.items()}

    def followed(self, kinds: Iterable[str]) -> tuple[str, ...]:
        """Those of ``kinds`` (attachment, detail, list) for which the site has a pattern."""
        return tuple(kind for kind in kinds if self._patterns[kind])

    def classified(self, url: str, kinds: Iterable[str]) -> str | None:
        """The first of ``kinds`` whose patterns the URL matches; articles of former days are details too."""
        kinds = tuple(kinds)
        kind = self._classified(url, kinds)
        if kind in (None, "list") and "detail" in kinds:
            old = tuple(pattern for one in self.site.old for pattern in one.details)
            if any(pattern.search(target(url)) for pattern in _compiled(old)):
                return "detail"
        return kind

    def _classified(self, url: str, kinds: Iterable[str]) -> str | None:
        """By the patterns of today; ``url`` may be its path and query alone."""
        path = url if url.startswith("/") else target(url)
        for kind in kinds:
            for pattern in self._patterns[kind]:
                if pattern.search(path):
                    return kind
        return None

    def discovered(self, link: str, base: str, kinds: Iterable[str]) -> tuple[Discovered | None, str | None]:
        """A link as the patterns see it, and the trap it is, if it is one."""
        # most links of a page are not named by any pattern, and a plain path shows that by itself
        if is_plain_path(link) and self._classified(link, kinds) is None:
            return None, None
        url, trap = self._within(link, base)
        kind = None if url is None else self._classified(url, kinds)
        if url is None or kind is None:
            return None, None
        return (Discovered(url, kind), None) if trap is None else (None, trap)


def target(url: str) -> str:
    """Path and query, which is what patterns are searched in."""
    begin = url.find("/", url.find("://") + 3)
    return url[begin:] if begin > 0 else "/"


def shape(url: str) -> str:
    """What a URL has in common with those of its kind: numbers as {n}, and words of the last place as *."""
    path, _, query = target(url).partition("?")
    folder, _, last = path.rstrip("/").rpartition("/")
    folder = re.sub(r"\d+", "{n}", folder)
    last = re.sub(r"\d+", "{n}", last) if re.search(r"\d", last) else "*"
    names = sorted(pair.partition("=")[0] for pair in query.split("&") if pair)
    return f"{folder}/{last}" + (f"?{'&'.join(names)}" if names else "")


def without(url: str, names: Iterable[str]) -> str:
    """The URL without these query parameters."""
    head, _, query = url.partition("?")
    pairs = filter(None, query.split("&"))
    kept = [pair for pair in pairs if unquote(pair.partition("=")[0]).lower() not in names]
    return f"{head}?{'&'.join(kept)}" if kept else head


@lru_cache(maxsize=16384)
def _resolved(base: str, link: str) -> tuple[str, str, str | None] | None:
    """Canonical URL, host and trap of a link, None where it can never be followed."""
    try:
        canonical = canonical_url(join(base, link))
    except ValueError:
        return None
    host = canonical.split("/", 3)[2]
    return None if _refused(host) else (canonical, host, _trap(canonical))


@lru_cache(maxsize=1024)
def _refused(host: str) -> bool:
    return refusal(f"http://{host}/") is not None


def _trap(url: str) -> str | None:
    if len(url) > MAX_URL:
        return TOO_LONG
    path = target(url).partition("?")[0]
    if path.count("/") < 3:
        return None
    folders = Counter(path.split("/")[1:])
    if _REPEATING.search(path) or max(folders.values()) > 3:
        return REPEATS
    return TOO_LONG if len(folders) > _DEEP else None


@lru_cache(maxsize=1024)
def origin(url: str) -> str:
    """Scheme and host, as ``https://www.example``."""
    return "://".join(urlsplit(url)[:2])


def invented(url: str) -> str:
    """An address beside this one that nobody gave out, made of it alone."""
    head, mark, query = url.partition("?")
    number = str(int.from_bytes(blake2b(url.encode(), digest_size=5).digest(), "big") + 10**12)
    if mark:
        return f"{head}?{re.sub(r'=[^&=]*$', f'={number}', query)}"
    folder, _, last = head.rpartition("/")
    return f"{folder}/{number}{'.' + last.rpartition('.')[2] if '.' in last else ''}"


@lru_cache(maxsize=1024)
def _bare(host: str) -> str:
    first, dot, rest = host.partition(".")
    return rest if dot and first in _ALIASES and "." in rest else host


@cache
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)
