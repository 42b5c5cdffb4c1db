"""Language, quality, personal data, genre and the page gate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cleaner_texts import PROSE, body, html

from fanwen.cleaners import (
    gate,
    genre,
    language,
    privacy,
    quality,
    rules,
)
from fanwen.cleaners.types import Cleaned, ExtractHints

SIMPLE = "图书馆的借阅台搬到了一楼大厅，老人们不用再爬楼梯，这是我们的工作。" * 4


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SIMPLE, "zh"),
        ("圖書館的借閱臺搬到了一樓大廳，老人們不用再爬樓梯。" * 3, "zh"),
        ("図書館の貸出カウンターは一階に移りました。とても便利です。" * 3, "ja"),
        ("도서관 대출대가 일층으로 옮겨졌습니다. 매우 편리합니다." * 3, "ko"),
        ("The lending desk of the library has moved to the ground floor, which is convenient." * 3, "en"),
        ("Thư viện đã chuyển quầy mượn sách xuống tầng một, rất thuận tiện cho người già." * 3, "vi"),
        ("123 456", "und"),
    ],
)
def test_language(text: str, code: str) -> None:
    assert language.detect(text) == code


def test_quality_flags() -> None:
    def flags(text: str) -> list[str]:
        return quality.flags(text, quality.signals(text, privacy.placeholders(text)))

    assert flags(body(1, 6)) == []
    assert flags(PROSE[0]) == ["stub"]
    assert "repetitive" in flags("\n".join([PROSE[0]] * 9))
    assert "low_han" in flags("abcdefgh " * 40 + PROSE[0] * 2)
    assert "list_only" in flags("\n".join(f"书目{k}号藏在三楼东边架上" for k in range(20)))
    assert "garbled" in flags(body(1, 6) + "�" * 9)


def test_personal_data() -> None:
    text = (
        "联系电话13812345678，邮箱li.a@example.com，身份证11010519491231002X，"
        "证11010519491231002Y，QQ：12345678。\n申请人：赵大年\n2022年"
    )
    found = {(s.kind, text[s.begin : s.end]) for s in privacy.spans(text)}
    assert ("phone", "13812345678") in found
    assert ("email", "li.a@example.com") in found
    assert ("id_card", "11010519491231002X") in found
    assert not any("002Y" in value for _, value in found)
    assert ("person", "赵大年") in found


def test_vocabulary_is_exactly_the_list() -> None:
    names = (
        "工作总结 工作计划 汇报 述职报告 心得体会 读后感 演讲稿 申请书 检讨书"
        " 倡议书 通知 合同 实习报告 作文 发言稿 策划方案 自我评价 请示 函 其他"
    )
    assert " ".join(genre.names()) == names
    for row in rules.table("genres.toml")["genre"]:
        assert row["code"].isidentifier()
        assert row["en"]
        assert row["definition"].endswith(".")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("图书馆年终工作总结", "工作总结"),
        ("下半年工作计划", "工作计划"),
        ("防汛工作情况汇报", "汇报"),
        ("馆长述职报告", "述职报告"),
        ("员工培训心得体会", "心得体会"),
        ("《边城》读后感", "读后感"),
        ("《边城》读书心得", "读后感"),
        ("竞聘演讲稿", "演讲稿"),
        ("辞职申请书", "申请书"),
        ("上课迟到检讨书", "检讨书"),
        ("节水倡议书", "倡议书"),
        ("关于放假的通知", "通知"),
        ("房屋租赁合同", "合同"),
        ("护士实习报告", "实习报告"),
        ("三年级作文", "作文"),
        ("开学典礼发言稿", "发言稿"),
        ("元旦晚会策划书", "策划方案"),
        ("大学生自我鉴定", "自我评价"),
        ("关于购置书架的请示", "请示"),
        ("会议邀请函", "函"),
    ],
)
def test_genre_by_title(title: str, expected: str) -> None:
    assert genre.classify(body(1), title, None).name == expected


def test_genre_by_text() -> None:
    assert (
        genre.classify(f"各位评委，我演讲的题目是《书》。\n{body(1)}\n我的演讲完了", None, None).name
        == "演讲稿"
    )
    assert genre.classify(body(1), None, None).name == "其他"


def test_gate(clean: Callable[..., Cleaned]) -> None:
    def reasons(content: str, title: str = "图书馆工作总结") -> list[str]:
        return [r.reason for r in clean(html(content, title), "text/html").rejects]

    howto = (
        "标题：可以直接写明单位。正文：一般要先写缘由。落款：写明日期。写作技巧：要紧扣主题，避免空话。" * 3
    )
    assert [
        r.reason for r in clean(html(f"<p>{howto}</p>", "总结怎么写？格式与注意事项"), "text/html").rejects
    ] == ["howto"]
    wall = "<p>请先登录后查看全文，新用户注册即送会员，输入验证码，忘记密码请联系在线的工作人员帮助找回。</p>"
    assert reasons(wall) == ["login_wall"]
    gone = "<p>您访问的页面不存在，文章已被删除，五秒后自动跳转，返回首页看看别的内容。</p>"
    assert reasons(gone, "页面不存在") == ["soft_404"]
    english = "<p>" + "The library moved its desk to the ground floor and readers like it. " * 20 + "</p>"
    assert reasons(english, "Library") == ["not_chinese"]
    law = "".join(f"<p>第{c}条 本办法所称读者，是指持证入馆的人。</p>" for c in "一二三四五六七八九十")
    assert reasons(law, "山谷省图书馆管理条例") == ["law"]
    for k in range(4):
        assert clean(html("".join(f"<p>{x}</p>" for x in body(k).split("\n"))), "text/html").rejects == ()
    assert reasons(law.replace("本办法", "本合同"), "书架租赁合同") == []
    assert gate.judge("u", ["关于学习写作的心得体会"], body(1)) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            "<p>对不起，您尚未登录，登陆之后才可以看到正文。</p><form><p>账号 <input></p><p>忘记密码</p></form>",
            "login_wall",
        ),
        ("<p>本栏目仅对VIP用户开放</p><p>扫码支付后即可阅读</p>", "login_wall"),
        ("<p>您没有足够的浏览权限</p>", "login_wall"),
        ("<p>该文档已被作者删除或者移走</p>", "soft_404"),
        ("<p>很抱歉，没有找到您要的内容，8秒后将跳转到首页</p>", "soft_404"),
        ("<p>没有搜到“旧书”，换个关键词试试吧</p>", "search_results"),
        ("<p>本标签下共有 8 篇</p>", "list_page"),
        ("<p>馆里的一句话。</p>", "empty"),
    ],
)
def test_pages_without_text_say_why(clean: Callable[..., Cleaned], content: str, reason: str) -> None:
    page = f"<html><head><title>馆务</title></head><body><div>登录 | 注册</div>{content}</body></html>"
    assert [r.reason for r in clean(page, "text/html").rejects] == [reason]


def test_a_list_of_links_is_no_text_but_links_at_the_end_of_one_are_no_list(
    clean: Callable[..., Cleaned],
) -> None:
    rows = "".join(
        f"<tr><td><a href='/n/{k}'>关于第{k}阅览室整修和旧书处理安排的通知</a></td><td>2024-0{k}-11</td></tr>"
        for k in range(1, 9)
    )
    listed = clean(
        html(f"<p>共8篇</p><table>{rows}</table>"), "text/html", hints=ExtractHints(content=(".article",))
    )
    assert [r.reason for r in listed.rejects] == ["list_page"]
    text = "".join(f"<p>{x}</p>" for x in PROSE)
    assert clean(html(f"{text}<table>{rows}</table>"), "text/html").rejects == ()


def test_hyphens_are_readable() -> None:
    text = "借阅统计：2024-01-02至2024-03-04，一楼-二楼-三楼，A-1、B-2、C-3架。" * 6
    assert "garbled" not in quality.flags(text, quality.signals(text, ()))
    broken = "借阅\ufffd统\ue123计" * 30
    assert "garbled" in quality.flags(broken, quality.signals(broken, ()))
