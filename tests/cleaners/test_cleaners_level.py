"""The year a piece names, as written, and the level it was written on."""

from __future__ import annotations

import pytest

from fanwen.cleaners.level import level_of, year_of

BODY = "今年以来，我们围绕中心任务，做了一些事情，现在写在这里。"


@pytest.mark.parametrize(
    ("text", "heading", "title", "year"),
    [
        (BODY, "2021年工作总结", None, "2021"),
        (BODY, "2019-2020学年第一学期教学总结", None, "2019"),
        (BODY, "2018图书馆工作计划", None, "2018"),
        (BODY, "20xx年工作总结", None, "20xx"),
        (BODY, "20**年工作总结", None, "20**"),
        (BODY, "201X年工作总结", None, "201X"),
        (BODY, "二〇一七年工作总结", None, "二〇一七"),
        (f"20__年上半年，{BODY}", None, None, "20__"),
        (f"{BODY}\n图书馆\n2016年3月5日", None, None, "2016"),
        (f"山政发〔2015〕8号\n{BODY}", None, None, "2015"),
        # the site's title carries the current year: what the text says comes first
        (f"2014年，{BODY}", None, "2024年工作总结精选五篇", "2014"),
        (BODY, "篇一", "2024年工作总结精选五篇", "2024"),
        (f"我1998年毕业，{BODY}", None, None, None),
        (f"全馆投入2015元，接待2018人，{BODY}", None, None, None),
        (f"电话0912-2015233，{BODY}", None, None, None),
        (BODY, "工作总结", None, None),
    ],
)
def test_year_as_the_text_says_it(
    text: str, heading: str | None, title: str | None, year: str | None
) -> None:
    assert year_of(text, heading, title) == year


@pytest.mark.parametrize(
    ("text", "title", "level"),
    [
        (BODY, "山谷县第一中学工作总结", "学校"),
        (BODY, "村小学安全工作计划", "学校"),
        (BODY, "班主任工作总结", "学校"),
        (BODY, "某某物业公司年终总结", "企业"),
        (BODY, "酒店前厅部工作计划", "企业"),
        (BODY, "村党支部书记述职报告", "村"),
        (BODY, "驻村工作总结", "村"),
        (BODY, "社区创卫工作总结", "社区"),
        (BODY, "石桥镇防汛工作汇报", "镇"),
        (BODY, "河口乡计生工作总结", "乡"),
        (BODY, "县残联工作总结", "县"),
        (BODY, "市财政局工作要点", "市"),
        (BODY, "省水利厅工作总结", "省"),
        (f"我镇高度重视，镇党委多次开会。{BODY}", None, "镇"),
        (f"我校全体教师和学生参加了活动。{BODY}", "活动总结", "学校"),
        (f"我公司销售部超额完成任务。{BODY}", "工作总结", "企业"),
        (f"我市召开会议，市委作了部署。{BODY}", "工作总结", "市"),
        (BODY, "工作总结", None),
        (BODY, "市场调查报告", None),
        (BODY, "我的家乡", None),
        (BODY, "节省用电倡议书", None),
        (BODY, "学习心得体会", None),
        (BODY, "大学习大讨论心得", None),
    ],
)
def test_level_by_title_and_first_lines(text: str, title: str | None, level: str | None) -> None:
    assert level_of(text, title) == level
