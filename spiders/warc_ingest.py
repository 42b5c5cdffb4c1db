"""WARC files into archive.db: fanwen's own, and those of any other crawler.

Records of fanwen's own files bring back what the archive knew of each URL. Pages of other files are
taken as a crawl would have taken them: by the site files' patterns, behind the address guard, with what
was said about reuse. Of one URL the newest whole body counts, whatever the order of records; earlier ones
are kept as visits. Every record that is not taken is counted by its reason. What is committed stays, so a
second run goes on, and taking the same file twice changes nothing.
"""

from __future__ import annotations

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

from fanwen.spiders import absent
from fanwen.spiders.archive import UNLINKED, Archive, SiteWords, as_utc, explained, insert
from fanwen.spiders.decompress import RefusedBodyError
from fanwen.spiders.discovery import PRIORITY
from fanwen.spiders.frontier import Frontier
from fanwen.spiders.guard import refusal
from fanwen.spiders.items import NEEDS_SCRIPT, Consent, Fetch, Leased, PageRead
from fanwen.spiders.links import is_html, read_page
from fanwen.spiders.payload import Answer, payload, read_answer
from fanwen.spiders.robots import (
    MAX_ROBOTS_BYTES,
    ROBOTS_PATH,
    TDMREP_PATH,
    read_consent,
)
from fanwen.spiders.scope import Scope
from fanwen.spiders.scope import origin as origin_of
from fanwen.spiders.settings import DOWNLOAD_MAXSIZE
from fanwen.spiders.site import Site
from fanwen.spiders.takedown import Takedown
from fanwen.spiders.urls import canonical_url
from fanwen.spiders.warc import BY_HAND, STATE_TYPE, State, visit_id
from fanwen.spiders.warc_read import Broken, Record, digest_of, read_warc
from fanwen.spiders.warc_restore import Restore, has_body

_KINDS = ("attachment", "detail", "list")
_DOCUMENTS = ("detail", "part", "attachment")
_NO_PAGES = ("warcinfo", "request", "metadata", "conversion", "continuation")
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
    takedown: Takedown = Takedown(),
    progress: Callable[[int], None] | None = None,
) -> WarcReport:
    """Take WARC files into the archive; ``progress`` gets the number of records read of a file.

    Raises UsageError for a file that is no WARC, before anything of any file is taken.
    """
    files = list(paths)
    for path in files:
        next(read_warc(path))
    report = WarcReport()
    with explained(archive.path):
        ingest = _Ingest(archive, sites, takedown, report)
    left = [path for path in files if ingest.read(path, ingest.take, progress)]
    # a further page of an article may stand before the page that names it
    taken = -1
    while left and taken < report.taken and ingest.wants_parts():
        taken = report.taken
        for path in left:
            ingest.read(path, ingest.take_part, progress)
    report.skipped = +report.skipped
    return report


class _Ingest:
    """Files on their way into the archive; ``take`` and what it calls work inside a transaction."""

    def __init__(
        self, archive: Archive, sites: Mapping[str, Site], takedown: Takedown, report: WarcReport
    ) -> None:
        self.archive = archive
        self.report = report
        self.sites = sites
        self.takedown = takedown
        self.frontier = Frontier(archive, sites)
        self.frontier.discovery.load(archive.conn, 0)
        self.scopes = {name: self.frontier.scope(name) for name in sites}
        self.by_host: dict[str, Site | None] = {}
        self.state: State | None = None  # of the URL whose records come now
        self.names: frozenset[str] = frozenset()
        self.words = SiteWords(archive, strict=True)
        self.unmatched = False  # a page was left that may be a further page of an article
        # which body has which WARC-Payload-Digest: what revisits without a URL name
        archive.conn.execute(
            "CREATE TEMP TABLE IF NOT EXISTS payload (label TEXT PRIMARY KEY, body_hash TEXT) WITHOUT ROWID"
        )

    def read(
        self,
        path: Path,
        take: Callable[[sqlite3.Connection, Record | Broken], None],
        progress: Callable[[int], None] | None,
    ) -> bool:
        """Give every record of a file to ``take``; whether a page was left that may belong to an article."""
        reader = read_warc(path)
        self.unmatched = False
        done, more = 0, True
        while more:
            before = done
            with self.archive.write() as conn:
                for found in islice(reader, _BATCH):
                    take(conn, found)
                    done += 1
                more = done - before == _BATCH
                if not more:
                    self._finish(conn)
            if progress:
                progress(done)
        return self.unmatched

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

    def wants_parts(self) -> bool:
        return self.archive.conn.execute(f"{_WANTED} LIMIT 1").fetchone() is not None

    def take_part(self, conn: sqlite3.Connection, found: Record | Broken) -> None:
        """Take a page that was left, now that another one names it as its part."""
        url = "" if isinstance(found, Broken) else self.canonical(found.uri)
        if not url or conn.execute(f"{_WANTED} AND url = ?", (url,)).fetchone() is None:
            return
        site = self.site_of(url)
        if isinstance(found, Record) and self._foreign(conn, found) is None and site is not None:
            self.report.skipped[self._unmatched(site, url)] -= 1

    def take(self, conn: sqlite3.Connection, found: Record | Broken) -> None:
        """Take one record, or count why it is not taken."""
        reason: str | None = None
        if isinstance(found, Broken):
            reason = found.reason
        elif found.headers.get("content-type") == STATE_TYPE and found.kind == "metadata":
            self._finish(conn)
            reason = self._begin(found)
        elif found.headers.get("warc-record-id") in self.names:
            reason = self._own_body(found)
        else:
            reason = self._foreign(conn, found)
        if reason is not None:
            self.report.skipped[reason] += 1

    def _finish(self, conn: sqlite3.Connection) -> None:
        """Write down what the last state record said, now that its bodies are there."""
        if self.state is not None:
            done = Restore(conn).restore(self.state)
            self.report.urls += done.urls
            self.report.taken += done.taken
            self.report.known += done.known
            self.report.skipped["body_missing"] += done.missing
        self.state, self.names = None, frozenset()

    def _begin(self, record: Record) -> str | None:
        try:
            state = State.model_validate_json(record.block)
        except ValidationError:
            return "bad_state"
        url = state.url.url
        if refusal(url) and not url.startswith(BY_HAND):
            return "refused_address"
        self.names = frozenset(
            visit_id(url, visit.fetched_at, visit.status, visit.body_hash) for visit in state.visits
        )
        if self.takedown.names(url):
            return "taken_down"
        self.state = state
        return None

    def _own_body(self, record: Record) -> str | None:
        answer = _answer_of(record)
        if self.state is None or record.kind == "revisit" or answer is None or record.too_large:
            return None
        return self._keep(answer.body)[0]

    def _keep(self, body: bytes) -> tuple[str | None, str]:
        """(why the body is not kept, its sha256)."""
        digest = sha256(body).hexdigest()
        if digest in self.takedown.hashes:
            return "taken_down", digest
        self.archive.store_body(body)
        return None, digest

    def _foreign(self, conn: sqlite3.Connection, record: Record) -> str | None:
        """Take one record of any crawler; the reason when it is not taken."""
        if record.kind not in ("response", "resource", "revisit"):
            return record.kind if record.kind in _NO_PAGES else "bad_header"
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
        if self.takedown.names(url):
            return "taken_down"
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
            body_hash = _sha256_of(record)
            if not has_body(conn, body_hash):
                return "revisit_unresolved"
        elif answer.status < 300:
            try:
                limit = DOWNLOAD_MAXSIZE if path == ROBOTS_PATH else MAX_ROBOTS_BYTES
                body_hash = self.archive.store_body(payload(answer, limit)[0])
            except RefusedBodyError as error:
                return _refused(error)
        row: dict[str, Any] = {
            "origin": origin,
            "path": path,
            "fetched_at": record.date,
            "status": answer.status,
            "body_hash": body_hash,
        }
        same = " AND ".join(f"{name} IS :{name}" for name in row)
        if conn.execute(f"SELECT 1 FROM robots WHERE {same}", row).fetchone():
            self.report.known += 1
            return None
        insert(conn, "robots", **row)
        self.words.forget(origin)
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
        if answer.status != 200 and not (record.kind == "revisit" and answer.status == 304):
            return "not_200"
        content_type, confirmed = answer.header("content-type"), None
        if record.kind == "revisit":
            earlier = self._earlier(conn, record, url, answer.status)
            if earlier is None:
                return "revisit_unresolved"
            confirmed, digest, torn, type_before = earlier
            content_type, body = content_type or type_before, self.archive.body(digest)
        else:
            try:
                body, whole = payload(answer, DOWNLOAD_MAXSIZE)
            except RefusedBodyError as error:
                return _refused(error)
            digest = sha256(body).hexdigest()
            # of a record in segments this is the first
            torn = not whole or bool({"warc-truncated", "warc-segment-number"} & record.headers.keys())
        if not body.strip():
            return "empty"
        if leased.kind != "part" and not _is_read(content_type, body):
            return "unread_type"
        stored = None if answer.status == 304 else digest
        if "warc-payload-digest" in record.headers and not torn:
            label = record.headers["warc-payload-digest"]
            conn.execute("INSERT OR REPLACE INTO payload VALUES (?, ?)", (label, digest))
        if (
            leased.id
            and conn.execute(_SAME_VISIT, (leased.id, record.date, stored, answer.status)).fetchone()
        ):
            self._adopt(conn, leased, known[1])
            self.report.known += 1
            return None
        page = read_page(leased, self._scope(site), url, body, content_type)
        fetch = Fetch(
            url=url,
            fetched_at=record.date or "",
            status=answer.status,
            headers=tuple((name, value) for name, values in answer.headers.items() for value in values),
            body=None if answer.status == 304 else body,
            content_type=content_type,
            etag=answer.header("etag"),
            last_modified=answer.header("last-modified"),
            truncated=torn,
            error=NEEDS_SCRIPT if page.needs_script else page.problem,
            consent=self._consent(url, answer, page),
        )
        fetch, _ = absent.seen_through(conn, self.frontier.discovery, leased, fetch, page, None)
        if fetch.status == 404:
            return "soft_404"
        if (reason := self._keep(body)[0]) is not None:
            return reason
        self._write(conn, leased, fetch, page, digest, confirmed)
        self.report.taken += 1
        return None

    def _place(self, url: str, known: Any) -> tuple[Leased, Site] | str:
        """What the page is and of which site, or why it is not taken."""
        host, site = urlsplit(url).netloc, self.site_of(url)
        number, _, kind, document, part = known or (0, "", "", url, 0)
        if site is None:
            kind = kind if kind in _DOCUMENTS else "detail"
            # no site file knows the host: its name stands for the site until one does
            return _leased(number, url, host, kind, document, part), _nobody(host)
        if self.scopes[site.name].url(url)[0] != url:
            return "out_of_scope"
        if kind not in _DOCUMENTS:
            found = self.scopes[site.name].classified(url, _KINDS)
            if found not in ("detail", "attachment"):
                parts = site.parts
                self.unmatched = self.unmatched or bool(parts.next_link or parts.fragment or parts.api)
                return self._unmatched(site, url)
            kind = found
        return _leased(number, url, site.name, kind, document, part), site

    def _scope(self, site: Site) -> Scope:
        return self.scopes.get(site.name) or Scope(site)

    def _unmatched(self, site: Site, url: str) -> str:
        return "list_page" if self.scopes[site.name].classified(url, _KINDS) == "list" else "no_pattern"

    def _earlier(
        self, conn: sqlite3.Connection, record: Record, url: str, status: int
    ) -> tuple[int | None, str, bool, str | None] | None:
        """(visit, body, torn, content type) that a revisit confirms.

        For a 304 that is the URL's own last visit, else the one named, or a body with the hash named.
        """
        if status == 304:
            which, values = "u.url = ? AND f.fetched_at <= ?", (url, record.date)
        else:
            named = self.canonical(record.headers.get("warc-refers-to-target-uri", ""))
            which = "u.url = ? AND f.fetched_at = ?"
            values = named, as_utc(record.headers.get("warc-refers-to-date", ""))
        row = conn.execute(
            "SELECT f.id, f.body_hash, f.truncated, f.content_type FROM fetch f JOIN url u ON u.id = f.url_id"
            " WHERE f.body_hash IS NOT NULL AND f.body_hash NOT IN (SELECT sha256 FROM erased)"
            f" AND {which} ORDER BY f.fetched_at DESC, f.id LIMIT 1",
            values,
        ).fetchone()
        if row is None and status == 200:
            row = conn.execute(
                "SELECT NULL, sha256, 0, NULL FROM body WHERE sha256 = coalesce("
                " (SELECT body_hash FROM payload WHERE label = ?), ?)"
                " AND sha256 NOT IN (SELECT sha256 FROM erased)",
                (record.headers.get("warc-payload-digest"), _sha256_of(record)),
            ).fetchone()
        return row and (row[0] if status == 304 else None, row[1], bool(row[2]), row[3])

    def _adopt(self, conn: sqlite3.Connection, leased: Leased, site: str) -> None:
        """A host that no site file knew has one by now."""
        if site != leased.site and site not in self.sites:
            conn.execute(
                "UPDATE url SET site = ?, kind = ? WHERE id = ?", (leased.site, leased.kind, leased.id)
            )

    def _write(
        self,
        conn: sqlite3.Connection,
        leased: Leased,
        fetch: Fetch,
        page: PageRead,
        digest: str,
        confirmed: int | None,
    ) -> None:
        """Write one visit of any time down; of all visits the newest that was whole gives the body."""
        if not leased.id:
            self.report.urls += 1
            known: dict[str, Any] = {name: getattr(leased, name) for name in _LEASED}
            known |= {"discovered_at": fetch.fetched_at, "interval_days": _DAYS, "state": "new"}
            leased = replace(leased, id=insert(conn, "url", priority=PRIORITY[leased.kind], **known))
        held = conn.execute(
            "SELECT max(b.fetched_at, coalesce(c.fetched_at, '')), b.truncated, b.body_hash FROM url u"
            " JOIN fetch b ON b.id = u.body_fetch LEFT JOIN fetch c ON c.id = u.consent_fetch WHERE u.id = ?",
            (leased.id,),
        ).fetchone()
        outcome = "new"
        if held is not None:
            newer = (not fetch.truncated, fetch.fetched_at, digest) > (not held[1], held[0], held[2])
            outcome = "older" if not newer else "unchanged" if held[2] == digest else "changed"
        stored = None if fetch.body is None else digest
        visit = self.frontier.insert_fetch(conn, leased.id, fetch, outcome, stored, confirmed)
        _last(conn, leased.id, visit, fetch.fetched_at)
        if outcome == "older":
            return
        due = datetime.fromisoformat(fetch.fetched_at) + timedelta(days=1 if fetch.truncated else _DAYS)
        columns: dict[str, Any] = {
            "body_hash": digest,
            "body_fetch": confirmed or visit,
            "consent_fetch": visit,
            "words_hash": page.words_hash,
            "han": page.han,
            "next_visit": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for name, value in (("etag", fetch.etag), ("last_modified", fetch.last_modified)):
            # a 304 need not repeat them, and those of a torn body would freeze it
            if value is not None or fetch.status != 304:
                columns[name] = None if fetch.truncated else value
        sets = ", ".join(f"{name} = :{name}" for name in columns)
        conn.execute(
            f"UPDATE url SET {sets}, state = CASE state WHEN 'new' THEN 'done' ELSE state END WHERE id = :id",
            columns | {"id": leased.id},
        )
        if not fetch.truncated and page.problem is None and leased.site in self.sites:
            self.frontier.take_links(conn, leased, page.links)

    def _consent(self, url: str, answer: Answer, page: PageRead) -> Consent:
        """What was said with the page, and by the newest robots.txt and tdmrep.json that the archive has."""
        robots, tdmrep = self.words.of(origin_of(url))
        consent = read_consent(url, robots, answer.headers, page.metas, tdmrep)
        said = self.words.reservations(url, consent.reservations)
        return replace(consent, reservations=tuple(sorted(said)))


_WANTED = "SELECT 1 FROM url WHERE kind = 'part' AND state = 'new' AND body_hash IS NULL"
_SAME_VISIT = (
    "SELECT 1 FROM fetch WHERE url_id = ? AND fetched_at = ? AND body_hash IS ? AND not_modified = (? = 304)"
)
_LEASED = ("url", "site", "host", "kind", "depth", "document_url", "part")


def _last(conn: sqlite3.Connection, url_id: int, fetch_id: int, at: str) -> None:
    """The newest visit is the last: what was gone is there again."""
    conn.execute(
        "UPDATE url SET first_fetched_at = min(coalesce(first_fetched_at, :at), :at) WHERE id = :id",
        {"at": at, "id": url_id},
    )
    last = conn.execute(
        "SELECT f.fetched_at FROM url u JOIN fetch f ON f.id = u.last_fetch WHERE u.id = ?", (url_id,)
    ).fetchone()
    if last is None or at > last[0]:
        conn.execute("UPDATE url SET last_fetch = ? WHERE id = ?", (fetch_id, url_id))
        # a part that its document does not name any more stays out of it
        conn.execute(
            "UPDATE url SET state = CASE WHEN state IN ('failed', 'gone') THEN 'done' ELSE state END,"
            " gone = NULL, moved_to = NULL, missing = 0, failures = 0,"
            " note = CASE WHEN state = 'blocked' THEN note END"
            " WHERE id = ? AND gone IS NOT ?",
            (url_id, UNLINKED),
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


def _sha256_of(record: Record) -> str:
    """The sha256 of a record's payload as it says itself, in hex; empty where it does not."""
    found = digest_of(record.headers.get("warc-payload-digest", ""))
    return found[1].hex() if found and found[0] == "sha256" else ""
