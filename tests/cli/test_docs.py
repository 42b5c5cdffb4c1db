"""The documentation cannot drift: what there is, is documented; what is documented, there is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from fanwen.corpus.cli import _MODULES, cli
from fanwen.corpus.home import Config
from fanwen.corpus.schema import describe
from fanwen.spiders.site import Site

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_generated_pages_are_as_the_code_is() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_column_has_a_description() -> None:
    for table in describe():
        assert table.description.strip(), table.name
        for column in table.columns:
            assert len(column.description.strip()) > 5, f"{table.name}.{column.name}"


def test_every_option_has_a_help_text() -> None:
    for command in cli.commands.values():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{command.name} {parameter.name}"


BRACKETS = (("", ""), ("[", "]"), ("[[", "]]"))


def test_every_configuration_key_is_documented() -> None:
    files = read("docs/files.md")
    keys = set(Config.model_fields)
    for name, field in Site.model_fields.items():
        keys.add(name)
        for one in (field.annotation, *get_args(field.annotation)):
            keys |= set(getattr(one, "model_fields", {}))
    named = [key for key in sorted(keys) if not any(f"`{b}{key}{e}`" in files for b, e in BRACKETS)]
    assert not named


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_commands_of_the_readme_exist(name: str) -> None:
    for line in re.findall(r"^(?:\.venv/bin/)?fanwen (.+)$", read(name), re.M):
        words = line.split()
        command = cli.commands[words[0]]
        if hasattr(command, "commands") and len(words) > 1 and not words[1].startswith("-"):
            command = command.commands[words[1]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_both_readmes_say_the_same() -> None:
    one, other = read("README.md"), read("README.zh-CN.md")
    for pattern in (r"^(#+) ", r"^```(\w*)$", r"\]\(([^)]+\.md|LICENSE)\)"):
        found = [re.findall(pattern, text, re.M) for text in (one, other)]
        if "LICENSE" in pattern:
            found = [sorted(set(links) - {"README.md", "README.zh-CN.md"}) for links in found]
        assert found[0] == found[1], pattern
    blocks = [re.findall(r"```\w*\n(.*?)```", text, re.S) for text in (one, other)]
    for ours, theirs in zip(*blocks, strict=True):
        if "┌" not in ours:
            assert ours == theirs


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "README.zh-CN.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/files.md",
        "docs/decisions.md",
        "docs/signatures.md",
        "docs/performance.md",
    ],
)
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)", read(name)):
        assert ((ROOT / name).parent / link).exists(), f"{name}: {link}"


def imports(package: str) -> dict[str, set[str]]:
    """Module file → names of fanwen's packages that it imports."""
    found = {}
    for file in sorted((ROOT / package).rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        names |= {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        found[str(file.relative_to(ROOT))] = {name for name in names if name.startswith("fanwen.")}
    return found


@pytest.mark.parametrize(
    ("package", "never"),
    [
        ("cleaners", ("fanwen.spiders", "fanwen.corpus")),
        ("spiders", ("fanwen.corpus", "fanwen.cleaners")),
    ],
)
def test_data_moves_one_way(package: str, never: tuple[str, ...]) -> None:
    for file, names in imports(package).items():
        assert not [name for name in names if name.startswith(never)], file


def test_the_corpus_never_parses_html() -> None:
    for file in (ROOT / "corpus").rglob("*.py"):
        assert not re.search(
            r"^\s*(from|import) (lxml|parsel|trafilatura|scrapy)", file.read_text(encoding="utf-8"), re.M
        )


def test_no_file_names_a_host_of_packages_or_a_path_of_a_machine() -> None:
    pattern = re.compile(
        r"py" + r"pi\.|python" + r"hosted|npm" + r"js|/ho" + r"me/[a-z]|/Us" + r"ers/[a-z]", re.I
    )
    names = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file() and (ROOT / name).suffix in {
            ".py",
            ".md",
            ".toml",
            ".txt",
            ".lock",
            ".in",
            ".cfg",
            "",
        }:
            assert not pattern.search((ROOT / name).read_text(encoding="utf-8", errors="replace")), name


def test_every_command_of_a_module_can_be_called() -> None:
    names = {path.stem for path in (ROOT / "corpus").glob("cli_*.py")}
    modules = {name: import_module(f"fanwen.corpus.{name}") for name in names}
    held = {(command.name, name) for name, module in modules.items() for command in module.COMMANDS}
    assert held == set(_MODULES.items())
