"""Identities and hashes. Nothing here depends on time, path, row numbers or order of fetching.

Every hash is sha256 over fields written as ``<length in bytes>:<UTF-8 bytes>,`` (netstring), so
that no two lists of fields can look the same; ``None`` is written as ``-``::

    piece id   first 16 hex digits of H("piece", document URL, n)
    leaf       H("leaf", piece id, sha256 of the text, title, canonical URL, n flags, flags… sorted,
                 genre, script, cluster id, "1" or "0" for is_canonical)
    root       sha256 over the leaves as hex, sorted, each followed by a line feed
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256


def digest(*fields: str | None) -> str:
    """sha256 (hex) over separator-safe fields."""
    hashed = sha256()
    for field in fields:
        if field is None:
            hashed.update(b"-")
        else:
            data = field.encode("utf-8", "surrogatepass")
            hashed.update(b"%d:%b," % (len(data), data))
    return hashed.hexdigest()


def text_hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def piece_id(document_url: str, n: int) -> str:
    return digest("piece", document_url, str(n))[:16]


def leaf(
    piece: str,
    text_sha256: str,
    title: str | None,
    url: str,
    flags: Iterable[str],
    genre: str,
    script: str,
    cluster: str | None,
    is_canonical: bool,
) -> str:
    """Leaf hash of one state of a piece."""
    ordered = sorted(flags)
    return digest(
        "leaf",
        piece,
        text_sha256,
        title,
        url,
        str(len(ordered)),
        *ordered,
        genre,
        script,
        cluster,
        "1" if is_canonical else "0",
    )


def root(leaves: Iterable[str]) -> str:
    """Root hash of a release."""
    hashed = sha256()
    for one in sorted(leaves):
        hashed.update(one.encode("ascii") + b"\n")
    return hashed.hexdigest()


def match(
    new: Sequence[str],
    earlier: Sequence[tuple[int, int, str | None]],
    *,
    shingle: int = 5,
    least: float = 0.3,
) -> list[int | None]:
    """Which earlier piece each new text of a document is: similarity first, place second.

    ``new``: texts in order of the document. ``earlier``: (n, place or 0 where it is not on the
    page any more, text or None where it was taken down). Returns n, or None for a newcomer.
    Pairs with Jaccard >= ``least`` are matched greedily, the most similar first; what remains
    is matched by equal place among pieces that were on the page last time.
    """
    result: list[int | None] = [None] * len(new)
    fresh = [_shingles(text, shingle) for text in new]
    old = [_shingles(text, shingle) if text is not None else frozenset() for _, _, text in earlier]
    scored = sorted(
        (-similarity, i + 1 != earlier[j][1], i, earlier[j][0], j)
        for i, a in enumerate(fresh)
        for j, b in enumerate(old)
        if (similarity := _jaccard(a, b)) >= least
    )
    taken: set[int] = set()
    for _, _, i, n, j in scored:
        if result[i] is None and j not in taken:
            result[i] = n
            taken.add(j)
    by_place = {place: (j, n) for j, (n, place, _) in enumerate(earlier) if place and j not in taken}
    for i, known in enumerate(result):
        if known is None and i + 1 in by_place:
            result[i] = by_place[i + 1][1]
    return result


def _shingles(text: str, size: int) -> frozenset[str]:
    packed = "".join(text.split())
    return frozenset(packed[i : i + size] for i in range(max(1, len(packed) - size + 1)))


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    common = len(a & b)
    return common / (len(a) + len(b) - common) if common else 0.0
