"""What a release shows of a piece: its text and title with the personal data of some kinds masked.

In go the pieces of one document with the spans that the cleaners found, out comes each as it is
published. A name that one piece gives away is looked for in the others and in the titles, too. The
unmasked text stays in corpus.db and is never changed; nothing is cleaned again when the kinds change.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from fanwen.cleaners import names, privacy
from fanwen.cleaners.mask import mask
from fanwen.cleaners.types import Span
from fanwen.corpus.identity import text_hash
from fanwen.corpus.store import Store, to_json
from fanwen.corpus.versions import PieceState, add_texts, leaf_of, open_pieces, put_piece, spans_json

KINDS = frozenset(privacy.KINDS)
BATCH = 500  # documents

Progress = Callable[[str, int, int], None]

_SETTING = "mask"
# a shorter name may be a part of a word where nothing around it says that it is a name
_SURE_NAME = 3
# a shorter stretch is no number that could be known again in another string
_SURE_NUMBER = 5
_NUMBERED = re.compile("〔人名[0-9]{1,4}〕")


@dataclass(frozen=True, slots=True)
class Stored:
    """A piece as it is kept; ``privacy`` are the spans in ``text``."""

    title: str | None
    text: str
    privacy: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A piece as a release shows it: ``text`` and ``title`` masked.

    ``privacy`` and ``title_privacy`` are all spans of the unmasked text and title, masked or not;
    ``masked`` counts those that were, by kind.
    """

    title: str | None
    text: str
    privacy: tuple[Span, ...]
    title_privacy: tuple[Span, ...]
    masked: dict[str, int]


def publish(pieces: Sequence[Stored], kinds: frozenset[str]) -> list[Published]:
    """The pieces of one document as a release shows them that masks ``kinds``."""
    known: dict[str, tuple[str, str]] = {}
    for piece in pieces:
        known |= known_in(piece.text, piece.privacy)
    sure = {
        name: what for name, what in known.items() if what == ("person", name) and len(name) >= _SURE_NAME
    }
    found = []
    for piece in pieces:
        spans = with_known(piece.text, piece.privacy, sure)
        titled = with_known(piece.title or "", spans_of(piece.title or ""), known)
        found.append(shown(piece.title, piece.text, spans, titled, kinds))
    return found


def shown(
    title: str | None,
    text: str,
    spans: tuple[Span, ...],
    title_spans: tuple[Span, ...],
    kinds: frozenset[str],
) -> Published:
    """One piece whose spans are known: those of ``kinds`` masked, in title and text with the same numbers."""
    wanted, wanted_title, masks = _masks(title, text, spans, title_spans, kinds)
    counts = Counter(span.kind for span in (*wanted, *wanted_title))
    return Published(
        None if title is None else replaced(title, wanted_title, masks[len(wanted) :])[0],
        replaced(text, wanted, masks[: len(wanted)])[0],
        spans,
        title_spans,
        dict(sorted(counts.items())),
    )


def masks(title: str | None, text: str, published: Published, kinds: frozenset[str]) -> list[tuple[str, str]]:
    """What was masked in text and title, in order, each with its mask."""
    wanted, wanted_title, found = _masks(title, text, published.privacy, published.title_privacy, kinds)
    stretches = [text[span.begin : span.end] for span in wanted]
    stretches += [(title or "")[span.begin : span.end] for span in wanted_title]
    return list(zip(stretches, found, strict=True))


def _masks(
    title: str | None,
    text: str,
    spans: Iterable[Span],
    title_spans: Iterable[Span],
    kinds: frozenset[str],
) -> tuple[list[Span], list[Span], list[str]]:
    """The spans of text and of title that are masked, and the masks of both in this order."""
    wanted, wanted_title = chosen(spans, kinds), chosen(title_spans, kinds)
    found = [*named(text, wanted), *named(title or "", wanted_title)]
    return wanted, wanted_title, words(found, f"{title or ''}\n{text}") if found else []


# -- masks ----------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def spans_of(string: str) -> tuple[Span, ...]:
    """Personal data in a title, a line or an example; many of these stand on many pages."""
    return privacy.spans(string)


def name_of(text: str, span: Span) -> str:
    return span.value or text[span.begin : span.end]


def known_in(text: str, spans: Iterable[Span]) -> dict[str, tuple[str, str]]:
    """What these spans say that means the same in another string, with kind and name, by place."""
    known = {}
    for span in spans:
        name = name_of(text, span)
        for string in (name, text[span.begin : span.end]):
            if names.is_whole(string) if span.kind == "person" else len(string) >= _SURE_NUMBER:
                known[string] = (span.kind, name)
    return known


def with_known(text: str, spans: tuple[Span, ...], known: dict[str, tuple[str, str]]) -> tuple[Span, ...]:
    """``spans`` of a text, and wherever else one of the ``known`` strings stands in it, by place."""
    if not text or not any(string in text for string in known):
        return spans
    pattern = "|".join(re.escape(string) for string in sorted(known, key=lambda s: (-len(s), s)))
    found = list(spans)
    taken = [*spans, *privacy.placeholders(text)]
    for m in re.finditer(pattern, text):
        if all(m.end() <= span.begin or span.end <= m.start() for span in taken):
            kind, name = known[m[0]]
            value = name if kind == "person" and name != m[0] else None
            found.append(Span(kind, m.start(), m.end(), value))
    return tuple(sorted(found, key=lambda span: span.begin))


def chosen(spans: Iterable[Span], kinds: frozenset[str]) -> list[Span]:
    return [span for span in spans if span.kind in kinds]


def named(text: str, spans: Iterable[Span]) -> list[tuple[str, str]]:
    """(kind, name or stretch) of each span, as :func:`words` takes them."""
    return [(span.kind, name_of(text, span)) for span in spans]


def words(found: Sequence[tuple[str, str]], beside: str) -> list[str]:
    """The mask of each (kind, name): 〔电话〕, 〔人名1〕; the same name has the same number.

    ``beside`` are the texts that the masks are for: the numbers of masks that they hold already are taken.
    """
    if not found:
        return []
    spans = [Span(kind, 2 * k, 2 * k + 1, name) for k, (kind, name) in enumerate(found)]
    held = "".join(_NUMBERED.findall(beside))
    return mask("\n".join([*"x" * len(found), held]), spans).split("\n")[:-1]


def replaced(text: str, spans: Sequence[Span], masks: Sequence[str]) -> tuple[str, tuple[Span, ...]]:
    """``text`` with each of the ordered ``spans`` replaced, and where the masks stand in it."""
    parts: list[str] = []
    places: list[Span] = []
    done = shift = 0
    for span, word in zip(spans, masks, strict=True):
        parts += (text[done : span.begin], word)
        begin = span.begin + shift
        places.append(Span(span.kind, begin, begin + len(word)))
        shift += len(word) - (span.end - span.begin)
        done = span.end
    return "".join((*parts, text[done:])), tuple(places)


# -- in corpus.db ---------------------------------------------------------------------------------


def prepare(store: Store, kinds: frozenset[str]) -> None:
    """Before anything is masked by ``kinds``: note that what is there may be masked otherwise.

    No setting means that, until :func:`update` is through.
    """
    known = store.setting(_SETTING)
    if known is None:
        if not store.value("select exists (select 1 from piece_version where published is not null)"):
            store.set_setting(_SETTING, kinds_json(kinds))
    elif known != kinds_json(kinds):
        forget(store)


def forget(store: Store) -> None:
    """Note that what is there may be masked otherwise than it should be; :func:`update` looks at it."""
    store.rows("delete from setting where name = ?", _SETTING)


def settled(store: Store) -> bool:
    """Whether every current piece is masked as the last build was told to."""
    unseen = "select 1 from piece_version where published is null and removed_in is null"
    return store.setting(_SETTING) is not None and store.value(unseen) is None


def update(store: Store, kinds: frozenset[str], progress: Progress | None = None) -> int:
    """Mask every current piece that is not masked by ``kinds`` yet; how many pieces show something else.

    What is committed stays when this is killed; the next run goes on.
    """
    prepare(store, kinds)
    where = "v.published is null" if store.setting(_SETTING) is not None else "true"
    documents = [
        row[0]
        for row in store.rows(
            "select distinct p.document from piece_version v join piece p on p.id = v.piece"
            f" where v.removed_in is null and {where} order by 1"
        )
    ]
    changed = 0
    for at in range(0, len(documents), BATCH):
        with store.atomic():
            for document in documents[at : at + BATCH]:
                changed += sum(_mask_again(store, document, kinds))
        if progress:
            progress("masking", min(at + BATCH, len(documents)), len(documents))
    if store.setting(_SETTING) is None:
        with store.atomic():
            store.set_setting(_SETTING, kinds_json(kinds))
    return changed


def counts(store: Store) -> dict[str, int]:
    """How many spans of the current pieces a release masks, by kind, the most frequent first."""
    return dict(
        store.rows(
            "select j.key, sum(j.value) from piece_version v, json_each(v.masked) j"
            " where v.removed_in is null group by 1 order by 2 desc, 1"
        ).fetchall()
    )


def current_kinds(store: Store) -> frozenset[str]:
    """The kinds by which every current piece is masked; none while that is not settled."""
    return frozenset(json.loads(store.setting(_SETTING) or "[]"))


def kinds_json(kinds: frozenset[str]) -> str:
    return to_json(sorted(kinds))


def applied(state: PieceState, published: Published) -> PieceState:
    """The state with what a release shows of it; its leaf is still to be computed."""
    return replace(
        state,
        privacy=spans_json(published.privacy),
        title_privacy=spans_json(published.title_privacy),
        published=text_hash(published.text),
        published_title=published.title,
        masked=to_json(published.masked),
    )


def spans_from(stored: str) -> tuple[Span, ...]:
    """Spans from their JSON."""
    return tuple(Span(**span) for span in json.loads(stored))


def _mask_again(store: Store, document: int, kinds: frozenset[str]) -> Iterator[bool]:
    """Whether each piece of the document shows something else than before."""
    url, source = store.rows("select url, source from document where id = ?", document).fetchone()
    states = list(open_pieces(store, document).values())
    bodies = [store.value("select body from text where sha256 = ?", state.text) for state in states]
    there = [(state, body) for state, body in zip(states, bodies, strict=True) if body is not None]
    pieces = []
    for state, body in there:
        # no cleaner has looked at a ready-made piece
        unseen = state.published is None and source != "archive"
        spans = privacy.spans(body) if unseen else spans_from(state.privacy)
        pieces.append(Stored(state.title, body, spans))
    for (state, _), published in zip(there, publish(pieces, kinds), strict=True):
        masked = applied(state, published)
        masked = replace(masked, leaf=leaf_of(masked, url, json.loads(state.flags)))
        if masked != state:
            add_texts(store, (published.text,))
            put_piece(store, masked)
        yield masked.leaf != state.leaf
