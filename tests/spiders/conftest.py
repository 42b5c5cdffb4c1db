"""A web of our own: a threaded HTTP server on loopback that answers as a proxy for made-up hosts.

Crawls run in processes of their own (crawl_process.py), because a reactor cannot be started twice
and because they are killed here.
"""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The tests share a module of WARC files, which import-mode=importlib would not find by itself.
sys.path.insert(0, str(Path(__file__).resolve().parent))


@dataclass
class Answer:
    """What the farm says to one request. ``cut``: the connection ends after so many bytes of the body.

    ``hang_up`` ends it without a word, ``reset`` with a reset of TCP.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "text/html; charset=utf-8"
    cut: int | None = None
    hang_up: bool = False
    reset: bool = False
    length: bool = True


Route = Answer | Callable[["Asked"], Answer]


@dataclass(frozen=True)
class Asked:
    host: str
    path: str
    headers: dict[str, str]
    times: int  # how often this was asked, this time included


class Farm:
    """``farm[url] = Answer(…)`` or a function of :class:`Asked`; what is not there answers 404."""

    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], Route] = {}
        self.hits: Counter[str] = Counter()
        self.log: list[tuple[float, Asked]] = []
        self.lock = threading.Lock()
        farm = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                farm._serve(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a crawler that was killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def proxy(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __setitem__(self, url: str, route: Route) -> None:
        parts = urlsplit(url)
        self.routes[parts.netloc, parts.path + (f"?{parts.query}" if parts.query else "")] = route

    def page(self, url: str, links: list[str] | None = None, text: str = "正文", **answer: Any) -> None:
        anchors = "".join(f'<a href="{link}">{link}</a>' for link in links or [])
        self[url] = Answer(f"<html><body><p>{text} {url}</p>{anchors}</body></html>".encode(), **answer)

    def pages_asked(self) -> Counter[str]:
        """Without what is asked of a site as a whole."""
        return Counter(
            {url: n for url, n in self.hits.items() if not url.endswith(("/robots.txt", "/tdmrep.json"))}
        )

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        host = parts.netloc or handler.headers.get("Host", "")
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        with self.lock:
            self.hits[f"http://{host}{path}"] += 1
            headers = {name.lower(): value for name, value in handler.headers.items()}
            asked = Asked(host, path, headers, self.hits[f"http://{host}{path}"])
            self.log.append((time.monotonic(), asked))
        route = self.routes.get((host, path), Answer(b"not here", 404))
        answer = route(asked) if callable(route) else route
        if answer.reset:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(handler.connection.detach())
            handler.close_connection = True
            return
        if answer.hang_up:
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        if answer.status != 304:
            handler.send_header("Content-Type", answer.content_type)
        if answer.length:
            handler.send_header("Content-Length", str(len(answer.body)))
        else:
            handler.close_connection = True
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if answer.status != 304:
            handler.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
        if answer.cut is not None:
            handler.close_connection = True


def _tagged(body: bytes, etag: str) -> Callable[[Asked], Answer]:
    """A page with an ETag that answers 304 when it is asked for again."""

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("if-none-match") == etag:
            return Answer(status=304, headers={"ETag": etag})
        return Answer(body, headers={"ETag": etag})

    return answer


class Crawler:
    """Crawls of one archive, each in a process of its own."""

    def __init__(self, folder: Path, proxy: str | None):
        self.archive = folder / "archive.db"
        self.sites = folder / "sites"
        self.sites.mkdir()
        self.proxy = proxy
        self.env: dict[str, str] = {}

    def site(self, host: str, extra: str = "", start: str = "/", **polite: float) -> None:
        rows = "".join(f"{key} = {value}\n" for key, value in ({"delay": 0} | polite).items())
        (self.sites / f"{host}.toml").write_text(
            f'name = "{host}"\ntitle = "试验"\nfamily = "test"\nhost = "{host}"\n'
            f'start = ["http://{host}{start}"]\n'
            f"[follow]\nlists = ['^/$', '^/list']\ndetails = ['^/a/']\nattachments = ['\\.pdf$']\n"
            f"[polite]\n{rows}{extra}\n",
            encoding="utf-8",
        )

    def start(self, **options: Any) -> subprocess.Popen[str]:
        chosen = {"archive": str(self.archive), "sites": str(self.sites), "proxy": self.proxy, **options}
        return subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("crawl_process.py")), json.dumps(chosen)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(ROOT),
                "http_proxy": "http://127.0.0.1:9/",
                **self.env,
            },
        )

    def run(self, **options: Any) -> dict[str, Any]:
        """The crawl's report, or ``{"error": class name, "message": …}``."""
        process = self.start(**options)
        out, err = process.communicate(timeout=50)
        assert process.returncode == 0, err
        assert err == "", err
        result: dict[str, Any] = json.loads(out)
        return result

    def kill_when(self, process: subprocess.Popen[str], reached: Callable[[], bool], number: int) -> bool:
        """Send a signal once a condition holds; False when the crawl ended before."""
        while not reached():
            if process.poll() is not None:
                process.communicate()
                return False
            time.sleep(0.002)
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.communicate(timeout=20)
        return True


@pytest.fixture
def farm() -> Iterator[Farm]:
    farm = Farm()
    yield farm
    farm.stop()


@pytest.fixture
def crawler(tmp_path: Path, farm: Farm) -> Crawler:
    return Crawler(tmp_path, farm.proxy)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Farm, Crawler]]:
    """A farm and a crawler that the tests of a module share."""
    farm = Farm()
    yield farm, Crawler(tmp_path_factory.mktemp("web"), farm.proxy)
    farm.stop()


@pytest.fixture(scope="session")
def tagged() -> Callable[[bytes, str], Callable[[Asked], Answer]]:
    return _tagged


@pytest.fixture(scope="session")
def answer() -> type[Answer]:
    return Answer
