"""What a seller sees: figures by his own days, payments with the reason of every flag, and nothing of another's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from grimbots.services import sales
from grimbots.services.errors import NotFound
from grimbots.services.sessions import Member
from grimbots.tests.services.shops import PRICE_CENTS, Shop

SAO_PAULO, BERLIN = ZoneInfo("America/Sao_Paulo"), ZoneInfo("Europe/Berlin")


async def pay(shop: Shop, payment: Any, amount_cents: int | None = None, end_to_end_id: str = "E1") -> None:
    """Let a charge be paid and its event be acted upon."""
    await shop.receive(shop.provider.pay(payment.txid, amount_cents, end_to_end_id))
    await shop.apply_events()


@pytest.mark.gen_test
async def test_summary_counts_a_sale_of_today(app: Any, shops: list[Shop], members: list[Member]) -> None:
    await pay(shops[0], await shops[0].charge(501))
    await shops[0].charge(502)
    summary = await sales.summarize(app, members[0], 1)
    assert summary.totals == {
        "leads": 2,
        "charges": 2,
        "charged_cents": 2 * PRICE_CENTS,
        "paid": 1,
        "paid_cents": PRICE_CENTS,
        "delivered": 0,
    }
    assert [bot.username for bot in summary.bots] == ["tenant1_bot"]
    assert (await sales.summarize(app, members[1], 30)).totals == dict.fromkeys(sales.SUMMED, 0)


@pytest.mark.gen_test
async def test_summary_counts_a_delivery_when_it_has_arrived(
    app: Any, shop: Shop, members: list[Member], query: Callable[..., list[Any]]
) -> None:
    await pay(shop, await shop.charge())
    assert (await sales.count_trouble(app, members[0])).owed == 1
    query("UPDATE deliveries SET status = 'delivered', delivered_at = %s", app.clock())
    assert (await sales.summarize(app, members[0], 1)).totals["delivered"] == 1
    assert (await sales.count_trouble(app, members[0])).owed == 0


@pytest.mark.gen_test
async def test_summary_ends_its_days_where_the_account_does(
    app: Any, shop: Shop, members: list[Member], clock: Any
) -> None:
    clock.now = datetime(2026, 3, 3, 2, 30, tzinfo=UTC)  # still the 2nd in São Paulo
    await shop.charge()
    clock.now = datetime(2026, 3, 3, 3, 30, tzinfo=UTC)
    totals = [(await sales.summarize(app, members[0], days)).totals["charges"] for days in (1, 7)]
    assert totals == [0, 1]


@pytest.mark.parametrize(
    ("now", "days", "zone", "since", "until"),
    [
        ("2026-03-02T12:00Z", 1, SAO_PAULO, "2026-03-02T03:00Z", "2026-03-03T03:00Z"),
        ("2026-03-02T02:59Z", 1, SAO_PAULO, "2026-03-01T03:00Z", "2026-03-02T03:00Z"),
        ("2026-03-02T12:00Z", 7, SAO_PAULO, "2026-02-24T03:00Z", "2026-03-03T03:00Z"),
        ("2026-03-29T12:00Z", 1, BERLIN, "2026-03-28T23:00Z", "2026-03-29T22:00Z"),  # a day of 23 hours
        ("2026-10-25T12:00Z", 1, BERLIN, "2026-10-24T22:00Z", "2026-10-25T23:00Z"),  # and one of 25
    ],
)
def test_find_days(now: str, days: int, zone: ZoneInfo, since: str, until: str) -> None:
    found = sales.find_days(datetime.fromisoformat(now), days, zone)
    assert [instant.astimezone(UTC) for instant in found] == [
        datetime.fromisoformat(since),
        datetime.fromisoformat(until),
    ]


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "America/Sao_Paulo\0"])
def test_open_zone_falls_back_to_utc(name: str) -> None:
    assert str(sales.open_zone(Member(1, 1, "a", name, "owner"))) == "UTC"


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("paid", "state", "flags", "received"),
    [
        ([PRICE_CENTS], "paid", [], PRICE_CENTS),
        ([PRICE_CENTS - 1], "pending", ["underpaid"], PRICE_CENTS - 1),
        ([PRICE_CENTS + 1], "paid", ["overpaid"], PRICE_CENTS + 1),
        ([PRICE_CENTS] * 3, "paid", ["double"], 3 * PRICE_CENTS),
    ],
)
async def test_payments_come_with_their_flags_and_what_came_in(
    app: Any, shop: Shop, members: list[Member], paid: list[int], state: str, flags: list[str], received: int
) -> None:
    payment = await shop.charge()
    for place, cents in enumerate(paid):
        await pay(shop, payment, cents, f"E{place}")
    (row,) = (await sales.list_payments(app, members[0])).rows
    assert (row.state, row.flags, row.received_cents) == (state, flags, received)
    assert row.delivery == ("planned" if state == "paid" else None)
    story = await sales.get_story(app, members[0], payment.id)
    assert [receipt.amount_cents for receipt in story.receipts] == paid


@pytest.mark.gen_test
async def test_payments_come_in_pages(
    app: Any, shop: Shop, members: list[Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sales, "PAGE_ROWS", 2)
    made = [(await shop.charge(501 + place)).id for place in range(5)]
    seen, before = [], None
    for _ in range(3):
        page = await sales.list_payments(app, members[0], before)
        seen += [row.id for row in page.rows]
        before = page.next_before
    assert (seen, before) == (made[::-1], None)


@pytest.mark.gen_test
async def test_events_of_no_charge_are_listed_for_their_account(
    app: Any, shops: list[Shop], members: list[Member], clock: Any
) -> None:
    payment = await shops[0].charge()
    await shops[1].receive(shops[0].provider.pay(payment.txid))  # signed with the other's secret, of the first's charge
    clock.move(minutes=11)
    await shops[1].apply_events()
    (event,) = (await sales.list_events(app, members[1])).rows
    assert (event.status, event.verified) == ("unmatched", "yes")
    assert (await sales.list_events(app, members[0])).rows == []
    assert (await sales.count_trouble(app, members[1])).events == 1
    assert (await shops[0].read(payment.id)).state == "pending"


@pytest.mark.gen_test
async def test_story_is_of_its_account_only(app: Any, shop: Shop, members: list[Member]) -> None:
    payment = await shop.charge()
    story = await sales.get_story(app, members[0], payment.id)
    assert [move.to_state for move in story.transitions] == ["creating", "pending"]
    for member, payment_id in ((members[1], payment.id), (members[0], payment.id + 1)):
        with pytest.raises(NotFound):
            await sales.get_story(app, member, payment_id)
