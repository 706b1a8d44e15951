"""Bots of the sandbox: made here as BotFather makes them, each with a token, a username and one webhook."""

from __future__ import annotations

import re
import secrets
from typing import Any

from grimbots.services.errors import Invalid, NotFound
from grimbots.services.sandbox import webhooks
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{4,31}")
FIRST_BOT_ID = 7_000_000_001


def create(sandbox: Sandbox, username: str, name: str) -> Row:
    """Make a bot, or give the one that already has this username.

    Raises:
        Invalid: the username breaks Telegram's rule.
    """
    if not USERNAME.fullmatch(username) or not username.lower().endswith("bot"):
        raise Invalid(
            "A bot's username has 5 to 32 letters, digits and _, begins with a letter and ends in bot, like loja_bot."
        )
    if found := _by_username(sandbox, username):
        return found
    bot_id = sandbox.store.value("SELECT coalesce(max(id) + 1, :first) FROM bots", first=FIRST_BOT_ID)
    sandbox.store.run(
        """
        INSERT INTO bots (id, token, username, name, last_update_id)
        VALUES (:id, :token, :username, :name, :last_update_id)
        """,
        id=bot_id,
        token=_make_token(bot_id),
        username=username,
        name=name.strip()[:64] or username,
        last_update_id=100_000_000 + secrets.randbelow(800_000_000),
    )
    return get(sandbox, username)


def get(sandbox: Sandbox, username: str) -> Row:
    """Give the bot of this username.

    Raises:
        NotFound
    """
    bot = _by_username(sandbox, username)
    if bot is None:
        raise NotFound(f"The sandbox has no bot @{username}; make it with POST /sandbox/api/bots.")
    return bot


def revoke(sandbox: Sandbox, bot: Row) -> str:
    """Give a bot a new token, as BotFather does; the old one is nobody's. Its webhook stays."""
    token = _make_token(bot["id"])
    sandbox.store.run("UPDATE bots SET token = :token WHERE id = :bot_id", token=token, bot_id=bot["id"])
    return token


def ban(sandbox: Sandbox, bot: Row, is_banned: bool) -> None:
    """Ban a bot, or let it be again: every call is answered as if its token were revoked, and it hears nothing."""
    sandbox.store.run("DELETE FROM banned_bots WHERE bot_id = :bot_id", bot_id=bot["id"])
    if is_banned:
        sandbox.store.run("INSERT INTO banned_bots VALUES (:bot_id)", bot_id=bot["id"])


def is_banned(sandbox: Sandbox, bot: Row) -> bool:
    """Tell whether Telegram has banned it."""
    return sandbox.store.find("SELECT 1 FROM banned_bots WHERE bot_id = :bot_id", bot_id=bot["id"]) is not None


def find_by_id(sandbox: Sandbox, bot_id: int) -> Row | None:
    """Give the bot as it is now."""
    return sandbox.store.find("SELECT * FROM bots WHERE id = :bot_id", bot_id=bot_id)


def find_by_token(sandbox: Sandbox, token: str) -> Row | None:
    """Give the bot this token belongs to."""
    return sandbox.store.find("SELECT * FROM bots WHERE token = :token", token=token)


def list_all(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Give every bot with its chats and the state of its webhook; never a token."""
    return [
        {
            "id": bot["id"],
            "username": bot["username"],
            "name": bot["name"],
            "chats": _chats(sandbox, bot),
            "webhook": webhooks.describe(sandbox, bot),
        }
        for bot in sandbox.store.list("SELECT * FROM bots ORDER BY id")
    ]


def as_user(bot: Row) -> dict[str, Any]:
    """Give the bot as a Bot API User."""
    return {"id": bot["id"], "is_bot": True, "first_name": bot["name"], "username": bot["username"]}


def _make_token(bot_id: int) -> str:
    return f"{bot_id}:{secrets.token_urlsafe(26)[:35]}"


def _by_username(sandbox: Sandbox, username: str) -> Row | None:
    return sandbox.store.find("SELECT * FROM bots WHERE username = :username", username=username)


def _chats(sandbox: Sandbox, bot: Row) -> list[dict[str, Any]]:
    rows = sandbox.store.list("SELECT * FROM chats WHERE bot_id = :bot_id ORDER BY id", bot_id=bot["id"])
    return [{"id": row["id"], "first_name": row["first_name"], "is_blocked": bool(row["is_blocked"])} for row in rows]
