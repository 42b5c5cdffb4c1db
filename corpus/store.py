"""Opens corpus.db, explains what can go wrong with it, and knows the pending release.

Nothing else in fanwen connects to corpus.db. WAL, foreign keys and secure_delete are on;
errors of SQLite become :mod:`fanwen.errors` with one sentence.
"""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
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
WORKER_CACHE_KB = 20_000  # of a process that reads most rows once
CACHE_KB = 200_000  # at most; with SQLite's own 2 MB a large corpus is read again for every row

# settings that name the release whose state a file holds for good
CHECKOUT = "checkout"  # made by fanwen checkout, texts as they are kept
RELEASE = "release"  # published with a release, texts masked


class Store:
    """An open corpus.db. ``pending`` is the seq that changes are written into."""

    def __init__(self, path: Path, db: Database) -> None:
        self.path = path
        self.db = db
        self.conn: sqlite3.Connection = db.conn
        self.refresh_pending()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read within the block is of one moment, whatever another process commits meanwhile."""
        if self.conn.in_transaction:
            yield
            return
        self.conn.execute("begin")
        try:
            self.refresh_pending()
            yield
        finally:
            # not a rollback: that would end a cursor that a caller still reads from
            self.conn.execute("commit")

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
def open_store(
    path: Path, *, readonly: bool = False, create: bool = False, fixed: bool = False
) -> Iterator[Store]:
    """Open corpus.db for a ``with`` block; migrates it unless ``readonly``.

    A copy that stands for one release is opened for writing only with ``fixed``.
    Raises :class:`UsageError` where there is none, it is such a copy or a newer fanwen made it,
    :class:`DamagedError` where it is not one, :class:`BlockedError` where another process writes,
    :class:`IncompleteError` on a full disk.
    """
    if not path.is_file() and (readonly or not create):
        raise UsageError(f"There is no corpus at {path}; run 'fanwen build' first.")
    with explained(path):
        conn = _connect(path, readonly)
        try:
            _must_be_ours(conn, path)
            db = Database(conn)
            _must_be_known(db, path)
            if not readonly:
                if not fixed:
                    _must_not_be_fixed(conn, path)
                conn.execute("pragma journal_mode = wal")
                conn.execute("pragma secure_delete = on")
                if migrations.pending(db):
                    _migrate(db)
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
def reading(path: Path) -> Iterator[Store]:
    """Open corpus.db for a block that reads one moment of it; raises what :func:`open_store` raises."""
    with open_store(path, readonly=True) as store, store.snapshot():
        yield store


_open = ExitStack()
_workers: dict[Path, Store] = {}


def worker_store(path: Path) -> Store:
    """In a worker process: corpus.db for reading, opened once, with a small cache."""
    if path not in _workers:
        store = _open.enter_context(open_store(path, readonly=True))
        store.rows(f"pragma cache_size = -{WORKER_CACHE_KB}")
        _workers[path] = store
    return _workers[path]


def must_go_on(path: Path) -> None:
    """Raise UsageError where the file holds the state of one release for good."""
    version = fixed_as(path)
    if version is not None:
        raise _never_changes(path, version)


def fixed_as(path: Path) -> str | None:
    """The release whose state the file holds for good; None where it goes on, or there is no file."""
    if not path.is_file():
        return None
    with explained(path), closing(_connect(path, readonly=True)) as conn:
        return _fixed_as(conn)


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


def _must_be_known(db: Database, path: Path) -> None:
    if {one.name for one in migrations.applied(db)} - {one.name for one in migrations._migrations}:
        raise UsageError(f"{path} was made by a newer fanwen; upgrade fanwen to use it, nothing was changed.")


def _must_not_be_fixed(conn: sqlite3.Connection, path: Path) -> None:
    version = _fixed_as(conn)
    if version is not None:
        raise _never_changes(path, version)


def _never_changes(path: Path, version: str) -> UsageError:
    return UsageError(
        f"{path} is release {version} and never changes; work in the home that it was made from."
    )


def _fixed_as(conn: sqlite3.Connection) -> str | None:
    if conn.execute("select 1 from sqlite_master where name = 'setting'").fetchone() is None:
        return None
    marks = "select value from setting where name in (?, ?)"
    row = conn.execute(marks, (CHECKOUT, RELEASE)).fetchone()
    return None if row is None else str(row[0])


def _migrate(db: Database) -> None:
    """All that is missing in one transaction: a kill leaves the database as it was."""
    db.conn.execute("begin immediate")
    try:
        migrations.apply(db)
        db.conn.execute("commit")
    except BaseException:
        db.conn.rollback()
        raise


def to_json(value: object) -> str:
    """The one way JSON is written into the database and into releases: compact, keys sorted."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
