"""Labels relations: what a pair of texts is called, given all others around it.

The numbers of a pair say near, contains or overlap (:func:`fanwen.corpus.compare.relation`); only a
compilation changes that: a text that is near to a smaller one by its numbers, but holds a text besides that
the smaller one has not, contains it. Whether it does is a matter of the pairs of the larger text alone, so
after a change it is enough to look at the texts that changed and at those that hold one of them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from fanwen.corpus.compare import Measure, relation
from fanwen.corpus.store import Store

MIN_OUTSIDER = 80  # folded code points: a stub in a text does not make that a compilation
PART = 0.15  # of what is left of a text beside a smaller one: a shorter text makes it no compilation
HOLDS = 0.75  # of a text, so that it counts as a part
APART = 0.3  # a text of which a smaller share is in another one is not a part of that
# of a text that is a part of one and apart from another, so much at least is in the one beside the other:
# HOLDS less APART, less what lengths say wrongly of texts that repeat themselves
LEAST_BESIDE = 0.3

Pair = tuple[str, str]
_Row = tuple[int, str, str, str, float, float, float, int, int]


def label(store: Store, keys: set[str], left: set[str]) -> set[str]:
    """Give every pair around these texts its label; the texts of pairs whose label became another one.

    ``left`` are texts that were there and are no more: what held one of them may be no compilation now.
    """
    whole = keys | column(store, _HOLDERS, left)
    larger = whole | column(store, _HOLDERS, keys)
    pairs = _pairs(store, keys, larger, whole)
    apart = {
        _ordered(small, large)
        for large in larger & pairs.near.keys()
        for small in _inside(pairs, large, None if large in whole else keys)
    }
    changed = {}
    for pair, found in pairs.found.items():
        if pair in apart:
            kind = found.apart
        elif found.larger in whole or not keys.isdisjoint(pair):
            kind = found.plain
        else:
            continue
        if kind != found.kind:
            changed[pair] = kind
    for pair, kind in sorted(changed.items()):
        _relabel(store, pair, pairs.found[pair], kind)
    return {key for pair in changed for key in pair}


class _Found(NamedTuple):
    """One pair of current texts; ``plain`` is what its numbers alone say, ``larger`` the text that has the
    greater share of the other, or nothing where that is too small to say that it holds it."""

    row: int
    kind: str
    containment_a: float
    containment_b: float
    added_in: int
    plain: str
    larger: str

    def share_of(self, key: str, pair: Pair) -> float:
        """Of one of the two texts, what the other has of it."""
        return self.containment_a if key == pair[0] else self.containment_b

    @property
    def apart(self) -> str:
        """What the pair is if the larger text is a compilation, so that the two do not merge."""
        return "contains" if max(self.containment_a, self.containment_b) >= HOLDS else "overlap"


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of current texts around some of them, and lengths in folded code points.

    ``had_by[small]`` are the texts that have a share of ``small`` of at least ``APART``; ``held[large]`` are
    those that ``large`` holds, ``near[large]`` those of them that are near to it by their numbers.
    """

    lengths: Mapping[str, int]
    found: dict[Pair, _Found] = field(default_factory=dict)
    had_by: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    held: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    near: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def extend(self, rows: Iterable[_Row]) -> None:
        """Add those of current texts that are not known yet."""
        lengths, found = self.lengths, self.found
        for number, a, b, kind, jaccard, share_a, share_b, shared, added in rows:
            if (a, b) in found or a not in lengths or b not in lengths:
                continue
            if share_a >= APART:
                self.had_by[a].add(b)
            if share_b >= APART:
                self.had_by[b].add(a)
            plain = relation(Measure(jaccard, share_a, share_b, shared), lengths[a], lengths[b]) or "overlap"
            small, large = (a, b) if share_a >= share_b else (b, a)
            holds = max(share_a, share_b) >= HOLDS and lengths[small] >= MIN_OUTSIDER
            found[a, b] = _Found(number, kind, share_a, share_b, added, plain, large if holds else "")
            if holds:
                self.held[large].append(small)
                if plain == "near":
                    self.near[large].append(small)


def _inside(pairs: _Pairs, large: str, fresh: set[str] | None) -> set[str]:
    """Texts that are near to ``large`` by their numbers, though it is a compilation that holds others too.

    With ``fresh`` only what these texts change: of two that were there before, the answer is known.
    """
    reach = _reach(pairs, large)
    inside: set[str] = set()
    for other in _others(pairs, large, reach):
        near = reach.keys() if fresh is None or other in fresh else reach.keys() & fresh
        for small in near - pairs.had_by[other] - inside - {other}:
            longer = pairs.lengths[large] - pairs.lengths[small]
            if PART * longer <= pairs.lengths[other] <= reach[small]:
                inside.add(small)
    return inside


def _reach(pairs: _Pairs, large: str) -> dict[str, float]:
    """Texts near to ``large``, each with the greatest length of a text that may be in ``large`` besides."""
    reach = {}
    for small in pairs.near.get(large, ()):
        pair = _ordered(small, large)
        beside = (1 - pairs.found[pair].share_of(large, pair)) * pairs.lengths[large]
        reach[small] = beside / LEAST_BESIDE
    return reach


def _others(pairs: _Pairs, large: str, reach: Mapping[str, float]) -> list[str]:
    """What ``large`` holds and may be there besides a text that is near to it."""
    most = max(reach.values(), default=0.0)
    if most < MIN_OUTSIDER:
        return []
    return [one for one in pairs.held[large] if pairs.lengths[one] <= most]


def _pairs(store: Store, keys: set[str], larger: set[str], whole: set[str]) -> _Pairs:
    """All pairs of ``keys``, those by which one of ``larger`` holds another, and who has what is in those of
    ``whole``."""
    rows = store.rows(_TOUCHING, list_of(keys)).fetchall()
    rows += store.rows(_HELD, list_of(larger - keys)).fetchall()
    lengths: dict[str, int] = dict(
        store.rows(
            "select f.key, f.length from json_each(?) one join fingerprint f on f.key = one.value"
            " where exists (select 1 from piece_version v where v.text = f.text and v.removed_in is null)",
            list_of({key for row in rows for key in row[1:3]}),
        ).fetchall()
    )
    pairs = _Pairs(lengths)
    pairs.extend(rows)
    others: set[str] = set()
    for large in whole & pairs.near.keys():
        others.update(_others(pairs, large, _reach(pairs, large)))
    for small, large in store.rows(_HAD_BY, list_of(others - keys)):
        pairs.had_by[small].add(large)
    return pairs


# the smaller text of a pair is the one of which the other has the greater share
_HOLDERS = f"""
select r.b from json_each(?1) one join relation r on r.a = one.value
where r.removed_in is null and r.containment_a >= {HOLDS} and r.containment_a >= r.containment_b
union all select r.a from json_each(?1) one join relation r on r.b = one.value
where r.removed_in is null and r.containment_b >= {HOLDS} and r.containment_b > r.containment_a
"""
# where both hold less than that of the other, the pair is an overlap and says nothing about a compilation
_ROW = "r.id, r.a, r.b, r.relation, r.jaccard, r.containment_a, r.containment_b, r.shared, r.added_in"
_TELLING = f"r.removed_in is null and max(r.containment_a, r.containment_b) >= {APART}"
_TOUCHING = f"""
select {_ROW} from json_each(?1) one join relation r on r.a = one.value where {_TELLING}
union all select {_ROW} from json_each(?1) one join relation r on r.b = one.value where {_TELLING}
"""
_HELD = f"""
select {_ROW} from json_each(?1) one join relation r on r.b = one.value
where r.removed_in is null and r.containment_a >= {HOLDS} and r.containment_a >= r.containment_b
union all select {_ROW} from json_each(?1) one join relation r on r.a = one.value
where r.removed_in is null and r.containment_b >= {HOLDS} and r.containment_b > r.containment_a
"""
_HAD_BY = f"""
select r.a, r.b from json_each(?1) one join relation r on r.a = one.value
where r.removed_in is null and r.containment_a >= {APART}
union all select r.b, r.a from json_each(?1) one join relation r on r.b = one.value
where r.removed_in is null and r.containment_b >= {APART}
"""


def _relabel(store: Store, pair: Pair, found: _Found, kind: str) -> None:
    a, b = pair
    if found.added_in == store.pending:
        store.rows("update relation set relation = ? where id = ?", kind, found.row)
        earlier = store.rows(
            "select id, relation from relation where a = ? and b = ? and removed_in = ?", a, b, store.pending
        ).fetchone()
        if earlier is not None and earlier[1] == kind:
            store.rows("delete from relation where id = ?", found.row)
            store.rows("update relation set removed_in = null where id = ?", earlier[0])
        return
    store.rows("update relation set removed_in = ? where id = ?", store.pending, found.row)
    store.rows(
        "insert into relation (a, b, relation, jaccard, containment_a, containment_b, shared, added_in)"
        " select a, b, ?, jaccard, containment_a, containment_b, shared, ? from relation where id = ?",
        kind,
        store.pending,
        found.row,
    )


def _ordered(a: str, b: str) -> Pair:
    return (a, b) if a < b else (b, a)


def list_of(values: Iterable[str]) -> str:
    return json.dumps(sorted(values))


def column(store: Store, sql: str, values: Iterable[str]) -> set[str]:
    """First column of a query over a JSON list, which is its first parameter."""
    return {row[0] for row in store.rows(sql, list_of(values))}
