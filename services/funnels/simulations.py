"""Simulations: a crowd of made-up leads walks a funnel, with a clock of its own. Pure: the same seed, the same report.

What a lead does is drawn from its own random numbers (Habits); what the funnel does is `trace`, the function that
serves real leads. Nobody is asked for anything: a charge has its code after a second, a transfer comes or does not.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import log
from random import Random
from typing import Any

from grimbots.services.funnels.advance import trace
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.effects import Charge, Effect, Notify, Nudge, Post, Say, Verify, Wake
from grimbots.services.funnels.events import (
    Charged,
    ChargeFailed,
    Event,
    Expired,
    Nudged,
    Paid,
    PaymentPending,
    Started,
    Tapped,
    Woke,
    Wrote,
)
from grimbots.services.funnels.steps.charge import PAID as SAYS_PAID
from grimbots.services.funnels.times import find_zone
from grimbots.services.funnels.walks import Walk

BEGIN = datetime(2026, 1, 5, 3, tzinfo=UTC)  # a Monday, midnight in Brasília
PROVIDER = timedelta(seconds=1)
CODE = "00020126" + "0" * 120
NAMES = {"first_name": "Ana", "last_name": "", "username": "", "start_param": ""}
NONSENSE = "?"


@dataclass(frozen=True, slots=True)
class Habits:
    """How the made-up leads are; shares between 0 and 1, times the medians of lognormal ones."""

    reacts: float = 0.75  # presses a button or writes an answer, where one is wanted
    misreads: float = 0.1  # writes first what cannot be taken
    pays: float = 0.4
    says_paid: float = 0.3  # presses "I have paid" before the money is there
    leaves: float = 0.01  # blocks the bot at a message
    reaction_seconds: float = 40
    payment_seconds: float = 240
    spread: float = 1.0


@dataclass(slots=True)
class Person:
    """One made-up lead."""

    chance: Random
    walk: Walk = field(default_factory=lambda: Walk(variables=NAMES))
    messages: int = 0
    has_left: bool = False
    paid: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a simulation. `steps`: for each, the leads that came there and those that went on from there.

    `revenue_by_offer` is before the coupons' `discount_cents`, `revenue_cents` after them.
    """

    funnel: str
    leads: int
    days: int
    seed: int
    steps: Sequence[Mapping[str, Any]]
    charges: int
    paid: int
    revenue_cents: int
    revenue_by_offer: Mapping[str, int]
    discount_cents: int
    nudges: Mapping[str, int]
    sends_per_day: Sequence[int]
    notices: int
    posts: int
    left: int
    longest_wait: Mapping[str, Any]


def simulate(version: Version, *, leads: int, days: int, seed: int, habits: Habits = Habits()) -> Report:
    """Let `leads` people begin the funnel, evenly over the days, and tell what came of it until the last one ends."""
    return Simulation(version, leads, days, seed, habits).run()


class Simulation:
    """One run. What leads do is drawn in `begin`, `draw_payment` and `react`; a test reads it from a script instead."""

    def __init__(self, version: Version, leads: int, days: int, seed: int, habits: Habits) -> None:
        self._version, self._habits = version, habits
        self._days, self._seed = days, seed
        self._end = BEGIN + timedelta(days=days)
        self.people = [Person(Random(f"{seed}:{number}")) for number in range(leads)]  # noqa: S311  no secret
        self._agenda: list[tuple[datetime, int, int, Event]] = []
        self._entries = 0
        self._zone = find_zone(version.time_zone)
        self._came: dict[str, set[int]] = {step: set() for step in version.steps}
        self._went_on: dict[str, set[int]] = {step: set() for step in version.steps}
        self._offers: Counter[str] = Counter()
        self._sends: Counter[int] = Counter()
        self._counts: Counter[str] = Counter()
        self._nudges: Counter[str] = Counter()
        self._coupons: Counter[str] = Counter()
        self._longest: tuple[float, str] = (0, "")

    def run(self) -> Report:
        """Let everything happen until the last day ends."""
        self.begin()
        while self._agenda and self._agenda[0][0] < self._end:
            now, _, number, event = heapq.heappop(self._agenda)
            if isinstance(event, Expired):
                self._return_coupon(self.people[number], event)
            if not self.is_away(number, event):
                self.play(now, number, event)
        return self._sum_up()

    def begin(self) -> None:
        """Let the leads come, each at an instant of the days."""
        for number, person in enumerate(self.people):
            self.plan(BEGIN + timedelta(days=self._days) * person.chance.random(), number, Started())

    def is_away(self, number: int, event: Event) -> bool:
        """Tell whether nothing reaches a lead any more."""
        return self.people[number].has_left

    def draw_payment(self, person: Person, made: datetime, expires: datetime) -> datetime | None:
        """Say when a charge made then is paid; None: it expires."""
        paid = made + self._draw(person, self._habits.payment_seconds)
        return paid if person.chance.random() < self._habits.pays and paid < expires else None

    def plan(self, at: datetime, number: int, event: Event) -> None:
        """Let something happen at an instant."""
        self._entries += 1
        heapq.heappush(self._agenda, (at, self._entries, number, event))

    def play(self, now: datetime, number: int, event: Event) -> None:
        """Let one thing happen to one lead."""
        person = self.people[number]
        if isinstance(event, Expired | PaymentPending) and event.payment_id in person.paid:
            return
        done = trace(self._version, person.walk, event, now)
        origin = getattr(event, "step", person.walk.step)
        if isinstance(event, Nudged):
            origin = ""  # whoever is led on by it did not go on from the step that planned it
            self._nudges[event.what] += bool(done.path or done.effects)
        person.walk = done.walk
        for before, step in zip((origin, *done.path), done.path, strict=False):
            self._came[step].add(number)
            if before in self._went_on:
                self._went_on[before].add(number)
        if isinstance(event, Paid):
            self._note_sale(person, event)
        for effect in done.effects:
            self.carry_out(now, number, person, effect)
        self.react(now, number, person, done.effects)

    def _note_sale(self, person: Person, event: Paid) -> None:
        person.paid.add(event.payment_id)
        order = person.walk.find_order(event.payment_id)
        for item in order.items if order else ():
            self._offers[item.offer] += item.price_cents
        self._counts["discount_cents"] += order.discount_cents if order else 0
        self._counts["paid"] += 1

    def carry_out(self, now: datetime, number: int, person: Person, effect: Effect) -> None:
        """Count what was asked for, and let follow what comes of it."""
        match effect:
            case Say():
                person.messages += 1
                self._sends[(now.astimezone(self._zone).date() - BEGIN.astimezone(self._zone).date()).days] += 1
            case Wake():
                self.plan(effect.due_at, number, Woke(effect.step, effect.number))
                self._longest = max(self._longest, ((effect.due_at - now).total_seconds(), effect.step))
            case Nudge():
                later = Nudged(effect.step, effect.what, effect.place, effect.payment_id, effect.stage)
                self.plan(effect.due_at, number, later)
            case Charge():
                self._charge(now, number, person, effect)
            case Verify():
                self.plan(now + PROVIDER, number, PaymentPending(effect.payment_id, self._step_of(person, effect)))
            case Notify():
                self._counts["notices"] += 1
            case Post():
                self._counts["posts"] += 1

    def _step_of(self, person: Person, effect: Verify) -> str:
        order = person.walk.find_order(effect.payment_id)
        return order.step if order else ""

    def _charge(self, now: datetime, number: int, person: Person, effect: Charge) -> None:
        self._counts["charges"] += 1
        payment_id = self._counts["charges"]
        orders = person.walk.orders
        person.walk = replace(person.walk, orders=(*orders[:-1], replace(orders[-1], payment_id=payment_id)))
        made, expires = now + PROVIDER, now + PROVIDER + timedelta(seconds=effect.expires_in_seconds)
        if effect.coupon and not self._take_coupon(effect):
            self.plan(made, number, ChargeFailed(payment_id, effect.step, coupon=True))
            return
        self.plan(made, number, Charged(payment_id, effect.step, CODE, effect.amount_cents, expires))
        paid = self.draw_payment(person, made, expires)
        last = Paid(payment_id, effect.step) if paid else Expired(payment_id, effect.step)
        self.plan(paid or expires, number, last)

    def _take_coupon(self, effect: Charge) -> bool:
        """Count a use, as long as there is one."""
        is_left = effect.uses is None or self._coupons[effect.coupon] < effect.uses
        self._coupons[effect.coupon] += is_left
        return is_left

    def _return_coupon(self, person: Person, event: Expired) -> None:
        order = person.walk.find_order(event.payment_id)
        if order is not None and not order.closed:
            self._coupons[order.coupon] -= 1

    def react(self, now: datetime, number: int, person: Person, effects: Sequence[Effect]) -> None:
        """Let a lead do what it does about what it has just been said."""
        said = [effect for effect in effects if isinstance(effect, Say)]
        if not said:
            return
        person.has_left = person.chance.random() < self._habits.leaves
        self._counts["left"] += person.has_left
        choices = list(_choose_from(said, person, self._version, self._habits))
        if choices and person.chance.random() < self._habits.reacts:
            self.plan(now + self._draw(person, self._habits.reaction_seconds), number, person.chance.choice(choices))

    def _draw(self, person: Person, median_seconds: float) -> timedelta:
        return timedelta(seconds=round(person.chance.lognormvariate(log(median_seconds), self._habits.spread), 3))

    def _sum_up(self) -> Report:
        kinds = {step.id: step.kind for step in self._version.steps.values()}
        total = len(self.people) or 1
        steps = [
            {
                "step": step,
                "kind": kinds[step],
                "leads": len(came),
                "share": round(len(came) / total, 4),
                "went_on": len(self._went_on[step]),
                "conversion": round(len(self._went_on[step]) / len(came), 4) if came else 0.0,
            }
            for step, came in self._came.items()
        ]
        seconds, step = self._longest
        return Report(
            funnel=self._version.name,
            leads=len(self.people),
            days=self._days,
            seed=self._seed,
            steps=steps,
            charges=self._counts["charges"],
            paid=self._counts["paid"],
            revenue_cents=self._offers.total() - self._counts["discount_cents"],
            revenue_by_offer=dict(sorted(self._offers.items())),
            discount_cents=self._counts["discount_cents"],
            nudges=dict(sorted(self._nudges.items())),
            sends_per_day=[self._sends[day] for day in range(self._days)],
            notices=self._counts["notices"],
            posts=self._counts["posts"],
            left=self._counts["left"],
            longest_wait={"step": step, "seconds": seconds},
        )


def _choose_from(said: Sequence[Say], person: Person, version: Version, habits: Habits) -> Iterator[Event]:
    """Give what a lead may do: press one of the buttons it has just been shown, or write what it is asked for."""
    step = version.steps.get(person.walk.step)
    words = step.sample(person.chance, version) if step else None
    if words is not None:
        yield Wrote(NONSENSE if person.chance.random() < habits.misreads else words)
        return
    for place, one in enumerate(said):
        for data in _list_callbacks(one):
            _, name, button, _ = data.split(":")
            if button != SAYS_PAID or person.chance.random() < habits.says_paid:
                yield Tapped(name, button, f"{person.messages}-{place}", one.payment_id)


def _list_callbacks(said: Say) -> list[str]:
    rows = said.body.get("reply_markup", {}).get("inline_keyboard", ())
    return [button["callback_data"] for row in rows for button in row if "callback_data" in button]
