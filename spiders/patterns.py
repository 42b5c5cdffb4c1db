"""What a pattern of a site file stands for, and whether it can hold a crawl up.

In goes a regular expression, out come short strings that it matches; in go several, out come
those that take seconds on some URL, because they can be read in too many ways. That is
measured in a process of its own, since nothing else can end a search that has begun.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product

# The longest URL that is followed, see links.py, and seconds that all its readings may take together.
_LONGEST, _PATIENCE = 2000, 5.0
_MOST = 24
# The parts of a pattern: what matches no character, groups (that look around), sets, repeats, characters.
_TOKEN = re.compile(
    r"""(?P<nothing>\\[AbBZ]|[\^$]|\(\?[a-zA-Z-]+\))
    | (?P<around>\(\?<?[=!]) | (?P<group>\((\?(P<\w+>|[a-zA-Z-]*:|>))?) | (?P<end>\)) | (?P<other>\|)
    | (?P<set>\[\^?\]?(\\.|[^\]\\])*\])
    | (?P<repeat>([*+?]|\{(?P<least>\d+)?,?\d*\})[?+]?) | (?P<one>\\.|.)""",
    re.VERBOSE | re.DOTALL,
)
_CLASSES = {"d": "1", "w": "a", "s": " ", "D": "a", "S": "a", "W": "-"}
# Says which pattern it is at, so that the one it hangs in is known when it is ended.
_MEASURE = """
import json, re, sys
for number, (pattern, probes) in enumerate(json.load(sys.stdin)):
    print(number, flush=True)
    for probe in probes:
        re.search(pattern, probe)
print("done", flush=True)
"""


def examples(pattern: str) -> tuple[str, ...]:
    """At most 24 strings that the pattern matches, one for each of its alternatives; the shortest of each."""
    good = (text for text in dict.fromkeys(_written(_TOKEN.finditer(pattern))) if re.search(pattern, text))
    return tuple(islice(good, _MOST))


def slow(patterns: Iterable[str]) -> tuple[str, ...]:
    """Those patterns that do not come to an end within seconds on a URL of 2,000 characters."""
    todo = [(pattern, _probes(pattern)) for pattern in dict.fromkeys(patterns)]
    found = []
    while todo:
        hung = _hung(todo)
        if hung is None:
            break
        found.append(todo[hung][0])
        todo = todo[hung + 1 :]
    return tuple(found)


def _hung(todo: Sequence[tuple[str, list[str]]]) -> int | None:
    """Which of the patterns the measuring process was ended in; None when it came through."""
    try:
        subprocess.run(
            [sys.executable, "-I", "-c", _MEASURE],
            input=json.dumps(todo).encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
    except subprocess.TimeoutExpired as ended:
        lines = (ended.stdout or b"0").split()
        return None if lines[-1] == b"done" else int(lines[-1])
    return None


def _probes(pattern: str) -> list[str]:
    """Long strings that almost match: up to one place as an example, then its characters again and again."""
    probes = []
    for text in examples(pattern)[:4]:
        for begin in range(len(text)):
            for end in (begin + 1, begin + 2):
                again = text[begin:end] * (_LONGEST // len(text[begin:end]))
                probes.append(text[:begin] + again + "\0")
    return list(dict.fromkeys(probes))


def _written(tokens: Iterator[re.Match[str]]) -> list[str]:
    """Strings that the tokens up to the end of their group stand for; assertions are left aside."""
    found: list[str] = []
    parts: list[list[str]] = []
    for token in tokens:
        kind = token.lastgroup
        if kind in ("end", "other"):
            found += _joined(parts)
            parts = []
            if kind == "end":
                return found
        elif kind == "repeat" and parts:
            least = {"*": 0, "?": 0, "+": 1}.get(token[0][0], int(token["least"] or 0))
            once = [text * max(1, least) for text in parts[-1]]
            parts[-1] = once if least else [*once, ""]
        elif kind in ("group", "around"):
            inner = _written(tokens)
            parts.append(inner if kind == "group" else [""])
        else:
            parts.append(["" if kind == "nothing" else _character(token[0])])
    return found + _joined(parts)


def _joined(parts: Sequence[Sequence[str]]) -> list[str]:
    return ["".join(choice) for choice in islice(product(*parts), 4 * _MOST)]


def _character(part: str) -> str:
    """One character that is matched; of a set that excludes, one that is rarely excluded."""
    if part.startswith("[^") or part == ".":
        return "a"
    first = part[1:] if part[0] == "[" else part
    return _CLASSES.get(first[1], first[1]) if first[0] == "\\" else first[0]
