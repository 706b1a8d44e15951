"""The sandbox's payment provider: charges, payments as often as asked, signed webhooks until taken, refunds."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import quote

import pytest

from grimbots.services import brcode
from grimbots.services.sandbox.events import sign
from grimbots.tests.services.sandbox.drivers import Driver, Webhook, ask, wait_until

TXID = "a1B2" * 8


def test_signature_is_an_hmac_over_time_and_body() -> None:
    expected = hmac.new(b"segredo", b"7.{}", hashlib.sha256).hexdigest()
    assert sign("segredo", b"{}", 7) == f"t=7,v1={expected}"


@pytest.mark.gen_test
async def test_charge_is_made_once(sandbox: Driver, webhook: Webhook) -> None:
    first, second = [await sandbox.put_charge(TXID, webhook.url) for _ in range(2)]
    assert (first.status, second.status) == (201, 200)
    assert first.json == second.json == (await sandbox.provider(TXID)).json
    assert first.json["status"] == "active"
    assert (first.json["created_at"], first.json["expires_at"]) == (
        "2026-03-02T12:00:00.000Z",
        "2026-03-02T12:10:00.000Z",
    )


@pytest.mark.gen_test
async def test_charge_has_a_dynamic_code_of_the_standard(sandbox: Driver, webhook: Webhook) -> None:
    code = (await sandbox.put_charge(TXID, webhook.url)).json["code"]
    read = brcode.parse(code)
    assert read.is_intact
    assert read.is_one_time
    assert read.url.endswith(TXID)
    assert read.amount_cents == 990
    assert len(code) <= 256  # it fits a copy button


@pytest.mark.gen_test
async def test_charge_of_another_key_is_not_there(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    assert (await sandbox.provider(TXID, api_key="other")).status == 404
    assert (await sandbox.put_charge(TXID, webhook.url, "other")).status == 409


@pytest.mark.gen_test
async def test_charge_with_another_amount_is_refused(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    assert (await sandbox.put_charge(TXID, webhook.url, amount_cents=1)).status == 409


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "changes",
    [
        {"amount_cents": 0},
        {"amount_cents": 9.9},
        {"amount_cents": True},
        {"expires_in_seconds": 0},
        {"notification_url": "nowhere"},
        {"webhook_secret": ""},
        {"description": None},
    ],
)
async def test_charge_with_bad_values_is_refused(sandbox: Driver, webhook: Webhook, changes: dict[str, Any]) -> None:
    assert (await sandbox.put_charge(TXID, webhook.url, **changes)).status == 400
    assert (await sandbox.face("pix")).json == []


@pytest.mark.gen_test
async def test_charge_needs_a_key_and_a_txid(sandbox: Driver, webhook: Webhook) -> None:
    assert (await sandbox.put_charge(TXID, webhook.url, api_key="")).status == 401
    assert (await sandbox.put_charge("short", webhook.url)).status == 400


@pytest.mark.gen_test
async def test_charge_expires(sandbox: Driver, webhook: Webhook, sandbox_clock: Any) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    sandbox_clock.now += 600
    assert (await sandbox.provider(TXID)).json["status"] == "expired"


@pytest.mark.gen_test
async def test_paying_three_times_posts_three_signed_events(
    sandbox: Driver, webhook: Webhook, sandbox_clock: Any
) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    charge = (await sandbox.face(f"pix/{TXID}/pay", "POST", {"times": 3})).json
    assert charge["status"] == "paid"
    deliveries = await webhook.wait(3)
    for delivery in deliveries:
        stamp, _, signature = delivery.headers["X-Sandbox-Signature"].partition(",v1=")
        signed = stamp.removeprefix("t=").encode() + b"." + delivery.body
        assert signature == hmac.new(b"segredo", signed, hashlib.sha256).hexdigest()
        assert stamp == f"t={int(sandbox_clock.now)}"
    assert {update["event"] for update in webhook.updates} == {"pix.received"}
    assert len({update["id"] for update in webhook.updates}) == 3
    paid = {item["end_to_end_id"]: item["amount_cents"] for item in (await sandbox.provider(TXID)).json["paid"]}
    assert paid == {update["end_to_end_id"]: 990 for update in webhook.updates}


@pytest.mark.gen_test
async def test_paying_another_amount_says_so(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    await sandbox.face(f"pix/{TXID}/pay", "POST", {"amount_cents": 1})
    await webhook.wait(1)
    assert webhook.updates[0]["amount_cents"] == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("body", [{"times": 0}, {"times": 21}, {"amount_cents": 0}, {"amount_cents": "990"}])
async def test_paying_nonsense_is_refused(sandbox: Driver, webhook: Webhook, body: dict[str, Any]) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    assert (await sandbox.face(f"pix/{TXID}/pay", "POST", body)).status == 400
    assert (await sandbox.provider(TXID)).json["paid"] == []


@pytest.mark.gen_test
async def test_event_comes_again_until_it_is_taken(sandbox: Driver, webhook: Webhook) -> None:
    webhook.answers.extend([(503, {}, b""), (200, {}, b"")])
    await sandbox.put_charge(TXID, webhook.url)
    await sandbox.face(f"pix/{TXID}/pay", "POST", {})
    await webhook.wait(2)
    assert webhook.updates[0] == webhook.updates[1]
    await wait_until(lambda: has_carried(sandbox))
    assert len(webhook.deliveries) == 2


async def has_carried(sandbox: Driver) -> bool:
    """Tell whether every event has arrived."""
    return sandbox.server.sandbox.store.find("SELECT 1 FROM parcels WHERE outcome IS NULL") is None


@pytest.mark.gen_test
async def test_list_shows_what_the_issue_names(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    [charge] = (await sandbox.face("pix")).json
    assert {"txid", "amount_cents", "status", "code", "created_at"} <= set(charge)


@pytest.mark.gen_test
async def test_provider_lists_a_window(sandbox: Driver, webhook: Webhook, sandbox_clock: Any) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    sandbox_clock.now += 3600
    await sandbox.put_charge("b" * 32, webhook.url)
    since, until = quote("2026-03-02T12:30:00+00:00"), quote("2026-03-02T14:00:00+00:00")
    url = f"{sandbox.server.url}/pix/v1/charges?since={since}&until={until}"
    listed = await ask(url, Authorization="Bearer key")
    assert [charge["txid"] for charge in listed.json["charges"]] == ["b" * 32]
    assert (await ask(url, Authorization="Bearer other")).json == {"charges": [], "has_more": False}
    assert (await ask(f"{url}&skip=1", Authorization="Bearer key")).json["charges"] == []
    assert (await ask(f"{url}&skip=-1", Authorization="Bearer key")).status == 400
    assert (await ask(f"{url}&skip={10**30}", Authorization="Bearer key")).status == 400
    assert (await ask(url.partition("?")[0], Authorization="Bearer key")).status == 400


@pytest.mark.gen_test
async def test_refund_happens_once_and_never_over_the_payment(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    paid = (await sandbox.face(f"pix/{TXID}/pay", "POST", {})).json["paid"][0]
    body = {"end_to_end_id": paid["end_to_end_id"], "amount_cents": 600}
    first, again = [await sandbox.provider(f"{TXID}/refunds/r1", "PUT", body) for _ in range(2)]
    assert first.json == again.json == {"id": "r1", "status": "done"} | body
    assert (await sandbox.provider(f"{TXID}/refunds/r2", "PUT", body)).status == 409
    assert (await sandbox.provider(f"{TXID}/refunds/r3", "PUT", body | {"amount_cents": 390})).status == 200
    assert (await sandbox.provider(f"{TXID}/refunds/r4", "PUT", body | {"end_to_end_id": "E0"})).status == 409


@pytest.mark.gen_test
async def test_refund_that_takes_time_and_dispute_are_told_of_until_they_end(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    paid = (await sandbox.face(f"pix/{TXID}/pay", "POST", {})).json["paid"][0]
    await sandbox.face(f"pix/{TXID}/refunds", "POST", {"mode": "pending"})
    body = {"end_to_end_id": paid["end_to_end_id"], "amount_cents": 600}
    assert (await sandbox.provider(f"{TXID}/refunds/r1", "PUT", body)).json["status"] == "pending"
    await sandbox.face("returns/r1/void", "POST", {})
    assert (await sandbox.provider(f"{TXID}/refunds/r1", "PUT", body)).status == 422
    returns = (await sandbox.face(f"pix/{TXID}/disputes", "POST", {})).json["returns"]
    assert {(one["kind"], one["status"]) for one in returns} == {("refund", "void"), ("dispute", "pending")}
    (opened,) = (one for one in returns if one["kind"] == "dispute")
    told = (await sandbox.face(f"returns/{opened['return_id']}/done", "POST", {})).json["returns"]
    ended = {(one["kind"], one["status"], one["amount_cents"]) for one in told}
    assert ended == {("refund", "void", 600), ("chargeback", "done", paid["amount_cents"])}
    assert (await sandbox.face(f"returns/{opened['return_id']}/void", "POST", {})).status == 409
