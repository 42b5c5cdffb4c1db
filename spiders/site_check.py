"""What a site file makes of a URL and of a page, and what in it contradicts itself.

Everything here asks the crawl's own code: the same guard, the same patterns in the same
order, the same reading of links. Nothing is fetched and nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from fanwen.spiders.archive import utc_now
from fanwen.spiders.guard import refusal
from fanwen.spiders.items import Discovered, Leased
from fanwen.spiders.links import read_page
from fanwen.spiders.patterns import examples, slow
from fanwen.spiders.scope import Scope
from fanwen.spiders.scope import target as path_of
from fanwen.spiders.site import Site, families
from fanwen.spiders.urls import canonical_url


@dataclass(frozen=True, slots=True)
class Judged:
    """``kind`` is list, detail or attachment, None for a URL that is never visited; ``why`` in words."""

    url: str
    kind: str | None
    why: str


def judge(site: Site, url: str) -> Judged:
    """What the site's patterns make of a URL, as if a list page linked to it."""
    try:
        known = canonical_url(url)
    except ValueError:
        return Judged(url, None, "not an http(s) URL")
    reason = refusal(known)
    if reason is not None:
        return Judged(known, None, f"never fetched: {reason}")
    scope, host = Scope(site), urlsplit(known).netloc
    if scope.home(host) is None:
        return Judged(known, None, f"{host} is not among 'host' and 'hosts'")
    if pattern := _first(site.follow.ignore, path_of(known)):
        return Judged(known, None, f"ignore: {pattern}")
    here, trap = scope.url(known)
    if here is None:
        return Judged(known, None, f"never followed: {trap}")
    known, path = here, path_of(here)
    for kind, patterns in _by_kind(site).items():
        if pattern := _first(patterns, path):
            return Judged(known, kind, f"{kind}s: {pattern}")
    if known in [scope.url(start)[0] for start in site.start]:
        return Judged(known, "list", "it is in 'start'")
    return Judged(known, None, "no pattern of [follow] matches it")


def links_of(
    site: Site, judged: Judged, body: bytes, content_type: str | None
) -> tuple[tuple[Discovered, ...], str | None]:
    """The links that the crawl would follow from this page, and why they could not be read.

    What is no detail and no list is read as a further page of an article.
    """
    kind = judged.kind or "detail"
    leased = Leased(
        id=0,
        url=judged.url,
        site=site.name,
        host=urlsplit(judged.url).netloc,
        kind=kind,
        document_url=judged.url,
        part=0,
        depth=0,
        hops=0,
        attempts=0,
    )
    page = read_page(leased, Scope(site), judged.url, body, content_type)
    return page.links, page.problem


def doubts(site: Site, folder_families: Sequence[str] | None = None) -> list[str]:
    """What in a valid site file cannot be meant so, in a sentence each; but see :func:`slow_patterns`."""
    known = families() if folder_families is None else folder_families
    today = utc_now()[:10]
    yet = [one.valid_until.isoformat() for one in site.old if one.valid_until.isoformat() >= today]
    return [
        *_family_doubts(site, known),
        *_start_doubts(site),
        *_pattern_doubts(site),
        *_rights_doubts(site),
        *(f"in [[old]], {day} has not come yet: these rules hold for pages fetched now" for day in yet),
    ]


def slow_patterns(sites: Iterable[Site]) -> Mapping[str, tuple[str, ...]]:
    """By site, its patterns that hold a crawl up on some URL; measured for all sites together."""
    patterns = {site.name: (*_every_pattern(site),) for site in sites}
    bad = set(slow(pattern for one in patterns.values() for pattern in one))
    return {name: tuple(p for p in one if p in bad) for name, one in patterns.items() if bad & {*one}}


def _rights_doubts(site: Site) -> Iterator[str]:
    if site.status == "active" and site.rights.decision == "unreviewed":
        yield "it is active, and nobody has written down a decision in [rights]"
    if site.rights.decision != "unreviewed" and site.rights.reviewed_on is None:
        yield f"[rights] says '{site.rights.decision}' without 'reviewed_on'"


def _family_doubts(site: Site, known: Sequence[str]) -> Iterator[str]:
    if site.family is not None and site.family not in known:
        yield (
            f"family '{site.family}' has no file and is only a label; those with defaults are"
            f" {', '.join(known)}"
        )


def _start_doubts(site: Site) -> Iterator[str]:
    begins = bool(site.start or site.sitemaps)
    if begins and not (site.follow.details or site.follow.attachments):
        yield "nothing is a detail or an attachment by [follow]: a crawl would keep no document"
    for url in site.start:
        path = path_of(canonical_url(url))
        if pattern := _first(site.follow.details, path):
            yield f"the start {url} is also a detail ({pattern}): its own text would be taken for an article"
        elif pattern := _first(site.follow.ignore, path):
            yield f"the start {url} is ignored wherever it is linked ({pattern})"
        elif site.follow.details and not _first(site.follow.lists, path):
            yield f"no pattern of 'lists' matches the start {url}"


def _pattern_doubts(site: Site) -> Iterator[str]:
    """Every pattern is tried on URLs made from the patterns themselves."""
    kinds = _by_kind(site)
    for kind, wins in (("list", "detail"), ("list", "attachment"), ("detail", "attachment")):
        for path in dict.fromkeys(path for one in (kind, wins) for p in kinds[one] for path in _paths(p)):
            one, other = _first(kinds[kind], path), _first(kinds[wins], path)
            if one and other:
                yield f"{path} is of '{kind}s' ({one}) and of '{wins}s' ({other}): never a {kind}"
                break
    for kind, patterns in _by_kind(site).items():
        for pattern in patterns:
            paths = _paths(pattern)
            if paths and all(_first(site.follow.ignore, path) for path in paths):
                yield f"'{kind}s' has {pattern}, but 'ignore' takes whatever it matches"


def _paths(pattern: str) -> list[str]:
    return [text if text.startswith("/") else f"/a{text}" for text in examples(pattern)]


def _by_kind(site: Site) -> dict[str, tuple[str, ...]]:
    """In the order in which the crawl asks."""
    follow = site.follow
    return {"attachment": follow.attachments, "detail": follow.details, "list": follow.lists}


def _every_pattern(site: Site) -> Iterator[str]:
    follow = site.follow
    yield from (*follow.lists, *follow.details, *follow.attachments, *follow.ignore)
    yield from (pattern for one in site.old for pattern in one.details)


def _first(patterns: Iterable[str], path: str) -> str | None:
    return next((pattern for pattern in patterns if re.search(pattern, path)), None)
