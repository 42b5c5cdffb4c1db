"""The site files that come with fanwen: valid, candidates, and their patterns fit the URL shapes known of the hosts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fanwen.spiders.site import builtin_site_folder, read_sites

SITES = read_sites([builtin_site_folder()])


def test_there_are_five_families_and_all_are_candidates() -> None:
    assert len({site.family for site in SITES.values()}) == 5
    assert {site.status for site in SITES.values()} == {"candidate"}
    assert all("check" in site.note for site in SITES.values())


@pytest.mark.parametrize("name", sorted(SITES))
def test_a_site_file_is_short(name: str) -> None:
    text = (builtin_site_folder() / f"{name}.toml").read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) <= 35


def test_an_article_of_the_seed_is_a_detail() -> None:
    site = SITES["jianligu.com"]
    assert any(re.search(pattern, "/zc/zongjie/6145mg.html") for pattern in site.follow.details)
    assert not any(re.search(pattern, "/zc/zongjie/6145mg.html") for pattern in site.follow.lists)


def test_the_known_url_shapes_are_details(reference: Path) -> None:
    lines = (reference / "sites.jsonl").read_text(encoding="utf-8").splitlines()
    known = {row["host"].removeprefix("www."): row["url_patterns"] for row in map(json.loads, lines)}
    seen = 0
    for name, site in SITES.items():
        for shape in known.get(name, []):
            path = re.sub(r"\{(n|hex)\}", "12345", shape)
            assert any(re.search(pattern, path) for pattern in site.follow.details), (name, path)
            seen += 1
    assert seen
