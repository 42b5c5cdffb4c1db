"""What changed from one release to another, row by row: written by a release, applied by a reader.

In go the databases of two releases in their canonical form (:mod:`fanwen.corpus.canonical`), out come JSON
Lines, compressed with zstd: a head, then for each table the keys of rows that are gone, the new values of
rows that changed, and new rows. A release and its delta give the next one byte for byte. A delta holds
nothing that the later release does not hold; where the schemas differ there is none.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import zstandard

from fanwen.corpus.canonical import Table, canonical, quoted, statements, tables
from fanwen.corpus.store import RELEASE, to_json
from fanwen.errors import DamagedError

FOLDER = "delta"
LEVEL = 19
ROWS = 1000  # of a line
_FORMAT = 1
_BLOB = "b64"
# whatever a file that is no delta makes of reading it as one
_UNREADABLE = (StopIteration, LookupError, TypeError, ValueError, zstandard.ZstdError, sqlite3.Error)


def name_from(base: str) -> str:
    """Path of the delta from release ``base`` within the folder of a release."""
    return f"{FOLDER}/from-{base}.jsonl.zst"


def base_of(name: str) -> str | None:
    """The release that a delta of this name is from; None where it is the name of another file."""
    start, end = name_from("|").split("|")
    return name[len(start) : -len(end)] if name.startswith(start) and name.endswith(end) else None


def write(base: Path, new: Path, target: Path) -> bool:
    """Write what leads from the database ``base`` to ``new``; False where their schemas differ."""
    with _opened(new) as db:
        db.execute("attach ? as base", (f"{base.resolve().as_uri()}?mode=ro",))
        if statements(db) != statements(db, "base"):
            return False
        target.parent.mkdir(exist_ok=True)
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        with target.open("wb") as raw, compressor.stream_writer(raw, closefd=False) as stream:
            for line in _lines(db):
                stream.write(to_json(line).encode() + b"\n")
    return True


def apply(base: Path, deltas: Sequence[Path], target: Path) -> None:
    """Write the database that ``deltas``, one after the other, make of the database ``base``.

    ``base`` stays as it is. Raises :class:`DamagedError` where a delta cannot be read or does not follow.
    """
    scratch = target.with_name(f"{target.name}.scratch")
    try:
        shutil.copyfile(base, scratch)
        with closing(sqlite3.connect(scratch, isolation_level=None)) as db:
            db.execute("pragma journal_mode = off")
            db.execute("pragma synchronous = off")
            for delta in deltas:
                db.execute("begin")
                _apply(db, delta)
                db.execute("commit")
        canonical(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)


# -- writing --------------------------------------------------------------------------------------


def _lines(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    yield {"format": _FORMAT, "from": _version(db, "base"), "to": _version(db)}
    found = list(tables(db))
    for table in found:
        yield from _chunks(table, "gone", db.execute(_gone(table)))
    for table in found:
        if table.key != table.columns:
            yield from _chunks(table, "changed", _changed(db, table))
        yield from _chunks(table, "new", db.execute(_new(table)))


def _gone(table: Table) -> str:
    key, name = _list(table.key), quoted(table.name)
    return f"select {key} from base.{name} except select {key} from main.{name} order by {key}"


def _new(table: Table) -> str:
    key, name = _list(table.key), quoted(table.name)
    missing = f"select {key} from main.{name} except select {key} from base.{name}"
    if table.key == table.columns:
        return f"{missing} order by {key}"
    return f"select * from main.{name} where ({key}) in ({missing}) order by {key}"


def _changed(db: sqlite3.Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """Key and new values of each row that both have and that differs."""
    name, key, count = quoted(table.name), _list(table.key), len(table.columns)
    values = [column for column in table.columns if column not in table.key]
    rows = db.execute(
        f"select n.*, o.* from main.{name} n join base.{name} o using ({key})"
        f" where ({_list(values, 'n')}) is not ({_list(values, 'o')}) order by {_list(table.key, 'n')}"
    )
    for row in rows:
        new = dict(zip(table.columns, row[:count], strict=True))
        old = dict(zip(table.columns, row[count:], strict=True))
        changed = {column: _plain(new[column]) for column in values if new[column] != old[column]}
        yield (*(new[column] for column in table.key), changed)


def _chunks(table: Table, what: str, rows: Iterator[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    while chunk := list(islice(rows, ROWS)):
        yield {"table": table.name, what: [[_plain(value) for value in row] for row in chunk]}


def _plain(value: Any) -> Any:
    return {_BLOB: b64encode(value).decode()} if isinstance(value, bytes) else value


# -- applying -------------------------------------------------------------------------------------


def _apply(db: sqlite3.Connection, delta: Path) -> None:
    try:
        with zstandard.open(delta, "rt", encoding="utf-8", newline="\n") as lines:
            head = json.loads(next(lines))
            if head["format"] != _FORMAT:
                raise DamagedError(f"{delta.name} is of a newer fanwen; upgrade this one.")
            if head["from"] != _version(db):
                raise DamagedError(f"{delta.name} follows {head['from']}, not {_version(db)}.")
            known = {table.name: table for table in tables(db)}
            for line in lines:
                entry = json.loads(line)
                _change(db, known[entry["table"]], entry)
            if head["to"] != _version(db):
                raise ValueError("it does not lead where it says")
    except _UNREADABLE as error:
        raise DamagedError(f"{delta.name} cannot be applied ({error}); fetch it again.") from None


def _change(db: sqlite3.Connection, table: Table, entry: dict[str, Any]) -> None:
    name = quoted(table.name)
    where = " and ".join(f"{quoted(column)} is ?" for column in table.key)
    for row in entry.get("gone", ()):
        db.execute(f"delete from {name} where {where}", _values(row))
    for *key, changed in entry.get("changed", ()):
        if unknown := changed.keys() - set(table.columns):
            raise ValueError(f"no column {unknown.pop()} in {table.name}")
        places = ", ".join(f"{quoted(column)} = ?" for column in changed)
        db.execute(f"update {name} set {places} where {where}", _values([*changed.values(), *key]))
    if rows := entry.get("new"):
        marks = ", ".join("?" * len(table.columns))
        db.executemany(f"insert into {name} values ({marks})", map(_values, rows))


def _values(row: Sequence[Any]) -> list[Any]:
    return [b64decode(value[_BLOB]) if isinstance(value, dict) else value for value in row]


def _version(db: sqlite3.Connection, schema: str = "main") -> str | None:
    row = db.execute(f"select value from {schema}.setting where name = ?", (RELEASE,)).fetchone()
    return None if row is None else str(row[0])


def _list(columns: Sequence[str], of: str = "") -> str:
    return ", ".join((f"{of}." if of else "") + quoted(column) for column in columns)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as db:
        yield db
