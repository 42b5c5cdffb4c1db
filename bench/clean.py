"""Pages per CPU second of the whole cleaning beside trafilatura's extraction alone, and each stage's share.

In go generated pages (pages.py), or the HTML files of a folder; each is taken as a page of an unknown site
and, where selectors are known, as a page of a known one. In every round each page is done by trafilatura with
its defaults and by us, in turn; out come medians of the rounds' ratios by size of page. Times are of this
process' CPU.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import inspect
import json
import pstats
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import compress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import trafilatura
from pages import Sample, generated

from fanwen.cleaners import pipeline
from fanwen.cleaners.extract import NO_HINTS
from fanwen.cleaners.pipeline import clean_document
from fanwen.cleaners.types import ExtractHints, Page

# lower bounds in bytes; real pages of sample essays lie between 30 and 230 kB
SIZES = (("below 30 kB", 0), ("30-60 kB", 30_000), ("60-100 kB", 60_000), ("100 kB and more", 100_000))
LARGE = "30 kB and more"
# the share of text above which a page is a compilation in little furniture
SINGLE = 0.2
SITES = ("unknown", "known")
Report = dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pages", type=Path, help="folder with HTML files instead of the generated pages")
    parser.add_argument(
        "--content", action="append", default=[], metavar="CSS", help="content selector of the folder's site"
    )
    parser.add_argument(
        "--title", action="append", default=[], metavar="CSS", help="title selector of the folder's site"
    )
    parser.add_argument(
        "--hints",
        type=Path,
        metavar="FILE",
        help="JSON: a content selector by the name of each of the folder's files",
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--profile", type=int, default=0, metavar="N", help="also the N functions with most time of their own"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.pages:
        hints = ExtractHints(tuple(options.title), tuple(options.content)) if options.content else None
        try:
            by_name = json.loads(options.hints.read_text(encoding="utf-8")) if options.hints else {}
        except (OSError, ValueError) as error:
            parser.error(f"{options.hints} is no JSON ({error}); bench/news.json shows the form.")
        samples = from_folder(options.pages, hints, by_name)
    else:
        samples = generated()
    if not samples:
        parser.error(f"There are no HTML files in {options.pages}; name a folder that holds some.")
    reports = [measure(name, group, options.rounds, options.profile) for name, group in grouped(samples)]
    if options.json:
        print(json.dumps(reports, ensure_ascii=False, indent=1))
    else:
        for report in reports:
            show(report)


def from_folder(folder: Path, hints: ExtractHints | None, by_name: Mapping[str, str]) -> list[Sample]:
    """Every HTML file below ``folder``, with its own content selector or else the common hints."""
    return [
        Sample(
            f.name,
            Page(f"http://bench.example/{f.name}", f.read_bytes(), "text/html"),
            ExtractHints(content=(by_name[f.name],)) if f.name in by_name else hints,
        )
        for f in sorted(folder.rglob("*.htm*"))
    ]


def grouped(samples: Sequence[Sample]) -> Iterator[tuple[str, list[Sample]]]:
    """The samples by size, then all that are no small ones, by how much of them is text and together."""
    bounds = [*(bound for _, bound in SIZES), 1 << 40]
    for (name, low), high in zip(SIZES, bounds[1:], strict=True):
        if group := [s for s in samples if low <= len(s.page.body) < high]:
            yield name, group
    large = [s for s in samples if len(s.page.body) >= SIZES[1][1]]
    much = [_text_bytes(s) >= SINGLE * len(s.page.body) for s in large]
    many = list(compress(large, much))
    single = list(compress(large, (not one for one in much)))
    for name, group in (
        (f"{LARGE}, mostly furniture", single),
        (f"{LARGE}, much text", many),
        (LARGE, large),
    ):
        if group and (name == LARGE or len(group) < len(large)):
            yield name, group


# -- measuring ------------------------------------------------------------------------------------


def measure(name: str, samples: Sequence[Sample], rounds: int, profiled: int) -> Report:
    """Everything about one group of pages."""
    known = [s for s in samples if s.hints and _is_selected(s)]
    runs: dict[str, list[Sample]] = {"trafilatura": list(samples), "unknown": list(samples)}
    if len(known) == len(samples):
        runs["known"] = known
    for work in runs:  # everything is compiled and cached once before it is timed
        _run(work, samples[0])
    rates: dict[str, list[float]] = {work: [] for work in runs}
    ratios: dict[str, list[float]] = {work: [] for work in runs if work != "trafilatura"}
    for _ in range(rounds):
        spent: defaultdict[str, float] = defaultdict(float)
        for sample in samples:
            for work in runs:
                spent[work] += _cpu(work, sample)
        for work in runs:
            rates[work].append(len(samples) / spent[work])
        for work in ratios:
            ratios[work].append(spent["trafilatura"] / spent[work])
    report: Report = {
        "pages": name,
        "count": len(samples),
        "kilobytes": round(sum(len(s.page.body) for s in samples) / len(samples) / 1000, 1),
        "text_share": round(sum(map(_text_bytes, samples)) / sum(len(s.page.body) for s in samples), 3),
        "without_selector": len(samples) - len(known),
        "pages_per_cpu_second": {work: round(statistics.median(rate), 1) for work, rate in rates.items()},
        "times_trafilatura": {work: round(statistics.median(ratio), 2) for work, ratio in ratios.items()},
        "stages": {work: shares(work, samples) for work in ratios},
    }
    stages = report["stages"]["unknown"]
    report["other_stages_per_extraction"] = round((1 - stages["extract"]) / stages["extract"], 2)
    if profiled:
        report["functions"] = {work: functions(work, samples, profiled) for work in ratios}
    return report


def _is_selected(sample: Sample) -> bool:
    document = clean_document([sample.page], sample.hints or NO_HINTS).document
    return document is not None and document.extractor == "selector"


def _text_bytes(sample: Sample) -> int:
    """How much of the page is main text, in UTF-8."""
    document = clean_document([sample.page], sample.hints or NO_HINTS).document
    return len(document.text.encode()) if document else 0


def _run(work: str, sample: Sample) -> None:
    if work == "trafilatura":
        trafilatura.extract(sample.page.body)
    else:
        clean_document([sample.page], (sample.hints if work == "known" else None) or NO_HINTS)


def _cpu(work: str, sample: Sample) -> float:
    gc.collect()  # nobody pays for another one's rubbish
    begin = time.process_time()
    _run(work, sample)
    return time.process_time() - begin


def shares(work: str, samples: Sequence[Sample]) -> dict[str, float]:
    """Share of the CPU time by stage, the largest first."""
    spent: defaultdict[str, float] = defaultdict(float)
    with _timed_stages(spent):
        for sample in samples:
            begin, before = time.process_time(), sum(spent.values())
            _run(work, sample)
            spent["pipeline"] += time.process_time() - begin - (sum(spent.values()) - before)
    total = sum(spent.values())
    return {stage: round(seconds / total, 4) for stage, seconds in sorted(spent.items(), key=lambda x: -x[1])}


@contextmanager
def _timed_stages(spent: dict[str, float]) -> Iterator[None]:
    """Every call that the pipeline makes into another module of the cleaners counts for that module.

    Only the outermost call is timed: what a stage calls itself is its own time.
    """
    within = [False]

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if within[0]:
                return function(*arguments, **named)
            within[0] = True
            begin = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                spent[stage] += time.process_time() - begin
                within[0] = False

        return call

    undo: list[tuple[Any, str, Any]] = []

    def patch(owner: Any, name: str, value: Any) -> None:
        undo.append((owner, name, vars(owner)[name]))
        setattr(owner, name, value)

    package = pipeline.__name__.rpartition(".")[0]
    for name, value in list(vars(pipeline).items()):
        module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        if not str(module).startswith(package) or module in (pipeline.__name__, f"{package}.types"):
            continue
        stage = str(module).rpartition(".")[2]
        if isinstance(value, ModuleType):
            proxy = {k: timed(stage, v) if inspect.isroutine(v) else v for k, v in vars(value).items()}
            patch(pipeline, name, SimpleNamespace(**proxy))
        elif inspect.isclass(value) and not issubclass(value, Exception):
            for key, method in list(vars(value).items()):
                if inspect.isfunction(method) and not key.startswith("__"):
                    patch(value, key, timed(stage, method))
        elif inspect.isroutine(value):
            patch(pipeline, name, timed(stage, value))
    try:
        yield
    finally:
        for owner, name, value in reversed(undo):
            setattr(owner, name, value)


def functions(work: str, samples: Sequence[Sample], most: int) -> list[Report]:
    """The functions with most time of their own; time in C (patterns, lxml) counts for the function named."""
    profile = cProfile.Profile()
    profile.enable()
    for sample in samples:
        _run(work, sample)
    profile.disable()
    rows = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    total = sum(row[2] for _, row in rows)
    ranked = sorted(rows, key=lambda item: -item[1][2])[:most]
    return [
        {
            "function": f"{Path(file).stem}:{line}:{name}",
            "calls": row[1],
            "own": round(row[2] / total, 4),
            "all": round(row[3] / total, 4),
        }
        for (file, line, name), row in ranked
    ]


# -- printing -------------------------------------------------------------------------------------


def show(report: Report) -> None:
    """One group as a table."""
    size, share = report["kilobytes"], report["text_share"]
    print(f"\n{report['pages']}: {report['count']} pages of {size:.0f} kB, {share:.0%} of it text")
    for work, rate in report["pages_per_cpu_second"].items():
        times = report["times_trafilatura"].get(work)
        beside = f"{times:6.2f} times trafilatura's default" if times else ""
        print(f"  {work:12}{rate:8.1f} pages per CPU second {beside}")
    print(f"  unknown: all other stages cost {report['other_stages_per_extraction']:.2f} of the extraction")
    if "known" not in report["times_trafilatura"]:
        print(f"  known: not measured, no selector gave text on {report['without_selector']} of the pages")
    stages = report["stages"]
    print("  stage       " + "".join(f"{work:>10}" for work in stages))
    for stage in stages["unknown"]:
        print(f"  {stage:12}" + "".join(f"{stages[work].get(stage, 0.0):10.1%}" for work in stages))
    for work, rows in report.get("functions", {}).items():
        print(f"  {work}: functions by time of their own")
        for row in rows:
            print(f"  {row['own']:7.1%} {row['all']:7.1%} {row['calls']:8}  {row['function']}")


if __name__ == "__main__":
    main()
