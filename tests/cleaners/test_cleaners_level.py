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


@pytest.mark.parametrize(
    ("text", "heading", "title", "year"),
    [
        (BODY, "2024年度工作总结", None, "2024"),
        (BODY, "二〇二三年工作要点", None, "二〇二三"),
        (BODY, "20xx年个人述职报告", None, "20xx"),
        (BODY, "XX县2023年防汛工作汇报", None, "2023"),
        (BODY, "202X年上半年工作小结", None, "202X"),
        (BODY, "2021—2022学年度第二学期班主任计划", None, "2021"),
        (BODY, "2023届毕业生代表发言稿", None, "2023"),
        (BODY, "二○一九年党建工作总结", None, "二○一九"),
        (BODY, "２０２２年工作总结", None, "２０２２"),
        (BODY, "2020年春季学期教研组工作计划", None, "2020"),
        (BODY, "工作总结（2022年）", None, "2022"),
        (BODY, "20__—20__学年度德育工作总结", None, "20__"),
        (BODY, "xx年度财务工作总结", "2025年财务总结大全", "xx"),
        (BODY, "一九九八年抗洪抢险总结", None, "一九九八"),
        (BODY, "关于2018年度考核情况的报告", None, "2018"),
        (BODY, "“十四五”规划（2021-2025年）实施情况", None, "2021"),
        (BODY, "学习1921精神演讲稿", None, None),
        (BODY, "献给2008年汶川地震遇难者的演讲稿", None, "2008"),
        (BODY, "公司年会致辞（2019）", None, "2019"),
        (BODY, "第2023期简报", None, None),
        (f"{BODY}\n2017年12月31日", "2023年工作总结", None, None),
        (f"2017年，{BODY}\n2017年12月31日", "2023年工作总结", None, None),
        (f"2023年，{BODY}\n2024年1月5日", "2023年工作总结", None, "2023"),
        (f"{BODY}\n2022年12月20日", "2023年工作计划", None, "2023"),
        (f"我出生于1990年，2012年参加工作。{BODY}", "个人述职报告", "2024年个人述职报告精选", "2024"),
        (f"{BODY}\n二〇二一年三月五日", "申请书", None, "二〇二一"),
        (f"2020年以来，我镇共投入资金2000万元。{BODY}", "汇报", None, "2020"),
        (BODY, "篇三", "2022最新工作总结", "2022"),
        (f"1998年洪水过后，全村重建。2016年，我们{BODY}", "村委会工作总结", None, None),
        (f"{BODY}\n20xx年x月x日", "工作总结", "2021年工作总结（优秀5篇）", "20xx"),
    ],
)
def test_year_of_headings_and_where_the_text_contradicts_itself(
    text: str, heading: str | None, title: str | None, year: str | None
) -> None:
    assert year_of(text, heading, title) == year


@pytest.mark.parametrize(
    ("text", "title", "level"),
    [
        (BODY, "某某小学安全工作总结", "学校"),
        (BODY, "XX镇人民政府工作报告", "镇"),
        (BODY, "xx县2023年脱贫攻坚工作汇报", "县"),
        (BODY, "XX市卫生健康委员会工作总结", "市"),
        (BODY, "某省教育厅关于高考工作的通知", "省"),
        (BODY, "××村委会换届工作总结", "村"),
        (BODY, "幸福社区居民委员会述职报告", "社区"),
        (BODY, "第三实验幼儿园大班班级计划", "学校"),
        (BODY, "XX集团有限公司年度工作报告", "企业"),
        (BODY, "中国农业银行某支行工作总结", "企业"),
        (BODY, "市第一人民医院护理部工作总结", "市"),
        (BODY, "乡党委书记述职述廉报告", "乡"),
        (BODY, "青山乡中心小学教学计划", "学校"),
        (BODY, "镇长在全镇安全生产会议上的讲话", "镇"),
        (BODY, "县委书记在三级干部会上的讲话", "县"),
        (BODY, "市长热线办理情况汇报", "市"),
        (BODY, "小区物业保安工作总结", "企业"),
        (BODY, "区教育局工作要点", "县"),
        (BODY, "高新区管委会工作总结", None),
        (BODY, "家乡的变化", None),
        (BODY, "我的中国梦演讲稿", None),
        (BODY, "乡村振兴工作总结", None),
        (BODY, "城镇化建设调研报告", None),
        (BODY, "村级后备干部培养计划", "村"),
        (BODY, "街道办事处创文工作汇报", "社区"),
        (BODY, "民族小学校长述职报告", "学校"),
        (BODY, "省级文明单位创建汇报材料", None),
        (BODY, "市场营销部年终总结", "企业"),
        (f"我局按照市委、市政府的部署，扎实工作。全局上下{BODY}", "工作总结", "市"),
        (f"我县地处山区，县委县政府高度重视。各乡镇{BODY}", "汇报材料", "县"),
        (f"各位同学：大家好！我是初二三班的学生。{BODY}", "竞选演讲稿", "学校"),
        (f"尊敬的公司领导：我于去年进入公司。{BODY}", "辞职申请书", "企业"),
        (f"我村现有村民三百户，村两委班子{BODY}", "工作总结", "村"),
    ],
)
def test_level_of_more_headings(text: str, title: str | None, level: str | None) -> None:
    assert level_of(text, title) == level
