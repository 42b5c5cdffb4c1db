"""archive.db: every page as it came, what was said with it, and the frontier of the crawl.

In go fetches and files, out come documents with their bytes. Bodies are kept once per
content (zstd blobs under their sha256) and checked against it when they are read. What
is stored is never changed by a later failure: the last good body stays.
:mod:`fanwen.spiders.frontier` writes the crawl's side of the same file.

Raises :class:`DamagedError` for a file that is no archive or is torn,
:class:`IncompleteError` for a full disk, :class:`BlockedError` for a locked database.
"""

from __future__ import annotations

import errno
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from types import TracebackType

import zstandard

from fanwen.errors import (
    BlockedError,
    DamagedError,
    FanwenError,
    IncompleteError,
    UsageError,
    disk_is_full,
)
from fanwen.spiders.items import ArchivedDocument, ArchivedPart, Consent
from fanwen.spiders.robots import (
    DISALLOWED,
    ROBOTS_PATH,
    TDMREP_PATH,
    TDMREP_RESERVES,
    Robots,
    Tdmrep,
    read_robots,
    read_tdmrep,
)
from fanwen.spiders.schema import APPLICATION_ID, migrate, pending
from fanwen.spiders.scope import origin

BUSY_SECONDS = 15.0
TIME = "%Y-%m-%dT%H:%M:%SZ"  # how every time is written, in UTC
LEAST_DAYS, MOST_DAYS = 30, 365  # how long a page is left alone
UNLINKED = "no longer linked"  # the reason of a part that its document does not have any more


@dataclass(frozen=True, slots=True)
class SiteCounts:
    """What the archive holds of one site; ``queued`` are URLs not yet visited or due again."""

    site: str
    urls: int
    queued: int
    documents: int
    gone: int
    blocked: int
    failed: int


@dataclass(frozen=True, slots=True)
class ArchiveStats:
    """Sizes in bytes: ``raw`` before, ``stored`` after compression."""

    sites: tuple[SiteCounts, ...]
    fetches: int
    bodies: int
    raw: int
    stored: int


class Archive:
    """An open archive.db; made when it is not there, unless ``readonly``."""

    def __init__(self, path: Path | str, *, readonly: bool = False):
        self.path = Path(path)
        self.readonly = readonly
        self._compressor = zstandard.ZstdCompressor(level=3)
        self._decompressor = zstandard.ZstdDecompressor()
        if readonly and not self.path.is_file():
            raise UsageError(f"There is no archive {self.path}; run 'fanwen crawl' or 'fanwen ingest' first.")
        with explained(self.path):
            if not readonly:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self.conn = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={'ro' if readonly else 'rwc'}",
                uri=True,
                timeout=BUSY_SECONDS,
            )
            try:
                self._prepare()
            except BaseException:
                self.conn.close()
                raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.conn.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction that holds the write lock from its start; all or nothing is kept."""
        with explained(self.path):
            # IMMEDIATE: a reader that turns writer half-way would fail at once, without the busy timeout
            self.conn.execute("BEGIN IMMEDIATE")
            try:
                yield self.conn
                self.conn.execute("COMMIT")
            except BaseException:
                self.conn.rollback()
                raise

    def store_body(self, body: bytes) -> str:
        """Keep a body inside the caller's transaction; its sha256. The same bytes are kept once.

        Bytes that were erased on purpose are not kept again.
        """
        digest = hashlib.sha256(body).hexdigest()
        known = self.conn.execute("SELECT 1 FROM body WHERE sha256 = ?", (digest,)).fetchone()
        if known is None:
            blob = self._compressor.compress(body)
            insert(self.conn, "body", sha256=digest, size=len(body), data=blob)
        return digest

    def store_file(
        self,
        body: bytes,
        *,
        name: str,
        content_type: str | None,
        fetched_at: str | None = None,
        site: str = "local",
    ) -> bool:
        """Keep a file given by hand as a document of its own; False when its bytes are known already."""
        now = fetched_at or utc_now()
        url = f"urn:sha256:{hashlib.sha256(body).hexdigest()}"
        with self.write() as conn:
            if conn.execute("SELECT 1 FROM url WHERE url = ?", (url,)).fetchone():
                return False
            digest = self.store_body(body)
            url_id = insert(
                conn,
                "url",
                url=url,
                site=site,
                host="",
                kind="detail",
                state="done",
                priority=0,
                depth=0,
                document_url=url,
                discovered_at=now,
                interval_days=0,
                body_hash=digest,
                first_fetched_at=now,
                name=name,
            )
            fetch_id = insert(
                conn,
                "fetch",
                url_id=url_id,
                fetched_at=now,
                status=200,
                outcome="new",
                headers="[]",
                content_type=content_type,
                body_hash=digest,
                bytes=len(body),
                not_modified=0,
                truncated=0,
                reservations="[]",
            )
            conn.execute(
                "UPDATE url SET body_fetch = :fetch, last_fetch = :fetch, consent_fetch = :fetch"
                " WHERE id = :url",
                {"fetch": fetch_id, "url": url_id},
            )
        return True

    def body(self, digest: str) -> bytes:
        """The bytes with this sha256. Raises DamagedError when they are missing or damaged.

        Raises UsageError for bytes that were erased in a takedown.
        """
        with explained(self.path):
            row = self.conn.execute("SELECT size, data FROM body WHERE sha256 = ?", (digest,)).fetchone()
        if row is None:
            raise DamagedError(
                f"The archive {self.path} has lost the body {digest}; restore it from a backup."
            )
        if not row[1]:
            self._must_not_be_erased(digest)
        try:
            body = self._decompressor.decompress(row[1], max_output_size=row[0])
        except zstandard.ZstdError:
            body = b""
        if hashlib.sha256(body).hexdigest() != digest:
            raise DamagedError(
                f"In the archive {self.path} the body {digest} is damaged; restore it from a backup."
            )
        return body

    def _must_not_be_erased(self, digest: str) -> None:
        row = self.conn.execute("SELECT case_id FROM erased WHERE sha256 = ?", (digest,)).fetchone()
        if row is not None:
            raise UsageError(
                f"The page with the body {digest} was erased in the takedown {row[0]}; only its hash is kept."
            )

    def page_bodies(self) -> Iterator[tuple[str, bytes]]:
        """Every body of a page or file that can be read, with its sha256; robots.txt is evidence and no page.

        What is damaged is passed over: :meth:`verify` tells it.
        """
        with explained(self.path):
            digests = self.conn.execute(
                "SELECT sha256 FROM body WHERE sha256 NOT IN (SELECT sha256 FROM erased) AND sha256 NOT IN"
                " (SELECT body_hash FROM robots WHERE body_hash IS NOT NULL) ORDER BY sha256"
            ).fetchall()
        for (digest,) in digests:
            with suppress(DamagedError):
                yield digest, self.body(digest)

    def erase(self, digests: Iterable[str], case: str) -> None:
        """Erase those of these bodies that are there, and remember in which case."""
        listed = json.dumps(sorted(digests))
        with self.write() as conn:
            conn.execute(
                "INSERT INTO erased (sha256, case_id) SELECT sha256, ? FROM body"
                " WHERE sha256 IN (SELECT value FROM json_each(?)) ON CONFLICT DO NOTHING",
                (case, listed),
            )
            conn.execute(
                "UPDATE body SET size = 0, data = x'' WHERE sha256 IN (SELECT value FROM json_each(?))",
                (listed,),
            )

    def erased_in(self, case: str) -> list[str]:
        """The bodies that were erased in a case, sorted."""
        with explained(self.path):
            rows = self.conn.execute("SELECT sha256 FROM erased WHERE case_id = ? ORDER BY 1", (case,))
            return [digest for (digest,) in rows]

    def documents_of(self, digests: Iterable[str]) -> list[str]:
        """URLs of the documents whose pages now have one of these bodies, sorted."""
        with explained(self.path):
            rows = self.conn.execute(
                "SELECT DISTINCT document_url FROM url WHERE body_hash IN (SELECT value FROM json_each(?))"
                " ORDER BY 1",
                (json.dumps(list(digests)),),
            )
            return [url for (url,) in rows]

    def bodies_ever(self, document_url: str) -> list[str]:
        """Every body that a page of the document ever had, sorted."""
        with explained(self.path):
            rows = self.conn.execute(
                "SELECT DISTINCT f.body_hash FROM url u JOIN fetch f ON f.url_id = u.id"
                " WHERE u.document_url = ? AND f.body_hash IS NOT NULL ORDER BY 1",
                (document_url,),
            )
            return [digest for (digest,) in rows]

    def leave_no_trace(self, *, anew: bool) -> None:
        """Empty the log beside the file; ``anew``: write the file itself without what was deleted.

        Raises BlockedError while another process reads.
        """
        with explained(self.path):
            if anew:
                self.conn.execute("VACUUM")
            if self.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise BlockedError(
                    f"Another process reads {self.path}; run the same command again when it has ended."
                )

    def documents(self) -> Iterator[ArchivedDocument]:
        """Every document that has a body, sorted by canonical URL, its parts in reading order; streamed."""
        with explained(self.path):
            rows = self.conn.cursor()
            rows.row_factory = sqlite3.Row
            rows.execute(_DOCUMENTS)
            words = SiteWords(self)
            for url, members in groupby(rows, key=lambda row: str(row["document_url"])):
                document = _document(url, list(members), words)
                if document is not None:
                    yield document

    def document(self, url: str) -> ArchivedDocument | None:
        """The document that ``url`` is, or is a part of; None where the archive has no body of it."""
        with explained(self.path):
            rows = self.conn.cursor()
            rows.row_factory = sqlite3.Row
            rows.execute(_DOCUMENT, (url,))
            members = rows.fetchall()
            return _document(str(members[0]["document_url"]), members, SiteWords(self)) if members else None

    def texts_wanted(self) -> list[str]:
        """Documents that were fetched anew since the cleaners' texts of them were noted."""
        with explained(self.path):
            rows = self.conn.execute(
                "SELECT DISTINCT document_url FROM url WHERE body_fetch IS NOT NULL AND kind = 'detail'"
                " AND state = 'done' AND text_fetch IS NOT body_fetch"
            )
            return [url for (url,) in rows]

    def note_texts(self, digests: Mapping[str, str]) -> None:
        """Note what the cleaners made of documents, by URL: one whose text stayed was not changed.

        Its page is then left alone twice as long as before, whatever its bytes were.
        """
        with self.write() as conn:
            conn.executemany(_NOTE_TEXT, [{"url": url, "text": text} for url, text in digests.items()])

    def newest_fetched_at(self) -> str | None:
        """When the newest body among the documents came, None for an empty archive."""
        with explained(self.path):
            row = self.conn.execute(
                "SELECT max(fetch.fetched_at) FROM url JOIN fetch ON fetch.id = url.body_fetch"
                " WHERE url.kind IN ('detail', 'part', 'attachment')"
            ).fetchone()
        return None if row[0] is None else str(row[0])

    def stats(self) -> ArchiveStats:
        with explained(self.path):
            sites = tuple(SiteCounts(*row) for row in self.conn.execute(_SITE_COUNTS))
            fetches = self.conn.execute("SELECT count(*) FROM fetch").fetchone()[0]
            bodies = self.conn.execute(
                "SELECT count(*), coalesce(sum(size), 0), coalesce(sum(length(data)), 0) FROM body"
            ).fetchone()
        return ArchiveStats(sites, fetches, *bodies)

    def verify(self) -> list[str]:
        """Every trouble found, one sentence each: structure, references, and each body against its hash."""
        troubles: list[str] = []
        try:
            with explained(self.path):
                for (line,) in self.conn.execute("PRAGMA integrity_check"):
                    if line != "ok":
                        troubles.append(f"{self.path.name}: {line}")
                for table, _, parent, _ in self.conn.execute("PRAGMA foreign_key_check"):
                    troubles.append(
                        f"{self.path.name}: a row of {table} refers to a missing row of {parent}."
                    )
                digests = self.conn.execute(
                    "SELECT sha256 FROM body WHERE sha256 NOT IN (SELECT sha256 FROM erased) ORDER BY sha256"
                )
                for (digest,) in digests:
                    try:
                        self.body(digest)
                    except DamagedError as error:
                        troubles.append(str(error))
        except DamagedError as error:
            troubles.append(str(error))
        return troubles

    def _prepare(self) -> None:
        conn = self.conn
        tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        # a kill while the file was being made leaves it without tables, or with the list of migrations only
        unborn = not tables - {"_sqlite_migrations", "sqlite_sequence"}
        if not unborn and conn.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise DamagedError(f"{self.path} is a database, but not an archive of fanwen; move it away.")
        if self.readonly:
            if unborn:
                raise UsageError(
                    f"The archive {self.path} is empty; run 'fanwen crawl' or 'fanwen ingest' first."
                )
            if pending(conn):
                raise UsageError(
                    f"The archive {self.path} was made by an earlier fanwen; run 'fanwen crawl' or"
                    " 'fanwen ingest' once to bring it up to date."
                )
        else:
            conn.execute("PRAGMA journal_mode = WAL")
            # NORMAL: a kill loses nothing, a power cut at most the last pages, never the file
            conn.execute("PRAGMA synchronous = NORMAL")
            conn.execute("PRAGMA secure_delete = ON")
            if unborn or pending(conn):
                migrate(conn)
        conn.execute("PRAGMA foreign_keys = ON")


def insert(conn: sqlite3.Connection, table: str, *, tail: str = "", **values: object) -> int:
    """Insert one row given by its columns; its rowid. ``tail`` is an ON CONFLICT clause."""
    columns = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    row = conn.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks}) {tail}", values)
    return int(row.lastrowid or 0)


def utc_now() -> str:
    """Now, as it is stored: UTC, ISO 8601 with seconds."""
    return datetime.now(UTC).strftime(TIME)


def as_utc(text: str) -> str | None:
    """A date or time (ISO 8601, UTC where it says no zone) as it is stored; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def later(*, days: float = 0, seconds: float = 0) -> str:
    """A time from now on, as it is stored."""
    return (datetime.now(UTC) + timedelta(days=days, seconds=seconds)).strftime(TIME)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the database's and the disk's troubles into the error a user can act on."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explanation(error, path) or error from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(path) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EROFS):
            raise UsageError(
                f"{path} cannot be written ({error.strerror}); choose another folder."
            ) from error
        raise


def _explanation(error: sqlite3.Error, path: Path) -> FanwenError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DamagedError(
            f"The archive {path} is damaged or not a database ({error}); restore it from a backup."
        )
    unusable = code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
    if code == sqlite3.SQLITE_FULL or (unusable and disk_is_full(path)):
        return _disk_full(path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BlockedError(f"The archive {path} is locked by another process; wait until it has ended.")
    if code == sqlite3.SQLITE_IOERR:
        return IncompleteError(
            f"The archive {path} cannot be read or written ({error}); check the disk and go on."
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return UsageError(
            f"The archive {path} cannot be opened ({error}); check the folder and its permissions."
        )
    return None


def _disk_full(path: Path) -> IncompleteError:
    return IncompleteError(
        f"The disk that holds {path} is full; free some space and run the same command again."
    )


_NOTE_TEXT = f"""
UPDATE url SET
  interval_days = CASE WHEN text_hash = :text THEN min({MOST_DAYS}, interval_was * 2) ELSE interval_days END,
  next_visit = CASE WHEN text_hash = :text THEN strftime('%Y-%m-%dT%H:%M:%SZ',
    (SELECT fetched_at FROM fetch WHERE id = url.body_fetch),
    '+' || min({MOST_DAYS}, interval_was * 2) || ' days')
    ELSE next_visit END,
  text_hash = :text, text_fetch = body_fetch
WHERE url = :url AND text_fetch IS NOT body_fetch AND state = 'done'
"""

# A root that moved within its site is gone from its old place once the new one has a body.
_DOCUMENTS = f"""
SELECT u.document_url, u.url, u.site, u.state, u.body_hash, u.gone, u.name, u.note, u.first_fetched_at,
       u.moved_to AS moved_to,
       u.moved_to IS NOT NULL AND EXISTS
         (SELECT 1 FROM url t WHERE t.url = u.moved_to AND t.body_hash IS NOT NULL
          AND t.kind IN ('detail', 'part', 'attachment')) AS replaced,
       b.content_type, b.fetched_at, b.truncated,
       EXISTS (SELECT 1 FROM erased e WHERE e.sha256 = u.body_hash) AS erased,
       c.robots_hash, c.x_robots_tag, c.meta_robots, c.tdm_reservation, c.content_usage, c.tdmrep_hash,
       c.reservations
FROM url u LEFT JOIN fetch b ON b.id = u.body_fetch LEFT JOIN fetch c ON c.id = u.consent_fetch
WHERE u.kind IN ('detail', 'part', 'attachment') AND u.gone IS NOT '{UNLINKED}'
ORDER BY u.document_url, u.part, u.url
"""

_DOCUMENT = _DOCUMENTS.replace(
    "ORDER BY", "AND u.document_url = (SELECT document_url FROM url WHERE url = ?) ORDER BY"
)

_SITE_COUNTS = """
SELECT site, count(*), sum(state IN ('new', 'leased')),
       sum(kind IN ('detail', 'attachment') AND body_hash IS NOT NULL), sum(state = 'gone'),
       sum(state = 'blocked'), sum(state = 'failed')
FROM url GROUP BY site ORDER BY site
"""


class SiteWords:
    """What sites say now for all their pages: the newest robots.txt and tdmrep.json of each origin.

    Where a server only failed, what it said before still holds; ``strict``: a failure forbids, as in a crawl.
    """

    def __init__(self, archive: Archive, *, strict: bool = False):
        self._archive = archive
        self._decides = "1" if strict else "(status BETWEEN 200 AND 299 OR status BETWEEN 400 AND 428)"
        self._known: dict[str, tuple[Robots | None, Tdmrep | None]] = {}

    def reservations(self, url: str, said: Iterable[str]) -> set[str]:
        """The reservations for a page: ``said`` with its last fetch, and the site's own word as it is now."""
        robots, tdmrep = self.of(origin(url))
        found = set(said)
        if robots is not None:
            found = {word for word in found if not word.startswith("robots.txt")} | robots.reservations(url)
            found |= set() if robots.allows(url) else {DISALLOWED}
        if tdmrep is not None:
            found = found - {TDMREP_RESERVES} | ({TDMREP_RESERVES} if tdmrep.reserves(url) else set())
        return found

    def of(self, site: str) -> tuple[Robots | None, Tdmrep | None]:
        """The files of an origin, None for one that the archive does not have."""
        if site not in self._known:
            robots, tdmrep = self._newest(site, ROBOTS_PATH), self._newest(site, TDMREP_PATH)
            self._known[site] = (
                robots and read_robots(*robots),
                tdmrep and Tdmrep(tdmrep[2], read_tdmrep(tdmrep[1])),
            )
        return self._known[site]

    def forget(self, site: str) -> None:
        """Read the files of an origin again: the archive has got a new one."""
        self._known.pop(site, None)

    def _newest(self, site: str, path: str) -> tuple[int, bytes, str | None] | None:
        row = self._archive.conn.execute(
            "SELECT status, body_hash FROM robots WHERE origin = ? AND path = ? AND error IS NULL"
            f" AND {self._decides} ORDER BY fetched_at DESC, id DESC LIMIT 1",
            (site, path),
        ).fetchone()
        return row and (row[0], b"" if row[1] is None else self._archive.body(row[1]), row[1])


def _document(url: str, members: list[sqlite3.Row], words: SiteWords) -> ArchivedDocument | None:
    root = next((row for row in members if row["url"] == url), None)
    if root is None or root["body_hash"] is None:
        return None
    return ArchivedDocument(
        url=url,
        site=root["site"],
        parts=tuple(_part(row, words) for row in members if row["body_hash"] is not None),
        first_fetched_at=root["first_fetched_at"],
        gone=f"moved to {root['moved_to']}" if root["replaced"] else root["gone"],
        name=root["name"],
        missing_parts=any(row["body_hash"] is None for row in members),
    )


def _part(row: sqlite3.Row, words: SiteWords) -> ArchivedPart:
    reservations = words.reservations(row["url"], json.loads(row["reservations"]))
    if row["state"] == "blocked":
        # fetched when it was allowed, forbidden since: the newest word counts
        reservations.add(str(row["note"]))
    consent = Consent(
        robots_hash=row["robots_hash"],
        x_robots_tag=row["x_robots_tag"],
        meta_robots=row["meta_robots"],
        tdm_reservation=row["tdm_reservation"],
        content_usage=row["content_usage"],
        tdmrep_hash=row["tdmrep_hash"],
        reservations=tuple(sorted(reservations)),
    )
    return ArchivedPart(
        row["url"],
        row["body_hash"],
        row["content_type"],
        row["fetched_at"],
        bool(row["truncated"]),
        consent,
        bool(row["erased"]),
    )
