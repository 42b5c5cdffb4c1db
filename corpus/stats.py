"""Counts over the current state of corpus.db."""

from __future__ import annotations

from pathlib import Path

from fanwen.corpus import dedup, masking
from fanwen.corpus.release import releases
from fanwen.corpus.store import Store, reading
from fanwen.corpus.types import CorpusStats, SiteStats


def stats(corpus_path: Path) -> CorpusStats:
    """Everything that can be counted without reading a text."""
    with reading(corpus_path) as store:
        return count(store)


def count(store: Store) -> CorpusStats:
    found = dedup.report(store)
    sites = store.rows(
        "select d.site, count(distinct d.id), count(v.id),"
        " coalesce(sum(v.excluded_why is null and v.id is not null), 0)"
        " from document_version dv join document d on d.id = dv.document"
        " left join piece p on p.document = d.id"
        " left join piece_version v on v.piece = p.id and v.removed_in is null"
        " where dv.removed_in is null and dv.gone is null group by d.site order by d.site"
    )
    sites_counted = tuple(SiteStats(*row) for row in sites)
    return CorpusStats(
        sites=sites_counted,
        documents=sum(site.documents for site in sites_counted),
        pieces=sum(site.pieces for site in sites_counted),
        pieces_default=sum(site.pieces_default for site in sites_counted),
        excluded=_counts(
            store,
            "case when excluded_why like 'duplicate_of:%' then 'duplicate' else excluded_why end",
            "piece_version v where v.removed_in is null and v.excluded_why is not null",
        ),
        clusters=found.clusters,
        clusters_of_several=found.clusters_of_several,
        relations={
            "exact": found.exact_pieces,
            "near": found.near,
            "contains": found.contains,
            "overlap": found.overlap,
        },
        rejects=_counts(
            store,
            "reason",
            "reject join document_version dv on dv.id = document_version where dv.removed_in is null",
        ),
        genres=_counts(store, "genre", _CURRENT),
        scripts=_counts(store, "script", _CURRENT),
        flags=_counts(store, "j.value", "piece_version v, json_each(v.flags) j where v.removed_in is null"),
        rights=_counts(
            store,
            "dv.rights_basis",
            "piece_version v join document_version dv on dv.id = v.document_version"
            " where v.removed_in is null",
        ),
        masked=masking.counts(store),
        releases=releases(store),
    )


_CURRENT = "piece_version v where v.removed_in is null"


def _counts(store: Store, what: str, source: str) -> dict[str, int]:
    """How often each value occurs, the most frequent first."""
    return dict(store.rows(f"select {what}, count(*) from {source} group by 1 order by 2 desc, 1").fetchall())
