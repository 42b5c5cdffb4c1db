"""What several suites need: where the reference material lies, and whether to run at full size."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# a runner in the background ignores these, and every command that a test starts would ignore them too
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of the reference material; the test is skipped where it is absent."""
    folder = Path(os.environ.get("FANWEN_REFERENCE", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference material at {folder}; set FANWEN_REFERENCE")
    return folder


@pytest.fixture(scope="session")
def seeds(reference: Path) -> list[Path]:
    """The five seed texts, sorted."""
    return sorted((reference / "seeds").glob("*.txt"))


@pytest.fixture(scope="session")
def soak() -> bool:
    """True when the tests run at full size (make soak)."""
    return os.environ.get("FANWEN_SOAK") == "1"
