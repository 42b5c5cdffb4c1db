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
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urljoin, urlsplit

from fanwen.errors import UsageError
from fanwen.spiders.guard import refusal
from fanwen.spiders.page_shape import Article, Choice, content_choices, furniture_choices, title_choices
from fanwen.spiders.sample import bare_host, one_site
from fanwen.spiders.scope import target as path_of
from fanwen.spiders.site import Site
from fanwen.spiders.url_shapes import later_page_of, patterns_of
from fanwen.spiders.urls import canonical_url

# Tags above which a page is not looked at: no page of essays has as many, and selectors are tried on all.
_MOST_TAGS = 60_000
_FILE = re.compile(r"(?i)\.(pdf|docx|txt)$")


@dataclass(frozen=True, slots=True)
class Given:
    """One page: its canonical URL, and its text as decoded by whoever knows how."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """One key of the site file; without a value it is left out.

    ``sure``: yes, likely or no, none where there is nothing to propose; ``why`` in words.
    """

    key: str
    value: str | tuple[str, ...]
    sure: str
    why: str


@dataclass(frozen=True, slots=True)
class Scaffold:
    """A proposed site file: the ``site``, the same as TOML ``text``, and the evidence."""

    site: Site
    text: str
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True)
class _Link:
    path: str
    words: str


@dataclass(frozen=True, slots=True)
class _Page:
    """A page taken in: its path and its links within the site."""

    path: str
    article: Article
    links: tuple[_Link, ...]

    @property
    def is_article(self) -> bool:
        return self.article.main is not None


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
    hosts = sorted({*others, *_hosts_linked(given, pages, host)})
    base = f"{urlsplit(given[0].url).scheme}://{host}/"
    maps = sorted({*_in_scope(sitemaps, (host, *hosts)), *_maps_linked(given, pages, (host, *hosts))})
    proposals = (
        *_scope(host, hosts, base, maps, given),
        *_follow(pages, articles),
        *_parts(articles),
        *_extract([page.article for page in articles]),
    )
    known = name or bare_host(host)
    text = _toml(known, _site_title(known, articles), len(given), proposals)
    return Scaffold(Site.model_validate(tomllib.loads(text)), text, proposals)


# -- what the pages hold ------------------------------------------------------------------------


def _taken(given: Given, site: str) -> _Page:
    if given.text.count("<") > _MOST_TAGS:
        raise UsageError(f"The page {given.url} has more than {_MOST_TAGS:,} tags; choose another one.")
    article = Article(given.text)
    links = []
    for one in article.root.xpath("//a[@href]"):
        try:
            url = canonical_url(urljoin(given.url, one.get("href").strip()))
        except ValueError:
            continue
        if bare_host(urlsplit(url).netloc) == site and refusal(url) is None:
            links.append(_Link(path_of(url), "".join("".join(one.itertext()).split())))
    return _Page(path_of(given.url), article, tuple(dict.fromkeys(links)))


def _hosts_linked(given: Sequence[Given], pages: Sequence[_Page], host: str) -> set[str]:
    """Other names of the site (www., m.) that its pages link."""
    found = set()
    for one, page in zip(given, pages, strict=True):
        for href in page.article.root.xpath("//a/@href | //link[@rel='canonical' or @rel='alternate']/@href"):
            try:
                found.add(urlsplit(canonical_url(urljoin(one.url, str(href).strip()))).netloc)
            except ValueError:
                continue
    return {one for one in found if one != host and bare_host(one) == bare_host(host)}


def _maps_linked(given: Sequence[Given], pages: Sequence[_Page], hosts: Sequence[str]) -> list[str]:
    paths = "//link[@rel='sitemap']/@href | //a/@href"
    hrefs = (
        urljoin(one.url, str(href).strip())
        for one, page in zip(given, pages, strict=True)
        for href in page.article.root.xpath(paths)
    )
    return _in_scope((href for href in hrefs if re.search(r"(?i)sitemap[^/]*\.xml(\.gz)?$", href)), hosts)


def _in_scope(urls: Iterable[str], hosts: Sequence[str]) -> list[str]:
    found = []
    for url in urls:
        try:
            known = canonical_url(url)
        except ValueError:
            continue
        if urlsplit(known).netloc in hosts:
            found.append(known)
    return found


def _site_title(name: str, articles: Sequence[_Page]) -> str:
    """The name that ends the pages' titles, where they agree in it."""
    ends = {re.split(r"\s*[-_|–—]\s*", page.article.head)[-1] for page in articles}
    end = next(iter(ends))
    return end if len(ends) == 1 and 2 <= len(end) <= 20 and end != articles[0].article.head else name


# -- the keys of the file -----------------------------------------------------------------------


def _scope(
    host: str, hosts: Sequence[str], base: str, maps: Sequence[str], given: Sequence[Given]
) -> Iterator[Proposal]:
    count = sum(urlsplit(page.url).netloc == host for page in given)
    yield Proposal("host", host, "yes", f"{count} of {len(given)} pages are of it")
    why = "pages come from or link to" if hosts else "no page comes from or links to"
    yield Proposal(
        "hosts", tuple(hosts), "likely" if hosts else "none", f"{why} other names of the same site"
    )
    yield Proposal("start", (base,), "likely", "the front page; no more is known of it than its address")
    yield Proposal("sitemaps", tuple(maps), "yes" if maps else "none", _mentioned(maps))


def _mentioned(maps: Sequence[str]) -> str:
    return "named by robots.txt or linked on a page" if maps else "none is named on these pages"


def _follow(pages: Sequence[_Page], articles: Sequence[_Page]) -> Iterator[Proposal]:
    never, list_words = _words("never"), _words("lists")
    linked = list(dict.fromkeys(link.path for page in pages for link in page.links))
    paths = {page.path for page in articles}
    known = [
        path for path in sorted(paths)
        if not any(path != one and later_page_of(path, one) for one in {*paths, *linked})
    ]  # fmt: skip
    details = patterns_of(known or sorted(paths), linked, (*never, *list_words))
    followed = [path for path in linked if _matches(details, path)]
    borne = len(articles)
    sure = "yes" if borne >= 3 and followed else "likely" if borne >= 2 or len(followed) >= 3 else "no"
    yield Proposal(
        "follow.details", tuple(details), sure,
        f"the URLs of {borne} of {borne} articles; {len(followed)} links on these pages match too",
    )  # fmt: skip
    lists, why, sure = _lists(pages, paths, linked, details)
    yield Proposal("follow.lists", tuple(lists), sure, why)
    attached = sorted({path.rpartition(".")[2].lower() for path in linked if _FILE.search(path)})
    found = (rf"(?i)\.({'|'.join(attached)})$",) if attached else ()
    why = "files of these kinds are linked" if found else "no PDF, DOCX or TXT is linked"
    yield Proposal("follow.attachments", found, "likely" if found else "none", why)
    wrong = sorted({
        word for path in linked if _matches((*details, *lists), path)
        for word in re.findall(r"[a-z]+", path.lower().split("/")[1].split("?")[0]) if word in never
    })  # fmt: skip
    ignore = (rf"(?i)^/({'|'.join(wrong)})\b",) if wrong else ()
    why = "links that the patterns would follow, and no articles" if ignore else "none is needed"
    yield Proposal("follow.ignore", ignore, "likely" if ignore else "none", why)


def _lists(
    pages: Sequence[_Page], articles: set[str], linked: Sequence[str], details: Sequence[str]
) -> tuple[list[str], str, str]:
    """List patterns, why, and how sure: list pages given, their further pages, and folders of articles."""
    given = {page.path for page in pages if not page.is_article}
    words = _words("list_page")
    further = {
        link.path
        for page in pages
        if not page.is_article
        for link in page.links
        if link.words in words or re.fullmatch(r"\d{1,4}", link.words)
    }
    above = {folder for path in articles for folder in _folders(path)}
    folders = {path for path in linked if path in above or f"{path}/" in above}
    found = {path for path in given | further | folders if not _matches(details, path)}
    # the further pages of one folder tell what those of the others are called
    alike = {one + path.rpartition("/")[2] for path in further for one in folders if one.endswith("/")}
    others = [path for path in (*linked, *sorted(alike)) if not _matches(details, path)]
    patterns = patterns_of(sorted(found - {"/"}), others, _words("never"))
    patterns = [pattern for pattern in patterns if not any(re.search(pattern, path) for path in articles)]
    why = (
        f"pages given without an article: {len(given)}; their further pages linked: {len(further - given)};"
        f" linked folders of the articles: {len(folders)}"
    )
    return ["^/$", *patterns], why, "likely" if given - {"/"} and further else "no"


def _folders(path: str) -> Iterator[str]:
    parts = path.partition("?")[0].split("/")[1:-1]
    for k in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:k]) + "/"


def _parts(articles: Sequence[_Page]) -> Iterator[Proposal]:
    """The link to the next page of an article, where the URLs bear it out."""
    words = _words("next_page")
    found: dict[str, int] = {}
    for page in articles:
        shown = {link.words for link in page.links if later_page_of(link.path, page.path)} & {*words}
        for word in sorted(shown, key=words.index)[:1]:
            found[word] = found.get(word, 0) + 1
    value = ", ".join(f"a:contains('{word}')" for word in found)
    count = sum(found.values())
    why = f"on {count} of {len(articles)} articles it leads to a later page of the same" if found else (
        "no article among these goes on on a further page"
    )  # fmt: skip
    yield Proposal("parts.next_link", value, ("yes" if count > 1 else "likely") if found else "none", why)


def _extract(articles: Sequence[Article]) -> Iterator[Proposal]:
    loose, count = _words("loose"), len(articles)
    titles = title_choices(articles, loose)
    yield Proposal(
        "extract.title", tuple(one.selector for one in titles), _sure(titles, count),
        f"on {_of(titles, count)} pages it is how the <title> begins" if titles else
        "nothing on the pages is how their <title> begins",
    )  # fmt: skip
    content = content_choices(articles, loose)
    selectors = tuple(one.selector for one in content)
    tight = sum(one.tight for one in content) / len(content) if content else 0.0
    yield Proposal(
        "extract.content", (*selectors, "@trafilatura"), _sure(content, count),
        f"it holds the text of {_of(content, count)} pages; {tight:.0%} of what it holds is running text"
        if selectors else "no name of the text's block holds on several pages: generic extraction",
    )  # fmt: skip
    removed = furniture_choices(articles, selectors, _words("furniture"), loose)
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


def _matches(patterns: Iterable[str], path: str) -> bool:
    return any(re.search(pattern, path) for pattern in patterns)


@cache
def _words(key: str) -> tuple[str, ...]:
    data = tomllib.loads((files("fanwen.spiders") / "rules/scaffold.toml").read_text(encoding="utf-8"))
    return tuple(data[key])


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
