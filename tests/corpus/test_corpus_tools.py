"""Two releases of the sample sites, opened with the tools that researchers have: every one counts the same."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pytest
import zstandard

from fanwen.corpus import exports
from fanwen.corpus.serve import application
from fanwen.corpus.tables import CONFIGURATIONS, SIDE_TABLES

# Hugging Face's datasets reads its settings when it is imported
LOAD = """
import json, sys
from datasets import get_dataset_config_names, load_dataset
for folder in sys.argv[1:]:
    found = {}
    for name in get_dataset_config_names(folder):
        loaded, streamed = load_dataset(folder, name), load_dataset(folder, name, streaming=True)
        found[name] = {
            split: [loaded[split].num_rows, sum(1 for _ in streamed[split]), loaded[split].column_names]
            for split in loaded
        }
    default = load_dataset(folder)
    found["unnamed"] = sum(default[split].num_rows for split in default)
    print(json.dumps(found))
"""
# the shell that Python has since 3.12, and one of a line
PYTHONS_OWN = (
    ["-m", "sqlite3"]
    if sys.version_info >= (3, 12)
    else ["-c", "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone())"]
)
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def releases(demo: Path) -> list[Path]:
    return [demo / "fanwen-demo" / "releases" / name for name in ("2026.11.0", "2026.11.1")]


@pytest.fixture(scope="module", params=[0, 1])
def release(request: pytest.FixtureRequest, releases: list[Path]) -> Path:
    return releases[request.param]


def counted(release: Path) -> dict[str, int]:
    """Rows by configuration: of pieces from the manifest, of side tables from the database."""
    manifest = json.loads((release / exports.MANIFEST).read_text())
    return {"default": manifest["pieces_default"], "all": manifest["pieces"], "sightings": manifest["pieces"]}


def rows_of_lines(release: Path) -> Iterator[dict[str, Any]]:
    with zstandard.open(release / exports.PIECES, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def test_the_counts_are_those_of_the_json_lines(release: Path) -> None:
    rows = list(rows_of_lines(release))
    assert len(rows) == counted(release)["all"] > 30
    assert sum(row["excluded_why"] is None for row in rows) == counted(release)["default"]


@pytest.fixture(scope="module")
def datasets(releases: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What load_dataset gives of each release: by configuration and split rows, rows streamed, columns."""
    cache = tmp_path_factory.mktemp("hf")
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, releases)],
        env={**os.environ, "HF_HOME": str(cache), "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("n", [0, 1])
def test_datasets(releases: list[Path], datasets: list[dict[str, Any]], n: int) -> None:
    found = datasets[n]
    assert found.pop("unnamed") == counted(releases[n])["default"]
    assert set(CONFIGURATIONS) <= set(found)
    for name, splits in found.items():
        assert set(splits) == (set(SPLITS[:1]) if name in SIDE_TABLES else set(SPLITS)), name
        for split, (loaded, streamed, columns) in splits.items():
            assert loaded == streamed, (name, split)
            frame = polars.read_parquet(releases[n] / f"data/{name}/{split}-*.parquet")
            assert (loaded, columns) == (frame.height, frame.columns), (name, split)
        if name in counted(releases[n]):
            assert sum(loaded for loaded, _, _ in splits.values()) == counted(releases[n])[name]


def test_duckdb(release: Path) -> None:
    with duckdb.connect() as db:
        for name, count in counted(release).items():
            files = str(release / "data" / name / "*.parquet")
            assert db.execute("select count(*) from read_parquet(?)", [files]).fetchone() == (count,)
        lines = str(release / exports.PIECES)
        assert db.execute("select count(*) from read_json_auto(?)", [lines]).fetchone() == (
            counted(release)["all"],
        )
        joined = db.execute(
            "select count(*) from read_parquet(?) r join read_parquet(?) p on p.id = r.a join read_parquet(?) q on q.id = r.b",
            [str(release / f"data/{name}/*.parquet") for name in ("relations", "all", "all")],
        ).fetchone()
        assert joined == (5,), "the five copies among the sample sites"


def test_pandas_and_polars(release: Path) -> None:
    for name, count in counted(release).items():
        folder = release / "data" / name
        frame = pandas.concat([pandas.read_parquet(path) for path in sorted(folder.iterdir())])
        scanned = polars.scan_parquet(folder / "*.parquet").collect()
        assert (len(frame), scanned.height) == (count, count)
        assert sorted(frame["id"]) == sorted(scanned["id"])
    lines = pandas.read_json(release / exports.PIECES, lines=True, compression="zstd", dtype=False)
    assert sorted(lines["id"]) == sorted(row["id"] for row in rows_of_lines(release))


def test_the_shell_of_sqlite(release: Path, tmp_path: Path) -> None:
    exports.unpack_database(release, tmp_path / "fanwen.db")
    shell = [found, "-readonly"] if (found := shutil.which("sqlite3")) else [sys.executable, *PYTHONS_OWN]
    for question, count in (
        ("select count(*) from piece_version where removed_in is null", counted(release)["all"]),
        ("select count(*) from piece_current where excluded_why is null", counted(release)["default"]),
        ("select pieces from release order by seq desc limit 1", counted(release)["all"]),
    ):
        told = subprocess.check_output([*shell, tmp_path / "fanwen.db", question], text=True)
        assert told.strip("(,)\n") == str(count)


def test_datasette(release: Path) -> None:
    async def count(stack: ExitStack) -> dict[str, int]:
        datasette = stack.enter_context(application(release, "en", unmasked=False))
        counts = {
            "all": "fanwen/pieces.json",
            "default": "fanwen/pieces.json?excluded_why__isnull=1",
            "sightings": "fanwen/sightings.json",
        }
        return {
            name: (await datasette.client.get(f"/{path}")).json()["filtered_table_rows_count"]
            for name, path in counts.items()
        }

    with ExitStack() as stack:
        assert asyncio.run(count(stack)) == counted(release)
