"""Signatures: what proves to a seller's server that a message is ours, in the form of Standard Webhooks
(standardwebhooks.com): HMAC-SHA256 over the message's id, the instant and the body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping


def sign(key: bytes, message_id: str, at_seconds: int, body: bytes) -> Mapping[str, str]:
    """Make the headers that prove a message."""
    signed = b".".join((message_id.encode(), str(at_seconds).encode(), body))
    mark = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")
    return {"webhook-id": message_id, "webhook-timestamp": str(at_seconds), "webhook-signature": f"v1,{mark}"}
