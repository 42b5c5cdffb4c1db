"""A site file proposed from a few pages: patterns, selectors, and how sure each of them is.

In go decoded pages with their URLs, out comes a :class:`Scaffold`: a valid candidate with the
evidence for each of its keys. It says what holds on these pages and nothing about others; a
person reviews it. Nothing is fetched, written or cleaned here.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from fanwen.errors import UsageError
from fanwen.spiders.guard import refusal
from fanwen.spiders.page_shape import (
    Article,
    Choice,
    content_choices,
    furniture_choices,
    title_choices,
)
from fanwen.spiders.sample import bare_host, one_site
from fanwen.spiders.scaffold_links import Proposal, SamplePage, follow, parts, words
from fanwen.spiders.scope import target as path_of
from fanwen.spiders.site import Site
from fanwen.spiders.urls import canonical_url

# Tags above which a page is not looked at: no page of essays has as many, and selectors are tried on all.
_MOST_TAGS = 60_000
# tags that hold many things: where one is the title, that is luck
_BARE = ("h3", "h4", "b", "strong")
_SITEMAP = re.compile(r"(?i)sitemap[^/]*\.xml(\.gz)?$")


@dataclass(frozen=True, slots=True)
class Given:
    """One page: its canonical URL, and its text as decoded by whoever knows how."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A proposed site file: the ``site``, the same as TOML ``text``, and the evidence."""

    site: Site
    text: str
    proposals: tuple[Proposal, ...]


def scaffold(given: Sequence[Given], *, name: str | None = None, sitemaps: Iterable[str] = ()) -> Scaffold:
    """Propose a site file from pages of one site. ``sitemaps`` are those that robots.txt names.

    Raises UsageError for pages of several sites, and where none of them holds an article.
    """
    host, others = one_site(page.url for page in given)
    pages = [_taken(page, bare_host(host)) for page in given]
    articles = [page for page in pages if page.is_article]
    if not articles:
        raise UsageError(
            "None of the pages holds running Chinese text of an article; give pages of articles, not only"
            " lists, saved with their text (a page that scripts fill is empty when it is fetched)."
        )
    named = list(dict.fromkeys(url for page in pages for url in page.named))
    hosts = sorted({*others, *(urlsplit(url).netloc for url in named)} - {host})
    maps = sorted({
        url for url in (*sitemaps, *(url for url in named if _SITEMAP.search(url)))
        if urlsplit(url).netloc in (host, *hosts)
    })  # fmt: skip
    proposals = (
        *_scope(host, hosts, f"{urlsplit(given[0].url).scheme}://{host}/", maps, given),
        *follow(pages, articles),
        *parts(articles),
        *_extract([page.article for page in articles]),
    )
    known = name or bare_host(host)
    text = _toml(known, _site_title(known, articles), len(given), proposals)
    return Scaffold(Site.model_validate(tomllib.loads(text)), text, proposals)


# -- what the pages hold ------------------------------------------------------------------------


def _taken(given: Given, site: str) -> SamplePage:
    if given.text.count("<") > _MOST_TAGS:
        raise UsageError(f"The page {given.url} has more than {_MOST_TAGS:,} tags; choose another one.")
    article = Article(given.text, words("talk"))
    links, named = [], []
    for one in article.root.xpath("//a[@href] | //link[@href]"):
        try:
            url = canonical_url(urljoin(given.url, one.get("href").strip()))
        except ValueError:
            continue
        if bare_host(urlsplit(url).netloc) == site and refusal(url) is None:
            named.append(url)
            if one.tag == "a":
                links.append((path_of(url), "".join("".join(one.itertext()).split())))
    return SamplePage(path_of(given.url), article, tuple(dict.fromkeys(links)), tuple(named))


def _site_title(name: str, articles: Sequence[SamplePage]) -> str:
    """The last part that the titles of all pages share; a host is no name, and one title is no evidence."""
    heads = [re.split(r"\s*[-_|–—]\s*", page.article.head) for page in articles]
    shared = [
        part for k, part in enumerate(heads[0])
        if all(part in one for one in heads) and (k or len(heads) > 1)
        and 2 <= len(part) <= 20 and re.search("[㐀-鿿]", part)
    ]  # fmt: skip
    return shared[-1] if shared else name


# -- the keys of the file -----------------------------------------------------------------------


def _scope(
    host: str, hosts: Sequence[str], base: str, maps: Sequence[str], given: Sequence[Given]
) -> Iterator[Proposal]:
    count = sum(urlsplit(page.url).netloc == host for page in given)
    yield Proposal("host", host, "yes", f"{count} of {len(given)} pages are of it")
    why = f"{'' if hosts else 'no '}pages come from or name others of the same site"
    yield Proposal("hosts", tuple(hosts), "likely" if hosts else "none", why)
    yield Proposal("start", (base,), "likely", "the front page; no more is known of it than its address")
    why = "named by robots.txt or on a page" if maps else "none is named on these pages"
    yield Proposal("sitemaps", tuple(maps), "yes" if maps else "none", why)


def _extract(articles: Sequence[Article]) -> Iterator[Proposal]:
    loose, count = words("loose"), len(articles)
    titles = title_choices(articles, loose)
    yield Proposal(
        "extract.title", tuple(one.selector for one in titles),
        "likely" if titles and titles[0].selector in _BARE else _sure(titles, count),
        f"on {_of(titles, count)} pages it is a whole part of the <title>" if titles else
        "nothing that could be named again is a whole part of the <title>",
    )  # fmt: skip
    content = content_choices(articles, loose)
    selectors = tuple(one.selector for one in content)
    tight = sum(one.tight for one in content) / len(content) if content else 0.0
    yield Proposal(
        "extract.content", selectors, _sure(content, count),
        f"it holds the text of {_of(content, count)} pages; {tight:.0%} of what it holds is running text"
        if selectors else "no name of the text's block holds on several pages: generic extraction",
    )  # fmt: skip
    removed = furniture_choices(articles, selectors, words("furniture"), loose)
    yield Proposal(
        "extract.remove", tuple(one.selector for one in removed), "likely" if removed else "none",
        "; ".join(f"{one.selector} on {len(one.pages)} of {count} pages" for one in removed)
        or "nothing inside the text has the name or the look of furniture",
    )  # fmt: skip


def _sure(choices: Sequence[Choice], count: int) -> str:
    """Yes where one selector holds on all of three pages or more, no where some page is without."""
    borne = len(frozenset().union(*(one.pages for one in choices)))
    if not choices or borne < count:
        return "no"
    return "yes" if count >= 3 and len(choices) == 1 else "likely"


def _of(choices: Sequence[Choice], count: int) -> str:
    return f"{len(frozenset().union(*(one.pages for one in choices)))} of {count}"


# -- the file -----------------------------------------------------------------------------------


def _toml(name: str, title: str, count: int, proposals: Sequence[Proposal]) -> str:
    """The site file; keys without a value are left out."""
    note = f"Proposed by 'fanwen sites new' from {count} page{'s' * (count > 1)}; nobody has checked it yet."
    lines = [f"{key} = {_value(value)}" for key, value in (
        ("name", name), ("title", title), ("status", "candidate"), ("note", note),
    )]  # fmt: skip
    table = ""
    for one in proposals:
        if not one.value:
            continue
        head, _, key = one.key.rpartition(".")
        if head != table:
            lines += ["", f"[{head}]"]
            table = head
        lines.append(f"{key} = {_value(one.value)}")
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if "\\" in value and "'" not in value:
        return f"'{value}'"  # patterns stay readable
    # JSON's strings are TOML's, but for the one control character that JSON lets pass
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
