"""Finds the introduction that an editor wrote before a piece.

In goes the beginning of a text, out comes where the introduction ends. It is known by the sentence in
which the site presents what follows, weighed by groups of words (intro.toml); the filler before that
sentence belongs to it. Nothing is removed here, and a text that has begun is never looked through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from fanwen.cleaners import rules
from fanwen.cleaners.rules import Words

_REACH = 700
_OWN_BEFORE = 100
# lines of filler that may stand before the sentence that presents: on 193 pages with an introduction
# two at most, and a text without an I is lost up to that sentence otherwise
_LINES_BEFORE = 2
_SHORTEST, _LONGEST = 10, 260
_SENTENCE = re.compile(r"[^。！？!?~～\n]*(?:[。！？!?~～]+[”’」』）)]*|\n|$)")
# filler has neither an I nor numbers nor anything that somebody said
_OWN_VOICE = re.compile(r"我(?!们)|本人|\d|[“”]")
_FOLLOWER = re.compile(
    r"[ 　\n]*(?:(?:一起来|一块儿?来|快来|来|让我们|下面|希望|欢迎|供|以下|仅供|更多|如果|感谢|记得|喜欢)"
    r"[^。！!？?\n]{0,40}"
    r"(?:看看|瞧瞧|了解|参考|借鉴|阅读|帮助|喜欢|支持|关注|收藏|学习|如下|内容|欣赏|分享|朋友)[^。！!？?\n]{0,14}[。！!？?~]+)"
)


def intro_end(text: str) -> int:
    """Where the editor's introduction at the beginning of ``text`` ends; 0 where there is none."""
    found = own = 0
    for begin, end in _sentences(text):
        sentence = text[begin:end].strip()
        if not sentence:
            continue
        if _pattern("begun").match(sentence) or _lines_before(text, begin) > _LINES_BEFORE:
            break
        if begin <= 80 and _labelled(sentence):
            # what is labelled is one line, however many sentences it has
            stop = text.find("\n", begin)
            found = end if stop < 0 or end - begin > _LONGEST else max(found, stop)
        elif own <= _OWN_BEFORE and (presents(sentence) or _pattern("asks").search(sentence)):
            found = end
        elif sentence[-1] in "。！？" and _OWN_VOICE.search(sentence):
            own += len(sentence)
    return _with_followers(text, found)


def _lines_before(text: str, at: int) -> int:
    return sum(1 for line in text[:at].split("\n")[:-1] if line.strip())


def presents(sentence: str) -> bool:
    """Whether the site presents in ``sentence`` what follows: 下面为大家带来一篇工作总结，欢迎参考。"""
    if not _SHORTEST <= len(sentence) <= _LONGEST or _pattern("never").search(sentence):
        return False
    if not _voices().search(sentence):
        return False
    spoken = [row for row, words in _words() if words.search(sentence)]
    whole = all(any(row.get(part) for row in spoken) for part in ("voice", "thing", "act"))
    enough = sum(row["weight"] for row in spoken) >= rules.table("intro.toml")["least"]
    return whole and enough


def is_outro(line: str) -> bool:
    """Whether a line is the heading of what an editor adds behind the last piece: 写在最后."""
    return _pattern("outro").fullmatch(line) is not None


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    while at < min(len(text), _REACH):
        m = _SENTENCE.match(text, at)
        assert m is not None
        yield at, m.end()
        if m.end() == at:
            return
        at = m.end()


def _labelled(sentence: str) -> bool:
    m = _label().match(sentence)
    return m is not None and (m["sure"] is not None or presents(sentence))


@cache
def _label() -> re.Pattern[str]:
    table = rules.table("intro.toml")
    return re.compile(
        rf"[#【\[《◎● 　]*(?:[一-龥]{{2,8}}网?[# ]*)?(?:(?P<sure>{table['label']})|{table['weak_label']})"
        r"\s*[】\]》#]*\s*[:：】\]]"
    )


def _with_followers(text: str, end: int) -> int:
    """Short sentences that still belong to the introduction: 一起来看看吧。"""
    while end and (m := _FOLLOWER.match(text, end)) and "我" not in m[0].replace("让我们", ""):
        end = m.end()
    return end


@cache
def _pattern(key: str) -> re.Pattern[str]:
    return rules.searchable(rules.expand(rules.table("intro.toml")[key]))


@cache
def _words() -> tuple[tuple[dict[str, Any], Words], ...]:
    return tuple((row, Words(row["pattern"])) for row in rules.table("intro.toml")["word"])


@cache
def _voices() -> Words:
    """Any word that says who speaks or points: most sentences hold none."""
    return Words("|".join(row["pattern"] for row in rules.table("intro.toml")["word"] if row.get("voice")))
