"""One writer at a time: every command that writes names the one that holds the home, and changes nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus.home import Home
from fanwen.spiders.site import builtin_site_folder

Run = Callable[..., Any]


@pytest.fixture
def held(fanwen: Run, tmp_path: Path) -> Home:
    """A home with something of everything, and an active site."""
    home = Home(tmp_path / "home")
    (tmp_path / "a.txt").write_text(
        "值班室的同志夜里每两个小时巡查一遍，门窗、水电都记在本子上。" * 8, encoding="utf-8"
    )
    (tmp_path / "b.jsonl").write_text(json.dumps({"id": 1, "text": "夜里"}) + "\n", encoding="utf-8")
    for command in (
        ["ingest", tmp_path / "a.txt"],
        ["build"],
        ["release", "create"],
        ["backup", tmp_path / "kept"],
    ):
        assert fanwen(*command).code == 0
    source = sorted(builtin_site_folder().glob("*.toml"))[0]
    home.site_folder.mkdir()
    text = source.read_text(encoding="utf-8").replace('"candidate"', '"active"')
    (home.site_folder / source.name).write_text(text, encoding="utf-8")
    home.config_file.write_text('contact = "a@b.example"\n', encoding="utf-8")
    return home


@pytest.mark.parametrize(
    "words",
    [
        ["crawl"],
        ["refresh"],
        ["ingest", "a.txt"],
        ["ingest", "--pieces", "b.jsonl"],
        ["build"],
        ["release", "create"],
        ["duplicates"],
        ["verify", "--repair"],
        ["backup", "other"],
        ["restore", "kept", "--force"],
    ],
    ids=" ".join,
)
def test_a_second_writer_is_told_who_holds_the_home(
    fanwen: Run, held: Home, tmp_path: Path, words: list[str]
) -> None:
    before = {
        path: path.read_bytes() for path in held.path.rglob("*") if path.is_file() and path.name != "lock"
    }
    with held.locked("refresh"):
        done = fanwen(*words)
        assert (done.code, done.err.count("\n")) == (4, 1), done
        assert f"'fanwen refresh' (process {os.getpid()})" in done.err
        # who only reads is not concerned
        for reads in (["stats"], ["search", "巡查"], ["verify"], ["release", "diff", "current", "current"]):
            assert fanwen(*reads).code == 0, reads
    after = {
        path: path.read_bytes() for path in held.path.rglob("*") if path.is_file() and path.name != "lock"
    }
    assert {path.name for path in after.keys() ^ before.keys()} <= {"corpus.db-shm", "corpus.db-wal",
                                                                   "archive.db-shm", "archive.db-wal"}  # fmt: skip
    assert all(after[path] == before[path] for path in before if path.suffix in {".db", ".toml", ".json"})
    assert not (tmp_path / "other").exists()
