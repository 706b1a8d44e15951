"""What waits for a person, as /metrics shows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grimbots.conf import metrics
from grimbots.services import payments, troubles
from grimbots.services.errors import Unavailable
from grimbots.sql.database import Database
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import write_event
from grimbots.tests.services.shops import PRICE_CENTS, Shop


def read(name: str, **labels: str) -> float:
    """Return a series' value as it would be scraped."""
    value = metrics.REGISTRY.get_sample_value(f"grimbots_{name}", labels)
    assert value is not None
    return value


async def pay(shop: Shop, payment: Any, end_to_end_id: str, cents: int) -> None:
    """Take in one transfer."""
    told = {"paid_at": shop.app.clock(), "end_to_end_id": end_to_end_id, "actor": "webhook", "reason": "told"}
    await payments.settle(shop.app, payment_id=payment.id, account_id=payment.account_id, paid_cents=cents, **told)


@pytest.mark.gen_test
async def test_measure_counts_what_was_paid_and_is_not_delivered(shop: Shop, clock: Clock) -> None:
    await pay(shop, await shop.charge(), "E1", PRICE_CENTS)
    await troubles.measure(shop.app)
    assert read("deliveries_owed", status="planned") == 0
    clock.move(minutes=2)
    await troubles.measure(shop.app)
    assert (read("deliveries_owed", status="planned"), read("deliveries_owed", status="failed")) == (1, 0)


@pytest.mark.gen_test
async def test_measure_counts_payments_by_flag(shop: Shop) -> None:
    underpaid, double = await shop.charge(501), await shop.charge(502)
    await pay(shop, underpaid, "E1", 1)
    for end_to_end_id in ("E2", "E3"):
        await pay(shop, double, end_to_end_id, PRICE_CENTS)
    await troubles.measure(shop.app)
    counts = {flag: read("payments_flagged", flag=flag) for flag in troubles.FLAGS}
    assert counts == {"late": 0, "overpaid": 0, "underpaid": 1, "double": 1, "unsold": 0, "erased": 0}


@pytest.mark.gen_test
async def test_measure_counts_events_that_nothing_was_settled_with(shop: Shop, clock: Clock) -> None:
    before = read_closed("unmatched")
    await shop.receive(write_event("f" * 32, end_to_end_id="E9", amount_cents=1, at=clock().isoformat()))
    clock.move(minutes=10)
    await shop.apply_events()
    await troubles.measure(shop.app)
    assert read("payments_events_left_over", status="unmatched") == 1
    assert read_closed("unmatched") == before + 1


def read_closed(status: str) -> float:
    """Return how many events this process has closed with a status."""
    return metrics.REGISTRY.get_sample_value("grimbots_payments_events_closed_total", {"status": status}) or 0.0


@pytest.mark.gen_test
async def test_measure_says_when_postgres_is_away(shop: Shop) -> None:
    nowhere = Database("postgresql://127.0.0.1:1/nothing", timeout_seconds=0.5)
    await nowhere.open()
    with pytest.raises(Unavailable):
        await troubles.measure(replace(shop.app, db=nowhere))
    await nowhere.close()
