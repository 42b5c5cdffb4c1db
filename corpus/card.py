"""Writes the dataset card of a release: README.md with the configurations that Hugging Face's datasets reads.

In goes the masked copy of a release, out comes Markdown. Every figure is counted from that copy, so the card
of a release never changes; nothing comes from the clock or the machine. What it says of use and weaknesses is
``data/card.md``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

from fanwen.corpus.publishing import Publishing
from fanwen.corpus.split import SPLITS
from fanwen.corpus.tables import CONFIGURATIONS, FOLDER, SAMPLES, SIDE_TABLES, count_rows, table_of

CARD = "README.md"
MOST = 30  # rows of a table at most; the rest is summed up
_QUARTERS = (0.05, 0.25, 0.5, 0.75, 0.95)


def card(db: sqlite3.Connection, seq: int, publishing: Publishing) -> str:
    """The card of release ``seq``."""
    return "".join([*_header(db), *_what(db, seq), *_figures(db), *_changes(db, seq), *_use(db, seq)])


def _header(db: sqlite3.Connection) -> Iterator[str]:
    pieces = db.execute("select count(*) from piece_version where removed_in is null").fetchone()[0]
    yield "---\nlanguage:\n- zh\nlicense: other\nlicense_name: no-rights-in-the-texts-are-granted\n"
    yield "pretty_name: fanwen\ntask_categories:\n- text-generation\n"
    yield f"size_categories:\n- {_size(pieces)}\nconfigs:\n"
    for name in CONFIGURATIONS:
        yield f"- config_name: {name}\n"
        yield "  default: true\n" if name == "default" else ""
        yield "  data_files:\n"
        for split in SPLITS[:1] if name in SIDE_TABLES else SPLITS:
            yield f"  - split: {split}\n    path: {FOLDER}/{name}/{split}-*.parquet\n"
    yield "---\n"


def _size(pieces: int) -> str:
    """The size category of Hugging Face's cards."""
    bounds = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for bound, name in bounds if pieces < bound), "1M<n<10M")


def _what(db: sqlite3.Connection, seq: int) -> Iterator[str]:
    version, date, root, pieces, default, clusters, documents = db.execute(
        "select version, date, root, pieces, pieces_default, clusters, documents from release where seq = ?",
        (seq,),
    ).fetchone()
    yield f"\n# fanwen {version}: Chinese sample essays (范文)\n\n"
    yield f"{pieces:,} pieces of {documents:,} pages in {clusters:,} clusters of duplicates, as of {date}; "
    yield f"{default:,} of them are the default set: one piece of each cluster, none with a rights "
    yield "reservation or a flaw that is known. Each piece has its origin, its history and its relations.\n\n"
    yield f"{documents:,} 个页面，{pieces:,} 篇范文，{clusters:,} 个重复簇；default 配置 {default:,} 篇："
    yield f"每簇一篇，无权利保留，无已知缺陷。每篇均有来源、历史与相互关系。截至 {date}。\n\n"
    yield f"Root hash `{root}`. No rights in the texts are granted: read `rights_basis` before use.\n\n"
    yield "| configuration | rows | what it is |\n|---|---|---|\n"
    for name in CONFIGURATIONS:
        about = f"The same, {SAMPLES[name]:,} pieces of `default`." if name in SAMPLES else table_of(name).en
        yield f"| `{name}` | {count_rows(db, name):,} | {about} |\n"


def _figures(db: sqlite3.Connection) -> Iterator[str]:
    yield "\n## What it holds\n\n"
    for title, expression in (
        ("site", "d.site"),
        ("genre", "v.genre"),
        ("year", "coalesce(v.year, '–')"),
        ("level", "coalesce(v.level, '–')"),
        ("script as found", "v.script"),
        ("split", "coalesce(s.split, 'train')"),
        ("rights_basis", "dv.rights_basis"),
        ("why not in default", "case when v.excluded_why like 'duplicate_of:%' then 'duplicate'"
         " else coalesce(v.excluded_why, '–') end"),
    ):  # fmt: skip
        yield from _table(
            title,
            db.execute(
                f"select {expression}, count(*), sum(v.excluded_why is null) {_CURRENT}"
                " group by 1 order by 2 desc, 1"
            ).fetchall(),
        )
    yield from _lengths(db)
    yield from _duplicates(db)
    yield from _removed(db)


_CURRENT = """
from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document
join document_version dv on dv.id = v.document_version
left join split s on s.piece = v.piece and s.removed_in is null where v.removed_in is null
"""


def _table(title: str, rows: Sequence[tuple[Any, int, int]]) -> Iterator[str]:
    shown, rest = rows[:MOST], rows[MOST:]
    yield f"| {title} | pieces | in default |\n|---|---|---|\n"
    yield from (f"| {_cell(name)} | {count:,} | {default:,} |\n" for name, count, default in shown)
    if rest:
        yield f"| {len(rest):,} others | {sum(r[1] for r in rest):,} | {sum(r[2] for r in rest):,} |\n"
    yield "\n"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _lengths(db: sqlite3.Connection) -> Iterator[str]:
    lengths = [n for (n,) in db.execute(f"select v.n_chars {_CURRENT} order by 1")]
    if not lengths:
        return
    yield "| characters, share of pieces that are no longer | " + " | ".join(f"{q:.0%}" for q in _QUARTERS)
    yield " | mean |\n|" + "---|" * (len(_QUARTERS) + 2) + "\n| all pieces | "
    yield " | ".join(f"{lengths[int(q * (len(lengths) - 1))]:,}" for q in _QUARTERS)
    yield f" | {sum(lengths) / len(lengths):,.0f} |\n\n"


def _duplicates(db: sqlite3.Connection) -> Iterator[str]:
    sizes = db.execute(
        "select case when n = 1 then '1' when n = 2 then '2' when n < 6 then '3 to 5'"
        " when n < 21 then '6 to 20' else 'more than 20' end, count(*), sum(sites > 1) from"
        f" (select count(*) as n, count(distinct d.site) as sites {_CURRENT} and v.cluster is not null"
        " group by v.cluster) group by 1 order by min(n)"
    ).fetchall()
    yield "| pieces in the cluster | clusters | on several sites |\n|---|---|---|\n"
    yield from (f"| {size} | {count:,} | {sites:,} |\n" for size, count, sites in sizes)
    yield "\n"


def _removed(db: sqlite3.Connection) -> Iterator[str]:
    masked: dict[str, int] = {}
    for (kinds,) in db.execute(f"select v.masked {_CURRENT}"):
        for kind, count in json.loads(kinds).items():
            masked[kind] = masked.get(kind, 0) + count
    yield "| personal data that is masked | spans |\n|---|---|\n"
    yield from (f"| {kind} | {count:,} |\n" for kind, count in sorted(masked.items()))
    for title, table, column, number in (
        ("pages that gave no piece", "reject", "reason", "count(*)"),
        ("what the cleaners took", "rule_hit", "rule", "sum(x.count)"),
    ):
        rows = db.execute(
            f"select x.{column}, {number} from {table} x"
            " join document_version dv on dv.id = x.document_version where dv.removed_in is null"
            " group by 1 order by 2 desc, 1"
        ).fetchall()
        yield f"\n| {title} | number |\n|---|---|\n"
        yield from (f"| {_cell(name)} | {count:,} |\n" for name, count in rows[:MOST])
    yield "\n"


def _changes(db: sqlite3.Connection, seq: int) -> Iterator[str]:
    rows = db.execute(
        "select change, why, count(*) from release_change where seq = ? group by 1, 2 order by 1, 3 desc, 2",
        (seq,),
    ).fetchall()
    parent = db.execute("select parent from release where seq = ?", (seq,)).fetchone()[0]
    yield f"## Since {parent}\n\n" if parent else "## The first release\n\n"
    yield "| change | why | pieces |\n|---|---|---|\n"
    yield from (f"| {change} | {why} | {count:,} |\n" for change, why, count in rows)


def _use(db: sqlite3.Connection, seq: int) -> Iterator[str]:
    version = db.execute("select version from release where seq = ?", (seq,)).fetchone()[0]
    text = (files("fanwen.corpus") / "data/card.md").read_text(encoding="utf-8")
    yield "\n" + text.replace("VERSION", version)
