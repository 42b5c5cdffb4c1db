"""Writes the review of a site's sample pages as one HTML file that loads nothing.

In the same looks as :mod:`fanwen.corpus.explain_html`: well-formed, without scripts, and whatever a page
held is escaped text. Labels are in Chinese and English.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fanwen.corpus.explain_html import beside, families_of, legend, marked_text, page_head
from fanwen.corpus.report import visible
from fanwen.corpus.site_review import Reviewed, facts, kinds_of
from fanwen.spiders.scaffold_links import Proposal

# what a person must look at comes first
_SURE = {"no": "没把握 no", "likely": "大致 likely", "yes": "有把握 yes", "none": "没有 none"}
_LABELS = {
    "kind": "种类 kind",
    "note": "注意 note",
    "encoding": "编码 encoding",
    "extractor": "取法 extractor",
    "title": "标题 title",
    "refused": "拒收 refused",
}


def review_html(
    name: str,
    reviewed: Sequence[Reviewed],
    *,
    toml: str | None = None,
    proposals: Sequence[Proposal] = (),
    doubts: Sequence[str] = (),
) -> str:
    """The page: the site file and how sure each key is, then what each sample page would give."""
    families = sorted({family for one in reviewed for family in families_of(one.explained)})
    count = sum(len(one.pieces) for one in reviewed)
    return "".join(
        (
            page_head(_text(name), "fanwen sites"),
            f"<header>\n<h1>{_text(name)}</h1>\n",
            f"<p>样页 sample pages: {sum(len(one.samples) for one in reviewed)}，篇 pieces: {count}</p>\n",
            *(f'<p class="note" lang="en">{_text(doubt)}</p>\n' for doubt in doubts),
            "</header>\n<main>\n",
            _table(proposals),
            "" if toml is None else _folded("站点文件 Site file", f"<pre>{_text(toml)}</pre>"),
            '<section aria-labelledby="h-marks">\n<h2 id="h-marks">标记 Marks</h2>\n',
            legend(families),
            "</section>\n",
            *(_page(one, number) for number, one in enumerate(reviewed, 1)),
            "</main>\n</body>\n</html>\n",
        )
    )


def _text(value: str) -> str:
    return escape(visible(value), quote=True)


def _table(proposals: Sequence[Proposal]) -> str:
    if not proposals:
        return ""
    order = list(_SURE)
    rows = "".join(
        f'<tr><th scope="row"><code>{_text(one.key)}</code></th><td>{_values(one.value)}</td>'
        f'<td>{_SURE[one.sure]}</td><td lang="en">{_text(one.why)}</td></tr>\n'
        for one in sorted(proposals, key=lambda one: order.index(one.sure))
    )
    return (
        '<section aria-labelledby="h-sure">\n<h2 id="h-sure">把握 How sure</h2>\n'
        '<div class="wide" tabindex="0" role="region" aria-labelledby="h-sure">\n<table>\n<thead><tr>'
        '<th scope="col">键 key</th><th scope="col">值 value</th><th scope="col">把握 sure</th>'
        f'<th scope="col">依据 why</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n</section>\n'
    )


def _values(value: str | tuple[str, ...]) -> str:
    values = (value,) if isinstance(value, str) else value
    return "<br/>".join(f"<code>{_text(one)}</code>" for one in values if one) or "–"


def _page(one: Reviewed, number: int) -> str:
    name = f"h-page-{number}"
    rows = "".join(f"<dt>{_text(_label(key))}</dt><dd>{_text(value)}</dd>\n" for key, value in facts(one))
    return "".join(
        (
            f'<section aria-labelledby="{name}">\n<h2 id="{name}">{number}. {_text(one.name)}</h2>\n',
            f"<dl>\n{rows}</dl>\n",
            f"{marked_text(one.explained, f't-{number}')}{beside(one.explained.beside)}"
            if one.is_taken
            else "",
            *(_links(one, kind) for kind in kinds_of(one)),
            "</section>\n",
        )
    )


def _label(key: str) -> str:
    return f"篇 {key}" if key.startswith("piece ") else _LABELS.get(key, key)


def _links(one: Reviewed, kind: str) -> str:
    urls = [url for k, url in one.links if k == kind]
    rows = "".join(f"<li>{_text(url)}</li>\n" for url in urls)
    return _folded(f"链接 Links: {kind} ({len(urls)})", f"<ul>\n{rows}</ul>")


def _folded(summary: str, inside: str) -> str:
    return f"<details><summary>{_text(summary)}</summary>\n{inside}\n</details>\n"
