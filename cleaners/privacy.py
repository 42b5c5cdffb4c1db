"""Spans of personal data in a piece, and of the marks by which the text itself left something out.

The text is never changed here: masking happens at release.
"""

from __future__ import annotations

from fanwen.cleaners import rules
from fanwen.cleaners.types import Span

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def spans(text: str) -> tuple[Span, ...]:
    """Numbers, addresses and names by kind, in the order of the text, none overlapping an earlier one."""
    found: list[Span] = []
    for rule in rules.family("privacy.toml", "kind"):
        kind = rule.name.removeprefix("privacy.")
        for m in rule.pattern.finditer(text):
            if kind == "id_card" and not _checks(m[0]):
                continue
            if kind == "bank_card" and not _luhn(m[0]):
                continue
            found.append(Span(kind, m.start(), m.end()))
    for rule in rules.family("privacy.toml", "name"):
        found += [Span("name", m.start("name"), m.end("name")) for m in rule.pattern.finditer(text)]
    kept: list[Span] = []
    for span in sorted(found, key=lambda s: (s.begin, -s.end)):
        if not kept or span.begin >= kept[-1].end:
            kept.append(span)
    return tuple(kept)


def placeholders(text: str) -> tuple[Span, ...]:
    """The text's own masks (xx镇, 20**年, [姓名])."""
    (rule,) = rules.family("privacy.toml", "placeholder")
    return tuple(Span("placeholder", m.start(), m.end()) for m in rule.pattern.finditer(text))


def _checks(number: str) -> bool:
    """GB 11643: the last digit of an identity number follows from the others."""
    total = sum(int(c) * w for c, w in zip(number[:17], _WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def _luhn(number: str) -> bool:
    digits = [int(c) for c in number if c.isdigit()]
    if not 16 <= len(digits) <= 19:
        return False
    total = sum(d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(reversed(digits)))
    return total % 10 == 0
