"""The pages of the sample sites: links, bytes, files, site files, and what state two changes."""

from __future__ import annotations

import io
import re
from functools import cache
from itertools import combinations
from urllib.parse import urljoin, urlsplit

import docx
import opencc
import pypdfium2
import pytest
from lxml import html

from fanwen.spiders.samples import site_folder
from fanwen.spiders.samples.render import (
    HOSTS,
    STATES,
    PageSpec,
    State,
    page_specs,
    read_text,
    render,
    text_names,
)
from fanwen.spiders.site import Site, read_sites

GBK_PAGES = {f"http://wendang.example{path}" for path in ("/", "/doc/501.html", "/doc/502.html")}
GBK_PAGES |= {f"http://wendang.example/doc/{number}.html" for number in (504, 505)}
GBK_PAGES |= {"http://gongwen.example/files/linli.txt"}
BIG5_PAGES = {"http://fanben.example/a/303.html"}
FILES = {"http://gongwen.example/files/fangxun.pdf", "http://gongwen.example/files/zhishu.docx"}


def encoding_of(url: str) -> str:
    return "gbk" if url in GBK_PAGES else "big5" if url in BIG5_PAGES else "utf-8"


@cache
def bodies(state: State) -> dict[str, bytes]:
    return {f"http://{host}{path}": resource.body for (host, path), resource in render(state).items()}


@cache
def pages(state: State) -> dict[str, str]:
    """Every page as text, the files apart."""
    return {url: body.decode(encoding_of(url)) for url, body in bodies(state).items() if url not in FILES}


def links(url: str, page: str) -> list[str]:
    if not page.lstrip().startswith("<"):
        return []
    return [urljoin(url, href) for href in html.fromstring(page.encode(), parser=UTF8).xpath("//a/@href")]


UTF8 = html.HTMLParser(encoding="utf-8")
SITES: dict[str, Site] = read_sites([site_folder()])


def squeeze(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_there_are_about_forty_pages_and_the_same_bytes_each_time() -> None:
    assert 40 <= len(render("one")) <= 50
    for state in STATES:
        assert render(state) == render(state)


@pytest.mark.parametrize("state", STATES)
def test_every_link_leads_to_a_page_of_the_same_state(state: State) -> None:
    answers = {f"http://{host}{path}": resource.status for (host, path), resource in render(state).items()}
    dead = {(url, target) for url, page in pages(state).items() for target in links(url, page)}
    dead = {(url, target) for url, target in dead if answers.get(target.partition("#")[0]) != 200}
    gone = ("http://zongjie.example/gongzuo/list_2.html", "http://zongjie.example/gongzuo/1005.html")
    assert dead == ({gone} if state == "two" else set())


@pytest.mark.parametrize("state", STATES)
def test_every_page_is_reached_from_the_start_by_the_patterns_of_its_site(state: State) -> None:
    texts = pages(state)
    for name, site in SITES.items():
        patterns = [*site.follow.lists, *site.follow.details, *site.follow.attachments]
        seen: set[str] = set()
        queue = list(site.start)
        while queue:
            url = queue.pop()
            if url in seen:
                continue
            seen.add(url)
            page = texts.get(url, "")
            queue += [to for to in links(url, page) if any(re.search(p, urlsplit(to).path) for p in patterns)]
            if site.parts.next_link and page:
                tree = html.fromstring(page.encode(), parser=UTF8)
                queue += [urljoin(url, a.get("href")) for a in tree.cssselect(site.parts.next_link)]
        mine = {url for url in bodies(state) if urlsplit(url).hostname == name}
        assert seen == {url for url in mine if not url.endswith("/robots.txt")}


def test_the_site_files_are_valid_and_say_what_the_samples_need() -> None:
    assert tuple(SITES) == HOSTS
    for name, site in SITES.items():
        assert site.host == name
        assert site.status == "active"
        assert site.polite.delay == 0
        assert site.rights.decision == "allowed"
        assert site.expect.min_pieces > 0
    assert len({site.family for site in SITES.values()}) == len(SITES)


def test_a_url_is_either_a_list_or_a_document() -> None:
    parts = {f"http://zongjie.example/gongzuo/1003_{n}.html" for n in (2, 3)}
    for url in bodies("one"):
        if url.endswith("/robots.txt"):
            continue
        follow = SITES[urlsplit(url).hostname or ""].follow
        groups = (follow.lists, follow.details, follow.attachments)
        hits = [any(re.search(p, urlsplit(url).path) for p in group) for group in groups]
        assert sum(hits) == (0 if url in parts else 1), url


def test_selectors_find_one_container_that_holds_the_text() -> None:
    for host in HOSTS:
        site = SITES[host]
        for spec in page_specs(host, "one"):
            url = f"http://{host}{spec.path}"
            if spec.template != "article.html" or not spec.texts:
                continue
            tree = html.fromstring(pages("one")[url].encode(), parser=UTF8)
            assert [len(tree.cssselect(selector)) for selector in site.extract.title] == [1]
            for selector in site.extract.content:
                if selector == "@trafilatura":
                    continue
                [container] = tree.cssselect(selector)
                assert (
                    read_text(spec.texts[0]).paragraphs[-1][:5] in container.text_content()
                    or spec.ends_before
                )


def test_robots_forbids_the_private_folder_and_it_is_linked() -> None:
    texts = pages("one")
    assert "Disallow: /private/" in texts["http://gongwen.example/robots.txt"]
    linked = links("http://gongwen.example/", texts["http://gongwen.example/"])
    assert sum("/private/" in url for url in linked) == 2


def test_no_link_leaves_its_site() -> None:
    for url, page in pages("one").items():
        assert all(urlsplit(to).hostname == urlsplit(url).hostname for to in links(url, page))


def test_gbk_and_big5_bytes_decode_and_are_not_utf8() -> None:
    for url in GBK_PAGES | BIG5_PAGES:
        body = bodies("one")[url]
        body.decode(encoding_of(url))
        with pytest.raises(UnicodeDecodeError):
            body.decode("utf-8")


def test_declared_charsets_are_wrong_where_the_docs_say_so() -> None:
    said = {path: dict(resource.headers)["Content-Type"] for (host, path), resource in render("one").items()
            if host == "wendang.example"}  # fmt: skip
    assert said["/doc/501.html"] == "text/html"
    assert said["/doc/502.html"] == "text/html; charset=utf-8"
    assert b"charset" not in bodies("one")["http://wendang.example/doc/502.html"]
    assert b"charset=gb2312" in bodies("one")["http://wendang.example/doc/501.html"]
    assert b'charset="gb2312"' in bodies("one")["http://wendang.example/doc/503.html"]
    bodies("one")["http://wendang.example/doc/503.html"].decode("utf-8")


def test_the_pdf_holds_its_text_in_wrapped_lines_on_several_pages() -> None:
    text = read_text("tongzhi-fangxun")
    document = pypdfium2.PdfDocument(bodies("one")["http://gongwen.example/files/fangxun.pdf"])
    try:
        sheets = []
        for number, page in enumerate(document, 1):
            sheet = page.get_textpage().get_text_bounded()
            assert sheet.endswith(f"- {number} -")
            sheets.append(sheet.removesuffix(f"- {number} -"))
    finally:
        document.close()
    assert len(sheets) == 3
    assert squeeze("".join(sheets)) == squeeze(text.title + "".join(text.paragraphs))
    assert max(len(line) for sheet in sheets for line in sheet.split("\r\n")) < 32
    assert not sheets[0].strip().endswith("。")  # the page ends in mid-sentence


def test_the_docx_holds_its_text_and_its_table() -> None:
    text = read_text("jihua-zhishu")
    document = docx.Document(io.BytesIO(bodies("one")["http://gongwen.example/files/zhishu.docx"]))
    rows = [f"|{'|'.join(cell.text for cell in row.cells)}|" for row in document.tables[0].rows]
    assert rows == [line for line in text.paragraphs if line.startswith("|")]
    lines = [paragraph.text for paragraph in document.paragraphs]
    assert lines == [text.title, *(line for line in text.paragraphs if not line.startswith("|"))]


def test_state_two_changes_one_page_adds_one_and_drops_one() -> None:
    one, two = render("one"), render("two")
    differing = {key for key in one.keys() | two.keys() if one.get(key) != two.get(key)}
    site = "zongjie.example"
    assert differing == {(site, f"/gongzuo/{name}") for name in ("", "1004.html", "1005.html", "1006.html")}
    assert one.keys() ^ two.keys() == {(site, "/gongzuo/1006.html")}
    assert two[site, "/gongzuo/1005.html"].status == 410
    for path in ("/gongzuo/", "/gongzuo/1004.html"):
        assert one[site, path].etag != two[site, path].etag
        assert one[site, path].last_modified != two[site, path].last_modified
    old, new = read_text("cangku"), read_text("cangku-two")
    assert len(new.paragraphs) == len(old.paragraphs) + 1
    assert set(old.paragraphs) < set(new.paragraphs)


def test_the_second_and_third_page_of_the_long_article_begin_in_mid_sentence() -> None:
    texts = pages("one")
    parts = [texts[f"http://zongjie.example/gongzuo/1003{suffix}.html"] for suffix in ("", "_2", "_3")]
    shown = []
    for part in parts:
        [box] = html.fromstring(part.encode(), parser=UTF8).cssselect(".article-content")
        lines = [squeeze(p.text_content()) for p in box.cssselect("p")]
        shown.append([line for line in lines[1:] if not line.startswith("•")])
    assert all(part[-1][-1] not in "。！？" for part in shown[:2])
    whole = "".join(line for part in shown for line in part)
    assert whole == squeeze("".join(read_text("tushuguan").paragraphs))


def test_texts_are_of_natural_size_and_need_no_escaping() -> None:
    for name in text_names():
        text = read_text(name)
        size = sum(len(paragraph) for paragraph in text.paragraphs)
        assert name.startswith("simi-") or 300 <= size <= 1300, (name, size)
        assert len(text.paragraphs) > 1
        assert not re.search(r"[&<>$\t]|  ", "".join(text.paragraphs)), name


def test_every_text_is_shown_somewhere() -> None:
    shown = {
        name for host in HOSTS for state in STATES for spec in page_specs(host, state) for name in spec.texts
    }
    in_files = {"tongzhi-fangxun", "jihua-zhishu"}
    behind_hant = {name.removeprefix("hant/") for name in shown if name.startswith("hant/")}
    assert shown | in_files | behind_hant == set(text_names())


def test_no_two_texts_share_a_passage_unless_they_say_so() -> None:
    size = 16
    grams = {}
    for name in text_names():
        if not name.startswith("hant/"):
            flat = squeeze("".join(read_text(name).paragraphs))
            grams[name] = {flat[at : at + size] for at in range(len(flat) - size + 1)}
    sharing = {frozenset(pair) for pair in combinations(grams, 2) if grams[pair[0]] & grams[pair[1]]}
    declared = {frozenset((name, base)) for name in grams
                if (base := read_text(name).near_of or read_text(name).version_of)}  # fmt: skip
    assert sharing == declared


def test_the_near_copy_swaps_numbers_and_drops_a_sentence() -> None:
    old, new = ("".join(read_text(name).paragraphs) for name in ("yanjiang-xiulu", "yanjiang-xiulu-near"))
    assert len(new) < len(old)
    assert "2024年" in old
    assert "2021年" in new
    sentences = [set(re.split("[。！？]", text)) for text in (old, new)]
    assert len(sentences[0] & sentences[1]) / len(sentences[0]) > 0.6


def test_traditional_texts_are_the_same_texts() -> None:
    converter = opencc.OpenCC("tw2s")
    hant = [name for name in text_names() if name.startswith("hant/")]
    assert len(hant) == 8
    for name in hant:
        plain = read_text(name.removeprefix("hant/"))
        text = read_text(name)
        assert tuple(converter.convert(paragraph) for paragraph in text.paragraphs) == plain.paragraphs
        assert converter.convert(text.title) == plain.title
        flat, old = "".join(text.paragraphs), "".join(plain.paragraphs)
        assert sum(a != b for a, b in zip(flat, old, strict=True)) / len(flat) > 0.2


def test_the_readme_names_every_page_and_every_key_of_a_page_table() -> None:
    readme = (site_folder().parent / "README.md").read_text(encoding="utf-8")
    shown_as_range = {"/p/7003.html", "/p/7004.html", "/p/7005.html"}
    for state in STATES:
        for _, path in render(state):
            assert path.rpartition("/")[2].removesuffix(".html") in readme or path in shown_as_range, path
    for key in PageSpec.__dataclass_fields__:
        assert f"`{key}`" in readme, key
