"""A disk that really fills up under every command that writes: exit code 5, one sentence, nothing torn or lost.

The disk is a tmpfs in a mount namespace of its own, whose size the test sets; it ends with the process
that holds it.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fanwen.spiders.samples import site_folder
from fanwen.spiders.samples.server import SampleServer

_MOUNT = 'mount -t tmpfs -o size=64m tmpfs "$0" && echo ready && exec cat'
_SITE_FILES = ("/robots.txt", "/.well-known/tdmrep.json")
_ROOMY = 60_000_000


class SmallDisk:
    """``there`` is the disk as commands see it, ``path`` as this process does; TMPDIR lies on it too."""

    def __init__(self, there: Path) -> None:
        there.mkdir()
        mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNT, str(there)]
        try:
            self.holder = subprocess.Popen(
                mount, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except FileNotFoundError:
            pytest.skip("no small disk: unshare(1) is missing here")
        if self.holder.stdout is None or self.holder.stdout.readline() != "ready\n":
            pytest.skip(f"no small disk: {self.holder.communicate()[1].strip()}")
        self.there = there
        self.path = Path(f"/proc/{self.holder.pid}/root{there}")
        self.home = self.path / "home"
        (self.path / "tmp").mkdir()

    def run(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        enter = [
            "nsenter",
            f"--target={self.holder.pid}",
            "--user",
            "--mount",
            "--preserve-credentials",
            "--",
        ]
        return subprocess.run([*enter, *command], text=True, timeout=120, check=False, **options)

    def leave(self, free: int) -> None:
        """Make it so large that ``free`` bytes are left, rounded to pages."""
        space = os.statvfs(self.path)
        size = (space.f_blocks - space.f_bfree) * space.f_frsize + free
        assert self.run(["mount", "-o", f"remount,size={size}", str(self.there)]).returncode == 0

    def fanwen(self, *arguments: object, log: str = "") -> subprocess.CompletedProcess[str]:
        """With ``log``, everything that the command says goes into that file on the disk."""
        command = [sys.executable, "-m", "fanwen", *map(str, arguments)]
        if log:
            command = ["sh", "-c", f'exec "$@" >"{self.there / log}" 2>&1', "sh", *command]
        places = {name: str(self.there / "tmp") for name in ("TMPDIR", "SQLITE_TMPDIR")}
        variables = {**os.environ, **places, "FANWEN_HOME": str(self.there / "home")}
        return self.run(command, capture_output=True, env=variables, cwd=self.there.parent)

    def stopped(self, *arguments: object) -> None:
        """The command stops for want of room, says so in one sentence, and tears neither database."""
        done = self.fanwen(*arguments)
        assert (done.returncode, done.stdout) == (5, ""), done
        assert done.stderr.startswith("fanwen: "), done
        assert (done.stderr.count("\n"), "full" in done.stderr) == (1, True), done
        for name in ("archive.db", "corpus.db"):
            if (self.home / name).exists():
                assert self.ask(name, "pragma integrity_check") == [("ok",)]
        assert not [path for path in (self.path / "tmp").iterdir() if path.name.startswith("fanwen")]

    def succeeds(self, *arguments: object) -> None:
        self.leave(_ROOMY)
        done = self.fanwen(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done

    def ask(self, name: str, query: str) -> list[tuple[object, ...]]:
        """Of a copy: SQLite would look for the file at its place outside the namespace."""
        copy = self.there.parent / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for ending in ("", "-wal"):
            if (self.home / f"{name}{ending}").exists():
                shutil.copyfile(self.home / f"{name}{ending}", copy / f"{name}{ending}")
        with closing(sqlite3.connect(copy / name)) as db:
            return db.execute(query).fetchall()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    small = SmallDisk(tmp_path / "disk")
    (small.home / "sites").mkdir(parents=True)
    for file in site_folder().glob("*.toml"):
        shutil.copyfile(file, small.home / "sites" / file.name)
    yield small
    small.holder.communicate()


def test_a_crawl_a_build_and_a_release_on_a_disk_that_fills_up(disk: SmallDisk) -> None:
    with SampleServer("one") as server:
        crawl = ("crawl", "--proxy", server.proxy_url)
        for free in (0, 220_000, 400_000):
            disk.leave(free)
            # what is in the archive is never asked for again, what was under way when the disk was full once
            committed = _fetched(disk)
            asked = len(server.requests)
            disk.stopped(*crawl)
            _not_again(server, asked, committed)
        committed = _fetched(disk)
        assert committed
        asked = len(server.requests)
        disk.succeeds(*crawl)
        _not_again(server, asked, committed)
        pages = {f"http://{one.host}{one.path}" for one in server.requests if one.path not in _SITE_FILES}
        assert _fetched(disk) == pages
        assert disk.ask("archive.db", "select count(*), sum(finished_at is null) from crawl") == [(1, 0)]

        for free in (0, 48_000, 300_000):
            disk.leave(free)
            disk.stopped("build")
        disk.succeeds("build")

        for free in (0, 600_000):
            disk.leave(free)
            disk.stopped("release", "create")
            assert not list(disk.home.glob("releases/*")), "what was half written takes no room"
        disk.succeeds("release", "create")

        # the log lies on the full disk as well
        disk.leave(0)
        done = disk.fanwen("refresh", "--revisit", "--proxy", server.proxy_url, log="log")
        assert (done.returncode, (disk.path / "log").read_text()) == (5, "")
        disk.leave(600_000)
        disk.stopped("refresh", "--revisit", "--proxy", server.proxy_url)
        disk.succeeds("refresh", "--revisit", "--proxy", server.proxy_url)
    (made,) = disk.home.glob("releases/2*")
    assert not list(disk.home.glob("runs/*.new"))
    disk.succeeds("verify")
    assert made.is_dir()


def test_files_taken_and_given_on_a_disk_that_fills_up(disk: SmallDisk, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for n in range(30):
        (given / f"{n}.txt").write_bytes(os.urandom(9_000).hex().encode())
    out = disk.there / "out.warc.gz"
    for free in (0, 300_000):
        disk.leave(free)
        disk.stopped("ingest", given)
    assert 0 < len(_fetched(disk)) < 30
    disk.succeeds("ingest", given)
    assert len(_fetched(disk)) == 30
    for free in (0, 70_000):
        disk.leave(free)
        disk.stopped("archive", "export", out)
        assert not list(disk.path.glob("out.warc.gz*"))
    disk.succeeds("archive", "export", out)
    disk.succeeds("ingest", out)


def test_a_release_that_is_pulled_onto_a_disk_that_fills_up(disk: SmallDisk, tmp_path: Path) -> None:
    rows = tmp_path / "own.jsonl"
    texts = ("".join(chr(0x4E00 + byte) for byte in os.urandom(1_500)) for _ in range(60))
    rows.write_text("".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in enumerate(texts)))
    disk.succeeds("ingest", "--pieces", rows, "--source", "own")
    disk.succeeds("release", "create", "--date", "2026-01-01")
    (disk.home / "releases").rename(disk.path / "moved")
    shutil.copytree(disk.path / "moved", tmp_path / "published")
    shutil.rmtree(disk.path / "moved")
    pull = ("pull", tmp_path / "published", "--to", disk.there / "pulled")
    # the first are too small for the files, the last one for the database that is checked
    room = sum(file.stat().st_size for file in (tmp_path / "published").rglob("*")) + 200_000
    for free in (60_000, room):
        disk.leave(free)
        disk.stopped(*pull)
        assert not list(disk.path.glob("pulled/2*")), "nothing half under its name"
    disk.succeeds(*pull)

    publish = ("release", "publish", "--home", tmp_path / "home", disk.there / "public")
    (tmp_path / "home").mkdir()
    shutil.copytree(tmp_path / "published", tmp_path / "home" / "releases")
    disk.leave(60_000)
    disk.stopped(*publish)
    assert not list(disk.path.glob("public/index.json"))
    disk.succeeds(*publish)
    disk.succeeds("pull", disk.there / "public", "--to", disk.there / "pulled")


def _fetched(disk: SmallDisk) -> set[object]:
    if not (disk.home / "archive.db").exists():
        return set()
    if not disk.ask("archive.db", "select name from sqlite_master where name = 'fetch'"):
        return set()
    rows = disk.ask("archive.db", "select u.url from fetch f join url u on u.id = f.url_id")
    assert len(rows) == len(set(rows))
    return {url for (url,) in rows}


def _not_again(server: SampleServer, asked: int, committed: set[object]) -> None:
    again = [f"http://{one.host}{one.path}" for one in server.requests[asked:]]
    assert not committed & set(again)
    assert max(map(again.count, again), default=1) == 1
