"""Duplicates among essays of our own: every relation, no merging through a compilation, stable clusters."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import opencc
import pytest

import fanwen
from fanwen.corpus import duplicates, release, release_changes, stats, verify
from fanwen.corpus.cluster import Node, assign
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.types import Relation


def sentences(text: str) -> list[str]:
    return [one for one in re.split(r"(?<=[。\n])", text) if one]


def without(text: str, share: float) -> str:
    kept = sentences(text)
    random.Random(5).shuffle(kept)
    chosen = set(kept[int(len(kept) * share) :])
    return "".join(one for one in sentences(text) if one in chosen)


def typos(text: str, share: float) -> str:
    r = random.Random(6)
    return "".join(r.choice("的一是在不了有和人这") if r.random() < share else char for char in text)


def shuffled(text: str) -> str:
    kept = sentences(text)
    random.Random(7).shuffle(kept)
    return "".join(kept)


VARIANTS: dict[str, tuple[str, Callable[[str], str]]] = {
    "copy": ("exact", lambda text: text),
    "spaced": ("exact", lambda text: "\n\n".join(text.replace("，", " ， ").split("\n"))),
    "wrapped": ("exact", lambda text: "\n".join(text[i : i + 31] for i in range(0, len(text), 31))),
    "punctuated": ("exact", lambda text: text.replace("，", ",").replace("。", ".")),
    "traditional": ("exact", lambda text: opencc.OpenCC("s2t").convert(text)),
    "swapped": (
        "near",
        lambda text: text.replace("仓库", "车站").replace("社区", "街道").replace("古镇", "老城"),
    ),
    "nagged": ("near", lambda text: "这里收集了几份材料供您参考。\n" + text + "\n想要全文请先登录。"),
    "mistyped": ("near", lambda text: typos(text, 0.02)),
    "shortened": ("near", lambda text: without(text, 0.2)),
    "shuffled": ("near", shuffled),
    "beginning": ("contains", lambda text: text[: len(text) // 3]),
}


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory, write: Any
) -> tuple[Path, dict[frozenset[object], Relation]]:
    """A corpus of 60 essays, the variants of the first, compilations and texts with a common paragraph."""
    folder = tmp_path_factory.mktemp("duplicates")
    base = write(0, 40)
    rows: list[dict[str, object]] = [{"id": n, "text": write(n, 40)} for n in range(60)]
    rows += [{"id": name, "text": make(base)} for name, (_, make) in VARIANTS.items()]
    # a compilation with a dominant member, and one of equals
    rows.append({"id": "dominated", "text": write(30, 40) + "\n" + write(31, 40)[:500]})
    rows.append({"id": "compiled", "text": "\n".join(f"第{n}篇\n{write(n, 40)}" for n in (40, 41, 42, 43))})
    rows.append(
        {"id": "borrowing", "text": write(200, 20) + "\n" + write(50, 40)[:260] + "\n" + write(201, 20)}
    )
    rows.append({"id": "part", "text": write(31, 40)[:500]})
    file = folder / "ready.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    corpus = folder / "corpus.db"
    assert ingest_pieces(corpus, file, "own").added == len(rows)
    pairs = list(duplicates.pairs(corpus))
    return corpus, {frozenset((pair.a, pair.b)): pair for pair in pairs}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_found(found: tuple[Path, dict[frozenset[object], Relation]], name: str) -> None:
    pair = found[1][frozenset((0, name))]
    assert pair.relation == VARIANTS[name][0]
    smaller, larger = (
        (pair.containment_a, pair.containment_b) if pair.b == 0 else (pair.containment_b, pair.containment_a)
    )
    if name == "beginning":
        assert smaller > 0.98
        assert larger < 0.4
    if pair.relation == "exact":
        assert (pair.jaccard, smaller, larger) == (1.0, 1.0, 1.0)


def test_every_copy_is_paired_with_every_copy(found: tuple[Path, dict[frozenset[object], Relation]]) -> None:
    names: list[object] = [0, *(name for name, (kind, _) in VARIANTS.items() if kind == "exact")]
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            assert found[1][frozenset((a, b))].relation == "exact"


def test_unrelated_essays_are_not_paired(found: tuple[Path, dict[frozenset[object], Relation]]) -> None:
    assert not [pair for pair in found[1].values() if isinstance(pair.a, int) and isinstance(pair.b, int)]


def test_a_compilation_contains_and_never_merges(
    found: tuple[Path, dict[frozenset[object], Relation]],
) -> None:
    corpus, pairs = found
    for n in (40, 41, 42, 43):
        assert pairs[frozenset((n, "compiled"))].relation == "contains"
    assert pairs[frozenset((30, "dominated"))].relation == "contains"
    assert pairs[frozenset(("part", "dominated"))].relation == "contains"
    assert pairs[frozenset((50, "borrowing"))].relation == "overlap"
    with fanwen.open(corpus) as opened:
        cluster = {piece.piece_id: piece.cluster for piece in opened.pieces(default=False)}
    linked = {"own:0"} | {f"own:{name}" for name, (kind, _) in VARIANTS.items() if kind != "contains"}
    assert len({cluster[piece] for piece in linked}) == 1
    alone = set(cluster) - linked
    assert len({cluster[piece] for piece in alone}) == len(alone)


def test_the_default_set_has_one_of_each_cluster(
    found: tuple[Path, dict[frozenset[object], Relation]],
) -> None:
    counted = stats.stats(found[0])
    assert counted.pieces_default == counted.clusters
    assert counted.excluded == {"duplicate": counted.pieces - counted.clusters}
    assert verify.verify(found[0]) == []


def ready(folder: Path, name: str, rows: list[tuple[object, str]]) -> Path:
    file = folder / f"{name}.jsonl"
    text = "".join(json.dumps({"id": id_, "text": text}, ensure_ascii=False) + "\n" for id_, text in rows)
    file.write_text(text, encoding="utf-8")
    return file


def clusters(corpus: Path) -> dict[str, tuple[str | None, bool]]:
    with fanwen.open(corpus) as opened:
        return {p.piece_id: (p.cluster, p.is_canonical) for p in opened.pieces(default=False)}


def test_released_clusters_keep_names_and_canonicals_until_a_release(tmp_path: Path, write: Any) -> None:
    corpus, releases = tmp_path / "corpus.db", tmp_path / "releases"
    base = write(1, 40)
    ingest_pieces(corpus, ready(tmp_path, "one", [("m", base), ("other", write(2, 40))]), "s")
    assert release.create(corpus, releases) is not None
    assert clusters(corpus)["s:m"] == ("s:m", True)
    # a longer copy with a smaller id comes: name and canonical stay, until the release decides
    ingest_pieces(corpus, ready(tmp_path, "two", [("a", base + "\n" + write(3, 4))]), "s")
    list(duplicates.pairs(corpus))
    assert clusters(corpus)["s:m"] == ("s:m", True)
    assert clusters(corpus)["s:a"] == ("s:m", False)
    made = release.create(corpus, releases)
    assert made is not None
    assert clusters(corpus)["s:m"] == ("s:m", False)
    assert clusters(corpus)["s:a"] == ("s:m", True)
    changes = {(c.piece_id, c.change, c.why) for c in release_changes.diff(corpus, "current", made.version)}
    assert changes == set()
    assert verify.verify(corpus) == []


def test_two_halves_do_not_merge_through_the_whole(tmp_path: Path, write: Any) -> None:
    corpus, releases = tmp_path / "corpus.db", tmp_path / "releases"
    whole = write(1, 40)
    half = len(whole) // 2
    ingest_pieces(corpus, ready(tmp_path, "one", [("k", whole[: half + 60]), ("f", whole[half - 60 :])]), "s")
    release.create(corpus, releases)
    assert {name for name, _ in clusters(corpus).values()} == {"s:k", "s:f"}
    ingest_pieces(corpus, ready(tmp_path, "two", [("z", whole)]), "s")
    release.create(corpus, releases)
    found = clusters(corpus)
    # both halves lie in the whole, and each holds what the other has not: nothing merges
    assert {name for name, _ in found.values()} == {"s:k", "s:f", "s:z"}
    assert verify.verify(corpus) == []


def node(key: str, prior: str | None = None) -> Node:
    return Node(key, (key,), (key,), prior)


def test_no_chain_of_ever_more_different_texts() -> None:
    keys = [f"k{n}" for n in range(8)]
    chain = list(pairwise(keys))
    of = assign([node(key) for key in keys], chain, set()).of
    assert of["k0"] != of["k7"]
    assert len(set(of.values())) > 2


def test_a_newcomer_joins_by_the_canonical_or_by_half() -> None:
    old = [node(key, "a") for key in "abcd"]
    inner = [("a", "b"), ("a", "c"), ("a", "d")]
    assert assign([*old, node("x")], [*inner, ("a", "x")], {"a"}).of["x"] == "a"
    assert assign([*old, node("x")], [*inner, ("b", "x"), ("c", "x")], {"a"}).of["x"] == "a"
    assert assign([*old, node("x")], [*inner, ("b", "x")], {"a"}).of["x"] == "x"


def test_merging_keeps_the_smaller_name_and_an_alias() -> None:
    nodes = [node("a", "a"), node("b", "b"), node("x")]
    merged = assign(nodes, [("a", "x"), ("b", "x")], {"a", "b"})
    assert set(merged.of.values()) == {"a"}
    assert merged.aliases == {"b": "a"}


def test_names_are_never_used_twice() -> None:
    # b founded cluster b, then its text changed and it is alone; b lives on with c
    founder = Node("new", ("new",), ("b",), None, ("b",))
    rest = Node("c", ("c",), ("c",), "b")
    of = assign([founder, rest], [], {"b"}).of
    assert of["c"] == "b"
    assert of["new"] not in ("b", "c")
    # alone in its cluster, it keeps the name
    assert assign([founder], [], {"b"}).of == {"new": "b"}


def test_order_of_input_does_not_matter() -> None:
    r = random.Random(3)
    keys = [f"k{n:02}" for n in range(30)]
    links = [(a, b) for a in keys for b in keys if a < b and r.random() < 0.08]
    nodes = [node(key) for key in keys]
    first = assign(nodes, links, set())
    for _ in range(5):
        r.shuffle(nodes)
        r.shuffle(links)
        assert assign(nodes, links, set()) == first
