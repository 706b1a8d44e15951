"""/sales/<account>/events: what gateways told us and no charge could be settled with."""

from __future__ import annotations

from grimbots.handlers.admin.sales import AccountHandler
from grimbots.services import sales


class EventsHandler(AccountHandler):
    """GET /sales/<account>/events."""

    async def get(self, _account: str) -> None:
        """List them, the newest first."""
        before = self.read_id("before")
        events = await sales.list_events(self.app, self.member, before)
        await self.show("events.html", tab="events", before=before, events=events)
