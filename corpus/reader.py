"""Reads a corpus or a release from Python: pieces, tables, search, origins, changes. Read-only.

``fanwen.open(what)`` gives a :class:`Corpus` for a corpus.db, a home or checkout that holds one, a release
folder (its database is unpacked to a temporary file that lives as long as the object), or the version of
a release that was pulled or made here. Texts of a home are as they are kept, those of a release masked.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import zstandard

from fanwen.corpus import duplicates, exports, frames, history, release, release_changes, search
from fanwen.corpus.differences import differences
from fanwen.corpus.home import DEFAULT, Home
from fanwen.corpus.origin import origin
from fanwen.corpus.passages import MIN_PASSAGE, passages
from fanwen.corpus.pulled import pulled_folder
from fanwen.corpus.reuse import Reuse, Wanted
from fanwen.corpus.sightings import clusters, find_pieces
from fanwen.corpus.store import Store, open_store
from fanwen.corpus.tables import FOLDER as TABLES
from fanwen.corpus.types import (
    Change,
    Cluster,
    CorpusPiece,
    Difference,
    Origin,
    Passage,
    Relation,
    Release,
    SearchResult,
)
from fanwen.errors import DamagedError, UsageError

if TYPE_CHECKING:
    import datasets
    import pandas
    import polars
    import pyarrow

_COLUMNS = (
    "v.piece, d.url, d.site, v.place, v.title, t.body, v.genre, v.year, v.level, v.language,"
    " v.script, v.flags,"
    " v.n_chars, v.n_han, v.cluster, v.is_canonical, v.excluded_why, dv.rights_basis, dv.fetched_at,"
    " d.first_seen, v.text, v.leaf, v.added_in, v.removed_in, v.withdrawn"
)
_PIECES = (
    f"select {_COLUMNS} from piece_version v join piece p on p.id = v.piece"
    " join document d on d.id = p.document join document_version dv on dv.id = v.document_version"
    " join text t on t.sha256 = v.text"
    " where v.added_in <= :seq and (v.removed_in is null or v.removed_in > :seq)"
)


__all__ = ["Corpus", "CorpusPiece"]


class Corpus:
    """A corpus opened for reading; close it, or use it in a ``with`` block.

    Raises :class:`UsageError` where there is none and :class:`DamagedError` where it is damaged.

    >>> with fanwen.open("fanwen-demo/releases/2026.11.0") as corpus:
    ...     [one.seq for one in corpus.releases]
    [1]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with ExitStack() as stack:
            self._database = database_of(path, stack)
            self._store: Store = stack.enter_context(open_store(self._database, readonly=True))
            self._stack = stack.pop_all()

    def __enter__(self) -> Corpus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # a notebook rarely closes what it opened; nothing may stay behind
        if hasattr(self, "_stack"):
            self.close()

    def close(self) -> None:
        self._stack.close()

    @property
    def releases(self) -> tuple[Release, ...]:
        """All releases up to this state, the oldest first."""
        with self._store.snapshot():
            return release.releases(self._store)

    def pieces(
        self,
        genre: str | None = None,
        site: str | None = None,
        year: str | int | None = None,
        as_of: str | None = None,
        *,
        default: bool = True,
    ) -> Iterator[CorpusPiece]:
        """Pieces in the order of their ids, read one by one. What no piece has gives none.

        ``as_of`` is a version; ``default=False`` gives duplicates, stubs and whatever else is kept out of the
        default set too.

        >>> corpus = fanwen.open("fanwen-demo/releases/2026.11.0")
        >>> {piece.genre for piece in corpus.pieces(genre="工作总结")}
        {'工作总结'}
        >>> next(corpus.pieces(genre="没有这种文体"), None) is None
        True
        """
        # one query is of one moment by itself, and may be read from as slowly as one likes
        with self._store.snapshot():
            seq = self._seq(as_of)
        rows = self._store.conn.execute(
            f"{_PIECES} and (:genre is null or v.genre = :genre) and (:site is null or d.site = :site)"
            " and (:year is null or v.year = :year) and (:all or v.excluded_why is null) order by v.piece",
            {
                "seq": seq,
                "genre": genre,
                "site": site,
                "year": None if year is None else str(year),
                "all": not default,
            },
        )
        return self._each(rows)

    def _each(self, rows: sqlite3.Cursor) -> Iterator[CorpusPiece]:
        # holds on to the corpus, which may have no other name: list(fanwen.open(…).pieces())
        yield from map(_piece, rows)

    def piece(self, name: str, as_of: str | None = None) -> CorpusPiece:
        """One piece by its id. Raises :class:`UsageError` where there is none.

        >>> corpus = fanwen.open("fanwen-demo/releases/2026.11.0")
        >>> first = next(corpus.pieces())
        >>> corpus.piece(first.piece_id) == first
        True
        """
        with self._store.snapshot():
            seq = self._seq(as_of)
            row = self._store.conn.execute(
                f"{_PIECES} and v.piece = :name", {"seq": seq, "name": name}
            ).fetchone()
        if row is None:
            raise _unknown(name)
        return _piece(row)

    def to_arrow(self, config: str = "default", *, as_of: str | None = None) -> pyarrow.Table:
        """A table as the Parquet files of a release have it, in memory as a whole: of pieces ``default``,
        ``all`` or a sample, or ``sightings``, ``relations``, ``rejects``, ``rule_hits``.

        Of a home or a checkout the texts, titles and claims are as they are kept, unmasked, and ``split`` is
        empty for what no release has had. Raises :class:`UsageError` for another name or version.

        >>> corpus = fanwen.open("fanwen-demo/releases/2026.11.0")
        >>> corpus.to_arrow().num_rows == len(list(corpus.pieces()))
        True
        """
        if as_of is None and (self.path / TABLES / config).is_dir():
            return frames.from_files(self.path, config)
        with self._store.snapshot():
            seq = None if as_of is None else self._seq(as_of)
        return frames.from_database(self._database, config, seq)

    def to_pandas(self, config: str = "default", *, as_of: str | None = None) -> pandas.DataFrame:
        """The same for pandas (``pip install 'fanwen[pandas]'``).

        >>> frame = fanwen.open("fanwen-demo/releases/2026.11.0").to_pandas("all")
        >>> bool(frame["id"].is_unique)
        True
        """
        frames.library("pandas", "pandas")
        frame: pandas.DataFrame = self.to_arrow(config, as_of=as_of).to_pandas()
        return frame

    def to_polars(self, config: str = "default", *, as_of: str | None = None) -> polars.DataFrame:
        """The same for polars (``pip install 'fanwen[polars]'``).

        >>> frame = fanwen.open("fanwen-demo/releases/2026.11.0").to_polars()
        >>> frame["excluded_why"].null_count() == frame.height
        True
        """
        found: polars.DataFrame = frames.library("polars", "polars").from_arrow(
            self.to_arrow(config, as_of=as_of)
        )
        return found

    def to_hf(self, config: str = "default", *, as_of: str | None = None) -> datasets.Dataset:
        """The same for datasets (``pip install 'fanwen[hf]'``); its ``load_dataset(folder)`` gives the
        splits of a release apart.

        >>> dataset = fanwen.open("fanwen-demo/releases/2026.11.0").to_hf("relations")
        >>> dataset.column_names[:3]
        ['a', 'b', 'relation']
        """
        library = frames.library("datasets", "hf")
        table = library.table.InMemoryTable(self.to_arrow(config, as_of=as_of))
        dataset: datasets.Dataset = library.Dataset(table)
        return dataset

    def search(
        self, query: str, *, titles: bool = False, as_of: str | None = None, limit: int = 0
    ) -> SearchResult:
        """Pieces whose text holds ``query`` exactly; ``limit`` 0 gives all, ``total`` counts them anyway.

        >>> found = fanwen.open("fanwen-demo/releases/2026.11.0").search("总结", limit=3)
        >>> len(found.hits), found.total >= 3, "总结" in found.hits[0].snippet
        (3, True, True)
        """
        with self._store.snapshot():
            return search.find(self._store, query, titles=titles, as_of=self._seq(as_of), limit=limit)

    def relations(self, piece: str) -> list[Relation]:
        """Verified pairs of one piece with others. Raises :class:`UsageError` where there is no such piece.

        >>> corpus = fanwen.open("fanwen-demo/releases/2026.11.0")
        >>> copy = next(one for one in corpus.pieces(default=False) if not one.is_canonical)
        >>> [pair.relation for pair in corpus.relations(copy.piece_id)]
        ['exact']
        """
        with self._store.snapshot():
            self._must_hold(piece)
            return list(duplicates.relations(self._store, only=piece))

    def origin(self, piece: str) -> Origin:
        """Where a piece comes from: pages with hashes, what read them, rights. Raises :class:`UsageError`.

        >>> corpus = fanwen.open("fanwen-demo/releases/2026.11.0")
        >>> found = corpus.origin(next(corpus.pieces()).piece_id)
        >>> found.url.startswith("http"), len(found.pages[0].sha256), found.rights_basis
        (True, 64, 'none_found')
        """
        with self._store.snapshot():
            found = origin(self._store, piece)
        if found is None:
            raise _unknown(piece)
        return found

    def history(self, what: str) -> list[history.PieceLog]:
        """Every state that a release held of a piece, or of all pieces of a page, by id or URL.

        >>> corpus = fanwen.open("fanwen-demo/releases/2026.11.1")
        >>> changes = corpus.diff("fanwen-demo/releases/2026.11.0")
        >>> changed = next(one.piece_id for one in changes if one.change == "MOD")
        >>> [len(log.states) for log in corpus.history(changed)]
        [2]
        """
        with self._store.snapshot():
            return history.history(self._store, what)

    def passages(self, a: str, b: str) -> tuple[Passage, ...]:
        """The passages that two pieces share, in code points of their ``text``; nothing says who copied."""
        return passages(self._text(a), self._text(b))

    def differences(self, a: str, b: str, *, exact: bool = False) -> tuple[Difference, ...]:
        """The way through the texts of two pieces; ``exact`` counts punctuation, spaces and script too."""
        return differences(self._text(a), self._text(b), exact=exact)

    def clusters(self, name: str) -> tuple[Cluster, ...]:
        """The cluster of a piece id, cluster id or former cluster id, with every sighting; of a URL all.

        Raises :class:`UsageError` where nothing is called so now.
        """
        return clusters(self._store, name)

    def reuse(
        self,
        site: str | None = None,
        *,
        min_chars: int = MIN_PASSAGE,
        max_pieces: int | None = None,
        within: bool = False,
    ) -> Reuse:
        """What pieces of several sites share, to be closed or used in a ``with`` block: ``passages()`` and
        ``matrix()``. ``within``: also what only pieces of one site share."""
        return Reuse(self._store, Wanted(site, min_chars, max_pieces, within))

    def diff(self, other: Corpus | str | os.PathLike[str]) -> list[Change]:
        """How the pieces changed from this state to ``other``: a version that this one knows, another corpus
        of the same history, or what :func:`fanwen.open` would open. Raises :class:`UsageError` otherwise.

        >>> earlier = fanwen.open("fanwen-demo/releases/2026.11.0")
        >>> sorted({one.change for one in earlier.diff("fanwen-demo/releases/2026.11.1")})
        ['ADD', 'DEL', 'MOD']
        """
        if isinstance(other, str) and other in ("current", *(one.version for one in self.releases)):
            with self._store.snapshot():
                return release_changes.changes(self._store, self._last(), self._seq(other))
        if not isinstance(other, Corpus):
            with Corpus(located(other)) as opened:
                return self.diff(opened)
        with self._store.snapshot(), other._store.snapshot():
            # the later of the two knows both states
            first, knows = sorted((self, other), key=Corpus._last)
            if self.path.resolve() != other.path.resolve():
                _must_go_before(first, knows)
            return release_changes.changes(knows._store, self._last(), other._last())

    def _must_hold(self, piece: str) -> None:
        if not self._store.value("select 1 from piece_version where piece = ? and removed_in is null", piece):
            raise _unknown(piece)

    def _text(self, name: str) -> str:
        found = find_pieces(self._store, name)
        if len(found) != 1:
            raise _unknown(name)
        return duplicates.text_of(self._store, found[0])

    def _last(self) -> int:
        """The seq of the state that is open here: pending where there is unreleased work."""
        store = self._store
        unreleased = store.value(
            "select exists (select 1 from piece_version where added_in = ? or removed_in = ?)",
            store.pending,
            store.pending,
        )
        return store.pending if unreleased else store.released

    def _seq(self, version: str | None) -> int:
        return self._store.pending if version is None else release_changes.seq_of(self._store, version)


def located(what: str | os.PathLike[str], home: Home | None = None) -> Path:
    """The path itself, or the release folder of that version: pulled, or in ``home`` (that of here).

    Raises :class:`UsageError` where there is neither.
    """
    path = Path(what)
    home = home or Home(Path(os.environ.get("FANWEN_HOME", DEFAULT)))
    # a version is one word
    folders = (pulled_folder(), home.releases) if len(path.parts) == 1 and not path.is_absolute() else ()
    for place in (path, *(folder / path for folder in folders)):
        if place.exists():
            return place
    looked = f", nor a release of that name in {' or '.join(map(str, folders))}" if folders else ""
    raise UsageError(
        f"There is no corpus at {path}{looked}; give a corpus.db, a home, a release folder or a version."
    )


def database_of(path: Path, stack: ExitStack) -> Path:
    """The database of a corpus.db, a home or a release; what is unpacked lives as long as ``stack``."""
    if path.is_file():
        return path
    if (path / "corpus.db").is_file():
        return path / "corpus.db"
    if (path / exports.DATABASE).is_file():
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fanwen-")))
        try:
            exports.unpack_database(path, scratch / "fanwen.db")
        except zstandard.ZstdError as error:
            raise DamagedError(
                f"{path / exports.DATABASE} is damaged ({error}); 'fanwen release verify {path}' says more."
            ) from None
        with open_store(scratch / "fanwen.db", fixed=True):  # brings one of an earlier fanwen up to date
            pass
        return scratch / "fanwen.db"
    raise UsageError(f"There is no corpus at {path}; give a corpus.db, a home folder or a release folder.")


def _piece(row: sqlite3.Row | tuple[object, ...]) -> CorpusPiece:
    values = list(row)
    values[11] = tuple(json.loads(values[11]))
    values[15] = bool(values[15])
    return CorpusPiece(*values)


def _unknown(name: str) -> UsageError:
    return UsageError(f"{name} is no piece of this corpus now; pieces() gives the ids.")


def _must_go_before(first: Corpus, knows: Corpus) -> None:
    """Raise UsageError where ``knows`` has not all that ``first`` has: what changed could not be said."""
    roots = [[(one.seq, one.root) for one in corpus.releases] for corpus in (first, knows)]
    if roots[0] != roots[1][: len(roots[0])] or first._last() != first._store.released:
        raise UsageError(
            f"{first.path} is no earlier state of {knows.path}; only states of one history are compared."
        )
