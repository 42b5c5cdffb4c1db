"""Keeps the states of documents and pieces as intervals of releases.

The state to be released next is a function of the last released state and of what is put
here: a state that was opened and superseded before any release leaves no row behind, and
putting the released state again reopens it. So building often or once gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any

from fanwen.corpus.identity import digest, leaf, text_hash
from fanwen.corpus.store import Store, to_json

# what keeps a piece out of the default set, besides being a stub: rights first, then quality
RIGHTS_FLAGS = ("reservation_found", "probation", "held")
QUALITY_FLAGS = (
    "garbled",
    "list_only",
    "low_han",
    "machine_written",
    "placeholders",
    "repetitive",
    "spam",
    "stutter",
)


@dataclass(frozen=True, slots=True)
class DocumentState:
    """What document_version keeps of one state; see data/columns.toml for the meaning."""

    document: int
    state_hash: str
    gone: str | None
    bodies: str
    fetched_at: str
    kind: str | None
    encoding: str | None
    extractor: str | None
    ruleset: str | None
    opencc: str | None
    script: str | None
    title: str | None
    declared_pieces: int | None
    found_pieces: int
    claimed_published: str | None
    claimed_author: str | None
    claimed_source: str | None
    claimed_rights: str | None
    claimed_category: str | None
    claims: str
    consent: str
    rights_basis: str
    rights_detail: str | None
    site_status: str | None
    truncated: int
    missing_parts: int


@dataclass(frozen=True, slots=True)
class PieceState:
    """What piece_version keeps of one state; ``flags`` and spans are JSON. Leaf and default set follow.

    ``published`` and ``published_title`` are what a release shows; ``published`` is None until
    :mod:`fanwen.corpus.masking` has looked at the piece, and what it holds then counts as what it shows.
    """

    piece: str
    document_version: int
    place: int
    text: str
    text_original: str
    title: str | None
    genre: str
    genre_confidence: float
    genre_evidence: str | None
    year: str | None
    level: str | None
    language: str
    script: str
    flags: str
    n_chars: int
    n_han: int
    n_paragraphs: int
    han_share: float
    repeated_line_share: float
    list_line_share: float
    placeholder_share: float
    placeholders: str
    privacy: str
    title_privacy: str
    published: str | None
    published_title: str | None
    masked: str
    edits: str
    span_begin: int
    span_end: int
    cluster: str | None
    is_canonical: int
    excluded_why: str | None
    leaf: str


# what a release shows of a state ``v``; one that nobody masked yet shows what it holds
PUBLISHED = "coalesce(v.published, v.text)"
PUBLISHED_TITLE = "case when v.published is null then v.title else v.published_title end"

_DOCUMENT_COLUMNS = [field.name for field in fields(DocumentState)]
_PIECE_COLUMNS = [field.name for field in fields(PieceState)]
_document_values = attrgetter(*_DOCUMENT_COLUMNS)
_piece_values = attrgetter(*_PIECE_COLUMNS)
_CLUSTER_COLUMNS = {"cluster", "is_canonical", "excluded_why", "leaf"}
_TEXT_COLUMNS = {"text", "text_original"}
_MASK_COLUMNS = {"privacy", "title_privacy", "published", "published_title", "masked"}
_PROVENANCE_COLUMNS = {"document_version", "place", "span_begin", "span_end"}


def add_texts(store: Store, bodies: Iterable[str]) -> None:
    store.conn.executemany(
        "insert into text (sha256, body) values (?, ?) on conflict do nothing",
        ((text_hash(body), body) for body in bodies),
    )


def put_document(store: Store, state: DocumentState) -> int:
    """Make ``state`` the one to be released next; returns its document_version id."""
    base, pending = _two(store, "document_version", "document", state.document, _DOCUMENT_COLUMNS)
    if base is not None and base[1:] == _document_values(state):
        if pending is not None:
            # its pieces move to the reopened row before foreign keys are checked
            store.rows("delete from document_version where id = ?", pending[0])
        _reopen(store, "document_version", base[0])
        return int(str(base[0]))
    if base is not None:
        _close(store, "document_version", base[0], "source_gone" if state.gone else "changed")
    return _write(store, "document_version", _DOCUMENT_COLUMNS, _document_values(state), pending)


def put_piece(store: Store, state: PieceState) -> None:
    """Make ``state`` the one to be released next; its clusters, before and after, are to be settled."""
    mark_unsettled(store, state.piece)
    put_settled(store, state)


def put_settled(store: Store, state: PieceState) -> None:
    """The same for a state whose cluster was just settled."""
    base, pending = _two(store, "piece_version", "piece", state.piece, _PIECE_COLUMNS)
    values = _piece_values(state)
    if base is not None and base[1:] == values:
        if pending is not None:
            store.rows("delete from piece_version where id = ?", pending[0])
        _reopen(store, "piece_version", base[0])
        return
    if base is not None:
        _close(store, "piece_version", base[0], _why(base[1:], values))
    _write(store, "piece_version", _PIECE_COLUMNS, values, pending)


def text_digests(store: Store, documents: Iterable[str]) -> dict[str, str]:
    """One hash over the texts of each document's current pieces, by document."""
    found = {}
    for key in documents:
        texts = store.rows(
            "select v.text from piece_version v join piece p on p.id = v.piece"
            " join document d on d.id = p.document where d.key = ? and v.removed_in is null order by v.place",
            key,
        ).fetchall()
        found[key] = digest(*(text for (text,) in texts))
    return found


def close_piece(store: Store, piece: str, why: str) -> None:
    """The piece is in no release from the pending one on."""
    base, pending = _two(store, "piece_version", "piece", piece, ["piece"])
    mark_unsettled(store, piece)
    if pending is not None:
        store.rows("delete from piece_version where id = ?", pending[0])
    if base is not None:
        _close(store, "piece_version", base[0], why)


def open_pieces(store: Store, document: int) -> dict[str, PieceState]:
    """The current states of a document's pieces, by piece id."""
    rows = store.rows(
        f"select {', '.join('v.' + name for name in _PIECE_COLUMNS)} from piece_version v"
        " join piece p on p.id = v.piece where p.document = ? and v.removed_in is null order by v.place",
        document,
    )
    return {row[0]: PieceState(*row) for row in rows}


def released_piece(store: Store, piece: str) -> PieceState | None:
    """The state of a piece in the last release."""
    base, _ = _two(store, "piece_version", "piece", piece, _PIECE_COLUMNS)
    return None if base is None else PieceState(*base[1:])  # type: ignore[arg-type]


def current(store: Store, where: str = "", *parameters: object) -> list[PieceState]:
    """Current states that meet a condition over ``v`` (piece_version)."""
    rows = store.rows(
        f"select {', '.join('v.' + name for name in _PIECE_COLUMNS)} from piece_version v"
        f" where v.removed_in is null {'and ' + where if where else ''} order by v.piece",
        *parameters,
    )
    return [PieceState(*row) for row in rows]


def finish(state: PieceState, url: str, flags: Sequence[str], canonical: str | None) -> PieceState:
    """Fill in what follows from the rest: why it is not in the default set, and its leaf.

    ``canonical`` is the id of the piece that stands for its cluster.
    """
    return replace(
        state,
        excluded_why=excluded_why(flags, bool(state.is_canonical), canonical),
        leaf=leaf_of(state, url, flags),
    )


def in_cluster(state: PieceState, url: str, flags: Sequence[str], cluster: str, canonical: str) -> PieceState:
    """The state as a member of ``cluster``, with what follows; the very same where it is that already."""
    stands = state.piece == canonical
    why = excluded_why(flags, stands, canonical)
    if (state.cluster, state.is_canonical, state.excluded_why) == (cluster, int(stands), why):
        return state
    # the fields that follow are the last four; replace() would take three times as long
    settled = (cluster, int(stands), why, _leaf(state, url, flags, cluster, stands))
    values: list[Any] = [*_piece_values(state)[:-4], *settled]
    return PieceState(*values)


def leaf_of(state: PieceState, url: str, flags: Sequence[str]) -> str:
    """The leaf hash of a state: over what a release shows of it."""
    return _leaf(state, url, flags, state.cluster, bool(state.is_canonical))


def _leaf(state: PieceState, url: str, flags: Sequence[str], cluster: str | None, is_canonical: bool) -> str:
    masked = state.published is not None
    return leaf(
        state.piece,
        state.published if state.published is not None else state.text,
        state.published_title if masked else state.title,
        url,
        flags,
        state.genre,
        state.script,
        cluster,
        is_canonical,
    )


def excluded_why(flags: Sequence[str], is_canonical: bool, canonical: str | None) -> str | None:
    """Why a piece is not in the default set; None where it is. Rights come first, then quality."""
    for flag in (*RIGHTS_FLAGS, "stub"):
        if flag in flags:
            return flag
    for flag in QUALITY_FLAGS:
        if flag in flags:
            return f"quality:{flag}"
    if not is_canonical and canonical is not None:
        return f"duplicate_of:{canonical}"
    return None


def fit_for_default(flags: Sequence[str]) -> bool:
    """Whether nothing but being a duplicate could keep the piece out of the default set."""
    return excluded_why(flags, True, None) is None


def unsettled(store: Store) -> bool:
    """Whether clusters are behind the pieces."""
    return store.value("select 1 from unsettled where not settled") is not None


def mark_unsettled(store: Store, piece: str) -> None:
    """The piece and whoever was with it or holds its text are to be settled; call where it changes."""
    store.rows(_MARK, piece, store.pending)


_HOLDERS = """
select 'piece', other.piece from piece_version v cross join fingerprint f on f.text = v.text
cross join relation r on r.{mine} = f.key and r.relation <> 'overlap' and r.removed_in is null
cross join fingerprint g on g.key = r.{its}
cross join piece_version other on other.text = g.text and other.removed_in is null
where v.piece = ?1 and v.removed_in is null
"""
_MARK = f"""
insert into unsettled (kind, name)
select 'cluster', cluster from piece_version
where piece = ?1 and cluster is not null and (removed_in is null or removed_in = ?2)
union select 'piece', ?1
union {_HOLDERS.format(mine="a", its="b")}
union {_HOLDERS.format(mine="b", its="a")}
on conflict do update set settled = 0
"""


def _two(
    store: Store, table: str, key: str, value: object, columns: Sequence[str]
) -> tuple[tuple[object, ...] | None, tuple[object, ...] | None]:
    """(released row, pending row) as (id, *columns); the released one may be closed again."""
    base = pending = None
    for added_in, *row in store.rows(
        f"select added_in, id, {', '.join(columns)} from {table} where {key} = ?"
        " and (removed_in is null or removed_in = ?)",
        value,
        store.pending,
    ):
        if added_in == store.pending:
            pending = tuple(row)
        else:
            base = tuple(row)
    return base, pending


def _write(
    store: Store,
    table: str,
    columns: Sequence[str],
    values: tuple[object, ...],
    pending: tuple[object, ...] | None,
) -> int:
    if pending is not None:
        new = {
            name: value for name, value, old in zip(columns, values, pending[1:], strict=True) if value != old
        }
        if new:
            assignments = ", ".join(f"{name} = ?" for name in new)
            store.rows(f"update {table} set {assignments} where id = ?", *new.values(), pending[0])
        return int(str(pending[0]))
    marks = ", ".join("?" * len(columns))
    cursor = store.rows(
        f"insert into {table} (added_in, {', '.join(columns)}) values (?, {marks})", store.pending, *values
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _close(store: Store, table: str, row: object, why: str) -> None:
    store.rows(
        f"update {table} set removed_in = ?, removed_why = ? where id = ?"
        " and (removed_in is null or removed_why is not ?)",
        store.pending,
        why,
        row,
        why,
    )


def _reopen(store: Store, table: str, row: object) -> None:
    store.rows(
        f"update {table} set removed_in = null, removed_why = null where id = ? and removed_in is not null",
        row,
    )


def _why(before: Sequence[object], after: Sequence[object]) -> str:
    old, new = _shown(before), _shown(after)
    differing = {name for name in _PIECE_COLUMNS if old[name] != new[name]}
    if differing & _TEXT_COLUMNS:
        return "changed"
    rest = differing - _CLUSTER_COLUMNS - _PROVENANCE_COLUMNS
    if rest - _MASK_COLUMNS:
        return "metadata"
    if rest & {"published", "published_title"}:
        return "masking"
    if rest:
        return "metadata"
    return "cluster" if differing & _CLUSTER_COLUMNS else "provenance"


def _shown(values: Sequence[object]) -> dict[str, object]:
    """A state by column; where nobody masked it yet, it shows what it holds."""
    state = dict(zip(_PIECE_COLUMNS, values, strict=True))
    if state["published"] is None:
        state |= {"published": state["text"], "published_title": state["title"]}
    return state


def spans_json(spans: Iterable[object]) -> str:
    """Frozen dataclasses as a JSON list of objects."""
    return to_json([{field.name: getattr(span, field.name) for field in fields(span)} for span in spans])  # type: ignore[arg-type]


def visibly_different(before: PieceState, after: PieceState) -> bool:
    """Whether more than provenance and clusters differ."""
    why = _why(_piece_values(before), _piece_values(after))
    return why in ("changed", "metadata")
