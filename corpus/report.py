"""What every command prints with: JSON, tables, and progress that only a terminal sees."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import time
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff\ud800-\udfff]"
)


def as_json(value: object, *, indent: int | None = None) -> str:
    """One JSON text of a report: dataclasses become objects, Chinese stays readable."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def print_json(value: object) -> None:
    """A whole report on stdout, indented for the eye."""
    print(as_json(value, indent=2))


def print_json_line(value: object) -> None:
    """One row of JSON Lines on stdout."""
    print(as_json(value))


def table(rows: Iterable[Sequence[object]], *, indent: str = "  ") -> str:
    """Rows as aligned columns; a Chinese character is two columns wide, numbers go right."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        return ""
    widths = [max(_width(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = []
    for row in cells:
        padded = [_pad(cell, width) for cell, width in zip(row, widths, strict=True)]
        lines.append((indent + "  ".join(padded)).rstrip())
    return "\n".join(lines)


def change_lines(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """What changed between two releases, a line for each of ADD, MOD and DEL with its reasons."""
    lines = []
    for change, why in counts.items():
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in why.items())
        lines.append(f"{sum(why.values()):,} {change}" + (f": {reasons}" if reasons else ""))
    return lines


def visible(text: str, newline: str = "\n") -> str:
    """Text that is safe to print: what cannot be seen, or would steer a terminal, is named."""
    named = _CONTROL.sub(lambda m: "" if m[0] == "\r" else f"‹U+{ord(m[0]):04X}›", text)
    return named.replace("\n", newline)


class Progress:
    """One line on a terminal, rewritten at most ten times a second; silent in a pipe."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._shown = 0.0
        self._width = 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._live or (now - self._shown < 0.1 and done != total):
            return
        self._shown = now
        self._write(f"{stage} {done}/{total}" if total else f"{stage} {done}")

    def note(self, text: str) -> None:
        """A line that stays, on a terminal only."""
        if self._live:
            self._write("")
            print(text, file=self._stream)

    def close(self) -> None:
        """Take the line away."""
        if self._live and self._width:
            self._write("")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(
                "\r" + text + " " * max(0, self._width - _width(text)) + ("\r" if not text else "")
            )
            self._stream.flush()
        except OSError:  # the terminal was closed; the work goes on
            self._live = False
        self._width = _width(text)


def _plain(value: Any) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _pad(cell: str, width: int) -> str:
    room = " " * (width - _width(cell))
    return (
        room + cell
        if cell[:1].isdigit() and cell.replace(",", "").replace(".", "").isdigit()
        else cell + room
    )
