"""Subscriptions with the clock moved: reminders, grace, the end, renewal from the old end, return; each told once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grimbots.services import accesses, leads, subscriptions
from grimbots.services.funnels.effects import Grant
from grimbots.tests.services.vips import BUYER, WAYS

SAID = {
    "ending": "⏳ A sua assinatura",
    "grace": "⚠️ A sua assinatura",
    "ended": "A sua assinatura de",
    "stay": "✅ Assinatura renovada! Você",
    "given": "🎁 O seu acesso",
}


async def list_news(vip: Any) -> list[str]:
    """Give what the buyer was told of the subscription."""
    words = {said: word for word, said in SAID.items()}
    return [words[said] for said in await vip.list_said() if said in words]


@pytest.mark.gen_test
async def test_subscription_reminds_waits_puts_out_and_takes_back(open_vip: Any, clock: Any) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.pass_time(days=2)
    assert vip.read_access() == ("granted", None, 30)
    await vip.join()
    ends_at = clock() + timedelta(days=30)
    assert vip.read_access() == ("inside", ends_at, 0)
    await vip.pass_time(days=26)
    assert await list_news(vip) == ["given"]
    await vip.pass_time(days=1)
    assert await list_news(vip) == ["given", "ending"]
    await vip.pass_time(days=2)
    assert await list_news(vip) == ["given", "ending", "ending"]
    await vip.pass_time(days=1)
    assert (await list_news(vip))[-1] == "grace" and await vip.status() == "member"
    await vip.pass_time(days=2)
    assert (await list_news(vip))[-1] == "ended"
    assert (await vip.status(), vip.read_access()[0]) == ("left", "removed")
    await vip.buy(70)
    assert vip.read_access() == ("granted", None, 30)
    await vip.join()
    assert (await vip.status(), vip.read_access()) == ("member", ("inside", clock() + timedelta(days=30), 0))
    await vip.pass_time(days=27)
    assert (await list_news(vip))[-2:] == ["given", "ending"]


@pytest.mark.gen_test
@pytest.mark.parametrize("after_days", [10, 31])
async def test_renewal_extends_from_the_old_end_and_nobody_is_put_out(
    open_vip: Any,
    clock: Any,
    after_days: int,
) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.join()
    ends_at = clock() + timedelta(days=30)
    await vip.pass_time(days=after_days)
    await vip.buy(70)
    assert vip.read_access() == ("inside", ends_at + timedelta(days=30), 0)
    assert (await list_news(vip))[-1] == "stay"
    await vip.pass_time(days=40 - after_days)
    assert (await vip.status(), vip.list_acts()) == ("member", [(BUYER, "done", "approved")])
    await vip.pass_time(days=17)
    assert (await list_news(vip))[-1] == "ending"
    await vip.pass_time(days=6)
    assert (await vip.status(), (await list_news(vip)).count("ended")) == ("left", 1)


@pytest.mark.gen_test
async def test_renewal_between_the_end_and_the_putting_out_keeps_the_buyer_in(
    open_vip: Any,
    clock: Any,
) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.join()
    clock.move(days=32)
    (timer,) = [
        one
        for one in await vip.app.db.timers.claim_due(now=clock(), claimed_until=clock(), limit=9)
        if one.kind == subscriptions.tick.name
        and one.payload["number"] == vip.query("SELECT ticks FROM accesses")[0][0]
    ]
    done = await subscriptions.tick(vip.app, timer_id=timer.id, **timer.payload)
    assert vip.read_access()[0] == "ending" and done is not None
    await vip.buy(70)
    await vip.run(done.follow_ups)
    assert (await vip.status(), vip.read_access()[0]) == ("member", "inside")
    assert vip.list_acts()[-1] == (BUYER, "dropped", None)


@pytest.mark.gen_test
async def test_a_buyer_put_out_at_the_moment_of_paying_gets_a_way_back(open_vip: Any, clock: Any) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.join()
    for method in ("banChatMember", "unbanChatMember"):
        await vip.driver.call(method, chat_id=vip.group, user_id=BUYER)
    assert await vip.status() == "left"
    await vip.hear()
    assert vip.read_access()[0] == "outside"
    await vip.join()
    assert await vip.status() == "member"


@pytest.mark.gen_test
async def test_a_timer_run_twice_tells_once(open_vip: Any, clock: Any) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.join()
    clock.move(days=27)
    due = await vip.app.db.timers.claim_due(now=clock(), claimed_until=clock(), limit=9)
    for timer in [*due, *due]:
        if timer.kind == subscriptions.tick.name:
            done = await subscriptions.tick(vip.app, timer_id=timer.id, **timer.payload)
            await vip.run(done.follow_ups if done else ())
    assert (await list_news(vip)).count("ending") == 1
    pending = "SELECT count(*) FROM timers WHERE kind = 'accesses.tick' AND status = 'pending'"
    assert vip.query(pending) == [(1,)]


@pytest.mark.gen_test
async def test_reminders_missed_in_an_outage_are_told_as_one(open_vip: Any, clock: Any) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.join()
    clock.move(days=29, hours=12)
    await vip.fire()
    await vip.fire()
    assert await list_news(vip) == ["given", "ending"]
    assert "12 horas" in (await vip.read_chat())[-1]["text"]


@pytest.mark.gen_test
async def test_the_button_of_a_reminder_leads_to_the_offer(open_vip: Any) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.join()
    await vip.pass_time(days=28)
    reminder = (await vip.read_chat())[-1]
    data = reminder["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    tap = {"id": "1", "from": {"id": BUYER}, "message": {"message_id": 1, "chat": {"id": BUYER}}, "data": data}
    await vip.handle({"update_id": 5, "callback_query": tap})
    assert (await vip.read_chat())[-1]["text"] == "VIP"


@pytest.mark.gen_test
async def test_an_invite_bought_by_a_subscriber_has_no_end(open_vip: Any) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.join()
    await vip.sell_way("invite")
    await vip.buy(70)
    assert vip.read_access() == ("inside", None, 0)
    await vip.pass_time(days=40)
    assert await vip.status() == "member"
    assert WAYS["invite"] == {"kind": "invite"}


@pytest.mark.gen_test
async def test_a_payment_gives_its_days_once(open_vip: Any) -> None:
    vip = await open_vip("subscription")
    payment = await vip.buy()
    grant = Grant(group=vip.group, by_request=True, stay={}, days=30)
    async with vip.app.db.transaction() as tx:
        lead = await leads.lock_by_id(tx, account_id=payment.account_id, lead_id=payment.lead_id)
        await accesses.give(vip.app, tx, lead=lead, payment_id=payment.id, step="access", grant=grant)
    assert vip.read_access() == ("granted", None, 30)
