"""Calls that may carry a picture: a stored one is uploaded once per bot and then sent by its file id, a QR is drawn."""

from __future__ import annotations

import asyncio
import io
import logging
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import segno

from grimbots.services.clients.telegram import Answer, File, Kind
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.bots import Bot

log = logging.getLogger(__name__)

TURN_SECONDS = 20.0
QR_SCALE, QR_BORDER = 8, 4  # pixels and modules; ISO 18004 asks for a border of 4


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A Bot API call about to leave; `params` without its picture, which goes in the parameter `slot`."""

    app: App
    bot: Bot
    method: str
    params: Mapping[str, Any]
    slot: str = ""
    sha256: str = ""

    async def leave(self, **params: Any) -> Answer:
        """Call Telegram, if this process surely still owns the job."""
        self.app.queue.guard()
        return await self.app.telegram.call(self.bot.token, self.method, {**self.params, **params})

    async def upload(self, file: File) -> Answer:
        """Call Telegram with the picture's bytes, if this process surely still owns the job."""
        self.app.queue.guard()
        return await self.app.telegram.call(self.bot.token, self.method, self.params, {self.slot: file})

    @property
    def key(self) -> dict[str, Any]:
        """The stored picture of this bot."""
        return {"account_id": self.bot.account_id, "bot_id": self.bot.id, "sha256": self.sha256}


async def call(app: App, bot: Bot, method: str, params: Mapping[str, Any]) -> Answer:
    """Call `method`; a parameter {"asset": "<sha256>"} or {"qr": "<code>"} becomes a picture.

    Raises:
        LeaseLost: nothing was sent.
    """
    slot = next((name for name, value in params.items() if _is_picture(value)), "")
    if not slot:
        return await Outgoing(app, bot, method, params).leave()
    rest = {name: value for name, value in params.items() if name != slot}
    if "qr" in params[slot]:
        png = await asyncio.to_thread(draw_qr, params[slot]["qr"])
        return await Outgoing(app, bot, method, rest, slot).upload(File("pix.png", png, "image/png"))
    return await _call_with_asset(Outgoing(app, bot, method, rest, slot, params[slot]["asset"]))


def draw_qr(code: str) -> bytes:
    """Draw a code as a QR picture (PNG) that phones read off a screen. Takes milliseconds: call it in a thread."""
    picture = io.BytesIO()
    segno.make(code, error="m", micro=False).save(picture, kind="png", scale=QR_SCALE, border=QR_BORDER)
    return picture.getvalue()


def _is_picture(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() in ({"asset"}, {"qr"})


async def _call_with_asset(outgoing: Outgoing) -> Answer:
    files = outgoing.app.db.bot_files
    file_id = await files.find_file_id(**outgoing.key)
    if file_id is None:
        return await _upload_in_turn(outgoing)
    answer = await outgoing.leave(**{outgoing.slot: file_id})
    if answer.kind is not Kind.BAD_FILE:
        return answer
    await files.forget(**outgoing.key, file_id=file_id)
    return await _upload_in_turn(outgoing)


async def _upload_in_turn(outgoing: Outgoing) -> Answer:
    """Upload, or use what another send of this process uploads just now: Telegram throttles equal uploads of a bot."""
    turn = outgoing.app.telegram.uploads.of((outgoing.bot.id, outgoing.sha256))
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await turn.acquire()
    except TimeoutError:
        return Answer(Kind.NEVER_SENT, description="the same picture is still being uploaded")
    try:
        file_id = await outgoing.app.db.bot_files.find_file_id(**outgoing.key)
        return await (_upload(outgoing) if file_id is None else outgoing.leave(**{outgoing.slot: file_id}))
    finally:
        turn.release()


async def _upload(outgoing: Outgoing) -> Answer:
    asset = await outgoing.app.db.assets.find(account_id=outgoing.bot.account_id, sha256=outgoing.sha256)
    if asset is None:
        return Answer(Kind.REFUSED, description="its picture is not stored: publish the funnel again")
    name = outgoing.sha256[:12] + (mimetypes.guess_extension(asset.content_type) or "")
    answer = await outgoing.upload(File(name, asset.content, asset.content_type))
    file_id = read_file_id(answer.result, outgoing.slot)
    if file_id is not None:
        await _remember(outgoing, file_id)
    return answer


async def _remember(outgoing: Outgoing, file_id: str) -> None:
    """Store Telegram's id for the picture. Not worth losing the answer of the send for."""
    try:
        await outgoing.app.db.bot_files.remember(**outgoing.key, file_id=file_id, now=outgoing.app.clock())
    except (DatabaseUnavailable, StatementTimeout):
        log.warning("Postgres is away: bot %d will upload a picture once more", outgoing.bot.id)


def read_file_id(message: Any, slot: str) -> str | None:
    """Return the file id in a sent Message, for a photo that of its largest size; None where there is none."""
    value = message.get(slot) if isinstance(message, dict) else None
    if isinstance(value, list) and value:
        value = max(value, key=lambda size: size["width"] * size["height"])
    return value.get("file_id") if isinstance(value, dict) else None
