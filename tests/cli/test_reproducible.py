"""The same sequence of commands gives the same releases, wherever, whenever and however it is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

PAGE = "<html><head><meta charset='utf-8'><title>{0}</title></head><body><h1>{0}</h1><div>{1}</div></body></html>"
LINES = [
    "镇里的图书室今年搬进了老粮站，书架是木匠老师傅用拆下来的门板改的，比原来多放了八百册。",
    "开门第一天来了六十多个孩子，管理员李秀英把借书卡一张一张写好，忙到天黑才回家吃饭。",
    "入夏以后我们把开放时间延长到晚上九点，电费由村里和学校各出一半，账目每月贴在墙上。",
    "不足之处也很明显：农技类的书太旧，老人想看的大字书几乎没有，破损的书修得不够及时。",
    "下一步打算同县图书馆建立流动借阅，每两个月换一批书，联系电话13800138000，欢迎监督。",
]


def _write(folder: Path, names: dict[str, str], order: int) -> None:
    folder.mkdir()
    # a folder lists its files in the order in which they were made
    for name, text in sorted(names.items())[::order]:
        (folder / name).write_text(text, encoding="utf-8")


def _page(title: str, shift: int, extra: str = "") -> str:
    lines = [f"第{shift}阅览点：{line}{extra}" for line in LINES[shift:] + LINES[:shift]]
    return PAGE.format(title, "".join(f"<p>{line}</p>" for line in lines))


def test_two_releases_have_the_same_sums(tmp_path: Path) -> None:
    first = {f"{n}.html": _page(f"图书室工作总结{n}", n) for n in range(4)}
    first["合集.html"] = PAGE.format(
        "图书室工作总结(2篇)",
        "".join(
            f"<h2>图书室工作总结篇{name}</h2>" + "".join(f"<p>{line}{name}组负责落实。</p>" for line in LINES)
            for name in "一二"
        ),
    )
    second = {"后来.html": _page("图书室明年工作计划", 2, "明年继续。"), "0.html": first["0.html"]}
    sums = []
    for seed, zone, order, workers in (("0", "Asia/Shanghai", 1, "1"), ("4242", "America/Lima", -1, "2")):
        place = tmp_path / f"地方 {seed}"
        place.mkdir()
        _write(place / "一", first, order)
        _write(place / "二", second, order)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "FANWEN_HOME": str(place / "家")}
        for arguments in (
            ("ingest", "一", "--fetched-at", "2026-03-01"),
            ("build", "--workers", workers),
            ("release", "create"),
            ("ingest", "二", "--fetched-at", "2026-03-08T09:30:00Z"),
            ("build", "--workers", workers),
            ("release", "create"),
        ):
            subprocess.run(
                [sys.executable, "-m", "fanwen", *arguments],
                cwd=place, env=environment, check=True, capture_output=True, timeout=120,
            )  # fmt: skip
        releases = place / "家/releases"
        sums.append(
            {name: (releases / name).read_text() for name in
             ("2026.3.0/SHA256SUMS", "2026.3.1/SHA256SUMS", "index.json")}
        )  # fmt: skip
        assert "delta/from-2026.3.0.jsonl.zst" in sums[-1]["2026.3.1/SHA256SUMS"]
        shutil.rmtree(place / "家")
        time.sleep(max(0.0, 1.1 - time.time() % 1))  # the next second has begun
    assert sums[0] == sums[1]


def test_a_time_that_is_none_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fanwen", "ingest", ".", "--fetched-at", "gestern", "--home", str(tmp_path / "h")],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "'gestern' does not match" in done.stderr
    assert not (tmp_path / "h").exists()
