"""Serves the sample sites on loopback, as an HTTP proxy or by Host header.

``with SampleServer("one") as server:`` then use ``server.proxy_url`` as the HTTP proxy of a
client. Nothing outside the five hosts is ever fetched or answered for: the server opens no
connection of its own. Ports are picked by the operating system unless one is asked for.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple
from urllib.parse import urlsplit

from fanwen.spiders.samples.render import HOSTS, Resource, State, render


class Request(NamedTuple):
    """One request as it was answered; ``path`` includes a query."""

    method: str
    host: str
    path: str
    status: int


class SampleServer:
    """The sample sites in one state, served while the context lasts.

    ``requests`` lists what was asked so far, in the order of the answers.
    Raises ``OSError`` on entry when a ``port`` that was asked for is taken.
    """

    def __init__(self, state: State = "one", port: int = 0) -> None:
        self.state: State = state
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._requests: list[Request] = []

    def __enter__(self) -> SampleServer:
        self._server = _Server(self._port, render(self.state), self._requests)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="samples", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join(timeout=1)

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the sample server has no port before it is entered")
        return self._server.server_address[1]

    @property
    def proxy_url(self) -> str:
        """``http://127.0.0.1:PORT``, the proxy through which the sample sites are reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> tuple[Request, ...]:
        return tuple(self._requests)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # idle keep-alive connections would hold the close for ever
    request_queue_size = 64
    server_address: tuple[str, int]

    def __init__(
        self, port: int, resources: dict[tuple[str, str], Resource], requests: list[Request]
    ) -> None:
        self.resources = resources
        self.requests = requests
        self.connections: set[socket.socket] = set()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        with self.lock:
            for connection in self.connections:
                _hang_up(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in mid-answer is none of the server's trouble."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fanwen-samples"
    sys_version = ""
    timeout = 30
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections.add(self.connection)

    def finish(self) -> None:
        with self.server.lock:
            self.server.connections.discard(self.connection)
        super().finish()

    def do_GET(self) -> None:
        host, path = self._target()
        if host in ("127.0.0.1", "localhost"):
            return self._send(host, path, _signpost(self.server.server_address[1]))
        if host not in HOSTS:
            known = ", ".join(HOSTS)
            return self._send(
                host, path, _plain(502, f"There is no sample site '{host}'; there are: {known}.")
            )
        return self._send(host, path, self.server.resources.get((host, path)) or _missing(path))

    do_HEAD = do_GET  # noqa: N815 - the name is the library's

    def do_CONNECT(self) -> None:
        self.close_connection = True
        self._send(self.path, "", _plain(502, "The sample sites speak plain http only: use http:// URLs."))

    def _target(self) -> tuple[str, str]:
        """Host and path, from an absolute-form request or from the Host header."""
        parts = urlsplit(self.path)
        host = parts.netloc if parts.scheme else self.headers.get("Host", "")
        path = parts.path or "/"
        # zongjie.example.localhost:8080 lets a browser in without any setting
        name = host.lower().rpartition("@")[2].partition(":")[0].removesuffix(".localhost")
        return name, f"{path}?{parts.query}" if parts.query else path

    def _send(self, host: str, path: str, resource: Resource) -> None:
        unchanged = resource.status == 200 and self._has(resource)
        status = 304 if unchanged else resource.status
        body = b"" if unchanged else resource.body
        self.server.requests.append(Request(self.command, host, path, status))
        self.send_response(status)
        for name, value in resource.headers:
            self.send_header(name, value)
        if resource.etag and resource.last_modified:
            self.send_header("ETag", resource.etag)
            self.send_header("Last-Modified", resource.last_modified)
        if not unchanged:
            self.send_header("Vary", "Accept-Encoding")
            if _accepts_gzip(self.headers.get("Accept-Encoding", "")):
                body = gzip.compress(body, mtime=0)
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _has(self, resource: Resource) -> bool:
        """Whether the client's copy is still good; If-None-Match rules where both are sent (RFC 9110)."""
        tags = self.headers.get("If-None-Match")
        if tags is not None:
            opaque = (resource.etag or "").removeprefix("W/")
            return tags.strip() == "*" or opaque in [
                tag.strip().removeprefix("W/") for tag in tags.split(",")
            ]
        since = self.headers.get("If-Modified-Since")
        if since is None or resource.last_modified is None:
            return False
        try:
            return parsedate_to_datetime(resource.last_modified) <= parsedate_to_datetime(since)
        except (TypeError, ValueError):  # an unreadable date, or one without a time zone, is ignored
            return False

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: what was asked is in SampleServer.requests."""


def _accepts_gzip(header: str) -> bool:
    codings = (coding.replace(" ", "").lower() for coding in header.split(","))
    return any(
        coding == "gzip" or (coding.startswith("gzip;q=") and coding != "gzip;q=0") for coding in codings
    )


def _plain(status: int, text: str) -> Resource:
    return Resource(
        status, (("Content-Type", "text/plain; charset=utf-8"),), f"{text}\n".encode(), None, None
    )


def _missing(path: str) -> Resource:
    page = (
        '<!DOCTYPE html><html lang="zh"><head><meta charset="utf-8"><title>页面不存在</title></head>'
        "<body><h1>404</h1><p>您访问的页面不存在。</p></body></html>"
    )
    return Resource(404, (("Content-Type", "text/html; charset=utf-8"),), page.encode(), None, None)


def _signpost(port: int) -> Resource:
    links = "".join(f'<li><a href="http://{host}.localhost:{port}/">{host}</a></li>' for host in HOSTS)
    page = (
        '<!DOCTYPE html><html lang="zh"><head><meta charset="utf-8"><title>fanwen sample sites</title></head>'
        f"<body><h1>fanwen sample sites</h1><ul>{links}</ul></body></html>"
    )
    return Resource(200, (("Content-Type", "text/html; charset=utf-8"),), page.encode(), None, None)


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the client was quicker
        connection.shutdown(socket.SHUT_RDWR)
