"""Takes in ready-made pieces: JSON Lines or Parquet with ``id`` and ``text``, straight to corpus.db.

Optional columns are ``title``, ``url`` and ``genre``; others are ignored. Nothing is cleaned, split
or judged. A piece keeps the id it brings, under the name of its source; the same file again changes
nothing. Rows that cannot be used are counted with their number and a reason.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as parquet
from pyarrow.lib import ArrowException

from fanwen.corpus.identity import digest, text_hash
from fanwen.corpus.store import Store, open_store, to_json
from fanwen.corpus.tombstones import REASON, Tombstones, is_newcomer
from fanwen.corpus.types import BadRow, IngestReport
from fanwen.corpus.versions import (
    DocumentState,
    PieceState,
    add_texts,
    finish,
    put_document,
    put_piece,
)
from fanwen.errors import UsageError

BATCH = 1000
COLUMNS = ("id", "text", "title", "url", "genre")
LISTED_BAD_ROWS = 1000
NO_GENRE = "其他"

_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U000323af]")


@dataclass(frozen=True, slots=True)
class ReadyPiece:
    """One row: ``given`` is the id as it was given."""

    given: str | int
    text: str
    title: str | None
    url: str | None
    genre: str | None


def ingest_pieces(
    corpus_path: Path,
    file: Path,
    source: str = "pieces",
    *,
    fetched_at: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> IngestReport:
    """Take in one file under the name ``source``; ``fetched_at`` (UTC, ISO 8601) defaults to now.

    Raises :class:`UsageError` for a missing file, a missing column or invalid JSON, naming the line.
    """
    if not re.fullmatch(r"[\w.-]+", source):
        raise UsageError(f"'{source}' cannot name a source; use letters, digits, '.', '-' and '_'.")
    if not file.is_file():
        raise UsageError(
            f"There is no file {file}; give a .jsonl or .parquet file with the columns id and text."
        )
    rows = _parquet_rows(file) if _is_parquet(file) else _jsonl_rows(file)
    when = fetched_at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with open_store(corpus_path, create=True) as store:
        return _Intake(store, source, file.name, when).take(rows, progress)


class _Intake:
    """Writes ready-made pieces in batches and counts what became of them."""

    def __init__(self, store: Store, source: str, name: str, when: str) -> None:
        self.store = store
        self.source = source
        self.name = name
        self.when = when
        self.tombstones = Tombstones(store)
        self.seen: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.bad: list[BadRow] = []

    def take(
        self,
        rows: Iterable[tuple[int, Mapping[str, object]]],
        progress: Callable[[str, int, int], None] | None,
    ) -> IngestReport:
        batch: list[ReadyPiece] = []
        for line, row in rows:
            self.counts["rows"] += 1
            piece = self._read(line, row)
            if piece is not None:
                batch.append(piece)
            if len(batch) == BATCH:
                self._write(batch)
                batch = []
                if progress:
                    progress("pieces", self.counts["rows"], 0)
        self._write(batch)
        return IngestReport(
            source=self.source,
            rows=self.counts["rows"],
            added=self.counts["added"],
            changed=self.counts["changed"],
            unchanged=self.counts["unchanged"],
            bad_rows=self.counts["bad"],
            bad_by_reason=dict(sorted(self.reasons.items())),
            bad=tuple(self.bad),
        )

    def _read(self, line: int, row: Mapping[str, object]) -> ReadyPiece | None:
        given, text = row["id"], row["text"]
        reason = None
        if isinstance(given, bool) or not isinstance(given, (str, int)) or given == "":
            reason = "bad_id"
        elif not isinstance(text, str):
            reason = "bad_text"
        elif not text.strip():
            reason = "empty_text"
        elif not _is_unicode(text) or not _is_unicode(str(given)):
            reason = "not_unicode"
        elif str(given) in self.seen:
            reason = "duplicate_id"
        elif self._is_blocked(f"{self.source}:{given}", text):
            reason = REASON
        if reason is not None:
            self.counts["bad"] += 1
            self.reasons[reason] += 1
            if len(self.bad) < LISTED_BAD_ROWS:
                self.bad.append(BadRow(line, reason))
            return None
        assert isinstance(given, (str, int))
        assert isinstance(text, str)
        self.seen.add(str(given))
        return ReadyPiece(given, text, *(_optional(row.get(name)) for name in COLUMNS[2:]))

    def _is_blocked(self, identity: str, text: str) -> bool:
        """Whether a takedown case keeps the piece out."""
        if not self.tombstones:
            return False
        newcomer = is_newcomer(self.store, identity)
        return self.tombstones.blocks(identity, (text,), newcomer=newcomer) is not None

    def _write(self, batch: list[ReadyPiece]) -> None:
        if not batch:
            return
        keys = [f"ready:{self.source}:{piece.given}" for piece in batch]
        marks = ",".join("?" * len(keys))
        known = {
            key: (document, state_hash)
            for key, document, state_hash in self.store.rows(
                # a piece that was taken down is not there, though its document is
                "select d.key, d.id, v.state_hash from document d left join document_version v"
                " on v.document = d.id and v.removed_in is null and exists (select 1 from piece_version o"
                f" where o.document_version = v.id and o.removed_in is null) where d.key in ({marks})",
                *keys,
            )
        }
        with self.store.atomic():
            for key, piece in zip(keys, batch, strict=True):
                self._put(key, piece, known.get(key))

    def _put(self, key: str, piece: ReadyPiece, known: tuple[int, str] | None) -> None:
        given = to_json(piece.given)
        state_hash = digest("ready", given, piece.text, piece.title, piece.url, piece.genre)
        if known is not None and known[1] == state_hash:
            self.counts["unchanged"] += 1
            return
        url = piece.url or f"urn:fanwen:{self.source}:{quote(str(piece.given))}"
        identity = f"{self.source}:{piece.given}"
        if known is None:
            document = self._new(key, url, identity, given)
        else:
            document = known[0]
            url = self._moved(document, url)
            _name(self.store, identity, document, given)
        self.counts["added" if known is None else "changed"] += 1
        version = put_document(self.store, _document_state(document, state_hash, piece, self.when))
        add_texts(self.store, [piece.text])
        state = _piece_state(identity, version, piece)
        put_piece(self.store, finish(state, url, [], None))

    def _moved(self, document: int, url: str) -> str:
        """The URL of a known document: another one if it was never released, since leaves cover it."""
        self.store.rows(
            "update document set url = ?1 where id = ?2 and not exists (select 1 from piece_version v"
            " join piece p on p.id = v.piece where p.document = ?2 and v.added_in < ?3)",
            url,
            document,
            self.store.pending,
        )
        return str(self.store.value("select url from document where id = ?", document))

    def _new(self, key: str, url: str, identity: str, given: str) -> int:
        document = self.store.rows(
            "insert into document (key, url, site, source, name, next_n, first_seen)"
            " values (?, ?, ?, ?, ?, 2, ?)",
            key,
            url,
            self.source,
            self.source,
            self.name,
            self.when,
        ).lastrowid
        assert document is not None
        _name(self.store, identity, document, given)
        return document


def _name(store: Store, identity: str, document: int, given: str) -> None:
    """The piece of a document, with the id as it was given this time."""
    store.rows(
        "insert into piece (id, document, n, given_id) values (?, ?, 1, ?)"
        " on conflict (id) do update set given_id = excluded.given_id",
        identity,
        document,
        given,
    )


def _document_state(document: int, state_hash: str, piece: ReadyPiece, when: str) -> DocumentState:
    return DocumentState(
        document=document,
        state_hash=state_hash,
        gone=None,
        bodies="[]",
        fetched_at=when,
        kind="ready",
        encoding=None,
        extractor=None,
        ruleset=None,
        opencc=None,
        script=None,
        title=piece.title,
        declared_pieces=None,
        found_pieces=1,
        claimed_published=None,
        claimed_author=None,
        claimed_source=None,
        claimed_rights=None,
        claimed_category=None,
        claims="[]",
        consent="[]",
        rights_basis="unknown",
        rights_detail=None,
        site_status=None,
        truncated=0,
        missing_parts=0,
    )


def _piece_state(identity: str, version: int, piece: ReadyPiece) -> PieceState:
    sha256 = text_hash(piece.text)
    n_chars = len("".join(piece.text.split()))
    n_han = len(_HAN.findall(piece.text))
    return PieceState(
        piece=identity,
        document_version=version,
        place=1,
        text=sha256,
        text_original=sha256,
        title=piece.title,
        genre=piece.genre or NO_GENRE,
        genre_confidence=1.0 if piece.genre else 0.0,
        genre_evidence="given" if piece.genre else None,
        year=None,
        level=None,
        language="und",
        script="unknown",
        flags="[]",
        n_chars=n_chars,
        n_han=n_han,
        n_paragraphs=sum(1 for line in piece.text.splitlines() if line.strip()),
        han_share=round(n_han / n_chars, 4) if n_chars else 0.0,
        repeated_line_share=0.0,
        list_line_share=0.0,
        placeholder_share=0.0,
        placeholders="[]",
        # the next build or release looks for personal data: nothing is judged here
        privacy="[]",
        title_privacy="[]",
        published=None,
        published_title=None,
        masked="{}",
        edits="[]",
        span_begin=0,
        span_end=len(piece.text),
        cluster=None,
        is_canonical=0,
        excluded_why=None,
        leaf="",
    )


def _is_parquet(file: Path) -> bool:
    if file.suffix == ".parquet":
        return True
    with file.open("rb") as stream:
        return stream.read(4) == b"PAR1"


def _jsonl_rows(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    with file.open("rb") as stream:
        for line, raw in enumerate(stream, start=1):
            if not raw.strip():
                continue
            try:
                row = json.loads(raw)
            except (ValueError, RecursionError):
                raise UsageError(
                    f"Line {line} of {file} is not valid JSON; correct it and run this again."
                ) from None
            if not isinstance(row, dict):
                raise UsageError(
                    f"Line {line} of {file} is no JSON object; write one object with id and text per line."
                )
            for name in ("id", "text"):
                if name not in row:
                    raise UsageError(f"Line {line} of {file} has no '{name}'; every line needs id and text.")
            yield line, row


def _parquet_rows(file: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        with parquet.ParquetFile(file) as table:
            present = set(table.schema_arrow.names)
            for name in ("id", "text"):
                if name not in present:
                    raise UsageError(f"{file} has no column '{name}'; it needs the columns id and text.")
            line = 0
            for batch in table.iter_batches(BATCH, columns=[name for name in COLUMNS if name in present]):
                for row in batch.to_pylist():
                    line += 1
                    yield line, row
    except (ArrowException, OSError) as error:
        raise UsageError(f"{file} cannot be read as Parquet ({str(error).splitlines()[0]}).") from None


def _optional(value: object) -> str | None:
    return value if isinstance(value, str) and value and _is_unicode(value) else None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
