"""/sales/<account>/bots: the account's bots, whether what is written to them reaches us, and their groups."""

from __future__ import annotations

from typing import Any

from grimbots.handlers.admin.sales import AccountHandler
from grimbots.services import sales
from grimbots.services.webhooks import FAILED_LATELY


class BotsHandler(AccountHandler):
    """GET /sales/<account>/bots."""

    async def get(self, _account: str) -> None:
        """List them, the newest first."""
        before = self.read_id("before")
        bots = await sales.list_bots(self.app, self.member, before)
        await self.show(
            "bots.html",
            tab="bots",
            before=before,
            bots=bots,
            fails=self._fails,
            groups=await sales.list_groups(self.app, self.member),
            acts=await sales.list_acts(self.app, self.member),
        )

    def _fails(self, bot: Any) -> bool:
        """Tell whether Telegram's last failure to deliver is recent: it never forgets it."""
        return bot.error_at is not None and self.app.clock() - bot.error_at < FAILED_LATELY
