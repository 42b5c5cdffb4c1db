"""One text from the pages of a paginated article, without the titles that later pages repeat."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fanwen.cleaners import boilerplate, layout, letters
from fanwen.cleaners.extract import Extracted
from fanwen.cleaners.trace import Change


def join(pages: Sequence[Extracted]) -> tuple[str, list[Change]]:
    """Joins the pages of a paginated article; a page that starts in mid-sentence joins without a break.

    Also the titles that the later pages repeat on top, as changes to be made.
    """
    if len(pages) == 1:
        return pages[0].text.strip("\n"), []
    whole, repeated = "", []
    for page in pages:
        text = page.text.strip("\n")
        last = whole.rstrip()[-1:]
        first = text.lstrip(" 　")[:1]
        runs_on = last and last not in letters.ENDS + ":：" and re.match(r"[㐀-鿿，。、；]", first or " ")
        line = whole.rstrip().rpartition("\n")[2]
        title = _own_title(page) if whole else 0
        # a page's own furniture at its edge: what goes on in mid-sentence is joined when that is gone
        top, bottom = boilerplate.lines(text[:_PAGE_TOP]), boilerplate.lines(line)
        furnished = bool(bottom) or title > 0 or (bool(top) and top[0].begin <= 2)
        if runs_on and not furnished and len(line) >= 25 and not layout.is_head_line(text.lstrip(" 　")[:40]):
            whole = whole.rstrip() + text.lstrip(" 　")
        else:
            # an empty line: something of the page may have stood here
            whole = f"{whole}\n\n" if whole else ""
            if title:
                repeated.append(Change(len(whole), len(whole) + title, "", "layout.page_title"))
            whole += text
    return whole, repeated


def _own_title(page: Extracted) -> int:
    """Length of a page's first line where that is the page's title, with its number or without; else 0."""
    line = page.text.strip("\n").partition("\n")[0]
    names = {_squeezed(title) for title in page.titles}
    return len(line) if _squeezed(line) in names else 0


def _squeezed(title: str) -> str:
    return _NUMBERED.sub("", re.sub(r"\s", "", title))


_NUMBERED = re.compile(r"(?:[(（【\[]第?\d{1,2}页?[)）】\]]|[-_—]\d{1,2}|第\d{1,2}页)$")

# how far down a page its own furniture is looked for, in characters
_PAGE_TOP = 300
