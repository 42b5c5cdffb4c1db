"""What sites wrap their texts in: viewers, attachments, wrong charsets; fetched as bytes, read by the cleaners."""

from __future__ import annotations

import io
import json

import pytest
from docx import Document

from fanwen.cleaners.pipeline import clean_document
from fanwen.cleaners.types import Page
from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.site import read_site

HOST = "http://geshi.example"
FIRST = "过去的一年里，图书馆的同志们把旧书一本一本修好，把新书一箱一箱搬上楼，来看书的人比从前多了。"
SECOND = "夏天停水的那几天，值班的人提着桶一层一层地浇花，没有让一盆枯掉。账目每月贴在门口，谁都看得见。"
THIRD = "明年我们打算把地下室腾出来做儿童角，先量尺寸再看通风，宁可慢一点，也要让孩子待得住。"


def _pieces(crawler):
    with Archive(crawler.archive, readonly=True) as archive:
        return {
            document.url[len(HOST) :]: clean_document(
                [
                    Page(part.url, archive.body(part.body_hash), part.content_type, truncated=part.truncated)
                    for part in document.parts
                ]
            ).pieces
            for document in archive.documents()
        }


def _viewer(text, script=""):
    return (
        "<html><head><title>图书馆工作总结</title></head><body><h1>图书馆工作总结</h1>"
        f'<div class="doc">{text}</div>{script}</body></html>'
    ).encode()


def test_a_viewer_that_loads_its_text_as_json(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/1.html"])
    script = "<script>var doc = {id: 'k7', pages: 3};</script>"
    farm[f"{HOST}/a/1.html"] = answer(_viewer(f"<p>{FIRST * 3}</p><p>{FIRST}夏天的值班表由</p>", script))
    farm[f"{HOST}/api/k7?p=2"] = answer(
        json.dumps({"code": 0, "data": {"html": f"<p>大家排，{SECOND * 2}</p>"}}).encode(),
        content_type="application/json",
    )
    farm[f"{HOST}/api/k7?p=3"] = answer(
        b"cb(" + json.dumps({"lines": [THIRD, FIRST]}).encode() + b");", content_type="text/javascript"
    )
    crawler.site(
        "geshi.example",
        "[parts]\napi = '/api/{id}?p={page}'\napi_first = 2\n"
        "api_values = \"id: '(?P<id>\\\\w+)', pages: (?P<pages>\\\\d+)\"\n",
    )
    assert crawler.run()["exit_code"] == 0
    (piece,) = _pieces(crawler)["/a/1.html"]
    assert piece.text == f"{FIRST * 3}\n{FIRST}夏天的值班表由大家排，{SECOND * 2}\n{THIRD}\n{FIRST}"


def test_fragments_that_elements_name(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm[f"{HOST}/a/1.html"] = answer(
        _viewer(f"<p>{FIRST * 3}</p><div class=page data-url=/f/2></div><div class=page data-url=/f/3></div>")
    )
    farm[f"{HOST}/f/2"] = answer(f"<p>{SECOND * 3}</p>".encode())
    farm[f"{HOST}/f/3"] = answer(f"<p>{THIRD * 3}</p>".encode())
    crawler.site("geshi.example", "[parts]\nfragment = '.page[data-url]'\n")
    crawler.run()
    (piece,) = _pieces(crawler)["/a/1.html"]
    assert piece.text == f"{FIRST * 3}\n{SECOND * 3}\n{THIRD * 3}"


def test_of_a_preview_what_is_public_is_kept_and_called_incomplete(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm[f"{HOST}/a/1.html"] = answer(
        _viewer(
            f"<p>{FIRST * 3}</p><p>{SECOND}{SECOND[:20]}</p><p>……（该部分内容需会员登录后查看，共6页）</p>"
        )
        + b"<a href='/pay?id=1'>x</a>"
    )
    crawler.site("geshi.example")
    crawler.run()
    (piece,) = _pieces(crawler)["/a/1.html"]
    assert piece.text == f"{FIRST * 3}\n{SECOND}{SECOND[:20]}"
    assert "incomplete" in piece.flags
    assert set(farm.pages_asked()) == {f"{HOST}/", f"{HOST}/a/1.html"}


def test_attachments_are_documents_of_their_own(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm.page(f"{HOST}/a/1.html", ["/f/jihua.docx", "/f/zongjie.txt"])
    written = io.BytesIO()
    docx = Document()
    for line in (FIRST, SECOND, THIRD):
        docx.add_paragraph(line * 2)
    docx.save(written)
    farm[f"{HOST}/f/jihua.docx"] = answer(written.getvalue(), content_type="application/octet-stream")
    farm[f"{HOST}/f/zongjie.txt"] = answer(
        f"{SECOND * 2}\n{THIRD * 2}\n".encode("gb18030"), content_type="text/plain"
    )
    crawler.site("geshi.example")
    path = crawler.sites / "geshi.example.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace(r"'\.pdf$'", r"'\.(docx|txt)$'"), encoding="utf-8"
    )
    crawler.run()
    pieces = _pieces(crawler)
    assert pieces["/f/jihua.docx"][0].text == f"{FIRST * 2}\n{SECOND * 2}\n{THIRD * 2}"
    assert pieces["/f/zongjie.txt"][0].text == f"{SECOND * 2}\n{THIRD * 2}"


TRADITIONAL = "圖書館的同志們把舊書修好，把新書搬上樓，來看書的人比從前多了。"
SIMPLIFIED = "图书馆的同志们把旧书修好，把新书搬上楼，来看书的人比从前多了。"


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("gbk", "utf-8"), ("gb18030", "iso-8859-1"), ("utf-8", "gb2312"), ("big5", "utf-8"), ("utf-8", None)],
)
def test_bytes_decide_whatever_is_declared(farm, crawler, answer, encoding, declared):
    text = TRADITIONAL if encoding == "big5" else SIMPLIFIED
    farm.page(f"{HOST}/", ["/a/1.html"])
    kind = f"text/html; charset={declared}" if declared else "text/html"
    body = f'<html><body><div class="doc"><p>{text * 4}</p></div></body></html>'
    farm[f"{HOST}/a/1.html"] = answer(body.encode(encoding), content_type=kind)
    crawler.site("geshi.example")
    crawler.run()
    (piece,) = _pieces(crawler)["/a/1.html"]
    assert piece.text == SIMPLIFIED * 4


def test_a_torn_transfer_makes_the_piece_incomplete(farm, crawler, answer):
    body = _viewer("".join(f"<p>{line * 4}</p>" for line in (FIRST, SECOND, THIRD)))
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm[f"{HOST}/a/1.html"] = answer(body, cut=len(body) * 2 // 3)
    crawler.site("geshi.example")
    crawler.run()
    (piece,) = _pieces(crawler)["/a/1.html"]
    assert piece.text.startswith(FIRST)
    assert "incomplete" in piece.flags


@pytest.mark.parametrize(
    "parts",
    [
        "api = '/x/{page}'",
        "api = '/x/{page}'\napi_values = 'n=(\\d+)'",
        "api = '/x/{which}'\napi_values = 'n=(?P<pages>\\d+)'",
        "api_values = '(?P<pages>'",
    ],
)
def test_a_wrong_api_is_told(tmp_path, parts):
    path = tmp_path / "a.example.toml"
    path.write_text(
        f'name = "a.example"\ntitle = "a"\nfamily = "test"\nhost = "a.example"\n[parts]\n{parts}\n',
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match="parts"):
        read_site(path)
