"""The cleaners in their order: the pages of one document in, its pieces and rejects out.

decode → extract → invisible characters, markup, damage → script → gate → junk lines → layout →
split → introductions off, flags → language → quality → privacy → genre. Every stage is a pure
function of its own module; this module only hands the text from one to the next and counts what
each rule took. Nothing depends on time, path or order; no bytes whatever raise.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fanwen.cleaners import (
    boilerplate,
    damage,
    gate,
    genre,
    glued,
    language,
    layout,
    letters,
    nags,
    paging,
    privacy,
    quality,
    script,
)
from fanwen.cleaners.claims import read_claims
from fanwen.cleaners.decode import decode
from fanwen.cleaners.extract import MAX_HTML, NO_HINTS, Extracted, ExtractError, TooLargeError, extract_html
from fanwen.cleaners.extract_files import extract_docx, extract_pdf, extract_text
from fanwen.cleaners.extract_json import json_as_html, looks_like_json
from fanwen.cleaners.rules import RULESET
from fanwen.cleaners.split import Part, open_headings, split
from fanwen.cleaners.titles import Titles, core_of, ends_with_genre, is_name, titles
from fanwen.cleaners.trace import Change, Hits, Trace
from fanwen.cleaners.types import Cleaned, Document, ExtractHints, Page, Piece, Reject, Span

__all__ = ["RULESET", "Traced", "clean_document", "page_from_file", "trace_document"]

# Characters of main text above which a document is no sample essay and would only cost time.
MAX_TEXT = 400_000

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_TYPES = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".shtml": "text/html",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".pdf": "application/pdf",
    ".docx": _DOCX,
}
_JSON = ("application/json", "text/json", "application/javascript", "text/javascript")
_MARKUP = re.compile(
    rb"<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>]|<(?:div|p|table|center|br|meta|title)[\s>/]", re.I
)


def page_from_file(path: Path) -> Page:
    """A file as a page: its bytes, the type its name says, a URL from its content and never its path.

    Raises :class:`OSError` where the file cannot be read.
    """
    body = path.read_bytes()
    kind = _TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0]
    return Page(f"urn:sha256:{hashlib.sha256(body).hexdigest()}", body, kind)


def clean_document(
    pages: Sequence[Page], hints: ExtractHints = NO_HINTS, *, main_text: bool = False
) -> Cleaned:
    """The pieces of one document. ``pages`` in reading order; never raises for any bytes.

    ``main_text`` stops after decoding, extraction and boilerplate: no gate, no pieces.
    """
    return trace_document(pages, hints, main_text=main_text).cleaned


@dataclass(frozen=True, slots=True)
class Traced:
    """A cleaned document and how it came about, for those who ask why.

    ``trace`` holds the main text as extracted and every change to it; ``parts`` are the pieces' stretches of
    its finished text; ``titles`` and ``furniture`` are what the page called itself and said beside the text.
    """

    cleaned: Cleaned
    trace: Trace = field(default_factory=lambda: Trace(""))
    parts: tuple[Part, ...] = ()
    titles: tuple[str, ...] = ()
    furniture: tuple[str, ...] = ()


def trace_document(
    pages: Sequence[Page], hints: ExtractHints = NO_HINTS, *, main_text: bool = False
) -> Traced:
    """As :func:`clean_document`, with every change that was made on the way."""
    source = pages[0].url if pages else ""
    try:
        return _clean(pages, hints, main_text)
    except TooLargeError as error:
        return _refused(source, "too_large", str(error))
    except ExtractError as error:
        return _refused(source, "unreadable", str(error))
    except RecursionError:
        return _refused(source, "too_deep", "the page is nested too deeply to be read")
    except Exception as error:  # a fault of ours must not stop a build over a million pages
        return _refused(source, "internal_error", f"{type(error).__name__}: {error}"[:300])


def _refused(source: str, reason: str, detail: str) -> Traced:
    return Traced(Cleaned(None, (), (Reject(source, reason, detail),)))


# -- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Read:
    """What the pages of a document gave before anything was changed."""

    kind: str
    encoding: str
    lossy: int
    extracted: Extracted
    truncated: bool


def kind_of(page: Page) -> str:
    """html, text, markdown, json, pdf or docx: by the bytes first, then by the claimed type."""
    head = page.body[:2048]
    kind = (page.content_type or "").split(";")[0].strip().lower()
    if head.lstrip()[:5] == b"%PDF-":
        return "pdf"
    if head[:4] == b"PK\x03\x04" and (
        kind == _DOCX or b"word/" in page.body or b"[Content_Types].xml" in head
    ):
        return "docx"
    if kind in ("text/markdown", "text/x-markdown"):
        return "markdown"
    if kind in ("application/pdf", _DOCX):
        return "pdf" if kind == "application/pdf" else "docx"
    if kind in _JSON:
        return "json"
    if kind in ("text/html", "application/xhtml+xml"):
        return "html"
    if kind == "text/plain":
        return "html" if re.match(rb"\s*(?:<!doctype\s+html|<html)", head, re.I) else "text"
    return "html" if _MARKUP.search(head.replace(b"\0", b"")) else "text"


def _read(page: Page, hints: ExtractHints) -> _Read:
    if page.problem is not None:
        raise ExtractError(page.problem)
    kind, hints = kind_of(page), page.hints or hints
    if kind == "pdf":
        return _Read(kind, "binary", 0, extract_pdf(page.body), page.truncated)
    if kind == "docx":
        return _Read(kind, "binary", 0, extract_docx(page.body), page.truncated)
    decoded = decode(page.body, page.content_type, page.encoding)
    if looks_like_json(decoded.text) and (page_of_it := json_as_html(decoded.text)) is not None:
        # also where a server calls it something else
        return _Read("json", decoded.encoding, decoded.lossy, extract_html(page_of_it, hints), page.truncated)
    extracted = extract_html(decoded.text, hints) if kind == "html" else extract_text(decoded.text)
    return _Read(kind, decoded.encoding, decoded.lossy, extracted, page.truncated)


# -- the order ------------------------------------------------------------------------------------


def _clean(pages: Sequence[Page], hints: ExtractHints, main_text: bool) -> Traced:
    if not pages:
        return _refused("", "empty", "the document has no pages")
    source = pages[0].url
    for page in pages:
        if len(page.body) > MAX_HTML and kind_of(page) in ("html", "text", "markdown"):
            raise TooLargeError(f"{len(page.body)} bytes")
    reads = [_read(page, hints) for page in pages]
    size = sum(len(read.extracted.text) for read in reads)
    if size > MAX_TEXT:
        raise TooLargeError(f"{size} characters of text")
    hits = Hits()
    joined, repeated = paging.join([read.extracted for read in reads])
    trace = Trace(joined, hits)
    trace.apply(repeated)
    pages_declared = glued.pages_declared(
        "\n".join([trace.text, *(line for r in reads for line in r.extracted.furniture)])
    )
    emphasised = _emphasised(trace, reads)
    lines = dict.fromkeys(line for page in pages for line in (page.hints or hints).lines)
    trace.apply(boilerplate.site_lines(trace.text, tuple(lines)))
    for stage in (damage.invisible, damage.markup, damage.anticopy, damage.pinyin):
        trace.apply(stage(trace.text))
    found = script.convert(trace.text)
    if found.opencc:
        trace.convert(found.text, f"script.{found.opencc}")
    names = titles(_given_titles(trace.text, reads, found.opencc is not None))
    around = [line for read in reads for line in read.extracted.furniture]
    edges = around or trace.text.split("\n")
    brands = nags.brands(_both_scripts(reads[0].extracted.titles), _both_scripts(edges[:4] + edges[-12:]))
    traced = Traced(Cleaned(None), trace, (), names.full, tuple(around))
    damaged = any(read.lossy > 20 and read.lossy * 200 > len(read.extracted.text) for read in reads)
    document = Document(
        url=source,
        title=names.full[0] if names.full else None,
        kind=reads[0].kind,
        encoding=reads[0].encoding,
        extractor=reads[0].extracted.extractor,
        ruleset=RULESET,
        script="damaged" if damaged else found.script,
        opencc=found.opencc,
        declared_pieces=names.declared,
        found_pieces=0,
        claims=read_claims(around or trace.text.split("\n")[:30]),
        text=_plain(trace.text),
    )
    if not main_text:
        refused = gate.judge(source, names.full, trace.text, reads[0].extracted.links, "\n".join(around))
        if refused:
            document = replace(document, rule_hits=hits.sorted())
            return replace(traced, cleaned=Cleaned(document, (), (refused,)))
    anchors = {name for read in reads for name in read.extracted.linked}
    _repair(trace, emphasised, pages_declared, names, brands, _both_scripts(sorted(anchors)))
    if main_text:
        document = replace(document, text=_plain(trace.unconverted()), rule_hits=hits.sorted())
        return replace(traced, cleaned=Cleaned(document))
    cut = split(trace.text, names, emphasised)
    _count_cuts(trace.text, cut.parts, hits)
    document = replace(
        document,
        text=_plain(trace.text),
        declared_pieces=cut.declared,
        found_pieces=len(cut.parts),
        rule_hits=hits.sorted(),
    )
    last_is_cut = any(read.truncated for read in reads) or layout.pages_missing(trace.original)
    pieces = tuple(
        _piece(part, trace, document, names, cut_off=last_is_cut and part.index == len(cut.parts))
        for part in _stretches(trace.text, cut.parts)
    )
    rejects = () if pieces else (Reject(source, "empty", "nothing is left after cleaning"),)
    return replace(traced, cleaned=Cleaned(document, pieces, rejects), parts=tuple(cut.parts))


def _repair(
    trace: Trace,
    emphasised: frozenset[str],
    pages_declared: int,
    names: Titles,
    brands: Sequence[str],
    anchors: Sequence[str],
) -> None:
    """Junk lines and phrases, then layout; phrases again, because wraps had hidden some."""

    def run(*stages: Callable[[str], list[Change]]) -> bool:
        return sum(trace.apply(stage(trace.text)) for stage in stages) > 0

    run(lambda text: boilerplate.marks(text, brands))
    run(damage.replaced_words, layout.furniture, layout.contents, boilerplate.walls)
    judged = trace.text
    run(lambda text: boilerplate.lines(text, brands))
    unwrapped = run(layout.wrap_spaces, layout.unwrap)
    if unwrapped:
        run(boilerplate.walls)
    if run(lambda text: boilerplate.phrases(text, brands)) or unwrapped:
        run(lambda text: boilerplate.lines(text, brands, judged))
    run(
        lambda text: boilerplate.linked(text, anchors, brands),
        lambda text: layout.page_joins(text, emphasised),
        glued.chunk_numbers,
        lambda text: glued.glued_numbers(text, pages_declared),
        lambda text: open_headings(text, names),
        layout.flattened,
        layout.stutter,
        layout.semicolons,
        damage.ascii_stops,
        layout.finish,
    )


def _both_scripts(lines: Sequence[str]) -> list[str]:
    return [*lines, *script.to_simplified("\n".join(lines)).split("\n")] if lines else []


def _emphasised(trace: Trace, reads: Sequence[_Read]) -> frozenset[str]:
    """Headings and bold lines, as they will read after the first stages."""
    lines = set(damage.headings(trace.text))
    for read in reads:
        lines |= read.extracted.emphasised
    plain = set()
    for line in lines:
        small = Trace(line)
        for stage in (damage.invisible, damage.markup, damage.anticopy, damage.pinyin):
            small.apply(stage(small.text))
        plain |= {small.text.strip(" 　"), script.to_simplified(small.text.strip(" 　"))}
    return frozenset(plain)


def _given_titles(text: str, reads: Sequence[_Read], convert: bool) -> list[str]:
    """The document's titles: from the page, else its first line that looks like one."""
    given = [title for title in reads[0].extracted.titles if is_name(title)]
    cleaned = []
    for title in given:
        small = Trace(title)
        small.apply(damage.invisible(small.text))
        plain = damage.without_pinyin(small.text)
        cleaned.append(script.to_simplified(plain) if convert else plain)
    if not cleaned:
        cleaned += _first_lines(text)
    return cleaned


def _first_lines(text: str) -> list[str]:
    """Short lines at the top that may be the title: best those that name a genre or a count."""
    head = text[:3000]
    junk = {(c.begin, c.end) for c in boilerplate.lines(head)}
    found: list[tuple[int, int, str]] = []
    above = ""
    shown = [span for span in boilerplate.spans(head)[:8] if span not in junk]
    for k, (begin, end) in enumerate(shown):
        line = re.split(r"[ 　]{3,}", text[begin:end])[-1]
        if len(line) > 60 or _NO_TITLE.search(line) or layout.is_head_line(line):
            above = ""
            continue
        # a title set on two lines: 关于做好……和 ⏎ ……工作的通知
        whole = above + line if _UNFINISHED.search(above) else line
        named = ends_with_genre(core_of(whole)) or titles([whole]).declared is not None
        field = _A_FIELD.search(whole) and (
            genre.by_title(whole) is None or _A_PERSON.match(whole) or _UNFILLED.match(whole)
        )
        if field and not named:
            above = ""  # 甲方：某某 and the like begin a text
            continue
        found.append((0 if named else 1, k, whole))
        above = "" if named else line
    if not found:
        return []
    rank, _, best = min(found)
    return [best] if rank == 0 or found[0][1] == 0 else []


_A_FIELD = re.compile(r"[:：_＿〔〕]|\d{4}年")
_A_PERSON = re.compile(r"[^:：]{0,4}人[:：]")
_UNFILLED = re.compile(r"[^:：]+[:：][_＿ 　]*$")
_NO_TITLE = re.compile(r"[。！？!?；;，,：:]$")
_UNFINISHED = re.compile(r"^关于|[和与及暨、]$")


def _plain(text: str) -> str:
    """A text as it is read: the marks of walls gone, no empty lines."""
    return _collapsed(text).strip("\n")


def _collapsed(text: str) -> str:
    if damage.WALL_END in text or damage.WALL_INSIDE in text:
        text = text.replace(damage.WALL_END, "").replace(damage.WALL_INSIDE, "\n")
    return _EMPTY.sub("\n", text) if "\n\n" in text else text


_EMPTY = re.compile(r"\n{2,}")


def _count_cuts(text: str, parts: Sequence[Part], hits: Hits) -> None:
    """What splitting left out: the introduction before the first piece, the headings between."""
    at = 0
    for k, part in enumerate(parts):
        taken = text[at : part.begin].strip()
        if taken:
            hits.add("split.before_first" if k == 0 else "split.heading", taken)
        at = part.end


# -- pieces -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stretch:
    """``text[begin:end]`` is piece number ``index``; ``place`` is where it begins in the document's text."""

    index: int
    begin: int
    end: int
    place: int
    title: str | None


def _stretches(text: str, parts: Sequence[Part]) -> Iterator[_Stretch]:
    """The parts without the blanks around them. Places are summed up from part to part."""
    place = at = 0
    for index, part in enumerate(parts, 1):
        raw = text[part.begin : part.end]
        begin = part.begin + len(raw) - len(raw.lstrip(" 　\n"))
        before = _collapsed(text[at:begin])
        place += len(before if at else before.lstrip("\n"))
        at = begin
        yield _Stretch(index, begin, part.begin + len(raw.rstrip(" 　\n")), place, part.title)


def _piece(part: _Stretch, trace: Trace, document: Document, names: Titles, *, cut_off: bool) -> Piece:
    begin, end = part.begin, part.end
    original, edits = trace.edits(begin, end)
    raw = trace.text[begin:end]
    text = _plain(raw)
    last = part.index == document.found_pieces
    flags = set()
    if damage.WALL_END in raw or damage.WALL_INSIDE in raw or cut_off or (last and letters.breaks_off(text)):
        flags.add("incomplete")
    if document.script == "damaged" or damage.is_damaged(text):
        flags.add("damaged")
    placeholders = privacy.placeholders(text)
    signals = quality.signals(text, placeholders)
    flags.update(quality.flags(text, signals))
    spoken = language.detect(text)
    if spoken not in ("zh", "und"):
        flags.add("not_chinese")
    category = document.claims.category.line if document.claims.category else None
    kind = genre.classify(text, part.title, names.full[0] if names.full else None, category)
    return Piece(
        index=part.index,
        title=part.title,
        text=text,
        text_original=original,
        span=Span("piece", part.place, part.place + len(text)),
        genre=kind.name,
        genre_confidence=kind.confidence,
        language=spoken,
        script=document.script,
        flags=tuple(sorted(flags)),
        quality=signals,
        genre_evidence=kind.evidence,
        year=kind.year,
        level=kind.level,
        placeholders=placeholders,
        privacy=privacy.spans(text, placeholders),
        edits=edits,
    )
