"""The types that flow out of the crawl: fetches, archived documents, consent evidence.

Times are UTC, ISO 8601 with seconds (``2026-11-21T08:00:00Z``); hashes are hex sha256.
"""

from __future__ import annotations

from dataclasses import dataclass

NEEDS_SCRIPT = "shows nothing without JavaScript"


@dataclass(frozen=True, slots=True)
class Consent:
    """What a site said about reuse when a page was fetched; None where it said nothing.

    ``robots_hash`` names the robots.txt in force: the hash of nothing where the site has none,
    None where it was not asked, as for a local file. ``tdmrep_hash`` names /.well-known/tdmrep.json
    likewise, None also where the site has none.
    ``reservations`` are the reasons found to leave the page out of the default set, such
    as ``tdm-reservation``, ``x-robots-tag: noai``, ``meta robots: noindex``.
    """

    robots_hash: str | None = None
    x_robots_tag: str | None = None
    meta_robots: str | None = None
    tdm_reservation: str | None = None
    content_usage: str | None = None
    tdmrep_hash: str | None = None
    reservations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetch:
    """One visit of one URL, as it is stored.

    ``body`` is None for a 304, a failure and a refusal; then ``body_hash`` names the body
    that is still valid, if there is one. ``truncated``: the transfer ended early.
    """

    url: str
    fetched_at: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    truncated: bool = False
    error: str | None = None
    consent: Consent = Consent()
    wire_bytes: int = 0


@dataclass(frozen=True, slots=True)
class PageRead:
    """What a page says to the crawl: links to follow, metas (name in lower case, content), its words.

    ``words_hash`` is of the text outside links, without blanks and signs, ``han`` the number of Han
    characters in it; None where they were not looked at. ``soft_404``: the phrase by which the page says
    that there is nothing; ``needs_script``: it shows nothing without JavaScript. ``traps`` are (kind, URL)
    of links that are not followed; ``problem`` says why the page could not be read.
    """

    links: tuple[Discovered, ...] = ()
    metas: tuple[tuple[str, str], ...] = ()
    words_hash: str | None = None
    han: int | None = None
    soft_404: str | None = None
    needs_script: bool = False
    traps: tuple[tuple[str, str], ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Discovered:
    """A link found on a page: where it leads, what it is, and what it belongs to.

    ``kind`` is list, detail, part (a further page or fragment of the document
    ``document_url``), attachment or sitemap; ``part`` orders the parts of a document.
    ``lastmod`` is a sitemap's word, as a UTC date or time. ``page`` is set for a link from a list
    to its further pages: the number that the link shows, 0 for "next".
    """

    url: str
    kind: str
    document_url: str | None = None
    part: int = 0
    lastmod: str | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class ArchivedPart:
    """One page of an archived document: which bytes, when, and what was said with them.

    ``erased``: the bytes were erased in a takedown; only their hash is left.
    """

    url: str
    body_hash: str
    content_type: str | None
    fetched_at: str
    truncated: bool
    consent: Consent
    erased: bool = False


@dataclass(frozen=True, slots=True)
class ArchivedDocument:
    """The newest state of one document in archive.db, parts in reading order.

    ``site`` is the name of its site file, or ``local`` for files given by hand.
    ``gone`` says why the document is no longer there (``http 410``, ``http 404 three times``,
    ``moved to …``);
    its last bodies stay in the archive. ``name`` is a file's base name, for people only.
    ``missing_parts``: a further page is known but was never fetched.
    """

    url: str
    site: str
    parts: tuple[ArchivedPart, ...]
    first_fetched_at: str
    gone: str | None = None
    name: str | None = None
    missing_parts: bool = False

    @property
    def source_removed(self) -> bool:
        """Whether it can never be cleaned again: bytes of it were erased in a takedown."""
        return any(part.erased for part in self.parts)


@dataclass(frozen=True, slots=True)
class Leased:
    """A URL that this crawl alone may visit now, with what is needed to visit it.

    ``depth`` counts links from a start page, ``hops`` redirects in a row, ``attempts``
    visits of this crawl that failed. ``etag`` and ``last_modified`` are None where the page
    must be read in full.
    """

    id: int
    url: str
    site: str
    host: str
    kind: str
    document_url: str
    part: int
    depth: int
    hops: int
    attempts: int
    etag: str | None = None
    last_modified: str | None = None
