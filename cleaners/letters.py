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

_LONGEST = 32


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


@cache
def _pattern(key: str) -> re.Pattern[str]:
    return re.compile(rules.expand(rules.table("letters.toml")[key]))
