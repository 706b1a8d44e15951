"""Parcels: what waits to be posted, stored until it was taken or outlived itself."""

from __future__ import annotations

from grimbots.services.sandbox.state import Sandbox


def add(
    sandbox: Sandbox, kind: str, *, owner: str, queue: str, body: str, delay_seconds: float = 0, life_seconds: float
) -> None:
    """Store a parcel at the end of its queue; it leaves after `delay_seconds` at the earliest."""
    leaves_at = sandbox.clock() + delay_seconds
    sandbox.store.run(
        """
        INSERT INTO parcels (kind, owner, queue, body, made_at, expires_at)
        VALUES (:kind, :owner, :queue, :body, :leaves_at, :expires_at)
        """,
        kind=kind,
        owner=owner,
        queue=queue,
        body=body,
        leaves_at=leaves_at,
        expires_at=leaves_at + life_seconds,
    )
