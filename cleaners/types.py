"""The types that flow through the cleaners.

In comes the pages of one document (:class:`Page`), out comes :class:`Cleaned`:
what was learnt about the document, its pieces, and what was refused and why.
All are frozen; offsets are counted in code points of the named text.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# of personal data, see fanwen.cleaners.privacy
KINDS = ("phone", "id_card", "bank_card", "email", "qq", "wechat", "plate", "address", "person")


@dataclass(frozen=True, slots=True)
class Page:
    """One fetched URL, or one file, as bytes.

    ``url`` is the canonical URL, or ``urn:sha256:<hex of the body>`` for a file
    without one. ``content_type`` is the header as served (its charset is a claim,
    not a fact). ``encoding`` forces a charset where a site file knows better.
    ``truncated`` says that the transfer was cut, so the text may be incomplete.
    ``hints`` are this page's where they are not the document's; ``problem`` says why it cannot be read.
    """

    url: str
    body: bytes
    content_type: str | None = None
    encoding: str | None = None
    truncated: bool = False
    hints: ExtractHints | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ExtractHints:
    """What a site file knows about its pages; empty for an unknown site.

    Selectors are CSS; several are tried in order and the first that yields text
    wins. ``content`` may end with ``@trafilatura``, the generic extraction, which
    is also used when ``content`` is empty. ``remove`` is cut before anything is read.
    ``encoding`` forces a charset where the site's own claims are known to be wrong.
    ``lines`` are whole lines that a person approved for removal (rule ``site.line``).
    """

    title: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    encoding: str | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """``text[begin:end]`` is of this ``kind``; ``value`` is kept where it says more than the text."""

    kind: str
    begin: int
    end: int
    value: str | None = None


@dataclass(frozen=True, slots=True)
class RuleHit:
    """How often one rule took or changed something in one document.

    ``rule`` is ``family.name``; ``chars`` counts characters taken or replaced;
    ``example`` is the first thing it took, at most 120 characters.
    """

    rule: str
    count: int
    chars: int
    example: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Why something gave no piece: a ``reason`` code from the rules, and what was seen."""

    source: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that the page says about the document: ``line[begin:end]`` says ``value``.

    ``line`` is the line of the page as extracted, before anything was removed or converted.
    """

    value: str
    line: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What the page says about the document, verbatim and unchecked; None where it says nothing."""

    published: Claim | None = None
    author: Claim | None = None
    source: Claim | None = None
    rights: Claim | None = None
    category: Claim | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """One repair: ``rule`` replaced ``before`` at ``begin`` of ``text_original`` with ``after``."""

    rule: str
    begin: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Quality:
    """Raw signals of one piece, kept beside the verdict (the piece's flags).

    ``n_chars`` counts code points without white space, ``n_han`` Han characters;
    the shares are of ``n_chars`` (repeated lines: of lines) and lie in [0, 1].
    """

    n_chars: int
    n_han: int
    n_paragraphs: int
    han_share: float
    repeated_line_share: float
    list_line_share: float
    placeholder_share: float


@dataclass(frozen=True, slots=True)
class Document:
    """One article after its pages or fragments were joined.

    ``script`` is as found: Hans, Hant, Hant-TW, Hant-HK or damaged. ``opencc`` is the
    configuration that was applied, None where the text was left byte-identical.
    ``declared_pieces`` is what the title claims (优秀6篇), None where it claims nothing.
    ``ruleset`` is the version of the data files that did the work.
    """

    url: str
    title: str | None
    kind: str  # html, text, markdown, pdf, docx
    encoding: str
    extractor: str  # selector, density, viewer, text, pdf, docx
    ruleset: str
    script: str
    opencc: str | None
    declared_pieces: int | None
    found_pieces: int
    claims: Claims
    text: str  # the main text that was split: after boilerplate, before splitting
    rule_hits: tuple[RuleHit, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """One sample essay (篇) of a document.

    ``index`` counts from 1 in the order of the document. ``text`` is simplified,
    repaired, paragraphs by ``\\n``; ``text_original`` is the same stretch before script
    conversion and repair. ``span`` is its place in ``Document.text``. ``flags`` are sorted
    codes: incomplete, damaged, stub, … ``language`` is BCP 47 without script (``zh``).
    """

    index: int
    title: str | None
    text: str
    text_original: str
    span: Span
    genre: str
    genre_confidence: float
    language: str
    script: str
    flags: tuple[str, ...]
    quality: Quality
    genre_evidence: str | None = None
    year: str | None = None
    level: str | None = None
    placeholders: tuple[Span, ...] = ()
    privacy: tuple[Span, ...] = ()
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Everything one document gave. ``document`` is None where the page gate refused it."""

    document: Document | None
    pieces: tuple[Piece, ...] = field(default=())
    rejects: tuple[Reject, ...] = field(default=())
