"""A cluster with every sighting of its text: where, when, at which place, how it relates to the canonical.

In goes what a person has at hand (the id of a piece or a cluster, a former name of one, the id that a
ready-made piece brought, a URL), out come :class:`Cluster`. Only reads, so a release can be asked too;
what is there is shown, nothing is computed anew or stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from fanwen.corpus.compare import Measure, Shingles, measure, relation
from fanwen.corpus.duplicates import text_of
from fanwen.corpus.normalise import fold
from fanwen.corpus.store import Store
from fanwen.corpus.types import Cluster, Edge, Member, Sighting
from fanwen.errors import UsageError
from fanwen.spiders.urls import canonical_url

_SAME = Measure(1.0, 1.0, 1.0, 0)
_COLUMNS = (
    "v.piece, p.given_id, d.url, d.site, v.title, d.first_seen, dv.fetched_at, dv.claimed_published,"
    " v.place, dv.found_pieces, v.n_chars, v.flags, v.excluded_why"
)
_ORIGIN = (
    " join piece p on p.id = v.piece join document d on d.id = p.document"
    " join document_version dv on dv.id = v.document_version"
)
_CURRENT = f"piece_version v{_ORIGIN}"


def clusters(store: Store, name: str) -> tuple[Cluster, ...]:
    """The cluster that ``name`` stands for; those of all its pieces where it is a URL.

    Raises :class:`UsageError` where the corpus holds nothing of that name now.
    """
    pieces = find_pieces(store, name)
    if not pieces:
        raise UsageError(
            f"No piece, cluster or page of the corpus is called {name} now;"
            " 'fanwen search' and 'fanwen duplicates' show ids."
        )
    # in the order of the page; a piece that was not settled yet is alone
    names = dict.fromkeys(_cluster_of(store, piece) or piece for piece in pieces)
    return tuple(_cluster(store, one) for one in names)


def find_pieces(store: Store, name: str) -> list[str]:
    """Current pieces that ``name`` stands for, as narrowly as possible; of a cluster one of its members."""
    for sql, value in _readings(name):
        found = [row[0] for row in store.rows(sql, value)]
        if found:
            return found
    return []


def _readings(name: str) -> Iterator[tuple[str, str]]:
    current = f"select v.piece from {_CURRENT} where v.removed_in is null and"
    yield f"{current} v.piece = ?", name
    yield f"{current} v.cluster = ? order by v.is_canonical desc, v.piece limit 1", name
    yield (
        f"{current} v.cluster = (with recursive leads (name) as (values (?) union select a.cluster"
        " from cluster_alias a join leads on a.alias = leads.name)"
        " select leads.name from leads join piece_version m on m.cluster = leads.name"
        " where m.removed_in is null limit 1) order by v.is_canonical desc, v.piece limit 1",
        name,
    )
    for given in (json.dumps(name, ensure_ascii=False), name):
        yield f"{current} p.given_id = ? order by v.piece", given
    for url in (name, _canonical(name)):
        yield f"{current} d.url = ? order by v.place", url


def _canonical(url: str) -> str:
    try:
        return canonical_url(url)
    except ValueError:
        return url


def _cluster_of(store: Store, piece: str) -> str | None:
    found: str | None = store.value(
        "select cluster from piece_version where piece = ? and removed_in is null", piece
    )
    return found


def _cluster(store: Store, name: str) -> Cluster:
    rows = store.rows(
        f"select {_COLUMNS}, f.key from {_CURRENT} left join fingerprint f on f.text = v.text"
        " where v.removed_in is null and (v.cluster = ?1 or (v.cluster is null and v.piece = ?1))"
        " order by v.is_canonical desc, d.first_seen, d.url, v.place, v.piece",
        name,
    ).fetchall()
    keys: dict[str, str | None] = {row[0]: row[-1] for row in rows}
    members = tuple(_members(store, [sighting(row) for row in rows], keys))
    return Cluster(name, _aliases(store, name), members, tuple(_edges(store, keys)))


def sighting(row: Sequence[Any]) -> Sighting:
    """From the columns of ``_COLUMNS``, whatever follows them."""
    piece, given, url, site, title, first, fetched, published, place, places, chars, flags, why = row[:13]
    given_id = None if given is None else json.loads(given)
    listed = tuple(json.loads(flags))
    return Sighting(
        piece, given_id, url, site, title, first, fetched, published, place, places, chars, listed, why
    )


def sightings_of(store: Store, pieces: Sequence[str]) -> dict[str, Sighting]:
    """Current pieces by id."""
    rows = store.rows(
        f"select {_COLUMNS} from json_each(?) one join piece_version v on v.piece = one.value{_ORIGIN}"
        " where v.removed_in is null",
        json.dumps(list(pieces)),
    )
    return {row[0]: sighting(row) for row in rows}


def _aliases(store: Store, name: str) -> tuple[str, ...]:
    rows = store.rows(
        "with recursive named (name) as (values (?) union select a.alias from cluster_alias a"
        " join named on a.cluster = named.name) select name from named order by name",
        name,
    )
    return tuple(alias for (alias,) in rows if alias != name)


def _members(store: Store, sightings: Sequence[Sighting], keys: dict[str, str | None]) -> Iterator[Member]:
    canonical = sightings[0]
    key = keys[canonical.piece_id]
    compared: dict[str | None, tuple[str, Measure]] = {key: ("exact", _SAME)}
    folded = _shingles(store, canonical.piece_id)
    for one in sightings:
        if one is canonical:
            yield Member(one, "canonical", 1.0, 1.0, 1.0)
            continue
        its_key = keys[one.piece_id]
        if its_key not in compared:
            its = _shingles(store, one.piece_id)
            found = measure(its, folded)
            compared[its_key] = relation(found, its.length, folded.length) or "none", found
        kind, found = compared[its_key]
        kind = _directed(kind, found.containment_a, found.containment_b)
        yield Member(one, kind, found.jaccard, found.containment_a, found.containment_b)


def _directed(kind: str, inside: float, around: float) -> str:
    """A relation as seen from the text whose share ``inside`` the other has."""
    return "contained_in" if kind == "contains" and inside > around else kind


def _shingles(store: Store, piece: str) -> Shingles:
    return Shingles(fold([text_of(store, piece)]).one(0))


# pairs with texts outside of the cluster, turned so that the first is the member's
_OUTSIDE = f"""
with mine (key) as (select value from json_each(?1)),
pairs (key, other, relation, inside, around) as (
  select a, b, relation, containment_a, containment_b from relation
  where a in (select key from mine) and b not in (select key from mine) and removed_in is null
  union all
  select b, a, relation, containment_b, containment_a from relation
  where b in (select key from mine) and a not in (select key from mine) and removed_in is null)
select {_COLUMNS}, pairs.key, pairs.relation, pairs.inside, pairs.around
from pairs join fingerprint f on f.key = pairs.other join piece_version v on v.text = f.text{_ORIGIN}
where v.removed_in is null
order by pairs.key, pairs.relation, v.piece
"""


def _edges(store: Store, keys: dict[str, str | None]) -> Iterator[Edge]:
    pieces_of: dict[str, list[str]] = {}
    for piece, key in keys.items():
        if key is not None:
            pieces_of.setdefault(key, []).append(piece)
    for row in store.rows(_OUTSIDE, json.dumps(sorted(pieces_of))):
        key, kind, inside, around = row[13:]
        for piece in pieces_of[key]:
            yield Edge(piece, _directed(kind, inside, around), inside, around, sighting(row))
