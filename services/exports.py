"""Exports: all that is kept of one lead, as JSON a person can read: for the person, or for the seller who answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grimbots.services import leads
from grimbots.services.errors import NotFound

if TYPE_CHECKING:
    from grimbots.services.app import App
    from grimbots.sql.database import Row

MOST_OF_A_KIND = 2000  # the newest; Telegram takes 50 MB


async def export(app: App, *, account_id: int, lead_id: int, actor: str) -> bytes:
    """Return a lead's data for somebody who is not the lead, and write down who took it.

    Raises:
        NotFound: the account has no such lead, or it was erased.
    """
    content = await write(app, account_id=account_id, lead_id=lead_id)
    await app.db.audit.note(
        account_id=account_id, actor=actor, action="lead.export", subject=f"lead:{lead_id}", details={}, at=app.clock()
    )
    return content


async def write(app: App, *, account_id: int, lead_id: int) -> bytes:
    """Write down a lead's data. Raises NotFound as `export`."""
    row = await app.db.privacy.read_lead(account_id=account_id, lead_id=lead_id, limit=MOST_OF_A_KIND)
    if row is None or row.status == "erased":
        raise NotFound("there is no such lead in this account, or its data were erased")
    found = {**row.found, "answers": dict(leads.read_answers(app, row)), "moves": _read_moves(app, row)}
    return json.dumps(found, ensure_ascii=False, indent=2).encode()


def _read_moves(app: App, row: Row) -> list[Any]:
    moves = row.moves or ()
    return [{"at": move["at"], **leads.read_event(app, row, move["event"])} for move in moves]
