"""Builds or releases a home and kills itself (-9) at the n-th report of progress; for test_corpus_killed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from fanwen.corpus import build as build_module
from fanwen.corpus import dedup, marks, release, search


def main() -> None:
    what, folder, moment = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    # many small commits, so that there are many moments to die at
    build_module.DOCUMENTS_PER_BATCH = 3
    dedup.BATCH = marks.BATCH = search.BATCH = 7
    steps = 0

    def progress(name: str, done: int, total: int) -> None:
        nonlocal steps
        steps += 1
        if steps == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    if what == "build":
        build_module.build(folder / "archive.db", folder / "corpus.db", workers=1, progress=progress)
    else:
        release.create(folder / "corpus.db", folder / "releases", progress=progress)
    print(steps)


if __name__ == "__main__":
    main()
