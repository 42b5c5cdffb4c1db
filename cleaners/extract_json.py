"""The text of JSON, which viewers load piece by piece: as a page of HTML, for the extraction of all others.

In goes the decoded answer (JSON, or JSON in the call of a function), out comes HTML with every
string of it that is text, in the order in which they stand; None for what is no JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape

_CALL = re.compile(r"\s*(?:/\*\*/)?\s*[\w$.]{1,60}\s*\((.*)\)\s*;?\s*", re.S)
_BEGINS = re.compile(r"[\s\ufeff]*(?:/\*\*/)?[\s]*(?:[\w$.]{1,60}\s*\(\s*)?[{\[]")
_TAG = re.compile(r"<(?:p|div|br|span|li|h\d|table|section)\b", re.I)
_HAN = re.compile(r"[㐀-鿿]")
_TITLES = frozenset({"title", "name", "subject", "headline"})
_FEW = 12  # Han characters under which a string is a label, a name or a date


def looks_like_json(text: str) -> bool:
    """Whether the text begins as JSON, or as the call of a function with JSON."""
    return _BEGINS.match(text[:200]) is not None


def json_as_html(text: str) -> str | None:
    """The strings of a JSON answer as HTML; None where it is none."""
    called = _CALL.fullmatch(text)
    try:
        value = json.loads((called[1] if called else text).lstrip("\ufeff"), strict=False)
    except (ValueError, RecursionError):
        return None
    titles: list[str] = []
    paragraphs: list[str] = []
    for key, string in _strings(value):
        if key in _TITLES and len(string) <= 80:
            titles.append(string)
        elif _TAG.search(string):
            paragraphs.append(f"<div>{string}</div>")
        elif len(_HAN.findall(string)) >= _FEW:
            paragraphs += [f"<p>{escape(line)}</p>" for line in string.splitlines() if line.strip()]
    head = "".join(f"<title>{escape(title)}</title><h1>{escape(title)}</h1>" for title in titles[:1])
    return f"<html><body>{head}<div>{''.join(paragraphs)}</div></body></html>"


def _strings(value: object) -> Iterator[tuple[str, str]]:
    """Every string with the key it stands under, in order; not recursive, so that no depth is too much."""
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting:
        key, one = waiting.pop()
        if isinstance(one, str):
            yield key, one
        elif isinstance(one, dict):
            waiting += [(str(name).lower(), one[name]) for name in reversed(one)]
        elif isinstance(one, list):
            waiting += [(key, item) for item in reversed(one)]
