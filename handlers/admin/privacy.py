"""/sales/<account>/privacy: what is kept of a person, for the person who asks: shown, handed out, erased.

Who is looked for travels in a form and never in an address: addresses are logged, by us and by whatever is in front.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grimbots.handlers.admin.sales import AccountHandler
from grimbots.services import exports, moves, people, retention
from grimbots.services.errors import Invalid
from grimbots.services.personal_data import HOLDINGS

SAID = ("ordered",)
TERMS = (
    *((f"emptied_{what}", period.days) for what, period in retention.BLANKED.items()),
    *((f"deleted_{what}", period.days) for what, period in retention.KEPT.items()),
    ("deleted_moves", moves.KEPT.days),
)
"""What is kept for a while only, and how many days."""


class PrivacyHandler(AccountHandler):
    """GET and POST /sales/<account>/privacy."""

    async def get(self, _account: str) -> None:
        """Show how to find a person, how long what is kept, and who was erased lately."""
        said = self.get_query_argument("said", "")
        await self._show(said=said if said in SAID else "")

    async def post(self, _account: str) -> None:
        """Look for a person over all bots of the account, and show who it may be."""
        self.member.demand_handle_people()
        who = self.get_body_argument("who", "")
        try:
            found = await people.find(self.app, self.member.account_id, who, actor=self.member.actor)
        except Invalid:
            found = []
        await self._show(who=who, found=found)

    async def _show(self, said: str = "", who: str = "", found: Sequence[Any] | None = None) -> None:
        erased = await people.list_erased(self.app, self.member.account_id)
        await self.show(
            "privacy.html",
            tab="privacy",
            said=said,
            who=who,
            found=found,
            erased=erased,
            most=people.LIMIT,
            terms=TERMS,
        )


class HoldingsHandler(AccountHandler):
    """GET /sales/<account>/privacy/<lead>."""

    async def get(self, _account: str, lead_id: str) -> None:
        """Show what every table holds of a lead; that somebody looked is written down."""
        self.member.demand_handle_people()
        lead = await people.look(self.app, self.member.account_id, int(lead_id), actor=self.member.actor)
        await self.show("holdings.html", tab="privacy", lead=lead, holdings=HOLDINGS)


class PersonFileHandler(AccountHandler):
    """POST /sales/<account>/privacy/<lead>/export: a form, so that nothing that follows links takes anybody's data."""

    async def post(self, _account: str, lead_id: str) -> None:
        """Give all that is kept of a lead, as the bot's /meusdados does."""
        self.member.demand_handle_people()
        which = {"account_id": self.member.account_id, "lead_id": int(lead_id)}
        content = await exports.export(self.app, **which, actor=self.member.actor)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{self.member.account}-{int(lead_id)}.json"')
        self.finish(content)


class ErasureHandler(AccountHandler):
    """GET and POST /sales/<account>/privacy/<lead>/erase."""

    async def get(self, _account: str, lead_id: str) -> None:
        """Ask whether it is to be, and say what goes and what stays."""
        self.member.demand_handle_people()
        lead = await people.look(self.app, self.member.account_id, int(lead_id), actor=self.member.actor)
        await self.show("erase.html", tab="privacy", lead=lead)

    async def post(self, _account: str, lead_id: str) -> None:
        """Order it, and say so above the list in which it will stand."""
        self.member.demand_handle_people()
        await people.order_erasure(self.app, self.member.account_id, int(lead_id), actor=self.member.actor)
        self.go(f"/sales/{self.member.account}/privacy?said=ordered")
