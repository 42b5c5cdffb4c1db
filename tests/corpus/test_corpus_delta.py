"""Deltas: an earlier release and what changed give the later one, byte for byte, or nothing."""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard

from fanwen.corpus import delta, exports, release, release_changes
from fanwen.corpus.canonical import canonical
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.removed import CHANGELOG
from fanwen.corpus.store import open_store
from fanwen.corpus.versions import close_piece
from fanwen.errors import DamagedError


@pytest.fixture
def releases(home: Any, write: Any, html: Any) -> list[Path]:
    """Three releases: 30 pieces, then one changed, one gone, three new with a copy among them, then one more."""
    made = []
    home.serve({f"p{n}": html("工作总结", write(n, 10)) for n in range(30)})
    made.append(_released(home))
    changed = write(3, 10).replace("。", "，再接再厉。", 1)
    home.serve(
        {"p3": html("工作总结", changed), "p7": None, "copy": html("工作总结", write(5, 10)),
         "new": html("倡议书", write(40, 10), write(41, 10))},
        day=2,
    )  # fmt: skip
    made.append(_released(home))
    home.serve({"more": html("读后感", write(50, 10)), "p7": html("工作总结", write(7, 10))}, day=3)
    made.append(_released(home))
    return made


def _released(home: Any) -> Path:
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    return Path(home.releases / made.version)


def _database(folder: Path, scratch: Path) -> Path:
    target = scratch / f"{folder.name}.db"
    exports.unpack_database(folder, target)
    return target


def _delta(folder: Path, base: Path) -> Path:
    return folder / delta.name_from(base.name)


def _lines(file: Path) -> list[dict[str, Any]]:
    with zstandard.open(file, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def _rewritten(file: Path, lines: list[Any], target: Path) -> Path:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    target.write_bytes(zstandard.compress(text.encode()))
    return target


def test_a_release_and_its_delta_give_the_next_byte_for_byte(releases: list[Path], tmp_path: Path) -> None:
    first, second, third = releases
    assert not (first / delta.FOLDER).exists()
    base = _database(first, tmp_path)
    before = exports.file_hash(base)
    for chain, last in (([second], second), ([second, third], third)):
        files = [_delta(one, older) for one, older in zip(chain, releases, strict=False)]
        target = tmp_path / "made.db"
        delta.apply(base, files, target)
        assert target.read_bytes() == _database(last, tmp_path).read_bytes()
        assert exports.file_hash(base) == before
        assert not list(tmp_path.glob("*.scratch"))


def test_what_follows_from_the_database_is_what_was_published(releases: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "derived"
    folder.mkdir()
    exports.derive(_database(releases[1], tmp_path), folder, "full")
    derived = exports.files_in(folder)
    published = {one.path: one.sha256 for one in exports.files_in(releases[1])}
    assert {one.path: one.sha256 for one in derived}.items() <= published.items()
    assert len(derived) > 20


def test_a_delta_says_what_changed_and_no_more(releases: list[Path], write: Any) -> None:
    first, second, _ = releases
    head, *entries = _lines(_delta(second, first))
    assert (head["from"], head["to"]) == (first.name, second.name)
    new = [row for entry in entries if entry["table"] == "text" for row in entry.get("new", ())]
    # one was changed and two are new; the copy is of a text that is there
    assert len(new) == 3
    assert sum("，再接再厉。" in body for _, body in new) == 1
    gone = write(7, 10)
    assert all(gone[:20] not in json.dumps(entry, ensure_ascii=False) for entry in entries)
    closed = [
        row for entry in entries if entry["table"] == "piece_version" for row in entry.get("changed", ())
    ]
    assert {columns["removed_why"] for _, columns in closed} == {"changed", "source_gone"}


def test_a_delta_moves_little(tmp_path: Path, write: Any, soak: bool) -> None:
    """2 % changed, 1 % removed, 3 % new: at most 6 % of the database that it stands for."""
    size = 15_000 if soak else 600
    corpus, releases = tmp_path / "corpus.db", tmp_path / "releases"
    changed, removed, new = (range(*(int(size * share) for share in ends)) for ends in ((0, 0.02), (0.02, 0.03), (1, 1.03)))  # fmt: skip

    def take(numbers: Any, extra: str = "") -> None:
        file = tmp_path / "pieces.jsonl"
        with file.open("w") as lines:
            for n in numbers:
                lines.write(
                    json.dumps({"id": str(n), "title": f"第{n}篇总结", "text": write(n, 16) + extra}) + "\n"
                )
        ingest_pieces(corpus, file, "篇")

    take(range(size))
    first = release.create(corpus, releases)
    take(changed, "\n今后仍要再接再厉。")
    take(new)
    with open_store(corpus) as store, store.atomic():
        for n in removed:
            close_piece(store, f"篇:{n}", "source_gone")
    second = release.create(corpus, releases)
    assert first is not None
    assert second is not None
    assert second.pieces == size - len(removed) + len(new)
    counts = Counter(one.change for one in release_changes.diff(corpus, first.version, second.version))
    assert {"ADD": len(new), "MOD": len(changed), "DEL": len(removed)}.items() <= counts.items()
    bytes_of = {one.path: one.bytes for one in exports.files_in(releases / second.version)}
    assert bytes_of[delta.name_from(first.version)] <= 0.06 * bytes_of[exports.DATABASE]


@pytest.mark.parametrize(
    "forge",
    [
        lambda lines: [{**lines[0], "from": "2020.1.0"}, *lines[1:]],
        lambda lines: [{**lines[0], "to": "2020.1.0"}, *lines[1:]],
        lambda lines: [{**lines[0], "format": 2}, *lines[1:]],
        lambda lines: lines[:1],
        lambda lines: [],
        lambda lines: [*lines, {"table": "text; drop table piece", "gone": [["x"]]}],
        lambda lines: [*lines, {"table": "sqlite_master", "gone": [["x"]]}],
        lambda lines: [*lines, {"table": "piece", "changed": [["x", {"n = 1, id": 2}]]}],
        lambda lines: [*lines, {"table": "piece", "new": [["only an id"]]}],
        lambda lines: [*lines, {"table": "piece", "new": [lines[0]]}],
        lambda lines: [*lines, ["no", "object"]],
        lambda lines: [*lines, 7],
    ],
)
def test_a_forged_delta_gives_nothing(releases: list[Path], tmp_path: Path, forge: Any) -> None:
    first, second, _ = releases
    forged = _rewritten(Path(), forge(_lines(_delta(second, first))), tmp_path / "forged.jsonl.zst")
    target = tmp_path / "made.db"
    with pytest.raises(DamagedError, match=r"forged\.jsonl\.zst"):
        delta.apply(_database(first, tmp_path), [forged], target)
    assert sorted(path.name for path in tmp_path.glob("made*")) == []


def test_a_torn_or_flipped_delta_gives_nothing(releases: list[Path], tmp_path: Path) -> None:
    first, second, _ = releases
    data = _delta(second, first).read_bytes()
    base, expected = _database(first, tmp_path), _database(second, tmp_path).read_bytes()
    torn, target = tmp_path / "torn.jsonl.zst", tmp_path / "made.db"
    choose = random.Random(3)
    spoilt = [data[:size] for size in (0, 1, len(data) // 2, len(data) - 1)]
    for _ in range(40):
        flipped = bytearray(data)
        flipped[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
        spoilt.append(bytes(flipped))
    for one in spoilt:
        torn.write_bytes(one)
        try:
            delta.apply(base, [torn], target)
        except DamagedError:
            assert not target.exists()
        else:  # a bit that means nothing
            assert target.read_bytes() == expected
            target.unlink()


def test_where_the_schema_is_another_there_is_no_delta(releases: list[Path], tmp_path: Path) -> None:
    base, new = (_database(folder, tmp_path) for folder in releases[:2])
    with closing(sqlite3.connect(base)) as db, db:
        db.execute("alter table piece add column note text")
    assert not delta.write(base, new, tmp_path / "delta" / "x")
    assert not (tmp_path / "delta").exists()


def test_without_the_earlier_folder_there_is_no_delta(
    home: Any, releases: list[Path], html: Any, write: Any
) -> None:
    (releases[-1] / exports.DATABASE).write_bytes(b"spoilt")
    home.serve({"last": html("倡议书", write(60, 10))}, day=4)
    assert not (_released(home) / delta.FOLDER).exists()


def test_the_form_depends_on_rows_and_schema_only(tmp_path: Path) -> None:
    made = []
    rows = [(f"{n * 7919 % 100:02}", f"第{n}行" * n, bytes([n])) for n in range(100)]
    for seed in (1, 2):
        path, target = tmp_path / f"{seed}.db", tmp_path / f"{seed}.canonical"
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("create table named (name text primary key not null, body text, data blob)")
            db.execute("create table numbered (id integer primary key, name text)")
            db.execute("create table loose (name text, other text)")
            db.execute("create virtual table words using fts5(body, content='')")
            db.execute("create index loose_name on loose (name)")
            db.execute("create view everything as select * from named join numbered using (name)")
            db.execute("pragma application_id = 77")
            db.execute("pragma user_version = 3")
            random.Random(seed).shuffle(rows)
            db.executemany("insert into named values (?, ?, ?)", rows)
            db.executemany("insert into numbered values (?, ?)", [(int(name), name) for name, _, _ in rows])
            db.executemany("insert into loose values (?, null)", [(name,) for name, _, _ in rows])
            if seed == 2:  # free pages, and a row that came and went
                db.execute("create table gone (x)")
                db.execute("insert into gone values (zeroblob(100000))")
                db.execute("drop table gone")
                db.execute("insert into named values ('zz', '来过', null)")
                db.execute("delete from named where name = 'zz'")
        canonical(path, target)
        made.append(target.read_bytes())
        assert "来过".encode() not in made[-1]
        with closing(sqlite3.connect(target)) as db:
            assert db.execute("pragma integrity_check").fetchone() == ("ok",)
            assert db.execute("select count(*) from everything").fetchone() == (100,)
            assert [
                db.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version")
            ] == [77, 3]
            again = tmp_path / "again"
            canonical(target, again)
            assert again.read_bytes() == made[-1]
    assert made[0] == made[1]


def test_what_left_and_what_was_taken_down_is_on_record(home: Any, releases: list[Path]) -> None:
    def read(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (releases[2] / name).read_text().splitlines()]

    with open_store(home.corpus, readonly=True) as store:
        (seventh,) = store.rows(
            "select p.id from piece p join document d on d.id = p.document where d.url like '%/p7'"
        ).fetchone()
    first, second, third = (folder.name for folder in releases)
    assert read("removals.jsonl") == [
        {"id": seventh, "version": second, "date": "2026-03-02", "reason": "source_gone", "returned": third}
    ]
    assert read("tombstones.jsonl") == []
    changelog = (releases[2] / CHANGELOG).read_text()
    assert changelog.index(f"## {third} (2026-03-03)") < changelog.index(f"## {second}")
    assert changelog.index(f"## {second}") < changelog.index(f"## {first}")
    assert "- ADD 1: returned\n" in changelog
    assert "- DEL 1: source_gone\n" in changelog
    assert "wenku" not in changelog
