"""Returns: money of a payment that goes back, and what each return means for the payment's state.

    refund, not settled     refund_pending
    refund                  refunded, or partially_refunded where less than was paid goes back
    dispute                 disputed
    charge-back             charged_back

A state only rises in rank. What was paid for is taken back by whoever looks at the states
(subscriptions.take_back_refunded).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grimbots.services.gateways.base import Return, ReturnKind

if TYPE_CHECKING:
    from grimbots.queue.job import Job
    from grimbots.services.cases import Case

RANKS = ("paid", "partially_refunded", "refund_pending", "refunded", "disputed", "charged_back")


async def take_in(case: Case, returned: Return, *, actor: str, reason: str, event_id: int | None) -> list[Job]:
    """Write what a return means on its payment; the same one again changes nothing. Returns the jobs to enqueue."""
    payment, to_state = case.payment, _name_state(case.payment.amount_cents, returned)
    if payment.state in RANKS and RANKS.index(to_state) > RANKS.index(payment.state):
        said = f"{reason}: {returned.amount_cents} cents of {returned.end_to_end_id} go back ({returned.kind})"
        await case.move(to_state, actor=actor, reason=said)
    return []


def _name_state(paid_cents: int, returned: Return) -> str:
    match returned.kind:
        case ReturnKind.CHARGEBACK:
            return "charged_back"
        case ReturnKind.DISPUTE:
            return "disputed"
    if not returned.is_settled:
        return "refund_pending"
    return "refunded" if returned.amount_cents >= paid_cents else "partially_refunded"
