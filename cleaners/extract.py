"""A decoded page to lines of main text.

In goes the text of a page and what its site file knows, out comes an :class:`Extracted`. Known
sites have selectors; else the densest block of the page is taken, with trafilatura as the second
opinion where that block is weak, and the strings of a viewer's script where there is no text at
all. The tree is parsed once. Nothing is judged here: navigation that survives is left to the
boilerplate rules.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import compress, islice
from typing import Any

from lxml import etree, html

from fanwen.cleaners import chars, rules
from fanwen.cleaners.html_tree import (
    BAD_CHARS,
    INLINE,
    REST,
    Line,
    drop,
    han,
    is_seen,
    lines_of,
    parse,
    strip,
    text_size,
    text_sizes,
)
from fanwen.cleaners.types import ExtractHints

NO_HINTS = ExtractHints()
MAX_HTML = 8 * 1024 * 1024
MOST_TAGS = 200_000
_LETTER = re.compile(r"[A-Za-zÀ-ɏ぀-ヿ가-힯]")
_SENTENCE = re.compile(r"[，。！？；：、,!?;:]")
_SPACES = re.compile(r"[ \t\r\n\xa0]+")
_FURNITURE = frozenset(("nav", "footer", "aside"))
_DEEPEST = 400
# Han characters below which a main text is doubted, and running text that it must not leave out.
_FEW, _MUCH = 150, 100
_EDGE = " 　"
# Characters that the beginning of another article with its title has at most.
_CARD = 260
# Lines on either side of a known site's text, and elements from which on a neighbour is a list or a menu.
_NEXT_TO, _SMALL = 40, 60
# Characters beside a link that make it a link in running text.
_PROSE = 20
# Trees of more elements or characters are not handed to trafilatura, which goes over them many times.
_MOST_ELEMENTS, _MOST_TEXT = 40_000, 500_000


@dataclass(frozen=True, slots=True)
class Links:
    """``page``: share of the page's characters that are links; ``listed``: share of the characters
    of the main text's ``lines`` that stand in lines that are links (dates beside them left aside)."""

    page: float
    listed: float
    lines: int


NO_LINKS = Links(0.0, 0.0, 0)


@dataclass(frozen=True, slots=True)
class Extracted:
    """``text``: lines; ``emphasised``: lines that the page set as headings or wholly in bold.

    ``titles`` are what the page calls itself, best first; ``furniture`` are the lines around
    the main text, read only for what they claim (date, author, source). ``linked`` are the texts of
    links inside longer lines of the main text.
    """

    text: str
    extractor: str
    titles: tuple[str, ...] = ()
    emphasised: frozenset[str] = frozenset()
    furniture: tuple[str, ...] = ()
    links: Links = NO_LINKS
    linked: frozenset[str] = frozenset()


class ExtractError(Exception):
    """The file cannot be read as what it says it is; the message is the reject's detail."""


class TooLargeError(Exception):
    """The page is larger than what can be read in reasonable time and memory."""


def extract_html(text: str, hints: ExtractHints = NO_HINTS) -> Extracted:
    """The main text of a page: by the site's selectors in their order, else generic.

    Raises :class:`TooLargeError` for more markup than any page of sample essays has.
    """
    if (tags := text.count("<")) > MOST_TAGS:
        raise TooLargeError(f"{tags} tags")
    tree = parse(text)
    if tree is None:
        return Extracted("", "none")
    titles = _titles(tree, hints)
    scripts = _scripts(tree)
    for selector in hints.remove:
        for element in _select(tree, selector):
            drop(element)
    known = _known(tree, hints, text)
    if known is not None:
        lines, extractor = known[1], "selector"
        page = _beside(known[0], lines, text)
    else:
        strip(tree, text)
        page = lines_of(tree)
        lines, extractor = _chosen(tree, titles, hints, scripts, page)
    texts = [line.text for line in lines]
    furniture = tuple(line.text.strip(_EDGE) for line in page)
    strong = {
        name for name, line in zip(furniture, page, strict=True) if line.strong and len(line.text) <= 80
    }
    shown = {text.strip(_EDGE) for text in texts} if strong else set()
    total = sum(len(line.text) for line in page)
    links = Links(
        page=sum(line.links for line in page) / total if total else 0.0,
        listed=sum(len(x.text) for x in lines if x.is_link) / max(1, sum(len(x.text) for x in lines)),
        lines=len(lines),
    )
    linked = frozenset(name for line in lines for name in line.linked if len(name) + 2 < len(line.text))
    return Extracted("\n".join(texts), extractor, titles, frozenset(strong & shown), furniture, links, linked)


def _known(tree: Any, hints: ExtractHints, source: str) -> tuple[list[Any], list[Line]] | None:
    """What the site's first selector that gives a text has chosen, and its lines; None where none does
    before ``@trafilatura``. Only what it chose is stripped: the rest of the page is not read."""
    for selector in hints.content:
        if selector == "@trafilatura":
            return None
        elements = _outermost(_select(tree, selector))
        for element in elements:
            strip(element, source)
        if han(lines := [line for element in elements for line in lines_of(element)]):
            return elements, lines
    return None


def _beside(elements: Sequence[Any], lines: Sequence[Line], source: str) -> list[Line]:
    """The lines of a known site's text and those next to it, which say what the page claims; the page's
    menus and lists are not walked through."""
    before: list[Line] = []
    after: list[Line] = []
    for start, preceding, found in ((elements[0], True, before), (elements[-1], False, after)):
        node = start
        while node is not None and len(found) < _NEXT_TO:
            for near in node.itersiblings(preceding=preceding):
                small = sum(1 for _ in islice(near.iter(), _SMALL)) < _SMALL
                if len(found) < _NEXT_TO and small and is_seen(near):
                    strip(near, source)
                    found[:] = [*lines_of(near), *found] if preceding else [*found, *lines_of(near)]
            node = node.getparent()
    return [*before, *lines, *after]


def _chosen(
    tree: Any, titles: tuple[str, ...], hints: ExtractHints, scripts: Sequence[str], page: list[Line]
) -> tuple[list[Line], str]:
    """The lines of the first way of extraction that gives text, and its name."""
    if "@trafilatura" in hints.content and han(lines := _trafilatura(tree)):
        return lines, "trafilatura"
    lines = _density(tree, titles, page)
    if (found := han(lines)) < _FEW or not _is_finished(lines):
        viewer = _viewer_text(scripts, tree)
        if found < _FEW and han(viewer) > 3 * found:
            return viewer, "viewer"
        if not _is_finished(lines) and (rest := _rest(lines, viewer)):
            return [*lines, *rest], "viewer"
    if found < _FEW or _missed(lines, page, titles) >= _MUCH:
        second = _trafilatura(tree)
        enough = _running(second) > 1.5 * _running(lines) if found < _FEW else han(second) > 0
        if enough and _missed(second, page, titles) < _MUCH:
            return second, "trafilatura"
    return lines, "density"


def _is_finished(lines: Sequence[Line]) -> bool:
    """Whether the last line of prose ends like one; where there is no prose, nothing breaks off."""
    last = next((line.text for line in reversed(lines) if len(line.text) >= _PROSE), "。")
    return _FINISHED.search(last.strip(_EDGE)) is not None


def _rest(lines: Sequence[Line], viewer: Sequence[Line]) -> list[Line]:
    """What a viewer's script holds of a text that breaks off on the page."""
    shown = "".join(line.text.strip(_EDGE) for line in lines if len(line.text) >= _PROSE)
    rest = [line for line in viewer if line.text.strip(_EDGE)[:_PROSE] not in shown]
    return rest if han(rest) >= _FEW else []


_FINISHED = re.compile(r"[。！？!?；;：:…”’）)》]$")


def _missed(lines: Sequence[Line], page: Sequence[Line], titles: tuple[str, ...]) -> float:
    """How much running text right behind the title is not among ``lines``: then another part of the
    page (comments, a longer article below) was taken for the main text."""
    title = _title_line(page, titles)
    if title is None:
        return 0.0
    chosen = {line.text.strip(_EDGE) for line in lines}
    missed = 0.0
    for line, value in zip(page[title + 1 :], _values(page[title + 1 :]), strict=True):
        if value >= _PROSE:
            if line.text.strip(_EDGE) in chosen:
                break
            missed += value
    return missed


def _running(lines: Sequence[Line]) -> float:
    return sum(_values(lines))


# -- trafilatura --------------------------------------------------------------------------------


def _trafilatura(tree: Any) -> list[Line]:
    """What trafilatura takes for the main text; empty where it finds none or the tree is too large."""
    from trafilatura import bare_extraction

    if sum(1 for _ in tree.iter()) > _MOST_ELEMENTS or text_size(tree) > _MOST_TEXT:
        return []
    try:
        document = bare_extraction(_prepared(tree), options=_options())
    except (RecursionError, etree.LxmlError):  # trees that are too deep for it
        return []
    body = getattr(document, "body", None)
    return [] if body is None else lines_of(body)


@cache
def _options() -> Any:
    """Its fast settings: no comments, short texts too, and never its state-dependent deduplication."""
    from trafilatura.settings import DEFAULT_CONFIG, Extractor

    # it would warn on standard error about every page that has no text
    logging.getLogger("trafilatura").addHandler(logging.NullHandler())
    config = deepcopy(DEFAULT_CONFIG)
    config.set("DEFAULT", "MIN_EXTRACTED_SIZE", "60")
    return Extractor(config=config, output_format="xml", fast=True, comments=False, dedup=False)


def _prepared(tree: Any) -> Any:
    """A copy of the tree in which trafilatura keeps what it would lose: headings in ``center`` and
    ``div``, the lines of ``pre``, paragraphs rich in links or with a class that looks like a comment's."""
    tree = html.fromstring(etree.tostring(tree, encoding="unicode"))  # its own kind of elements
    sizes, linked = text_sizes(tree)
    for link in list(tree.iter("a")):
        parent = link.getparent()
        if parent is not None and sizes[parent] - linked[parent] >= _PROSE:
            link.tag = "span"
    for element in list(tree.iter("div", "center", "pre", "p")):
        if element.tag == "pre":
            _split_pre(element)
        if element.tag == "p":
            element.attrib.pop("class", None)
        elif all(child.tag in INLINE or child.tag == "br" for child in element):
            element.tag = "p"
    return tree


def _split_pre(element: Any) -> None:
    if len(element) or not element.text:
        return
    element.text, *rest = element.text.splitlines()
    for line in rest:
        etree.SubElement(element, "br").tail = line


# -- density --------------------------------------------------------------------------------------


def _density(tree: Any, titles: tuple[str, ...], page: Sequence[Line]) -> list[Line]:
    """The block that holds nearly all running text of the page, without its link lists.

    Weight flows from lines to their ancestors; from the root we go down as long as one child
    keeps nearly all of it. Lines above the title and below 相关文章 and the like weigh less.
    """
    body = tree.find("body")
    body = tree if body is None else body
    _cut_furniture(body)
    kept = [_is_below(line.owner, body) for line in page]
    lines = list(compress(page, kept))
    weight: dict[Any, float] = {}
    values, other = _weighed(page, kept, _title_line(lines, titles))
    for line, value in zip(lines, values, strict=True):
        element, depth = line.owner, 0
        while value > 0 and element is not None and depth < _DEEPEST:
            weight[element] = weight.get(element, 0.0) + value
            element = element.getparent()
            depth += 1
    node = body
    while True:
        child = max((c for c in node if c in weight), key=lambda c: weight[c], default=None)
        if child is None or child.tag in INLINE or child.tag == "p" or weight[child] < 0.6 * weight[node]:
            break
        if any(weight.get(twin, 0.0) >= 0.05 * weight[node] for twin in _twins(child)):
            break  # the pages of a viewer, the sections of an article
        if child.get(REST):
            break  # what goes on here began in the lines above
        node = child
    chosen = [line for line in lines[:other] if _is_below(line.owner, node)]
    behind = [line for line in lines[other:] if _is_below(line.owner, node)]
    return _without_lists([*chosen, *_without_cards(behind, least=0.0)])


def _weighed(page: Sequence[Line], kept: Sequence[bool], title: int | None) -> tuple[list[float], int]:
    """What each kept line weighs, and the first of them behind which the page names other articles.

    ``title`` is the number of the kept line that says the title. A heading such as 相关文章 counts also
    where it was cut off with its list, once running text stood before it.
    """
    values = _values(list(compress(page, kept)))
    if title is None:
        return values, len(values)
    weighed: list[float] = []
    other = len(values)
    for line, stays in zip(page, kept, strict=True):
        k = len(weighed)
        begun = k > title + 2 if stays else sum(values[title + 1 : k]) >= _FEW
        if other > k and begun and _word("after").fullmatch(line.text.strip(_EDGE)):
            other = k
        if stays:
            weighed.append(values[k] * (0.3 if k < title else 0.15 if k >= other else 1.0))
    return weighed, other


def _is_below(element: Any, root: Any) -> bool:
    """Whether an element stands in the tree of ``root``; what was dropped stands in none."""
    while element is not None and element is not root:
        element = element.getparent()
    return element is not None


def _twins(element: Any) -> list[Any]:
    """The siblings of an element that have the same tag and class, or one that counts on: page1, page2."""
    parent = element.getparent()
    if parent is None or not element.get("class") or element.tag not in ("div", "section", "article", "p"):
        return []
    name, number = _numbered(element)
    found = []
    for other in parent:
        if other is not element and other.tag == element.tag:
            its_name, its_number = _numbered(other)
            if name == its_name and abs(number - its_number) < len(parent):
                found.append(other)
    return found


def _numbered(element: Any) -> tuple[str, int]:
    """Its class without digits, and the first number in it."""
    name = element.get("class") or ""
    found = _DIGITS.search(name)
    return _DIGITS.sub("0", name), int(found[0]) if found else 0


_DIGITS = re.compile(r"\d{1,6}")


def _title_line(lines: Sequence[Line], titles: tuple[str, ...]) -> int | None:
    """Where the page says its title for the last time before the text begins."""
    names = {re.sub(r"\s+", "", t) for t in titles}
    for k, line in enumerate(lines):
        text = re.sub(r"[\s　]+", "", line.text)
        if text in names and line.links * 2 < len(text):
            return k
    return None


def _values(lines: Sequence[Line]) -> list[float]:
    """How much each line looks like running text: Chinese characters that are no links."""
    counts = chars.hans([line.text for line in lines])
    return [_value(line, han) for line, han in zip(lines, counts, strict=True)]


def _value(line: Line, han: int) -> float:
    size = len(line.text)
    if line.links * 2 > size or (size < 12 and not _SENTENCE.search(line.text)):
        return 0.0
    # a page in another language still has running text, so that the gate can name the language
    return max(0.0, (han or len(_LETTER.findall(line.text)) / 8) - line.links)


def _cut_furniture(body: Any) -> None:
    """Drop what is named as page furniture and holds only a little of the page's text."""
    whole = max(1, text_size(body))
    for element in _NAMED(body):
        own = element.tag in _FURNITURE
        if not own and not any(_is_furniture(element.get(name)) for name in ("class", "id")):
            continue
        size = text_size(element)
        if size >= 0.25 * whole:
            continue
        links = [element] if element.tag == "a" else element.iter("a")
        linked = sum(text_size(link) if len(link) else len((link.text or "").strip()) for link in links)
        # a name on many neighbours is a paragraph's, however it sounds: generated names may say nav
        if linked * 2 < size and len(_twins(element)) >= 2:
            continue
        if own or linked * 3 >= size or size < 400:
            drop(element)


@lru_cache(maxsize=4096)
def _is_furniture(name: str | None) -> bool:
    """Whether a class or an id is a name of page furniture; many elements share one."""
    return name is not None and _word("furniture").search(name) is not None


_NAMED = etree.XPath("descendant::*[@class or @id or self::nav or self::footer or self::aside]")


def _without_cards(lines: list[Line], least: float = 0.5) -> list[Line]:
    """Without the beginnings of other articles: three or more times a line that is a link, and below it one
    or two short lines that are none. A page that holds little else keeps them (``least`` is how much has to
    be left): the gate judges it."""
    kept: list[Line] = []
    i = 0
    while i < len(lines):
        ends = [i]
        while (end := _card_end(lines, ends[-1])) is not None:
            ends.append(end)
        if len(ends) > 3:
            i = ends[-1]
        else:
            kept.append(lines[i])
            i += 1
    if len(kept) == len(lines):
        return lines
    return kept if _running(kept) >= least * _running(lines) else lines


def _card_end(lines: Sequence[Line], at: int) -> int | None:
    """Where the card that begins at line ``at`` ends; None where there is none."""
    if at >= len(lines) or not lines[at].is_link:
        return None
    end = at + 1
    while end < len(lines) and not lines[end].is_link and end - at <= 3:
        end += 1
    small = sum(len(line.text) for line in lines[at:end]) <= _CARD
    return end if 2 <= end - at <= 3 and small else None


def _without_lists(lines: list[Line]) -> list[Line]:
    """Without runs of lines that are links, and the short line that announces such a run."""
    lines = _without_cards(lines)
    kept: list[Line] = []
    announces = _word("announces")
    i = 0
    while i < len(lines):
        j = i
        while j < len(lines) and lines[j].links * 10 >= len(lines[j].text.strip(_EDGE)) * 7:
            j += 1
        if j - i >= 3 or (j > i and _word("labelled").match(lines[i].text.strip(_EDGE))):
            while kept and len(kept[-1].text) <= 24 and announces.search(kept[-1].text):
                kept.pop()
        else:
            kept.extend(lines[i : max(j, i + 1)])
        i = max(j, i + 1)
    # a link behind the last line of a text leads away from it
    while kept and kept[-1].is_link and _running(kept[:-1]) >= _FEW:
        kept.pop()
    return kept


@cache
def _word(name: str) -> re.Pattern[str]:
    return re.compile(rules.table("extract.toml")[name], re.IGNORECASE)


# -- titles, selectors, viewers ------------------------------------------------------------------


def _titles(tree: Any, hints: ExtractHints) -> tuple[str, ...]:
    """What the page calls itself: the site's selector, then h1, og:title, title."""
    found: list[str] = []
    heads = [one for one in tree.iter("title") if one.getparent() is not None]
    heads = [one for one in heads if one.getparent().tag in ("head", "html", "body")][:1]
    head = "".join("".join(one.itertext()) for one in heads)
    for selector in hints.title:
        for element in _select(tree, selector)[:1]:
            found.append(_heading(element, head))
    ones = list(tree.iter("h1"))
    late: list[str] = []
    if len(ones) == 1:
        # a heading that is nothing but a link leads to the site's own page, whose name it is
        linked = sum(len("".join(a.itertext()).strip()) for a in ones[0].iter("a"))
        heading = _heading(ones[0], head)
        (late if linked and linked >= len(heading.strip()) else found).append(heading)
    for meta in tree.iter("meta"):
        if (meta.get("property") or "").lower() == "og:title":
            found.append(meta.get("content") or "")
    found += [head, *late]
    clean = (_SPACES.sub(" ", BAD_CHARS.sub("", t)).strip(_EDGE)[:300] for t in found)
    return tuple(dict.fromkeys(t for t in clean if t))


def _heading(element: Any, head: str) -> str:
    """A heading's text; its first line where ``<title>`` knows that one alone, and a byline stands below."""
    whole, first = "".join(element.itertext()), element.text or ""
    known = _SPACES.sub("", head)
    if element.find("br") is None or _SPACES.sub("", whole) in known:
        return whole
    for one in element.iterchildren():
        if one.tag == "br":
            break
        first += "".join(one.itertext()) + (one.tail or "")
    return first if len(first.strip()) >= 4 and _SPACES.sub("", first) in known else whole


@cache
def _compiled(selector: str) -> Any:
    from lxml.cssselect import CSSSelector

    return CSSSelector(selector)


def _select(tree: Any, selector: str) -> list[Any]:
    try:
        return list(_compiled(selector)(tree))
    except (etree.LxmlError, ValueError, ImportError, SyntaxError):
        return []


def _outermost(elements: list[Any]) -> list[Any]:
    chosen = set(elements)
    return [e for e in elements if not any(a in chosen for a in e.iterancestors())]


_TAG = re.compile(r"<[^<>]{0,300}>")
_STRING = re.compile(r'"((?:[^"\\]|\\.){40,})"', re.DOTALL)


def _scripts(tree: Any) -> list[str]:
    """The sources of the page's scripts that may hold a text: in characters, or as \\u4e2d."""
    return [
        source
        for script in tree.iter("script")
        if len(source := script.text or "") >= 200
        and "ld+json" not in (script.get("type") or "")
        and ("\\u" in source or chars.han(source) >= _FEW_HAN)
    ]


# no string that counts as prose holds fewer
_FEW_HAN = 20


def _viewer_text(scripts: Sequence[str], tree: Any) -> list[Line]:
    """Text that a viewer keeps as JSON in a script: its long strings with Chinese prose in them."""
    values: list[str] = []
    for source in scripts:
        for match in _STRING.finditer(source):
            try:
                value = json.loads(f'"{match.group(1)}"', strict=False)
            except ValueError:
                continue
            plain = _TAG.sub("", value) if "<" in value else value
            if 2 * chars.han(plain) >= len(plain):
                values.append(value)
    whole = [_TAG.sub("", value) for value in values]
    lines: list[Line] = []
    for k, (value, plain) in enumerate(zip(values, whole, strict=True)):
        # a summary or a lead that the text itself begins with or holds
        if any(plain[:_PROSE] in other and len(other) > len(plain) for other in whole[:k] + whole[k + 1 :]):
            continue
        if "<" in value and (inner := parse(BAD_CHARS.sub("", value))) is not None:
            strip(inner, value)
            lines += lines_of(inner)
        else:
            lines += [Line(part, 0, False, tree) for part in value.splitlines() if part.strip()]
    return lines
