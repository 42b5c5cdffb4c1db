"""What the takedown list means for the corpus: its documents and pieces are in no further release.

In goes the list that :mod:`fanwen.spiders.takedown` read. Taking an entry off the list brings
what it named back with the next build. Nothing is erased here.
"""

from __future__ import annotations

from collections.abc import Mapping

from fanwen.corpus.store import Store
from fanwen.corpus.versions import close_piece
from fanwen.spiders.items import ArchivedDocument
from fanwen.spiders.takedown import Takedown

REASON = "takedown"


def is_named(document: ArchivedDocument, takedown: Takedown) -> bool:
    """Whether the list names the document: its URL, that of a part, its host, or a body."""
    parts = document.parts
    return (
        takedown.names(document.url)
        or any(takedown.names(part.url) for part in parts)
        or any(part.body_hash in takedown.hashes for part in parts)
    )


def texts_named(store: Store, takedown: Takedown) -> Mapping[str, tuple[str, ...]]:
    """The texts of the list that each document has or had, by the document's key."""
    found: dict[str, list[str]] = {}
    for text in sorted(takedown.hashes):
        for (key,) in store.rows(
            "select distinct d.key from piece_version v join piece p on p.id = v.piece"
            " join document d on d.id = p.document where v.text = ?",
            text,
        ):
            found.setdefault(key, []).append(text)
    return {key: tuple(texts) for key, texts in found.items()}


def close_named(store: Store, takedown: Takedown) -> int:
    """Close every open piece that the list names, ready-made ones too; how many."""
    if not takedown:
        return 0
    rows = store.rows(
        "select v.piece, v.text, d.url, w.bodies from piece_version v join piece p on p.id = v.piece"
        " join document d on d.id = p.document"
        " left join document_version w on w.document = d.id and w.removed_in is null"
        " where v.removed_in is null"
    ).fetchall()
    named = [
        piece
        for piece, text, url, bodies in rows
        if text in takedown.hashes
        or takedown.names(url or "")
        or any(one in takedown.hashes for one in (bodies or "").split('"'))
    ]
    if named:
        with store.atomic():
            for piece in named:
                close_piece(store, piece, REASON)
    return len(named)
