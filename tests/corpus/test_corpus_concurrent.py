"""Readers beside a writer: what they see is of one moment, and nobody waits for anybody."""

from __future__ import annotations

import multiprocessing
from hashlib import sha256
from typing import Any

import fanwen
from fanwen.corpus import build as build_module
from fanwen.corpus import dedup, marks, release, release_changes, search, settle, stats, verify
from fanwen.corpus.store import Store, reading

ROUNDS = 4


def leaves(store: Store, seq: int) -> list[str]:
    rows = store.rows(
        "select leaf from piece_version where added_in <= ?1 and (removed_in is null or removed_in > ?1)"
        " order by leaf",
        seq,
    )
    return [leaf for (leaf,) in rows]


def test_what_is_read_together_is_of_one_moment(home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1))})
    home.build()
    first = release.create(home.corpus, home.releases)
    assert first is not None
    with reading(home.corpus) as store, fanwen.open(home.path) as corpus:
        before = (store.pending, leaves(store, store.pending), stats.count(store))
        (slowly := corpus.pieces(default=False)).__next__()
        home.serve({"a": html("工作总结", write(2)), "b": html("读后感", write(3))}, day=2)
        home.build()
        second = release.create(home.corpus, home.releases)
        assert second is not None
        assert (store.pending, leaves(store, store.pending), stats.count(store)) == before
        assert list(slowly) == []
        # who reads on sees the new state, and the old one as of its release
        assert [one.version for one in corpus.releases] == [first.version, second.version]
        assert len(list(corpus.pieces(default=False))) == 2
        assert corpus.search(write(3)[:8]).total == 1
        assert [piece.leaf for piece in corpus.pieces(as_of=first.version)] == before[1]


def test_readers_are_right_all_through_builds_and_releases(
    home: Any, write: Any, html: Any, soak: bool
) -> None:
    """Another process builds and releases; whatever is read meanwhile adds up."""
    pages = {f"p{n}": html("工作总结", write(n, 8), write(n % 3 + 50, 8)) for n in range(6)}
    home.serve(pages)
    home.build()
    release.create(home.corpus, home.releases)
    rounds = ROUNDS * 5 if soak else ROUNDS

    def writer() -> None:
        build_module.DOCUMENTS_PER_BATCH = 2
        dedup.BATCH = marks.BATCH = search.BATCH = settle.PORTION = 3
        for day in range(2, rounds + 2):
            home.serve(
                {
                    f"p{day % 6}": html("工作总结", write(day + 100, 8), write(day % 3 + 50, 8)),
                    f"p{(day + 1) % 6}": None if day % 2 else html("读后感", write(day + 200, 8)),
                    f"q{day}": html("倡议书", write(day % 3 + 50, 8), write(day + 300, 8)),
                },
                day=day,
            )
            with home.locked("refresh"):
                home.build()
                release.create(home.corpus, home.releases, date=f"2026-03-{day:02d}")

    process = multiprocessing.get_context("fork").Process(target=writer, daemon=True)
    process.start()
    seen: set[str] = set()
    reads = 0
    while process.is_alive() or not reads:
        seen.add(read(home))
        reads += 1
    process.join()
    assert process.exitcode == 0
    assert reads > rounds
    assert len(seen) > rounds, "states between the releases were read, too"
    assert verify.verify_home(home.archive, home.corpus, home.releases) == []


def read(home: Any) -> str:
    """Everything that a reader may ask, checked against each other; a name for the state that was seen."""
    with reading(home.corpus) as store:
        counted = stats.count(store)
        now = leaves(store, store.pending)
        assert counted.pieces == len(now) == sum(site.pieces for site in counted.sites)
        assert counted.pieces_default + sum(counted.excluded.values()) == counted.pieces
        assert sum(counted.genres.values()) == counted.pieces
        for one in counted.releases:
            published = leaves(store, one.seq)
            assert len(published) == one.pieces
            assert sha256("".join(f"{leaf}\n" for leaf in published).encode()).hexdigest() == one.root
        found = search.find(store, "，")
        assert found.total == len(found.hits) == len(now)
        assert verify.verify(home.corpus) == []
    with fanwen.open(home.path) as corpus:
        last = corpus.releases[-1]
        shown = list(corpus.pieces(as_of=last.version, default=False))
        assert sorted(piece.leaf for piece in shown) == published or len(corpus.releases) > len(
            counted.releases
        )
        assert all(sha256((piece.text or "").encode()).hexdigest() == piece.text_sha256 for piece in shown)
        for piece in shown[:2]:
            assert all(pair.a < pair.b for pair in corpus.relations(piece.piece_id))  # type: ignore[operator]
    release_changes.diff(home.corpus, counted.releases[0].version, "current")
    return sha256("".join(now).encode()).hexdigest()
