"""What a second visit costs when few pages changed, by what the site's server can do.

A site of 1000 articles is crawled, 13 of them change, and it is crawled again: by us, on a server with
validators, on one whose sitemap says when each article was modified, and on one with neither; and by Scrapy
with its own HTTP cache (RFC 2616) on the server with validators. Each row compares with the first crawl of
the same kind. A changed article counts as found when its new text was read.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from crawlers import Spent, measured
from web import Count, Shape, Web

from fanwen.spiders.archive import Archive

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """Who crawls, what the server can do, and what is wanted of the second visit."""

    name: str
    kind: str
    validators: bool = False
    sitemap: bool = False
    wanted: str = ""


SETTINGS = (
    Setting("validators", "fanwen", validators=True, wanted="at most 2 % of the bytes and 0.5 of the CPU"),
    Setting("lastmod in a sitemap", "fanwen", sitemap=True, wanted="at most 40 requests"),
    Setting("neither", "fanwen"),
    Setting("Scrapy's HTTP cache", "cached", validators=True),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--changed", type=int, default=13)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compressed", action="store_true", help="the server sends gzip")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not 0 < options.changed <= options.pages:
        parser.error(f"--changed is {options.changed}; give 1 to {options.pages}, the number of pages.")
    shape = Shape(options.pages, compressed=options.compressed, changed=options.changed)
    rows = [measure(setting, shape, options.rounds) for setting in SETTINGS]
    report = {"pages": shape.pages, "changed": shape.changed, "rounds": options.rounds, "settings": rows}
    if options.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)


def measure(setting: Setting, shape: Shape, rounds: int) -> Report:
    """One row: medians over the rounds, and the fewest changed articles that a round found."""
    shape = replace(shape, validators=setting.validators, sitemap=setting.sitemap)
    with Web(shape) as web:
        visits = [_visits(setting, shape, web) for _ in range(rounds)]
    cpu = [second.spent.cpu / first.spent.cpu for first, second, _ in visits]
    work = [(second.spent.cpu - idle) / (first.spent.cpu - idle) for first, second, idle in visits]
    sent = [second.asked.bytes / first.asked.bytes for first, second, _ in visits]
    return {
        "setting": setting.name,
        "requests_first": statistics.median(first.asked.requests for first, _, _ in visits),
        "requests": statistics.median(second.asked.requests for _, second, _ in visits),
        "bytes": statistics.median(second.asked.bytes for _, second, _ in visits),
        "bytes_share": round(statistics.median(sent), 4),
        "cpu_seconds": round(statistics.median(second.spent.cpu for _, second, _ in visits), 2),
        "cpu_share": round(statistics.median(cpu), 3),
        "cpu_share_spread": [round(min(cpu), 3), round(max(cpu), 3)],
        "cpu_share_without_start": round(statistics.median(work), 3),
        "found": min(second.found for _, second, _ in visits),
        "wanted": setting.wanted,
    }


@dataclass(frozen=True, slots=True)
class Visit:
    """One crawl of the site: its cost, what the server was asked, and the changed articles it found."""

    spent: Spent
    asked: Count
    found: int


def _visits(setting: Setting, shape: Shape, web: Web) -> tuple[Visit, Visit, float]:
    """A full crawl of the site as it was, a second visit after the change, and the CPU of one to no site."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        web.turn(1)
        first = _visit(setting, shape, web, folder, revisit=False)
        if first.spent.articles != shape.pages or first.found:
            raise SystemExit(
                f"The first crawl of '{setting.name}' read {first.spent.articles} of {shape.pages} articles,"
                f" and {first.found} that were not there yet; its figures would say nothing."
            )
        web.turn(2)
        second = _visit(setting, shape, web, folder, revisit=True)
        # nothing is due in our archive any more, and Scrapy is given no front page: what is left is the start
        idle = measured(
            setting.kind, replace(shape, hosts=0 if setting.kind == "cached" else 1), web.proxy, folder
        )
        return first, second, idle.cpu


def _visit(setting: Setting, shape: Shape, web: Web, folder: Path, *, revisit: bool) -> Visit:
    web.count()
    spent = measured(setting.kind, shape, web.proxy, folder, revisit=revisit)
    asked = web.count()
    texts = spent.texts if setting.kind == "cached" else _archived(folder / "archive.db")
    return Visit(spent, asked, _found(shape, texts))


def _archived(path: Path) -> dict[str, str]:
    """The SHA-256 of the newest body of every article."""
    with Archive(path, readonly=True) as archive:
        return {document.url: document.parts[0].body_hash for document in archive.documents()}


def _found(shape: Shape, texts: Mapping[str, str]) -> int:
    """How many of the articles that change in state two are known in their new text."""
    changed = {url: number for url, number in shape.articles().items() if number in shape.changing()}
    return sum(texts.get(url) == sha256(shape.body(n, 2)).hexdigest() for url, n in changed.items())


def show(report: Report) -> None:
    """The report as a table."""
    print(f"Second visit of {report['pages']} articles, {report['changed']} of them changed; medians of")
    print(f"{report['rounds']} rounds, bytes as sent by the server, heads included")
    print(f"  {'':20}{'requests':>9}{'bytes':>12}{'of first':>9}{'CPU of first':>18}{'no start':>13}   found")
    for row in report["settings"]:
        least, most = row["cpu_share_spread"]
        print(
            f"  {row['setting']:20}{row['requests']:9.0f}{row['bytes']:12,.0f}{row['bytes_share']:9.1%}"
            f"{row['cpu_share']:6.2f} ({least:.2f}-{most:.2f}){row['cpu_share_without_start']:13.2f}"
            f"{row['found']:5} of {report['changed']}"
        )
    for row in report["settings"]:
        if row["wanted"]:
            print(f"  wanted with {row['setting']}: {row['wanted']}")


if __name__ == "__main__":
    main()
