"""Calls that show files: a stored one is uploaded once per bot and then sent by its file id, a QR code is drawn.

A file id belongs to a bot and to the form a content was sent in. Who finds none uploads in his turn: within a process
by a lock, across processes by a claim in bot_files that lapses, so that a killed uploader holds nobody up for long.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from grimbots.services import contents, qr_codes
from grimbots.services.clients.telegram import Answer, File, Kind
from grimbots.services.funnels.media import KINDS
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

TURN_SECONDS = 20.0
CLAIM_SECONDS, CLAIM_BYTES_PER_SECOND = 5, 1_000_000  # others wait so long for an upload; it may be done a second time
ATTACHED = "attach://"


@dataclass(frozen=True, slots=True)
class Part:
    """A stored file of a call: how it is shown, its content, and the name its reader sees."""

    kind: str
    sha256: str
    name: str = ""

    @property
    def form(self) -> str:
        """How the content is sent: what its file id depends on besides the bot."""
        return f"{self.kind}:{self.name}" if self.name else self.kind


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A Bot API call about to leave, with the stored files it shows, in order."""

    app: App
    bot: Bot
    method: str
    params: Mapping[str, Any]
    parts: Sequence[Part] = field(default=())

    async def leave(self, file_ids: Mapping[Part, str], files: Mapping[str, File] | None = None) -> Answer:
        """Call Telegram, if this process surely still owns the job."""
        self.app.queue.guard()
        params = fill_in(self.params, self.parts, file_ids)
        return await self.app.telegram.call(self.bot.token, self.method, params, files)

    def key(self, part: Part) -> dict[str, Any]:
        """Name a part's row in bot_files."""
        return {
            "account_id": self.bot.account_id,
            "bot_id": self.bot.id,
            "sha256": part.sha256,
            "form": part.form,
        }


async def call(app: App, bot: Bot, method: str, params: Mapping[str, Any]) -> Answer:
    """Call `method`; a value {"asset": "<sha256>"} or {"qr": "<code>"} of it, or of its album's items, becomes a file.

    Raises:
        LeaseLost: nothing was sent.
    """
    outgoing = Outgoing(app, bot, method, params, find_parts(params))
    if outgoing.parts:
        return await _call_with_files(outgoing)
    drawn = {name: value["qr"] for name, value in params.items() if isinstance(value, dict) and value.keys() == {"qr"}}
    if not drawn:
        return await outgoing.leave({})
    rest = {name: value for name, value in params.items() if name not in drawn}
    files = {name: File("pix.png", qr_codes.draw_png(code), "image/png") for name, code in drawn.items()}
    return await Outgoing(app, bot, method, rest).leave({}, files)


async def has_file_id(app: App, bot: Bot, part: Part) -> bool:
    """Tell whether a file was uploaded by this bot in this form."""
    return part in await _find_file_ids(Outgoing(app, bot, "", {}, [part]))


def find_parts(params: Mapping[str, Any]) -> list[Part]:
    """Give the stored files of a call, in order: its own, or those of its album's items."""
    album = params.get("media", ())
    shown = [(item["type"], item["media"]) for item in album] or [(kind, params.get(kind)) for kind in KINDS]
    return [Part(kind, file["asset"], file.get("name", "")) for kind, file in shown if _is_stored(file)]


def _is_stored(file: Any) -> bool:
    return isinstance(file, dict) and "asset" in file


def fill_in(params: Mapping[str, Any], parts: Sequence[Part], file_ids: Mapping[Part, str]) -> dict[str, Any]:
    """Put file ids, and what names an attached file, in the places of the files."""
    if not parts:
        return dict(params)
    if "media" not in params:
        return {**params, parts[0].kind: file_ids[parts[0]]}
    ids = (file_ids[part] for part in parts)
    media = [{**item, "media": next(ids)} if _is_stored(item["media"]) else item for item in params["media"]]
    return {**params, "media": media}


async def _call_with_files(outgoing: Outgoing) -> Answer:
    file_ids = await _find_file_ids(outgoing)
    if file_ids.keys() >= set(outgoing.parts):
        answer = await outgoing.leave(file_ids)
        if answer.kind is not Kind.BAD_FILE:
            return answer
        for part, file_id in file_ids.items():  # of an album nobody says which
            await outgoing.app.db.bot_files.forget(**outgoing.key(part), file_id=file_id)
    return await _upload_in_turn(outgoing)


async def _find_file_ids(outgoing: Outgoing) -> dict[Part, str]:
    files = outgoing.app.db.bot_files
    found = {part: await files.find_file_id(**outgoing.key(part)) for part in set(outgoing.parts)}
    return {part: file_id for part, file_id in found.items() if file_id is not None}


async def _upload_in_turn(outgoing: Outgoing) -> Answer:
    """Upload what has no file id, or use what others upload just now: Telegram throttles equal uploads of a bot."""
    turns = outgoing.app.telegram.uploads
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                for sha256 in sorted({part.sha256 for part in outgoing.parts}):  # everybody in the same order
                    await stack.enter_async_context(turns.of((outgoing.bot.id, sha256)))
        except TimeoutError:
            return Answer(Kind.NEVER_SENT, description="the same file is still being uploaded")
        file_ids = await _find_file_ids(outgoing)
        missing = [part for part in dict.fromkeys(outgoing.parts) if part not in file_ids]
        return await (_upload_claimed(outgoing, file_ids, missing) if missing else outgoing.leave(file_ids))


async def _upload_claimed(outgoing: Outgoing, file_ids: Mapping[Part, str], missing: Sequence[Part]) -> Answer:
    """Upload unless another process does so just now."""
    find = outgoing.app.db.assets.find
    assets = {part: await find(account_id=outgoing.bot.account_id, sha256=part.sha256) for part in missing}
    if not all(assets.values()):
        return Answer(Kind.REFUSED, description="its file is not stored: publish the funnel again")
    claimed = [part for part in missing if await _claim(outgoing, part, assets[part].size_bytes)]
    uploaded: Mapping[Part, str] = {}
    try:
        if len(claimed) < len(missing):
            return Answer(Kind.NEVER_SENT, description="another process uploads the same file")
        answer = await _upload(outgoing, file_ids, assets)
        uploaded = read_file_ids(answer.result, outgoing) if answer.kind is Kind.OK else {}
        return answer
    finally:
        await _settle_claims(outgoing, claimed, uploaded)


async def _upload(outgoing: Outgoing, file_ids: Mapping[Part, str], assets: Mapping[Part, Row]) -> Answer:
    """Call Telegram with the bytes of `assets`, and the ids of the files it has."""
    telegram, files, attached = outgoing.app.telegram, {}, dict(file_ids)
    async with AsyncExitStack() as stack:
        for place, (part, asset) in enumerate(assets.items()):
            name = f"file{place}" if "media" in outgoing.params else part.kind
            files[name] = await contents.open_file(stack, outgoing.app, asset, part.name)
            attached[part] = ATTACHED + name
        await asyncio.sleep(telegram.pace.reserve(outgoing.bot.id, [asset.size_bytes for asset in assets.values()]))
        return await outgoing.leave(attached, files)


async def _claim(outgoing: Outgoing, part: Part, size_bytes: int) -> bool:
    now = outgoing.app.clock()
    until = now + timedelta(seconds=CLAIM_SECONDS + size_bytes // CLAIM_BYTES_PER_SECOND)
    return bool(await outgoing.app.db.bot_files.claim(**outgoing.key(part), until=until, now=now))


async def _settle_claims(outgoing: Outgoing, claimed: Sequence[Part], uploaded: Mapping[Part, str]) -> None:
    """Store what Telegram calls the files; let others try where it came to nothing. Not worth losing the answer for."""
    files, now = outgoing.app.db.bot_files, outgoing.app.clock()
    try:
        for part in claimed:
            if part in uploaded:
                await files.remember(**outgoing.key(part), file_id=uploaded[part], now=now)
            else:
                await files.release(**outgoing.key(part))
    except (DatabaseUnavailable, StatementTimeout):
        log.warning("Postgres is away: bot %d will upload a file once more", outgoing.bot.id)


def read_file_ids(result: Any, outgoing: Outgoing) -> dict[Part, str]:
    """Read the file ids out of a sent Message, or of an album's Messages."""
    messages = [result]
    if isinstance(result, list):
        items = zip(result, outgoing.params["media"], strict=False)
        messages = [message for message, item in items if _is_stored(item["media"])]
    found = {part: read_file_id(message, part.kind) for part, message in zip(outgoing.parts, messages, strict=False)}
    return {part: file_id for part, file_id in found.items() if file_id is not None}


def read_file_id(message: Any, kind: str) -> str | None:
    """Return the file id in a sent Message, for a photo that of its largest size; None where there is none.

    Telegram makes an animation of a film without sound, an audio of some voices: their ids serve just as well.
    """
    if not isinstance(message, dict):
        return None
    value = next((message[slot] for slot in (kind, *KINDS) if slot in message), None)
    if isinstance(value, list):
        value = max((size for size in value if isinstance(size, dict)), key=_measure_size, default=None)
    file_id = value.get("file_id") if isinstance(value, dict) else None
    return file_id if isinstance(file_id, str) else None


def _measure_size(size: Mapping[str, Any]) -> int:
    width, height = size.get("width"), size.get("height")
    return width * height if isinstance(width, int) and isinstance(height, int) else 0
