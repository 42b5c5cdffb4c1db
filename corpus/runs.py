"""``runs/``: one JSON file per crawl or refresh, whatever became of it.

In goes what a run has done so far, out comes the file, written beside and renamed, so never half.
A run that an error stops is kept too, with what was done before and the sentence that was said.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import fanwen
from fanwen.cleaners.pipeline import RULESET
from fanwen.corpus.health import Gate
from fanwen.corpus.home import Home
from fanwen.corpus.report import as_json
from fanwen.corpus.types import BuildReport, Release
from fanwen.errors import FanwenError
from fanwen.spiders.crawl import CrawlReport
from fanwen.spiders.site import Site

_VERDICTS = {0: "ok", 1: "damaged", 2: "not possible", 3: "degraded", 4: "blocked", 5: "incomplete"}


@dataclass
class RunReport:
    """What one crawl or refresh did so far; None is what it did not come to."""

    crawl: CrawlReport | None = None
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
        return (self.crawl.exit_code if self.crawl else 0) or (3 if self.refused else 0)


@contextmanager
def kept_run(home: Home, command: str, sites: Mapping[str, Site]) -> Iterator[RunReport]:
    """Give a report to fill in, and keep it when the block ends, however it ends."""
    report = RunReport()
    started = _now()
    try:
        yield report
    except BaseException as error:
        with suppress(OSError):  # what stopped the run may stop its record as well
            _keep(home, command, started, report, sites, error)
        raise
    _keep(home, command, started, report, sites, None)


def _keep(
    home: Home,
    command: str,
    started: str,
    report: RunReport,
    sites: Mapping[str, Site],
    error: BaseException | None,
) -> None:
    code = report.exit_code if error is None else _code(error)
    settings = as_json({name: site.model_dump() for name, site in sorted(sites.items())})
    ended = _now()
    run = {
        "command": command,
        "started": started,
        "ended": ended,
        "verdict": "refused" if error is None and report.refused else _VERDICTS[code],
        "exit_code": code,
        "error": None if error is None else " ".join(str(error).split()) or type(error).__name__,
        "fanwen": fanwen.__version__,
        "ruleset": RULESET,
        "sites_sha256": hashlib.sha256(settings.encode()).hexdigest(),
        "crawl": report.crawl,
        "build": report.build,
        "gates": report.gates,
        "release": report.release,
    }
    home.runs.mkdir(exist_ok=True)
    _write(_free_name(home.runs, ended), as_json(run, indent=2) + "\n")


def _code(error: BaseException) -> int:
    if isinstance(error, FanwenError):
        return error.exit_code
    return 5 if isinstance(error, KeyboardInterrupt | OSError) else 1


def _now() -> str:
    """A time that can be a file's name."""
    return time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())


def _free_name(folder: Path, stem: str) -> Path:
    names = (folder / f"{stem}{suffix}.json" for suffix in ("", *(f"_{n}" for n in range(2, 1000))))
    return next(name for name in names if not name.exists())


def _write(path: Path, text: str) -> None:
    scratch = path.with_suffix(".new")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
