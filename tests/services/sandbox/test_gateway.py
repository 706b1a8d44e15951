"""The gateway `sandbox` on the sandbox that ships: both mean the same by a charge, a transfer and a signature."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from grimbots.conf.settings import load
from grimbots.services import brcode
from grimbots.services.clients.http import HttpClient
from grimbots.services.gateways.base import Charge, ChargeRequest, Event, Refund, Refusal, Snapshot, Verdict
from grimbots.services.gateways.sandbox import Sandbox
from grimbots.services.sandbox import charges
from grimbots.tests.services.sandbox.drivers import Driver, Webhook

CREDENTIALS = {"api_key": "key", "webhook_secret": "secret"}


@pytest.fixture
def gateway(http: HttpClient, sandbox: Driver) -> Sandbox:
    """Give the gateway, pointed at the running sandbox."""
    return Sandbox(http, load({"GRIMBOTS_SANDBOX": "1", "GRIMBOTS_SANDBOX_URL": sandbox.server.url}))


async def create(gateway: Sandbox, webhook: Webhook) -> Charge:
    """Make a charge that must be made."""
    made = await gateway.create(CREDENTIALS, ChargeRequest(uuid4().hex, 1990, "Curso", 600, webhook.url))
    assert isinstance(made, Charge)
    return made


def read_now(sandbox_clock: Any) -> datetime:
    """Return the sandbox's instant."""
    return datetime.fromtimestamp(sandbox_clock(), UTC)


@pytest.mark.gen_test
async def test_create_fetch_and_find_speak_of_one_charge(
    gateway: Sandbox, webhook: Webhook, sandbox_clock: Any
) -> None:
    made = await create(gateway, webhook)
    assert brcode.parse(made.code).amount_cents == 1990
    assert made.expires_at == read_now(sandbox_clock) + timedelta(seconds=600)
    assert await gateway.find(CREDENTIALS, made.txid) == Snapshot(made, ())
    assert await gateway.fetch(CREDENTIALS, txid=made.txid, provider_id=made.provider_id) == Snapshot(made, ())
    assert await gateway.find(CREDENTIALS, uuid4().hex) is None


@pytest.mark.gen_test
async def test_the_event_of_a_payment_is_verified_and_says_what_fetch_says(
    gateway: Sandbox, sandbox: Driver, webhook: Webhook, sandbox_clock: Any
) -> None:
    made = await create(gateway, webhook)
    await sandbox.face(f"pix/{made.txid}/pay", "POST", {"amount_cents": 2500})
    (delivery,) = await webhook.wait(1)
    headers = {name.lower(): value for name, value in delivery.headers.get_all()}
    event = Event("", "", headers, delivery.body)
    (hint,) = gateway.parse(event)
    seen = await gateway.fetch(CREDENTIALS, txid=made.txid, provider_id=made.provider_id)
    assert gateway.verify(CREDENTIALS, event, read_now(sandbox_clock)) is Verdict.YES
    assert isinstance(seen, Snapshot) and seen.receipts == (hint.receipt,) and seen.receipts[0].amount_cents == 2500


@pytest.mark.gen_test
async def test_list_and_refund_reach_the_payment(
    gateway: Sandbox, sandbox: Driver, webhook: Webhook, sandbox_clock: Any
) -> None:
    made, start = await create(gateway, webhook), read_now(sandbox_clock)
    await sandbox.face(f"pix/{made.txid}/pay", "POST", {})
    listed = await gateway.list(CREDENTIALS, since=start, until=start + timedelta(seconds=1))
    assert isinstance(listed, tuple) and len(listed) == 1
    (receipt,) = listed[0].receipts
    wanted = {"txid": made.txid, "end_to_end_id": receipt.end_to_end_id, "idempotency_key": uuid4().hex}
    given = await gateway.refund(CREDENTIALS, amount_cents=1990, **wanted)
    assert isinstance(given, Refund) and given.amount_cents == 1990 and given.is_settled


@pytest.mark.gen_test
@pytest.mark.parametrize("charges_made", [3, 4])
async def test_list_turns_every_page(
    gateway: Sandbox, webhook: Webhook, sandbox_clock: Any, monkeypatch: pytest.MonkeyPatch, charges_made: int
) -> None:
    monkeypatch.setattr(charges, "PAGE", 2)
    start = read_now(sandbox_clock)
    made = [(await create(gateway, webhook)).txid for _ in range(charges_made)]
    listed = await gateway.list(CREDENTIALS, since=start, until=start + timedelta(seconds=1))
    assert isinstance(listed, tuple) and sorted(each.charge.txid for each in listed) == sorted(made)


@pytest.mark.gen_test
async def test_a_refusal_says_why(gateway: Sandbox, webhook: Webhook) -> None:
    made = await create(gateway, webhook)
    again = await gateway.create(CREDENTIALS, ChargeRequest(made.txid, 5, "Curso", 600, webhook.url))
    assert isinstance(again, Refusal) and again.reason.startswith("sandbox answered 409: This txid ")
