"""Release folders: reproducible bytes, and nothing wrong with them goes unnoticed."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

import fanwen
from fanwen.corpus import exports, release, release_index, store, verify
from fanwen.corpus.tables import tables_version
from fanwen.errors import BlockedError, DamagedError, IncompleteError, UsageError


@pytest.fixture
def released(home: Any, write: Any, html: Any) -> Path:
    home.serve({"a": html("工作总结", write(1), write(2)), "b": html("读后感", write(1))})
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    return Path(home.releases / made.version)


def test_what_a_release_holds(home: Any, released: Path) -> None:
    assert [one.path for one in exports.files_in(released)] == [
        "CHANGELOG.md", "CITATION.cff", "DATA_LICENSE", "README.md", "README.zh-CN.md", "SHA256SUMS",
        "croissant.json",
        *(f"data/{name}/{split}-00000-of-00001.parquet"
          for name in ("all", "default") for split in ("test", "train", "validation")),
        *(f"data/{name}/train-00000-of-00001.parquet"
          for name in ("rejects", "relations", "rule_hits")),
        *(f"data/{name}/{split}-00000-of-00001.parquet"
          for name in ("sample-10k", "sample-1k") for split in ("test", "train", "validation")),
        "data/sightings/train-00000-of-00001.parquet",
        "fanwen.db.zst", "jsonl/pieces.jsonl.zst",
        *(f"plots/{name}.svg" for name in ("duplicates", "genres", "lengths", "removed", "sites", "years")),
        "release.json", "removals.jsonl", "tombstones.jsonl",
    ]  # fmt: skip
    with zstandard.open(released / exports.PIECES, "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    manifest = json.loads((released / exports.MANIFEST).read_text())
    assert manifest["version"] == released.name == "2026.3.0"
    assert manifest["date"] == "2026-03-01"
    assert manifest["pieces"] == len(rows) == 3
    assert manifest["pieces_default"] == sum(row["excluded_why"] is None for row in rows) == 2
    assert manifest["root"] == release.verify(released).root
    assert manifest["tables_version"] == tables_version()
    schema = pq.read_schema(released / "data/all/train-00000-of-00001.parquet")
    assert schema.metadata[b"fanwen.tables_version"].decode() == tables_version()
    (shown,) = release_index.listing(home.releases)
    assert release_index.show(home.releases).root == shown.root
    with fanwen.open(released) as corpus:
        assert [piece.piece_id for piece in corpus.pieces(default=False)] == [row["id"] for row in rows]
        assert corpus.search(rows[0]["text"][5:9]).total >= 1
        (relation,) = corpus.relations(next(row["id"] for row in rows if row["excluded_why"]))
        assert relation.relation == "exact"


def test_a_release_is_made_only_if_something_changed(home: Any, released: Path) -> None:
    assert release.create(home.corpus, home.releases) is None
    assert release.create(home.corpus, home.releases, date="2026-12-01") is None


def test_versions_count_within_a_month(home: Any, released: Path, html: Any, write: Any) -> None:
    versions = []
    for day, date in ((2, None), (3, None), (4, "2026-04-02")):
        home.serve({f"new{day}": html("倡议书", write(day + 40))}, day=day)
        home.build()
        made = release.create(home.corpus, home.releases, date=date)
        assert made is not None
        versions.append((made.version, made.date, made.parent))
    assert versions == [
        ("2026.3.1", "2026-03-02", "2026.3.0"),
        ("2026.3.2", "2026-03-03", "2026.3.1"),
        ("2026.4.0", "2026-04-02", "2026.3.2"),
    ]
    assert json.loads((home.releases / "index.json").read_text())["latest"] == "2026.4.0"
    assert verify.verify(home.corpus) == []
    home.serve({"late": html("倡议书", write(70))}, day=5)
    home.build()
    for wrong in ("2026-04-01", "2026-4-9", "soon", "20260501"):
        with pytest.raises(UsageError):
            release.create(home.corpus, home.releases, date=wrong)


def test_one_flipped_byte_is_found_and_named(released: Path, tmp_path: Path) -> None:
    for one in exports.files_in(released):
        copy = tmp_path / "flipped" / released.name
        shutil.rmtree(copy.parent, ignore_errors=True)
        shutil.copytree(released, copy)
        shutil.copy(released.parent / "index.json", copy.parent)
        for at in (0, one.bytes // 2, one.bytes - 1):
            data = bytearray((released / one.path).read_bytes() or b" ")
            data[max(0, at)] ^= 1
            (copy / one.path).write_bytes(data)
            with pytest.raises(DamagedError, match=one.path.replace(".", r"\.")):
                release.verify(copy)
        (copy / one.path).write_bytes((released / one.path).read_bytes())
        release.verify(copy)


def test_a_missing_and_an_extra_file_are_named(released: Path) -> None:
    (released / "jsonl" / ".extra").write_text("")
    with pytest.raises(DamagedError, match=r"jsonl/\.extra"):
        release.verify(released)
    (released / "jsonl" / ".extra").unlink()
    (released / "release.json").unlink()
    with pytest.raises(DamagedError, match=r"release\.json is missing"):
        release.verify(released)
    with pytest.raises(UsageError):
        release.verify(released.parent / "2020.1.0")


def test_a_forged_text_with_right_sums_is_found(released: Path, tmp_path: Path) -> None:
    """Whoever changes a text and writes new sums still cannot keep the root hash."""
    (released.parent / "index.json").unlink()
    file = released / exports.PIECES
    text = zstandard.decompress(file.read_bytes(), max_output_size=1 << 24).decode()
    file.write_bytes(
        zstandard.compress(text.replace("认真", "马虎").replace("工作总结", "工作计划").encode())
    )
    lines = [f"{one.sha256}  {one.path}\n" for one in exports.files_in(released) if one.path != exports.SUMS]
    (released / exports.SUMS).write_text("".join(lines))
    with pytest.raises(DamagedError, match=r"pieces\.jsonl\.zst"):
        release.verify(released)


def test_forged_parquet_with_right_sums_is_found(released: Path) -> None:
    (released.parent / "index.json").unlink()
    file = released / "data/all/train-00000-of-00001.parquet"
    whole = pq.read_table(file)
    forged = [text.replace("认真", "马虎") for text in whole["text"].to_pylist()]
    for changed in (
        whole.set_column(whole.schema.get_field_index("text"), whole.schema.field("text"), [forged]),
        whole.slice(1),
    ):
        pq.write_table(changed, file)
        lines = [
            f"{one.sha256}  {one.path}\n" for one in exports.files_in(released) if one.path != exports.SUMS
        ]
        (released / exports.SUMS).write_text("".join(lines))
        with pytest.raises(DamagedError, match=r"data: the text of piece|Parquet"):
            release.verify(released)


def test_the_same_commands_give_the_same_bytes(new_home: Any, write: Any, html: Any) -> None:
    sums = []
    script = (
        "import sys, pathlib\nfrom fanwen.corpus import build, release\n"
        "home = pathlib.Path(sys.argv[1])\n"
        "build.build(home / 'archive.db', home / 'corpus.db', workers=1)\n"
        "release.create(home / 'corpus.db', home / 'releases')\n"
    )
    for seed in ("0", "1"):
        home = new_home(f"home with a name of its own {seed}")
        home.serve(
            {
                "a": html("工作总结", write(1), write(2)),
                "b": html("读后感", write(1)),
                "c": html("通知", write(4)),
            }
        )
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script, str(home.path)], check=True, env=environment)
        sums.append((home.releases / "2026.3.0" / exports.SUMS).read_text())
    assert sums[0] == sums[1]


def test_a_changed_corpus_is_found_by_verify(home: Any, released: Path) -> None:
    assert verify.verify_home(home.archive, home.corpus, home.releases) == []
    changes = {
        "update piece_version set title = '别的' where rowid = 1": "masks",
        "update piece_version set genre = '别的' where rowid = 1": "leaf",
        "update text set body = body || '。' where body is not null": "text",
        "update fingerprint set marks = x'0000000000000000'": "fingerprints",
        "delete from text where rowid = 1": "missing row",
        "update piece_version set is_canonical = 0": "no canonical",
        "delete from search_text where rowid = 1; insert into search_text values (1, 'x')": "search index",
        "update release set root = replace(root, substr(root, 1, 1), 'z')": "as of release",
    }
    for change, word in changes.items():
        spoilt = home.path / "spoilt.db"
        with closing(sqlite3.connect(home.corpus)) as db, db:
            spoilt.unlink(missing_ok=True)
            db.execute("vacuum into ?", (str(spoilt),))
        with closing(sqlite3.connect(spoilt)) as db, db:
            db.executescript(change)
        assert any(word in trouble for trouble in verify.verify(spoilt)), change


def test_a_corpus_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "corpus.db"
    with pytest.raises(UsageError, match="There is no corpus"):
        fanwen.open(path)
    path.write_bytes(b"this is no database at all" * 500)
    with pytest.raises(DamagedError):
        fanwen.open(path)
    path.unlink()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table recipe (name)")
    with pytest.raises(DamagedError, match="not a fanwen corpus"):
        fanwen.open(path)


def test_a_torn_corpus(home: Any, released: Path) -> None:
    with closing(sqlite3.connect(home.corpus)) as db, db:
        db.execute("pragma wal_checkpoint(truncate)")
        size = db.execute("pragma page_size").fetchone()[0]
    data = bytearray(home.corpus.read_bytes())
    data[size : len(data) // 2] = bytes(len(data) // 2 - size)
    home.corpus.write_bytes(data)
    assert verify.verify(home.corpus)
    with pytest.raises(DamagedError):
        home.build()


def test_an_empty_corpus_has_nothing_to_release(home: Any, html: Any) -> None:
    home.serve({})
    home.build()
    with pytest.raises(UsageError, match="no pieces"):
        release.create(home.corpus, home.releases)


def test_a_corpus_that_another_process_writes(
    home: Any, write: Any, html: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.serve({"a": html("工作总结", write(1))})
    home.build()
    home.serve({"b": html("读后感", write(2))}, day=2)
    monkeypatch.setattr("fanwen.corpus.store.BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(home.corpus, isolation_level=None)) as other, other:
        other.execute("begin immediate")
        with pytest.raises(BlockedError, match="Another process"):
            home.build()
        with fanwen.open(home.path) as corpus:  # readers go on
            assert len(list(corpus.pieces())) == 1
        other.execute("rollback")
    other.close()
    assert home.build().pieces == 2


def test_a_full_disk_loses_nothing(home: Any, write: Any, html: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own limit of pages stands in for the end of the disk; its error is the same."""
    home.serve({"a": html("工作总结", write(1))})
    home.build()
    home.serve({f"more{n}": html("读后感", write(n, 90)) for n in range(9)}, day=2)
    connect = store._connect

    def small(path: Path, readonly: bool) -> sqlite3.Connection:
        conn = connect(path, readonly)
        pages = conn.execute("pragma page_count").fetchone()[0]
        conn.execute(f"pragma max_page_count = {pages + 2}")
        return conn

    monkeypatch.setattr(store, "_connect", small)
    with pytest.raises(IncompleteError, match="disk is full"):
        home.build()
    monkeypatch.undo()
    assert verify.verify(home.corpus) == []
    assert home.build().pieces == 10
