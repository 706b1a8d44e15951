"""SyncPay: all of it is second-hand, so nothing is believed but what is asked for. Its samples are integrations'."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from grimbots.conf.settings import Settings
from grimbots.services.clients.http import HttpClient
from grimbots.services.gateways.base import Event, Hint, ReturnKind, Snapshot, Undecided, Verdict
from grimbots.services.gateways.syncpay import SyncPay
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.providers.syncpay import Fake
from grimbots.tests.services.gateways.benches import Bench, is_refused

ID = "3df0319d-ecf7-45d8-8b5b-6a2f4e2a1b77"
EVENTS = [
    {"event": "transaction.updated", "event_id": "u", "transaction": {"reference_id": ID, "status": "completed"}},
    {"data": {"id": ID, "status": "PAID_OUT", "amount": 9.9, "externalreference": "x"}},
    {"data": {"idtransaction": ID, "status": "completed"}},
    {"identifier": ID, "status": "completed"},
    {"id": ID, "status": "completed"},
]


@pytest.fixture
def bench(io_loop: Any, http: HttpClient, settings: Settings, clock: Clock) -> Iterator[Bench]:
    """Give the gateway over its fake provider."""
    provider = Fake(clock)
    io_loop.run_sync(provider.start)
    at_provider = replace(settings, gateway_urls={"syncpay": provider.url})
    yield Bench(SyncPay(http, at_provider), provider.credentials(), provider)
    io_loop.run_sync(provider.stop)


@pytest.mark.parametrize("said", EVENTS)
def test_every_form_of_an_event_names_the_charge_and_no_money(bench: Bench, said: dict[str, Any]) -> None:
    event = Event("", "", {"x-syncpay-signature": "t=1,v1=00"}, json.dumps(said).encode())
    assert bench.gateway.parse(event) == (Hint(ID, ID, None),)
    assert bench.gateway.verify(bench.credentials, event, bench.provider.clock()) is Verdict.REQUERY


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("cents", "reais"), [(1, "0.01"), (990, "9.9"), (1990, "19.9"), (2010, "20.1"), (123456789, "1234567.89")]
)
async def test_the_amount_goes_in_reais_to_the_cent(bench: Bench, cents: int, reais: str) -> None:
    made = await bench.create(amount_cents=cents)
    (charge,) = bench.provider.charges.values()
    assert json.dumps(charge["amount"]) == reais
    assert (await bench.look(made)).charge.amount_cents == cents


@pytest.mark.gen_test
@pytest.mark.parametrize("amount", [9.999, None, "nine", True, -1, 0, [1]])
async def test_an_amount_that_is_none_decides_nothing(bench: Bench, amount: Any) -> None:
    made = await bench.create()
    bench.provider.charges["shop", made.txid]["amount"] = amount
    with pytest.raises(Undecided):
        await bench.look(made)


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("completed", None),
        ("paid", None),
        ("COMPLETED", None),
        ("refunded", ReturnKind.REFUND),
        ("med", ReturnKind.DISPUTE),
        ("chargeback", ReturnKind.CHARGEBACK),
    ],
)
async def test_each_status_that_money_reached(bench: Bench, status: str, kind: ReturnKind | None) -> None:
    made = await bench.create()
    bench.provider.set_status(made.txid, status)
    seen = await bench.look(made)
    assert [receipt.amount_cents for receipt in seen.receipts] == [1990]
    assert [back.kind for back in seen.returns] == ([kind] if kind else [])


@pytest.mark.gen_test
@pytest.mark.parametrize("status", ["pending", "WAITING_FOR_APPROVAL", "failed", "cancelled", "expired", "quantum", ""])
async def test_each_status_that_none_reached(bench: Bench, status: str) -> None:
    made = await bench.create()
    bench.provider.set_status(made.txid, status)
    assert (await bench.look(made)).receipts == ()


@pytest.mark.gen_test
async def test_a_dispute_that_is_lost_is_the_same_return(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    ids = []
    for kind in (ReturnKind.DISPUTE, ReturnKind.CHARGEBACK):
        bench.provider.dispute(made.txid, kind)
        ids += [back.id for back in (await bench.look(made)).returns]
    assert len(ids) == 2 and len(set(ids)) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("told", "at"),
    [
        ({"transaction_date": "2026-07-10 14:40:26"}, datetime(2026, 7, 10, 17, 40, 26, tzinfo=UTC)),
        ({"paid_at": "2026-07-10T14:40:26Z"}, datetime(2026, 7, 10, 14, 40, 26, tzinfo=UTC)),
    ],
)
async def test_a_time_without_a_zone_is_brasilias(bench: Bench, told: dict[str, str], at: datetime) -> None:
    made = await bench.create()
    bench.provider.set_status(made.txid, "completed")
    bench.provider.charges["shop", made.txid].update(told)
    assert (await bench.look(made)).receipts[0].at == at


@pytest.mark.gen_test
async def test_a_hundred_look_ups_log_in_once(bench: Bench, settings: Settings) -> None:
    made = await bench.create()
    assert isinstance(bench.provider, Fake)
    bench.provider.forget_tokens()
    bench.provider.calls.clear()
    http = HttpClient(places={"gateway": 100}, connect_seconds=60.0)
    await http.open()
    gateway = SyncPay(http, replace(settings, gateway_urls={"syncpay": bench.provider.url}))
    gateway.timeout_seconds = 60.0
    which = {"txid": made.txid, "provider_id": made.provider_id}
    seen = await asyncio.gather(*(gateway.fetch(bench.credentials, **which) for _ in range(100)))
    await http.close()
    assert all(isinstance(each, Snapshot) for each in seen)
    assert [call for call in bench.provider.calls if call[0] == "POST"] == [("POST", "/auth-token")]


@pytest.mark.gen_test
async def test_a_payer_is_told_of_as_it_wants_him(bench: Bench) -> None:
    await bench.create()
    assert isinstance(bench.provider, Fake)
    (client,) = bench.provider.clients
    assert client == {"name": "Ana Souza", "cpf": "52998224725", "email": "ana@example.com", "phone": "11987654321"}


@pytest.mark.gen_test
async def test_what_it_cannot_do_is_said_in_words(bench: Bench, clock: Clock) -> None:
    assert is_refused(await bench.gateway.list(bench.credentials, since=clock(), until=clock()))
    with pytest.raises(Undecided, match="no key of ours"):
        await bench.gateway.find(bench.credentials, "a" * 32)
