"""The command ``fanwen``: what a user types goes in, reports and an exit code come out.

Errors a user can cause are one sentence on stderr, never a traceback; exit codes are those
of :mod:`fanwen.errors`. The commands themselves stand in the ``cli_*`` modules.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sqlite3
import sys
import traceback
from collections import UserDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click

import fanwen
from fanwen.errors import FanwenError

# each command with the module that holds it, in the order of the help
_MODULES = {
    "init": "cli_crawl",
    "demo": "cli_crawl",
    "crawl": "cli_crawl",
    "refresh": "cli_crawl",
    "ingest": "cli_crawl",
    "sites": "cli_sites",
    "clean": "cli_clean",
    "build": "cli_corpus",
    "release": "cli_corpus",
    "pull": "cli_client",
    "duplicates": "cli_duplicates",
    "reuse": "cli_duplicates",
    "search": "cli_corpus",
    "stats": "cli_corpus",
    "verify": "cli_corpus",
    "export": "cli_export",
    "serve": "cli_serve",
    "checkout": "cli_versions",
    "log": "cli_versions",
    "backup": "cli_versions",
    "restore": "cli_versions",
    "explain": "cli_audit",
    "rules": "cli_audit",
    "audit": "cli_audit",
    "archive": "cli_archive",
    "takedown": "cli_takedown",
}


class _Commands(UserDict[str, click.Command]):
    """The commands by name; a module is imported when one of its commands is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in self.data:
            module = import_module(f"fanwen.corpus.{_MODULES[name]}")
            self.data |= {str(command.name): command for command in module.COMMANDS}
        return self.data[name]

    def __contains__(self, name: object) -> bool:
        return name in _MODULES

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


@click.group(
    commands=_Commands(), context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(fanwen.__version__, message="fanwen %(version)s")
def cli() -> None:
    """Build, keep and publish a living corpus of Chinese 范文 (sample essays).

    Start with 'fanwen demo'. Everything is kept in one folder, the home: --home,
    or the environment variable FANWEN_HOME, or ./fanwen-data.

    Exit codes: 0 ok, 1 data damaged or a verification failed, 2 usage or
    configuration, 3 degraded or a gate refused, 4 blocked or locked,
    5 incomplete or interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code."""
    _prepare_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP, and that stays
            signal.signal(number, _interrupted)
    sys.exit(_closed(_run(arguments)))


def _prepare_streams() -> None:
    """Open what was closed: else a database gets the number of a stream, and reports are written into it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # reports are UTF-8 wherever they go; a lone surrogate must not end a run
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def _interrupted(_number: int, _frame: object) -> NoReturn:
    """A scheduler that stops us, or a terminal that was closed, is heard like Ctrl-C."""
    raise KeyboardInterrupt


def _closed(code: int) -> int:
    """Write out what is left to say. A reader that is gone changes nothing, a full disk is a trouble."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except (OSError, ValueError) as error:
        code = code or _system(OSError(getattr(error, "errno", None) or errno.EIO, str(error)))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # Python flushes once more at the end, and would leave with a code of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = cli.main(args=arguments, prog_name="fanwen", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except FanwenError as error:
        return _say(str(error), error.exit_code)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return 2
    except click.UsageError as error:
        where = f" '{error.ctx.command_path} --help' shows what it takes." if error.ctx else ""
        return _say(f"{error.format_message().rstrip('.')}.{where}", 2)
    except click.ClickException as error:
        return _say(error.format_message(), 2)
    except (KeyboardInterrupt, click.Abort):
        return _say("Interrupted; what was committed is kept, and the same command goes on from there.", 5)
    except (BrokenPipeError, SystemExit):
        return 0  # the reader of our pipe has seen enough (click makes an exit of that): nothing is wrong
    except (OSError, sqlite3.Error) as error:
        return _system(error)
    except Exception as error:
        return _bug(error)


def _system(error: OSError | sqlite3.Error) -> int:
    """Troubles of the machine that no command explained better."""
    text = str(error)
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in text:
        return _say("The disk is full; free some and run the command again: what was committed is kept.", 5)
    if getattr(error, "errno", None) == errno.EIO:
        return _say(
            "Disk or terminal failed; check them and run the command again: what was committed is kept.", 5
        )
    if "locked" in text:
        return _say("The database is busy in another process; wait until that ends and try again.", 4)
    if isinstance(error, sqlite3.OperationalError) and "readonly" in text:
        return _say("The database cannot be written; check who owns the home folder.", 2)
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return _say(f"A database is damaged ({text}); 'fanwen verify' says what can be rebuilt.", 1)
    if isinstance(error, OSError) and error.filename is not None:
        return _say(f"{error.filename}: {error.strerror}; check the path and its permissions.", 2)
    return _bug(error)


def _bug(error: Exception) -> int:
    if os.environ.get("FANWEN_DEBUG"):
        traceback.print_exc()
    kind = type(error).__name__
    return _say(f"Unexpected {kind}: {error}. Please report it; FANWEN_DEBUG=1 shows where it came from.", 1)


def _say(sentence: str, code: int) -> int:
    with suppress(OSError, ValueError):  # the log may lie on the disk that is full
        print("fanwen: " + " ".join(sentence.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
