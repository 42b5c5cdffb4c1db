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
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fanwen.corpus.cluster import Clusters, Node, Rank, assign
from fanwen.corpus.labels import column, label, list_of
from fanwen.corpus.store import Store
from fanwen.corpus.versions import PieceState, current, fit_for_default, in_cluster, put_settled

PORTION = 25_000  # names taken from the table at a time: large families are read once for all of them


def settle(store: Store, *, final: bool = False) -> None:
    """Settle what changed. ``final``: a release is being made, so in every cluster that changed since the
    last one the best member becomes the canonical; otherwise a cluster of the last release keeps its own."""
    if final:
        store.rows("update unsettled set settled = 0")
    while names := store.rows(
        "select kind, name from unsettled where not settled order by kind, name limit ?", PORTION
    ).fetchall():
        with store.atomic():
            keys = _keys(store, names)
            family, more = _family(store, keys)
            _settle(store, keys | family, _left(store, names), final=final)
            store.conn.executemany(
                "update unsettled set settled = 1 where kind = ? and name = ?", [*names, *more]
            )


def _settle(store: Store, keys: set[str], left: set[str], *, final: bool) -> None:
    pieces = _together(store, keys | label(store, keys, left))
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
    return column(store, _NOW.format(name="v.piece"), of["piece"]) | column(
        store, _NOW.format(name="v.cluster"), of["cluster"]
    )


_NOW = """
select f.key from json_each(?) one join piece_version v on {name} = one.value
join fingerprint f on f.text = v.text where v.removed_in is null
"""


def _left(store: Store, names: Iterable[tuple[str, str]]) -> set[str]:
    """The folded texts that these pieces had in the last release and have no more."""
    return column(
        store,
        "select f.key from json_each(?) one join piece_version v on v.piece = one.value"
        f" join fingerprint f on f.text = v.text where v.removed_in = {store.pending}",
        [name for kind, name in names if kind == "piece"],
    )


def _family(store: Store, keys: set[str]) -> tuple[set[str], list[tuple[str, str]]]:
    """Texts near to these, directly or through others, that are to be settled too, and their names.

    They are settled with them: otherwise each portion would settle the rest of its families again.
    """
    family: set[str] = set()
    names: set[str] = set()
    fresh = keys
    while fresh:
        rows = store.rows(_NEAR_AND_UNSETTLED, list_of(fresh)).fetchall()
        fresh = {key for key, _ in rows} - keys - family
        family |= fresh
        names |= {name for _, name in rows}
    return family, [("piece", name) for name in sorted(names)]


@dataclass(frozen=True, slots=True)
class _Piece:
    """What settling needs to know of one current piece.

    ``now`` is its cluster so far, ``prior`` that in the last release, ``former`` that of a piece that had
    another text then.
    """

    id: str
    key: str
    url: str
    flags: tuple[str, ...]
    rank: Rank
    now: str | None
    prior: str | None
    former: str | None
    was_canonical: bool


def _together(store: Store, keys: set[str]) -> list[_Piece]:
    """The pieces with these folded texts and all that hang together with them, sorted by id."""
    known: set[str] = set()
    clusters: set[str] = set()
    pieces: list[_Piece] = []
    fresh = keys
    while fresh:
        known |= fresh
        found = [_piece(row) for row in store.rows(_PIECES.format(pending=store.pending), list_of(fresh))]
        pieces.extend(found)
        names = {name for piece in found for name in (piece.prior, piece.former) if name is not None}
        fresh = column(store, _NEAR_TO, fresh) | column(store, _ONCE_IN.format(pending=store.pending), names)
        mates = {piece.now for piece in found if piece.now is not None} - clusters
        fresh |= column(store, _NOW_IN, mates)
        clusters |= mates
        fresh -= known
    return sorted(pieces, key=lambda piece: piece.id)


# one row per current piece; ``base`` is its state in the last release, or before a hold that is over
_PIECES = """
select v.piece, f.key, d.url, v.flags, v.n_chars, dv.found_pieces, p.n, v.cluster,
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
_NEAR_AND_UNSETTLED = f"""
select f.key, v.piece from ({_NEAR_TO}) near cross join fingerprint f on f.key = near.b
cross join piece_version v on v.text = f.text and v.removed_in is null
where exists (select 1 from unsettled u where u.kind = 'piece' and u.name = v.piece and not u.settled)
"""
# current texts of the pieces that the last release had in these clusters
_ONCE_IN = """
select f.key from json_each(?) one
join piece_version base on base.cluster = one.value and base.added_in < {pending}
  and (base.removed_in is null or base.removed_in = {pending})
join piece_version v on v.piece = base.piece and v.removed_in is null
join fingerprint f on f.text = v.text
"""
_NOW_IN = """
select f.key from json_each(?) one join piece_version v on v.cluster = one.value and v.removed_in is null
join fingerprint f on f.text = v.text
"""


def _piece(row: Sequence[object]) -> _Piece:
    piece, key, url, flags_json, n_chars, found, n, now, first, base, was_canonical, same = row
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
        None if now is None else str(now),
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
            list_of(by_key),
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
    for state in current(store, "v.piece in (select value from json_each(?))", list_of(by_id)):
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
        list_of(names),
    )
    store.conn.executemany(
        "insert into cluster_alias (alias, cluster, added_in) values (?, ?, ?) on conflict do nothing",
        [(alias, name, store.pending) for alias, name in sorted(clusters.aliases.items())],
    )
