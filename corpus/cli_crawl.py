"""The commands that bring pages in: init, demo, crawl, ingest, refresh."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from fanwen.cleaners.types import KINDS
from fanwen.corpus.demo import demo as run_demo
from fanwen.corpus.home import Home
from fanwen.corpus.options import home_option, json_option
from fanwen.corpus.refresh import crawl_only, refresh
from fanwen.corpus.report import Progress, print_json, table
from fanwen.corpus.runs import RunReport
from fanwen.errors import RefusedError, UsageError
from fanwen.spiders.archive import TIME, Archive
from fanwen.spiders.crawl import CrawlReport
from fanwen.spiders.ingest import ingest_files, warc_files
from fanwen.spiders.warc import REASONS
from fanwen.spiders.warc_ingest import WarcReport, ingest_warc


@click.command()
@home_option
@click.option("--contact", metavar="ADDRESS", help="E-mail or page where a site's owner reaches you.")
@click.option("--takedown", metavar="ADDRESS", help="Address for takedown requests.")
@click.option(
    "--disk-budget-gb", type=click.FloatRange(min=0, min_open=True), help="Largest size of the home."
)
def init(home: Home, contact: str | None, takedown: str | None, disk_budget_gb: float | None) -> None:
    """Write fanwen.toml: contact, takedown address, disk budget, what releases mask.

    Asks for what is not given; every kind of personal data is masked until you say otherwise in the file.
    """
    if home.config_file.exists():
        raise UsageError(f"{home.config_file} is there already; edit it, or choose another home with --home.")
    contact = contact or _ask("Contact that every request carries (e-mail or page)", None)
    takedown = takedown or _ask("Address for takedown requests", contact)
    budget = disk_budget_gb or float(_ask("Disk budget in GB", "50"))
    text = (
        f"# where a site's owner reaches you; part of the user agent\ncontact = {_quoted(contact)}\n\n"
        f"# address for takedown requests\ntakedown = {_quoted(takedown)}\n\n"
        f"# a crawl does not start when the home is larger (GB)\ndisk_budget_gb = {budget:g}\n\n"
        "# kinds of personal data that no release shows; leave one out and releases show it\n"
        f"mask = [{', '.join(_quoted(kind) for kind in KINDS)}]\n"
    )
    with home.locked("init"):
        home.config_file.write_text(text, encoding="utf-8")
        try:
            home.config()
        except UsageError:
            home.config_file.unlink()
            raise
        home.site_folder.mkdir(exist_ok=True)
    print(f"{home.config_file} is written; your site files go to {home.site_folder}.")


@click.command()
@click.option(
    "--home", "folder", metavar="DIR", default="fanwen-demo", show_default=True, help="Folder for the demo."
)
def demo(folder: str) -> None:
    """Show the whole path on five sample sites, on this machine only.

    Crawl, clean, split, deduplicate, publish; then the sites change, a refresh follows,
    and a second release shows the difference. Started again it goes on where it was.
    """
    progress = Progress()
    run_demo(Home(Path(folder)), lambda text: print(text, flush=True), progress)


@click.command()
@home_option
@json_option
@click.argument("names", nargs=-1, metavar="[SITE…]")
@click.option("--shard", metavar="i/n", help="Crawl the i-th of n shares of the sites; for n machines.")
@click.option("--revisit", is_flag=True, help="Visit every known page again, due or not.")
@click.option("--proxy", metavar="URL", help="Ask this HTTP proxy instead of the sites themselves.")
@click.pass_context
def crawl(
    context: click.Context,
    home: Home,
    as_json: bool,
    names: tuple[str, ...],
    shard: str | None,
    revisit: bool,
    proxy: str | None,
) -> None:
    """Bring pages of the active sites (or of each SITE) into the archive.

    It can be killed at any moment and goes on where it was.
    """
    share = _shard(shard) if shard else None
    report = crawl_only(home, names, proxy=proxy, revisit=revisit, shard=share)
    try:
        print_json(report) if as_json else print(_crawl_table(report))
    finally:  # whoever reads the report may be gone, but the code counts
        context.exit(report.exit_code)


@click.command("refresh")
@home_option
@json_option
@click.argument("names", nargs=-1, metavar="[SITE…]")
@click.option("--revisit", is_flag=True, help="Visit every known page again, due or not.")
@click.option("--proxy", metavar="URL", help="Ask this HTTP proxy instead of the sites themselves.")
@click.option("--workers", type=click.IntRange(1), help="Processes for cleaning; one per core by default.")
@click.pass_context
def refresh_command(
    context: click.Context,
    home: Home,
    as_json: bool,
    names: tuple[str, ...],
    revisit: bool,
    proxy: str | None,
    workers: int | None,
) -> None:
    """Crawl, build, check, and publish a release if anything changed: what a scheduler runs.

    If a gate refuses (a site broke), nothing is published and the exit code is 3;
    look at the newest file in runs/, and publish by 'fanwen release create' if all is well.
    """
    progress = Progress()
    report = refresh(home, names=names, proxy=proxy, revisit=revisit, workers=workers, progress=progress)
    progress.close()
    try:
        print_json(report) if as_json else print(_told(report))
    finally:  # whoever reads the report may be gone, but the code counts
        if report.refused:
            raise RefusedError(f"Nothing was published: {'; '.join(report.refused)}.")
        context.exit(report.exit_code)


@click.command()
@home_option
@json_option
@click.argument("paths", nargs=-1, metavar="PATH…")
@click.option(
    "--pieces", metavar="FILE", help="Ready pieces, JSON Lines or Parquet: id, text, title, url, genre."
)
@click.option(
    "--source", metavar="NAME", help="Name of the source of the ready pieces; the file's name by default."
)
@click.option(
    "--fetched-at",
    metavar="TIME",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="When the files were fetched (UTC), such as 2026-11-21 or 2026-11-21T08:00:00Z; now by default. "
    "WARC files bring their own times.",
)
def ingest(
    home: Home,
    as_json: bool,
    paths: tuple[str, ...],
    pieces: str | None,
    source: str | None,
    fetched_at: datetime | None,
) -> None:
    """Take files at hand (HTML, TXT, Markdown, PDF, DOCX, WARC; folders recursively) into the archive.

    Pages of a WARC file keep their URL, date and headers; which are taken is up to the site files.
    Those of hosts that no site file knows stay out of the default set.

    With --pieces, ready pieces go straight into the corpus, without cleaning or splitting.
    """
    if bool(paths) == bool(pieces):
        raise UsageError("Give either files and folders, or --pieces FILE, not both and not neither.")
    if source and not pieces:
        raise UsageError("--source names the source of ready pieces; give --pieces FILE too.")
    when = None if fetched_at is None else fetched_at.strftime(TIME)
    with home.locked("ingest"):
        if pieces:
            _ingest_pieces(home, Path(pieces), source, when, as_json)
        else:
            _ingest_files(home, paths, when, as_json)


def _ingest_files(home: Home, paths: tuple[str, ...], fetched_at: str | None, as_json: bool) -> None:
    given = [Path(path) for path in paths]
    warcs = warc_files(given)
    progress = Progress()
    sites, takedown = home.sites(), home.takedown()
    with Archive(home.archive) as archive:
        read = ingest_warc(
            archive, warcs, sites, takedown=takedown, progress=lambda n: progress("records", n, 0)
        )
        report = ingest_files(archive, given, takedown, fetched_at)
    progress.close()
    if as_json:
        print_json({**asdict(report), "warc": read if warcs else None})
    else:
        for skipped in report.skipped:
            print(f"left out: {skipped.sentence}", file=sys.stderr)
    if not warcs and not report.added + report.known:
        raise UsageError(
            "Nothing was taken: give HTML, TXT, Markdown, PDF, DOCX or WARC files, or their folders."
        )
    if not as_json:
        if warcs:
            print(_warc_table(read))
        if report.added + report.known:
            print(f"{report.added} documents taken, {report.known} known already.")
        print("Next: 'fanwen build'.")


def _warc_table(report: WarcReport) -> str:
    rows = [
        ("visits taken", report.taken, ""),
        ("known already", report.known, ""),
        ("URLs that are new", report.urls, ""),
        ("robots.txt taken", report.robots, ""),
        *((f"skipped: {reason}", n, REASONS.get(reason, "")) for reason, n in sorted(report.skipped.items())),
    ]
    return table(rows)


def _ingest_pieces(home: Home, file: Path, source: str | None, fetched_at: str | None, as_json: bool) -> None:
    from fanwen.corpus.pieces import ingest_pieces  # pyarrow is slow to import

    progress = Progress()
    report = ingest_pieces(home.corpus, file, source or file.stem, fetched_at=fetched_at, progress=progress)
    progress.close()
    print_json(report) if as_json else print(report.summary())


def _told(report: RunReport) -> str:
    parts = [_crawl_table(report.crawl)] if report.crawl else []
    if report.build is None:
        parts.append("The crawl is not complete: nothing was built; run the command again to go on.")
    else:
        parts.append(report.build.summary())
        made = report.release
        parts.append(f"Release {made.version}, root {made.root}" if made else "No release was made.")
    return "\n".join(parts)


def _crawl_table(report: CrawlReport) -> str:
    head = (
        "site",
        "requests",
        "kB",
        "new",
        "changed",
        "unchanged",
        "spared",
        "gone",
        "blocked",
        "errors",
        "left",
    )
    rows = [
        (
            s.site,
            s.requests,
            s.wire_bytes // 1000,
            s.new,
            s.changed,
            s.unchanged,
            s.spared,
            s.gone,
            s.blocked,
            s.errors,
            s.queue,
        )
        for s in report.sites
    ]
    return "\n".join([table([head, *rows]), *_remarks(report)])


def _remarks(report: CrawlReport) -> Iterator[str]:
    """What a maintainer should know about a site besides numbers."""
    for site in report.sites:
        if site.closed:
            yield f"  {site.site}: left early, {site.closed}"
        if site.budget:
            yield f"  {site.site}: {site.budget}; {site.queue} pages are left for the next day"
        if site.scripted:
            yield f"  {site.site}: {site.scripted} pages show nothing without JavaScript"
        for trap in site.traps:
            yield f"  {site.site}: {trap.count} × {trap.kind}, as {trap.example}"
    for start in report.refused_starts:
        yield f"  refused start: {start}"


def _shard(text: str) -> tuple[int, int]:
    try:
        share, shares = (int(part) for part in text.split("/"))
    except ValueError:
        raise UsageError(f"--shard {text} is not of the form i/n, such as 1/4.") from None
    return share, shares


def _ask(question: str, default: str | None) -> str:
    if not sys.stdin.isatty():
        if default is not None:
            return default
        raise UsageError("There is no terminal to ask on; give --contact ADDRESS.")
    return str(click.prompt(question, default=default))


def _quoted(text: str) -> str:
    if any(char in text for char in '"\\\n'):
        raise UsageError(f"An address cannot hold quotes or backslashes: {text!r}; give a plain one.")
    return f'"{text}"'


COMMANDS = (init, demo, crawl, refresh_command, ingest)
