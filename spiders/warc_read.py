"""The records of a WARC file, plain or gzip, however torn.

In goes a path, out come its records one after the other, and a :class:`Broken` for each that is
not what it should be. Reading goes on behind it: at the next line that begins a record, or at the next
gzip member, which its first bytes give away. Memory holds one record, and never more than its limit.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from warcio.digestverifyingreader import DigestChecker, DigestVerifyingReader
from warcio.statusandheaders import StatusAndHeadersParser

from fanwen.errors import UsageError
from fanwen.spiders.settings import DOWNLOAD_MAXSIZE

MAX_HEAD = 64 * 1024
MAX_BLOCK = DOWNLOAD_MAXSIZE + 1024 * 1024  # a page, its headers and the marks of its chunks
MAX_FILE_BLOCK = 256 * 1024 * 1024  # a file that was given by hand
_STEP = 64 * 1024
_MEMBER = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]", re.DOTALL)
_BEGIN = re.compile(rb"\r?\n(?=WARC/[01]\.)")
_LINE = re.compile(rb"WARC/[01]\.\d+\r?\n\Z")
_LOOK_FOR = 16 * 1024 * 1024  # a file without a record in so many bytes is no WARC file


@dataclass(frozen=True, slots=True)
class Record:
    """One whole record; names of ``headers`` are in lower case, ``date`` is UTC with seconds.

    ``too_large``: the block was longer than its limit and is cut there.
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
    try:
        with path.open("rb") as file:
            source = _Gzip(file) if file.read(2) == b"\x1f\x8b" else _Source(file)
            file.seek(0)
            seen = False
            before: list[Broken] = []
            for found in _records(source):
                if seen:
                    yield found
                elif isinstance(found, Broken) and found.reason in ("garbage", "gzip"):
                    before.append(found)
                    if source.passed > _LOOK_FOR:
                        break
                else:
                    seen = True
                    yield from (*before, found)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    if not seen:
        raise UsageError(f"{path} is no WARC file; give one that begins with 'WARC/1.0' or 'WARC/1.1'.")


class _Source:
    """The bytes of a plain file: one stretch. A stretch is what a record cannot reach beyond."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.buffer, self.at = b"", 0
        self.passed = 0
        self.damaged = False
        self._begun = False

    def next_stretch(self) -> bool:
        self._begun, before = True, self._begun
        return not before

    def readline(self) -> bytes:
        while (end := self.buffer.find(b"\n", self.at)) < 0 and self._left() < MAX_HEAD and self._fill():
            pass
        return self._take(end + 1 - self.at if end >= 0 else MAX_HEAD)

    def read(self, size: int) -> bytes:
        parts = []
        while size > 0 and (self._left() or self._fill()):
            parts.append(self._take(size))
            size -= len(parts[-1])
        return b"".join(parts)

    def unread(self, data: bytes) -> None:
        self.buffer, self.at = data + self.buffer[self.at :], 0

    def at_end(self) -> bool:
        return not self._left() and not self._fill()

    def _left(self) -> int:
        return len(self.buffer) - self.at

    def _take(self, size: int) -> bytes:
        taken = self.buffer[self.at : self.at + size]
        self.at += len(taken)
        return taken

    def _fill(self) -> bool:
        data = self._more()
        self.passed += len(data)
        self.buffer, self.at = self.buffer[self.at :] + data, 0
        return bool(data)

    def _more(self) -> bytes:
        return self.file.read(_STEP)


class _Gzip(_Source):
    """The bytes of a gzip file; each member is a stretch."""

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self._raw = b""  # read from the file, not yet decompressed
        self._place = 0  # of what follows _raw
        self._start = -1  # of the member
        self._stream: Any = None

    def next_stretch(self) -> bool:
        if self.damaged:
            # the next member may begin within what was taken for this one
            self._place, self._raw = self._start + 1, b""
            self.file.seek(self._place)
        self.buffer, self.at, self.damaged = b"", 0, False
        while (found := _MEMBER.search(self._raw)) is None:
            self._raw = self._raw[-3:]
            data = self.file.read(_STEP)
            if not data:
                return False
            self._raw += data
            self._place += len(data)
        self._raw = self._raw[found.start() :]
        self._start = self._place - len(self._raw)
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
        while line := source.readline():
            if not line.strip():
                continue
            if not line.startswith(b"WARC/"):
                if not told:
                    yield Broken("garbage")
                told = True
                if inside := _LINE.search(line):
                    source.unread(line[inside.start() :])
                continue
            found = _record(source, line)
            told = isinstance(found, Broken)
            yield found
        if source.damaged and not told:
            yield Broken("gzip")


def _record(source: _Source, line: bytes) -> Record | Broken:
    headers = _headers(source, line)
    length = headers.get("content-length", "")
    if not length.isascii() or not length.isdigit():
        return Broken("gzip" if source.damaged else "bad_header")
    kind, uri = headers.get("warc-type", "").lower(), headers.get("warc-target-uri", "").strip("<> ")
    limit = MAX_FILE_BLOCK if uri.startswith("urn:") else MAX_BLOCK
    size = int(length)
    block = source.read(min(size, limit))
    left = size - len(block)
    while left > 0 and (passed := source.read(min(left, _STEP))):
        left -= len(passed)
    if left > 0 or not _ends(source):
        if inside := _BEGIN.search(block):  # the length was wrong, and the next record was taken for a part
            source.unread(block[inside.end() :])
        if source.damaged:
            return Broken("gzip")
        return Broken("cut_short" if left > 0 and not inside else "wrong_length")
    if source.at_end() and source.damaged:
        return Broken("gzip")
    if size <= limit and not _is_what_it_says(headers, block):
        return Broken("wrong_digest")
    return Record(kind, uri, _date(headers.get("warc-date", "")), headers, block, size > limit)


def _headers(source: _Source, line: bytes) -> dict[str, str]:
    """The headers of a record; empty where they do not end."""
    head = [line]
    while sum(map(len, head)) < MAX_HEAD and (line := source.readline()):
        head.append(line)
        if not line.strip():
            parsed = StatusAndHeadersParser(["WARC/"]).parse(BytesIO(b"".join(head)))
            return {name.lower(): value.strip() for name, value in reversed(parsed.headers)}
    return {}


def _ends(source: _Source) -> bool:
    """Whether a record ends here: with two line ends, whatever follows, or before the next one."""
    after = source.read(4)
    if after == b"\r\n\r\n":
        return True
    source.unread(after)
    while line := source.readline():
        if line.strip():
            source.unread(line)
            return line.startswith(b"WARC/")
    return True


def _is_what_it_says(headers: dict[str, str], block: bytes) -> bool:
    """False when the record carries the hash of another block; unknown hashes prove nothing."""
    digest = headers.get("warc-block-digest")
    if not digest or ":" not in digest:
        return True
    checker = DigestChecker()
    reader = DigestVerifyingReader(BytesIO(block), len(block), checker, block_digest=digest)
    if reader.block_digester is None:
        return True
    try:
        while reader.read(_STEP):
            pass
    except ValueError:  # neither base 16 nor base 32
        return True
    return checker.passed is not False


def _date(text: str) -> str | None:
    """A WARC-Date as fanwen writes times; None for none, a wrong one, and one that is still to come."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment.year < 1990 or moment > datetime.now(UTC) + timedelta(days=1):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
