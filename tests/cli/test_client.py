"""Publishing and pulling as a maintainer and a researcher do it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus import release, release_index
from fanwen.corpus.pulled import pulled_folder

Run = Callable[..., Any]

CANTEEN = "食堂今年换了两口大锅，早饭多了豆浆和煎饼，师傅们五点起床，从来没有让学生饿着肚子去上课。" * 4
LIBRARY = "过去的一年里，图书馆的同志们把旧书一本一本修好，把新书一箱一箱搬上楼，来看书的人比从前多了。" * 4


@pytest.fixture
def home(fanwen: Run, tmp_path: Path) -> Path:
    """Two releases of ready-made pieces."""
    rows = tmp_path / "own.jsonl"
    for month, text in enumerate((CANTEEN, CANTEEN.replace("两口大锅", "三口铁锅")), start=1):
        pieces = (
            {"id": 7, "text": text, "title": "食堂总结"},
            {"id": 8, "text": LIBRARY, "title": "图书馆总结"},
        )
        rows.write_text("".join(json.dumps(one) + "\n" for one in pieces[:month]), encoding="utf-8")
        assert fanwen("ingest", "--pieces", rows, "--source", "own").code == 0
        assert fanwen("release", "create", "--date", f"2026-0{month}-01").code == 0
    return tmp_path / "home"


def test_from_the_home_of_one_to_the_folder_of_another(fanwen: Run, home: Path, tmp_path: Path) -> None:
    planned = fanwen("release", "publish", "公开", "--dry-run")
    assert (planned.code, "would be sent" in planned.out, (tmp_path / "公开").exists()) == (0, True, False)
    done = fanwen("release", "publish", "公开", "--json")
    assert (done.code, json.loads(done.out)["versions"]) == (0, ["2026.1.0", "2026.2.0"])

    place = {"FANWEN_PULLED": str(tmp_path / "mine")}
    assert fanwen("pull", "公开", "2026.1.0", **place).code == 0
    listed = fanwen("pull", "公开", "--list", **place).out
    assert [line.split()[0] for line in listed.splitlines()] == ["version", "2026.1.0", "2026.2.0"]
    assert ["here" in line for line in listed.splitlines()] == [False, True, False]
    done = fanwen("pull", "公开", **place)
    assert done.code == 0
    assert "Since 2026.1.0:\n  1 ADD: new 1\n  1 MOD: text 1\n  0 DEL\n" in done.out
    again = fanwen("pull", "公开", "--json", **place)
    report = json.loads(again.out)
    assert (again.err, report["how"], report["folder"]) == (
        "",
        "present",
        str(tmp_path / "mine" / "2026.2.0"),
    )
    assert fanwen("release", "verify", report["folder"]).code == 0
    assert report["root"] == json.loads(fanwen("release", "show", "--json").out)["root"]


def test_what_was_withdrawn_is_said(fanwen: Run, home: Path, tmp_path: Path) -> None:
    place = {"FANWEN_PULLED": str(tmp_path / "mine")}
    assert fanwen("pull", home / "releases", "2026.1.0", **place).code == 0
    release_index.mark_taken_down(home / "releases", "2026-7", ["2026.2.0"])
    release.reissue(home / "corpus.db", home / "releases", "2026.1.0")
    marks = [
        line[-30:].strip() for line in fanwen("pull", home / "releases", "--list", **place).out.splitlines()
    ]
    assert marks[1].endswith("here, withdrawn, see 2026.1.1")
    assert marks[3].endswith("holds what was taken down")
    done = fanwen("pull", home / "releases", "2026.1.0", **place)
    assert (done.code, "pull 2026.1.1" in done.err) == (3, True)
    done = fanwen("pull", home / "releases", **place)
    assert (done.code, done.out.splitlines()[-2:]) == (
        0,
        [
            f"{tmp_path / 'mine' / '2026.1.0'} was withdrawn: remove it, and use 2026.1.1.",
            "Release 2026.2.0 still holds what was taken down (case 2026-7): pull again later, it will be issued without.",
        ],
    )


def test_what_goes_wrong_is_one_sentence(fanwen: Run, home: Path, tmp_path: Path) -> None:
    wrong: list[tuple[int, list[object]]] = [
        (2, ["pull"]),
        (2, ["pull", "没有"]),
        (2, ["pull", tmp_path]),
        (2, ["pull", home / "releases", "2026.3.0"]),
        (2, ["pull", home / "releases", "--signers", tmp_path / "没有"]),
        (2, ["release", "publish"]),
        (2, ["release", "publish", "公开", "--home", tmp_path / "没有"]),
        (5, ["release", "publish", tmp_path / "own.jsonl"]),
    ]
    for code, words in wrong:
        done = fanwen(*words, FANWEN_PULLED=str(tmp_path / "mine"))
        assert (done.code, done.out) == (code, ""), (words, done)
        assert "Traceback" not in done.err
    (home / "releases" / "2026.1.0" / "README.md").write_text("改过")
    done = fanwen("pull", home / "releases", "2026.1.0", FANWEN_PULLED=str(tmp_path / "mine"))
    assert done.code == 1
    assert done.err.startswith("fanwen: 2026.1.0/README.md cannot be had")


def test_where_pulled_releases_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("FANWEN_PULLED", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert pulled_folder() == tmp_path / ".local" / "share" / "fanwen"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert pulled_folder() == tmp_path / "data" / "fanwen"
    monkeypatch.setenv("FANWEN_PULLED", str(tmp_path / "范文"))
    assert pulled_folder() == tmp_path / "范文"
