"""Events: what the payment provider posts about a payment, signed at the moment it leaves, until it is taken.

A fault on events, or the options of a payment, may bend how it is told.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grimbots.services.clients.http import Ambiguous, NeverSent
from grimbots.services.sandbox import charges, parcels
from grimbots.services.sandbox.calls import as_iso
from grimbots.services.sandbox.couriers import Verdict
from grimbots.services.sandbox.fault_shapes import Fault
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row
from grimbots.services.sandbox.updates import judge

ANSWER_SECONDS = 30
LIFE_SECONDS = 86_400
OLD_SECONDS = 7200
# How a parcel is signed -> its kind.
KINDS = {"right": "event", "wrong": "event_signed_wrong", "missing": "event_unsigned", "old": "event_signed_long_ago"}


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that moved, or is said to have."""

    end_to_end_id: str
    amount_cents: int
    at: float


def tell(sandbox: Sandbox, charge: Row, payment: Payment, fault: Fault) -> list[str]:
    """Store the event of a payment, bent as the fault says; give the queues to wake.

    Copies share the event's id, but no queue: they may arrive at the same moment.
    """
    paid = {"end_to_end_id": payment.end_to_end_id, "amount_cents": payment.amount_cents, "at": as_iso(payment.at)}
    fee_cents = charges.find_fee(payment.amount_cents)
    return tell_of(sandbox, charge, {"event": "pix.received", **paid, "fee_cents": fee_cents}, fault)


def tell_of(sandbox: Sandbox, charge: Row, told: Mapping[str, Any], fault: Fault) -> list[str]:
    """Store an event of a charge, bent as the fault says; give the queues to wake."""
    event_id = f"evt_{secrets.token_hex(12)}"
    event = {**told, "id": event_id, "txid": charge["txid"]}
    queues = [f"{event_id}:{number}" for number in range(fault.copies)]
    for queue in queues:
        parcels.add(
            sandbox,
            KINDS[fault.signature],
            owner=f"charge:{charge['txid']}",
            queue=queue,
            body=json.dumps(event | fault.says, separators=(",", ":")),
            delay_seconds=fault.delay_seconds,
            life_seconds=LIFE_SECONDS,
        )
    return queues


async def send(sandbox: Sandbox, parcel: Row) -> Verdict:
    """Post one event to the charge's notification URL."""
    charge = charges.get_row(sandbox, parcel["owner"].removeprefix("charge:"))
    body = parcel["body"].encode()
    try:
        response = await sandbox.http.request(
            "POST",
            charge["notification_url"],
            party="notification",
            headers={"Content-Type": "application/json"} | _sign_as(parcel["kind"], charge, body, int(sandbox.clock())),
            body=body,
            timeout_seconds=ANSWER_SECONDS,
        )
    except (NeverSent, Ambiguous) as error:
        return Verdict(str(error))
    return judge(response)


def sign(secret: str, body: bytes, at: int) -> str:
    """Give the signature header's value: the time, and an HMAC-SHA256 over the time and the raw body."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _sign_as(kind: str, charge: Row, body: bytes, at: int) -> dict[str, str]:
    if kind == KINDS["missing"]:
        return {}
    secret = charge["webhook_secret"] + ("?" if kind == KINDS["wrong"] else "")
    return {"X-Sandbox-Signature": sign(secret, body, at - OLD_SECONDS if kind == KINDS["old"] else at)}
