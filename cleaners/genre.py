"""文种: the genre of a piece, its year and its level, with what says so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from fanwen.cleaners import rules

_YEAR = re.compile(r"(?<!\d)((?:19|20)\d{2})(?=年|[-—~至到](?:20)?\d{2}|学年|/20\d\d)|(20[xX×*_]{2})年?")
_LEVELS = (
    ("学校", re.compile(r"学校|我校|班主任|教师|学期|学生|小学|中学|幼儿园|大学|校园")),
    ("企业", re.compile(r"公司|企业|销售|客户|车间|酒店|银行|支行|物业|部门经理")),
    ("村", re.compile(r"我村|村委|村支部|村民|村两委")),
    ("社区", re.compile(r"社区|居委会|街道")),
    ("镇", re.compile(r"我镇|镇党委|镇政府|全镇")),
    ("乡", re.compile(r"我乡|乡党委|乡政府|全乡")),
    ("县", re.compile(r"我县|县委|县政府|全县")),
    ("市", re.compile(r"我市|市委|市政府|全市|我区|区委|区政府")),
    ("省", re.compile(r"我省|省委|省政府|全省")),
)


@dataclass(frozen=True, slots=True)
class Genre:
    """``confidence`` in [0, 1]; ``evidence`` is the word that decided."""

    name: str
    confidence: float
    evidence: str | None
    year: str | None
    level: str | None


@cache
def _words() -> tuple[tuple[str, str], ...]:
    """(word, genre), longest word first; among equals the order of the file."""
    pairs = [(word, str(row["zh"])) for row in rules.table("genres.toml")["genre"] for word in row["words"]]
    return tuple(sorted(pairs, key=lambda pair: -len(pair[0])))


def names() -> tuple[str, ...]:
    """The closed vocabulary."""
    return tuple(str(row["zh"]) for row in rules.table("genres.toml")["genre"])


def classify(text: str, heading: str | None, document_title: str | None) -> Genre:
    """The genre by heading, else by first and last lines, else by the document's title."""
    year, level = _year(f"{heading or document_title or ''}\n{text[:300]}"), _level(text)
    for title, confidence in ((heading, 0.95), (document_title, 0.85)):
        found = by_title(title) if title else None
        if found:
            return Genre(found[0], confidence, found[1], year, level)
    found = _by_text(text)
    if found:
        return Genre(found[0], 0.6, found[1], year, level)
    return Genre("其他", 0.3, None, year, level)


def by_title(title: str) -> tuple[str, str] | None:
    """The genre word that ends latest in a title; a longer one beats the one inside it."""
    best: tuple[int, int, str, str] | None = None
    for word, genre in _words():
        at = title.rfind(word)
        if at >= 0:
            key = (at + len(word), len(word))
            if best is None or key > (best[0], best[1]):
                best = (*key, genre, word)
    return (best[2], best[3]) if best else None


def _by_text(text: str) -> tuple[str, str] | None:
    lines = text.split("\n")
    first = lines[0] if len(lines[0]) <= 40 else ""
    if first and not re.search(r"[。，：:]", first) and (found := by_title(first)):
        return found
    frame = text[:400] + "\n" + text[-200:]
    counts: dict[str, tuple[int, str]] = {}
    for row in rules.table("genres.toml")["genre"]:
        cues = [cue for cue in row["cues"] if cue in frame]
        if cues:
            counts[str(row["zh"])] = (sum(len(cue) for cue in cues), cues[0])
    if not counts:
        return None
    genre = max(counts, key=lambda name: counts[name][0])
    return genre, counts[genre][1]


def _year(text: str) -> str | None:
    """The year the text itself names, as written; sites rewrite years, so nothing is guessed."""
    m = _YEAR.search(text)
    return (m[1] or m[2]) if m else None


def _level(text: str) -> str | None:
    head = text[:800]
    counts = [(len(pattern.findall(head)), name) for name, pattern in _LEVELS]
    best = max(counts, key=lambda pair: pair[0])
    return best[1] if best[0] >= 2 else None
