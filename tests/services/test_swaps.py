"""Swaps: a message and a tap of one person that Telegram's two queues bring in the wrong order; on a real worker."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from grimbots.conf import metrics
from grimbots.queue.inspector import Inspector
from grimbots.services import intake
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.workers import work

PATIENCE_SECONDS = 30.0


async def arrive(buyer: Buyer, *updates: dict[str, Any]) -> None:
    """Let updates arrive one after the other, each answered before the next comes."""
    bot = await buyer.app.bots.by_id(buyer.app, buyer.tenant.bot_id)
    for update in updates:
        await intake.receive(buyer.app, bot, json.dumps(update).encode())


async def wait_applied(buyer: Buyer, count: int) -> None:
    """Wait until so many updates have been applied."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while buyer.count("applied_updates") < count:
            await asyncio.sleep(0.005)


async def read_overtakes(app: Any) -> int:
    return next(depth.overtakes for depth in await Inspector(app.queue).queues() if depth.queue == "tasks")


def count_missed() -> float:
    return float(metrics.updates_swapped._value.get())


def list_steps(buyer: Buyer) -> list[str]:
    """Give the steps that spoke, in the order in which they were planned."""
    return [step for (step,) in buyer.query("SELECT step FROM messages ORDER BY id")]


@pytest.mark.gen_test
async def test_tap_before_the_older_message_is_put_right(buyer: Buyer, app: Any) -> None:
    await buyer.say("/start")
    message, tap = buyer.make_text("/start"), buyer.make_tap(buyer.find_button("Ver"))
    missed = count_missed()
    async with work(app):
        await arrive(buyer, tap, message)
        await wait_applied(buyer, 3)
    assert list_steps(buyer) == ["welcome", "welcome", "offer"]
    assert (await read_overtakes(app), count_missed() - missed) == (1, 0)


@pytest.mark.gen_test
async def test_many_swaps_are_all_put_right(buyer: Buyer, app: Any) -> None:
    buyers = [Buyer(app, buyer.tenant, buyer.query, chat_id=5000 + n) for n in range(20)]
    swaps = []
    for place, one in enumerate(buyers):
        one.next_update_id = 10_000 + 10 * place
        await one.say("/start")
        swaps.append((one.make_text("/start"), one.make_tap(one.find_button("Ver"))))
    missed = count_missed()
    async with work(app):
        await asyncio.gather(*(arrive(one, tap, message) for one, (message, tap) in zip(buyers, swaps, strict=True)))
        await wait_applied(buyer, 60)
    assert buyer.query("SELECT DISTINCT step FROM leads") == [("offer",)]
    assert (await read_overtakes(app), count_missed() - missed) == (20, 0)


@pytest.mark.gen_test
async def test_tap_after_the_newer_message_is_put_right_while_that_waits(buyer: Buyer, app: Any) -> None:
    await buyer.say("/start")
    first, tap, last = buyer.make_text("oi"), buyer.make_tap(buyer.find_button("Ver")), buyer.make_text("/start")
    await arrive(buyer, first, last, tap)
    async with work(app):
        await wait_applied(buyer, 4)
    assert list_steps(buyer) == ["welcome", "offer", "welcome"]
    assert await read_overtakes(app) == 1


@pytest.mark.gen_test
async def test_tap_after_a_newer_text_is_put_right(buyer: Buyer, app: Any) -> None:
    await buyer.say("/start")
    tap, text = buyer.make_tap(buyer.find_button("Ver")), buyer.make_text("quanto custa?")
    missed = count_missed()
    async with work(app):
        await arrive(buyer, text, tap)
        await wait_applied(buyer, 3)
    assert (await read_overtakes(app), count_missed() - missed) == (1, 0)


@pytest.mark.gen_test
async def test_tap_after_the_newer_message_has_acted_is_counted(buyer: Buyer, app: Any) -> None:
    await buyer.say("/start")
    tap, message = buyer.make_tap(buyer.find_button("Ver")), buyer.make_text("/start")
    missed = count_missed()
    async with work(app):
        await arrive(buyer, message)
        await wait_applied(buyer, 2)
        await arrive(buyer, tap)
        await wait_applied(buyer, 3)
    assert list_steps(buyer) == ["welcome", "welcome", "offer"]
    assert (await read_overtakes(app), count_missed() - missed) == (0, 1)


@pytest.mark.gen_test
async def test_updates_in_order_count_as_no_swap(buyer: Buyer, app: Any) -> None:
    missed = count_missed()
    await buyer.say("/start")
    updates = [buyer.make_text("oi"), buyer.make_tap(buyer.find_button("Ver")), buyer.make_text("tchau")]
    async with work(app):
        await arrive(buyer, *updates)
        await wait_applied(buyer, 4)
    assert (await read_overtakes(app), count_missed() - missed) == (0, 0)


@pytest.mark.gen_test
async def test_ids_that_begin_anew_are_no_swap(buyer: Buyer, app: Any) -> None:
    await buyer.say("/start")
    app.clock.move(days=8)
    buyer.next_update_id = 3
    missed = count_missed()
    await buyer.say("/start")
    assert count_missed() == missed


@pytest.mark.gen_test
async def test_held_tap_outlives_the_worker_that_met_it(buyer: Buyer, app: Any) -> None:
    await buyer.say("/start")
    async with work(app):
        await arrive(buyer, buyer.make_tap(buyer.find_button("Ver")))
    async with work(app):
        await wait_applied(buyer, 2)
    assert list_steps(buyer) == ["welcome", "offer"]
