"""What a document is called, and how many pieces it claims."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cleaner_texts import body

from fanwen.cleaners.split import split
from fanwen.cleaners.titles import core_of, titles
from fanwen.cleaners.types import Cleaned


@pytest.mark.parametrize(
    ("title", "core", "declared"),
    [
        ("最新图书馆工作总结(优秀6篇)", "图书馆工作总结", 6),
        ("图书馆工作总结范文（十二篇）_山谷文稿网", "图书馆工作总结", 12),
        ("图书馆工作总结8篇", "图书馆工作总结", 8),
        ("图书馆工作总结 - 山谷文稿网", "图书馆工作总结", None),
        ("图书馆工作总结(精选3篇).docx", "图书馆工作总结", 3),
        ("2023年图书馆工作总结", "2023年图书馆工作总结", None),
        ("第三篇章图书馆总结", "第三篇章图书馆总结", None),
        ("关于开放地下室的通知", "关于开放地下室的通知", None),
        ("关于增加开放时间的请示(2篇)", "关于增加开放时间的请示", 2),
        ("关于图书馆工作总结", "图书馆工作总结", None),
    ],
)
def test_titles(title: str, core: str, declared: int | None) -> None:
    names = titles([title])
    assert names.core == core
    assert names.declared == declared


def test_core_is_stable() -> None:
    assert core_of(core_of("最新图书馆工作总结(优秀6篇)")) == "图书馆工作总结"


@pytest.mark.parametrize("start", ["{0} {0} ", "{0}\n{0}", "{0}{0}{0}", "{0}(精选2篇){0}"])
def test_a_title_that_is_glued_to_the_text_goes(start: str) -> None:
    title = "图书馆年度工作总结"
    names = titles([title, f"{title}(精选2篇)"])
    (part, *_) = split(start.format(title) + body(1), names).parts
    assert (start.format(title) + body(1))[part.begin :].strip() == body(1)


@pytest.mark.parametrize(
    "text", ["{0}\n{0}是一年里最难写的文章。", "{0}，写给每一位读者。", "{0}的写作，要从年初开始。"]
)
def test_a_title_that_is_the_subject_of_a_sentence_stays(text: str) -> None:
    title = "图书馆年度工作总结"
    whole = text.format(title) + "\n" + body(1)
    (part, *_) = split(whole, titles([title])).parts
    assert whole[part.begin :].startswith(title)


def test_a_title_on_two_lines_is_one_title(clean: Callable[..., Cleaned]) -> None:
    for upper, lower in (
        ("关于做好夜间开放和", "　　旧书流动工作的通知"),
        ("关于认真贯彻馆务会精神", "做好年终盘点的通知"),
        ("图书馆上半年借阅、修缮与", "读者服务工作总结"),
    ):
        cleaned = clean(f"{upper}\n{lower}\n各阅览室：\n{body(1)}")
        (piece,) = cleaned.pieces
        assert piece.title == upper + lower.strip("　")
        assert piece.text == f"各阅览室：\n{body(1)}"
    (piece,) = clean(f"山谷县图书馆\n年度工作总结\n{body(1)}").pieces
    assert piece.title == "年度工作总结"
