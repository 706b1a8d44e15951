"""Leads: a person in one bot. Whoever changes one locks its row first, before any other row of the transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from grimbots.services.errors import NotFound
from grimbots.services.funnels import walks
from grimbots.services.funnels.walks import Walk

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.arrivals import Person
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Row, Transaction


@dataclass(frozen=True, slots=True)
class Move:
    """What moved a lead: an event (services/funnels/journals.py) on a version of its funnel."""

    version_id: int
    cause: str
    event: Mapping[str, Any]


async def find_by_word(app: App, account_id: int, bot: str, who: str) -> Row | None:
    """Find a lead of a bot by its chat id or its @username.

    Raises:
        NotFound: the account has no such bot.
    """
    found = await app.db.bots.find_by_username(account_id=account_id, username=bot.lstrip("@"))
    if found is None:
        raise NotFound(f"this account has no bot @{bot.lstrip('@')}: `grimbots bot list` shows them")
    key = {"account_id": account_id, "bot_id": found.id}
    if who.isdecimal():
        return await app.db.leads.find_by_chat(**key, chat_id=int(who))
    return await app.db.leads.find_by_username(**key, username=who.lstrip("@"))


async def lock(
    tx: Transaction,
    bot: Bot,
    chat_id: int,
    person: Person,
    now: datetime,
    *,
    update_id: int | None = None,
    received_at: datetime | None = None,
    is_start: bool = False,
) -> Row:
    """Return the lead of a chat, made if it is new, named as it is called now, and locked. `status` is what it was.

    `is_news`: `update_id`, taken in at `received_at`, was never applied before, and is now; `current_version_id`: of
    the bot's funnel. `is_start`: the update is a /start that brought no click.
    """
    return await tx.leads.lock_or_add(
        account_id=bot.account_id,
        bot_id=bot.id,
        chat_id=chat_id,
        first_name=person.first_name,
        last_name=person.last_name,
        username=person.username,
        language_code=person.language_code,
        now=now,
        applied_on=(received_at or now).date(),  # the same in every run: two at midnight meet in one day's index
        update_id=update_id,
        is_start=is_start,
        funnel_id=bot.funnel_id,
    )


async def lock_by_id(tx: Transaction, *, account_id: int, lead_id: int) -> Row:
    """Return a lead, locked; None where the account has none of this id."""
    return await tx.leads.lock_by_id(account_id=account_id, lead_id=lead_id)


def read_answers(state: Mapping[str, Any]) -> Mapping[str, str]:
    """Read what a lead has answered of its stored state."""
    return walks.load(state, version_id=0, step="", variables={}).answers


def walk(lead: Row) -> Walk:
    """Read where a lead stands."""
    names = {name: getattr(lead, name) for name in ("first_name", "last_name", "username", "start_param")}
    return walks.load(lead.state, version_id=lead.version_id or 0, step=lead.step, variables=names)


async def save(
    tx: Transaction, lead: Row, walk: Walk, now: datetime, *, update_id: int | None = None, move: Move | None = None
) -> None:
    """Write where a lead stands now, by which update, if it was one, and what moved it."""
    await tx.leads.save_walk(
        account_id=lead.account_id,
        lead_id=lead.id,
        version_id=walk.version_id or None,
        step=walk.step,
        state=walks.dump(walk),
        start_param=walk.variables["start_param"],
        update_id=update_id,
        moved_on=move.version_id if move else None,
        cause=move.cause if move else None,
        event=dict(move.event) if move else None,
        now=now,
    )


async def bind_order(tx: Transaction, lead: Row, payment_id: int) -> None:
    """Give the newest order of a lead's saved walk the payment that was opened for it."""
    await tx.leads.bind_order(account_id=lead.account_id, lead_id=lead.id, payment_id=payment_id)


async def set_status(tx: Transaction, lead: Row, status: str, now: datetime) -> None:
    """Note that a lead is reachable (`active`) or has blocked the bot (`blocked`)."""
    await tx.leads.set_status(account_id=lead.account_id, lead_id=lead.id, status=status, now=now)
