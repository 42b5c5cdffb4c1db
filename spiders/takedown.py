"""The takedown list: what is never asked for, never stored again, and in no further release.

In goes a text file, one entry per line: a URL, a host, or the sha256 of a body or of a piece's
text (64 hex digits); ``#`` begins a comment. A host stands for its subdomains too.
Raises UsageError, with the line, for an entry that is none of these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fanwen.errors import UsageError
from fanwen.spiders.urls import canonical_host, canonical_url

TAKEN_DOWN = "on the takedown list"
_HASH = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)
_ALIASES = re.compile(r"^(?:www|m|wap|mobile|3g)\.(?=[^.]+\.)")


@dataclass(frozen=True, slots=True)
class Takedown:
    """An empty list takes nothing down. URLs are compared without scheme and without www. or m."""

    urls: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.urls or self.hosts or self.hashes)

    @staticmethod
    def key(url: str) -> str:
        """A canonical URL as the list compares it."""
        return _ALIASES.sub("", url.partition("://")[2])

    def names(self, url: str) -> bool:
        """Whether the list names this URL, or its host."""
        if not (self.urls or self.hosts) or not url.startswith("http"):
            return url in self.urls
        labels = (urlsplit(url).hostname or "").split(".")
        return self.key(url) in self.urls or any(
            ".".join(labels[k:]) in self.hosts for k in range(len(labels))
        )


def read_takedown(path: Path) -> Takedown:
    """The list in a file; an empty one where there is no file."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return Takedown()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The takedown list {path} cannot be read ({error}); make it a UTF-8 text file."
        ) from None
    urls: set[str] = set()
    hosts: set[str] = set()
    hashes: set[str] = set()
    for number, line in enumerate(lines, start=1):
        entry = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if not entry:
            continue
        try:
            if found := _HASH.fullmatch(entry):
                hashes.add(found[1].lower())
            elif entry.startswith("urn:sha256:"):
                urls.add(entry)
            elif "://" in entry:
                urls.add(Takedown.key(canonical_url(entry)))
            else:
                hosts.add(named_host(entry))
        except ValueError:
            raise UsageError(
                f"Line {number} of the takedown list {path} is no URL, host or sha256: {entry!r}; correct it."
            ) from None
    return Takedown(frozenset(urls), frozenset(hosts), frozenset(hashes))


def named_host(entry: str) -> str:
    """A host as the list compares it. Raises ValueError for what is none."""
    host = canonical_host(entry.removeprefix("*.").strip("/"))
    if "." not in host or " " in entry:
        raise ValueError(entry)
    return _ALIASES.sub("", host)
