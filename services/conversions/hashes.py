"""Hashes: contact data as ad networks want it: normalised, then SHA-256 in lower-case hexadecimal.

Source: Meta, "Customer Information Parameters" (developers.facebook.com, 2026-01-09), whose examples are in the tests.
Others differ in small things, said where they do.
"""

from __future__ import annotations

import hashlib
import re

NO_DIGITS = re.compile(r"\D")
DOTLESS = ("gmail.com", "googlemail.com")


def digest(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_email(email: str | None) -> str | None:
    """Hash an address, trimmed and in lower case."""
    return digest(email.strip().lower()) if email else None


def hash_email_for_google(email: str | None) -> str | None:
    """Likewise; Gmail's dots before the @ go (Data Manager API, "Format user data")."""
    if not email:
        return None
    name, _, host = email.strip().lower().rpartition("@")
    return digest(f"{name.replace('.', '') if host in DOTLESS else name}@{host}")


def hash_phone(phone: str | None) -> str | None:
    """Hash a number with its country: digits only, no zeros before them."""
    return digest(NO_DIGITS.sub("", phone).lstrip("0")) if phone else None


def hash_phone_with_plus(phone: str | None) -> str | None:
    """Hash a number in E.164 with its plus sign, as Google and TikTok want it."""
    return digest(f"+{NO_DIGITS.sub('', phone).lstrip('0')}") if phone else None
