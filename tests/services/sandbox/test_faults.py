"""Faults beyond the Bot API's calls: updates, the provider's calls, its events; odds; and what a fault may not say."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError

from grimbots.services.sandbox import faults
from grimbots.tests.services.sandbox.drivers import CHAT, Delivery, Driver, Webhook, wait_until

TXID = "a1B2" * 8


async def tell(sandbox: Driver, **wish: Any) -> None:
    """Tell the sandbox to make something go wrong."""
    reply = await sandbox.face("faults", "POST", wish)
    assert reply.status == 200, reply.body


async def pay(sandbox: Driver, **options: Any) -> Any:
    """Pay the charge and give it."""
    reply = await sandbox.face(f"pix/{TXID}/pay", "POST", options)
    assert reply.status == 200, reply.body
    return reply.json


def is_signed(delivery: Delivery, secret: str = "segredo") -> bool:
    """Tell whether an event carries the signature its receiver expects, whatever its age."""
    stamp, _, signature = delivery.headers.get("X-Sandbox-Signature", "").partition(",v1=")
    signed = stamp.removeprefix("t=").encode() + b"." + delivery.body
    return signature == hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


@pytest.mark.gen_test
async def test_fault_is_listed_as_it_was_told(sandbox: Driver) -> None:
    await tell(sandbox, on="events", txid=TXID, copies=3, says={"amount_cents": 1}, times=2, chance=0.5)
    [fault] = (await sandbox.face("faults")).json
    assert fault.pop("id") > 0
    told = {"on": "events", "txid": TXID, "copies": 3, "says": {"amount_cents": 1}, "times": 2, "chance": 0.5}
    assert fault == told


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "wish",
    [
        {"on": "moon", "http": 500},
        {"on": "events", "http": 500},
        {"on": "updates", "drop": True},
        {"on": "provider", "bot": "loja_bot", "http": 500},
        {"on": "calls", "copies": 2},
        {"on": "events", "copies": 21},
        {"on": "events", "signature": "nice"},
        {"on": "events", "says": [1]},
        {"on": "updates", "delay_seconds": -1},
        {"http": 500, "chance": 0},
        {"http": 500, "times": 0},
        {"http": 500, "times": True},
        {"execute": True},
    ],
)
async def test_fault_that_makes_no_sense_there_is_refused(sandbox: Driver, wish: dict[str, Any]) -> None:
    assert (await sandbox.face("faults", "POST", wish)).status == 400
    assert (await sandbox.face("faults")).json == []


@pytest.mark.gen_test
async def test_fault_strikes_by_chance(sandbox: Driver) -> None:
    await tell(sandbox, method="getMe", http=500, chance=0.5, times=1000)
    taken = [faults.take(sandbox.server.sandbox, "calls", bot="loja_bot", method="getMe").http for _ in range(200)]
    assert 50 < taken.count(500) < 150


@pytest.mark.gen_test
async def test_call_takes_effect_before_its_answer_waits(sandbox: Driver) -> None:
    await sandbox.say()
    await tell(sandbox, execute=True, delay_seconds=0.5)
    call = asyncio.create_task(sandbox.send("já chegou"))
    await wait_until(lambda: has_messages(sandbox, 2))
    assert not call.done()
    assert (await call)["text"] == "já chegou"


async def has_messages(sandbox: Driver, count: int) -> bool:
    """Tell whether the chat holds this many messages."""
    return len((await sandbox.chat("messages")).json) == count


@pytest.mark.gen_test
async def test_update_arrives_twice(served: Driver, webhook: Webhook) -> None:
    await tell(served, on="updates", method="message", chat_id=CHAT, copies=2)
    await served.say("1")
    await served.say("2")
    await webhook.wait(3)
    assert [update["message"]["text"] for update in webhook.updates] == ["1", "1", "2"]
    assert webhook.updates[0] == webhook.updates[1]


@pytest.mark.gen_test
async def test_update_is_lost(served: Driver, webhook: Webhook) -> None:
    await tell(served, on="updates", copies=0)
    await served.say("lost")
    await served.say("kept")
    [delivery] = await webhook.wait(1)
    assert delivery.update["message"]["text"] == "kept"


@pytest.mark.gen_test
async def test_late_update_holds_back_its_own_queue_only(served: Driver, webhook: Webhook, io_loop: Any) -> None:
    await tell(served, on="updates", chat_id=CHAT, delay_seconds=0.5)
    began = io_loop.time()
    await served.say("late")
    await served.say("behind it")
    await served.say("other", chat=77)
    await webhook.wait(3)
    assert [update["message"]["text"] for update in webhook.updates] == ["other", "late", "behind it"]
    assert io_loop.time() - began > 0.4


@pytest.mark.gen_test
async def test_create_is_refused(sandbox: Driver, webhook: Webhook) -> None:
    await tell(sandbox, on="provider", method="create", http=503, description="Manutenção")
    reply = await sandbox.put_charge(TXID, webhook.url)
    assert (reply.status, reply.json) == (503, {"error": {"code": "fault", "message": "Manutenção"}})
    assert (await sandbox.face("pix")).json == []
    assert (await sandbox.put_charge(TXID, webhook.url)).status == 201


@pytest.mark.gen_test
@pytest.mark.parametrize("execute", [False, True])
async def test_create_without_an_answer_takes_effect_or_not(sandbox: Driver, webhook: Webhook, execute: bool) -> None:
    await tell(sandbox, on="provider", method="create", drop=True, execute=execute)
    with pytest.raises(HTTPStreamClosedError):
        await sandbox.put_charge(TXID, webhook.url)
    assert (await sandbox.provider(TXID)).status == (200 if execute else 404)


@pytest.mark.gen_test
async def test_event_arrives_before_the_answer_of_create(sandbox: Driver, webhook: Webhook) -> None:
    await tell(sandbox, on="provider", method="create", execute=True, delay_seconds=0.5)
    creating = asyncio.create_task(sandbox.put_charge(TXID, webhook.url))
    await wait_until(lambda: has_charge(sandbox))
    await pay(sandbox)
    await webhook.wait(1)
    assert not creating.done()
    assert (await creating).status == 201


async def has_charge(sandbox: Driver) -> Any:
    """Give the charges there are."""
    return (await sandbox.face("pix")).json


@pytest.mark.gen_test
async def test_provider_is_slow_for_one_charge(sandbox: Driver, webhook: Webhook, io_loop: Any) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    await sandbox.put_charge("b" * 32, webhook.url)
    await tell(sandbox, on="provider", method="fetch", txid=TXID, delay_seconds=0.4)
    began = io_loop.time()
    assert (await sandbox.provider("b" * 32)).status == 200
    assert io_loop.time() - began < 0.3
    assert (await sandbox.provider(TXID)).status == 200
    assert io_loop.time() - began > 0.35


@pytest.mark.gen_test
@pytest.mark.parametrize("execute", [False, True])
async def test_answer_comes_too_late_for_who_asked(sandbox: Driver, webhook: Webhook, execute: bool) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    await tell(sandbox, on="provider", method="fetch", delay_seconds=0.4, execute=execute)
    request = HTTPRequest(
        f"{sandbox.server.url}/pix/v1/charges/{TXID}", headers={"Authorization": "Bearer key"}, request_timeout=0.1
    )
    with pytest.raises(HTTPTimeoutError):
        await AsyncHTTPClient().fetch(request)
    await asyncio.sleep(0.5)  # nothing goes wrong when it is written all the same: an ERROR line would fail this test
    assert (await sandbox.provider(TXID)).status == 200


@pytest.mark.gen_test
async def test_event_arrives_as_often_as_told_under_one_id(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    await tell(sandbox, on="events", txid=TXID, copies=3)
    charge = await pay(sandbox)
    await webhook.wait(3)
    assert len(charge["paid"]) == 1
    assert len({update["id"] for update in webhook.updates}) == 1
    assert all(map(is_signed, webhook.deliveries))


@pytest.mark.gen_test
async def test_event_never_comes(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    charge = await pay(sandbox, copies=0)
    assert charge["status"] == "paid"
    assert sandbox.server.sandbox.store.find("SELECT 1 FROM parcels") is None


@pytest.mark.gen_test
async def test_event_comes_late(sandbox: Driver, webhook: Webhook, io_loop: Any) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    began = io_loop.time()
    await pay(sandbox, delay_seconds=0.5)
    assert (await sandbox.provider(TXID)).json["status"] == "paid"
    await webhook.wait(1)
    assert io_loop.time() - began > 0.4


@pytest.mark.gen_test
async def test_event_claims_another_amount_than_was_paid(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    charge = await pay(sandbox, says={"amount_cents": 1, "txid": "c" * 32})
    [delivery] = await webhook.wait(1)
    assert (delivery.update["amount_cents"], delivery.update["txid"]) == (1, "c" * 32)
    assert charge["paid"][0]["amount_cents"] == 990
    assert is_signed(delivery)


@pytest.mark.gen_test
@pytest.mark.parametrize("signature", ["wrong", "missing", "old", "right"])
async def test_event_is_signed_as_told(sandbox: Driver, webhook: Webhook, sandbox_clock: Any, signature: str) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    await pay(sandbox, signature=signature)
    [delivery] = await webhook.wait(1)
    header = delivery.headers.get("X-Sandbox-Signature", "")
    assert bool(header) == (signature != "missing")
    assert is_signed(delivery) == (signature in {"right", "old"})
    is_fresh = header.startswith(f"t={int(sandbox_clock.now)},")
    assert is_fresh == (signature in {"right", "wrong"})


@pytest.mark.gen_test
async def test_forged_payment_moves_no_money(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    charge = await pay(sandbox, forged=True)
    assert (charge["status"], charge["paid"]) == ("active", [])
    [delivery] = await webhook.wait(1)
    assert delivery.update["txid"] == TXID
    assert not is_signed(delivery)


@pytest.mark.gen_test
async def test_options_of_a_payment_go_before_a_fault(sandbox: Driver, webhook: Webhook) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    await tell(sandbox, on="events", signature="missing", copies=2)
    await pay(sandbox, copies=1)
    [delivery] = await webhook.wait(1)
    assert "X-Sandbox-Signature" not in delivery.headers


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "options", [{"copies": -1}, {"signature": "x"}, {"says": "x"}, {"delay_seconds": "1"}, {"forged": 1}]
)
async def test_payment_told_of_in_nonsense_is_refused(
    sandbox: Driver, webhook: Webhook, options: dict[str, Any]
) -> None:
    await sandbox.put_charge(TXID, webhook.url)
    assert (await sandbox.face(f"pix/{TXID}/pay", "POST", options)).status == 400
    assert (await sandbox.provider(TXID)).json["paid"] == []
