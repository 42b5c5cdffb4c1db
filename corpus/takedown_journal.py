"""Cases of takedowns and their journal: what was done when and why; ids and hashes, never a text.

In go a name, a ground and a date, out comes the :class:`Case` to act in; the journal gives each
case back as a :class:`CaseReport`. Nothing here changes a piece.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from fanwen.corpus.store import Store, to_json
from fanwen.errors import UsageError


@dataclass(frozen=True, slots=True)
class Case:
    """A request and its ground; ``received`` is a date."""

    case_id: str
    basis: str
    received: str


@dataclass(frozen=True, slots=True)
class CaseReport:
    """One case as ``fanwen takedown list`` shows it.

    ``state`` is held, lifted, purged or erasing (a purge that was interrupted).
    """

    case_id: str
    state: str
    basis: str
    received: str
    opened: str
    closed: str | None
    held: tuple[str, ...]
    purged: tuple[str, ...]
    releases: tuple[str, ...]


def opened(store: Store, case_id: str | None, basis: str | None, received: str | None) -> Case:
    """The case to act in: a known one or a new one. Raises UsageError for what contradicts itself."""
    if received is not None:
        try:
            is_date = date.fromisoformat(received).isoformat() == received
        except ValueError:
            is_date = False
        if not is_date:
            raise UsageError(f"--received {received} is no date; write it like 2026-11-22.")
    if case_id is None:
        case_id = _free_id(store)
    if not re.fullmatch(r"[\w][\w.-]{0,63}", case_id):
        raise UsageError(f"'{case_id}' cannot name a case; use letters, digits, '.', '-' and '_'.")
    known = store.rows(
        "select basis, received from takedown_journal where case_id = ? order by id limit 1", case_id
    ).fetchone()
    if known is not None:
        if (basis or known[0], received or known[1]) != known:
            raise UsageError(
                f"The case {case_id} is known with basis {known[0]}, received {known[1]};"
                " leave both out, or name a new case."
            )
        return Case(case_id, *known)
    return Case(case_id, basis or "other", received or _today())


def cases(store: Store) -> list[CaseReport]:
    """All cases, in the order in which they were opened."""
    rows = store.rows(
        "select case_id, min(at), max(at) filter (where action <> 'reissue'), min(basis), min(received)"
        " from takedown_journal group by case_id"
        " order by min(id)"
    ).fetchall()
    return [_case(store, *row) for row in rows]


def case_of(store: Store, case_id: str) -> CaseReport:
    """One case. Raises UsageError where there is none."""
    for case in cases(store):
        if case.case_id == case_id:
            return case
    raise UsageError(f"There is no case '{case_id}'; 'fanwen takedown list' shows the cases.")


def must_hold(store: Store, case_id: str) -> None:
    """Raises UsageError where nothing is on hold in a case."""
    if not held_in(store, case_id):
        raise UsageError(f"Nothing is on hold in a case '{case_id}'; 'fanwen takedown list' shows the cases.")


def held_in(store: Store, case_id: str) -> list[str]:
    """What is on hold in a case."""
    rows = store.rows(
        "select distinct piece from tombstone where kind = 'hold' and lifted_in is null and case_id = ?"
        " order by piece",
        case_id,
    )
    return [piece for (piece,) in rows]


def journal(store: Store, case: Case, action: str, detail: Mapping[str, object]) -> None:
    """Write a line in the caller's transaction."""
    store.rows(
        "insert into takedown_journal (at, case_id, action, basis, received, detail)"
        " values (?, ?, ?, ?, ?, ?)",
        datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        case.case_id,
        action,
        case.basis,
        case.received,
        to_json(detail),
    )


def _case(store: Store, case_id: str, first: str, last: str, basis: str, received: str) -> CaseReport:
    held = held_in(store, case_id)
    purged = [
        piece
        for (piece,) in store.rows(
            "select distinct piece from tombstone where kind = 'purge' and case_id = ? order by piece",
            case_id,
        )
    ]
    releases: list[str] = []
    for (detail,) in store.rows(
        "select detail from takedown_journal where case_id = ? and action in ('hold', 'purge') order by id",
        case_id,
    ):
        releases += [version for version in json.loads(detail)["releases"] if version not in releases]
    if store.value("select 1 from erasure where case_id = ?", case_id) is not None:
        state = "erasing"
    elif held:
        state = "held"
    else:
        ended = store.value(
            "select action from takedown_journal where case_id = ? order by id desc limit 1", case_id
        )
        state = "lifted" if ended == "lift" and not purged else "purged"
    closed = None if state in ("held", "erasing") else last
    return CaseReport(
        case_id, state, basis, received, first, closed, tuple(held), tuple(purged), tuple(releases)
    )


def _free_id(store: Store) -> str:
    known = {case for (case,) in store.rows("select case_id from takedown_journal")}
    today = _today()
    return next(name for name in (f"{today}-{n}" for n in range(1, len(known) + 2)) if name not in known)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
