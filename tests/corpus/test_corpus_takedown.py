"""Takedown as a case: what a hold keeps out comes back as it was, and of what is purged nothing is left."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import zstandard
from leftovers import left_in, stretches
from small_pdf import write_pdf

import fanwen
from fanwen.corpus import (
    erase,
    exports,
    release,
    release_index,
    search,
    takedown_acts,
    takedown_journal,
    verify,
)
from fanwen.corpus import stretches as stretches_module
from fanwen.corpus.health import gates
from fanwen.corpus.identity import text_hash
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.refresh import build_home
from fanwen.corpus.reply import draft
from fanwen.corpus.report import Progress
from fanwen.corpus.store import open_store
from fanwen.corpus.stretches import CHARACTERS_AT_ONCE, stretches_of
from fanwen.corpus.takedown_case import Plan, plan
from fanwen.corpus.takedown_journal import Case, CaseReport
from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.items import Consent
from fanwen.spiders.site import Site

CASE = Case("2026-7", "copyright", "2026-03-05")


def build(home: Any) -> Any:
    return build_home(home, workers=1, progress=Progress(io.StringIO()))


def released(home: Any) -> str:
    made = release.create(home.corpus, home.releases)
    assert made is not None
    return str(made.version)


def find(home: Any, *targets: str, **options: Any) -> Plan:
    with open_store(home.corpus, readonly=True) as store:
        return plan(store, targets, **options)


def hold(home: Any, *targets: str, **options: Any) -> int:
    with open_store(home.corpus) as store:
        return takedown_acts.hold(store, CASE, plan(store, targets, **options))


def lift(home: Any) -> int:
    with open_store(home.corpus) as store:
        return takedown_acts.lift(store, CASE.case_id)


def purge(home: Any, *targets: str, **options: Any) -> None:
    with open_store(home.corpus) as store:
        takedown_acts.purge(home, store, CASE, plan(store, targets, **options))
    erase.finish(home)


def case(home: Any) -> CaseReport:
    with open_store(home.corpus, readonly=True) as store:
        return takedown_journal.case_of(store, CASE.case_id)


def url(name: str) -> str:
    return f"http://wenku.example/{name}"


def pieces(home: Any, as_of: str | None = None) -> dict[str, Any]:
    with fanwen.open(home.corpus) as corpus:
        return {piece.piece_id: piece for piece in corpus.pieces(as_of=as_of, default=False)}


def texts(home: Any, as_of: str | None = None) -> set[str]:
    return {piece.text for piece in pieces(home, as_of).values() if piece.text is not None}


def found(home: Any, query: str) -> int:
    return search.search(home.corpus, query).total


def is_whole(home: Any) -> bool:
    return verify.verify_home(home.archive, home.corpus, home.releases) == []


@pytest.fixture
def filled(home: Any, write: Any, html: Any) -> Any:
    """One release: a piece, a compilation, an exact copy, a near copy, one that holds it, ready-made pieces."""
    mine = write(1)
    near = mine.replace("认真整理了", "仔细整理过").replace("反复讨论了", "多次商量了")
    home.serve(
        {
            "mine.html": html("食堂工作总结", mine),
            "several.html": html("工作总结范文", write(2), mine, write(3)),
            "near.html": html("食堂工作小结", near),
            "other.html": html("车队工作总结", write(4)),
        }
    )
    rows = [{"id": 1, "text": mine.replace("，", ",")}, {"id": 2, "text": write(5)}]
    file = home.path.parent / "ready.jsonl"
    file.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    ingest_pieces(home.corpus, file, "ready", fetched_at="2026-03-01T08:00:00Z")
    build(home)
    released(home)
    return home


# -- looking ------------------------------------------------------------------------------------------


def test_a_plan_names_copies_siblings_pages_and_releases(filled: Any) -> None:
    seen = find(filled, url("mine.html"))
    by_why = {why: {one.url for one in seen.pieces if one.why == why} for why in ("target", "exact")}
    assert by_why["target"] == {url("mine.html")}
    assert by_why["exact"] == {url("several.html"), "urn:fanwen:ready:1"}
    assert {(one.url, one.why) for one in seen.siblings} == {(url("near.html"), "near")}
    assert seen.releases == ("2026.3.0",)
    assert set(seen.pages) == {url("mine.html"), url("several.html")}
    assert len(seen.innocent) == 2


@pytest.mark.parametrize("www", ["http://www.wenku.example/mine.html", "https://m.wenku.example/mine.html#a"])
def test_an_address_may_be_written_otherwise(filled: Any, www: str) -> None:
    assert [one.url for one in find(filled, www).pieces if one.why == "target"] == [url("mine.html")]


def test_pieces_hosts_clusters_and_texts_are_targets(filled: Any, write: Any) -> None:
    (mine,) = (one for one in pieces(filled).values() if one.url == url("mine.html"))
    named = {one.piece_id for one in find(filled, f"piece:{mine.piece_id}").pieces if one.why == "target"}
    assert named == {mine.piece_id}
    cluster = find(filled, f"cluster:{mine.cluster}")
    assert {one.url for one in cluster.pieces} >= {url("mine.html"), url("near.html"), url("several.html")}
    assert len(find(filled, "wenku.example").pieces) == 7
    assert find(filled, "wenku.example").hosts == ("wenku.example",)
    by_text = find(filled, texts=[write(1)])
    assert {one.url for one in by_text.pieces} == {one.url for one in cluster.pieces}
    # half of it is no copy, but who holds it is shown
    half = write(1)[: len(write(1)) // 3]
    with pytest.raises(UsageError, match="hold or overlap it"):
        find(filled, texts=[half])


@pytest.mark.parametrize(
    "target", ["http://wenku.example/none.html", "0123456789abcdef", "host:none.example"]
)
def test_what_nobody_knows_is_told_as_such(filled: Any, target: str) -> None:
    with pytest.raises(UsageError, match="No piece is known"):
        find(filled, target)


def test_an_id_that_means_two_things_is_asked_back(filled: Any) -> None:
    founder = next(one.cluster for one in pieces(filled).values() if one.url == url("near.html"))
    with pytest.raises(UsageError, match=f"piece:{founder} or cluster:{founder}"):
        find(filled, founder)


# -- hold and lift ------------------------------------------------------------------------------------


def test_a_hold_is_in_force_at_once_and_lifted_to_the_same_leaf(filled: Any, write: Any) -> None:
    before = {one.piece_id: one.leaf for one in pieces(filled).values()}
    words = write(1)[40:60]
    assert found(filled, words) == 4
    assert hold(filled, url("mine.html")) == 3
    assert found(filled, words) == 1  # the near copy
    assert len(pieces(filled)) == len(before) - 3
    build(filled)
    assert len(pieces(filled)) == len(before) - 3
    assert is_whole(filled)
    assert lift(filled) == 3
    assert {one.piece_id: one.leaf for one in pieces(filled).values()} == before
    assert release.create(filled.corpus, filled.releases) is None
    assert is_whole(filled)
    assert case(filled).state == "lifted"


def test_a_release_made_during_a_hold_has_nothing_of_the_text(filled: Any, write: Any) -> None:
    mine = write(1)
    hold(filled, url("mine.html"), siblings=True)
    version = released(filled)
    assert left_in(filled.releases / version, stretches([mine], texts(filled))) == []
    assert release.verify(filled.releases / version).pieces == 4
    with fanwen.open(filled.releases / version) as corpus:
        gone = [one for one in corpus.pieces(as_of="2026.3.0", default=False) if one.text is None]
    assert {one.withdrawn for one in gone} == {CASE.case_id}
    assert lift(filled) == 4
    again = released(filled)
    assert texts(filled) == texts(filled, "2026.3.0")
    root = {one.version: one.root for one in release_index.listing(filled.releases)}
    assert root[again] == root["2026.3.0"]
    assert is_whole(filled)


def test_a_hold_keeps_what_no_release_has_had_yet(home: Any, write: Any, html: Any, new_home: Any) -> None:
    pages = {"a.html": html("甲", write(1)), "b.html": html("乙", write(2))}
    for one in (home, new_home("undisturbed")):
        one.serve(pages)
        build(one)
    other = new_home("undisturbed")
    hold(home, url("a.html"))
    version = released(home)
    assert texts(home) == {write(2)}
    assert left_in(home.releases / version, stretches([write(1)])) == []
    lift(home)
    assert {one.leaf for one in pieces(home).values()} == {one.leaf for one in pieces(other).values()}
    assert is_whole(home)


def test_a_page_that_changed_during_a_hold_is_read_again_when_it_is_lifted(
    filled: Any, write: Any, html: Any
) -> None:
    hold(filled, url("other.html"))
    changed = write(4).replace("车间工人", "装卸工人")
    filled.serve({"other.html": html("车队工作总结", changed)}, day=2)
    build(filled)
    assert url("other.html") not in {one.url for one in pieces(filled).values()}
    lift(filled)
    build(filled)
    assert changed in texts(filled)
    assert write(4) not in texts(filled)


def test_a_copy_that_came_during_a_hold_comes_in_when_it_is_lifted(
    filled: Any, write: Any, html: Any
) -> None:
    hold(filled, url("other.html"))
    filled.serve({"copy.html": html("车队总结", write(4))}, day=2)
    assert build(filled).rejects["tombstoned"] == 1
    assert write(4) not in texts(filled)
    lift(filled)
    build(filled)
    assert {one.url for one in pieces(filled).values() if one.text == write(4)} == {
        url("other.html"),
        url("copy.html"),
    }


# -- purge --------------------------------------------------------------------------------------------


def test_after_a_purge_nothing_is_left_but_in_earlier_releases(filled: Any, write: Any) -> None:
    mine = write(1)
    (filled.runs).mkdir(exist_ok=True)
    (filled.runs / "2026-03-01T08-00-00Z.json").write_text(json.dumps({"error": f"见“{mine[30:90]}”"}))
    (filled.path / "explain.html").write_text(f"<p>{mine[100:150]}</p>", encoding="gb18030")
    (filled.path / "old.txt.gz").write_bytes(gzip.compress(mine.encode("utf-16")))
    (filled.releases / ".building-2026.3.9").mkdir()
    (filled.releases / ".building-2026.3.9" / "pieces").write_bytes(zstandard.compress(mine.encode()))
    before = {one.version: (one.root, one.pieces) for one in release_index.listing(filled.releases)}
    purge(filled, url("mine.html"), siblings=True)
    wanted = stretches([mine], texts(filled))
    assert len(wanted) > 900
    assert left_in(filled.path, wanted, but=["releases/2026.3.0"]) == []
    assert left_in(filled.path, wanted) != []
    assert json.loads((filled.runs / "2026-03-01T08-00-00Z.json").read_text())["error"] == "见“…”"
    assert (release_index.show(filled.releases, "2026.3.0").taken_down, case(filled).releases) == (
        (CASE.case_id,),
        ("2026.3.0",),
    )
    assert case(filled).state == "purged"
    assert is_whole(filled)
    version = released(filled)
    assert left_in(filled.releases / version, wanted) == []
    assert left_in(filled.path, wanted, but=["releases/2026.3.0"]) == []
    # as of the earlier release: the same count and root, by the leaves
    with open_store(filled.corpus, readonly=True) as store:
        rows = store.rows("select leaf from piece_version where added_in <= 1").fetchall()
    assert (exports.root([leaf for (leaf,) in rows]), len(rows)) == before["2026.3.0"]
    withdrawn = [one for one in pieces(filled, "2026.3.0").values() if one.text is None]
    assert {one.withdrawn for one in withdrawn} == {CASE.case_id}
    assert len(withdrawn) == 4
    assert is_whole(filled)


def test_innocent_pieces_of_the_page_stay_after_every_build(filled: Any, write: Any, html: Any) -> None:
    purge(filled, url("mine.html"))
    innocent = {write(2), write(3)}
    assert innocent <= texts(filled)
    build(filled)
    filled.serve({}, day=2)  # the same bytes again
    build(filled)
    assert innocent <= texts(filled)
    with Archive(filled.archive, readonly=True) as archive:
        page = archive.document(url("several.html"))
        assert page is not None
        assert page.source_removed
    assert left_in(filled.path, stretches([write(1)], texts(filled)), but=["releases"]) == []
    # new bytes that still hold the text: the page is read, the text is not taken, and the bytes go again
    page_now = html("工作总结范文", write(2), write(1), write(3), write(6))
    filled.serve({"several.html": page_now}, day=3)
    assert build(filled).rejects["tombstoned"] == 1
    assert innocent | {write(6)} <= texts(filled)
    assert left_in(filled.path, stretches([write(1)], texts(filled)), but=["releases"]) == []
    # new bytes without it are kept
    filled.serve({"several.html": html("工作总结范文", write(2), write(3), write(6))}, day=4)
    build(filled)
    assert innocent | {write(6)} <= texts(filled)
    with Archive(filled.archive, readonly=True) as archive:
        page = archive.document(url("several.html"))
        assert page is not None
        assert not page.source_removed
    assert is_whole(filled)


def test_the_text_does_not_come_back(filled: Any, write: Any, html: Any, tmp_path: Path) -> None:
    purge(filled, url("mine.html"), siblings=True)
    kept = texts(filled)
    mine = write(1)
    near = mine.replace("全体教师", "各位老师").replace("及时修复了", "尽快修好了")
    traditional = mine.replace("问", "問").replace("门", "門").replace("车", "車").replace("东", "東")
    inside = "\n".join((write(8, 60), mine, write(9, 60)))
    filled.serve(
        {
            "copy.html": html("总结一", mine),
            "near.html": html("总结二", near),
            "traditional.html": html("總結", traditional),
            "inside.html": html("总结四", inside),
            "fresh.html": html("总结五", write(10)),
        },
        day=2,
    )
    report = build(filled)
    assert report.rejects["tombstoned"] == 4
    assert texts(filled) == kept | {write(10)}
    file = tmp_path / "again.jsonl"
    rows = [{"id": 7, "text": near}, {"id": 8, "text": mine}, {"id": 9, "text": write(11)}]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    taken = ingest_pieces(filled.corpus, file, "again")
    assert (taken.added, taken.bad_by_reason) == (1, {"tombstoned": 2})
    assert left_in(filled.path, stretches([mine], texts(filled)), but=["releases/2026.3.0"]) == []
    assert is_whole(filled)


def test_what_a_site_says_counts_for_pages_without_bytes_too(filled: Any, write: Any) -> None:
    purge(filled, url("mine.html"))
    leaves = {one.text: one.leaf for one in pieces(filled).values() if one.url == url("several.html")}
    assert set(leaves) == {write(2), write(3)}
    filled.serve({}, day=2, consent=Consent(reservations=("tdm-reservation",)))
    build(filled)
    kept = {one.text: one for one in pieces(filled).values() if one.url == url("several.html")}
    assert {one.excluded_why for one in kept.values()} == {"reservation_found"}
    filled.serve({}, day=3)
    build(filled)
    assert {one.text: one.leaf for one in pieces(filled).values() if one.url == url("several.html")} == leaves
    assert is_whole(filled)


def test_a_near_copy_that_was_kept_stays(filled: Any) -> None:
    purge(filled, url("mine.html"))
    assert url("near.html") in {one.url for one in pieces(filled).values()}
    with sqlite3.connect(filled.corpus) as db:
        db.execute("update document_version set state_hash = ''")  # as if the rules had changed
    db.close()
    build(filled)
    assert url("near.html") in {one.url for one in pieces(filled).values()}


def test_what_is_held_can_be_purged(filled: Any, write: Any) -> None:
    hold(filled, url("mine.html"), siblings=True)
    held = case(filled).held
    version = released(filled)
    purge(filled, *(f"piece:{piece}" for piece in held))
    assert (case(filled).state, case(filled).purged, case(filled).held) == ("purged", held, ())
    assert case(filled).releases == ("2026.3.0",)  # the one made during the hold has nothing of it
    assert left_in(filled.path, stretches([write(1)], texts(filled)), but=["releases/2026.3.0"]) == []
    assert left_in(filled.releases / version, stretches([write(1)], texts(filled))) == []
    assert release.create(filled.corpus, filled.releases) is None  # to a reader nothing changed since
    assert is_whole(filled)


def test_of_what_no_release_has_had_nothing_is_left(home: Any, write: Any, html: Any) -> None:
    home.serve({"a.html": html("甲", write(1)), "b.html": html("乙", write(2))})
    build(home)
    hold(home, url("a.html"))
    purge(home, url("a.html"))
    assert left_in(home.path, stretches([write(1)])) == []
    build(home)
    released(home)
    assert texts(home) == {write(2)}
    assert left_in(home.path, stretches([write(1)])) == []
    assert is_whole(home)


def test_a_list_page_that_shows_the_beginning_goes_too(filled: Any, write: Any) -> None:
    with Archive(filled.archive) as archive, archive.write() as conn:
        teaser = f"<ul><li>食堂<b>总结</b>：{write(1)[:30]}…</li></ul>".encode("gb18030")
        digest = archive.store_body(teaser)
        conn.execute("update url set body_hash = ? where kind = 'list'", (digest,))
    purge(filled, url("mine.html"), siblings=True)
    with Archive(filled.archive) as archive:
        assert digest in archive.erased_in(CASE.case_id)
    assert is_whole(filled)


def test_of_a_masked_text_neither_form_is_left_nor_comes_back(
    home: Any, write: Any, html: Any, tmp_path: Path
) -> None:
    told = "。会上李大山老师说，他的电话是13812345678，谁家的水管坏了都可以在晚上八点以前打给他，"
    mine = write(1).replace("。", told, 1)
    home.serve({"a.html": html("甲", mine), "b.html": html("乙", write(2))})
    build(home)
    version = released(home)
    with fanwen.open(home.releases / version) as corpus:
        (shown,) = (one.text for one in corpus.pieces(default=False) if one.text and "〔电话〕" in one.text)
    assert "13812345678" not in shown
    purge(home, url("a.html"))
    assert left_in(home.path, stretches([mine, shown]), but=["releases"]) == []
    file = tmp_path / "pieces.jsonl"
    file.write_text(json.dumps({"id": 1, "text": shown}) + "\n")
    assert ingest_pieces(home.corpus, file, "old-release").bad_by_reason == {"tombstoned": 1}
    released(home)
    assert left_in(home.path, stretches([mine, shown]), but=[f"releases/{version}"]) == []
    assert is_whole(home)


def test_a_page_that_gave_no_piece_can_be_erased(home: Any, write: Any, html: Any) -> None:
    nothing = f"<html><body><ul>{f'<li><a href=a>{write(1)[:18]}</a></li>' * 9}</ul></body></html>".encode()
    home.serve({"list.html": nothing, "a.html": html("甲", write(2))})
    build(home)
    assert texts(home) == {write(2)}
    with pytest.raises(UsageError, match="no piece to hold"):
        hold(home, url("list.html"))
    purge(home, url("list.html"))
    with Archive(home.archive, readonly=True) as archive:
        page = archive.document(url("list.html"))
        assert page is not None
        assert page.source_removed
    assert (texts(home), build(home).cleaned) == ({write(2)}, 0)
    assert case(home).state == "purged"
    with open_store(home.corpus, readonly=True) as store:
        assert url("list.html") in draft(store, case(home), "zh", "takedown@wenku.example")
    assert is_whole(home)


def test_a_damaged_body_elsewhere_stops_no_erasure(filled: Any, write: Any) -> None:
    with Archive(filled.archive) as archive, archive.write() as conn:
        document = archive.document(url("other.html"))
        assert document is not None
        conn.execute("update body set data = x'00' where sha256 = ?", (document.parts[0].body_hash,))
    purge(filled, url("mine.html"), siblings=True)
    assert left_in(filled.path, stretches([write(1)], texts(filled), step=5), but=["releases"]) == []
    assert len(verify.verify_home(filled.archive, filled.corpus, filled.releases)) == 1


def test_verify_tells_a_text_that_is_back_and_one_that_is_lost(filled: Any, write: Any) -> None:
    purge(filled, url("mine.html"))
    with sqlite3.connect(filled.corpus) as db:
        db.execute("update text set body = ? where sha256 = ?", (write(1), text_hash(write(1))))
        db.execute("update text set body = null where sha256 = ?", (text_hash(write(4)),))
    db.close()
    troubles = "\n".join(verify.verify(filled.corpus))
    assert "a text that was taken down is there" in troubles
    assert "a text is gone that nobody took down" in troubles


def test_nothing_is_taken_down_twice(filled: Any) -> None:
    hold(filled, url("mine.html"))
    assert hold(filled, url("mine.html")) == 0
    with pytest.raises(UsageError, match="all are on hold"), open_store(filled.corpus) as store:
        takedown_acts.hold(store, Case("2026-8", "other", "2026-03-06"), plan(store, [url("mine.html")]))
    purge(filled, url("other.html"))
    (gone,) = (one.piece_id for one in pieces(filled, "2026.3.0").values() if one.url == url("other.html"))
    with pytest.raises(UsageError, match="erased already, in the case 2026-7"):
        purge(filled, f"piece:{gone}")


def test_a_canary_that_shows_the_text_goes_with_what_needs_it(filled: Any, write: Any) -> None:
    folder = filled.site_folder / "wenku"
    folder.mkdir(parents=True)
    for name, seed in (("a", 1), ("b", 2)):
        (folder / f"{name}.html").write_text(write(seed), encoding="utf-8")
        (folder / f"{name}.json").write_text(json.dumps({"pages": [{"file": f"{name}.html"}]}))
    (filled.site_folder / "wenku.toml").write_text(f'note = "{write(1)[:40]}"', encoding="utf-8")
    with open_store(filled.corpus) as store:
        found = plan(store, [url("mine.html")], siblings=True)
        takedown_acts.purge(filled, store, CASE, found)
    (done,) = erase.finish(filled)
    assert done.files == ("sites/wenku/a.html", "sites/wenku/a.json")
    assert done.left == ("sites/wenku.toml",)  # settings are a person's own
    assert sorted(path.name for path in folder.iterdir()) == ["b.html", "b.json"]


def test_what_was_taken_down_is_no_loss_of_a_site(home: Any, write: Any, html: Any) -> None:
    home.serve({f"{n}.html": html("总结", write(n)) for n in range(12)})
    build(home)
    released(home)
    site = Site(
        name="wenku", title="wenku", family="test", host="wenku.example", start=("http://wenku.example/",)
    )
    hold(home, *(url(f"{n}.html") for n in range(6)))
    assert all(gate.passed for gate in gates(home.corpus, {"wenku": site}))
    home.serve({f"{n}.html": None for n in range(6, 12)}, day=2)
    build(home)
    assert not all(gate.passed for gate in gates(home.corpus, {"wenku": site}))


def test_a_stretch_of_a_kept_piece_is_left_where_it_stands(home: Any, write: Any, html: Any) -> None:
    shared = "在今后的工作当中，我们一定戒骄戒躁，再接再厉，把各项工作做得更好。"
    home.serve({"a.html": html("甲", write(1) + shared), "b.html": html("乙", write(2) + shared)})
    build(home)
    purge(home, url("a.html"))
    assert write(2) + shared in texts(home)
    with Archive(home.archive, readonly=True) as archive:
        document = archive.document(url("b.html"))
        assert document is not None
        assert shared.encode() in archive.body(document.parts[0].body_hash)


# -- looking for stretches ----------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("packing", ["plain", "zstd", "gzip", "parquet", "pdf", "database"])
def test_a_planted_stretch_is_found(tmp_path: Path, write: Any, encoding: str, packing: str) -> None:
    text = write(3)
    plain = b"\x00\xff" + text[200:224].encode(encoding) + b"\xfe"
    data = {
        "plain": lambda: plain,
        "zstd": lambda: zstandard.compress(plain),
        "gzip": lambda: gzip.compress(zstandard.compress(plain)),
        "parquet": lambda: _parquet(text[200:224]),
        "pdf": lambda: write_pdf(text[200:224]),
        "database": lambda: _database(tmp_path / "scratch.db", zstandard.compress(plain)),
    }[packing]()
    (tmp_path / "one").write_bytes(data)
    (tmp_path / "scratch.db").unlink(missing_ok=True)
    assert len(left_in(tmp_path, stretches([text]))) >= 1
    assert left_in(tmp_path, stretches([write(4)])) == []
    if packing != "database":
        assert stretches_of([text]).in_bytes(data)
        assert not stretches_of([write(4)]).in_bytes(data)


def test_a_packed_file_is_read_in_portions_and_to_a_limit(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretches_module, "PORTION", 1 << 16)
    monkeypatch.setattr(stretches_module, "UNPACKED", 1 << 20)
    bomb = gzip.compress(b"0" * (1 << 24))
    parts = [len(text) for text in stretches_module.texts_in(bomb) if set(text) == {"0"}]
    assert max(parts) < 1 << 17
    assert sum(parts) < 1 << 21
    torn = gzip.compress(b"first") + gzip.compress(write(3).encode())[:-40]
    assert stretches_of([write(3)]).in_bytes(torn)
    assert stretches_of([write(3)]).in_bytes(
        zstandard.compress(write(3).encode() * 50 + bytes(range(256)))[:-40]
    )
    # a stretch is found where two portions, or two parts of a long text, meet
    edge = b"0" * ((1 << 16) - 10) + write(3)[:25].encode() + b"1" * 100
    assert stretches_of([write(3)]).in_bytes(zstandard.compress(edge))
    long = "甲" * (CHARACTERS_AT_ONCE - 10) + write(3)[:25] + "乙" * 10
    assert stretches_of([write(3)]).in_bytes(long.encode("gb18030"))


def _parquet(text: str) -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"text": [text]}), sink)
    return sink.getvalue()


def _database(path: Path, blob: bytes) -> bytes:
    db = sqlite3.connect(path)
    db.execute("create table body (data blob)")
    db.execute("insert into body values (?)", (blob,))
    db.commit()
    db.close()
    return path.read_bytes()


# -- releases that were made before -------------------------------------------------------------------


def test_a_release_is_issued_again_without_what_is_gone(filled: Any, write: Any, html: Any) -> None:
    filled.serve({"later.html": html("后来", write(12))}, day=2)
    build(filled)
    released(filled)
    purge(filled, url("mine.html"), siblings=True)
    made = released(filled)
    before = {one.version: one for one in release_index.listing(filled.releases)}
    again = release.reissue(filled.corpus, filled.releases, "2026.3.0", delete_withdrawn=True)
    assert (again.root, again.pieces) == (before["2026.3.0"].root, before["2026.3.0"].pieces)
    assert (again.version, again.reissue_of) == ("2026.3.3", "2026.3.0")
    # killed before the former was marked, and run again
    assert release.reissue(filled.corpus, filled.releases, "2026.3.0") == release_index.show(
        filled.releases, "2026.3.3"
    )
    assert (
        release.reissue(filled.corpus, filled.releases, "2026.3.1", delete_withdrawn=True).version
        == "2026.3.4"
    )
    index = json.loads((filled.releases / "index.json").read_text())
    assert index["latest"] == made
    assert [one["version"] for one in index["releases"] if one["withdrawn"]] == ["2026.3.0", "2026.3.1"]
    assert left_in(filled.path, stretches([write(1)], texts(filled), step=5)) == []
    assert release.verify(filled.releases / "2026.3.3").root == before["2026.3.0"].root
    with fanwen.open(filled.releases / "2026.3.3") as corpus:
        assert len([one for one in corpus.pieces(default=False) if one.text is None]) == 4
    assert is_whole(filled)
    with pytest.raises(UsageError, match=r"no release 2026\.3\.9"):
        release.reissue(filled.corpus, filled.releases, "2026.3.9")


def test_a_release_that_is_issued_again_has_nothing_of_what_is_on_hold(filled: Any, write: Any) -> None:
    hold(filled, url("mine.html"), siblings=True)
    again = release.reissue(filled.corpus, filled.releases, "2026.3.0")
    assert left_in(filled.releases / again.version, stretches([write(1)], texts(filled), step=5)) == []
    assert again.root == release_index.show(filled.releases, "2026.3.0").root
    lift(filled)
    assert is_whole(filled)


def test_a_release_that_was_decided_before_a_purge_is_finished_without_the_text(
    filled: Any, write: Any, html: Any
) -> None:
    filled.serve({"later.html": html("后来", write(12))}, day=2)
    build(filled)

    def stop(name: str, done: int, total: int) -> None:
        if name == "prepared":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release.create(filled.corpus, filled.releases, progress=stop)
    purge(filled, url("mine.html"), siblings=True)
    released(filled)
    assert left_in(filled.path, stretches([write(1)], texts(filled), step=5), but=["releases/2026.3.0"]) == []
    assert is_whole(filled)
