"""Twenty releases of anything that can happen to a corpus: every one of them stays what it was.

A history is a list of releases, each a list of steps that hypothesis chose, takedowns among them.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import fanwen
from fanwen.corpus import (
    erase,
    masking,
    release,
    release_changes,
    release_index,
    takedown_acts,
    takedown_journal,
    verify,
)
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.store import open_store
from fanwen.corpus.takedown_case import plan
from fanwen.spiders.takedown import read_takedown

RELEASES = 20
PAGES = 7
TITLES = ("工作总结", "读后感", "倡议书")


class History:
    """A home with what its pages hold now: essays by number, a sentence more for every change."""

    def __init__(self, home: Any, write: Callable[..., str], html: Callable[..., bytes]) -> None:
        self.home = home
        self.write = write
        self.html = html
        self.day = 0
        self.mask = masking.KINDS
        self.pages: dict[str, list[tuple[int, int]]] = {"p0": [(0, 0), (1, 0)], "p1": [(2, 0)]}
        self.titles: dict[str, str] = {}
        self.gone: set[str] = set()
        self.ready: dict[int, tuple[int, int]] = {}

    def essay(self, seed: int, changes: int) -> str:
        more = "".join(f"后来又过了{n}天，联系人王建国的电话是1391234{n:04d}。" for n in range(changes))
        return self.write(seed, 10) + ("\n" + more if more else "")

    # -- steps: each takes two numbers that say which page and which essay ------------------------

    def add(self, page: int, essay: int) -> None:
        """A new page, or one more piece at the top of a known one; another page may have the essay too."""
        here = self.pages.setdefault(f"p{page}", [])
        if len(here) < 3 and essay not in {seed for seed, _ in here}:
            here.insert(0, (essay, 0))

    def change(self, page: int, essay: int) -> None:
        here = self.pages.get(f"p{page}")
        if here:
            at = essay % len(here)
            here[at] = (here[at][0], here[at][1] + 1)

    def rewrite(self, page: int, essay: int) -> None:
        """Another essay in the place of one: a copy leaves its cluster, or comes into one."""
        here = self.pages.get(f"p{page}")
        if here and essay not in {seed for seed, _ in here}:
            here[essay % len(here)] = (essay, 0)

    def title(self, page: int, essay: int) -> None:
        self.titles[f"p{page}"] = TITLES[essay % len(TITLES)]

    def remove(self, page: int, essay: int) -> None:
        here = self.pages.get(f"p{page}")
        if here and len(here) > 1:
            del here[essay % len(here)]

    def leave(self, page: int, _essay: int) -> None:
        self.gone ^= {f"p{page}"}

    def copy(self, page: int, other: int) -> None:
        source = self.pages.get(f"p{other % PAGES}")
        if source:
            self.pages[f"p{page}"] = list(source)

    def kinds(self, page: int, _essay: int) -> None:
        self.mask = masking.KINDS if page % 2 else frozenset({"person"})

    def bring(self, page: int, essay: int) -> None:
        """A ready-made piece, new, changed, or under another address."""
        self.ready[page % 3] = (essay, page)

    def list_(self, page: int, essay: int) -> None:
        """Put a page or a text on the takedown list, or take it off."""
        text = sha256(self.essay(essay, 0).encode()).hexdigest()
        line = f"http://wenku.example/p{page}" if essay % 2 else text
        file = self.home.takedown_file
        lines = set(file.read_text().splitlines()) if file.exists() else set()
        file.write_text("".join(f"{one}\n" for one in sorted(lines ^ {line})))

    def purge(self, _page: int, essay: int) -> None:
        """Erase a piece for good; what is published stays what it was, by its leaf."""
        self.in_a_case(essay, takedown_acts.purge)

    def hold(self, _page: int, essay: int) -> None:
        self.in_a_case(essay, lambda _home, store, case, found: takedown_acts.hold(store, case, found))

    def lift(self, _page: int, essay: int) -> None:
        if not self.home.corpus.is_file():
            return
        with open_store(self.home.corpus) as store:
            held = [one.case_id for one in takedown_journal.cases(store) if one.state == "held"]
            if held:
                takedown_acts.lift(store, held[essay % len(held)])

    def in_a_case(self, essay: int, act: Callable[..., object]) -> None:
        if not self.home.corpus.is_file():
            return
        with open_store(self.home.corpus) as store:
            pieces = store.rows(
                "select v.piece from piece_version v join piece p on p.id = v.piece"
                " join document d on d.id = p.document where v.removed_in is null"
                " and d.url not like '%diary' order by v.piece"
            ).fetchall()
            if pieces:
                found = plan(store, [f"piece:{pieces[essay % len(pieces)][0]}"])
                act(self.home, store, takedown_journal.opened(store, None, "other", "2026-03-01"), found)
        erase.finish(self.home)

    # -- a release ---------------------------------------------------------------------------------

    def publish(self) -> None:
        self.day += 1
        # a diary that goes on, so that every release differs from the one before it
        self.pages["diary"] = [(99, self.day)]
        served = {
            name: None
            if name in self.gone or not essays
            else self.html(self.titles.get(name, TITLES[0]), *(self.essay(*one) for one in essays))
            for name, essays in self.pages.items()
        }
        self.home.serve(served, day=self.day)
        takedown = read_takedown(self.home.takedown_file)
        if self.ready:
            file = self.home.path / "ready.jsonl"
            rows = [
                {"id": n, "text": self.essay(essay, 0), "url": f"http://ready.example/{where}"}
                for n, (essay, where) in self.ready.items()
            ]
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            ingest_pieces(self.home.corpus, file, "own", fetched_at="2026-03-01T00:00:00Z")
        self.home.build(mask=self.mask, takedown=takedown)
        release.create(
            self.home.corpus,
            self.home.releases,
            mask=self.mask,
            takedown=takedown,
            date=f"2026-03-{self.day:02d}",
        )


STEPS = (
    History.add,
    History.add,
    History.change,
    History.rewrite,
    History.title,
    History.remove,
    History.leave,
    History.copy,
    History.kinds,
    History.bring,
    History.list_,
    History.purge,
    History.hold,
    History.lift,
)
step = st.tuples(st.sampled_from(STEPS), st.integers(0, PAGES - 1), st.integers(0, 11))
histories = st.lists(st.lists(step, min_size=1, max_size=4), min_size=RELEASES, max_size=RELEASES)


def state(corpus: Path, seq: int) -> dict[str, str]:
    """The leaves of a release, from the rows."""
    with closing(sqlite3.connect(corpus)) as db:
        return dict(
            db.execute(
                "select piece, leaf from piece_version"
                " where added_in <= ?1 and (removed_in is null or removed_in > ?1)",
                (seq,),
            )
        )


def check(home: Any) -> None:
    assert verify.verify_home(home.archive, home.corpus, home.releases) == []
    published = release_index.listing(home.releases)
    assert len(published) == RELEASES
    for one in published:
        leaves = state(home.corpus, one.seq)
        text = "".join(f"{leaf}\n" for leaf in sorted(leaves.values()))
        assert (len(leaves), sha256(text.encode()).hexdigest()) == (one.pieces, one.root)
        with fanwen.open(home.path) as corpus:
            assert sum(1 for _ in corpus.pieces(default=False, as_of=one.version)) == one.pieces
            assert sum(1 for _ in corpus.pieces(as_of=one.version)) == one.pieces_default
    chain(home, [one.version for one in published])
    with fanwen.open(home.releases / published[-1].version) as last:
        # the newest published file knows all states before it by their leaves
        assert [one.root for one in last.releases] == [one.root for one in published]


def chain(home: Any, versions: list[str]) -> None:
    """Differences applied one after the other lead from the first release to the last, and back."""
    for order in (versions, versions[::-1]):
        seqs = {one.version: one.seq for one in release_index.listing(home.releases)}
        pieces = set(state(home.corpus, seqs[order[0]]))
        for before, after in pairwise(order):
            old, new = state(home.corpus, seqs[before]), state(home.corpus, seqs[after])
            changed = set()
            for one in release_changes.diff(home.corpus, before, after):
                assert (one.change == "ADD") == (one.piece_id not in pieces)
                pieces ^= {one.piece_id} if one.change in ("ADD", "DEL") else set()
                changed |= {one.piece_id} if one.change == "MOD" else set()
                assert one.why
            assert pieces == set(new)
            assert changed == {piece for piece in old.keys() & new.keys() if old[piece] != new[piece]}


def test_any_twenty_releases_stay_what_they_were(new_home: Any, write: Any, html: Any, soak: bool) -> None:
    @settings(
        max_examples=40 if soak else 3,
        deadline=None,
        database=None,
        derandomize=not soak,
        phases=(Phase.generate,) if not soak else (Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(histories)
    def run(history: list[list[tuple[Any, int, int]]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            home = new_home(folder)
            told = History(home, write, html)
            for steps in history:
                for what, page, essay in steps:
                    what(told, page, essay)
                told.publish()
            check(home)

    run()
