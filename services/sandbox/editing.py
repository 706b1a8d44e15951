"""The Bot API methods that change or remove what a bot has sent."""

from __future__ import annotations

from typing import Any

from grimbots.services.sandbox import keyboards, messages, texts
from grimbots.services.sandbox.messages import Message
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.registry import Call, method
from grimbots.services.sandbox.sending import find_chat

DELETABLE_SECONDS = 48 * 3600
WHICH = "business_connection_id chat_id message_id:integer inline_message_id"
CAPTION = ("caption", "caption_entities", "show_caption_above_media")


@method(
    "editMessageText",
    f"{WHICH} text parse_mode entities:json link_preview_options:json rich_message:json reply_markup:json",
)
def edit_text(call: Call) -> Message:
    """Replace a message's text and keyboard."""
    message = _find_own(call)
    if "text" not in message:
        raise Refusal(400, "Bad Request: there is no text in the message to edit")
    return _replace(call, message, ("text", "entities"), texts.read_text(call))


@method(
    "editMessageCaption",
    f"{WHICH} caption parse_mode caption_entities:json show_caption_above_media:boolean reply_markup:json",
)
def edit_caption(call: Call) -> Message:
    """Replace a picture's caption and keyboard."""
    message = _find_own(call)
    if "photo" not in message:
        raise Refusal(400, "Bad Request: there is no caption in the message to edit")
    above = {"show_caption_above_media": True} if call.params.get("show_caption_above_media") else {}
    return _replace(call, message, CAPTION, texts.read_caption(call) | above)


@method("editMessageReplyMarkup", f"{WHICH} reply_markup:json")
def edit_reply_markup(call: Call) -> Message:
    """Replace a message's keyboard only."""
    return _replace(call, _find_own(call), (), {})


@method("deleteMessage", "chat_id message_id:integer")
def delete_message(call: Call) -> bool:
    """Take a message out of its chat, within two days."""
    message = _find(call, "message to delete not found")
    if call.sandbox.clock() - message["date"] > DELETABLE_SECONDS:
        raise Refusal(400, "Bad Request: message can't be deleted")
    messages.delete(call.sandbox, call.bot, message["message_id"])
    return True


def _find(call: Call, missing: str) -> Message:
    chat = find_chat(call)
    message = messages.find(call.sandbox, call.bot, chat["id"], call.params.get("message_id", 0))
    if message is None:
        raise Refusal(400, f"Bad Request: {missing}")
    return message


def _find_own(call: Call) -> Message:
    message = _find(call, "message to edit not found")
    if not message["from"]["is_bot"]:
        raise Refusal(400, "Bad Request: message can't be edited")
    return message


def _replace(call: Call, message: Message, names: tuple[str, ...], content: dict[str, Any]) -> Message:
    """Put `content` in the place of the fields `names`; a keyboard that is not given again goes away."""
    keyboard = keyboards.check(call.params["reply_markup"]) if call.params.get("reply_markup") else None
    kept = {name: value for name, value in message.items() if name not in {*names, "reply_markup"}}
    edited = kept | content | ({"reply_markup": keyboard} if keyboard else {})
    if edited == message:
        raise Refusal(
            400,
            "Bad Request: message is not modified: specified new message content and reply markup are exactly the same"
            " as a current content and reply markup of the message",
        )
    edited["edit_date"] = int(call.sandbox.clock())
    messages.save(call.sandbox, call.bot, edited)
    return edited
