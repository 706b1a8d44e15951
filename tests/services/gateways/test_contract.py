"""The contract of services/gateways/base.py, kept by every gateway there is, each against a fake of its provider."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from grimbots.conf.settings import Settings
from grimbots.services.clients.http import Ambiguous, HttpClient, NeverSent
from grimbots.services.gateways.base import (
    Charge,
    ChargeRequest,
    Event,
    Gateway,
    Refund,
    Refusal,
    Snapshot,
    Undecided,
    Verdict,
)
from grimbots.services.gateways.scan import find_gateways, offered_gateways
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import FakeProvider

FAKES = {"sandbox": FakeProvider}
"""By the gateway's name: what starts, stops, fails and pays as FakeProvider does, and signs events."""


@dataclass(frozen=True)
class Bench:
    """A gateway, credentials its fake provider accepts, and that provider."""

    gateway: Gateway
    credentials: dict[str, str]
    provider: FakeProvider

    async def create(self, key: str = "", amount_cents: int = 1990) -> Charge:
        """Make a charge that must be made."""
        made = await self.gateway.create(self.credentials, ask(key or uuid4().hex, amount_cents))
        assert isinstance(made, Charge)
        return made

    def receive(self, body: bytes, headers: dict[str, str]) -> Event:
        """Return an event as handlers hand it over."""
        return Event("", "", {name.lower(): value for name, value in headers.items()}, body)


def ask(key: str, amount_cents: int = 1990) -> ChargeRequest:
    """Return a request for a charge of ten minutes."""
    return ChargeRequest(key, amount_cents, "Curso", 600, "https://bots.example.com/webhook/payment/x/key")


@pytest.fixture(params=sorted(find_gateways()))
def kind(request: pytest.FixtureRequest) -> type[Gateway]:
    """Give each gateway of the folder."""
    return find_gateways()[request.param]


@pytest.fixture
def bench(kind: type[Gateway], io_loop: Any, http: HttpClient, settings: Settings, clock: Clock) -> Iterator[Bench]:
    """Give the gateway over its listening fake provider."""
    provider = FAKES[kind.name](clock)
    io_loop.run_sync(provider.start)
    at_provider = replace(settings, sandbox=True, sandbox_url=provider.url)
    yield Bench(kind(http, at_provider), {field.name: f"value of {field.name}" for field in kind.fields}, provider)
    io_loop.run_sync(provider.stop)


def test_every_gateway_describes_itself(kind: type[Gateway]) -> None:
    assert re.fullmatch(r"[a-z0-9_]{1,32}", kind.name) and Path(inspect.getfile(kind)).stem == kind.name
    assert kind.label and kind.fields
    assert len({field.name for field in kind.fields}) == len(kind.fields)
    assert all(field.name.isidentifier() and field.label and field.help for field in kind.fields)
    assert all(name == name.lower() for name in kind.kept_headers)


def test_offered_gateways_leaves_the_sandbox_out_of_a_deployment(settings: Settings) -> None:
    assert "sandbox" not in offered_gateways(settings)
    assert "sandbox" in offered_gateways(replace(settings, sandbox=True))


@pytest.mark.gen_test
async def test_create_gives_a_code_every_id_and_an_expiry(bench: Bench, clock: Clock) -> None:
    made = await bench.create(amount_cents=1234)
    assert made.code and made.txid and made.provider_id
    assert made.amount_cents == 1234
    assert made.expires_at - clock() == timedelta(seconds=600)


@pytest.mark.gen_test
async def test_create_with_the_same_key_gives_the_same_charge(bench: Bench) -> None:
    key = uuid4().hex
    assert await bench.create(key) == await bench.create(key)
    assert len(bench.provider.charges) == 1


@pytest.mark.gen_test
async def test_create_with_wrong_credentials_is_refused_as_a_value(bench: Bench) -> None:
    nobody = dict.fromkeys(bench.credentials, "")
    assert isinstance(await bench.gateway.create(nobody, ask(uuid4().hex)), Refusal)


@pytest.mark.gen_test
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_create_decides_nothing_when_the_provider_is_busy(bench: Bench, status: int) -> None:
    bench.provider.fail("PUT", http=status)
    with pytest.raises(Undecided):
        await bench.create()


@pytest.mark.gen_test
async def test_create_cut_after_the_call_is_ambiguous_and_found_by_its_key(bench: Bench) -> None:
    key = uuid4().hex
    bench.provider.fail("PUT", times=2, drop="after")  # the HTTP client repeats a PUT once by itself
    with pytest.raises(Ambiguous):
        await bench.create(key)
    found = await bench.gateway.find(bench.credentials, key)
    assert isinstance(found, Snapshot) and found.charge == await bench.create(key)


@pytest.mark.gen_test
async def test_create_with_nobody_there_was_never_sent(bench: Bench) -> None:
    await bench.provider.stop()
    with pytest.raises(NeverSent):
        await bench.create()


@pytest.mark.gen_test
async def test_find_knows_surely_that_there_is_no_charge(bench: Bench) -> None:
    assert await bench.gateway.find(bench.credentials, uuid4().hex) is None


@pytest.mark.gen_test
async def test_fetch_tells_every_transfer_in_cents(bench: Bench, clock: Clock) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid, 1990, "E1")
    bench.provider.pay(made.txid, 5, "E2")
    seen = await bench.gateway.fetch(bench.credentials, txid=made.txid, provider_id=made.provider_id)
    assert isinstance(seen, Snapshot) and seen.charge == made
    assert [(r.end_to_end_id, r.amount_cents, r.at) for r in seen.receipts] == [
        ("E1", 1990, clock()),
        ("E2", 5, clock()),
    ]


@pytest.mark.gen_test
async def test_fetch_does_not_reach_a_charge_of_other_credentials(bench: Bench) -> None:
    made = await bench.create()
    others = {name: f"other {value}" for name, value in bench.credentials.items()}
    assert isinstance(await bench.gateway.fetch(others, txid=made.txid, provider_id=made.provider_id), Refusal)


@pytest.mark.gen_test
async def test_refund_gives_back_once_per_key_and_never_more_than_came_in(bench: Bench) -> None:
    made = await bench.create()
    bench.provider.pay(made.txid, 1990, "E1")
    given = {"txid": made.txid, "end_to_end_id": "E1", "idempotency_key": "r1"}
    first = await bench.gateway.refund(bench.credentials, amount_cents=1990, **given)
    assert first == await bench.gateway.refund(bench.credentials, amount_cents=1990, **given)
    assert isinstance(first, Refund) and first.amount_cents == 1990 and len(bench.provider.refunds) == 1
    assert isinstance(await bench.gateway.refund(bench.credentials, amount_cents=1991, **given), Refusal)


@pytest.mark.gen_test
async def test_list_gives_the_charges_of_a_window(bench: Bench, clock: Clock) -> None:
    start = clock()
    first = await bench.create()
    clock.move(minutes=5)
    await bench.create()
    listed = await bench.gateway.list(bench.credentials, since=start, until=clock())
    assert isinstance(listed, tuple) and [snapshot.charge for snapshot in listed] == [first]


@pytest.mark.gen_test
async def test_verify_and_parse_a_genuine_event(bench: Bench, clock: Clock) -> None:
    made = await bench.create()
    body = bench.provider.pay(made.txid, 1990, "E1")
    event = bench.receive(body, bench.provider.sign(body, bench.credentials["webhook_secret"]))
    (hint,) = bench.gateway.parse(event)
    assert bench.gateway.verify(bench.credentials, event, clock()) is Verdict.YES
    assert hint.txid == made.txid and hint.receipt is not None and hint.receipt.amount_cents == 1990


@pytest.mark.parametrize("forged", ["no signature", "another secret", "another body", "another moment"])
def test_verify_believes_no_forged_event(bench: Bench, clock: Clock, forged: str) -> None:
    secret = "guessed" if forged == "another secret" else bench.credentials["webhook_secret"]
    headers = {} if forged == "no signature" else bench.provider.sign(b"{}", secret)
    if forged == "another moment":
        headers = {name: value.replace("t=", "t=1") for name, value in headers.items()}
    event = bench.receive(b'{"a":1}' if forged == "another body" else b"{}", headers)
    assert bench.gateway.verify(bench.credentials, event, clock()) is not Verdict.YES


def test_verify_asks_again_for_an_old_event(bench: Bench, clock: Clock) -> None:
    event = bench.receive(b"{}", bench.provider.sign(b"{}", bench.credentials["webhook_secret"]))
    clock.move(days=2)
    assert bench.gateway.verify(bench.credentials, event, clock()) is Verdict.REQUERY


def write_json(value: Any) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value).encode()


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
JSON = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
KEYS = st.sampled_from(["event", "id", "txid", "end_to_end_id", "amount_cents", "at", "pix"])


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    body=st.binary(max_size=60) | st.dictionaries(KEYS, JSON | st.just("pix.received")).map(write_json),
    header=st.text(max_size=90),
)
def test_verify_and_parse_never_raise(bench: Bench, body: bytes, header: str) -> None:
    event = Event("", "", dict.fromkeys(bench.gateway.kept_headers, header), body)
    assert bench.gateway.verify(bench.credentials, event, bench.provider.clock()) is not Verdict.YES
    assert isinstance(bench.gateway.parse(event), tuple)
