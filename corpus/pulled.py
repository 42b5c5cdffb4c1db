"""Where releases that were pulled lie."""

from __future__ import annotations

import os
from pathlib import Path


def pulled_folder() -> Path:
    """``$FANWEN_PULLED``, else ``fanwen`` in ``$XDG_DATA_HOME``, else in ``~/.local/share``."""
    if chosen := os.environ.get("FANWEN_PULLED"):
        return Path(chosen)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "fanwen"
