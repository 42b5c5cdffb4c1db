"""The page gate: whether a page holds sample essays at all, and if not, why.

In go titles, main text and a little about the page, out comes a reason code with what was seen,
or None. Weights of the rules in gate.toml add up; 1 refuses. In doubt a page passes: what is
poor is flagged later, what is refused is lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from fanwen.cleaners import chars, rules
from fanwen.cleaners.extract import NO_LINKS, Links
from fanwen.cleaners.language import detect
from fanwen.cleaners.types import Reject

_SENTENCE = re.compile(r"[。！？!?]")
MIN_HAN = 40
THIN_HAN = 150
# Characters of prose from which on a short page is a text for all that.
_FEW = 60


def judge(
    source: str, titles: Sequence[str], text: str, links: Links = NO_LINKS, around: str = ""
) -> Reject | None:
    """Why a page gives no piece, or None where it may. ``text`` is simplified main
    text, ``around`` the lines of the whole page."""
    han = chars.han(text)
    title = titles[0] if titles else ""
    sums = _weights(title, text)
    reason, weight, seen = max(sums, key=lambda item: item[1], default=("", 0.0, ""))
    if weight >= 1:
        return Reject(source, reason, f"{title[:60]!r}: {seen}")
    for row in rules.table("gate.toml")["named"]:
        chapter = re.search(row["title"], title)
        if chapter and any(re.search(row["pattern"], other) for other in titles):
            return Reject(source, row["reason"], f"{title[:60]!r}: {chapter[0].strip()}")
    if listed := _leads(text):
        searched = _family("thin")[2].search(text[:400])
        return Reject(source, "search_results" if searched else "list_page", listed)
    for row, words in zip(rules.table("gate.toml")["signals"], _signals(), strict=True):
        if han > row["most"]:
            continue
        seen_words = [m[0] for word in words if (m := word.search(text[: row["within"]]))]
        if len(seen_words) < row["least"]:
            continue
        if "prose" not in row or _running(text) < row["prose"]:
            return Reject(source, row["reason"], " · ".join(seen_words)[:80])
    if links.listed >= 0.6 and links.lines >= 4 and len(_SENTENCE.findall(text)) < 3:
        return Reject(source, "list_page", f"{links.listed:.0%} of the text are links")
    if (
        han < THIN_HAN
        and _running(text) < _FEW
        and (thin := _thin(text) or (_thin(around) if han < MIN_HAN else None))
    ):
        return Reject(source, *thin)
    if han < MIN_HAN:
        language = detect(text or around[:3000])
        if language not in ("zh", "und") and len(text or around) > 200:
            return Reject(source, "not_chinese", f"the text is {language}")
        if links.page > 0.6:
            return Reject(source, "list_page", f"{links.page:.0%} of the page is links")
        return Reject(source, "empty", f"{han} Chinese characters of main text")
    if han < 0.2 * len(text) and detect(text[:2000]) not in ("zh", "und"):
        return Reject(source, "not_chinese", f"{han} Chinese characters in {len(text)}")
    if links.page > 0.8 and han < 400 and len(_SENTENCE.findall(text)) < 3:
        return Reject(source, "list_page", f"{links.page:.0%} of the page is links")
    return None


def _running(text: str) -> int:
    """Characters in lines that are long and end like prose, without any word of a wall."""
    rows = _family("thin")
    lines = (line.strip(" 　") for line in text.split("\n"))
    prose = (line for line in lines if len(line) >= 25 and _SENTENCE.match(line[-1]))
    return sum(len(line) for line in prose if not any(row.search(line) for row in rows))


def _leads(text: str) -> str:
    """What was seen where the text is made of the beginnings of other pages' texts."""
    (row,) = rules.table("gate.toml")["leads"]
    if "…" not in text and "..." not in text:
        return ""
    found = len(_family("leads")[0].findall(text))
    long = sum(len(line) >= 25 for line in text.split("\n"))
    return (
        f"{found} of {long} lines break off" if found >= row["least"] and found >= row["share"] * long else ""
    )


@cache
def _signals() -> tuple[tuple[re.Pattern[str], ...], ...]:
    return tuple(
        tuple(rules.searchable(word) for word in row["words"]) for row in rules.table("gate.toml")["signals"]
    )


def _thin(text: str) -> tuple[str, str] | None:
    """(reason, what was seen) of a page with hardly any text."""
    for row, rule in zip(rules.table("gate.toml")["thin"], _family("thin"), strict=True):
        if m := rule.search(text):
            return row["reason"], m[0][:40]
    return None


def _weights(title: str, text: str) -> list[tuple[str, float, str]]:
    """(reason, weight, example) of every reason that anything speaks for."""
    sums: dict[str, tuple[float, str]] = {}

    def add(reason: str, weight: float, seen: str) -> None:
        old, example = sums.get(reason, (0.0, seen))
        sums[reason] = (old + weight, example)

    for row, rule in zip(rules.table("gate.toml")["title"], _family("title"), strict=True):
        if m := rule.search(title):
            add(row["reason"], row["weight"], m[0])
    size = max(1.0, len(text) / 1000)
    for row, patterns in zip(rules.table("gate.toml")["text"], _texts(), strict=True):
        if not any(cue in text for cue in row["cues"]):
            continue
        found = [m[0] for pattern in patterns for m in pattern.finditer(text[:20000])]
        if found:
            share = min(1.0, len(found) / min(size, 20.0) / row["per"])
            # one match in a short text is no evidence yet
            if len(found) >= 2:
                add(row["reason"], row["weight"] * share, found[0].strip()[:40])
    return [(reason, weight, seen) for reason, (weight, seen) in sorted(sums.items())]


@cache
def _texts() -> tuple[tuple[re.Pattern[str], ...], ...]:
    rows = rules.table("gate.toml")["text"]
    return tuple(
        tuple(rules.searchable(row[key], re.IGNORECASE) for key in ("pattern", "also") if key in row)
        for row in rows
    )


@cache
def _family(key: str) -> tuple[re.Pattern[str], ...]:
    rows = rules.table("gate.toml")[key]
    return tuple(rules.searchable(rules.expand(row["pattern"]), re.IGNORECASE) for row in rows)
