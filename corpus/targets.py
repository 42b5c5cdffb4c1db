"""Where releases are published: a folder, an object store (any address of fsspec), or what rsync reaches.

In go names of files below the folder of releases, with size and sum; what lies at the target is compared by
its content, and every file that is written appears there whole or not at all. Nothing is decided here.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import urlsplit

from pyarrow import fs

from fanwen.corpus.exports import sync_folder
from fanwen.corpus.release_index import INDEX
from fanwen.corpus.types import ReleaseFile
from fanwen.errors import FanwenError, IncompleteError, UsageError

_CHUNK = 1 << 20
_SILENCE = 60  # seconds that rsync waits for a byte

Files = Mapping[str, ReleaseFile]


@dataclass(frozen=True, slots=True)
class Compared:
    """What a target has not, and what it has otherwise."""

    missing: tuple[str, ...]
    different: tuple[str, ...]


class Target(Protocol):
    """A place for releases. Raises :class:`IncompleteError` where it does not answer."""

    def index(self) -> bytes | None:
        """The index.json there; None where there is none."""
        ...

    def compare(self, files: Files) -> Compared: ...

    def send(self, names: Sequence[str], on_file: Callable[[str], None]) -> None:
        """Write these files, one after the other, each at once in the place of what is there."""
        ...

    def remove(self, version: str, *, dry_run: bool) -> bool:
        """Remove a release; False where there is none."""
        ...


def target(destination: str, releases: Path) -> Target:
    """What ``destination`` names. Raises :class:`UsageError` where that cannot be reached from here."""
    if re.match(r"(rsync|ssh)://|[^/]+:(?!//)", destination):
        return _Rsync(destination, releases)
    if "://" not in destination:
        folder = Path(destination).absolute()
        return _Files(destination, releases, fs.LocalFileSystem(), str(folder), folder)
    try:
        from fsspec.core import url_to_fs

        found, path = url_to_fs(destination)
    except (ImportError, ValueError) as error:
        raise UsageError(
            f"{destination} cannot be reached ({error}); 'pip install fanwen[publish]' and what it asks for."
        ) from None
    return _Files(destination, releases, fs.PyFileSystem(fs.FSSpecHandler(found)), path, None)


class _Files:
    """A folder here (``local``) or in an object store."""

    def __init__(
        self, destination: str, releases: Path, files: fs.FileSystem, base: str, local: Path | None
    ) -> None:
        self._destination = destination
        self._releases = releases
        self._files = fs.SubTreeFileSystem(base, files)
        self._local = local

    def index(self) -> bytes | None:
        with self._answering():
            if self._files.get_file_info(INDEX).type == fs.FileType.NotFound:
                return None
            with self._files.open_input_stream(INDEX, compression=None) as stream:
                return bytes(stream.read())

    def compare(self, files: Files) -> Compared:
        missing, different = [], []
        with self._answering():
            for name, file in files.items():
                found = self._files.get_file_info(name)
                if found.type == fs.FileType.NotFound:
                    missing.append(name)
                elif found.size != file.bytes or self._hash(name) != file.sha256:
                    different.append(name)
        return Compared(tuple(missing), tuple(different))

    def send(self, names: Sequence[str], on_file: Callable[[str], None]) -> None:
        with self._answering():
            for name in names:
                path = PurePosixPath(name)
                part = str(path.with_name(f".{path.name}.part"))
                self._files.create_dir(str(path.parent))
                with (
                    (self._releases / name).open("rb") as source,
                    self._files.open_output_stream(part, compression=None) as stream,
                ):
                    shutil.copyfileobj(source, stream, _CHUNK)
                if self._local is not None:
                    with (self._local / part).open("rb") as written:
                        os.fsync(written.fileno())
                self._files.move(part, name)
                if self._local is not None:
                    sync_folder((self._local / name).parent)
                on_file(name)

    def remove(self, version: str, *, dry_run: bool) -> bool:
        with self._answering():
            if self._files.get_file_info(version).type != fs.FileType.Directory:
                return False
            if not dry_run:
                self._files.delete_dir(version)
        return True

    def _hash(self, name: str) -> str:
        hashed = sha256()
        with self._files.open_input_stream(name, compression=None) as stream:
            while chunk := stream.read(_CHUNK):
                hashed.update(chunk)
        return hashed.hexdigest()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Libraries of object stores raise errors of their own kinds."""
        try:
            yield
        except FanwenError:
            raise
        except Exception as error:
            full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
            trouble = "is full" if full else f"failed ({type(error).__name__}: {error})"
            raise IncompleteError(
                f"{self._destination} {trouble}; run the command again, it goes on where it stopped."
            ) from error


class _Rsync:
    """``host:path``, ``ssh://host/path`` or ``rsync://host/module``: by the command rsync."""

    def __init__(self, destination: str, releases: Path) -> None:
        self._releases = releases
        self._options: list[str] = []
        self._to = destination.rstrip("/")
        if destination.startswith("ssh://"):
            address = urlsplit(destination)
            user = f"{address.username}@" if address.username else ""
            self._to = f"{user}{address.hostname}:{address.path.rstrip('/')}"
            if address.port:
                self._options = ["-e", f"ssh -p {address.port}"]

    def index(self) -> bytes | None:
        with tempfile.TemporaryDirectory(prefix="fanwen-") as scratch:
            done = self._run([f"{self._to}/{INDEX}", f"{scratch}/"])
            if done.returncode and "No such file" not in done.stderr:
                raise self._failed(done)
            found = Path(scratch) / INDEX
            return found.read_bytes() if found.is_file() else None

    def compare(self, files: Files) -> Compared:
        lines = self._copy(tuple(files), "--dry-run").splitlines()
        marks = [line.split(" ", 1) for line in lines if line[1:2] == "f"]
        missing = tuple(name for mark, name in marks if mark.endswith("+++++++"))
        return Compared(missing, tuple(name for _, name in marks if name not in missing))

    def send(self, names: Sequence[str], on_file: Callable[[str], None]) -> None:
        self._copy(names)
        for name in names:
            on_file(name)

    def remove(self, version: str, *, dry_run: bool) -> bool:
        only = [f"--include=/{version}", f"--include=/{version}/***", "--exclude=*"]
        only += ["--dry-run"] if dry_run else []
        with tempfile.TemporaryDirectory(prefix="fanwen-") as empty:
            done = self._run(
                ["-r", "--delete", "--itemize-changes", *only, "--", f"{empty}/", f"{self._to}/"]
            )
        if done.returncode:
            raise self._failed(done)
        return "*deleting" in done.stdout

    def _copy(self, names: Sequence[str], *options: str) -> str:
        """Have these files there, by their content; a line for each that is not the same."""
        listed = ["--checksum", "--from0", "--files-from=-", "--out-format=%i %n", *options]
        done = self._run([*listed, "--", f"{self._releases}/", f"{self._to}/"], "\0".join(names))
        if done.returncode:
            raise self._failed(done)
        return done.stdout

    def _run(self, arguments: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
        command = ["rsync", f"--timeout={_SILENCE}", "--8-bit-output", *self._options, *arguments]
        try:
            return subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise UsageError(f"{self._to} needs rsync; install it, or publish into a folder.") from None

    def _failed(self, done: subprocess.CompletedProcess[Any]) -> IncompleteError:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[0].rstrip(".")
        return IncompleteError(
            f"rsync to {self._to} failed ({said}); run the command again, it goes on where it stopped."
        )
