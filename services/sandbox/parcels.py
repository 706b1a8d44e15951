"""Parcels: what waits to be posted, stored until it was taken or outlived itself."""

from __future__ import annotations

from typing import Any

from grimbots.services.sandbox.calls import as_iso
from grimbots.services.sandbox.state import Sandbox

PAGE = 1000
KEPT_PARCELS = 100_000


def add(
    sandbox: Sandbox, kind: str, *, owner: str, queue: str, body: str, delay_seconds: float = 0, life_seconds: float
) -> None:
    """Store a parcel at the end of its queue; it leaves after `delay_seconds` at the earliest.

    The oldest that are done are forgotten for it.
    """
    leaves_at = sandbox.clock() + delay_seconds
    number = sandbox.store.value(
        """
        INSERT INTO parcels (kind, owner, queue, body, made_at, expires_at)
        VALUES (:kind, :owner, :queue, :body, :leaves_at, :expires_at)
        RETURNING id
        """,
        kind=kind,
        owner=owner,
        queue=queue,
        body=body,
        leaves_at=leaves_at,
        expires_at=leaves_at + life_seconds,
    )
    sandbox.store.run(
        "DELETE FROM parcels WHERE id <= :forgotten AND outcome IS NOT NULL", forgotten=number - KEPT_PARCELS
    )


def list_after(sandbox: Sandbox, after: int) -> list[dict[str, Any]]:
    """Give what was to be posted behind this number, in order and a page at a time, and what became of it.

    `outcome`: carried (it got a 2xx), expired, dropped, or None while it waits; copies are parcels of their own.
    """
    rows = sandbox.store.list("SELECT * FROM parcels WHERE id > :after ORDER BY id LIMIT :page", after=after, page=PAGE)
    return [
        {
            "seq": row["id"],
            "kind": row["kind"],
            "to": row["owner"],
            "queue": row["queue"],
            "body": row["body"],
            "leaves_at": as_iso(row["made_at"]),
            "attempts": row["attempts"],
            "last_error": row["last_error"],
            "outcome": row["outcome"],
            "done_at": as_iso(row["done_at"]) if row["done_at"] else None,
        }
        for row in rows
    ]
