"""Checks a home: archive, corpus, both indexes and every release. Changes nothing.

In go the files, out come sentences, each of which says what to do: what is made from the rest can be rebuilt
(:mod:`fanwen.corpus.repair`), everything else comes from a backup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from fanwen.corpus import masking, swap, verify_caches
from fanwen.corpus.exports import left_over
from fanwen.corpus.fingerprint import SPEC, fingerprints, to_blob
from fanwen.corpus.home import Home
from fanwen.corpus.identity import leaf, root, text_hash
from fanwen.corpus.invariants import broken, torn_json
from fanwen.corpus.normalise import fold
from fanwen.corpus.release import releases
from fanwen.corpus.release import verify as verify_release
from fanwen.corpus.release_index import INDEX, listing
from fanwen.corpus.store import RELEASE, Store, reading
from fanwen.corpus.types import Trouble
from fanwen.corpus.versions import PUBLISHED, PUBLISHED_TITLE, excluded_why
from fanwen.errors import DamagedError, UsageError
from fanwen.spiders.archive import Archive

# of these SQLite makes the index anew
_INDEX_ONLY = re.compile(r"row \d+ missing from index|wrong # of entries in index")

Progress = Callable[[str, int, int], None]


def verify(corpus_path: Path) -> list[str]:
    """Every trouble of corpus.db, one sentence each; an empty list means that the corpus is whole."""
    return [trouble.sentence for trouble in _corpus(corpus_path)]


def verify_home(
    archive: Path, corpus: Path, releases: Path, *, progress: Progress | None = None
) -> list[str]:
    """Every trouble of a home's archive, corpus and releases; what is not there yet is no trouble."""
    return [trouble.sentence for trouble in troubles(archive, corpus, releases, progress=progress)]


def troubles(
    archive: Path, corpus: Path, releases: Path, *, held: bool = False, progress: Progress | None = None
) -> list[Trouble]:
    """The same with what ``--repair`` does about each; ``held``: the caller has the lock of the home."""
    step = progress or (lambda name, done, total: None)
    found: list[Trouble] = []
    if archive.is_file():
        step("archive", 0, 0)
        found += _archive(archive)
    if corpus.is_file():
        step("corpus", 0, 0)
        found += _corpus(corpus, held=held)
    left = list(_left_over(corpus.parent, releases))
    if left and (held or not Home(corpus.parent).is_held()):
        found += left
    try:
        # the folder of one that was issued again may be gone
        listed = [one for one in listing(releases) if not one.withdrawn or (releases / one.version).exists()]
    except DamagedError as error:
        return [*found, Trouble(str(error))]
    if listed and corpus.is_file():
        found += _against_index(corpus, releases)
    for done, one in enumerate(listed):
        step("releases", done, len(listed))
        try:
            verify_release(releases / one.version)
        except (DamagedError, UsageError) as error:
            found.append(Trouble(str(error)))
    return found


def _archive(path: Path) -> list[Trouble]:
    try:
        with Archive(path, readonly=True) as archive:
            return [Trouble(sentence) for sentence in archive.verify()]
    except DamagedError as error:
        return [Trouble(str(error))]


def _corpus(path: Path, *, held: bool = False) -> list[Trouble]:
    found: list[Trouble] = []
    try:
        with reading(path) as store:
            for trouble in _troubles(store):
                found.append(trouble)  # one by one: what was found before an error counts
            found += _index(store, held=held)
    except DamagedError as error:
        found.append(Trouble(str(error)))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        found.append(Trouble.lost(path.name, f"a row cannot be read ({type(error).__name__}: {error})"))
    return found


def _index(store: Store, *, held: bool) -> list[Trouble]:
    """Troubles of the index of fingerprints, whose files come and go while somebody builds."""
    for _ in range(2):  # who built when it was looked at first may have ended
        found = list(verify_caches.fingerprint_index(store))
        if not found or (not held and Home(store.path.parent).is_held()):
            return []
    return found


def _left_over(home: Path, releases: Path) -> Iterator[Trouble]:
    """What a kill left behind; while somebody writes it may be in use."""
    for folder in left_over(releases):
        yield Trouble.rebuilt(f"{releases.name}/{folder.name}", "a release was not finished", "left over")
    if (home / swap.STAGE).is_dir():
        yield Trouble.rebuilt(f"{home.name}/{swap.STAGE}", "a restore was not finished", "left over")


def _against_index(corpus: Path, folder: Path) -> Iterator[Trouble]:
    """Published releases that index.json does not know, or knows otherwise."""
    try:
        with reading(corpus) as store:
            known = {one.version: one for one in releases(store)}
            prepared = store.value("select version from release where state = 'prepared'")
    except DamagedError:
        return  # said already
    listed = {one.version: one for one in listing(folder)}
    # a home that was restored without its releases begins with a later one
    first = min(one.seq for one in listed.values())
    for version, ours in known.items():
        theirs = listed.get(version)
        if theirs is None and version != prepared and ours.seq >= first:
            yield Trouble.lost(f"{folder.name}/{INDEX}", f"release {version} of {corpus.name} is not in it")
        elif theirs is not None and (theirs.root, theirs.pieces) != (ours.root, ours.pieces):
            yield Trouble.lost(
                f"{folder.name}/{INDEX}", f"release {version} has another root or count in {corpus.name}"
            )


def _troubles(store: Store) -> Iterator[Trouble]:
    pages = list(_pages(store))
    yield from pages
    if pages:
        return  # whatever else is read from such a file says nothing
    name = store.path.name
    for table, _, parent, _ in store.rows("pragma foreign_key_check"):
        yield Trouble.lost(name, f"a row of {table} refers to a missing row of {parent}")
    torn = list(torn_json(store))
    yield from torn
    if not torn:  # else the rest cannot be read
        yield from broken(store)
        yield from _texts(store)
        yield from _spans(store)
        yield from _masks(store)
        yield from published_states(store)
    yield from verify_caches.search_index(store)


def _pages(store: Store) -> Iterator[Trouble]:
    lines = [str(line) for (line,) in store.rows("pragma integrity_check(20)") if line != "ok"]
    if not lines:
        return
    first = lines[0].splitlines()[-1]
    if all(_INDEX_ONLY.search(line) for line in lines):
        yield Trouble.rebuilt(store.path.name, f"an index is not that of its table ({first})", "reindex")
    else:
        yield Trouble.lost(store.path.name, f"its pages are damaged ({first})")


def published_states(store: Store) -> Iterator[Trouble]:
    """What is not as it was published: a state and its leaf, or the state as of a release and its root."""
    yield from _leaves(store)
    yield from _roots(store)


def _texts(store: Store) -> Iterator[Trouble]:
    rows = store.rows(
        "select t.sha256, t.body, f.key, f.marks from text t"
        " left join fingerprint f on f.text = t.sha256 and f.spec = ? where t.body is not null",
        SPEC,
    )
    for sha256, body, key, marks in rows:
        if text_hash(body) != sha256:
            yield Trouble.lost(store.path.name, f"the text {sha256} is not what its hash says")
        elif key is not None:
            folded = fold([body])
            if folded.key(0) != key or to_blob(fingerprints(folded)[0]) != marks:
                yield Trouble.rebuilt(
                    store.path.name, f"the fingerprints of the text {sha256} are not its own", "fingerprints"
                )
    missing = store.value(
        "select count(*) from piece_version v join text t on t.sha256 = v.text"
        " left join fingerprint f on f.text = v.text where v.removed_in is null"
        " and v.cluster is not null and f.text is null and t.body is not null"
    )
    if missing:
        yield Trouble.rebuilt(
            store.path.name, f"{missing} pieces have a cluster but no fingerprints", "marks"
        )


def _masks(store: Store) -> Iterator[Trouble]:
    """What is published of every state is the state itself, masked as it says."""
    wanted = masking.current_kinds(store)
    released = store.setting(RELEASE) is not None  # such a file holds nothing but what was published
    rows = store.rows(
        "select v.piece, t.body, v.title, v.privacy, v.title_privacy, v.published, v.published_title,"
        " v.masked, v.removed_in is null from piece_version v join text t on t.sha256 = v.text"
        " where v.published is not null and t.body is not null"
    )
    for piece, body, title, spans, titled, text_sha256, published_title, masked, is_open in rows:
        if released:
            if text_hash(body) != text_sha256 or not _are_masks(body, spans):
                yield _badly_masked(store, piece)
            continue
        counts = json.loads(masked)
        stored = (masking.spans_from(spans), masking.spans_from(titled))
        shown = masking.shown(title, body, *stored, frozenset(counts))
        if (text_hash(shown.text), shown.title, shown.masked) != (text_sha256, published_title, counts):
            yield _badly_masked(store, piece)
        elif is_open and wanted & {span.kind for span in (*stored[0], *stored[1])} - counts.keys():
            yield Trouble(
                f"{store.path.name}: personal data in piece {piece} is not masked; run 'fanwen build'."
            )


def _badly_masked(store: Store, piece: str) -> Trouble:
    return Trouble.lost(store.path.name, f"a state of piece {piece} is not published as its masks say")


def _are_masks(text: str, spans: str) -> bool:
    return all(
        text[span.begin : span.begin + 1] + text[span.end - 1 : span.end] == "〔〕"
        for span in masking.spans_from(spans)
    )


def _spans(store: Store) -> Iterator[Trouble]:
    """Spans that lie outside the text they are of."""
    for column in ("privacy", "placeholders"):
        piece = store.value(
            "select v.piece from piece_version v join text t on t.sha256 = v.text,"
            f" json_each(v.{column}) span"
            " where t.body is not null and not (json_extract(span.value, '$.begin') >= 0"
            " and json_extract(span.value, '$.begin') < json_extract(span.value, '$.end')"
            " and json_extract(span.value, '$.end') <= length(t.body))"
        )
        if piece is not None:
            yield Trouble.lost(store.path.name, f"a span ({column}) of piece {piece} lies outside its text")


def _leaves(store: Store) -> Iterator[Trouble]:
    # a state that was released unmasked keeps its leaf, but a release made later shows it masked
    # and what was taken down keeps its leaf without its words
    where = "where v.withdrawn is null"
    where += " and v.published is not null" if store.setting(RELEASE) is not None else ""
    rows = store.rows(
        f"select v.piece, {PUBLISHED}, {PUBLISHED_TITLE}, d.url, v.flags, v.genre, v.script, v.cluster,"
        " v.is_canonical, v.leaf, v.excluded_why"
        f" from piece_version v join piece p on p.id = v.piece join document d on d.id = p.document {where}"
    )
    for piece, text, title, url, flags_json, genre, script, cluster, is_canonical, stored, why in rows:
        flags = json.loads(flags_json)
        if leaf(piece, text, title, url, flags, genre, script, cluster, is_canonical) != stored:
            yield Trouble.lost(store.path.name, f"a state of piece {piece} is not what its leaf hash says")
        expected = excluded_why(flags, True, None)
        if why != expected and (expected is not None or not why.startswith("duplicate_of:")):
            yield Trouble.lost(
                store.path.name, f"a state of piece {piece} is excluded for what its flags do not say"
            )


def _roots(store: Store) -> Iterator[Trouble]:
    """As of every release, what was published is still on record; withdrawn pieces by their leaf."""
    for seq, version, stored, pieces in store.rows(
        "select seq, version, root, pieces from release"
    ).fetchall():
        leaves = [
            row[0]
            for row in store.rows(
                "select leaf from piece_version"
                " where added_in <= ? and (removed_in is null or removed_in > ?)",
                seq,
                seq,
            )
        ]
        if root(leaves) != stored or len(leaves) != pieces:
            yield Trouble.lost(
                store.path.name, f"the state as of release {version} is not the one that was published"
            )
