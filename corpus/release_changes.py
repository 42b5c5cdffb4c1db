"""Compares two states of a corpus: what was added, modified and removed, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fanwen.corpus.store import Store, reading
from fanwen.corpus.types import Change
from fanwen.corpus.versions import PUBLISHED, PUBLISHED_TITLE
from fanwen.errors import UsageError


def diff(corpus_path: Path, a: str, b: str) -> list[Change]:
    """How the pieces changed from release ``a`` to release ``b``; ``current`` is what the next would hold.

    Ordered by URL and number. MOD names what differs: text, title, flags, genre, script, cluster,
    is_canonical, or masking where only that differs. DEL says why the piece was closed last, ADD whether it
    is new or returned; back in time, what was added or removed later.
    """
    with reading(corpus_path) as store:
        return changes(store, seq_of(store, a), seq_of(store, b))


def seq_of(store: Store, version: str) -> int:
    """The seq of a version; ``current`` is the pending one."""
    if version == "current":
        return store.pending
    seq = store.value("select seq from release where version = ?", version)
    if seq is None:
        raise UsageError(
            f"There is no release {version} in {store.path}; 'fanwen release list' shows those there are."
        )
    return int(seq)


def counts(found: Iterable[Change]) -> dict[str, dict[str, int]]:
    """How many of ADD, MOD and DEL, by reason, the most frequent first."""
    why: dict[str, Counter[str]] = {change: Counter() for change in ("ADD", "MOD", "DEL")}
    for one in found:
        why[one.change][one.why] += 1
    return {change: dict(reasons.most_common()) for change, reasons in why.items()}


def changes(store: Store, before: int, after: int) -> list[Change]:
    low, high = min(before, after), max(before, after)
    closed, known = _closed(store, low, high), _known_before(store, low)
    touched = "(added_in > :low and added_in <= :high or removed_in > :low and removed_in <= :high)"
    compared = ("text", "title", "flags", "genre", "script", "cluster", "is_canonical", "masking")
    keys = ("piece", "leaf", *compared, "url", "n")
    states: list[dict[str, dict[str, object]]] = []
    for seq in (before, after):
        rows = store.conn.execute(
            "select v.piece, v.leaf, v.text, v.title, v.flags, v.genre, v.script, v.cluster, v.is_canonical,"
            f" json_array({PUBLISHED}, {PUBLISHED_TITLE}), d.url, p.n"
            " from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document"
            f" where v.piece in (select piece from piece_version where {touched})"
            " and v.added_in <= :seq and (v.removed_in is null or v.removed_in > :seq)",
            {"low": low, "high": high, "seq": seq},
        )
        states.append({row[0]: dict(zip(keys, row, strict=True)) for row in rows})
    old, new = states
    found = []
    for piece in old.keys() | new.keys():
        row = new.get(piece) or old[piece]
        if piece not in old:
            change = "ADD"
            forward = "returned" if piece in known else "new"
            why = forward if after > before else f"removed later: {closed[piece]}"
        elif piece not in new:
            change = "DEL"
            why = closed[piece] if after > before else "added later"
        elif old[piece]["leaf"] != new[piece]["leaf"]:
            change = "MOD"
            differing = [name for name in compared if old[piece][name] != new[piece][name]]
            # that another text has other masks is no news
            ours = "masking" in differing and not {"text", "title"} & set(differing)
            why = ",".join(name for name in differing if ours or name != "masking")
        else:
            continue
        title = None if row["title"] is None else str(row["title"])
        found.append(
            (str(row["url"]), int(str(row["n"])), Change(piece, change, why, title, str(row["url"])))
        )
    return [one for _, _, one in sorted(found, key=lambda item: (item[0], item[1], item[2].piece_id))]


def _closed(store: Store, low: int, high: int) -> dict[str, str]:
    """Why each piece was closed last after release ``low`` and up to ``high``."""
    return dict(
        store.rows(
            "select piece, removed_why from piece_version where removed_in > ? and removed_in <= ?"
            " order by removed_in",
            low,
            high,
        ).fetchall()
    )


def _known_before(store: Store, seq: int) -> set[str]:
    """Pieces that were gone by release ``seq``."""
    rows = store.rows("select distinct piece from piece_version where removed_in <= ?", seq)
    return {piece for (piece,) in rows}
