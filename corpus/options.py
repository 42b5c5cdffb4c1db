"""Options that many commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fanwen.corpus.home import DEFAULT, Home


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
