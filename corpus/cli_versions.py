"""The commands that go back in time: checkout, log, backup, restore.

Each imports what it needs itself: a search should not wait for what only a backup needs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fanwen.corpus.home import RESTORE, Home
from fanwen.corpus.options import home_option, json_option
from fanwen.corpus.report import Progress, print_json, table

if TYPE_CHECKING:
    from fanwen.corpus.history import PieceLog, StateLog


@click.command()
@home_option
@json_option
@click.argument("version")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
def checkout(home: Home, as_json: bool, version: str, folder: Path | None) -> None:
    """The corpus as of release VERSION, in the new folder DIR (./fanwen-VERSION by default).

    Search, stats, duplicates, log and fanwen.open work in it; nothing is written into it any more. Its texts
    are those of the home, unmasked. VERSION may also be the folder of a release: then they are as published.
    """
    from fanwen.corpus import checkout as checkout_module

    progress = Progress()
    target = folder or checkout_module.default_folder(version)
    made = checkout_module.checkout(home, version, target, progress=progress)
    progress.close()
    if as_json:
        print_json(made)
    else:
        print(
            f"Release {made.version} of {made.date}: {made.pieces_default:,} pieces in the default set, "
            f"{made.pieces:,} in all, root {made.root}\nIt lies in {made.folder}, "
            + ("masked as it was published." if made.masked else "unmasked: it is for this home only.")
        )


@click.command()
@home_option
@json_option
@click.option("--text", is_flag=True, help="Show what changed in the text from state to state.")
@click.argument("what", metavar="ID|URL")
def log(home: Home, as_json: bool, text: bool, what: str) -> None:
    """The history of a piece, or of all pieces of a page: every state with its releases, and what changed.

    With --text [-what went-] and {+what came+}; on a terminal in colours. Nothing is masked.
    """
    from fanwen.corpus import history
    from fanwen.corpus.store import reading

    with reading(home.corpus) as store:
        found = history.history(store, what)
    if as_json:
        print_json(found)
        return
    colour = sys.stdout.isatty()
    for number, piece in enumerate(found):
        print(("\n" if number else "") + "\n".join(_log_lines(piece, text=text, colour=colour)))


@click.command()
@home_option
@json_option
@click.option("--releases", is_flag=True, help="Keep the published folders too.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def backup(home: Home, as_json: bool, releases: bool, folder: Path) -> None:
    """Copy the home into the new folder DIR: both databases at one moment, and what people wrote.

    Nothing in it is masked, and a takedown does not reach it: keep it as safe as the home, and not for ever.
    """
    from fanwen.corpus import backup as backup_module

    progress = Progress()
    with home.locked("backup"):
        made = backup_module.back_up(home, folder, releases=releases, progress=progress)
    progress.close()
    if as_json:
        print_json(made)
    else:
        print(f"{made.folder}: {len(made.files):,} files, {made.bytes / 1e6:,.1f} MB.")


@click.command()
@home_option
@json_option
@click.option("--force", is_flag=True, help="Also into a home that holds something, which is moved aside.")
@click.argument("source", metavar="FROM", type=click.Path(path_type=Path))
def restore(home: Home, as_json: bool, force: bool, source: Path) -> None:
    """Put the backup FROM in the place of what the home holds.

    What was taken down since the backup stays taken down. The releases of the home stay; those of the backup
    are taken only where it has none.
    """
    from fanwen.corpus import restore as restore_module

    with home.locked(RESTORE):
        done = restore_module.finished(home)
        if done is None or done.source != restore_module.name_of(source):
            done = restore_module.restore(home, source, force=force)
    if as_json:
        print_json(done)
        return
    print(f"{home.path} is as it was at {done.made_at}.")
    if done.replaced is not None:
        print(f"What it held lies in {home.path / done.replaced}; remove that when nothing is missing.")
    if done.tombstones or done.takedown_entries:
        print(
            f"Carried over, so that no removal is undone: {done.tombstones:,} tombstones and"
            f" {done.takedown_entries:,} entries of the takedown list."
        )
    for note in done.notes:
        print(note)


def _log_lines(piece: PieceLog, *, text: bool, colour: bool) -> Iterator[str]:
    from fanwen.corpus.history import changes

    ended = "" if piece.current else f", no longer in the corpus: {piece.states[-1].ended}"
    yield f"{piece.piece_id}  {piece.url} ({piece.n}){ended}"
    for removal in piece.removals:
        until = f", lifted in {removal.lifted}" if removal.lifted else ""
        yield f"  {removal.kind} of case {removal.case_id} since {removal.since or 'the next release'}{until}"
    before: StateLog | None = None
    for state in piece.states:
        yield ""
        yield f"  {_span(state)}  {state.date or 'not released yet'}  {state.why}" + (
            f": {', '.join(state.differs)}" if state.differs else ""
        )
        facts = [
            ("title", state.title),
            ("text", f"{state.n_chars:,} characters, sha256 {state.text_sha256}"),
            ("flags", ", ".join(state.flags) or None),
            ("cluster", f"{state.cluster}{', canonical' if state.is_canonical else ''}"),
            ("not in default set", state.excluded_why),
            ("page", f"fetched {state.fetched_at}, sha256 {', '.join(state.bodies) or 'none'}"),
            ("made by", f"{state.extractor or 'given'}, rules {state.ruleset or 'none'}"),
        ]
        yield table([fact for fact in facts if fact[1] is not None], indent="    ")
        if state.text is None:
            cases = ", ".join(one.case_id for one in piece.removals if one.kind == "purge") or "unknown"
            yield f"    withdrawn, case {cases}"
        elif text and before is not None and before.text != state.text:
            yield from changes(before, state, colour=colour) or ["    the earlier text is withdrawn"]
        before = state


def _span(state: StateLog) -> str:
    if state.first is None:
        return "next"
    return f"{state.first} – {state.last or 'now'}"


COMMANDS = (checkout, log, backup, restore)
