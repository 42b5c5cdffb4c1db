"""fanwen release publish: what readers find is whole at every moment, and what was published never changes."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from fanwen.corpus import exports, release, release_index, targets
from fanwen.corpus.client import pull
from fanwen.corpus.publish import publish
from fanwen.errors import DamagedError, IncompleteError, RefusedError, UsageError

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")

FIRST, SECOND, THIRD = "2026.3.0", "2026.3.1", "2026.3.2"
FORK = multiprocessing.get_context("fork")


def files(folder: Path) -> dict[str, str]:
    return {one.path: one.sha256 for one in exports.files_in(folder)}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "there"


def test_a_folder_gets_every_file_once_and_the_next_time_only_what_is_new(own: Any, there: Path) -> None:
    ours = files(own.releases)
    planned = publish(own.releases, str(there), dry_run=True)
    assert not there.exists()
    done = publish(own.releases, str(there))
    assert files(there) == ours
    assert (set(done.sent), done.present, done.versions) == (set(ours), 0, (FIRST, SECOND, THIRD))
    assert (done.sent[-1], done.bytes) == ("index.json", sum(one.bytes for one in exports.files_in(there)))
    assert (planned.sent, planned.bytes, planned.dry_run) == (done.sent, done.bytes, True)
    again = publish(own.releases, str(there))
    assert (again.sent, again.bytes, again.present) == ((), 0, len(ours))
    # pages over all releases lie beside them and may change; what is hidden is no business of readers
    (own.releases / "site").mkdir()
    (own.releases / "site" / "目录.html").write_text("三个版本")
    (own.releases / ".building-2026.3.3").mkdir()
    (own.releases / ".building-2026.3.3" / "README.md").write_text("一半")
    assert publish(own.releases, str(there)).sent == ("site/目录.html",)
    (own.releases / "site" / "目录.html").write_text("三个版本，一个撤回")
    assert publish(own.releases, str(there)).sent == ("site/目录.html",)
    assert (there / "site" / "目录.html").read_text() == "三个版本，一个撤回"
    (there / THIRD / "data" / "all" / "train-00000-of-00001.parquet").unlink()
    assert publish(own.releases, str(there)).sent == (f"{THIRD}/data/all/train-00000-of-00001.parquet",)
    assert files(there) == {**ours, "site/目录.html": files(own.releases)["site/目录.html"]}


def test_another_file_under_a_published_name_is_refused_and_stays(own: Any, there: Path) -> None:
    publish(own.releases, str(there))
    (there / "index.json").write_text('{"latest": null, "releases": []}')
    before = files(there)
    for name in (f"{FIRST}/README.md", f"{THIRD}/fanwen.db.zst"):
        path = there / name
        right = path.read_bytes()
        path.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
        with pytest.raises(DamagedError, match=f"holds another {name}"):
            publish(own.releases, str(there))
        assert path.read_bytes() != right
        path.write_bytes(right)
    assert files(there) == before


def test_a_list_of_other_releases_is_not_replaced(own: Any, there: Path) -> None:
    there.mkdir()
    for text in (
        "<html></html>",
        json.dumps({"latest": "2025.1.0", "releases": [_entry(own, version="2025.1.0")]}),
        json.dumps({"latest": FIRST, "releases": [_entry(own, sums="0" * 64)]}),
    ):
        (there / "index.json").write_text(text)
        with pytest.raises(DamagedError, match=r"^index\.json at .*(2025\.1\.0|2026\.3\.0|no list)"):
            publish(own.releases, str(there))
        assert [path.name for path in there.iterdir()] == ["index.json"]
        assert (there / "index.json").read_text() == text


def _entry(own: Any, **change: object) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads((own.releases / "index.json").read_text())["releases"][0]
    return {**entry, **change}


def test_nothing_is_sent_where_a_release_here_is_not_right(own: Any, there: Path) -> None:
    path = own.releases / THIRD / "README.md"
    path.write_text("改过的说明")
    with pytest.raises(DamagedError, match=r"README\.md in .*2026\.3\.2 is not what SHA256SUMS says"):
        publish(own.releases, str(there))
    assert not there.exists()
    shutil.rmtree(own.releases)
    with pytest.raises(UsageError, match="no release"):
        publish(own.releases, str(there))


def test_withdrawn_releases_are_removed_when_that_is_asked_for(own: Any, there: Path) -> None:
    publish(own.releases, str(there))
    release_index.mark_taken_down(own.releases, "2026-7", [SECOND])
    assert publish(own.releases, str(there)).sent == ("index.json",), "who has it is told"
    with pytest.raises(RefusedError, match=f"{SECOND} still holds what case 2026-7 took down"):
        publish(own.releases, str(there.with_name("elsewhere")))
    again = release.reissue(own.corpus, own.releases, SECOND, delete_withdrawn=True)
    assert publish(own.releases, str(there)).removed == ()
    assert (there / SECOND).is_dir()
    assert publish(own.releases, str(there), delete_withdrawn=True, dry_run=True).removed == (SECOND,)
    assert (there / SECOND).is_dir()
    assert publish(own.releases, str(there), delete_withdrawn=True).removed == (SECOND,)
    assert files(there) == files(own.releases)
    assert (there / again.version).is_dir()
    assert publish(own.releases, str(there), delete_withdrawn=True).removed == ()
    # whose folder is still here is left there, too
    release.reissue(own.corpus, own.releases, FIRST)
    assert publish(own.releases, str(there), delete_withdrawn=True).removed == ()
    assert (there / FIRST).is_dir()


def _killed_at(moment: int, step: Callable[[], object]) -> bool:
    """Whether the step was killed (-9) when it had written so many files and was about to give one its name."""

    def run() -> None:
        synced, left = os.fsync, [moment]

        def fsync(handle: int) -> None:
            synced(handle)
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        os.fsync = fsync  # type: ignore[assignment]
        step()

    process = FORK.Process(target=run, daemon=True)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_killed_at_any_moment_readers_find_whole_releases(own: Any, there: Path, tmp_path: Path) -> None:
    newest = own.releases / THIRD
    index = (own.releases / "index.json").read_text()
    newest.rename(tmp_path / THIRD)
    known = release_index.read_index(own.releases)
    release_index.write(own.releases, [one for one in known if one.version != THIRD])
    publish(own.releases, str(there))
    (tmp_path / THIRD).rename(newest)
    (own.releases / "index.json").write_text(index)
    before = (there / "index.json").read_bytes()
    moment, killed = 1, 0
    while _killed_at(moment, lambda: publish(own.releases, str(there))):
        killed += 1
        listed = (there / "index.json").read_bytes()
        assert listed in (before, index.encode())
        done = pull(str(there), tmp_path / "pulled")
        assert done.version == (SECOND if listed == before else THIRD)
        # started again it sends what is not there yet; a fifth of the moments is enough
        moment += 5
    assert killed > 3
    assert files(there) == files(own.releases), "nothing half is left"


def test_an_object_store(own: Any) -> None:
    store = fsspec.filesystem("memory")
    try:
        done = publish(own.releases, "memory://corpus/fanwen")
        assert (len(done.sent), done.present) == (len(files(own.releases)), 0)
        found = {path.removeprefix("/corpus/fanwen/"): store.cat(path) for path in store.find("/corpus")}
        assert found == {name: (own.releases / name).read_bytes() for name in files(own.releases)}
        assert publish(own.releases, "memory://corpus/fanwen").sent == ()
        release.reissue(own.corpus, own.releases, SECOND, delete_withdrawn=True)
        done = publish(own.releases, "memory://corpus/fanwen", delete_withdrawn=True)
        assert (done.sent[-1], done.removed) == ("index.json", (SECOND,))
        assert not store.find(f"/corpus/fanwen/{SECOND}")
        store.pipe(f"/corpus/fanwen/{FIRST}/README.md", b"other")
        with pytest.raises(DamagedError, match=f"holds another {FIRST}/README.md"):
            publish(own.releases, "memory://corpus/fanwen")
    finally:
        store.rm("/corpus", recursive=True)
    with pytest.raises(UsageError, match="cannot be reached"):
        publish(own.releases, "nosuchstore://corpus")


def test_a_target_that_fails_is_said_to_and_the_next_time_goes_on(own: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IncompleteError, match="file failed"):
        publish(own.releases, str(tmp_path / "file"))


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A host that rsync reaches by a shell which is this machine's own."""
    if shutil.which("rsync") is None:
        pytest.skip("rsync is missing here")
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/sh\n[ "$1" = -l ] && shift 2\nshift\nexec sh -c "$*"\n')
    shell.chmod(0o755)
    monkeypatch.setenv("RSYNC_RSH", str(shell))
    return f"host:{tmp_path}/there"


def test_by_rsync(own: Any, there: Path, remote: str) -> None:
    planned = publish(own.releases, remote, dry_run=True)
    assert not there.exists()
    done = publish(own.releases, remote)
    assert files(there) == files(own.releases)
    assert (done.sent, done.bytes) == (planned.sent, planned.bytes)
    assert publish(own.releases, remote).sent == ()
    release.reissue(own.corpus, own.releases, SECOND, delete_withdrawn=True)
    assert publish(own.releases, remote, delete_withdrawn=True, dry_run=True).removed == (SECOND,)
    assert (there / SECOND).is_dir()
    assert publish(own.releases, remote, delete_withdrawn=True).removed == (SECOND,)
    assert files(there) == files(own.releases)
    path = there / FIRST / "README.md"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(DamagedError, match=f"holds another {FIRST}/README.md"):
        publish(own.releases, remote)
    with pytest.raises(IncompleteError, match="rsync to host:/proc/nowhere/x failed"):
        publish(own.releases, "host:/proc/nowhere/x")


def test_what_a_destination_is(own: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("host:path", "me@host:/path", "ssh://me@host:22/path", "rsync://host/module"):
        with pytest.raises(UsageError, match="needs rsync"):
            publish(own.releases, name)
    monkeypatch.chdir(tmp_path)
    for name in ("./a:b", "a/b:c"):
        assert publish(own.releases, name).sent
        assert files(tmp_path / name) == files(own.releases)
    assert targets.target("memory://x", own.releases).index() is None
