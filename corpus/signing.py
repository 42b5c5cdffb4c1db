"""Signs the sums of a release, and checks who signed them, with OpenSSH's own program.

In go a folder with ``SHA256SUMS`` and a private key, out comes ``SHA256SUMS.sig`` beside it; what is signed
vouches for every other file. ``ssh-keygen -Y`` asks for nothing that a machine with ssh has not; a
signature by an Ed25519 or RSA key is the same every time.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from fanwen.errors import DamagedError, UsageError

SIGNATURE = "SHA256SUMS.sig"
NAMESPACE = "fanwen-release"  # so that a signature made for something else proves nothing here
SECONDS = 60  # a key with a passphrase asks an agent; nobody answers in an unattended run


def sign(sums: Path, key: Path) -> None:
    """Write the signature of ``SHA256SUMS`` beside it.

    Raises :class:`UsageError` where the key cannot sign.
    """
    if not key.is_file():
        raise UsageError(f"There is no key {key}; make one with 'ssh-keygen -t ed25519 -f {key}'.")
    done = _run(["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE, str(sums)])
    if done.returncode or not sums.with_name(SIGNATURE).is_file():
        raise UsageError(
            f"The key {key} cannot sign ({_last(done.stderr)}); give a private key without a passphrase, "
            "or one that ssh-agent holds."
        )


def signer(sums: Path, allowed: Path) -> str:
    """Who signed ``SHA256SUMS``, of those in the allowed-signers file (see ssh-keygen(1)).

    Raises :class:`DamagedError` where it is not signed by one of them, :class:`UsageError` without that file.
    """
    signature = sums.with_name(SIGNATURE)
    if not allowed.is_file():
        raise UsageError(
            f"There is no file {allowed}; it holds a line 'NAME ssh-ed25519 KEY' for each signer."
        )
    if not signature.is_file():
        raise DamagedError(f"{SIGNATURE} is missing in {sums.parent}; fetch it, or the release again.")
    found = _run(["-Y", "find-principals", "-s", str(signature), "-f", str(allowed)])
    names = found.stdout.decode("utf-8", "replace").splitlines()
    if found.returncode or not names:
        raise DamagedError(
            f"{SIGNATURE} in {sums.parent} is by none of the signers in {allowed}; "
            "do not trust the release unless its maintainer names another key."
        )
    check = ["-Y", "verify", "-f", str(allowed), "-I", names[0], "-n", NAMESPACE, "-s", str(signature)]
    if _run(check, sums.read_bytes()).returncode:
        raise DamagedError(
            f"{SIGNATURE} in {sums.parent} is not a signature of its {sums.name}; fetch both again."
        )
    return names[0]


def _run(arguments: Sequence[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments], input=given, capture_output=True, timeout=SECONDS, check=False
        )
    except FileNotFoundError:
        raise UsageError("Signatures need ssh-keygen; install OpenSSH.") from None
    except subprocess.TimeoutExpired:
        raise UsageError("ssh-keygen did not answer; give a key without a passphrase.") from None


def _last(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].rstrip(".\r") if lines else "it says nothing"
