"""Files of a home change places, whole or not at all: the last step of a restore.

In goes a home in which ``.restore/plan.json`` says what goes aside; what lies in ``.restore/new/`` then takes
its place. Every step is a rename that can be told from one that was done, so that whoever holds the lock can
end what a kill has left. Without a plan nothing happens; nothing is ever deleted but the empty stage.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from fanwen.corpus.exports import sync_folder, sync_tree, write_synced

STAGE = ".restore"
ASIDE = "replaced-"
_LOGS = ("-wal", "-shm", "-journal")


def stage(home: Path) -> Path:
    """An empty folder for the new files."""
    shutil.rmtree(home / STAGE, ignore_errors=True)
    new = home / STAGE / "new"
    new.mkdir(parents=True)
    return new


def swap(home: Path, out: list[str], aside: str, note: dict[str, object]) -> None:
    """Move ``out`` into the folder ``aside`` and what is staged into the home; :func:`finish` gives ``note``
    back, whoever ends it."""
    sync_tree(home / STAGE)
    plan = {"out": out, "aside": aside, "note": note}
    write_synced(home / STAGE / "plan.json", json.dumps(plan, ensure_ascii=False))
    finish(home)


def finish(home: Path) -> dict[str, object] | None:
    """Do what a plan says that is not done yet; its note, or None where there is no plan."""
    file = home / STAGE / "plan.json"
    if not file.is_file():
        return None
    plan = json.loads(file.read_text(encoding="utf-8"))
    aside, new = home / plan["aside"], home / STAGE / "new"
    for name in plan["out"]:
        # what lies aside was moved by this plan: in the home stands nothing, or the new file already
        if (home / name).exists() and not (aside / name).exists():
            aside.mkdir(exist_ok=True)
            (home / name).rename(aside / name)
    sync_folder(home)
    for path in sorted(new.iterdir()):
        for log in _LOGS:  # a reader of the old database may have left one since; it is not the new one's
            if (home / f"{path.name}{log}").exists():
                (home / f"{path.name}{log}").rename(aside / f"{path.name}{log}")
        path.rename(home / path.name)
    sync_folder(home)
    file.unlink()
    shutil.rmtree(home / STAGE)
    note: dict[str, object] = plan["note"]
    return note
