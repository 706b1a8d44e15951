"""What each refusal of the Bot API means to us: our own table, matched on (HTTP code, beginning of the description).

The code alone does not do: 400 and 403 hold lasting and curable refusals side by side, and a 403 whose text is an
ALL_CAPS code arrives as 400. Descriptions are prose and may change, so they are matched by their beginnings.
Source: tdlib/telegram-bot-api at 01a3679 (Client.cpp, ClientManager.cpp), tdlib/td at 022d602; Bot API 10.3, 2026-11.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Kind(StrEnum):
    """What an answer, or the lack of one, asks the caller to do."""

    OK = "ok"
    FLOOD = "flood"  # not executed; wait `retry_after_seconds`
    DEAD_CHAT = "dead_chat"  # this bot can no longer write to this person
    LOST_CHAT = "lost_chat"  # the bot was put out of a group or channel, or has not the right there
    MIGRATED = "migrated"  # the group has a new id
    DEAD_BOT = "dead_bot"  # the token is no longer worth anything; confirm before acting on it
    BAD_FILE = "bad_file"  # the file id is not usable; upload the bytes
    IGNORED = "ignored"  # refused, but what was wanted is already so
    DEGRADE = "degrade"  # would pass in a simpler form; what has none is left undone
    REFUSED = "refused"  # our mistake or a limit; the same request will never pass
    CONFLICT = "conflict"  # somebody else uses the token
    NEVER_SENT = "never_sent"  # surely not executed
    AMBIGUOUS = "ambiguous"  # perhaps executed


# By HTTP code: how the description goes on after "Bad Request: ", "Forbidden: " ... The first row that fits decides.
MEANINGS: dict[int, tuple[tuple[str, Kind], ...]] = {
    400: (
        ("chat not found", Kind.DEAD_CHAT),
        ("private chat not found", Kind.DEAD_CHAT),
        ("USER_IS_BLOCKED", Kind.DEAD_CHAT),
        ("INPUT_USER_DEACTIVATED", Kind.DEAD_CHAT),
        ("group chat was upgraded to a supergroup", Kind.MIGRATED),
        ("FROZEN_METHOD_INVALID", Kind.DEAD_BOT),
        ("wrong file_id", Kind.BAD_FILE),
        ("wrong file identifier", Kind.BAD_FILE),
        ("wrong remote file identifier", Kind.BAD_FILE),
        ("invalid file_id", Kind.BAD_FILE),
        ("failed to get HTTP URL content", Kind.BAD_FILE),
        ("can't use file of type", Kind.BAD_FILE),
        ("message is not modified", Kind.IGNORED),
        ("query is too old", Kind.IGNORED),
        ("message can't be deleted", Kind.IGNORED),
        ("message to be replied not found", Kind.DEGRADE),
        ("can't parse entities", Kind.DEGRADE),
        ("user is an administrator of the chat", Kind.DEGRADE),
        ("can't remove chat owner", Kind.DEGRADE),
        ("not enough rights", Kind.LOST_CHAT),
        ("need administrator rights", Kind.LOST_CHAT),
        ("CHAT_ADMIN_REQUIRED", Kind.LOST_CHAT),
        ("HIDE_REQUESTER_MISSING", Kind.IGNORED),
        ("USER_ALREADY_PARTICIPANT", Kind.IGNORED),
        ("USER_NOT_PARTICIPANT", Kind.IGNORED),
        ("chat_id is empty", Kind.REFUSED),
        ("bad webhook", Kind.REFUSED),
        ("secret token", Kind.REFUSED),
        ("file is too big", Kind.REFUSED),
        ("message is too long", Kind.REFUSED),
        ("message caption is too long", Kind.REFUSED),
        ("message text is empty", Kind.REFUSED),
        ("BUTTON_DATA_INVALID", Kind.REFUSED),
        ("text buttons are unallowed", Kind.REFUSED),
        ("reply markup is too long", Kind.REFUSED),
    ),
    401: (("", Kind.DEAD_BOT),),
    403: (
        ("bot was blocked by the user", Kind.DEAD_CHAT),
        ("user is deactivated", Kind.DEAD_CHAT),
        ("bot can't initiate conversation", Kind.DEAD_CHAT),
        ("the bot can't send messages to the bot", Kind.DEAD_CHAT),
        ("bot was kicked from", Kind.LOST_CHAT),
        ("bot is not a member of", Kind.LOST_CHAT),
        ("the group chat was deleted", Kind.LOST_CHAT),
        ("not enough rights", Kind.LOST_CHAT),
    ),
    404: (("method not found", Kind.REFUSED), ("Not Found", Kind.DEAD_BOT)),
    409: (("", Kind.CONFLICT),),
    421: (("", Kind.REFUSED),),
    429: (("", Kind.FLOOD),),
}
ALBUM_ITEM = re.compile(r'failed to send message #\d+ with the error message "(.*)"')  # its own refusal is inside
GONE_FOR_GOOD = ("user is deactivated", "INPUT_USER_DEACTIVATED")


def find_meaning(http: int, description: str) -> Kind | None:
    """Return what a refusal means, None where the table does not know it. After any 5xx it may have been executed."""
    if http >= 500:
        return Kind.AMBIGUOUS
    text = _strip_title(description)
    return next((kind for beginning, kind in MEANINGS.get(http, ()) if text.startswith(beginning)), None)


def is_gone_for_good(description: str) -> bool:
    """Tell whether a dead chat's person deleted the account; else it may come back."""
    return _strip_title(description).startswith(GONE_FOR_GOOD)


def is_frozen(description: str) -> bool:
    """Tell whether the bot's account is frozen: it may answer getMe yet, and do nothing."""
    return _strip_title(description).startswith("FROZEN_")


def _strip_title(description: str) -> str:
    """Drop the words of the HTTP code ("Bad Request: ") that begin nearly every description, and an album's own."""
    title, colon, rest = description.partition(": ")
    text = rest if colon else title
    item = ALBUM_ITEM.match(text)
    return item[1] if item else text
