"""A disk that really fills up: a tmpfs in a mount namespace of its own, whose size the test sets.

Nothing outside the namespace sees it; it ends with the process that holds it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

_MOUNT = 'mount -t tmpfs -o size=64m tmpfs "$0" && echo ready && exec cat'


class SmallDisk:
    """``path`` is the disk as this process sees it, ``there`` as the commands see it."""

    def __init__(self, there: Path) -> None:
        """Raises pytest's skip where the system does not allow such a namespace."""
        there.mkdir()
        try:
            self.holder = subprocess.Popen(
                ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, str(there)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        except FileNotFoundError:
            pytest.skip("there is no unshare(1) here, so no small disk can be made")
        if self.holder.stdout.readline() != "ready\n":
            reason = self.holder.communicate()[1].strip()
            pytest.skip(f"no small disk can be mounted here: {reason}")
        self.there = there
        self.path = Path(f"/proc/{self.holder.pid}/root{there}")
        self.inside = [
            "nsenter", f"--target={self.holder.pid}", "--user", "--mount", "--preserve-credentials", "--",
        ]  # fmt: skip

    def leave(self, free: int) -> None:
        """Set the size so that ``free`` bytes are left, rounded to pages."""
        space = os.statvfs(self.path)
        size = (space.f_blocks - space.f_bfree) * space.f_frsize + free
        subprocess.run(
            [*self.inside, "mount", "-o", f"remount,size={max(4096, size)}", str(self.there)], check=True
        )

    def close(self) -> None:
        self.holder.communicate()
