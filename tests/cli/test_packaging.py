"""What a user installs: fanwen/ and nothing else, and it works outside the checkout."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the tracked and untracked files as they are."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    names = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    ).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            folder,
            source,
        ],
        check=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def clean_venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv that got the wheel alone; its dependencies are lent by a path file."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    before = _site_packages(folder)
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", wheel], check=True)
    gained = _site_packages(folder) - before
    assert {re.sub(r"-\d+(\.\d+)*", "", name) for name in gained} == {"fanwen", "fanwen.dist-info"}
    lent = sysconfig.get_paths()["purelib"]
    (next(folder.glob("lib/python*/site-packages")) / "lent.pth").write_text(lent + "\n")
    return folder


def _site_packages(folder: Path) -> set[str]:
    return {path.name for path in next(folder.glob("lib/python*/site-packages")).iterdir()}


def test_the_package_list_is_what_there_is() -> None:
    declared = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        "fanwen",
        *("fanwen." + n for n in find_packages(str(ROOT), include=["spiders*", "cleaners*", "corpus*"])),
    }
    assert declared == found


def test_the_wheel_holds_only_fanwen(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {re.sub(r"-\d+(\.\d+)*", "", name.split("/")[0]) for name in names} == {
        "fanwen",
        "fanwen.dist-info",
    }


def test_the_wheel_holds_every_data_file(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("spiders/sites", "spiders/samples", "cleaners/rules", "corpus/data", "corpus/_vendor"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"fanwen/{file.relative_to(ROOT)}" in inside


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["sites", "list"], ["clean", "--help"]])
def test_the_command_works_when_installed(clean_venv: Path, tmp_path: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [clean_venv / "bin" / "fanwen", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_installed_modules_are_not_those_of_the_checkout(clean_venv: Path, tmp_path: Path) -> None:
    code = "import fanwen.spiders, fanwen.cleaners, fanwen.corpus as c; print(c.__file__)"
    out = subprocess.check_output([clean_venv / "bin" / "python", "-c", code], cwd=tmp_path, text=True)
    assert out.startswith(str(clean_venv))


def test_scrapy_finds_the_spider_from_the_root() -> None:
    out = subprocess.check_output([sys.executable, "-m", "scrapy", "list"], cwd=ROOT, text=True)
    assert len(out.split()) == 1


def test_the_lock_names_packages_only_and_hashes_all() -> None:
    for name in ("requirements.lock", "requirements-build.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        for block in re.split(r"\n(?=\S)", text.strip()):
            assert re.match(r"[a-z0-9-]+==", block), block[:60]
            assert "--hash=sha256:" in block, block[:60]


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = {
        line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line
    }
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + extras["dev"]
    for requirement in extras["dev"]:
        if requirement.startswith("fanwen["):
            wanted += [one for name in requirement[7:-1].split(",") for one in extras[name]]
    for requirement in wanted:
        name = re.split(r"[<>=\[]", requirement)[0].lower().replace("_", "-")
        assert name in locked or name == "fanwen", name
