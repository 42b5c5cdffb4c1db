"""The commands that handle archive.db as a whole: archive export."""

from __future__ import annotations

from pathlib import Path

import click

from fanwen.corpus.home import Home
from fanwen.corpus.options import home_option, json_option
from fanwen.corpus.report import Progress, print_json, table
from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive, as_utc
from fanwen.spiders.warc_write import export_warc


@click.group()
def archive() -> None:
    """The archive of pages as they came."""


@archive.command("export")
@home_option
@json_option
@click.argument("file", metavar="FILE")
@click.option("--site", "sites", multiple=True, metavar="SITE", help="Only this site; may be repeated.")
@click.option("--since", metavar="DATE", help="Only visits since then: 2026-11-01, or with a time (UTC).")
def export(home: Home, as_json: bool, file: str, sites: tuple[str, ...], since: str | None) -> None:
    """Write the archive, or a part of it, as one WARC file that any tool for web archives reads.

    FILE ends in .warc.gz, or in .warc for a plain one. 'fanwen ingest FILE' takes it into another home,
    whose corpus is then the same. The same archive gives the same bytes.
    """
    progress = Progress()
    with Archive(home.archive, readonly=True) as opened:
        report = export_warc(
            opened,
            Path(file),
            sites=sites,
            since=None if since is None else _moment(since),
            progress=lambda done: progress("URLs", done, 0),
        )
    progress.close()
    if as_json:
        print_json(report)
        return
    rows = [
        ("URLs", report.urls),
        ("pages", report.responses),
        ("unchanged since", report.revisits),
        ("files given by hand", report.resources),
        ("robots.txt", report.robots),
        ("bytes", report.bytes),
    ]
    print(f"{table(rows)}\n{file} is written.")


def _moment(text: str) -> str:
    """A date or time as the archive writes times: UTC with seconds."""
    moment = as_utc(text)
    if moment is None:
        raise UsageError(f"--since {text} is no date; write it like 2026-11-01 or 2026-11-01T08:00.")
    return moment


COMMANDS = (archive,)
