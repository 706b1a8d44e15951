"""Every task, run for one account: the other's rows stay as they were, even where what came from outside names them.

The tasks come from the registry itself: one that is not listed here fails the first test.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from grimbots.queue.task import REGISTRY, Again
from grimbots.services import (
    admissions,
    campaigns,
    checks,
    clicks,
    conversion_sends,
    crons,
    deliveries,
    erasures,
    events,
    lookbacks,
    managed_bots,
    messages,
    nudges,
    payments,
    posts,
    refunds,
    returns,
    statements,
    subscriptions,
    takeovers,
    wakes,
    warmups,
)
from grimbots.services.errors import NotFound
from grimbots.tests.services import returning
from grimbots.tests.services.buyers import Buyer
from grimbots.tests.services.chats import send_planned
from grimbots.tests.services.shops import Shop
from grimbots.tests.worlds import OTHERS_CHAT, World, make_world

Run = Callable[[World], Awaitable[Any]]


def make_stranger(world: World, shop: Shop) -> Buyer:
    """Give somebody at a shop's bot, in a chat of the number that the other's buyer has."""
    return Buyer(shop.app, shop.tenant, world.query, chat_id=OTHERS_CHAT)


async def send(world: World) -> None:
    world.query("UPDATE messages SET status = 'planned' WHERE id = %s", world.own.message_id)
    await send_planned(world.own_shop.app, world.own.message_id)


async def broadcast_others_message(world: World) -> None:
    wanted = "SELECT DISTINCT cause FROM messages WHERE account_id = %s AND chat_id = %s AND status = 'planned'"
    ((cause,),) = world.query(wanted, world.other.account_id, OTHERS_CHAT)
    await messages.broadcast(world.own_shop.app, account_id=world.own.account_id, cause=cause)


async def retry(world: World) -> None:
    ((delivery_id,),) = world.query("SELECT id FROM deliveries WHERE account_id = %s", world.own.account_id)
    await deliveries.retry(world.own_shop.app, timer_id=0, delivery_id=delivery_id)


async def charge(world: World) -> None:
    await world.own_shop.charge(OTHERS_CHAT)


async def verify(world: World) -> None:
    payment = await world.own_shop.charge(OTHERS_CHAT)
    await payments.verify(world.own_shop.app, payment_id=payment.id, cause="u:1:1")


async def expire(world: World) -> None:
    payment = await world.own_shop.charge(OTHERS_CHAT)
    ((timer_id,),) = world.query("SELECT id FROM timers WHERE payment_id = %s", payment.id)
    await payments.expire(world.own_shop.app, timer_id=timer_id, payment_id=payment.id)


async def check(world: World) -> None:
    payment = await world.own_shop.charge(OTHERS_CHAT)
    await checks.check(world.own_shop.app, payment_id=payment.id, number=0)


async def refund(world: World) -> None:
    """Refund an own sale whose transfer has the same id as the other's."""
    payment = await returning.sell(world.own_shop, OTHERS_CHAT)
    row = await refunds.ask(world.own_shop.app, account_id=payment.account_id, payment_id=payment.id, actor="user:1")
    await refunds.do(world.own_shop.app, return_id=row.id)


async def look(world: World) -> None:
    payment = await returning.sell(world.own_shop, OTHERS_CHAT)
    await returns.look(world.own_shop.app, payment_id=payment.id)


async def look_back(world: World) -> None:
    payment = await returning.sell(world.own_shop, OTHERS_CHAT)
    await lookbacks.look_back(world.own_shop.app, payment_id=payment.id, paid_at=world.own_shop.app.clock().timestamp())


async def start_with_others_token(world: World) -> None:
    """Start the own bot by a token of the other's tracked links."""
    token = clicks.make_token(world.own_shop.app, world.other.account_id)
    await make_stranger(world, world.own_shop).say(f"/start {token}")
    assert world.query("SELECT count(*) FROM clicks") == [(0,)]


async def tap_others_button(world: World) -> None:
    """Tap, at the own bot, a button that the other's bot has shown in a chat of the same number."""
    stranger = make_stranger(world, world.own_shop)
    assert await stranger.handle(stranger.make_tap(world.find_button_of_other())) == []


async def apply_event_of_others_charge(world: World) -> None:
    """Act upon an event of the own gateway, truly signed, that names the other's charge."""
    await world.own_shop.receive(await world.write_event_of_other())
    (event_id,) = await world.own_shop.list_events()
    with pytest.raises(Again, match="no charge of this gateway account"):
        await events.apply(world.own_shop.app, event_id=event_id)


async def compare_statement_with_others_charge(world: World) -> None:
    """Go through the own provider's statement, on which the other's charge stands, paid."""
    shop, provider = world.own_shop, world.own_shop.provider
    pending = await world.other_shop.read(world.other.payment_id + 1)
    provider.charges["api key of tenant1", pending.txid] = {**provider.charges["api key of tenant2", pending.txid]}
    provider.pay(pending.txid, end_to_end_id="E9")
    (account,) = await shop.app.db.gateway_accounts.list_in_service(account_id=world.own.account_id)
    now = shop.app.clock()
    job = statements.job(world.own.account_id, account.id, now - timedelta(hours=1), now + timedelta(minutes=1))
    await statements.compare(shop.app, **job.payload)
    found = "SELECT payment_id FROM statement_differences WHERE kind = 'stranger' AND account_id = %s"
    assert world.query(found, world.own.account_id) == [(None,)]


async def expand_others_campaign(world: World) -> None:
    ((campaign_id, number),) = world.query("SELECT id, slices FROM campaigns")
    own_id = world.own.account_id
    await campaigns.expand(world.own_shop.app, account_id=own_id, campaign_id=campaign_id, number=number)


def add_group(world: World) -> int:
    """Give the own bot a group."""
    add = (
        "INSERT INTO groups (account_id, bot_id, chat_id, status, status_since, asked_at)"
        " VALUES (%s, %s, -100, 'ready', now(), now()) RETURNING id"
    )
    return int(world.query(add, world.own.account_id, world.own_shop.tenant.bot_id)[0][0])


async def answer_others_buyer(world: World) -> None:
    """Answer the other's buyer, who asks to come into the own bot's group."""
    add = (
        "INSERT INTO group_acts (account_id, group_id, user_id, act, cause, planned_at)"
        " VALUES (%s, %s, %s, 'answer', 'u:0:0', now()) RETURNING id"
    )
    ((act_id,),) = world.query(add, world.own.account_id, add_group(world), OTHERS_CHAT)
    await admissions.do(world.own_shop.app, act_id=act_id)
    assert world.query("SELECT outcome FROM group_acts") == [("declined",)]


async def end_access(world: World) -> None:
    """End the time of an own buyer, who has bought of the other too."""
    add = (
        "INSERT INTO accesses (account_id, group_id, lead_id, user_id, payment_id, step, status, by_request, lasts,"
        " ends_at, told_at, entered_at, created_at)"
        " SELECT account_id, %s, lead_id, 501, id, 'access', 'inside', true, false, '2000-01-01', now(), now(), now()"
        " FROM payments WHERE id = %s RETURNING id"
    )
    ((access_id,),) = world.query(add, add_group(world), world.own.payment_id)
    await subscriptions.tick(world.own_shop.app, timer_id=0, access_id=access_id, number=0)
    assert world.query("SELECT status FROM accesses") == [("ending",)]


async def keep_the_days(world: World) -> None:
    """Run a cron, which is the installation's and no account's."""
    await crons.run(world.own_shop.app, name="keep_days", due_at=0.0)


async def warm(world: World) -> None:
    ((version_id,),) = world.query("SELECT id FROM funnel_versions WHERE account_id = %s LIMIT 1", world.own.account_id)
    await warmups.warm(world.own_shop.app, bot_id=world.own.bot_id, version_id=version_id)


async def adopt_others_bot(world: World) -> None:
    """Hear, as a manager, of a bot that is another account's."""
    made = {"id": 900_000_002, "username": "tenant2_bot"}
    update = {"update_id": 1, "managed_bot": {"user": {"id": 5}, "bot": made}}
    await managed_bots.adopt(world.own_shop.app, bot_id=world.own.bot_id, update=update)


async def wake_others_lead(world: World) -> None:
    ((lead_id, version_id),) = world.query(
        "SELECT id, version_id FROM leads WHERE account_id = %s AND chat_id = %s", world.other.account_id, OTHERS_CHAT
    )
    where = {"account_id": world.own.account_id, "lead_id": lead_id, "version_id": version_id}
    await wakes.wake(world.own_shop.app, timer_id=0, **where, step="pay", number=0)


async def give_others_nudge(world: World) -> None:
    ((lead_id, version_id),) = world.query(
        "SELECT id, version_id FROM leads WHERE account_id = %s AND chat_id = %s", world.other.account_id, OTHERS_CHAT
    )
    where = {"account_id": world.own.account_id, "lead_id": lead_id, "version_id": version_id}
    what = {"step": "pay", "what": "downsell", "place": 0, "payment_id": None, "stage": 0}
    await nudges.give(world.own_shop.app, timer_id=0, **where, **what)


async def end_others_takeover(world: World) -> None:
    ((lead_id,),) = world.query(
        "SELECT id FROM leads WHERE account_id = %s AND chat_id = %s", world.other.account_id, OTHERS_CHAT
    )
    until = world.own_shop.app.clock()
    await takeovers.end(
        world.own_shop.app, timer_id=0, account_id=world.own.account_id, lead_id=lead_id, until=until.isoformat()
    )


def add_post(world: World, account_id: int, status: str) -> int:
    ((post_id,),) = world.query(
        "INSERT INTO posts (account_id, bot_id, lead_id, cause, ordinal, step, url, body, status, planned_at)"
        " SELECT account_id, bot_id, id, 'test ' || account_id, 0, 'crm', 'http://127.0.0.1:1/', '{}', %s, now()"
        " FROM leads WHERE account_id = %s LIMIT 1 RETURNING id",
        status,
        account_id,
    )
    return int(post_id)


def add_destination(world: World, account_id: int) -> None:
    world.query(
        "INSERT INTO conversion_destinations (account_id, network, credentials_encrypted, events, keeps_seconds,"
        " due_at, created_at, updated_at) VALUES (%s, 'meta', 'x', '{Purchase}', 1, now(), now(), now())",
        account_id,
    )


async def tell_others_destination(world: World) -> None:
    wanted = "SELECT id, rounds FROM conversion_destinations WHERE account_id = %s"
    ((destination_id, number),) = world.query(wanted, world.other.account_id)
    await conversion_sends.send(
        world.own_shop.app, account_id=world.own.account_id, destination_id=destination_id, number=number
    )


async def post(world: World) -> None:
    await posts.send(world.own_shop.app, post_id=add_post(world, world.own.account_id, "planned"))


async def retry_others_post(world: World) -> None:
    ((post_id,),) = world.query("SELECT id FROM posts WHERE account_id = %s", world.other.account_id)
    await posts.retry(world.own_shop.app, timer_id=0, account_id=world.own.account_id, post_id=post_id)


async def erase_others_lead(world: World) -> None:
    ((lead_id,),) = world.query(
        "SELECT id FROM leads WHERE account_id = %s AND chat_id = %s", world.other.account_id, OTHERS_CHAT
    )
    job = erasures.make_job(world.own.account_id, world.own.bot_id, OTHERS_CHAT, lead_id, "lead")
    with suppress(NotFound):
        await erasures.erase(world.own_shop.app, **job.payload)


async def say_goodbye(world: World) -> None:
    where = {"bot_id": world.own.bot_id, "chat_id": OTHERS_CHAT, "group_ids": []}
    await erasures.finish(world.own_shop.app, **where, told=True, language="")


RUNS: dict[str, list[Run]] = {
    "accesses.tick": [end_access],
    "bots.warm": [warm],
    "campaigns.expand": [expand_others_campaign],
    "conversions.send": [tell_others_destination],
    "crons.run": [keep_the_days],
    "deliveries.retry": [retry],
    "events.apply": [apply_event_of_others_charge],
    "groups.do": [answer_others_buyer],
    "managed_bots.adopt": [adopt_others_bot],
    "messages.broadcast": [broadcast_others_message],
    "messages.send": [send],
    "nudges.give": [give_others_nudge],
    "payments.charge": [charge],
    "payments.check": [check],
    "payments.expire": [expire],
    "refunds.do": [refund],
    "returns.look": [look],
    "payments.look_back": [look_back],
    "payments.verify": [verify],
    "privacy.erase": [erase_others_lead],
    "privacy.finish": [say_goodbye],
    "posts.retry": [retry_others_post],
    "posts.send": [post],
    "statements.compare": [compare_statement_with_others_charge],
    "takeovers.end": [end_others_takeover],
    "updates.handle": [start_with_others_token, tap_others_button],
    "wakes.wake": [wake_others_lead],
}
REFUSED = {
    adopt_others_bot,
    apply_event_of_others_charge,
    broadcast_others_message,
    end_others_takeover,
    erase_others_lead,
    expand_others_campaign,
    give_others_nudge,
    keep_the_days,
    retry_others_post,
    say_goodbye,
    tap_others_button,
    tell_others_destination,
    wake_others_lead,
}
"""They change nothing at all; the other runs do what they are there for, in their own account."""


@pytest.fixture
def world(io_loop: Any, shops: list[Shop], query: Callable[..., list[Any]]) -> World:
    """Give both accounts goods."""
    made: World = io_loop.run_sync(partial(make_world, shops, query))
    add_post(made, made.other.account_id, "waiting")
    add_destination(made, made.other.account_id)
    return made


def test_every_task_is_run() -> None:
    assert {name for name in REGISTRY if REGISTRY[name].function.__module__.startswith("grimbots.services.")} == set(
        RUNS
    )


@pytest.mark.gen_test
@pytest.mark.parametrize("run", [run for runs in RUNS.values() for run in runs], ids=lambda run: run.__name__)
async def test_task_leaves_the_rows_of_another_account(world: World, run: Run) -> None:
    own, other = world.fingerprint(world.own), world.fingerprint(world.other)
    await run(world)
    assert world.fingerprint(world.other) == other
    assert (world.fingerprint(world.own) == own) is (run in REFUSED)


@pytest.mark.gen_test
async def test_the_other_bot_itself_takes_the_tap(world: World) -> None:
    """Without this the tap above could be refused for another reason."""
    buyer = make_stranger(world, world.other_shop)
    assert await buyer.handle(buyer.make_tap(world.find_button_of_other())) != []


@pytest.mark.gen_test
async def test_the_other_bot_itself_believes_the_token(world: World) -> None:
    token = clicks.make_token(world.own_shop.app, world.other.account_id)
    await make_stranger(world, world.other_shop).say(f"/start {token}")
    assert world.query("SELECT account_id FROM clicks") == [(world.other.account_id,)]
