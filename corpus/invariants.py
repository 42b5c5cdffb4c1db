"""What the schema of corpus.db promises beyond its constraints: one query each, which finds what breaks it.

In goes an open corpus, out come sentences with an example. Cheap: nothing here reads a text.
"""

from __future__ import annotations

from collections.abc import Iterator

from fanwen.corpus.store import Store
from fanwen.corpus.types import Trouble

_JSON = {
    "piece_version": "flags placeholders privacy title_privacy masked edits",
    "document_version": "bodies consent claims",
    "release": "tools mask",
}
_OVERLAP = (
    "select a.{key} from {table} a join {table} b on {same} and b.id > a.id"
    " where a.added_in < coalesce(b.removed_in, 1e9) and b.added_in < coalesce(a.removed_in, 1e9)"
)
_PENDING = "(select coalesce(max(seq), 0) + 1 from release)"
_HELD = "{0}.added_in <= r.seq and ({0}.removed_in is null or {0}.removed_in > r.seq)"
# a build that was killed, or did not come to its end yet, leaves clusters behind the pieces
_SETTLED = (
    "not exists (select 1 from unsettled u where u.kind = 'cluster' and u.name = v.cluster and not u.settled)"
)

# what is wrong → a query for it; nothing of this can be made anew
_LOST = {
    "a state ends before it begins": "select piece from piece_version where removed_in <= added_in"
    " union all select document from document_version where removed_in <= added_in"
    " union all select a from relation where removed_in <= added_in",
    "a state begins after the pending release": "select piece from piece_version where added_in > {pending}"
    " union all select document from document_version where added_in > {pending}"
    " union all select a from relation where added_in > {pending}",
    "a closed state says no reason": "select piece from piece_version"
    " where (removed_in is null) <> (removed_why is null) union all select document from document_version"
    " where (removed_in is null) <> (removed_why is null)",
    "a piece has two states at one time": _OVERLAP.format(
        key="piece", table="piece_version", same="b.piece = a.piece"
    ),
    "a document has two states at one time": _OVERLAP.format(
        key="document", table="document_version", same="b.document = a.document"
    ),
    "a pair of texts has two relations at one time": _OVERLAP.format(
        key="a", table="relation", same="b.a = a.a and b.b = a.b"
    ),
    "a state rests on a state of another document": "select v.piece from piece_version v"
    " join piece p on p.id = v.piece join document_version w on w.id = v.document_version"
    " where w.document <> p.document",
    "a cluster has more than one canonical": "select cluster from piece_version v where removed_in is null"
    f" and is_canonical and {_SETTLED} group by cluster having count(*) > 1",
    "a cluster has no canonical": "select cluster from piece_version v where removed_in is null"
    f" and cluster is not null and {_SETTLED} group by cluster having sum(is_canonical) = 0",
    "a duplicate is one of a piece that does not stand for its cluster": "select v.piece from piece_version v"
    f" where v.removed_in is null and v.excluded_why like 'duplicate_of:%' and {_SETTLED} and not exists"
    " (select 1 from piece_version c where c.piece = substr(v.excluded_why, 14) and c.removed_in is null"
    "  and c.cluster = v.cluster and c.is_canonical)",
    "a canonical is called a duplicate": "select piece from piece_version"
    " where is_canonical and excluded_why like 'duplicate_of:%'",
    "a name of a cluster stands for a cluster that never was": "select alias from cluster_alias a"
    " where not exists (select 1 from piece_version v where v.cluster = a.cluster)",
    "the log of canonicals names a piece that never stood for the cluster": "select l.after"
    " from canonical_log l where not exists (select 1 from piece_version v where v.piece = l.after"
    "  and v.cluster = l.cluster and v.is_canonical and v.added_in <= l.seq"
    "  and (v.removed_in is null or v.removed_in > l.seq))",
    "a span lies outside its text": "select piece from piece_version where span_begin < 0"
    " or span_end < span_begin",
    "a state was released unmasked by a release that masks": "select v.piece from piece_version v"
    f" join release r on {_HELD.format('v')} where r.mask is not null and v.published is null",
    "a release does not follow the one before it": "select version from release r where seq <> 1"
    " and parent is not (select version from release where seq = r.seq - 1)",
    "a release is not finished though a later one is": "select version from release r"
    " where state = 'prepared' and seq < (select max(seq) from release)",
    "the documents of a release are not as many as it says": "select version from release r"
    " where documents <> (select count(distinct p.document) from piece_version v"
    f"  join piece p on p.id = v.piece where {_HELD.format('v')})",
    "the default set of a release is not as large as it says": "select version from release r"
    f" where pieces_default <> (select count(*) from piece_version v where {_HELD.format('v')}"
    "  and v.excluded_why is null)",
    "the clusters of a release are not as many as it says": "select version from release r"
    f" where clusters <> (select count(distinct v.cluster) from piece_version v where {_HELD.format('v')})",
    "a text that was taken down is there": "select v.piece from piece_version v join text t"
    " on t.sha256 = v.text where v.withdrawn is not null and t.body is not null",
    "a text is gone that nobody took down": "select v.piece from piece_version v join text t"
    " on t.sha256 = v.text where v.withdrawn is null and t.body is null",
}

# what is wrong → a query for it, and what makes it anew (:mod:`fanwen.corpus.repair`)
_REBUILT = {
    "the next number of a document is taken or leaves a gap": (
        "select key from document d where next_n <>"
        " (select coalesce(max(n), 0) + 1 from piece where document = d.id)",
        "numbers",
    ),
    "a relation has an end that no text has": (
        "select a from relation where a not in (select key from fingerprint)"
        " or b not in (select key from fingerprint)",
        "relations",
    ),
    "a piece was compared and is in no cluster": (
        "select v.piece from piece_version v join fingerprint f on f.text = v.text"
        " where v.removed_in is null and v.cluster is null and f.compared and not exists"
        " (select 1 from unsettled u where u.kind = 'piece' and u.name = v.piece and not u.settled)",
        "marks",
    ),
}


def broken(store: Store) -> Iterator[Trouble]:
    """What does not hold."""
    for what, query in _LOST.items():
        found = store.rows(query.replace("{pending}", _PENDING) + " limit 1").fetchone()
        if found is not None:
            yield Trouble.lost(store.path.name, f"{what} ({found[0]})")
    for what, (query, cure) in _REBUILT.items():
        found = store.rows(query + " limit 1").fetchone()
        if found is not None:
            yield Trouble.rebuilt(store.path.name, f"{what} ({found[0]})", cure)


def torn_json(store: Store) -> Iterator[Trouble]:
    """Columns that hold no JSON though they should."""
    for table, columns in _JSON.items():
        for column in columns.split():
            query = f"select count(*) from {table} where {column} is not null and not json_valid({column})"
            found = store.value(query)
            if found:
                yield Trouble.lost(store.path.name, f"{found} rows of {table} have a torn {column}")
