"""A takedown request from the mail to the reply, as a maintainer deals with it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from leftovers import left_in, stretches
from small_pdf import write_pdf

MINE = (
    "去年九月，学校把后院的三间旧库房改成了木工坊，我每个星期三下午带着二十六个孩子在那里做板凳、做书架、修课桌。"
    "刚开始谁都不会用刨子，推两下就卡住，刨花断成一截一截的；到了腊月，最小的那个女孩也能推出一整条卷着边的刨花。\n"
    "我们修好了一百一十四把椅子，给图书角添了九个书架，还替幼儿园做了一座小滑梯。每做完一样，孩子们就在底面写上自己的学号。\n"
    "不足的地方也有：电锯的护罩坏了半个月才换，两个孩子的手指被砂纸磨破过；木料全靠家长捐，长短不齐，浪费了不少。"
    "明年打算先把工具柜的钥匙管好，再请镇上的老木匠每月来一次，教孩子们认木纹、开榫头。\n"
)
OTHER = (
    "渡口的早班船五点四十开，我们三个船工轮流掌舵，一年下来送了四万多趟客人，没有误过一班，也没有掉过一件行李。"
    "涨水的那十一天，我们把船拴在老槐树上，每隔两个钟头去看一次缆绳，夜里谁也没有睡过整觉。\n"
    "渡船的发动机大修了一次，换了两个缸套；候船棚漏雨的地方补上了油毡。村里人说，只要看见船头那盏灯亮着，心里就踏实。"
    "来年想把上船的跳板加宽一尺，让推车的人不用再绕到下游去。\n"
)
NEAR = MINE.replace("孩子", "学生").replace("板凳", "凳子")
TRADITIONAL = MINE.translate(
    str.maketrans(
        "学库个带着块转边书课桌开会两刨断截腊这还给园滑样号图写电锯护罩坏换纸过长齐费钥匙镇匠请认纹头们师边",
        "學庫個帶著塊轉邊書課桌開會兩刨斷截臘這還給園滑樣號圖寫電鋸護罩壞換紙過長齊費鑰匙鎮匠請認紋頭們師邊",
    )
)


@pytest.fixture
def home(fanwen: Any, tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "木工坊.txt").write_text(MINE, encoding="utf-8")
    (folder / "木工坊副本.txt").write_text(MINE, encoding="gb18030")
    (folder / "近似.md").write_text(NEAR, encoding="utf-8")
    (folder / "繁體.txt").write_text(TRADITIONAL, encoding="utf-8")
    (folder / "渡口.txt").write_text(OTHER, encoding="utf-8")
    (folder / "木工坊.pdf").write_bytes(write_pdf(MINE.replace("\n", "")))
    assert fanwen("ingest", folder).code == 0
    assert fanwen("build").code == 0
    assert fanwen("release", "create").code == 0
    return tmp_path / "home"


def rows(home: Path, sql: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(home / "corpus.db")
    found = db.execute(sql).fetchall()
    db.close()
    return found


def test_from_the_mail_to_the_reply(fanwen: Any, home: Path, tmp_path: Path) -> None:
    (tmp_path / "mail.txt").write_text(MINE, encoding="gb18030")
    before = rows(home, "select piece, leaf from piece_version where removed_in is null")
    seen = json.loads(fanwen("takedown", "hold", "--text", tmp_path / "mail.txt", "--dry-run", "--json").out)
    assert len(seen["pieces"]) == 5
    assert len(seen["releases"]) == 1
    assert rows(home, "select piece, leaf from piece_version where removed_in is null") == before
    assert rows(home, "select * from takedown_journal") == []
    shown = fanwen("takedown", "hold", "--text", tmp_path / "mail.txt", "--dry-run").out
    assert f"Releases whose files hold the text: {seen['releases'][0]}." in shown

    options = ("--case", "2026-7", "--basis", "copyright", "--received", "2026-11-20")
    held = fanwen("takedown", "hold", "--text", tmp_path / "mail.txt", *options)
    assert (held.code, held.err) == (0, "")
    assert "Case 2026-7: 5 pieces are on hold." in held.out
    assert json.loads(fanwen("search", "木工坊", "--json").out)["total"] == 0
    assert "2026-11-20 提出的请求（编号 2026-7，依据：著作权）" in fanwen("takedown", "reply", "2026-7").out

    assert fanwen("takedown", "lift", "--case", "2026-7").out == "5 pieces are back.\n"
    assert rows(home, "select piece, leaf from piece_version where removed_in is null") == before
    assert fanwen("takedown", "hold", "--text", tmp_path / "mail.txt", "--case", "2026-7").code == 0
    purged = fanwen("takedown", "purge", "--case", "2026-7")
    assert (purged.code, purged.err) == (0, "")
    assert "Case 2026-7 is erased and proved" in purged.out
    assert seen["releases"][0] in purged.out

    listed = json.loads(fanwen("takedown", "list", "--json").out)
    assert [(one["case_id"], one["state"], len(one["purged"])) for one in listed] == [("2026-7", "purged", 5)]
    assert "2026-7" in fanwen("takedown", "list").out
    reply = fanwen("takedown", "reply", "2026-7", "--lang", "en").out
    assert "5 texts were erased for good" in reply
    assert f"in their files: {seen['releases'][0]}." in reply
    assert reply.count("urn:sha256:") == 5

    wanted = stretches([MINE, NEAR, TRADITIONAL, MINE.replace("\n", "")], [OTHER])
    assert left_in(home, wanted, but=[f"releases/{seen['releases'][0]}"]) == []
    actions = [action for (action,) in rows(home, "select action from takedown_journal order by id")]
    assert actions == ["hold", "lift", "hold", "purge", "erased"]
    assert "holds what was taken down (2026-7)" in fanwen("release", "list").out
    again = fanwen("takedown", "reissue", "all", "--delete-withdrawn")
    assert f"{seen['releases'][0]} is withdrawn and replaced by" in again.out
    assert left_in(home, wanted) == []
    assert rows(home, "select action from takedown_journal order by id")[5:] == [("reissue",)]
    former, issued = (line.split() for line in fanwen("release", "list").out.splitlines()[1:])
    assert (former[-1], issued[-3:]) == ("withdrawn", [former[0], "issued", "again"])
    assert fanwen("release", "diff", former[0], issued[0]).out == (
        f"Nothing differs between {former[0]} and {issued[0]}.\n"
    )
    told = " ".join(str(row) for row in rows(home, "select * from takedown_journal"))
    assert not [one for one in wanted if one in told]
    assert fanwen("verify").code == 0
    assert fanwen("release", "verify").code == 0
    assert fanwen("takedown", "reissue", "all").out == "No release holds anything that was taken down.\n"


def test_what_was_erased_is_not_taken_in_again(fanwen: Any, home: Path, tmp_path: Path) -> None:
    (target,) = {
        url
        for url, body in rows(
            home,
            "select d.url, t.body from piece_version v join piece p on p.id = v.piece"
            " join document d on d.id = p.document join text t on t.sha256 = v.text",
        )
        if body.strip() == OTHER.strip()
    }
    before = tmp_path / "before.warc.gz"
    assert fanwen("archive", "export", before).code == 0
    done = fanwen("takedown", "purge", target, "--basis", "privacy", "--json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)[0]["bodies"]) == 1
    (tmp_path / "又来.txt").write_text(OTHER.replace("渡船", "木船"), encoding="utf-8")
    assert fanwen("ingest", tmp_path / "files").code == 0
    assert fanwen("ingest", before).code == 0
    before.unlink()
    assert fanwen("ingest", tmp_path / "又来.txt").code == 0
    assert json.loads(fanwen("build", "--json").out)["rejects"] == {"tombstoned": 1}
    assert left_in(home, stretches([OTHER]), but=["releases"]) == []
    assert fanwen("explain", target).code == 2
    assert "was erased in the takedown" in fanwen("explain", target).err
    exported = tmp_path / "out.warc.gz"
    assert fanwen("archive", "export", exported).code == 0
    assert left_in(tmp_path, stretches([OTHER]), but=["files", "home/releases"]) != []  # the file itself
    (tmp_path / "又来.txt").unlink()
    assert left_in(tmp_path, stretches([OTHER]), but=["files", "home/releases"]) == []
    assert fanwen("verify").code == 0


WRONG = {
    "nothing named": (("takedown", "hold"), "Name what is meant"),
    "unknown": (("takedown", "hold", "http://none.example/1.html"), "No piece is known"),
    "no date": (("takedown", "hold", "{piece}", "--received", "gestern"), "is no date"),
    "no case": (("takedown", "hold", "{piece}", "--case", "a/b"), "cannot name a case"),
    "no such case": (("takedown", "lift", "--case", "2026-9"), "Nothing is on hold"),
    "not on hold": (("takedown", "lift", "{piece}"), "Nothing of this is on hold"),
    "no case to reply to": (("takedown", "reply", "2026-9"), "no case"),
    "no file": (("takedown", "hold", "--text", "none.txt"), "cannot be read"),
    "nothing on hold": (("takedown", "purge", "--case", "2026-9"), "Name what is meant"),
    "no release": (("takedown", "reissue", "2026.1.0"), "no release 2026.1.0"),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_wrong_is_told_in_a_sentence(fanwen: Any, home: Path, words: str) -> None:
    arguments, told = WRONG[words]
    piece = rows(home, "select piece from piece_version order by 1 limit 1")[0][0]
    done = fanwen(*(word.format(piece=f"piece:{piece}") for word in arguments))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert told in done.err
    assert rows(home, "select * from takedown_journal") == []


def test_a_whole_host_is_erased_only_when_that_is_said(fanwen: Any, tmp_path: Path) -> None:
    rows_in = [
        {"id": n, "text": text, "url": f"http://www.mu.example/{n}"} for n, text in enumerate((MINE, OTHER))
    ]
    (tmp_path / "ready.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows_in))
    assert fanwen("ingest", "--pieces", tmp_path / "ready.jsonl").code == 0
    refused = fanwen("takedown", "purge", "mu.example")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "all 2 pieces of mu.example" in refused.err
    assert len(rows(tmp_path / "home", "select 1 from text where body is not null")) == 2
    assert fanwen("takedown", "purge", "mu.example", "--yes").code == 0
    assert rows(tmp_path / "home", "select 1 from text where body is not null") == []
    assert fanwen("verify").code == 0


def test_what_only_a_person_can_look_at_is_told(fanwen: Any, home: Path) -> None:
    (piece,) = (
        p
        for p, body in rows(
            home, "select v.piece, t.body from piece_version v join text t on t.sha256 = v.text"
        )
        if "渡口" in body
    )
    (home / "fanwen.toml").write_text(f'takedown = "{OTHER[:30]}"\n', encoding="utf-8")
    done = fanwen("takedown", "purge", f"piece:{piece}", "--reissue")
    assert "Releases made before held it" in done.out
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "fanwen.toml; look through these yourself" in done.err
    assert fanwen("build").code == 0  # nothing is held up by it


def test_a_purge_that_was_interrupted_is_ended_by_the_same_command(fanwen: Any, home: Path) -> None:
    (piece,) = (
        p
        for p, body in rows(
            home, "select v.piece, t.body from piece_version v join text t on t.sha256 = v.text"
        )
        if "渡口" in body
    )
    with mock.patch("fanwen.corpus.erase._from_archive", side_effect=KeyboardInterrupt):
        assert fanwen("takedown", "purge", f"piece:{piece}", "--case", "7").code == 5
    assert json.loads(fanwen("takedown", "list", "--json").out)[0]["state"] == "erasing"
    assert left_in(home, stretches([OTHER]), but=["releases"]) != []
    again = fanwen("takedown", "purge", f"piece:{piece}", "--case", "7")
    assert (again.code, again.err) == (0, "")
    assert "Case 7 is erased" in again.out
    assert left_in(home, stretches([OTHER]), but=["releases"]) == []


def test_a_case_keeps_its_ground(fanwen: Any, home: Path) -> None:
    one, two, *_ = (
        f"piece:{piece}" for (piece,) in rows(home, "select distinct piece from piece_version order by 1")
    )
    first = json.loads(fanwen("takedown", "hold", one, "--basis", "privacy", "--json").out)["case"]
    changed = fanwen("takedown", "hold", two, "--case", first["case_id"], "--basis", "copyright")
    assert (changed.code, "is known with basis privacy" in changed.err) == (2, True)
    assert fanwen("takedown", "lift", one, "--dry-run").code == 0
    second = json.loads(fanwen("takedown", "hold", two, "--json").out)["case"]
    assert second["case_id"] != first["case_id"]
    assert second["basis"] == "other"
    assert json.loads(fanwen("takedown", "lift", one, two, "--json").out)["lifted"] >= 2
    assert {one["state"] for one in json.loads(fanwen("takedown", "list", "--json").out)} == {"lifted"}
