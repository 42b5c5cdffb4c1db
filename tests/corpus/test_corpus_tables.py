"""Parquet of a release: the same pieces as everywhere else, described, reproducible, split without leaks."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from fanwen.corpus import exports, release, split
from fanwen.corpus.store import open_store
from fanwen.corpus.tables import CONFIGURATIONS, SIDE_TABLES, read_rows, table_of, tables
from fanwen.corpus.versions import close_piece, put_piece, released_piece


@pytest.fixture
def released(home: Any, write: Any, html: Any) -> Path:
    """A piece, a copy of it, a compilation that holds it, one that shares a long paragraph, and many others."""
    essay, other = write(1, 12), write(2, 12)
    home.serve(
        {
            "a": html("工作总结", essay),
            "copy": html("工作总结", essay),
            "both": html("工作总结", essay + "\n" + other + "\n" + write(4, 12)),
            "shares": html("学习计划", write(3, 12) + "\n" + essay[:260]),
            **{f"own{n}": html("倡议书", write(n + 50, 8)) for n in range(40)},
        }
    )
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    return Path(home.releases / made.version)


def rows(folder: Path, configuration: str) -> list[dict[str, Any]]:
    return list(read_rows(folder, configuration))


def test_the_same_pieces_as_in_json_lines(released: Path) -> None:
    with zstandard.open(released / exports.PIECES, "rt", encoding="utf-8") as stream:
        lines = {row["id"]: row for row in map(json.loads, stream)}
    everything = rows(released, "all")
    assert sorted(row["id"] for row in everything) == sorted(lines)
    for row in everything:
        line = lines[row["id"]]
        for name in (
            "title",
            "text",
            "genre",
            "url",
            "site",
            "place",
            "flags",
            "leaf",
            "excluded_why",
            "n_chars",
        ):
            assert row[name] == line[name], name
        assert row["cluster_id"] == line["cluster"]
        assert row["language"] == "zh-Hans"
        assert len(row["rights_evidence"]) == 1
        assert len(row["rights_evidence"][0]) == 64
    default = rows(released, "default")
    assert default == [row for row in everything if row["excluded_why"] is None]
    manifest = json.loads((released / exports.MANIFEST).read_text())
    assert (len(everything), len(default)) == (manifest["pieces"], manifest["pieces_default"])


def test_side_tables_join_by_id(released: Path) -> None:
    pieces = {row["id"]: row for row in rows(released, "all")}
    by_url = {row["url"].rpartition("/")[2].partition(".")[0]: row for row in pieces.values()}
    sightings = {row["id"]: row for row in rows(released, "sightings")}
    assert sightings.keys() == pieces.keys()
    for identity, seen in sightings.items():
        assert seen["url"] == pieces[identity]["url"]
        assert pieces[seen["canonical_id"]]["is_canonical"]
        assert (
            pieces[seen["canonical_id"]]["cluster_id"] == seen["cluster_id"] == pieces[identity]["cluster_id"]
        )
    assert by_url["a"]["cluster_size"] == by_url["copy"]["cluster_size"] == 2
    found = {
        (frozenset((row["a"], row["b"])), row["relation"])
        for row in rows(released, "relations")
        if row["a"] < row["b"] and {row["a"], row["b"]} <= pieces.keys()
    }
    one = min(by_url["a"]["id"], by_url["copy"]["id"])
    assert (frozenset((by_url["a"]["id"], by_url["copy"]["id"])), "exact") in found
    assert (frozenset((one, by_url["both"]["id"])), "contains") in found
    assert (frozenset((one, by_url["shares"]["id"])), "overlap") in found
    contains = next(row for row in rows(released, "relations") if row["relation"] == "contains")
    small = "a" if contains["containment_a"] > contains["containment_b"] else "b"
    assert contains[small] == one, "the share is that of the smaller text"
    hits = rows(released, "rule_hits")
    assert all(hit["count"] > 0 and hit["url"].startswith("http") for hit in hits)


def test_every_column_is_described_in_both_languages_and_in_the_files(released: Path) -> None:
    for configuration in CONFIGURATIONS:
        table = table_of(configuration)
        for path in (released / "data" / configuration).iterdir():
            schema = pq.read_schema(path)
            assert schema.names == [column.name for column in table.columns]
            for column in table.columns:
                assert schema.field(column.name).metadata[b"description"].decode() == column.en
                assert schema.field(column.name).nullable == column.nullable
    for table in tables().values():
        for column in table.columns:
            assert column.en.endswith(".")
            assert column.zh.endswith("。")


def test_what_shares_text_is_in_one_split(released: Path) -> None:
    where = {row["id"]: row["split"] for row in rows(released, "all")}
    for path in (released / "data/all").iterdir():
        assert {where[row["id"]] for row in pq.read_table(path).to_pylist()} <= {path.name.partition("-")[0]}
    assert {"train"} < set(where.values())
    for row in rows(released, "relations"):
        assert where[row["a"]] == where[row["b"]]
    assert {path.name.partition("-")[0] for path in (released / "data/default").iterdir()} == set(
        split.SPLITS
    )
    for name in SIDE_TABLES:
        assert [path.name for path in (released / "data" / name).iterdir()] == [
            "train-00000-of-00001.parquet"
        ]


def test_a_split_is_kept_until_another_component_joins(
    home: Any, released: Path, html: Any, write: Any
) -> None:
    before = {row["id"]: row["split"] for row in rows(released, "all")}
    by_id = {row["id"]: row for row in rows(released, "all")}
    held_out = next(identity for identity, name in before.items() if name != "train")
    trained = next(
        identity for identity, name in before.items() if name == "train" and by_id[identity]["cluster_size"] == 1
        and by_id[identity]["genre"] == by_id[held_out]["genre"]
    )  # fmt: skip
    both = by_id[held_out]["text"] + "\n" + by_id[trained]["text"]
    home.serve({"bridge": html("倡议书", both), "more": html("倡议书", write(200, 8))}, day=2)
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    after = {row["id"]: row["split"] for row in rows(home.releases / made.version, "all")}
    moved = {identity for identity in before if after[identity] != before[identity]}
    assert held_out in moved
    assert {after[identity] for identity in moved} == {"train"}
    # what a release had stays on record
    with open_store(home.corpus, readonly=True) as store:
        then = store.rows(
            "select piece, split from split where added_in <= 1 and (removed_in is null or removed_in > 1)"
        )
        assert dict(then.fetchall()) == before


def test_a_piece_that_comes_back_goes_where_it_was(home: Any, released: Path, html: Any, write: Any) -> None:
    """Its own hash may say another split than the one that it was drawn into."""
    where = {row["id"]: row["split"] for row in rows(released, "all")}
    drawn = next(identity for identity, name in where.items() if name == split._place(identity) == "train")
    with open_store(home.corpus) as store:
        store.rows("update split set split = 'test' where piece = ?", drawn)
        state = released_piece(store, drawn)
        assert state is not None
        close_piece(store, drawn, "held")
    assert release.create(home.corpus, home.releases) is not None
    with open_store(home.corpus) as store:
        assert store.value("select 1 from split where piece = ? and removed_in is null", drawn) is None
        put_piece(store, state)
    made = release.create(home.corpus, home.releases)
    assert made is not None
    assert {row["id"]: row["split"] for row in rows(home.releases / made.version, "all")}[drawn] == "test"


def test_a_large_component_is_for_training(home: Any, html: Any, write: Any) -> None:
    """Families of twenty pieces with one long paragraph in common, wherever a hash would have them."""
    home.serve(
        {
            f"zu{family}-{n}": html(
                f"第{family}组总结", write(900 + family, 8) + "\n" + write(20 * family + n, 6)
            )
            for family in range(12)
            for n in range(20)
        }
    )
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    families: dict[str, list[dict[str, Any]]] = {}
    for row in rows(home.releases / made.version, "all"):
        families.setdefault(row["title"], []).append(row)
    assert [len(family) for family in families.values()] == [20] * 12
    assert {split._place(min(row["id"] for row in family)) for family in families.values()} > {"train"}
    assert {row["split"] for family in families.values() for row in family} == {"train"}


def test_splits_are_about_ninety_five_and_five_percent() -> None:
    placed = [split._place(f"piece{n}") for n in range(4000)]
    assert 0.88 < placed.count("train") / 4000 < 0.92
    assert 0.035 < placed.count("validation") / 4000 < 0.065
    assert 0.035 < placed.count("test") / 4000 < 0.065


def test_assigning_again_changes_nothing(home: Any, released: Path) -> None:
    with closing(sqlite3.connect(home.corpus)) as db:
        before = db.execute("select * from split order by piece").fetchall()
    with open_store(home.corpus) as store:
        split.assign(store)
        split.assign(store)
    with closing(sqlite3.connect(home.corpus)) as db:
        assert db.execute("select * from split order by piece").fetchall() == before
