"""The ledger: every cent stands twice, once, for ever; and whatever is otherwise is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg2
import pytest

from grimbots.conf import metrics
from grimbots.services import figures, ledger, spreadsheets, troubles
from grimbots.services.errors import Invalid
from grimbots.tests.services.returning import deliver, go_back, read_book, receive, sell
from grimbots.tests.services.shops import PRICE_CENTS, Shop

Query = Callable[..., list[Any]]
QUIETLY = "SET session_replication_role = replica"  # what only a superuser can do: the triggers sleep


async def keep(shop: Shop, points: int, cents: int) -> None:
    """Let the installation keep a part of the shop's sales."""
    await ledger.set_commission(shop.app, shop.tenant.name, points=points, cents=cents, actor="command")


@pytest.mark.gen_test
async def test_a_sale_stands_in_the_book_with_fee_and_commission(shop: Shop, query: Query) -> None:
    await keep(shop, 450, 30)
    payment = await sell(shop, fee_cents=19)
    part = PRICE_CENTS * 450 // 10_000 + 30
    held = {"provider": PRICE_CENTS - 19, "fees": 19, "commission": part, "platform": -part}
    assert read_book(query, payment) == {**held, "buyers": -PRICE_CENTS}
    deliver(query, payment)
    deliver(query, payment)
    assert read_book(query, payment) == {**held, "revenue": -PRICE_CENTS}
    assert await ledger.check(shop.app) == []


@pytest.mark.gen_test
async def test_a_fee_that_is_told_otherwise_later_is_another_row(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    assert "fees" not in read_book(query, payment)
    for fee_cents in (30, 10, 10, 30):
        await receive(shop, payment, "E1", fee_cents=fee_cents)
        assert read_book(query, payment)["fees"] == fee_cents
    rows = query("SELECT debit, amount_cents FROM ledger_entries WHERE kind = 'fee' ORDER BY id")
    assert rows == [("fees", 30), ("provider", 20), ("fees", 20)]


@pytest.mark.gen_test
async def test_commission_goes_back_as_the_sale_does_to_the_cent(shop: Shop, query: Query) -> None:
    await keep(shop, 333, 1)
    payment = await sell(shop)
    for place in range(19):
        await go_back(shop, payment, f"R{place}", cents=100)
        assert await ledger.check(shop.app) == []
    await go_back(shop, payment, "R19", cents=90)
    assert read_book(query, payment) == {}


@pytest.mark.gen_test
async def test_commission_is_nothing_until_it_is_set_and_for_one_account_only(shops: list[Shop], query: Query) -> None:
    before = await sell(shops[0])
    await keep(shops[0], 1000, 0)
    await keep(shops[0], 500, 0)
    sold = [await sell(shop, 502, f"E{place}2") for place, shop in enumerate(shops)]
    assert [read_book(query, payment).get("platform", 0) for payment in (before, *sold)] == [0, -99, 0]
    assert await ledger.get_commission(shops[1].app, shops[1].tenant.account_id) == ledger.Commission()
    with pytest.raises(Invalid):
        await keep(shops[0], 10_001, 0)


@pytest.mark.gen_test
async def test_no_row_is_ever_changed_or_booked_twice(shop: Shop, query: Query) -> None:
    await keep(shop, 100, 0)
    await sell(shop)
    changes = ("UPDATE {} SET id = DEFAULT", "DELETE FROM {}")
    for change in [change.format(table) for table in ("ledger_entries", "commissions") for change in changes]:
        with pytest.raises(psycopg2.errors.RaiseException, match="immutable"):
            query(change)
    columns = "account_id, payment_id, receipt_id, kind, cause, debit, credit, amount_cents, currency, booked_at"
    with pytest.raises(psycopg2.errors.UniqueViolation):
        query(f"INSERT INTO ledger_entries ({columns}) SELECT {columns} FROM ledger_entries")


@pytest.mark.gen_test
async def test_check_finds_what_is_missing_and_forgets_it_when_it_is_there(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    query(f"{QUIETLY}; UPDATE ledger_entries SET amount_cents = amount_cents - 1; RESET session_replication_role")
    found = [(row.payment_id, row.place, row.booked_cents, row.counted_cents) for row in await ledger.check(shop.app)]
    assert found == [
        (payment.id, "buyers", 1 - PRICE_CENTS, -PRICE_CENTS),
        (payment.id, "provider", PRICE_CENTS - 1, PRICE_CENTS),
    ]
    await troubles.measure(shop.app)
    assert metrics.ledger_differences._value.get() == 2
    query(f"{QUIETLY}; UPDATE ledger_entries SET amount_cents = amount_cents + 1; RESET session_replication_role")
    assert await ledger.check(shop.app) == []
    await troubles.measure(shop.app)
    assert metrics.ledger_differences._value.get() == 0


@pytest.mark.gen_test
async def test_in_thirty_nights_every_payment_is_counted_again(
    shop: Shop, query: Query, clock: Any, expect_errors: list[str]
) -> None:
    for chat_id in (501, 502):
        await sell(shop, chat_id, f"E{chat_id}")
    query(f"{QUIETLY}; DELETE FROM ledger_entries; RESET session_replication_role")
    await ledger.check_nightly(shop.app)  # no quiet hour
    assert query("SELECT count(*) FROM ledger_differences") == [(0,)]
    clock.move(hours=(ledger.QUIET_HOUR_UTC - clock().hour) % 24)
    for _ in range(ledger.NIGHTS):
        await ledger.check_nightly(shop.app)
        clock.move(days=1)
    assert query("SELECT count(DISTINCT payment_id) FROM ledger_differences") == [(2,)]
    assert "`grimbots ledger check`" in expect_errors[0]


@pytest.mark.gen_test
async def test_a_statement_is_of_the_accounts_own_days_and_money(shops: list[Shop], clock: Any) -> None:
    shop = shops[0]
    zone = figures.open_zone("America/Sao_Paulo")
    clock.move(hours=14, minutes=30)  # 23:30 in São Paulo, tomorrow in UTC
    first = await sell(shop, fee_cents=19)
    clock.move(hours=1)
    await go_back(shop, first, cents=990)
    await sell(shops[1], end_to_end_id="E9")
    today = clock().astimezone(zone).date()
    span = figures.Span(shop.tenant.account_id, zone, today, today)
    told = await ledger.state(shop.app, span)
    assert [(line["kind"], line["amount_cents"], line["provider_cents"]) for line in told.lines] == [
        ("refund", 990, PRICE_CENTS - 19 - 990)
    ]
    assert (told.opening["provider"], told.closing["provider"]) == (PRICE_CENTS - 19, PRICE_CENTS - 19 - 990)
    assert sum(told.closing.values()) == 0 and told.unknown_fees == 0
    yesterday = figures.Span(shop.tenant.account_id, zone, today - timedelta(days=1), today - timedelta(days=1))
    before = await ledger.state(shop.app, yesterday)
    assert [line["kind"] for line in before.lines] == ["charge", "fee"] and before.lines[0]["date"].endswith("-03:00")
    text = spreadsheets.write(ledger.COLUMNS, [tuple(line.values()) for line in before.lines])
    assert text.splitlines()[0] == "date,kind,payment,debit,credit,amount_cents,currency,provider_cents"
    with pytest.raises(Invalid):
        await ledger.state(shop.app, figures.Span(1, zone, today, today - timedelta(days=1)))


@pytest.mark.gen_test
async def test_a_fee_nobody_has_told_is_said_to_be_unknown(shop: Shop, clock: Any) -> None:
    await sell(shop)
    day = clock().date()
    span = figures.Span(shop.tenant.account_id, figures.open_zone("UTC"), day, day)
    assert (await ledger.state(shop.app, span)).unknown_fees == 1
