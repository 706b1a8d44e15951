"""The keys of leads: what a lead told is sealed under a key of its own, kept beside it and wrapped by the master key.

Without that key nobody reads it again: erasing a lead deletes the key. A lead that has told nothing has none.
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Iterable

    from grimbots.services.secrets import Vault

KEY_BYTES, NONCE_BYTES = 32, 12
BRAZIL = "55"  # before ten or eleven digits it says no more than that a telephone is of here
LEAST_DIGITS, MOST_DIGITS = 8, 15  # of a telephone (E.164 has 15 at most) or a CPF


def make(vault: Vault) -> str:
    """Make a key, wrapped."""
    return vault.encrypt(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii"))


def seal(vault: Vault, key_encrypted: str, text: str) -> str:
    """Encrypt a text with a lead's key (AES-256-GCM)."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return base64.b64encode(nonce + _open(vault, key_encrypted).encrypt(nonce, text.encode(), None)).decode("ascii")


def unseal(vault: Vault, key_encrypted: str, sealed: str) -> str:
    """Decrypt what `seal` made."""
    raw = base64.b64decode(sealed)
    return _open(vault, key_encrypted).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None).decode()


def mark_all(vault: Vault, account_id: int, answers: Iterable[str]) -> list[str]:
    """Give the keyed hashes of those answers that somebody may be looked for by."""
    found = {normalize(answer) for answer in answers} - {None}
    return sorted(vault.lead_mark(account_id, word) for word in found if word)


def normalize(text: str) -> str | None:
    """Write an e-mail, a CPF or a telephone in one way; None: it is none of these."""
    text = text.strip().lower()
    if re.fullmatch(r"\S+@\S+", text):
        return text
    digits = re.sub(r"\D", "", text)
    digits = digits.removeprefix(BRAZIL) if len(digits) in (12, 13) else digits
    return digits if LEAST_DIGITS <= len(digits) <= MOST_DIGITS and not re.search(r"[a-z]", text) else None


def _open(vault: Vault, key_encrypted: str) -> AESGCM:
    return AESGCM(base64.b64decode(vault.decrypt(key_encrypted)))
