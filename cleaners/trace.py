"""A text under repair that remembers where every character came from.

Each text stage is a pure function that looks at a text and returns :class:`Change` objects;
:class:`Trace` applies them, counts what each rule took, and can say at the end which repairs
lie between any stretch of the original and the finished text. Nothing is changed elsewhere.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fanwen.cleaners import chars
from fanwen.cleaners.types import Edit, RuleHit

_EXAMPLE = 120


@dataclass(frozen=True, slots=True)
class Change:
    """Replace ``text[begin:end]`` with ``after``; ``rule`` is ``family.name``."""

    begin: int
    end: int
    after: str
    rule: str


def apply(text: str, changes: Iterable[Change]) -> str:
    """The text with ``changes`` made; overlapping changes lose to the one that begins first."""
    parts: list[str] = []
    done = 0
    for change in ordered(changes):
        parts.append(text[done : change.begin])
        parts.append(change.after)
        done = change.end
    parts.append(text[done:])
    return "".join(parts)


def ordered(changes: Iterable[Change]) -> list[Change]:
    """``changes`` by place, without those that overlap an earlier one."""
    kept: list[Change] = []
    done = 0
    for change in sorted(changes, key=lambda c: (c.begin, -c.end)):
        if change.begin >= done and (change.end > change.begin or change.after):
            kept.append(change)
            done = change.end
    return kept


class Hits:
    """Counts what each rule took from one document."""

    def __init__(self) -> None:
        self._hits: dict[str, tuple[int, int, str]] = {}

    def add(self, rule: str, taken: str, chars: int | None = None) -> None:
        count, total, example = self._hits.get(rule, (0, 0, taken[:_EXAMPLE]))
        self._hits[rule] = (count + 1, total + (len(taken) if chars is None else chars), example)

    def sorted(self) -> tuple[RuleHit, ...]:
        return tuple(RuleHit(rule, *self._hits[rule]) for rule in sorted(self._hits))


class Trace:
    """``text`` grew out of ``original``; ``place[i]`` is where its i-th character came from."""

    def __init__(self, original: str, hits: Hits | None = None) -> None:
        self.original = original
        self.text = original
        self.hits = hits if hits is not None else Hits()
        self._place = array("i", range(len(original) + 1))
        self._converted: dict[int, str] = {}
        self._rules: list[tuple[int, str]] = []
        self._sorted: list[tuple[int, str]] = []
        self._expected: NDArray[np.uint32] | None = None
        self.steps: list[list[Change]] = []  # what was applied, each of the text as it was then

    def apply(self, changes: Iterable[Change]) -> bool:
        """Make the changes and count them; says whether there were any."""
        todo = ordered(changes)
        if not todo:
            return False
        self.steps.append(todo)
        text, place = self.text, self._place
        parts: list[str] = []
        grown = array("i")
        done = 0
        for change in todo:
            before = text[change.begin : change.end]
            parts.append(text[done : change.begin])
            grown.extend(place[done : change.begin])
            parts.append(change.after)
            at = place[change.begin]
            last = place[change.end]
            grown.extend(min(at + k, max(at, last - 1)) for k in range(len(change.after)))
            self._rules.append((at, change.rule))
            self.hits.add(change.rule, before, max(len(before), len(change.after)))
            done = change.end
        parts.append(text[done:])
        grown.extend(place[done:])
        self.text = "".join(parts)
        self._place = grown
        return True

    def convert(self, text: str, rule: str) -> None:
        """Swap in ``text``, a character-by-character conversion of the same length."""
        changed = np.flatnonzero(chars.codes(self.text) != chars.codes(text)).tolist()
        for i in changed:
            self._converted[self._place[i]] = text[i]
        if changed:
            self.hits.add(rule, self.text[changed[0] : changed[0] + 20], len(changed))
        self.text = text

    def unconverted(self) -> str:
        """The text as repaired, but in the script it was found in."""
        if not self._converted:
            return self.text
        return "".join(
            self.original[at] if self._converted.get(at) == char else char
            for char, at in zip(self.text, self._place, strict=False)
        )

    def source(self, begin: int, end: int) -> tuple[int, int]:
        """The stretch of ``original`` that ``text[begin:end]`` came from."""
        if begin >= end:
            return self._place[begin], self._place[begin]
        return self._place[begin], self._place[end - 1] + 1

    def edits(self, begin: int, end: int) -> tuple[str, tuple[Edit, ...]]:
        """The original of ``text[begin:end]`` and the repairs that turn one into the other.

        Script conversion keeps every character's place and is not listed.
        """
        first, last = self.source(begin, end)
        original = self.original[first:last]
        rules = self._in_order()
        starts = [at for at, _ in rules]
        edits: list[Edit] = []
        run_before, run_after, run_at = "", "", first
        at = first
        done = begin - 1
        for i in self._unlike(begin, end, first, last):
            if i > done + 1:
                at = self._place[i - 1] + 1
            done = i
            source = self._place[i]
            char = self.text[i]
            expected = self._converted.get(source, self.original[source] if source < last else "")
            if source == at and char == expected:
                if run_before or run_after:
                    edits.append(_edit(rules, starts, first, run_at, run_before, run_after))
                    run_before, run_after = "", ""
                at = source + 1
                continue
            if not (run_before or run_after):
                run_at = at
            if source > at:
                run_before += self.original[at:source]
                at = source
            if char == expected and source == at:
                edits.append(_edit(rules, starts, first, run_at, run_before, run_after))
                run_before, run_after = "", ""
                at = source + 1
                continue
            run_after += char
            if source == at:
                run_before += self.original[source]
                at = source + 1
        if run_before or run_after:
            edits.append(_edit(rules, starts, first, run_at, run_before, run_after))
        return original, tuple(edits)

    def _in_order(self) -> list[tuple[int, str]]:
        if len(self._sorted) != len(self._rules):
            self._sorted = sorted(self._rules)
        return self._sorted

    def _unlike(self, begin: int, end: int, first: int, last: int) -> list[int]:
        """The characters of ``text[begin:end]`` that do not just follow the one before as in the original."""
        if self._expected is None:
            expected = chars.codes(self.original + "\0").copy()
            if self._converted:
                places = list(self._converted)
                expected[places] = [ord(self._converted[at]) for at in places]
            self._expected = expected
        place = np.frombuffer(self._place, dtype=np.intc)[begin:end]
        unlike = (chars.codes(self.text[begin:end]) != self._expected[place]) | (place >= last)
        unlike |= np.diff(place, prepend=first - 1) != 1
        unlike[1:] |= unlike[:-1].copy()  # the one behind ends an edit
        return [begin + int(i) for i in np.flatnonzero(unlike)]


def _edit(
    rules: Sequence[tuple[int, str]], starts: Sequence[int], first: int, at: int, before: str, after: str
) -> Edit:
    """Name an edit by the last rule that began inside it, or just before it."""
    k = bisect_right(starts, at + max(len(before) - 1, 0)) - 1
    return Edit(rules[k][1] if k >= 0 else "text.normal", at - first, before, after)
