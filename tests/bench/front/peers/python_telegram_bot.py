"""python-telegram-bot's webhook server (Tornado), updates handled side by side: 256 at once (22.8, November 2026).

https://github.com/python-telegram-bot/python-telegram-bot/wiki/Webhooks
"""

from __future__ import annotations

from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

from grimbots.tests.bench.front.contract import BOT_API_URL, HOST, PATH, SECRET, TOKEN, execute, main


async def _handle(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.effective_chat is not None
    await execute(update.effective_chat.id)


def serve(port: int) -> None:
    """Serve until killed."""
    builder = Application.builder().token(TOKEN).base_url(f"{BOT_API_URL}/bot").concurrent_updates(True)
    application = builder.build()
    application.add_handler(MessageHandler(filters.ALL, _handle))
    address = f"http://{HOST}:{port}{PATH}"
    application.run_webhook(HOST, port, PATH.removeprefix("/"), webhook_url=address, secret_token=SECRET)


if __name__ == "__main__":
    main(serve)
