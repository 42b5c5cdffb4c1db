"""Checks corpus.db: structure, references, hashes, invariants, search index. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from fanwen.corpus import masking, search
from fanwen.corpus.fingerprint import fingerprints, to_blob
from fanwen.corpus.identity import leaf, root, text_hash
from fanwen.corpus.normalise import fold
from fanwen.corpus.release import listing
from fanwen.corpus.release import verify as verify_release
from fanwen.corpus.store import Store, open_store
from fanwen.corpus.versions import PUBLISHED, PUBLISHED_TITLE
from fanwen.errors import DamagedError, UsageError
from fanwen.spiders.archive import Archive

_INVARIANTS = {
    "a piece has two open states": "select piece from piece_version where removed_in is null group by piece"
    " having count(*) > 1",
    "a state ends before it begins": "select piece from piece_version where removed_in <= added_in",
    "a state begins after the pending release": "select piece from piece_version where added_in >"
    " (select coalesce(max(seq), 0) + 1 from release)",
    "a closed state says no reason": "select piece from piece_version where (removed_in is null)"
    " <> (removed_why is null)",
    "a cluster has more than one canonical": "select cluster from piece_version where removed_in is null"
    " and is_canonical group by cluster having count(*) > 1",
    "a cluster has no canonical": "select cluster from piece_version where removed_in is null"
    " and cluster is not null group by cluster having sum(is_canonical) = 0",
    "a text that was taken down is there": "select v.piece from piece_version v join text t"
    " on t.sha256 = v.text where v.withdrawn is not null and t.body is not null",
    "a text is gone that nobody took down": "select v.piece from piece_version v join text t"
    " on t.sha256 = v.text where v.withdrawn is null and t.body is null",
    "a document has two open states": "select document from document_version where removed_in is null"
    " group by document having count(*) > 1",
}


def verify(corpus_path: Path) -> list[str]:
    """Every trouble of corpus.db, one sentence each; an empty list means that the corpus is whole."""
    try:
        with open_store(corpus_path, readonly=True) as store:
            return list(_troubles(store))
    except DamagedError as error:
        return [str(error)]


def verify_home(
    archive: Path,
    corpus: Path,
    releases: Path,
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[str]:
    """Every trouble of a home's archive, corpus and releases; what is not there yet is no trouble."""
    step = progress or (lambda name, done, total: None)
    troubles: list[str] = []
    if archive.is_file():
        step("archive", 0, 0)
        troubles += _archive(archive)
    if corpus.is_file():
        step("corpus", 0, 0)
        troubles += verify(corpus)
    try:
        # the folder of one that was issued again may be gone
        known = [one for one in listing(releases) if not one.withdrawn or (releases / one.version).exists()]
        versions = [release.version for release in known]
    except DamagedError as error:
        return [*troubles, str(error)]
    for done, version in enumerate(versions):
        step("releases", done, len(versions))
        try:
            verify_release(releases / version)
        except (DamagedError, UsageError) as error:
            troubles.append(str(error))
    return troubles


def _archive(path: Path) -> list[str]:
    try:
        with Archive(path, readonly=True) as archive:
            return archive.verify()
    except DamagedError as error:
        return [str(error)]


def _troubles(store: Store) -> Iterator[str]:
    name = store.path.name
    for (line,) in store.rows("pragma integrity_check"):
        if line != "ok":
            yield f"{name}: {line}"
    for table, _, parent, _ in store.rows("pragma foreign_key_check"):
        yield f"{name}: a row of {table} refers to a missing row of {parent}."
    for what, query in _INVARIANTS.items():
        row = store.rows(f"{query} limit 1").fetchone()
        if row is not None:
            yield f"{name}: {what} ({row[0]})."
    yield from _texts(store)
    yield from _masks(store)
    yield from _leaves(store)
    yield from _roots(store)
    yield from _search_index(store)


def _texts(store: Store) -> Iterator[str]:
    rows = store.rows(
        "select t.sha256, t.body, f.key, f.marks from text t left join fingerprint f on f.text = t.sha256"
        " where t.body is not null"
    )
    for sha256, body, key, marks in rows:
        if text_hash(body) != sha256:
            yield f"{store.path.name}: the text {sha256} is not what its hash says."
        elif key is not None:
            folded = fold([body])
            if folded.key(0) != key or to_blob(fingerprints(folded)[0]) != marks:
                yield f"{store.path.name}: the fingerprints of the text {sha256} are not those of the text."
    missing = store.value(
        "select count(*) from piece_version v join text t on t.sha256 = v.text"
        " left join fingerprint f on f.text = v.text where v.removed_in is null"
        " and v.cluster is not null and f.text is null and t.body is not null"
    )
    if missing:
        yield f"{store.path.name}: {missing} pieces have a cluster but no fingerprints; run 'fanwen build'."


def _masks(store: Store) -> Iterator[str]:
    """What is published of every state is the state itself, masked as it says."""
    wanted = masking.current_kinds(store)
    released = store.setting("release") is not None  # such a file holds nothing but what was published
    rows = store.rows(
        "select v.piece, t.body, v.title, v.privacy, v.title_privacy, v.published, v.published_title,"
        " v.masked, v.removed_in is null from piece_version v join text t on t.sha256 = v.text"
        " where v.published is not null and t.body is not null"
    )
    for piece, body, title, spans, titled, text_sha256, published_title, masked, is_open in rows:
        if released:
            if text_hash(body) != text_sha256 or not _are_masks(body, spans):
                yield f"{store.path.name}: a state of piece {piece} is not published as its masks say."
            continue
        counts = json.loads(masked)
        stored = (masking.spans_from(spans), masking.spans_from(titled))
        shown = masking.shown(title, body, *stored, frozenset(counts))
        if (text_hash(shown.text), shown.title, shown.masked) != (text_sha256, published_title, counts):
            yield f"{store.path.name}: a state of piece {piece} is not published as its masks say."
        elif is_open and wanted & {span.kind for span in (*stored[0], *stored[1])} - counts.keys():
            yield f"{store.path.name}: personal data in piece {piece} is not masked; run 'fanwen build'."


def _are_masks(text: str, spans: str) -> bool:
    return all(text[span.begin] + text[span.end - 1] == "〔〕" for span in masking.spans_from(spans))


def _leaves(store: Store) -> Iterator[str]:
    # a state that was released unmasked keeps its leaf, but a release made later shows it masked
    # and what was taken down keeps its leaf without its words
    where = "where v.withdrawn is null"
    where += " and v.published is not null" if store.setting("release") is not None else ""
    rows = store.rows(
        f"select v.piece, {PUBLISHED}, {PUBLISHED_TITLE}, d.url, v.flags, v.genre, v.script, v.cluster,"
        " v.is_canonical, v.leaf"
        f" from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document {where}"
    )
    for piece, text, title, url, flags, genre, script, cluster, is_canonical, stored in rows:
        if leaf(piece, text, title, url, json.loads(flags), genre, script, cluster, is_canonical) != stored:
            yield f"{store.path.name}: a state of piece {piece} is not what its leaf hash says."


def _roots(store: Store) -> Iterator[str]:
    """As of every release, what was published is still on record; withdrawn pieces by their leaf."""
    for seq, version, stored, pieces in store.rows(
        "select seq, version, root, pieces from release"
    ).fetchall():
        leaves = [
            row[0]
            for row in store.rows(
                "select leaf from piece_version"
                " where added_in <= ? and (removed_in is null or removed_in > ?)",
                seq,
                seq,
            )
        ]
        if root(leaves) != stored or len(leaves) != pieces:
            yield f"{store.path.name}: the state as of release {version} is not the one that was published."


def _search_index(store: Store) -> Iterator[str]:
    for sha256, body in store.rows(
        "select s.text, t.body from search_text s left join text t on t.sha256 = s.text"
    ).fetchall():
        if body is None:
            yield f"{store.path.name}: the search index holds the text {sha256}, which is gone; rebuild it."
            return
    sample = store.rows(
        "select t.sha256, substr(t.body, 1, 12) from search_text s join text t on t.sha256 = s.text"
        " order by 1"
    )
    for sha256, words in sample.fetchmany(200):
        if words and sha256 not in search.matching_texts(store, words):
            yield f"{store.path.name}: the search index does not find the text {sha256}; rebuild it."
            return
