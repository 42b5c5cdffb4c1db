"""Precision and recall of personal data on our own gold texts, by kind, names in prose apart.

``tests/eval/privacy/tuned.jsonl`` is the part that the rules were tuned on; ``measured.jsonl`` and
``measured2.jsonl`` were written before the tuning that followed and are only measured. In a text ``⟦kind:…⟧``
marks a span: ``p`` a person in running prose, ``s`` one in a signature or a form, ``h`` one in a salutation,
``t`` what must not be found, else the kind's name.
``python tests/cleaners/test_cleaners_privacy_figures.py`` prints the figures and every error.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from fanwen.cleaners import privacy
from fanwen.cleaners.privacy import KINDS

FOLDER = Path(__file__).resolve().parent.parent / "eval" / "privacy"
FLOORS = FOLDER / "floors.toml"
PARTS = ("tuned", "measured", "measured2")
PERSONS = {"p": "person_prose", "s": "person_form", "h": "person_salutation"}


@dataclass(frozen=True)
class Gold:
    id: str
    text: str
    spans: tuple[tuple[str, int, int], ...]
    traps: tuple[tuple[int, int], ...]


def read(part: str) -> list[Gold]:
    rows = [json.loads(line) for line in (FOLDER / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [parse(row["id"], row["marked"]) for row in rows]


def parse(name: str, marked: str) -> Gold:
    text, spans, traps = "", [], []
    for part in re.split(r"(⟦[^⟧]*⟧)", marked):
        if not part.startswith("⟦"):
            text += part
            continue
        kind, _, value = part[1:-1].partition(":")
        place = (len(text), len(text) + len(value))
        if kind == "t":
            traps.append(place)
        else:
            spans.append((PERSONS.get(kind, kind), *place))
        text += value
    return Gold(name, text, tuple(spans), tuple(traps))


def found_in(text: str) -> list[tuple[str, int, int]]:
    found = [*privacy.spans(text), *privacy.placeholders(text)]
    return [(span.kind, span.begin, span.end) for span in found]


def compare(gold: Gold) -> tuple[Counter[str], list[str]]:
    """Counts ``kind.hit``, ``kind.missed``, ``kind.extra``; an extra person counts where its line would have one."""
    counts: Counter[str] = Counter()
    errors = []
    found = {(kind, b, e) for kind, b, e in found_in(gold.text)}
    used = set()
    for kind, b, e in gold.spans:
        key = ("person" if kind.startswith("person") else kind, b, e)
        counts[f"{kind}.{'hit' if key in found else 'missed'}"] += 1
        if key in found:
            used.add(key)
        else:
            errors.append(f"{gold.id} missed {kind} {gold.text[b:e]}")
    for kind, b, e in sorted(found - used):
        counts[f"{_person(gold.text, b, e) if kind == 'person' else kind}.extra"] += 1
        errors.append(f"{gold.id} extra {kind} {gold.text[b:e]} in …{gold.text[max(0, b - 8) : e + 8]}…")
    for b, e in gold.traps:
        hit = any(fb < e and b < fe for _, fb, fe in found - used)
        counts[f"traps.{'missed' if hit else 'hit'}"] += 1
    return counts, errors


def _person(text: str, begin: int, end: int) -> str:
    """The kind that a person in this place is of: by the line it stands in."""
    before = text[:begin].rpartition("\n")[2]
    line = before + text[begin:].partition("\n")[0]
    if line.endswith(("：", ":")):
        return "person_salutation"
    labelled = re.search(r"[：:]\s*(?:[^，。：:]{2,4}、)*$", before)
    return "person_form" if labelled or ("。" not in line and len(line) < 20) else "person_prose"


def figures(part: str) -> tuple[dict[str, dict[str, float]], list[str]]:
    """``{kind: {precision, recall, n}}`` and the errors; of traps, ``recall`` is the share left alone."""
    total: Counter[str] = Counter()
    errors: list[str] = []
    for gold in read(part):
        counts, wrong = compare(gold)
        total += counts
        errors += wrong
    rows = {}
    for kind in sorted({key.partition(".")[0] for key in total}):
        hit, missed, extra = (total[f"{kind}.{what}"] for what in ("hit", "missed", "extra"))
        rows[kind] = {
            "precision": round(hit / (hit + extra), 3) if hit + extra else 1.0,
            "recall": round(hit / (hit + missed), 3) if hit + missed else 1.0,
            "n": float(hit + missed),
        }
    return rows, errors


@pytest.mark.parametrize("part", PARTS)
def test_no_figure_falls_below_its_floor(part: str) -> None:
    floors = tomllib.loads(FLOORS.read_text(encoding="utf-8"))[part]
    rows, errors = figures(part)
    assert set(floors) == set(rows)
    low = {
        f"{kind}.{what}": rows[kind][what]
        for kind, floor in floors.items()
        for what in ("precision", "recall", "n")
        if rows[kind][what] < floor[what]
    }
    assert not low, errors


def test_the_gold_is_as_large_as_the_figures_need() -> None:
    rows = [gold for part in PARTS for gold in read(part)]
    kinds = Counter(kind for gold in rows for kind, _, _ in gold.spans)
    assert len(rows) >= 180
    assert kinds["person_prose"] >= 300
    assert kinds["person_form"] + kinds["person_salutation"] >= 60
    assert all(kinds[kind] >= 7 for kind in KINDS if kind != "person")
    assert sum(len(gold.traps) for gold in rows) >= 370


def test_a_wrong_answer_is_counted() -> None:
    gold = parse("x", "村民⟦p:李大山⟧和⟦t:高兴⟧的⟦phone:12⟧")
    counts, errors = compare(gold)
    assert counts["person_prose.hit"] == 1
    assert counts["phone.missed"] == 1
    assert counts["traps.hit"] == 1
    assert errors == ["x missed phone 12"]


if __name__ == "__main__":
    for part in PARTS:
        rows, errors = figures(part)
        print(f"[{part}]")
        for kind, row in rows.items():
            print(
                f"{kind} = {{ precision = {row['precision']}, recall = {row['recall']}, n = {row['n']:.0f} }}"
            )
        if part == "tuned":
            print("\n".join(errors))
