"""Aligns two texts: the passages that they share, wherever these stand in each.

In go two texts, out come :class:`Passage` in code points of these texts (specification 1). Nothing is stored:
passages are a function of two texts. They are compared as folded (:mod:`fanwen.corpus.normalise`), so width,
script, punctuation, wraps and numbers make no difference. Every character of either text is in one passage at
most; passages may come in another order in the other text, which is how moved paragraphs show. Swapping the
texts swaps the offsets. Nothing says who copied.

Seed, extend, chain, bridge: shared 8-grams are seeds, lengthened to maximal equal runs as in Basic Local
Alignment Search Tool (Altschul and others, 1990). A run counts as much as the best chain that it ends, gaps
taken off (Li, Minimap2, 2018), so a phrase that stands at several places is taken where its neighbours are.
Runs are then laid as tiles, best chain first, each character once (Wise, String Similarity via Greedy String
Tiling, 1993), and tiles that are neighbours in both texts are joined over small gaps, as passim does (Smith,
Cordell, Mullen, Computational Methods for Uncovering Reprinted Texts, 2015).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.fingerprint import Hashes, gram_hashes
from fanwen.corpus.normalise import Codes, Placed, place
from fanwen.corpus.types import Passage

PASSAGES_VERSION = 1
GRAM = 8  # folded code points of a seed
MIN_PASSAGE = 20  # equal folded code points
GAP = 64  # folded code points that are bridged on either side: a sentence or two
FREQUENT = 64  # places in a × places in b, beyond which the n-th place is paired with the n-th only
ACTIVE = 32  # runs before a run that may precede it in a chain

Numbers = NDArray[np.int64]


class Block(NamedTuple):
    """An equal run of two folded texts: ``a[a:a + length] == b[b:b + length]``."""

    a: int
    b: int
    length: int


@dataclass(frozen=True, slots=True)
class Grams:
    """A folded text with its 8-grams in order: ``values[i]`` stands at the ``counts[i]`` places
    ``places[begins[i]:]``. Takes 36 bytes for each code point."""

    codes: Codes
    values: Hashes
    places: Numbers
    begins: Numbers
    counts: Numbers


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks that follow each other in both folded texts with small gaps: one passage."""

    blocks: tuple[Block, ...]
    equal: int  # folded code points in the blocks

    @property
    def a_begin(self) -> int:
        return self.blocks[0].a

    @property
    def b_begin(self) -> int:
        return self.blocks[0].b

    @property
    def a_end(self) -> int:
        return self.blocks[-1].a + self.blocks[-1].length

    @property
    def b_end(self) -> int:
        return self.blocks[-1].b + self.blocks[-1].length


def passages(a: str, b: str) -> tuple[Passage, ...]:
    """The shared passages of two texts, in the order of ``a``; the whole texts if both fold to the same."""
    one, other = place(a), place(b)
    if np.array_equal(one.codes, other.codes):
        return (Passage(0, len(a), 0, len(b)),) if len(one) else ()
    stretches = align(grams(one.codes), grams(other.codes))
    return tuple(_in_texts(stretch, one, other) for stretch in stretches)


def grams(codes: Codes) -> Grams:
    """What :func:`align` needs to know of one folded text, to be kept where it is aligned with many."""
    hashes = gram_hashes(codes, GRAM)
    places = np.argsort(hashes, kind="stable")
    values, begins, counts = np.unique(hashes[places], return_index=True, return_counts=True)
    return Grams(codes, values, places, begins, counts)


def align(a: Grams, b: Grams) -> tuple[Stretch, ...]:
    """The shared passages of two folded texts, in folded code points, in the order of ``a``."""
    length_a, length_b = len(a.codes), len(b.codes)
    if np.array_equal(a.codes, b.codes):
        return (Stretch((Block(0, 0, length_a),), length_a),) if length_a else ()
    # one order for both ways round, or a choice among equals could differ
    if (length_b, b.codes.tobytes()) < (length_a, a.codes.tobytes()):
        turned = (_turned(stretch) for stretch in align(b, a))
        return tuple(sorted(turned, key=lambda stretch: stretch.a_begin))
    runs = _runs(a, b)
    tiles = _tiles(runs, _scores(runs), length_a, length_b)
    return tuple(_joined([Stretch((tile,), tile.length) for tile in tiles]))


def _turned(stretch: Stretch) -> Stretch:
    return Stretch(tuple(Block(b, a, length) for a, b, length in stretch.blocks), stretch.equal)


def _in_texts(stretch: Stretch, a: Placed, b: Placed) -> Passage:
    a_end, b_end = int(a.ends[stretch.a_end - 1]), int(b.ends[stretch.b_end - 1])
    # the full stop belongs to the passage where both have it
    a_stop, b_stop = (
        int(text.begins[end]) if end < len(text) else len(text.text)
        for text, end in ((a, stretch.a_end), (b, stretch.b_end))
    )
    while (
        a_end < a_stop and b_end < b_stop and a.text[a_end] == b.text[b_end] and not a.text[a_end].isspace()
    ):
        a_end, b_end = a_end + 1, b_end + 1
    return Passage(int(a.begins[stretch.a_begin]), a_end, int(b.begins[stretch.b_begin]), b_end)


# -- maximal equal runs ---------------------------------------------------------------------------


def _runs(a: Grams, b: Grams) -> list[Block]:
    """Equal runs that cannot be lengthened, sorted."""
    in_a, in_b = _seeds(a, b)
    diagonal = in_a - in_b
    order = np.lexsort((in_a, diagonal))
    in_a, diagonal = in_a[order], diagonal[order]
    fresh = np.ones(len(in_a), dtype=bool)
    fresh[1:] = (diagonal[1:] != diagonal[:-1]) | (in_a[1:] != in_a[:-1] + 1)
    begins = np.flatnonzero(fresh)
    ends = in_a[np.append(begins[1:], len(in_a))[: len(begins)] - 1] + GRAM
    return sorted(_extended(a.codes, b.codes, diagonal[begins], in_a[begins], ends))


def _seeds(a: Grams, b: Grams) -> tuple[Numbers, Numbers]:
    """Places of equal grams; linearly many, as frequent grams are paired in order and not each with each."""
    _, at_a, at_b = np.intersect1d(a.values, b.values, assume_unique=True, return_indices=True)
    counts_a, counts_b = a.counts[at_a], b.counts[at_b]
    all_pairs = counts_a * counts_b <= FREQUENT
    pairs = np.where(all_pairs, counts_a * counts_b, np.minimum(counts_a, counts_b))
    gram = np.repeat(np.arange(len(pairs)), pairs)
    number = np.arange(len(gram)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    nth_a = np.where(all_pairs[gram], number // counts_b[gram], number)
    nth_b = np.where(all_pairs[gram], number % counts_b[gram], number)
    return a.places[a.begins[at_a][gram] + nth_a], b.places[b.begins[at_b][gram] + nth_b]


def _extended(a: Codes, b: Codes, diagonals: Numbers, begins: Numbers, ends: Numbers) -> Iterator[Block]:
    """The runs, lengthened over grams that were no seeds; sorted by diagonal, then begin."""
    last_diagonal, reached = None, 0
    columns = (diagonals.tolist(), begins.tolist(), ends.tolist())
    for diagonal, begin, end in zip(*columns, strict=True):
        if diagonal != last_diagonal:
            last_diagonal, reached = diagonal, 0
        if end <= reached:
            continue
        begin -= _equal(a[:begin][::-1], b[: begin - diagonal][::-1])
        end += _equal(a[end:], b[end - diagonal :])
        reached = end
        yield Block(begin, begin - diagonal, end - begin)


def _equal(a: Codes, b: Codes) -> int:
    """How far two texts are equal from their beginning."""
    at, step, length = 0, 8, min(len(a), len(b))
    while at < length:
        size = min(step, length - at)
        differs = a[at : at + size] != b[at : at + size]
        if differs.any():
            return at + int(differs.argmax())
        at += size
        step *= 2
    return at


# -- chains and tiles -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Scores:
    """Of each run: what the best chain that ends with it is worth, and the run before it there, or -1."""

    score: list[float]
    before: list[int]


def _scores(runs: Sequence[Block]) -> _Scores:
    found = _Scores([], [])
    active: list[int] = []
    for i, run in enumerate(runs):
        active = [k for k in active if runs[k].a + runs[k].length + GAP >= run.a]
        if len(active) > ACTIVE:
            active = sorted(sorted(active, key=lambda k: (-found.score[k], -k))[:ACTIVE])
        best, before = float(run.length), -1
        for k in active:
            worth = found.score[k] + _gain(runs[k], run)
            if worth > best:
                best, before = worth, k
        found.score.append(best)
        found.before.append(before)
        active.append(i)
    return found


def _gain(first: Block, second: Block) -> float:
    """What a chain gains if ``second`` follows ``first``: its own part, less half of the gap."""
    gap_a = second.a - first.a - first.length
    gap_b = second.b - first.b - first.length
    own = second.length + min(gap_a, gap_b, 0)
    if own <= 0 or second.b <= first.b or max(gap_a, gap_b) > GAP:
        return float("-inf")
    return own - max(gap_a, gap_b, 0) / 2


def _tiles(runs: Sequence[Block], scores: _Scores, length_a: int, length_b: int) -> list[Block]:
    """What is left of the runs when every character is used once, best chain first; sorted."""
    used_a, used_b = np.zeros(length_a, dtype=bool), np.zeros(length_b, dtype=bool)
    tiles: list[Block] = []
    for i in _best_first(scores):
        a, b, length = runs[i]
        used = used_a[a : a + length] | used_b[b : b + length]
        for begin, end in _unused(used):
            tiles.append(Block(a + begin, b + begin, end - begin))
            used_a[a + begin : a + end] = True
            used_b[b + begin : b + end] = True
    return sorted(tiles)


def _best_first(scores: _Scores) -> Iterator[int]:
    """Every run once, chain by chain; a chain whose beginning is taken is worth the rest only."""
    taken = [False] * len(scores.score)
    heap = [(-score, i) for i, score in enumerate(scores.score)]
    heapq.heapify(heap)
    while heap:
        worth, end = heapq.heappop(heap)
        if taken[end]:
            continue
        chain = []
        at = end
        while at != -1 and not taken[at]:
            chain.append(at)
            at = scores.before[at]
        rest = scores.score[end] - (scores.score[at] if at != -1 else 0.0)
        if rest < -worth:
            heapq.heappush(heap, (-rest, end))
            continue
        for one in chain:
            taken[one] = True
        yield from chain


def _unused(used: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Unused stretches of a gram's length or more."""
    if not used.any():
        return [(0, len(used))]
    edges = np.flatnonzero(np.diff(np.concatenate(([True], used, [True])))).tolist()
    return [(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True) if end - begin >= GRAM]


# -- passages -------------------------------------------------------------------------------------


def _joined(stretches: list[Stretch]) -> list[Stretch]:
    """Neighbours become one over small gaps; what stayed too short goes, and no longer separates others."""
    stretches = _bridged(stretches)
    return _bridged([stretch for stretch in stretches if stretch.equal >= MIN_PASSAGE])


def _bridged(stretches: list[Stretch]) -> list[Stretch]:
    """Join neighbours until no two are left that may be joined."""
    while True:
        in_b = sorted(range(len(stretches)), key=lambda i: stretches[i].b_begin)
        next_in_b = dict(pairwise(in_b))
        result = stretches[:1]
        last = 0
        for i in range(1, len(stretches)):
            if next_in_b.get(last) == i and _near(result[-1], stretches[i]):
                first, second = result[-1], stretches[i]
                result[-1] = Stretch((*first.blocks, *second.blocks), first.equal + second.equal)
            else:
                result.append(stretches[i])
            last = i
        if len(result) == len(stretches):
            return result
        stretches = result


def _near(first: Stretch, second: Stretch) -> bool:
    """No gap is longer than what is equal on either side of it."""
    gap = max(second.a_begin - first.a_end, second.b_begin - first.b_end)
    return gap <= min(GAP, first.equal, second.equal)
