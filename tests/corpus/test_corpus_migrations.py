"""Databases of every earlier version of the schema: filled as their fanwen filled them, then brought up to date."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import fanwen
from fanwen.corpus import dedup, release, release_changes, search, stats, verify
from fanwen.corpus.fingerprint import fingerprints, to_blob
from fanwen.corpus.identity import leaf, piece_id, root, text_hash
from fanwen.corpus.normalise import fold
from fanwen.corpus.schema import APPLICATION_ID, migrations
from fanwen.corpus.store import open_store
from fanwen.errors import UsageError

VERSIONS = [one.name for one in migrations._migrations]
URL = "http://wenku.example/"
FIRST = "过去的一年里，后勤处把教学楼的旧水管全部换成了新的，又在操场边上种了三排梧桐。"
TEXTS = {
    "a": FIRST * 4,
    "b": FIRST * 4,  # a copy
    "c": "图书馆的老师把破损的书一本一本补好，贴上新的标签，借书的人比去年多了一倍。" * 4,
    "d": "食堂的师傅每天五点起床和面，早饭又添了豆浆和煎饼，没有一个学生饿着肚子上课。" * 4,
}
CHANGED = TEXTS["c"] + "后来又买进了两百册新书。"


def insert(db: sqlite3.Connection, table: str, **values: object) -> int:
    marks = ", ".join("?" * len(values))
    row = db.execute(f"insert into {table} ({', '.join(values)}) values ({marks})", (*values.values(),))
    return int(row.lastrowid or 0)


class Old:
    """A database with the first ``count`` migrations, and rows as that fanwen wrote them."""

    def __init__(self, path: Path, count: int) -> None:
        from sqlite_utils import Database

        self.masks = count >= 2
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("pragma journal_mode = wal")
            after = VERSIONS[count] if count < len(VERSIONS) else ()
            migrations.apply(Database(db), stop_before=after)
            self.db = db
            db.execute("begin")
            self.fill()
            if count >= 3:
                db.execute("insert into unsettled (kind, name, settled) select 'piece', piece, 1"
                           " from piece_version where removed_in is null and added_in = 3")  # fmt: skip
            elif self.masks:
                insert(db, "setting", name="mask", value='["phone"]')
            db.execute("commit")

    def fill(self) -> None:
        """Two releases: c changes, d goes; a stands for its copy b. Then a change that is not released yet."""
        for name, body in TEXTS.items():
            self.text(body)
            self.document(name)
            self.piece(name, name, body, 1, None if name in "ab" else {"c": 2, "d": 2}[name])
        self.release(1)
        self.text(CHANGED)
        self.piece("c", "c", CHANGED, 2, None, why="changed")
        self.release(2)

    def text(self, body: str) -> None:
        self.db.execute("insert or ignore into text values (?, ?)", (text_hash(body), body))
        folded = fold([body])
        self.db.execute(
            "insert or ignore into fingerprint values (?, ?, ?, ?, ?, 1)",
            (
                text_hash(body),
                folded.key(0),
                int(folded.bounds[1]),
                dedup.SPEC,
                to_blob(fingerprints(folded)[0]),
            ),
        )
        if not self.db.execute("select 1 from search_text where text = ?", (text_hash(body),)).fetchone():
            number = insert(self.db, "search_text", text=text_hash(body))
            self.db.execute(
                "insert into search_grams (rowid, grams) values (?, ?)", (number, search.grams(body))
            )

    def document(self, name: str) -> None:
        insert(self.db, "document", key=URL + name, url=URL + name, site="wenku", source="archive", next_n=2,
               first_seen="2026-01-01T00:00:00Z")  # fmt: skip
        number = self.db.execute("select id from document where key = ?", (URL + name,)).fetchone()[0]
        insert(self.db, "piece", id=piece_id(URL + name, 1), document=number, n=1)

    def piece(self, name: str, _key: str, body: str, added: int, removed: int | None, why: str = "") -> None:
        db, identity = self.db, piece_id(URL + name, 1)
        document = db.execute("select document from piece where id = ?", (identity,)).fetchone()[0]
        db.execute("update document_version set removed_in = ?, removed_why = 'changed'"
                   " where document = ? and removed_in is null", (added, document))  # fmt: skip
        gone = "source_gone" if name == "d" else "changed"
        closed = {"removed_in": removed, "removed_why": gone if removed else None}
        version = insert(
            db, "document_version", document=document, added_in=added, **closed, state_hash=f"{name}{added}",
            bodies="[]", fetched_at=f"2026-0{added}-01T00:00:00Z", kind="html", found_pieces=1, consent="[]",
            rights_basis="none_found", ruleset="1",
        )  # fmt: skip
        cluster, stands = (piece_id(URL + "a", 1), name == "a") if name in "ab" else (identity, True)
        shown = {
            "published": text_hash(body),
            "published_title": "总结",
            "masked": "{}",
            "title_privacy": "[]",
        }
        insert(
            db, "piece_version", piece=identity, document_version=version, added_in=added, **closed, place=1,
            text=text_hash(body), text_original=text_hash(body), title="总结", genre="工作总结",
            genre_confidence=1, language="zh", script="Hans", flags="[]", n_chars=len(body), n_han=len(body),
            n_paragraphs=1, han_share=1, repeated_line_share=0, list_line_share=0, placeholder_share=0,
            placeholders="[]", privacy="[]", edits="[]", span_begin=0, span_end=len(body), cluster=cluster,
            is_canonical=stands, excluded_why=None if stands else f"duplicate_of:{cluster}",
            leaf=leaf(identity, text_hash(body), "总结", URL + name, [], "工作总结", "Hans", cluster, stands),
            **(shown if self.masks else {}),
        )  # fmt: skip

    def release(self, seq: int) -> None:
        db = self.db
        leaves = [
            row[0]
            for row in db.execute(
                "select leaf from piece_version where added_in <= ?1 and (removed_in is null or removed_in > ?1)",
                (seq,),
            )
        ]
        insert(
            db, "release", seq=seq, version=f"2026.{seq}.0", date=f"2026-0{seq}-01", state="published",
            parent=f"2026.{seq - 1}.0" if seq > 1 else None, root=root(leaves), documents=len(leaves),
            pieces=len(leaves), pieces_default=len(leaves) - 1, clusters=len(leaves) - 1, tools="{}",
            **({"mask": '["phone"]'} if self.masks else {}),
        )  # fmt: skip


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


@pytest.fixture(params=range(1, len(VERSIONS) + 1), ids=VERSIONS)
def old(request: pytest.FixtureRequest, home: Any) -> Any:
    home.path.mkdir()
    Old(home.corpus, request.param)
    home.serve({})  # an empty archive
    return home


def facts(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(
            "select 'release', seq, version, root, pieces, pieces_default, clusters, documents from release"
            " union all select 'piece', added_in, piece, leaf, removed_in, removed_why, cluster, text"
            " from piece_version where added_in <= 2 order by 1, 2, 3"
        ).fetchall()


def test_an_earlier_database_is_brought_up_to_date(old: Any, write: Any, html: Any) -> None:
    before = facts(old.corpus)
    old.build()
    assert verify.verify_home(old.archive, old.corpus, old.releases) == []
    with closing(sqlite3.connect(old.corpus)) as db:
        assert [name for (name,) in db.execute("select name from _sqlite_migrations order by id")] == VERSIONS
    after = facts(old.corpus)
    assert [row for row in after if row[0] == "release"] == [row for row in before if row[0] == "release"]
    with fanwen.open(old.path) as corpus:
        assert corpus.search("后勤处把教学楼").total == 2
        assert len(list(corpus.pieces(as_of="2026.1.0", default=False))) == 4
        assert {p.text for p in corpus.pieces(as_of="2026.2.0")} == {TEXTS["a"], CHANGED}
    old.serve({"new": html("倡议书", write(4))}, day=9)
    old.build()
    made = release.create(old.corpus, old.releases)
    assert made is not None
    assert (made.seq, made.pieces, made.parent) == (3, 4, "2026.2.0")
    assert [row for row in facts(old.corpus) if row[0] == "release"][:2] == before[-2:]
    assert [row[:4] for row in facts(old.corpus) if row[0] == "piece"] == [
        row[:4] for row in before if row[0] == "piece"
    ]
    changes = {(one.change, one.why) for one in release_changes.diff(old.corpus, "2026.1.0", "2026.2.0")}
    assert changes == {("MOD", "text"), ("DEL", "source_gone")}
    assert verify.verify_home(old.archive, old.corpus, old.releases) == []


def test_who_only_reads_an_earlier_database_is_told(old: Any) -> None:
    with closing(sqlite3.connect(old.corpus)) as db:
        current = len(db.execute("select * from _sqlite_migrations").fetchall()) == len(VERSIONS)
    before = dump(old.corpus)
    if current:
        assert stats.stats(old.corpus).pieces == 3
    else:
        for reads in (stats.stats, verify.verify, lambda path: search.search(path, "后勤")):
            with pytest.raises(UsageError, match="earlier fanwen; run 'fanwen build'"):
                reads(old.corpus)
    assert dump(old.corpus) == before


def test_a_newer_database_is_left_alone(old: Any) -> None:
    with closing(sqlite3.connect(old.corpus)) as db, db:
        insert(db, "_sqlite_migrations", migration_set="fanwen.corpus", name="m999_later", applied_at="2030")
    before = dump(old.corpus)
    for uses in (
        old.build,
        lambda: release.create(old.corpus, old.releases),
        lambda: stats.stats(old.corpus),
        lambda: verify.verify(old.corpus),
        lambda: fanwen.open(old.path),
    ):
        with pytest.raises(UsageError, match="newer fanwen; upgrade"):
            uses()
    assert dump(old.corpus) == before


def test_a_migration_is_whole_or_not_at_all(old: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails leaves what was there; the process that comes next makes it."""
    before = dump(old.corpus)

    def fails(_db: object) -> None:
        raise sqlite3.OperationalError("out of the blue")

    last = migrations._Migration("m999_later", fails)
    monkeypatch.setattr(migrations, "_migrations", [*migrations._migrations, last])
    with pytest.raises(Exception, match="out of the blue"), open_store(old.corpus):
        pass
    assert dump(old.corpus) == before
    monkeypatch.undo()
    with open_store(old.corpus) as store:
        assert store.value("pragma application_id") == APPLICATION_ID
    assert verify.verify(old.corpus) == []


def test_killed_while_migrating(tmp_path: Path, soak: bool, killed: Any) -> None:
    """As it was or as it shall be, and the next process makes the rest."""
    dice = random.Random(14)
    old = tmp_path / "old.db"
    Old(old, 1)

    def migrate(path: Path) -> None:
        with open_store(path):
            pass

    tables = []
    trial = Path(shutil.copy(old, tmp_path / "trial.db"))
    seconds = killed(None, migrate, trial)
    for _ in range(25 if soak else 2):
        path = Path(shutil.copy(old, tmp_path / "killed.db"))
        killed(dice.uniform(0, seconds), migrate, path)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
            tables.append(len(db.execute("select * from _sqlite_migrations").fetchall()))
        migrate(path)
        assert verify.verify(path) == []
        assert facts(path) == facts(trial)
        for log in ("-wal", "-shm"):
            path.with_name(path.name + log).unlink(missing_ok=True)
    assert set(tables) <= {1, len(VERSIONS)}, "never half-way"


def test_the_oldest_database_is_as_its_migration_made_it(tmp_path: Path) -> None:
    """The rows above fit the schema of each version, not that of today."""
    columns = []
    for count in range(1, len(VERSIONS) + 1):
        path = tmp_path / f"{count}.db"
        Old(path, count)
        with closing(sqlite3.connect(path)) as db:
            columns.append(len(db.execute("select * from pragma_table_info('piece_version')").fetchall()))
            assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
            assert db.execute("pragma foreign_key_check").fetchall() == []
    assert columns[0] < columns[1]
