"""Makes the folder of one release from what is here and what mirrors give: never half, never another one.

In go what the index says of a release, the releases that are here, and mirrors; out comes its folder, in
place once every file and the whole are proved. Until then it is ``.pulling-VERSION`` beside, where the next
pull goes on. What is here is not moved again: files of other releases are copied, and what follows from the
database is made from an earlier one and the deltas since, wherever that gives the published bytes.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import get_args

import zstandard

from fanwen.corpus import delta, exports, release, signing
from fanwen.corpus.mirrors import PART, Mirrors
from fanwen.corpus.publishing import SiteText
from fanwen.corpus.release_index import VERSION, Index
from fanwen.corpus.types import ReleaseDetails, ReleaseFile, Verified
from fanwen.errors import DamagedError

Progress = Callable[[str, int, int], None]

_SCRATCH = ".delta"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Made:
    """A release that was put in place. Bytes: ``resumed`` lay here from a pull that was stopped, ``copied``
    came from other releases here; ``delta_from`` is the release whose database was brought up to date."""

    verified: Verified
    resumed: int
    copied: int
    delta_from: str | None


def make(
    wanted: ReleaseDetails,
    final: Path,
    here: Mapping[str, Path],
    index: Index,
    mirrors: Mirrors,
    signers: Path | None,
    step: Progress,
) -> Made:
    """Have the sound release ``wanted`` at ``final``, where nothing is yet; ``here`` are releases by version.

    Raises :class:`DamagedError` where something is not what was published, and what ``mirrors`` raises.
    """
    building = final.with_name(f".pulling-{final.name}")
    building.mkdir(exist_ok=True)
    resumed = _clear(building, wanted)
    _bring(wanted, building, mirrors, only={exports.SUMS, signing.SIGNATURE, exports.MANIFEST})
    _check_sums(wanted, building, signers)
    copied = _copy(wanted, building, index, here)
    delta_from = _derive(wanted, building, index, here, mirrors, step)
    _bring(wanted, building, mirrors)
    step("verifying", 1, 1)
    verified = release.verify(building, signers=signers)
    if (verified.version, verified.root, verified.pieces) != (wanted.version, wanted.root, wanted.pieces):
        raise DamagedError(
            f"{building} holds another release than the index says; tell who publishes {wanted.version}."
        )
    exports.sync_tree(building)
    building.rename(final)
    exports.sync_folder(final.parent)
    return Made(verified, resumed, copied, delta_from)


def is_sound(wanted: ReleaseDetails) -> bool:
    """Whether nothing that the index says leads out of the folder of the release, or contradicts itself."""
    names = {file.path for file in wanted.files}
    parents = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    sums = [file.sha256 for file in wanted.files if file.path == exports.SUMS]
    return (
        bool(VERSION.fullmatch(wanted.version))
        and sums == [wanted.sums]
        and len(wanted.files) == len(names - parents)
        and all(_is_sound(file) for file in wanted.files)
    )


def _is_sound(file: ReleaseFile) -> bool:
    return (
        all(part and part[0] != "." for part in file.path.split("/"))
        and "\\" not in file.path
        and file.path.isprintable()
        and not file.path.endswith(PART)
        and file.bytes >= 0
        and bool(_SHA256.fullmatch(file.sha256))
    )


def _clear(building: Path, wanted: ReleaseDetails) -> int:
    """Remove what does not belong there or is not right; how many bytes remain."""
    shutil.rmtree(building / _SCRATCH, ignore_errors=True)
    expected = {building / file.path: file.sha256 for file in wanted.files}
    parts = {path.with_name(path.name + PART) for path in expected}
    kept = 0
    for path in sorted(building.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        right = path in expected and not path.is_symlink() and exports.file_hash(path) == expected[path]
        if right or (path in parts and not path.is_symlink()):
            kept += path.stat().st_size
        else:
            path.unlink()
    return kept


def _missing(wanted: ReleaseDetails, building: Path) -> list[ReleaseFile]:
    return [file for file in wanted.files if not (building / file.path).exists()]


def _bring(wanted: ReleaseDetails, building: Path, mirrors: Mirrors, only: set[str] | None = None) -> None:
    for file in _missing(wanted, building):
        if only is None or file.path in only:
            mirrors.bring(wanted.version, file, building / file.path)


def _check_sums(wanted: ReleaseDetails, building: Path, signers: Path | None) -> None:
    """What is signed has to say the same as the index, before much is fetched."""
    if signers is not None:
        signing.signer(building / exports.SUMS, signers)
    said = release.read_sums(building / exports.SUMS)
    own = {exports.SUMS, signing.SIGNATURE}
    listed = {file.path: file.sha256 for file in wanted.files if file.path not in own}
    for name in sorted(said.keys() | listed.keys()):
        if said.get(name) != listed.get(name):
            raise DamagedError(
                f"{name} of release {wanted.version} is not the same in the index and in {exports.SUMS}; "
                "tell who publishes it."
            )


def _copy(wanted: ReleaseDetails, building: Path, index: Index, here: Mapping[str, Path]) -> int:
    """Take what other releases here have too; how many bytes."""
    known = {
        file.sha256: here[one.version] / file.path
        for one in index.releases
        if one.version in here
        for file in one.files
    }
    copied = 0
    for file in _missing(wanted, building):
        if file.sha256 in known:
            copied += _take(known[file.sha256], file, building, shutil.copyfile)
    return copied


def _take(given: Path, file: ReleaseFile, building: Path, put: Callable[[Path, Path], object]) -> int:
    """Put what was found here into its place if it is what was published; how many bytes that spares."""
    if not given.is_file() or exports.file_hash(given) != file.sha256:
        return 0
    target = building / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + PART)
    put(given, part)
    part.replace(target)
    return file.bytes


def _derive(
    wanted: ReleaseDetails,
    building: Path,
    index: Index,
    here: Mapping[str, Path],
    mirrors: Mirrors,
    step: Progress,
) -> str | None:
    """Make what follows from the database from that of a release here; which, if deltas cost less than it.

    A file that other versions of SQLite, zstd or Arrow make otherwise is left to be fetched.
    """
    missing = {file.path: file for file in _missing(wanted, building)}
    base, chain = _chain(wanted, index, here)
    size = sum(file.bytes for one, file in chain if one != wanted.version)
    if exports.DATABASE not in missing or not chain or size >= missing[exports.DATABASE].bytes:
        return None
    scratch = building / _SCRATCH
    (scratch / "files").mkdir(parents=True)
    try:
        deltas = [scratch / f"{n}.jsonl.zst" for n in range(len(chain) - 1)]
        for (version, file), path in zip(chain, deltas, strict=False):
            mirrors.bring(version, file, path)
        (_, last) = chain[-1]  # which belongs to the release itself
        _bring(wanted, building, mirrors, only={last.path})
        deltas.append(building / last.path)
        step("applying deltas", 1, 1)
        exports.unpack_database(here[base], scratch / "base.db")
        delta.apply(scratch / "base.db", deltas, scratch / "fanwen.db")
        exports.derive(scratch / "fanwen.db", scratch / "files", _site_text(building))
        taken = [
            _take(scratch / "files" / path, file, building, shutil.move) for path, file in missing.items()
        ]
        return base if any(taken) else None
    except (DamagedError, zstandard.ZstdError, sqlite3.Error):
        return None  # every file is there to be fetched as well
    finally:
        shutil.rmtree(scratch)


def _site_text(building: Path) -> SiteText:
    said = release.read_manifest(building).get("site_text")
    return next((one for one in get_args(SiteText) if one == said), "full")


def _chain(
    wanted: ReleaseDetails, index: Index, here: Mapping[str, Path]
) -> tuple[str, list[tuple[str, ReleaseFile]]]:
    """The way from a release here: its version, and the deltas since with the release that holds each.

    None leads through a release that was withdrawn: its delta may hold what was taken down.
    """
    known = {one.version: one for one in index.releases if one.version in here or not one.withdrawn}
    chain: list[tuple[str, ReleaseFile]] = []
    at = wanted
    while at.version not in here:
        steps = [(known.get(base), file) for file in at.files if (base := delta.base_of(file.path))]
        before, file = next(((one, file) for one, file in steps if one and one.seq < at.seq), (None, None))
        if before is None or file is None:
            return "", []
        chain.insert(0, (at.version, file))
        at = before
    return at.version, chain
