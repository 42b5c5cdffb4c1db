"""What a document and its pieces are called.

In go the titles that a page gives, out come its names without count, praise and file suffix, and how
many pieces they promise. Also what a line must look like to be a title: nothing here looks at a text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from fanwen.cleaners import rules

_PUNCTUATION = re.compile(r"[\s　《》“”\"'‘’「」【】\[\]()（）:：,，。.、·_#*—-]")
_TRAILS = re.compile(r"(?:范文|模板|大全|参考|例文|最新|精选|合集|[ 　]|\.docx?|\.pdf|[-_|—].*)*")


@dataclass(frozen=True, slots=True)
class Titles:
    """The document's names: as given, and without count, praise and file suffix."""

    full: tuple[str, ...]
    cores: tuple[str, ...]
    declared: int | None

    @property
    def collection(self) -> bool:
        """Whether a title promises several pieces, be it without a number: 范文大全."""
        return self.declared is not None or any(_collection().search(name) for name in self.full)

    @property
    def core(self) -> str | None:
        return self.cores[0] if self.cores else None


def titles(given: Iterable[str]) -> Titles:
    """What the document is called, from the best source to the worst."""
    full: list[str] = []
    cores: list[str] = []
    declared: int | None = None
    for title in given:
        title = _byline().sub("", re.sub(r"\s+", " ", title)).strip(" 　#")
        if not is_name(title):
            continue
        full.append(title)
        for variant in _variants(title):
            declared = declared if declared is not None else count_in(variant)
            for core in (core_of(variant), core_of(variant, praised=True)):
                if len(core) >= 2 and core not in cores:
                    cores.append(core)
    return Titles(tuple(dict.fromkeys(full)), tuple(cores), declared)


def _variants(title: str) -> list[str]:
    """The title, without the site's name behind a separator, and once where it is said twice."""
    parts = [p for p in _SEPARATOR.split(title) if p.strip()]
    name = parts[0].strip() if parts else title
    twice = re.fullmatch(r"(.{5,60}?)[ 　]*\1", name)
    name = twice[1] if twice else name
    # what the page offers to do with it: ……实习报告 纯文本查看
    head, _, tail = name.partition(" ")
    named = ends_with_genre(_patterns()[4].sub("", head)) and not ends_with_genre(tail)
    return [head if 0 < len(tail) <= 8 and named else name]


_SEPARATOR = re.compile(
    r"\s*[|｜]\s*|\s+[-–—_]+\s+|_+|(?<=[)）篇])\s*[-–—]+\s*|(?<=[一-龥）)】])[-–—](?=[一-龥A-Za-z]{2,10}$)"
)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """count, decoration, trailing, suffix, praise."""
    table = rules.table("headings.toml")
    flags = re.IGNORECASE
    return (
        re.compile(table["count"], flags),
        re.compile(f"^(?:{rules.expand(table['decoration'])})+", flags),
        re.compile(f"(?:{table['trailing']})$", flags),
        re.compile(f"(?:{table['suffix']})$", flags),
        re.compile(f"(?:{table['praise']})$", flags),
    )


def is_name(title: str) -> bool:
    """Whether a title names anything: programs call a file that nobody named 新建 Microsoft Word 文档."""
    return 0 < len(title) <= 120 and _nameless().fullmatch(title) is None


@cache
def _byline() -> re.Pattern[str]:
    """What a heading drags along when the page sets its byline into it."""
    return re.compile(rules.table("headings.toml")["byline"])


@cache
def _nameless() -> re.Pattern[str]:
    """What programs call a file that nobody named."""
    return re.compile(rules.table("headings.toml")["nameless"], re.IGNORECASE)


@cache
def _collection() -> re.Pattern[str]:
    return re.compile(rules.table("headings.toml")["collection"])


def core_of(title: str, *, praised: bool = False) -> str:
    """A title without count, file suffix and praise (unless ``praised``): 最新工作总结(6篇) → 工作总结."""
    count, decoration, trailing, suffix, praise = _patterns()
    last = None
    while title != last:
        last = title
        title = suffix.sub("", title.strip(" 　"))
        # a count stands at the end or in brackets, never in front of the name itself
        title = re.sub(rf"(?:{count.pattern})$", "", title, flags=re.IGNORECASE).strip(" 　")
        title = praise.sub("", title)
    if praised:
        return title
    title = _spoken(decoration.sub("", title))
    shorter = trailing.sub("", title).strip(" 　")
    return shorter if len(shorter) >= 3 else title


def _spoken(title: str) -> str:
    """A title without what its author adds to it: 检讨书500字，存了好久的四份 → 检讨书500字."""
    count, _, trailing, *_ = _patterns()
    first, comma, _ = title.partition("，")
    name = trailing.sub("", re.sub(rf"(?:{count.pattern})$", "", first, flags=re.IGNORECASE))
    return name if comma and ends_with_genre(name) else title


def count_in(title: str) -> int | None:
    for m in _patterns()[0].finditer(title):
        before, after = title[: m.start()], title[m.end() :]
        # a count stands in brackets, at the end or in front; inside a name it counts something else
        placed = m[0].endswith((")", "）", "]", "】")) or not before or _TRAILS.fullmatch(after) is not None
        said = m["m"] or m["n"]
        value = rules.numeral(said.replace("两", "二")) if said else None
        if value and 2 <= value <= 200 and placed and not before.endswith("第"):
            return value
    return None


def fold(text: str) -> str:
    """For comparing titles: width, case, punctuation and spaces away."""
    return _PUNCTUATION.sub("", unicodedata.normalize("NFKC", text)).lower()


def is_known(name: str, names: Titles) -> bool:
    """Whether a heading's words are the document's title, or nearly."""
    folded = fold(name)
    if len(folded) < 2:
        return False
    for core in names.cores:
        other = fold(core)
        if folded == other or (len(folded) >= 4 and (folded in other or other in folded)):
            return True
        pairs, others = _pairs(folded), _pairs(other)
        if pairs and others and len(pairs & others) * 2 >= len(pairs | others):
            return True
    return False


def _pairs(text: str) -> set[str]:
    return {text[i : i + 2] for i in range(len(text) - 1)}


@cache
def _genre_pattern() -> tuple[re.Pattern[str], re.Pattern[str]]:
    word = rules.genre_word()
    return re.compile(rf"{word}(?:[范例]文|[范样]本|模板|样式)?[)）》】\s]*$"), re.compile(
        rf"[^。！？!?；;：:\n]{{0,40}}?{word}(?:范文)?"
    )


def ends_with_genre(name: str) -> bool:
    """Whether a title ends with the word for a genre (…工作总结, …读后感》)."""
    return _genre_pattern()[0].search(name) is not None


def is_title_line(line: str) -> bool:
    """Whether a line is the title of a text: short, without punctuation, and ends with a genre's word."""
    plain = 4 <= len(line) <= 40 and not re.search(r"[，。；：！？,;:!?、.]", line)
    return plain and ends_with_genre(line) and not re.match(r"[(（]?[一二三四五六七八九十\d]{1,3}[)）]", line)


def genre_end(name: str) -> int | None:
    """Where a title ends whose body is glued on: behind the first word that names a genre."""
    m = _genre_pattern()[1].match(name)
    return m.end() if m else None


def clean_title(name: str) -> str | None:
    name = name.strip(" 　:：、.．-—【】[]#*")
    if name.count("《") != name.count("》"):
        name = name.strip("《》")
    name = _patterns()[3].sub("", name)
    name = re.sub(rf"(?:{_patterns()[0].pattern})$", "", name, flags=re.IGNORECASE).strip(" 　")
    # a length is no name: 篇1（400字）
    name = "" if re.fullmatch(r"\d+字(?:左右|以上)?", name) else name
    return name or None
