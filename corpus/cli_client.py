"""The command that gets releases: pull."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fanwen.corpus.options import json_option
from fanwen.corpus.report import Progress, change_lines, print_json, table

if TYPE_CHECKING:
    from fanwen.corpus.client import Listed, Pulled


@click.command()
@json_option
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where releases are kept [FANWEN_PULLED, or ~/.local/share/fanwen].",
)
@click.option("--list", "listed", is_flag=True, help="Show the releases there are, and pull none.")
@click.option("--mirror", "mirrors", metavar="URL", multiple=True, help="A copy of them; may be repeated.")
@click.option(
    "--signers",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Allowed-signers file of SSH: one of these must have signed the release.",
)
@click.argument("source", metavar="URL|DIR")
@click.argument("version", required=False)
def pull(
    as_json: bool,
    folder: Path | None,
    listed: bool,
    mirrors: tuple[str, ...],
    signers: Path | None,
    source: str,
    version: str | None,
) -> None:
    """Get a release from where it is published, whole and verified; the newest where no VERSION is given.

    URL is any static file server, DIR a local folder: it holds index.json. What is here already, also of
    earlier releases, is not moved again. A pull that was stopped goes on when it is started again.

    Example: fanwen pull https://corpus.example/fanwen
    """
    from fanwen.corpus import client
    from fanwen.corpus.pulled import pulled_folder

    kept = folder or pulled_folder()
    if listed:
        found = client.listing(source, kept, mirrors=mirrors)
        print_json(found) if as_json else print(_listing(found))
        return
    progress = Progress()
    try:
        done = client.pull(source, kept, version, mirrors=mirrors, signers=signers, progress=progress)
    finally:
        progress.close()
    print_json(done) if as_json else print("\n".join(_report(done)))


def _report(done: Pulled) -> Iterator[str]:
    signed = f", signed by {done.signed_by}" if done.signed_by else ""
    yield (
        f"Release {done.version} of {done.date}: {done.pieces_default:,} pieces in the default set, "
        f"{done.pieces:,} in all, root {done.root}\nIt lies in {done.folder}"
    )
    if done.how == "present":
        yield f"It was there: every file and the root hash are right{signed}."
    else:
        by = f" by the delta from {done.delta_from}" if done.delta_from else ""
        before = f", {_mb(done.resumed)} MB had come before" if done.resumed else ""
        # with the list of releases it is a little more than the release
        of = f" of {_mb(done.bytes)}" if done.moved < done.bytes else ""
        yield f"{_mb(done.moved)}{of} MB came over{by}{before}."
        if len(done.sources) > 1:
            yield from (f"  {_mb(size)} MB from {place}" for place, size in done.sources.items())
        yield f"Every file and the root hash are right{signed}."
    if done.since is not None:
        yield f"Since {done.since}:"
        yield from (f"  {line}" for line in change_lines(done.changes))
    yield from done.warnings


def _listing(found: Sequence[Listed]) -> str:
    head = ("version", "date", "default", "pieces", "MB", "")
    rows = [
        (one.version, one.date, one.pieces_default, one.pieces, _mb(one.bytes), ", ".join(_marks(one)))
        for one in found
    ]
    return table([head, *rows])


def _marks(one: Listed) -> Iterator[str]:
    if one.here:
        yield "here"
    if one.withdrawn:
        yield f"withdrawn, see {one.reissued_as}" if one.reissued_as else "withdrawn"
    elif one.taken_down:
        yield "holds what was taken down"


def _mb(size: int) -> str:
    return f"{size / 1e6:,.2f}"


COMMANDS = (pull,)
