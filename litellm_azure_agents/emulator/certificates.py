"""A certificate of the emulator's own, for clients that insist on https."""

from __future__ import annotations

import datetime
import ipaddress
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

LIFETIME = datetime.timedelta(days=30)
_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-signed certificate and its key, as PEM files."""

    file: Path
    key_file: Path
    temporary: bool

    def discard(self) -> None:
        """Delete what was made for one emulator only."""
        if self.temporary:
            shutil.rmtree(self.file.parent, ignore_errors=True)


def make_certificate(host: str, directory: str | None = None) -> Certificate:
    """A new certificate for loopback and `host`; in a directory, the one there if it still serves.

    Raises OSError where the package `cryptography` is missing.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError as error:
        raise OSError("--tls needs the package cryptography: pip install cryptography") from error

    place = Path(directory or tempfile.mkdtemp(prefix="emulator-tls-"))
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Certificate(place / "emulator.pem", place / "emulator.key", directory is None)
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [_general_name(name) for name in dict.fromkeys((*_NAMES, host))]
    if made.file.exists() and made.key_file.exists():
        found = x509.load_pem_x509_certificate(made.file.read_bytes())
        there = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if found.not_valid_after_utc - now > LIFETIME / 10 and list(there) == names:
            return made
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "litellm-azure-agents emulator")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    handle = os.open(made.key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "wb") as file:
        file.write(secret)
    made.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return made


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
