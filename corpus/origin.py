"""Where a piece comes from: page, place, hashes, what read it, what was seen of its rights. Only reads."""

from __future__ import annotations

import json

from fanwen.corpus.store import Store
from fanwen.corpus.types import Claim, Origin, Page

_ORIGIN = (
    "select v.piece, d.url, d.site, v.place, dv.found_pieces, d.first_seen, dv.fetched_at, dv.bodies,"
    " dv.extractor, dv.ruleset, dv.opencc, v.span_begin, v.span_end, dv.rights_basis, dv.rights_detail,"
    " dv.claims from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document"
    " join document_version dv on dv.id = v.document_version where v.piece = ? and v.removed_in is null"
)


def origin(store: Store, piece: str) -> Origin | None:
    """The origin of a current piece; None where there is none of that id."""
    row = store.rows(_ORIGIN, piece).fetchone()
    if row is None:
        return None
    identity, url, site, place, places, first, fetched, bodies, *how, begin, end, basis, detail, claims = row
    extractor, ruleset, opencc = how
    return Origin(
        piece_id=identity,
        url=url,
        site=site,
        place=place,
        places=places,
        first_seen=first,
        fetched_at=fetched,
        pages=tuple(
            Page(one["url"], one["body"], one.get("content_type"), one.get("fetched_at"))
            for one in json.loads(bodies)
        ),
        extractor=extractor,
        ruleset=ruleset,
        opencc=opencc,
        span=(begin, end),
        rights_basis=basis,
        rights_detail=detail,
        claims=tuple(Claim(one["kind"], one["value"], one["line"]) for one in json.loads(claims)),
    )
