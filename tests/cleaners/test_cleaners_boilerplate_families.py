"""What every family of boilerplate takes, and what it must leave."""

from __future__ import annotations

import pytest
from cleaner_texts import PROSE, body

from fanwen.cleaners import (
    boilerplate,
    damage,
)
from fanwen.cleaners.intro import intro_end
from fanwen.cleaners.trace import apply

TAKEN = [
    "下载本文档",
    "点击查看更多>>",
    "年终材料_第3页",
    "已阅读7页,还剩31页未读 继续免费阅读",
    "免费预览已结束，剩余12页可下载查看",
    "亲，该资料总共9页，到这里已超出免费预览范围，如果需要就下载吧！",
    "登录后可查看剩余内容",
    "版权说明：本资料由用户上传，若侵权请联系客服删除",
    "您当前的位置：首页 > 范文 > 总结",
    "首页 > 资料 > 下载",
    "更新时间：2021-03-04 09:00:00 点击：次",
    "上传人：k****2 文档编号：1234 页数：8 大小：30KB",
    "【我们的计划】相关文章：",
    "看过本文的人还看了：",
    "推荐度：★★★★",
    "小编精心推荐阅读",
    "上一篇：山谷春天",
    "复制全文",
    "[ 大 中 小 ]",
    "手机扫码阅读",
    "内容加载中，请稍候……",
    "客服QQ：12345678",
    "京ICP备12345678号-1",
    "====优质文档，欢迎收藏转发====",
    "范文仅供参考，请勿照搬",
    "; ]3 Q7 `+ w, B9 m' k' p3 z",
    "- 12 -",
    "3 / 17",
    "第 2 页 共 9 页",
    "未经许可不得转载",
    "以上就是小编为大家带来的全部内容",
    "×",
    # labels, comments, fields, notes
    "猜你要找：读书笔记　借阅须知　开馆通知",
    "家长都在看：孩子不爱读书怎么办",
    "往期回顾：春季书展｜夏季书展",
    "本站最新入库",
    "上传：山谷来客 · 2023-04-05 · 2.3k 次预览 · 8 次下载",
    "山谷小助手 更新于 2024-03-06 812字 约3分钟读完 收藏 12",
    "（编者按：上面一篇出自一位馆员之手，情真意切）",
    "给这篇总结打分：★★★★ 共17人参与",
    "广告 · 请继续阅读",
    "复制本篇",
    "AI改写",
    "标签：图书馆 志愿服务 年终",
    "相关专题：读书活动 | 借阅须知",
    "热搜词：总结，计划，汇报",
    "首页 上一页 1 2 3 下一页 末页",
    "< 上一页 [1] [2] 下一页 >",
    "朗读全文 03:25",
    "原标题：图书馆这一年做了什么",
    "图书馆工作总结下载（doc）",
    "以上内容由山谷文秘网整理提供。",
    "本文由「山谷文库」shangu提供",
    "小编寄语：写总结贵在真实，不必求长。",
    # nags by their words
    "更多图书馆类材料请在站内搜索",
    "【按Ctrl+D把本页加入书签】",
    "素材来自网络投稿，侵删。",
    "左下角阅读原文进群，点个在看再走！",
    "转载请先取得馆主同意并附上本文链接",
    ">>>写总结的人都装了“山谷助手”，立即安装",
    "本资料由热心网友上传，点左侧按钮即可下载",
    "下载之后可直接编辑、打印，方便快捷",
    "收集这些范文不容易，喜欢就点个赞支持一下，下载更方便！",
    "试读到此为止，购买后可阅读余下的12页",
    "原文可免费下载，支持Word格式修改",
    "更多完整版请登陆后下载",
]

KEPT = [
    "关键词：图书馆；借阅；志愿者",
    "标题：一年的路",
    "第3页的借阅登记表要补签字。",
    "附件下载地址见文末，请各支部按时上报。",
    "本材料由办公室负责整理。",
    "听读活动从3月12日开始，共办了8场。",
    "上一页的数字有误，以这一张表为准。",
    "联系电话：0571-12345678",
    "温馨提示：请自备水杯，注意安全。",
    "时间：2023年5月1日 14:30",
    "日期：____年__月__日",
    "未经甲方书面同意，乙方不得转租。",
    "四是利用微信公众号发布信息42条。",
    "帮助老人充值话费12次。",
    "对侵犯读者权益的行为及时处理。",
    "下一步，我馆将继续开放",
    "五、推荐阅读书目三十种",
    "希望这些经验对大家有所帮助。",
    "以上是我对校园网建设的几点想法",
    "办公室秘书负责公文写作",
    "来源：本馆经费",
    "开通会员卡业务132张",
    "下载量突破一万次",
    "阅读完毕，我久久不能平静。",
    "年终盘点表大小：共有三种",
    "此致",
    "（本页无正文）",
    "2021年1月20日",
    "完成7097件旧档的扫描，图像清楚，备份两份。",
    "专题会议每季度召开一次",
    "各科室登录系统下载附件，填写完整后打印上交。",
    "教师可以下载资料，编辑课件后分享给同学。",
    "组织党员下载学习软件，每天登录阅读。",
    "请点击附件下载报名表。",
    "新办会员免费借阅一年，续期另收工本费",
    "我把全文打印出来，收藏在书柜里",
    "整理档案很辛苦，但同志们没有怨言。",
    "没有带袋子的，可到门岗免费领取。",
    "三、随身带好证件。家长把孩子送到东侧大门，没有报名的可以现场免费领取表格。",
    "读者留言本上写满了建议。",
    "活动时间：2022年3月1日至5日",
    "作者：周树人　出版社：某某出版社",
    "评论员文章引起了大家的讨论。",
    "还有58%的居民没有办理借书证，我们继续上门。",
    "更多的读者走进了阅览室，请他们坐下来慢慢看。",
]


@pytest.mark.parametrize("line", TAKEN)
def test_boilerplate_families_take(line: str) -> None:
    text = apply(line, boilerplate.lines(line))
    assert not apply(text, boilerplate.phrases(text)).strip(" ,，。")


@pytest.mark.parametrize("line", KEPT)
def test_boilerplate_families_leave(line: str) -> None:
    assert boilerplate.lines(line) == []
    assert boilerplate.phrases(line) == []
    assert boilerplate.walls(line) == []


@pytest.mark.parametrize(
    "nag",
    [
        "【公文帮手，方便的公文写作神器！】",
        "(本文来自山谷网www.shangu.example)",
        "文海原创文章，抄袭必究",
        "【请下载原文件阅读余下内容】",
        "（登录后可免费查看本文）",
        "[点击此处下载完整版]",
        "觉得这份资料不错的话，请点击右侧按钮下载全文！",
    ],
)
def test_phrases_in_mid_sentence(nag: str) -> None:
    text = f"{PROSE[0]}{nag}{PROSE[1]}"
    assert apply(text, boilerplate.phrases(text)) == PROSE[0] + PROSE[1]


def test_brackets_and_sentences_of_the_text_itself_stay() -> None:
    for own in (
        "（含会员单位12家）",
        "（下载量3万次）",
        "【读者留言】",
        "(打印、复印另计)",
        "大家免费借阅，十分方便！",
    ):
        text = f"{PROSE[0]}{own}{PROSE[1]}"
        assert boilerplate.phrases(text) == []


@pytest.mark.parametrize(
    ("wall", "mark"),
    [
        ("……(未完，全文共2594字，当前仅显示1649字，请看下面提示)", damage.WALL_END),
        ("...（阅读全部内容，您需要先登录！）", damage.WALL_END),
        ("全文约1221字，请下载后阅读、编辑。", damage.WALL_END),
        ("……此处隐藏1034个字……", damage.WALL_INSIDE),
        ("……\n还有约31%的内容没有显示", damage.WALL_END),
        ("……试读到此结束，完整内容请开通后阅读", damage.WALL_END),
        ("……（山谷网https://www.shangu.example 省略587字，会员可完整阅读）", damage.WALL_INSIDE),
    ],
)
def test_walls_leave_a_mark(wall: str, mark: str) -> None:
    rest = "" if mark == damage.WALL_END else PROSE[1]
    text = f"{PROSE[0][:20]}{wall}{rest}"
    assert apply(text, boilerplate.walls(text)) == f"{PROSE[0][:20]}{mark}{rest}"


def test_a_locked_line_leaves_a_mark() -> None:
    text = f"{PROSE[0]}\n本楼有一段内容上了锁，请回帖之后再来\n{PROSE[1]}"
    assert apply(text, boilerplate.walls(text)) == f"{PROSE[0]}\n{damage.WALL_INSIDE}\n{PROSE[1]}"


def test_comments_behind_a_text_go_to_the_end_of_the_page() -> None:
    text = "\n".join([*PROSE, "网友评论（2条）", "小山：写得真好，我也想去。", "阿木：谢谢分享"])
    assert apply(text, boilerplate.lines(text)).rstrip() == "\n".join(PROSE)


def test_a_label_of_comments_above_the_text_takes_nothing_with_it() -> None:
    text = "\n".join(["评论(0)", *PROSE])
    assert apply(text, boilerplate.lines(text)).strip() == "\n".join(PROSE)


def test_a_row_of_search_words_goes_at_the_edges_only() -> None:
    row = "工作总结开头工作总结结尾年终总结范文个人总结"
    text = "\n".join([*PROSE, row])
    assert apply(text, boilerplate.lines(text)).rstrip() == "\n".join(PROSE)
    inside = "\n".join([*PROSE[:3], row, *PROSE[3:]])
    assert apply(inside, boilerplate.lines(inside)) == inside


def test_links_that_advertise_go_from_the_middle_of_a_line() -> None:
    advert, own = "限时免费领取300套模板", "山谷图书馆的开放时间"
    text = f"{PROSE[0]}{advert}{PROSE[1]}{own}{PROSE[2]}"
    assert apply(text, boilerplate.linked(text, [advert, own])) == f"{PROSE[0]}{PROSE[1]}{own}{PROSE[2]}"


def test_a_byline_glued_to_the_text_goes_and_the_text_keeps_its_date() -> None:
    text = f"图书馆总结2019-07-02 16:45:21来源：山谷网录入：小木浏览：4382次字号：大中小2019年2月18日，{PROSE[0]}"
    assert apply(text, boilerplate.phrases(text)) == f"图书馆总结\n2019年2月18日，{PROSE[0]}"


INTROS = [
    "总结要写得实在。下面是小编为大家整理的年终总结，供大家参考。",
    "以下是本站分享的年终总结（最新8篇），希望您能喜欢！",
    "导语：写作既是表达也是整理，欢迎阅读由山谷网整理的11篇总结范文，希望它们能带来启发。",
    "为了方便大家写作，特意收集了几篇年终总结，仅供参考。",
    "这里列举了几篇年终总结供大家参考和学习。",
    "下面我给大家整理了一些总结范文，希望能够帮助到大家。",
    "山谷文稿网为您提供《年终总结》的范文，欢迎阅读！",
    "根据20__年7下面是小编为大家整理的总结，供大家参考。一起来看看吧。",
    "总结是对一段工作的回顾。怎样写好一份总结呢？下面由小编带来街道工作总结，希望大家喜欢。",
    "写总结离不开平时的积累。你想知道总结怎么写吗？这里分享一些街道个人年终总结，方便大家学习。",
    "综治工作千头万绪，写好总结很重要。今天就给您找来一篇个人总结，看看别人是怎样写的吧！",
    "下面是一篇街道综治办个人工作总结，请看。",
    "引导语：街道是基层治理的基础。下文是某某范文站为大伙准备的个人总结，一块儿来瞧瞧吧。",
    "岁末将至，又到了写总结的时候。你所见过的总结应该是什么样的？以下为个人工作总结，仅供参考，大家一起来看看吧。",
    "劳动合同约定双方的权利。为方便大家签订，某某文秘特提供以下文本，可按需要修改。",
]

NO_INTROS = [
    "下面是我馆一年来的开展情况，汇报如下，供大家参考。",
    "大家好，今天我给大家分享一下我的学习心得。",
    "下面我为大家汇报一下一年来的工作，供大家参考。",
    "我们图书馆为大家准备了三千册书，欢迎大家来阅读。",
    "为了给大家提供更好的服务，我们整理了全部档案。",
    "一年来，我整理了三百多份文件，为大家提供参考。",
    "本校园网站为师生提供服务，全年更新文章120篇。",
    "今天，我很高兴能站在这里，和大家分享我的读书心得，希望对大家有所帮助。",
    "这篇文章给了我很大的启发，文中的老人让人敬佩，我想把它推荐给大家。",
    "本文以某小学为例，对留守儿童的阅读情况进行了整理和分析，希望能给同行一些参考。",
    "老师说：“今天我们一起来写一篇作文，大家喜欢写什么就写什么。”",
    "怎样写好粉笔字？这是我当老师以来一直在想的问题。",
    "如何写好人民满意这份答卷？我们社区交出了自己的总结。",
    "为方便大家了解本次活动的安排，现将有关事项整理如下。",
    "亲爱的读者朋友，你们好：这里是校园广播站，今天为大家带来一篇散文，欢迎收听。",
    "社区向广大居民发出以下倡议，希望大家响应。",
]


@pytest.mark.parametrize("intro", INTROS)
def test_introductions_end_where_the_text_begins(intro: str) -> None:
    text = f"{intro}\n{body(1)}"
    assert text[intro_end(text) :].strip() == body(1)


@pytest.mark.parametrize("line", NO_INTROS)
def test_no_introductions(line: str) -> None:
    assert intro_end(f"{line}\n{body(1)}") == 0


def test_addresses_and_numbers_of_people_stay() -> None:
    for own in (
        "有事可以发邮件到lan.shan@post.example.cn，或者加QQ：287654321。",
        "来信请寄城关镇青年路8号，邮箱reader@library.example.com。",
    ):
        assert boilerplate.lines(own) == []
        assert boilerplate.phrases(f"{PROSE[0]}{own}{PROSE[1]}") == []
