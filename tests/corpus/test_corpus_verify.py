"""Every kind of trouble, made on purpose: it is named, what can be made anew is, and the rest is said to be lost."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus import exports, release, release_index, repair, verify

PHONE = "联系电话是13912345678，有事请找王建国同志。"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, write: Any, html: Any) -> Path:
    """A home with two releases, copies, changes, a page that is gone, and work that is not released yet."""
    return tmp_path_factory.mktemp("whole")


@pytest.fixture
def damaged(whole: Path, new_home: Callable[[str], Any], write: Any, html: Any) -> Any:
    """A copy of that home to be damaged."""
    home = new_home("home")
    kept = type(home)(whole / "home")
    if not kept.corpus.exists():
        kept.serve(
            {
                "a": html("工作总结", write(1) + PHONE, write(2)),
                "b": html("读后感", write(1)),
                "c": html("倡议书", write(3)),
            }
        )
        kept.build()
        release.create(kept.corpus, kept.releases)
        kept.serve(
            {"b": html("读后感", write(1) + "又及。"), "c": None, "d": html("倡议书", write(2)[:-60])}, day=2
        )
        kept.build()
        release.create(kept.corpus, kept.releases)
        kept.serve({"e": html("倡议书", write(5))}, day=3)
        kept.build()
        with closing(sqlite3.connect(kept.corpus)) as db:
            db.execute("pragma wal_checkpoint(truncate)")
        assert verify.verify_home(kept.archive, kept.corpus, kept.releases) == []
    shutil.copytree(kept.path, home.path)
    return home


def found(home: Any) -> list[str]:
    return verify.verify_home(home.archive, home.corpus, home.releases)


def edit(home: Any, script: str) -> None:
    with closing(sqlite3.connect(home.corpus)) as db, db:
        before = db.total_changes
        db.executescript("pragma writable_schema = on;" + script)
        assert db.total_changes > before, "the damage was done"


REBUILT = {
    "search index": [
        "delete from search_text where id = 2",
        "update search_text set text = (select min(sha256) from text where sha256 not in"
        " (select text from search_text)) where id = 1",
        "insert into search_grams (rowid, grams) values (3, '4e00z4e00z')",
        "delete from search_grams_docsize where id = 3",
        "update search_grams_data set block = zeroblob(length(block)) where id > 10",
    ],
    "fingerprints": [
        "update fingerprint set marks = x'0000000000000000' where rowid = 2",
        "update fingerprint set key = replace(key, substr(key, 1, 1), 'f') where rowid = 1",
    ],
    "no fingerprints": [
        "delete from fingerprint where text ="
        " (select min(text) from piece_version where removed_in is null and cluster is not null)"
    ],
    "next number": ["update document set next_n = 9 where id = 2"],
    "relation has an end": [
        "insert into relation (a, b, relation, jaccard, containment_a, containment_b, shared, added_in)"
        " values ('00', 'ff', 'near', 1, 1, 1, 9, 3)"
    ],
    "in no cluster": [
        "update piece_version set cluster = null, is_canonical = 0 where added_in = 3 and cluster is not null"
    ],
}


@pytest.mark.parametrize(
    ("word", "script"), [(word, script) for word, scripts in REBUILT.items() for script in scripts]
)
def test_what_can_be_made_anew(damaged: Any, word: str, script: str) -> None:
    before = [one.root for one in release_index.listing(damaged.releases)]
    edit(damaged, script)
    troubles = found(damaged)
    assert any(word in one and "--repair" in one for one in troubles), troubles
    done = repair.repair(damaged)
    # a forged leaf of unreleased work is none of the things that repair: see the list of what is lost
    assert [one for one in done.remains if "leaf" not in one] == []
    assert done.done
    assert [one.root for one in release_index.listing(damaged.releases)] == before
    assert repair.repair(damaged).done == ()


LOST = {
    "ends before it begins": "update piece_version set removed_in = added_in where removed_in is not null",
    "begins after the pending": "update relation set added_in = 7",
    "says no reason": "update document_version set removed_why = null",
    "piece has two states at one time": "update piece_version set removed_in = 3 where removed_in = 2 and"
    " piece in (select piece from piece_version group by piece having count(*) > 1)",
    "document has two states at one time": "update document_version set removed_in = 3 where removed_in = 2",
    "two relations at one time": "insert into relation (a, b, relation, jaccard, containment_a, containment_b,"
    " shared, added_in, removed_in) select a, b, 'overlap', 1, 1, 1, 9, added_in, added_in + 1 from relation",
    "state of another document": "update piece_version set document_version ="
    " (select max(id) from document_version) where id = 1",
    "more than one canonical": "update piece_version set is_canonical = 1",
    "no canonical": "update piece_version set is_canonical = 0",
    "does not stand for its cluster": "update piece_version set excluded_why = 'duplicate_of:x'"
    " where excluded_why is not null and removed_in is null",
    "called a duplicate": "update piece_version set excluded_why = 'duplicate_of:x' where is_canonical",
    "cluster that never was": "insert into cluster_alias values ('a', 'b', 1)",
    "never stood for the cluster": "insert into canonical_log (seq, cluster, before, after, why)"
    " values (1, 'a', 'b', 'c', 'gone')",
    "outside its text": "update piece_version set span_end = -1",
    "(privacy)": "update piece_version set privacy = json_set(privacy, '$[0].end', 99999) where privacy <> '[]'",
    "released unmasked": "update piece_version set published = null where added_in = 1",
    "does not follow": "update release set parent = null",
    "is not finished": "update release set state = 'prepared' where seq = 1",
    "documents of a release": "update release set documents = documents + 1",
    "default set of a release": "update piece_version set excluded_why = 'stub' where excluded_why is null",
    "clusters of a release": "update release set clusters = 1",
    "gone that nobody took down": "update text set body = null where rowid = 1",
    "taken down is there": "update piece_version set withdrawn = '2026-1' where id = 1",
    "torn flags": "update piece_version set flags = '[' where id = 1",
    "torn bodies": "update document_version set bodies = 'x' where id = 1",
    "excluded for what its flags do not say": "update piece_version set excluded_why = 'spam'",
    "its hash says": "update text set body = body || '。'",
    "its leaf hash": "update piece_version set genre = '别的' where id = 1",
    "as its masks say": "update piece_version set published_title = 'x' where id = 1",
    "as of release 2026.3.0": "update release set root = 'x' where seq = 1",
    "another root": "update release set root = 'x' where seq = 1 ",
    "is not in it": "update release set version = '2026.3.9' where seq = 2",
    "missing row of text": "delete from text where rowid = 1",
    "cannot be read": "update piece_version set privacy = '[{}]' where id = 1",
}


@pytest.mark.parametrize(("word", "script"), LOST.items())
def test_what_is_lost_is_named_and_left(damaged: Any, word: str, script: str) -> None:
    edit(damaged, script)
    troubles = found(damaged)
    assert any(word in one for one in troubles), troubles
    assert all(one.endswith((".", ")")) and "; " in one for one in troubles), troubles
    remains = repair.repair(damaged).remains
    assert any(word in one for one in remains)


def test_an_index_of_sqlite_that_is_not_its_tables(damaged: Any) -> None:
    edit(
        damaged,
        "create table spare as select * from piece_version where 0; drop table spare;"
        "update sqlite_master set sql = replace(sql, '(piece)', '(cluster)') where name = 'piece_version_piece';"
        "update setting set value = value",
    )
    assert any("an index is not that of its table" in one and "--repair" in one for one in found(damaged))
    assert repair.repair(damaged).remains == ()


@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_pages_that_were_overwritten(damaged: Any, at: float) -> None:
    data = bytearray(damaged.corpus.read_bytes())
    begin = int(len(data) * at)
    data[begin : begin + 9000] = b"\x5a" * 9000
    damaged.corpus.write_bytes(data)
    (trouble,) = found(damaged)
    assert "damaged" in trouble
    assert "backup" in trouble
    assert "\n" not in trouble


def test_the_index_of_fingerprints(damaged: Any) -> None:
    folder = damaged.path / "index"
    for suffix in (".json", ".bin", ".seg"):
        file = next(folder.glob(f"*{suffix}"))
        spoilt = bytearray(file.read_bytes())
        with closing(sqlite3.connect(damaged.corpus)) as db:
            key, marks = db.execute("select key, marks from fingerprint where length > 500").fetchone()
        places = {".json": 0, ".bin": spoilt.find(bytes.fromhex(key)) + 16, ".seg": spoilt.find(marks[:8])}
        spoilt[places[suffix]] ^= 1
        file.write_bytes(spoilt)
        (trouble,) = found(damaged)
        assert "index of fingerprints" in trouble
        done = repair.repair(damaged)
        assert done.done == ("The index of fingerprints was made anew.",)
        assert done.remains == ()
    shutil.rmtree(folder)
    assert found(damaged) == [], "it is a cache"


def test_what_a_kill_left_over(damaged: Any) -> None:
    (damaged.releases / ".building-2026.4.0" / "jsonl").mkdir(parents=True)
    (damaged.path / ".restore" / "new").mkdir(parents=True)
    assert len(found(damaged)) == 2
    with damaged.locked("release create"):
        assert found(damaged) == [], "somebody may be writing it"
    assert repair.repair(damaged).done == ("Left-over folders were removed.",)
    assert found(damaged) == []


def test_releases_and_archive_and_their_sums(damaged: Any) -> None:
    folder = damaged.releases / "2026.3.0"
    (folder / exports.PIECES).write_bytes(b"x")
    index = damaged.releases / release_index.INDEX
    with closing(sqlite3.connect(damaged.archive)) as db, db:
        db.execute("update body set data = x'00' where rowid = 1")
    troubles = found(damaged)
    assert any(exports.PIECES in one for one in troubles)
    assert any("the body" in one for one in troubles)
    shutil.rmtree(folder)
    assert any("no release at" in one for one in found(damaged))
    data = json.loads(index.read_text())
    data["releases"] = data["releases"][:1]
    index.write_text(json.dumps(data))
    assert any("2026.3.1 of corpus.db is not in it" in one for one in found(damaged))
    index.write_text("{")
    assert any("index.json" in one for one in found(damaged))
