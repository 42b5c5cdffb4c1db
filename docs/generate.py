"""Writes docs/commands.md, DATA_FORMAT.md and DATA_FORMAT.zh-CN.md from the code itself.

``make docs`` writes them; with ``--check`` nothing is written and the exit code says
whether they are as the code is. A test runs the check.
"""

from __future__ import annotations

import sqlite3
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import click
from sqlite_utils import Database

from fanwen.corpus.cli import cli
from fanwen.corpus.exports import PIECE_FIELDS
from fanwen.corpus.schema import SCHEMA_VERSION, Language, describe, migrations
from fanwen.corpus.tables import tables, tables_version
from fanwen.spiders.warc import REASONS, STATE_TYPE, State, UrlState, Visit

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = {"schema_version": SCHEMA_VERSION, "tables_version": tables_version()}
NOTE = "<!-- written by docs/generate.py from the code: run 'make docs' after a change -->\n"


Said = dict[str, Any]


class Deprecable(Protocol):
    """A column of the database or of a published table."""

    @property
    def deprecated(self) -> str | None: ...


def commands() -> str:
    """Every command with its help, arguments and options."""
    return NOTE + "# Commands\n\n" + "\n".join(_command(cli, "fanwen", None)).rstrip() + "\n"


def data_format(language: Language) -> str:
    """Every table and column, in one language."""
    said = _said()[language]
    parts = [NOTE, f"# {said['title']}\n\n", said["introduction"], f"\n{said['versions'].format(**VERSIONS)}"]
    for table in describe(language):
        parts.append(f"\n## {table.name}\n\n{table.description}\n\n{said['column']}\n|---|---|---|\n")
        parts += [f"| `{c.name}` | {c.type} | {_text(c, c.description, said)} |\n" for c in table.columns]
    parts.append(f"\n{said['jsonl']}\n{said['field']}\n|---|---|\n")
    parts += [f"| `{name}` | {text} |\n" for name, text in jsonl_fields(language)]
    return "".join([*parts, *_parquet(language, said), *_warc(language, said)])


def _text(column: Deprecable, description: str, said: Said) -> str:
    if column.deprecated is None:
        return description
    return f"{description} {said['deprecated'].format(version=column.deprecated)}"


def _parquet(language: Language, said: Said) -> Iterator[str]:
    """The tables that a release publishes as Parquet."""
    yield f"\n{said['parquet']}"
    for table in tables().values():
        yield f"\n### {table.name}\n\n{getattr(table, language)}\n\n{said['column']}\n|---|---|---|\n"
        for column in table.columns:
            kind = f"{column.type}, {said['nullable']}" if column.nullable else column.type
            yield f"| `{column.name}` | {kind} | {_text(column, getattr(column, language), said)} |\n"


def _warc(language: Language, said: Said) -> Iterator[str]:
    yield f"\n{said['warc'].format(state_type=STATE_TYPE)}"
    for model, name in ((State, "state"), (UrlState, "url"), (Visit, "visit")):
        own = {key: str(field.description) for key, field in model.model_fields.items()}
        yield f"\n{said[name]}:\n\n{said['key']}\n|---|---|\n"
        texts = own if language == "en" else said[model.__name__]
        yield from (f"| `{key}` | {texts[key]} |\n" for key in own)
    yield f"\n{said['skipped']}\n{said['reason']}\n|---|---|\n"
    texts = REASONS if language == "en" else said["reasons"]
    yield from (f"| `{reason}` | {texts[reason]} |\n" for reason in REASONS)
    yield f"| `request`, `warcinfo`, `conversion` … | {said['other_types']} |\n"


def _said() -> dict[str, Said]:
    return tomllib.loads((ROOT / "docs/data_format.toml").read_text(encoding="utf-8"))


def jsonl_fields(language: Language) -> Iterator[tuple[str, str]]:
    """Every field of the pieces' JSON Lines, described by the column that it is a copy of."""
    columns = {table.name: {c.name: c.description for c in table.columns} for table in describe(language)}
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
    """Write the files, or with --check compare them."""
    check = sys.argv[1:] == ["--check"]
    stale = 0
    written = {
        "docs/commands.md": commands(),
        "DATA_FORMAT.md": data_format("en"),
        "DATA_FORMAT.zh-CN.md": data_format("zh"),
    }
    for name, text in written.items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale += 1
            print(f"{path.name} is {'not as the code is: run make docs' if check else 'written'}")
            if not check:
                path.write_text(text, encoding="utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
