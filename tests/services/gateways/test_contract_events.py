"""Events: which are believed, what they speak of, and that no forged one of ten thousand is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from grimbots.services.gateways.base import Charge, Event, Hint, ReturnKind, Verdict
from grimbots.tests.conftest import Clock
from grimbots.tests.services.gateways.benches import Bench


def read(bench: Bench, made: Charge, body: bytes) -> tuple[Verdict, Hint]:
    """Return what becomes of a genuine event: it must speak of this charge alone."""
    event = bench.receive(body)
    (hint,) = bench.gateway.parse(event)
    if hint.end_to_end_id is None:
        assert hint.txid == made.txid or hint.provider_id == made.provider_id
    return bench.gateway.verify(bench.credentials, event, bench.provider.clock()), hint


@pytest.mark.gen_test
async def test_a_genuine_event_is_believed_or_asked_about(bench: Bench) -> None:
    made = await bench.create()
    verdict, hint = read(bench, made, bench.provider.pay(made.txid))
    assert verdict is (Verdict.YES if bench.gateway.signs_events else Verdict.REQUERY)
    assert hint.receipt is None or hint.receipt in (await bench.look(made)).receipts


@pytest.mark.gen_test
async def test_an_event_may_have_fields_nobody_knows(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.adds_fields = True
    verdict, _ = read(bench, made, bench.provider.pay(made.txid))
    assert verdict is not Verdict.NO


def swap(body: bytes, made: Charge) -> bytes:
    """Return an event's body with other ids in the place of a charge's."""
    for id_ in (made.txid, made.provider_id):
        body = body.replace(id_.encode(), b"9" * len(id_))
    return body + b" "


@pytest.mark.gen_test
@pytest.mark.parametrize("forged", ["unsigned", "another's", "another body", "another query", "signs gone wrong"])
async def test_verify_believes_no_forged_event(bench: Bench, clock: Clock, forged: str) -> None:
    made = await bench.create()
    body = bench.provider.pay(made.txid)
    event = bench.receive(body)
    others = bench.provider.notify(body, bench.provider.credentials("another shop"))
    forgery = {
        "unsigned": replace(event, headers={}),
        "another's": others,
        "another body": replace(event, body=swap(body, made)),
        "another query": replace(event, query="id=1&data.id=1&type=payment", body=b"{}"),
        "signs gone wrong": replace(event, headers={name: value[:-9] for name, value in event.headers.items()}),
    }[forged]
    verdict, hints = bench.gateway.verify(bench.credentials, forgery, clock()), bench.gateway.parse(forgery)
    says_no_more = hints == bench.gateway.parse(event) and all(hint.receipt is None for hint in hints)
    assert (
        verdict is not Verdict.YES or says_no_more
    )  # what a signature leaves out may be changed where it says nothing


@pytest.mark.gen_test
async def test_no_empty_secret_opens_the_door(bench: Bench) -> None:
    made = await bench.create()
    body, nobody = bench.provider.pay(made.txid), dict.fromkeys(bench.credentials, "")
    event = replace(bench.receive(body), headers=dict.fromkeys(bench.receive(body).headers, ""))
    assert bench.gateway.verify(nobody, event, bench.provider.clock()) is not Verdict.YES


@pytest.mark.gen_test
async def test_play_money_pays_nothing(bench: Bench) -> None:
    made = await bench.create()
    body = bench.provider.pay_for_test(made.txid)
    if body is None:
        pytest.skip("the provider's test system is another one")
    event = bench.receive(body)
    verdict = bench.gateway.verify(bench.credentials, event, bench.provider.clock())
    assert verdict is not Verdict.YES or all(hint.receipt is None for hint in bench.gateway.parse(event))


@pytest.mark.gen_test
async def test_an_event_of_an_unknown_kind_or_status_moves_no_money(bench: Bench) -> None:
    made = await bench.create()
    for body in (bench.provider.set_status(made.txid, "quantum"), bench.provider.expire(made.txid)):
        if body:
            assert all(
                hint.receipt is None and hint.returned is None for hint in bench.gateway.parse(bench.receive(body))
            )


@pytest.mark.gen_test
@pytest.mark.parametrize("why", list(ReturnKind))
async def test_money_that_goes_back_is_told_of_the_receipt_it_came_by(bench: Bench, why: ReturnKind) -> None:
    if why not in bench.provider.tells_returns:
        pytest.skip("the provider tells nobody: docs/gateways.md")
    made = await bench.create()
    bench.provider.pay(made.txid)
    (receipt,) = (await bench.look(made)).receipts
    is_refund = why is ReturnKind.REFUND
    body = bench.provider.give_back(made.txid, 1990) if is_refund else bench.provider.dispute(made.txid, why)
    (returned,) = (await bench.look(made)).returns
    assert returned.end_to_end_id == receipt.end_to_end_id and 0 < returned.amount_cents <= receipt.amount_cents
    assert returned.kind is why and returned.is_settled == (why is not ReturnKind.DISPUTE)
    if body:
        _, hint = read(bench, made, body)
        assert hint.returned in (None, returned) and hint.end_to_end_id in (None, receipt.end_to_end_id)


@pytest.mark.gen_test
async def test_an_old_event_may_be_a_replay_but_never_gets_more_than_it_says(bench: Bench, clock: Clock) -> None:
    made = await bench.create()
    event = bench.receive(bench.provider.pay(made.txid))
    before = bench.gateway.parse(event)
    clock.move(days=20)
    assert bench.gateway.parse(event) == before


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


def list_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the way to every value within a JSON value."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, below in inner:
        yield from list_paths(below, (*path, name))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a JSON value with another at the end of a way."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


def mutate(draw: Any, body: bytes) -> bytes:
    """Return an event's body with something in it that is not as documented."""
    try:
        said = json.loads(body)
    except ValueError:
        cut = draw(st.integers(0, len(body)))
        return body[:cut] + draw(st.binary(max_size=9)) + body[cut + draw(st.integers(0, 9)) :]
    return json.dumps(put(said, draw(st.sampled_from(list(list_paths(said)))), draw(JSON))).encode()


@pytest.fixture
def genuine(bench: Bench, io_loop: Any) -> Event:
    """Give the event of a payment."""
    made = io_loop.run_sync(bench.create)
    return bench.receive(bench.provider.pay(made.txid))


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_verify_and_parse_never_raise(bench: Bench, genuine: Event, data: st.DataObject) -> None:
    body = data.draw(st.binary(max_size=60)) if data.draw(st.booleans()) else mutate(data.draw, genuine.body)
    headers = dict.fromkeys(genuine.headers, data.draw(st.text(max_size=90)))
    strange = Event(data.draw(st.text(max_size=9)), data.draw(st.text(max_size=30)), headers, body)
    verdict = bench.gateway.verify(bench.credentials, strange, bench.provider.clock())
    assert verdict is not Verdict.YES
    for event in (strange, replace(genuine, body=body)):
        assert all(isinstance(hint, Hint) for hint in bench.gateway.parse(event))
