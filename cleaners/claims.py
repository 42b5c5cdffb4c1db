"""Reads what a page says about its document before the boilerplate that says it is removed.

In go lines of the page, out come date, author, source, rights statement and category, each with
the line it stands in and its place there. Nothing is checked, nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fanwen.cleaners.types import Claim, Claims

_CLAIMS = {
    "published": re.compile(
        r"(?:发布|更新|上传|发表|添加|發布|發佈)?(?:时间|日期|時間|于|於)\s*[:：]?\s*((?:19|20)\d{2}[-/.年]\d{1,2}[-/.月]\d{1,2}日?(?:\s+\d{1,2}:\d{2}(?::\d{2})?)?)"
    ),
    "author": re.compile(
        r"(?:作者|撰稿人?|投稿人?|上传人|编辑|責任編輯|编辑者)\s*[:：]\s*([^\s　|/:：]{1,20})"
    ),
    "source": re.compile(r"(?:文章)?(?:来源|來源|出处|出處)(?:于|於)?\s*[:：]\s*([^\s　|]{1,40})"),
    "rights": re.compile(
        r"([^。\n]{0,60}(?:版权|版權|转载|轉載|侵权|侵權|著作权|未经允许|未經允許)[^。\n]{0,120})"
    ),
    "category": re.compile(
        r"(?:当前|现在|您的?|當前)?的?位置\s*[:：][^\n]*?[>＞»›]\s*([^>＞»›\n]{2,16}?)\s*[>＞»›]\s*[^>＞»›\n]*$"
    ),
}


def read_claims(lines: Sequence[str]) -> Claims:
    """The first claim of every kind in ``lines``, verbatim; lines of more than 300 characters make none."""
    return Claims(**{name: _first(pattern, lines) for name, pattern in _CLAIMS.items()})


def _first(pattern: re.Pattern[str], lines: Sequence[str]) -> Claim | None:
    for line in lines:
        if len(line) <= 300 and (m := pattern.search(line)):
            return Claim(m[1].strip(), line, *m.span(1))
    return None
