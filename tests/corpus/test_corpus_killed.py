"""Kill -9 in the middle of build and release create: started again, everything ends as if undisturbed."""

from __future__ import annotations

import io
import json
import multiprocessing
import random
import runpy
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus import (
    backup,
    checkout,
    dedup,
    exports,
    marks,
    release,
    release_index,
    restore,
    search,
    verify,
)
from fanwen.corpus import build as build_module
from fanwen.corpus.home import RESTORE

Killed = Callable[..., Any]
FORK = multiprocessing.get_context("fork")
SCRIPT = Path(__file__).with_name("killed_step.py")


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str


def run(what: str, home: Path, moment: int) -> Done:
    """The script in a fork of this process, which has imported everything already."""
    here, there = FORK.Pipe(duplex=False)

    def script() -> None:
        sys.argv = [str(SCRIPT), what, str(home), str(moment)]
        with redirect_stdout(io.StringIO()) as said:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        there.send(said.getvalue())

    process = FORK.Process(target=script, daemon=True)
    process.start()
    there.close()
    try:
        said = here.recv()
    except EOFError:
        said = ""
    process.join()
    here.close()
    assert process.exitcode is not None
    return Done(process.exitcode, said)


def fingerprint(home: Path) -> tuple[str, str, list[str]]:
    (made,) = release_index.listing(home / "releases")
    sums = (home / "releases" / made.version / exports.SUMS).read_text()
    return made.root, sums, sorted(path.name for path in (home / "releases").iterdir())


@pytest.fixture
def homes(new_home: Callable[[str], Any], write: Any, html: Any) -> Callable[[str], Path]:
    """Copies of one home with a full archive and no corpus."""
    served = new_home("served")
    served.serve({f"p{n}": html("工作总结", write(n), write(n % 5 + 50)) for n in range(9)})

    def copy(name: str) -> Path:
        target: Path = served.path.with_name(name)
        shutil.copytree(served.path, target)
        return target

    return copy


@pytest.fixture
def undisturbed(homes: Callable[[str], Path]) -> tuple[Path, int, int]:
    """An undisturbed home, and how many moments its build and its release have."""
    home = homes("undisturbed")
    moments = [int(run(what, home, 0).stdout) for what in ("build", "release")]
    return home, moments[0], moments[1]


def test_killed_at_its_own_steps(
    undisturbed: tuple[Path, int, int], homes: Callable[[str], Path], soak: bool
) -> None:
    whole, in_build, in_release = undisturbed
    assert in_build >= 8
    assert in_release >= 4
    home = homes("disturbed")
    count = in_build if soak else 3
    for moment in sorted({1 + (in_build - 1) * n // max(1, count - 1) for n in range(count)}):
        killed = run("build", home, moment)
        assert killed.returncode in (-signal.SIGKILL, 0)
        assert verify.verify(home / "corpus.db") == []
    assert run("build", home, 0).returncode == 0
    for moment in range(in_release - 3, in_release + 1):
        killed = run("release", home, moment)
        assert killed.returncode in (-signal.SIGKILL, 0)
    assert run("release", home, 0).returncode == 0
    assert fingerprint(home) == fingerprint(whole)


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_killed_while_publishing(
    undisturbed: tuple[Path, int, int], homes: Callable[[str], Path], step: int
) -> None:
    """One release each for: decided, written, renamed, in the index but not yet marked in the corpus."""
    whole, _, in_release = undisturbed
    home = homes(f"disturbed-{step}")
    run("build", home, 0)
    killed = run("release", home, in_release - 4 + step)
    assert killed.returncode == -signal.SIGKILL
    published = (home / "releases" / "index.json").exists()
    assert published == (step == 4)
    # the next build must not leak into the release that was decided already
    assert run("build", home, 0).returncode == 0
    assert run("release", home, 0).returncode == 0
    assert fingerprint(home) == fingerprint(whole)
    made = json.loads((home / "releases" / "index.json").read_text())
    assert [entry["version"] for entry in made["releases"]] == [made["latest"]]
    assert verify.verify_home(home / "archive.db", home / "corpus.db", home / "releases") == []


# -- at any moment ------------------------------------------------------------------------------------


@pytest.fixture
def changed(new_home: Callable[[str], Any], write: Any, html: Any) -> Any:
    """A home with one release, whose pages changed since: there is something to close, to merge and to rename."""
    home = new_home("changed")
    pages = {f"p{n}": html("工作总结", write(n, 8), write(n % 4 + 50, 8)) for n in range(8)}
    home.serve(pages)
    home.build()
    release.create(home.corpus, home.releases)
    more = "\n后来大家又补种了二十棵桂花树，联系人王建国，电话13912345678。"
    home.serve(
        {
            "p0": None,
            "p1": html("工作总结", write(1, 8)),
            "p2": html("工作总结", write(90, 8), write(2, 8), write(52, 8)),
            "p3": html("工作总结", write(3, 8) + more, write(53, 8)),
            "p4": html("读后感", write(1, 8), write(50, 8)),
            "p5": html("工作总结", write(91, 8), write(92, 8)),
            **{f"q{n}": html("倡议书", write(n + 70, 8)) for n in range(4)},
        },
        day=2,
    )
    return home


def small_batches() -> None:
    """Many commits, so that there are many moments to die between."""
    build_module.DOCUMENTS_PER_BATCH = 3
    dedup.BATCH = marks.BATCH = search.BATCH = 7


def built(home: Any) -> None:
    small_batches()
    home.build()


def released(home: Any) -> None:
    release.create(home.corpus, home.releases)


def both(home: Any) -> None:
    built(home)
    released(home)


def outcome(home: Any) -> tuple[str, str, list[str]]:
    made = release_index.listing(home.releases)[-1]
    names = sorted(path.name for path in home.releases.iterdir())
    return made.root, (home.releases / made.version / exports.SUMS).read_text(), names


def copied(home: Any, folder: Path) -> Any:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(home.path, folder)
    return type(home)(folder)


def test_killed_at_random_moments(changed: Any, tmp_path: Path, soak: bool, killed: Killed) -> None:
    """Whole after every kill; the same commands then end as if nobody had killed anything."""
    r = random.Random(11)
    whole, ready = copied(changed, tmp_path / "whole"), copied(changed, tmp_path / "ready")
    times = {built: killed(None, built, whole), released: killed(None, released, whole)}
    built(ready)
    wanted = outcome(whole)
    hit = 0
    for step, before, rounds in ((built, changed, 40), (released, ready, 40)):
        for _ in range(rounds if soak else 2):
            home = copied(before, tmp_path / "home")
            hit += killed(r.uniform(0, times[step]), step, home)
            assert verify.verify(home.corpus) == []
            both(home)
            assert outcome(home) == wanted
            assert verify.verify_home(home.archive, home.corpus, home.releases) == []
    assert hit >= (40 if soak else 1), "a kill after the end proves nothing"


def test_killed_while_copies_are_made(changed: Any, tmp_path: Path, soak: bool, killed: Killed) -> None:
    """Checkout and backup: there whole or not at all, and the home is never touched."""
    r = random.Random(12)
    (version,) = [one.version for one in release_index.listing(changed.releases)]
    before = {path: path.read_bytes() for path in (changed.corpus, changed.archive)}
    steps = {
        "backup": lambda target: backup.back_up(changed, target, releases=True),
        "checkout": lambda target: checkout.checkout(changed, version, target),
    }
    for name, step in steps.items():
        time_of = killed(None, step, tmp_path / f"{name}-whole")
        for n in range(8 if soak else 1):
            target = tmp_path / f"{name}-{n}"
            killed(r.uniform(0, time_of), step, target)
            if not target.exists():
                step(target)
            if name == "backup":
                assert backup.read(target).releases
            assert verify.verify(target / "corpus.db") == []
            assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert {path: path.read_bytes() for path in before} == before


def test_killed_while_a_backup_is_restored(changed: Any, tmp_path: Path, soak: bool, killed: Killed) -> None:
    """The home is what it was or what the backup holds; the same command, or any other that writes, ends it."""
    r = random.Random(13)
    kept = tmp_path / "kept"
    backup.back_up(changed, kept)
    later = copied(changed, tmp_path / "later")
    both(later)
    both(changed_again := copied(changed, tmp_path / "again"))
    wanted = outcome(changed_again)[0]

    def step(home: Any) -> None:
        with home.locked(RESTORE):
            if restore.finished(home) is None:
                restore.restore(home, kept, force=True)

    trial = copied(later, tmp_path / "trial")
    time_of = killed(None, step, trial)
    for n in range(12 if soak else 2):
        home = copied(later, tmp_path / "home")
        killed(r.uniform(0, time_of), step, home)
        if n % 2:
            with home.locked("build"):  # ends what was begun, if the new files were ready
                pass
            assert home.corpus.is_file()
            assert home.archive.is_file()
        step(home)
        assert verify.verify_home(home.archive, home.corpus, home.releases) == []
        # the state of the backup, from which the same work leads to the same place
        both(home)
        assert outcome(home)[0] == wanted
        assert any(path.name.startswith("replaced-") for path in home.path.iterdir())
