"""Makes, lists, compares and verifies releases: numbered states that never change again.

A release is decided in corpus.db first (state ``prepared``), then its folder is written beside its
final place, validated, synced and renamed, then index.json is replaced, then the row becomes
``published``. Killed anywhere and run again, the same release comes out: what is prepared is
finished before anything else happens, from the rows as of its seq. A failed run publishes nothing
and never moves the pointer to the last good release.
"""

from __future__ import annotations

import datetime
import errno
import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow
import zstandard
from pyarrow import ArrowException

import fanwen
from fanwen.corpus import dedup, exports, masking, release_index, search, signing, split, tables, takedowns
from fanwen.corpus.exports import MANIFEST, SUMS
from fanwen.corpus.fingerprint import SPEC
from fanwen.corpus.identity import root
from fanwen.corpus.publishing import Publishing
from fanwen.corpus.schema import SCHEMA_VERSION
from fanwen.corpus.settle import settle
from fanwen.corpus.store import Store, open_store, to_json
from fanwen.corpus.takedown_journal import journal, opened
from fanwen.corpus.types import Release, ReleaseDetails, ReleaseFile, Verified
from fanwen.errors import DamagedError, UsageError
from fanwen.spiders.takedown import Takedown

Progress = Callable[[str, int, int], None]

_COLUMNS = "version, seq, date, root, parent, pieces, pieces_default, clusters, documents, withdrawn"


def create(
    corpus_path: Path,
    releases_dir: Path,
    *,
    date: str | None = None,
    mask: frozenset[str] = masking.KINDS,
    takedown: Takedown = Takedown(),
    publishing: Publishing = Publishing(),
    progress: Progress | None = None,
) -> Release | None:
    """Publish the current state if something that a reader can see changed; else None.

    ``date`` (YYYY-MM-DD) defaults to the day of the newest fetch in the release. ``mask`` are the kinds of
    personal data that it does not show; the files are made from :mod:`fanwen.corpus.masked` only. What
    ``takedown`` names is not in it. ``publishing`` says how it is presented and signed.
    Raises :class:`UsageError` for an empty corpus or a wrong date.
    """
    step = progress or (lambda name, done, total: None)
    with open_store(corpus_path) as store:
        releases_dir.mkdir(parents=True, exist_ok=True)
        done = _finish_prepared(store, releases_dir, step, publishing)
        if store.value("select count(*) from piece_version") == 0:
            raise UsageError(
                "The corpus holds no pieces yet; crawl or ingest some pages and run 'fanwen build'."
            )
        takedowns.close_named(store, takedown)
        masking.update(store, mask, progress)
        dedup.update(store, progress)
        settle(store, final=True)
        _drop_orphans(store)
        if not _changed(store):
            return done
        split.assign(store)
        _prepare(store, releases_dir, date, mask)
        step("prepared", 1, 4)
        return _finish_prepared(store, releases_dir, step, publishing)


def verify(path: Path, *, signers: Path | None = None) -> Verified:
    """Check a release folder: every file against its sum, no file missing or extra, and the root hash
    computed anew from the database, the JSON Lines and the Parquet files. With ``signers``, an SSH file of
    allowed signers, its sums must be signed by one of these.

    Raises :class:`DamagedError` naming what is wrong, :class:`UsageError` where there is no release.
    """
    if not (path / SUMS).is_file() and not (path / MANIFEST).is_file():
        raise UsageError(f"There is no release at {path}; give a folder that holds {MANIFEST} and {SUMS}.")
    present = {one.path: one for one in exports.files_in(path)}
    if SUMS not in present:
        raise DamagedError(f"{SUMS} is missing in {path}; fetch the release again.")
    _check_against_index(path, present[SUMS].sha256)
    signed_by = None if signers is None else signing.signer(path / SUMS, signers)
    expected = read_sums(path / SUMS)
    for name, hashed in expected.items():
        if name not in present:
            raise DamagedError(f"{name} is missing in {path}; fetch the release again.")
        if present[name].sha256 != hashed:
            raise DamagedError(f"{name} in {path} is not what {SUMS} says; fetch the release again.")
    for name in sorted(present.keys() - expected.keys() - {SUMS, signing.SIGNATURE}):
        raise DamagedError(f"{name} in {path} does not belong to the release; remove it or fetch it again.")
    manifest = read_manifest(path)
    held = _held(path)
    if held != {(str(manifest.get("root")), manifest.get("pieces"))}:
        raise DamagedError(
            f"In {path} the database, the JSON Lines, Parquet and {MANIFEST} do not hold the same pieces."
        )
    ((found_root, pieces),) = held
    return Verified(str(manifest["version"]), found_root, pieces, len(present), signed_by)


def _held(path: Path) -> set[tuple[str, int]]:
    """(root, pieces) computed anew from every file with all pieces, and as the database has it on record."""
    try:
        with tempfile.TemporaryDirectory(prefix="fanwen-verify-") as scratch:
            computed, pieces, on_record = exports.database_root(path, Path(scratch))
        held = {(computed, pieces), (on_record, pieces), exports.jsonl_root(path)}
        # an earlier fanwen published no Parquet
        if (path / tables.FOLDER).is_dir():
            held.add(exports.parquet_root(path))
    except (zstandard.ZstdError, sqlite3.Error, ArrowException, KeyError, ValueError, OSError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise  # of the disk that it is unpacked on, and nothing is wrong with the release
        raise DamagedError(f"The release at {path} cannot be read ({error}); fetch it again.") from None
    return held


def releases(store: Store) -> tuple[Release, ...]:
    """The releases that corpus.db knows, the oldest first."""
    return tuple(_release(row) for row in store.rows(f"select {_COLUMNS} from release order by seq"))


def _release(row: Iterable[object]) -> Release:
    *values, withdrawn = row
    return Release(*values, bool(withdrawn))  # type: ignore[arg-type,call-arg]


def _drop_orphans(store: Store) -> None:
    orphans = store.rows(
        "select text from search_text where text not in (select text from piece_version) order by text"
    ).fetchall()
    with store.atomic():
        for (sha256,) in orphans:
            search.forget(store, sha256)
        exports.drop_orphans(store.conn)


def _changed(store: Store) -> bool:
    """Whether the pending release differs from the last one in more than provenance."""
    return bool(
        store.value(
            "select exists (select 1 from piece_version"
            "  where removed_in = :seq and removed_why <> 'provenance')"
            " or exists (select 1 from piece_version n where n.added_in = :seq and not exists"
            "  (select 1 from piece_version o where o.piece = n.piece and o.removed_in = :seq))".replace(
                ":seq", str(store.pending)
            )
        )
    )


def _prepare(store: Store, releases_dir: Path, date: str | None, mask: frozenset[str]) -> None:
    seq = store.pending
    parent = store.rows("select version, date from release order by seq desc limit 1").fetchone()
    day = _date(store, date, parent[1] if parent else None)
    leaves = [row[0] for row in store.rows("select leaf from piece_version where removed_in is null")]
    counts = store.rows(
        "select count(distinct p.document), count(*), coalesce(sum(v.excluded_why is null), 0),"
        " count(distinct v.cluster) from piece_version v join piece p on p.id = v.piece"
        " where v.removed_in is null"
    ).fetchone()
    with store.atomic():
        _log_canonicals(store)
        store.rows(
            "insert into release (seq, version, date, state, parent, root, documents, pieces, pieces_default,"
            " clusters, tools, mask) values (?, ?, ?, 'prepared', ?, ?, ?, ?, ?, ?, ?, ?)",
            seq,
            _version(store, releases_dir, day),
            day,
            parent[0] if parent else None,
            root(leaves),
            *counts,
            to_json(_tools(store)),
            masking.kinds_json(mask),
        )
        store.rows("delete from unsettled where settled")
    store.refresh_pending()


def _date(store: Store, given: str | None, parent: str | None) -> str:
    if given is not None:
        try:
            datetime.date.fromisoformat(given)
        except ValueError:
            raise UsageError(f"'{given}' is no date; write it as 2026-11-21.") from None
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", given):
            raise UsageError(f"'{given}' is no date; write it as 2026-11-21.")
        if parent is not None and given < parent:
            raise UsageError(f"The last release is of {parent}; give that date or a later one.")
        return given
    newest = store.value(
        "select max(dv.fetched_at) from document_version dv"
        " join piece_version v on v.document_version = dv.id where v.removed_in is null"
    )
    # when the newest pages are gone, the release is not older than the one before it
    return max(str(newest)[:10] if newest else "", parent or "")


def _version(store: Store, releases_dir: Path, day: str) -> str:
    year, month, _ = (int(part) for part in day.split("-"))
    start = f"{year}.{month}."
    taken = {row[0] for row in store.rows("select version from release")}
    taken |= {path.name for path in releases_dir.iterdir()}
    taken |= {details.version for details in release_index.read_index(releases_dir)}
    used = [int(one.removeprefix(start)) for one in taken if re.fullmatch(re.escape(start) + r"\d+", one)]
    return f"{start}{max(used, default=-1) + 1}"


def _tools(store: Store) -> dict[str, object]:
    rulesets = store.rows(
        "select distinct dv.ruleset from document_version dv where dv.removed_in is null"
        " and dv.ruleset is not null order by 1"
    )
    return {
        "fanwen": fanwen.__version__,
        "pyarrow": pyarrow.__version__,
        "rulesets": [row[0] for row in rulesets],
        "schema_version": SCHEMA_VERSION,
        "signatures": SPEC,
        "sqlite": sqlite3.sqlite_version,
        "zstandard": ".".join(str(part) for part in zstandard.ZSTD_VERSION),
    }


def _log_canonicals(store: Store) -> None:
    """Note every cluster whose canonical is another than in the last release."""
    released, seq = store.released, store.pending
    rows = store.rows(
        "select n.cluster, o.piece, n.piece from piece_version n"
        " join piece_version o on o.cluster = n.cluster"
        " where n.removed_in is null and n.is_canonical and o.is_canonical and o.piece <> n.piece"
        " and o.added_in <= ? and (o.removed_in is null or o.removed_in > ?) order by n.cluster",
        released,
        released,
    ).fetchall()
    for cluster, before, after in rows:
        state = store.rows(
            "select cluster, flags from piece_version where piece = ? and removed_in is null", before
        ).fetchone()
        why = "gone" if state is None else "moved" if state[0] != cluster else "better"
        store.rows(
            "insert into canonical_log (seq, cluster, before, after, why) values (?, ?, ?, ?, ?)",
            seq,
            cluster,
            before,
            after,
            why,
        )


def reissue(
    corpus_path: Path,
    releases_dir: Path,
    version: str,
    *,
    delete_withdrawn: bool = False,
    publishing: Publishing = Publishing(),
) -> ReleaseDetails:
    """Write a release again as it was, without what was taken down since, under the next free number.

    Counts and root are the same: what is gone counts by its leaf. The former one is marked withdrawn in
    index.json; its folder goes only with ``delete_withdrawn``. Killed and run again, it ends the same.
    Raises UsageError for an unknown or withdrawn version.
    """
    known = {one.version: one for one in release_index.read_index(releases_dir)}
    again = next((one for one in known.values() if one.reissue_of == version), None)
    if version not in known or (known[version].withdrawn and again is None):
        raise UsageError(
            f"There is no release {version} to issue again; 'fanwen release list' shows those there are."
        )
    for left in releases_dir.glob(".building-*"):
        shutil.rmtree(left)
    if again is None:
        with open_store(corpus_path) as store:
            again = _issue_again(store, releases_dir, known[version], publishing)
    with open_store(corpus_path) as store:
        _note_reissue(store, known[version], again.version)
    if not known[version].withdrawn:
        entries = [
            replace(one, withdrawn=one.withdrawn or one.version == version)
            for one in release_index.read_index(releases_dir)
        ]
        release_index.write(releases_dir, entries)
    if delete_withdrawn and (releases_dir / version).is_dir():
        # moved away first, so that there is never half of it under its name
        gone = (releases_dir / version).rename(releases_dir / f".building-{version}")
        shutil.rmtree(gone)
    return again


def _note_reissue(store: Store, former: ReleaseDetails, version: str) -> None:
    """Withdraw the former release, with a line in the journal of each case that it still held."""
    with store.atomic():
        if store.value("select withdrawn from release where version = ?", former.version):
            return
        store.rows("update release set withdrawn = 1 where version = ?", former.version)
        for case_id in former.taken_down:
            detail = {"version": version, "reissue_of": former.version}
            journal(store, opened(store, case_id, None, None), "reissue", detail)


def _issue_again(
    store: Store, releases_dir: Path, former: ReleaseDetails, publishing: Publishing
) -> ReleaseDetails:
    version = _version(store, releases_dir, former.date)
    building = releases_dir / f".building-{version}"
    building.mkdir()
    try:
        base = _base(releases_dir, former.seq)
        exports.write(store, former.seq, building, publishing, base=base, reissue=version)
        if publishing.sign_key is not None:
            signing.sign(building / SUMS, publishing.sign_key)
        made = replace(former, version=version, reissue_of=former.version, taken_down=())
        _must_be(verify(building), made)
        building.rename(releases_dir / version)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    exports.sync_folder(releases_dir)
    final = releases_dir / version
    made = replace(made, sums=exports.file_hash(final / SUMS), files=_files(final))
    release_index.add(releases_dir, made, publishing.mirrors)
    return made


def _finish_prepared(
    store: Store, releases_dir: Path, step: Progress, publishing: Publishing
) -> Release | None:
    """Write and publish the release that was decided and not published yet, if there is one."""
    row = store.rows(f"select {_COLUMNS} from release where state = 'prepared'").fetchone()
    if row is None:
        return None
    release = _release(row)
    for left in exports.left_over(releases_dir):
        shutil.rmtree(left)
    final = releases_dir / release.version
    if not final.exists() and store.value("select mask from release where seq = ?", release.seq) is None:
        # an earlier fanwen decided it and never wrote it: its files would show what is masked now
        store.rows("update release set state = 'published', withdrawn = 1 where seq = ?", release.seq)
        return None
    if not final.exists():
        building = releases_dir / f".building-{release.version}"
        building.mkdir()
        try:
            base = _base(releases_dir, release.seq)
            exports.write(store, release.seq, building, publishing, base=base, progress=step)
            if publishing.sign_key is not None:
                signing.sign(building / SUMS, publishing.sign_key)
            step("written", 2, 4)
            _must_be(verify(building), release)
            building.rename(final)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)  # a full disk needs the room
            raise
        exports.sync_folder(releases_dir)
    else:
        _must_be(verify(final), release)
    step("renamed", 3, 4)
    release_index.add(
        releases_dir,
        ReleaseDetails(**asdict(release), sums=exports.file_hash(final / SUMS), files=_files(final)),
        publishing.mirrors,
    )
    step("indexed", 4, 4)
    store.rows("update release set state = 'published' where seq = ?", release.seq)
    return release


def _base(releases_dir: Path, seq: int) -> Path | None:
    """The folder of the newest release before ``seq`` that readers may have; deltas are from that.

    None where its database is not here, or not as it was published.
    """
    earlier = [one for one in release_index.read_index(releases_dir) if one.seq < seq and not one.withdrawn]
    found = max(earlier, key=lambda one: one.seq, default=None)
    if found is None:
        return None
    folder = releases_dir / found.version
    published = {one.path: one.sha256 for one in found.files}.get(exports.DATABASE)
    database = folder / exports.DATABASE
    return folder if database.is_file() and exports.file_hash(database) == published else None


def _must_be(verified: Verified, release: Release) -> None:
    if (verified.version, verified.root, verified.pieces) != (release.version, release.root, release.pieces):
        raise DamagedError(
            f"The files of release {release.version} do not hold what was decided; run 'fanwen verify'."
        )


def _files(folder: Path) -> tuple[ReleaseFile, ...]:
    return tuple(exports.files_in(folder))


def read_sums(path: Path) -> dict[str, str]:
    """The sum of each file that a SHA256SUMS names. Raises :class:`DamagedError`."""
    sums: dict[str, str] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DamagedError(f"{SUMS} in {path.parent} is damaged; fetch the release again.") from None
    for line in text.splitlines():
        found = re.fullmatch(r"([0-9a-f]{64})  (\S.*)", line)
        if found is None or ".." in found[2] or found[2].startswith("/"):
            raise DamagedError(f"{SUMS} in {path.parent} is damaged; fetch the release again.")
        sums[found[2]] = found[1]
    return sums


def _check_against_index(path: Path, sums_hash: str) -> None:
    """Where the folder lies beside its index.json, that vouches for SHA256SUMS itself."""
    if not (path.parent / release_index.INDEX).is_file():
        return
    for details in release_index.read_index(path.parent):
        if details.version == path.name and details.sums != sums_hash:
            raise DamagedError(
                f"{SUMS} in {path} is not what {release_index.INDEX} says; fetch the release again."
            )


def read_manifest(path: Path) -> dict[str, object]:
    """What the release.json in a folder says. Raises :class:`DamagedError`."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (ValueError, FileNotFoundError):
        raise DamagedError(f"{MANIFEST} in {path} cannot be read; fetch the release again.") from None
    if not isinstance(manifest, dict) or "version" not in manifest:
        raise DamagedError(f"{MANIFEST} in {path} cannot be read; fetch the release again.")
    return manifest
