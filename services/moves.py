"""Moves: a lead moved by an event: the funnel asked, the walk saved, the event written down, the effects planned.

All of it in the caller's transaction, in which the lead is locked. The rows say later what happened to a lead, so that
it can be replayed and explained (services/stories.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from grimbots.services import effects, leads
from grimbots.services.funnels import journals, versions
from grimbots.services.funnels.advance import advance
from grimbots.services.leads import Move

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.funnels.events import Event
    from grimbots.sql.database import Row, Transaction

KEPT = timedelta(days=90)
BITE = 5000


async def make(
    app: App, tx: Transaction, lead: Row, version_id: int, event: Event, *, cause: str, update_id: int | None = None
) -> list[Job]:
    """Let a locked lead be moved on a version of its funnel and return the jobs of what follows.

    Whatever happens to one that was erased moves nobody: it is written down in no words and nothing is said.
    """
    if lead.status == "erased":
        return []
    version = await versions.load(app, version_id, tx)
    walk, planned = advance(version, leads.walk(app, lead), event, app.clock())
    move = Move(version_id, cause, journals.dump(event))
    await leads.save(app, tx, lead, walk, update_id=update_id, move=move)
    return await effects.plan(app, tx, cause=cause, lead=lead, version_id=version_id, effects=planned)


async def forget_old(app: App) -> None:
    """Forget what happened longer ago than KEPT."""
    before = app.clock() - KEPT
    while await app.db.moves.forget_old(before=before, limit=BITE) == BITE:
        pass
