"""The certificate a bank gives its customer's programs: taken as it was downloaded, checked, and kept as PEM."""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from grimbots.services.clients.identities import make_context
from grimbots.services.errors import Invalid

PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)
HOW = "o conteúdo de `base64 -w0 certificado.p12` (ou de um .pem com o certificado e a chave)"


def read_certificate(given: str, now: datetime) -> str:
    """Return the certificate, its chain and its key as one PEM text, the certificate first.

    Args:
        given: PEM text, or in base64 what a .p12 or .pem file without a password holds.

    Raises:
        Invalid: it cannot be read, has no key or another's, or is not in force; in words for the seller.
    """
    key, certificates = _load(_decode(given))
    mine = [certificate for certificate in certificates if _spki(certificate) == _public(key)]
    if not mine:
        raise Invalid("a chave privada não é deste certificado: exporte os dois juntos, do mesmo arquivo do banco")
    if fault := _find_fault(mine[0], now):
        raise Invalid(fault)
    chain = [certificate for certificate in certificates if certificate is not mine[0]]
    blocks = [certificate.public_bytes(Encoding.PEM) for certificate in (mine[0], *chain)]
    pem = b"".join([*blocks, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]).decode()
    try:
        make_context(pem)
    except ssl.SSLError as error:
        raise Invalid(f"o OpenSSL deste servidor não aceita o certificado ({error.reason}): peça outro") from error
    return pem


def find_fault(pem: str, now: datetime) -> str | None:
    """Tell in words why a certificate that was read before is of no use now; None: it is in force."""
    try:
        return _find_fault(x509.load_pem_x509_certificate(pem.encode()), now)
    except ValueError:
        return f"o certificado não pôde ser lido: conecte a conta de novo, com {HOW}"


def _find_fault(certificate: x509.Certificate, now: datetime) -> str | None:
    if certificate.not_valid_after_utc <= now:
        ended = certificate.not_valid_after_utc
        return f"o certificado venceu em {ended:%d/%m/%Y}: baixe um novo no painel do banco e conecte a conta de novo"
    if certificate.not_valid_before_utc > now:
        return f"o certificado só vale a partir de {certificate.not_valid_before_utc:%d/%m/%Y}"
    return None


def _decode(given: str) -> bytes:
    if "-----BEGIN" in given:
        return given.encode()
    try:
        return base64.b64decode("".join(given.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid(f"o certificado não está em PEM nem em base64: cole {HOW}") from error


def _load(data: bytes) -> tuple[PrivateKeyTypes, list[x509.Certificate]]:
    try:
        found = _load_pem(data) if b"-----BEGIN" in data else _load_p12(data)
    except TypeError as error:  # what cryptography raises for a key that wants a password
        raise Invalid("a chave do certificado tem senha: exporte-a sem senha e tente de novo") from error
    except ValueError as error:
        raise Invalid(f"o certificado não pôde ser lido, ou o arquivo tem senha: cole {HOW}, sem senha") from error
    if found[0] is None or not found[1]:
        raise Invalid("falta a chave privada ou o certificado: o arquivo precisa ter os dois")
    return found[0], found[1]


def _load_pem(data: bytes) -> tuple[PrivateKeyTypes | None, list[x509.Certificate]]:
    block = PRIVATE_KEY.search(data)
    key = load_pem_private_key(block[0], None) if block else None
    return key, x509.load_pem_x509_certificates(data) if b"BEGIN CERTIFICATE" in data else []


def _load_p12(data: bytes) -> tuple[PrivateKeyTypes | None, list[x509.Certificate]]:
    """Read PKCS #12; where a bank sets no password, some programs write an empty one."""
    try:
        store = load_pkcs12(data, None)
    except ValueError:
        store = load_pkcs12(data, b"")
    own = [store.cert] if store.cert else []
    return store.key, [entry.certificate for entry in (*own, *store.additional_certs)]


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _public(key: PrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
