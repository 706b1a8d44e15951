"""Payments of the sandbox's charges: as often as anyone likes, each told of by an event."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from grimbots.services.errors import Invalid
from grimbots.services.sandbox import charges, events, faults
from grimbots.services.sandbox.events import Payment
from grimbots.services.sandbox.fault_shapes import check_acts
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

BANK = "00000000"  # the ISPB in the end-to-end ids made here
MOST_TIMES = 20


def pay(
    sandbox: Sandbox, txid: str, amount_cents: int | None, times: int, telling: dict[str, Any], *, is_forged: bool
) -> tuple[dict[str, Any], list[str]]:
    """Pay the charge `times` times, each payment with its own id and event; give the charge and the queues to wake.

    `telling` bends the events as a fault on events does, and goes before one. A forged payment moves no money: there is
    only the event, with a wrong signature unless `telling` says another.

    Raises:
        NotFound: no such charge.
        Invalid: a number out of range.
    """
    charge = charges.get_row(sandbox, txid)
    amount = charge["amount_cents"] if amount_cents is None else amount_cents
    if not 0 < amount <= charges.LIMIT_CENTS:
        raise Invalid("'amount_cents' must be positive.")
    if not 1 <= times <= MOST_TIMES:
        raise Invalid(f"'times' must be from 1 to {MOST_TIMES}.")
    telling = ({"signature": "wrong"} if is_forged else {}) | telling
    check_acts(telling)
    queues = []
    for _ in range(times):
        payment = _make_payment(sandbox, amount)
        if not is_forged:
            _receive(sandbox, charge, payment)
        fault = faults.take(sandbox, "events", txid=txid)
        queues += events.tell(sandbox, charge, payment, replace(fault, **telling))
    return charges.describe(sandbox, charge), queues


def _make_payment(sandbox: Sandbox, amount_cents: int) -> Payment:
    now = sandbox.clock()
    end_to_end_id = f"E{BANK}{datetime.fromtimestamp(now, UTC):%Y%m%d%H%M}{secrets.token_hex(8)[:11]}"
    return Payment(end_to_end_id, amount_cents, now)


def _receive(sandbox: Sandbox, charge: Row, payment: Payment) -> None:
    sandbox.store.run(
        "INSERT INTO payments (end_to_end_id, txid, amount_cents, at) VALUES (:id, :txid, :amount_cents, :at)",
        id=payment.end_to_end_id,
        txid=charge["txid"],
        amount_cents=payment.amount_cents,
        at=payment.at,
    )
