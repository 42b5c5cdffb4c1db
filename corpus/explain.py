"""Explains one document: page → document → pieces, with every cut named at its place.

In goes what a user names (a file, a URL of the archive, the id of a piece), out comes an
:class:`Explained`; :func:`as_text` writes it for a terminal or a pipe, :mod:`fanwen.corpus.explain_html`
as a page. The document is cleaned anew from its archived bytes; nothing is stored or changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fanwen.cleaners import layout
from fanwen.cleaners.audit import Segment, segments
from fanwen.cleaners.decode import claimed
from fanwen.cleaners.pipeline import Traced, kind_of, page_from_file, trace_document
from fanwen.cleaners.types import Claims, Page, Piece, Reject, RuleHit
from fanwen.corpus import masking
from fanwen.corpus.home import Home
from fanwen.corpus.identity import text_hash
from fanwen.corpus.masking import Stored
from fanwen.corpus.report import table, visible
from fanwen.corpus.site_pages import pages_of
from fanwen.corpus.store import reading
from fanwen.corpus.versions import PieceState, excluded_why, open_pieces
from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.items import ArchivedDocument, Consent
from fanwen.spiders.urls import canonical_url

# rules whose cuts are blanks only: they are shown as what they were, without a mark
QUIET = ("text.blank",)


@dataclass(frozen=True, slots=True)
class PageFacts:
    """One page of the document: ``claimed`` are the charsets its header and markup declare."""

    url: str
    bytes: int
    content_type: str | None
    claimed: tuple[str, ...]
    fetched_at: str | None = None
    truncated: bool = False
    consent: Consent | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """What the corpus knows of the document's rights."""

    basis: str
    detail: str | None
    site_status: str | None


@dataclass(frozen=True, slots=True)
class PieceFacts:
    """One piece. ``id`` is None where the corpus does not hold it as it is here.

    ``in_default`` is None where only a build can tell; ``why`` says it in words. Texts and titles are as
    they are stored; ``masks`` are what a release shows otherwise, in order: ``李大山 → 〔人名1〕``.
    """

    index: int
    id: str | None
    title: str | None
    genre: str
    genre_confidence: float
    genre_evidence: str | None
    year: str | None
    level: str | None
    language: str
    script: str
    flags: tuple[str, ...]
    n_chars: int
    in_default: bool | None
    why: str
    masks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything that is known of one document. ``asked`` is what the user named.

    ``segments`` are the main text as extracted: kept, cut and added stretches in their order; ``beside``
    are the lines of the page that extraction left out of it.
    """

    asked: str
    url: str
    site: str | None
    name: str | None
    gone: str | None
    pages: tuple[PageFacts, ...]
    kind: str | None
    encoding: str | None
    extractor: str | None
    script: str | None
    opencc: str | None
    ruleset: str | None
    title: str | None
    titles: tuple[str, ...]
    declared_pieces: int | None
    found_pieces: int
    claims: Claims
    rights: Rights | None
    notes: tuple[str, ...]
    rejects: tuple[Reject, ...]
    pieces: tuple[PieceFacts, ...]
    rules: tuple[RuleHit, ...]
    segments: tuple[Segment, ...]
    beside: tuple[str, ...]


def explain(home: Home, what: str) -> Explained:
    """Explain a file, a URL of the archive or the id of a piece. Raises UsageError for anything else."""
    path = Path(what)
    if path.is_file():
        page = page_from_file(path)
        facts = PageFacts(page.url, len(page.body), page.content_type, _claimed(page))
        return _explained(what, trace_document([page]), (facts,), home.config().mask, name=path.name)
    if path.is_dir():
        raise UsageError(f"{what} is a folder; name one file, a URL of the archive or the id of a piece.")
    url, notes = _url(home, what)
    document = _archived(home, url or what)
    if document is None:
        raise UsageError(
            f"'{what}' is no file, no URL in the archive of {home.path} and no id of a piece in its corpus;"
            " 'fanwen search' shows ids and URLs."
        )
    return _of_archive(home, what, document, notes)


def explain_pages(name: str, pages: Sequence[Page], traced: Traced, mask: frozenset[str]) -> Explained:
    """Explain the pages of a document that is in no archive, as it was cleaned."""
    facts = tuple(PageFacts(page.url, len(page.body), page.content_type, _claimed(page)) for page in pages)
    return _explained(name, traced, facts, mask, name=name)


def _url(home: Home, what: str) -> tuple[str | None, tuple[str, ...]]:
    """The URL of the document that holds a piece, with what is to be said of that piece."""
    if not home.corpus.is_file():
        return None, ()
    with reading(home.corpus) as store:
        row = store.rows(
            "select d.key, d.source, v.removed_in, v.removed_why from piece p"
            " join document d on d.id = p.document left join piece_version v on v.piece = p.id"
            " where p.id = ? order by v.removed_in is null desc, v.added_in desc limit 1",
            what,
        ).fetchone()
    if row is None:
        return None, ()
    if row[1] != "archive":
        raise UsageError(
            f"The piece {what} came ready-made from '{row[1]}'; there is no page of it to explain."
        )
    gone = () if row[2] is None else (f"The piece {what} is no longer in the corpus: {row[3]}.",)
    return str(row[0]), gone


def _archived(home: Home, url: str) -> ArchivedDocument | None:
    if not home.archive.is_file():
        return None
    with Archive(home.archive, readonly=True) as archive:
        found = archive.document(url)
        if found is None:
            try:
                found = archive.document(canonical_url(url))
            except ValueError:
                found = None
        return found


def _of_archive(home: Home, what: str, document: ArchivedDocument, notes: tuple[str, ...]) -> Explained:
    site = home.sites().get(document.site)
    with Archive(home.archive, readonly=True) as archive:
        pages = pages_of(archive, document, site)
    facts = tuple(
        PageFacts(
            part.url,
            len(page.body),
            part.content_type,
            _claimed(page),
            part.fetched_at,
            part.truncated,
            part.consent,
        )
        for part, page in zip(document.parts, pages, strict=True)
    )
    known, rights = _known(home, document.url)
    if document.missing_parts:
        notes += ("A further page of this document is known, but was never fetched.",)
    return _explained(
        what,
        trace_document(pages),
        facts,
        home.config().mask,
        name=document.name,
        site=document.site,
        gone=document.gone,
        known=known,
        rights=rights,
        notes=notes,
    )


def _known(home: Home, url: str) -> tuple[dict[int, PieceState], Rights | None]:
    """The document's pieces in the corpus by their place, and its rights."""
    if not home.corpus.is_file():
        return {}, None
    with reading(home.corpus) as store:
        rights = store.rows(
            "select rights_basis, rights_detail, site_status from document_version v join document d"
            " on d.id = v.document where d.key = ? and v.removed_in is null",
            url,
        ).fetchone()
        document = store.value("select id from document where key = ?", url)
        states = open_pieces(store, document).values()
        return {state.place: state for state in states}, Rights(*rights) if rights else None


def _claimed(page: Page) -> tuple[str, ...]:
    return () if kind_of(page) in ("pdf", "docx") else tuple(claimed(page.body, page.content_type))


def _explained(
    asked: str,
    traced: Traced,
    pages: tuple[PageFacts, ...],
    mask: frozenset[str],
    *,
    name: str | None,
    site: str | None = None,
    gone: str | None = None,
    known: dict[int, PieceState] | None = None,
    rights: Rights | None = None,
    notes: tuple[str, ...] = (),
) -> Explained:
    cleaned = traced.cleaned
    document = cleaned.document
    shown = masking.publish([Stored(one.title, one.text, one.privacy) for one in cleaned.pieces], mask)
    return Explained(
        asked=asked,
        url=pages[0].url,
        site=site,
        name=name,
        gone=gone,
        pages=pages,
        kind=document.kind if document else None,
        encoding=document.encoding if document else None,
        extractor=document.extractor if document else None,
        script=document.script if document else None,
        opencc=document.opencc if document else None,
        ruleset=document.ruleset if document else None,
        title=document.title if document else None,
        titles=traced.titles,
        declared_pieces=document.declared_pieces if document else None,
        found_pieces=document.found_pieces if document else 0,
        claims=document.claims if document else Claims(),
        rights=rights,
        notes=notes,
        rejects=cleaned.rejects,
        pieces=tuple(
            _piece(
                piece,
                (known or {}).get(piece.index),
                rights,
                masking.masks(piece.title, piece.text, one, mask),
            )
            for piece, one in zip(cleaned.pieces, shown, strict=True)
        ),
        rules=document.rule_hits if document else (),
        segments=segments(traced),
        beside=traced.furniture,
    )


def _piece(
    piece: Piece, known: PieceState | None, rights: Rights | None, masks: Iterable[tuple[str, str]]
) -> PieceFacts:
    same = known is not None and known.text == text_hash(piece.text)
    flags = tuple(json.loads(known.flags)) if known and same else piece.flags
    in_default, why = _standing(flags, known if same else None, rights)
    return PieceFacts(
        index=piece.index,
        id=known.piece if known and same else None,
        title=piece.title,
        genre=piece.genre,
        genre_confidence=piece.genre_confidence,
        genre_evidence=piece.genre_evidence,
        year=piece.year,
        level=piece.level,
        language=piece.language,
        script=piece.script,
        flags=flags,
        n_chars=piece.quality.n_chars,
        in_default=in_default,
        why=why,
        masks=tuple(dict.fromkeys(f"{stretch} → {mask}" for stretch, mask in masks)),
    )


def _standing(
    flags: Sequence[str], known: PieceState | None, rights: Rights | None
) -> tuple[bool | None, str]:
    """Whether a piece is in the default set, and why."""
    why = known.excluded_why if known else excluded_why(flags, True, None)
    if why is None and known is None:
        return None, "nothing here keeps it out; whether it is a duplicate, a build will tell"
    if why is None:
        return (
            True,
            f"stands for its cluster {known.cluster}" if known and known.cluster else "nothing keeps it out",
        )
    if why.startswith("duplicate_of:"):
        return False, f"a duplicate of {why.removeprefix('duplicate_of:')}, which stands for the cluster"
    if why == "stub":
        return False, "too short to be a piece (stub)"
    if why.startswith("quality:"):
        return False, f"quality: {why.removeprefix('quality:')}"
    detail = f" ({rights.detail})" if rights and rights.detail and why == "reservation_found" else ""
    return False, _RIGHTS.get(why, why) + detail


_RIGHTS = {
    "reservation_found": "reservation_found: the site reserves its rights",
    "probation": "probation: nobody has checked the site yet",
    "held": "held: kept back by hand",
}


# -- as text ------------------------------------------------------------------------------------------

_RESET = "\x1b[0m"
_BOLD = "\x1b[1m"
_DIM = "\x1b[2m"
_COLOURS = {
    "site": "35",
    "text": "90",
    "markup": "36",
    "damage": "33",
    "script": "34",
    "layout": "34",
    "wall": "91",
    "boilerplate": "31",
    "split": "35",
}


def as_text(explained: Explained, *, colour: bool = False) -> str:
    """The whole explanation; cuts as ``⟦−rule: text⟧``, additions as ``⟦+rule: text⟧``."""
    paint = _Paint(colour)
    blocks = [
        paint.bold(visible(explained.title or explained.name or explained.url)),
        table([(key, visible(value)) for key, value in facts(explained)]),
        *(f"! {visible(note)}" for note in explained.notes),
        *(f"Refused: {r.reason}: {visible(r.detail)}" for r in explained.rejects),
        "\n".join(_text_lines(explained, paint)),
    ]
    if explained.pieces:
        blocks.append(paint.bold("Pieces") + "\n" + "\n".join(_piece_lines(explained.pieces)))
    if explained.rules:
        blocks.append(paint.bold("Rules") + "\n" + table(rule_rows(explained.rules)))
    return "\n\n".join(block for block in blocks if block)


def facts(explained: Explained) -> Iterator[tuple[str, str]]:
    """The header: what is known of pages and document, as names and values."""
    one = explained
    yield "url", one.url
    if one.name:
        yield "file", one.name
    if one.site:
        yield (
            "site",
            one.site + (f", {one.rights.site_status}" if one.rights and one.rights.site_status else ""),
        )
    for page in one.pages:
        yield "page", _page(page, one.url)
    if one.gone:
        yield "gone", one.gone
    claims = list(dict.fromkeys(c for page in one.pages for c in page.claimed))
    if one.kind:
        yield "kind", one.kind
        yield "encoding", f"{one.encoding}, claimed: {', '.join(claims) or 'nothing'}"
        yield "extractor", str(one.extractor)
        yield (
            "script",
            f"{one.script}, " + (f"converted with {one.opencc}" if one.opencc else "not converted"),
        )
    for title in one.titles:
        yield "title", title
    if one.kind:
        declared = "none" if one.declared_pieces is None else str(one.declared_pieces)
        yield "pieces", f"{declared} declared, {one.found_pieces} found"
    for key in ("published", "author", "source", "rights", "category"):
        value = getattr(one.claims, key)
        if value:
            yield f"claims {key}", value.value
    yield from _consent(one)
    if one.beside:
        start = " / ".join(one.beside)
        yield "beside the text", f"{len(one.beside)} lines: {start[:60]}{'…' if len(start) > 60 else ''}"
    if one.ruleset:
        yield "ruleset", one.ruleset


def _page(page: PageFacts, url: str) -> str:
    parts = [f"{page.bytes:,} bytes", page.content_type or "no content type"]
    if page.fetched_at:
        parts.insert(0, f"fetched {page.fetched_at}")
    if page.truncated:
        parts.append("the transfer was cut")
    return ("" if page.url == url else f"{page.url}: ") + ", ".join(parts)


def _consent(one: Explained) -> Iterator[tuple[str, str]]:
    consents = [page.consent for page in one.pages if page.consent]
    reservations = sorted({reason for consent in consents for reason in consent.reservations})
    if consents:
        asked = "robots.txt asked" if all(c.robots_hash for c in consents) else "robots.txt not asked"
        yield "consent", f"{asked}; reservations: {', '.join(reservations) or 'none found'}"
    if one.rights:
        yield "rights", one.rights.basis + (f" ({one.rights.detail})" if one.rights.detail else "")


def rule_rows(hits: Sequence[RuleHit]) -> list[tuple[object, ...]]:
    """The table of rules, those that took most first."""
    ranked = sorted(hits, key=lambda hit: (-hit.chars, hit.rule))
    rows = [(hit.rule, hit.count, hit.chars, visible(hit.example, "⏎")[:40]) for hit in ranked]
    return [("rule", "hits", "characters", "example"), *rows]


def piece_facts(piece: PieceFacts) -> Iterator[tuple[str, str]]:
    """What is known of one piece, as names and values."""
    evidence = f", by {piece.genre_evidence}" if piece.genre_evidence else ""
    yield "genre", f"{piece.genre} ({piece.genre_confidence:.2f}{evidence})"
    for key in ("year", "level"):
        if getattr(piece, key):
            yield key, getattr(piece, key)
    yield "language", f"{piece.language}, {piece.script}"
    yield "length", f"{piece.n_chars:,} characters"
    yield "flags", ", ".join(piece.flags) or "none"
    verdict = {True: "in", False: "out", None: "open"}[piece.in_default]
    yield "default set", f"{verdict}: {piece.why}"
    if piece.masks:
        yield "a release masks", "; ".join(piece.masks)
    if piece.id:
        yield "id", piece.id


def _piece_lines(pieces: Sequence[PieceFacts]) -> Iterator[str]:
    for piece in pieces:
        yield f"{piece.index}. {visible(piece.title or 'without a title')}"
        yield table([(key, visible(value)) for key, value in piece_facts(piece)], indent="     ")


class _Paint:
    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def bold(self, text: str) -> str:
        return f"{_BOLD}{text}{_RESET}" if self.colour else text

    def dim(self, text: str) -> str:
        return f"{_DIM}{text}{_RESET}" if self.colour else text

    def mark(self, segment: Segment) -> str:
        sign = "−" if segment.kind == "cut" else "+"
        text = f"⟦{sign}{segment.rule}: {visible(segment.text, '⏎')}⟧"
        if not self.colour:
            return text
        shade = _COLOURS.get((segment.rule or "").partition(".")[0], "31")
        return f"\x1b[{shade};{'9' if segment.kind == 'cut' else '4'}m{text}{_RESET}"


def _text_lines(explained: Explained, paint: _Paint) -> Iterator[str]:
    """The main text with its marks; the margin names the piece, ▸ a head."""
    titles = {piece.index: piece.title for piece in explained.pieces}
    for number, line in _lines(explained.segments):
        if isinstance(line, str):
            yield paint.bold(_boundary(line, number, titles.get(number or 0)))
            continue
        shown = "".join(
            visible(one.text) if one.kind == "kept" or one.rule in QUIET else paint.mark(one) for one in line
        )
        if number is None and not shown.strip():
            continue
        kept = "".join(one.text for one in line if one.kind == "kept").strip(" 　")
        head = bool(kept) and number is not None and layout.is_head_line(kept)
        margin = f"{number or '':>3} {'▸' if head else '│'} "
        yield (paint.dim(margin) + (paint.bold(shown) if head else shown)).rstrip()


def _boundary(which: str, number: int | None, title: str | None) -> str:
    name = f" 《{visible(title)}》" if title and which == "begin" else ""
    return f"──── {'piece' if which == 'begin' else 'end of piece'} {number}{name} ────"


def _lines(found: Sequence[Segment]) -> Iterator[tuple[int | None, list[Segment] | str]]:
    """(piece, segments of one line), with ``begin`` and ``end`` where a piece does."""
    line: list[Segment] = []
    current: int | None = None
    for segment in found:
        if segment.piece != current:
            if line and any(one.text.strip(" 　") for one in line):
                yield current, line
            line = []
            if current is not None:
                yield current, "end"
            if segment.piece is not None:
                yield segment.piece, "begin"
            current = segment.piece
        if segment.kind == "added" and segment.rule in QUIET:
            continue
        if segment.kind == "cut" and segment.rule not in QUIET:
            line.append(segment)
            continue
        first, *others = segment.text.split("\n")
        marked = segment.kind == "added"
        line.append(
            Segment(segment.kind, first + ("\n" if marked and others else ""), segment.rule, segment.piece)
        )
        for rest in others:
            yield current, line
            line = [Segment(segment.kind, rest, segment.rule, segment.piece)] if rest else []
    if line:
        yield current, line
    if current is not None:
        yield current, "end"
