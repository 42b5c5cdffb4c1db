"""A home from a backup: ``fanwen restore``.

In goes a backup folder; out comes the home as it was then, except that no removal is undone: entries of the
takedown list and tombstones that the home got since are carried over first. What the home held is moved
aside, never deleted. Published releases are facts: those of the home stay, a backup's are taken only where it
has none.

The new files are made in ``.restore/`` of the home, then :mod:`fanwen.corpus.swap` puts them in their places.
Killed before that, the home is as it was; later, the next command that writes ends it.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from fanwen.corpus import backup, search, swap, takedowns
from fanwen.corpus.exports import drop_loose_relations
from fanwen.corpus.home import Home
from fanwen.corpus.release import listing, releases
from fanwen.corpus.store import Store, explained, open_store
from fanwen.corpus.versions import close_piece
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
        rows = _tombstones(home.corpus)
    except (sqlite3.Error, FanwenError):
        rows = []
        notes.append(
            f"The tombstones of the replaced {home.corpus.name} cannot be read: "
            "take down again what was taken down since the backup."
        )
    if new.corpus.is_file():
        with open_store(new.corpus) as store:  # one of an earlier fanwen is brought up to date
            tombstones = _carry(store, rows, notes)
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
_SAME = "kind = ?1 and case_id = ?2 and piece is ?5 and text is ?7"


def _tombstones(corpus: Path) -> list[tuple[object, ...]]:
    if not corpus.is_file():
        return []
    with closing(sqlite3.connect(f"{corpus.resolve().as_uri()}?mode=ro", uri=True)) as db:
        return db.execute(f"select {_COLUMNS} from tombstone order by id").fetchall()


def _carry(store: Store, rows: Sequence[tuple[object, ...]], notes: list[str]) -> int:
    """Write the tombstones that the backup does not have, and take down what they name."""
    carried = 0
    purged: list[str] = []
    with store.atomic():
        for row in rows:
            kind, case, *_, added, lifted = row
            piece, text = row[4], row[6]
            known = store.rows(f"select id, lifted_in from tombstone where {_SAME}", *row[:7]).fetchone()
            if known is not None:
                if lifted is not None and known[1] is None:
                    store.rows("update tombstone set lifted_in = ? where id = ?", store.pending, known[0])
                continue
            carried += 1
            values = (*row[:9], min(int(str(added)), store.pending), store.pending if lifted else None)
            store.rows(f"insert into tombstone ({_COLUMNS}) values (?,?,?,?,?,?,?,?,?,?,?)", *values)
            if lifted is None:
                _take_down(store, piece, text, purge=kind == "purge")
                purged += [str(case)] if kind == "purge" else []
    if purged:
        search.clear(store)
        search.update(store)
        store.rows("vacuum")
        cases = ", ".join(sorted(set(purged)))
        notes.append(
            f"What was purged since the backup ({cases}) is out of corpus.db again; "
            "its pages are in archive.db until it is purged once more."
        )
    return carried


def _take_down(store: Store, piece: object, text: object, *, purge: bool) -> None:
    pieces = store.rows(
        "select distinct piece from piece_version where removed_in is null and (piece is ?1 or text is ?2)",
        piece,
        text,
    ).fetchall()
    for (one,) in pieces:
        close_piece(store, one, takedowns.REASON)
    if not purge:
        return
    texts = [
        row[0]
        for column in ("text", "text_original", "published")
        for row in store.rows(
            f"select {column} from piece_version where (piece is ?1 or text is ?2) and {column} is not null",
            piece,
            text,
        )
    ]
    store.conn.executemany("update text set body = null where sha256 = ?", [(one,) for one in texts])
    store.conn.executemany("delete from fingerprint where text = ?", [(one,) for one in texts])
    drop_loose_relations(store.conn)


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
