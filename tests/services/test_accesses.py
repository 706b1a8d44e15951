"""Accesses: a buyer, and nobody else, is let into the group; proof of it; what a stranger, a refund and a move do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import admissions, crons, subscriptions
from grimbots.tests.services.chats import send_planned
from grimbots.tests.services.shops import Shop
from grimbots.tests.services.vips import BUYER, STRANGER, Vip


@pytest.mark.gen_test
@pytest.mark.parametrize("kind", ["supergroup", "channel"])
async def test_buyer_is_let_in_by_request_and_a_stranger_is_not(open_vip: Any, kind: str) -> None:
    vip = await open_vip("invite", kind)
    payment = await vip.buy()
    (delivery,) = await vip.shop.list_deliveries(payment)
    assert (delivery.status, vip.read_access()) == ("delivered", ("granted", None, 0))
    assert await vip.join(STRANGER) == "requested"
    assert (await vip.status(STRANGER), vip.read_access()[0]) == ("left", "granted")
    assert await vip.join() == "requested"
    assert (await vip.status(), vip.read_access()[0]) == ("member", "inside")
    assert vip.list_acts() == [(STRANGER, "done", "declined"), (BUYER, "done", "approved")]


@pytest.mark.gen_test
async def test_one_use_link_lets_the_buyer_in(open_vip: Any) -> None:
    vip = await open_vip("one_use")
    await vip.buy()
    assert (await vip.join(), await vip.status(), vip.read_access()[0]) == ("joined", "member", "inside")
    assert vip.list_acts() == []


@pytest.mark.gen_test
async def test_who_came_by_the_buyers_link_is_put_out_and_the_buyer_gets_another(open_vip: Any) -> None:
    vip = await open_vip("one_use")
    await vip.buy()
    first = await vip.find_link()
    assert await vip.join(STRANGER) == "joined"
    assert (await vip.status(STRANGER), vip.list_acts()) == ("left", [(STRANGER, "done", "removed")])
    second = await vip.find_link()
    assert second != first
    assert await vip.join(STRANGER, second) == "requested" and await vip.status(STRANGER) == "left"
    assert (await vip.join(), await vip.status(), vip.read_access()[0]) == ("requested", "member", "inside")


@pytest.mark.gen_test
async def test_a_request_by_somebody_elses_link_is_left_to_that_person(open_vip: Any) -> None:
    vip = await open_vip()
    await vip.buy()
    link = await vip.find_link()
    vip.driver.server.sandbox.store.run("UPDATE invite_links SET bot_id = 1 WHERE link = :link", link=link)
    await vip.join(STRANGER)
    assert vip.list_acts() == []
    await vip.join()
    assert (await vip.status(), vip.list_acts()) == ("member", [(BUYER, "done", "approved")])


@pytest.mark.gen_test
async def test_an_update_that_comes_twice_acts_once(open_vip: Any) -> None:
    vip = await open_vip()
    await vip.buy()
    before = vip.seen
    await vip.join()
    vip.seen = before
    await vip.hear()
    assert (vip.list_acts(), vip.count_calls("approveChatJoinRequest")) == ([(BUYER, "done", "approved")], 1)


@pytest.mark.gen_test
async def test_an_older_word_does_not_undo_a_later_one(open_vip: Any, clock: Any) -> None:
    vip = await open_vip()
    await vip.buy()
    await vip.join()
    clock.move(minutes=1)
    chat, user = {"id": vip.group, "type": "supergroup"}, {"id": BUYER}
    change = {"chat": chat, "from": user, "date": int(clock().timestamp()) - 600}
    await vip.handle({"update_id": 9, "chat_member": {**change, "new_chat_member": {"status": "left", "user": user}}})
    assert vip.read_access()[0] == "inside"
    change["date"] += 600
    await vip.handle({"update_id": 10, "chat_member": {**change, "new_chat_member": {"status": "left", "user": user}}})
    assert vip.read_access()[0] == "outside"


@pytest.mark.gen_test
async def test_who_left_may_come_back_while_it_lasts(open_vip: Any) -> None:
    vip = await open_vip()
    await vip.buy()
    await vip.join()
    await vip.driver.face(f"groups/{vip.group}/leaves", "POST", {"user_id": BUYER})
    await vip.hear()
    assert vip.read_access()[0] == "outside"
    await vip.join()
    assert (await vip.status(), vip.read_access()[0]) == ("member", "inside")


@pytest.mark.gen_test
async def test_a_lost_update_of_the_buyers_coming_is_made_up_for(open_vip: Any) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.driver.face("faults", "POST", {"on": "updates", "method": "chat_member", "copies": 0})
    await vip.join()
    assert (await vip.status(), vip.read_access()[0]) == ("member", "granted")
    await vip.pass_time(hours=1)
    assert vip.read_access()[:2] == ("inside", vip.clock() + timedelta(days=30))


@pytest.mark.gen_test
async def test_a_link_in_doubt_is_made_again_and_the_message_said_once(open_vip: Any) -> None:
    vip = await open_vip()
    await vip.driver.face("faults", "POST", {"method": "createChatInviteLink", "drop": True, "execute": True})
    payment = await vip.buy()
    (delivery,) = await vip.shop.list_deliveries(payment)
    assert (delivery.status, vip.count_calls("createChatInviteLink")) == ("delivered", 2)
    await vip.join()
    assert await vip.status() == "member"


@pytest.mark.gen_test
async def test_a_message_sent_again_shows_the_same_link(open_vip: Any) -> None:
    vip = await open_vip("one_use")
    payment = await vip.buy()
    (delivery,) = await vip.shop.list_deliveries(payment)
    vip.query("UPDATE messages SET status = 'sending' WHERE id = %s", delivery.message_id)
    await send_planned(vip.app, delivery.message_id)
    shown = [
        row for message in await vip.read_chat() for row in message.get("reply_markup", {}).get("inline_keyboard", [])
    ]
    links = [button["url"] for row in shown for button in row if "url" in button]
    assert len(links) == 2 and len(set(links)) == 1


@pytest.mark.gen_test
async def test_delivery_waits_for_the_bots_rights_and_is_then_given_at_once(open_vip: Any, clock: Any) -> None:
    vip = await open_vip()
    payment = await vip.shop.charge(BUYER)
    await vip.set_rights(rights=["can_restrict_members"])
    await vip.hear()
    assert vip.read_group() == ("lost", "no_invite")
    await vip.pay(payment)
    (delivery,) = await vip.shop.list_deliveries(payment)
    assert delivery.status == "failed" and "not enough rights" in delivery.error
    await vip.set_rights()
    await vip.hear()
    assert vip.read_group() == ("ready", None)
    clock.move(seconds=1)
    await vip.fire()
    (delivery,) = await vip.shop.list_deliveries(payment)
    assert delivery.status == "delivered"
    await vip.join()
    assert await vip.status() == "member"


LACKS: list[tuple[dict[str, Any], str]] = [
    ({"rights": ["can_restrict_members"]}, "no_invite"),
    ({"rights": ["can_invite_users"]}, "no_ban"),
    ({"status": "member"}, "not_admin"),
    ({"status": "kicked"}, "outside"),
    ({"status": "left"}, "outside"),
]


@pytest.mark.gen_test
async def test_a_bot_without_its_rights_sells_nothing_until_they_are_back(open_vip: Any) -> None:
    vip = await open_vip()
    for number, (status, reason) in enumerate(LACKS):
        await vip.set_rights(**status)
        await vip.hear()
        refused = await vip.shop.charge(700 + number)
        assert (vip.read_group(), refused.state, refused.code) == (("lost", reason), "cancelled", None)
        ((error,),) = vip.query("SELECT error FROM payments WHERE id = %s", refused.id)
        assert "VIP" in error and str(vip.group) in error
        said = vip.query("SELECT body ->> 'text' FROM messages WHERE payment_id = %s", refused.id)
        assert "em pausa" in said[0][0]
        await vip.set_rights()
        await vip.hear()
        assert (await vip.shop.charge(800 + number)).state == "pending"


@pytest.mark.gen_test
async def test_rights_nobody_told_us_of_are_asked_for(open_vip: Any, clock: Any) -> None:
    vip = await open_vip()
    vip.query("DELETE FROM groups")
    assert (await vip.shop.charge(BUYER)).state == "pending" and vip.read_group() == ("ready", None)
    await vip.set_rights(status="member")
    vip.query("UPDATE groups SET status = 'lost', reason = 'outside'")
    await vip.set_rights()
    vip.seen = vip._list_parcels()[-1]["seq"]
    assert (await vip.shop.charge(602)).state == "cancelled"
    clock.move(minutes=1)
    assert (await vip.shop.charge(603)).state == "pending"
    vip.query("UPDATE groups SET status = 'lost', reason = 'outside'")
    clock.move(minutes=11)
    await crons.run(vip.app, name="ask_lost_groups", due_at=0.0)
    assert vip.read_group() == ("ready", None)


@pytest.mark.gen_test
async def test_a_charge_waits_while_nobody_can_say_whether_the_group_is_ours(open_vip: Any) -> None:
    vip = await open_vip()
    vip.query("DELETE FROM groups")
    await vip.driver.face("faults", "POST", {"method": "getChatMember", "http": 502, "times": 9})
    with pytest.raises(Again):
        await vip.shop.charge(BUYER)
    ((state,),) = vip.query("SELECT state FROM payments")
    assert state == "new"


@pytest.mark.gen_test
@pytest.mark.parametrize("told", ["update", "refusal", "asked"])
async def test_a_group_that_migrated_is_followed(open_vip: Any, told: str) -> None:
    vip = await open_vip("invite", "group")
    former = vip.group
    if told == "asked":
        vip.query("DELETE FROM groups")
    vip.group = (await vip.driver.face(f"groups/{former}/migrate", "POST", {})).json["id"]
    if told == "update":
        await vip.hear()
    vip.seen = vip._list_parcels()[-1]["seq"]
    assert (await vip.buy()).state == "paid"
    assert vip.query("SELECT chat_id, former_chat_id FROM groups") == [(vip.group, former)]
    await vip.join()
    assert (await vip.status(), vip.read_access()[0]) == ("member", "inside")


@pytest.mark.gen_test
async def test_a_link_shown_before_a_group_migrated_is_replaced_when_it_is_shown_again(open_vip: Any) -> None:
    vip = await open_vip("invite", "group")
    await vip.buy()
    assert vip.query("SELECT link IS NULL FROM accesses") == [(False,)]
    vip.group = (await vip.driver.face(f"groups/{vip.group}/migrate", "POST", {})).json["id"]
    await vip.hear()
    assert vip.query("SELECT link IS NULL FROM accesses") == [(True,)]
    await vip.join()
    assert await vip.status() == "member"


@pytest.mark.gen_test
async def test_money_given_back_takes_the_access_back(open_vip: Any, clock: Any) -> None:
    vip = await open_vip()
    payment = await vip.buy()
    await vip.join()
    vip.query("UPDATE payments SET state = 'charged_back' WHERE id = %s", payment.id)
    for _ in range(2):
        await crons.run(vip.app, name="take_back_accesses", due_at=0.0)
    assert vip.read_access()[0] == "ending"
    clock.move(minutes=1)
    await vip.run(
        [admissions.job(row) for row in await vip.app.db.group_acts.list_stale(before=clock(), after=0, limit=9)]
    )
    assert (await vip.status(), vip.read_access()[0]) == ("left", "removed")
    await vip.hear()
    await vip.join(BUYER)
    assert await vip.status() == "left"


@pytest.mark.gen_test
async def test_what_another_payment_gave_stays_when_one_is_given_back(open_vip: Any, clock: Any) -> None:
    vip = await open_vip("subscription")
    first = await vip.buy()
    await vip.join()
    entered = clock()
    await vip.buy(70)
    assert vip.read_access()[1] == entered + timedelta(days=60)
    vip.query("UPDATE payments SET state = 'refunded' WHERE id = %s", first.id)
    await subscriptions.take_back_refunded(vip.app)
    assert vip.read_access()[:2] == ("inside", entered + timedelta(days=30))


@pytest.mark.gen_test
async def test_put_out_by_one_bot_only_if_no_other_of_the_account_lets_the_person_in(
    open_vip: Any, query: Callable[..., list[Any]]
) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.join()
    _copy_to_second_bot(query, vip)
    await vip.pass_time(days=33)
    assert (await vip.status(), vip.list_acts()[-1]) == ("member", (BUYER, "dropped", None))


def _copy_to_second_bot(query: Callable[..., list[Any]], vip: Vip) -> None:
    """Give the buyer an access without end to the same group by a second bot of the account."""
    account_id, chat = vip.shop.tenant.account_id, vip.group
    ((bot_id,),) = query(
        "INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, created_at, updated_at)"
        " VALUES (%s, 5, 'b_bot', 'b', 'k5', 'x', now(), now()) RETURNING id",
        account_id,
    )
    ((lead_id,),) = query(
        "INSERT INTO leads (account_id, bot_id, chat_id, created_at, updated_at) VALUES (%s, %s, %s, now(), now())"
        " RETURNING id",
        *(account_id, bot_id, BUYER),
    )
    ((group_id,),) = query(
        "INSERT INTO groups (account_id, bot_id, chat_id, status, status_since, asked_at)"
        " VALUES (%s, %s, %s, 'ready', now(), now()) RETURNING id",
        *(account_id, bot_id, chat),
    )
    query(
        "INSERT INTO accesses (account_id, group_id, lead_id, user_id, payment_id, step, status, by_request, lasts,"
        " told_at, entered_at, created_at)"
        " SELECT account_id, %s, %s, user_id, payment_id, step, 'inside', true, true, now(), now(), now()"
        " FROM accesses",
        *(group_id, lead_id),
    )


@pytest.mark.gen_test
async def test_an_act_of_no_clear_outcome_is_repeated_until_it_is_clear(open_vip: Any) -> None:
    """Also as if a kill had come between its two calls, which is how the second one's faults leave it."""
    vip = await open_vip("one_use")
    await vip.buy()
    link = await vip.find_link()
    faults: list[dict[str, Any]] = [{"drop": True}, {"drop": True, "execute": True}, {"http": 502}, {"http": 429}]
    for number, (method, fault) in enumerate(itertools.product(("banChatMember", "unbanChatMember"), faults)):
        vip.driver.server.sandbox.store.run("UPDATE invite_links SET uses = 0")
        vip.query("UPDATE accesses SET link = %s", link)
        await vip.driver.face("faults", "POST", {"method": method, **fault})
        await vip.join(STRANGER, link)
        assert vip.list_acts()[number:] == [(STRANGER, "planned", None)]
        ((act_id,),) = vip.query("SELECT id FROM group_acts WHERE status = 'planned'")
        await admissions.do(vip.app, act_id=act_id)
        assert (await vip.status(STRANGER), vip.list_acts()[number:]) == ("left", [(STRANGER, "done", "removed")])


@pytest.mark.gen_test
async def test_an_act_waits_for_rights_and_goes_on_with_them(open_vip: Any) -> None:
    vip = await open_vip()
    await vip.buy()
    await vip.driver.face(
        "faults",
        "POST",
        {
            "method": "approveChatJoinRequest",
            "http": 400,
            "description": "Bad Request: not enough rights to manage chat join requests",
        },
    )
    vip.query("UPDATE groups SET status = 'lost', reason = 'no_invite'")
    await vip.join()
    assert vip.list_acts() == [(BUYER, "waiting", None)]
    await vip.set_rights(rights=["can_invite_users"])
    await vip.set_rights()
    await vip.hear()
    assert (await vip.status(), vip.list_acts()) == ("member", [(BUYER, "done", "approved")])


@pytest.mark.gen_test
async def test_an_act_telegram_refuses_for_good_is_shown(open_vip: Any) -> None:
    vip = await open_vip("subscription")
    await vip.buy()
    await vip.join()
    store = vip.driver.server.sandbox.store
    store.run("UPDATE group_members SET status = 'administrator' WHERE user_id = :id", id=BUYER)
    await vip.pass_time(days=33)
    assert (vip.list_acts()[-1], vip.read_access()[0]) == ((BUYER, "failed", None), "ending")
    assert "administrator" in vip.query("SELECT error FROM group_acts WHERE status = 'failed'")[0][0]


@pytest.mark.gen_test
async def test_an_act_without_a_job_is_swept(open_vip: Any, clock: Any) -> None:
    vip = await open_vip()
    await vip.buy()
    async with vip.app.db.transaction() as tx:
        ((group_id,),) = vip.query("SELECT id FROM groups")
        wish = {"group_id": group_id, "user_id": STRANGER, "act": "remove", "cause": "u:1:1"}
        (job,) = await admissions.plan(vip.app, tx, account_id=vip.shop.tenant.account_id, **wish)
        assert await admissions.plan(vip.app, tx, account_id=vip.shop.tenant.account_id, **wish) == []
    clock.move(minutes=1)
    (row,) = await vip.app.db.group_acts.list_stale(before=clock() - timedelta(seconds=30), after=0, limit=9)
    assert admissions.job(row).id == job.id
    await admissions.give_up(vip.app, row, "its job is dead")
    assert vip.list_acts() == [(STRANGER, "failed", None)]


@pytest.mark.gen_test
async def test_news_of_a_group_reach_no_other_account(open_vip: Any, shops: list[Shop]) -> None:
    vip = await open_vip("one_use")
    await vip.buy()
    link, seen = await vip.find_link(), vip.seen
    vip.shop = shops[1]  # whose bot is told the same
    other = {"chat": {"id": vip.group, "type": "supergroup"}, "from": {"id": BUYER}, "date": 1}
    number = itertools.count(1)
    invite = {"invite_link": link, "creator": {"id": 1}, "creates_join_request": False}
    await vip.handle({"update_id": next(number), "chat_join_request": {**other, "invite_link": invite}})
    member = {"new_chat_member": {"status": "member", "user": {"id": BUYER}}, "invite_link": invite}
    await vip.handle({"update_id": next(number), "chat_member": {**other, **member}})
    await vip.handle({"update_id": next(number), "message": {**other, "migrate_to_chat_id": -5}})
    assert (vip.list_acts(), vip.read_access()[0], vip.seen) == ([], "granted", seen)
    assert vip.query("SELECT chat_id FROM groups") == [(vip.group,)]
