"""Running the real command, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

Run = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def fanwen(tmp_path: Path) -> Run:
    """Run ``fanwen …`` in an empty folder with an empty home; returns code, stdout, stderr."""

    def run(*arguments: object, cwd: Path = tmp_path, timeout: float = 120, **environment: str) -> Done:
        variables = {
            k: v for k, v in os.environ.items() if k not in ("FANWEN_HOME", "FANWEN_DEBUG")
        } | environment
        variables.setdefault("FANWEN_HOME", str(tmp_path / "home"))
        done = subprocess.run(
            [sys.executable, "-m", "fanwen", *map(str, arguments)],
            cwd=cwd, env=variables, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    return run
