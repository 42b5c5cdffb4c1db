"""Finds the lines that repeat over a site's pages, as a proposal for a person to review.

In come the traced documents of one site, out come proposed lines with their counts. Nothing is put
into effect here, and cleaning reads none of it. Left out on purpose: headings and ordered heads, the
formulas that essays share (salutation, closing, date), and the sentences of essays that several pages
have copied.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import ceil

from fanwen.cleaners import layout, rules
from fanwen.cleaners.audit import replay
from fanwen.cleaners.boilerplate import spans
from fanwen.cleaners.pipeline import RULESET, Traced
from fanwen.cleaners.titles import ends_with_genre, titles

MIN_PAGES = 5

_HAN = re.compile(r"[㐀-鿿]")
_PUNCTUATED = re.compile(r"[，。；！？]")
_EDGE_TOP, _EDGE_BOTTOM = 3, 5  # lines from the beginning and the end that count as top and bottom


@dataclass(frozen=True, slots=True)
class Proposal:
    """A repeated line. ``pages`` counts documents, ``share`` is of all looked at, in [0, 1].

    ``position`` is where it mostly stands: top, bottom or middle; ``taken_by`` is the rule that takes
    it already on most of its pages.
    """

    text: str
    pages: int
    share: float
    position: str
    example: str
    taken_by: str | None


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was found on the ``pages`` of one site; ``least`` is how many pages a line had to be on."""

    pages: int
    least: int
    proposals: tuple[Proposal, ...]

    @property
    def new(self) -> tuple[Proposal, ...]:
        """Those that no rule takes yet."""
        return tuple(one for one in self.proposals if one.taken_by is None)


@dataclass(slots=True)
class _Line:
    """One line of one document: its place among the document's lines, and the rule that takes it."""

    text: str
    place: str
    rule: str | None


@dataclass(slots=True)
class _Tally:
    example: str
    pages: int = 0
    places: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)


def propose(documents: Iterable[Traced], *, min_pages: int = MIN_PAGES) -> Learnt:
    """Lines on at least ``min_pages`` documents, most frequent first. Refused documents do not count."""
    pages: dict[tuple[str, ...], tuple[str, list[_Line]]] = {}
    for traced in documents:
        if traced.cleaned.document is not None and traced.cleaned.pieces:
            lines = _lines(traced)
            # the same text under two addresses is one page
            pages.setdefault(tuple(line.text for line in lines), (traced.cleaned.document.url, lines))
    least = max(min_pages, ceil(_number("pages") * len(pages)))
    seen = Counter(line for texts in pages for line in set(texts))
    repeated = {line for line, count in seen.items() if count >= least}
    found: dict[str, _Tally] = {}
    for url, lines in sorted(pages.values(), key=lambda page: page[0]):
        for line in _supporting(lines, repeated):
            tally = found.setdefault(line.text, _Tally(url))
            tally.pages += 1
            tally.places[line.place] += 1
            tally.rules.update([line.rule] if line.rule else [])
    proposals = [
        _proposal(text, tally, len(pages))
        for text, tally in found.items()
        if tally.pages >= least and _proposable(text, tally, len(pages))
    ]
    return Learnt(len(pages), least, tuple(sorted(proposals, key=lambda p: (-p.pages, p.text))))


def to_toml(site: str, learnt: Learnt, archived: int) -> str:
    """The data file for review; ``archived`` counts the site's documents in the archive."""
    head = _HEAD.format(
        site=site,
        pages=learnt.pages,
        archived=archived,
        least=learnt.least,
        lines="".join(f"#   {_quoted(one.text)},\n" for one in learnt.new),
    )
    parts = [head, f"site = {_quoted(site)}\npages = {learnt.pages}\nruleset = {_quoted(RULESET)}\n"]
    for one in learnt.proposals:
        rows = {"text": _quoted(one.text), "pages": str(one.pages), "share": f"{one.share:.3f}"}
        rows |= {"position": _quoted(one.position), "example": _quoted(one.example)}
        if one.taken_by:
            rows["taken_by"] = _quoted(one.taken_by)
        parts.append("\n[[line]]\n" + "".join(f"{key} = {value}\n" for key, value in rows.items()))
    return "".join(parts)


_HEAD = """\
# Lines that repeat over the pages of {site}: a proposal of 'fanwen rules learn'. Nothing here is in effect.
# Read: {pages} different documents with pieces, of {archived} archived; a line had to be on {least} of them.
# The lines are as extracted, before any rule; 'taken_by' names the rule that takes one already.
#
# To put lines into effect: read each, strike those that belong to the essays, and copy the others to the
# site's file, sites/{site}.toml in your home (copy the built-in file there first), under [extract]:
#
# lines = [
{lines}# ]
#
# Then 'fanwen sites check', and 'fanwen build' cleans the site's pages again; what the lines take is
# counted as rule site.line.

"""


def _lines(traced: Traced) -> list[_Line]:
    text = traced.trace.original
    cells = replay(traced.trace)
    places = spans(text)
    return [
        _Line(text[begin:end], _place(k, len(places)), cells.taken_by(begin, end))
        for k, (begin, end) in enumerate(places)
    ]


def _place(k: int, n: int) -> str:
    if k < _EDGE_TOP and k < n - 1 - k:
        return "top"
    return "bottom" if n - k <= _EDGE_BOTTOM else "middle"


def _supporting(lines: Sequence[_Line], repeated: set[str]) -> list[_Line]:
    """The repeated lines of one page, each once, without those that stand in a copied essay."""
    runs: list[list[_Line]] = [[]]
    for line in lines:
        if line.text in repeated:
            runs[-1].append(line)
        elif runs[-1]:
            runs.append([])
    once: dict[str, _Line] = {}
    for run in runs:
        for line in () if _copied(run) else run:
            once.setdefault(line.text, line)
    return list(once.values())


def _copied(run: Sequence[_Line]) -> bool:
    """Whether neighbouring repeated lines are an essay: long, and of several sentences no rule takes."""
    prose = [line for line in run if line.rule is None and _is_prose(line.text)]
    return len(prose) >= _number("copied_prose") and sum(len(line.text) for line in prose) >= _number(
        "copied"
    )


def _proposable(text: str, tally: _Tally, pages: int) -> bool:
    if len(text) > _number("longest") or len(_HAN.findall(text)) < 2:
        return False
    rule, count = tally.rules.most_common(1)[0] if tally.rules else ("", 0)
    if count * 2 > tally.pages and not rule.startswith("split."):
        return True  # an existing rule agrees
    if _is_of_essays(text):
        return False
    share = tally.pages / pages
    at_edge = 1 - tally.places["middle"] / tally.pages
    if _is_prose(text):
        return share >= _number("pages_prose") and at_edge >= _number("at_edge")
    return at_edge >= 0.5 or share >= _number("pages_middle")


def _is_of_essays(text: str) -> bool:
    """Heads, headings of pieces, titles and formulas: they repeat because essays do."""
    if layout.is_head_line(text) or any(pattern.fullmatch(text) for pattern in _formulas()):
        return True
    marks = (rule.pattern.search(text, 0, 80) for rule in rules.family("headings.toml", "mark"))
    return any(marks) or ends_with_genre(text) or titles([text]).declared is not None


def _is_prose(text: str) -> bool:
    return len(text) >= _number("prose") and _PUNCTUATED.search(text) is not None


def _proposal(text: str, tally: _Tally, pages: int) -> Proposal:
    place = min(tally.places.items(), key=lambda item: (-item[1], item[0]))[0]
    rule, count = min(tally.rules.items(), key=lambda item: (-item[1], item[0]), default=(None, 0))
    taken = rule if count * 2 > tally.pages else None
    return Proposal(text, tally.pages, round(tally.pages / pages, 4), place, tally.example, taken)


def _quoted(text: str) -> str:
    """A basic string of TOML: that of JSON, with DEL escaped as TOML asks."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _number(name: str) -> float:
    return float(rules.table("learn.toml")["threshold"][name])


@cache
def _formulas() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(row["pattern"]) for row in rules.table("learn.toml")["formula"])
