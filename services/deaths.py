"""Deaths: bots whose token Telegram disowns: revoked, deleted or banned. Out of service at once, and their seller told.

What waits for such a bot waits for its return: `tokens.change` with a good token, `tokens.repair` with the same one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from grimbots.services import bots
from grimbots.services.clients.telegram import Answer, Kind
from grimbots.services.clients.telegram_errors import is_frozen

if TYPE_CHECKING:
    from grimbots.services.app import App

log = logging.getLogger(__name__)


async def confirm(app: App, bot_id: int, seen: Answer | None = None) -> bool:
    """Ask Telegram once more, and declare the bot dead when the answer is the same. Returns whether it is dead.

    `seen` is the answer that raised the doubt: of a frozen bot getMe says nothing. A token given meanwhile saves it.
    """
    row = await app.db.bots.find_by_id(bot_id=bot_id)
    if row is None or row.status not in ("new", "active"):
        return True
    answer = seen
    if answer is None or not is_frozen(answer.description):
        answer = await app.telegram.call(app.vault.decrypt(row.token_encrypted), "getMe", {})
    if answer.kind is not Kind.DEAD_BOT:
        return False
    await bury(app, row, f"Telegram answers {answer.http} {answer.description}", "task")
    return True


async def bury(app: App, row: Any, reason: str, actor: str) -> None:
    """Take a bot out of service everywhere, and tell its seller; not if it has another token by now."""
    key = {"account_id": row.account_id, "bot_id": row.id}
    async with app.db.transaction() as tx:
        token = {"token_encrypted": row.token_encrypted}
        if await tx.bots.bury(**key, **token, reason=reason, now=app.clock()) is None:
            return
        await tx.webhooks.forget(**key)
        await tx.alarms.add(**key, kind="dead", detail=reason, now=app.clock())
        await bots.note_change(
            app, tx, row.account_id, row.id, actor, "bot.status", {"status": "dead", "reason": reason}
        )
    log.warning("bot %d is out of service: %s", row.id, reason)
