"""Campaigns: each recipient once and in order, at a bot's pace, through pauses, repeats and deaths in the middle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import redis.asyncio

from grimbots.queue.memory import MemoryLevel
from grimbots.queue.operators import Operator
from grimbots.queue.overviews import Glimpse
from grimbots.queue.worker import Worker
from grimbots.services import campaigns, leads, messages, payments, sweep
from grimbots.services.arrivals import Person
from grimbots.services.errors import Conflict, Invalid, NotFound
from grimbots.services.funnels import versions
from grimbots.tests.conftest import Clock
from grimbots.tests.queue.desks import wait_until
from grimbots.tests.services.shops import FUNNEL, Shop

Query = Callable[..., list[Any]]

NEWS = {
    **FUNNEL,
    "name": "novidade",
    "start": "news",
    "steps": [
        {"id": "news", "kind": "message", "text": "Oi, {{first_name}}!", "next": "offer"},
        *FUNNEL["steps"],
    ],
}


@pytest.fixture
def news(shop: Shop, io_loop: Any) -> Shop:
    """Give the shop with a second funnel: two messages, then whatever the lead presses."""
    io_loop.run_sync(partial(versions.publish, shop.app, shop.tenant.account_id, NEWS, {}, actor="test"))
    return shop


async def add_leads(shop: Shop, count: int, first_chat: int = 1001) -> list[Any]:
    bot = await shop.app.bots.by_id(shop.app, shop.tenant.bot_id)
    async with shop.app.db.transaction() as tx:
        return [
            await leads.lock(tx, bot, chat, Person(f"Ana {chat}"), shop.app.clock())
            for chat in range(first_chat, first_chat + count)
        ]


async def start(shop: Shop, **changes: Any) -> Any:
    values: dict[str, Any] = {
        "account": shop.tenant.name,
        "bot": f"{shop.tenant.name}_bot",
        "funnel": "novidade",
        "audience": "all",
        "quiet_days": 0,
        "starts_at": shop.app.clock(),
        "actor": "test",
    }
    return await campaigns.start(shop.app, **{**values, **changes})


async def expand(shop: Shop, campaign: Any, number: int) -> list[Glimpse]:
    """Run a slice's job, as the queue would; returns the jobs it handed on."""
    before = {job.id for job in await list_broadcasts(shop)}
    await campaigns.expand(shop.app, account_id=shop.tenant.account_id, campaign_id=campaign.id, number=number)
    return [job for job in await list_broadcasts(shop) if job.id not in before]


async def list_broadcasts(shop: Shop) -> list[Glimpse]:
    waiting = await shop.app.queue.reads.list_next("campaigns", 1000)
    return [job for job in waiting if job.header["task"] == "messages.broadcast"]


async def list_recipients(shop: Shop, campaign: Any) -> list[str]:
    """Plan every slice, its messages taken for sent; returns the recipients' job ids."""
    recipients: list[str] = []
    for number in range(100):
        recipients += [job.id for job in await expand(shop, campaign, number)]
        await shop.app.db.campaigns.discard_planned(account_id=shop.tenant.account_id, campaign_id=campaign.id)
        (listed,) = await campaigns.list_campaigns(shop.app, shop.tenant.name)
        if listed.status == "finished":
            return recipients
    raise AssertionError("the campaign does not end")


@pytest.mark.gen_test
async def test_each_present_lead_is_planned_once(news: Shop) -> None:
    known = await add_leads(news, 30)
    campaign = await start(news)
    await add_leads(news, 1, first_chat=5001)  # later than the campaign
    assert await list_recipients(news, campaign) == [f"c:{campaign.id}:{lead.id}" for lead in known]


@pytest.mark.gen_test
async def test_slice_run_again_plans_nothing_more(news: Shop, query: Query) -> None:
    await add_leads(news, 30)
    campaign = await start(news)
    assert len(await expand(news, campaign, 0)) == campaigns.MESSAGES_A_SECOND // 2  # two messages each
    assert await expand(news, campaign, 0) == []
    assert query("SELECT count(*), count(DISTINCT lead_id), min(policy) FROM messages") == [(24, 12, "once")]


@pytest.mark.gen_test
async def test_slice_begins_all_over_its_second(news: Shop) -> None:
    await add_leads(news, 30)
    jobs = await expand(news, await start(news, funnel="curso"), 0)
    holds_ms = [job.header.get("held_until", job.header["at"]) - job.header["at"] for job in jobs]
    assert holds_ms == [40 * place for place in range(25)]


@pytest.mark.gen_test
async def test_what_a_slice_did_not_hand_on_the_sweep_does(news: Shop, clock: Clock) -> None:
    await add_leads(news, 3)
    operator = Operator(news.app.queue)
    await operator.drain("queue", "campaigns")
    assert await expand(news, await start(news), 0) == []
    await operator.resume("queue", "campaigns")
    clock.move(seconds=31)
    await sweep.sweep(news.app)
    assert (await news.app.queue.reads.count_jobs())["campaigns"].enqueued == 3  # a job per lead, not per message


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("audience", "meant"),
    [("all", {501, 502, 503}), ("buyers", {501}), ("others", {502, 503}), ("unpaid", {502})],
)
async def test_audience_is_who_it_says(news: Shop, query: Query, audience: str, meant: set[int]) -> None:
    await add_leads(news, 3, first_chat=501)
    paid, _ = await news.charge(501), await news.charge(502)
    news.provider.pay(paid.txid)
    await payments.ask(news.app, paid, actor="test")
    campaign = await start(news, audience=audience)
    await expand(news, campaign, 0)
    said = query("SELECT DISTINCT chat_id FROM messages WHERE campaign_id = %s", campaign.id)
    assert {chat for (chat,) in said} == meant


@pytest.mark.gen_test
async def test_who_was_heard_of_lately_or_has_blocked_the_bot_is_left_in_peace(news: Shop, clock: Clock) -> None:
    quiet, blocked = await add_leads(news, 2)
    async with news.app.db.transaction() as tx:
        await leads.set_status(tx, blocked, "blocked", clock())
    clock.move(days=3)
    await add_leads(news, 1, first_chat=2001)
    campaign = await start(news, quiet_days=3)
    assert await list_recipients(news, campaign) == [f"c:{campaign.id}:{quiet.id}"]


@pytest.mark.gen_test
async def test_slice_waits_while_too_much_is_unsent(news: Shop, query: Query, clock: Clock) -> None:
    await add_leads(news, 100)
    campaign = await start(news)
    planned = 0
    for number in range(10):
        planned += len(await expand(news, campaign, number))
        clock.move(seconds=1)
    assert 2 * planned >= campaigns.MOST_UNSENT > 2 * (planned - campaigns.MESSAGES_A_SECOND // 2)
    query("UPDATE messages SET status = 'sent', sent_at = now()")
    assert await expand(news, campaign, 10)


@pytest.mark.gen_test
async def test_slice_waits_while_the_memory_of_redis_is_short(news: Shop, clock: Clock) -> None:
    await add_leads(news, 100)
    campaign = await start(news)
    async with redis.asyncio.from_url(news.app.queue.url, protocol=3) as client:
        used = (await client.info("memory"))["used_memory"]
        await client.config_set("maxmemory", int(used / 0.77))
        try:
            await wait_until(lambda: news.app.queue.memory_level is MemoryLevel.HIGH)
            assert await expand(news, campaign, 0) == []
        finally:
            await client.config_set("maxmemory", 0)
    await wait_until(lambda: news.app.queue.memory_level is MemoryLevel.EASY)
    clock.move(seconds=1)
    assert await expand(news, campaign, 1)


@pytest.mark.gen_test
async def test_slices_come_due_a_second_apart(news: Shop, clock: Clock) -> None:
    await add_leads(news, 100)
    campaign = await start(news, starts_at=clock() + timedelta(minutes=5))
    assert await campaigns.hand_out_due(news.app) == 0
    clock.move(minutes=5)
    assert await campaigns.hand_out_due(news.app) == 1
    assert await campaigns.hand_out_due(news.app) == 0  # it is in the queue
    await expand(news, campaign, 0)
    assert await campaigns.hand_out_due(news.app) == 0
    clock.move(seconds=1)
    assert await campaigns.hand_out_due(news.app) == 1


@pytest.mark.gen_test
async def test_lost_slice_is_handed_out_again(news: Shop, clock: Clock) -> None:
    await start(news)
    await campaigns.hand_out_due(news.app)
    clock.move(seconds=16)
    assert await campaigns.hand_out_due(news.app) == 1


@pytest.mark.gen_test
async def test_pause_resume_and_stop_hold_wherever_they_are_asked(news: Shop, query: Query, clock: Clock) -> None:
    await add_leads(news, 30)
    campaign = await start(news)
    key = {"account": news.tenant.name, "campaign_id": campaign.id, "actor": "test"}
    await campaigns.pause(news.app, **key)
    assert await campaigns.hand_out_due(news.app) == 0
    assert await expand(news, campaign, 0) == []  # handed out before
    await campaigns.resume(news.app, **key)
    assert await campaigns.hand_out_due(news.app) == 1
    await expand(news, campaign, 0)
    await campaigns.stop(news.app, **key)
    assert query("SELECT DISTINCT status FROM messages") == [("discarded",)]
    with pytest.raises(Conflict, match="is stopped"):
        await campaigns.resume(news.app, **key)
    noted = query("SELECT action FROM audit WHERE subject = %s ORDER BY id", f"campaign:{campaign.id}")
    assert [action for (action,) in noted] == [f"campaign.{verb}" for verb in ("start", "paused", "running", "stopped")]


@pytest.mark.gen_test
async def test_message_of_which_nothing_is_known_is_not_said_twice(
    news: Shop, fake_telegram: Any, query: Query
) -> None:
    await add_leads(news, 1)
    (job,) = await expand(news, await start(news), 0)
    query("UPDATE messages SET status = 'sending', sending_at = now() WHERE ordinal = 0")  # killed around the call
    await messages.broadcast(news.app, account_id=news.tenant.account_id, cause=job.id)
    assert query("SELECT ordinal, status FROM messages ORDER BY ordinal") == [(0, "uncertain"), (1, "sent")]
    assert len(fake_telegram.list_calls("sendMessage")) == 1


@pytest.mark.gen_test
async def test_button_of_a_campaign_leads_on_and_the_campaign_itself_moves_nobody(news: Shop, query: Query) -> None:
    before = await add_leads(news, 1)
    await expand(news, await start(news), 0)
    assert query("SELECT version_id, step FROM leads") == [(before[0].version_id, before[0].step)]
    assert query("SELECT count(*) FROM messages WHERE nonce IS NOT NULL") == [(1,)]


@pytest.mark.gen_test
async def test_worker_says_it_all_in_each_leads_order(news: Shop, fake_telegram: Any, query: Query) -> None:
    await add_leads(news, 12)
    campaign = await start(news)
    worker = Worker(news.app.queue, news.app)
    running = worker.start()
    await campaigns.hand_out_due(news.app)
    calls = await fake_telegram.wait_for_calls(24)
    await worker.drain(5)
    await running
    texts = {
        chat: [call.params["text"] for call in calls if call.params["chat_id"] == chat] for chat in range(1001, 1013)
    }
    assert texts == {chat: [f"Oi, Ana {chat}!", "Curso por R$ 19,90"] for chat in range(1001, 1013)}
    (listed,) = await campaigns.list_campaigns(news.app, news.tenant.name)
    assert (listed.recipients, listed.sent, listed.failed, listed.uncertain) == (12, 24, 0, 0), campaign


@pytest.mark.gen_test
async def test_start_refuses_what_it_cannot_say(news: Shop, shops: list[Shop]) -> None:
    with pytest.raises(NotFound, match="no published funnel"):
        await start(news, funnel="outra")
    with pytest.raises(NotFound, match="no bot"):
        await start(news, bot=f"{shops[1].tenant.name}_bot")
    with pytest.raises(Invalid, match="audience"):
        await start(news, audience="everybody")
