"""Options that many commands share, and the corpus that they ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fanwen.corpus.home import DEFAULT, Home
from fanwen.errors import UsageError


def _home(_context: click.Context, _parameter: click.Parameter, value: str) -> Home:
    return Home(Path(value))


def home_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--home``: the folder that holds everything."""
    return click.option(
        "--home",
        metavar="DIR",
        envvar="FANWEN_HOME",
        default=DEFAULT,
        callback=_home,
        help="Folder that holds archive, corpus and releases [FANWEN_HOME, or ./fanwen-data].",
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--json``: the report for machines."""
    return click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")(command)


def corpus_file(home: Home) -> Path:
    """The corpus.db of a home; :class:`UsageError` where there is none yet."""
    if not home.corpus.is_file():
        raise UsageError(
            f"There is no corpus in {home.path}; 'fanwen ingest' or 'fanwen crawl', then 'fanwen build'."
        )
    return home.corpus
