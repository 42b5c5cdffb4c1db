"""Cuts a document into its pieces (篇).

In go the finished text, the document's titles and the lines that the page emphasised; out come
the stretches of the text that are pieces, each with the title its heading gives. Headings are
found by family (篇一, 第二篇：…, 范文3, ‹title>4, title lines) and must count on; the level of a
heading never decides. Nothing is removed here but headings and what stands before the first one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from fanwen.cleaners import genre, rules
from fanwen.cleaners.boilerplate import spans
from fanwen.cleaners.intro import intro_end
from fanwen.cleaners.trace import Change

_LONG_LINE = 300
_LONG_PREAMBLE = 600
_SHORT_BODY = 25
_MOST_MARKS = 600
_MOST_TITLES = 12
_PUNCTUATION = re.compile(r"[\s　《》“”\"'‘’「」【】\[\]()（）:：,，。.、·_#*—-]")
_SENTENCE = re.compile(r"[。！？!?；;]")
_TRAILS = re.compile(r"(?:范文|模板|大全|参考|例文|最新|精选|合集|[ 　]|\.docx?|\.pdf|[-_|—].*)*")
_ENDS = "。！？!?；;…”’）)】》日"


@dataclass(frozen=True, slots=True)
class Part:
    """``text[begin:end]`` is the body of a piece; ``title`` is what its heading says without the ordinal."""

    begin: int
    end: int
    title: str | None


@dataclass(frozen=True, slots=True)
class Split:
    """``declared``: what the title or the introduction claims; ``rule``: the family that split."""

    parts: tuple[Part, ...]
    declared: int | None
    rule: str | None


@dataclass(frozen=True, slots=True)
class Titles:
    """The document's names: as given, and without count, praise and file suffix."""

    full: tuple[str, ...]
    cores: tuple[str, ...]
    declared: int | None

    @property
    def core(self) -> str | None:
        return self.cores[0] if self.cores else None


@dataclass(frozen=True, slots=True)
class _Mark:
    """A possible heading: ``begin`` … ``body``; ``number`` is its ordinal, ``sure`` its standing."""

    begin: int
    body: int
    number: int
    title: str | None
    family: str
    sure: bool


# -- titles -------------------------------------------------------------------------------------


def titles(given: Iterable[str]) -> Titles:
    """What the document is called, from the best source to the worst."""
    full: list[str] = []
    cores: list[str] = []
    declared: int | None = None
    for title in given:
        title = re.sub(r"\s+", " ", title).strip(" 　#")
        if not title or len(title) > 120:
            continue
        full.append(title)
        for variant in _variants(title):
            declared = declared if declared is not None else _count(variant)
            for core in (core_of(variant), core_of(variant, praised=True)):
                if len(core) >= 2 and core not in cores:
                    cores.append(core)
    return Titles(tuple(dict.fromkeys(full)), tuple(cores), declared)


def _variants(title: str) -> list[str]:
    """The title, without the site's name behind a separator, and once where it is said twice."""
    parts = [p for p in _SEPARATOR.split(title) if p.strip()]
    name = parts[0].strip() if parts else title
    twice = re.fullmatch(r"(.{5,60}?)[ 　]*\1", name)
    name = twice[1] if twice else name
    # what the page offers to do with it: ……实习报告 纯文本查看
    head, _, tail = name.partition(" ")
    return [head if 0 < len(tail) <= 8 and ends_with_genre(head) and not ends_with_genre(tail) else name]


_SEPARATOR = re.compile(
    r"\s*[|｜]\s*|\s+[-–—_]+\s+|_+|(?<=[)）篇])\s*[-–—]+\s*|(?<=[一-龥）)】])[-–—](?=[一-龥A-Za-z]{2,10}$)"
)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """count, decoration, trailing, suffix, praise."""
    table = rules.table("headings.toml")
    flags = re.IGNORECASE
    return (
        re.compile(table["count"], flags),
        re.compile(f"^(?:{rules.expand(table['decoration'])})+", flags),
        re.compile(f"(?:{table['trailing']})$", flags),
        re.compile(f"(?:{table['suffix']})$", flags),
        re.compile(f"(?:{table['praise']})$", flags),
    )


def core_of(title: str, *, praised: bool = False) -> str:
    """A title without count, file suffix and praise (unless ``praised``): 最新工作总结(6篇) → 工作总结."""
    count, decoration, trailing, suffix, praise = _patterns()
    last = None
    while title != last:
        last = title
        title = suffix.sub("", title.strip(" 　"))
        # a count stands at the end or in brackets, never in front of the name itself
        title = re.sub(rf"(?:{count.pattern})$", "", title, flags=re.IGNORECASE).strip(" 　")
        title = praise.sub("", title)
    if praised:
        return title
    title = decoration.sub("", title)
    shorter = trailing.sub("", title).strip(" 　")
    return shorter if len(shorter) >= 4 else title


def _count(title: str) -> int | None:
    for m in _patterns()[0].finditer(title):
        before, after = title[: m.start()], title[m.end() :]
        # a count stands in brackets, at the end or in front; inside a name it counts something else
        placed = m[0].endswith((")", "）", "]", "】")) or not before or _TRAILS.fullmatch(after) is not None
        value = rules.numeral(m["n"].replace("两", "二")) if m["n"] else None
        if value and 2 <= value <= 200 and placed and not before.endswith("第"):
            return value
    return None


def fold(text: str) -> str:
    """For comparing titles: width, case, punctuation and spaces away."""
    return _PUNCTUATION.sub("", unicodedata.normalize("NFKC", text)).lower()


# -- splitting -----------------------------------------------------------------------------------


def split(text: str, names: Titles, emphasised: frozenset[str] = frozenset()) -> Split:
    """The pieces of a document, in order."""
    start = _after_titles(text, 0, names)
    declared = names.declared or _declared_in_intro(text[start : start + 900])
    marks, rule = _best(text, names, emphasised, declared)
    if not marks:
        begin = _body_start(text, start, names)
        return Split((Part(begin, len(text), names.core),) if text[begin:].strip() else (), declared, None)
    parts: list[Part] = []
    preamble = _preamble(text, start, marks, names)
    if preamble is not None:
        parts.append(preamble)
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        end = after.begin if after else len(text)
        begin = _body_start(text, mark.body, names, mark.title)
        if text[begin:end].strip():
            parts.append(Part(begin, len(text[:end].rstrip()), mark.title or names.core))
    return Split(tuple(parts), declared, rule)


def _preamble(text: str, start: int, marks: Sequence[_Mark], names: Titles) -> Part | None:
    """What stands before the first heading: an introduction, or a piece whose own heading is missing."""
    first = marks[0]
    begin = start + intro_end(text[start : first.begin])
    begin = _after_titles(text, begin, names)
    body = text[begin : first.begin].strip()
    least = 150 if first.number > 1 else _LONG_PREAMBLE
    if first.number == 0 or len(body) < least or not _SENTENCE.search(body):
        return None
    return Part(begin, len(text[: first.begin].rstrip()), None)


def _declared_in_intro(head: str) -> int | None:
    end = intro_end(head)
    intro = head[:end]
    for m in re.finditer(rf"(?P<n>{rules.NUMERAL})篇", intro):
        value = rules.numeral(m["n"])
        if value and 2 <= value <= 200 and not intro[: m.start()].endswith(("第", "这", "那", "每")):
            return value
    return None


def _after_titles(text: str, at: int, names: Titles, own: str | None = None) -> int:
    """Steps over the document's title, alone on lines or glued to the text, however often it stands there."""
    known = sorted({*names.full, *names.cores, *([own] if own else [])}, key=len, reverse=True)
    folded = {fold(name) for name in known}
    copies = 0
    while copies < _MOST_TITLES:
        while at < len(text) and text[at] in " 　\n":
            at += 1
        end = _title_end(text, at, folded)
        if end is None:
            glued = (name for name in known if len(name) >= 6 and text.startswith(name, at))
            end = next((at + len(n) for n in glued if _is_glued(text, at + len(n), n, known, copies)), None)
        if end is None:
            break
        at = end
        copies += 1
    return at


def _title_end(text: str, at: int, folded: set[str]) -> int | None:
    """Where a title ends that fills the line at ``at``, or two or three short lines from there."""
    joined = ""
    for _ in range(3):
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        line = text[at:stop].strip(" 　")
        joined += line
        if not line or len(joined) > 80:
            return None
        if fold(joined) in folded:
            return stop
        at = stop + 1
    return None


def _is_glued(text: str, at: int, title: str, known: Sequence[str], copies: int) -> bool:
    """Whether a title that runs into the text at ``at`` is a heading, not the subject of a sentence.

    Behind it stands the title again, a heading, an introduction, or a text with its own subject.
    """
    rest = text[at : at + 40]
    if _is_mark_after(text, at):
        return False
    # a name that says how many there are is no part of a sentence
    counted = core_of(title) != title
    return (
        counted
        or _GLUED_START.match(rest) is not None
        or any(rest.startswith(k) for k in known)
        or (copies > 0 and _GOES_ON.match(rest) is None)
    )


# What may follow a title that is glued on, and what follows one that is the subject of a sentence.
_GLUED_START = re.compile(
    r"[ 　]*(?:第[一1]篇|导语|前言|[(（\[【]?(?:精选|优秀|通用|最新)|尊敬的|各位|一、|[ 　]{1,})"
)
_GOES_ON = re.compile(r"[ 　]*[的是与和之等了，。、：:；》）”)\]】]")


def _is_mark_after(text: str, at: int) -> bool:
    return (
        re.match(rf"[ 　]*(?:篇|范文|[(（]?{rules.NUMERAL}[)）]?(?![年月日、.]))", text[at : at + 12])
        is not None
    )


def _body_start(text: str, at: int, names: Titles, own: str | None = None) -> int:
    """Where a body begins: after repeated titles and after an editor's introduction."""
    at = _after_titles(text, at, names, own)
    end = intro_end(text[at : at + 1200])
    if end and len(text) - at - end >= max(60, 0.3 * (len(text) - at)):
        at = _after_titles(text, at + end, names, own)
    return at


def open_headings(text: str, names: Titles) -> list[Change]:
    """Puts headings that are glued into the lines of a flattened text on lines of their own."""
    found: dict[str, list[_Mark]] = {}
    for mark in _inline_marks(text, names):
        found.setdefault(mark.family, []).append(mark)
    best: list[_Mark] = []
    for family in sorted(found):
        chain = _chain(text, found[family])
        best = chain if len(chain) > len(best) else best
    if len(best) < 2:
        return []
    places = {at for mark in best for at in (mark.begin, mark.body)}
    return [
        Change(at, at, "\n", "layout.heading")
        for at in sorted(places)
        if 0 < at < len(text) and text[at - 1] != "\n"
    ]


# -- marks -----------------------------------------------------------------------------------------


def _best(
    text: str, names: Titles, emphasised: frozenset[str], declared: int | None
) -> tuple[list[_Mark], str | None]:
    """The family of headings that counts on best."""
    found: dict[str, list[_Mark]] = {}
    for mark in _line_marks(text, names):
        found.setdefault(mark.family, []).append(mark)
    best: list[_Mark] = []
    rule = None
    for family in sorted(found):
        chain = _chain(text, found[family])
        if len(chain) > len(best) or (len(chain) == len(best) and chain and chain[0].begin < best[0].begin):
            best, rule = chain, family
    if len(best) >= 2 or (len(best) == 1 and best[0].sure and (best[0].number == 1 or (declared or 0) > 1)):
        return best, rule
    lines = _title_lines(text, names, emphasised, declared)
    return (lines, "title_line") if lines else ([], None)


def _chain(text: str, marks: list[_Mark]) -> list[_Mark]:
    """The run of headings whose ordinals rise, without tables of contents and stray numbers."""
    marks = _without_contents(text, sorted(marks, key=lambda m: (m.begin, m.number)))[:_MOST_MARKS]
    best: list[_Mark] = []
    for k, first in enumerate(marks):
        if first.number > 3 or (best and first.number >= best[0].number):
            continue
        chain = [first]
        for mark in marks[k + 1 :]:
            step = mark.number - chain[-1].number
            if mark.begin >= chain[-1].body and 1 <= step <= 3 and not _jumps(marks, chain[-1], mark):
                chain.append(mark)
        if len(chain) > len(best):
            best = chain
    return best


def _jumps(marks: list[_Mark], last: _Mark, mark: _Mark) -> bool:
    """A gap in the count is only taken where the missing ordinal stands nowhere behind."""
    wanted = last.number + 1
    return mark.number > wanted and any(m.number == wanted and m.begin > last.begin for m in marks)


def _without_contents(text: str, marks: list[_Mark]) -> list[_Mark]:
    """A table of contents is a run of headings with nothing between them; its ordinals come again."""
    last = {mark.number: mark.begin for mark in marks}
    kept = []
    for k, mark in enumerate(marks):
        end = marks[k + 1].begin if k + 1 < len(marks) else len(text)
        bare = end - mark.body < 200 and len(text[mark.body : end].strip()) < _SHORT_BODY
        again = last[mark.number] > mark.begin
        if not (bare and again):
            kept.append(mark)
    return kept


def _line_marks(text: str, names: Titles) -> list[_Mark]:
    """Headings at the beginning of a line."""
    marks: list[_Mark] = []
    for begin, end in spans(text):
        line = text[begin : min(end, begin + 160)]
        for rule in rules.family("headings.toml", "mark"):
            mark = _line_mark(text, line, begin, end, rule, names)
            if mark is not None:
                marks.append(mark)
                break
        else:
            marks += _title_number(line, begin, end, names)
    return marks


def _line_mark(text: str, line: str, begin: int, end: int, rule: rules.Rule, names: Titles) -> _Mark | None:
    m = rule.pattern.search(line, 0, 80)
    if m is None:
        return None
    number = rules.numeral(unicodedata.normalize("NFKC", m["n"]))
    pre = line[: m.start()].strip(" 　【[#◆●★*《(（-—")
    if number is None or number == 0 or _SENTENCE.search(pre) or len(pre) > 50:
        return None
    family = rule.name.removeprefix("headings.")
    known = _is_known(pre, names)
    if pre and not known and not (len(pre) >= 4 and ends_with_genre(pre)):
        return None
    rest = line[m.end() :]
    whole = end - begin <= len(line)
    title, used = _subtitle(rest, whole, names)
    if used is None:
        # glued to the body: only behind the title, or with a head right after it
        if not known and not re.match(r"[ 　]*[一1][、.．]", rest):
            return None
        used = len(rest) - len(rest.lstrip(" 　】])）:："))
    if title is None and pre:
        # 申请书样本一, where the page is called 申请书样本四则: the longest name that the heading repeats
        said = [
            name for name in names.cores if line.startswith(name) and len(pre) <= len(name) <= m.start("n")
        ]
        title = _clean_title(max(said, key=len, default=pre))
    return _Mark(begin, begin + m.end() + used, number, title, family, known or family != "fanwen")


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
    plain = re.sub(r"[》】\])）\s]+$", "", name)
    if whole and len(name) <= 45 and not _SENTENCE.search(plain) and (marked or ends_with_genre(name)):
        return _clean_title(name), len(rest)
    if m.end() > 0 and stripped[: m.end()].strip(" 　"):
        end = _genre_end(name)
        if end is not None:
            return _clean_title(name[:end]), lead + m.end() + end
    return None, None


def _inline_marks(text: str, names: Titles) -> list[_Mark]:
    """Headings inside the long lines of a flattened text."""
    marks: list[_Mark] = []
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
                name_end = _genre_end(rest[colon.end() :]) if colon else None
                spoken = colon is not None and (name_end is not None or len(m[0]) > len(m["n"]) + 2)
                if not (spoken or (sure and (pre or colon))):
                    continue
                body = m.end() + (colon.end() + (name_end or 0) if colon else 0)
                title = (
                    _clean_title(rest[colon.end() : colon.end() + name_end]) if colon and name_end else pre
                )
                family = rule.name.removeprefix("headings.")
                marks.append(_Mark(at, body, number, title, family, True))
    return marks


def _title_before(text: str, begin: int, at: int, names: Titles) -> tuple[int, str | None]:
    """The document's title right before a mark belongs to the heading."""
    for name in (*names.full, *names.cores):
        if len(name) >= 4 and text.startswith(name, max(begin, at - len(name))) and at - len(name) >= begin:
            return at - len(name), _clean_title(name)
    return at, None


def _title_number(line: str, begin: int, end: int, names: Titles) -> list[_Mark]:
    """‹title>1, ‹title> 1, ‹title>（1）, ‹title>共1, also glued to the body; 述职报告二：客服主管."""
    for name in (*names.full, *names.cores):
        if len(name) < 4 or not line.startswith(name):
            continue
        rest = line[len(name) :]
        m = re.match(rf"(?:范文|模板|参考)?[ 　]*(?:共|之)?[(（]?(?P<n>{rules.NUMERAL})[)）]?", rest)
        if m is None:
            continue
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
            _Mark(
                begin,
                begin
                + len(name)
                + m.start("n")
                + size
                + (m.end() - m.end("n") if size == len(m["n"]) else 0),
                number,
                _clean_title(name),
                "title_number",
                whole,
            )
            for number, size in options
            if whole is False or size == len(m["n"])
        ]
    return _genre_number(line, begin, end)


def _genre_number(line: str, begin: int, end: int) -> list[_Mark]:
    """A line that is a genre's word with an ordinal, whatever the page's title says."""
    m = _numbered_genre().fullmatch(line) if end - begin <= 60 else None
    number = rules.numeral(unicodedata.normalize("NFKC", m["n"])) if m else None
    if m is None or not number:
        return []
    title = _clean_title(m["title"] or m["name"])
    return [_Mark(begin, end, number, title, f"genre_number {fold(m['name'])}", True)]


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


def _title_lines(text: str, names: Titles, emphasised: frozenset[str], declared: int | None) -> list[_Mark]:
    """Compilations without ordinals: each piece begins with a title line of its own.

    The number that the page declares must be met: exactly by numbered titles (（二）《草房子》读后感)
    and by lines that only stand out, nearly by lines that name a genre.
    """
    if declared is None:
        return []
    numbered: list[_Title] = []
    strong: list[_Title] = []
    named: list[_Title] = []
    for begin, end in spans(text):
        line = text[begin:end]
        m = _NUMBERED.match(line)
        name = line[m.end() :] if m else line
        if not 0 < len(name) <= 40 or re.search(r"[。！？!?；;，,：:]$", name):
            continue
        if m:
            numbered += [(begin, end, name)] if ends_with_genre(name) or "《" in name else []
            continue
        strong += [(begin, end, name)] if line in emphasised else []
        named += [(begin, end, name)] if ends_with_genre(name) else []
    both = [title for title in named if title in strong]
    for chosen, exactly in ((both, False), (numbered, True), (strong, True), (named, False)):
        marks = _titled(text, chosen, names)
        if len(marks) == declared or (not exactly and 2 <= len(marks) <= declared <= 2 * len(marks)):
            return marks
    # fewer than the page declares, but all of the kind that its title names
    kind = genre.by_title(names.core or "")
    alike = [title for title in named if kind and (genre.by_title(title[2]) or ("",))[0] == kind[0]]
    marks = _titled(text, alike, names)
    return marks if len(marks) == len(alike) and 3 <= len(marks) <= declared else []


def _titled(text: str, found: list[_Title], names: Titles) -> list[_Mark]:
    """Marks of the title lines that a body follows; the document's own title above the first is none."""
    kept: list[_Mark] = []
    own = {fold(full) for full in names.full}
    for k, (begin, end, name) in enumerate(found):
        body = text[end : found[k + 1][0] if k + 1 < len(found) else len(text)]
        if len(body.strip()) < 60 or (not kept and (_count(name) is not None or fold(name) in own)):
            continue
        if k or intro_end(body) <= 0.8 * len(body):
            kept.append(_Mark(begin, end, len(kept) + 1, _clean_title(name), "title_line", True))
    return kept


# begin and end of a line, and the title it holds
_Title = tuple[int, int, str]
_NUMBERED = re.compile(r"(?:[(（【\[]?(?:[一二三四五六七八九十]{1,3}|\d{1,2})[)）】\]、.．:：]+)[ 　]*")


# -- words -------------------------------------------------------------------------------------------


def _is_known(name: str, names: Titles) -> bool:
    """Whether a heading's words are the document's title, or nearly."""
    folded = fold(name)
    if len(folded) < 2:
        return False
    for core in names.cores:
        other = fold(core)
        if folded == other or (len(folded) >= 4 and (folded in other or other in folded)):
            return True
        pairs, others = _pairs(folded), _pairs(other)
        if pairs and others and len(pairs & others) * 2 >= len(pairs | others):
            return True
    return False


def _pairs(text: str) -> set[str]:
    return {text[i : i + 2] for i in range(len(text) - 1)}


@cache
def _genre_pattern() -> tuple[re.Pattern[str], re.Pattern[str]]:
    word = rules.genre_word()
    return re.compile(rf"{word}(?:范文|模板)?[)）》】\s]*$"), re.compile(
        rf"[^。！？!?；;：:\n]{{0,40}}?{word}(?:范文)?"
    )


def ends_with_genre(name: str) -> bool:
    """Whether a title ends with the word for a genre (…工作总结, …读后感》)."""
    return _genre_pattern()[0].search(name) is not None


def _genre_end(name: str) -> int | None:
    """Where a title ends whose body is glued on: behind the first word that names a genre."""
    m = _genre_pattern()[1].match(name)
    return m.end() if m else None


def _clean_title(name: str) -> str | None:
    name = name.strip(" 　:：、.．-—【】[]#*")
    if name.count("《") != name.count("》"):
        name = name.strip("《》")
    name = _patterns()[3].sub("", name)
    name = re.sub(rf"(?:{_patterns()[0].pattern})$", "", name, flags=re.IGNORECASE).strip(" 　")
    # a length is no name: 篇1（400字）
    name = "" if re.fullmatch(r"\d+字(?:左右|以上)?", name) else name
    return name or None
