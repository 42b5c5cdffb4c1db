"""Sites that speak in words nobody listed: their slogans, names, walls, heads and empty pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cleaner_texts import PROSE, body, html

from fanwen.cleaners import boilerplate, damage, layout, nags
from fanwen.cleaners.intro import intro_end
from fanwen.cleaners.pipeline import clean_document
from fanwen.cleaners.trace import apply
from fanwen.cleaners.types import Cleaned, Page

Clean = Callable[..., Cleaned]

SPOKEN = [
    "★★溪口文档，写稿人的好帮手★★",
    "~~~更多精彩尽在溪口文档~~~",
    "（以上材料由溪口网友投递，转载请保留链接）",
    "【本稿件为用户自行上传，侵权请告知删除】",
    "未经同意谢绝翻印，仅供内部会员研习",
    "看到这里的朋友，别忘了点赞和收藏本页哦！",
    "好了，总结就分享到这里，喜欢的话请转发给身边的朋友。",
    "¥12.8 / 月 立即加入会员",
    "赞助商链接",
    "广告：往下看还有更多",
    "第3张图加载失败，点此刷新",
    "扫码下载客户端，手机看更方便",
    "欢迎投稿，一经采用付稿酬，投稿邮箱见页底",
    "————————————",
    "-- 全文完 --",
    "上一则：春天的计划    下一则：秋天的总结",
    "【溪口资料库】 http://www.xikou.example",
    "指导老师：陈老师",
]

OWN = [
    "——致每一位读书的人",
    "我们把这些范文放在一楼，谁都可以取走。",
    "以上就是我一年来的工作情况，请大家批评指正。",
    "会员单位免费使用阅览室，非会员单位另收水电费。",
    "请各位读者扫码登记，方便下次借阅。",
    "全年上传照片三百张，下载资料四十份。",
    "各组请在本月底前把材料发到指定邮箱。",
    "一、广告宣传工作",
    "代写书信八十封，代缴水电费四十次。",
    "此致",
    "2024年3月1日",
]


@pytest.mark.parametrize("line", SPOKEN)
def test_what_a_site_says_goes(line: str) -> None:
    text = f"{body(2)}\n{line}\n{body(3)}"
    text = apply(text, boilerplate.lines(text, ("溪口文档",)))
    assert apply(text, layout.finish(text)) == f"{body(2)}\n{body(3)}"


@pytest.mark.parametrize("line", OWN)
def test_what_a_text_says_stays(line: str) -> None:
    text = f"{body(2)}\n{line}\n{body(3)}"
    assert boilerplate.lines(text, ("溪口文档",)) == []
    assert boilerplate.phrases(text, ("溪口文档",)) == []


def paragraphs(*lines: str) -> bytes:
    return html("".join(f"<p>{line}</p>" for line in lines))


@pytest.mark.parametrize(
    "notice",
    [
        "（转载请注明来自溪口文秘网）",
        "（未经许可不得转载）",
        "【未经授权，禁止转载】",
        "【广告：溪口助手，30秒出稿】",
    ],
)
def test_a_notice_in_a_paragraph_goes_without_the_paragraph(clean: Clean, notice: str) -> None:
    held = PROSE[1] + notice + PROSE[2]
    cleaned = clean(paragraphs(PROSE[0], held, *PROSE[3:]))
    assert PROSE[1] + PROSE[2] in cleaned.pieces[0].text.split("\n")


def test_a_paragraph_that_ends_with_a_notice_stays(clean: Clean) -> None:
    held = PROSE[1] + "如有侵权请联系删除。"
    cleaned = clean(paragraphs(PROSE[0], held, *PROSE[2:]))
    assert PROSE[1] in cleaned.pieces[0].text


@pytest.mark.parametrize(
    "line",
    [
        "附件：计划、总结、报名表、名单",
        "“路漫漫其修远兮吾将上下而求索总结”",
        "主题词：防汛，总结，抢险，表彰",
    ],
)
def test_rows_of_words_that_are_the_text_s_own(line: str) -> None:
    text = "\n".join([*PROSE[:4], line])
    assert apply(text, boilerplate.lines(text)) == text


def test_a_row_of_search_words_goes() -> None:
    text = "\n".join([*PROSE[:4], "【年度工作总结范文个人工作总结模板】"])
    assert apply(text, boilerplate.lines(text)).strip() == "\n".join(PROSE[:4])


def test_a_phrase_at_the_end_of_a_line_is_found_in_the_middle_of_a_text() -> None:
    text = f"{PROSE[0]}\n溪口范文，每日更新\n{PROSE[1]}"
    at = text.index("每日更新")
    assert at in nags.places(text)
    assert at not in nags.places(text.replace("更新\n", "更新的"))


def test_a_labelled_introduction_glued_to_the_text_ends_with_its_sentence() -> None:
    intro = "【导语】下面是小编为大家整理的图书馆工作总结，供大家参考。"
    assert intro_end(intro + PROSE[0]) == len(intro)
    assert intro_end(f"{intro}\n{PROSE[0]}") == len(intro)


def test_no_introduction_begins_behind_paragraphs_of_the_text() -> None:
    plain = [PROSE[0].replace("我", "他")] * 4
    line = "下面是小编为大家整理的图书馆工作总结，供大家参考。"
    assert intro_end("\n".join([plain[0], line])) > 0
    assert intro_end("\n".join([*plain, line, *plain])) == 0


def test_three_words_of_a_wall_in_one_sentence_are_no_wall(clean: Clean) -> None:
    line = "登录密码应当定期更换，谁也不要把自己的账号借给别人使用。"
    assert line in clean(paragraphs(*PROSE, line)).pieces[0].text


def test_a_site_that_names_itself_inside_somebodys_sentence(clean: Clean) -> None:
    begin, end = "后来我把登记本合上，", "领着孩子们走到窗前看雪。"
    mark = "更多好文尽在山谷文稿网"
    cleaned = clean(paragraphs(PROSE[0], PROSE[1] + begin + mark + end + PROSE[2], *PROSE[3:]))
    assert PROSE[1] + begin + end + PROSE[2] in cleaned.pieces[0].text.split("\n")


@pytest.mark.parametrize(
    "mark",
    [
        "山谷文稿网专用水印",
        "【山谷文稿网原创】",
        "山谷文稿网 www.shangu.example",
        "山谷文稿网版权所有请勿转载",
    ],
)
def test_a_mark_glued_to_three_lines_goes_without_them(clean: Clean, mark: str) -> None:
    lines = [mark + PROSE[0], PROSE[1], PROSE[2][:20] + mark + PROSE[2][20:], mark + PROSE[3], *PROSE[4:]]
    assert clean(paragraphs(*lines)).pieces[0].text == "\n".join(PROSE)
    lines = [PROSE[0] + mark, PROSE[1] + mark, PROSE[2], PROSE[3] + mark, *PROSE[4:]]
    assert clean(paragraphs(*lines)).pieces[0].text == "\n".join(PROSE)


def test_a_name_that_is_no_site_s_is_no_mark() -> None:
    text = "\n".join(f"中国教育部门{line}" for line in PROSE)
    assert boilerplate.marks(text, ["中国教育"]) == []


def test_somebody_who_tells_of_downloads_keeps_the_sentence() -> None:
    own = "我打开学校的网页，点击下载报名表，填好以后交给了班主任。"
    text = "\n".join([*PROSE[:3], PROSE[3] + own])
    assert apply(text, [*boilerplate.lines(text), *boilerplate.phrases(text)]) == text


@pytest.mark.parametrize(
    "item",
    [
        "1.2 会员中心应当具备注册、登录、积分查询等功能；资料下载栏目应当支持附件的上传和编辑。",
        "3.1.4 用户下载附件前须登录，未登录的访客只能阅读摘要。",
    ],
)
def test_numbered_items_of_a_contract_are_its_own(item: str) -> None:
    text = "\n".join([*PROSE[:3], item, *PROSE[3:]])
    assert apply(text, boilerplate.lines(text)) == text


def test_a_site_that_speaks_under_its_name_in_brackets() -> None:
    line = "【溪口文秘】提醒您：范本是别人的，记得换成自己的经历。"
    text = "\n".join([*PROSE, line])
    assert apply(text, boilerplate.lines(text, ["溪口文秘"])).strip() == "\n".join(PROSE)


@pytest.mark.parametrize(
    "mark", ['<font color="#ffffff">溪口铺子</font>', '<span style="color: white">x7溪口</span>']
)
def test_white_marks_inside_a_paragraph_go(clean: Clean, mark: str) -> None:
    whole = PROSE[1][:20] + mark + PROSE[1][20:]
    assert PROSE[1] in clean(paragraphs(PROSE[0], whole, *PROSE[2:])).pieces[0].text


def test_a_white_text_on_a_dark_page_stays(clean: Clean) -> None:
    whole = f'<span style="color:#fff">{PROSE[1]}</span>'
    assert PROSE[1] in clean(paragraphs(PROSE[0], whole, *PROSE[2:])).pieces[0].text


@pytest.mark.parametrize(
    "head",
    [
        '<strong style="background:#c00;color:#fff">一、借阅台</strong>',
        '<span style="background-color: rgb(0,80,160)"><span style="color:rgb(255,255,255)">一、借阅台</span>：</span>',
    ],
)
def test_a_white_heading_on_a_ground_stays(clean: Clean, head: str) -> None:
    assert "一、借阅台" in clean(paragraphs(PROSE[0], head + PROSE[1], *PROSE[2:])).pieces[0].text


def test_a_link_behind_the_text_leads_away(clean: Clean) -> None:
    lines = [*PROSE, '<a href="/pack/7.rar">全套总结压缩包（八十六份）</a>']
    assert clean(paragraphs(*lines)).pieces[0].text == "\n".join(PROSE)


def test_the_names_of_a_site() -> None:
    around = ["溪口文档 闽ICP备00000000号", "首页", "© 2019-2024 xikou.example 溪口文档 版权所有"]
    assert nags.brands(["图书馆工作总结_溪口文档"], around) == ("溪口文档",)
    assert nags.brands(["图书馆工作总结 - 读书心得体会"], ["版权所有 侵权必究"]) == ()


@pytest.mark.parametrize(
    "sentence",
    [
        "总结贵在真实，忌讳空谈。这里给各位送上一份图书馆的总结，愿能帮到您。",
        "读书使人明智。下面几篇范例供大家写作时参照，欢迎借鉴！",
        "以下文稿供您参考，请结合自身情况修改。",
    ],
)
def test_introductions_in_other_words(clean: Clean, sentence: str) -> None:
    (piece,) = clean(html(f"<p>{sentence}</p>" + "".join(f"<p>{x}</p>" for x in PROSE)), "text/html").pieces
    assert piece.text == "\n".join(PROSE)


@pytest.mark.parametrize(
    "wall",
    [
        "……（此处折叠三百字，开通会员后可见）……",
        "……【中间约1200字未显示，登录后可完整阅读】……",
        "〔还有2页隐藏内容，充值书券即可解锁〕",
    ],
)
def test_elisions_in_other_words(clean: Clean, wall: str) -> None:
    inside = clean(
        html(f"<p>{PROSE[0]}</p><p>{PROSE[1][:20]}{wall}{PROSE[2]}</p><p>{PROSE[3]}</p>"), "text/html"
    )
    (piece,) = inside.pieces
    assert "incomplete" in piece.flags
    assert piece.text == f"{PROSE[0]}\n{PROSE[1][:20]}\n{PROSE[2]}\n{PROSE[3]}"


@pytest.mark.parametrize(
    "own", ["（省略其余名单）", "（会员32人，账号统一管理）", "（全文共三章）", "……（掌声）……"]
)
def test_brackets_of_the_text_are_no_walls(own: str) -> None:
    assert boilerplate.walls(f"{PROSE[0]}{own}{PROSE[1]}") == []


HEADS = [
    ("图书馆述职报告多篇【单位通用】", ["述职报告一：馆长", "述职报告二：馆员", "述职报告三：修书人"]),
    ("暑假实习报告共3篇", ["实习报告（一）", "实习报告（二）", "实习报告（三）"]),
    ("常用文书三例", ["【范例一】迟到检讨书", "【范例二】停电通知", "【范例三】增设座位的请示"]),
    ("名著读后感三篇", ["（一）《山谷》读后感", "（二）读《溪口》有感", "（三）重读《旧书》有感"]),
    ("图书馆合同样式（共三例）", ["例一：租书合同", "例二：修书合同", "例三：运书协议书"]),
    ("自我评价范本共3份", ["自我评价1", "自我评价2", "自我评价3"]),
    ("工作汇报材料10篇", ["旧书流动工作汇报", "夜间开放工作汇报", "读书会工作汇报"]),
    ("优秀读者演讲稿3篇", ["第一份 守望演讲稿", "第二份 晨读演讲稿", "第三份 夜读演讲稿"]),
]


@pytest.mark.parametrize(("title", "heads"), HEADS)
def test_heads_of_other_families(clean: Clean, title: str, heads: list[str]) -> None:
    content = "".join(
        f"<p>{head}</p>" + "".join(f"<p>{x}</p>" for x in body(k + 1).split("\n"))
        for k, head in enumerate(heads)
    )
    assert [p.text for p in clean(html(content, title), "text/html").pieces] == [
        body(k + 1) for k in range(3)
    ]


def test_bold_lines_are_heads_where_the_page_declares_as_many(clean: Clean) -> None:
    names = ("旧桥", "夜读的人", "三个木架")
    content = "".join(
        f"<p><b>{name}</b></p>" + "".join(f"<p>{x}</p>" for x in body(k + 1).split("\n"))
        for k, name in enumerate(names)
    )
    three = clean(html(content, "叙事作文三篇"), "text/html").pieces
    assert [(p.title, p.text) for p in three] == [(name, body(k + 1)) for k, name in enumerate(names)]
    assert len(clean(html(content, "我的读书作文"), "text/html").pieces) == 1
    assert len(clean(html(content, "叙事作文八篇"), "text/html").pieces) == 1


def test_contents_with_leaders_and_heads_said_twice(clean: Clean) -> None:
    toc = "目　录\n一、开放…………1\n二、读书会.........3\n三、打算 . . . . . . 5\n"
    flat = "目录一、开放........1二、读书会........3三、打算........5\n"
    for contents in (toc, flat):
        assert layout.finish(apply(contents + PROSE[0], layout.contents(contents + PROSE[0]))) is not None
        text = apply(contents + PROSE[0], layout.contents(contents + PROSE[0]))
        assert text.strip() == PROSE[0]
    own = "一、开放……\n二、读书会……\n三、打算"
    assert layout.contents(own) == []
    assert (
        apply("二、修旧书，添新架修旧书，添新架", layout.stutter("二、修旧书，添新架修旧书，添新架"))
        == "二、修旧书，添新架"
    )
    for kept in ("加油加油", "人人为我，我为人人", "开放日开放日活动"):
        assert layout.stutter(kept) == []


def test_page_marks_and_chunk_numbers_inside_a_line() -> None:
    text = f"{PROSE[0][:20]} 第3页 共9页 {PROSE[0][20:]}"
    assert apply(text, layout.furniture(text)) == PROSE[0]
    text = f"{PROSE[0][:20]} - 12 - {PROSE[0][20:]}"
    assert apply(text, layout.furniture(text)) == PROSE[0]
    assert layout.furniture("见第3页。全书共9页。2-3-4号书架") == []


def test_lines_of_one_length_in_characters_are_joined() -> None:
    whole = (
        "　　全年开放300天，接待读者12000人次，借出图书8600册，新购1200册，修补旧书310册，举办读书会24次。"
    )
    text = "\n".join(line for _ in range(8) for line in (whole[i : i + 24] for i in range(0, len(whole), 24)))
    once = apply(text, layout.unwrap(text))
    assert [line.strip("　") for line in once.split("\n")] == [whole.strip("　")] * 8


def test_markdown_of_a_file(clean: Clean) -> None:
    source = (
        "---\ntitle: 租书合同\ntags: [合同]\n---\n\n# 租书合同\n\n> 山谷文集 [目录](../index.md)\n\n"
        "![码](https://a.example/q.png)\n\n"
        + "\n\n".join(PROSE[:3])
        + "\n\n| 书名 | 册数 |\n|---|---|\n| 山谷 | 3 |\n\n"
        "<!-- 此处有广告 -->\n\n" + PROSE[3]
    )
    (piece,) = clean(source, "text/markdown").pieces
    assert piece.title == "租书合同"
    assert piece.text.split("\n")[-6:] == [*PROSE[:3], "书名 册数", "山谷 3", PROSE[3]]
    assert "---" not in piece.text
    assert "广告" not in piece.text


def test_quotation_marks_and_marks_against_copying() -> None:
    text = "我们馆的ˊ读者说：「書架矮了，孩子夠得著。」" + "圖書館裡的燈亮著，讀者還沒有回去。" * 4
    (piece,) = clean_document([Page("u", (text * 3).encode(), "text/plain")]).pieces
    assert "我们馆的读者说：“书架矮了，孩子够得着。”" in piece.text
    simple = "标签写作「待修」的书。" + "".join(PROSE)
    assert damage.anticopy(simple) == []


EMPTY = [
    (
        "list_page",
        "<p>开馆那天来了许多人，门口的队排到了街角，大家都想第一个……</p><p>2023-01-02</p>"
        "<p>雨下了三天，屋顶漏了两处，值班的人搬来水桶……</p><p>2023-02-02</p>"
        "<p>旧书捐来两千册，登记的本子写满了四本……</p><p>2023-03-02</p>",
    ),
    (
        "login_wall",
        "<p>本资料只对年费会员开放，游客不能浏览。</p><p>账号</p><p>密码</p><p>短信登录</p><p>忘记密码</p><p>新用户注册</p>",
    ),
    (
        "soft_404",
        "<p>糟糕，您找的文章不见了</p><p>它可能已经下架，或者链接有误。</p><p>3秒后将自动跳转到首页。</p>"
        "<p>图书馆工作总结</p><p>去年春天，图书馆把借阅台搬到了一楼大厅，老人们不用再爬楼梯。</p>",
    ),
    (
        "news",
        f"<p>本报讯（记者 林一 通讯员 江二）{PROSE[0]}</p><p>据了解，{PROSE[1]}记者在现场看到，{PROSE[2]}</p><p>（责任编辑：山三）</p>",
    ),
    (
        "machine_written",
        f"<p>内容速览</p><p>本文档主要介绍图书馆一年的工作。作者首先回顾了开放情况，文档还列举了读书会的做法。{PROSE[0]}</p>"
        "<p>总体而言，该文档条理清楚。</p><p>适用人群：馆员</p>",
    ),
]


@pytest.mark.parametrize(("reason", "content"), EMPTY)
def test_pages_that_hold_no_text_of_their_own(clean: Clean, reason: str, content: str) -> None:
    assert [r.reason for r in clean(html(content, "图书馆工作总结"), "text/html").rejects] == [reason]


def test_texts_that_only_touch_on_such_things_pass(clean: Clean) -> None:
    for own in (
        "记者来采访的那天，我正在给会员办登录的账号，忘了密码的读者排着队。",
        "网上的链接失效了，我很抱歉，三天以后才修好。",
        "本文从三个方面总结。作者是一位退休馆员。",
    ):
        content = f"<p>{own}</p>" + "".join(f"<p>{x}</p>" for x in PROSE * 3)
        assert clean(html(content), "text/html").rejects == ()


def test_the_pages_of_a_viewer_stay_together(clean: Clean) -> None:
    long, short = "".join(f"<p>{x}</p>" for x in PROSE * 2), f"<p>{PROSE[0]}</p><p>{PROSE[4]}</p>"
    page = (
        f"<html><head><title>图书馆工作总结</title></head><body><div class='v'><div class='pg' id='p1'>{long}</div>"
        f"<div class='pgno'>第 1 页 / 共 2 页</div><div class='pg' id='p2'>{short}</div></div></body></html>"
    )
    (piece,) = clean(page, "text/html").pieces
    assert piece.text == "\n".join([*PROSE * 2, PROSE[0], PROSE[4]])
