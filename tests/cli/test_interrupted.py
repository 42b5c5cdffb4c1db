"""Terminals that close, readers that go away, Ctrl-C, and databases that others hold: the right code, nothing lost."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus import refresh, store
from fanwen.corpus.home import Home
from fanwen.errors import BlockedError
from fanwen.spiders import archive
from fanwen.spiders.samples import site_folder
from fanwen.spiders.samples.server import SampleServer

Run = Callable[..., Any]

DOCUMENTS = 200  # so many that a build of them can be met under way


def _essays(folder: Path, number: int) -> Path:
    folder.mkdir()
    for n in range(number):
        lines = (
            f"第{k}周，图书角整理了书架{n * k}次，登记了借阅的册数，并提醒大家按时归还图书。"
            for k in range(9)
        )
        (folder / f"{n}.md").write_text(f"# 工作总结之{n}\n\n" + "\n\n".join(lines), encoding="utf-8")
    return folder


def _home(tmp_path: Path, delay: float) -> Path:
    home = tmp_path / "home"
    (home / "sites").mkdir(parents=True)
    text = (site_folder() / "zongjie.example.toml").read_text(encoding="utf-8")
    (home / "sites" / "zongjie.example.toml").write_text(
        text.replace("delay = 0", f"delay = {delay}"), encoding="utf-8"
    )
    return home


def _fast(home: Path) -> None:
    shutil.copyfile(site_folder() / "zongjie.example.toml", home / "sites" / "zongjie.example.toml")


def _fanwen(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fanwen", *arguments]


def _runs(home: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted((home / "runs").glob("*.json"))]


def _be_the_terminal_of(terminal: int) -> Callable[[], None]:
    def attach() -> None:
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    return attach


def test_a_crawl_shows_itself_on_a_terminal_and_outlives_it(tmp_path: Path) -> None:
    home = _home(tmp_path, delay=0.4)
    variables = {**os.environ, "FANWEN_HOME": str(home), "COLUMNS": "100"}
    with SampleServer("one") as server:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            _fanwen("crawl", "--proxy", server.proxy_url),
            stdin=theirs, stdout=theirs, stderr=theirs, env=variables, preexec_fn=_be_the_terminal_of(theirs),
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        while not re.search(rb"zongjie\.example +\d+ +[3-9] +\d+ ", shown):
            shown += os.read(ours, 4096)
        os.close(ours)  # the window is closed: SIGHUP, and nothing can be written any more
        assert process.wait(timeout=30) == 5
        assert re.search(rb"site +queue +done +per minute +last error", shown)
        (run,) = _runs(home)
        assert (run["command"], run["verdict"], run["exit_code"]) == ("crawl", "incomplete", 5)
        brought = run["crawl"]["sites"][0]["new"]
        asked = len(server.requests)
        # the reader of the report is gone before it is written, but the code still counts
        first, second = os.pipe()
        os.close(first)
        process = subprocess.Popen(
            _fanwen("crawl", "--json", "--proxy", server.proxy_url),
            stdout=second, stderr=subprocess.PIPE, text=True, env=variables,
        )  # fmt: skip
        os.close(second)
        while len(server.requests) < asked + 3 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        assert (process.communicate(timeout=30)[1], process.returncode) == ("", 5)
        _fast(home)
        done = subprocess.run(
            _fanwen("refresh", "--proxy", server.proxy_url), capture_output=True, text=True, env=variables,
            timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert re.search(r"^  zongjie\.example +\d+ ", done.stdout, re.M)
        pages = [one.path for one in server.requests if "." not in one.path or one.path.endswith(".html")]
    assert 0 < brought < len(pages)
    assert len(pages) == len(set(pages)), "nothing that was committed is asked for again"
    last = _runs(home)[-1]
    assert (last["command"], last["verdict"], last["error"]) == ("refresh", "ok", None)
    assert last["crawl"]["resumed"]


def test_ctrl_c_reaches_the_workers_too_but_only_one_sentence_is_said(fanwen: Run, tmp_path: Path) -> None:
    assert fanwen("ingest", _essays(tmp_path / "in", DOCUMENTS)).code == 0
    home = tmp_path / "home"
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        process = subprocess.Popen(
            _fanwen("build", "--workers", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "FANWEN_HOME": str(home)}, start_new_session=True,
        )  # fmt: skip
        while not (home / "corpus.db").exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(0.2)  # the workers start about now; any moment will do
        if number == signal.SIGTERM:
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (5, ""), (number, err)
        # the terminal echoes ^C, so the sentence begins on a line of its own
        assert [line[:19] for line in err.split("\n") if line] == ["fanwen: Interrupted"], (number, err)
        for file in home.glob("corpus.db*"):
            file.unlink()
    assert fanwen("build").code == 0
    assert json.loads(fanwen("stats", "--json").out)["documents"] == DOCUMENTS


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_database_that_another_process_holds(
    fanwen: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    monkeypatch.setattr(archive, "BUSY_SECONDS", 0.2)
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.2)
    files = _essays(tmp_path / "in", 3)
    home = _home(tmp_path, delay=0)
    assert fanwen("ingest", files / "0.md").code == 0
    assert fanwen("build").code == 0

    def blocked(name: str, *command: object) -> None:
        with closing(sqlite3.connect(home / name)) as other:
            other.execute(f"BEGIN {lock}")
            done = fanwen(*command)
            other.rollback()
        assert (done.code, done.out, done.err.count("\n")) == (4, "", 1), done
        assert name in done.err

    blocked("archive.db", "ingest", files)
    assert fanwen("ingest", files).code == 0
    blocked("corpus.db", "build")
    blocked("archive.db", "build")
    assert fanwen("build").code == 0
    blocked("corpus.db", "release", "create")
    assert json.loads(fanwen("release", "create", "--json").out)["documents"] == 3

    with closing(sqlite3.connect(home / "archive.db")) as other:
        other.execute(f"BEGIN {lock}")
        with pytest.raises(BlockedError):
            refresh.crawl_only(Home(home), proxy="http://127.0.0.1:9")
        other.rollback()
    (run,) = _runs(home)
    assert (run["verdict"], run["exit_code"], run["crawl"]) == ("blocked", 4, None)
    assert "locked" in run["error"]
    assert fanwen("verify").code == 0


@pytest.mark.parametrize(
    ("streams", "words", "code", "said"),
    [
        (">/dev/full", "sites list", 5, "fanwen: The disk is full"),
        ("2>/dev/full", "stats", 2, ""),
        (">&- 2>&- <&-", "stats", 2, ""),
        (">&-", "sites list", 0, ""),
        ("| true; exit ${PIPESTATUS[0]}", "sites list", 0, ""),
        ("| head -c 1 >/dev/null; exit ${PIPESTATUS[0]}", "sites list --json", 0, ""),
    ],
)
def test_reports_that_cannot_be_written(
    tmp_path: Path, streams: str, words: str, code: int, said: str
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    script = f'"{sys.executable}" -m fanwen {words} {streams}'
    done = subprocess.run(
        [bash, "-c", script], env={**os.environ, "FANWEN_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert done.stderr.count("\n") == bool(said)
    assert done.stderr.startswith(said)
