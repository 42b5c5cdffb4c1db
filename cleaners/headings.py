"""Finds what may be a heading between the pieces of a compilation.

In go a text and the document's titles, out come :class:`Mark` objects by family: 篇一, 第二篇：…, 范文3,
‹title>4, bare numbers, title lines. Whether they are headings is decided by whether they count on, in
:mod:`fanwen.cleaners.split`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

from fanwen.cleaners import genre, letters, rules
from fanwen.cleaners.boilerplate import spans
from fanwen.cleaners.intro import intro_end
from fanwen.cleaners.titles import Titles, clean_title, count_in, ends_with_genre, fold, genre_end, is_known

_LONG_LINE = 300
_SENTENCE = re.compile(r"[。！？!?；;]")
_ENDS = "。！？!?；;…”’）)】》日"


@dataclass(frozen=True, slots=True)
class Mark:
    """A possible heading: ``begin`` … ``body``; ``number`` is its ordinal, ``sure`` its standing."""

    begin: int
    body: int
    number: int
    title: str | None
    family: str
    sure: bool


def line_marks(text: str, names: Titles) -> list[Mark]:
    """Headings at the beginning of a line."""
    marks: list[Mark] = []
    for begin, end in spans(text):
        line = text[begin : min(end, begin + 160)]
        for rule in rules.family("headings.toml", "mark"):
            m = rule.pattern.search(line, 0, 80)
            if m and (mark := _line_mark(m, line, begin, end, rule, names)):
                marks.append(mark)
                break
        else:
            marks += _bare(line, begin, end) or _title_number(line, begin, end, names)
    return marks


_BARE = re.compile(rf"[【\[(（〔第]?[ 　]*(?P<n>{rules.NUMERAL})[ 　]*[】\])）〕、.．:：]?")


def _bare(line: str, begin: int, end: int) -> list[Mark]:
    """A line that is nothing but a numeral: （一）."""
    m = _BARE.fullmatch(line) if end - begin <= 8 else None
    number = rules.numeral(unicodedata.normalize("NFKC", m["n"])) if m else None
    return [Mark(begin, end, number, None, "bare", False)] if number and number <= 60 else []


def _line_mark(
    m: re.Match[str], line: str, begin: int, end: int, rule: rules.Rule, names: Titles
) -> Mark | None:
    number = rules.numeral(unicodedata.normalize("NFKC", m["n"]))
    pre = line[: m.start()].strip(" 　【[#◆●★*《(（-—")
    if number is None or number == 0 or _SENTENCE.search(pre) or len(pre) > 50:
        return None
    family = rule.name.removeprefix("headings.")
    known = is_known(pre, names)
    if pre and not known and not ends_with_genre(pre):
        return None
    rest = line[m.end() :]
    whole = end - begin <= len(line)
    title, used = _subtitle(rest, whole, names)
    if used is None:
        # glued to the body: only behind the title, or with a head right after it
        boxed = re.search(r"[【\[][ 　]*$", line[: m.start()]) is not None and re.match(r"[ 　]*[】\]]", rest)
        if not known and not boxed and not re.match(r"[ 　]*[一1][、.．]", rest):
            return None
        used = len(rest) - len(rest.lstrip(" 　】])）:："))
    if title is None and pre:
        # 申请书样本一, where the page is called 申请书样本四则: the longest name that the heading repeats
        said = [
            name for name in names.cores if line.startswith(name) and len(pre) <= len(name) <= m.start("n")
        ]
        title = clean_title(max(said, key=len, default=pre))
    return Mark(begin, begin + m.end() + used, number, title, family, known or family != "fanwen")


def _subtitle(rest: str, whole: bool, names: Titles) -> tuple[str | None, int | None]:
    """(subtitle, how much of ``rest`` belongs to the heading), or (None, None) where the body is glued on."""
    stripped = rest.lstrip(" 　】])）")
    lead = len(rest) - len(stripped)
    m = re.match(r"[:：、.．—–-]+[ 　]*|[ 　]*", stripped)
    assert m is not None
    marked = m.end() > 0 or lead > 0
    name = stripped[m.end() :]
    if whole and not name.strip(" 　】])）》"):
        return None, len(rest)
    if letters.is_salutation(name):
        return None, None
    plain = re.sub(r"[》】\])）\s]+$", "", name)
    if whole and len(name) <= 45 and not _SENTENCE.search(plain) and (marked or ends_with_genre(name)):
        return clean_title(name), len(rest)
    if m.end() > 0 and stripped[: m.end()].strip(" 　"):
        end = genre_end(name)
        if end is not None:
            return clean_title(name[:end]), lead + m.end() + end
    return None, None


def inline_marks(text: str, names: Titles) -> list[Mark]:
    """Headings inside the long lines of a flattened text."""
    marks: list[Mark] = []
    for begin, end in spans(text):
        if end - begin < _LONG_LINE:
            continue
        for rule in rules.family("headings.toml", "mark"):
            for m in rule.pattern.finditer(text, begin, end):
                number = rules.numeral(unicodedata.normalize("NFKC", m["n"]))
                if not number:
                    continue
                at, pre = _title_before(text, begin, m.start(), names)
                if at > begin and text[at - 1] in "【[":
                    at -= 1
                before = text[begin:at].rstrip(" 　")
                sure = not before or before[-1] in _ENDS
                rest = text[m.end() : min(end, m.end() + 80)]
                colon = re.match(r"[ 　]*[:：】\]][ 　]*", rest)
                name_end = genre_end(rest[colon.end() :]) if colon else None
                spoken = colon is not None and (name_end is not None or len(m[0]) > len(m["n"]) + 2)
                if not (spoken or (sure and (pre or colon))):
                    continue
                body = m.end() + (colon.end() + (name_end or 0) if colon else 0)
                title = clean_title(rest[colon.end() : colon.end() + name_end]) if colon and name_end else pre
                family = rule.name.removeprefix("headings.")
                marks.append(Mark(at, body, number, title, family, True))
    return marks


def _title_before(text: str, begin: int, at: int, names: Titles) -> tuple[int, str | None]:
    """The document's title right before a mark belongs to the heading."""
    for name in (*names.full, *names.cores):
        if len(name) >= 4 and text.startswith(name, max(begin, at - len(name))) and at - len(name) >= begin:
            return at - len(name), clean_title(name)
    return at, None


def _title_number(line: str, begin: int, end: int, names: Titles) -> list[Mark]:
    """‹title>1, ‹title> 1, ‹title>（1）, ‹title>共1, also glued to the body; 述职报告二：客服主管."""
    for name in (*names.full, *names.cores):
        if len(name) < 4 or not line.startswith(name):
            continue
        rest = line[len(name) :]
        m = re.match(rf"(?:范文|模板|参考)?[ 　]*(?:共|之)?[(（]?(?P<n>{rules.NUMERAL})[)）]?", rest)
        if m is None:
            continue
        title, used = _subtitle(rest[m.end() :], end - begin <= len(line), names)
        if title is not None and used is not None and not m["n"].isdecimal():
            number = rules.numeral(m["n"])
            return [Mark(begin, end, number, title, "title_number", True)] if number else []
        after = rest[m.end() :].strip(" 　:：")
        options = _ordinals(m["n"])
        if (
            after
            and not after[0].isdigit()
            and re.match(r"[年月日、.．%％个名]", after[0])
            and len(m["n"]) == 1
        ):
            continue
        whole = not after and end - begin <= len(line)
        return [
            Mark(
                begin,
                begin
                + len(name)
                + m.start("n")
                + size
                + (m.end() - m.end("n") if size == len(m["n"]) else 0),
                number,
                clean_title(name),
                "title_number",
                whole,
            )
            for number, size in options
            if whole is False or size == len(m["n"])
        ]
    return _genre_number(line, begin, end)


def _genre_number(line: str, begin: int, end: int) -> list[Mark]:
    """A line that is a genre's word with an ordinal, whatever the page's title says."""
    m = _numbered_genre().fullmatch(line) if end - begin <= 60 else None
    number = rules.numeral(unicodedata.normalize("NFKC", m["n"])) if m else None
    if m is None or not number:
        return []
    title = clean_title(m["title"] or m["name"])
    return [Mark(begin, end, number, title, f"genre_number {fold(m['name'])}", True)]


@cache
def _numbered_genre() -> re.Pattern[str]:
    return re.compile(
        rf"(?P<name>[^。！？，；:：、\d]{{0,20}}?{rules.genre_word()}(?:[范样](?:文|本|例)|模板)?)"
        rf"[ 　]?[(（]?(?P<n>{rules.NUMERAL})[)）]?"
        r"(?:[ 　]*[:：][ 　]*(?P<title>[^。！？；]{2,40}))?"
    )


def _ordinals(digits: str) -> list[tuple[int, int]]:
    """The ordinals that a run of digits may begin with: 12019年 may be 1 and 2019年."""
    found = []
    for size in range(len(digits), 0, -1):
        value = rules.numeral(unicodedata.normalize("NFKC", digits[:size]))
        if value:
            found.append((value, size))
    return found


def title_lines(text: str, names: Titles, emphasised: frozenset[str], declared: int | None) -> list[Mark]:
    """Compilations without ordinals: each piece begins with a title line of its own.

    The number that the page declares must be met: exactly by numbered titles (（二）《草房子》读后感),
    by lines that only stand out and by lines that are merely short, nearly by lines that name a genre.
    """
    if declared is None:
        return []
    found = _candidates(text, emphasised)
    both = [title for title in found["named"] if title in found["strong"]]
    either = sorted({*found["named"], *found["short"]})
    for titles in (both, found["numbered"], found["strong"], found["named"], found["short"], either):
        marks = _titled(text, titles, names)
        if len(marks) == declared:
            return marks
    for titles in (both, found["named"]):
        marks = _titled(text, titles, names)
        if 2 <= len(marks) <= declared <= 2 * len(marks):
            return marks
    # fewer than the page declares, but all of the kind that its title names
    kind = genre.by_title(names.core or "")
    alike = [title for title in found["named"] if kind and (genre.by_title(title[2]) or ("",))[0] == kind[0]]
    marks = _titled(text, alike, names)
    return marks if len(marks) == len(alike) and 3 <= len(marks) <= declared else []


def _candidates(text: str, emphasised: frozenset[str]) -> dict[str, list[_Title]]:
    """Lines that may be titles, by what speaks for them."""
    found: dict[str, list[_Title]] = {"numbered": [], "strong": [], "named": [], "short": []}
    lines = spans(text)
    for (begin, end), after in zip_longest(lines, lines[1:]):
        line = text[begin:end]
        m = _NUMBERED.match(line)
        name = line[m.end() :] if m else line
        if not 0 < len(name) <= 40 or re.search(r"[。！？!?；;，,：:]$", name):
            continue
        title = (begin, end, name)
        if m:
            found["numbered"] += [title] if ends_with_genre(name) or "《" in name else []
            continue
        found["strong"] += [title] if line in emphasised else []
        found["named"] += [title] if ends_with_genre(name) else []
        found["short"] += [title] if after and _is_title_above(line, text[slice(*after)]) else []
    return found


def _is_title_above(line: str, after: str) -> bool:
    """Whether a line without punctuation may be the title of the running text or letter below it."""
    plain = 2 <= len(line) <= 24 and not re.search(r"[。；：;:？?！!]|，.*，|\d{4}|^此致|^敬礼", line)
    return plain and not letters.is_signature(line) and (is_prose(after) or letters.is_salutation(after))


def is_prose(line: str) -> bool:
    """Whether a line is running text."""
    return len(line) >= 12 and _SENTENCE.search(line) is not None


def _titled(text: str, found: list[_Title], names: Titles) -> list[Mark]:
    """Marks of the title lines that a body follows; the document's own title above the first is none."""
    kept: list[Mark] = []
    own = {fold(full) for full in names.full}
    for k, (begin, end, name) in enumerate(found):
        body = text[end : found[k + 1][0] if k + 1 < len(found) else len(text)]
        if len(body.strip()) < 60 or (not kept and (count_in(name) is not None or fold(name) in own)):
            continue
        if k or intro_end(body) <= 0.8 * len(body):
            kept.append(Mark(begin, end, len(kept) + 1, clean_title(name), "title_line", True))
    return kept


# begin and end of a line, and the title it holds
_Title = tuple[int, int, str]
_NUMBERED = re.compile(r"(?:[(（【\[]?(?:[一二三四五六七八九十]{1,3}|\d{1,2})[)）】\]、.．:：]+)[ 　]*")
