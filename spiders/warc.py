"""What fanwen's WARC files hold besides what every WARC file holds, and how records are named.

Pages are ordinary ``response``, ``revisit`` and ``resource`` records, so that any tool reads them.
Before the records of a URL stands one ``metadata`` record of the type :data:`STATE_TYPE` with what the
archive knows of the URL and of every visit: with it, an archive that takes the file in gives the same corpus.
Ids are made of what a visit was, never of a clock or of chance, so the same archive gives the same file.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

STATE_TYPE = "application/vnd.fanwen.url+json"
WARC_ENDINGS = (".warc.gz", ".warc")
BY_HAND = "urn:sha256:"  # how the URL of a file begins that was given by hand

Time = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Natural = Annotated[int, Field(ge=0, lt=2**63)]  # what the archive can keep


class _Model(BaseModel):
    # an earlier fanwen leaves out what a later one adds
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Visit(_Model):
    """One row of ``fetch``; its response or revisit record follows if it brought or confirmed a body."""

    fetched_at: Time = Field(description="when; also the record's WARC-Date")
    status: Natural = Field(description="HTTP status, 0 where no answer came")
    outcome: str = Field(description="new, changed, unchanged, moved, missing, gone, failed, refused, older")
    headers: tuple[tuple[str, str], ...] = Field(description="the answer's headers as they came")
    content_type: str | None = Field(description="Content-Type as it came")
    body_hash: Digest | None = Field(description="SHA-256 of the body, which is the payload of the record")
    bytes: Natural = Field(description="size of the body")
    not_modified: Literal[0, 1] = Field(description="1 for a 304: the earlier body still holds")
    truncated: Literal[0, 1] = Field(description="1 where the transfer ended early")
    error: str | None = Field(description="what went wrong")
    robots_hash: str | None = Field(description="SHA-256 of the robots.txt in force")
    x_robots_tag: str | None = Field(description="the header, as it came")
    meta_robots: str | None = Field(description="the meta element, as it came")
    tdm_reservation: str | None = Field(description="header or meta element, as it came")
    content_usage: str | None = Field(default=None, description="header and robots.txt, as they came")
    tdmrep_hash: str | None = Field(default=None, description="SHA-256 of the tdmrep.json in force")
    wire: Natural = Field(default=0, description="bytes over the wire")
    reservations: tuple[str, ...] = Field(description="what keeps the page out of the default set")


class UrlState(_Model):
    """The row of ``url``; visits are named by the ids of their records."""

    url: str = Field(description="canonical URL; urn:sha256:… for a file given by hand")
    site: str = Field(description="name of the site file; local for a file given by hand")
    host: str = Field(description="host and port")
    kind: Literal["list", "detail", "part", "attachment", "sitemap"] = Field(description="what it is")
    state: Literal["new", "done", "failed", "gone", "blocked"] = Field(description="where it stands")
    priority: int = Field(ge=-(2**63), lt=2**63, description="the higher, the sooner it is visited")
    depth: Natural = Field(description="links from a start page")
    hops: Natural = Field(description="redirects in a row")
    document_url: str = Field(description="the document that it is, or is a part of")
    part: Natural = Field(description="its place among the parts")
    discovered_from: str | None = Field(description="the page that links to it")
    discovered_at: Time = Field(description="when it was found")
    failures: Natural = Field(description="crawls in a row that failed to get it")
    missing: Natural = Field(description="visits in a row that answered 404")
    next_visit: Time | None = Field(description="when it is due again")
    interval_days: Natural = Field(description="how long it is left alone")
    etag: str | None = Field(description="validator of the newest answer")
    last_modified: str | None = Field(description="validator of the newest answer")
    follow_rules: str | None = Field(description="hash of the link rules by which it was read")
    body_hash: Digest | None = Field(description="its newest good body")
    body_fetch: str | None = Field(description="the visit that brought that body")
    last_fetch: str | None = Field(description="the newest visit")
    consent_fetch: str | None = Field(description="the visit whose word on reuse counts")
    first_fetched_at: Time | None = Field(description="when a body came first")
    moved_to: str | None = Field(description="where it redirects to")
    gone: str | None = Field(description="why it is gone")
    note: str | None = Field(description="why it is blocked, or what went wrong")
    name: str | None = Field(description="base name of a file given by hand")
    sitemap: str | None = Field(default=None, description="the sitemap that names it")
    lastmod: str | None = Field(default=None, description="what that sitemap says of it")
    lastmod_held: str | None = Field(default=None, description="the lastmod that its body is known to have")
    series: str | None = Field(default=None, description="the run of list pages that it belongs to")
    place: Natural = Field(default=0, description="its place in that run")
    brought: Natural = Field(default=0, description="documents that were first seen on it")
    words_hash: str | None = Field(default=None, description="hash of its words outside links")
    han: Natural | None = Field(default=None, description="Han characters in them")


class State(_Model):
    """The JSON object of one metadata record of the type :data:`STATE_TYPE`."""

    visited_at: Time | None = Field(description="when the newest visit was; the newer state of a URL counts")
    url: UrlState = Field(description="what the archive knows of the URL")
    visits: tuple[Visit, ...] = Field(description="its visits, the oldest first (with --since those since)")


# why a record of a file is not taken
REASONS = {
    "gzip": "a gzip member that is cut or damaged",
    "cut_short": "the file ends within the record",
    "wrong_length": "Content-Length is not the length of the record",
    "wrong_digest": "WARC-Block-Digest is the hash of something else",
    "bad_header": "no Content-Length, no known type, or headers without an end",
    "garbage": "something between two records",
    "bad_state": "what fanwen says of a URL is not of its form",
    "body_missing": "a visit whose body is not in the file, nor in the archive",
    "no_uri": "no WARC-Target-URI, or none that is a URL",
    "no_date": "no WARC-Date, a wrong one, or one that is still to come",
    "no_http": "a response that is no HTTP answer",
    "not_http": "dns:, ftp: and the like",
    "not_200": "redirects and error pages",
    "soft_404": "a page that says with 200 that nothing is there",
    "taken_down": "what the takedown list names",
    "refused_address": "an address that a crawl refuses: private, local, disguised",
    "out_of_scope": "the site file ignores the page",
    "list_page": "a list page of the site: the next crawl reads the list of today",
    "no_pattern": "no pattern of the site file matches",
    "unread_type": "neither HTML nor text, PDF or DOCX",
    "too_large": "larger than a crawl takes (8 MiB, before and after decompression)",
    "unknown_encoding": "compressed by other means than gzip, deflate, br and zstd",
    "damaged_body": "a compressed body of which nothing can be read",
    "empty": "no body",
    "revisit_unresolved": "a revisit of something that is not there (yet: take its file first)",
}
LISTS = ("headers", "reservations")  # kept as JSON texts in the archive
# columns that hold for one database or one crawl only
NOT_CARRIED = {
    "url": frozenset(
        {"id", "lease", "attempts", "not_before", "spared", "text_hash", "text_fetch", "interval_was"}
    ),
    "fetch": frozenset({"id", "url_id", "crawl"}),
}


def record_id(*parts: str | int | None) -> str:
    """The WARC-Record-ID of what these parts name."""
    return f"<{uuid5(NAMESPACE_URL, 'fanwen:' + json.dumps(parts, ensure_ascii=True)).urn}>"


def visit_id(url: str, fetched_at: str, status: int, body_hash: str | None) -> str:
    """The id of one visit of a URL."""
    return record_id(url, fetched_at, status, body_hash)
