"""Writes what a reader of a release reads first: README.md, README.zh-CN.md and the licence of the data.

In go the figures of a release and what its maintainer decided, out comes Markdown from the templates
``data/card.*.md``; README.md also names the configurations that Hugging Face's datasets reads. Nothing comes
from the clock or the machine.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import Template

from fanwen.corpus.audit import questions
from fanwen.corpus.figures import Figures
from fanwen.corpus.publishing import Publishing
from fanwen.corpus.schema import Language
from fanwen.corpus.split import SPLITS
from fanwen.corpus.tables import CONFIGURATIONS, FOLDER, SAMPLES, SIDE_TABLES, table_of

CARDS: Mapping[str, Language] = {"README.md": "en", "README.zh-CN.md": "zh"}
LICENSE = "DATA_LICENSE"
MOST = 30  # rows of a table at most; the rest is summed up


def texts(figures: Figures, publishing: Publishing) -> Iterator[tuple[str, str]]:
    """(name of the file, text) of the cards and the licence."""
    for name, language in CARDS.items():
        header = "".join(_header(figures)) if name == "README.md" else ""
        yield name, header + card(figures, publishing, language)
    yield LICENSE, _licence(figures, publishing)


def card(figures: Figures, publishing: Publishing, language: Language) -> str:
    """The card in one language, without the header for machines."""
    said = sentences()[language]
    since = said["since"].format(parent=figures.parent) if figures.parent else said["first"]
    lengths = (*(f"{n:,}" for n in figures.quantiles), f"{figures.mean_length:,.0f}")
    return Template(_data(f"card.{language}.md")).substitute(
        {name: _rows(_first(rows, said["others"])) for name, rows in figures.by.items()},
        **{
            name: f"{getattr(figures, name):,}"
            for name in ("pieces", "pieces_default", "clusters", "documents")
        },
        **{name: getattr(figures, name) for name in ("version", "date", "root")},
        configurations=_rows(
            (f"`{name}`", rows, about(name, language)) for name, rows in figures.configurations
        ),
        lengths=_rows([(said["all"], *lengths)] if figures.quantiles else []),
        sizes=_rows(figures.sizes),
        masked=_rows(figures.masked),
        rejects=_rows(_first(figures.rejects, said["others"])),
        rules=_rows(_first(figures.rules, said["others"])),
        changes=_rows(figures.changes),
        since=since,
        audit="\n".join(_audit(figures, said, language)),
        objections=_objections(publishing, said),
    )


def about(configuration: str, language: Language) -> str:
    """What a configuration holds."""
    if configuration in SAMPLES:
        return sentences()[language]["sample"].format(size=f"{SAMPLES[configuration]:,}")
    text: str = getattr(table_of(configuration), language)
    return text


@cache
def sentences() -> dict[str, dict[str, str]]:
    """What is said depending on the release, by language."""
    return tomllib.loads(_data("card.toml"))


def _data(name: str) -> str:
    return (files("fanwen.corpus") / "data" / name).read_text(encoding="utf-8")


def _header(figures: Figures) -> Iterator[str]:
    yield "---\nlanguage:\n- zh\nlicense: other\nlicense_name: no-rights-in-the-texts-are-granted\n"
    yield f"license_link: {LICENSE}\npretty_name: fanwen\ntask_categories:\n- text-generation\n"
    yield f"size_categories:\n- {_size(figures.pieces)}\nconfigs:\n"
    for name in CONFIGURATIONS:
        yield f"- config_name: {name}\n"
        yield "  default: true\n" if name == "default" else ""
        yield "  data_files:\n"
        for split in SPLITS[:1] if name in SIDE_TABLES else SPLITS:
            yield f"  - split: {split}\n    path: {FOLDER}/{name}/{split}-*.parquet\n"
    yield "---\n\n"


def _size(pieces: int) -> str:
    """The size category of Hugging Face's cards."""
    bounds = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for bound, name in bounds if pieces < bound), "1M<n<10M")


def _first(rows: Sequence[Sequence[object]], others: str) -> Iterator[Sequence[object]]:
    """The first rows of names and numbers, and the sum of the others."""
    yield from rows[:MOST]
    if rest := rows[MOST:]:
        yield (
            others.format(count=f"{len(rest):,}"),
            *(sum(map(int, column)) for column in list(zip(*rest, strict=True))[1:]),
        )


def _rows(rows: Iterable[Sequence[object]]) -> str:
    return "\n".join("| " + " | ".join(_cell(value) for value in row) + " |" for row in rows)


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def _audit(figures: Figures, said: Mapping[str, str], language: Language) -> Iterator[str]:
    found = figures.audit
    if found is None:
        yield said["not_audited"]
        return
    yield said["audited"].format(
        judged=f"{found.judged:,}",
        strata=", ".join(found.strata) or said["unstratified"],
        annotators=found.annotators,
        several=f"{found.judged_by_several:,}",
        covered=f"{found.covered:,}",
        pieces=f"{found.pieces:,}",
    )
    asked = {one.code: f"{one.code}: {getattr(one, language)}" for one in questions()}
    yield f"\n{said['audit_head']}\n|---|---|---|---|---|---|"
    yield _rows(
        (
            asked.get(one.code, said["any"]),
            one.found,
            f"{one.rate:.1%}",
            f"{one.low:.1%} – {one.high:.1%}",
            "–" if one.agreement is None else f"{one.agreement:.1%}",
            "–" if one.alpha is None else f"{one.alpha:.2f}",
        )
        for one in found.rates
    )


def _objections(publishing: Publishing, said: Mapping[str, str]) -> str:
    if publishing.objections is None:
        return said["no_objections"]
    return said["objections"].format(objections=publishing.objections, days=publishing.answer_days)


def _licence(figures: Figures, publishing: Publishing) -> str:
    filled = {"version": figures.version}
    for language, said in sentences().items():
        filled[f"objections_{language}"] = _objections(publishing, said)
        by = publishing.publisher
        filled[f"by_{language}"] = "" if by is None else said["by"].format(publisher=by)
    lines = Template(_data("DATA_LICENSE.txt")).substitute(filled).splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)
