"""From the webhook's route to the delivery, through every gateway: what a provider tells, and who pretends to."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import Settings, load
from grimbots.services import gateways, payments
from grimbots.services.gateways.base import Event
from grimbots.services.gateways.scan import find_gateways
from grimbots.tests.conftest import Clock, _add_tenant
from grimbots.tests.fakes.gateways import FakeGateway
from grimbots.tests.services.additions import add_file
from grimbots.tests.services.gateways.benches import find_fakes
from grimbots.tests.services.gateways.tills import Till, open_till

PAID_ONCE = ("paid", [], 1)
CORNER = '''
"""A bank at the corner, which speaks as the sandbox does."""

from grimbots.services.gateways.base import Field
from grimbots.services.gateways.sandbox import Sandbox


class Corner(Sandbox):
    name = "corner"
    label = "Banco da Esquina"
    fields = (Field("api_key", "Chave", "No balcão."), Field("webhook_secret", "Segredo", "No balcão."))
'''


@pytest.fixture
def providers(io_loop: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, FakeGateway]]:
    """Give every listening fake provider that a seller connects, by its gateway's name."""
    connectable = [name for name, kind in sorted(find_gateways().items()) if not kind.is_of_bot]
    started = {name: find_fakes()[name](clock) for name in connectable}
    for name, provider in started.items():
        for attribute, value in provider.patches().items():
            monkeypatch.setattr(find_gateways()[name], attribute, value)
        io_loop.run_sync(provider.start)
    yield started
    for provider in started.values():
        io_loop.run_sync(provider.stop)


@pytest.fixture
def settings(tmp_path: Path, providers: dict[str, FakeGateway]) -> Settings:
    """Give settings under which each gateway speaks to its fake."""
    urls = {name: provider.url for name, provider in providers.items()}
    sandbox = {"GRIMBOTS_SANDBOX": "1", "GRIMBOTS_SANDBOX_URL": urls["sandbox"]}
    return load({"GRIMBOTS_DATA": str(tmp_path), "GRIMBOTS_GATEWAY_URLS": json.dumps(urls), **sandbox})


@pytest.fixture
def tills(io_loop: Any, app: Any, vault: Any, providers: dict[str, FakeGateway]) -> list[Till]:
    """Give a till of each gateway, each another seller's; Stars are sold in tests/services/test_checkouts.py."""

    async def make() -> list[Till]:
        tenants = [await _add_tenant(app.db, vault, place) for place in range(1, len(providers) + 1)]
        return [await open_till(app, tenant, *named) for tenant, named in zip(tenants, providers.items(), strict=True)]

    made: list[Till] = io_loop.run_sync(make)
    return made


@pytest.fixture
def post(http_client: Any, base_url: str) -> Callable[[Till, Event], Awaitable[None]]:
    """Give a function that posts an event to a till's webhook."""

    async def send(till: Till, event: Event) -> None:
        query = f"?{event.query}" if event.query else ""
        url = f"{base_url}/webhook/payment/{till.gateway}/{till.key}{event.suffix}{query}"
        answer = await http_client.fetch(url, method="POST", headers=dict(event.headers), body=event.body)
        assert answer.code == 200

    return send


@pytest.mark.gen_test
async def test_what_is_told_three_times_and_out_of_order_is_delivered_once(tills: list[Till], post: Any) -> None:
    for till in tills:
        payment = await till.charge()
        before = till.provider.expire(payment.txid)
        paid = till.notify(till.provider.pay(payment.txid))
        for _ in range(3):
            await post(till, paid)
        if before:
            await post(till, till.notify(before))
        await till.apply()
        await post(till, till.notify(paid.body))  # signed again: to us it is another event
        await till.apply()
        assert await till.see(payment) == PAID_ONCE, till.gateway


@pytest.mark.gen_test
async def test_what_is_told_before_the_charge_was_answered_is_settled_after_it(tills: list[Till], post: Any) -> None:
    for till in tills:
        payment = await till.accept()

        async def pay_at_once(txid: str, till: Till = till) -> None:
            await post(till, till.notify(till.provider.pay(txid)))

        till.provider.before_answer = pay_at_once
        await payments.charge(till.app, payment_id=payment.id)
        await till.apply()
        assert await till.see(payment) == PAID_ONCE, till.gateway


@pytest.mark.gen_test
async def test_money_that_comes_after_the_expiry_is_delivered_and_called_late(tills: list[Till], post: Any) -> None:
    for till in tills:
        payment = await till.charge()
        till.provider.expire(payment.txid)
        await till.expire()
        assert await till.see(payment) == ("expired", [], 0), till.gateway
        await post(till, till.notify(till.provider.pay(payment.txid)))
        await till.apply()
        assert await till.see(payment) == ("paid", ["late"], 1), till.gateway


@pytest.mark.gen_test
async def test_less_than_the_price_is_held(tills: list[Till], post: Any) -> None:
    for till in (till for till in tills if till.provider.takes_any_amount):
        payment = await till.charge()
        await post(till, till.notify(till.provider.pay(payment.txid, 1989)))
        await till.apply()
        assert await till.see(payment) == ("pending", ["underpaid"], 0), till.gateway


@pytest.mark.gen_test
async def test_play_money_and_forged_events_deliver_nothing(tills: list[Till], post: Any) -> None:
    for till in tills:
        wanted, paid = await till.charge(501), await till.charge(502)
        event = till.notify(till.provider.pay(paid.txid))
        body = event.body
        for ours, theirs in ((paid.txid, wanted.txid), (paid.provider_id, wanted.provider_id)):
            body = body.replace(ours.encode(), theirs.encode())
        query = event.query.replace(paid.provider_id, wanted.provider_id)
        forged = replace(event, body=body, query=query)
        for forgery in (forged, replace(forged, headers={}), till.provider.notify(body, forger(till))):
            await post(till, forgery)
        played = till.provider.pay_for_test(wanted.txid)
        if played:
            await post(till, till.notify(played))
        for _ in range(2):
            await till.apply()
        assert await till.see(wanted) == ("pending", [], 0), till.gateway


def forger(till: Till) -> dict[str, str]:
    """Return the credentials of a seller at the same provider who would like to be another."""
    return till.provider.credentials("forger")


@pytest.mark.gen_test
async def test_an_event_that_reaches_another_sellers_webhook_settles_nothing(
    tills: list[Till], post: Any, app: Any, vault: Any
) -> None:
    for place, till in enumerate(tills):
        payment = await till.charge()
        tenant = await _add_tenant(app.db, vault, 50 + place)
        other = await open_till(app, tenant, till.gateway, till.provider, "another shop")
        await post(other, till.notify(till.provider.pay(payment.txid)))
        await till.apply()
        assert await till.see(payment) == ("pending", [], 0), till.gateway


@pytest.mark.gen_test
async def test_every_provider_is_answered_in_a_tenth_of_the_time_it_waits(tills: list[Till], post: Any) -> None:
    for till in tills:
        payment = await till.charge()
        event = till.notify(till.provider.pay(payment.txid))
        limit_seconds = find_gateways()[till.gateway].answer_within_seconds / 10
        assert await find_quick(partial(post, till, event), limit_seconds), till.gateway


async def find_quick(act: Callable[[], Awaitable[None]], limit_seconds: float) -> bool:
    """Tell whether an act can be done in time at all: a machine that does other things too is given fifty tries."""
    for _ in range(50):
        began = time.monotonic()
        await act()
        if time.monotonic() - began < limit_seconds:
            return True
    return False


@pytest.mark.gen_test
async def test_no_token_of_an_event_is_kept(tills: list[Till], post: Any, app: Any) -> None:
    for till in tills:
        payment = await till.charge()
        await post(till, till.notify(till.provider.pay(payment.txid)))
    later = partial(app.db.provider_events.list_stale, before=app.clock.now.replace(year=2030), after=0, limit=99)
    kept = [await app.db.provider_events.find_by_id(event_id=row.id) for row in await later()]
    assert len(kept) == len(tills)
    secrets = {secret for till in tills for secret in till.credentials.values()}
    assert [value for event in kept for value in event.headers.values() if value in secrets] == []


@pytest.mark.gen_test
async def test_a_new_file_is_a_new_gateway(tills: list[Till], post: Any, app: Any, vault: Any, tmp_path: Path) -> None:
    tenant = await _add_tenant(app.db, vault, 90)
    sandbox = next(till.provider for till in tills if till.gateway == "sandbox")
    with add_file(tmp_path, gateways, "corner", CORNER, find_gateways):
        till = await open_till(app, tenant, "corner", sandbox, "corner")
        payment = await till.charge()
        await post(till, till.notify(sandbox.pay(payment.txid)))
        await till.apply()
        assert await till.see(payment) == PAID_ONCE
    assert "corner" not in find_gateways()
