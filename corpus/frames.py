"""A corpus as one table of Arrow, with the columns, types and descriptions of a release's Parquet files.

In goes a release folder, whose files are read, or a database, whose rows become the same table. The texts of
a database are as it holds them: those of a home are not masked.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fanwen.corpus.split import SPLITS
from fanwen.corpus.store import open_store
from fanwen.corpus.tables import CONFIGURATIONS, FOLDER, batches, table_of
from fanwen.corpus.views import show_as_of
from fanwen.errors import DamagedError, UsageError


def from_files(release: Path, configuration: str) -> pa.Table:
    """One configuration of a release folder, all splits, in the order train, validation, test."""
    _must_be_known(configuration)
    folder = release / FOLDER / configuration
    paths = [path for split in SPLITS for path in sorted(folder.glob(f"{split}-*.parquet"))]
    try:
        # the name of the folder is no partition
        return pa.concat_tables([pq.ParquetFile(path).read() for path in paths])
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(
            f"The tables in {folder} cannot be read ({error}); 'fanwen release verify {release}' says more."
        ) from None


def from_database(database: Path, configuration: str, seq: int | None = None) -> pa.Table:
    """The same from a database, as of release ``seq`` where that is given."""
    _must_be_known(configuration)
    with open_store(database, readonly=True) as store:
        if seq is not None:
            show_as_of(store.conn, seq)
        with store.snapshot():
            return pa.Table.from_batches(batches(store.conn, configuration), table_of(configuration).schema())


def library(module: str, extra: str) -> Any:
    """An optional library. Raises :class:`UsageError` where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        raise UsageError(f"{module} is not installed; pip install 'fanwen[{extra}]' brings it.") from None


def _must_be_known(configuration: str) -> None:
    if configuration not in CONFIGURATIONS:
        names = ", ".join(CONFIGURATIONS)
        raise UsageError(f"There is no configuration {configuration}; there are: {names}.")
