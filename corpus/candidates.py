"""Finds the pairs of texts that are worth comparing, from shared fingerprints.

In come fingerprints of texts under small integers, out come candidate pairs. A pair is a
candidate when it shares at least two fingerprints, and these are a tenth of the smaller set (a
fifth where that text is short) or at least :data:`MANY`: enough for a shared long paragraph.
A fingerprint of more than :data:`COMMON` clusters is a stock phrase and counts for nothing.

The index lives in memory behind :class:`FingerprintIndex`; the truth is in corpus.db.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.fingerprint import Hashes

COMMON = 200  # clusters
MANY = 3  # fingerprints
FIRST = 8  # of a crowd of newcomers with one fingerprint, this many are compared with all others

Numbers = NDArray[np.int64]


class FingerprintIndex(Protocol):
    """Texts by number, with their fingerprints; numbers are given by the caller."""

    def add(self, numbers: Sequence[int], marks: Sequence[Hashes], short: Sequence[bool]) -> None:
        """Add texts that are not yet in the index."""

    def candidates(self, cluster_of: Numbers, new_from: int) -> NDArray[np.int64]:
        """Candidate pairs (n, 2), a < b, where b >= ``new_from``; ``cluster_of[number]`` is for counting."""


class MemoryIndex:
    """A sorted array of (fingerprint, number); right for some hundred thousand texts."""

    def __init__(self) -> None:
        self._marks: Hashes = np.empty(0, dtype=np.uint64)
        self._owners: Numbers = np.empty(0, dtype=np.int64)
        self._sizes: Numbers = np.empty(0, dtype=np.int64)
        self._short: NDArray[np.bool_] = np.empty(0, dtype=bool)

    def add(self, numbers: Sequence[int], marks: Sequence[Hashes], short: Sequence[bool]) -> None:
        if not numbers:
            return
        sizes = np.array([len(one) for one in marks], dtype=np.int64)
        top = max(max(numbers) + 1, len(self._sizes))
        self._sizes = np.concatenate((self._sizes, np.zeros(top - len(self._sizes), dtype=np.int64)))
        self._short = np.concatenate((self._short, np.zeros(top - len(self._short), dtype=bool)))
        self._sizes[list(numbers)] = sizes
        self._short[list(numbers)] = short
        all_marks = np.concatenate([self._marks, *marks])
        owners = np.concatenate((self._owners, np.repeat(np.array(numbers, dtype=np.int64), sizes)))
        order = np.lexsort((owners, all_marks))
        self._marks, self._owners = all_marks[order], owners[order]

    def candidates(self, cluster_of: Numbers, new_from: int) -> NDArray[np.int64]:
        keys = np.concatenate([np.empty(0, dtype=np.int64), *self._paired(cluster_of, new_from)])
        if not len(keys):
            return np.empty((0, 2), dtype=np.int64)
        keys.sort()
        first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        counts = np.diff(np.append(first, len(keys)))
        a, b = keys[first] >> 32, keys[first] & 0xFFFFFFFF
        smaller = np.where(self._sizes[a] <= self._sizes[b], a, b)
        size = self._sizes[smaller]
        share = np.where(self._short[smaller], 0.2, 0.1)
        # a text of few words has one or two fingerprints in all
        enough = (counts >= np.where(size <= 2, 1, 2)) & ((counts >= MANY) | (counts >= share * size))
        return np.stack((a[enough], b[enough]), axis=1)

    def _paired(self, cluster_of: Numbers, new_from: int) -> Iterable[Numbers]:
        """``a << 32 | b`` for every fingerprint that a and b share, grouped by how many share it."""
        marks, owners = self._marks, self._owners
        starts = (
            np.flatnonzero(np.concatenate(([True], marks[1:] != marks[:-1]))) if len(marks) else marks[:0]
        )
        ends = np.append(starts[1:], len(marks)).astype(np.int64)
        starts = starts.astype(np.int64)
        lengths = ends - starts
        has_new = owners[ends - 1] >= new_from if len(marks) else lengths > 0  # owners ascend within a run
        for length in np.unique(lengths[has_new & (lengths > 1)]).tolist():
            runs = starts[has_new & (lengths == length)]
            # blocks, so that the pairs of long runs never fill the memory
            step = max(1, 4_000_000 // (length * length))
            for at in range(0, len(runs), step):
                members = owners[runs[at : at + step, None] + np.arange(length)]
                yield from _pairs_of_runs(members, cluster_of, new_from)


def _pairs_of_runs(members: Numbers, cluster_of: Numbers, new_from: int) -> Iterable[Numbers]:
    length = members.shape[1]
    if length <= COMMON:
        yield _keys(members, new_from)
        return
    for run in members:
        old = run[run < new_from]
        if len(np.unique(cluster_of[old])) > COMMON:
            continue
        new = run[run >= new_from]
        crowd = new[:FIRST] if len(new) > COMMON else new
        heads = np.concatenate((old, crowd))
        a = np.repeat(heads, len(new))
        b = np.tile(new, len(heads))
        yield (a[a < b] << 32) | b[a < b]


def _keys(members: Numbers, new_from: int) -> Numbers:
    left, right = np.triu_indices(members.shape[1], k=1)
    a, b = members[:, left].ravel(), members[:, right].ravel()
    wanted = b >= new_from
    return (a[wanted] << 32) | b[wanted]
