"""Duplicates beside datasketch, datatrove, text-dedup and rensa: speed, memory, recall and precision.

In go texts of which is known what copies what (Parquet: ``id``, ``text``, ``kind``, ``base``), by default
made by the reference's generator; out comes a table. Every tool runs alone, in turn, on one core
(dedup_peers.py).

Judged is what merges: pairs that a tool calls duplicates, and whatever hangs together by them. *recall* is
the share of copies that hang together with their original, *precision* the share of pairs that copy the same
original, *clusters* B-cubed precision over pieces that are with others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench/dedup_peers.py"
OWN = "fanwen"
TOOLS = (
    OWN,
    "datasketch-chars",
    "datasketch-spaces",
    "datatrove",
    "text-dedup",
    "rensa-chars",
    "rensa-spaces",
)
# copies that are so cut that no tool is asked to merge them with their original
CUT = ("drop50", "trunc50", "trunc30")
ORIGINALS = ("base", "embed", "sib30", "sib50", "para")


@dataclass(frozen=True, slots=True)
class Row:
    """One tool: documents a CPU second, times as many as the other one makes, MB, shares."""

    tool: str
    signatures_per_second: float | None
    whole_per_second: float
    fanwen_signatures: float | None
    fanwen_whole: float
    peak_mb: int
    recall: float
    precision: float
    clusters: float
    pairs: int


@dataclass(frozen=True, slots=True)
class Truth:
    """What every piece is a copy of; of originals themselves, by id."""

    base: Mapping[int, int]
    copies: Sequence[int]


def main() -> None:
    """Run every tool on the same texts and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pieces", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--truth", type=Path, help="a file of the generator instead of a new one")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--python", default=sys.executable, help="interpreter that has the other tools")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=TOOLS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        texts = options.truth or _generated(Path(folder), options.pieces, options.seed)
        truth = _truth(texts)
        tools = [OWN, *(tool for tool in options.tools if tool != OWN)]
        found: dict[str, list[dict[str, object]]] = {tool: [] for tool in tools}
        for _ in range(options.rounds):
            for tool in tools:
                python = sys.executable if tool == OWN else options.python
                found[tool].append(_run(python, tool, texts, Path(folder)))
    rows = [_row(tool, found[tool], found[OWN], truth) for tool in tools if found[tool][0]]
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    print("\t".join(field.name for field in fields(Row)))
    for row in rows:
        print("\t".join("–" if value is None else str(value) for value in asdict(row).values()))


def _generated(folder: Path, pieces: int, seed: int) -> Path:
    reference = Path(os.environ.get("FANWEN_REFERENCE", ROOT.parent / "shared"))
    generator = reference / "eval/dedup/generate.py"
    if not generator.is_file():
        sys.exit(
            f"{generator} is missing; name the reference with FANWEN_REFERENCE, or give texts with --truth."
        )
    target = folder / "truth.parquet"
    command = [sys.executable, str(generator), str(pieces), str(target), "--seed", str(seed)]
    subprocess.run(command, check=True, capture_output=True)
    return target


def _truth(texts: Path) -> Truth:
    rows = pq.read_table(texts, columns=["id", "kind", "base"]).to_pylist()
    copies = [row["id"] for row in rows if row["kind"] not in (*ORIGINALS, *CUT)]
    return Truth({row["id"]: row["base"] for row in rows}, copies)


def _run(python: str, tool: str, texts: Path, folder: Path) -> dict[str, object]:
    """What one tool found; nothing, and a line on stderr, where it cannot run."""
    out = folder / "found.json"
    done = subprocess.run(
        [python, str(PEERS), tool, str(texts), str(out)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"{tool} is left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return {}
    report: dict[str, object] = json.loads(out.read_text())
    return report


def _row(
    tool: str, runs: Sequence[Mapping[str, object]], ours: Sequence[Mapping[str, object]], truth: Truth
) -> Row:
    count = len(truth.base)
    pairs = [(int(a), int(b)) for a, b in runs[0]["pairs"] if a != b]  # type: ignore[attr-defined]
    cluster = _clusters(truth.base, pairs)
    alone = Counter(cluster.values())
    both = Counter((cluster[piece], base) for piece, base in truth.base.items())
    several = [piece for piece in truth.base if alone[cluster[piece]] > 1]
    shares = [both[cluster[piece], truth.base[piece]] / alone[cluster[piece]] for piece in several]
    together = sum(cluster[piece] == cluster[truth.base[piece]] for piece in truth.copies)
    right = sum(truth.base[a] == truth.base[b] for a, b in pairs)
    signatures = _ratios(runs, ours, "signatures")
    return Row(
        tool,
        None if signatures is None else round(median(count / _number(run["signatures"]) for run in runs)),
        round(median(count / _number(run["whole"]) for run in runs), 1),
        signatures,
        _ratios(runs, ours, "whole") or 0.0,
        max(int(_number(run["peak_mb"])) for run in runs),
        round(together / max(1, len(truth.copies)), 4),
        round(right / max(1, len(pairs)), 5),
        round(sum(shares) / max(1, len(shares)), 4),
        len(pairs),
    )


def _ratios(
    runs: Sequence[Mapping[str, object]], ours: Sequence[Mapping[str, object]], what: str
) -> float | None:
    """How many times as fast fanwen is: the median over rounds, side by side."""
    if runs[0][what] is None:
        return None
    return round(
        median(_number(run[what]) / _number(own[what]) for run, own in zip(runs, ours, strict=True)), 2
    )


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return value


def _clusters(pieces: Mapping[int, int], pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The least piece that each hangs together with."""
    parent = {piece: piece for piece in pieces}

    def find(piece: int) -> int:
        while parent[piece] != piece:
            parent[piece] = parent[parent[piece]]
            piece = parent[piece]
        return piece

    for a, b in pairs:
        one, other = sorted((find(a), find(b)))
        parent[other] = one
    return {piece: find(piece) for piece in pieces}


if __name__ == "__main__":
    main()
