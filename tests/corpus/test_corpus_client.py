"""fanwen pull, against real servers on loopback that do what servers do: whole and verified, or not at all."""

from __future__ import annotations

import json
import random
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from odd_server import OddServer, bare, chunked, cut, drip, endless, other, redirect, stall, status, whole

from fanwen.corpus import client, exports, mirrors, release, release_index, store, transport
from fanwen.corpus.client import pull
from fanwen.corpus.transport import Limits, WrongError
from fanwen.corpus.types import ReleaseFile
from fanwen.errors import BlockedError, DamagedError, IncompleteError, RefusedError, UsageError

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")

FIRST, SECOND, THIRD = "2026.3.0", "2026.3.1", "2026.3.2"
QUICK = Limits(silence=0.3, waits=(0, 0))


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server(published: Any) -> Iterator[OddServer]:
    with OddServer(published.releases) as one:
        yield one


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "pulled"


def files(folder: Path) -> dict[str, str]:
    return {one.path: one.sha256 for one in exports.files_in(folder)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def size(release: Path) -> int:
    return sum(one.bytes for one in exports.files_in(release))


def changed_index(own: Any, change: Callable[[dict[str, Any]], None]) -> None:
    """Have index.json say something else of the newest release."""
    path = own.releases / "index.json"
    index = json.loads(path.read_text())
    change(index["releases"][-1])
    path.write_text(json.dumps(index))


def test_the_newest_release_is_pulled_and_a_second_pull_says_that_it_is_there(
    server: OddServer, published: Any, to: Path
) -> None:
    done = pull(server.url, to)
    assert (done.version, done.how, done.since, done.changes) == (THIRD, "files", None, {})
    assert files(to / THIRD) == files(published.releases / THIRD)
    assert names(to) == [THIRD]
    index = (published.releases / "index.json").stat().st_size
    assert done.moved == sum(server.served.values()) == size(to / THIRD) + index
    assert done.sources == {server.url: done.moved}
    assert done.root == release.verify(published.releases / THIRD).root

    again = pull(f"{server.url}/index.json", to, THIRD)
    assert (again.how, again.moved, again.folder) == ("present", index, str(to / THIRD))
    (to / THIRD / "README.md").write_text("另一份说明")
    with pytest.raises(DamagedError, match=r"README\.md .* Remove or move .*/2026\.3\.2 first"):
        pull(server.url, to)
    assert (to / THIRD / "README.md").read_text() == "另一份说明"


def test_any_file_of_which_one_byte_is_wrong_is_refused_by_its_name(
    server: OddServer, published: Any, to: Path
) -> None:
    for name in files(published.releases / THIRD):
        path = f"{THIRD}/{name}"
        right = (published.releases / path).read_bytes()
        if not right:
            continue  # nothing is not asked for
        wrong = bytearray(right)
        wrong[len(wrong) // 2] ^= 1
        server.odd = {path: other(bytes(wrong))}
        (to / f".pulling-{THIRD}" / name).unlink(missing_ok=True)  # the sums come first
        with pytest.raises(DamagedError, match=f"^{path} cannot be had .*another SHA-256"):
            pull(server.url, to, limits=QUICK)
        assert names(to) == [f".pulling-{THIRD}"]
    server.odd = {}
    done = pull(server.url, to)
    assert files(to / THIRD) == files(published.releases / THIRD)
    assert done.resumed + done.moved - done.bytes == (published.releases / "index.json").stat().st_size


def test_a_file_that_one_server_has_not_comes_from_another(
    server: OddServer, published: Any, own: Any, to: Path
) -> None:
    missing, stale = f"{THIRD}/fanwen.db.zst", f"{THIRD}/README.md"
    server.odd = {missing: status(404)}
    with pytest.raises(DamagedError, match=rf"^{missing} cannot be had .*HTTP 404"):
        pull(server.url, to)
    shutil.rmtree(to)
    server.odd[stale] = other((published.releases / SECOND / "README.md").read_bytes())
    with OddServer(own.releases) as mirror:
        done = pull(server.url, to, mirrors=[mirror.url], limits=QUICK)
        assert mirror.served[missing]
        assert mirror.served[stale]
        assert not mirror.asked["index.json"]
        assert done.sources == {
            server.url: done.sources[server.url],
            mirror.url: sum(mirror.served.values()),
        }
    assert files(to / THIRD) == files(published.releases / THIRD)


def test_the_copies_that_the_index_names_are_asked_and_nothing_but_servers(own: Any, to: Path) -> None:
    with OddServer(own.releases) as mirror, OddServer(own.releases) as server:
        release_index.write(
            own.releases,
            release_index.read_index(own.releases),
            ["file:///etc", "/etc", "http://[", mirror.url],
        )
        server.odd = {f"{THIRD}/SHA256SUMS": status(503)}
        done = pull(server.url, to, limits=QUICK)
        assert set(done.sources) == {server.url, mirror.url}
        # the one that failed is asked last from then on
        assert [path for path in server.asked if path != "index.json"] == [f"{THIRD}/SHA256SUMS"]
    shutil.rmtree(to)
    with OddServer(own.releases) as mirror:  # nobody listens at the other address any more
        done = pull(server.url, to, mirrors=[mirror.url], limits=QUICK)
        assert set(done.sources) == {mirror.url}
        assert "index.json came from" in done.warnings[0]
    with pytest.raises(IncompleteError, match=r"index\.json cannot be had now"):
        pull(server.url, to, limits=QUICK)


def test_a_server_that_cuts_every_answer_gives_all_in_the_end(
    server: OddServer, published: Any, to: Path
) -> None:
    largest = f"{THIRD}/fanwen.db.zst"
    parquet = f"{THIRD}/data/all/train-00000-of-00001.parquet"
    server.odd = {largest: cut(5_000), parquet: bare(5_000)}
    pull(server.url, to, limits=QUICK)
    assert files(to / THIRD) == files(published.releases / THIRD)
    for path in server.odd:
        assert server.asked[path] > 3
        assert server.served[path] == (published.releases / path).stat().st_size
    # one that gives nothing more is left after a few attempts
    shutil.rmtree(to)
    server.odd = {largest: cut(0)}
    server.asked.clear()
    with pytest.raises(IncompleteError, match=f"^{largest} did not come"):
        pull(server.url, to, limits=QUICK)
    assert server.asked[largest] == len(QUICK.waits) + 1


def test_a_server_that_stalls_is_left_and_the_next_pull_goes_on(
    server: OddServer, published: Any, to: Path
) -> None:
    largest = f"{THIRD}/fanwen.db.zst"
    server.odd = {largest: stall(4_000)}
    with pytest.raises(IncompleteError, match=r"did not come .*ReadTimeout"):
        pull(server.url, to, limits=Limits(silence=0.2, waits=()))
    assert names(to) == [f".pulling-{THIRD}"]
    server.odd = {}
    server.served.clear()
    done = pull(server.url, to)
    assert server.served[largest] == (published.releases / largest).stat().st_size - 4_000
    assert done.resumed > 4_000
    assert files(to / THIRD) == files(published.releases / THIRD)


def test_a_server_that_gives_a_byte_now_and_then_is_too_slow(server: OddServer, to: Path) -> None:
    server.odd = {f"{THIRD}/README.md": drip(0.02)}
    limits = Limits(silence=5, waits=(0,), patience=0.3, rate=100_000)
    with pytest.raises(IncompleteError, match=r"README\.md did not come .*too slowly"):
        pull(server.url, to, limits=limits)
    server.odd = {"index.json": drip(0.02)}
    with pytest.raises(IncompleteError, match=r"index\.json cannot be had now .*too slowly"):
        pull(server.url, to, limits=limits)


def test_where_range_is_ignored_or_the_file_is_another_now_it_begins_anew(
    server: OddServer, published: Any, tmp_path: Path
) -> None:
    name = f"{THIRD}/fanwen.db.zst"
    right = (published.releases / name).read_bytes()
    file = ReleaseFile("fanwen.db.zst", len(right), sha256(right).hexdigest())
    part = tmp_path / "part"
    for before in (right[:4_000], b"\n" * 4_000, right + b"more", b"\n" * len(right), right):
        for odd in ({}, {name: whole}, {name: chunked}):
            part.write_bytes(before)
            server.odd = odd
            came: list[int] = []
            transport.bring(transport.source(server.url), name, file, part, QUICK, came.append)
            assert part.read_bytes() == right
            if before == right[:4_000]:
                assert sum(came) == len(right) - (0 if odd else 4_000)
    # the file has become shorter, so that nothing follows what is here: said after one new attempt
    part.write_bytes(right[:4_000])
    server.odd = {name: other(right[:3_000])}
    with pytest.raises(WrongError, match=r"ended after 3,000 of"):
        transport.bring(transport.source(server.url), name, file, part, QUICK, came.append)
    # and a server that gives another part than the one that was asked for
    server.odd = {name: lambda answer, content: answer.head(206, 0, "bytes 7-9/10")}
    with pytest.raises(WrongError, match="no bytes from 0 on"):
        transport.bring(transport.source(server.url), name, file, part, QUICK, came.append)


def test_no_answer_is_read_beyond_what_the_index_says(
    server: OddServer, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{THIRD}/README.md"
    server.odd = {path: endless}
    with pytest.raises(DamagedError, match=rf"^{path} cannot be had .*larger than"):
        pull(server.url, to, limits=QUICK)
    monkeypatch.setattr(mirrors, "_INDEX_LIMIT", 100_000)
    server.odd = {"index.json": endless}
    with pytest.raises(UsageError, match="larger than 100,000 bytes"):
        pull(server.url, to, limits=QUICK)
    # and no disk either: what was written is never more than the release
    assert sum(file.stat().st_size for file in to.rglob("*") if file.is_file()) < 1_000_000


@pytest.mark.parametrize(
    "page", [b"<html>\xe7\x99\xbb\xe5\xbd\x95</html>", b"", b"[]", b"[" * 100_000, b'{"releases": 3}']
)
def test_what_is_no_index_is_said_to_be_none(server: OddServer, to: Path, page: bytes) -> None:
    server.odd = {"index.json": other(page)}
    with pytest.raises(UsageError, match=r"There is no index\.json .*no list of releases"):
        pull(server.url, to)
    assert not to.exists()


def test_redirects_are_followed_but_not_for_ever_and_not_to_files(
    server: OddServer, published: Any, to: Path
) -> None:
    with OddServer(published.releases) as target:
        server.odd = {f"{THIRD}/README.md": redirect(f"{target.url}/{THIRD}/README.md")}
        pull(server.url, to)
        assert target.served[f"{THIRD}/README.md"]
    shutil.rmtree(to)
    for where in (f"/{THIRD}/README.md", f"file://{published.releases}/{THIRD}/README.md"):
        server.odd = {f"{THIRD}/README.md": redirect(where)}
        server.asked.clear()
        with pytest.raises(IncompleteError, match=r"README\.md did not come"):
            pull(server.url, to, limits=QUICK)
        assert server.asked[f"{THIRD}/README.md"] <= 3 * 6


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_what_begins_with_tls_stays_so_and_certificates_count(
    server: OddServer, published: Any, to: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with OddServer(published.releases, context) as safe:
        with pytest.raises(IncompleteError, match=r"does not come \(self.signed certificate"):
            pull(safe.url, to, limits=QUICK)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        safe.odd = {f"{THIRD}/README.md": redirect(f"{server.url}/{THIRD}/README.md")}
        with pytest.raises(
            IncompleteError, match=r"README\.md did not come .* leads to an address without TLS"
        ):
            pull(safe.url, to, limits=QUICK)
        safe.odd = {}
        pull(safe.url, to, limits=QUICK)
    assert files(to / THIRD) == files(published.releases / THIRD)


def test_a_proxy_of_the_environment_is_asked(
    server: OddServer, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    with pytest.raises(UsageError, match="HTTP 404"):
        pull("http://corpus.example/范文", to, limits=QUICK)
    assert dict(server.asked) == {"http://corpus.example/范文/index.json": 1}


def unsafe(path: str) -> Callable[[dict[str, Any]], None]:
    return lambda entry: entry["files"].append(
        {"path": path, "bytes": 3, "sha256": sha256(b"out").hexdigest()}
    )


@pytest.mark.parametrize(
    "path",
    [
        "../out",
        "data/../../out",
        "/tmp/out",
        "a//b",
        "./out",
        ".delta/out",
        "a\\b",
        "out\n",
        "out.part",
        "README.md/a",
        "data",
    ],
)
def test_a_name_that_leads_elsewhere_or_cannot_be_is_refused(own: Any, to: Path, path: str) -> None:
    (own.path / "out").write_text("out")
    changed_index(own, unsafe(path))
    with pytest.raises(DamagedError, match="is not possible, or not safe"):
        pull(str(own.releases), to)
    assert not to.exists() or names(to) == []


def test_an_index_that_says_something_else_than_the_release_is_refused(own: Any, to: Path) -> None:
    def first(entry: dict[str, Any], **change: object) -> None:
        entry["files"][0].update(change)

    right = (own.releases / "index.json").read_text()
    wrong = "0" * 64
    forged: list[tuple[Callable[[dict[str, Any]], None], str]] = [
        (unsafe("more.txt"), "more.txt of release"),
        (lambda entry: entry["files"].pop(0), r"CHANGELOG\.md of release .* not the same"),
        (lambda entry: first(entry, sha256=wrong), r"CHANGELOG\.md of release .* not the same"),
        (lambda entry: first(entry, bytes=1), r"CHANGELOG\.md cannot be had .*larger than 1 bytes"),
        (lambda entry: first(entry, bytes=1 << 40), r"CHANGELOG\.md"),
        (lambda entry: first(entry, bytes=-1), "not possible"),
        (lambda entry: entry.update(sums=wrong), "not possible"),
        (lambda entry: entry.update(root=wrong), "holds another release than the index says"),
        (lambda entry: entry.update(pieces=7), "holds another release than the index says"),
        (lambda entry: entry.update(version="../2026.3.2"), "not possible"),
    ]
    for change, says in forged:
        (own.releases / "index.json").write_text(right)
        changed_index(own, change)
        version = json.loads((own.releases / "index.json").read_text())["releases"][-1]["version"]
        with pytest.raises((DamagedError, IncompleteError), match=says):
            pull(str(own.releases), to, version, limits=QUICK)
        assert not (to / THIRD).exists()
    (own.releases / "index.json").write_text(right)
    pull(str(own.releases), to)
    assert files(to / THIRD) == files(own.releases / THIRD)


def test_a_link_in_the_folder_at_work_is_not_followed(own: Any, to: Path) -> None:
    building = to / f".pulling-{THIRD}"
    building.mkdir(parents=True)
    (own.path / "precious").write_text("不能动")
    (building / "README.md").symlink_to(own.path / "precious")
    (building / "fanwen.db.zst.part").symlink_to(own.path / "precious")
    (building / "data").symlink_to(own.path)
    pull(str(own.releases), to)
    assert files(to / THIRD) == files(own.releases / THIRD)
    assert not [path for path in to.rglob("*") if path.is_symlink()]
    assert (own.path / "precious").read_text() == "不能动"
    assert not (own.path / "all").exists()


def test_who_signed_is_asked_before_much_is_fetched(
    server: OddServer, published: Any, to: Path, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    (tmp_path / "strangers").write_text(f"fanwen {stranger.with_suffix('.pub').read_text()}")
    with pytest.raises(DamagedError, match="by none of the signers"):
        pull(server.url, to, signers=tmp_path / "strangers")
    assert set(server.served) == {
        "index.json",
        f"{THIRD}/SHA256SUMS",
        f"{THIRD}/SHA256SUMS.sig",
        f"{THIRD}/release.json",
    }
    assert pull(server.url, to, signers=published.path / "signers").signed_by == "fanwen"
    with pytest.raises(DamagedError, match="by none of the signers"):
        pull(server.url, to, signers=tmp_path / "strangers")


def test_withdrawn_releases_are_refused_and_named_and_kept(own: Any, to: Path) -> None:
    pull(str(own.releases), to, SECOND)
    release_index.mark_taken_down(own.releases, "2026-7", [SECOND, THIRD])
    done = pull(str(own.releases), to)
    assert [warning.split()[1] for warning in done.warnings] == [SECOND, THIRD]
    again = release.reissue(own.corpus, own.releases, SECOND, delete_withdrawn=True)
    with pytest.raises(RefusedError, match=rf"{SECOND} was withdrawn, .* pull {again.version}"):
        pull(str(own.releases), to, SECOND)
    done = pull(str(own.releases), to)
    assert done.version == THIRD, "what was issued again is no news"
    assert f"{to / SECOND} was withdrawn: remove it, and use {again.version}." in done.warnings
    assert (to / SECOND).is_dir()
    listed = {one.version: one for one in client.listing(str(own.releases), to)}
    assert [(one.version, one.here) for one in listed.values()] == [
        (FIRST, False), (SECOND, True), (again.version, False), (THIRD, True)
    ]  # fmt: skip
    assert (listed[SECOND].withdrawn, listed[SECOND].reissued_as) == (True, again.version)
    # and again: the newest that stands for it is named
    last = release.reissue(own.corpus, own.releases, again.version)
    with pytest.raises(RefusedError, match=rf"pull {last.version}"):
        pull(str(own.releases), to, SECOND)
    pull(str(own.releases), to, last.version)
    assert files(to / last.version) == files(own.releases / last.version)


def test_an_old_list_is_noticed_where_a_newer_release_is_here(own: Any, to: Path) -> None:
    pull(str(own.releases), to)
    assert pull(str(own.releases), to).warnings == ()
    release_index.write(own.releases, release_index.read_index(own.releases)[:2])
    done = pull(str(own.releases), to)
    assert done.version == SECOND
    assert done.warnings == (
        f"{to / THIRD} is newer than what {own.releases} lists, which may be an old list.",
    )


def test_what_changed_in_a_release_of_a_newer_fanwen_is_not_guessed(
    own: Any, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(str(own.releases), to, SECOND)
    known = store.migrations._migrations
    monkeypatch.setattr(store.migrations, "_migrations", known[:-1])
    done = pull(str(own.releases), to)
    assert (done.version, done.since, done.changes) == (THIRD, SECOND, {})
    assert "was made by a newer fanwen" in done.warnings[0]
    assert files(to / THIRD) == files(own.releases / THIRD)


def test_what_there_is_not_is_said(own: Any, to: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no release 2031\.1\.0 .* --list"):
        pull(str(own.releases), to, "2031.1.0")
    for base in ("nowhere", "ftp://example.org/x", "http://", "http://[", str(own.path / "corpus.db")):
        with pytest.raises(UsageError, match="neither a folder nor an http"):
            pull(base, to)
    with pytest.raises(UsageError, match=r"There is no index\.json"):
        pull(str(tmp_path), to)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        pull(str(own.releases), tmp_path / "file")
    release_index.write(own.releases, [])
    with pytest.raises(UsageError, match="lists no release"):
        pull(str(own.releases), to)


def test_killed_in_the_middle_it_goes_on_and_two_at_a_time_are_one_too_many(
    server: OddServer, published: Any, to: Path
) -> None:
    largest = f"{THIRD}/fanwen.db.zst"
    whole_size = (published.releases / largest).stat().st_size
    server.odd = {largest: stall(whole_size // 2)}
    command = [sys.executable, "-m", "fanwen", "pull", server.url, "--to", str(to)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as first:
        assert server.stalled.wait(60)
        part = to / f".pulling-{THIRD}" / "fanwen.db.zst.part"
        while part.stat().st_size < whole_size // 2 - (1 << 13):  # what a buffer may hold back
            assert first.poll() is None
        with pytest.raises(BlockedError, match="Another process is writing"):
            pull(server.url, to)
        first.kill()
    assert names(to) == [f".pulling-{THIRD}"]
    before = dict(server.served)
    there = part.stat().st_size
    server.odd = {}
    done = pull(server.url, to)
    assert files(to / THIRD) == files(published.releases / THIRD)
    assert names(to) == [THIRD]
    again = {path: server.served[path] - before.get(path, 0) for path in server.served}
    assert again[largest] == whole_size - there
    # of what was whole nothing came twice
    assert all(again[path] == 0 for path in before if path not in (largest, "index.json"))
    assert done.resumed + done.moved == done.bytes + again["index.json"]


def test_an_earlier_release_and_deltas_give_the_published_files(
    server: OddServer, published: Any, to: Path
) -> None:
    pull(server.url, to, FIRST)
    server.served.clear()
    done = pull(server.url, to)
    assert (done.how, done.delta_from, done.since) == ("delta", FIRST, FIRST)
    assert done.changes == {
        "ADD": {"new": 1}, "MOD": {"text": 1}, "DEL": {"source_gone": 1}
    }  # fmt: skip
    assert files(to / THIRD) == files(published.releases / THIRD)
    assert names(to) == [FIRST, THIRD]
    came = {path for path in server.served if server.served[path]}
    deltas = {f"{SECOND}/delta/from-{FIRST}.jsonl.zst", f"{THIRD}/delta/from-{SECOND}.jsonl.zst"}
    assert deltas < came
    assert not [path for path in came if path.endswith(("fanwen.db.zst", "pieces.jsonl.zst", ".parquet"))]
    assert all(server.asked[path] == 1 for path in deltas)
    assert done.moved == sum(server.served.values())
    # the next one is nearer
    shutil.rmtree(to / THIRD)
    pull(server.url, to, SECOND)
    assert pull(server.url, to).delta_from == SECOND


def test_where_deltas_fail_or_cost_more_the_files_are_fetched(
    own: Any, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again() -> client.Pulled:
        shutil.rmtree(to / THIRD, ignore_errors=True)
        done = pull(server.url, to, limits=QUICK)
        assert files(to / THIRD) == files(own.releases / THIRD)
        return done

    between = f"{SECOND}/delta/from-{FIRST}.jsonl.zst"
    with OddServer(own.releases) as server:
        pull(server.url, to, FIRST)
        for odd in (status(404), other(b"no delta")):
            server.odd = {between: odd}
            assert again().how == "files"
        server.odd = {}
        # the database that is here is not what it was
        database = to / FIRST / "fanwen.db.zst"
        right = database.read_bytes()
        for at in (10, len(right) // 2, len(right) - 2):
            wrong = bytearray(right)
            wrong[at] ^= 1
            database.write_bytes(wrong)
            assert again().how == "files"
        database.write_bytes(right)
        # the delta of a release that was withdrawn may hold what was taken down
        entries = release_index.read_index(own.releases)
        release_index.write(own.releases, [replace(one, withdrawn=one.version == SECOND) for one in entries])
        server.asked.clear()
        assert again().how == "files"
        assert between not in server.asked
        release_index.write(own.releases, entries)
        # another version of zstd makes other bytes: those files are fetched, the others not
        monkeypatch.setattr(exports, "LEVEL", 3)
        server.served.clear()
        done = again()
        assert done.how == "delta"
        came = {path for path in server.served if server.served[path]}
        assert {f"{THIRD}/fanwen.db.zst", f"{THIRD}/jsonl/pieces.jsonl.zst"} < came
        assert not [path for path in came if path.endswith(".parquet")]


def test_a_delta_that_is_larger_than_the_database_is_not_worth_it(own: Any, to: Path) -> None:
    pull(str(own.releases), to, FIRST)
    path = own.releases / "index.json"
    index = json.loads(path.read_text())
    for file in index["releases"][1]["files"]:
        if file["path"].startswith("delta/"):
            file["bytes"] = 1 << 30
    path.write_text(json.dumps(index))
    assert pull(str(own.releases), to).how == "files"


def test_progress_counts_bytes(server: OddServer, to: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    done = pull(server.url, to, progress=lambda *step: seen.append(step))
    assert seen.pop()[0] == "verifying"
    assert {step[0] for step in seen} == {"pulled, kB"}
    assert [step[1] for step in seen] == sorted(step[1] for step in seen)
    assert seen[-1][1:] == (done.moved // 1000, done.bytes // 1000)


def test_killed_at_moments_that_nobody_chose(
    published: Any, to: Path, killed: Callable[..., Any], soak: bool
) -> None:
    pull(str(published.releases), to, FIRST)
    whole = killed(None, pull, str(published.releases), to)
    r = random.Random(7)
    for _ in range(60 if soak else 5):
        shutil.rmtree(to / THIRD)
        while killed(r.uniform(0.1, 1.1) * whole, pull, str(published.releases), to):
            assert set(names(to)) <= {FIRST, THIRD, f".pulling-{THIRD}"}
            if (to / THIRD).exists():
                assert files(to / THIRD) == files(published.releases / THIRD)
        assert files(to / THIRD) == files(published.releases / THIRD)
        assert names(to) == [FIRST, THIRD]
