"""Figures are what a recount of the events gives: whatever comes first, however often, rolled up or not, any zone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from grimbots.services import accounts as accounts_service
from grimbots.services import clicks, figures, payments, pools
from grimbots.services.errors import Invalid
from grimbots.services.figures import Line, Span
from grimbots.tests.conftest import Clock, Tenant
from grimbots.tests.handlers.admin.goods import sell
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.returning import go_back
from grimbots.tests.services.shops import PRICE_CENTS, Shop
from grimbots.tests.services.test_clicks import click, make_visit

Query = Callable[..., list[Any]]
ZONE = ZoneInfo("America/Sao_Paulo")
FIRST, LAST = date(2026, 2, 1), date(2026, 4, 30)
RECOUNT = """
WITH facts AS (
    SELECT account_id, bot_id, '' AS step, id AS click_id, clicked_at AS at, 'clicks' AS what, 0 AS cents
    FROM clicks WHERE clicked_at IS NOT NULL AND NOT is_crawler
    UNION ALL SELECT account_id, bot_id, '', click_id, started_at, 'starts', 0 FROM starts
    UNION ALL SELECT account_id, bot_id, '', click_id, started_at, 'matched', 0 FROM starts WHERE click_id IS NOT NULL
    UNION ALL SELECT account_id, bot_id, step, click_id, created_at, 'charges', amount_cents
        FROM payments WHERE txid IS NOT NULL
    UNION ALL SELECT account_id, bot_id, step, click_id, paid_at, 'paid', paid_cents
        FROM payments WHERE paid_at IS NOT NULL
    UNION ALL SELECT payments.account_id, bot_id, step, click_id, returned_at, 'refunds', back.amount_cents
        FROM payment_returns AS back
        JOIN payment_receipts AS receipt ON receipt.id = back.receipt_id
        JOIN payments ON payments.id = back.payment_id AND payments.end_to_end_id = receipt.end_to_end_id
        WHERE back.status = 'settled' AND back.kind IN ('refund', 'chargeback')
)
SELECT (at AT TIME ZONE accounts.time_zone)::date, username, step, coalesce(utm_source, ''), coalesce(utm_campaign, ''),
    count(*) FILTER (WHERE what = 'clicks'), count(*) FILTER (WHERE what = 'starts'),
    count(*) FILTER (WHERE what = 'matched'), count(*) FILTER (WHERE what = 'charges'),
    coalesce(sum(cents) FILTER (WHERE what = 'charges'), 0)::bigint, count(*) FILTER (WHERE what = 'paid'),
    coalesce(sum(cents) FILTER (WHERE what = 'paid'), 0)::bigint, count(*) FILTER (WHERE what = 'refunds'),
    coalesce(sum(cents) FILTER (WHERE what = 'refunds'), 0)::bigint
FROM facts
JOIN accounts ON accounts.id = facts.account_id
JOIN bots ON bots.id = facts.bot_id
LEFT JOIN clicks ON clicks.id = facts.click_id
WHERE facts.account_id = %s
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
"""


async def read(app: Any, tenant: Tenant, *by: str, zone: ZoneInfo = ZONE) -> list[Line]:
    return await figures.report(app, Span(tenant.account_id, zone, FIRST, LAST), by)


async def assert_recounts(app: Any, tenant: Tenant, query: Query, zone: ZoneInfo = ZONE) -> list[Any]:
    """Compare the report with a recount, and give it."""
    lines = await read(app, tenant, *figures.DIMENSIONS, zone=zone)
    told = [(*line.key, *(getattr(line, name) for name in figures.COUNTS)) for line in lines]
    assert told == query(RECOUNT, tenant.account_id)
    return told


@pytest.fixture
def promo(app: Any, accounts: list[Tenant], io_loop: Any) -> None:
    """Give each account a pool of its bot: promo and other."""

    async def make() -> None:
        for tenant, slug in zip(accounts, ("promo", "other"), strict=True):
            names = [f"{tenant.name}_bot"]
            await pools.save(app, account=tenant.name, slug=slug, usernames=names, actor="test")

    io_loop.run_sync(make)


@pytest.mark.gen_test
async def test_a_sale_is_counted_from_its_click_on(
    app: Any, accounts: list[Tenant], promo: None, buyer: Buyer, shop: Shop, query: Query
) -> None:
    for source in ("ig", "fb"):
        token = await click(app, utm_source=source, utm_campaign="C|1")
    await clicks.store_spooled(app)
    await buyer.say(f"/start {token}")
    await sell(shop, buyer.chat_id, PRICE_CENTS)
    await figures.roll_up(app)
    lines = {line.key: line for line in await read(app, accounts[0], "source", "campaign")}
    assert lines[("ig", "C|1")] == Line(("ig", "C|1"), clicks=1)
    assert lines[("fb", "C|1")] == Line(("fb", "C|1"), 1, 1, 1, 1, PRICE_CENTS, 1, PRICE_CENTS)
    assert [line.key for line in await read(app, accounts[0], "day", "bot")] == [(date(2026, 3, 2), "tenant1_bot")]
    assert {line.key: line.paid for line in await read(app, accounts[0], "step")} == {("",): 0, ("pay",): 1}
    await assert_recounts(app, accounts[0], query)


@pytest.mark.gen_test
async def test_start_that_overtakes_its_click_has_its_source_when_that_comes(
    app: Any, accounts: list[Tenant], promo: None, buyer: Buyer, query: Query
) -> None:
    token = await click(app, utm_source="ig")
    await buyer.say(f"/start {token}")
    assert await figures.roll_up(app) == 0
    assert await read(app, accounts[0], "source") == [Line(("",), starts=1, matched=1)]
    await clicks.store_spooled(app)
    assert await read(app, accounts[0], "source") == [Line(("ig",), clicks=1, starts=1, matched=1)]
    assert await figures.roll_up(app) == 2
    await assert_recounts(app, accounts[0], query)


@pytest.mark.gen_test
async def test_lead_starts_once_and_once_with_each_new_click(
    app: Any, accounts: list[Tenant], promo: None, buyer: Buyer
) -> None:
    first, second = await click(app, utm_source="a"), await click(app, utm_source="b")
    await clicks.store_spooled(app)
    for param in ("", "", first, first, second, "bio", first, second, ""):
        await buyer.say(f"/start {param}".strip())
    starts = {line.key[0]: (line.starts, line.matched) for line in await read(app, accounts[0], "source")}
    assert starts == {"": (1, 0), "a": (1, 1), "b": (1, 1)}


@pytest.mark.gen_test
async def test_lead_of_a_bot_without_funnel_starts_once(
    app: Any, accounts: list[Tenant], promo: None, query: Query
) -> None:
    someone = Buyer(app, accounts[0], query)
    for text in ("/start", "/start", "hello"):
        await someone.say(text)
    assert figures.total(await read(app, accounts[0])).starts == 1


@pytest.mark.gen_test
async def test_crawlers_are_no_clicks(app: Any, accounts: list[Tenant], promo: None) -> None:
    crawler = replace(make_visit(app), is_crawler=True)
    for visit in (crawler, make_visit(app)):
        await clicks.follow(app, "promo", visit)
    await clicks.store_spooled(app)
    assert figures.total(await read(app, accounts[0])).clicks == 1


@pytest.mark.gen_test
async def test_figures_of_an_account_are_its_own(
    app: Any, accounts: list[Tenant], promo: None, shops: list[Shop], query: Query
) -> None:
    await sell(shops[0], 501, PRICE_CENTS)
    assert figures.total(await read(app, accounts[1])) == Line(())
    await figures.roll_up(app)
    assert figures.total(await read(app, accounts[1])) == Line(())


@pytest.mark.gen_test
async def test_days_are_the_accounts(app: Any, accounts: list[Tenant], shop: Shop, query: Query, clock: Clock) -> None:
    clock.move(hours=14, minutes=30)  # 23:30 in São Paulo, tomorrow in UTC
    await sell(shop, 501, PRICE_CENTS)
    clock.move(hours=1)
    await sell(shop, 502, PRICE_CENTS)
    await figures.roll_up(app)
    days = [line.key[0].day for line in await read(app, accounts[0], "day")]
    assert days == [2, 3]
    await assert_recounts(app, accounts[0], query)


@pytest.mark.gen_test
async def test_another_time_zone_counts_the_days_anew(
    app: Any, accounts: list[Tenant], shop: Shop, query: Query, clock: Clock
) -> None:
    clock.move(hours=14, minutes=30)
    await sell(shop, 501, PRICE_CENTS)
    await figures.roll_up(app)
    await sell(shop, 502, PRICE_CENTS)
    await accounts_service.change_account(app, "tenant1", new_name=None, time_zone="Asia/Kathmandu", actor="test")
    zone = ZoneInfo("Asia/Kathmandu")
    told = await assert_recounts(app, accounts[0], query, zone)
    await figures.roll_up(app)
    assert await assert_recounts(app, accounts[0], query, zone) == told
    assert {row[0].day for row in told} == {3}


@pytest.mark.gen_test
async def test_zone_that_postgres_does_not_know_is_utc(
    app: Any, accounts: list[Tenant], shop: Shop, query: Query
) -> None:
    query("UPDATE accounts SET time_zone = 'Mars/Olympus'")
    await sell(shop, 501, PRICE_CENTS)
    await figures.roll_up(app)
    assert figures.total(await read(app, accounts[0], zone=ZoneInfo("UTC"))).paid == 1


@pytest.mark.gen_test
async def test_payment_that_is_corrected_is_counted_as_it_is_now(
    app: Any, accounts: list[Tenant], shop: Shop, query: Query
) -> None:
    payment = await sell(shop, 501, PRICE_CENTS)
    await figures.roll_up(app)
    query("UPDATE payments SET paid_cents = 100, paid_at = paid_at + interval '2 days' WHERE id = %s", payment.id)
    told = await assert_recounts(app, accounts[0], query)
    await figures.roll_up(app)
    lines = await read(app, accounts[0], "day")
    assert [(line.key[0].day, line.paid, line.paid_cents) for line in lines] == [(2, 0, 0), (4, 1, 100)]
    assert len(told) == 2


@pytest.mark.gen_test
async def test_what_goes_back_lowers_the_revenue_of_the_day_it_does(
    app: Any, accounts: list[Tenant], shop: Shop, query: Query, clock: Clock
) -> None:
    payment = await sell(shop, 501, PRICE_CENTS, PRICE_CENTS)
    clock.move(days=2)
    await go_back(shop, payment, "R1", cents=990, of="E5010")
    await go_back(shop, payment, "R2", of="E5011")  # it was kept apart, and never revenue
    told = await assert_recounts(app, accounts[0], query)
    await figures.roll_up(app)
    assert await assert_recounts(app, accounts[0], query) == told
    lines = await read(app, accounts[0], "day")
    assert [(line.key[0].day, line.revenue_cents, line.refunds) for line in lines] == [
        (2, PRICE_CENTS, 0),
        (4, -990, 1),
    ]
    await accounts_service.change_account(app, "tenant1", new_name=None, time_zone="UTC", actor="test")
    await assert_recounts(app, accounts[0], query, ZoneInfo("UTC"))


@pytest.mark.gen_test
async def test_a_transaction_that_breaks_off_counts_nothing(app: Any, accounts: list[Tenant], shop: Shop) -> None:
    payment = await shop.charge(501)
    before = await read(app, accounts[0], *figures.DIMENSIONS)
    with pytest.raises(ZeroDivisionError):
        async with app.db.transaction() as tx:
            known = {"account_id": payment.account_id, "payment_id": payment.id, "flags": [], "now": app.clock()}
            await tx.payments.mark_paid(
                **known, paid_cents=1, paid_at=app.clock(), end_to_end_id="E1", next_look_at=None
            )
            raise ZeroDivisionError
    assert await read(app, accounts[0], *figures.DIMENSIONS) == before


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.gen_test(timeout=60)
async def test_any_order_and_any_repeat_recounts(
    app: Any, accounts: list[Tenant], promo: None, buyer: Buyer, shop: Shop, query: Query, clock: Clock, seed: int
) -> None:
    """Clicks, starts, charges, payments, roll-ups and a move to another zone, dealt out of a seed and side by side."""
    dealt, backwards = random.Random(seed), random.Random(seed)
    tokens, made, told = [await click(app)], [await shop.charge(500)], []
    people, numbers = [Buyer(app, accounts[0], query, chat_id=chat_id) for chat_id in range(500, 505)], count(10_000)
    for place, someone in enumerate(people):
        someone.next_update_id = 100_000 * (place + 1)  # a bot numbers its updates over all chats

    async def visit() -> None:
        tokens.append(await click(app, utm_source=dealt.choice("ab"), utm_campaign=dealt.choice("xy")))

    async def start() -> None:
        someone, param = dealt.choice(people), dealt.choice([*tokens, ""])
        told.append((someone, someone.make_text(f"/start {param}".strip())))
        await someone.handle(told[-1][1])

    async def repeat() -> None:
        if told:
            someone, update = dealt.choice(told)
            await someone.handle(update)

    async def charge() -> None:
        made.append(await shop.charge(dealt.choice(people).chat_id, next(numbers)))

    async def pay() -> None:
        payment = dealt.choice(made)
        receipt = {"paid_cents": PRICE_CENTS, "paid_at": app.clock(), "end_to_end_id": f"E{payment.id}"}
        which = {"payment_id": payment.id, "account_id": payment.account_id}
        await payments.settle(shop.app, **which, **receipt, actor="webhook", reason="test")

    async def give_back() -> None:
        payment = await shop.read(backwards.choice(made).id)
        if payment.state != "pending":
            name, cents = backwards.choice([("R1", 100), ("R2", PRICE_CENTS - 100)])
            await go_back(shop, payment, name, cents=cents, of=f"E{payment.id}")

    async def store() -> None:
        await clicks.store_spooled(app)

    async def roll() -> None:
        await figures.roll_up(app)

    acts = [visit, visit, start, start, repeat, charge, pay, pay, store, roll]
    for _ in range(12):
        await asyncio.gather(*(act() for act in dealt.choices(acts, k=4)), give_back())
        clock.move(hours=dealt.randrange(9))
    await assert_recounts(app, accounts[0], query)
    await accounts_service.change_account(app, "tenant1", new_name=None, time_zone="Pacific/Auckland", actor="test")
    await clicks.store_spooled(app)
    await asyncio.gather(roll(), roll())
    await assert_recounts(app, accounts[0], query, ZoneInfo("Pacific/Auckland"))


@pytest.mark.parametrize(
    ("first", "last", "by"), [(LAST, FIRST, ()), (date(2020, 1, 1), LAST, ()), (FIRST, LAST, ("hour",))]
)
@pytest.mark.gen_test
async def test_what_is_no_report_is_refused(app: Any, first: date, last: date, by: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        await figures.report(app, Span(1, ZONE, first, last), by)


def test_rates_are_none_where_there_is_nothing() -> None:
    assert (Line(()).start_rate, Line(()).match_rate, Line(()).conversion, Line(()).charge_conversion) == (None,) * 4
    line = Line((), clicks=8, starts=4, matched=2, charges=2, paid=1)
    assert (line.start_rate, line.match_rate, line.conversion, line.charge_conversion) == (0.25, 0.5, 0.25, 0.5)
