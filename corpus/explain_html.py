"""Writes an :class:`fanwen.corpus.explain.Explained` as one HTML file that loads nothing.

It reads without scripts, by keyboard, in light and in dark, and is well-formed XML. What a page held
is only ever written as escaped text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from itertools import groupby

from fanwen.cleaners import layout
from fanwen.cleaners.audit import FAMILIES, Segment
from fanwen.corpus.explain import QUIET, Explained, PieceFacts, facts, piece_facts, rule_rows
from fanwen.corpus.report import visible

# one hue per family of rules, far enough apart to be told from each other
_HUES = {
    "site": 310,
    "text": 210,
    "markup": 180,
    "damage": 45,
    "script": 230,
    "layout": 265,
    "wall": 335,
    "boilerplate": 10,
    "split": 140,
}


def as_html(explained: Explained) -> str:
    """The same content as :func:`fanwen.corpus.explain.as_text`, as a page."""
    title = _text(explained.title or explained.name or explained.url)
    families = families_of(explained)
    return "".join(
        (
            page_head(title, "fanwen explain"),
            f"<header>\n<h1>{title}</h1>\n{_facts(facts(explained))}",
            *(_NOTE.format(lead="", text=_text(note)) for note in explained.notes),
            *(
                _NOTE.format(lead=f"<strong>Refused: {_text(r.reason)}</strong> ", text=_text(r.detail))
                for r in explained.rejects
            ),
            "</header>\n<main>\n",
            '<section aria-labelledby="h-text">\n<h2 id="h-text" lang="en">Main text as extracted</h2>\n',
            legend(families),
            marked_text(explained),
            beside(explained.beside),
            "</section>\n",
            _pieces(explained.pieces),
            _rules(explained),
            "</main>\n</body>\n</html>\n",
        )
    )


_HEAD = """\
<!DOCTYPE html>
<html lang="zh">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<title>{title} – {command}</title>
<style>
{style}</style>
</head>
<body>
"""
_NOTE = '<p class="note" lang="en">{lead}{text}</p>\n'
_CONTROLS = """\
<p class="controls" lang="en">
<label><input type="checkbox" id="names"/> show every rule’s name</label>
<label><input type="checkbox" id="kept"/> show only what was kept</label>
</p>
<details open="open" lang="en">
<summary>Families of rules; hover over a mark, or go to it by keyboard, and it names its rule</summary>
<ul>
{rows}</ul>
</details>
"""


@cache
def _style() -> str:
    return (files("fanwen.corpus") / "data/explain.css").read_text(encoding="utf-8")


def page_head(title: str, command: str) -> str:
    """The head of a page that loads nothing; ``title`` is escaped already."""
    return _HEAD.format(title=title, command=command, style=_style() + _colours())


def families_of(explained: Explained) -> list[str]:
    """The families of the rules that did something here."""
    return sorted({(s.rule or "").partition(".")[0] for s in explained.segments if s.rule})


def _text(value: str) -> str:
    return escape(visible(value), quote=True)


def _facts(rows: Iterator[tuple[str, str]]) -> str:
    return (
        "<dl>\n"
        + "".join(f'<dt lang="en">{_text(key)}</dt><dd>{_text(value)}</dd>\n' for key, value in rows)
        + "</dl>\n"
    )


def legend(families: Sequence[str]) -> str:
    """What the marks mean, and two switches for them; once on a page."""
    if not families:
        return '<p lang="en">No rule took or changed anything.</p>\n'
    rows = "".join(
        f'<li><span class="swatch f-{family}">{family}</span> {_text(FAMILIES.get(family, ""))}</li>\n'
        for family in families
    )
    return _CONTROLS.format(rows=rows)


def marked_text(explained: Explained, name: str = "t") -> str:
    """The main text with every cut and addition; ``name`` begins the ids, which are unique on a page."""
    return "".join(('<div class="text">', *_body(explained, name), "</div>\n"))


def _body(explained: Explained, prefix: str) -> Iterator[str]:
    pieces = {piece.index: piece for piece in explained.pieces}
    line_begins = True
    for number, members in groupby(explained.segments, key=lambda segment: segment.piece):
        if number is None:
            yield '<div class="outside">'
        else:
            title = pieces[number].title if number in pieces else None
            name = f'<span lang="en">piece {number}</span>' + (f" 《{_text(title)}》" if title else "")
            yield f'<article aria-labelledby="{prefix}-{number}"><h3 id="{prefix}-{number}">{name}</h3><div>'
        for segment in members:
            yield _segment(segment, line_begins)
            if segment.kind != "added" or segment.rule not in QUIET:
                line_begins = segment.text.endswith("\n") or (line_begins and segment.kind == "cut")
        yield "</div>" if number is None else "</div></article>"


def _segment(segment: Segment, line_begins: bool) -> str:
    if segment.kind == "kept":
        return _kept(segment.text, line_begins)
    family = (segment.rule or "").partition(".")[0]
    tag = "del" if segment.kind == "cut" else "ins"
    if segment.rule in QUIET:
        return (
            ""
            if tag == "ins"
            else f'<del class="q" title="{_text(segment.rule or "")}">{_text(segment.text)}</del>'
        )
    shown = _text(segment.text)
    if not segment.text.strip("\n"):
        shown = "⏎" * len(segment.text) + ("\n" if tag == "ins" else "")
    elif not segment.text.strip(" 　"):
        shown = "␣" * len(segment.text)
    rule = _text(segment.rule or "")
    return f'<{tag} class="c f-{family}" tabindex="0">{shown}<span class="r">{rule}</span></{tag}>'


def _kept(text: str, line_begins: bool) -> str:
    lines = text.split("\n")
    return "\n".join(
        f"<b>{_text(line)}</b>" if (k or line_begins) and layout.is_head_line(line) else _text(line)
        for k, line in enumerate(lines)
    )


def beside(lines: Sequence[str]) -> str:
    """What extraction left out, folded away: it is rarely short."""
    if not lines:
        return ""
    shown = "".join(f"<li>{_text(line)}</li>\n" for line in lines)
    return (
        '<details><summary lang="en">What stands on the page beside the main text</summary>\n'
        f"<ul>\n{shown}</ul>\n</details>\n"
    )


def _pieces(pieces: Sequence[PieceFacts]) -> str:
    if not pieces:
        return ""
    parts = ['<section aria-labelledby="h-pieces">\n<h2 id="h-pieces" lang="en">Pieces</h2>\n<ol>\n']
    for piece in pieces:
        title = _text(piece.title) if piece.title else '<span lang="en">without a title</span>'
        parts.append(f"<li><strong>{title}</strong>\n{_facts(piece_facts(piece))}</li>\n")
    return "".join(parts) + "</ol>\n</section>\n"


def _rules(explained: Explained) -> str:
    if not explained.rules:
        return ""
    head, *rows = rule_rows(explained.rules)
    parts = [
        '<section aria-labelledby="h-rules">\n<h2 id="h-rules" lang="en">Rules</h2>\n'
        '<div class="wide" tabindex="0" role="region" aria-labelledby="h-rules">\n',
        '<table>\n<thead lang="en"><tr>',
        *(f'<th scope="col">{_text(str(cell))}</th>' for cell in head),
        "</tr></thead>\n<tbody>\n",
    ]
    for rule, hits, chars, example in rows:
        family = str(rule).partition(".")[0]
        parts.append(
            f'<tr><th scope="row"><span class="swatch f-{family}">{_text(str(rule))}</span></th>'
            f'<td class="n">{hits:,}</td><td class="n">{chars:,}</td><td>{_text(str(example))}</td></tr>\n'
        )
    return "".join(parts) + "</tbody>\n</table></div>\n</section>\n"


def _colours() -> str:
    light = "".join(
        f".f-{name}{{background:hsl({hue} 85% 91%);color:hsl({hue} 75% 22%)}}\n"
        for name, hue in _HUES.items()
    )
    dark = "".join(
        f".f-{name}{{background:hsl({hue} 45% 20%);color:hsl({hue} 75% 84%)}}\n"
        for name, hue in _HUES.items()
    )
    return f"{light}@media (prefers-color-scheme: dark){{\n{dark}}}\n"
