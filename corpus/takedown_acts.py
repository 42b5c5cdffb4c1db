"""Takedown as a case: hold, lift and purge, each one transaction in corpus.db with a line in its journal.

In go a :class:`fanwen.corpus.takedown_journal.Case` and a :class:`fanwen.corpus.takedown_case.Plan`, out
comes the number of pieces concerned. A hold keeps pieces out of the current state and of every further
release until it is lifted; the state comes back as it was, with the same leaf. A purge is for good: texts
are gone when its transaction ends, and what is left of them elsewhere is erased by
:mod:`fanwen.corpus.erase`, which a kill cannot stop for longer than to the next command.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict

from fanwen.corpus import dedup, masking, search
from fanwen.corpus.fingerprint import fingerprints, to_blob
from fanwen.corpus.home import Home
from fanwen.corpus.normalise import fold
from fanwen.corpus.store import Store, to_json
from fanwen.corpus.takedown_case import Plan
from fanwen.corpus.takedown_journal import Case, held_in, journal, opened
from fanwen.corpus.takedowns import REASON
from fanwen.corpus.tombstones import REASON as REJECTED
from fanwen.corpus.versions import PieceState, close_piece, current, put_piece
from fanwen.corpus.withdraw import blank, order
from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive

HELD = "held"


def hold(store: Store, case: Case, plan: Plan) -> int:
    """Keep the pieces out, at once and until it is lifted."""
    with store.atomic():
        held = _held(store)
        fresh = [one.piece_id for one in plan.pieces if one.piece_id not in held]
        # the same once more is no error: it may have been interrupted
        others = {one.piece_id for one in plan.pieces} - {*held_in(store, case.case_id)}
        if not fresh and (others or not plan.pieces):
            raise UsageError(
                "There is no piece to hold, or all are on hold; 'fanwen takedown list' shows the cases."
            )
        for piece in fresh:
            meant = _is_meant(store, piece, plan)
            kept = _kept(store, current(store, "v.piece = ?", piece)[0]) if meant else None
            _bury(store, "hold", case, piece, plan.states, kept)
            if meant:
                close_piece(store, piece, HELD)
        if fresh:
            journal(store, case, "hold", {"pieces": fresh, "releases": plan.releases})
    dedup.update(store)
    return len(fresh)


def lift(store: Store, case_id: str | None = None, pieces: Collection[str] | None = None) -> int:
    """Bring back what is on hold in a case, or of these pieces; how many.

    Raises UsageError where there is nothing.
    """
    held = [
        row
        for row in store.rows(
            "select case_id, piece, max(state) from tombstone where kind = 'hold' and lifted_in is null"
            " group by case_id, piece order by case_id, piece"
        ).fetchall()
        if case_id in (None, row[0]) and (pieces is None or row[1] in pieces)
    ]
    if not held:
        raise UsageError("Nothing of this is on hold; 'fanwen takedown list' shows the cases.")
    with store.atomic():
        _end_holds(store, [piece for _, piece, _ in held])
        for _, piece, state in held:
            if state is not None:
                _restore(store, piece, json.loads(state))
        for name in sorted({case for case, *_ in held}):
            _look_again(store, name)
            back = [piece for case, piece, _ in held if case == name]
            journal(store, opened(store, name, None, None), "lift", {"pieces": back})
    dedup.update(store)
    search.update(store)
    return len(held)


def purge(home: Home, store: Store, case: Case, plan: Plan) -> int:
    """Erase the pieces for good: corpus.db has no text of them when this returns, and the rest is ordered."""
    bodies: set[str] = set()
    if home.archive.is_file():
        with Archive(home.archive) as archive:
            bodies = {digest for page in plan.pages for digest in archive.bodies_ever(page)}
    pieces = [one.piece_id for one in plan.pieces]
    with store.atomic():
        held = _held(store)
        for piece in pieces:
            _bury(store, "purge", case, piece, plan.states, held.get(piece))
        meant = [piece for piece in pieces if _is_meant(store, piece, plan)]
        # before rows of the pending release go
        gone = blank(store.conn, plan.states, plan.texts, case.case_id)
        for piece in meant:
            close_piece(store, piece, REASON)
        _end_holds(store, pieces)
        search.clear(store)
        order(store, case.case_id, gone, bodies, whole=True)
        detail = {
            "pieces": pieces,
            "texts": plan.texts,
            "bodies": sorted(bodies),
            "pages": plan.pages,
            "releases": plan.releases,
        }
        journal(store, case, "purge", detail)
    return len(pieces)


# -- tombstones ---------------------------------------------------------------------------------------


def _bury(store: Store, kind: str, case: Case, piece: str, states: Iterable[int], held: str | None) -> None:
    """One tombstone for each text that these states of the piece hold or show; ``held``: what a hold kept."""
    leaves: dict[str, str] = {}
    if held is not None:
        kept = json.loads(held)["piece"]
        leaves |= {kept[name]: kept["leaf"] for name in ("text", "published") if kept[name]}
    rows = store.rows(
        "select v.text, v.published, v.leaf from json_each(?) one join piece_version v on v.id = one.value"
        " where v.piece = ? order by v.added_in",
        to_json(sorted(states)),
        piece,
    )
    for text, published, leaf in rows.fetchall():
        leaves |= {sha256: leaf for sha256 in (text, published) if sha256 is not None}
    newest = None if held is None else json.loads(held)["piece"]["text"]
    for sha256, leaf in leaves.items():
        body = store.value("select body from text where sha256 = ?", sha256)
        folded = fold([body or ""])
        store.rows(
            "insert into tombstone"
            " (kind, case_id, basis, received, piece, leaf, text, key, marks, added_in, state)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            kind,
            case.case_id,
            case.basis,
            case.received,
            piece,
            leaf,
            sha256,
            folded.key(0),
            to_blob(fingerprints(folded)[0]),
            store.pending,
            held if kind == "hold" and sha256 == newest else None,
        )


def _held(store: Store) -> dict[str, str | None]:
    """What is on hold, with what was kept of it."""
    return dict(
        store.rows(
            "select piece, max(state) from tombstone where kind = 'hold' and lifted_in is null group by piece"
        ).fetchall()
    )


def _end_holds(store: Store, pieces: Sequence[str]) -> None:
    """A hold that no release has seen leaves no row."""
    mine = "kind = 'hold' and lifted_in is null and piece in (select value from json_each(?))"
    store.rows(f"delete from tombstone where added_in = ? and {mine}", store.pending, to_json(pieces))
    store.rows(
        f"update tombstone set lifted_in = ?, state = null where {mine}", store.pending, to_json(pieces)
    )


# -- holding and bringing back ------------------------------------------------------------------------


def _is_meant(store: Store, piece: str, plan: Plan) -> bool:
    """Whether the current state of the piece is meant, and not only an earlier one."""
    return (
        store.value("select id from piece_version where piece = ? and removed_in is null", piece)
        in plan.states
    )


def _kept(store: Store, state: PieceState) -> str:
    """What brings a state back: itself, the state of its document, and the kinds that were masked."""
    return to_json(
        {
            "piece": asdict(state),
            "document": store.value(
                "select state_hash from document_version where id = ?", state.document_version
            ),
            "mask": store.setting("mask"),
        }
    )


def _restore(store: Store, piece: str, kept: dict[str, object]) -> None:
    """Open the state again, unless its page is gone; a build looks again where the page changed meanwhile."""
    row = store.rows(
        "select w.id, w.state_hash, w.gone, d.source from piece p join document d on d.id = p.document"
        " join document_version w on w.document = d.id and w.removed_in is null where p.id = ?",
        piece,
    ).fetchone()
    if row is None or row[2] is not None:
        return
    state = PieceState(**{**kept["piece"], "document_version": row[0]})  # type: ignore[dict-item]
    put_piece(store, state)
    if row[1] != kept["document"] and row[3] == "archive":
        store.rows("update document_version set state_hash = '' where id = ?", row[0])
    if kept["mask"] != store.setting("mask"):
        masking.forget(store)


def _look_again(store: Store, case_id: str) -> None:
    """What the case refused as a copy in the meantime is looked at again by the next build."""
    store.rows(
        "update document_version set state_hash = '' where removed_in is null and id in"
        " (select document_version from reject where reason = ? and detail = ?)",
        REJECTED,
        case_id,
    )
