"""Writes the tables of a release as Parquet, in the layout that Hugging Face's datasets reads.

In goes the masked copy of a release (:mod:`fanwen.corpus.masked`), out come files
``data/<configuration>/<split>-….parquet``: ``default`` and ``all`` in splits, the side tables as one.
Columns, their types and meanings are those of ``data/release.toml`` and go into the schema of each file.
The same rows give the same bytes.
"""

from __future__ import annotations

import json
import sqlite3
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fanwen.corpus.identity import digest
from fanwen.corpus.split import SPLITS

FOLDER = "data"
ROWS_PER_FILE = 100_000
ROWS_PER_GROUP = 10_000
SIDE_TABLES = ("sightings", "relations", "rejects", "rule_hits")
SAMPLES = {"sample-1k": 1_000, "sample-10k": 10_000}
IN_SPLITS = ("default", "all", *SAMPLES)
CONFIGURATIONS = (*IN_SPLITS, *SIDE_TABLES)

_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "double": pa.float64(),
    "list<string>": pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a published table; ``en`` and ``zh`` say what it means.

    ``deprecated`` is the version of the tables that announced that it will go.
    """

    name: str
    type: str
    nullable: bool
    en: str
    zh: str
    deprecated: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One published table."""

    name: str
    en: str
    zh: str
    columns: tuple[Column, ...]

    def schema(self) -> pa.Schema:
        """The Arrow schema, with descriptions as metadata of table and fields."""
        fields = [
            pa.field(one.name, _TYPES[one.type], nullable=one.nullable, metadata={"description": one.en})
            for one in self.columns
        ]
        return pa.schema(fields, metadata={"description": self.en, "fanwen.tables_version": tables_version()})


@cache
def tables() -> dict[str, Table]:
    """The tables of a release, by name."""
    return {
        name: Table(
            name,
            entry["en"],
            entry["zh"],
            tuple(
                Column(
                    column,
                    what["type"],
                    what.get("nullable", False),
                    what["en"],
                    what["zh"],
                    what.get("deprecated"),
                )
                for column, what in entry["columns"].items()
            ),
        )
        for name, entry in _dictionary()["table"].items()
    }


def tables_version() -> str:
    """The version (SemVer) of the published tables."""
    return str(_dictionary()["version"])


@cache
def _dictionary() -> dict[str, Any]:
    text = (files("fanwen.corpus") / "data/release.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def table_of(configuration: str) -> Table:
    """The table that a configuration shows."""
    return tables()["pieces" if configuration in IN_SPLITS else configuration]


def write_tables(db: sqlite3.Connection, folder: Path) -> None:
    """Write all configurations below ``folder``."""
    _add_functions(db)
    for configuration in CONFIGURATIONS:
        target = folder / FOLDER / configuration
        target.mkdir(parents=True)
        for split in SPLITS if configuration in IN_SPLITS else SPLITS[:1]:
            _write(db, configuration, split, target)


def count_rows(db: sqlite3.Connection, configuration: str) -> int:
    """Rows of one configuration, all splits."""
    _add_functions(db)
    query = _QUERIES[configuration]
    count = f"select count(*) from ({query})"
    return sum(int(db.execute(count, part).fetchone()[0]) for part in _parts(query))


def query_of(table: str) -> str:
    """What gives the rows of a published table; a piece that no release has had is in no split."""
    return _as_it_is(_PIECES.format(where="")) if table == "pieces" else _QUERIES[table]


def batches(db: sqlite3.Connection, configuration: str) -> Iterator[pa.RecordBatch]:
    """The rows of one configuration, split by split, as they stand in the Parquet files of a release.

    Pieces that no release has had come with those of train, and are in no split.
    """
    _add_functions(db)
    query = _as_it_is(_QUERIES[configuration])
    for part in _parts(query):
        yield from batches_of(db.execute(query, part), table_of(configuration))


def batches_of(cursor: sqlite3.Cursor, table: Table) -> Iterator[pa.RecordBatch]:
    """The rows of a query that has the columns of ``table``."""
    schema, names = table.schema(), [column[0] for column in cursor.description]
    while rows := cursor.fetchmany(ROWS_PER_GROUP):
        yield _batch(table, schema, names, rows)


def _as_it_is(query: str) -> str:
    return query.replace("coalesce(s.split, 'train') as split", "s.split")


def _parts(query: str) -> list[dict[str, str]]:
    return [{"split": split} for split in SPLITS] if ":split" in query else [{}]


def read_rows(folder: Path, configuration: str) -> Iterator[dict[str, Any]]:
    """The rows of one configuration of a release, all splits."""
    for path in sorted((folder / FOLDER / configuration).glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP):
                yield from batch.to_pylist()


def _add_functions(db: sqlite3.Connection) -> None:
    db.create_function("digest", 1, digest, deterministic=True)


def _write(db: sqlite3.Connection, configuration: str, split: str, target: Path) -> None:
    query = _QUERIES[configuration]
    parameters = {"split": split} if ":split" in query else {}
    count = db.execute(f"select count(*) from ({query})", parameters).fetchone()[0]
    shards = max(1, -(-count // ROWS_PER_FILE))
    table = table_of(configuration)
    schema = table.schema()
    cursor = db.execute(query, parameters)
    names = [column[0] for column in cursor.description]
    for shard in range(shards):
        path = target / f"{split}-{shard:05d}-of-{shards:05d}.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=9) as writer:
            for _ in range(ROWS_PER_FILE // ROWS_PER_GROUP):
                rows = cursor.fetchmany(ROWS_PER_GROUP)
                if not rows:
                    break
                writer.write_batch(_batch(table, schema, names, rows))


def _batch(
    table: Table, schema: pa.Schema, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> pa.RecordBatch:
    values = dict(zip(names, zip(*rows, strict=True), strict=True))
    return pa.record_batch(
        [pa.array(_typed(values[one.name], one.type), type=_TYPES[one.type]) for one in table.columns],
        schema=schema,
    )


def _typed(values: Sequence[Any], kind: str) -> Sequence[Any]:
    if kind == "bool":
        return [bool(value) for value in values]
    if kind == "list<string>":
        return [json.loads(value) for value in values]
    return values


_PIECES = """
with size as (
  select v.cluster, count(*) as pieces, count(distinct d.site) as sites from piece_version v
  join piece p on p.id = v.piece join document d on d.id = p.document
  where v.removed_in is null and v.cluster is not null group by v.cluster
)
select v.piece as id, v.title, t.body as text, v.genre, v.genre_confidence, v.year, v.level,
  case v.language when 'zh' then 'zh-Hans' else v.language end as language, v.script as script_found,
  v.n_chars, v.n_han, v.n_paragraphs, d.url, d.site, v.place, d.first_seen, dv.fetched_at,
  dv.claimed_published, dv.claimed_author, dv.claimed_source, dv.rights_basis, dv.rights_detail,
  (select coalesce(json_group_array(json_extract(j.value, '$.body')), '[]') from json_each(dv.bodies) j)
    as rights_evidence,
  v.cluster as cluster_id, coalesce(size.pieces, 1) as cluster_size, coalesce(size.sites, 1) as n_sites,
  v.is_canonical, v.excluded_why, coalesce(s.split, 'train') as split, v.flags,
  (select coalesce(sum(j.value), 0) from json_each(v.masked) j) as masks,
  v.han_share, v.repeated_line_share, v.list_line_share, v.placeholder_share, dv.extractor, dv.ruleset,
  v.text as text_sha256, v.leaf
from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document
join document_version dv on dv.id = v.document_version join text t on t.sha256 = v.text
left join split s on s.piece = v.piece and s.removed_in is null
left join size on size.cluster = v.cluster
where v.removed_in is null {where}
"""
_OF_SPLIT = _PIECES.format(where="and coalesce(s.split, 'train') = :split {and_where} order by v.piece")

# of the pieces with one text the first stands for all
RELATIONS = """
with one as (
  select f.key, v.piece, min(v.piece) over (partition by f.key) as first
  from piece_version v join fingerprint f on f.text = v.text where v.removed_in is null
),
head as (select distinct key, first from one)
select first as a, piece as b, 'exact' as relation, 1.0 as jaccard, 1.0 as containment_a,
  1.0 as containment_b, null as shared
from one where piece <> first
union all
select min(x.first, y.first), max(x.first, y.first), r.relation, r.jaccard,
  iif(x.first < y.first, r.containment_a, r.containment_b),
  iif(x.first < y.first, r.containment_b, r.containment_a),
  r.shared
from relation r join head x on x.key = r.a join head y on y.key = r.b where r.removed_in is null
order by 1, 2
"""

_DEFAULT = "and v.excluded_why is null and t.body is not null"

# the same pieces from release to release, as far as they stay: those with the least hashes
_SAMPLE = """and digest(v.piece) <= (select max(d) from (
  select digest(v.piece) as d from piece_version v join text t on t.sha256 = v.text
  where v.removed_in is null {default} order by d limit {size}))"""

_QUERIES = {
    "default": _OF_SPLIT.format(and_where=_DEFAULT),
    "all": _OF_SPLIT.format(and_where=""),
    **{
        name: _OF_SPLIT.format(and_where=f"{_DEFAULT} {_SAMPLE.format(default=_DEFAULT, size=size)}")
        for name, size in SAMPLES.items()
    },
    "sightings": """
select v.piece as id, c.piece as canonical_id, v.cluster as cluster_id, d.site, d.url, v.place,
  dv.found_pieces as pieces_on_page, d.first_seen, dv.fetched_at
from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document
join document_version dv on dv.id = v.document_version
left join piece_version c on c.cluster = v.cluster and c.is_canonical and c.removed_in is null
where v.removed_in is null order by v.piece
""",
    "relations": RELATIONS,
    "rejects": """
select d.url, d.site, dv.fetched_at, r.reason, r.detail from reject r
join document_version dv on dv.id = r.document_version join document d on d.id = dv.document
where dv.removed_in is null order by d.url, r.id
""",
    "rule_hits": """
select d.url, d.site, h.rule, h.count, h.chars, h.example from rule_hit h
join document_version dv on dv.id = h.document_version join document d on d.id = dv.document
where dv.removed_in is null order by d.url, h.rule
""",
}
