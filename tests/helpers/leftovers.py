"""Looks for stretches of 20 characters in every file of a folder, the slow and plain way.

Shares nothing with what erases them. In the bytes as they are, and again after unpacking whatever is packed, each
stretch is looked for in UTF-8, UTF-16 (both orders) and GB18030.
"""

from __future__ import annotations

import gzip
import io
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet
import pypdfium2
import zstandard

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030")


def stretches(texts: Iterable[str], kept: Iterable[str] = (), step: int = 1) -> set[str]:
    """Every 20 characters in a row of ``texts`` that stand in none of ``kept``."""
    rest = "\n".join(kept)
    found = {text[at : at + 20] for text in texts for at in range(0, len(text) - 19, step)}
    return {one for one in found if one not in rest}


def left_in(folder: Path, wanted: Iterable[str], *, but: Iterable[str] = ()) -> list[str]:
    """Where a stretch is found, as ``file: how it was read: stretch``; ``but`` are folders that do not count."""
    needles = {one.encode(encoding): one for one in wanted for encoding in ENCODINGS}
    assert needles
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(name.startswith(f"{one}/") for one in but):
            for how, data in _readings(path):
                found += [f"{name}: {how}: {one}" for needle, one in needles.items() if needle in data][:1]
    return found


def everything(folder: Path) -> str:
    """All that the files of a folder say, however they are packed, as one text."""
    parts = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            parts += [data.decode("utf-8", "replace") for _, data in _readings(path)]
    return "\n".join(parts)


def _readings(path: Path) -> Iterator[tuple[str, bytes]]:
    data = path.read_bytes()
    yield from _unpacked(data)
    if data.startswith(b"SQLite format 3"):  # with what its log holds
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            for value in _values(db):
                yield from _unpacked(value)


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    yield "as it is", data
    inner: list[bytes] = []
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        inner = [zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()]
    elif data.startswith(b"\x1f\x8b"):
        inner = [gzip.decompress(data)]
    elif data.startswith(b"PK"):
        packed = zipfile.ZipFile(io.BytesIO(data))
        inner = [packed.read(name) for name in packed.namelist()]
    elif data.startswith(b"%PDF"):
        pages = pypdfium2.PdfDocument(data)
        inner = ["".join(page.get_textpage().get_text_range().split()).encode() for page in pages]
    elif data.startswith(b"PAR1"):
        inner = [str(pyarrow.parquet.read_table(io.BytesIO(data)).to_pylist()).encode()]
    elif data.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(":memory:")) as db:
            # in memory none can be in WAL mode
            db.deserialize(data[:18] + b"\x01\x01" + data[20:])
            inner = list(_values(db))
    for one in inner:
        yield from ((f"unpacked, {how}", again) for how, again in _unpacked(one))


def _values(db: sqlite3.Connection) -> Iterator[bytes]:
    """Every string and blob of a database: in its pages a long one lies in pieces."""
    for (table,) in db.execute("select name from sqlite_master where type = 'table'").fetchall():
        for row in db.execute(f"select * from [{table}]"):
            for value in row:
                if isinstance(value, str):
                    yield value.encode("utf-8", "surrogatepass")
                elif isinstance(value, bytes):
                    yield value
