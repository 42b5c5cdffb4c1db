"""Kill -9 in the middle of a purge: the database is whole, and the next run ends as an undisturbed one does."""

from __future__ import annotations

import io
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killed_takedown import killed_after, killed_at, purge
from leftovers import left_in, stretches

from fanwen.corpus import home, release, verify
from fanwen.corpus.refresh import build_home
from fanwen.corpus.report import Progress

URL = "http://wenku.example/mine.html"


def is_whole(folder: Path) -> bool:
    return verify.verify_home(folder / "archive.db", folder / "corpus.db", folder / "releases") == []


@pytest.fixture(scope="module")
def wanted(write: Any) -> set[str]:
    return stretches([write(1)], step=10)


@pytest.fixture
def homes(new_home: Callable[[str], Any], write: Any, html: Any) -> Callable[[str], Path]:
    """Copies of one home with a release."""
    served = new_home("served")
    served.serve({f"p{n}.html": html("工作总结", write(n), write(n + 50)) for n in range(2, 8)})
    served.serve({"mine.html": html("总结", write(1)), "both.html": html("总结", write(1), write(9))})
    build_home(served, workers=1, progress=Progress(io.StringIO()))
    release.create(served.corpus, served.releases)

    def copy(name: str) -> Path:
        return Path(shutil.copytree(served.path, served.path.with_name(name)))

    return copy


def after(folder: Path) -> tuple[str, str, int]:
    """What the next release is, and how many documents lost their page."""
    it = home.Home(folder)
    build_home(it, workers=1, progress=Progress(io.StringIO()))
    made = release.create(it.corpus, it.releases)
    assert made is not None
    sums = (it.releases / made.version / "SHA256SUMS").read_text()
    return made.root, sums, made.pieces


def test_killed_at_every_step(homes: Callable[[str], Path], wanted: set[str]) -> None:
    whole = homes("whole")
    steps = purge(whole, URL)
    assert steps == 9
    expected = after(whole)
    for moment in range(1, steps + 1):
        folder = homes(f"killed-{moment}")
        killed_at(folder, URL, moment)
        assert verify.verify(folder / "corpus.db") == []
        purge(folder, URL)
        assert left_in(folder, wanted, but=["releases"]) == []
        if moment in (2, 8):
            assert after(folder) == expected
            assert is_whole(folder)


def test_a_build_finishes_what_a_kill_left(homes: Callable[[str], Path], wanted: set[str]) -> None:
    folder, whole = homes("killed"), homes("whole")
    killed_at(folder, URL, 3)
    assert left_in(folder, wanted, but=["releases"]) != []
    purge(whole, URL)
    assert after(folder) == after(whole)
    assert left_in(folder, wanted, but=["releases/2026.3.0"]) == []


def test_killed_at_random_moments(homes: Callable[[str], Path], wanted: set[str], soak: bool) -> None:
    r = random.Random(7)
    whole = homes("whole")
    begun = time.monotonic()
    purge(whole, URL)
    took = time.monotonic() - begun
    expected = after(whole)
    for attempt in range(25 if soak else 5):
        folder = homes(f"random-{attempt}")
        killed_after(folder, URL, r.uniform(0, took))
        assert verify.verify(folder / "corpus.db") == []
        purge(folder, URL)
        assert left_in(folder, wanted, but=["releases"]) == []
        assert after(folder) == expected
