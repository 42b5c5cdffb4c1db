"""Fingerprints of texts: winnowed hashes of their 12-grams (signature specification 2).

In comes a batch of folded texts (:mod:`fanwen.corpus.normalise`), out come sets of 64-bit
numbers, one sorted array per text. Persisted; so this may never change within a version::

    hash of n code points c0…   h = Σ (c_i + 1) · B^(n-1-i) mod 2^64,  B = 0x9E3779B97F4A7C15,
                                then fmix64 of MurmurHash3
    grams                       every 12 consecutive code points; the whole text if it is shorter
    window                      64 grams, 32 where the folded text has fewer than 500 code points
    fingerprints                the least hash of every window (of all grams if they are fewer)

An empty folded text has none. Winnowing: Schleimer, Wilkerson, Aiken (SIGMOD 2003): two texts
that share a stretch of window + 11 code points always share a fingerprint.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.normalise import FOLD_VERSION, Codes, Folded

SIGNATURE_VERSION = 2
SPEC = f"{FOLD_VERSION}.{SIGNATURE_VERSION}"
GRAM = 12
GRAMS = (8, 12)  # of every version so far
WINDOW_LONG = 64
WINDOW_SHORT = 32
SHORT = 500  # folded code points; below this the short window is used

Hashes = NDArray[np.uint64]

_BASE = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def fingerprints(folded: Folded) -> list[Hashes]:
    """One sorted array of distinct uint64 per text."""
    lengths = np.diff(folded.bounds)
    result: list[Hashes] = [np.empty(0, dtype=np.uint64)] * len(folded)
    for window, chosen in (
        (WINDOW_SHORT, (lengths >= GRAM) & (lengths < SHORT)),
        (WINDOW_LONG, lengths >= SHORT),
    ):
        indexes = np.flatnonzero(chosen)
        if len(indexes):
            for i, marks in zip(indexes, _winnow(_select(folded, indexes), window), strict=True):
                result[i] = marks
    for i in np.flatnonzero((lengths > 0) & (lengths < GRAM)):
        text = folded.one(int(i))
        result[i] = gram_hashes(text, len(text))
    return result


def gram_hashes(codes: Codes, gram: int) -> Hashes:
    """Hashes of all ``gram`` consecutive code points: ``len(codes) - gram + 1`` of them."""
    n = len(codes) - gram + 1
    if n <= 0 or gram < 1:
        return np.empty(0, dtype=np.uint64)
    part, length = codes.astype(np.uint64) + np.uint64(1), 1  # those of so many code points, 1, 2, 4, …
    total, covered = np.zeros(len(codes), dtype=np.uint64), 0
    while covered < gram:
        if gram & length:
            total = _joined(total, part, covered, length)
            covered += length
        if covered < gram:
            part = _joined(part, part, length, length)
            length *= 2
    return _fmix64(total[:n])


def _joined(first: Hashes, second: Hashes, reach: int, length: int) -> Hashes:
    """Hashes of the grams of ``first`` with the ``length`` code points after them, ``reach`` further on."""
    n = min(len(first), len(second) - reach)
    joined = first[:n] * np.uint64(pow(_BASE, length, 1 << 64))
    joined += second[reach : reach + n]
    return joined


def to_blob(marks: Hashes) -> bytes:
    """Little-endian, eight bytes each, ascending."""
    return marks.astype("<u8").tobytes()


def from_blob(blob: bytes) -> Hashes:
    return np.frombuffer(blob, dtype="<u8").astype(np.uint64, copy=False)


def mixed(numbers: Hashes) -> Hashes:
    """Each number spread over 64 bits."""
    return _fmix64(numbers.copy())


def _fmix64(h: Hashes) -> Hashes:
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    h ^= h >> np.uint64(33)
    return h


def _select(folded: Folded, indexes: NDArray[np.int64]) -> Folded:
    if len(indexes) == len(folded):
        return folded
    parts = [folded.one(int(i)) for i in indexes]
    bounds = np.zeros(len(parts) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in parts], out=bounds[1:])
    return Folded(np.concatenate(parts), bounds)


def _winnow(folded: Folded, window: int) -> list[Hashes]:
    """Window minima of every text (each has at least GRAM code points)."""
    hashes = gram_hashes(folded.codes, GRAM)
    least = hashes.copy()
    reach = 1
    while reach < min(window, len(least)):  # least[i] becomes the minimum over hashes[i : i + window]
        least[: len(least) - reach] = np.minimum(least[: len(least) - reach], least[reach:])
        reach *= 2
    grams = np.diff(folded.bounds) - GRAM + 1
    starts = folded.bounds[:-1]
    windows = np.maximum(grams - window + 1, 0)
    result = []
    for start, n_windows, n_grams in zip(starts.tolist(), windows.tolist(), grams.tolist(), strict=True):
        if n_windows:
            minima = least[start : start + n_windows]
            # neighbours mostly share their minimum: drop runs before sorting
            changed = np.concatenate(([True], minima[1:] != minima[:-1]))
            result.append(np.unique(minima[changed]))
        else:
            result.append(hashes[start : start + n_grams].min(keepdims=True))
    return result
