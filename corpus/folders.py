"""A new folder or file that is there whole or not at all: written beside, synced, then renamed.

What a kill leaves behind is ``.NAME.building`` (a folder) or ``.NAME.new`` beside, which the next attempt
removes. An existing folder is never written into; an existing file is replaced.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from fanwen.corpus.exports import sync_folder, sync_tree
from fanwen.corpus.store import explained
from fanwen.errors import BlockedError, UsageError


@contextmanager
def written_folder(target: Path) -> Iterator[Path]:
    """Gives a folder to write into, which becomes ``target`` when the block ends without an error.

    Raises :class:`UsageError` where ``target`` exists or cannot be made, :class:`BlockedError` where another
    process is writing it, :class:`IncompleteError` on a full disk.
    """
    target = target.absolute()
    _must_be_free(target)
    building = target.with_name(f".{target.name}.building")
    with held(building, target):
        _empty(building)
        try:
            with explained(target):
                yield building
                sync_tree(building)
                _must_be_free(target)
                building.rename(target)
                sync_folder(target.parent)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)  # a full disk needs the room
            raise


@contextmanager
def held(folder: Path, target: Path) -> Iterator[None]:
    """Have ``folder`` be there, and for this process alone, to write ``target``.

    Raises :class:`UsageError` where it cannot be made, :class:`BlockedError` where another process has it,
    :class:`IncompleteError` on a full disk.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            with explained(target):
                raise
        raise UsageError(f"{target} cannot be made ({error.strerror}); choose another folder.") from None
    try:
        _take(handle, target)
        yield
    finally:
        os.close(handle)


@contextmanager
def written_file(target: Path) -> Iterator[TextIO]:
    """Gives a stream whose text becomes the file ``target`` when the block ends without an error.

    Raises :class:`UsageError` where it cannot be written, :class:`IncompleteError` on a full disk.
    """
    scratch = target.with_name(f".{target.name}.new")
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        stream = scratch.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{target} cannot be written ({error.strerror}); choose another place.") from None
    try:
        with explained(target):
            with stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            scratch.replace(target)
            sync_folder(target.parent)
    finally:
        scratch.unlink(missing_ok=True)


def _must_be_free(target: Path) -> None:
    if os.path.lexists(target):
        raise UsageError(f"{target} exists already and is not overwritten; name a folder that does not.")


def _take(handle: int, target: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockedError(f"Another process is writing {target}; wait until it has ended.") from None


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
