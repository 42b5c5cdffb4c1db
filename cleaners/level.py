"""The year a piece names and the level it was written on (村, 学校, 企业 …), as the text says them.

Sites rewrite years (20xx, refreshed years): what stands there is recorded, nothing is guessed. Where heading,
first words and date of signature name years more than one apart, one of them was rewritten: none is recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from fanwen.cleaners import rules

# characters of the text that are looked at: its first lines, and for a year also its date of signature
_HEAD, _OPENING, _END = 600, 300, 40
_TITLE_WEIGHT, _ENOUGH = 3, 2


def year_of(text: str, heading: str | None, document_title: str | None = None) -> str | None:
    """The year as written (2021, 20xx, 二〇二一): of the heading, the first lines, the date of signature.

    None where these contradict each other. The title of the document counts only where the piece itself
    names no year, because sites put the current year there.
    """
    named = _in_title(heading)
    opening, opens = _opening(text)
    signed = _first(text[-_END:].rstrip().rpartition("\n")[2])
    own = [year for year in (named, opening if opens else None, signed) if year]
    if own:
        return None if _contradict(own) else own[0]
    years = _all(text[:_OPENING])
    if years:
        return None if _contradict(years) else years[0]
    return _in_title(document_title)


def level_of(text: str, title: str | None) -> str | None:
    """省, 市, 县, 乡, 镇, 社区, 村, 学校 or 企业; None where title and first lines say too little."""
    head = text[:_HEAD]
    best, most = None, _ENOUGH - 1
    for name, by_title, by_text in _levels():
        weight = _TITLE_WEIGHT * bool(title and by_title.search(title)) + len(by_text.findall(head))
        if weight > most:
            best, most = name, weight
    return best


# -- years ----------------------------------------------------------------------------------------


def _all(text: str) -> list[str]:
    return [_group(m) for m in _years().text.finditer(text)]


def _first(text: str) -> str | None:
    m = _years().text.search(text)
    return _group(m) if m else None


def _in_title(title: str | None) -> str | None:
    """The year of a title, where no 年 needs to follow."""
    if not title:
        return None
    m = _years().text.search(title) or _years().title.search(title)
    return _group(m) if m else None


def _opening(text: str) -> tuple[str | None, bool]:
    """The first year of the first lines, and whether the text begins with it as the year it speaks of."""
    patterns = _years()
    m = patterns.text.search(text[:_OPENING])
    if not m:
        return None, False
    begin, end = m.span(m.lastindex or 0)
    line = text[:begin].rpartition("\n")[2]
    return _group(m), bool(patterns.opens.search(line)) and not patterns.since.search(text[end : end + 6])


_SIGNS = {c: str(d) for d, c in enumerate("〇一二三四五六七八九")} | {"○": "0", "零": "0", "O": "0", "o": "0"}


def _contradict(years: list[str]) -> bool:
    """Whether years stand more than one apart: a summary may be signed a year later, a plan a year before."""
    values = ("".join(_SIGNS.get(c, c) for c in year) for year in years)
    numbers = [int(value) for value in values if value.isdecimal()]
    return bool(numbers) and max(numbers) - min(numbers) > 1


def _group(m: re.Match[str]) -> str:
    return next(group for group in m.groups() if group)


@dataclass(frozen=True, slots=True)
class _Years:
    text: re.Pattern[str]
    title: re.Pattern[str]
    opens: re.Pattern[str]
    since: re.Pattern[str]


@cache
def _years() -> _Years:
    row = rules.table("levels.toml")["year"]
    return _Years(**{key: rules.searchable(row[key]) for key in ("text", "title", "opens", "since")})


# -- levels ---------------------------------------------------------------------------------------


@cache
def _levels() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    rows = rules.table("levels.toml")["level"]
    return tuple((row["name"], rules.searchable(row["title"]), rules.searchable(row["text"])) for row in rows)
