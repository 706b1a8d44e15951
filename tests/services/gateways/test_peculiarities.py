"""What one provider does and no other: each test says whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from grimbots.services.gateways.base import Gateway, Refusal, ReturnKind
from grimbots.services.gateways.scan import find_gateways
from grimbots.tests.conftest import Clock
from grimbots.tests.services.gateways.benches import Bench, is_refused


@pytest.fixture
def kind(name: str) -> type[Gateway]:
    """Give the one gateway a test is of."""
    return find_gateways()[name]


def of(name: str) -> Any:
    """Say whose a test is."""
    return pytest.mark.parametrize("name", [name])


@of("asaas")
@pytest.mark.gen_test
async def test_asaas_makes_a_buyer_its_customer_once(bench: Bench) -> None:
    await bench.create()
    await bench.create()
    assert len(bench.provider.customers) == 1 and len(bench.provider.charges) == 2  # type: ignore[attr-defined]


@of("asaas")
@pytest.mark.gen_test
async def test_asaas_charge_that_its_seller_marks_as_paid_in_cash_is_not_paid(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    bench.provider.set_status(made.txid, "RECEIVED_IN_CASH")
    assert (await bench.look(made)).receipts == ()


@of("asaas")
@pytest.mark.gen_test
async def test_asaas_refund_that_is_cancelled_is_void(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    bench.provider.refunds_take_time = True
    await bench.refund(made, 500)
    bench.provider.charges[made.provider_id]["refunds"][0]["status"] = "CANCELLED"
    (returned,) = (await bench.look(made)).returns
    assert returned.is_void and not returned.is_settled


@of("mercado_pago")
@pytest.mark.gen_test
async def test_mercado_pago_refuses_test_credentials_in_words(bench: Bench) -> None:
    async def make_it_a_test(txid: str) -> None:
        bench.provider.pay_for_test(txid)

    bench.provider.before_answer = make_it_a_test
    refusal = await bench.gateway.create(bench.credentials, bench.ask())
    assert isinstance(refusal, Refusal) and "de teste" in refusal.reason


@of("mercado_pago")
@pytest.mark.gen_test
async def test_mercado_pago_keeps_a_charge_for_half_an_hour_and_we_do_not_wait(bench: Bench) -> None:
    made = await bench.create()  # its fake takes none of less than 30 minutes
    (payment,) = bench.provider.charges.values()
    assert payment["date_of_expiration"] == "2026-03-02T12:35:00.000+00:00"
    assert made.expires_at.isoformat() == "2026-03-02T12:10:00+00:00"


@of("mercado_pago")
@pytest.mark.gen_test
@pytest.mark.parametrize("status", ["rejected", "cancelled", "authorized", "quantum"])
async def test_mercado_pago_payment_that_was_approved_and_is_not_is_not_paid(bench: Bench, status: str) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    bench.provider.set_status(made.txid, status)
    assert (await bench.look(made)).receipts == ()


@of("mercado_pago")
@pytest.mark.gen_test
async def test_mercado_pago_lists_no_payment_of_another_kind(bench: Bench, clock: Clock) -> None:
    start, made = clock(), await bench.create()
    (ours,) = list(bench.provider.charges.values())
    for id_, other in ((1, {"payment_method_id": "visa"}), (2, {"external_reference": None})):
        bench.provider.charges[str(id_)] = {**ours, "id": id_, **other}
    clock.move(minutes=1)
    listed = await bench.gateway.list(bench.credentials, since=start, until=clock())
    assert isinstance(listed, tuple) and [seen.charge.txid for seen in listed] == [made.txid]


@of("mercado_pago")
@pytest.mark.gen_test
async def test_mercado_pago_says_why_by_a_short_number_at_most(bench: Bench) -> None:
    for code, is_shown in (("4292", True), ("52998224725", False), ('"x"', False)):
        body = f'{{"message": "m", "cause": [{{"code": {code}, "description": "d"}}]}}'
        bench.provider.fail_create(http=400, body=body.encode())
        refusal = await bench.gateway.create(bench.credentials, bench.ask())
        assert is_refused(refusal) and (f"código {code}" in refusal.reason) is is_shown


@of("woovi")
@pytest.mark.gen_test
async def test_woovi_dispute_that_the_seller_won_is_void(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    bench.provider.dispute(made.txid, ReturnKind.DISPUTE)
    kept = bench.provider.find(made.txid)  # type: ignore[attr-defined]
    kept["dispute"] |= {"status": "REJECTED", "value": "1990"}
    (returned,) = (await bench.look(made)).returns
    assert (returned.kind, returned.amount_cents, returned.is_void) == (ReturnKind.DISPUTE, 1990, True)


@of("woovi")
@pytest.mark.gen_test
async def test_woovi_shows_a_charge_though_its_disputes_may_not_be_read(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    bench.provider.fail("GET", http=403, path="/dispute/")
    assert len((await bench.look(made)).receipts) == 1


@of("woovi")
@pytest.mark.gen_test
async def test_woovi_credentials_must_be_allowed_to_see_transfers(bench: Bench) -> None:
    bench.provider.fail("GET", http=403, path="/transaction")
    assert is_refused(await bench.gateway.test(bench.credentials))


@of("woovi")
@pytest.mark.gen_test
async def test_woovi_is_told_nothing_of_the_buyer(bench: Bench) -> None:
    await bench.create()
    (kept,) = bench.provider.charges.values()
    assert "customer" not in kept["charge"]
