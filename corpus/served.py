"""The published tables of a corpus as an SQLite file of their own, made for looking around in it.

In goes a database, which is only read, out comes a file with the tables of ``data/release.toml``, with keys
from table to table and indexes on what is filtered and counted by. It is thrown away afterwards.
"""

from __future__ import annotations

import sqlite3
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from fanwen.corpus.marks import Progress
from fanwen.corpus.tables import Table, query_of, tables

_TYPES = {"string": "text", "bool": "integer", "int32": "integer", "double": "real", "list<string>": "text"}


@dataclass(frozen=True, slots=True)
class Shown:
    """How a table opens: its facets, the columns with an index, and those that hold the id of a piece."""

    facets: Sequence[str]
    indexed: Sequence[str]
    references: Sequence[str]


@dataclass(frozen=True, slots=True)
class Query:
    """A ready question to one of the two databases; ``titles`` by language."""

    database: str
    sql: str
    titles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Look:
    """What ``data/serve.toml`` says: tables by name, questions by name, words by language."""

    tables: Mapping[str, Shown]
    queries: Mapping[str, Query]
    words: Mapping[str, Mapping[str, str]]


@cache
def look() -> Look:
    found = tomllib.loads((files("fanwen.corpus") / "data/serve.toml").read_text(encoding="utf-8"))
    return Look(
        {name: Shown(**one) for name, one in found["tables"].items()},
        {
            name: Query(one["database"], one["sql"].strip(), {"en": one["en"], "zh": one["zh"]})
            for name, one in found["queries"].items()
        },
        found["words"],
    )


def make_tables(source: Path, target: Path, progress: Progress | None = None) -> None:
    """Write the published tables of ``source`` into the new file ``target``."""
    with closing(
        sqlite3.connect(f"{target.absolute().as_uri()}?mode=rwc", uri=True, isolation_level=None)
    ) as db:
        db.execute("pragma journal_mode = off")
        db.execute("pragma synchronous = off")
        db.execute("attach ? as source", (f"{source.absolute().as_uri()}?mode=ro",))
        db.execute("begin")
        for done, (name, shown) in enumerate(look().tables.items(), start=1):
            for statement in _statements(tables()[name], shown):
                db.execute(statement)
            if progress:
                progress("tables", done, len(look().tables))
        db.execute("commit")


def _statements(table: Table, shown: Shown) -> list[str]:
    names = ", ".join(column.name for column in table.columns)
    columns = [
        f"{column.name} {_TYPES[column.type]}"
        + (" primary key" if (table.name, column.name) == ("pieces", "id") else "")
        + (" references pieces(id)" if column.name in shown.references else "")
        for column in table.columns
    ]
    return [
        f"create table {table.name} ({', '.join(columns)})",
        f"insert into {table.name} ({names}) select {names} from ({query_of(table.name)})",
        *(
            f"create index {table.name}_{column} on {table.name} ({column})"
            for column in (*shown.indexed, *shown.references)
        ),
    ]
