"""Checks what is made from corpus.db and can be made anew: the search index and the index of fingerprints.

In goes an open corpus, out come troubles that ``fanwen verify --repair`` cures. Every text and every posting
counts, but none is looked up: both sides are summed over hashes that do not depend on order, so that a
million texts take no memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.dedup import index_of
from fanwen.corpus.fingerprint import from_blob, mixed
from fanwen.corpus.segments import MANIFEST, Segments
from fanwen.corpus.store import Store
from fanwen.corpus.types import Trouble

_LAST = 0x1FFFFF  # stands for nothing behind the last character: no code point is as large
_SLICE = 4_000_000


def search_index(store: Store) -> Iterator[Trouble]:
    """Texts that are gone, entries without a text and the other way round, entries that are not its own."""

    def wrong(what: str) -> Trouble:
        return Trouble.rebuilt(store.path.name, f"the search index {what}", "search")

    gone = store.value(
        "select s.text from search_text s left join text t on t.sha256 = s.text where t.body is null"
    )
    if gone is not None:
        yield wrong(f"holds the text {gone}, which is gone")
        return
    try:
        apart = store.value(
            "select s.text from search_text s left join search_grams_docsize z on z.id = s.id"
            " where z.id is null union all select z.id from search_grams_docsize z"
            " left join search_text s on s.id = z.id where s.id is null"
        )
        if apart is not None:
            yield wrong(f"and the list of what it holds differ ({apart})")
        elif _indexed(store) != _expected(store):
            yield wrong("does not hold what the texts say")
    except sqlite3.DatabaseError as error:
        yield wrong(f"cannot be read ({error})")


def _indexed(store: Store) -> tuple[int, int]:
    """Number of postings, and the sum of their hashes."""
    total = hashed = 0
    store.rows("create virtual table temp.search_terms using fts5vocab('main', 'search_grams', 'row')")
    try:
        cursor = store.rows("select term, doc from temp.search_terms")
        while rows := cursor.fetchmany(100_000):
            grams = np.array([_gram(term) for term, _ in rows], dtype=np.uint64)
            counts = np.array([count for _, count in rows], dtype=np.uint64)
            total += int(counts.sum())
            hashed += int((mixed(grams) * counts).sum())
    finally:
        store.rows("drop table temp.search_terms")
    return total, hashed % 2**64


def _gram(term: str) -> int:
    first, _, second = term.partition("z")
    return int(first, 16) << 21 | (int(second[:-1], 16) if second else _LAST)


def _expected(store: Store) -> tuple[int, int]:
    total = hashed = 0
    for (body,) in store.rows("select t.body from search_text s join text t on t.sha256 = s.text"):
        codes = np.frombuffer(body.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
        behind = np.append(codes[1:], np.uint64(_LAST))
        grams = np.unique(codes << np.uint64(21) | behind)
        if len(codes):
            total += len(grams)
            hashed += int(mixed(grams).sum())
    return total, hashed % 2**64


def fingerprint_index(store: Store) -> Iterator[Trouble]:
    """Whether what the index holds of each text are the fingerprints of that text; behind it may be."""

    def wrong(what: str) -> Trouble:
        return Trouble.rebuilt(index.folder.name, f"the index of fingerprints {what}", "index")

    index = index_of(store)
    if not (index.folder / MANIFEST).exists():
        return
    if not len(index):
        yield wrong("is torn or of another version")
        return
    try:
        counts, sums, ascending = _posted(index)
    except OSError as error:
        yield wrong(f"cannot be read ({error.strerror})")
        return
    if not ascending:
        yield wrong("is out of order")
        return
    # a text that was dropped and came back is there twice: what came last counts
    numbers = {bytes(key).hex(): number for number, key in enumerate(index.texts["key"])}
    for key, length, marks in store.rows("select key, length, marks from fingerprint group by key"):
        number = numbers.get(key)
        if number is None:
            continue  # behind, as after a kill: the next build adds it
        held = from_blob(marks)
        record = (int(index.texts["length"][number]), int(index.texts["marks"][number]), int(counts[number]))
        if record != (length, len(held), len(held)) or int(sums[number]) != int(mixed(held).sum()):
            yield wrong(f"does not hold the fingerprints of the text with the key {key}")
            return


def _posted(index: Segments) -> tuple[NDArray[np.int64], NDArray[np.uint64], bool]:
    """Number of postings and sum of their hashes by text, and whether every segment ascends."""
    counts = np.zeros(len(index), dtype=np.int64)
    sums = np.zeros(len(index), dtype=np.uint64)
    for segment in index:
        last = np.uint64(0)
        for at in range(0, len(segment.marks), _SLICE):
            marks = np.array(segment.marks[at : at + _SLICE], dtype=np.uint64)
            owners = np.array(segment.owners[at : at + _SLICE])
            if marks[0] < last or (marks[1:] < marks[:-1]).any() or owners.max() >= len(index):
                return counts, sums, False
            counts += np.bincount(owners, minlength=len(index))
            np.add.at(sums, owners, mixed(marks))
            last = marks[-1]
    return counts, sums, True
