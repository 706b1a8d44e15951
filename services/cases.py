"""A case: one payment and its lead, locked for the length of a transaction: the lead first, so that nobody deadlocks.

A payment's state changes here: a conditional update, a transition row that says who and why, and what the funnel has to
say about it, planned in the same transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grimbots.services import conversion_events, effects, moves
from grimbots.services.funnels import versions

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.app import App
    from grimbots.services.funnels.definitions import Version
    from grimbots.services.funnels.events import PaymentEvent
    from grimbots.sql.database import Row, Transaction


@dataclass(slots=True)
class Case:
    """A locked payment. `payment` is its row as locked; the moves below write, they do not read again."""

    app: App
    tx: Transaction
    version: Version
    lead: Row
    payment: Row

    async def reread(self) -> None:
        """Read the payment again, for whoever is not the first in this transaction to change it."""
        of_payment = {"account_id": self.payment.account_id, "payment_id": self.payment.id}
        self.payment = await self.tx.payments.lock(**of_payment)

    async def move(
        self, to_state: str, *, actor: str, reason: str, error: str | None = None, event_id: int | None = None
    ) -> None:
        """Change the state and write down who and why."""
        await self.tx.payments.move(
            account_id=self.payment.account_id,
            payment_id=self.payment.id,
            from_state=self.payment.state,
            to_state=to_state,
            error=error,
            actor=actor,
            reason=reason,
            event_id=event_id,
            now=self.app.clock(),
        )
        await conversion_events.note_state(self.app, self.tx, self.payment, to_state)

    async def note(self, to_state: str, *, actor: str, reason: str, event_id: int | None = None) -> None:
        """Write a transition row; with the state it stands in already, what was seen and changed nothing."""
        await self.tx.payments.add_transition(
            account_id=self.payment.account_id,
            payment_id=self.payment.id,
            from_state=self.payment.state,
            to_state=to_state,
            actor=actor,
            reason=reason,
            event_id=event_id,
            now=self.app.clock(),
        )
        if to_state != self.payment.state:
            await conversion_events.note_state(self.app, self.tx, self.payment, to_state)

    async def tell(self, event: PaymentEvent, cause: str) -> list[Job]:
        """Let the funnel act on the event: the lead's new state and the planned effects; returns their jobs."""
        return await moves.make(self.app, self.tx, self.lead, self.payment.version_id, event, cause=cause)

    async def list_jobs(self, cause: str) -> list[Job]:
        """Return the jobs of what was planned for `cause` and is not done yet."""
        return await effects.pending(self.tx, account_id=self.payment.account_id, cause=cause)


@asynccontextmanager
async def open_case(app: App, payment: Row) -> AsyncIterator[Case]:
    """Lock a payment's lead and then the payment; commits when left."""
    version = await versions.load(app, payment.version_id)
    async with app.db.transaction() as tx:
        locked = await tx.payments.lock_with_lead(
            account_id=payment.account_id, payment_id=payment.id, lead_id=payment.lead_id
        )
        yield Case(app, tx, version, locked.lead, locked)
