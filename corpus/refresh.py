"""``fanwen refresh``: crawl, build, health gates, and a release if anything changed.

In goes a home, out comes a :class:`RefreshReport`, which is also kept in ``runs/``. A refresh
whose gates refuse publishes nothing; after any death the next one goes on.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import fanwen
from fanwen.cleaners.pipeline import RULESET
from fanwen.corpus import release as release_module
from fanwen.corpus.build import BuildReport, build
from fanwen.corpus.health import Gate, gates
from fanwen.corpus.home import Home
from fanwen.corpus.live import CrawlProgress
from fanwen.corpus.report import Progress, as_json
from fanwen.corpus.store import open_store
from fanwen.corpus.types import Release
from fanwen.corpus.versions import text_digests
from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.crawl import CrawlOptions, CrawlReport, crawl
from fanwen.spiders.site import Site

# what a refresh crawls of its own accord; a candidate has not been checked by anybody
CRAWLED = ("probation", "active")


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What one refresh did; ``build`` and later are None where it stopped before them."""

    crawl: CrawlReport
    build: BuildReport | None = None
    gates: tuple[Gate, ...] = ()
    release: Release | None = None

    @property
    def refused(self) -> tuple[str, ...]:
        """What the gates refused, in sentences."""
        return tuple(gate.detail for gate in self.gates if not gate.passed)

    @property
    def exit_code(self) -> int:
        """That of the crawl where it is not 0; else 3 when a gate refused."""
        return self.crawl.exit_code or (3 if self.refused else 0)


def refresh(
    home: Home,
    *,
    names: Sequence[str] = (),
    proxy: str | None = None,
    revisit: bool = False,
    workers: int | None = None,
    progress: Progress,
) -> RefreshReport:
    """Crawl the sites ``names`` (all active ones by default), build, check, and publish what changed.

    Raises UsageError without sites or contact, and what crawl, build and release raise.
    """
    sites = chosen_sites(home, names)
    with home.locked("refresh"):
        crawled = crawl_home(home, sites, proxy=proxy, revisit=revisit)
        report = RefreshReport(crawled)
        # an interrupted crawl says nothing about what is gone; the next run goes on with it
        if crawled.exit_code != 5:
            report = _publish(home, crawled, sites, workers, progress)
        _keep(home, report, sites)
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
    """
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
    with Archive(home.archive) as archive, open_store(home.corpus, readonly=True) as store:
        archive.note_texts(text_digests(store, archive.texts_wanted()))
    return report


def _publish(
    home: Home, crawled: CrawlReport, sites: Mapping[str, Site], workers: int | None, progress: Progress
) -> RefreshReport:
    built = build_home(home, workers=workers, progress=progress)
    checked = gates(home.corpus, sites)
    made = None
    if all(gate.passed for gate in checked):
        made = release_module.create(
            home.corpus, home.releases, mask=home.config().mask, takedown=home.takedown()
        )
    return RefreshReport(crawled, built, checked, made)


def _keep(home: Home, report: RefreshReport, sites: Mapping[str, Site]) -> None:
    """One JSON per run, under the time it ended; written beside and renamed, so never half."""
    home.runs.mkdir(exist_ok=True)
    ended = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    settings = as_json({name: site.model_dump() for name, site in sorted(sites.items())})
    run = {
        "ended": ended,
        "verdict": "refused" if report.refused else "ok" if report.exit_code == 0 else "degraded",
        "exit_code": report.exit_code,
        "fanwen": fanwen.__version__,
        "ruleset": RULESET,
        "sites_sha256": hashlib.sha256(settings.encode()).hexdigest(),
        "crawl": report.crawl,
        "build": report.build,
        "gates": report.gates,
        "release": report.release,
    }
    _write(_free_name(home.runs, ended), as_json(run, indent=2) + "\n")


def _free_name(folder: Path, stem: str) -> Path:
    names = (folder / f"{stem}{suffix}.json" for suffix in ("", *(f"-{n}" for n in range(2, 1000))))
    return next(name for name in names if not name.exists())


def _write(path: Path, text: str) -> None:
    scratch = path.with_suffix(".new")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
