"""Loads the rule files once and compiles them.

In go the TOML files of ``rules/``, out come frozen sets of compiled patterns and a version
over all of them. Nothing here looks at a page, and nothing is ever learnt while cleaning.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np

from fanwen.cleaners import chars

# Raised by hand whenever code changes what comes out for the same rule files.
CODE_VERSION = "4"

# Chinese numerals one meets as ordinals, and what one of them looks like in a pattern.
NUMERAL = r"(?:[0-9０-９]{1,3}|[一二三四五六七八九十百零〇]{1,4})"
_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern of a family; ``cues``: it can only match where one of these strings occurs."""

    name: str
    pattern: re.Pattern[str]
    cues: tuple[str, ...] = ()
    flag: str | None = None
    after: str = ""

    def may_match(self, text: str, present: Container[str] | None = None) -> bool:
        """Whether a cue stands in ``text``; ``present`` are the cues that do, where that is known."""
        if present is not None:
            return not self.cues or any(cue in present for cue in self.cues)
        return not self.cues or any(cue in text for cue in self.cues)


@cache
def table(name: str) -> Mapping[str, Any]:
    """One rule file as it is written."""
    text = (files("fanwen.cleaners") / "rules" / name).read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def family(file: str, key: str) -> tuple[Rule, ...]:
    """The rules of ``[[key]]`` in one file, in the order of the file."""
    stem = file.removesuffix(".toml")
    return tuple(
        Rule(
            f"{stem}.{row['name']}",
            searchable(expand(row["pattern"]), re.IGNORECASE),
            tuple(row.get("cues", ())),
            row.get("flag"),
            row.get("after", ""),
        )
        for row in table(file)[key]
    )


def number(name: str) -> float:
    """A threshold of quality.toml."""
    return float(table("quality.toml")["threshold"][name])


def any_of(items: Iterable[str]) -> str:
    """A pattern for any of the words, longest first."""
    return "(?:" + "|".join(re.escape(w) for w in sorted(set(items), key=lambda w: (-len(w), w))) + ")"


@cache
def genre_word() -> str:
    """A pattern for the words that a title of a sample essay ends with."""
    return any_of(word for row in table("genres.toml")["genre"] for word in row["words"])


def expand(pattern: str) -> str:
    """Fill in ``<N>`` (a numeral), ``<GENRE>`` (a genre word) and ``<名>`` (a named list)."""
    pattern = pattern.replace("<N>", NUMERAL).replace("<GENRE>", genre_word())
    for key, members in table("lists.toml")["lists"].items():
        pattern = pattern.replace(f"<{key}>", "(?:" + "|".join(members) + ")")
    return pattern


def searchable(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """The same pattern with its alternatives written out, where all of them then begin with a character:
    the regex engine skips what is none of these characters."""
    ones = [one for part in _alternatives(pattern) for one in _unfolded(part)]
    if not _CAPTURES.search(pattern) and all(_CHARACTER_FIRST.match(one) for one in ones):
        pattern = "|".join(ones)
    return re.compile(pattern, flags)


_CAPTURES = re.compile(r"(?<!\\)\((?!\?)|\(\?P<")
_CHARACTER_FIRST = re.compile(r"[^\\\[\](){}.^$*+?|](?![?*{+])")


class Starts:
    """Where in a text one of many strings may begin: places that have their first two characters,
    looked up for all of them at once."""

    def __init__(self, strings: Iterable[str]) -> None:
        strings = list(strings)
        single = {one for one in strings if len(one) == 1}
        self._single = chars.table(single) if single else None
        self._pair = np.zeros(_PAIRS, dtype=np.bool_)
        for one in strings:
            if len(one) > 1:
                self._pair[_pair(ord(one[0]), ord(one[1]))] = True

    def places(self, text: str) -> list[int]:
        points = chars.codes(text)
        pairs = self._pair[_pair(points[:-1], points[1:])]
        if self._single is not None:
            single = chars.among(points, self._single)
            single[:-1] |= pairs
            pairs = single
        found: list[int] = np.flatnonzero(pairs).tolist()
        return found


_PAIRS = 0x10000


def _pair(first: Any, second: Any) -> Any:
    """A number below ``_PAIRS`` for two code points; different pairs may share one."""
    return (first * 4099 + second) & (_PAIRS - 1)


class Cues:
    """Finds all of many literal strings in a text in one go."""

    def __init__(self, cues: Iterable[str]) -> None:
        known = sorted(set(cues))
        self._starts = Starts(known)
        self._by_head: dict[str, list[str]] = {}
        for cue in known:
            self._by_head.setdefault(cue[:2], []).append(cue)

    def places(self, text: str) -> Iterator[tuple[int, str]]:
        """Every place of every cue, in the order of the text."""
        heads = self._by_head
        for at in self._starts.places(text):
            for cue in (*heads.get(text[at], ()), *heads.get(text[at : at + 2], ())):
                if text.startswith(cue, at):
                    yield at, cue


class Words:
    """Many alternatives as one search: those that begin with a Chinese character are tried together,
    which lets the regex engine skip all other characters, the rest one by one and without case.
    ``^`` and ``$`` are the ends of a line, whether a line or a whole text is searched."""

    def __init__(self, pattern: str) -> None:
        found = [one for part in _alternatives(expand(pattern)) for one in _unfolded(part)]
        fast = [one[0] + two for one in found if _HAN_FIRST.match(one) for two in _unfolded(one[1:])]
        rest = [one for one in found if not _HAN_FIRST.match(one)]
        self._fast = re.compile("|".join(fast), re.MULTILINE) if fast else None
        # the regex engine skips to any of some letters or to any of a set, but not to both at once
        letters = dict.fromkeys(both for one in rest if not one.startswith("[") for both in _both_cases(one))
        parts = ["|".join(letters), *(f"(?i:{one})" for one in rest if one.startswith("["))]
        self._rest = tuple(re.compile(part, re.MULTILINE) for part in parts if part)
        self._starts = Starts([_literal(one) for one in fast])
        self._by_head: dict[str, list[str]] = {}
        for one in fast:
            self._by_head.setdefault(_literal(one), []).append(one)
        self._compiled: dict[str, re.Pattern[str] | None] = {}

    def search(self, text: str) -> bool:
        """Whether any of them stands in ``text``."""
        return bool(self._fast and self._fast.search(text)) or any(one.search(text) for one in self._rest)

    def starts(self, text: str) -> list[int]:
        """Where they begin in ``text``, in order."""
        found = []
        for at in self._starts.places(text):
            head = text[at : at + 2]
            pattern = self._compiled[head] if head in self._compiled else self._beginning(head)
            if pattern and pattern.match(text, at):
                found.append(at)
        return sorted([*found, *(m.start() for one in self._rest for m in one.finditer(text))])

    def _beginning(self, head: str) -> re.Pattern[str] | None:
        """The alternatives that can match where these two characters stand, compiled when first met."""
        ones = [*self._by_head.get(head, ()), *self._by_head.get(head[:1], ())]
        self._compiled[head] = re.compile("|".join(ones), re.MULTILINE) if ones else None
        return self._compiled[head]


def _both_cases(pattern: str) -> list[str]:
    """A pattern without regard to case, whose first letter is spelt out."""
    first = pattern[0]
    if not first.isascii() or not first.isalpha():
        return [f"{first}(?i:{pattern[1:]})" if first not in "(\\" else f"(?i:{pattern})"]
    return [f"{one}(?i:{pattern[1:]})" for one in (first.lower(), first.upper())]


def _literal(pattern: str) -> str:
    """The one or two characters that every match of ``pattern`` begins with."""
    return pattern[:2] if _HAN_FIRST.match(pattern, 1) else pattern[:1]


_HAN_FIRST = re.compile("[㐀-鿿，。：￥¥0-9](?![?*{+])")
_SET_FIRST = re.compile(r"(?:\[(?P<set>[^\]\\^-]+)\]|(?P<digit>\\d))(?![?*{+])")


def _alternatives(pattern: str) -> list[str]:
    """The top-level alternatives of a pattern."""
    return [pattern[a + 1 : b] for a, b in pairwise([-1, *_bars(pattern), len(pattern)])]


def _bars(pattern: str) -> list[int]:
    """Where ``|`` stands outside of groups and sets."""
    return [i for i, depth in _depths(pattern) if pattern[i] == "|" and depth == 0]


def _depths(pattern: str) -> Iterator[tuple[int, int]]:
    """Every place of a pattern that is neither escaped nor in a set, and how many groups are open there."""
    depth, i = 0, 0
    while i < len(pattern):
        if pattern[i] == "\\":
            i += 2
            continue
        depth += {"(": 1, ")": -1}.get(pattern[i], 0)
        yield i, depth
        i = pattern.index("]", i + 2) + 1 if pattern[i] == "[" else i + 1


def _unfolded(pattern: str) -> list[str]:
    """``[本此]文`` as 本文 and 此文, ``(?:原|全)文`` as 原文 and 全文."""
    if pattern.startswith("(?:"):
        close = next(i for i, depth in _depths(pattern) if depth == 0)
        inner, rest = pattern[3:close], pattern[close + 1 :]
        if rest[:1] not in ("?", "*", "+", "{") or not rest:
            return [one for part in _alternatives(inner) for one in _unfolded(part + rest)]
    if m := _SET_FIRST.match(pattern):
        return [c + pattern[m.end() :] for c in (m["set"] or "0123456789")]
    return [pattern]


def numeral(text: str) -> int | None:
    """The value of a numeral such as 12, １２, 十二 or 二十; None where it is none."""
    if text.isdecimal():
        return int(text)
    if any(c not in _DIGITS and c not in "十百" for c in text) or not text:
        return None
    total, digit = 0, -1
    for c in text:
        if c in "十百":
            total += (1 if digit < 0 else digit) * (10 if c == "十" else 100)
            digit = -1
        elif digit >= 0:
            return int("".join(str(_DIGITS[x]) for x in text)) if all(x in _DIGITS for x in text) else None
        else:
            digit = _DIGITS[c]
    return total + max(digit, 0)


def _version() -> str:
    digest = hashlib.sha256(CODE_VERSION.encode())
    folder = files("fanwen.cleaners") / "rules"
    for name in sorted(one.name for one in folder.iterdir() if one.name.endswith(".toml")):
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes())
    return f"{CODE_VERSION}.{digest.hexdigest()[:12]}"


RULESET: str = _version()
