"""The types that flow out of the crawl: fetches, archived documents, consent evidence.

Times are UTC, ISO 8601 with seconds (``2026-11-21T08:00:00Z``); hashes are hex sha256.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Consent:
    """What a site said about reuse when a page was fetched; None where it said nothing.

    ``robots_hash`` names the robots.txt in force: the hash of nothing where the site has none,
    None where it was not asked, as for a local file.
    ``reservations`` are the reasons found to leave the page out of the default set, such
    as ``tdm-reservation``, ``x-robots-tag: noai``, ``meta robots: noindex``.
    """

    robots_hash: str | None = None
    x_robots_tag: str | None = None
    meta_robots: str | None = None
    tdm_reservation: str | None = None
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


@dataclass(frozen=True, slots=True)
class Discovered:
    """A link found on a page: where it leads, what it is, and what it belongs to.

    ``kind`` is list, detail, part (a further page or fragment of the document
    ``document_url``), attachment or sitemap; ``part`` orders the parts of a document.
    """

    url: str
    kind: str
    document_url: str | None = None
    part: int = 0


@dataclass(frozen=True, slots=True)
class ArchivedPart:
    """One page of an archived document: which bytes, when, and what was said with them."""

    url: str
    body_hash: str
    content_type: str | None
    fetched_at: str
    truncated: bool
    consent: Consent


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
