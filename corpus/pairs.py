"""Compares candidate pairs exactly, in this process or, where there are many, in one per core.

In go pairs of folded texts by their keys, out come those that have a relation. Every process reads the texts
from corpus.db itself and keeps those of newcomers, as any pair may need them; nothing is written.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.compare import Measure, Shingles, measure_all, relation, shingles_of
from fanwen.corpus.marks import FOLDED_AT_ONCE
from fanwen.corpus.normalise import Codes, fold
from fanwen.corpus.segments import Texts
from fanwen.corpus.store import Store, worker_store
from fanwen.corpus.workers import batched, cores

IN_PROCESS = 5_000  # so few pairs are compared sooner than processes start
OLD_AT_ONCE = 2_000  # texts whose shingles are in memory beside those of the newcomers, 20 KB each


class Portion(NamedTuple):
    """Pairs (n, 2) by place in ``numbers``, sorted; the texts' keys, and which of them are newcomers."""

    batch: int
    numbers: NDArray[np.int64]
    keys: list[str]
    new: list[bool]
    pairs: NDArray[np.int64]


class Found(NamedTuple):
    """Two texts by number that have a relation."""

    a: int
    b: int
    kind: str
    measure: Measure


class Comparer:
    """Compares pairs of texts of one corpus."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batch = -1
        self._held: dict[str, Codes] = {}

    def __call__(self, portion: Portion) -> list[Found]:
        shingles = self._shingles(portion)
        found = []
        for a, others in _grouped(portion.pairs):
            measures = measure_all(shingles[a], [shingles[b] for b in others])
            for b, measured in zip(others, measures, strict=True):
                kind = measured and relation(measured, shingles[a].length, shingles[b].length)
                if measured and kind:
                    found.append(Found(int(portion.numbers[a]), int(portion.numbers[b]), kind, measured))
        return found

    def _shingles(self, portion: Portion) -> list[Shingles]:
        if portion.batch != self._batch:
            self._held, self._batch = {}, portion.batch
        here = {key: self._held[key] for key in portion.keys if key in self._held}
        for keys in batched([key for key in portion.keys if key not in here], FOLDED_AT_ONCE):
            bodies = dict(self._store.rows(_BODIES, json.dumps(keys)).fetchall())
            folded = fold([bodies.get(key, "") for key in keys])
            here.update((key, folded.one(i)) for i, key in enumerate(keys))
        self._held.update((key, here[key]) for key, new in zip(portion.keys, portion.new, strict=True) if new)
        texts = [here[key] for key in portion.keys]
        return [one for some in batched(texts, FOLDED_AT_ONCE) for one in shingles_of(some)]


# of the texts that fold to one key any will do
_BODIES = """
select f.key, t.body from json_each(?) one join fingerprint f on f.key = one.value
join text t on t.sha256 = f.text where t.body is not null
"""


def portions(batch: int, pairs: NDArray[np.int64], texts: Texts, known: int) -> Iterator[Portion]:
    """Sorted pairs in portions whose texts fit into memory; texts from number ``known`` on are newcomers."""
    begins = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
    for at in range(0, len(begins), OLD_AT_ONCE):
        end = begins[at + OLD_AT_ONCE] if at + OLD_AT_ONCE < len(begins) else len(pairs)
        numbers, places = np.unique(pairs[begins[at] : end], return_inverse=True)
        keys = [key.hex() for key in texts["key"][numbers].tolist()]
        yield Portion(batch, numbers, keys, (numbers >= known).tolist(), places.reshape(-1, 2))


def compare_all(
    store: Store, pool: Executor, parts: Iterator[Portion], count: int, here: Callable[[Portion], list[Found]]
) -> Iterator[tuple[int, list[Found]]]:
    """What is found in each portion, in order, with its number of pairs; ``count`` is that of all.

    Other processes begin at once; this one compares when it is asked.
    """
    if count < IN_PROCESS or cores() == 1:
        return ((len(part.pairs), here(part)) for part in parts)
    waiting = deque(pool.submit(_compare, store.path, part) for part in parts)
    return (waiting.popleft().result() for _ in range(len(waiting)))


_comparers: dict[Path, Comparer] = {}


def _compare(path: Path, portion: Portion) -> tuple[int, list[Found]]:
    """In a worker."""
    if path not in _comparers:
        _comparers[path] = Comparer(worker_store(path))
    return len(portion.pairs), _comparers[path](portion)


def _grouped(pairs: NDArray[np.int64]) -> Iterator[tuple[int, list[int]]]:
    """Sorted pairs by their first text."""
    begins = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1)).tolist()
    for begin, end in pairwise([*begins, len(pairs)]):
        yield int(pairs[begin, 0]), pairs[begin:end, 1].tolist()
