"""/sales/<account>: an account's figures and its payments, for those who belong to it."""

from __future__ import annotations

from functools import partial
from typing import Any

from grimbots.handlers.admin import reasons
from grimbots.handlers.admin.base import PageHandler
from grimbots.services import conversion_destinations, ledger, sales
from grimbots.services.errors import Forbidden, Invalid
from grimbots.services.sessions import Member

PERIODS = (1, 7, 30)


class AccountHandler(PageHandler):
    """A page of one account, the first group of its path. To whoever does not belong to it, it does not exist."""

    member: Member
    periods: tuple[int, ...] = PERIODS

    async def prepare(self) -> None:
        """Find what the visitor is in the account; only who may act there sends forms."""
        await super().prepare()
        if self.visitor:
            self.member = self.visitor.get_member(self.path_args[0])
            self.zone = sales.open_zone(self.member)
            if self.request.method == "POST":
                self.member.demand_act()

    def read_days(self) -> int:
        """Read how many days the page is to count.

        Raises:
            Invalid: other than the page offers.
        """
        text = self.get_query_argument("days", str(self.periods[0]))
        if text not in map(str, self.periods):
            raise Invalid(f"the pages count {', '.join(map(str, self.periods))} days")
        return int(text)

    async def show(self, template: str, **values: Any) -> None:
        """Write a page of the account, with what waits for a person at its top."""
        trouble = await sales.count_trouble(self.app, self.member)
        self.render(
            template,
            member=self.member,
            trouble=trouble,
            explain_flags=partial(reasons.explain_flags, self.texts),
            explain_move=partial(reasons.explain_move, self.texts),
            name_source=reasons.name_source,
            **values,
        )


class SalesIndexHandler(PageHandler):
    """GET /sales."""

    def get(self) -> None:
        """Go to the first of the visitor's accounts."""
        if not self.user.memberships:
            raise Forbidden("this user belongs to no account: an administrator can add one")
        self.go(f"/sales/{self.user.memberships[0].account}")


class SalesHandler(AccountHandler):
    """GET /sales/<account>."""

    async def get(self, _account: str) -> None:
        """Show the figures of the last days, per bot, and the payments, newest first."""
        days = self.read_days()
        before = self.read_id("before")
        await self.show(
            "sales.html",
            tab="sales",
            days=days,
            periods=PERIODS,
            before=before,
            reach=await sales.sum_reach(self.app, self.member, days),
            summary=await sales.summarize(self.app, self.member, days),
            commission=await ledger.get_commission(self.app, self.member.account_id),
            payments=await sales.list_payments(self.app, self.member, before),
            paused=await conversion_destinations.list_paused(self.app, self.member.account_id),
        )


class StoryHandler(AccountHandler):
    """GET /sales/<account>/payments/<id>."""

    async def get(self, _account: str, payment_id: str) -> None:
        """Show one payment and all that happened to it."""
        story = await sales.get_story(self.app, self.member, int(payment_id))
        await self.show("payment.html", tab="sales", story=story)
