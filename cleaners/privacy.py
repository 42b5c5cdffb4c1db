"""Spans of personal data in a piece: numbers, addresses, names, by kind.

The text is never changed here: masking is :mod:`fanwen.cleaners.mask`, at release or on request.
Numbers of public services (110, 12345) are no one's, and what the text itself has already masked is a
placeholder: neither is ever a span here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import cache

from fanwen.cleaners import chars, names, rules
from fanwen.cleaners.placeholders import find as placeholders
from fanwen.cleaners.types import KINDS, Span

__all__ = ["KINDS", "placeholders", "spans"]

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_WIDE = str.maketrans("０１２３４５６７８９－＠Ｑｑ＋Ｘ", "0123456789-@Qq+X")
_HAS_WIDE = re.compile("[０-９＠Ｑｑ]")
# no shorter run of digits and what separates them is a number of the kinds of _OF_DIGITS
_DIGITS = re.compile(r"\d[-\d —－.()（）]{5}")


def spans(text: str, own: tuple[Span, ...] | None = None) -> tuple[Span, ...]:
    """Personal data by kind in the order of the text; none overlaps another or a placeholder.

    ``own`` are the text's placeholders where they are known already. ``value`` of a person is the
    whole name where the text gives a part of it.
    """
    marks = placeholders(text) if own is None else own
    begins = [mark.begin for mark in marks]
    taken = list(marks)
    for span in (*_numbers(text), *names.find(text)):  # the surest kinds first: the earlier one wins
        k = bisect_right(begins, span.begin)
        if (not k or taken[k - 1].end <= span.begin) and (k == len(taken) or span.end <= taken[k].begin):
            begins.insert(k, span.begin)
            taken.insert(k, span)
    return tuple(span for span in taken if span.kind != "placeholder")


def _numbers(text: str) -> Iterable[Span]:
    """Everything but names, the kinds that are surest first."""
    plain = text.translate(_WIDE) if _HAS_WIDE.search(text) else text
    digits = list(chars.lines_with(plain, (m.start() for m in _DIGITS.finditer(plain))))
    for rule in rules.family("privacy.toml", "kind"):
        kind = rule.name.removeprefix("privacy.").partition(".")[0]
        if not rule.may_match(plain):
            continue
        check = _CHECKS.get(kind)
        places = digits if kind in _OF_DIGITS else [(0, len(plain))]
        for m in (m for place in places for m in rule.pattern.finditer(plain, *place)):
            begin, end = m.span("value") if "value" in m.groupdict() and m["value"] else m.span()
            if kind == "address":
                begin = _address_begin(plain, begin)
            if begin < end and (not check or check(plain, begin, end)):
                yield Span(kind, begin, end)


# -- what a pattern cannot say ---------------------------------------------------------------------


def _context(text: str, begin: int, name: str, size: int = 12) -> bool:
    """Whether the words of this list stand close before ``begin``."""
    return bool(_words(name).search(text, max(0, begin - size), begin))


@cache
def _words(name: str) -> re.Pattern[str]:
    (rule,) = (r for r in rules.family("privacy.toml", "context") if r.name == f"privacy.{name}")
    return rule.pattern


def _is_id(text: str, begin: int, end: int) -> bool:
    """GB 11643: the last digit of an identity number follows from the others; 15 digits have none. A label
    before it outweighs a wrong one."""
    number = re.sub(r"\s", "", text[begin:end])
    if len(number) == 15:
        return not _context(text, begin, "number_of")
    total = sum(int(c) * w for c, w in zip(number[:17], _WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == number[17].upper() or _context(text, begin, "identity")


def _is_card(text: str, begin: int, end: int) -> bool:
    """Luhn, and either the first digits of China UnionPay or words of a bank before it."""
    number = [int(c) for c in text[begin:end] if c.isdigit()]
    if not 16 <= len(number) <= 19 or len(set(number)) < 3:
        return False
    total = sum(d if k % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for k, d in enumerate(reversed(number)))
    known = number[:2] == [6, 2] and not _context(text, begin, "number_of")
    return total % 10 == 0 and (known or _context(text, begin, "bank"))


def _is_phone(text: str, begin: int, end: int) -> bool:
    """Not the number of a document, and with a word for telephone where the digits alone say little."""
    if _context(text, begin, "number_of", 6) or _words("amount").match(text, end):
        return False
    number = text[begin:end]
    if _words("sure_phone").fullmatch(number):
        return True
    return _context(text, begin, "telephone")


def _is_plate(text: str, begin: int, end: int) -> bool:
    return any(c.isdigit() for c in text[begin + 2 : end])


def _is_address(text: str, begin: int, end: int) -> bool:
    return not _words("road_number").search(text, begin, end)


def _address_begin(text: str, street: int) -> int:
    """Where the address whose street name ends at ``street`` begins: behind 位于, 寄到 and their like."""
    m = _words("address_left").search(text, max(0, street - 40), street + 1)
    if not m:
        return street
    begin = m.start()
    for cue in _words("address_cue").finditer(text, begin, street - 1):
        begin = cue.end()
    return begin


_OF_DIGITS = frozenset({"phone", "id_card", "bank_card"})
_CHECKS: dict[str, Callable[[str, int, int], bool]] = {
    "id_card": _is_id,
    "bank_card": _is_card,
    "phone": _is_phone,
    "plate": _is_plate,
    "address": _is_address,
}
