"""Turns a copy of corpus.db into what a release may show: nothing in it is unmasked.

In goes the copy of one release, whose rows are changed in place. Texts and titles become what was
published of each state, so leaves and roots stay; everything else that repeats the page (originals,
repairs, titles, claims, examples) is masked with what is known of the document's pieces and with what
its own words give away. Hashes and fingerprints are those of masked texts: one of an unmasked text
would let everybody confirm a guess. All files of a release are made from this copy.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fanwen.cleaners import privacy, script
from fanwen.cleaners.types import Edit, Span
from fanwen.corpus import masking, rekey
from fanwen.corpus.identity import text_hash
from fanwen.corpus.masking import KINDS, Progress, Stored, chosen, named, replaced, spans_from, words
from fanwen.corpus.originals import mask_original
from fanwen.corpus.store import to_json
from fanwen.corpus.versions import spans_json

# stands for an original whose masked form is not certain; its row in text has no body
WITHHELD = "withheld"

EXAMPLE = 120  # characters of an example at most, see data/columns.toml
_DIGITS = re.compile(r"[\d-]{5,}$")

_CLAIMED = ("published", "author", "source", "rights", "category")
# what a claim is called where only its value is on record
_LABELS = {"author": "作者："}


def mask_database(db: sqlite3.Connection, seq: int, progress: Progress | None = None) -> None:
    """Mask a copy that holds release ``seq`` and what came before it, within the caller's transaction."""
    kinds = _Kinds(dict(db.execute("select seq, mask from release").fetchall()), seq)
    became: dict[str, set[str]] = defaultdict(set)
    names: dict[int, str | None] = dict(db.execute("select id, name from document").fetchall())
    documents = db.execute(
        "select id, document, removed_in, opencc from document_version order by document, id desc"
    ).fetchall()
    for number, (version, document, removed_in, opencc) in enumerate(documents, start=1):
        if progress is not None:
            progress("masking what is published", number, len(documents))
        rows = _looked_at([_State(*row) for row in db.execute(_STATES, (version,))])
        known = _Known.of(rows, kinds.at(removed_in), converted=opencc is not None)
        for row in rows:
            new = _publish(db, row, kinds, known)
            became[row.text].add(new)
        _mask_strings(db, version, known)
        names[document] = known.mask(names[document])
    db.executemany("update document set name = ? where id = ?", [(name, n) for n, name in names.items()])
    # of ready-made pieces this is a hash over the text
    db.execute(
        "update document_version set state_hash = ''"
        " where document in (select id from document where source <> 'archive')"
    )
    db.execute("update tombstone set text = null, key = null, marks = null")
    rekey.fingerprints(db, became)


@dataclass(frozen=True, slots=True)
class _Kinds:
    """Which kinds each release masks; one that was made before there was masking counts as all."""

    by_seq: Mapping[int, str | None]
    last: int

    def at(self, removed_in: int | None) -> frozenset[str]:
        """Of the last release in which a state held."""
        found = self.by_seq.get(self.last if removed_in is None else removed_in - 1)
        return KINDS if found is None else frozenset(json.loads(found))


@dataclass(frozen=True, slots=True)
class _State:
    """What is to be masked of one state of a piece."""

    id: int
    removed_in: int | None
    title: str | None
    text: str
    text_original: str
    body: str | None
    body_original: str | None
    privacy: str
    title_privacy: str
    placeholders: str
    edits: str
    genre_evidence: str | None
    published: str | None
    masked: str

    def kinds(self, kinds: _Kinds) -> frozenset[str]:
        """The kinds that were masked when this was published."""
        return kinds.at(self.removed_in) if self.published is None else frozenset(json.loads(self.masked))


_STATES = """
select v.id, v.removed_in, v.title, v.text, v.text_original, t.body, o.body, v.privacy, v.title_privacy,
  v.placeholders, v.edits, v.genre_evidence, v.published, v.masked
from piece_version v join text t on t.sha256 = v.text join text o on o.sha256 = v.text_original
where v.document_version = ? order by v.place, v.id
"""


def _looked_at(states: list[_State]) -> list[_State]:
    """The states, with spans for those that were released before anybody looked."""
    unseen = [state for state in states if state.published is None and state.body is not None]
    pieces = [
        Stored(s.title, s.body or "", spans_from(s.privacy) or privacy.spans(s.body or "")) for s in unseen
    ]
    found = {
        state.id: replace(
            state, privacy=spans_json(shown.privacy), title_privacy=spans_json(shown.title_privacy)
        )
        for state, shown in zip(unseen, masking.publish(pieces, KINDS), strict=True)
    }
    return [found.get(state.id, state) for state in states]


@dataclass(frozen=True, slots=True)
class _Known:
    """What the pieces of a document give away: every string with kind and name, in order of first place.

    ``texts`` are the pieces themselves.
    """

    texts: str
    strings: dict[str, tuple[str, str]]
    named: tuple[tuple[str, str], ...]
    kinds: frozenset[str]
    converted: bool
    done: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(states: Iterable[_State], kinds: frozenset[str], *, converted: bool) -> _Known:
        texts: list[str] = []
        strings: dict[str, tuple[str, str]] = {}
        every: list[tuple[str, str]] = []
        for state in states:
            for text, stored in ((state.body, state.privacy), (state.title, state.title_privacy)):
                spans = chosen(spans_from(stored), kinds) if text else []
                strings |= masking.known_in(text or "", spans)
                every += named(text or "", spans)
                texts.append(text or "")
        return _Known("\n".join(texts), strings, tuple(dict.fromkeys(every)), kinds, converted)

    def spans(self, text: str, label: str = "") -> tuple[Span, ...]:
        """The personal data in one string of the document; ``label`` is what stands before it elsewhere."""
        plain = script.to_simplified(text) if self.converted else text
        own = tuple(
            Span(span.kind, span.begin - len(label), span.end - len(label), span.value)
            for span in chosen(masking.spans_of(label + plain), self.kinds)
            if span.begin >= len(label)
        )
        return masking.with_known(plain, own, self.strings)

    def mask(self, text: str | None, label: str = "") -> str | None:
        """One string of the document masked; names have the numbers that they have in its pieces."""
        return None if text is None else self.masked(text, label)

    def masked(self, text: str, label: str = "") -> str:
        found = self.done.get(label + text)
        if found is None:
            spans = self.spans(text, label)
            found = replaced(text, spans, self.words(text, spans))[0] if spans else text
            self.done[label + text] = found
        return found

    def without_torn_end(self, text: str) -> str:
        """An example, without the name or number that the limit of its length has cut in two."""
        if len(text) < EXAMPLE:
            return text
        torn = [string[:k] for string in self.strings for k in range(2, len(string))]
        text = text.removesuffix(max((end for end in torn if text.endswith(end)), key=len, default=""))
        return _DIGITS.sub("", text)

    def words(self, text: str, spans: Sequence[Span]) -> list[str]:
        # a surname alone is looked for nowhere else, but its number is taken
        return words([*self.named, *named(text, spans)], f"{self.texts}\n{text}")[len(self.named) :]


def _publish(db: sqlite3.Connection, state: _State, kinds: _Kinds, known: _Known) -> str:
    """Write one state as it was published; the hash that stands for its text now."""
    wanted = state.kinds(kinds)
    spans = chosen(spans_from(state.privacy), wanted) if state.body is not None else []
    titled = chosen(spans_from(state.title_privacy), wanted) if state.title else []
    found = [*named(state.body or "", spans), *named(state.title or "", titled)]
    masks = words(found, f"{state.title or ''}\n{state.body or ''}")
    title, title_spans = replaced(state.title or "", titled, masks[len(spans) :])
    body, places = replaced(state.body or "", spans, masks[: len(spans)])
    if state.body is None:  # it was taken down: its leaf stays
        text, original, edits = state.published or WITHHELD, WITHHELD, "[]"
        _add(db, text, None)
    else:
        text = text_hash(body)
        _add(db, text, body)
        original, edits = text, state.edits
        if state.text_original != state.text or spans:
            original, edits = _original(db, state, list(zip(spans, masks[: len(spans)], strict=True)), known)
    if original == WITHHELD:
        _add(db, WITHHELD, None)
    db.execute(
        "update piece_version set text = ?, text_original = ?, title = ?, privacy = ?, title_privacy = ?,"
        " placeholders = ?, edits = ?, genre_evidence = ? where id = ?",
        (
            text,
            original,
            None if state.title is None else title,
            spans_json(places),
            spans_json(title_spans),
            spans_json(_moved(spans_from(state.placeholders), spans, places)),
            edits,
            known.mask(state.genre_evidence),
            state.id,
        ),
    )
    return text


def _original(
    db: sqlite3.Connection, state: _State, masks: list[tuple[Span, str]], known: _Known
) -> tuple[str, str]:
    """Hash of the masked original, and its edits as JSON."""
    if state.body is None or state.body_original is None:
        return WITHHELD, "[]"
    edits = [Edit(**edit) for edit in json.loads(state.edits)]
    if not masks and all(known.masked(edit.before) == edit.before for edit in edits):
        return state.text_original, state.edits
    found = mask_original(
        state.body, state.body_original, edits, masks, known.masked, converted=known.converted
    )
    if found is None:
        return WITHHELD, "[]"
    sha256 = text_hash(found.text)
    _add(db, sha256, found.text)
    return sha256, spans_json(found.edits)


def _moved(own: Iterable[Span], spans: Sequence[Span], masks: Sequence[Span]) -> Iterator[Span]:
    """The text's own placeholders where they stand between the masks."""
    for span in own:
        begin, end = _place(span.begin, spans, masks, end=False), _place(span.end, spans, masks, end=True)
        yield Span(span.kind, begin, end, span.value)


def _add(db: sqlite3.Connection, sha256: str, body: str | None) -> None:
    db.execute("insert into text (sha256, body) values (?, ?) on conflict do nothing", (sha256, body))


# -- strings of the document ----------------------------------------------------------------------


def _mask_strings(db: sqlite3.Connection, version: int, known: _Known) -> None:
    """Title, claims, examples and details of one state of a document."""
    title, claims, *values = db.execute(
        f"select title, claims, {', '.join('claimed_' + kind for kind in _CLAIMED)}"
        " from document_version where id = ?",
        (version,),
    ).fetchone()
    claimed = dict(zip(_CLAIMED, values, strict=True))
    masked = [_claim(claim, known) for claim in json.loads(claims)]
    for kind, value in claimed.items():
        claimed[kind] = known.mask(value, _LABELS.get(kind, ""))
    claimed |= {str(claim["kind"]): claim["value"] for claim in masked}
    db.execute(
        f"update document_version set {', '.join(f'claimed_{kind} = ?' for kind in _CLAIMED)},"
        " title = ?, claims = ? where id = ?",
        (*(claimed[kind] for kind in _CLAIMED), known.mask(title), to_json(masked), version),
    )
    for table, column, key in (("rule_hit", "example", "rule"), ("reject", "detail", "id")):
        rows = db.execute(
            f"select {key}, {column} from {table} where document_version = ?", (version,)
        ).fetchall()
        for row, string in rows:
            masked_string = known.masked(known.without_torn_end(string))
            if masked_string != string:
                db.execute(
                    f"update {table} set {column} = ? where document_version = ? and {key} = ?",
                    (masked_string, version, row),
                )


def _claim(claim: dict[str, object], known: _Known) -> dict[str, object]:
    """A claim whose line is masked; its value is what the masked line says."""
    line, begin, end = str(claim["line"]), int(str(claim["begin"])), int(str(claim["end"]))
    spans = known.spans(line)
    new, places = replaced(line, spans, known.words(line, spans))
    if new == line:
        return claim
    begin, end = _place(begin, spans, places, end=False), _place(end, spans, places, end=True)
    return {**claim, "line": new, "begin": begin, "end": end, "value": new[begin:end].strip()}


def _place(place: int, spans: Sequence[Span], masks: Sequence[Span], *, end: bool) -> int:
    """Where a place lies once ``spans`` became ``masks``; one within a span goes to the edge of its mask."""
    shift = 0
    for span, mask in zip(spans, masks, strict=True):
        if place <= span.begin:
            break
        if place < span.end:
            return mask.end if end else mask.begin
        shift = mask.end - span.end
    return place + shift
