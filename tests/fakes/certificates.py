"""Certificates that nobody vouches for but themselves."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def make_server_tls(folder: Path, *names: str) -> ssl.SSLContext:
    """Make a server's context with a key and a certificate for these names, `localhost` without any."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(_write_certificate(folder, names or ("localhost",)))
    return context


def trust_server(folder: Path) -> ssl.SSLContext:
    """Make a client's context that trusts the server made in this folder, and no other."""
    return ssl.create_default_context(cafile=str(folder / "server.pem"))


def _write_certificate(folder: Path, names: tuple[str, ...]) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
    signed = builder.sign(key, hashes.SHA256())
    unlocked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(unlocked + signed.public_bytes(Encoding.PEM))
    return path
