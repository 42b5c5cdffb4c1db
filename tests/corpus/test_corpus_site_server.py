"""The static server: ranges as RFC 9110 has them, and nothing beside the folder."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus import site_server
from fanwen.errors import UsageError

BODY = bytes(range(200))


class Client:
    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def __call__(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, headers=named)
        answer = self.connection.getresponse()
        return answer.status, answer.read(), answer.headers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "releases"
    (folder / "a/site").mkdir(parents=True)
    (folder / "a/search.db").write_bytes(BODY)
    (folder / "a/site/index.html").write_text("<p>总结</p>", encoding="utf-8")
    (folder / ".building-b").mkdir()
    (folder / ".building-b/half").write_text("half")
    (folder / "a/empty").write_bytes(b"")
    (tmp_path / "secret").write_text("secret")
    (folder / "a/out").symlink_to(tmp_path / "secret")
    (folder / "a/up").symlink_to(tmp_path)
    return folder


@pytest.fixture
def get(folder: Path) -> Iterator[Client]:
    server = site_server.server(folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    client = Client(server.server_address[1])
    yield client
    client.connection.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ("bytes=0-9", 206, BODY[:10], "bytes 0-9/200"),
        ("bytes=150-", 206, BODY[150:], "bytes 150-199/200"),
        ("bytes=-7", 206, BODY[-7:], "bytes 193-199/200"),
        ("bytes=-900", 206, BODY, "bytes 0-199/200"),
        ("bytes=190-900", 206, BODY[190:], "bytes 190-199/200"),
        ("bytes=200-", 416, b"", "bytes */200"),
        ("bytes=-0", 416, b"", "bytes */200"),
        ("bytes=9-3", 200, BODY, None),
        ("bytes=0-1,5-6", 200, BODY, None),
        ("lines=0-1", 200, BODY, None),
        ("bytes=-", 200, BODY, None),
    ],
)
def test_ranges(get: Client, asked: str, status: int, body: bytes, content_range: str | None) -> None:
    answer, received, headers = get("/a/search.db", Range=asked)
    assert (answer, received, headers["Content-Range"]) == (status, body, content_range)
    length = get("/a/search.db", "HEAD", Range=asked)
    assert (length[0], length[1], length[2]["Content-Length"]) == (status, b"", str(len(body)))


def test_a_range_holds_only_for_the_file_that_was_seen(get: Client, folder: Path) -> None:
    tag = get("/a/search.db", "HEAD")[2]["ETag"]
    assert get("/a/search.db", Range="bytes=0-1", If_Range=tag)[0] == 206
    assert get("/a/search.db", If_None_Match=tag)[:2] == (304, b"")
    (folder / "a/search.db").write_bytes(BODY * 2)
    assert get("/a/search.db", Range="bytes=0-1", If_Range=tag)[:2] == (200, BODY * 2)
    assert get("/a/search.db", If_None_Match=tag)[0] == 200


@pytest.mark.parametrize(
    "path",
    ["/../secret", "/%2e%2e/secret", "/a/..%2f..%2fsecret", "/a/out", "/a/up/secret", "/a/up/", "/a/", "/.building-b/half",
     "/a/nothing", "/a/search.db/", "/%00", "//etc/passwd", "/a/%ff"],
)  # fmt: skip
def test_nothing_beside_the_folder_is_served(get: Client, path: str) -> None:
    assert get(path)[0] == 404


def test_the_folder_of_one_release_leads_to_its_site(get: Client, folder: Path) -> None:
    assert get("/")[0] == 404
    (folder / "a/site").rename(folder / "site")
    status, _, headers = get("/")
    assert (status, headers["Location"]) == (302, "/site/")


@pytest.mark.parametrize("path", ["/a/site", "//a/site", "///a/site"])
def test_a_redirect_stays_on_this_host(get: Client, path: str) -> None:
    status, _, headers = get(path)
    assert (status, headers["Location"]) == (302, "/a/site/")


def test_types_folders_and_empty_files(get: Client) -> None:
    status, body, headers = get("/a/site/?q=%E6%80%BB")
    assert (status, body.decode()) == (200, "<p>总结</p>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert get("/a/search.db")[2]["Content-Type"] == "application/vnd.sqlite3"
    status, _, headers = get("/a/site?q=1")
    assert (status, headers["Location"]) == (302, "/a/site/?q=1")
    assert get("/a/empty")[:2] == (200, b"")
    assert get("/a/empty", Range="bytes=0-")[0] == 416
    assert get("/a/site/", "POST")[0] == 501


def test_the_command_says_where_and_ends_with_ctrl_c(folder: Path) -> None:
    command = [sys.executable, "-m", "fanwen", "serve", "--site", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = re.fullmatch(
            rf"{folder} on http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it\)\n", process.stdout.readline()
        )
        assert said is not None
        with closing(Client(int(said[1])).connection) as connection:
            connection.request("GET", "/a/search.db", headers={"Range": "bytes=1-2"})
            assert connection.getresponse().read() == BODY[1:3]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_what_cannot_be_served_is_said_in_one_sentence(get: Client, folder: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no folder .*nowhere"):
        site_server.serve(folder / "nowhere", "127.0.0.1", 0)
    with pytest.raises(UsageError, match="give another port"):
        site_server.serve(folder, "127.0.0.1", get.connection.port)
