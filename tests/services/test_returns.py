"""Returns: what money that goes back makes of a payment and its access, in any order, told any number of times."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from grimbots.services import ledger, payments, returns
from grimbots.services.errors import NotFound
from grimbots.services.funnels import versions
from grimbots.services.returns import RANKS, REVERSIBLE, REVOKED, find_state
from grimbots.tests.services.returning import deliver, go_back, read_book, receive, sell
from grimbots.tests.services.shops import FUNNEL, PRICE_CENTS, Shop

Query = Callable[..., list[Any]]


def back(kind: str, status: str, cents: int = PRICE_CENTS) -> Any:
    """Make a return as find_state sees it."""
    return SimpleNamespace(kind=kind, status=status, amount_cents=cents)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ([], "paid"),
        ([back("refund", "asked")], "refund_pending"),
        ([back("refund", "open", 1)], "refund_pending"),
        ([back("refund", "void")], "paid"),
        ([back("refund", "settled", PRICE_CENTS - 1)], "partially_refunded"),
        ([back("refund", "settled", 1), back("refund", "asked", 1)], "refund_pending"),
        ([back("refund", "settled", 1), back("refund", "settled", PRICE_CENTS - 1)], "refunded"),
        ([back("dispute", "open", 1)], "disputed"),
        ([back("refund", "settled"), back("dispute", "open")], "disputed"),
        ([back("dispute", "void")], "paid"),
        ([back("dispute", "settled"), back("chargeback", "settled", 1)], "charged_back"),
        ([back("chargeback", "settled"), back("dispute", "open")], "charged_back"),
    ],
)
def test_find_state(found: list[Any], state: str) -> None:
    assert find_state(PRICE_CENTS, found) == state


@pytest.mark.gen_test
async def test_a_full_refund_ends_the_sale_and_says_so(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    deliver(query, payment)
    jobs = await go_back(shop, payment)
    assert (await shop.read(payment.id)).state == "refunded" and len(jobs) == 1
    ((text,),) = query("SELECT body ->> 'text' FROM messages WHERE cause LIKE '%%:return:%%'")
    assert text.startswith("💸 Devolvemos o seu pagamento") and "R$ 19,90" in text
    moves = await shop.app.db.payments.list_transitions(account_id=payment.account_id, payment_id=payment.id)
    assert moves[-1].reason == "the provider's event: 1990 of 1990 cents, E1; refund settled"
    assert (moves[-1].from_state, moves[-1].to_state, moves[-1].actor) == ("paid", "refunded", "webhook")


@pytest.mark.gen_test
async def test_a_part_leaves_the_access_and_the_rest_ends_it(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    await go_back(shop, payment, "R1", cents=990)
    (delivery,) = await shop.list_deliveries(payment)
    assert ((await shop.read(payment.id)).state, delivery.status) == ("partially_refunded", "planned")
    await go_back(shop, payment, "R2", cents=1000)
    (delivery,) = await shop.list_deliveries(payment)
    assert ((await shop.read(payment.id)).state, delivery.status) == ("refunded", "revoked")
    texts = [
        text for (text,) in query("SELECT body ->> 'text' FROM messages WHERE cause LIKE '%%:return:%%' ORDER BY id")
    ]
    assert "R$ 9,90" in texts[0] and "continua" in texts[0] and "R$ 10,00" in texts[1]


@pytest.mark.gen_test
async def test_what_is_told_again_acts_once(shop: Shop) -> None:
    payment = await sell(shop)
    first = await go_back(shop, payment)
    again = await go_back(shop, payment)
    await go_back(shop, payment, status="open")
    assert first == again and first != []
    assert await shop.list_moves(payment) == [*(await shop.list_moves(payment))[:-1], ("paid", "refunded")]


@pytest.mark.gen_test
async def test_money_kept_apart_goes_back_and_the_sale_stays(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    deliver(query, payment)
    await receive(shop, payment, "E2")
    await go_back(shop, payment, of="E2")
    assert (await shop.read(payment.id)).state == "paid"
    assert read_book(query, payment) == {"provider": PRICE_CENTS, "revenue": -PRICE_CENTS}


@pytest.mark.gen_test
async def test_held_money_goes_back_and_the_charge_can_still_be_paid(shop: Shop, query: Query) -> None:
    payment = await shop.charge()
    await receive(shop, payment, "E1", 100)
    await go_back(shop, payment, cents=100)
    assert ((await shop.read(payment.id)).state, read_book(query, payment)) == ("pending", {})
    await receive(shop, payment, "E2")
    assert (await shop.read(payment.id)).state == "paid"


@pytest.mark.gen_test
async def test_a_dispute_holds_the_money_and_the_access_until_it_is_won(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    await go_back(shop, payment, "D1", "dispute", "open")
    (delivery,) = await shop.list_deliveries(payment)
    assert ((await shop.read(payment.id)).state, delivery.status) == ("disputed", "revoked")
    assert read_book(query, payment) == {"disputed": PRICE_CENTS, "buyers": -PRICE_CENTS}
    jobs = await go_back(shop, payment, "D1", "dispute", "void")
    (delivery,) = await shop.list_deliveries(payment)
    assert ((await shop.read(payment.id)).state, delivery.status, len(jobs)) == ("paid", "planned", 2)
    assert read_book(query, payment) == {"provider": PRICE_CENTS, "buyers": -PRICE_CENTS}


@pytest.mark.gen_test
@pytest.mark.parametrize("told", [("D1", "dispute"), ("D1", "chargeback"), ("C7", "chargeback")])
async def test_a_dispute_that_is_lost_is_a_chargeback(shop: Shop, query: Query, told: tuple[str, str]) -> None:
    payment = await sell(shop)
    deliver(query, payment)
    await go_back(shop, payment, "D1", "dispute", "open")
    await go_back(shop, payment, *told)
    await go_back(shop, payment, "D1", "dispute", "open")
    await go_back(shop, payment, "D9", "dispute", "open")  # told after its end
    assert (await shop.read(payment.id)).state == "charged_back"
    assert read_book(query, payment) == {"revenue": -PRICE_CENTS, "chargebacks": PRICE_CENTS}


@pytest.mark.gen_test
async def test_nothing_goes_back_of_a_transfer_nobody_knows(shops: list[Shop]) -> None:
    first, other = [await sell(shop, end_to_end_id=f"E{place}") for place, shop in enumerate(shops)]
    with pytest.raises(NotFound):
        await go_back(shops[0], first, of="E1")  # the other account's
    assert [(await shop.read(row.id)).state for shop, row in zip(shops, (first, other), strict=True)] == ["paid"] * 2


@pytest.mark.gen_test
async def test_what_was_not_handed_over_is_not_given_on_the_buyers_return(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    query("UPDATE messages SET status = 'failed', is_lasting = true WHERE payment_id = %s", payment.id)
    query("UPDATE deliveries SET status = 'failed' WHERE payment_id = %s", payment.id)
    await go_back(shop, payment)
    which = {"account_id": payment.account_id, "lead_id": payment.lead_id, "delivery_id": None}
    assert await shop.app.db.deliveries.plan_again(**which, now=shop.app.clock()) == []


@pytest.mark.gen_test
async def test_who_has_a_place_in_a_group_loses_it_and_has_it_again(open_vip: Any) -> None:
    vip = await open_vip("subscription")
    payment = await vip.buy()
    await vip.join()
    of = {"of": f"E{payment.id}"}
    await vip.run(await go_back(vip.shop, payment, "D1", "dispute", "open", **of))
    assert (await vip.status(), vip.read_access()[0]) == ("left", "removed")
    await vip.run(await go_back(vip.shop, payment, "D1", "dispute", "void", **of))
    assert vip.read_access()[0] == "granted"
    await vip.join()
    assert await vip.status() == "member"
    await vip.run(await go_back(vip.shop, payment, "R1", **of))
    assert (await vip.status(), vip.read_access()[0]) == ("left", "removed")


@pytest.mark.gen_test
async def test_a_link_that_is_not_used_yet_is_worth_nothing_after_a_refund(open_vip: Any) -> None:
    vip = await open_vip("one_use")
    payment = await vip.buy()
    await vip.run(await go_back(vip.shop, payment, of=f"E{payment.id}"))
    revoked = vip.driver.server.sandbox.store.list("SELECT is_revoked FROM invite_links")
    assert [row[0] for row in revoked] == [1]


@pytest.mark.gen_test
async def test_an_open_dispute_is_asked_about_when_no_event_comes(shop: Shop, clock: Any) -> None:
    payment = await shop.charge()
    shop.provider.pay(payment.txid)
    await receive(shop, payment, "E1")
    await go_back(shop, payment, "D1", "dispute", "open")
    await returns.follow_open(shop.app)
    clock.move(hours=4)
    (row,) = await shop.app.db.payment_returns.claim_open(now=clock(), before=clock(), limit=9)
    assert row.payment_id == payment.id
    shop.provider.give_back(payment.txid, "D1", kind="dispute", status="void")
    done = await returns.look(shop.app, payment_id=payment.id)
    assert done and done.follow_ups and (await shop.read(payment.id)).state == "paid"


async def open_club(shop: Shop, query: Query) -> Shop:
    """Give the shop something to sell that lets into a group its bot may invite to."""
    tenant = shop.tenant
    query(
        "INSERT INTO groups (account_id, bot_id, chat_id, status, status_since, asked_at)"
        " VALUES (%s, %s, -100, 'ready', now(), now())",
        *(tenant.account_id, tenant.bot_id),
    )
    steps = [*FUNNEL["steps"][:2], {"id": "access", "kind": "delivery", "gives": {"kind": "invite", "group": -100}}]
    published = await versions.publish(shop.app, tenant.account_id, {**FUNNEL, "steps": steps}, {}, actor="test")
    return replace(shop, version_id=published.version_id)


def assert_ranks(moves: list[tuple[str, str]]) -> None:
    """See that a paid payment only rose, or came back from what is over."""
    for was, now_is in moves:
        if was in RANKS:
            assert RANKS[now_is] >= RANKS[was] or was in REVERSIBLE, (was, now_is)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.gen_test(timeout=60)
async def test_any_order_of_receipts_and_returns_adds_up(shop: Shop, query: Query, seed: int) -> None:
    """Ranks only rise, the book agrees with the rows, and who has access is who has paid, dealt out of a seed."""
    dealt, club = random.Random(seed), await open_club(shop, query)
    made = [await club.charge(chat_id) for chat_id in (501, 502)]
    told: dict[int, list[tuple[str, str, int, str]]] = {payment.id: [] for payment in made}

    async def pay(payment: Any) -> None:
        cents = dealt.choice([100, PRICE_CENTS, PRICE_CENTS, 3000])
        name = f"E{dealt.randrange(3)}"
        known = dict(
            query("SELECT end_to_end_id, amount_cents FROM payment_receipts WHERE payment_id = %s", payment.id)
        )
        await receive(club, payment, name, known.get(name, cents), fee_cents=dealt.choice([None, 20, 31]))

    async def give_back(payment: Any) -> None:
        rows = query("SELECT end_to_end_id, amount_cents FROM payment_receipts WHERE payment_id = %s", payment.id)
        if not rows:
            return
        transfer, cents = dealt.choice(rows)
        gone = sum(part for _, _, part, of in told[payment.id] if of == transfer)
        name = f"{payment.id}-{transfer}-{len(told[payment.id])}"
        if gone < cents:
            kind = dealt.choice(["refund", "dispute"])
            new = (name, kind, dealt.choice([cents - gone, (cents - gone + 1) // 2]), transfer)
            told[payment.id].append(new)
        name, kind, part, transfer = dealt.choice(told[payment.id])
        status = dealt.choice(["open", "open", "done", "void"])
        await go_back(club, payment, name, kind, status, cents=part, of=transfer)

    async def hand_over(payment: Any) -> None:
        query(
            "UPDATE deliveries SET status = 'delivered', delivered_at = now()"
            " WHERE payment_id = %s AND status = 'planned'",
            payment.id,
        )

    for _ in range(30):
        acts = dealt.choices([pay, give_back, give_back, hand_over], k=2)
        await asyncio.gather(*(act(payment) for act, payment in zip(acts, made, strict=True)))
    assert await ledger.check(shop.app) == []
    for payment in made:
        assert_ranks(await club.list_moves(payment))
        state = (await club.read(payment.id)).state
        grants = query("SELECT taken_at IS NULL FROM access_grants WHERE payment_id = %s", payment.id)
        assert [is_open for (is_open,) in grants] == ([state not in REVOKED] if state in RANKS else [])


@pytest.mark.gen_test
async def test_refund_dispute_and_second_payment_at_once_leave_one_truth(shop: Shop, query: Query) -> None:
    payment = await sell(shop)
    told = {"paid_cents": PRICE_CENTS, "paid_at": shop.app.clock(), "end_to_end_id": "E2"}
    which = {"payment_id": payment.id, "account_id": payment.account_id}
    await asyncio.gather(
        go_back(shop, payment, "R1", cents=990),
        go_back(shop, payment, "D1", "dispute", "open", cents=1000),
        go_back(shop, payment, "R1", cents=990),
        payments.settle(shop.app, **which, **told, actor="webhook", reason="told"),
        go_back(shop, payment, "D1", "dispute", "open", cents=1000),
    )
    assert (await shop.read(payment.id)).state == "disputed"
    assert query("SELECT count(*) FROM payment_returns") == [(2,)]
    assert await ledger.check(shop.app) == []
    assert_ranks(await shop.list_moves(payment))
