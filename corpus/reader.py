"""Reads a corpus or a release from Python: pieces, search, changes, what pieces share. Read-only.

``fanwen.open(path)`` gives a :class:`Corpus` for a corpus.db, a home folder that holds one, or a
release folder (its database is unpacked to a temporary file that lives as long as the object).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from fanwen.corpus import duplicates, exports, release, release_changes, search
from fanwen.corpus.differences import differences
from fanwen.corpus.passages import MIN_PASSAGE, passages
from fanwen.corpus.reuse import Reuse, Wanted
from fanwen.corpus.sightings import clusters, find_pieces
from fanwen.corpus.store import Store, open_store
from fanwen.corpus.types import (
    Change,
    Cluster,
    CorpusPiece,
    Difference,
    Passage,
    Relation,
    Release,
    SearchResult,
)
from fanwen.errors import UsageError

_COLUMNS = (
    "v.piece, d.url, d.site, v.place, v.title, t.body, v.genre, v.year, v.level, v.language,"
    " v.script, v.flags,"
    " v.n_chars, v.n_han, v.cluster, v.is_canonical, v.excluded_why, dv.rights_basis, dv.fetched_at,"
    " d.first_seen, v.text, v.leaf, v.added_in, v.removed_in, v.withdrawn"
)


__all__ = ["Corpus", "CorpusPiece"]


class Corpus:
    """A corpus opened for reading; close it, or use it in a ``with`` block.

    Raises :class:`UsageError` where there is none and :class:`DamagedError` where it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with ExitStack() as stack:
            self._store: Store = stack.enter_context(open_store(database_of(path, stack), readonly=True))
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
        as_of: str | None = None,
        *,
        default: bool = True,
    ) -> Iterator[CorpusPiece]:
        """Pieces in the order of their ids. ``as_of`` is a version; ``default=False`` gives duplicates,
        stubs and whatever else is kept out of the default set too."""
        # one query is of one moment by itself, and may be read from as slowly as one likes
        with self._store.snapshot():
            seq = self._seq(as_of)
        rows = self._store.conn.execute(
            f"select {_COLUMNS} from piece_version v join piece p on p.id = v.piece"
            " join document d on d.id = p.document join document_version dv on dv.id = v.document_version"
            " join text t on t.sha256 = v.text"
            " where v.added_in <= :seq and (v.removed_in is null or v.removed_in > :seq)"
            " and (:genre is null or v.genre = :genre) and (:site is null or d.site = :site)"
            " and (:all or v.excluded_why is null) order by v.piece",
            {"seq": seq, "genre": genre, "site": site, "all": not default},
        )
        for row in rows:
            values = list(row)
            values[11] = tuple(json.loads(values[11]))
            values[15] = bool(values[15])
            yield CorpusPiece(*values)

    def search(
        self, query: str, *, titles: bool = False, as_of: str | None = None, limit: int = 0
    ) -> SearchResult:
        """Pieces whose text holds ``query`` exactly."""
        with self._store.snapshot():
            return search.find(self._store, query, titles=titles, as_of=self._seq(as_of), limit=limit)

    def relations(self, piece: str) -> list[Relation]:
        """Verified pairs of one piece with others."""
        with self._store.snapshot():
            return list(duplicates.relations(self._store, only=piece))

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

    def diff(self, other: Corpus | str) -> list[Change]:
        """How the pieces changed from this state to ``other``: a corpus, or a version this one knows."""
        with self._store.snapshot():
            if isinstance(other, str):
                return release_changes.changes(self._store, self._seq(None), self._seq(other))
            with other._store.snapshot():
                # the later of the two knows both states
                mine, theirs = self._last(), other._last()
                knows = self._store if mine >= theirs else other._store
                return release_changes.changes(knows, mine, theirs)

    def _text(self, name: str) -> str:
        found = find_pieces(self._store, name)
        if len(found) != 1:
            raise UsageError(f"{name} is no piece of this corpus now; pieces() gives the ids.")
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


def database_of(path: Path, stack: ExitStack) -> Path:
    """The database of a corpus.db, a home or a release; what is unpacked lives as long as ``stack``."""
    if path.is_file():
        return path
    if (path / "corpus.db").is_file():
        return path / "corpus.db"
    if (path / exports.DATABASE).is_file():
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fanwen-")))
        exports.unpack_database(path, scratch / "fanwen.db")
        with open_store(scratch / "fanwen.db", fixed=True):  # brings one of an earlier fanwen up to date
            pass
        return scratch / "fanwen.db"
    raise UsageError(f"There is no corpus at {path}; give a corpus.db, a home folder or a release folder.")
