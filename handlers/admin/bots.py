"""/sales/<account>/bots: the account's bots, whether we hear what is written to them, what mends it; their groups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from grimbots.handlers.admin.sales import AccountHandler
from grimbots.services import sales, storages, tokens
from grimbots.services.errors import Conflict, Invalid, Unavailable
from grimbots.services.webhooks import FAILED_LATELY


class BotsHandler(AccountHandler):
    """GET /sales/<account>/bots."""

    async def get(self, _account: str) -> None:
        """List them, the newest first."""
        before = self.read_id("before")
        said = self.get_query_argument("said", "")
        await self.show(
            "bots.html",
            tab="bots",
            before=before,
            said=said if said in SAID else "",
            bots=await sales.list_bots(self.app, self.member, before),
            fails=self._fails,
            storage_link=partial(storages.make_link, self.app),
            groups=await sales.list_groups(self.app, self.member),
            acts=await sales.list_acts(self.app, self.member),
        )

    def _fails(self, bot: Any) -> bool:
        """Tell whether Telegram's last failure to deliver is recent: it never forgets it."""
        return bot.error_at is not None and self.app.clock() - bot.error_at < FAILED_LATELY


class BotHandler(AccountHandler):
    """POST /sales/<account>/bots/<id>/webhook and /token."""

    async def post(self, _account: str, bot_id: str, verb: str) -> None:
        """Do it, and say on the list what came of it. The token is never shown again."""
        try:
            said = await VERBS[verb](self, int(bot_id))
        except (Invalid, Conflict, Unavailable) as refusal:
            said = f"{verb}_{refusal.code}"
        self.go(f"/sales/{self.member.account}/bots?said={said}")

    async def repair(self, bot_id: int) -> str:
        """Set its webhook to ours again."""
        await tokens.repair(self.app, self.member.account_id, bot_id, actor=self.member.actor)
        return "webhook"

    async def change_token(self, bot_id: int) -> str:
        """Give it the token of the form."""
        bot = await tokens.get(self.app, self.member.account_id, bot_id)
        await tokens.change(self.app, bot, self.get_body_argument("token", ""), actor=self.member.actor)
        return "token"


VERBS: dict[str, Callable[[BotHandler, int], Awaitable[str]]] = {
    "webhook": BotHandler.repair,
    "token": BotHandler.change_token,
}
SAID = ("webhook", "token", *(f"{verb}_{code}" for verb in VERBS for code in ("invalid", "conflict", "unavailable")))
