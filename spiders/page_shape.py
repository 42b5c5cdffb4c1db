"""Where on sample pages the title and the text stand, as selectors that hold on all of them.

In go decoded pages, out come :class:`Article` objects, and from several of them selectors with the
number of pages that bear each out. Running text is counted, not read: characters outside links, in
stretches that look like prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from parsel import Selector

_UNREAD = frozenset(("script", "style", "noscript", "template", "head", "select", "textarea", "iframe"))
_BLOCKS = frozenset(
    ("body", "div", "article", "section", "main", "td", "tr", "tbody", "table", "center", "form")
)
_HAN = re.compile(r"[㐀-鿿]")
_SPACES = re.compile(r"\s+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# what a program numbers or names: item-3841, css-1x2y3z, _a9f3c
_MADE = re.compile(r"\d{3,}|^(css|sc|jsx|el|id)-|^_|(?=[a-z]*\d)(?=\d*[a-z])[0-9a-z]{6,}$")
# what a build adds to a name of the source, Page_body__2bQx7: the next build adds something else
_BUILT = re.compile(r"([A-Za-z][A-Za-z0-9_-]*__)(?=[A-Za-z_-]*[A-Z0-9])[A-Za-z0-9_-]{5,8}")
# viewers show the title as the name of a file
_FILE_NAME = re.compile(r"(?i)\.(docx?|pdf|txt|pptx?|wps|rtf)$")
# Han characters of running text that make a page an article; of a stretch that is running text;
# of a link that may be the headline of a summary: names of persons are shorter
_ARTICLE, _STRETCH, _HEADLINE = 150, 12, 6
# Names of one page that are tried on all: no honest page has as many around its title or its text.
_MOST_NAMES = 60
# A child that holds this share of its parent's text goes on; a selector must hold this share of the text.
_GOES_ON, _HOLDS = 0.75, 0.9


@dataclass(frozen=True, slots=True)
class Choice:
    """A selector, the pages that bear it out, and how tight it is: running text over all text in it."""

    selector: str
    pages: frozenset[int]
    tight: float


@dataclass(eq=False)
class Article:
    """One decoded page: what stands where. ``root`` is its tree; nothing in it is changed.

    ``talk`` are words that begin the names of what visitors write; it is no running text of an article.
    """

    text: str
    talk: tuple[str, ...] = ()
    root: Any = field(init=False)
    head: str = field(init=False)
    _selected: dict[str, list[Any]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        # XML declarations and bytes that XML forbids end a parser early
        text = re.sub(r"^\s*<\?xml[^>]*\?>|[\x00-\x08\x0b\x0c\x0e-\x1f]", "", self.text)
        selector = Selector(text=text or " ", type="html")
        self.root = selector.root
        self.head = " ".join((selector.xpath("//title//text()").get() or "").split())

    @cached_property
    def counts(self) -> dict[Any, tuple[int, int]]:
        """By element: Han characters of running text, and of all text, in it and below."""
        prose: dict[Any, int] = {}
        whole: dict[Any, int] = {}
        elements = [one for one in self.root.iter() if isinstance(one.tag, str)]
        dead, linked = set(), set()
        talk = re.compile(f"({'|'.join(self.talk) or '$^'})s?([-_]|$)", re.IGNORECASE)
        for one in elements:
            parent = one.getparent()
            if one.tag in _UNREAD or parent in dead:
                dead.add(one)
            names = [one.get("id") or "", *(one.get("class") or "").split()]
            said = one.tag in ("div", "section", "ol", "ul") and any(map(talk.match, names))
            if one.tag == "a" or said or parent in linked:
                linked.add(one)
            own = "" if one in dead else (one.text or "")
            tails = "" if one in dead else "".join(child.tail or "" for child in one)
            found = len(_HAN.findall(own + tails))
            whole[one] = found
            prose[one] = 0 if one in linked or found < _STRETCH else found
        for one in reversed(elements):
            parent = one.getparent()
            if parent is not None and parent in whole:
                whole[parent] += whole[one]
                prose[parent] += prose[one]
        return {one: (prose[one], whole[one]) for one in elements}

    @cached_property
    def main(self) -> Any | None:
        """The smallest block that holds nearly all running text; None where the page is no article."""
        bodies = self.root.xpath("//body")
        node = bodies[0] if bodies else self.root
        total = self.counts.get(node, (0, 0))[0]
        if total < _ARTICLE or self._summaries() > total / 2:
            return None
        while True:
            inner = [one for one in node if one.tag in _BLOCKS]
            best = max(inner, key=lambda one: self.counts[one][0], default=None)
            if best is None or self.counts[best][0] < _GOES_ON * self.counts[node][0]:
                return node
            node = best

    def _summaries(self) -> int:
        """Running text in blocks that each stand below a headline that links elsewhere: a list's."""
        headlines = {
            one for one in self.root.iter("a")
            if not (one.get("href") or "#").startswith("#") and self.counts[one][1] >= _HEADLINE
            and (parent := one.getparent()) is not None and self.counts[parent][1] == self.counts[one][1]
        }  # fmt: skip
        inside = dict.fromkeys(self.counts, 0)
        for one in reversed(self.counts):
            if (parent := one.getparent()) is not None:
                inside[parent] += inside[one] + (one in headlines)
        held = []
        for one in headlines:
            block = one.getparent()
            if inside[block] == 1:
                # the largest block around this headline that holds no other one
                while (above := block.getparent()) is not None and inside[above] == 1:
                    block = above
                held.append(self.counts[block][0])
        told = sorted(filter(None, held))
        return sum(told) if len(told) >= 3 and told[-1] <= sum(told) / 2 else 0

    def select(self, selector: str) -> list[Any]:
        """The elements a CSS selector finds, without those inside another."""
        if selector not in self._selected:
            roots = [one.root for one in Selector(root=self.root).css(selector)]
            chosen = set(roots)
            self._selected[selector] = [
                one for one in roots if not any(above in chosen for above in one.iterancestors())
            ]
        return self._selected[selector]

    def holds(self, selector: str) -> tuple[float, float]:
        """Shares: of the main text that is in the selection, of the selection that is running text."""
        found = [self.counts[one] for one in self.select(selector)]
        prose, whole = sum(p for p, _ in found), sum(w for _, w in found)
        target = self.counts[self.main][0] if self.main is not None else 0
        return min(1.0, prose / target) if target else 0.0, prose / whole if whole else 0.0


def content_choices(articles: Sequence[Article], loose: Iterable[str]) -> list[Choice]:
    """Selectors of the main text, the one of most pages first; each next one for pages still without.

    Of three pages and more, one page alone bears nothing out: names that programs make look like any other.
    """
    candidates = {
        selector
        for article in articles
        for selector in islice(_above(article, frozenset(loose)), _MOST_NAMES)
    }
    least = 2 if len(articles) >= 3 else 1
    judged = [
        choice for one in sorted(candidates) if len((choice := _content_choice(articles, one)).pages) >= least
    ]
    chosen: list[Choice] = []
    left = set(range(len(articles)))
    while left and judged:
        best = max(
            judged,
            key=lambda c: (
                len(c.pages & left), round(c.tight, 1),
                not re.search(r"\d", c.selector), c.selector[0] == "#", c.tight,
            ),
        )  # fmt: skip
        if not best.pages & left:
            break
        chosen.append(best)
        left -= best.pages
    return chosen


def title_choices(articles: Sequence[Article], loose: Iterable[str]) -> list[Choice]:
    """The selector of the title: what it finds first is a whole part of ``<title>``, and differs by page."""
    candidates = {"h1", "h2", "h3", "h4", "b", "strong"} | {
        selector
        for article in articles
        for selector in islice(_names_of_titles(article, frozenset(loose)), _MOST_NAMES)
    }
    judged = []
    for selector in sorted(candidates):
        pages = frozenset(
            k for k, article in enumerate(articles)
            if (found := article.select(selector)) and _is_title(article, found[0])
        )  # fmt: skip
        single = sum(len(articles[k].select(selector)) == 1 for k in pages) / max(1, len(pages))
        shown = {_shown(articles[k], articles[k].select(selector)[0]) for k in pages}
        # what all pages show is the site's name; what one of many shows was named by a program
        if len(pages) >= (2 if len(articles) >= 3 else 1) and (len(shown) > 1 or len(articles) == 1):
            judged.append(Choice(selector, pages, single))
    judged.sort(key=lambda c: (-len(c.pages), -c.tight, c.selector != "h1", c.selector[0] != "#", c.selector))
    return judged[:1]


def furniture_choices(
    articles: Sequence[Article], content: Sequence[str], words: Sequence[str], loose: Iterable[str]
) -> list[Choice]:
    """Selectors inside the main text that hold little of it, and are links or have the name of furniture."""
    pages: dict[str, set[int]] = {}
    for k, article in enumerate(articles):
        most_names = len(pages) + _MOST_NAMES
        for main in (one for selector in content for one in article.select(selector)):
            most = article.counts[main][1] / 4
            for one in main.iterdescendants():
                if not isinstance(one.tag, str) or article.counts[one][1] > most:
                    continue
                for selector in names_of(one, frozenset(loose)):
                    if len(pages) < most_names and _is_furniture(article, one, selector, words):
                        pages.setdefault(selector, set()).add(k)
    return [
        Choice(selector, frozenset(found), 1.0)
        for selector, found in sorted(pages.items())
        if not any(_inside(articles, selector, other) for other in pages if other != selector)
        and _is_safe(articles, selector)
    ]


def names_of(element: Any, loose: frozenset[str]) -> Iterator[str]:
    """The selectors by which an element can be named again on another page: its id, its classes."""
    for mark, name in (
        ("#", element.get("id") or ""),
        *((".", one) for one in (element.get("class") or "").split()),
    ):
        if mark == "." and (built := _BUILT.fullmatch(name)):
            yield f"[class*='{built[1]}']"
        elif _NAME.fullmatch(name) and not _MADE.search(name) and name.lower() not in loose:
            yield mark + name


def first_line(element: Any) -> str:
    """The text before the first ``<br>``, all of it where there is none."""
    text = element.text or ""
    for one in element:
        if one.tag == "br":
            break
        text += "".join(one.itertext()) + (one.tail or "")
    return text


def _names_of_titles(article: Article, loose: frozenset[str]) -> Iterator[str]:
    for one in article.root.iter("h1", "h2", "h3", "div", "p", "span", "strong", "td"):
        if len(one) <= 3 and _is_title(article, one):
            yield from names_of(one, loose)


def _above(article: Article, loose: frozenset[str]) -> Iterator[str]:
    node = article.main
    while node is not None and node.tag not in ("body", "html"):
        yield from names_of(node, loose)
        if node.tag in ("article", "main"):
            yield node.tag
        node = node.getparent()


def _content_choice(articles: Sequence[Article], selector: str) -> Choice:
    held = [article.holds(selector) for article in articles]
    pages = frozenset(k for k, (share, _) in enumerate(held) if share >= _HOLDS)
    tight = sum(held[k][1] for k in pages) / len(pages) if pages else 0.0
    return Choice(selector, pages, tight)


def _is_title(article: Article, element: Any) -> bool:
    return bool(_shown(article, element))


def _shown(article: Article, element: Any) -> str:
    """What of the element is a whole part of ``<title>``: all of it, or its first line; else nothing."""
    head = _squeezed(article.head)
    for text in ("".join(element.itertext()), first_line(element)):
        shown = _FILE_NAME.sub("", _squeezed(text)).strip("【】[]《》")
        part = rf"(^|(?<=[^0-9A-Za-z㐀-鿿])){re.escape(shown)}(?![0-9A-Za-z㐀-鿿])"
        if len(_HAN.findall(shown)) >= 4 and (head.startswith(shown) or re.search(part, head)):
            return shown
    return ""


def _squeezed(text: str) -> str:
    return _SPACES.sub("", text)


def _is_furniture(article: Article, element: Any, selector: str, words: Sequence[str]) -> bool:
    prose, whole = article.counts[element]
    name = selector[1:].lower()
    named = any(re.search(rf"(^|[-_]){re.escape(word)}s?([-_]|$)", name) for word in words)
    links = len(element.xpath(".//a"))
    return (named and prose < _ARTICLE) or (
        links >= 2 and whole > 0 and prose == 0 and _in_links(element) > 0.6
    )


def _in_links(element: Any) -> float:
    whole = len(_squeezed("".join(element.itertext())))
    linked = sum(len(_squeezed("".join(one.itertext()))) for one in element.xpath(".//a"))
    return linked / whole if whole else 0.0


def _inside(articles: Sequence[Article], selector: str, other: str) -> bool:
    """Whether the other one takes all of this away already."""
    whole = False
    for article in articles:
        outer = set(article.select(other))
        for one in article.select(selector):
            above = any(up in outer for up in one.iterancestors())
            same = one in outer and other < selector
            if not (above or same):
                return False
            whole = True
    return whole


def _is_safe(articles: Sequence[Article], selector: str) -> bool:
    """Nowhere does it take a tenth of the main text."""
    return all(
        sum(article.counts[one][0] for one in article.select(selector))
        <= article.counts[article.main][0] / 10
        for article in articles
        if article.main is not None
    )
