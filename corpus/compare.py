"""Compares two folded texts exactly and names their relation.

In come texts as :class:`Shingles`, out comes :class:`Measure`; nothing here is a
guess from fingerprints. Thresholds are those of the design, measured on Chinese sample essays.

Sets are compared through a table that one of them is written into, at the low bits of each value: four
times as fast as looking each value up in the sorted others, and as exact, as the whole value lies there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.fingerprint import SHORT, Hashes, gram_hashes
from fanwen.corpus.normalise import Codes

SHINGLE = 5
LONG_SHINGLE = 8
MIN_OVERLAP = 100  # shared 8-grams
HOPELESS = 0.3  # of the 8-grams of the smaller text


class Shingles:
    """A folded text as grams, made when needed: ``five``, each once, in no order, and ``eight`` in order."""

    __slots__ = ("_codes", "_eight", "_five", "length")

    def __init__(self, codes: Codes, eight: Hashes | None = None) -> None:
        self._codes, self._eight = codes, eight
        self._five: Hashes | None = None
        self.length = len(codes)  # folded code points

    @property
    def five(self) -> Hashes:
        if self._five is None:
            # a text shorter than a gram counts as one gram
            grams = gram_hashes(self._codes, min(SHINGLE, max(self.length, 1)))
            self._five = _distinct(grams)
        return self._five

    @property
    def eight(self) -> Hashes:
        if self._eight is None:
            self._eight = gram_hashes(self._codes, LONG_SHINGLE)
        return self._eight


@dataclass(frozen=True, slots=True)
class Measure:
    """``containment_a`` is the share of a's 5-grams that b has; ``shared`` counts common 8-grams."""

    jaccard: float
    containment_a: float
    containment_b: float
    shared: int


def shingles_of(texts: Sequence[Codes]) -> list[Shingles]:
    """Some folded texts, with the arithmetic done at once; some hundred stay in the cache."""
    if not texts:
        return []
    ends = np.cumsum([len(codes) for codes in texts]).tolist()
    eight = gram_hashes(np.concatenate(texts), LONG_SHINGLE)
    return [
        Shingles(codes, eight[end - len(codes) : max(end - LONG_SHINGLE + 1, end - len(codes))])
        for codes, end in zip(texts, ends, strict=True)
    ]


def measure(a: Shingles, b: Shingles) -> Measure:
    """The pair exactly, whatever it shares."""
    (shared,) = _shared(a, [b], least=lambda _: 0)
    return _measures(a, [b], [shared])[0]


def measure_all(a: Shingles, others: Sequence[Shingles]) -> list[Measure | None]:
    """One text with each of the others, at once; None where they share too little for any relation.

    Without a share :data:`HOPELESS` of the 8-grams of the smaller text there is no such share of 5-grams as
    near or contains takes: what breaks five of these in a row breaks at most eight of those.
    """
    shared = _shared(a, others, least=lambda b: min(MIN_OVERLAP, HOPELESS * min(len(a.eight), len(b.eight))))
    found: list[Measure | None] = [None] * len(others)
    hopeful = [i for i, count in enumerate(shared) if count is not None]
    measures = _measures(a, [others[i] for i in hopeful], [shared[i] for i in hopeful])
    for i, measured in zip(hopeful, measures, strict=True):
        found[i] = measured
    return found


def _shared(a: Shingles, others: Sequence[Shingles], least: Callable[[Shingles], float]) -> list[int | None]:
    """How many 8-grams ``a`` shares with each of the others; None where these are fewer than ``least``."""
    found = _found(a.eight, [b.eight for b in others])
    return [
        len(_distinct(values)) if len(values) >= least(b) else None
        for b, values in zip(others, found, strict=True)
    ]


def _measures(a: Shingles, others: Sequence[Shingles], shared: Sequence[int | None]) -> list[Measure]:
    common = [len(values) for values in _found(a.five, [b.five for b in others])]
    return [
        Measure(
            jaccard=round(both / union, 4) if (union := len(a.five) + len(b.five) - both) else 0.0,
            containment_a=round(both / len(a.five), 4) if len(a.five) else 0.0,
            containment_b=round(both / len(b.five), 4) if len(b.five) else 0.0,
            shared=eights or 0,
        )
        for b, both, eights in zip(others, common, shared, strict=True)
    ]


def relation(found: Measure, length_a: int, length_b: int) -> str | None:
    """near, contains, overlap, or None; exact is a matter of equal keys, not of shingles.

    Lengths are in folded code points; which text is larger follows from the containments.
    """
    larger_has, smaller_has = sorted((found.containment_a, found.containment_b))
    if smaller_has == 0:
        return None
    same_size = smaller_has < 2.2 * larger_has
    short = min(length_a, length_b) < SHORT
    least_jaccard, least_contained = (0.6, 0.85) if short else (0.5, 0.75)
    if found.jaccard >= least_jaccard or (smaller_has >= least_contained and same_size):
        return "near"
    if smaller_has >= 0.75 and not same_size:
        return "contains"
    return "overlap" if found.shared >= MIN_OVERLAP else None


_BITS = 17  # of the table: 1 MB, which stays in a processor's cache
_LOW = np.uint64((1 << _BITS) - 1)
_LARGE = 1 << (_BITS - 3)  # a larger set is sorted, as too many of its values would share a place
_table = np.zeros(1 << _BITS, dtype=np.uint64)
_numbers = np.zeros(1 << _BITS, dtype=np.int32)


def _found(a: Hashes, others: Sequence[Hashes]) -> list[Hashes]:
    """Which values of each of the others ``a`` has, as often as these have them."""
    if not others or not len(a):
        return [other[:0] for other in others]
    joined = np.concatenate(others)
    hits = np.flatnonzero(_in_sorted(a, joined) if len(a) > _LARGE else _in_table(a, joined))
    ends = [0, *hits.searchsorted(np.cumsum([len(other) for other in others])).tolist()]
    values = joined[hits]
    return [values[begin:end] for begin, end in pairwise(ends)]


def _in_table(a: Hashes, values: Hashes) -> NDArray[np.bool_]:
    """Which of ``values`` the set ``a`` has."""
    hits = np.zeros(len(values), dtype=bool)
    shift = 0
    while len(a):
        places = _places(a, shift)
        _table[places] = a
        hits |= _table.take(_places(values, shift)) == values
        lost = a[_table.take(places) != a]  # those that shared their place with another
        _table[places] = 0
        a, shift = lost, (shift + _BITS) % (64 - _BITS)
    return hits


def _in_sorted(a: Hashes, values: Hashes) -> NDArray[np.bool_]:
    ordered = np.sort(a)
    places = np.minimum(ordered.searchsorted(values), len(ordered) - 1)
    return np.asarray(ordered[places] == values)


def _distinct(hashes: Hashes) -> Hashes:
    """Each value once. Of those at one place of the table the last stays, others with its value go."""
    if len(hashes) > _LARGE:
        return np.unique(hashes)
    places = _places(hashes)
    numbers = np.arange(len(hashes), dtype=np.int32)
    _numbers[places] = numbers
    last = _numbers.take(places)
    stays = last == numbers
    rest = np.flatnonzero(~stays)
    if not len(rest):
        return hashes
    rest = rest[hashes.take(last.take(rest)) != hashes.take(rest)]
    lost = set(hashes.take(rest).tolist())
    return np.concatenate((hashes.compress(stays), np.fromiter(lost, dtype=np.uint64, count=len(lost))))


def _places(hashes: Hashes, shift: int = 0) -> NDArray[np.int64]:
    """The place of each value: some of its bits."""
    return ((hashes >> np.uint64(shift) if shift else hashes) & _LOW).view(np.int64)
