"""The year a piece names and the level it was written on (村, 学校, 企业 …), as the text says them.

Sites rewrite years (20xx, refreshed years): what stands there is recorded, nothing is guessed.
"""

from __future__ import annotations

import re
from functools import cache

from fanwen.cleaners import rules

# characters of the text that are looked at: its first lines, and for a year also its date of signature
_HEAD, _OPENING, _END = 600, 300, 40
_TITLE_WEIGHT, _ENOUGH = 3, 2


def year_of(text: str, heading: str | None, document_title: str | None = None) -> str | None:
    """The year as written (2021, 20xx, 二〇二一): of the heading, the first lines, the date of signature.

    The title of the document comes last, because sites put the current year there.
    """
    in_text, in_title = _years()
    last = text[-_END:].rstrip().rpartition("\n")[2]
    titled = in_title.search(heading) if heading else None
    for part in (heading, text[:_OPENING], last):
        if part and (m := in_text.search(part) or (titled if part is heading else None)):
            return _group(m)
    if document_title and (m := in_text.search(document_title) or in_title.search(document_title)):
        return _group(m)
    return None


def level_of(text: str, title: str | None) -> str | None:
    """省, 市, 县, 乡, 镇, 社区, 村, 学校 or 企业; None where title and first lines say too little."""
    head = text[:_HEAD]
    best, most = None, _ENOUGH - 1
    for name, by_title, by_text in _levels():
        weight = _TITLE_WEIGHT * bool(title and by_title.search(title)) + len(by_text.findall(head))
        if weight > most:
            best, most = name, weight
    return best


def _group(m: re.Match[str]) -> str:
    return next(group for group in m.groups() if group)


@cache
def _years() -> tuple[re.Pattern[str], re.Pattern[str]]:
    row = rules.table("levels.toml")["year"]
    return re.compile(row["text"]), re.compile(row["title"])


@cache
def _levels() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    rows = rules.table("levels.toml")["level"]
    return tuple((row["name"], re.compile(row["title"]), re.compile(row["text"])) for row in rows)
