"""The index of fingerprints on disk: sorted segments, mapped into memory, merged as they grow.

In go folded texts with their fingerprints, out come sorted postings. Texts are numbered from 0 as they
come. A cache: the truth is the table ``fingerprint`` of corpus.db, and a folder that is missing, of another
specification or torn is made anew from it::

    texts.bin       one record per text: key (16 bytes), folded length (uint32), fingerprints (uint32)
    *.seg           n fingerprints (uint64) in ascending order, then their n owners (uint32), which ascend
                    where the fingerprint is the same
    manifest.json   how many texts there are, and the segments; replaced in one step, so that a kill leaves
                    the index as it was before or after. All numbers are little-endian.

Merging doubles: a segment is merged with the one before it while that is less than twice its size, so that
there are at most some dozen of them and each posting is written a few times only (O'Neil and others, The
Log-Structured Merge-Tree, 1996).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.fingerprint import Hashes

Owners = NDArray[np.uint32]
KEY = np.dtype("V16")
TEXT = np.dtype([("key", KEY), ("length", "<u4"), ("marks", "<u4")])
Texts = np.ndarray[tuple[int], np.dtype[np.void]]
_AT_ONCE = 4_000_000  # postings merged at a time: about 150 MB
MANIFEST, _TEXTS = "manifest.json", "texts.bin"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One segment in the manifest; ``end`` is the number of the first text that it no longer covers."""

    file: str
    postings: int
    end: int


class Segment(NamedTuple):
    """``marks`` ascend; ``owners[i]`` has ``marks[i]``."""

    marks: Hashes
    owners: Owners


def segment_of(numbers: Sequence[int], marks: Sequence[Hashes]) -> Segment:
    """A segment in memory: text ``numbers[i]`` has ``marks[i]``; numbers ascend."""
    if not marks:
        return Segment(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint32))
    everything = np.concatenate(marks)
    owners = np.repeat(np.array(numbers, dtype=np.uint32), [len(one) for one in marks])
    order = np.argsort(everything, kind="stable")
    return Segment(everything[order], owners[order])


class Segments:
    """The index in a folder. ``specification`` names how keys and fingerprints are made."""

    def __init__(self, folder: Path, specification: str) -> None:
        self.folder = folder
        self.specification = specification
        self.texts = np.empty(0, dtype=TEXT)
        self._entries: list[_Entry] = []
        self._read()

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[Segment]:
        return (self._open(entry) for entry in self._entries)

    def append(self, texts: Texts, segment: Segment) -> None:
        """Add texts and their postings; the first of them has the number ``len(self)``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        begin, end = len(self), len(self) + len(texts)
        with (self.folder / _TEXTS).open("r+b" if begin else "wb") as file:
            file.seek(begin * TEXT.itemsize)
            file.write(texts.tobytes())
            file.truncate()
            _to_disk(file)
        entries = [*self._entries, self._write(begin, end, [segment])]
        while len(entries) > 1 and entries[-2].postings < 2 * entries[-1].postings:
            older, newer = entries[-2:]
            begin = entries[-3].end if len(entries) > 2 else 0
            entries[-2:] = [self._write(begin, newer.end, [self._open(older), self._open(newer)])]
        self._publish(end, entries)
        self.texts = np.concatenate((self.texts, texts))

    def clear(self) -> None:
        """Forget everything, for instance because texts were erased."""
        self.texts, self._entries = np.empty(0, dtype=TEXT), []
        if self.folder.is_dir():
            for file in self.folder.iterdir():
                file.unlink()

    def _write(self, begin: int, end: int, segments: Sequence[Segment]) -> _Entry:
        name = f"{begin}-{end}.seg"
        total = sum(len(segment.marks) for segment in segments)
        at = 0
        # written, not mapped: a mapped file on a full disk ends the process
        with (self.folder / name).open("wb") as file:
            for part in _in_order(segments):
                file.seek(8 * at)
                file.write(part.marks.astype("<u8", copy=False).tobytes())
                file.seek(8 * total + 4 * at)
                file.write(part.owners.astype("<u4", copy=False).tobytes())
                at += len(part.marks)
            _to_disk(file)
        return _Entry(name, total, end)

    def _open(self, entry: _Entry) -> Segment:
        if not entry.postings:
            return segment_of((), ())
        path = self.folder / entry.file
        return Segment(
            np.memmap(path, dtype="<u8", mode="r", shape=entry.postings),
            np.memmap(path, dtype="<u4", mode="r", offset=8 * entry.postings, shape=entry.postings),
        )

    def _publish(self, texts: int, entries: list[_Entry]) -> None:
        manifest = {
            "specification": self.specification,
            "texts": texts,
            "segments": [asdict(entry) for entry in entries],
        }
        written = self.folder / f"{MANIFEST}.new"
        with written.open("w", encoding="utf-8") as file:
            json.dump(manifest, file)
            _to_disk(file)
        written.replace(self.folder / MANIFEST)
        self._entries = entries
        kept = {MANIFEST, _TEXTS, *(entry.file for entry in entries)}
        for path in self.folder.iterdir():
            if path.name not in kept:
                path.unlink()

    def _read(self) -> None:
        """Take what the manifest names, or nothing where a file is not as it says."""
        try:
            manifest = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
            entries = [_Entry(**entry) for entry in manifest["segments"]]
            whole = all((self.folder / entry.file).stat().st_size == 12 * entry.postings for entry in entries)
            texts = np.fromfile(self.folder / _TEXTS, dtype=TEXT, count=manifest["texts"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        if whole and manifest["specification"] == self.specification and len(texts) == manifest["texts"]:
            self.texts, self._entries = texts, entries


def _to_disk(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _in_order(segments: Sequence[Segment]) -> Iterator[Segment]:
    """The postings of all segments in one order, by slices that fit into memory; older ones first."""
    total = sum(len(segment.marks) for segment in segments)
    slices = -(-total // _AT_ONCE)
    # fingerprints are evenly spread, so equal steps of their range are equal shares of them
    bounds = [round(step * 2**64 / slices) for step in range(1, slices)]
    places = [
        [0, *np.searchsorted(segment.marks, np.array(bounds, dtype=np.uint64)).tolist(), len(segment.marks)]
        for segment in segments
    ]
    for step in range(slices):
        marks = np.concatenate(
            [s.marks[p[step] : p[step + 1]] for s, p in zip(segments, places, strict=True)]
        )
        owners = np.concatenate(
            [s.owners[p[step] : p[step + 1]] for s, p in zip(segments, places, strict=True)]
        )
        order = np.argsort(marks, kind="stable")
        yield Segment(marks[order], owners[order])
