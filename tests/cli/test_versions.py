"""checkout, log, backup and restore as a maintainer and a researcher use them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import fanwen as package

Run = Callable[..., Any]

LIBRARY = "过去的一年里，图书馆的同志们把旧书一本一本修好，把新书一箱一箱搬上楼，来看书的人比从前多了。" * 4
CANTEEN = "食堂今年换了两口大锅，早饭多了豆浆和煎饼，师傅们五点起床，从来没有让学生饿着肚子去上课。" * 4
PHONE = "有事请打13912345678。"


@pytest.fixture
def home(fanwen: Run, tmp_path: Path) -> Path:
    """Two releases of two files; the second one has another file and a ready-made piece that changed."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "图书馆.txt").write_text(LIBRARY + PHONE, encoding="utf-8")
    rows = tmp_path / "own.jsonl"
    for release, text in enumerate((CANTEEN, CANTEEN.replace("两口大锅", "三口铁锅"))):
        rows.write_text(json.dumps({"id": 7, "text": text, "title": "食堂总结"}) + "\n", encoding="utf-8")
        if release:
            (files / "后来.txt").write_text(LIBRARY[60:] + CANTEEN[:150], encoding="utf-8")
        assert fanwen("ingest", files).code == 0
        assert fanwen("ingest", "--pieces", rows, "--source", "own").code == 0
        assert fanwen("build").code == 0
        assert fanwen("release", "create", "--date", f"2026-0{release + 1}-01").code == 0
    return tmp_path / "home"


def test_a_release_is_checked_out(fanwen: Run, home: Path, tmp_path: Path) -> None:
    listed = json.loads(fanwen("release", "list", "--json").out)
    for number, one in enumerate(listed):
        made = json.loads(fanwen("checkout", one["version"], "--json").out)
        assert (made["root"], made["pieces"], made["masked"]) == (one["root"], one["pieces"], False)
        folder = tmp_path / f"fanwen-{one['version']}"
        assert [path.name for path in folder.iterdir()] == ["corpus.db"]
        with package.open(folder) as then, package.open(home) as now:
            for default in (True, False):
                assert [(p.piece_id, p.text, p.leaf) for p in then.pieces(default=default)] == [
                    (p.piece_id, p.text, p.leaf) for p in now.pieces(default=default, as_of=one["version"])
                ]
            assert then.search("13912345678").total == 1, "it is the maintainer's, unmasked"
            assert then.search("三口铁锅").total == number
        for command in (["stats"], ["verify"], ["search", "图书馆"], ["duplicates"], ["log", "own:7"]):
            assert fanwen(*command, "--home", folder).code == 0, command
        before = (folder / "corpus.db").read_bytes()
        for command in (["build"], ["release", "create"], ["ingest", "--pieces", tmp_path / "own.jsonl"]):
            done = fanwen(*command, "--home", folder)
            assert (done.code, "never changes" in done.err, done.err.count("\n")) == (2, True, 1), command
        assert (folder / "corpus.db").read_bytes() == before
        again = fanwen("checkout", one["version"])
        assert (again.code, "exists already" in again.err) == (2, True)


def test_a_release_folder_alone_can_be_checked_out(fanwen: Run, home: Path, tmp_path: Path) -> None:
    alone = tmp_path / "heruntergeladen"
    shutil.copytree(home / "releases" / "2026.2.0", alone)
    for version, folder in ((alone, "a"), (home / "releases" / "2026.1.0", "b")):
        made = json.loads(fanwen("checkout", version, folder, "--json", "--home", tmp_path / "none").out)
        shown = json.loads(fanwen("release", "show", made["version"], "--json").out)
        assert (made["root"], made["masked"]) == (shown["root"], True)
        with package.open(tmp_path / folder) as corpus:
            assert corpus.search("13912345678").total == 0
            assert corpus.search("〔电话〕").total == 1
        assert fanwen("verify", "--home", tmp_path / folder).code == 0
        assert fanwen("release", "create", "--home", tmp_path / folder).code == 2
    (alone / "fanwen.db.zst").write_bytes(b"x")
    assert fanwen("checkout", alone, "c").code == 1
    assert not (tmp_path / "c").exists()


def test_what_cannot_be_checked_out(fanwen: Run, home: Path, tmp_path: Path) -> None:
    for version in ("2026.9.0", "current", "../home"):
        done = fanwen("checkout", version, "x")
        assert (done.code, "no release" in done.err, done.err.count("\n")) == (2, True, 1)
    with closing(sqlite3.connect(home / "corpus.db")) as db, db:
        db.execute("update piece_version set genre = '别的' where added_in = 1")
    done = fanwen("checkout", "2026.1.0", "x")
    assert (done.code, "leaf hash" in done.err) == (1, True)
    assert fanwen("checkout", "2026.1.0", tmp_path / "own.jsonl" / "x").code == 2
    assert not [path for path in tmp_path.iterdir() if "x" in path.name.split(".")]


def test_the_history_of_a_piece(fanwen: Run, home: Path, tmp_path: Path) -> None:
    (told,) = json.loads(fanwen("log", "own:7", "--json").out)
    assert [(s["first"], s["last"], s["why"], s["differs"]) for s in told["states"]] == [
        ("2026.1.0", "2026.1.0", "new", []),
        ("2026.2.0", None, "changed", ["text"]),
    ]
    assert [state["text"][:16] for state in told["states"]] == [
        CANTEEN[:16],
        "食堂今年换了三口铁锅，早饭多了豆",
    ]
    shown = fanwen("log", "own:7", "--text")
    assert "食堂今年换了[-两口大-]{+三口铁+}锅，早饭" in shown.out
    by_url = fanwen("log", told["url"], "--json")
    assert json.loads(by_url.out) == [told]
    (tmp_path / "files" / "图书馆.txt").unlink()
    with closing(sqlite3.connect(home / "corpus.db")) as db, db:
        texts = "(select text from piece_version where piece = 'own:7' and added_in = 1)"
        db.execute(f"update text set body = null where sha256 in {texts}")
        db.execute(
            "insert into tombstone (kind, case_id, basis, received, piece, added_in)"
            " values ('purge', '2026-7', 'copyright', '2026-03-02', 'own:7', 3)"
        )
    (told,) = json.loads(fanwen("log", "own:7", "--json").out)
    assert told["states"][0]["text"] is None
    assert told["removals"] == [{"kind": "purge", "case_id": "2026-7", "since": None, "lifted": None}]
    assert "withdrawn, case 2026-7" in fanwen("log", "own:7", "--text").out
    done = fanwen("log", "没有")
    assert (done.code, "no piece 没有" in done.err) == (2, True)


# -- backup and restore -------------------------------------------------------------------------------


def state(home: Path) -> dict[str, list[Any]]:
    found = {}
    for name, tables in (("archive.db", ("url", "fetch", "body")), ("corpus.db", ("piece_version", "text"))):
        with closing(sqlite3.connect(home / name)) as db:
            for table in tables:
                found[table] = sorted(db.execute(f"select * from {table}").fetchall(), key=repr)
    return found


def test_a_home_comes_back_from_its_backup(fanwen: Run, home: Path, tmp_path: Path) -> None:
    (home / "sites").mkdir()
    (home / "sites" / "own.toml").write_text("", encoding="utf-8")
    (home / "fanwen.toml").write_text('contact = "a@b.example"\n', encoding="utf-8")
    before = state(home)
    made = json.loads(fanwen("backup", "kept", "--json").out)
    names = {file["path"] for file in made["files"]}
    assert names == {"archive.db", "corpus.db", "fanwen.toml", "sites/own.toml"}
    assert fanwen("backup", "kept").code == 2
    (home / "sites" / "own.toml").unlink()  # an empty one is no site file
    (home / "files").mkdir()
    assert fanwen("ingest", "--pieces", tmp_path / "own.jsonl", "--source", "other").code == 0
    assert state(home) != before
    refused = fanwen("restore", "kept")
    assert (refused.code, "--force" in refused.err) == (2, True)
    done = json.loads(fanwen("restore", "kept", "--force", "--json").out)
    assert state(home) == before
    assert (home / "sites" / "own.toml").exists()
    (home / "sites" / "own.toml").unlink()
    assert (home / done["replaced"] / "corpus.db").exists()
    assert (home / "releases" / "index.json").exists(), "what was published stays"
    assert fanwen("verify").code == 0
    assert fanwen("build").code == 0
    # on an empty disk
    assert fanwen("restore", "kept", "--home", tmp_path / "new").code == 0
    (tmp_path / "new" / "sites" / "own.toml").unlink()
    assert state(tmp_path / "new") == before
    assert fanwen("verify", "--home", tmp_path / "new").code == 0


def test_releases_come_back_where_there_are_none(fanwen: Run, home: Path, tmp_path: Path) -> None:
    assert fanwen("backup", "kept", "--releases").code == 0
    assert fanwen("restore", tmp_path / "kept", "--home", tmp_path / "new").code == 0
    assert fanwen("release", "verify", "--home", tmp_path / "new").code == 0
    assert fanwen("release", "list", "--json", "--home", tmp_path / "new").out == (
        fanwen("release", "list", "--json").out
    )


def erased(home: Path) -> int:
    """How many bodies of the archive are empty."""
    return sum(1 for _, size, *_ in state(home)["body"] if not size)


def test_a_restore_undoes_no_removal(fanwen: Run, home: Path, tmp_path: Path) -> None:
    (home / "takedown.txt").write_text("# alt\nhttp://a.example/1\n", encoding="utf-8")
    assert fanwen("backup", "kept").code == 0
    (home / "takedown.txt").write_text("# alt\nhttp://a.example/1\nb.example", encoding="utf-8")
    (page,) = json.loads(fanwen("search", "图书馆的同志们", "--json").out)["hits"][:1]
    assert fanwen("takedown", "purge", "piece:own:7", "--case", "2026-9").code == 0
    assert fanwen("takedown", "purge", f"piece:{page['piece_id']}", "--case", "2026-10").code == 0
    assert erased(home) == 1
    done = json.loads(fanwen("restore", "kept", "--force", "--json").out)
    assert (done["tombstones"] > 1, done["takedown_entries"]) == (True, 1)
    assert (home / "takedown.txt").read_text(encoding="utf-8").split() == [
        "#", "alt", "http://a.example/1", "b.example",
    ]  # fmt: skip
    assert fanwen("verify").code == 0
    assert {one["state"] for one in json.loads(fanwen("takedown", "list", "--json").out)} == {"purged"}
    assert fanwen("build").code == 0
    with package.open(home) as corpus:
        assert corpus.search("三口铁锅").total == 0
        assert not {"own:7", page["piece_id"]} & {p.piece_id for p in corpus.pieces(default=False)}
    shutil.rmtree(home / done["replaced"])
    held = b"".join(path.read_bytes() for path in home.glob("*.db*"))
    assert "三口铁锅".encode() not in held
    assert erased(home) == 1
    assert json.loads(fanwen("restore", "kept", "--force", "--json").out)["tombstones"] == done["tombstones"]


def test_what_is_no_backup(fanwen: Run, home: Path, tmp_path: Path) -> None:
    assert fanwen("backup", "kept").code == 0
    before = state(home)
    for name, spoil in {
        "corpus.db": lambda file: file.write_bytes(file.read_bytes()[:-1] + b"x"),
        "archive.db": lambda file: file.unlink(),
        "backup.json": lambda file: file.write_text("[]"),
    }.items():
        shutil.rmtree(tmp_path / "spoilt", ignore_errors=True)
        shutil.copytree(tmp_path / "kept", tmp_path / "spoilt")
        spoil(tmp_path / "spoilt" / name)
        done = fanwen("restore", "spoilt", "--force")
        assert (done.code, "another backup" in done.err, done.err.count("\n")) == (1, True, 1), name
        assert name in done.err
    assert fanwen("restore", tmp_path / "files").code == 2
    assert fanwen("backup", "x", "--home", tmp_path / "none").code == 2
    assert state(home) == before
    (home / "corpus.db").write_bytes(b"\x5a" * 90_000)
    done = fanwen("backup", "other")
    assert (done.code, (tmp_path / "other").exists()) == (1, False)
    # a corpus that cannot be read any more is what backups are for
    done = fanwen("restore", "kept", "--force")
    assert (done.code, "cannot be read" in done.out) == (0, True)
    assert state(home) == before


def test_ready_made_pieces_need_no_archive_but_a_lost_one_is_missed(fanwen: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    text = "食堂今年换了三口铁锅，灶台也重新砌过，师傅们说炒菜比从前快了一半。" * 4
    (tmp_path / "own.jsonl").write_text(json.dumps({"id": "1", "text": text, "title": "食堂总结"}) + "\n")
    assert fanwen("ingest", "--pieces", tmp_path / "own.jsonl").code == 0
    built = fanwen("build", "--json")
    assert (built.code, json.loads(built.out)["pieces"]) == (0, 1)
    (tmp_path / "计划.txt").write_text("仓库盘点计划\n\n" + text.replace("食堂", "仓库"))
    assert fanwen("ingest", tmp_path / "计划.txt").code == 0
    assert json.loads(fanwen("build", "--json").out)["pieces"] == 2
    (home / "archive.db").rename(tmp_path / "archive.db")
    lost = fanwen("build")
    assert (lost.code, "There is no archive" in lost.err) == (2, True)
    assert not (home / "archive.db").exists()
