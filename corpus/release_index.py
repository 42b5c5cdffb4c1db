"""The list of releases, index.json: what a reader of a folder of releases begins with.

In go releases with their files, out comes one JSON file that is replaced at once. It vouches for the sums
of each release, says which are withdrawn, which is the newest good one, and where copies of the folder lie.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from pydantic import TypeAdapter

from fanwen.corpus.exports import write_synced
from fanwen.corpus.types import Release, ReleaseDetails
from fanwen.errors import DamagedError, UsageError

INDEX = "index.json"
VERSION = re.compile(r"\d{4}\.\d{1,2}\.\d{1,9}")


def listing(releases_dir: Path) -> list[Release]:
    """All published releases, the oldest first; none where nothing was released yet."""
    names = [field.name for field in fields(Release)]
    return [
        Release(**{name: getattr(details, name) for name in names}) for details in read_index(releases_dir)
    ]


def show(releases_dir: Path, version: str | None = None) -> ReleaseDetails:
    """One release with its files; the newest good one where no version is given."""
    known = read_index(releases_dir)
    if not known:
        raise UsageError(f"There is no release in {releases_dir} yet; run 'fanwen release create'.")
    wanted = version or latest(known) or known[-1].version
    for details in known:
        if details.version == wanted:
            return details
    raise UsageError(
        f"There is no release {version} in {releases_dir}; 'fanwen release list' shows those there are."
    )


def read_index(releases_dir: Path) -> list[ReleaseDetails]:
    """Every release that index.json lists; none where there is no such file."""
    path = releases_dir / INDEX
    if not path.is_file():
        return []
    try:
        return list(parse(path.read_bytes()).releases)
    except ValueError:
        raise DamagedError(f"{path} cannot be read; restore it from a copy of the releases.") from None


def latest(entries: Sequence[ReleaseDetails]) -> str | None:
    """The version of the newest release that is not withdrawn."""
    # a release that was written again comes after later ones, and is no news
    good = [one.version for one in sorted(entries, key=lambda one: one.seq) if not one.withdrawn]
    return good[-1] if good else None


@dataclass(frozen=True, slots=True)
class Index:
    """What index.json says: the newest good release, base URLs of copies, and all releases."""

    latest: str | None
    releases: tuple[ReleaseDetails, ...]
    mirrors: tuple[str, ...] = ()


def parse(text: bytes) -> Index:
    """Read an index.json; what a newer fanwen says beyond this one is ignored. Raises ValueError."""
    return _INDEX.validate_json(text)


_INDEX = TypeAdapter(Index)


def mark_taken_down(releases_dir: Path, case_id: str, versions: Iterable[str]) -> None:
    """Note in index.json that the files of these releases still hold what a case took down."""
    marked = set(versions)
    entries = read_index(releases_dir)
    changed = [
        replace(one, taken_down=(*one.taken_down, case_id))
        if one.version in marked and case_id not in one.taken_down
        else one
        for one in entries
    ]
    if changed != entries:
        write(releases_dir, changed)


def to_reissue(releases_dir: Path) -> tuple[str, ...]:
    """Releases whose files still hold what was taken down, the oldest first."""
    return tuple(one.version for one in read_index(releases_dir) if one.taken_down and not one.withdrawn)


def add(releases_dir: Path, added: ReleaseDetails, mirrors: Sequence[str] = ()) -> None:
    """List a release, and the copies that hold from now on."""
    entries = [one for one in read_index(releases_dir) if one.version != added.version]
    write(releases_dir, [*entries, added], mirrors)


def write(
    releases_dir: Path, entries: Sequence[ReleaseDetails], mirrors: Sequence[str] | None = None
) -> None:
    """Replace index.json; without ``mirrors`` those that it names stay."""
    path = releases_dir / INDEX
    if mirrors is None:
        mirrors = parse(path.read_bytes()).mirrors if path.is_file() else ()
    index = {
        "format": 1,
        "latest": latest(entries),
        "mirrors": list(mirrors),
        "releases": [asdict(one) for one in entries],
    }
    write_synced(path, json.dumps(index, ensure_ascii=False, indent=2, sort_keys=True) + "\n")
