"""Everything on a page that is not a piece, by family.

Pure functions from a simplified text to the changes that take boilerplate out: whole lines,
phrases anywhere, and walls (which leave a mark, so that the piece they cut is flagged). An editor's
introduction is left for splitting, which reads it. The patterns are in boilerplate.toml.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from fanwen.cleaners import nags, rules
from fanwen.cleaners.damage import WALL_END, WALL_INSIDE
from fanwen.cleaners.intro import presents
from fanwen.cleaners.trace import Change

_LONGEST_LINE = 400
_HEAD_OF_TEXT = 900
_JAMMER = re.compile(r"(?=.{0,60}\d)(?:[!-~]{1,3} +){4,}[!-~]{1,4}")
_BRACKETED = re.compile(r"【[^【】\n]{6,60}】|（[^（）\n]{6,60}）|\([^()\n]{6,60}\)|\[[^\[\]\n]{6,60}\]")
_INNER_SENTENCE = re.compile(r"(?<=[。！？!?；;”])[^。！？!?；;\n]{6,80}[。！？!?~]+")
# what follows the last full stop of a line
_TAIL = re.compile(r"(?<=[。！？!?；;”])[ 　]*[^。！？!?；;\n]{4,60}(?=\n|$)")
_PROSE = re.compile(r"[，。！？；,;!?]")


def lines(text: str, brands: Sequence[str] = ()) -> list[Change]:
    """Lines that belong to the page and not to the text, and the lists that follow them at the end."""
    families = [rule for rule in rules.family("boilerplate.toml", "line") if rule.may_match(text)]
    changes: list[Change] = []
    kept: list[tuple[int, int]] = []
    related_at: int | None = None
    for begin, end in spans(text):
        line = text[begin:end]
        rule = _line_rule(line, families, brands) if end - begin <= _LONGEST_LINE else None
        # an introduction may say how many pieces follow, and filler stands before it: splitting reads it
        if rule in _SPOKEN and begin < _HEAD_OF_TEXT and presents(line):
            rule = None
        if rule is None:
            kept.append((begin, end))
            continue
        changes.append(Change(begin, end, "", rule))
        if rule in _LIST_FOLLOWS:
            related_at = begin
    if related_at is not None:
        tail = [(b, e) for b, e in kept if b > related_at]
        if tail and all(e - b <= 45 and not _PROSE.search(text, b, e) for b, e in tail):
            changes += [Change(b, e, "", "boilerplate.tail") for b, e in tail]
    return changes


# Rules that take sentences in which a site speaks.
_SPOKEN = frozenset(f"boilerplate.{name}" for name in ("nag", "editor_outro", "watermark"))
# Rules behind whose lines nothing but the names of other pages may follow.
_LIST_FOLLOWS = frozenset(
    f"boilerplate.{name}" for name in ("related", "viewer_labels", "neighbours", "editor_outro", "nag")
)


def _line_rule(line: str, families: list[rules.Rule], brands: Sequence[str]) -> str | None:
    if _JAMMER.fullmatch(line):
        return "boilerplate.jammer"
    for rule in families:
        if rule.may_match(line) and rule.pattern.fullmatch(line):
            return rule.name
    if nags.is_ornament(line):
        return "boilerplate.ornament"
    return "boilerplate.nag" if nags.is_nag(line, "line", brands) else None


def site_lines(text: str, approved: Sequence[str]) -> list[Change]:
    """Lines that a person approved for this site, as they were extracted but for the blanks around them."""
    known = {line.strip(" 　\f") for line in approved}
    return [Change(b, e, "", "site.line") for b, e in spans(text) if text[b:e] in known] if known else []


def phrases(text: str, brands: Sequence[str] = ()) -> list[Change]:
    """Phrases that stand in the middle of a line or a sentence; a line left empty by one vanishes."""
    changes = [
        Change(m.start(), m.end(), "", rule.name)
        for rule in rules.family("boilerplate.toml", "phrase")
        if rule.may_match(text)
        for m in rule.pattern.finditer(text)
        if m.end() > m.start()
    ]
    for pattern, kind in ((_BRACKETED, "bracketed"), (_INNER_SENTENCE, "sentence"), (_TAIL, "sentence")):
        changes += [
            Change(m.start(), m.end(), "", "boilerplate.nag")
            for m in pattern.finditer(text)
            if nags.is_nag(m[0], kind, brands)
            and not (m.start() < _HEAD_OF_TEXT and kind == "sentence" and presents(m[0]))
        ]
    return changes


def walls(text: str) -> list[Change]:
    """Marks of member walls and elisions; each leaves a mark that flags its piece."""
    changes: list[Change] = []
    for rule in rules.family("boilerplate.toml", "wall"):
        if not rule.may_match(text):
            continue
        for m in rule.pattern.finditer(text):
            begin = m.start()
            while begin and text[begin - 1] in ".…" and m.start() - begin < 8:
                begin -= 1
            inside = rule.name.endswith("inside")
            mark = WALL_INSIDE if inside and not _only_blank_follows(text, m.end()) else WALL_END
            changes.append(Change(begin, m.end(), mark, f"wall.{'inside' if inside else 'end'}"))
    span, *groups = _hidden()
    for m in span.finditer(text):
        if sum(group.search(m["b"]) is not None for group in groups) >= 2 and groups[1].search(m["b"]):
            inside = not _only_blank_follows(text, m.end())
            mark, name = (WALL_INSIDE, "wall.inside") if inside else (WALL_END, "wall.end")
            changes.append(Change(m.start(), m.end(), mark, name))
    return changes


@cache
def _hidden() -> tuple[re.Pattern[str], ...]:
    table = rules.table("boilerplate.toml")["hidden"]
    return tuple(re.compile(table[key]) for key in ("span", "amount", "hiding", "price"))


def _only_blank_follows(text: str, at: int) -> bool:
    return not text[at : at + 200].strip(" 　\n。.…)）")


def spans(text: str) -> list[tuple[int, int]]:
    """Begin and end of every line that is not blank, without the white space around it."""
    found = []
    at = 0
    for line in text.split("\n"):
        body = line.strip(" 　\f")
        if body:
            begin = at + line.index(body[0])
            found.append((begin, begin + len(body)))
        at += len(line) + 1
    return found
