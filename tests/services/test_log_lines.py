"""At INFO an update handled costs one line of 400 bytes at most, by which it is found again; the rest is silence."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import Settings, load
from grimbots.queue.inspector import Inspector
from grimbots.tests.fakes.provider import FakeProvider, write_event
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.log_lines import open_log_lines
from grimbots.tests.services.shops import Shop
from grimbots.tests.services.workers import work

LONGEST_BYTES = 400
PAID = "SELECT id FROM payments WHERE state = 'paid'"
GONE = "SELECT id FROM messages WHERE status <> 'sent'"


@pytest.fixture
def settings(tmp_path: Path, provider: FakeProvider) -> Settings:
    """Give settings whose sandbox is the fake provider."""
    return load({"GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_SANDBOX": "1", "GRIMBOTS_SANDBOX_URL": provider.url})


class Conversation:
    """One buyer, told by real posts to the front door and worked off by a real worker."""

    def __init__(self, shop: Shop, buyer: Buyer, http_client: Any, base_url: str) -> None:
        self._shop, self._buyer, self._fetch, self._url = shop, buyer, http_client.fetch, base_url
        self.updates = 0

    async def post(self, update: dict[str, Any]) -> None:
        """Post an update and wait until nothing is left to do."""
        tenant, vault = self._shop.tenant, self._shop.app.vault
        headers = {"X-Telegram-Bot-Api-Secret-Token": vault.webhook_secret(tenant.key, 1)}
        url = f"{self._url}/webhook/telegram/{tenant.key}"
        await self._fetch(url, method="POST", body=json.dumps(update), headers=headers)
        self.updates += 1
        await self._wait_quiet()

    async def tap(self, label: str) -> None:
        await self.post(self._buyer.make_tap(self._buyer.find_button(label)))

    async def say(self, text: str) -> None:
        await self.post(self._buyer.make_text(text))

    async def pay(self) -> None:
        """Let the provider tell that the charge is paid."""
        ((txid, cents),) = self._buyer.query("SELECT txid, amount_cents FROM payments")
        body = write_event(txid, end_to_end_id="E1", amount_cents=cents, at=self._shop.app.clock().isoformat())
        headers = self._shop.provider.sign(body, self._shop.secret)
        await self._fetch(
            f"{self._url}/webhook/payment/sandbox/{self._shop.key}", method="POST", body=body, headers=headers
        )
        await self._wait_quiet()

    async def _wait_quiet(self) -> None:
        async with asyncio.timeout(30):
            while any(queue.pending + queue.in_flight for queue in await Inspector(self._shop.app.queue).queues()):
                await asyncio.sleep(0.02)


@pytest.mark.gen_test
async def test_a_sale_costs_a_short_line_per_update(
    app: Any, shop: Shop, query: Any, http_client: Any, base_url: str, fake_telegram: Any
) -> None:
    query("UPDATE bots SET funnel_id = (SELECT id FROM funnels LIMIT 1) WHERE id = %s", shop.tenant.bot_id)
    talk = Conversation(shop, Buyer(app, shop.tenant, query), http_client, base_url)
    async with work(app):
        with open_log_lines() as log:
            await talk.say("/start")
            await talk.say("quanto custa? meu CPF é 529.982.247-25")
            await talk.tap("Quero")
            await talk.pay()
            await talk.say("obrigada")
            lines = log.read()
    assert query(PAID)
    assert query(GONE) == []
    assert len(fake_telegram.calls) >= 4
    assert len(lines) == talk.updates == 4, lines
    assert max(len(line.encode()) for line in lines) <= LONGEST_BYTES
    told = [json.loads(line) for line in lines]
    assert {line["message"] for line in told} == {"update handled"}
    assert {(line["account_id"], line["bot_id"]) for line in told} == {(shop.tenant.account_id, shop.tenant.bot_id)}
    assert [line["job_id"].split(":")[1] for line in told] == [str(shop.tenant.bot_id)] * 4
    assert [line["kind"] for line in told] == ["message", "message", "callback_query", "message"]


def test_the_longest_line_of_an_update_is_short_enough() -> None:
    """Every field as long as it can be."""
    from grimbots.conf import logs
    from grimbots.services.arrivals import KINDS, MAX_UPDATE_ID

    logs.begin(job_id=f"u:{2**63 - 1}:{MAX_UPDATE_ID}", task="updates.handle")
    logs.add(account_id=2**63 - 1, bot_id=2**63 - 1, swapped=True)
    logs.add(ignored="it comes too late to be acted upon (start)")
    with open_log_lines() as log:
        kind = max(KINDS, key=len)
        logs.logging.getLogger("grimbots.services.updates").info("update handled", extra={"kind": kind, "effects": 999})
        (line,) = log.read()
    logs.begin()
    assert len(line.encode()) <= LONGEST_BYTES
