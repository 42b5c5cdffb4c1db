"""Samples of the default set for human eyes, and error rates from what people found in them.

In goes corpus.db (or the masked copy that a release is made from), out come the pieces of a sample as they
are published, and rates with intervals. What was found is kept in the table ``audit``, without any text; it
counts as long as the piece shows the text that was judged. Neither leaves nor roots depend on it.

The rates are estimated for the whole default set: each stratum counts by its size, not by how much of it was
judged, and strata of which nothing was judged are left out (``covered`` says how much is not). Where several
people judged a piece, it counts by the share of them who saw the error. The interval is Wilson's, for the
effective number of judgements after weighting (Kish): a stratum with one judged piece has no variance of its
own, and near 0 Wilson's interval holds where the normal one does not.
"""

from __future__ import annotations

import json
import math
import sqlite3
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fanwen.corpus.report import visible
from fanwen.corpus.store import Store, to_json
from fanwen.errors import UsageError

STRATA: Mapping[str, str] = {
    "site": "d.site",
    "genre": "v.genre",
    "year": "coalesce(v.year, '')",
    "level": "coalesce(v.level, '')",
    "script": "v.script",
}
ANY = "any"
_Z = 1.959964  # of 95 %
_SAFE = r"^[^\x00-\x1f\x7f-\x9f]+$"  # what can be printed

_DEFAULT = """
from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document
where v.removed_in is null and v.excluded_why is null
"""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to look for."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Sampled:
    """One piece as it is published, with its origin; ``text_sha256`` is of ``text``."""

    piece: str
    text_sha256: str
    title: str | None
    text: str
    genre: str
    year: str | None
    level: str | None
    url: str
    site: str
    place: int
    places: int
    fetched_at: str
    rights_basis: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Pieces to judge; ``id`` stands for exactly these texts. ``release`` is the last one of the corpus."""

    id: str
    release: str | None
    strata: tuple[str, ...]
    seed: str
    pieces: tuple[Sampled, ...]


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How often one error was found: estimated share of the default set, with its 95 % interval.

    ``found`` are judged pieces in which anybody saw it. ``agreement`` is the share of pairs of people who say
    the same of a piece, ``alpha`` Krippendorff's; None where no two judged the same piece, or nothing varies.
    """

    code: str
    found: int
    rate: float
    low: float
    high: float
    agreement: float | None
    alpha: float | None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What people found. ``covered`` of ``pieces`` stand in strata of which something was judged;
    ``outdated`` judgements are of texts that are no longer in the default set."""

    judged: int
    annotators: int
    judged_by_several: int
    outdated: int
    strata: tuple[str, ...]
    pieces: int
    covered: int
    rates: tuple[ErrorRate, ...]


@cache
def questions() -> tuple[Question, ...]:
    """What people look for, in the order of the keys."""
    text = (files("fanwen.corpus") / "data/audit.toml").read_text(encoding="utf-8")
    return tuple(Question(**entry) for entry in tomllib.loads(text)["question"])


# -- drawing --------------------------------------------------------------------------------------


def sample(store: Store, size: int, strata: Sequence[str], seed: str) -> Sample:
    """Draw ``size`` pieces of the default set, proportionally to the strata with at least one of each as far
    as that goes; the same seed draws the same. Raises UsageError for an unknown column or an empty set."""
    for name in strata:
        if name not in STRATA:
            raise UsageError(f"'{name}' is nothing to sample by; choose from {', '.join(STRATA)}.")
    members: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for stratum, piece in _strata(store.conn, strata):
        members[stratum].append(piece)
    if not members:
        raise UsageError("There is no piece in the default set to sample from; run 'fanwen build' first.")
    quota = allocate({stratum: len(pieces) for stratum, pieces in members.items()}, size)
    drawn = [
        piece
        for stratum, count in quota.items()
        for piece in sorted(members[stratum], key=lambda one: _dice(seed, one))[:count]
    ]
    pieces = tuple(_sampled(store, piece) for piece in sorted(drawn, key=lambda one: _dice(seed, one)))
    release = store.value("select version from release order by seq desc limit 1")
    named = to_json([seed, list(strata), [(one.piece, one.text_sha256) for one in pieces]])
    return Sample(sha256(named.encode()).hexdigest()[:12], release, tuple(strata), seed, pieces)


def allocate(sizes: Mapping[tuple[str, ...], int], total: int) -> dict[tuple[str, ...], int]:
    """How many to draw of each stratum: one of each, the largest first, then by Sainte-Laguë."""
    order = sorted(sizes, key=lambda name: (-sizes[name], name))
    quota = dict.fromkeys(order[:total], 1)
    for _ in range(min(total, sum(sizes.values())) - len(quota)):
        open_ = (name for name in order if quota[name] < sizes[name])
        quota[max(open_, key=lambda name: sizes[name] / (2 * quota[name] + 1))] += 1
    return quota


def _strata(db: sqlite3.Connection, strata: Sequence[str]) -> Iterable[tuple[tuple[str, ...], str]]:
    """(stratum, piece) of the default set."""
    columns = "".join(f"{STRATA[name]}, " for name in strata)
    for *stratum, piece in db.execute(f"select {columns} v.piece {_DEFAULT} order by v.piece"):
        yield tuple(stratum), piece


def _dice(seed: str, piece: str) -> bytes:
    return sha256(f"{seed}\0{piece}".encode()).digest()


def _sampled(store: Store, piece: str) -> Sampled:
    row = store.rows(
        "select v.piece, v.published, v.published_title, t.body, v.genre, v.year, v.level, d.url, d.site,"
        " v.place, dv.found_pieces, dv.fetched_at, dv.rights_basis"
        " from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document"
        " join document_version dv on dv.id = v.document_version left join text t on t.sha256 = v.published"
        " where v.piece = ? and v.removed_in is null",
        piece,
    ).fetchone()
    if row[3] is None:
        raise UsageError(f"What a release shows of piece {piece} is not known; run 'fanwen build' first.")
    return Sampled(*row)


# -- taking in ------------------------------------------------------------------------------------


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    piece: Annotated[str, Field(pattern=_SAFE)]
    text: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    errors: tuple[Annotated[str, Field(pattern=_SAFE)], ...]


class _Answers(BaseModel):
    """What the form saves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Annotated[int, Field(ge=1, le=1)]
    sample: str
    release: str | None
    strata: tuple[Annotated[str, Field(pattern=_SAFE)], ...]
    seed: str
    annotator: Annotated[str, Field(pattern=_SAFE, max_length=60)]
    answers: tuple[_Answer, ...]


def take_in(store: Store, paths: Sequence[Path]) -> tuple[int, int]:
    """Keep what the files say, all or nothing: (new judgements, those that were there already).

    Raises UsageError where a file is none of the form's, is of another corpus, or contradicts what the same
    person said of the same text.
    """
    added = known = 0
    with store.atomic():
        for path in paths:
            answers = _read(path)
            for one in answers.answers:
                _must_be_known(store, path, one)
                errors = to_json(sorted(set(one.errors)))
                where = (one.piece, one.text, answers.annotator)
                before = store.value(
                    "select errors from audit where piece = ? and text = ? and annotator = ?", *where
                )
                if before not in (None, errors):
                    raise UsageError(
                        f"{path}: {answers.annotator} judged piece {one.piece} otherwise before; remove one"
                        " of the two answers."
                    )
                known += before is not None
                if before is None:
                    added += 1
                    store.rows(
                        "insert into audit (piece, text, annotator, errors, strata, seed)"
                        " values (?, ?, ?, ?, ?, ?)",
                        *where,
                        errors,
                        ",".join(answers.strata),
                        answers.seed,
                    )
    return added, known


def _read(path: Path) -> _Answers:
    try:
        answers = _Answers.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror}); give a file that the form saved."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = visible(".".join(str(part) for part in first["loc"])) or "the file"
        raise UsageError(
            f"{path} is not what the form saves: {where}: {first['msg']}; save it from the form again."
        ) from None
    codes = {one.code for one in questions()}
    strange = {code for one in answers.answers for code in one.errors} - codes | set(answers.strata) - set(
        STRATA
    )
    if strange:
        raise UsageError(f"{path} names '{min(strange)}', which this fanwen does not know; upgrade fanwen.")
    twice = [name for name, count in Counter(one.piece for one in answers.answers).items() if count > 1]
    if twice:
        raise UsageError(f"{path} judges piece {twice[0]} twice; remove one of the two answers.")
    return answers


def _must_be_known(store: Store, path: Path, answer: _Answer) -> None:
    found = store.value(
        "select 1 from piece_version where piece = ? and published = ?", answer.piece, answer.text
    )
    if found is None:
        raise UsageError(
            f"{path} judges piece {answer.piece} with a text that this corpus never published; import it"
            " where the sample was drawn."
        )


# -- reporting ------------------------------------------------------------------------------------


def report(db: sqlite3.Connection) -> AuditReport | None:
    """Rates over everything that was judged and still holds; None where nothing is."""
    rows = db.execute(
        "select a.piece, a.annotator, a.errors, a.strata, v.id is not null from audit a"
        " left join piece_version v on v.piece = a.piece and coalesce(v.published, v.text) = a.text"
        "  and v.removed_in is null and v.excluded_why is null order by a.piece, a.annotator"
    ).fetchall()
    valid = [row[:4] for row in rows if row[4]]
    if not valid:
        return None
    strata = tuple(name for name in STRATA if all(name in by.split(",") for by in {row[3] for row in valid}))
    said: dict[str, list[frozenset[str]]] = defaultdict(list)
    for piece, _, errors, _ in valid:
        said[piece].append(frozenset(json.loads(errors)))
    where = {piece: stratum for stratum, piece in _strata(db, strata)}
    sizes = Counter(where.values())
    judged = Counter(where[piece] for piece in said)
    covered = sum(sizes[stratum] for stratum in judged)
    weights = {piece: sizes[where[piece]] / judged[where[piece]] / covered for piece in said}
    return AuditReport(
        judged=len(said),
        annotators=len({row[1] for row in valid}),
        judged_by_several=sum(len(by) > 1 for by in said.values()),
        outdated=len(rows) - len(valid),
        strata=strata,
        pieces=sum(sizes.values()),
        covered=covered,
        rates=tuple(_rate(code, said, weights) for code in (ANY, *(one.code for one in questions()))),
    )


def _rate(code: str, said: Mapping[str, list[frozenset[str]]], weights: Mapping[str, float]) -> ErrorRate:
    votes = {
        piece: [bool(errors) if code == ANY else code in errors for errors in by]
        for piece, by in said.items()
    }
    rate = math.fsum(weights[piece] * sum(by) / len(by) for piece, by in votes.items())
    effective = 1 / math.fsum(weight * weight for weight in weights.values())
    found = sum(any(by) for by in votes.values())
    return ErrorRate(code, found, rate, *wilson(rate, effective), *agreement(list(votes.values())))


def wilson(rate: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share that was found in ``n`` judgements (Wilson 1927)."""
    middle = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def agreement(votes: Sequence[Sequence[bool]]) -> tuple[float | None, float | None]:
    """The share of pairs of people who agree, and Krippendorff's alpha for two nominal values."""
    several = [by for by in votes if len(by) > 1]
    total, yes = sum(len(by) for by in several), sum(sum(by) for by in several)
    if not several:
        return None, None
    pairs = sum(math.comb(len(by), 2) for by in several)
    apart = sum(sum(by) * (len(by) - sum(by)) for by in several)
    expected = 2 * yes * (total - yes) / (total * (total - 1))
    observed = math.fsum(2 * sum(by) * (len(by) - sum(by)) / (len(by) - 1) for by in several) / total
    return 1 - apart / pairs, None if expected == 0 else 1 - observed / expected


def anonymise(db: sqlite3.Connection) -> None:
    """In the masked copy of a release: only what is of its texts, and numbers instead of names."""
    rows = db.execute(
        "select piece, text, dense_rank() over (order by annotator), errors, strata, seed from audit a"
        " where exists (select 1 from piece_version v where v.piece = a.piece and v.text = a.text)"
        " order by 1, 2, 3"
    ).fetchall()
    db.execute("delete from audit")
    db.executemany(
        "insert into audit (piece, text, annotator, errors, strata, seed) values (?, ?, ?, ?, ?, ?)",
        [(piece, text, str(who), *rest) for piece, text, who, *rest in rows],
    )
