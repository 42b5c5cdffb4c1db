"""Signatures of releases: made and checked with the real ssh-keygen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fanwen.corpus import release, release_index, signing
from fanwen.corpus.publishing import Publishing
from fanwen.errors import DamagedError, UsageError

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")


def key(folder: Path, name: str, passphrase: str = "") -> Path:
    path = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", str(path)], check=True
    )
    return path


def signers(folder: Path, **keys: Path) -> Path:
    file = folder / "signers"
    lines = [f"{name} {path.with_name(path.name + '.pub').read_text()}" for name, path in keys.items()]
    file.write_text("".join(lines))
    return file


@pytest.fixture
def signed(home: Any, write: Any, html: Any, tmp_path: Path) -> Path:
    home.serve({"a": html("工作总结", write(1)), "b": html("读后感", write(2))})
    home.build()
    made = release.create(
        home.corpus, home.releases, publishing=Publishing(sign_key=key(tmp_path, "maintainer"))
    )
    assert made is not None
    return Path(home.releases / made.version)


def test_who_signed_is_told(signed: Path, tmp_path: Path) -> None:
    allowed = signers(tmp_path, other=key(tmp_path, "other"), fanwen=tmp_path / "maintainer")
    assert release.verify(signed, signers=allowed).signed_by == "fanwen"
    assert release.verify(signed).signed_by is None, "not asked for"
    # anybody can check it without fanwen
    arguments = [
        "-f",
        str(allowed),
        "-I",
        "fanwen",
        "-n",
        "fanwen-release",
        "-s",
        str(signed / "SHA256SUMS.sig"),
    ]
    sums = (signed / "SHA256SUMS").read_bytes()
    subprocess.run(["ssh-keygen", "-Y", "verify", *arguments], input=sums, check=True, capture_output=True)


def test_another_key_another_text_and_none_at_all_are_refused(signed: Path, tmp_path: Path) -> None:
    stranger = signers(tmp_path, stranger=key(tmp_path, "stranger"))
    with pytest.raises(DamagedError, match=r"SHA256SUMS\.sig .* by none of the signers"):
        release.verify(signed, signers=stranger)
    allowed = signers(tmp_path, fanwen=tmp_path / "maintainer")
    (signed.parent / "index.json").unlink()
    sums = signed / "SHA256SUMS"
    right = sums.read_text()
    sums.write_text(right[::-1])
    with pytest.raises(DamagedError, match="is not a signature of its SHA256SUMS"):
        release.verify(signed, signers=allowed)
    sums.write_text(right)
    signature = signed / signing.SIGNATURE
    whole = signature.read_bytes()
    for at in (60, len(whole) // 2, len(whole) - 40):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        signature.write_bytes(damaged)
        with pytest.raises(DamagedError, match=r"SHA256SUMS\.sig"):
            release.verify(signed, signers=allowed)
    signature.unlink()
    with pytest.raises(DamagedError, match=r"SHA256SUMS\.sig is missing"):
        release.verify(signed, signers=allowed)
    release.verify(signed)


def test_a_signature_for_something_else_proves_nothing(signed: Path, tmp_path: Path) -> None:
    allowed = signers(tmp_path, fanwen=tmp_path / "maintainer")
    (signed / signing.SIGNATURE).unlink()
    subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-f", str(tmp_path / "maintainer"), "-n", "file", "SHA256SUMS"],
        check=True,
        cwd=signed,
        capture_output=True,
    )
    with pytest.raises(DamagedError, match=r"SHA256SUMS\.sig"):
        release.verify(signed, signers=allowed)


def test_a_key_that_cannot_sign_publishes_nothing(home: Any, write: Any, html: Any, tmp_path: Path) -> None:
    home.serve({"a": html("工作总结", write(1))})
    home.build()
    no_key = tmp_path / "none"
    no_key.write_text("no key")
    no_key.chmod(0o600)
    for wrong in (tmp_path / "missing", no_key):
        with pytest.raises(UsageError, match=wrong.name):
            release.create(home.corpus, home.releases, publishing=Publishing(sign_key=wrong))
        assert release_index.listing(home.releases) == []
    with pytest.raises(UsageError, match="There is no file"):
        signing.signer(tmp_path / "SHA256SUMS", tmp_path / "nobody")
    # what was decided is finished with the next one that can
    made = release.create(home.corpus, home.releases, publishing=Publishing(sign_key=key(tmp_path, "good")))
    assert made is not None
    allowed = signers(tmp_path, fanwen=tmp_path / "good")
    assert release.verify(home.releases / made.version, signers=allowed).signed_by == "fanwen"


def test_the_same_key_gives_the_same_bytes(signed: Path, tmp_path: Path) -> None:
    before = (signed / signing.SIGNATURE).read_bytes()
    (signed / signing.SIGNATURE).unlink()
    signing.sign(signed / "SHA256SUMS", tmp_path / "maintainer")
    assert (signed / signing.SIGNATURE).read_bytes() == before
