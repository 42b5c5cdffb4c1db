"""Finds pieces by exact substring, one character or many, in the current state or as of a release.

FTS5 cannot find two-character Chinese words by itself, so the index holds overlapping pairs of
characters made here, and every hit is verified with instr(): the answer is always what a scan of
all texts gives. The index is a cache in corpus.db; texts it does not hold yet are scanned.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

from fanwen.corpus.store import Store, reading
from fanwen.corpus.types import Found, SearchResult
from fanwen.errors import UsageError

TABLE = "create virtual table search_grams using fts5(grams, content='', detail=none, tokenize='ascii')"
BATCH = 1000
CONTEXT = 40  # characters of a snippet on each side
MAX_GRAMS = 32  # more pairs do not narrow the candidates any further

Progress = Callable[[str, int, int], None]


def search(
    corpus_path: Path,
    query: str,
    *,
    titles: bool = False,
    default_only: bool = False,
    as_of: int | None = None,
    limit: int = 0,
) -> SearchResult:
    """Pieces whose text (with ``titles`` also title) holds ``query``, ordered by URL and number.

    ``as_of`` is the seq of a release; ``limit`` 0 gives all. Raises :class:`UsageError` for an
    empty query.
    """
    with reading(corpus_path) as store:
        return find(store, query, titles=titles, default_only=default_only, as_of=as_of, limit=limit)


def find(
    store: Store,
    query: str,
    *,
    titles: bool = False,
    default_only: bool = False,
    as_of: int | None = None,
    limit: int = 0,
) -> SearchResult:
    """The same on an open store."""
    rows = _holders(store, query, titles, default_only, as_of)
    wanted = rows[:limit] if limit else rows
    return SearchResult(query, len(rows), tuple(_found(store, row, query) for row in wanted))


def matching_pieces(corpus_path: Path, query: str) -> list[str]:
    """Ids of the current pieces whose text or title holds ``query``."""
    with reading(corpus_path) as store:
        return [row[0] for row in _holders(store, query, titles=True, default_only=False, as_of=None)]


def _holders(
    store: Store, query: str, titles: bool, default_only: bool, as_of: int | None
) -> list[tuple[str, str | None, str, str, str, str]]:
    if not query or not _is_unicode(query):
        raise UsageError("The query is empty or no text; give a word or phrase to look for.")
    title_too = "or instr(v.title, :query) > 0" if titles else ""
    return store.conn.execute(
        _QUERY.format(title_too=title_too),
        {
            "grams": _match(query),
            "query": query,
            "seq": store.pending if as_of is None else as_of,
            "all": not default_only,
        },
    ).fetchall()


_QUERY = """
with hit(text) as (
  select s.text from search_grams g join search_text s on s.id = g.rowid where search_grams match :grams
  union select t.sha256 from text t left join search_text s on s.text = t.sha256 where s.id is null
)
select v.piece, v.title, v.genre, d.site, d.url, v.text
from piece_version v join text t on t.sha256 = v.text
join piece p on p.id = v.piece join document d on d.id = p.document
where v.added_in <= :seq and (v.removed_in is null or v.removed_in > :seq)
  and ((v.text in (select text from hit) and instr(t.body, :query) > 0) {title_too})
  and (:all or v.excluded_why is null)
order by d.url, p.n, v.piece
"""


def _found(store: Store, row: tuple[str, str | None, str, str, str, str], query: str) -> Found:
    piece, title, genre, site, url, text = row
    body = store.value("select body from text where sha256 = ?", text) or ""
    return Found(piece, title, genre, site, url, _snippet(body, query))


def matching_texts(store: Store, query: str) -> set[str]:
    """Hashes of the texts that the index itself offers for ``query``."""
    rows = store.rows(
        "select s.text from search_grams g join search_text s on s.id = g.rowid where search_grams match ?",
        _match(query),
    )
    return {row[0] for row in rows}


def update(store: Store, progress: Progress | None = None) -> int:
    """Index texts of pieces that the index does not hold yet; how many there were."""
    todo = store.rows(
        "select distinct v.text from piece_version v join text t on t.sha256 = v.text"
        " left join search_text s on s.text = v.text"
        " where s.id is null and t.body is not null order by v.text"
    ).fetchall()
    for at in range(0, len(todo), BATCH):
        with store.atomic():
            for (sha256,) in todo[at : at + BATCH]:
                number = store.rows("insert into search_text (text) values (?)", sha256).lastrowid
                body = store.value("select body from text where sha256 = ?", sha256)
                store.rows("insert into search_grams (rowid, grams) values (?, ?)", number, grams(body))
        if progress:
            progress("search index", min(at + BATCH, len(todo)), len(todo))
    return len(todo)


def forget(store: Store, sha256: str) -> None:
    """Take one text, which is still in the text table, out of the index."""
    number = store.value("select id from search_text where text = ?", sha256)
    if number is None:
        return
    body = store.value("select body from text where sha256 = ?", sha256)
    store.rows(
        "insert into search_grams (search_grams, rowid, grams) values ('delete', ?, ?)", number, grams(body)
    )
    store.rows("delete from search_text where id = ?", number)


def clear(store: Store) -> None:
    """Empty the index; :func:`update` makes it again."""
    with store.atomic():
        store.rows("insert into search_grams (search_grams) values ('delete-all')")
        store.rows("delete from search_text")


def grams(text: str) -> str:
    """Every pair of neighbouring characters as one ASCII token, and the last character alone."""
    codes = [_code(char) for char in text]
    pairs = {a + b for a, b in zip(codes, [*codes[1:], ""], strict=True)}
    return " ".join(sorted(pairs))


def _match(query: str) -> str:
    """FTS5 expression that every text with ``query`` meets."""
    codes = [_code(char) for char in query]
    if len(codes) == 1:
        return f"{codes[0]}*"
    return " ".join(sorted({a + b for a, b in pairwise(codes)})[:MAX_GRAMS])


@cache
def _code(char: str) -> str:
    # z ends every character, so that one is never the beginning of another
    return f"{ord(char):x}z"


def _snippet(body: str, query: str) -> str:
    at = body.find(query)
    begin, end = max(0, at - CONTEXT), max(0, at) + len(query) + CONTEXT
    text = body[begin:end].replace("\n", " ")
    return ("…" if begin else "") + text + ("…" if end < len(body) else "")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
