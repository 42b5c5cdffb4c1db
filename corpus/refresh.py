"""``fanwen refresh``: crawl, build, health gates, and a release if anything changed.

In goes a home, out comes a :class:`RunReport`, which is also kept in ``runs/``. A refresh whose
gates refuse publishes nothing; after any death the next one goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fanwen.corpus import erase
from fanwen.corpus import release as release_module
from fanwen.corpus.build import BuildReport, build
from fanwen.corpus.health import gates
from fanwen.corpus.home import Home
from fanwen.corpus.live import CrawlProgress
from fanwen.corpus.report import Progress
from fanwen.corpus.runs import RunReport, kept_run
from fanwen.corpus.store import reading
from fanwen.corpus.versions import text_digests
from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.crawl import CrawlOptions, CrawlReport, crawl
from fanwen.spiders.site import Site

# what a refresh crawls of its own accord; a candidate has not been checked by anybody
CRAWLED = ("probation", "active")


def refresh(
    home: Home,
    *,
    names: Sequence[str] = (),
    proxy: str | None = None,
    revisit: bool = False,
    workers: int | None = None,
    progress: Progress,
) -> RunReport:
    """Crawl the sites ``names`` (all active ones by default), build, check, and publish what changed.

    Raises UsageError without sites or contact, and what crawl, build and release raise.
    """
    sites = chosen_sites(home, names)
    with home.locked("refresh"), kept_run(home, "refresh", sites) as report:
        report.crawl = crawl_home(home, sites, proxy=proxy, revisit=revisit)
        # an interrupted crawl says nothing about what is gone; the next run goes on with it
        if report.crawl.exit_code != 5:
            _publish(home, report, sites, workers, progress)
    return report


def chosen_sites(home: Home, names: Sequence[str]) -> dict[str, Site]:
    """The sites to crawl, by name. Raises UsageError for unknown names and unchecked sites."""
    home.config()  # a broken configuration is told before anything else
    known = home.sites()
    for name in names:
        if name not in known:
            raise UsageError(f"There is no site '{name}'; 'fanwen sites list' shows those there are.")
        if known[name].status not in CRAWLED:
            raise UsageError(
                f"The site '{name}' is {known[name].status}; check its file, copy it to {home.site_folder} "
                'and set status = "active".'
            )
    sites = {
        name: site for name, site in known.items() if site.status in CRAWLED and (not names or name in names)
    }
    if not sites:
        raise UsageError(
            "No site is active; check one, copy its file to the home's sites/ and set its status."
        )
    return sites


def crawl_only(
    home: Home,
    names: Sequence[str] = (),
    *,
    proxy: str | None = None,
    revisit: bool = False,
    shard: tuple[int, int] | None = None,
) -> CrawlReport:
    """What ``fanwen crawl`` does: a refresh without what comes after the crawl."""
    sites = chosen_sites(home, names)
    with home.locked("crawl"), kept_run(home, "crawl", sites) as report:
        report.crawl = crawl_home(home, sites, proxy=proxy, revisit=revisit, shard=shard)
        return report.crawl


def crawl_home(
    home: Home,
    sites: Mapping[str, Site],
    *,
    proxy: str | None = None,
    revisit: bool = False,
    shard: tuple[int, int] | None = None,
) -> CrawlReport:
    """Crawl into the home's archive. Raises UsageError without contact or beyond the disk budget."""
    config = home.config()
    if home.used_gb() > config.disk_budget_gb:
        raise UsageError(
            f"The home {home.path} is larger than its budget of {config.disk_budget_gb:g} GB; "
            f"raise disk_budget_gb in {home.config_file} or free some."
        )

    progress = CrawlProgress()
    try:
        return crawl(
            CrawlOptions(
                home.archive,
                sites,
                contact=config.contact,
                proxy=proxy,
                revisit=revisit,
                shard=shard,
                progress=progress,
                takedown=home.takedown(),
            )
        )
    finally:
        progress.close()


def build_home(home: Home, *, workers: int | None = None, progress: Progress) -> BuildReport:
    """Build the home's corpus from its archive, with what the site files know.

    The archive is told which documents kept their text, so that the next crawl leaves them alone for longer.
    What a takedown left to be erased is erased first, and what came back of it afterwards.
    """
    if home.archive.is_file() or _has_ready_pieces_only(home):
        Archive(home.archive).close()  # brings one of an earlier fanwen up to date
    erase.finish(home, progress)
    sites = home.sites()
    report = build(
        home.archive,
        home.corpus,
        sites=sites,
        site_status={name: site.status for name, site in sites.items()},
        site_decision={name: site.rights.decision for name, site in sites.items()},
        mask=home.config().mask,
        takedown=home.takedown(),
        workers=workers,
        progress=progress,
    )
    with Archive(home.archive) as archive, reading(home.corpus) as store:
        archive.note_texts(text_digests(store, archive.texts_wanted()))
    erase.finish(home, progress)
    return report


def _has_ready_pieces_only(home: Home) -> bool:
    """Whether nothing in the corpus came from an archive: one that is lost must be missed."""
    if not home.corpus.is_file():
        return False
    with reading(home.corpus) as store:
        return not store.value("select exists (select 1 from document where source = 'archive')")


def _publish(
    home: Home, report: RunReport, sites: Mapping[str, Site], workers: int | None, progress: Progress
) -> None:
    report.build = build_home(home, workers=workers, progress=progress)
    report.gates = gates(home.corpus, sites)
    if not report.refused:
        report.release = release_module.create(
            home.corpus,
            home.releases,
            mask=home.config().mask,
            takedown=home.takedown(),
            publishing=home.publishing(),
            progress=progress,
        )
