"""Takes the texts of states of pieces out of a database: leaf and hashes stay, no words do.

In go the numbers of states, out come the stretches that their texts had; with these, whatever else in the
database repeats them is cut. Works on corpus.db and on the copy that a release is made from, within the
caller's transaction. What stands in a kept piece too is no stretch of what is withdrawn.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator

from fanwen.corpus.store import Store, to_json
from fanwen.corpus.stretches import LENGTH, Stretches, stretches_of

_AT_ONCE = 10_000  # strings
# what a document says beside its pieces may repeat them
_STRINGS = (
    ("rule_hit", "example"),
    ("reject", "detail"),
    ("document", "name"),
    ("document_version", "title"),
    ("document_version", "claimed_published"),
    ("document_version", "claimed_author"),
    ("document_version", "claimed_source"),
    ("document_version", "claimed_rights"),
    ("document_version", "claimed_category"),
    ("document_version", "claims"),
    ("piece_version", "title"),
    ("piece_version", "published_title"),
)


def blank(db: sqlite3.Connection, states: Iterable[int], texts: Iterable[str], case: str) -> Stretches:
    """Take the text of these states, and ``texts``, out of a database; the stretches that they had.

    Runs within the caller's transaction. Kept states of other pieces that have such a text as their original
    keep what they show.
    """
    numbers = as_list(states)
    rows = db.execute(
        "select v.text, v.text_original, v.published from json_each(?) one"
        " join piece_version v on v.id = one.value",
        (numbers,),
    ).fetchall()
    hashes = as_list({text for row in rows for text in row if text is not None} | set(texts))
    gone = stretches_of(
        body
        for (body,) in db.execute(
            "select t.body from json_each(?) one join text t on t.sha256 = one.value"
            " where t.body is not null",
            (hashes,),
        )
    )
    db.execute(
        "update piece_version set withdrawn = ?, edits = '[]', placeholders = '[]', privacy = '[]',"
        " title_privacy = '[]', genre_evidence = null where id in (select value from json_each(?))",
        (case, numbers),
    )
    kept = "withdrawn is null and {} in (select value from json_each(?))"
    db.execute(
        f"update piece_version set text_original = text, edits = '[]' where {kept.format('text_original')}",
        (hashes,),
    )
    db.execute(
        "update text set body = null where sha256 in (select value from json_each(?))"
        " and sha256 not in (select text from piece_version where withdrawn is null)"
        " and sha256 not in (select published from piece_version where withdrawn is null"
        "  and published is not null)",
        (hashes,),
    )
    db.execute("delete from fingerprint where text in (select sha256 from text where body is null)")
    for side in ("a", "b"):
        db.execute(f"delete from relation where {side} not in (select key from fingerprint)")
    return gone


def withhold(db: sqlite3.Connection) -> None:
    """In the copy that a release is made from: take out the texts of what is on hold."""
    held: dict[str, list[int]] = {}
    for case, state in db.execute(
        "select t.case_id, v.id from tombstone t join piece_version v on v.piece = t.piece"
        " and (v.text = t.text or v.published = t.text)"
        " where t.kind = 'hold' and t.lifted_in is null group by v.id order by v.id"
    ).fetchall():
        held.setdefault(case, []).append(state)
    for case, states in held.items():
        cut_strings(db, not_kept(db, blank(db, states, (), case)))


def order(store: Store, case: str, gone: Stretches, bodies: Iterable[str], *, whole: bool) -> None:
    """Note what :mod:`fanwen.corpus.erase` has to erase besides; ``whole``: it may be anywhere."""
    store.rows(
        "insert into erasure (case_id, whole, stretches, bodies) values (?, ?, ?, ?)",
        case,
        int(whole),
        gone.to_blob(),
        to_json(sorted(set(bodies))),
    )


def not_kept(db: sqlite3.Connection, gone: Stretches) -> Stretches:
    """Those stretches that stand in no text or title of a kept piece."""
    bodies = (row[0] for row in db.execute("select body from text where body is not null"))
    titles = (
        row[0]
        for row in db.execute(
            "select distinct title from piece_version where withdrawn is null and title is not null"
        )
    )
    return gone.without(bodies).without(titles)


def cut_strings(db: sqlite3.Connection, gone: Stretches) -> None:
    """Cut the stretches out of whatever else repeats a page, within the caller's transaction."""
    for table, column in _STRINGS:
        for row, string in holding(db, table, column, gone):
            new = _without_claims(string, gone) if column == "claims" else gone.cut(string)
            db.execute(f"update {table} set {column} = ? where rowid = ?", (new, row))


def holding(db: sqlite3.Connection, table: str, column: str, gone: Stretches) -> Iterator[tuple[int, str]]:
    if not gone:
        return
    rows = db.execute(f"select rowid, {column} from {table} where length({column}) >= {LENGTH}").fetchall()
    for at in range(0, len(rows), _AT_ONCE):
        batch = rows[at : at + _AT_ONCE]
        for i in gone.holders([string for _, string in batch]):
            yield batch[i]


def _without_claims(claims: str, gone: Stretches) -> str:
    return to_json([claim for claim in json.loads(claims) if not gone.holds(claim["line"])])


def as_list(values: Iterable[object]) -> str:
    """A JSON list for json_each, sorted."""
    return json.dumps(sorted(values, key=str))
