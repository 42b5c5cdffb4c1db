"""What a release costs, and how much a delta moves: SIZE pieces, then 2 % changed, 1 % removed, 3 % new.

``release.py [SIZE]``: texts of the reference's generator go into a new corpus, which is released; after the
changes it is released again, and the second database is made from the first and the delta. Reported are the
seconds of both releases, the bytes of every kind of file, and the bytes of the delta over those of the
database it stands for.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parent))
from scale import _generated

from fanwen.corpus import delta, exports, release
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.store import open_store
from fanwen.corpus.types import Release
from fanwen.corpus.versions import close_piece

CHANGED, REMOVED, NEW = 0.02, 0.01, 0.03


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("size", nargs="?", type=int, default=15_000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="keep the releases in this folder")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = _measured(options.keep or Path(scratch), Path(scratch), options.size, options.seed)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:32} {value:,.4g}" if isinstance(value, float) else f"{name:32} {value:,}")


def _measured(home: Path, scratch: Path, size: int, seed: int) -> dict[str, int | float]:
    home.mkdir(parents=True, exist_ok=True)
    new = int(size * NEW)
    whole = pq.read_table(_generated(scratch, size + new, seed), columns=["id", "text"])
    corpus, releases = home / "corpus.db", home / "releases"
    _ingest(corpus, scratch, whole.slice(0, size).to_pylist())
    first, seconds = _released(corpus, releases)
    _change(corpus, scratch, whole.to_pylist(), size, random.Random(seed))
    second, again = _released(corpus, releases)
    before, after = releases / first.version, releases / second.version
    files = exports.files_in(after)
    base, made = scratch / "base.db", scratch / "made.db"
    exports.unpack_database(before, base)
    since = time.perf_counter()
    delta.apply(base, [after / delta.name_from(first.version)], made)
    applied = time.perf_counter() - since
    published = scratch / "published.db"
    exports.unpack_database(after, published)
    if exports.file_hash(made) != exports.file_hash(published):
        sys.exit("release and delta do not give the next release")
    by_kind: dict[str, int] = {}
    for one in files:
        kind = one.path.split("/")[0]
        by_kind[kind] = by_kind.get(kind, 0) + one.bytes
    moved = by_kind[delta.FOLDER]
    return {
        "first release, seconds": seconds,
        "second release, seconds": again,
        "applying the delta, seconds": applied,
        "pieces": second.pieces,
        **{f"bytes of {kind}": count for kind, count in sorted(by_kind.items())},
        "delta over database": moved / by_kind[exports.DATABASE],
    }


def _change(
    corpus: Path, scratch: Path, rows: list[dict[str, object]], size: int, choose: random.Random
) -> None:
    chosen = choose.sample(rows[:size], int(size * CHANGED) + int(size * REMOVED))
    changed, removed = chosen[: int(size * CHANGED)], chosen[int(size * CHANGED) :]
    for row in changed:
        text = str(row["text"])
        at = choose.randrange(len(text))
        row["text"] = f"{text[:at]}补充一句，第{choose.randrange(1000)}次修改。{text[at:]}"
    _ingest(corpus, scratch, changed + rows[size:])
    with open_store(corpus) as store, store.atomic():
        given = {str(row["id"]) for row in removed}
        for piece, given_id in store.rows("select id, given_id from piece").fetchall():
            if given_id in given:
                close_piece(store, piece, "source_gone")


def _ingest(corpus: Path, scratch: Path, rows: list[dict[str, object]]) -> None:
    file = scratch / "texts.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file)
    ingest_pieces(corpus, file, "texts")


def _released(corpus: Path, releases: Path) -> tuple[Release, float]:
    since = time.perf_counter()
    made = release.create(corpus, releases)
    assert made is not None
    return made, time.perf_counter() - since


if __name__ == "__main__":
    main()
