"""Publishes the folder of releases where readers find it: ``fanwen release publish``.

In goes releases/ of a home, out comes the same at the destination: files of releases first, read back and
compared, then what may change, index.json last and at once. What is there and right is not sent again, what
is there and otherwise is never overwritten. Killed anywhere and run again it ends the same, and readers see a
whole list with whole releases at every moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanwen.corpus import exports, release, release_index
from fanwen.corpus.release_index import INDEX, VERSION
from fanwen.corpus.targets import Files, Target, target
from fanwen.corpus.types import ReleaseDetails, ReleaseFile
from fanwen.errors import DamagedError, RefusedError, UsageError

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Published:
    """What was sent, or with ``dry_run`` would be: files by name, their bytes, how many were there before,
    and withdrawn releases that were removed."""

    destination: str
    versions: tuple[str, ...]
    sent: tuple[str, ...]
    bytes: int
    present: int
    removed: tuple[str, ...]
    dry_run: bool


def publish(
    releases: Path,
    destination: str,
    *,
    delete_withdrawn: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Published:
    """Have every release that is not withdrawn at ``destination``, and index.json over all.

    Raises :class:`DamagedError` where a release is not what it was, or the destination holds another file
    under a name that was published, :class:`RefusedError` where texts that were taken down would be sent,
    :class:`UsageError` where there is nothing to publish, :class:`IncompleteError` where the way fails.
    """
    there = target(destination, releases)
    ours = release_index.read_index(releases)
    if not ours:
        raise UsageError(f"There is no release in {releases} yet; run 'fanwen release create'.")
    _must_follow(there.index(), ours, destination)
    step = progress or (lambda stage, done, total: None)
    good = [one for one in ours if not one.withdrawn]
    for number, one in enumerate(good, start=1):
        step("releases verified", number, len(good))
        release.verify(releases / one.version)
    fixed = {f"{one.version}/{file.path}": file for one in good for file in one.files}
    found = there.compare(fixed)
    if found.different:
        raise DamagedError(
            f"{destination} holds another {found.different[0]} than this release; what was published never "
            "changes: look whose it is, and publish elsewhere or remove it there."
        )
    for one in good:
        if one.taken_down and any(name.startswith(f"{one.version}/") for name in found.missing):
            raise RefusedError(
                f"Release {one.version} still holds what case {', '.join(one.taken_down)} took down; run "
                f"'fanwen takedown reissue {one.version}' before."
            )
    loose = _listed(releases, _loose(releases))
    last = _listed(releases, [INDEX])
    names = (*found.missing, *_not_the_same(there, loose), *_not_the_same(there, last))
    files = {**fixed, **loose, **last}
    if not dry_run:
        for batch in (fixed, loose, last):
            _send(there, {name: files[name] for name in names if name in batch}, step)
    withdrawn = (one.version for one in ours if one.withdrawn)
    gone = [version for version in withdrawn if not (releases / version).exists()] if delete_withdrawn else []
    return Published(
        destination,
        tuple(one.version for one in good),
        names,
        sum(files[name].bytes for name in names),
        len(files) - len(names),
        tuple(version for version in gone if there.remove(version, dry_run=dry_run)),
        dry_run,
    )


def _must_follow(there: bytes | None, ours: Sequence[ReleaseDetails], destination: str) -> None:
    """Whoever pulled what is listed there must find the same in our list."""
    try:
        listed = () if there is None else release_index.parse(there).releases
    except ValueError:
        raise DamagedError(f"{INDEX} at {destination} is no list of releases; look whose it is.") from None
    known = {one.version: one.sums for one in ours}
    for one in listed:
        if known.get(one.version) != one.sums:
            raise DamagedError(
                f"{INDEX} at {destination} lists a release {one.version} that this home has not, or has "
                "otherwise; publish into a folder of its own."
            )


def _loose(releases: Path) -> list[str]:
    """What lies beside the releases and may change, such as pages over all of them."""
    names = sorted(path.relative_to(releases) for path in releases.rglob("*") if path.is_file())
    return [
        name.as_posix()
        for name in names
        if not any(part.startswith(".") for part in name.parts)
        and not VERSION.fullmatch(name.parts[0])
        and name.as_posix() != INDEX
    ]


def _listed(releases: Path, names: Sequence[str]) -> dict[str, ReleaseFile]:
    return {
        name: ReleaseFile(name, (releases / name).stat().st_size, exports.file_hash(releases / name))
        for name in names
    }


def _not_the_same(there: Target, files: Files) -> tuple[str, ...]:
    compared = there.compare(files)
    return (*compared.missing, *compared.different)


def _send(there: Target, files: Files, step: Progress) -> None:
    """Send them, and read them back."""
    done, total = 0, sum(file.bytes for file in files.values()) // 1000

    def sent(name: str) -> None:
        nonlocal done
        done += files[name].bytes
        step("sent, kB", done // 1000, total)

    there.send(tuple(files), sent)
    if wrong := _not_the_same(there, files):
        raise DamagedError(f"{wrong[0]} did not arrive as it was sent; run the command again.")
