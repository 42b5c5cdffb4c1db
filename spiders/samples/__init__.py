"""Five small sample sites, served on loopback, for the demo, the tests and people who want to try a rule.

Texts (``texts/``), page tables (``pages/``) and templates are data; :mod:`render` makes bytes of
them, :mod:`server` serves the bytes. README.md says what each page is there to show.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def site_folder() -> Path:
    """The folder of the sample sites' TOML files, for :func:`fanwen.spiders.site.read_sites`."""
    return Path(str(files("fanwen.spiders.samples") / "sites"))
