"""What Datasette shows of a corpus beside its tables: search in Chinese, and a page for each piece.

In go the database and a language, out come the hooks of a plugin of Datasette, to be registered while one is
served. Nothing is written.
"""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from datasette import hookimpl
from datasette.app import Datasette
from datasette.filters import FilterArguments
from datasette.utils import tilde_decode, tilde_encode
from datasette.utils.asgi import NotFound, Request, Response
from jinja2 import Environment
from markupsafe import Markup, escape

from fanwen.corpus import search
from fanwen.corpus.reader import Corpus
from fanwen.corpus.served import look
from fanwen.corpus.types import Origin
from fanwen.errors import UsageError

TABLES = "fanwen"  # the database with the published tables
HISTORY = "history"  # the one that they were made from
_SHOWN = 50  # results of a search on its page
_KEPT = 16  # searches whose pieces are remembered

_RELATED = """
select relation, jaccard, other, p.title from (
  select relation, jaccard, b as other from relations where a = :id
  union all select relation, jaccard, a from relations where b = :id
) join pieces p on p.id = other order by jaccard desc, other
"""


class Plugin:
    """The hooks, for one ``database`` and one of the languages of ``data/serve.toml``."""

    __name__ = "fanwen"  # Datasette asks every plugin for it

    def __init__(self, database: Path, language: str) -> None:
        self._database = database
        self._words = look().words[language]
        self._holders = lru_cache(maxsize=_KEPT)(self._found)

    @hookimpl
    def prepare_connection(self, conn: sqlite3.Connection, database: str) -> None:
        """``holds(id, words)``: whether title or text of a piece holds these words."""
        if database == TABLES:
            conn.create_function(
                "holds", 2, lambda name, query: name in self._holders(query), deterministic=True
            )

    @hookimpl
    def register_routes(self) -> list[tuple[str, Callable[..., Awaitable[Response]]]]:
        return [(r"^/-/search$", self._search), (r"^/-/piece/(?P<name>[^/]+)$", self._piece)]

    @hookimpl
    def menu_links(self, datasette: Datasette) -> list[dict[str, str]]:
        return [{"href": datasette.urls.path("/-/search"), "label": self._words["search"]}]

    @hookimpl
    def prepare_jinja2_environment(self, env: Environment) -> None:
        env.filters["tilde"] = tilde_encode

    @hookimpl
    def extra_template_vars(self) -> Mapping[str, object]:
        return {"words": self._words}

    @hookimpl(trylast=True)
    def filters_from_request(self, request: Request, database: str, table: str) -> object:
        """The search box of the table of pieces; last, since Datasette says that there is no index."""
        if (database, table) != (TABLES, "pieces"):
            return None
        query = request.args.get("_search") or ""

        async def inner() -> FilterArguments:
            shown = {"supports_search": True, "search": query}
            if not query:
                return FilterArguments([], extra_context=shown)
            await asyncio.to_thread(self._holders, query)  # which would count as time of the queries
            return FilterArguments(["holds(id, :words)"], {"words": query}, [f"“{query}”"], shown)

        return inner

    @hookimpl
    def render_cell(
        self, row: Any, value: object, column: str, table: str | None, database: str, datasette: Datasette
    ) -> Markup | None:
        """Links from a title to the page of its piece, and from a cluster to its members."""
        if value is None:
            return None
        if column == "cluster_id":
            return _link(
                f"{datasette.urls.table(TABLES, 'pieces')}?cluster_id={tilde_encode(str(value))}", value
            )
        named = "id" if (column, table) == ("title", "pieces") else "piece" if column == "piece" else None
        if named is None or named not in row.keys():  # noqa: SIM118 -- a row of SQLite is no dict
            return None
        # one that refers to another table comes with its label
        name = row[named]["value"] if isinstance(row[named], dict) else row[named]
        return _link(datasette.urls.path(f"/-/piece/{tilde_encode(name)}"), value)

    def _found(self, query: str) -> frozenset[str]:
        return frozenset(search.matching_pieces(self._database, query))

    async def _search(self, request: Request, datasette: Datasette) -> Response:
        query = (request.args.get("q") or "").strip()
        found = None
        if query:
            found = await asyncio.to_thread(search.search, self._database, query, titles=True, limit=_SHOWN)
        shown = {"query": query, "found": found}
        return Response.html(await datasette.render_template("search.html", shown, request=request))

    async def _piece(self, request: Request, datasette: Datasette) -> Response:
        name = tilde_decode(request.url_vars["name"])
        shown = await asyncio.to_thread(_page, self._database, name)
        related = await datasette.get_database(TABLES).execute(_RELATED, {"id": name})
        shown["relations"] = [dict(row) for row in related]
        return Response.html(await datasette.render_template("piece.html", shown, request=request))


def _page(database: Path, name: str) -> dict[str, object]:
    """A piece in its last state; one that is gone has a history and no more."""
    with Corpus(database) as corpus:
        try:
            log = corpus.history(name)[0]
        except UsageError as error:
            raise NotFound(str(error)) from None
        shown: dict[str, object] = {"log": log, "last": log.states[-1], "origin": [], "copies": []}
        if log.current:
            members = [member for cluster in corpus.clusters(name) for member in cluster.members]
            shown["origin"] = list(_facts(corpus.origin(name)))
            shown["copies"] = [member.sighting for member in members]
        return shown


def _facts(origin: Origin) -> Iterator[tuple[str, object]]:
    """What is known, in the order of the fields; a page and a claim have a line each."""
    for field in dataclasses.fields(origin):
        value = getattr(origin, field.name)
        if field.name == "pages":
            yield from (("page", f"{one.url} {one.fetched_at or ''} sha256 {one.sha256}") for one in value)
        elif field.name == "claims":
            yield from ((f"claimed {one.kind}", f"{one.value} ({one.line})") for one in value)
        elif field.name == "span":
            yield "span", "–".join(map(str, value))
        elif value is not None:
            yield field.name, value


def _link(href: str, text: object) -> Markup:
    return Markup('<a href="{}">{}</a>').format(href, escape(str(text)))
