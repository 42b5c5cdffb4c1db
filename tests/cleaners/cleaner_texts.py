"""Prose of our own from which the cleaners' tests build their pages."""

from __future__ import annotations

# Six paragraphs of our own; every test that needs prose takes it from here.
PROSE = (
    "去年春天，图书馆把借阅台搬到了一楼大厅，老人们不用再爬楼梯，每天来看报的人比从前多了一倍。",
    "为了让旧书流动起来，我们在走廊里摆了三个木架，谁家有闲书都可以放上去，谁想看就取走登记。",
    "夏天停电的那几天，值班的同志提着手电一层一层地查窗户，没有让一滴雨水落到书架上。",
    "读书会从四个人办到四十个人，靠的不是奖品，而是每次都有人愿意把自己的故事讲完。",
    "账目每月贴在门口，买了多少书、修了几张桌子，来的人都看得见，也就没有人再问钱花到哪里去了。",
    "明年我们打算把地下室腾出来做儿童角，先量尺寸、再看通风，宁可慢一点，也要让孩子待得住。",
)


def body(k: int, paragraphs: int = 4) -> str:
    """A piece of prose that differs for every ``k``."""
    lines = [PROSE[(k + i) % len(PROSE)] for i in range(paragraphs)]
    return "\n".join(f"{line[:-1]}，这是第{k}馆的做法。" if i == 1 else line for i, line in enumerate(lines))


def html(content: str, title: str = "图书馆工作总结") -> bytes:
    """A page with the furniture that article sites have, in UTF-8."""
    links = "".join(f'<li><a href="/a/{i}.html">别处的文章标题之{i}</a></li>' for i in range(8))
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{title}_山谷文稿网</title></head><body>'
        f'<div class="nav"><a href="/">首页</a><a href="/z">总结</a><a href="/j">计划</a></div>'
        f'<h1>{title}</h1><div class="article">{content}</div>'
        f'<div class="xg"><h3>相关文章</h3><ul>{links}</ul></div>'
        f'<div class="foot">Copyright 2020 山谷文稿网 版权所有</div></body></html>'
    ).encode()
