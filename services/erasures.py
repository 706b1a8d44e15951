"""Erasures: a lead's personal data taken out of everything, for good. What stays is what the books need.

`erase` is the one road, for the person (a button), the seller (a page, a command) and a restored backup (`reapply`).
The row of the lead stays, nameless, for its payments hang on it; services/personal_data.py says of every column what
becomes of it. Then, outside of the transaction, `finish`: dead jobs, places in groups, a last word.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from grimbots.queue.operators import Operator
from grimbots.queue.task import Again, Done
from grimbots.services import conversion_events, groups, leads, privacy_requests, privacy_texts, tombstones
from grimbots.services.clients.telegram import Kind
from grimbots.services.errors import NotFound
from grimbots.services.tasks import task
from grimbots.services.tombstones import Tombstone

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.services.privacy_commands import Confirmed
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

UNCLEAR = (Kind.NEVER_SENT, Kind.AMBIGUOUS, Kind.CONFLICT)
WAIT_SECONDS = 30.0
PUT_OUT = ("banChatMember", "unbanChatMember")  # banned for a moment: free to come back


async def confirm(app: App, bot: Bot, chat_id: int, pressed: Confirmed, update_id: int) -> list[Job]:
    """Act on the button under /excluir: the job of the erasure, or of saying that the button is of no use any more."""
    lead = await app.db.leads.find_by_chat(account_id=bot.account_id, bot_id=bot.id, chat_id=chat_id)
    if lead is None:  # erased by an earlier run of this very job, which may have died before it handed on what follows
        lead_id = pressed.lead_id
        return [make_job(bot.account_id, bot.id, chat_id, lead_id, "lead")] if pressed.is_proven(app, lead_id) else []
    if pressed.is_proven(app, lead.id):
        return [make_job(bot.account_id, bot.id, chat_id, lead.id, "lead", language=lead.language_code)]
    text, cause = privacy_texts.choose(lead.language_code)["late"], f"u:{bot.id}:{update_id}"
    async with app.db.transaction() as tx:
        return await privacy_requests.say(app, tx, lead, "sendMessage", {"text": text}, cause=cause)


async def order(app: App, lead: Row, actor: str) -> None:
    """Have a lead erased, in its chat's order, for somebody who is not the lead.

    Raises:
        QueueUnavailable: nothing was ordered.
    """
    await app.queue.enqueue(make_job(lead.account_id, lead.bot_id, lead.chat_id, lead.id, actor))


def make_job(account_id: int, bot_id: int, chat_id: int, lead_id: int, actor: str, language: str = "") -> Job:
    """Make the job that erases a lead."""
    return erase.job(
        id=f"erase:{lead_id}",
        source=f"b{bot_id}",
        account=str(account_id),
        group=str(chat_id),
        account_id=account_id,
        bot_id=bot_id,
        chat_id=chat_id,
        lead_id=lead_id,
        actor=actor,
        language=language,
    )


@task("privacy.erase", queue="tasks")
async def erase(
    app: App, *, account_id: int, bot_id: int, chat_id: int, lead_id: int, actor: str, language: str
) -> Done:
    """Erase a lead and hand on what follows. Run again it finds the lead erased, and hands the same on."""
    async with app.db.transaction() as tx:
        lead = await leads.lock_by_id(tx, account_id=account_id, lead_id=lead_id)
        if lead is None or (lead.status != "erased" and (lead.bot_id, lead.chat_id) != (bot_id, chat_id)):
            raise NotFound(f"there is no lead {lead_id} in this account, or not in this chat")
        if lead.status != "erased":
            await wipe(app, tx, lead, actor)
        group_ids = await tx.erasures.list_groups(account_id=account_id, lead_id=lead_id)
    follow_up = finish.job(
        id=f"erased:{lead_id}",
        source=f"b{bot_id}",
        account=str(account_id),
        group=str(chat_id),
        bot_id=bot_id,
        chat_id=chat_id,
        group_ids=[row.group_id for row in group_ids],
        told=actor == "lead",
        language=language,
    )
    return Done([follow_up])


async def wipe(app: App, tx: Transaction, lead: Row, actor: str) -> None:
    """Take a locked lead's personal data out of every table, and leave a tombstone."""
    now, key = app.clock(), {"account_id": lead.account_id, "lead_id": lead.id}
    stone = Tombstone(
        **key,
        bot_id=lead.bot_id,
        digest=app.vault.tombstone(lead.bot_id, lead.chat_id),
        actor=actor,
        made_at=now.isoformat(),
    )
    await tombstones.keep(app, stone)
    await tx.tombstones.add(**key, bot_id=lead.bot_id, digest=stone.digest, actor=actor, now=now)
    await conversion_events.set_reported(tx, **key, is_reported=False)
    for blank in (
        tx.erasures.blank_clicks,
        tx.erasures.blank_messages,
        tx.erasures.blank_notices,
        tx.erasures.blank_posts,
        tx.erasures.blank_events,
        tx.erasures.blank_payments,
        tx.erasures.blank_reasons,
        tx.erasures.blank_deliveries,
        tx.erasures.cancel_timers,
        tx.erasures.blank_group_acts,
        tx.erasures.blank_accesses,
        tx.erasures.end_notices,
        tx.erasures.forget_moves,
        tx.erasures.blank_lead,
    ):
        await blank(**key)
    await tx.takeovers.finish(**key, now=now)
    await privacy_requests.note(app, tx, lead, "lead.erase", actor=actor)


@task("privacy.finish", queue="tasks", timeout_seconds=120.0)
async def finish(app: App, *, bot_id: int, chat_id: int, group_ids: list[int], told: bool, language: str) -> Done:
    """Do what no row must remember: forget the chat's dead jobs, put the person out of groups, say that it is done.

    Raises:
        Again: Telegram gave no clear answer about a group.
    """
    await Operator(app.queue).discard_chat(f"b{bot_id}", str(chat_id))
    bot = await app.bots.by_id(app, bot_id)
    for group_id in group_ids:
        await _put_out(app, bot, group_id, chat_id)
    if told and bot.status == "active":
        text = privacy_texts.choose(language)["erased"]
        await app.telegram.call(bot.token, "sendMessage", {"chat_id": chat_id, "text": text})  # once, come what may
    return Done()


async def reapply(app: App, stones: Sequence[Tombstone]) -> list[Row]:
    """Erase again whom a restored backup brought back; returns their rows as they were."""
    found = []
    for stone in stones:
        async with app.db.transaction() as tx:
            lead = await tx.erasures.lock_lead(account_id=stone.account_id, lead_id=stone.lead_id)
            if lead is not None and stone.is_of(app, lead):
                await wipe(app, tx, lead, stone.actor)
                found.append(lead)
    return found


async def empty_chats(app: App, erased: Sequence[Row]) -> None:
    """Take what waited in chats of erased leads out of the queue, while nobody works."""
    for lead in erased:
        await Operator(app.queue).empty_chat(f"b{lead.bot_id}", str(lead.chat_id), "erased")


async def _put_out(app: App, bot: Bot, group_id: int, chat_id: int) -> None:
    """Put a person out of a group, unless another bot of the account has sold him the place."""
    of_person = {"account_id": bot.account_id, "group_id": group_id, "user_id": chat_id}
    if await app.db.accesses.is_live(**of_person):
        return
    group = await app.db.groups.get(account_id=bot.account_id, group_id=group_id)
    for method in PUT_OUT:
        params = {"user_id": chat_id, **({"only_if_banned": True} if method == "unbanChatMember" else {})}
        answer = await groups.call(app, bot, group, method, params)
        if answer.kind is Kind.FLOOD:
            raise Again(answer.retry_after_seconds, "telegram: too many requests", spend=False)
        if answer.kind in UNCLEAR:
            raise Again(WAIT_SECONDS, answer.description)
        if answer.kind is not Kind.OK:
            log.warning("an erased lead may still be in group %d: %s", group_id, answer.description)
            return
