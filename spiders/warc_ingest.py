"""WARC files into archive.db: fanwen's own, and those of any other crawler.

Records of fanwen's own files bring back what the archive knew of each URL. Pages of other files are
taken as a crawl would have taken them: by the site files' patterns, behind the address guard, with what
was said about reuse. Of one URL the newest whole body counts, whatever the order of records; earlier ones
are kept as visits. Every record that is not taken is counted by its reason. What is committed stays, so a
second run goes on, and taking the same file twice changes nothing.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from fanwen.spiders.archive import UNLINKED, Archive, insert
from fanwen.spiders.decompress import RefusedBodyError
from fanwen.spiders.discovery import PRIORITY
from fanwen.spiders.frontier import Frontier
from fanwen.spiders.guard import refusal
from fanwen.spiders.items import Leased, PageRead
from fanwen.spiders.links import is_html, read_page
from fanwen.spiders.payload import Answer, payload, read_answer
from fanwen.spiders.robots import (
    DISALLOWED,
    MAX_ROBOTS_BYTES,
    ROBOTS_PATH,
    TDMREP_PATH,
    Robots,
    read_consent,
    read_robots,
)
from fanwen.spiders.scope import Scope
from fanwen.spiders.scope import origin as origin_of
from fanwen.spiders.settings import DOWNLOAD_MAXSIZE
from fanwen.spiders.site import Site
from fanwen.spiders.urls import canonical_url
from fanwen.spiders.warc import BY_HAND, STATE_TYPE, State, visit_id
from fanwen.spiders.warc_read import Broken, Record, read_warc
from fanwen.spiders.warc_restore import Restore, has_body

_KINDS = ("attachment", "detail", "list")
_BATCH = 200  # records in one transaction
_DAYS = 30  # until a page is due again, from the day it was fetched
_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_TYPES = ("text/html", "application/xhtml+xml", "text/plain", "text/markdown", "application/pdf", _DOCX)
_MAGIC = re.compile(rb"\s*%PDF-|PK\x03\x04.{0,4000}(?:word/|\[Content_Types\])", re.DOTALL)


@dataclass(slots=True)
class WarcReport:
    """Visits ``taken`` and ``known`` already, robots.txt kept, URLs that are new, records left out by reason.

    :data:`fanwen.spiders.warc.REASONS` says what each reason means.
    """

    taken: int = 0
    known: int = 0
    robots: int = 0
    urls: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


def ingest_warc(
    archive: Archive,
    paths: Iterable[Path],
    sites: Mapping[str, Site],
    *,
    progress: Callable[[int], None] | None = None,
) -> WarcReport:
    """Take WARC files into the archive; ``progress`` gets the number of records read of a file.

    Raises UsageError for a file that is no WARC, before anything of any file is taken.
    """
    files = list(paths)
    for path in files:
        next(read_warc(path))
    report = WarcReport()
    for path in files:
        ingest = _Ingest(archive, sites, report)
        _read_through(ingest, path, progress)
        while ingest.look_for_parts():
            _read_through(ingest, path, progress)
    report.skipped = +report.skipped
    return report


def _read_through(ingest: _Ingest, path: Path, progress: Callable[[int], None] | None) -> None:
    reader = read_warc(path)
    more = True
    while more:
        with ingest.archive.write() as conn:
            before = ingest.read
            for found in islice(reader, _BATCH):
                ingest.take(conn, found)
            more = ingest.read - before == _BATCH
            if not more:
                ingest.finish(conn)
        if progress:
            progress(ingest.read)


class _Ingest:
    """One file on its way into the archive; every method works inside the caller's transaction."""

    def __init__(self, archive: Archive, sites: Mapping[str, Site], report: WarcReport):
        self.archive = archive
        self.report = report
        self.sites = sites
        self.frontier = Frontier(archive, sites)
        self.scopes = {name: Scope(site) for name, site in sites.items()}
        self.by_host: dict[str, Site | None] = {}
        self.state: State | None = None  # of the URL whose records come now
        self.names: frozenset[str] = frozenset()
        self.robots: dict[str, Robots | None] = {}
        self.read = 0
        self.unmatched = False  # a page was left that may be a further page of an article
        self.only: frozenset[str] | None = None  # the pages looked for when the file is read again

    def site_of(self, url: str) -> Site | None:
        """The site file to which a URL belongs."""
        host = urlsplit(url).netloc
        if host not in self.by_host:
            found = (scope.site for scope in self.scopes.values() if scope.home(host) is not None)
            self.by_host[host] = next(found, self.sites.get(host))
        return self.by_host[host]

    def canonical(self, url: str) -> str:
        """The name under which a crawl would know the page; the URL itself where it would not."""
        known, site = _canonical(url), self.site_of(_canonical(url))
        return known if site is None else self.scopes[site.name].url(known)[0] or known

    def look_for_parts(self) -> bool:
        """Whether the file must be read again: a page was left that a later one names as its part."""
        rows = self.archive.conn.execute(
            "SELECT url FROM url WHERE kind = 'part' AND state = 'new' AND body_hash IS NULL"
        )
        parts = frozenset(url for (url,) in rows) if self.unmatched else frozenset()
        before, self.only = self.only, parts
        return bool(parts) and parts != before

    def take(self, conn: sqlite3.Connection, found: Record | Broken) -> None:
        self.read += 1
        if self.only is not None:
            self._take_part(conn, found, self.only)
        elif isinstance(found, Broken):
            self.report.skipped[found.reason] += 1
        elif found.headers.get("content-type") == STATE_TYPE and found.kind == "metadata":
            self.finish(conn)
            self._begin(found)
        elif found.headers.get("warc-record-id") in self.names:
            self._own_body(found)
        else:
            reason = self._foreign(conn, found)
            if reason is not None:
                self.report.skipped[reason] += 1

    def finish(self, conn: sqlite3.Connection) -> None:
        """Write down what the last state record said, now that its bodies are there."""
        if self.state is not None:
            done = Restore(conn).restore(self.state)
            self.report.urls += done.urls
            self.report.taken += done.taken
            self.report.known += done.known
            self.report.skipped["body_missing"] += done.missing
        self.state, self.names = None, frozenset()

    def _take_part(self, conn: sqlite3.Connection, found: Record | Broken, parts: frozenset[str]) -> None:
        url = "" if isinstance(found, Broken) else self.canonical(found.uri)
        if isinstance(found, Record) and url in parts and self._foreign(conn, found) is None:
            site = self.site_of(url)
            if site is not None:
                self.report.skipped[self._unmatched(site, url)] -= 1

    def _begin(self, record: Record) -> None:
        try:
            state = State.model_validate_json(record.block)
        except ValidationError:
            self.report.skipped["bad_state"] += 1
            return
        url = state.url.url
        if refusal(url) and not url.startswith(BY_HAND):
            self.report.skipped["refused_address"] += 1
            return
        self.state = state
        self.names = frozenset(
            visit_id(url, visit.fetched_at, visit.status, visit.body_hash) for visit in state.visits
        )

    def _own_body(self, record: Record) -> None:
        body: bytes | None = None
        if record.kind == "resource":
            body = record.block
        elif record.kind == "response":
            answer = read_answer(record.block)
            body = None if answer is None else answer.body
        if body is not None:
            self.archive.store_body(body)

    def _foreign(self, conn: sqlite3.Connection, record: Record) -> str | None:
        """Take one record of any crawler; the reason when it is not taken."""
        if record.kind not in ("response", "resource", "revisit"):
            return record.kind if re.fullmatch("[a-z]{1,20}", record.kind) else "bad_header"
        if not record.uri:
            return "no_uri"
        if record.date is None:
            return "no_date"
        if not record.uri.lower().startswith(("http://", "https://")):
            return "not_http"
        if refusal(record.uri):
            return "refused_address"
        url = self.canonical(record.uri)
        if not url:
            return "no_uri"
        if record.too_large:
            return "too_large"
        answer = _answer_of(record)
        if answer is None:
            return "no_http"
        if url != (before := _canonical(record.uri)):
            # it was taken when no site file gave it its name
            conn.execute("UPDATE url SET moved_to = ? WHERE url = ?", (url, before))
        path = urlsplit(url).path
        if path in (ROBOTS_PATH, TDMREP_PATH):
            return self._take_site_file(conn, origin_of(url), path, record, answer)
        return self._page(conn, record, url, answer)

    def _take_site_file(
        self, conn: sqlite3.Connection, origin: str, path: str, record: Record, answer: Answer
    ) -> str | None:
        if 300 <= answer.status < 400:
            return "not_200"
        body_hash = None
        if record.kind == "revisit":
            body_hash = _sha256_of(record.headers.get("warc-payload-digest", ""))
            if body_hash is None or not has_body(conn, body_hash):
                return "revisit_unresolved"
        elif answer.status < 300:
            try:
                body_hash = self.archive.store_body(payload(answer, MAX_ROBOTS_BYTES)[0])
            except RefusedBodyError as error:
                return _refused(error)
        row: dict[str, Any] = {
            "origin": origin,
            "path": path,
            "fetched_at": record.date,
            "status": answer.status,
            "body_hash": body_hash,
        }
        if conn.execute(
            "SELECT 1 FROM robots WHERE origin = :origin AND path = :path AND fetched_at = :fetched_at"
            " AND status = :status"
            " AND body_hash IS :body_hash",
            row,
        ).fetchone():
            self.report.known += 1
            return None
        insert(conn, "robots", **row)
        self.robots.pop(origin, None)
        self.report.robots += 1
        return None

    def _page(self, conn: sqlite3.Connection, record: Record, url: str, answer: Answer) -> str | None:
        known = conn.execute(
            "SELECT id, site, kind, document_url, part FROM url WHERE url = ?", (url,)
        ).fetchone()
        place = self._place(url, known)
        if isinstance(place, str):
            return place
        leased, site = place
        came = _Came(record.date or "", answer.status, answer.headers)
        if answer.status != 200 and not (record.kind == "revisit" and answer.status == 304):
            return "not_200"
        if record.kind == "revisit":
            earlier = self._earlier(conn, record, url, answer.status)
            if earlier is None:
                return "revisit_unresolved"
            came.body_fetch, came.body_hash, came.truncated, before = earlier
            came.not_modified = answer.status == 304
            # a 304 does not repeat all that was said; of another URL's copy only the type is the same
            kept = {name: before[name] for name in before if came.not_modified or name == "content-type"}
            came.headers = kept | answer.headers
            body = self.archive.body(came.body_hash)
        else:
            try:
                body, whole = payload(answer, DOWNLOAD_MAXSIZE)
            except RefusedBodyError as error:
                return _refused(error)
            came.truncated = not whole or "warc-truncated" in record.headers
            came.body_hash = sha256(body).hexdigest()
        content_type = came.header("content-type")
        if not body.strip():
            return "empty"
        if not _is_read(content_type, body):
            return "unread_type"
        if leased.id and self._has(conn, leased.id, came):
            self._adopt(conn, leased, known[1])
            self.report.known += 1
            return None
        self.archive.store_body(body)
        page = read_page(leased, self._scope(site), url, body, content_type)
        self._write(conn, leased, came, len(body), page)
        self.report.taken += 1
        return None

    def _place(self, url: str, known: Any) -> tuple[Leased, Site] | str:
        """What the page is and of which site, or why it is not taken."""
        host, site = urlsplit(url).netloc, self.site_of(url)
        number, _, kind, document, part = known or (0, "", "", url, 0)
        if site is None:
            if kind not in ("detail", "part", "attachment"):
                kind = "detail"
            # no site file knows the host: its name stands for the site until one does
            return _leased(number, url, host, kind, document, part), _nobody(host)
        if self.scopes[site.name].url(url)[0] != url:
            return "out_of_scope"
        if kind not in ("detail", "part", "attachment"):
            found = self.scopes[site.name].classified(url, _KINDS)
            if found not in ("detail", "attachment"):
                self.unmatched = self.unmatched or bool(site.parts.next_link or site.parts.fragment)
                return self._unmatched(site, url)
            kind = found
        return _leased(number, url, site.name, kind, document, part), site

    def _scope(self, site: Site) -> Scope:
        return self.scopes.get(site.name) or Scope(site)

    def _unmatched(self, site: Site, url: str) -> str:
        return "list_page" if self.scopes[site.name].classified(url, _KINDS) == "list" else "no_pattern"

    def _earlier(
        self, conn: sqlite3.Connection, record: Record, url: str, status: int
    ) -> tuple[int, str, bool, dict[str, list[str]]] | None:
        """What a revisit confirms: the URL's own last visit for a 304, else the one named, or the hash."""
        named = _named(record) if status == 200 else None
        digest = _sha256_of(record.headers.get("warc-payload-digest", "")) if status == 200 else None
        condition, values = "u.url = ? AND f.fetched_at = ?", named
        if status == 304:
            condition, values = "u.url = ? AND f.fetched_at <= ?", (url, record.date or "")
        row = None
        if values is not None:
            row = conn.execute(
                "SELECT f.id, f.body_hash, f.truncated, f.headers FROM fetch f JOIN url u ON u.id = f.url_id"
                f" WHERE f.body_hash IS NOT NULL AND {condition} ORDER BY f.fetched_at DESC, f.id LIMIT 1",
                values,
            ).fetchone()
        if row is not None:
            headers: dict[str, list[str]] = {}
            for name, value in json.loads(row[3]):
                headers.setdefault(name, []).append(value)
            return row[0] if status == 304 else 0, row[1], bool(row[2]), headers
        if digest is not None and has_body(conn, digest):
            return 0, digest, False, {}
        return None

    def _has(self, conn: sqlite3.Connection, url_id: int, came: _Came) -> bool:
        stored = None if came.not_modified else came.body_hash
        return (
            conn.execute(
                "SELECT 1 FROM fetch WHERE url_id = ? AND fetched_at = ? AND body_hash IS ?"
                " AND not_modified = ?",
                (url_id, came.date, stored, int(came.not_modified)),
            ).fetchone()
            is not None
        )

    def _adopt(self, conn: sqlite3.Connection, leased: Leased, site: str) -> None:
        """A host that no site file knew has one by now."""
        if site != leased.site and site not in self.sites:
            conn.execute(
                "UPDATE url SET site = ?, kind = ? WHERE id = ?", (leased.site, leased.kind, leased.id)
            )

    def _write(
        self, conn: sqlite3.Connection, leased: Leased, came: _Came, size: int, page: PageRead
    ) -> None:
        if not leased.id:
            self.report.urls += 1
        url_id = leased.id or insert(
            conn,
            "url",
            url=leased.url,
            site=leased.site,
            host=leased.host,
            kind=leased.kind,
            state="new",
            priority=PRIORITY[leased.kind],
            depth=1,
            document_url=leased.document_url,
            part=leased.part,
            discovered_at=came.date,
            interval_days=_DAYS,
        )
        fetch_id, outcome = self._fetch(conn, url_id, leased.url, came, size, page)
        _settle(conn, url_id, fetch_id, came, outcome)
        if outcome != "older" and not came.truncated and page.problem is None and leased.site in self.sites:
            self.frontier.take_links(conn, replace(leased, id=url_id), page.links)

    def _fetch(
        self, conn: sqlite3.Connection, url_id: int, url: str, came: _Came, size: int, page: PageRead
    ) -> tuple[int, str]:
        robots = self._robots(conn, url)
        consent = read_consent(url, robots, came.headers, page.metas)
        reservations = set(consent.reservations)
        if robots is not None and not robots.allows(url):
            reservations.add(DISALLOWED)
        held = conn.execute(
            "SELECT max(b.fetched_at, coalesce(c.fetched_at, '')), b.truncated, b.body_hash FROM url u"
            " JOIN fetch b ON b.id = u.body_fetch LEFT JOIN fetch c ON c.id = u.consent_fetch WHERE u.id = ?",
            (url_id,),
        ).fetchone()
        outcome = "new"
        if held is not None:
            newer = (not came.truncated, came.date, came.body_hash) > (not held[1], held[0], held[2])
            outcome = "older" if not newer else "unchanged" if held[2] == came.body_hash else "changed"
        fetch_id = insert(
            conn,
            "fetch",
            url_id=url_id,
            fetched_at=came.date,
            status=came.status,
            outcome=outcome,
            headers=json.dumps(
                [(name, value) for name, values in came.headers.items() for value in values],
                ensure_ascii=False,
            ),
            content_type=came.header("content-type"),
            body_hash=None if came.not_modified else came.body_hash,
            bytes=0 if came.not_modified else size,
            not_modified=int(came.not_modified),
            truncated=int(came.truncated),
            error=page.problem,
            robots_hash=consent.robots_hash,
            x_robots_tag=consent.x_robots_tag,
            meta_robots=consent.meta_robots,
            tdm_reservation=consent.tdm_reservation,
            content_usage=consent.content_usage,
            reservations=json.dumps(sorted(reservations), ensure_ascii=False),
        )
        return fetch_id, outcome

    def _robots(self, conn: sqlite3.Connection, url: str) -> Robots | None:
        """The newest robots.txt that the archive has of the page's origin, None where it has none."""
        origin = origin_of(url)
        if origin not in self.robots:
            if len(self.robots) > 1000:
                self.robots.clear()
            row = conn.execute(
                "SELECT status, body_hash FROM robots WHERE origin = ? AND path = ? AND error IS NULL"
                " ORDER BY fetched_at DESC, id DESC LIMIT 1",
                (origin, ROBOTS_PATH),
            ).fetchone()
            body = b"" if row is None or row[1] is None else self.archive.body(row[1])
            self.robots[origin] = None if row is None else read_robots(row[0], body, row[1])
        return self.robots[origin]


@dataclass(slots=True)
class _Came:
    """One visit as a foreign record tells it."""

    date: str
    status: int
    headers: dict[str, list[str]]
    body_hash: str = ""
    truncated: bool = False
    not_modified: bool = False
    body_fetch: int = 0  # the visit that brought the body which a 304 confirms

    def header(self, name: str) -> str | None:
        return next(iter(self.headers.get(name, ())), None)


def _settle(conn: sqlite3.Connection, url_id: int, fetch_id: int, came: _Came, outcome: str) -> None:
    """The URL's state after one more visit: the best visit gives body and consent, the newest is the last."""
    last = conn.execute(
        "SELECT f.fetched_at FROM url u JOIN fetch f ON f.id = u.last_fetch WHERE u.id = ?", (url_id,)
    ).fetchone()
    conn.execute(
        "UPDATE url SET first_fetched_at = min(coalesce(first_fetched_at, :at), :at) WHERE id = :id",
        {"at": came.date, "id": url_id},
    )
    if last is None or came.date > last[0]:
        conn.execute("UPDATE url SET last_fetch = ? WHERE id = ?", (fetch_id, url_id))
        # what was gone is there again; a part that its document does not name any more stays out of it
        conn.execute(
            "UPDATE url SET state = CASE WHEN state IN ('failed', 'gone') THEN 'done' ELSE state END,"
            " gone = NULL, moved_to = NULL, missing = 0, failures = 0,"
            " note = CASE WHEN state = 'blocked' THEN note END"
            " WHERE id = ? AND gone IS NOT ?",
            (url_id, UNLINKED),
        )
    if outcome == "older":
        return
    due = datetime.fromisoformat(came.date) + timedelta(days=1 if came.truncated else _DAYS)
    conn.execute(
        "UPDATE url SET state = CASE WHEN state = 'new' THEN 'done' ELSE state END, body_hash = :hash,"
        " body_fetch = :body, consent_fetch = :fetch, etag = :etag, last_modified = :modified,"
        " next_visit = :due WHERE id = :id",
        {
            "hash": came.body_hash,
            "body": came.body_fetch or fetch_id,
            "fetch": fetch_id,
            # validators of a torn body would freeze it
            "etag": None if came.truncated else came.header("etag"),
            "modified": None if came.truncated else came.header("last-modified"),
            "due": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "id": url_id,
        },
    )


def _leased(number: int, url: str, site: str, kind: str, document: str, part: int) -> Leased:
    return Leased(number, url, site, urlsplit(url).netloc, kind, document, part, depth=1, hops=0, attempts=0)


def _nobody(host: str) -> Site:
    return Site(name="unknown", title=host, family="unknown", host=host)


def _answer_of(record: Record) -> Answer | None:
    if record.kind == "resource":
        return Answer(200, {"content-type": [record.headers.get("content-type", "")]}, record.block)
    answer = read_answer(record.block)
    if answer is None and record.kind == "revisit":
        same = record.headers.get("warc-profile", "").endswith("server-not-modified")
        return Answer(304 if same else 200, {}, b"")
    return answer


def _is_read(content_type: str | None, body: bytes) -> bool:
    declared = (content_type or "").split(";")[0].strip().lower()
    if declared in _TYPES or _MAGIC.match(body):
        return True
    return not declared and is_html(body, None)


def _refused(error: RefusedBodyError) -> str:
    reasons = {"too large": "too_large", "unknown": "unknown_encoding"}
    return next((reason for words, reason in reasons.items() if str(error).startswith(words)), "damaged_body")


def _canonical(uri: str) -> str:
    try:
        return canonical_url(uri)
    except ValueError:
        return ""


def _named(record: Record) -> tuple[str, str] | None:
    """URL and time of the record that a revisit refers to."""
    try:
        date = datetime.fromisoformat(record.headers["warc-refers-to-date"])
        return canonical_url(record.headers["warc-refers-to-target-uri"]), date.strftime("%Y-%m-%dT%H:%M:%SZ")
    except (KeyError, ValueError):
        return None


def _sha256_of(digest: str) -> str | None:
    """The hex form of a sha256 label, in base 16 or 32; None for anything else."""
    name, _, value = digest.partition(":")
    if name.lower().replace("-", "") != "sha256":
        return None
    try:
        raw = bytes.fromhex(value) if len(value) == 64 else base64.b32decode(value.upper())
    except ValueError:
        return None
    return raw.hex() if len(raw) == 32 else None
