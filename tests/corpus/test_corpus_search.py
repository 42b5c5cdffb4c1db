"""Search against a plain substring scan, with the index whole, behind, and emptied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fanwen
from fanwen.corpus import search
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.store import open_store
from fanwen.errors import UsageError

ALPHABET = "工作总结的a1A-Z“”。%_*'\"^() \n㎡𠮷"
SPECIAL = [
    "工作",
    "总结%",
    "_结",
    "NOT a",
    'a"b',
    "a AND b",
    "near(a)",
    "'; drop table text; --",
    "𠮷的",
    "\n",
    "a\nb",
    "％",
    "*",
    "^工",
    "-",
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts over a small alphabet, most of them indexed, the last ones not yet."""
    folder = tmp_path_factory.mktemp("search")
    corpus = folder / "corpus.db"
    texts = [f"{a}{b}工{c}" for a in ALPHABET for b in ALPHABET[:9] for c in ("", "的作", "a AND b NOT a")]
    texts += [f"开头{query}结尾" for query in SPECIAL]
    for name, part in (("first", texts[:-200]), ("second", texts[-200:])):
        file = folder / f"{name}.jsonl"
        rows = [
            {"id": f"{name}{n}", "text": text, "title": f"题{n}"}
            for n, text in enumerate(part)
            if text.strip()
        ]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        ingest_pieces(corpus, file, "s")
        if name == "first":
            with open_store(corpus) as store:
                assert search.update(store) == len(set(part))
    return corpus


@pytest.fixture(scope="module")
def texts(corpus: Path) -> dict[str, str]:
    with fanwen.open(corpus) as opened:
        return {piece.piece_id: piece.text or "" for piece in opened.pieces(default=False)}


@settings(max_examples=150, deadline=None)
@given(query=st.one_of(st.text(alphabet=ALPHABET, min_size=1, max_size=6), st.sampled_from(SPECIAL)))
def test_search_is_a_substring_scan(corpus: Path, texts: dict[str, str], query: str) -> None:
    found = search.search(corpus, query)
    assert {hit.piece_id for hit in found.hits} == {piece for piece, text in texts.items() if query in text}
    assert found.total == len(found.hits)


def test_an_emptied_index_finds_the_same(corpus: Path, texts: dict[str, str]) -> None:
    with open_store(corpus) as store:
        search.clear(store)
        unindexed = search.find(store, "工的")
        search.update(store)
        assert search.find(store, "工的") == unindexed
        some = store.value("select text from search_text order by id limit 1")
        words = store.value("select body from text where sha256 = ?", some)
        assert some in search.matching_texts(store, words)
        search.forget(store, some)
        assert some not in search.matching_texts(store, words)
        assert words in {texts[hit.piece_id] for hit in search.find(store, words).hits}
        search.update(store)


def test_limit_titles_and_snippets(corpus: Path) -> None:
    found = search.search(corpus, "工", limit=3)
    assert len(found.hits) == 3
    assert found.total > 3
    assert search.search(corpus, "题1").total == 0
    assert search.search(corpus, "题1", titles=True).total > 1
    with pytest.raises(UsageError):
        search.search(corpus, "")


def test_a_snippet_shows_the_first_match(tmp_path: Path, write: Any) -> None:
    text = write(1) + "独一无二" + write(2)
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"id": 1, "text": text}))
    ingest_pieces(tmp_path / "corpus.db", file, "s")
    (hit,) = search.search(tmp_path / "corpus.db", "独一无二").hits
    assert "独一无二" in hit.snippet
    assert hit.snippet.startswith("…")
    assert hit.snippet.endswith("…")
    assert len(hit.snippet) < 100
