"""Labels relations, forms clusters and chooses canonicals, for what changed since it was last done.

In go pieces that changed and pairs that were compared, by name in the table ``unsettled``; out come labels,
``cluster`` and ``is_canonical`` of these pieces and of all that hang together with them: through near links,
or because they were in one cluster. What does not hang together with a change keeps what it has, so the time
depends on the change and not on the corpus, and the answer is that of doing it for the whole corpus at once.

Each portion is one transaction, so a kill loses no more than one portion's work.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fanwen.corpus.cluster import Clusters, Node, Rank, assign
from fanwen.corpus.compare import Measure, relation
from fanwen.corpus.store import Store
from fanwen.corpus.versions import PieceState, current, fit_for_default, in_cluster, put_settled

PORTION = 5_000  # names taken from the table at a time
MIN_OUTSIDER = 80  # folded code points: a stub in a text does not make that a compilation
OUTSIDERS = 16
APART = 0.3  # a text of which a smaller share is in another one is not a part of that

Pair = tuple[str, str]


def settle(store: Store, *, final: bool = False) -> None:
    """Settle what changed. ``final``: a release is being made, so in every cluster that changed since the
    last one the best member becomes the canonical; otherwise a cluster of the last release keeps its own."""
    if final:
        store.rows("update unsettled set settled = 0")
    while names := store.rows(
        "select kind, name from unsettled where not settled order by kind, name limit ?", PORTION
    ).fetchall():
        with store.atomic():
            _settle(store, names, final=final)
            store.conn.executemany("update unsettled set settled = 1 where kind = ? and name = ?", names)


def _settle(store: Store, names: Iterable[tuple[str, str]], *, final: bool) -> None:
    changed = _keys(store, names)
    changed |= _label(store, changed)
    pieces = _together(store, changed)
    clusters = _clusters(store, pieces)
    canonical = _canonicals(pieces, clusters, final=final)
    _write(store, pieces, clusters, canonical)
    _write_aliases(store, pieces, clusters)


# -- what a change touches ------------------------------------------------------------------------


def _keys(store: Store, names: Iterable[tuple[str, str]]) -> set[str]:
    """The folded texts, by key, that these names stand for now."""
    of: dict[str, list[str]] = defaultdict(list)
    for kind, name in names:
        of[kind].append(name)
    keys = set(of["key"])
    for kind, column in (("piece", "v.piece"), ("cluster", "v.cluster")):
        keys |= _column(
            store,
            "select f.key from json_each(?) one join piece_version v on "
            f"{column} = one.value join fingerprint f on f.text = v.text where v.removed_in is null",
            of[kind],
        )
    return keys


@dataclass(frozen=True, slots=True)
class _Piece:
    """What settling needs to know of one current piece.

    ``prior`` is its cluster in the last release, ``former`` that of a piece that had another text then.
    """

    id: str
    key: str
    url: str
    flags: tuple[str, ...]
    rank: Rank
    prior: str | None
    former: str | None
    was_canonical: bool


def _together(store: Store, keys: set[str]) -> list[_Piece]:
    """The pieces with these folded texts and all that hang together with them, sorted by id."""
    known: set[str] = set()
    pieces: list[_Piece] = []
    fresh = keys
    while fresh:
        known |= fresh
        found = [_piece(row) for row in store.rows(_PIECES.format(pending=store.pending), _list(fresh))]
        pieces.extend(found)
        names = {name for piece in found for name in (piece.prior, piece.former) if name is not None}
        fresh = _column(store, _NEAR_TO, fresh) | _column(
            store, _ONCE_IN.format(pending=store.pending), names
        )
        fresh |= _column(store, _NOW_WITH, [piece.id for piece in found])
        fresh -= known
    return sorted(pieces, key=lambda piece: piece.id)


# one row per current piece; ``base`` is its state in the last release, or before a hold that is over
_PIECES = """
select v.piece, f.key, d.url, v.flags, v.n_chars, dv.found_pieces, p.n,
  (select min(added_in) from piece_version o where o.piece = v.piece),
  base.cluster, base.is_canonical, base.text = v.text
from json_each(?) one
join fingerprint f on f.key = one.value
join piece_version v on v.text = f.text and v.removed_in is null
join piece p on p.id = v.piece join document d on d.id = p.document
join document_version dv on dv.id = v.document_version
left join piece_version base on base.id = (
  select b.id from piece_version b where b.piece = v.piece and b.added_in < {pending}
  order by b.removed_in is null desc, b.removed_in desc limit 1)
  and (base.removed_in is null or base.removed_in = {pending} or base.removed_why = 'held')
"""
_NEAR_TO = """
select r.b from json_each(?1) one join relation r on r.a = one.value
where r.relation = 'near' and r.removed_in is null
union select r.a from json_each(?1) one join relation r on r.b = one.value
where r.relation = 'near' and r.removed_in is null
"""
# current texts of the pieces that the last release had in these clusters
_ONCE_IN = """
select f.key from json_each(?) one
join piece_version base on base.cluster = one.value and base.added_in < {pending}
  and (base.removed_in is null or base.removed_in = {pending})
join piece_version v on v.piece = base.piece and v.removed_in is null
join fingerprint f on f.text = v.text
"""
_NOW_WITH = """
select f.key from json_each(?) one
join piece_version mine on mine.piece = one.value and mine.removed_in is null
join piece_version v on v.cluster = mine.cluster and v.removed_in is null
join fingerprint f on f.text = v.text
"""


def _piece(row: Sequence[object]) -> _Piece:
    piece, key, url, flags_json, n_chars, found, n, first, base, was_canonical, same = row
    flags = tuple(json.loads(str(flags_json)))
    rank: Rank = (
        int(not fit_for_default(flags)),
        int("incomplete" in flags),
        int("damaged" in flags),
        int(int(str(found)) > 1),
        -int(str(n_chars)),
        int(str(first)),
        str(url),
        int(str(n)),
        str(piece),
    )
    return _Piece(
        str(piece),
        str(key),
        str(url),
        flags,
        rank,
        str(base) if base is not None and same else None,
        str(base) if base is not None and not same else None,
        bool(was_canonical and same),
    )


# -- clusters and canonicals ----------------------------------------------------------------------


def _clusters(store: Store, pieces: Sequence[_Piece]) -> Clusters:
    by_key: dict[str, list[_Piece]] = defaultdict(list)
    for piece in pieces:
        by_key[piece.key].append(piece)
    nodes = [
        Node(
            key,
            min(piece.rank for piece in group),
            tuple(piece.id for piece in group),
            min((piece.prior for piece in group if piece.prior is not None), default=None),
            tuple(sorted({piece.former for piece in group if piece.former is not None})),
        )
        for key, group in by_key.items()
    ]
    links = [
        (str(a), str(b))
        for a, b in store.rows(
            "select r.a, r.b from json_each(?) one join relation r on r.a = one.value"
            " where r.relation = 'near' and r.removed_in is null",
            _list(by_key),
        )
        if b in by_key
    ]
    return assign(nodes, links, _Used(store, {piece.id for piece in pieces}))


class _Used:
    """Names that no new cluster may get: those of earlier releases, and of clusters settled apart."""

    def __init__(self, store: Store, here: Container[str]) -> None:
        self._store = store
        self._here = here

    def __contains__(self, name: object) -> bool:
        released = self._store.value(
            "select 1 from piece_version where cluster = ?1 and added_in < ?2"
            " union all select 1 from cluster_alias where alias = ?1 and added_in < ?2 limit 1",
            name,
            self._store.pending,
        )
        if released is not None:
            return True
        apart = self._store.rows(
            "select piece from piece_version where cluster = ? and removed_in is null", name
        )
        return any(piece not in self._here for (piece,) in apart)


def _canonicals(pieces: Sequence[_Piece], clusters: Clusters, *, final: bool) -> dict[str, str]:
    """The piece that stands for each cluster."""
    best: dict[str, tuple[bool, Rank, str]] = {}
    for piece in pieces:
        name = clusters.of[piece.key]
        sticky = not final and piece.was_canonical and piece.prior == name and not piece.rank[0]
        candidate = (not sticky, piece.rank, piece.id)
        if name not in best or candidate < best[name]:
            best[name] = candidate
    return {name: piece for name, (_, _, piece) in best.items()}


def _write(store: Store, pieces: Sequence[_Piece], clusters: Clusters, canonical: Mapping[str, str]) -> None:
    by_id = {piece.id: piece for piece in pieces}
    changed: list[PieceState] = []
    for state in current(store, "v.piece in (select value from json_each(?))", _list(by_id)):
        piece = by_id[state.piece]
        name = clusters.of[piece.key]
        moved = in_cluster(state, piece.url, piece.flags, name, canonical[name])
        if moved is not state:
            changed.append(moved)
    for state in changed:
        put_settled(store, state)


def _write_aliases(store: Store, pieces: Sequence[_Piece], clusters: Clusters) -> None:
    names = {name for piece in pieces for name in (piece.prior, piece.former) if name is not None}
    store.rows(
        "delete from cluster_alias where added_in = ? and alias in (select value from json_each(?))",
        store.pending,
        _list(names),
    )
    store.conn.executemany(
        "insert into cluster_alias (alias, cluster, added_in) values (?, ?, ?) on conflict do nothing",
        [(alias, name, store.pending) for alias, name in sorted(clusters.aliases.items())],
    )


# -- labels of relations --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """One pair of current texts."""

    row: int
    kind: str
    measure: Measure
    added_in: int


@dataclass(slots=True)
class _Pairs:
    """Pairs of current texts around some of them, and lengths in folded code points."""

    found: dict[Pair, _Found]
    lengths: dict[str, int]

    def inside(self, small: str, large: str) -> float:
        """Share of ``small`` that ``large`` has; 0 where the pair has no relation."""
        pair = self.found.get(_ordered(small, large))
        if pair is None:
            return 0.0
        return pair.measure.containment_a if small < large else pair.measure.containment_b

    def plain(self, pair: Pair) -> str:
        """What the numbers of a pair alone say."""
        a, b = pair
        return relation(self.found[pair].measure, self.lengths[a], self.lengths[b]) or "overlap"


def _label(store: Store, keys: set[str]) -> set[str]:
    """Give every pair around these texts its relation; the texts whose relations became others.

    Only a compilation changes what the numbers of a pair say: a near pair whose larger text also holds a text
    that the smaller one has not. Whether it does is a matter of the pairs of the larger text alone.
    """
    around = keys | _column(store, _HOLDING, keys)
    pairs = _pairs(store, keys, around)
    held: dict[str, list[str]] = defaultdict(list)
    for a, b in pairs.found:
        small, large = (a, b) if pairs.inside(a, b) >= pairs.inside(b, a) else (b, a)
        if pairs.inside(small, large) >= 0.75 and pairs.lengths[small] >= MIN_OUTSIDER:
            held[large].append(small)
    kinds = {pair: pairs.plain(pair) for pair in pairs.found if not keys.isdisjoint(pair)}
    for large in around:
        for small in _dominant(pairs, large, held.get(large, ())):
            found = pairs.found[_ordered(small, large)].measure
            contained = max(found.containment_a, found.containment_b) >= 0.75
            kinds[_ordered(small, large)] = "contains" if contained else "overlap"
        for small in held.get(large, ()):
            kinds.setdefault(_ordered(small, large), pairs.plain(_ordered(small, large)))
    changed = {pair: kind for pair, kind in kinds.items() if pairs.found[pair].kind != kind}
    for pair, kind in sorted(changed.items()):
        _relabel(store, pair, pairs.found[pair], kind)
    return {key for pair in changed for key in pair}


def _dominant(pairs: _Pairs, large: str, members: Sequence[str]) -> Iterator[str]:
    """Texts that are near to ``large`` by their numbers, though it is a compilation that holds others too."""
    near = [one for one in members if pairs.plain(_ordered(one, large)) == "near"]
    if not near or len(members) < 2:
        return
    greatest = max(near, key=lambda one: (pairs.lengths[one], one))
    outsiders = sorted(members, key=lambda one: (pairs.inside(one, greatest), one))[:OUTSIDERS]
    for small in near:
        rest = pairs.lengths[large] - pairs.lengths[small]
        if any(
            other != small and pairs.inside(other, small) < APART and pairs.lengths[other] >= 0.15 * rest
            for other in outsiders
        ):
            yield small


def _pairs(store: Store, keys: set[str], around: set[str]) -> _Pairs:
    """All pairs of ``keys``, those by which one of ``around`` holds another, and all among these."""
    found: dict[Pair, _Found] = {}
    members = around | _column(store, _HOLDING, around)
    for number, a, b, kind, j, ca, cb, shared, added in store.rows(_OPEN, _list(members)):
        if (a in members and b in members) or a in keys or b in keys:
            found[a, b] = _Found(number, kind, Measure(j, ca, cb, shared), added)
    ends = {key for pair in found for key in pair}
    lengths: dict[str, int] = dict(
        store.rows(
            "select f.key, f.length from json_each(?) one join fingerprint f on f.key = one.value"
            " where exists (select 1 from piece_version v where v.text = f.text and v.removed_in is null)",
            _list(ends),
        ).fetchall()
    )
    return _Pairs({pair: one for pair, one in found.items() if lengths.keys() >= {*pair}}, lengths)


# one of the two holds most of the other, whichever it is
_HOLDING = """
select r.b from json_each(?1) one join relation r on r.a = one.value
where r.removed_in is null and max(r.containment_a, r.containment_b) >= 0.75
union select r.a from json_each(?1) one join relation r on r.b = one.value
where r.removed_in is null and max(r.containment_a, r.containment_b) >= 0.75
"""
# where both hold less than that of the other, the pair is an overlap and says nothing about a compilation
_OPEN = f"""
select r.id, r.a, r.b, r.relation, r.jaccard, r.containment_a, r.containment_b, r.shared, r.added_in
from json_each(?1) one join relation r on r.a = one.value
where r.removed_in is null and max(r.containment_a, r.containment_b) >= {APART}
union
select r.id, r.a, r.b, r.relation, r.jaccard, r.containment_a, r.containment_b, r.shared, r.added_in
from json_each(?1) one join relation r on r.b = one.value
where r.removed_in is null and max(r.containment_a, r.containment_b) >= {APART}
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


def _list(values: Iterable[str]) -> str:
    return json.dumps(sorted(values))


def _column(store: Store, sql: str, values: Iterable[str]) -> set[str]:
    """First column of a query over a JSON list, which is its first parameter."""
    return {row[0] for row in store.rows(sql, _list(values))}
