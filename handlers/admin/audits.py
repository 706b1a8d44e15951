"""/admin/audit: who did what and when, the newest first."""

from __future__ import annotations

import json
from typing import Any

from grimbots.handlers.admin.operators import OperatorHandler
from grimbots.services import audit


class AuditHandler(OperatorHandler):
    """GET /admin/audit."""

    async def get(self) -> None:
        """Show a page of acts, those before the one with the id `before`."""
        before = self.read_id("before")
        page = await audit.list_page(self.app, self.user, before)
        self.render("audit.html", acts=page.acts, next_before=page.next_before, before=before, explain=show_details)


def show_details(details: dict[str, Any]) -> str:
    """Write what an act says of itself."""
    return ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in details.items())
