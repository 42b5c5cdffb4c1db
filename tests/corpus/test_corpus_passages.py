"""Passages that two texts share: where they must lie by construction, and what holds for any two texts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import opencc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanwen.corpus.normalise import Codes, fold, place
from fanwen.corpus.passages import GAP, MIN_PASSAGE, align, grams, passages
from fanwen.corpus.types import Passage

Write = Callable[..., str]

BLOCK = "去年入冬以来，合作社的社员们把北坡的六十亩荒地翻了两遍，又从邻村借来水泵，赶在上冻之前浇足了底墒"
OTHER = "阅览室每周三下午向学生家长开放，借书卡由值班的同学登记，逾期不还的由班主任打电话提醒一次"
TEXTS = st.text(alphabet="山水田林路桥，。 12x", max_size=120)


def of(text: str, passage: Passage) -> str:
    return text[passage.a_begin : passage.a_end]


def folded(text: str) -> str:
    return "".join(map(chr, fold([text]).one(0)))


@given(st.text(max_size=60))
def test_a_placed_text_is_folded_like_any_other_and_knows_its_places(text: str) -> None:
    placed = place(text)
    assert np.array_equal(placed.codes, fold([text]).one(0))
    ends = [0, *placed.ends.tolist()]
    for i, (begin, end) in enumerate(zip(placed.begins.tolist(), ends[1:], strict=True)):
        assert begin >= ends[i]
        assert folded(text[begin:end]) == chr(placed.codes[i])
    between = zip(ends, [*placed.begins.tolist(), len(text)], strict=True)
    assert all(folded(text[end:begin]) == "" for end, begin in between)


def test_a_number_is_one_folded_code_point_and_keeps_all_its_places() -> None:
    placed = place("共 2 0 2 4 年")
    assert [(int(b), int(e)) for b, e in zip(placed.begins, placed.ends, strict=True)] == [
        (0, 1), (2, 9), (10, 11),
    ]  # fmt: skip


def test_a_copied_block_is_found_where_it_was_put(write: Write) -> None:
    a = write(1, 8) + "\n" + BLOCK + "\n" + write(2, 8)
    b = write(3, 4) + "\n" + BLOCK + "\n" + write(4, 12)
    at_a, at_b = a.index(BLOCK), b.index(BLOCK)
    assert passages(a, b) == ((at_a, at_a + len(BLOCK), at_b, at_b + len(BLOCK)),)


def test_a_full_stop_that_both_have_belongs_to_the_passage(write: Write) -> None:
    (found,) = passages(f"{BLOCK}。”{write(1, 3)}", f"{BLOCK}。{write(2, 3)}")
    assert found == (0, len(BLOCK) + 1, 0, len(BLOCK) + 1)
    (found,) = passages(f"{BLOCK}。{write(1, 3)}", f"{BLOCK}！{write(2, 3)}")
    assert found == (0, len(BLOCK), 0, len(BLOCK))


def test_a_dropped_sentence_is_bridged_and_a_dropped_page_is_not(write: Write) -> None:
    first, second = write(5, 6), write(6, 6)
    sentence = "值班记录由两个人一起签字，一式三份。"
    assert passages(first + sentence + second, first + second) == (
        (0, len(first + sentence + second), 0, len(first + second)),
    )
    page = f"另页：{write(7, 20)}（未完）"
    long, short = first + page + second, first + second
    assert passages(long, short) == (
        (0, len(first), 0, len(first)),
        (len(first + page), len(long), len(first), len(short)),
    )


def test_other_years_places_and_names_are_bridged() -> None:
    a = f"二〇一九年，永兴镇的张建国说：{BLOCK}；2019年12月，他又在河西村种了300棵树，全村老小都来帮忙，两天就种完了。"
    b = a.replace("一九", "二三").replace("2019", "2023").replace("300", "1200")
    b = b.replace("永兴镇", "安平乡").replace("河西村", "下湾子村")
    assert passages(a, b) == ((a.index("的张"), len(a), b.index("的张"), len(b)),)


def test_shuffled_paragraphs_are_passages_of_their_own(write: Write) -> None:
    paragraphs = [write(n, 4) for n in range(20, 25)]
    order = [3, 0, 4, 2, 1]
    a, b = "\n".join(paragraphs), "\n".join(paragraphs[n] for n in order)
    found = passages(a, b)
    assert [of(a, passage).strip() for passage in found] == paragraphs
    assert [b[p.b_begin : p.b_end].strip() for p in found] == paragraphs


def test_a_swapped_pair_of_sentences_costs_neither() -> None:
    first, second = f"{BLOCK}。", f"{OTHER}。"
    assert passages(first + second, second + first) == (
        (0, len(first), len(second), len(first + second)),
        (len(first), len(first + second), 0, len(second)),
    )


def test_a_phrase_at_two_places_is_taken_where_its_neighbours_are(write: Write) -> None:
    stock = "为了进一步提高认识统一思想凝聚力量"
    copied = f"{BLOCK}，{stock}，{OTHER}"
    a = copied
    b = f"{stock}。{write(1, 5)}{copied.replace(BLOCK[-3:], '的田埂')}"
    (found,) = passages(a, b)
    assert found == (0, len(a), b.index(BLOCK[:5]), len(b))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: opencc.OpenCC("s2t").convert(text),
        lambda text: "\n".join(text[i : i + 29] for i in range(0, len(text), 29)),
        lambda text: text.replace("，", ",").replace("。", "．"),
        lambda text: " ".join(text),
    ],
    ids=["traditional", "wrapped", "punctuated", "spaced"],
)
def test_what_folds_to_the_same_is_one_passage_over_both_texts(
    write: Write, change: Callable[[str], str]
) -> None:
    a = write(8, 10)
    b = change(a)
    assert passages(a, b) == ((0, len(a), 0, len(b)),)
    # and beside other text, in code points of each
    longer = write(9, 6) + "\n" + b
    (found,) = passages(a, longer)
    assert (found.a_begin, found.b_begin) == (0, len(longer) - len(b))
    assert folded(a[found.a_end :]) == folded(longer[found.b_end :]) == ""


def test_a_piece_lies_in_its_compilation_once(write: Write) -> None:
    members = [write(n, 10) for n in (30, 31, 32)]
    compiled = "".join(f"篇{n}：\n{text}\n" for n, text in zip("一二三", members, strict=True))
    for text in members:
        at = compiled.index(text)
        assert passages(text, compiled) == ((0, len(text), at, at + len(text)),)


def test_a_text_that_another_holds_twice_is_used_once(write: Write) -> None:
    text, between = write(40, 8), write(41, 4)
    twice = f"{text}\n{between}\n{text}"
    (found,) = passages(text, twice)
    assert (found.a_begin, found.a_end) == (0, len(text))
    assert found[2:] in ((0, len(text)), (len(twice) - len(text), len(twice)))


def test_typos_do_not_tear_a_passage(write: Write) -> None:
    a = write(50, 30)
    r = random.Random(1)
    b = "".join(r.choice("的一是在了") if r.random() < 0.03 else char for char in a)
    found = passages(a, b)
    assert len(found) == 1
    assert found[0].a_end - found[0].a_begin > 0.97 * len(a)


def test_essays_of_their_own_share_nothing(write: Write) -> None:
    assert [passages(write(n, 30), write(n + 1, 30)) for n in range(100, 110)] == [()] * 10


def test_what_is_too_short_is_no_passage_unless_it_is_all() -> None:
    assert passages("前言" + BLOCK[:20], BLOCK[:20] + "后记") == ()
    assert passages("前言" + BLOCK[:21], BLOCK[:21] + "后记") == ((2, 23, 0, 21),)
    assert passages("春眠。", "春眠！") == ((0, 3, 0, 3),)
    assert passages("", "") == passages("。。", "") == passages(BLOCK, "") == ()


@given(TEXTS, TEXTS, TEXTS)
@settings(max_examples=300, deadline=None)
def test_passages_of_any_two_texts(shared: str, before: str, behind: str) -> None:
    a, b = before + shared + behind, behind + shared + before
    found = passages(a, b)
    assert sorted((p.b_begin, p.b_end, p.a_begin, p.a_end) for p in found) == sorted(passages(b, a))
    assert list(found) == sorted(found)
    for text, spans in ((a, [p[:2] for p in found]), (b, sorted(p[2:] for p in found))):
        assert all(0 <= begin < end <= len(text) for begin, end in spans)
        assert all(one[1] <= other[0] for one, other in pairwise(spans))


def _equal(a: Codes, b: Codes) -> bool:
    return a.tolist() == b.tolist()


@given(TEXTS, TEXTS, TEXTS, st.booleans())
@settings(max_examples=300, deadline=None)
def test_stretches_are_equal_but_for_small_gaps(one: str, other: str, third: str, turned: bool) -> None:
    a = fold([one + other + third]).one(0)
    b = fold([other + one + third if turned else one + third]).one(0)
    if _equal(a, b):
        return
    for stretch in align(grams(a), grams(b)):
        blocks = stretch.blocks
        assert sum(block.length for block in blocks) == stretch.equal >= MIN_PASSAGE
        assert all(_equal(a[at_a : at_a + length], b[at_b : at_b + length]) for at_a, at_b, length in blocks)
        for first, second in pairwise(blocks):
            assert 0 <= second.a - first.a - first.length <= GAP
            assert 0 <= second.b - first.b - first.length <= GAP


@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_a_copied_block_is_covered_wherever_it_stands(
    write: Write, seed: int, length: int, before: int, behind: int
) -> None:
    r = random.Random(seed)
    block = "".join(chr(r.randrange(0x4E00, 0x9FA0)) for _ in range(length + MIN_PASSAGE))
    a = write(seed, before + 1) + block + write(seed + 1, behind + 1)
    b = write(seed + 2, behind + 1) + block + write(seed + 3, before + 1)
    at_a, at_b = a.index(block), b.index(block)
    assert any(
        p.a_begin <= at_a
        and p.a_end >= at_a + len(block)
        and p.b_begin <= at_b
        and p.b_end >= at_b + len(block)
        for p in passages(a, b)
    )


def _drawn(seed: int, letters: str, length: int) -> str:
    return "".join(random.Random(seed).choices(letters, k=length))


def _any_order(seed: int) -> str:
    phrases = [_drawn(n, "春夏秋冬山水田林路桥河海", 12) for n in range(150)]
    return "".join(random.Random(seed).choices(phrases, k=1500))


BOMBS = {
    "one character": lambda: ("哈" * 100_000, "哈" * 50_000),
    "one character, another first": lambda: ("哈" * 100_000, "呀" + "哈" * 99_999),
    "seven characters": lambda: ("一二三四五六七" * 14_000, "三四五六七一二" * 14_000),
    "numbers": lambda: ("1234567890" * 10_000, "98765 " * 10_000),
    "two letters": lambda: (_drawn(1, "甲乙", 10_000), _drawn(2, "甲乙", 10_000)),
    "phrases in any order": lambda: (_any_order(1), _any_order(2)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_repetitions_are_aligned_in_bounded_time(name: str) -> None:
    a, b = BOMBS[name]()
    begun = time.process_time()
    passages(a, b)
    assert time.process_time() - begun < 5


def test_two_long_texts_are_aligned_in_about_a_second() -> None:
    text = _drawn(3, "".join(map(chr, range(0x4E00, 0x5800))), 100_000)
    lines = [text[i : i + 40] for i in range(0, len(text), 40)]
    random.Random(4).shuffle(lines)
    begun = time.process_time()
    found = passages(text, "".join(lines))
    assert time.process_time() - begun < 3  # 0.1 s where nothing else runs
    assert sum(p.a_end - p.a_begin for p in found) > 0.99 * len(text)
