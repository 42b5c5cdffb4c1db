"""The acceptance cases again, on texts of our own with the same shapes, through the whole pipeline."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cleaner_texts import PROSE, body, html

from fanwen.cleaners.types import Cleaned

Clean = Callable[..., Cleaned]


def whole(cleaned: Cleaned) -> str:
    return "\n".join(piece.text for piece in cleaned.pieces)


def compilation(heading: Callable[[int], str], n: int = 3, title: str = "图书馆工作总结") -> str:
    parts = [f"{title}(精选{n}篇)"]
    for k in range(1, n + 1):
        parts += [heading(k), body(k)]
    return "\n".join(parts)


# -- 1 to 3: paragraphs that a page break tore apart ------------------------------------------------

LONG = (
    PROSE[0][:-1]
    + "，"
    + PROSE[1][:-1]
    + "，来的人多了，我们就把开门的时间提前了半个小时，并且请两位退休的老"
)


def test_a_sentence_torn_by_a_page_break_is_joined(clean: Clean) -> None:
    parts = ["图书馆工作总结", PROSE[2] + PROSE[3], LONG, f"教师来帮忙登记，{PROSE[4]}", PROSE[5] + PROSE[2]]
    text = "\n\n".join(parts)
    assert "请两位退休的老教师来帮忙登记" in whole(clean(text))


@pytest.mark.parametrize(
    "after",
    [
        "四、明年的打算",
        "（二）存在的不足。人手还是不够。",
        "3.加强巡查。每晚两次。",
        "五是请家长来值班，每周一次。",
        "特此报告",
        "第二章 环境。",
    ],
)
def test_no_join_before_a_head(clean: Clean, after: str) -> None:
    text = (
        f"图书馆工作总结\n{PROSE[2]}{PROSE[3]}\n{LONG}\n{after}\n{PROSE[4]}{PROSE[5]}\n{PROSE[0]}{PROSE[1]}"
    )
    assert f"退休的老\n{after}" in whole(clean(text))


def test_lines_of_verse_are_not_joined(clean: Clean) -> None:
    verse = "\n".join(f"第{c}本书翻到最后一页才知道灯已经亮了很久" for c in "一二三四五六七八九")
    assert whole(clean(f"我们的图书馆作文\n{verse}")).count("\n") >= 8


# -- 4, 5: marks and numbers that copying left -------------------------------------------------------


def test_anticopy_marks_go_and_other_marks_stay(clean: Clean) -> None:
    marked = "读者的`脚步声和书页的'翻动声，都是我们的'工资。有人(没登记也拿走了书。全馆××*人。"
    text = PROSE[0] + marked + PROSE[1] + PROSE[2]
    cleaned = whole(clean(text))
    assert "读者的脚步声和书页的翻动声，都是我们的工资" in cleaned
    assert "有人(没登记" in cleaned
    assert "全馆××*人" in cleaned


def test_real_apostrophes_stay(clean: Clean) -> None:
    text = f"{PROSE[0]}孩子们说'好看'，老人们说'方便'，大家的'好'字写满了一本。{PROSE[1]}{PROSE[2]}{PROSE[3]}"
    assert "'好看'" in whole(clean(text))
    assert "的'好'字" in whole(clean(text))


def test_page_numbers_inside_sentences_go_where_a_pager_speaks_for_them(clean: Clean) -> None:
    head = "".join(PROSE)
    numbers = "把书送进学校、送进工1厂。新添台灯9盏，修好长椅42把。"
    text = f"图书馆工作总结\n{head}{head}{numbers}{head}{head}\n1 / 12\n下载文档"
    cleaned = whole(clean(text))
    assert "送进工厂" in cleaned
    assert "台灯9盏" in cleaned
    assert "长椅42把" in cleaned


def test_page_numbers_in_a_row_need_no_pager(clean: Clean) -> None:
    head = "".join(PROSE)
    text = "图书馆工作总结" + head + "".join(f"把书送进工{k}厂、学校。{head}" for k in range(1, 6))
    assert whole(clean(text)).count("送进工厂、学校") == 5


def test_lonely_numbers_stay(clean: Clean) -> None:
    head = "".join(PROSE)
    text = f"{head}{head}我们做到了馆1校合一的办法，取3舍2之后才定下来。{head}"
    assert "馆1校合一" in whole(clean(text))
    assert "取3舍2之后" in whole(clean(text))


# -- 6, 7: wraps -----------------------------------------------------------------------------------


def wrapped(text: str, width: int = 26) -> str:
    """Paragraphs set at a fixed width, every line end a space, numbers padded."""
    lines = []
    for paragraph in text.split("\n"):
        lines += [paragraph[i : i + width] for i in range(0, len(paragraph), width)]
    return " ".join(lines)


def test_wrap_spaces_go_and_paragraphs_come_back(clean: Clean) -> None:
    plain = f"一、开放情况\n{PROSE[0]}{PROSE[1]}\n二、读书活动\n{PROSE[2]}{PROSE[3]}{PROSE[4]}{PROSE[5]}"
    (piece,) = clean(
        "图书馆工作总结\n\n" + wrapped(plain).replace("四个人办到四十个", "4 个人办到 40 个")
    ).pieces
    assert piece.text.replace("4个人办到40个", "四个人办到四十个") == plain


def test_spaces_that_are_meant_stay(clean: Clean) -> None:
    text = f"{body(1)}\n值班：赵大年 钱小满 孙立秋 李冬至\n书名 | 册数 | 去处\n此致 敬礼\n阅览 A 区"
    cleaned = whole(clean(text))
    for kept in ("赵大年 钱小满 孙立秋 李冬至", "书名 册数 去处", "此致 敬礼", "阅览 A 区"):
        assert kept in cleaned


def test_flattened_text_gets_its_heads_back(clean: Clean) -> None:
    flat = (
        f"图书馆工作总结{PROSE[0]}现将情况总结如下。一、开放情况1.延长时间。{PROSE[1]}2.添置桌椅。{PROSE[2]}"
        f"二、读书活动1.请人来讲。{PROSE[3]}2.账目公开。{PROSE[4]}三、明年打算。{PROSE[5]}{PROSE[0]}{PROSE[1]}"
        f"其中版本2.0的登记册一共用了1.5公斤纸。{PROSE[2]}{PROSE[3]}"
    )
    text = whole(clean(flat))
    assert "\n一、开放情况\n1.延长时间。" in text
    assert "\n2.添置桌椅。" in text
    assert "\n三、明年打算。" in text
    assert "版本2.0的登记册一共用了1.5公斤纸" in text


# -- 8, 9: markup ------------------------------------------------------------------------------------


def test_markdown_traces(clean: Clean) -> None:
    items = "- 1、每天开门。\n- 2、每周盘点 and 登记。"
    area = "## 一、面积\n\n共有80m<sup>2</sup>，捐书人\\*\\*\\*。"
    text = f"# 图书馆工作总结\n\n{body(1)}\n\n{area}\n\n{items}\n\n{PROSE[5]}"
    cleaned = whole(clean(text))
    assert "\n一、面积\n共有80m²，捐书人***。\n1、每天开门。\n2、每周盘点 and 登记。" in cleaned
    assert "#" not in cleaned


# -- 15 to 19: splitting ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "heading",
    [
        lambda k: f"图书馆工作总结篇{'一二三'[k - 1]}",
        lambda k: f"图书馆工作总结 篇{k}",
        lambda k: f"篇{k}",
        lambda k: f"篇（{k}）",
        lambda k: f"第{'一二三'[k - 1]}篇：图书馆工作总结",
        lambda k: f"第{'一二三'[k - 1]}篇范文：图书馆工作总结",
        lambda k: f"【第{k}篇 图书馆工作总结】",
        lambda k: f"范文{'一二三'[k - 1]}",
        lambda k: f"有关图书馆工作总结范本{'一二三'[k - 1]}",
        lambda k: f"图书馆工作总结{k}",
        lambda k: f"图书馆工作总结 {k}",
        lambda k: f"图书馆工作总结（{k}）",
        lambda k: f"图书馆工作总结共{k}",
        lambda k: f"篇{'一二三'[k - 1]}：分馆年度工作总结",
        lambda k: ("# " if k == 2 else "## ") + f"图书馆工作总结篇{'一二三'[k - 1]}",
    ],
)
def test_heading_families(clean: Clean, heading: Callable[[int], str]) -> None:
    cleaned = clean(compilation(heading))
    assert [p.text for p in cleaned.pieces] == [body(k) for k in (1, 2, 3)]
    assert cleaned.document is not None
    assert cleaned.document.declared_pieces == 3


def test_headings_glued_to_the_body(clean: Clean) -> None:
    glued = "\n".join(f"图书馆工作总结篇{k}{'一、先说开门。' if k == 2 else ''}{body(k)}" for k in (1, 2, 3))
    assert len(clean(f"图书馆工作总结(通用3篇)\n{glued}").pieces) == 3
    flat = "".join(
        f"第{c}篇：图书馆工作总结{body(k).replace(chr(10), '')}" for k, c in enumerate("一二三", 1)
    )
    cleaned = clean(f"图书馆工作总结(三篇)\n图书馆工作总结(三篇){flat}")
    assert [p.title for p in cleaned.pieces] == ["图书馆工作总结"] * 3
    assert [p.text.replace("\n", "") for p in cleaned.pieces] == [
        body(k).replace("\n", "") for k in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    "tag",
    [
        "<center>{}</center>",
        "<div>{}</div>",
        "<p><strong>{}</strong></p>",
        "<h3>{}</h3>",
        "<p>{}</p>",
        "<div><b><font>{}</font></b></div>",
    ],
)
def test_heads_survive_extraction(clean: Clean, tag: str) -> None:
    content = "".join(
        tag.format(f"篇{k}") + "".join(f"<p>　　{line}</p>" for line in body(k).split("\n"))
        for k in (1, 2, 3)
    )
    cleaned = clean(html(content, "图书馆工作总结(精选3篇)"), "text/html")
    assert [p.text for p in cleaned.pieces] == [body(k) for k in (1, 2, 3)]


def test_titles_of_pieces(clean: Clean) -> None:
    # a bare head has no name of its own: the document's serves
    assert [p.title for p in clean(compilation(lambda k: f"篇{k}")).pieces] == ["图书馆工作总结"] * 3
    named = clean(compilation(lambda k: f"第{'一二三'[k - 1]}篇：{'东西南'[k - 1]}馆年度工作总结"))
    assert [p.title for p in named.pieces] == ["东馆年度工作总结", "西馆年度工作总结", "南馆年度工作总结"]
    assert [p.title for p in clean(f"图书馆工作总结\n{body(1)}").pieces] == ["图书馆工作总结"]


@pytest.mark.parametrize(
    "false",
    [
        "我先读了第一篇：春天。{}\n第二篇：夏天，写的是蝉。{}",
        "附件1：名册\n{}\n附件2：账目\n{}",
        "第一段：{}\n第二段：{}",
        "第一章 总则\n{}\n第二章 细则\n{}",
        "一、{}\n二、{}",
        "计划一：{}\n计划二：{}",
        "文集的第一篇写河，第二篇写山。{}\n{}",
    ],
)
def test_false_heads(clean: Clean, false: str) -> None:
    text = (
        f"图书馆读书心得体会\n{PROSE[2]}\n"
        + false.format(PROSE[0] + PROSE[1], PROSE[3] + PROSE[4])
        + f"\n{PROSE[5]}"
    )
    assert len(clean(text).pieces) == 1


def test_declared_and_found_may_differ(clean: Clean) -> None:
    text = compilation(lambda k: f"篇{k}").replace("精选3篇", "精选8篇")
    document = clean(text).document
    assert document is not None
    assert (document.declared_pieces, document.found_pieces) == (8, 3)


def test_a_missing_number_and_a_table_of_contents(clean: Clean) -> None:
    text = "图书馆工作总结(4篇)\n篇1\n篇2\n篇3\n篇4\n" + "\n".join(f"篇{k}\n{body(k)}" for k in (1, 2, 4))
    assert [p.text for p in clean(text).pieces] == [body(k) for k in (1, 2, 4)]


def test_title_lines_without_ordinals(clean: Clean) -> None:
    parts = "".join(
        f"<p><strong>{'东西南'[k - 1]}馆读书心得体会</strong></p>"
        + "".join(f"<p>{x}</p>" for x in body(k).split("\n"))
        for k in (1, 2, 3)
    )
    cleaned = clean(html(parts, "读书心得体会（三篇）"), "text/html")
    assert [p.title for p in cleaned.pieces] == ["东馆读书心得体会", "西馆读书心得体会", "南馆读书心得体会"]


def test_cut_text_is_incomplete_only_at_the_end(clean: Clean) -> None:
    text = compilation(lambda k: f"篇{k}")
    cut = text[: -len(PROSE[3]) // 2]
    assert ["incomplete" in p.flags for p in clean(cut).pieces] == [False, False, True]
    assert ["incomplete" in p.flags for p in clean(text).pieces] == [False] * 3
    assert ["incomplete" in p.flags for p in clean(text + "\n五、经费").pieces] == [False, False, True]


def test_a_piece_without_a_body_is_a_stub(clean: Clean) -> None:
    stub = "馆发〔2022〕7号\n(本页无正文)\n2022年3月1日"
    text = f"图书馆工作总结(3篇)\n篇1\n{body(1)}\n篇2\n{stub}\n篇3\n{body(3)}"
    assert ["stub" in p.flags for p in clean(text).pieces] == [False, True, False]


# -- 20 to 25: script, damage, bytes -----------------------------------------------------------------


def test_traditional_text_becomes_simplified_and_simplified_stays(clean: Clean) -> None:
    trad = (
        "圖書館工作總結\n隨著讀者增多，館員盯著門口的隊伍，顯著縮短了等候時間；廚房裏煮著茶，著火隱患也排除了。"
        + "館內環境乾淨整潔，讀者說這裡像家一樣。" * 8
    )
    (piece,) = clean(trad).pieces
    assert "随着读者增多，馆员盯着门口的队伍，显著缩短了等候时间" in piece.text
    assert "煮着茶，着火隐患" in piece.text
    assert piece.script.startswith("Hant")
    assert piece.text_original.startswith("隨著")
    simple = f"乾隆年间的原著与编著，显著不同；刘振乾建立核心文件新增目录。{body(2)}"
    assert clean(simple).pieces[0].text == simple


def test_pinyin_damage_goes_and_glosses_stay(clean: Clean) -> None:
    text = (
        "圖書館工作總結(jié)\n" + "館(guǎn)內工作人員認(rèn)真登記，績(jì)效考核(hé)每月一次，讀者滿意。" * 8
    )
    assert "馆内工作人员认真登记，绩效考核每月一次" in whole(clean(text))
    plain = f"他从重(chóng)庆来，用方案(a)量血压(mm)，关于(a)项另说。{body(1)}"
    assert clean(plain).pieces[0].text == plain


def test_shifted_bytes_are_flagged_and_left(clean: Clean) -> None:
    text = f"館內的主干??偨Y(jié)讀書(shū)活動(dòng)的目的?F(xiàn)將情況說明。{'讀者很多，館員很忙。' * 20}"
    (piece,) = clean(text).pieces
    assert "damaged" in piece.flags
    assert "??偨Y" in piece.text


@pytest.mark.parametrize(
    ("charset", "meta", "header"),
    [
        ("gb18030", "gbk", "text/html; charset=utf-8"),
        ("utf-8", "gb2312", "text/html"),
        ("utf-8", "utf-8", "text/html; charset=gbk"),
        ("big5", "big5", "text/html; charset=utf-8"),
        ("utf-16", "utf-8", "text/html"),
    ],
)
def test_bytes_decide(clean: Clean, charset: str, meta: str, header: str) -> None:
    text = "讀者來館登記" if charset == "big5" else "读者来馆登记，每天都有新的面孔"
    page = html(
        "".join(
            f"<p>{text}{k}次。{'這是我們的工作。' if charset == 'big5' else PROSE[k % 6]}</p>"
            for k in range(8)
        ),
        "工作",
    )
    raw = (
        page.decode()
        .replace("utf-8", meta, 1)
        .replace("总结", "")
        .replace("图书馆", "")
        .replace("山谷文稿网", "")
    )
    raw = raw.replace("文章标题之", "").replace("别处的", "").replace("关", "") if charset == "big5" else raw
    data = raw.encode(charset, "ignore")
    (piece,) = clean(data, header).pieces
    assert "读者来馆登记" in piece.text
    assert "�" not in piece.text
