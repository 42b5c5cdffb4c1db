"""Masks the original of a text: what a piece was before script conversion and repair.

In go text and original, the edits that lead from one to the other, and the spans of the text; out come
the original with the same stretches masked and the edits that lead from there to the masked text. Where
edits and texts do not agree to the letter nothing is guessed: the answer is None.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fanwen.cleaners.damage import WALL_END, WALL_INSIDE
from fanwen.cleaners.types import Edit, Span

# what the cleaners leave out of a finished text: marks of walls, line feeds of empty lines
_BREAKS = re.compile(f"[\\n{WALL_END}{WALL_INSIDE}]+")
_HAN = re.compile("[㐀-鿿豈-﫿\U00020000-\U000323af“”‘’「」『』﹁﹂﹃﹄]")
# a longer cut beside a name is not the pinyin or the invisible mark of its last character
_BESIDE = 12


@dataclass(frozen=True, slots=True)
class MaskedOriginal:
    """The masked original, and the repairs that turn it into the masked text."""

    text: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """``raw[begin:end]`` came from ``original[first:last]``, by ``edit`` or as it was."""

    begin: int
    end: int
    first: int
    last: int
    edit: Edit | None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """``original[begin:end]`` becomes ``word``; it lies in the parts ``low`` to ``high``.

    ``left`` and ``right`` are what a repair by ``rule`` put into the text beside it.
    """

    begin: int
    end: int
    word: str
    low: int
    high: int
    left: str
    right: str
    rule: str


def mask_original(
    text: str,
    original: str,
    edits: Sequence[Edit],
    masks: Sequence[tuple[Span, str]],
    mask_lost: Callable[[str], str],
    *,
    converted: bool,
) -> MaskedOriginal | None:
    """Mask ``original`` where ``text`` is masked, and in what the text has lost.

    ``masks`` are the ordered spans of ``text`` with their words; ``mask_lost`` masks a stretch that a repair
    took away. ``converted``: the text is in another script, character by character.
    """
    parts = _parts(original, edits)
    if parts is None:
        return None
    raw = "".join(original[p.first : p.last] if p.edit is None else p.edit.after for p in parts)
    dropped = _dropped(raw)
    if not _same(text, raw, dropped, converted):
        return None
    ends = [part.end for part in parts]
    gaps = [at - k for k, at in enumerate(dropped)]
    stretches: list[_Stretch] = []
    taken: set[int] = set()
    for span, word in masks:
        begin = span.begin + bisect_right(gaps, span.begin)
        end = span.end + bisect_right(gaps, span.end - 1)
        found = _stretch(parts, bisect_right(ends, begin), begin, end, word)
        repairs = {k for k in range(found.low, found.high + 1) if parts[k].edit is not None}
        if repairs & taken:  # two masks in what one repair put there
            return None
        taken |= repairs
        stretches.append(found)
    return _written(original, parts, stretches, taken, mask_lost)


def _parts(original: str, edits: Sequence[Edit]) -> list[_Part] | None:
    """The original cut at its edits; None where they are not of this original."""
    parts: list[_Part] = []
    at = size = 0
    for edit in edits:
        last = edit.begin + len(edit.before)
        if edit.begin < at or original[edit.begin : last] != edit.before:
            return None
        if edit.begin > at:
            parts.append(_Part(size, size + edit.begin - at, at, edit.begin, None))
            size = parts[-1].end
        parts.append(_Part(size, size + len(edit.after), edit.begin, last, edit))
        size = parts[-1].end
        at = last
    if at < len(original):
        parts.append(_Part(size, size + len(original) - at, at, len(original), None))
    return parts


def _dropped(raw: str) -> list[int]:
    """The places of ``raw`` that the finished text leaves out."""
    dropped: list[int] = []
    for m in _BREAKS.finditer(raw):
        places = list(range(*m.span()))
        line_feed = next((k for k in places if raw[k] != WALL_END), None)
        if line_feed is not None and m.start() > 0 and m.end() < len(raw):
            places.remove(line_feed)
        dropped += places
    return dropped


def _same(text: str, raw: str, dropped: Sequence[int], converted: bool) -> bool:
    gone = set(dropped)
    plain = "".join(c for k, c in enumerate(raw) if k not in gone) if gone else raw
    plain = plain.replace(WALL_INSIDE, "\n")
    if plain == text:
        return True
    return (
        converted
        and len(plain) == len(text)
        and all(a == b or bool(_HAN.match(a) and _HAN.match(b)) for a, b in zip(plain, text, strict=True))
    )


def _stretch(parts: Sequence[_Part], low: int, begin: int, end: int, word: str) -> _Stretch:
    """Where ``raw[begin:end]``, which begins in part ``low``, came from."""
    head = parts[low]
    first = head.first + (begin - head.begin if head.edit is None else 0)
    left = "" if head.edit is None else head.edit.after[: begin - head.begin]
    high = low
    while parts[high].end < end:
        high += 1
    tail = parts[high]
    last = tail.first + end - tail.begin if tail.edit is None else tail.last
    right = "" if tail.edit is None else tail.edit.after[end - tail.begin :]
    rule = next((part.edit.rule for part in (head, tail) if part.edit is not None), "")
    # what was cut out right beside it: an invisible mark, the pinyin of the last character
    if not right and high + 1 < len(parts) and parts[high + 1].first == last and _is_mark(parts[high + 1]):
        high += 1
        last = parts[high].last
    if not left and low > 0 and parts[low - 1].last == first and _is_mark(parts[low - 1]):
        low -= 1
        first = parts[low].first
    return _Stretch(first, last, word, low, high, left, right, rule)


def _is_mark(part: _Part) -> bool:
    edit = part.edit
    return edit is not None and not edit.after and len(edit.before) <= _BESIDE and not edit.before.isspace()


def _written(
    original: str,
    parts: Sequence[_Part],
    stretches: Sequence[_Stretch],
    taken: set[int],
    mask_lost: Callable[[str], str],
) -> MaskedOriginal:
    begins_in: dict[int, list[_Stretch]] = defaultdict(list)
    for stretch in stretches:
        begins_in[stretch.low].append(stretch)
    out: list[str] = []
    edits: list[Edit] = []
    size = at = 0  # what is written, and how far the original is behind us

    def write(text: str) -> None:
        nonlocal size
        out.append(text)
        size += len(text)

    for k, part in enumerate(parts):
        for stretch in begins_in[k]:
            write(original[at : stretch.begin])
            if stretch.left:
                edits.append(Edit(stretch.rule, size, "", stretch.left))
            write(stretch.word)
            if stretch.right:
                edits.append(Edit(stretch.rule, size, "", stretch.right))
            at = stretch.end
        if part.edit is not None and k not in taken:
            before = mask_lost(part.edit.before)
            edits.append(replace(part.edit, begin=size, before=before))
            write(before)
            at = part.last
        elif at < part.last:
            write(original[at : part.last])
            at = part.last
    return MaskedOriginal("".join(out), tuple(edits))
