"""The commands that read and write the corpus: build, release, search, stats, verify.

Each imports what it needs itself: a search should not wait for what only a build needs.
"""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path

import click

from fanwen.corpus.home import Home
from fanwen.corpus.options import corpus_file, home_option, json_option
from fanwen.corpus.report import Progress, change_lines, print_json, table
from fanwen.corpus.types import ReleaseDetails
from fanwen.errors import DamagedError, UsageError


@click.command()
@home_option
@json_option
@click.option("--workers", type=click.IntRange(1), help="Processes; one per core by default.")
def build(home: Home, as_json: bool, workers: int | None) -> None:
    """Turn what the archive holds into pieces: clean, split, find duplicates.

    Only documents that changed since the last build are cleaned again.
    """
    from fanwen.corpus.refresh import build_home

    progress = Progress()
    with home.locked("build"):
        report = build_home(home, workers=workers, progress=progress)
    progress.close()
    print_json(report) if as_json else print(report.summary())


@click.group()
def release() -> None:
    """Numbered, immutable states of the corpus: create, list, show, diff, verify, publish."""


@release.command("create")
@home_option
@json_option
@click.option("--date", metavar="YYYY-MM-DD", help="Date of the release instead of the newest fetch in it.")
@click.option(
    "--sign-key",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Private SSH key that signs its sums, instead of sign_key in fanwen.toml.",
)
def release_create(home: Home, as_json: bool, date: str | None, sign_key: Path | None) -> None:
    """Publish the corpus as the next release, if anything changed since the last."""
    from fanwen.corpus import erase
    from fanwen.corpus import release as release_module

    publishing = home.publishing()
    if sign_key is not None:
        publishing = dataclasses.replace(publishing, sign_key=sign_key)
    with home.locked("release create"), closing(Progress()) as progress:
        erase.finish(home, progress)
        made = release_module.create(
            corpus_file(home),
            home.releases,
            date=date,
            mask=home.config().mask,
            takedown=home.takedown(),
            publishing=publishing,
            progress=progress,
        )
    if as_json:
        print_json(made)
    elif made is None:
        print("Nothing changed since the last release: none was made.")
    else:
        print(
            f"Release {made.version} of {made.date}: {made.pieces_default:,} pieces in the default set, "
            f"{made.pieces:,} in all, root {made.root}\nIt lies in {home.releases / made.version}"
        )


@release.command("list")
@home_option
@json_option
def release_list(home: Home, as_json: bool) -> None:
    """All releases, newest last."""
    from fanwen.corpus import release_index

    releases = release_index.read_index(home.releases)
    if as_json:
        print_json(release_index.listing(home.releases))
    elif releases:
        head = ("version", "date", "default", "pieces", "clusters", "root", "")
        print(
            table(
                [
                    head,
                    *(
                        (r.version, r.date, r.pieces_default, r.pieces, r.clusters, r.root[:16], _state(r))
                        for r in releases
                    ),
                ]
            )
        )
    else:
        print(f"No release in {home.releases} yet; 'fanwen release create' makes one.")


def _state(release: ReleaseDetails) -> str:
    """What is to be known of a release beside its figures."""
    again = f"{release.reissue_of} issued again" if release.reissue_of else ""
    if release.withdrawn:
        return "withdrawn"
    return f"holds what was taken down ({', '.join(release.taken_down)})" if release.taken_down else again


@release.command("show")
@home_option
@json_option
@click.argument("version", required=False)
def release_show(home: Home, as_json: bool, version: str | None) -> None:
    """What one release holds; the newest where no VERSION is given."""
    from fanwen.corpus import release_index

    shown = release_index.show(home.releases, version)
    if as_json:
        print_json(shown)
    else:
        for field in dataclasses.fields(shown):
            if field.name != "files":
                print(f"  {field.name:15} {getattr(shown, field.name)}")
        print("\n" + table((file.path, file.bytes, file.sha256) for file in shown.files))


@release.command("diff")
@home_option
@json_option
@click.argument("old")
@click.argument("new")
def release_diff(home: Home, as_json: bool, old: str, new: str) -> None:
    """Pieces that were added, modified or removed between two releases, and why."""
    from fanwen.corpus import release_changes, release_index

    again = {one.version: one.reissue_of for one in release_index.read_index(home.releases)}
    # one that was issued again holds the same pieces, under a number that only the index knows
    changes = release_changes.diff(corpus_file(home), again.get(old) or old, again.get(new) or new)
    if as_json:
        print_json(changes)
    elif changes:
        print(table((c.change, c.piece_id, c.why, c.title, c.url) for c in changes))
        print("\n".join(change_lines(release_changes.counts(changes))))
    else:
        print(f"Nothing differs between {old} and {new}.")


@release.command("verify")
@home_option
@json_option
@click.argument("which", metavar="[VERSION|DIR]", required=False)
@click.option(
    "--signers",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Allowed-signers file of SSH: one of these must have signed the release.",
)
def release_verify(home: Home, as_json: bool, which: str | None, signers: Path | None) -> None:
    """Check a release against its sums and root hash: all of them, one VERSION, or a folder DIR.

    With --signers also who signed it. A line of that file is a name and a public key:
    fanwen ssh-ed25519 AAAA…
    """
    from fanwen.corpus import release as release_module

    folders = _release_folders(home, which)
    checked = [(folder, release_module.verify(folder, signers=signers)) for folder in folders]
    if as_json:
        print_json(
            [{"release": str(folder), "ok": True, "signed_by": one.signed_by} for folder, one in checked]
        )
        return
    for folder, one in checked:
        by = f" It is signed by {one.signed_by}." if one.signed_by else ""
        print(f"{folder}: every file and the root hash are right.{by}")


@release.command("publish")
@home_option
@json_option
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option(
    "--delete-withdrawn",
    is_flag=True,
    help="Remove withdrawn releases there, too, whose folders are gone here.",
)
@click.argument("destination", metavar="DEST")
def release_publish(
    home: Home, as_json: bool, dry_run: bool, delete_withdrawn: bool, destination: str
) -> None:
    """Copy the releases to where readers pull them from, index.json last and at once.

    DEST is a folder, what rsync reaches (host:path, ssh://…, rsync://…), or an object store (s3://… and
    whatever fsspec knows; pip install 'fanwen[publish]'). Every release is verified before, every file is
    compared after. What is there already is not sent again; a different file there is never overwritten.
    """
    from fanwen.corpus import publish as publish_module

    progress = Progress()
    try:
        with home.locked("release publish"):
            done = publish_module.publish(
                home.releases,
                destination,
                delete_withdrawn=delete_withdrawn,
                dry_run=dry_run,
                progress=progress,
            )
    finally:
        progress.close()
    if as_json:
        print_json(done)
        return
    would = "would be " if dry_run else ""
    print(
        f"{destination}: {len(done.versions):,} releases; {len(done.sent):,} files "
        f"({done.bytes / 1e6:,.2f} MB) {would}sent, {done.present:,} were there and right."
    )
    print("".join(f"{version} {would}removed.\n" for version in done.removed), end="")


@click.command()
@home_option
@json_option
@click.argument("query")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="Results shown; 0 for all."
)
def search(home: Home, as_json: bool, query: str, limit: int) -> None:
    """Pieces whose text holds QUERY, exactly as typed; one character is enough.

    Example: fanwen search 环境卫生
    """
    from fanwen.corpus import search as search_module

    found = search_module.search(corpus_file(home), query, limit=limit)
    if as_json:
        print_json(found)
        return
    shown = f", {len(found.hits)} shown:" if found.hits else "."
    print(f"“{query}” stands in {found.total:,} of the pieces{shown}")
    for hit in found.hits:
        print(f"\n  {hit.piece_id}  {hit.genre}  {hit.title or '–'}\n  {hit.url}\n  {hit.snippet}")


@click.command()
@home_option
@json_option
def stats(home: Home, as_json: bool) -> None:
    """What the corpus holds: by site, genre, script; rejects by reason; duplicates; releases."""
    from fanwen.corpus import stats as stats_module

    report = stats_module.stats(corpus_file(home))
    print_json(report) if as_json else print(report.summary())


@click.command()
@home_option
@json_option
@click.option(
    "--repair", is_flag=True, help="Make anew what can be: indexes, fingerprints, left-overs of a kill."
)
def verify(home: Home, as_json: bool, repair: bool) -> None:
    """Check the archive, the corpus and every release against their hashes and rules.

    Every line says what to do about it. --repair touches neither texts nor states nor releases.
    """
    from fanwen.corpus import repair as repair_module
    from fanwen.corpus import verify as verify_module

    if not home.archive.is_file() and not home.corpus.is_file():
        raise UsageError(f"There is nothing to verify in {home.path}; name another home with --home.")
    progress = Progress()
    done: tuple[str, ...] = ()
    if repair:
        with home.locked("verify --repair"):
            repaired = repair_module.repair(home, progress=progress)
        done, troubles = repaired.done, list(repaired.remains)
    else:
        troubles = verify_module.verify_home(home.archive, home.corpus, home.releases, progress=progress)
    progress.close()
    if as_json:
        print_json({"ok": not troubles, "repaired": done, "troubles": troubles})
    for line in [] if as_json else [*done, *troubles]:
        print(line)
    if troubles:
        raise DamagedError(
            f"{len(troubles)} troubles in {home.path}; the lines above say which and what to do."
        )
    if not as_json:
        print(f"{home.path}: archive, corpus and releases are right.")


def _release_folders(home: Home, which: str | None) -> list[Path]:
    from fanwen.corpus import release_index

    if which is None:
        listed = release_index.listing(home.releases)
        # the folder of one that was issued again may be gone
        found = [
            home.releases / one.version
            for one in listed
            if not one.withdrawn or (home.releases / one.version).exists()
        ]
    else:
        found = [path for path in (home.releases / which, Path(which)) if path.is_dir()][:1]
    if not found:
        raise UsageError(
            f"There is no release {which or 'yet'} in {home.releases}; 'fanwen release list' shows them."
        )
    return found


COMMANDS = (build, release, search, stats, verify)
