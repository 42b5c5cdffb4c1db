"""The commands of a takedown case: takedown hold, lift, purge, reissue, list, reply."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fanwen.corpus.home import Home
from fanwen.corpus.options import corpus_file, home_option, json_option
from fanwen.corpus.report import Progress, print_json, table
from fanwen.corpus.types import BASES
from fanwen.errors import DamagedError, UsageError

if TYPE_CHECKING:
    from fanwen.corpus.erase import Erased
    from fanwen.corpus.store import Store
    from fanwen.corpus.takedown_case import Plan
    from fanwen.corpus.takedown_journal import Case


def _what(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is meant, and in which case: the same for hold, lift and purge."""
    options = (
        click.argument("targets", metavar="[TARGET]...", nargs=-1),
        click.option(
            "--text",
            "texts",
            metavar="FILE",
            multiple=True,
            help="Pieces that are the text in FILE, or near to it; may be repeated.",
        ),
        click.option("--case", "case_id", metavar="ID", help="Name of the case; <today>-<n> by default."),
        click.option("--basis", type=click.Choice(BASES), help="Ground of the request; 'other' by default."),
        click.option("--received", metavar="DATE", help="When the request came in; today by default."),
        click.option(
            "--siblings", is_flag=True, help="Near copies, and pieces that hold the text, go along too."
        ),
        click.option("--dry-run", is_flag=True, help="Only show what is concerned; change nothing."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options of hold, lift and purge."""

    targets: tuple[str, ...]
    texts: tuple[str, ...]
    case_id: str | None
    basis: str | None
    received: str | None
    siblings: bool
    dry_run: bool

    def case(self, store: Store) -> Case:
        from fanwen.corpus import takedown_journal

        return takedown_journal.opened(store, self.case_id, self.basis, self.received)


@click.group()
def takedown() -> None:
    """Remove texts on request: look (--dry-run), hold, then lift or purge.

    TARGET is a URL, a host, the id of a piece or of a cluster; piece:ID, cluster:ID and host:NAME say which.
    Exact copies always go along. A list of what is never asked for is kept in takedown.txt instead.
    """


@takedown.command()
@home_option
@json_option
@_what
def hold(home: Home, as_json: bool, **options: Any) -> None:
    """Keep pieces out at once: of search, of builds, and of every release until they are lifted.

    Example: fanwen takedown hold http://wenku.example/1.html --case 2026-7 --basis copyright
    """
    from fanwen.corpus import takedown_acts
    from fanwen.corpus.store import open_store

    asked = _Asked(**options)
    with home.locked("takedown hold"):
        _carry_on(home)
        with open_store(corpus_file(home)) as store:
            found = _plan(store, asked)
            if asked.dry_run:
                _show(found, as_json)
                return
            case = asked.case(store)
            count = takedown_acts.hold(store, case, found)
    if as_json:
        print_json({"case": asdict(case), "held": count, "plan": _shown(found)})
    else:
        print(
            f"Case {case.case_id}: {count:,} pieces are on hold."
            f" 'fanwen takedown lift --case {case.case_id}' brings them back,"
            f" 'fanwen takedown purge --case {case.case_id}' erases them."
        )


@takedown.command()
@home_option
@json_option
@_what
def lift(home: Home, as_json: bool, **options: Any) -> None:
    """Bring back what is on hold, exactly as it was: each TARGET, or all of a --case.

    Example: fanwen takedown lift --case 2026-7
    """
    from fanwen.corpus import takedown_acts, takedown_journal
    from fanwen.corpus.store import open_store

    asked = _Asked(**options)
    with home.locked("takedown lift"):
        _carry_on(home)
        with open_store(corpus_file(home)) as store:
            if asked.case_id is not None:
                asked.case(store)
                takedown_journal.must_hold(store, asked.case_id)
            found = _plan(store, asked)
            if asked.dry_run:
                _show(found, as_json)
                return
            count = takedown_acts.lift(store, asked.case_id, {one.piece_id for one in found.pieces})
    print_json({"lifted": count}) if as_json else print(f"{count:,} pieces are back.")


@takedown.command()
@home_option
@json_option
@_what
@click.option("--yes", is_flag=True, help="Do not ask before everything of a host is erased.")
@click.option("--reissue", is_flag=True, help="Then write the releases that hold it again without it.")
def purge(home: Home, as_json: bool, yes: bool, reissue: bool, **options: Any) -> None:
    """Erase pieces for good: texts, the pages they came from, and every trace of them in the home.

    Without a TARGET, what is on hold in the --case is purged. Releases made before stay and are named.
    """
    from fanwen.corpus import erase, release, release_index, takedown_acts
    from fanwen.corpus.store import open_store

    asked = _Asked(**options)
    with home.locked("takedown purge"):
        finished = _carry_on(home)
        with open_store(corpus_file(home)) as store:
            try:
                found = _plan(store, asked)
            except UsageError:
                if not finished:
                    raise
                _say_erased(finished, as_json)  # this purge was interrupted, and is through now
                return
            if asked.dry_run:
                _show(found, as_json)
                return
            _confirm(found.hosts, len(found.pieces), yes=yes)
            takedown_acts.purge(home, store, asked.case(store), found)
        with closing(Progress()) as progress:
            finished = erase.finish(home, progress)
        for version in release_index.to_reissue(home.releases) if reissue else ():
            if version in found.releases:
                release.reissue(home.corpus, home.releases, version, publishing=home.publishing())
    if not as_json and found.releases:
        print(
            f"Releases made before {'held' if reissue else 'still hold'} it: {', '.join(found.releases)}."
            + ("" if reissue else " 'fanwen takedown reissue' writes them again without it.")
        )
    _say_erased(finished, as_json)


@takedown.command()
@home_option
@json_option
@click.argument("versions", metavar="VERSION...", nargs=-1, required=True)
@click.option("--delete-withdrawn", is_flag=True, help="Delete the folders of what is replaced.")
def reissue(home: Home, as_json: bool, versions: tuple[str, ...], delete_withdrawn: bool) -> None:
    """Write earlier releases again under new numbers, without what was taken down since.

    'all' takes each that still holds something. Counts and root hash stay, since what is gone
    counts by its leaf. The former release is marked as withdrawn.
    """
    from fanwen.corpus import release, release_index

    with home.locked("takedown reissue"):
        _carry_on(home)
        if versions == ("all",):
            versions = release_index.to_reissue(home.releases)
        made = [
            release.reissue(
                corpus_file(home),
                home.releases,
                version,
                delete_withdrawn=delete_withdrawn,
                publishing=home.publishing(),
            )
            for version in versions
        ]
    if as_json:
        print_json([{"version": one.version, "reissue_of": one.reissue_of, "root": one.root} for one in made])
    elif made:
        print("\n".join(f"{one.reissue_of} is withdrawn and replaced by {one.version}." for one in made))
    else:
        print("No release holds anything that was taken down.")


@takedown.command("list")
@home_option
@json_option
def list_cases(home: Home, as_json: bool) -> None:
    """All cases with their state: held, lifted, purged, or erasing after an interruption."""
    from fanwen.corpus import takedown_journal
    from fanwen.corpus.store import open_store

    with open_store(corpus_file(home), readonly=True) as store:
        found = takedown_journal.cases(store)
    if as_json:
        print_json(found)
    elif found:
        head = ("case", "state", "basis", "received", "held", "purged", "releases that hold it")
        rows = [
            (c.case_id, c.state, c.basis, c.received, len(c.held), len(c.purged), " ".join(c.releases))
            for c in found
        ]
        print(table([head, *rows]))
    else:
        print("No takedown case yet.")


@takedown.command()
@home_option
@json_option
@click.argument("case_id", metavar="CASE")
@click.option("--lang", type=click.Choice(("zh", "en")), default="zh", show_default=True, help="Language.")
def reply(home: Home, as_json: bool, case_id: str, lang: str) -> None:
    """Print the draft of a reply to whoever asked, to be read and completed before it is sent."""
    from fanwen.corpus import takedown_journal
    from fanwen.corpus.reply import draft
    from fanwen.corpus.store import open_store

    with open_store(corpus_file(home), readonly=True) as store:
        text = draft(store, takedown_journal.case_of(store, case_id), lang, home.config().takedown)
    print_json({"case": case_id, "language": lang, "reply": text}) if as_json else print(text)


def _carry_on(home: Home) -> list[Erased]:
    """Finish what an interrupted purge left to be erased."""
    from fanwen.corpus import erase

    with closing(Progress()) as progress:
        return erase.finish(home, progress)


def _plan(store: Store, asked: _Asked) -> Plan:
    """What is asked for; without a target what is on hold in the case."""
    from fanwen.corpus import takedown_journal
    from fanwen.corpus.takedown_case import plan

    targets = asked.targets
    if not targets and not asked.texts and asked.case_id is not None:
        targets = tuple(f"piece:{piece}" for piece in takedown_journal.held_in(store, asked.case_id))
    if not targets and not asked.texts:
        raise UsageError("Name what is meant: a URL, a host, the id of a piece or cluster, or --text FILE.")
    return plan(store, targets, [_read(Path(file)) for file in asked.texts], siblings=asked.siblings)


def _read(file: Path) -> str:
    from fanwen.cleaners.decode import decode

    try:
        text = decode(file.read_bytes()).text.strip()
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}); give a text file.") from None
    if not text:
        raise UsageError(f"{file} is empty; give a file with the text that is meant.")
    return text


def _confirm(hosts: Iterable[str], pieces: int, *, yes: bool) -> None:
    """A typo must not erase a site."""
    if yes:
        return
    for host in hosts:
        if not sys.stdin.isatty():
            raise UsageError(
                f"This erases all {pieces:,} pieces of {host} for good; say --yes if that is meant."
            )
        if (
            click.prompt(f"This erases all {pieces:,} pieces of {host} for good. Type the host to go on")
            != host
        ):
            raise UsageError(f"That was not {host}; nothing was erased.")


def _shown(found: Plan) -> dict[str, object]:
    told = asdict(found)
    return {name: told[name] for name in ("pieces", "siblings", "releases", "hosts", "pages", "innocent")}


def _show(found: Plan, as_json: bool) -> None:
    if as_json:
        print_json(_shown(found))
        return
    head = ("piece", "why", "state", "in releases", "title", "url")
    for name, several in (
        ("Concerned", found.pieces),
        ("Left alone (--siblings takes near and contains)", found.siblings),
    ):
        if several:
            rows = [(p.piece_id, p.why, p.state, " ".join(p.releases), p.title, p.url) for p in several]
            print(f"{name}:\n{table([head, *rows])}\n")
    print(f"Releases whose files hold the text: {', '.join(found.releases) or 'none'}.")
    print(f"Pages whose bytes a purge erases: {', '.join(found.pages) or 'none'}.")
    if found.innocent:
        print(f"Other pieces of these pages, which stay: {', '.join(found.innocent)}.")


def _say_erased(finished: list[Erased], as_json: bool) -> None:
    """Raises DamagedError where a person has to go on."""
    if as_json:
        print_json(finished)
    for one in [] if as_json else finished:
        print(
            f"Case {one.case_id} is erased and proved: {len(one.bodies):,} pages and {len(one.files):,} files"
            " went with it; the same text and near ones will not come back."
        )
    if left := [name for one in finished for name in one.left]:
        raise DamagedError(f"The text may still stand in {', '.join(left)}; look through these yourself.")


COMMANDS = (takedown,)
