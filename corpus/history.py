"""The history of a piece: every state that a release held, and the one to be released next.

In goes corpus.db and the id of a piece, or a URL, which stands for all pieces of its document; out come the
states in order with what each one differs in from the one before. Nothing is changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from fanwen.corpus.differences import as_lines, differences
from fanwen.corpus.store import Store
from fanwen.corpus.versions import PUBLISHED, PUBLISHED_TITLE
from fanwen.errors import UsageError
from fanwen.spiders.urls import canonical_url


@dataclass(frozen=True, slots=True)
class StateLog:
    """One state of a piece. Releases are versions: ``first`` is None before the state is released, ``last``
    while it holds. ``why`` is new, returned, or why the state before it was closed; ``ended`` why this was.

    ``differs`` names what is not as in the state before; ``bodies`` are sha256 of its pages as they came.
    ``text`` is None where it was taken down.
    """

    first: str | None
    last: str | None
    date: str | None
    why: str
    ended: str | None
    differs: tuple[str, ...]
    title: str | None
    text_sha256: str
    text: str | None
    n_chars: int
    flags: tuple[str, ...]
    genre: str
    cluster: str | None
    is_canonical: bool
    excluded_why: str | None
    fetched_at: str
    bodies: tuple[str, ...]
    extractor: str | None
    ruleset: str | None
    leaf: str


@dataclass(frozen=True, slots=True)
class Removal:
    """A tombstone of a piece: hold or purge, of which case, since which release and until which."""

    kind: str
    case_id: str
    since: str | None
    lifted: str | None


@dataclass(frozen=True, slots=True)
class PieceLog:
    """One piece with all its states, the oldest first. ``current``: it will be in the next release."""

    piece_id: str
    url: str
    site: str
    n: int
    first_seen: str
    current: bool
    removals: tuple[Removal, ...]
    states: tuple[StateLog, ...]


def history(store: Store, what: str) -> list[PieceLog]:
    """The pieces that ``what``, an id or a URL, stands for. Raises UsageError where there is none."""
    found = [
        PieceLog(
            piece,
            url,
            site,
            n,
            first_seen,
            bool(store.value("select 1 from piece_version where piece = ? and removed_in is null", piece)),
            _removals(store, piece),
            tuple(_states(store, piece)),
        )
        for piece, url, site, n, first_seen in _pieces(store, what)
    ]
    if not found:
        raise UsageError(
            f"There is no piece {what} in {store.path}; give the id of a piece or the URL of its page."
        )
    return found


def changes(before: StateLog, after: StateLog, *, colour: bool = False) -> list[str] | None:
    """What changed in the text between two states, a line for each place; None where one was taken down."""
    if before.text is None or after.text is None:
        return None
    return list(as_lines(differences(before.text, after.text, exact=True), colour=colour))


def _pieces(store: Store, what: str) -> list[tuple[str, str, str, int, str]]:
    columns = (
        "select p.id, d.url, d.site, p.n, d.first_seen from piece p join document d on d.id = p.document"
    )
    by_id = store.rows(f"{columns} where p.id = ?", what).fetchall()
    if by_id:
        return by_id
    urls = {what}
    with suppress(ValueError):
        urls.add(canonical_url(what))
    return store.rows(
        f"{columns} where d.url in (select value from json_each(?1)) or d.id in (select w.document"
        " from document_version w, json_each(w.bodies) part"
        " where json_extract(part.value, '$.url') in (select value from json_each(?1))) order by d.url, p.n",
        json.dumps(sorted(urls)),
    ).fetchall()


class _Row(NamedTuple):
    """A row of piece_version with what hangs on it; ``bodies`` and ``flags`` are JSON."""

    added_in: int
    removed_in: int | None
    removed_why: str | None
    title: str | None
    text: str
    body: str | None
    n_chars: int
    flags: str
    genre: str
    script: str
    cluster: str | None
    is_canonical: int
    excluded_why: str | None
    fetched_at: str
    bodies: str
    extractor: str | None
    ruleset: str | None
    leaf: str
    published: str
    published_title: str | None


_STATES = (
    "select v.added_in, v.removed_in, v.removed_why, v.title, v.text, t.body, v.n_chars, v.flags, v.genre,"
    " v.script, v.cluster, v.is_canonical, v.excluded_why, w.fetched_at, w.bodies, w.extractor, w.ruleset,"
    f" v.leaf, {PUBLISHED}, {PUBLISHED_TITLE} from piece_version v join text t on t.sha256 = v.text"
    " join document_version w on w.id = v.document_version where v.piece = ? order by v.added_in"
)
_COMPARED = {
    "text": "text",
    "title": "title",
    "flags": "flags",
    "genre": "genre",
    "script": "script",
    "cluster": "cluster",
    "is_canonical": "canonical",
    "excluded_why": "default set",
    "published": "masking",
    "published_title": "masking",
    "extractor": "extractor",
    "ruleset": "rules",
}


def _states(store: Store, piece: str) -> Iterator[StateLog]:
    versions: dict[int, str] = dict(store.rows("select seq, version from release").fetchall())
    dates: dict[int, str] = dict(store.rows("select seq, date from release").fetchall())
    before: _Row | None = None
    for row in map(_Row._make, store.rows(_STATES, piece).fetchall()):
        yield StateLog(
            first=versions.get(row.added_in),
            last=None if row.removed_in is None else versions.get(row.removed_in - 1),
            date=dates.get(row.added_in),
            why=_why(before, row),
            ended=row.removed_why,
            differs=() if before is None else _differing(before, row),
            title=row.title,
            text_sha256=row.text,
            text=row.body,
            n_chars=row.n_chars,
            flags=tuple(json.loads(row.flags)),
            genre=row.genre,
            cluster=row.cluster,
            is_canonical=bool(row.is_canonical),
            excluded_why=row.excluded_why,
            fetched_at=row.fetched_at,
            bodies=_bodies(row),
            extractor=row.extractor,
            ruleset=row.ruleset,
            leaf=row.leaf,
        )
        before = row


def _why(before: _Row | None, row: _Row) -> str:
    if before is None:
        return "new"
    return str(before.removed_why) if before.removed_in == row.added_in else "returned"


def _differing(before: _Row, after: _Row) -> tuple[str, ...]:
    found = [shown for name, shown in _COMPARED.items() if getattr(before, name) != getattr(after, name)]
    found += ["page"] if _bodies(before) != _bodies(after) else []
    # that another text has other masks is no news
    return tuple(dict.fromkeys(one for one in found if one != "masking" or not {"text", "title"} & {*found}))


def _bodies(row: _Row) -> tuple[str, ...]:
    return tuple(part["body"] for part in json.loads(row.bodies))


def _removals(store: Store, piece: str) -> tuple[Removal, ...]:
    rows = store.rows(
        "select t.kind, t.case_id, a.version, t.lifted_in, l.version from tombstone t"
        " left join release a on a.seq = t.added_in left join release l on l.seq = t.lifted_in"
        " where t.piece = ? order by t.id",
        piece,
    )
    return tuple(
        Removal(kind, case, since, None if lifted is None else lifted_version or "next")
        for kind, case, since, lifted, lifted_version in rows
    )
