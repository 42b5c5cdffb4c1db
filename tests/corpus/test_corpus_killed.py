"""Kill -9 in the middle of build and release create: started again, everything ends as if undisturbed."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus import exports, release, verify

SCRIPT = Path(__file__).with_name("killed_step.py")


def run(what: str, home: Path, moment: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), what, str(home), str(moment)],
        capture_output=True,
        text=True,
        check=False,
    )


def fingerprint(home: Path) -> tuple[str, str, list[str]]:
    (made,) = release.listing(home / "releases")
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
        assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
        assert verify.verify(home / "corpus.db") == []
    assert run("build", home, 0).returncode == 0
    for moment in range(in_release - 3, in_release + 1):
        killed = run("release", home, moment)
        assert killed.returncode in (-signal.SIGKILL, 0), killed.stderr
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


def test_killed_at_random_moments(
    undisturbed: tuple[Path, int, int], homes: Callable[[str], Path], soak: bool
) -> None:
    whole = undisturbed[0]
    r = random.Random(11)
    for attempt in range(40 if soak else 2):
        home = homes(f"random-{attempt}")
        for what in ("build", "release"):
            process = subprocess.Popen(
                [sys.executable, str(SCRIPT), what, str(home), "0"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(r.uniform(0.3, 2.0))
            process.kill()
            process.wait()
            assert run(what, home, 0).returncode == 0
        assert fingerprint(home) == fingerprint(whole)
