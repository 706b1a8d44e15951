"""Webhooks: where a bot's updates go, how many wait, and what went wrong last."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from grimbots.conf.settings import is_loopback
from grimbots.services.clients.http import Ambiguous, NeverSent
from grimbots.services.sandbox.connections import Connections
from grimbots.services.sandbox.couriers import Verdict
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

DEFAULT_CONNECTIONS = 40
GONE_SECONDS = 23 * 3600  # source: tdlib/telegram-bot-api, WebhookActor.h (WEBHOOK_DROP_TIMEOUT)

# Source: Bot API, setWebhook: these come only when they are asked for by name.
ON_REQUEST_ONLY = {"chat_member", "message_reaction", "message_reaction_count"}


def read(bot: Row, *, url: str, secret: str, connections: int, allowed: list[str] | None) -> dict[str, Any]:
    """Give the columns of a bot whose updates go to `url`. `allowed` None keeps the old list of kinds.

    Raises:
        Refusal: Telegram would refuse these values.
    """
    _check_url(url)
    if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
        raise Refusal(400, "Bad Request: secret token contains unallowed characters")
    if len(secret) > 256:
        raise Refusal(400, "Bad Request: secret token is too long")
    return {
        "webhook_url": url,
        "webhook_secret": secret,
        "max_connections": connections if 1 <= connections <= 100 else DEFAULT_CONNECTIONS,
        "allowed_updates": bot["allowed_updates"] if allowed is None else json.dumps(allowed),
    }


def put(sandbox: Sandbox, bot: Row, columns: dict[str, Any], *, is_forced: bool) -> bool:
    """Point the bot's updates where `columns` say; tell whether it was `is_forced`, or more than the kinds changed."""
    is_changed = is_forced or any(bot[name] != value for name, value in columns.items() if name != "allowed_updates")
    if is_changed:
        _forget(sandbox, bot)
    sandbox.store.run(
        """
        UPDATE bots
        SET webhook_url = :webhook_url, webhook_secret = :webhook_secret, max_connections = :max_connections,
            allowed_updates = :allowed_updates
        WHERE id = :bot_id
        """,
        bot_id=bot["id"],
        **columns,
    )
    return is_changed


def remove(sandbox: Sandbox, bot: Row) -> bool:
    """Let the bot's updates wait; what was allowed stays for the next webhook. Tell whether there was one."""
    _forget(sandbox, bot)
    sandbox.store.run("UPDATE bots SET webhook_url = '', webhook_secret = '' WHERE id = :bot_id", bot_id=bot["id"])
    return bool(bot["webhook_url"])


def note_error(sandbox: Sandbox, bot: Row, connections: Connections, verdict: Verdict) -> None:
    """Keep what went wrong last, for getWebhookInfo; remove a webhook that has said 410 Gone for 23 hours on end."""
    now = sandbox.clock()
    sandbox.store.run(
        "UPDATE bots SET last_error_at = :now, last_error_message = :message WHERE id = :bot_id",
        bot_id=bot["id"],
        now=int(now),
        message=verdict.error,
    )
    if verdict.status != 410:
        connections.gone_at = None
    elif connections.gone_at is None:
        connections.gone_at = now
    elif now > connections.gone_at + GONE_SECONDS:
        remove(sandbox, bot)


def describe_failure(failure: NeverSent | Ambiguous) -> str:
    """Name a delivery without an answer as Telegram does; our client's text ends in the system's reason, if any."""
    text = str(failure)
    if "Timeout" in text:
        return "Connection timed out" if isinstance(failure, NeverSent) else "Read timeout expired"
    if "Connect call failed" in text:  # asyncio's words for ECONNREFUSED and its like
        return "Connection refused"
    return text.partition("Error ")[2] or "Connection closed"


def describe(sandbox: Sandbox, bot: Row) -> dict[str, Any]:
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


def _forget(sandbox: Sandbox, bot: Row) -> None:
    """Forget the old address: its connections, its errors."""
    if connections := sandbox.connections.pop(bot["id"], None):
        connections.close()
    sandbox.store.run(
        "UPDATE bots SET last_error_at = NULL, last_error_message = NULL WHERE id = :bot_id", bot_id=bot["id"]
    )


def _check_url(url: str) -> None:
    """The sandbox is a local server: like Telegram's own, it takes http where that cannot leave the machine."""
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or (parts.scheme == "http" and not is_loopback(parts.hostname or "")):
        raise Refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
