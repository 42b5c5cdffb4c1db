"""The second visit: what changed is found, and what did not is hardly asked for."""

from __future__ import annotations

import sqlite3

from fanwen.spiders.archive import Archive

HOST = "http://gengxin.example"
PAGES = 120


def _site(crawler, sitemap=True, extra=""):
    where = f'sitemaps = ["{HOST}/sitemap.xml"]\n' if sitemap else ""
    crawler.site("gengxin.example", extra)
    path = crawler.sites / "gengxin.example.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("[follow]", f"{where}[follow]"), encoding="utf-8"
    )


def _pages(farm, tagged, version, changed=()):
    for n in range(PAGES):
        at = version if n in changed else 1
        body = f"<p>第{n}篇 第{at}稿 过去的一年，图书馆的同志们做了许多事情。</p>".encode()
        farm[f"{HOST}/a/{n}.html"] = tagged(body, f'"{n}-{at}"')


def _sitemaps(farm, answer, lastmods, index_lastmod="2026-02-01"):
    farm[f"{HOST}/sitemap.xml"] = answer(
        "<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><sitemap>"
        f"<loc>{HOST}/sitemap-1.xml</loc><lastmod>{index_lastmod}</lastmod></sitemap></sitemapindex>".encode(),
        content_type="application/xml",
    )
    rows = "".join(
        f"<url><loc>{HOST}/a/{n}.html</loc><lastmod>{lastmod}</lastmod></url>"
        for n, lastmod in lastmods.items()
    )
    farm[f"{HOST}/sitemap-1.xml"] = answer(
        f"<urlset>{rows}</urlset>".encode(), content_type="application/xml"
    )


def _asked(farm):
    """What was asked since the last call."""
    asked = farm.pages_asked()
    farm.hits.clear()
    return asked


def _outcomes(crawler, crawl):
    connection = sqlite3.connect(crawler.archive)
    rows = connection.execute(
        "SELECT u.url, f.outcome FROM fetch f JOIN url u ON u.id = f.url_id WHERE f.crawl = ?", (crawl,)
    ).fetchall()
    connection.close()
    return dict(rows)


def test_a_sitemap_says_which_pages_need_not_be_asked_for(farm, crawler, answer, tagged):
    farm.page(f"{HOST}/", ["/a/0.html"])
    _pages(farm, tagged, 1)
    _sitemaps(farm, answer, dict.fromkeys(range(PAGES), "2026-01-05"))
    _site(crawler)
    assert crawler.run()["sites"]["gengxin.example"]["new"] == PAGES + 3
    _asked(farm)
    changed = {3, 50, 51, 119}
    _pages(farm, tagged, 2, changed)
    lastmods = dict.fromkeys(range(PAGES), "2026-01-05") | dict.fromkeys(changed, "2026-03-07T08:00:00+08:00")
    _sitemaps(farm, answer, lastmods, "2026-03-07")
    report = crawler.run(revisit=True)
    asked = _asked(farm)
    found = {url for url, outcome in _outcomes(crawler, report["crawl"]).items() if outcome == "changed"}
    assert found >= {f"{HOST}/a/{n}.html" for n in changed}
    assert sum(asked.values()) <= 3 + len(changed) + 3, (
        "two sitemaps, the front page, what changed, a spot check"
    )
    assert report["sites"]["gengxin.example"]["spared"] >= PAGES - len(changed) - 3
    # the index says that nothing changed: not even the sitemap itself is read
    again = crawler.run(revisit=True)
    asked = _asked(farm)
    assert f"{HOST}/sitemap-1.xml" not in asked
    assert sum(asked.values()) <= 2 + 3
    assert again["sites"]["gengxin.example"]["spared"] >= PAGES - 3
    # and a page whose lastmod moves is due though its next visit is a month away
    _pages(farm, tagged, 3, {7})
    _sitemaps(farm, answer, lastmods | {7: "2026-05-01"}, "2026-05-01")
    connection = sqlite3.connect(crawler.archive)
    connection.execute("UPDATE url SET next_visit = '2020-01-01' WHERE kind = 'sitemap'")
    connection.commit()
    connection.close()
    third = crawler.run()
    assert set(_asked(farm)) == {f"{HOST}/sitemap.xml", f"{HOST}/sitemap-1.xml", f"{HOST}/a/7.html"}
    assert third["sites"]["gengxin.example"]["queue"] == 0


def test_a_sitemap_that_lies_is_not_believed_any_more(farm, crawler, answer, tagged):
    farm.page(f"{HOST}/", ["/a/0.html"])
    _pages(farm, tagged, 1)
    _sitemaps(farm, answer, dict.fromkeys(range(PAGES), "2026-01-05"))
    _site(crawler)
    crawler.run()
    _pages(farm, tagged, 2, range(PAGES))  # everything changed, and the sitemap says nothing did
    report = crawler.run(revisit=True)
    site = report["sites"]["gengxin.example"]
    assert site["changed"] >= PAGES, "the spot check found one, and then all were asked for"
    assert [trap["kind"] for trap in site["traps"]] == ["sitemap lies"]
    _pages(farm, tagged, 3, {9})
    report = crawler.run(revisit=True)
    assert _outcomes(crawler, report["crawl"])[f"{HOST}/a/9.html"] == "changed"
    assert report["sites"]["gengxin.example"]["spared"] == 0


def test_a_lastmod_of_today_or_of_the_future_proves_nothing(farm, crawler, answer, tagged):
    from datetime import UTC, datetime

    today = datetime.now(UTC).date().isoformat()
    farm.page(f"{HOST}/", ["/a/0.html"])
    _pages(farm, tagged, 1)
    _sitemaps(farm, answer, {1: today, 2: "2999-01-01", 3: "gestern", 4: "2026-01-05"}, today)
    _site(crawler)
    crawler.run()
    _asked(farm)
    _pages(farm, tagged, 2, {1, 2, 3})
    report = crawler.run(revisit=True)
    outcomes = _outcomes(crawler, report["crawl"])
    assert [outcomes[f"{HOST}/a/{n}.html"] for n in (1, 2, 3)] == ["changed"] * 3


def test_a_sitemap_of_robots_txt_is_read(farm, crawler, answer, tagged):
    farm.page(f"{HOST}/", [])
    _pages(farm, tagged, 1)
    _sitemaps(farm, answer, dict.fromkeys(range(10), "2026-01-05"))
    farm[f"{HOST}/robots.txt"] = answer(
        f"Sitemap: {HOST}/sitemap.xml\nSitemap: http://169.254.1.1/sitemap.xml\n".encode(),
        content_type="text/plain",
    )
    _site(crawler, sitemap=False)
    assert crawler.run()["sites"]["gengxin.example"]["documents"] == 10


def test_sitemaps_of_sitemaps_end_and_a_bare_ampersand_costs_nothing(farm, crawler, answer):
    """Each index names ten more; the addresses in the last ones are written as many sites write them."""

    def endless(asked):
        name = asked.path[len("/sitemap") : -len(".xml")]
        rows = "".join(f"<sitemap><loc>{HOST}/sitemap{name}{n}.xml</loc></sitemap>" for n in range(3))
        for n in range(3):
            farm[f"{HOST}/sitemap{name}{n}.xml"] = endless
        return answer(f"<sitemapindex>{rows}</sitemapindex>".encode(), content_type="application/xml")

    farm[f"{HOST}/sitemap.xml"] = endless
    farm[f"{HOST}/robots.txt"] = answer(f"Sitemap: {HOST}/plain.xml\n".encode(), content_type="text/plain")
    farm[f"{HOST}/plain.xml"] = answer(
        f"<urlset><url><loc>{HOST}/a/?b=2&c=3&amp;d=4</loc></url>"
        f"<url><loc><![CDATA[{HOST}/a/?e=5&f=6]]></loc></url></urlset>".encode(),
        content_type="application/xml",
    )
    farm.page(f"{HOST}/", [])
    _site(crawler)
    report = crawler.run()
    asked = _asked(farm)
    assert sum("/sitemap" in url for url in asked) == 1 + 3 + 9
    assert {trap["kind"] for trap in report["sites"]["gengxin.example"]["traps"]} == {"too deep"}
    assert {f"{HOST}/a/?b=2&c=3&d=4", f"{HOST}/a/?e=5&f=6"} <= set(asked)


def test_validators_ask_for_no_body_and_the_interval_follows(farm, crawler, answer, tagged):
    farm.page(f"{HOST}/", [f"/a/{n}.html" for n in range(PAGES)])
    _pages(farm, tagged, 1)
    _site(crawler, sitemap=False)
    first = crawler.run()["sites"]["gengxin.example"]
    _pages(farm, tagged, 2, {5})
    second = crawler.run(revisit=True)["sites"]["gengxin.example"]
    assert (second["changed"], second["unchanged"]) == (1, PAGES)
    assert second["wire_bytes"] < first["wire_bytes"] / 3
    connection = sqlite3.connect(crawler.archive)
    days = dict(connection.execute("SELECT url, interval_days FROM url WHERE kind = 'detail'"))
    connection.close()
    assert (days[f"{HOST}/a/5.html"], days[f"{HOST}/a/6.html"]) == (30, 60)
    crawler.run(revisit=True)
    crawler.run(revisit=True)
    crawler.run(revisit=True)
    connection = sqlite3.connect(crawler.archive)
    days = dict(connection.execute("SELECT url, interval_days FROM url WHERE kind = 'detail'"))
    connection.close()
    assert (days[f"{HOST}/a/5.html"], days[f"{HOST}/a/6.html"]) == (240, 365)


def test_other_bytes_with_the_same_words_are_no_change_of_the_page(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/1.html"])
    farm[f"{HOST}/a/1.html"] = lambda asked: answer(
        f"<script>var t={asked.times}</script><p>一样的话<a href='/b'>{asked.times}</a>".encode()
    )
    _site(crawler, sitemap=False)
    crawler.run()
    crawler.run(revisit=True)
    connection = sqlite3.connect(crawler.archive)
    row = connection.execute("SELECT interval_days FROM url WHERE url = ?", (f"{HOST}/a/1.html",)).fetchone()
    connection.close()
    assert row == (60,)


def test_the_cleaners_word_keeps_an_unchanged_text_from_being_asked_for_soon(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/1.html", "/a/2.html"])
    for n in (1, 2):
        farm[f"{HOST}/a/{n}.html"] = lambda asked: answer(f"<p>阅读{asked.times}次</p>".encode())
    _site(crawler, sitemap=False)
    texts = {f"{HOST}/a/1.html": ("a", "a"), f"{HOST}/a/2.html": ("b", "c")}
    for visit in range(2):
        crawler.run(revisit=True)
        with Archive(crawler.archive) as archive:
            assert set(archive.texts_wanted()) == set(texts)
            archive.note_texts({url: digests[visit] for url, digests in texts.items()})
            assert archive.texts_wanted() == []
    connection = sqlite3.connect(crawler.archive)
    days = dict(connection.execute("SELECT url, interval_days FROM url WHERE kind = 'detail'"))
    connection.close()
    assert days == {f"{HOST}/a/1.html": 60, f"{HOST}/a/2.html": 30}


def test_list_pages_are_read_until_three_in_a_row_bring_nothing_new(farm, crawler, answer):
    def lists(count, fresh=()):
        for n in range(1, count + 1):
            links = "".join(f'<a href="/a/{n}-{m}.html">文</a>' for m in range(3))
            links += "".join(f'<a href="{url}">新</a>' for at, url in fresh if at == n)
            further = f'<a href="/list_{n + 1}.html">下一页</a>' if n < count else ""
            farm[f"{HOST}/list_{n}.html"] = answer((links + further).encode())
            for m in range(3):
                farm.page(f"{HOST}/a/{n}-{m}.html", text=f"文{n}{m}")

    farm.page(f"{HOST}/", ["/list_1.html"])
    lists(12)
    _site(crawler, sitemap=False)
    first = crawler.run()["sites"]["gengxin.example"]
    assert (first["documents"], first["traps"]) == (36, [])
    _asked(farm)
    farm.page(f"{HOST}/a/neu-1.html")
    farm.page(f"{HOST}/a/neu-5.html")
    lists(12, fresh=[(1, "/a/neu-1.html"), (3, "/a/neu-5.html")])
    second = crawler.run(revisit=True)["sites"]["gengxin.example"]
    asked = {url[len(HOST) :] for url in _asked(farm) if "list" in url}
    assert second["new"] == 2
    assert asked == {f"/list_{n}.html" for n in range(1, 7)}, "4, 5 and 6 brought nothing new"
    assert (second["queue"], second["traps"]) == (0, [])


def test_a_page_is_gone_after_410_or_three_404s_and_not_before(farm, crawler, answer):
    farm.page(f"{HOST}/", ["/a/1.html", "/a/2.html", "/a/3.html"])
    for n in (1, 2, 3):
        farm.page(f"{HOST}/a/{n}.html", text="在")
    _site(crawler, sitemap=False)
    crawler.run()
    farm[f"{HOST}/a/1.html"] = answer(status=410)
    farm[f"{HOST}/a/2.html"] = answer(b"404", 404)
    farm[f"{HOST}/a/3.html"] = answer("<h1>抱歉，您访问的页面不存在</h1>".encode())
    states = []
    for _ in range(3):
        crawler.run(revisit=True)
        with Archive(crawler.archive, readonly=True) as archive:
            states.append({d.url[-6:]: d.gone for d in archive.documents()})
    assert states[0] == {"1.html": "http 410", "2.html": None, "3.html": None}
    assert states[1] == states[0]
    assert states[2] == {
        "1.html": "http 410",
        "2.html": "http 404 three times",
        "3.html": "not there three times",
    }


def test_a_page_that_is_gone_stays_gone_until_it_has_come_again(farm, crawler, answer, tagged):
    farm.page(f"{HOST}/", ["/a/0.html"])
    _pages(farm, tagged, 1)
    _sitemaps(farm, answer, {1: "2026-01-05", 2: "2026-01-05"})
    _site(crawler)
    crawler.run()
    farm[f"{HOST}/a/1.html"] = answer(status=410)
    _sitemaps(farm, answer, {1: "2026-02-05", 2: "2026-01-05"}, "2026-02-05")
    crawler.run(revisit=True)
    farm[f"{HOST}/a/1.html"] = answer(b"later", 500)
    _sitemaps(farm, answer, {1: "2026-03-05", 2: "2026-01-05"}, "2026-03-05")
    crawler.run(revisit=True)
    with Archive(crawler.archive, readonly=True) as archive:
        assert {d.url[-6:]: d.gone for d in archive.documents()}["1.html"] == "http 410"
    _pages(farm, tagged, 2, {1})
    crawler.run(revisit=True)
    with Archive(crawler.archive, readonly=True) as archive:
        assert {d.url[-6:]: d.gone for d in archive.documents()}["1.html"] is None


def test_a_page_that_is_suddenly_empty_is_not_believed_at_once(farm, crawler, answer):
    """What a broken database, a check for robots or a login page shows costs no piece; three visits decide."""
    text = "过去的一年，图书馆的同志们做了许多事情。" * 20
    checks = iter(range(100))
    shown = {
        "empty": lambda asked: answer(b""),
        "check": lambda asked: answer(f"<h1>安全验证</h1><p>请完成验证 {next(checks)}".encode()),
        "script": lambda asked: answer(b"<script>document.cookie='a=1';location.reload()</script>"),
        "shorter": lambda asked: answer(f"<p>{text[:80]}".encode()),
    }
    farm.page(f"{HOST}/", [f"/a/{name}.html" for name in shown])
    for name in shown:
        farm.page(f"{HOST}/a/{name}.html", text=f"{name}{text}")
    _site(crawler, sitemap=False)
    crawler.run()
    for name, route in shown.items():
        farm[f"{HOST}/a/{name}.html"] = route
    for expected, shorter in (("missing", "changed"), ("missing", "unchanged"), ("gone", "unchanged")):
        outcomes = _outcomes(crawler, crawler.run(revisit=True)["crawl"])
        assert {name: outcomes.get(f"{HOST}/a/{name}.html") for name in shown} == {
            "empty": expected,
            "check": expected,
            "script": expected,
            "shorter": shorter,
        }
    with Archive(crawler.archive, readonly=True) as archive:
        held = {document.url[len(HOST) + 3 : -5]: document for document in archive.documents()}
        assert text.encode() in archive.body(held["empty"].parts[0].body_hash), "the last text stays"
    assert held["script"].gone is not None


def test_an_unread_sitemap_of_another_site_on_the_host_holds_nobody_up(farm, crawler, answer, tagged):
    farm.page(f"{HOST}/", ["/a/1.html"])
    _pages(farm, tagged, 1)
    _site(crawler)
    farm[f"{HOST}/sitemap.xml"] = answer(b"down", 500)
    crawler.run(retries=0)
    connection = sqlite3.connect(crawler.archive)
    connection.execute("UPDATE url SET state = 'new', site = 'bie.example' WHERE kind = 'sitemap'")
    connection.commit()
    connection.close()
    _site(crawler, sitemap=False)
    assert crawler.run(revisit=True)["sites"]["gengxin.example"]["queue"] == 0
