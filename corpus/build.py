"""Archive to corpus: cleans what changed, keeps the history, finds duplicates.

In come archive.db and what the site files say, out come rows of corpus.db. Documents are handled
in the order of their canonical URL; one is cleaned again only if its bytes, the rules, its hints,
its consent or its being there changed. Every batch is committed whole, so a build that was killed
goes on where it stopped and ends in the same state. Nothing is ever fetched here.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain, islice
from pathlib import Path

from fanwen.cleaners.types import Claim, Claims, Cleaned, Page, Piece
from fanwen.corpus import dedup, masking, search, takedowns
from fanwen.corpus.identity import digest, match, piece_id, text_hash
from fanwen.corpus.masking import Published, Stored
from fanwen.corpus.site_pages import pages_of, rules_of
from fanwen.corpus.store import Store, must_go_on, open_store, to_json
from fanwen.corpus.stretches import stretches_of
from fanwen.corpus.tombstones import REASON, Blocked, Tombstones, is_newcomer
from fanwen.corpus.types import BuildReport
from fanwen.corpus.versions import (
    RIGHTS_FLAGS,
    DocumentState,
    PieceState,
    add_texts,
    close_piece,
    finish,
    open_pieces,
    put_document,
    put_piece,
    released_piece,
    spans_json,
    visibly_different,
)
from fanwen.corpus.withdraw import order
from fanwen.corpus.workers import cores, worker_pool
from fanwen.spiders.archive import Archive
from fanwen.spiders.items import ArchivedDocument
from fanwen.spiders.site import Site
from fanwen.spiders.takedown import TAKEN_DOWN, Takedown

__all__ = ["BuildReport", "Progress", "build"]

Progress = Callable[[str, int, int], None]

IN_PROCESS = 8  # so few documents are cleaned faster than workers start
PIECES_PER_BATCH = 1000
DOCUMENTS_PER_BATCH = 500
TASKS_PER_WORKER = 8  # waiting, so that memory stays flat
BY_HAND = "local"  # the site of files that were given by hand
UNCHECKED = ("candidate", "probation")  # sites whose pieces stay out of the default set
# what a site's word changes of a document's state
_WORDS = ("state_hash", "consent", "rights_basis", "rights_detail", "site_status")
STATE = "2"  # of what is kept of a document; another one has every document cleaned again


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What the site files say, by site name."""

    sites: Mapping[str, Site]
    status: Mapping[str, str] | None
    decision: Mapping[str, str]
    mask: frozenset[str]
    takedown: Takedown = Takedown()

    def status_of(self, site: str) -> str | None:
        """Its status; a host that no site file knows is a candidate: nobody has reviewed its rights."""
        if self.status is None or site == BY_HAND:
            return None
        return self.status.get(site, "candidate")


@dataclass(frozen=True, slots=True)
class _Task:
    document: ArchivedDocument
    state_hash: str


@dataclass(frozen=True, slots=True)
class _Result:
    """What the pages of one document gave, and its pieces as a release shows them."""

    cleaned: Cleaned
    published: tuple[Published, ...]


def build(
    archive_path: Path,
    corpus_path: Path,
    *,
    sites: Mapping[str, Site] | None = None,
    site_status: Mapping[str, str] | None = None,
    site_decision: Mapping[str, str] | None = None,
    mask: frozenset[str] = masking.KINDS,
    takedown: Takedown = Takedown(),
    workers: int | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Bring corpus.db up to archive.db. ``workers`` defaults to the number of cores; 1 means in process.

    ``site_status`` are those of the site files; with it, sites that have none count as candidates.
    ``mask`` are the kinds of personal data that no release shall show, ``takedown`` names what is in none.
    ``progress(step, done, total)`` is called after every commit; total is 0 where it is not known.
    Raises the errors of :func:`fanwen.corpus.store.open_store` and of the archive.
    """
    must_go_on(corpus_path)
    facts = SiteFacts(sites or {}, site_status, site_decision or {}, mask, takedown)
    counts: Counter[str] = Counter()
    rejects: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with Archive(archive_path, readonly=True) as archive, open_store(corpus_path, create=True) as store:
        masking.prepare(store, mask)
        tasks = _changed(store, archive.documents(), facts, counts)
        writer = _Writer(store, facts, counts, rejects)
        for task, result in _cleaned(archive, tasks, facts, workers or cores()):
            writer.add(task, result)
            if writer.full:
                writer.flush()
                if progress:
                    progress("cleaning", counts["cleaned"], 0)
        writer.flush()
        if progress:
            progress("cleaning", counts["cleaned"], counts["cleaned"])
        remasked = masking.update(store, mask, progress)
        duplicates = dedup.update(store, progress)
        search.update(store, progress)
        return BuildReport(
            documents=counts["documents"],
            cleaned=counts["cleaned"],
            unchanged=counts["unchanged"],
            gone=counts["gone"],
            pieces_added=counts["added"],
            pieces_modified=counts["modified"],
            pieces_removed=counts["removed"],
            rejects=dict(sorted(sum(rejects.values(), Counter()).items())),
            rejects_by_site={
                site: dict(sorted(found.items())) for site, found in sorted(rejects.items()) if found
            },
            relations={
                "exact": duplicates.exact_pieces,
                "near": duplicates.near,
                "contains": duplicates.contains,
                "overlap": duplicates.overlap,
            },
            clusters=duplicates.clusters,
            clusters_of_several=duplicates.clusters_of_several,
            pieces=store.value("select count(*) from piece_version where removed_in is null"),
            pieces_default=store.value(
                "select count(*) from piece_version where removed_in is null and excluded_why is null"
            ),
            masked=masking.counts(store),
            remasked=remasked,
        )


def _changed(
    store: Store, documents: Iterable[ArchivedDocument], facts: SiteFacts, counts: Counter[str]
) -> Iterator[_Task]:
    """Documents whose state differs from what the corpus holds."""
    ruleset = _ruleset()
    known: dict[str, str] = dict(
        store.rows(
            "select d.key, v.state_hash from document_version v join document d on d.id = v.document"
            " where v.removed_in is null and d.source = 'archive'"
        ).fetchall()
    )
    texts = takedowns.texts_named(store, facts.takedown)
    for document in documents:
        counts["documents"] += 1
        if takedowns.is_named(document, facts.takedown):
            document = replace(document, gone=TAKEN_DOWN)
        state_hash = _state_hash(document, facts, ruleset, texts.get(document.url, ()))
        nothing = not _can_be_cleaned(document) and document.url not in known
        if nothing or known.get(document.url) == state_hash:
            counts["unchanged"] += 1
        else:
            yield _Task(document, state_hash)


def _can_be_cleaned(document: ArchivedDocument) -> bool:
    """Without its bytes a document stays as it is, until its page changes or is gone."""
    return not document.gone and not document.source_removed


def _state_hash(document: ArchivedDocument, facts: SiteFacts, ruleset: str, taken: tuple[str, ...]) -> str:
    site = document.site
    return digest(
        STATE,
        document.gone,
        ruleset,
        site,
        rules_of(facts.sites.get(site), (part.fetched_at for part in document.parts)),
        facts.status_of(site),
        facts.decision.get(site),
        str(document.missing_parts),
        *taken,
        to_json(
            [
                [part.url, part.body_hash, part.content_type, part.truncated, asdict(part.consent)]
                for part in document.parts
            ]
        ),
    )


def _ruleset() -> str:
    from fanwen.cleaners.pipeline import RULESET

    return RULESET


def _cleaned(
    archive: Archive, tasks: Iterator[_Task], facts: SiteFacts, workers: int
) -> Iterator[tuple[_Task, _Result | None]]:
    """Each task with what its pages gave, in order; None where there is nothing to clean."""
    first = list(islice(tasks, IN_PROCESS + 1))
    if len(first) <= IN_PROCESS or workers == 1:
        for task in chain(first, tasks):
            yield (
                task,
                (_clean(*_arguments(archive, task, facts)) if _can_be_cleaned(task.document) else None),
            )
        return
    waiting: deque[tuple[_Task, Future[_Result] | None]] = deque()
    with worker_pool(workers) as pool:
        try:
            for task in chain(first, tasks):
                arguments = _arguments(archive, task, facts) if _can_be_cleaned(task.document) else None
                waiting.append((task, None if arguments is None else pool.submit(_clean, *arguments)))
                if len(waiting) >= workers * TASKS_PER_WORKER:
                    yield _result(*waiting.popleft())
            while waiting:
                yield _result(*waiting.popleft())
        finally:
            for _, future in waiting:
                if future is not None:
                    future.cancel()


def _result(task: _Task, future: Future[_Result] | None) -> tuple[_Task, _Result | None]:
    return task, None if future is None else future.result()


def _arguments(archive: Archive, task: _Task, facts: SiteFacts) -> tuple[list[Page], frozenset[str]]:
    site = facts.sites.get(task.document.site)
    return pages_of(archive, task.document, site), facts.mask


def _clean(pages: list[Page], mask: frozenset[str]) -> _Result:
    from fanwen.cleaners.pipeline import clean_document

    cleaned = clean_document(pages)
    stored = [Stored(piece.title, piece.text, piece.privacy) for piece in cleaned.pieces]
    return _Result(cleaned, tuple(masking.publish(stored, mask)))


class _Writer:
    """Collects results and writes them in batches, each in one transaction."""

    def __init__(
        self, store: Store, facts: SiteFacts, counts: Counter[str], rejects: defaultdict[str, Counter[str]]
    ) -> None:
        self.store = store
        self.facts = facts
        self.counts = counts
        self.rejects = rejects
        self.tombstones = Tombstones(store)
        self.batch: list[tuple[_Task, _Result | None]] = []
        self.pieces = 0

    def add(self, task: _Task, result: _Result | None) -> None:
        self.batch.append((task, result))
        self.pieces += len(result.cleaned.pieces) if result else 0

    @property
    def full(self) -> bool:
        return self.pieces >= PIECES_PER_BATCH or len(self.batch) >= DOCUMENTS_PER_BATCH

    def flush(self) -> None:
        if not self.batch:
            return
        with self.store.atomic():
            for task, result in self.batch:
                self._put(task, result)
        self.batch, self.pieces = [], 0

    def _put(self, task: _Task, result: _Result | None) -> None:
        store, document = self.store, task.document
        cleaned = None if result is None else result.cleaned
        number = _document_number(store, document)
        before = open_pieces(store, number)
        if document.source_removed and not document.gone:
            self._put_words(number, task, before)
            return
        version = put_document(store, _document_state(number, task, cleaned, self.facts))
        _put_findings(store, version, cleaned)
        kept: set[str] = set()
        blocked: set[str] = set()
        if result is None or cleaned is None:
            self.counts["gone"] += 1
        else:
            self.counts["cleaned"] += 1
            self.rejects[document.site].update(reject.reason for reject in cleaned.rejects)
            extra = _rights_flags(document, self.facts)
            identified = _identified(store, number, document.url, cleaned.pieces)
            for (identity, piece), shown in zip(identified, result.published, strict=True):
                if text_hash(piece.text) in self.facts.takedown.hashes:
                    continue
                if case := self._blocked(identity, piece, shown):
                    self._refuse(task, version, piece, shown, case)
                    blocked.add(identity)
                    continue
                earlier = before.get(identity)
                state = _piece_state(store, identity, version, piece, shown, document.url, extra, earlier)
                put_piece(store, state)
                kept.add(identity)
                if earlier is None:
                    self.counts["added"] += 1
                elif visibly_different(earlier, state):
                    self.counts["modified"] += 1
        for identity in before.keys() - kept:
            why = takedowns.REASON if identity in blocked else self._why(document, before[identity])
            close_piece(store, identity, why)
            self.counts["removed"] += 1
        _forget_unused_numbers(store, number)

    def _put_words(self, number: int, task: _Task, before: Mapping[str, PieceState]) -> None:
        """A document without its bytes keeps its pieces; what its site says now counts for them too."""
        document = task.document
        columns = ", ".join(field.name for field in fields(DocumentState))
        row = self.store.rows(
            f"select {columns} from document_version where document = ? and removed_in is null", number
        ).fetchone()
        new = _document_state(number, task, None, self.facts)
        said = {name: getattr(new, name) for name in _WORDS}
        version = put_document(self.store, replace(DocumentState(*row), **said))
        self.store.rows("update document set source_removed = 1 where id = ?", number)
        extra = {flag for flag in _rights_flags(document, self.facts) if flag in RIGHTS_FLAGS}
        for state in before.values():
            flags = sorted({*json.loads(state.flags)} - {*RIGHTS_FLAGS} | extra)
            state = replace(state, document_version=version, flags=to_json(flags))
            put_piece(self.store, finish(state, document.url, flags, _stands_for(state)))
        self.counts["unchanged"] += 1

    def _blocked(self, identity: str, piece: Piece, shown: Published) -> Blocked | None:
        if not self.tombstones:
            return None
        newcomer = is_newcomer(self.store, identity)
        return self.tombstones.blocks(identity, (piece.text, shown.text), newcomer=newcomer)

    def _refuse(self, task: _Task, version: int, piece: Piece, shown: Published, case: Blocked) -> None:
        """Count a piece that a case keeps out; the page of a purged one is not kept either."""
        document = task.document
        self.rejects[document.site][REASON] += 1
        self.store.rows(
            "insert into reject (document_version, reason, source, detail) values (?, ?, ?, ?)",
            version,
            REASON,
            document.url,
            case.case_id,
        )
        if case.purged:
            gone = stretches_of((piece.text, piece.text_original, shown.text))
            bodies = (part.body_hash for part in document.parts)
            order(self.store, case.case_id, gone, bodies, whole=False)

    def _why(self, document: ArchivedDocument, piece: PieceState) -> str:
        if document.gone == TAKEN_DOWN or piece.text in self.facts.takedown.hashes:
            return takedowns.REASON
        return "source_gone" if document.gone else "no_longer_on_page"


def _document_number(store: Store, document: ArchivedDocument) -> int:
    number = store.value("select id from document where key = ?", document.url)
    if number is not None:
        # the site file of a host may be younger than its pages
        store.rows(
            "update document set site = ? where id = ? and site <> ?", document.site, number, document.site
        )
        store.rows("update document set source_removed = 0 where id = ? and source_removed", number)
        return int(number)
    inserted = store.rows(
        "insert into document (key, url, site, source, name, first_seen) values (?, ?, ?, 'archive', ?, ?)",
        document.url,
        document.url,
        document.site,
        document.name,
        document.first_fetched_at,
    ).lastrowid
    assert inserted is not None
    return inserted


def _document_state(number: int, task: _Task, cleaned: Cleaned | None, facts: SiteFacts) -> DocumentState:
    archived = task.document
    found = cleaned.document if cleaned else None
    claims = found.claims if found else Claims()
    basis, detail = _rights(archived, facts)
    return DocumentState(
        document=number,
        state_hash=task.state_hash,
        gone=archived.gone,
        bodies=to_json(
            [
                {
                    "url": part.url,
                    "body": part.body_hash,
                    "content_type": part.content_type,
                    "fetched_at": part.fetched_at,
                }
                for part in archived.parts
            ]
        ),
        fetched_at=max((part.fetched_at for part in archived.parts), default=archived.first_fetched_at),
        kind=found.kind if found else None,
        encoding=found.encoding if found else None,
        extractor=found.extractor if found else None,
        ruleset=found.ruleset if found else None,
        opencc=found.opencc if found else None,
        script=found.script if found else None,
        title=found.title if found else None,
        declared_pieces=found.declared_pieces if found else None,
        found_pieces=len(cleaned.pieces) if cleaned else 0,
        claimed_published=_value(claims.published),
        claimed_author=_value(claims.author),
        claimed_source=_value(claims.source),
        claimed_rights=_value(claims.rights),
        claimed_category=_value(claims.category),
        claims=_claims_json(claims),
        consent=to_json([asdict(part.consent) for part in archived.parts]),
        rights_basis=basis,
        rights_detail=detail,
        site_status=facts.status_of(archived.site),
        truncated=int(any(part.truncated for part in archived.parts)),
        missing_parts=int(archived.missing_parts),
    )


def _value(claim: Claim | None) -> str | None:
    return None if claim is None else claim.value


def _claims_json(claims: Claims) -> str:
    found = ((field.name, getattr(claims, field.name)) for field in fields(claims))
    return to_json([{"kind": kind, **asdict(claim)} for kind, claim in found if claim is not None])


def _rights(document: ArchivedDocument, facts: SiteFacts) -> tuple[str, str | None]:
    """The basis on which a document is kept, and what that rests on. A reservation outweighs all."""
    reservations = sorted({one for part in document.parts for one in part.consent.reservations})
    decision = facts.decision.get(document.site)
    if decision == "refused":
        reservations.append("site review: refused")
    if reservations:
        return "reservation_found", "; ".join(reservations)
    if decision in ("licensed", "official_document"):
        return decision, "site review"
    if document.parts and all(part.consent.robots_hash is not None for part in document.parts):
        return "none_found", None
    return "unknown", None


def _rights_flags(document: ArchivedDocument, facts: SiteFacts) -> tuple[str, ...]:
    flags = []
    if _rights(document, facts)[0] == "reservation_found":
        flags.append("reservation_found")
    if facts.status_of(document.site) in UNCHECKED:
        flags.append("probation")
    if document.missing_parts:
        flags.append("incomplete")
    return tuple(flags)


def _put_findings(store: Store, version: int, cleaned: Cleaned | None) -> None:
    store.rows("delete from rule_hit where document_version = ?", version)
    store.rows("delete from reject where document_version = ?", version)
    if cleaned is None:
        return
    hits = cleaned.document.rule_hits if cleaned.document else ()
    store.conn.executemany(
        "insert into rule_hit (document_version, rule, count, chars, example) values (?, ?, ?, ?, ?)",
        [(version, hit.rule, hit.count, hit.chars, hit.example) for hit in hits],
    )
    store.conn.executemany(
        "insert into reject (document_version, reason, source, detail) values (?, ?, ?, ?)",
        [(version, reject.reason, reject.source, reject.detail) for reject in cleaned.rejects],
    )


def _identified(
    store: Store, document: int, url: str, pieces: tuple[Piece, ...]
) -> Iterator[tuple[str, Piece]]:
    """Each piece with its id; newcomers get the next free numbers of the document."""
    earlier = store.rows(
        "select p.n, case when v.removed_in is null then v.place else 0 end, t.body"
        " from piece p join piece_version v on v.piece = p.id join text t on t.sha256 = v.text"
        " where p.document = ? and v.id = (select id from piece_version w where w.piece = p.id"
        "  order by w.removed_in is null desc, w.added_in desc limit 1) order by p.n",
        document,
    ).fetchall()
    numbers = match([piece.text for piece in pieces], earlier) if earlier else [None] * len(pieces)
    next_n: int = store.value("select next_n from document where id = ?", document)
    for piece, known in zip(pieces, numbers, strict=True):
        n = known
        if n is None:
            n, next_n = next_n, next_n + 1
            store.rows("insert into piece (id, document, n) values (?, ?, ?)", piece_id(url, n), document, n)
        yield piece_id(url, n), piece
    store.rows("update document set next_n = ? where id = ?", next_n, document)


def _forget_unused_numbers(store: Store, document: int) -> None:
    """A piece that no release and no current state knows leaves no trace, its number included."""
    store.rows(
        "delete from piece where document = ? and not exists"
        " (select 1 from piece_version v where v.piece = piece.id)"
        " and not exists (select 1 from tombstone t where t.piece = piece.id)",
        document,
    )
    store.rows(
        "update document set next_n = (select coalesce(max(n), 0) + 1 from piece where document = :id)"
        " where id = :id".replace(":id", str(document))
    )


def _piece_state(
    store: Store,
    identity: str,
    version: int,
    piece: Piece,
    published: Published,
    url: str,
    extra_flags: tuple[str, ...],
    before: PieceState | None,
) -> PieceState:
    add_texts(store, (piece.text, piece.text_original, published.text))
    flags = sorted({*piece.flags, *extra_flags})
    quality = piece.quality
    state = PieceState(
        piece=identity,
        document_version=version,
        place=piece.index,
        text=text_hash(piece.text),
        text_original=text_hash(piece.text_original),
        title=piece.title,
        genre=piece.genre,
        genre_confidence=round(piece.genre_confidence, 4),
        genre_evidence=piece.genre_evidence,
        year=piece.year,
        level=piece.level,
        language=piece.language,
        script=piece.script,
        flags=to_json(flags),
        n_chars=quality.n_chars,
        n_han=quality.n_han,
        n_paragraphs=quality.n_paragraphs,
        han_share=round(quality.han_share, 4),
        repeated_line_share=round(quality.repeated_line_share, 4),
        list_line_share=round(quality.list_line_share, 4),
        placeholder_share=round(quality.placeholder_share, 4),
        placeholders=spans_json(piece.placeholders),
        privacy="[]",
        title_privacy="[]",
        published=None,
        published_title=None,
        masked="{}",
        edits=spans_json(piece.edits),
        span_begin=piece.span.begin,
        span_end=piece.span.end,
        cluster=None,
        is_canonical=0,
        excluded_why=None,
        leaf="",
    )
    state = masking.applied(state, published)
    # the same text stays in its cluster until duplicates are settled again
    for known in (before, released_piece(store, identity)):
        if known is not None and known.text == state.text and known.cluster is not None:
            state = replace(state, cluster=known.cluster, is_canonical=known.is_canonical)
            return finish(state, url, flags, _stands_for(known))
    return finish(state, url, flags, None)


def _stands_for(state: PieceState) -> str | None:
    """The canonical of a duplicate."""
    why = state.excluded_why or ""
    return why.removeprefix("duplicate_of:") if why.startswith("duplicate_of:") else None
