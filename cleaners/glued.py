"""Page and chunk numbers that a viewer left inside sentences.

In goes a text, out come the changes that take the numbers out. They must run on in order and stand
about as far apart as pages do; a number that the sentence needs is never one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from fanwen.cleaners import rules
from fanwen.cleaners.trace import Change

_HAN = "㐀-䶿一-鿿"
_GLUED = re.compile(rf"(?<=[{_HAN}，、,]) ?(\d{{1,3}}) ?(?=[{_HAN}，、,。])")
_CHUNK = re.compile(rf"(?<=[{_HAN}，、,“（《])[\n ]?(\d{{1,3}})、(?=[{_HAN}，、,”）》])")
_PAGER = re.compile(
    r"(?:^|\n)[ 　]{0,40}\d{1,3} {0,4}[/／] {0,4}(\d{1,4}) {0,40}(?:\n|$)"
    r"|共 {0,4}(\d{1,4}) {0,4}页|剩余? {0,4}(\d{1,4}) {0,4}页|页数[:：] {0,4}(\d{1,4})"
)


def pages_declared(text: str) -> int:
    """How many pages the viewer says there are; 0 where it says nothing."""
    if "页" not in text and "/" not in text and "／" not in text:
        return 0
    m = _PAGER.search(text)
    return int(next(g for g in m.groups() if g)) if m else 0


def glued_numbers(text: str, pages: int = 0) -> list[Change]:
    """Page numbers that stand inside a sentence: 送进工1厂.

    They must run 1, 2, 3 … in order. Three in fairly even distance are evidence; fewer only
    where the viewer's own page count says that there are more pages. A number before a measure
    word or after a word that takes one is the text's own.
    """
    table = rules.table("layout.toml")
    meant, before = _set(table["measures"]), _set(table["before"])
    strong: list[re.Match[str]] = []
    weak: list[re.Match[str]] = []
    heading = _heading_end()
    for m in _around_digits(_GLUED, text, " "):
        if heading.search(text, max(0, m.start() - 8), m.start()):
            continue
        own = text[m.end()] in meant or text[m.start() - 1] in before
        spaced = " " in m[0] and text[m.end()] in "，、,。"
        spaced = spaced or (m[0][0] == m[0][-1] == " " and text[m.start() - 1] in "，、,")
        (weak if own and not spaced else strong).append(m)
    chain = _chain(strong)
    if len(chain) >= 3:
        return [Change(m.start(), m.end(), "", "layout.glued_number") for m in _filled(chain, weak)]
    ones = [m for m in strong if int(m[1]) == 1]
    if pages < 2 or len(ones) != 1 or not 300 <= ones[0].start() <= 1600:
        return []
    return [Change(ones[0].start(), ones[0].end(), "", "layout.glued_number")]


def _around_digits(pattern: re.Pattern[str], text: str, before: str) -> Iterator[re.Match[str]]:
    """The matches of a pattern that begins with a number, or with one of ``before`` and a number."""
    for digits in _DIGITS.finditer(text):
        at = digits.start()
        if at and (m := pattern.match(text, at - (text[at - 1] in before))):
            yield m


_DIGITS = re.compile(r"\d+")


def _chain(found: list[re.Match[str]]) -> list[re.Match[str]]:
    """The longest run of rising numbers, from 1 or 2 on, whose distance for each page stays alike."""
    best: list[list[re.Match[str]]] = []
    for m in found[:400]:
        number = int(m[1])
        runs = [
            run
            for run in best
            if int(run[-1][1]) < number <= int(run[-1][1]) + 4
            and 120 <= (m.start() - run[-1].start()) / (number - int(run[-1][1])) <= 3000
        ]
        if runs:
            best.append([*max(runs, key=len), m])
        elif number <= 2:
            best.append([m])
    chain = max(best, key=len, default=[])
    if len(chain) < 3:
        return chain
    gaps = _gaps(chain)
    usual = sorted(gaps)[len(gaps) // 2]
    return chain if sum(0.6 * usual <= gap <= 1.5 * usual for gap in gaps) * 4 >= len(gaps) * 3 else []


def _gaps(chain: list[re.Match[str]]) -> list[float]:
    return [(b.start() - a.start()) / (int(b[1]) - int(a[1])) for a, b in pairwise(chain)]


def _filled(chain: list[re.Match[str]], weak: list[re.Match[str]]) -> list[re.Match[str]]:
    """The run with the numbers between and around it that stand before a measure word by chance."""
    gaps = sorted(_gaps(chain))
    usual = gaps[len(gaps) // 2]
    known = {int(m[1]): m.start() for m in chain}
    filled = list(chain)
    for number in range(1, max(known) + 2):
        if number in known:
            continue
        near = min(known, key=lambda k: (abs(k - number), k))
        expected = known[near] + (number - near) * usual
        there = [m for m in weak if int(m[1]) == number and abs(m.start() - expected) < 0.35 * usual]
        if len(there) == 1:
            filled.append(there[0])
            known[number] = there[0].start()
    return sorted(filled, key=lambda m: m.start())


def chunk_numbers(text: str) -> list[Change]:
    """Numbers that a viewer set where it cut its text into chunks: 先量尺⏎2、寸.

    Evidence: 2、 3、 4、 … in order, each inside a sentence, at least two, in even distance.
    """
    chain: list[re.Match[str]] = []
    for m in _around_digits(_CHUNK, text, "\n "):
        if int(m[1]) == len(chain) + 2:
            chain.append(m)
    if len(chain) < 2:
        return []
    gaps = [b.start() - a.start() for a, b in pairwise(chain)]
    usual = sorted(gaps)[len(gaps) // 2]
    # short distances look like a list in a sentence: then there must be more, and inside words
    within = sum(text[m.start() - 1] not in "，、," for m in chain)
    least = 200 if len(chain) < 4 or within * 2 < len(chain) else 60
    if usual < least or sum(0.5 * usual <= gap <= 1.6 * usual for gap in gaps) * 4 < len(gaps) * 3:
        return []
    first = re.match(r"[\s　]*(1、)", text)
    if first:
        return [Change(first.start(1), first.end(), "", "layout.chunk_number"), *_chunk_changes(chain)]
    return _chunk_changes(chain)


def _chunk_changes(chain: list[re.Match[str]]) -> list[Change]:
    return [Change(m.start(), m.end(), "", "layout.chunk_number") for m in chain]


@cache
def _heading_end() -> re.Pattern[str]:
    return re.compile(rf"(?:篇|[范样例](?:文|本|例|式|稿)|模板|参考|实例|{rules.genre_word()}) ?$")


@cache
def _set(chars: str) -> frozenset[str]:
    return frozenset(chars)
