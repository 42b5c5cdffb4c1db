"""A crawl as Scrapy does it by itself: follow every link of the site, keep every page. Not a test.

Only what a small test needs differs from Scrapy's defaults: the proxy, no delay where the test says nothing
of it, robots.txt obeyed (as in a new Scrapy project), and an end after so many pages.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from scrapy.crawler import CrawlerProcess
from scrapy.linkextractors import LinkExtractor
from scrapy.spiders import CrawlSpider, Rule


class Bare(CrawlSpider):
    name = "bare"
    rules = (Rule(LinkExtractor(deny_extensions=()), callback="keep", follow=True),)

    def __init__(self, host: str, proxy: str, any_host: bool):
        if not any_host:  # as it is where a spider names none
            self.allowed_domains = [host]
        self.start_urls = [f"http://{host}/"]
        self.proxy = proxy
        self.kept: list[dict[str, Any]] = []
        super().__init__()

    async def start(self) -> Any:
        async for request in super().start():
            request.meta["proxy"] = self.proxy
            yield request

    def _build_request(self, rule_index: int, link: Any) -> Any:
        request = super()._build_request(rule_index, link)
        request.meta["proxy"] = self.proxy
        return request

    def keep(self, response: Any) -> None:
        text = getattr(response, "text", "")
        self.kept.append(
            {"url": response.url, "size": len(response.body), "flags": response.flags, "text": text[:2000]}
        )


def main() -> None:
    given = json.loads(sys.argv[1])
    settings = {
        "LOG_LEVEL": "CRITICAL",
        "CLOSESPIDER_PAGECOUNT": 150,
        "ROBOTSTXT_OBEY": True,
        **given["settings"],
    }
    process = CrawlerProcess(settings)
    crawler = process.create_crawler(Bare)
    process.crawl(crawler, host=given["host"], proxy=given["proxy"], any_host=given["any_host"])
    process.start()
    print(json.dumps({"kept": crawler.spider.kept, "reason": crawler.stats.get_value("finish_reason")}))


if __name__ == "__main__":
    main()
