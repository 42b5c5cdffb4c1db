"""search.db of a release: the same pieces as in the release, found as a scan finds them, and nothing more."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import fanwen
from fanwen.corpus import exports, release, search_db
from fanwen.corpus.site import MODULES
from fanwen.corpus.store import open_store
from fanwen.corpus.tables import read_rows
from fanwen.corpus.takedown_acts import hold
from fanwen.corpus.takedown_case import plan
from fanwen.corpus.takedown_journal import Case

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "corpus/data/site"


@pytest.fixture
def released(home: Any, write: Any, html: Any) -> Path:
    """A piece, an exact and a near copy of it, a compilation that holds it, and some of other years and genres."""
    essay = write(1, 14)
    home.serve(
        {
            "a": html("2024年工作总结", essay),
            "b": html("工作总结", essay),
            "c": html("工作总结", essay.replace("，", "、", 3) + write(3, 1)),
            "d": html("工作总结", essay + "\n" + write(2, 14) + "\n" + write(4, 14)),
            **{f"own{n}": html(f"202{n}年倡议书", write(n + 50, 8)) for n in range(6)},
        }
    )
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    return Path(home.releases / made.version)


@pytest.fixture
def db(released: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(released / search_db.SEARCH_DB)) as opened:
        opened.row_factory = sqlite3.Row
        yield opened


def test_it_has_the_pieces_of_the_release_the_default_set_first(
    released: Path, db: sqlite3.Connection
) -> None:
    rows = {row["id"]: dict(row) for row in db.execute("select * from piece order by n")}
    everything = {row["id"]: row for row in read_rows(released, "all")}
    assert rows.keys() == everything.keys()
    for name, row in rows.items():
        published = everything[name]
        assert row["body"] == published["text"]
        assert row["flags"].split() == published["flags"]
        assert row["cluster"] == published["cluster_id"]
        for column in (
            "title",
            "genre",
            "site",
            "year",
            "url",
            "place",
            "excluded_why",
            "split",
            "rights_basis",
        ):
            assert row[column] == published[column]
    meta = dict(db.execute("select name, value from meta").fetchall())
    assert (int(meta["pieces"]), meta["site_text"]) == (len(rows), "full")
    in_default = [row["excluded_why"] is None for row in rows.values()]
    assert in_default == sorted(in_default, reverse=True)
    assert in_default.count(True) == int(meta["pieces_default"]) < len(rows)
    years = [row["year"] for row in rows.values() if row["year"] and not row["excluded_why"]]
    assert years == sorted(years, reverse=True) != sorted(years)


def test_words_and_facets_are_found_by_one_match(released: Path, db: sqlite3.Connection) -> None:
    """For every pair of characters of a text and every value of a facet, the rows that a scan gives."""

    def matched(expression: str) -> set[int]:
        return {row[0] for row in db.execute("select rowid from grams where grams match ?", (expression,))}

    code = "{:x}z".format
    text = db.execute("select body from piece where title = '2024年工作总结'").fetchone()[0]
    for a, b in pairwise(text[:80]):
        scanned = db.execute("select n from piece where instr(body, ?)", (a + b,))
        assert matched(code(ord(a)) + code(ord(b))) == {row[0] for row in scanned}
    for char in "总年的":
        scanned = db.execute("select n from piece where instr(title, ?)", (char,))
        assert matched(f"t{code(ord(char))}*") == {row[0] for row in scanned}
    facets = db.execute("select * from facet").fetchall()
    assert {row["kind"] for row in facets} == {"genre", "site", "year"}
    for kind, value, word, count in facets:
        scanned = {
            row[0] for row in db.execute(f"select n from piece where coalesce({kind}, '') = ?", (value,))
        }
        assert matched(word) == scanned
        assert len(scanned) == count
    both = matched("g0 AND y0")
    assert both == matched("g0") & matched("y0")


def test_relations_are_there_from_both_sides(released: Path, db: sqlite3.Connection) -> None:
    ids = dict(db.execute("select n, id from piece").fetchall())
    found = {(ids[r["a"]], ids[r["b"]], r["relation"]): (r["containment_a"], r["containment_b"])
             for r in db.execute("select * from relation")}  # fmt: skip
    published = read_rows(released, "relations")
    expected = {}
    for row in published:
        shares = (row["containment_a"], row["containment_b"])
        expected[row["a"], row["b"], row["relation"]] = shares
        expected[row["b"], row["a"], row["relation"]] = shares[::-1]
    assert found == expected
    assert {relation for _, _, relation in found} >= {"exact", "near", "contains"}


def test_what_is_on_hold_has_no_text_in_it(home: Any, released: Path) -> None:
    with fanwen.open(released) as corpus:
        mine = next(one for one in corpus.pieces(default=False) if one.url.endswith("/own3"))
    case = Case("F-1", "person", "2026-04-01")
    with open_store(home.corpus) as store:
        hold(store, case, plan(store, [f"piece:{mine.piece_id}"]))
    again = release.reissue(home.corpus, home.releases, released.name).version
    path = home.releases / again / search_db.SEARCH_DB
    with closing(sqlite3.connect(path)) as db:
        row = db.execute("select body, withdrawn from piece where id = ?", (mine.piece_id,)).fetchone()
        assert row == (None, "F-1")
    data = path.read_bytes()
    assert mine.text is not None
    assert not [n for n in range(len(mine.text) - 12) if mine.text[n : n + 12].encode() in data]


def test_without_text_there_are_no_grams_of_it(released: Path, tmp_path: Path) -> None:
    exports.unpack_database(released, tmp_path / "plain.db")
    with closing(sqlite3.connect(tmp_path / "plain.db")) as plain:
        search_db.write(plain, tmp_path / "none.db", text="none")
    with closing(sqlite3.connect(tmp_path / "none.db")) as db:
        assert db.execute("select count(*) from piece where body is not null").fetchone() == (0,)
        db.execute("create virtual table temp.words using fts5vocab(main, grams, row)")
        words = {row[0] for row in db.execute("select term from words")}
    # besides words of facets, titles only
    assert words
    assert not [word for word in words if not re.match(r"[tgsy]", word)]


# -- files that every release site has ------------------------------------------------------------------


def test_vendored_files_are_those_that_were_published() -> None:
    folder = ROOT / "corpus/_vendor/sqlite-wasm"
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert sums.keys() == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    for name, expected in sums.items():
        assert sha256((folder / name).read_bytes()).hexdigest() == expected
    unpacked = re.findall(
        r"^([0-9a-f]{64})  (index\.mjs|sqlite3\.wasm)$", (folder / "VERSION").read_text(), re.M
    )
    assert len(unpacked) == 2
    for expected, name in unpacked:
        packed = (folder / f"{name}.gz").read_bytes()
        assert sha256(gzip.decompress(packed)).hexdigest() == expected
        assert packed[4:8] == bytes(4)  # no time in it


def test_both_languages_say_the_same_things_and_nothing_that_nobody_asks_for() -> None:
    zh, en = (json.loads((SITE / f"{name}.json").read_text(encoding="utf-8")) for name in ("zh", "en"))
    places = re.compile(r"\{(\w+)\}")
    assert {key: sorted(places.findall(text)) for key, text in zh.items()} == {
        key: sorted(places.findall(text)) for key, text in en.items()
    }
    sources = [SITE / name for name in (*MODULES, "site.js", "release.html", "releases.html")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in [*sources, ROOT / "corpus/site.py"])
    # what comes after a dot or a hyphen may be a value of the data
    kinds = {key: re.split(r"[.-]", key)[0] for key in zh}
    unused = [
        key
        for key, kind in kinds.items()
        if not re.search(rf"""["']{key}["']|["'`]{kind}["'`.]|{kind}-""", code)
    ]
    assert unused == []


def test_colours_have_contrast_enough_to_read() -> None:
    css = (SITE / "site.css").read_text(encoding="utf-8")
    pairs = re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", css)
    for theme in (1, 2):
        colour = {one[0]: _luminance(one[theme]) for one in pairs}
        for ink, paper in (
            ("ink", "paper"), ("ink", "card"), ("ink", "mark"), ("ink", "gone"), ("ink", "came"), ("quiet", "paper"),
            ("quiet", "card"), ("link", "paper"), ("link", "card"), ("link", "mark"), ("paper", "accent"), ("bad", "paper"),
        ):  # fmt: skip
            light, dark = sorted((colour[ink], colour[paper]), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper, theme)


def _luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
