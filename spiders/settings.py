"""Scrapy's settings for every crawl of fanwen: polite and safe by default.

``fanwen crawl`` adds what a run decides (user agent with contact, proxy); the pace of each
host comes from its site file, robots.txt and the host's own answers (see scheduler.py).
"""

from __future__ import annotations

from fanwen import __version__

BOT_NAME = "fanwen"
SPIDER_MODULES = ["fanwen.spiders.spider"]
SCHEDULER = "fanwen.spiders.scheduler.FrontierScheduler"
USER_AGENT = f"fanwen/{__version__} (research corpus of Chinese sample essays)"
DEFAULT_REQUEST_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "zh-CN,zh;q=0.9",
}

# Nothing listens and nothing is left lying about.
REMOTE_CONTROL_ENABLED = False
TELNETCONSOLE_ENABLED = False
JOBDIR = None  # loses the crawl on kill -9; the frontier in archive.db does not
HTTPCACHE_ENABLED = False
LOG_LEVEL = "ERROR"
LOG_INSTALL_ROOT_HANDLER = False
LOG_VERSIONS: list[str] = []
STATS_DUMP = False

# Only the public web, only HTTP. A redirect is a URL of its own in the frontier, judged like a link.
DOWNLOAD_VERIFY_CERTIFICATES = True
DOWNLOAD_HANDLERS = {"file": None, "data": None, "ftp": None, "s3": None}
TWISTED_DNS_RESOLVER = "fanwen.spiders.downloader.GuardResolver"
REDIRECT_ENABLED = False
METAREFRESH_ENABLED = False
COOKIES_ENABLED = False

# Sizes in bytes, times in seconds. The size holds before and after decompression.
DOWNLOAD_MAXSIZE = 8 * 1024 * 1024
DOWNLOAD_WARNSIZE = 0
DOWNLOAD_TIMEOUT = 60  # for the whole response, so a server that drips cannot hold us
DOWNLOAD_FAIL_ON_DATALOSS = False  # kept and marked as truncated
DNS_TIMEOUT = 20

# A spider without items needs no crowd of tasks for them, which Scrapy starts anew for every response.
CONCURRENT_ITEMS = 1

# One request at a time and host. The scheduler keeps the site's delay; a slot adds none for hosts it knows.
CONCURRENT_REQUESTS = 128
CONCURRENT_REQUESTS_PER_DOMAIN = 1
DOWNLOAD_DELAY = 5
DOWNLOAD_DELAY_JITTER = 0.5

# Done by the scheduler and the spider, with the frontier's knowledge.
RETRY_ENABLED = False
ROBOTSTXT_OBEY = False

DOWNLOADER_MIDDLEWARES: dict[str, int | None] = {
    "fanwen.spiders.downloader.GuardMiddleware": 10,
    "fanwen.spiders.downloader.DecompressMiddleware": 590,
    "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
    "scrapy.downloadermiddlewares.httpauth.HttpAuthMiddleware": None,
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
    "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": None,
    "scrapy.downloadermiddlewares.stats.DownloaderStats": None,
}
SPIDER_MIDDLEWARES: dict[str, int | None] = {
    "scrapy.spidermiddlewares.start.StartSpiderMiddleware": None,
    "scrapy.spidermiddlewares.httperror.HttpErrorMiddleware": None,
    "scrapy.spidermiddlewares.referer.RefererMiddleware": None,
    "scrapy.spidermiddlewares.urllength.UrlLengthMiddleware": None,
    "scrapy.spidermiddlewares.depth.DepthMiddleware": None,
    "scrapy.spidermiddlewares.metacopy.MetaCopyDetectionMiddleware": None,
}
# No extension of Scrapy's is used; named in EXTENSIONS as None, each would still be loaded.
EXTENSIONS_BASE: dict[str, int] = {}
# What was done is counted from the archive.
STATS_CLASS = "scrapy.statscollectors.DummyStatsCollector"
