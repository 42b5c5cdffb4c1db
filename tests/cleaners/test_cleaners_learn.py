"""What rules learn proposes and what it must not; and that every rule is listed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from cleaner_texts import PROSE

from fanwen.cleaners.audit import FAMILIES, known_rules, segments
from fanwen.cleaners.learn import Learnt, propose, to_toml
from fanwen.cleaners.pipeline import clean_document, trace_document
from fanwen.cleaners.types import ExtractHints, Page

ROOT = Path(__file__).resolve().parents[2]


def own(k: int, count: int = 4) -> list[str]:
    """Paragraphs that stand on page ``k`` and on no other."""
    return [f"{PROSE[(k + i) % 6][:-1]}，记在第{k * 11 + i}号簿子里。" for i in range(count)]


def learn(pages: Sequence[Sequence[str]], *, min_pages: int = 5) -> Learnt:
    documents = (
        trace_document([Page(f"https://a.example/{k:03}.txt", "\n\n".join(lines).encode(), "text/plain")])
        for k, lines in enumerate(pages)
    )
    return propose(documents, min_pages=min_pages)


def texts(learnt: Learnt) -> set[str]:
    return {one.text for one in learnt.proposals}


@pytest.mark.parametrize(
    ("where", "position"),
    [(lambda line, k: [line, *own(k)], "top"), (lambda line, k: [*own(k), line], "bottom"),
     (lambda line, k: [*own(k, 8)[:4], line, *own(k + 50, 8)], "middle")],
)  # fmt: skip
def test_a_line_of_the_site_is_proposed(where: object, position: str) -> None:
    line = "青石巷书屋整理，欢迎街坊来信"
    learnt = learn([where(line, k) for k in range(8)] + [own(k + 100) for k in range(4)])
    (found,) = [one for one in learnt.proposals if one.text == line]
    assert (found.pages, found.share, found.position) == (8, 0.6667, position)
    assert found.example == "https://a.example/000.txt"
    assert learnt.pages == 12


def test_few_pages_are_not_enough() -> None:
    line = "青石巷书屋整理，欢迎街坊来信"
    pages = [[*own(k), *([line] if k < 4 else [])] for k in range(12)]
    assert line not in texts(learn(pages))
    assert line in texts(learn(pages, min_pages=4))


def test_a_sentence_of_an_essay_that_pages_copied_is_not_proposed() -> None:
    essay = list(PROSE[:5])
    placed = [
        [*own(k)[: k % 4], *essay, *own(k + 40)] if k % 3 else [*own(k), *own(k + 40), *essay]
        for k in range(9)
    ]
    learnt = learn(placed + [own(k + 100) for k in range(9)])
    assert not texts(learnt) & set(essay)


def test_one_copied_sentence_in_the_middle_is_not_proposed() -> None:
    pages = [[*own(k, 6), PROSE[3], *own(k + 40, 6)] for k in range(8)]
    assert PROSE[3] not in texts(learn(pages + [own(k + 100) for k in range(4)]))


@pytest.mark.parametrize(
    "line",
    ["篇一", "第二篇：图书馆工作总结", "工作总结范文3", "一、指导思想", "（二）主要做法", "图书馆工作总结", "尊敬的各位领导：",
     "各位老师，大家好！", "谢谢大家！", "此致", "敬礼！", "申请人：某某某", "20xx年x月x日", "汇报完毕，请批评指正。"],
)  # fmt: skip
def test_what_essays_have_in_common_is_not_proposed(line: str) -> None:
    for pages in ([[line, *own(k)] for k in range(8)], [[*own(k), line] for k in range(8)]):
        assert line not in texts(learn(pages))


def test_the_same_page_twice_counts_once() -> None:
    line = "青石巷书屋整理，欢迎街坊来信"
    assert learn([[*own(1), line]] * 9 + [own(k) for k in range(2, 6)]).proposals == ()


def test_a_line_that_a_rule_takes_already_says_so() -> None:
    learnt = learn([[*own(k), "点击下载文档"] for k in range(8)])
    (found,) = [one for one in learnt.proposals if one.text == "点击下载文档"]
    assert found.taken_by is not None
    assert found.taken_by.startswith("boilerplate.")
    assert found not in learnt.new


def test_refused_pages_do_not_count() -> None:
    english = [
        ["The willows along the bank were planted long ago. " * 9, "an English line of it"] for _ in range(9)
    ]
    assert learn([*english, *(own(k) for k in range(3))]).pages == 3


def test_order_does_not_matter_and_the_file_is_toml() -> None:
    line = '青石巷"书屋"\\整理，欢迎街坊来信'
    pages = [[*own(k), line] for k in range(8)]
    learnt = learn(pages)
    documents = [
        trace_document([Page(f"https://a.example/{k:03}.txt", "\n\n".join(pages[k]).encode(), "text/plain")])
        for k in reversed(range(8))
    ]
    assert propose(documents) == learnt
    text = to_toml("a.example", learnt, 8)
    data = tomllib.loads(text)
    assert [row["text"] for row in data["line"]] == [one.text for one in learnt.proposals]
    assert data["line"][0]["text"] == line
    assert data["site"] == "a.example"


def test_an_approved_line_is_removed_where_it_stands_alone() -> None:
    line = "青石巷书屋整理，欢迎街坊来信"
    inside = f"布告上写着{line}，路过的人都停下来看。"
    body = "\n\n".join([*own(1), f"　　{line} ", inside, *own(30)])
    page = Page("https://a.example/1.txt", body.encode(), "text/plain")
    without = clean_document([page])
    assert line in without.pieces[0].text.split("\n")
    cleaned = clean_document([page], ExtractHints(lines=(line,)))
    assert line not in cleaned.pieces[0].text.split("\n")
    assert inside in cleaned.pieces[0].text.split("\n")
    (hit,) = [hit for hit in cleaned.document.rule_hits if hit.rule == "site.line"]
    assert (hit.count, hit.chars) == (1, len(line))


def test_segments_put_together_are_the_text_and_its_pieces() -> None:
    wrapped = "\n".join("　　" + line[:20] + "\n" + line[20:] for line in PROSE)
    traditional = "\n\n".join(
        ["圖書館工作總結", *(line.replace("图书馆", "圖書館") for line in own(2)), "謝謝大家！"]
    )
    for body in (wrapped, traditional, "\n\n".join(["# 图书馆工作总结", *own(3), "点击下载文档", *own(40)])):
        traced = trace_document([Page("urn:x", body.encode(), "text/plain")])
        found = segments(traced)
        assert "".join(s.text for s in found if s.kind != "added") == traced.trace.original
        for piece in traced.cleaned.pieces:
            inside = [s for s in found if s.piece == piece.index]
            assert "".join(s.text for s in inside if s.kind != "added") == piece.text_original
            if traced.cleaned.document.opencc is None:
                assert "".join(s.text for s in inside if s.kind != "cut") == piece.text


def test_every_rule_in_code_is_listed() -> None:
    """A rule that is not listed could not be reported as one that never fired."""
    families = "|".join(FAMILIES)
    named = {
        name
        for file in (ROOT / "cleaners").glob("*.py")
        if file.name != "audit.py"
        for name in re.findall(rf'"((?:{families})\.[a-z_]+)"', file.read_text(encoding="utf-8"))
        if not name.endswith(".toml")
    }
    assert "layout.unwrap" in named
    missing = named - {"text.normal"} - set(known_rules())
    assert not missing, f"add to _IN_CODE in cleaners/audit.py: {sorted(missing)}"
    assert {rule.partition(".")[0] for rule in known_rules()} == set(FAMILIES)
