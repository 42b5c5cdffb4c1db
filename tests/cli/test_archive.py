"""``fanwen archive export`` and ``fanwen ingest`` of WARC files: another home, the same release."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fanwen.spiders.samples import site_folder
from fanwen.spiders.samples.server import SampleServer

Run = Callable[..., "object"]


def essay(name: str) -> str:
    """The paragraphs of a sample text as HTML."""
    file = site_folder().parent / "texts" / f"{name}.md"
    text = file.read_text(encoding="utf-8").split("---\n", 2)[2]
    return "".join(f"<p>{line}</p>" for line in text.splitlines() if line.strip())


def record(uri: str, title: str, *headers: str) -> bytes:
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{essay('hushi-zongjie')}</body></html>".encode()
    head = "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: text/html; charset=utf-8", *headers])
    block = head.encode() + b"\r\n\r\n" + page
    lines = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {uri}\r\nWARC-Date: 2024-03-01T08:00:00Z\r\n"
    )
    return gzip.compress(f"{lines}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n")


def one_sentence(done: object, code: int, *words: str) -> None:
    assert done.code == code, done
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("fanwen: ")
    for word in words:
        assert word in lines[0]


def _sites(home: Path) -> None:
    (home / "sites").mkdir(parents=True)
    for file in site_folder().glob("*.toml"):
        shutil.copyfile(file, home / "sites" / file.name)
    (home / "fanwen.toml").write_text('contact = "test@fanwen.example"\n')


def _root(done: object) -> str:
    assert done.code == 0, done
    root: str = json.loads(done.out)["root"]
    return root


def test_the_release_of_what_went_through_a_warc_file_has_the_same_root(fanwen: Run, tmp_path: Path) -> None:
    """The sample sites in both states: changed, new, gone, reserved, further pages, attachments."""
    home, other = tmp_path / "home", tmp_path / "other"
    _sites(home)
    _sites(other)
    (tmp_path / "手记.html").write_text(f"<h1>图书角工作总结</h1>{essay('hushi-zongjie')}", encoding="utf-8")
    assert fanwen("ingest", tmp_path / "手记.html").code == 0
    for state in ("one", "two"):
        with SampleServer(state) as server:
            done = fanwen("crawl", "--proxy", server.proxy_url, "--revisit")
        assert done.code in (0, 3), done
    assert fanwen("archive", "export", "out.warc.gz").code == 0
    assert fanwen("ingest", "out.warc.gz", "--home", other).code == 0
    roots = []
    for folder in (home, other):
        built = fanwen("build", "--home", folder)
        assert built.code == 0, built
        roots.append(_root(fanwen("release", "create", "--json", "--home", folder)))
    assert roots[0] == roots[1]


def test_the_report_counts_what_was_taken_known_and_left(fanwen: Run, tmp_path: Path) -> None:
    pages = [record(f"http://www.unknown.example/{n}", f"第{n}篇总结") for n in range(3)]
    (tmp_path / "in.warc.gz").write_bytes(
        b"".join([*pages, record("http://10.0.0.1/x", "内网"), pages[0][:100]])
    )
    done = fanwen("ingest", "in.warc.gz", "--json")
    assert done.code == 0, done
    told = json.loads(done.out)
    assert (told["added"], told["known"], told["skipped"]) == (0, 0, [])
    assert told["warc"] == {
        "taken": 3, "known": 0, "robots": 0, "urls": 3, "skipped": {"refused_address": 1, "gzip": 1},
    }  # fmt: skip
    done = fanwen("ingest", "in.warc.gz")
    assert done.code == 0, done
    assert done.err == ""
    for words in ("visits taken", "known already", "skipped: gzip", "fanwen build"):
        assert words in done.out


def test_pages_of_a_site_that_nobody_reviewed_stay_out_of_the_default_set(
    fanwen: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "many" / "deep"
    folder.mkdir(parents=True)
    (folder / "in.warc.gz").write_bytes(record("http://www.unknown.example/1", "图书角工作总结"))
    (folder / "手记.html").write_text(f"<h1>班级工作计划</h1>{essay('jihua-wuye')}", encoding="utf-8")
    done = fanwen("ingest", tmp_path / "many", "--json")
    assert (json.loads(done.out)["added"], json.loads(done.out)["warc"]["taken"]) == (1, 1)
    assert fanwen("build").code == 0
    stats = json.loads(fanwen("stats", "--json").out)
    assert (stats["pieces"], stats["pieces_default"]) == (2, 1), stats
    told = fanwen("explain", "http://www.unknown.example/1").out
    assert "probation" in told
    site = tmp_path / "home" / "sites"
    site.mkdir()
    (site / "www.unknown.example.toml").write_text(
        'name = "www.unknown.example"\ntitle = "无名"\nfamily = "test"\nstatus = "active"\nhost = "www.unknown.example"\n'
        "[follow]\ndetails = ['^/\\d+$']\n",
        encoding="utf-8",
    )
    assert fanwen("build").code == 0
    stats = json.loads(fanwen("stats", "--json").out)
    assert (stats["pieces"], stats["pieces_default"]) == (2, 2), stats


@pytest.mark.parametrize(
    "content",
    [b"", b"this is a text\n" * 50, gzip.compress(b"this is a text\n" * 50)],
    ids=["empty", "text", "gzip of text"],
)
def test_a_file_that_is_no_warc(fanwen: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in.warc.gz").write_bytes(content)
    one_sentence(fanwen("ingest", "in.warc.gz"), 2, "in.warc.gz", "no WARC file")
    (tmp_path / "in.warc.gz").write_bytes(record("http://www.unknown.example/1", "图书角工作总结"))
    one_sentence(fanwen("ingest", "in.warc.gz", "没有.html"), 2, "没有.html")
    assert json.loads(fanwen("ingest", "in.warc.gz", "--json").out)["warc"]["known"] == 0


def test_wrong_words_for_export(fanwen: Run, tmp_path: Path) -> None:
    one_sentence(fanwen("archive", "export", "out.warc.gz"), 2, "no archive")
    (tmp_path / "in.warc.gz").write_bytes(record("http://www.unknown.example/1", "图书角工作总结"))
    assert fanwen("ingest", "in.warc.gz").code == 0
    one_sentence(fanwen("archive", "export", "out.zip"), 2, "out.zip", ".warc.gz")
    one_sentence(fanwen("archive", "export", "out.warc.gz", "--site", "nosuch"), 2, "nosuch")
    one_sentence(fanwen("archive", "export", "out.warc.gz", "--since", "tomorrow"), 2, "--since", "tomorrow")
    one_sentence(fanwen("archive", "export", "no/where/out.warc.gz"), 2, "no/where")
    assert not (tmp_path / "out.warc.gz").exists()
    done = fanwen("archive", "export", "out.warc.gz", "--since", "2024-03-01", "--json")
    assert (json.loads(done.out)["urls"], json.loads(done.out)["responses"]) == (1, 1)
