"""What the suites of the corpus share: essays of our own, an archive filled without a network, a home."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus import home, release
from fanwen.corpus.build import build
from fanwen.corpus.publishing import Publishing
from fanwen.corpus.types import BuildReport
from fanwen.spiders.archive import Archive
from fanwen.spiders.frontier import Frontier
from fanwen.spiders.items import Consent, Discovered, Fetch, PageRead
from fanwen.spiders.site import Site

HOST = "wenku.example"
NO_WORD = Consent()
WHO = ["全体教师", "车间工人", "村里的老人", "实习学生", "门诊护士", "社区志愿者", "仓库保管员", "古镇导游"]
DID = ["认真整理了", "反复讨论了", "主动承担了", "及时修复了", "耐心讲解了", "逐项核对了", "重新设计了"]
WHAT = ["三号机床的保养记录", "水渠两岸的树苗", "阅览室的旧书", "楼道里的消防器材", "午餐的营养搭配"]
HAN = (
    "山水田林路桥河海天地风云雨雪花草树木鸟鱼牛马羊米面油盐茶酒饭菜衣帽鞋布纸笔书画琴棋刀剑门窗桌椅床灯火炉车船"
    "东西南北上下左右前后里外高低长短大小多少新旧好坏快慢轻重冷热早晚春夏秋冬年月日时分秒红黄蓝绿黑白金银铜铁石"
    "走跑跳站坐看听说读写算想问答教学做用买卖送收借还开关进出来去起落升降转换变化生长成熟丰富安全稳定清楚明确实"
    "计划总结报告通知申请合同演讲检讨倡议心得体会经验问题办法目标任务责任制度会议活动培训考核评比奖励服务管理建设"
)


def essay(seed: int, sentences: int = 24) -> str:
    """An essay of our own; two seeds share hardly a sentence."""
    r = random.Random(seed)
    lines, line = [], ""
    for n in range(sentences):
        own = "".join(r.choice(HAN) for _ in range(r.randint(20, 28)))
        line += f"{r.choice(WHO)}{own[:3]}{r.choice(DID)}{own[3:6]}{r.choice(WHAT)}，{own[6:]}。"
        if n % 4 == 3:
            lines.append(line)
            line = ""
    return "\n".join([*lines, line] if line else lines)


def page(title: str, *essays: str) -> bytes:
    """An article page as a site serves it; several essays make a compilation."""
    parts = []
    for n, text in enumerate(essays, start=1):
        if len(essays) > 1:
            parts.append(f"<h2>{title}篇{'一二三四五六七八九十'[n - 1]}</h2>")
        parts += [f"<p>{line}</p>" for line in text.split("\n")]
    return (
        f"<html><head><meta charset='utf-8'><title>{title}</title></head><body><h1>{title}</h1>"
        f"<div class='content'>{''.join(parts)}</div></body></html>"
    ).encode()


@dataclass(frozen=True)
class Home(home.Home):
    """A home of a test: pages by URL go in, the corpus comes out."""

    pages: dict[str, bytes | None] = field(default_factory=dict)

    def serve(self, pages: Mapping[str, bytes | None], day: int = 1, consent: Consent = NO_WORD) -> None:
        """One crawl of the pages so far, with these new or changed, by name; None answers 410."""
        self.pages.update(pages)
        site = Site(name="wenku", title="wenku", family="test", host=HOST, start=(f"http://{HOST}/",))
        urls = {f"http://{HOST}/{name}": body for name, body in self.pages.items()}
        with Archive(self.archive) as archive:
            with archive.write() as conn:  # so much time has passed that what was gone is asked for again
                conn.execute("update url set next_visit = '2020-01-01T00:00:00Z' where state = 'gone'")
            frontier = Frontier(archive, {site.name: site})
            frontier.begin(revisit=True, shard="0/1")
            while leased := frontier.lease(HOST):
                at = f"2026-03-{day:02d}T08:00:00Z"
                if leased.kind == "list":
                    links = [Discovered(url, "detail") for url in urls]
                    fetch = Fetch(leased.url, at, 200, (), b"list", "text/html", consent=consent)
                    frontier.record(leased, fetch, PageRead(tuple(links)), read=True)
                else:
                    body = urls[leased.url]
                    fetch = Fetch(
                        leased.url, at, 410 if body is None else 200, (), body, "text/html", consent=consent
                    )
                    frontier.record(leased, fetch, read=True)
            frontier.end("finished", "{}", finished=True)
            frontier.close()

    def build(self, **options: object) -> BuildReport:
        return build(self.archive, self.corpus, **{"workers": 1, **options})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``fanwen-demo`` in it, whose two releases are also called as in the documentation."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "fanwen", "demo", "--home", "fanwen-demo"],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    releases = folder / "fanwen-demo" / "releases"
    made = [one["version"] for one in json.loads((releases / "index.json").read_text())["releases"]]
    for name, version in zip(("2026.11.0", "2026.11.1"), made, strict=True):
        if name != version:  # the demo is dated by the day on which it runs
            (releases / name).symlink_to(version)
    return folder


@pytest.fixture(name="home")
def home_of_one_test(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def module_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One home for all tests of a module, which only read from it."""
    return Home(tmp_path_factory.mktemp("module") / "home")


@pytest.fixture
def new_home(tmp_path: Path) -> Callable[[str], Home]:
    return lambda name: Home(tmp_path / name)


@pytest.fixture(scope="session")
def home_in() -> Callable[[Path], Home]:
    """A home in a given folder, for what several tests share."""
    return Home


@pytest.fixture(scope="session")
def write() -> Callable[..., str]:
    """essay(seed, sentences)"""
    return essay


@pytest.fixture(scope="session")
def html() -> Callable[..., bytes]:
    """page(title, *essays)"""
    return page


@pytest.fixture(scope="session")
def killed() -> Callable[..., float | bool]:
    """killed(seconds, step, *arguments): run a step in a process of its own and kill it (-9) after so many seconds;
    whether that came before its end. Without seconds it is left alone, and the answer is how long it took."""
    fork = multiprocessing.get_context("fork")

    def begin(step: Callable[..., object], arguments: tuple[object, ...]) -> tuple[Any, float]:
        here, there = fork.Pipe(duplex=False)

        def run() -> None:
            there.send(True)
            step(*arguments)

        process = fork.Process(target=run, daemon=True)
        process.start()
        assert here.recv()
        return process, time.perf_counter()

    def run(seconds: float | None, step: Callable[..., object], *arguments: object) -> float | bool:
        process, since = begin(step, arguments)
        process.join(seconds)
        took = time.perf_counter() - since
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        return took if seconds is None else process.exitcode != 0

    return run


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with three signed releases, each with a delta from the one before; not to be changed."""
    made = Home(tmp_path_factory.mktemp("published") / "home")
    key = made.path / "key"
    made.path.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (made.path / "signers").write_text(f"fanwen {key.with_suffix('.pub').read_text()}")
    pages: dict[str, bytes | None] = {f"{n}": page("工作总结", essay(n)) for n in range(40)}
    for day, changed in enumerate(
        (pages, {"1": page("工作总结", essay(101)), "2": None}, {"40": page("读后感", essay(40))}), start=1
    ):
        made.serve(changed, day)
        made.build()
        assert release.create(made.corpus, made.releases, publishing=Publishing(sign_key=key))
    return made


@pytest.fixture
def own(published: Home, tmp_path: Path) -> Home:
    """A copy of it, of which a test can do as it likes."""
    shutil.copytree(published.path, tmp_path / "own")
    return Home(tmp_path / "own")
