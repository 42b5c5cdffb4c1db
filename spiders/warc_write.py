"""An archive as one WARC/1.1 file.

In go an archive and a choice of sites and time, out comes the file, written beside and renamed, so
never half. The bodies in the archive are already dechunked and decompressed; the headers that say
otherwise are renamed ``X-Archive-Orig-…``, as other tools do, so that every reader gets the payload. A
body that occurs again is a ``revisit`` record that names the first one.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from fanwen import __version__
from fanwen.errors import IncompleteError, UsageError
from fanwen.spiders.archive import Archive, explained
from fanwen.spiders.robots import NO_ROBOTS
from fanwen.spiders.warc import BY_HAND, LISTS, STATE_TYPE, WARC_ENDINGS, UrlState, Visit, record_id, visit_id

_PROFILES = "http://netpreserve.org/warc/1.1/revisit/"
_HTTP = "application/http; msgtype=response"
_RENAMED = ("content-length", "content-encoding", "transfer-encoding")
_ORIGINAL = "X-Archive-Orig-"
_GZIP = 31  # zlib's number for a gzip member; its header names no time
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_URL_COLUMNS = tuple(UrlState.model_fields)
_VISIT_COLUMNS = tuple(Visit.model_fields)


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written: URLs, and records by kind; ``bytes`` is the size of the file."""

    file: str
    urls: int
    responses: int
    revisits: int
    resources: int
    robots: int
    bytes: int


def export_warc(
    archive: Archive,
    path: Path,
    *,
    sites: Sequence[str] = (),
    since: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> ExportReport:
    """Write the visits of ``sites`` (all by default) since a time (ISO 8601, UTC), with their URLs' states.

    The name decides: ``.warc.gz`` has one gzip member per record, ``.warc`` is plain. Raises UsageError for
    another ending and for a site of which the archive has nothing, IncompleteError for a full disk,
    DamagedError for a damaged body.
    """
    if not path.name.endswith(WARC_ENDINGS):
        raise UsageError(f"{path} is no name for a WARC file; let it end in .warc.gz or .warc.")
    with explained(archive.path), _snapshot(archive.conn):
        _choose(archive.conn, sites, since)
        scratch = path.with_name(path.name + ".new")
        try:
            with scratch.open("wb") as out:
                counts = _Export(archive, out, path.name.endswith(".gz"), progress).write()
                out.flush()
                os.fsync(out.fileno())
            size = scratch.stat().st_size
            scratch.replace(path)
        except OSError as error:
            if error.errno in _FULL:
                raise IncompleteError(
                    f"The disk that holds {path} is full; free some space and export again."
                ) from None
            raise UsageError(f"{path} cannot be written ({error.strerror}); choose another place.") from None
        finally:
            with suppress(OSError):  # a place where nothing can be written has nothing to take away
                scratch.unlink()
    return ExportReport(
        str(path),
        counts["urls"],
        counts["response"],
        counts["revisit"],
        counts["resource"],
        counts["robots"],
        size,
    )


@contextmanager
def _snapshot(conn: sqlite3.Connection) -> Iterator[None]:
    """One read transaction, so that a crawl cannot tear the file; temporary tables end with it."""
    conn.execute("BEGIN")
    try:
        yield
    finally:
        conn.rollback()


def _choose(conn: sqlite3.Connection, sites: Sequence[str], since: str | None) -> None:
    known = {name for (name,) in conn.execute("SELECT DISTINCT site FROM url")}
    for name in sites:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise UsageError(f"The archive has nothing of a site '{name}'; the sites it has: {names}.")
    marks = ",".join("?" * len(sites))
    conn.execute("CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY, url_id INTEGER)")
    conn.execute("CREATE TEMP TABLE along (id INTEGER PRIMARY KEY)")
    conn.execute("CREATE TEMP TABLE said (id INTEGER PRIMARY KEY)")
    of_sites = f"u.site IN ({marks})" if sites else "1"
    conn.execute(
        "INSERT INTO chosen SELECT f.id, f.url_id FROM fetch f JOIN url u ON u.id = f.url_id"
        f" WHERE {of_sites} AND f.fetched_at >= ?",
        (*sites, since or ""),
    )
    # a document goes whole: its other parts, and what changed without a visit
    conn.execute(
        f"INSERT INTO along SELECT u.id FROM url u WHERE {of_sites}"
        " AND (? IS NULL OR u.discovered_at >= ? OR u.state = 'blocked' OR u.document_url IN"
        "  (SELECT document_url FROM url WHERE id IN (SELECT url_id FROM chosen)))",
        (*sites, since, since),
    )
    # what goes along without a visit brings its newest one, or nobody could tell how old its state is
    conn.execute(
        "INSERT INTO chosen SELECT f.id, u.id FROM url u JOIN along a ON a.id = u.id"
        " JOIN fetch f ON f.id IN (u.body_fetch, u.last_fetch, u.consent_fetch)"
        " WHERE u.id NOT IN (SELECT url_id FROM chosen)"
    )
    conn.execute(
        "INSERT INTO said SELECT min(id) AS id FROM robots WHERE error IS NULL AND status > 0"
        " AND fetched_at >= ? AND origin IN (SELECT DISTINCT substr(url, 1, instr(url, '://') + 2) || host"
        "  FROM url WHERE id IN (SELECT id FROM along)) GROUP BY origin, path, fetched_at, status, body_hash",
        (since or "",),
    )


# Every record that has a body, in the order of the file, with the first one that has the same body.
_BODIES = """
SELECT kind, id, first_value(kind || '/' || id) OVER same, first_value(uri) OVER same,
       first_value(fetched_at) OVER same
FROM (SELECT 'robots' AS kind, r.id, r.origin || r.path AS uri, r.fetched_at, r.body_hash
      FROM robots r JOIN said USING (id) WHERE r.body_hash IS NOT NULL
      UNION ALL
      SELECT 'url', f.id, u.url, f.fetched_at, f.body_hash
      FROM fetch f JOIN chosen USING (id) JOIN url u ON u.id = f.url_id WHERE f.body_hash IS NOT NULL)
WINDOW same AS (PARTITION BY body_hash ORDER BY kind, uri, fetched_at, id)
"""

_ROBOTS = """
SELECT r.origin || r.path AS url, r.fetched_at AS f_fetched_at, r.status AS f_status,
       r.body_hash AS f_body_hash, '[]' AS f_headers,
       nullif(b.first, 'robots/' || r.id) AS first, b.uri AS first_uri, b.fetched_at AS first_at
FROM robots r JOIN said USING (id) LEFT JOIN bodies b ON b.kind = 'robots' AND b.id = r.id
ORDER BY 1, r.fetched_at, r.id
"""

_URLS = f"""
SELECT {", ".join(f"u.{name}" for name in _URL_COLUMNS)}, u.id AS url_id,
       {", ".join(f"f.{name} AS f_{name}" for name in _VISIT_COLUMNS)}, f.id AS fetch_id,
       EXISTS (SELECT 1 FROM erased e WHERE e.sha256 = f.body_hash) AS f_erased,
       nullif(b.first, 'url/' || f.id) AS first, b.uri AS first_uri, b.fetched_at AS first_at
FROM url u JOIN along a ON a.id = u.id
LEFT JOIN fetch f ON f.url_id = u.id AND EXISTS (SELECT 1 FROM chosen WHERE id = f.id)
LEFT JOIN bodies b ON b.kind = 'url' AND b.id = f.id
ORDER BY u.url, f.fetched_at, f.id
"""


class _Export:
    def __init__(
        self, archive: Archive, out: BinaryIO, gzip: bool, progress: Callable[[int], None] | None
    ) -> None:
        self.archive = archive
        self.out = out
        self.gzip = gzip
        self.progress = progress
        self.counts: Counter[str] = Counter()

    def write(self) -> Counter[str]:
        conn = self.archive.conn
        conn.execute(
            # without the types no index would be used
            "CREATE TEMP TABLE bodies (kind TEXT, id INTEGER, first TEXT, uri TEXT, fetched_at TEXT,"
            " PRIMARY KEY (kind, id)) WITHOUT ROWID"
        )
        conn.execute(f"INSERT INTO bodies {_BODIES}")
        self._info()
        rows = conn.cursor()
        rows.row_factory = sqlite3.Row
        for row in rows.execute(_ROBOTS):
            self._robots(row)
        rows.execute(_URLS)
        for _, visits in groupby(rows, key=lambda row: row["url_id"]):
            self._url(list(visits))
            self.counts["urls"] += 1
            if self.progress:
                self.progress(self.counts["urls"])
        return self.counts

    def _info(self) -> None:
        newest = self.archive.conn.execute(
            "SELECT max(fetched_at) FROM (SELECT fetched_at FROM fetch JOIN chosen USING (id)"
            " UNION ALL SELECT fetched_at FROM robots JOIN said USING (id))"
        ).fetchone()[0]
        fields = (
            f"software: fanwen/{__version__}\r\nformat: WARC File Format 1.1\r\n"
            "conformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\n"
        )
        headers = [
            ("WARC-Record-ID", record_id("warcinfo", newest)),
            ("WARC-Date", newest or "1970-01-01T00:00:00Z"),
        ]
        self._record("warcinfo", headers, "application/warc-fields", fields.encode())

    def _robots(self, row: sqlite3.Row) -> None:
        headers = _named(row["url"], row["f_fetched_at"], _visit_id(row["url"], row))
        if row["f_body_hash"] is None:
            headers.append(("WARC-Truncated", "unspecified"))  # only rules are kept, no error pages
        self._answer(headers, row)
        self.counts["robots"] += 1

    def _url(self, rows: list[sqlite3.Row]) -> None:
        """The metadata record of one URL, and the records of its visits."""
        url = str(rows[0]["url"])
        visits: dict[str, sqlite3.Row] = {}
        for row in rows:
            if row["fetch_id"] is not None:
                visits.setdefault(_visit_id(url, row), row)
        self._state(url, rows[0], list(visits.values()))
        for name, row in visits.items():
            self._visit(url, name, row)

    def _state(self, url: str, row: sqlite3.Row, visits: list[sqlite3.Row]) -> None:
        state = {name: row[name] for name in _URL_COLUMNS}
        if state["state"] == "leased":
            state["state"] = "new"
        visited_at = None
        for name in ("body_fetch", "last_fetch", "consent_fetch"):
            fetch = self.archive.conn.execute(
                "SELECT fetched_at, status, body_hash FROM fetch WHERE id = ?", (row[name],)
            ).fetchone()
            state[name] = None if fetch is None else visit_id(url, *fetch)
            if name == "last_fetch" and fetch is not None:
                visited_at = fetch[0]
        told = {
            "visited_at": visited_at,
            "url": state,
            "visits": [
                {name: visit[f"f_{name}"] for name in _VISIT_COLUMNS}
                | {name: json.loads(visit[f"f_{name}"]) for name in LISTS}
                for visit in visits
            ],
        }
        text = json.dumps(told, ensure_ascii=False, sort_keys=True)
        at = visited_at or row["discovered_at"]
        self._record("metadata", _named(url, at, record_id("state", text)), STATE_TYPE, text.encode())

    def _visit(self, url: str, name: str, row: sqlite3.Row) -> None:
        body_hash = row["f_body_hash"]
        if row["f_erased"]:  # a takedown left only the hash, which stands in the record of the URL
            return
        headers = _named(url, row["f_fetched_at"], name)
        if row["f_truncated"]:
            headers.append(("WARC-Truncated", "disconnect"))
        if url.startswith(BY_HAND) and body_hash is not None:
            headers.append(_payload_digest(body_hash))
            content_type = row["f_content_type"] or "application/octet-stream"
            self._record("resource", headers, content_type, self.archive.body(body_hash))
            self.counts["resource"] += 1
        elif row["f_not_modified"]:
            headers.append(("WARC-Profile", _PROFILES + "server-not-modified"))
            self._record("revisit", headers, _HTTP, _http_head(row))
            self.counts["revisit"] += 1
        elif body_hash is not None:
            self.counts[self._answer(headers, row)] += 1

    def _answer(self, headers: list[tuple[str, str]], row: sqlite3.Row) -> str:
        """A response record, or a revisit record where the same body stands in the file already; which."""
        headers.append(_payload_digest(row["f_body_hash"] or NO_ROBOTS))
        if row["first"] is None:
            body = b"" if row["f_body_hash"] is None else self.archive.body(row["f_body_hash"])
            self._record("response", headers, _HTTP, _http_head(row, len(body)) + body)
            return "response"
        headers += [
            ("WARC-Profile", _PROFILES + "identical-payload-digest"),
            ("WARC-Refers-To-Target-URI", row["first_uri"]),
            ("WARC-Refers-To-Date", row["first_at"]),
        ]
        self._record("revisit", headers, _HTTP, _http_head(row))
        return "revisit"

    def _record(self, kind: str, headers: list[tuple[str, str]], content_type: str, block: bytes) -> None:
        lines = [
            ("WARC-Type", kind),
            *headers,
            ("WARC-Block-Digest", _digest(hashlib.sha256(block).digest())),
            ("Content-Type", content_type),
            ("Content-Length", str(len(block))),
        ]
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        record = b"WARC/1.1\r\n" + head.encode() + b"\r\n" + block + b"\r\n\r\n"
        self.out.write(zlib.compress(record, 9, _GZIP) if self.gzip else record)


def _visit_id(url: str, row: sqlite3.Row) -> str:
    return visit_id(url, row["f_fetched_at"], row["f_status"], row["f_body_hash"])


def _named(uri: str, date: str, name: str) -> list[tuple[str, str]]:
    return [("WARC-Record-ID", name), ("WARC-Target-URI", uri), ("WARC-Date", date)]


def _payload_digest(body_hash: str) -> tuple[str, str]:
    return "WARC-Payload-Digest", _digest(bytes.fromhex(body_hash))


def _digest(raw: bytes) -> str:
    return f"sha256:{base64.b32encode(raw).decode()}"


def _http_head(row: sqlite3.Row, length: int | None = None) -> bytes:
    """Status line and headers as bytes; what the stored body is no longer is said under another name."""
    try:
        phrase = HTTPStatus(row["f_status"]).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {row['f_status']} {phrase}"]
    for name, value in json.loads(row["f_headers"]):
        renamed = name.lower() in _RENAMED
        lines.append(f"{_ORIGINAL if renamed else ''}{name}: {' '.join(value.split())}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
