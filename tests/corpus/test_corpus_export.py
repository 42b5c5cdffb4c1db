"""fanwen export: what is chosen, that nothing unmasked leaves, and that nothing else can be read or run."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fanwen.cleaners import genre as genres
from fanwen.corpus import cli, release
from fanwen.corpus import export as export_module
from fanwen.corpus.export import Wanted, export, prompt
from fanwen.corpus.tables import table_of
from fanwen.errors import UsageError
from fanwen.spiders.items import Consent

PHONE, PERSON, TITLED = "13912345670", "赵守田", "联系电话13912345670"


@pytest.fixture
def filled(home: Any, write: Any, html: Any) -> Any:
    """Fifteen essays: one with a phone number, a name and a claimed author, one twice."""
    private = f"我叫{PERSON}，联系电话：{PHONE}。\n{write(1)}"
    home.serve(
        {
            "private": html(f"工作总结 {TITLED}", private).replace(
                b"<h1>", f"<p>作者：{PERSON}</p><h1>".encode()
            ),
            "copy": html("工作总结", write(2)),
            "copied": html("工作总结", write(2)),
            **{
                f"own{n}": html(["工作计划", "倡议书", "演讲稿"][n % 3], write(n + 10, 10)) for n in range(12)
            },
        }
    )
    home.build()
    return home


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def take(filled: Any, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Export as JSON Lines what is wanted of the home, and read it."""

    def run(format: str = "jsonl", **wanted: Any) -> list[dict[str, Any]]:
        export(filled.corpus, Wanted(**wanted), format, str(tmp_path / "out.jsonl"))
        return lines(tmp_path / "out.jsonl")

    return run


# -- what is in it --------------------------------------------------------------------------------


def test_the_columns_are_those_of_a_release(filled: Any, take: Any, tmp_path: Path) -> None:
    made = release.create(filled.corpus, filled.releases)
    assert made is not None
    rows = take(everything=True)
    assert [list(row) for row in rows] == [[column.name for column in table_of("all").columns]] * made.pieces
    folder = filled.releases / made.version
    assert (
        cli._run(["export", "--from", str(folder), "--all", "--out", str(tmp_path / "released.jsonl")]) == 0
    )
    released = lines(tmp_path / "released.jsonl")
    assert {row.pop("claimed_author") for row in rows} == {None}
    assert len({row.pop("claimed_author") for row in released} - {None}) == 1, "a release has it, masked"
    for claim in ("claimed_published", "claimed_source"):
        assert [row.pop(claim) for row in (*rows, *released)]
    assert rows == released
    then = str(tmp_path / "then")
    assert cli._run(["checkout", made.version, then, "--home", str(filled.path)]) == 0
    assert cli._run(["export", "--from", then, "--all", "--out", str(tmp_path / "then.jsonl")]) == 0
    assert (tmp_path / "then.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


def test_nothing_unmasked_leaves_a_home(filled: Any, take: Any, tmp_path: Path) -> None:
    with closing(sqlite3.connect(filled.corpus)) as db:
        kept = "\n".join(body for (body,) in db.execute("select body from text where body is not null"))
        kept += "".join(title or "" for (title,) in db.execute("select title from piece_version"))
    assert PHONE in kept
    assert PERSON in kept
    for format, out in (("jsonl", "a.jsonl"), ("sft", "b.jsonl"), ("txt", "c.txt"), ("txt", "folder")):
        export(filled.corpus, Wanted(everything=True), format, str(tmp_path / out))
    (tmp_path / "folder.txt").write_text("".join(one.read_text() for one in (tmp_path / "folder").iterdir()))
    for name in ("a.jsonl", "b.jsonl", "c.txt", "folder.txt"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "〔电话〕" in text
        assert PHONE not in text, name
        assert PERSON not in text, name
    for row in take(everything=True):
        assert sha256(row["text"].encode()).hexdigest() == row["text_sha256"], "no hash of what is not shown"


def test_a_corpus_that_is_not_masked_yet_is_refused(filled: Any, take: Any) -> None:
    with closing(sqlite3.connect(filled.corpus)) as db, db:
        db.execute("update piece_version set published = null where rowid = 1")
    with pytest.raises(UsageError, match=r"Not every piece of .* is masked yet; run 'fanwen build'"):
        take()


def test_the_default_set_unless_all(take: Any, new_home: Any, write: Any, html: Any, tmp_path: Path) -> None:
    assert {row["excluded_why"] for row in take()} == {None}
    why = Counter(str(row["excluded_why"]).partition(":")[0] for row in take(everything=True))
    assert why == {"None": 14, "duplicate_of": 1}
    reserved = new_home("reserved")
    reserved.serve({"a": html("工作总结", write(3))}, consent=Consent(reservations=("noai",)))
    reserved.build()
    for everything in (False, True):
        wanted = Wanted(where="n_chars > 0", everything=everything)
        report = export(reserved.corpus, wanted, "jsonl", str(tmp_path / "reserved.jsonl"))
        assert report.pieces == int(everything)


def test_conditions_and_shortcuts_hold_together(take: Any) -> None:
    everything = take(everything=True)
    assert [row["id"] for row in take(genres=("倡议书", "演讲稿"))] == [
        row["id"] for row in everything if row["genre"] in ("倡议书", "演讲稿")
    ]
    assert take(sites=("nowhere.example",)) == []
    long = take(where="n_chars > 400 and genre = '工作总结' -- 长的", everything=True)
    assert long == [row for row in everything if row["n_chars"] > 400 and row["genre"] == "工作总结"]
    assert long
    assert take(where="text like '%〔电话〕%'") == [row for row in take() if "〔电话〕" in row["text"]]
    # a condition that holds for everything does not widen what was asked for
    assert take(where="1 or 1", genres=("倡议书",)) == take(genres=("倡议书",))


def test_splits_are_those_of_the_last_release(filled: Any, take: Any) -> None:
    assert take(split="train") == []
    release.create(filled.corpus, filled.releases)
    assert {row["split"] for row in take(split="train")} == {"train"}
    parts = [len(take(split=split)) for split in ("train", "validation", "test")]
    assert sum(parts) == len(take())


def test_some_of_each_site_are_chosen_by_hash(take: Any) -> None:
    whole = take()
    for most in (1, 5, 100):
        chosen = {row["id"] for row in take(per_site=most)}
        expected = sorted((row["id"] for row in whole), key=lambda name: sha256(name.encode()).hexdigest())
        assert chosen == set(expected[:most])
    first = {row["id"] for row in whole[:5]}
    assert {row["id"] for row in take(per_site=5)} != first
    assert [row["id"] for row in take(per_site=5)] == sorted(row["id"] for row in take(per_site=5))


# -- what a condition cannot do -------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "genre = ",
        "body like '%总结%'",
        "genre = '工作总结'; delete from piece",
        "id in (select sha256 from text)",
        "exists (with pieces as (select body from text) select 1 from pieces)",
        "1) union select * from piece_version where (1",
        "1) order by (select body from text",
        "random() > 0",
        "load_extension('/tmp/x.so')",
        "id = ?",
        "id = :split",
        "count(*) > 1",
        "row_number() over () < 3",
        "raise(abort, 'no')",
        "attach 'x' as y",
        "id = '\ud800'",
        "id = '\0'",
    ],
)
def test_a_wrong_condition_is_refused_in_one_sentence(take: Any, filled: Any, condition: str) -> None:
    before = filled.corpus.read_bytes()
    with pytest.raises(UsageError, match=r"--where is no condition over the columns of a piece \(") as told:
        take(where=condition)
    assert "\n" not in str(told.value)
    assert filled.corpus.read_bytes() == before


def test_a_condition_that_cannot_be_computed_is_refused(take: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="cannot be computed"):
        take(where="json_extract(text, '$') = 1")
    with pytest.raises(UsageError, match="cannot be computed"):
        take(where="length(zeroblob(500000000)) > 1")
    monkeypatch.setattr(export_module, "SECONDS", 0.0)
    monkeypatch.setattr(export_module, "_STEPS", 1)
    with pytest.raises(UsageError, match="took more than 0 seconds"):
        take(where="length(replace(text, '的', text)) > 10")


# -- formats --------------------------------------------------------------------------------------


def test_chats_ask_for_the_text_by_genre_and_title(take: Any, tmp_path: Path) -> None:
    rows = {row["id"]: row for row in take()}
    chats = take("sft")
    assert [chat["id"] for chat in chats] == list(rows)
    for chat in chats:
        user, assistant = chat["messages"]
        row = rows[chat["id"]]
        assert (user["role"], assistant["role"]) == ("user", "assistant")
        assert assistant["content"] == row["text"]
        assert row["genre"] in user["content"]
        assert f"《{row['title']}》" in user["content"]
    assert len({re.sub("《.*》", "", chat["messages"][0]["content"]) for chat in chats}) > 4, (
        "not one for all"
    )


def test_every_genre_has_prompts_without_gaps() -> None:
    for genre in (*genres.names(), "其他", "没有这种文体"):
        for title in ("开学第一课", None):
            asked = {prompt({"id": f"p{n}", "genre": genre, "title": title}) for n in range(50)}
            for one in asked:
                assert not re.search(r"[{}]|None", one)
                assert one.endswith("。")
                assert (title is None) == ("《" not in one)
                assert genre in one or genre == "其他"


def test_plain_text_in_one_file_and_in_a_folder(filled: Any, take: Any, tmp_path: Path) -> None:
    rows = take()
    export(filled.corpus, Wanted(), "txt", str(tmp_path / "all.txt"))
    parts = (tmp_path / "all.txt").read_text(encoding="utf-8").split("===== ")[1:]
    assert parts == [f"{row['id']} {row['title']}\n{row['text']}\n\n" for row in rows]
    export(filled.corpus, Wanted(), "txt", str(tmp_path / "each"))
    assert {file.name: file.read_text(encoding="utf-8") for file in (tmp_path / "each").iterdir()} == {
        f"{row['id']}.txt": f"{row['title']}\n\n{row['text']}\n" for row in rows
    }
    with pytest.raises(UsageError, match="exists already"):
        export(filled.corpus, Wanted(), "txt", str(tmp_path / "each"))


def test_ids_that_are_no_file_names() -> None:
    names = ["../../x", "a/b:c", "", ".", "..", "长" * 200, "x" * 300, "p~1", "A", "源:1"]
    files = [export_module._file_name(name) for name in names]
    assert len(set(files)) == len(names)
    for file in files:
        assert "/" not in file
        assert not file.startswith(".")
        assert len(file.encode()) < 255


def test_the_same_choice_gives_the_same_bytes(filled: Any, tmp_path: Path) -> None:
    written = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "fanwen", "export", "--home", filled.path, "--format", "sft", "--out", "x.jsonl"],
            env={"PYTHONHASHSEED": seed}, cwd=tmp_path, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        written.append((tmp_path / "x.jsonl").read_bytes())
    assert written[0] == written[1] != b""


# -- the command ----------------------------------------------------------------------------------


def test_the_command_reports_and_writes_to_stdout(filled: Any, tmp_path: Path, capsys: Any) -> None:
    home = ["--home", str(filled.path)]
    assert cli._run(["export", *home, "--out", str(tmp_path / "x.jsonl"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == {
        "out": str(tmp_path / "x.jsonl"), "format": "jsonl", "pieces": 14, "sites": {"wenku": 14}
    }  # fmt: skip
    assert cli._run(["export", *home]) == 0
    assert capsys.readouterr().out == (tmp_path / "x.jsonl").read_text(encoding="utf-8")
    assert cli._run(["export", *home, "--genre", "合同"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "No piece is like that; nothing was written.\n")


def test_mistakes_end_with_2_and_leave_no_file(filled: Any, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "x.jsonl"
    for words in (
        ["--json"],
        ["--where", "nonsense", "--out", str(out)],
        ["--from", str(tmp_path / "none"), "--out", str(out)],
        ["--format", "xml"],
        ["--max-per-site", "0"],
        ["--out", str(tmp_path / "no" / "folder" / "x.jsonl")],
        ["--format", "txt", "--out", str(filled.path)],
        ["--out", str(filled.path)],
    ):
        assert cli._run(["export", "--home", str(filled.path), *words]) == 2, words
        assert capsys.readouterr().err.count("\n") == 1, words
    assert cli._run(["export", "--home", str(tmp_path / "empty")]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_a_file_is_there_whole_or_not_at_all(filled: Any, tmp_path: Path, monkeypatch: Any) -> None:
    out = tmp_path / "x.jsonl"
    export(filled.corpus, Wanted(), "jsonl", str(out))
    before = out.read_bytes()
    rows = export_module._rows

    def broken(store: Any) -> Any:
        yield next(rows(store))
        raise KeyboardInterrupt

    monkeypatch.setattr(export_module, "_rows", broken)
    with pytest.raises(KeyboardInterrupt):
        export(filled.corpus, Wanted(genres=("倡议书",)), "jsonl", str(out))
    assert out.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "x.jsonl"]


# where Datasette was imported, SQLite reports what its callbacks raise
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_ends_a_long_condition(filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite hears nothing of an exception in its midst but that it has to stop."""
    looks = iter([0.0])

    def clock() -> float:
        if (now := next(looks, None)) is not None:
            return now
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(export_module, "_STEPS", 1)
    monkeypatch.setattr(export_module, "SECONDS", 1e12)
    monkeypatch.setattr(export_module.time, "monotonic", clock)
    with pytest.raises(KeyboardInterrupt):
        export(filled.corpus, Wanted(), "jsonl", str(tmp_path / "x.jsonl"))
    assert not (tmp_path / "x.jsonl").exists()
