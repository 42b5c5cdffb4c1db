"""Identity and versions over real builds: what changes, what keeps its id, what leaves no trace."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import Any

import zstandard

import fanwen
from fanwen.corpus import exports, release, release_changes, verify
from fanwen.corpus.identity import root
from fanwen.spiders.items import Consent


def pieces(home: Any, as_of: str | None = None) -> dict[str, str]:
    """Text of every current piece, by id."""
    with fanwen.open(home.path) as corpus:
        return {piece.piece_id: piece.text or "" for piece in corpus.pieces(default=False, as_of=as_of)}


def rows(home: Any, *tables: str) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(home.corpus)) as db, db:
        return {table: db.execute(f"select * from {table} order by 1, 2").fetchall() for table in tables}


TABLES = (
    "document",
    "document_version",
    "piece",
    "piece_version",
    "relation",
    "text",
    "fingerprint",
    "search_text",
)


def test_a_second_build_changes_nothing_and_says_so(home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1), write(2)), "b": html("读后感", write(3))})
    first = home.build()
    before = rows(home, *TABLES)
    second = home.build()
    assert (first.documents, first.cleaned, first.pieces_added) == (2, 2, 3)
    assert (second.documents, second.cleaned, second.unchanged) == (2, 0, 2)
    assert "Nothing changed" in second.summary()
    assert rows(home, *TABLES) == before


def test_a_piece_inserted_at_the_top_renames_nothing(home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1), write(2))})
    home.build()
    before = pieces(home)
    release.create(home.corpus, home.releases)
    home.serve({"a": html("工作总结", write(9), write(1), write(2))}, day=2)
    report = home.build()
    after = pieces(home)
    assert (report.pieces_added, report.pieces_modified, report.pieces_removed) == (1, 0, 0)
    assert before.items() <= after.items()
    assert len(after) == 3


def test_a_changed_piece_keeps_its_id_and_its_earlier_state(home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1), write(2))})
    home.build()
    first = release.create(home.corpus, home.releases)
    before = pieces(home)
    changed = write(1) + "\n最后，大家还补种了二十棵桂花树。"
    home.serve({"a": html("工作总结", changed, write(2))}, day=2)
    assert home.build().pieces_modified == 1
    second = release.create(home.corpus, home.releases)
    assert first is not None
    assert second is not None
    assert pieces(home).keys() == before.keys()
    assert pieces(home, first.version) == before
    (difference,) = release_changes.diff(home.corpus, first.version, second.version)
    assert (difference.change, difference.why) == ("MOD", "text")
    (reverse,) = release_changes.diff(home.corpus, second.version, first.version)
    assert reverse.change == "MOD"


def test_a_piece_that_left_the_page_and_a_page_that_is_gone(home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1), write(2)), "b": html("读后感", write(3))})
    home.build()
    first = release.create(home.corpus, home.releases)
    home.serve({"a": html("工作总结", write(2)), "b": None}, day=2)
    report = home.build()
    assert (report.gone, report.pieces_removed) == (1, 2)
    second = release.create(home.corpus, home.releases)
    assert first is not None
    assert second is not None
    changes = release_changes.diff(home.corpus, first.version, second.version)
    assert {(c.change, c.why) for c in changes} == {("DEL", "no_longer_on_page"), ("DEL", "source_gone")}
    # back in time
    changes = release_changes.diff(home.corpus, second.version, first.version)
    assert {(c.change, c.why) for c in changes} == {
        ("ADD", "removed later: no_longer_on_page"), ("ADD", "removed later: source_gone"),
    }  # fmt: skip
    # a page that comes back brings back its old piece
    home.serve({"a": html("工作总结", write(2)), "b": html("读后感", write(3))}, day=3)
    home.build()
    third = release.create(home.corpus, home.releases)
    assert third is not None
    assert pieces(home).items() <= pieces(home, first.version).items()
    (back,) = release_changes.diff(home.corpus, second.version, third.version)
    assert (back.change, back.why) == ("ADD", "returned")
    assert [c.why for c in release_changes.diff(home.corpus, third.version, second.version)] == [
        "added later"
    ]
    # over several releases the last reason counts: it was changed first, then it was gone
    home.serve({"b": html("读后感", write(3) + "\n又及。")}, day=4)
    home.build()
    release.create(home.corpus, home.releases)
    home.serve({"b": None}, day=5)
    home.build()
    last = release.create(home.corpus, home.releases)
    assert last is not None
    (gone,) = release_changes.diff(home.corpus, third.version, last.version)
    assert (gone.change, gone.why) == ("DEL", "source_gone")
    with closing(sqlite3.connect(home.corpus)) as db:
        told = db.execute("select change, why from release_change where version = ?", (third.version,))
        assert told.fetchall() == [("ADD", "returned")]
        for made in (first, second, third):
            held = db.execute("select leaf, body from piece_released where version = ?", (made.version,))
            leaves, texts = zip(*held.fetchall(), strict=True)
            assert (root(leaves), len(leaves)) == (made.root, made.pieces)
            with zstandard.open(
                home.releases / made.version / exports.PIECES, "rt", encoding="utf-8"
            ) as lines:
                assert sorted(texts) == sorted(json.loads(line)["text"] for line in lines)
    assert verify.verify(home.corpus) == []


def test_builds_between_releases_leave_no_trace(new_home: Any, write: Any, html: Any) -> None:
    copied = {"c": html("倡议书", write(3))}
    states = [
        {"a": html("工作总结", write(1), write(2)), "b": html("读后感", write(3))},
        {"a": html("工作总结", write(1) + "\n又过了一周。", write(2)), **copied},
        {"a": html("工作总结", write(1), write(2), write(7)), **copied},
    ]
    often, once = new_home("often"), new_home("once")
    for home in (often, once):
        home.serve(states[0])
        home.build()
        release.create(home.corpus, home.releases)
    for day, state in enumerate(states[1:], start=2):
        for home in (often, once):
            home.serve(state, day=day)
        often.build()
    once.build()
    made = [release.create(home.corpus, home.releases) for home in (often, once)]
    assert made[0] is not None
    assert made[0] == made[1]
    compared = []
    for home in (often, once):
        with closing(sqlite3.connect(home.corpus)) as db, db:
            compared.append(
                db.execute(
                    "select piece, added_in, removed_in, removed_why, leaf, place, flags, cluster"
                    " from piece_version order by piece, added_in"
                ).fetchall()
            )
    assert compared[0] == compared[1]


def test_a_change_that_is_taken_back_before_a_release_makes_none(home: Any, write: Any, html: Any) -> None:
    before, after = html("工作总结", write(1)), html("工作总结", write(5))
    home.serve({"a": before})
    home.build()
    release.create(home.corpus, home.releases)
    home.serve({"a": after}, day=2)
    home.build()
    home.serve({"a": before}, day=3)
    home.build()
    assert release.create(home.corpus, home.releases) is None
    assert verify.verify(home.corpus) == []


def test_rights_govern_the_default_set(home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1)), "b": html("读后感", write(2))})
    assert home.build().pieces_default == 2
    release.create(home.corpus, home.releases)
    reserved = Consent(robots_hash="0" * 64, reservations=("x-robots-tag: noai",))
    home.serve({"a": html("工作总结", write(1)), "b": html("读后感", write(2))}, day=2, consent=reserved)
    assert home.build().pieces_default == 0
    made = release.create(home.corpus, home.releases)
    assert made is not None
    assert (made.pieces, made.pieces_default) == (2, 0)
    with fanwen.open(home.path) as corpus:
        found = list(corpus.pieces(default=False))
    assert {(p.rights_basis, p.excluded_why) for p in found} == {("reservation_found", "reservation_found")}
    assert (
        home.build(site_status={"wenku": "probation"}, site_decision={"wenku": "licensed"}).pieces_default
        == 0
    )


def test_a_site_on_probation_stays_out(home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1))})
    assert home.build(site_status={"wenku": "probation"}).pieces_default == 0
    assert home.build(site_status={"wenku": "active"}).pieces_default == 1


def test_order_and_number_of_workers_do_not_matter(new_home: Any, write: Any, html: Any) -> None:
    served = {f"p{n}": html("工作总结", write(n), write(n + 100)) for n in range(12)}
    served["copy"] = html("工作总结", write(3))
    one, two = new_home("one"), new_home("two")
    one.serve(served)
    two.serve(dict(reversed(served.items())))
    one.build(workers=1)
    two.build(workers=2)
    made = [release.create(home.corpus, home.releases) for home in (one, two)]
    assert made[0] is not None
    assert made[0] == made[1]


def test_a_corpus_may_be_copied_while_it_is_read(home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1))})
    home.build()
    with fanwen.open(home.path) as corpus:
        (first,) = corpus.pieces()
        home.serve({"b": html("读后感", write(2))}, day=2)
        home.build()
        assert {piece.piece_id for piece in corpus.pieces()} > {first.piece_id}
    shutil.rmtree(home.releases, ignore_errors=True)
