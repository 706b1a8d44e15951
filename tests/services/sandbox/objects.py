"""One of every kind of object the sandbox makes, for those who can judge it: the schema, and two libraries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grimbots.tests.services.sandbox.drivers import CHAT, Driver, Webhook
from grimbots.tests.services.sandbox.test_pictures import make_png, upload

MEDIA = {"video": b"\0\0\0\x18ftypisom", "animation": b"GIF89a", "voice": b"OggS", "audio": b"ID3", "document": b"%PDF"}
KEYBOARD = {
    "inline_keyboard": [
        [{"text": "a", "callback_data": "b", "style": "success"}, {"text": "c", "copy_text": {"text": "d"}}],
        [{"text": "e", "url": "https://a.b/"}],
    ]
}


@dataclass(frozen=True)
class Objects:
    """What was answered and what was delivered."""

    messages: list[dict[str, Any]]
    updates: list[dict[str, Any]]
    user: dict[str, Any]
    webhook_info: dict[str, Any]
    refusals: list[dict[str, Any]]


async def make_objects(served: Driver, webhook: Webhook) -> Objects:
    """Let a person and the bot do all they can to one another."""
    served.server.sandbox.floods.burst = 0
    await served.chat("messages", {"text": "/start https://a.b", "last_name": "Lima", "username": "ana"})
    first = await served.send('<b>x</b> <a href="https://a.b">y</a> @ana #z', parse_mode="HTML", reply_markup=KEYBOARD)
    second = await served.send("re", reply_parameters={"message_id": first["message_id"]}, protect_content=True)
    third = (await upload(served, make_png(), caption="<i>x</i>", parse_mode="HTML", has_spoiler="true")).json["result"]
    media = [
        (await upload(served, content, kind, f"send{kind.title()}", caption="x")).json["result"]
        for kind, content in MEDIA.items()
    ]
    items = [{"type": "video", "media": media[0]["video"]["file_id"]}] * 2
    album = (await served.call("sendMediaGroup", chat_id=CHAT, media=items)).json["result"]
    change = {"chat_id": CHAT, "message_id": first["message_id"], "text": "z", "reply_markup": KEYBOARD}
    edited = (await served.call("editMessageText", **change)).json["result"]
    await served.chat("taps", {"button": "a"})
    await served.chat("checkouts", {"payload": "p", "total_amount": 1})
    await served.chat("block", {})
    await webhook.wait(4)
    refused = [await served.call("sendMessage", chat_id=chat_id, text="x") for chat_id in (1, CHAT)]
    return Objects(
        messages=[first, second, third, *media, *album, edited, *(await served.chat("messages")).json],
        updates=webhook.updates,
        user=(await served.call("getMe")).json["result"],
        webhook_info=(await served.call("getWebhookInfo")).json["result"],
        refusals=[reply.json for reply in refused],
    )


def list_losses(sent: Any, read: Any, path: str = "") -> list[str]:
    """Tell where what a library read and wrote again is not what was sent; what it adds is its own affair."""
    if isinstance(sent, dict) and isinstance(read, dict):
        return [loss for name, value in sent.items() for loss in list_losses(value, read.get(name), f"{path}.{name}")]
    if isinstance(sent, list) and isinstance(read, list) and len(sent) == len(read):
        return [
            loss for at, pair in enumerate(zip(sent, read, strict=True)) for loss in list_losses(*pair, f"{path}[{at}]")
        ]
    return [] if sent == read else [f"{path}: {sent!r} was read as {read!r}"]
