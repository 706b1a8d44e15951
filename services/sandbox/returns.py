"""Returns of the sandbox's payments: refunds that a seller asks for, disputes that a buyer opens, and how they end.

A refund is done at once, pends until somebody settles it, or is refused, as its charge was told (`set_mode`). A dispute
pends until it is lost (done: then it is a chargeback) or won (void).
"""

from __future__ import annotations

import secrets

from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.services.sandbox import charges, events, faults
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

MODES = {"done": "done", "pending": "pending", "refused": "void"}  # what the status of the next refunds is
ENDS = ("done", "void")


def set_mode(sandbox: Sandbox, txid: str, mode: str) -> None:
    """Choose how the charge's next refunds go.

    Raises:
        NotFound: no such charge.
        Invalid: no such mode.
    """
    charges.get_row(sandbox, txid)
    if mode not in MODES:
        raise Invalid(f"'refunds' must be one of {', '.join(MODES)}.")
    sandbox.store.run("INSERT OR REPLACE INTO refund_modes (txid, mode) VALUES (:txid, :mode)", txid=txid, mode=mode)


def refund(
    sandbox: Sandbox, owner: str, txid: str, refund_id: str, end_to_end_id: str, amount_cents: int
) -> tuple[Row, list[str]]:
    """Give back (a part of) a payment of the owner's charge, once per id; give its row and the queues to wake.

    Raises:
        NotFound: no such charge of this owner.
        Invalid: the amount is not positive.
        Conflict: more than is left, or the id stands for another refund.
    """
    charges.get_owned(sandbox, owner, txid)
    found = sandbox.store.find("SELECT * FROM returns WHERE id = :id", id=refund_id)
    if found is None:
        mode = sandbox.store.find("SELECT mode FROM refund_modes WHERE txid = :txid", txid=txid)
        status = MODES[mode["mode"]] if mode else "done"
        return _add(sandbox, txid, refund_id, end_to_end_id, amount_cents, "refund", status)
    if (found["end_to_end_id"], found["amount_cents"]) != (end_to_end_id, amount_cents):
        raise Conflict("This id stands for another refund.")
    return found, []


def dispute(sandbox: Sandbox, txid: str, end_to_end_id: str | None, amount_cents: int | None) -> tuple[Row, list[str]]:
    """Open a dispute of a payment, the charge's first unless it is named; give its row and the queues to wake.

    Raises:
        NotFound: no such charge, or nothing was paid.
        Invalid: the amount is not positive.
        Conflict: more than is left.
    """
    paid = charges.describe(sandbox, charges.get_row(sandbox, txid))["paid"]
    chosen = [one for one in paid if end_to_end_id in (None, one["end_to_end_id"])]
    if not chosen:
        raise NotFound("There is no such payment to be disputed.")
    cents = chosen[0]["amount_cents"] if amount_cents is None else amount_cents
    dispute_id = f"med_{secrets.token_hex(10)}"
    return _add(sandbox, txid, dispute_id, chosen[0]["end_to_end_id"], cents, "dispute", "pending")


def end(sandbox: Sandbox, return_id: str, status: str) -> tuple[Row, list[str]]:
    """End what pends: done (the money leaves) or void (it stays); give its row and the queues to wake.

    Raises:
        NotFound: no such return.
        Invalid: no such end.
        Conflict: it has ended already.
    """
    if status not in ENDS:
        raise Invalid(f"'status' must be one of {', '.join(ENDS)}.")
    found = sandbox.store.find("SELECT * FROM returns WHERE id = :id", id=return_id)
    if found is None:
        raise NotFound(f"There is no return {return_id}.")
    if found["status"] != "pending":
        raise Conflict("It has ended already.")
    kind = "chargeback" if (found["kind"], status) == ("dispute", "done") else found["kind"]
    change = "UPDATE returns SET status = :status, kind = :kind, at = :now WHERE id = :id"
    sandbox.store.run(change, status=status, kind=kind, now=sandbox.clock(), id=return_id)
    return _tell(sandbox, return_id)


def _add(
    sandbox: Sandbox, txid: str, return_id: str, end_to_end_id: str, amount_cents: int, kind: str, status: str
) -> tuple[Row, list[str]]:
    if amount_cents <= 0:
        raise Invalid("'amount_cents' must be positive.")
    left = sandbox.store.find(
        """
        SELECT payments.amount_cents - coalesce(sum(returns.amount_cents), 0) AS cents
        FROM payments
        LEFT JOIN returns ON returns.end_to_end_id = payments.end_to_end_id AND returns.status <> 'void'
        WHERE payments.end_to_end_id = :end_to_end_id AND payments.txid = :txid
        GROUP BY payments.end_to_end_id
        """,
        end_to_end_id=end_to_end_id,
        txid=txid,
    )
    if left is None or left["cents"] < amount_cents:
        raise Conflict("A return cannot be more than what is left of its payment.")
    sandbox.store.run(
        """
        INSERT INTO returns (id, txid, end_to_end_id, kind, status, amount_cents, at)
        VALUES (:id, :txid, :end_to_end_id, :kind, :status, :amount_cents, :now)
        """,
        id=return_id,
        txid=txid,
        end_to_end_id=end_to_end_id,
        kind=kind,
        status=status,
        amount_cents=amount_cents,
        now=sandbox.clock(),
    )
    return _tell(sandbox, return_id)


def _tell(sandbox: Sandbox, return_id: str) -> tuple[Row, list[str]]:
    row = sandbox.store.find("SELECT * FROM returns WHERE id = :id", id=return_id)
    if row is None:
        raise NotFound(f"There is no return {return_id}.")
    fault = faults.take(sandbox, "events", txid=row["txid"])
    told = {"event": "pix.returned", **charges.describe_return(row)}
    return row, events.tell_of(sandbox, charges.get_row(sandbox, row["txid"]), told, fault)
