"""Compares two folded texts exactly and names their relation.

In come sorted shingle sets (:func:`shingles`), out comes :class:`Measure`; nothing here is a
guess from fingerprints. Thresholds are those of the design, measured on Chinese sample essays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fanwen.corpus.fingerprint import GRAM, SHORT, Hashes, gram_hashes
from fanwen.corpus.normalise import Codes

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
    return Shingles(np.unique(five), np.unique(gram_hashes(codes, GRAM)), len(codes))


def measure(a: Shingles, b: Shingles) -> Measure:
    common = _common(a.five, b.five)
    union = len(a.five) + len(b.five) - common
    return Measure(
        jaccard=round(common / union, 4) if union else 0.0,
        containment_a=round(common / len(a.five), 4) if len(a.five) else 0.0,
        containment_b=round(common / len(b.five), 4) if len(b.five) else 0.0,
        shared=_common(a.eight, b.eight),
    )


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


def _common(a: Hashes, b: Hashes) -> int:
    """How many values two sorted sets share."""
    if not len(a) or not len(b):
        return 0
    both = np.concatenate((a, b))
    both.sort()
    return int(np.count_nonzero(both[1:] == both[:-1]))
