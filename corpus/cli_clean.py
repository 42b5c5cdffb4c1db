"""``fanwen clean``: files in, one JSON object per piece out; nothing is kept."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import click

from fanwen.cleaners.mask import mask_piece
from fanwen.cleaners.pipeline import clean_document, page_from_file
from fanwen.cleaners.types import Cleaned, Page, Piece
from fanwen.corpus.report import Progress, as_json
from fanwen.corpus.workers import worker_pool
from fanwen.errors import UsageError

# below this many documents the start of the workers costs more than it saves
_FEW = 16


@dataclass(frozen=True, slots=True)
class Job:
    """One document to clean: its files in reading order, and what is known of them."""

    source: str
    files: tuple[Path, ...]
    url: str | None = None
    content_type: str | None = None


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH…")
@click.option("--manifest", metavar="FILE", help="JSON Lines, one document each: files, url, content_type.")
@click.option(
    "--rejects", metavar="FILE", help="Write what was refused: source, reason, detail (JSON Lines)."
)
@click.option(
    "--main-text", is_flag=True, help="Stop after decoding, extraction and boilerplate; no splitting."
)
@click.option(
    "--mask",
    "masked",
    is_flag=True,
    help="Print personal data masked, by kind: 〔电话〕, 〔人名1〕; default: unmasked.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes; one per core by default.")
def clean(
    paths: tuple[str, ...],
    manifest: str | None,
    rejects: str | None,
    main_text: bool,
    masked: bool,
    workers: int | None,
) -> None:
    """Clean files without keeping anything: one JSON object per piece (篇) on stdout.

    Each PATH is a document of its own: HTML, PDF, DOCX, TXT or Markdown; folders are
    read recursively, sorted. Example: fanwen clean 工作总结.html
    """
    if bool(paths) == bool(manifest):
        raise UsageError("Give either files to clean or --manifest FILE, not both and not neither.")
    if masked and main_text:
        raise UsageError("--mask works on pieces; leave out --main-text.")
    jobs = list(_read_manifest(Path(manifest)) if manifest else _jobs(paths))
    progress = Progress()
    with _open_rejects(rejects) as refused:
        for done, (job, cleaned) in enumerate(_cleaned(jobs, main_text, workers), 1):
            _print(job, cleaned, main_text, masked)
            for reject in cleaned.rejects:
                row = {"source": job.source, "reason": reject.reason, "detail": reject.detail}
                print(as_json(row), file=refused)
            progress("cleaned", done, len(jobs))
    progress.close()


def _jobs(paths: Iterable[str]) -> Iterator[Job]:
    for name in paths:
        path = Path(name)
        if path.is_dir():
            for file in sorted(file for file in path.rglob("*") if file.is_file()):
                yield Job(str(file), (file,))
        elif path.is_file():
            yield Job(name, (path,))
        else:
            raise UsageError(f"There is no file {name}; check the path.")


def _read_manifest(path: Path) -> Iterator[Job]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The manifest {path} cannot be read ({error}); check the path.") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _manifest_row(path, number, line)


def _manifest_row(path: Path, number: int, line: str) -> Job:
    try:
        row = json.loads(line)
        names = [str(name) for name in row["files"]]
        source = names[0]
    except (ValueError, KeyError, TypeError, IndexError):
        raise UsageError(
            f'{path}, line {number}: expected an object with "files": [...]; correct it.'
        ) from None
    files = tuple(path.parent / name for name in names)
    for file in files:
        if not file.is_file():
            raise UsageError(
                f"{path}, line {number}: there is no file {file}; paths are relative to the manifest."
            )
    return Job(source, files, row.get("url"), row.get("content_type"))


def _cleaned(jobs: list[Job], main_text: bool, workers: int | None) -> Iterator[tuple[Job, Cleaned]]:
    """Every job with what it gave, in the order of the jobs."""
    if len(jobs) < _FEW or workers == 1:
        yield from ((job, _clean(job, main_text)) for job in jobs)
        return
    with worker_pool(workers) as pool:
        yield from zip(jobs, _mapped(pool, jobs, main_text), strict=True)


def _mapped(pool: ProcessPoolExecutor, jobs: list[Job], main_text: bool) -> Iterator[Cleaned]:
    return pool.map(_clean, jobs, [main_text] * len(jobs), chunksize=4)


def _clean(job: Job, main_text: bool) -> Cleaned:
    pages = [_page(file, job) for file in job.files]
    return clean_document(pages, main_text=main_text)


def _page(file: Path, job: Job) -> Page:
    page = page_from_file(file)
    return Page(job.url or page.url, page.body, job.content_type or page.content_type)


def _open_rejects(path: str | None) -> TextIO:
    try:
        return Path(path or os.devnull).open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The file {path} cannot be written ({error.strerror}); choose another.") from None


def _print(job: Job, cleaned: Cleaned, main_text: bool, masked: bool) -> None:
    document = cleaned.document
    if document is None:
        return
    hits = {hit.rule: hit.count for hit in document.rule_hits}
    rows: Iterable[dict[str, object]]
    if main_text:
        rows = [
            {
                "source": job.source,
                "url": job.url or document.url,
                "title": document.title,
                "text": document.text,
            }
        ]
    else:
        pieces = map(_masked, cleaned.pieces) if masked else cleaned.pieces
        rows = [_row(job, document.url, piece, document.declared_pieces) for piece in pieces]
    for row in rows:
        sys.stdout.write(as_json(row | {"rule_hits": hits}) + "\n")


def _masked(piece: Piece) -> Piece:
    """The piece with personal data of its text and its title masked."""
    title, text = mask_piece(piece.title, piece.text, piece.privacy)
    return replace(piece, title=title, text=text)


def _row(job: Job, url: str, piece: Piece, declared: int | None) -> dict[str, object]:
    return {
        "source": job.source,
        "url": job.url or url,
        "index": piece.index,
        "title": piece.title,
        "text": piece.text,
        "genre": piece.genre,
        "language": piece.language,
        "script": piece.script,
        "flags": list(piece.flags),
        "declared_pieces": declared,
    }


COMMANDS = (clean,)
