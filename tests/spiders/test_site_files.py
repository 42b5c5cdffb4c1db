"""Families of site files, and what a check finds in a file that is valid and wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanwen.errors import UsageError
from fanwen.spiders.patterns import examples, slow
from fanwen.spiders.scope import Scope
from fanwen.spiders.site import Follow, Site, families, read_site
from fanwen.spiders.site_check import doubts, judge, slow_patterns

HEAD = 'name = "bu.example"\ntitle = "部"\nhost = "bu.example"\nstart = ["http://bu.example/"]\n'
FAMILY = """[follow]
lists = ['^/$', '^/l/']
details = ['^/d/']

[extract]
title = ["h1"]
remove = [".ads", ".nav"]

[polite]
delay = 9
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "bulletin.toml").write_text(FAMILY)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "bu.example.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_a_family_gives_what_the_file_does_not_say(folder: Path) -> None:
    site = read_site(write(folder, 'family = "bulletin"\n'))
    assert (site.follow.lists, site.follow.details) == (("^/$", "^/l/"), ("^/d/",))
    assert (site.extract.title, site.polite.delay) == (("h1",), 9)
    assert site.extract.content == ()  # neither says anything: the default


def test_the_files_own_keys_win_one_by_one_and_a_list_replaces(folder: Path) -> None:
    site = read_site(
        write(
            folder,
            'family = "bulletin"\n[follow]\nlists = []\n[extract]\nremove = [".x"]\n[polite]\ndelay = 2\n',
        )
    )
    assert (site.follow.lists, site.follow.details) == ((), ("^/d/",))
    assert (site.extract.remove, site.extract.title, site.polite.delay) == ((".x",), ("h1",), 2)


def test_family_in_a_list_stands_for_the_families_list(folder: Path) -> None:
    site = read_site(write(folder, 'family = "bulletin"\n[extract]\nremove = [".x", "@family", ".y"]\n'))
    assert site.extract.remove == (".x", ".ads", ".nav", ".y")


def test_family_in_a_list_without_a_family_is_one_sentence(folder: Path) -> None:
    for family in ("", 'family = "own"\n', 'family = "bulletin"\n'):
        with pytest.raises(UsageError, match=r"'extract\.content' names @family.*bulletin") as error:
            read_site(write(folder, f'{family}[extract]\ncontent = ["@family"]\n'))
        assert "\n" not in str(error.value)


def test_a_family_without_a_file_is_a_label_and_the_check_says_so(folder: Path) -> None:
    site = read_site(write(folder, 'family = "test"\n[follow]\nlists = ["^/$"]\ndetails = ["^/a"]\n'))
    assert site.family == "test"
    (doubt,) = doubts(site)
    assert "'test'" in doubt
    assert "article-compilation" in doubt
    assert read_site(write(folder, "")).family is None


def test_a_misspelt_family_is_an_error_that_names_the_families(folder: Path) -> None:
    with pytest.raises(UsageError, match="'buletin' looks like 'bulletin'") as error:
        read_site(write(folder, 'family = "buletin"\n'))
    assert all(name in str(error.value) for name in families(folder))


def test_a_wrong_family_file_says_where(folder: Path) -> None:
    file = folder / "families" / "bulletin.toml"
    for text, word in (("[folow]\nlists = []\n", "folow"), ('host = "x"\n', "host"), ("[follow\n", "TOML")):
        file.write_text(text)
        with pytest.raises(UsageError, match=r"bulletin\.toml") as error:
            read_site(write(folder, 'family = "bulletin"\n'))
        assert word in str(error.value)


def test_a_family_is_a_name_and_no_path(folder: Path) -> None:
    (folder / "outside.toml").write_text(FAMILY)
    assert read_site(write(folder, 'family = "../outside"\n')).polite.delay == 5


def test_the_folders_own_family_replaces_the_built_in_one(folder: Path) -> None:
    (folder / "families" / "attachments.toml").write_text("[polite]\ndelay = 60\n")
    site = read_site(write(folder, 'family = "attachments"\n'))
    assert (site.polite.delay, site.follow.attachments) == (60, ())


def site(**follow: tuple[str, ...]) -> Site:
    return Site(
        name="x", title="x", host="x.example", hosts=("m.x.example",), start=("http://x.example/",),
        follow=Follow(**follow),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("url", "kind", "why"),
    [
        ("http://x.example/a/1.html", "detail", r"^/a/\d+"),
        ("http://m.x.example/a/1.html", "detail", r"^/a/\d+"),
        ("http://x.example/files/a/1.pdf", "attachment", "pdf"),
        ("http://x.example/list/", "list", "^/list"),
        ("http://x.example/", "list", "start"),
        ("http://x.example/a/1/print", None, "ignore"),
        ("http://x.example/b", None, "no pattern"),
        ("http://y.example/a/1.html", None, "y.example"),
        ("http://10.0.0.1/a/1", None, "never fetched"),
        ("ftp://x.example/a/1", None, "http"),
        ("http://x.example/a/" + "1" * 3000, None, "endless"),
    ],
)
def test_a_url_is_judged_as_the_crawl_would(url: str, kind: str | None, why: str) -> None:
    one = site(lists=("^/list",), details=(r"^/a/\d+",), attachments=(r"\.pdf$",), ignore=("/print$",))
    judged = judge(one, url)
    assert judged.kind == kind
    assert why in judged.why


@pytest.mark.parametrize(
    ("follow", "words"),
    [
        ({"lists": ("^/$", r"^/\w+/$"), "details": (r"^/(gongzuo|jihua)/$",)}, ["of 'details'", "never a list"]),
        ({"lists": ("^/$",), "details": (r"\.pdf$",), "attachments": (r"\.(pdf|docx)$",)}, ["never a detail"]),
        ({"lists": ("^/l",), "details": ("^/a",)}, ["no pattern of 'lists'", "http://x.example/"]),
        ({"lists": ("^/l",), "details": (".",)}, ["is also a detail"]),
        ({"lists": ("^/$",)}, ["keep no document"]),
        ({"lists": ("^/$",), "details": (r"^/view/\d+$",), "ignore": ("view",)}, ["'ignore' takes"]),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_told(follow: dict[str, tuple[str, ...]], words: list[str]) -> None:
    told = "\n".join(doubts(site(**follow)))
    assert all(word in told for word in words), told


def test_what_is_consistent_is_not_told() -> None:
    assert (
        doubts(site(lists=("^/$", r"^/[a-z]+/$"), details=(r"^/[a-z]+/\d+\.html$",), ignore=("^/user",)))
        == []
    )


def test_examples_match_and_cover_the_alternatives() -> None:
    assert set(examples(r"^/(gongzuo|yanjiang)/\d{3,}(_\d)?\.html$")) == {
        "/gongzuo/111_1.html", "/gongzuo/111.html", "/yanjiang/111_1.html", "/yanjiang/111.html",
    }  # fmt: skip
    assert examples(r"^/(?!a)[^/?#]+$") == ()  # the one made is not one that matches, and is not given
    assert len(examples("|".join(f"x{n}" for n in range(200)))) <= 24


def test_patterns_that_hold_a_crawl_up_are_found_and_others_are_not() -> None:
    fine = [r"^/([a-z]+/)+\d+\.html$", r"^/\w+/\w+/\w+\.html$", "(?i)/(login|pay)\\b"]
    bad = [r"^/(\w+)+\.html$", r"^/view/([a-z]+[0-9]*)*x$"]
    assert slow([fine[0], bad[0], *fine[1:], bad[1]]) == tuple(bad)
    assert slow_patterns([site(details=(fine[0],))]) == {}


def test_rules_of_former_days(folder: Path) -> None:
    old = """[extract]
content = [".new"]
remove = [".x"]
[[old]]
valid_until = 2024-12-31
details = ["^/view/"]
extract.content = [".older"]
[[old]]
valid_until = 2025-06-30
extract.content = [".old"]
"""
    one = read_site(write(folder, f'{old}[follow]\nlists = ["^/$"]\ndetails = ["^/d/"]\n'))
    days = ("2024-05-01", "2024-12-31T23:59:59Z", "2025-01-01", "2025-06-30T10:00:00Z", "2025-07-01")
    assert [one.at(day).extract.content[0] for day in days] == [".older", ".older", ".old", ".old", ".new"]
    assert {one.at(day).extract.remove for day in days} == {(".x",)}
    assert [one.at(day).follow.details for day in days[1:3]] == [("^/view/",), ("^/d/",)]
    # an article of those days is known as one, and nobody follows a link to it any more
    scope = Scope(one)
    assert scope.classified("http://bu.example/view/1", ("attachment", "detail", "list")) == "detail"
    assert scope.discovered("/view/1", "http://bu.example/", ("detail",))[0] is None
    assert scope.discovered("/d/1", "http://bu.example/", ("detail",))[0] is not None
    with pytest.raises(UsageError, match=r"old\.0\.valid_until"):
        read_site(write(folder, '[[old]]\nextract.content = [".x"]\n'))


def test_a_review_of_rights_and_a_status_that_fit(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"status is 'active', but \[rights\] says 'refused'"):
        read_site(write(folder, 'status = "active"\n[rights]\ndecision = "refused"\n'))
    with pytest.raises(UsageError, match=r"rights\.reviewed_on"):
        read_site(write(folder, '[rights]\nreviewed_on = "soon"\n'))
    told = {
        text: [doubt for doubt in doubts(read_site(write(folder, text))) if "rights" in doubt]
        for text in (
            'status = "active"\n',
            'status = "probation"\n',
            'status = "active"\n[rights]\ndecision = "allowed"\n',
            'status = "active"\n[rights]\ndecision = "allowed"\nreviewed_on = 2026-01-05\n',
            'status = "retired"\n[rights]\ndecision = "refused"\nreviewed_on = "2026-01-05"\n',
        )
    }
    assert [len(found) for found in told.values()] == [1, 0, 1, 0, 0], told
