"""PushinPay: what its documents leave open, and what integrations say of it, none of which may cost a sale.

Its samples: the transaction that app.theneo.io/pushinpay and public integrations quote (id, status, value, qr_code,
end_to_end_id, payer_name, payer_national_registration).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from grimbots.conf.settings import Settings
from grimbots.services.clients.http import HttpClient
from grimbots.services.gateways.base import Event, Refusal, Snapshot, Undecided, Verdict
from grimbots.services.gateways.pushinpay import PushinPay
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.providers.pushinpay import Fake
from grimbots.tests.services.gateways.benches import ADDRESS, Bench, is_refused

SAMPLE = {
    "id": "9f8efc3a-4b9b-490f-9c76-e98512654ec9",
    "qr_code": "00020101021226770014BR.GOV.BCB.PIX2555api...",
    "status": "paid",
    "value": 100,
    "webhook": None,
    "end_to_end_id": "E12345678202301011234567890123456",
    "payer_name": "João Silva",
    "payer_national_registration": "12345678901",
}
PAID_AT = "E12345678202301011234abcdefghijk"


@pytest.fixture
def bench(io_loop: Any, http: HttpClient, settings: Settings, clock: Clock) -> Iterator[Bench]:
    """Give the gateway over its fake provider."""
    provider = Fake(clock)
    io_loop.run_sync(provider.start)
    at_provider = replace(settings, gateway_urls={"pushinpay": provider.url})
    yield Bench(PushinPay(http, at_provider), provider.credentials(), provider)
    io_loop.run_sync(provider.stop)


async def look(bench: Bench, **changes: Any) -> Snapshot | Refusal:
    """Return the sample as the provider would tell it now."""
    said = {name: value for name, value in {**SAMPLE, **changes}.items() if value is not None}
    bench.provider.fail("GET", http=200, body=json.dumps(said).encode())
    return await bench.gateway.fetch(bench.credentials, txid=SAMPLE["id"], provider_id=SAMPLE["id"])  # type: ignore[arg-type]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"end_to_end_id": PAID_AT}, datetime(2023, 1, 1, 12, 34, tzinfo=UTC)),
        (
            {"end_to_end_id": PAID_AT, "paid_at": "2023-01-01T09:34:10.000000Z"},
            datetime(2023, 1, 1, 9, 34, 10, tzinfo=UTC),
        ),
        ({"end_to_end_id": None, "updated_at": "2023-01-01 09:34:10"}, datetime(2023, 1, 1, 12, 34, 10, tzinfo=UTC)),
        ({"value": "100", "end_to_end_id": PAID_AT}, datetime(2023, 1, 1, 12, 34, tzinfo=UTC)),
    ],
)
async def test_a_paid_charge_is_one_receipt_whatever_tells_its_time(bench: Bench, changes: Any, at: datetime) -> None:
    seen = await look(bench, **changes)
    assert isinstance(seen, Snapshot)
    assert [(r.end_to_end_id, r.amount_cents, r.at) for r in seen.receipts] == [(SAMPLE["id"], 100, at)]


@pytest.mark.gen_test
@pytest.mark.parametrize("changes", [{"end_to_end_id": None}, {"end_to_end_id": "E123"}, {}])
async def test_a_sale_is_not_lost_for_want_of_a_time(bench: Bench, changes: Any) -> None:
    before = datetime.now(UTC)
    seen = await look(bench, **changes)
    assert isinstance(seen, Snapshot) and before <= seen.receipts[0].at <= datetime.now(UTC)


@pytest.mark.gen_test
@pytest.mark.parametrize("status", ["created", "pending", "canceled", "expired", "approved", "PAID!", None])
async def test_no_other_word_is_money(bench: Bench, status: str | None) -> None:
    seen = await look(bench, status=status, payer_name="Ana", paid_at="2023-01-01T09:34:10Z")
    assert isinstance(seen, Snapshot) and seen.receipts == ()


@pytest.mark.gen_test
@pytest.mark.parametrize("value", [None, 0, -1, 1.5, "1,00", True])
async def test_an_amount_that_is_none_decides_nothing(bench: Bench, value: Any) -> None:
    with pytest.raises(Undecided):
        await look(bench, value=value)


@pytest.mark.gen_test
async def test_an_event_as_a_form_names_the_charge_in_capitals(bench: Bench) -> None:
    made = await bench.create()
    assert isinstance(bench.provider, Fake)
    bench.provider.writes_forms = True
    event = bench.receive(bench.provider.pay(made.txid))
    (hint,) = bench.gateway.parse(event)
    assert event.body.startswith(b"id=") and made.txid.upper().encode() in event.body
    assert (hint.txid, hint.receipt) == (made.txid, None)
    assert bench.gateway.verify(bench.credentials, event, bench.provider.clock()) is Verdict.REQUERY


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff\xfe=%zz", b'{"id": null}', b"a=b&c"])
def test_an_event_without_an_id_says_nothing(bench: Bench, body: bytes) -> None:
    assert bench.gateway.parse(Event("", "", {}, body)) == ()


@pytest.mark.gen_test
async def test_the_webhooks_address_goes_with_the_charge(bench: Bench) -> None:
    await bench.create()
    (charge,) = bench.provider.charges.values()
    assert charge["webhook_url"] == ADDRESS


@pytest.mark.gen_test
async def test_what_it_cannot_do_is_said_in_words(bench: Bench, clock: Clock) -> None:
    assert is_refused(await bench.gateway.list(bench.credentials, since=clock(), until=clock()))
    with pytest.raises(Undecided, match="no key of ours"):
        await bench.gateway.find(bench.credentials, "a" * 32)
    assert await bench.gateway.register(bench.credentials, ADDRESS) is None and bench.provider.calls == []
