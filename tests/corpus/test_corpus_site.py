"""The site of a release in a real browser, served with ranges, and what it costs to look something up.

Texts are our own. Needs Chromium; every page of every test must ask no other host and report no error.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import fanwen
from fanwen.corpus import exports, release, search_db, site, site_server
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.publishing import Publishing, SiteText
from fanwen.corpus.reader import CorpusPiece

if find_spec("playwright") is None or shutil.which("chromium") is None:
    pytest.skip("needs playwright, and a Chromium on the PATH", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect, sync_playwright

HOSTILE = "<img src=x onerror=alert(1)>社区倡议书"
# has every pair of characters of the phrase, and not the phrase
APART = "楼道里请了一位环境卫士，另一份通知来自边境卫生检查站，两件事没有关系。"
TOGETHER = "环境卫生由各楼层轮流负责，每周五下午检查一次。"
MB = 1_000_000


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ingest(home: Any, source: str, rows: list[dict[str, str]]) -> None:
    file = home.path / f"{source}.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    ingest_pieces(home.corpus, file, source, fetched_at="2026-03-01T08:00:00Z")


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory, home_in: Any, write: Any, html: Any) -> Path:
    """Two releases: summaries of two years, a copy, a piece that goes, and what is hard to find or to show."""
    home = home_in(tmp_path_factory.mktemp("site"))
    pages = {
        f"s{n}": html(f"202{4 + n % 2}年工作总结", f"{write(n, 10)}\n以上是全年的工作总结。")
        for n in range(13)
    }
    pages |= {
        "first": html("学习计划", write(50, 12)),
        "goes": html("植树节倡议书", write(51, 12)),
        "rare": html("读书心得体会", f"{write(52, 10)}\n夜里读完了写魑魅的那一章。"),
    }
    home.serve(pages)
    copied = write(50, 12).replace("，", "，同志们，", 2)
    ingest(home, "yizhan", [
        {"id": "copy", "title": "下年学习计划", "text": copied, "genre": "工作计划", "url": "http://yizhan.example/1"},
        {"id": "together", "title": "卫生制度", "text": f"{write(60, 8)}\n{TOGETHER}"},
        {"id": "apart", "title": "情况说明", "text": f"{write(61, 8)}\n{APART}"},
        {"id": "hostile", "title": HOSTILE, "text": f"{write(62, 8)}\n<b>加粗</b>的𠮷字。", "url": "javascript:alert(1)"},
    ])  # fmt: skip
    home.build()
    publishing = Publishing(publisher="范文整理小组", objections="quxia@fanwen.example")
    assert release.create(home.corpus, home.releases, publishing=publishing)
    home.serve({"goes": None, "s0": html("2024年工作总结", write(70, 10))}, day=2)
    home.build()
    assert release.create(home.corpus, home.releases, publishing=publishing)
    return Path(home.releases)


@pytest.fixture(scope="module")
def base(releases: Path) -> Iterator[str]:
    with running(site_server.server(releases)) as address:
        yield address


@pytest.fixture(scope="module")
def newest(releases: Path) -> str:
    return str(json.loads((releases / "index.json").read_text())["latest"])


@pytest.fixture(scope="module")
def pieces(releases: Path, newest: str) -> list[CorpusPiece]:
    with fanwen.open(releases / newest) as corpus:
        return list(corpus.pieces(default=False))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open an address in a browser of its own; at the end nothing was asked of others, and nothing failed."""
    opened, trouble, asked = [], [], []

    def go(address: str, **options: Any) -> Page:
        context = chromium.new_context(**{"locale": "zh-CN", **options})
        context.set_default_timeout(15_000)
        opened.append(context)
        page = context.new_page()
        page.on(
            "console", lambda said: trouble.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: trouble.append(str(error)))
        context.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        return page

    yield go
    for context in opened:
        context.close()
    assert trouble == []
    assert [url for url in asked if not re.match(r"http://127\.0\.0\.1:|blob:|data:|file:", url)] == []


def look_for(page: Page, words: str) -> None:
    page.get_by_label("查找的字词").fill(words)
    page.get_by_role("button", name="查找").click()
    done(page)


def done(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text(re.compile("共|至多|没有找到"))


def found(page: Page) -> set[str]:
    """The ids of all that is found, after every further page of results."""
    while page.locator("#more").is_visible():
        before = page.locator("#results li").count()
        page.locator("#more").click()
        expect(page.locator("#results li").nth(before)).to_be_visible()
        expect(page.get_by_role("status")).to_have_text(re.compile("已列出"))
    links = page.locator("#results h3 a").all()
    return {str(link.get_attribute("href")).removeprefix("#piece=").replace("%3A", ":") for link in links}


def scan(pieces: list[CorpusPiece], *words: str, everything: bool = False, **facts: str) -> set[str]:
    """The same by reading everything."""
    return {
        one.piece_id
        for one in pieces
        if (everything or one.excluded_why is None)
        and all(word in (one.text or "") or word in (one.title or "") for word in words)
        and all(getattr(one, name) == value for name, value in facts.items())
    }


def test_what_is_found_is_what_a_scan_finds(
    visit: Any, base: str, newest: str, pieces: list[CorpusPiece]
) -> None:
    page = visit(f"{base}{newest}/site/")
    for words, how_many in {
        "总结": 13, "环境卫生": 1, "魑魅": 1, "魑": 1, "𠮷": 1, "的工作总结。": 12, "总结 2025年": 6,
        "绝无此语": 0, '"总结" OR (*': 0, "的": 18,
    }.items():  # fmt: skip
        look_for(page, words)
        expected = scan(pieces, *words.split())
        assert (words, len(expected), found(page)) == (words, how_many, expected)
        assert set(page.locator("#results mark").all_text_contents()) <= set(words.split())
        assert page.locator("#results mark").count() >= len(expected)
        if not expected:
            expect(page.get_by_role("status")).to_have_text("没有找到。")


def test_filters_narrow_and_the_address_says_so(
    visit: Any, base: str, newest: str, pieces: list[CorpusPiece]
) -> None:
    page = visit(f"{base}{newest}/site/")
    look_for(page, "总结")
    page.get_by_label("年份").select_option(label="2025 (6)")
    done(page)
    assert found(page) == scan(pieces, "总结", year="2025") != scan(pieces, "总结")
    assert "year=2025" in page.url
    page.get_by_label("网站").select_option(label="yizhan (4)")
    done(page)
    assert found(page) == scan(pieces, "总结", year="2025", site="yizhan") == set()
    page.go_back()
    done(page)
    assert found(page) == scan(pieces, "总结", year="2025")
    again = visit(page.url)
    done(again)
    expect(again.get_by_label("查找的字词")).to_have_value("总结")
    assert found(again) == scan(pieces, "总结", year="2025")
    # filters alone, and what is outside of the default set
    alone = visit(f"{base}{newest}/site/?genre=工作总结")
    done(alone)
    assert found(alone) == scan(pieces, genre="工作总结")
    page = visit(f"{base}{newest}/site/?q=的&all=1")
    done(page)
    assert found(page) == scan(pieces, "的", everything=True) != scan(pieces, "的")


def test_a_piece_shows_origin_copies_and_history(
    visit: Any, base: str, newest: str, pieces: list[CorpusPiece]
) -> None:
    (first,) = (one for one in pieces if one.url.endswith("/first"))
    page = visit(f"{base}{newest}/site/?q=学习计划&all=1")
    done(page)
    page.locator(f'#results a[href="#piece={first.piece_id}"]').click()
    view = page.locator("#piece")
    expect(view.get_by_role("heading", level=2)).to_be_focused()
    assert view.locator("article p").all_text_contents() == (first.text or "").split("\n")
    expect(view.get_by_role("link", name=first.url)).to_have_attribute("rel", re.compile("noreferrer"))
    expect(view.locator("tbody tr")).to_have_count(1)
    expect(view.locator("tbody tr")).to_contain_text("新篇")
    view.get_by_role("link", name="并排比较").click()
    sides = page.locator(".compared")
    expect(sides).to_have_count(2)
    copy = next(one for one in pieces if one.title == "下年学习计划")
    assert [(side.text_content() or "") for side in sides.all()] == [first.text, copy.text]
    assert sides.nth(0).locator("del").all_text_contents() == []
    assert sides.nth(1).locator("ins").all_text_contents() == ["同志们，", "同志们，"]
    expect(page).to_have_title(f"并排比较 – fanwen {newest}：中文范文语料")
    page.go_back()
    page.go_back()
    expect(page).to_have_title(f"fanwen {newest}：中文范文语料")
    expect(page.locator(f'#results a[href="#piece={first.piece_id}"]')).to_be_visible()


def test_a_piece_that_is_gone_says_since_when_and_why(
    visit: Any, base: str, releases: Path, newest: str
) -> None:
    with closing(sqlite3.connect(releases / newest / search_db.SEARCH_DB)) as db:
        (gone,) = db.execute("select piece from history where change = 'DEL'").fetchone()
    page = visit(f"{base}{newest}/site/#piece={gone}")
    expect(page.locator("#piece .note")).to_have_text("此篇不在本版之中；下面是它何时、为何离开。")
    rows = page.locator("#piece tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("移除网页已消失")
    expect(visit(f"{base}{newest}/site/#piece=0").locator("#piece .note")).to_have_text(
        "没有这个编号的篇目。"
    )


def test_what_was_collected_is_text_and_never_markup(visit: Any, base: str, newest: str) -> None:
    page = visit(f"{base}{newest}/site/?q=𠮷字")
    done(page)
    page.get_by_role("link", name=HOSTILE).click()
    expect(page.locator("#piece h2")).to_have_text(HOSTILE)
    expect(page.locator("article")).to_contain_text("<b>加粗</b>的𠮷字。")
    assert page.locator("#piece img, #piece b, #piece a[href^='javascript']").count() == 0


def test_language_and_theme_are_switched_and_remembered(visit: Any, base: str, newest: str) -> None:
    page = visit(f"{base}{newest}/site/?q=总结", locale="en-GB")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Chinese sample essays (范文) {newest}")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("status")).to_have_text("13 pieces, 10 of them shown.")
    expect(page.locator("#results h3 a").first).to_have_attribute("lang", "zh-Hans")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("status")).to_have_text("共 13 篇，已列出 10 篇。")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"中文范文语料 {newest}")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(252, 251, 248)"
    page.get_by_label("颜色").select_option("dark")
    assert page.evaluate(ground) == "rgb(21, 24, 27)"
    page.goto(base)
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    assert page.evaluate(ground) == "rgb(21, 24, 27)"
    dark = visit(f"{base}{newest}/site/", color_scheme="dark")
    assert dark.evaluate(ground) == "rgb(21, 24, 27)"
    dark.get_by_label("颜色").select_option("light")
    assert dark.evaluate(ground) == "rgb(252, 251, 248)"


def test_everything_works_by_keyboard(visit: Any, base: str, newest: str) -> None:
    page = visit(f"{base}{newest}/site/", viewport={"width": 390, "height": 844})
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到正文")).to_be_focused()
    page.keyboard.press("Enter")
    field = page.get_by_role("searchbox", name="查找的字词")
    expect(field).to_be_enabled()
    page.keyboard.press("Tab")
    expect(field).to_be_focused()
    page.keyboard.type("魑魅")
    page.keyboard.press("Enter")
    done(page)
    result = page.get_by_role("link", name="读书心得体会")
    for _ in range(6):  # button, three filters, the box, the result
        page.keyboard.press("Tab")
    expect(result).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="读书心得体会")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(result).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_file_opened_directly_says_what_is_missing(visit: Any, releases: Path, newest: str) -> None:
    page = visit((releases / newest / "site/index.html").as_uri())
    expect(page.locator("#needs-server")).to_contain_text("fanwen serve --site DIR")
    expect(page.locator("#q")).to_be_disabled()
    page.get_by_role("button", name="English").click()
    expect(page.locator("#needs-server")).to_contain_text("range requests")


def test_a_server_without_ranges_is_told_in_words(chromium: Browser, releases: Path, newest: str) -> None:
    class Plain(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(releases))

        def log_message(self, *arguments: Any) -> None:
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Plain)) as base:
        page = chromium.new_page(locale="zh-CN")
        page.goto(f"{base}{newest}/site/?q=总结")
        expect(page.get_by_role("alert")).to_contain_text("不支持区间请求")
        page.close()


def test_the_page_over_all_releases_marks_those_that_are_withdrawn(
    visit: Any, releases: Path, tmp_path: Path, newest: str
) -> None:
    shutil.copytree(releases.parent, tmp_path / "home")
    home = tmp_path / "home"
    old, again = newest, release.reissue(home / "corpus.db", home / releases.name, newest).version
    with running(site_server.server(home / releases.name)) as base:
        page = visit(base)
        expect(page.locator("ol.releases > li")).to_have_count(3)
        withdrawn = page.locator(f"li[id='{old}']")
        expect(withdrawn).to_contain_text("已撤回")
        assert withdrawn.get_by_role("link").count() == 0
        expect(page.locator(f"li[id='{again}']")).to_contain_text(f"重新发布 {old}")
        page.get_by_role("link", name=f"最新版本 {again}").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"中文范文语料 {again}")


@pytest.mark.parametrize("text", ["none", "snippets"])
def test_the_site_shows_no_more_text_than_it_may(
    visit: Any, releases: Path, newest: str, pieces: list[CorpusPiece], tmp_path: Path, text: SiteText
) -> None:
    exports.unpack_database(releases / newest, tmp_path / "plain.db")
    with closing(sqlite3.connect(tmp_path / "plain.db")) as db:
        (seq,) = db.execute("select max(seq) from release").fetchone()
        search_db.write(db, tmp_path / search_db.SEARCH_DB, text=text)
        site.write(db, seq, tmp_path, Publishing(site_text=text))
    with running(site_server.server(tmp_path)) as base:
        page = visit(f"{base}site/?q=学习计划&all=1")
        done(page)
        (first,) = (one for one in pieces if one.url.endswith("/first"))
        page.locator(f'#results a[href="#piece={first.piece_id}"]').click()
        expect(page.locator("#piece .note")).to_contain_text("本站不显示此篇全文")
        page.get_by_role("link", name="并排比较").click()
        expect(page.locator("#piece .note")).to_contain_text("本站不显示此篇全文")
        by_text = visit(f"{base}site/?q=环境卫生")
        done(by_text)
        expect(by_text.locator("#results li")).to_have_count(0 if text == "none" else 1)
        shown = "".join(p.locator("main").inner_text() for p in (page, by_text))
    held = (tmp_path / search_db.SEARCH_DB).read_bytes().decode("utf-8", "replace")
    lines = [line for one in pieces for line in (one.text or "").split("\n")]
    assert not [line for line in lines if len(line) > 120 and line in shown]
    assert bool([line for line in lines if line in held]) == (text == "snippets")


def test_how_to_load_is_copied_and_runs(
    visit: Any, base: str, releases: Path, newest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit(f"{base}{newest}/site/", permissions=["clipboard-read", "clipboard-write"])
    monkeypatch.chdir(releases)
    copied = {}
    for name in ("pandas", "Polars", "DuckDB"):
        way = page.locator(".way", has=page.get_by_role("heading", name=name))
        way.get_by_role("button", name="复制").click()
        expect(way.get_by_role("button")).to_have_text("已复制")
        copied[name] = page.evaluate("navigator.clipboard.readText()")
        exec(copied[name], {})
    assert len(set(copied.values())) == 3
    expect(page.locator("pre", has_text="fanwen pull")).to_have_text(f"fanwen pull {base} {newest} --to .")


def test_the_first_results_cost_little(
    visit: Any, home_in: Any, tmp_path: Path, write: Any, soak: bool
) -> None:
    """Everything from an empty cache to the first ten results counts; at full size on at least 70 MB."""
    home = home_in(tmp_path / "home")
    home.path.mkdir()
    often = {2: "年终总结", 7: "环境卫生", 40: "酱醋"}
    ingest(home, "duo", [
        {"id": str(n), "text": write(n, 24) + "".join(f"\n还有{word}。" for m, word in often.items() if n % m == 0)}
        for n in range(16_000 if soak else 450)
    ])  # fmt: skip
    made = release.create(home.corpus, home.releases)
    assert made is not None
    size = (home.releases / made.version / search_db.SEARCH_DB).stat().st_size
    assert size >= (70 if soak else 2) * MB
    with running(site_server.server(home.releases)) as base:
        for word in ("总结", "酱醋", "环境卫生"):
            sizes: list[int] = []
            page = visit("about:blank")
            page.on("requestfinished", lambda request, sizes=sizes: sizes.append(_bytes(request)))
            page.goto(f"{base}{made.version}/site/?q={word}")
            expect(page.locator("#results li")).to_have_count(10)
            print(f"{size / MB:.1f} MB, {word}: {len(sizes)} requests, {sum(sizes):,} bytes")
            assert len(sizes) <= 30
            assert sum(sizes) <= 1.5 * MB
            assert sum(sizes) > 500_000  # SQLite itself was counted


def _bytes(request: Any) -> int:
    if request.url.startswith("blob:"):
        return 0
    sizes = request.sizes()
    # of the script of a worker the browser only says how long it is
    body = sizes["responseBodySize"] or int(request.response().headers["content-length"])
    return int(body + sizes["responseHeadersSize"])
