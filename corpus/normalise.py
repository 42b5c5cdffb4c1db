"""Folds texts into the keys that duplicates are found with.

In comes a batch of texts, out comes :class:`Folded`: their folded code points in one
array. The table ``data/fold-1.txt`` folds width, case, traditional and variant Han
characters, drops punctuation and space, and turns every run of digits, x, ×, * and _
into one 0. :func:`place` folds one text and keeps where each folded code point stood.
Stored texts are never folded; the table of a version never changes, because persisted
fingerprints depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

FOLD_VERSION = 1

Codes = NDArray[np.uint32]

_DROP = 0  # U+0000 itself is dropped, so its number is free to mean that
_ZERO = ord("0")
_N_CODES = 0x110000


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded texts: the ``i``-th is ``codes[bounds[i]:bounds[i + 1]]`` (uint32 code points)."""

    codes: Codes
    bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def one(self, i: int) -> Codes:
        return self.codes[self.bounds[i] : self.bounds[i + 1]]

    def key(self, i: int) -> str:
        """128-bit hash of the ``i``-th folded text, as 32 hex digits."""
        return sha256(self.one(i).astype("<u4").tobytes()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Placed:
    """A folded text that knows where it comes from: ``codes[i]`` is ``text[begins[i]:ends[i]]``.

    A run of digits is one folded code point and several of the text; what was dropped belongs to none.
    """

    text: str
    codes: Codes
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.codes)


def fold(texts: Sequence[str]) -> Folded:
    """Fold a batch of texts."""
    lengths = np.fromiter((len(text) for text in texts), dtype=np.int64, count=len(texts))
    codes = _table()[_raw("".join(texts))]
    owner = np.repeat(np.arange(len(texts), dtype=np.int64), lengths)
    kept = codes != _DROP
    codes, owner = codes[kept], owner[kept]
    if len(codes):
        # a zero right after a zero of the same text belongs to the same run
        repeated = np.zeros(len(codes), dtype=bool)
        repeated[1:] = (codes[1:] == _ZERO) & (codes[:-1] == _ZERO) & (owner[1:] == owner[:-1])
        codes, owner = codes[~repeated], owner[~repeated]
    bounds = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner, minlength=len(texts)), out=bounds[1:])
    return Folded(codes, bounds)


def place(text: str) -> Placed:
    """Fold one text and keep the places; its codes are those of :func:`fold`."""
    codes = _table()[_raw(text)]
    places = np.flatnonzero(codes != _DROP)
    codes = codes[places]
    first = np.ones(len(codes) + 1, dtype=bool)  # of a run, with an end behind the last
    first[1:-1] = (codes[1:] != _ZERO) | (codes[:-1] != _ZERO)
    return Placed(text, codes[first[:-1]], places[first[:-1]], places[first[1:]] + 1)


def _raw(text: str) -> Codes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


@cache
def _table() -> Codes:
    table = np.arange(_N_CODES, dtype=np.uint32)
    name = f"data/fold-{FOLD_VERSION}.txt"
    for line in (files("fanwen.corpus") / name).read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "pair":
            for source, target in zip(rest[::2], rest[1::2], strict=True):
                table[ord(source)] = ord(target)
        elif kind in ("drop", "zero", "shift"):
            first, last, *target_first = (int(number, 16) for number in rest.split())
            if kind == "shift":
                table[first : last + 1] = np.arange(last - first + 1) + target_first[0]
            else:
                table[first : last + 1] = _DROP if kind == "drop" else _ZERO
        elif kind != "#":
            raise ValueError(f"{name}: not a line of a fold table: {line!r}")
    return table
