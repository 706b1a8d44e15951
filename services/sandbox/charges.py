"""Charges of the sandbox's payment provider: made once per txid, shown as its API shows them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from grimbots.services import brcode
from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.services.sandbox.calls import as_iso
from grimbots.services.sandbox.requests import take
from grimbots.services.sandbox.state import Sandbox
from grimbots.services.sandbox.store import Row

TXID = re.compile(r"[a-zA-Z0-9]{26,35}")  # source: Banco Central, API Pix, `cob`
LIMIT_CENTS = 99_999_999_99
PAGE = 500  # charges of a list's answer, some 300 KiB


def create(sandbox: Sandbox, owner: str, txid: str, wish: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Make the charge `txid`, or give the one made before; tell whether it is new.

    Raises:
        Invalid: a value breaks a rule.
        Conflict: the one made before has another amount, or another owner.
    """
    wanted = _read_wish(txid, wish)
    found = _find(sandbox, txid)
    if found is not None:
        if found["owner"] != owner or found["amount_cents"] != wanted["amount_cents"]:
            raise Conflict("This txid stands for another charge.")
        return describe(sandbox, found), False
    now = sandbox.clock()
    lasting = wanted.pop("expires_in_seconds")
    sandbox.store.run(
        """
        INSERT INTO charges
            (txid, id, owner, amount_cents, description, code, notification_url, webhook_secret, created_at, expires_at)
        VALUES
            (:txid, :id, :owner, :amount_cents, :description, :code, :notification_url, :webhook_secret, :created_at,
             :expires_at)
        """,
        txid=txid,
        id=f"chg_{secrets.token_hex(10)}",
        owner=owner,
        code=_write_code(txid, wanted["amount_cents"]),
        created_at=now,
        expires_at=now + lasting,
        **wanted,
    )
    return describe(sandbox, get_row(sandbox, txid)), True


def show(sandbox: Sandbox, owner: str, txid: str) -> dict[str, Any]:
    """Give the owner's charge as the provider tells of it.

    Raises:
        NotFound: no such charge of this owner.
    """
    return describe(sandbox, get_owned(sandbox, owner, txid))


def list_all(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Give every charge, the newest first."""
    return [
        describe(sandbox, charge)
        for charge in sandbox.store.list("SELECT * FROM charges ORDER BY created_at DESC, txid")
    ]


def list_between(sandbox: Sandbox, owner: str, since: float, until: float, skip: int) -> list[dict[str, Any]]:
    """Give a page of the owner's charges made in a window of Unix seconds, in order, behind the first `skip`."""
    rows = sandbox.store.list(
        """
        SELECT *
        FROM charges
        WHERE owner = :owner AND created_at >= :since AND created_at < :until
        ORDER BY created_at, txid
        LIMIT :limit OFFSET :skip
        """,
        owner=owner,
        since=since,
        until=until,
        limit=PAGE,
        skip=skip,
    )
    return [describe(sandbox, row) for row in rows]


def describe(sandbox: Sandbox, charge: Row) -> dict[str, Any]:
    """Give a charge as the provider's API shows it: active, paid or expired."""
    paid = sandbox.store.list(
        "SELECT * FROM payments WHERE txid = :txid ORDER BY at, end_to_end_id", txid=charge["txid"]
    )
    is_over = sandbox.clock() >= charge["expires_at"]
    return {
        "txid": charge["txid"],
        "id": charge["id"],
        "amount_cents": charge["amount_cents"],
        "description": charge["description"],
        "status": "paid" if paid else "expired" if is_over else "active",
        "code": charge["code"],
        "created_at": as_iso(charge["created_at"]),
        "expires_at": as_iso(charge["expires_at"]),
        "paid": [
            {
                "end_to_end_id": row["end_to_end_id"],
                "amount_cents": row["amount_cents"],
                "fee_cents": find_fee(row["amount_cents"]),
                "at": as_iso(row["at"]),
            }
            for row in paid
        ],
        "returns": [describe_return(row) for row in _list_returns(sandbox, charge["txid"])],
    }


def describe_return(row: Row) -> dict[str, Any]:
    """Give a return as the provider's API shows it."""
    told = {name: row[name] for name in ("end_to_end_id", "kind", "status", "amount_cents")}
    return {"return_id": row["id"], **told, "at": as_iso(row["at"])}


def find_fee(amount_cents: int) -> int:
    """Tell what the provider keeps of a payment: one per cent."""
    return amount_cents // 100


def get_row(sandbox: Sandbox, txid: str) -> Row:
    """Give a charge's row.

    Raises:
        NotFound
    """
    charge = _find(sandbox, txid)
    if charge is None:
        raise NotFound(f"There is no charge {txid}.")
    return charge


def get_owned(sandbox: Sandbox, owner: str, txid: str) -> Row:
    """Give the row of an owner's charge; another owner's is not there.

    Raises:
        NotFound
    """
    charge = get_row(sandbox, txid)
    if charge["owner"] != owner:
        raise NotFound(f"There is no charge {txid}.")
    return charge


def _read_wish(txid: str, wish: Mapping[str, Any]) -> dict[str, Any]:
    if not TXID.fullmatch(txid):
        raise Invalid("A txid has 26 to 35 letters and digits.")
    wanted = {name: take(wish, name, int) for name in ("amount_cents", "expires_in_seconds")}
    wanted |= {name: take(wish, name, str) for name in ("description", "notification_url", "webhook_secret")}
    if not 0 < wanted["amount_cents"] <= LIMIT_CENTS or wanted["expires_in_seconds"] <= 0:
        raise Invalid("'amount_cents' and 'expires_in_seconds' must be positive.")
    if not wanted["notification_url"].startswith(("http://", "https://")) or not wanted["webhook_secret"]:
        raise Invalid("'notification_url' must be a web address, and 'webhook_secret' must not be empty.")
    return wanted


def _list_returns(sandbox: Sandbox, txid: str) -> list[Row]:
    return sandbox.store.list("SELECT * FROM returns WHERE txid = :txid ORDER BY at, id", txid=txid)


def _write_code(txid: str, amount_cents: int) -> str:
    """Make a dynamic code: the payer's bank would read the charge at the url."""
    return brcode.build(
        url=f"pix.sandbox.invalid/qr/v2/{txid}",
        name="GrimBots Sandbox",
        city="Sao Paulo",
        amount_cents=amount_cents,
        is_one_time=True,
    )


def _find(sandbox: Sandbox, txid: str) -> Row | None:
    return sandbox.store.find("SELECT * FROM charges WHERE txid = :txid", txid=txid)
