"""One crawl as the options on the command line say; prints its report as JSON. Not a test."""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path

from fanwen.errors import FanwenError
from fanwen.spiders import archive, settings
from fanwen.spiders.crawl import CrawlOptions, crawl
from fanwen.spiders.site import read_sites
from fanwen.spiders.takedown import Takedown, read_takedown


def main() -> None:
    given = json.loads(sys.argv[1])
    limit = given.pop("file_size", None)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    archive.BUSY_SECONDS = given.pop("busy_seconds", archive.BUSY_SECONDS)
    settings.DOWNLOAD_TIMEOUT = given.pop("timeout", settings.DOWNLOAD_TIMEOUT)
    sites = read_sites([Path(given.pop("sites"))])
    only = given.pop("only", None)
    shard = given.pop("shard", None)
    takedown = given.pop("takedown", None)
    options = CrawlOptions(
        archive_path=Path(given.pop("archive")),
        sites={name: site for name, site in sites.items() if only is None or name in only},
        shard=tuple(shard) if shard else None,
        takedown=read_takedown(Path(takedown)) if takedown else Takedown(),
        **{"retry_delay": 0.05, **given},
    )
    try:
        report = crawl(options)
    except FanwenError as error:
        print(
            json.dumps({"error": type(error).__name__, "message": str(error), "exit_code": error.exit_code})
        )
        return
    sites_by_name = {site.site: asdict(site) | {"shut": site.shut} for site in report.sites}
    print(json.dumps(asdict(report) | {"sites": sites_by_name, "exit_code": report.exit_code}))


if __name__ == "__main__":
    main()
