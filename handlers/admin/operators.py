"""What the operator's pages share: they exist for administrators only, and call things by their names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from grimbots.handlers.admin.base import PageHandler
from grimbots.handlers.admin.formats import show_brief, show_clock, show_count, show_decimal, show_moment
from grimbots.services import sales
from grimbots.services.places import Names, find_names

SAID = {
    "requeued",
    "requeued_all",
    "discarded",
    "running",
    "pending",
    "gone",
    "paused",
    "draining",
    "resumed",
    "unstopped",
}


class OperatorHandler(PageHandler):
    """A page that exists for administrators only."""

    async def prepare(self) -> None:
        """Let nobody else see that it is there. Instants are written as in the visitor's own account, if he has one."""
        await super().prepare()
        if self.visitor:
            self.visitor.demand_administrator()
            self.zone = sales.open_zone(self.visitor.memberships[0]) if self.visitor.memberships else UTC

    def get_template_namespace(self) -> dict[str, Any]:
        """What these pages use besides."""
        said = self.request.query_arguments.get("said", [b""])[-1].decode(errors="replace")
        return {
            **super().get_template_namespace(),
            "brief": self.show_brief,
            "clock": self.show_clock,
            "count": self.show_count,
            "decimal": self.show_decimal,
            "moment": self.show_moment,
            "said": said if said in SAID else "",
            "tab": "queues",
        }

    def show_clock(self, at: datetime) -> str:
        """Write the time of day in the page's zone."""
        return show_clock(at, self.zone)

    def show_moment(self, at: datetime) -> str:
        """Write an instant to the second in the page's zone."""
        return show_moment(at, self.zone, self.texts.language)

    def show_brief(self, seconds: float) -> str:
        """Write how long something short lasts."""
        return show_brief(seconds, self.texts.language)

    def show_count(self, number: float) -> str:
        """Write a whole number."""
        return show_count(number, self.texts.language)

    def show_decimal(self, number: float) -> str:
        """Write a number to a tenth."""
        return show_decimal(number, self.texts.language)

    async def find_place(self, kind: str, name: str) -> str:
        """Write a queue, a source or an account as people call it."""
        names = await find_names(self.app, [name] if kind == "source" else [], [name] if kind == "account" else [])
        return self.name_place(names, kind, name)

    def name_place(self, names: Names, kind: str, name: str) -> str:
        """Write it with names that were found before."""
        called = {"source": names.source, "account": names.account}.get(kind, str)(name)
        return self.texts.name("kind", kind, name=called)
