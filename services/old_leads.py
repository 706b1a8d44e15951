"""Leads of the original GRIMBOTS, read out of its database and added to the bot they belong to.

They belong to a Telegram bot, by its id: nobody else's can be named. Whoever is known here already is left as he is, so
it may be done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from grimbots.services import bots
from grimbots.services.arrivals import MAX_ID, MAX_NAME, clean
from grimbots.services.errors import Invalid
from grimbots.sql.database import Json

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.services.bots import Bot

BATCH = 500
BRASILIA = timezone(timedelta(hours=-3))  # of the old clock, which names no zone
BOUGHT = "comprou-antes"
BOTS = sa.table("bots", sa.column("id"), sa.column("bot_id"))
PEOPLE = sa.table(
    "bot_users",
    *map(sa.column, ("id", "bot_id", "telegram_user_id", "first_name", "username", "archived")),
    sa.column("first_interaction", sa.DateTime()),
    sa.column("last_interaction", sa.DateTime()),
)
SILENT = sa.table("remarketing_blacklist", sa.column("bot_id"), sa.column("telegram_user_id"))
PAID = sa.table("payments", sa.column("bot_id"), sa.column("customer_user_id"), sa.column("status"))


@dataclass(frozen=True, slots=True)
class OldLead:
    """Somebody the old bot knew. `tags`: one for who has bought."""

    chat_id: int
    first_name: str
    username: str
    status: str
    tags: Sequence[str]
    created_at: str
    updated_at: str


def read_leads(url: str, telegram_id: int, now: datetime) -> Iterator[OldLead]:
    """Give the leads of a Telegram bot, but for those its old token's change had shut out.

    Raises:
        Invalid: the database cannot be read, or is another's.
    """
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)  # which closes what is given back
        with engine.connect().execution_options(yield_per=BATCH) as old:
            found = list(old.scalars(sa.select(BOTS.c.id).where(sa.cast(BOTS.c.bot_id, sa.String) == str(telegram_id))))
            silent = _read_ids(old, sa.select(SILENT.c.telegram_user_id).where(SILENT.c.bot_id.in_(found)))
            bought = sa.select(PAID.c.customer_user_id).where(PAID.c.bot_id.in_(found), PAID.c.status == "paid")
            buyers = _read_ids(old, bought)
            for row in old.execute(sa.select(PEOPLE).where(PEOPLE.c.bot_id.in_(found)).order_by(PEOPLE.c.id)):
                if (lead := read_lead(row._mapping, silent, buyers, now)) is not None:
                    yield lead
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise Invalid(f"the old database cannot be read: {str(error).splitlines()[0]}") from error


def _read_ids(old: sa.Connection, wanted: sa.Select[Any]) -> set[int]:
    return {found for raw in old.scalars(wanted) if (found := read_id(raw)) is not None}


def read_id(raw: Any) -> int | None:
    """Read a Telegram id: a number here, a text there, some with a prefix."""
    text = str(raw).strip().removeprefix("user_")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 17 and 0 < int(text) < MAX_ID else None


def read_lead(row: Mapping[Any, Any], silent: set[int], buyers: set[int], now: datetime) -> OldLead | None:
    """Read a row of bot_users; None for who cannot be written to any more, or is nobody."""
    chat_id = read_id(row["telegram_user_id"])
    if chat_id is None or row["archived"]:
        return None
    first, last = (_read_time(row[name], now) for name in ("first_interaction", "last_interaction"))
    return OldLead(
        chat_id,
        clean(str(row["first_name"] or ""))[:MAX_NAME],
        clean(str(row["username"] or "")).removeprefix("@")[:MAX_NAME],
        "blocked" if chat_id in silent else "active",
        [BOUGHT] if chat_id in buyers else [],
        first.isoformat(),
        max(first, last).isoformat(),
    )


def _read_time(raw: Any, now: datetime) -> datetime:
    if not isinstance(raw, datetime):
        return now
    return min(now, raw if raw.tzinfo else raw.replace(tzinfo=BRASILIA))


async def bring_in(app: App, bot: Bot, leads: Iterator[OldLead], actor: str) -> int:
    """Add the leads that are not known here yet, and were not erased here; returns how many that were."""
    key, added = {"account_id": bot.account_id, "bot_id": bot.id}, 0
    while some := list(islice(leads, BATCH)):
        wanted = await _leave_out_erased(app, bot, some)
        added += len(await app.db.leads.bring_in(**key, leads=Json([asdict(lead) for lead in wanted])))
    async with app.db.transaction() as tx:
        await bots.note_change(app, tx, **key, actor=actor, action="bot.leads", details={"added": added})
    return added


async def _leave_out_erased(app: App, bot: Bot, some: Sequence[OldLead]) -> list[OldLead]:
    digests = {lead.chat_id: app.vault.tombstone(bot.id, lead.chat_id) for lead in some}
    key = {"account_id": bot.account_id, "bot_id": bot.id}
    erased = set(await app.db.tombstones.find_erased(**key, digests=list(digests.values())))
    return [lead for lead in some if digests[lead.chat_id] not in erased]
