"""The demo end to end through real HTTP: crawl, clean, split, deduplicate, publish, refresh; and kill -9."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fanwen

ROOT = Path(__file__).resolve().parents[2]
TRUTH = tomllib.loads((ROOT / "tests" / "samples" / "truth.toml").read_text(encoding="utf-8"))

pytestmark = pytest.mark.xdist_group("demo")


def start(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fanwen", "demo", "--home", str(home)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home.parent,
    )  # fmt: skip


def finish(home: Path) -> str:
    process = start(home)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, ""), (out, err)
    return out


def roots(home: Path) -> list[str]:
    index = json.loads((home / "releases" / "index.json").read_text())
    return [release["root"] for release in index["releases"]]


def ask(home: Path, *arguments: str) -> object:
    out = subprocess.check_output(
        [sys.executable, "-m", "fanwen", *arguments, "--home", str(home), "--json"], text=True, cwd=home.parent
    )
    return json.loads(out)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The home of an undisturbed demo, and what it printed."""
    home = tmp_path_factory.mktemp("demo") / "fanwen-demo"
    return home, finish(home)


@pytest.fixture(scope="module")
def home(told: tuple[Path, str]) -> Path:
    return told[0]


def test_it_tells_what_it_did(told: tuple[Path, str]) -> None:
    _, out = told
    for site in TRUTH["sites"]:
        assert site in out
    for word in ("pieces", "rejects", "duplicates", "ADD", "MOD", "DEL", "archive.db", "Try next"):
        assert word in out
    assert out.count("  fanwen ") == 3


def test_two_releases_and_both_verify(home: Path) -> None:
    assert len(roots(home)) == 2
    assert len(set(roots(home))) == 2
    assert ask(home, "verify") == {"ok": True, "troubles": []}


def test_a_third_run_changes_nothing(home: Path) -> None:
    before = roots(home)
    finish(home)
    assert roots(home) == before


def test_nothing_forbidden_was_fetched(home: Path) -> None:
    with sqlite3.connect(f"file:{home / 'archive.db'}?mode=ro", uri=True) as db:
        fetched = {url for (url,) in db.execute("select url from fetch where status = 200")}
    db.close()
    assert fetched
    assert not [url for url in fetched if any(url.startswith(prefix) for prefix in TRUTH["forbidden_urls"])]
    assert not [url for url in fetched if ":" in url.removeprefix("http://")]


def page_pieces(home: Path, version: str) -> dict[str, list[fanwen.corpus.reader.CorpusPiece]]:  # type: ignore[name-defined]
    pages: dict[str, list[object]] = {}
    for piece in fanwen.open(home).pieces(default=False, as_of=version):
        pages.setdefault(piece.url, []).append(piece)
    return pages


@pytest.fixture(scope="module", params=["one", "two"])
def state(request: pytest.FixtureRequest, home: Path) -> tuple[str, dict[str, list[object]]]:
    version = json.loads((home / "releases" / "index.json").read_text())["releases"][int(request.param == "two")]["version"]
    return request.param, page_pieces(home, version)


def test_every_page_gives_its_pieces(state: tuple[str, dict[str, list[object]]]) -> None:
    name, pages = state
    expected = {page["url"]: page["pieces"] for page in TRUTH["pages"] if name in page["states"] and page["pieces"]}
    assert {url: len(pieces) for url, pieces in pages.items()} == {url: len(p) for url, p in expected.items()}
    for url, pieces in expected.items():
        got = sorted(pages[url], key=lambda piece: piece.place)
        assert [piece.text.replace("\n", "")[:12] for piece in got] == [piece["first"] for piece in pieces], url
        assert [piece.text.replace("\n", "")[-12:] for piece in got] == [piece["last"] for piece in pieces], url


def test_no_piece_holds_boilerplate(state: tuple[str, dict[str, list[object]]]) -> None:
    _, pages = state
    text = {piece.piece_id: piece.text for pieces in pages.values() for piece in pieces}
    leaks = [(key, words) for key, body in text.items() for words in TRUTH["forbidden"] if words in body]
    assert not leaks


def test_every_duplicate_is_found_and_nothing_else(home: Path) -> None:
    pieces = {piece.piece_id: piece for piece in fanwen.open(home).pieces(default=False)}
    pairs = [json.loads(line) for line in subprocess.check_output(
        [sys.executable, "-m", "fanwen", "duplicates", "--json", "--home", str(home)], text=True).splitlines()]  # fmt: skip

    def place(key: str) -> tuple[str, int]:
        return (pieces[key].url, pieces[key].place)

    found = {(frozenset((place(pair["a"]), place(pair["b"]))), pair["relation"]) for pair in pairs}
    expected = {
        (frozenset(((row["a"], row["a_piece"]), (row["b"], row["b_piece"]))), row["relation"])
        for row in TRUTH["duplicates"]
        if "two" in row.get("states", ["one", "two"])
    }
    assert found == expected


def test_the_refresh_fetched_only_what_changed(home: Path) -> None:
    runs = [json.loads(path.read_text()) for path in sorted((home / "runs").glob("*.json"))]
    second = runs[1]
    changed = sum(site["changed"] for site in second["crawl"]["sites"])
    gone = sum(site["gone"] for site in second["crawl"]["sites"])
    unchanged = sum(site["unchanged"] for site in second["crawl"]["sites"])
    assert gone == 1
    # the changed page, and the lists that name the new one
    assert 1 <= changed <= 3
    assert unchanged > 20


def test_the_difference_is_one_changed_one_new_one_gone(home: Path) -> None:
    old, new = [release["version"] for release in json.loads((home / "releases" / "index.json").read_text())["releases"]]
    changes = ask(home, "release", "diff", old, new)
    by_kind = {kind: {c["url"] for c in changes if c["change"] == kind} for kind in ("ADD", "MOD", "DEL")}
    assert by_kind == {"ADD": {TRUTH["new"]}, "MOD": {TRUTH["changed"]}, "DEL": {TRUTH["gone"]}}


def moments(home: Path) -> Iterator[Callable[[], bool]]:
    """Five moments of the demo's life, each seen from outside."""

    def fetched() -> int:
        try:
            with sqlite3.connect(f"file:{home / 'archive.db'}?mode=ro", uri=True, timeout=1) as db:
                count = db.execute("select count(*) from fetch").fetchone()[0]
            db.close()
        except sqlite3.Error:
            return 0
        return int(count)

    releases = home / "releases"
    yield lambda: fetched() >= 10
    yield lambda: (home / "corpus.db").exists()
    yield lambda: releases.exists() and any(releases.iterdir())
    yield lambda: '"second"' in (home / "demo.json").read_text() and (time.sleep(0.4) is None)
    yield lambda: len([path for path in releases.iterdir() if path.is_dir()]) >= 2


def kill(process: subprocess.Popen[str], moment: Callable[[], bool]) -> bool:
    """Kill -9 when the moment comes; False when the demo ended before it."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if (process.args and moment_safe(moment)) and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return True
        time.sleep(0.005)
    process.communicate()
    return False


def moment_safe(moment: Callable[[], bool]) -> bool:
    try:
        return moment()
    except OSError:
        return False


def test_killed_at_five_moments_it_ends_the_same(home: Path, tmp_path: Path) -> None:
    disturbed = tmp_path / "fanwen-demo"
    kills = sum(kill(start(disturbed), moment) for moment in moments(disturbed))
    finish(disturbed)
    assert kills >= 4
    assert roots(disturbed) == roots(home)
    assert ask(disturbed, "verify") == {"ok": True, "troubles": []}
    assert not [path for path in (disturbed / "releases").iterdir() if path.name.startswith(".")]


def test_killed_at_random_moments_it_ends_the_same(home: Path, tmp_path: Path, soak: bool) -> None:
    chance = random.Random(os.environ.get("FANWEN_SEED", "5"))
    for round_ in range(20 if soak else 1):
        disturbed = tmp_path / f"demo-{round_}"
        for _ in range(5):
            process = start(disturbed)
            try:
                process.communicate(timeout=chance.uniform(0.3, 6))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
        finish(disturbed)
        assert roots(disturbed) == roots(home)
        assert ask(disturbed, "verify") == {"ok": True, "troubles": []}
