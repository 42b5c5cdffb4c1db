"""The formulas with which Chinese letters, applications and speeches begin and end.

In goes a line, out comes whether it salutes or signs; and where in a text one letter ends and
the next begins. The words are in letters.toml. Nothing is changed here.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise

from fanwen.cleaners import rules
from fanwen.cleaners.boilerplate import spans
from fanwen.cleaners.layout import is_bare_head

_LONGEST = 32
# what a paragraph that is not cut off ends with
ENDS = "。！？!?；;…”’」』）)】》.~～"


def is_salutation(line: str) -> bool:
    """尊敬的各位领导： or 各位老师、同学们："""
    return len(line) <= _LONGEST and _pattern("salutation").fullmatch(line) is not None


def is_signature(line: str) -> bool:
    """申请人：李某 or 20xx年5月4日, alone on a line."""
    return len(line) <= _LONGEST and _pattern("signature").fullmatch(line) is not None


def borders(text: str, begin: int = 0, end: int | None = None) -> list[int]:
    """Where a line salutes right behind one that signs: there a new letter begins."""
    stretch = text[begin:end]
    return [
        begin + b[0]
        for a, b in pairwise(spans(stretch))
        if is_signature(stretch[slice(*a)]) and is_salutation(stretch[slice(*b)])
    ]


def breaks_off(text: str) -> bool:
    """Whether the last piece of a document ends in mid-sentence, at a cut, or with a bare head.

    A text without a full stop at its end is whole when it ends with thanks, a request or a
    signature, when its paragraphs do not end with full stops at all, or when its last line is short.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return False
    end = lines[-1].strip()
    if is_bare_head(end):
        return len(lines) > 3
    if re.search(r"[^.…](?:\.{3,6}|…{1,3})$", end):
        return len(end) >= 15 and not _pattern("trailing").search(end)
    if end[-1] in ENDS + "：:":
        return False
    if end[-1] in "，,、":
        return len(end) >= 15
    prose = len(end) >= 40 or (len(end) >= 10 and re.search(r"[，,；;]", end))
    if not prose or _pattern("closing").search(end[-20:]) or _pattern("signed").search(end[-24:]):
        return False
    if len(end) % 500 == 0 or len(text) % 500 == 0:
        return True
    longer = [line for line in lines[:-1] if len(line) >= 30]
    return sum(line.strip()[-1] in ENDS for line in longer) * 5 >= len(longer) * 4


@cache
def _pattern(key: str) -> re.Pattern[str]:
    return re.compile(rules.expand(rules.table("letters.toml")[key]))
