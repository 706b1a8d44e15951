"""/sales/<account>/chats: the chats that a person has in the bot's place, taken over and given back here."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from grimbots.handlers.admin.sales import AccountHandler
from grimbots.services import stories, takeovers
from grimbots.services.errors import Conflict, Invalid, NotFound

SAID = ("taken", "untaken", "returned", "not_found", "bad_hours")


class ChatsHandler(AccountHandler):
    """GET and POST /sales/<account>/chats."""

    async def get(self, _account: str) -> None:
        """List them, the newest first, above the form that takes one more."""
        said = self.get_query_argument("said", "")
        chats = await takeovers.list_open(self.app, self.member.account_id)
        await self.show("chats.html", tab="chats", said=said if said in SAID else "", chats=chats)

    async def post(self, _account: str) -> None:
        """Take a chat over, and say how that went."""
        self.go(f"/sales/{self.member.account}/chats?said={await self._take()}")

    async def _take(self) -> str:
        hours = self.get_body_argument("hours", "")
        try:
            lead = await stories.find_lead(
                self.app,
                account=self.member.account,
                bot=self.get_body_argument("bot", "").strip(),
                who=self.get_body_argument("lead", "").strip(),
            )
            where: dict[str, Any] = {"account_id": self.member.account_id, "lead_id": lead.id}
            await takeovers.take(
                self.app, **where, hours=int(hours) if hours.isdecimal() else 0, actor=self.member.actor
            )
        except NotFound:
            return "not_found"
        except Invalid:
            return "bad_hours"
        except Conflict:
            return "untaken"
        return "taken"


class ChatHandler(AccountHandler):
    """POST /sales/<account>/chats/<lead>/return."""

    async def post(self, _account: str, lead_id: str) -> None:
        """Give it back; where somebody was faster, it is back all the same."""
        where: dict[str, Any] = {
            "account_id": self.member.account_id,
            "lead_id": int(lead_id),
            "actor": self.member.actor,
        }
        with suppress(Conflict):
            await takeovers.give_back(self.app, **where)
        self.go(f"/sales/{self.member.account}/chats?said=returned")
