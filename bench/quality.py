"""The reference scorers over fanwen and over other extractors, on the same pages.

In go folders with ``index.jsonl`` (a document per line: files, url, content_type), ``pages/`` and ``gold/``:
``*.json`` where pieces are judged (score.py), ``*.txt`` where the main text is (score_text.py). Out comes a
table per folder. Only documents of HTML files are compared, since the other tools read nothing else. They do
not split: each gives one piece per document. trafilatura decodes the bytes itself; the others expect text and
get it as fanwen decodes it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trafilatura
from trafilatura.settings import DEFAULT_CONFIG

from fanwen.cleaners.decode import decode
from fanwen.cleaners.html_tree import lines_of, parse
from fanwen.cleaners.pipeline import clean_document
from fanwen.cleaners.types import Page

ROOT = Path(__file__).resolve().parent.parent
Row = dict[str, Any]
Extract = Callable[[Page], str]
PIECES = ("char_f1", "char_precision", "char_recall", "piece_f1", "leaks", "split_accuracy", "zero_accuracy")
TEXT = ("mean_f1", "median_f1", "precision", "recall")


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="by default dev and news beside the scorers")
    parser.add_argument(
        "--reference",
        type=Path,
        default=Path(os.environ.get("FANWEN_REFERENCE", ROOT.parent / "shared")),
        help="folder with score.py and score_text.py, or whose eval/ holds them; default: FANWEN_REFERENCE",
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    scorers = next(
        (d for d in (options.reference, options.reference / "eval") if (d / "score.py").is_file()), None
    )
    if scorers is None:
        parser.error(f"{options.reference} holds no score.py; name the reference folder with --reference.")
    reports = []
    for folder in options.folders or [scorers / "dev", scorers / "news"]:
        if not (folder / "gold").is_dir() or not list(folder.glob("index*.jsonl")):
            parser.error(
                f"{folder} holds no gold/ and index.jsonl; name a folder of the shape of {scorers / 'dev'}."
            )
        reports.append(compare(folder, scorers))
    if options.json:
        print(json.dumps(reports, ensure_ascii=False, indent=1))
    else:
        for report in reports:
            show(report)
        for name in SKIPPED:
            print(f"skipped: {name} is not installed; pip install 'fanwen[bench]'")


# -- the tools ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a folder: its pages in order, and the name under which it is judged."""

    source: str
    pages: tuple[Page, ...]
    is_html: bool


def _trafilatura(**settings: Any) -> Extract:
    return lambda page: str(trafilatura.extract(page.body, **settings) or "")


def _short_texts_too() -> Any:
    config = deepcopy(DEFAULT_CONFIG)
    config.set("DEFAULT", "MIN_EXTRACTED_SIZE", "60")
    return config


def _resiliparse(page: Page) -> str:
    extract = importlib.import_module("resiliparse.extract.html2text").extract_plain_text
    return str(extract(_decoded(page), main_content=True, alt_texts=False))


def _readability(page: Page) -> str:
    # its answer is HTML: read as we read pages, so that it loses no paragraphs to the bench
    tree = parse(importlib.import_module("readability").Document(_decoded(page)).summary())
    return "" if tree is None else "\n".join(line.text for line in lines_of(tree))


def _gne(page: Page) -> str:
    return str(importlib.import_module("gne").GeneralNewsExtractor().extract(_decoded(page))["content"])


def _decoded(page: Page) -> str:
    return decode(page.body, page.content_type, page.encoding).text


# name: its module, and how it is called
TOOLS: dict[str, tuple[str, Extract]] = {
    "trafilatura": ("trafilatura", _trafilatura()),
    "trafilatura no comments": ("trafilatura", _trafilatura(include_comments=False)),
    "trafilatura fast": ("trafilatura", _trafilatura(include_comments=False, fast=True)),
    "trafilatura fast, short": (
        "trafilatura",
        _trafilatura(include_comments=False, fast=True, config=_short_texts_too()),
    ),
    "trafilatura precision": ("trafilatura", _trafilatura(include_comments=False, favor_precision=True)),
    "trafilatura recall": ("trafilatura", _trafilatura(include_comments=False, favor_recall=True)),
    "resiliparse": ("resiliparse", _resiliparse),
    "readability-lxml": ("readability", _readability),
    "gne": ("gne", _gne),
}
SKIPPED = [name for name, (module, _) in TOOLS.items() if importlib.util.find_spec(module) is None]


def _predict(extract: Extract, documents: Sequence[Document]) -> tuple[list[Row], int]:
    """One piece per document, and how many pages the tool failed on."""
    rows, failures = [], 0
    for document in documents:
        texts = []
        for page in document.pages:
            try:
                texts.append(extract(page))
            except Exception:  # whatever another's code raises: it gave no text
                failures += 1
        if text := "\n".join(texts).strip():
            rows.append({"source": document.source, "index": 1, "title": None, "text": text})
    return rows, failures


def _predict_ours(documents: Sequence[Document], main_text: bool) -> list[Row]:
    rows: list[Row] = []
    for document in documents:
        cleaned = clean_document(document.pages, main_text=main_text)
        if main_text:
            rows.append(
                {"source": document.source, "text": cleaned.document.text if cleaned.document else ""}
            )
            continue
        rows += (
            {
                "source": document.source,
                "index": piece.index,
                "title": piece.title,
                "text": piece.text,
                "flags": list(piece.flags),
                "genre": piece.genre,
            }
            for piece in cleaned.pieces
        )
    return rows


# -- scoring --------------------------------------------------------------------------------------


def compare(folder: Path, scorers: Path) -> Row:
    """Every tool on one folder."""
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    index = [
        json.loads(line)
        for file in sorted(folder.glob("index*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    by_source = {row["files"][0]: row for row in index}
    documents = [_document(folder, row) for row in index]
    html = [d for d in documents if d.is_html]
    main_text = not list((folder / "gold").glob("*.json"))
    report: Row = {"folder": folder.name, "kind": "main text" if main_text else "pieces"}
    report |= {"documents": len(documents), "compared": len(html), "tools": {}, "failures": {}}
    report["skipped"] = SKIPPED

    def score(name: str, rows: list[Row], judged: Sequence[Document]) -> None:
        with tempfile.TemporaryDirectory() as place:
            chosen = [by_source[d.source] for d in judged]
            report["tools"][name] = _score(Path(place), folder, chosen, rows, scorers, main_text)

    score("fanwen", _predict_ours(html, main_text), html)
    for name, (_, extract) in TOOLS.items():
        if name not in SKIPPED:
            rows, failures = _predict(extract, html)
            report["failures"] |= {name: failures} if failures else {}
            score(name, rows, html)
    if len(html) < len(documents):
        score("fanwen, with other files", _predict_ours(documents, main_text), documents)
    return report


def _document(folder: Path, row: Row) -> Document:
    pages = tuple(Page(row["url"], (folder / f).read_bytes(), row["content_type"]) for f in row["files"])
    is_html = all(Path(file).suffix.lower() in (".html", ".htm", ".shtml", ".xhtml") for file in row["files"])
    return Document(row["files"][0], pages, is_html)


def _score(
    place: Path, folder: Path, index: Sequence[Row], rows: Sequence[Row], scorers: Path, main_text: bool
) -> Row:
    """The figures of the reference scorer for these documents alone."""
    (place / "gold").mkdir()
    for row in index:
        name = Path(row["files"][0]).stem + (".txt" if main_text else ".json")
        (place / "gold" / name).symlink_to((folder / "gold" / name).resolve())
    _write(place / "index.jsonl", [{"kind": "page"} | row for row in index])
    _write(place / "pred.jsonl", rows)
    if not main_text:
        said = _run(scorers / "score.py", "--gold", place / "gold", "--pred", place / "pred.jsonl", "--json")
        metrics: Row = json.loads(said)["metrics"]
        return metrics
    said = _run(scorers / "score_text.py", place, place / "pred.jsonl")
    parts = re.findall(r": (\d+) pages, mean F1 (\S+) P (\S+) R (\S+) median F1 ([\d.]+)", said)
    count = sum(int(part[0]) for part in parts)
    means = [sum(int(part[0]) * float(part[i]) for part in parts) / count for i in (1, 4, 2, 3)]
    return dict(zip(TEXT, (round(mean, 4) for mean in means), strict=True))


def _write(file: Path, rows: Sequence[Row]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _run(script: Path, *arguments: str | Path) -> str:
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2]
        sys.exit(f"{script} could not judge the folder ({why}); look at its gold/.")
    return done.stdout


def show(report: Row) -> None:
    """One folder as a table; * marks the best of trafilatura's settings."""
    columns = TEXT if report["kind"] == "main text" else PIECES
    settings = [name for name in report["tools"] if name.startswith("trafilatura")]
    best = max(settings, key=lambda name: report["tools"][name][columns[0]])
    print(
        f"\n{report['folder']}: {report['compared']} of {report['documents']} documents are HTML and compared"
    )
    print(f"{'':26}" + "".join(f"{column.removesuffix('_accuracy'):>16}" for column in columns))
    for name, metrics in report["tools"].items():
        label = name + (" *" if name == best else "")
        failed = f"  {n} pages failed" if (n := report["failures"].get(name)) else ""
        print(f"{label:26}" + "".join(f"{metrics[column]:16}" for column in columns) + failed)


if __name__ == "__main__":
    main()
