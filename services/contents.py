"""Contents: the bytes of what a seller's funnel shows, read out of Postgres piece by piece."""

from __future__ import annotations

import asyncio
import mimetypes
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, BinaryIO

from grimbots.services.clients.telegram import File

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

SMALL_BYTES = 1_000_000  # a picture; what is larger goes over a file on disk, so that many at once need no memory


async def open_file(stack: AsyncExitStack, app: App, asset: Row, name: str) -> File:
    """Give a stored content as a file to upload, under `name` or one of its own; what is open closes with the stack."""
    shown = name or asset.sha256[:12] + (mimetypes.guess_extension(asset.content_type) or "")
    if asset.size_bytes <= SMALL_BYTES:
        small = b"".join([chunk async for chunk in read_chunks(app, asset)])
        return File(shown, small, asset.content_type)
    spooled: BinaryIO = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (the stack closes it)
    async for chunk in read_chunks(app, asset):
        await asyncio.to_thread(spooled.write, chunk)
    spooled.seek(0)
    return File(shown, spooled, asset.content_type)


async def read_chunks(app: App, asset: Row) -> AsyncIterator[bytes]:
    """Give a stored content piece by piece."""
    key, number = {"account_id": asset.account_id, "asset_id": asset.id}, 0
    while (chunk := await app.db.assets.find_chunk(**key, number=number)) is not None:
        yield bytes(chunk)
        number += 1
