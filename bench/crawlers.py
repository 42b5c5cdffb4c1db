"""The crawls that the benches compare, each in a process of its own: ``crawlers.py KIND JSON``.

``fanwen``: our crawl into an archive. ``bare``: Scrapy with a spider that follows the same links, reads title
and text, and keeps nothing. ``cached``: the same with Scrapy's own HTTP cache by RFC 2616. What a crawl
brought is printed as one JSON object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from web import Shape


@dataclass(frozen=True, slots=True)
class Spent:
    """What the operating system counted for one process: seconds, and the most memory at a time in MB.

    ``articles`` is how many were read, ``texts`` the SHA-256 of each by URL (``cached`` only).
    """

    cpu: float
    wall: float
    memory: float
    articles: int
    texts: dict[str, str]


def measured(kind: str, shape: Shape, proxy: str, folder: Path, *, revisit: bool = False) -> Spent:
    """Run one crawl to its end and ask the system what it took."""
    given = {
        "hosts": shape.names(),
        "sitemap": shape.sitemap,
        "proxy": proxy,
        "folder": str(folder),
        "revisit": revisit,
    }
    begin = time.monotonic()
    command = [sys.executable, __file__, kind, json.dumps(given)]
    # compiled modules are kept, as those of an installed package are
    environment = {**os.environ, "http_proxy": proxy, "PYTHONDONTWRITEBYTECODE": ""}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"The crawl '{kind}' ended with {process.returncode}; what it said stands above.")
    memory = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return Spent(usage.ru_utime + usage.ru_stime, time.monotonic() - begin, memory, **json.loads(printed))


def main() -> None:
    kind, given = sys.argv[1], json.loads(sys.argv[2])
    crawl = {"fanwen": _fanwen, "bare": _bare, "cached": _cached}[kind]
    articles, texts = crawl(given)
    print(json.dumps({"articles": articles, "texts": texts}))


def _fanwen(given: dict[str, Any]) -> tuple[int, dict[str, str]]:
    from fanwen.spiders.crawl import CrawlOptions, crawl
    from fanwen.spiders.site import Site

    sites = {
        host: Site.model_validate(
            {
                "name": host,
                "title": "作文",
                "family": "bench",
                "host": host,
                "start": [f"http://{host}/"],
                "sitemaps": [f"http://{host}/sitemap.xml"] if given["sitemap"] else [],
                "follow": {
                    "lists": [r"^/$", r"^/list_\d+\.html$"],
                    "details": [r"^/a/\d+\.html$"],
                    "attachments": [r"\.(pdf|docx?)$"],  # so that every link of every article is judged
                },
                "polite": {"delay": 0},
            }
        )
        for host in given["hosts"]
    }
    report = crawl(
        CrawlOptions(
            archive_path=Path(given["folder"]) / "archive.db",
            sites=sites,
            proxy=given["proxy"],
            revisit=given["revisit"],
        )
    )
    if report.exit_code:
        raise SystemExit(f"The crawl ended with {report.exit_code}: {report.sites}")
    return sum(site.documents for site in report.sites), {}


def _bare(given: dict[str, Any]) -> tuple[int, dict[str, str]]:
    return _scrapy(given, {}, hashes=False)


def _cached(given: dict[str, Any]) -> tuple[int, dict[str, str]]:
    cache = {
        "HTTPCACHE_ENABLED": True,
        "HTTPCACHE_POLICY": "scrapy.extensions.httpcache.RFC2616Policy",
        "HTTPCACHE_DIR": f"{given['folder']}/httpcache",
    }
    return _scrapy(given, cache, hashes=True)


def _scrapy(
    given: dict[str, Any], settings: dict[str, object], *, hashes: bool
) -> tuple[int, dict[str, str]]:
    import bare

    spider = bare.crawl([f"http://{host}/" for host in given["hosts"]], settings, hashes=hashes)
    return spider.articles, spider.texts


if __name__ == "__main__":
    main()
