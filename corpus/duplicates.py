"""Every verified pair of current pieces, if wanted with the passages that the two share.

Goes over corpus.db, computing what is missing first. Pairs come in the order of piece ids.
"""

from __future__ import annotations

import heapq
import json
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

from fanwen.corpus.compare import Measure, Shingles, measure, relation
from fanwen.corpus.dedup import update
from fanwen.corpus.marks import Progress
from fanwen.corpus.normalise import fold
from fanwen.corpus.passages import passages
from fanwen.corpus.store import Store, fixed_as, open_store, reading
from fanwen.corpus.types import AlignedRelation, Relation


def pairs(
    corpus_path: Path, *, aligned: bool = False, progress: Progress | None = None
) -> Iterator[Relation]:
    """All verified pairs, every copy with every copy: exact, near, contains and overlap."""
    if fixed_as(corpus_path) is None:
        with open_store(corpus_path) as store:
            update(store, progress)
    with reading(corpus_path) as store:
        yield from relations(store, aligned=aligned)


def relations(store: Store, only: str | None = None, *, aligned: bool = False) -> Iterator[Relation]:
    """Pairs of current pieces; ``only``: the pairs of this piece; ``aligned``: with their passages."""
    for pair, a, b in _relations(store, only):
        if aligned:
            yield AlignedRelation(**asdict(pair), passages=passages(text_of(store, a), text_of(store, b)))
        else:
            yield pair


def text_of(store: Store, piece: str) -> str:
    """The text of a current piece; "" where it was taken down."""
    found = store.value(
        "select t.body from piece_version v join text t on t.sha256 = v.text"
        " where v.piece = ? and v.removed_in is null",
        piece,
    )
    return str(found or "")


def _relations(store: Store, only: str | None) -> Iterator[tuple[Relation, str, str]]:
    """Pairs, and the ids of their pieces, which a pair of ready-made pieces does not say."""
    pieces_of, given, key_of = _pieces(store)
    wanted = None if only is None else key_of.get(only)
    if only is not None and wanted is None:
        return
    for key in sorted(pieces_of) if wanted is None else [wanted]:
        length = store.value("select max(0, length - 7) from fingerprint where key = ?", key)
        same = Measure(1.0, 1.0, 1.0, length)
        for a, b in combinations(pieces_of[key], 2):
            if only is None or only in (a, b):
                yield _relation(a, b, "exact", same, given)
    for key_a, key_b, kind, found in _verified(store, pieces_of, wanted):
        for a in pieces_of[key_a]:
            for b in pieces_of[key_b]:
                if only is None or only in (a, b):
                    yield _relation(a, b, kind, found, given)


def _relation(
    a: str, b: str, kind: str, found: Measure, given: dict[str, str | int]
) -> tuple[Relation, str, str]:
    first, second = found.containment_a, found.containment_b
    if b < a:
        a, b, first, second = b, a, second, first
    pair = Relation(given.get(a, a), given.get(b, b), kind, found.jaccard, first, second, found.shared)
    return pair, a, b


def _pieces(store: Store) -> tuple[dict[str, list[str]], dict[str, str | int], dict[str, str]]:
    """Current pieces by key, the ids that ready-made pieces brought, and the key of every piece."""
    pieces_of: dict[str, list[str]] = defaultdict(list)
    given: dict[str, str | int] = {}
    key_of: dict[str, str] = {}
    for piece, key, given_id in store.rows(
        "select v.piece, f.key, p.given_id from piece_version v join fingerprint f on f.text = v.text"
        " join piece p on p.id = v.piece where v.removed_in is null order by v.piece"
    ):
        pieces_of[key].append(piece)
        key_of[piece] = key
        if given_id is not None:
            given[piece] = json.loads(given_id)
    return pieces_of, given, key_of


def _verified(
    store: Store, live: Container[str], wanted: str | None
) -> Iterator[tuple[str, str, str, Measure]]:
    stored = (
        (a, b, kind, Measure(j, ca, cb, shared))
        for a, b, kind, j, ca, cb, shared in store.rows(
            "select a, b, relation, jaccard, containment_a, containment_b, shared from relation"
            " where removed_in is null and (? is null or ? in (a, b)) order by a, b",
            wanted,
            wanted,
        )
        if a in live and b in live
    )
    return heapq.merge(stored, _missing(store, wanted), key=lambda row: row[:2])


def _missing(store: Store, wanted: str | None) -> list[tuple[str, str, str, Measure]]:
    """Pairs within one cluster that no common fingerprint brought together."""
    known = set(store.rows("select a, b from relation where removed_in is null").fetchall())
    result = []
    for keys in _clusters(store):
        if wanted is not None and wanted not in keys:
            continue
        folded = {}
        for a, b in combinations(keys, 2):
            if (a, b) in known or (wanted is not None and wanted not in (a, b)):
                continue
            for key in (a, b):
                if key not in folded:
                    folded[key] = Shingles(fold([_body(store, key)]).one(0))
            found = measure(folded[a], folded[b])
            kind = relation(found, folded[a].length, folded[b].length)
            if kind is not None:
                result.append((a, b, kind, found))
    return sorted(result, key=lambda row: row[:2])


def _clusters(store: Store) -> Iterator[list[str]]:
    keys_of: dict[str, set[str]] = defaultdict(set)
    for cluster, key in store.rows(
        "select v.cluster, f.key from piece_version v join fingerprint f on f.text = v.text"
        " where v.removed_in is null and v.cluster is not null"
    ):
        keys_of[cluster].add(key)
    for cluster in sorted(keys_of):
        if len(keys_of[cluster]) > 2:
            yield sorted(keys_of[cluster])


def _body(store: Store, key: str) -> str:
    return str(
        store.value(
            "select t.body from fingerprint f join text t on t.sha256 = f.text"
            " where f.key = ? and t.body is not null order by f.text",
            key,
        )
        or ""
    )
