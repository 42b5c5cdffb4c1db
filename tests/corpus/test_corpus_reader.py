"""fanwen.open: what it opens, and that every way to read a corpus gives the same pieces."""

from __future__ import annotations

import ast
import doctest
import gc
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import fanwen
from fanwen.corpus import frames, reader, release
from fanwen.corpus.reader import Corpus
from fanwen.corpus.tables import CONFIGURATIONS
from fanwen.errors import DamagedError, UsageError

ROOT = Path(__file__).resolve().parents[2]
FIRST, SECOND = "fanwen-demo/releases/2026.11.0", "fanwen-demo/releases/2026.11.1"


@pytest.fixture(autouse=True)
def there(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    for name in ("FANWEN_HOME", "FANWEN_PULLED", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(demo))


@pytest.fixture
def second() -> Iterator[Corpus]:
    with fanwen.open(SECOND) as corpus:
        yield corpus


# -- documentation --------------------------------------------------------------------------------


def test_examples_in_docstrings_are_true() -> None:
    done = doctest.testmod(reader, extraglobs={"fanwen": fanwen})
    assert done.failed == 0
    assert done.attempted > 25


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_notebook_of_the_readme_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.S)
    (notebook,) = [block for block in blocks if block.startswith("import fanwen\n")]
    (reuse,) = [block for block in blocks if ".reuse(" in block]
    for word in ("to_pandas", "genre=", "year=", ".search(", ".origin(", ".relations(", ".diff("):
        assert word in notebook
    names: dict[str, Any] = {}
    exec(compile(ast.parse(notebook), name, "exec"), names)
    told = capsys.readouterr().out
    # read off the sample sites and their truth, not off the output
    assert "演讲稿：把平凡的路修好" in told
    assert "http://zongjie.example/" in told
    assert "none_found" in told
    assert "食堂" in told
    for change in (
        ("MOD", "仓库管理员个人工作总结"),
        ("DEL", "乡镇供水所所长述职报告"),
        ("ADD", "机关食堂管理员工作总结"),
    ):
        assert str(change) in told
    exec(compile(ast.parse(reuse), name, "exec"), names)
    assert "2 2" in capsys.readouterr().out, "a passage on two sites"


# -- what is opened -------------------------------------------------------------------------------


def test_a_version_is_a_path_or_pulled_or_made_here(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = demo / "fanwen-demo" / "releases"
    with pytest.raises(
        UsageError, match=r"no corpus at 2026\.11\.1, nor a release of that name in .*share/fanwen"
    ):
        fanwen.open("2026.11.1")
    monkeypatch.setenv("FANWEN_HOME", str(demo / "fanwen-demo"))
    with fanwen.open("2026.11.1") as corpus:
        assert corpus.path == releases / "2026.11.1"
    pulled = tmp_path / "pulled"
    pulled.mkdir()
    (pulled / "2026.11.1").symlink_to(releases / "2026.11.0")
    monkeypatch.setenv("FANWEN_PULLED", str(pulled))
    with fanwen.open("2026.11.1") as corpus:  # what was pulled goes before what was made
        assert corpus.path == pulled / "2026.11.1"
        assert len(corpus.releases) == 1
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2026.11.1").symlink_to(releases / "2026.11.1")
    with fanwen.open("2026.11.1") as corpus:  # and a path before both
        assert len(corpus.releases) == 2


def test_what_is_not_there_is_said_in_one_sentence(second: Corpus) -> None:
    for ask, words in (
        (lambda: fanwen.open("no/such/place"), "no corpus at no/such/place;"),
        (lambda: second.piece("ffff"), "ffff is no piece"),
        (lambda: second.origin("ffff"), "ffff is no piece"),
        (lambda: second.relations("ffff"), "ffff is no piece"),
        (lambda: second.history("ffff"), "no piece ffff"),
        (lambda: list(second.pieces(as_of="1999.1.0")), "no release 1999.1.0"),
        (lambda: second.diff("1999.1.0"), "no corpus at 1999.1.0"),
        (lambda: second.to_arrow("nothing"), "no configuration nothing; there are: default, all"),
        (lambda: second.to_arrow(as_of="1999.1.0"), "no release 1999.1.0"),
    ):
        with pytest.raises(UsageError, match=words):
            ask()
    assert list(second.pieces(genre="没有这种文体")) == []
    assert list(second.pieces(site="nowhere.example")) == []
    assert list(second.pieces(year=1900)) == []


@pytest.mark.parametrize("at", [0.02, 0.5, 0.98])
def test_damaged_files_are_named(demo: Path, tmp_path: Path, at: float) -> None:
    copy = tmp_path / "copy"
    shutil.copytree((demo / FIRST).resolve(), copy)
    parquet = copy / "data/all/train-00000-of-00001.parquet"
    parquet.write_bytes(parquet.read_bytes()[: int(at * parquet.stat().st_size)])  # has no sum of its own
    with fanwen.open(copy) as corpus:
        with pytest.raises(DamagedError, match="data/all cannot be read") as told:
            corpus.to_arrow("all")
        assert "\n" not in str(told.value)
        parquet.unlink()
        assert corpus.to_arrow().num_rows > 0
    damage(copy / "fanwen.db.zst", at)
    with pytest.raises(DamagedError, match=r"fanwen\.db\.zst is damaged"):
        fanwen.open(copy)


def damage(path: Path, at: float) -> None:
    data = bytearray(path.read_bytes())
    for place in range(int(len(data) * at), int(len(data) * at) + 4):
        data[place] ^= 0xFF
    path.write_bytes(data)


def test_a_missing_library_is_named_with_its_extra(second: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, extra, ask in (
        ("pandas", "pandas", second.to_pandas),
        ("polars", "polars", second.to_polars),
        ("datasets", "hf", second.to_hf),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(UsageError, match=rf"{module} is not installed; pip install 'fanwen\[{extra}\]'"):
            ask()


# -- the same pieces everywhere -------------------------------------------------------------------


@pytest.mark.parametrize("what", [SECOND, "fanwen-demo"])
@pytest.mark.parametrize("config", CONFIGURATIONS)
def test_every_library_has_the_same_rows(what: str, config: str) -> None:
    with fanwen.open(what) as corpus:
        rows = corpus.to_arrow(config).to_pylist()
        assert rows
        keys = [name for name in ("id", "url", "a", "b", "rule", "reason") if name in rows[0]]
        expected = [tuple(row[key] for key in keys) for row in rows]
        frame = corpus.to_pandas(config)
        assert list(zip(*(frame[key] for key in keys), strict=True)) == expected
        assert corpus.to_polars(config).select(keys).rows() == expected
        dataset = corpus.to_hf(config)
        assert [tuple(row[key] for key in keys) for row in dataset] == expected
        assert dataset.column_names == list(rows[0])
        if config in ("default", "all"):
            pieces = {piece.piece_id for piece in corpus.pieces(default=config == "default")}
            assert sorted(pieces) == sorted(row["id"] for row in rows)


@pytest.mark.parametrize("config", CONFIGURATIONS)
def test_files_and_database_give_one_table(second: Corpus, config: str) -> None:
    from_files = second.to_arrow(config)
    from_database = frames.from_database(second._database, config)
    one, other = (
        [
            (field.name, str(field.type).replace("element:", "item:"), field.nullable, field.metadata)
            for field in table.schema
        ]
        for table in (from_files, from_database)
    )
    assert one == other
    assert from_files.schema.metadata == from_database.schema.metadata
    assert from_files.to_pylist() == from_database.to_pylist()


@pytest.mark.parametrize("config", CONFIGURATIONS)
def test_as_of_is_what_the_release_of_then_had(second: Corpus, config: str) -> None:
    then = second.releases[0].version
    with fanwen.open(FIRST) as first:
        assert second.to_arrow(config, as_of=then).to_pylist() == first.to_arrow(config).to_pylist()
    with fanwen.open("fanwen-demo") as home:
        ours = home.to_arrow(config, as_of=then).to_pylist()
    theirs = first_rows(config)
    # a home has texts, claims and details unmasked; what names and joins rows is the same
    for name in (
        "id",
        "url",
        "split",
        "cluster_id",
        "cluster_size",
        "excluded_why",
        "canonical_id",
        "rule",
        "reason",
    ):
        assert [row.get(name) for row in ours] == [row.get(name) for row in theirs], name


def first_rows(config: str) -> list[dict[str, Any]]:
    with fanwen.open(FIRST) as first:
        rows: list[dict[str, Any]] = first.to_arrow(config).to_pylist()
        return rows


def test_pieces_are_read_one_by_one(second: Corpus) -> None:
    pieces = second.pieces()
    first = next(pieces)
    assert second.piece(first.piece_id) == first  # another question between two pieces
    assert len(list(pieces)) == len(list(second.pieces())) - 1


def test_filters_hold_together(second: Corpus) -> None:
    everything = list(second.pieces(default=False))
    for genre, site, year in (
        ("倡议书", None, 2025),
        ("演讲稿", "wenku.example", "2021"),
        (None, "gongwen.example", None),
    ):
        expected = [
            piece for piece in everything
            if genre in (None, piece.genre) and site in (None, piece.site) and (year is None or piece.year == str(year))
        ]  # fmt: skip
        assert expected
        assert list(second.pieces(genre, site, year, default=False)) == expected


def test_what_no_release_has_had_is_in_no_split(home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1)), "b": html("工作计划", write(2))})
    home.build()
    release.create(home.corpus, home.releases)
    home.serve({"c": html("倡议书", write(3))}, day=2)
    home.build()
    with fanwen.open(home.path) as corpus:
        splits = {row["url"][-1]: row["split"] for row in corpus.to_arrow("all").to_pylist()}
    assert splits.pop("c") is None
    assert None not in splits.values()


# -- origins and changes --------------------------------------------------------------------------


def test_the_origin_is_a_page_of_the_archive(second: Corpus) -> None:
    pieces = list(second.pieces(default=False))
    with closing(sqlite3.connect("file:fanwen-demo/archive.db?mode=ro", uri=True)) as archive:
        bodies = dict(
            archive.execute(
                "select f.body_hash, u.url from fetch f join url u on u.id = f.url_id where f.body_hash is not null"
            )
        )
    for piece in pieces:
        found = second.origin(piece.piece_id)
        assert (found.url, found.site, found.place) == (piece.url, piece.site, piece.place)
        assert found.pages[0].url == piece.url
        assert all(page.sha256 in bodies for page in found.pages)
        assert 1 <= found.place <= found.places
        assert found.span[0] < found.span[1]
    reserved = next(piece for piece in pieces if piece.excluded_why == "reservation_found")
    assert second.origin(reserved.piece_id).rights_basis == "reservation_found"
    assert any(
        claim.kind == "published" for piece in pieces for claim in second.origin(piece.piece_id).claims
    )


def test_changes_go_both_ways_and_between_any_two(second: Corpus) -> None:
    with fanwen.open(FIRST) as first, fanwen.open("fanwen-demo") as home:
        there = first.diff(second)
        assert sorted(one.change for one in there) == ["ADD", "DEL", "MOD"]
        assert first.diff(SECOND) == first.diff(Path(SECOND)) == there
        assert home.diff(home.releases[1].version) == home.diff(second) == second.diff(home) == []
        back = {one.piece_id: one.change for one in second.diff(first)}
        assert back == {
            one.piece_id: {"ADD": "DEL", "DEL": "ADD"}.get(one.change, one.change) for one in there
        }
        assert second.diff(second.releases[0].version) == second.diff(first)


def test_states_of_two_histories_are_not_compared(second: Corpus, home: Any, write: Any, html: Any) -> None:
    home.serve({"a": html("工作总结", write(1))})
    home.build()
    with fanwen.open(home.path) as other, pytest.raises(UsageError, match="one history"):
        second.diff(other)  # nothing was released there
    made = release.create(home.corpus, home.releases)
    assert made is not None
    with pytest.raises(UsageError, match="one history"):
        second.diff(home.path)
    # a home that has gone on in another way than the release that is compared with
    with fanwen.open(home.releases / made.version) as released:
        home.serve({"b": html("工作计划", write(2))}, day=2)
        home.build()
        with fanwen.open(home.path) as now:
            assert [one.change for one in released.diff(now)] == ["ADD"]


def test_history_by_id_and_by_page(second: Corpus) -> None:
    with fanwen.open(FIRST) as first:
        changed = next(one for one in first.diff(second) if one.change == "MOD")
        (log,) = second.history(changed.piece_id)
        assert [state.text for state in log.states] == [
            first.piece(changed.piece_id).text, second.piece(changed.piece_id).text
        ]  # fmt: skip
        assert changed.piece_id in {one.piece_id for one in second.history(changed.url)}


def test_pieces_outlive_the_name_of_their_corpus(home: Any, html: Any, write: Any) -> None:
    home.serve({f"p{n}": html("工作总结", write(n)) for n in range(3)})
    home.build()
    assert len(list(fanwen.open(home.path).pieces())) == 3
    opened = fanwen.open(home.path).pieces()
    gc.collect()
    assert len(list(opened)) == 3
