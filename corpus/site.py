"""Writes the site of a release, and the page over all releases: static files that ask no other host.

In goes the masked copy of a release, or the list of releases; out come HTML pages with their styles and
words in them, and the modules that search ``search.db`` from the browser. Pages, words and modules are files
in ``data/site/``; every word of a page is named there by ``data-t``, and is Chinese until a script changes
the language. Nothing that was collected is ever written as markup.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tomllib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape, unescape
from importlib.resources import as_file, files
from pathlib import Path
from string import Template
from urllib.parse import quote

from fanwen.corpus import search_db
from fanwen.corpus.publishing import Publishing
from fanwen.corpus.types import ReleaseDetails

FOLDER = "site"
PAGE = "index.html"
MODULES = ("search.js", "piece.js", "diff.js", "worker.js")
VENDORED = "sqlite-wasm"
PLOTS = ("genres", "sites", "years", "lengths", "duplicates", "removed")
MOST = 10  # rows of a table of counts; the rest is summed up
# what a reader may want to open, of what there is
_SHOWN_FILES = (
    "README.md", "README.zh-CN.md", "CHANGELOG.md", "removals.jsonl", "DATA_LICENSE", "CITATION.cff",
    "croissant.json", "release.json", "SHA256SUMS",
)  # fmt: skip


def write(db: sqlite3.Connection, seq: int, folder: Path, publishing: Publishing) -> None:
    """Write ``site/`` of release ``seq``, whose other files lie in ``folder`` already."""
    target = folder / FOLDER
    target.mkdir()
    data = files("fanwen.corpus")
    for name in MODULES:
        (target / name).write_text((data / "data/site" / name).read_text(encoding="utf-8"), encoding="utf-8")
    with as_file(data / "_vendor" / VENDORED) as vendored:
        shutil.copytree(vendored, target / "_vendor" / VENDORED, copy_function=shutil.copyfile)
    (target / PAGE).write_text(_release_page(db, seq, folder, publishing), encoding="utf-8")


def releases_page(latest: str | None, mirrors: Sequence[str], releases: Sequence[ReleaseDetails]) -> str:
    """The page over all releases, the newest first."""
    return _page(
        "releases.html",
        header=_header(()),
        latest=_latest(latest),
        releases="".join(_release(one) for one in reversed(releases)) or _word("li", "no-releases"),
        use=_use(latest or "VERSION", None, ("fetch", "verify")),
        mirrors=_mirrors(mirrors),
        footer=f"<footer>{_word('p', 'made-with')}</footer>",
    )


# -- words ----------------------------------------------------------------------------------------


def _page(template: str, **parts: str) -> str:
    style, script = _data("site.css"), _data("site.js")
    # what stands in the page is allowed by its hash, so no other script or style ever runs
    policy = (
        f"default-src 'none'; script-src 'self' {_csp_hash(script)}; style-src {_csp_hash(style)};"
        " img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'"
    )
    strings = {language: _strings(language) for language in ("zh", "en")}
    packed = json.dumps(strings, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    html = Template(_data(template)).substitute(
        parts, policy=policy, style=style, script=script, strings=packed
    )
    return _WORD.sub(_in_chinese, _ATTRIBUTE.sub(_in_chinese_attribute, html))


_WORD = re.compile(r"""<[^<>]*\bdata-t="([^"]+)"(?:[^<>]*\bdata-values='([^']*)')?[^<>]*>(?=<)""")
_ATTRIBUTE = re.compile(r'data-t-(aria-label|placeholder)="([^"]+)"')


_VALUE = re.compile(r"\{(\w+)\}")


def _in_chinese(found: re.Match[str]) -> str:
    values = json.loads(unescape(found[2] or "{}"))
    return found[0] + escape(_VALUE.sub(lambda name: str(values[name[1]]), _strings("zh")[found[1]]))


def _in_chinese_attribute(found: re.Match[str]) -> str:
    return f'{found[0]} {found[1]}="{escape(_strings("zh")[found[2]])}"'


def _word(element: str, key: str, values: Mapping[str, object] | None = None, more: str = "") -> str:
    """An element whose text is ``key`` of the language files; the text itself comes last, see _page."""
    given = f" data-values='{_values(values)}'" if values else ""
    return f'<{element} data-t="{escape(key)}"{given}{more}></{element.split(" ")[0]}>'


def _named(kind: str, code: str) -> str:
    """What a code is called; one without a name stands as it is."""
    return _word("span", f"{kind}.{code}") if f"{kind}.{code}" in _strings("zh") else escape(code)


def _values(values: Mapping[str, object]) -> str:
    return escape(json.dumps(values, ensure_ascii=False))


@cache
def _strings(language: str) -> dict[str, str]:
    strings: dict[str, str] = json.loads(_data(f"{language}.json"))
    return strings


@cache
def _data(name: str) -> str:
    return (files("fanwen.corpus") / "data/site" / name).read_text(encoding="utf-8")


def _csp_hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


# -- the page of a release ------------------------------------------------------------------------


def _release_page(db: sqlite3.Connection, seq: int, folder: Path, publishing: Publishing) -> str:
    names = ("version", "date", "pieces", "pieces_default", "clusters", "documents")
    row = db.execute(f"select {', '.join(names)} from release where seq = ?", (seq,)).fetchone()
    facts: dict[str, object] = dict(zip(names, row, strict=True))
    facets = list(search_db.facets(db))
    plots = "".join(_plot(path) for name in PLOTS if (path := folder / f"plots/{name}.svg").is_file())
    tiles = {name: facts[name] for name in names[2:]} | {"sites": sum(one[0] == "site" for one in facets)}
    version = str(facts["version"])
    return _page(
        "release.html",
        version=version,
        values=_values(facts),
        site_text=publishing.site_text,
        header=_header(("search", "numbers", "versions", "use"), up="../../"),
        tiles="".join(
            f"<div>{_word('dt', f'tile.{name}')}<dd>{count:,}</dd></div>" for name, count in tiles.items()
        ),
        filters="".join(_filter(kind, facets) for kind in search_db.FACETS),
        plots=plots,
        open="" if plots else "open",
        counts="".join(_counts(kind, facets) for kind in search_db.FACETS),
        versions=_versions(db, seq),
        files="".join(_files(folder)),
        use=_use(version, publishing.homepage),
        footer=_footer(publishing),
    )


def _header(sections: Iterable[str], up: str | None = None) -> str:
    links = "".join(f'<a href="#{name}" data-t="{name}"></a>' for name in sections)
    home = f'<a href="{up}" data-t="to-releases"></a>' if up else ""
    nav = f'<nav data-t-aria-label="sections">{links}{home}</nav>' if links else ""
    themes = "".join(_word("option", f"theme-{name}", more=f' value="{name}"') for name in _THEMES)
    return (
        f'<header><strong lang="zh-Hans">fanwen 范文</strong>{nav}'
        f'<select id="theme" data-t-aria-label="theme">{themes}</select>'
        '<button id="language" type="button" data-t="language"></button></header>'
    )


_THEMES = ("auto", "light", "dark")


def _filter(kind: str, facets: Iterable[tuple[str, str, str, int]]) -> str:
    """A list of the values of one facet; an option stands for the word of the index."""
    options = "".join(
        f'<option value="{word}" data-value="{escape(value)}" lang="zh-Hans">'
        f"{escape(value)} ({pieces:,})</option>"
        if value
        else _word("option", "filter-empty", more=f' value="{word}" data-value=""')
        for name, value, word, pieces in facets
        if name == kind
    )
    return (
        f'<div><label for="{kind}" data-t="filter.{kind}"></label><select id="{kind}" name="{kind}">'
        f'<option value="" data-t="filter-any"></option>{options}</select></div>'
    )


def _plot(path: Path) -> str:
    """A plot; what it says of itself is there for those who do not see it."""
    said = re.findall(r"<(?:title|desc)[^>]*>([^<]*)</", path.read_text(encoding="utf-8"))
    alt = escape(unescape(": ".join(said)))
    return f'<img src="../plots/{path.name}" loading="lazy" lang="zh-Hans" alt="{alt}">'


def _counts(kind: str, facets: Iterable[tuple[str, str, str, int]]) -> str:
    """The most frequent values of a facet."""
    every = [(value, pieces) for name, value, _, pieces in facets if name == kind]
    rows = [
        (
            f'<th scope="row" lang="zh-Hans">{escape(value)}</th>' if value else _word("th", "filter-empty"),
            pieces,
        )
        for value, pieces in every[:MOST]
    ]
    if every[MOST:]:
        rest = sum(pieces for _, pieces in every[MOST:])
        rows.append((_word("th", "count.others", {"n": f"{len(every) - MOST:,}"}), rest))
    body = "".join(f"<tr>{name}<td>{pieces:,}</td></tr>" for name, pieces in rows)
    head = _word("th", f"count.{kind}") + _word("th", "count.pieces")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _versions(db: sqlite3.Connection, seq: int) -> str:
    """Every release up to this one: what each changed, and why."""
    changes: dict[tuple[int, str], list[str]] = {}
    for at, change, why, count in db.execute(
        "select seq, change, why, count(*) from release_change group by 1, 2, 3 order by 1, 2, 4 desc, 3"
    ):
        changes.setdefault((at, change), []).append(f"<li>{_named('why', why)} {count:,}</li>")
    columns = ("version", "date", "pieces", "default", "added", "changed", "removed")
    head = "".join(
        _word("th", f"{'history' if name in columns[:2] else 'versions'}.{name}") for name in columns
    )
    body = ""
    for at, version, date, pieces, default in db.execute(
        "select seq, version, date, pieces, pieces_default from release order by seq desc"
    ):
        mark = " " + _word("span", "this-version", more=' class="tag"') if at == seq else ""
        kinds = (
            f"<td><ul>{''.join(changes.get((at, kind), ()))}</ul></td>" for kind in ("ADD", "MOD", "DEL")
        )
        body += (
            f'<tr><th scope="row">{escape(version)}{mark}</th><td>{date}</td><td>{pieces:,}</td>'
            f"<td>{default:,}</td>{''.join(kinds)}</tr>"
        )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _files(folder: Path) -> Iterator[str]:
    for name in _SHOWN_FILES:
        # the sums are written last, over this page too
        if (folder / name).is_file() or name == "SHA256SUMS":
            yield f'<li><a href="../{name}">{name}</a> {_word("span", f"file.{name}")}</li>'


def _use(version: str, homepage: str | None, only: Sequence[str] = ()) -> str:
    """How to fetch, check and open a release, each with a button that copies it.

    Without a homepage the browser fills in where the page lies.
    """
    ways = tomllib.loads(_data("use.toml"))
    place = escape(homepage) if homepage else "<span data-home>URL</span>"
    return "".join(
        f'<div class="way">{_word("h3", f"use.{name}")}<pre data-copy><code>'
        + escape(way["code"].strip().replace("VERSION", version)).replace("HOMEPAGE", place)
        + "</code></pre></div>"
        for name, way in ways.items()
        if not only or name in only
    )


def _footer(publishing: Publishing) -> str:
    parts = []
    if publishing.publisher:
        parts.append(_word("p", "published-by", {"publisher": publishing.publisher}))
    if publishing.objections:
        words = _word("span", "objections", {"days": publishing.answer_days})
        parts.append(f"<p>{words} {escape(publishing.objections)}</p>")
    return f"<footer>{''.join(parts)}{_word('p', 'made-with')}</footer>"


# -- the page over all releases -------------------------------------------------------------------


def _latest(version: str | None) -> str:
    if version is None:
        return ""
    link = _word("a", "latest", {"version": version}, f' class="button" href="{quote(version)}/site/"')
    return f"<p>{link}</p>"


def _release(release: ReleaseDetails) -> str:
    version = quote(release.version)
    facts = {
        "date": release.date,
        "pieces": f"{release.pieces:,}",
        "pieces_default": f"{release.pieces_default:,}",
        "clusters": f"{release.clusters:,}",
        "megabytes": f"{sum(one.bytes for one in release.files) / 1e6:,.1f}",
    }
    marks = [
        *([_word("strong", "release-withdrawn", more=' class="tag bad"')] if release.withdrawn else []),
        *([_word("span", "release-taken-down", more=' class="tag bad"')] if release.taken_down else []),
        *(
            [_word("span", "release-reissue", {"version": release.reissue_of}, ' class="tag"')]
            if release.reissue_of
            else []
        ),
    ]
    held = {one.path for one in release.files}
    # a withdrawn release is named, so that a citation can be followed, and not offered
    place = "" if release.withdrawn else _links(version, held)
    name = escape(release.version)
    link = f'<a href="{version}/site/">{name}</a>' if place and f"{FOLDER}/{PAGE}" in held else name
    return (
        f'<li id="{version}"><h3>{link} {" ".join(marks)}</h3>{_word("p", "release-facts", facts)}'
        f'<p>{place}</p><p class="facts">{_word("span", "release-root")} <code>{release.root}</code></p></li>'
    )


def _links(version: str, held: set[str]) -> str:
    return " · ".join(
        _word("a", f"file.{name}", more=f' href="{version}/{name}"') for name in _SHOWN_FILES if name in held
    )


def _mirrors(mirrors: Sequence[str]) -> str:
    if not mirrors:
        return ""
    links = "".join(f'<li><a href="{escape(one)}">{escape(one)}</a></li>' for one in mirrors)
    return f"{_word('h3', 'mirrors')}<ul>{links}</ul>"
