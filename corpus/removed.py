"""Writes what a release says about what is no longer in it, and about how it came to be.

In goes the masked copy of a release, out come ``tombstones.jsonl`` (what was taken down on request),
``removals.jsonl`` (every piece that ever left, and why) and ``CHANGELOG.md``. None of them has a text, a
title or an address.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from fanwen.corpus.store import to_json
from fanwen.corpus.tables import tables

CHANGELOG = "CHANGELOG.md"

_QUERIES = {
    "tombstones": """
select t.piece as id, t.kind, t.basis as reason, t.received, r.version as since, l.version as lifted, t.leaf
from tombstone t left join release r on r.seq = t.added_in left join release l on l.seq = t.lifted_in
where t.piece is not null order by t.piece, t.added_in, t.id
""",
    # a piece that left and came back, and left again, has two rows
    "removals": """
select c.piece as id, r.version, r.date, c.why as reason, (
    select b.version from release b join piece_version n on n.added_in = b.seq
    where n.piece = c.piece and b.seq > c.seq order by b.seq limit 1
  ) as returned
from release_change c join release r on r.seq = c.seq where c.change = 'DEL' order by r.seq, c.piece
""",
}


def write(db: sqlite3.Connection, folder: Path) -> None:
    """Write the three files into ``folder``."""
    for name, query in _QUERIES.items():
        cursor = db.execute(query)
        names = [column[0] for column in cursor.description]
        # what is written is what is described
        assert names == [column.name for column in tables()[name].columns]
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(to_json(dict(zip(names, row, strict=True))) + "\n" for row in cursor)
    (folder / CHANGELOG).write_text("".join(_changelog(db)), encoding="utf-8")


def _changelog(db: sqlite3.Connection) -> Iterator[str]:
    """The newest release first; what changed by reason."""
    yield "# Changelog\n\nWhat each release added (ADD), modified (MOD) and removed (DEL), and why.\n"
    columns = "seq, version, date, pieces, pieces_default, root, reissue_of"
    for seq, version, date, pieces, default, root, again in db.execute(
        f"select {columns} from release order by seq desc"
    ).fetchall():
        of = f", {again} issued again" if again else ""
        yield f"\n## {version} ({date}{of})\n\n{pieces:,} pieces, {default:,} of them in the default set; "
        yield f"root `{root}`.\n\n"
        rows = db.execute(
            "select change, why, count(*) from release_change where seq = ? group by 1, 2"
            " order by 1, 3 desc, 2",
            (seq,),
        ).fetchall()
        yield from (f"- {change} {count:,}: {why}\n" for change, why, count in rows)
