"""POST /webhook/payment/<gateway>/<key>[/anything]: a provider's event in. Stored before it is answered."""

from __future__ import annotations

from tornado.web import stream_request_body

from grimbots.handlers.base import BaseHandler
from grimbots.services import receptions

LARGEST_EVENT_BYTES = 128 * 1024
LARGEST_READ_BYTES = 64 * 1024 * 1024  # a larger body is read to its end and thrown away, so that the connection lives


@stream_request_body
class PaymentHandler(BaseHandler):
    """Answers: 200 stored (or seen before), 404 unknown key, 413 too large, 503 nothing could be stored: send it again.

    A forged event is stored and answered 200 like any other: an error would tell its sender, and make a real provider
    whose secret was mistyped give up. It settles nothing. The body is read as a stream because Tornado would else parse
    forms by itself, and answer 400 to one it cannot read.
    """

    def prepare(self) -> None:
        """Begin with an empty body."""
        self._body = bytearray()
        self._size_bytes = 0
        self.request.connection.set_max_body_size(LARGEST_READ_BYTES)  # type: ignore[union-attr]

    def data_received(self, chunk: bytes) -> None:
        """Keep what is small enough to be an event."""
        self._size_bytes += len(chunk)
        if self._size_bytes <= LARGEST_EVENT_BYTES:
            self._body += chunk

    async def post(self, gateway: str, key: str, suffix: str = "") -> None:
        """Store the event."""
        if self._size_bytes > LARGEST_EVENT_BYTES:
            message = f"an event has at most {LARGEST_EVENT_BYTES} bytes"
            self.answer({"error": {"code": "too_large", "message": message}}, 413)
            return
        headers = dict(self.request.headers.get_all())
        await receptions.receive(self.app, gateway, key, suffix, self.request.query, headers, bytes(self._body))
        self.answer({})

    async def get(self, gateway: str, key: str, suffix: str = "") -> None:
        """Answer a provider's panel that looks whether the address lives."""
        self.answer({})

    async def head(self, gateway: str, key: str, suffix: str = "") -> None:
        """Answer as GET does."""
        self.finish()
