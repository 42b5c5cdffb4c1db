"""Passages across sites, the matrix of sites, clusters with every sighting: in a corpus, and in a release of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fanwen
from fanwen.corpus import duplicates, release, reuse
from fanwen.corpus.normalise import fold
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.reader import Corpus
from fanwen.corpus.types import AlignedRelation
from fanwen.errors import IncompleteError, UsageError

Write = Callable[..., str]


def chars(text: str) -> int:
    return len(fold([text]).one(0))


@pytest.fixture(scope="module")
def texts(write: Write) -> dict[str, str]:
    """By site and id. The oath stands in five texts, the report three times, the letter on one site only."""
    oath, report, letter = write(1, 7), write(2, 16), write(3, 16)
    return {
        "甲站/1": report,
        "乙站/1": report.replace("，", ","),
        "乙站/2": f"{report[:400]}补充一句：材料由档案室保存三年。{report[400:]}",
        "甲站/2": write(10, 9) + "\n" + oath + "\n" + write(11, 9),
        "乙站/3": oath + "\n" + write(12, 18),
        "丙站/1": write(13, 18) + "\n" + oath,
        "丙站/2": write(14, 9) + "\n" + oath + "\n" + write(15, 9),
        "丙站/3": letter,
        "丙站/4": letter + "此致敬礼",
    }


@pytest.fixture(scope="module")
def corpus(texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reuse")
    for site in ("甲站", "乙站", "丙站"):
        rows = [
            {"id": name.partition("/")[2], "text": text, "url": f"http://{name}"}
            for name, text in texts.items()
            if name.startswith(site)
        ]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{site}.jsonl").write_text(lines, encoding="utf-8")
        ingest_pieces(folder / "corpus.db", folder / f"{site}.jsonl", site)
    assert len(list(duplicates.pairs(folder / "corpus.db"))) >= 9
    release.create(folder / "corpus.db", folder / "releases")
    return folder / "corpus.db"


@pytest.fixture(params=["corpus", "release"])
def opened(request: pytest.FixtureRequest, corpus: Path) -> Iterator[Corpus]:
    folder = next((corpus.parent / "releases").glob("2*")) if request.param == "release" else corpus
    with fanwen.open(folder) as found:
        yield found


def test_a_passage_is_listed_once_with_everybody_who_holds_it(
    opened: Corpus, texts: dict[str, str], write: Write
) -> None:
    oath = write(1, 7)
    with opened.reuse(min_chars=100) as found:
        first, second = found.passages()
        assert len(found) == 2
    ids = {
        f"{site}:{n}"
        for site, _, n in (name.partition("/") for name in ("甲站/2", "乙站/3", "丙站/1", "丙站/2"))
    }
    assert (first.sites, first.pieces, {one.sighting.piece_id for one in first.holders}) == (3, 4, ids)
    assert abs(first.chars - chars(oath)) <= 4  # where neighbours happen to begin alike
    piece_texts = {piece.piece_id: piece.text or "" for piece in opened.pieces(default=False)}
    for one in first.holders:
        assert oath[4:-4] in piece_texts[one.sighting.piece_id][one.begin : one.end]
    assert (second.sites, second.pieces) == (2, 3)
    longest = piece_texts["乙站:2"]
    assert (second.chars, second.text) == (chars(longest), longest.rstrip("。"))
    assert {one.sighting.piece_id: (one.begin, one.end) for one in second.holders} == {
        name: (0, len(piece_texts[name].rstrip("。"))) for name in ("甲站:1", "乙站:1", "乙站:2")
    }


def test_what_a_reader_asks_for_is_what_is_listed(opened: Corpus) -> None:
    with opened.reuse(max_pieces=3) as found:
        assert [one.pieces for one in found.passages()] == [3]
    with opened.reuse("丙站") as found:
        assert [one.sites for one in found.passages()] == [3]
    with opened.reuse(min_chars=200, within=True) as found:
        assert sorted(one.pieces for one in found.passages()) == [2, 3, 4]
        assert [one.pieces for one in found.passages(limit=1)] == [4]
    with opened.reuse(min_chars=5000) as found:
        assert (len(found), list(found.passages()), found.matrix()) == (0, [], [])


def test_the_matrix_counts_pieces_characters_and_pairs(
    opened: Corpus, texts: dict[str, str], write: Write
) -> None:
    with opened.reuse(min_chars=100, within=True) as found:
        cells = {(cell.site, cell.other): cell for cell in found.matrix()}
    pieces = {names: (cell.pieces, cell.pairs) for names, cell in cells.items()}
    assert pieces == {
        # 甲站: the report, the oath; 乙站: two forms of the report, the oath; 丙站: two with the oath, the letter
        ("甲站", "乙站"): (2, 3),
        ("乙站", "甲站"): (3, 3),
        ("甲站", "丙站"): (1, 2),
        ("丙站", "甲站"): (2, 2),
        ("乙站", "丙站"): (1, 2),
        ("丙站", "乙站"): (2, 2),
        ("乙站", "乙站"): (2, 1),
        ("丙站", "丙站"): (4, 2),
    }
    oath, report = chars(write(1, 7)), chars(texts["甲站/1"])
    assert abs(cells["甲站", "乙站"].chars - report - oath) <= 4
    assert abs(cells["乙站", "甲站"].chars - report - chars(texts["乙站/2"]) - oath) <= 4
    assert abs(cells["丙站", "甲站"].chars - 2 * oath) <= 8
    with opened.reuse(min_chars=100) as found:
        across = {(cell.site, cell.other): cell for cell in found.matrix()}
    assert across == {names: cell for names, cell in cells.items() if names[0] != names[1]}


def test_pairs_come_with_their_passages(corpus: Path, texts: dict[str, str]) -> None:
    found = [pair for pair in duplicates.pairs(corpus, aligned=True) if isinstance(pair, AlignedRelation)]
    plain = list(duplicates.pairs(corpus))
    assert [(one.a, one.b, one.relation) for one in found] == [(one.a, one.b, one.relation) for one in plain]
    (exact,) = [pair for pair in found if pair.relation == "exact"]
    length = len(texts["甲站/1"])
    assert exact.passages == ((0, length, 0, length),)
    assert all(pair.passages for pair in found)


def test_passages_of_two_pieces_are_in_code_points_of_their_texts(
    opened: Corpus, texts: dict[str, str], write: Write
) -> None:
    at, oath = texts["甲站/2"].index(write(1, 7)), len(write(1, 7))
    (passage,) = opened.passages("甲站:2", "乙站:3")
    assert abs(passage.a_begin - at) <= 4
    assert passage.b_begin == 0
    assert abs(passage.b_end - oath) <= 4
    assert opened.passages("甲站:1", "丙站:3") == ()
    with pytest.raises(UsageError, match="无此篇 is no piece"):
        opened.passages("甲站:1", "无此篇")
    assert [one.b for one in opened.differences("乙站:1", "乙站:2") if one.kind != "equal"] == [
        "补充一句：材料由档案室保存三年。"
    ]


def test_a_cluster_has_every_sighting_and_its_edges(opened: Corpus) -> None:
    (cluster,) = opened.clusters("甲站:1")
    assert {m.sighting.piece_id for m in cluster.members} == {"甲站:1", "乙站:1", "乙站:2"}
    assert cluster.members[0].relation == "canonical"
    # the longest is the canonical; both others are near to it
    assert [(m.sighting.piece_id, m.relation) for m in cluster.members] == [
        ("乙站:2", "canonical"),
        ("乙站:1", "near"),
        ("甲站:1", "near"),
    ]
    assert [m.sighting.site for m in cluster.members] == ["乙站", "乙站", "甲站"]
    assert all(m.containment > 0.97 for m in cluster.members)
    assert cluster.edges == ()
    (alone,) = opened.clusters("甲站:2")
    assert [m.relation for m in alone.members] == ["canonical"]
    assert {(e.relation, e.other.piece_id) for e in alone.edges} == {
        ("overlap", "乙站:3"), ("overlap", "丙站:1"), ("overlap", "丙站:2"),
    }  # fmt: skip


def test_a_piece_in_a_compilation_is_contained_and_knows_its_place(
    home: Any, write: Write, html: Callable[..., bytes]
) -> None:
    several = [write(n, 16) for n in range(60, 64)]
    home.serve({"he.html": html("工作总结", *several), "dan.html": html("工作总结", several[2])})
    home.build()
    with fanwen.open(home.corpus) as opened:
        names = opened.clusters("http://wenku.example/he.html")
        (both,) = [one for one in names if len(one.members) == 2]
        places = [(m.sighting.place, m.sighting.places) for m in both.members]
        assert sorted(places) == [(1, 1), (3, 4)]
        assert [m.relation for m in both.members] == ["canonical", "exact"]
        assert opened.clusters("http://WENKU.example/dan.html#x") == (both,)
        assert opened.clusters(both.cluster) == (both,)


def test_former_names_of_a_cluster_lead_to_it(corpus: Path, tmp_path: Path) -> None:
    copy = tmp_path / "corpus.db"
    with sqlite3.connect(corpus) as source:
        source.execute("vacuum into ?", (str(copy),))
    with fanwen.open(corpus) as opened:
        (cluster,) = opened.clusters("乙站:1")
    with sqlite3.connect(copy) as db:
        db.execute(
            "insert into cluster_alias values ('older', ?, 1), ('oldest', 'older', 1)", (cluster.cluster,)
        )
    with fanwen.open(copy) as opened:
        (found,) = opened.clusters("oldest")
        assert found.members == cluster.members
        assert found.aliases == ("older", "oldest")
        with pytest.raises(UsageError, match="called newest now"):
            opened.clusters("newest")


def test_reading_writes_nothing(corpus: Path) -> None:
    before = corpus.read_bytes()
    with fanwen.open(corpus) as opened, opened.reuse(within=True) as found:
        assert list(found.passages())
    assert corpus.read_bytes() == before


def test_ids_are_searched_for_from_narrow_to_wide(corpus: Path) -> None:
    with fanwen.open(corpus) as opened:
        # the id that a ready-made piece brought is good enough where no other has it
        assert opened.clusters("4") == opened.clusters("丙站:4")
        with pytest.raises(UsageError, match="no piece"):
            opened.passages("1", "丙站:4")  # three sources have a 1


def test_a_full_disk_for_temporary_files_is_told_as_one(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reuse, "_TABLES", ("pragma max_page_count = 8", *reuse._TABLES))
    with fanwen.open(corpus) as opened, pytest.raises(IncompleteError, match="SQLITE_TMPDIR"):
        opened.reuse()


def test_the_passages_do_not_depend_on_what_is_kept_in_memory(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fanwen.open(corpus) as opened:
        with opened.reuse(within=True) as found:
            before = list(found.passages())
        monkeypatch.setattr(reuse, "KEPT", 100)
        with opened.reuse(within=True) as found:
            assert list(found.passages()) == before


def test_within_adds_what_only_one_site_has_and_changes_nothing_else(tmp_path: Path, write: Write) -> None:
    """Two pieces of one site that are related to each other, and only one of them to another site."""
    shared = write(90, 12)
    texts = {
        "甲": [shared + write(91, 12), f"{shared[:200]}{write(92, 16)}"],
        "乙": [write(93, 12) + shared[150:]],
    }
    for site, bodies in texts.items():
        rows = [json.dumps({"id": n, "text": text}, ensure_ascii=False) for n, text in enumerate(bodies)]
        (tmp_path / f"{site}.jsonl").write_text("\n".join(rows), encoding="utf-8")
        ingest_pieces(tmp_path / "corpus.db", tmp_path / f"{site}.jsonl", site)
    list(duplicates.pairs(tmp_path / "corpus.db"))
    with fanwen.open(tmp_path / "corpus.db") as opened:
        with opened.reuse() as found:
            (across,) = found.passages()
        with opened.reuse(within=True) as found:
            both = list(found.passages())
    assert across in both
    assert [{one.sighting.piece_id for one in passage.holders} for passage in both] == [
        {"甲:0", "乙:0"}, {"甲:0", "甲:1"},
    ]  # fmt: skip
