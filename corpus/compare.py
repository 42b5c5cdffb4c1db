"""Compares two folded texts exactly and names their relation.

In come sorted shingle sets (:func:`shingles`), out comes :class:`Measure`; nothing here is a
guess from fingerprints. Thresholds are those of the design, measured on Chinese sample essays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fanwen.corpus.fingerprint import GRAM, SHORT, Hashes, gram_hashes
from fanwen.corpus.normalise import Codes, Folded

SHINGLE = 5
MIN_OVERLAP = 100  # shared 8-grams


@dataclass(frozen=True, slots=True)
class Shingles:
    """A folded text as sets: ``five`` of its 5-grams, ``eight`` of its 8-grams, both sorted."""

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
    return Shingles(_set(five), _set(gram_hashes(codes, GRAM)), len(codes))


def shingles_of(folded: Folded) -> list[Shingles]:
    """The same for a batch, with the arithmetic done at once."""
    five, eight = gram_hashes(folded.codes, SHINGLE), gram_hashes(folded.codes, GRAM)
    bounds = folded.bounds.tolist()
    return [
        Shingles(
            _set(five[begin : end - SHINGLE + 1].copy()),
            _set(eight[begin : end - GRAM + 1].copy()),
            end - begin,
        )
        if end - begin >= GRAM
        else shingles(folded.one(i))
        for i, (begin, end) in enumerate(pairwise(bounds))
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


def _common(a: Hashes, others: Sequence[Hashes]) -> list[int]:
    """How many values the sorted set ``a`` shares with each of the others."""
    if not len(a):
        return [0] * len(others)
    joined = np.concatenate(others)
    # sorted needles make this nearly as cheap as a merge
    places = a.searchsorted(joined)
    places[places == len(a)] = 0
    hits = np.concatenate(([0], np.cumsum(a[places] == joined)))
    ends = np.cumsum([len(b) for b in others])
    counts: list[int] = np.diff(hits[ends], prepend=0).tolist()
    return counts


def _set(hashes: Hashes) -> Hashes:
    """Sorted, each once; twice as fast as numpy's unique, which hashes first."""
    hashes.sort()
    return hashes[np.concatenate(([True], hashes[1:] != hashes[:-1]))] if len(hashes) else hashes
