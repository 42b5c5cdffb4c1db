"""Chosen pieces of a corpus as a file for another tool: JSON Lines, chats for fine-tuning, or plain text.

In goes a database and what is wanted of it, out comes a file or a folder, which is there whole or not at
all. What leaves is always masked: of a home titles and texts are those that a release shows, and the claims
of pages, which only a release masks, are empty. The same pieces and choices give the same bytes.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from heapq import nsmallest
from importlib.resources import files
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from fanwen.corpus.folders import written_file, written_folder
from fanwen.corpus.store import Store, open_store
from fanwen.corpus.tables import batches_of, query_of, table_of
from fanwen.corpus.views import show_masked
from fanwen.errors import UsageError

STDOUT = "-"
SECONDS = 300.0  # that looking for pieces may take
_LONGEST = 1 << 26  # bytes of a value that a condition may make
_STEPS = 100_000  # of SQLite's machine between two looks at the clock
_NAME = 200  # bytes of a file's name
# other answers at another time, or on another machine
_NEVER = {
    "random",
    "randomblob",
    "load_extension",
    "sqlite_version",
    "sqlite_source_id",
    "changes",
    "total_changes",
}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pieces. ``where`` is an SQL condition over the columns of the published table ``pieces``.

    Those of the default set, unless ``everything``. Of each site at most ``per_site``, chosen by a hash of
    their ids.
    """

    where: str | None = None
    genres: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    split: str | None = None
    everything: bool = False
    per_site: int | None = None


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and how many pieces of each site it holds."""

    out: str
    format: str
    pieces: int
    sites: dict[str, int]


def export(database: Path, wanted: Wanted, format: str, out: str) -> ExportReport:
    """Write what is wanted to ``out``: a file, ``-``, or for txt also a new folder with a file per piece.

    Raises :class:`UsageError` for a wrong condition, a place that cannot be written, and a corpus that is not
    masked yet.
    """
    if wanted.where is not None:
        _check(wanted.where)
    with open_store(database, readonly=True) as store:
        show_masked(store)
        store.rows(f"create temp view pieces as {query_of('pieces')}")
        with store.snapshot():
            sites = _choose(store, wanted, texts=format != "jsonl")
            rows = _rows(store)
            if format == "txt" and out != STDOUT and Path(out).suffix != ".txt":
                _write_folder(rows, Path(out))
            else:
                with _stream(out) as stream:
                    stream.writelines(map(_WRITERS[format], rows))
    return ExportReport(out, format, sum(sites.values()), sites)


def _check(condition: str) -> None:
    """Raise UsageError unless it is one condition over the columns of the table, and nothing else.

    It is tried on an empty table: whatever passes here can read no other.
    """
    table = table_of("all")
    columns = ", ".join(one.name for one in table.columns)
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"create table pieces ({columns})")
        db.set_authorizer(_only_a_condition())
        try:
            db.execute(f"explain select 1 from pieces where ({condition}\n)")
        except (sqlite3.Error, sqlite3.Warning, UnicodeEncodeError, ValueError) as error:
            raise UsageError(
                f"--where is no condition over the columns of a piece ({error}); write it like"
                " genre = '工作总结' and year >= '2023', without subqueries; DATA_FORMAT.md has the columns."
            ) from None


def _only_a_condition() -> Callable[..., int]:
    selects = iter((sqlite3.SQLITE_OK,))

    def allowed(action: int, one: str | None, two: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_SELECT:
            return next(selects, sqlite3.SQLITE_DENY)
        if action == sqlite3.SQLITE_FUNCTION:
            return sqlite3.SQLITE_DENY if str(two).lower() in _NEVER else sqlite3.SQLITE_OK
        known = action == sqlite3.SQLITE_READ and one == "pieces"
        return sqlite3.SQLITE_OK if known else sqlite3.SQLITE_DENY

    return allowed


def _choose(store: Store, wanted: Wanted, *, texts: bool) -> dict[str, int]:
    """Put the ids of what is wanted into the temporary table ``chosen``; how many there are by site."""
    conditions = ["true" if wanted.everything else "excluded_why is null and text is not null"]
    conditions += ["text is not null"] if texts else []
    conditions += [f"({wanted.where}\n)"] if wanted.where is not None else []
    parameters: list[str] = []
    for column, values in (("genre", wanted.genres), ("site", wanted.sites)):
        if values:
            conditions.append(f"{column} in (select value from json_each(?))")
            parameters.append(json.dumps(values))
    if wanted.split is not None:
        conditions.append("split = ?")
        parameters.append(wanted.split)
    with _bounded(store.conn):
        found = store.rows(
            f"select id, site from pieces where {' and '.join(conditions)}", *parameters
        ).fetchall()
    chosen = found if wanted.per_site is None else _some_of_each_site(found, wanted.per_site)
    store.rows("create temp table chosen (id text primary key) without rowid")
    store.conn.executemany("insert into chosen values (?)", [(identity,) for identity, _ in chosen])
    return dict(sorted(Counter(site for _, site in chosen).items()))


def _some_of_each_site(found: Iterable[tuple[str, str]], most: int) -> list[tuple[str, str]]:
    by_site: dict[str, list[str]] = defaultdict(list)
    for identity, site in found:
        by_site[site].append(identity)
    return [(identity, site) for site in by_site for identity in nsmallest(most, by_site[site], key=_hash)]


def _hash(identity: str) -> str:
    return sha256(identity.encode()).hexdigest()


@contextmanager
def _bounded(db: sqlite3.Connection) -> Iterator[None]:
    """A query within the block ends in time, and with Ctrl-C."""
    end = time.monotonic() + SECONDS
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    db.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if time.monotonic() > end:
            raise UsageError(
                f"--where took more than {SECONDS:.0f} seconds; make the condition simpler."
            ) from None
        if "interrupted" in str(error):
            raise KeyboardInterrupt from None
        raise UsageError(f"--where cannot be computed ({error}); correct the condition.") from None
    except (sqlite3.DataError, OverflowError) as error:
        raise UsageError(f"--where cannot be computed ({error}); correct the condition.") from None
    finally:
        db.set_progress_handler(None, 0)


def _rows(store: Store) -> Iterator[Row]:
    cursor = store.rows("select * from pieces where id in (select id from chosen) order by id")
    for batch in batches_of(cursor, table_of("all")):
        yield from batch.to_pylist()


@contextmanager
def _stream(out: str) -> Iterator[TextIO]:
    if out == STDOUT:
        yield sys.stdout
        return
    with written_file(Path(out)) as stream:
        yield stream


# -- formats --------------------------------------------------------------------------------------


def _as_jsonl(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _as_chat(row: Row) -> str:
    messages = [{"role": "user", "content": prompt(row)}, {"role": "assistant", "content": row["text"]}]
    return json.dumps({"messages": messages, "id": row["id"]}, ensure_ascii=False) + "\n"


def prompt(row: Row) -> str:
    """What asks for such a text: of its genre's templates one that depends on the id alone."""
    templates = _prompts().get(row["genre"], _prompts()["default"])["titled" if row["title"] else "untitled"]
    chosen = templates[int(_hash(row["id"]), 16) % len(templates)]
    return chosen.format(title=row["title"], genre=row["genre"])


@cache
def _prompts() -> dict[str, dict[str, Sequence[str]]]:
    return tomllib.loads((files("fanwen.corpus") / "data/prompts.toml").read_text(encoding="utf-8"))


def _as_text(row: Row) -> str:
    """A piece among others: a line with id and title, the text, an empty line."""
    return f"===== {row['id']} {row['title'] or ''}".rstrip() + f"\n{row['text']}\n\n"


def _write_folder(rows: Iterable[Row], target: Path) -> None:
    with written_folder(target) as folder:
        for row in rows:
            title = f"{row['title']}\n\n" if row["title"] else ""
            (folder / _file_name(row["id"])).write_text(
                f"{title}{row['text']}\n", encoding="utf-8", newline="\n"
            )


def _file_name(identity: str) -> str:
    """The id, as far as it is a name of a file: those of ready-made pieces can be anything."""
    name = quote(identity, safe="")
    plain = 0 < len(name) <= _NAME and not name.startswith(".")
    return f"{name if plain else _hash(identity)}.txt"


_WRITERS: dict[str, Callable[[Row], str]] = {"jsonl": _as_jsonl, "sft": _as_chat, "txt": _as_text}
