"""The marks by which a text itself left something out (xx镇, 20**年, [姓名], 某某, 王某).

In goes a text, out come spans. They are the text's own and never masks of ours, which stand in 〔〕.
"""

from __future__ import annotations

import re
from functools import cache

from fanwen.cleaners import chars, rules
from fanwen.cleaners.types import Span


def find(text: str) -> tuple[Span, ...]:
    """Spans of kind ``placeholder`` in the order of the text."""
    if not chars.holds(text, _SIGNS) and not _WITHOUT_SIGN.search(text):
        return ()
    return tuple(Span("placeholder", m.start(), m.end()) for m in _pattern().finditer(text))


# Without one of these there is no placeholder; most texts have none.
_SIGNS = chars.table("xX×╳✕*＊_＿○某[【")
_WITHOUT_SIGN = re.compile(r"[(（ 　](?:此处|请|在此|年)")


@cache
def _pattern() -> re.Pattern[str]:
    """One alternation; ``<PLAIN>`` and ``<DOUBTFUL>`` stand for the surnames of names.toml."""
    surname = rules.table("names.toml")["surname"]
    pattern = "|".join(row["pattern"] for row in rules.table("privacy.toml")["placeholder"])
    for key in ("plain", "doubtful"):
        pattern = pattern.replace(f"<{key.upper()}>", f"[{''.join(surname[key].split())}]")
    return re.compile(rf"(?=[\d二xX×╳✕*＊_＿○某\[【(（ 　]|.某)(?:{pattern})")
