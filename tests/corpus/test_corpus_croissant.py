"""croissant.json: mlcroissant finds nothing wrong with it, and reads the same rows as Parquet holds."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import mlcroissant
import pytest

from fanwen.corpus import release
from fanwen.corpus.croissant import CROISSANT
from fanwen.corpus.publishing import Publishing
from fanwen.corpus.tables import CONFIGURATIONS, FOLDER, SAMPLES, read_rows, table_of

# what mlcroissant itself calls that will go one day
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph", "ignore:The inplace keyword")


@pytest.fixture(scope="module")
def released(module_home: Any, write: Any, html: Any) -> Path:
    home = module_home
    essay = write(1, 12)
    pages = {f"own{n}": html("倡议书", write(n + 50, 8)) for n in range(6)}
    home.serve(
        {**pages, "a": html("工作总结", essay), "copy": html("工作总结", essay), "empty": b"<html></html>"}
    )
    home.build()
    publishing = Publishing(publisher="语料组", homepage="https://corpus.example/")
    made = release.create(home.corpus, home.releases, publishing=publishing)
    assert made is not None
    return Path(home.releases / made.version)


def plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def test_mlcroissant_reads_what_parquet_holds(released: Path) -> None:
    dataset = mlcroissant.Dataset(jsonld=str(released / CROISSANT))
    assert (dataset.metadata.issues.errors, dataset.metadata.issues.warnings) == (set(), set())
    for name in CONFIGURATIONS:
        rows = list(read_rows(released, name))
        columns = [column.name for column in table_of(name).columns]
        read = list(dataset.records(name))
        assert len(read) == len(rows), name
        first = columns[0]
        ours = sorted(str(row[first]) for row in rows)
        assert sorted(plain(row[f"{name}/{first}"]) for row in read) == ours
        assert all(row.keys() == {f"{name}/{column}" for column in columns} for row in read)
    # a text, a list, a truth value and a number, as they are
    one = next(row for row in read_rows(released, "all") if row["flags"] or row["text"])
    (same,) = (row for row in dataset.records("all") if plain(row["all/id"]) == one["id"])
    for column in ("text", "is_canonical", "n_chars", "han_share"):
        assert plain(same[f"all/{column}"]) == one[column], column


def test_it_is_valid_where_nobody_is_named(home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1, 12))})
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    issues = mlcroissant.Dataset(jsonld=str(home.releases / made.version / CROISSANT)).metadata.issues
    assert (issues.errors, issues.warnings) == (set(), set())


def test_it_names_every_file_with_its_hash_and_every_column(released: Path) -> None:
    described = json.loads((released / CROISSANT).read_text(encoding="utf-8"))
    manifest = json.loads((released / "release.json").read_text())
    assert (described["version"], described["datePublished"]) == (manifest["version"], manifest["date"])
    assert manifest["root"] in described["citeAs"]
    assert described["url"] == "https://corpus.example/"
    assert described["creator"]["name"] == "语料组"
    assert "no rights in the texts" in described["license"]
    listed = {one["contentUrl"]: one for one in described["distribution"] if one["@type"] == "cr:FileObject"}
    there = {path.relative_to(released).as_posix(): path for path in (released / FOLDER).rglob("*.parquet")}
    assert listed.keys() == there.keys()
    for name, path in there.items():
        assert listed[name]["sha256"] == sha256(path.read_bytes()).hexdigest()
        assert listed[name]["contentSize"] == f"{path.stat().st_size} B"
    for record_set in described["recordSet"]:
        table = table_of(record_set["@id"])
        size = SAMPLES.get(record_set["@id"])
        assert record_set["description"].startswith(f"At most {size:,} pieces of" if size else table.en)
        assert [(f["name"], f["description"]) for f in record_set["field"]] == [
            (column.name, column.en) for column in table.columns
        ]
