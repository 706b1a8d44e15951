"""Updates: what Telegram posts, applied once each.

One transaction: the lead's row is locked, the update is looked up and noted, the funnel advances, its effects are
planned as rows. The same update handled again, or twice at once, waits for that lock, finds itself noted and only emits
again what is not done yet.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from grimbots.conf import logs, metrics
from grimbots.queue.task import Done
from grimbots.services import (
    arrivals,
    checkouts,
    clicks,
    deliveries,
    effects,
    group_news,
    group_updates,
    lateness,
    leads,
    messages,
    moves,
    storages,
    webhooks,
)
from grimbots.services.arrivals import Act, Arrival, Press, Sign, StarsPaid
from grimbots.services.funnels import versions
from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.effects import Verify
from grimbots.services.funnels.events import Event, Returned, Started, Tapped, TappedOld, Wrote
from grimbots.services.funnels.old_buttons import list_names
from grimbots.services.lateness import Late
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.bots import Bot
    from grimbots.sql.database import Row, Transaction

log = logging.getLogger(__name__)

SWAP_SPAN = timedelta(minutes=10)  # update ids begin anew, anywhere, after a week without updates


@dataclass(frozen=True, slots=True)
class Routed:
    """Where an update goes.

    `acts` is False where accepting it is all there is to do; `group` is its chat, "" without one, and of news of a
    Telegram group the person it is about or the group. `begins`: it is a /start.
    """

    update_id: int
    kind: str
    chat_id: int | None
    group: str
    acts: bool
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Tap:
    """A button shown in this very chat was pressed; it belongs to the version its message was said by.

    One that the system before this one showed belongs to the newest version that knows such buttons.
    """

    event: Tapped | TappedOld
    version_id: int

    def is_where(self, lead: Row) -> bool:
        """Tell whether a lead stands at the step whose button it is."""
        step = self.event.step if isinstance(self.event, Tapped) else None
        return bool((lead.version_id, lead.step) == (self.version_id, step))


@dataclass(frozen=True, slots=True)
class Visit:
    """An update being applied, its lead locked."""

    app: App
    tx: Transaction
    bot: Bot
    lead: Row
    arrival: Arrival
    act: Act
    tap: Tap | None
    received_at: datetime

    @property
    def cause(self) -> str:
        """The id of what makes its effects."""
        return f"u:{self.bot.id}:{self.arrival.update_id}"


def route(update: Any) -> Routed | None:
    """Tell where an update goes; None for junk. Pure and total: no JSON makes it raise."""
    arrival = arrivals.read(update)
    if arrival is None:
        return None
    if arrival.news is not None:
        return Routed(arrival.update_id, arrival.kind, None, group_news.get_group(arrival.news), acts=True)
    group = "" if arrival.chat_id is None else str(arrival.chat_id)
    begins = isinstance(arrival.act, Started)
    return Routed(arrival.update_id, arrival.kind, arrival.chat_id, group, arrival.act is not None, begins)


# The webhook bounds what it lets in (128 KiB, as ASCII JSON up to four times that); to serialise every update once more
# only to measure it would cost the front door a tenth of its own work.
@task("updates.handle", queue="tasks", payload_bytes=None)
async def handle(app: App, *, bot_id: int, update: dict[str, Any], received_at: float | None = None) -> Done:
    """Apply one update, taken in at `received_at` (Unix seconds), and return the jobs of its effects, in order."""
    arrival = arrivals.read(update)
    received = app.clock() if received_at is None else datetime.fromtimestamp(received_at, UTC)
    if arrival is not None and arrival.news is not None:
        bot = await app.bots.by_id(app, bot_id)
        return Done(await group_updates.apply(app, bot, arrival.news, f"u:{bot.id}:{arrival.update_id}"))
    if arrival is None or arrival.chat_id is None or arrival.act is None:
        return Done()
    bot = await app.bots.by_id(app, bot_id)
    app.crowd.note(bot.id, arrival.chat_id, app.clock())
    if app.pools.is_deaf(bot.id):
        await webhooks.note_heard(app, bot, received)
    if isinstance(arrival.act, StarsPaid):  # settled once by its own id, whatever becomes of the update
        return Done(await checkouts.take_in(app, bot, arrival.act))
    async with app.db.transaction() as tx:
        jobs = await _apply(app, tx, bot, arrival, arrival.chat_id, arrival.act, received)
    log.info("update handled", extra={"kind": arrival.kind, "effects": len(jobs)})  # the one line; what else is `add`ed
    return Done(jobs)


async def _apply(
    app: App, tx: Transaction, bot: Bot, arrival: Arrival, chat_id: int, act: Act, received_at: datetime
) -> list[Job]:
    """Do what an update asks for, once; if it was done before, list what is left of it."""
    tap = await _find_tap(app, tx, bot, chat_id, act.data) if isinstance(act, Press) else None
    if isinstance(act, Press) and tap is None:
        logs.add(ignored="its button was never shown in its chat")
        return []
    param = act.param if isinstance(act, Started) else ""
    token = param if clicks.is_token(app, bot.account_id, param) else ""
    is_start = isinstance(act, Started) and not token and not storages.is_param(param)
    lead = await leads.lock(
        tx,
        bot,
        chat_id,
        arrival.person,
        app.clock(),
        update_id=arrival.update_id,
        received_at=received_at,
        is_start=is_start,
    )
    visit = Visit(app, tx, bot, lead, arrival, act, tap, received_at)
    if not lead.is_news:
        return await _list_unfinished(visit)
    if greeting := await storages.claim(app, tx, bot, lead, param=param, cause=visit.cause):
        return [greeting]
    if token:
        await clicks.link(app, tx, lead, token)
    _count_swap(visit)
    jobs = await _note_presence(visit)
    if late := _find_lateness(visit):
        metrics.updates_late.labels(late.value).inc()
        logs.add(ignored=f"it comes too late to be acted upon ({late.value})")
        return jobs
    return [*jobs, *await _advance(visit)]


def _count_swap(visit: Visit) -> None:
    """Count an update that acts after a later one of its chat: it came too late for the hold-back to put it right."""
    lead = visit.lead
    if lead.walked_update_id is None or lead.walked_update_id < visit.arrival.update_id:
        return
    if visit.app.clock() - lead.walked_at < SWAP_SPAN:
        metrics.updates_swapped.inc()
        logs.add(swapped=True)  # it came after a later one of its chat


def _find_lateness(visit: Visit) -> Late | None:
    """Tell whether an update comes too late to act, by the rule of services/lateness.py."""
    lead, now = visit.lead, visit.app.clock()
    if visit.tap is not None:
        return Late.TAP if lateness.is_late_tap(visit.received_at, visit.tap.is_where(lead), now) else None
    begins = isinstance(visit.act, Started) or (isinstance(visit.act, Wrote) and lead.version_id is None)
    if not begins:
        return None
    sent_at = lateness.find_sent_at(visit.arrival.date, visit.received_at)
    return Late.START if lateness.is_late_start(sent_at, lead.walked_at, now) else None


async def _find_tap(app: App, tx: Transaction, bot: Bot, chat_id: int, data: str) -> Tap | None:
    """Resolve callback_data by its nonce. Forged, foreign or another platform's: None, and no row comes of it."""
    parts = data.split(":")
    if len(parts) != 4 or parts[0] != "v1":
        return await _find_old_tap(app, tx, bot, list_names(data, chat_id))
    _, step, button, nonce = parts
    message = await messages.find_by_nonce(tx, bot.id, nonce)
    if message is None or (message.chat_id, message.step) != (chat_id, step) or message.version_id is None:
        return None
    return Tap(Tapped(step, button, nonce, message.payment_id), message.version_id)


async def _find_old_tap(app: App, tx: Transaction, bot: Bot, names: Sequence[str]) -> Tap | None:
    """Resolve a button that the system before this one showed, in the bot's own funnel only."""
    if not names:
        return None
    version_id = await tx.funnel_versions.find_with_old_buttons(account_id=bot.account_id, funnel_id=bot.funnel_id)
    if version_id is None:
        return None
    known = (await versions.load(app, version_id, tx)).old_buttons
    return next((Tap(TappedOld(name), version_id) for name in names if name in known), None)


async def _note_presence(visit: Visit) -> list[Job]:
    """Note that a lead has gone or is there again; who returns is given what could not be delivered."""
    if visit.act is Sign.BLOCKED:
        await leads.set_status(visit.tx, visit.lead, "blocked", visit.app.clock())
        return []
    if visit.lead.status == "active" and visit.act is not Sign.RETURNED:
        return []
    await leads.set_status(visit.tx, visit.lead, "active", visit.app.clock())
    return await deliveries.regrant(visit.app, visit.tx, visit.lead)


async def _advance(visit: Visit) -> list[Job]:
    """Let the funnel act, save where the lead stands, plan what is to be done."""
    event, version_id = _choose_event(visit)
    if event is None or version_id is None:
        return []
    return await moves.make(
        visit.app, visit.tx, visit.lead, version_id, event, cause=visit.cause, update_id=visit.arrival.update_id
    )


def _choose_event(visit: Visit) -> tuple[Event | None, int | None]:
    """Give what happened in the funnel's words and the version it happened on.

    None where the funnel is not concerned.
    """
    if visit.tap is not None:
        return visit.tap.event, visit.tap.version_id
    if visit.act is Sign.RETURNED and leads.walk(visit.lead).is_due(visit.app.clock()):
        return Returned(), visit.lead.version_id
    if not isinstance(visit.act, Started | Wrote):
        return None, None
    if isinstance(visit.act, Wrote) and visit.lead.version_id is not None:
        return visit.act, visit.lead.version_id
    if visit.lead.current_version_id is None:
        logs.add(ignored="its bot has no published funnel")
    return visit.act, visit.lead.current_version_id


async def _list_unfinished(visit: Visit) -> list[Job]:
    """Give the jobs of an update that was applied before: of its open rows, and its question to the provider, which has
    no row.

    Asking again is harmless, and what is asked does not depend on where the lead stands by now.
    """
    jobs = await effects.pending(visit.tx, account_id=visit.lead.account_id, cause=visit.cause)
    if visit.tap is None:
        return jobs
    version = await versions.load(visit.app, visit.tap.version_id, visit.tx)
    walk = replace(leads.walk(visit.lead), tap=None)
    _, planned = advance(version, walk, visit.tap.event, visit.app.clock())
    asked = [(ordinal, effect) for ordinal, effect in enumerate(planned) if isinstance(effect, Verify)]
    return jobs + [effects.ask(visit.cause, ordinal, visit.lead, effect) for ordinal, effect in asked]
