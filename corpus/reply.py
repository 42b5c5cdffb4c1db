"""Drafts the reply to a takedown request, in Chinese or English, for a person to read and send.

In go a case and the template ``data/reply.toml``, out comes a text: what was done, when, which pages, and
which earlier releases still hold it. It names URLs and numbers, never a text.
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from fanwen.corpus.store import Store
from fanwen.corpus.takedown_journal import CaseReport


def draft(store: Store, case: CaseReport, language: str, address: str | None) -> str:
    """The reply to one case; ``address`` is where takedown requests go."""
    words = _templates()[language]
    pieces = case.held or case.purged or _lifted(store, case.case_id)
    facts = {
        "case_id": case.case_id,
        "received": case.received,
        "basis": words["basis"][case.basis],
        "count": len(pieces),
        "acted": (case.closed or case.opened)[:10],
        "releases": ("、" if language == "zh" else ", ").join(case.releases),
        "address": address,
    }
    lines = [
        words["subject"],
        "",
        words["greeting"],
        "",
        words["received"],
        words["action"][case.state],
        "",
        words["urls"],
        *(f"  {url}" for url in sorted({*_urls(store, pieces), *_pages(store, case.case_id)})),
        "",
        words["releases"] if case.releases else words["no_releases"],
        "",
        words["closing"],
        *([words["address"]] if address else []),
    ]
    return "\n".join(
        line.format(**facts) if "{" in line and not line.startswith("  ") else line for line in lines
    )


def _lifted(store: Store, case_id: str) -> tuple[str, ...]:
    rows = store.rows(
        "select detail from takedown_journal where case_id = ? and action = 'lift' order by id desc limit 1",
        case_id,
    ).fetchall()
    return tuple(piece for (detail,) in rows for piece in json.loads(detail)["pieces"])


def _urls(store: Store, pieces: tuple[str, ...]) -> list[str]:
    rows = store.rows(
        "select distinct d.url from json_each(?) one join piece p on p.id = one.value"
        " join document d on d.id = p.document order by d.url",
        json.dumps(pieces),
    )
    return [url for (url,) in rows]


def _pages(store: Store, case_id: str) -> list[str]:
    """Pages that were erased, whether or not they gave a piece."""
    rows = store.rows(
        "select detail from takedown_journal where case_id = ? and action = 'purge'", case_id
    ).fetchall()
    return [page for (detail,) in rows for page in json.loads(detail)["pages"]]


@cache
def _templates() -> dict[str, dict[str, Any]]:
    return tomllib.loads((files("fanwen.corpus") / "data/reply.toml").read_text(encoding="utf-8"))
