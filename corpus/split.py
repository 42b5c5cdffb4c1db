"""Divides the pieces of a release into train, validation and test, so that nothing shares text across.

In go the current pieces and their relations, out comes the table ``split``. Pieces that hang together by
near, contains, overlap, equal text or cluster are one component, and a component is in one split. It keeps
the split it has; where components of different splits grow together, train is stronger than validation and
that than test, so that nothing a model was trained on is ever tested with. A new component is placed by a
hash of its least piece; a large one is for training, as tests want many kinds of text and not much of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from fanwen.corpus.components import connected
from fanwen.corpus.identity import digest
from fanwen.corpus.store import Store

SPLITS = ("train", "validation", "test")
_BOUNDS = (90, 95)  # percent of new components before which train and validation end
# a component is large from so many pieces on, and from this share of all
_LARGE, _LARGE_SHARE = 20, 0.005


def assign(store: Store) -> None:
    """Bring the table up to the current pieces, for the release that is pending."""
    with store.atomic():
        store.rows("delete from split where added_in = ?", store.pending)
        store.rows("update split set removed_in = null where removed_in = ?", store.pending)
        earlier = dict(store.rows("select piece, split from split where removed_in is null").fetchall())
        # one that comes back, for instance after a hold, goes where it last was
        ever = dict(store.rows("select piece, split from split order by added_in").fetchall())
        now = _splits(store, ever)
        gone = [(store.pending, piece) for piece, split in earlier.items() if now.get(piece) != split]
        store.conn.executemany("update split set removed_in = ? where piece = ? and removed_in is null", gone)
        store.conn.executemany(
            "insert into split (piece, split, added_in) values (?, ?, ?)",
            [(piece, split, store.pending) for piece, split in now.items() if earlier.get(piece) != split],
        )


def _splits(store: Store, earlier: Mapping[str, str]) -> dict[str, str]:
    """Where every current piece belongs, by piece; ``earlier`` is where it last was in a release."""
    pieces = store.rows(
        "select v.piece, f.key, v.cluster from piece_version v left join fingerprint f on f.text = v.text"
        " where v.removed_in is null order by v.piece"
    ).fetchall()
    numbers: dict[str, int] = {}
    edges = []
    for i, (_, key, cluster) in enumerate(pieces):
        for name in (f"key {key}" if key else None, f"cluster {cluster}" if cluster else None):
            if name is not None:
                edges.append((i, numbers.setdefault(name, i)))
    for a, b in store.rows("select a, b from relation where removed_in is null"):
        one, other = numbers.get(f"key {a}"), numbers.get(f"key {b}")
        if one is not None and other is not None:
            edges.append((one, other))
    labels = connected(len(pieces), np.array(edges, dtype=np.int64).reshape(-1, 2)).tolist()
    # pieces are in order, so the first of a component is its least
    found: dict[int, str] = {}
    for (piece, _, _), label in zip(pieces, labels, strict=True):
        if piece in earlier:
            found[label] = min(found.get(label, SPLITS[-1]), earlier[piece], key=SPLITS.index)
    sizes = Counter(labels)
    large = max(_LARGE, _LARGE_SHARE * len(pieces))
    for (piece, _, _), label in zip(pieces, labels, strict=True):
        if label not in found:
            found[label] = SPLITS[0] if sizes[label] >= large else _place(piece)
    return {piece: found[label] for (piece, _, _), label in zip(pieces, labels, strict=True)}


def _place(piece: str) -> str:
    """Where a component goes that no release has had, by its least piece."""
    percent = int(digest("split", piece)[:12], 16) % 100
    return SPLITS[sum(percent >= bound for bound in _BOUNDS)]
