"""Finds the pairs of texts that are worth comparing, from shared fingerprints.

In come the postings of the texts known so far (:mod:`fanwen.corpus.segments`) and of a batch of newcomers,
out come candidate pairs with at least one newcomer. A pair is a candidate when it shares at least two
fingerprints and these are a tenth of the smaller set (a fifth where that text is short), or when what it
shares is rare enough to be a paragraph that one text has from the other: fingerprints weigh the more the
fewer texts have them (:data:`WEIGHTS`). One of more than :data:`COMMON` clusters is a stock phrase and counts
for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.fingerprint import SHORT
from fanwen.corpus.segments import Segment, Texts

COMMON = 200  # clusters
ENOUGH = 3  # weight of the shared fingerprints
WEIGHTS = ((2, 3), (10, 2))  # of a fingerprint of at most so many texts; 1 of one of more
FIRST = 8  # of a crowd of newcomers with one fingerprint, this many are compared with all others
STOCK = 20 * COMMON  # texts: so many are never variants of one, so their clusters are not counted
_WEIGHT_BITS = 2
_OWNER_BITS = 30
_AT_ONCE = 4_000_000  # pairs by one fingerprint, while they are counted

Numbers = NDArray[np.int64]
_Places = tuple[Segment, Numbers, Numbers]  # of each fingerprint in a segment: the first, and how many


def candidates(
    known: Sequence[Segment],
    new: Segment,
    texts: Texts,
    clusters_of: Callable[[NDArray[np.uint32]], Numbers],
) -> Numbers:
    """Candidate pairs (n, 2), the smaller number first; ``new`` has the greatest numbers of all.

    ``texts`` are the records of all texts by number; ``clusters_of`` names the clusters of some numbers.
    """
    found = [np.empty(0, dtype=np.int64), *_shared(known, new, clusters_of)]
    keys = np.concatenate(found)
    keys.sort()
    if not len(keys):
        return np.empty((0, 2), dtype=np.int64)
    weights = keys & ((1 << _WEIGHT_BITS) - 1)
    keys >>= _WEIGHT_BITS
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    counts = np.diff(np.append(first, len(keys)))
    weight = np.add.reduceat(weights, first)
    a, b = keys[first] >> _OWNER_BITS, keys[first] & ((1 << _OWNER_BITS) - 1)
    sizes = texts["marks"].astype(np.int64)
    smaller = np.where(sizes[a] <= sizes[b], a, b)
    size = sizes[smaller]
    share = np.where(texts["length"][smaller] < SHORT, 0.2, 0.1)
    # a text of few words has one or two fingerprints in all
    enough = (counts >= np.where(size <= 2, 1, 2)) & (counts >= share * size) | (weight >= ENOUGH)
    return np.stack((a[enough], b[enough]), axis=1)


def _shared(
    known: Sequence[Segment], new: Segment, clusters_of: Callable[[NDArray[np.uint32]], Numbers]
) -> Iterator[Numbers]:
    """a, b and the weight as one number (:func:`_joined`) for every fingerprint, if it is no stock phrase,
    that a and the newcomer b share."""
    if not len(new.marks):
        return
    starts = np.flatnonzero(np.concatenate(([True], new.marks[1:] != new.marks[:-1])))
    counts = np.diff(np.append(starts, len(new.marks)))
    marks = new.marks[starts]
    total = counts.copy()
    places: list[_Places] = []
    for segment in known:
        left = np.searchsorted(segment.marks, marks)
        size = np.searchsorted(segment.marks, marks, side="right") - left
        total += size
        places.append((segment, left, size))
    rare = total <= COMMON
    weights = np.select([total <= most for most, _ in WEIGHTS], [weight for _, weight in WEIGHTS], 1)
    for segment, left, size in places:
        yield from _pairs(weights, segment.owners, left, size * rare, new.owners, starts, counts)
    alone = counts * (rare & (counts > 1))
    yield from _pairs(weights, new.owners, starts, alone, new.owners, starts, counts)
    crowded = np.flatnonzero(~rare & (total <= STOCK))
    for part in np.split(crowded, range(_AT_ONCE // STOCK, len(crowded), _AT_ONCE // STOCK)):
        for i in part[_clusters(places, part, clusters_of) <= COMMON].tolist():
            old = [np.asarray(s.owners[left[i] : left[i] + size[i]]) for s, left, size in places]
            yield _crowded(old, new.owners[starts[i] : starts[i] + counts[i]])


def _clusters(
    places: Sequence[_Places], marks: Numbers, clusters_of: Callable[[NDArray[np.uint32]], Numbers]
) -> Numbers:
    """Of how many clusters the known texts with each of these fingerprints are."""
    found = [np.empty(0, dtype=np.int64)]
    for segment, left, size in places:
        mark = np.repeat(np.arange(len(marks)), size[marks])
        owners = segment.owners[np.repeat(left[marks], size[marks]) + _counted(size[marks])]
        found.append((mark << _OWNER_BITS) | clusters_of(owners))
    everything = np.concatenate(found)
    everything.sort()  # np.unique would look each one up in a table
    first = np.diff(everything, prepend=-1) != 0
    return np.bincount(everything[first] >> _OWNER_BITS, minlength=len(marks))


def _joined(a: Numbers, b: Numbers, weights: Numbers | int) -> Numbers:
    """One number for each pair, the smaller owner first; a text with itself and doubles are left out."""
    joined = (((a << _OWNER_BITS) | b) << _WEIGHT_BITS) | weights
    return joined[a < b]


def _pairs(
    weights: Numbers,
    a: NDArray[np.uint32],
    a_starts: Numbers,
    a_counts: Numbers,
    b: NDArray[np.uint32],
    *b_runs: Numbers,
) -> Iterator[Numbers]:
    """Every owner in run i of ``a`` with every greater one in run i of ``b``, block by block."""
    b_starts, b_counts = b_runs
    sizes = a_counts * b_counts
    runs = np.flatnonzero(sizes)
    blocks = np.cumsum(sizes[runs]) // _AT_ONCE
    for block in np.split(runs, np.flatnonzero(np.diff(blocks)) + 1):
        size = sizes[block]
        run = np.repeat(block, size)
        place = _counted(size)
        first = a[a_starts[run] + place // b_counts[run]].astype(np.int64)
        second = b[b_starts[run] + place % b_counts[run]].astype(np.int64)
        yield _joined(first, second, weights[run])


def _counted(sizes: Numbers) -> Numbers:
    """0, 1, … up to each size, one after the other."""
    return np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _crowded(old: Sequence[NDArray[np.uint32]], new: NDArray[np.uint32]) -> Numbers:
    """The pairs of one fingerprint that many texts of few clusters have."""
    heads = np.concatenate((*old, new[:FIRST] if len(new) > COMMON else new)).astype(np.int64)
    a, b = np.repeat(heads, len(new)), np.tile(new.astype(np.int64), len(heads))
    return _joined(a, b, 1)
