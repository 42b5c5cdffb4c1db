"""The pages of a site as the cleaners take them: by the rules of the day they came, through its own reader.

In go a site file and what the archive holds, out come :class:`fanwen.cleaners.types.Page` objects. A reader
that fails makes its page unreadable, which is a reject with a reason, and stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache

from fanwen.cleaners.types import ExtractHints, Page
from fanwen.corpus.store import to_json
from fanwen.spiders.archive import Archive
from fanwen.spiders.items import ArchivedDocument
from fanwen.spiders.reader import RawPage, read, reader_of
from fanwen.spiders.site import Extract, Site


def pages_of(archive: Archive, document: ArchivedDocument, site: Site | None) -> list[Page]:
    """The pages of an archived document, in order. Raises DamagedError for a lost body."""
    return [
        page_of(site, part.url, archive.body(part.body_hash), part.content_type, part.fetched_at,
                kind="part" if number else "detail", truncated=part.truncated)
        for number, part in enumerate(document.parts)
    ]  # fmt: skip


def page_of(
    site: Site | None,
    url: str,
    body: bytes,
    content_type: str | None,
    day: str,
    *,
    kind: str = "detail",
    truncated: bool = False,
) -> Page:
    """One page that came on ``day``, a UTC date or time."""
    if site is None:
        return Page(url, body, content_type, truncated=truncated)
    hints = _hints(site.at(day).extract)
    if site.spider is not None:
        try:
            html = read(site.spider, RawPage(url, kind, body, content_type)).html
        except Exception as error:  # code of the user's own
            problem = f"{site.spider}: {type(error).__name__}: {error}"[:300]
            return Page(url, body, content_type, hints=hints, problem=problem)
        if html is not None:
            hints_of_html = "text/html; charset=utf-8"
            return Page(url, html.encode("utf-8", "replace"), hints_of_html, "utf-8", truncated, hints)
    return Page(url, body, content_type, hints.encoding, truncated, hints)


def rules_of(site: Site | None, days: Iterable[str]) -> str:
    """What decides, besides the bytes, how pages that came on these days are read."""
    if site is None:
        return ""
    reader = None if site.spider is None else [site.spider, reader_of(site.spider).version]
    rules = dict.fromkeys(_told(site.at(day).extract) for day in dict.fromkeys(day[:10] for day in days))
    return to_json([reader, *rules])


@lru_cache(maxsize=4096)
def _hints(extract: Extract) -> ExtractHints:
    return ExtractHints(extract.title, extract.content, extract.remove, extract.encoding, extract.lines)


@lru_cache(maxsize=4096)
def _told(extract: Extract) -> str:
    return to_json(asdict(_hints(extract)))
