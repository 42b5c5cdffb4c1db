"""Two texts as one, with what went and what came marked: ``[-…-]{+…+}``, or in colours on a terminal.

Compared by lines and sentences first and by characters within those that differ, so that a long essay costs
no more than what changed in it. Nothing is lost: without the parts in ``{+…+}`` the result is the first text,
without those in ``[-…-]`` the second, unless ``context`` leaves out what both share.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

_SENTENCE = re.compile(r"[^。！？；\n]*[。！？；\n]?")
_MOST = 4_000_000  # pairs of characters compared one by one; a longer stretch counts as written anew
_ISLAND = 2  # so few characters between two changes are a part of them: nobody reads by the letter
_RED, _GREEN, _PLAIN = "\x1b[31;9m", "\x1b[32m", "\x1b[0m"

Step = tuple[str, str]  # what went and what came; equal where both are the same


def marked(before: str, after: str, *, colour: bool = False, context: int | None = None) -> str:
    """``before`` and ``after`` in one text. ``context``: so many characters are shown around each change."""
    steps = list(differences(before, after))
    parts = []
    for number, (old, new) in enumerate(steps):
        if old == new:
            parts.append(_shortened(old, context, first=number == 0, last=number == len(steps) - 1))
            continue
        if old:
            parts.append(f"{_RED}{old}{_PLAIN}" if colour else f"[-{old}-]")
        if new:
            parts.append(f"{_GREEN}{new}{_PLAIN}" if colour else f"{{+{new}+}}")
    return "".join(parts)


def differences(before: str, after: str) -> Iterator[Step]:
    """Both texts in steps, in order; two neighbouring steps are never both equal or both different."""
    old = new = ""
    same = ""
    for one, other in _steps(before, after):
        if one == other:
            same += one
            continue
        if len(same) > _ISLAND or not (old or new):
            yield from (step for step in ((old, new), (same, same)) if any(step))
            old, new = one, other
        else:
            old, new = old + same + one, new + same + other
        same = ""
    yield from (step for step in ((old, new), (same, same)) if any(step))


def _steps(before: str, after: str) -> Iterator[Step]:
    for old, new in _matched(_SENTENCE.findall(before), _SENTENCE.findall(after)):
        one, other = "".join(old), "".join(new)
        if one == other or not one or not other or len(one) * len(other) > _MOST:
            yield one, other
        else:
            yield from (("".join(went), "".join(came)) for went, came in _matched(one, other))


def _matched(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    for _, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        yield before[a:b], after[c:d]


def _shortened(text: str, context: int | None, *, first: bool, last: bool) -> str:
    """A stretch that both share, without its middle; at the ends of the text only one side matters."""
    if context is None:
        return text
    head, tail = (0 if first else context), (0 if last else context)
    if len(text) <= head + tail + 1:
        return text
    return f"{text[:head]}…{text[len(text) - tail :]}"
