"""/sales/<account>/messages: what failed or may not have arrived, to be sent again or discarded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from grimbots.handlers.admin.sales import AccountHandler
from grimbots.services import mishaps, sales
from grimbots.services.errors import Conflict

SAID = ("resent", "dropped", "changed")


class MishapsHandler(AccountHandler):
    """GET /sales/<account>/messages."""

    async def get(self, _account: str) -> None:
        """List them, the newest first."""
        before, said = self.read_id("before"), self.get_query_argument("said", "")
        await self.show(
            "messages.html",
            tab="messages",
            before=before,
            said=said if said in SAID else "",
            mishaps=await sales.list_mishaps(self.app, self.member, before),
        )


class MishapHandler(AccountHandler):
    """POST /sales/<account>/messages/<id>/resend and /discard."""

    async def post(self, _account: str, message_id: str, verb: str) -> None:
        """Do it, and say so on the list; where somebody was faster, say that."""
        act, said = VERBS[verb]
        try:
            await act(self.app, self.member, int(message_id))
        except Conflict:
            said = "changed"
        self.go(f"/sales/{self.member.account}/messages?said={said}")


VERBS: dict[str, tuple[Callable[..., Awaitable[None]], str]] = {
    "resend": (mishaps.resend, "resent"),
    "discard": (mishaps.discard, "dropped"),
}
