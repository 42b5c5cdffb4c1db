"""The tables of corpus.db: migrations, and a description for every column.

The descriptions are data (``data/columns.toml``), in English and Chinese, so that the data dictionary and
Datasette say the same. A migration never changes once released.

``SCHEMA_VERSION`` is SemVer, and so is the version of the published tables (``data/release.toml``): the rule
stands in ``docs/data_format.toml``, and tests hold what a test can.

Numbers of releases (``seq``): 1, 2, …; rows that change over time carry ``added_in`` and
``removed_in``. Work goes into the *pending* seq, last release + 1. A row belongs to release r
when ``added_in <= r and (removed_in is null or removed_in > r)``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from sqlite_utils import Database, Migrations

SCHEMA_VERSION = "1.6.0"
APPLICATION_ID = 0x46616E57  # "FanW", in the header of the file

Language = Literal["en", "zh"]

migrations = Migrations("fanwen.corpus")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what SQLite calls its type, what it means, which schema version announced its end."""

    name: str
    type: str
    description: str
    deprecated: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view, with its columns in order."""

    name: str
    kind: str  # table or view
    description: str
    columns: tuple[Column, ...]


def describe(language: Language = "en") -> tuple[Table, ...]:
    """The data dictionary of an empty corpus; ``description`` is "" where one is missing.

    The search index and SQLite's own tables are left out: they are caches and bookkeeping.
    """
    db = Database(memory=True)
    try:
        migrations.apply(db)
        rows = db.execute(
            "select name, type from sqlite_master where type in ('table', 'view')"
            " and name not like 'sqlite_%' and name not like '\\_sqlite%' escape '\\'"
            " and name not like 'search\\_%' escape '\\' order by type, rowid"
        ).fetchall()
        return tuple(_describe(db, name, kind, language) for name, kind in rows)
    finally:
        db.close()


def _describe(db: Database, name: str, kind: str, language: Language) -> Table:
    columns = db.execute(f"select name, type from pragma_table_info('{name}')").fetchall()
    about: str = _descriptions().get(name, {}).get("about", {}).get(language, "")
    return Table(
        name, kind, about, tuple(_column(name, column, type_, language) for column, type_ in columns)
    )


def _column(table: str, name: str, type_: str, language: Language) -> Column:
    """A view repeats columns of its tables; their description holds there too."""
    own = _descriptions().get(table, {})
    places = (own, *(_descriptions().get(other, {}) for other in own.get("of", "").split()))
    what: dict[str, str] = next((place[name] for place in places if name in place), {})
    return Column(name, type_, what.get(language, ""), what.get("deprecated"))


@cache
def _descriptions() -> dict[str, dict[str, Any]]:
    text = (files("fanwen.corpus") / "data/columns.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@migrations()
def m001_first(db: Database) -> None:
    db.conn.execute(f"pragma application_id = {APPLICATION_ID}")
    _run(db, _FIRST)


@migrations()
def m002_masking(db: Database) -> None:
    """What a release shows of a piece, and what its page claims, verbatim; the next build fills both in."""
    _run(db, _MASKING)


@migrations()
def m003_settling(db: Database) -> None:
    """What is to be settled is known by name, so that not all is settled for every change."""
    _run(db, _SETTLING)


@migrations()
def m004_takedown(db: Database) -> None:
    """Takedown as a case: what was withdrawn, what is still to be erased, and a journal."""
    _run(db, _TAKEDOWN)


@migrations()
def m005_released(db: Database) -> None:
    """What each release held, and which of its pieces had been there before; new texts are found at once."""
    _run(db, _RELEASED)


@migrations()
def m006_split(db: Database) -> None:
    """In which split of a release each piece is."""
    _run(db, _SPLIT)


@migrations()
def m007_audit(db: Database) -> None:
    """What people found in samples."""
    _run(db, _AUDIT)


def _run(db: Database, script: str) -> None:
    """Statement by statement: executescript would end the transaction around all migrations."""
    for statement in script.split(";\n"):
        if statement.strip():
            db.conn.execute(statement)


_AUDIT = """
create table audit (
  piece text not null,
  text text not null,
  annotator text not null,
  errors text not null,
  strata text not null,
  seed text not null,
  primary key (piece, text, annotator)
) without rowid
"""

_SPLIT = """
create table split (
  piece text not null,
  split text not null check (split in ('train', 'validation', 'test')),
  added_in integer not null,
  removed_in integer
);
create unique index split_open on split (piece) where removed_in is null
"""

_RELEASED = """
drop index fingerprint_key;
create index fingerprint_key on fingerprint (key, compared);
create index fingerprint_new on fingerprint (key) where compared = 0;
create view piece_released as
  select r.seq, r.version, v.piece,
    case when v.published is null then v.title else v.published_title end as title,
    t.body, d.url, d.site, v.genre, v.flags, v.cluster, v.is_canonical, v.excluded_why,
    v.leaf
  from release r
  join piece_version v on v.added_in <= r.seq and (v.removed_in is null or v.removed_in > r.seq)
  join piece p on p.id = v.piece join document d on d.id = p.document
  left join text t on t.sha256 = coalesce(v.published, v.text);
drop view release_change;
create view release_change as
  select r.seq, r.version, n.piece, 'ADD' as change,
    case when exists (select 1 from piece_version e where e.piece = n.piece and e.removed_in < r.seq)
      then 'returned' else 'new' end as why, null as leaf_before, n.leaf as leaf_after
  from release r join piece_version n on n.added_in = r.seq
  where not exists (select 1 from piece_version o where o.piece = n.piece and o.removed_in = r.seq)
  union all
  select r.seq, r.version, n.piece, 'MOD', o.removed_why, o.leaf, n.leaf
  from release r join piece_version n on n.added_in = r.seq
  join piece_version o on o.piece = n.piece and o.removed_in = r.seq
  where o.leaf <> n.leaf
  union all
  select r.seq, r.version, o.piece, 'DEL', o.removed_why, o.leaf, null
  from release r join piece_version o on o.removed_in = r.seq
  where not exists (select 1 from piece_version n where n.piece = o.piece and n.added_in = r.seq)
"""

_TAKEDOWN = """
alter table piece_version add column withdrawn text;
alter table document add column source_removed integer not null default 0;
alter table release add column reissue_of text;
alter table tombstone add column state text;
create index tombstone_piece on tombstone (piece);
create table takedown_journal (
  id integer primary key,
  at text not null,
  case_id text not null,
  action text not null check (action in ('hold', 'lift', 'purge', 'erased', 'reissue')),
  basis text not null,
  received text not null,
  detail text not null
);
create index takedown_journal_case on takedown_journal (case_id);
create table erasure (
  id integer primary key,
  case_id text not null,
  whole integer not null,
  stretches blob not null,
  bodies text not null
);
"""

_SETTLING = """
create table unsettled (
  kind text not null check (kind in ('piece', 'cluster')),
  name text not null,
  settled integer not null default 0,
  primary key (kind, name)
) without rowid;
create index unsettled_now on unsettled (kind, name) where not settled;
insert into unsettled (kind, name) select 'piece', piece from piece_version where removed_in is null;
delete from setting where name = 'cluster_dirty';
"""

_MASKING = """
alter table release add column mask text;
alter table document_version add column claims text not null default '[]';
alter table piece_version add column title_privacy text not null default '[]';
alter table piece_version add column published text references text(sha256);
alter table piece_version add column published_title text;
alter table piece_version add column masked text not null default '{}';
create index piece_version_published on piece_version (published);
create index piece_version_unmasked on piece_version (piece) where published is null and removed_in is null;
"""


_FIRST = """
create table setting (
  name text primary key not null,
  value text not null
);
create table release (
  seq integer primary key,
  version text not null unique,
  date text not null,
  state text not null check (state in ('prepared', 'published')),
  parent text,
  root text not null,
  documents integer not null,
  pieces integer not null,
  pieces_default integer not null,
  clusters integer not null,
  withdrawn integer not null default 0,
  tools text not null
);
create table document (
  id integer primary key,
  key text not null unique,
  url text not null,
  site text not null,
  source text not null,
  name text,
  next_n integer not null default 1,
  first_seen text not null
);
create table document_version (
  id integer primary key,
  document integer not null references document(id),
  added_in integer not null,
  removed_in integer,
  removed_why text,
  state_hash text not null,
  gone text,
  bodies text not null,
  fetched_at text not null,
  kind text,
  encoding text,
  extractor text,
  ruleset text,
  opencc text,
  script text,
  title text,
  declared_pieces integer,
  found_pieces integer not null,
  claimed_published text,
  claimed_author text,
  claimed_source text,
  claimed_rights text,
  claimed_category text,
  consent text not null,
  rights_basis text not null check (
    rights_basis in ('licensed', 'official_document', 'reservation_found', 'none_found', 'unknown')),
  rights_detail text,
  site_status text,
  truncated integer not null default 0,
  missing_parts integer not null default 0
);
create unique index document_version_open on document_version (document) where removed_in is null;
create index document_version_document on document_version (document);
create table rule_hit (
  document_version integer not null references document_version(id) on delete cascade,
  rule text not null,
  count integer not null,
  chars integer not null,
  example text not null,
  primary key (document_version, rule)
);
create table reject (
  id integer primary key,
  document_version integer not null references document_version(id) on delete cascade,
  reason text not null,
  source text not null,
  detail text not null
);
create index reject_document_version on reject (document_version);
create table text (
  sha256 text primary key not null,
  body text
);
create table fingerprint (
  text text primary key not null references text(sha256),
  key text not null,
  length integer not null,
  spec text not null,
  marks blob not null,
  compared integer not null default 0
);
create index fingerprint_key on fingerprint (key);
create table piece (
  id text primary key not null,
  document integer not null references document(id),
  n integer not null,
  given_id text,
  unique (document, n)
);
create table piece_version (
  id integer primary key,
  piece text not null references piece(id),
  document_version integer not null references document_version(id),
  added_in integer not null,
  removed_in integer,
  removed_why text,
  place integer not null,
  text text not null references text(sha256),
  text_original text not null references text(sha256),
  title text,
  genre text not null,
  genre_confidence real not null,
  genre_evidence text,
  year text,
  level text,
  language text not null,
  script text not null,
  flags text not null,
  n_chars integer not null,
  n_han integer not null,
  n_paragraphs integer not null,
  han_share real not null,
  repeated_line_share real not null,
  list_line_share real not null,
  placeholder_share real not null,
  placeholders text not null,
  privacy text not null,
  edits text not null,
  span_begin integer not null,
  span_end integer not null,
  cluster text,
  is_canonical integer not null default 0,
  excluded_why text,
  leaf text not null
);
create unique index piece_version_open on piece_version (piece) where removed_in is null;
create index piece_version_piece on piece_version (piece);
create index piece_version_text on piece_version (text);
create index piece_version_text_original on piece_version (text_original);
create index piece_version_document_version on piece_version (document_version);
create index piece_version_cluster on piece_version (cluster);
create index piece_version_added on piece_version (added_in);
create index piece_version_removed on piece_version (removed_in) where removed_in is not null;
create table relation (
  id integer primary key,
  a text not null,
  b text not null,
  relation text not null check (relation in ('near', 'contains', 'overlap')),
  jaccard real not null,
  containment_a real not null,
  containment_b real not null,
  shared integer not null,
  added_in integer not null,
  removed_in integer,
  check (a < b)
);
create unique index relation_open on relation (a, b) where removed_in is null;
create index relation_b on relation (b);
create table cluster_alias (
  alias text primary key not null,
  cluster text not null,
  added_in integer not null
);
create table canonical_log (
  id integer primary key,
  seq integer not null,
  cluster text not null,
  before text,
  after text not null,
  why text not null
);
create table tombstone (
  id integer primary key,
  kind text not null check (kind in ('hold', 'purge')),
  case_id text not null,
  basis text not null,
  received text not null,
  piece text,
  leaf text,
  text text,
  key text,
  marks blob,
  added_in integer not null,
  lifted_in integer
);
create index tombstone_key on tombstone (key);
create table search_text (
  id integer primary key,
  text text not null unique
);
create virtual table search_grams using fts5(grams, content='', detail=none, tokenize='ascii');
create view piece_current as
  select v.*, d.url, d.site, d.source, d.first_seen, p.n, p.given_id, t.body,
    dv.fetched_at, dv.rights_basis
  from piece_version v
  join piece p on p.id = v.piece
  join document d on d.id = p.document
  join document_version dv on dv.id = v.document_version
  join text t on t.sha256 = v.text
  where v.removed_in is null;
create view release_change as
  select r.seq, r.version, n.piece, 'ADD' as change, 'new' as why, null as leaf_before, n.leaf as leaf_after
  from release r join piece_version n on n.added_in = r.seq
  where not exists (select 1 from piece_version o where o.piece = n.piece and o.removed_in = r.seq)
  union all
  select r.seq, r.version, n.piece, 'MOD', o.removed_why, o.leaf, n.leaf
  from release r join piece_version n on n.added_in = r.seq
  join piece_version o on o.piece = n.piece and o.removed_in = r.seq
  where o.leaf <> n.leaf
  union all
  select r.seq, r.version, o.piece, 'DEL', o.removed_why, o.leaf, null
  from release r join piece_version o on o.removed_in = r.seq
  where not exists (select 1 from piece_version n where n.piece = o.piece and n.added_in = r.seq)
"""
