"""What the tests' accounts have to show: payments of every kind, messages that did not arrive, notices, dead jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from grimbots.services import messages, payments
from grimbots.services.payments import settle
from grimbots.tests.services.shops import PRICE_CENTS, Shop

Query = Callable[..., list[Any]]


@dataclass(frozen=True)
class Goods:
    """One account's rows, every text of them with the account's mark in it."""

    account: str
    account_id: int
    bot_id: int
    mark: str
    payment_id: int
    message_id: int
    event_id: int
    job_id: str
    lead_id: int


async def sell(shop: Shop, chat_id: int, *amounts: int) -> Any:
    """Charge somebody and let these transfers come in."""
    payment = await shop.charge(chat_id)
    for place, cents in enumerate(amounts):
        await settle(
            shop.app,
            payment_id=payment.id,
            account_id=payment.account_id,
            paid_cents=cents,
            paid_at=shop.app.clock(),
            end_to_end_id=f"E{chat_id}{place}",
            actor="webhook",
            reason="the provider's event",
        )
    return payment


async def stock(shop: Shop, query: Query) -> Goods:
    """Give an account one paid sale, whose delivery failed, one unmatched notice and one dead job."""
    mark = f"mark-of-{shop.tenant.name}"
    payment = await sell(shop, 501, PRICE_CENTS)
    query("UPDATE leads SET first_name = %s WHERE account_id = %s", mark, shop.tenant.account_id)
    ((message_id,),) = query("SELECT message_id FROM deliveries WHERE payment_id = %s", payment.id)
    error = f"Bad Request: {mark}"
    query("UPDATE messages SET status = 'failed', attempts = 3, error = %s WHERE id = %s", error, message_id)
    query("UPDATE deliveries SET status = 'failed', error = %s WHERE payment_id = %s", error, payment.id)
    await shop.receive(mark.encode())
    ((event_id,),) = query("SELECT id FROM provider_events WHERE account_id = %s", shop.tenant.account_id)
    query("UPDATE provider_events SET status = 'unmatched', settled_at = received_at WHERE id = %s", event_id)
    job = payments.job(payment)
    await shop.app.queue.bury(job, "attempts")
    return Goods(
        shop.tenant.name,
        shop.tenant.account_id,
        shop.tenant.bot_id,
        mark,
        payment.id,
        message_id,
        event_id,
        job.id,
        payment.lead_id,
    )


async def fill(shop: Shop, query: Query, clock: Any) -> None:
    """Give an account sales of every kind, spread over some days: what a page looks like in use."""
    names = iter(["Ana Beatriz", "João", "Márcia", "Edson", "Lu", "Priscila", "Rafael", "Tatiana", "Caio", "Vó Nair"])
    amounts = [[PRICE_CENTS], [PRICE_CENTS], [], [PRICE_CENTS - 990], [PRICE_CENTS + 10], [PRICE_CENTS] * 2, [], []]
    made = []
    for place, transfers in enumerate(amounts):
        payment = await sell(shop, 600 + place, *transfers)
        query("UPDATE leads SET first_name = %s WHERE id = %s", next(names), payment.lead_id)
        made.append(payment)
        clock.move(minutes=47 if place % 3 else 400)
    query("UPDATE payments SET state = 'expired' WHERE id = %s", made[2].id)
    query("UPDATE payments SET flags = '{late}' WHERE id = %s", made[1].id)
    delivered = [made[0].id, made[1].id, made[4].id]
    now = clock() - timedelta(hours=1)
    query("UPDATE deliveries SET status = 'delivered', delivered_at = %s WHERE payment_id = ANY(%s)", now, delivered)
    await _spoil(shop, query, made[5])
    await shop.receive(b'{"event":"pix.received"}')
    await shop.receive(b'{"event":"forged"}', {"X-Sandbox-Signature": "t=1,v1=00"})
    query(
        "UPDATE provider_events SET status = CASE verified WHEN 'no' THEN 'unconfirmed' ELSE 'unmatched' END,"
        " settled_at = received_at"
    )
    query("UPDATE provider_events SET payment_id = %s WHERE status = 'unconfirmed'", made[7].id)
    for place, reason in enumerate(("attempts", "poison", "chat_full")):
        await shop.app.queue.bury(payments.job(made[place]), reason)
    await shop.app.queue.bury(messages.job(await _find_message(shop, query)), "buried")


async def advertise(shop: Shop, query: Query) -> None:
    """Give an account clicks of three weeks out of three ads, of which some came back as starts and then paid."""
    which, now = (shop.tenant.account_id, shop.tenant.bot_id), shop.app.clock()
    query("INSERT INTO pools (account_id, slug, created_at, updated_at) VALUES (%s, 'ad', %s, %s)", which[0], now, now)
    query(
        "INSERT INTO clicks (account_id, bot_id, token, noted_at, clicked_at, pool_id, is_crawler, utm_source,"
        " utm_campaign) SELECT %s, %s, 'token ' || day || '.' || n, %s, %s::timestamptz - day * interval '1 day',"
        " pools.id, false, (ARRAY['facebook', 'instagram', NULL])[1 + mod(n, 3)],"
        " (ARRAY['Lançamento de março', 'Remarketing | quente'])[1 + mod(n, 2)]"
        " FROM pools, generate_series(0, 20) AS day, LATERAL generate_series(1, 5 + mod(day * 7, 23)) AS n",
        *(*which, now, now),
    )
    query(
        "INSERT INTO starts (account_id, bot_id, lead_id, click_id, started_at)"
        " SELECT clicks.account_id, clicks.bot_id, lead_id, clicks.id, clicked_at"
        " FROM clicks, (SELECT min(id) AS lead_id FROM leads WHERE account_id = %s) AS found"
        " WHERE mod(clicks.id, 3) = 0",
        which[0],
    )
    query(
        "UPDATE payments SET click_id = (SELECT min(clicks.id) + mod(payments.id, 5) FROM clicks),"
        " paid_at = paid_at - mod(payments.id, 4) * interval '1 day'"
    )


async def _spoil(shop: Shop, query: Query, payment: Any) -> None:
    """Let a delivery fail, and two other messages come to a bad end."""
    error = "Forbidden: bot was blocked by the user"
    query("UPDATE deliveries SET status = 'failed', error = %s WHERE payment_id = %s", error, payment.id)
    query(
        "UPDATE messages SET status = 'failed', error = %s, attempts = 1"
        " WHERE id = (SELECT message_id FROM deliveries WHERE payment_id = %s)",
        error,
        payment.id,
    )
    query("UPDATE leads SET status = 'blocked' WHERE id = %s", payment.lead_id)
    query(
        "UPDATE messages SET status = 'uncertain', sending_at = planned_at, error = 'no answer within 30 s',"
        " attempts = 2 WHERE id IN ("
        "SELECT id FROM messages WHERE status = 'planned' AND payment_id <> %s ORDER BY id LIMIT 2)",
        payment.id,
    )


async def _find_message(shop: Shop, query: Query) -> Any:
    ((message_id,),) = query("SELECT min(id) FROM messages WHERE account_id = %s", shop.tenant.account_id)
    return await shop.app.db.messages.find(account_id=shop.tenant.account_id, message_id=message_id)
