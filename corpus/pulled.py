"""Where pulled releases lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def pulled_folder() -> Path:
    """``$FANWEN_PULLED``, else ``fanwen`` in ``$XDG_DATA_HOME`` or in ``~/.local/share``."""
    if given := os.environ.get("FANWEN_PULLED"):
        return Path(given)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "fanwen"
