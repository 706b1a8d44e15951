"""A world of two accounts, for the tests that nothing crosses between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grimbots.services import campaigns
from grimbots.tests.fakes.provider import write_event
from grimbots.tests.handlers.admin.goods import Goods, stock
from grimbots.tests.services.shops import Shop

Query = Callable[..., list[Any]]
OTHERS_CHAT = 502  # where the other's charge waits to be paid


@dataclass(frozen=True)
class World:
    """Two accounts with goods: `own` is the asking one's, `other` is asked for."""

    own: Goods
    other: Goods
    own_shop: Shop
    other_shop: Shop
    query: Query

    def fingerprint(self, goods: Goods) -> list[Any]:
        """Sum up all an account has, save events, which anybody may send who knows its webhook's key.

        Nor is it news when a provider was asked last: an event that proves nothing makes us ask.
        """
        tables = self.query(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND column_name = 'account_id' AND table_name NOT LIKE 'applied_updates%%'"
            " AND table_name <> 'provider_events' ORDER BY table_name"
        )
        row = "(to_jsonb(t) - 'asked_at')::text"
        sums = f"SELECT md5(coalesce(string_agg({row}, '' ORDER BY {row}), '')) FROM {{}} AS t WHERE account_id = %s"
        return [self.query(sums.format(table), goods.account_id) for (table,) in tables]

    async def write_event_of_other(self) -> bytes:
        """Write the event that would tell of the other's pending charge as paid."""
        pending = await self.other_shop.read(self.other.payment_id + 1)
        now = self.own_shop.app.clock().isoformat()
        return write_event(pending.txid, end_to_end_id="E9", amount_cents=pending.amount_cents, at=now)

    def find_button_of_other(self) -> str:
        """Give the callback_data of a button that was shown in the other's chat OTHERS_CHAT."""
        rows = self.query(
            "SELECT jsonb_path_query_first(body, '$.**.callback_data') FROM messages"
            " WHERE account_id = %s AND chat_id = %s AND nonce IS NOT NULL",
            self.other.account_id,
            OTHERS_CHAT,
        )
        ((data,),) = rows
        return str(data)


async def make_world(shops: list[Shop], query: Query) -> World:
    """Give both accounts goods, and the second a charge that nobody has paid and a campaign."""
    own, other = [await stock(shop, query) for shop in shops]
    pending = await shops[1].charge(OTHERS_CHAT)
    query("UPDATE leads SET first_name = %s WHERE account_id = %s", other.mark, other.account_id)
    tenant, app = shops[1].tenant, shops[1].app
    which = {"account": tenant.name, "bot": f"{tenant.name}_bot", "funnel": "curso", "audience": "all"}
    await campaigns.start(app, **which, quiet_days=0, starts_at=app.clock(), actor="test")
    assert pending.id == other.payment_id + 1
    return World(own, other, shops[0], shops[1], query)
