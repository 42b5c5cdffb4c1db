"""truth.toml and the sites say the same; what the pipeline makes of them is tested elsewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import opencc
import pytest
from lxml import html

from fanwen.spiders.samples import site_folder
from fanwen.spiders.samples.render import STATES, State, page_specs, read_text, render
from fanwen.spiders.site import read_sites

TRUTH: dict[str, Any] = tomllib.loads((Path(__file__).parent / "truth.toml").read_text(encoding="utf-8"))
TO_SIMPLIFIED = opencc.OpenCC("tw2s")
IN_FILES = {"/files/fangxun.pdf": "tongzhi-fangxun", "/files/zhishu.docx": "jihua-zhishu"}


def documents(state: State) -> list[dict[str, Any]]:
    return [document for document in TRUTH["document"] if document["state"] in ("both", state)]


def key(url: str) -> tuple[str, str]:
    host, slash, path = url.removeprefix("http://").partition("/")
    return host, slash + path


def visible(url: str, state: State) -> str:
    """All text of a page, the title element included, without white space."""
    host, path = key(url)
    spec = {spec.path: spec for spec in page_specs(host, state)}[path]
    page = render(state)[host, path].body.decode(spec.encoding)
    tree = html.fromstring(page) if page.lstrip().startswith("<") else None
    return squeeze(str(tree.text_content()) if tree is not None else page)


def squeeze(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("state", STATES)
def test_every_article_of_the_sites_has_its_entry(state: State) -> None:
    listed = {}
    for document in documents(state):
        for url in (document["url"], *document.get("parts", ())):
            assert url not in listed
            listed[url] = document
    sites = read_sites([site_folder()])
    articles = {
        f"http://{host}{path}"
        for host, path in render(state)
        if path != "/robots.txt" and not any(re.search(p, path) for p in sites[host].follow.lists)
    }
    assert listed.keys() == articles


@pytest.mark.parametrize("state", STATES)
def test_pieces_are_those_of_the_page_table(state: State) -> None:
    for document in documents(state):
        host, path = key(document["url"])
        spec = {spec.path: spec for spec in page_specs(host, state)}[path]
        names = [piece["text"] for piece in document.get("piece", ())]
        if document["outcome"] != "pieces":
            assert names == []
            continue
        assert [piece["index"] for piece in document["piece"]] == list(range(1, document["pieces"] + 1))
        shown = [IN_FILES[path]] if path in IN_FILES else [name.removeprefix("hant/") for name in spec.texts]
        assert names == shown
        for piece in document["piece"]:
            text = read_text(piece["text"])
            flat = squeeze("".join(text.paragraphs)).replace("|", "")
            assert piece["genre"] == text.genre
            assert (piece["begin"], piece["end"]) == (flat[:12], flat[-12:])
            assert piece["n_han"] == len(re.findall("[一-鿿]", flat))


@pytest.mark.parametrize("state", STATES)
def test_forbidden_strings_are_on_the_page_and_in_no_text(state: State) -> None:
    for document in documents(state):
        pieces = "".join(squeeze("".join(read_text(p["text"]).paragraphs)) for p in document.get("piece", ()))
        _, path = key(document["url"])
        shown = "" if path in IN_FILES else TO_SIMPLIFIED.convert(visible(document["url"], state))
        for string in document["forbidden"]:
            assert squeeze(string) not in pieces, (document["url"], string)
            # both spellings of a traditional site's strings are forbidden; the page has one of them
            assert path in IN_FILES or TO_SIMPLIFIED.convert(squeeze(string)) in shown, (
                document["url"],
                string,
            )


def test_titles_and_reservations_are_on_the_pages() -> None:
    for document in documents("one"):
        host, path = key(document["url"])
        if path in IN_FILES:
            continue
        assert squeeze(document["title"]) in visible(document["url"], "one")
        resource = render("one")[host, path]
        header = dict(resource.headers).get("X-Robots-Tag")
        said = [f"x-robots-tag: {header}"] if header else []
        if found := re.search(rb'<meta name="robots" content="([^"]+)"', resource.body):
            said += [f"meta robots: {word}" for word in found[1].decode().split(", ")]
        assert document.get("reservations", []) == sorted(said)


def test_duplicates_are_pairs_of_listed_pieces_that_are_the_same_text() -> None:
    texts = {
        f"{document['url']}#{piece['index']}": piece["text"]
        for document in documents("one")
        for piece in document.get("piece", ())
    }
    declared = {(pair["a"], pair["b"]) for pair in TRUTH["duplicate"]}
    for pair in TRUTH["duplicate"]:
        a, b = texts[pair["a"]], texts[pair["b"]]
        assert (read_text(b).near_of if pair["relation"] == "near" else b) == a
    same = {(a, b) for a, ta in texts.items() for b, tb in texts.items() if a != b and ta == tb}
    assert {frozenset(pair) for pair in same} <= {frozenset(pair) for pair in declared}


@pytest.mark.parametrize("state", STATES)
def test_the_summary_adds_up(state: State) -> None:
    whole = [document for document in documents(state) if document["outcome"] == "pieces"]
    outcomes = [document["outcome"] for document in documents(state)]
    assert TRUTH["summary"][f"state_{state}"] == {
        "documents": len(whole),
        "pieces": sum(document["pieces"] for document in whole),
        "default": sum(document["pieces"] for document in whole if "reservations" not in document)
        - len(TRUTH["duplicate"]),
        "stubs": outcomes.count("stub"),
        "rejected": outcomes.count("rejected"),
    }
    pieces: dict[str, int] = {}
    for document in whole:
        host, _ = key(document["url"])
        pieces[host] = pieces.get(host, 0) + document["pieces"]
    assert pieces == {name: site.expect.min_pieces for name, site in read_sites([site_folder()]).items()}


def test_changes_are_the_differences_between_the_states() -> None:
    one, two = (
        {d["url"]: [p["text"] for p in d.get("piece", ())] for d in documents(state)} for state in STATES
    )
    changes = {}
    for url in one.keys() | two.keys():
        if one.get(url) != two.get(url):
            changes[url] = "ADD" if not one.get(url) else "DEL" if not two.get(url) else "MOD"
    assert changes == {change["url"]: change["change"] for change in TRUTH["change"]}
