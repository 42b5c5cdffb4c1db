"""A site file proposed from a few pages: patterns, selectors, and how sure each of them is.

In go decoded pages with their URLs, out comes a :class:`Scaffold`: a valid candidate with the
evidence for each of its keys. It says what holds on these pages and nothing about others; a
person reviews it. Nothing is fetched, written or cleaned here.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urljoin, urlsplit

from fanwen.errors import UsageError
from fanwen.spiders.guard import refusal
from fanwen.spiders.page_shape import (
    Article,
    Choice,
    content_choices,
    furniture_choices,
    names_of,
    title_choices,
)
from fanwen.spiders.sample import bare_host, one_site
from fanwen.spiders.scope import target as path_of
from fanwen.spiders.site import Site
from fanwen.spiders.url_shapes import later_page_of, moved, patterns_of
from fanwen.spiders.urls import canonical_url

# Tags above which a page is not looked at: no page of essays has as many, and selectors are tried on all.
_MOST_TAGS = 60_000
_FILE = re.compile(r"(?i)\.(pdf|docx|txt)$")
_SITEMAP = re.compile(r"(?i)sitemap[^/]*\.xml(\.gz)?$")


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
class _Page:
    """A page taken in: its path, the ``links`` (path, words) it shows, and every URL of the site it names."""

    path: str
    article: Article
    links: tuple[tuple[str, str], ...]
    named: tuple[str, ...]

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
    named = list(dict.fromkeys(url for page in pages for url in page.named))
    hosts = sorted({*others, *(urlsplit(url).netloc for url in named)} - {host})
    maps = sorted({
        url for url in (*sitemaps, *(url for url in named if _SITEMAP.search(url)))
        if urlsplit(url).netloc in (host, *hosts)
    })  # fmt: skip
    proposals = (
        *_scope(host, hosts, f"{urlsplit(given[0].url).scheme}://{host}/", maps, given),
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
    article = Article(given.text, _words("talk"))
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
    return _Page(path_of(given.url), article, tuple(dict.fromkeys(links)), tuple(named))


def _site_title(name: str, articles: Sequence[_Page]) -> str:
    """The last part that the titles of all pages share; a host is no name, and one title is no evidence."""
    parts = [re.split(r"\s*[-_|–—]\s*", page.article.head) for page in articles]
    shared = [
        part for k, part in enumerate(parts[0])
        if all(part in one for one in parts) and (k or len(parts) > 1)
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


def _follow(pages: Sequence[_Page], articles: Sequence[_Page]) -> Iterator[Proposal]:
    linked = list(dict.fromkeys(path for page in pages for path, _ in page.links))
    paths = sorted({page.path for page in articles})
    known = [
        path
        for path in paths
        if not any(path != one and later_page_of(path, one) for one in {*paths, *linked})
    ] or paths
    shown = sorted({page.path for page in pages if not page.is_article} - {"/"})
    details = _details(known, linked, shown)
    followed = [path for path in linked if _matches(details, path)]
    # a pattern is worth what it says of a page that it was not made from
    borne = sum(
        len(known) > 1 and _matches(_details([one for one in known if one != path], linked, shown), path)
        for path in known
    )
    why = f"{borne} of {len(known)} articles match what the others give, and {len(followed)} links"
    sure = (
        "yes"
        if borne == len(known) >= 3 and followed
        else "likely"
        if borne >= 2 or len(followed) >= 3
        else "no"
    )
    if wrong := [path for path in shown if _matches(details, path)]:
        why, sure = f"{why}; so does {wrong[0]}, which holds no article", "no"
    yield Proposal("follow.details", tuple(details), sure, why)
    lists, why, sure = _lists(pages, paths, linked, details)
    yield Proposal("follow.lists", tuple(lists), sure, why)
    attached = sorted({path.rpartition(".")[2].lower() for path in linked if _FILE.search(path)})
    found = (rf"(?i)\.({'|'.join(attached)})$",) if attached else ()
    why = "files of these kinds are linked" if found else "no PDF, DOCX or TXT is linked"
    yield Proposal("follow.attachments", found, "likely" if found else "none", why)
    wrong = sorted({
        word for path in linked if _matches((*details, *lists), path)
        for word in _tokens(path.split("/")[1]) & {*_words("never")}
    }.difference(*map(_tokens, (*paths, *shown))))  # fmt: skip
    ignore = (rf"(?i)^/({'|'.join(wrong)})\b",) if wrong else ()
    why = "links that the patterns would follow, and no articles" if ignore else "none is needed"
    yield Proposal("follow.ignore", ignore, "likely" if ignore else "none", why)


def _details(paths: Sequence[str], linked: Sequence[str], shown: Sequence[str]) -> list[str]:
    """Patterns of articles; ``shown`` are paths of pages that hold none."""
    never = {*_words("never"), *_words("lists")}
    lists = patterns_of(shown)
    beside = [path for path in linked if not _matches(lists, path)]
    columns = [path for path in (*linked, *shown) if re.fullmatch(r"/[A-Za-z]+/", path)]
    # what lies in one column lies in those beside it
    beside += [
        column + path[len(own) :]
        for path in paths
        for own in columns
        if path.startswith(own)
        for column in columns
    ]
    return patterns_of(paths, beside, never)


def _lists(
    pages: Sequence[_Page], articles: Sequence[str], linked: Sequence[str], details: Sequence[str]
) -> tuple[list[str], str, str]:
    """List patterns, why, and how sure: lists given, their further pages, folders of articles, columns."""
    words, never = _words("list_page"), {*_words("never")}
    given = {page.path for page in pages if not page.is_article}
    further = {
        path: page.path
        for page in pages
        if not page.is_article
        for path, text in page.links
        if text in words or re.fullmatch(r"\d{1,4}", text)
    }
    above = {folder for path in articles for folder in _folders(path)}
    folders = {path for path in linked if path in above or f"{path}/" in above}
    columns = {path for path in linked if _tokens(path) & {*_words("columns")} and not _tokens(path) & never}
    others = [path for path in linked if not _matches(details, path)]
    alike = _patterns_but((given | folders | columns) - {*further}, details, others, never)
    # the further pages of one list tell what those of the others are called
    firsts = [path for path in others if path not in further and _matches(alike, path)]
    also = {moved(one, first, path) for one in firsts for path, first in further.items()} - {None}
    found = {*given, *further, *folders, *columns, *(path for path in also if path)}
    patterns = [
        one for one in _patterns_but(found, details, others, never)
        if not any(re.search(one, path) for path in articles)
    ]  # fmt: skip
    why = (
        f"pages given without an article: {len(given)}; their further pages linked: {len(further)};"
        f" linked folders of the articles: {len(folders)}; links with the name of a column: {len(columns)}"
    )
    return ["^/$", *patterns], why, "likely" if given - {"/"} and further else "no"


def _patterns_but(
    paths: Iterable[str], details: Sequence[str], others: Sequence[str], never: Collection[str]
) -> list[str]:
    return patterns_of(
        sorted(path for path in paths if path != "/" and not _matches(details, path)), others, never
    )


def _folders(path: str) -> Iterator[str]:
    parts = path.partition("?")[0].split("/")[1:-1]
    for k in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:k]) + "/"


def _tokens(path: str) -> set[str]:
    return {*re.findall("[a-z]+", path.lower())}


def _parts(articles: Sequence[_Page]) -> Iterator[Proposal]:
    """The link to the next page of an article, where the URLs bear it out, and what a viewer loads."""
    words, count = _words("next_page"), len(articles)
    later = [{text for path, text in page.links if later_page_of(path, page.path)} for page in articles]
    first = [next((word for word in words if word in texts), None) for texts in later]
    named = [word for word in dict.fromkeys(first) if word]
    borne = sum(word is not None for word in first)
    value = ", ".join(f"a:contains('{word}')" for word in named)
    why = f"on {borne} of {count} articles it leads to a later page of the same"
    sure = "yes" if borne > 1 else "likely"
    if not named:
        sure, why = "none", "no article among these goes on on a further page"
        if unnamed := sum(map(bool, later)):
            sure, why = (
                "no",
                f"{unnamed} articles link later pages of theirs, but by no word for the next one",
            )
    yield Proposal("parts.next_link", value, sure, why)
    loaded = [_fragments(page) for page in articles]
    best = max(sorted(set().union(*loaded)), key=lambda one: sum(one in each for each in loaded), default="")
    borne = sum(best in each for each in loaded)
    why = f"on {borne} of {count} articles such elements name addresses of the site" if best else (
        "no element of the text names an address to be loaded"
    )  # fmt: skip
    yield Proposal("parts.fragment", best, ("likely" if borne == count else "no") if best else "none", why)


def _fragments(page: _Page) -> set[str]:
    """Selectors of elements that hold no text yet, but the address of one."""
    found = set()
    for one in page.article.root.xpath("//div[@data-url] | //section[@data-url] | //li[@data-url]"):
        address = one.get("data-url").strip()
        if address[:1] in "/?." and "".join(one.itertext()).strip() == "":
            found |= {
                f"{name}[data-url]" for name in names_of(one, frozenset(_words("loose"))) if name[0] == "."
            }
    return found


def _extract(articles: Sequence[Article]) -> Iterator[Proposal]:
    loose, count = _words("loose"), len(articles)
    titles = title_choices(articles, loose)
    yield Proposal(
        "extract.title", tuple(one.selector for one in titles), _sure(titles, count),
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
