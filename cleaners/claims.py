"""Reads what a page says about its article before the boilerplate that says it is removed.

In go lines of the page, out come date, author, source, rights statement and category, each with
the line it stands in and its place there. What an essay says of itself (the date under a signature,
the author of a book) is no claim. Nothing is checked, nothing is guessed, nothing is converted.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from fanwen.cleaners import chars, rules
from fanwen.cleaners.types import Claim, Claims

# A longer line is running text, or a whole page in one line: what it claims cannot be told apart.
_LONGEST = 300
# Lines of this many characters that hold sentences are the article; a page's head ends where they begin.
_PROSE = 50
_HEAD, _FOOT = 40, 16
# No line under a title is longer.
_COLUMNS, _SHORT = 160, 40
_DAY = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}")
_STOPS = re.compile(r"[。！？；]")


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    cues: frozenset[str]  # nothing can match without one of them, where there are any
    where: str
    alone: bool


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as it stands, and without what damage put into it; ``at`` leads back from there."""

    text: str
    plain: str
    at: Sequence[int]
    head: bool
    foot: bool
    byline: bool
    cues: frozenset[str]


def read_claims(lines: Sequence[str]) -> Claims:
    """The surest claim of every kind in ``lines``, verbatim; lines of more than 300 characters make none.

    ``lines`` are the page's in their order, the article among them, or the first of a text that has no page.
    """
    read = _read(lines)
    holding: dict[str, list[int]] = {}
    for k, line in enumerate(read):
        for cue in line.cues:
            holding.setdefault(cue, []).append(k)
    return Claims(
        published=_first("published", read, holding),
        author=_first("author", read, holding),
        source=_first("source", read, holding),
        rights=_first("rights", read, holding),
        category=_trail(read) or _first("category", read, holding),
    )


# -- lines ----------------------------------------------------------------------------------------

_SENTENCE = re.compile(r"[。！？]|[，,].*[，,。]")
# 發布時(shí)間: a reading behind its character; characters without width
_NOISE = re.compile(
    r"[(（][a-zü]{0,4}[āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜńňǹḿ][a-zü]{0,3}[)）]|[\u200b-\u200f\ufeff\u2060]"
)

# without one of these there is none
_NOISY = chars.table("āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜńňǹḿ\u200b\u200c\u200d\u200e\u200f\ufeff\u2060")


def _read(lines: Sequence[str]) -> list[_Line]:
    """The lines that may claim something, with where they stand."""
    prose = [len(line) >= _PROSE and bool(_SENTENCE.search(line)) and not _is_byline(line) for line in lines]
    first = next((k for k, whole in enumerate(prose) if whole), len(lines))
    last = next((k for k in range(len(lines) - 1, -1, -1) if prose[k]), -1)
    read = []
    edges = {*range(min(first, _HEAD)), *range(max(last + 1, len(lines) - _FOOT), len(lines))}
    cues = _cues_by_line(lines)
    for k in sorted(edges | cues.keys()):
        line = lines[k]
        if line and len(line) <= _LONGEST:
            plain, at = _without_noise(line) if k in cues else (line, range(len(line) + 1))
            held = cues.get(k, set()) if plain is line else _cues_by_line([plain]).get(0, set())
            head, foot = k < min(first, _HEAD), k > last and k >= len(lines) - _FOOT
            read.append(_Line(line, plain, at, head, foot, _is_byline(plain), frozenset(held)))
    return read


def _cues_by_line(lines: Sequence[str]) -> dict[int, set[str]]:
    """The words by which a rule or a byline is known, for every line that holds any or is damaged."""
    whole = "\n".join(lines)
    begins = list(accumulate((len(line) + 1 for line in lines), initial=0))
    noise = _NOISE.finditer(whole) if chars.holds(whole, _NOISY) else ()
    found: dict[int, set[str]] = {bisect_right(begins, m.start()) - 1: set() for m in noise}
    for at, cue in _cues().places(whole):
        found.setdefault(bisect_right(begins, at) - 1, set()).add(cue)
    return found


@cache
def _cues() -> rules.Cues:
    data = rules.table("claims.toml")
    kinds = ("published", "author", "source", "rights", "category")
    cues = [cue for kind in kinds for row in data[kind] for cue in row.get("cues", ())]
    return rules.Cues([*cues, *data["byline"]["words"].split(), *data["trail"]["cues"]])


def _without_noise(line: str) -> tuple[str, Sequence[int]]:
    """The line without readings and invisible characters, and the place of each character that is left."""
    cuts = [m.span() for m in _NOISE.finditer(line)]
    if not cuts:
        return line, range(len(line) + 1)
    kept = [k for k in range(len(line) + 1) if not any(b <= k < e for b, e in cuts)]
    return "".join(line[k] for k in kept[:-1]), kept


def _is_byline(line: str) -> bool:
    """Whether things are said of the article here that only a page says, and nothing that an article says."""
    data = _bylines()
    if len(line) > _COLUMNS or _STOPS.search(line) or data.others.search(line):
        return False
    words = {m[0] for m in data.words.finditer(line)}
    if len(words) >= 2 or (len(line) <= _SHORT and words - data.weak and _DAY.search(line)):
        return True
    return bool(data.measure.search(line)) and len(data.column.split(line)) >= 3


@dataclass(frozen=True, slots=True)
class _Bylines:
    words: re.Pattern[str]
    weak: frozenset[str]
    others: re.Pattern[str]
    column: re.Pattern[str]
    measure: re.Pattern[str]


@cache
def _bylines() -> _Bylines:
    row = rules.table("claims.toml")["byline"]
    return _Bylines(
        words=re.compile(rules.any_of(row["words"].split())),
        weak=frozenset(row["weak"].split()),
        others=re.compile(rules.any_of(row["not_byline"].split())),
        column=re.compile(row["column"]),
        measure=re.compile(row["measure"]),
    )


# -- rules ----------------------------------------------------------------------------------------


def _first(kind: str, lines: Sequence[_Line], holding: Mapping[str, Sequence[int]]) -> Claim | None:
    """What the first rule that fits anywhere finds first; ``holding`` are the lines that hold each cue."""
    for rule in _rules(kind):
        held = {k for cue in rule.cues for k in holding.get(cue, ())} if rule.cues else range(len(lines))
        for line in (lines[k] for k in sorted(held)):
            if not _stands(rule, line):
                continue
            m = rule.pattern.search(line.plain)
            claim = _claim(line, *m.span("value")) if m else None
            if claim:
                return claim
    return None


def _stands(rule: _Rule, line: _Line) -> bool:
    if not rule.alone and not line.byline:
        return False
    if rule.where == "ends":
        return line.head or line.foot
    return not rule.where or (line.head if rule.where == "head" else line.foot)


def _claim(line: _Line, begin: int, end: int) -> Claim | None:
    """``plain[begin:end]`` without blanks around it, as it stands in the line."""
    while begin < end and line.plain[begin].isspace():
        begin += 1
    while begin < end and line.plain[end - 1].isspace():
        end -= 1
    if begin == end:
        return None
    b, e = line.at[begin], line.at[end - 1] + 1
    return Claim(line.text[b:e], line.text, b, e)


@cache
def _rules(kind: str) -> tuple[_Rule, ...]:
    data = rules.table("claims.toml")
    parts = {f"<{name}>": text for name, text in data["parts"].items()}
    made = []
    for row in data[kind]:
        pattern = row["pattern"]
        for name, text in parts.items():
            pattern = pattern.replace(name, text)
        made.append(
            _Rule(
                re.compile(pattern, re.IGNORECASE),
                frozenset(row.get("cues", ())),
                row.get("where", ""),
                row.get("alone", True),
            )
        )
    return tuple(made)


# -- category -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Trails:
    begins: re.Pattern[str]
    arrow: re.Pattern[str]
    slash: re.Pattern[str]
    generic: frozenset[str]


@cache
def _trails() -> _Trails:
    row = rules.table("claims.toml")["trail"]
    begins, arrow, slash = (re.compile(row[key], re.IGNORECASE) for key in ("begins", "arrow", "slash"))
    return _Trails(begins, arrow, slash, frozenset(row["generic"].split()))


def _trail(lines: Sequence[_Line]) -> Claim | None:
    """The category from a trail of places (首页 > 工作总结 > 正文): the last but the article itself."""
    trails = _trails()
    for line in lines:
        start = trails.begins.search(line.plain)
        if not start:
            continue
        begin = start.end() if start[0].rstrip()[-1:] in ":：" else start.start()
        arrow = trails.arrow if trails.arrow.search(line.plain, begin) else trails.slash
        places = list(_elements(line.plain, begin, len(line.plain), arrow))
        for k in range(len(places) - 2, -1, -1):
            begin, end = list(_elements(line.plain, *places[k], trails.slash))[-1]
            name = line.plain[begin:end]
            if not 2 <= len(name) <= 16 or name.lower() in trails.generic or trails.begins.search(name):
                continue
            if k == 0 and not _after_home(line.plain, begin):
                break  # the site's own name
            return _claim(line, begin, end)
    return None


def _elements(text: str, at: int, stop: int, arrow: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """(begin, end) of what stands between the arrows; the last may be empty."""
    for m in (*arrow.finditer(text, at, stop), None):
        begin, end = at, m.start() if m else stop
        while begin < end and text[begin].isspace():
            begin += 1
        while begin < end and text[end - 1].isspace():
            end -= 1
        yield begin, end
        at = m.end() if m else end


def _after_home(text: str, begin: int) -> bool:
    return bool(re.search(r"(?:首[页頁]|主[页頁])\s*$", text[:begin]))
