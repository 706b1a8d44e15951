"""Chats: what a person does in a private chat with a bot: write, tap a button, block. Each doing becomes an update."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.services.sandbox import bots, invoices, messages, queries, updates
from grimbots.services.sandbox.markup import find_entities, utf16_length
from grimbots.services.sandbox.messages import Message
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

TEXT_LIMIT = 4096
LAST_CHAT_ID = 1 << 52


def find(sandbox: Sandbox, bot: Row, chat_id: int) -> Row | None:
    """Give the chat, if this person ever wrote to this bot."""
    return sandbox.store.find(
        "SELECT * FROM chats WHERE bot_id = :bot_id AND id = :chat_id", bot_id=bot["id"], chat_id=chat_id
    )


def as_chat(chat: Row) -> dict[str, Any]:
    """Give the chat as a Bot API Chat."""
    names = {name: chat[name] for name in ("last_name", "username") if chat[name]}
    return {"id": chat["id"], "type": "private", "first_name": chat["first_name"]} | names


def as_user(chat: Row) -> dict[str, Any]:
    """Give the person of the chat as a Bot API User."""
    names = {name: chat[name] for name in ("last_name", "username", "language_code") if chat[name]}
    return {"id": chat["id"], "is_bot": False, "first_name": chat["first_name"]} | names


def say(sandbox: Sandbox, bot: Row, chat_id: int, text: str, person: Mapping[str, str]) -> tuple[Message, str]:
    """Write `text` to the bot as this person, opening the chat if it is new; give the message and its queue.

    Raises:
        Invalid: no text, or over Telegram's 4096 characters.
        Conflict: the person has blocked the bot.
    """
    if not text.strip() or utf16_length(text) > TEXT_LIMIT:
        raise Invalid(f"A message has 1 to {TEXT_LIMIT} characters.")
    chat = _open(sandbox, bot, chat_id, person)
    entities = find_entities(text)
    content = {"text": text} | ({"entities": entities} if entities else {})
    message = messages.add(sandbox, bot, as_chat(chat), as_user(chat), content)
    return message, updates.push(sandbox, bot, "message", chat_id, message)


def tap(sandbox: Sandbox, bot: Row, chat_id: int, label: str, message_id: int | None) -> tuple[dict[str, Any], str]:
    """Tap the button that shows `label`, on this message or the newest that has one; give what happened and the queue.

    Raises:
        NotFound: no such chat or button.
        Conflict: the person has blocked the bot.
    """
    chat = _get_unblocked(sandbox, bot, chat_id)
    message, button = _find_button(sandbox, bot, chat_id, label, message_id)
    if invoice := invoices.find(sandbox, button.get("url", "")):
        query, queue = check_out(sandbox, bot, chat_id, invoice["payload"], invoice["amount"], invoices.CURRENCY)
        return {"kind": "checkout", "message_id": message["message_id"], "pre_checkout_query_id": query["id"]}, queue
    if "callback_data" not in button:
        return _open_locally(button), ""
    query_id = queries.ask(sandbox, bot, chat_id, "callback")
    content = {
        "id": query_id,
        "from": as_user(chat),
        "message": message,
        "chat_instance": str(chat_id),
        "data": button["callback_data"],
    }
    queue = updates.push(sandbox, bot, "callback_query", chat_id, content)
    return {"kind": "callback", "message_id": message["message_id"], "callback_query_id": query_id}, queue


def check_out(
    sandbox: Sandbox, bot: Row, chat_id: int, payload: str, amount: int, currency: str
) -> tuple[dict[str, Any], str]:
    """Confirm an invoice of the bot as the person of this chat; give the query and its queue.

    Raises:
        NotFound: no such chat.
        Conflict: the person has blocked the bot.
    """
    chat = _get_unblocked(sandbox, bot, chat_id)
    query_id = queries.ask(sandbox, bot, chat_id, "pre_checkout")
    invoices.note_checkout(sandbox, query_id, payload, amount, currency)
    query = {
        "id": query_id,
        "from": as_user(chat),
        "currency": currency,
        "total_amount": amount,
        "invoice_payload": payload,
    }
    return query, updates.push(sandbox, bot, "pre_checkout_query", chat_id, query)


def block(sandbox: Sandbox, bot: Row, chat_id: int, is_blocked: bool) -> str:
    """Block the bot, or take that back, as the person of this chat; give the queue of the update.

    Raises:
        NotFound: no such chat.
    """
    chat = _get(sandbox, bot, chat_id)
    if bool(chat["is_blocked"]) == is_blocked:
        return ""
    sandbox.store.run(
        "UPDATE chats SET is_blocked = :is_blocked WHERE bot_id = :bot_id AND id = :chat_id",
        is_blocked=is_blocked,
        bot_id=bot["id"],
        chat_id=chat_id,
    )
    member = {"status": "member", "user": bots.as_user(bot)}
    kicked = {"status": "kicked", "user": bots.as_user(bot), "until_date": 0}
    old, new = (member, kicked) if is_blocked else (kicked, member)
    content = {
        "chat": as_chat(chat),
        "from": as_user(chat),
        "date": int(sandbox.clock()),
        "old_chat_member": old,
        "new_chat_member": new,
    }
    return updates.push(sandbox, bot, "my_chat_member", chat_id, content)


def _open(sandbox: Sandbox, bot: Row, chat_id: int, person: Mapping[str, str]) -> Row:
    if not 0 < chat_id < LAST_CHAT_ID:
        raise Invalid("A private chat's id is a positive number of at most 52 bits.")
    if find(sandbox, bot, chat_id) is None:
        sandbox.store.run(
            """
            INSERT INTO chats (bot_id, id, first_name, last_name, username, language_code)
            VALUES (:bot_id, :chat_id, :first_name, :last_name, :username, :language_code)
            """,
            bot_id=bot["id"],
            chat_id=chat_id,
            first_name=person.get("first_name") or f"Cliente {chat_id}",
            last_name=person.get("last_name", ""),
            username=person.get("username", ""),
            language_code=person.get("language_code") or "pt-br",
        )
    return _get_unblocked(sandbox, bot, chat_id)


def _get(sandbox: Sandbox, bot: Row, chat_id: int) -> Row:
    chat = find(sandbox, bot, chat_id)
    if chat is None:
        raise NotFound(f"@{bot['username']} has no chat {chat_id} yet; write /start to it first.")
    return chat


def _get_unblocked(sandbox: Sandbox, bot: Row, chat_id: int) -> Row:
    chat = _get(sandbox, bot, chat_id)
    if chat["is_blocked"]:
        raise Conflict("This person has blocked the bot; unblock it first.")
    return chat


def _find_button(
    sandbox: Sandbox, bot: Row, chat_id: int, label: str, message_id: int | None
) -> tuple[Message, dict[str, Any]]:
    seen = []
    for message in reversed(messages.list_after(sandbox, bot, chat_id, 0)):
        if message_id in (None, message["message_id"]):
            for button in _buttons(message):
                if button["text"] == label:
                    return message, button
                seen.append(button["text"])
    raise NotFound(f"No button {label!r} there; the buttons are: {', '.join(map(repr, seen)) or 'none'}.")


def _buttons(message: Message) -> Iterator[dict[str, Any]]:
    for row in message.get("reply_markup", {}).get("inline_keyboard", []):
        yield from row


def _open_locally(button: dict[str, Any]) -> dict[str, Any]:
    """What a client does with a button by itself: no update tells the bot."""
    if "copy_text" in button:
        return {"kind": "copy_text", "text": button["copy_text"]["text"]}
    if "url" in button:
        return {"kind": "url", "url": button["url"]}
    return {"kind": "none"}
