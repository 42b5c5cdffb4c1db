"""Finds duplicates among the current pieces and settles clusters and canonicals in corpus.db.

Steps, each committed in batches and each picking up where it stopped: fingerprints of new texts;
comparison of new folded texts with all others; labels of relations; clusters. Comparing gives
facts about pairs of folded texts, which never change; labels, clusters and canonicals are functions
of these facts, of the current pieces and of the last release.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.candidates import candidates
from fanwen.corpus.cluster import Clusters, Node, Rank, assign
from fanwen.corpus.compare import Measure, Shingles, measure_all, relation, shingles_of
from fanwen.corpus.fingerprint import SIGNATURE_VERSION, Hashes, fingerprints, from_blob, to_blob
from fanwen.corpus.normalise import FOLD_VERSION, fold
from fanwen.corpus.segments import TEXT, Segment, Segments, Texts, segment_of
from fanwen.corpus.store import Store
from fanwen.corpus.versions import (
    PieceState,
    cluster_dirty,
    current,
    finish,
    fit_for_default,
    mark_dirty,
    put_piece,
)

SPEC = f"{FOLD_VERSION}.{SIGNATURE_VERSION}"
BATCH = 1000
COMPARED_AT_ONCE = 10_000
OLD_AT_ONCE = 2_000  # texts whose shingles are in memory beside those of the newcomers, 20 KB each

Progress = Callable[[str, int, int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DedupReport:
    """What one run found. Relations are pairs of folded texts (exact copies count as one text)."""

    compared: int
    near: int
    contains: int
    overlap: int
    exact_pieces: int
    clusters: int
    clusters_of_several: int


def update(store: Store, progress: Progress | None = None) -> DedupReport:
    """Bring fingerprints, relations, clusters and canonicals up to the current pieces."""
    add_fingerprints(store, progress)
    compared = compare_new(store, progress)
    if compared or cluster_dirty(store):
        settle(store)
    return report(store, compared)


def report(store: Store, compared: int = 0) -> DedupReport:
    live = live_keys(store)
    kinds = Counter(
        kind
        for a, b, kind in store.rows("select a, b, relation from relation where removed_in is null")
        if a in live and b in live
    )
    sizes = store.rows(
        "select count(*), coalesce(sum(n > 1), 0) from (select count(*) as n from piece_version"
        " where removed_in is null and cluster is not null group by cluster)"
    ).fetchone()
    exact = store.value(
        "select coalesce(sum(n - 1), 0) from (select count(*) as n from piece_version v"
        " join fingerprint f on f.text = v.text where v.removed_in is null group by f.key)"
    )
    return DedupReport(compared, kinds["near"], kinds["contains"], kinds["overlap"], exact, *sizes)


def live_keys(store: Store) -> set[str]:
    """Keys of the current pieces' texts."""
    rows = store.rows(
        "select f.key from piece_version v join fingerprint f on f.text = v.text where v.removed_in is null"
    )
    return {row[0] for row in rows}


def add_fingerprints(store: Store, progress: Progress | None = None) -> None:
    todo = store.rows(
        "select distinct v.text from piece_version v join text t on t.sha256 = v.text"
        " left join fingerprint f on f.text = v.text"
        " where v.removed_in is null and f.text is null and t.body is not null order by v.text"
    ).fetchall()
    for at in range(0, len(todo), BATCH):
        hashes = [row[0] for row in todo[at : at + BATCH]]
        folded = fold([store.value("select body from text where sha256 = ?", one) for one in hashes])
        lengths = np.diff(folded.bounds).tolist()
        rows = [
            (one, folded.key(i), lengths[i], SPEC, to_blob(marks))
            for i, (one, marks) in enumerate(zip(hashes, fingerprints(folded), strict=True))
        ]
        with store.atomic():
            store.conn.executemany(
                "insert into fingerprint (text, key, length, spec, marks) values (?, ?, ?, ?, ?)", rows
            )
        if progress:
            progress("fingerprints", min(at + BATCH, len(todo)), len(todo))


def compare_new(store: Store, progress: Progress | None = None) -> int:
    """Compare every folded text that was not compared yet with all others; how many there were."""
    with store.atomic():
        # a new text that folds to a known key needs no comparison
        store.rows(
            "update fingerprint set compared = 1 where compared = 0"
            " and key in (select key from fingerprint where compared = 1)"
        )
    todo = [
        row[0] for row in store.rows("select distinct key from fingerprint where compared = 0 order by key")
    ]
    if not todo:
        return 0
    corpus = _Compared(store)
    for at in range(0, len(todo), COMPARED_AT_ONCE):
        batch = todo[at : at + COMPARED_AT_ONCE]
        rows = list(corpus.compare(batch, progress))
        with store.atomic():
            for part in batched(rows, BATCH):
                store.conn.executemany(
                    "insert into relation"
                    " (a, b, relation, jaccard, containment_a, containment_b, shared, added_in)"
                    f" values (?, ?, ?, ?, ?, ?, ?, {store.pending}) on conflict do nothing",
                    part,
                )
            store.conn.executemany(
                "update fingerprint set compared = 1 where key = ?", [(key,) for key in batch]
            )
            mark_dirty(store)
        corpus.keep()
    return len(todo)


RelationRow = tuple[str, str, str, float, float, float, int]


class _Compared:
    """The folded texts that were compared so far, by number, with their index on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = Segments(store.path.parent / "index", SPEC)
        self._catch_up()
        self._known = len(self._index)
        self._texts = self._index.texts
        self._parent: NDArray[np.int64] | None = None
        self._shingles: dict[int, Shingles] = {}

    def compare(self, batch: Sequence[str], progress: Progress | None) -> Iterator[RelationRow]:
        """The relations of texts that were not compared yet; ``keep`` them once these are written."""
        self._known = len(self._index)
        self._new = _records(self._store, batch)
        self._texts = np.concatenate((self._index.texts, self._new.texts))
        self._parent = None
        self._shingles.clear()
        segment = self._new.segment(self._known)
        pairs = candidates(list(self._index), segment, self._texts, self._clusters_of)
        done = 0
        for part in self._portions(pairs):
            self._load(part)
            for a, others in _grouped(part):
                found = measure_all(self._shingles[a], [self._shingles[b] for b in others])
                for b, measured in zip(others, found, strict=True):
                    kind = relation(measured, self._shingles[a].length, self._shingles[b].length)
                    if kind is not None:
                        yield _ordered(self._key(a), self._key(b), kind, measured)
            done += len(part)
            if progress:
                progress("comparing", done, len(pairs))

    def keep(self) -> None:
        """The batch is committed: it belongs to the index from now on."""
        self._index.append(self._new.texts, self._new.segment(self._known))

    def _catch_up(self) -> None:
        """Bring the index to what was compared: it is behind after a kill, or was deleted."""
        compared = "select distinct key from fingerprint where compared = 1 order by key"
        if self._store.value(f"select count(*) from ({compared})") == len(self._index):
            return
        keys = [row[0] for row in self._store.rows(compared)]
        held = {key.hex() for key in self._index.texts["key"].tolist()}
        if not held <= set(keys):  # texts were erased since
            self._index.clear()
            held = set()
        missing = [key for key in keys if key not in held]
        for part in batched(missing, COMPARED_AT_ONCE):
            records = _records(self._store, part)
            self._index.append(records.texts, records.segment(len(self._index)))

    def _portions(self, pairs: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """The pairs in portions of so many texts that their shingles fit into memory; by their first text."""
        begins = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
        for at in range(0, len(begins), OLD_AT_ONCE):
            end = begins[at + OLD_AT_ONCE] if at + OLD_AT_ONCE < len(begins) else len(pairs)
            yield pairs[begins[at] : end]

    def _load(self, pairs: NDArray[np.int64]) -> None:
        """Shingles of all texts of these pairs; those of newcomers stay, as any pair may need them."""
        wanted = np.unique(pairs).tolist()
        needed = set(wanted)
        self._shingles = {
            number: held
            for number, held in self._shingles.items()
            if number >= self._known or number in needed
        }
        missing = [number for number in wanted if number not in self._shingles]
        bodies = [
            self._store.value(
                "select t.body from fingerprint f join text t on t.sha256 = f.text"
                " where f.key = ? and t.body is not null limit 1",
                self._key(number),
            )
            for number in missing
        ]
        folded = fold([body or "" for body in bodies])
        self._shingles.update(zip(missing, shingles_of(folded), strict=True))

    def _key(self, number: int) -> str:
        return bytes(self._texts["key"][number]).hex()

    def _clusters_of(self, numbers: NDArray[np.uint32]) -> NDArray[np.int64]:
        """What is near each other counts as one, directly or through others."""
        if self._parent is None:
            self._parent = self._near()
        return self._parent[numbers]

    def _near(self) -> NDArray[np.int64]:
        rows = self._store.rows("select a, b from relation where relation = 'near' and removed_in is null")
        order = np.argsort(self._texts["key"])
        ordered = self._texts["key"][order]
        ends = np.array([bytes.fromhex(key) for row in rows for key in row], dtype="V16")
        places = np.minimum(np.searchsorted(ordered, ends), len(ordered) - 1)
        there = (ordered[places] == ends).reshape(-1, 2).all(axis=1)
        edges = order[places].reshape(-1, 2)[there]
        return _connected(len(self._texts), edges)


@dataclass(frozen=True, slots=True)
class _Records:
    """Texts as the index takes them: records, and the fingerprints of each."""

    texts: Texts
    marks: list[Hashes]

    def segment(self, begin: int) -> Segment:
        return segment_of(range(begin, begin + len(self.marks)), self.marks)


def _records(store: Store, keys: Sequence[str]) -> _Records:
    texts = np.empty(len(keys), dtype=TEXT)
    marks = []
    for i, key in enumerate(keys):
        length, blob = store.rows(
            "select length, marks from fingerprint where key = ? limit 1", key
        ).fetchone()
        marks.append(from_blob(blob))
        texts[i] = (bytes.fromhex(key), length, len(marks[-1]))
    return _Records(texts, marks)


def _grouped(pairs: NDArray[np.int64]) -> Iterator[tuple[int, list[int]]]:
    """Sorted pairs by their first text."""
    begins = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1)).tolist()
    for begin, end in pairwise([*begins, len(pairs)]):
        yield int(pairs[begin, 0]), pairs[begin:end, 1].tolist()


def _connected(count: int, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least number that each of ``count`` texts is connected with by edges (n, 2)."""
    labels = np.arange(count)
    while len(edges) and (labels[edges[:, 0]] != labels[edges[:, 1]]).any():
        least = labels[edges].min(axis=1)
        np.minimum.at(labels, edges[:, 0], least)
        np.minimum.at(labels, edges[:, 1], least)
        labels = labels[labels]
    return labels


def _ordered(a: str, b: str, kind: str, found: Measure) -> RelationRow:
    if a < b:
        return (a, b, kind, found.jaccard, found.containment_a, found.containment_b, found.shared)
    return (b, a, kind, found.jaccard, found.containment_b, found.containment_a, found.shared)


def settle(store: Store, *, final: bool = False) -> None:
    """Label relations, form clusters, choose canonicals. ``final``: a release is being made, so the
    best member becomes the canonical; otherwise a cluster of the last release keeps its own."""
    mark_dirty(store)
    _label(store)
    pieces = [_piece(row) for row in _piece_rows(store)]
    clusters = _clusters(store, pieces)
    canonical = _canonicals(store, pieces, clusters, final)
    _write_clusters(store, pieces, clusters, canonical)
    with store.atomic():
        store.rows("delete from cluster_alias where added_in = ?", store.pending)
        store.conn.executemany(
            "insert into cluster_alias (alias, cluster, added_in) values (?, ?, ?) on conflict do nothing",
            [(alias, name, store.pending) for alias, name in sorted(clusters.aliases.items())],
        )
        store.set_setting("cluster_dirty", "0")


@dataclass(frozen=True, slots=True)
class _Piece:
    """What settling needs to know of one current piece."""

    id: str
    key: str
    url: str
    flags: tuple[str, ...]
    rank: Rank
    prior: str | None
    former: str | None
    was_canonical: bool


def _piece_rows(store: Store) -> Iterable[tuple[object, ...]]:
    """One row per current piece; ``base`` is its state in the last release."""
    return store.rows(
        "select v.piece, f.key, d.url, v.flags, v.n_chars, dv.found_pieces, p.n,"
        " (select min(added_in) from piece_version o where o.piece = v.piece),"
        " base.cluster, base.is_canonical, base.text = v.text"
        " from piece_version v join fingerprint f on f.text = v.text join piece p on p.id = v.piece"
        " join document d on d.id = p.document join document_version dv on dv.id = v.document_version"
        " left join piece_version base on base.piece = v.piece"
        f"  and base.added_in < {store.pending}"
        f"  and (base.removed_in is null or base.removed_in = {store.pending})"
        " where v.removed_in is null order by v.piece"
    )


def _piece(row: tuple[object, ...]) -> _Piece:
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
        (a, b)
        for a, b in store.rows("select a, b from relation where relation = 'near' and removed_in is null")
        if a in by_key and b in by_key
    ]
    used = {
        row[0]
        for row in store.rows(
            "select cluster from piece_version where added_in < ? and cluster is not null"
            " union select alias from cluster_alias where added_in < ?",
            store.pending,
            store.pending,
        )
    }
    return assign(nodes, links, used)


def _canonicals(store: Store, pieces: Sequence[_Piece], clusters: Clusters, final: bool) -> dict[str, str]:
    """The piece that stands for each cluster."""
    best: dict[str, tuple[bool, Rank, str]] = {}
    for piece in pieces:
        name = clusters.of[piece.key]
        sticky = not final and piece.was_canonical and piece.prior == name and not piece.rank[0]
        candidate = (not sticky, piece.rank, piece.id)
        if name not in best or candidate < best[name]:
            best[name] = candidate
    return {name: piece for name, (_, _, piece) in best.items()}


def _write_clusters(
    store: Store, pieces: Sequence[_Piece], clusters: Clusters, canonical: dict[str, str]
) -> None:
    by_id = {piece.id: piece for piece in pieces}
    changed: list[PieceState] = []
    for state in current(store, "v.text in (select text from fingerprint)"):
        piece = by_id[state.piece]
        name = clusters.of[piece.key]
        stands = canonical[name]
        moved = replace(state, cluster=name, is_canonical=int(stands == state.piece))
        moved = finish(moved, piece.url, piece.flags, stands)
        if moved != state:
            changed.append(moved)
    for part in batched(changed, BATCH):
        with store.atomic():
            for state in part:
                put_piece(store, state)


def _label(store: Store) -> None:
    """Give every pair its relation; only a compilation changes what the numbers of the pair say."""
    live = live_keys(store)
    rows = store.rows(
        "select id, a, b, relation, jaccard, containment_a, containment_b, shared, added_in"
        " from relation where removed_in is null order by a, b"
    )
    lengths = dict(store.rows("select key, length from fingerprint").fetchall())
    pairs = {
        (a, b): _Pair(number, kind, Measure(j, ca, cb, shared), added)
        for number, a, b, kind, j, ca, cb, shared, added in rows
        if a in live and b in live
    }
    kinds = {
        (a, b): relation(pair.measure, lengths[a], lengths[b]) or "overlap" for (a, b), pair in pairs.items()
    }
    for a, b in _through_compilations(pairs, kinds, lengths):
        found = pairs[a, b].measure
        kinds[a, b] = "contains" if max(found.containment_a, found.containment_b) >= 0.75 else "overlap"
    changed = [(edge, kind) for edge, kind in kinds.items() if pairs[edge].kind != kind]
    for part in batched(changed, BATCH):
        with store.atomic():
            for (a, b), kind in part:
                _relabel(store, a, b, pairs[a, b], kind)


@dataclass(frozen=True, slots=True)
class _Pair:
    row: int
    kind: str
    measure: Measure
    added_in: int


def _relabel(store: Store, a: str, b: str, pair: _Pair, kind: str) -> None:
    if pair.added_in == store.pending:
        store.rows("update relation set relation = ? where id = ?", kind, pair.row)
        earlier = store.rows(
            "select id, relation from relation where a = ? and b = ? and removed_in = ?", a, b, store.pending
        ).fetchone()
        if earlier is not None and earlier[1] == kind:
            store.rows("delete from relation where id = ?", pair.row)
            store.rows("update relation set removed_in = null where id = ?", earlier[0])
        return
    store.rows("update relation set removed_in = ? where id = ?", store.pending, pair.row)
    found = pair.measure
    store.rows(
        "insert into relation (a, b, relation, jaccard, containment_a, containment_b, shared, added_in)"
        " values (?, ?, ?, ?, ?, ?, ?, ?)",
        a,
        b,
        kind,
        found.jaccard,
        found.containment_a,
        found.containment_b,
        found.shared,
        store.pending,
    )


MIN_OUTSIDER = 80  # folded code points: a stub in a text does not make that a compilation
OUTSIDERS = 16


def _through_compilations(
    pairs: dict[tuple[str, str], _Pair], kinds: dict[tuple[str, str], str], lengths: dict[str, int]
) -> Iterator[tuple[str, str]]:
    """Near pairs whose larger text also holds a text that the smaller one has not: it is a compilation
    of which the smaller is a dominant member, and these two must not merge."""

    def inside(small: str, large: str) -> float:
        """Share of ``small`` that ``large`` has; 0 where the pair has no relation."""
        pair = pairs.get((small, large) if small < large else (large, small))
        if pair is None:
            return 0.0
        return pair.measure.containment_a if small < large else pair.measure.containment_b

    held: dict[str, list[str]] = defaultdict(list)
    for a, b in pairs:
        small, large = (a, b) if inside(a, b) >= inside(b, a) else (b, a)
        if inside(small, large) >= 0.75 and lengths[small] >= MIN_OUTSIDER:
            held[large].append(small)
    for large, members in held.items():
        near = [one for one in members if kinds[min(one, large), max(one, large)] == "near"]
        if not near or len(members) < 2:
            continue
        greatest = max(near, key=lambda one: (lengths[one], one))
        outsiders = sorted(members, key=lambda one: (inside(one, greatest), one))[:OUTSIDERS]
        for small in near:
            rest = lengths[large] - lengths[small]
            if any(
                other != small and inside(other, small) < 0.3 and lengths[other] >= 0.15 * rest
                for other in outsiders
            ):
                yield min(small, large), max(small, large)


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
