"""The command export: chosen pieces as a file for another tool."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import click

from fanwen.corpus.home import Home
from fanwen.corpus.options import corpus_file, home_option, json_option
from fanwen.corpus.report import print_json, table
from fanwen.corpus.split import SPLITS
from fanwen.errors import UsageError

_FORMATS = ("jsonl", "sft", "txt")


@click.command()
@home_option
@json_option
@click.option(
    "--from", "source", metavar="WHAT", help="A release folder, a checkout or a version, instead of the home."
)
@click.option(
    "--where",
    metavar="CONDITION",
    help="SQL condition over the columns of a piece, such as \"genre = '工作总结' and year >= '2023'\".",
)
@click.option(
    "--genre", "genres", metavar="GENRE", multiple=True, help="Only this genre; may be given again."
)
@click.option("--site", "sites", metavar="SITE", multiple=True, help="Only this site; may be given again.")
@click.option("--split", type=click.Choice(SPLITS), help="Only pieces of this split.")
@click.option(
    "--max-per-site",
    "per_site",
    metavar="N",
    type=click.IntRange(1),
    help="Of each site at most N pieces, chosen by a hash of their ids.",
)
@click.option("--all", "everything", is_flag=True, help="Also what is not in the default set.")
@click.option(
    "--format",
    type=click.Choice(_FORMATS),
    default="jsonl",
    show_default=True,
    help="jsonl: the columns of a release; sft: chats for fine-tuning; txt: title and text.",
)
@click.option(
    "--out",
    metavar="FILE",
    default="-",
    show_default=True,
    help="File to write, - for stdout. A name for txt that does not end in .txt is a new folder of files.",
)
def export(
    home: Home,
    as_json: bool,
    source: str | None,
    where: str | None,
    genres: tuple[str, ...],
    sites: tuple[str, ...],
    split: str | None,
    per_site: int | None,
    everything: bool,
    format: str,
    out: str,
) -> None:
    """Write chosen pieces as JSON Lines, as chats for fine-tuning, or as plain text.

    Masked as a release shows them, also from a home, where what pages claim is left out besides. A condition
    reads the columns that DATA_FORMAT.md describes for the table pieces, and nothing else.

    Example: fanwen export --genre 工作总结 --max-per-site 100 --format sft --out 总结.jsonl
    """
    from fanwen.corpus import export as export_module
    from fanwen.corpus.reader import database_of, located

    if as_json and out == export_module.STDOUT:
        raise UsageError("--json reports on stdout, where the pieces would go; name a file with --out.")
    wanted = export_module.Wanted(where, genres, sites, split, everything, per_site)
    with ExitStack() as stack:
        database = corpus_file(home) if source is None else database_of(located(source, home), stack)
        report = export_module.export(database, wanted, format, out)
    if as_json:
        print_json(report)
    elif out != export_module.STDOUT:
        lines = (table(report.sites.items()), f"{report.pieces:,} pieces are written to {out}.")
        print("\n".join(filter(None, lines)))
    elif not report.pieces:
        print("No piece is like that; nothing was written.", file=sys.stderr)


COMMANDS = (export,)
