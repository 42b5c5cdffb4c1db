"""Says of every character of an extracted text what became of it.

In goes a :class:`fanwen.cleaners.pipeline.Traced` document, out comes its main text as extracted, in
segments: kept, cut or added, each with the rule that did it and the piece it belongs to. Kept and cut
segments in their order are the extracted text, character by character. Nothing is changed here.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from fanwen.cleaners import rules
from fanwen.cleaners.damage import WALL_END, WALL_INSIDE
from fanwen.cleaners.pipeline import Traced
from fanwen.cleaners.trace import Change, Trace

_MARKS = {WALL_END: "", WALL_INSIDE: "\n"}

# What the rules of each family do, in the order of the stages.
FAMILIES = {
    "site": "lines that a person approved for this site",
    "text": "invisible characters and blanks",
    "markup": "traces of Markdown and HTML that were printed",
    "damage": "what copying did to the text",
    "script": "conversion of traditional characters",
    "layout": "page numbers, wraps and torn paragraphs",
    "wall": "member walls and elisions",
    "boilerplate": "what the page says around and inside the pieces",
    "split": "introductions and headings that belong to no piece",
}

# Rules that stand in code; those in data files are named there.
_IN_CODE = (
    "boilerplate.fields",
    "boilerplate.jammer",
    "boilerplate.keywords",
    "boilerplate.linked",
    "boilerplate.mark",
    "boilerplate.nag",
    "boilerplate.ornament",
    "boilerplate.tail",
    "damage.anticopy",
    "damage.ascii_stop",
    "damage.pinyin",
    "layout.cell",
    "layout.chunk_number",
    "layout.contents",
    "layout.flattened",
    "layout.glued_number",
    "layout.heading",
    "layout.pad_space",
    "layout.page_break",
    "layout.page_join",
    "layout.page_number",
    "layout.page_title",
    "layout.running_head",
    "layout.semicolon",
    "layout.stutter",
    "layout.unwrap",
    "layout.wrap_paragraph",
    "layout.wrap_space",
    "markup.bold",
    "markup.bullet",
    "markup.comment",
    "markup.emphasis",
    "markup.entity",
    "markup.escape",
    "markup.front_matter",
    "markup.heading",
    "markup.image",
    "markup.link",
    "markup.quote",
    "markup.sup",
    "markup.table",
    "markup.tag",
    "markup.tick",
    "script.tw2s",
    "site.line",
    "split.before_first",
    "split.heading",
    "text.blank",
    "text.invisible",
    "wall.end",
    "wall.inside",
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the extracted text that met one fate; ``added`` ones are not of that text.

    ``rule`` is None for kept text; ``piece`` counts from 1, None outside of every piece.
    """

    kind: str  # kept, cut, added
    text: str
    rule: str | None
    piece: int | None


def known_rules() -> tuple[str, ...]:
    """The names of all rules that can remove or change text, sorted."""
    in_data = {
        rule.name for key in ("line", "phrase") for rule in rules.family("boilerplate.toml", key)
    }  # walls have two names for all their patterns
    return tuple(sorted(in_data.union(_IN_CODE)))


def segments(traced: Traced) -> tuple[Segment, ...]:
    """The extracted text of one document with everything that was cut from it and put into it."""
    trace = traced.trace
    cells = replay(trace)
    regions, left_out = _regions(traced)
    found = _Segments()
    at = 0
    for i, origin in enumerate(cells.origin):
        # text that was cut lies in a piece when both its neighbours do
        inside = regions[i] if i and regions[i - 1] == regions[i] else None
        until = origin if origin >= 0 else cells.added[-origin - 1].place
        at = _cut(found, trace.original, cells, at, until, inside)
        if origin >= 0:
            if left_out[i]:
                found.put("cut", trace.original[origin], left_out[i], None)
            else:
                found.put("kept", trace.original[origin], None, regions[i])
            at = origin + 1
        elif not left_out[i]:
            char = trace.text[i]
            found.put("added", _MARKS.get(char, char), cells.added[-origin - 1].rule, regions[i])
    _cut(found, trace.original, cells, at, len(trace.original), None)
    return found.done()


@dataclass(frozen=True, slots=True)
class Added:
    """A character that a rule put in; ``place`` is where in the original it stands."""

    rule: str
    place: int


@dataclass(frozen=True, slots=True)
class Cells:
    """``origin[i]`` is where the i-th finished character came from, or ``-k - 1`` for ``added[k]``.

    ``taker[p]`` is an index into ``rules``, -1 where the p-th original character was not taken.
    """

    origin: array[int]
    added: tuple[Added, ...]
    taker: array[int]
    rules: tuple[str, ...]

    def taken_by(self, begin: int, end: int) -> str | None:
        """The rule that took the first of these original characters; None where one of them was kept."""
        takers = self.taker[begin:end]
        return None if not takers or min(takers) < 0 else self.rules[takers[0]]


def replay(trace: Trace) -> Cells:
    """Apply the steps of a trace once more, keeping the fate of each character."""
    origin = array("i", range(len(trace.original)))
    taker = array("i", [-1]) * len(trace.original)
    added: list[Added] = []
    names: dict[str, int] = {}
    text = trace.original
    for step in trace.steps:
        grown = array("i")
        parts: list[str] = []
        done = 0
        for change in step:
            begin, end, after = _narrow(text, change)
            rule = names.setdefault(change.rule, len(names))
            grown.extend(origin[done:begin])
            parts += text[done:begin], after
            place = _place(origin, added, begin, len(trace.original))
            for cell in origin[begin:end]:
                if cell >= 0:
                    taker[cell] = rule
                    place = cell + 1
            for _ in after:
                added.append(Added(change.rule, place))
                grown.append(-len(added))
            done = end
        grown.extend(origin[done:])
        parts.append(text[done:])
        origin, text = grown, "".join(parts)
    return Cells(origin, tuple(added), taker, tuple(names))


def _narrow(text: str, change: Change) -> tuple[int, int, str]:
    """A change without the characters that it leaves as they were at its beginning and end."""
    begin, end, after = change.begin, change.end, change.after
    while begin < end and after and text[begin] == after[0]:
        begin, after = begin + 1, after[1:]
    while begin < end and after and text[end - 1] == after[-1]:
        end, after = end - 1, after[:-1]
    return begin, end, after


def _place(origin: array[int], added: list[Added], at: int, length: int) -> int:
    if at >= len(origin):
        return length
    return origin[at] if origin[at] >= 0 else added[-origin[at] - 1].place


def _regions(traced: Traced) -> tuple[list[int | None], list[str | None]]:
    """For each finished character: the piece it is in, and the rule that left it out of all pieces."""
    text = traced.trace.text
    regions: list[int | None] = [None] * len(text)
    left_out: list[str | None] = [None] * len(text)
    done = 0
    for number, part in enumerate(traced.parts, 1):
        raw = text[part.begin : part.end]
        begin = part.begin + len(raw) - len(raw.lstrip(" 　\n"))
        end = max(begin, part.begin + len(raw.rstrip(" 　\n")))
        gap = text[done:begin]
        if gap.strip():
            first, last = done + len(gap) - len(gap.lstrip()), done + len(gap.rstrip())
            rule = "split.before_first" if number == 1 else "split.heading"
            left_out[first:last] = [rule] * (last - first)
        regions[begin:end] = [number] * (end - begin)
        done = end
    return regions, left_out


def _cut(found: _Segments, original: str, cells: Cells, at: int, until: int, piece: int | None) -> int:
    """Put what was taken from ``original[at:until]``; says how far it got."""
    for p in range(at, until):
        rule = cells.taker[p]
        found.put("cut", original[p], cells.rules[rule] if rule >= 0 else None, piece)
    return max(at, until)


class _Segments:
    """Joins characters of one fate."""

    def __init__(self) -> None:
        self._done: list[Segment] = []
        self._fate: tuple[str, str | None, int | None] | None = None
        self._text: list[str] = []

    def put(self, kind: str, text: str, rule: str | None, piece: int | None) -> None:
        fate = (kind, rule, piece)
        if fate != self._fate:
            self._flush()
            self._fate = fate
        self._text.append(text)

    def done(self) -> tuple[Segment, ...]:
        self._flush()
        return tuple(self._done)

    def _flush(self) -> None:
        text = "".join(self._text)
        if self._fate and text:
            kind, rule, piece = self._fate
            self._done.append(Segment(kind, text, rule, piece))
        self._text = []
