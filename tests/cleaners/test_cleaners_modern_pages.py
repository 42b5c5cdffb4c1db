"""Templates of newer sites, and damage that needs evidence: each case with one that must stay as it is."""

from __future__ import annotations

import json

import pytest
from cleaner_texts import PROSE

from fanwen.cleaners import damage, layout
from fanwen.cleaners.pipeline import clean_document
from fanwen.cleaners.trace import apply
from fanwen.cleaners.types import Cleaned, Page

TITLE = "图书馆工作总结"


def cleaned(body: str, head: str = "") -> Cleaned:
    page = f'<html><head><meta charset="utf-8"><title>{TITLE}_山谷文稿网</title>{head}</head><body>{body}</body></html>'
    return clean_document([Page("https://a.example/1.html", page.encode(), "text/html; charset=utf-8")])


def text_of(body: str, head: str = "") -> str:
    found = cleaned(body, head)
    assert len(found.pieces) == 1, found.rejects
    return found.pieces[0].text


WHOLE = "\n".join(PROSE)


def paragraphs(tag: str = "p", attributes: str = "") -> str:
    return "".join(f"<{tag}{attributes}>{line}</{tag}>" for line in PROSE)


@pytest.mark.parametrize("name", ["Nav_x7Fq2", "footer-k3", "share_9a", "Tag_00"])
def test_generated_class_names_hold_paragraphs(name: str) -> None:
    body = paragraphs("div", f' class="{name}"')
    assert text_of(f"<h1>{TITLE}</h1><div class='m_1'>{body}</div>") == WHOLE


def test_a_real_footer_goes() -> None:
    foot = '<div class="footer">山谷文稿网的同志祝您阅读愉快，天天开心。</div>'
    assert text_of(f"<h1>{TITLE}</h1><div>{paragraphs()}</div>{foot}") == WHOLE


def test_the_hidden_rest_of_an_article_stays_and_a_hidden_jammer_goes() -> None:
    first, rest = PROSE[:2], "".join(f"<p>{line}</p>" for line in PROSE[2:] + PROSE[:2])
    jam = '<span style="display:none">山谷文稿zq81</span>'
    shown = f"<p>{first[0][:10]}{jam}{first[0][10:]}</p><p>{first[1]}</p>"
    body = (
        f"<div>{shown}<div style='display:none'>{rest}</div><div style='display:none'>请先登录。</div></div>"
    )
    assert text_of(f"<h1>{TITLE}</h1>{body}") == "\n".join([*PROSE, *PROSE[:2]])


def test_a_viewer_that_breaks_off_goes_on_in_its_script() -> None:
    shown = "".join(f"<p>{line}</p>" for line in PROSE[:3]) + f"<p>{PROSE[3][:20]}</p>"
    more = [f"到了第{k}个月，{line}" for k, line in enumerate(PROSE[:3], 4)]
    rest = PROSE[3][20:] + "\n" + "\n".join([*PROSE[4:], *more])
    script = f"<script>var doc = {json.dumps({'k': 7, 'rest': rest})};{' ' * 200}</script>"
    text = text_of(f"<h1>{TITLE}</h1><div>{shown}</div>{script}")
    assert text.replace("\n", "") == "".join([*PROSE, *more])


def test_a_finished_text_takes_nothing_from_scripts() -> None:
    lead = "别处的一篇文章这样开头，它说的是另外一件事情，和这里没有关系，只是推荐给读者看看。" * 6
    script = f"<script>var next = {json.dumps({'lead': lead})};{' ' * 200}</script>"
    assert text_of(f"<h1>{TITLE}</h1><div>{paragraphs()}</div>{script}") == WHOLE


def test_lines_that_a_viewer_placed_are_lines() -> None:
    rows = [line[i : i + 24] for line in PROSE for i in range(0, len(line), 24)]
    spans = "".join(
        f'<span class="l" style="left:84px;top:{90 + 34 * k}px">{row}</span>' for k, row in enumerate(rows)
    )
    found = cleaned(f"<h1>{TITLE}</h1><div class='pf'>{spans}</div>")
    assert found.document is not None
    assert found.pieces[0].text.replace("\n", "") == "".join(PROSE)


def test_a_labelled_line_of_links_goes_and_a_linked_word_stays() -> None:
    links = "".join(f'<a href="/{k}">别处的{word}总结</a>' for k, word in enumerate("春夏秋"))
    word = PROSE[1].replace("木架", '<a href="/w">木架</a>')
    body = f"<p>{PROSE[0]}</p><p>猜你要写：{links}</p><p>{word}</p>" + "".join(
        f"<p>{x}</p>" for x in PROSE[2:]
    )
    assert text_of(f"<h1>{TITLE}</h1><div>{body}</div>") == WHOLE


def test_beginnings_of_other_articles_below_the_text_go() -> None:
    lead = "别处的文章这样开头，说的是另外一件事，读者若有兴趣，可以点开来慢慢地看"
    cards = "".join(
        f"<div class='c'><a href='/{k}'>别处的总结之{k}</a><p>{lead}{k}…</p></div>" for k in range(4)
    )
    assert text_of(f"<h1>{TITLE}</h1><div>{paragraphs()}{cards}</div>") == WHOLE


def test_a_heading_that_is_only_a_link_is_the_sites_name() -> None:
    page = cleaned(f'<h1><a href="/">山谷人家的小屋</a></h1><h2>{TITLE}</h2><div>{paragraphs()}</div>')
    assert page.document is not None
    assert page.document.title is not None
    assert page.document.title.startswith(TITLE)


def test_cells_with_blocks_in_them_are_one_line() -> None:
    row = "<tr><td><p>借阅量</p></td><td><div>7200册</div></td><td><p>达标</p></td></tr>"
    text = text_of(f"<h1>{TITLE}</h1><div>{paragraphs()}<table>{row * 3}</table></div>")
    assert text.split("\n")[-1] == "借阅量 7200册 达标"


def test_pages_that_stop_before_their_last_number_are_incomplete() -> None:
    def viewer(shown: int, of: int) -> str:
        return "".join(
            f"<div class='page'><p>{PROSE[k]}</p><p>第{k + 1}页 / 共{of}页</p></div>" for k in range(shown)
        )

    cut = cleaned(f"<h1>{TITLE}</h1>{viewer(4, 9)}").pieces[0]
    whole = cleaned(f"<h1>{TITLE}</h1>{viewer(4, 4)}").pieces[0]
    assert (cut.text, "incomplete" in cut.flags) == ("\n".join(PROSE[:4]), True)
    assert (whole.text, "incomplete" in whole.flags) == ("\n".join(PROSE[:4]), False)


def test_a_chapter_of_a_novel_and_a_regulation_give_nothing() -> None:
    chapter = "<html><head><title>第七章 一份工作总结_山谷来客_夜读小说网</title></head><body><h1>第七章 一份工作总结</h1>"
    found = clean_document(
        [Page("https://n.example/7", f"{chapter}{paragraphs()}</body></html>".encode(), "text/html")]
    )
    assert [reject.reason for reject in found.rejects] == ["novel"]
    articles = "".join(
        f"<p>第{n}条　图书馆应当{PROSE[k % 6][:30]}。</p>" for k, n in enumerate("一二三四五六七八九")
    )
    law = (
        "<h1>山谷市图书馆管理办法</h1><p>（2020年1月1日山谷市人民政府第3次常务会议审议通过，自2020年3月1日起施行）</p>"
        f"<p>山谷市人民政府令第12号</p><p>第一章 总则</p>{articles}<p>第二章 附则</p><p>第二十一条　本办法由文化局解释。</p>"
    )
    assert [reject.reason for reject in cleaned(law).rejects] == ["law"]


# -- damage and layout -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("遇到咨询题就学", "遇到问题就学"),
        ("慰咨询老人三次", "慰问老人三次"),
        ("做了咨询卷调查", "做了问卷调查"),
    ],
)
def test_words_that_a_site_replaced(broken: str, whole: str) -> None:
    assert apply(broken, damage.replaced_words(broken)) == whole


@pytest.mark.parametrize("own", ["提供法律咨询服务", "心理咨询中心", "上门咨询的群众", "访咨询公司两家"])
def test_real_consultations_stay(own: str) -> None:
    assert damage.replaced_words(own) == []


def test_dots_for_stops_need_three_of_them_and_no_stop_in_the_line() -> None:
    dotted = "一个本子.一个箱子，走了三里路.门开着.\n" + PROSE[0]
    assert (
        apply(dotted, damage.ascii_stops(dotted)) == "一个本子。一个箱子，走了三里路。门开着。\n" + PROSE[0]
    )
    for own in (
        "一.抓学习\n二.抓服务\n三.抓纪律",
        "增长3.5倍，见附表1.2和2.1。",
        "他说.好。\n再说.好。\n又说.好。",
    ):
        assert damage.ascii_stops(own) == []


def test_quotation_marks_in_pairs_behind_de_are_meant() -> None:
    own = "这就是我们说的‘老馆’，也是大家的‘新家’。"
    assert damage.anticopy(own) == []
    marked = "自己的'书架和大家的'椅子，馆里的'灯"
    assert apply(marked, damage.anticopy(marked)) == "自己的书架和大家的椅子，馆里的灯"


def test_clauses_that_a_site_broke_apart() -> None:
    broken = "一、开门服务；\n上门送书；\n预约借阅。\n二、修理桌椅；\n添置台灯。"
    assert (
        apply(broken, layout.semicolons(broken))
        == "一、开门服务；上门送书；预约借阅。\n二、修理桌椅；添置台灯。"
    )
    listed = "（一）开门服务；\n（二）上门送书；\n（三）预约借阅；\n（四）添置台灯。"
    assert layout.semicolons(listed) == []
    mixed = broken + "\n三、买书；卖报；\n收费。"
    assert layout.semicolons(mixed) == []


def test_contents_in_the_middle_of_a_flat_text() -> None:
    entries = "目 录一、缘起…………………1二、经过…………………2三、体会…………………5"
    text = f"{PROSE[0]}{entries}{''.join(PROSE * 2)}"
    assert apply(text, layout.contents(text)) == f"{PROSE[0]}\n{''.join(PROSE * 2)}"
