"""Which links of a page are followed, by the site file's patterns.

In goes a page with what it is known as, out come the links to follow, each with its
kind, and the page's meta elements. The page is never judged or cleaned here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urlsplit

from lxml import etree
from scrapy.http import HtmlResponse
from scrapy.utils.response import get_base_url

from fanwen.spiders.decompress import RefusedBody, inflate
from fanwen.spiders.frontier import PART_STEP
from fanwen.spiders.guard import refusal
from fanwen.spiders.items import Discovered, Leased
from fanwen.spiders.site import Site
from fanwen.spiders.urls import canonical_url, join

MAX_URL = 2000
_MAX_SITEMAP = 50 * 1024 * 1024
# which links each kind of page may bring; parts are found by the site file's selectors
_FOLLOWED = {
    "list": ("attachment", "detail", "list"),
    "sitemap": ("attachment", "detail", "list"),
    "detail": ("attachment",),
    "part": ("attachment",),
    "attachment": (),
}
_Rules = list[tuple[str, tuple[re.Pattern[str], ...]]]
_HTML_TYPES = ("text/html", "application/xhtml", "text/xml", "application/xml")


@dataclass(frozen=True, slots=True)
class PageLinks:
    """``metas`` are (name in lower case, content); ``problem`` says why the page could not be read."""

    links: tuple[Discovered, ...] = ()
    metas: tuple[tuple[str, str], ...] = ()
    problem: str | None = None


def read_page(leased: Leased, site: Site, url: str, body: bytes, content_type: str | None) -> PageLinks:
    """Links and metas of one page that came from ``url``; nothing is raised for any bytes."""
    try:
        if leased.kind == "sitemap":
            return PageLinks(tuple(_unique(_sitemap_links(leased, site, body))))
        if not is_html(body, content_type):
            return PageLinks()
        headers = {"Content-Type": content_type} if content_type else {}
        page = HtmlResponse(url, body=body, headers=headers)
        base = get_base_url(page)
        links = [*_part_links(leased, site, page, base), *_pattern_links(leased, site, page, base)]
        return PageLinks(
            tuple(_unique(link for link in links if link.url != leased.url)), tuple(_metas(page))
        )
    except Exception as error:  # whatever a hostile page does to a parser, its bytes are kept
        return PageLinks(problem=f"links not read: {type(error).__name__}: {error}"[:300])


def is_html(body: bytes, content_type: str | None) -> bool:
    """Whether to look for links: by the declared type, by the first bytes where none is declared."""
    if content_type:
        return content_type.lower().startswith(_HTML_TYPES)
    return body[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def scoped(site: Site, url: str, base: str = "") -> str | None:
    """The canonical URL of a link when it stays within the site and the guard lets it pass, else None."""
    if url.startswith("/") and not url.startswith("//"):
        base = _root(base)  # the same on every page, so found in the cache
    known = _resolved(base, url)
    if known is None or (known[1] != site.host and known[1] not in site.hosts):
        return None
    if any(pattern.search(_target(known[0])) for pattern in _compiled(site.follow.ignore)):
        return None
    return known[0]


@lru_cache(maxsize=1024)
def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


@lru_cache(maxsize=16384)
def _resolved(base: str, url: str) -> tuple[str, str] | None:
    """Canonical URL and host of a link, None where it can never be followed."""
    try:
        canonical = canonical_url(join(base, url))
    except ValueError:
        return None
    host = canonical.split("/", 3)[2]
    if len(canonical) > MAX_URL or _refused(host):
        return None
    return canonical, host


@lru_cache(maxsize=1024)
def _refused(host: str) -> bool:
    return refusal(f"http://{host}/") is not None


def _pattern_links(leased: Leased, site: Site, page: Any, base: str) -> Iterator[Discovered]:
    rules = _rules(leased, site)
    if not rules:
        return
    hrefs = (element.get("href") for element in page.selector.root.iter("a", "area"))
    for href in dict.fromkeys(href for href in hrefs if href is not None):
        link = _classified(rules, site, href, base)
        if link is not None:
            yield link


def _part_links(leased: Leased, site: Site, page: Any, base: str) -> Iterator[Discovered]:
    """The next page of the same article, and the fragments that this page loads."""
    if leased.kind not in ("detail", "part") or leased.part % PART_STEP:
        return
    document = leased.document_url
    seen = {leased.url, document}
    number = leased.part // PART_STEP
    if site.parts.next_link and number + 1 < site.parts.max_parts:
        for url in _targets(site, page, site.parts.next_link, base):
            if url not in seen:
                seen.add(url)
                yield Discovered(url, "part", document, (number + 1) * PART_STEP)
                break
    if site.parts.fragment:
        fragments = [url for url in _targets(site, page, site.parts.fragment, base) if url not in seen]
        for place, url in enumerate(dict.fromkeys(fragments[: site.parts.max_parts]), start=1):
            yield Discovered(url, "part", document, number * PART_STEP + place)


def _targets(site: Site, page: Any, selector: str, base: str) -> Iterator[str]:
    for found in page.css(selector):
        if isinstance(found.root, str):  # a selector that ends in ::attr(…)
            values = [found.root]
        else:
            values = [found.root.get(name) for name in ("data-url", "href", "data-src", "src")]
        for value in values:
            url = scoped(site, value, base) if value and not value.startswith("#") else None
            if url is not None:
                yield url
                break


def _sitemap_links(leased: Leased, site: Site, body: bytes) -> Iterator[Discovered]:
    if body[:2] == b"\x1f\x8b":
        body = inflate(body, _MAX_SITEMAP)[0]
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
    root = etree.fromstring(body, parser)
    if root is None:
        raise RefusedBody("not a sitemap")
    index = etree.QName(root).localname == "sitemapindex"
    rules = _rules(leased, site)
    for loc in root.iterfind(".//{*}loc"):
        text = (loc.text or "").strip()
        if index:
            url = scoped(site, text)
            if url is not None:
                yield Discovered(url, "sitemap")
        elif (link := _classified(rules, site, text)) is not None:
            yield link


def _rules(leased: Leased, site: Site) -> _Rules:
    """The kinds of links that this page may bring and the site follows, with their patterns."""
    patterns = {
        "attachment": site.follow.attachments,
        "detail": site.follow.details,
        "list": site.follow.lists,
    }
    return [(kind, _compiled(patterns[kind])) for kind in _FOLLOWED[leased.kind] if patterns[kind]]


def _classified(rules: _Rules, site: Site, href: str, base: str = "") -> Discovered | None:
    url = scoped(site, href, base)
    if url is None:
        return None
    target = _target(url)
    for kind, patterns in rules:
        if any(pattern.search(target) for pattern in patterns):
            return Discovered(url, kind)
    return None


def _metas(page: Any) -> Iterator[tuple[str, str]]:
    for meta in page.selector.root.iter("meta"):
        name, content = meta.get("name"), meta.get("content")
        if name is not None and content is not None:
            yield name.strip().lower(), content


def _unique(links: Iterable[Discovered]) -> Iterator[Discovered]:
    seen: set[str] = set()
    for link in links:
        if link.url not in seen:
            seen.add(link.url)
            yield link


def _target(url: str) -> str:
    """Path and query of a canonical URL, which is what patterns are searched in."""
    return "/" + url.split("/", 3)[3]


@cache
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)
