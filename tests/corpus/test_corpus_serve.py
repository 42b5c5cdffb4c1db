"""fanwen serve: Datasette with search in Chinese and a page per piece, read-only, masked unless on this machine."""

from __future__ import annotations

import asyncio
import html as html_module
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from fanwen.corpus import cli, release, serve
from fanwen.corpus.reader import Corpus
from fanwen.corpus.schema import describe
from fanwen.corpus.served import look
from fanwen.corpus.tables import SIDE_TABLES, tables
from fanwen.errors import UsageError

PHONE = "13912345670"
Get = Callable[..., Any]


@pytest.fixture
def made(home: Any, write: Any, html: Any) -> Any:
    """A home with a release and a change since; markup in a title, a copy, a phone number."""
    home.serve(
        {
            "a": html("食堂工作总结", f"联系电话：{PHONE}。\n{write(1)}"),
            "copy": html("食堂工作总结", f"联系电话：{PHONE}。\n{write(1)}"),
            "marked": html("&lt;script&gt;alert(1)&lt;/script&gt;计划", write(2)),
            **{f"own{n}": html("倡议书", write(n + 10, 8)) for n in range(8)},
        }
    )
    home.build()
    release.create(home.corpus, home.releases)
    home.serve({"new": html("演讲稿", write(60))}, day=2)
    home.build()
    return home


@pytest.fixture
def published(made: Any) -> Path:
    (folder,) = [path for path in made.releases.iterdir() if path.is_dir()]
    return Path(folder)


def ask(what: Path, *paths: str, language: str = "en", unmasked: bool = False) -> list[Any]:
    """The answers of one served corpus to several requests."""

    async def run() -> list[Any]:
        with serve.application(what, language, unmasked=unmasked) as datasette:
            return [await datasette.client.get(path) for path in paths]

    return asyncio.run(run())


def words(answer: Any) -> str:
    """What a page says, without its markup."""
    assert answer.status_code == 200, answer.text
    return html_module.unescape(re.sub(r"<(style|script).*?</\1>|<[^>]*>", "", answer.text, flags=re.S))


# -- pages ----------------------------------------------------------------------------------------


def test_search_finds_what_a_scan_finds(published: Path) -> None:
    with Corpus(published) as corpus:
        pieces = list(corpus.pieces(default=False))
    for query in ("食堂", "古镇导游", "的", "总结", "没有人这样写"):
        expected = {p.piece_id for p in pieces if query in (p.text or "") or query in (p.title or "")}
        page, rows = ask(
            published,
            f"/-/search?q={quote(query)}",
            f"/fanwen/pieces.json?_shape=array&_search={quote(query)}",
        )
        assert {row["id"] for row in rows.json()} == expected, query
        assert set(re.findall(r"/-/piece/(\w+)", page.text)) == expected, query
        assert (f"{len(expected)} pieces hold “{query}”" if expected else "No piece holds this.") in words(
            page
        )
    assert f"<mark>{'食堂'}</mark>" in ask(published, f"/-/search?q={quote('食堂')}")[0].text
    assert "total" not in words(ask(published, "/-/search")[0])


def test_search_goes_with_facets_and_filters(published: Path) -> None:
    (whole, some) = ask(
        published,
        f"/fanwen/pieces.json?_search={quote('的')}",
        f"/fanwen/pieces.json?_search={quote('的')}&genre={quote('倡议书')}",
    )
    assert set(whole.json()["facet_results"]) == {"genre", "site", "year", "split"}
    genres = {one["value"]: one["count"] for one in whole.json()["facet_results"]["genre"]["results"]}
    assert some.json()["filtered_table_rows_count"] == genres["倡议书"] > 0
    (page,) = ask(published, f"/fanwen/pieces?_search={quote('古镇')}")
    assert '<input id="_search" type="search" name="_search" value="古镇">' in page.text


def test_the_page_of_a_piece_shows_origin_copies_and_history(published: Path) -> None:
    with Corpus(published) as corpus:
        (piece,) = [one for one in corpus.pieces() if one.url.endswith("/a") or one.url.endswith("/copy")]
        origin = corpus.origin(piece.piece_id)
        (other,) = [
            one for one in corpus.pieces(default=False) if one.cluster == piece.cluster and one != piece
        ]
    page, none = ask(published, f"/-/piece/{piece.piece_id}", "/-/piece/ffff")
    told = words(page)
    assert piece.text is not None
    assert piece.text in told
    assert "〔电话〕" in told
    assert PHONE not in told
    for fact in (
        piece.url,
        origin.pages[0].sha256,
        origin.fetched_at,
        str(origin.ruleset),
        other.url,
        published.name,
    ):
        assert fact in told
    assert f"/-/piece/{other.piece_id}" in page.text
    assert "exact (1.00)" in told
    assert none.status_code == 404
    assert "There is no piece ffff" in none.text


def test_the_page_of_a_piece_that_is_gone_keeps_its_history(made: Any, published: Path) -> None:
    with Corpus(published) as corpus:
        (gone,) = [piece for piece in corpus.pieces() if piece.url.endswith("/marked")]
    made.serve({"marked": None}, day=9)
    made.build()
    released = release.create(made.corpus, made.releases)
    assert released is not None
    page, changes = ask(
        made.releases / released.version,
        f"/-/piece/{gone.piece_id}",
        f"/history/changes?version={released.version}",
    )
    assert f'href="/-/piece/{gone.piece_id}"' in changes.text
    told = words(page)
    assert "no longer in the corpus: source_gone" in told
    assert "2026.3.0 – 2026.3.0 new" in told
    assert gone.text is not None
    assert gone.text in told
    assert "Where it comes from" not in told


def test_titles_are_no_markup(published: Path) -> None:
    with Corpus(published) as corpus:
        (piece,) = [one for one in corpus.pieces() if "script" in (one.title or "")]
    for page in ask(
        published, f"/-/piece/{piece.piece_id}", f"/-/search?q={quote('<script>alert(1)')}", "/fanwen/pieces",
        f"/fanwen/pieces?_search={quote('<script>alert(1)')}", "/history/piece_version",
    ):  # fmt: skip
        assert page.status_code == 200
        assert "<script>alert(1)" not in page.text
        assert "&lt;script&gt;alert(1)" in page.text


def test_titles_and_clusters_are_links_and_long_cells_are_cut(published: Path) -> None:
    table, history, relations = ask(
        published, "/fanwen/pieces", "/history/piece_version", "/fanwen/relations"
    )
    with Corpus(published) as corpus:
        for piece in corpus.pieces(default=False):
            assert f'href="/-/piece/{piece.piece_id}"' in table.text
            assert f'href="/fanwen/pieces?cluster_id={piece.cluster}"' in table.text
            assert f'href="/-/piece/{piece.piece_id}"' in history.text
            assert (piece.text or "")[:60].splitlines()[0] in table.text
            assert (piece.text or "")[-60:] not in table.text
    assert relations.text.count('href="/fanwen/pieces/') >= 2


def test_every_ready_question_has_an_answer(published: Path) -> None:
    names = list(look().queries)
    paths = [
        f"/{look().queries[name].database}/{name}.json?version={published.name}&_shape=array"
        for name in names
    ]
    answers = dict(zip(names, ask(published, *paths), strict=True))
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(names, 200)
    with Corpus(published) as corpus:
        pieces = list(corpus.pieces(default=False))
    assert sum(row["pieces"] for row in answers["by_genre"].json()) == len(pieces)
    assert sum(row["in_default"] for row in answers["by_genre"].json()) == len(
        list(filter(lambda p: p.excluded_why is None, pieces))
    )
    assert answers["excluded"].json() == [{"why": "duplicate", "pieces": 1}]
    assert {row["piece"] for row in answers["changes"].json()} == {piece.piece_id for piece in pieces}
    assert [row["version"] for row in answers["releases"].json()] == [published.name]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_tables_and_columns_are_described_in_the_language_asked_for(published: Path, language: str) -> None:
    names = ("pieces", *SIDE_TABLES)
    index, *pages = ask(published, "/fanwen", *(f"/fanwen/{name}" for name in names), language=language)
    for table, page in zip(map(tables().get, names), pages, strict=True):
        told = words(page)
        assert getattr(table, language) in told
        for column in table.columns:
            assert getattr(column, language) in told, column.name
    (kept,) = [table for table in describe(language) if table.name == "document_version"]
    told = words(ask(published, "/history/document_version", language=language)[0])
    assert all(column.description in told for column in kept.columns)
    for query in look().queries.values():
        assert (query.titles[language] in words(index)) == (query.database == "fanwen")


# -- what is served, and to whom ------------------------------------------------------------------


def test_nothing_can_be_written_and_no_other_file_read(published: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("create table secret (word)")
    for database in ("fanwen", "history"):
        for sql in (
            "delete from pieces",
            "insert into piece values (1)",
            f"attach '{other}' as other",
            "select load_extension('x')",
            "pragma writable_schema = on",
            "create temp table x (y)",
        ):
            (answer,) = ask(published, f"/{database}.json?sql={quote(sql)}")
            assert answer.status_code == 400, sql
    assert ask(published, "/fanwen.db")[0].status_code in (403, 404)


def test_what_is_not_masked_needs_to_be_asked_for(made: Any, published: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"not masked: serve a release, or .* --unmasked"),
        serve.application(made.path, "en", unmasked=False),
    ):
        pass
    with (
        pytest.raises(UsageError, match="not masked"),
        serve.application(made.path, "en", unmasked=True, local=False),
    ):
        pass
    masked, plain = (
        ask(published, "/fanwen/pieces.json?_shape=array")[0],
        ask(made.path, "/fanwen/pieces.json?_shape=array", unmasked=True)[0],
    )
    assert PHONE not in masked.text
    assert PHONE in plain.text
    assert len(plain.json()) == len(masked.json()) + 1
    assert "not masked" in words(ask(made.path, "/", unmasked=True)[0])
    assert "not masked" not in words(ask(published, "/")[0])


def test_a_masked_checkout_is_served_like_a_release(made: Any, published: Path, tmp_path: Path) -> None:
    assert cli._run(["checkout", str(published), str(tmp_path / "then"), "--home", str(made.path)]) == 0
    (answer,) = ask(tmp_path / "then", f"/-/search?q={quote('食堂')}")
    assert "pieces hold" in words(answer)


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.9.9.9", True), ("0.0.0.0", False), ("::", False),
     ("192.0.2.1", False), ("localhost.example", False), ("", False)],
)  # fmt: skip
def test_which_addresses_stay_on_this_machine(host: str, local: bool) -> None:
    assert serve.is_loopback(host) == local


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], dict[str, str]]]]:
    """Start ``fanwen serve --json …``; the process, and what it says once it answers."""
    running: list[subprocess.Popen[str]] = []
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def start(*arguments: object) -> tuple[subprocess.Popen[str], dict[str, str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "fanwen", "serve", "--json", "--port", "0", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(scratch)},
        )  # fmt: skip
        running.append(process)
        assert process.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            said += line
        return process, json.loads(said)

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_over_loopback_until_a_signal(
    made: Any, published: Path, started: Any, tmp_path: Path, number: signal.Signals
) -> None:
    process, said = started("--home", made.path)
    assert said["serves"] == str(published)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", said["url"])
    with urllib.request.urlopen(f"{said['url']}-/search?q={quote('食堂')}", timeout=20) as answer:
        assert answer.headers["x-robots-tag"] == "noindex"
        assert "<mark>食堂</mark>" in answer.read().decode()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_build_goes_on_while_a_home_is_served(made: Any, started: Any, write: Any, html: Any) -> None:
    _, said = started(made.path, "--unmasked")
    made.serve({"later": html("检讨书", "刚刚写好的检讨。" + write(70))}, day=3)
    assert made.build().pieces_added == 1
    with urllib.request.urlopen(f"{said['url']}-/search?q={quote('刚刚写好的')}", timeout=20) as answer:
        assert "1 pieces hold" in html_module.unescape(re.sub("<[^>]*>", "", answer.read().decode()))


def test_pages_of_the_web_cannot_read_what_is_not_masked(made: Any, published: Path, started: Any) -> None:
    """A name of theirs may lead to this machine; it is in the request all the same."""
    for what, others in (((made.path, "--unmasked"), 403), ((published,), 200)):
        _, said = started(*what)
        port = said["url"].rsplit(":")[-1].strip("/")
        for name, status in (
            (f"localhost:{port}", 200),
            ("[::1]", 200),
            ("evil.example", others),
            ("", others),
        ):
            with closing(http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)) as connection:
                connection.request("GET", "/", headers={"Host": name})
                assert connection.getresponse().status == status, (what, name)


def test_without_datasette_it_says_what_to_install(published: Path) -> None:
    code = (
        "import sys; sys.modules['datasette'] = None; from fanwen.corpus import cli; cli.main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", str(published)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"fanwen: datasette\S* is not installed; pip install 'fanwen\[serve\]' brings it\.\n", done.stderr
    )


def test_mistakes_are_told_in_one_sentence(made: Any, tmp_path: Path, capsys: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words_, told in (
            (["--home", str(made.path), "--port", port], "choose another --host or --port"),
            ([str(made.path)], "with --unmasked"),
            ([str(made.path), "--unmasked", "--host", "0.0.0.0"], "on this machine alone"),
            (["1999.1.0", "--home", str(made.path)], "no corpus at 1999.1.0"),
            (["--home", str(tmp_path / "empty")], "There is no release in"),
            (["--home", str(tmp_path / "empty"), "--unmasked"], "There is no corpus at"),
            (["--host", "no such host", "--home", str(made.path)], "choose another --host or --port"),
        ):
            assert cli._run(["serve", *words_]) == 2, words_
            said = capsys.readouterr()
            assert told in said.err, words_
            assert said.out == ""
    assert not (tmp_path / "empty").exists()
