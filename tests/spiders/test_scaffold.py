"""Site files proposed from pages: three layouts of our own, and pages that cannot be used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fanwen.errors import UsageError
from fanwen.spiders.sample import bare_host, read_saved, saved_url, sitemaps_of
from fanwen.spiders.samples import site_folder
from fanwen.spiders.scaffold import Given, Scaffold, scaffold
from fanwen.spiders.site_check import judge
from fanwen.spiders.url_shapes import later_page_of, patterns_of

TEXTS = [
    (re.search(r"^title: (.+)$", text, re.M)[1], text.split("---\n", 2)[2].strip().split("\n\n"))  # type: ignore[index]
    for name in ("cangku", "tushuguan", "jihua-wuye", "shixi-wuliu", "xinde-jijiu")
    if (text := (site_folder().parent / "texts" / f"{name}.md").read_text(encoding="utf-8"))
]
NAV = "".join(f'<li><a href="/{word}/">{word}</a></li>' for word in ("zongjie", "jihua", "login", "about"))


def paragraphs(number: int, mark: str = "p") -> str:
    return "\n".join(f"<{mark}>　　{line}</{mark}>" for line in TEXTS[number][1])


def table_page(number: int) -> Given:
    """An old one: tables, no h1 for the title, folders by date, the article over two pages, related links inside."""
    url = f"http://old.example/html/2024/051{number}/88{number}1.htm"
    title = TEXTS[number][0]
    related = "".join(
        f'<tr><td><a href="/html/2023/0101/{n}.htm">相关的另一篇文章{n}</a></td></tr>' for n in range(5)
    )
    pager = f'<div class="pagebox"><a href="88{number}1_2.htm">下一页</a></div>' if number < 2 else ""
    return Given(url, f"""<html><head><title>{title}_旧式范文</title></head><body><h1>旧式范文</h1>
<table width="960"><tr><td class="menu"><ul>{NAV}</ul></td><td><table id="art_{number}4821"><tr><td class="biaoti">{title}</td></tr>
<tr><td>2024-05-1{number} 点击：3{number}次</td></tr><tr><td id="zoom">{paragraphs(number)}
<table class="xgwz">{related}</table>{pager}</td></tr></table></td></tr></table>
<div>旧式范文 版权所有 <a href="/html/list_3_1.htm">列表</a></div></body></html>""")  # fmt: skip


def table_list() -> Given:
    links = "".join(f'<li><a href="/html/2024/06{n}/99{n}.htm">范文{n}</a></li>' for n in range(10, 20))
    return Given(
        "http://old.example/html/list_3_1.htm",
        f"<title>列表_旧式范文</title><ul>{links}</ul><a href='list_3_2.htm'>2</a><a href='list_3_9.htm'>末页</a>",
    )


def modern_page(number: int) -> Given:
    """A new one: article elements, generated classes, hexadecimal names, tags and sharing inside the text."""
    title = TEXTS[number][0]
    name = f"{0xABC0FFEE1234 + number * 7919:x}"
    others = "".join(
        f'<a class="card" href="/p/{0xFEDCBA987654 + n:x}.html">推荐阅读第{n}篇</a>' for n in range(4)
    )
    return Given(f"https://www.new.example/p/{name}.html", f"""<!DOCTYPE html><html><head>
<title>{title} - 新文库</title><link rel="canonical" href="https://www.new.example/p/{name}.html">
<link rel="sitemap" href="/sitemap.xml"><link rel="alternate" href="https://m.new.example/p/{name}.html"></head><body>
<header class="top"><a href="/">新文库</a><nav>{NAV}</nav></header>
<main class="css-{number}x9z"><h1 class="entry-title">{title}</h1>
<div class="post-body sc-{number}f3a2b1"><div class="crumb"><a href="/">首页</a> &gt; <a href="/c/12.html">总结</a></div>
{paragraphs(number)}<div class="tag-list">标签：<a href="/tag/1">总结</a><a href="/tag/2">计划</a></div></div>
<section class="recommend">{others}</section></main><footer>新文库</footer></body></html>""")  # fmt: skip


def query_page(number: int) -> Given:
    """A third one: everything by query, the title in an h2 as a file's name, much talk below the text, a PDF."""
    title = TEXTS[number][0]
    talk = "".join(f'<div class="talk_row">第{n}楼说：这一篇我看过以后觉得很有用处。</div>' for n in range(3))
    more = "".join(f'<a href="show.asp?id={n}&amp;cid=4">另外一篇{n}</a>' for n in range(40, 45))
    return Given(f"http://q.example/show.asp?cid=4&id=9{number}7", f"""<html><head><title>{title}-问文网</title></head><body>
<div class="hd"><a href="/list.asp?cid=4">工作</a><a href="/login.asp">登录</a></div>
<div class="bd"><h2>{title}.doc</h2><div id="neirong"><br>{"<br><br>".join(TEXTS[number][1])}</div>
<a href="/up/{number}.pdf">附件</a><div class="talks">{talk}</div></div>{more}</body></html>""")  # fmt: skip


def value(made: Scaffold, key: str) -> object:
    return next(one.value for one in made.proposals if one.key == key)


def sure(made: Scaffold, key: str) -> str:
    return next(one.sure for one in made.proposals if one.key == key)


def test_an_old_page_of_tables() -> None:
    made = scaffold([table_list(), *map(table_page, range(4))])
    site = made.site
    assert (site.name, site.title, site.status) == ("old.example", "旧式范文", "candidate")
    assert site.follow.details == (r"^/html/\d+/\d+/\d+\.htm$",)
    assert r"^/html/list_\d+_\d+\.htm$" in site.follow.lists
    assert site.extract.title == (".biaoti",)
    assert site.extract.content == ("#zoom",)
    assert set(site.extract.remove) == {".xgwz", ".pagebox"} or site.extract.remove == (".xgwz",)
    assert site.parts.next_link == "a:contains('下一页')"
    assert {sure(made, key) for key in ("follow.details", "extract.title", "extract.content")} == {"yes"}
    assert judge(site, "http://old.example/html/list_3_2.htm").kind == "list"
    assert judge(site, "http://old.example/html/2024/0510/8801_2.htm").kind is None  # a part, not an article


def test_a_new_page_with_generated_names() -> None:
    made = scaffold([modern_page(n) for n in range(3)])
    site = made.site
    assert (site.name, site.host, site.hosts) == ("new.example", "www.new.example", ("m.new.example",))
    assert site.follow.details == (r"^/p/[0-9a-f]+\.html$",)
    assert site.sitemaps == ("https://www.new.example/sitemap.xml",)
    assert site.extract.title == ("h1",)
    assert site.extract.content == (".post-body",)
    assert set(site.extract.remove) == {".crumb", ".tag-list"}
    assert site.parts.next_link is None
    assert not re.search("css-|sc-", made.text)


def test_a_page_by_query() -> None:
    made = scaffold([query_page(n) for n in range(3)])
    site = made.site
    assert site.follow.details == (r"^/show\.asp\?cid=\d+&id=\d+$",)
    assert site.follow.attachments == (r"(?i)\.(pdf)$",)
    assert site.extract.title == ("h2",)
    assert site.extract.content == ("#neirong",)
    assert judge(site, "http://q.example/show.asp?id=5&cid=17").kind == "detail"
    assert judge(site, "http://q.example/login.asp").kind is None


def test_what_one_page_says_is_said_to_be_less_sure() -> None:
    one, three = scaffold([modern_page(0)]), scaffold([modern_page(n) for n in range(3)])
    assert (sure(one, "extract.content"), sure(three, "extract.content")) == ("likely", "yes")
    assert "1 of 1" in next(p.why for p in one.proposals if p.key == "extract.content")
    assert sure(scaffold([query_page(0)]), "follow.details") != "yes"


def test_a_second_template_gets_a_selector_of_its_own() -> None:
    pages = [modern_page(n) for n in range(3)]
    other = [
        Given(
            page.url.replace("/p/", "/p/a"),
            page.text.replace("post-body", "wenzhang_nr").replace("main", "div"),
        )
        for page in (modern_page(3), modern_page(4))
    ]
    made = scaffold([*pages, *other])
    assert made.site.extract.content == (
        ".post-body",
        ".wenzhang_nr",
    )
    assert sure(made, "extract.content") == "likely"


def test_names_that_change_from_page_to_page_are_not_proposed() -> None:
    pages = [
        Given(page.url, page.text.replace("post-body", f"k{n}b"))
        for n, page in enumerate(modern_page(n) for n in range(4))
    ]
    made = scaffold(pages)
    assert not re.search(r"k\db", made.text)


def test_links_that_would_be_followed_and_are_no_articles_are_ignored() -> None:
    pages = [
        Given(f"http://w.example/{word}/{n}.html", modern_page(n).text.replace("/p/", "/vip/").replace(
            "</footer>", "".join(f'<a href="/{w}/7.html">x</a>' for w in ("zongjie", "jihua", "fanwen", "user", "vip"))))
        for n, word in enumerate(("zongjie", "jihua", "xinde", "shenqing"))
    ]  # fmt: skip
    site = scaffold(pages).site
    assert site.follow.details == (r"^/[a-z]+/\d+\.html$",)
    assert judge(site, "http://w.example/user/7.html").kind is None
    assert judge(site, "http://w.example/yanjiang/7.html").kind == "detail"


def blog_page(number: int, path: str | None = None) -> Given:
    """A slug with a slash behind it, a built class name, talk that is longer than the article, a title in brackets."""
    title = TEXTS[number][0]
    talk = "".join(
        f"<p>第{n}楼说：这一篇我看过以后觉得很有用处，我们单位正好要交一份，谢谢。</p>" for n in range(60)
    )
    return Given(f"https://blog.example{path or f'/2024/0{number + 1}/pian-{number}/'}", f"""<html><head>
<title>小楼 - 【{title}】</title></head><body><nav class="logo">小楼笔记本</nav><a href="/category/jihua/">计划</a>
<div class="Page_head__3xK9f"><div class="Page_name__9aZ1q">{title}</div><i>5月1日</i></div>
<div class="Page_body__2bQx7">{paragraphs(number)}</div><div id="comments-list">{talk}</div></body></html>""")  # fmt: skip


def blog_list() -> Given:
    """A list whose entries say so much of each article that its running text is longer than an article's."""
    entries = "".join(
        f'<article><h2><a href="/2024/0{n + 1}/pian-{n}/">{title}</a></h2><p>{text[0][:90]}</p></article>'
        for n, (title, text) in enumerate(TEXTS)
    )
    return Given(
        "https://blog.example/category/zongjie/",
        f"<title>总结</title>{entries}<a href='/category/zongjie/page/2/'>2</a>",
    )


def test_a_list_with_summaries_is_a_list_and_talk_is_no_article() -> None:
    made = scaffold([blog_list(), *map(blog_page, range(3))])
    site = made.site
    assert site.title == "小楼"
    assert site.follow.details == (r"^/\d+/\d+/pian-\d+/$",)
    assert site.extract.title == ("[class*='Page_name__']",)
    assert site.extract.content == ("[class*='Page_body__']",)
    for path in ("/category/zongjie/", "/category/yanjiang/", "/category/jihua/page/7/"):
        assert judge(site, f"https://blog.example{path}").kind == "list", path
    assert {sure(made, key) for key in ("follow.details", "extract.title", "extract.content")} == {"yes"}


def test_a_title_without_a_name_is_at_most_likely() -> None:
    pages = [
        Given(
            f"http://t.example/a/{n}.htm",
            f"<title>{TEXTS[n][0]}-老站</title><td><b>{TEXTS[n][0]}</b></td>{paragraphs(n)}",
        )
        for n in range(3)
    ]
    made = scaffold(pages)
    assert (made.site.extract.title, sure(made, "extract.title")) == (("b",), "likely")
    assert (made.site.extract.content, sure(made, "extract.content")) == ((), "no")


def test_a_pattern_is_as_sure_as_what_it_says_of_other_pages() -> None:
    odd = blog_page(3, "/essay/77.html")
    made = scaffold([*map(blog_page, range(3)), odd])
    assert sure(made, "follow.details") == "likely"
    assert "3 of 4" in next(p.why for p in made.proposals if p.key == "follow.details")


def test_names_that_are_no_ascii_are_told_from_lists_by_the_list_that_was_given() -> None:
    pages = [blog_page(n, f"/wen/%E4%BB%{n}0") for n in range(3)]
    pages[0] = Given(
        pages[0].url, pages[0].text + "<a href='/fenlei/%E4%BB%93'>总结</a><a href='/wen/%E4%BB%99'>x</a>"
    )
    front = Given("https://blog.example/fenlei/%E6%80%BB", "<a href='/wen/%E4%BB%90'>一</a>")
    site = scaffold([*pages, front]).site
    assert judge(site, "https://blog.example/wen/%E5%88%92").kind == "detail"
    assert judge(site, "https://blog.example/fenlei/%E5%88%92").kind == "list"


def test_columns_beside_the_one_that_was_given() -> None:
    def page(number: int) -> Given:
        menu = '<a href="/fanwen/">范文</a><a href="/jianghua/">讲话</a><a href="/sort-2.html">分类</a><a href="/app/">下载</a>'
        loaded = f'<div class="pg" data-url="/frag?d={number}&p=2"></div>'
        return Given(f"http://c.example/fanwen/2019/0{number}/4{number}.shtml", f"""<title>{TEXTS[number][0]}</title>{menu}
<div id="view"><div id="pf1">{paragraphs(number)}</div>{loaded}</div>""")  # fmt: skip

    listed = Given(
        "http://c.example/fanwen/", "<a href='index_2.shtml'>2</a><a href='/fanwen/2018/01/7.shtml'>题</a>"
    )
    site = scaffold([*map(page, range(3)), listed]).site
    kinds = {
        path: judge(site, f"http://c.example{path}").kind
        for path in (
            "/jianghua/2020/01/3.shtml",
            "/jianghua/index_9.shtml",
            "/jianghua/",
            "/sort-5.html",
            "/app/",
        )
    }
    assert list(kinds.values()) == ["detail", "list", "list", "list", None], kinds
    assert site.parts.fragment == ".pg[data-url]"
    assert site.extract.content == ("#view",)  # a name without a number before one with


def test_the_order_of_the_pages_changes_nothing() -> None:
    pages = [table_list(), *map(table_page, range(4))]
    assert scaffold(pages).text == scaffold(pages[::-1]).text


def test_strings_of_a_hostile_page_stay_strings() -> None:
    page = modern_page(0)
    hostile = page.text.replace(" - 新文库", " - 新\"]\nstatus = 'x'").replace("post-body", "a'b\\ good]")
    made = scaffold([Given(page.url, hostile)])
    assert made.site.status == "candidate"
    assert made.site.extract.content == ("main",)  # the class cannot be named


@pytest.mark.parametrize(
    "text", ["", "   ", "<html></html>", "\x00\x01", "<p>短</p>", "{}", "<" * 3000, "<div>" * 5000]
)
def test_pages_without_a_text_are_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="running Chinese text") as error:
        scaffold([Given("http://x.example/a/1.html", text)])
    assert "\n" not in str(error.value)


def test_pages_of_two_sites_and_pages_of_too_many_tags_are_refused() -> None:
    with pytest.raises(UsageError, match=r"new\.example.*old\.example"):
        scaffold([modern_page(0), table_page(1)])
    with pytest.raises(UsageError, match="tags"):
        scaffold([Given("http://x.example/a/1.html", "<br>" * 60_001)])


@pytest.mark.parametrize(
    ("paths", "others", "pattern"),
    [
        (["/zc/zongjie/6145mg.html"], ["/zc/jihua/712ab.html"], r"^/zc/(jihua|zongjie)/\d+[a-z]+\.html$"),
        (["/gongzuo/1001.html", "/yanjiang/2001.html"], [], r"^/(gongzuo|yanjiang)/\d+\.html$"),
        (["/a/1.html"], ["/b/2.html", "/c/3.html", "/d/4.html"], r"^/[a-z]+/\d+\.html$"),
        (["/view/1f345fa678.html", "/view/12345.html"], [], r"^/view/[0-9a-z]+\.html$"),
        (["/view/1f345fa678.html", "/view/0123456789ab.html"], [], r"^/view/[0-9a-f]+\.html$"),
        (["/p-12.html"], ["/c-1-2.html"], r"^/p-\d+\.html$"),
        (["/klv123.html", "/klv9.html"], [], r"^/klv\d+\.html$"),
        (["/post/cai-wu-bu", "/post/nian-zhong"], [], "^/post/[0-9a-z-]+$"),
        (["/forum.php?mod=viewthread&tid=12"], [], r"^/forum\.php\?mod=viewthread&tid=\d+$"),
        (["/detail?docId=bUr12WvdP9I"], [], r"^/detail\?docId=[0-9A-Za-z]+$"),
        (["/a/b/1.htm", "/a/c/2.htm", "/d/e/f/3.htm"], [], r"^/([a-z]+/){2,3}\d+\.htm$"),
        (["/info/1066/2023.htm"], ["/user/1/2.htm"], r"^/info/\d+/\d+\.htm$"),
    ],
)
def test_patterns_from_urls(paths: list[str], others: list[str], pattern: str) -> None:
    (made,) = patterns_of(paths, others, {"user"})
    assert made == pattern
    assert all(re.search(made, path) for path in paths)


def test_urls_of_different_kinds_get_patterns_of_their_own() -> None:
    assert patterns_of(["/a/1.html", "/a/2.html", "/show.asp?id=3"]) == [
        r"^/a/\d+\.html$",
        r"^/show\.asp\?id=\d+$",
    ]


@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        ("/a/12.html", "/a/12_2.html", True), ("/a/12_2.html", "/a/12_3.html", True),
        ("/a/12.html", "/a/12-10.html", True), ("/s.asp?id=1", "/s.asp?id=1&page=2", True),
        ("/a/12.html", "/a/13.html", False), ("/a/12.html", "/a/12.html", False),
        ("/a/12.html", "/b/12_2.html", False), ("/s.asp?id=1", "/s.asp?id=2", False),
    ],
)  # fmt: skip
def test_later_pages_of_an_article(first: str, later: str, expected: bool) -> None:
    assert later_page_of(later, first) is expected


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ("<!-- saved from url=(0030)https://a.example/1.html -->\n<html>", "https://a.example/1.html"),
        (
            "<html><!--\n Page saved with SingleFile \n url: https://a.example/2.html \n-->",
            "https://a.example/2.html",
        ),
        ('<link rel="canonical" href="https://a.example/3.html">', "https://a.example/3.html"),
        ('<meta property="og:url" content="http://a.example/4">', "http://a.example/4"),
        ('<base href="http://a.example/5/">', "http://a.example/5/"),
        ('<link rel="canonical" href="/only/a/path.html">', None),
        ("", None),
    ],
)
def test_where_a_saved_page_is_from(body: str, url: str | None) -> None:
    assert saved_url(body.encode()) == url


def test_saved_pages_of_a_folder_without_those_of_frames(tmp_path: Path) -> None:
    for name in ("b.html", "a.htm", "a_files/frame.html", "deep/c.shtml", "note.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"<base href='http://a.example/{name}'>")
    names = [Path(one.name).name for one in read_saved([tmp_path])]
    assert sorted(names) == ["a.htm", "b.html", "c.shtml"]
    given = read_saved([tmp_path / "b.html"], ["http://b.example/x?utm_source=1"])
    assert given[0].url == "http://b.example/x"


@pytest.mark.parametrize(
    ("make", "urls", "words"),
    [
        (lambda p: p / "none.html", [], "cannot be read"),
        (lambda p: p, [], "no saved page"),
        (lambda p: (p / "a.html", (p / "a.html").write_text("<p>x"))[0], [], "--url"),
        (lambda p: (p / "a.html", (p / "a.html").write_text("<p>x"))[0], ["ftp://x/"], "http"),
        (
            lambda p: (p / "a.html", (p / "a.html").write_text("<p>x"))[0],
            ["http://a/", "http://b/"],
            "1 pages",
        ),
        (lambda p: (p / "a.html", (p / "a.html").write_bytes(b"x" * (8 * 1024 * 1024 + 1)))[0], [], "8 MiB"),
    ],
)
def test_saved_pages_that_cannot_be_used(
    tmp_path: Path, make: Callable[[Path], Path], urls: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        read_saved([make(tmp_path)], urls)


def test_hosts_without_what_says_for_which_screen_they_are() -> None:
    hosts = ["www.a.example", "m.a.example", "a.example", "m.cn", "wap.x.com.cn"]
    assert [bare_host(host) for host in hosts] == ["a.example", "a.example", "a.example", "m.cn", "x.com.cn"]


def test_sitemaps_of_robots() -> None:
    robots = ["User-agent: *\nSitemap: https://a.example/map.xml\nsitemap:/b.xml\n", "Disallow: /x"]
    assert sitemaps_of(robots, "http://a.example/") == ["https://a.example/map.xml", "http://a.example/b.xml"]


def test_the_words_of_the_scaffold_hold_no_doubles() -> None:
    import tomllib

    data = tomllib.loads((site_folder().parents[1] / "rules" / "scaffold.toml").read_text(encoding="utf-8"))
    for words in data.values():
        assert len(words) == len(set(words)), json.dumps(words, ensure_ascii=False)
