"""Bad input, wherever it enters: one sentence, the exit code of the design, no traceback."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fanwen.spiders.site import builtin_site_folder

Run = Callable[..., "object"]

ESSAY = "# 某某小学图书角工作总结\n\n" + "\n\n".join(
    f"第{n}周，图书角的同学整理了书架，登记了借阅的册数，并提醒大家按时归还图书。管理员把破损的封面用透明胶带补好，又"
    f"给每一层贴上了颜色不同的标签，这样低年级的同学也能自己找到想看的绘本。本周共借出{n * 7 + 30}册。"
    for n in range(1, 7)
)


def one_sentence(done: object, code: int, *words: str) -> None:
    assert done.code == code, done
    lines = [line for line in done.err.splitlines() if line.strip()]
    assert len(lines) == 1, done.err
    assert lines[0].startswith("fanwen: ")
    assert "Traceback" not in done.err + done.out
    for word in words:
        assert word.lower() in lines[0].lower(), lines[0]


def test_a_wrong_option(fanwen: Run) -> None:
    one_sentence(fanwen("build", "--wrokers", "2"), 2, "--wrokers", "fanwen build --help")


def test_a_wrong_command(fanwen: Run) -> None:
    one_sentence(fanwen("biuld"), 2, "biuld")


def test_a_wrong_value(fanwen: Run) -> None:
    one_sentence(fanwen("search", "总结", "--limit", "many"), 2, "many")


def test_a_missing_file_for_clean(fanwen: Run) -> None:
    one_sentence(fanwen("clean", "没有.txt"), 2, "没有.txt")


def test_a_missing_file_for_ingest(fanwen: Run, tmp_path: Path) -> None:
    one_sentence(fanwen("ingest", tmp_path / "没有"), 2, "没有")


@pytest.mark.parametrize(
    "row", ["{", "[]", '{"files": []}', '{"files": "x"}', '{"url": "http://a.example/"}']
)
def test_a_broken_manifest(fanwen: Run, tmp_path: Path, row: str) -> None:
    manifest = tmp_path / "index.jsonl"
    manifest.write_text(row + "\n")
    one_sentence(fanwen("clean", "--manifest", manifest), 2, "index.jsonl", "line 1")


@pytest.mark.parametrize(
    "content", [b"not a database at all, but longer than a header" * 9, b"SQLite format 3\0" + b"\7" * 4000]
)
def test_a_corrupt_archive(fanwen: Run, tmp_path: Path, content: bytes) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "archive.db").write_bytes(content)
    one_sentence(fanwen("build"), 1, "archive.db")
    assert (home / "archive.db").read_bytes() == content


def test_a_corrupt_corpus(fanwen: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "corpus.db").write_bytes(b"nothing of the kind" * 300)
    one_sentence(fanwen("search", "总结"), 1, "corpus.db")


def test_a_misspelt_key_in_a_site_file(fanwen: Run, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "sites"
    folder.mkdir(parents=True)
    source = sorted(builtin_site_folder().glob("*.toml"))[0]
    (folder / source.name).write_text(
        source.read_text(encoding="utf-8") + "\n[polight]\ndelay = 1\n", encoding="utf-8"
    )
    one_sentence(fanwen("sites", "check"), 2, source.name, "polight")
    one_sentence(fanwen("build"), 2, source.name, "polight")


def test_a_home_held_by_another_process(fanwen: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    handle = os.open(home / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.write(handle, json.dumps({"pid": os.getpid(), "command": "refresh"}).encode())
        one_sentence(fanwen("build"), 4, str(os.getpid()), "refresh")
    finally:
        os.close(handle)


def test_a_home_that_is_a_file(fanwen: Run, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    one_sentence(fanwen("build"), 2, "home")


def test_a_broken_configuration(fanwen: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "fanwen.toml").write_text("contakt = 'a@b.example'\n")
    one_sentence(fanwen("refresh"), 2, "contakt")


def test_crawling_without_a_contact(fanwen: Run, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "sites"
    folder.mkdir(parents=True)
    source = sorted(builtin_site_folder().glob("*.toml"))[0]
    text = source.read_text(encoding="utf-8").replace('"candidate"', '"active"')
    (folder / source.name).write_text(text, encoding="utf-8")
    one_sentence(fanwen("crawl"), 2, "contact", "fanwen init")


def test_an_unknown_site(fanwen: Run) -> None:
    one_sentence(fanwen("crawl", "nosuch.example"), 2, "nosuch.example", "sites list")


def test_a_candidate_is_not_crawled(fanwen: Run) -> None:
    name = sorted(builtin_site_folder().glob("*.toml"))[0].stem
    one_sentence(fanwen("crawl", name), 2, name, "candidate")


def test_no_corpus_yet(fanwen: Run) -> None:
    one_sentence(fanwen("search", "总结"), 2, "fanwen build")
    one_sentence(fanwen("stats"), 2, "fanwen build")


def test_no_such_release(fanwen: Run) -> None:
    one_sentence(fanwen("release", "verify", "2020.1.0"), 2, "2020.1.0")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"id": 1, "text": "x"}\n{"id": 2,\n', ("line 2",)),
        (b'{"id": 1}\n', ("text",)),
        (b"\xff\xfe\x00\n", ("line 1",)),
    ],
)
def test_broken_ready_pieces(fanwen: Run, tmp_path: Path, content: bytes, words: tuple[str, ...]) -> None:
    file = tmp_path / "pieces.jsonl"
    file.write_bytes(content)
    one_sentence(fanwen("ingest", "--pieces", file), 2, "pieces.jsonl", *words)


def test_a_release_with_one_flipped_byte(fanwen: Run, tmp_path: Path) -> None:
    (tmp_path / "图书角.md").write_text(ESSAY, encoding="utf-8")
    for command in (["ingest", tmp_path / "图书角.md"], ["build"], ["release", "create"]):
        done = fanwen(*command)
        assert done.code == 0, done
    assert fanwen("release", "verify").code == 0
    assert fanwen("verify").code == 0
    file = next((tmp_path / "home" / "releases").glob("*/jsonl/*.zst"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    one_sentence(fanwen("release", "verify"), 1, file.name)
