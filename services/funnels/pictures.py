"""Pictures a seller gives: what Telegram's sendPhoto takes (Bot API, "Sending files": 10 MB)."""

from __future__ import annotations

MAX_PICTURE_BYTES = 10 * 1024 * 1024
SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def guess_content_type(content: bytes) -> str | None:
    """Tell a picture's content type by its first bytes, None where it is no PNG or JPEG."""
    return next((kind for signature, kind in SIGNATURES.items() if content.startswith(signature)), None)
