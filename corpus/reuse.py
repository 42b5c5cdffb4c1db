"""Text reuse: passages that several pieces share, across sites or within one, and who shares with whom.

In go the current pieces and their verified pairs, out come :class:`SharedPassage`, each stretch once however
many pieces hold it, or a matrix of sites. Passages (:mod:`fanwen.corpus.passages`) are computed anew for
every pair; they lie in a temporary database outside of the corpus, which goes with the :class:`Reuse`. The
corpus is only read, so a release can be asked too, and nothing says who copied from whom.

Two passages are one where they cover nearly the same stretch of one text, and so on from text to text: the
aligned pairs are grouped by the spans that they have in common, as passim does (Smith, Cordell, Mullen,
Computational Methods for Uncovering Reprinted Texts, 2015).

Memory does not grow with the corpus but for 8 bytes for each passage: 64 MiB for the temporary database and
36 MB for the texts used last. On disk about 200 bytes for each passage.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, product
from types import TracebackType

from fanwen.corpus.duplicates import text_of
from fanwen.corpus.marks import Progress
from fanwen.corpus.normalise import fold, place
from fanwen.corpus.passages import MIN_PASSAGE, Grams, align, grams
from fanwen.corpus.sightings import sightings_of
from fanwen.corpus.store import Store
from fanwen.corpus.types import Holder, SharedBySites, SharedPassage
from fanwen.errors import IncompleteError

SAME = 0.8  # of both spans together lies in both: they are the same passage
KEPT = 1_000_000  # folded code points of texts kept in memory, 36 bytes each
CACHE = 64 * 1024  # KiB of the temporary database kept in memory

_FULL = (
    "The disk is full where temporary files are kept; make room there, or name another folder"
    " in SQLITE_TMPDIR, and run the command again."
)
_Span = tuple[int, int, int]  # text, begin, end

_TABLES = (
    "create table text (id integer primary key, key text not null unique, length integer not null)",
    "create table holder (text integer not null, piece text not null, site text not null)",
    "create table span (passage integer not null, text integer not null, begin integer not null,"
    ' "end" integer not null)',
    "create table grouped (passage integer primary key, root integer not null)",
)
_INDEXES = (
    'create index span_text on span (text, begin, "end", passage)',
    "create index span_passage on span (passage)",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which passages are shown. ``within``: also those that only pieces of one site share.

    ``min_chars`` counts folded code points; ``site`` must be among the sites of a passage.
    """

    site: str | None = None
    min_chars: int = MIN_PASSAGE
    max_pieces: int | None = None
    within: bool = False


class Reuse:
    """The passages that the current pieces of a corpus share; close it, or use it in a ``with`` block."""

    def __init__(self, store: Store, wanted: Wanted, progress: Progress | None = None) -> None:
        self._store = store
        self._wanted = wanted
        self._progress: Progress = progress or (lambda _stage, _done, _total: None)
        self._db = sqlite3.connect("", isolation_level=None)  # a file of its own that nobody else sees
        try:
            self._collect()
        except BaseException as error:
            self._db.close()
            # the corpus is only read, so it is the other database that found no room
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise IncompleteError(_FULL) from error
            raise

    def __enter__(self) -> Reuse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def __len__(self) -> int:
        """How many passages are shared."""
        return int(self._db.execute("select count(*) from shared").fetchone()[0])

    def passages(self, limit: int = 0) -> Iterator[SharedPassage]:
        """Those on most sites first, then the longest; 0 for all."""
        rows = self._db.execute(
            "select root, sites, pieces, length from shared"
            " order by sites desc, length desc, pieces desc, root limit ?",
            (limit or -1,),
        )
        for root, sites, pieces, length in rows:
            holders = tuple(self._holders(root))
            first = holders[0]
            text = text_of(self._store, first.sighting.piece_id)[first.begin : first.end]
            yield SharedPassage(length, sites, pieces, text, holders)

    def matrix(self) -> list[SharedBySites]:
        """Every pair of sites that share a passage, both ways round."""
        return _matrix(self._db, within=self._wanted.within)

    def _holders(self, root: int) -> Iterator[Holder]:
        rows = self._db.execute(
            'select h.piece, m.begin, m."end" from member m join holder h on h.text = m.text where m.root = ?'
            ' order by m."end" - m.begin desc, h.piece',
            (root,),
        ).fetchall()
        sightings = sightings_of(self._store, [piece for piece, _, _ in rows])
        for piece, begin, end in rows:
            placed = place(text_of(self._store, piece))
            yield Holder(sightings[piece], int(placed.begins[begin]), int(placed.ends[end - 1]))

    # -- how it is made -----------------------------------------------------------------------

    def _collect(self) -> None:
        db = self._db
        db.execute(f"pragma cache_size = -{CACHE}")
        db.execute("pragma journal_mode = off")
        db.execute("begin")
        for statement in _TABLES:
            db.execute(statement)
        _write_texts(self._store, db)
        _write_spans(db, self._aligned())
        for statement in _INDEXES:
            db.execute(statement)
        db.executemany("insert into grouped (passage, root) values (?, ?)", _groups(db))
        _choose(db, self._wanted)
        db.execute("commit")

    def _aligned(self) -> Iterator[tuple[_Span, _Span]]:
        """Passages as two spans: what pairs share; a text that several pieces have shares all with itself."""
        yield from (
            ((text, 0, length), (text, 0, length))
            for text, length in self._db.execute(
                "select t.id, t.length from text t join holder h on h.text = t.id where t.length >= ?"
                " group by t.id having count(*) > 1 order by t.id",
                (self._wanted.min_chars,),
            ).fetchall()
        )
        texts = _Texts(self._store, self._db)
        for a, b in self._pairs():
            for one in align(texts[a], texts[b]):
                if min(one.a_end - one.a_begin, one.b_end - one.b_begin) >= self._wanted.min_chars:
                    yield (a, one.a_begin, one.a_end), (b, one.b_begin, one.b_end)

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Related texts of the current pieces."""
        total = self._store.value("select count(*) from relation where removed_in is null")
        rows = self._store.rows("select a, b from relation where removed_in is null order by a, b")
        for done, (key_a, key_b) in enumerate(rows, start=1):
            self._progress("aligning", done, total)
            a, b = self._number(key_a), self._number(key_b)
            if a is not None and b is not None:
                yield a, b

    def _number(self, key: str) -> int | None:
        row = self._db.execute("select id from text where key = ?", (key,)).fetchone()
        return None if row is None else int(row[0])


class _Texts:
    """Folded texts with their grams, by number; those used last are kept, as many as fit."""

    def __init__(self, store: Store, db: sqlite3.Connection) -> None:
        self._store = store
        self._db = db
        self._kept: OrderedDict[int, Grams] = OrderedDict()
        self._size = 0

    def __getitem__(self, text: int) -> Grams:
        if text not in self._kept:
            piece = self._db.execute("select piece from holder where text = ?", (text,)).fetchone()[0]
            self._kept[text] = grams(fold([text_of(self._store, piece)]).one(0))
            self._size += len(self._kept[text].codes)
        self._kept.move_to_end(text)
        while self._size > KEPT and len(self._kept) > 1:
            self._size -= len(self._kept.popitem(last=False)[1].codes)
        return self._kept[text]


def _write_texts(store: Store, db: sqlite3.Connection) -> None:
    rows = store.rows(
        "select f.key, f.length, v.piece, d.site from piece_version v join fingerprint f on f.text = v.text"
        " join text t on t.sha256 = v.text join piece p on p.id = v.piece"
        " join document d on d.id = p.document"
        " where v.removed_in is null and t.body is not null order by f.key, v.piece"
    )
    for number, ((key, length), group) in enumerate(groupby(rows, key=lambda row: row[:2])):
        db.execute("insert into text values (?, ?, ?)", (number, key, length))
        db.executemany("insert into holder values (?, ?, ?)", [(number, row[2], row[3]) for row in group])
    db.execute("create index holder_text on holder (text, site)")


def _write_spans(db: sqlite3.Connection, aligned: Iterable[tuple[_Span, _Span]]) -> None:
    for passage, spans in enumerate(aligned):
        db.executemany("insert into span values (?, ?, ?, ?)", [(passage, *span) for span in spans])


def _groups(db: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Every passage, with the first passage of those that are the same."""
    count = db.execute("select coalesce(max(passage) + 1, 0) from span").fetchone()[0]
    root = array("q", range(count))

    def find(passage: int) -> int:
        while root[passage] != passage:
            root[passage] = root[root[passage]]
            passage = root[passage]
        return passage

    spans = db.execute('select text, begin, "end", passage from span order by text, begin, "end", passage')
    for _, group in groupby(spans, key=lambda row: row[0]):
        for one, other in _same(group):
            first, second = sorted((find(one), find(other)))
            root[second] = first
    return ((passage, find(passage)) for passage in range(count))


def _same(spans: Iterable[tuple[int, int, int, int]]) -> Iterator[tuple[int, int]]:
    """Pairs of passages that cover nearly the same stretch of one text; spans are sorted by their begin.

    Each span is compared with the first of every group only, so that groups do not wander.
    """
    open_groups: list[tuple[int, int, int]] = []
    for _, begin, end, passage in spans:
        open_groups = [group for group in open_groups if group[1] > begin]
        best = max(open_groups, key=lambda group: (_shared(group, begin, end), -group[2]), default=None)
        if best is not None and _shared(best, begin, end) >= SAME:
            yield best[2], passage
        else:
            open_groups.append((begin, end, passage))


def _shared(group: tuple[int, int, int], begin: int, end: int) -> float:
    both = min(group[1], end) - max(group[0], begin)
    return both / (max(group[1], end) - min(group[0], begin))


def _choose(db: sqlite3.Connection, wanted: Wanted) -> None:
    """``member``: the longest span of each passage in each text; ``shared``: the passages that are wanted."""
    db.execute(
        "create table member as select g.root as root, s.text as text, s.begin as begin,"
        ' max(s."end" - s.begin) + s.begin as "end" from grouped g join span s on s.passage = g.passage'
        " group by g.root, s.text"
    )
    db.execute("create index member_root on member (root)")
    db.execute(
        "create table shared as select m.root as root, count(*) as pieces, count(distinct h.site) as sites,"
        ' max(m."end" - m.begin) as length from member m join holder h on h.text = m.text group by m.root'
        " having count(*) > 1 and sites >= ? and (? is null or pieces <= ?)"
        " and (? is null or max(h.site = ?))",
        (1 if wanted.within else 2, wanted.max_pieces, wanted.max_pieces, wanted.site, wanted.site),
    )
    db.execute("create unique index shared_root on shared (root)")


# -- the matrix -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Cell:
    pieces: int = 0
    chars: int = 0
    pairs: int = 0


_Cells = defaultdict[tuple[str, str], _Cell]

# spans of wanted passages and the texts at their other end; the joins go by passage, so what is read together
# lies together
_SHARED_WITH = """
select x.text, y.text, x.begin, x."end"
from grouped g cross join shared on shared.root = g.root
cross join span x on x.passage = g.passage cross join span y on y.passage = g.passage
where y.rowid <> x.rowid order by x.text
"""


def _matrix(db: sqlite3.Connection, *, within: bool) -> list[SharedBySites]:
    cells: _Cells = defaultdict(_Cell)
    for text, group in groupby(db.execute(_SHARED_WITH), key=lambda row: row[0]):
        _count(db, text, [row[1:] for row in group], cells)
    return [
        # within one site each pair was met from both sides
        SharedBySites(site, other, cell.pieces, cell.chars, cell.pairs // (1 + (site == other)))
        for (site, other), cell in sorted(cells.items())
        if cell.pieces and (within or site != other)
    ]


def _count(db: sqlite3.Connection, text: int, shared: Sequence[_Span], cells: _Cells) -> None:
    """Add what one text shares: ``shared`` has the other text, and the span in this one."""
    mine = _sites(db, text)
    spans: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    pairs: dict[tuple[str, str], int] = defaultdict(int)
    for other, group in groupby(sorted(shared), key=lambda span: span[0]):
        here = [(begin, end) for _, begin, end in group]
        for (site, pieces), (site_other, others) in product(mine.items(), _sites(db, other).items()):
            # a piece shares nothing with itself
            others -= other == text and site == site_other
            if others:
                spans[site, site_other] += here
                pairs[site, site_other] += pieces * others
    for (site, site_other), found in spans.items():
        cell = cells[site, site_other]
        cell.pieces += mine[site]
        cell.chars += mine[site] * _covered(sorted(found))
        cell.pairs += pairs[site, site_other]


def _sites(db: sqlite3.Connection, text: int) -> dict[str, int]:
    """The sites that have a text, and how many pieces each."""
    with closing(
        db.execute("select site, count(*) from holder where text = ? group by site order by site", (text,))
    ) as rows:
        return dict(rows.fetchall())


def _covered(spans: Sequence[tuple[int, int]]) -> int:
    """Characters in any of these spans, which are sorted by their begin."""
    total = reached = 0
    for begin, end in spans:
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total
