"""fanwen: build, keep and publish a living corpus of Chinese 范文 (sample essays).

The packages are :mod:`fanwen.spiders` (pages in), :mod:`fanwen.cleaners`
(a page becomes pieces) and :mod:`fanwen.corpus` (pieces kept and published).
"""

from __future__ import annotations

import pathlib
import typing

if typing.TYPE_CHECKING:
    import os

    from fanwen.corpus.reader import Corpus

__all__ = ["__version__", "open"]
__version__ = "0.1.0"

# In a checkout the packages lie beside this folder, not inside it: the three
# bare names would overwrite other people's packages if they were installed so.
_checkout = pathlib.Path(__file__).resolve().parent.parent
if (_checkout / "scrapy.cfg").is_file() and str(_checkout) not in __path__:
    __path__.append(str(_checkout))


def open(what: str | os.PathLike[str]) -> Corpus:
    """Open a corpus.db, a home or checkout that holds one, or a release, read-only.

    ``what`` is a path, or the version of a release: one that was pulled, or else one in the releases of the
    home (``FANWEN_HOME``, or ``./fanwen-data``). Raises :class:`fanwen.errors.UsageError` where none is.
    """
    from fanwen.corpus.reader import Corpus, located

    return Corpus(located(what))
