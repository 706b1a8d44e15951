"""Receipts: transfers of money that came in for a charge, each noted once, and what each means for its payment.

    the transfer                                        the payment     its flags
    covers the price                                    paid
    ... and more                                        paid            overpaid
    ... late, while the product is sold                 paid            late
    ... late, and it is not sold any more               held            late, unsold
    ... of an order paid by another charge meanwhile,
        by PIX here and in Stars there too              paid            double      one of the two can be given back
    under the price                                     held            underpaid
    any, for a charge that was paid before              kept apart      double      can be given back
    any, of a buyer who was erased since                as above        erased      nothing is delivered, give it back

What is paid is delivered. What is held or kept apart delivers nothing and waits for a person. Who paid does not matter:
the buyer is the lead who asked for the charge. The row itself enters the book (services/ledger.py), with the provider's
fee where that is known; a fee that is told later corrects it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from grimbots.conf import metrics
from grimbots.services import schedules
from grimbots.services.gateways.base import Receipt

if TYPE_CHECKING:
    from grimbots.services.cases import Case
    from grimbots.sql.database import Row

log = logging.getLogger(__name__)

UNPAID = ("creating", "pending", "expired", "cancelled")
ALARMING = frozenset({"double", "erased", "underpaid", "unsold"})  # money that a person has to give back or ask more of


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a transfer means. `reason` is for the payment's history."""

    pays: bool
    flags: frozenset[str]
    reason: str


def judge(payment: Row, receipt: Receipt, *, is_on_sale: bool, has_twin: bool) -> Ruling:
    """Say what a transfer means for a payment as it stands. Pure."""
    if payment.state not in UNPAID:
        return Ruling(False, frozenset({"double"}), "kept apart: it was paid before")
    if receipt.amount_cents < payment.amount_cents:
        return Ruling(False, frozenset({"underpaid"}), "held: under the price")
    is_late = _is_late(payment, receipt)
    if is_late and not is_on_sale:
        return Ruling(False, frozenset({"late", "unsold"}), "held: late, and not sold any more")
    found = {
        "late": is_late,
        "overpaid": receipt.amount_cents > payment.amount_cents,
        "double": has_twin,
    }
    flags = frozenset(flag for flag, is_true in found.items() if is_true)
    return Ruling(True, flags, ", ".join(["paid", *sorted(flags)]))


async def take_in(case: Case, receipt: Receipt, *, actor: str, reason: str, event_id: int | None) -> Ruling | None:
    """Note a transfer and write what it means on the payment's row; None: it was noted before."""
    if not await _note(case, receipt):
        await _correct_fee(case, receipt)
        return None
    payment = case.payment
    ruling = await _rule(case, receipt)
    if case.lead.status == "erased":
        ruling = replace(ruling, flags=ruling.flags | {"erased"}, reason=f"{ruling.reason}, of a buyer who was erased")
    await _write(case, receipt, ruling)
    said = f"{reason}: {receipt.amount_cents} of {payment.amount_cents} cents, {receipt.end_to_end_id}; {ruling.reason}"
    await case.note("paid" if ruling.pays else payment.state, actor=actor, reason=said, event_id=event_id)
    _report(payment, ruling)
    return ruling


def _is_late(payment: Row, receipt: Receipt) -> bool:
    return payment.state in ("expired", "cancelled") or (payment.expires_at or receipt.at) < receipt.at


async def _note(case: Case, receipt: Receipt) -> bool:
    added = await case.tx.payments.add_receipt(
        account_id=case.payment.account_id,
        payment_id=case.payment.id,
        end_to_end_id=receipt.end_to_end_id,
        amount_cents=receipt.amount_cents,
        paid_at=receipt.at,
        fee_cents=receipt.fee_cents,
        now=case.app.clock(),
    )
    return added is not None


async def _correct_fee(case: Case, receipt: Receipt) -> None:
    """Note what a provider says later of its fee. Saying nothing, it takes nothing back."""
    if receipt.fee_cents is not None:
        await case.tx.payments.correct_fee(
            account_id=case.payment.account_id,
            payment_id=case.payment.id,
            end_to_end_id=receipt.end_to_end_id,
            fee_cents=receipt.fee_cents,
            now=case.app.clock(),
        )


async def _rule(case: Case, receipt: Receipt) -> Ruling:
    which = {"account_id": case.payment.account_id, "payment_id": case.payment.id}
    is_on_sale = await case.tx.payments.is_on_sale(**which) if _is_late(case.payment, receipt) else True
    has_twin = await case.tx.payments.has_paid_twin(**which, paid_at=receipt.at)
    return judge(case.payment, receipt, is_on_sale=is_on_sale, has_twin=has_twin)


async def _write(case: Case, receipt: Receipt, ruling: Ruling) -> None:
    """Write a ruling on the row, which is locked since it was judged."""
    payment = case.payment
    known = {
        "account_id": payment.account_id,
        "payment_id": payment.id,
        "flags": sorted({*payment.flags, *ruling.flags}),
        "now": case.app.clock(),
    }
    if ruling.pays:
        await case.tx.payments.mark_paid(
            **known,
            paid_cents=receipt.amount_cents,
            paid_at=receipt.at,
            end_to_end_id=receipt.end_to_end_id,
            next_look_at=schedules.next_look(receipt.at, known["now"]),
        )
    else:
        await case.tx.payments.set_flags(**known)


def _report(payment: Row, ruling: Ruling) -> None:
    for outcome in (*(["paid"] if ruling.pays else []), *ruling.flags):
        metrics.payments_settled.labels(outcome).inc()
    if ruling.flags & ALARMING:
        log.warning("payment %s: %s: look at its receipts (%s)", payment.id, ruling.reason, ", ".join(ruling.flags))
