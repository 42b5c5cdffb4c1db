"""What differs between two texts, step by step and as people read it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwen.corpus.differences import as_lines, differences
from fanwen.corpus.types import Difference

STUDY = "在学习方面，我利用晚上的时间自学了数控编程，把学到的方法写成小册子，发给班里的每一个人。"
LIFE = "在生活方面，我关心每一位工友的家庭情况，谁家里有困难，我都第一时间上门看望，帮忙联系工会。"
WORK = "在车间里，我带领十二名工友完成了三条生产线的改造，全年没有发生一起安全事故，设备完好率一直领先。"
END = "明年，我打算继续做好设备保养，并争取把合格率再提高一个百分点，为工厂的发展多出一份力。"
LETTERS = st.text(alphabet="山水田林，。 12", max_size=40)


def changed(a: str, b: str, *, exact: bool = False) -> list[tuple[str, str]]:
    return [(one.a, one.b) for one in differences(a, b, exact=exact) if one.kind == "changed"]


def lines(a: str, b: str, *, exact: bool = False, full: bool = False) -> list[str]:
    return [line.strip() for line in as_lines(differences(a, b, exact=exact), full=full)]


def test_only_what_differs_is_marked() -> None:
    a = STUDY + WORK + LIFE
    b = a.replace("，全年没有发生一起安全事故", "").replace("数控编程", "数控机床编程")
    assert changed(a, b) == [("", "机床"), ("全年没有发生一起安全事故，", "")]


def test_single_characters_side_by_side_are_one_change() -> None:
    # 二, 名 and 友 in the middle stay equal, and would tear one change into three
    assert changed(WORK, WORK.replace("十二名工友", "十五名朋友")) == [("二名工", "五名朋")]


def test_other_numbers_are_differences_and_other_widths_are_none() -> None:
    a = f"2023年，{WORK}投入1,200元。"
    assert changed(a, a.replace("2023", "２０２３").replace("1,200", "1200").replace("，", ",")) == []
    assert changed(a, a.replace("2023", "2024")) == [("2023", "2024")]
    assert changed(a.replace("1,200", "3.5"), a.replace("1,200", "35")) == [("3.5", "35")]


def test_exact_marks_punctuation_and_script_too() -> None:
    a = f"{WORK}\n{LIFE}"
    b = a.replace("工会。", "工會！").replace("\n", "\n\n")
    assert changed(a, b) == []
    assert changed(a, b, exact=True) == [("先。\n", "先。\n\n"), ("会。", "會！")]


def test_a_moved_paragraph_is_moved_and_not_deleted() -> None:
    a, b = STUDY + WORK + LIFE + END, LIFE + STUDY + WORK.replace("十二名", "三十名") + END
    found = [one for one in differences(a, b) if one.kind != "equal"]
    assert [(one.kind, one.a, one.b) for one in found] == [
        ("moved_to", LIFE, LIFE),
        ("changed", "十二", "三十"),
        ("moved_from", LIFE, ""),
    ]
    assert [a[one.a_begin : one.a_end] for one in found[::2]] == [LIFE, LIFE]


def test_what_changed_within_a_moved_paragraph_is_marked_there() -> None:
    begin, end = LIFE.split("家庭情况")
    found = differences(LIFE + STUDY + WORK, STUDY + WORK + f"{begin}身体状况{end}")
    assert [(one.kind, one.a, one.b) for one in found if one.kind != "equal"] == [
        ("moved_from", LIFE, ""),
        ("moved_to", begin, begin),
        ("changed", "家庭情", "身体状"),
        ("moved_to", "况" + end, "况" + end),
    ]


def test_lines_are_cut_to_what_is_needed() -> None:
    a = STUDY + WORK + LIFE + END
    b = a.replace("晚上", "周末").replace("争取", "力求")
    assert lines(a, b) == [
        "9  在学习方面，我利用[-晚上-]{+周末+}的时间自学了数控编程，把学到的方…",
        f"{b.index('力求')}  …明年，我打算继续做好设备保养，并[-争取-]{{+力求+}}把合格率再提高一个百分点，为工厂的发展多出一份力。",
    ]
    (whole,) = lines(a, b, full=True)
    assert whole.endswith(
        a[a.index("的时间") : a.index("争取")] + "[-争取-]{+力求+}" + a[a.index("把合格率") :]
    )


def test_a_long_change_is_cut_in_the_middle_and_says_how_much_is_left_out() -> None:
    (line,) = lines(STUDY, STUDY + WORK + LIFE + END)
    left_out = len(WORK + LIFE + END) - 2 * 26
    assert line.endswith(f"{{+{WORK[:26]}…({left_out:,})…{END[-26:]}+}}")


def test_on_a_terminal_colours_say_what_brackets_say_in_a_pipe() -> None:
    found = differences(STUDY + LIFE, STUDY.replace("晚上", "周末") + LIFE)
    (line,) = as_lines(found, colour=True)
    assert "\x1b[31m晚上\x1b[0m\x1b[32m周末\x1b[0m" in line
    assert not set("[]{}") & set(line.replace("\x1b[", ""))


def test_what_would_steer_a_terminal_is_named() -> None:
    (line,) = lines(STUDY, STUDY + "春\x1b[2J夏")
    assert line.endswith("{+春‹U+001B›[2J夏+}")


@pytest.mark.parametrize(
    ("a", "b"), [("", ""), ("。", "！"), (STUDY, STUDY), (STUDY, STUDY.replace("，", ","))]
)
def test_equal_texts_give_no_line(a: str, b: str) -> None:
    assert lines(a, b) == []


def rebuilt(
    found: tuple[Difference, ...], side: Callable[[Difference], tuple[int, int]], kind: str
) -> list[int]:
    """The places of one text that the steps cover, in order; the other end of what has moved left out."""
    return [place for one in found if one.kind != kind for place in range(*side(one))]


@given(LETTERS, LETTERS, st.sampled_from((STUDY, WORK + LIFE, "")), st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_the_way_leads_through_both_texts(
    one: str, other: str, third: str, turned: bool, exact: bool
) -> None:
    a = one + STUDY + third + other + LIFE
    b = LIFE + other + third + STUDY if turned else other + STUDY + third + LIFE
    found = differences(a, b, exact=exact)
    assert all((a[d.a_begin : d.a_end], b[d.b_begin : d.b_end]) == (d.a, d.b) for d in found)
    if exact:
        assert all(d.a == d.b for d in found if d.kind == "equal")
    # every place of b is walked once and in order
    assert rebuilt(found, lambda d: (d.b_begin, d.b_end), "moved_from") == list(range(len(b)))
    if not any(d.kind.startswith("moved") for d in found):
        assert rebuilt(found, lambda d: (d.a_begin, d.a_end), "") == list(range(len(a)))
