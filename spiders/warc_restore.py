"""What a WARC file of fanwen's own says of a URL, back into archive.db.

In goes the state of one URL with its visits, whose bodies the archive has by now. Visits are added, and of
two states of the same URL the newer one counts, whatever the order in which they come.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from fanwen.spiders.archive import insert
from fanwen.spiders.warc import LISTS, State, UrlState, Visit, visit_id

_REFERENCES = ("body_hash", "body_fetch", "last_fetch", "consent_fetch")
_COLUMNS = tuple(name for name in UrlState.model_fields if name not in ("url", *_REFERENCES))


@dataclass(slots=True)
class Restored:
    """Visits ``taken``, ``known`` already, those whose body is ``missing``; ``urls`` is 1 for a new URL."""

    taken: int = 0
    known: int = 0
    missing: int = 0
    urls: int = 0


class Restore:
    """Works inside the caller's transaction."""

    def __init__(self, conn: sqlite3.Connection):
        self.conn = conn
        self.done = Restored()

    def restore(self, told: State) -> Restored:
        """Write down what a file says of one URL."""
        row = self.conn.execute(
            "SELECT u.id, u.state, f.fetched_at FROM url u LEFT JOIN fetch f ON f.id = u.last_fetch"
            " WHERE u.url = ?",
            (told.url.url,),
        ).fetchone()
        if row is None:
            columns = {name: getattr(told.url, name) for name in ("url", *_COLUMNS)}
            url_id = insert(self.conn, "url", **columns)
            self.done.urls += 1
        else:
            url_id = row[0]
        names = self._visits(url_id, told)
        body, last, consent = (
            names.get(name or "")
            for name in (told.url.body_fetch, told.url.last_fetch, told.url.consent_fetch)
        )
        if row is None or _rank(told.visited_at, told.url.state) > _rank(row[2], row[1]):
            self._replace(url_id, told.url, body, last, consent)
        else:
            self._complete(url_id, told.url, body, consent)
        return self.done

    def _visits(self, url_id: int, told: State) -> dict[str, int]:
        """Add the visits that are not known; the row of each by its id."""
        url = told.url.url
        names = {
            visit_id(url, *row[1:]): row[0]
            for row in self.conn.execute(
                "SELECT id, fetched_at, status, body_hash FROM fetch WHERE url_id = ? ORDER BY id DESC",
                (url_id,),
            )
        }
        for visit in told.visits:
            name = visit_id(url, visit.fetched_at, visit.status, visit.body_hash)
            if name in names:
                self.done.known += 1
            elif visit.body_hash is not None and not has_body(self.conn, visit.body_hash):
                self.done.missing += 1
            else:
                columns = {column: getattr(visit, column) for column in Visit.model_fields}
                lists = {column: json.dumps(columns[column], ensure_ascii=False) for column in LISTS}
                names[name] = insert(self.conn, "fetch", url_id=url_id, **(columns | lists))
                self.done.taken += 1
        return names

    def _replace(
        self, url_id: int, state: UrlState, body: int | None, last: int | None, consent: int | None
    ) -> None:
        first = self.conn.execute("SELECT first_fetched_at FROM url WHERE id = ?", (url_id,)).fetchone()[0]
        columns: dict[str, Any] = {name: getattr(state, name) for name in _COLUMNS}
        columns["first_fetched_at"] = min(filter(None, (first, state.first_fetched_at)), default=None)
        sets = ", ".join(f"{name} = :{name}" for name in columns)
        self.conn.execute(f"UPDATE url SET {sets}, lease = NULL WHERE id = :id", columns | {"id": url_id})
        self.conn.execute(
            "UPDATE url SET last_fetch = coalesce(:last, last_fetch),"
            " consent_fetch = coalesce(:consent, consent_fetch), body_fetch = coalesce(:body, body_fetch)"
            " WHERE id = :id",
            {"last": last, "consent": consent, "body": body, "id": url_id},
        )
        self._body_of_its_visit(url_id)

    def _complete(self, url_id: int, state: UrlState, body: int | None, consent: int | None) -> None:
        """An earlier state brings what a later one could not: a body that it only confirmed."""
        self.conn.execute(
            "UPDATE url SET body_fetch = coalesce(body_fetch, :body),"
            " consent_fetch = coalesce(consent_fetch, :consent),"
            " first_fetched_at = min(coalesce(first_fetched_at, :first), coalesce(:first, first_fetched_at))"
            " WHERE id = :id",
            {"body": body, "consent": consent, "first": state.first_fetched_at, "id": url_id},
        )
        self._body_of_its_visit(url_id)

    def _body_of_its_visit(self, url_id: int) -> None:
        self.conn.execute(
            "UPDATE url SET body_hash = (SELECT body_hash FROM fetch WHERE id = url.body_fetch) WHERE id = ?",
            (url_id,),
        )
        # a page without its bytes is due: a 304 could not bring them
        self.conn.execute(
            "UPDATE url SET state = 'new', etag = NULL, last_modified = NULL"
            " WHERE id = ? AND state = 'done' AND body_hash IS NULL AND first_fetched_at IS NOT NULL",
            (url_id,),
        )


def _rank(visited_at: str | None, state: str) -> tuple[str, bool]:
    # to be blocked or dropped by its document needs no visit, to come back does
    return visited_at or "", state in ("blocked", "gone")


def has_body(conn: sqlite3.Connection, digest: str) -> bool:
    """Whether the archive holds the body with this sha256."""
    return conn.execute("SELECT 1 FROM body WHERE sha256 = ?", (digest,)).fetchone() is not None
