"""Makes the pages of the sample sites: page tables, texts and templates in, bytes out.

The bytes depend on nothing but the files of this package and the state asked for: no clock, no
randomness, no conversion library (the traditional texts are files of their own, ``texts/hant``).
A mistake in the data raises ``ValueError`` or ``TypeError``: only those who edit the data see it.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any, Literal

State = Literal["one", "two"]
STATES: tuple[State, ...] = ("one", "two")
HOSTS = ("fanben.example", "gongwen.example", "wendang.example", "wenku.example", "zongjie.example")

_DATA = files("fanwen.spiders.samples")
_LINE_WIDTH = 26  # Han characters a line of the flattened documents held before it was flattened
_NOT_AT_LINE_START = "，。、；：？！”）》"


@dataclass(frozen=True, slots=True)
class Text:
    """One sample text: what the front matter says, and its paragraphs (a table row: ``|cell|cell|``)."""

    name: str
    title: str
    genre: str
    paragraphs: tuple[str, ...]
    near_of: str | None = None
    version_of: str | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """What a URL answers: ``headers`` without the validators, which are None for an error page."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, slots=True)
class PageSpec:
    """One row of a page table. README.md explains the keys to those who want to add a page."""

    path: str
    modified: str = ""
    state: Literal["both", "one", "two"] = "both"
    status: int = 200
    template: str = "article.html"
    title: str = ""
    texts: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    layout: Literal["paragraphs", "flat"] = "paragraphs"
    starts_at: str | None = None
    ends_before: str | None = None
    lines_after: list[list[str]] = field(default_factory=list)
    words_after: list[list[str]] = field(default_factory=list)
    items: list[list[str]] = field(default_factory=list)
    markup: dict[str, str] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    file: str | None = None
    encoding: str = "utf-8"
    newline: str = "\n"
    content_type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def render(state: State) -> dict[tuple[str, str], Resource]:
    """Everything the five sites answer in this state, by (host, path)."""
    return {(host, spec.path): _resource(host, spec) for host in HOSTS for spec in page_specs(host, state)}


def page_specs(host: str, state: State) -> Iterator[PageSpec]:
    """The rows of one site's page table that hold in this state."""
    table = tomllib.loads((_DATA / "pages" / f"{host}.toml").read_text(encoding="utf-8"))
    seen = set()
    for row in table["page"]:
        spec = PageSpec(**(table.get("defaults", {}) | row))
        if spec.state not in ("both", state):
            continue
        if spec.path in seen:
            raise ValueError(f"{host}{spec.path} has two rows in state {state}")
        seen.add(spec.path)
        yield PageSpec(**(_fields(spec) | {"markup": table.get("markup", {}) | spec.markup}))


@cache
def read_text(name: str) -> Text:
    """One text by name; ``hant/<name>`` is its traditional form."""
    source = (_DATA / "texts").joinpath(*f"{name}.md".split("/")).read_text(encoding="utf-8")
    empty, front, body = source.split("---\n", 2)
    if empty:
        raise ValueError(f"the text {name} does not begin with its front matter")
    meta = dict(line.split(": ", 1) for line in front.strip().split("\n"))
    paragraphs = tuple(line for line in body.split("\n") if line)
    return Text(name, paragraphs=paragraphs, **meta)


def text_names() -> list[str]:
    """The names of all texts, the traditional ones included, sorted."""
    folder = _DATA / "texts"
    plain = [entry.name for entry in folder.iterdir() if entry.name.endswith(".md")]
    hant = [f"hant/{entry.name}" for entry in (folder / "hant").iterdir() if entry.name.endswith(".md")]
    return sorted(name.removesuffix(".md") for name in plain + hant)


def _resource(host: str, spec: PageSpec) -> Resource:
    if spec.file is not None:
        body = (_DATA / "files" / spec.file).read_bytes()
    else:
        page = _fill(_template(host, spec.template), _slots(spec))
        body = page.replace("\n", spec.newline).encode(spec.encoding)
    headers = (("Content-Type", spec.content_type), *sorted(spec.headers.items()))
    if spec.status != 200:
        return Resource(spec.status, headers, body, None, None)
    # Weak, because the same page also goes out compressed
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
    modified = datetime.strptime(spec.modified, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return Resource(spec.status, headers, body, etag, format_datetime(modified, usegmt=True))


def _slots(spec: PageSpec) -> dict[str, str]:
    items = [
        _fill(spec.markup["item"], {"href": href, "title": title, "date": date})
        for href, title, date in spec.items
    ]
    own = {"title": spec.title, "modified": spec.modified, "body": _body(spec), "items": "\n".join(items)}
    return own | spec.slots


def _body(spec: PageSpec) -> str:
    texts = [read_text(name) for name in spec.texts]
    if spec.layout == "flat":
        return " ".join(_flatten(paragraph) for text in texts for paragraph in text.paragraphs)
    lines: list[str] = []
    for number, text in enumerate(texts):
        if spec.heads:
            lines.append(_fill(spec.markup["head"], {"text": spec.heads[number]}))
        lines += _paragraph_lines(spec, _stretch(spec, text.paragraphs))
    return "\n".join(lines)


def _stretch(spec: PageSpec, paragraphs: tuple[str, ...]) -> list[str]:
    """The part of the text that this page shows, where a text is spread over several pages."""
    text = "\n".join(paragraphs)
    begin = _place(text, spec.starts_at) if spec.starts_at else 0
    end = _place(text, spec.ends_before) if spec.ends_before else len(text)
    return text[begin:end].split("\n")


def _paragraph_lines(spec: PageSpec, paragraphs: list[str]) -> Iterator[str]:
    rows: list[str] = []
    for paragraph in [*paragraphs, ""]:
        if paragraph.startswith("|"):
            rows.append("<tr><td>" + paragraph.strip("|").replace("|", "</td><td>") + "</td></tr>")
            continue
        if rows:
            yield "<table>" + "".join(rows) + "</table>"
            rows = []
        if paragraph:
            yield from _with_furniture(spec, paragraph)


def _with_furniture(spec: PageSpec, paragraph: str) -> Iterator[str]:
    """The paragraph, with the words and lines that the site puts into it."""
    for phrase, words in spec.words_after:
        paragraph = paragraph.replace(phrase, phrase + words)
    rest = paragraph
    pending: list[str] = []
    for phrase, line in spec.lines_after:
        if phrase in rest:
            cut = _place(rest, phrase) + len(phrase)
            yield _fill(spec.markup["paragraph"], {"text": rest[:cut]})
            yield from pending
            pending, rest = [], rest[cut:]
        elif phrase not in paragraph:
            continue
        pending.append(_fill(spec.markup["line"], {"text": line}))
    yield from pending
    if rest:
        # What goes on after a line of the site is no new paragraph: it has no indent
        markup = spec.markup["paragraph"] if rest == paragraph else spec.markup["paragraph"].replace("　", "")
        yield _fill(markup, {"text": rest})


def _flatten(paragraph: str) -> str:
    """A paragraph as such sites have it: on one line, a space where the document's line ended.

    The first line is two characters shorter (its indent), no line begins with a closing mark,
    and the word processor put spaces around digits.
    """
    lines: list[str] = []
    rest = paragraph
    width = _LINE_WIDTH - 2
    while rest:
        end = width
        while end < len(rest) and rest[end] in _NOT_AT_LINE_START:
            end += 1
        lines.append(rest[:end])
        rest, width = rest[end:], _LINE_WIDTH
    return re.sub(r"(?<=\d)(?=[一-鿿])|(?<=[一-鿿])(?=\d)", " ", " ".join(lines))


def _place(text: str, phrase: str) -> int:
    if text.count(phrase) != 1:
        raise ValueError(f"'{phrase}' is {text.count(phrase)} times in the text, not once")
    return text.index(phrase)


@cache
def _template(host: str, name: str) -> str:
    folder = host.removesuffix(".example")
    return (_DATA / "templates" / folder / name).read_text(encoding="utf-8")


def _fill(template: str, slots: dict[str, str]) -> str:
    return Template(template).substitute(slots)


def _fields(spec: PageSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in PageSpec.__dataclass_fields__}
