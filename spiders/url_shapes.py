"""Patterns from URLs: what the paths of several pages have in common, as a regular expression.

In go paths (with query) of pages of one kind, and those of other links of the site; out come
patterns that match all of the former. Numbers, hexadecimal names and slugs become classes,
words stay words unless the paths differ in them. Only the paths given are looked at.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

_RUN = re.compile(r"[0-9A-Za-z]+|[^0-9A-Za-z]")
_ENDING = re.compile(r"\.[A-Za-z]{2,5}$")
_HEX = re.compile(r"[0-9a-f]{8,}")
# folders that are written out; more than that and any word will do
_FEW = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """A path taken apart: ``folders``, the last segment without its ``ending``, and pairs of the query."""

    folders: tuple[str, ...]
    stem: str
    ending: str
    query: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> tuple[object, ...]:
        """Paths of different kinds never share a pattern."""
        names = tuple(name for name, _ in self.query)
        digits = any(char.isdigit() for char in self.stem)
        return len(self.folders), bool(self.stem), digits and not names, self.ending.lower(), names


def shape_of(path: str) -> Shape:
    """Take a path with its query apart."""
    path, _, query = path.partition("?")
    *folders, leaf = path.lstrip("/").split("/")
    found = _ENDING.search(leaf)
    ending = found[0] if found else ""
    pairs = tuple(
        (name, value) for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)
    )
    return Shape(tuple(folders), leaf[: len(leaf) - len(ending)], ending, pairs)


def patterns_of(paths: Iterable[str], others: Iterable[str] = (), never: Collection[str] = ()) -> list[str]:
    """Patterns that together match all ``paths``, the one of most paths first.

    ``others`` are further paths of the site, which show in what folders pages like these lie; ``never`` are
    folders that cannot be meant.
    """
    groups: dict[tuple[object, ...], list[Shape]] = defaultdict(list)
    for shape in map(shape_of, dict.fromkeys(paths)):
        groups[shape.kind].append(shape)
    beside = [shape for shape in map(shape_of, dict.fromkeys(others)) if not {*shape.folders} & {*never}]
    ranked = sorted(groups.values(), key=len, reverse=True)
    return list(dict.fromkeys(_any_depth([(group, _pattern(group, beside)) for group in ranked])))


def later_page_of(path: str, first: str) -> bool:
    """Whether ``path`` looks like a later page of the article at ``first``: 12_2.html of 12.html, ?page=2."""
    one, other = shape_of(first), shape_of(path)
    if one.folders != other.folders or one.ending != other.ending:
        return False
    if one.stem == other.stem:
        more = [pair for pair in other.query if pair not in one.query]
        longer = len(more) == 1 and len(other.query) == len(one.query) + 1
        return longer and re.fullmatch(r"\d{1,3}", more[0][1]) is not None
    here = re.sub(r"[-_]\d{1,2}$", "", one.stem)
    stems = (one.stem, here) if here != one.stem else (one.stem,)
    return one.query == other.query and any(
        re.fullmatch(_literal(stem) + r"[-_]\d{1,3}", other.stem) for stem in stems
    )


def moved(path: str, first: str, further: str) -> str | None:
    """What is to ``path`` as ``further`` is to ``first``: its further page; None where they share nothing."""
    ending = shape_of(first).ending
    base = first.removesuffix(ending)
    if not further.startswith(base) or not path.endswith(ending):
        return None
    return path.removesuffix(ending) + further[len(base) :]


def _any_depth(made: Sequence[tuple[Sequence[Shape], str]]) -> Iterator[str]:
    """The patterns; those that differ only in how many folders of words lie above become one."""
    depths: dict[str, list[tuple[Sequence[Shape], str]]] = defaultdict(list)
    for group, pattern in made:
        words = all(re.fullmatch("[A-Za-z]+", folder) for shape in group for folder in shape.folders)
        leaf = pattern.rpartition("/")[2]
        depths[leaf if words and group[0].folders else pattern].append((group, pattern))
    for leaf, same in depths.items():
        if len(same) == 1:
            yield same[0][1]
        else:
            shapes = [shape for group, _ in same for shape in group]
            counts = {len(shape.folders) for shape in shapes}
            word = _letters(folder for shape in shapes for folder in shape.folders)
            yield f"^/({word}/){{{min(counts)},{max(counts)}}}{leaf}"


def _pattern(group: Sequence[Shape], beside: Iterable[Shape]) -> str:
    one = group[0]
    leaf = _leaf([shape.stem for shape in group], bool(one.query)) + _literal(one.ending)
    query = "&".join(
        f"{_literal(name)}={_segment([shape.query[k][1] for shape in group])}"
        for k, (name, _) in enumerate(one.query)
    )
    end = leaf + (rf"\?{query}" if query else "")
    alike = [
        shape for shape in beside
        if shape.kind == one.kind and re.fullmatch(leaf, shape.stem + shape.ending) and _like(shape, group)
    ]  # fmt: skip
    folders = [
        _folder([shape.folders[k] for shape in group], [shape.folders[k] for shape in alike])
        for k in range(len(one.folders))
    ]
    if not end and len(folders) > 1:
        folders[-1] = _leaf(
            [shape.folders[-1] for shape in group], queried=False
        )  # a name with a slash behind it
    return "^/" + "".join(f"{folder}/" for folder in folders) + end + "$"


def _like(shape: Shape, group: Sequence[Shape]) -> bool:
    """Whether its folders are of the same make: a word for a word, a number for a number."""
    return any(
        all(a.isdigit() == b.isdigit() for a, b in zip(shape.folders, one.folders, strict=True))
        for one in group
    )


def _folder(values: Sequence[str], beside: Sequence[str]) -> str:
    known = sorted({*values, *beside})
    if len(known) > 1 and all(re.fullmatch("[A-Za-z]+", value) for value in known):
        return f"({'|'.join(known)})" if len(known) <= _FEW else _letters(known)
    return _segment(known)


def _leaf(stems: Sequence[str], queried: bool) -> str:
    """The last segment: where it holds no number and no query follows, it is the page's name, a slug."""
    if not any(stems):
        return ""
    if queried or any(char.isdigit() for stem in stems for char in stem):
        return _segment(stems)
    if all(stem.isascii() and stem.isalpha() for stem in stems):
        return _letters(stems)
    return _slug(stems)


def _segment(values: Sequence[str]) -> str:
    """One segment or value; words that all share stay."""
    runs = [_RUN.findall(value) for value in values]
    marks = [[run if not run.isalnum() else "" for run in one] for one in runs]
    if any(one != marks[0] for one in marks) or any("%" in one for one in marks):
        return _slug(values)
    parts = []
    for column in zip(*runs, strict=True):
        parts.append(_run(column) if column[0].isalnum() else _literal(column[0]))
    return "".join(parts)


def _run(values: Sequence[str]) -> str:
    if all(value.isdigit() for value in values):
        return r"\d+"
    if all(value.isalpha() for value in values):
        return _literal(values[0]) if len({*values}) == 1 else _letters(values)
    if all(_HEX.fullmatch(value) for value in values):
        return "[0-9a-f]+"
    word = re.sub(r"\d+$", "", values[0])
    if word.isalpha() and all(re.fullmatch(word + r"\d+", value) for value in values):
        return word + r"\d+"
    if all(re.fullmatch(r"\d+[a-z]+", value) for value in values):
        return r"\d+[a-z]+"
    return "[0-9A-Za-z]+" if any(char.isupper() for value in values for char in value) else "[0-9a-z]+"


def _letters(values: Iterable[str]) -> str:
    return "[A-Za-z]+" if any(char.isupper() for value in values for char in value) else "[a-z]+"


def _slug(values: Iterable[str]) -> str:
    """Any name of a page; what it may hold is what the values hold."""
    text = "".join(values)
    marks = "".join(sorted(re.escape(char) for char in {*text} if not char.isalnum() and char not in "-"))
    upper = "A-Z" if any(char.isupper() for char in text) else ""
    return f"[{marks}0-9a-z{upper}-]+"


def _literal(text: str) -> str:
    """As :func:`re.escape`, without a bar before hyphens, which mean nothing outside a set."""
    return re.escape(text).replace(r"\-", "-")
