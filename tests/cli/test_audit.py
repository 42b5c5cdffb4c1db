"""explain, rules stats and rules learn: the real commands over texts of our own."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

Run = Callable[..., "object"]

PARAGRAPHS = (
    "河堤上的柳树是三年前种下的，去年秋天我们沿着堤岸走了一遍，给每一棵缺水的树都系上了红布条。",
    "巡河的队伍从六个人添到十四个人，分成早晚两班，遇到涨水就在闸口旁边的小屋里轮流守夜。",
    "捞上来的杂物按塑料、木头和铁件分开堆放，能卖的卖掉，换来的钱买了手套、雨靴和两只新的网兜。",
    "学校的孩子每个月来一次，跟着老人认水草、量水位，回去写成短短的日记贴在教室后面的墙上。",
    "最难的是说服沿岸的饭馆不往河里倒水，我们一家一家地去谈，前后跑了四十多趟才装好隔油池。",
    "下一年打算把下游的旧码头清出来，先修栏杆，再铺石板，让散步的人有个坐下来看河的地方。",
)
UNLIKE = (
    "食堂的账本换成了两本，一本记买进的米面油盐，一本记每天剩下的饭菜，月底摊在桌上让大家翻看。",
    "早餐添了小米粥和蒸红薯，晚餐的油减了三成，几位年长的师傅起初吃不惯，过了一个星期也说胃里舒服。",
    "后厨的刀具和抹布按颜色分开使用，留样柜贴着日期，检查组来过两回，没有挑出一处毛病来。",
    "新学期准备请家长轮流来帮厨，看一看菜是怎样洗的，汤是怎样熬的，有意见当面写在墙上的本子里。",
)
ZERO_WIDTH = "\u200b"
DOCUMENT = "\n\n".join(
    (
        "# 巡河队工作总结两篇",
        "篇一：巡河队工作总结",
        PARAGRAPHS[0],
        "点击下载文档",
        PARAGRAPHS[1].replace("守夜", f"守{ZERO_WIDTH}夜"),
        PARAGRAPHS[2],
        "篇二：巡河队工作总结",
        PARAGRAPHS[3],
        PARAGRAPHS[4],
        PARAGRAPHS[5],
        "相关推荐：",
    )
)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "巡河.md"
    path.write_text(DOCUMENT, encoding="utf-8")
    return path


def essay(k: int) -> list[str]:
    """Three paragraphs that no other ``k`` has."""
    return [f"{PARAGRAPHS[(k + i) % 6][:-1]}，这是第{k * 7 + i}段河道的记录。" for i in range(3)]


def page(title: str, lines: list[str]) -> bytes:
    body = "".join(f"<p>{line}</p>" for line in lines)
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title></head>'
        f'<body><h1>{title}</h1><div class="article">{body}</div></body></html>'
    ).encode()


def json_of(done: object) -> dict:
    assert done.code == 0, done
    return json.loads(done.out)


def one_sentence(done: object, *words: str) -> None:
    assert done.code == 2, done
    lines = [line for line in done.err.splitlines() if line.strip()]
    assert len(lines) == 1, done.err
    assert lines[0].startswith("fanwen: ")
    for word in words:
        assert word in lines[0], lines[0]


# -- explain --------------------------------------------------------------------------------------------


def test_every_cut_is_named_at_its_place(fanwen: Run, document: Path) -> None:
    done = fanwen("explain", document)
    assert done.code == 0, done
    lines = done.out.splitlines()
    shown = next(line for line in lines if "守" in line and "夜" in line)
    assert shown == "  1 │ " + PARAGRAPHS[1].replace("守夜", "守⟦−text.invisible: ‹U+200B›⟧夜")
    download = next(k for k, line in enumerate(lines) if line.endswith("点击下载文档⟧"))
    assert re.fullmatch(r"  1 │ ⟦−boilerplate\.\w+: 点击下载文档⟧", lines[download])
    between = [line for line in lines[:download] if line.strip(" 0123456789│")]
    assert between[-1] == "  1 │ " + PARAGRAPHS[0]
    assert any(re.fullmatch(r"    │ ⟦−split\.heading: 篇二：巡河队工作总结⟧", line) for line in lines)
    assert any(re.fullmatch(r"    │ ⟦−boilerplate\.\w+: 相关推荐：⟧", line) for line in lines)
    starts = [k for k, line in enumerate(lines) if line.startswith("──── piece ")]
    ends = [k for k, line in enumerate(lines) if line.startswith("──── end of piece ")]
    assert len(starts) == len(ends) == 2
    assert lines[starts[0] + 1] == "  1 │ " + PARAGRAPHS[0]
    assert lines[ends[1] - 1] == "  2 │ " + PARAGRAPHS[5]
    assert "2 declared, 2 found" in done.out


def test_kept_text_is_the_pieces_and_nothing_is_lost(fanwen: Run, document: Path) -> None:
    explained = json_of(fanwen("explain", document, "--json"))
    segments = explained["segments"]
    extracted = "".join(s["text"] for s in segments if s["kind"] != "added")
    assert extracted.strip() == DOCUMENT.strip()
    pieces = [json.loads(line) for line in fanwen("clean", document).out.splitlines()]
    assert [p["text"] for p in pieces] == ["\n".join(PARAGRAPHS[:3]), "\n".join(PARAGRAPHS[3:])]
    for piece in pieces:
        kept = "".join(
            s["text"] for s in segments if s["piece"] == piece["index"] and s["kind"] in ("kept", "added")
        )
        assert kept == piece["text"]
    assert {s["rule"] for s in segments if s["kind"] == "kept"} == {None}
    assert all(s["rule"] for s in segments if s["kind"] != "kept")
    rules = {hit["rule"]: hit for hit in explained["rules"]}
    assert rules["text.invisible"]["count"] == rules["text.invisible"]["chars"] == 1


def test_the_archive_is_explained_by_url_and_by_piece(fanwen: Run, document: Path, tmp_path: Path) -> None:
    # two papers of one text: one of them must be out, as a duplicate of the other
    long = ["篇一：巡河队工作总结", *PARAGRAPHS, *essay(5), "篇二：食堂工作总结", *UNLIKE]
    document.write_text("# 工作总结两篇\n\n" + "\n\n".join(long), encoding="utf-8")
    copy = tmp_path / "又一份.md"
    copy.write_text("# 巡河队工作总结\n\n" + "\n\n".join([*PARAGRAPHS, *essay(5)]), encoding="utf-8")
    assert fanwen("ingest", document, copy).code == 0
    url = f"urn:sha256:{hashlib.sha256(document.read_bytes()).hexdigest()}"
    before = json_of(fanwen("explain", url, "--json"))
    assert [p["in_default"] for p in before["pieces"]] == [None, None]
    assert fanwen("build").code == 0
    by_url = json_of(fanwen("explain", url, "--json"))
    assert (by_url["url"], by_url["site"], by_url["name"]) == (url, "local", "巡河.md")
    assert by_url["pages"][0]["bytes"] == len(document.read_bytes())
    with sqlite3.connect(tmp_path / "home" / "corpus.db") as db:
        known = dict(db.execute("select piece, excluded_why from piece_current where url = ?", (url,)))
        twin = dict(db.execute("select piece, excluded_why from piece_current where url <> ?", (url,)))
    db.close()
    assert {p["id"] for p in by_url["pieces"]} == set(known)
    assert len(known) == 2
    assert sum(why is not None for why in (*known.values(), *twin.values())) == 1
    for piece in by_url["pieces"]:
        assert piece["in_default"] is (known[piece["id"]] is None)
    for identity, why in (known | twin).items():
        by_id = json_of(fanwen("explain", identity, "--json"))
        found = next(p for p in by_id["pieces"] if p["id"] == identity)
        assert (by_id["url"] == url) is (identity in known)
        if why is not None:
            assert why.removeprefix("duplicate_of:") in found["why"]
    text = fanwen("explain", url).out
    for line in ("fetched", "consent", "rights", "ruleset", "default set"):
        assert re.search(rf"^ +.*{line}", text, re.M), line


def test_a_document_that_is_refused_says_why(fanwen: Run, tmp_path: Path) -> None:
    path = tmp_path / "english.html"
    path.write_bytes(
        page("River notes", ["The willows along the bank were planted three years ago. " * 12] * 3)
    )
    done = fanwen("explain", path)
    assert done.code == 0, done
    (reject,) = json_of(fanwen("explain", path, "--json"))["rejects"]
    assert f"Refused: {reject['reason']}: " in done.out
    assert "willows" in done.out
    assert "──── piece" not in done.out


def test_what_extraction_left_out_is_shown_beside_the_text(fanwen: Run, tmp_path: Path) -> None:
    path = tmp_path / "页.html"
    menu = '<div class="nav"><a href="/">首页</a> <a href="/z">总结</a> <a href="/f">河湖风光</a></div>'
    body = page("巡河队工作总结", list(PARAGRAPHS)).decode().replace("<body>", f"<body>{menu}")
    path.write_text(body, encoding="utf-8")
    explained = json_of(fanwen("explain", path, "--json"))
    assert "河湖风光" in "".join(explained["beside"])
    assert "河湖风光" not in "".join(s["text"] for s in explained["segments"])
    assert re.search(r"^  beside the text +\d+ lines: .*河湖风光", fanwen("explain", path).out, re.M)


def test_what_is_unknown_is_one_sentence(fanwen: Run, document: Path) -> None:
    one_sentence(fanwen("explain", "没有.html"), "没有.html", "fanwen search")
    assert fanwen("ingest", document).code == 0
    assert fanwen("build").code == 0
    for unknown in ("0123456789abcdef", "https://www.example.org/a/1.html", "urn:sha256:00"):
        one_sentence(fanwen("explain", unknown), unknown)
    one_sentence(fanwen("explain", document.parent), "folder")
    one_sentence(fanwen("explain", document, "--html", "没有/x.html"), "没有/x.html")


def test_a_ready_made_piece_has_no_page(fanwen: Run, tmp_path: Path) -> None:
    file = tmp_path / "ready.jsonl"
    file.write_text(json.dumps({"id": "r1", "text": "\n".join(PARAGRAPHS)}), encoding="utf-8")
    assert fanwen("ingest", "--pieces", file).code == 0
    with sqlite3.connect(tmp_path / "home" / "corpus.db") as db:
        (identity,) = db.execute("select id from piece").fetchone()
    db.close()
    one_sentence(fanwen("explain", identity), identity, "ready-made")


def test_colours_only_on_a_terminal(fanwen: Run, document: Path, tmp_path: Path) -> None:
    assert "\x1b" not in fanwen("explain", document).out
    shown = on_a_terminal("explain", str(document), home=tmp_path / "home")
    assert re.search(r"\x1b\[31;9m⟦−boilerplate\.\w+: 点击下载文档⟧\x1b\[0m", shown)
    assert "\x1b" not in on_a_terminal("explain", str(document), home=tmp_path / "home", NO_COLOR="1")


def test_a_page_cannot_steer_the_terminal(fanwen: Run, tmp_path: Path) -> None:
    path = tmp_path / "坏.txt"
    path.write_text(DOCUMENT.replace("红布条", "红\x1b[2J布\x9b条"), encoding="utf-8")
    assert not re.search(r"[\x1b\x9b]", fanwen("explain", path).out)


def on_a_terminal(*arguments: str, home: Path, **environment: str) -> str:
    """What the command prints on a real (pseudo) terminal."""
    ours, theirs = pty.openpty()
    variables = (
        {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"FANWEN_HOME": str(home)} | environment
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "fanwen", *arguments], stdout=theirs, stderr=theirs, env=variables
    )
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65536):
            parts.append(part)
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_the_html_file_is_whole_and_loads_nothing(fanwen: Run, tmp_path: Path) -> None:
    path = tmp_path / "页.md"
    path.write_text(
        DOCUMENT.replace("红布条", "红布条<script src='https://cdn.example/x.js'>&"), encoding="utf-8"
    )
    out = tmp_path / "out.html"
    done = fanwen("explain", path, "--html", out)
    assert (done.code, "out.html" in done.out) == (0, True), done
    text = out.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>"))
    assert root.get("lang") == "zh"
    tags = {element.tag for element in root.iter()}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
    for element in root.iter():
        assert not set(element.attrib) & {"src", "href", "srcset", "data", "action"}, element.attrib
        assert not [name for name in element.attrib if name.startswith("on")]
    style = root.find("head/style").text
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style
    assert "default-src 'none'" in root.find("head/meta[@http-equiv]").get("content")
    segments = json_of(fanwen("explain", path, "--json"))["segments"]
    wanted = [(s["rule"], s["text"]) for s in segments if s["kind"] == "cut"]
    found = [cut(element) for element in root.iter("del")]
    assert [rule for rule, _ in found] == [rule for rule, _ in wanted]
    visible = [text for rule, text in wanted if text.strip(" 　\n" + ZERO_WIDTH)]
    assert [text for _, text in found if text.strip(" 　\n⏎␣") and "U+200B" not in text] == visible
    marks = [element for element in root.iter() if "c" in (element.get("class") or "").split()]
    assert marks
    assert {element.get("tabindex") for element in marks} == {"0"}
    families = {rule.partition(".")[0] for rule, _ in wanted}
    legend = {e.text for e in root.iterfind(".//details[@open]//span")}
    assert families == legend


def cut(element: ElementTree.Element) -> tuple[str | None, str]:
    """Rule and text of a cut as the file shows it."""
    name = element.find("span")
    return (element.get("title") if name is None else name.text), element.text or ""


# -- rules stats ------------------------------------------------------------------------------------------


def test_rules_stats_equal_a_recount(fanwen: Run, document: Path, tmp_path: Path) -> None:
    other = tmp_path / "别的.md"
    other.write_text(
        DOCUMENT.replace("河", "湖").replace("点击下载文档", "点击下载文档\n\n点击下载文档"), encoding="utf-8"
    )
    assert fanwen("ingest", document, other).code == 0
    assert fanwen("build").code == 0
    hits = [hit for path in (document, other) for hit in json_of(fanwen("explain", path, "--json"))["rules"]]
    stats = json_of(fanwen("rules", "stats", "--json"))
    assert stats["documents"] == 2
    assert stats["chars"] == sum(hit["chars"] for hit in hits)
    for row in stats["rules"]:
        of_rule = [hit for hit in hits if hit["rule"] == row["rule"]]
        assert row["documents"] == len(of_rule)
        assert row["hits"] == sum(hit["count"] for hit in of_rule)
        assert row["chars"] == sum(hit["chars"] for hit in of_rule)
        assert row["share"] == pytest.approx(row["chars"] / stats["chars"], abs=1e-4)
        assert row["example"] in {hit["example"] for hit in of_rule}
    assert {row["rule"] for row in stats["rules"]} == {hit["rule"] for hit in hits}
    assert [row["chars"] for row in stats["rules"]] == sorted(
        (r["chars"] for r in stats["rules"]), reverse=True
    )
    assert "damage.pinyin" in stats["silent"]
    assert not set(stats["silent"]) & {row["rule"] for row in stats["rules"]}
    assert json_of(fanwen("rules", "stats", "--site", "local", "--json"))["rules"] == stats["rules"]
    assert "Never fired: " in fanwen("rules", "stats").out
    one_sentence(fanwen("rules", "stats", "--site", "nosuch.example"), "nosuch.example")


# -- rules learn ------------------------------------------------------------------------------------------

PLANTED = "想看更多巡河文字的街坊，明早到渡口布告栏前面来"


def test_rules_learn_proposes_and_a_person_decides(fanwen: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    copied = [*PARAGRAPHS[:5]]
    for k in range(12):
        lines = [*essay(k), *(copied if k % 2 else []), *essay(k + 20), *([PLANTED] if k < 10 else [])]
        (folder / f"{k}.html").write_bytes(page(f"第{k}段巡河队工作总结", lines))
    assert fanwen("ingest", folder).code == 0
    assert fanwen("build").code == 0
    out = tmp_path / "proposal.toml"
    done = fanwen("rules", "learn", "local", "--out", out)
    assert done.code == 0, done
    text = out.read_text(encoding="utf-8")
    proposal = tomllib.loads(text)
    (line,) = [row for row in proposal["line"] if row["text"] == PLANTED]
    assert (line["pages"], line["position"], line.get("taken_by")) == (10, "bottom", None)
    assert line["share"] == pytest.approx(10 / 12, abs=1e-3)
    assert fanwen("explain", line["example"]).code == 0
    assert not [row for row in proposal["line"] if row["text"] in copied]
    assert fanwen("rules", "learn", "local").out == text
    # not in effect by itself
    assert f"│ {PLANTED}" in fanwen("explain", line["example"]).out
    # as the file's head says: the approved line goes to the site's file
    assert "[extract]" in text
    block = re.search(r"^# (lines = \[\n(?:# .*\n)*?)# \]$", text, re.M)
    approved = tomllib.loads((block[1] + "]").replace("# ", ""))["lines"]
    assert PLANTED in approved
    sites = tmp_path / "home" / "sites"
    sites.mkdir(parents=True)
    (sites / "local.toml").write_text(
        'name = "local"\ntitle = "own files"\nfamily = "own"\nhost = "local.example"\n\n[extract]\nlines = '
        + json.dumps([PLANTED], ensure_ascii=False),
        encoding="utf-8",
    )
    assert "12 cleaned" in fanwen("build").out
    assert f"⟦−site.line: {PLANTED}⟧" in fanwen("explain", line["example"]).out
    site_line = next(
        r for r in json_of(fanwen("rules", "stats", "--json"))["rules"] if r["rule"] == "site.line"
    )
    assert (site_line["documents"], site_line["hits"], site_line["chars"]) == (10, 10, 10 * len(PLANTED))
    again = tomllib.loads(fanwen("rules", "learn", "local").out)
    assert next(row for row in again["line"] if row["text"] == PLANTED)["taken_by"] == "site.line"


def test_rules_learn_of_an_unknown_site(fanwen: Run, document: Path) -> None:
    one_sentence(fanwen("rules", "learn", "local"), "archive")
    assert fanwen("ingest", document).code == 0
    one_sentence(fanwen("rules", "learn", "nosuch.example"), "nosuch.example")


def test_people_judge_a_sample(fanwen: Run, tmp_path: Path) -> None:
    one_sentence(fanwen("audit", "sample", 5), "corpus")
    for k in range(6):
        (tmp_path / f"总结{k}.html").write_bytes(page(f"巡河队工作总结{k}", essay(k)))
    assert fanwen("ingest", *sorted(tmp_path.glob("*.html"))).code == 0
    assert fanwen("build").code == 0
    assert "Nothing was judged yet" in fanwen("audit", "report").out
    done = fanwen("audit", "sample", 4, "--by", "genre", "--seed", "春", "--out", tmp_path / "抽查.html")
    assert done.code == 0, done
    form = (tmp_path / "抽查.html").read_text(encoding="utf-8")
    sample = json.loads(re.search(r'id="data">(.*)</script>', form)[1])  # type: ignore[index]
    assert (len(sample["pieces"]), sample["seed"], sample["strata"]) == (4, "春", ["genre"])
    answers = [{"piece": p["piece"], "text": p["text_sha256"], "errors": ["cut"]} for p in sample["pieces"]]
    file = tmp_path / "answers.json"
    kept = {key: sample[key] for key in ("release", "strata", "seed")}
    whole = {"format": 1, "sample": sample["id"], "annotator": "甲", "answers": answers, **kept}
    file.write_text(json.dumps(whole), encoding="utf-8")
    assert json_of(fanwen("audit", "import", file, "--json")) == {"added": 4, "known": 0}
    assert fanwen("audit", "import", file).out == "0 judgements taken in, 4 were there already.\n"
    found = json_of(fanwen("audit", "report", "--json"))
    rates = {one["code"]: one["rate"] for one in found["rates"]}
    assert (found["judged"], rates["cut"], rates["split"]) == (4, pytest.approx(1), 0)
    assert re.search(r"^ +cut +4 +1\.000 ", fanwen("audit", "report").out, re.M)
    file.write_text(json.dumps({**whole, "answers": [{**answers[0], "errors": []}]}), encoding="utf-8")
    one_sentence(fanwen("audit", "import", file), "otherwise before")
    one_sentence(fanwen("audit", "import", tmp_path / "none.json"), "none.json")
    one_sentence(fanwen("audit", "sample", 5, "--by", "colour"), "colour", "genre")
    one_sentence(fanwen("audit", "sample", 5, "--out", tmp_path / "no" / "such.html"), "such.html")
    assert fanwen("audit", "sample", 0).code == 2
