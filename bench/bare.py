"""What the crawl is measured against: Scrapy as it comes, with a spider for the sites of web.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import TextResponse

# Scrapy's defaults, but for what the comparison is not about: as many requests at a time as in our crawl,
# no delay as in the site files of the bench, nothing written to the terminal
SETTINGS: dict[str, object] = {
    "CONCURRENT_REQUESTS": 128,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
    "DOWNLOAD_DELAY": 0,
    "ROBOTSTXT_OBEY": True,
    "LOG_LEVEL": "ERROR",
}


class BareSpider(Spider):
    """Follows the lists, reads title and text of the articles; ``texts`` are their hashes, if asked for."""

    name = "bare"
    articles = 0
    texts: dict[str, str]

    def __init__(self, fronts: list[str], hashes: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fronts, self.hashes, self.texts = fronts, hashes, {}

    async def start(self) -> AsyncIterator[Request]:
        for front in self.fronts:
            yield Request(front)

    def parse(self, response: TextResponse) -> Iterator[Request]:
        for href in response.css("ul.list a::attr(href)").getall():
            yield response.follow(href, self.article)
        for href in response.css("a.next::attr(href)").getall():
            yield response.follow(href)

    def article(self, response: TextResponse) -> None:
        title = response.css("h1::text").get()
        text = "\n".join(response.css("#article p::text").getall())
        self.articles += bool(title and text)
        if self.hashes:
            self.texts[response.url] = sha256(response.body).hexdigest()


def crawl(fronts: list[str], settings: dict[str, object], *, hashes: bool) -> BareSpider:
    """One crawl from the front pages to the end; the spider that did it."""
    # as in our crawl: one request at a time and host, and a connection kept open for each
    slots = {urlsplit(url).netloc: {"concurrency": 1, "delay": 0.0} for url in fronts}
    settings = {"DOWNLOAD_SLOTS": slots, "CONCURRENT_REQUESTS_PER_DOMAIN": len(fronts)} | settings
    process = CrawlerProcess(SETTINGS | settings)
    crawler = process.create_crawler(BareSpider)
    process.crawl(crawler, fronts=fronts, hashes=hashes)
    process.start()
    assert isinstance(crawler.spider, BareSpider)
    return crawler.spider
