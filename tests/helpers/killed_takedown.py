"""Purges a page of a home in a process of its own, and kills that (-9) at the n-th step or after some time."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from fanwen.corpus import erase, takedown_acts, takedown_journal
from fanwen.corpus.home import Home
from fanwen.corpus.store import open_store
from fanwen.corpus.takedown_case import plan
from fanwen.corpus.takedown_journal import Case

CASE = Case("2026-7", "copyright", "2026-03-05")


def purge(folder: Path, url: str, moment: int = 0) -> int:
    """Purge, or go on with it; how many steps there were. Kills this process at step ``moment``."""
    home = Home(folder)
    steps = 0

    def progress(name: str, done: int, total: int) -> None:
        nonlocal steps
        steps += 1
        if steps == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    erase.finish(home, progress)
    progress("before", 0, 0)
    with open_store(home.corpus) as store:
        if not any(one.state in ("purged", "erasing") for one in takedown_journal.cases(store)):
            takedown_acts.purge(home, store, CASE, plan(store, [url], siblings=True))
    progress("purged", 0, 0)
    erase.finish(home, progress)
    return steps


def killed_at(folder: Path, url: str, moment: int) -> None:
    """The same in a process that is killed at this step."""
    child = _forked(folder, url, moment)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def killed_after(folder: Path, url: str, seconds: float) -> None:
    """The same in a process that is killed after some time, wherever it is then."""
    child = _forked(folder, url, 0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _forked(folder: Path, url: str, moment: int) -> int:
    child = os.fork()  # starting Python anew would take longer than the purge
    if child == 0:
        try:
            purge(folder, url, moment)
        finally:
            os._exit(0)
    return child
