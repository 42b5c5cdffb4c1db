"""Markup that would hold a parser up, taken out before it is parsed.

In goes HTML as bytes, out comes the same without start tags that have hundreds of attributes and more: the
parser compares each attribute with all before it, so one tag of 350 KB takes ten seconds and one of
4 MB hours, in which nothing else happens.
"""

from __future__ import annotations

import re

_SMALL = 64 * 1024  # bytes; what fits in takes the parser less than a second
_MOST = 1000  # words and quoted strings in a tag; one that people wrote has dozens
_NAME = rb"<[a-zA-Z][^\s>/]*+"
_WORD = rb"[\s/]*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'/]++|[\"'])"
# every part takes all it can and gives nothing back, so a page is read once whatever is in it
_HARMLESS = re.compile(rb"(?:[^<]++|<(?![a-zA-Z])|%b(?:%b){0,%d}+(?!%b))*+" % (_NAME, _WORD, _MOST, _WORD))
_CROWDED = re.compile(rb"%b(?:%b)*+" % (_NAME, _WORD))


def tame(body: bytes) -> bytes:
    """The body without start tags of more than 500 attributes or so; nearly always the body itself."""
    if len(body) < _SMALL:
        return body
    parts: list[bytes] = []
    place = 0
    while harmless := _HARMLESS.match(body, place):
        parts.append(harmless[0])
        crowded = _CROWDED.match(body, harmless.end())
        if crowded is None:
            break
        place = crowded.end()
    return b"".join(parts) if len(parts) > 1 else body
