"""Finds stretches of 20 characters of given texts wherever they stand, without keeping the texts.

In go texts, out comes a set of hashes of every 20 characters in a row; with it strings are looked through,
and the bytes of any file: in UTF-8, UTF-16, GB18030 and Big5, and again after unpacking zstd, gzip, zip
(DOCX too), PDF and Parquet. No text can be read out of the set. Blanks, tags and entities in between hide
nothing.
"""

from __future__ import annotations

import html
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import zstandard
from numpy.typing import NDArray

from fanwen.corpus.fingerprint import Hashes, from_blob, gram_hashes, to_blob

LENGTH = 20  # characters
CUT = "…"
DEPTH = 4  # of packed files within packed files
UNPACKED = 1 << 30  # bytes of one packed file that are looked at: some are made to have no end
PORTION = 1 << 24  # bytes of it at a time
CHARACTERS_AT_ONCE = 1 << 21
_OVERLAP = 1 << 12

_MARKUP = re.compile(r"<[^<>]{0,2000}>|\\[nrt]|\s+")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_FOREIGN = ("gb18030", "big5", "utf-16-le", "utf-16-be")
_ZSTD, _GZIP, _ZIP, _PDF, _PARQUET = b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"PK\x03\x04", b"%PDF", b"PAR1"


@dataclass(frozen=True, slots=True)
class Stretches:
    """Sorted hashes of stretches, each once."""

    hashes: Hashes

    def __bool__(self) -> bool:
        return bool(len(self.hashes))

    def to_blob(self) -> bytes:
        return to_blob(self.hashes)

    def without(self, texts: Iterable[str]) -> Stretches:
        """Those that stand in none of ``texts``."""
        if not self:
            return self
        stands = np.zeros(len(self.hashes), dtype=bool)
        for batch in _batches(texts):
            for form in _forms(batch):
                hashes, places = self._looked_up(form)
                stands[places[self.hashes[places] == hashes]] = True
        return Stretches(self.hashes[~stands])

    def holders(self, strings: Sequence[str]) -> list[int]:
        """The numbers of the strings that hold one of them, ascending."""
        if not self:
            return []
        found: set[int] = set()
        for form in _forms(strings):
            ends = np.cumsum([len(string) + 1 for string in form])
            places = np.flatnonzero(self._known(form))
            found |= set(np.searchsorted(ends, places, side="right").tolist())
        return sorted(found)

    def holds(self, string: str) -> bool:
        return bool(self.holders([string]))

    def stand_in(self, string: str) -> bool:
        """Whether one of them stands in the string as it is, markup and all."""
        return bool(self) and bool(self._known([string]).any())

    def cut(self, string: str) -> str:
        """The string with … wherever one of them stands."""
        if not self.holds(string):
            return string
        known = self._known([string])
        if not known.any():  # only without its markup
            return CUT
        inside = np.zeros(len(string), dtype=bool)
        for place in np.flatnonzero(known).tolist():
            inside[place : place + LENGTH] = True
        edges = np.flatnonzero(np.diff(inside, prepend=False, append=False)).tolist()
        parts, done = [], 0
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            parts += [string[done:begin], CUT]
            done = end
        rest = "".join((*parts, string[done:]))
        return CUT if self.holds(rest) else rest

    def in_bytes(self, data: bytes) -> bool:
        """Whether the bytes hold one of them, in any of the encodings and packings."""
        return bool(self) and any(self.holds(text) for text in texts_in(data))

    def _known(self, strings: Sequence[str]) -> NDArray[np.bool_]:
        """By place in the strings, with one between any two: whether the 20 characters from there are one."""
        hashes, places = self._looked_up(strings)
        known: NDArray[np.bool_] = self.hashes[places] == hashes
        return known

    def _looked_up(self, strings: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
        """All stretches of the strings, and where each would stand among ours."""
        hashes = gram_hashes(_codes("\0".join(strings)), LENGTH)
        places = self.hashes.searchsorted(hashes)
        places[places == len(self.hashes)] = 0
        return hashes, places


def stretches_of(texts: Iterable[str]) -> Stretches:
    """Every stretch of these texts, as they are and without blanks."""
    forms = (one for batch in _batches(texts) for form in _forms(batch) for one in form)
    found = [gram_hashes(_codes(one), LENGTH) for one in forms if len(one) >= LENGTH]
    return Stretches(np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.uint64))


def stretches_from(blob: bytes) -> Stretches:
    return Stretches(from_blob(blob))


def texts_in(data: bytes, depth: int = DEPTH) -> Iterator[str]:
    """What the bytes may say: as text in each encoding, and what is packed in them."""
    for text in _decoded(data):
        yield from _portions(text)
    for inner in _unpacked(data) if depth else ():
        if isinstance(inner, str):
            yield from _portions(inner)
        else:
            yield from texts_in(inner, depth - 1)


def _portions(text: str) -> Iterator[str]:
    """A long text in parts that overlap."""
    for at in range(0, max(len(text), 1), CHARACTERS_AT_ONCE):
        yield text[max(0, at - _OVERLAP) : at + CHARACTERS_AT_ONCE]


def _decoded(data: bytes) -> Iterator[str]:
    try:
        yield data.decode("utf-8")
    except UnicodeDecodeError:
        yield data.decode("utf-8", "ignore")
        for encoding in _FOREIGN:
            yield data.decode(encoding, "ignore")
        # what stands in the middle of binary data may begin at an odd place
        yield data[1:].decode("utf-16-le", "ignore")
        yield data[1:].decode("utf-16-be", "ignore")
    else:
        if b"\0" in data:
            yield data.decode("utf-16-le", "ignore")
            yield data.decode("utf-16-be", "ignore")


def _unpacked(data: bytes) -> Iterator[bytes | str]:
    """What a packed file holds, as far as it can be read."""
    try:
        if data.startswith(_ZSTD):
            with zstandard.ZstdDecompressor().stream_reader(
                io.BytesIO(data), read_across_frames=True
            ) as stream:
                yield from _overlapping(iter(lambda: stream.read(PORTION), b""))
        elif data.startswith(_GZIP):
            yield from _overlapping(_gunzipped(data))
        elif data.startswith(_ZIP):
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                for name in packed.namelist():
                    with packed.open(name) as member:
                        yield from _overlapping(iter(partial(member.read, PORTION), b""))
        elif data.startswith(_PDF):
            yield _pdf_text(data)
        elif data.startswith(_PARQUET):
            yield from _parquet_strings(data)
    except (zstandard.ZstdError, OSError, EOFError, zlib.error, zipfile.BadZipFile, ValueError, RuntimeError):
        return


def _overlapping(portions: Iterator[bytes]) -> Iterator[bytes]:
    before = b""
    for portion in islice(portions, UNPACKED // PORTION):
        yield before + portion
        before = portion[-_OVERLAP:]


def _gunzipped(data: bytes) -> Iterator[bytes]:
    """Member by member; of a torn one what is there, which the gzip module would not give."""
    while data:
        member = zlib.decompressobj(wbits=31)
        while data and not member.eof:
            yield member.decompress(data, PORTION)
            data = member.unconsumed_tail
        data = member.unused_data


def _pdf_text(data: bytes) -> str:
    import pypdfium2

    with pypdfium2.PdfDocument(data) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


def _parquet_strings(data: bytes) -> Iterator[str]:
    import pyarrow.parquet

    for row in pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist():
        yield from (str(value) for value in row.values() if value is not None)


def _plain(text: str) -> str:
    """Without blanks and tags, entities and escapes as what they stand for."""
    text = html.unescape(text) if "&" in text else text
    text = _ESCAPE.sub(lambda m: chr(int(m[1], 16)), text) if "\\u" in text else text
    return _MARKUP.sub("", text)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= CHARACTERS_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _forms(texts: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """As they are, and plain."""
    return texts, [_plain(text) for text in texts]


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32, copy=False)
