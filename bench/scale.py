"""How finding duplicates grows with the corpus: a tenth of it new, nine tenths known.

``scale.py SIZE …``: for each size, texts of the reference's generator go into a new corpus, the first nine
tenths are compared, then the last tenth is compared with them and with each other, in a process of its own.
Reported are its CPU and wall seconds by step, its peak memory with that of its workers (the part of the index
that is mapped counts once), and the size of the index. ``--plot FILE`` draws them. A million takes half an
hour and 12 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fanwen.corpus import dedup
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.settle import settle
from fanwen.corpus.store import open_store

ROOT = Path(__file__).resolve().parent.parent
STEPS = ("fingerprints", "comparing", "clusters")


@dataclass(frozen=True, slots=True)
class Point:
    """A corpus of ``pieces``, of which a tenth is new: seconds by step, MB."""

    pieces: int
    new: int
    cpu: dict[str, float]
    wall: dict[str, float]
    peak_mb: int | None
    index_mb: float
    relations: int

    @property
    def milliseconds(self) -> float:
        """CPU per new piece."""
        return 1000 * sum(self.cpu.values()) / self.new


def main() -> None:
    """Measure every size, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sizes", nargs="*", type=int)
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--work", type=Path, help="folder for texts and corpora; a temporary one by default")
    parser.add_argument("--plot", type=Path, help="an SVG of the points")
    parser.add_argument("--points", type=Path, help="points of an earlier run (JSON) instead of new ones")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(_timed(options.step)))
        return
    if options.work:
        options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        points = [_measured(Path(folder), size, options.seed) for size in options.sizes]
    if options.points:
        points += [Point(**point) for point in json.loads(options.points.read_text())]
    if options.plot:
        options.plot.write_text(plot(sorted(points, key=lambda point: point.pieces)), encoding="utf-8")
    if options.json:
        print(json.dumps([asdict(point) for point in points]))
        return
    for point in points:
        print(
            f"{point.new:,} new among {point.pieces:,}: {sum(point.wall.values()):.1f} s"
            f" ({point.milliseconds:.2f} ms CPU a piece), {point.peak_mb} MB, index {point.index_mb} MB,"
            f" {point.relations:,} pairs",
            {name: round(seconds, 1) for name, seconds in point.cpu.items()},
        )


def _measured(folder: Path, size: int, seed: int) -> Point:
    texts = _generated(folder, size, seed)
    home = folder / f"home-{size}"
    home.mkdir()
    known, new = _split(texts, size * 9 // 10)
    for file in (known, new):
        ingest_pieces(home / "corpus.db", file, "texts")
        done = subprocess.run(
            [sys.executable, __file__, "--step", str(home)], check=True, capture_output=True, text=True
        )
        file.unlink()
    found = json.loads(done.stdout)
    index = sum(file.stat().st_size for file in (home / "index").iterdir()) / 1e6
    return Point(size, size - size * 9 // 10, index_mb=round(index, 1), **found)


def _generated(folder: Path, size: int, seed: int) -> Path:
    reference = Path(os.environ.get("FANWEN_REFERENCE", ROOT.parent / "shared"))
    generator = reference / "eval/dedup/generate.py"
    if not generator.is_file():
        sys.exit(f"{generator} is missing; name the reference's folder with FANWEN_REFERENCE.")
    target = folder / f"texts-{size}.parquet"
    command = [sys.executable, str(generator), str(size), str(target), "--seed", str(seed)]
    subprocess.run(command, check=True, capture_output=True)
    return target


def _split(texts: Path, at: int) -> tuple[Path, Path]:
    """Two files with the first ``at`` rows and with the others."""
    parts = texts.with_suffix(".known.parquet"), texts.with_suffix(".new.parquet")
    with pq.ParquetFile(texts) as file:
        schema = pa.schema([file.schema_arrow.field(name) for name in ("id", "text")])
        writers = [pq.ParquetWriter(part, schema) for part in parts]
        done = 0
        for batch in file.iter_batches(10_000, columns=["id", "text"]):
            first = min(max(at - done, 0), len(batch))
            for writer, rows in zip(writers, (batch.slice(0, first), batch.slice(first)), strict=True):
                if len(rows):
                    writer.write_batch(rows)
            done += len(batch)
        for writer in writers:
            writer.close()
    texts.unlink()
    return parts


def _timed(home: Path) -> dict[str, object]:
    """Compare what is new in a home; what the steps took."""
    cpu: dict[str, float] = {}
    wall: dict[str, float] = {}
    with open_store(home / "corpus.db") as store, _memory() as peak:
        work: Sequence[Callable[[], object]] = (
            lambda: dedup.add_fingerprints(store),
            lambda: dedup.compare_new(store),
            lambda: settle(store),
        )
        for name, step in zip(STEPS, work, strict=True):
            begin, since = _cpu(), time.perf_counter()
            step()
            cpu[name] = round(_cpu() - begin, 2)
            wall[name] = round(time.perf_counter() - since, 2)
        relations = store.value("select count(*) from relation")
    return {"cpu": cpu, "wall": wall, "peak_mb": round(max(peak)), "relations": relations}


@contextmanager
def _memory() -> Iterator[list[float]]:
    """MB that this process and its workers hold together, looked at five times a second."""
    seen: list[float] = [0.0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            seen.append(sum(_held(pid) for pid in (os.getpid(), *_children())) / 1000)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def _children() -> list[int]:
    files = Path("/proc/self/task").glob("*/children")
    return [int(pid) for file in files for pid in file.read_text().split()]


def _held(pid: int) -> int:
    """Proportional set size in kB; 0 where the process has ended."""
    with suppress(OSError, IndexError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(text.partition("Pss:")[2].split()[0])
    return 0


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu() -> float:
    """CPU seconds of this process and of those it waited for."""
    return sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime for who in _WHO)


# -- the plot --------------------------------------------------------------------------------------

_WIDTH, _HEIGHT, _LEFT, _TOP = 300, 190, 60, 34
_STYLE = (
    "text{font:12px sans-serif;fill:#444}.title{font-weight:bold}"
    ".line{fill:none;stroke:#2563a8;stroke-width:2}.dot{fill:#2563a8}.axis{stroke:#999}.grid{stroke:#ddd}"
)


def plot(points: Sequence[Point]) -> str:
    """Three panels over the size of the corpus: time per new piece, memory, index."""
    panels = (
        ("CPU per new piece, ms", [(point.pieces, point.milliseconds) for point in points]),
        ("peak memory, MB", [(point.pieces, float(point.peak_mb)) for point in points if point.peak_mb]),
        (
            "index, MB per million",
            [(point.pieces, point.index_mb * 1e6 / point.pieces) for point in points],
        ),
    )
    width = len(panels) * (_WIDTH + _LEFT) + 20
    body = "".join(
        _panel(number * (_WIDTH + _LEFT) + _LEFT, title, *zip(*values, strict=True))
        for number, (title, values) in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT + 80}" role="img"'
        ' aria-label="Time, memory and index over the size of the corpus">'
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{body}</svg>\n'
    )


def _panel(left: int, title: str, sizes: Sequence[int], values: Sequence[float]) -> str:
    top = _round_up(max(values))
    logs = [math.log10(size) for size in sizes]
    low, high = min(logs) - 0.2, max(logs) + 0.2
    places = [
        (left + (log - low) / (high - low) * _WIDTH, _TOP + _HEIGHT * (1 - value / top))
        for log, value in zip(logs, values, strict=True)
    ]
    lines = [f'<text class="title" x="{left}" y="{_TOP - 14}">{title}</text>']
    for part in range(5):
        y = _TOP + _HEIGHT * (1 - part / 4)
        lines.append(f'<line class="grid" x1="{left}" x2="{left + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{top * part / 4:g}</text>')
    lines.append('<polyline class="line" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>')
    for (x, y), size, value in zip(places, sizes, values, strict=True):
        lines.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
        lines.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{_number(value)}</text>')
        lines.append(f'<text x="{x:.1f}" y="{_TOP + _HEIGHT + 20}" text-anchor="middle">{size:,}</text>')
    lines.append(
        f'<text x="{left + _WIDTH / 2}" y="{_TOP + _HEIGHT + 40}" text-anchor="middle">pieces in all</text>'
    )
    return "".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)


if __name__ == "__main__":
    main()
