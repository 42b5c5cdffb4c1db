"""Raw signals of one piece and the flags that follow from them; thresholds are in quality.toml."""

from __future__ import annotations

import re

import numpy as np

from fanwen.cleaners import chars, rules
from fanwen.cleaners.types import Quality, Span

_SENTENCE = re.compile(r"[。！？；，!?;,：:]")
_UNREADABLE = re.compile(r"[\ufffd\ue000-\uf8ff]")
_GRAM = 13
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that grams of 64 bits hardly ever meet


def signals(text: str, placeholders: tuple[Span, ...]) -> Quality:
    """Counts and shares of one piece."""
    dense = "".join(text.split())
    lines = [line for line in text.split("\n") if line.strip()]
    size = len(dense)
    han = chars.han(dense)
    repeated = len(lines) - len(set(lines))
    short = sum(1 for line in lines if len(line) <= 20 and not _SENTENCE.search(line))
    masked = sum(span.end - span.begin for span in placeholders)
    return Quality(
        n_chars=size,
        n_han=han,
        n_paragraphs=len(lines),
        han_share=han / size if size else 0.0,
        repeated_line_share=repeated / len(lines) if lines else 0.0,
        list_line_share=short / len(lines) if lines else 0.0,
        placeholder_share=min(1.0, masked / size) if size else 0.0,
    )


def flags(text: str, quality: Quality) -> list[str]:
    """What speaks against a piece, as codes: stub, low_han, repetitive, stutter, list_only, garbled …"""
    found = []
    marked = any(rule.pattern.search(text) for rule in rules.family("quality.toml", "empty"))
    if quality.n_chars < rules.number("stub_chars_marked" if marked else "stub_chars"):
        found.append("stub")
    if quality.han_share < rules.number("low_han"):
        found.append("low_han")
    if quality.n_paragraphs > 5 and quality.repeated_line_share > rules.number("repetitive_lines"):
        found.append("repetitive")
    if _stutter(text) > rules.number("stutter"):
        found.append("stutter")
    if quality.n_paragraphs >= rules.number("list_lines") and quality.list_line_share > rules.number(
        "list_only"
    ):
        found.append("list_only")
    if len(_UNREADABLE.findall(text)) > rules.number("garbled") * max(1, quality.n_chars):
        found.append("garbled")
    if quality.placeholder_share > rules.number("placeholder"):
        found.append("placeholders")
    if sum(len(rule.pattern.findall(text)) for rule in rules.family("quality.toml", "spam")) >= 3:
        found.append("spam")
    if any(rule.pattern.search(text) for rule in rules.family("quality.toml", "machine")):
        found.append("machine_written")
    return found


def _stutter(text: str) -> float:
    """Share of 13-grams of characters that occurred before in the same piece."""
    points = chars.codes("".join(text.split())[:20000]).astype(np.uint64)
    total = len(points) - _GRAM + 1
    if total < 200:
        return 0.0
    grams = np.zeros(total, dtype=np.uint64)
    for k in range(_GRAM):
        grams = grams * _BASE + points[k : k + total]
    grams.sort()
    return int(np.count_nonzero(grams[1:] == grams[:-1])) / total
