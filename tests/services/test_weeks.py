"""A week of timers under kills and a clock moved by hand: each acts once, or not at all when its condition has gone.

Buyers ask for codes, pay, block the bot, are taken over by a person, are given their money back, at moments drawn by
lot; a process of its own (weekers.py) does reminders, downsells, upsells, expiries and the ends of subscriptions, and
is killed at any moment. The verdict is made of the rows, by rules of its own: what was said for a timer must be what
was right at the instant at which it fired.

CI runs a slice; GRIMBOTS_PROOF=1: 40 buyers, a week, 20 kills. A failure names its seed: GRIMBOTS_SEED=<n> repeats it.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grimbots.services import accesses, leads, takeovers
from grimbots.services.funnels import versions
from grimbots.tests.conftest import Clock
from grimbots.tests.queue.desks import wait_until
from grimbots.tests.services.sales import FUNNEL, Sale
from grimbots.tests.services.shops import Shop

Query = Callable[..., list[Any]]
WHOLE = os.environ.get("GRIMBOTS_PROOF") == "1"
SEED = int(os.environ.get("GRIMBOTS_SEED") or (random.randrange(10**6) if WHOLE else 7))
BUYERS, DAYS, KILLS = (40, 7, 20) if WHOLE else (3, 4.2, 1)
GROUP = -1001
GIVES = {"kind": "subscription", "group": GROUP, "days": 2, "remind_days": [1], "grace_days": 1, "renew": "half"}
STEPS = [{**step, "gives": GIVES} if step["id"] == "access" else step for step in FUNNEL["steps"]]
PATIENCE_SECONDS = 60
PATIENT_LOOKS = 4  # then time goes on: what was planned beside the queue is swept after 30 s
LEAPS = (4, 9, 15, 200, 600) if WHOLE else (9, 700)  # minutes
SHOWN = (
    "SELECT id, payload, fired_at, created_at FROM timers"
    " WHERE kind = 'nudges.give' AND status = 'fired' ORDER BY fired_at, id"
)
LEFT = "SELECT id, kind, status FROM timers WHERE due_at <= %s AND status NOT IN ('fired', 'cancelled')"
TWICE = "SELECT cause, count(*) FROM messages WHERE cause LIKE 't:%%' AND step <> 'pix' GROUP BY 1 HAVING count(*) > 1"
FIRED = "SELECT payload ->> 'what', count(*) FROM timers WHERE kind = 'nudges.give' AND status = 'fired' GROUP BY 1"
SETTLED = """
SELECT (SELECT count(*) FROM timers WHERE status = 'pending' AND due_at <= %s)
    + (SELECT count(*) FROM messages WHERE status IN ('planned', 'sending'))
    + (SELECT count(*) FROM group_acts WHERE status = 'planned')
"""


@dataclass
class Life:
    """What a buyer does, when (in minutes from the beginning), and when nothing could reach it."""

    sale: Sale
    acts: list[tuple[float, str]]
    payments: list[Any] = field(default_factory=list)
    unreached: list[tuple[datetime, datetime]] = field(default_factory=list)
    given_back_at: datetime | None = None

    def can_be_reached(self, at: datetime) -> bool:
        return not any(begin <= at < end for begin, end in self.unreached)


class Week:
    """The shop, its buyers, the process and the time."""

    def __init__(self, shop: Shop, query: Query, clock: Clock, folder: Path, command: list[str]) -> None:
        self.shop, self.query, self.clock, self.folder, self.command = shop, query, clock, folder, command
        self.chance = random.Random(SEED)
        self.begin = clock()
        self.lives = [Life(Sale(shop, query, chat_id=7000 + place), self.draw_acts()) for place in range(BUYERS)]
        self.process: asyncio.subprocess.Process | None = None
        self.kills = self.doomed = 0  # so often it was killed, and is still to be
        self.move_to(clock())

    def draw_acts(self) -> list[tuple[float, str]]:
        """Draw what one buyer does."""
        chance, day = self.chance, 1440
        at = chance.uniform(0, 0.4 * day)
        kinds = ["idle", "pay", "pay", "pay_and_take_back", "block", "hold", "again"]
        later = at + chance.choice([3, 7, 12, 18, 25])
        return [
            (at, "order"),
            *{
                "idle": [],
                "pay": [(later, "pay"), (later + 9, "join")],
                "pay_and_take_back": [(later, "pay"), (later + 2, "take_back")],
                "block": [(later, "block"), (later + 30, "return")],
                "hold": [(later, "hold"), (later + 25, "give_back")],
                "again": [(later, "order"), (later + 4, "pay"), (later + 9, "join")],
            }[chance.choice(kinds)],
        ]

    def move_to(self, at: datetime) -> None:
        """Move the time of the test and of the process, forward or back."""
        self.clock.now = at
        fresh = self.folder / "clock.new"
        fresh.write_text(at.isoformat(), encoding="ascii")
        fresh.replace(self.folder / "clock")

    async def start(self) -> None:
        """Start the process."""
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log
            )
        ready = self.folder / f"ready-{self.process.pid}"
        await wait_until(lambda: ready.exists() or self.process is None or self.process.returncode is not None, 30)

    async def kill(self) -> None:
        """Kill it wherever it stands."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def settle(self) -> None:
        """Let the process do what is due; time goes on, for what a killed one had claimed is free again only later."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.query(SETTLED, self.clock()) != [(0,)]:
                assert self.process is not None and self.process.returncode is None, (self.folder / "log").read_text()
                for _ in range(PATIENT_LOOKS):
                    await asyncio.sleep(0.05)
                    if self.query(SETTLED, self.clock()) == [(0,)]:
                        return
                self.move_to(self.clock() + timedelta(seconds=31))

    async def live(self) -> None:
        """Live the week."""
        acts = sorted((minute, place, name) for place, life in enumerate(self.lives) for minute, name in life.acts)
        deaths = sorted(self.chance.sample(range(len(acts) + 6), KILLS))
        await self.start()
        for number, (minute, place, name) in enumerate(acts):
            await self.pass_to(self.begin + timedelta(minutes=minute), deaths.count(number))
            await self.act(self.lives[place], name)
        end = self.begin + timedelta(days=DAYS)
        legs = [self.clock() + (end - self.clock()) * share / 6 for share in range(1, 7)]
        for number, at in enumerate(legs, len(acts)):
            await self.pass_to(at, deaths.count(number))
        while self.doomed:
            await self.die_and_rise()
        await self.settle()
        await self.kill()

    async def pass_to(self, at: datetime, kills: int) -> None:
        """Let time pass: in leaps, back now and then, with the process killed at any moment on the way."""
        self.doomed += kills
        while self.clock() < at:
            leap = timedelta(minutes=self.chance.choice(LEAPS))
            self.move_to(max(self.clock(), min(at, self.clock() + leap)))
            if self.doomed:
                await self.die_and_rise()
            await self.settle()
            if self.chance.random() < 0.1:
                now = self.clock()
                self.move_to(now - timedelta(minutes=20))
                await asyncio.sleep(0.1)
                self.move_to(now)

    async def die_and_rise(self) -> None:
        """Kill the process in the middle of what fell due, and start it anew."""
        self.doomed -= 1
        await asyncio.sleep(self.chance.uniform(0, 0.3))
        await self.kill()
        self.kills += 1
        await self.start()

    async def act(self, life: Life, name: str) -> None:
        """Do one thing, at an instant at which nothing else falls due."""
        self.move_to(self.clock() + timedelta(microseconds=self.chance.randrange(1, 500_000)))
        await getattr(self, name)(life)
        await self.settle()
        self.move_to(self.clock() + timedelta(seconds=5))

    async def order(self, life: Life) -> None:
        life.payments.append(await life.sale.order())

    async def pay(self, life: Life) -> None:
        await life.sale.pay(life.payments[-1])

    async def join(self, life: Life) -> None:
        payment = life.payments[-1]
        async with self.shop.app.db.transaction() as tx:
            lead = await leads.lock_by_id(tx, account_id=payment.account_id, lead_id=payment.lead_id)
            ((access_id,),) = self.query("SELECT id FROM accesses WHERE lead_id = %s", lead.id)
            access = await tx.accesses.find(account_id=payment.account_id, access_id=access_id)
            await accesses.enter(self.shop.app, tx, access, lead)

    async def take_back(self, life: Life) -> None:
        self.query("UPDATE payments SET state = 'refunded' WHERE id = %s", life.payments[-1].id)
        life.given_back_at = self.clock()

    async def block(self, life: Life) -> None:
        await life.sale.buyer.handle(life.sale.buyer.make_membership("kicked"))
        life.unreached.append((self.clock(), datetime.max.replace(tzinfo=self.clock().tzinfo)))

    async def return_(self, life: Life) -> None:
        await life.sale.buyer.handle(life.sale.buyer.make_membership("member"))
        life.unreached[-1] = (life.unreached[-1][0], self.clock())

    async def hold(self, life: Life) -> None:
        payment = life.payments[-1]
        where = {"account_id": payment.account_id, "lead_id": payment.lead_id}
        until = await takeovers.take(self.shop.app, **where, hours=1, actor="test")
        life.unreached.append((self.clock(), until))

    async def give_back(self, life: Life) -> None:
        payment = life.payments[-1]
        where = {"account_id": payment.account_id, "lead_id": payment.lead_id}
        if self.clock() < life.unreached[-1][1]:
            await takeovers.give_back(self.shop.app, **where, actor="test")
            life.unreached[-1] = (life.unreached[-1][0], self.clock())


setattr(Week, "return", Week.return_)  # the act's name is a word of Python


@pytest.fixture
def week(
    io_loop: Any, shop: Shop, query: Query, clock: Clock, tmp_path: Path, database_url: str, redis_url: str,
    fake_telegram: Any,
) -> Iterator[Week]:  # fmt: skip
    """Give a shop that sells places in a group, with its process not started."""
    publish = partial(versions.publish, shop.app, shop.tenant.account_id, {**FUNNEL, "steps": STEPS}, {}, actor="test")
    query("UPDATE bots SET funnel_id = %s WHERE id = %s", io_loop.run_sync(publish).funnel_id, shop.tenant.bot_id)
    query(
        "INSERT INTO groups (account_id, bot_id, chat_id, status, status_since, asked_at)"
        " VALUES (%s, %s, %s, 'ready', %s, %s)",
        *(shop.tenant.account_id, shop.tenant.bot_id, GROUP, clock(), clock()),
    )
    fake_telegram.answer("createChatInviteLink", {"invite_link": "https://t.me/+week"})
    module = [sys.executable, "-m", "grimbots.tests.services.weekers", str(tmp_path / "clock")]
    stores = [database_url, redis_url, fake_telegram.url, shop.provider.url, str(tmp_path)]
    made = Week(shop, query, clock, tmp_path, [*module, *stores])
    yield made
    if made.process is not None:
        io_loop.run_sync(made.kill)


def list_wrong_nudges(week: Week) -> list[str]:
    """Judge every nudge by what was true at the instant at which it fired."""
    lives = {life.payments[0].lead_id: life for life in week.lives}
    said = {(cause, step) for cause, step in week.query("SELECT cause, step FROM messages WHERE cause LIKE 't:%%'")}
    wrong = []
    led: set[int] = set()
    for timer_id, payload, fired_at, _ in week.query(SHOWN):
        life, what = lives[payload["lead_id"]], payload["what"]
        is_wanted = life.can_be_reached(fired_at) and is_right(week, life, payload, fired_at, led)
        target = {"reminder": "pix", "downsell": "half", "upsell": "more"}[what]
        if what == "downsell" and is_wanted:
            led.add(payload["lead_id"])
        if is_wanted is not ((f"t:{timer_id}", target) in said):
            wrong.append(f"{what} {timer_id} of {payload}, fired at {fired_at}: wanted {is_wanted}")
    return wrong


def is_right(week: Week, life: Life, payload: dict[str, Any], at: datetime, led: set[int]) -> bool:
    """Tell whether a nudge was to be given then, from the payments alone."""
    payments = week.query(
        "SELECT id, created_at, expires_at, paid_at FROM payments WHERE lead_id = %s AND created_at <= %s ORDER BY id",
        *(payload["lead_id"], at),
    )
    (mine,) = [payment for payment in payments if payment[0] == payload["payment_id"]]
    was_paid = any(paid_at is not None and paid_at <= at for *_, paid_at in payments)
    if payload["what"] == "upsell":
        return was_paid and (life.given_back_at is None or at < life.given_back_at)
    is_newest = payments[-1][0] == mine[0]
    if payload["what"] == "reminder":
        return bool(is_newest and not was_paid and at < mine[2])
    return bool(is_newest and not was_paid and payload["lead_id"] not in led)


@pytest.mark.gen_test(timeout=900)
async def test_a_week_of_timers_survives_kills_and_a_clock_moved_by_hand(week: Week, query: Query) -> None:
    await week.live()
    assert week.kills == KILLS, f"seed {SEED}"
    assert query(LEFT, week.clock()) == [] == query(TWICE), f"seed {SEED}"
    assert list_wrong_nudges(week) == [], f"seed {SEED}"
    entered = query("SELECT id, status, ends_at FROM accesses WHERE entered_at IS NOT NULL")
    for access_id, status, ends_at in entered:
        told = query("SELECT count(*) FROM messages WHERE cause LIKE %s AND step = 'access'", f"a:{access_id}:%")
        acts = query("SELECT outcome FROM group_acts WHERE cause LIKE %s", f"a:{access_id}:%")
        if ends_at + timedelta(days=1) <= week.clock():
            assert (status, told, acts) == ("removed", [(3,)], [("removed",)]), f"seed {SEED}"
    assert "ERROR" not in (week.folder / "log").read_text(), f"seed {SEED}"
    given = dict(query("SELECT step, count(*) FROM messages WHERE cause LIKE 't:%%' GROUP BY 1"))
    print(f"seed {SEED}: {BUYERS} buyers, {week.kills} kills, fired {dict(query(FIRED))}, of these said {given},")
    print(f"and {len(entered)} subscriptions")
