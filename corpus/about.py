"""Writes what tells about a release: cards, plots, licence, citation, Croissant.

In goes the masked copy of a release and the folder with its Parquet files, out come further files in that
folder, all from the same figures.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from fanwen.corpus.card import texts
from fanwen.corpus.citation import CITATION, citation
from fanwen.corpus.croissant import CROISSANT, croissant
from fanwen.corpus.figures import count
from fanwen.corpus.plots import FOLDER as PLOTS
from fanwen.corpus.plots import plots
from fanwen.corpus.publishing import Publishing


def write_about(db: sqlite3.Connection, seq: int, folder: Path, publishing: Publishing) -> None:
    """Write the files about release ``seq``, after those that they describe."""
    figures = count(db, seq)
    (folder / PLOTS).mkdir()
    written = {
        **dict(texts(figures, publishing)),
        **{f"{PLOTS}/{name}": svg for name, svg in plots(figures)},
        CITATION: citation(figures, publishing),
        CROISSANT: croissant(folder, figures, publishing),
    }
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
