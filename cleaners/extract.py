"""A decoded page to lines of main text.

In goes the text of a page (or the bytes of a PDF or DOCX) and what its site file knows, out
comes an :class:`Extracted`: one line per paragraph, table rows with cells joined by `` | ``,
leading indentation kept because it tells paragraphs from wrapped lines. The tree is parsed once.
Nothing is judged here: navigation that survives is left to the boilerplate rules.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from lxml import etree, html

from fanwen.cleaners.types import ExtractHints

NO_HINTS = ExtractHints()
MAX_HTML = 8 * 1024 * 1024
_HAN = re.compile(r"[㐀-䶿一-鿿]")
_LETTER = re.compile(r"[A-Za-zÀ-ɏ぀-ヿ가-힯]")
_INDENT = "　　"
_BAD_CHARS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff￾￿]")
_SPACES = re.compile(r"[ \t\r\n\xa0]+")
_INLINE = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "b",
        "bdi",
        "bdo",
        "big",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "label",
        "mark",
        "nobr",
        "q",
        "ruby",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
        "u",
        "var",
        "wbr",
        "rb",
        "rt",
        "rp",
    ]
)
_GONE = frozenset(
    [
        "script",
        "style",
        "noscript",
        "iframe",
        "frame",
        "object",
        "embed",
        "svg",
        "canvas",
        "form",
        "input",
        "select",
        "option",
        "button",
        "map",
        "audio",
        "video",
        "template",
        "head",
        "link",
        "meta",
        "rp",
        "rt",
        "datalist",
        "dialog",
        "menu",
    ]
)
_FURNITURE = frozenset(["nav", "footer", "aside"])
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|pt|em|%)?\s*(?:;|$)|opacity\s*:\s*0\s*(?:;|$)"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,}(?:px|em)",
    re.IGNORECASE,
)
_JAMMER = re.compile(r"\bjammer\b", re.IGNORECASE)
_PARTS = re.compile(
    r"(?:^|[\s_-])(?:footer|copyright|comment|comments|sidebar|side|breadcrumbs?|crumbs?|related|relate|xiangguan|"
    r"recommend|share|nav|navbar|pagination|pager|tags?)(?:$|[\s_-]|\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Extracted:
    """``text``: lines; ``emphasised``: lines that the page set as headings or wholly in bold.

    ``titles`` are what the page calls itself, best first; ``furniture`` are the lines around
    the main text, read only for what they claim (date, author, source).
    """

    text: str
    extractor: str
    titles: tuple[str, ...] = ()
    emphasised: frozenset[str] = frozenset()
    furniture: tuple[str, ...] = ()
    link_share: float = 0.0


class ExtractError(Exception):
    """The file cannot be read as what it says it is; the message is the reject's detail."""


def extract_html(text: str, hints: ExtractHints = NO_HINTS) -> Extracted:
    """The main text of a page: by the site's selectors, else generic."""
    tree = parse(text)
    if tree is None:
        return Extracted("", "none")
    titles = _titles(tree, hints)
    viewer = _viewer_text(tree)
    for selector in hints.remove:
        for element in _select(tree, selector):
            _drop(element)
    _strip(tree)
    furniture = tuple(_all_lines(tree))
    link_share = _link_share(tree)
    for selector in hints.content:
        if selector == "@trafilatura":
            break
        found = _select(tree, selector)
        lines = [line for element in _outermost(found) for line in _lines(element)]
        if _han(lines) > 0:
            return _extracted(lines, "selector", titles, furniture, link_share)
    lines = _generic(tree, titles)
    if _han(lines) < 150 and _han(viewer) > 3 * _han(lines):
        return _extracted(viewer, "viewer", titles, furniture, link_share)
    return _extracted(lines, "density", titles, furniture, link_share)


def parse(text: str) -> Any | None:
    """The page as an lxml tree, or None where there is nothing to parse. Never raises."""
    text = _BAD_CHARS.sub("", text)
    # the text is decoded already: an XML declaration in it could only mislead
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text, count=1)
    parser = html.HTMLParser(encoding="utf-8", recover=True, remove_comments=True, remove_pis=True)
    try:
        tree = etree.fromstring(text.encode("utf-8"), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return None
    return tree


# -- the tree ---------------------------------------------------------------------------------


def _strip(tree: Any) -> None:
    """Take out what no reader sees, and text that only stands there against copying."""
    for element in list(tree.iter()):
        tag = element.tag
        if not isinstance(tag, str):
            _drop(element)
        elif tag in _GONE:
            # a viewer may put its text into a form; the form itself stays, its controls go
            if tag == "form" and len(element) and _HAN.search("".join(element.itertext())):
                element.tag = "div"
            else:
                _drop(element)
        elif tag == "textarea":
            element.tag = "pre"
        else:
            style = element.get("style")
            if (
                (style and _HIDDEN.search(style))
                or element.get("hidden") is not None
                or _JAMMER.search(element.get("class") or "")
            ):
                _drop(element)


def _drop(element: Any) -> None:
    parent = element.getparent()
    if parent is None:
        return
    tail = element.tail
    if tail:
        before = element.getprevious()
        if before is None:
            parent.text = (parent.text or "") + tail
        else:
            before.tail = (before.tail or "") + tail
    parent.remove(element)


@dataclass(slots=True)
class _Line:
    """One line of the page: its text, how much of it is link, and whether it stands out."""

    text: str
    links: int
    strong: bool
    owner: Any


def _walk(root: Any) -> list[_Line]:
    """All lines below ``root`` in order: blocks end a line, ``br`` ends a line, cells join."""
    lines: list[_Line] = []
    buffer: list[str] = []
    linked = bold = 0
    owner = root
    in_link = in_bold = in_pre = 0

    def flush() -> None:
        nonlocal linked, bold
        if buffer:
            raw = "".join(buffer)
            text = raw.strip(" \n\t\r\xa0　")
            if text:
                lead = raw[: len(raw) - len(raw.lstrip(" \n\t\r\xa0　"))]
                deep = lead.count("　") * 2 + lead.count("\xa0") + (lead.count(" ") if in_pre else 0)
                size = len(text)
                lines.append(_Line((_INDENT if deep >= 2 else "") + text, linked, bold >= size, owner))
            buffer.clear()
        linked = bold = 0

    def put(text: str | None, where: Any) -> None:
        nonlocal linked, bold, owner
        if not text:
            return
        if in_pre:
            first, *rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            buffer.append(first)
            for line in rest:
                flush()
                owner = where
                buffer.append(line)
            return
        text = re.sub(r"[ \t\r\n]+", " ", text)
        if not buffer or all(not b.strip() for b in buffer):
            owner = where
        elif text[0] == " " and buffer[-1].endswith(" "):
            text = text[1:]
        buffer.append(text)
        size = len(text.strip(" \xa0　"))
        if in_link:
            linked += size
        if in_bold:
            bold += size

    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        element, leaving = stack.pop()
        tag = element.tag if isinstance(element.tag, str) else ""
        inline = tag in _INLINE
        if leaving:
            if not inline and tag != "br":
                if (
                    tag in ("td", "th")
                    and element.getnext() is not None
                    and _is_data_row(element.getparent())
                ):
                    buffer.append(" | ")
                else:
                    flush()
            in_link -= tag == "a"
            in_bold -= tag in ("b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "center")
            in_pre -= tag in ("pre", "xmp", "listing")
            if element is not root:
                put(element.tail, element.getparent())
            continue
        if tag == "br":
            flush()
            put(element.tail, element.getparent())
            continue
        if not inline and not (tag in ("td", "th") and _is_data_row(element.getparent())):
            flush()
        in_link += tag == "a"
        in_bold += tag in ("b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "center")
        in_pre += tag in ("pre", "xmp", "listing")
        put(_marked(element.text, tag), element)
        stack.append((element, True))
        stack.extend((child, False) for child in reversed(element))
    flush()
    return lines


def _marked(text: str | None, tag: str) -> str | None:
    if tag == "sup" and text and text.strip() in ("2", "3"):
        return {"2": "²", "3": "³"}[text.strip()]
    return text


def _is_data_row(row: Any) -> bool:
    """A row of a table that holds data, not the layout of a page: short cells without blocks."""
    if row is None or row.tag != "tr" or len(row) < 2:
        return False
    known = row.get("data-fanwen-row")
    if known is None:
        size = sum(len(t) for t in row.itertext())
        blocks = any(
            isinstance(e.tag, str) and e.tag in ("div", "table", "ul", "h1", "h2") for e in row.iter()
        )
        links = sum(1 for _ in row.iter("a"))
        known = "1" if size <= 300 and not blocks and links <= 1 else "0"
        row.set("data-fanwen-row", known)
    return bool(known == "1")


def _lines(root: Any) -> list[_Line]:
    return [line for line in _walk(root) if line.text.strip()]


def _all_lines(tree: Any) -> Iterator[str]:
    for line in _walk(tree):
        yield line.text.strip("　 ")


def _han(lines: Iterable[_Line]) -> int:
    return sum(len(_HAN.findall(line.text)) for line in lines)


def _link_share(tree: Any) -> float:
    total = links = 0
    for line in _walk(tree):
        total += len(line.text)
        links += line.links
    return links / total if total else 0.0


def _extracted(
    lines: list[_Line],
    extractor: str,
    titles: tuple[str, ...],
    furniture: tuple[str, ...],
    link_share: float,
) -> Extracted:
    texts = [line.text for line in lines]
    strong = frozenset(line.text.strip(" 　\xa0") for line in lines if line.strong and len(line.text) <= 80)
    return Extracted("\n".join(texts), extractor, titles, strong, furniture, link_share)


# -- generic extraction -------------------------------------------------------------------------


def _generic(tree: Any, titles: tuple[str, ...]) -> list[_Line]:
    """The block that holds nearly all running text of the page, without its link lists.

    Weight flows from lines to their ancestors; from the root we go down as long as one child
    keeps nearly all of it. Lines above the title and below 相关文章 and the like weigh less.
    """
    body = tree.find("body")
    body = tree if body is None else body
    _cut_furniture(body)
    lines = _lines(body)
    weight: dict[Any, float] = {}
    first = _title_line(lines, titles)
    factor = 1.0
    for k, line in enumerate(lines):
        if (
            first is not None
            and k > first + 2
            and len(line.text) <= 14
            and _AFTER.match(line.text.strip("　 "))
        ):
            factor = 0.15
        value = _value(line) * (0.3 if first is not None and k < first else factor)
        if value <= 0:
            continue
        element = line.owner
        depth = 0
        while element is not None and depth < 400:
            weight[element] = weight.get(element, 0.0) + value
            element = element.getparent()
            depth += 1
    node = body
    while True:
        here = weight.get(node, 0.0)
        child = max((c for c in node if c in weight), key=lambda c: weight[c], default=None)
        if child is None or weight[child] < 0.6 * here or child.tag in _INLINE or child.tag == "p":
            break
        node = child
    return _without_lists(_lines(node))


_AFTER = re.compile(
    r"(?:相关|相關|猜你|猜您|为您推荐|為您推薦|推荐阅读|推薦閱讀|热门|熱門|精彩|延伸|更多|网友评论|評論|评论|最新)[^，。]{0,10}$"
)


def _title_line(lines: list[_Line], titles: tuple[str, ...]) -> int | None:
    """Where the page says its title for the last time before the text begins."""
    names = {re.sub(r"\s+", "", t) for t in titles}
    for k, line in enumerate(lines):
        text = re.sub(r"[\s　]+", "", line.text)
        if text in names and line.links * 2 < len(text):
            return k
    return None


def _value(line: _Line) -> float:
    """How much a line looks like running text: Chinese characters that are no links."""
    size = len(line.text)
    if line.links * 2 > size:
        return 0.0
    if size < 12 and not _SENTENCE.search(line.text):
        return 0.0
    han = len(_HAN.findall(line.text))
    # a page in another language still has running text, so that the gate can name the language
    return max(0.0, (han or len(_LETTER.findall(line.text)) / 8) - line.links)


_SENTENCE = re.compile(r"[，。！？；：、,!?;:]")


def _cut_furniture(body: Any) -> None:
    """Drop what is named as page furniture and holds only a little of the page's text."""
    total = max(1, sum(len(t) for t in body.itertext()))
    for element in list(body.iter()):
        if element is body or element.getparent() is None or not isinstance(element.tag, str):
            continue
        name = f"{element.get('class') or ''} {element.get('id') or ''}"
        if element.tag in _FURNITURE or _PARTS.search(name):
            size = sum(len(t) for t in element.itertext())
            linked = sum(len(t) for a in element.iter("a") for t in a.itertext())
            if size < 0.25 * total and (element.tag in _FURNITURE or linked * 3 >= size or size < 400):
                _drop(element)


def _without_lists(lines: list[_Line]) -> list[_Line]:
    """Without runs of lines that are links, and the short line that announces such a run."""
    kept: list[_Line] = []
    i = 0
    while i < len(lines):
        j = i
        while j < len(lines) and lines[j].links * 10 >= len(lines[j].text.strip("　 ")) * 7:
            j += 1
        if j - i >= 3:
            while kept and len(kept[-1].text) <= 24 and _ANNOUNCES.search(kept[-1].text):
                kept.pop()
            i = j
        elif j > i:
            kept.extend(lines[i:j])
            i = j
        else:
            kept.append(lines[i])
            i += 1
    return kept


_ANNOUNCES = re.compile(
    r"(?:相关|相關|推荐|推薦|热门|熱門|最新|猜你|猜您|上一篇|下一篇|文章|阅读|閱讀|栏目|欄目|标签|標簽|导航|目录|更多)"
)


# -- titles, selectors, viewers ------------------------------------------------------------------


def _titles(tree: Any, hints: ExtractHints) -> tuple[str, ...]:
    """What the page calls itself: the site's selector, then h1, og:title, title."""
    found: list[str] = []
    for selector in hints.title:
        for element in _select(tree, selector)[:1]:
            found.append("".join(element.itertext()))
    ones = list(tree.iter("h1"))
    if len(ones) == 1:
        found.append("".join(ones[0].itertext()))
    for meta in tree.iter("meta"):
        if (meta.get("property") or "").lower() == "og:title":
            found.append(meta.get("content") or "")
    for element in tree.iter("title"):
        if element.getparent() is not None and element.getparent().tag in ("head", "html", "body"):
            found.append("".join(element.itertext()))
            break
    clean = (_SPACES.sub(" ", _BAD_CHARS.sub("", t)).strip(" 　")[:300] for t in found)
    return tuple(dict.fromkeys(t for t in clean if t))


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


_STRING = re.compile(r'"((?:[^"\\]|\\.){40,})"', re.DOTALL)


def _viewer_text(tree: Any) -> list[_Line]:
    """Text that a viewer keeps as JSON in a script: its long strings with Chinese prose in them."""
    lines: list[_Line] = []
    for script in tree.iter("script"):
        source = script.text or ""
        if len(source) < 200 or "ld+json" in (script.get("type") or ""):
            continue
        for match in _STRING.finditer(source):
            try:
                value = json.loads(f'"{match.group(1)}"', strict=False)
            except ValueError:
                continue
            if not isinstance(value, str) or 2 * len(_HAN.findall(value)) < len(value):
                continue
            if "<" in value and (inner := parse(_BAD_CHARS.sub("", value))) is not None:
                _strip(inner)
                lines += _lines(inner)
            else:
                lines += [_Line(part, 0, False, tree) for part in value.splitlines() if part.strip()]
    return lines


# -- other formats -------------------------------------------------------------------------------


def extract_text(text: str) -> Extracted:
    """A text file as it is: its lines are the document."""
    return Extracted(text.replace("\r\n", "\n").replace("\r", "\n"), "text")


def extract_pdf(body: bytes) -> Extracted:
    """The text of a PDF, pages separated by a form feed, first-line indents kept.

    Raises :class:`ExtractError` for a file that is damaged or locked by a password.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(body)
    except (pypdfium2.PdfiumError, ValueError, TypeError) as error:
        raise ExtractError(f"the PDF cannot be opened: {error}") from None
    pages: list[str] = []
    try:
        for page in document:
            text_page = page.get_textpage()
            pages.append(_pdf_page(text_page))
            text_page.close()
            page.close()
        info = document.get_metadata_dict(skip_empty=True)
    except (pypdfium2.PdfiumError, ValueError, TypeError) as error:
        raise ExtractError(f"a page of the PDF cannot be read: {error}") from None
    finally:
        document.close()
    title = _SPACES.sub(" ", info.get("Title", "")).strip()
    return Extracted("\n\f\n".join(pages), "pdf", (title,) if _HAN.search(title) else ())


def _pdf_page(page: Any) -> str:
    """Lines of one PDF page; a line set further in than the page's margin gets an indent."""
    raw = page.get_text_range()
    lines: list[tuple[float, str]] = []
    at = 0
    for line in raw.split("\r\n"):
        if line.strip():
            lead = len(line) - len(line.lstrip())
            try:
                left, bottom, _, top = page.get_charbox(at + lead, loose=True)
                size = max(top - bottom, 1.0)
            except Exception:  # pdfium has no box for some generated characters
                left, size = 0.0, 1.0
            lines.append((left / size if size else left, line.strip()))
        at += len(line) + 2
    return _indented(lines)


def _indented(lines: list[tuple[float, str]]) -> str:
    if not lines:
        return ""
    edges = sorted(left for left, _ in lines)
    margin = edges[len(edges) // 10]
    return "\n".join((_INDENT if 1.4 <= left - margin <= 4.5 else "") + text for left, text in lines)


def extract_docx(body: bytes) -> Extracted:
    """Paragraphs and tables of a DOCX in their order, page headers and footers left out.

    Raises :class:`ExtractError` for a file that is no DOCX, is damaged or unpacks to too much.
    """
    import docx
    from docx.table import Table

    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if sum(item.file_size for item in archive.infolist()) > 200 * 1024 * 1024:
                raise ExtractError("the DOCX unpacks to more than 200 MiB")
        document = docx.Document(io.BytesIO(body))
        lines: list[str] = []
        strong: list[str] = []
        for block in document.iter_inner_content():
            if isinstance(block, Table):
                lines += _docx_table(block)
                continue
            lines.extend(part for part in block.text.replace("\r", "\n").split("\n"))
            style = (block.style.name or "") if block.style is not None else ""
            runs = [run for run in block.runs if run.text.strip()]
            if block.text.strip() and (
                style.lower().startswith(("heading", "标题", "title")) or (runs and all(r.bold for r in runs))
            ):
                strong.append(block.text.strip())
        title = (document.core_properties.title or "").strip()
    except ExtractError:
        raise
    except Exception as error:
        raise ExtractError(f"the DOCX cannot be read: {type(error).__name__}") from None
    titles = (title,) if _HAN.search(title) else ()
    return Extracted("\n".join(lines), "docx", titles, frozenset(strong))


def _docx_table(table: Any) -> list[str]:
    rows: list[str] = []
    for row in table.rows:
        cells: list[str] = []
        seen: set[int] = set()
        for cell in row.cells:
            # a merged cell is given once for each column it spans
            if id(cell._tc) in seen:
                continue
            seen.add(id(cell._tc))
            cells.append(" ".join(cell.text.split()))
        if any(cells):
            rows.append(" | ".join(cells))
    return rows
