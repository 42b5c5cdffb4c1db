"""Pulls releases: ``fanwen pull``.

In goes where releases are published and a version, out comes the folder of that release, beside others, and
a report. What was withdrawn is not pulled, and what is here and was withdrawn since is named.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fanwen.corpus import exports, pulling, release, release_changes
from fanwen.corpus.folders import held
from fanwen.corpus.mirrors import Mirrors
from fanwen.corpus.reader import database_of
from fanwen.corpus.release_index import VERSION, Index
from fanwen.corpus.store import explained, reading
from fanwen.corpus.transport import Limits
from fanwen.corpus.types import ReleaseDetails, Verified
from fanwen.errors import DamagedError, RefusedError, UsageError

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did. Bytes: ``bytes`` of the release, ``moved`` now with index.json, ``resumed`` from a
    pull that was stopped, ``copied`` from other releases here.

    ``how``: present, files, or delta, which is from release ``delta_from``. ``sources``: bytes moved by where
    they came from. ``changes`` since release ``since``, the newest earlier one here: ADD, MOD, DEL by reason.
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
    """A release that is published; ``here``: it lies in the folder of pulled ones."""

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
    """All releases at ``base``, the oldest first. Raises what :func:`pull` raises for an index."""
    index = Mirrors([base, *mirrors], limits).index()
    here = _here(folder, index)
    return [
        Listed(
            one.version,
            one.date,
            one.pieces_default,
            one.pieces,
            _size(one),
            one.root,
            one.withdrawn,
            _reissue(index, one),
            one.taken_down,
            one.version in here,
        )
        for one in sorted(index.releases, key=lambda one: (one.seq, one.reissue_of is not None))
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
    :class:`DamagedError` where nobody gives what was published, :class:`BlockedError` where another
    process pulls into ``folder``, :class:`IncompleteError` where network or disk fail: the next pull goes on.
    """
    size, step = 0, progress or (lambda stage, done, total: None)

    def shown() -> None:
        step("pulled, kB", places.moved.total() // 1000, size // 1000)

    places = Mirrors([base, *mirrors], limits, shown)
    index = places.index()
    wanted = _chosen(index, version, base)
    size = _size(wanted)
    final = folder / wanted.version
    with held(folder, final), explained(folder):
        here = _here(folder, index)
        warnings = [*places.notes, *_warnings(index, wanted, here), *_newer(folder, index, base)]
        if os.path.lexists(final):
            verified, made = _present(final, wanted, signers), None
        else:
            made = pulling.make(wanted, final, here, index, places, signers, step)
            verified = made.verified
    since = None if made is None else _newest_before(wanted, index, here)
    changes: dict[str, dict[str, int]] = {}
    if since is not None:
        try:
            changes = _changes(final, since, wanted)
        except UsageError as error:  # of a newer fanwen
            warnings.append(f"What changed since {since.version} cannot be said: {error}")
    return Pulled(
        wanted.version,
        wanted.date,
        str(final),
        verified.root,
        wanted.pieces,
        wanted.pieces_default,
        "present" if made is None else "delta" if made.delta_from else "files",
        size,
        places.moved.total(),
        0 if made is None else made.resumed,
        0 if made is None else made.copied,
        dict(places.moved),
        verified.signed_by,
        None if made is None else made.delta_from,
        None if since is None else since.version,
        changes,
        tuple(warnings),
    )


def _here(folder: Path, index: Index) -> dict[str, Path]:
    """Folders of releases of this index that lie here, by version."""
    found = {}
    for one in index.releases:
        sums = folder / one.version / exports.SUMS
        if pulling.is_sound(one) and sums.is_file() and exports.file_hash(sums) == one.sums:
            found[one.version] = sums.parent
    return found


def _chosen(index: Index, version: str | None, base: str) -> ReleaseDetails:
    name = version or index.latest
    if name is None:
        raise UsageError(f"{base} lists no release that is good; ask who publishes it.")
    found = next((one for one in index.releases if one.version == name), None)
    if found is None:
        raise UsageError(
            f"There is no release {name} at {base}; 'fanwen pull {base} --list' shows those there are."
        )
    if found.withdrawn:
        again = _reissue(index, found)
        hint = f"pull {again}, which is the same without it" if again else "no other stands for it yet"
        raise RefusedError(f"Release {name} was withdrawn, since it holds what was taken down; {hint}.")
    if not pulling.is_sound(found):
        raise DamagedError(
            f"What {base} says of release {name} is not possible, or not safe; tell who publishes it."
        )
    return found


def _reissue(index: Index, withdrawn: ReleaseDetails) -> str | None:
    """The release that stands for a withdrawn one, which may have been issued again more than once."""
    again = {one.reissue_of: one for one in index.releases if one.reissue_of is not None}
    at = again.get(withdrawn.version)
    for _ in index.releases:
        if at is None or not at.withdrawn:
            break
        at = again.get(at.version)
    return None if at is None or at.withdrawn else at.version


def _warnings(index: Index, wanted: ReleaseDetails, here: Mapping[str, Path]) -> Iterator[str]:
    for one in index.releases:
        cases = ", ".join(one.taken_down)
        if one.withdrawn and one.version in here:
            again = _reissue(index, one)
            yield f"{here[one.version]} was withdrawn: remove it" + (f", and use {again}." if again else ".")
        elif cases and (one.version in here or one == wanted):
            yield (
                f"Release {one.version} still holds what was taken down (case {cases}): "
                "pull again later, it will be issued without."
            )


def _newer(folder: Path, index: Index, base: str) -> Iterator[str]:
    """A release here that is newer than the whole list: somebody may be holding the list back."""
    listed = {one.version for one in index.releases}
    last = max(_number(version) for version in listed if VERSION.fullmatch(version))
    for path in sorted(folder.iterdir()):
        if VERSION.fullmatch(path.name) and path.name not in listed and _number(path.name) > last:
            yield f"{path} is newer than what {base} lists, which may be an old list."


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _present(final: Path, wanted: ReleaseDetails, signers: Path | None) -> Verified:
    try:
        verified = release.verify(final, signers=signers)
    except DamagedError as error:
        raise DamagedError(f"{error} Remove or move {final} first.") from None
    if exports.file_hash(final / exports.SUMS) != wanted.sums:
        raise DamagedError(
            f"{final} is another release of that name; keep those of different publishers apart by --to."
        )
    return verified


def _newest_before(wanted: ReleaseDetails, index: Index, here: Mapping[str, Path]) -> ReleaseDetails | None:
    earlier = (one for one in index.releases if one.version in here and one.seq < wanted.seq)
    return max(earlier, key=lambda one: one.seq, default=None)


def _changes(folder: Path, since: ReleaseDetails, wanted: ReleaseDetails) -> dict[str, dict[str, int]]:
    with ExitStack() as stack, reading(database_of(folder, stack)) as store:
        return release_changes.counts(release_changes.changes(store, since.seq, wanted.seq))


def _size(one: ReleaseDetails) -> int:
    return sum(file.bytes for file in one.files)
