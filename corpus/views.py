"""One state of a corpus under the names of its tables, so that every query on tables reads that state.

In goes a connection that only reads, on which temporary views hide the tables; the file is not touched.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from fanwen.corpus import masking
from fanwen.corpus.store import RELEASE, Store
from fanwen.corpus.versions import PUBLISHED, PUBLISHED_TITLE
from fanwen.errors import UsageError

_CLAIMS = ("published", "author", "source", "rights", "category")
# what repeats the page word for word is masked in a release only
_MASKED: Mapping[str, Mapping[str, str]] = {
    "piece_version": {"text": PUBLISHED, "title": PUBLISHED_TITLE},
    "document_version": {f"claimed_{kind}": "null" for kind in _CLAIMS},
}


def show_as_of(db: sqlite3.Connection, seq: int) -> None:
    """Let what held in release ``seq`` be what holds."""
    held = f"added_in <= {seq:d} and (removed_in is null or removed_in > {seq:d})"
    for table in ("piece_version", "document_version", "relation", "split"):
        _hide(db, table, {"removed_in": f"iif({held}, null, 0)"})


def show_masked(store: Store) -> None:
    """Let pieces have the title and text that a release shows, and no claims; a release stays as it is.

    Raises :class:`UsageError` where a build has not masked every piece yet.
    """
    if store.setting(RELEASE) is not None:
        return
    if not masking.settled(store):
        raise UsageError(f"Not every piece of {store.path} is masked yet; run 'fanwen build' first.")
    for table, columns in _MASKED.items():
        _hide(store.conn, table, columns)


def _hide(db: sqlite3.Connection, table: str, columns: Mapping[str, str]) -> None:
    names = [name for (name,) in db.execute("select name from pragma_table_info(?)", (table,))]
    shown = ", ".join(f"{columns[name]} as {name}" if name in columns else f"v.{name}" for name in names)
    db.execute(f"create temp view {table} as select {shown} from main.{table} v")
