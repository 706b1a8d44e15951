"""The contract of services/gateways/base.py, kept by every gateway there is, each against a fake of its provider."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from grimbots.conf.settings import Settings
from grimbots.services.gateways.base import Charge, Gateway, Payer, Refund, ReturnKind
from grimbots.services.gateways.scan import find_gateways, offered_gateways
from grimbots.tests.conftest import Clock
from grimbots.tests.services.gateways.benches import Bench, find_fakes, is_refused, is_same

PERSONAL = ("52998224725", "ana@example.com", "5511987654321", "Ana Souza")


def test_every_gateway_has_a_fake() -> None:
    assert set(find_gateways()) == set(find_fakes())


def test_every_gateway_describes_itself(kind: type[Gateway]) -> None:
    assert re.fullmatch(r"[a-z0-9_]{1,32}", kind.name) and Path(inspect.getfile(kind)).exists()
    assert kind.label and kind.fields
    assert len({field.name for field in kind.fields}) == len(kind.fields)
    assert all(field.name.isidentifier() and field.label and field.help for field in kind.fields)
    headers = (*kind.kept_headers, *kind.secret_headers)
    assert all(name == name.lower() for name in headers) and len(set(headers)) == len(headers)
    assert kind.needs <= {"name", "tax_id", "email", "phone"}
    assert kind.url.startswith("https://") or kind.name == "sandbox"


def test_offered_gateways_leaves_the_sandbox_out_of_a_deployment(settings: Settings) -> None:
    assert "sandbox" not in offered_gateways(settings)
    assert "sandbox" in offered_gateways(replace(settings, sandbox=True))


def test_a_gateway_speaks_to_its_own_address_unless_the_settings_say_another(bench: Bench, settings: Settings) -> None:
    kind = type(bench.gateway)
    assert kind(bench.gateway._http, settings).url == kind.url
    assert bench.gateway.url == bench.provider.url


@pytest.mark.gen_test
async def test_test_takes_good_credentials_and_refuses_others_in_words(bench: Bench) -> None:
    assert await bench.gateway.test(bench.credentials) is None
    assert is_refused(await bench.gateway.test(dict.fromkeys(bench.credentials, "")))
    assert len(bench.provider.charges) == 0


@pytest.mark.gen_test
async def test_create_gives_a_code_every_id_and_the_expiry_that_was_asked_for(bench: Bench, clock: Clock) -> None:
    made = await bench.create(amount_cents=1234)
    assert made.code and made.txid and made.provider_id
    assert made.amount_cents == 1234
    assert made.expires_at - clock() == timedelta(seconds=600)


@pytest.mark.gen_test
@pytest.mark.parametrize("cents", [1990, 2010, 101_01, 12_345_67])
async def test_create_asks_for_the_very_cents(bench: Bench, cents: int) -> None:
    """19.90 and 20.10 have no exact float: 1989 or 2009 would be what a product with 100 cuts off."""
    made = await bench.create(amount_cents=cents)
    assert (await bench.look(made)).charge.amount_cents == cents


@pytest.mark.gen_test
async def test_create_with_the_same_key_gives_the_same_charge(bench: Bench) -> None:
    key = uuid4().hex
    first, second = await bench.create(key), await bench.create(key)
    if bench.gateway.repeats_create:
        assert is_same(first, second) and len(bench.provider.charges) == 1
    else:
        assert first.code != second.code and len(bench.provider.charges) == 2


@pytest.mark.gen_test
async def test_create_refuses_less_than_the_provider_takes_without_asking_it(bench: Bench) -> None:
    least = bench.gateway.least_cents
    assert isinstance(await bench.gateway.create(bench.credentials, bench.ask(amount_cents=least)), Charge)
    calls = len(bench.provider.calls)
    if least > 1:
        assert is_refused(await bench.gateway.create(bench.credentials, bench.ask(amount_cents=least - 1)))
    assert len(bench.provider.calls) == calls


@pytest.mark.gen_test
async def test_create_refuses_a_payer_who_has_not_told_what_is_needed_without_asking(bench: Bench) -> None:
    whole = bench.ask().payer
    for need in bench.gateway.needs:
        told = replace(whole, **{need: None})
        assert is_refused(await bench.gateway.create(bench.credentials, bench.ask(payer=told)))
    assert bench.provider.calls == []


@pytest.mark.gen_test
async def test_create_needs_nothing_else_of_a_payer(bench: Bench) -> None:
    told = {need: getattr(bench.ask().payer, need) for need in bench.gateway.needs}
    assert isinstance(await bench.gateway.create(bench.credentials, bench.ask(payer=Payer(**told))), Charge)


@pytest.mark.gen_test
async def test_create_with_wrong_credentials_is_refused_as_a_value(bench: Bench) -> None:
    nobody = dict.fromkeys(bench.credentials, "")
    assert is_refused(await bench.gateway.create(nobody, bench.ask()))


@pytest.mark.gen_test
@pytest.mark.parametrize("status", [400, 401, 403, 422])
async def test_create_refused_is_said_in_words_without_personal_data(bench: Bench, status: int) -> None:
    said = '{"message": "CPF 52998224725 de Ana Souza", "errors": [{"description": "ana@example.com"}], "error": "x"}'
    bench.provider.fail_create(http=status, body=said.encode(), times=3)
    refusal = await bench.gateway.create(bench.credentials, bench.ask())
    assert is_refused(refusal) and str(status) in refusal.reason
    assert [word for word in PERSONAL if word in refusal.reason] == []


@pytest.mark.gen_test
async def test_find_gives_the_charge_of_a_key_or_knows_surely_that_there_is_none(bench: Bench) -> None:
    if not bench.gateway.can_find:
        pytest.skip("the provider knows no charge by our key: docs/gateways.md")
    key = uuid4().hex
    assert await bench.gateway.find(bench.credentials, key) is None
    made = await bench.create(key)
    found = await bench.gateway.find(bench.credentials, key)
    assert found is not None and not is_refused(found) and is_same(found.charge, made)
    assert is_refused(await bench.gateway.find(dict.fromkeys(bench.credentials, ""), key))


@pytest.mark.gen_test
async def test_fetch_tells_every_transfer_in_cents(bench: Bench, clock: Clock) -> None:
    made = await bench.create()
    assert (await bench.look(made)).receipts == ()
    clock.move(minutes=1)
    bench.provider.pay(made.txid)
    if bench.provider.takes_many:
        bench.provider.pay(made.txid, 5, "E2")
    seen = await bench.look(made)
    assert is_same(seen.charge, made)
    assert [r.amount_cents for r in seen.receipts] == [1990, 5][: len(seen.receipts)]
    spread = timedelta(0) if bench.provider.tells_time else timedelta(days=1)
    assert all(clock() - spread <= r.at <= clock() for r in seen.receipts)
    assert len({r.end_to_end_id for r in seen.receipts}) == len(seen.receipts) == 1 + bench.provider.takes_many
    assert all(r.fee_cents is None or 0 <= r.fee_cents < r.amount_cents for r in seen.receipts)


@pytest.mark.gen_test
@pytest.mark.parametrize("cents", [1, 1989, 2990])
async def test_fetch_tells_what_really_came_in(bench: Bench, cents: int) -> None:
    if not bench.provider.takes_any_amount:
        pytest.skip("the provider lets nobody pay another amount")
    made = await bench.create()
    bench.provider.pay(made.txid, cents)
    (receipt,) = (await bench.look(made)).receipts
    assert receipt.amount_cents == cents


@pytest.mark.gen_test
async def test_fetch_tells_of_money_that_came_after_the_expiry(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.expire(made.txid)
    assert (await bench.look(made)).receipts == ()
    bench.provider.pay(made.txid)
    assert len((await bench.look(made)).receipts) == 1


@pytest.mark.gen_test
async def test_fetch_believes_no_status_it_does_not_know(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.set_status(made.txid, "quantum")
    seen = await bench.look(made)
    assert (seen.receipts, seen.returns) == ((), ())


@pytest.mark.gen_test
async def test_fetch_takes_no_play_money(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay_for_test(made.txid)
    seen = await bench.gateway.fetch(bench.credentials, txid=made.txid, provider_id=made.provider_id)
    assert is_refused(seen) or seen.receipts == ()


@pytest.mark.gen_test
async def test_answers_may_have_fields_nobody_knows(bench: Bench) -> None:
    bench.provider.adds_fields = True
    made = await bench.create()
    bench.provider.pay(made.txid)
    seen = await bench.look(made)
    assert is_same(seen.charge, made) and [receipt.amount_cents for receipt in seen.receipts] == [1990]


@pytest.mark.gen_test
async def test_fetch_does_not_reach_a_charge_of_other_credentials(bench: Bench) -> None:
    made = await bench.create()
    others = bench.provider.credentials("another shop")
    assert is_refused(await bench.gateway.fetch(others, txid=made.txid, provider_id=made.provider_id))


@pytest.mark.gen_test
async def test_refund_gives_back_once_per_key_and_never_more_than_came_in(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    if not bench.gateway.can_refund:
        assert is_refused(await bench.refund(made, 1990))
        return
    first, again = [await bench.refund(made, 1990, "a" * 32) for _ in range(2)]
    assert isinstance(first, Refund) and first.is_settled and first.amount_cents == 1990
    assert (again.id, again.amount_cents) == (first.id, 1990)
    (returned,) = (await bench.look(made)).returns
    assert (returned.amount_cents, returned.kind, returned.is_settled) == (1990, ReturnKind.REFUND, True)
    assert is_refused(await bench.refund(made, 1, "b" * 32))


@pytest.mark.gen_test
async def test_refund_of_more_than_came_in_is_refused(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    assert is_refused(await bench.refund(made, 1991))
    assert (await bench.look(made)).returns == ()


@pytest.mark.gen_test
async def test_refund_in_parts_or_refused_where_there_are_none(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid)
    parts = [await bench.refund(made, cents) for cents in (500, 490)]
    if not (bench.gateway.can_refund and bench.gateway.can_refund_parts):
        assert all(is_refused(part) for part in parts)
        return
    assert [part.amount_cents for part in parts] == [500, 490]
    assert sorted(returned.amount_cents for returned in (await bench.look(made)).returns) == [490, 500]


@pytest.mark.gen_test
async def test_refund_may_take_time(bench: Bench) -> None:
    if not bench.gateway.can_refund or bench.provider.refunds_at_once:
        pytest.skip("the provider refunds by its panel only, or at once: docs/gateways.md")
    made = await bench.create()
    bench.provider.pay(made.txid)
    bench.provider.refunds_take_time = True
    taken = await bench.refund(made, 1990)
    assert isinstance(taken, Refund) and not taken.is_settled
    assert not any(returned.is_settled for returned in (await bench.look(made)).returns)
    bench.provider.settle_refunds()
    (returned,) = (await bench.look(made)).returns
    assert returned.is_settled and returned.amount_cents == 1990


@pytest.mark.gen_test
async def test_fetch_tells_what_was_given_back_in_the_panel(bench: Bench) -> None:
    if ReturnKind.REFUND not in bench.provider.tells_returns:
        pytest.skip("the provider tells nobody: docs/gateways.md")
    made = await bench.create()
    bench.provider.pay(made.txid)
    (receipt,) = (await bench.look(made)).receipts
    bench.provider.give_back(made.txid, 1990)
    seen = await bench.look(made)
    (returned,) = seen.returns
    assert (returned.amount_cents, returned.kind) == (1990, ReturnKind.REFUND)
    assert (returned.end_to_end_id, seen.receipts) == (receipt.end_to_end_id, (receipt,))


@pytest.mark.gen_test
async def test_list_gives_the_charges_of_a_window(bench: Bench, clock: Clock) -> None:
    start = clock()
    first = await bench.create()
    clock.move(minutes=5)
    await bench.create()
    listed = await bench.gateway.list(bench.credentials, since=start, until=clock())
    if bench.gateway.can_list:
        assert isinstance(listed, tuple) and is_same(listed[0].charge, first)
        assert len(listed) == 1 or not bench.provider.tells_time
    else:
        assert is_refused(listed)
