"""Lines and sentences in which a site speaks: known by their words, whatever their wording.

In goes a line and the names by which the site calls itself, out comes how loudly the site speaks
in it. Nags are endless in wording but few in what they talk about: the file, the screen, the
visitor, money, rights. The groups and their weights are in nags.toml; nothing is learnt.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

from fanwen.cleaners import rules
from fanwen.cleaners.rules import Words

_LONGEST = 90
# characters outside of brackets from which on they speak for themselves
_ALONE = 12
_IN_BRACKETS = re.compile(r"（[^（）]{4,}）|\([^()]{4,}\)|【[^【】]{4,}】|\[[^\[\]]{4,}\]")
_END_MARK = re.compile(r"[。！？!?；;，,…”’」』）)】》]$")
_ITEM = re.compile(
    rf"[ 　]*(?:[一二三四五六七八九十]{{1,3}}[、.．](?!\d)|[(（]{rules.NUMERAL}[)）](?!\d)"
    r"|\d{1,2}[、.．](?!\d)|\d{1,2}(?:\.\d{1,2}){1,3}[ 　])"
)
_ORNAMENT = r"(?:[※★☆◆◇■□●○▲△→←↓↑✦✿❀]{1,6}|[—－=~～*＊_-]{1,30})"
_WRAPPED = re.compile(rf"{_ORNAMENT}\s*(?P<inner>[^—※★☆\n]{{4,60}}?)\s*{_ORNAMENT}")
_RULE = re.compile(r"[=＝\-—－_~～*＊·.…#+\s]{6,}|[-=*_]{3,}")
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼粵滬湘贛蘇遼雲"
_OWNER = re.compile(
    r"(?:©|&copy;|Copyright|版权所有|版權所有)[\s\d:：,，.~@-]*(?:[A-Za-z0-9.-]+\s+)?(?P<a>[一-龥]{2,10})"
    r"|(?:^|[\s|｜　])(?P<b>[一-龥]{2,10})\s*(?:版权所有|版權所有|版权归属|All Rights)"
    rf"|(?:^|[\s|｜　])(?P<c>[一-龥]{{2,10}})[\s|｜　]*(?:[{_PROVINCES}]ICP|ICP备)"
    r"|[【\[](?P<d>[一-龥]{2,10})[】\]]\s*[:：]?\s*(?:https?://|www\.)|^(?P<e>[一-龥]{2,10})\s*[:：]?\s*(?:https?://|www\.)"
    r"|(?:下载自|来自|出自|转自|摘自|取自|来源于?)[:：]?\s*(?P<f>[一-龥]{2,10})\s+[（(]?(?:https?://|www\.)",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"(?:[|｜_]|\s[-–—·]|[-–—])\s*(?P<a>[一-龥A-Za-z0-9·]{2,12})\s*$")


def brands(titles: Iterable[str], around: Sequence[str]) -> tuple[str, ...]:
    """The names a page gives its site: behind a separator in its title, beside its rights and its licence."""
    found: dict[str, None] = {}
    never = re.compile(rules.table("nags.toml")["brand"]["never"])
    candidates = [m["a"] for title in titles if (m := _SUFFIX.search(title))]
    for line in around:
        if len(line) <= 200:
            candidates += [name for m in _OWNER.finditer(line) for name in m.groups() if name]
    genre = re.compile(rules.genre_word() + "$")
    for name in candidates:
        if not never.fullmatch(name) and not genre.search(name) and re.search(r"[一-龥]{2}", name):
            found[name] = None
    return tuple(found)


def places(text: str, names: Sequence[str] = ()) -> list[int]:
    """Where in ``text`` a word stands that addresses, or a name of the site: there alone a nag can be."""
    found = _addressed().starts(text)
    known = {part for name in names for part in (name, _kind().sub("", name)) if len(part) >= 2}
    found += [m.start() for name in known for m in re.finditer(re.escape(name), text)]
    return sorted(found)


def spoken(lines: Sequence[str], names: Sequence[str] = ()) -> set[str]:
    """Those of many lines in which any word stands that a nag has, or a name of the site."""
    if not lines:
        return set()
    whole = "\n".join(lines)
    begins = list(accumulate((len(line) + 1 for line in lines), initial=0))
    at = [*_positive().starts(whole), *places(whole, names)]
    return {lines[bisect_right(begins, one) - 1] for one in at}


@cache
def _positive() -> Words:
    return Words("|".join(row["pattern"] for row in rules.table("nags.toml")["word"] if row["weight"] > 0))


def is_wrapped(line: str) -> bool:
    """Whether a line is a slogan between ornaments: ——范文在手，写作无忧——."""
    m = _WRAPPED.fullmatch(line)
    return m is not None and _is_slogan(m["inner"])


def is_nag(line: str, kind: str, names: Sequence[str] = ()) -> bool:
    """Whether the site speaks in ``line``, which stands in the text as a ``kind`` (a key of ``least``)."""
    whole = line
    if kind in ("line", "sentence"):
        # what stands in brackets is judged by itself
        outside = _IN_BRACKETS.sub("", line)
        line = outside if len(outside) >= _ALONE else line
    if not 4 <= len(line) <= _LONGEST:
        return False
    least = rules.table("nags.toml")["least"]
    if kind == "line" and is_wrapped(line):
        return True
    score, addressed = _named(line if kind != "line" else _boxed_name(whole) + line, names)
    addressed = addressed or kind == "linked"  # what is a link speaks to the visitor
    if not addressed and not _addressed().search(line):
        return False
    # the names of texts say nothing about who speaks: 《……教师工作总结》
    plain = _title_like().sub("", line) if "《" in line or _genre().search(line) else line
    for row, words in _words():
        if words.search(line if row["weight"] > 0 else plain):
            score += row["weight"]
            addressed = addressed or row.get("addressed", False)
    if _ITEM.match(line) and len(line) >= 30:
        score -= 3  # an item of a list is the text's own, unless the site numbers its terms
    wanted = least["bare"] if kind == "line" and not _END_MARK.search(line) else least[kind]
    return bool(addressed and score >= wanted and score * 14 >= len(line))


def _boxed_name(line: str) -> str:
    """What stands in brackets at the very beginning of a line: 【某某文库】提醒您."""
    m = _IN_BRACKETS.match(line)
    return m[0] if m else ""


def spoken_part(sentence: str, names: Sequence[str]) -> tuple[int, int] | None:
    """Where the site names itself in a sentence of somebody who says I: its clauses, up to its name.

    None where nobody says I outside of these clauses, or the site does not name itself.
    """
    clauses = _clauses(sentence, names)
    if not _says_i(sentence, clauses):
        return None
    for k, (begin, end, _) in enumerate(clauses):
        known = [sentence.find(name, begin, end) + len(name) for name in names if name in sentence[begin:end]]
        if known:
            while k and clauses[k - 1][2] and not _I.search(sentence, *clauses[k - 1][:2]):
                k -= 1
            stop = max(known)
            # a name that ends its clause takes the comma along
            return clauses[k][0], end if not _WORDS.search(sentence, stop, end) else stop
    return None


def is_own(sentence: str, names: Sequence[str]) -> bool:
    """Whether somebody says I in a clause in which no site speaks."""
    return _says_i(sentence, _clauses(sentence, names))


def _clauses(sentence: str, names: Sequence[str]) -> list[tuple[int, int, bool]]:
    """Begin and end of every clause, and whether anybody is addressed in it."""
    at = places(sentence, names)
    spans = (m.span() for m in _CLAUSE.finditer(sentence))
    return [(begin, end, any(begin <= place < end for place in at)) for begin, end in spans]


def _says_i(sentence: str, clauses: Iterable[tuple[int, int, bool]]) -> bool:
    return any(not spoken and _I.search(sentence, begin, end) for begin, end, spoken in clauses)


_WORDS = re.compile(r"[一-龥A-Za-z0-9]")
_CLAUSE = re.compile(r"[^，；：:,;。！？!?]+[，；：:,;。！？!?~～]*")
_I = re.compile(r"我(?!们|要(?:下载|上传|投稿|纠错|评价|评论|举报))")


def _is_slogan(inner: str) -> bool:
    """Whether what stands between ornaments may be a slogan: no heading, no number, no 题记."""
    return len(inner) >= 6 and re.search(rf"\d|{rules.genre_word()}[)）》]?$|[。；]", inner) is None


@cache
def _genre() -> re.Pattern[str]:
    return rules.searchable(rules.genre_word())


@cache
def _title_like() -> re.Pattern[str]:
    return re.compile(rf"《[^《》]{{1,40}}》|[^，。,]{{0,14}}{rules.genre_word()}")


def is_ornament(line: str) -> bool:
    """Whether a line is nothing but a rule drawn with characters."""
    return _RULE.fullmatch(line) is not None


def _named(line: str, names: Sequence[str]) -> tuple[int, bool]:
    least = rules.table("nags.toml")["least"]
    for name in names:
        if name in line and len(name) >= 3:
            return least["brand"], True
    for name in names:
        root = _kind().sub("", name)
        if len(root) >= 2 and root in line:
            return least["root"], True
    return 0, False


def is_site(name: str) -> bool:
    """Whether a name ends as the names of sites do: 某某文库, and not 中国教育."""
    return _kind().search(name) is not None


@cache
def _kind() -> re.Pattern[str]:
    return re.compile(rules.table("nags.toml")["brand"]["kind"])


@cache
def _addressed() -> Words:
    """Any word that addresses: most lines of a text hold none."""
    rows = rules.table("nags.toml")["word"]
    return Words("|".join(row["pattern"] for row in rows if row.get("addressed")))


@cache
def _words() -> tuple[tuple[dict[str, Any], Words], ...]:
    return tuple((row, Words(row["pattern"])) for row in rules.table("nags.toml")["word"])
