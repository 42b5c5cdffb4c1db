"""The takedown list on the way from the archive to a release, and back."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

ESSAYS = {
    "图书馆.txt": "过去的一年里，图书馆的同志们把旧书一本一本修好，把新书一箱一箱搬上楼，来看书的人比从前多了。"
    * 4,
    "食堂.txt": "食堂今年换了两口大锅，早饭多了豆浆和煎饼，师傅们五点起床，从来没有让学生饿着肚子去上课。"
    * 4,
    "车队.txt": "车队一共十二辆车，全年安全行驶四十万公里，每一趟出车之前都要检查轮胎、刹车和灯光，缺一不可。"
    * 4,
}


def _released(home: Path) -> dict[str, str]:
    """The texts of the newest release, by their first characters."""
    connection = sqlite3.connect(home / "corpus.db")
    rows = connection.execute(
        "select t.body from piece_version v join text t on t.sha256 = v.text where v.removed_in is null"
    ).fetchall()
    connection.close()
    return {body[:2]: body for (body,) in rows}


def test_a_piece_on_the_list_is_in_no_further_release_and_comes_back_when_taken_off(fanwen, tmp_path):
    home = tmp_path / "home"
    folder = tmp_path / "files"
    folder.mkdir()
    for name, text in ESSAYS.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert fanwen("ingest", folder).code == 0
    assert fanwen("build").code == 0
    assert fanwen("release", "create", "--json").code == 0
    assert set(_released(home)) == {"过去", "食堂", "车队"}
    text = hashlib.sha256(ESSAYS["食堂.txt"].encode()).hexdigest()
    body = hashlib.sha256((folder / "车队.txt").read_bytes()).hexdigest()
    (home / "takedown.txt").write_text(f"# 两篇\n{text}\nsha256:{body}\n", encoding="utf-8")
    # without a build too: a release never shows what is on the list
    made = json.loads(fanwen("release", "create", "--json").out)
    assert (made["pieces"], set(_released(home))) == (1, {"过去"})
    changes = json.loads(fanwen("release", "diff", made["parent"], made["version"], "--json").out)
    assert {(change["change"], change["why"]) for change in changes} == {("DEL", "takedown")}
    assert fanwen("build").code == 0
    assert set(_released(home)) == {"过去"}
    assert json.loads(fanwen("release", "create", "--json").out) is None
    (home / "takedown.txt").unlink()
    assert fanwen("build").code == 0
    assert set(_released(home)) == {"过去", "食堂", "车队"}


def test_a_wrong_line_stops_the_commands_that_read_it(fanwen, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "takedown.txt").write_text("这不是网址\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text(ESSAYS["食堂.txt"], encoding="utf-8")
    for command in (("ingest", tmp_path / "a.txt"), ("build",)):
        done = fanwen(*command)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "takedown.txt" in done.err
        assert "Line 1" in done.err


def test_a_file_that_the_list_names_is_not_taken(fanwen, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    body = ESSAYS["食堂.txt"].encode()
    (tmp_path / "a.txt").write_bytes(body)
    (tmp_path / "b.txt").write_text(ESSAYS["车队.txt"], encoding="utf-8")
    (home / "takedown.txt").write_text(f"{hashlib.sha256(body).hexdigest()}\n", encoding="utf-8")
    done = fanwen("ingest", tmp_path / "a.txt", tmp_path / "b.txt")
    assert done.code == 0
    assert "1 documents taken" in done.out
    assert "takedown list" in done.err
