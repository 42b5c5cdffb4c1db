"""The records of a WARC file, plain or gzip, however torn.

In goes a path, out come its records one after the other, and a :class:`Broken` for each that is
not what it should be. Reading goes on behind it: at the next line that begins a record, or at the next
gzip member, which its first bytes give away. Memory holds one record, and never more than its limit;
what is read twice because it was damaged is bounded too, so that no file takes for ever.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, BinaryIO

from fanwen.errors import UsageError
from fanwen.spiders.archive import as_utc, later
from fanwen.spiders.payload import read_headers
from fanwen.spiders.settings import DOWNLOAD_MAXSIZE

MAX_HEAD = 64 * 1024
MAX_BLOCK = DOWNLOAD_MAXSIZE + 1024 * 1024  # a page, its headers and the marks of its chunks
MAX_FILE_BLOCK = 256 * 1024 * 1024  # a file that was given by hand
_STEP = 64 * 1024
_LOOK_FOR = 16 * 1024 * 1024  # a file without a record in so many bytes is no WARC file
_LOOK_BEHIND = 64  # a record's end, and how the next one begins
_READ_AGAIN = 64 * 1024 * 1024  # and four times what the file has
_MEMBER = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]", re.DOTALL)
_VERSION = re.compile(rb"WARC/\d\.\d+\r?\n")
_BEGIN = re.compile(rb"\nWARC/\d\.\d+\r?\n")
_HEAD_END = re.compile(rb"\r?\n(?:\r?\n|(?=WARC/\d\.\d+\r?\n))")
_BLANKS = re.compile(rb"\s+")
_LENGTH = re.compile(r"[0-9]{1,15}")
_HASH_SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}


@dataclass(frozen=True, slots=True)
class Record:
    """One whole record; names of ``headers`` are in lower case, ``date`` is UTC with seconds.

    ``uri`` is ASCII. ``too_large``: the block was longer than its limit and is left out.
    """

    kind: str
    uri: str
    date: str | None
    headers: dict[str, str]
    block: bytes
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """A place where no record could be read: damaged gzip, cut_short, wrong_length, bad_header, garbage."""

    reason: str


def read_warc(path: Path) -> Iterator[Record | Broken]:
    """Every record in the order of the file. Raises UsageError for a file that is no WARC at all."""
    seen, before = False, []
    try:
        with path.open("rb") as file:
            source = _Gzip(file) if file.read(2) == b"\x1f\x8b" else _Source(file)
            file.seek(0)
            for found in _records(source):
                seen = seen or isinstance(found, Record) or found.reason not in ("garbage", "gzip")
                before.append(found)
                if seen:
                    yield from before
                    before.clear()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    if not seen:
        raise UsageError(f"{path} is no WARC file; give one that begins with 'WARC/1.0' or 'WARC/1.1'.")


def is_warc(path: Path) -> bool:
    """Whether a record can be read from the file."""
    try:
        return next(read_warc(path), None) is not None
    except UsageError:
        return False


def digest_of(label: str) -> tuple[str, bytes] | None:
    """(algorithm, hash) of a digest such as ``sha1:…``, in base 16 or 32; None for anything else."""
    name, _, value = label.partition(":")
    name = name.lower().replace("-", "")
    size = _HASH_SIZES.get(name)
    try:
        if len(value) == 2 * (size or 0):
            raw = bytes.fromhex(value)
        else:
            raw = base64.b32decode(value.upper() + "=" * (-len(value) % 8))
    except ValueError:
        return None
    return (name, raw) if len(raw) == size else None


class _Source:
    """The bytes of a plain file: one stretch. A stretch is what a record cannot reach beyond."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.buffer, self.at = bytearray(), 0
        self.passed, self.limit = 0, float(_LOOK_FOR)
        self.damaged = False
        self._patience = _READ_AGAIN + 4 * os.fstat(file.fileno()).st_size
        self._begun = False

    def next_stretch(self) -> bool:
        self._begun, before = True, self._begun
        return not before

    def fill(self) -> bool:
        """Read some more; False at the end of the stretch. Places in the buffer do not hold behind it."""
        data = self._more() if self.passed < self.limit else b""
        if data and self.at:
            self.buffer, self.at = self.buffer[self.at :], 0
        self.buffer += data
        self.passed += len(data)
        return bool(data)

    def have(self, size: int) -> int:
        """Read until so many bytes are at hand; how many are."""
        while (left := len(self.buffer) - self.at) < size and self.fill():
            pass
        return min(left, size)

    def take(self, size: int) -> bytes:
        size = self.have(size)
        taken = bytes(memoryview(self.buffer)[self.at : self.at + size])
        self.at += size
        return taken

    def put_back(self, data: bytes) -> None:
        if self.may_repeat(len(data)):
            self.buffer[: self.at] = data
            self.at = 0

    def may_repeat(self, size: int) -> bool:
        """Whether so many bytes are read again: a file made for it would otherwise be read for ever."""
        allowed = size <= self._patience
        self._patience -= size * allowed
        return allowed

    def skip_blanks(self) -> bool:
        """Go on to something; False at the end of the stretch."""
        while self.have(1):
            found = _BLANKS.match(self.buffer, self.at)
            if found is None:
                return True
            self.at, found = found.end(), None
        return False

    def skip_garbage(self) -> None:
        """Go on to the next line that begins a record, or to the end of the stretch."""
        while (found := _VERSION.search(self.buffer, self.at)) is None:
            self.at = max(self.at, len(self.buffer) - 20)
            if not self.fill():
                self.at = len(self.buffer)
                return
        self.at = found.start()

    def _more(self) -> bytes:
        return self.file.read(_STEP)


class _Gzip(_Source):
    """The bytes of a gzip file; each member is a stretch."""

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self._raw = b""  # read from the file, not yet decompressed
        self._place = 0  # of what follows _raw
        self._start = self._before = 0  # of the member: its place, and what had passed before it
        self._stream: Any = None

    def next_stretch(self) -> bool:
        if self.damaged:
            # the next member may begin within what was taken for this one
            self._raw = self._raw[1:]
            if self.may_repeat(self.passed - self._before):
                self._place, self._raw = self._start + 1, b""
                self.file.seek(self._place)
        self.buffer, self.at, self.damaged = bytearray(), 0, False
        while (found := _MEMBER.search(self._raw)) is None:
            self._raw = self._raw[-3:]
            data = self.file.read(_STEP)
            if not data:
                return False
            self._raw += data
            self._place += len(data)
        self._raw = self._raw[found.start() :]
        self._start, self._before = self._place - len(self._raw), self.passed
        self._stream = zlib.decompressobj(31)
        return True

    def _more(self) -> bytes:
        while not self._stream.eof and not self.damaged:
            if not self._raw:
                self._raw = self.file.read(_STEP)
                self._place += len(self._raw)
            try:
                data: bytes = self._stream.decompress(self._raw, _STEP)
            except zlib.error:
                data, self.damaged = b"", True
            else:
                self.damaged = not self._raw and not data and not self._stream.eof
                self._raw = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if data:
                return data
        return b""


def _records(source: _Source) -> Iterator[Record | Broken]:
    while source.next_stretch():
        told = False  # one damage is counted once, however many lines it spoils
        while source.skip_blanks():
            if source.have(5) == 5 and source.buffer.startswith(b"WARC/", source.at):
                found = _record(source)
                told = isinstance(found, Broken)
                yield found
            else:
                if not told:
                    yield Broken("garbage")
                told = True
                source.skip_garbage()
        if source.damaged and not told:
            yield Broken("gzip")


def _record(source: _Source) -> Record | Broken:
    headers = _headers(source)
    length = headers.get("content-length", "")
    if not _LENGTH.fullmatch(length):
        return Broken("gzip" if source.damaged else "bad_header")
    source.limit = inf  # it is a WARC file
    # whatever encoding a URI is in, its bytes are escaped
    uri = re.sub(r"[^\x00-\x7f]", lambda byte: f"%{ord(byte[0]):02X}", headers.get("warc-target-uri", ""))
    uri = uri.strip("<> ")
    left, begin = int(length), b""
    limit = MAX_FILE_BLOCK if uri.startswith("urn:") else MAX_BLOCK
    too_large = left > limit
    if too_large:
        begin = source.take(limit)  # kept, should the length be wrong
        left -= len(begin)
        while left > _STEP and (passed := source.take(_STEP)):
            left -= len(passed)
    reason = _trouble(source, begin, left)
    if reason is not None:
        return Broken(reason)
    block = source.take(left)
    if not source.skip_blanks() and source.damaged:
        return Broken("gzip")
    if not too_large and not _is_what_it_says(headers, block):
        return Broken("wrong_digest")
    date = as_utc(headers.get("warc-date", ""))
    if date is not None and not "1990" <= date <= later(days=1):
        date = None
    kind = headers.get("warc-type", "").lower()
    return Record(kind, uri, date, headers, b"" if too_large else block, too_large)


def _headers(source: _Source) -> dict[str, str]:
    """The headers of a record; empty where they do not end."""
    while (found := _HEAD_END.search(source.buffer, source.at, source.at + MAX_HEAD)) is None:
        if len(source.buffer) - source.at >= MAX_HEAD or not source.fill():
            source.take(MAX_HEAD)
            return {}
    head = bytes(source.buffer[source.at : found.start()])
    source.at = found.end()
    return dict(reversed(list(read_headers(head))))


def _trouble(source: _Source, begin: bytes, left: int) -> str | None:
    """None where the record ends ``left`` bytes from here, else why not: then its next one is looked for.

    It ends with two line ends, whatever follows, or before the next record, or with the stretch.
    """
    whole = source.have(left + _LOOK_BEHIND) >= left
    end = source.at + left
    after = bytes(source.buffer[end : end + _LOOK_BEHIND])
    if whole and (after.startswith(b"\r\n\r\n") or after.lstrip()[:5] in (b"", b"WARC/")):
        return None
    # the length is wrong, and the next record may have been taken for a part of this one
    if begin:
        found = _BEGIN.search(begin)
        source.put_back(begin[found.start() + 1 :] if found else b"")
    else:
        found = _BEGIN.search(source.buffer, source.at, min(end, len(source.buffer)))
        source.at = found.start() + 1 if found else min(end, len(source.buffer))
    if source.damaged:
        return "gzip"
    return "cut_short" if not whole and found is None else "wrong_length"


def _is_what_it_says(headers: dict[str, str], block: bytes) -> bool:
    """False when the record carries the hash of another block; unknown hashes prove nothing."""
    said = digest_of(headers.get("warc-block-digest", ""))
    return said is None or hashlib.new(said[0], block).digest() == said[1]
