"""Certificates: that nobody vouches for but themselves, and those of an authority of our own."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def make_server_tls(folder: Path, *names: str) -> ssl.SSLContext:
    """Make a server's context with a key and a certificate for these names or addresses, `localhost` without any."""
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
    ).add_extension(x509.SubjectAlternativeName([_write_name(each) for each in names]), critical=False)
    signed = builder.sign(key, hashes.SHA256())
    unlocked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(unlocked + signed.public_bytes(Encoding.PEM))
    return path


def _write_name(host: str) -> x509.GeneralName:
    """Write a host as certificates do: an address is no name."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)  # before any time that a test's clock shows


class Authority:
    """One who vouches for the certificates of a bank's customers, and for the bank's own."""

    def __init__(self, name: str = "Authority") -> None:
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        about = (x509.BasicConstraints(ca=True, path_length=None), _SIGNS_CERTIFICATES)
        self.pem = self._sign(self._name, self._key, LONG_AGO, _tomorrow(), *about).public_bytes(Encoding.PEM)

    def issue(
        self, name: str, *, begins_at: datetime = LONG_AGO, ends_at: datetime | None = None, host: str = ""
    ) -> bytes:
        """Return a new certificate for a customer, or for a `host`, with its key, as PEM; it ends tomorrow."""
        key = ec.generate_private_key(ec.SECP256R1())
        about = x509.SubjectAlternativeName([x509.DNSName(host)]) if host else _NO_AUTHORITY
        signed = self._sign(_name(name), key, begins_at, ends_at or _tomorrow(), about)
        return signed.public_bytes(Encoding.PEM) + write_key(key)

    def _sign(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        begins_at: datetime,
        ends_at: datetime,
        *about: x509.ExtensionType,
    ) -> x509.Certificate:
        """Sign a certificate with all that a strict reader asks for (Python's, from 3.13 on: RFC 5280, 4.2.1)."""
        builder = x509.CertificateBuilder(
            self._name, name, key.public_key(), x509.random_serial_number(), begins_at, ends_at
        )
        keys = (
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
        )
        for extension in (*about, *keys):
            builder = builder.add_extension(extension, critical=isinstance(extension, _CRITICAL))
        return builder.sign(self._key, hashes.SHA256())


_CRITICAL = (x509.BasicConstraints, x509.KeyUsage)
_NO_AUTHORITY = x509.BasicConstraints(ca=False, path_length=None)
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def write_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a key as PEM that no password protects."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_demanding_tls(folder: Path, authority: Authority, host: str = "localhost") -> ssl.SSLContext:
    """Make the context of a server that this authority knows, and that talks only to who shows its certificate."""
    path = folder / "demanding.pem"
    path.write_bytes(authority.issue(host, host=host))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.pem.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(path)
    return context


def _tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(1)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
