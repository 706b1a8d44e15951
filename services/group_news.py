"""News of groups and channels, read leniently out of Telegram's updates, by key. Total, as arrivals.py is.

What a message says in a group is nothing to us but that the group has moved; what its people write is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_ID = 2**53
MAX_DATE = 2**32
IN = ("creator", "administrator", "member")


@dataclass(frozen=True, slots=True)
class Rights:
    """What the bot is in a group has changed; `member` is a ChatMember."""

    chat_id: int
    title: str
    member: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Moved:
    """A group has become a supergroup."""

    chat_id: int
    to_chat_id: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants to come in. `creator_id`: whose link that was asked by, None without one."""

    chat_id: int
    user_id: int
    creator_id: int | None


@dataclass(frozen=True, slots=True)
class Changed:
    """Somebody came in or went. `by_id` did it, at `date` (Unix seconds); `link` is the one it came in by.

    `creator_id`: whose link that is; None too for one that only asks: whoever came by that was let in by somebody.
    """

    chat_id: int
    user_id: int
    is_inside: bool
    date: int
    by_id: int | None
    link: str
    creator_id: int | None


News = Rights | Moved | Asked | Changed


def read(kind: str, content: Mapping[str, Any]) -> News | None:
    """Read an update's content; None where no group is concerned."""
    reader = READERS.get(kind)
    chat_id = _get_id(_get_object(content, "chat"), "id")
    return reader(content, chat_id) if reader and chat_id is not None and chat_id < 0 else None


def get_group(news: News) -> str:
    """Name whose order it keeps: the person's it is about, else the chat's."""
    return str(news.user_id if isinstance(news, Asked | Changed) else news.chat_id)


def is_inside(member: Mapping[str, Any]) -> bool:
    """Tell whether a ChatMember is in its group."""
    status = member.get("status")
    return status in IN or (status == "restricted" and member.get("is_member") is True)


def _read_message(content: Mapping[str, Any], chat_id: int) -> News | None:
    to_chat_id = _get_id(content, "migrate_to_chat_id")
    from_chat_id = _get_id(content, "migrate_from_chat_id")
    if to_chat_id is not None and to_chat_id < 0 and to_chat_id != chat_id:
        return Moved(chat_id, to_chat_id)
    if from_chat_id is not None and from_chat_id < 0 and from_chat_id != chat_id:
        return Moved(from_chat_id, chat_id)
    return None


def _read_rights(content: Mapping[str, Any], chat_id: int) -> News | None:
    title = _get_object(content, "chat").get("title")
    return Rights(chat_id, title if isinstance(title, str) else "", _get_object(content, "new_chat_member"))


def _read_request(content: Mapping[str, Any], chat_id: int) -> News | None:
    user_id = _get_id(_get_object(content, "from"), "id")
    if user_id is None or user_id <= 0:
        return None
    return Asked(chat_id, user_id, _get_id(_get_object(_get_object(content, "invite_link"), "creator"), "id"))


def _read_change(content: Mapping[str, Any], chat_id: int) -> News | None:
    member, invite = _get_object(content, "new_chat_member"), _get_object(content, "invite_link")
    user_id, date = _get_id(_get_object(member, "user"), "id"), _get_id(content, "date")
    if user_id is None or user_id <= 0 or date is None or not 0 <= date < MAX_DATE:
        return None
    link, is_asking = invite.get("invite_link"), invite.get("creates_join_request") is True
    return Changed(
        chat_id,
        user_id,
        is_inside(member),
        date,
        by_id=_get_id(_get_object(content, "from"), "id"),
        link=link if isinstance(link, str) else "",
        creator_id=None if is_asking else _get_id(_get_object(invite, "creator"), "id"),
    )


READERS = {
    "message": _read_message,
    "my_chat_member": _read_rights,
    "chat_join_request": _read_request,
    "chat_member": _read_change,
}


def _get_object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _get_id(holder: Mapping[str, Any], name: str) -> int | None:
    value = holder.get(name)
    is_id = isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_ID
    return value if is_id else None
