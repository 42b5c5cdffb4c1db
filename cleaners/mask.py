"""Masks personal data in a text: 〔电话〕, 〔人名1〕.

In go a text and its spans, out comes the text with the spans of the wanted kinds replaced. The same
name gets the same number within a piece, in the order of first occurrence. A mask is never personal
data itself nor a placeholder of the text, so masking a masked text changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fanwen.cleaners import privacy
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


def mask(text: str, spans: Iterable[Span], policy: frozenset[str] = ALL) -> str:
    """``text`` with every span whose kind is in ``policy`` replaced; ``spans`` are of this very text.

    Raises :class:`KeyError` for a span of a wanted kind that is no kind of personal data.
    """
    return _masked(text, spans, policy, {})


def mask_piece(
    title: str | None, text: str, spans: Sequence[Span], policy: frozenset[str] = ALL
) -> tuple[str | None, str]:
    """Title and text of a piece masked; ``spans`` are of the text, a name has one number in both."""
    numbers: dict[str, int] = {}
    masked = _masked(text, spans, policy, numbers)
    if title is None:
        return None, masked
    known = sorted({_name(text, s) for s in spans if s.kind == "person"}, key=lambda n: (-len(n), n))
    found = list(privacy.spans(title))
    for name in known:
        at = title.find(name) if len(name) > 2 else -1
        if at >= 0 and all(at + len(name) <= s.begin or s.end <= at for s in found):
            found.append(Span("person", at, at + len(name)))
    return _masked(title, found, policy, numbers), masked


def _name(text: str, span: Span) -> str:
    return span.value or text[span.begin : span.end]


def _masked(text: str, spans: Iterable[Span], policy: frozenset[str], numbers: dict[str, int]) -> str:
    """The text masked; ``numbers`` remembers the number of every name and grows."""
    parts: list[str] = []
    done = 0
    for span in sorted(spans, key=lambda s: (s.begin, -s.end)):
        if span.kind not in policy or span.begin < done:
            continue
        word = _WORDS[span.kind]
        if span.kind == "person":
            word += str(numbers.setdefault(_name(text, span), len(numbers) + 1))
        parts += (text[done : span.begin], f"〔{word}〕")
        done = span.end
    return "".join((*parts, text[done:]))
