"""Makes anew what can be made anew: ``fanwen verify --repair``.

In goes a home whose lock the caller holds, out comes what was done and what remains. Texts, states, releases
and archived bodies are never touched: they are the truth from which the rest is made.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fanwen.corpus import dedup, exports, search, swap
from fanwen.corpus.fingerprint import SPEC, fingerprints, to_blob
from fanwen.corpus.home import Home
from fanwen.corpus.normalise import fold
from fanwen.corpus.store import Store, open_store
from fanwen.corpus.types import Trouble
from fanwen.corpus.verify import troubles

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Repaired:
    """``done`` says what was made anew, ``remains`` what is still wrong, as sentences."""

    done: tuple[str, ...]
    remains: tuple[str, ...]


def repair(home: Home, *, progress: Progress | None = None) -> Repaired:
    """Check the home, cure what has a cure, and check again. Raises what :func:`open_store` raises."""
    found = _check(home, progress)
    wanted = {trouble.cure for trouble in found} - {None}
    done = []
    for name, (sentence, cure) in _FILES.items():
        if name in wanted:
            cure(home)
            done.append(sentence)
    if wanted - _FILES.keys():
        with open_store(home.corpus) as store:
            for name, (sentence, heal) in _ROWS.items():
                if name in wanted:
                    heal(store)
                    done.append(sentence)
    remains = _check(home, progress) if done else found
    return Repaired(tuple(done), tuple(trouble.sentence for trouble in remains))


def _check(home: Home, progress: Progress | None) -> list[Trouble]:
    return troubles(home.archive, home.corpus, home.releases, held=True, progress=progress)


def _search(store: Store) -> None:
    table = store.value("select sql from sqlite_master where name = 'search_grams'")
    with store.atomic():
        store.rows("drop table search_grams")
        store.rows(table)
        store.rows("delete from search_text")
    search.update(store)


def _fingerprints(store: Store) -> None:
    with store.atomic():
        rows = store.rows(
            "select t.sha256, t.body from fingerprint f join text t on t.sha256 = f.text"
            " where t.body is not null and f.spec = ?",
            SPEC,
        ).fetchall()
        for sha256, body in rows:
            folded = fold([body])
            store.rows(
                "update fingerprint set key = ?, length = ?, marks = ? where text = ?",
                folded.key(0),
                int(np.diff(folded.bounds)[0]),
                to_blob(fingerprints(folded)[0]),
                sha256,
            )


def _numbers(store: Store) -> None:
    with store.atomic():
        exports.set_next_numbers(store.conn)


def _relations(store: Store) -> None:
    with store.atomic():
        exports.drop_loose_relations(store.conn)


def _index(store: Store) -> None:
    dedup.index_of(store).clear()
    dedup.catch_up(store)


def _marks(store: Store) -> None:
    with store.atomic():
        store.rows(
            "insert into unsettled (kind, name) select 'piece', piece from piece_version"
            " where removed_in is null"
            " and (cluster is null or text not in (select text from fingerprint))"
            " on conflict do update set settled = 0"
        )
    dedup.update(store)


def _left_over(home: Home) -> None:
    for folder in exports.left_over(home.releases):
        shutil.rmtree(folder)
    if swap.finish(home.path) is None:
        shutil.rmtree(home.path / swap.STAGE, ignore_errors=True)


# what each cure says and does, in the order in which one may need another
_FILES: dict[str, tuple[str, Callable[[Home], None]]] = {
    "left over": ("Left-over folders were removed.", _left_over),
}
_ROWS: dict[str, tuple[str, Callable[[Store], object]]] = {
    "reindex": ("The indexes of corpus.db were made anew.", lambda store: store.rows("reindex")),
    "numbers": ("The next numbers of documents were counted anew.", _numbers),
    "relations": ("Relations without texts were removed.", _relations),
    "fingerprints": ("Fingerprints were made anew from the texts.", _fingerprints),
    "index": ("The index of fingerprints was made anew.", _index),
    "marks": ("Pieces without a cluster or fingerprints were settled.", _marks),
    "search": ("The search index was made anew.", _search),
}
