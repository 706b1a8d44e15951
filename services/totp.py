"""Codes by time, as RFC 6238 has them: SHA-1, 30 seconds, six digits, which is what every telephone's app makes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
SECRET_BYTES = 20  # as long as SHA-1's output (RFC 4226, section 4, R6)
DRIFT_STEPS = 1  # a telephone's clock may be half a minute off (RFC 6238, section 5.2)


def make_secret() -> str:
    """Return a new secret as apps take it: base32."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def make_code(secret: str, step: int, digits: int = DIGITS) -> str:
    """Return the code of a step: the dynamic truncation of RFC 4226, section 5.3."""
    mac = hmac.new(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1).digest()
    place = mac[-1] & 0x0F
    number = int.from_bytes(mac[place : place + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def find_step(secret: str, code: str, at_seconds: float) -> int | None:
    """Return the step whose code this is, among the present one and its neighbours; each is compared."""
    present = int(at_seconds) // STEP_SECONDS
    steps = range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1)
    fits = [step for step in steps if hmac.compare_digest(make_code(secret, step).encode(), code.encode())]
    return fits[-1] if fits else None


def write_uri(secret: str, email: str, issuer: str) -> str:
    """Return what an app reads out of the QR code."""
    label = quote(f"{issuer}:{email}", safe="@:")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': issuer}, quote_via=quote)}"
