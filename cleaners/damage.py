"""What copying did to a text: invisible characters, markup traces, anti-copy marks, pinyin.

Each function looks at a text and returns the changes that undo one kind of damage, or none
where the evidence is missing. What cannot be undone with certainty is only reported.
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fanwen.cleaners import chars, rules
from fanwen.cleaners.script import is_traditional, simplified_of
from fanwen.cleaners.trace import Change

# Stand for a wall in the text until the pieces are cut; no page can hold them after `invisible`.
WALL_END = "\ue0f1"
WALL_INSIDE = "\ue0f2"

_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+"
    r"|[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ue0f1\ue0f2]+"
)
_BLANK = re.compile(r"[\t\v\x85\xa0\u2000-\u200a\u202f\u205f]+| |\r\n?|\u2028|\u2029")
_TONES = "āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜńňǹḿ"
_GLOSS = re.compile(rf"([㐀-鿿])[(（]([a-zü]{{0,4}}[{_TONES}][a-zü]{{0,3}})[)）]")
_TONELESS = re.compile(r"([㐀-鿿])[(（]((?:[bpmfdtnlgkhjqxrzcsyw]|zh|ch|sh)?(?:a|e|i|o|u|ü)[a-zü]{0,4})[)）]")
_SHIFTED = re.compile(
    rf"[?？�](?:(?<=�)�|(?<=[?？])(?:[?？]?[㐀-鿿]{{0,2}}[A-Z][(（][a-zü{_TONES}]{{1,6}}[)）]|[㐀-鿿]{{1,2}}[⒈-⒛⑴-⒇]))"
)
_HEADING = re.compile(r"^([ 　]*)#{1,6}[ 　]+(?=\S)", re.MULTILINE)
_ESCAPED = re.compile(r"\\+([\\`*_{}\[\]()#+.!~>-])")
_DASHED = re.compile(
    r"^([ 　]*)[-*+•·●◆■▪]\s+(?=(?:\d{1,2}|[一二三四五六七八九十]{1,3})[、.．]|[(（])", re.MULTILINE
)
_BULLET = re.compile(r"^([ 　]*)[-*+] +(?=[㐀-鿿“《])", re.MULTILINE)
_SUP = re.compile(r"<sup>\s*([23])\s*</sup>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:p|div|span|strong|b|em|i|u|font|center|h[1-6]|ul|ol|li|a|table|tbody|tr|td|th|sub|sup|section)(?:\s[^<>\n]{0,200})?/?>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<br\s*/?>|</p>\s*<p[^<>\n]{0,100}>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:amp;)?(?:nbsp|ensp|emsp|lt|gt|quot|ldquo|rdquo|hellip|mdash|middot);?")
_ENTITIES = {
    "nbsp": " ",
    "ensp": " ",
    "emsp": " ",
    "lt": "<",
    "gt": ">",
    "quot": '"',
    "ldquo": "“",
    "rdquo": "”",
    "hellip": "…",
    "mdash": "—",
    "middot": "·",
}
_BOLD = re.compile(
    r"^([ 　]*(?:\d{1,2}[.、]\s*)?)(\*\*|__)([^*_\n]{1,60}?)\2(?=[:：]?\s*$|[:：]|\s|(?<=[:：。！？]\2))",
    re.MULTILINE,
)
_AFTER_DE = re.compile(r"(?<=的)[`'´‘’ˊˋ′‵ʹ](?=[㐀-鿿\d，。、；：“《（,.;:!！?？])")
_BACKTICK = re.compile(r"(?<=[㐀-鿿，。、；：”）])[`´ˊˋ‵]{1,3}(?=[㐀-鿿“（\d，。])")
_PAIRED = re.compile(r"‘[^‘’\n]{1,24}’")
_QUOTE = re.compile(r"(?<=[㐀-鿿，。、])['‘’]|['‘’](?=[㐀-鿿])")


def invisible(text: str) -> list[Change]:
    """Characters that no reader sees are taken out, all kinds of blanks become spaces and line feeds."""
    if not chars.holds(text, _odd()):
        return []
    changes = [Change(m.start(), m.end(), "", "text.invisible") for m in _INVISIBLE.finditer(text)]
    for m in _BLANK.finditer(text):
        if m[0] != " ":
            after = "\n" if m[0][0] in "\r\u2028\u2029\x85" else " "
            changes.append(Change(m.start(), m.end(), after, "text.blank"))
    return changes


@cache
def _odd() -> NDArray[np.bool_]:
    """The characters of both kinds, of which most texts have none; any beyond the basic plane may be one."""
    plane = "".join(map(chr, range(0x10000)))
    marked = chars.table(set("".join([*_INVISIBLE.findall(plane), *_BLANK.findall(plane)])) - {" ", "\n"})
    marked[-1] = True
    return marked


def markup(text: str) -> list[Change]:
    """Traces of Markdown and HTML that were printed instead of shown."""
    changes: list[Change] = []
    if "#" in text:
        changes += [Change(m.end(1), m.end(), "", "markup.heading") for m in _HEADING.finditer(text)]
    if "\\" in text:
        changes += [Change(m.start(), m.end(), m[1], "markup.escape") for m in _ESCAPED.finditer(text)]
    changes += [Change(m.end(1), m.end(), "", "markup.bullet") for m in _DASHED.finditer(text)]
    if "<" in text:
        changes += [
            Change(m.start(), m.end(), "²³"[int(m[1]) - 2], "markup.sup") for m in _SUP.finditer(text)
        ]
        changes += [Change(m.start(), m.end(), "\n", "markup.tag") for m in _BREAK.finditer(text)]
        changes += [Change(m.start(), m.end(), "", "markup.tag") for m in _TAG.finditer(text)]
    if "&" in text:
        for m in _ENTITY.finditer(text):
            name = m[0].removeprefix("&").removeprefix("amp;").rstrip(";")
            changes.append(Change(m.start(), m.end(), _ENTITIES[name], "markup.entity"))
    changes += _markdown(text)
    if "**" in text or "__" in text:
        for m in _BOLD.finditer(text):
            if re.search(r"[㐀-鿿]", m[3]) and not m[3].startswith((" ", "年", "月")):
                changes.append(Change(m.start(2), m.end(2), "", "markup.bold"))
                changes.append(Change(m.end(3), m.end(3) + len(m[2]), "", "markup.bold"))
    if any(change.rule in ("markup.heading", "markup.bold") for change in changes):
        bullets = list(_BULLET.finditer(text))
        changes += [Change(m.end(1), m.end(), "", "markup.bullet") for m in bullets if len(bullets) >= 2]
    return changes


def _markdown(text: str) -> list[Change]:
    """Front matter, comments, links, quotes and tables of a Markdown file."""
    changes = []
    if (m := _FRONT_MATTER.match(text)) is not None:
        changes.append(Change(m.start(), m.end(), "", "markup.front_matter"))
    for sign, pattern, after, rule in _MARKDOWN:
        if sign not in text:
            continue
        changes += [Change(m.start(), m.end(), m.expand(after), rule) for m in pattern.finditer(text)]
    if "|" in text:
        for m in _TABLE_ROW.finditer(text):
            cells = [cell.strip(" 　") for cell in m[1].split("|")]
            ruler = all(re.fullmatch(r":?-{2,}:?", cell) for cell in cells)
            changes.append(Change(m.start(), m.end(), "" if ruler else " | ".join(cells), "markup.table"))
    return changes


_FRONT_MATTER = re.compile(r"\s*---[ ]*\n(?:[A-Za-z_-]{2,20}:[^\n]{0,300}\n){1,20}---[ ]*(?=\n)")
# only where the sign in front stands in the text
_MARKDOWN = (
    ("<!--", re.compile(r"<!--[^<>]{0,500}-->"), "", "markup.comment"),
    (
        "](",
        re.compile(
            r"!?\[(?:!\[[^\[\]\n]{0,80}\]\([^()\n]{0,300}\))\]\([^()\n]{0,300}\)|!\[[^\[\]\n]{0,80}\]\([^()\n]{0,300}\)"
        ),
        "",
        "markup.image",
    ),
    (
        "](",
        re.compile(r"(?<![!\]])\[([^\[\]\n]{1,60})\]\([^()\s]{0,200}[./#:][^()\s]{0,200}\)"),
        r"[\1]",
        "markup.link",
    ),
    (">", re.compile(r"(?m)^([ 　]*)>[ 　]+(?=\S)"), r"\1", "markup.quote"),
    ("*", re.compile(r"(?m)^[ 　]*\*([^*\n]{2,60})\*[ 　]*$"), r"\1", "markup.emphasis"),
    ("`", re.compile(r"(?<=[㐀-鿿，。、；：])`{2,}|`{2,}(?=[㐀-鿿])"), "", "markup.tick"),
)
_TABLE_ROW = re.compile(r"(?m)^[ 　]*\|(.{1,400})\|[ 　]*$")


def headings(text: str) -> frozenset[str]:
    """The lines that Markdown sets as headings."""
    if "#" not in text:
        return frozenset()
    lines = (line.strip(" 　") for line in text.split("\n") if line.lstrip(" 　").startswith("#"))
    return frozenset(line.lstrip("#").strip(" 　") for line in lines)


def anticopy(text: str) -> list[Change]:
    """Stray marks that sites set after 的 so that copies can be told.

    A backtick between Chinese characters is never meant. An apostrophe may be a quotation mark:
    it goes only where the text's apostrophes stand after 的 and hardly anywhere else.
    """
    changes: list[Change] = []
    if any(mark in text for mark in "`´ˊˋ‵"):
        changes += [Change(m.start(), m.end(), "", "damage.anticopy") for m in _BACKTICK.finditer(text)]
    quotes = [m for m in _AFTER_DE.finditer(text) if m[0] in "'‘’′ʹ" and not _PAIRED.match(text, m.start())]
    if quotes and len(quotes) * 5 >= 4 * sum(1 for _ in _QUOTE.finditer(text)):
        changes += [Change(m.start(), m.end(), "", "damage.anticopy") for m in quotes]
    return changes


def pinyin(text: str) -> list[Change]:
    """Pinyin in brackets that a conversion left behind characters: 總結(jié), 績(jì)效.

    The damage follows characters that differ between the scripts; a gloss in normal text
    (重(chóng)庆) follows any. Traditional characters speak louder than simplified ones.
    """
    if "(" not in text and "（" not in text:
        return []
    found = list(_GLOSS.finditer(text))
    if not found:
        return []
    evidence = sum(2 if is_traditional(m[1]) else int(simplified_of(m[1])) for m in found)
    least = int(rules.table("script.toml")["pinyin_min"])
    if (
        evidence < least
        or evidence < len(found)
        or len(found) < rules.table("script.toml")["pinyin_share"] * len(text)
    ):
        return []
    changes = [Change(m.end(1), m.end(), "", "damage.pinyin") for m in found]
    changes += [
        Change(m.end(1), m.end(), "", "damage.pinyin")
        for m in _TONELESS.finditer(text)
        if is_traditional(m[1]) or simplified_of(m[1])
    ]
    return changes


def without_pinyin(title: str) -> str:
    """A title without its glosses: one line is too short for the evidence that a text needs."""
    return _GLOSS.sub(r"\1", title)


def replaced_words(text: str) -> list[Change]:
    """Words that a site's own search and replace broke: 咨询题 for 问题. Only what is no word at all."""
    return [
        Change(m.start(), m.end(), rule.after, rule.name)
        for rule in rules.family("damage.toml", "replaced")
        if rule.may_match(text)
        for m in rule.pattern.finditer(text)
    ]


def ascii_stops(text: str) -> list[Change]:
    """Full stops that became dots: 一部电话.归纳起来 …

    Only in lines that have no Chinese full stop, where three or more dots stand behind characters.
    """
    if "." not in text:
        return []
    undotted = (line for line in _LINE.finditer(text) if "." in line[0] and "。" not in line[0])
    found = [m for line in undotted for m in _DOT.finditer(text, *line.span())]
    return [Change(m.start(), m.end(), "。", "damage.ascii_stop") for m in found] if len(found) >= 3 else []


_LINE = re.compile(r"[^\n]+")
_DOT = re.compile(r"(?<=[㐀-鿿”）%])(?<!^[一二三四五六七八九十])\.(?=[㐀-鿿“（《]|[ 　]*$)", re.MULTILINE)


def is_damaged(text: str) -> bool:
    """Whether bytes were lost or read one place too late (??偨Y(jié)): nothing can bring them back."""
    return _SHIFTED.search(text) is not None
