"""Brings single files from where releases are published: any static file server, or a local folder.

In go a base (URL or folder) and the name, size and sum that the index gives a file; out comes that file,
whole and right, or an error that says why not. What is there of it already is continued. No answer is read
beyond the size that was said, and every wait has an end.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from fanwen.corpus.exports import file_hash
from fanwen.corpus.release_index import INDEX
from fanwen.corpus.types import ReleaseFile
from fanwen.errors import UsageError

_CHUNK = 1 << 16
_REDIRECTS = urllib3.Retry(None, connect=0, read=0, other=0, status=0, redirect=5)
_BUSY = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a server is waited for, in seconds.

    ``silence``: without a byte. ``waits``: before each further attempt; one that brought something is not
    counted. ``patience``: for a file, beside a second for every ``rate`` bytes that came.
    """

    silence: float = 30
    waits: tuple[float, ...] = (0.5, 2, 5)
    patience: float = 120
    rate: int = 2_000


class TransportError(Exception):
    """Why a source does not give a file, as the end of a sentence."""


class MissingError(TransportError):
    """It has no such file."""


class WrongError(TransportError):
    """It has another file under that name."""


class UnreachableError(TransportError):
    """It does not answer, or stops in the middle."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes of a file from ``start`` on. ``declared``: where they end is known, they do not just stop."""

    start: int
    declared: bool
    chunks: Iterator[bytes]


class Source(Protocol):
    """A folder of releases somewhere; ``base`` is how it is called."""

    base: str

    def opened(self, name: str, start: int) -> AbstractContextManager[Answer]:
        """A file from ``start`` on, or from its beginning where only that can be had; raises
        :class:`TransportError`."""
        ...


def source(base: str, limits: Limits = Limits()) -> Source:
    """What lies at a URL or in a folder. Raises :class:`UsageError` where it is neither."""
    base = base.removesuffix(INDEX)
    if base.startswith(("http://", "https://")):
        with suppress(ValueError):
            return _Server(base, limits)
    if Path(base).is_dir():
        return _Folder(base)
    raise UsageError(f"{base} is neither a folder nor an http(s) address; give one that holds {INDEX}.")


def read(one: Source, name: str, limit: int, limits: Limits) -> bytes:
    """A small file whose size nobody said. Raises :class:`TransportError`."""
    for attempt in range(len(limits.waits) + 1):
        content = bytearray()
        began = time.monotonic()
        try:
            with one.opened(name, 0) as answer:
                for chunk in answer.chunks:
                    content += chunk
                    if len(content) > limit:
                        raise WrongError(f"is larger than {limit:,} bytes")
                    _must_move(began, len(content), limits)
                return bytes(content)
        except UnreachableError:
            if attempt == len(limits.waits):
                raise
            time.sleep(limits.waits[attempt])
    raise AssertionError("the last attempt returns or raises")


def bring(
    one: Source, name: str, file: ReleaseFile, part: Path, limits: Limits, on_bytes: Callable[[int], None]
) -> None:
    """Have ``part`` hold the file: what it holds already is continued, and begun anew where that goes wrong.

    Raises :class:`TransportError`; what came so far stays, unless it is of another file.
    """
    began, moved, failures, anew = time.monotonic(), 0, 0, False

    def count(size: int) -> None:
        nonlocal moved
        moved += size
        on_bytes(size)
        _must_move(began, moved, limits)

    while True:
        part.touch()
        had = part.stat().st_size
        try:
            _continue(one, name, file, part, count)
            return
        except WrongError:
            part.unlink()
            if not had or anew:
                raise
            anew = True
        except UnreachableError:
            failures = failures + 1 if part.stat().st_size <= had else 0
            if failures > len(limits.waits) or _too_slow(began, moved, limits):
                raise
            time.sleep(limits.waits[max(0, failures - 1)] if limits.waits else 0)


def _continue(one: Source, name: str, file: ReleaseFile, part: Path, on_bytes: Callable[[int], None]) -> None:
    with part.open("r+b") as target:
        start = target.seek(0, 2)
        if start != file.bytes:
            with one.opened(name, start if start < file.bytes else 0) as answer:
                target.truncate(target.seek(answer.start))
                for chunk in answer.chunks:
                    if target.tell() + len(chunk) > file.bytes:
                        raise WrongError(f"is larger than {file.bytes:,} bytes, which the index says")
                    target.write(chunk)
                    on_bytes(len(chunk))
            if target.tell() < file.bytes:
                ended = f"ended after {target.tell():,} of {file.bytes:,} bytes"
                raise WrongError(ended) if answer.declared else UnreachableError(ended)
    if file_hash(part) != file.sha256:
        raise WrongError("is not what the index says: another SHA-256")


def _too_slow(began: float, moved: int, limits: Limits) -> bool:
    return time.monotonic() - began > limits.patience + moved / limits.rate


def _must_move(began: float, moved: int, limits: Limits) -> None:
    if _too_slow(began, moved, limits):
        raise UnreachableError(f"comes too slowly: {moved:,} bytes in {time.monotonic() - began:.0f} s")


class _Folder:
    def __init__(self, base: str) -> None:
        self.base = base

    @contextmanager
    def opened(self, name: str, start: int) -> Iterator[Answer]:
        path = Path(self.base) / name
        if not path.is_file():
            raise MissingError("is missing")
        try:
            with path.open("rb") as stream:
                stream.seek(start)
                yield Answer(start, True, iter(lambda: stream.read(_CHUNK), b""))
        except PermissionError as error:
            raise UnreachableError(f"cannot be read ({error.strerror})") from None


class _Server:
    def __init__(self, base: str, limits: Limits) -> None:
        self.base = base
        address = urlsplit(base)
        if not address.hostname:
            raise ValueError
        self._address = address._replace(path=address.path.rstrip("/") + "/", fragment="")
        self._timeout = urllib3.Timeout(limits.silence)
        proxy = urllib.request.getproxies().get(address.scheme)
        direct = proxy is None or urllib.request.proxy_bypass(address.hostname)
        self._pool = urllib3.PoolManager() if direct else urllib3.ProxyManager(str(proxy))

    @contextmanager
    def opened(self, name: str, start: int) -> Iterator[Answer]:
        url = self._address._replace(path=self._address.path + quote(name)).geturl()
        headers = {"User-Agent": "fanwen", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            response = self._pool.request(
                "GET", url, headers=headers, timeout=self._timeout, retries=_REDIRECTS, preload_content=False
            )
        except HTTPError as error:
            raise UnreachableError(_why(error)) from None
        try:
            declared = "Content-Length" in response.headers or "Transfer-Encoding" in response.headers
            yield Answer(self._start(response, start), declared, _chunks(response))
        finally:
            response.close()

    def _start(self, response: urllib3.BaseHTTPResponse, start: int) -> int:
        hops = response.retries.history if response.retries else ()
        if self._address.scheme == "https" and any("http://" in str(hop.redirect_location) for hop in hops):
            raise UnreachableError("leads to an address without TLS")
        if response.status == 200:
            return 0
        if response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            return start
        if response.status in (206, 416):
            raise WrongError(f"has no bytes from {start:,} on")
        if 400 <= response.status < 500 and response.status not in _BUSY:
            raise MissingError(f"is not given (HTTP {response.status})")
        raise UnreachableError(f"is not given now (HTTP {response.status})")


def _chunks(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """What arrives as it arrives: a slow server is seen to be slow. Some call a .zst an encoding of its own
    content; it is the file all the same."""
    try:
        while chunk := response.read1(_CHUNK, decode_content=False):
            yield chunk
    except HTTPError as error:
        raise UnreachableError(_why(error)) from None


def _why(error: HTTPError) -> str:
    reason = getattr(error, "reason", None)  # of one that never came to an answer
    said = str(reason).rsplit(": ", 1)[-1] if reason else type(error).__name__
    return f"does not come ({said})"
