"""aiogram against the sandbox: its bot talks to it, its models read every object and take every call of ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from grimbots.tests.services.calls import Call, list_calls
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

aiogram = pytest.importorskip("aiogram", reason="aiogram is not installed; `make test` brings it")


def make_dispatcher() -> Any:
    """Give a bot's handlers: a picture with buttons for /start, an answer and an edit for a tap, else an echo."""
    from aiogram import Dispatcher, F
    from aiogram.filters import CommandStart
    from aiogram.types import (
        BufferedInputFile,
        CallbackQuery,
        CopyTextButton,
        InlineKeyboardButton,
        InlineKeyboardMarkup,
        Message,
    )

    dispatcher = Dispatcher()
    buttons = [
        InlineKeyboardButton(text="Quero", callback_data="v1:quero"),
        InlineKeyboardButton(text="Copiar", copy_text=CopyTextButton(text="0002")),
    ]

    @dispatcher.message(CommandStart())
    async def start(message: Message) -> None:
        picture = BufferedInputFile(make_png(), "oi.png")
        keyboard = InlineKeyboardMarkup(inline_keyboard=[buttons])
        sent = await message.answer_photo(picture, caption="<b>Oi</b>", parse_mode="HTML", reply_markup=keyboard)
        await message.answer_photo(sent.photo[-1].file_id, caption="de novo")

    @dispatcher.callback_query(F.data == "v1:quero")
    async def tap(query: CallbackQuery) -> None:
        await query.answer("Anotado", show_alert=True)
        await query.message.edit_caption(caption="Pago")

    @dispatcher.message()
    async def echo(message: Message) -> Any:
        return message.answer(message.text)

    return dispatcher


@asynccontextmanager
async def run_bot(sandbox: Driver, *, in_background: bool) -> AsyncIterator[Any]:
    """Serve the bot's webhook on a free port and set it at the sandbox; in the foreground it answers in the reply."""
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.webhook.aiohttp_server import SimpleRequestHandler
    from aiohttp import web

    bot = Bot(sandbox.token, session=AiohttpSession(api=TelegramAPIServer.from_base(sandbox.server.url)))
    dispatcher = make_dispatcher()
    receiver = SimpleRequestHandler(dispatcher, bot, handle_in_background=in_background, secret_token="s3cret")
    application = web.Application()
    receiver.register(application, path="/hook")
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        await bot.set_webhook(url, secret_token="s3cret", allowed_updates=dispatcher.resolve_used_update_types())
        yield bot
    finally:
        await runner.cleanup()
        await bot.session.close()


@pytest.mark.gen_test
@pytest.mark.parametrize("in_background", [True, False])
async def test_bot_talks_to_the_sandbox(sandbox: Driver, in_background: bool) -> None:
    async with run_bot(sandbox, in_background=in_background) as bot:
        await sandbox.say("/start")
        await wait_until(lambda: has_caption(sandbox, "de novo"))
        _, first, second = (await sandbox.chat("messages")).json
        assert first["caption_entities"] == [{"type": "bold", "offset": 0, "length": 2}]
        assert first["photo"] == second["photo"]
        await sandbox.chat("taps", {"button": "Quero"})
        [answer] = await wait_until(lambda: read_answers(sandbox))
        assert (answer["text"], answer["show_alert"]) == ("Anotado", True)
        await wait_until(lambda: has_caption(sandbox, "Pago", first["message_id"]))
        await sandbox.say("Olá \N{GRINNING FACE}")
        await wait_until(lambda: has_message(sandbox, "Olá \N{GRINNING FACE}"))
        info = await bot.get_webhook_info()
        assert (info.last_error_message, set(info.allowed_updates)) == (None, {"message", "callback_query"})


@pytest.mark.gen_test
async def test_refusals_are_raised_as_what_they_are(sandbox: Driver) -> None:
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer
    from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramRetryAfter

    bot = Bot(sandbox.token, session=AiohttpSession(api=TelegramAPIServer.from_base(sandbox.server.url)))
    try:
        with pytest.raises(TelegramBadRequest, match="chat not found"):
            await bot.send_message(CHAT, "x")
        await sandbox.say()
        with pytest.raises(TelegramRetryAfter) as flood:
            for _ in range(6):
                await bot.send_message(CHAT, "x")
        assert flood.value.retry_after == 1
        await sandbox.chat("block", {})
        with pytest.raises(TelegramForbiddenError):
            await bot.send_message(CHAT, "x")
    finally:
        await bot.session.close()


@pytest.mark.gen_test
async def test_models_read_every_object(served: Driver, webhook: Webhook) -> None:
    from aiogram import types

    made = await make_objects(served, webhook)
    kinds = [(types.Message, value) for value in made.messages] + [(types.Update, value) for value in made.updates]
    for kind, value in [*kinds, (types.User, made.user), (types.WebhookInfo, made.webhook_info)]:
        read = kind.model_validate(value)
        written = json.loads(read.model_dump_json(by_alias=True, exclude_unset=True))
        assert list_losses(value, written) == []
        assert list_extras(read) == []


def list_extras(item: Any) -> list[str]:
    """Give the fields in an object of aiogram, and in all the objects in it, that aiogram does not know."""
    if isinstance(item, list):
        return [extra for part in item for extra in list_extras(part)]
    if not isinstance(item, aiogram.types.TelegramObject):
        return []
    inside = [extra for name in item.model_fields_set for extra in list_extras(getattr(item, name))]
    return [*(item.model_extra or {}), *inside]


@pytest.mark.parametrize("call", list_calls(), ids=lambda call: f"{call.step}-{call.method}")
def test_methods_take_every_call(call: Call) -> None:
    from aiogram import methods

    kind = getattr(methods, call.method[0].upper() + call.method[1:])
    taken = kind.model_validate(call.params | dict.fromkeys(call.files, "file id"))
    assert not taken.model_extra
