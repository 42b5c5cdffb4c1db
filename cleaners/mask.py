"""Masks personal data in a text: 〔电话〕, 〔人名1〕.

In go a text and its spans, out comes the text with the spans of the wanted kinds replaced. The same
name gets the same number within a piece, in the order of first occurrence. A mask is never personal
data itself nor a placeholder of the text, so masking a masked text changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fanwen.cleaners import names, privacy
from fanwen.cleaners.privacy import KINDS
from fanwen.cleaners.types import Span

ALL = frozenset(KINDS)

_WORDS = {
    "phone": "电话",
    "id_card": "身份证号",
    "bank_card": "银行卡号",
    "email": "邮箱",
    "qq": "QQ号",
    "wechat": "微信号",
    "plate": "车牌号",
    "address": "地址",
    "person": "人名",
}

_NUMBERED = re.compile(r"〔人名([0-9]{1,4})〕")
# Shorter numbers may be anything elsewhere.
_LONG = 5


def mask(text: str, spans: Iterable[Span], policy: frozenset[str] = ALL) -> str:
    """``text`` with every span whose kind is in ``policy`` replaced; ``spans`` are of this very text.

    Raises :class:`KeyError` for a span of a wanted kind that is no kind of personal data.
    """
    return _masked(text, spans, policy, _Numbers(text))


def mask_piece(
    title: str | None, text: str, spans: Sequence[Span], policy: frozenset[str] = ALL
) -> tuple[str | None, str]:
    """Title and text of a piece masked; ``spans`` are of the text, a name has one number in both.

    What the text shows to be personal is masked in the title too, where it stands there word for word.
    """
    numbers = _Numbers(f"{title or ''}\n{text}")
    masked = _masked(text, spans, policy, numbers)
    if title is None:
        return None, masked
    found = list(privacy.spans(title))
    taken = [(s.begin, s.end) for s in (*found, *privacy.placeholders(title))]
    for value, kind in _repeated(text, spans):
        for m in re.finditer(re.escape(value), title):
            if all(m.end() <= begin or end <= m.start() for begin, end in taken):
                taken.append(m.span())
                found.append(Span(kind, *m.span(), value))
    return _masked(title, found, policy, numbers), masked


def _repeated(text: str, spans: Iterable[Span]) -> list[tuple[str, str]]:
    """(value, kind) that say the same elsewhere, the longest first: whole names, long numbers."""
    values = {(_name(text, s), s.kind) for s in spans}
    kept = {(v, k) for v, k in values if (k == "person" and names.is_whole(v)) or len(v) >= _LONG}
    return sorted(kept, key=lambda pair: (-len(pair[0]), pair))


class _Numbers:
    """The number of each name, in the order of first occurrence, behind those that the text already holds."""

    def __init__(self, text: str) -> None:
        self._first = max((int(n) for n in _NUMBERED.findall(text)), default=0) + 1
        self._of: dict[str, int] = {}

    def of(self, name: str) -> int:
        return self._of.setdefault(name, self._first + len(self._of))


def _name(text: str, span: Span) -> str:
    return span.value or text[span.begin : span.end]


def _masked(text: str, spans: Iterable[Span], policy: frozenset[str], numbers: _Numbers) -> str:
    """The text masked; ``numbers`` remembers the number of every name and grows."""
    parts: list[str] = []
    done = 0
    for span in sorted(spans, key=lambda s: (s.begin, -s.end)):
        if span.kind not in policy or span.begin < done:
            continue
        word = _WORDS[span.kind]
        if span.kind == "person":
            word += str(numbers.of(_name(text, span)))
        parts += (text[done : span.begin], f"〔{word}〕")
        done = span.end
    return "".join((*parts, text[done:]))
