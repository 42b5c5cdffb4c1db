"""Ids, leaves and roots: separator-safe, and the same in any order and process."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import Any

import pytest

from fanwen.corpus.identity import digest, leaf, match, piece_id, root
from fanwen.corpus.schema import describe

LEAF = (
    "0123456789abcdef",
    "aa" * 32,
    "题目",
    "http://wenku.example/a",
    ("stub", "damaged"),
    "通知",
    "Hans",
    "c1",
    True,
)


def test_fields_cannot_run_into_each_other() -> None:
    lists = [
        ("ab", "c"),
        ("a", "bc"),
        ("abc",),
        ("a", "", "bc"),
        ("a", None, "bc"),
        ("1:a,", "bc"),
        ("1:a,2:bc,",),
        ("-",),
        (None,),
    ]
    assert len({digest(*fields) for fields in lists}) == len(lists)


def test_ids_are_sixteen_hex_digits_of_url_and_number() -> None:
    ids = {piece_id(url, n) for url in ("http://a/1", "http://a/11") for n in (1, 11)}
    assert len(ids) == 4
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in ids)


@pytest.mark.parametrize("place", range(len(LEAF)))
def test_every_field_is_in_the_leaf(place: int) -> None:
    other = list(LEAF)
    other[place] = {4: ("stub",), 8: False}.get(place, f"{LEAF[place]}x")  # type: ignore[call-overload]
    assert leaf(*other) != leaf(*LEAF)  # type: ignore[arg-type]


def test_missing_and_empty_are_not_the_same() -> None:
    for place in (2, 7):
        missing, empty = list(LEAF), list(LEAF)
        missing[place], empty[place] = None, ""
        assert leaf(*missing) != leaf(*empty)  # type: ignore[arg-type]


def test_order_of_flags_and_leaves_does_not_matter() -> None:
    leaves = [leaf(piece_id("u", n), *LEAF[1:]) for n in range(50)]  # type: ignore[arg-type]
    shuffled = leaves.copy()
    random.Random(1).shuffle(shuffled)
    assert root(shuffled) == root(leaves)
    assert root(leaves[1:]) != root(leaves)
    flags = list(LEAF)
    flags[4] = tuple(reversed(LEAF[4]))
    assert leaf(*flags) == leaf(*LEAF)  # type: ignore[arg-type]


def test_hash_seeds_do_not_matter() -> None:
    code = (
        "from fanwen.corpus.identity import leaf, root\n"
        "print(root({leaf(str(n), 'aa', None, 'u', {'b', 'a', 'c'}, 'g', 's', None, False)"
        " for n in range(9)}))"
    )
    seen = {
        subprocess.check_output([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("0", "1")
    }
    assert len(seen) == 1


def test_pieces_are_matched_by_similarity_then_by_place(write: Any) -> None:
    a, b, c, d, e = (write(n) for n in range(5))
    earlier = [(1, 1, a), (2, 2, b), (3, 0, c)]
    assert match([a, b], earlier) == [1, 2]
    assert match([b, a], earlier) == [2, 1]
    assert match([d, a, b], earlier) == [None, 1, 2]
    assert match([a, d], earlier) == [1, 2]
    assert match([c, d], earlier) == [3, 2]
    assert match([d, e, a], earlier) == [None, 2, 1]
    assert match([a + d[:60], b[60:]], earlier) == [1, 2]
    assert match([a, a], earlier) == [1, 2]
    assert match([a], [(1, 1, None)]) == [1]


def test_every_table_and_column_has_a_description() -> None:
    tables = {table.name: table for table in describe()}
    assert {"piece", "piece_version", "document", "release", "relation", "piece_current"} <= tables.keys()
    columns = [(table, column) for table in tables.values() for column in table.columns]
    missing = [f"{table.name}.{column.name}" for table, column in columns if not column.description]
    assert missing == []
    assert all(table.description for table in tables.values())
