"""The Bot API methods that put something into a chat."""

from __future__ import annotations

from typing import Any

from grimbots.services.sandbox import bots, chats, keyboards, messages, pictures, texts
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.registry import Call, method
from grimbots.services.sandbox.store import Row

TYPING_SECONDS = 5
ACTIONS = {
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
}
TO = (
    "business_connection_id chat_id message_thread_id:integer direct_messages_topic_id:integer"
    " ephemeral_message_parameters:json"
)
HOW = (
    "disable_notification:boolean protect_content:boolean allow_paid_broadcast:boolean message_effect_id"
    " suggested_post_parameters:json reply_parameters:json reply_markup:json"
)


@method("sendMessage", f"{TO} text parse_mode entities:json link_preview_options:json {HOW}")
def send_message(call: Call) -> dict[str, Any]:
    """Put a text into a chat."""
    content = texts.read_text(call)
    if call.params.get("link_preview_options"):
        content["link_preview_options"] = call.params["link_preview_options"]
    return send(call, content)


@method(
    "sendPhoto",
    f"{TO} photo:file caption parse_mode caption_entities:json show_caption_above_media:boolean has_spoiler:boolean"
    f" {HOW}",
)
def send_photo(call: Call) -> dict[str, Any]:
    """Put a picture into a chat: uploaded, or again by its file_id."""
    find_chat(call)
    content = texts.read_caption(call)
    shown = {
        flag: True
        for flag, parameter in (
            ("show_caption_above_media", "show_caption_above_media"),
            ("has_media_spoiler", "has_spoiler"),
        )
        if call.params.get(parameter)
    }
    return send(call, {"photo": [find_picture(call, call.params.get("photo", ""))]} | content | shown)


@method("sendChatAction", "business_connection_id chat_id message_thread_id:integer action")
def send_chat_action(call: Call) -> bool:
    """Show that the bot is typing, for five seconds."""
    chat = find_chat(call)
    if call.params.get("action", "").lower() not in ACTIONS:
        raise Refusal(400, "Bad Request: wrong parameter action in request")
    call.sandbox.typing[call.bot["id"], chat["id"]] = call.sandbox.clock() + TYPING_SECONDS
    return True


def find_chat(call: Call) -> Row:
    """Give the chat a call is for.

    Raises:
        Refusal: none given, unknown to this bot, or it has blocked the bot.
    """
    given = call.params.get("chat_id", "").strip()
    if not given:
        raise Refusal(400, "Bad Request: chat_id is empty")
    chat = (
        chats.find(call.sandbox, call.bot, int(given))
        if given.isascii() and given.isdigit() and len(given) < 19
        else None
    )
    if chat is None:
        raise Refusal(400, "Bad Request: chat not found")
    if chat["is_blocked"]:
        raise Refusal(403, "Forbidden: bot was blocked by the user")
    return chat


def send(call: Call, content: dict[str, Any]) -> dict[str, Any]:
    """Put a message of this content into the chat of a call."""
    chat = find_chat(call)
    content |= _read_reply(call, chat)
    if call.params.get("reply_markup"):
        keyboard = keyboards.check(call.params["reply_markup"])
        content |= {"reply_markup": keyboard} if keyboard else {}
    if call.params.get("protect_content"):
        content["has_protected_content"] = True
    call.sandbox.typing.pop((call.bot["id"], chat["id"]), None)
    return messages.add(call.sandbox, call.bot, chats.as_chat(chat), bots.as_user(call.bot), content)


def _read_reply(call: Call, chat: Row) -> dict[str, Any]:
    wanted = call.params.get("reply_parameters")
    if not wanted:
        return {}
    if not isinstance(wanted, dict) or not isinstance(wanted.get("message_id"), int):
        raise Refusal(400, 'Bad Request: can\'t find field "message_id"')
    found = messages.find(call.sandbox, call.bot, chat["id"], wanted["message_id"])
    if found:
        return {"reply_to_message": {name: value for name, value in found.items() if name != "reply_to_message"}}
    if wanted.get("allow_sending_without_reply"):
        return {}
    raise Refusal(400, "Bad Request: message to be replied not found")


def find_picture(call: Call, given: str) -> dict[str, Any]:
    """Give the PhotoSize of a picture uploaded with this call, or sent again by its file_id."""
    field = given.removeprefix("attach://") if given.startswith("attach://") else "photo"
    if field in call.files:
        return pictures.keep(call.sandbox, call.bot, call.files[field])
    if not given:
        raise Refusal(400, "Bad Request: there is no photo in the request")
    if given.startswith(("http://", "https://")):
        raise Refusal(400, "Bad Request: failed to get HTTP URL content")
    return pictures.find(call.sandbox, call.bot, given)
