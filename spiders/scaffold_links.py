"""Which links of sample pages lead to articles, lists and further pages: patterns with their evidence.

In go pages that were taken in, out come a :class:`Proposal` for each key of [follow] and [parts].
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fanwen.spiders.page_shape import Article, names_of
from fanwen.spiders.url_shapes import later_page_of, moved, patterns_of

_FILE = re.compile(r"(?i)\.(pdf|docx|txt)$")
# links of a list page that are looked at: no honest list leads on to more
_MOST = 200


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
class SamplePage:
    """A page taken in: its path, the ``links`` (path, words) it shows, and every URL of the site it names."""

    path: str
    article: Article
    links: tuple[tuple[str, str], ...]
    named: tuple[str, ...]

    @property
    def is_article(self) -> bool:
        return self.article.main is not None


def follow(pages: Sequence[SamplePage], articles: Sequence[SamplePage]) -> Iterator[Proposal]:
    """Keys of [follow], from all pages and those of them that hold an article."""
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
        for word in _tokens(path.split("/")[1]) & {*words("never")}
    }.difference(*map(_tokens, (*paths, *shown))))  # fmt: skip
    ignore = (rf"(?i)^/({'|'.join(wrong)})\b",) if wrong else ()
    why = "links that the patterns would follow, and no articles" if ignore else "none is needed"
    yield Proposal("follow.ignore", ignore, "likely" if ignore else "none", why)


def _details(paths: Sequence[str], linked: Sequence[str], shown: Sequence[str]) -> list[str]:
    """Patterns of articles; ``shown`` are paths of pages that hold none."""
    never = {*words("never"), *words("lists")}
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
    pages: Sequence[SamplePage], articles: Sequence[str], linked: Sequence[str], details: Sequence[str]
) -> tuple[list[str], str, str]:
    """List patterns, why, and how sure: lists given, their further pages, folders of articles, columns."""
    onward, never = words("list_page"), {*words("never")}
    given = {page.path for page in pages if not page.is_article}
    further = {
        path: page.path
        for page in pages
        if not page.is_article
        for path, text in page.links
        if text in onward or re.fullmatch(r"\d{1,4}", text)
    }
    above = {folder for path in articles for folder in _folders(path)}
    folders = {path for path in linked if path in above or f"{path}/" in above}
    columns = {path for path in linked if _tokens(path) & {*words("columns")} and not _tokens(path) & never}
    others = [path for path in linked if not _matches(details, path)]
    alike = _patterns_but((given | folders | columns) - {*further}, details, others, never)
    # the further pages of one list tell what those of the others are called
    firsts = [path for path in others if path not in further and _matches(alike, path)][:_MOST]
    also = {moved(one, first, path) for one in firsts for path, first in [*further.items()][:_MOST]} - {None}
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


def parts(articles: Sequence[SamplePage]) -> Iterator[Proposal]:
    """Keys of [parts]: the link to an article's next page, as URLs bear it out, and a viewer's fragments."""
    following, count = words("next_page"), len(articles)
    later = [{text for path, text in page.links if later_page_of(path, page.path)} for page in articles]
    first = [next((word for word in following if word in texts), None) for texts in later]
    named = [word for word in dict.fromkeys(first) if word]
    borne = sum(word is not None for word in first)
    value = ", ".join(f"a:contains('{word}')" for word in named)
    why = f"on {borne} of {count} articles it leads to a later page of the same"
    sure = "yes" if borne > 1 else "likely"
    if not named:
        sure, why = "none", "no article among these goes on on a further page"
        if unnamed := sum(map(bool, later)):
            sure, why = "no", f"{unnamed} articles link later pages of theirs by no word for the next one"
    yield Proposal("parts.next_link", value, sure, why)
    loaded = [_fragments(page) for page in articles]
    best = max(sorted(set().union(*loaded)), key=lambda one: sum(one in each for each in loaded), default="")
    borne = sum(best in each for each in loaded)
    why = f"on {borne} of {count} articles such elements name addresses of the site" if best else (
        "no element of the text names an address to be loaded"
    )  # fmt: skip
    yield Proposal("parts.fragment", best, ("likely" if borne == count else "no") if best else "none", why)


def _fragments(page: SamplePage) -> set[str]:
    """Selectors of elements that hold no text yet, but the address of one."""
    found = set()
    for one in page.article.root.xpath("//div[@data-url] | //section[@data-url] | //li[@data-url]"):
        address = one.get("data-url").strip()
        if address[:1] in "/?." and "".join(one.itertext()).strip() == "":
            found |= {
                f"{name}[data-url]" for name in names_of(one, frozenset(words("loose"))) if name[0] == "."
            }
    return found


def _matches(patterns: Iterable[str], path: str) -> bool:
    return any(re.search(pattern, path) for pattern in patterns)


@cache
def words(key: str) -> tuple[str, ...]:
    """A group of words from rules/scaffold.toml."""
    data = tomllib.loads((files("fanwen.spiders") / "rules/scaffold.toml").read_text(encoding="utf-8"))
    return tuple(data[key])
