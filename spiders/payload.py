"""The payload of an archived HTTP answer, whatever its headers say and whoever kept it.

Some archives keep an answer as it came over the wire, others undo chunks and compression and leave the
headers as they were. So the bytes decide: what is not chunked or compressed is taken as it is.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import NamedTuple

import brotli
from warcio.statusandheaders import StatusAndHeadersParser

from fanwen.spiders.decompress import RefusedBodyError, inflate

_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+([1-5]\d\d)\b")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?(\r?\n)")
_LINE_END = re.compile(rb"\r?\n")
# what neither brotli nor raw deflate, which have no mark of their own, is taken for
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
    stream = BytesIO(block)
    headers: dict[str, list[str]] = {}
    for name, value in StatusAndHeadersParser(["HTTP/"]).parse(stream).headers:
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    return Answer(int(found[1]), headers, stream.read())


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
    if encoding in ("", "identity") or not body:
        return body, True
    if encoding in ("gzip", "x-gzip"):
        return inflate(body, limit) if body[:2] == b"\x1f\x8b" else (body, True)
    if encoding == "deflate":
        return (body, True) if _PLAIN.match(body) else _inflated(body, limit)
    if encoding == "br":
        return (body, True) if _PLAIN.match(body) else _unbrotlied(body, limit)
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
            raise RefusedBodyError(f"too large: more than {limit} bytes after decompression")
        if not more:
            return bytes(out), False
        data = b""
    return bytes(out), True
