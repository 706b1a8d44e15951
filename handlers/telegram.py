"""POST /webhook/telegram/<bot_key>: an update in. Bot and secret are checked before a byte of the body is kept.

What needs none of this, because all is in order, goes a shorter way: handlers/doors.py.
"""

from __future__ import annotations

from tornado.web import stream_request_body

from grimbots.handlers.base import BaseHandler
from grimbots.services import bots, intake
from grimbots.services.bots import Bot
from grimbots.services.errors import ServiceError

PATH = "/webhook/telegram/"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 (its name)
LARGEST_UPDATE_BYTES = 128 * 1024  # Telegram builds an update in 64 KiB (tdlib/telegram-bot-api, Client.cpp)
LARGEST_READ_BYTES = 64 * 1024 * 1024  # a larger body is read to its end and thrown away, so that the connection lives


@stream_request_body
class TelegramHandler(BaseHandler):
    """Answers (README, "The front door"): 200 stored, 401 secret, 404 key, 413 size, 503 try again."""

    async def prepare(self) -> None:
        """Find out who calls. A refusal waits for the end of the body: answering earlier would cut the connection."""
        self._body = bytearray()
        self._size_bytes = 0
        self._bot: Bot | None = None
        self._refusal: ServiceError | None = None
        self.request.connection.set_max_body_size(LARGEST_READ_BYTES)  # type: ignore[union-attr]
        secret = self.request.headers.get(SECRET_HEADER, "")
        try:
            self._bot = await bots.authenticate(self.app, self.path_args[0], secret)
        except ServiceError as error:
            self._refusal = error

    def data_received(self, chunk: bytes) -> None:
        """Keep what is small enough to be an update, from a caller who proved himself."""
        self._size_bytes += len(chunk)
        if self._bot is not None and self._size_bytes <= LARGEST_UPDATE_BYTES:
            self._body += chunk

    async def post(self, key: str) -> None:
        """Store the update and answer; the answer may carry the call that stops a button's spinner."""
        if self._refusal is not None or self._bot is None:
            raise self._refusal or RuntimeError("prepare() found neither a bot nor a refusal")
        if self._size_bytes > LARGEST_UPDATE_BYTES:
            self.answer(
                {"error": {"code": "too_large", "message": f"an update has at most {LARGEST_UPDATE_BYTES} bytes"}}, 413
            )
            return
        reply = await intake.receive(self.app, self._bot, bytes(self._body))
        self.answer(reply) if reply else self.finish()
