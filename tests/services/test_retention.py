"""Retention: what is old and nobody's goes, in the night, and nothing that a lead, a charge or a timer still needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from grimbots.services import retention
from grimbots.tests.conftest import Clock
from grimbots.tests.services.shops import Shop

Query = Callable[..., list[Any]]


def add_click(shop: Shop, query: Query, token: str) -> int:
    ((click_id,),) = query(
        "INSERT INTO clicks (account_id, bot_id, token, noted_at) VALUES (%s, %s, %s, %s) RETURNING id",
        *(shop.tenant.account_id, shop.tenant.bot_id, token, shop.app.clock()),
    )
    return int(click_id)


def list_tokens(query: Query) -> list[str]:
    return [token for (token,) in query("SELECT token FROM clicks ORDER BY id")]


def move_to_night(clock: Clock, **span: float) -> None:
    clock.move(**span)
    clock.now = clock.now.replace(hour=retention.QUIET_HOUR_UTC)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at two rows at a time, so that there are several batches."""
    monkeypatch.setattr(retention, "LOOKED_AT_ROWS", 2)


@pytest.mark.gen_test
async def test_clicks_go_after_90_days_but_for_those_of_leads_and_charges(
    shop: Shop, clock: Clock, query: Query, batches: None
) -> None:
    payment = await shop.charge()
    clicks = {token: add_click(shop, query, token) for token in ("a", "first", "last", "b", "charged", "c", "d", "e")}
    query("UPDATE leads SET first_click_id = %s, last_click_id = %s", clicks["first"], clicks["last"])
    query("UPDATE payments SET click_id = %s WHERE id = %s", clicks["charged"], payment.id)
    move_to_night(clock, days=89)
    add_click(shop, query, "young")
    await retention.forget_old(shop.app)
    assert list_tokens(query) == [*clicks, "young"]
    move_to_night(clock, days=2)
    await retention.forget_old(shop.app)
    assert list_tokens(query) == ["first", "last", "charged", "young"]


@pytest.mark.gen_test
async def test_nothing_is_looked_for_by_day(shop: Shop, clock: Clock, query: Query) -> None:
    add_click(shop, query, "old")
    move_to_night(clock, days=91)
    clock.move(hours=1)
    await retention.forget_old(shop.app)
    assert list_tokens(query) == ["old"]


@pytest.mark.gen_test
async def test_timers_go_when_they_are_over_and_old(shop: Shop, clock: Clock, query: Query, batches: None) -> None:
    query("DELETE FROM timers")
    waits = timedelta(days=200)
    for cause, status, due_in in (
        ("fired", "fired", timedelta()),
        ("called off", "cancelled", timedelta()),
        ("for a person", "dead", timedelta()),
        ("to come", "pending", waits),
        ("called off early", "cancelled", waits),
        ("another", "fired", timedelta()),
    ):
        query(
            "INSERT INTO timers"
            " (account_id, bot_id, kind, cause, ordinal, payload, due_at, status, fired_at, created_at)"
            " VALUES (%s, %s, 'timers.wake', %s, 0, '{}', %s, %s, %s, %s)",
            *(shop.tenant.account_id, shop.tenant.bot_id, cause, clock() + due_in, status, clock(), clock()),
        )
    move_to_night(clock, days=91)
    await retention.forget_old(shop.app)
    left = [cause for (cause,) in query("SELECT cause FROM timers ORDER BY id")]
    assert left == ["for a person", "to come", "called off early"]


async def note_money(shop: Shop, payment: Any) -> None:
    """Note that a provider refused a payment's charge, and what its statement said otherwise."""
    which = {"account_id": payment.account_id, "gateway_account_id": payment.gateway_account_id}
    now = shop.app.clock()
    await shop.app.db.payments.refuse(**which, payment_id=payment.id, reason="no", now=now)
    for kind, closed_at in (("unseen", now), ("unpaid", None), ("stranger", None)):
        await shop.app.db.statement_differences.add(
            **which, payment_id=None, kind=kind, reference=f"{payment.id}", detail="x", now=now, closed_at=closed_at
        )


@pytest.mark.gen_test
async def test_refusals_and_differences_go_but_not_what_nobody_has_closed(
    shop: Shop, clock: Clock, query: Query, batches: None
) -> None:
    def list_left() -> list[Any]:
        refused = query("SELECT payment_id FROM payment_refusals ORDER BY payment_id")
        return [*refused, *query("SELECT reference, kind FROM statement_differences ORDER BY id")]

    old, other, young = [await shop.charge(chat_id) for chat_id in (601, 602, 603)]
    for payment in (old, other):
        await note_money(shop, payment)
    before = list_left()
    move_to_night(clock, days=119)
    await retention.forget_old(shop.app)
    assert list_left() == before
    move_to_night(clock, days=62)
    await note_money(shop, young)
    await retention.forget_old(shop.app)
    new = [(str(young.id), kind) for kind in ("unseen", "unpaid", "stranger")]
    assert list_left() == [(young.id,), (str(old.id), "unpaid"), (str(other.id), "unpaid"), *new]


@pytest.mark.gen_test
async def test_what_people_said_is_emptied_and_its_rows_stay(
    shop: Shop, clock: Clock, query: Query, batches: None
) -> None:
    payment = await shop.charge()
    await shop.receive(shop.provider.pay(payment.txid))
    await shop.apply_events()
    query("UPDATE messages SET status = 'sent', sent_at = now() WHERE step = 'pay'")
    click_id = add_click(shop, query, "own")
    query("UPDATE clicks SET address = '203.0.113.9', utm_source = 'ig' WHERE id = %s", click_id)
    query("UPDATE leads SET first_click_id = %s", click_id)
    was = [query(look) for look in LOOKS]
    move_to_night(clock, days=50)
    await retention.forget_old(shop.app)
    assert [query(look) for look in LOOKS] == was
    move_to_night(clock, days=140)
    await retention.forget_old(shop.app)
    clicks, events, said, unsent = (query(look) for look in LOOKS)
    assert clicks == [(None, "ig")]
    assert [(bytes(body), headers) for body, headers in events] == [(b"", {})]
    assert said and {str(body) for (body,) in said} == {"{}"}
    assert unsent == was[3] != []  # a delivery that never arrived is still owed


@pytest.mark.gen_test
async def test_a_night_goes_on_where_the_last_one_ended(shop: Shop, clock: Clock, query: Query, batches: None) -> None:
    first = add_click(shop, query, "first")
    query("UPDATE leads SET first_click_id = %s", first)
    payment = await shop.charge()
    query("UPDATE payments SET click_id = %s WHERE id = %s", first, payment.id)
    move_to_night(clock, days=91)
    await retention.forget_old(shop.app)
    assert query("SELECT after_id FROM forgotten WHERE what = 'clicks'") == [(first,)]
    query("UPDATE clicks SET address = 'looked at again'")
    await retention.forget_old(shop.app)
    assert query("SELECT address FROM clicks") == [("looked at again",)]


LOOKS = (
    "SELECT address, utm_source FROM clicks",
    "SELECT body, headers FROM provider_events",
    "SELECT body FROM messages WHERE status = 'sent'",
    "SELECT body FROM messages WHERE status <> 'sent' ORDER BY id",
)
