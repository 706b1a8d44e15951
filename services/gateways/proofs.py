"""Proofs an event bears, compared in constant time. Nothing raises, whatever somebody sends; no empty secret fits."""

from __future__ import annotations

import hashlib
import hmac


def is_word(given: str, word: str) -> bool:
    """Tell whether a static token is the seller's own word. It says nothing of the event it came with."""
    return bool(word) and hmac.compare_digest(_encode(given), _encode(word))


def is_sha256(secret: str, signed: str, digest: str) -> bool:
    """Tell whether `digest`, in small hex letters, is the HMAC-SHA256 of a text."""
    expected = hmac.new(_encode(secret), _encode(signed), hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(_encode(expected), _encode(digest))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
