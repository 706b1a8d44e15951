"""/sales/<account>/gateways: who is asked for its charges, in which order, how they are, and what changes that.

Credentials come in by a form and never go out again: no page is given them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from grimbots.conf.redactions import scrub
from grimbots.handlers.admin.amounts import read_amount
from grimbots.handlers.admin.sales import AccountHandler
from grimbots.services import gateway_accounts, gateway_orders, gateway_tests, registrations
from grimbots.services.charges import UNANSWERED
from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.services.gateway_accounts import Limits
from grimbots.services.gateway_tests import Result
from grimbots.services.gateways.base import Gateway

CENTS = ("least_cents", "most_cents", "most_day_cents")


class GatewaysHandler(AccountHandler):
    """GET and POST /sales/<account>/gateways."""

    async def get(self, _account: str) -> None:
        """Show them in their order."""
        said = self.get_query_argument("said", "")
        await self._list(said if said in SAID else "", {})

    async def post(self, _account: str) -> None:
        """Ask each provider whether it takes its credentials, and show what it says. Nothing is charged."""
        self.member.demand_manage_gateways()
        results = await gateway_tests.test_all(self.app, self.member.account_id)
        await self._list("", {result.id: result for result in results})

    async def _list(self, said: str, results: Mapping[int, Result]) -> None:
        places = await gateway_orders.list_places(self.app, self.member.account_id)
        await self.show(
            "gateways.html",
            tab="gateways",
            said=said,
            places=places,
            order=",".join(str(place.account.id) for place in places if place.is_in_service),
            results=results,
            address=partial(gateway_accounts.notification_url, self.app),
            scrub=scrub,
            kinds=gateway_accounts.list_connectable(self.app.settings),
        )


class GatewayAddHandler(AccountHandler):
    """GET and POST /sales/<account>/gateways/add?gateway=."""

    async def get(self, _account: str) -> None:
        """Ask for what the provider wants to know of its customer."""
        self.member.demand_manage_gateways()
        await self._ask(self._read_kind(self.get_query_argument("gateway", "")), "")

    async def post(self, _account: str) -> None:
        """Connect the account, unless the provider refuses the credentials: then say so on the form."""
        self.member.demand_manage_gateways()
        kind = self._read_kind(self.get_body_argument("gateway", ""))
        credentials = {field.name: self.get_body_argument(f"field_{field.name}", "") for field in kind.fields}
        try:
            doubt = await gateway_tests.require(self.app, kind.name, credentials)
            await gateway_accounts.add_gateway_account(
                self.app,
                self.member.account_id,
                kind.name,
                credentials,
                self.member.actor,
                is_backup=bool(self.get_body_argument("backup", "")),
            )
        except Invalid as refusal:
            await self._ask(kind, refusal.message)
            return
        self.go(f"/sales/{self.member.account}/gateways?said={'added_unasked' if doubt else 'added'}")

    def _read_kind(self, name: str) -> type[Gateway]:
        kind = gateway_accounts.list_connectable(self.app.settings).get(name)
        if kind is None:
            raise NotFound(f"this installation has no gateway {name!r}")
        return kind

    async def _ask(self, kind: type[Gateway], refusal: str) -> None:
        typed = {} if self.request.method == "GET" else self._list_typed(kind)
        await self.show("gateway_add.html", tab="gateways", kind=kind, refusal=scrub(refusal), typed=typed)

    def _list_typed(self, kind: type[Gateway]) -> dict[str, str]:
        """Give back what was typed into the fields that are no secrets."""
        names = [field.name for field in kind.fields if not field.is_secret]
        return {name: self.get_body_argument(f"field_{name}", "") for name in names}


class GatewayHandler(AccountHandler):
    """POST /sales/<account>/gateways/<id>/front, /retire, /activate, /limits and /register."""

    async def post(self, _account: str, gateway_account_id: str, verb: str) -> None:
        """Do it, and say on the list what came of it."""
        self.member.demand_manage_gateways()
        said = verb
        try:
            await VERBS[verb](self, int(gateway_account_id), verb)
        except (Conflict, Invalid) as refusal:
            said = f"{verb}_{refusal.code}"
        except UNANSWERED:
            said = f"{verb}_unavailable"
        self.go(f"/sales/{self.member.account}/gateways?said={said}")

    async def move(self, gateway_account_id: int, verb: str) -> None:
        """Change its place in the order that the page showed."""
        seen = [int(one) for one in self.get_body_argument("order", "").split(",") if one.isdecimal() and len(one) < 19]
        which = {"account_id": self.member.account_id, "gateway_account_id": gateway_account_id}
        await gateway_orders.change(self.app, **which, verb=verb, seen=seen, actor=self.member.actor)

    async def limit(self, gateway_account_id: int, _verb: str) -> None:
        """Set all four limits; what is left empty is none."""
        typed = {name: self.get_body_argument(name, "").strip() for name in (*CENTS, "most_day_charges")}
        cents = {name: read_amount(typed[name]) if typed[name] else None for name in CENTS}
        limits = Limits(**cents, most_day_charges=_read_count(typed["most_day_charges"]))
        which = {"account_id": self.member.account_id, "gateway_account_id": gateway_account_id}
        await gateway_accounts.set_limits(self.app, **which, limits=limits, actor=self.member.actor)

    async def register(self, gateway_account_id: int, _verb: str) -> None:
        """Tell the provider where to post its events."""
        await registrations.register(self.app, self.member.account_id, gateway_account_id, self.member.actor)


def _read_count(text: str) -> int | None:
    if text and not (text.isdecimal() and len(text) < 10):
        raise Invalid("a limit of charges is a whole number")
    return int(text) if text else None


VERBS: dict[str, Callable[[GatewayHandler, int, str], Awaitable[None]]] = {
    "front": GatewayHandler.move,
    "retire": GatewayHandler.move,
    "activate": GatewayHandler.move,
    "limits": GatewayHandler.limit,
    "register": GatewayHandler.register,
}
SAID = (
    *("added", "added_unasked", "front", "retire", "activate", "limits", "register"),
    *("front_conflict", "retire_conflict", "activate_conflict"),
    *("limits_invalid", "register_invalid", "register_unavailable"),
)
