"""Everything on a page that is not a piece, by family.

Pure functions from a simplified text to the changes that take boilerplate out: whole lines,
phrases anywhere, and walls (which leave a mark, so that the piece they cut is flagged). An editor's
introduction is left for splitting, which reads it. The patterns are in boilerplate.toml.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache

from fanwen.cleaners import chars, nags, rules
from fanwen.cleaners.damage import WALL_END, WALL_INSIDE
from fanwen.cleaners.intro import intro_end, presents
from fanwen.cleaners.trace import Change

_LONGEST_LINE = 400
_HEAD_OF_TEXT = 900
# characters of a text in which glued fields of a byline are looked for
_BYLINES = 320
_JAMMER = re.compile(r"(?=.{0,60}\d)(?:[!-~]{1,3} +){4,}[!-~]{1,4}")
_BRACKETED = re.compile(
    r"[-—=~]{3,}[^-—=~\n]{4,40}[-—=~]{3,}|【[^【】\n]{6,60}】|〖[^〖〗\n]{6,60}〗|「[^「」\n]{6,60}」|（[^（）\n]{6,60}）|\([^()\n]{6,60}\)|\[[^\[\]\n]{6,60}\]"
)
_INNER_SENTENCE = re.compile(r"(?<=[。！？!?；;”])[^。！？!?；;\n]{6,80}[。！？!?~]+")
_ANY_SENTENCE = re.compile(r"[^。！？!?\n]{6,200}[。！？!?]*")
# what follows the last full stop of a line
_TAIL = re.compile(r"(?<=[。！？!?；;”　])[ 　]*[^　。！？!?；;\n]{4,60}(?=\n|$)")
_STOP = re.compile(r"[。！？；!?;]")
_PROSE = re.compile(r"[，。！？；,;!?]")


def lines(text: str, brands: Sequence[str] = (), judged: str = "") -> list[Change]:
    """Lines that belong to the page and not to the text, and the lists that follow them at the end.

    ``judged`` is an earlier state of the text: what was a line of it and is still there is not judged again.
    """
    found = spans(text)
    known = {judged[begin:end] for begin, end in spans(judged)}
    fresh = [k for k, (b, e) in enumerate(found) if b < _HEAD_OF_TEXT or text[b:e] not in known]
    some = "\n".join(text[slice(*found[k])] for k in fresh)
    taken = {fresh[k]: rule for k, rule in _line_rules(some, spans(some), brands).items()}
    changes = [Change(*found[k], "", rule) for k, rule in sorted(taken.items())]
    return changes + _tail(text, found, taken) + _keywords(text, found, taken)


def _keywords(text: str, found: Sequence[tuple[int, int]], taken: Mapping[int, str]) -> list[Change]:
    """A row of search words before the first line of the text or behind the last."""
    left = [span for k, span in enumerate(found) if k not in taken]
    if len(left) < 3:
        return []
    edges = [left[0]] if _is_keywords(text[slice(*left[0])]) else []
    edges += [left[-1]] if _is_keywords(text[slice(*left[-1])]) else []
    return [Change(b, e, "", "boilerplate.keywords") for b, e in edges]


# words in a box, without any of the small words that hold a sentence together
_BOXED_WORDS = re.compile(r"[「【\[][^的了是在我们你他就也都很把被让，。；：、！？\n]{14,120}[」】\]]")
# 附件：计划、总结、名单 is the author's list
_LABELLED_LIST = re.compile(r"[:：]")


def _is_keywords(line: str) -> bool:
    """Names of genres run together, or many short words between commas."""
    if len(line) > 160 or _STOP.search(line) or _LABELLED_LIST.search(line):
        return False
    if _BOXED_WORDS.fullmatch(line):
        return _named_text().search(line) is not None
    words = re.split(r"[,，、|｜ 　]+", line.strip(",，、"))
    if len(words) == 1:
        return len(line) >= 16 and len(_named_text().findall(line)) >= 4
    return (
        len(words) >= 4
        and all(1 < len(word) <= 8 for word in words)
        and _named_text().search(line) is not None
    )


def _tail(text: str, found: Sequence[tuple[int, int]], taken: Mapping[int, str]) -> list[Change]:
    """What follows the label of a list or of the visitors' comments, to the end of the page."""
    for k, rule in sorted(taken.items()):
        rest = [span for j, span in enumerate(found) if j > k and j not in taken]
        size = sum(e - b for b, e in rest)
        talk = rule == "boilerplate.comments" or (
            rule == "boilerplate.fields" and "评论" in text[slice(*found[k])]
        )
        spoken = talk and size * 2 < found[k][0] and found[k][0] > 200
        listed = rule in _LIST_FOLLOWS and all(_is_listing(text[b:e]) for b, e in rest)
        if rest and (spoken or listed):
            return [Change(b, e, "", "boilerplate.tail") for b, e in rest]
    return []


def _is_listing(line: str) -> bool:
    """Whether a line only names other texts: short and without punctuation, or a row of several names."""
    if len(line) <= 45:
        return not _PROSE.search(line)
    return not _STOP.search(line) and len(_named_text().findall(line)) >= 3


@cache
def _named_text() -> re.Pattern[str]:
    return re.compile(rules.genre_word())


def _line_rules(text: str, found: Sequence[tuple[int, int]], brands: Sequence[str]) -> dict[int, str]:
    """The rule that takes each line, by the line's number; the first one in the order of the file."""
    taken: dict[int, str] = {}
    begins = [begin for begin, _ in found]
    short = [k for k, (begin, end) in enumerate(found) if end - begin <= _LONGEST_LINE]
    for k in short:
        if text.count(" ", *found[k]) >= 4 and _JAMMER.fullmatch(text, *found[k]):
            taken[k] = "boilerplate.jammer"
    holders = _holders(text, begins)
    for rule in rules.family("boilerplate.toml", "line"):
        held = short if not rule.cues else _holding(holders, rule.cues, short)
        for k in held:
            if (
                k not in taken
                and rule.pattern.fullmatch(text, *found[k])
                and _is_whole(rule, text[slice(*found[k])])
            ):
                taken[k] = rule.name
    for k in _holding(holders, rules.table("boilerplate.toml")["fields"]["cues"], short):
        if k not in taken and _is_byline(text[slice(*found[k])]):
            taken[k] = "boilerplate.fields"
    _add_spoken(taken, text, found, brands)
    return taken


def _add_spoken(
    taken: dict[int, str], text: str, found: Sequence[tuple[int, int]], brands: Sequence[str]
) -> None:
    """Adds the lines in which the site speaks to ``taken``; what introduces the text is left to splitting."""
    begins = [begin for begin, _ in found]
    addressed = {bisect_right(begins, at) - 1 for at in nags.places(text, brands)}
    introduced: int | None = None
    begun = False
    for k, (begin, end) in enumerate(found):
        if end - begin > _LONGEST_LINE:
            continue
        line = text[begin:end]
        if k not in taken and (rule := _spoken_rule(line, k in addressed, brands, begun)):
            taken[k] = rule
        # an introduction may say how many pieces follow, and filler stands before it: splitting reads it
        if taken.get(k) in _SPOKEN and presents(line):
            introduced = intro_end(text) if introduced is None else introduced
            if begin < introduced:
                del taken[k]
        begun = begun or (k not in taken and len(line) >= _PROSE_FROM and _STOP.search(line) is not None)


def _spoken_rule(line: str, addressed: bool, brands: Sequence[str], begun: bool) -> str | None:
    """The rule that takes a line by what it says; ``begun``: whether a paragraph stands before it."""
    ornamented = not "一" <= line[0] <= "鿿"
    if ornamented and nags.is_ornament(line):
        return "boilerplate.ornament"
    if not (addressed or (ornamented and nags.is_wrapped(line))) or not nags.is_nag(line, "line", brands):
        return None
    if nags.is_own(line, brands):
        return None  # the site speaks into a sentence of the text
    # filler may stand before what a site says on top, hardly between the paragraphs
    return None if begun and _prose_before(line) else "boilerplate.nag"


def _is_whole(rule: rules.Rule, line: str) -> bool:
    """Whether a line that a rule matches is not a paragraph in which the site speaks too."""
    prose = _prose_before(line)
    return not prose or rule.pattern.fullmatch(prose) is not None


def _prose_before(line: str) -> str:
    """The first sentence of a line that holds more than it, where nobody is addressed in it."""
    outside = _BRACKETED.sub("", line)
    first = _FIRST_SENTENCE.match(outside)
    if first is None or len(first[0]) < _PROSE_FROM or len(first[0]) == len(line) or nags.places(first[0]):
        return ""
    return first[0]


_FIRST_SENTENCE = re.compile(r"[^。！？!?]*[。！？!?]+[”’」』]?")
_PROSE_FROM = 20


def _is_byline(line: str) -> bool:
    """Whether a line is made of two or more fields of a byline: 上传：某人 · 2022-10-24 · 3 次下载."""
    # a field has a number or a colon, and no full stop
    if (
        len(line) > 160
        or "。" in line
        or (not _DIGIT.search(line) and line.count(":") + line.count("：") < 2)
    ):
        return False
    rest, fields = _field().subn("", line)
    return fields >= 2 and len(_WORD.findall(rest)) <= 4 * fields


_WORD = re.compile(r"[一-龥A-Za-z0-9]")
_DIGIT = re.compile(r"\d")


@cache
def _field() -> re.Pattern[str]:
    return re.compile(rules.expand(rules.table("boilerplate.toml")["fields"]["one"]))


@cache
def _fields() -> re.Pattern[str]:
    """Several fields that run into the text behind them."""
    return re.compile(rf"(?:{_field().pattern}[ 　|｜/·]{{0,4}}){{2,}}")


def _holders(text: str, begins: Sequence[int]) -> dict[str, set[int]]:
    """The numbers of the lines in which each cue stands."""
    holders: dict[str, set[int]] = {}
    for at, cue in _cues().places(text):
        holders.setdefault(cue, set()).add(bisect_right(begins, at) - 1)
    return holders


def _holding(holders: Mapping[str, set[int]], cues: Iterable[str], among: Sequence[int]) -> list[int]:
    held = set().union(*(holders[cue] for cue in cues if cue in holders))
    return sorted(held.intersection(among)) if held else []


@cache
def _cues() -> rules.Cues:
    table = rules.table("boilerplate.toml")
    families = (rules.family("boilerplate.toml", key) for key in ("line", "phrase", "wall"))
    cues = [cue for family in families for rule in family for cue in rule.cues]
    return rules.Cues([*cues, *table["fields"]["cues"]])


# Rules that take sentences in which a site speaks.
_SPOKEN = frozenset(f"boilerplate.{name}" for name in ("nag", "editor_outro", "watermark"))
# Rules behind whose lines nothing but the names of other pages may follow.
_LIST_FOLLOWS = frozenset(
    f"boilerplate.{name}"
    for name in ("related", "related_label", "viewer_labels", "neighbours", "editor_outro", "nag")
)


def site_lines(text: str, approved: Sequence[str]) -> list[Change]:
    """Lines that a person approved for this site, as they were extracted but for the blanks around them."""
    known = {line.strip(" 　\f") for line in approved}
    return [Change(b, e, "", "site.line") for b, e in spans(text) if text[b:e] in known] if known else []


def marks(text: str, brands: Sequence[str]) -> list[Change]:
    """A mark with the site's name that stands in the text three times and more: 某某文档专用水印."""
    changes: list[Change] = []
    for name in filter(nags.is_site, brands):
        places = [m.start() for m in re.finditer(re.escape(name), text)]
        behind = Counter(text[at + len(name) : at + len(name) + 2] for at in places)
        for more in (more for more, count in behind.items() if count >= _OFTEN and more.strip()):
            same = [at for at in places if text.startswith(more, at + len(name))]
            end = len(name) + len(more)
            while end < _LONGEST_MARK and _same(text, [at + end for at in same]):
                end += 1
            begin = _mark_begin(text, same)
            spans = [(at + begin, at + end) for at in same]
            # one that fills its line is a line for the rules
            if end - len(name) >= 2 and sum(not _is_line(text, *span) for span in spans) >= 2:
                changes += [Change(*span, "", "boilerplate.mark") for span in spans]
    return changes


def _mark_begin(text: str, places: Sequence[int]) -> int:
    """How far before the name the mark begins (0 or less): at the lines' beginnings, or with its bracket."""
    begin = 0
    while begin > -_LONGEST_MARK and _same(text, [at + begin - 1 for at in places if at + begin > 0]):
        begin -= 1
    if all(at + begin <= 0 or text[at + begin - 1] == "\n" for at in places):
        return begin
    return -1 if all(text[at - 1 : at] in _MARK_BEGINS for at in places) else 0


def _same(text: str, places: Sequence[int]) -> bool:
    """Whether one and the same character stands at all of the places, within a line."""
    found = {text[at : at + 1] for at in places}
    return len(found) == 1 and not found & {"", "\n"}


def _is_line(text: str, begin: int, end: int) -> bool:
    return text[begin - 1 : begin] in ("", "\n") and text[end : end + 1] in ("", "\n")


_MARK_BEGINS = frozenset("【[（(「『〔《—-=~★※")
_OFTEN, _LONGEST_MARK = 3, 40


def phrases(text: str, brands: Sequence[str] = ()) -> list[Change]:
    """Phrases that stand in the middle of a line or a sentence; a line left empty by one vanishes."""
    cues = _cue_places(text)
    changes = [
        Change(m.start(), m.end(), "", rule.name)
        for rule in rules.family("boilerplate.toml", "phrase")
        for m in _matches(rule, text, cues)
        if m.end() > m.start()
    ]
    changes += [
        Change(
            m.start(), m.end(), "\n" if text[m.start() - 1 : m.start()].strip() else "", "boilerplate.fields"
        )
        for m in _fields().finditer(text[:_BYLINES])
        if m.start() < 200
    ]
    places = nags.places(text, brands)

    def speaks(m: re.Match[str], kind: str) -> bool:
        addressed = bisect_left(places, m.start()) < bisect_left(places, m.end())
        return addressed and nags.is_nag(m[0], kind, brands) and not _is_intro(text, m)

    for m in _BRACKETED.finditer(text):
        if _labelled().match(m[0], 1):
            changes.append(Change(m.start(), m.end(), "", "boilerplate.related"))
        elif speaks(m, "bracketed"):
            changes.append(Change(m.start(), m.end(), "", "boilerplate.nag"))
    addressed = list(chars.lines_with(text, places))
    for pattern in (_INNER_SENTENCE, _TAIL):
        for m in (m for line in addressed for m in pattern.finditer(text, *line)):
            gone = any(c.begin < m.end() and m.start() < c.end for c in changes)
            if not gone and not nags.is_own(m[0], brands) and speaks(m, "sentence"):
                changes.append(Change(m.start(), m.end(), "", "boilerplate.nag"))
    for m in (m for line in addressed if brands for m in _ANY_SENTENCE.finditer(text, *line)):
        part = nags.spoken_part(m[0], brands)
        if part is None or not nags.is_nag(m[0][slice(*part)], "bracketed", brands):
            continue
        begin, end = m.start() + part[0], m.start() + part[1]
        if not any(c.begin < end and begin < c.end for c in changes):
            changes.append(Change(begin, end, "", "boilerplate.nag"))
    return changes


def _cue_places(text: str) -> dict[str, list[int]]:
    """Where each cue stands."""
    found: dict[str, list[int]] = {}
    for at, cue in _cues().places(text):
        found.setdefault(cue, []).append(at)
    return found


def _matches(rule: rules.Rule, text: str, cues: Mapping[str, Sequence[int]]) -> Iterator[re.Match[str]]:
    """What a rule matches: looked for in the lines that hold a cue of it, and in their neighbours."""
    if not rule.cues:
        yield from rule.pattern.finditer(text)
        return
    begin = end = 0
    for at in sorted(at for cue in rule.cues for at in cues.get(cue, ())):
        before = text.rfind("\n", 0, max(0, text.rfind("\n", 0, at))) + 1
        if before > end:
            yield from rule.pattern.finditer(text, begin, end)
            begin = before
        end = chars.line_end(text, chars.line_end(text, at) + 1)
    yield from rule.pattern.finditer(text, begin, end)


def linked(text: str, names: Iterable[str], brands: Sequence[str] = ()) -> list[Change]:
    """Links in the middle of a line that advertise; ``names`` are the texts of such links."""
    named = sorted(names)
    spoken = nags.spoken(named, brands)
    return [
        Change(m.start(), m.end(), "", "boilerplate.linked")
        for name in named
        if (name in spoken and nags.is_nag(name, "linked", brands)) or _labelled().match(name)
        for m in re.finditer(re.escape(name), text)
    ]


def _is_intro(text: str, m: re.Match[str]) -> bool:
    """Whether what the site says here introduces the text: splitting reads that."""
    return m.start() < _HEAD_OF_TEXT and presents(m[0]) and m.start() < intro_end(text)


@cache
def _labelled() -> re.Pattern[str]:
    return re.compile(rules.table("extract.toml")["labelled"])


def walls(text: str) -> list[Change]:
    """Marks of member walls and elisions; each leaves a mark that flags its piece."""
    changes: list[Change] = []
    cues = _cue_places(text)
    for rule in rules.family("boilerplate.toml", "wall"):
        for m in _matches(rule, text, cues):
            begin = m.start()
            while begin and text[begin - 1] in ".…" and m.start() - begin < 8:
                begin -= 1
            inside = rule.name.endswith("inside")
            mark = WALL_INSIDE if inside and not _only_blank_follows(text, m.end()) else WALL_END
            changes.append(Change(begin, m.end(), mark, f"wall.{'inside' if inside else 'end'}"))
    amount, hiding, price = (_hidden(key) for key in ("amount", "hiding", "price"))
    for m in filter(None, (hiding.match(text, at) for at in _hiding().starts(text))):
        found = _hidden_brackets(text, m) or _hidden_line(text, m, changes)
        if found and (amount.search(text, *found) or price.search(text, *found)):
            inside = not _only_blank_follows(text, found[1])
            mark, name = (WALL_INSIDE, "wall.inside") if inside else (WALL_END, "wall.end")
            before = _DOTS.search(text, max(0, found[0] - 12), found[0])
            changes.append(Change(before.start() if before else found[0], found[1], mark, name))
    return changes


@cache
def _hiding() -> rules.Words:
    return rules.Words(str(rules.table("boilerplate.toml")["hidden"]["hiding"]))


def _hidden_brackets(text: str, word: re.Match[str]) -> tuple[int, int] | None:
    """The brackets in which a word for hiding stands, with the dots around them."""
    begin = max(text.rfind("\n", 0, word.start()) + 1, word.start() - 100)
    for m in _hidden("span").finditer(text, begin, word.end() + 100):
        if m.start("b") <= word.start() and word.end() <= m.end("b"):
            return m.span()
    return None


def _hidden_line(text: str, word: re.Match[str], walls: Sequence[Change]) -> tuple[int, int] | None:
    """The line in which a word for hiding stands, where it says nothing else and holds no other wall."""
    begin = text.rfind("\n", 0, word.start()) + 1
    end = text.find("\n", word.end())
    end = len(text) if end < 0 else end
    line = text[begin:end]
    if not 6 <= len(line.strip(" 　")) <= 60 or _OWN.search(line) or not _hidden("sure").search(line):
        return None
    return None if any(begin < wall.end and wall.begin < end for wall in walls) else (begin, end)


_DOTS = re.compile(r"[.…]{2,}[ 　\n]*$")
_OWN = re.compile(r"我|本人|[”“]|^[ 　]*(?:\d{1,2}|[一二三四五六七八九十]{1,3})[、.．]")


@cache
def _hidden(key: str) -> re.Pattern[str]:
    return re.compile(str(rules.table("boilerplate.toml")["hidden"][key]))


def _only_blank_follows(text: str, at: int) -> bool:
    return not text[at : at + 200].strip(" 　\n。.…)）")


@lru_cache(maxsize=2)
def spans(text: str) -> tuple[tuple[int, int], ...]:
    """Begin and end of every line that is not blank, without the white space around it."""
    found = []
    at = 0
    for line in text.split("\n"):
        body = line.strip(" 　\f")
        if body:
            begin = at + line.index(body[0])
            found.append((begin, begin + len(body)))
        at += len(line) + 1
    return tuple(found)
