"""What a site says against reuse, and what a maintainer has promised: heard, kept as evidence, and obeyed."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime

import pytest

from fanwen.errors import UsageError
from fanwen.spiders.archive import Archive
from fanwen.spiders.robots import Tdmrep, denied, read_consent, read_robots, read_tdmrep
from fanwen.spiders.takedown import read_takedown

HOST = "http://tongyi.example"


def _reservations(crawler):
    with Archive(crawler.archive, readonly=True) as archive:
        return {
            document.url[len(HOST) :]: set(document.parts[0].consent.reservations)
            for document in archive.documents()
        }


def test_tdmrep_as_a_file_a_header_and_a_meta(farm, crawler, answer):
    farm[f"{HOST}/.well-known/tdmrep.json"] = answer(
        json.dumps(
            [
                {"location": "/a/zhan", "tdm-reservation": 1, "tdm-policy": "https://tongyi.example/tdm"},
                {"location": "/a/zhan-mian", "tdm-reservation": 0},
            ]
        ).encode(),
        content_type="application/json",
    )
    names = ("zhan-1", "zhan-mian-2", "tou-3", "meta-4", "zi-you-5")
    farm.page(f"{HOST}/", [f"/a/{name}.html" for name in names])
    for name in names:
        farm.page(f"{HOST}/a/{name}.html")
    farm.page(f"{HOST}/a/tou-3.html", headers={"TDM-Reservation": "1"})
    farm[f"{HOST}/a/meta-4.html"] = answer(b'<meta name="TDM-Reservation" content="1"><p>x')
    crawler.site("tongyi.example")
    assert crawler.run()["exit_code"] == 0
    found = _reservations(crawler)
    assert found == {
        "/a/zhan-1.html": {"tdmrep.json"},
        "/a/zhan-mian-2.html": set(),
        "/a/tou-3.html": {"tdm-reservation"},
        "/a/meta-4.html": {"tdm-reservation"},
        "/a/zi-you-5.html": set(),
    }
    with Archive(crawler.archive, readonly=True) as archive:
        (consent,) = {d.parts[0].consent.tdmrep_hash for d in archive.documents()}
        assert b"tdm-policy" in archive.body(consent)
    # the newest word governs, though no page is asked for again
    farm[f"{HOST}/.well-known/tdmrep.json"] = answer(b'[{"location": "/", "tdm-reservation": 1}]')
    farm.page(f"{HOST}/", [f"/a/{name}.html" for name in (*names, "xin-6")])
    farm.page(f"{HOST}/a/xin-6.html")
    connection = sqlite3.connect(crawler.archive)
    connection.execute("UPDATE url SET next_visit = '2020-01-01' WHERE kind = 'list'")
    connection.commit()
    connection.close()
    assert crawler.run()["sites"]["tongyi.example"]["requests"] == 2
    assert all("tdmrep.json" in reasons for reasons in _reservations(crawler).values())
    # a file that cannot be read takes nothing back
    farm[f"{HOST}/.well-known/tdmrep.json"] = answer(b"oops", 500)
    crawler.run(revisit=True)
    assert all("tdmrep.json" in reasons for reasons in _reservations(crawler).values())
    farm[f"{HOST}/.well-known/tdmrep.json"] = answer(b"", 404)
    crawler.run(revisit=True)
    assert _reservations(crawler)["/a/zhan-1.html"] == set()


def test_content_usage_in_robots_and_as_a_header(farm, crawler, answer):
    farm[f"{HOST}/robots.txt"] = answer(
        b"User-agent: *\nAllow: /\nContent-Usage: search=y\nContent-Usage: /a/si/ train-ai=n, search=y\n",
        content_type="text/plain",
    )
    farm.page(f"{HOST}/", ["/a/si/1.html", "/a/2.html", "/a/3.html", "/a/4.html"])
    farm.page(f"{HOST}/a/si/1.html")
    farm.page(f"{HOST}/a/2.html", headers={"Content-Usage": "train-ai=n"})
    farm.page(f"{HOST}/a/3.html", headers={"Content-Usage": "train-ai=y, search=n"})
    farm.page(f"{HOST}/a/4.html", headers={"X-Robots-Tag": "noarchive, noai"})
    crawler.site("tongyi.example")
    crawler.run()
    assert _reservations(crawler) == {
        "/a/si/1.html": {"robots.txt: content-usage train-ai"},
        "/a/2.html": {"content-usage: train-ai"},
        "/a/3.html": set(),
        "/a/4.html": {"x-robots-tag: noarchive", "x-robots-tag: noai"},
    }
    with Archive(crawler.archive, readonly=True) as archive:
        said = {d.url[len(HOST) :]: d.parts[0].consent.content_usage for d in archive.documents()}
    assert said["/a/si/1.html"] == "train-ai=n, search=y"
    assert said["/a/2.html"] == "train-ai=n, search=y"


@pytest.mark.parametrize(
    ("value", "uses"),
    [
        ("train-ai=n", {"train-ai"}),
        ("search=n, train-ai=y", set()),
        ("ai-train=no, search=yes, ai-input=no", {"ai-train", "ai-input"}),
        ("bots=n;train-genai=?0", {"bots", "train-genai"}),
        ("train-ai", set()),
        ("", set()),
    ],
)
def test_what_a_preference_denies(value, uses):
    assert denied(value) == uses


def test_groups_for_crawlers_of_language_models_count_where_they_are_named():
    robots = read_robots(
        200, b"User-agent: GPTBot\nUser-agent: ccbot\nDisallow: /\n\nUser-agent: *\nDisallow: /admin/\n", "h"
    )
    assert robots.reservations("http://a.example/a/1") == {"robots.txt: GPTBot", "robots.txt: CCBot"}
    assert robots.allows("http://a.example/a/1")
    assert (
        read_robots(200, b"User-agent: *\nDisallow: /\n", "h").reservations("http://a.example/a/1") == set()
    )


def test_a_group_may_name_a_version():
    robots = read_robots(200, b"User-agent: *\nAllow: /\n\nUser-agent: FanWen/2.0 # us\nDisallow: /a/\n", "h")
    assert (robots.allows("http://a.example/a/1"), robots.allows("http://a.example/b/1")) == (False, True)


def test_usage_of_our_own_group_outweighs_that_of_all():
    text = b"User-agent: *\nContent-Usage: train-ai=n\n\nUser-agent: fanwen\nContent-Usage: train-ai=y\n"
    assert read_robots(200, text, "h").reservations("http://a.example/a/1") == set()


@pytest.mark.parametrize(
    ("location", "path", "fits"),
    [
        ("/", "/a", True),
        ("/a/*.html", "/a/b/1.html?x", True),
        ("/a/*.html$", "/a/b/1.html?x", False),
        ("/a/*.html$", "/a/b/1.html", True),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("/*a*a*a*a*a*a*a*a*a*b", "/" + "a" * 1900, False),
    ],
)
def test_locations_are_patterns(location, path, fits):
    rows = read_tdmrep(json.dumps([{"location": location, "tdm-reservation": 1}]).encode())
    assert Tdmrep("h", rows).reserves("http://a.example" + path) == fits


@pytest.mark.parametrize(
    "body", [b"", b"[", b"null", b"[1, {}]", b'{"location": 3}', b"\xff\xfe", b"[" * 100_000, b'"x"']
)
def test_a_broken_tdmrep_says_nothing(body):
    assert read_tdmrep(body) == ()


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("googlebot: nofollow, fanwen: noindex", {"noindex"}),
        ("googlebot: noindex, noarchive", set()),
        ("fanwen: nofollow, noai", {"noai"}),
        ("*: noindex", {"noindex"}),
        ("max-snippet: 0, noai", {"noai"}),
        ("unavailable_after: 25 Jun 2099 15:00:00 GMT, noindex", {"noindex"}),
    ],
)
def test_a_name_in_a_robots_tag_holds_until_the_next(tag, found):
    consent = read_consent("http://a.example/a/1", None, {"x-robots-tag": [tag]})
    assert consent.reservations == tuple(f"x-robots-tag: {word}" for word in sorted(found))


@pytest.mark.parametrize(
    ("meta", "found"),
    [
        (("gptbot", "noindex"), ("meta robots: noindex",)),
        (("googlebot", "noindex"), ()),
        (("robots", "noindex，nofollow"), ("meta robots: noindex",)),
    ],
)
def test_meta_robots_for_crawlers_of_language_models_and_with_wide_commas(meta, found):
    assert read_consent("http://a.example/a/1", None, {}, [meta]).reservations == found


@pytest.mark.parametrize(("value", "reserved"), [("1", True), ('"1"', True), ("true", True), ("0", False)])
def test_a_tdm_reservation_in_any_spelling_of_one(value, reserved):
    rows = read_tdmrep(f'[{{"location": "/", "tdm-reservation": {value}}}]'.encode())
    assert Tdmrep("h", rows).reserves("http://a.example/a/1") == reserved


# -- budgets --------------------------------------------------------------------------------------------


def test_a_budget_of_the_day_is_kept_over_runs(farm, crawler, answer):
    urls = [f"/a/{n}.html" for n in range(20)]
    farm.page(f"{HOST}/", urls)
    for n, url in enumerate(urls):
        farm.page(HOST + url, text=f"第{n}篇")
    crawler.site("tongyi.example", requests_per_day=9)
    report = crawler.run()
    site = report["sites"]["tongyi.example"]
    assert (sum(farm.hits.values()), report["exit_code"]) == (9, 0)
    assert "9 requests" in site["budget"]
    assert site["queue"] == 14
    again = crawler.run()
    assert (sum(farm.hits.values()), again["exit_code"]) == (9, 0), "not even robots.txt is asked for"
    connection = sqlite3.connect(crawler.archive)
    connection.execute("UPDATE budget SET day = '2020-01-01'")
    connection.commit()
    connection.close()
    assert crawler.run()["sites"]["tongyi.example"]["queue"] == 7
    crawler.site("tongyi.example")
    assert crawler.run()["sites"]["tongyi.example"]["queue"] == 0


def test_a_budget_of_bytes_counts_what_comes_over_the_wire(farm, crawler, answer):
    urls = [f"/a/{n}.html" for n in range(20)]
    farm.page(f"{HOST}/", urls)
    for n, url in enumerate(urls):
        farm[HOST + url] = answer(f"<p>{n}</p>".encode() + b" " * 9_990)
    crawler.site("tongyi.example", mb_per_day=0.05)
    report = crawler.run()
    assert 14 <= report["sites"]["tongyi.example"]["queue"] <= 16
    connection = sqlite3.connect(crawler.archive)
    day, size = connection.execute("SELECT day, bytes FROM budget").fetchone()
    connection.close()
    assert day == datetime.now(UTC).date().isoformat()
    assert 50_000 <= size < 65_000


# -- the takedown list ----------------------------------------------------------------------------------


def test_what_is_taken_down_is_neither_asked_for_nor_stored(farm, crawler, answer, tmp_path):
    body = "<p>这一页要撤下</p>".encode()
    farm.page(f"{HOST}/", ["/a/1.html", "/a/2.html", "/a/3.html"])
    farm.page(f"{HOST}/a/1.html")
    farm.page(f"{HOST}/a/2.html")
    farm[f"{HOST}/a/3.html"] = answer(body)
    farm.page("http://chexia.example/", ["/a/1.html"])
    from hashlib import sha256

    listed = tmp_path / "takedown.txt"
    listed.write_text(
        f"# 2026-11-01, 来信\nhttps://www.tongyi.example/a/1.html?utm_source=x  # 同一页\nchexia.example\n"
        f"sha256:{sha256(body).hexdigest()}\n",
        encoding="utf-8",
    )
    crawler.site("tongyi.example")
    crawler.site("chexia.example")
    report = crawler.run(takedown=str(listed))
    assert set(farm.pages_asked()) == {f"{HOST}/", f"{HOST}/a/2.html", f"{HOST}/a/3.html"}
    assert report["sites"]["tongyi.example"]["blocked"] == 2
    with Archive(crawler.archive, readonly=True) as archive:
        assert [document.url for document in archive.documents()] == [f"{HOST}/a/2.html"]
        assert archive.conn.execute("SELECT count(*) FROM body").fetchone()[0] == 2
    listed.write_text("")
    crawler.run(takedown=str(listed))
    assert len(_reservations(crawler)) == 3, "taken off the list, it is asked for again"


def test_a_takedown_list_names_hosts_with_their_subdomains(tmp_path):
    path = tmp_path / "takedown.txt"
    path.write_text("www.chexia.example\nhttp://tongyi.example/a/\n", encoding="utf-8")
    taken = read_takedown(path)
    assert taken.names("https://m.chexia.example/a")
    assert taken.names("https://chexia.example/")
    assert not taken.names("https://buchexia.example/")
    assert taken.names("https://tongyi.example/a/")
    assert not taken.names("https://tongyi.example/a/1")
    assert not read_takedown(tmp_path / "none.txt")


@pytest.mark.parametrize("line", ["ftp://a.example/", "一段话", "abc", "sha256:12", "a b.example"])
def test_a_wrong_line_of_the_takedown_list_is_told(tmp_path, line):
    path = tmp_path / "takedown.txt"
    path.write_text(f"# 说明\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="Line 2"):
        read_takedown(path)
