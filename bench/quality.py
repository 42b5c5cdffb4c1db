"""Main text of real pages with gold: fanwen beside trafilatura, mean and median F1 of character 4-grams.

In goes a folder with ``index.jsonl`` (files, url, content_type), ``pages/`` and ``gold/<name>.txt``.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import trafilatura

from fanwen.cleaners.pipeline import clean_document
from fanwen.cleaners.types import Page

Extract = Callable[[Page], str]


def main() -> None:
    """Measure and print one line per extractor."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--news", type=Path, required=True, help="folder with index.jsonl, pages/ and gold/")
    folder = parser.parse_args().news
    rows = [json.loads(line) for line in (folder / "index.jsonl").read_text(encoding="utf-8").splitlines()]
    print(f"{'extractor':24}{'mean':>8}{'median':>8}{'precision':>11}{'recall':>8}")
    for name, extract in EXTRACTORS.items():
        scores = [page_score(folder, row, extract) for row in rows]
        f1, precision, recall = ([score[i] for score in scores] for i in range(3))
        print(
            f"{name:24}{statistics.mean(f1):8.4f}{statistics.median(f1):8.4f}"
            f"{statistics.mean(precision):11.4f}{statistics.mean(recall):8.4f}"
        )


def ours(page: Page) -> str:
    """``fanwen clean --main-text``."""
    document = clean_document([page], main_text=True).document
    return document.text if document else ""


def theirs(**settings: bool) -> Extract:
    """trafilatura with these settings."""
    return lambda page: trafilatura.extract(page.body, **settings) or ""


EXTRACTORS: dict[str, Extract] = {
    "fanwen": ours,
    "trafilatura": theirs(),
    "trafilatura no comments": theirs(include_comments=False),
    "trafilatura fast": theirs(include_comments=False, fast=True),
    "trafilatura precision": theirs(include_comments=False, favor_precision=True),
    "trafilatura recall": theirs(include_comments=False, favor_recall=True),
}


def page_score(folder: Path, row: dict[str, object], extract: Extract) -> tuple[float, float, float]:
    """F1, precision and recall of one page."""
    file = folder / str(row["files"][0])  # type: ignore[index]
    page = Page(str(row["url"]), file.read_bytes(), str(row["content_type"]))
    wanted = grams((folder / "gold" / f"{file.stem}.txt").read_text(encoding="utf-8"))
    given = grams(extract(page))
    hit = (wanted & given).total()
    precision, recall = hit / max(1, given.total()), hit / max(1, wanted.total())
    return 2 * precision * recall / max(1e-9, precision + recall), precision, recall


def grams(text: str) -> Counter[str]:
    """Character 4-grams after NFKC, without white space."""
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    return Counter(plain[i : i + 4] for i in range(len(plain) - 3))


if __name__ == "__main__":
    main()
