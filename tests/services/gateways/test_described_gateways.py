"""The gateway that speaks a description: what ours read of their providers' events, and what only a test's one says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grimbots.conf.settings import Settings
from grimbots.services.clients.http import HttpClient
from grimbots.services.gateways import described_gateways
from grimbots.services.gateways.base import Event, Gateway, Payer, ReturnKind, Snapshot, Undecided, Verdict
from grimbots.services.gateways.described_gateways import make_gateway
from grimbots.services.gateways.descriptions import read
from grimbots.services.gateways.scan import find_gateways
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.described import make_fake
from grimbots.tests.services.gateways.benches import Bench, is_refused, is_same, place
from grimbots.tests.services.gateways.test_descriptions import RIGHT, write

EVENTS = [
    ("paradise", {"transaction_id": "T1", "status": "approved", "amount_paid": 1990, "external_id": "k"}, ("k", "T1")),
    ("paradise", {"hash": "H1", "payment_status": "pending", "amount": 1990}, None),
    ("wiinpay", {"uuid": "U1", "status": "paid", "value": 19.9, "metadata": {"payment_id": "k"}}, ("k", "U1")),
    ("atomopay", {"id": 7, "hash": "H", "payment_status": "paid", "reference": "k"}, ("k", "7")),
    ("atomopay", {"data": {"id": 7, "hash": "H", "payment_status": "waiting_payment"}}, None),
    ("umbrellapag", {"objectId": "O", "data": {"id": "D", "status": "AUTHORIZED", "amount": 1}}, (None, "D")),
    ("umbrellapag", {"objectId": "O", "data": {"data": {"id": "D", "status": "PAID"}}}, (None, "D")),
    ("orionpay", {"event": "payment.success", "data": {"transactionId": "T", "amount": 19.9}}, (None, "T")),
    ("orionpay", {"event": "webhook.test", "data": {"transactionId": "T"}}, None),
    ("babylon", {"data": {"id": "B", "status": "paid", "items": [{"externalRef": "k"}]}}, ("k", "B")),
    ("babylon", {"id": "B", "status": "waiting_payment"}, None),
    ("bolt", {"id": "event", "objectId": "B", "data": {"id": "B", "status": "paid"}}, (None, "B")),
    ("aguia", {"data": {"external_id": "k", "status": "approved", "transactionId": "A"}}, ("k", "A")),
    ("sigilopay", {"event": "TRANSACTION_PAID", "transaction": {"id": "S", "identifier": "k"}}, ("k", "S")),
    ("sigilopay", {"event": "TRANSACTION_CREATED", "transaction": {"id": "S"}}, None),
]
"""Bodies as the original's adapters took them in; which ids they speak of, None where they are no news."""


@pytest.mark.parametrize(("name", "body", "ids"), EVENTS)
def test_parse_reads_the_ids_the_original_read(
    name: str,
    body: dict[str, Any],
    ids: tuple[str | None, str] | None,
    http: HttpClient,
    settings: Settings,
    clock: Clock,
) -> None:
    gateway = find_gateways()[name](http, settings)
    event = Event("", "", {}, json.dumps(body).encode())
    hints = [(hint.txid, hint.provider_id) for hint in gateway.parse(event)]
    assert hints == ([ids] if ids else [])
    assert gateway.verify({}, event, clock()) is Verdict.REQUERY


@pytest.fixture
def lojapay(tmp_path: Path) -> type[Gateway]:
    """Give a gateway of a description with all that ours do without."""
    return make_gateway(read(write(tmp_path, RIGHT)))


@pytest.fixture
def bench(lojapay: type[Gateway], io_loop: Any, http: HttpClient, settings: Settings, clock: Clock) -> Iterator[Bench]:
    """Give it over its listening provider."""
    provider, make = place(lojapay, make_fake(lojapay), clock)
    io_loop.run_sync(provider.start)
    yield make(http, settings)
    io_loop.run_sync(provider.stop)


@pytest.mark.gen_test
async def test_a_token_is_asked_for_once_and_again_when_it_ran_out(bench: Bench) -> None:
    made = await bench.create()
    await bench.look(made)
    assert [path for _, path in bench.provider.calls].count("/oauth/token") == 1
    bench.provider.forget_tokens()
    assert is_same((await bench.look(made)).charge, made)
    assert [path for _, path in bench.provider.calls].count("/oauth/token") == 2
    assert is_refused(await bench.gateway.test(dict.fromkeys(bench.credentials, "")))


@pytest.mark.gen_test
async def test_the_idempotency_header_makes_one_charge_of_a_key(bench: Bench) -> None:
    first, again = [await bench.create("a" * 32) for _ in range(2)]
    assert bench.gateway.repeats_create and is_same(first, again) and len(bench.provider.charges) == 1


@pytest.mark.gen_test
async def test_a_signed_form_is_the_providers_and_another_is_not(bench: Bench, clock: Clock) -> None:
    made = await bench.create()
    event = bench.receive(bench.provider.pay(made.txid))
    assert bench.gateway.verify(bench.credentials, event, clock()) is Verdict.YES
    assert [hint.provider_id for hint in bench.gateway.parse(event)] == [made.provider_id]
    for forged in (replace(event, body=event.body + b"&x=1"), replace(event, headers={})):
        assert bench.gateway.verify(bench.credentials, forged, clock()) is Verdict.NO


@pytest.mark.gen_test
@pytest.mark.parametrize("kind", ["token", "hmac"])
async def test_what_is_untested_or_only_bears_a_token_is_asked_about(
    tmp_path: Path, http: HttpClient, settings: Settings, clock: Clock, kind: str
) -> None:
    text = RIGHT.replace('"hmac"', '"token"') if kind == "token" else RIGHT.replace("tested = true", "tested = false")
    gateway = make_gateway(read(write(tmp_path, text)))
    bench = Bench(gateway(http, settings), {"client_id": "a", "client_secret": "s"}, make_fake(gateway)(clock))
    event = bench.receive(b"charge_id=1")
    assert bench.gateway.verify(bench.credentials, event, clock()) is Verdict.REQUERY
    assert bench.gateway.verify(bench.credentials, replace(event, headers={}), clock()) is Verdict.NO
    assert (gateway.secret_headers, gateway.kept_headers)[kind == "hmac"] == ("x-signature",)


EXPIRIES = ("2026-03-02T12:05:00Z", "2026-03-03T12:00:00Z")


@pytest.mark.gen_test
async def test_create_tells_the_expiry_that_comes_first(bench: Bench, clock: Clock) -> None:
    """The provider's clock stops the sale earlier; a code it takes for longer is still over when we said so."""
    sooner, later = [{"charge": {"id": "1", "pix": {"copia_e_cola": "x"}, "expires_at": at}} for at in EXPIRIES]
    for body, minutes in ((sooner, 5), (later, 10)):
        bench.provider.fail_create(http=201, body=json.dumps(body).encode())
        made = await bench.create()
        assert (made.expires_at - clock()).total_seconds() == minutes * 60


@pytest.mark.gen_test
async def test_create_that_ended_at_once_is_refused(http: HttpClient, settings: Settings, clock: Clock) -> None:
    """AtomoPay answers 201 to a charge it has refused (the original's adapter)."""
    kind = find_gateways()["atomopay"]
    provider, make = place(kind, make_fake(kind), clock)
    await provider.start()
    bench = make(http, settings)
    body = {"data": {"id": 1, "pix": {"pix_qr_code": "x"}, "payment_status": "refused"}}
    provider.fail_create(http=201, body=json.dumps(body).encode())
    assert is_refused(await bench.gateway.create(bench.credentials, bench.ask()))
    await provider.stop()


@pytest.mark.gen_test
async def test_fetch_takes_nothing_for_another_charge(bench: Bench) -> None:
    made = await bench.create()
    body = {"charge": {"id": "another", "status": "paid", "value": 19.9}}
    bench.provider.fail("GET", http=200, body=json.dumps(body).encode())
    with pytest.raises(Undecided):
        await bench.look(made)


@pytest.mark.gen_test
async def test_fetch_knows_an_id_written_otherwise(bench: Bench) -> None:
    made = await bench.create()
    body = {"charge": {"id": made.provider_id.replace("-", "").upper(), "status": "PAID", "value": "19.90"}}
    bench.provider.fail("GET", http=200, body=json.dumps(body).encode())
    (receipt,) = (await bench.look(made)).receipts
    assert (receipt.end_to_end_id, receipt.amount_cents) == (made.provider_id, 1990)


@pytest.mark.gen_test
async def test_fetch_tells_a_dispute_before_it_is_decided(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    for kind in (ReturnKind.DISPUTE, ReturnKind.CHARGEBACK):
        bench.provider.dispute(made.txid, kind)
        (returned,) = (await bench.look(made)).returns
        assert (returned.kind, returned.is_settled) == (kind, kind is ReturnKind.CHARGEBACK)


@pytest.mark.gen_test
async def test_what_the_buyer_did_not_tell_is_left_out(bench: Bench) -> None:
    for payer in (Payer(), Payer(name="Ana")):
        await bench.gateway.create(bench.credentials, bench.ask(payer=payer))
    nobody, ana = [charge["asked"] for charge in bench.provider.charges.values()]
    assert "payer.name" not in nobody and ana["payer.name"] == "Ana" and nobody["amount_text"] == "19.90"


@pytest.mark.gen_test
async def test_one_file_more_is_one_gateway_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, http: HttpClient, settings: Settings, clock: Clock
) -> None:
    write(tmp_path, RIGHT)
    monkeypatch.setattr(described_gateways, "FOLDER", tmp_path)
    find_gateways.cache_clear()
    try:
        kind = find_gateways()["lojapay"]
    finally:
        find_gateways.cache_clear()
    provider, make = place(kind, make_fake(kind), clock)
    await provider.start()
    bench = make(http, settings)
    made = await bench.create()
    provider.pay(made.txid)
    seen = await bench.look(made)
    assert isinstance(seen, Snapshot) and [receipt.amount_cents for receipt in seen.receipts] == [1990]
    await provider.stop()
