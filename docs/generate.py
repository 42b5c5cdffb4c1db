"""Writes docs/commands.md and DATA_FORMAT.md from the code itself.

``make docs`` writes them; with ``--check`` nothing is written and the exit code says
whether they are as the code is. A test runs the check.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from sqlite_utils import Database

from fanwen.corpus.cli import cli
from fanwen.corpus.exports import PIECE_FIELDS
from fanwen.corpus.schema import describe, migrations
from fanwen.corpus.tables import tables
from fanwen.spiders.warc import REASONS, STATE_TYPE, State, UrlState, Visit

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- written by docs/generate.py from the code: run 'make docs' after a change -->\n"


def commands() -> str:
    """Every command with its help, arguments and options."""
    return NOTE + "# Commands\n\n" + "\n".join(_command(cli, "fanwen", None)).rstrip() + "\n"


def data_format() -> str:
    """Every table and column of corpus.db."""
    parts = [NOTE, "# Data format\n\n", INTRODUCTION]
    for table in describe():
        parts.append(
            f"\n## {table.name}\n\n{table.description}\n\n| column | type | what it holds |\n|---|---|---|\n"
        )
        parts += [f"| `{c.name}` | {c.type} | {c.description} |\n" for c in table.columns]
    parts.append(
        "\n## jsonl/pieces.jsonl.zst\n\nOne JSON object per piece of the full set, sorted by id.\n\n"
    )
    parts.append("| field | what it holds |\n|---|---|\n")
    parts += [f"| `{name}` | {text} |\n" for name, text in jsonl_fields()]
    return "".join([*parts, *_parquet(), *_warc()])


def _parquet() -> Iterator[str]:
    """The tables that a release publishes as Parquet."""
    yield f"\n{PARQUET}"
    for table in tables().values():
        yield f"\n### {table.name}\n\n{table.en}  \n{table.zh}\n\n"
        yield "| column | type | what it holds | 含义 |\n|---|---|---|---|\n"
        for column in table.columns:
            kind = f"{column.type}, may be empty" if column.nullable else column.type
            yield f"| `{column.name}` | {kind} | {column.en} | {column.zh} |\n"


def _warc() -> Iterator[str]:
    yield f"\n{WARC}"
    for model, name in ((State, "The object"), (UrlState, "`url`"), (Visit, "One of `visits`")):
        yield f"\n{name}:\n\n| key | what it holds |\n|---|---|\n"
        yield from (f"| `{key}` | {field.description} |\n" for key, field in model.model_fields.items())
    yield "\n### Why `fanwen ingest` skips a record\n\n| reason | what it is |\n|---|---|\n"
    yield from (f"| `{reason}` | {text} |\n" for reason, text in REASONS.items())
    yield "| `request`, `warcinfo`, `conversion` … | a record of that type, which holds no page |\n"


def jsonl_fields() -> Iterator[tuple[str, str]]:
    """Every field of the pieces' JSON Lines, described by the column that it is a copy of."""
    columns = {table.name: {c.name: c.description for c in table.columns} for table in describe()}
    with sqlite3.connect(":memory:") as db:
        migrations.apply(Database(db))
        names = [column[0] for column in db.execute(PIECE_FIELDS).description]
    db.close()
    for name in names:
        table, column = OTHER_NAMES.get(name, (None, name))
        places = [table] if table else ["piece_version", "piece", "document", "document_version"]
        yield name, next(columns[place][column] for place in places if column in columns[place])


# fields of the JSON Lines that are called otherwise in the database
OTHER_NAMES = {"id": ("piece", "id"), "text": ("text", "body"), "text_sha256": ("text", "sha256")}


PARQUET = """## data/*/*.parquet

The layout that Hugging Face's `datasets` reads: `data/<configuration>/<split>-….parquet`. Configurations
are `default` (one piece of each cluster, fit for use) and `all`, each in the splits train, validation
and test, and the side tables `sightings`, `relations`, `rejects` and `rule_hits`. Pieces that share
text, directly or through others, are in one split, which they keep from release to release; where two
such groups grow together, train is stronger than validation, and that than test. Each file has the
descriptions below in its schema.
"""

INTRODUCTION = """A release holds the corpus as `fanwen.db.zst` (SQLite 3, compressed with zstd) and its
pieces as `jsonl/pieces.jsonl.zst` and as Parquet in `data/`. The tables below are those of `corpus.db`, of
which the release's database is a masked copy.
Rows that change over time carry `added_in` and `removed_in`, numbers (`seq`) of releases: a row belongs to
release *r* when `added_in <= r` and `removed_in` is null or greater than *r*.
Times are UTC, ISO 8601; hashes are hexadecimal SHA-256; offsets count code points.
"""


WARC = f"""## WARC files (`fanwen archive export`)

WARC/1.1, one gzip member per record (plain where the name ends in `.warc`).
The same archive gives the same bytes.

| record | what it holds |
|---|---|
| `warcinfo` | the version of fanwen; no name of a machine, file or person |
| `response` | one visit that brought a page, or one answer to a request for robots.txt |
| `revisit` | a visit that brought the body of an earlier record (`identical-payload-digest`), or a 304 |
| `resource` | a file that was given by hand; its URI is `urn:sha256:` and the hash of its bytes |
| `metadata` | what the archive knows of one URL, before the records of its visits |

Bodies are as the archive keeps them, without chunks and compression; the headers that said otherwise, and
the length that was sent, are called `X-Archive-Orig-…`. `WARC-Payload-Digest` is the SHA-256 by which the
archive names the body. `WARC-Truncated: disconnect` marks a transfer that ended early, `unspecified` an
answer to robots.txt of which only the status is kept. Where no answer came there is no record.
A page that was rendered stands as rendered, with `X-Fanwen-Rendered` among its headers.

A metadata record of the type `{STATE_TYPE}` is one JSON object.
Visits that brought no page (errors, redirects) stand only there.
"""


def _command(command: click.Command, path: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, info_name=path.rsplit(" ", 1)[-1], parent=parent)
    yield f"## {path}\n"
    yield _prose(command.help or "") + "\n"
    options = [
        record for record in (p.get_help_record(context) for p in command.params) if record and record[1]
    ]
    if not isinstance(command, click.Group):
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"```\n{path} {usage}\n```\n"
    if options:
        yield "| option | meaning |\n|---|---|"
        yield (
            "\n".join(f"| `{name.replace('|', '¦')}` | {text.replace('|', '¦')} |" for name, text in options)
            + "\n"
        )
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _command(command.commands[name], f"{path} {name}", context)


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(block.split()) for block in text.replace("\b", "").split("\n\n"))


def main() -> int:
    """Write both files, or with --check compare them."""
    check = sys.argv[1:] == ["--check"]
    stale = 0
    for path, text in ((ROOT / "docs/commands.md", commands()), (ROOT / "DATA_FORMAT.md", data_format())):
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale += 1
            print(f"{path.name} is {'not as the code is: run make docs' if check else 'written'}")
            if not check:
                path.write_text(text, encoding="utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
