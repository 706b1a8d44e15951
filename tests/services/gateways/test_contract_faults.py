"""What a provider does when it is ill: nothing may be taken for done, or for not done, that is not known to be."""

from __future__ import annotations

from uuid import uuid4

import pytest

from grimbots.services.clients.http import Ambiguous, NeverSent
from grimbots.services.gateways.base import Charge, Undecided
from grimbots.tests.services.gateways.benches import Bench, is_refused, is_same

STORM = [429, 500, 502, 503, 504]


@pytest.mark.gen_test
@pytest.mark.parametrize("status", STORM)
async def test_create_decides_nothing_when_the_provider_is_busy(bench: Bench, status: int) -> None:
    key = uuid4().hex
    bench.provider.fail_create(http=status)
    with pytest.raises(Undecided):
        await bench.create(key)
    await bench.create(key)
    assert len(bench.provider.charges) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("body", [b"<html>502</html>", b"", b"[]", b"{}", b'{"id": null, "charge": [], "data": 1}'])
async def test_create_decides_nothing_by_an_answer_it_cannot_read(bench: Bench, body: bytes) -> None:
    bench.provider.fail_create(http=200, body=body)
    with pytest.raises(Undecided):
        await bench.create()


@pytest.mark.gen_test
async def test_create_cut_after_the_call_is_ambiguous_and_found_by_its_key(bench: Bench) -> None:
    key = uuid4().hex
    bench.provider.fail_create(drop="after")
    with pytest.raises(Ambiguous):
        await bench.create(key)
    assert len(bench.provider.charges) == 1
    if bench.gateway.can_find:
        found = await bench.gateway.find(bench.credentials, key)
        assert found is not None and not is_refused(found)
        assert is_same(found.charge, await bench.create(key))
    if bench.gateway.repeats_create:
        await bench.create(key)
        assert len(bench.provider.charges) == 1


@pytest.mark.gen_test
async def test_create_cut_before_the_call_is_ambiguous_and_surely_not_there(bench: Bench) -> None:
    key = uuid4().hex
    bench.provider.fail_create(drop="before")
    with pytest.raises(Ambiguous):
        await bench.create(key)
    if bench.gateway.can_find:
        assert await bench.gateway.find(bench.credentials, key) is None
    await bench.create(key)
    assert len(bench.provider.charges) == 1


@pytest.mark.gen_test
async def test_create_that_is_never_answered_ends_in_time(bench: Bench) -> None:
    bench.gateway.timeout_seconds = 0.4
    bench.provider.fail_create(is_slow=True)
    with pytest.raises((Ambiguous, NeverSent)):  # which of the two depends on when the 0.4 s ran out
        await bench.create()


@pytest.mark.gen_test
async def test_create_with_nobody_there_was_never_sent(bench: Bench) -> None:
    await bench.provider.stop()
    with pytest.raises(NeverSent):
        await bench.create()


@pytest.mark.gen_test
@pytest.mark.parametrize("status", STORM)
async def test_fetch_and_find_decide_nothing_in_a_storm(bench: Bench, status: int) -> None:
    key = uuid4().hex
    made = await bench.create(key)
    bench.provider.fail("*", http=status, times=9)
    with pytest.raises(Undecided):
        await bench.gateway.fetch(bench.credentials, txid=made.txid, provider_id=made.provider_id)
    with pytest.raises(Undecided):
        await bench.gateway.find(bench.credentials, key)


@pytest.mark.gen_test
async def test_refund_decides_nothing_in_a_storm(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    if not bench.gateway.can_refund:
        pytest.skip("the provider refunds by its panel only: docs/gateways.md")
    (receipt,) = (await bench.look(made)).receipts
    bench.provider.fail("*", http=503, times=9)
    which = {"txid": made.txid, "end_to_end_id": receipt.end_to_end_id, "idempotency_key": "a" * 32}
    with pytest.raises(Undecided):
        await bench.gateway.refund(bench.credentials, amount_cents=1990, **which)


@pytest.mark.gen_test
async def test_a_token_that_ran_out_is_renewed_without_anybodys_noticing(bench: Bench) -> None:
    if not bench.provider.logs_in:
        pytest.skip("the provider's key does not run out")
    made = await bench.create()
    bench.provider.forget_tokens()
    assert is_same((await bench.look(made)).charge, made)
    bench.provider.forget_tokens()
    assert isinstance(await bench.gateway.create(bench.credentials, bench.ask()), Charge)


@pytest.mark.gen_test
async def test_a_key_that_is_refused_is_asked_for_again_a_few_times_at_most(bench: Bench) -> None:
    bench.provider.fail("*", http=401, times=99)
    assert is_refused(await bench.gateway.create(bench.credentials, bench.ask()))
    assert len(bench.provider.calls) <= 4
