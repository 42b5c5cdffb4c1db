"""Masking at release: what no released file may hold, and what stays the same when it is masked."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zstandard
from leftovers import everything
from sqlite_utils import Database

import fanwen
from fanwen.cleaners import privacy
from fanwen.cleaners.mask import mask_piece
from fanwen.cleaners.types import Span
from fanwen.corpus import exports, masked, masking, release, release_changes, release_index, verify
from fanwen.corpus.home import Home as RealHome
from fanwen.corpus.identity import leaf, root, text_hash
from fanwen.corpus.pieces import ingest_pieces
from fanwen.corpus.schema import migrations
from fanwen.errors import UsageError

PHONE, ID, EMAIL, QQ = "13812345678", "11010519491231002X", "lan.shan@post.example.cn", "287654321"
NAG_PHONE, INNER_PHONE = "13998765432", "13698765432"
WHOLE = masking.KINDS


@pytest.fixture
def pages(write: Any, html: Any) -> dict[str, bytes]:
    """Names in title, salutation, signature and prose; numbers in text and nags; copies that differ in them."""
    letter = (
        f"尊敬的韩梦洁老师：\n{write(1)}\n村民李大山送来锦旗，他的电话是{PHONE}，身份证号{ID}。\n"
        f"来信请寄{EMAIL}，或者加QQ：{QQ}。李大山还说，村里的路修好了。\n申请人：赵小兵\n2022年5月1日"
    )
    other = letter.replace("李大山", "孙立强").replace(PHONE, "13787654321")
    placeholders = f"{write(3)}\n我是xx镇的[姓名]，联系人是村民周建军，他住在**村。\n{write(4)}"
    inner = f"点击下载本文档，代写范文请加客服微信或致电{INNER_PHONE}，找李大山老师"
    nag = f"<p>需要代写请联系微信客服电话{NAG_PHONE}，找李大山老师</p>".encode()
    return {
        "letter": html("李大山先进事迹材料", letter).replace(b"</div>", nag + b"</div>"),
        "copy": html("先进事迹材料", other),
        "several": html("韩梦洁的申请书", letter, write(7) + "\n大家都想起李大山。", write(8)),
        "plain": html("工作总结", write(5), write(6)),
        "inner": html("工作总结", f"{write(9)}\n村民李大山来了。\n{inner}\n{write(10)}"),
        "marks": html("读后感", placeholders),
    }


@pytest.fixture
def released(home: Any, pages: dict[str, bytes]) -> Path:
    home.serve(pages)
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    return Path(home.releases / made.version)


def unpacked(folder: Path, scratch: Path) -> Path:
    target = scratch / f"{folder.name}.db"
    exports.unpack_database(folder, target)
    return target


def strings(path: Path) -> Iterator[tuple[str, str]]:
    """(table and column, value) of every value of a database, blobs as hex."""
    with closing(sqlite3.connect(path)) as db:
        for (table,) in db.execute("select name from sqlite_master where type = 'table'").fetchall():
            if not table.startswith(("sqlite_", "search_grams")):
                cursor = db.execute(f"select * from {table}")
                names = [column[0] for column in cursor.description]
                for row in cursor:
                    for name, value in zip(names, row, strict=True):
                        yield f"{table}.{name}", value.hex() if isinstance(value, bytes) else str(value)


def spans_by_document(path: Path) -> dict[str, set[tuple[str, str]]]:
    """(kind, string) of every stored span, by the URL of its document."""
    found: dict[str, set[tuple[str, str]]] = {}
    with closing(sqlite3.connect(path)) as db:
        for url, body, title, spans, titled in db.execute(
            "select d.url, t.body, v.title, v.privacy, v.title_privacy from piece_version v"
            " join text t on t.sha256 = v.text join piece p on p.id = v.piece join document d on d.id = p.document"
        ):
            for text, stored in ((body, spans), (title, titled)):
                for span in json.loads(stored):
                    here = found.setdefault(url, set())
                    here.add((span["kind"], text[span["begin"] : span["end"]]))
                    if span["value"]:
                        here.add((span["kind"], span["value"]))
    return found


def documents(path: Path) -> dict[str, str]:
    """All strings of each document of a released database, by its URL."""
    found: dict[str, list[str]] = {}
    with closing(sqlite3.connect(path)) as db:
        for query in (
            "select d.url, v.title, v.privacy, v.edits, v.genre_evidence, t.body, o.body, q.body"
            " from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document"
            " join text t on t.sha256 = v.text join text o on o.sha256 = v.text_original"
            " left join text q on q.sha256 = v.published",
            "select d.url, d.name, dv.* from document_version dv join document d on d.id = dv.document",
            "select d.url, h.example from rule_hit h join document_version v on v.id = h.document_version"
            " join document d on d.id = v.document",
            "select d.url, r.detail from reject r join document_version v on v.id = r.document_version"
            " join document d on d.id = v.document",
        ):
            for url, *values in db.execute(query):
                found.setdefault(url, []).extend(str(value) for value in values)
    return {url: "\n".join(values) for url, values in found.items()}


def test_nothing_that_is_stored_as_a_span_is_in_a_release(home: Any, released: Path, tmp_path: Path) -> None:
    stored = spans_by_document(home.corpus)
    found = {one for spans in stored.values() for one in spans}
    expected = {PHONE, ID, EMAIL, QQ, "李大山", "韩梦洁", "赵小兵", "孙立强", "周建军"}
    assert expected <= {string for _, string in found}
    said = everything(released.parent)
    with closing(sqlite3.connect(home.corpus)) as db:  # cut out of the text, kept in its original
        held = "select count(*) from piece_version join text on sha256 = {} where instr(body, ?)"
        assert db.execute(held.format("text_original"), (INNER_PHONE,)).fetchone() == (1,)
        assert db.execute(held.format("text"), (INNER_PHONE,)).fetchone() == (0,)
    for kind, string in found | {("phone", NAG_PHONE), ("phone", INNER_PHONE)}:
        if kind != "person":
            assert string not in said, string
    by_document = documents(unpacked(released, tmp_path))
    for url, spans in stored.items():
        for kind, string in spans:
            if kind == "person" and len(string) > 1:
                assert string not in by_document[url], (url, string)
    with closing(sqlite3.connect(home.corpus)) as db:
        unmasked = {
            row[0]
            for row in db.execute(
                "select text from piece_version where text <> published union"
                " select text_original from piece_version where privacy <> '[]'"
            )
        }
    assert len(unmasked) >= 4
    assert not [one for one in unmasked if one in said]


def test_a_name_has_one_number_and_placeholders_stay(released: Path) -> None:
    with fanwen.open(released) as corpus:
        pieces = {(p.url.rpartition("/")[2], p.place): p for p in corpus.pieces(default=False)}
    letter = pieces["letter", 1]
    assert letter.text is not None
    assert "村民〔人名2〕送来锦旗，他的电话是〔电话〕，身份证号〔身份证号〕。" in letter.text
    assert "〔人名2〕还说" in letter.text
    assert letter.title == "〔人名2〕先进事迹材料"
    assert (pieces["several", 2].text or "").endswith("大家都想起〔人名1〕。")
    marks = pieces["marks", 1].text or ""
    assert re.search(r"我是xx镇的\[姓名\]，联系人是村民〔人名\d+〕，他住在\*\*村。", marks)


def test_what_is_published_is_what_the_cleaners_mask(home: Any, released: Path) -> None:
    with closing(sqlite3.connect(home.corpus)) as db:
        rows = db.execute(
            "select t.body, v.title, v.privacy, v.published, v.published_title, v.masked from piece_version v"
            " join text t on t.sha256 = v.text"
        ).fetchall()
    masks = 0
    for body, title, spans, published, published_title, counts in rows:
        known = [Span(**span) for span in json.loads(spans)]
        masked_title, masked = mask_piece(title, body, known)
        assert text_hash(masked) == published
        if "韩梦洁" not in title:
            assert masked_title == published_title
        masks += sum(json.loads(counts).values())
    assert masks == sum(home.build().masked.values())


def test_masks_that_a_text_brings_along_stay_and_are_counted_on() -> None:
    text = "〔人名2〕的电话是〔电话〕，村民李大山的也是。"
    stored = masking.Stored("李大山和〔人名2〕", text, privacy.spans(text))
    (published,) = masking.publish([stored], WHOLE)
    assert published.text == "〔人名2〕的电话是〔电话〕，村民〔人名3〕的也是。"
    assert published.title == "〔人名3〕和〔人名2〕"
    assert (published.title, published.text) == mask_piece(stored.title, text, stored.privacy)
    again = masking.Stored(published.title, published.text, privacy.spans(published.text))
    (twice,) = masking.publish([again], WHOLE)
    assert (twice.title, twice.text, twice.masked) == (published.title, published.text, {})


def test_spans_and_placeholders_of_a_release_are_where_they_say(released: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(unpacked(released, tmp_path))) as db:
        rows = db.execute(
            "select v.privacy, v.title_privacy, v.placeholders, t.body, v.title from piece_version v"
            " join text t on t.sha256 = v.text"
        ).fetchall()
    marks = own = 0
    for spans, titled, placeholders, body, title in rows:
        for text, stored in ((body, spans), (title, titled)):
            for span in json.loads(stored):
                assert text[span["begin"]] == "〔"
                assert text[span["end"] - 1] == "〕"
                assert span["value"] is None
                marks += 1
        found = [Span("placeholder", m["begin"], m["end"]) for m in json.loads(placeholders)]
        assert found == list(privacy.placeholders(body))
        own += len(found)
    assert marks > 10
    assert own >= 3


def test_a_release_database_verifies_like_a_corpus(released: Path, tmp_path: Path) -> None:
    assert verify.verify(unpacked(released, tmp_path)) == []
    assert release.verify(released).pieces == 9


def test_copies_that_differ_in_a_name_become_exact(home: Any, released: Path, tmp_path: Path) -> None:
    def keys(path: Path) -> list[str]:
        with closing(sqlite3.connect(path)) as db:
            return [
                row[0]
                for row in db.execute(
                    "select f.key from piece_version v join fingerprint f on f.text = v.text"
                    " join piece p on p.id = v.piece join document d on d.id = p.document"
                    " where d.url like '%/letter' or d.url like '%/copy'"
                )
            ]

    def related(path: Path) -> int:
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("select count(*) from relation where a >= b").fetchone()[0] == 0
            return int(db.execute("select count(*) from relation where removed_in is null").fetchone()[0])

    database = unpacked(released, tmp_path)
    assert len(set(keys(home.corpus))) == 2
    assert len(set(keys(database))) == 1
    assert related(database) < related(home.corpus)
    with fanwen.open(released) as corpus:
        piece = next(p for p in corpus.pieces(default=False) if p.url.endswith("/copy"))
        assert "exact" in {relation.relation for relation in corpus.relations(piece.piece_id)}


def test_the_policy_says_which_kinds_a_release_shows(
    home: Any, pages: dict[str, bytes], tmp_path: Path
) -> None:
    home.serve(pages)
    kinds = frozenset({"phone", "id_card"})
    home.build(mask=kinds)
    made = release.create(home.corpus, home.releases, mask=kinds)
    assert made is not None
    said = everything(home.releases / made.version)
    assert PHONE not in said
    assert ID not in said
    assert NAG_PHONE not in said
    assert EMAIL in said
    assert "李大山" in said
    manifest = json.loads((home.releases / made.version / exports.MANIFEST).read_text())
    assert manifest["mask"] == ["id_card", "phone"]
    assert verify.verify(home.corpus) == []


def test_another_policy_is_a_new_state_without_cleaning(
    home: Any, released: Path, pages: dict[str, bytes], tmp_path: Path
) -> None:
    first = home.build()
    kinds = WHOLE - {"person"}
    report = home.build(mask=kinds)
    with closing(sqlite3.connect(home.corpus)) as db:
        (named,) = db.execute(
            "select count(*) from piece_version where removed_in is not null"
            " and (privacy like '%\"person\"%' or title_privacy like '%\"person\"%')"
        ).fetchone()
    assert named >= 5
    assert (report.cleaned, report.remasked) == (0, named)
    assert "person" in first.masked
    assert "person" not in report.masked
    made = release.create(home.corpus, home.releases, mask=kinds)
    assert made is not None
    assert {(c.change, c.why) for c in release_changes.diff(home.corpus, released.name, made.version)} == {
        ("MOD", "masking")
    }
    with closing(sqlite3.connect(home.corpus)) as db:
        assert db.execute(
            "select distinct removed_why from piece_version where removed_in = 2"
        ).fetchall() == [("masking",)]
    assert release.create(home.corpus, home.releases, mask=kinds) is None
    assert verify.verify_home(home.archive, home.corpus, home.releases) == []
    database = unpacked(home.releases / made.version, tmp_path)
    assert verify.verify(database) == []
    with fanwen.open(database) as corpus:
        then = {p.piece_id: p.text or "" for p in corpus.pieces(default=False, as_of=released.name)}
        now = {p.piece_id: p.text or "" for p in corpus.pieces(default=False)}
        assert len(corpus.diff(released.name)) == named
    assert not [text for text in then.values() if "赵小兵" in text]
    assert [text for text in now.values() if "赵小兵" in text]
    # back again: as if it had never been otherwise
    home.build()
    again = release.create(home.corpus, home.releases)
    assert again is not None
    assert again.root == release.verify(released).root


class StoppedError(Exception):
    """Stands for whatever ends a process in the middle."""


@pytest.mark.parametrize("back", [True, False])
def test_stopped_while_masking_anew(
    home: Any, released: Path, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    """Goes on where it stopped, and with the earlier kinds again as if nothing had been."""

    def stop(step: str, done: int, total: int) -> None:
        if step == "masking" and done == 2:
            raise StoppedError

    monkeypatch.setattr(masking, "BATCH", 1)
    kinds = WHOLE - {"person", "phone"}
    with pytest.raises(StoppedError):
        home.build(mask=kinds, progress=stop)
    assert verify.verify(home.corpus) == []
    if back:
        assert home.build().remasked > 0
        assert release.create(home.corpus, home.releases) is None
    else:
        home.build(mask=kinds)
        assert release.create(home.corpus, home.releases, mask=kinds) is not None
        assert home.build(mask=kinds).remasked == 0
    assert verify.verify_home(home.archive, home.corpus, home.releases) == []


def test_a_policy_that_is_taken_back_before_a_release_makes_none(home: Any, released: Path) -> None:
    home.build(mask=frozenset())
    home.build()
    assert release.create(home.corpus, home.releases) is None
    assert verify.verify(home.corpus) == []


def test_hash_seed_and_order_do_not_matter(new_home: Any, pages: dict[str, bytes]) -> None:
    script = (
        "import sys, pathlib\nfrom fanwen.corpus import build, release\n"
        "home = pathlib.Path(sys.argv[1])\n"
        "build.build(home / 'archive.db', home / 'corpus.db', workers=1)\n"
        "release.create(home / 'corpus.db', home / 'releases')\n"
    )
    roots, sums = [], []
    for seed, ordered in (("1", list(pages)), ("2", list(reversed(pages)))):
        home = new_home(f"seed{seed}")
        home.serve({name: pages[name] for name in ordered})
        subprocess.run(
            [sys.executable, "-c", script, str(home.path)],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        (made,) = release_index.listing(home.releases)
        roots.append(made.root)
        with zstandard.open(home.releases / made.version / exports.PIECES, "rb") as stream:
            sums.append(stream.read())
    assert roots[0] == roots[1]
    assert sums[0] == sums[1]


def test_ready_made_pieces_are_masked_too(tmp_path: Path, write: Any) -> None:
    file = tmp_path / "ready.jsonl"
    text = f"{write(1)}\n村民李大山的电话是{PHONE}。"
    row = {"id": 1, "text": text, "title": "李大山同志事迹"}
    file.write_text(json.dumps(row), encoding="utf-8")
    corpus = tmp_path / "corpus.db"
    ingest_pieces(corpus, file, "s")
    with fanwen.open(corpus) as opened:
        assert [p.text for p in opened.pieces()] == [text]
    made = release.create(corpus, tmp_path / "releases")
    assert made is not None
    folder = tmp_path / "releases" / made.version
    said = everything(folder)
    assert PHONE not in said
    assert "李大山" not in said
    assert text_hash(text) not in said
    with fanwen.open(folder) as opened:
        (piece,) = opened.pieces()
    assert piece.title == "〔人名1〕同志事迹"
    ingest_pieces(corpus, file, "s")
    assert release.create(corpus, tmp_path / "releases") is None


def test_a_kind_that_is_none_is_told(tmp_path: Path) -> None:
    home = RealHome(tmp_path)
    assert home.config().mask == WHOLE
    home.config_file.write_text('mask = ["phone", "shoe"]\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"'mask' is wrong: 'shoe' is no kind .* phone, id_card") as told:
        home.config()
    assert "\n" not in str(told.value)
    home.config_file.write_text("mask = []\n", encoding="utf-8")
    assert home.config().mask == frozenset()


def test_an_original_that_does_not_fit_its_edits_is_withheld(
    home: Any, pages: dict[str, bytes], tmp_path: Path
) -> None:
    home.serve(pages)
    home.build()
    with closing(sqlite3.connect(home.corpus)) as db, db:
        wrong = '[{"after":"","before":"不在这里","begin":3,"rule":"r"}]'
        changed = db.execute(
            "update piece_version set edits = ? where privacy like '%phone%'", (wrong,)
        ).rowcount
        assert changed >= 3
    made = release.create(home.corpus, home.releases)
    assert made is not None
    folder = home.releases / made.version
    database = unpacked(folder, tmp_path)
    with closing(sqlite3.connect(database)) as db:
        assert db.execute(
            "select count(*), max(edits), max(t.body) from piece_version join text t on t.sha256 = text_original"
            " where text_original = 'withheld'"
        ).fetchone() == (changed, "[]", None)
    assert verify.verify(database) == []
    assert PHONE not in everything(folder)


def test_a_text_that_was_taken_down_keeps_its_leaf_only(home: Any, released: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(home.corpus)) as db, db:
        (gone,) = db.execute(
            "select piece from piece_version v join text t on t.sha256 = v.text"
            " where instr(t.body, '孙立强') and title_privacy = '[]'"
        ).fetchone()
        db.execute(
            "update text set body = null where sha256 in (select text from piece_version where piece = ?1 union"
            " select text_original from piece_version where piece = ?1 union"
            " select published from piece_version where piece = ?1)",
            (gone,),
        )
        db.execute(
            "update piece_version set withdrawn = '2026-1' where published in"
            " (select published from piece_version where piece = ?)",
            (gone,),
        )
    home.serve({"later": home.pages["plain"]}, day=2)
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    database = unpacked(home.releases / made.version, tmp_path)
    with fanwen.open(database) as corpus:
        found = {p.piece_id: p for p in corpus.pieces(default=False)}
    assert found[gone].text is None
    # copies that are the same once they are masked share one text, and lose it together
    for piece in found.values():
        assert (piece.text is None) == (piece.text_sha256 == found[gone].text_sha256)
    assert "孙立强" not in everything(home.releases / made.version)
    assert verify.verify(database) == []


def test_copies_that_are_masked_otherwise_stay_related(home: Any, write: Any, html: Any) -> None:
    """A name that only one of two documents gives away is masked there only."""
    text = write(1) + "\n他们翻过石林山，到了河边。"
    home.serve({"a": html("工作总结", text), "b": html("工作总结", text, write(2) + "\n申请人：石林山")})
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    with fanwen.open(home.releases / made.version) as corpus:
        pieces = {(p.url[-1], p.place): p for p in corpus.pieces(default=False)}
        one, other = pieces["a", 1], pieces["b", 1]
        assert (one.text or "").endswith("他们翻过石林山，到了河边。")
        assert re.search(r"他们翻过〔人名\d+〕，到了河边。$", other.text or "")
        assert one.cluster == other.cluster
        (relation,) = [r for r in corpus.relations(one.piece_id) if other.piece_id in (r.a, r.b)]
        assert relation.relation == "near"
        assert 0.9 < relation.jaccard < 1


def test_an_example_that_was_cut_in_a_number_shows_no_part_of_it() -> None:
    known = masked._Known("", {PHONE: ("phone", PHONE), "李大山": ("person", "李大山")}, (), WHOLE, False)
    words = "联系我们" * 40
    for secret, shown in (
        (PHONE[:6], ""),
        ("李大", ""),
        ("13700001", ""),
        ("李", "李"),
        ("二〇二五", "二〇二五"),
    ):
        whole = words[: 120 - len(secret)]
        assert known.without_torn_end(whole + secret) == whole + shown
    assert known.without_torn_end("联系13812") == "联系13812"


def test_init_writes_the_kinds_and_explain_shows_the_masks(tmp_path: Path) -> None:
    def fanwen_says(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "fanwen.corpus.cli", *arguments, "--home", str(tmp_path / "home")],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    fanwen_says("init", "--contact", "a@b.example", "--takedown", "a@b.example", "--disk-budget-gb", "1")
    config = tmp_path / "home" / "fanwen.toml"
    assert tomllib.loads(config.read_text())["mask"] == list(privacy.KINDS)
    assert RealHome(tmp_path / "home").config().mask == WHOLE
    file = tmp_path / "总结.txt"
    text = f"村民李大山的电话是{PHONE}。我们把这一年的工作做得更细，大家都很满意，明年还要做得更好。\n" * 6
    file.write_text(f"社区工作总结\n{text}", encoding="utf-8")
    said = fanwen_says("explain", str(file))
    assert f"李大山 → 〔人名1〕; {PHONE} → 〔电话〕" in said
    assert f"村民李大山的电话是{PHONE}。" in said
    config.write_text('mask = ["phone"]\n')
    (piece,) = json.loads(fanwen_says("explain", str(file), "--json"))["pieces"]
    assert piece["masks"] == [f"{PHONE} → 〔电话〕"]


# -- a corpus of an earlier fanwen ------------------------------------------------------------------


def as_made_by_the_first_migration(path: Path, state: str | None) -> None:
    """Rewrite a corpus as m001 alone had it: its rows without what came later, leaves over what they hold.

    ``state`` is that of its release; None where there was none.
    """
    old = path.with_name("old.db")
    with closing(sqlite3.connect(old, isolation_level=None)) as db:
        migrations.apply(Database(db), stop_before="m002_masking")
        db.execute("attach ? as new", (str(path),))
        tables = db.execute(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'"
            " and name not like '\\_sqlite%' escape '\\' and name not like 'search\\_%' escape '\\'"
        ).fetchall()
        for (table,) in tables:
            columns = ", ".join(row[1] for row in db.execute(f"pragma main.table_info({table})").fetchall())
            db.execute(f"insert into main.{table} ({columns}) select {columns} from new.{table}")
        db.execute("delete from setting where name = 'mask'")
        db.execute(
            "delete from text where sha256 not in"
            " (select text from piece_version union select text_original from piece_version)"
        )
        rows = db.execute(
            "select v.id, v.piece, v.text, v.title, d.url, v.flags, v.genre, v.script, v.cluster, v.is_canonical"
            " from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document"
        ).fetchall()
        for number, piece, text, title, url, flags, *rest in rows:
            hashed = leaf(piece, text, title, url, json.loads(flags), *rest)
            db.execute("update piece_version set leaf = ? where id = ?", (hashed, number))
        db.execute("update piece_version set privacy = '[]' where piece like 's:%'")  # nobody looked
        db.execute("update document_version set state_hash = 'of an earlier fanwen'")
        leaves = [row[0] for row in db.execute("select leaf from piece_version where removed_in is null")]
        db.execute("update release set root = ?, state = ?", (root(leaves), state or "published"))
        if state is None:
            db.execute("delete from release")
        assert db.execute("select name from _sqlite_migrations").fetchall() == [("m001_first",)]
        assert "published" not in {row[1] for row in db.execute("pragma table_info(piece_version)")}
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    shutil.move(old, path)


@pytest.mark.parametrize("state", ["published", "prepared", None])
def test_a_corpus_of_an_earlier_fanwen(
    new_home: Any, pages: dict[str, bytes], tmp_path: Path, state: str | None
) -> None:
    fresh, home = new_home("fresh"), new_home("earlier")
    ready = tmp_path / "ready.jsonl"
    ready.write_text(json.dumps({"id": 1, "text": f"村民李大山的电话是{PHONE}。"}), encoding="utf-8")
    for one in (fresh, home):
        one.serve(pages)
        one.build()
        ingest_pieces(one.corpus, ready, "s", fetched_at="2026-02-01T00:00:00Z")
        release.create(one.corpus, one.releases)
    as_made_by_the_first_migration(home.corpus, state)
    if state == "published":  # a release of that time is still read and verified
        folder = tmp_path / "2026.3.0"
        folder.mkdir()
        (folder / exports.DATABASE).write_bytes(zstandard.compress(home.corpus.read_bytes()))
        (tmp_path / "scratch").mkdir()
        computed, count, stored = exports.database_root(folder, tmp_path / "scratch")
        assert computed == stored
        with fanwen.open(folder) as corpus:
            assert len(list(corpus.pieces(default=False))) == count == 10
    shutil.rmtree(home.releases)
    with pytest.raises(UsageError, match="earlier fanwen; run 'fanwen build'"):
        fanwen.open(home.corpus)
    report = home.build()
    assert report.cleaned == report.documents == len(pages)
    made = release.create(home.corpus, home.releases)
    assert made is not None
    (expected,) = release_index.listing(fresh.releases)
    assert made.root == expected.root
    assert made.parent == ("2026.3.0" if state else None)
    assert verify.verify(home.corpus) == []
    database = unpacked(home.releases / made.version, tmp_path)
    assert verify.verify(database) == []
    said = "\n".join(value for _, value in strings(database))
    for kind, string in {one for spans in spans_by_document(home.corpus).values() for one in spans}:
        assert kind == "person" or string not in said
    with fanwen.open(database) as corpus:
        for known in corpus.releases:
            texts = [p.text or "" for p in corpus.pieces(default=False, as_of=known.version)]
            assert len(texts) == 10
            assert not [text for text in texts if "李大山" in text or "赵小兵" in text]
    with closing(sqlite3.connect(home.corpus)) as db:
        claims = db.execute("select claims from document_version where removed_in is null").fetchall()
        assert db.execute(
            "select count(*) from piece_version where removed_in is null and published is null"
        ).fetchone() == (0,)
    assert len(claims) == len(pages) + 1


def test_claims_are_kept_with_their_line_and_published_masked(home: Any, write: Any, tmp_path: Path) -> None:
    line = "作者：李大山 来源：晨光文库 发布时间：2023-05-06"
    body = (
        f"<html><head><meta charset='utf-8'><title>读后感</title></head><body><h1>读后感</h1><p>{line}</p>"
        f"<div class='content'>{''.join(f'<p>{p}</p>' for p in write(1).split())}</div></body></html>"
    )
    home.serve({"a": body.encode()})
    home.build()
    made = release.create(home.corpus, home.releases)
    assert made is not None
    query = "select claims, claimed_author, claimed_source, claimed_published from document_version"
    said = []
    for path in (home.corpus, unpacked(home.releases / made.version, tmp_path)):
        with closing(sqlite3.connect(path)) as db:
            claims, *values = db.execute(query).fetchone()
        for claim in json.loads(claims):
            assert claim["line"][claim["begin"] : claim["end"]] == claim["value"]
        said.append(({claim["kind"]: claim["value"] for claim in json.loads(claims)}, values))
    assert said[0] == (
        {"author": "李大山", "source": "晨光文库", "published": "2023-05-06"},
        ["李大山", "晨光文库", "2023-05-06"],
    )
    author = said[1][1][0]
    assert re.fullmatch(r"〔人名\d+〕", author)
    assert said[1] == (
        {"author": author, "source": "晨光文库", "published": "2023-05-06"},
        [author, "晨光文库", "2023-05-06"],
    )
