"""Finds duplicates among the current pieces and settles clusters and canonicals in corpus.db.

Steps, each committed in batches and each picking up where it stopped: fingerprints of new texts;
comparison of new folded texts with all others; labels of relations; clusters. Comparing gives
facts about pairs of folded texts, which never change; labels, clusters and canonicals are functions
of these facts, of the current pieces and of the last release.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.candidates import candidates
from fanwen.corpus.compare import Measure
from fanwen.corpus.components import connected
from fanwen.corpus.fingerprint import SPEC, Hashes, from_blob
from fanwen.corpus.marks import Progress, add_fingerprints, renew
from fanwen.corpus.pairs import Comparer, Found, compare_all, portions
from fanwen.corpus.segments import KEY, TEXT, Segment, Segments, Texts, segment_of
from fanwen.corpus.settle import settle
from fanwen.corpus.store import Store
from fanwen.corpus.versions import unsettled
from fanwen.corpus.workers import batched, worker_pool

BATCH = 1000
COMPARED_AT_ONCE = 10_000
LIVE = 0.8  # of the texts in the index; it is made anew when more were dropped since


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
    renew(store, progress)
    add_fingerprints(store, progress)
    compared = compare_new(store, progress)
    if compared or unsettled(store):
        settle(store)
    return report(store, compared)


def report(store: Store, compared: int = 0) -> DedupReport:
    kinds: Counter[str] = Counter(dict(store.rows(_KINDS).fetchall()))
    sizes = store.rows(
        "select count(*), coalesce(sum(n > 1), 0) from (select count(*) as n from piece_version"
        " where removed_in is null and cluster is not null group by cluster)"
    ).fetchone()
    exact = store.value(
        "select coalesce(sum(n - 1), 0) from (select count(*) as n from piece_version v"
        " join fingerprint f on f.text = v.text where v.removed_in is null group by f.key)"
    )
    return DedupReport(compared, kinds["near"], kinds["contains"], kinds["overlap"], exact, *sizes)


# few texts are in no current piece, so their pairs are taken off all pairs
_KINDS = """
with dead as (
  select f.key from fingerprint f where not exists (
    select 1 from fingerprint g join piece_version v on v.text = g.text
    where g.key = f.key and v.removed_in is null)
),
gone as (
  select r.id, r.relation from dead join relation r on r.a = dead.key where r.removed_in is null
  union
  select r.id, r.relation from dead join relation r on r.b = dead.key where r.removed_in is null
)
select relation, sum(n) from (
  select relation, count(*) as n from relation where removed_in is null group by relation
  union all select relation, -count(*) from gone group by relation
) group by relation
"""


def compare_new(store: Store, progress: Progress | None = None) -> int:
    """Compare every folded text that was not compared yet with all others; how many there were."""
    with store.atomic():
        # a new text that folds to a known key needs no comparison
        store.rows(
            "update fingerprint set compared = 1 where compared = 0 and exists"
            " (select 1 from fingerprint known where known.key = fingerprint.key and known.compared = 1)"
        )
    todo = [
        row[0] for row in store.rows("select distinct key from fingerprint where compared = 0 order by key")
    ]
    if not todo:
        return 0
    corpus = _Compared(store, progress)
    with worker_pool() as pool:
        for batch in batched(todo, COMPARED_AT_ONCE):
            corpus.compare(batch, pool)
        corpus.finish()
    return len(todo)


def index_of(store: Store) -> Segments:
    """The index of fingerprints beside corpus.db; an empty one where it is missing or torn."""
    return Segments(store.path.parent / "index", SPEC)


def catch_up(store: Store) -> None:
    """Bring the index to what was compared, without comparing anything."""
    _Compared(store)


RelationRow = tuple[str, str, str, float, float, float, int]


class _Compared:
    """The folded texts that were compared so far, by number, with their index on disk.

    While other processes compare one batch, the candidates of the next are looked for and the batch before is
    written.
    """

    def __init__(self, store: Store, progress: Progress | None = None) -> None:
        self._store = store
        self._progress = progress
        self._index = index_of(store)
        self._live = self._catch_up()
        self._texts = self._index.texts
        self._near = self._linked()
        self._clusters: NDArray[np.int64] | None = None
        self._here = Comparer(store)
        self._running: _Running | None = None

    def compare(self, keys: Sequence[str], pool: Executor) -> None:
        """Have texts that were not compared yet compared with all others, and write what came before."""
        begin = len(self._texts)
        new = _records(self._store, keys)
        segment = new.segment(begin)
        segments = [*self._index, *([self._running.segment] if self._running else [])]
        self._texts = np.concatenate((self._texts, new.texts))
        self._live = np.concatenate((self._live, np.ones(len(keys), dtype=bool)))
        pairs = candidates(segments, segment, self._texts, self._clusters_of)
        pairs = pairs[self._live[pairs].all(axis=1)]
        parts = portions(begin, pairs, self._texts, begin)
        results = compare_all(self._store, pool, parts, len(pairs), self._here)
        before, self._running = self._running, _Running(keys, new.texts, segment, len(pairs), results)
        if before is not None:
            self._write(before)

    def finish(self) -> None:
        """Write the last batch."""
        if self._running is not None:
            self._write(self._running)
            self._running = None

    def _collect(self, batch: _Running) -> list[Found]:
        """What was found in a batch, once it is all compared; from then on its near pairs are known."""
        if batch.found is None:
            batch.found = []
            done = 0
            for size, found in batch.results:
                batch.found += found
                done += size
                if self._progress:
                    self._progress("comparing", done, batch.pairs)
            near = [(one.a, one.b) for one in batch.found if one.kind == "near"]
            self._near = np.concatenate((self._near, np.array(near, dtype=np.int64).reshape(-1, 2)))
            self._clusters = None
        return batch.found

    def _write(self, batch: _Running) -> None:
        """Commit a batch; it belongs to the index from then on."""
        found = self._collect(batch)
        with self._store.atomic():
            for part in batched(found, BATCH):
                self._store.conn.executemany(
                    "insert into relation"
                    " (a, b, relation, jaccard, containment_a, containment_b, shared, added_in)"
                    f" values (?, ?, ?, ?, ?, ?, ?, {self._store.pending}) on conflict do nothing",
                    [_ordered(self._key(one.a), self._key(one.b), one.kind, one.measure) for one in part],
                )
            self._store.conn.executemany(
                "update fingerprint set compared = 1 where key = ?", [(key,) for key in batch.keys]
            )
        self._index.append(batch.texts, batch.segment)

    def _catch_up(self) -> NDArray[np.bool_]:
        """Bring the index to what was compared: it is behind after a kill, or was deleted.

        Gives which of its texts are still in the corpus.
        """
        compared = _as_keys(
            self._store.value(
                "select group_concat(key, '') from"
                " (select distinct key from fingerprint where compared = 1 order by key)"
            )
        )
        keys = self._index.texts["key"]
        live = np.isin(keys, compared)
        # a text that was dropped and came back is there twice: what came last counts
        newest = np.zeros(len(keys), dtype=bool)
        newest[len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1]] = True
        live &= newest
        if np.count_nonzero(live) < LIVE * len(live):
            self._index.clear()
            live = live[:0]
        missing = compared[np.isin(compared, self._index.texts["key"], invert=True)]
        for part in batched([bytes(key).hex() for key in missing], COMPARED_AT_ONCE):
            records = _records(self._store, part)
            self._index.append(records.texts, records.segment(len(self._index)))
        return np.concatenate((live, np.ones(len(missing), dtype=bool)))

    def _key(self, number: int) -> str:
        return bytes(self._texts["key"][number]).hex()

    def _clusters_of(self, numbers: NDArray[np.uint32]) -> NDArray[np.int64]:
        """What is near each other counts as one, directly or through others."""
        if self._running is not None:
            self._collect(self._running)
        if self._clusters is None or len(self._clusters) < len(self._texts):
            self._clusters = connected(len(self._texts), self._near)
        return self._clusters[numbers]

    def _linked(self) -> NDArray[np.int64]:
        """The near pairs among the texts of the index, (n, 2)."""
        ends = _as_keys(
            self._store.value(
                "select group_concat(a || b, '') from relation where relation = 'near' and removed_in is null"
            )
        )
        order = np.argsort(self._index.texts["key"], kind="stable")
        if not len(order):
            return np.empty((0, 2), dtype=np.int64)
        ordered = self._index.texts["key"][order]
        places = np.maximum(np.searchsorted(ordered, ends, side="right") - 1, 0)
        there = (ordered[places] == ends).reshape(-1, 2).all(axis=1)
        pairs: NDArray[np.int64] = order[places].reshape(-1, 2)[there]
        return pairs


@dataclass(slots=True)
class _Running:
    """A batch of newcomers that is being compared: their records and fingerprints, and what comes of it."""

    keys: Sequence[str]
    texts: Texts
    segment: Segment
    pairs: int
    results: Iterator[tuple[int, list[Found]]]
    found: list[Found] | None = None


def _as_keys(keys: str | None) -> NDArray[np.void]:
    """Keys that were written one after the other."""
    return np.frombuffer(bytes.fromhex(keys or ""), dtype=KEY)


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


def _ordered(a: str, b: str, kind: str, found: Measure) -> RelationRow:
    if a < b:
        return (a, b, kind, found.jaccard, found.containment_a, found.containment_b, found.shared)
    return (b, a, kind, found.jaccard, found.containment_b, found.containment_a, found.shared)
