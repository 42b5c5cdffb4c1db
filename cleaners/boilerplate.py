"""Everything on a page that is not a piece, by family.

Pure functions from a simplified text to the changes that take boilerplate out: whole lines,
phrases anywhere, walls (which leave a mark, so that the piece they cut is flagged), and the
introduction that an editor wrote before the first piece. The patterns are in boilerplate.toml.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from typing import Any

from fanwen.cleaners import rules
from fanwen.cleaners.damage import WALL_END, WALL_INSIDE
from fanwen.cleaners.trace import Change

_LONGEST_LINE = 400
_SENTENCE_END = re.compile(r"[。！？!?]+[”’」』）)]*|\n")
_JAMMER = re.compile(r"(?=.{0,60}\d)(?:[!-~]{1,3} +){4,}[!-~]{1,4}")
_BRACKETED = re.compile(r"【[^【】\n]{6,60}】|（[^（）\n]{6,60}）|\([^()\n]{6,60}\)|\[[^\[\]\n]{6,60}\]")
_INNER_SENTENCE = re.compile(r"(?<=[。！？!?；;”])[^。！？!?；;\n]{6,80}[。！？!?~]+")
_PROSE = re.compile(r"[，。！？；,;!?]")
_HEAD = re.compile(
    r"[ 　]*(?:[一二三四五六七八九十]{1,3}[、.．]|[(（][一二三四五六七八九十\d]{1,3}[)）]"
    r"|\d{1,2}[、.．](?!\d))"
)


def lines(text: str) -> list[Change]:
    """Lines that belong to the page and not to the text, and the lists that follow them at the end."""
    families = [rule for rule in rules.family("boilerplate.toml", "line") if rule.may_match(text)]
    changes: list[Change] = []
    kept: list[tuple[int, int]] = []
    related_at: int | None = None
    for begin, end in spans(text):
        line = text[begin:end]
        rule = _line_rule(line, families) if end - begin <= _LONGEST_LINE else None
        if rule is None:
            kept.append((begin, end))
            continue
        changes.append(Change(begin, end, "", rule))
        if rule in ("boilerplate.related", "boilerplate.viewer_labels", "boilerplate.neighbours"):
            related_at = begin
    if related_at is not None:
        tail = [(b, e) for b, e in kept if b > related_at]
        if tail and all(e - b <= 45 and not _PROSE.search(text, b, e) for b, e in tail):
            changes += [Change(b, e, "", "boilerplate.tail") for b, e in tail]
    return changes


def _line_rule(line: str, families: list[rules.Rule]) -> str | None:
    if _JAMMER.fullmatch(line):
        return "boilerplate.jammer"
    for rule in families:
        if rule.may_match(line) and rule.pattern.fullmatch(line):
            return rule.name
    return "boilerplate.nag" if _nags(line, rules.table("boilerplate.toml")["nag"]["line"]) else None


def _nags(line: str, least: int) -> bool:
    """Whether a short line speaks to the visitor of a site about its file: words of several groups.

    Each group counts once; a nag must name the file, the screen or the visitor, and a line that
    tells of people at work is none however often it says 下载.
    """
    if not 6 <= len(line) <= 80:
        return False
    score, addressed = 0, False
    for row, pattern in _nag_words():
        if pattern.search(line):
            score += row["weight"]
            addressed = addressed or row.get("addressed", False)
    return addressed and score >= least and score * 14 >= len(line)


@cache
def _nag_words() -> tuple[tuple[dict[str, Any], re.Pattern[str]], ...]:
    rows = rules.table("boilerplate.toml")["nag"]["word"]
    return tuple((row, re.compile(rules.expand(row["pattern"]), re.IGNORECASE)) for row in rows)


def phrases(text: str) -> list[Change]:
    """Phrases that stand in the middle of a line or a sentence; a line left empty by one vanishes."""
    changes = [
        Change(m.start(), m.end(), "", rule.name)
        for rule in rules.family("boilerplate.toml", "phrase")
        if rule.may_match(text)
        for m in rule.pattern.finditer(text)
        if m.end() > m.start()
    ]
    least = rules.table("boilerplate.toml")["nag"]
    for pattern, limit in ((_BRACKETED, least["bracketed"]), (_INNER_SENTENCE, least["sentence"])):
        changes += [
            Change(m.start(), m.end(), "", "boilerplate.nag")
            for m in pattern.finditer(text)
            if _nags(m[0], limit)
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
    return changes


def _only_blank_follows(text: str, at: int) -> bool:
    return not text[at : at + 200].strip(" 　\n。.…)）")


def intro_end(text: str, limit: int = 900) -> int:
    """Where the editor's introduction at the beginning of ``text`` ends; 0 where there is none.

    Sentences before the editor's own are generic filler about the genre and belong to it too.
    """
    head = text[:limit]
    if len(text) > limit:
        stop = head.rfind("\n")
        head = head[: stop if stop > limit // 2 else limit]
    ends = [m.end() for m in _SENTENCE_END.finditer(head)]
    found = 0
    for rule in rules.family("boilerplate.toml", "intro"):
        if not rule.may_match(head):
            continue
        for m in rule.pattern.finditer(head):
            if m.end() <= m.start() or _HEAD.match(head[head.rfind("\n", 0, m.start()) + 1 : m.start() + 4]):
                continue
            if rule.name.endswith("label") and m.start() > 80:
                continue
            k = bisect_right(ends, max(m.end() - 1, 0))
            found = max(found, ends[k] if k < len(ends) else m.end())
    return _with_followers(text, found)


_FOLLOWER = re.compile(
    r"[ 　\n]*(?:(?:一起来|快来|来|让我们|下面|希望|欢迎|供|以下|仅供|更多|如果|感谢|记得|喜欢)"
    r"[^。！!？?\n]{0,40}"
    r"(?:看看|了解|参考|借鉴|阅读|帮助|喜欢|支持|关注|收藏|学习|如下|内容|欣赏|分享|朋友)[^。！!？?\n]{0,14}[。！!？?~]+)"
)


def _with_followers(text: str, end: int) -> int:
    """Short sentences that still belong to the introduction: 一起来看看吧。"""
    while end and (m := _FOLLOWER.match(text, end)) and "我" not in m[0]:
        end = m.end()
    return end


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
