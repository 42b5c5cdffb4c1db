"""What a page claims about its article, in wordings of many sites, and what an essay says of itself."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwen.cleaners.claims import read_claims
from fanwen.cleaners.types import Claim, Claims

KINDS = tuple(field.name for field in fields(Claims))
TITLE = "图书馆年度工作总结"
BODY = (
    "今年以来，图书馆围绕服务读者这个中心，延长了开放时间，新购图书三千余册，举办讲座十二场，读者满意度比去年有了明显提高。",
    "在书籍管理上，我们重新编目，整理书架，修补旧书，并把流通数据每月公布一次，方便老师和同学们随时查询、预约和续借。",
)


def claimed(*lines: str) -> dict[str, str]:
    """What a page of these lines claims; every claim stands where it says it does."""
    claims = read_claims(lines)
    found: dict[str, Claim] = {k: getattr(claims, k) for k in KINDS if getattr(claims, k)}
    for claim in found.values():
        assert claim.line in lines
        assert claim.line[claim.begin : claim.end] == claim.value != ""
    return {k: claim.value for k, claim in found.items()}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("发布时间：2021-03-04 09:15:20", {"published": "2021-03-04 09:15:20"}),
        ("发布于 2022年6月19日 阅读 120", {"published": "2022年6月19日"}),
        ("上传日期:2019/7/8", {"published": "2019/7/8"}),
        ("更新时间：2020.11.02", {"published": "2020.11.02"}),
        ("發佈於: 2023-01-09 人氣:1.86W", {"published": "2023-01-09"}),
        ("發表日期：2018年12月1日", {"published": "2018年12月1日"}),
        ("时间:2022-06-19 15:12:04 浏览量:", {"published": "2022-06-19 15:12:04"}),
        ("- 1 - 0 - 约3.47千字 - 约 7页 - 2026-01-14 发布于四川 - 举报", {"published": "2026-01-14"}),
        ("admin22025-04-23 13:40:02", {"published": "2025-04-23 13:40:02"}),
        ("2021-10-11 08:30 好文阁 我要投稿", {"published": "2021-10-11 08:30"}),
        ("小编 2017-05-06 阅读(33) 评论(0)", {"published": "2017-05-06"}),
        ("article:published_time: 2022-06-19T15:12:04+08:00", {"published": "2022-06-19T15:12:04+08:00"}),
        ('{"@type":"Article","datePublished":"2021-09-01","name":"x"}', {"published": "2021-09-01"}),
        (
            "编辑:物业管理人2017-04-26 浏览",
            {"author": "物业管理人", "published": "2017-04-26"},
        ),
        (
            "作者：佚名　文章来源：会员投稿　点击数：88　更新时间：2019-03-05",
            {"author": "佚名", "source": "会员投稿", "published": "2019-03-05"},
        ),
        (
            "时间：2020-01-02 11:22:33来源：网络作者：admin点击：1次",
            {"published": "2020-01-02 11:22:33", "source": "网络", "author": "admin"},
        ),
        (
            "图书馆年度工作总结作者：晓风 发布时间：2016-08-09",
            {"author": "晓风", "published": "2016-08-09"},
        ),
        ("上传人：q***8 文档编号：55512 格式：DOC 页数：3", {"author": "q***8"}),
        ("作者：清水", {"author": "清水"}),
        ("責任編輯：小雨 字號：大 中 小", {"author": "小雨"}),
        (
            "編輯(jí)：小麥 發布時(shí)間：2015-02-03 閱讀：9",
            {"author": "小麥", "published": "2015-02-03"},
        ),
        ("作者：初二（3）班 陆小雨　指导老师：白老师　浏览：[40]", {"author": "初二（3）班 陆小雨"}),
        ("首页 > 演讲稿 > 开学讲话（教师/学生/家长通用）", {"category": "演讲稿"}),
        ("首页/计划方案/2021年各科室工作计划", {"category": "计划方案"}),
        ("倡议书2021-06-03阅读 230", {"published": "2021-06-03"}),
        ("2021年4月2日 由 拾穗编辑部 阅读 6", {"published": "2021年4月2日", "author": "拾穗编辑部"}),
        ("小帮手发布于 2020-08-16 浏览 9", {"published": "2020-08-16", "author": "小帮手"}),
        ("拾穗 发布于 2019-03-04 赞 2", {"published": "2019-03-04", "author": "拾穗"}),
        ("由 海燕 發表於 書信 閱讀 (35) 評論 (0)", {"author": "海燕"}),
        ("更新日期：民國108年3月5日　點閱：24", {"published": "民國108年3月5日"}),
        ("整理集 | 2022-11-12 | 3页 | 收藏", {"published": "2022-11-12"}),
        ("阿布2018-05-06本文已影响31人", {"published": "2018-05-06"}),
        (
            "来源：https://www.haowen.example/a/1.html 阅读：12",
            {"source": "https://www.haowen.example/a/1.html"},
        ),
        ("出处：好文阁", {"source": "好文阁"}),
        ("（本文转自：校园文学网）", {"source": "校园文学网"}),
        ("当前位置：首页 > 总结大全 > 学校总结 > 正文", {"category": "学校总结"}),
        ("您的位置:文海网>>范文/总结/工作总结>>正文", {"category": "工作总结"}),
        ("首页 » 心得体会 » 图书馆年度工作总结", {"category": "心得体会"}),
        ("當前位置：首頁 › 演講稿 › 國旗下講話 ›", {"category": "國旗下講話"}),
        ("首页 -> 申请书 -> 图书馆年度工作总结", {"category": "申请书"}),
        ("主页 / 检讨书 / 图书馆年度工作总结", {"category": "检讨书"}),
        ("当前位置: 文海网 > 专题范文 > 公文范文 >", {"category": "公文范文"}),
        ("首页＞资源分类＞文档下载", {}),
        ("欄目：工作總結 人氣：77", {"category": "工作總結"}),
        (
            "本站文章未经许可，不得转载、摘编或镜像。",
            {"rights": "本站文章未经许可，不得转载、摘编或镜像"},
        ),
        ("版权归原作者所有，转载请注明出处", {"rights": "版权归原作者所有，转载请注明出处"}),
        (
            "版权说明：本文档由用户提供并上传，收益归属内容提供方",
            {"rights": "版权说明：本文档由用户提供并上传，收益归属内容提供方"},
        ),
        ("如有侵權，請聯繫我們刪除", {"rights": "如有侵權，請聯繫我們刪除"}),
        (
            "Copyright © 2010-2021 好文阁 版权所有",
            {"rights": "Copyright © 2010-2021 好文阁 版权所有"},
        ),
        ("本作品采用知识共享署名 4.0 许可协议", {"rights": "本作品采用知识共享署名 4.0 许可协议"}),
    ],
)
def test_a_line_under_the_title(line: str, wanted: dict[str, str]) -> None:
    assert claimed(TITLE, line, *BODY) == wanted


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("版权所有：好文阁 粤ICP备00000001号", {"rights": "版权所有：好文阁 粤ICP备00000001号"}),
        ("转载请注明来自好文阁", {"rights": "转载请注明来自好文阁"}),
        ("（责任编辑：小雨）", {"author": "小雨"}),
        ("来源：好文阁", {"source": "好文阁"}),
        ("本文发布于2021年5月6日", {"published": "2021年5月6日"}),
    ],
)
def test_a_line_below_the_article(line: str, wanted: dict[str, str]) -> None:
    assert claimed(TITLE, *BODY, line) == wanted


@pytest.mark.parametrize(
    "line",
    [
        "2023年5月1日",
        "汇报人：李建国",
        "时间：2023年5月1日下午3点 地点：三楼会议室",
        "申请人：王小兰 日期：2022-03-04",
        "实习时间：2021-07-01至2021-08-31",
        "签订日期：2020年1月1日",
        "出生日期：1990-01-01 编号：12",
        "书名：《骆驼祥子》 作者：老舍 出版社：人民文学",
        "作者用朴素的语言写出了祥子的一生。",
        "这本书的作者：老舍先生，一生写了许多作品。",
        "资金来源：市财政拨款",
        "经济来源：外出打工",
        "垃圾分类：可回收物、厨余垃圾、有害垃圾",
        "播种 → 浇水 → 收获",
        "甲＞乙＞丙",
        "乙方未经甲方书面许可，不得将房屋转租给他人。",
        "本软件著作权归甲方所有。",
        "我们开展了版权保护宣传，教育学生尊重知识产权。",
        "会上发布了2021年度工作要点。",
        "我们的位置在全县的东部，与三个乡镇相邻。",
        "编辑部全体同学利用周末校对了校刊。",
        "摘自《论语》的一句话一直挂在我的床头。",
    ],
)
def test_an_essay_claims_nothing(line: str) -> None:
    assert claimed(TITLE, *BODY, line) == {}
    assert claimed(TITLE, BODY[0], line, BODY[1]) == {}


def test_the_surest_claim_wins_wherever_it_stands() -> None:
    found = claimed(
        "首页 | 总结 | 计划",
        "2021-10-11 08:30 好文阁 我要投稿",
        *BODY,
        "发布时间：2020-02-03",
        "© 2020 好文阁",
        "未经允许不得转载",
    )
    assert found == {"published": "2020-02-03", "rights": "未经允许不得转载"}


def test_a_page_in_one_line_makes_no_claim() -> None:
    assert claimed("作者：佚名 来源：网络 时间：2020-01-01 " + "".join(BODY) * 3) == {}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text(
            st.sampled_from("作者来源：: 2021-03-04发布时间首页>»/栏目版权转载请注明（jié）\u200b　网站abc"),
            max_size=40,
        ),
        max_size=6,
    )
)
def test_every_claim_stands_where_it_says(lines: list[str]) -> None:
    claimed(*lines)
