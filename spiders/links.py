"""What a page says to the crawl: links by the site file's patterns, metas, and its words.

In goes a page with what it is known as, out comes a :class:`PageRead`. The page is never
judged as an essay or cleaned here; its words are only compared with those of other addresses.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any

from lxml import etree

from fanwen.markup import tame
from fanwen.spiders.archive import as_utc
from fanwen.spiders.decompress import RefusedBodyError, inflate
from fanwen.spiders.discovery import PART_STEP
from fanwen.spiders.items import Discovered, Leased, PageRead
from fanwen.spiders.reader import RawPage, read
from fanwen.spiders.scope import Scope

_MAX_SITEMAP = 50 * 1024 * 1024
_FEW_HAN = 200  # a page with fewer outside its links holds no essay
# which links each kind of page may bring; parts are found by the site file's selectors
_FOLLOWED = {
    "list": ("attachment", "detail", "list"),
    "sitemap": ("attachment", "detail", "list"),
    "detail": ("attachment",),
    "part": ("attachment",),
    "attachment": (),
}
_HTML_TYPES = ("text/html", "application/xhtml", "text/xml", "application/xml")
_METAS = etree.XPath("//meta[@name and @content]")
_ANCHORS = etree.XPath("//a[@href]")
# many sitemaps write it so in a query; what follows would be lost
_BARE_AMPERSAND = re.compile(rb"<!\[CDATA\[.*?\]\]>|&(?=[A-Za-z0-9_.-]+=)", re.DOTALL)
_NO_WORDS = re.compile(r"[\W_]+")


def read_page(leased: Leased, scope: Scope, url: str, body: bytes, content_type: str | None) -> PageRead:
    """What one page that came from ``url`` says; nothing is raised for any bytes."""
    # slow to import, and most commands read no page
    from scrapy.http import HtmlResponse
    from scrapy.utils.response import get_base_url

    try:
        traps: list[tuple[str, str]] = []
        if leased.kind == "sitemap":
            return PageRead(tuple(_unique(_sitemap_links(scope, body, traps))), traps=tuple(traps))
        own = tuple(_own_links(leased, scope, url, body, content_type, traps)) if scope.site.spider else ()
        if not is_html(body, content_type):
            return PageRead(own, traps=tuple(traps))
        headers = {"Content-Type": content_type} if content_type else {}
        page = HtmlResponse(url, body=tame(body), headers=headers)
        base = get_base_url(page)
        root = page.selector.root
        parts = _part_links(leased, scope, page, base)
        links = [*own, *parts, *_pattern_links(leased, scope, root, base, traps)]
        metas = tuple((meta.get("name").strip().lower(), meta.get("content")) for meta in _METAS(root))
        words = _words(leased, root)
        # letters beyond ASCII are Han here, and counting them so is fifty times as fast
        han = len(words) - len(words.encode("ascii", "ignore"))
        return PageRead(
            links=tuple(_unique(link for link in links if link.url != leased.url)),
            metas=metas,
            words_hash=blake2b(words.encode("utf-8", "replace"), digest_size=16).hexdigest()
            if words
            else None,
            han=han if words or leased.kind != "list" else None,
            soft_404=_soft_404(page.text) if han < _FEW_HAN and leased.kind != "list" else None,
            needs_script=han < 30 and not links and _rules()[2].search(page.text) is not None,
            traps=tuple(traps),
        )
    except Exception as error:  # whatever a hostile page does to a parser, its bytes are kept
        return PageRead(problem=f"links not read: {type(error).__name__}: {error}"[:300])


def _words(leased: Leased, root: Any) -> str:
    """The text outside links; of lists only a start page's, which soft 404s like to show.

    Takes the links out of the tree: nothing else can be read from it after this.
    """
    if leased.kind == "list" and leased.depth:
        return ""
    body = root.find("body")
    if body is None:
        return ""
    etree.strip_elements(body, "a", "script", "style", "noscript", with_tail=False)
    return _NO_WORDS.sub("", etree.tostring(body, encoding="unicode", method="text", with_tail=False))


def is_html(body: bytes, content_type: str | None) -> bool:
    """Whether to look for links: by the declared type, by the first bytes where none is declared."""
    if content_type:
        return content_type.lower().startswith(_HTML_TYPES)
    return body[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _pattern_links(
    leased: Leased, scope: Scope, root: Any, base: str, traps: list[tuple[str, str]]
) -> Iterator[Discovered]:
    kinds = scope.followed(_FOLLOWED[leased.kind])
    if not kinds:
        return
    pages = _further_pages(root) if leased.kind == "list" else {}
    hrefs = (element.get("href") for element in root.iter("a", "area"))
    for href in dict.fromkeys(href for href in hrefs if href is not None):
        link, trap = scope.discovered(href, base, kinds)
        if link is not None:
            paged = link.kind == "list" and href in pages
            yield Discovered(link.url, link.kind, page=pages[href]) if paged else link
        elif trap is not None:
            traps.append((trap, href[:500]))


def _own_links(
    leased: Leased,
    scope: Scope,
    url: str,
    body: bytes,
    content_type: str | None,
    traps: list[tuple[str, str]],
) -> Iterator[Discovered]:
    """What the site's own reader says that the page links; judged like any other link."""
    reading = read(str(scope.site.spider), RawPage(url, leased.kind, body, content_type))
    kinds = scope.followed(_FOLLOWED[leased.kind])
    for href in dict.fromkeys(reading.links):
        link, trap = scope.discovered(href, url, kinds)
        if link is not None:
            yield link
        elif trap is not None:
            traps.append((trap, href[:500]))
    if leased.kind == "detail":
        parts = (scope.url(part, url)[0] for part in reading.parts[: scope.site.parts.max_parts])
        for place, part in enumerate(filter(None, parts), start=1):
            yield Discovered(part, "part", leased.document_url, place)


def _further_pages(root: Any) -> dict[str, int]:
    """The links whose text says that they lead on in the same list: 2, 下一页; by the number they show."""
    pages: dict[str, int] = {}
    for anchor in _ANCHORS(root):
        text = anchor.text or ""
        if not text.strip() and len(anchor):
            text = "".join(anchor.itertext())
        said = _rules()[1].match(text) if len(text) < 30 else None
        if said or anchor.get("rel") == "next":
            pages.setdefault(anchor.get("href"), int(said[1]) if said and said[1] else 0)
    return pages


def _part_links(leased: Leased, scope: Scope, page: Any, base: str) -> Iterator[Discovered]:
    """The next page of the same article, and the fragments that this page loads."""
    if leased.kind not in ("detail", "part") or leased.part % PART_STEP:
        return
    document, parts = leased.document_url, scope.site.parts
    seen = {leased.url, document}
    number = leased.part // PART_STEP
    if parts.next_link and number + 1 < parts.max_parts:
        for url in _targets(scope, page, parts.next_link, base):
            if url not in seen:
                seen.add(url)
                yield Discovered(url, "part", document, (number + 1) * PART_STEP)
                break
    if parts.fragment:
        fragments = [url for url in _targets(scope, page, parts.fragment, base) if url not in seen]
    else:
        fragments = [url for url in _api_calls(scope, page, base) if url not in seen]
    for place, url in enumerate(dict.fromkeys(fragments[: parts.max_parts]), start=1):
        yield Discovered(url, "part", document, number * PART_STEP + place)


def _api_calls(scope: Scope, page: Any, base: str) -> Iterator[str]:
    """The addresses of the fragments that a script of the page asks for."""
    parts = scope.site.parts
    if parts.api is None or parts.api_values is None:
        return
    found = re.search(parts.api_values, page.text)
    if found is None:
        return
    values = {name: value or "" for name, value in found.groupdict().items()}
    pages = int(values["pages"]) if values["pages"].isdecimal() else 0
    for number in range(parts.api_first, min(pages, parts.api_first + parts.max_parts) + 1):
        url = scope.url(parts.api.format(page=number, **values), base)[0]
        if url is not None:
            yield url


def _targets(scope: Scope, page: Any, selector: str, base: str) -> Iterator[str]:
    for found in page.css(selector):
        if isinstance(found.root, str):  # a selector that ends in ::attr(…)
            values = [found.root]
        else:
            values = [found.root.get(name) for name in ("data-url", "href", "data-src", "src")]
        for value in values:
            url = scope.url(value, base)[0] if value and not value.startswith("#") else None
            if url is not None:
                yield url
                break


def _sitemap_links(scope: Scope, body: bytes, traps: list[tuple[str, str]]) -> Iterator[Discovered]:
    if body[:2] == b"\x1f\x8b":
        body = inflate(body, _MAX_SITEMAP)[0]
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
    body = _BARE_AMPERSAND.sub(lambda found: b"&amp;" if found[0] == b"&" else found[0], body)
    root = etree.fromstring(body, parser)
    if root is None:
        raise RefusedBodyError("not a sitemap")
    index = etree.QName(root).localname == "sitemapindex"
    for entry in root.iterchildren("{*}sitemap", "{*}url"):
        text = (entry.findtext("{*}loc") or "").strip()
        lastmod = read_lastmod(entry.findtext("{*}lastmod"))
        if index:
            url, trap = scope.url(text)
            link = None if url is None else Discovered(url, "sitemap")
        else:
            link, trap = scope.discovered(text, "", _FOLLOWED["sitemap"])
        if link is not None:
            yield Discovered(link.url, link.kind, lastmod=lastmod)
        elif trap is not None:
            traps.append((trap, text[:500]))


def read_lastmod(text: str | None) -> str | None:
    """A W3C date or time as UTC: ``2026-03-01`` or ``2026-03-01T08:00:00Z``; None for anything else."""
    text = (text or "").strip()
    moment = as_utc(text)
    return moment[:10] if moment and len(text) <= 10 else moment


def _soft_404(source: str) -> str | None:
    found = _rules()[0].search(source)
    return None if found is None else " ".join(found[0].split())[:80]


def _unique(links: Iterable[Discovered]) -> Iterator[Discovered]:
    seen: set[str] = set()
    for link in links:
        if link.url not in seen:
            seen.add(link.url)
            yield link


@cache
def _rules() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Soft 404s, links to further pages, pages that a script fills."""
    data = tomllib.loads((files("fanwen.spiders") / "rules" / "pages.toml").read_text(encoding="utf-8"))
    return (
        re.compile("|".join(data["soft_404"])),
        re.compile(data["paging"]),
        re.compile(data["script_mount"]),
    )
