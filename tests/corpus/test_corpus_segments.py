"""The index of fingerprints on disk, and settling what changed: the same answer as all at once."""

from __future__ import annotations

import json
import random
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fanwen.corpus import dedup, exports, pairs, release, settle, verify
from fanwen.corpus.fingerprint import Hashes, gram_hashes, to_blob
from fanwen.corpus.normalise import fold
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.segments import TEXT, Segments, Texts, segment_of
from fanwen.corpus.store import open_store
from fanwen.corpus.versions import close_piece

WORDS = [
    "学校",
    "老师",
    "同学",
    "工作",
    "计划",
    "总结",
    "认真",
    "努力",
    "完成",
    "任务",
    "活动",
    "组织",
    "参加",
    "提高",
    "质量",
    "管理",
    "安全",
    "检查",
    "整改",
    "落实",
]


def _marks(dice: random.Random, count: int) -> list[Hashes]:
    return [
        np.unique(np.array([dice.getrandbits(64) >> dice.choice((0, 58)) for _ in range(dice.randint(0, 12))],
                           dtype=np.uint64))
        for _ in range(count)
    ]  # fmt: skip


def _texts(marks: list[Hashes], begin: int) -> Texts:
    texts = np.empty(len(marks), dtype=TEXT)
    for i, one in enumerate(marks):
        texts[i] = ((begin + i + 1).to_bytes(16, "big"), 500, len(one))
    return texts


def _postings(index: Segments) -> set[tuple[int, int]]:
    found = [(int(mark), int(owner)) for s in index for mark, owner in zip(s.marks, s.owners, strict=True)]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize("seed", range(5))
def test_the_index_holds_what_came_in_whatever_the_batches(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    index = Segments(tmp_path / "index", "1.1")
    wanted = set()
    for _ in range(12):
        marks = _marks(dice, dice.randint(1, 40))
        begin = len(index)
        wanted |= {(int(mark), begin + i) for i, one in enumerate(marks) for mark in one}
        index.append(_texts(marks, begin), segment_of(range(begin, begin + len(marks)), marks))
        for segment in index:
            order = np.lexsort((segment.owners, segment.marks))
            assert (order == np.arange(len(order))).all(), "by fingerprint, then by owner"
        assert _postings(index) == wanted
    sizes = [len(segment.marks) for segment in index]
    assert all(older >= 2 * newer for older, newer in pairwise(sizes))
    again = Segments(tmp_path / "index", "1.1")
    assert (again.texts == index.texts).all()
    assert _postings(again) == wanted
    assert len(Segments(tmp_path / "index", "1.2")) == 0, "another specification, another index"


def test_a_torn_index_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    marks = _marks(random.Random(1), 30)
    Segments(folder, "1.1").append(_texts(marks, 0), segment_of(range(30), marks))
    whole = shutil.copytree(folder, tmp_path / "whole")
    for name in ("manifest.json", "texts.bin", next(folder.glob("*.seg")).name):
        path = folder / name
        path.write_bytes(path.read_bytes()[:-5])
        assert len(Segments(folder, "1.1")) == 0, name
        shutil.rmtree(folder)
        shutil.copytree(whole, folder)
    # a kill between a new segment and the manifest leaves a file that nobody names
    (folder / "30-60.seg").write_bytes(b"\0" * 24)
    index = Segments(folder, "1.1")
    assert len(index) == 30
    index.append(_texts(marks[:1], 30), segment_of(range(30, 31), marks[:1]))
    assert {path.name for path in folder.glob("*.seg")} == {
        entry["file"] for entry in json.loads((folder / "manifest.json").read_text())["segments"]
    }


def _essays(number: int, seed: int, *, drifting: bool = True) -> list[str]:
    """Essays with copies that lost, changed or took in sentences, and compilations of several.

    ``drifting``: copies change a third and are copied again, so that chains lead far from where they began.
    """
    dice = random.Random(seed)

    def sentence() -> str:
        return "".join(dice.choice(WORDS) for _ in range(dice.randint(6, 14))) + "。"

    essays: list[list[str]] = []
    own: list[list[str]] = []
    for _ in range(number):
        kind = dice.random()
        if not essays or kind < 0.4:
            essays.append([sentence() for _ in range(dice.randint(12, 40))])
            own.append(essays[-1])
        elif kind < 0.8:
            lost, more = (0.15, 4) if drifting else (0.06, 1)
            copy = [one for one in dice.choice(essays if drifting else own) if dice.random() > lost]
            copy[dice.randrange(len(copy) + 1) : 0] = [sentence() for _ in range(dice.randint(0, more))]
            essays.append(copy)
        else:
            parts = [dice.choice(essays if drifting else own) for _ in range(dice.randint(2, 4))]
            essays.append([one for part in parts for one in part])
    return ["".join(essay) for essay in essays]


def _ingest(folder: Path, rows: list[tuple[int, str]], name: str) -> None:
    file = folder / f"{name}.jsonl"
    file.write_text(
        "".join(json.dumps({"id": n, "text": text}, ensure_ascii=False) + "\n" for n, text in rows),
        encoding="utf-8",
    )
    ingest_pieces(folder / "corpus.db", file, "own", fetched_at="2026-01-01T00:00:00Z")


Relations = list[tuple[str, str, str]]
State = tuple[list[tuple[object, ...]], Relations, list[tuple[str, str]]]


def _state(folder: Path) -> State:
    with open_store(folder / "corpus.db", readonly=True) as store:
        return (
            store.rows(
                "select piece, cluster, is_canonical, excluded_why, leaf from piece_version"
                " where removed_in is null order by piece"
            ).fetchall(),
            store.rows(
                "select a, b, relation from relation where removed_in is null order by a, b"
            ).fetchall(),
            store.rows("select alias, cluster from cluster_alias order by alias").fetchall(),
        )


def _update(folder: Path) -> None:
    with open_store(folder / "corpus.db") as store:
        dedup.update(store)


@pytest.mark.parametrize("seed", range(4))
def test_batches_give_what_all_at_once_gives(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "PORTION", 7)
    monkeypatch.setattr(dedup, "COMPARED_AT_ONCE", 30)
    rows = list(enumerate(_essays(120, seed)))
    once, batches = tmp_path / "once", tmp_path / "batches"
    for folder in (once, batches):
        folder.mkdir()
    _ingest(once, rows, "all")
    _update(once)
    random.Random(seed).shuffle(rows)
    for at in range(0, len(rows), 17):
        _ingest(batches, rows[at : at + 17], f"part{at}")
        _update(batches)
    _, relations, _ = _state(once)
    assert {kind for *_, kind in relations} >= {"near", "contains"}
    _alike(_state(batches), _state(once))
    shutil.rmtree(batches / "index")
    _ingest(batches, [(n, rows[0][1][: 40 * n]) for n in (500, 501)], "more")
    _ingest(once, [(n, rows[0][1][: 40 * n]) for n in (500, 501)], "more")
    for folder in (once, batches):
        _update(folder)
    _alike(_state(batches), _state(once))  # the index is a cache


def _alike(one: State, other: State) -> None:
    """The same clusters; of pairs that share little few are known to one only, as what is rare depends on what
    came before."""
    pieces, relations, aliases = zip(one, other, strict=True)
    assert pieces[0] == pieces[1]
    assert aliases[0] == aliases[1]
    _nearly(*relations)


def _nearly(one: Relations, other: Relations) -> None:
    assert len(set(one) ^ set(other)) <= 0.01 * len(one)


@pytest.mark.parametrize(("dropped", "made_anew"), [(10, False), (60, True)])
def test_texts_that_left_the_corpus_are_compared_with_nothing(
    tmp_path: Path, dropped: int, made_anew: bool
) -> None:
    """Few of them stay in the index and are passed over; when a fifth has gone, it is made anew."""
    rows = list(enumerate(_essays(120, 9)))
    left, right = tmp_path / "left", tmp_path / "right"
    for folder in (left, right):
        folder.mkdir()
    _ingest(left, rows, "all")
    _update(left)
    with open_store(left / "corpus.db") as store:
        before = store.value("select count(*) from fingerprint")
        gone = [f"own:{n}" for n in range(dropped)]
        for piece in gone:
            close_piece(store, piece, "gone")
        exports.drop_orphans(store.conn)
        after = store.value("select count(distinct key) from fingerprint")
    assert after < before
    new = [(n + 1000, text[: len(text) * 3 // 4]) for n, text in rows[dropped - 5 : dropped + 20]]
    for folder, known in ((left, []), (right, rows[dropped:])):
        _ingest(folder, [*known, *new], "later")
        _update(folder)
    _nearly(_state(left)[1], _state(right)[1])
    held = len(Segments(left / "index", dedup.SPEC))
    with open_store(left / "corpus.db") as store:
        assert (held == store.value("select count(distinct key) from fingerprint")) == made_anew


def _first_specification(codes: list[int]) -> Hashes:
    """Fingerprints as specification 1 had them, one after the other: the least 8-gram of every window."""
    hashes = gram_hashes(np.array(codes, dtype=np.uint32), min(8, len(codes))).tolist()
    window = 64 if len(codes) >= 500 else 32
    least = {min(hashes[i : i + window]) for i in range(max(1, len(hashes) - window + 1))}
    return np.array(sorted(least), dtype=np.uint64)


def test_fingerprints_of_an_earlier_specification_are_made_anew(tmp_path: Path) -> None:
    rows = list(enumerate(_essays(60, 4)))
    _ingest(tmp_path, rows, "all")
    _update(tmp_path)
    wanted = _state(tmp_path)
    with open_store(tmp_path / "corpus.db") as store:
        now = store.rows("select text, key, spec, marks from fingerprint order by text").fetchall()
        for text, *_ in now:
            folded = fold([store.value("select body from text where sha256 = ?", text)])
            marks = to_blob(_first_specification(folded.one(0).tolist()))
            store.rows("update fingerprint set spec = '1.1', marks = ? where text = ?", marks, text)
        lost = store.rows("delete from relation where relation = 'overlap' and id % 2 = 0").rowcount
        store.set_setting("signatures", "1.1")
        store.rows("update unsettled set settled = 1")
    assert lost
    shutil.rmtree(tmp_path / "index")
    assert verify.verify(tmp_path / "corpus.db") == [], "the earlier ones are no damage"
    _update(tmp_path)
    assert _state(tmp_path) == wanted
    with open_store(tmp_path / "corpus.db") as store:
        assert store.rows("select text, key, spec, marks from fingerprint order by text").fetchall() == now
        assert store.value("select count(*) from fingerprint where not compared") == 0


def test_several_processes_find_what_one_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "OLD_AT_ONCE", 20)
    rows = list(enumerate(_essays(150, 3)))
    found = []
    for name, in_process, processes in (("one", 10**9, 2), ("several", 0, 2), ("one core", 0, 1)):
        monkeypatch.setattr(pairs, "IN_PROCESS", in_process)
        monkeypatch.setattr(pairs, "cores", lambda processes=processes: processes)
        home = tmp_path / name
        home.mkdir()
        _ingest(home, rows, "all")
        _update(home)
        found.append(_state(home))
    assert found[0][1]
    assert found[1] == found[0] == found[2]


# -- with releases in between -------------------------------------------------------------------------


def _b_cubed(one: dict[str, str], other: dict[str, str]) -> float:
    """Harmonic mean of B-cubed precision and recall of two clusterings of the same pieces (Bagga, Baldwin 1998)."""

    def side(found: dict[str, str], truth: dict[str, str]) -> float:
        members: dict[str, set[str]] = {}
        for piece, cluster in found.items():
            members.setdefault(cluster, set()).add(piece)
        shares = [
            sum(truth[mate] == truth[piece] for mate in members[found[piece]]) / len(members[found[piece]])
            for piece in found
        ]
        return sum(shares) / len(shares)

    precision, recall = side(one, other), side(other, one)
    return 2 * precision * recall / (precision + recall)


def _clusters(folder: Path) -> dict[str, tuple[str, bool]]:
    with open_store(folder / "corpus.db", readonly=True) as store:
        rows = store.rows(
            "select piece, cluster, is_canonical from piece_version where removed_in is null order by piece"
        )
        return {piece: (cluster, bool(stands)) for piece, cluster, stands in rows}


def _names(found: dict[str, tuple[str, bool]]) -> dict[str, str]:
    return {piece: cluster for piece, (cluster, _) in found.items()}


def _members(found: dict[str, tuple[str, bool]]) -> dict[str, frozenset[tuple[str, bool]]]:
    members: dict[str, set[tuple[str, bool]]] = {}
    for piece, (cluster, stands) in found.items():
        members.setdefault(cluster, set()).add((piece, stands))
    return {cluster: frozenset(pieces) for cluster, pieces in members.items()}


def test_a_compilation_leaves_the_cluster_of_its_part_when_the_other_part_is_known(tmp_path: Path) -> None:
    """Until then it looked like a longer copy, and stood for the cluster."""
    one, copy, other = (_essays(1, seed)[0] for seed in (1, 1, 2))
    copy = copy[: int(len(copy) * 0.9)]
    both = one + other[: len(one)]
    _ingest(tmp_path, [(1, one), (2, copy), (3, both)], "first")
    _update(tmp_path)
    release.create(tmp_path / "corpus.db", tmp_path / "releases", date="2026-01-01")
    assert _clusters(tmp_path) == {
        "own:1": ("own:1", False), "own:2": ("own:1", False), "own:3": ("own:1", True),
    }  # fmt: skip
    _ingest(tmp_path, [(4, other[: len(one)])], "second")
    _update(tmp_path)
    release.create(tmp_path / "corpus.db", tmp_path / "releases", date="2026-01-01")
    assert _clusters(tmp_path) == {
        "own:1": ("own:1", True), "own:2": ("own:1", False), "own:3": ("own:3", True), "own:4": ("own:4", True),
    }  # fmt: skip
    assert verify.verify(tmp_path / "corpus.db") == []


def test_b_cubed_knows_good_from_bad() -> None:
    truth = {"a": "1", "b": "1", "c": "2", "d": "2"}
    assert _b_cubed(truth, {"a": "x", "b": "x", "c": "y", "d": "y"}) == 1.0
    # all in one: precision 1/2, recall 1; one moved: precision 2/3, recall 3/4
    assert _b_cubed(dict.fromkeys(truth, "1"), truth) == pytest.approx(2 / 3)
    assert _b_cubed({**truth, "c": "1"}, truth) == pytest.approx(2 * (2 / 3) * (3 / 4) / (2 / 3 + 3 / 4))


@pytest.mark.parametrize("seed", range(1, 3))
def test_ten_releases_in_two_orders_give_the_clusters_of_one_rebuild(
    tmp_path: Path, seed: int, soak: bool
) -> None:
    """What did not change keeps its name and its canonical from release to release."""
    rows = list(enumerate(_essays(1000 if soak else 60, seed + 40, drifting=False)))
    step = -(-len(rows) // 10)
    once = tmp_path / "once"
    once.mkdir()
    _ingest(once, rows, "all")
    _update(once)
    whole = _clusters(once)
    assert len(_members(whole)) < len(rows)
    orders = {"forward": rows, "shuffled": random.Random(seed).sample(rows, len(rows))}
    for name, order in orders.items():
        folder = tmp_path / name
        folder.mkdir()
        before: dict[str, tuple[str, bool]] = {}
        for at in range(0, len(order), step):
            _ingest(folder, order[at : at + step], f"part{at}")
            _update(folder)
            release.create(folder / "corpus.db", folder / "releases", date="2026-01-01")
            now = _clusters(folder)
            old, new = _members(before), _members(now)
            same = {frozenset(piece for piece, _ in pieces): name for name, pieces in old.items()}
            for cluster, pieces in new.items():
                earlier = same.get(frozenset(piece for piece, _ in pieces))
                assert earlier in (None, cluster), "an unchanged cluster got another name"
                assert earlier is None or old[cluster] == pieces, "or another canonical"
            before = now
        assert _b_cubed(_names(before), _names(whole)) >= 0.999, name
        assert verify.verify(folder / "corpus.db") == []
        # and a rebuild of the caches from what is left is the same again
        shutil.rmtree(folder / "index")
        _ingest(folder, [(9000, rows[0][1])], "more")
        _update(folder)
        after = _clusters(folder)
        assert {piece: after[piece][0] for piece in before} == _names(before)


@pytest.mark.parametrize("seed", range(8))
def test_many_short_pieces_do_not_hide_the_one_that_makes_a_compilation(tmp_path: Path, seed: int) -> None:
    """By its numbers the longest piece is near to the whole; that another long one stands there too decides."""
    dice = random.Random(seed)

    def piece(words: int) -> str:
        return "".join(dice.choice(WORDS) for _ in range(words)) + "。"

    pieces = [piece(1500), piece(500), *(piece(45) for _ in range(24))]
    _ingest(tmp_path, [*enumerate(pieces), (100, "".join(pieces))], "all")
    _update(tmp_path)
    clusters = {piece: cluster for piece, cluster, *_ in _state(tmp_path)[0]}  # type: ignore[misc, attr-defined]
    assert clusters["own:100"] != clusters["own:0"]
