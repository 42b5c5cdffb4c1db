"""Layout repair: each repair runs only where the text shows evidence of its damage.

Pure functions from a text to changes. Running heads and page numbers, spaces and line breaks
that a fixed width left, paragraphs that a page break tore apart, and heads of a text that was
flattened to one line. Numbers inside sentences are in glued.py.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from fanwen.cleaners import chars, rules
from fanwen.cleaners.boilerplate import spans
from fanwen.cleaners.trace import Change

_HAN = "㐀-䶿一-鿿"
_TERMINAL = "。！？!?；;：:…"
_CLOSING = "”’」』）)】》\"'"
_PAGE_NUMBER = re.compile(
    r"[-—–─━·~=*_\s]*(?:第\s*)?(?P<k>\d{1,4})\s*(?:[/／]\s*(?P<n>\d{1,4})|[页张版]\s*[,，/／、]?\s*(?:共|总)\s*(?P<m>\d{1,4})\s*[页张版]|页)?[-—–─━·~=*_\s]*"
)
_INLINE_PAGER = re.compile(
    r"(?<=[㐀-鿿，、,。；]) ?[-—–] ?\d{1,3} ?[-—–] ?(?=[㐀-鿿])"
    r"| ?第 ?\d{1,4} ?页[ ,，/、]{0,3}[(（]?共 ?\d{1,4} ?页[)）]? ?"
)
_DASHED = re.compile(r"[-—–] ?\d")
_HEAD = re.compile(
    r"(?:[一二三四五六七八九十]{1,3}[、.．]|[(（][一二三四五六七八九十\d]{1,3}[)）]|\d{1,2}[、.．](?!\d)|[①-⑳]|"
    r"第[一二三四五六七八九十\d]{1,3}[章节条篇部]|[一二三四五六七八九十]{1,2}(?:是|要|:|：)|篇[一二三四五六七八九十\d(（]|"
    r"附件|(?:尊敬的|敬爱的|亲爱的|各位).{0,16}[:：]|此致|敬礼|——)"
)
_PIECE_HEADING = re.compile(
    rf"[^。！？，；\n]{{0,40}}(?:第{rules.NUMERAL}篇|篇[(（]?{rules.NUMERAL}|(?:范文|范本|例文){rules.NUMERAL})"
    r"[)）】]?(?:[:：、 ][^。！？\n]{0,40})?"
)
_SIGNATURE = re.compile(
    r".{0,24}(?:(?:19|20)\d{2}|20[xX×*_]{2}|[xX×*_]{2,4}|[二○〇零一九]{4})\s*年.{0,12}|(?:申请人|检讨人|汇报人|述职人|倡议人|签名|姓名|单位)[:：].{0,20}|.{0,20}(?:人民政府|委员会|有限公司|办公室|党支部)"
)


# -- pages --------------------------------------------------------------------------------------


def furniture(text: str) -> list[Change]:
    """Page numbers between pages and the heads and feet that repeat there.

    Evidence: form feeds (PDF) or lines like 第 1 页 共 3 页, at least two, in ascending order.
    """
    lines = text.split("\n")
    starts = _starts(lines)
    breaks = _page_breaks(lines)
    may = "页" in text or _DASHED.search(text)
    changes = [
        Change(m.start(), m.end(), "", "layout.page_number")
        for m in (_INLINE_PAGER.finditer(text) if may else ())
        if "\n" not in (text[m.start() - 1 : m.start()] or "\n")
        or "\n" not in (text[m.end() : m.end() + 1] or "\n")
    ]
    if not breaks:
        return changes
    heads: list[int] = []
    feet: list[int] = []
    first = _next_filled(lines, -1, set())
    if first is not None:
        heads.append(first)
    for begin, end in breaks:
        for k in range(begin, end + 1):
            bare = lines[k].replace("\f", "").strip(" 　")
            if bare and _PAGE_NUMBER.fullmatch(bare):
                changes.append(Change(starts[k], starts[k] + len(lines[k]), "", "layout.page_number"))
        if (head := _next_filled(lines, end, set(range(begin, end + 1)))) is not None:
            heads.append(head)
        if (foot := _last_filled(lines, begin)) is not None:
            feet.append(foot)
    for places in (heads, feet):
        counts = Counter(_same(lines[k]) for k in set(places))
        for k in sorted(set(places)):
            key = _same(lines[k])
            repeated = counts[key] >= 2
            if not repeated and places is heads and k == first and len(key) >= 2:
                # the first page may set the running head on two lines: site, then title
                repeated = any(other != key and other.startswith(key) for other in counts)
                if repeated:
                    whole = max((o for o in counts if o.startswith(key)), key=len)
                    changes += [
                        Change(starts[j], starts[j] + len(lines[j]), "", "layout.running_head")
                        for j in heads
                        if _same(lines[j]) == whole and j != k
                    ]
            if repeated and len(lines[k].strip()) <= 60:
                changes.append(Change(starts[k], starts[k] + len(lines[k]), "", "layout.running_head"))
    changes += [Change(m.start(), m.end(), "\n", "layout.page_break") for m in re.finditer("\f", text)]
    return changes


def pages_missing(text: str) -> bool:
    """Whether the pages' own numbers say that the last ones are missing: they stop at 第 4 页 共 14 页."""
    marks = [
        (int(m["k"]), int(m["n"] or m["m"]))
        for m in (_PAGE_NUMBER.fullmatch(line.strip(" 　")) for line in text.replace("\f", "\n").split("\n"))
        if m and (m["n"] or m["m"])
    ]
    rising = all(a[0] + 1 == b[0] and a[1] == b[1] for a, b in pairwise(marks))
    return len(marks) >= 2 and rising and marks[0][0] == 1 and marks[-1][0] < marks[-1][1]


def _page_breaks(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Groups of adjacent lines that mark a page's end: form feed and page number lines."""
    numbered: list[tuple[int, int]] = []
    for i, line in enumerate(lines):
        bare = line.replace("\f", "").strip(" 　")
        m = _PAGE_NUMBER.fullmatch(bare) if bare and len(bare) <= 24 else None
        if m and (m["n"] or m["m"] or "页" in bare or not bare.isdecimal() or _beside_break(lines, i)):
            numbered.append((i, int(m["k"])))
    if len(numbered) < 2 and not any("\f" in line for line in lines):
        return []
    if any(b[1] < a[1] for a, b in pairwise(numbered)):
        numbered = []
    marks = {i for i, _ in numbered} | {i for i, line in enumerate(lines) if "\f" in line}
    groups: list[tuple[int, int]] = []
    for i in sorted(marks):
        if groups and not any(lines[k].strip(" 　\f") for k in range(groups[-1][1] + 1, i)):
            groups[-1] = (groups[-1][0], i)
        else:
            groups.append((i, i))
    return groups


def _beside_break(lines: Sequence[str], i: int) -> bool:
    around = lines[max(0, i - 1) : i + 2]
    return any("\f" in line for line in around)


def _next_filled(lines: Sequence[str], after: int, skip: set[int]) -> int | None:
    for k in range(after + 1, min(len(lines), after + 4)):
        if lines[k].strip(" 　\f") and k not in skip:
            return k
    if 0 <= after < len(lines) and lines[after].rpartition("\f")[2].strip(" 　"):
        return after
    return None


def _last_filled(lines: Sequence[str], before: int) -> int | None:
    return next((k for k in range(before - 1, max(-1, before - 4), -1) if lines[k].strip(" 　\f")), None)


def _same(line: str) -> str:
    return re.sub(r"\d+", "0", re.sub(r"[\s　\f]+", "", line))


def _starts(lines: Sequence[str]) -> list[int]:
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 1
    return starts


# -- wraps --------------------------------------------------------------------------------------

_WRAP_SPACE = re.compile(
    rf"(?<=[{_HAN}，。、；：！？”’）》,;:!?)%％])[ ]{{1,3}}(?=[{_HAN}“‘（《，。、；：,;:(])"
)
_MID_WORD = re.compile(rf"(?<=[{_HAN}]) {{1,2}}(?=[{_HAN}])")
_PADDED = re.compile(
    rf"(?<=[{_HAN}“（《]) {{1,3}}(?=[\dA-Za-z])|(?<=[\dA-Za-z%％]) {{1,3}}(?=[{_HAN}，。、；：”）》])"
)


def wrap_spaces(text: str) -> list[Change]:
    """Line ends of a fixed width that became spaces; where a short line shows it, a paragraph ends.

    Evidence: at least five spaces inside words, and stretches between them of one width. Lists of
    names, 此致 敬礼 and table rows have short stretches and stay.
    """
    changes = _everywhere(text)
    for begin, end in () if changes else spans(text):
        if end - begin < 120 or " | " in text[begin:end]:
            continue
        changes += [
            Change(c.begin + begin, c.end + begin, c.after, c.rule) for c in _unwrapped_line(text[begin:end])
        ]
    return changes


def _everywhere(text: str) -> list[Change]:
    """Spaces at one distance over a whole text with paragraphs of its own: line ends of another copy.

    Evidence: eight spaces inside words and more; nine tenths of all are as far apart as the usual two, or as
    far from the beginning of their paragraph or from the one before.
    """
    found = [m.span() for m in _WRAP_SPACE.finditer(text)]
    inside = sum(1 for _ in _MID_WORD.finditer(text))
    gaps = [b[0] - a[0] for a, b in pairwise(found)]
    if inside < 8 or inside * 2 < len(found) or text.count("\n") < 3:
        return []
    starts = [text.rfind("\n", 0, begin) + 1 for begin, _ in found]
    within = [min(a[0] - start, gap) for a, start, gap in zip(found[1:], starts[1:], gaps, strict=True)]
    if not (_alike(gaps) or _alike(within)):
        return []
    return [Change(*span, "", "layout.wrap_space") for span in found]


def _alike(gaps: Sequence[int]) -> bool:
    usual = sorted(gaps)[len(gaps) // 2]
    return 20 <= usual <= 60 and sum(abs(gap - usual) <= 4 for gap in gaps) * 10 >= len(gaps) * 9


def _unwrapped_line(line: str) -> list[Change]:
    mid = [m.start() for m in _MID_WORD.finditer(line)]
    if len(mid) < 4 or len(mid) * 200 < len(line):
        return []
    if sum(b - a < 8 for a, b in pairwise(mid)) * 3 > len(mid):
        return []
    ends = [(m.start(), m.end()) for m in _WRAP_SPACE.finditer(line)]
    padded = [(m.start(), m.end()) for m in _PADDED.finditer(line)]
    changes = [Change(a, b, "", "layout.pad_space") for a, b in padded]
    breaks = _paragraph_ends(line, ends, padded)
    for a, b in ends:
        rule = "layout.wrap_paragraph" if a in breaks else "layout.wrap_space"
        changes.append(Change(a, b, "\n" if a in breaks else "", rule))
    return changes


def _paragraph_ends(line: str, ends: list[tuple[int, int]], padded: list[tuple[int, int]]) -> set[int]:
    """The line ends that are paragraph ends: the line before them is shorter than the width."""
    for cells in (False, True):
        width = _width(line, ends, cells)
        if width is None:
            continue
        found: set[int] = set()
        hidden = sorted(padded)
        at = 0
        for a, b in ends:
            # line ends that fell on a padding space are not among `ends`: step over them
            while (size := _cells(line[at:a], cells)) > width + 2:
                step = [q for p, q in hidden if at < p < a and abs(_cells(line[at:p], cells) - width) <= 3]
                if not step:
                    break
                at = step[-1]
            before = line[:a].rstrip()[-1:]
            short = size < width - 4
            starts_head = _HEAD.match(line, b) is not None
            if (short and (before in _TERMINAL + _CLOSING or starts_head or _is_head(line[at:a]))) or (
                starts_head and before in "。！？!?"
            ):
                found.add(a)
            at = b
        return found
    return {a for a, b in ends if _HEAD.match(line, b) is not None and line[a - 1] in _TERMINAL + _CLOSING}


def _is_head(line: str) -> bool:
    return len(line) <= 40 and _HEAD.match(line) is not None and not re.search(r"[。！？]", line)


def _width(line: str, ends: list[tuple[int, int]], cells: bool) -> int | None:
    """The width at which lines were wrapped, or None where the stretches have no common width."""
    sizes = Counter(_cells(line[a:b], cells) for (_, a), (b, _) in pairwise(ends) if b > a)
    total = sum(sizes.values())
    if total < 5:
        return None
    best = max(sizes, key=lambda w: (sum(sizes[w - d] for d in range(4)), w))
    if best < 16 or sum(sizes[best - d] for d in range(4)) * 5 < total * 2:
        return None
    return best


def _cells(text: str, cells: bool) -> int:
    return int(chars.columns(text)[-1]) if cells else len(text)


def unwrap(text: str) -> list[Change]:
    """Joins lines that were broken at a fixed width (PDF, viewers, old text files).

    Evidence: most lines are as wide as the widest, and most of those end inside a sentence.
    Where first lines are indented the indent decides; else the width and the next line's head do.
    """
    found = spans(text)
    if len(found) < 6:
        return []
    measured = [_line_width(text, found, cells) for cells in (True, False)]
    width, widths, _ = max(measured, key=lambda m: m[2])
    if width is None:
        return []
    # a line that ends inside a sentence was broken even if its lost indent makes it look shorter
    inside = [text[end - 1] not in _TERMINAL + _CLOSING for _, end in found]
    full = [w >= width - (8 if open_ else 5) for w, open_ in zip(widths, inside, strict=True)]
    indent = [_indented(text, b) for b, _ in found]
    by_indent = sum(indent) >= 3 and sum(f and not indent[k + 1] for k, f in enumerate(full[:-1])) >= 3
    changes = []
    for k in range(len(found) - 1):
        (_, end), (begin, stop) = found[k], found[k + 1]
        if not full[k] or indent[k + 1]:
            continue
        if not _continues(text, found[k], (begin, stop), by_indent, full[k + 1]):
            continue
        glue = (
            " "
            if text[end - 1].isascii()
            and text[begin].isascii()
            and text[end - 1].isalpha()
            and text[begin].isalpha()
            else ""
        )
        changes.append(Change(end, begin, glue, "layout.unwrap"))
    return changes


def _continues(
    text: str, line: tuple[int, int], after: tuple[int, int], by_indent: bool, after_is_full: bool
) -> bool:
    end, begin = line[1], after[0]
    last = text[end - 1]
    inside = last not in _TERMINAL + _CLOSING
    if text.count("\n", end, begin) > 1 and not inside:
        return False
    if not (inside or after_is_full) and text[after[1] - 1] not in _TERMINAL + _CLOSING:
        return False  # a title, a signature, a heading: the paragraph above is over
    if _PIECE_HEADING.fullmatch(text, begin, after[1]):
        return False
    if by_indent:
        return not (_HEAD.match(text, begin) and not inside)
    return inside or not (_HEAD.match(text, begin) or last in "：:")


def _indented(text: str, begin: int) -> bool:
    if begin == 0 or text[begin - 1] == "\n":
        return False
    at = text.rfind("\n", 0, begin) + 1
    lead = text[at:begin]
    return lead.count("　") * 2 + lead.count(" ") >= 2


def _line_width(
    text: str, found: Sequence[tuple[int, int]], cells: bool
) -> tuple[int | None, list[int], float]:
    """(width, width of each line, share of lines about as wide) in columns or, where digits were as wide as
    characters when the lines were broken, in characters."""
    indent = 4 if cells else 2
    unit = 1 if cells else 2
    at = chars.columns(text) if cells else range(len(text) + 1)
    widths = [unit * (int(at[e] - at[b]) + (indent if _indented(text, b) else 0)) for b, e in found]
    width = _text_width(text, found, widths)
    near = sum(width - 2 <= w <= width + 1 for w in widths) / len(widths) if width else 0.0
    return width, widths, near


def _text_width(text: str, found: Sequence[tuple[int, int]], widths: list[int]) -> int | None:
    sizes = Counter(widths)
    usual = [w for w in widths if w >= 30]
    if len(usual) < 5:
        return None
    best = max(sizes, key=lambda w: (sum(sizes[w - d] for d in range(5)), w))
    near = sum(sizes[best - d] for d in range(-1, 6))
    wider = sum(n for w, n in sizes.items() if w > best + 3)
    if best < 36 or near * 10 < len(widths) * 3 or wider * 12 > len(widths):
        return None
    inside = [
        text[e - 1] not in _TERMINAL + _CLOSING
        for (_, e), w in zip(found, widths, strict=True)
        if w >= best - 5
    ]
    # verse and lists have lines of one width too, but hardly a full stop at the end of any
    stopped = sum(text[e - 1] in _TERMINAL + _CLOSING for _, e in found)
    return best if inside and sum(inside) * 2 > len(inside) and stopped * 12 >= len(found) else None


# -- contents, stutter ---------------------------------------------------------------------------

_LEADER = re.compile(r"(?:[.．·‥…]{4,}|(?:[.．·…] ){3,})[ 　]*[(（]?[0-9IVXivx]{1,4}[)）]?")
_LED = re.compile(r"[.．·‥…](?:[.．·‥…]{3}| [.．·…] [.．·…] )")  # no leader is without this
_CONTENTS = re.compile(r"[#【\[ 　]*(?:目[ 　]*[录錄次]|CONTENTS|Contents)[】\] 　:：]*")
_CONTENTS_WORD = re.compile(r"目[ 　]*[录錄次](?=[ 　]*(?:[第一1(（]|$))|CONTENTS|Contents")
_STUTTER = re.compile(
    r"(?m)^([ 　]*(?:[（(]?[一二三四五六七八九十\d]{1,3}[)）]?[、.．]?)?)([^\n。！？]{5,30}?)[ 　]?\2$"
)


def contents(text: str) -> list[Change]:
    """A table of contents with leaders to its page numbers, on lines of its own or in the middle of one."""
    changes: list[Change] = []
    above: tuple[int, int] | None = None
    entries = 0
    if not _LED.search(text):
        return changes
    for begin, end in spans(text):
        led = list(_LEADER.finditer(text, begin, end))
        if end - begin > _FLAT and len(led) >= 2:
            entries += len(led)
            changes.append(Change(*_contents_stretch(text, begin, led), "\n", "layout.contents"))
        elif len(led) >= 2 or (led and end - led[-1].end() <= 3 and end - begin <= 120):
            entries += len(led)
            changes.append(Change(begin, end, "", "layout.contents"))
            if above is not None:
                changes.append(Change(*above, "", "layout.contents"))
        above = (begin, end) if _CONTENTS.fullmatch(text, begin, end) else None
    return changes if entries >= 2 else []


def _contents_stretch(text: str, begin: int, led: list[re.Match[str]]) -> tuple[int, int]:
    """From the word for contents, or the first entry, to the last leader of a run of near ones."""
    last = led[0]
    for m in led[1:]:
        if m.start() - last.end() > 60:
            break
        last = m
    words = list(_CONTENTS_WORD.finditer(text, begin, led[0].start()))
    first = words[-1].start() if words else max(begin, text.rfind(" ", begin, led[0].start()))
    return first, last.end()


def stutter(text: str) -> list[Change]:
    """A head that stands twice on its line, as slides leave it: 抓学习，强素质抓学习，强素质."""
    return [
        Change(m.end(2), m.end(), "", "layout.stutter")
        for m in _STUTTER.finditer(text)
        # two blanks for dates or signatures side by side are no stutter
        if re.search(r"[㐀-鿿]{3}", m[2]) and not re.search(r"[:：_＿]", m[2])
    ]


# -- page breaks ----------------------------------------------------------------------------------


def page_joins(text: str, headings: frozenset[str]) -> list[Change]:
    """Joins two paragraphs where the first breaks off in mid-sentence and the second goes on.

    The first must be running text (no head, no list, no signature) that ends in a Chinese
    character or a comma; the second must begin like running text. A long paragraph is evidence
    enough; a shorter one where something stood between the two (a nag, a page number, a page's end).
    """
    found = spans(text)
    long = [text[e - 1] for b, e in found if e - b >= 40]
    # a site that never ends its paragraphs gives no evidence
    if sum(c in _TERMINAL + _CLOSING + "." for c in long) * 3 < len(long):
        return []
    gaps = [text.count("\n", a[1], b[0]) > 1 for a, b in pairwise(found)]
    rare = sum(gaps) * 3 <= len(gaps)
    # verse ends short lines with commas
    verse = any(text[e - 1] in "，," and e - b < _VERSE for b, e in found)
    changes = []
    for (begin, end), (after, stop), gap in zip(found, found[1:], gaps, strict=False):
        line, rest = text[begin:end], text[after:stop]
        comma = line[-1] in "，," and not verse
        if end - begin < 60 and not comma and not (gap and rare and _is_running(line)):
            continue
        if re.match(rf"[{_HAN}，、,]", line[-1]) is None or line in headings or rest in headings:
            continue
        if stop - after < 8 or " | " in line or _SIGNATURE.fullmatch(line) or _SIGNATURE.fullmatch(rest):
            continue
        if not _HEAD.match(rest) and not _PIECE_HEADING.fullmatch(rest) and _runs_on(rest):
            changes.append(Change(end, after, "", "layout.page_join"))
    return changes


_VERSE = 30


def _is_running(line: str) -> bool:
    """Whether a shorter line is the beginning of a sentence and no head: 其间，馆里的同志大多是."""
    if _HEAD.match(line) and line[-1] not in "，、," and "。" not in line:
        return False
    return len(line) >= 8 and (len(line) >= 30 or re.search(r"[，。；、]", line) is not None)


def _runs_on(line: str) -> bool:
    """Whether a line may be the rest of a sentence: it begins with a character and ends like prose."""
    return re.match(rf"[{_HAN}]", line) is not None and re.search(r"[。！？!?；;”]", line) is not None


# -- flattened texts -----------------------------------------------------------------------------

_FLAT = 450
_STOP = re.compile(r"[。！？!?；;：:]")
_BEFORE_HEAD = _TERMINAL + _CLOSING + "."


def flattened(text: str) -> list[Change]:
    """Brings the ordered heads of a text that lost its paragraphs back to the beginning of a line.

    Only in lines of 450 characters and more, and only heads that count on from 一 or 1.
    """
    changes: list[Change] = []
    for begin, end in spans(text):
        if end - begin >= _FLAT:
            line = text[begin:end]
            changes += [Change(begin + a, begin + a, "\n", "layout.flattened") for a in _head_places(line)]
    return changes


def _head_places(line: str) -> list[int]:
    places: list[int] = []
    for rule in rules.family("layout.toml", "head"):
        found: list[int] = []
        chain: list[int] = []
        expected = 1
        for m in rule.pattern.finditer(line):
            at = m.start()
            number = rules.numeral(m["n"]) or (ord(m["n"][0]) - 0x245F)
            if at == 0:
                chain, expected = [], number + 1
            elif not _may_start(line, at, places, number):
                continue
            elif number == expected:
                chain.append(at)
                expected += 1
            elif number == 1:
                found += chain if len(chain) > 1 or expected > 2 else []
                chain, expected = [at], 2
        found += chain if len(chain) > 1 or expected > 2 else []
        places = sorted({*places, *found})
    return sorted({*places, *_counted_items(line, places)})


def _may_start(line: str, at: int, places: list[int], number: int) -> bool:
    """A head follows a sentence's end, or directly a head of the level above that has no full stop."""
    before = at - 1
    while before > 0 and line[before] in " 　":
        before -= 1
    if line[before] in _BEFORE_HEAD:
        return True
    if number != 1:
        return False
    above = _above(line, at, places)
    return above is not None and at - above <= 36 and _STOP.search(line, above, at) is None


def _above(line: str, at: int, places: list[int]) -> int | None:
    """Where the nearest head before ``at`` begins."""
    k = bisect_left(places, at)
    if k:
        return places[k - 1]
    return 0 if _HEAD.match(line) else None


def _counted_items(line: str, places: list[int]) -> list[int]:
    """一是 directly after a head without a full stop begins the paragraph below it."""
    found = []
    for m in re.finditer(r"一是", line):
        above = _above(line, m.start(), places)
        if above is not None and 4 <= m.start() - above <= 36 and not _STOP.search(line, above, m.start()):
            found.append(m.start())
    return found


def semicolons(text: str) -> list[Change]:
    """Joins clauses that a site broke apart behind every semicolon.

    Evidence: at least three such breaks in front of running text, and no semicolon inside any line.
    """
    breaks = [
        m for m in re.finditer(r"[；;]([ 　\n]*\n[ 　]*)(?=[㐀-鿿“])", text) if not _HEAD.match(text, m.end())
    ]
    if len(breaks) < 3 or re.search(r"[；;](?![ 　]*(?:\n|$))", text):
        return []
    return [Change(m.start(1), m.end(1), "", "layout.semicolon") for m in breaks]


# -- finish -----------------------------------------------------------------------------------------


def finish(text: str) -> list[Change]:
    """One paragraph a line: indents, trailing blanks and empty lines go; runs of blanks become one space."""
    changes = []
    at = 0
    found = spans(text)
    for k, (begin, end) in enumerate(found):
        after = "\n" if k else ""
        if text[at:begin] != after:
            changes.append(Change(at, begin, after, "text.blank"))
        line = text[begin:end]
        blank = " " in line or "　" in line or "\f" in line
        for m in _BLANKS.finditer(line) if blank else ():
            rule = "layout.cell" if "|" in m[0] else "text.blank"
            changes.append(Change(begin + m.start(), begin + m.end(), " ", rule))
        at = end
    if at < len(text):
        changes.append(Change(at, len(text), "", "text.blank"))
    return changes


_BLANKS = re.compile(r" \| |[ 　]{2,}|　|\f")


def is_head_line(line: str) -> bool:
    """Whether a line begins with an ordered head, a salutation or the like."""
    return _HEAD.match(line.lstrip(" 　")) is not None


def is_bare_head(line: str) -> bool:
    """Whether a line is an ordered head of its own, with nothing said yet."""
    return (
        len(line) <= 30
        and re.match(
            r"(?:[一二三四五六七八九十]{1,3}[、.．]|[(（][一二三四五六七八九十]{1,3}[)）])[^。！？!?；;，,]{2,24}$",
            line,
        )
        is not None
    )
