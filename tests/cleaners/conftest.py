"""Texts of our own and helpers for the cleaners' tests; the seeds come from FANWEN_REFERENCE."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fanwen.cleaners.pipeline import clean_document, page_from_file
from fanwen.cleaners.types import Cleaned, Page

# The tests share a module of texts, which import-mode=importlib would not find by itself.
sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def clean() -> Callable[..., Cleaned]:
    """Clean one body; fails when the pipeline swallowed a fault of its own."""

    def run(data: bytes | str, kind: str = "text/plain", **options: object) -> Cleaned:
        raw = data.encode() if isinstance(data, str) else data
        cleaned = clean_document([Page("https://a.example/1.html", raw, kind)], **options)  # type: ignore[arg-type]
        assert [r for r in cleaned.rejects if r.reason == "internal_error"] == []
        return cleaned

    return run


@pytest.fixture(scope="session")
def cleaned_seeds(reference: Path) -> dict[str, Cleaned]:
    """The five seeds, cleaned, by their first three digits."""
    return {
        path.name[:3]: clean_document([page_from_file(path)])
        for path in sorted((reference / "seeds").glob("*.txt"))
    }


@pytest.fixture(scope="session")
def seed_text(reference: Path) -> dict[str, str]:
    return {path.name[:3]: path.read_text(encoding="utf-8") for path in (reference / "seeds").glob("*.txt")}


@pytest.fixture(scope="session")
def case(reference: Path) -> Callable[[int], list[str]]:
    """The strings in code marks of one acceptance case, without leading and trailing dots."""
    lines = (reference / "acceptance.md").read_text(encoding="utf-8").split("\n")

    def strings(number: int) -> list[str]:
        start = next(i for i, line in enumerate(lines) if line.startswith(f"{number}. "))
        block = [lines[start]]
        for line in lines[start + 1 :]:
            if not line.startswith("   "):
                break
            block.append(line)
        return [s.strip("…") for s in re.findall(r"`([^`]+)`", "\n".join(block))]

    return strings
