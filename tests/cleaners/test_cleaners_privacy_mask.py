"""Masking: by kind, the same name with the same number, nothing left behind, nothing touched twice."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cleaners_privacy_figures import PARTS as GOLD_PARTS
from test_cleaners_privacy_figures import read

from fanwen.cleaners import privacy
from fanwen.cleaners.mask import ALL, mask, mask_piece
from fanwen.cleaners.types import Span

GOLD = [gold.text for part in GOLD_PARTS for gold in read(part)]


def masked(text: str, policy: frozenset[str] = ALL) -> str:
    return mask(text, privacy.spans(text), policy)


def test_names_keep_their_number_in_the_order_of_their_first_place() -> None:
    text = "村民李大山和村民赵小兵吵架。李大山先道歉，赵小兵也道歉，李大山请吃饭。"
    assert masked(text) == (
        "村民〔人名1〕和村民〔人名2〕吵架。〔人名1〕先道歉，〔人名2〕也道歉，〔人名1〕请吃饭。"
    )


def test_a_given_name_alone_is_the_same_person() -> None:
    text = "三年级的韩梦洁同学患白血病。梦洁说，她想回学校。"
    assert masked(text) == "三年级的〔人名1〕同学患白血病。〔人名1〕说，她想回学校。"


def test_every_kind_has_its_word() -> None:
    text = (
        "电话13812345678，证11010519491231002X，卡号6228480402564890018，a1@b.example.cn，QQ：287654321，"
        "微信号：lan_2020，车牌京A12345，家住长沙市五一路120号2栋403室，申请人：王强"
    )
    assert masked(text) == (
        "电话〔电话〕，证〔身份证号〕，卡号〔银行卡号〕，〔邮箱〕，QQ：〔QQ号〕，"
        "微信号：〔微信号〕，车牌〔车牌号〕，家住〔地址〕，申请人：〔人名1〕"
    )


def test_the_policy_says_which_kinds() -> None:
    text = "村民李大山的电话13812345678"
    assert masked(text, frozenset({"phone"})) == "村民李大山的电话〔电话〕"
    assert masked(text, frozenset({"person"})) == "村民〔人名1〕的电话13812345678"
    assert masked(text, frozenset()) == text


def test_a_piece_has_one_numbering_for_title_and_text() -> None:
    text = "村民赵小兵和村民李大山是邻居。"
    title, body = mask_piece("李大山的故事", text, privacy.spans(text))
    assert (title, body) == ("〔人名2〕的故事", "村民〔人名1〕和村民〔人名2〕是邻居。")
    assert mask_piece(None, text, ())[0] is None


def test_a_title_hides_what_the_text_shows_to_be_personal() -> None:
    text = "村民张敏说，张敏家的电话是13812345678，门牌是xx路。"
    title, body = mask_piece("张敏和xx路（13812345678）：张敏的一天", text, privacy.spans(text))
    assert title == "〔人名1〕和xx路（〔电话〕）：〔人名1〕的一天"
    assert body == "村民〔人名1〕说，〔人名1〕家的电话是〔电话〕，门牌是xx路。"
    again = mask_piece(title, body, privacy.spans(body))
    assert again == (title, body)


def test_a_name_that_is_a_word_stays_a_word_in_a_title() -> None:
    text = "我叫高兴，今年十岁。"
    title, body = mask_piece("一件高兴的事", text, privacy.spans(text))
    assert (title, body) == ("一件高兴的事", "我叫〔人名1〕，今年十岁。")


def test_the_numbers_of_earlier_masks_are_not_given_again() -> None:
    text = "〔人名1〕说，〔人名3〕和村民李大山来了，村民赵小兵没来。"
    assert masked(text) == "〔人名1〕说，〔人名3〕和村民〔人名4〕来了，村民〔人名5〕没来。"


def test_an_unknown_kind_is_an_error_and_an_unwanted_one_is_not() -> None:
    with pytest.raises(KeyError):
        mask("abc", [Span("shoe", 0, 1)], frozenset({"shoe"}))
    assert mask("abc", [Span("shoe", 0, 1)]) == "abc"


@pytest.mark.parametrize("text", GOLD, ids=lambda text: text[:12])
def test_nothing_is_left_in_a_masked_gold_text(text: str) -> None:
    once = masked(text)
    assert privacy.spans(once) == ()
    assert masked(once) == once
    assert [text[s.begin : s.end] for s in privacy.placeholders(text)] == [
        once[s.begin : s.end] for s in privacy.placeholders(once)
    ]


PARTS = st.sampled_from([part for text in GOLD for part in text.replace("\n", "。").split("，") if part])


@settings(max_examples=150, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=6), st.sampled_from(["，", "。", "\n", "、", ""]))
def test_masking_leaves_nothing_and_is_idempotent(parts: list[str], joint: str) -> None:
    text = joint.join(parts)
    found = privacy.spans(text)
    own = privacy.placeholders(text)
    places = sorted([(s.begin, s.end) for s in (*found, *own)])
    assert all(a[1] <= b[0] for a, b in pairwise(places))
    for policy in (ALL, frozenset({"person"}), frozenset({"phone", "qq"})):
        once = mask(text, found, policy)
        left = [s for s in privacy.spans(once) if s.kind in policy]
        assert left == [], once
        assert mask(once, privacy.spans(once), policy) == once


@settings(max_examples=150, deadline=None)
@given(
    st.text(
        st.sampled_from("王李张村民老师说的、，。\n 0123456789Xx*某同志强明红申请人：〔〕-@路号京A年"),
        max_size=60,
    )
)
def test_any_text_is_masked_without_error(text: str) -> None:
    once = masked(text)
    assert mask(once, privacy.spans(once)) == masked(once)
    assert not [s for s in privacy.spans(text) if s.end <= s.begin]


def test_clean_prints_unmasked_text_unless_asked(tmp_path: Path) -> None:
    file = tmp_path / "总结.txt"
    body = "村民李大山给我们送来锦旗，他的电话是13812345678。我们把这一年的工作做得更细，大家都很满意。" * 4
    file.write_text(f"社区工作总结\n{body}\n汇报人：赵小兵\n2022年5月1日\n", encoding="utf-8")

    def text(*options: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "fanwen.corpus.cli", "clean", *options, str(file)],
            capture_output=True,
            text=True,
            check=True,
        )
        return str(json.loads(done.stdout)["text"])

    assert "李大山" in text()
    assert "13812345678" in text()
    hidden = text("--mask")
    assert "李大山" not in hidden
    assert "赵小兵" not in hidden
    assert "13812345678" not in hidden
    assert hidden.count("〔人名1〕") == 4
    assert "汇报人：〔人名2〕" in hidden
