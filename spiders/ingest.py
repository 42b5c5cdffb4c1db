"""Files already at hand, into archive.db.

In go paths of files and folders, out comes a report. A file is its bytes: its identity is
``urn:sha256:<body>``, whatever it is called and wherever it lies, so the same file twice
is one document and ingesting again changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive, utc_now
from fanwen.spiders.takedown import TAKEN_DOWN, Takedown
from fanwen.spiders.warc import BY_HAND, WARC_ENDINGS
from fanwen.spiders.warc_read import is_warc

MAX_FILE = 256 * 1024 * 1024
_TYPES = {
    ".html": "text/html",
    ".htm": "text/html",
    ".shtml": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not taken: its path as given, a reason code, and one sentence."""

    path: str
    reason: str  # unknown_type, empty, unreadable, too_large, no_warc, taken_down
    sentence: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """``added`` are new documents, ``known`` files whose bytes the archive had already."""

    added: int
    known: int
    skipped: tuple[Skipped, ...] = ()


def ingest_files(
    archive: Archive,
    paths: Iterable[Path | str],
    takedown: Takedown = Takedown(),
    fetched_at: str | None = None,
) -> IngestReport:
    """Take HTML, text, Markdown, PDF and DOCX files; folders are read recursively, sorted, WARC files left.

    ``fetched_at`` (UTC, ISO 8601) is when they were fetched, by default now.
    Raises UsageError for a path that does not exist, before anything is stored.
    """
    given = _existing(paths)
    when = fetched_at or utc_now()
    added = known = 0
    skipped: list[Skipped] = []
    for path in _files(given, skipped):
        if _ends_as_warc(path):
            if path not in given and not is_warc(path):
                skipped.append(Skipped(str(path), "no_warc", f"{path} is no WARC file, or cannot be read."))
            continue
        content_type = content_type_of(path)
        body = _read(path, content_type, skipped)
        if body is None:
            continue
        if (
            takedown.names(url := BY_HAND + sha256(body).hexdigest())
            or url[len(BY_HAND) :] in takedown.hashes
        ):
            skipped.append(Skipped(str(path), "taken_down", f"{path} is {TAKEN_DOWN}."))
            continue
        if archive.store_file(body, name=path.name, content_type=content_type, fetched_at=when):
            added += 1
        else:
            known += 1
    return IngestReport(added, known, tuple(skipped))


def warc_files(paths: Iterable[Path]) -> list[Path]:
    """The WARC files among these files, by their names, and folders. Raises UsageError as above.

    A file in a folder that is none is left out, which :func:`ingest_files` reports.
    """
    given = _existing(paths)
    return [path for path in _files(given, []) if _ends_as_warc(path) and (path in given or is_warc(path))]


def content_type_of(path: Path) -> str | None:
    """The content type by the file's ending, None for a kind that is not taken."""
    return _TYPES.get(path.suffix.lower())


def _ends_as_warc(path: Path) -> bool:
    return path.name.lower().endswith(WARC_ENDINGS)


def _existing(paths: Iterable[Path | str]) -> list[Path]:
    given = [Path(path) for path in paths]
    for path in given:
        if not path.exists():
            raise UsageError(f"There is no file or folder {path}; check the path.")
    return given


def _files(paths: Iterable[Path], skipped: list[Skipped]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue

        def unreadable(error: OSError) -> None:
            name = str(error.filename)
            skipped.append(Skipped(name, "unreadable", f"{name} cannot be read ({error.strerror})."))

        for folder, folders, names in os.walk(path, onerror=unreadable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))


def _read(path: Path, content_type: str | None, skipped: list[Skipped]) -> bytes | None:
    def skip(reason: str, sentence: str) -> None:
        skipped.append(Skipped(str(path), reason, f"{path} {sentence}."))

    if content_type is None:
        skip("unknown_type", f"is of a kind that is not read ({path.suffix or 'no ending'})")
        return None
    try:
        if path.stat().st_size > MAX_FILE:
            skip("too_large", f"has more than {MAX_FILE} bytes")
            return None
        body = path.read_bytes()
    except OSError as error:
        skip("unreadable", f"cannot be read ({error.strerror})")
        return None
    if not body.strip():
        skip("empty", "is empty")
        return None
    return body
