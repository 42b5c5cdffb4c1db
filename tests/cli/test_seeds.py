"""The five real texts, the way a user takes them: clean, ingest, build, release, search."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

import fanwen

Run = Callable[..., object]


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def run(command: Run) -> Callable[..., str]:
    """What a command that must succeed prints."""

    def run(home: Path, *arguments: object, **options: object) -> str:
        done = command(home, *arguments, cwd=home.parent, **options)
        assert done.code == 0, (arguments, done.err)
        return done.out

    return run


@pytest.fixture(scope="module")
def home(run: Run, seeds: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after ingest, build and release create of the seeds."""
    home = tmp_path_factory.mktemp("seeds") / "home"
    for command in (["ingest", seeds[0].parent], ["build"], ["release", "create"]):
        run(home, *command)
    return home


def test_clean_prints_28_pieces(command: Run, tmp_path: Path, seeds: list[Path]) -> None:
    done = command(tmp_path / "home", "clean", *seeds, cwd=tmp_path, process=True)
    pieces = rows(done.out)
    count = Counter(Path(str(piece["source"])).name[:3] for piece in pieces)
    assert (done.code, count) == (0, {"000": 6, "001": 8, "002": 1, "003": 8, "004": 5})
    incomplete = [(str(p["source"])[-24:-21], p["index"]) for p in pieces if "incomplete" in p["flags"]]
    assert incomplete == [("003", 8), ("004", 5)]
    assert [p["index"] for p in pieces if "stub" in p["flags"]] == [4]
    assert {p["source"] for p in pieces} == {str(path) for path in seeds}
    assert {p["language"] for p in pieces} == {"zh"}


def test_the_stub_is_kept_out_with_its_reason(run: Run, home: Path) -> None:
    (release,) = json.loads(run(home, "release", "list", "--json"))
    assert (release["pieces"], release["pieces_default"]) == (28, 27)
    folder = home / "releases" / release["version"]
    with zstandard.open(folder / "jsonl" / "pieces.jsonl.zst", "rt", encoding="utf-8") as packed:
        pieces = rows(packed.read())
    assert [piece["excluded_why"] for piece in pieces if piece["excluded_why"]] == ["stub"]
    assert {piece["rights_basis"] for piece in pieces} == {"unknown"}


WORDS = ["总结", "环境卫生", "的", "村", "社区", "垃圾分类", "工作", "2021年", "创卫工作", "党", "%", "“", "一、", "LED",
         "残疾人", "着力", "3个", "不存在的词", "㎡", "m²", "人居环境", "6.8万"]  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_search_finds_what_a_scan_finds(run: Run, home: Path, word: str) -> None:
    found = json.loads(run(home, "search", word, "--limit", "0", "--json"))
    pieces = fanwen.open(home).pieces(default=False)
    scanned = sorted(piece.piece_id for piece in pieces if word in piece.text)
    assert sorted(hit["piece_id"] for hit in found["hits"]) == scanned
    assert found["total"] == len(scanned)


def test_build_again_changes_nothing_and_says_so(run: Run, home: Path) -> None:
    assert "othing changed" in run(home, "build")
    assert "othing changed" in run(home, "release", "create")


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_root_hash_depends_on_the_texts_alone(
    run: Run, home: Path, seeds: list[Path], tmp_path: Path, seed: str
) -> None:
    order = seeds.copy()
    random.Random(seed).shuffle(order)
    for number, path in enumerate(order):
        (tmp_path / "elsewhere" / str(number)).mkdir(parents=True)
        shutil.copyfile(path, tmp_path / "elsewhere" / str(number) / f"{9 - number}.txt")
    other = tmp_path / "another home"
    other.mkdir()
    files = sorted((tmp_path / "elsewhere").rglob("*.txt"))
    for command in (["ingest", *files], ["build"], ["release", "create"]):
        run(other, *command, process=True, PYTHONHASHSEED=seed)
    roots = [json.loads(run(where, "release", "list", "--json"))[0]["root"] for where in (home, other)]
    assert roots[0] == roots[1]
    assert re.fullmatch(r"[0-9a-f]{64}", roots[0])
