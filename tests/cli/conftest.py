"""Running commands as a user does: in this process where that proves the same, which takes a tenth of the time."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from fanwen.corpus import cli

Run = Callable[..., "Done"]

# a reactor runs once in a process
_CRAWLING = {"crawl", "refresh", "demo"}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def _in_process(arguments: list[str], cwd: Path, variables: dict[str, str]) -> Done:
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, variables, clear=True),
        mock.patch("sys.stdin", io.StringIO()),
        chdir(cwd),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = cli._run(arguments)
    return Done(code, out.getvalue(), err.getvalue())


def _as_process(arguments: list[str], cwd: Path, variables: dict[str, str]) -> Done:
    done = subprocess.run(
        [sys.executable, "-m", "fanwen", *arguments],
        cwd=cwd, env=variables, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def command() -> Run:
    """Run ``fanwen …`` with a home; ``process``: in one of its own even where it does not crawl."""

    def run(home: Path, *arguments: object, cwd: Path, process: bool = False, **environment: str) -> Done:
        kept = {k: v for k, v in os.environ.items() if k not in ("FANWEN_HOME", "FANWEN_DEBUG")}
        variables = {**kept, "FANWEN_HOME": str(home), **environment}
        words = [str(argument) for argument in arguments]
        apart = process or words[0] in _CRAWLING or any(word.startswith("http") for word in words)
        # what Python reads when it starts
        apart = apart or "PYTHONPATH" in environment
        return (_as_process if apart else _in_process)(words, cwd, variables)

    return run


@pytest.fixture
def fanwen(command: Run, tmp_path: Path) -> Run:
    """Run ``fanwen …`` in an empty folder with an empty home; returns code, stdout, stderr."""

    def run(*arguments: object, cwd: Path = tmp_path, **options: object) -> Done:
        return command(tmp_path / "home", *arguments, cwd=cwd, **options)

    return run
