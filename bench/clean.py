"""Pages per CPU second of the whole cleaning beside trafilatura's extraction alone, and each stage's share.

In go HTML files (by default those of tests/eval), each taken as a page of an unknown site and, with the
content block's selector given, as a page of a known site. Every round takes both on every page in turn;
medians of the rounds' ratios are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trafilatura

from fanwen.cleaners import (
    boilerplate,
    damage,
    gate,
    genre,
    language,
    layout,
    pipeline,
    privacy,
    quality,
    script,
)
from fanwen.cleaners.types import ExtractHints, Page

ROOT = Path(__file__).resolve().parent.parent
STAGES = (boilerplate, damage, gate, genre, language, layout, privacy, quality, script)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--pages", type=Path, default=ROOT / "tests/eval/pages", help="folder with HTML files"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--min-bytes", type=int, default=0, help="leave out smaller pages")
    parser.add_argument("--selector", help="CSS selector of the content: measure as a known site")
    options = parser.parse_args()
    files = sorted(options.pages.glob("*.htm*"))
    pages = [Page(f"http://bench.example/{f.name}", f.read_bytes(), "text/html") for f in files]
    pages = [page for page in pages if len(page.body) >= options.min_bytes]
    hints = ExtractHints(content=(options.selector,)) if options.selector else ExtractHints()
    ratios, rate = [], 0.0
    for _ in range(options.rounds):
        ours = sum(cpu(lambda page=page: pipeline.clean_document([page], hints)) for page in pages)
        theirs = sum(cpu(lambda page=page: trafilatura.extract(page.body)) for page in pages)
        ratios.append(theirs / ours)
        rate = len(pages) / ours
    size = sum(len(page.body) for page in pages) / max(1, len(pages)) / 1000
    print(f"{len(pages)} pages of {size:.0f} kB on average, {options.rounds} rounds")
    print(f"whole cleaning: {rate:.0f} pages per CPU second")
    print(f"beside trafilatura's default extraction: {statistics.median(ratios):.2f} times as fast")
    for name, share in shares(pages, hints):
        print(f"  {name:12} {share:6.1%}")


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU that a call takes in this process."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def shares(pages: list[Page], hints: ExtractHints) -> list[tuple[str, float]]:
    """Share of CPU time per stage, the largest first; a stage called by another counts for itself."""
    spent: Counter[str] = Counter()
    running = ["pipeline"]
    since = [time.process_time()]

    def switch() -> None:
        now = time.process_time()
        spent[running[-1]] += now - since[0]
        since[0] = now

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            switch()
            running.append(name)
            try:
                return function(*arguments, **named)
            finally:
                switch()
                running.pop()

        return call

    patched: list[tuple[Any, str, Any]] = []

    def patch(owner: Any, attribute: str, name: str) -> None:
        patched.append((owner, attribute, getattr(owner, attribute)))
        setattr(owner, attribute, timed(name, getattr(owner, attribute)))

    for module in STAGES:
        for attribute, value in list(vars(module).items()):
            ours = callable(value) and getattr(value, "__module__", "") == module.__name__
            if ours and not attribute.startswith("_") and not isinstance(value, type):
                patch(module, attribute, module.__name__.rsplit(".", 1)[-1])
    for attribute in ("decode", "extract_html", "split"):
        patch(pipeline, attribute, attribute.removesuffix("_html"))
    try:
        since[0] = time.process_time()
        for page in pages:
            pipeline.clean_document([page], hints)
        switch()
    finally:
        for owner, attribute, value in reversed(patched):
            setattr(owner, attribute, value)
    total = sum(spent.values()) or 1.0
    return [(name, value / total) for name, value in spent.most_common()]


if __name__ == "__main__":
    main()
