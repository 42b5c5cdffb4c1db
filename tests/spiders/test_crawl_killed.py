"""Kills, signals, full disks and locks: the crawl goes on where it was, and fetches nothing twice."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

from fanwen.corpus import release
from fanwen.corpus.build import build
from fanwen.spiders.archive import Archive

HOST = "http://changzhan.example"
ROOT = Path(__file__).resolve().parents[2]


def _large_site(farm, crawler, answer, lists, per_list, seconds=0.008):
    """``seconds`` for each page, so that a signal meets a crawl that still runs."""

    def slow(body):
        def route(asked):
            time.sleep(seconds)
            return answer(body)

        return route

    def essay(n, m):
        """Text enough for a piece, of which no two are alike."""
        chosen = random.Random(n * 1000 + m)
        words = [
            "整理书架",
            "登记图书",
            "提醒归还",
            "修补封面",
            "张贴标签",
            "打扫阅览室",
            "清点册数",
            "介绍新书",
        ]
        lines = (
            f"第{week}周，{chosen.choice(words)}{chosen.randint(10, 99)}次，又{chosen.choice(words)}{chosen.randint(10, 99)}次，"
            f"共有{chosen.randint(100, 999)}位同学参加，大家都说图书角比从前{chosen.choice('新亮好静暖')}了。"
            for week in chosen.sample(range(1, 40), 5)
        )
        return f"<h1>第{n}组第{m}篇工作总结</h1>" + "".join(f"<p>{line}</p>" for line in lines)

    farm.page(f"{HOST}/", [f"/list{n}" for n in range(lists)])
    for n in range(lists):
        links = "".join(f'<a href="/a/{n}-{m}.html">x</a>' for m in range(per_list))
        farm[f"{HOST}/list{n}"] = slow(links.encode())
        for m in range(per_list):
            further = f"<a class=next href='/a/{n}-{m}_2.html'>下页</a>" if m % 10 == 0 else ""
            farm[f"{HOST}/a/{n}-{m}.html"] = slow((essay(n, m) + further).encode())
            if further:
                farm[f"{HOST}/a/{n}-{m}_2.html"] = slow(f"<p>{n} {m} 到此为止，以上就是全部。".encode())
    crawler.site("changzhan.example", "[parts]\nnext_link = 'a.next'\n")
    return 1 + lists + lists * per_list + lists * ((per_list + 9) // 10)


def _state(path):
    with Archive(path, readonly=True) as archive:
        assert archive.verify() == []
        documents = [
            (d.url, [part.body_hash for part in d.parts], d.missing_parts) for d in archive.documents()
        ]
    connection = sqlite3.connect(path)
    twice = connection.execute(
        "SELECT u.url, count(*) FROM fetch f JOIN url u ON u.id = f.url_id GROUP BY 1 HAVING count(*) > 1"
    ).fetchall()
    open_crawls = connection.execute("SELECT count(*), sum(finished_at IS NULL) FROM crawl").fetchone()
    leased = connection.execute("SELECT count(*) FROM url WHERE state = 'leased'").fetchone()[0]
    connection.close()
    return documents, twice, open_crawls, leased


def _released(archive):
    """Root hash and number of pieces of what is made from an archive."""
    folder = archive.parent
    build(archive, folder / "corpus.db", workers=1)
    made = release.create(folder / "corpus.db", folder / "releases", date="2026-11-21")
    assert made.pieces > 0
    assert made.documents == len(_state(archive)[0])
    return made.root, made.pieces, made.pieces_default


def test_killed_at_random_moments_nothing_is_lost_or_fetched_twice(farm, crawler, answer, soak, tmp_path):
    pages = _large_site(farm, crawler, answer, *((6, 95) if soak else (3, 32)))
    kills = 0
    dice = random.Random(20261121)
    wanted = 100 if soak else 5
    while kills < wanted:
        base = sum(farm.pages_asked().values())
        stop = base + dice.randint(1, max(1, pages // wanted - 1))
        process = crawler.start(revisit=True)
        if not crawler.kill_when(
            process, lambda stop=stop: sum(farm.pages_asked().values()) >= stop, signal.SIGKILL
        ):
            break
        kills += 1
    assert kills == wanted
    report = crawler.run(revisit=True)
    assert (report["resumed"], report["exit_code"]) == (True, 0)
    documents, twice, crawls, leased = _state(crawler.archive)
    assert (twice, crawls, leased) == ([], (1, 0), 0)
    assert sum(farm.pages_asked().values()) <= pages + kills, (
        "one request in flight at most when it was killed"
    )
    assert report["sites"]["changzhan.example"]["new"] == pages, (
        "the report counts what earlier processes brought"
    )

    undisturbed = (
        type(crawler)(tmp_path / "other", farm.proxy) if (tmp_path / "other").mkdir() is None else None
    )
    undisturbed.site("changzhan.example", "[parts]\nnext_link = 'a.next'\n")
    undisturbed.run()
    assert _state(undisturbed.archive)[0] == documents
    assert _released(crawler.archive) == _released(undisturbed.archive)
    again = crawler.run(revisit=True)
    assert (again["resumed"], again["sites"]["changzhan.example"]["unchanged"]) == (False, pages)


def test_a_signal_ends_the_crawl_in_order(farm, crawler, answer):
    pages = _large_site(farm, crawler, answer, 2, 50, seconds=0.05)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        base = sum(farm.pages_asked().values())
        process = crawler.start()
        assert crawler.kill_when(
            process, lambda base=base: sum(farm.pages_asked().values()) > base + 5, number
        )
        out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")
        assert '"reason": "interrupted"' in out
        assert '"exit_code": 5' in out
    assert crawler.run()["exit_code"] == 0
    documents, twice, _, _ = _state(crawler.archive)
    assert (len(documents), twice) == (100, [])
    assert sum(farm.pages_asked().values()) == pages


def test_two_crawls_of_one_site_never_run_together(farm, crawler, answer):
    _large_site(farm, crawler, answer, 1, 20)
    farm.page("http://bieren.example/", ["/a/1.html"])
    farm.page("http://bieren.example/a/1.html")
    gate = threading.Event()

    def gated(asked):
        gate.wait(30)
        return answer(b"<p>at last</p>")

    farm[f"{HOST}/a/0-5.html"] = gated
    first = crawler.start(only=["changzhan.example"])
    while f"{HOST}/a/0-5.html" not in farm.pages_asked():
        time.sleep(0.005)
    crawler.site("bieren.example")
    second = crawler.run()
    assert (second["error"], second["exit_code"]) == ("BlockedError", 4)
    assert "changzhan.example" in second["message"]
    assert crawler.run(only=["bieren.example"])["exit_code"] == 0, (
        "another site of the same archive may be crawled"
    )
    gate.set()
    out, err = first.communicate(timeout=30)
    assert ('"exit_code": 0' in out, err) == (True, "")
    assert max(farm.pages_asked().values()) == 1


def test_a_full_disk_stops_the_crawl_and_it_goes_on_later(farm, crawler, answer):
    farm.page(f"{HOST}/", [f"/a/{n}.html" for n in range(30)])
    for n in range(30):
        farm[f"{HOST}/a/{n}.html"] = answer(
            random.Random(n).randbytes(40_000), content_type="application/pdf"
        )
    crawler.site("changzhan.example")
    stopped = crawler.run(file_size=600_000)
    assert (stopped["error"], stopped["exit_code"]) == ("IncompleteError", 5)
    assert str(crawler.archive) in stopped["message"]
    committed = len(_state(crawler.archive)[0])
    assert 0 < committed < 30
    report = crawler.run()
    assert (report["exit_code"], report["resumed"]) == (0, True)
    documents, twice, _, _ = _state(crawler.archive)
    assert (len(documents), twice) == (30, [])


def test_a_locked_archive_stops_the_crawl(farm, crawler, answer):
    _large_site(farm, crawler, answer, 2, 50)
    process = crawler.start(busy_seconds=0.3)
    while sum(farm.pages_asked().values()) < 10:
        time.sleep(0.005)
    other = sqlite3.connect(crawler.archive, timeout=10)
    other.execute("BEGIN IMMEDIATE")
    out, err = process.communicate(timeout=30)
    other.rollback()
    other.close()
    assert ('"BlockedError"' in out, err) == (True, "")
    assert crawler.run()["exit_code"] == 0
    assert _state(crawler.archive)[1] == []


def test_a_second_signal_ends_it_at_once_and_it_is_not_called_finished(farm, crawler, answer):
    gate = threading.Event()

    def hanging(asked):
        gate.wait(30)
        return answer(b"late")

    farm.page(f"{HOST}/", ["/a/1.html", "/a/2.html"])
    farm[f"{HOST}/a/1.html"] = hanging
    farm.page(f"{HOST}/a/2.html")
    crawler.site("changzhan.example")
    process = crawler.start()
    crawler.kill_when(process, lambda: f"{HOST}/a/1.html" in farm.pages_asked(), signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    gate.set()
    assert '"reason": "interrupted"' in out
    report = crawler.run()
    assert (report["resumed"], report["exit_code"], len(_state(crawler.archive)[0])) == (True, 0, 2)


def test_scrapy_itself_finds_the_spider():
    listed = subprocess.run(
        [sys.executable, "-m", "scrapy", "list"], capture_output=True, text=True, cwd=ROOT, timeout=30
    )
    assert (listed.returncode, listed.stdout.split()) == (0, ["fanwen"]), listed.stderr
