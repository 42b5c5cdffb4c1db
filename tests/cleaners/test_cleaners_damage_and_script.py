"""Damage is undone where it is certain; simplified text is left alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fanwen.cleaners import (
    damage,
    script,
)
from fanwen.cleaners.trace import Change, apply

SIMPLE = "图书馆的借阅台搬到了一楼大厅，老人们不用再爬楼梯，这是我们的工作。" * 4


@pytest.mark.parametrize(
    ("stage", "before", "after"),
    [
        (damage.invisible, "读\u200b书\ufeff会\xa0好\t啊", "读书会 好 啊"),
        (damage.markup, "## 一、开门\n- 1、每天", "一、开门\n1、每天"),
        (damage.markup, "捐书人\\*\\*，C\\#课", "捐书人**，C#课"),
        (damage.markup, "<p>开门</p><br>关门&nbsp;歇业", "开门\n关门 歇业"),
        (damage.markup, "1. **开门：**每天八点", "1. 开门：每天八点"),
        (damage.markup, "**镇人民政府，**村", "**镇人民政府，**村"),
        (damage.markup, "a < b，p>q", "a < b，p>q"),
        (damage.anticopy, "我的'书，他的'笔", "我的书，他的笔"),
        (damage.anticopy, "他说'好'，我的'新'书", "他说'好'，我的'新'书"),
        (damage.pinyin, "總(zǒng)結(jié)報(bào)告", "總結報告"),
        (damage.pinyin, "重(chóng)庆的朝(cháo)天门", "重(chóng)庆的朝(cháo)天门"),
        (damage.pinyin, "方案(a)与血压(mm)", "方案(a)与血压(mm)"),
    ],
)
def test_damage(stage: Callable[[str], list[Change]], before: str, after: str) -> None:
    once = apply(before, stage(before))
    assert once == after
    assert apply(once, stage(once)) == once


def test_script_gate_and_after_fixes() -> None:
    mixed = "乾隆年間的一句話夾在簡體文章裡。" + SIMPLE * 3
    assert script.convert(mixed).text == mixed
    assert (
        script.convert("壹個讀者，註意門口，計畫明年；著名的著作。").text
        == "一个读者，注意门口，计划明年；著名的著作。"
    )
    assert script.convert("圖書館裡的民眾計畫說明，這裡的資訊線都為民眾啟用" * 3).script == "Hant-TW"
    # mainland words in converted characters say nothing about the place
    assert (
        script.convert("村裡的幹部帶著群眾為環境衛生忙了一個夏天，這裡的變化讓大家說個不停" * 3).script
        == "Hant"
    )
