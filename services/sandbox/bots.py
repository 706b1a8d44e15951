"""Bots of the sandbox: made here as BotFather makes them, each with a token, a username and one webhook."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from urllib.parse import urlsplit

from grimbots.conf.settings import is_loopback
from grimbots.services.errors import Invalid, NotFound
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{4,31}")
FIRST_BOT_ID = 7_000_000_001
DEFAULT_CONNECTIONS = 40

# Source: Bot API, setWebhook: these come only when they are asked for by name.
ON_REQUEST_ONLY = {"chat_member", "message_reaction", "message_reaction_count"}


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
        token=f"{bot_id}:{secrets.token_urlsafe(26)[:35]}",
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
            "webhook": webhook(sandbox, bot),
        }
        for bot in sandbox.store.list("SELECT * FROM bots ORDER BY id")
    ]


def as_user(bot: Row) -> dict[str, Any]:
    """Give the bot as a Bot API User."""
    return {"id": bot["id"], "is_bot": True, "first_name": bot["name"], "username": bot["username"]}


def set_webhook(
    sandbox: Sandbox, bot: Row, *, url: str, secret: str, connections: int, allowed: list[str] | None
) -> None:
    """Point the bot's updates at `url`. `allowed` None keeps the old list of kinds, an empty one is Telegram's choice.

    Raises:
        Refusal: Telegram would refuse these values.
    """
    _check_url(url)
    if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
        raise Refusal(400, "Bad Request: secret token contains unallowed characters")
    if len(secret) > 256:
        raise Refusal(400, "Bad Request: secret token is too long")
    sandbox.store.run(
        """
        UPDATE bots
        SET webhook_url = :url, webhook_secret = :secret, max_connections = :connections,
            allowed_updates = coalesce(:allowed, allowed_updates),
            last_error_at = NULL, last_error_message = NULL
        WHERE id = :bot_id
        """,
        bot_id=bot["id"],
        url=url,
        secret=secret,
        connections=connections if 1 <= connections <= 100 else DEFAULT_CONNECTIONS,
        allowed=None if allowed is None else json.dumps(allowed),
    )


def remove_webhook(sandbox: Sandbox, bot: Row) -> None:
    """Let the bot's updates wait; what was allowed stays for the next webhook."""
    sandbox.store.run("UPDATE bots SET webhook_url = '', webhook_secret = '' WHERE id = :bot_id", bot_id=bot["id"])


def note_webhook_error(sandbox: Sandbox, bot: Row, message: str) -> None:
    """Keep what went wrong last, for getWebhookInfo."""
    sandbox.store.run(
        "UPDATE bots SET last_error_at = :now, last_error_message = :message WHERE id = :bot_id",
        bot_id=bot["id"],
        now=int(sandbox.clock()),
        message=message,
    )


def webhook(sandbox: Sandbox, bot: Row) -> dict[str, Any]:
    """Give the bot's WebhookInfo."""
    waiting = sandbox.store.find(
        "SELECT count(*) AS count FROM parcels WHERE owner = :owner AND outcome IS NULL", owner=f"bot:{bot['id']}"
    )
    info = {
        "url": bot["webhook_url"],
        "has_custom_certificate": False,
        "pending_update_count": waiting["count"] if waiting else 0,
    }
    if bot["last_error_at"]:
        info |= {"last_error_date": bot["last_error_at"], "last_error_message": bot["last_error_message"]}
    if bot["webhook_url"]:
        info["max_connections"] = bot["max_connections"]
    if json.loads(bot["allowed_updates"]):
        info["allowed_updates"] = json.loads(bot["allowed_updates"])
    return info


def wants(bot: Row, kind: str) -> bool:
    """Tell whether the bot asked for updates of this kind."""
    allowed = json.loads(bot["allowed_updates"])
    return kind in allowed if allowed else kind not in ON_REQUEST_ONLY


def _by_username(sandbox: Sandbox, username: str) -> Row | None:
    return sandbox.store.find("SELECT * FROM bots WHERE username = :username", username=username)


def _chats(sandbox: Sandbox, bot: Row) -> list[dict[str, Any]]:
    rows = sandbox.store.list("SELECT * FROM chats WHERE bot_id = :bot_id ORDER BY id", bot_id=bot["id"])
    return [{"id": row["id"], "first_name": row["first_name"], "is_blocked": bool(row["is_blocked"])} for row in rows]


def _check_url(url: str) -> None:
    """The sandbox is a local server: like Telegram's own, it takes http where that cannot leave the machine."""
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or (parts.scheme == "http" and not is_loopback(parts.hostname or "")):
        raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
