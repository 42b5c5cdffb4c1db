"""``fanwen sites``: which there are, new ones from pages, and whether what is known of them still holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from fanwen.corpus.canaries import Canary, approve, canaries
from fanwen.corpus.home import Home
from fanwen.corpus.options import home_option, json_option
from fanwen.corpus.report import print_json, table
from fanwen.corpus.site_review import as_row, as_text, decoded, reviews
from fanwen.corpus.site_review_html import review_html
from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.sample import (
    Fetched,
    Sample,
    bare_host,
    fetch_samples,
    one_site,
    read_saved,
    sitemaps_of,
)
from fanwen.spiders.scaffold import Given, scaffold
from fanwen.spiders.scaffold_links import Proposal
from fanwen.spiders.site import NAME, Site, builtin_site_folder, families, read_site
from fanwen.spiders.site_check import doubts, slow_patterns
from fanwen.spiders.urls import canonical_url

_url_option = click.option(
    "--url", "urls", multiple=True, metavar="URL", help="Where a saved page is from; one for each, in order."
)
_proxy_option = click.option("--proxy", metavar="URL", help="Ask this HTTP proxy instead of the site itself.")


@click.group()
def sites() -> None:
    """Site files: list them, make new ones, check them, approve sample pages."""


@sites.command("list")
@home_option
@json_option
def sites_list(home: Home, as_json: bool) -> None:
    """All sites, built-in and your own: status, family, and what a person decided about their rights."""
    known = list(home.sites().values())
    if as_json:
        print_json([site.model_dump() for site in known])
    else:
        head = ("site", "status", "family", "rights", "reviewed on", "title")
        rows = [(s.name, s.status, s.family, s.rights.decision, s.rights.reviewed_on, s.title) for s in known]
        print(table([head, *rows]))


@sites.command("check")
@home_option
@json_option
@click.argument("names", nargs=-1, metavar="[SITE|FILE…]")
@click.option(
    "--page", "pages", multiple=True, metavar="FILE", help="Show what the site file takes of a saved page."
)
@_url_option
@click.option(
    "--fetch", "fetched", multiple=True, metavar="URL", help="The same for a page fetched now, politely."
)
@_proxy_option
@click.option("--html", "html_file", metavar="FILE", help="Also write what is shown as one HTML page.")
@click.pass_context
def sites_check(
    context: click.Context,
    home: Home,
    as_json: bool,
    names: tuple[str, ...],
    pages: tuple[str, ...],
    urls: tuple[str, ...],
    fetched: tuple[str, ...],
    proxy: str | None,
    html_file: str | None,
) -> None:
    """Validate site files and run their canaries: those given, or all built-in ones and your own.

    With --page or --fetch, a dry run of one site file: what kind the URL is, the title, the pieces,
    the links that a crawl would follow, and what is refused. Nothing is kept.

    Warnings say what in a valid file contradicts itself, and which patterns could hold a crawl up.
    The exit code is 3 when a canary no longer gives what was approved.
    """
    chosen = _chosen(home, names)
    warned = _warnings(chosen)
    mask = home.config().mask
    if pages or fetched:
        if len(names) != 1:
            raise UsageError("A dry run is of one site file; name it: fanwen sites check SITE --page FILE.")
        site = chosen[0][0]
        samples = [*_samples(home, pages, urls), *_fetched(home, site, fetched, proxy)]
        reviewed = reviews(site, samples, mask)
        if html_file is not None:
            _write_page(html_file, review_html(site.name, reviewed, doubts=warned[site.name]))
        if as_json:
            rows = [as_row(one) for one in reviewed]
            print_json({"site": site.name, "warnings": warned[site.name], "pages": rows})
        else:
            _warn(warned)
            print("\n\n".join(map(as_text, reviewed)))
        return
    if urls or html_file or proxy:
        raise UsageError("--url, --html and --proxy go with a page; give --page FILE or --fetch URL too.")
    sung = {site.name: list(canaries(folder / site.name, site, mask)) for site, folder in chosen}
    if as_json:
        print_json([_checked_row(site, warned[site.name], sung[site.name]) for site, _ in chosen])
    else:
        _warn(warned)
        _say_checked(sung)
    if any(canary.changed for each in sung.values() for canary in each):
        context.exit(3)


@sites.command("new")
@home_option
@json_option
@click.argument("addresses", nargs=-1, metavar="[URL…]")
@click.option(
    "--from",
    "saved",
    multiple=True,
    metavar="FILE",
    help="A saved page, or a folder of them; may be repeated.",
)
@_url_option
@click.option("--name", metavar="NAME", help="Name of the site file; the host without www. by default.")
@click.option(
    "--delay", type=click.FloatRange(min=0), default=5.0, show_default=True, help="Seconds between requests."
)
@_proxy_option
def sites_new(
    home: Home,
    as_json: bool,
    addresses: tuple[str, ...],
    saved: tuple[str, ...],
    urls: tuple[str, ...],
    name: str | None,
    delay: float,
    proxy: str | None,
) -> None:
    """Propose a site file from a few pages of one site: two or three articles, and a list.

    Either URLs, fetched as a crawl would fetch them, or saved pages with --from. Writes
    sites/NAME.toml with status candidate, and sites/NAME.review.html: how sure each key is, and what
    it would take of each page. A file that is there is never overwritten. Example:
    fanwen sites new --from saved/
    """
    if bool(addresses) == bool(saved):
        raise UsageError("Give either URLs of pages or --from FILE, not both and not neither.")
    if urls and not saved:
        raise UsageError("--url says where a saved page is from; give --from FILE too.")
    if saved:
        brought = Fetched(tuple(read_saved([Path(file) for file in saved], urls)))
        file = _new_file(home, name, [sample.url for sample in brought.samples])
    else:
        wanted = [_canonical(url) for url in addresses]
        file = _new_file(home, name, wanted)  # what is wrong with the name is told before anything is fetched
        passing = _passing_site(wanted, delay)
        brought = fetch_samples(wanted, passing, contact=home.config().contact, proxy=proxy)
    read = {sample.url: decoded(sample) for sample in brought.samples}
    given = [Given(url, text) for url, (text, _) in read.items()]
    made = scaffold(given, name=file.stem, sitemaps=sitemaps_of(brought.robots, given[0].url))
    proposals = (*made.proposals, _encoding({encoding for _, encoding in read.values()}))
    reviewed = reviews(made.site, brought.samples, home.config().mask)
    page = file.with_suffix(".review.html")
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(page, review_html(made.site.name, reviewed, toml=made.text, proposals=proposals))
    _write(file, made.text)
    if as_json:
        told = {"site": made.site.name, "file": file, "review": page, "proposals": proposals}
        print_json({**told, "pages": [as_row(one) for one in reviewed], "failed": brought.failed})
        return
    _say_failed(brought.failed)
    print(table([("key", "value", "sure", "why"), *map(_proposal_row, proposals)]))
    pieces = sum(len(one.pieces) for one in reviewed)
    print(f"\n{file} is written, a candidate; it takes {pieces} pieces of {len(read)} pages.")
    if (builtin_site_folder() / file.name).is_file():
        print("It replaces the built-in site of that name.")
    print(f"Look at {page}, correct the file, then: fanwen sites check {made.site.name}")


@sites.command("approve")
@home_option
@json_option
@click.argument("name", metavar="SITE")
@click.argument("pages", nargs=-1, required=True, metavar="PAGE…")
@_url_option
def sites_approve(
    home: Home, as_json: bool, name: str, pages: tuple[str, ...], urls: tuple[str, ...]
) -> None:
    """Keep sample pages as canaries: what they give now is what they shall give from now on.

    Each PAGE is a saved page or a URL of the archive; the pages of one article become one canary.
    Look at them with 'sites check SITE --page' before. Approving a page again accepts what it gives
    now. 'sites check' says when one changes.
    """
    (site, folder), *_ = _chosen(home, (name,))
    rows = []
    for one in reviews(site, _samples(home, pages, urls), home.config().mask):
        if one.judged.kind is None:
            raise UsageError(
                f"The site file of {site.name} would not visit {one.judged.url} ({one.judged.why});"
                " a canary must be a page that it takes."
            )
        record, changed = approve(folder / site.name, one)
        rows.append({**as_row(one), "canary": str(record), "known": changed is not None, "changed": changed})
        if not as_json:
            print(as_text(one))
            for line in changed or ():
                print(f"  accepted: {line}")
            print(f"  kept as {record}")
    if as_json:
        print_json(rows)


# -- which sites, which pages ----------------------------------------------------------------------


def _chosen(home: Home, names: Sequence[str]) -> list[tuple[Site, Path]]:
    """Each site with the folder that its canaries' folder lies in."""
    if not names:
        folders = (builtin_site_folder(), home.site_folder)
        found = {file.stem: read_site(file) for folder in folders for file in sorted(folder.glob("*.toml"))}
        return [(site, home.site_folder) for site in found.values()]
    chosen = []
    for name in names:
        path = Path(name)
        if path.suffix == ".toml" or path.is_file():
            chosen.append((read_site(path), path.parent))
        else:
            own = (folder / f"{name}.toml" for folder in (home.site_folder, builtin_site_folder()))
            file = next((file for file in own if file.is_file()), None)
            if file is None:
                raise UsageError(
                    f"There is no site and no file '{name}'; 'fanwen sites list' shows the sites there are."
                )
            chosen.append((read_site(file), home.site_folder))
    return chosen


def _samples(home: Home, pages: Sequence[str], urls: Sequence[str]) -> list[Sample]:
    """Saved pages, and those of the archive with all pages of their document."""
    archived = [page for page in pages if page.startswith(("http://", "https://"))]
    saved = [Path(page) for page in pages if page not in archived]
    if urls and not saved:
        raise UsageError("--url says where a saved page is from; give the page too.")
    return [*read_saved(saved, urls), *(sample for url in archived for sample in _archived(home, url))]


def _fetched(home: Home, site: Site, addresses: Sequence[str], proxy: str | None) -> Sequence[Sample]:
    wanted = [_canonical(url) for url in addresses]
    for url in wanted:
        if urlsplit(url).netloc not in (site.host, *site.hosts):
            raise UsageError(f"{url} is not of {site.name}: its host is not among 'host' and 'hosts'.")
    if not wanted:
        return ()
    brought = fetch_samples(wanted, site, contact=home.config().contact, proxy=proxy)
    _say_failed(brought.failed)
    return brought.samples


def _archived(home: Home, url: str) -> list[Sample]:
    """A page of the archive; with the first page of a document, all of them."""
    known = _canonical(url)
    with Archive(home.archive, readonly=True) as archive:
        document = archive.document(known)
        parts = document.parts if document else ()
        found = [part for part in parts if known in (part.url, document and document.url)]
        if not found:
            raise UsageError(f"The archive of {home.path} has no page {url}; crawl it, or give a saved page.")
        return [
            Sample(part.url, part.url, archive.body(part.body_hash), part.content_type, part.fetched_at)
            for part in found
        ]


def _canonical(url: str) -> str:
    try:
        return canonical_url(url)
    except ValueError:
        raise UsageError(f"{url} is no http(s) URL; give one, or saved pages with --from.") from None


def _passing_site(urls: Sequence[str], delay: float) -> Site:
    """A site that is only good for fetching these URLs."""
    host, others = one_site(urls)
    known = {"name": "new", "title": host, "host": host, "hosts": others, "polite": {"delay": delay}}
    return Site.model_validate(known)


def _new_file(home: Home, name: str | None, urls: Sequence[str]) -> Path:
    """The file to be made. Raises UsageError when it is there, or cannot be named so."""
    known = name or bare_host(one_site(urls)[0]).replace(":", "-")
    if not re.fullmatch(NAME, known):
        raise UsageError(
            f"A site cannot be named '{known}'; give --name with small letters, digits, . and -."
        )
    file = home.site_folder / f"{known}.toml"
    if file.exists():
        raise UsageError(f"{file} is there already and is not overwritten; move it away or give --name.")
    return file


# -- what is said ----------------------------------------------------------------------------------


def _warnings(chosen: Sequence[tuple[Site, Path]]) -> dict[str, list[str]]:
    slow = slow_patterns(site for site, _ in chosen)
    return {
        site.name: [
            *doubts(site, families(folder)),
            *(
                f"the pattern {pattern} can be read in so many ways that a long URL holds the crawl up"
                for pattern in slow.get(site.name, ())
            ),
        ]
        for site, folder in chosen
    }


def _warn(warned: dict[str, list[str]]) -> None:
    for name, lines in warned.items():
        for line in lines:
            click.echo(f"warning: {name}: {line}", err=True)


def _checked_row(site: Site, warned: Sequence[str], sung: Sequence[Canary]) -> dict[str, object]:
    return {
        "site": site.name,
        "status": site.status,
        "ok": not any(canary.changed for canary in sung),
        "warnings": list(warned),
        "canaries": sung,
    }


def _say_checked(sung: Mapping[str, Sequence[Canary]]) -> None:
    print(f"{len(sung)} site files are valid: {', '.join(sung)}")
    every = [canary for each in sung.values() for canary in each]
    if every:
        bad = sum(bool(canary.changed) for canary in every)
        print(f"{len(every)} canaries, {bad} of them changed")
    for canary in every:
        for line in canary.changed:
            print(f"  {canary.url}: {line}")


def _say_failed(failed: Sequence[str]) -> None:
    for line in failed:
        click.echo(f"not fetched: {line}", err=True)


def _encoding(found: set[str]) -> Proposal:
    """Told and never written: the bytes decide page by page, and a forced charset would outlive a change."""
    why = (
        f"the bytes say {', '.join(sorted(found))}; decoding asks them anew for every page, so no key is set"
    )
    return Proposal("extract.encoding", (), "none", why)


def _proposal_row(one: Proposal) -> tuple[str, ...]:
    value = one.value if isinstance(one.value, str) else ", ".join(one.value)
    return one.key, value or "–", one.sure, one.why


def _write_page(name: str, page: str) -> None:
    try:
        _write(Path(name), page)
    except OSError as error:
        raise UsageError(f"The file {name} cannot be written ({error.strerror}); choose another.") from None


def _write(path: Path, text: str) -> None:
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_text(text, encoding="utf-8", errors="replace")
    scratch.replace(path)


COMMANDS = (sites,)
