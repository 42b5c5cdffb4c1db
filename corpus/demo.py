"""``fanwen demo``: sample sites on loopback, the real refresh twice, two releases.

The demo remembers its phase in ``demo.json``; started again after any death it goes on
there. Each phase is safe to repeat: a refresh that finds nothing new publishes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence

from fanwen.corpus import release_changes, release_index
from fanwen.corpus import stats as stats_module
from fanwen.corpus.home import Home
from fanwen.corpus.refresh import refresh
from fanwen.corpus.report import Progress, table
from fanwen.corpus.runs import RunReport
from fanwen.corpus.types import Change
from fanwen.errors import RefusedError, UsageError
from fanwen.spiders.samples import site_folder
from fanwen.spiders.samples.render import State
from fanwen.spiders.samples.server import SampleServer

_PHASES = ("first", "second", "done")
_CONFIG = (
    '# made by fanwen demo: its sites are served on this machine only\ncontact = "demo@fanwen.example"\n'
)


def demo(home: Home, say: Callable[[str], None], progress: Progress) -> None:
    """Run what is left of the demo in ``home``, saying what happens.

    Raises RefusedError when a refresh publishes nothing although it should.
    """
    phase = _phase(home)
    if phase == "first":
        _prepare(home)
        say("1  The five sample sites as they are today: crawl, build, release")
        _one_refresh(home, "one", revisit=False, say=say, progress=progress)
        _remember(home, "second")
        _start_again()
    if phase == "second":
        say("2  A page changed, one is new, one is gone: refresh")
        _one_refresh(home, "two", revisit=True, say=say, progress=progress)
        _remember(home, "done")
    _show(home, say)


def _prepare(home: Home) -> None:
    home.path.mkdir(parents=True, exist_ok=True)
    _remember(home, "first")
    home.site_folder.mkdir(exist_ok=True)
    home.config_file.write_text(_CONFIG, encoding="utf-8")
    for file in sorted(site_folder().glob("*.toml")):
        shutil.copyfile(file, home.site_folder / file.name)


def _one_refresh(
    home: Home, state: State, *, revisit: bool, say: Callable[[str], None], progress: Progress
) -> None:
    with SampleServer(state) as server:
        report = refresh(home, proxy=server.proxy_url, revisit=revisit, progress=progress)
    progress.close()
    say(_told(report))
    if report.refused:
        raise RefusedError(f"The refresh published nothing: {'; '.join(report.refused)}.")


def _start_again() -> None:
    """A crawl's reactor runs once in a process: go on in a new one with the same number."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _phase(home: Home) -> str:
    file = home.path / "demo.json"
    if not file.exists():
        if home.path.exists() and any(path.name != "lock" for path in home.path.iterdir()):
            raise UsageError(
                f"{home.path} holds something else than a demo; choose another folder with --home."
            )
        return "first"
    try:
        phase = json.loads(file.read_text(encoding="utf-8"))["phase"]
        if phase not in _PHASES:
            raise ValueError(phase)
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{file} is damaged; delete the folder {home.path} and start the demo anew."
        ) from None
    return str(phase)


def _remember(home: Home, phase: str) -> None:
    scratch = home.path / "demo.json.new"
    scratch.write_text(json.dumps({"phase": phase}) + "\n", encoding="utf-8")
    scratch.replace(home.path / "demo.json")


def _told(report: RunReport) -> str:
    sites = report.crawl.sites if report.crawl else ()
    rows = [(site.site, f"{site.requests} requests", f"{site.new} new", f"{site.changed} changed",
             f"{site.unchanged} unchanged", f"{site.gone} gone") for site in sites]  # fmt: skip
    made = f"   release {report.release.version}" if report.release else "   nothing changed: no release"
    return table(rows, indent="   ") + "\n" + made


def _show(home: Home, say: Callable[[str], None]) -> None:
    releases = release_index.listing(home.releases)
    old, new = releases[-2].version, releases[-1].version
    say("\nWhat the corpus holds\n" + stats_module.stats(home.corpus).summary())
    say(f"\nWhat changed from {old} to {new}\n" + _changes(release_changes.diff(home.corpus, old, new)))
    say("\nWhere it lies\n" + table([
        (home.archive, "every page as it came"),
        (home.corpus, "pieces with history and origin"),
        *((home.releases / release.version, f"{release.pieces_default} pieces, root {release.root[:16]}…")
          for release in releases),
    ]))  # fmt: skip
    tries = (
        *(f"{words} --home {home.path}" for words in ("search 总结", "duplicates", "release verify")),
        f"pull {home.releases} --to {home.path}-pulled",
        f"serve --site {home.releases}",
    )
    say("\nTry next\n" + "\n".join(f"  {_own_name()} {words}" for words in tries))


def _own_name() -> str:
    """How this command is called from here: by its name alone only where the shell finds it."""
    return "fanwen" if shutil.which("fanwen") else os.path.relpath(sys.argv[0])


def _changes(changes: Sequence[Change]) -> str:
    return table((change.change, change.why, change.title, change.url) for change in changes)
