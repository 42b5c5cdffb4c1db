"""Which pairs are worth comparing: enough shared fingerprints, or few that hardly any other text has."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fanwen.corpus.candidates import candidates
from fanwen.corpus.fingerprint import Hashes
from fanwen.corpus.segments import TEXT, segment_of

OWN = 40  # fingerprints of a text that no other has


def found(texts: list[list[int]], known: int, clusters: list[int] | None = None) -> set[tuple[int, int]]:
    """Candidates of texts that are given by what they share; those before ``known`` are in the index."""
    marks: list[Hashes] = [
        np.array(sorted([*shared, *range(10**6 * (i + 1), 10**6 * (i + 1) + OWN)]), dtype=np.uint64)
        for i, shared in enumerate(texts)
    ]
    records = np.empty(len(texts), dtype=TEXT)
    for i, one in enumerate(marks):
        records[i] = ((i + 1).to_bytes(16, "big"), 2000, len(one))
    of = np.array(clusters or range(len(texts)), dtype=np.int64)

    def clusters_of(numbers: NDArray[np.uint32]) -> NDArray[np.int64]:
        return of[numbers]

    old = segment_of(range(known), marks[:known])
    new = segment_of(range(known, len(texts)), marks[known:])
    pairs = candidates([old] if known else [], new, records, clusters_of)
    return {(int(a), int(b)) for a, b in pairs}


@pytest.mark.parametrize(
    ("others", "shared", "is_one"),
    [
        (0, 1, True),  # nobody else has it
        (1, 1, False),
        (8, 1, False),
        (8, 2, True),  # ten texts have both
        (9, 2, False),
        (150, 2, False),
        (150, 3, True),  # three, however frequent, if they are no stock phrases
    ],
)
def test_few_shared_fingerprints_count_by_how_rare_they_are(others: int, shared: int, is_one: bool) -> None:
    pair = [list(range(1, shared + 1)), list(range(1, shared + 1))]
    # each of the others has one of them, so that it is no candidate by itself
    rest = [[1 + k] for k in range(shared) for _ in range(others)]
    texts = [pair[0], *rest, pair[1]]
    assert ((0, len(texts) - 1) in found(texts, len(texts) - 1)) == is_one
    assert ((0, len(texts) - 1) in found(texts, 0)) == is_one, "among newcomers as with what is known"


def test_a_stock_phrase_counts_for_nothing() -> None:
    rest = [[1 + k] for k in range(5) for _ in range(250)]
    texts = [[1, 2, 3, 4, 5], *rest, [1, 2, 3, 4, 5]]
    assert found(texts, len(texts) - 1) == set()


def test_a_tenth_is_enough_whatever_its_frequency() -> None:
    rest = [[k] for k in range(1, 6) for _ in range(150)]
    texts = [[1, 2, 3, 4, 5], *rest, [1, 2, 3, 4, 5]]
    assert (0, len(texts) - 1) in found(texts, len(texts) - 1)


def test_copies_count_as_one_text_where_a_fingerprint_is_frequent() -> None:
    family = [[1, 2, 3, 4, 5]] * 300
    texts = [*family, [1, 2, 3, 4, 5]]
    assert found(texts, 300, clusters=[0] * 301) == {(i, 300) for i in range(300)}
    assert found(texts, 300) == set(), "300 clusters: a stock phrase"


def test_nothing_is_found_where_nothing_is_shared() -> None:
    assert found([[], [], []], 2) == set()
    assert found([], 0) == set()
