"""Describes a release for machines that read Croissant 1.0 (MLCommons): every Parquet file, table and column.

In go the Parquet files of a release, its figures and what its maintainer decided, out comes JSON-LD. The same
files give the same bytes. https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from fanwen.corpus.card import LICENSE, about
from fanwen.corpus.citation import MAINTAINERS, title
from fanwen.corpus.figures import Figures
from fanwen.corpus.publishing import Publishing
from fanwen.corpus.tables import CONFIGURATIONS, FOLDER, Column, table_of, tables_version

CROISSANT = "croissant.json"
_PARQUET = "application/x-parquet"
_TYPES: Mapping[str, str] = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "int32": "sc:Integer",
    "double": "sc:Float",
    "list<string>": "sc:Text",
}


def croissant(folder: Path, figures: Figures, publishing: Publishing) -> str:
    """The description of the release whose Parquet files lie in ``folder``."""
    context = (files("fanwen.corpus") / "data/croissant-context.json").read_text(encoding="utf-8")
    publisher = publishing.publisher or MAINTAINERS
    described = {
        "@context": json.loads(context),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"fanwen-{figures.version}",
        "description": f"{title(figures)}. {about('default', 'en')} tables_version {tables_version()}.",
        "inLanguage": "zh-Hans",
        "license": f"CC-BY-4.0 for compilation and annotations; no rights in the texts: see {LICENSE}",
        "creator": {"@type": "sc:Organization", "name": publisher},
        "version": figures.version,
        "datePublished": figures.date,
        "citeAs": f"{publisher}: {title(figures)}. Root hash {figures.root}.",
        # a name that means the same everywhere, where there is no address
        "url": publishing.homepage or f"urn:sha256:{figures.root}",
        "distribution": [*_files(folder), *(_file_set(name) for name in CONFIGURATIONS)],
        "recordSet": [_record_set(name) for name in CONFIGURATIONS],
    }
    return json.dumps(described, ensure_ascii=False, indent=1) + "\n"


def _files(folder: Path) -> Iterator[dict[str, object]]:
    for path in sorted((folder / FOLDER).rglob("*.parquet")):
        name = path.relative_to(folder).as_posix()
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        yield {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "contentSize": f"{path.stat().st_size} B",
            "encodingFormat": _PARQUET,
            "sha256": sha256,
        }


def _file_set(name: str) -> dict[str, object]:
    return {
        "@type": "cr:FileSet",
        "@id": f"files-{name}",
        "name": f"files-{name}",
        "encodingFormat": _PARQUET,
        "includes": f"{FOLDER}/{name}/*.parquet",
    }


def _record_set(name: str) -> dict[str, object]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": about(name, "en"),
        "field": [_field(name, column) for column in table_of(name).columns],
    }


def _field(configuration: str, column: Column) -> dict[str, object]:
    field: dict[str, object] = {
        "@type": "cr:Field",
        "@id": f"{configuration}/{column.name}",
        "name": column.name,
        "description": column.en,
        "dataType": _TYPES[column.type],
        "source": {"fileSet": {"@id": f"files-{configuration}"}, "extract": {"column": column.name}},
    }
    if column.type.startswith("list"):
        field["repeated"] = True
    return field
