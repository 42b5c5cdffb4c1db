"""Serves a release, or the corpus of a home, with Datasette: tables, search in Chinese, a page per piece.

In goes what :func:`fanwen.open` opens, out comes a server that only reads, until it is told to end. What is
not masked is served on this machine alone, and only where that is asked for.
"""

from __future__ import annotations

import ipaddress
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from datasette.app import Datasette
from datasette.database import Database
from datasette.plugins import pm
from datasette.utils.asgi import asgi_send

from fanwen.corpus.datasette_plugin import HISTORY, TABLES, Plugin
from fanwen.corpus.marks import Progress
from fanwen.corpus.reader import database_of
from fanwen.corpus.schema import Language, describe
from fanwen.corpus.served import look, make_tables
from fanwen.corpus.store import RELEASE, fixed_as, reading
from fanwen.corpus.tables import tables
from fanwen.errors import UsageError

_SETTINGS = {
    "truncate_cells_html": 160,
    "default_page_size": 50,
    "sql_time_limit_ms": 5000,
    "facet_time_limit_ms": 2000,
    "suggest_facets": False,
    "allow_download": False,
}


def serve(
    what: Path,
    host: str,
    port: int,
    language: Language,
    *,
    unmasked: bool,
    say: Callable[[str], None],
    progress: Progress | None = None,
) -> None:
    """Serve until a signal ends it; ``say`` is told the address once it answers there.

    Raises :class:`UsageError` for a place that cannot be listened on, and for texts that are not masked
    unless ``unmasked``; those never leave this machine.
    """
    with (
        closing(_listening(host, port)) as sock,
        application(
            what, language, unmasked=unmasked, local=is_loopback(host), progress=progress
        ) as datasette,
    ):
        name = f"[{host}]" if ":" in host else host
        app = _guarded(datasette.app(), unmasked=unmasked)
        config = uvicorn.Config(app, log_level="warning")
        say(f"http://{name}:{sock.getsockname()[1]}/")
        with suppress(KeyboardInterrupt):  # uvicorn ends what it does and passes the signal on
            uvicorn.Server(config).run(sockets=[sock])


@contextmanager
def application(
    what: Path, language: Language, *, unmasked: bool, local: bool = True, progress: Progress | None = None
) -> Iterator[Datasette]:
    """Datasette over two databases: the published tables, and what they are made from."""
    with ExitStack() as stack:
        database = database_of(what, stack)
        with reading(database) as store:
            masked = store.setting(RELEASE) is not None
        if not masked and not (unmasked and local):
            raise UsageError(
                f"Texts of {what} are not masked: serve a release, or show them on this machine alone with"
                " --unmasked."
            )
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fanwen-")))
        make_tables(database, scratch / "tables.db", progress)
        templates = stack.enter_context(as_file(files("fanwen.corpus") / "data/datasette"))
        plugin = Plugin(database, language)
        pm.register(plugin)
        stack.callback(pm.unregister, plugin)
        datasette = Datasette(
            [],
            metadata=_metadata(what, language, masked=masked),
            settings=_SETTINGS,
            template_dir=str(templates),
        )
        datasette.remove_database("_memory")  # it comes where no file is named
        datasette.add_database(Database(datasette, str(scratch / "tables.db"), is_mutable=False), name=TABLES)
        fixed = fixed_as(database) is not None
        datasette.add_database(Database(datasette, str(database), is_mutable=not fixed), name=HISTORY)
        yield datasette
        for one in datasette.databases.values():
            one.close()


def _asks_for_this_machine(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    host = next((value.decode("latin-1") for name, value in headers if name == b"host"), "")
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"Nothing can be served on {host}, port {port} ({error}); choose another --host or --port."
        ) from None


def _metadata(what: Path, language: Language, *, masked: bool) -> dict[str, Any]:
    """Titles and descriptions, from the data dictionary."""
    words = look().words[language]
    published = {
        name: {
            "description": getattr(tables()[name], language),
            "columns": {column.name: getattr(column, language) for column in tables()[name].columns},
            "facets": list(shown.facets),
            **({"label_column": "title"} if name == "pieces" else {}),
        }
        for name, shown in look().tables.items()
    }
    kept = {
        table.name: {
            "description": table.description,
            "columns": {column.name: column.description for column in table.columns},
        }
        for table in describe(language)
    }
    return {
        "title": f"fanwen {what.resolve().name}",
        "description": words["description"] if masked else f"{words['unmasked']} {words['description']}",
        "databases": {
            name: {"tables": described, "queries": _queries(name, language)}
            for name, described in ((TABLES, published), (HISTORY, kept))
        },
    }


def _queries(database: str, language: str) -> dict[str, dict[str, str]]:
    return {
        name: {"sql": query.sql, "title": query.titles[language]}
        for name, query in look().queries.items()
        if query.database == database
    }


def _guarded(app: Any, *, unmasked: bool) -> Any:
    """The same application, which tells search engines to leave its pages alone.

    With ``unmasked`` it answers to names of this machine only: a page of the web that had its own name lead
    here could read everything else.
    """

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and unmasked and not _asks_for_this_machine(scope["headers"]):
            await asgi_send(send, "This is for this machine alone.", 403)
            return

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-robots-tag", b"noindex")]}
            await send(message)

        await app(scope, receive, sending)

    return wrapped
