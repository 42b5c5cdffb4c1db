"""CPU per page of our crawl, frontier and raw store included, beside bare Scrapy on the same pages.

In go sizes, out come ratios: in every round bare Scrapy (bare.py) and ``fanwen.spiders.crawl`` read the same
generated sites (web.py), each in a process of its own, in turn. CPU, wall time and memory are what the system
counted for the whole process, its start included. ``--memory`` adds one crawl of many more pages.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from crawlers import Spent, measured
from web import Count, Shape, Web

KINDS = ("bare", "fanwen")
MOST = 1.35
Report = dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--hosts", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="the server compresses nothing")
    parser.add_argument(
        "--memory",
        type=int,
        nargs="?",
        const=20_000,
        default=0,
        metavar="PAGES",
        help="also the most memory in a crawl of so many pages (20000)",
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    shape = Shape(options.pages, options.hosts, compressed=not options.plain)
    report = compared(shape, options.rounds)
    if options.memory:
        many = Shape(options.memory, options.hosts, compressed=not options.plain)
        with Web(many) as web:
            report["memory"] = [
                {"pages": pages, "megabytes": megabytes}
                for pages, megabytes in (
                    (options.pages, report["fanwen"]["megabytes"]),
                    (options.memory, round(_crawled("fanwen", many, web).memory, 1)),
                )
            ]
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)


def compared(shape: Shape, rounds: int) -> Report:
    """Both crawls in turn, round by round."""
    runs: dict[str, list[Spent]] = {kind: [] for kind in KINDS}
    with Web(shape) as web:
        for _ in range(rounds):
            for kind in KINDS:
                runs[kind].append(_crawled(kind, shape, web))
    report: Report = {"pages": shape.pages, "hosts": shape.hosts, "rounds": rounds}
    report |= {kind: _summary(shape, spent) for kind, spent in runs.items()}
    pairs = list(zip(runs["fanwen"], runs["bare"], strict=True))
    report["times_bare"] = {
        "cpu": _spread([ours.cpu / bare.cpu for ours, bare in pairs]),
        "wall": _spread([ours.wall / bare.wall for ours, bare in pairs]),
    }
    return report


def _crawled(kind: str, shape: Shape, web: Web) -> Spent:
    """One crawl, which must have read every page there is, and each once."""
    web.count()
    with TemporaryDirectory() as folder:
        spent = measured(kind, shape, web.proxy, Path(folder))
    _check(kind, shape, spent, web.count())
    return spent


def _check(kind: str, shape: Shape, spent: Spent, asked: Count) -> None:
    # fanwen also asks each host for its tdmrep.json
    expected = shape.documents() + (shape.hosts if kind == "fanwen" else 0)
    if spent.articles != shape.pages or asked.requests != expected:
        raise SystemExit(
            f"The crawl '{kind}' read {spent.articles} of {shape.pages} articles with {asked.requests}"
            f" requests instead of {expected}; its figures would say nothing."
        )


def _summary(shape: Shape, spent: Sequence[Spent]) -> Report:
    return {
        "cpu_ms_per_page": round(statistics.median(run.cpu for run in spent) / shape.pages * 1000, 2),
        "wall_ms_per_page": round(statistics.median(run.wall for run in spent) / shape.pages * 1000, 2),
        "pages_per_second": round(shape.pages / statistics.median(run.wall for run in spent), 1),
        "megabytes": round(max(run.memory for run in spent), 1),
    }


def _spread(ratios: Sequence[float]) -> dict[str, float]:
    named = {"least": min(ratios), "median": statistics.median(ratios), "most": max(ratios)}
    return {name: round(ratio, 2) for name, ratio in named.items()}


def show(report: Report) -> None:
    """The report as a table."""
    print(f"{report['pages']} articles on {report['hosts']} hosts, medians of {report['rounds']} rounds")
    print(f"  {'':8}{'CPU ms/page':>12}{'wall ms/page':>14}{'pages/s':>9}{'most MB':>9}")
    for kind in KINDS:
        row = report[kind]
        print(
            f"  {kind:8}{row['cpu_ms_per_page']:12.2f}{row['wall_ms_per_page']:14.2f}"
            f"{row['pages_per_second']:9.0f}{row['megabytes']:9.0f}"
        )
    for what, ratio in report["times_bare"].items():
        spread = f"{ratio['least']:.2f}-{ratio['most']:.2f}"
        wanted = f"; wanted at most {MOST}" if what == "cpu" else ""
        print(f"  {what} times bare Scrapy: {ratio['median']:.2f} ({spread}{wanted})")
    for row in report.get("memory", ()):
        print(f"  most memory over {row['pages']} pages: {row['megabytes']:.0f} MB")


if __name__ == "__main__":
    main()
