"""The whole pipeline: the same pieces everywhere, and no bytes that make it fail."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cleaner_texts import PROSE, body, html

from fanwen.cleaners.pipeline import RULESET, clean_document, page_from_file
from fanwen.cleaners.types import Cleaned, ExtractHints, Page

Clean = Callable[..., Cleaned]
HEADED = "".join(
    f"<h2>图书馆工作总结篇{k}</h2>" + "".join(f"<p>{x}</p>" for x in body(k).split("\n")) for k in (1, 2, 3)
)
COMPILATION = html(
    "<p>总结要写得实在。下面是小编为大家整理的图书馆工作总结，供大家参考。</p>" + HEADED,
    "图书馆工作总结(精选3篇)",
)
PROGRAM = """
import hashlib, sys
from fanwen.cleaners.pipeline import clean_document
from fanwen.cleaners.types import Page
cleaned = clean_document([Page("u", sys.stdin.buffer.read(), "text/html")])
print(hashlib.sha256(repr(cleaned).encode()).hexdigest())
"""


def test_same_bytes_same_pieces_in_any_process_and_hash_seed() -> None:
    root = Path(__file__).resolve().parents[2]
    digests = set()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=COMPILATION,
            capture_output=True,
            env=environment,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1
    first = clean_document([Page("u", COMPILATION, "text/html")])
    clean_document([Page("v", html("<p>别的内容，毫不相干。</p>"), "text/html")])
    assert clean_document([Page("u", COMPILATION, "text/html")]) == first


def test_pieces_hits_and_ruleset(clean: Clean) -> None:
    cleaned = clean(COMPILATION, "text/html")
    document = cleaned.document
    assert document is not None
    assert document.ruleset == RULESET
    assert [p.index for p in cleaned.pieces] == [1, 2, 3]
    for piece in cleaned.pieces:
        assert document.text[piece.span.begin : piece.span.end] == piece.text
        assert piece.genre == "工作总结"
    hits = {h.rule: h for h in document.rule_hits}
    assert "小编" in hits["split.before_first"].example
    assert hits["split.heading"].count == 2


def test_main_text_stops_before_gate_and_split(clean: Clean) -> None:
    page = html("".join(f"<p>{x}</p>" for x in PROSE), "总结怎么写？格式与注意事项")
    cleaned = clean(page, "text/html", main_text=True)
    assert cleaned.pieces == ()
    assert cleaned.rejects == ()
    assert cleaned.document is not None
    assert cleaned.document.text.endswith("\n".join(PROSE))
    trad = clean("圖書館的讀者說這裡很好。" * 9, main_text=True).document
    assert trad is not None
    assert trad.text == "圖書館的讀者說這裡很好。" * 9


def test_paginated_article_joins(clean: Clean) -> None:
    whole = "".join(PROSE)
    at = len(PROSE[0]) + len(PROSE[1]) + 20
    parts = [html(f"<p>{PROSE[5]}</p><p>{whole[:at]}</p>"), html(f"<p>{whole[at:]}</p><p>{PROSE[0]}</p>")]
    cleaned = clean_document(
        [Page(f"https://a.example/{k}.html", p, "text/html") for k, p in enumerate(parts)]
    )
    (piece,) = cleaned.pieces
    assert piece.text == f"{PROSE[5]}\n{whole}\n{PROSE[0]}"


@pytest.mark.parametrize("foot", ["", "<p>本文版权归作者所有，转载请注明出处：小禾网 xiaohe.example</p>"])
@pytest.mark.parametrize("number", ["", "(2)", "（第2页）"])
@pytest.mark.parametrize("torn", [True, False])
def test_a_title_on_top_of_every_page_is_no_text(foot: str, number: str, torn: bool) -> None:
    title = "县图书馆年度工作总结"
    whole = "".join(PROSE)
    at = len(PROSE[0]) + (20 if torn else 0)
    parts = [
        html(f"<p>{title}</p><p>{PROSE[5]}</p><p>{whole[:at]}</p>{foot}", title),
        html(f"<p>{title}{number}</p><p>{whole[at:]}</p><p>{PROSE[0]}</p>{foot}", title + number),
    ]
    (piece,) = clean_document(
        [Page(f"https://a.example/{k}.html", p, "text/html") for k, p in enumerate(parts)]
    ).pieces
    assert piece.text == f"{PROSE[5]}\n{whole[:at]}{'' if torn else chr(10)}{whole[at:]}\n{PROSE[0]}"


def test_a_first_line_that_is_not_the_page_s_title_stays() -> None:
    parts = [
        html(f"<p>{PROSE[5]}</p>", "县图书馆年度工作总结"),
        html(f"<p>二、县图书馆的打算</p><p>{PROSE[0]}</p>", "县图书馆年度工作总结(2)"),
    ]
    (piece,) = clean_document(
        [Page(f"https://a.example/{k}.html", p, "text/html") for k, p in enumerate(parts)]
    ).pieces
    assert piece.text == f"{PROSE[5]}\n二、县图书馆的打算\n{PROSE[0]}"


def test_truncated_transfer_makes_the_last_piece_incomplete() -> None:
    cleaned = clean_document([Page("u", COMPILATION, "text/html", truncated=True)])
    assert ["incomplete" in p.flags for p in cleaned.pieces] == [False, False, True]


def test_files_get_their_url_from_their_bytes(tmp_path: Path) -> None:
    for name, kind in (("a.html", "text/html"), ("b.txt", "text/plain"), ("c.md", "text/markdown")):
        (tmp_path / name).write_bytes(COMPILATION)
        page = page_from_file(tmp_path / name)
        assert page.content_type == kind
        assert page.url == page_from_file(tmp_path / "a.html").url
        assert page.url.startswith("urn:sha256:")


def test_site_hints_reach_the_extraction(clean: Clean) -> None:
    cleaned = clean(COMPILATION, "text/html", hints=ExtractHints(content=(".article",)))
    assert cleaned.document is not None
    assert cleaned.document.extractor == "selector"
    assert len(cleaned.pieces) == 3


def test_too_large_and_empty() -> None:
    def reason(body: bytes, kind: str) -> str:
        return clean_document([Page("u", body, kind)]).rejects[0].reason

    assert reason(b"<p>" * 2_900_000, "text/html") == "too_large"
    assert reason(b"", "text/html") == "empty"
    assert reason(b"", "text/plain") == "empty"
    assert reason(b"%PDF-1.7 broken", "application/pdf") == "unreadable"
    assert clean_document([]).rejects[0].reason == "empty"


HUGE = {
    "one line": PROSE[0] * 9000,
    "nested": "<div>" * 100_000 + "".join(PROSE) + "</div>" * 100_000,
    "headings": "篇1一、" * 60_000,
    "spaces": "总 结 " * 60_000,
    "digits": "工1厂" * 60_000,
    "brackets": "(" * 300_000 + "《" * 100_000,
    "short lines": "工作总结\n" * 60_000,
    "dots": ".…" * 100_000,
    "glosses": "總(zǒng)" * 40_000,
    "backslashes": "\\" * 300_000,
}


@pytest.mark.parametrize("name", sorted(HUGE))
@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_hostile_shapes_end_soon(clean: Clean, name: str, kind: str) -> None:
    started = time.monotonic()
    cleaned = clean(HUGE[name], kind)
    assert cleaned.pieces or cleaned.rejects
    assert time.monotonic() - started < 10


def test_mutated_pages_never_fail(clean: Clean) -> None:
    chance = random.Random(7)
    sources = [
        COMPILATION,
        COMPILATION.decode().encode("gb18030"),
        "\n".join(PROSE).encode("utf-16"),
        b"%PDF-1.4\n" + COMPILATION,
    ]
    kinds = ["text/html", "text/plain", "text/html; charset=big5", "application/pdf", None, "text/markdown"]
    for _ in range(120):
        data = bytearray(chance.choice(sources))
        for _ in range(chance.randrange(60)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = bytes(data[: chance.randrange(len(data) + 1)]) if chance.random() < 0.5 else bytes(data)
        cleaned = clean(cut, chance.choice(kinds))
        assert cleaned.pieces or cleaned.rejects
        for piece in cleaned.pieces:
            piece.text.encode("utf-8")
