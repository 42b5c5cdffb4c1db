"""A file server on loopback that does what it is told wrong: cuts, stalls, ignores Range, lies, redirects."""

from __future__ import annotations

import re
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote

Oddity = Callable[["Answer", bytes], None]


class OddServer:
    """Serves ``folder`` while the context lasts. ``odd`` says what is done to a path instead, ``""`` to all.

    ``asked`` counts requests and ``served`` bytes of bodies, by path; ``stalled`` is set when an answer stops.
    """

    def __init__(self, folder: Path, tls: ssl.SSLContext | None = None) -> None:
        self.folder = folder
        self.tls = tls
        self.odd: dict[str, Oddity] = {}
        self.asked: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.stalled = threading.Event()
        self.over = threading.Event()

    def __enter__(self) -> OddServer:
        answer = type("OfThis", (Answer,), {"of": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), answer)
        self._server.daemon_threads = True
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    of: OddServer

    def do_GET(self) -> None:
        name = unquote(self.path).lstrip("/")
        self.of.asked[name] += 1
        path = self.of.folder / name
        content = path.read_bytes() if path.is_file() else b""
        odd = self.of.odd.get(name) or self.of.odd.get("")
        with suppress(BrokenPipeError, ConnectionResetError):
            if odd is not None:
                odd(self, content)
            elif path.is_file():
                self.give(content)
            else:
                self.head(404, 0)

    def start_of(self) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(found[1]) if found else 0

    def give(self, content: bytes, until: int | None = None) -> None:
        """The file from where it is asked for, up to ``until`` bytes of it, as if it went on."""
        start = self.start_of()
        if start and start >= len(content):
            self.head(416, 0)
        elif start:
            self.head(206, len(content) - start, f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.write(content[start:until])
        else:
            self.head(200, len(content))
            self.write(content[:until])

    def head(self, status: int, length: int | None, content_range: str = "") -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()

    def write(self, content: bytes) -> None:
        self.wfile.write(content)
        self.of.served[unquote(self.path).lstrip("/")] += len(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def cut(after: int) -> Oddity:
    """The connection ends ``after`` bytes from where each answer began."""

    def odd(answer: Answer, content: bytes) -> None:
        answer.give(content, answer.start_of() + after)
        answer.close_connection = True

    return odd


def bare(after: int) -> Oddity:
    """The same, of a server that says no length: the end of the connection is the end of the file."""

    def odd(answer: Answer, content: bytes) -> None:
        start = answer.start_of()
        answer.close_connection = True
        answer.head(206 if start else 200, None, f"bytes {start}-/*" if start else "")
        answer.write(content[start : start + after])

    return odd


def chunked(answer: Answer, content: bytes) -> None:
    """No length is said, but where the end is, and that the file is an encoding of something."""
    answer.send_response(200)
    answer.send_header("Transfer-Encoding", "chunked")
    answer.send_header("Content-Encoding", "zstd")
    answer.end_headers()
    for at in range(0, len(content), 3_000):
        part = content[at : at + 3_000]
        answer.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
    answer.wfile.write(b"0\r\n\r\n")


def stall(after: int) -> Oddity:
    """Nothing comes any more after so many bytes of the file."""

    def odd(answer: Answer, content: bytes) -> None:
        answer.give(content, after)
        answer.wfile.flush()
        answer.of.stalled.set()
        answer.of.over.wait(60)
        answer.close_connection = True

    return odd


def drip(pause: float) -> Oddity:
    """A byte at a time."""

    def odd(answer: Answer, content: bytes) -> None:
        answer.head(200, len(content))
        for n in range(len(content)):
            answer.write(content[n : n + 1])
            if answer.of.over.wait(pause):
                return

    return odd


def whole(answer: Answer, content: bytes) -> None:
    """Range is ignored."""
    answer.head(200, len(content))
    answer.write(content)


def other(instead: bytes) -> Oddity:
    """Another file is served, as if it were this one."""
    return lambda answer, _: answer.give(instead)


def endless(answer: Answer, _: bytes) -> None:
    answer.close_connection = True
    answer.head(200, None)
    while not answer.of.over.is_set():
        answer.write(b"\n" * 4096)


def status(code: int) -> Oddity:
    return lambda answer, _: answer.head(code, 0)


def redirect(to: str) -> Oddity:
    def odd(answer: Answer, _: bytes) -> None:
        answer.send_response(302)
        answer.send_header("Location", to)
        answer.send_header("Content-Length", "0")
        answer.end_headers()

    return odd
