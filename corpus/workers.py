"""Worker processes that end with the process that started them, however it dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, TypeVar

WAITING = 4  # calls for each process, so that memory stays flat

T = TypeVar("T")
R = TypeVar("R")


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


def in_order(pool: Executor, function: Callable[..., R], calls: Iterable[tuple[Any, ...]]) -> Iterator[R]:
    """What a function of some module gives for each call, in the order of the calls."""
    waiting: deque[Future[R]] = deque()
    for call in calls:
        waiting.append(pool.submit(function, *call))
        if len(waiting) >= WAITING * cores():
            yield waiting.popleft().result()
    for future in waiting:
        yield future.result()


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
