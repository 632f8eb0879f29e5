"""Certificates for https: an authority that clients trust, and a server certificate from it."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files: the authority for clients, and the server's certificate with its key."""

    ca_file: Path
    server_file: Path
    _folder: Path

    def discard(self) -> None:
        """Delete the files that were made for one emulator only."""
        shutil.rmtree(self._folder, ignore_errors=True)


def make_certificate(host: str, directory: str | None = None) -> Certificate:
    """A new certificate for loopback and `host`.

    With a directory, its authority is kept there and used again. Raises OSError if the package
    `trustme` is missing.
    """
    try:
        import trustme
    except ImportError as error:
        raise OSError("--tls needs the package trustme: pip install trustme") from error

    folder = Path(tempfile.mkdtemp(prefix="emulator-tls-"))
    kept = Path(directory) if directory else folder
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_file, key_file = kept / "emulator.pem", kept / "emulator.key"
    if ca_file.exists() and key_file.exists():
        ca = trustme.CA.from_pem(ca_file.read_bytes(), key_file.read_bytes())
    else:
        ca = trustme.CA(organization_name="litellm-azure-agents emulator")
        _write_secret(key_file, ca.private_key_pem.bytes())
        ca_file.write_bytes(ca.cert_pem.bytes())
    server = ca.issue_cert(*dict.fromkeys((*_NAMES, host)))
    server_file = folder / "server.pem"
    _write_secret(server_file, server.private_key_and_cert_chain_pem.bytes())
    return Certificate(ca_file, server_file, folder)


def _write_secret(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
