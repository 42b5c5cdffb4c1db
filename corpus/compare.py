"""Compares two folded texts exactly and names their relation.

In come sets of shingles (:func:`shingles`), out comes :class:`Measure`; nothing here is a
guess from fingerprints. Thresholds are those of the design, measured on Chinese sample essays.

Sets are compared through a table that one of them is written into, at the low bits of each value: four
times as fast as looking each value up in the sorted others, and as exact, as the whole value lies there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.fingerprint import SHORT, Hashes, gram_hashes
from fanwen.corpus.normalise import Codes, Folded

SHINGLE = 5
LONG_SHINGLE = 8
MIN_OVERLAP = 100  # shared 8-grams


@dataclass(frozen=True, slots=True)
class Shingles:
    """A folded text as sets: ``five`` of its 5-grams, ``eight`` of its 8-grams, each once, in no order."""

    five: Hashes
    eight: Hashes
    length: int  # folded code points


@dataclass(frozen=True, slots=True)
class Measure:
    """``containment_a`` is the share of a's 5-grams that b has; ``shared`` counts common 8-grams."""

    jaccard: float
    containment_a: float
    containment_b: float
    shared: int


def shingles(codes: Codes) -> Shingles:
    """The sets of one folded text; a text shorter than a gram counts as one gram."""
    five = gram_hashes(codes, min(SHINGLE, max(len(codes), 1)))
    return Shingles(_distinct(five), _distinct(gram_hashes(codes, LONG_SHINGLE)), len(codes))


def shingles_of(folded: Folded) -> list[Shingles]:
    """The same for a batch, with the arithmetic done at once; some hundred texts stay in the cache."""
    five, eight = gram_hashes(folded.codes, SHINGLE), gram_hashes(folded.codes, LONG_SHINGLE)
    return [
        Shingles(
            _distinct(five[begin : end - SHINGLE + 1]),
            _distinct(eight[begin : end - LONG_SHINGLE + 1]),
            end - begin,
        )
        if end - begin >= LONG_SHINGLE
        else shingles(folded.one(i))
        for i, (begin, end) in enumerate(pairwise(folded.bounds.tolist()))
    ]


def measure(a: Shingles, b: Shingles) -> Measure:
    return measure_all(a, [b])[0]


def measure_all(a: Shingles, others: Sequence[Shingles]) -> list[Measure]:
    """One text with each of the others, at once."""
    common = _common(a.five, [b.five for b in others])
    shared = _common(a.eight, [b.eight for b in others])
    return [
        Measure(
            jaccard=round(both / union, 4) if (union := len(a.five) + len(b.five) - both) else 0.0,
            containment_a=round(both / len(a.five), 4) if len(a.five) else 0.0,
            containment_b=round(both / len(b.five), 4) if len(b.five) else 0.0,
            shared=eights,
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


def _common(a: Hashes, others: Sequence[Hashes]) -> list[int]:
    """How many values the set ``a`` shares with each of the others."""
    if not len(a):
        return [0] * len(others)
    joined = np.concatenate(others)
    hits = _in_sorted(a, joined) if len(a) > _LARGE else _in_table(a, joined)
    if len(others) == 1:
        return [int(np.count_nonzero(hits))]
    ends = [0, *np.flatnonzero(hits).searchsorted(np.cumsum([len(other) for other in others])).tolist()]
    return [end - begin for begin, end in pairwise(ends)]


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
