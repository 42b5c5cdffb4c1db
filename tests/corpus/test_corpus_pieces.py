"""Ready-made pieces: ids as given, nothing cleaned, bad rows named, the same file again changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fanwen
from fanwen.corpus import duplicates, release, release_changes
from fanwen.corpus.pieces import ingest_pieces
from fanwen.errors import UsageError


def write_rows(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_ids_come_back_as_they_were_given(tmp_path: Path, write: Any) -> None:
    corpus = tmp_path / "corpus.db"
    ingest_pieces(
        corpus,
        write_rows(tmp_path / "a.jsonl", [{"id": 7, "text": write(1)}, {"id": "x/7", "text": write(1)}]),
        "one",
    )
    ingest_pieces(corpus, write_rows(tmp_path / "b.jsonl", [{"id": "7", "text": write(1)}]), "two")
    pairs = [{pair.a, pair.b} for pair in duplicates.pairs(corpus)]
    assert sorted(pairs, key=str) == sorted([{7, "x/7"}, {7, "7"}, {"x/7", "7"}], key=str)


def test_jsonl_and_parquet_are_the_same(tmp_path: Path, write: Any) -> None:
    rows = [
        {
            "id": n,
            "text": write(n),
            "title": f"题目{n}",
            "genre": "通知",
            "url": f"http://x.example/{n}",
            "more": [n],
        }
        for n in range(5)
    ]
    roots = []
    for kind in ("jsonl", "parquet"):
        file = tmp_path / f"rows.{kind}"
        if kind == "jsonl":
            write_rows(file, rows)
        else:
            pq.write_table(pa.Table.from_pylist(rows), file)
        corpus = tmp_path / kind / "corpus.db"
        first = ingest_pieces(corpus, file, "s", fetched_at="2026-05-06T00:00:00Z")
        again = ingest_pieces(corpus, file, "s")
        assert (first.added, again.added, again.changed, again.unchanged) == (5, 0, 0, 5)
        made = release.create(corpus, tmp_path / kind / "releases")
        assert made is not None
        assert made.date == "2026-05-06"
        roots.append(made.root)
        with fanwen.open(corpus) as opened:
            piece = next(opened.pieces(genre="通知"))
        assert (piece.title, piece.url, piece.site, piece.text) == (
            "题目0",
            "http://x.example/0",
            "s",
            write(0),
        )
    assert roots[0] == roots[1]


def test_nothing_is_cleaned(tmp_path: Path) -> None:
    text = "  關於總結(jié)\u3000的 通知\r\n\n下载本文档 "
    corpus = tmp_path / "corpus.db"
    ingest_pieces(corpus, write_rows(tmp_path / "a.jsonl", [{"id": 1, "text": text}]), "s")
    with fanwen.open(corpus) as opened:
        assert [piece.text for piece in opened.pieces()] == [text]


def test_bad_rows_are_counted_and_named(tmp_path: Path, write: Any) -> None:
    rows = [
        {"id": 1, "text": write(1)},
        {"id": None, "text": write(2)},
        {"id": 2, "text": " \n"},
        {"id": 3, "text": 5},
        {"id": 1, "text": write(3)},
        {"id": 1.5, "text": write(3)},
        {"id": True, "text": write(3)},
        {"id": 4, "text": "\ud800坏"},
    ]
    report = ingest_pieces(tmp_path / "corpus.db", write_rows(tmp_path / "a.jsonl", rows), "s")
    assert (report.rows, report.added, report.bad_rows) == (8, 1, 7)
    assert [(bad.line, bad.reason) for bad in report.bad] == [
        (2, "bad_id"),
        (3, "empty_text"),
        (4, "bad_text"),
        (5, "duplicate_id"),
        (6, "bad_id"),
        (7, "bad_id"),
        (8, "not_unicode"),
    ]
    assert "row 3: empty_text" in report.summary()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"id": 1, "text": "好"}\n{"id": 2, \n', "Line 2"),
        ('{"id": 1, "text": "好"}\n\n{"id": 2}\n', "Line 3 .* no 'text'"),
        ("[1, 2]\n", "Line 1 .* no JSON object"),
    ],
)
def test_what_is_no_file_of_pieces(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        ingest_pieces(tmp_path / "corpus.db", file, "s")
    table = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": [1]}), table)
    with pytest.raises(UsageError, match="no column 'text'"):
        ingest_pieces(tmp_path / "corpus.db", table, "s")
    table.write_bytes(b"PAR1 but not really")
    with pytest.raises(UsageError, match="Parquet"):
        ingest_pieces(tmp_path / "corpus.db", table, "s")


def test_a_changed_row_is_a_new_state_of_the_same_piece(tmp_path: Path, write: Any) -> None:
    corpus, releases = tmp_path / "corpus.db", tmp_path / "releases"
    ingest_pieces(corpus, write_rows(tmp_path / "a.jsonl", [{"id": 1, "text": write(1)}]), "s")
    first = release.create(corpus, releases)
    report = ingest_pieces(corpus, write_rows(tmp_path / "a.jsonl", [{"id": 1, "text": write(2)}]), "s")
    second = release.create(corpus, releases)
    assert report.changed == 1
    assert first is not None
    assert second is not None
    (change,) = release_changes.diff(corpus, first.version, second.version)
    assert (change.piece_id, change.change) == ("s:1", "MOD")
    with fanwen.open(corpus) as opened:
        assert [piece.text for piece in opened.pieces(as_of=first.version)] == [write(1)]
