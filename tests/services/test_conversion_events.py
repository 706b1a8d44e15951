"""Conversion events: a row per event and destination, in the transaction of what happened, and none that may not be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from grimbots.services import cases, clicks, conversion_destinations, conversion_events, payments
from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.tests.conftest import Clock
from grimbots.tests.services.reporters import CREDENTIALS, Reporter
from grimbots.tests.services.shops import PRICE_CENTS

Query = Callable[..., list[Any]]


async def move(reporter: Reporter, payment: Any, state: str) -> None:
    """Bring a payment into a state, as whoever gives money back does."""
    row = await reporter.shop.read(payment.id)
    async with cases.open_case(reporter.app, row) as case:
        await case.move(state, actor="test", reason="test")


@pytest.mark.gen_test
async def test_a_sale_is_four_events_with_ids_of_what_happened(reporter: Reporter, query: Query) -> None:
    await reporter.connect("meta")
    token = await reporter.click()
    await reporter.start(token)
    payment = await reporter.pay()
    assert query("SELECT event, event_key FROM conversions ORDER BY id") == [
        ("PageView", f"pageview_{token}"),
        ("ViewContent", f"viewcontent_{token}"),
        ("InitiateCheckout", f"checkout_{payment.idempotency_key}"),
        ("Purchase", f"purchase_{payment.idempotency_key}"),
    ]


@pytest.mark.gen_test
async def test_page_view_has_the_id_that_the_landings_pixel_says(reporter: Reporter, query: Query) -> None:
    from grimbots.handlers.redirects import TEMPLATES

    await reporter.connect("meta")
    token = await reporter.click()
    said = (TEMPLATES / "landing.html").read_text()
    assert 'fbq("track", "PageView", {}, { eventID: "pageview_{{ token }}" })' in said
    assert query("SELECT event_key FROM conversions") == [(f"pageview_{token}",)]


@pytest.mark.gen_test
async def test_whatever_is_repeated_is_one_event(reporter: Reporter, query: Query) -> None:
    await reporter.connect("meta")
    token = await reporter.click()
    for _ in range(3):
        await reporter.start(token)
    payment = await reporter.pay()
    await reporter.settle(payment)
    await reporter.settle(payment, "E2")  # paid twice: one sale, flagged
    assert [event for event, _ in reporter.list_rows()].count("Purchase") == 1
    assert len(reporter.list_rows()) == 4


@pytest.mark.gen_test
async def test_rows_are_of_the_same_transaction(reporter: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    await reporter.connect("meta")
    payment = await reporter.shop.charge()

    async def fail(*_: Any) -> None:
        raise RuntimeError("the process dies here")

    before = reporter.list_rows()
    monkeypatch.setattr(payments.timers, "cancel", lambda *_, **__: fail())
    with pytest.raises(RuntimeError):
        await reporter.settle(payment)
    assert reporter.list_rows() == before
    assert (await reporter.shop.read(payment.id)).state == "pending"


@pytest.mark.gen_test
async def test_nothing_is_written_where_nobody_is_to_be_told(reporter: Reporter, query: Query) -> None:
    token = await reporter.click()
    await reporter.start(token)
    await reporter.pay()
    assert reporter.list_rows() == []


@pytest.mark.gen_test
async def test_accounts_that_report_nothing_are_asked_nothing(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hot road pays nothing: who reports is known by heart."""
    await reporter.app.reporters.load(reporter.app)
    assert not reporter.app.reporters.may_report(reporter.shop.tenant.account_id)
    from grimbots.sql.database import Transaction

    run, said = Transaction._run, []

    async def note(self: Any, statement: Any, parameters: Any) -> Any:
        said.append(statement.title)
        return await run(self, statement, parameters)

    monkeypatch.setattr(Transaction, "_run", note)
    await reporter.start(await reporter.click())
    await reporter.pay()
    assert "leads.touch" in said
    assert [title for title in said if title.startswith("conversion")] == []
    said.clear()
    await reporter.connect("meta")
    await reporter.app.reporters.load(reporter.app)
    await reporter.start(await reporter.click(), 502)
    assert [title for title in said if title.startswith("conversions.")] == [
        "conversions.add_page_views",
        "conversions.add_of_click",
    ]


@pytest.mark.gen_test
async def test_every_process_learns_at_once_who_reports(reporter: Reporter) -> None:
    import asyncio

    app, account_id = reporter.app, reporter.shop.tenant.account_id
    watching = asyncio.create_task(conversion_destinations.watch(app))
    try:
        await wait_until(lambda: not app.reporters.may_report(account_id))
        await reporter.connect("meta")
        await wait_until(lambda: app.reporters.may_report(account_id))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def wait_until(is_true: Callable[[], bool]) -> None:
    import asyncio

    async with asyncio.timeout(30):
        while not is_true():
            await asyncio.sleep(0.01)


@pytest.mark.gen_test
async def test_a_lead_that_does_not_want_it_is_never_written_down(reporter: Reporter, query: Query) -> None:
    await reporter.connect("meta")
    token = await reporter.click()
    await reporter.start(token)
    ((lead_id,),) = query("SELECT id FROM leads")
    await set_reported(reporter, lead_id, False)
    assert reporter.list_rows() == []  # what waited is withdrawn, its click's too
    await reporter.start(token)
    await reporter.pay()
    assert reporter.list_rows() == []
    await set_reported(reporter, lead_id, True)
    await reporter.pay(update_id=77)
    assert [event for event, _ in reporter.list_rows()] == ["InitiateCheckout", "Purchase"]


async def set_reported(reporter: Reporter, lead_id: int, is_reported: bool) -> None:
    async with reporter.app.db.transaction() as tx:
        await conversion_events.set_reported(
            tx, account_id=reporter.shop.tenant.account_id, lead_id=lead_id, is_reported=is_reported
        )


@pytest.mark.gen_test
async def test_a_lead_of_another_account_cannot_be_silenced(reporters: list[Reporter], query: Query) -> None:
    other = reporters[1]
    await other.connect("meta")
    await other.start(await other.click())
    ((lead_id,),) = query("SELECT id FROM leads")
    with pytest.raises(NotFound):
        await set_reported(reporters[0], lead_id, False)
    assert len(other.list_rows()) == 2


@pytest.mark.gen_test
async def test_money_given_back_is_told_to_who_can_be_told(reporter: Reporter, query: Query) -> None:
    await reporter.connect("meta")
    await reporter.connect("utmify")
    payment = await reporter.pay()
    await move(reporter, payment, "refunded")
    told = query(
        "SELECT network, event FROM conversions JOIN conversion_destinations ON conversion_destinations.id ="
        " destination_id ORDER BY network, conversions.id"
    )
    assert told == [
        ("meta", "InitiateCheckout"),
        ("meta", "Purchase"),
        ("utmify", "InitiateCheckout"),
        ("utmify", "Purchase"),
        ("utmify", "Refund"),
    ]


@pytest.mark.gen_test
async def test_a_crawlers_visit_is_no_page_view(reporter: Reporter) -> None:
    await reporter.connect("meta")
    await reporter.click(user_agent="facebookexternalhit/1.1")
    assert reporter.list_rows() == []


@pytest.mark.gen_test
async def test_a_purchase_happened_when_it_was_paid(reporter: Reporter, clock: Clock, query: Query) -> None:
    await reporter.connect("meta", events=["Purchase"])
    payment = await reporter.shop.charge()
    paid_at = clock()
    clock.move(hours=3)
    await payments.settle(
        reporter.app,
        payment_id=payment.id,
        account_id=payment.account_id,
        paid_cents=PRICE_CENTS,
        paid_at=paid_at,
        end_to_end_id="E9",
        actor="check",
        reason="found late",
    )
    ((occurred_at, expires_at),) = query("SELECT occurred_at, expires_at FROM conversions")
    assert occurred_at == paid_at
    assert timedelta(days=6, hours=22) < expires_at - occurred_at < timedelta(days=7)


@pytest.mark.gen_test
async def test_a_destination_of_one_link_hears_of_no_other(reporter: Reporter) -> None:
    await reporter.connect("meta", links=[reporter.slug], events=["ViewContent", "Purchase"])
    await reporter.pay(502)  # by no link
    assert reporter.list_rows() == []
    await reporter.start(await reporter.click())
    await reporter.pay()
    assert [event for event, _ in reporter.list_rows()] == ["ViewContent", "Purchase"]


@pytest.mark.gen_test
async def test_a_start_that_overtakes_its_click_is_reported_with_it(reporter: Reporter, networks: Any) -> None:
    await reporter.connect("meta", links=[reporter.slug], events=["ViewContent"])
    token = await reporter.click(is_stored=False)
    await reporter.start(token)
    await clicks.store_spooled(reporter.app)
    await reporter.send()
    (told,) = networks["meta"].taken
    assert told["action_source"] == "website"


@pytest.mark.gen_test
async def test_what_one_account_sells_is_told_to_no_other(reporters: list[Reporter], query: Query) -> None:
    for reporter in reporters:
        await reporter.connect("meta")
    await reporters[0].start(await reporters[0].click())
    await reporters[0].pay()
    (accounts,) = query("SELECT array_agg(DISTINCT account_id) FROM conversions")
    assert accounts == ([reporters[0].shop.tenant.account_id],)


@pytest.mark.gen_test
async def test_another_accounts_rows_are_none(reporters: list[Reporter], query: Query) -> None:
    own, other = (reporter.shop.tenant.account_id for reporter in reporters)
    destination_id = await reporters[1].connect("meta")
    await reporters[1].pay()
    ((conversion_id,), *_) = query("SELECT id FROM conversions ORDER BY id")
    for refused in (
        conversion_events.get(reporters[0].app, own, conversion_id),
        conversion_events.retry(reporters[0].app, own, conversion_id, "test"),
        conversion_destinations.remove(reporters[0].app, own, destination_id, "test"),
        conversion_destinations.resume(reporters[0].app, own, destination_id, "test"),
        reporters[0].connect("meta", bots=[f"{reporters[1].shop.tenant.name}_bot"]),
        reporters[0].connect("meta", links=[reporters[1].slug]),
    ):
        with pytest.raises(NotFound):
            await refused
    assert await conversion_destinations.list_all(reporters[0].app, own) == []
    assert len(await conversion_events.list_page(reporters[0].app, other, None, 50)) == 2


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("orkut", {}, "there is no network"),
    ("meta", {"credentials": {"pixel_id": "1"}}, "needs Token de acesso"),
    ("meta", {"credentials": {**CREDENTIALS["meta"], "cpf": "1"}}, "does not know cpf"),
    ("meta", {"credentials": {**CREDENTIALS["meta"], "access_token": "1" * 5000}}, "over 4000"),
    ("meta", {"credentials": {**CREDENTIALS["meta"], "pixel_id": "1/../me"}}, "pixel_id of meta cannot be right"),
    ("meta", {"credentials": {**CREDENTIALS["meta"], "access_token": "a\r\nX: y"}}, "cannot be right"),
    ("webhook", {"credentials": {"url": "http://example.com/"}}, "url of webhook cannot be right"),
    ("meta", {"events": ["Refund"]}, "cannot be told Refund"),
    ("meta", {"test_event_code": "T" * 65}, "over 64"),
]


@pytest.mark.gen_test
async def test_a_destination_is_checked(reporter: Reporter) -> None:
    for name, wish, said in WRONG:
        with pytest.raises(Invalid, match=said):
            await reporter.connect(name, **wish)


@pytest.mark.gen_test
async def test_credentials_are_sealed_and_acts_audited(reporter: Reporter, query: Query) -> None:
    destination_id = await reporter.connect("meta")
    ((sealed,),) = query("SELECT credentials_encrypted FROM conversion_destinations")
    assert CREDENTIALS["meta"]["access_token"] not in sealed
    await conversion_destinations.remove(reporter.app, reporter.shop.tenant.account_id, destination_id, "test")
    assert query("SELECT action FROM audit WHERE action LIKE 'conversion.%%' ORDER BY id") == [
        ("conversion.add",),
        ("conversion.remove",),
    ]


@pytest.mark.gen_test
async def test_retry_is_for_what_was_not_taken(reporter: Reporter, clock: Clock, query: Query) -> None:
    account_id = reporter.shop.tenant.account_id
    await reporter.connect("meta", events=["InitiateCheckout", "Purchase"])
    reporter.receivers["meta"].is_bad = lambda told: told["event_name"] == "Purchase"
    await reporter.pay()
    await reporter.send()
    (checkout, purchase) = query("SELECT id, status FROM conversions ORDER BY id")
    assert (checkout[1], purchase[1]) == ("sent", "refused")
    with pytest.raises(Conflict, match="is sent"):
        await conversion_events.retry(reporter.app, account_id, checkout[0], "test")
    reporter.receivers["meta"].is_bad = lambda told: False
    await conversion_events.retry(reporter.app, account_id, purchase[0], "test")
    await reporter.send()
    assert reporter.list_rows() == [("InitiateCheckout", "sent"), ("Purchase", "sent")]
    query("UPDATE conversions SET status = 'refused' WHERE id = %s", checkout[0])
    with pytest.raises(Conflict, match="later event of the same sale"):
        await conversion_events.retry(reporter.app, account_id, checkout[0], "test")
    query("UPDATE conversions SET status = 'refused'")
    clock.move(days=8)
    with pytest.raises(Conflict, match="too old"):
        await conversion_events.retry(reporter.app, account_id, purchase[0], "test")
