"""The escape hatch: a class of the user's own for pages that a site file cannot describe.

``spider = "module:Class"`` names a subclass of :class:`PageReader` that Python can import. In goes a page
as it came, out come links as they would stand on it and HTML for the cleaners. It asks for nothing and
keeps nothing: its links are judged like those of any page, and the archive holds the page as it came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from fanwen.errors import UsageError

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page as it came. ``kind`` is list, detail, part or attachment; ``content_type`` as served."""

    url: str
    kind: str
    body: bytes
    content_type: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader finds on a page, besides what the site file finds.

    ``links`` are judged by [follow]; ``parts`` are further pages of the same article, in order; both may be
    relative. ``html`` is cleaned in the page's place; None: the page as it came.
    """

    links: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    html: str | None = None


class PageReader:
    """Base of all readers. ``version`` is to be raised when a reader gives something else than before:
    pages are then cleaned again. A reader must give the same for the same page, in any order."""

    version = "1"

    def read_page(self, page: RawPage) -> Reading:
        """What the page says. Whatever is raised is reported with the page, and stops nothing."""
        raise NotImplementedError


@cache
def reader_of(spider: str) -> PageReader:
    """The reader that a site file names. Raises UsageError where there is none that can be imported."""
    if not _NAME.fullmatch(spider):
        raise UsageError(f"spider = '{spider}' is not of the form 'module:Class'; correct it.")
    module, _, name = spider.partition(":")
    try:
        found = getattr(import_module(module), name)
    except Exception as error:  # whatever a module does when it is imported
        raise UsageError(
            f"spider = '{spider}' cannot be imported ({type(error).__name__}: {error}); install the module"
            " beside fanwen, or put its folder on PYTHONPATH."
        ) from None
    if not (isinstance(found, type) and issubclass(found, PageReader)):
        raise UsageError(f"spider = '{spider}' is not a fanwen.spiders.reader.PageReader; correct it.")
    return found()


def read(spider: str, page: RawPage) -> Reading:
    """What the site's reader says of a page. Raises what the reader raises, TypeError for no Reading."""
    reading = reader_of(spider).read_page(page)
    if not isinstance(reading, Reading):
        raise TypeError(f"{spider} gave {type(reading).__name__} and no Reading")
    return reading
