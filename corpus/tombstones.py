"""What takedown cases keep from coming back: exact copies, and near ones of what was purged.

In go the tombstones of corpus.db that are in force, out comes the case that a newcomer would break. A near
copy is known by the fingerprints that were kept of the text: the share of them that stand among *all*
grams of the newcomer does not depend on its length, so a compilation that holds the text is known too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fanwen.corpus.fingerprint import GRAMS, Hashes, from_blob, gram_hashes
from fanwen.corpus.identity import text_hash
from fanwen.corpus.normalise import Codes, fold
from fanwen.corpus.store import Store

REASON = "tombstoned"
LEAST_SHARE = 0.4  # of the fingerprints of a purged text: see docs/decisions.md for the measurement
LEAST_MARKS = 3  # a text with fewer is blocked by its key only


@dataclass(frozen=True, slots=True)
class Blocked:
    """Which case keeps a text out, and whether for good."""

    case_id: str
    purged: bool


class Tombstones:
    """The tombstones in force. ``blocks`` costs nothing where there are none."""

    def __init__(self, store: Store) -> None:
        self._by_piece: dict[str, Blocked] = {}
        self._by_text: dict[str, Blocked] = {}
        self._by_key: dict[str, Blocked] = {}
        self._of: list[Blocked] = []
        self._sizes: list[int] = []
        marks: list[Hashes] = [np.empty(0, dtype=np.uint64)]
        # purges last: they count where a hold is in force too
        for kind, case, piece, text, key, blob, was_open in store.rows(
            "select kind, case_id, piece, text, key, marks, state is not null from tombstone"
            " where lifted_in is null order by kind, id"
        ):
            blocked = Blocked(case, kind == "purge")
            if was_open:
                self._by_piece[piece] = blocked
            self._by_text[text] = self._by_key[key] = blocked
            found = from_blob(blob or b"")
            if blocked.purged and len(found) >= LEAST_MARKS:
                self._of.append(blocked)
                self._sizes.append(len(found))
                marks.append(found)
        owners = np.repeat(np.arange(len(self._of)), self._sizes)
        joined = np.concatenate(marks)
        order = np.argsort(joined, kind="stable")
        self._marks: Hashes = joined[order]
        self._owners: NDArray[np.int64] = owners[order]

    def __bool__(self) -> bool:
        return bool(self._by_text)

    def blocks(self, piece: str, texts: Iterable[str], *, newcomer: bool) -> Blocked | None:
        """The case that keeps a piece out. ``texts`` are what it holds and what it would show.

        Only a ``newcomer`` is compared with near ones: what was kept beside a purge stays.
        """
        if not self:
            return None
        if piece in self._by_piece:
            return self._by_piece[piece]
        several = list(dict.fromkeys(texts))
        folded = fold(several)
        for i, text in enumerate(several):
            found = self._by_text.get(text_hash(text)) or self._by_key.get(folded.key(i))
            if found is not None:
                return found
        return self._near(folded.one(0)) if newcomer else None

    def _near(self, codes: Codes) -> Blocked | None:
        # a tombstone outlives the version of the fingerprints that it keeps
        grams = np.concatenate([gram_hashes(codes, gram) for gram in GRAMS])
        held = np.isin(self._marks, grams)
        counts = Counter(self._owners[held].tolist())
        return next(
            (
                self._of[one]
                for one, count in sorted(counts.items())
                if count >= LEAST_SHARE * self._sizes[one]
            ),
            None,
        )


def is_newcomer(store: Store, piece: str) -> bool:
    """Whether no state of the piece is kept: it may be a copy under a new name."""
    return (
        store.value("select 1 from piece_version where piece = ? and withdrawn is null limit 1", piece)
        is None
    )
