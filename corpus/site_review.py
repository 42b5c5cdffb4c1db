"""What a site file makes of sample pages: the kind of each, its title, pieces, links and rejects.

In go a :class:`fanwen.spiders.site.Site` and pages, out comes a :class:`Reviewed` for each document; the
crawl's own reading of links and the real cleaners are asked, as a build would ask them. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fanwen.cleaners.decode import decode
from fanwen.cleaners.pipeline import kind_of, trace_document
from fanwen.cleaners.types import Page, Piece
from fanwen.corpus.explain import Explained, explain_pages
from fanwen.corpus.report import table, visible
from fanwen.corpus.site_pages import page_of
from fanwen.errors import UsageError
from fanwen.spiders.sample import Sample
from fanwen.spiders.site import Site
from fanwen.spiders.site_check import Judged, judge, links_of

# characters of a piece's beginning and end that are shown
EDGE = 40


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One document. ``links`` are (kind, URL) that a crawl would follow; ``notes`` are what to look at."""

    name: str
    judged: Judged
    explained: Explained
    pieces: tuple[Piece, ...]
    links: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    samples: tuple[Sample, ...]

    @property
    def is_taken(self) -> bool:
        """Whether its text is looked at: of a list, only the links are."""
        return self.judged.kind != "list"


def reviews(site: Site, samples: Sequence[Sample], mask: frozenset[str]) -> list[Reviewed]:
    """Each document of the samples; further pages of an article are joined to it, if they are among them."""
    by_url = {sample.url: sample for sample in samples}
    leads = {url: [one for one in _parts(site, sample) if one in by_url] for url, sample in by_url.items()}
    inner = {url for each in leads.values() for url in each}
    taken: set[str] = set()
    found = []
    for url in sorted(by_url, key=lambda one: one in inner):  # first pages before others, in their order
        if url not in taken:
            pages = _reached(url, leads, taken)
            found.append(review(site, [by_url[one] for one in pages], mask))
    return found


def _reached(url: str, leads: Mapping[str, Sequence[str]], taken: set[str]) -> list[str]:
    pages, todo = [], [url]
    while todo:
        one = todo.pop(0)
        if one not in taken:
            taken.add(one)
            pages.append(one)
            todo = [*leads[one], *todo]
    return pages


def _parts(site: Site, sample: Sample) -> list[str]:
    then = site.at(sample.day)
    links, _ = links_of(then, judge(then, sample.url), sample.body, sample.content_type)
    return [link.url for link in links if link.kind == "part"]


def review(site: Site, samples: Sequence[Sample], mask: frozenset[str]) -> Reviewed:
    """Clean the pages of one document with what the site file knows, and read their links as crawled."""
    first = samples[0]
    then = site.at(first.day)
    judged = judge(then, first.url)
    kinds = [judged.kind or "detail", *("part" for _ in samples[1:])]
    pages = [
        page_of(site, one.url, one.body, one.content_type, one.day, kind=kind)
        for one, kind in zip(samples, kinds, strict=True)
    ]
    traced = trace_document(pages)
    read = [links_of(then, judge(then, one.url), one.body, one.content_type) for one in samples]
    notes = [problem for _, problem in read if problem is not None]
    if judged.kind == "list":
        notes.append("it is a list: a crawl follows its links and takes no pieces from it")
    elif judged.kind is None:
        notes.append("a crawl would not visit it; it is shown as if it were a detail")
    extractor = traced.cleaned.document.extractor if traced.cleaned.document else None
    wanted = [one for one in then.extract.content if one != "@trafilatura"]
    if judged.kind == "detail" and wanted and extractor not in (None, "selector"):
        notes.append(f"none of the selectors in 'content' gave a text; taken by {extractor}")
    name = " + ".join(one.name for one in samples)
    return Reviewed(
        name,
        judged,
        explain_pages(name, pages, traced, mask),
        traced.cleaned.pieces if judged.kind != "list" else (),
        tuple(dict.fromkeys((one.kind, one.url) for links, _ in read for one in links)),
        tuple(notes),
        tuple(samples),
    )


def decoded(sample: Sample) -> tuple[str, str]:
    """The text of a page, and the encoding its bytes speak for. Raises UsageError where it is no page."""
    if not sample.body.strip():
        raise UsageError(f"The page {sample.name} is empty; save it again, or choose another.")
    if kind_of(Page(sample.url, sample.body, sample.content_type)) != "html":
        raise UsageError(f"The page {sample.name} is no HTML page; give pages as a browser saves them.")
    read = decode(sample.body, sample.content_type)
    return read.text, read.encoding


def as_row(one: Reviewed) -> dict[str, object]:
    """The review of a page, for machines."""
    explained = one.explained
    rejects = explained.rejects if one.is_taken else ()
    return {
        "page": one.name,
        "url": one.judged.url,
        "kind": one.judged.kind,
        "why": one.judged.why,
        "encoding": explained.encoding,
        "extractor": explained.extractor,
        "title": explained.title,
        "declared_pieces": explained.declared_pieces,
        "pieces": [_piece_row(piece) for piece in one.pieces],
        "rejects": [{"reason": reject.reason, "detail": reject.detail} for reject in rejects],
        "left_out": len(explained.beside),
        "links": {kind: [url for k, url in one.links if k == kind] for kind in kinds_of(one)},
        "notes": list(one.notes),
    }


def kinds_of(one: Reviewed) -> list[str]:
    """The kinds of links that a page has, sorted."""
    return sorted({kind for kind, _ in one.links})


def as_text(one: Reviewed) -> str:
    """The same for a terminal or a pipe."""
    rows = (*facts(one), *_link_facts(one))
    return "\n".join((visible(one.name), table([(key, visible(value)) for key, value in rows])))


def facts(one: Reviewed) -> Iterator[tuple[str, str]]:
    """What is known of the page and what it gives, as names and values."""
    explained = one.explained
    yield "url", one.judged.url
    yield "kind", f"{one.judged.kind or 'none'} ({one.judged.why})"
    for note in one.notes:
        yield "note", note
    if explained.kind:
        yield "encoding", str(explained.encoding)
    if not one.is_taken:
        return
    if explained.kind:
        yield "extractor", str(explained.extractor)
    yield "title", explained.title or "none"
    for reject in explained.rejects:
        yield "refused", f"{reject.reason}: {reject.detail}"
    for piece in one.pieces:
        flags = f", {' '.join(piece.flags)}" if piece.flags else ""
        begins, ends = edges(piece.text)
        yield (
            f"piece {piece.index}",
            f"{piece.title or 'without a title'}: {piece.quality.n_chars:,} characters, {piece.genre}{flags}",
        )
        yield "", f"{begins} … {ends}"


def _link_facts(one: Reviewed) -> Iterator[tuple[str, str]]:
    for kind in kinds_of(one):
        urls = [url for k, url in one.links if k == kind]
        more = f" and {len(urls) - 3} more" if len(urls) > 3 else ""
        yield f"{kind}s", f"{len(urls)}: {' '.join(urls[:3])}{more}"


def edges(text: str) -> tuple[str, str]:
    """How a text begins and ends, each on one line."""
    flat = " ".join(text.split())
    return flat[:EDGE], flat[-EDGE:]


def _piece_row(piece: Piece) -> dict[str, object]:
    begins, ends = edges(piece.text)
    return {
        "index": piece.index,
        "title": piece.title,
        "chars": piece.quality.n_chars,
        "genre": piece.genre,
        "flags": list(piece.flags),
        "begins": begins,
        "ends": ends,
    }
