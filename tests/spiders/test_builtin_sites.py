"""The site files that come with fanwen: valid, candidates, short, and their patterns fit the URL shapes known of the hosts."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from fanwen.spiders.sample import bare_host
from fanwen.spiders.site import builtin_site_folder, families, family_data, read_sites
from fanwen.spiders.site_check import doubts, judge, slow_patterns

SITES = read_sites([builtin_site_folder()])
NO_ARTICLES = [
    "/", "/about", "/about/", "/about.html", "/login", "/login/", "/login.php", "/register.html", "/search?q=1",
    "/list_2.html", "/index_3.html", "/gongzuo/", "/gongzuo/list_2.html", "/c-12-3.html", "/tags/zongjie/",
    "/sitemap.xml", "/robots.txt", "/user/123/", "/fanwen/gongzuo/index_2.html",
]  # fmt: skip


def test_there_are_more_than_twelve_sites_in_more_than_four_families_and_all_are_candidates() -> None:
    assert len(SITES) >= 17
    assert {site.family for site in SITES.values()} == set(families())
    assert len(families()) >= 4
    assert {site.status for site in SITES.values()} == {"candidate"}
    assert {site.rights.decision for site in SITES.values()} == {"unreviewed"}
    assert all("could not be checked" in site.note for site in SITES.values())


@pytest.mark.parametrize("name", sorted(SITES))
def test_a_site_file_is_short_and_has_its_own_details(name: str) -> None:
    text = (builtin_site_folder() / f"{name}.toml").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 25
    assert tomllib.loads(text)["follow"]["details"]


def test_nothing_in_them_is_doubtful_or_slow() -> None:
    assert {name: found for name, site in SITES.items() if (found := doubts(site))} == {}
    assert slow_patterns(SITES.values()) == {}


@pytest.mark.parametrize("name", families())
def test_a_family_says_how_lists_are_found_and_what_is_never_followed(name: str) -> None:
    data = family_data(name)
    assert data is not None
    assert data["follow"]["lists"][0] == "^/$"
    assert any(re.search(pattern, "/login") for pattern in data["follow"]["ignore"])
    assert "details" not in data["follow"]  # what an article's URL looks like, only a site can say


@pytest.mark.parametrize("name", sorted(SITES))
@pytest.mark.parametrize("path", NO_ARTICLES)
def test_what_is_no_article_is_no_detail(name: str, path: str) -> None:
    site = SITES[name]
    assert judge(site, f"https://{site.host}{path}").kind != "detail"
    assert judge(site, f"https://{site.host}/").kind == "list"


def test_an_article_of_the_seed_is_a_detail() -> None:
    assert judge(SITES["jianligu.com"], "https://www.jianligu.com/zc/zongjie/6145mg.html").kind == "detail"


def test_the_known_url_shapes_are_details(reference: Path) -> None:
    rows = [json.loads(line) for line in (reference / "sites.jsonl").read_text(encoding="utf-8").splitlines()]
    judged = {}
    for row in rows:
        site = SITES.get(bare_host(row["host"]), SITES.get(row["host"]))
        for shape in row["url_patterns"] if site else ():
            path = shape.replace("{n}", "12345").replace("{hex}", "1f2e3d4c5b6a")
            judged[row["host"] + shape] = (site.name, judge(site, f"https://{row['host']}{path}"))
    assert {shape: one.why for shape, (_, one) in judged.items() if one.kind != "detail"} == {}
    unseen = {"777doc.com", "jianligu.com"}  # known by a seed's text only
    assert {name for name, _ in judged.values()} == set(SITES) - unseen
