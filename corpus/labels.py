"""Labels relations: what a pair of texts is called, given all others around it.

The numbers of a pair say near, contains or overlap (:func:`fanwen.corpus.compare.relation`); only a
compilation changes that: a text that is near to a smaller one by its numbers, but holds a text besides that
the smaller one has not, contains it. Whether it does is a matter of the pairs of the larger text alone, so
after a change it is enough to look at the texts that changed and at those that hold one of them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fanwen.corpus.compare import Measure, relation
from fanwen.corpus.store import Store

MIN_OUTSIDER = 80  # folded code points: a stub in a text does not make that a compilation
OUTSIDERS = 16  # members of a text that are looked at, those first that have least of its greatest part
PART = 0.15  # of what is left of a text beside a smaller one: a shorter text makes it no compilation
HOLDS = 0.75  # of a text, so that it counts as a part
APART = 0.3  # a text of which a smaller share is in another one is not a part of that

Pair = tuple[str, str]


def label(store: Store, keys: set[str], left: set[str]) -> set[str]:
    """Give every pair around these texts its label; the texts of pairs whose label became another one.

    ``left`` are texts that were there and are no more: what held one of them may be no compilation now.
    """
    larger = keys | column(store, _HOLDERS, keys | left)
    pairs = _pairs(store, keys, larger)
    kinds = {pair: found.plain for pair, found in pairs.found.items() if not keys.isdisjoint(pair)}
    for large in larger & pairs.held.keys():
        members = pairs.held[large]
        inside = set(_inside(pairs, large, members))
        for one in members:
            pair = _ordered(one, large)
            kinds[pair] = pairs.found[pair].apart if one in inside else pairs.found[pair].plain
    changed = {pair: kind for pair, kind in kinds.items() if pairs.found[pair].kind != kind}
    for pair, kind in sorted(changed.items()):
        _relabel(store, pair, pairs.found[pair], kind)
    return {key for pair in changed for key in pair}


@dataclass(frozen=True, slots=True)
class _Found:
    """One pair of current texts; ``plain`` is what its numbers alone say."""

    row: int
    kind: str
    plain: str
    measure: Measure
    added_in: int

    @property
    def apart(self) -> str:
        """What the pair is if the larger text is a compilation, so that the two do not merge."""
        contained = max(self.measure.containment_a, self.measure.containment_b)
        return "contains" if contained >= HOLDS else "overlap"


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of current texts around some of them, and lengths in folded code points.

    ``shares[small][large]`` is the share of ``small`` that ``large`` has, where it is at least ``APART``;
    ``held[large]`` are the texts that it holds.
    """

    found: dict[Pair, _Found]
    lengths: Mapping[str, int]
    shares: dict[str, dict[str, float]]
    held: dict[str, list[str]]

    def add(self, pair: Pair, found: _Found) -> None:
        a, b = pair
        first, second = found.measure.containment_a, found.measure.containment_b
        self.found[pair] = found
        for small, large, share in ((a, b, first), (b, a, second)):
            if share >= APART:
                self.shares[small][large] = share
        small, large = (a, b) if first >= second else (b, a)
        if max(first, second) >= HOLDS and self.lengths[small] >= MIN_OUTSIDER:
            self.held[large].append(small)


def _inside(pairs: _Pairs, large: str, members: Sequence[str]) -> Iterator[str]:
    """Texts that are near to ``large`` by their numbers, though it is a compilation that holds others too."""
    if len(members) < 2:
        return
    near = [one for one in members if pairs.found[_ordered(one, large)].plain == "near"]
    if not near:
        return
    lengths, shares = pairs.lengths, pairs.shares
    greatest = max(near, key=lambda one: (lengths[one], one))
    # the longest of those that are apart from it: short pieces may be too short to count
    outsiders = sorted(members, key=lambda one: (shares[one].get(greatest, 0.0), -lengths[one], one))
    for small in near:
        least = PART * (lengths[large] - lengths[small])
        if any(
            small not in shares[other] and other != small and lengths[other] >= least
            for other in outsiders[:OUTSIDERS]
        ):
            yield small


def _pairs(store: Store, keys: set[str], larger: set[str]) -> _Pairs:
    """All pairs of ``keys``, those by which one of ``larger`` holds another, and all among these."""
    members = larger | column(store, _PARTS, larger)
    rows = store.rows(_TOUCHING, list_of(keys)).fetchall() + store.rows(_AMONG, list_of(members)).fetchall()
    lengths: dict[str, int] = dict(
        store.rows(
            "select f.key, f.length from json_each(?) one join fingerprint f on f.key = one.value"
            " where exists (select 1 from piece_version v where v.text = f.text and v.removed_in is null)",
            list_of({key for row in rows for key in row[1:3]}),
        ).fetchall()
    )
    pairs = _Pairs({}, lengths, defaultdict(dict), defaultdict(list))
    for number, a, b, kind, j, ca, cb, shared, added in rows:
        if a in lengths and b in lengths and (a, b) not in pairs.found:
            measure = Measure(j, ca, cb, shared)
            plain = relation(measure, lengths[a], lengths[b]) or "overlap"
            pairs.add((a, b), _Found(number, kind, plain, measure, added))
    return pairs


# the smaller text of a pair is the one of which the other has the greater share
_HOLDERS = f"""
select r.b from json_each(?1) one join relation r on r.a = one.value
where r.removed_in is null and r.containment_a >= {HOLDS} and r.containment_a >= r.containment_b
union all select r.a from json_each(?1) one join relation r on r.b = one.value
where r.removed_in is null and r.containment_b >= {HOLDS} and r.containment_b > r.containment_a
"""
_PARTS = f"""
select r.a from json_each(?1) one join relation r on r.b = one.value
where r.removed_in is null and r.containment_a >= {HOLDS} and r.containment_a >= r.containment_b
union all select r.b from json_each(?1) one join relation r on r.a = one.value
where r.removed_in is null and r.containment_b >= {HOLDS} and r.containment_b > r.containment_a
"""
# where both hold less than that of the other, the pair is an overlap and says nothing about a compilation
_ROW = "r.id, r.a, r.b, r.relation, r.jaccard, r.containment_a, r.containment_b, r.shared, r.added_in"
_TELLING = f"r.removed_in is null and max(r.containment_a, r.containment_b) >= {APART}"
_TOUCHING = f"""
select {_ROW} from json_each(?1) one join relation r on r.a = one.value where {_TELLING}
union all select {_ROW} from json_each(?1) one join relation r on r.b = one.value where {_TELLING}
"""
_AMONG = f"""
with member as materialized (select value as key from json_each(?))
select {_ROW} from member join relation r on r.a = member.key
where {_TELLING} and +r.b in (select key from member)
"""  # the plus: the pairs of a text are few, its possible partners many


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
