"""The dataset card: what it says is what the files hold."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus import release
from fanwen.corpus.card import CARD
from fanwen.corpus.tables import CONFIGURATIONS, read_rows


@pytest.fixture
def released(home: Any, write: Any, html: Any) -> Path:
    essay = write(1, 12)
    pages = {f"own{n}": html("倡议书" if n % 3 else "工作总结", write(n + 50, 8)) for n in range(20)}
    home.serve({**pages, "a": html("工作总结", essay + "\n请联系13912345678。"), "empty": b"<html></html>"})
    home.build()
    first = release.create(home.corpus, home.releases)
    home.serve({"copy": html("工作总结", essay), "pipe": html("关于|的倡议书", write(99, 8))}, day=2)
    home.build()
    made = release.create(home.corpus, home.releases)
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
    masked = {kind: int(count) for kind, (count,) in shown["personal data that is masked"].items()}
    assert masked["phone"] == 1
    assert sum(masked.values()) == sum(row["masks"] for row in pieces)
    assert shown["pages that gave no piece"] == {
        reason: (str(n),)
        for reason, n in Counter(row["reason"] for row in read_rows(released, "rejects")).items()
    }
    hits: Counter[str] = Counter()
    for row in read_rows(released, "rule_hits"):
        hits[row["rule"]] += row["count"]
    assert shown["what the cleaners took"] == {rule: (f"{n:,}",) for rule, n in hits.items()}
    assert "## Since 2026.3.0" in card
    assert shown["change"]["ADD"] == ("new", "2")
    assert json.loads((released / "release.json").read_text())["root"] in card


def test_it_names_the_files_of_every_configuration(released: Path) -> None:
    card = (released / CARD).read_text(encoding="utf-8")
    _, header, _ = card.split("---\n", 2)
    named = re.findall(r"config_name: ([\w-]+)", header)
    assert named == list(CONFIGURATIONS)
    patterns = re.findall(r"path: (\S+)", header)
    files = {path.relative_to(released).as_posix() for path in (released / "data").rglob("*.parquet")}
    matched = [path.relative_to(released).as_posix() for one in patterns for path in released.glob(one)]
    assert sorted(matched) == sorted(files), "each file once"


def test_the_first_release_has_no_parent(released: Path) -> None:
    card = (released.parent / "2026.3.0" / CARD).read_text(encoding="utf-8")
    assert "## The first release" in card
    assert "VERSION" not in card
    assert 'load_dataset("2026.3.0"' in card
