"""Arrivals: Telegram's updates read leniently, by key. Total: whatever JSON comes in, an answer comes out and nothing
is raised.

What is in circulation lacks fields the documentation promises (`is_bot`, `chat.type`, `date`) and has kinds it does not
know, so nothing is taken for granted but `update_id`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from grimbots.services import group_news
from grimbots.services.funnels.events import Started, Wrote
from grimbots.services.funnels.texts import UNSTORABLE
from grimbots.services.group_news import News

START = re.compile(r"/start(?:@\w+)?(?:\s+(.*))?", re.DOTALL)
MAX_PARAM = 64  # of a deep link (core.telegram.org/api/links)
MAX_ID, MAX_UPDATE_ID = 2**53, 2**63 - 1
MAX_NAME = (
    64  # of a first or last name (core.telegram.org/method/account.updateProfile); user names and languages are shorter
)
# Line breaks, other control signs, and what turns the direction of the text behind it.
UNNAMED = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
# The kinds of Update (Bot API 10.3); the set is closed because metrics count by it.
KINDS = frozenset(
    {
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "business_connection",
        "business_message",
        "edited_business_message",
        "deleted_business_messages",
        "message_reaction",
        "message_reaction_count",
        "inline_query",
        "chosen_inline_result",
        "callback_query",
        "shipping_query",
        "pre_checkout_query",
        "purchased_paid_media",
        "poll",
        "poll_answer",
        "my_chat_member",
        "chat_member",
        "chat_join_request",
        "chat_boost",
        "removed_chat_boost",
        "managed_bot",
        "guest_message",
        "subscription",
    }
)
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote, as Telegram names them; every part may be empty."""

    first_name: str = ""
    last_name: str = ""
    username: str = ""
    language_code: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """A button was pressed. `data` is what the client sent back: to be resolved, never to be trusted."""

    data: str


@dataclass(frozen=True, slots=True)
class StarsPaid:
    """A payment in Stars was made, or is given back: `payload` is the invoice's, `at` in Unix seconds."""

    payload: str
    stars: int
    charge_id: str
    at: int | None
    is_back: bool


class Sign(Enum):
    """What else a person can let us know."""

    LIFE = "life"  # a message without text: nothing to answer, but the chat lives
    BLOCKED = "blocked"
    RETURNED = "returned"


Act = Started | Wrote | Press | StarsPaid | Sign


@dataclass(frozen=True, slots=True)
class Arrival:
    """An update that can be read.

    `act` is None where the product does nothing about it; else `chat_id` is a private chat and `sender` names who acts.
    `date` is when a message was sent, in Unix seconds, None where it does not say. `news` is of a group instead.
    """

    update_id: int
    kind: str
    chat_id: int | None = None
    sender: Mapping[str, Any] = field(default_factory=dict)
    act: Act | None = None
    date: int | None = None
    news: News | None = None

    @property
    def person(self) -> Person:
        """Who acts. The front door, which only asks where an update goes, does not pay for it."""
        names = ("first_name", "last_name", "username", "language_code")
        return Person(*(_get_name(self.sender, name) for name in names))


def read(update: Any) -> Arrival | None:
    """Read an update; None for junk: no object, or no usable update_id."""
    if not isinstance(update, dict):
        return None
    update_id = _get_whole(update, "update_id")
    if update_id is None or not 0 <= update_id <= MAX_UPDATE_ID:
        return None
    kind = next((name for name, value in update.items() if name in KINDS and isinstance(value, dict)), OTHER)
    reader = READERS.get(kind)
    found = reader(update[kind]) if reader else None
    if found:
        return Arrival(update_id, kind, *found)
    return Arrival(update_id, kind, news=group_news.read(kind, update[kind]) if kind != OTHER else None)


Found = tuple[int, Mapping[str, Any], Act] | tuple[int, Mapping[str, Any], Act, int | None] | None


def _read_message(message: Mapping[str, Any]) -> Found:
    chat_id = _find_private_chat(message)
    sender = _get_object(message, "from") or _get_object(message, "chat")
    if chat_id is None or sender.get("is_bot") is True:
        return None
    date = _get_whole(message, "date")
    return chat_id, sender, _read_stars(message, date) or _read_text(message.get("text")), date


def _read_stars(message: Mapping[str, Any], date: int | None) -> StarsPaid | None:
    back = _get_object(message, "refunded_payment")
    paid = back or _get_object(message, "successful_payment")
    payload, charge_id = paid.get("invoice_payload"), paid.get("telegram_payment_charge_id")
    stars = _get_whole(paid, "total_amount")
    if not isinstance(payload, str) or not isinstance(charge_id, str) or paid.get("currency") != "XTR":
        return None
    if not stars or not 0 < stars < MAX_ID:
        return None
    return StarsPaid(clean(payload), stars, clean(charge_id), date, bool(back))


def _read_text(text: Any) -> Act:
    if not isinstance(text, str):
        return Sign.LIFE
    start = START.fullmatch(text.strip())
    return Started(clean((start[1] or "").strip())[:MAX_PARAM]) if start else Wrote(clean(text))


def _read_callback(callback: Mapping[str, Any]) -> Found:
    """Read a tap.

    Its chat is the tapper's own: that the message was said there is checked on the row (services/updates.py).
    """
    sender = _get_object(callback, "from")
    chat_id, data = _get_chat_id(sender), callback.get("data")
    if chat_id is None or not isinstance(data, str):
        return None
    return chat_id, sender, Press(clean(data))


def _read_membership(change: Mapping[str, Any]) -> Found:
    """Read that the bot was blocked or let in again.

    A first contact brings no such update (tdlib/telegram-bot-api, pull 1054).
    """
    chat_id = _find_private_chat(change)
    status = _get_object(change, "new_chat_member").get("status")
    act = {"kicked": Sign.BLOCKED, "member": Sign.RETURNED}.get(status) if isinstance(status, str) else None
    if chat_id is None or act is None:
        return None
    return chat_id, _get_object(change, "from") or _get_object(change, "chat"), act


READERS = {"message": _read_message, "callback_query": _read_callback, "my_chat_member": _read_membership}


def clean(text: str) -> str:
    """Leave out what Postgres cannot store: NUL and halves of surrogate pairs."""
    return UNSTORABLE.sub("", text)


def _find_private_chat(holder: Mapping[str, Any]) -> int | None:
    """Give the id of a private chat.

    A chat that does not say its type is private if its id is a person's (positive).
    """
    chat = _get_object(holder, "chat")
    return _get_chat_id(chat) if chat.get("type", "private") == "private" else None


def _get_object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _get_name(holder: Mapping[str, Any], name: str) -> str:
    """Give a name as it can stand in a text of ours: on one line, turning nothing around, no longer than Telegram's."""
    value = holder.get(name)
    return clean(UNNAMED.sub("", value))[:MAX_NAME] if isinstance(value, str) else ""


def _get_whole(holder: Mapping[str, Any], name: str) -> int | None:
    value = holder.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _get_chat_id(holder: Mapping[str, Any]) -> int | None:
    """Give the id of a person's chat: positive, and under 2^53 as Telegram promises."""
    chat_id = _get_whole(holder, "id")
    return chat_id if chat_id is not None and 0 < chat_id < MAX_ID else None
