"""Shows how two texts differ: what only one of them has, and what stands at another place.

In go two texts, out come :class:`Difference` in reading order; :func:`as_lines` writes them for people, in
the manner of a word diff, character by character, since Chinese needs no words for that. What folds to the
same (:mod:`fanwen.corpus.normalise`: width, script, punctuation, spaces) is no difference unless ``exact``;
other numbers always are. Which of the two was first is neither known nor said.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

import numpy as np

from fanwen.corpus.normalise import Placed, place
from fanwen.corpus.passages import Block, Stretch, align, grams
from fanwen.corpus.report import visible
from fanwen.corpus.types import Difference

MIN_EQUAL = 3  # folded code points between two changes; fewer are read as part of one change
FINE = 40_000  # characters × characters that are compared one by one
CONTEXT = 16  # characters shown of an equal stretch beside a change
LONG = 80  # characters of a change; a longer one is cut in the middle
_ZERO = ord("0")
_RED, _GREEN, _MAGENTA, _CYAN, _RESET = "\x1b[31m", "\x1b[32m", "\x1b[35m", "\x1b[36m", "\x1b[0m"


class _Step(NamedTuple):
    """The same in folded code points."""

    kind: str
    a_begin: int
    a_end: int
    b_begin: int
    b_end: int


def differences(a: str, b: str, *, exact: bool = False) -> tuple[Difference, ...]:
    """The way through both texts; ``exact`` counts punctuation, spaces, width and script too."""
    one, other = place(a), place(b)
    steps = _merged(_walk(one, other, exact=exact))
    return tuple(_in_texts(step, one, other) for step in steps)


def _in_texts(step: _Step, a: Placed, b: Placed) -> Difference:
    a_begin, a_end = _place(a, step.a_begin), _place(a, step.a_end)
    b_begin, b_end = _place(b, step.b_begin), _place(b, step.b_end)
    return Difference(step.kind, a_begin, a_end, b_begin, b_end, a.text[a_begin:a_end], b.text[b_begin:b_end])


def _place(text: Placed, folded: int) -> int:
    """Where a folded code point begins; what was dropped belongs to the one before it."""
    if folded == 0:
        return 0
    return int(text.begins[folded]) if folded < len(text) else len(text.text)


def _walk(a: Placed, b: Placed, *, exact: bool) -> Iterator[_Step]:
    stretches = align(grams(a.codes), grams(b.codes))
    staying = _staying(stretches)
    moved = sorted(set(stretches) - set(staying), key=lambda stretch: stretch.a_begin)
    end = Stretch((Block(len(a), len(b), 0),), 0)
    at_a = at_b = 0
    for stretch in (*staying, end):
        gone = [one for one in moved if at_a <= one.a_begin < stretch.a_begin]
        come = [one for one in moved if at_b <= one.b_begin < stretch.b_begin]
        one = _part(a, at_a, stretch.a_begin, [(moving.a_begin, moving.a_end, moving) for moving in gone])
        other = _part(b, at_b, stretch.b_begin, [(moving.b_begin, moving.b_end, moving) for moving in come])
        yield from _fine(a, b, one, other, "equal", exact=exact)
        yield from _within(a, b, stretch, "equal", exact=exact)
        at_a, at_b = stretch.a_end, stretch.b_end


def _staying(stretches: Sequence[Stretch]) -> list[Stretch]:
    """The heaviest stretches that come in the same order in both texts; the others have moved."""
    ends = np.array([stretch.b_end for stretch in stretches], dtype=np.int64)
    weight = np.zeros(len(stretches), dtype=np.int64)
    before: list[int] = []
    for i, stretch in enumerate(stretches):
        reachable = np.where(ends[:i] <= stretch.b_begin, weight[:i], 0)
        best = int(reachable.argmax()) if i else 0
        before.append(best if i and reachable[best] else -1)
        weight[i] = stretch.equal + (reachable[best] if i else 0)
    chosen: list[Stretch] = []
    at = int(weight.argmax()) if len(stretches) else -1
    while at != -1:
        chosen.append(stretches[at])
        at = before[at]
    return chosen[::-1]


@dataclass(frozen=True, slots=True)
class _Part:
    """Part of a folded text between two stretches, unit by unit: ``units[i]`` begins at ``places[i]``.

    A unit is a code point, or -1 for a whole stretch that has moved (``moved``, by the number of the unit).
    """

    units: list[int]
    places: list[int]  # one more than units
    moved: dict[int, Stretch]


def _part(text: Placed, begin: int, end: int, moved: Sequence[tuple[int, int, Stretch]]) -> _Part:
    part = _Part([], [], {})
    for moved_begin, moved_end, stretch in sorted(moved, key=lambda one: one[:2]):
        part.units.extend(text.codes[begin:moved_begin].tolist())
        part.places.extend(range(begin, moved_begin))
        part.moved[len(part.units)] = stretch
        part.units.append(-1)
        part.places.append(moved_begin)
        begin = moved_end
    part.units.extend(text.codes[begin:end].tolist())
    part.places.extend(range(begin, end + 1))
    return part


def _fine(a: Placed, b: Placed, one: _Part, other: _Part, kind: str, *, exact: bool) -> Iterator[_Step]:
    """Two parts without a stretch in common: their characters, one by one where they are not too many."""
    tags: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, len(one.units), 0, len(other.units))]
    if 0 < len(one.units) * len(other.units) <= FINE:
        # what has moved is equal to nothing
        units = [unit if unit >= 0 else -2 for unit in other.units]
        tags = SequenceMatcher(None, one.units, units, autojunk=False).get_opcodes()
    for tag, i, i_end, j, j_end in tags:
        if tag == "equal":
            yield from _block(a, b, Block(one.places[i], other.places[j], i_end - i), kind, exact=exact)
            continue
        at_b = other.places[j]
        for begin, end, stretch in _split(one, i, i_end):
            yield _Step("moved_from" if stretch else "changed", begin, end, at_b, at_b)
        at_a = one.places[i_end]
        for begin, end, stretch in _split(other, j, j_end):
            if stretch:
                yield from _within(a, b, stretch, "moved_to", exact=exact)
            else:
                yield _Step("changed", at_a, at_a, begin, end)


def _split(part: _Part, begin: int, end: int) -> Iterator[tuple[int, int, Stretch | None]]:
    """Units of a part as stretches that have moved and what lies between them, by their places."""
    for unit in range(begin, end):
        if unit in part.moved:
            yield part.places[begin], part.places[unit], None
            yield part.places[unit], part.places[unit + 1], part.moved[unit]
            begin = unit + 1
    yield part.places[begin], part.places[end], None


def _within(a: Placed, b: Placed, stretch: Stretch, kind: str, *, exact: bool) -> Iterator[_Step]:
    """The blocks of one stretch, and what differs between them."""
    at_a, at_b = stretch.a_begin, stretch.b_begin
    for block in stretch.blocks:
        one, other = _part(a, at_a, block.a, ()), _part(b, at_b, block.b, ())
        yield from _fine(a, b, one, other, kind, exact=exact)
        yield from _block(a, b, block, kind, exact=exact)
        at_a, at_b = block.a + block.length, block.b + block.length


def _block(a: Placed, b: Placed, block: Block, kind: str, *, exact: bool) -> Iterator[_Step]:
    """An equal run; other numbers are changes, and so is everything that folding hides where ``exact``."""
    at = 0
    for k in _suspects(a, b, block, exact=exact):
        i, j = block.a + k, block.b + k
        if _shown(a, i, exact=exact) != _shown(b, j, exact=exact):
            yield _Step(kind, block.a + at, i, block.b + at, j)
            yield _Step("changed", i, i + 1, j, j + 1)
            at = k + 1
    yield _Step(kind, block.a + at, block.a + block.length, block.b + at, block.b + block.length)


def _suspects(a: Placed, b: Placed, block: Block, *, exact: bool) -> Sequence[int]:
    if not exact:
        found: list[int] = np.flatnonzero(a.codes[block.a : block.a + block.length] == _ZERO).tolist()
        return found
    texts = (
        text.text[_place(text, begin) : _place(text, begin + block.length)]
        for text, begin in ((a, block.a), (b, block.b))
    )
    return () if next(texts) == next(texts) else range(block.length)


def _shown(text: Placed, folded: int, *, exact: bool) -> str:
    """What stands for a folded code point; a number in whatever width, grouped or broken or not."""
    if exact:
        return text.text[_place(text, folded) : _place(text, folded + 1)]
    number = text.text[text.begins[folded] : text.ends[folded]]
    plain = unicodedata.normalize("NFKC", number).casefold()
    return "".join(char for char in plain if char.isprintable() and char not in " ,")


def _merged(steps: Iterator[_Step]) -> list[_Step]:
    """Without empty steps; equal stretches too short to be read apart join the changes around them."""
    joined = _joined([step for step in steps if _length(step)])
    for i, step in enumerate(joined):
        beside = joined[max(i - 1, 0) : i + 2 : 2]
        short = step.kind in ("equal", "moved_to") and _length(step) < MIN_EQUAL
        if short and 0 < i < len(joined) - 1 and all(one.kind == "changed" for one in beside):
            joined[i] = step._replace(kind="changed")
    return _joined(joined)


def _length(step: _Step) -> int:
    return max(step.a_end - step.a_begin, step.b_end - step.b_begin)


def _joined(steps: Sequence[_Step]) -> list[_Step]:
    result: list[_Step] = []
    for step in steps:
        last = result[-1] if result else None
        if last and (last.kind, last.a_end, last.b_end) == (step.kind, step.a_begin, step.b_begin):
            result[-1] = last._replace(a_end=step.a_end, b_end=step.b_end)
        else:
            result.append(step)
    return result


# -- for people -----------------------------------------------------------------------------------


def as_lines(found: Sequence[Difference], *, colour: bool = False, full: bool = False) -> Iterator[str]:
    """One line per place where the texts differ, behind its place in ``b``.

    ``[-only a-]{+only b+}``, ``[~moved away~]``, ``{~come from elsewhere~}``; ``full`` cuts nothing.
    """
    line, begin, last = "", -1, len(found) - 1
    for i, one in enumerate(found):
        if one.kind != "equal":
            begin = one.b_begin if begin < 0 else begin
            line += _marked(one, colour, full=full)
            continue
        text = visible(one.a, "⏎")
        if full or len(text) <= 2 * CONTEXT:
            line += text
            continue
        if begin >= 0:
            yield f"{begin:>7,}  {line}{text[:CONTEXT]}…"
        line, begin = "" if i == last else f"…{text[-CONTEXT:]}", -1
    if begin >= 0:
        yield f"{begin:>7,}  {line}"


def _marked(one: Difference, colour: bool, *, full: bool) -> str:
    if one.kind == "changed":
        signs = ((one.a, _RED, "[-", "-]"), (one.b, _GREEN, "{+", "+}"))
    else:
        signs = (
            (one.a if one.kind == "moved_from" else "", _MAGENTA, "[~", "~]"),
            (one.b, _CYAN, "{~", "~}"),
        )
    return "".join(
        f"{shade}{_cut(text, full=full)}{_RESET}" if colour else f"{left}{_cut(text, full=full)}{right}"
        for text, shade, left, right in signs
        if text
    )


def _cut(text: str, *, full: bool) -> str:
    shown = visible(text, "⏎")
    if full or len(shown) <= LONG:
        return shown
    half = LONG // 3
    return f"{shown[:half]}…({len(shown) - 2 * half:,})…{shown[-half:]}"
