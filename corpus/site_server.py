"""Serves a folder of releases to a browser: static files with ranges, which the search on the site needs.

In goes a folder, out go its files and nothing beside them: no listing, no way up, no link that leads out of
it. The standard library's server answers no ranges.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fanwen.errors import UsageError

_TYPES = {
    "": "application/octet-stream",
    ".css": "text/css; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".db": "application/vnd.sqlite3",
    ".wasm": "application/wasm",
    ".zst": "application/zstd",
}
# one range is answered; whatever else the header says brings the whole file, as RFC 9110 allows
_CHUNK = 1 << 16
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def serve(folder: Path, host: str, port: int) -> None:
    """Serve ``folder`` until interrupted, after saying where.

    Raises :class:`UsageError` for no folder or a port in use.
    """
    with server(folder, host, port) as running, suppress(KeyboardInterrupt):
        print(f"{folder} on http://{host}:{running.server_address[1]}/ (Ctrl-C ends it)", flush=True)
        running.serve_forever()


def server(folder: Path, host: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    """The server of ``folder``, bound and not yet running; port 0 takes a free one."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}; give a folder of releases, or a release.")
    try:
        return _Server((host, port), partial(_Handler, directory=str(folder.resolve())))
    except OSError as error:
        raise UsageError(
            f"Nothing can be served at {host}:{port} ({error.strerror}); give another port."
        ) from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        # a browser may go away in the middle of an answer
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fanwen"
    sys_version = ""
    timeout = 60
    directory: str

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = self._file()
        address, mark, query = self.path.partition("?")
        if path is not None and path.is_dir():  # relative links on a page need its slash
            self._redirect(f"{address}/{mark}{query}")
            return
        if path is None and address == "/" and Path(self.directory, "site/index.html").is_file():
            self._redirect("/site/")  # the folder of one release
            return
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with path.open("rb") as stream:
            size, changed = os.fstat(stream.fileno()).st_size, os.fstat(stream.fileno()).st_mtime_ns
            tag = f'"{size:x}-{changed:x}"'
            common = {
                "Accept-Ranges": "bytes",
                "Cache-Control": "no-cache",
                "Content-Type": _TYPES.get(path.suffix, _TYPES[""]),
                "ETag": tag,
                "Last-Modified": formatdate(changed // 10**9, usegmt=True),
                "X-Content-Type-Options": "nosniff",
            }
            if self.headers.get("If-None-Match") == tag:
                self.send_response(HTTPStatus.NOT_MODIFIED)
                self._end_headers(common)
                return
            status, part = self._part(size, (tag, common["Last-Modified"]))
            self.send_response(status)
            if status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._end_headers({"Content-Range": f"bytes */{size}", "Content-Length": "0"})
                return
            if status is HTTPStatus.PARTIAL_CONTENT:
                common["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
            self._end_headers({**common, "Content-Length": str(len(part))})
            if body:
                stream.seek(part.start)
                for left in range(len(part), 0, -_CHUNK):
                    self.wfile.write(stream.read(min(_CHUNK, left)))

    def _redirect(self, location: str) -> None:
        self.send_response(HTTPStatus.FOUND)
        self._end_headers({"Location": location, "Content-Length": "0"})

    def _end_headers(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _file(self) -> Path | None:
        """What the address names, if it lies below the folder; nothing hidden (half-made releases)."""
        path = Path(self.translate_path(self.path))
        try:
            if self.path.partition("?")[0].endswith("/"):
                path /= "index.html"
            inside = path.resolve(strict=True).relative_to(self.directory)
        except (OSError, ValueError):
            return None
        shown = not any(part.startswith(".") for part in inside.parts) and os.access(path, os.R_OK)
        return path if shown and (path.is_file() or path.is_dir()) else None

    def _part(self, size: int, validators: tuple[str, str]) -> tuple[HTTPStatus, range]:
        """Status of the answer, and which bytes of the file are its body."""
        found = _RANGE.fullmatch(self.headers.get("Range", ""))
        first, last = found.groups() if found else ("", "")
        asked = bool(first or last) and not (first and last and int(last) < int(first))
        if not asked or self.headers.get("If-Range", validators[0]) not in validators:
            return HTTPStatus.OK, range(size)
        if first:
            part = range(int(first), min(size, int(last) + 1) if last else size)
        else:
            part = range(max(0, size - int(last)), size)
        return (HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE), part
