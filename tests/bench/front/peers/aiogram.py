"""aiogram's webhook on aiohttp as its documentation sets it up: handled in the background (3.31.0, November 2026).

https://docs.aiogram.dev/en/latest/dispatcher/webhook.html
"""

from __future__ import annotations

from aiogram import Bot, Dispatcher
from aiogram.types import Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from grimbots.tests.bench.front.contract import HOST, PATH, SECRET, TOKEN, execute, main


async def _handle(message: Message) -> None:
    await execute(message.chat.id)


def serve(port: int) -> None:
    """Serve until killed."""
    dispatcher = Dispatcher()
    dispatcher.message.register(_handle)
    app = web.Application()
    SimpleRequestHandler(dispatcher, Bot(TOKEN), secret_token=SECRET).register(app, PATH)
    web.run_app(app, host=HOST, port=port, access_log=None, print=None)


if __name__ == "__main__":
    main(serve)
