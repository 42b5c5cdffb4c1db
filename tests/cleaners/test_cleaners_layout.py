"""Layout repairs, each with its evidence, each idempotent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cleaner_texts import PROSE

from fanwen.cleaners import (
    boilerplate,
    damage,
    glued,
    layout,
)
from fanwen.cleaners.trace import Change, apply


def test_unwrap_by_indent_and_by_width() -> None:
    def wrap(indent: str) -> str:
        lines = []
        for paragraph in PROSE * 2:
            whole = ("　　" if indent else "") + paragraph
            lines += [whole[i : i + 30] for i in range(0, len(whole), 30)]
        return "\n".join(lines)

    for indent in ("　　", ""):
        text = wrap(indent)
        once = apply(text, layout.unwrap(text))
        assert [line.strip("　") for line in once.split("\n")] == list(PROSE * 2)
        assert apply(once, layout.unwrap(once)) == once


def test_running_heads_and_page_numbers_between_pages() -> None:
    pages = [f"山谷馆  年终总结\n\n{PROSE[k]}\n\n第 {k + 1} 页 共 3 页" for k in range(3)]
    text = "\n\n".join(pages)
    cleaned = apply(text, layout.furniture(text))
    assert [line for line in cleaned.split("\n") if line] == list(PROSE[:3])
    one = f"年终总结\n{PROSE[0]}\n3 / 17\n{PROSE[1]}"
    assert layout.furniture(one) == []


def test_chunk_numbers() -> None:
    prose = "".join(PROSE)
    text = "".join(f"{prose}{prose}我们先量尺\n{k}、寸，再看通风。" for k in range(2, 6))
    cleaned = apply(text, glued.chunk_numbers(text))
    assert cleaned.count("先量尺寸，再看通风") == 4
    lists = "".join(f"{prose}{prose}\n{k}、盘点。" for k in range(2, 6))
    assert glued.chunk_numbers(lists) == []


def joined(text: str) -> str:
    return apply(text, layout.page_joins(text, frozenset()))


def test_what_stood_between_two_halves_of_a_sentence_is_evidence() -> None:
    """Where a line was taken out an empty one is left; nothing else has empty lines."""
    around = "\n".join(PROSE)
    for first, second in (
        ("入冬以后，馆里的暖气一直", "烧到二十度，老人们都说舒服。"),
        ("(二)先登记，后上架。全部新书都由两个人核对，", "谁核对谁签字，一本也没有错。"),
        ("新来的三位同志白天盘点、晚上", "学编目，两个月就能独立值班；"),
    ):
        text = f"{around}\n{first}\n\n{second}\n{around}"
        assert joined(text) == f"{around}\n{first}{second}\n{around}"
        assert joined(text.replace("\n\n", "\n")) == text.replace("\n\n", "\n")
    for first, second in (
        ("三、下一步打算", "明年我们打算多买三百册书。"),
        ("一、加强学习，提高认识", "全馆每周学习一次，人人都有笔记。"),
        ("山谷县图书馆", "今年的账目已经公布。"),
        ("读者人数、借书册数", "二是把地下室腾出来。"),
        ("申请人：王小明，山谷镇", "二〇二三年五月，星期一。"),
    ):
        text = f"{around}\n{first}\n\n{second}\n{around}"
        assert joined(text) == text
    # empty lines between all paragraphs say nothing
    text = "\n\n".join([*PROSE, "入冬以后，馆里的暖气一直", "烧到二十度，老人们都说舒服。", *PROSE])
    assert joined(text) == text


STAGES: dict[str, Callable[[str], list[Change]]] = {
    "invisible": damage.invisible,
    "markup": damage.markup,
    "anticopy": damage.anticopy,
    "pinyin": damage.pinyin,
    "walls": boilerplate.walls,
    "lines": boilerplate.lines,
    "phrases": boilerplate.phrases,
    "furniture": layout.furniture,
    "contents": layout.contents,
    "stutter": layout.stutter,
    "wrap_spaces": layout.wrap_spaces,
    "unwrap": layout.unwrap,
    "page_joins": lambda text: layout.page_joins(text, frozenset()),
    "chunk_numbers": glued.chunk_numbers,
    "glued_numbers": lambda text: glued.glued_numbers(text, 17),
    "flattened": layout.flattened,
    "finish": layout.finish,
}


@pytest.mark.parametrize("name", sorted(STAGES))
def test_stages_are_idempotent_on_the_seeds(name: str, seed_text: dict[str, str]) -> None:
    for text in seed_text.values():
        once = apply(text, STAGES[name](text))
        assert apply(once, STAGES[name](once)) == once


def wrapped(lines: list[str], width: int) -> str:
    """One long text in paragraphs, with a space at every ``width`` characters of the whole."""
    whole = "\n".join(lines)
    return " ".join(whole[at : at + width] for at in range(0, len(whole), width))


def test_spaces_at_one_distance_over_all_paragraphs_are_line_ends() -> None:
    text = wrapped([*PROSE, *PROSE], 34)
    assert apply(text, layout.wrap_spaces(text)).replace(" ", "") == "\n".join([*PROSE, *PROSE])
    assert apply(text, layout.wrap_spaces(text)).count(" ") <= 1


def test_spaces_at_one_distance_from_the_paragraphs_beginning_are_line_ends() -> None:
    lines = [line[:32] + " " + line[32:] for line in [*PROSE, *PROSE]]
    text = "\n".join(lines)
    assert apply(text, layout.wrap_spaces(text)) == "\n".join([*PROSE, *PROSE])


def test_spaces_at_any_distance_stay() -> None:
    text = "\n".join(line[: k + 3] + " " + line[k + 3 :] for k, line in enumerate([*PROSE, *PROSE]))
    assert apply(text, layout.wrap_spaces(text)) == text


def test_signatures_side_by_side_are_no_stutter() -> None:
    text = f"{PROSE[0]}\n代表人：________ 代表人：________"
    assert apply(text, layout.stutter(text)) == text


def test_numbers_with_blanks_behind_commas_are_page_numbers() -> None:
    marks = [line.replace("，", f"， {k} ", 1) for k, line in ((1, PROSE[0]), (2, PROSE[1]), (3, PROSE[4]))]
    between = "\n".join([*PROSE[2:4], *PROSE[2:4]])
    text = f"\n{between}\n".join(marks)
    assert not any(c.isdigit() for c in apply(text, glued.glued_numbers(text)))


def test_sheets_are_pages_too() -> None:
    head = "溪口资料站 图书馆工作总结"
    sheets = [f"{head}\n{PROSE[k]}\n{PROSE[k + 1]}\n~~ 第{k + 1}张 / 共3张 ~~" for k in range(3)]
    text = "\n".join(sheets)
    cleaned = apply(text, layout.furniture(text))
    assert "共3张" not in cleaned
    assert head not in cleaned
    assert all(line in cleaned for line in PROSE[:4])
