"""Opens corpus.db, explains what can go wrong with it, and knows the pending release.

Nothing else in fanwen connects to corpus.db. WAL, foreign keys and secure_delete are on;
errors of SQLite become :mod:`fanwen.errors` with one sentence.
"""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlite_utils import Database

from fanwen.corpus.schema import APPLICATION_ID, migrations
from fanwen.errors import (
    BlockedError,
    DamagedError,
    FanwenError,
    IncompleteError,
    UsageError,
    disk_is_full,
)

BUSY_SECONDS = 10.0
CACHE_KB = 200_000  # at most; with SQLite's own 2 MB a large corpus is read again for every row


class Store:
    """An open corpus.db. ``pending`` is the seq that changes are written into."""

    def __init__(self, path: Path, db: Database) -> None:
        self.path = path
        self.db = db
        self.conn: sqlite3.Connection = db.conn
        self.refresh_pending()

    def refresh_pending(self) -> None:
        self.released: int = self.value("select coalesce(max(seq), 0) from release")
        self.pending: int = self.released + 1

    def rows(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        return self.conn.execute(sql, parameters)

    def value(self, sql: str, *parameters: Any) -> Any:
        """First column of the first row; None where there is no row."""
        row = self.conn.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All or nothing; foreign keys are checked at the end."""
        with self.db.atomic():
            self.conn.execute("pragma defer_foreign_keys = on")
            yield

    def setting(self, name: str) -> str | None:
        value = self.value("select value from setting where name = ?", name)
        return None if value is None else str(value)

    def set_setting(self, name: str, value: str) -> None:
        self.rows("insert or replace into setting (name, value) values (?, ?)", name, value)


@contextmanager
def open_store(path: Path, *, readonly: bool = False, create: bool = False) -> Iterator[Store]:
    """Open corpus.db for a ``with`` block; migrates it unless ``readonly``.

    Raises :class:`UsageError` where there is none, :class:`DamagedError` where it is not one,
    :class:`BlockedError` where another process writes, :class:`IncompleteError` on a full disk.
    """
    if not path.is_file() and (readonly or not create):
        raise UsageError(f"There is no corpus at {path}; run 'fanwen build' first.")
    with explained(path):
        conn = _connect(path, readonly)
        try:
            _must_be_ours(conn, path)
            db = Database(conn)
            if not readonly:
                conn.execute("pragma journal_mode = wal")
                conn.execute("pragma secure_delete = on")
                if migrations.pending(db):
                    migrations.apply(db)
            elif migrations.pending(db):
                raise UsageError(
                    f"{path} was made by an earlier fanwen; run 'fanwen build' to bring it up to date."
                )
            conn.execute("pragma foreign_keys = on")
            conn.execute(f"pragma cache_size = -{CACHE_KB}")
            yield Store(path, db)
        finally:
            conn.close()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's and the disk's errors within the block into errors that users understand."""
    try:
        yield
    except FanwenError:
        raise
    except sqlite3.Error as error:
        raise _explain(error, path) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise IncompleteError(_FULL.format(path=path)) from error
        raise


_FULL = (
    "The disk is full while writing {path}; make room and run the command again, it goes on where it stopped."
)


def _explain(error: sqlite3.Error, path: Path) -> FanwenError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BlockedError(
            f"Another process is writing {path}; wait until it has finished and run this again."
        )
    unusable = primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
    if primary == sqlite3.SQLITE_FULL or (unusable and disk_is_full(path)):
        return IncompleteError(_FULL.format(path=path))
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DamagedError(
            f"{path} is damaged or no database ({error}); restore it from a backup or a release."
        )
    if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return UsageError(
            f"{path} cannot be opened or written ({error}); check its folder and its permissions."
        )
    if primary == sqlite3.SQLITE_IOERR:
        return IncompleteError(
            f"Reading or writing {path} failed ({error}); check the disk and run this again."
        )
    return DamagedError(f"{path} is not what a corpus should be ({error}); 'fanwen verify' says more.")


def _connect(path: Path, readonly: bool) -> sqlite3.Connection:
    if readonly:
        uri = f"file:{quote(str(path.resolve()))}?mode=ro"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    # no implicit transactions: what is not in an atomic block is committed at once
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)


def _must_be_ours(conn: sqlite3.Connection, path: Path) -> None:
    # a kill while the file was being made leaves it empty, or with the list of migrations only
    tables = {row[0] for row in conn.execute("select name from sqlite_master where type = 'table'")}
    if not tables - {"_sqlite_migrations", "sqlite_sequence"}:
        return
    if conn.execute("pragma application_id").fetchone()[0] != APPLICATION_ID:
        raise DamagedError(f"{path} is a database, but not a fanwen corpus; give the path of a corpus.db.")


def to_json(value: object) -> str:
    """The one way JSON is written into the database and into releases: compact, keys sorted."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
