"""The payload of an archived HTTP answer, whatever its headers say and whoever kept it.

Some archives keep an answer as it came over the wire, others undo chunks and compression and leave the
headers as they were. So the bytes decide: what is not chunked or compressed is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import brotli
import zstandard

from fanwen.spiders.decompress import RefusedBodyError, inflate

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+([1-5]\d\d)\b")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?(\r?\n)")
_LINE_END = re.compile(rb"\r?\n")
_ZSTD_WINDOW = 8 * 1024 * 1024  # RFC 9659
_FEW = 128
_GREW = "too large: more than {} bytes after decompression"
# what is not compressed, whatever its headers say
_PLAIN = re.compile(rb"(?:\xef\xbb\xbf)?\s*<|%PDF-|PK\x03\x04")


class Answer(NamedTuple):
    """An HTTP answer as it was kept: ``headers`` by name in lower case, ``body`` as it came."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next(iter(self.headers.get(name, ())), None)


def read_answer(block: bytes) -> Answer | None:
    """Status line, headers and body of a record's block; None where it is no HTTP answer."""
    found = _STATUS.match(block)
    if found is None:
        return None
    end = _HEAD_END.search(block)
    headers: dict[str, list[str]] = {}
    for name, value in read_headers(block[: end.start()] if end else block):
        headers.setdefault(name, []).append(value)
    return Answer(int(found[1]), headers, block[end.end() :] if end else b"")


def read_headers(head: bytes) -> Iterator[tuple[str, str]]:
    """Name in lower case and value of each line behind the first; bytes as Latin-1, which loses none."""
    for line in re.sub(rb"\r?\n[ \t]+", b" ", head).splitlines()[1:]:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


def payload(answer: Answer, limit: int) -> tuple[bytes, bool]:
    """The body with chunks and compression undone, and whether it is whole.

    Raises RefusedBodyError past ``limit`` bytes, for an unknown compression, and where nothing can be read.
    """
    body, whole = answer.body, True
    chunked = any("chunked" in value.lower() for value in answer.headers.get("transfer-encoding", ()))
    if chunked:
        body, whole = _dechunked(body)
    came = body
    for encoding in reversed(",".join(answer.headers.get("content-encoding", ())).lower().split(",")):
        body, complete = _decoded(body, encoding.strip(), limit)
        whole = whole and complete
    if len(body) > limit:
        raise RefusedBodyError(f"too large: more than {limit} bytes")
    undone = body is came and "content-encoding" in answer.headers  # then the length is of something else
    length = answer.header("content-length") or ""
    if not chunked and not undone and length.isascii() and length.isdigit() and len(came) < int(length):
        whole = False
    return body, whole


def _dechunked(body: bytes) -> tuple[bytes, bool]:
    out = bytearray()
    place = 0
    while found := _CHUNK.match(body, place):
        size, begin = int(found[1], 16), found.end()
        if size == 0:
            return bytes(out), True
        if not out and begin + size > len(body) and found[2] != b"\r\n":
            break
        out += body[begin : begin + size]
        if begin + size > len(body):
            return bytes(out), False
        end = _LINE_END.match(body, begin + size)
        if end is None:
            break
        place = end.end()
    if place == 0:
        return body, True
    return bytes(out), False


def _decoded(body: bytes, encoding: str, limit: int) -> tuple[bytes, bool]:
    if encoding in ("", "identity") or not body or _PLAIN.match(body):
        return body, True
    if encoding in ("gzip", "x-gzip"):
        return inflate(body, limit) if body[:2] == b"\x1f\x8b" else (body, True)
    if encoding == "deflate":
        return _inflated(body, limit)
    if encoding == "br":
        return _unbrotlied(body, limit)
    if encoding == "zstd":
        return _unzstd(body, limit) if body[:4] == b"\x28\xb5\x2f\xfd" else (body, True)
    raise RefusedBodyError(f"unknown Content-Encoding {encoding}")


def _inflated(body: bytes, limit: int) -> tuple[bytes, bool]:
    """zlib or raw deflate; a text that is neither gives an error, and is taken as it is."""
    try:
        out, whole = inflate(body, limit)
    except RefusedBodyError as error:
        if "damaged" not in str(error):
            raise
        return body, True
    return (out, whole) if whole or body[0] == 0x78 else (body, True)


def _unbrotlied(body: bytes, limit: int) -> tuple[bytes, bool]:
    stream = brotli.Decompressor()
    out, data = bytearray(), body
    while not stream.is_finished():
        try:
            more = stream.process(data, output_buffer_limit=limit + 1 - len(out))
        except brotli.error:
            return (bytes(out), False) if out else (body, True)
        out += more
        if len(out) > limit:
            raise RefusedBodyError(_GREW.format(limit))
        if not more:
            return bytes(out), False
        data = b""
    return bytes(out), True


def _unzstd(body: bytes, limit: int) -> tuple[bytes, bool]:
    stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
    out = bytearray()
    try:
        # it knows no limit of its own, and a hundred bytes may become some megabytes
        for place in range(0, len(body), _FEW):
            out += stream.decompress(body[place : place + _FEW])
            if len(out) > limit:
                raise RefusedBodyError(_GREW.format(limit))
            if stream.eof:
                return bytes(out), True
    except zstandard.ZstdError:
        if not out:
            raise RefusedBodyError("the compressed body is damaged") from None
    return bytes(out), False
