"""Fills the table ``fingerprint``: key, length and fingerprints of every text that pieces have.

In go texts of corpus.db that have none yet, or have those of an earlier specification. Where there are many,
they are made in one process per core; only this one writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from fanwen.corpus.fingerprint import SPEC, fingerprints, to_blob
from fanwen.corpus.normalise import fold
from fanwen.corpus.store import Store, worker_store
from fanwen.corpus.workers import batched, cores, in_order, worker_pool

BATCH = 1000
FOLDED_AT_ONCE = 32  # texts; the arrays of so many stay in a processor's cache
IN_PROCESS = 10_000  # so few texts are done sooner than processes start
_SIGNATURES = "signatures"  # setting: the specification of all fingerprints

Progress = Callable[[str, int, int], None]
Row = tuple[str, str, int, str, bytes]  # text, key, length, spec, marks


def add_fingerprints(store: Store, progress: Progress | None = None) -> None:
    """Make those that current pieces lack."""
    _write(
        store,
        "select distinct v.text from unsettled u join piece_version v on v.piece = u.name"
        " join text t on t.sha256 = v.text left join fingerprint f on f.text = v.text"
        " where u.kind = 'piece' and not u.settled and v.removed_in is null"
        " and f.text is null and t.body is not null order by v.text",
        "insert into fingerprint (text, key, length, spec, marks) values (?, ?, ?, ?, ?)",
        progress,
    )


def renew(store: Store, progress: Progress | None = None) -> None:
    """Make fingerprints of an earlier specification anew, and have all texts compared with each other again.

    Relations are facts about texts and stay; others may be found beside them.
    """
    if store.setting(_SIGNATURES) == SPEC:
        return
    renewed = _write(
        store,
        "select f.text from fingerprint f join text t on t.sha256 = f.text"
        f" where f.spec <> '{SPEC}' and t.body is not null order by f.text",
        "update fingerprint set (key, length, spec, marks, compared) = (?2, ?3, ?4, ?5, 0) where text = ?1",
        progress,
    )
    with store.atomic():
        if renewed:
            store.rows(
                "insert into unsettled (kind, name) select 'piece', piece from piece_version"
                " where removed_in is null on conflict do update set settled = 0"
            )
        store.set_setting(_SIGNATURES, SPEC)


def _write(store: Store, which: str, statement: str, progress: Progress | None) -> int:
    """Make the rows of the texts that a query gives, and write each batch; how many there were."""
    todo = [text for (text,) in store.rows(which)]
    done = 0
    for rows in _rows(store, todo):
        with store.atomic():
            store.conn.executemany(statement, rows)
        done += len(rows)
        if progress:
            progress("fingerprints", done, len(todo))
    return done


def _rows(store: Store, texts: Sequence[str]) -> Iterator[list[Row]]:
    """Rows for these texts, batch by batch."""
    parts = batched(texts, BATCH)
    if len(texts) < IN_PROCESS or cores() == 1:
        yield from (_fingerprinted(store, part) for part in parts)
        return
    with worker_pool() as pool:
        yield from in_order(pool, _in_worker, ((store.path, part) for part in parts))


def _in_worker(path: Path, texts: Sequence[str]) -> list[Row]:
    return _fingerprinted(worker_store(path), texts)


def _fingerprinted(store: Store, texts: Sequence[str]) -> list[Row]:
    return [row for part in batched(texts, FOLDED_AT_ONCE) for row in _folded(store, part)]


def _folded(store: Store, texts: Sequence[str]) -> Iterator[Row]:
    bodies = dict(
        store.rows(
            "select t.sha256, t.body from json_each(?) one join text t on t.sha256 = one.value",
            json.dumps(texts),
        ).fetchall()
    )
    folded = fold([bodies[one] for one in texts])
    lengths = np.diff(folded.bounds).tolist()
    for i, (one, marks) in enumerate(zip(texts, fingerprints(folded), strict=True)):
        yield one, folded.key(i), lengths[i], SPEC, to_blob(marks)
