"""Traditional to simplified: for whole documents, only where the share of traditional characters says so.

Any OpenCC configuration corrupts simplified text (乾隆, 原著), hence the gate: below it a text
passes byte-identical. What is converted keeps its length, character by character.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanwen.cleaners import chars, rules

CONFIG = "tw2s"
# Characters that only one of the standards writes: Hong Kong 裏着峯衞, Taiwan 裡著峰衛.
_HK = frozenset("裏羣衞峯牀綫癡曬啟説温衆悦鋭閲脱税")
_TW = frozenset("裡群衛峰床線痴晒啓說溫眾悅銳閱脫稅")


@dataclass(frozen=True, slots=True)
class Converted:
    """``share``: of the Han characters, how many the conversion changes; ``opencc`` None: untouched."""

    text: str
    script: str
    opencc: str | None
    share: float


def convert(text: str) -> Converted:
    """The text in simplified characters, of the same length, with the script it was found in."""
    points, han = chars.codes(text), chars.han(text)
    gate = float(rules.table("script.toml")["gate"])
    # phrases change hardly a character that does not change alone: then converting is not worth its time
    alone = np.count_nonzero(chars.among(points, _traditional())) / han if han else 0.0
    if alone < gate / 2:
        return Converted(text, "Hans", None, alone)
    changed = _convert(text)
    share = int(np.count_nonzero(points != chars.codes(changed))) / han
    if share < gate:
        return Converted(text, "Hans", None, share)
    return Converted(_after(changed), _standard(text), CONFIG, share)


def to_simplified(text: str) -> str:
    """A short string (a title, a heading) converted like its document."""
    return _after(_convert(text))


def is_traditional(char: str) -> bool:
    """Whether the mainland writes this character otherwise."""
    return _convert(char) != char


@cache
def simplified_of(char: str) -> bool:
    """Whether this simplified character has another traditional form."""
    return bool(_opencc("s2t").convert(char) != char)


@cache
def _traditional() -> NDArray[np.bool_]:
    """The Han characters that the conversion changes where they stand alone."""
    every = [chr(c) for c in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000))]
    changed = str(_opencc(CONFIG).convert("\n".join(every))).split("\n")
    return chars.table(a for a, b in zip(every, changed, strict=True) if a != b)


@cache
def _opencc(config: str) -> Any:
    import opencc

    return opencc.OpenCC(config)


def _convert(text: str) -> str:
    converted = str(_opencc(CONFIG).convert(text))
    if len(converted) == len(text):
        return converted
    # a phrase changed its length: fall back to lines, then to characters, so that places stay
    lines = []
    for line in text.split("\n"):
        new = str(_opencc(CONFIG).convert(line))
        if len(new) != len(line):
            new = "".join(c if len(n) != 1 else n for c in line for n in [str(_opencc(CONFIG).convert(c))])
        lines.append(new)
    return "\n".join(lines)


def _after(text: str) -> str:
    """Fix what OpenCC leaves behind, never changing the length."""
    for rule in rules.family("script.toml", "after"):
        if len(rule.after) == 1:
            text = rule.pattern.sub(rule.after, text)
    for row in rules.table("script.toml")["regional"]:
        text = text.replace(row["from"], row["to"])
    return text.translate(_QUOTES)


# the mainland's quotation marks for the corner brackets of the other standards
_QUOTES = str.maketrans("「」『』﹁﹂﹃﹄", "“”‘’“”‘’")


def _standard(text: str) -> str:
    hong_kong = sum(c in _HK for c in text)
    taiwan = sum(c in _TW for c in text)
    if hong_kong + taiwan < 5:
        return "Hant"
    if hong_kong >= 3 * taiwan:
        return "Hant-HK"
    # characters alone do not tell: a converter gives mainland text Taiwan's 裡 and 著 too
    words = sum(text.count(word) for word in rules.table("script.toml")["taiwan_words"])
    return "Hant-TW" if taiwan >= 3 * hong_kong and words >= 2 else "Hant"
