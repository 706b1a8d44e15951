"""Notices: what a funnel tells the seller, by messages in his own chat with the bot, in that chat's order."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from grimbots.services import accounts, leads, messages
from grimbots.services.errors import NotFound
from grimbots.services.funnels.bodies import MARKUP
from grimbots.services.funnels.effects import Notify

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)


async def plan(
    app: App, tx: Transaction, *, cause: str, ordinal: int, lead: Row, version_id: int, effect: Notify
) -> list[Job]:
    """Plan a notice once, and return its job; none where the seller has not said which chat is his."""
    seller = await tx.notices.find_lead(account_id=lead.account_id, bot_id=lead.bot_id)
    if seller is None:
        log.warning("step %s has a notice and its bot no chat for it: grimbots chat notices", effect.step)
        return []
    job = await messages.plan(
        tx,
        lead=seller,
        cause=cause,
        ordinal=ordinal,
        version_id=version_id,
        step=effect.step,
        method="sendMessage",
        body={"text": effect.text, **MARKUP},
        nonce=None,
        policy="retry",
        payment_id=None,
        planned_at=app.clock(),
    )
    return [job]


async def set_chat(app: App, *, account: str, bot: str, who: str, actor: str) -> Row:
    """Send a bot's notices to one of its leads, named by chat id or @username, and return it.

    Raises:
        NotFound: no such account, bot or lead: whoever wants the notices presses /start in the bot first.
    """
    tenant = await accounts.get_account(app, account)
    lead = await leads.find_by_word(app, tenant.id, bot, who)
    if lead is None:
        raise NotFound(f"@{bot.lstrip('@')} of {account} knows no {who}: press /start in the bot first, then try again")
    async with app.db.transaction() as tx:
        await tx.notices.set_lead(account_id=tenant.id, bot_id=lead.bot_id, lead_id=lead.id, now=app.clock())
        await tx.audit.note(
            account_id=tenant.id,
            actor=actor,
            action="bot.notices",
            subject=f"bot:{lead.bot_id}",
            details={"lead": lead.id},
            at=app.clock(),
        )
    return lead
