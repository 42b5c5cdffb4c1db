"""A web of generated sites on loopback: a server in a process of its own, asked as a proxy.

In goes the :class:`Shape` of the sites, out come pages (pages.py) under made-up hosts: on each a front page,
a chain of list pages, and the articles they list. The server counts what it was asked and what it sent, and
can be told to let some articles change. The same shape gives the same bodies.
"""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from pages import article, listing

LISTED = 50  # articles on one list page
_ROBOTS = """User-agent: *
Disallow: /admin/
Disallow: /search
Disallow: /*?print=

User-agent: BadBot
Disallow: /
"""
_SITEMAPS = "http://www.sitemaps.org/schemas/sitemap/0.9"


@dataclass(frozen=True, slots=True)
class Shape:
    """``pages`` articles spread over ``hosts`` sites, ``changed`` of which have another text in state two.

    ``compressed``: the server sends gzip to those who take it. ``validators``: ETag and Last-Modified with
    every page, and 304. ``sitemap``: each site has a sitemap index, and a sitemap that says when each article
    was modified.
    """

    pages: int
    hosts: int = 1
    compressed: bool = True
    validators: bool = False
    sitemap: bool = False
    changed: int = 0

    def names(self) -> list[str]:
        return [f"www.zuowen{n}.example" for n in range(self.hosts)]

    def articles(self) -> dict[str, int]:
        """URL and number of every article."""
        names = self.names()
        return {f"http://{names[n % self.hosts]}/a/{n}.html": n for n in range(self.pages)}

    def documents(self) -> int:
        """How many URLs one crawl asks for: articles, lists, and on each host front page and robots.txt."""
        shares = (len(range(n, self.pages, self.hosts)) for n in range(self.hosts))
        lists = sum(-(-share // LISTED) for share in shares)
        return self.pages + lists + 2 * self.hosts

    def changing(self) -> frozenset[int]:
        """The numbers of the articles that are others in state two."""
        return frozenset(random.Random(0).sample(range(self.pages), self.changed))

    def body(self, number: int, state: int) -> bytes:
        """An article of 10 to 40 kB, a tenth to a half of them text."""
        rng = random.Random(number)
        size, share = rng.randint(10_000, 40_000), rng.uniform(0.1, 0.5)
        return article(f"{number} {state if number in self.changing() else 1}", size, share).encode()


@dataclass(frozen=True, slots=True)
class Count:
    """What the server was asked, and the bytes it sent, heads included."""

    requests: int
    bytes: int


class Web:
    """The server while it runs; ``proxy`` is the address to ask it at."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._pipe, theirs = Pipe()
        self._process = Process(target=_serve, args=(shape, theirs), daemon=True)

    def __enter__(self) -> Web:
        self._process.start()
        self.proxy = f"http://127.0.0.1:{self._pipe.recv()}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.send("stop")
        self._process.join(10)

    def count(self) -> Count:
        """What was asked since the last count."""
        self._pipe.send("count")
        return Count(*self._pipe.recv())

    def turn(self, state: int) -> None:
        """Show the sites as they are in that state, 1 or 2."""
        self._pipe.send(state)
        self._pipe.recv()


# -- the server -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Held:
    """One page, ready to be sent: whole (plain and gzip) and as 304."""

    plain: bytes
    packed: bytes
    unchanged: bytes
    etag: bytes
    modified: bytes


class _Server:
    def __init__(self, shape: Shape, pipe: Connection) -> None:
        self.shape, self.pipe = shape, pipe
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.states: dict[int, dict[str, _Held]] = {}
        for state in (1, 2) if shape.changed else (1,):
            self.states[state] = dict(self._site(state))
        self.held = self.states[1]
        self.requests = self.sent = 0
        self.ended = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Wire(self), "127.0.0.1", 0, backlog=512)
        loop.add_reader(self.pipe.fileno(), self._told)
        self.pipe.send(server.sockets[0].getsockname()[1])
        await self.ended.wait()
        server.close()

    def _told(self) -> None:
        try:
            what = self.pipe.recv()
        except EOFError:
            what = "stop"
        if what == "stop":
            self.ended.set()
        elif what == "count":
            self.pipe.send((self.requests, self.sent))
            self.requests = self.sent = 0
        else:
            self.held = self.states[what]
            self.pipe.send(what)

    def answer(self, head: bytes) -> bytes:
        """The whole answer to the head of a request, which names its URL in full."""
        line, _, rest = head.partition(b"\r\n")
        pairs = (row.partition(b":") for row in rest.split(b"\r\n"))
        asked = {name.lower(): value.strip() for name, _, value in pairs}
        held = self.held.get(line.split(b" ")[1].decode("ascii"), _MISSING)
        if held.etag and b"if-none-match" in asked:
            same = asked[b"if-none-match"] == held.etag
        else:
            same = bool(held.modified) and asked.get(b"if-modified-since") == held.modified
        whole = held.packed if b"gzip" in asked.get(b"accept-encoding", b"") else held.plain
        answer = held.unchanged if same else whole
        self.requests += 1
        self.sent += len(answer)
        return answer

    def _site(self, state: int) -> Iterator[tuple[str, _Held]]:
        shape = self.shape
        articles, changing = shape.articles(), shape.changing()
        for host in shape.names():
            front = f"http://{host}"
            mine = {url: n for url, n in articles.items() if url.startswith(f"{front}/")}
            dates = {url: self._modified(n, state) for url, n in mine.items()}
            yield f"{front}/robots.txt", self._hold(_ROBOTS.encode(), "text/plain", None)
            for url, number in mine.items():
                if state == 2 and number not in changing:
                    yield url, self.states[1][url]
                else:
                    yield url, self._hold(shape.body(number, state), "text/html; charset=utf-8", dates[url])
            yield from self._lists(front, [url.removeprefix(front) for url in mine])
            if shape.sitemap:
                yield from self._sitemaps(front, dates)

    def _lists(self, front: str, paths: list[str]) -> Iterator[tuple[str, _Held]]:
        parts = [paths[at : at + LISTED] for at in range(0, len(paths), LISTED)]
        places = ["/", *(f"/list_{n}.html" for n in range(1, len(parts) + 1))]
        for place, part, following in zip(places, [[], *parts], [*places[1:], None], strict=True):
            body = listing(f"{front}{place}", 20_000, part, following).encode()
            held = self._hold(body, "text/html; charset=utf-8", self.now - timedelta(days=30))
            yield f"{front}{place}", held

    def _sitemaps(self, front: str, dates: dict[str, datetime]) -> Iterator[tuple[str, _Held]]:
        newest = max(dates.values()).isoformat()
        index = f"<sitemap><loc>{front}/sitemap-1.xml</loc><lastmod>{newest}</lastmod></sitemap>"
        rows = "".join(
            f"<url><loc>{url}</loc><lastmod>{date.isoformat()}</lastmod></url>" for url, date in dates.items()
        )
        for name, what, inner in (
            ("sitemap.xml", "sitemapindex", index),
            ("sitemap-1.xml", "urlset", rows),
        ):
            body = f'<?xml version="1.0" encoding="UTF-8"?><{what} xmlns="{_SITEMAPS}">{inner}</{what}>'
            yield f"{front}/{name}", self._hold(body.encode(), "application/xml", None)

    def _modified(self, number: int, state: int) -> datetime:
        if state == 2 and number in self.shape.changing():
            return self.now
        return self.now - timedelta(days=random.Random(number).randint(30, 900))

    def _hold(self, body: bytes, kind: str, modified: datetime | None) -> _Held:
        shape = self.shape
        etag = date = b""
        heads = [b"Server: nginx", b"Date: " + _http_date(self.now), b"Connection: keep-alive"]
        if shape.validators and modified is not None:
            etag = f'"{sha256(body).hexdigest()[:16]}"'.encode()
            date = _http_date(modified)
            heads += [b"ETag: " + etag, b"Last-Modified: " + date]
        unchanged = b"HTTP/1.1 304 Not Modified\r\n" + b"\r\n".join(heads) + b"\r\n\r\n"
        heads.append(b"Content-Type: " + kind.encode())
        plain = _whole([*heads, b"Vary: Accept-Encoding"], body)
        packed = plain
        if shape.compressed:
            heads += [b"Vary: Accept-Encoding", b"Content-Encoding: gzip"]
            packed = _whole(heads, gzip.compress(body, 5, mtime=0))
        return _Held(plain, packed, unchanged, etag, date)


class _Wire(asyncio.Protocol):
    def __init__(self, server: _Server) -> None:
        self.server = server
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head, self.buffer = self.buffer[:end], self.buffer[end + 4 :]
            self.transport.write(self.server.answer(head))


def _whole(heads: list[bytes], body: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"HTTP/1.1 200 OK\r\n" + b"\r\n".join([*heads, length]) + b"\r\n\r\n" + body


_NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_MISSING = _Held(_NOTHING, _NOTHING, _NOTHING, b"", b"")


def _http_date(moment: datetime) -> bytes:
    return format_datetime(moment, usegmt=True).encode()


def _serve(shape: Shape, pipe: Connection) -> None:
    asyncio.run(_Server(shape, pipe).run())
