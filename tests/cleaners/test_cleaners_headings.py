"""Compilations whose headings are bare, missing, miscounted or only short lines."""

from __future__ import annotations

import pytest
from cleaner_texts import PROSE

from fanwen.cleaners import letters
from fanwen.cleaners.split import split
from fanwen.cleaners.titles import titles


def letter(k: int) -> str:
    """An application with a salutation, four paragraphs, a signature and a date."""
    lines = [PROSE[(k + i) % len(PROSE)] for i in range(4)]
    return "\n".join(["尊敬的馆长：", *lines, "此致", "敬礼", f"申请人：第{k}号馆员", f"2021年{k}月3日"])


def prose(k: int) -> str:
    return "\n".join(PROSE[(k + i) % len(PROSE)] for i in range(4))


def bodies(text: str, title: str, emphasised: frozenset[str] = frozenset()) -> list[tuple[str | None, str]]:
    found = split(text, titles([title]), emphasised)
    return [(part.title, text[part.begin : part.end]) for part in found.parts]


@pytest.mark.parametrize("form", ["（{}）", "{}", "【{}】", "第{}"])
def test_bare_numbers_between_letters_are_headings(form: str) -> None:
    text = "\n".join(f"{form.format(n)}\n{letter(k)}" for k, n in enumerate("一二三", 1))
    assert [body for _, body in bodies(text, "借书申请书")] == [letter(1), letter(2), letter(3)]


def test_bare_numbers_are_sections_where_no_page_promises_pieces() -> None:
    text = "\n".join(f"{n}\n{prose(k)}" for k, n in enumerate("一二三", 1))
    assert len(bodies(text, "馆员手记")) == 1
    assert len(bodies(text, "馆员手记三篇")) == 3


def test_a_number_that_comes_twice_stands_for_the_next() -> None:
    text = "\n".join(f"{n}\n{letter(k)}" for k, n in enumerate("1224", 1))
    assert [body for _, body in bodies(text, "检讨书大全")] == [letter(k) for k in range(1, 5)]


def test_a_letter_without_its_heading_is_found_in_the_gap() -> None:
    text = f"申请书范本一\n{letter(1)}\n{letter(2)}\n申请书范本三\n{letter(3)}"
    assert [body for _, body in bodies(text, "申请书范本三则")] == [letter(1), letter(2), letter(3)]


def test_two_dates_without_a_gap_make_no_letter() -> None:
    text = f"申请书范本一\n{letter(1)}\n{letter(2)}\n申请书范本二\n{letter(3)}"
    assert len(bodies(text, "申请书范本二则")) == 2


def test_letters_without_any_heading_split_where_as_many_are_promised() -> None:
    text = "\n".join(letter(k) for k in (1, 2, 3))
    assert [body for _, body in bodies(text, "借书申请书（三篇）")] == [letter(1), letter(2), letter(3)]
    assert len(bodies(text, "借书申请书（五篇）")) == 1


def test_short_lines_are_titles_where_exactly_as_many_are_promised() -> None:
    names = ["木架上的灯", "停电那几天", "四个人的书会"]
    text = "\n".join(f"{name}\n{prose(k)}" for k, name in enumerate(names))
    assert [title for title, _ in bodies(text, "图书馆的故事（3篇）")] == names
    assert len(bodies(text, "图书馆的故事（4篇）")) == 1


def test_an_editors_section_behind_the_last_piece_is_left_out() -> None:
    text = f"图书馆总结篇一\n{prose(1)}\n图书馆总结篇二\n{prose(2)}\n写在最后\n好总结不在长短，在于说真话。"
    found = bodies(text, "图书馆总结（2篇）", frozenset(["写在最后"]))
    assert [body for _, body in found] == [prose(1), prose(2)]
    assert bodies(text, "图书馆总结（2篇）")[-1][1].endswith("在于说真话。")


def test_a_count_in_the_title_line_is_no_ordinal() -> None:
    text = (
        f"图书馆总结范文（三篇）\n总结范文之一 借阅台的总结\n{prose(1)}\n总结范文之二 木架的总结\n{prose(2)}"
    )
    assert [title for title, _ in bodies(text, "图书馆总结范文（三篇）")] == ["借阅台的总结", "木架的总结"]


@pytest.mark.parametrize(
    "line", ["尊敬的各位领导：", "各位老师、同学们:", "**镇党委、政府：", "亲爱的爸爸妈妈：", "市教育局："]
)
def test_salutations(line: str) -> None:
    assert letters.is_salutation(line)


@pytest.mark.parametrize(
    "line",
    [
        "一、抓学习：",
        "会议指出：",
        "具体做法如下：",
        "他对我说：",
        "时间：下午三点",
        "实习单位：",
        "存在的不足之处：",
        "这样做最大的好处：",
    ],
)
def test_no_salutations(line: str) -> None:
    assert not letters.is_salutation(line)


@pytest.mark.parametrize(
    "line", ["20xx年5月4日", "申请人：李某某", "11月14日", "二〇二三年七月", "检讨人：初二（3）班 某某"]
)
def test_signatures(line: str) -> None:
    assert letters.is_signature(line)


@pytest.mark.parametrize(
    "line", ["2023年，我们修了三个木架。", "今年5月4日，馆里停电。", "主持人：下面开会，请大家安静。"]
)
def test_no_signatures(line: str) -> None:
    assert not letters.is_signature(line)
