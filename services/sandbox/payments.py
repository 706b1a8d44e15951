"""Payments of the sandbox's charges: as often as anyone likes, each told of by a signed webhook; and their refunds."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime
from typing import Any

from grimbots.services.clients.http import Ambiguous, NeverSent
from grimbots.services.errors import Conflict, Invalid
from grimbots.services.sandbox import charges
from grimbots.services.sandbox.calls import as_iso
from grimbots.services.sandbox.couriers import Verdict
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row
from grimbots.services.sandbox.updates import judge

BANK = "00000000"  # the ISPB in the end-to-end ids made here
ANSWER_SECONDS = 30
LIFE_SECONDS = 86_400
MOST_TIMES = 20


def pay(sandbox: Sandbox, txid: str, amount_cents: int | None, times: int) -> tuple[dict[str, Any], list[str]]:
    """Pay the charge `times` times, each payment with its own id and webhook; give the charge and the queues to wake.

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
    queues = [_pay_once(sandbox, charge, amount) for _ in range(times)]
    return charges.describe(sandbox, charge), queues


def refund(
    sandbox: Sandbox, owner: str, txid: str, refund_id: str, end_to_end_id: str, amount_cents: int
) -> dict[str, Any]:
    """Give back (a part of) a payment of the owner's charge, once per refund id.

    Raises:
        NotFound: no such charge of this owner.
        Invalid: the amount is not positive.
        Conflict: more than was paid, or the id stands for another refund.
    """
    charges.get_owned(sandbox, owner, txid)
    if amount_cents <= 0:
        raise Invalid("'amount_cents' must be positive.")
    wanted = {"id": refund_id, "end_to_end_id": end_to_end_id, "amount_cents": amount_cents}
    found = sandbox.store.find("SELECT id, end_to_end_id, amount_cents FROM refunds WHERE id = :id", id=refund_id)
    if found is None:
        _refund_once(sandbox, txid, wanted)
    elif dict(found) != wanted:
        raise Conflict("This id stands for another refund.")
    return wanted | {"status": "done"}


async def send(sandbox: Sandbox, parcel: Row) -> Verdict:
    """Post one event to the charge's notification URL, signed at this moment."""
    charge = charges.get_row(sandbox, parcel["owner"].removeprefix("charge:"))
    body = parcel["body"].encode()
    headers = {
        "Content-Type": "application/json",
        "X-Sandbox-Signature": sign(charge["webhook_secret"], body, int(sandbox.clock())),
    }
    try:
        response = await sandbox.http.request(
            "POST",
            charge["notification_url"],
            party="notification",
            headers=headers,
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


def _pay_once(sandbox: Sandbox, charge: Row, amount_cents: int) -> str:
    now = sandbox.clock()
    end_to_end_id = f"E{BANK}{datetime.fromtimestamp(now, UTC):%Y%m%d%H%M}{secrets.token_hex(8)[:11]}"
    event_id = f"evt_{secrets.token_hex(12)}"
    sandbox.store.run(
        "INSERT INTO payments (end_to_end_id, txid, amount_cents, at) VALUES (:id, :txid, :amount_cents, :now)",
        id=end_to_end_id,
        txid=charge["txid"],
        amount_cents=amount_cents,
        now=now,
    )
    event = {
        "event": "pix.received",
        "id": event_id,
        "txid": charge["txid"],
        "end_to_end_id": end_to_end_id,
        "amount_cents": amount_cents,
        "at": as_iso(now),
    }
    sandbox.store.run(
        """
        INSERT INTO parcels (kind, owner, queue, body, made_at, expires_at)
        VALUES ('event', :owner, :queue, :body, :now, :expires_at)
        """,
        owner=f"charge:{charge['txid']}",
        queue=event_id,
        body=json.dumps(event, separators=(",", ":")),
        now=now,
        expires_at=now + LIFE_SECONDS,
    )
    return event_id


def _refund_once(sandbox: Sandbox, txid: str, wanted: dict[str, Any]) -> None:
    left = sandbox.store.find(
        """
        SELECT payments.amount_cents - coalesce(sum(refunds.amount_cents), 0) AS cents
        FROM payments
        LEFT JOIN refunds USING (end_to_end_id)
        WHERE payments.end_to_end_id = :end_to_end_id AND payments.txid = :txid
        GROUP BY payments.end_to_end_id
        """,
        end_to_end_id=wanted["end_to_end_id"],
        txid=txid,
    )
    if left is None or left["cents"] < wanted["amount_cents"]:
        raise Conflict("A refund cannot be more than what is left of its payment.")
    sandbox.store.run(
        """
        INSERT INTO refunds (id, txid, end_to_end_id, amount_cents, at)
        VALUES (:id, :txid, :end_to_end_id, :amount_cents, :now)
        """,
        txid=txid,
        now=sandbox.clock(),
        **wanted,
    )
