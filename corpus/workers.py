"""Worker processes that end with the process that started them, however it dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait


def worker_pool(workers: int | None = None) -> ProcessPoolExecutor:
    """A pool of ``workers`` processes, one per core by default; use it in a ``with``.

    Spawned, not forked: a fork would inherit the lock on the home and open databases.
    """
    return ProcessPoolExecutor(
        max_workers=workers or os.cpu_count() or 1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with_parent,
    )


def _end_with_parent() -> None:
    """After kill -9 of the parent its workers would wait for work for ever.

    Ctrl-C and a closed terminal reach them too; it is the parent that hears them and says what happened.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
