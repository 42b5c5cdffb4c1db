"""What a maintainer has decided about the files of releases; ``fanwen.toml`` says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SiteText = Literal["none", "snippets", "full"]


@dataclass(frozen=True, slots=True)
class Publishing:
    """How releases are made and presented.

    ``sign_key`` is a private SSH key. ``mirrors`` are base URLs of copies of the folder of releases,
    ``homepage`` is where readers find it. ``objections`` is where a person or a site asks for a removal,
    answered within ``answer_days``. ``publisher`` is who is cited. ``site_text``: how much of a text the
    site of a release shows.
    """

    sign_key: Path | None = None
    mirrors: tuple[str, ...] = ()
    homepage: str | None = None
    publisher: str | None = None
    objections: str | None = None
    answer_days: int = 14
    site_text: SiteText = "full"
