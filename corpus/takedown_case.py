"""What a takedown concerns: the pieces that are meant, their exact copies, their siblings, and the releases.

In go targets as a person names them (a URL, a host, the id of a piece or of a cluster, a text), out comes a
:class:`Plan`. Nothing is changed here. Raises UsageError for a target that is unknown or can mean two things.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fanwen.corpus.compare import Shingles, measure, relation
from fanwen.corpus.fingerprint import GRAMS, from_blob, gram_hashes
from fanwen.corpus.normalise import fold
from fanwen.corpus.store import Store
from fanwen.errors import UsageError
from fanwen.spiders.takedown import Takedown, named_host
from fanwen.spiders.urls import canonical_url

_CANDIDATE = 0.1  # of a text's fingerprints that the text asked for has, before the two are compared
_WITH_SIBLINGS = ("near", "contains", "cluster")


@dataclass(frozen=True, slots=True)
class Concerned:
    """A piece and why it is concerned: target, exact, near, contains (it holds the text), part, overlap,
    cluster.

    ``releases`` are those whose current state has it.
    """

    piece_id: str
    url: str
    title: str | None
    why: str
    state: str
    releases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a takedown would do. ``siblings`` are left alone, ``releases`` have the text in their files.

    ``states`` and ``texts`` are rows of piece_version and hashes of texts; ``pages`` are documents whose
    bytes a purge erases, ``innocent`` pieces that stand there too and stay.
    """

    pieces: tuple[Concerned, ...]
    siblings: tuple[Concerned, ...]
    releases: tuple[str, ...]
    hosts: tuple[str, ...]
    pages: tuple[str, ...]
    innocent: tuple[str, ...]
    states: tuple[int, ...]
    texts: tuple[str, ...]


def plan(store: Store, targets: Sequence[str], texts: Sequence[str] = (), *, siblings: bool = False) -> Plan:
    """What ``targets`` and ``texts`` concern.

    With ``siblings`` near copies, and pieces that hold the text, go along.
    """
    meant: set[str] = set()
    hosts: list[str] = []
    pages: set[str] = set()
    kin: dict[str, str] = {}
    for target in targets:
        found = _resolved(store, target)
        meant |= found.pieces
        pages |= found.pages
        hosts += [found.host] if found.host else []
    for text in texts:
        for piece, why in _like(store, text).items():
            if why in ("target", "near", "part"):
                meant.add(piece)
            else:
                kin[piece] = why
    kin |= _kin(store, meant)
    meant = _there(store, meant, targets)
    _must_be_some(meant, pages, kin, targets)
    if siblings:
        meant |= {piece for piece, why in kin.items() if why in _WITH_SIBLINGS}
        kin |= _kin(store, meant)
    states, hashes = _states(store, meant)
    copies = _copies(store, hashes)
    states |= set(copies)
    whole = dict.fromkeys(meant, "target")
    exact = {piece: "exact" for piece in copies.values() if piece not in whole}
    kin = {piece: why for piece, why in kin.items() if piece not in whole and piece not in exact}
    pages |= _column(store, _PAGES, meant | exact.keys())
    return Plan(
        pieces=tuple(_concerned(store, whole | exact)),
        siblings=tuple(_concerned(store, kin)),
        releases=releases_with(store, states),
        hosts=tuple(hosts),
        pages=tuple(sorted(pages)),
        innocent=tuple(sorted(_column(store, _ON_PAGES, pages) - meant - exact.keys())),
        states=tuple(sorted(states)),
        texts=tuple(sorted(hashes)),
    )


def releases_with(store: Store, states: Iterable[int]) -> tuple[str, ...]:
    """Releases whose files have these states: a release also keeps what ended before it.

    What was on hold when a release was made has no text there.
    """
    rows = store.rows(
        "select r.version from release r where not r.withdrawn and exists (select 1 from json_each(?) one"
        " join piece_version v on v.id = one.value where v.added_in <= r.seq and not exists"
        "  (select 1 from tombstone t where t.piece = v.piece and t.kind = 'hold' and t.added_in <= r.seq"
        "   and (t.lifted_in is null or t.lifted_in > r.seq))) order by r.seq",
        json.dumps(sorted(states)),
    )
    return tuple(version for (version,) in rows)


# -- what is meant ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """What one target names: pieces, and pages of the archive that may have given none."""

    pieces: set[str]
    pages: set[str] = field(default_factory=set)
    host: str | None = None


def _resolved(store: Store, target: str) -> _Found:
    if "://" in target or target.startswith("urn:"):
        return _of_url(store, target)
    kind, _, name = target.partition(":")
    if kind == "host":
        return _of_host(store, name)
    is_piece = store.value("select 1 from piece where id = ?", target) is not None
    if kind == "piece" and not is_piece:
        return _Found({name})
    members = _column(store, _MEMBERS, [name if kind == "cluster" and not is_piece else target])
    if is_piece and members - {target}:
        raise UsageError(
            f"'{target}' is a piece and a cluster of {len(members)} pieces;"
            f" write piece:{target} or cluster:{target}."
        )
    if is_piece:
        return _Found({target})
    if not members and "." in target and "/" not in target and kind != "cluster":
        return _of_host(store, target)
    return _Found(members)


def _of_url(store: Store, url: str) -> _Found:
    try:
        wanted = Takedown(urls=frozenset({_comparable(url)}))
    except ValueError:
        raise UsageError(f"'{url}' is no URL that can be read; write it as it is in the browser.") from None
    return _of_documents(store, wanted, _on_part(store, wanted))


def _of_host(store: Store, name: str) -> _Found:
    try:
        host = named_host(name)
    except ValueError:
        raise UsageError(f"'{name}' is no host; write it like www.example.com.") from None
    return replace(_of_documents(store, Takedown(hosts=frozenset({host})), set()), host=host)


def _of_documents(store: Store, wanted: Takedown, numbers: set[int]) -> _Found:
    """The documents that are named, and those with these numbers."""
    rows = store.rows("select id, key, url, source from document").fetchall()
    named = [row for row in rows if row[0] in numbers or wanted.names(row[2]) or wanted.names(row[1])]
    pieces = _column(
        store,
        "select p.id from json_each(?) one join piece p on p.document = one.value",
        [row[0] for row in named],
    )
    return _Found(pieces, {key for _, key, _, source in named if source == "archive"})


def _comparable(url: str) -> str:
    return url if url.startswith("urn:") else Takedown.key(canonical_url(url))


def _on_part(store: Store, wanted: Takedown) -> set[int]:
    """Documents one of whose pages has the URL."""
    rows = store.rows(
        "select distinct w.document, json_extract(j.value, '$.url')"
        " from document_version w, json_each(w.bodies) j"
    )
    return {document for document, url in rows if url and wanted.names(url)}


def _like(store: Store, text: str) -> dict[str, str]:
    """Pieces that are like a text, by relation: target where they are equal but for signs and blanks."""
    folded = fold([text])
    mine = Shingles(folded.one(0))
    grams = np.concatenate([gram_hashes(folded.one(0), gram) for gram in GRAMS])
    keys: dict[str, str] = {}
    rows = store.rows(
        "select f.key, f.marks, min(f.text) from fingerprint f join text t on t.sha256 = f.text"
        " where t.body is not null group by f.key"
    )
    for key, blob, sha256 in rows:
        if key == folded.key(0):
            keys[key] = "target"
            continue
        marks = from_blob(blob)
        shared = int(np.isin(marks, grams).sum())
        # a long compilation shares few of its own fingerprints with a text that it holds
        if shared < 2 and shared < max(1, _CANDIDATE * len(marks)):
            continue
        body = store.value("select body from text where sha256 = ?", sha256)
        other = Shingles(fold([body]).one(0))
        found = measure(mine, other)
        kind = relation(found, mine.length, other.length)
        if kind == "contains":
            kind = "contains" if found.containment_a >= found.containment_b else "part"
        if kind is not None:
            keys[key] = kind
    pieces = store.rows(
        "select v.piece, f.key from json_each(?) one join fingerprint f on f.key = one.value"
        " join piece_version v on v.text = f.text",
        _list(keys),
    )
    return {piece: keys[key] for piece, key in pieces}


def _there(store: Store, pieces: set[str], targets: Sequence[str]) -> set[str]:
    """Those of the pieces that have a text, here or on hold. Raises UsageError where all are gone."""
    kept = _column(
        store,
        "select v.piece from json_each(?1) one join piece_version v on v.piece = one.value"
        " where v.withdrawn is null union select t.piece from json_each(?1) one"
        " join tombstone t on t.piece = one.value where t.state is not null",
        pieces,
    )
    cases = _column(
        store,
        "select t.case_id from json_each(?) one join tombstone t on t.piece = one.value"
        " where t.kind = 'purge'",
        pieces - kept,
    )
    if cases and not kept:
        raise UsageError(f"{', '.join(targets)}: erased already, in the case {', '.join(sorted(cases))}.")
    return kept


def _must_be_some(meant: set[str], pages: set[str], kin: Mapping[str, str], targets: Sequence[str]) -> None:
    if meant or pages:
        return
    if kin:
        raise UsageError(
            "No piece is that text or near to it, but others hold or overlap it:"
            f" {', '.join(sorted(kin))}; name those that you mean."
        )
    named = ", ".join(f"'{target}'" for target in targets) or "this text"
    raise UsageError(
        f"No piece is known under {named}; 'fanwen search' shows ids and URLs. What was never taken in can be"
        " named in takedown.txt."
    )


# -- what hangs together with it ----------------------------------------------------------------------


def _kin(store: Store, pieces: set[str]) -> dict[str, str]:
    """Current pieces that share text with these, and how."""
    keys = _column(store, _KEYS, pieces)
    found: dict[str, str] = dict.fromkeys(_column(store, _CLUSTERED, pieces), "cluster")
    rows = store.rows(
        "select r.a, r.b, r.relation, r.containment_a, r.containment_b from json_each(?1) one"
        " join relation r on r.a = one.value where r.removed_in is null"
        " union select r.a, r.b, r.relation, r.containment_a, r.containment_b from json_each(?1) one"
        " join relation r on r.b = one.value where r.removed_in is null",
        _list(keys),
    ).fetchall()
    for a, b, kind, in_b, in_a in rows:
        other, mine_in_other, other_in_mine = (b, in_b, in_a) if a in keys else (a, in_a, in_b)
        if kind == "contains":
            kind = "contains" if mine_in_other >= other_in_mine else "part"
        for (piece,) in store.rows(
            "select v.piece from fingerprint f join piece_version v on v.text = f.text"
            " where f.key = ? and v.removed_in is null",
            other,
        ):
            found[piece] = kind
    return {piece: why for piece, why in found.items() if piece not in pieces}


def _states(store: Store, pieces: set[str]) -> tuple[set[int], set[str]]:
    """Every kept state of the pieces, and the texts that these hold and show."""
    rows = store.rows(
        "select v.id, v.text, v.text_original, v.published from json_each(?) one"
        " join piece_version v on v.piece = one.value where v.withdrawn is null",
        _list(pieces),
    ).fetchall()
    hashes = {text for _, *texts in rows for text in texts if text is not None}
    for (state,) in store.rows(
        "select t.state from json_each(?) one join tombstone t on t.piece = one.value"
        " where t.state is not null",
        _list(pieces),
    ):
        held = json.loads(state)["piece"]
        hashes |= {held[name] for name in ("text", "text_original", "published") if held[name]}
    return {number for number, *_ in rows}, hashes


def _copies(store: Store, hashes: set[str]) -> dict[int, str]:
    """States that hold or show one of these texts, or one that differs in signs and blanks only."""
    rows = store.rows(
        "with one(sha256) as (select value from json_each(?)),"
        " same(sha256) as (select sha256 from one union select f.text from fingerprint f where f.key in"
        "  (select g.key from one join fingerprint g on g.text = one.sha256))"
        " select v.id, v.piece from same join piece_version v on v.text = same.sha256"
        "  where v.withdrawn is null"
        " union select v.id, v.piece from same join piece_version v on v.published = same.sha256"
        "  where v.withdrawn is null",
        _list(hashes),
    )
    return dict(rows.fetchall())


def _concerned(store: Store, pieces: Mapping[str, str]) -> Iterator[Concerned]:
    for piece, why in sorted(pieces.items(), key=lambda item: (item[1] != "target", item[1], item[0])):
        row = store.rows(
            "select d.url, v.title, v.removed_in is null and v.id is not null from piece p"
            " join document d on d.id = p.document left join piece_version v on v.piece = p.id"
            " where p.id = ? order by v.removed_in is null desc, v.added_in desc limit 1",
            piece,
        ).fetchone()
        if row is None:
            continue
        held = store.value(
            "select 1 from tombstone where piece = ? and kind = 'hold' and lifted_in is null", piece
        )
        versions = store.rows(
            "select distinct r.version from release r join piece_version v on v.piece = ?"
            " and v.added_in <= r.seq and (v.removed_in is null or v.removed_in > r.seq) order by r.seq",
            piece,
        )
        state = "held" if held else "current" if row[2] else "past"
        yield Concerned(piece, row[0], row[1], why, state, tuple(version for (version,) in versions))


# cluster members, now or by the name that the cluster had
_MEMBERS = """
select v.piece from json_each(?) one
left join cluster_alias a on a.alias = one.value
join piece_version v on v.cluster = coalesce(a.cluster, one.value) where v.removed_in is null
"""
_KEYS = """
select f.key from json_each(?) one join piece_version v on v.piece = one.value
join fingerprint f on f.text = v.text where v.withdrawn is null
"""
_CLUSTERED = """
select o.piece from json_each(?) one
join piece_version v on v.piece = one.value and v.removed_in is null
join piece_version o on o.cluster = v.cluster and o.removed_in is null
"""
_PAGES = """
select d.key from json_each(?) one join piece p on p.id = one.value
join document d on d.id = p.document where d.source = 'archive'
"""
_ON_PAGES = """
select p.id from json_each(?) one join document d on d.key = one.value
join piece p on p.document = d.id join piece_version v on v.piece = p.id
where v.removed_in is null
"""


def _list(values: Iterable[object]) -> str:
    return json.dumps(sorted(values, key=str))


def _column(store: Store, sql: str, values: Iterable[object]) -> set[str]:
    """First column of a query over a JSON list."""
    return {row[0] for row in store.rows(sql, _list(values))}
