"""Managed bots: made by a person on a manager's link, their tokens fetched and replaced by the manager.

Source: Bot API 10.3 (ManagedBotUpdated, getManagedBotToken, replaceManagedBotToken). The refusal's text is ours: none
is published.
"""

from __future__ import annotations

import json
from typing import Any

from grimbots.services.errors import Conflict
from grimbots.services.sandbox import bots, updates
from grimbots.services.sandbox.refusals import Refusal
from grimbots.services.sandbox.registry import Call, method
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row


def make(sandbox: Sandbox, manager: Row, username: str, name: str, owner: dict[str, Any]) -> tuple[Row, str]:
    """Make a bot as a person does who confirms a manager's link; give it, and the queue of the update that says so.

    Raises:
        Invalid: the username breaks Telegram's rule.
        Conflict: it is taken.
    """
    if any(known["username"].lower() == username.lower() for known in bots.list_all(sandbox)):
        raise Conflict(f"The username {username} is taken.")
    made = bots.create(sandbox, username, name)
    sandbox.store.run(
        "INSERT INTO managed_bots VALUES (:bot_id, :manager_id, :owner)",
        bot_id=made["id"],
        manager_id=manager["id"],
        owner=json.dumps(owner),
    )
    return made, tell(sandbox, made)


def tell(sandbox: Sandbox, bot: Row) -> str:
    """Tell a bot's manager, if it has one, that it was made or has another token; give the queue, "" for none."""
    managed = sandbox.store.find("SELECT * FROM managed_bots WHERE bot_id = :bot_id", bot_id=bot["id"])
    manager = managed and bots.find_by_id(sandbox, managed["manager_id"])
    if not managed or not manager:
        return ""
    owner = json.loads(managed["owner"])
    return updates.push(sandbox, manager, "managed_bot", owner["id"], {"user": owner, "bot": bots.as_user(bot)})


@method("getManagedBotToken", "user_id:integer")
def get_managed_bot_token(call: Call) -> str:
    """Say the token of a bot that this one manages."""
    token: str = _find(call)["token"]
    return token


@method("replaceManagedBotToken", "user_id:integer")
def replace_managed_bot_token(call: Call) -> str:
    """Revoke it and say the new one."""
    bot = _find(call)
    token = bots.revoke(call.sandbox, bot)
    tell(call.sandbox, bot)
    return token


def _find(call: Call) -> Row:
    keys = {"bot_id": call.params.get("user_id", 0), "manager_id": call.bot["id"]}
    is_managed = call.sandbox.store.find(
        "SELECT 1 FROM managed_bots WHERE bot_id = :bot_id AND manager_id = :manager_id", **keys
    )
    bot = bots.find_by_id(call.sandbox, keys["bot_id"]) if is_managed else None
    if bot is None:
        raise Refusal(400, "Bad Request: managed bot not found")
    return bot
