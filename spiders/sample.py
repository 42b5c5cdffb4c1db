"""Sample pages of a site: saved ones with the URL they came from, or a few fetched now.

Fetching is a crawl like any other, into an archive that is thrown away: robots.txt, the
guard, the pace and the contact hold here too, and there is no second fetcher.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urljoin, urlsplit

from parsel import Selector

from fanwen.errors import BlockedError, UsageError
from fanwen.spiders.archive import Archive, utc_now
from fanwen.spiders.crawl import CrawlOptions, crawl
from fanwen.spiders.guard import refusal
from fanwen.spiders.site import Follow, Parts, Site
from fanwen.spiders.urls import canonical_url

_PAGES = frozenset({".html", ".htm", ".xhtml", ".shtml", ".shtm"})
_MOST_BYTES = 8 * 1024 * 1024
# how browsers write down where a page was saved from
_SAVED = re.compile(
    rb"<!--[^>]{0,300}?\b(?:saved from url=\(\d+\)|url:\s*)(https?://[^\s<>]+)", re.IGNORECASE
)
_OWN_URL = ("//link[@rel='canonical']/@href", "//meta[@property='og:url']/@content", "//base/@href")


@dataclass(frozen=True, slots=True)
class Sample:
    """One page: ``name`` is how the user knows it, ``url`` its canonical URL.

    ``day`` is when it came, a UTC date or time.
    """

    name: str
    url: str
    body: bytes
    content_type: str | None = None
    day: str = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch of samples brought: ``robots`` are the robots.txt that were read, ``failed`` in words."""

    samples: tuple[Sample, ...]
    robots: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def read_saved(paths: Iterable[Path], urls: Sequence[str] = ()) -> list[Sample]:
    """Saved pages; of a folder those named .html, .htm and the like. ``urls``: one for each, in their order.

    Raises UsageError for a file that cannot be read, is too large, or does not say where it is from.
    """
    files = [file for path in paths for file in _files(path)]
    if urls and len(urls) != len(files):
        raise UsageError(
            f"There are {len(files)} pages and {len(urls)} URLs; give one --url for each page, in order."
        )
    return [_saved(file, urls[k] if urls else None) for k, file in enumerate(files)]


def saved_url(body: bytes) -> str | None:
    """Where a saved page says it is from: by the browser's comment, else by the page's own links."""
    if found := _SAVED.search(body[:4096]):
        return found[1].decode("ascii", "replace")
    # what names a URL is ASCII in every charset that pages use
    page = Selector(text=body.decode("latin-1") or " ", type="html")
    for path in _OWN_URL:
        for url in page.xpath(path).getall():
            if url.lower().startswith(("http://", "https://")):
                return str(url)
    return None


def fetch_samples(
    urls: Sequence[str], site: Site, *, contact: str | None, proxy: str | None = None
) -> Fetched:
    """Fetch these URLs of one site and nothing else.

    Raises UsageError for a URL that is refused or without contact, BlockedError when the site keeps us out.
    """
    for url in urls:
        reason = refusal(url)
        if reason is not None:
            raise UsageError(f"{url} is not fetched: {reason}.")
    only = site.model_copy(
        update={
            "status": "active",
            "start": tuple(urls),
            "sitemaps": (),
            "follow": Follow(),
            "parts": Parts(),
        }
    )
    with TemporaryDirectory(prefix="fanwen-") as folder:
        path = Path(folder) / "archive.db"
        report = crawl(CrawlOptions(path, {site.name: only}, contact=contact, proxy=proxy))
        fetched = _gathered(path)
    if not fetched.samples:
        why = "; ".join((*fetched.failed, *(one.closed for one in report.sites if one.closed)))
        kind = BlockedError if report.exit_code == 4 else UsageError
        raise kind(
            f"Nothing could be fetched: {why or 'no page answered'}; save a page and give --from FILE."
        )
    return fetched


def one_site(urls: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The host of most of the URLs, and the others of the same site (www., m.). UsageError for two sites."""
    hosts = [urlsplit(url).netloc for url in urls]
    names = {bare_host(host) for host in hosts}
    if len(names) > 1:
        raise UsageError(f"The pages are of several sites ({', '.join(sorted(names))}); take one at a time.")
    host = max(sorted(set(hosts)), key=hosts.count)
    return host, tuple(sorted(set(hosts) - {host}))


def bare_host(host: str) -> str:
    """A host without what only says for which screen it is."""
    return re.sub(r"^(www|m|wap|mip|3g)\.(?=[^.]+\.)", "", host)


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        # beside a.html browsers put a_files/, with the pages of its frames
        files = [
            file
            for file in sorted(path.rglob("*"))
            if file.suffix.lower() in _PAGES
            and not any(p.name.endswith("_files") for p in file.relative_to(path).parents)
        ]
        if not files:
            raise UsageError(f"There is no saved page (.html, .htm) in {path}; save one from a browser.")
        yield from files
    else:
        yield path


def _saved(file: Path, given: str | None) -> Sample:
    try:
        body = file.read_bytes()
    except OSError as error:
        raise UsageError(f"The page {file} cannot be read ({error.strerror}); check the path.") from None
    if len(body) > _MOST_BYTES:
        raise UsageError(f"The page {file} has more than 8 MiB, which no crawl would take; choose another.")
    url = given or saved_url(body)
    if url is None:
        raise UsageError(f"The page {file} does not say which URL it is of; give --url URL.")
    try:
        return Sample(str(file), canonical_url(url), body)
    except ValueError:
        raise UsageError(
            f"The page {file} is said to be {url}, which is no http(s) URL; give --url."
        ) from None


def _gathered(path: Path) -> Fetched:
    samples, failed = [], []
    with Archive(path, readonly=True) as archive, closing(archive.conn.cursor()) as rows:
        rows.row_factory = sqlite3.Row
        for row in rows.execute(_VISITED).fetchall():
            if row["body_hash"] is not None:
                body = archive.body(row["body_hash"])
                samples.append(Sample(row["url"], row["url"], body, row["content_type"]))
            elif row["moved_to"] is None:
                failed.append(f"{row['url']}: {row['note'] or row['error'] or row['state']}")
        robots = [archive.body(row[0]).decode("utf-8", "replace") for row in rows.execute(_ROBOTS).fetchall()]
    return Fetched(tuple(samples), tuple(robots), tuple(failed))


def sitemaps_of(robots: Iterable[str], base: str) -> list[str]:
    """The sitemaps that robots.txt files name."""
    lines = (line.partition(":") for text in robots for line in text.splitlines())
    return [urljoin(base, value.strip()) for key, _, value in lines if key.strip().lower() == "sitemap"]


_VISITED = """
SELECT u.url, u.state, u.note, u.moved_to, u.body_hash, b.content_type, l.error
FROM url u LEFT JOIN fetch b ON b.id = u.body_fetch LEFT JOIN fetch l ON l.id = u.last_fetch ORDER BY u.id
"""
_ROBOTS = "SELECT DISTINCT body_hash FROM robots WHERE body_hash IS NOT NULL ORDER BY body_hash"
