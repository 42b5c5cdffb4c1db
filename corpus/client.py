"""Pulls releases: from any static file server or a folder, whole and verified, or not at all.

In goes where releases are published, out comes the folder of one release. It is made in ``.pulling-VERSION``
beside its place, where a pull that was killed goes on; every file is checked against the index as it ends, then
all of it against its sums, its signature and its root hash, and only then it gets its name. What is here
already is not moved again: files of other releases are copied, and what follows from the database is made from
that of an earlier release and the deltas since, wherever that gives the published bytes.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fanwen.corpus import exports, release, release_changes, release_index, signing, transport
from fanwen.corpus.folders import held
from fanwen.corpus.reader import database_of
from fanwen.corpus.release_index import INDEX, Index
from fanwen.corpus.store import explained, reading
from fanwen.corpus.transport import Limits, MissingError, Source, TransportError, UnreachableError, WrongError
from fanwen.corpus.types import ReleaseDetails, ReleaseFile, Verified
from fanwen.errors import DamagedError, IncompleteError, RefusedError, UsageError

Progress = Callable[[str, int, int], None]

_INDEX_LIMIT = 1 << 25  # bytes
_VERSION = re.compile(r"\d{4}\.\d{1,2}\.\d{1,9}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = ".part"
_SCRATCH = ".delta"


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did. Bytes: ``bytes`` of the release, ``moved`` now, ``resumed`` from a pull that was
    stopped, ``copied`` from other releases here.

    ``how``: present, files, or delta, which is from release ``delta_from``. ``sources``: bytes by where they came
    from. ``changes`` since release ``since``, the newest earlier one here: ADD, MOD and DEL by reason.
    """

    version: str
    date: str
    folder: str
    root: str
    pieces: int
    pieces_default: int
    how: str
    bytes: int
    moved: int
    resumed: int
    copied: int
    sources: dict[str, int]
    signed_by: str | None
    delta_from: str | None
    since: str | None
    changes: dict[str, dict[str, int]]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A release that can be had; ``here``: it lies in the folder of pulled ones."""

    version: str
    date: str
    pieces_default: int
    pieces: int
    bytes: int
    root: str
    withdrawn: bool
    reissued_as: str | None
    taken_down: tuple[str, ...]
    here: bool


def listing(
    base: str, folder: Path, *, mirrors: Sequence[str] = (), limits: Limits = Limits()
) -> list[Listed]:
    """All releases at ``base``, the oldest first. Raises as :func:`pull` does."""
    index = _Sources([base, *mirrors], limits).index()
    here = _here(folder, index)
    return [
        Listed(
            one.version,
            one.date,
            one.pieces_default,
            one.pieces,
            sum(file.bytes for file in one.files),
            one.root,
            one.withdrawn,
            _reissue(index, one),
            one.taken_down,
            one.version in here,
        )
        for one in index.releases
    ]


def pull(
    base: str,
    folder: Path,
    version: str | None = None,
    *,
    mirrors: Sequence[str] = (),
    signers: Path | None = None,
    limits: Limits = Limits(),
    progress: Progress | None = None,
) -> Pulled:
    """Have release ``version``, else the newest good one, in ``folder`` under its name.

    ``signers`` is an SSH file of allowed signers, one of whom must have signed it.
    Raises :class:`UsageError` where there is no such release, :class:`RefusedError` for a withdrawn one,
    :class:`DamagedError` where no source gives what was published, :class:`BlockedError` where another pull
    works in ``folder``, :class:`IncompleteError` where sources fail: the next pull goes on.
    """
    sources = _Sources([base, *mirrors], limits)
    index = sources.index()
    wanted = _chosen(index, version, base)
    with held(folder), explained(folder):
        here = _here(folder, index)
        warnings = tuple(_warnings(folder, index, here, wanted))
        final = folder / wanted.version
        work = _Work(sources, index, wanted, here, folder, signers, progress or (lambda *_: None))
        if os.path.lexists(final):
            verified = _present(final, wanted, signers)
        else:
            verified = work.run()
        since = _newest_before(wanted, here)
        return Pulled(
            wanted.version,
            wanted.date,
            str(final),
            verified.root,
            wanted.pieces,
            wanted.pieces_default,
            work.how if work.ran else "present",
            sum(file.bytes for file in wanted.files),
            sources.moved.total(),
            work.resumed,
            work.copied,
            dict(sources.moved),
            verified.signed_by,
            work.delta_from,
            since,
            {} if since is None else _changes(final, since, wanted.version),
            warnings,
        )
