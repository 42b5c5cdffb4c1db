"""Scores the cleaners on pages with gold: pieces, characters, paragraphs, titles, flags, genres, leaks.

In go the gold files of ``gold/`` and what the cleaners gave, out comes one :class:`Score` per page; sums
of pages give the figures of ``floors.toml``. Two pieces match when their character 4-grams agree
by Dice ≥ .95 after NFKC without white space; so punctuation width and breaks do not count there.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fanwen.cleaners.types import Piece

MATCH = 0.95


@dataclass
class Score:
    """Counts of one page, or of many when added."""

    counts: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)

    def __add__(self, other: Score) -> Score:
        return Score(self.counts + other.counts, self.leaks + other.leaks)

    def share(self, part: str, whole: str) -> float:
        return self.counts[part] / self.counts[whole] if self.counts[whole] else 1.0

    def f1(self, kind: str) -> float:
        """2·hit / (given + wanted) of a kind."""
        total = self.counts[kind + " given"] + self.counts[kind + " wanted"]
        return 2 * self.counts[kind + " hit"] / total if total else 1.0

    def figures(self) -> dict[str, float]:
        """The figures that floors are pinned for; all but ``leaks`` and ``wrong_*`` lie in [0, 1]."""
        return {
            "piece_f1": self.f1("piece"),
            "char_f1": self.f1("char"),
            "para_f1": self.f1("para"),
            "zero_accuracy": self.share("zero right", "zero"),
            "genre_accuracy": self.share("genre right", "matched"),
            "title_lenient": self.share("title right", "matched"),
            "wrong_splits": float(self.counts["compilation"] - self.counts["compilation right"]),
            "wrong_incomplete": float(self.counts["wrong incomplete"]),
            "leaks": float(len(self.leaks)),
        }


def read_gold(path: Path) -> dict[str, Any]:
    """One gold file."""
    gold: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return gold


def score(gold: dict[str, Any], given: Sequence[Piece]) -> Score:
    """Compare what one page gave with its gold."""
    wanted = gold["pieces"]
    required = [piece for piece in wanted if not piece.get("dup_of")]
    ours = [plain(piece.text) for piece in given]
    theirs = [plain(piece["text"]) for piece in wanted]
    pairs = match(theirs, ours, [bool(piece.get("dup_of")) for piece in wanted])
    optional = sum(1 for i in pairs if wanted[i].get("dup_of"))
    total = Score()
    counts = total.counts
    counts["piece wanted"] = len(required)
    counts["piece given"] = len(given) - optional
    counts["piece hit"] = len(pairs) - optional
    expected = [text for i, text in enumerate(theirs) if not wanted[i].get("dup_of") or i in pairs]
    add_overlap(counts, "char", grams(expected, 5), grams(ours, 5))
    kind = gold["kind"]
    if kind == "none":
        counts["zero"], counts["zero right"] = 1, int(not given)
    elif kind == "compilation":
        counts["compilation"] = 1
        counts["compilation right"] = int(len(given) in (len(required), len(wanted)))
    for i, j in pairs.items():
        add_matched(counts, wanted[i], given[j], recoverable=gold.get("para_recoverable", True))
    flagged = sum("incomplete" in piece.flags for piece in given)
    truly = sum("incomplete" in given[j].flags and wanted[i]["incomplete"] for i, j in pairs.items())
    counts["wrong incomplete"] = (flagged - truly) + (sum(p["incomplete"] for p in required) - truly)
    total.leaks = [
        f"{gold['page'][0]}: {words}" for words in gold["forbidden"] for text in ours if plain(words) in text
    ]
    return total


def add_matched(counts: Counter[str], wanted: dict[str, Any], given: Piece, *, recoverable: bool) -> None:
    """Title, genre and paragraphs of a piece that was found."""
    counts["matched"] += 1
    counts["genre right"] += wanted["genre"] == given.genre
    names = {title_key(name) for name in (wanted["title"], *wanted.get("title_alt", []))}
    counts["title right"] += title_key(given.title) in names
    if recoverable:
        add_overlap(counts, "para", breaks(wanted["text"]), breaks(given.text))


def match(theirs: Sequence[str], ours: Sequence[str], optional: Sequence[bool]) -> dict[int, int]:
    """Gold index → given index, the best pairs first, required pieces before optional ones."""
    candidates = []
    a, b = [grams([text], 4) for text in theirs], [grams([text], 4) for text in ours]
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            size = one.total() + other.total()
            dice = 2 * (one & other).total() / size if size else 0.0
            if dice >= MATCH:
                candidates.append((optional[i], -dice, abs(i - j), i, j))
    pairs: dict[int, int] = {}
    for _, _, _, i, j in sorted(candidates):
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def plain(text: str | None) -> str:
    """NFKC without white space."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text or ""))


def title_key(title: str | None) -> str:
    """A title without quotes, brackets and punctuation."""
    return re.sub(r"""[《》"“”'‘’【】\[\]()::,,。.、]""", "", plain(title))


def grams(texts: Iterable[str], size: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for text in texts:
        found.update(text[i : i + size] for i in range(max(1, len(text) - size + 1)) if text)
    return found


def breaks(text: str) -> Counter[str]:
    """Paragraph breaks, each named by the five characters on either side."""
    paragraphs = [p for p in map(plain, text.splitlines()) if p]
    whole, at, found = "".join(paragraphs), 0, Counter[str]()
    for paragraph in paragraphs[:-1]:
        at += len(paragraph)
        found[whole[max(0, at - 5) : at] + "|" + whole[at : at + 5]] += 1
    return found


def add_overlap(counts: Counter[str], kind: str, wanted: Counter[str], given: Counter[str]) -> None:
    counts[kind + " wanted"] += wanted.total()
    counts[kind + " given"] += given.total()
    counts[kind + " hit"] += (wanted & given).total()
