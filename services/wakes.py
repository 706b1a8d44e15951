"""Wakes: the timers of leads that wait in a funnel. What a timer assumes, `advance` looks at again when it fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grimbots.queue.task import Done
from grimbots.services import effects, leads, moves, timers
from grimbots.services.funnels.effects import Wake
from grimbots.services.funnels.events import Woke
from grimbots.services.tasks import task

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row, Transaction


async def plan(
    app: App, tx: Transaction, *, cause: str, ordinal: int, lead: Row, version_id: int, effect: Wake
) -> None:
    """Wake a lead when its wait ends."""
    payload = {
        "account_id": lead.account_id,
        "lead_id": lead.id,
        "version_id": version_id,
        "step": effect.step,
        "number": effect.number,
    }
    await timers.plan(
        tx,
        wake,
        account_id=lead.account_id,
        bot_id=lead.bot_id,
        payment_id=None,
        cause=cause,
        ordinal=ordinal,
        payload=payload,
        due_at=effect.due_at,
        now=app.clock(),
    )


@task("wakes.wake", queue="tasks")
async def wake(
    app: App, *, timer_id: int, account_id: int, lead_id: int, version_id: int, step: str, number: int
) -> Done:
    """Let a lead go on whose wait is over. Whoever has blocked the bot goes on when he is back."""
    cause = f"t:{timer_id}"
    async with app.db.transaction() as tx:
        lead = await leads.lock_by_id(tx, account_id=account_id, lead_id=lead_id)
        if lead is not None and lead.status == "active" and _still_waits(app, lead, step, number):
            await moves.make(app, tx, lead, version_id, Woke(step, number), cause=cause)
        await timers.finish(tx, timer_id, app.clock())
        return Done(await effects.pending(tx, account_id=account_id, cause=cause))


def _still_waits(app: App, lead: Row, step: str, number: int) -> bool:
    """Tell whether there is anything to ask the funnel: most timers find a lead that has walked on."""
    wait = leads.walk(app, lead).wait
    return bool(lead.step == step and wait is not None and wait.number == number)
