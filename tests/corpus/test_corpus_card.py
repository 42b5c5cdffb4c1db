"""What tells about a release: cards, plots, licence and citation say what the files hold."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from fanwen.corpus import plots, release
from fanwen.corpus.audit import AuditReport, ErrorRate, questions
from fanwen.corpus.card import CARDS, LICENSE, MOST, card, sentences
from fanwen.corpus.citation import CITATION
from fanwen.corpus.figures import Figures
from fanwen.corpus.publishing import Publishing
from fanwen.corpus.tables import CONFIGURATIONS, read_rows

CARD = "README.md"
# a name that would break YAML, Markdown and XML where it is not quoted
PUBLISHER = 'A: "B" & <C> 语料组 #1'
PUBLISHING = Publishing(
    publisher=PUBLISHER,
    homepage="https://corpus.example/fanwen/",
    objections="yiyi@corpus.example",
    answer_days=9,
)


@pytest.fixture(scope="module")
def released(module_home: Any, write: Any, html: Any) -> Path:
    home = module_home
    essay = write(1, 12)
    pages = {f"own{n}": html("倡议书" if n % 3 else "工作总结", write(n + 50, 8)) for n in range(20)}
    home.serve({**pages, "a": html("工作总结", essay + "\n请联系13912345678。"), "empty": b"<html></html>"})
    home.build()
    first = release.create(home.corpus, home.releases)
    home.serve({"copy": html("工作总结", essay), "pipe": html("关于|的倡议书", write(99, 8))}, day=2)
    home.build()
    made = release.create(home.corpus, home.releases, publishing=PUBLISHING)
    assert first is not None
    assert made is not None
    return Path(home.releases / made.version)


def tables(card: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Every table of the card: header of the first column → first cell → the other cells."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for block in re.split(r"\n\n+", card):
        rows = [line.strip("|").split("|") for line in block.splitlines() if line.startswith("|")]
        if rows:
            cells = {row[0].strip(): tuple(cell.strip() for cell in row[1:]) for row in rows[2:]}
            found[rows[0][0].strip()] = cells
    return found


def test_its_figures_are_those_of_the_files(released: Path) -> None:
    card = (released / CARD).read_text(encoding="utf-8")
    shown = tables(card)
    pieces = list(read_rows(released, "all"))
    for title, column in (
        ("site", "site"),
        ("genre", "genre"),
        ("split", "split"),
        ("rights_basis", "rights_basis"),
    ):
        everything = Counter(row[column] for row in pieces)
        default = Counter(row[column] for row in read_rows(released, "default"))
        assert shown[title] == {name: (f"{n:,}", f"{default[name]:,}") for name, n in everything.items()}, (
            title
        )
    for name in CONFIGURATIONS:
        assert shown["configuration"][f"`{name}`"][0] == f"{sum(1 for _ in read_rows(released, name)):,}"
    sizes = Counter(row["cluster_id"] for row in pieces)
    assert shown["pieces in the cluster"] == {
        "1": (str(sum(n == 1 for n in sizes.values())), "0"),
        "2": (str(sum(n == 2 for n in sizes.values())), "0"),
    }
    lengths = sorted(row["n_chars"] for row in pieces)
    (quantiles,) = (row for title, row in shown.items() if title.startswith("characters"))
    assert quantiles["all pieces"][2] == f"{lengths[len(lengths) // 2 - (len(lengths) % 2 == 0)]:,}"
    masked = {kind: int(count) for kind, (count,) in shown["personal data that is masked"].items()}
    assert masked["phone"] == 1
    assert sum(masked.values()) == sum(row["masks"] for row in pieces)
    assert shown["pages that gave no piece"] == {
        reason: (str(n),)
        for reason, n in Counter(row["reason"] for row in read_rows(released, "rejects")).items()
    }
    hits: Counter[str] = Counter()
    chars: Counter[str] = Counter()
    for row in read_rows(released, "rule_hits"):
        hits[row["rule"]] += row["count"]
        chars[row["rule"]] += row["chars"]
    assert shown["what the cleaners took or changed"] == {
        rule: (f"{n:,}", f"{chars[rule]:,}") for rule, n in hits.items()
    }
    assert "## Since 2026.3.0" in card
    assert shown["change"]["ADD"] == ("new", "2")
    assert json.loads((released / "release.json").read_text())["root"] in card


def test_both_languages_say_the_same(released: Path) -> None:
    english, chinese = ((released / name).read_text(encoding="utf-8") for name in CARDS)
    _, _, english = english.split("---\n", 2)
    for what in (
        r"^(#+) ",  # headings
        r"^```(\w*)$",
        r"\]\(([^)]*)\)",  # links, but for those to each other
    ):
        found = [re.findall(what, text, re.M) for text in (english, chinese)]
        assert sorted(set(found[0]) - set(CARDS)) == sorted(set(found[1]) - set(CARDS)), what
    numbers = [
        [cells for rows in tables(text).values() for cells in rows.values()] for text in (english, chinese)
    ]
    ours, theirs = ([[c for c in row if re.fullmatch(r"[\d,.%]+", c)] for row in rows] for rows in numbers)
    assert ours == theirs
    said = sentences()
    assert said["en"].keys() == said["zh"].keys()
    for key, text in said["en"].items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", said["zh"][key])), key


def test_it_names_the_files_of_every_configuration(released: Path) -> None:
    card = (released / CARD).read_text(encoding="utf-8")
    _, header, _ = card.split("---\n", 2)
    named = yaml.safe_load(header)["configs"]
    assert [one["config_name"] for one in named] == list(CONFIGURATIONS)
    patterns = [part["path"] for one in named for part in one["data_files"]]
    files = {path.relative_to(released).as_posix() for path in (released / "data").rglob("*.parquet")}
    matched = [path.relative_to(released).as_posix() for one in patterns for path in released.glob(one)]
    assert sorted(matched) == sorted(files), "each file once"


def test_what_it_links_to_is_there(released: Path) -> None:
    for name in CARDS:
        links = re.findall(r"\]\(([^)]+)\)", (released / name).read_text(encoding="utf-8"))
        assert len(links) >= 9
        for link in links:
            assert (released / link).is_file(), link


def test_the_first_release_has_no_parent_and_nobody_to_object_to(released: Path) -> None:
    first = released.parent / "2026.3.0"
    card = (first / CARD).read_text(encoding="utf-8")
    assert "## The first release" in card
    assert "$" not in card.replace("$ ", "")
    assert 'load_dataset("2026.3.0"' in card
    assert "names no address for objections" in card
    assert "未提供异议渠道" in (first / "README.zh-CN.md").read_text(encoding="utf-8")
    assert "names no address for objections" in (first / LICENSE).read_text(encoding="utf-8")


def test_it_says_where_to_object(released: Path) -> None:
    for name in (*CARDS, LICENSE):
        text = (released / name).read_text(encoding="utf-8")
        assert re.search(r"yiyi@corpus\.example.*\b9 (days|日)", text, re.S), name


def test_a_long_table_is_summed_up() -> None:
    rows = tuple((f"网站{n}", n, 1) for n in range(100, 100 - MOST - 3, -1))
    shown = tables(card(figures(by={"site": rows}), Publishing(), "en"))["site"]
    assert len(shown) == MOST + 1
    assert shown["3 others"] == (str(70 + 69 + 68), "3")


def figures(by: dict[str, Any] | None = None, audit: AuditReport | None = None) -> Figures:
    names = ("site", "genre", "year", "level", "script", "split", "rights_basis", "excluded_why")
    return Figures(
        "2026.3.0", "2026-03-01", None, "0" * 64, 7, 5, 6, 4, (), {**dict.fromkeys(names, ()), **(by or {})},
        (), 0.0, (), (), (), (), (), (), audit,
    )  # fmt: skip


def test_error_rates_of_an_audit_are_shown() -> None:
    rates = tuple(
        ErrorRate(code, 3, 0.031, 0.011, 0.0845, None if code == "cut" else 0.9, None)
        for code in ("any", *(one.code for one in questions()))
    )
    judged = AuditReport(97, 2, 11, 0, ("site", "genre"), 5000, 4800, rates)
    for language, one in (("en", "any of these"), ("zh", "任一错误")):
        text = card(figures(audit=judged), Publishing(), language)  # type: ignore[arg-type]
        shown = tables(text)["error" if language == "en" else "错误"]
        assert shown[one] == ("3", "3.1%", "1.1% – 8.5%", "90.0%", "–")
        (cut,) = (row for name, row in shown.items() if name.startswith("cut: "))
        assert cut[3] == "–"
        assert len(shown) == 8
        assert all(number in text for number in ("97", "4,800", "5,000", "site, genre"))


def test_plots_show_the_figures_and_need_no_font(released: Path) -> None:
    names = sorted(path.stem for path in (released / "plots").glob("*"))
    assert names == ["duplicates", "genres", "lengths", "removed", "sites", "years"]
    pieces = Counter(row["genre"] for row in read_rows(released, "all"))
    for path in (released / "plots").glob("*.svg"):
        svg = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        texts = [text for one in svg.iter("{http://www.w3.org/2000/svg}text") for text in one.itertext()]
        assert not re.search("[一-龥]", "".join(texts)), "Chinese labels are outlines"
        drawn = {one.attrib["href"][1:] for one in svg.iter("{http://www.w3.org/2000/svg}use")}
        assert drawn == {one.attrib["id"] for one in svg.iter("{http://www.w3.org/2000/svg}path")} - {""}
        assert "http" not in re.sub(r'xmlns="[^"]+"', "", path.read_text(encoding="utf-8"))
        if path.stem == "genres":
            described = svg.findtext("{http://www.w3.org/2000/svg}desc")
            assert described == "; ".join(f"{name}: {n}" for name, n in pieces.most_common())
            assert sorted(text for text in texts if text.isdigit()) == sorted(str(n) for n in pieces.values())
            widths: dict[str, int] = {}
            for bar in svg.iter("{http://www.w3.org/2000/svg}rect"):
                if bar.attrib.get("height") == "16":
                    widths[bar.attrib["y"]] = max(widths.get(bar.attrib["y"], 0), int(bar.attrib["width"]))
            longest, shortest = max(widths.values()), min(widths.values())
            assert abs(shortest / longest - min(pieces.values()) / max(pieces.values())) < 0.02


def test_every_character_that_plots_may_need_has_an_outline() -> None:
    assert plots.characters() == plots._outlines().keys(), "run docs/glyphs.py"


def test_labels_of_strangers_are_text() -> None:
    strange = figures(by={"site": (('龘<script>&"', 2, 1), ("x" * 99, 1, 0))})
    svg = dict(plots.plots(strange))["sites.svg"]
    shown = [one.text for one in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert '龘<script>&"' in shown
    assert "x" * 29 + "…" in shown


def test_the_licence_grants_no_rights_in_the_texts(released: Path) -> None:
    text = (released / LICENSE).read_text(encoding="utf-8")
    assert "No\n   rights in them are granted" in text
    assert "不授予" in text
    assert text.count("CC-BY-4.0") == 2
    assert text.count("https://creativecommons.org/licenses/by/4.0/legalcode") == 2
    assert text.count(PUBLISHER) == 2
    for basis in ("licensed", "official_document", "reservation_found", "none_found", "unknown"):
        assert text.count(f"     {basis} ") == 2
    assert "$" not in text


def test_it_can_be_cited(released: Path) -> None:
    manifest = json.loads((released / "release.json").read_text())
    cited = yaml.safe_load((released / CITATION).read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert cited["message"]
    assert cited["type"] == "dataset"
    assert manifest["version"] in cited["title"]
    assert (cited["version"], cited["date-released"]) == (manifest["version"], manifest["date"])
    assert cited["authors"] == [{"name": PUBLISHER}]
    (identifier,) = cited["identifiers"]
    assert identifier["type"] == "other"
    assert manifest["root"] in identifier["value"]
    assert cited["url"] == "https://corpus.example/fanwen/"
    # all keys of CFF 1.2.0 that are there
    assert cited.keys() <= {
        "cff-version", "message", "type", "title", "version", "date-released", "authors", "identifiers", "url",
        "abstract", "keywords",
    }  # fmt: skip
    unpublished = yaml.safe_load((released.parent / "2026.3.0" / CITATION).read_text(encoding="utf-8"))
    assert unpublished["authors"] == [{"name": "fanwen corpus maintainers"}]
    assert "url" not in unpublished
