"""Main text from all shapes of markup, from PDF and from DOCX."""

from __future__ import annotations

import pytest
from cleaner_texts import PROSE, html

from fanwen.cleaners.extract import ExtractError, extract_html
from fanwen.cleaners.extract_files import extract_docx, extract_pdf
from fanwen.cleaners.types import ExtractHints


def test_main_text_without_furniture() -> None:
    content = "".join(f"<p>　　{line}</p>" for line in PROSE)
    found = extract_html(html(content).decode())
    assert found.text.replace("　", "") == "\n".join(PROSE)
    assert found.titles[0] == "图书馆工作总结"


@pytest.mark.parametrize(
    "content",
    [
        "<br>".join(PROSE),
        "<pre>" + "\n".join(PROSE) + "</pre>",
        "<textarea>" + "\n".join(PROSE) + "</textarea>",
        "".join(f"<div>{line}</div>" for line in PROSE),
        "".join(f"<section><p><span>{line}</span></p></section>" for line in PROSE),
        "".join(f"<p><a href='/k'>{line[:6]}</a>{line[6:]}</p>" for line in PROSE),
        "<table><tr><td>" + "<br/>".join(PROSE) + "</td></tr></table>",
        "".join(f"<p>{line[:9]}<span style='display:none'>干扰</span>{line[9:]}</p>" for line in PROSE),
        "".join(f"<p>{line[:9]}<font class='jammer'>x9 干扰</font>{line[9:]}</p>" for line in PROSE),
    ],
)
def test_all_shapes_of_markup_give_the_same_lines(content: str) -> None:
    assert extract_html(html(content).decode()).text.replace("　", "") == "\n".join(PROSE)


def test_data_tables_keep_their_rows() -> None:
    rows = "".join(f"<tr><td>书目{k}</td><td>{k}册</td></tr>" for k in range(3))
    found = extract_html(html("".join(f"<p>{x}</p>" for x in PROSE) + f"<table>{rows}</table>").decode())
    assert "书目1 | 1册" in found.text.split("\n")


def test_site_selectors_win() -> None:
    page = html(
        "".join(f"<p>{x}</p>" for x in PROSE) + "<div class='note'>站内说明，很长的一段说明文字。</div>"
    ).decode()
    hints = ExtractHints(title=("h1",), content=(".nothing", ".article"), remove=(".note",))
    found = extract_html(page, hints)
    assert found.extractor == "selector"
    assert found.text == "\n".join(PROSE)


def test_text_of_a_viewer_that_stands_in_a_script() -> None:
    script_text = '"' + "\\n".join(PROSE) + '"'
    page = (
        f"<html><body><div id='v'></div><script>var doc = {{\"text\": {script_text}}};</script></body></html>"
    )
    assert extract_html(page).text.split("\n") == list(PROSE)


def test_trafilatura_where_the_site_file_names_it() -> None:
    """Headings in ``center`` and ``div``, ``pre`` and paragraphs rich in links survive it."""
    hints = ExtractHints(content=(".nothing", "@trafilatura"))
    linked = f"<p>{PROSE[1][:8]}<a href='/k'>{PROSE[1][8:20]}</a>{PROSE[1][20:]}</p>"
    content = (
        f"<center>篇1</center><p>{PROSE[0]}</p>{linked}<div>篇2</div><pre>{PROSE[2]}\n{PROSE[3]}</pre>"
        f"<p class='comment'>{PROSE[4]}</p>"
    )
    found = extract_html(html(content).decode(), hints)
    assert found.extractor == "trafilatura"
    wanted = ["篇1", *PROSE[:2], "篇2", *PROSE[2:5]]
    assert [line for line in found.text.split("\n") if line in wanted] == wanted
    assert "别处的文章标题" not in found.text


def test_trafilatura_is_asked_where_the_densest_block_is_not_what_the_title_announces() -> None:
    comments = "".join(f"<li><p>{x}</p></li>" for x in PROSE * 3)
    news = "馆内公告写得很短，却是这一页真正的正文，读者要看的就是这几句话。" * 2
    page = (
        f"<html><head><title>图书馆公告</title></head><body><div><h1>图书馆公告</h1><article><p>{news}</p><p>{news[::-1]}</p>"
        f"</article></div><div id='comments'><ul class='comment-list'>{comments}</ul></div></body></html>"
    )
    found = extract_html(page)
    assert found.extractor == "trafilatura"
    assert news in found.text
    assert PROSE[2] not in found.text


def test_an_article_that_a_script_will_show_is_no_hidden_text() -> None:
    content = (
        "<div style='visibility: hidden; opacity: 0;'>" + "".join(f"<p>{x}</p>" for x in PROSE) + "</div>"
    )
    assert extract_html(html(content).decode()).text == "\n".join(PROSE)


def test_damaged_files_say_so() -> None:
    with pytest.raises(ExtractError):
        extract_pdf(b"%PDF-1.4 nothing")
    with pytest.raises(ExtractError):
        extract_docx(b"PK\x03\x04 nothing")


def test_docx_with_a_table(tmp_path_factory: pytest.TempPathFactory) -> None:
    import docx

    path = tmp_path_factory.mktemp("docx") / "a.docx"
    document = docx.Document()
    document.add_paragraph(PROSE[0])
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "书目", "册数"
    document.add_paragraph(PROSE[1])
    document.save(str(path))
    assert extract_docx(path.read_bytes()).text.split("\n") == [PROSE[0], "书目 | 册数", PROSE[1]]


def test_a_byline_below_a_break_is_no_part_of_the_title() -> None:
    heading = "<h1>仓库管理员工作总结<br /><span>2012-11-06 来源：本站</span></h1>"
    page = f"<html><head><title>仓库管理员工作总结 - 某某网</title></head><body>{heading}<p>正文。</p></body></html>"
    assert extract_html(page).titles[0] == "仓库管理员工作总结"
    # a title on two lines stays whole where <title> has it whole, or does not know it at all
    for head in ("关于做好防汛和抢险工作的通知_某某网", "某某网"):
        two = f"<html><head><title>{head}</title></head><body><h1>关于做好防汛<br>和抢险工作的通知</h1></body></html>"
        assert extract_html(two).titles[0] == "关于做好防汛和抢险工作的通知"
