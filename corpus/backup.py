"""A backup of a home as a folder: ``fanwen backup``.

In goes a home whose lock the caller holds, so that archive and corpus are of one moment and no text of the
corpus has a page that the archive lacks; out comes a folder with both databases (``VACUUM INTO``), what
people wrote (configuration, site files, takedown list), the runs, on demand the releases, and
``backup.json``, which says what belongs to it. It is there whole or not at all. What can be made anew
(index/) is left out. Nothing is masked.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import fanwen
from fanwen.corpus.exports import files_in
from fanwen.corpus.folders import written_folder
from fanwen.corpus.home import Home
from fanwen.corpus.store import explained
from fanwen.corpus.types import ReleaseFile
from fanwen.errors import DamagedError, UsageError
from fanwen.spiders.archive import utc_now

MANIFEST = "backup.json"
FORMAT = 1
DATABASES = ("archive.db", "corpus.db")
BESIDE = ("fanwen.toml", "takedown.txt", "sites", "runs")
RELEASES = "releases"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds; ``releases`` says whether the published folders are in it."""

    folder: str
    made_at: str
    fanwen: str
    releases: bool
    files: tuple[ReleaseFile, ...]

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.files)


def back_up(home: Home, target: Path, *, releases: bool = False, progress: Progress | None = None) -> Backup:
    """Write the backup into the new folder ``target``. The caller holds the lock of the home.

    Raises :class:`UsageError` where there is nothing to keep or ``target`` exists, :class:`DamagedError`
    where a database is damaged: the backup before it is then the better one.
    """
    step = progress or (lambda name, done, total: None)
    if not home.corpus.is_file() and not home.archive.is_file():
        raise UsageError(f"There is nothing to back up in {home.path}; name another home with --home.")
    with written_folder(target) as folder:
        for name in DATABASES:
            if (home.path / name).is_file():
                step(name, 0, 0)
                copy_database(home.path / name, folder / name)
        for name in (*BESIDE, RELEASES) if releases else BESIDE:
            _copy(home.path / name, folder / name)
        made = Backup(str(target), utc_now(), fanwen.__version__, releases, tuple(files_in(folder)))
        manifest = {"format": FORMAT, **{k: v for k, v in asdict(made).items() if k != "folder"}}
        text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")
    return made


def copy_database(source: Path, target: Path) -> None:
    """A whole copy of a database of one moment, checked. Raises DamagedError where it cannot be one."""
    with explained(source), closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as db:
        db.execute("vacuum into ?", (str(target),))
    with closing(sqlite3.connect(target)) as db:
        found = db.execute("pragma quick_check(1)").fetchone()[0]
    if found != "ok":
        raise DamagedError(f"{source} is damaged ({found}); restore it from an earlier backup.")


def read(folder: Path) -> Backup:
    """The manifest of a backup, every file checked against it.

    Raises :class:`UsageError` where there is none or a newer fanwen made it, :class:`DamagedError` where a
    file is not as it says.
    """
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        number = data.pop("format")
        if number != FORMAT:
            raise UsageError(f"{folder} was made by another fanwen (format {number}); use that one.")
        data["files"] = tuple(ReleaseFile(**one) for one in data["files"])
        backup = Backup(folder=str(folder), **data)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"There is no backup at {folder}; name a folder that 'fanwen backup' wrote."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamagedError(f"{folder / MANIFEST} cannot be read; use another backup.") from None
    found = {one.path: one for one in files_in(folder)}
    for one in backup.files:
        if found.get(one.path) != one:
            what = "damaged" if one.path in found else "missing"
            raise DamagedError(f"{one.path} of the backup {folder} is {what}; use another backup.")
    return backup


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".building-*"))
    elif source.is_file():
        shutil.copy2(source, target)
