"""Counts what a release holds, for its card and its plots.

In goes the masked copy of a release, out come numbers; every figure is counted from that copy, so they never
change, and nothing comes from the clock or the machine.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from fanwen.corpus import audit
from fanwen.corpus.tables import CONFIGURATIONS, count_rows

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LENGTHS = (300, 600, 1000, 1500, 2500, 5000)  # upper bounds of the bins, in characters

_CURRENT = """
from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document
join document_version dv on dv.id = v.document_version
left join split s on s.piece = v.piece and s.removed_in is null where v.removed_in is null
"""
_BY = {
    "site": "d.site",
    "genre": "v.genre",
    "year": "coalesce(v.year, '–')",
    "level": "coalesce(v.level, '–')",
    "script": "v.script",
    "split": "coalesce(s.split, 'train')",
    "rights_basis": "dv.rights_basis",
    "excluded_why": "case when v.excluded_why like 'duplicate_of:%' then 'duplicate'"
    " else coalesce(v.excluded_why, '–') end",
}
_SIZES = "case when n < 3 then n when n < 6 then '3–5' when n < 21 then '6–20' else '> 20' end"

Row = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one release holds. Rows of ``by`` are (value, pieces, of these in the default set).

    ``lengths`` likewise by number of characters; ``sizes`` are (pieces in it, clusters, of these on several
    sites); ``rules`` are (rule, times, characters); ``changes`` are (change, why, pieces).
    """

    version: str
    date: str
    parent: str | None
    root: str
    pieces: int
    pieces_default: int
    clusters: int
    documents: int
    configurations: tuple[tuple[str, int], ...]
    by: Mapping[str, tuple[Row, ...]]
    quantiles: tuple[int, ...]
    mean_length: float
    lengths: tuple[Row, ...]
    sizes: tuple[Row, ...]
    masked: tuple[tuple[str, int], ...]
    rejects: tuple[tuple[str, int], ...]
    rules: tuple[Row, ...]
    changes: tuple[tuple[str, str, int], ...]
    audit: audit.AuditReport | None


def count(db: sqlite3.Connection, seq: int) -> Figures:
    """Count release ``seq``, the last one of ``db``."""
    columns = ("version", "date", "parent", "root", "pieces", "pieces_default", "clusters", "documents")
    release = db.execute(f"select {', '.join(columns)} from release where seq = ?", (seq,)).fetchone()
    lengths = db.execute(f"select v.n_chars, v.excluded_why is null {_CURRENT} order by 1").fetchall()
    return Figures(
        **dict(zip(columns, release, strict=True)),
        configurations=tuple((name, count_rows(db, name)) for name in CONFIGURATIONS),
        by={name: _by(db, expression) for name, expression in _BY.items()},
        quantiles=tuple(lengths[int(q * (len(lengths) - 1))][0] for q in QUANTILES) if lengths else (),
        mean_length=sum(n for n, _ in lengths) / max(1, len(lengths)),
        lengths=tuple(_binned(lengths)),
        sizes=tuple(
            db.execute(
                f"select {_SIZES}, count(*), sum(sites > 1) from"
                f" (select count(*) as n, count(distinct d.site) as sites {_CURRENT}"
                " and v.cluster is not null group by v.cluster) group by 1 order by min(n)"
            )
        ),
        masked=_masked(db),
        rejects=tuple(_of_documents(db, "x.reason, count(*)", "reject")),
        rules=tuple(_of_documents(db, "x.rule, sum(x.count), sum(x.chars)", "rule_hit")),
        changes=tuple(
            db.execute(
                "select change, why, count(*) from release_change where seq = ? group by 1, 2"
                " order by 1, 3 desc, 2",
                (seq,),
            )
        ),
        audit=audit.report(db),
    )


def _by(db: sqlite3.Connection, expression: str) -> tuple[Row, ...]:
    return tuple(
        db.execute(
            f"select {expression}, count(*), sum(v.excluded_why is null) {_CURRENT}"
            " group by 1 order by 2 desc, 1"
        )
    )


def _binned(lengths: list[tuple[int, int]]) -> list[Row]:
    """(bin, pieces, of these in the default set)."""
    names = [f"≤ {bound}" for bound in LENGTHS] + [f"> {LENGTHS[-1]}"]
    every: Counter[str] = Counter()
    default: Counter[str] = Counter()
    for length, in_default in lengths:
        name = next((n for n, bound in zip(names, LENGTHS, strict=False) if length <= bound), names[-1])
        every[name] += 1
        default[name] += in_default
    return [(name, every[name], default[name]) for name in names]


def _masked(db: sqlite3.Connection) -> tuple[tuple[str, int], ...]:
    """(kind of personal data, spans)."""
    masked: Counter[str] = Counter()
    for (kinds,) in db.execute(f"select v.masked {_CURRENT}"):
        masked.update(json.loads(kinds))
    return tuple(sorted(masked.items()))


def _of_documents(db: sqlite3.Connection, columns: str, table: str) -> sqlite3.Cursor:
    """Grouped rows of a table about states of documents, the most frequent first."""
    return db.execute(
        f"select {columns} from {table} x join document_version dv on dv.id = x.document_version"
        " where dv.removed_in is null group by 1 order by 2 desc, 1"
    )
