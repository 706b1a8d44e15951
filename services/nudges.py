"""Nudges: the timers of reminders, downsells and upsells. Whether each is still wanted is looked at when it fires.

Many stand beside one another, and beside the one wait of their lead. None is cancelled: a payment, a newer offer, a
person who takes the chat change what `find_obstacle` sees, and most timers find nothing to do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from grimbots.queue.task import Done
from grimbots.services import effects, leads, moves, timers
from grimbots.services.funnels import versions
from grimbots.services.funnels.events import Nudged
from grimbots.services.funnels.nudges import find_obstacle
from grimbots.services.funnels.steps.base import Scene
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from typing import Literal

    from grimbots.services.app import App
    from grimbots.services.funnels.effects import Nudge
    from grimbots.services.funnels.nudges import What
    from grimbots.sql.database import Row, Transaction


async def plan(
    app: App, tx: Transaction, *, cause: str, ordinal: int, lead: Row, version_id: int, effect: Nudge
) -> None:
    """Come back to a lead at a step's time, on the version that planned it."""
    payload = {
        "account_id": lead.account_id,
        "lead_id": lead.id,
        "version_id": version_id,
        "step": effect.step,
        "what": effect.what,
        "place": effect.place,
        "payment_id": effect.payment_id,
        "stage": effect.stage,
    }
    await timers.plan(
        tx,
        give,
        account_id=lead.account_id,
        bot_id=lead.bot_id,
        payment_id=effect.payment_id,
        cause=f"{cause}:nudge",  # a payment's expiry has the cause itself
        ordinal=ordinal,
        payload=payload,
        due_at=effect.due_at,
        now=app.clock(),
    )


@task("nudges.give", queue="tasks")
async def give(
    app: App,
    *,
    timer_id: int,
    account_id: int,
    lead_id: int,
    version_id: int,
    step: str,
    what: What,
    place: int,
    payment_id: int | None,
    stage: int,
) -> Done:
    """Let a lead have what a step had for later, once, if it is still wanted."""
    cause = f"t:{timer_id}"
    async with app.db.transaction() as tx:
        lead = await leads.lock_by_id(tx, account_id=account_id, lead_id=lead_id)
        is_first = await timers.finish(tx, timer_id, app.clock())
        if lead is not None and is_first:
            await _give(app, tx, lead, version_id, Nudged(step, what, place, payment_id, stage), cause)
        return Done(await effects.pending(tx, account_id=account_id, cause=cause))


async def _give(app: App, tx: Transaction, lead: Row, version_id: int, event: Nudged, cause: str) -> None:
    """Move the lead. What is against it and no walk shows is written down with the event, to be explained later."""
    version = await versions.load(app, version_id, tx)
    if find_obstacle(event, Scene(version, leads.walk(lead), app.clock())):
        return
    seen = replace(event, obstacle=await _look_around(tx, lead, event))
    await moves.make(app, tx, lead, version_id, seen, cause=cause)


async def _look_around(tx: Transaction, lead: Row, event: Nudged) -> Literal["", "blocked", "returned"]:
    if lead.status != "active":
        return "blocked"
    if event.what != "upsell":
        return ""
    payment = await tx.payments.find(account_id=lead.account_id, payment_id=event.payment_id)
    return "" if payment is not None and payment.state == "paid" else "returned"
