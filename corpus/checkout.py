"""The corpus as of a release, as a folder of its own: ``fanwen checkout``.

In goes corpus.db, or a release folder where there is no more than that; out comes a folder whose corpus.db
holds everything up to that release and nothing later. From corpus.db the texts are as they are kept, from a
release as they were published; a text that was taken down since is in neither. Count and root hash are
proved to be those that were published before the folder gets its name. Nothing is ever written into it again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fanwen.corpus import exports, release, release_index, search
from fanwen.corpus.folders import written_folder
from fanwen.corpus.home import Home
from fanwen.corpus.reader import database_of
from fanwen.corpus.store import RELEASE, Store, open_store, reading
from fanwen.corpus.types import Release
from fanwen.corpus.verify import published_states
from fanwen.errors import DamagedError, UsageError

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Checkout:
    """What was made; ``masked`` where the texts are those that the release shows."""

    folder: str
    version: str
    date: str
    pieces: int
    pieces_default: int
    root: str
    masked: bool


def checkout(home: Home, version: str, target: Path, *, progress: Progress | None = None) -> Checkout:
    """Write release ``version``, a name or the folder of a release, into the new folder ``target``.

    Raises :class:`UsageError` where there is no such release or ``target`` exists, :class:`DamagedError`
    where the state is not the one that was published.
    """
    with written_folder(target) as folder, ExitStack() as stack:
        made = folder / "corpus.db"
        with reading(_source(home, version, stack)) as store:
            found = _release(store, version)
            masked = store.setting(RELEASE) is not None
        with open_store(store.path, readonly=True) as store:  # a copy is no query: it needs no snapshot
            exports.plain_as_of(store, found.seq, made)
        _prove(made, found, home.releases)
        with open_store(made, fixed=True) as store:
            search.update(store, progress)
            # who only reads needs no log beside it
            store.rows("pragma journal_mode = delete")
    return Checkout(
        str(target), found.version, found.date, found.pieces, found.pieces_default, found.root, masked
    )


def default_folder(version: str) -> Path:
    """Where a checkout goes that is given no folder."""
    return Path(f"fanwen-{Path(version).name}")


def _source(home: Home, version: str, stack: ExitStack) -> Path:
    """The database to copy from; that of a release is checked first."""
    if not _is_folder(version) and home.corpus.is_file():
        return database_of(home.path, stack)
    folder = next((one for one in (Path(version), home.releases / version) if _is_release(one)), home.path)
    if folder != home.path:
        release.verify(folder)
    return database_of(folder, stack)


def _is_folder(version: str) -> bool:
    """Whether it names the folder of a release and not a version that happens to be one, too."""
    return len(Path(version).parts) > 1 and _is_release(Path(version))


def _is_release(folder: Path) -> bool:
    return (folder / exports.SUMS).is_file()


def _release(store: Store, version: str) -> Release:
    known = {one.version: one for one in release.releases(store)}
    found = known.get(Path(version).name) if _is_release(Path(version)) else known.get(version)
    if found is None and _is_release(Path(version)):  # its folder has another name
        found = list(known.values())[-1]
    if found is None:
        names = ", ".join(known) or "none"
        raise UsageError(f"There is no release {version} in {store.path}; there are: {names}.")
    return found


def _prove(made: Path, expected: Release, releases: Path) -> None:
    with reading(made) as store:
        broken = next(published_states(store), None)
        (*_, found) = release.releases(store)
    trouble = None if broken is None else broken.sentence
    if trouble is None and found != expected:
        trouble = f"the copy holds release {found.version}; run 'fanwen verify'."
    for listed in release_index.listing(releases) if trouble is None else ():
        if listed.version == found.version and (listed.root, listed.pieces) != (found.root, found.pieces):
            trouble = f"{releases / release_index.INDEX} says another root or count; run 'fanwen verify'."
    if trouble is not None:
        raise DamagedError(f"Release {expected.version} cannot be checked out: {trouble}")
