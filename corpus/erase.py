"""Erases from a home what a purge ordered, so that no stretch of it is left, and proves it.

In go orders (table ``erasure``, written with the purge itself), out come :class:`Erased`: strings elsewhere
in corpus.db, bodies in the archive, files of the home, caches, freed pages and logs are done one after the
other. A kill stops this no longer than to the next command that writes. Earlier releases are never touched,
only named in their index.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fanwen.corpus import dedup, release_index, search
from fanwen.corpus.fingerprint import SPEC
from fanwen.corpus.home import Home
from fanwen.corpus.segments import Segments
from fanwen.corpus.store import Store, open_store
from fanwen.corpus.stretches import LENGTH, Stretches, stretches_from
from fanwen.corpus.takedown_journal import journal, opened
from fanwen.corpus.withdraw import as_list, cut_strings, holding, not_kept
from fanwen.errors import BlockedError
from fanwen.spiders.archive import Archive

Progress = Callable[[str, int, int], None]

CHUNK = 1 << 23  # bytes of a database looked at at once
LARGEST = 1 << 28  # bytes of a file that is looked through
_STEPS = 7
_STRINGS_OF_ARCHIVE = (("url", "name"), ("fetch", "headers"))


@dataclass(frozen=True, slots=True)
class Erased:
    """What one order came to. ``left`` is what a person has to look at.

    These are settings, very large files, and what the proof found, such as an id that repeats the text.
    """

    case_id: str
    bodies: tuple[str, ...]
    documents: tuple[str, ...]
    files: tuple[str, ...]
    left: tuple[str, ...]


def finish(home: Home, progress: Progress | None = None) -> list[Erased]:
    """Carry out what is still to be erased; nothing is done where there is nothing. The home is locked.

    Raises BlockedError while another process reads: the next command goes on.
    """
    if not home.corpus.is_file():
        return []
    with open_store(home.corpus) as store:
        rows = store.rows("select id, case_id, whole, stretches, bodies from erasure order by id").fetchall()
        return [_carry_out(home, store, _Order(*row), progress or (lambda *_: None)) for row in rows]


@dataclass(frozen=True, slots=True)
class _Order:
    """A row of the table ``erasure``."""

    id: int
    case_id: str
    whole: int
    stretches: bytes
    bodies: str


def _carry_out(home: Home, store: Store, order: _Order, progress: Progress) -> Erased:
    gone = not_kept(store.conn, stretches_from(order.stretches))
    case, whole = order.case_id, bool(order.whole)
    with store.atomic():
        cut_strings(store.conn, gone)
    progress("strings", 1, _STEPS)
    erased, documents = _from_archive(home, store, gone, json.loads(order.bodies), case, whole=whole)
    progress("bodies", 2, _STEPS)
    if whole:
        Segments(store.path.parent / "index", SPEC).clear()
        search.clear(store)
    files, left = _from_files(home, gone) if whole else ([], [])
    progress("files", 3, _STEPS)
    dedup.update(store)
    search.update(store)
    progress("index", 4, _STEPS)
    if whole:
        store.rows("vacuum")
    _empty_log(store)
    progress("written anew", 5, _STEPS)
    if whole:
        left += _prove(home, store, gone)
    progress("proved", 6, _STEPS)
    for (detail,) in store.rows(
        "select detail from takedown_journal where case_id = ? and action = 'purge'", case
    ).fetchall():
        release_index.mark_taken_down(home.releases, case, json.loads(detail)["releases"])
    done = Erased(case, tuple(erased), tuple(documents), tuple(files), tuple(left))
    with store.atomic():
        _note(store, done, len(gone.hashes))
        store.rows("delete from erasure where id = ?", order.id)
    _empty_log(store)
    progress("done", _STEPS, _STEPS)
    return done


def _note(store: Store, done: Erased, stretches: int) -> None:
    """A line in the journal."""
    detail = {name: value for name, value in asdict(done).items() if name != "case_id"}
    case = opened(store, done.case_id, None, None)
    journal(store, case, "erased", {**detail, "stretches": stretches})


# -- bodies of the archive ----------------------------------------------------------------------------


def _from_archive(
    home: Home, store: Store, gone: Stretches, named: Sequence[str], case: str, *, whole: bool
) -> tuple[list[str], list[str]]:
    """Erase the named bodies, and all others that hold a stretch; these, and documents that lost a page."""
    if not home.archive.is_file():
        return [], []
    with Archive(home.archive) as archive:
        found = {digest for digest, body in archive.page_bodies() if gone.in_bytes(body)} if whole else set()
        archive.erase({*named, *found}, case)
        with archive.write() as conn:
            for table, column in _STRINGS_OF_ARCHIVE:
                for row, string in holding(conn, table, column, gone):
                    conn.execute(f"update {table} set {column} = ? where rowid = ?", (gone.cut(string), row))
        # after a kill some were erased before
        erased = archive.erased_in(case)
        documents = archive.documents_of(erased)
        archive.leave_no_trace(anew=whole)
    with store.atomic():
        store.rows(
            "update document set source_removed = 1 where source = 'archive'"
            " and key in (select value from json_each(?))",
            as_list(documents),
        )
    return erased, documents


# -- files of the home --------------------------------------------------------------------------------


def _from_files(home: Home, gone: Stretches) -> tuple[list[str], list[str]]:
    """Files that held a stretch and were removed or cut, and those that a person has to look at."""
    for folder in home.releases.glob(".building-*"):
        shutil.rmtree(folder, ignore_errors=True)
    done, left = [], []
    for path in _files(home):
        name = path.relative_to(home.path).as_posix()
        if path.is_file() and path.stat().st_size > LARGEST:
            left.append(name)
        elif path.is_file() and gone.in_bytes(path.read_bytes()):
            if path.suffix in (".toml", ".txt") and path.parent in (home.path, home.site_folder):
                left.append(name)
                continue
            _remove(path, gone, report=path.parent == home.runs)
            done.append(name)
            done += _canaries_of(home, path)
    return done, left


def _canaries_of(home: Home, page: Path) -> list[str]:
    """Take away canaries that need a page that is gone; without it they would only fail."""
    if page.parent.parent != home.site_folder:
        return []
    needing = [
        one for one in page.parent.glob("*.json") if f'"{page.name}"' in one.read_text(encoding="utf-8")
    ]
    for one in needing:
        one.unlink()
    return [one.relative_to(home.path).as_posix() for one in needing]


def _files(home: Home) -> Iterator[Path]:
    """Every file of the home but the databases and the releases."""
    ours = {
        path.with_name(path.name + end)
        for path in (home.corpus, home.archive)
        for end in ("", "-wal", "-shm")
    }
    for path in sorted(home.path.rglob("*")):
        published = path.is_relative_to(home.releases) and not path.name.endswith(".new")
        if path.is_file() and path not in ours and not published:
            yield path


def _remove(path: Path, gone: Stretches, *, report: bool) -> None:
    """Cut the stretches out of the report of a run; take any other file away."""
    try:
        told = json.loads(path.read_text(encoding="utf-8")) if report else None
    except ValueError:
        told = None
    if told is None:
        path.unlink()
        return
    scratch = path.with_suffix(".new")
    scratch.write_text(
        json.dumps(_cut_json(told, gone), ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    scratch.replace(path)


def _cut_json(value: object, gone: Stretches) -> object:
    if isinstance(value, str):
        return gone.cut(value)
    if isinstance(value, list):
        return [_cut_json(one, gone) for one in value]
    if isinstance(value, dict):
        return {name: _cut_json(one, gone) for name, one in value.items()}
    return value


# -- proof --------------------------------------------------------------------------------------------


def _empty_log(store: Store) -> None:
    if store.value("pragma wal_checkpoint(truncate)"):
        raise BlockedError(
            f"Another process reads {store.path}; run the same command again when it has ended."
        )


def _prove(home: Home, store: Store, gone: Stretches) -> list[str]:
    """Look through both databases again, value by value and byte by byte; where a stretch still stands."""
    found = [f"{store.path.name}, {where}" for where in _values_holding(store.conn, gone)]
    databases = [store.path]
    if home.archive.is_file():
        databases.append(home.archive)
        with Archive(home.archive, readonly=True) as archive:
            found += [f"{home.archive.name}, {where}" for where in _values_holding(archive.conn, gone)]
    for path in (one.with_name(one.name + end) for one in databases for end in ("", "-wal")):
        if path.is_file() and any(gone.stand_in(text) for text in _raw(path)):
            found.append(path.name)
    return found


def _values_holding(db: sqlite3.Connection, gone: Stretches) -> Iterator[str]:
    tables = db.execute(
        "select name from sqlite_master where type = 'table' and sql not like '%virtual%'"
    ).fetchall()
    for (table,) in tables:
        for _, column, kind, *_ in db.execute(f"select * from pragma_table_info('{table}')").fetchall():
            if kind.lower() == "text":
                cursor = db.execute(f"select {column} from {table} where length({column}) >= {LENGTH}")
                while batch := cursor.fetchmany(10_000):
                    if gone.holders([str(value) for (value,) in batch]):
                        yield f"{table}.{column}"
                        break


def _raw(path: Path) -> Iterator[str]:
    """The file as text, in pieces that overlap."""
    before = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield (before + chunk).decode("utf-8", "ignore")
            before = chunk[-4 * LENGTH :]
