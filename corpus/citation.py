"""Says how a release is cited: CITATION.cff (Citation File Format 1.2.0)."""

from __future__ import annotations

import json

from fanwen.corpus.card import LICENSE
from fanwen.corpus.figures import Figures
from fanwen.corpus.publishing import Publishing

CITATION = "CITATION.cff"
MAINTAINERS = "fanwen corpus maintainers"


def title(figures: Figures) -> str:
    """What the release is called."""
    return f"fanwen {figures.version}: Chinese sample essays (范文)"


def citation(figures: Figures, publishing: Publishing) -> str:
    """The file; strings are JSON's, which is YAML for any character."""
    abstract = (
        f"{figures.pieces} sample essays of {figures.documents} pages with origin, history and duplicates."
        " The compilation and annotations are under CC-BY-4.0; no rights in the texts are granted:"
        f" see {LICENSE}."
    )
    lines = (
        "cff-version: 1.2.0",
        f"message: {_quoted('If you use this release, please cite it with its version and root hash.')}",
        "type: dataset",
        f"title: {_quoted(title(figures))}",
        f"version: {_quoted(figures.version)}",
        f"date-released: {_quoted(figures.date)}",
        "authors:",
        f"  - name: {_quoted(publishing.publisher or MAINTAINERS)}",
        "identifiers:",
        "  - type: other",
        f"    value: {_quoted(f'urn:sha256:{figures.root}')}",
        f"    description: {_quoted('Root hash: sha256 over the sorted leaf hashes of the pieces')}",
        *([f"url: {_quoted(publishing.homepage)}"] if publishing.homepage else []),
        f"abstract: {_quoted(abstract)}",
        f"keywords: [{', '.join(map(_quoted, ('Chinese', 'corpus', '范文', 'near-duplicates')))}]",
    )
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
