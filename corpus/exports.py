"""Writes the files of one release from corpus.db, as of its seq, and reads them back.

In goes corpus.db with a prepared release, out come (all made from one masked copy,
:mod:`fanwen.corpus.masked`) ``fanwen.db.zst``, ``jsonl/pieces.jsonl.zst``, ``data/``
(:mod:`fanwen.corpus.tables`), what tells about them (:mod:`fanwen.corpus.about`), ``release.json`` and
``SHA256SUMS`` in a folder. The same rows give the same bytes: nothing in them comes from the clock, the
folder or the machine.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import zstandard

from fanwen.corpus import audit, delta, removed, search_db, site
from fanwen.corpus.about import write_about
from fanwen.corpus.canonical import canonical
from fanwen.corpus.identity import leaf, root, text_hash
from fanwen.corpus.masked import mask_database
from fanwen.corpus.publishing import Publishing, SiteText
from fanwen.corpus.store import CHECKOUT, RELEASE, Store, to_json
from fanwen.corpus.tables import FOLDER as TABLES
from fanwen.corpus.tables import read_rows, tables_version, write_tables
from fanwen.corpus.types import ReleaseFile
from fanwen.corpus.withdraw import withhold
from fanwen.errors import DamagedError

DATABASE = "fanwen.db.zst"
PIECES = "jsonl/pieces.jsonl.zst"
MANIFEST = "release.json"
SUMS = "SHA256SUMS"
LEVEL = 9

Progress = Callable[[str, int, int], None]

PIECE_FIELDS = (
    "select v.piece as id, p.given_id, d.url, d.site, v.place, v.title, t.body as text,"
    " v.text as text_sha256,"
    " v.genre, v.genre_confidence, v.year, v.level, v.language, v.script, v.flags, v.excluded_why, v.cluster,"
    " v.is_canonical, v.masked, v.n_chars, v.n_han, v.n_paragraphs, v.han_share, v.repeated_line_share,"
    " v.list_line_share, v.placeholder_share, d.first_seen, dv.fetched_at, dv.rights_basis,"
    " dv.claimed_published, dv.claimed_author, dv.claimed_source, dv.claimed_rights, dv.claimed_category,"
    " dv.declared_pieces, dv.found_pieces, dv.extractor, dv.ruleset, v.leaf, v.withdrawn"
    " from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document"
    " join document_version dv on dv.id = v.document_version join text t on t.sha256 = v.text"
    " where v.removed_in is null order by v.piece"
)
# what leaves are made of: releases of every version of the schema have these columns
_LEAF_FIELDS = (
    "select v.piece as id, d.url, v.title, t.body as text, v.text as text_sha256, v.genre, v.script, v.flags,"
    " v.cluster, v.is_canonical, v.leaf from piece_version v join piece p on p.id = v.piece"
    " join document d on d.id = p.document join text t on t.sha256 = v.text"
    " where v.removed_in is null order by v.piece"
)


def write(
    store: Store,
    seq: int,
    folder: Path,
    publishing: Publishing,
    *,
    base: Path | None = None,
    reissue: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Write all files of release ``seq`` into the empty ``folder``.

    ``base`` is the folder of the release before it: the delta is from that. With ``reissue`` under that
    version, and without what is on hold by now.
    """
    plain = folder / "fanwen.db"
    _database(store, seq, plain, reissue, progress)
    derive(plain, folder, publishing.site_text)
    with _opened(plain) as db:
        write_about(db, seq, folder, publishing)
        (folder / MANIFEST).write_text(_manifest(db, seq, publishing), encoding="utf-8")
        site.write(db, seq, folder, publishing)
    if base is not None:
        _write_delta(base, plain, folder)
    plain.unlink()
    lines = [f"{one.sha256}  {one.path}\n" for one in files_in(folder) if one.path != SUMS]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    sync_tree(folder)


def derive(plain: Path, folder: Path, site_text: SiteText) -> None:
    """Write into ``folder`` every file that follows from the database of a release alone.

    Who has the database, for instance from an earlier release and a delta, need not fetch these;
    ``site_text`` stands in release.json.
    """
    (folder / "jsonl").mkdir()
    with _opened(plain) as db:
        with _compressed(folder / PIECES) as stream:
            for row in piece_rows(db):
                stream.write(to_json(row).encode() + b"\n")
        write_tables(db, folder)
        removed.write(db, folder)
        search_db.write(db, folder / search_db.SEARCH_DB, text=site_text)
    with plain.open("rb") as source, (folder / DATABASE).open("wb") as target:
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        compressor.copy_stream(source, target, size=plain.stat().st_size)


def _database(store: Store, seq: int, target: Path, reissue: str | None, progress: Progress | None) -> None:
    copied = target.with_name(f"{target.name}.copied")
    copy_as_of(store, seq, copied, as_held_now=reissue is not None, progress=progress)
    if reissue is not None:
        with _opened(copied, write=True) as db:
            _rename(db, seq, reissue)
    # only what is masked goes on: free pages of the copy still hold words that are not
    canonical(copied, target)
    copied.unlink()


def _write_delta(base: Path, plain: Path, folder: Path) -> None:
    """Write the delta from the release in ``base``, and prove that both give this database."""
    before, after = plain.with_name("before.db"), plain.with_name("after.db")
    unpack_database(base, before)
    target = folder / delta.name_from(base.name)
    if delta.write(before, plain, target):
        delta.apply(before, [target], after)
        if file_hash(after) != file_hash(plain):
            raise DamagedError(
                f"The delta from {base.name} does not lead to this release; run 'fanwen verify'."
            )
        after.unlink()
    before.unlink()


def copy_as_of(
    store: Store,
    seq: int,
    target: Path,
    *,
    as_held_now: bool = False,
    progress: Progress | None = None,
) -> None:
    """A database of its own with everything up to release ``seq`` and nothing later, masked; no caches.

    What was on hold then has no text in it; ``as_held_now``: what is on hold by now neither.
    """
    with _trimmed_copy(store, seq, target, as_held_now=as_held_now) as db:
        mask_database(db, seq, progress)
        audit.anonymise(db)
        drop_orphans(db)
        version, date = db.execute("select version, date from release where seq = ?", (seq,)).fetchone()
        db.execute("insert into setting (name, value) values (?, ?)", (RELEASE, version))
        # when a migration ran on this machine is nobody's business, and would differ every time
        db.execute("update _sqlite_migrations set applied_at = ?", (date,))


def plain_as_of(store: Store, seq: int, target: Path) -> None:
    """The same with every text as ``store`` has it, and a mark that says for which release it stands."""
    kept = dict(store.rows("select name, value from setting").fetchall())
    kept[RELEASE if RELEASE in kept else CHECKOUT] = store.value(
        "select version from release where seq = ?", seq
    )
    with _trimmed_copy(store, seq, target) as db:
        db.executemany("insert into setting (name, value) values (?, ?)", kept.items())
    with _opened(target, write=True) as db:
        db.execute("vacuum")


@contextmanager
def _trimmed_copy(
    store: Store, seq: int, target: Path, *, as_held_now: bool = False
) -> Iterator[sqlite3.Connection]:
    """A copy without settings, caches and what came after release ``seq``; committed when the block ends.

    Its free pages hold what was deleted.
    """
    store.rows("vacuum into ?", str(target))
    with _opened(target, write=True) as db:
        # one that was not finished is thrown away, and a whole one is synced with its folder
        db.execute("pragma journal_mode = off")
        db.execute("pragma synchronous = off")
        db.execute("pragma foreign_keys = off")
        db.execute("begin")
        if as_held_now:
            withhold(db)
        for table in ("piece_version", "document_version", "relation", "cluster_alias", "tombstone", "split"):
            db.execute(f"delete from {table} where added_in > ?", (seq,))
        for table in ("piece_version", "document_version"):
            db.execute(
                f"update {table} set removed_in = null, removed_why = null where removed_in > ?", (seq,)
            )
        for table in ("relation", "split"):
            db.execute(f"update {table} set removed_in = null where removed_in > ?", (seq,))
        db.execute("update tombstone set lifted_in = null where lifted_in > ?", (seq,))
        # what no release has had is nobody's business
        db.execute("delete from tombstone where piece not in (select piece from piece_version)")
        db.execute("delete from canonical_log where seq > ?", (seq,))
        db.execute("delete from release where seq > ?", (seq,))
        for table in ("rule_hit", "reject"):
            db.execute(f"delete from {table} where document_version not in (select id from document_version)")
        withhold(db)
        db.execute("update tombstone set state = null")
        drop_orphans(db)
        db.execute("insert into search_grams (search_grams) values ('delete-all')")
        db.execute("delete from search_text")
        db.execute("delete from setting")
        for table in ("unsettled", "takedown_journal", "erasure"):
            db.execute(f"delete from {table}")
        db.execute("update release set state = 'published'")
        yield db
        db.execute("commit")


def _rename(db: sqlite3.Connection, seq: int, version: str) -> None:
    """Call the last release of the copy ``version``; its former name stays on record."""
    db.execute("update release set reissue_of = version, version = ? where seq = ?", (version, seq))
    db.execute("update setting set value = ? where name = 'release'", (version,))


def drop_orphans(db: sqlite3.Connection) -> None:
    """Delete what no state of any piece refers to."""
    db.execute(
        "delete from piece where id not in (select piece from piece_version)"
        " and id not in (select piece from tombstone where piece is not null)"
    )
    db.execute(
        "delete from document where id not in (select document from piece)"
        " and id not in (select document from document_version)"
    )
    db.execute("delete from split where piece not in (select piece from piece_version)")
    set_next_numbers(db)
    db.execute("delete from fingerprint where text not in (select text from piece_version)")
    drop_loose_relations(db)
    db.execute(
        "delete from text where sha256 not in (select text from piece_version)"
        " and sha256 not in (select text_original from piece_version)"
        " and sha256 not in (select published from piece_version where published is not null)"
        " and sha256 not in (select j.value from tombstone t, json_each(json_extract(t.state, '$.piece')) j"
        "  where t.state is not null and j.key in ('text', 'text_original', 'published')"
        "  and j.value is not null)"
    )


def set_next_numbers(db: sqlite3.Connection) -> None:
    """A number that no piece has is free again."""
    db.execute(
        "update document set next_n ="
        " (select coalesce(max(n), 0) + 1 from piece where piece.document = document.id)"
        " where next_n <> (select coalesce(max(n), 0) + 1 from piece where piece.document = document.id)"
    )


def drop_loose_relations(db: sqlite3.Connection) -> None:
    """Delete relations between texts of which one is gone."""
    for side in ("a", "b"):
        db.execute(f"delete from relation where {side} not in (select key from fingerprint)")


def piece_rows(db: sqlite3.Connection) -> Iterator[dict[str, object]]:
    """Open pieces of a release database as rows of its JSON Lines."""
    for row in _rows(db, PIECE_FIELDS):
        row["masked"] = json.loads(str(row["masked"]))
        row["given_id"] = None if row["given_id"] is None else json.loads(str(row["given_id"]))
        yield row


def _rows(db: sqlite3.Connection, query: str) -> Iterator[dict[str, object]]:
    cursor = db.execute(query)
    names = [column[0] for column in cursor.description]
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        row["flags"] = json.loads(row["flags"])
        row["is_canonical"] = bool(row["is_canonical"])
        yield row


def checked_root(rows: Iterator[dict[str, object]], where: str) -> tuple[str, int]:
    """Root and number of pieces, every leaf and every text computed anew.

    Raises :class:`DamagedError` naming the piece that is not what it claims.
    """
    leaves = []
    for row in rows:
        identity, text, title, cluster, flags = (row[k] for k in ("id", "text", "title", "cluster", "flags"))
        if text is not None and text_hash(str(text)) != row["text_sha256"]:
            raise DamagedError(f"{where}: the text of piece {identity} is not what its hash says.")
        assert isinstance(flags, list)
        computed = leaf(
            str(identity),
            str(row["text_sha256"]),
            None if title is None else str(title),
            str(row["url"]),
            flags,
            str(row["genre"]),
            str(row["script"]),
            None if cluster is None else str(cluster),
            bool(row["is_canonical"]),
        )
        if text is None:  # it was taken down, and so were words of its title: its leaf stays
            computed = str(row["leaf"])
        if computed != row["leaf"]:
            raise DamagedError(f"{where}: piece {identity} is not what its leaf hash says.")
        leaves.append(computed)
    return root(leaves), len(leaves)


def database_root(folder: Path, scratch: Path) -> tuple[str, int, str]:
    """(root, pieces, root on record) of the database of the release in ``folder``."""
    plain = scratch / "fanwen.db"
    unpack_database(folder, plain)
    with _opened(plain) as db:
        computed, pieces = checked_root(_rows(db, _LEAF_FIELDS), DATABASE)
        stored = db.execute("select root from release order by seq desc limit 1").fetchone()
        return computed, pieces, "" if stored is None else str(stored[0])


def unpack_database(folder: Path, target: Path) -> None:
    with (folder / DATABASE).open("rb") as source, target.open("wb") as stream:
        zstandard.ZstdDecompressor().copy_stream(source, stream)


def jsonl_root(folder: Path) -> tuple[str, int]:
    return checked_root(_jsonl_rows(folder / PIECES), PIECES)


def parquet_root(folder: Path) -> tuple[str, int]:
    """The same from the Parquet files with all pieces."""
    rows = (
        {**row, "cluster": row["cluster_id"], "script": row["script_found"]}
        for row in read_rows(folder, "all")
    )
    return checked_root(rows, TABLES)


def files_in(folder: Path) -> list[ReleaseFile]:
    """Every file below ``folder``, sorted by path, with size and hash."""
    result = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() or path.is_symlink():
            result.append(
                ReleaseFile(path.relative_to(folder).as_posix(), path.stat().st_size, file_hash(path))
            )
    return sorted(result, key=lambda one: one.path)


def left_over(releases: Path) -> list[Path]:
    """Folders of releases that were killed while they were written."""
    return sorted(releases.glob(".building-*"))


def file_hash(path: Path) -> str:
    hashed = sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            hashed.update(chunk)
    return hashed.hexdigest()


def write_synced(path: Path, text: str) -> None:
    """Replace a file at once, so that a reader sees the old or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Have everything below ``folder`` on the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


def _manifest(db: sqlite3.Connection, seq: int, publishing: Publishing) -> str:
    columns = "version, seq, date, parent, root, documents, pieces, pieces_default, clusters, tools, mask"
    columns += ", reissue_of"
    values = db.execute(f"select {columns} from release where seq = ?", (seq,)).fetchone()
    manifest = dict(zip(columns.split(", "), values, strict=True))
    for name in ("tools", "mask"):
        manifest[name] = json.loads(manifest[name])
    manifest["tables_version"] = tables_version()
    manifest["site_text"] = publishing.site_text
    return json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _jsonl_rows(path: Path) -> Iterator[dict[str, object]]:
    with zstandard.open(path, "rt", encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield json.loads(line)


@contextmanager
def _compressed(path: Path) -> Iterator[zstandard.ZstdCompressionWriter]:
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with path.open("wb") as raw, compressor.stream_writer(raw, closefd=False) as stream:
        yield stream


@contextmanager
def _opened(path: Path, *, write: bool = False) -> Iterator[sqlite3.Connection]:
    mode = "rw" if write else "ro"
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None)
    try:
        yield db
    finally:
        db.close()
