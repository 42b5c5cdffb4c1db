"""Gives the texts of a masked copy fingerprints of their own, and relations between these.

In goes which text became which; fingerprints, keys and relations of texts that masking changed are made
anew. One key may become several (the same text, masked otherwise elsewhere) and several may become one.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from itertools import combinations

import numpy as np

from fanwen.corpus.compare import Shingles, measure, relation
from fanwen.corpus.fingerprint import SPEC, to_blob
from fanwen.corpus.fingerprint import fingerprints as marks_of
from fanwen.corpus.identity import digest
from fanwen.corpus.normalise import fold

BATCH = 1000
_STRENGTH = {"near": 0, "contains": 1, "overlap": 2}


@dataclass(frozen=True, slots=True)
class _Relation:
    a: str
    b: str
    relation: str
    jaccard: float
    containment_a: float
    containment_b: float
    shared: int
    added_in: int
    removed_in: int | None
    id: int | None = None


_COLUMNS = "a, b, relation, jaccard, containment_a, containment_b, shared, added_in, removed_in"


def fingerprints(db: sqlite3.Connection, became: Mapping[str, Iterable[str]]) -> None:
    """Replace fingerprints and relations; ``became`` gives for every text what stands for it now."""
    changed = {old: sorted(new) for old, new in became.items() if set(new) != {old}}
    keys: dict[str, set[str]] = defaultdict(set)
    moved: set[str] = set()
    known = dict(db.execute("select text, key from fingerprint").fetchall())
    for old, key in known.items():
        if old not in changed:
            keys[key].add(key)
    pairs = sorted((new, old) for old, several in changed.items() if old in known for new in several)
    for at in range(0, len(pairs), BATCH):
        for old, key in _add(db, pairs[at : at + BATCH]):
            keys[known[old]].add(key)
            moved.add(known[old])
    db.execute("delete from fingerprint where text not in (select text from piece_version)")
    _relate(db, {key: sorted(new) for key, new in keys.items() if key in moved and new != {key}})


def _add(db: sqlite3.Connection, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(old text, key of what stands for it now) of every pair whose new text is there."""
    found = []
    for new, old in pairs:
        body = db.execute("select body from text where sha256 = ?", (new,)).fetchone()
        if body is not None and body[0] is not None:
            found.append((new, old, body[0]))
    folded = fold([body for _, _, body in found])
    lengths = np.diff(folded.bounds).tolist()
    for k, (marks, (new, old, _)) in enumerate(zip(marks_of(folded), found, strict=True)):
        key = folded.key(k)
        db.execute(
            "insert into fingerprint (text, key, length, spec, marks, compared)"
            " select ?, ?, ?, ?, ?, compared from fingerprint where text = ? on conflict do nothing",
            (new, key, lengths[k], SPEC, to_blob(marks), old),
        )
        yield old, key


def _relate(db: sqlite3.Connection, keys: Mapping[str, list[str]]) -> None:
    """Give the relations of every key to the ``keys`` that stand for it now."""
    if not keys:
        return
    held = _held(db)
    candidates = []
    for row in db.execute(f"select {_COLUMNS}, id from relation").fetchall():
        old = _Relation(*row)
        if old.a not in keys and old.b not in keys:
            candidates.append(old)
            continue
        for a in keys.get(old.a, [old.a]):
            for b in keys.get(old.b, [old.b]):
                if a != b and _together(held, a, b):
                    candidates.append(_ordered(replace(old, a=a, b=b)))
    for several in keys.values():
        for a, b in combinations(several, 2):
            if _together(held, a, b):
                candidates.append(_compared(db, a, b, max(held[a][0], held[b][0])))
    db.execute("delete from relation")
    db.executemany(
        f"insert into relation ({_COLUMNS}, id) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        map(astuple, _numbered(_merged(candidates))),
    )


def _numbered(rows: Iterable[_Relation]) -> Iterator[_Relation]:
    """The rows with a number each that stays from release to release, since a delta names rows by it.

    One row of the corpus may have become several: these, and new ones, get a negative one.
    """
    taken: set[int] = set()
    for row in rows:
        number = row.id
        if number is None or number in taken:
            number = -int(digest(row.a, row.b, str(row.added_in))[:15], 16)
        while number in taken:
            number -= 1
        taken.add(number)
        yield replace(row, id=number)


def _held(db: sqlite3.Connection) -> dict[str, tuple[int, float]]:
    """From which release on and until which one each key is that of some piece."""
    return {
        key: (first, float("inf") if last is None else last)
        for key, first, last in db.execute(
            "select f.key, min(v.added_in),"
            " case when count(*) = count(v.removed_in) then max(v.removed_in) end"
            " from piece_version v join fingerprint f on f.text = v.text group by f.key"
        )
    }


def _together(held: Mapping[str, tuple[int, float]], a: str, b: str) -> bool:
    if a not in held or b not in held:
        return False
    return max(held[a][0], held[b][0]) < min(held[a][1], held[b][1])


def _ordered(row: _Relation) -> _Relation:
    if row.a < row.b:
        return row
    return replace(row, a=row.b, b=row.a, containment_a=row.containment_b, containment_b=row.containment_a)


def _compared(db: sqlite3.Connection, a: str, b: str, added_in: int) -> _Relation:
    """Copies that are masked otherwise: exact no more, but still next to each other."""
    texts = [
        db.execute(
            "select t.body from fingerprint f join text t on t.sha256 = f.text where f.key = ?"
            " order by f.text",
            (key,),
        ).fetchone()[0]
        for key in (a, b)
    ]
    folded = fold(texts)
    one, other = Shingles(folded.one(0)), Shingles(folded.one(1))
    found = measure(one, other)
    kind = relation(found, one.length, other.length) or "overlap"
    return _Relation(
        a, b, kind, found.jaccard, found.containment_a, found.containment_b, found.shared, added_in, None
    )


def _merged(candidates: Iterable[_Relation]) -> list[_Relation]:
    """One relation a pair and time: the strongest where several texts became one."""
    by_pair: dict[tuple[str, str], list[_Relation]] = defaultdict(list)
    for row in sorted(candidates, key=_rank):
        others = by_pair[row.a, row.b]
        if all(_apart(row, other) for other in others):
            others.append(row)
    return sorted(
        (row for rows in by_pair.values() for row in rows), key=lambda row: (row.a, row.b, row.added_in)
    )


def _rank(row: _Relation) -> tuple[object, ...]:
    return (
        row.removed_in is not None,
        _STRENGTH[row.relation],
        -row.jaccard,
        -row.shared,
        -row.containment_a,
        -row.containment_b,
        row.added_in,
        row.removed_in or 0,
    )


def _apart(one: _Relation, other: _Relation) -> bool:
    return (one.removed_in is not None and one.removed_in <= other.added_in) or (
        other.removed_in is not None and other.removed_in <= one.added_in
    )
