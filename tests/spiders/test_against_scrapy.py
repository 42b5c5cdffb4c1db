"""Troubles of the web, met by Scrapy's defaults and by us: it comes to harm, we do not.

Each trouble sets up a site and says what harm is, from what the server saw and what was kept.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fanwen.spiders.archive import Archive

HOST = "duizhao.example"
BASE = f"http://{HOST}"
ESSAY = "过去的一年里，图书馆的同志们把旧书一本一本修好，把新书一箱一箱搬上楼。" * 20


@dataclass
class Kept:
    """What a crawl kept: documents (URL → size of the body), which of them it knows to be torn, its exit code."""

    documents: dict[str, int]
    torn: set[str]
    parts: dict[str, int]
    reserved: set[str]
    exit_code: int


def scrapy(farm: Any, *, any_host: bool) -> Kept:
    given = {"host": HOST, "proxy": farm.proxy, "any_host": any_host, "settings": {"DOWNLOAD_DELAY": 0}}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("bare_scrapy.py")), json.dumps(given)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    kept = json.loads(done.stdout)["kept"]
    return Kept(
        {page["url"]: page["size"] for page in kept},
        {page["url"] for page in kept if {"dataloss", "partial", "truncated"} & set(page["flags"])},
        {page["url"]: 1 for page in kept},
        set(),
        done.returncode,
    )


def ours(crawler: Any, **options: object) -> Kept:
    report = crawler.run(**options)
    with Archive(crawler.archive, readonly=True) as archive:
        documents = list(archive.documents()) if archive.stats().sites else []
        return Kept(
            {d.url: len(archive.body(d.parts[0].body_hash)) for d in documents if not d.gone},
            {d.url for d in documents if d.parts[0].truncated},
            {d.url: len(d.parts) for d in documents},
            {d.url for d in documents if d.parts[0].consent.reservations},
            report["exit_code"],
        )


@dataclass(frozen=True)
class Trouble:
    """``site`` sets the farm up; ``harm`` says whether a crawl that kept this, and asked this, came to harm."""

    name: str
    site: Callable[[Any, Any], None]
    harm: Callable[[Any, Kept], bool]
    lists: str = "^/$"
    extra: str = ""
    times: int = 1
    any_host: bool = False


def _front(farm: Any, *links: str) -> None:
    farm.page(f"{BASE}/", list(links))


def _robots_down(farm: Any, answer: Any) -> None:
    farm[f"{BASE}/robots.txt"] = answer(b"down", 503)
    _front(farm, "/a/1.html")
    farm.page(f"{BASE}/a/1.html")


def _slowly(farm: Any, answer: Any) -> None:
    farm[f"{BASE}/robots.txt"] = answer(b"User-agent: *\nCrawl-delay: 1\n", content_type="text/plain")
    _front(farm, *(f"/a/{n}.html" for n in range(3)))
    for n in range(3):
        farm.page(f"{BASE}/a/{n}.html", text=str(n))


def _hurried(farm: Any, kept: Kept) -> bool:
    moments = [moment for moment, asked in farm.log if asked.path.startswith("/a/")]
    return min(b - a for a, b in pairwise(moments)) < 0.9


def _wait(farm: Any, answer: Any) -> None:
    _front(farm, "/a/1.html")
    farm[f"{BASE}/a/1.html"] = lambda asked: (
        answer(b"<p>x") if asked.times > 1 else answer(status=503, headers={"Retry-After": "2"})
    )


def _impatient(farm: Any, kept: Kept) -> bool:
    moments = [moment for moment, asked in farm.log if asked.path == "/a/1.html"]
    return len(moments) < 2 or moments[1] - moments[0] < 1.9


def _inside(farm: Any, answer: Any) -> None:
    _front(farm, "/a/1.html", "/a/2.html")
    farm[f"{BASE}/a/1.html"] = answer(status=302, headers={"Location": "http://127.0.0.1/secret"})
    farm[f"{BASE}/a/2.html"] = answer(
        b'<meta http-equiv="refresh" content="0;url=http://169.254.169.254/latest/meta-data/"><p>x'
    )


def _bomb(farm: Any, answer: Any) -> None:
    _front(farm, "/a/1.html")
    farm[f"{BASE}/a/1.html"] = answer(
        gzip.compress(b"<p>" + b"x" * 30_000_000), headers={"Content-Encoding": "gzip"}
    )


def _torn(farm: Any, answer: Any) -> None:
    _front(farm, "/a/1.html")
    packed = gzip.compress("".join(f"<p>第{n}段。{hash((n, 'x'))}</p>" for n in range(3000)).encode())
    farm[f"{BASE}/a/1.html"] = answer(packed[: len(packed) // 2], headers={"Content-Encoding": "gzip"})


def _sessions(farm: Any, answer: Any) -> None:
    links = [f"/a/{n}.html?sid=ab{k}c9e{k}f07d{k}" for k in range(5) for n in range(2)]
    farm[f"{BASE}/"] = answer("".join(f"<a href='{link}'>文</a>" for link in links).encode())
    for link in links:
        farm[BASE + link] = answer(f"<p>{ESSAY}{link[3]}</p>".encode())
    for n in range(2):
        farm[f"{BASE}/a/{n}.html"] = answer(f"<p>{ESSAY}{n}</p>".encode())


def _calendar(farm: Any, answer: Any) -> None:
    _front(farm, "/rili/1")
    for n in range(1, 400):
        farm[f"{BASE}/rili/{n}"] = answer(f"<a href='/rili/{n + 1}'>下一月</a>".encode())


def _soft(farm: Any, answer: Any) -> None:
    _front(farm, "/a/1.html", "/a/2.html")
    farm.page(f"{BASE}/a/1.html", text=ESSAY)
    farm[f"{BASE}/a/2.html"] = answer(
        "<title>提示</title><p>抱歉，您访问的文章不存在或已被删除。</p>".encode()
    )


def _reserved(farm: Any, answer: Any) -> None:
    farm[f"{BASE}/.well-known/tdmrep.json"] = answer(b'[{"location": "/a/1", "tdm-reservation": 1}]')
    _front(farm, "/a/1.html", "/a/2.html")
    farm.page(f"{BASE}/a/1.html")
    farm.page(f"{BASE}/a/2.html", headers={"X-Robots-Tag": "noai"})


def _cookie(farm: Any, answer: Any) -> None:
    farm[f"{BASE}/"] = answer(b"<a href='/a/1.html'>1</a>", headers={"Set-Cookie": "who=you; Path=/"})
    farm.page(f"{BASE}/a/1.html")


def _pages(farm: Any, answer: Any) -> None:
    _front(farm, "/a/1.html")
    farm[f"{BASE}/a/1.html"] = answer(f"<p>{ESSAY}</p><a class=next href='/a/1_2.html'>下一页</a>".encode())
    farm[f"{BASE}/a/1_2.html"] = answer(f"<p>{ESSAY}完</p>".encode())


def _mirror(farm: Any, answer: Any) -> None:
    _front(farm, "/a/1.html", f"http://www.{HOST}/a/1.html", f"http://m.{HOST}/a/1.html")
    for host in (HOST, f"www.{HOST}", f"m.{HOST}"):
        farm.page(f"http://{host}/a/1.html")


def _dead(farm: Any, answer: Any) -> None:
    farm[f"{BASE}/"] = answer(hang_up=True)


def _unchanged(farm: Any, answer: Any) -> None:
    def tagged(body: bytes) -> Callable[[Any], Any]:
        return lambda asked: (
            answer(status=304, headers={"ETag": '"1"'})
            if asked.headers.get("if-none-match") == '"1"'
            else answer(body, headers={"ETag": '"1"'})
        )

    farm[f"{BASE}/"] = tagged(b"<a href='/a/1.html'>1</a>")
    farm[f"{BASE}/a/1.html"] = tagged(ESSAY.encode())


TROUBLES = [
    Trouble("robots.txt is down", _robots_down, lambda farm, kept: bool(farm.pages_asked())),
    Trouble("crawl-delay", _slowly, _hurried),
    Trouble("retry-after", _wait, _impatient),
    Trouble(
        "redirects into the network",
        _inside,
        lambda farm, kept: any(asked.host in ("127.0.0.1", "169.254.169.254") for _, asked in farm.log),
        any_host=True,
    ),
    Trouble("a bomb", _bomb, lambda farm, kept: max(kept.documents.values(), default=0) > 8_388_608),
    Trouble("torn gzip", _torn, lambda farm, kept: set(kept.documents) - kept.torn != set()),
    Trouble(
        "sessions in links",
        _sessions,
        lambda farm, kept: len([url for url in kept.documents if "/a/" in url]) != 2,
    ),
    Trouble("a calendar", _calendar, lambda farm, kept: len(farm.pages_asked()) > 40, lists="^/$|^/rili"),
    Trouble("soft 404", _soft, lambda farm, kept: f"{BASE}/a/2.html" in kept.documents),
    Trouble("reservations", _reserved, lambda farm, kept: set(kept.documents) - kept.reserved != set()),
    Trouble("cookies", _cookie, lambda farm, kept: any("cookie" in asked.headers for _, asked in farm.log)),
    Trouble(
        "an article over two pages",
        _pages,
        lambda farm, kept: kept.parts.get(f"{BASE}/a/1.html") != 2,
        extra="[parts]\nnext_link = 'a.next'\n",
    ),
    Trouble("one page under three hosts", _mirror, lambda farm, kept: len(farm.pages_asked()) != 2),
    Trouble("a site that is dead", _dead, lambda farm, kept: kept.exit_code == 0),
    Trouble(
        "a second visit",
        _unchanged,
        lambda farm, kept: sum("if-none-match" in asked.headers for _, asked in farm.log) < 2,
        times=2,
    ),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_scrapy_comes_to_harm_and_we_do_not(farm, crawler, answer, trouble):
    trouble.site(farm, answer)
    for _ in range(trouble.times):
        kept = scrapy(farm, any_host=trouble.any_host)
    assert trouble.harm(farm, kept), "a trouble that does no harm proves nothing"
    farm.log.clear()
    farm.hits.clear()
    crawler.site(HOST, trouble.extra)
    path = crawler.sites / f"{HOST}.toml"
    path.write_text(path.read_text().replace("'^/$', '^/list'", f"'{trouble.lists}'"))
    for visit in range(trouble.times):
        kept = ours(crawler, revisit=visit > 0)
    assert not trouble.harm(farm, kept)
