"""The documentation cannot drift: what there is, is documented; what is documented, there is."""

from __future__ import annotations

import ast
import re
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlite_utils import Database

from fanwen.corpus.cli import _MODULES, cli
from fanwen.corpus.home import Config
from fanwen.corpus.schema import SCHEMA_VERSION, Column, describe, migrations
from fanwen.corpus.tables import tables, tables_version
from fanwen.spiders.site import Site
from fanwen.spiders.warc import REASONS, State, UrlState, Visit

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_generated_pages_are_as_the_code_is() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_column_has_a_description_in_both_languages() -> None:
    for language, least in (("en", 6), ("zh", 3)):
        for table in describe(language):
            assert table.description.strip(), (language, table.name)
            for column in table.columns:
                text = column.description.strip()
                assert len(text) >= least, (language, table.name, column.name)
                assert text.endswith("." if language == "en" else "。"), (language, table.name, column.name)
    for published in tables().values():
        for one in (published, *published.columns):
            assert len(one.en) >= 6, one.name
            assert re.search("[一-龥]", one.zh), one.name


def test_the_dictionary_describes_nothing_that_is_not_there() -> None:
    described = tomllib.loads(read("corpus/data/columns.toml"))
    there = {table.name: {column.name for column in table.columns} for table in describe()}
    assert described.keys() == there.keys()
    for name, columns in described.items():
        assert columns.keys() - {"about", "of"} <= there[name], name
    warc = tomllib.loads(read("docs/data_format.toml"))["zh"]
    for model in (State, UrlState, Visit):
        assert warc[model.__name__].keys() == model.model_fields.keys()
    assert warc["reasons"].keys() == REASONS.keys()


def generator() -> Any:
    spec = spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_deprecated_column_says_so_in_both_languages() -> None:
    generate, column = generator(), Column("old", "TEXT", "What it was.", "1.7.0")
    said = {language: generate._text(column, "…", generate._said()[language]) for language in ("en", "zh")}
    assert said == {"en": "… Deprecated since 1.7.0.", "zh": "… 自 1.7.0 起弃用。"}


def version(text: str) -> tuple[int, ...]:
    assert re.fullmatch(r"\d+\.\d+\.\d+", text), text
    return tuple(int(part) for part in text.split("."))


def test_a_deprecated_column_names_the_version_that_announced_it() -> None:
    dated = [(SCHEMA_VERSION, column) for table in describe() for column in table.columns]
    dated += [(tables_version(), column) for table in tables().values() for column in table.columns]
    for current, column in dated:
        if column.deprecated is not None:
            announced = version(column.deprecated)
            assert announced <= version(current), column.name
            assert announced[2] == 0, f"{column.name}: announced by a minor version"
            assert announced[0] == version(current)[0], (
                f"{column.name}: a major version has come, take it away"
            )


def test_no_published_column_goes_without_a_major_version() -> None:
    """tests/cli/published_columns.txt has a line for every column since the major version began."""
    now = {(f"{t.name}.{c.name}", c.type, c.nullable) for t in tables().values() for c in t.columns}
    now |= {(f"jsonl.{name}", "json", False) for name, _ in generator().jsonl_fields("en")}
    current, listed = version(tables_version()), {}
    for line in read("tests/cli/published_columns.txt").splitlines():
        if line and not line.startswith("#"):
            name, kind, *nullable, since = line.split()
            listed[name, kind, bool(nullable)] = version(since)
    assert {since[0] for since in listed.values()} == {current[0]}, (
        "with a major version the list begins anew"
    )
    assert listed.keys() - now == set(), "gone or changed: that takes a major version"
    assert now - listed.keys() == set(), "new: write it down, with a minor version"
    assert max(listed.values())[:2] <= current[:2], "a column of a version that is still to come"


def test_no_column_of_the_database_goes_without_a_major_version() -> None:
    """Migrations never change once released: what each leaves of the columns of the one before can be seen."""
    before: set[tuple[str, str]] = set()
    for after in [*[one.name for one in migrations._migrations][1:], ()]:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            migrations.apply(Database(db), stop_before=after)
            names = [
                name
                for (name,) in db.execute("select name from sqlite_master where type in ('table', 'view')")
            ]
            now = {
                (name, column)
                for name in names
                for (column,) in db.execute(f"select name from pragma_table_info('{name}')")
            }
        assert before <= now or version(SCHEMA_VERSION)[0] > 1, sorted(before - now)
        before = now
    assert len(migrations._migrations) - 1 <= version(SCHEMA_VERSION)[1] or version(SCHEMA_VERSION)[0] > 1


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
