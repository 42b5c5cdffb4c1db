"""文种: the genre of a piece, its year and its level, with what says so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from fanwen.cleaners import rules
from fanwen.cleaners.level import level_of, year_of


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


def classify(
    text: str, heading: str | None, document_title: str | None, category: str | None = None
) -> Genre:
    """The genre by heading, else by first and last lines, then by the document's title or category."""
    year, level = year_of(text, heading, document_title), level_of(text, heading or document_title)
    for title, confidence in ((heading, 0.95), (document_title, 0.85)):
        found = by_title(title) if title else None
        if found:
            return Genre(found[0], confidence, found[1], year, level)
    found = _by_text(text)
    if found:
        return Genre(found[0], 0.6, found[1], year, level)
    found = by_title(category) if category else None
    if found:
        return Genre(found[0], 0.5, found[1], year, level)
    return Genre("其他", 0.3, None, year, level)


_JOINED = re.compile("[和及与暨]|以及")


@lru_cache(maxsize=256)
def by_title(title: str) -> tuple[str, str] | None:
    """The genre word that ends latest in a title; a longer one beats the one inside it."""
    if label := re.match(r"[^【]{0,8}【([^【】]{2,6})】", title):
        title = label[1] if any(label[1] == word for word, _ in _words()) else title
    # 工作总结及明年工作计划: what comes first is what it is
    if (joined := _JOINED.search(title)) and any(title[: joined.start()].endswith(w) for w, _ in _words()):
        title = title[: joined.start()]
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
        if len(cues) >= row.get("least", 1):
            counts[str(row["zh"])] = (sum(len(cue) for cue in cues), cues[0])
    if not counts:
        return None
    genre = max(counts, key=lambda name: counts[name][0])
    return genre, counts[genre][1]
