"""The cleaners on our own pages with gold: no figure may fall below its floor.

``python tests/eval/test_eval_floors.py`` prints the figures and every page that is not perfect;
``--raise`` pins better figures; ``--lower REASON`` pins worse ones and records why.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

from fanwen.cleaners.pipeline import clean_document
from fanwen.cleaners.types import Page

sys.path.insert(0, str(Path(__file__).parent))
from scoring import Score, read_gold, score

FOLDER = Path(__file__).parent
FLOORS = FOLDER / "floors.toml"
BATCHES = sorted(path.stem.removeprefix("index_") for path in FOLDER.glob("index_*.jsonl"))
LOWER_IS_BETTER = ("wrong_splits", "wrong_incomplete", "leaks")


def page_score(row: dict[str, object]) -> Score:
    """Clean the files of one row of the index and compare with its gold."""
    files = [FOLDER / str(name) for name in row["files"]]  # type: ignore[attr-defined]
    pages = [Page(str(row["url"]), file.read_bytes(), str(row["content_type"])) for file in files]
    return score(read_gold(FOLDER / "gold" / f"{files[0].stem}.json"), clean_document(pages).pieces)


def batch_rows(batch: str) -> list[dict[str, object]]:
    lines = (FOLDER / f"index_{batch}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def batch_figures(batch: str) -> dict[str, float]:
    total = sum(map(page_score, batch_rows(batch)), Score())
    return {name: round(value, 4) for name, value in total.figures().items()}


def worse(name: str, value: float, floor: float) -> bool:
    return value > floor if name in LOWER_IS_BETTER else value < floor


@pytest.mark.parametrize("batch", BATCHES)
def test_no_figure_falls_below_its_floor(batch: str) -> None:
    floors = tomllib.loads(FLOORS.read_text(encoding="utf-8"))[batch]
    figures = batch_figures(batch)
    assert set(floors) == set(figures)
    assert not {
        name: (value, floors[name]) for name, value in figures.items() if worse(name, value, floors[name])
    }


def test_a_worse_answer_scores_worse() -> None:
    row = batch_rows("a")[0]
    gold = read_gold(FOLDER / "gold" / "a01.json")
    pages = [Page(str(row["url"]), (FOLDER / "pages" / "a01.html").read_bytes(), str(row["content_type"]))]
    pieces = clean_document(pages).pieces
    assert pieces
    assert score(gold, pieces[1:]).figures()["piece_f1"] < score(gold, pieces).figures()["piece_f1"]
    assert score(gold, pieces + pieces[:1]).figures()["char_f1"] < score(gold, pieces).figures()["char_f1"]
    assert score(gold, []).figures()["piece_f1"] == 0


def pin(reason: str | None) -> int:
    """Write the floors anew; refuses to lower one without a reason."""
    old = tomllib.loads(FLOORS.read_text(encoding="utf-8")) if FLOORS.exists() else {}
    text = FLOORS.read_text(encoding="utf-8").split("\n[", 1)[0] if old else "# pinned by test_eval_floors.py"
    new = {batch: batch_figures(batch) for batch in BATCHES}
    lowered = [
        f"{batch}.{name} {old[batch][name]} → {value}"
        for batch, figures in new.items()
        for name, value in figures.items()
        if name in old.get(batch, {}) and worse(name, value, old[batch][name])
    ]
    if lowered and not reason:
        print(
            "not pinned, these are worse: " + "; ".join(lowered) + "; --lower REASON pins them all the same"
        )
        return 1
    text += f"\n# lowered: {'; '.join(lowered)}: {reason}" if lowered else ""
    for batch, figures in new.items():
        text += f"\n[{batch}]\n" + "".join(f"{name} = {value}\n" for name, value in figures.items())
    FLOORS.write_text(text.rstrip() + "\n", encoding="utf-8")
    return 0


def show() -> None:
    for batch in BATCHES:
        for row in batch_rows(batch):
            one = page_score(row)
            bad = {k: v for k, v in one.figures().items() if v != (0.0 if k in LOWER_IS_BETTER else 1.0)}
            if bad:
                print(row["files"][0], bad, one.leaks)  # type: ignore[index]
        print(batch, batch_figures(batch))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--raise"]:
        sys.exit(pin(None))
    if sys.argv[1:2] == ["--lower"] and len(sys.argv) > 2:
        sys.exit(pin(" ".join(sys.argv[2:])))
    show()
