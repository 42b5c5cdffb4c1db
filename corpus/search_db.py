"""Writes search.db of a release: what the release's own site reads, a few pages of it at a time.

In goes the masked copy of a release, out comes one SQLite file that any SQLite with FTS5 reads. It is laid
out for readers that fetch ranges of it over HTTP: what belongs together lies together, a filtered search is
one MATCH without a scan, and a piece is one page. The same rows give the same bytes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from fanwen.corpus.canonical import same_header
from fanwen.corpus.publishing import SiteText
from fanwen.corpus.search import grams
from fanwen.corpus.tables import RELATIONS

SEARCH_DB = "search.db"
FORMAT = "1"
# a facet's word is a letter that no code of a character begins with, and its rank
FACETS = {"genre": "g", "site": "s", "year": "y"}


def write(db: sqlite3.Connection, path: Path, *, text: SiteText) -> None:
    """Write the search database of the release in ``db`` to ``path``; with ``text`` none it holds no text,
    and finds titles only."""
    target = sqlite3.connect(path, isolation_level=None)
    try:
        target.executescript((files("fanwen.corpus") / "data/search.sql").read_text(encoding="utf-8"))
        target.execute("begin")
        words = _facets(db, target)
        numbers = _pieces(db, target, words, text)
        target.executemany("insert into relation values (?, ?, ?, ?, ?)", _relations(db, numbers))
        target.executemany("insert into history values (?, ?, ?, ?, ?, ?)", db.execute(_HISTORY))
        default = db.execute(f"select count(*) {_CURRENT} and {_DEFAULT}").fetchone()[0]
        version, date = db.execute("select version, date from release order by seq desc limit 1").fetchone()
        meta = {
            "format": FORMAT, "version": version, "date": date, "site_text": text,
            "pieces": str(len(numbers)), "pieces_default": str(default),
        }  # fmt: skip
        target.executemany("insert into meta values (?, ?)", meta.items())
        target.execute("insert into grams (grams) values ('optimize')")
        target.execute("commit")
        target.execute("vacuum")
    finally:
        target.close()
    same_header(path)


def facets(db: sqlite3.Connection) -> Iterator[tuple[str, str, str, int]]:
    """Of genre, site and year: kind, value ("" where there is none), word in the index, pieces."""
    for kind, letter in FACETS.items():
        counted = db.execute(
            f"select coalesce({_COLUMNS[kind]}, ''), count(*) {_CURRENT} group by 1 order by 2 desc, 1"
        )
        for rank, (value, pieces) in enumerate(counted):
            yield kind, value, f"{letter}{rank}", pieces


def _facets(db: sqlite3.Connection, target: sqlite3.Connection) -> dict[tuple[str, str], str]:
    rows = list(facets(db))
    target.executemany("insert into facet values (?, ?, ?, ?)", rows)
    return {(kind, value): word for kind, value, word, _ in rows}


def _pieces(
    db: sqlite3.Connection, target: sqlite3.Connection, words: dict[tuple[str, str], str], text: SiteText
) -> dict[str, int]:
    """Write pieces with their grams; their numbers by id."""
    numbers: dict[str, int] = {}
    cursor = db.execute(_PIECES)
    names = [column[0] for column in cursor.description]
    for n, values in enumerate(cursor, start=1):
        row = dict(zip(names, values, strict=True))
        numbers[row["id"]] = n
        body = None if text == "none" else row["body"]
        target.execute(
            f"insert into piece values (?, {', '.join('?' * len(names))})",
            (n, *{**row, "flags": " ".join(json.loads(row["flags"])), "body": body}.values()),
        )
        target.execute(
            "insert into grams (rowid, words) values (?, ?)",
            (n, " ".join(_tokens(row["title"], body, *(words[k, row[k] or ""] for k in FACETS)))),
        )
    return numbers


def _tokens(title: str | None, body: str | None, *words: str) -> Iterator[str]:
    yield from words
    if body:
        yield grams(body)
    if title:  # told from those of a text by a letter that no code begins with
        yield from (f"t{gram}" for gram in grams(title).split())


def _relations(db: sqlite3.Connection, numbers: dict[str, int]) -> Iterator[tuple[object, ...]]:
    """Every relation from both sides, so that those of one piece lie together."""
    for a, b, relation, _, in_a, in_b, _ in db.execute(RELATIONS):
        yield numbers[a], numbers[b], relation, in_a, in_b
        yield numbers[b], numbers[a], relation, in_b, in_a


_CURRENT = """
from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document
join document_version dv on dv.id = v.document_version join text t on t.sha256 = v.text
left join split s on s.piece = v.piece and s.removed_in is null where v.removed_in is null
"""
_DEFAULT = "v.excluded_why is null and t.body is not null"
_COLUMNS = {"genre": "v.genre", "site": "d.site", "year": "v.year"}

# the default set first and the newest first: what is looked at first lies together
_PIECES = f"""
select v.piece as id, v.title, v.genre, d.site, v.year, v.level, d.url, v.place, d.first_seen, dv.fetched_at,
  dv.claimed_published, dv.rights_basis, v.cluster, v.is_canonical, v.n_chars, v.flags, v.excluded_why,
  coalesce(s.split, 'train') as split, v.withdrawn, t.body
{_CURRENT} order by not ({_DEFAULT}), v.year is null, v.year desc, v.piece
"""
_HISTORY = """
select c.piece, c.seq, c.version, r.date, c.change, c.why from release_change c
join release r on r.seq = c.seq order by c.piece, c.seq
"""
