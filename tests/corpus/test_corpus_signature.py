"""The signature specification against a second, slow implementation written from its text alone."""

from __future__ import annotations

import unicodedata
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwen.corpus.fingerprint import fingerprints, from_blob, to_blob
from fanwen.corpus.normalise import fold

M = (1 << 64) - 1


def fmix(h: int) -> int:
    h ^= h >> 33
    h = h * 0xFF51AFD7ED558CCD & M
    h ^= h >> 33
    h = h * 0xC4CEB9FE1A85EC53 & M
    return h ^ h >> 33


def slow(codes: list[int]) -> list[int]:
    if not codes:
        return []
    size = min(12, len(codes))
    hashes = []
    for i in range(len(codes) - size + 1):
        h = 0
        for code in codes[i : i + size]:
            h = (h * 0x9E3779B97F4A7C15 + code + 1) & M
        hashes.append(fmix(h))
    window = 64 if len(codes) >= 500 else 32
    if len(hashes) <= window:
        return [min(hashes)]
    return sorted({min(hashes[i : i + window]) for i in range(len(hashes) - window + 1)})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.text(alphabet="春夏秋冬天地玄黄宇宙", max_size=30), st.integers(0, 70)), max_size=6)
)
def test_fast_and_slow_agree_in_any_batch(parts: list[tuple[str, int]]) -> None:
    texts = [text * times for text, times in parts]
    folded = fold(texts)
    for i, marks in enumerate(fingerprints(folded)):
        assert marks.tolist() == slow(folded.one(i).tolist())
        assert from_blob(to_blob(marks)).tolist() == marks.tolist()


def test_lengths_around_every_limit(write: Any) -> None:
    letters = fold([write(3, 80)]).one(0)
    texts = [
        "".join(map(chr, letters[:n]))
        for n in (0, 1, 11, 12, 13, 42, 43, 44, 45, 499, 500, 501, 574, 575, 2000)
    ]
    folded = fold(texts)
    assert np.diff(folded.bounds).tolist() == [len(text) for text in texts]
    for i, marks in enumerate(fingerprints(folded)):
        assert marks.tolist() == slow(folded.one(i).tolist())
        # alone, without neighbours in the batch
        (alone,) = fingerprints(fold([texts[i]]))
        assert alone.tolist() == marks.tolist()


# computed with slow() and checked by hand for the first: fmix64 of (U+4E2D + 1) * B + (U+56FD + 1)
def test_known_answers() -> None:
    assert slow([0x4E2D, 0x56FD]) == [fmix(((0x4E2D + 1) * 0x9E3779B97F4A7C15 + 0x56FD + 1) & M)]
    one, two = fingerprints(fold(["中国", "关于开展卫生检查工作的通知" * 3]))
    assert [f"{mark:016x}" for mark in one.tolist()] == KNOWN[0]
    assert [f"{mark:016x}" for mark in two.tolist()] == KNOWN[1]
    assert fold(["关于开展卫生检查工作的通知"]).key(0) == KNOWN_KEY


KNOWN = [["a14235ccd24da163"], ["06ad39f919cc21f7"]]
KNOWN_KEY = "48a64e25eaea54caf7f954efd25eac46"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("年度总结，2021年！", "年度总结2019年"),
        ("Ａｂｃ１２３", "abc7"),
        ("20××年", "20__年"),
        ("20xx年", "２０**年"),
        ("關於計畫的總結", "关于计画的总结"),
        ("隨著經濟發展", "随着经济发展"),
        ("在 这\u3000里\n\u200b停", "在这里停"),
        ("“好”——他说…", "好他说"),
        ("裡面", "里面"),
    ],
)
def test_what_folds_together(one: str, other: str) -> None:
    folded = fold([one, other])
    assert folded.key(0) == folded.key(1)


@pytest.mark.parametrize(("one", "other"), [("十篇", "十一篇"), ("村镇", "村庄"), ("a0b", "ab"), ("", "无")])
def test_what_does_not(one: str, other: str) -> None:
    folded = fold([one, other])
    assert folded.key(0) != folded.key(1)


def test_runs_of_digits_do_not_join_across_texts() -> None:
    folded = fold(["第1", "2号", "3"])
    assert ["".join(map(chr, folded.one(i))) for i in range(3)] == ["第0", "0号", "0"]


def test_folding_loses_no_han_character() -> None:
    han = [chr(code) for code in range(0x4E00, 0x9FA6)]
    folded = fold(han)
    assert np.diff(folded.bounds).tolist() == [1] * len(han)
    assert all("CJK" in unicodedata.name(chr(folded.one(i)[0])) for i in range(0, len(han), 97))


DOCS = Path(__file__).parents[2] / "docs/signatures.md"
BY_RULE = "".join(chr(0x4E00 + (7 * i * i + 13 * i) % 5000) for i in range(900))


def vectors() -> list[list[str]]:
    """The rows of the table of known answers, cell by cell."""
    lines = DOCS.read_text(encoding="utf-8").partition("## Known answers")[2].splitlines()
    rows = [line for line in lines if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize(("text", "length", "key", "count", "first", "all_of_them"), vectors())
def test_the_documented_answers(
    text: str, length: str, key: str, count: str, first: str, all_of_them: str
) -> None:
    folded = fold([BY_RULE if text == "(rule)" else text])
    (fast,) = fingerprints(folded)
    codes = folded.one(0).tolist()
    for marks, blob in (
        (fast.tolist(), to_blob(fast)),
        (slow(codes), b"".join(mark.to_bytes(8, "little") for mark in slow(codes))),
    ):
        assert [str(len(codes)), folded.key(0), str(len(marks))] == [length, key, count]
        assert (f"{marks[0]:016x}" if marks else "–") == first
        assert sha256(blob).hexdigest()[:16] == all_of_them


def test_there_are_vectors_for_every_case() -> None:
    assert len(vectors()) == 6
