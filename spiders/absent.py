"""Pages that are not there though the server answers 200, and redirects that lead nowhere.

Evidence is asked for: a phrase on a page with next to no other text; words that other addresses show too
and that an invented address shows as well; one short target of many redirects. Functions that write do so
inside the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from fanwen.spiders.archive import UNLINKED, later
from fanwen.spiders.discovery import CLEARED, DUMP, SIGHTINGS, SOFT_404, Discovery
from fanwen.spiders.items import Fetch, Leased, PageRead

FEW_HAN = 300  # a page with fewer holds no essay that could be taken for a soft 404


def doubtful(conn: sqlite3.Connection, known: Discovery, leased: Leased, page: PageRead) -> bool:
    """Whether other addresses show these words, so that an invented address should be asked for.

    A page that was held and now shows what another shows is doubtful; a new one is when it is short and
    the third of its kind, or shows what a start page shows. Asked once for each text.
    """
    words = page.words_hash
    if words is None or page.soft_404 or leased.kind != "detail":
        return False
    if words in known.knows(leased.site, SOFT_404) | known.knows(leased.site, CLEARED):
        return False
    others, starts = conn.execute(
        "SELECT count(*), coalesce(sum(kind = 'list'), 0) FROM (SELECT kind FROM url"
        f" WHERE site = ? AND words_hash = ? AND id <> ? ORDER BY kind = 'list' DESC LIMIT {SIGHTINGS})",
        (leased.site, words, leased.id),
    ).fetchone()
    if starts or not others:
        return bool(starts)
    held = conn.execute(
        "SELECT words_hash FROM url WHERE id = ? AND body_hash IS NOT NULL", (leased.id,)
    ).fetchone()
    if held is not None and held[0] is not None:
        return bool(held[0] != words)
    return others >= SIGHTINGS - 1 and (page.han or 0) < FEW_HAN


def judge(
    conn: sqlite3.Connection, known: Discovery, site: str, words: str, *, absent: bool, example: str
) -> None:
    """Keep what an invented address showed; pages that were taken for documents before are none."""
    known.learn(conn, site, SOFT_404 if absent else CLEARED, words, example)
    if absent:
        _disown(conn, "site = ? AND words_hash = ? AND kind = 'detail'", (site, words))


def seen_through(
    conn: sqlite3.Connection,
    known: Discovery,
    leased: Leased,
    fetch: Fetch,
    page: PageRead,
    moved_to: str | None,
) -> tuple[Fetch, str | None]:
    """The visit as it is meant: a soft 404, and a redirect to where all that is missing leads, are a 404."""
    phrase = page.soft_404
    if page.words_hash in known.knows(leased.site, SOFT_404):
        phrase = "the page of what is not there"
    if phrase is None and _is_emptied(conn, leased, fetch, page):
        phrase = "next to nothing is left of the text"
    if phrase is not None and leased.kind != "list" and fetch.status == 200:
        known.trap(conn, leased.site, SOFT_404, leased.url)
        return replace(fetch, status=404, error=f"soft 404: {phrase}"), None
    if moved_to is not None and _is_dump(conn, known, leased, moved_to):
        known.trap(conn, leased.site, SOFT_404, leased.url)
        return replace(fetch, status=404, error=f"redirect to {moved_to}, where what is missing leads"), None
    return fetch, moved_to


def _is_emptied(conn: sqlite3.Connection, leased: Leased, fetch: Fetch, page: PageRead) -> bool:
    """A page that held a text and shows less than a tenth: an empty answer, a check for robots, a script."""
    if leased.kind not in ("detail", "part") or fetch.body is None or fetch.truncated:
        return False
    han = page.han if fetch.body else 0
    held = conn.execute(
        "SELECT han FROM url WHERE id = ? AND body_hash IS NOT NULL AND moved_to IS NULL", (leased.id,)
    ).fetchone()
    return han is not None and han < FEW_HAN and held is not None and han * 10 < (held[0] or 0)


def check_target(conn: sqlite3.Connection, known: Discovery, leased: Leased, page: PageRead) -> None:
    """A short page that many addresses redirect to is no document, and they have not moved there."""
    if page.han is not None and page.han < FEW_HAN and _movers(conn, leased.url) >= SIGHTINGS:
        _learn_dump(conn, known, leased.site, leased.url)


def _is_dump(conn: sqlite3.Connection, known: Discovery, leased: Leased, to: str) -> bool:
    if leased.kind != "detail":
        return False
    if to in known.knows(leased.site, DUMP):
        return True
    row = conn.execute("SELECT kind, han FROM url WHERE url = ? AND body_hash IS NOT NULL", (to,)).fetchone()
    if row is None:
        return False  # not read yet: judged when it comes
    if row[0] == "list":
        return True
    # this one, which is not yet written down, and those before it
    if _movers(conn, to, leased.url) < SIGHTINGS - 1 or row[1] is None or row[1] >= FEW_HAN:
        return False
    _learn_dump(conn, known, leased.site, to)
    return True


def _movers(conn: sqlite3.Connection, to: str, but: str = "") -> int:
    row = conn.execute("SELECT count(*) FROM url WHERE moved_to = ? AND url <> ?", (to, but)).fetchone()
    return int(row[0])


def _learn_dump(conn: sqlite3.Connection, known: Discovery, site: str, url: str) -> None:
    known.learn(conn, site, DUMP, url, url)
    _disown(conn, "moved_to = ?", (url,), forget=False)
    conn.execute(
        f"UPDATE url SET state = CASE state WHEN 'leased' THEN state ELSE 'gone' END, gone = '{UNLINKED}',"
        " next_visit = NULL WHERE url = ?",
        (url,),
    )


def _disown(conn: sqlite3.Connection, which: str, values: tuple[object, ...], *, forget: bool = True) -> None:
    """Pages that never were: missing once, so that three visits decide."""
    body = ", body_hash = NULL, body_fetch = NULL" if forget else ""
    conn.execute(
        f"UPDATE url SET moved_to = NULL, missing = max(missing, 1), next_visit = ?{body}"
        f" WHERE {which} AND state = 'done'",
        (later(days=1), *values),
    )
