"""What a document is called, and how many pieces it claims."""

from __future__ import annotations

import pytest

from fanwen.cleaners.split import core_of, titles


@pytest.mark.parametrize(
    ("title", "core", "declared"),
    [
        ("最新图书馆工作总结(优秀6篇)", "图书馆工作总结", 6),
        ("图书馆工作总结范文（十二篇）_山谷文稿网", "图书馆工作总结", 12),
        ("图书馆工作总结8篇", "图书馆工作总结", 8),
        ("图书馆工作总结 - 山谷文稿网", "图书馆工作总结", None),
        ("图书馆工作总结(精选3篇).docx", "图书馆工作总结", 3),
        ("2023年图书馆工作总结", "图书馆工作总结", None),
        ("第三篇章图书馆总结", "第三篇章图书馆总结", None),
    ],
)
def test_titles(title: str, core: str, declared: int | None) -> None:
    names = titles([title])
    assert names.core == core
    assert names.declared == declared


def test_core_is_stable() -> None:
    assert core_of(core_of("最新图书馆工作总结(优秀6篇)")) == "图书馆工作总结"
