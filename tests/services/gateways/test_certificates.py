"""Certificates as banks give them: every form is taken, and what is of no use is refused in words."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from grimbots.services.errors import Invalid
from grimbots.services.gateways.certificates import find_fault, read_certificate
from grimbots.tests.fakes.certificates import Authority

BANK = Authority("Banco")
MINE, OTHERS = (BANK.issue(name).decode() for name in ("loja", "outra"))
NOW = datetime.now(UTC)
KEY_BEGINS = "-----BEGIN PRIVATE KEY-----"


def split(pem: str) -> tuple[str, str]:
    """Return the certificate and the key."""
    certificate, _, key = pem.partition(KEY_BEGINS)
    return certificate, KEY_BEGINS + key


def pack(pem: str, encryption: KeySerializationEncryption) -> str:
    """Return what a .p12 holds, in base64: the certificate, its key, and who vouches for it."""
    certificate, key = split(pem)
    chain = [x509.load_pem_x509_certificate(BANK.pem)]
    leaf = x509.load_pem_x509_certificate(certificate.encode())
    unlocked = load_pem_private_key(key.encode(), None)
    return base64.b64encode(serialize_key_and_certificates(b"loja", unlocked, leaf, chain, encryption)).decode()  # type: ignore[arg-type]


def lock(pem: str) -> str:
    """Return the same PEM with a password on its key."""
    certificate, key = split(pem)
    unlocked = load_pem_private_key(key.encode(), None)
    return (
        certificate + unlocked.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
    )


def wrap(text: str) -> str:
    """Return a text in base64, in lines as `base64` writes them."""
    return base64.encodebytes(text.encode()).decode()


@pytest.mark.parametrize(
    "given",
    [
        MINE,
        "".join(reversed(split(MINE))),
        f"Bag Attributes\n    friendlyName: loja\n{MINE}",
        f"{BANK.pem.decode()}{MINE}",
        wrap(MINE),
        pack(MINE, NoEncryption()),
        pack(MINE, NoEncryption()).replace("A", "A\n", 3),
    ],
    ids=["pem", "key first", "with bags", "chain first", "base64 of pem", "p12", "p12 in lines"],
)
def test_every_form_becomes_the_same_pem(given: str) -> None:
    kept = read_certificate(given, NOW)
    certificate, key = split(MINE)
    assert kept.startswith(certificate) and kept.endswith(key)
    assert read_certificate(kept, NOW) == kept and find_fault(kept, NOW) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("not a certificate!", "nem em base64"),
        (base64.b64encode(b"neither").decode(), "não pôde ser lido"),
        (split(MINE)[0], "falta a chave privada"),
        (split(MINE)[1], "falta a chave privada ou o certificado"),
        (split(MINE)[0] + split(OTHERS)[1], "não é deste certificado"),
        (lock(MINE), "tem senha"),
        (pack(MINE, BestAvailableEncryption(b"x")), "sem senha"),
        (
            BANK.issue("loja", ends_at=NOW - timedelta(9)).decode(),
            r"venceu em \d\d/\d\d/\d{4}: baixe um novo",
        ),
        (BANK.issue("loja", begins_at=NOW + timedelta(9), ends_at=NOW + timedelta(11)).decode(), "só vale a partir de"),
    ],
    ids=["no base64", "no p12", "no key", "key alone", "another's key", "locked", "locked p12", "ran out", "too soon"],
)
def test_what_is_of_no_use_is_refused_in_words(given: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as caught:
        read_certificate(given, NOW)
    assert given[-30:] not in str(caught.value)


def test_a_certificate_that_ran_out_since_is_told() -> None:
    kept = read_certificate(MINE, NOW)
    assert "venceu" in str(find_fault(kept, NOW + timedelta(30)))
    assert "não pôde ser lido" in str(find_fault("", NOW))
