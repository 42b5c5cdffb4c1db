"""Pages for the benches: generated sample essays in the furniture of three kinds of sites.

In goes a seed, out come pages of 5, 30–60 and 100–230 kB with what a site file would know about them: single
essays in much furniture, compilations and long texts in less.
The texts are nonsense with the grammar, punctuation and figures of sample essays. As on real sites most of a
page is menus, lists of other pages, advertising and scripts; pages of one size differ in how much text they
hold, because the cost of cleaning grows with the text and that of parsing with the page.
The same seed gives the same bytes.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from fanwen.cleaners.types import ExtractHints, Page

_DATA: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_NUMERALS = "一二三四五六七八九十"
# how often the blocks that fill a page occur beside each other
_BLOCKS = {"item": 8, "plain": 6, "menu": 5, "lead": 2, "advert": 2, "script": 3}
# (kB of the page, share of them that is text): short essays, single essays, compilations, long ones
SIZES = (
    *((5, 0.5), (5, 0.35)),
    *((35, 0.12), (60, 0.08), (120, 0.05)),
    *((31, 0.3), (40, 0.5), (55, 0.2), (105, 0.4), (150, 0.15), (225, 0.3)),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A page, and the selectors of its kind of site; ``hints`` is None where nobody knows any."""

    name: str
    page: Page
    hints: ExtractHints | None


def generated(seed: int = 0) -> list[Sample]:
    """Pages of every size in every kind of site."""
    samples = []
    for kind, (template, charset, hints) in SITES.items():
        for kilobytes, share in SIZES:
            maker = _Maker(random.Random(f"{seed} {kind} {kilobytes} {share}"), charset)
            body = maker.page(template, kilobytes * 1000, share).encode(charset)
            name = f"{kind}-{kilobytes}-{int(share * 100)}.html"
            samples.append(Sample(name, Page(f"https://{kind}.example/{name}", body, "text/html"), hints))
    return samples


def article(seed: str, size: int, share: float) -> str:
    """A page of paragraphs and headings in UTF-8, of about ``size`` bytes, ``share`` of them text."""
    return _Maker(random.Random(seed), "utf-8").page(_article, size, share)


def listing(seed: str, size: int, links: Sequence[str], following: str | None) -> str:
    """A list page in the same furniture, of at least ``size`` bytes; ``following`` is the next one."""
    maker = _Maker(random.Random(seed), "utf-8")
    rows = [f'<li><a href="{link}">{maker.fill("{title}")}</a></li>' for link in links]
    onward = f'<a class="next" href="{following}">下一页</a>' if following else ""
    body = "\n".join(['<ul class="list">', *rows, "</ul>", onward])
    return _frame(maker, maker.site, body, size - maker.bytes(body))


class _Maker:
    """Writes one page."""

    def __init__(self, rng: random.Random, charset: str) -> None:
        self.rng = rng
        self.charset = charset
        self.site = rng.choice(_DATA["titles"]["site"])
        self.subject = rng.choice(_DATA["titles"]["subject"])

    def page(self, template: Template, size: int, share: float) -> str:
        pieces = [self.piece()]
        while self.bytes(*chain.from_iterable(pieces)) < size * share - 1500:
            pieces.append(self.piece())
        while len(pieces) == 1 and len(pieces[0]) > 2 and self.bytes(*pieces[0]) > size * share:
            pieces[0].pop(-2)  # a short page holds a short essay
        title = self.subject + (_DATA["titles"]["count"].format(n=len(pieces)) if len(pieces) > 1 else "")
        body = template(self, title, pieces)
        return _frame(self, title, body, size - self.bytes(body))

    def bytes(self, *texts: str) -> int:
        return sum(len(text.encode(self.charset)) for text in texts)

    def piece(self) -> list[str]:
        """The paragraphs of an essay of 600 to 2,500 characters."""
        lines = [self.fill(self.rng.choice(_DATA["sentences"]["opening"]))]
        for part in _DATA["titles"]["part"][1 : self.rng.randint(3, 5)]:
            lines.append(part)
            lines += [self.paragraph() for _ in range(self.rng.randint(1, 4))]
        return [*lines, self.fill(self.rng.choice(_DATA["sentences"]["closing"]))]

    def paragraph(self) -> str:
        return "".join(self.sentence() for _ in range(self.rng.randint(2, 6)))

    def sentence(self) -> str:
        return self.fill(self.rng.choice(_DATA["sentences"]["body"]))

    def fill(self, text: str) -> str:
        """``text`` with a word in every gap."""

        def word(match: re.Match[str]) -> str:
            gap = str(match[1])
            if gap in _DATA["gaps"]:
                return self.fill(self.rng.choice(_DATA["gaps"][gap]))
            if gap == "n":
                return str(self.rng.choice((self.rng.randint(2, 99), self.rng.randint(100, 9999))))
            if gap == "url":
                folder = self.rng.choice(("fanwen", "zongjie", "xinde"))
                return f"/{folder}/{self.rng.randint(1000, 999999)}.html"
            if gap == "title":
                extra = self.rng.choice(("", "范文", "模板", "（通用8篇）", "最新优秀5篇"))
                return f"{self.rng.choice(_DATA['titles']['subject'])}{extra}"
            return self.sentence() if gap == "sentence" else self.site

        return re.sub(r"(?<!\{)\{(\w+)\}", word, text).replace("{{", "{").replace("}}", "}")

    def some(self, what: str, count: int) -> str:
        return "\n".join(self.fill(_DATA["furniture"][what]) for _ in range(count))


def _frame(make: _Maker, title: str, body: str, room: int) -> str:
    """The page around its content; furniture of every kind until ``room`` bytes are full."""
    blocks: dict[str, list[str]] = {kind: [] for kind in _BLOCKS}
    room -= 1500  # head and footer
    while room > 0:
        (kind,) = make.rng.choices(tuple(_BLOCKS), tuple(_BLOCKS.values()))
        block = make.some(kind, 1)
        blocks[kind].append(block)
        room -= make.bytes(block)
    scripts, lists = blocks["script"], blocks["item"] + blocks["plain"]
    comments = make.some("comment", min(12, len(lists) // 8))
    half, third = len(scripts) // 2, len(lists) // 3
    join = "\n".join
    return f"""<!DOCTYPE html>
<html lang="zh-CN"><head><meta charset="{make.charset}"><title>{title}_{make.site}</title>
{make.some("head", 1)}
{join(scripts[:half])}</head>
<body><div class="header"><div class="logo"><a href="/">{make.site}</a></div>
<ul class="nav">{join(blocks["menu"])}</ul></div>
<div class="crumb">当前位置：<a href="/">{make.site}</a> &gt; <a href="/fanwen/">范文</a> &gt; 正文</div>
<div class="wrap"><div class="main">
{body}
<div class="related"><h3>相关文章</h3><ul>{join(lists[:third])}</ul></div>
{join(blocks["lead"])}
<div class="comments">{comments}</div></div>
<div class="side"><h3>热门推荐</h3><ul>{join(lists[third:])}</ul>{join(blocks["advert"])}</div></div>
<div class="footer">{make.some("footer", 1)}</div>
{join(scripts[half:])}</body></html>"""


def _head(title: str, k: int) -> str:
    return f"{re.sub('（.*', '', title)}篇{_NUMERALS[k] if k < len(_NUMERALS) else k + 1}"


def _article(make: _Maker, title: str, pieces: list[list[str]]) -> str:
    """Paragraphs and headings, a related link between the pieces."""
    parts = [
        f'<h1>{title}</h1><div class="info">时间：2023-04-12 10:23:11 作者：佚名 来源：{make.site}</div>'
    ]
    parts.append(f'<div class="content" id="article"><p>　　{make.some("intro", 1)}</p>')
    for k, piece in enumerate(pieces):
        if len(pieces) > 1:
            parts.append(f"<h2>{_head(title, k)}</h2>")
        parts += [f"<p>　　{line}</p>" for line in piece]
        if k % 3 == 1:
            parts.append(f"<p>{make.some('nag', 1)}</p>")
    return "\n".join([*parts, "</div>"])


def _portal(make: _Maker, title: str, pieces: list[list[str]]) -> str:
    """A table for the layout, lines with ``br`` and indents, headings in the middle or bold."""
    parts = [
        f'<table width="960"><tr><td class="bt" align="center"><h1>{title}</h1></td></tr><tr><td class="zw">'
    ]
    parts.append(f"<font size=3>　　{make.some('intro', 1)}<br>")
    for k, piece in enumerate(pieces):
        if len(pieces) > 1:
            parts.append(f"<center><b>{_head(title, k)}</b></center>")
        parts += [f"　　{line}<br><br>" for line in piece]
    return "\n".join([*parts, f"</font>{make.some('nag', 1)}</td></tr></table>"])


def _viewer(make: _Maker, title: str, pieces: list[list[str]]) -> str:
    """The pages of a document viewer: wrapped lines, each a paragraph, with page numbers."""
    lines = []
    for k, piece in enumerate(pieces):
        for text in [_head(title, k)] * (len(pieces) > 1) + piece:
            lines += [("　　" + text)[at : at + 40] for at in range(0, len(text) + 2, 40)]
    sheets = [lines[at : at + 40] for at in range(0, len(lines), 40)]
    parts = [
        f'<h1 class="doc-title">{title}</h1>',
        f'<div class="doc-info">格式：DOCX 页数：{len(sheets)} 上传人：wj01</div>',
    ]
    for number, sheet in enumerate(sheets, 1):
        rows = "\n".join(f'<p class="line">{line}</p>' for line in sheet)
        parts.append(
            f'<div class="page" id="p{number}">{rows}\n<p class="no">{number} / {len(sheets)}</p></div>'
        )
    return "\n".join([*parts, f'<div class="tip">{make.some("nag", 1)}</div>'])


Template = Callable[[_Maker, str, list[list[str]]], str]
# template, charset, and what a site file of that site would say
SITES: dict[str, tuple[Template, str, ExtractHints]] = {
    "article": (_article, "utf-8", ExtractHints(title=("h1",), content=("#article",), remove=(".related",))),
    "portal": (_portal, "gb18030", ExtractHints(title=("td.bt h1",), content=("td.zw", "@trafilatura"))),
    "viewer": (_viewer, "utf-8", ExtractHints(title=("h1.doc-title",), content=(".page",), remove=(".no",))),
}
