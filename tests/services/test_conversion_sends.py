"""Conversion sends: every event arrives once by its id, whatever dies, is away, refuses or lies meanwhile."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from grimbots.conf import metrics
from grimbots.services import alarms, conversion_destinations, conversion_events, conversion_sends, retention
from grimbots.services.conversion_sends import find_pause
from grimbots.services.funnels import versions
from grimbots.tests.conftest import Clock
from grimbots.tests.services import returning
from grimbots.tests.services.reporters import ADDRESS, BROWSER, CREDENTIALS, Reporter
from grimbots.tests.services.shops import FUNNEL, PRICE_CENTS
from grimbots.tests.services.workers import work

Query = Callable[..., list[Any]]
TRANSIENT = (500, {"error": {"code": 2, "is_transient": True, "message": "later"}})


async def sell(reporter: Reporter, count: int) -> None:
    """Sell something to so many leads who came by themselves."""
    for place in range(count):
        await reporter.pay(600 + place)


def list_statuses(query: Query) -> Counter[str]:
    return Counter(status for (status,) in query("SELECT status FROM conversions"))


@pytest.mark.gen_test
async def test_a_sale_by_a_click_is_told_with_the_clicks_context(reporter: Reporter, networks: Any) -> None:
    await reporter.connect("meta")
    token = await reporter.click(fbclid="IwAR1", utm_source="ig")
    await reporter.start(token)
    payment = await reporter.pay()
    await reporter.send()
    told = {one["event_name"]: one for one in networks["meta"].taken}
    assert list(told) == ["PageView", "ViewContent", "InitiateCheckout", "Purchase"]
    assert {one["action_source"] for one in told.values()} == {"website"}
    assert {one["event_source_url"] for one in told.values()} == {f"https://bots.example.com/go/{reporter.slug}"}
    user = told["Purchase"]["user_data"]
    assert (user["client_ip_address"], user["client_user_agent"]) == (ADDRESS, BROWSER)
    assert user["fbc"].endswith(".IwAR1")
    assert "fbp" not in user  # the browser had none
    assert user["external_id"] == told["ViewContent"]["user_data"]["external_id"]
    assert told["Purchase"]["event_id"] == f"purchase_{payment.idempotency_key}"
    assert told["Purchase"]["custom_data"] == {
        "currency": "BRL",
        "value": 19.9,
        "order_id": payment.idempotency_key,
        "content_type": "product",
        "contents": [{"id": "offer", "quantity": 1, "item_price": 19.9}],
    }
    assert networks["meta"].calls == 1  # one batch


@pytest.mark.gen_test
async def test_a_sale_without_a_click_is_one_in_a_chat(reporter: Reporter, networks: Any) -> None:
    await reporter.connect("meta", events=["Purchase"])
    await reporter.pay()
    await reporter.send()
    (told,) = networks["meta"].taken
    assert told["action_source"] == "chat"
    assert list(told["user_data"]) == ["external_id"]
    assert "event_source_url" not in told


@pytest.mark.gen_test
async def test_a_click_without_a_browsers_name_is_no_website(reporter: Reporter, networks: Any) -> None:
    await reporter.connect("meta", events=["PageView"])
    await reporter.click(user_agent="")
    await reporter.send()
    assert [told["action_source"] for told in networks["meta"].taken] == ["chat"]


@pytest.mark.gen_test
async def test_every_network_takes_a_sale_of_its_own_click(reporter: Reporter, networks: Any) -> None:
    for name in networks:
        await reporter.connect(name)
    token = await reporter.click(fbclid="f", ttclid="t", gclid="g", click_id="k", utm_source="FB", utm_campaign="C|1")
    await reporter.start(token)
    payment = await reporter.pay()
    await reporter.send()
    assert list_statuses(reporter.query) == {"sent": len(reporter.list_rows())}
    purchase = f"purchase_{payment.idempotency_key}"
    assert [told["transactionId"] for told in networks["google"].taken] == [purchase]
    assert networks["google"].taken[0]["adIdentifiers"] == {"gclid": "g"}
    assert [told["event"] for told in networks["tiktok"].taken] == [
        "ViewContent",
        "InitiateCheckout",
        "CompletePayment",
    ]
    assert networks["tiktok"].taken[2]["user"]["ttclid"] == "t"
    assert [told["event_name"] for told in networks["kwai"].taken][-1] == "EVENT_PURCHASE"
    assert [told["status"] for told in networks["utmify"].taken] == ["waiting_payment", "paid"]
    assert networks["utmify"].taken[1]["trackingParameters"]["utm_campaign"] == "C|1"
    assert networks["webhook"].taken[-1]["payment"]["amount_cents"] == PRICE_CENTS


@pytest.mark.gen_test
async def test_utmify_hears_of_the_fee_of_the_transfer_that_paid(reporter: Reporter, networks: Any) -> None:
    await reporter.connect("utmify", events=["InitiateCheckout", "Purchase"])
    payment = await returning.sell(reporter.shop, fee_cents=99)
    await returning.receive(reporter.shop, payment, "E2", fee_cents=77)  # a second one, to be given back
    await reporter.send()
    assert [told["commission"]["gatewayFeeInCents"] for told in networks["utmify"].taken] == [99, 99]
    assert networks["utmify"].taken[1]["commission"]["userCommissionInCents"] == PRICE_CENTS - 99


@pytest.mark.gen_test
async def test_what_a_network_can_do_nothing_with_is_not_sent(reporter: Reporter, networks: Any, query: Query) -> None:
    for name in ("google", "kwai", "tiktok"):
        await reporter.connect(name, events=["Purchase"])
    await reporter.pay()
    await reporter.send()
    assert query("SELECT status, answer FROM conversions ORDER BY answer") == [
        ("skipped", "it came by no click"),
        ("skipped", "it came by no click of Google's, and the buyer told neither e-mail nor telephone"),
        ("skipped", "its link carried no click_id of Kwai's"),
    ]
    assert [networks[name].calls for name in ("google", "kwai", "tiktok")] == [0, 0, 0]


@pytest.mark.gen_test
async def test_what_the_buyer_told_the_bot_is_hashed_and_nothing_else(
    reporter: Reporter, networks: Any, query: Query
) -> None:
    await reporter.connect("meta", events=["Purchase"])
    await reporter.connect("google")
    questions = [
        {"id": name, "kind": "question", "text": "?", "variable": name, "answer": name, "next": "offer"}
        for name in ("email", "phone", "cpf")
    ]
    asking = {**FUNNEL, "name": "asks", "start": "email", "steps": [*questions, *FUNNEL["steps"]]}  # type: ignore[misc]
    asking["steps"][0]["next"], asking["steps"][1]["next"] = "phone", "cpf"  # type: ignore[index]
    asks = await versions.publish(reporter.app, reporter.shop.tenant.account_id, asking, {}, actor="test")
    await reporter.pay()
    answers = {"email": "ana@example.com", "phone": "+5511987654321", "cpf": "529.982.247-25"}
    query(
        "UPDATE leads SET version_id = %s, state = jsonb_set(state, '{answers}', %s::jsonb)",
        asks.version_id,
        json.dumps(answers),
    )
    await reporter.send()
    (told,) = networks["meta"].taken
    assert sorted(told["user_data"]) == ["em", "external_id", "ph"]
    assert len(networks["google"].taken[0]["userData"]["userIdentifiers"]) == 2
    kept = json.dumps(query("SELECT sent, answer FROM conversions"))
    for value in (*answers.values(), told["user_data"]["em"][0], "Ana"):
        assert value not in json.dumps(told["custom_data"])
        assert value not in kept


@pytest.mark.gen_test
async def test_a_process_that_dies_behind_the_answer_tells_it_again_by_the_same_id(
    reporter: Reporter, networks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reporter.connect("meta", events=["Purchase"])
    await sell(reporter, 3)

    class Killed(BaseException):
        pass

    async def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(conversion_sends._Round, "_end", die)
        with pytest.raises(Killed):
            await reporter.send()
    assert list_statuses(reporter.query) == {"planned": 3}
    assert await reporter.send(seconds=5) == 0  # its claim still holds
    assert await reporter.send(seconds=conversion_sends.CLAIM.total_seconds()) == 1
    assert list_statuses(reporter.query) == {"sent": 3}
    assert len(networks["meta"].ids) == 3
    assert sorted(networks["meta"].repeats) == sorted(networks["meta"].ids)  # at most twice, each by its own id


@pytest.mark.gen_test
@pytest.mark.parametrize("drop", ["before", "after"])
async def test_a_lost_answer_is_one_event_at_the_receiver(reporter: Reporter, networks: Any, drop: str) -> None:
    await reporter.connect("meta", events=["Purchase"])
    await sell(reporter, 2)
    networks["meta"].fail(drop=drop)
    await reporter.send()
    assert list_statuses(reporter.query) == {"planned": 2}
    await reporter.send(seconds=15)
    assert list_statuses(reporter.query) == {"sent": 2}
    assert len(networks["meta"].ids) == 2
    assert len(networks["meta"].repeats) == (2 if drop == "after" else 0)


@pytest.mark.gen_test
async def test_what_knows_no_repeats_is_told_nothing_twice(reporter: Reporter, networks: Any, query: Query) -> None:
    await reporter.connect("kwai", events=["Purchase"])
    await reporter.start(await reporter.click(click_id="k"))
    await reporter.pay()
    networks["kwai"].fail(drop="after")
    await reporter.send()
    await reporter.send(seconds=15)
    assert len(networks["kwai"].taken) == 1
    assert query("SELECT status, is_doubtful FROM conversions") == [("uncertain", True)]


@pytest.mark.gen_test
async def test_a_round_begun_anew_makes_the_old_one_idle(reporter: Reporter, networks: Any, query: Query) -> None:
    destination_id = await reporter.connect("meta")
    await reporter.pay()
    await reporter.send()
    await reporter.pay(update_id=78)
    reporter.clock.move(seconds=5)
    account_id = reporter.shop.tenant.account_id
    calls = networks["meta"].calls
    await conversion_sends.send(reporter.app, account_id=account_id, destination_id=destination_id, number=0)
    assert networks["meta"].calls == calls


@pytest.mark.gen_test
async def test_a_network_away_for_hours_is_told_all_of_it_when_it_is_back(
    reporter: Reporter, networks: Any, clock: Clock
) -> None:
    await reporter.connect("meta", events=["Purchase"])
    networks["meta"].fail(times=10**6, reply=TRANSIENT)
    began = clock()
    for place in range(40):
        if place < 6:
            await reporter.pay(700 + place)
        await reporter.send(minutes=10)
    assert clock() - began > timedelta(hours=6)
    assert networks["meta"].calls < 40  # it is left alone between
    networks["meta"].faults.clear()
    await reporter.send(minutes=16)
    assert list_statuses(reporter.query) == {"sent": 6}
    assert networks["meta"].repeats == []


def test_pauses_grow_to_a_quarter_of_an_hour() -> None:
    seconds = [find_pause(failures).total_seconds() for failures in range(12)]
    assert seconds[:5] == [0, 10, 20, 40, 80]
    assert seconds[-1] == find_pause(10**6).total_seconds() == 900


@pytest.mark.gen_test
@pytest.mark.parametrize("count", [1, 2, 7])
async def test_a_bad_event_is_found_and_spoils_no_other(
    reporter: Reporter, networks: Any, query: Query, count: int
) -> None:
    await reporter.connect("meta", events=["Purchase"])
    await sell(reporter, count)
    ((key, conversion_id),) = query("SELECT event_key, id FROM conversions ORDER BY id DESC LIMIT 1")
    networks["meta"].is_bad = lambda told: told["event_id"] == key
    await reporter.send()
    while list_statuses(query)["planned"]:
        await reporter.send()
    assert query("SELECT id FROM conversions WHERE status = 'refused'") == [(conversion_id,)]
    assert list_statuses(query)["sent"] == count - 1
    assert networks["meta"].repeats == []
    ((answer,),) = query("SELECT answer FROM conversions WHERE status = 'refused'")
    assert "code 100, subcode 2804003" in answer


@pytest.mark.gen_test
async def test_many_bad_events_end_over_several_rounds(
    reporter: Reporter, networks: Any, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion_sends, "MOST_CALLS", 5)
    await reporter.connect("tiktok", events=["InitiateCheckout"])
    for place in range(6):
        await reporter.start(await reporter.click(ttclid="t"), 800 + place)
        await reporter.shop.charge(800 + place)
    networks["tiktok"].is_bad = lambda told: True
    for _ in range(30):
        await reporter.send()
    assert list_statuses(query) == {"refused": 6}


@pytest.mark.gen_test
async def test_a_dead_token_pauses_the_destination_and_its_seller_is_told(
    reporter: Reporter, networks: Any, query: Query, clock: Clock, fake_telegram: Any
) -> None:
    account_id = reporter.shop.tenant.account_id
    query("UPDATE bots SET storage_chat_id = 5")
    await reporter.connect("meta", events=["Purchase"], credentials={**CREDENTIALS["meta"], "access_token": "old"})
    await sell(reporter, 2)
    await reporter.send()
    calls = networks["meta"].calls
    await reporter.pay(update_id=79)  # is kept meanwhile
    assert await reporter.send() == 0
    assert networks["meta"].calls == calls == 1
    (paused,) = await conversion_destinations.list_paused(reporter.app, account_id)
    assert paused.reason.startswith("code 190, subcode 463")
    assert query("SELECT kind FROM alarms") == [("unreported",)]
    assert await alarms.tell_due(reporter.app) == 1
    await conversion_destinations.resume(reporter.app, account_id, paused.id, "test", CREDENTIALS["meta"])
    await reporter.send()
    assert list_statuses(query) == {"sent": 3}


@pytest.mark.gen_test
async def test_one_accounts_dead_token_is_not_anothers(reporters: list[Reporter], networks: Any, query: Query) -> None:
    await reporters[0].connect("meta", events=["Purchase"], credentials={"pixel_id": "1234567890", "access_token": "x"})
    await reporters[1].connect("meta", events=["Purchase"])
    for reporter in reporters:
        await reporter.pay()
    await reporters[0].send()
    statuses = query("SELECT account_id, status FROM conversions ORDER BY account_id")
    own, other = (reporter.shop.tenant.account_id for reporter in reporters)
    assert statuses == [(own, "planned"), (other, "sent")]
    assert query("SELECT account_id FROM conversion_destinations WHERE status = 'paused'") == [(own,)]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("error", "status", "paused"),
    [
        ({"code": 613}, "planned", False),
        ({"code": 200}, "planned", True),
        ({"code": 100, "error_subcode": 2804050}, "refused", False),
    ],
)
async def test_metas_errors_wait_pause_or_refuse(
    reporter: Reporter, networks: Any, query: Query, error: dict[str, Any], status: str, paused: bool
) -> None:
    await reporter.connect("meta", events=["Purchase"])
    await reporter.pay()
    networks["meta"].fail(reply=(400, {"error": {"message": "m", **error}}))
    await reporter.send()
    assert reporter.list_rows() == [("Purchase", status)]
    assert query("SELECT status = 'paused' FROM conversion_destinations") == [(paused,)]


@pytest.mark.gen_test
@pytest.mark.parametrize("reply", [(200, {"events_received": 0}), (502, "<html>"), (200, {})])
async def test_an_answer_that_is_none_is_not_believed(reporter: Reporter, networks: Any, reply: Any) -> None:
    await reporter.connect("meta", events=["Purchase"])
    await reporter.pay()
    networks["meta"].fail(reply=reply)
    await reporter.send()
    assert reporter.list_rows() != [("Purchase", "sent")]


@pytest.mark.gen_test
@pytest.mark.parametrize("name", ["utmify", "tiktok", "google", "kwai", "webhook"])
async def test_what_others_refuse_for_their_credentials_pauses_them(
    reporter: Reporter, networks: Any, query: Query, name: str
) -> None:
    await reporter.connect(name, events=["Purchase"])
    networks[name].token = "another"
    if name == "webhook":
        networks[name].fail(reply=(410, {}))
    await reporter.start(await reporter.click(gclid="g", ttclid="t", click_id="k"))
    await reporter.pay()
    await reporter.send()
    assert query("SELECT status FROM conversion_destinations") == [("paused",)]
    assert reporter.list_rows() == [("Purchase", "planned")]


@pytest.mark.gen_test
async def test_orders_of_utmify_keep_their_order_and_their_date(reporter: Reporter, networks: Any) -> None:
    await reporter.connect("utmify")
    payment = await reporter.shop.charge()
    networks["utmify"].fail(times=1, reply=(503, {}))
    await reporter.send()
    await reporter.settle(payment)
    await reporter.send(seconds=30)
    orders = networks["utmify"].taken
    assert [order["status"] for order in orders] == ["waiting_payment", "paid"]
    assert {order["orderId"] for order in orders} == {payment.idempotency_key}
    assert len({order["createdAt"] for order in orders}) == 1
    assert orders[1]["customer"]["email"] == "sem-email@loja.example"
    assert (orders[1]["customer"]["phone"], orders[1]["customer"]["document"]) == (None, None)
    assert orders[1]["commission"]["userCommissionInCents"] == PRICE_CENTS


@pytest.mark.gen_test
async def test_what_is_too_old_expires_and_is_never_sent(
    reporter: Reporter, networks: Any, clock: Clock, query: Query
) -> None:
    await reporter.connect("meta", events=["Purchase"])
    networks["meta"].fail(times=10**6, reply=TRANSIENT)
    await reporter.pay()
    await reporter.send()
    clock.move(days=7)
    networks["meta"].faults.clear()
    await reporter.pay(update_id=80)
    await reporter.send()
    await conversion_events.expire_old(reporter.app)
    assert [status for _, status in reporter.list_rows()] == ["expired", "sent"]
    assert len(networks["meta"].taken) == 1


@pytest.mark.gen_test
async def test_a_sellers_server_inside_is_never_dialled(reporter: Reporter, networks: Any, query: Query) -> None:
    from dataclasses import replace

    await reporter.connect("webhook", events=["Purchase"])
    await reporter.pay()
    reporter.app = replace(reporter.app, settings=replace(reporter.app.settings, sandbox=False))
    await reporter.send()
    assert networks["webhook"].calls == 0
    ((status, answer),) = query("SELECT status, answer FROM conversions")
    assert (status, "public" in answer) == ("planned", True)


@pytest.mark.gen_test
async def test_jobs_of_the_queue_send_it(reporter: Reporter, networks: Any, query: Query) -> None:
    await reporter.connect("meta", events=["Purchase"])
    await sell(reporter, 2)
    reporter.clock.move(seconds=5)
    assert await conversion_sends.hand_out_due(reporter.app) == 1
    assert await conversion_sends.hand_out_due(reporter.app) == 0
    async with work(reporter.app), asyncio.timeout(30):
        while list_statuses(query) != {"sent": 2}:
            await asyncio.sleep(0.01)
    assert networks["meta"].repeats == []


@pytest.mark.gen_test
async def test_logs_and_rows_hold_nobodys_data(
    reporter: Reporter, networks: Any, query: Query, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in networks:
        await reporter.connect(name)
    await reporter.start(await reporter.click(fbclid="CLICK-f", ttclid="CLICK-t", gclid="CLICK-g", click_id="CLICK-k"))
    networks["meta"].fail(
        times=20, reply=(400, {"error": {"code": 100, "message": "bad ana@example.com 529.982.247-25"}})
    )
    await reporter.pay()
    await reporter.send()
    await reporter.send(minutes=20)
    assert list_statuses(query)["refused"] == 4  # each with what Meta said
    said = caplog.text + json.dumps(query("SELECT sent, answer FROM conversions"), default=str)
    secrets = [value for given in CREDENTIALS.values() for name, value in given.items() if "token" in name]
    for value in (ADDRESS, BROWSER, "CLICK-", "ana@example.com", "529.982.247-25", *secrets):
        assert value not in said


@pytest.mark.gen_test
async def test_gauges_tell_what_waits_and_who_is_paused(reporter: Reporter, networks: Any, query: Query) -> None:
    await reporter.connect("meta", events=["Purchase"])
    await reporter.pay()
    reporter.clock.move(minutes=90)
    await conversion_sends.measure(reporter.app)
    assert metrics.conversions_oldest_seconds.labels("meta")._value.get() == 5400
    query("UPDATE conversion_destinations SET status = 'paused', reason = 'x'")
    await conversion_sends.measure(reporter.app)
    assert metrics.conversions_paused.labels("meta")._value.get() == 1
    assert metrics.conversions_oldest_seconds.labels("meta")._value.get() == 0


@pytest.mark.gen_test
async def test_what_is_of_no_sale_is_forgotten(reporter: Reporter, clock: Clock) -> None:
    await reporter.connect("meta")
    await reporter.start(await reporter.click())
    await reporter.pay()
    await reporter.send()
    clock.move(days=61)
    clock.now = clock.now.replace(hour=retention.QUIET_HOUR_UTC)
    await retention.forget_old(reporter.app)
    assert [event for event, _ in reporter.list_rows()] == ["InitiateCheckout", "Purchase"]


@pytest.mark.gen_test
async def test_processes_at_once_begin_one_round(reporter: Reporter, networks: Any) -> None:
    await reporter.connect("meta", events=["Purchase"])
    await reporter.pay()
    reporter.clock.move(seconds=5)
    begun = await asyncio.gather(*(conversion_sends.hand_out_due(reporter.app) for _ in range(5)))
    assert sorted(begun) == [0, 0, 0, 0, 1]


@pytest.mark.gen_test
async def test_a_destination_for_trying_says_so(reporter: Reporter, networks: Any) -> None:
    await reporter.connect("utmify", test_event_code="TEST1", events=["Purchase"])
    await reporter.pay()
    await reporter.send()
    assert [order["isTest"] for order in networks["utmify"].taken] == [True]
