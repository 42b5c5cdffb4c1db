"""Counts characters of a text in bulk: code points as an array, Han characters, columns.

What here takes an array operation would take a loop over every character elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

_BMP = 0x10000
_HAN = re.compile(r"[㐀-䶿一-鿿]")
_SHORT = 160  # where a pattern is faster than an array


def codes(text: str) -> NDArray[np.uint32]:
    """The code points of ``text``, one per character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def han(text: str) -> int:
    """How many Han characters ``text`` holds (CJK unified ideographs and extension A)."""
    if len(text) < _SHORT:
        return len(_HAN.findall(text))
    return int(np.count_nonzero(_is_han(codes(text))))


def hans(texts: Sequence[str]) -> list[int]:
    """How many Han characters each of the texts holds."""
    ends = np.cumsum([0, *map(len, texts)])
    counted = np.concatenate(([0], np.cumsum(_is_han(codes("".join(texts))))))
    found: list[int] = np.diff(counted[ends]).tolist()
    return found


def _is_han(points: NDArray[np.uint32]) -> NDArray[np.bool_]:
    return ((points >= 0x4E00) & (points <= 0x9FFF)) | ((points >= 0x3400) & (points <= 0x4DBF))


def table(characters: Iterable[str]) -> NDArray[np.bool_]:
    """A set of characters of the basic plane as a table over code points; see :func:`among`."""
    marked = np.zeros(_BMP + 1, dtype=np.bool_)
    marked[[ord(c) for c in characters]] = True
    return marked


def among(points: NDArray[np.uint32], marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the code points are in the set of ``marked``; those beyond the basic plane never are."""
    return marked[np.minimum(points, _BMP)]


def holds(text: str, marked: NDArray[np.bool_]) -> bool:
    """Whether any character of ``text`` is in the set of ``marked``."""
    return bool(among(codes(text), marked).any())


def lines_with(text: str, places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Begin and end of every line in which one of the places lies, which are in order."""
    end = -1
    for at in places:
        if at > end:
            end = line_end(text, at)
            yield text.rfind("\n", 0, at) + 1, end


def line_end(text: str, at: int) -> int:
    """Where the line ends in which ``at`` lies."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def columns(text: str) -> NDArray[np.int64]:
    """Columns that the first 0, 1, 2 … characters of ``text`` fill in a fixed-width font: wide ones two."""
    width = 1 + among(codes(text), _wide()).astype(np.int64)
    return np.concatenate(([0], np.cumsum(width)))


@cache
def _wide() -> NDArray[np.bool_]:
    return table(chr(c) for c in range(_BMP) if unicodedata.east_asian_width(chr(c)) in "WFA")
