"""What comes too late: /starts of yesterday, taps that waited for hours, and clocks that are wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client import Counter

from grimbots.conf import metrics
from grimbots.tests.conftest import FIRST_INSTANT
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.log_lines import open_log_lines

STEP = "SELECT step FROM leads"


def count(metric: Counter) -> float:
    """Read a counter."""
    return float(metric._value.get())


@pytest.mark.gen_test
@pytest.mark.parametrize(("hours", "jobs"), [(0, 1), (5.9, 1), (6.1, 0), (23.9, 0)])
async def test_start_after_hours_does_not_throw_a_lead_back(buyer: Buyer, hours: float, jobs: int) -> None:
    await buyer.say("/start")
    await buyer.tap("Ver")
    sent_at = FIRST_INSTANT - timedelta(seconds=1)
    update = buyer.make_text("/start", sent_at)
    buyer.app.clock.move(hours=hours)
    assert len(await buyer.handle(update)) == jobs
    assert buyer.query(STEP) == [("welcome" if jobs else "offer",)]


@pytest.mark.gen_test
@pytest.mark.parametrize("hours", [7, 23.9])
async def test_start_of_a_new_lead_is_answered_for_a_day(buyer: Buyer, hours: float) -> None:
    update = buyer.make_text("/start ad7")
    buyer.app.clock.move(hours=hours)
    assert len(await buyer.handle(update)) == 1
    assert buyer.query(STEP) == [("welcome",)]


@pytest.mark.gen_test
async def test_start_of_a_lead_who_has_done_nothing_since_is_answered(buyer: Buyer) -> None:
    await buyer.say("/start")
    await buyer.tap("Ver")
    buyer.app.clock.move(hours=1)
    update = buyer.make_text("/start")
    buyer.app.clock.move(hours=20)
    await buyer.handle(update)
    assert buyer.query(STEP) == [("welcome",)]


@pytest.mark.gen_test
async def test_second_start_of_an_old_backlog_says_nothing(buyer: Buyer) -> None:
    updates = [buyer.make_text("/start") for _ in range(3)]
    buyer.app.clock.move(hours=20)
    before = count(metrics.updates_late.labels("start"))
    assert [len(await buyer.handle(update)) for update in updates] == [1, 0, 0]
    assert count(metrics.updates_late.labels("start")) == before + 2
    assert buyer.count("applied_updates") == 3


@pytest.mark.gen_test
@pytest.mark.parametrize("text", ["/start", "oi"])
async def test_start_that_waited_over_a_day_in_our_queue_says_nothing(buyer: Buyer, text: str) -> None:
    update = buyer.make_text(text)
    buyer.app.clock.move(hours=24.1)
    assert await buyer.handle(update, received_at=FIRST_INSTANT) == []
    assert (buyer.query(STEP), buyer.count("messages")) == ([("",)], 0)


@pytest.mark.gen_test
@pytest.mark.parametrize("days", [-400, 400])
async def test_start_is_answered_where_a_clock_is_wrong(buyer: Buyer, days: int) -> None:
    await buyer.say("/start")
    await buyer.tap("Ver")
    update = buyer.make_text("/start", FIRST_INSTANT + timedelta(days=days))
    assert len(await buyer.handle(update)) == 1


@pytest.mark.gen_test
async def test_start_without_a_date_is_answered(buyer: Buyer) -> None:
    update = buyer.make_text("/start")
    del update["message"]["date"]
    assert len(await buyer.handle(update)) == 1


@pytest.mark.gen_test
async def test_late_start_still_shows_that_the_lead_is_there(buyer: Buyer) -> None:
    await buyer.say("/start")
    update = buyer.make_text("/start", FIRST_INSTANT - timedelta(seconds=1))
    await buyer.handle(buyer.make_membership("kicked"))
    buyer.app.clock.move(hours=8)
    assert await buyer.handle(update) == []
    assert buyer.query("SELECT status FROM leads") == [("active",)]


@pytest.mark.gen_test
@pytest.mark.parametrize(("seconds", "step"), [(150, "offer"), (151, "welcome")])
async def test_tap_that_waited_past_its_life_does_not_lead_anywhere(buyer: Buyer, seconds: int, step: str) -> None:
    await buyer.say("/start")
    tap = buyer.make_tap(buyer.find_button("Ver"))
    buyer.app.clock.move(seconds=seconds)
    await buyer.say("/start")
    buyer.query("UPDATE leads SET step = 'bye'")
    before = count(metrics.updates_late.labels("tap"))
    jobs = await buyer.handle(tap, received_at=FIRST_INSTANT)
    assert len(jobs) == (step == "offer")
    assert count(metrics.updates_late.labels("tap")) == before + (step != "offer")


@pytest.mark.gen_test
async def test_tap_that_waited_for_hours_acts_where_its_lead_still_stands(buyer: Buyer) -> None:
    await buyer.say("/start")
    tap = buyer.make_tap(buyer.find_button("Ver"))
    buyer.app.clock.move(hours=3)
    assert len(await buyer.handle(tap, received_at=FIRST_INSTANT)) == 1
    assert buyer.query(STEP) == [("offer",)]


@pytest.mark.gen_test
async def test_late_update_handled_again_stays_late(buyer: Buyer) -> None:
    await buyer.say("/start")
    update = buyer.make_text("/start", FIRST_INSTANT - timedelta(seconds=1))
    buyer.app.clock.move(hours=8)
    with open_log_lines() as log:
        assert [await buyer.handle(update) for _ in range(2)] == [[], []]
    assert "comes too late to be acted upon (start)" in log.read()[0]
