"""Forged events: mutated, replayed, of another account, unsigned. None settles anything, however many come.

A short slice always; all ten thousand with GRIMBOTS_PROOF=1.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from grimbots.queue.task import Again
from grimbots.services import events
from grimbots.services.errors import NotFound
from grimbots.tests.conftest import Clock
from grimbots.tests.fakes.provider import sign, write_event
from grimbots.tests.rows import Query
from grimbots.tests.services.shops import PRICE_CENTS, Shop

FORGED = 10_000 if os.environ.get("GRIMBOTS_PROOF") else 150
MONEY = ("payments", "payment_receipts", "payment_transitions", "payment_refusals", "deliveries", "messages")
Forgery = tuple[Shop, dict[str, str], bytes]


@dataclass(frozen=True)
class Forger:
    """Knows how events look, what two shops' charges are called, and every event that was ever true; no secret."""

    mine: Shop
    other: Shop
    pending: list[Any]
    told: list[tuple[dict[str, str], bytes]]
    chance: random.Random

    def forge(self, number: int) -> Forgery:
        """Make an event that no provider sent to this shop, or that was heard before."""
        ways: list[Callable[[int], Forgery]] = [self.unsigned, self.guessed, self.mutated, self.replayed, self.crossed]
        return ways[number % len(ways)](number)

    def write(self, number: int) -> bytes:
        """Write that a pending charge was paid."""
        payment = self.chance.choice(self.pending)
        cents = self.chance.choice([PRICE_CENTS, 1, PRICE_CENTS * 10])
        at = self.mine.app.clock().isoformat()
        return write_event(payment.txid, end_to_end_id=f"F{number}", amount_cents=cents, at=at)

    def unsigned(self, number: int) -> Forgery:
        headers = self.chance.choice([{}, {"X-Sandbox-Signature": ""}, {"X-Sandbox-Signature": "t=1,v1=" + "0" * 64}])
        return self.mine, dict(headers), self.write(number)

    def guessed(self, number: int) -> Forgery:
        body = self.write(number)
        secret = self.chance.choice(["", "secret", "webhook secret of ", self.mine.key])
        return self.mine, sign(body, secret, self.mine.app.clock()), body

    def mutated(self, number: int) -> Forgery:
        """Change a byte of something true, or of its signature, or put its signature on another body."""
        headers, body = self.chance.choice(self.told)
        what = self.chance.randrange(3)
        if what == 0:
            changed = bytearray(body)
            changed[self.chance.randrange(len(changed))] ^= 1 << self.chance.randrange(7)
            return self.mine, headers, bytes(changed)
        if what == 1:
            name, place = "X-Sandbox-Signature", self.chance.randrange(20, 60)
            signature = headers[name]
            flipped = "0" if signature[place] != "0" else "1"
            return (
                self.mine,
                {**headers, name: signature[:place] + flipped + signature[place + 1 :]},
                self.write(number),
            )
        return self.mine, headers, self.write(number)

    def replayed(self, number: int) -> Forgery:
        """Send something true again: as it was, or with signs around it that its signature does not cover."""
        headers, body = self.chance.choice(self.told)
        return self.mine, headers, body + b" " * self.chance.choice([0, number % 50])

    def crossed(self, number: int) -> Forgery:
        """Send what the other shop signs with its own secret: to this one's webhook, and to its own of this one's."""
        body = self.write(number)
        signed = sign(body, self.other.secret, self.mine.app.clock())
        return (self.chance.choice([self.mine, self.other]), signed, body)


async def apply_all(app: Any) -> None:
    """Act upon every event that waits, once."""

    async def apply(event_id: int) -> None:
        with suppress(Again):
            await events.apply(app, event_id=event_id)

    after = 0
    while page := await app.db.provider_events.list_stale(
        before=app.clock() + timedelta(days=1), after=after, limit=50
    ):
        await asyncio.gather(*(apply(row.id) for row in page))
        after = page[-1].id


def fingerprint(query: Query) -> list[Any]:
    """Sum up all that money moves by. When a provider was asked last is no news: an event makes us ask."""
    row = "(to_jsonb(t) - 'asked_at' - 'next_check_at')::text"
    sums = f"SELECT md5(coalesce(string_agg({row}, '' ORDER BY {row}), '')) FROM {{}} AS t"
    return [query(sums.format(table)) for table in MONEY]


async def tell_truth(shop: Shop, clock: Clock, chat_id: int) -> list[tuple[dict[str, str], bytes]]:
    """Let a buyer pay, and his event arrive; returns it."""
    payment = await shop.charge(chat_id)
    body = shop.provider.pay(payment.txid, end_to_end_id=f"E{chat_id}")
    signed = shop.provider.sign(body, shop.secret)
    await shop.receive(body, signed)
    await shop.apply_events()
    assert (await shop.read(payment.id)).state == "paid"
    return [(signed, body)]


@pytest.mark.gen_test(timeout=1800)
async def test_no_forged_event_settles_anything(shops: list[Shop], clock: Clock, query: Query) -> None:
    mine, other = shops
    told = [one for chat_id in (801, 802, 803) for one in await tell_truth(mine, clock, chat_id)]
    pending = [await mine.charge(chat_id) for chat_id in range(810, 815)]
    forger = Forger(mine, other, pending, told, random.Random(7))
    before = fingerprint(query)
    for number in range(FORGED):
        shop, headers, body = forger.forge(number)
        await shop.receive(body, headers)
        if number % 500 == 499:
            clock.move(minutes=11)
            await apply_all(mine.app)
    clock.move(minutes=11)  # so old are they then that nothing is waited for
    for _ in range(3):
        await apply_all(mine.app)
        clock.move(seconds=6)
    assert fingerprint(query) == before
    statuses = dict(query("SELECT status, count(*) FROM provider_events GROUP BY status"))
    assert statuses["applied"] >= len(told) and statuses["unmatched"] > 0


@pytest.mark.gen_test
async def test_a_guessed_key_reaches_nobody(shop: Shop, query: Query) -> None:
    body = write_event("f" * 32, end_to_end_id="F", amount_cents=1, at=shop.app.clock().isoformat())
    for number in range(50):
        with pytest.raises(NotFound):
            await shop.receive(body, {}, key=f"{shop.key[:-2]}{number:02}")
    assert query("SELECT count(*) FROM provider_events") == [(0,)]
