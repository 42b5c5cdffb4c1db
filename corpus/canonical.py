"""Writes a database in one form: the same rows and schema give the same bytes, however they came about.

In goes any SQLite file, out comes one without free pages whose rows lie in the order of their keys. So a
release that is rebuilt from an earlier one and a delta is, byte for byte, the one that was published; VACUUM
keeps the rowids of tables without a number of their own, which tell in what order things were written. The
version of SQLite that stands in the header is always the same one, for no reader looks at it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_VERSION_AT = 96  # offset of SQLITE_VERSION_NUMBER in the header, https://sqlite.org/fileformat.html
_VERSION = (3_040_000).to_bytes(4, "big")
_PRAGMAS = ("application_id", "user_version")


@dataclass(frozen=True, slots=True)
class Table:
    """A table as its rows are known: ``key`` are the columns of its primary key, or all where it has none."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


def canonical(source: Path, target: Path) -> None:
    """Write what ``source`` holds into the new file ``target``."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target.resolve().as_uri(), uri=True, isolation_level=None)) as db:
        db.execute("pragma journal_mode = off")
        db.execute("pragma synchronous = off")
        db.execute("attach ? as source", (f"{source.resolve().as_uri()}?mode=ro",))
        db.execute("begin")
        for pragma in _PRAGMAS:
            (value,) = db.execute(f"pragma source.{pragma}").fetchone()
            db.execute(f"pragma main.{pragma} = {value}")
        later = []
        for kind, sql in statements(db, "source"):
            if kind == "table":
                db.execute(sql)
            else:
                later.append(sql)
        for table in tables(db, "source"):
            order = ", ".join(map(quoted, table.key))
            name = quoted(table.name)
            db.execute(f"insert into main.{name} select * from source.{name} order by {order}")
        for sql in later:
            db.execute(sql)
        db.execute("commit")
    with target.open("r+b") as file:
        file.seek(_VERSION_AT)
        file.write(_VERSION)


def statements(db: sqlite3.Connection, schema: str = "main") -> list[tuple[str, str]]:
    """What makes an empty database of the same schema: (kind, SQL) in order."""
    rows = db.execute(
        f"select name, type, sql from {schema}.sqlite_master where sql is not null"
        " and name not like 'sqlite\\_%' escape '\\' order by rowid"
    ).fetchall()
    made_by = _virtual(rows)
    return [(kind, sql) for name, kind, sql in rows if not name.startswith(made_by)]


def tables(db: sqlite3.Connection, schema: str = "main") -> Iterator[Table]:
    """Every table whose rows are its own, in order: virtual ones are indexes and caches."""
    rows = db.execute(
        f"select name, type, sql from {schema}.sqlite_master where type = 'table'"
        " and name not like 'sqlite\\_%' escape '\\' order by rowid"
    ).fetchall()
    virtual = _virtual(rows)
    for name, _, sql in rows:
        if name.startswith(virtual) or _is_virtual(sql):
            continue
        columns = db.execute("select name, pk from pragma_table_info(?, ?)", (name, schema)).fetchall()
        key = [column for column, place in sorted(columns, key=lambda one: one[1]) if place]
        names = tuple(column for column, _ in columns)
        yield Table(name, names, tuple(key) or names)


def quoted(name: str) -> str:
    """An identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _virtual(rows: list[tuple[str, str, str]]) -> tuple[str, ...]:
    """Beginnings of the names of tables that virtual tables make for themselves."""
    return tuple(f"{name}_" for name, _, sql in rows if _is_virtual(sql))


def _is_virtual(sql: str) -> bool:
    return sql.lower().startswith("create virtual table")
