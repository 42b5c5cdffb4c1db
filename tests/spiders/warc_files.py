"""WARC files for the tests, byte by byte, so that they can be as broken as those in the wild."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import brotli
import zstandard

DATE = "2024-03-01T08:00:00Z"


def page(text: str, head: str = "", links: str = "") -> bytes:
    return (
        f'<html><head><meta charset="utf-8"><title>{text}</title>{head}</head><body><h1>{text}</h1>'
        f"<p>{text}，图书角的同学整理了书架，登记了借阅的册数。</p>{links}</body></html>"
    ).encode()


def http(body: bytes, *headers: str, status: str = "200 OK", content_type: str | None = "text/html") -> bytes:
    lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {content_type}"] if content_type else []), *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def record(
    uri: str | None,
    block: bytes,
    *headers: str,
    kind: str = "response",
    date: str | None = DATE,
    content_type: str = "application/http; msgtype=response",
    length: int | None = None,
) -> bytes:
    lines = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        *([f"WARC-Target-URI: {uri}"] if uri else []),
        *([f"WARC-Date: {date}"] if date else []),
        f"Content-Type: {content_type}",
        *headers,
        f"Content-Length: {len(block) if length is None else length}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def answer(uri: str, body: bytes, *headers: str, date: str = DATE, **more: str) -> bytes:
    """A response record of a page that answered 200."""
    return record(uri, http(body, *headers, **more), date=date)


def members(*records: bytes) -> bytes:
    """One gzip member for each record, as they should be."""
    return b"".join(gzip.compress(one, mtime=0) for one in records)


def written(path: Path, *records: bytes) -> Path:
    path.write_bytes(members(*records) if path.suffix == ".gz" else b"".join(records))
    return path


def chunked(body: bytes, size: int = 50) -> bytes:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def deflated(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


ENCODED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate raw": deflated,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
