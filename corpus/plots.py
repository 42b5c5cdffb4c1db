"""Draws the plots of a release as SVG: bars, readable in light and dark, by eye and by screen reader.

In go :class:`fanwen.corpus.figures.Figures`, out come the bytes of six files; the same figures give the same
bytes. Chinese characters of a closed vocabulary (genres and our own labels) are drawn as outlines, so that
they show where there is no Chinese font; any other label is text in the reader's own font.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from fanwen.corpus.figures import Figures, Row
from fanwen.corpus.report import visible

FOLDER = "plots"
GLYPHS = "_vendor/noto-sans-sc/glyphs.json"
UNITS = 200  # of an outline for each em

_MOST = 20  # bars at most; the rest is summed up
_LONGEST = 30  # characters of a label
_WIDTH, _BAR, _STEP, _EM = 720, 16, 26, 14
_STYLE = (
    "svg{--b:#fff;--i:#1c1c1c;--s:#1f5fa8;--r:#a9c8ea}"
    "@media (prefers-color-scheme:dark){svg{--b:#16181b;--i:#e6e6e6;--s:#6ea8e8;--r:#2f4a68}}"
    ".b{fill:var(--b)}.s{fill:var(--s)}.r{fill:var(--r)}"
    f"text,.g{{fill:var(--i)}}text{{font:{_EM}px system-ui,sans-serif}}"
)


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot; rows are (label, darker part of the bar, lighter rest)."""

    name: str
    rows: tuple[Row, ...]


def plots(figures: Figures) -> Iterator[tuple[str, str]]:
    """(name of the file, SVG) of each plot."""
    for plot in (
        Plot("genres", _stacked(figures.by["genre"])),
        Plot("sites", _stacked(figures.by["site"])),
        Plot("years", _years(figures.by["year"])),
        Plot("lengths", _split(figures.lengths)),
        Plot("duplicates", _split(figures.sizes)),
        Plot("removed", _stacked(sorted(((r, c, c) for r, _, c in figures.rules), key=lambda row: -row[1]))),
    ):
        yield f"{plot.name}.svg", "".join(_svg(plot))


def characters() -> set[str]:
    """Every Chinese character that must have an outline."""
    rules = (files("fanwen.cleaners") / "rules/genres.toml").read_text(encoding="utf-8")
    labels = "".join(genre["zh"] for genre in tomllib.loads(rules)["genre"]) + json.dumps(
        _labels(), ensure_ascii=False
    )
    return set(re.findall("[一-龥]", labels))


@cache
def _labels() -> dict[str, Any]:
    return tomllib.loads((files("fanwen.corpus") / "data/plots.toml").read_text(encoding="utf-8"))


@cache
def _outlines() -> Mapping[str, str]:
    found: dict[str, str] = json.loads((files("fanwen.corpus") / GLYPHS).read_text(encoding="utf-8"))
    return found


def _split(rows: Sequence[Row]) -> tuple[Row, ...]:
    """(label, all, part) as (label, part, rest)."""
    return tuple((str(label), part, every - part) for label, every, part in rows)


def _stacked(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The first rows, and the sum of the others."""
    rest = rows[_MOST:]
    other = [(_labels()["other"], sum(row[1] for row in rest), sum(row[2] for row in rest))] if rest else []
    return _split([*rows[:_MOST], *other])


def _years(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Years in their order, the latest at most; everything else is one row."""
    years = sorted(row for row in rows if re.fullmatch(r"(19|20)\d\d", row[0]))[-_MOST:]
    rest = [row for row in rows if row not in years]
    return _stacked([*years, (_labels()["other"], sum(r[1] for r in rest), sum(r[2] for r in rest))])


def _svg(plot: Plot) -> Iterator[str]:
    said = _labels()[plot.name]
    labels = [_short(label) for label, _, _ in plot.rows]
    left = max((_wide(label) for label in labels), default=0) + 30
    most = max((part + rest for _, part, rest in plot.rows), default=0) or 1
    room = _WIDTH - left - 90
    top = 64 if "rest" in said else 40
    height = top + _STEP * len(plot.rows) + 12
    told = "; ".join(f"{label}: {part + rest:,}" for label, part, rest in plot.rows)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
    yield f' height="{height}" role="img" aria-labelledby="t d">\n<style>{_STYLE}</style>\n'
    yield f'<title id="t">{said["zh"]} {said["en"]}</title>\n<desc id="d">{_text(told)}</desc>\n'
    legend = [(kind, said[name]) for kind, name in (("s", "part"), ("r", "rest")) if name in said]
    drawn = "".join([*labels, said["zh"], *(zh for _, (zh, _) in legend)])
    yield "<defs>" + "".join(
        f'<path id="{_id(one)}" d="{_outlines()[one]}"/>' for one in sorted(set(drawn) & _outlines().keys())
    )
    yield f'</defs>\n<rect class="b" width="{_WIDTH}" height="{height}"/>\n'
    yield _label(said["zh"], 16, 24) + _label(said["en"], 28 + _wide(said["zh"]), 24)
    x = 16
    for kind, (zh, en) in legend:
        yield f'<rect class="{kind}" x="{x}" y="38" width="12" height="12"/>'
        yield _label(zh, x + 18, 49) + _label(en, x + 22 + _wide(zh), 49) + "\n"
        x += 48 + _wide(zh + en)
    for number, (label, (_, part, rest)) in enumerate(zip(labels, plot.rows, strict=True)):
        y = top + number * _STEP
        whole, dark = round(room * (part + rest) / most), round(room * part / most)
        yield _label(label, left - 10 - _wide(label), y + 13, end=left - 10)
        yield f'<rect class="r" x="{left}" y="{y}" width="{whole}" height="{_BAR}"/>' if rest else ""
        yield f'<rect class="s" x="{left}" y="{y}" width="{dark}" height="{_BAR}"/>'
        yield f'<text x="{left + whole + 8}" y="{y + 13}">{part + rest:,}</text>\n'
    yield "</svg>\n"


def _label(label: str, x: int, y: int, end: int | None = None) -> str:
    """A label that begins at ``x``, or as text ends at ``end``: outlines where each character has one."""
    if not label:
        return ""
    if set(label) <= _outlines().keys():
        scale = f"scale({_EM / UNITS:g})"
        uses = "".join(f'<use href="#{_id(one)}" x="{n * UNITS}"/>' for n, one in enumerate(label))
        return f'<g class="g" transform="translate({x} {y}) {scale}">{uses}</g>'
    where = f'x="{x}"' if end is None else f'x="{end}" text-anchor="end"'
    return f'<text {where} y="{y}">{_text(label)}</text>'


def _id(character: str) -> str:
    return f"u{ord(character):x}"


def _wide(label: str) -> int:
    """About how many pixels a label takes."""
    return sum(_EM if ord(one) > 0x2E80 else 8 for one in label)


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"


def _text(value: str) -> str:
    return escape(visible(value, " "), quote=True)
