"""duplicates, duplicates show and reuse as a user types them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus.home import Home

Run = Callable[..., Any]

REPORT = (
    "今年以来，村委会把修路当作头等大事来抓。三月开工，六月完工，全长四公里，共投入劳力一千二百人次。"
    "施工期间，党员轮流值守工地，老人们自发送来茶水，运料的车辆由各家轮换出，没有向村民摊派一分钱。"
    "路修好以后，果园的梨子当天就能运到县城，收购价每斤涨了两角，外出打工的年轻人也陆续回来了。"
    "但排水沟还没有全部砌好，雨季容易积水，路灯只装到了小学门口，夜里走路仍不方便。"
    "下半年，我们打算先砌沟、再装灯，账目每月张贴一次，请大家随时监督。"
)
EDITED = (
    REPORT.replace("三月开工", "四月开工")
    .replace("，没有向村民摊派一分钱", "")
    .replace("共投入劳力一千二百人次。", "共投入劳力一千二百人次！")
)


def letter(n: int) -> str:
    """A frame of its own around the same report."""
    words = "春耕夏种秋收冬藏山前屋后田头水边清晨黄昏学堂集市工坊渡口"
    before, behind = ("".join(random.Random(f"{n} {side}").choices(words, k=300)) for side in (1, 2))
    return f"{before}。\n{REPORT}\n{behind}。"


@pytest.fixture
def filled(fanwen: Run, tmp_path: Path) -> Run:
    """A home with the report on two sites, an edited form of it, and two letters that quote it."""
    sites = {
        "lucun": [("a", REPORT), ("b", EDITED)],
        "xianbao": [("c", REPORT.replace("，", ",")), ("d", letter(1))],
        "zhenzhi": [("e", letter(2))],
    }
    for site, rows in sites.items():
        file = tmp_path / f"{site}.jsonl"
        lines = [{"id": name, "text": text, "url": f"http://{site}.example/{name}"} for name, text in rows]
        file.write_text(
            "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
        )
        assert fanwen("ingest", "--pieces", file).code == 0
    return fanwen


def test_what_was_not_looked_at_is_said_and_what_is_known_is_shown(filled: Run) -> None:
    done = filled("duplicates", "show", "lucun:a")
    assert (done.code, done.out.splitlines()[0]) == (0, "cluster lucun:a: 1 pieces on 1 sites")
    assert done.err.count("\n") == 1
    assert "'fanwen build'" in done.err
    assert filled("duplicates").code == 0
    assert filled("duplicates", "show", "lucun:a").err == ""


def test_a_cluster_is_shown_with_its_differences(filled: Run) -> None:
    filled("duplicates")
    done = filled("duplicates", "show", "http://lucun.example/b")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "cluster lucun:a: 3 pieces on 2 sites"
    # a Chinese title would be two columns wide; here every column begins under its head
    head = lines[1]
    for line in lines[2:5]:
        assert line[head.index("url") :].startswith("http://")
    shown = done.out
    assert "xianbao:c beside the canonical lucun:a:\n" in shown
    assert "the same but for punctuation, spaces, width or script; --exact marks them" in shown
    place = EDITED.index("四月开工")
    assert f"{place:>7}  今年以来" in shown
    assert "[-三-]{+四+}月开工" in shown
    assert "[-没有向村民摊派一分钱。-]" in shown
    assert "related pieces outside of the cluster:" in shown
    assert "contained_in" in shown
    exact = filled("duplicates", "show", "lucun:b", "--exact", "--full").out
    assert "[-次。-]{+次！+}" in exact
    assert "请大家随时监督。" in exact


def test_json_says_what_the_text_says(filled: Run) -> None:
    filled("duplicates")
    (shown,) = json.loads(filled("duplicates", "show", "lucun:b", "--json").out)
    members = {m["sighting"]["piece_id"]: m for m in shown["cluster"]["members"]}
    assert {name: m["relation"] for name, m in members.items()} == {
        "lucun:a": "canonical", "lucun:b": "near", "xianbao:c": "exact",
    }  # fmt: skip
    assert members["xianbao:c"]["sighting"]["site"] == "xianbao"
    assert (members["lucun:b"]["sighting"]["place"], members["lucun:b"]["sighting"]["places"]) == (1, 1)
    steps = [(one["kind"], one["a"], one["b"]) for one in shown["differences"]["lucun:b"]]
    assert steps == [("changed", "三", "四"), ("changed", "没有向村民摊派一分钱。", "")]
    assert shown["differences"]["xianbao:c"] == []
    edges = {(e["piece_id"], e["relation"], e["other"]["piece_id"]) for e in shown["cluster"]["edges"]}
    assert ("lucun:a", "contained_in", "zhenzhi:e") in edges


def test_pairs_have_their_passages_where_wanted(filled: Run) -> None:
    rows = [json.loads(line) for line in filled("duplicates", "--json", "--passages").out.splitlines()]
    of = {(row["a"], row["b"]): row for row in rows}
    at = letter(2).index(REPORT)
    assert of["a", "e"]["passages"] == [[0, len(REPORT), at, at + len(REPORT)]]
    assert of["a", "c"]["passages"] == [[0, len(REPORT), 0, len(REPORT)]]
    assert len(of["a", "b"]["passages"]) == 1
    plain = [json.loads(line) for line in filled("duplicates", "--json").out.splitlines()]
    assert plain == [{name: value for name, value in row.items() if name != "passages"} for row in rows]


def test_reuse_lists_what_sites_share_and_where(filled: Run) -> None:
    filled("duplicates")
    done = filled("reuse")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("3 sites, 5 pieces, ")
    assert lines[0].endswith(f" characters: {REPORT[:60]}…")
    assert lines[5] == "  and 1 more"
    assert lines[-1] == "1 passages."
    (passage,) = [json.loads(line) for line in filled("reuse", "--json").out.splitlines()]
    assert (passage["sites"], passage["pieces"], passage["text"]) == (3, 5, REPORT[:-1])
    spans = {one["sighting"]["piece_id"]: (one["begin"], one["end"]) for one in passage["holders"]}
    at = letter(1).index(REPORT)
    assert spans["xianbao:d"] == (at, at + len(REPORT) - 1)
    assert spans["lucun:b"] == (0, len(EDITED) - 1)
    assert filled("reuse", "--max-pieces", "4").out == "No passage is shared like that.\n"


def test_the_matrix_stands_both_ways_round(filled: Run) -> None:
    filled("duplicates")
    cells = {(c["site"], c["other"]): c for c in json.loads(filled("reuse", "--matrix", "--json").out)}
    assert {names: (c["pieces"], c["pairs"]) for names, c in cells.items()} == {
        ("lucun", "xianbao"): (2, 4), ("xianbao", "lucun"): (2, 4),
        ("lucun", "zhenzhi"): (2, 2), ("zhenzhi", "lucun"): (1, 2),
        ("xianbao", "zhenzhi"): (2, 2), ("zhenzhi", "xianbao"): (1, 2),
    }  # fmt: skip
    lines = filled("reuse", "--matrix").out.splitlines()
    assert [line.split() for line in lines[1:5]] == [
        ["site", "1", "2", "3"],
        ["1", "lucun", "–", "2", "2"],
        ["2", "xianbao", "2", "–", "2"],
        ["3", "zhenzhi", "1", "1", "–"],
    ]
    assert (
        filled("reuse", "--matrix", "--limit", "2").out.splitlines()[-1]
        == "1 more sites; --limit 0 shows all."
    )


def test_reading_waits_for_nobody(filled: Run, tmp_path: Path) -> None:
    filled("duplicates")
    with Home(tmp_path / "home").locked("another"):
        assert filled("duplicates", "show", "lucun:a").code == 0
        assert filled("reuse").code == 0
        assert filled("duplicates").code == 4


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["duplicates", "show", "没有"], "No piece, cluster or page of the corpus is called 没有 now"),
        (["duplicates", "--json", "show", "lucun:a"], "--json goes behind 'show'"),
        (["duplicates", "--passages"], "--passages needs --json"),
        (["reuse", "--site", "wuci"], "The corpus has no site wuci"),
        (["reuse", "--min-chars", "5"], "--min-chars"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(filled: Run, words: list[str], sentence: str) -> None:
    done = filled(*words)
    assert done.code == 2
    assert sentence in done.err
    assert done.err.strip().count("\n") == 0 or "have changed" in done.err


def test_without_a_corpus_there_is_nothing_to_show(fanwen: Run) -> None:
    for words in (["duplicates", "show", "x"], ["reuse"], ["reuse", "--matrix"]):
        done = fanwen(*words)
        assert (done.code, done.out) == (2, "")
        assert "There is no corpus" in done.err
