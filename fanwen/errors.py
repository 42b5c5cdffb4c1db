"""The errors a user can cause, and the exit code that each one ends with.

Every package of fanwen raises these, so that the command line can print one
sentence and leave with the right code; nothing else is caught there.

========  =====================================================
code      meaning
========  =====================================================
0         ok
1         data damaged, or a verification failed
2         usage, configuration, or a missing input
3         degraded, or a gate refused
4         blocked, told to wait, or locked by another process
5         incomplete: interrupted, or the disk is full
========  =====================================================
"""

from __future__ import annotations

import shutil
from pathlib import Path

_ROOM = 1 << 16  # bytes that SQLite needs even for reading


class FanwenError(Exception):
    """A trouble that one sentence can explain: what is wrong, and what to do."""

    exit_code = 2


class UsageError(FanwenError):
    """A wrong option, configuration, site file or a missing input."""

    exit_code = 2


class DamagedError(FanwenError):
    """A database, body or release is not what its hashes say."""

    exit_code = 1


class RefusedError(FanwenError):
    """A health gate refused: nothing was published."""

    exit_code = 3


class BlockedError(FanwenError):
    """Another process holds the home, or a site told us to stay away."""

    exit_code = 4


class IncompleteError(FanwenError):
    """The work was interrupted and can go on where it stopped."""

    exit_code = 5


def disk_is_full(path: Path) -> bool:
    """Whether the disk of ``path`` has no room: SQLite calls that an I/O error where it only reads."""
    try:
        return shutil.disk_usage(path.parent).free < _ROOM
    except OSError:
        return False
