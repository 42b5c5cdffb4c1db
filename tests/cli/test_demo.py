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
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import opencc
import pytest

import fanwen
from fanwen.corpus.reader import CorpusPiece
from fanwen.spiders.samples.render import HOSTS, read_text

ROOT = Path(__file__).resolve().parents[2]
TRUTH = tomllib.loads((ROOT / "tests" / "samples" / "truth.toml").read_text(encoding="utf-8"))

# titles of the truth are as the page prints them
SIMPLIFIED = opencc.OpenCC("t2s")


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
        [sys.executable, "-m", "fanwen", *arguments, "--home", str(home), "--json"],
        text=True,
        cwd=home.parent,
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
    for site in HOSTS:
        assert site in out
    for word in ("pieces", "rejects", "duplicates", "ADD", "MOD", "DEL", "archive.db", "Try next"):
        assert word in out
    tries = [line.split()[1:] for line in out.partition("Try next\n")[2].splitlines()]
    assert [words[0] for words in tries] == ["search", "duplicates", "release", "pull", "serve"]
    for words in tries[:-1]:
        subprocess.run([sys.executable, "-m", "fanwen", *words], check=True, stdout=subprocess.DEVNULL)


def test_two_releases_and_both_verify(home: Path) -> None:
    assert len(roots(home)) == 2
    assert len(set(roots(home))) == 2
    assert ask(home, "verify") == {"ok": True, "troubles": [], "repaired": []}


def test_a_third_run_changes_nothing(home: Path) -> None:
    before = roots(home)
    finish(home)
    assert roots(home) == before


def test_nothing_forbidden_was_fetched(home: Path) -> None:
    with closing(sqlite3.connect(f"file:{home / 'archive.db'}?mode=ro", uri=True)) as db, db:
        fetched = {url for (url,) in db.execute("select u.url from fetch f join url u on u.id = f.url_id")}
    assert fetched
    never = {document["url"] for document in TRUTH["document"] if document["outcome"] == "never_fetched"}
    assert never
    assert not never & fetched
    assert not [url for url in fetched if ":" in url.removeprefix("http://")]


@pytest.fixture(scope="module", params=["one", "two"])
def state(request: pytest.FixtureRequest, home: Path) -> tuple[str, list[CorpusPiece]]:
    """A state of the sites, and the pieces of the release made from it."""
    releases = json.loads((home / "releases" / "index.json").read_text())["releases"]
    version = releases[int(request.param == "two")]["version"]
    return request.param, list(fanwen.open(home).pieces(default=False, as_of=version))


def documents(state: str, *outcomes: str) -> list[dict[str, Any]]:
    return [d for d in TRUTH["document"] if d["state"] in (state, "both") and d["outcome"] in outcomes]


def squeezed(text: str) -> str:
    return "".join(text.replace("|", "").split())


def essay(name: str) -> str:
    return squeezed("".join(read_text(name).paragraphs))


def by_page(pieces: list[CorpusPiece]) -> dict[str, list[CorpusPiece]]:
    pages: dict[str, list[CorpusPiece]] = {}
    for piece in sorted(pieces, key=lambda piece: piece.place):
        pages.setdefault(piece.url, []).append(piece)
    return pages


def test_every_page_gives_its_pieces_and_no_other_page_any(state: tuple[str, list[CorpusPiece]]) -> None:
    name, pieces = state
    whole = by_page([piece for piece in pieces if "stub" not in piece.flags])
    assert {url: len(found) for url, found in whole.items()} == {
        d["url"]: d["pieces"] for d in documents(name, "pieces")
    }
    abstracts = {piece.url for piece in pieces if "stub" in piece.flags}
    assert abstracts <= {d["url"] for d in documents(name, "stub")}


def test_every_piece_is_the_text_it_was_made_from(state: tuple[str, list[CorpusPiece]]) -> None:
    name, pieces = state
    pages = by_page(pieces)
    for document in documents(name, "pieces"):
        for piece, truth in zip(pages[document["url"]], document["piece"], strict=True):
            where = (document["url"], truth["index"])
            body = squeezed(piece.text)
            assert (body[:12], body[-12:]) == (truth["begin"], truth["end"]), where
            if "incomplete" not in truth["flags"]:
                assert body == essay(truth["text"]), where
            assert piece.title == (SIMPLIFIED.convert(truth["title"]) or None) or not truth["title"], where
            assert "incomplete" in piece.flags or "incomplete" not in truth["flags"], where


def test_no_piece_holds_boilerplate(state: tuple[str, list[CorpusPiece]]) -> None:
    name, pieces = state
    pages = by_page(pieces)
    leaks = [
        (document["url"], words)
        for document in documents(name, "pieces", "stub")
        for words in document.get("forbidden", [])
        for piece in pages.get(document["url"], [])
        if words in piece.text
    ]
    assert not leaks


def test_the_default_set_is_what_the_truth_counts(state: tuple[str, list[CorpusPiece]]) -> None:
    name, pieces = state
    summary = TRUTH["summary"][f"state_{name}"]
    assert len([piece for piece in pieces if "stub" not in piece.flags]) == summary["pieces"]
    assert len([piece for piece in pieces if piece.excluded_why is None]) == summary["default"]
    kept_out = {piece.url for piece in pieces if piece.rights_basis == "reservation_found"}
    assert kept_out == {d["url"] for d in documents(name, "pieces", "stub") if d.get("reservations")}
    assert not [piece for piece in pieces if piece.url in kept_out and piece.excluded_why is None]


def test_every_refusal_has_its_reason(home: Path) -> None:
    with closing(sqlite3.connect(f"file:{home / 'corpus.db'}?mode=ro", uri=True)) as db, db:
        found = dict(db.execute(
            "select d.url, r.reason from reject r join document_version v on v.id = r.document_version"
            " join document d on d.id = v.document where v.removed_in is null and v.found_pieces = 0"
        ))  # fmt: skip
    assert found.items() >= {d["url"]: d["reason"] for d in documents("two", "rejected")}.items()


def test_every_duplicate_is_found_and_nothing_else(home: Path) -> None:
    pieces = {piece.piece_id: piece for piece in fanwen.open(home).pieces(default=False)}
    out = subprocess.check_output(
        [sys.executable, "-m", "fanwen", "duplicates", "--json", "--home", str(home)], text=True
    )
    pairs = [json.loads(line) for line in out.splitlines()]
    pages = by_page(list(pieces.values()))
    place = {piece.piece_id: f"{url}#{n}" for url, found in pages.items() for n, piece in enumerate(found, 1)}
    found = {(frozenset((place[pair["a"]], place[pair["b"]])), pair["relation"]) for pair in pairs}
    assert found == {(frozenset((row["a"], row["b"])), row["relation"]) for row in TRUTH["duplicate"]}


def test_the_refresh_fetched_only_what_changed(home: Path) -> None:
    runs = [json.loads(path.read_text()) for path in sorted((home / "runs").glob("*.json"))]
    second = runs[1]
    files = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    keys = {*second, *second["crawl"], *second["crawl"]["sites"][0], *second["build"], *second["gates"][0]}
    assert not [key for key in sorted(keys) if f"`{key}`" not in files]
    # the first run cleaned everything
    by_site = runs[0]["build"]["rejects_by_site"]
    assert runs[0]["build"]["rejects"]
    assert sum((Counter(found) for found in by_site.values()), Counter()) == runs[0]["build"]["rejects"]
    assert by_site.keys() <= set(HOSTS)
    changed = sum(site["changed"] for site in second["crawl"]["sites"])
    gone = sum(site["gone"] for site in second["crawl"]["sites"])
    unchanged = sum(site["unchanged"] for site in second["crawl"]["sites"])
    assert gone == 1
    # the changed page, and the lists that name the new one
    assert 1 <= changed <= 3
    assert unchanged > 20


def test_the_difference_is_one_changed_one_new_one_gone(home: Path) -> None:
    old, new = [
        release["version"]
        for release in json.loads((home / "releases" / "index.json").read_text())["releases"]
    ]
    changes = ask(home, "release", "diff", old, new)
    by_kind = {kind: {c["url"] for c in changes if c["change"] == kind} for kind in ("ADD", "MOD", "DEL")}
    expected = {
        kind: {c["url"] for c in TRUTH["change"] if c["change"] == kind} for kind in ("ADD", "MOD", "DEL")
    }
    assert by_kind == expected


def moments(home: Path) -> Iterator[Callable[[], bool]]:
    """Five moments of the demo's life, each seen from outside."""

    def fetched() -> int:
        try:
            with (
                closing(sqlite3.connect(f"file:{home / 'archive.db'}?mode=ro", uri=True, timeout=1)) as db,
                db,
            ):
                count = db.execute("select count(*) from fetch").fetchone()[0]
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
    assert ask(disturbed, "verify") == {"ok": True, "troubles": [], "repaired": []}
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
        assert ask(disturbed, "verify") == {"ok": True, "troubles": [], "repaired": []}
