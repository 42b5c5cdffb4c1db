"""Content-Encoding undone, with a limit, and without hiding that something is missing.

In goes a response as it came over the wire, out comes its body. A stream that ends early
or breaks gives what could be read and the flag ``truncated``; one that grows past the
limit is refused before it takes the memory. Nothing is ever decompressed whole and then measured.
"""

from __future__ import annotations

import zlib

TRUNCATED = "truncated"
_STEP = 16 * 1024


class RefusedBodyError(ValueError):
    """A body that is not taken; its text is the reason."""


def inflate(data: bytes, limit: int) -> tuple[bytes, bool]:
    """Undo gzip (also several members in a row), zlib or raw deflate; (body, whole).

    Raises RefusedBodyError past ``limit`` bytes and where nothing can be read.
    """
    wbits = 47 if data[:2] == b"\x1f\x8b" or _is_zlib(data) else -15
    out = bytearray()
    begin = members = 0
    while begin < len(data):
        stream = zlib.decompressobj(wbits)
        before = len(out)
        place = begin
        while place < len(data) and not stream.eof:
            try:
                # small steps, so that what precedes a broken spot is kept
                out += stream.decompress(data[place : place + _STEP], limit + 1 - len(out))
            except zlib.error:
                if members and len(out) == before:
                    return bytes(out), True  # padding after the last member, which every client ignores
                if not out:
                    raise RefusedBodyError("the compressed body is damaged") from None
                return bytes(out), False
            if len(out) > limit:
                raise RefusedBodyError(f"too large: more than {limit} bytes after decompression")
            place += _STEP
        if not stream.eof:
            return bytes(out), False
        members += 1
        begin = min(place, len(data)) - len(stream.unused_data)
    return bytes(out), True


def _is_zlib(data: bytes) -> bool:
    return len(data) >= 2 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
