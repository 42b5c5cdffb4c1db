"""Cuts a document into its pieces (篇).

In go the finished text, the document's titles and the lines that the page emphasised; out come
the stretches of the text that are pieces, each with the title its heading gives. Headings
(:mod:`fanwen.cleaners.headings`) must count on; the level of a heading never decides. Nothing is
removed here but headings and what stands before the first one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from fanwen.cleaners import letters, rules
from fanwen.cleaners.boilerplate import spans
from fanwen.cleaners.headings import Mark, inline_marks, is_prose, line_marks, title_lines
from fanwen.cleaners.intro import intro_end, is_outro
from fanwen.cleaners.titles import Titles, core_of, fold, is_title_line
from fanwen.cleaners.trace import Change

_LONG_PREAMBLE = 600
_SHORT_BODY = 25
_SHORT_PIECE = 120
_MOST_MARKS = 600
_MOST_TITLES = 12
_SENTENCE = re.compile(r"[。！？!?；;]")


@dataclass(frozen=True, slots=True)
class Part:
    """``text[begin:end]`` is the body of a piece; ``title`` is what its heading says without the ordinal."""

    begin: int
    end: int
    title: str | None


@dataclass(frozen=True, slots=True)
class Split:
    """``declared``: what the title or the introduction claims; ``rule``: the family that split."""

    parts: tuple[Part, ...]
    declared: int | None
    rule: str | None


def split(text: str, names: Titles, emphasised: frozenset[str] = frozenset()) -> Split:
    """The pieces of a document, in order."""
    start = _after_titles(text, 0, names)
    declared = names.declared or _declared_in_intro(text[start : start + 900])
    marks, rule = _best(text, names, emphasised, declared)
    if not marks:
        begin = _body_start(text, start, names)
        end = _before_last_title(text, names)
        return Split((Part(begin, end, names.core),) if text[begin:end].strip() else (), declared, None)
    parts: list[Part] = []
    preamble = _preamble(text, start, marks, names)
    if preamble is not None:
        parts.append(preamble)
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        end = after.begin if after else len(text)
        begin = _body_start(text, mark.body, names, mark.title)
        if after is None and len(marks) > 1:
            end = _without_outro(text, begin, end, emphasised)
        if text[begin:end].strip():
            parts.append(Part(begin, len(text[:end].rstrip()), mark.title or names.core))
    return Split(tuple(parts), declared, rule)


def _preamble(text: str, start: int, marks: Sequence[Mark], names: Titles) -> Part | None:
    """What stands before the first heading: an introduction, or a piece whose own heading is missing."""
    first = marks[0]
    begin = start + intro_end(text[start : first.begin])
    begin = _after_titles(text, begin, names)
    body = text[begin : first.begin].strip()
    least = 150 if first.number > 1 else _LONG_PREAMBLE
    if first.number == 0 or len(body) < least or not _SENTENCE.search(body):
        return None
    return Part(begin, len(text[: first.begin].rstrip()), None)


def _declared_in_intro(head: str) -> int | None:
    end = intro_end(head)
    intro = head[:end]
    for m in re.finditer(rf"(?P<n>{rules.NUMERAL})篇", intro):
        value = rules.numeral(m["n"])
        if value and 2 <= value <= 200 and not intro[: m.start()].endswith(("第", "这", "那", "每")):
            return value
    return None


def _after_titles(text: str, at: int, names: Titles, own: str | None = None) -> int:
    """Steps over the document's title, alone on lines or glued to the text, however often it stands there."""
    known = sorted({*names.full, *names.cores, *([own] if own else [])}, key=len, reverse=True)
    folded = {fold(name) for name in known}
    copies = 0
    while copies < _MOST_TITLES:
        while at < len(text) and text[at] in " 　\n":
            at += 1
        end = _title_end(text, at, folded)
        if end is None:
            glued = (name for name in known if len(name) >= 6 and text.startswith(name, at))
            end = next((at + len(n) for n in glued if _is_glued(text, at + len(n), n, known, copies)), None)
        if end is None:
            break
        at = end
        copies += 1
    return at


def _title_end(text: str, at: int, folded: set[str]) -> int | None:
    """Where a title ends that fills the line at ``at``, or two or three short lines from there."""
    joined = ""
    for _ in range(3):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        line = text[at:stop].strip(" 　")
        joined += line
        if not line or len(joined) > 80:
            return None
        if fold(joined) in folded:
            return stop
        at = stop + 1
    return None


def _is_glued(text: str, at: int, title: str, known: Sequence[str], copies: int) -> bool:
    """Whether a title that runs into the text at ``at`` is a heading, not the subject of a sentence.

    Behind it stands the title again, a heading, an introduction, or a text with its own subject.
    """
    rest = text[at : at + 40]
    if _is_mark_after(text, at):
        return False
    # a name that says how many there are is no part of a sentence
    counted = core_of(title) != title
    return (
        counted
        or _GLUED_START.match(rest) is not None
        or any(rest.startswith(k) for k in known)
        or (copies > 0 and _GOES_ON.match(rest) is None)
    )


# What may follow a title that is glued on, and what follows one that is the subject of a sentence.
_GLUED_START = re.compile(
    r"[ 　]*(?:第[一1]篇|导语|前言|[(（\[【]?(?:精选|优秀|通用|最新)|尊敬的|各位|一、|[ 　]{1,})"
)
_GOES_ON = re.compile(r"[ 　]*[的是与和之等了，。、：:；》）”)\]】]")


def _is_mark_after(text: str, at: int) -> bool:
    return (
        re.match(rf"[ 　]*(?:篇|范文|[(（]?{rules.NUMERAL}[)）]?(?![年月日、.]))", text[at : at + 12])
        is not None
    )


def _body_start(text: str, at: int, names: Titles, own: str | None = None) -> int:
    """Where a body begins: after repeated titles and after an editor's introduction."""
    at = _after_titles(text, at, names, own)
    end = intro_end(text[at : at + 1200])
    if end and len(text) - at - end >= max(60, 0.3 * (len(text) - at)):
        at = _after_titles(text, at + end, names, own)
    return _after_own_title(text, at)


def _after_own_title(text: str, at: int) -> int:
    """Steps over the title that a text has of its own, and over a remark above it if a letter follows."""
    lines = spans(text[at : at + 400])[:5]
    for k, ((begin, end), after) in enumerate(pairwise(lines)):
        line, below = text[at + begin : at + end], text[at + after[0] : at + after[1]]
        if is_title_line(line) and (letters.is_salutation(below) or (k == 0 and is_prose(below))):
            return at + end
        if len(line) > 60 or letters.is_salutation(line):
            break
    return at


def _before_last_title(text: str, names: Titles) -> int:
    """Where a text ends whose page says its title once more behind it."""
    end = len(text.rstrip())
    for name in sorted({*names.full, *names.cores}, key=len, reverse=True):
        if len(name) >= 6 and text.endswith(name, 0, end):
            return len(text[: end - len(name)].rstrip())
    return end


def _without_outro(text: str, begin: int, end: int, emphasised: frozenset[str]) -> int:
    """Where the last piece of a compilation ends if an editor's section with its own heading follows it."""
    for a, b in spans(text[begin:end]):
        line = text[begin + a : begin + b]
        if a > _SHORT_PIECE and end - begin - b <= _LONG_PREAMBLE and line in emphasised and is_outro(line):
            return len(text[: begin + a].rstrip())
    return end


def open_headings(text: str, names: Titles) -> list[Change]:
    """Puts headings that are glued into the lines of a flattened text on lines of their own."""
    found: dict[str, list[Mark]] = {}
    for mark in inline_marks(text, names):
        found.setdefault(mark.family, []).append(mark)
    best: list[Mark] = []
    for family in sorted(found):
        chain = _chain(text, found[family])
        best = chain if len(chain) > len(best) else best
    if len(best) < 2:
        return []
    places = {at for mark in best for at in (mark.begin, mark.body)}
    return [
        Change(at, at, "\n", "layout.heading")
        for at in sorted(places)
        if 0 < at < len(text) and text[at - 1] != "\n"
    ]


# -- choosing the headings ---------------------------------------------------------------------


def _best(
    text: str, names: Titles, emphasised: frozenset[str], declared: int | None
) -> tuple[list[Mark], str | None]:
    """The family of headings that counts on best."""
    found: dict[str, list[Mark]] = {}
    for mark in line_marks(text, names):
        found.setdefault(mark.family, []).append(mark)
    best: list[Mark] = []
    rule = None
    for family in sorted(found):
        chain = _chain(text, found[family])
        if family == "bare" and not _are_pieces(text, chain, names, declared):
            continue
        if len(chain) > len(best) or (len(chain) == len(best) and chain and chain[0].begin < best[0].begin):
            best, rule = chain, family
    if len(best) >= 2 or (len(best) == 1 and best[0].sure and (best[0].number == 1 or (declared or 0) > 1)):
        return _with_unnamed(text, best), rule
    if lines := title_lines(text, names, emphasised, declared):
        return lines, "title_line"
    begins = [_body_start(text, 0, names), *letters.borders(text)]
    if declared is not None and len(begins) == declared >= 2:
        return [Mark(at, at, k + 1, None, "letter", True) for k, at in enumerate(begins)], "letter"
    return [], None


def _are_pieces(text: str, chain: Sequence[Mark], names: Titles, declared: int | None) -> bool:
    """Whether bare numbers stand between pieces and not between the sections of one: the page promises
    as many or a collection, or a letter begins below nearly each of them."""
    if len(chain) < 2 or chain[0].number != 1:
        return False
    bodies = [
        text[mark.body : after.begin if after else len(text)].strip()
        for mark, after in zip(chain, [*chain[1:], None], strict=True)
    ]
    if min(map(len, bodies)) < _SHORT_PIECE:
        return False
    saluted = sum(letters.is_salutation(body.split("\n", 1)[0].strip(" 　")) for body in bodies)
    return len(chain) == declared or names.collection or saluted * 3 >= 2 * len(chain)


def _with_unnamed(text: str, marks: list[Mark]) -> list[Mark]:
    """With pieces whose heading is missing: where the ordinals leave a gap and a letter begins in it."""
    found: list[Mark] = []
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        found.append(mark)
        missing = after.number - mark.number - 1 if after else 0
        places = letters.borders(text, mark.body, after.begin) if after and missing > 0 else []
        if len(places) == missing:
            found += [Mark(at, at, mark.number + k + 1, None, "letter", True) for k, at in enumerate(places)]
    return found


def _chain(text: str, marks: list[Mark]) -> list[Mark]:
    """The run of headings whose ordinals rise, without tables of contents and stray numbers."""
    marks = _without_contents(text, sorted(marks, key=lambda m: (m.begin, m.number)))[:_MOST_MARKS]
    best: list[Mark] = []
    for k, first in enumerate(marks):
        if first.number > 3 or (best and first.number >= best[0].number):
            continue
        chain = [first]
        for mark in marks[k + 1 :]:
            step = mark.number - chain[-1].number
            if mark.begin < chain[-1].body:
                continue
            if step == 0 and _is_miscounted(text, marks, chain, mark):
                chain.append(replace(mark, number=mark.number + 1))
            elif 1 <= step <= 3 and not _jumps(marks, chain[-1], mark):
                chain.append(mark)
        if len(chain) > len(best):
            best = chain
    return best


def _is_miscounted(text: str, marks: list[Mark], chain: list[Mark], mark: Mark) -> bool:
    """Whether an ordinal that comes a second time stands for the next one, which is missing: 1, 2, 2, 4."""
    numbers = {m.number for m in marks if m.begin > mark.begin}
    long = mark.begin - chain[-1].body >= _SHORT_PIECE
    return long and mark.number + 1 not in numbers and (mark.number + 2 in numbers or mark.family == "bare")


def _jumps(marks: list[Mark], last: Mark, mark: Mark) -> bool:
    """A gap in the count is only taken where the missing ordinal stands nowhere behind."""
    wanted = last.number + 1
    return mark.number > wanted and any(m.number == wanted and m.begin > last.begin for m in marks)


def _without_contents(text: str, marks: list[Mark]) -> list[Mark]:
    """A table of contents is a run of headings with nothing between them; its ordinals come again."""
    last = {mark.number: mark.begin for mark in marks}
    kept = []
    for k, mark in enumerate(marks):
        end = marks[k + 1].begin if k + 1 < len(marks) else len(text)
        bare = end - mark.body < 200 and len(text[mark.body : end].strip()) < _SHORT_BODY
        again = last[mark.number] > mark.begin
        if not (bare and again):
            kept.append(mark)
    return kept
