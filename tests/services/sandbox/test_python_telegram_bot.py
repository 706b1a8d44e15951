"""python-telegram-bot against the sandbox: its bot talks to it, its classes read every object."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from grimbots.tests.ports import pick_port
from grimbots.tests.services.sandbox.drivers import (
    CHAT,
    Driver,
    Webhook,
    has_caption,
    has_message,
    read_answers,
    wait_until,
)
from grimbots.tests.services.sandbox.objects import list_losses, make_objects
from grimbots.tests.services.sandbox.test_pictures import make_png

telegram = pytest.importorskip("telegram", reason="python-telegram-bot is not installed; `make test` brings it")


async def start(update: Any, context: Any) -> None:
    """Send a picture with buttons, then the same picture by its id."""
    buttons = [
        telegram.InlineKeyboardButton("Quero", callback_data="v1:quero"),
        telegram.InlineKeyboardButton("Copiar", copy_text=telegram.CopyTextButton("0002")),
    ]
    keyboard = telegram.InlineKeyboardMarkup([buttons])
    sent = await update.message.reply_photo(make_png(), caption="<b>Oi</b>", parse_mode="HTML", reply_markup=keyboard)
    await update.message.reply_photo(sent.photo[-1].file_id, caption="de novo")


async def tap(update: Any, context: Any) -> None:
    """Answer a tap and edit what was tapped."""
    await update.callback_query.answer("Anotado", show_alert=True)
    await update.callback_query.edit_message_caption("Pago")


async def echo(update: Any, context: Any) -> None:
    """Say the same."""
    await update.message.reply_text(update.message.text)


def make_application(sandbox: Driver) -> Any:
    """Give a bot whose Bot API is the sandbox."""
    from telegram.ext import Application, CallbackQueryHandler, CommandHandler, MessageHandler, filters

    builder = Application.builder().token(sandbox.token).base_url(f"{sandbox.server.url}/bot")
    application = builder.build()
    application.add_handler(CommandHandler("start", start))
    application.add_handler(CallbackQueryHandler(tap, "v1:quero"))
    application.add_handler(MessageHandler(filters.TEXT, echo))
    return application


@asynccontextmanager
async def run_bot(sandbox: Driver) -> AsyncIterator[Any]:
    """Serve the bot's webhook (Tornado's) and let it set it at the sandbox."""
    application = make_application(sandbox)
    port = pick_port()
    async with application:
        await application.start()
        await application.updater.start_webhook(
            "127.0.0.1", port, "hook", webhook_url=f"http://127.0.0.1:{port}/hook", secret_token="s3cret"
        )
        yield application.bot
        await application.updater.stop()
        await application.stop()


@pytest.mark.gen_test
async def test_bot_talks_to_the_sandbox(sandbox: Driver) -> None:
    async with run_bot(sandbox) as bot:
        await sandbox.say("/start")
        await wait_until(lambda: has_caption(sandbox, "de novo"))
        _, first, second = (await sandbox.chat("messages")).json
        assert first["photo"] == second["photo"]
        await sandbox.chat("taps", {"button": "Quero"})
        [answer] = await wait_until(lambda: read_answers(sandbox))
        assert (answer["text"], answer["show_alert"]) == ("Anotado", True)
        await wait_until(lambda: has_caption(sandbox, "Pago", first["message_id"]))
        await sandbox.say("Olá \N{GRINNING FACE}")
        await wait_until(lambda: has_message(sandbox, "Olá \N{GRINNING FACE}"))
        info = await bot.get_webhook_info()
        assert (info.last_error_message, info.pending_update_count) == (None, 0)


@pytest.mark.gen_test
async def test_refusals_are_raised_as_what_they_are(sandbox: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # else RetryAfter warns that it will be one

    from telegram.error import BadRequest, Forbidden, RetryAfter

    async with make_application(sandbox).bot as bot:
        with pytest.raises(BadRequest, match="Chat not found"):
            await bot.send_message(CHAT, "x")
        await sandbox.say()
        with pytest.raises(RetryAfter):
            for _ in range(6):
                await bot.send_message(CHAT, "x")
        await sandbox.chat("block", {})
        with pytest.raises(Forbidden):
            await bot.send_message(CHAT, "x")


@pytest.mark.gen_test
async def test_classes_read_every_object(served: Driver, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # how it gives durations; the other way is deprecated, and says so
    made = await make_objects(served, webhook)
    kinds = [(telegram.Message, value) for value in made.messages] + [
        (telegram.Update, value) for value in made.updates
    ]
    for kind, value in [*kinds, (telegram.User, made.user), (telegram.WebhookInfo, made.webhook_info)]:
        read = kind.de_json(value, None)
        assert list_losses(value, read.to_dict()) == []
        assert [extra for item in walk(read) for extra in item.api_kwargs] == []


def walk(item: Any) -> Iterator[Any]:
    """Give an object of python-telegram-bot and all the objects in it."""
    if isinstance(item, telegram.TelegramObject):
        yield item
        for name in item.to_dict(recursive=False):
            yield from walk(getattr(item, "from_user" if name == "from" else name, None))
    elif isinstance(item, list | tuple):
        for part in item:
            yield from walk(part)
