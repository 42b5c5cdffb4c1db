"""The commands that show how good the corpus is, and why: explain, rules stats, rules learn, audit."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from fanwen.cleaners.learn import MIN_PAGES, propose, to_toml
from fanwen.cleaners.pipeline import Traced, trace_document
from fanwen.corpus.explain import as_text
from fanwen.corpus.explain import explain as explain_document
from fanwen.corpus.explain_html import as_html
from fanwen.corpus.home import Home
from fanwen.corpus.options import corpus_file, home_option, json_option
from fanwen.corpus.report import Progress, print_json, table, visible
from fanwen.corpus.rule_stats import rule_stats
from fanwen.corpus.site_pages import pages_of
from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.items import ArchivedDocument

# so many pages of a site show its repeated lines as well as all of them
_ENOUGH = 2000


@click.command()
@home_option
@json_option
@click.argument("what", metavar="URL|ID|FILE")
@click.option("--html", metavar="OUT.html", help="Write it as one self-contained HTML file instead.")
def explain(home: Home, as_json: bool, what: str, html: str | None) -> None:
    """Show what became of one page: page → document → pieces, with every cut named.

    Takes a file, a URL in the archive, or the id of a piece of the corpus (its document).
    ⟦−rule: text⟧ was cut, ⟦+rule: text⟧ was put in; the margin numbers the pieces, ▸ marks a head.
    """
    explained = explain_document(home, what)
    if html:
        _write(html, as_html(explained))
    if as_json:
        print_json(explained)
    elif html:
        print(f"{html} is written; open it in a browser.")
    else:
        print(as_text(explained, colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))


@click.group()
def rules() -> None:
    """What the cleaning rules take: rank them, propose a site's own lines."""


@rules.command("stats")
@home_option
@json_option
@click.option("--site", metavar="NAME", help="Only the documents of this site.")
def rules_stats(home: Home, as_json: bool, site: str | None) -> None:
    """Rank the rules by the characters they took over the corpus; name those that never did."""
    found = rule_stats(_file(home.corpus, home, "corpus"), site)
    if as_json:
        print_json(found)
        return
    head = ("rule", "documents", "hits", "characters", "share", "example")
    rows = [
        (r.rule, r.documents, r.hits, r.chars, r.share, visible(r.example, "⏎")[:40]) for r in found.rules
    ]
    print(f"{found.chars:,} characters taken or changed in {found.documents:,} documents")
    print(table([head, *rows]))
    if found.silent:
        print(f"Never fired: {', '.join(found.silent)}")


@rules.command("learn")
@home_option
@click.argument("site")
@click.option(
    "--min-pages",
    type=click.IntRange(2),
    default=MIN_PAGES,
    show_default=True,
    help="Pages that a line must be on; on large sites at least 3 % of them.",
)
@click.option("--out", metavar="FILE", help="Write there instead of to the terminal.")
def rules_learn(home: Home, site: str, min_pages: int, out: str | None) -> None:
    """Propose the lines that repeat over SITE's archived pages, as a TOML file to review.

    Nothing is put into effect: a person copies approved lines to the site's file, under
    [extract] lines.
    """
    progress = Progress()
    with Archive(_file(home.archive, home, "archive"), readonly=True) as archive:
        documents = [one for one in archive.documents() if one.site == site and not one.gone]
        if not documents:
            raise UsageError(f"The archive in {home.path} has no page of a site '{site}'; name one it has.")
        learnt = propose(_traced(home, archive, _spread(documents), progress), min_pages=min_pages)
    progress.close()
    text = to_toml(site, learnt, len(documents))
    if not out:
        print(text, end="")
        return
    _write(out, text)
    print(
        f"{out}: {len(learnt.proposals):,} lines, {len(learnt.new):,} of them taken by no rule yet;"
        " review them, its head says how to go on."
    )


def _traced(
    home: Home, archive: Archive, documents: list[ArchivedDocument], progress: Progress
) -> Iterator[Traced]:
    sites = home.sites()
    for done, document in enumerate(documents, 1):
        yield trace_document(pages_of(archive, document, sites.get(document.site)))
        progress("read", done, len(documents))


def _spread(documents: list[ArchivedDocument]) -> list[ArchivedDocument]:
    """At most so many as are enough, evenly over the sorted URLs."""
    step = max(1.0, len(documents) / _ENOUGH)
    return [documents[int(k * step)] for k in range(min(len(documents), _ENOUGH))]


def _file(path: Path, home: Home, name: str) -> Path:
    if not path.is_file():
        raise UsageError(
            f"There is no {name} in {home.path}; 'fanwen ingest' or 'fanwen crawl', then 'fanwen build'."
        )
    return path


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"The file {name} cannot be written ({error.strerror}); choose another.") from None


@click.group()
def audit() -> None:
    """Have people judge a sample, and see how often something is wrong."""


@audit.command("sample")
@home_option
@click.argument("size", metavar="N", type=click.IntRange(1))
@click.option(
    "--by",
    default="site,genre",
    show_default=True,
    metavar="COLUMNS",
    help="Draw from each of their values in proportion: site, genre, year, level, script; '' for none.",
)
@click.option("--seed", default="1", show_default=True, help="Another seed draws other pieces.")
@click.option("--out", default="audit.html", show_default=True, metavar="FILE.html", help="The form.")
def audit_sample(home: Home, size: int, by: str, seed: str, out: str) -> None:
    """Write N pieces of the default set, as they are published, as a form for human eyes.

    One file that works without a network. It saves answers as a file for 'fanwen audit import'.
    """
    from fanwen.corpus import audit as audit_module
    from fanwen.corpus.audit_html import form
    from fanwen.corpus.store import reading

    strata = [name.strip() for name in by.split(",") if name.strip()]
    with reading(corpus_file(home)) as store:
        drawn = audit_module.sample(store, size, strata, seed)
    _write(out, form(drawn))
    print(f"{out} holds {len(drawn.pieces):,} pieces; open it in a browser, it says how to go on.")


@audit.command("import")
@home_option
@json_option
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
def audit_import(home: Home, as_json: bool, files: tuple[Path, ...]) -> None:
    """Take in what the form saved. All files or none; importing one again changes nothing.

    The next release's card shows the rates.
    """
    from fanwen.corpus import audit as audit_module
    from fanwen.corpus.store import open_store

    with home.locked("audit import"), open_store(corpus_file(home)) as store:
        added, known = audit_module.take_in(store, files)
    if as_json:
        print_json({"added": added, "known": known})
    else:
        print(f"{added:,} judgements taken in, {known:,} were there already.")


@audit.command("report")
@home_option
@json_option
def audit_report(home: Home, as_json: bool) -> None:
    """How often people found something wrong in the default set, with 95 % intervals."""
    from fanwen.corpus import audit as audit_module
    from fanwen.corpus.store import reading

    with reading(corpus_file(home)) as store:
        found = audit_module.report(store.conn)
    if as_json:
        print_json(found)
        return
    if found is None:
        print("Nothing was judged yet; 'fanwen audit sample 200' makes a form.")
        return
    print(
        f"Judged: {found.judged:,} pieces, {found.judged_by_several:,} by several of {found.annotators:,};"
        f" their strata ({', '.join(found.strata) or 'none'}) hold {found.covered:,} of {found.pieces:,}."
        + (f" {found.outdated:,} judgements are of texts that changed or went." if found.outdated else "")
    )
    head = ("error", "found", "rate", "from", "to", "agreement", "alpha")
    rows = [(r.code, r.found, r.rate, r.low, r.high, r.agreement, r.alpha) for r in found.rates]
    print(table([head, *rows]))


COMMANDS = (explain, rules, audit)
