"""An HTML page as a tree, and the lines a reader would see below any element of it.

In goes decoded text, out comes a tree without what no reader sees, and :class:`Line` by line what
stands in it: blocks and ``br`` end a line, table rows join their cells with `` | ``, leading
indentation is kept because it tells paragraphs from wrapped lines. Nothing is judged here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from lxml import etree

from fanwen.cleaners import chars, rules
from fanwen.markup import tame

HAN = re.compile(r"[㐀-䶿一-鿿]")
BAD_CHARS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# what no parser of XML takes, as bytes of UTF-8
_CONTROLS = bytes([*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])
INDENT = "　　"
_TAGS = rules.table("extract.toml")["tags"]
INLINE = frozenset(_TAGS["inline"].split())
_GONE = frozenset(_TAGS["unseen"].split())
_STRONG = frozenset(_TAGS["strong"].split())
_VERBATIM = frozenset(_TAGS["verbatim"].split())
_BREAKS = frozenset(_TAGS["breaks"].split())
_BLANK = " \n\t\r\xa0　"
# marks hidden text that goes on where visible text ends
REST = "data-fanwen-rest"
AD_LABELS = frozenset(("广告", "廣告", "推广", "AD", "Ad", "赞助"))
_WHITE = re.compile(r"[ \t\r\n]+")
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|pt|em|%)?\s*(?:;|$)"
    r"|opacity\s*:\s*0\s*(?:;|$)|(?:left|top|text-indent)\s*:\s*-\d{3,}(?:px|em)",
    re.IGNORECASE,
)
_PLACED = re.compile(r"(?:^|[;\s])top\s*:\s*-?[\d.]+|display\s*:\s*block", re.IGNORECASE)
_JAMMER = re.compile(r"\bjammer\b", re.IGNORECASE)


@dataclass(slots=True)
class Line:
    """One line of the page: its text, how much of it is link, whether it stands out, what holds it,
    and the texts of the links within it."""

    text: str
    links: int
    strong: bool
    owner: Any
    linked: tuple[str, ...] = ()

    @property
    def is_link(self) -> bool:
        """Whether the line is a link, dates and numbers beside it left aside."""
        return self.links > 0 and self.links * 10 >= 7 * sum(c.isalpha() for c in self.text)


def parse(text: str) -> Any | None:
    """The page as an lxml tree, or None where there is nothing to parse.

    Raises :class:`RecursionError` where elements are nested so deeply that the parser gave up and
    lost text.
    """
    # the text is decoded already: an XML declaration in it could only mislead
    text = re.sub(r"^\s*<\?xml[^>]{0,200}\?>", "", text, count=1)
    body = text.encode("utf-8", "ignore").translate(None, _CONTROLS)
    for noncharacter in ("\ufffe", "\uffff"):
        body = body.replace(noncharacter.encode(), b"")
    parser = etree.HTMLParser(encoding="utf-8", recover=True, remove_comments=True, remove_pis=True)
    try:
        tree = etree.fromstring(tame(body), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return None
    if parser.error_log.filter_types(etree.ErrorTypes.ERR_RESOURCE_LIMIT):
        raise RecursionError
    return tree


def strip(tree: Any, source: str) -> None:
    """Take out what no reader sees below ``tree``, and text that only stands there against copying.

    ``source`` is what the tree was parsed from: what is not named there is not looked for.
    """
    hidden = []
    for element in _special(tree, source):
        tag = element.tag
        if tag == "form" and len(element) and any(HAN.search(text) for text in element.itertext()):
            # a viewer may put its text into a form; the form itself stays, its controls go
            element.tag = "div"
        elif tag in _GONE:
            drop(element)
        elif tag == "textarea":
            element.tag = "pre"
        elif _is_trap(element):
            drop(element)
        elif element.get("hidden") is not None or _HIDDEN.search(element.get("style") or ""):
            hidden.append(element)
    if hidden:
        # many sizes are counted in one pass, a few one by one
        size = text_size if len(hidden) <= _FEW else text_sizes(tree)[0].__getitem__
        shown = size(tree)
        for element in hidden:
            # some pages hide the whole article, or the rest of it, until a script shows it
            whole = size(element) >= 0.5 * shown
            if size(element) >= _REST and _goes_on(element, size, least=1 if whole else 3):
                element.set(REST, "1")
            elif not whole:
                drop(element)


def _special(tree: Any, source: str) -> list[Any]:
    """The elements that :func:`strip` has to look at: by their name, by their attributes, or as a label."""
    found = [*tree.iter(*_GONE, "form", "textarea"), *_ATTRIBUTED(tree)]
    jammed, labelled = _named(source)
    if jammed:
        found += _CLASSED(tree)
    if labelled:
        found += [element for element in tree.iter() if element.text in AD_LABELS and not len(element)]
    return [element for element in dict.fromkeys(found) if element is not tree]


def _is_trap(element: Any) -> bool:
    """Whether an element is a mark against copying or the label of an advertisement."""
    if _JAMMER.search(element.get("class") or "") or (element.text in AD_LABELS and not len(element)):
        return True
    return element.tag in INLINE and _is_white(element)


def _is_white(element: Any) -> bool:
    """Whether a few characters inside a paragraph are set in white on nothing: a mark against copying."""
    parent = element.getparent()
    if parent is None or not _WHITE_COLOR.search(f"color:{element.get('color')};{element.get('style')}"):
        return False
    # white on a ground of its own is a heading, as the messenger's editors set it
    grounds = (f"{one.get('style')} {one.get('bgcolor') and 'background'}" for one in _and_above(element))
    if any("background" in ground.lower() for ground in grounds):
        return False
    return text_size(element) <= 40 and text_size(parent) >= 3 * text_size(element)


def _and_above(element: Any) -> Iterable[Any]:
    return (element, *element.iterancestors())


_WHITE_COLOR = re.compile(
    r"(?<![-\w])color\s*:\s*(?:#fff(?:fff)?\b|white\b|rgb\(\s*255\s*,\s*255\s*,\s*255\s*\))", re.IGNORECASE
)


@lru_cache(maxsize=1)
def _named(source: str) -> tuple[bool, bool]:
    """Whether a page names jammers and has labels of advertising anywhere."""
    jammed = any(word in source for word in ("jammer", "Jammer", "JAMMER"))
    return jammed, any(f">{label}<" in source for label in AD_LABELS)


_ATTRIBUTED, _CLASSED = (
    etree.XPath(".//@style/.. | .//@hidden/.. | .//@color/.."),
    etree.XPath(".//@class/.."),
)


def is_seen(element: Any) -> bool:
    """Whether a reader sees an element, as far as it says so itself."""
    hidden = element.get("hidden") is not None or _HIDDEN.search(element.get("style") or "")
    return element.tag not in _GONE and not hidden


def _goes_on(element: Any, size: Callable[[Any], int], least: int) -> bool:
    """Whether hidden text is the rest of the article: much prose, behind ``least`` sentences that all see."""
    parent = element.getparent()
    if element.tag in INLINE or parent is None or element.getprevious() is None:
        return False
    seen = stops = 0
    for near in islice(element.itersiblings(preceding=True), _NEAR):
        seen += size(near)
    for near in (
        *islice(element.itersiblings(preceding=True), _NEAR),
        *islice(element.itersiblings(), _NEAR),
    ):
        stops += sum(len(_STOP.findall(text)) for text in near.itertext())
        if stops >= least:
            break
    prose = sum(len(_STOP.findall(text)) for text in element.itertext())
    return prose >= 4 and stops >= least and seen >= _REST * least // 6


# Characters of hidden text that may be the rest of an article, and neighbours that are looked at.
_REST, _NEAR = 200, 50
_FEW = 50
_STOP = re.compile("[。！？；]")


def text_size(root: Any) -> int:
    """Characters below an element, runs of blanks counted as one."""
    return int(_SIZE(root))


_SIZE = etree.XPath("string-length(normalize-space(.))")


def text_sizes(root: Any) -> tuple[dict[Any, int], dict[Any, int]]:
    """Characters below every element, and how many of them are in links; in one pass from the leaves up."""
    sizes: dict[Any, int] = {}
    linked: dict[Any, int] = {}
    for element in reversed(list(root.iter())):
        size = len((element.text or "").strip())
        size += sum(sizes[child] + len((child.tail or "").strip()) for child in element)
        sizes[element] = size
        linked[element] = size if element.tag == "a" else sum(linked[child] for child in element)
    return sizes, linked


def drop(element: Any) -> None:
    """Take an element out and leave the text behind it where it is."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        before = element.getprevious()
        if before is None:
            parent.text = (parent.text or "") + element.tail
        else:
            before.tail = (before.tail or "") + element.tail
    parent.remove(element)


def han(lines: Iterable[Line]) -> int:
    """How many Han characters the lines hold."""
    return chars.han("".join(line.text for line in lines))


def lines_of(root: Any) -> list[Line]:
    """All lines below ``root`` in order, none of them blank."""
    walk = _Walk(root)
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            walk.enter(element)
        else:
            walk.leave(element, element is root)
    walk.flush()
    return walk.lines


# what an element is to the lines: bits, by its tag
_BLOCK, _CELL, _LINK, _BOLD, _PRE, _BREAK = 1, 2, 4, 8, 16, 32
_OTHER = _CELL | _LINK | _BOLD | _PRE


def _kinds() -> dict[str, int]:
    kinds = dict.fromkeys(INLINE, 0)
    kinds["a"] = kinds.get("a", _BLOCK) | _LINK
    for tags, kind in ((_STRONG, _BOLD), (_VERBATIM, _PRE)):
        for tag in tags:
            kinds[tag] = kinds.get(tag, _BLOCK) | kind
    return kinds | dict.fromkeys(("td", "th", "cell"), _CELL) | dict.fromkeys(_BREAKS, _BLOCK | _BREAK)


_KINDS = _kinds()


class _Walk:
    """Gathers lines while a tree is gone through; what is called most often is written out in place."""

    def __init__(self, root: Any) -> None:
        self.lines: list[Line] = []
        self._kinds: list[int] = []  # of the elements that are open
        self._buffer: list[str] = []
        self._filled = False
        self._links = self._bold = 0
        self._linked: list[str] = []
        self._in_link = self._in_bold = self._in_pre = self._in_cell = 0
        self._owner = root

    def enter(self, element: Any) -> None:
        tag = element.tag
        kind = _KINDS.get(tag, _BLOCK)
        if kind == 0:
            if (style := element.get("style")) is not None and _PLACED.search(style):
                kind = _BLOCK  # a viewer put it in its place
        elif kind & _CELL:
            kind = _CELL if _is_data_cell(element) else _BLOCK
        self._kinds.append(kind)
        if kind:
            if kind & _BREAK:
                self.flush()
                return
            if kind & _BLOCK and self._buffer and not self._in_cell:
                self.flush()
            if kind & _OTHER:
                self._count(kind, 1)
        if text := element.text:
            if tag == "sup" and text.strip() in ("2", "3"):
                text = "²³"[int(text) - 2]
            self._put(text, element)

    def leave(self, element: Any, last: bool) -> None:
        kind = self._kinds.pop()
        if kind & _OTHER:
            self._count(kind, -1)
            if kind & _CELL and element.getnext() is not None:
                self._buffer.append(" | ")
            elif kind & _LINK and element.text and not len(element):
                self._linked.append(_WHITE.sub(" ", element.text).strip(_BLANK))
        if kind & _BLOCK and self._buffer and not self._in_cell and not kind & _BREAK:
            self.flush()
        if not last and (tail := element.tail):
            self._put(tail, element.getparent())

    def _count(self, kind: int, step: int) -> None:
        self._in_cell += step * (kind & _CELL > 0)
        self._in_link += step * (kind & _LINK > 0)
        self._in_bold += step * (kind & _BOLD > 0)
        self._in_pre += step * (kind & _PRE > 0)

    def _put(self, text: str, where: Any) -> None:
        if self._in_pre:
            first, *rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self._add(first, where)
            for line in rest:
                self.flush()
                self._add(line, where)
        # before a line begins, only an indentation is worth keeping of blanks
        elif self._filled or text.strip() or "\u3000" in text or "\xa0" in text:
            if "\n" in text or "  " in text or "\t" in text or "\r" in text:
                text = _WHITE.sub(" ", text)
            if self._filled and text[0] == " " and self._buffer[-1].endswith(" "):
                text = text[1:]
            self._add(text, where)

    def _add(self, text: str, where: Any) -> None:
        self._buffer.append(text)
        if self._filled and not self._in_link and not self._in_bold:
            return
        if not self._filled:
            self._owner = where
        size = len(text.strip(_BLANK))
        self._filled = self._filled or size > 0
        if self._in_link:
            self._links += size
        if self._in_bold:
            self._bold += size

    def flush(self) -> None:
        if self._filled:
            raw = "".join(self._buffer)
            text = raw.strip(_BLANK)
            lead = raw[: len(raw) - len(raw.lstrip(_BLANK))]
            deep = lead.count("　") * 2 + lead.count("\xa0") + (lead.count(" ") if self._in_pre else 0)
            line = (INDENT if deep >= 2 else "") + text
            linked = tuple(self._linked)
            self.lines.append(Line(line, self._links, self._bold >= len(text), self._owner, linked))
            self._filled = False
            self._links = self._bold = 0
        if self._buffer:
            self._buffer.clear()
        if self._linked:
            self._linked.clear()


def _is_data_cell(element: Any) -> bool:
    """A cell of a table that holds data, not the layout of a page: short cells without blocks."""
    row = element.getparent()
    if row is None or row.tag not in ("tr", "row") or len(row) < 2:
        return False
    known = row.get("data-fanwen-row")
    if known is None:
        size = links = 0
        for inner in row.iter():
            size += len(inner.text or "") + len(inner.tail or "")
            links += inner.tag == "a"
            if size > 300 or links > 1 or inner.tag in ("table", "ul", "h1", "h2"):
                break
        else:
            known = "1"
        known = known or "0"
        row.set("data-fanwen-row", known)
    return bool(known == "1")
