"""A home from a backup: ``fanwen restore``.

In goes a backup folder; out comes the home as it was then, except that no removal is undone: entries of the
takedown list and tombstones that the home got since are carried over first. What the home held is moved
aside, never deleted. Published releases are facts: those of the home stay, a backup's are taken only where it
has none.

The new files are made in ``.restore/`` of the home, then :mod:`fanwen.corpus.swap` puts them in their places.
Killed before that, the home is as it was; later, the next command that writes ends it.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from fanwen.corpus import backup, erase, swap, takedown_acts, takedown_journal
from fanwen.corpus.home import Home
from fanwen.corpus.release import releases
from fanwen.corpus.release_index import listing
from fanwen.corpus.store import Store, explained, open_store
from fanwen.corpus.takedown_case import plan
from fanwen.errors import FanwenError, UsageError
from fanwen.spiders.archive import Archive, utc_now


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. ``replaced`` is the folder with what the home held before, None where it was empty.

    ``tombstones`` and ``takedown_entries`` count what was carried over; ``notes`` are sentences to be told.
    """

    source: str
    made_at: str
    replaced: str | None
    tombstones: int
    takedown_entries: int
    notes: tuple[str, ...]


def restore(home: Home, source: Path, *, force: bool = False) -> Restored:
    """Put the backup ``source`` in the place of what ``home`` holds. The caller holds its lock.

    Raises :class:`UsageError` where there is no backup, or where the home holds something and ``force`` is
    not given; :class:`DamagedError` where the backup is damaged: the home is then as it was.
    """
    kept = backup.read(source)
    if _held(home) and not force:
        raise UsageError(
            f"The home {home.path} is not empty; with --force what it holds is moved aside, not deleted."
        )
    home.takedown()  # a list that cannot be read is told before anything is done
    with explained(home.path):
        new = Home(swap.stage(home.path))
        _copy(source, new.path, [one.path for one in kept.files])
        done = _carried_over(home, new, kept)
        # a log may have come with reading the tombstones, and the releases of the home stay where they are
        out = [name for name in _held(home) if name != home.releases.name or not home.releases.is_dir()]
        if home.releases.is_dir():
            shutil.rmtree(new.releases, ignore_errors=True)
        swap.swap(home.path, out, done.replaced or swap.ASIDE, asdict(done))
    return done


def finished(home: Home) -> Restored | None:
    """End a restore that was killed while files changed places; what it was, None where there is none."""
    note = swap.finish(home.path)
    return None if note is None else Restored(**{**note, "notes": tuple(note["notes"])})  # type: ignore[arg-type]


def name_of(source: Path) -> str:
    """How a backup is named in reports, wherever one stands."""
    return str(source.resolve())


def _held(home: Home) -> list[str]:
    names = sorted(path.name for path in home.path.iterdir())
    return [name for name in names if name not in ("lock", swap.STAGE) and not name.startswith(swap.ASIDE)]


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


# -- what must not be undone ----------------------------------------------------------------------


def _carried_over(home: Home, new: Home, kept: backup.Backup) -> Restored:
    """Give the staged home every removal that the home knows and the backup does not."""
    notes: list[str] = []
    entries = _merge_lists(home, new)
    tombstones = 0
    try:
        removals = _removals(home.corpus)
    except (sqlite3.Error, FanwenError):
        removals = _Removals()
        notes.append(
            f"The tombstones of the replaced {home.corpus.name} cannot be read: "
            "take down again what was taken down since the backup."
        )
    if new.corpus.is_file():
        with open_store(new.corpus) as store:  # one of an earlier fanwen is brought up to date
            tombstones = _carry(new, store, removals)
        erase.finish(new)
        with open_store(new.corpus) as store:
            # the staged file is renamed alone, without a log beside it
            store.rows("pragma journal_mode = delete")
    if new.archive.is_file():
        with Archive(new.archive) as archive:
            archive.conn.execute("pragma journal_mode = delete")
    if home.releases.is_dir() and new.corpus.is_file():
        notes += _unknown_releases(home, new)
    aside = f"{swap.ASIDE}{re.sub('[:-]', '', utc_now())}" if _held(home) else None
    return Restored(name_of(Path(kept.folder)), kept.made_at, aside, tombstones, entries, tuple(notes))


def _merge_lists(home: Home, new: Home) -> int:
    """Append the lines of the home's takedown list that the backup's lacks; how many."""
    if not home.takedown_file.is_file():
        return 0
    known = new.takedown_file.read_text(encoding="utf-8-sig") if new.takedown_file.is_file() else ""
    lines = home.takedown_file.read_text(encoding="utf-8-sig").splitlines()
    missing = [line for line in lines if line.strip() and line not in known.splitlines()]
    if missing:
        begin = known if not known or known.endswith("\n") else f"{known}\n"
        new.takedown_file.write_text(begin + "".join(f"{line}\n" for line in missing), encoding="utf-8")
    return sum(1 for line in missing if not line.lstrip().startswith("#"))


_COLUMNS = "kind, case_id, basis, received, piece, leaf, text, key, marks, added_in, lifted_in"
_ACTED = "at, case_id, action, basis, received, detail"


@dataclass(frozen=True, slots=True)
class _Removals:
    """What a corpus knows of takedowns: rows of its journal and its tombstones."""

    acted: tuple[tuple[str, ...], ...] = ()
    tombstones: tuple[tuple[object, ...], ...] = ()


def _removals(corpus: Path) -> _Removals:
    if not corpus.is_file():
        return _Removals()
    with closing(sqlite3.connect(f"{corpus.resolve().as_uri()}?mode=ro", uri=True)) as db:
        there = db.execute("select 1 from sqlite_master where name = 'takedown_journal'").fetchone()
        acted = f"select {_ACTED} from takedown_journal order by id"
        tombstones = f"select {_COLUMNS} from tombstone order by id"
        return _Removals(
            tuple(db.execute(acted).fetchall()) if there else (), tuple(db.execute(tombstones).fetchall())
        )


def _carry(new: Home, store: Store, removals: _Removals) -> int:
    """Do again what was done since the backup; the number of tombstones that it did not have."""
    before = store.value("select count(*) from tombstone")
    done = set(store.rows(f"select {_ACTED} from takedown_journal").fetchall())
    for row in removals.acted:
        if row not in done:
            _again(new, store, row)
    with store.atomic():
        for known in removals.tombstones:  # of what the backup never had, so that it does not come back
            kind, case, *_, piece, _leaf, text = known[:7]
            if not store.value(
                "select 1 from tombstone where kind = ? and case_id = ? and piece is ? and text is ?",
                kind, case, piece, text,
            ):  # fmt: skip
                values = (*known[:9], min(int(str(known[9])), store.pending), known[10] and store.pending)
                marks = ", ".join("?" * len(values))
                store.rows(f"insert into tombstone ({_COLUMNS}) values ({marks})", *values)
    return int(store.value("select count(*) from tombstone")) - int(before)


def _again(new: Home, store: Store, row: tuple[str, ...]) -> None:
    _, case_id, action, basis, received, detail = row
    named = json.loads(detail).get("pieces", ())
    pieces = [piece for piece in named if store.value("select 1 from piece_version where piece = ?", piece)]
    if action == "lift":
        with suppress(UsageError):  # what was held is not in the backup
            takedown_acts.lift(store, case_id, set(named))
    elif pieces and action in ("hold", "purge"):
        case = takedown_journal.Case(case_id, basis, received)
        found = plan(store, [f"piece:{piece}" for piece in pieces])
        if action == "hold":
            takedown_acts.hold(store, case, found)
        else:
            takedown_acts.purge(new, store, case, found)


def _unknown_releases(home: Home, new: Home) -> list[str]:
    with open_store(new.corpus, readonly=True) as store:
        known = {one.version for one in releases(store)}
    later = [one.version for one in listing(home.releases) if one.version not in known]
    if not later:
        return []
    return [
        f"Published after the backup and not known to its corpus: {', '.join(later)}; "
        "these folders stay, and no number is used twice."
    ]
