"""Health gates: what must hold before a refresh may publish.

In go the built corpus and the site files, out comes one :class:`Gate` per check. Nothing is changed.
A maintainer who has looked and disagrees publishes with ``fanwen release create``, which has no gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fanwen.corpus.store import Store, reading
from fanwen.spiders.site import Site

# a site that loses more than this share of its pieces at once has more likely broken than shrunk
MAX_LOSS = 1 / 3
# few pieces come and go; a loss of less than this many is never suspicious
MIN_LOSS = 5

_OPEN = """
  select d.site, count(*), coalesce(avg(v.n_chars), 0), coalesce(avg(v.han_share), 0)
  from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document
  where v.removed_in is null group by d.site
"""
# what was taken down is no loss that a site could have caused
_RELEASED = """
  select d.site, count(*)
  from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document
  where v.added_in <= ? and (v.removed_in is null or v.removed_in > ?)
    and not exists (select 1 from tombstone t where t.piece = v.piece and t.lifted_in is null)
  group by d.site
"""


_TAKEN = """
  select d.site, count(*), sum(v.extractor is not 'selector')
  from document_version v join document d on d.id = v.document
  where v.removed_in is null and v.kind in ('html', 'json') and v.found_pieces > 0
  group by d.site
"""


@dataclass(frozen=True, slots=True)
class Gate:
    """One check of one site: whether it passed, and a sentence that says why."""

    name: str
    site: str
    passed: bool
    detail: str


def gates(corpus: Path, sites: Mapping[str, Site]) -> tuple[Gate, ...]:
    """Every gate of every site, sorted by site."""
    with reading(corpus) as store:
        now = {row[0]: row[1:] for row in store.rows(_OPEN)}
        before = _released(store)
        taken = {row[0]: row[1:] for row in store.rows(_TAKEN)}
    checked = []
    for name, site in sorted(sites.items()):
        pieces, chars, han = now.get(name, (0, 0.0, 0.0))
        checked.append(_expected(site, pieces))
        checked.append(_kept(name, pieces, before.get(name, 0)))
        if pieces:
            checked.append(_like_essays(site, chars, han))
        if set(site.extract.content) - {"@trafilatura"}:
            checked.append(_selected(name, *taken.get(name, (0, 0))))
    return tuple(checked)


def _released(store: Store) -> dict[str, int]:
    last = store.value("select max(seq) from release where state = 'published'") or 0
    return dict(store.rows(_RELEASED, last, last).fetchall())


def _expected(site: Site, pieces: int) -> Gate:
    least = site.expect.min_pieces
    return Gate(
        "expected", site.name, pieces >= least, f"{site.name} has {pieces} pieces, expected are {least}"
    )


def _kept(site: str, pieces: int, before: int) -> Gate:
    lost = before - pieces
    passed = lost < MIN_LOSS or lost <= before * MAX_LOSS
    return Gate("kept", site, passed, f"{site} had {before} pieces in the last release and has {pieces} now")


def _selected(site: str, documents: int, without: int) -> Gate:
    """A new template shows first where the selectors find nothing and something else is taken."""
    passed = without < MIN_LOSS or without <= documents * MAX_LOSS
    detail = f"in {without} of {documents} documents of {site}, the selectors of 'content' found nothing"
    return Gate("selected", site, passed, detail)


def _like_essays(site: Site, chars: float, han: float) -> Gate:
    passed = chars >= site.expect.min_chars and han >= site.expect.han_share
    detail = f"the pieces of {site.name} have {chars:.0f} characters on average, {han:.0%} of them Han"
    return Gate("like essays", site.name, passed, detail)
