"""A crawl shows itself on a terminal, and says nothing in a pipe."""

from __future__ import annotations

import io

from fanwen.corpus import live
from fanwen.corpus.live import CrawlProgress
from fanwen.spiders.crawl import Visit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_every_site_with_its_queue_and_last_error(monkeypatch):
    monkeypatch.setattr(live, "_EVERY", 0)
    stream = Terminal()
    progress = CrawlProgress(stream)
    progress(Visit("zhan.example", "http://zhan.example/1", 200, "new", 1, 40))
    progress(Visit("bie.example", "http://bie.example/1", 503, "failed", 1, 7, "http 503"))
    progress(Visit("zhan.example", "http://zhan.example/2", 200, "new", 2, 39))
    last = stream.getvalue().rsplit("\x1b[3A\x1b[J", 1)[1]
    assert [line.split()[:3] for line in last.strip().split("\n")[1:]] == [
        ["bie.example", "7", "1"],
        ["zhan.example", "39", "2"],
    ]
    assert "http://bie.example/1: http 503" in last
    progress.close()
    assert stream.getvalue().endswith("\x1b[3A\x1b[J")


def test_a_pipe_sees_nothing():
    stream = io.StringIO()
    progress = CrawlProgress(stream)
    progress(Visit("zhan.example", "http://zhan.example/1", 200, "new", 1, 40))
    progress.close()
    assert stream.getvalue() == ""
