"""What a pattern of a site file stands for, and whether it can hold a crawl up.

In goes a regular expression, out come short strings that it matches; in go several, out come
those that take seconds on some URL, because they can be read in too many ways. That is
measured in a process of its own, since nothing else can end a search that has begun.
"""

from __future__ import annotations

import json
import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product
from typing import Any

# The longest URL that is followed, see links.py, and seconds that all its readings may take together.
_LONGEST, _PATIENCE = 2000, 5.0
_MOST = 24
_OF_CATEGORY = {
    sre.CATEGORY_DIGIT: "1",
    sre.CATEGORY_WORD: "a",
    sre.CATEGORY_SPACE: " ",
    sre.CATEGORY_NOT_DIGIT: "a",
    sre.CATEGORY_NOT_SPACE: "a",
    sre.CATEGORY_NOT_WORD: "-",
}
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
    found = islice(_written(parser.parse(pattern)), 4 * _MOST)
    good = (text for text in dict.fromkeys(found) if re.search(pattern, text))
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


def _written(parsed: Any) -> Iterator[str]:
    """The strings that a parsed pattern stands for, assertions left aside."""
    parts = [_alternatives(operation, argument) for operation, argument in parsed]
    for choice in product(*parts):
        yield "".join(choice)


def _alternatives(operation: Any, argument: Any) -> list[str]:
    if operation is sre.LITERAL:
        return [chr(argument)]
    if operation is sre.NOT_LITERAL:
        return ["a" if argument != ord("a") else "b"]
    if operation is sre.ANY:
        return ["a"]
    if operation is sre.IN:
        return [_member(argument)]
    if operation is sre.BRANCH:
        return [text for branch in argument[1] for text in islice(_written(branch), _MOST)]
    if operation is sre.SUBPATTERN:
        return list(islice(_written(argument[-1]), _MOST))
    if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        least, most, inner = argument
        once = [text * max(1, least) for text in islice(_written(inner), _MOST)] if most else []
        return once + ([""] if least == 0 else [])
    return [""]


def _member(members: Sequence[tuple[Any, Any]]) -> str:
    """One character of a set; of a set that excludes, one that is rarely excluded."""
    operation, argument = members[0]
    if operation is sre.NEGATE:
        return "a"
    if operation is sre.RANGE:
        return chr(argument[0])
    return _OF_CATEGORY.get(argument, "a") if operation is sre.CATEGORY else chr(argument)
