"""POST /webhook/payment/<gateway>/<key>[/anything]: a provider's event in. Stored before it is answered."""

from __future__ import annotations

from grimbots.handlers.base import BaseHandler
from grimbots.services import events

LARGEST_EVENT_BYTES = 128 * 1024


class PaymentHandler(BaseHandler):
    """Answers: 200 stored (or seen before), 404 unknown key, 413 too large, 503 nothing could be stored: send it again.

    A forged event is stored and answered 200 like any other: an error would tell its sender, and make a real provider
    whose secret was mistyped give up. It settles nothing.
    """

    async def post(self, gateway: str, key: str, suffix: str = "") -> None:
        """Store the event."""
        if len(self.request.body) > LARGEST_EVENT_BYTES:
            message = f"an event has at most {LARGEST_EVENT_BYTES} bytes"
            self.answer({"error": {"code": "too_large", "message": message}}, 413)
            return
        headers = dict(self.request.headers.get_all())
        await events.receive(self.app, gateway, key, suffix, self.request.query, headers, self.request.body)
        self.answer({})

    async def get(self, gateway: str, key: str, suffix: str = "") -> None:
        """Answer a provider's panel that looks whether the address lives."""
        self.answer({})

    async def head(self, gateway: str, key: str, suffix: str = "") -> None:
        """Answer as GET does."""
        self.finish()
