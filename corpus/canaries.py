"""Canaries: pages that a person approved, with what they gave; they sing when that changes.

One folder per site, ``sites/NAME/`` beside the site files: the bytes of each page as they came, and for each
document a JSON file that says what it gave when it was approved. Checking cleans the bytes anew and compares;
nothing is ever accepted by itself. Raises :class:`fanwen.errors.DamagedError` for a page that is not as
it was approved.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fanwen
from fanwen.cleaners.pipeline import RULESET
from fanwen.corpus.report import as_json
from fanwen.corpus.site_review import Reviewed, edges, kinds_of, review
from fanwen.errors import DamagedError, UsageError
from fanwen.spiders.sample import Sample
from fanwen.spiders.site import Site

_ENDINGS = {"pdf": ".pdf", "docx": ".docx", "text": ".txt", "markdown": ".md"}


@dataclass(frozen=True, slots=True)
class Canary:
    """One approved document as it is now; ``changed`` says in words what is not as it was approved."""

    url: str
    file: Path
    changed: tuple[str, ...]


def approve(folder: Path, one: Reviewed) -> tuple[Path, tuple[str, ...] | None]:
    """Keep a document with what it gives now. The JSON file, and what changed; None where it is new."""
    record = folder / f"{_stem(one.judged.url)}.json"
    before = _read(record)["gave"] if record.exists() else None
    gave = _gave(one)
    ending = _ENDINGS.get(one.explained.kind or "", ".html")
    files = {f"{_stem(sample.url)}{ending}": sample for sample in one.samples}
    told = {
        "pages": [
            {
                "url": sample.url,
                "content_type": sample.content_type,
                "came": sample.day[:10],
                "file": name,
                "sha256": hashlib.sha256(sample.body).hexdigest(),
            }
            for name, sample in files.items()
        ],
        "approved_on": datetime.now(UTC).strftime("%Y-%m-%d"),
        "fanwen": fanwen.__version__,
        "ruleset": RULESET,
        "gave": gave,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, sample in files.items():
        _write(folder / name, sample.body)
    _write(record, (as_json(told, indent=2) + "\n").encode())
    return record, None if before is None else tuple(_differences(before, gave))


def canaries(folder: Path, site: Site, mask: frozenset[str]) -> Iterator[Canary]:
    """Every canary of a site, sorted by file, with what changed since it was approved."""
    for record in sorted(folder.glob("*.json")):
        told = _read(record)
        samples = [_sample(folder, page) for page in told["pages"]]
        gave = _gave(review(site, samples, mask))
        yield Canary(samples[0].url, record, tuple(_differences(told["gave"], gave)))


def _sample(folder: Path, told: Mapping[str, Any]) -> Sample:
    file = folder / told["file"]
    body = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(body).hexdigest() != told["sha256"]:
        raise DamagedError(
            f"The canary {file} is not the page that was approved; restore it, or approve the page anew."
        )
    return Sample(file.name, told["url"], body, told["content_type"], told["came"])


def _stem(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:12]


def _gave(one: Reviewed) -> dict[str, Any]:
    """What is held against later: no field of it depends on time or place."""
    return {
        "kind": one.judged.kind,
        "extractor": one.explained.extractor if one.is_taken else None,
        "title": one.explained.title if one.is_taken else None,
        "rejects": [reject.reason for reject in one.explained.rejects if one.is_taken],
        "links": {kind: sum(k == kind for k, _ in one.links) for kind in kinds_of(one)},
        "pieces": [
            {
                "title": piece.title,
                "chars": len(piece.text),
                "sha256": hashlib.sha256(piece.text.encode()).hexdigest()[:16],
                "begins": edges(piece.text)[0],
                "ends": edges(piece.text)[1],
            }
            for piece in one.pieces
        ],
    }


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in ("kind", "extractor", "title", "rejects"):
        if before[key] != now[key]:
            yield f"{key} was {_told(before[key])}, is {_told(now[key])}"
    for kind in sorted(before["links"].keys() | now["links"].keys()):
        if (old := before["links"].get(kind, 0)) != (new := now["links"].get(kind, 0)):
            yield f"it had {old} links of kind {kind}, and has {new}"
    if len(before["pieces"]) != len(now["pieces"]):
        yield f"it gave {len(before['pieces'])} pieces, and gives {len(now['pieces'])}"
    for number, (old, new) in enumerate(zip(before["pieces"], now["pieces"], strict=False), 1):
        for key in ("title", "begins", "ends"):
            if old[key] != new[key]:
                yield f"piece {number}: {key} was {_told(old[key])}, is {_told(new[key])}"
        if old["sha256"] != new["sha256"]:
            yield f"piece {number}: its text had {old['chars']:,} characters and has {new['chars']:,}"


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else f"'{value}'"


def _read(record: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        _ = [page[key] for page in told["pages"] for key in ("url", "content_type", "came", "sha256")]
        if not told["pages"] or any(Path(page["file"]).name != page["file"] for page in told["pages"]):
            raise ValueError(record.name)
        _ = [told["gave"][key] for key in ("kind", "extractor", "title", "rejects", "pieces")]
        _ = told["gave"]["links"].keys()
        _ = [
            piece[key]
            for piece in told["gave"]["pieces"]
            for key in ("title", "chars", "sha256", "begins", "ends")
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{record} is no canary that can be read; approve the page anew.") from None
    return told


def _write(path: Path, body: bytes) -> None:
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_bytes(body)
    scratch.replace(path)
