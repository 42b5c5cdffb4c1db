"""The types that flow out of the corpus: relations, releases, changes, search results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

# grounds of a takedown
BASES = ("copyright", "privacy", "site_request", "legal_order", "other")
RELATIONS = ("exact", "near", "contains", "overlap")


@dataclass(frozen=True, slots=True)
class Relation:
    """A verified pair of pieces; ready-made ones are named by the id they brought, as it was given.

    ``containment_a`` is the share of a's shingles found in b. ``relation`` is exact, near (these two
    merge clusters), contains or overlap (these never do); ``shared`` counts shared 8-grams of
    characters of the normalised texts.
    """

    a: str | int
    b: str | int
    relation: str
    jaccard: float
    containment_a: float
    containment_b: float
    shared: int


class Passage(NamedTuple):
    """A stretch that two texts share, in code points of each: ``a[a_begin:a_end]``, ``b[b_begin:b_end]``.

    Nothing is said about which of them had it first.
    """

    a_begin: int
    a_end: int
    b_begin: int
    b_end: int


@dataclass(frozen=True, slots=True)
class AlignedRelation(Relation):
    """A pair with the passages that its two texts share, in the order of ``a``."""

    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One step through two texts, with its places in code points and what stands there.

    ``equal`` stands in both; ``changed`` is ``a`` in one and ``b`` in the other, and either may be empty;
    ``moved_from`` (in a) and ``moved_to`` (in b) are the two places of what stands at another place.
    """

    kind: str
    a_begin: int
    a_end: int
    b_begin: int
    b_end: int
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """One piece at the place where it was seen: the ``place``-th of ``places`` pieces of its document.

    ``first_seen`` and ``fetched_at`` are those of its page, ``published`` is what the page claims.
    """

    piece_id: str
    given_id: str | int | None
    url: str
    site: str
    title: str | None
    first_seen: str
    fetched_at: str
    published: str | None
    place: int
    places: int
    n_chars: int
    flags: tuple[str, ...]
    excluded_why: str | None


@dataclass(frozen=True, slots=True)
class Member:
    """One sighting in a cluster, and how its text relates to that of the canonical.

    ``relation`` is canonical, exact, near, contains, contained_in, overlap, or none where it belongs to the
    cluster through others; ``containment`` is the share of its shingles that the canonical has,
    ``containment_canonical`` the other way round.
    """

    sighting: Sighting
    relation: str
    jaccard: float
    containment: float
    containment_canonical: float


@dataclass(frozen=True, slots=True)
class Edge:
    """A member and a piece outside of its cluster: contains, contained_in, overlap or near.

    ``containment`` is the share of the member's shingles that the other has, ``containment_other`` the
    other way round.
    """

    piece_id: str
    relation: str
    containment: float
    containment_other: float
    other: Sighting


@dataclass(frozen=True, slots=True)
class Cluster:
    """Pieces of one text; the canonical is the first member. ``aliases`` are former names that lead here."""

    cluster: str
    aliases: tuple[str, ...]
    members: tuple[Member, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Holder:
    """A piece that holds a shared passage, and where in its text, in code points."""

    sighting: Sighting
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class SharedPassage:
    """A stretch that several pieces share. ``text`` is the longest of its forms, as the first holder has it.

    ``chars`` counts what is left of that form without punctuation and spaces, a number as one.
    """

    chars: int
    sites: int
    pieces: int
    text: str
    holders: tuple[Holder, ...]


@dataclass(frozen=True, slots=True)
class SharedBySites:
    """One cell of the matrix: what ``site`` shares with ``other``; nothing says who had it first.

    ``pieces`` of ``site`` share a passage with some piece of ``other``, over ``chars`` characters of theirs
    (without punctuation and spaces). ``pairs`` counts pairs of pieces, and is the same the other way round.
    """

    site: str
    other: str
    pieces: int
    chars: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Release:
    """A numbered, immutable state of the corpus. Counts are of the default and of the full set."""

    version: str
    seq: int
    date: str
    root: str
    parent: str | None
    pieces: int
    pieces_default: int
    clusters: int
    documents: int = 0
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """One file of a release: path within it, size in bytes, sha256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ReleaseDetails(Release):
    """A release as index.json lists it; ``sums`` is the sha256 of its SHA256SUMS.

    ``taken_down`` are cases whose texts still stand in its files, ``reissue_of`` the release that it is
    again without such texts, under a number of its own.
    """

    sums: str = ""
    files: tuple[ReleaseFile, ...] = ()
    taken_down: tuple[str, ...] = ()
    reissue_of: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What ``release verify`` found to be whole; ``signed_by`` where the signature was checked too."""

    version: str
    root: str
    pieces: int
    files: int
    signed_by: str | None = None


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What one build did. Counts of pieces are against the state before it.

    ``rejects`` counts this build's rejects by reason, ``rejects_by_site`` those of each site that has any;
    ``relations`` counts pairs of folded texts in the corpus by relation, and ``exact`` the pieces that are
    exact copies of another. ``masked`` counts the spans of the current pieces that a release masks, by kind;
    ``remasked`` the pieces that were not cleaned and now show something else, because other kinds are to be
    masked.
    """

    documents: int
    cleaned: int
    unchanged: int
    gone: int
    pieces_added: int
    pieces_modified: int
    pieces_removed: int
    rejects: dict[str, int]
    relations: dict[str, int]
    clusters: int
    clusters_of_several: int
    pieces: int
    pieces_default: int
    masked: dict[str, int]
    remasked: int
    rejects_by_site: dict[str, dict[str, int]]

    @property
    def changed(self) -> bool:
        return bool(self.cleaned or self.gone or self.remasked)

    def summary(self) -> str:
        """What a person wants to know, in a few lines."""
        if not self.changed:
            return f"Nothing changed: {self.documents:,} documents, {self.pieces:,} pieces."
        lines = [
            f"{self.documents:,} documents: {self.cleaned:,} cleaned, {self.unchanged:,} unchanged,"
            f" {self.gone:,} gone.",
            f"{self.pieces:,} pieces: {self.pieces_added:,} added, {self.pieces_modified:,} modified,"
            f" {self.pieces_removed:,} removed; {self.pieces_default:,} in the default set.",
            f"Duplicates: {_listed(self.relations)};"
            f" {self.clusters_of_several:,} clusters of several pieces.",
            f"Masked in a release: {_listed(self.masked)}."
            + (f" {self.remasked:,} pieces are masked anew." if self.remasked else ""),
        ]
        if self.rejects:
            lines.append(f"Rejects: {_listed(self.rejects)}.")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class SiteStats:
    """Counts of one site among the current pieces."""

    site: str
    documents: int
    pieces: int
    pieces_default: int


@dataclass(frozen=True, slots=True)
class CorpusStats:
    """Counts over the current state of a corpus."""

    sites: tuple[SiteStats, ...]
    documents: int
    pieces: int
    pieces_default: int
    excluded: dict[str, int]
    clusters: int
    clusters_of_several: int
    relations: dict[str, int]
    rejects: dict[str, int]
    genres: dict[str, int]
    scripts: dict[str, int]
    flags: dict[str, int]
    rights: dict[str, int]
    masked: dict[str, int]
    releases: tuple[Release, ...]

    def summary(self) -> str:
        """What a person wants to know, in a few lines."""
        lines = [
            f"{len(self.sites):,} sites, {self.documents:,} pages, {self.pieces:,} pieces,"
            f" {self.pieces_default:,} of them in the default set",
            *(
                f"  {site.site}: {site.documents:,} pages, {site.pieces:,} pieces,"
                f" {site.pieces_default:,} default"
                for site in self.sites
            ),
            f"kept out of the default set: {_listed(self.excluded)}",
            f"rejects: {_listed(self.rejects)}",
            f"duplicates: {_listed(self.relations)}; {self.clusters:,} clusters,"
            f" {self.clusters_of_several:,} of several pieces",
            f"genres: {_listed(self.genres)}",
            f"script as found: {_listed(self.scripts)}",
            f"flags: {_listed(self.flags)}",
            f"rights: {_listed(self.rights)}",
            f"masked in a release: {_listed(self.masked)}",
            f"releases: {', '.join(release.version for release in self.releases) or 'none yet'}",
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class CorpusPiece:
    """One state of one piece (篇), as a reader sees it. ``text`` is None after it was taken down.

    ``withdrawn`` then names the case.
    ``removed_in`` is None while it holds; spans and evidence are in the database only.
    """

    piece_id: str
    url: str
    site: str
    place: int
    title: str | None
    text: str | None
    genre: str
    year: str | None
    level: str | None
    language: str
    script: str
    flags: tuple[str, ...]
    n_chars: int
    n_han: int
    cluster: str | None
    is_canonical: bool
    excluded_why: str | None
    rights_basis: str
    fetched_at: str
    first_seen: str
    text_sha256: str
    leaf: str
    added_in: int
    removed_in: int | None
    withdrawn: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a document as it was fetched; ``sha256`` is that of its bytes."""

    url: str
    sha256: str
    content_type: str | None
    fetched_at: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a page says of itself, unchecked: ``kind`` is published, author, source, rights or category."""

    kind: str
    value: str
    line: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a piece comes from: the ``place``-th of ``places`` pieces of its document, and how it was read.

    ``span`` is where it begins and ends in the document's main text, in code points. ``rights_basis`` is
    licensed, official_document, reservation_found, none_found or unknown; the hashes of ``pages`` are what it
    was seen on. A release masks what the page says, the database of a home does not.
    """

    piece_id: str
    url: str
    site: str
    place: int
    places: int
    first_seen: str
    fetched_at: str
    pages: tuple[Page, ...]
    extractor: str | None
    ruleset: str | None
    opencc: str | None
    span: tuple[int, int]
    rights_basis: str
    rights_detail: str | None
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """How one piece differs between two releases: ``ADD``, ``MOD`` or ``DEL``, and why.

    See :func:`fanwen.corpus.release.diff` for the reasons.
    """

    piece_id: str
    change: str
    why: str
    title: str | None
    url: str


@dataclass(frozen=True, slots=True)
class Found:
    """One search result; ``snippet`` is a stretch of the text around the first match."""

    piece_id: str
    title: str | None
    genre: str
    site: str
    url: str
    snippet: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that ``fanwen verify`` found, as a sentence that says what to do.

    ``cure`` names what ``--repair`` does about it; None where nothing can be made anew.
    """

    sentence: str
    cure: str | None = None

    @staticmethod
    def lost(where: str, what: str) -> Trouble:
        """Of something that a backup alone brings back."""
        return Trouble(f"{where}: {what}; restore it from a backup ('fanwen restore').")

    @staticmethod
    def rebuilt(where: str, what: str, cure: str) -> Trouble:
        """Of something that can be made anew from what is whole."""
        return Trouble(f"{where}: {what}; run 'fanwen verify --repair'.", cure)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of a file of ready-made pieces that was left out: its number from 1, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one file of ready-made pieces brought.

    ``bad`` lists at most 1000 rows, ``bad_rows`` counts all.
    """

    source: str
    rows: int
    added: int
    changed: int
    unchanged: int
    bad_rows: int
    bad_by_reason: dict[str, int]
    bad: tuple[BadRow, ...]

    def summary(self) -> str:
        """What a person wants to know, in a few lines."""
        lines = [
            f"{self.rows:,} rows of {self.source}: {self.added:,} pieces added, {self.changed:,} changed,"
            f" {self.unchanged:,} unchanged."
        ]
        if not self.added and not self.changed:
            lines.append("Nothing changed.")
        if self.bad_rows:
            lines.append(f"{self.bad_rows:,} rows left out ({_listed(self.bad_by_reason)}):")
            lines += [f"  row {row.line}: {row.reason}" for row in self.bad[:20]]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """``total`` pieces hold the query; ``hits`` are the first of them."""

    query: str
    total: int
    hits: tuple[Found, ...]


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
