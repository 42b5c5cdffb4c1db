"""Worker processes that end with the process that started them, however it dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any


def worker_pool(workers: int | None = None) -> ProcessPoolExecutor:
    """A pool of ``workers`` processes, one per core by default; use it in a ``with``.

    Spawned, not forked: a fork would inherit the lock on the home and open databases.
    """
    with _signals_blocked():
        return _Pool(
            max_workers=workers or cores(),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_end_with_parent,
        )


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Pool(ProcessPoolExecutor):
    """Its processes hear neither Ctrl-C nor a closed terminal: the parent does, and says what happened."""

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        with _signals_blocked():
            return super().submit(fn, *arguments, **named)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """A process that is started meanwhile never gets them; to us they come when it has all it needs."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """After kill -9 of the parent its workers would wait for work for ever."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))  # the pool ends a broken one so
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
