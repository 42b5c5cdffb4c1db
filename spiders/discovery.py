"""What a page brings to the frontier: new URLs, parts of documents, runs of list pages, and their bounds.

Every function writes inside the caller's transaction. A site that goes on for ever (calendars,
tag clouds, endless lists, session ids, mirrors) is bounded here, and what was not followed is
counted with an example in the table ``trap``.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from fanwen.spiders.archive import LEAST_DAYS, UNLINKED, insert, later, utc_now
from fanwen.spiders.items import Discovered, Leased, PageRead
from fanwen.spiders.scope import Scope, shape, target, without
from fanwen.spiders.site import Site

# Parts first, so that a document that was begun is soon whole; lists after what they brought, so that the
# queue stays short; pages that are held already last, so that a day's budget goes to what is new.
PRIORITY = {"sitemap": 50, "part": 40, "attachment": 30, "detail": 20, "list": 10}
HELD_PRIORITY = 5
# A page's fragments lie between it and the next page: page n has part n * PART_STEP.
PART_STEP = 1000
LIST_DAYS = 1

_SITEMAP_DEPTH = 2  # an index of indexes, which the protocol does not know but sites have
_BARREN = 3  # list pages of one run without anything new, until the rest of the run is left
_BARREN_SHAPE = 20  # the same for lists of one shape that were never read before: tags, days of a calendar
SIGHTINGS = 3  # of one text under several addresses, until that is taken for the site's habit
_BARREN_FOLDER = 60  # and for a whole folder, where each has a shape of its own: /tag/a1+b2/, /tag/b/c/
_TOKEN = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9_.~-]{8,}|[0-9a-f]{16,}|\d{12,}")

ENDLESS, TOO_DEEP, TOO_MANY = "lists without end", "too deep", "too many URLs"
SESSION, MIRROR, SOFT_404, DUMP, LIES = "session parameter", "mirror host", "soft 404", "dump", "sitemap lies"
CLEARED = "no soft 404"


class Place(NamedTuple):
    """Where a page stands in the site: its run of lists, its place there, links from a start, redirects."""

    series: str
    place: int
    depth: int
    hops: int


@dataclass
class Discovery:
    """Discovery for the sites of one crawl. ``sizes`` are the numbers of URLs known, by site."""

    sites: Mapping[str, Site]
    crawl: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    learned: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    _ended: set[tuple[str, str]] = field(default_factory=set)

    def load(self, conn: sqlite3.Connection, crawl: int) -> None:
        """Read what earlier crawls, and earlier processes of this one, found out."""
        self.crawl = crawl
        self.sizes = dict(conn.execute("SELECT site, count(*) FROM url GROUP BY site").fetchall())
        self.learned = {}
        for site, kind, value in conn.execute("SELECT site, kind, value FROM learned"):
            self.learned.setdefault(site, {}).setdefault(kind, set()).add(value)
        self._ended = set(
            conn.execute(
                "SELECT site, series FROM series WHERE crawl = ? AND barren >="
                f" CASE WHEN series LIKE 'shape %' THEN {_BARREN_SHAPE}"
                f" WHEN series LIKE 'folder %' THEN {_BARREN_FOLDER} ELSE {_BARREN} END",
                (crawl,),
            )
        )

    def knows(self, site: str, kind: str) -> set[str]:
        return self.learned.get(site, {}).get(kind, set())

    def scope(self, site: Site) -> Scope:
        """The site's scope with what was learned of it."""
        mirrors = (value.split(" ") for value in sorted(self.knows(site.name, MIRROR)))
        return Scope(
            site,
            frozenset(self.knows(site.name, SESSION)),
            tuple((mirror, host) for mirror, host in mirrors),
        )

    def learn(self, conn: sqlite3.Connection, site: str, kind: str, value: str, example: str) -> None:
        self.learned.setdefault(site, {}).setdefault(kind, set()).add(value)
        conn.execute(
            "INSERT INTO learned (site, kind, value, since, example) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (site, kind, value, utc_now(), example[:500]),
        )

    def trap(self, conn: sqlite3.Connection, site: str, kind: str, example: str, count: int = 1) -> None:
        """Count something that is not followed, in a crawl."""
        if count and self.crawl:
            conn.execute(
                "INSERT INTO trap (crawl, site, kind, count, example) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET count = count + excluded.count",
                (self.crawl, site, kind, count, example[:500]),
            )

    def found(self, conn: sqlite3.Connection, leased: Leased, links: Iterable[Discovered], at: Place) -> int:
        """Put the links into the frontier; how many documents are new."""
        new = [link for link in links if self.insert(conn, leased.site, link, leased.url, at)]
        return sum(link.kind in ("detail", "attachment") for link in new)

    def insert(
        self, conn: sqlite3.Connection, site: str, link: Discovered, source: str | None, at: Place
    ) -> bool:
        """Put one URL into the frontier; whether it is new there."""
        further = link.kind == "list" and link.page is not None
        series = at.series if further else link.url
        depth = at.depth + (source is not None and not further and not at.hops)
        known = conn.execute("SELECT 1 FROM url WHERE url = ?", (link.url,)).fetchone()
        if known is None:
            limits = self.sites[site].limits
            over = TOO_DEEP if depth > (_SITEMAP_DEPTH if link.kind == "sitemap" else limits.depth) else None
            if self.sizes.get(site, 0) >= limits.urls:
                over = TOO_MANY
            if over is not None:
                self.trap(conn, site, over, link.url)
                return False
            ended = link.kind == "list" and self._is_ended(site, series, link.url)
            if ended:
                self.trap(conn, site, ENDLESS, link.url)
            insert(
                conn,
                "url",
                url=link.url,
                site=site,
                host=urlsplit(link.url).netloc,
                kind=link.kind,
                state="done" if ended else "new",
                priority=PRIORITY[link.kind],
                depth=depth,
                hops=at.hops,
                document_url=link.document_url or link.url,
                part=link.part,
                discovered_from=source,
                discovered_at=utc_now(),
                next_visit=later(days=LIST_DAYS) if ended else None,
                interval_days=LIST_DAYS if link.kind in ("list", "sitemap") else LEAST_DAYS,
                series=series if link.kind == "list" else None,
                place=(link.page or at.place + 1) if further else 0,
            )
            self.sizes[site] = self.sizes.get(site, 0) + 1
        if link.kind == "part":
            adopt(conn, link, link.document_url or link.url)
        return known is None

    def _is_ended(self, site: str, series: str, url: str) -> bool:
        return any((site, one) in self._ended for one in (series, *(name for name, _ in _kinds(url))))

    # -- lists that bring nothing new --------------------------------------------------------------

    def list_read(
        self, conn: sqlite3.Connection, leased: Leased, at: Place, brought: int, *, known: bool
    ) -> None:
        """Count a list page; after enough in a row that brought nothing new the rest of the run is left."""
        conn.execute("UPDATE url SET brought = brought + ? WHERE id = ?", (brought, leased.id))
        if self._barren(conn, leased.site, at.series, brought) >= _BARREN:
            self._end(conn, leased.site, at.series, "series = ?", (at.series,))
        if not known:
            for alike, most in _kinds(leased.url):
                if self._barren(conn, leased.site, alike, brought) >= most:
                    self._end_alike(conn, leased.site, alike)

    def _end_alike(self, conn: sqlite3.Connection, site: str, alike: str) -> None:
        rows = conn.execute(
            "SELECT id, url FROM url"
            " WHERE site = ? AND state = 'new' AND kind = 'list' AND body_hash IS NULL",
            (site,),
        ).fetchall()
        for number, url in rows:
            if any(name == alike for name, _ in _kinds(url)):
                self._end(conn, site, alike, "id = ?", (number,))
        self._ended.add((site, alike))

    def _barren(self, conn: sqlite3.Connection, site: str, series: str, brought: int) -> int:
        row = conn.execute(
            "INSERT INTO series (site, series, crawl, barren) VALUES (:site, :series, :crawl, :one)"
            " ON CONFLICT DO UPDATE SET crawl = :crawl,"
            " barren = CASE WHEN :one = 0 THEN 0 WHEN crawl = :crawl THEN barren + 1 ELSE 1 END"
            " RETURNING barren",
            {"site": site, "series": series, "crawl": self.crawl, "one": int(brought == 0)},
        ).fetchone()
        return int(row[0])

    def _end(
        self, conn: sqlite3.Connection, site: str, series: str, which: str, values: tuple[object, ...]
    ) -> None:
        self._ended.add((site, series))
        left = conn.execute(
            "UPDATE url SET state = 'done', next_visit = ? WHERE site = ? AND kind = 'list' AND state = 'new'"
            f" AND {which} RETURNING url, body_hash",
            (later(days=LIST_DAYS), site, *values),
        ).fetchall()
        # pages that were read in an earlier crawl are no trap: they are only not needed today
        unseen = [url for url, body in left if body is None]
        self.trap(conn, site, ENDLESS, unseen[0] if unseen else "", len(unseen))

    # -- one text under several addresses ----------------------------------------------------------

    def compare(self, conn: sqlite3.Connection, leased: Leased, page: PageRead) -> bool:
        """Learn from a text that other addresses show too; whether the site's scope has changed."""
        if page.words_hash is None or leased.kind != "detail":
            return False
        others = [
            url
            for (url,) in conn.execute(
                "SELECT url FROM url WHERE site = ? AND words_hash = ? AND id <> ? AND moved_to IS NULL"
                " LIMIT 50",
                (leased.site, page.words_hash, leased.id),
            )
        ]
        name = _session_among([leased.url, *others])
        if name is not None:
            self.learn(conn, leased.site, SESSION, name, leased.url)
            self._rename(conn, leased.site, SESSION, lambda url: without(url, (name,)))
            return True
        return self._mirrors(conn, leased, others)

    def _mirrors(self, conn: sqlite3.Connection, leased: Leased, others: Sequence[str]) -> bool:
        """Learn that one host of the site shows what another shows, at the third page that both have."""
        site = self.sites[leased.site]
        order = [site.host, *site.hosts]
        mine = urlsplit(leased.url).netloc
        twins = {urlsplit(url).netloc for url in others if target(url) == target(leased.url)} - {mine}
        changed = False
        for host in twins & {*order} if mine in order else ():
            kept, mirror = sorted((mine, host), key=order.index)
            self.trap(conn, leased.site, f"{MIRROR} {mirror}", leased.url)
            (seen,) = conn.execute(
                "SELECT sum(count) FROM trap WHERE site = ? AND kind = ?", (leased.site, f"{MIRROR} {mirror}")
            ).fetchone()
            if seen >= SIGHTINGS and f"{mirror} {kept}" not in self.knows(leased.site, MIRROR):
                self.learn(conn, leased.site, MIRROR, f"{mirror} {kept}", leased.url)
                self._rename(conn, leased.site, MIRROR, partial(_at_host, mirror, kept))
                changed = True
        return changed

    def _rename(self, conn: sqlite3.Connection, site: str, kind: str, renamed: Callable[[str], str]) -> None:
        """Give the site's URLs the spelling that was learned; what was fetched already has moved there."""
        rows = conn.execute(
            "SELECT id, url, kind, body_hash, state, depth FROM url WHERE site = ?"
            " AND kind IN ('detail', 'list') AND moved_to IS NULL",
            (site,),
        ).fetchall()
        for number, url, what, body, state, depth in rows:
            new = renamed(url)
            if new == url:
                continue
            self.insert(conn, site, Discovered(new, what), None, Place(new, 0, depth, 0))
            if body is None and state == "new":
                conn.execute(
                    "DELETE FROM url WHERE id = ? AND NOT EXISTS (SELECT 1 FROM fetch WHERE url_id = url.id)",
                    (number,),
                )
            elif state != "leased":
                conn.execute(
                    "UPDATE url SET moved_to = ?, state = 'gone', next_visit = NULL WHERE id = ?",
                    (new, number),
                )
            self.trap(conn, site, kind, url)


def _kinds(url: str) -> Iterator[tuple[str, int]]:
    """What a list is one of, by its address, and how many of those may bring nothing in a row."""
    yield f"shape {shape(url)}", _BARREN_SHAPE
    folder = re.match(r"/[^/?]*(?=[/?].)", target(url))
    if folder is not None:
        yield f"folder {folder[0]}", _BARREN_FOLDER


def _at_host(old: str, new: str, url: str) -> str:
    return url.replace(f"//{old}/", f"//{new}/", 1)


def _session_among(urls: Sequence[str]) -> str | None:
    """The parameter whose token alone tells addresses of one text apart, None where there is none."""
    first = urls[0]
    if "?" not in first or len(urls) < SIGHTINGS:
        return None
    for pair in first.partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if not _TOKEN.fullmatch(unquote(value)):
            continue
        name = unquote(name).lower()
        rest = without(first, (name,))
        same = [url for url in urls if url != rest and without(url, (name,)) == rest]
        if len(same) >= SIGHTINGS:
            return name
    return None


# -- parts of a document ---------------------------------------------------------------------------


def prune(conn: sqlite3.Connection, leased: Leased, links: Sequence[Discovered]) -> None:
    """Parts that the page had and has no longer leave the document; their bodies stay in the archive."""
    if leased.kind not in ("detail", "part") or leased.part % PART_STEP:
        return
    linked = [link.url for link in links if link.kind == "part"]
    goes_on = any(link.kind == "part" and link.part % PART_STEP == 0 for link in links)
    end = leased.part + PART_STEP if goes_on else 10**9
    conn.execute(
        f"UPDATE url SET state = 'gone', lease = NULL, gone = '{UNLINKED}', next_visit = NULL"
        " WHERE document_url = ? AND kind = 'part' AND part > ? AND part <= ?"
        f" AND url NOT IN ({','.join('?' * len(linked))})",
        (leased.document_url, leased.part, end, *linked),
    )


def adopt(conn: sqlite3.Connection, link: Discovered, document: str) -> None:
    """A known URL turns out to be a part: whichever page was read first, the document is the same."""
    kind, owner, part, gone, owner_moved = conn.execute(
        "SELECT u.kind, u.document_url, u.part, u.gone, d.moved_to FROM url u"
        " LEFT JOIN url d ON d.url = u.document_url WHERE u.url = ?",
        (link.url,),
    ).fetchone()
    if gone == UNLINKED and owner == document:
        conn.execute(
            "UPDATE url SET state = 'new', gone = NULL, part = ? WHERE url = ?", (link.part, link.url)
        )
    elif kind == "detail" and link.url != document:
        conn.execute(
            "UPDATE url SET document_url = ?, part = part + ? WHERE document_url = ? AND url <> ?",
            (document, link.part, link.url, link.url),
        )
        conn.execute(
            "UPDATE url SET kind = 'part', document_url = ?, part = ?, priority = ? WHERE url = ?",
            (document, link.part, PRIORITY["part"], link.url),
        )
    elif kind == "part" and owner != document and (owner_moved is not None or gone == UNLINKED):
        conn.execute(
            "UPDATE url SET document_url = ?, part = ?, gone = NULL,"
            " state = CASE WHEN state = 'gone' THEN 'new' ELSE state END WHERE url = ?",
            (document, link.part, link.url),
        )
    elif kind == "part" and owner == document and part != link.part:
        conn.execute("UPDATE url SET part = ? WHERE url = ?", (link.part, link.url))
