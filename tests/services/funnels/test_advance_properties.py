"""advance over any funnel, checked or not, and any events in any order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.definitions import Version, read_version
from grimbots.services.funnels.effects import Nudge, Say
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
    Wrote,
)
from grimbots.tests.services.funnels.samples import NOW, make_version
from grimbots.tests.services.funnels.walkers import Walker

COUPONS = [{"code": "aaa", "percent": 50}, {"code": "bbb", "amount_cents": 9, "uses": 1}]
IDS = ["a", "b", "c", "d", "e", "f"]
TARGETS = st.sampled_from([*IDS, "nowhere"])
TEXTS = st.sampled_from(["x", "{{first_name|y}} {{product}}", "{{price}}"])
BUTTONS = st.lists(st.builds(lambda text, target: {"text": text, "next": target}, TEXTS, TARGETS), max_size=3)
LATER = st.lists(st.builds(lambda target: {"after_minutes": 1, "next": target}, TARGETS), max_size=2)
FIELDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "message": st.fixed_dictionaries(
        {"text": TEXTS, "buttons": BUTTONS, "next": st.just("") | TARGETS}, optional={"downsells": LATER}
    ),
    "offer": st.fixed_dictionaries(
        {
            "product": st.sampled_from(["p", "q"]),
            "price_cents": st.integers(1, 3),
            "text": TEXTS,
            "accept": st.fixed_dictionaries({"text": TEXTS, "next": TARGETS}),
        },
        optional={"decline": st.fixed_dictionaries({"text": TEXTS, "next": TARGETS})},
    ),
    "bump": st.fixed_dictionaries({"product": TEXTS, "price_cents": st.integers(1, 3), "text": TEXTS, "next": TARGETS}),
    "charge": st.fixed_dictionaries(
        {"expires_in_minutes": st.integers(1, 3), "next": TARGETS},
        optional={
            "reminders": st.just([{"after_minutes": 1}, {"after_minutes": 2, "text": "{{code}}"}]),
            "downsells": LATER,
            "upsells": LATER,
        },
    ),
    "coupon": st.fixed_dictionaries({"text": TEXTS, "next": TARGETS}),
    "pick": st.fixed_dictionaries({"product": TEXTS, "next": TARGETS}, optional={"price_cents": st.integers(1, 3)}),
    "delivery": st.fixed_dictionaries({"text": TEXTS, "next": st.just("") | TARGETS}),
}


@st.composite
def funnels(draw: st.DrawFn) -> Version:
    """Draw a funnel whose steps lead anywhere: most would never pass the check."""
    kinds = draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=len(IDS)))
    steps = [{"id": name, "kind": kind, **draw(FIELDS[kind])} for name, kind in zip(IDS, kinds, strict=False)]
    version, _ = read_version(
        {"name": "x", "steps": steps, "coupons": COUPONS}, version_id=draw(st.integers(1, 2)), assets={}
    )
    return version


FUNNELS = st.just(make_version()) | funnels()
STEPS = st.sampled_from([*IDS, "nowhere", "welcome", "offer", "bump", "charge", "delivery", "bye"])
PAYMENTS = st.integers(1, 3)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Started, st.just("aaa") | st.text(max_size=3)),
    st.builds(Wrote, st.just("BBB") | st.text(max_size=3)),
    st.builds(
        Tapped, STEPS, st.sampled_from(["0", "1", "accept", "decline", "skip", "paid", "again"]), st.just("n"), PAYMENTS
    ),
    st.builds(Charged, PAYMENTS, STEPS, st.just("code"), st.integers(1, 9), st.just(NOW + timedelta(minutes=9))),
    st.builds(ChargeFailed, PAYMENTS, STEPS, st.booleans(), st.booleans()),
    st.builds(
        Nudged,
        STEPS,
        st.sampled_from(["reminder", "downsell", "upsell"]),
        st.integers(-1, 2),
        st.none() | PAYMENTS,
        st.integers(0, 3),
        st.sampled_from(["", "", "blocked"]),
    ),
    st.builds(Paid, PAYMENTS, STEPS),
    st.builds(PaymentPending, PAYMENTS, STEPS),
    st.builds(Expired, PAYMENTS, STEPS),
)
SCRIPTS = st.lists(st.tuples(EVENTS, st.integers(0, 400)), max_size=25)


def play(walker: Walker, script: list[tuple[Event, int]]) -> Iterator[Walker]:
    for event, seconds in script:
        walker.wait(seconds=seconds)
        walker.tell(event)
        yield walker


def read_callbacks(said: Say) -> list[list[str]]:
    rows = said.body.get("reply_markup", {"inline_keyboard": []})["inline_keyboard"]
    return [button["callback_data"].split(":") for row in rows for button in row if "callback_data" in button]


@given(FUNNELS, SCRIPTS)
def test_advance_answers_any_event_of_any_funnel(version: Version, script: list[tuple[Event, int]]) -> None:
    for walker in play(Walker(version), script):
        said = [effect for effect in walker.effects if not isinstance(effect, Nudge)]
        assert len(said) <= 3 * len(version.steps) + 3
        assert walker.walk.step in ("", *version.steps)


@given(FUNNELS, SCRIPTS)
def test_advance_gives_the_same_answer_to_the_same_question(version: Version, script: list[tuple[Event, int]]) -> None:
    for walker in play(Walker(version), script):
        again = [advance(version, walker.walk, event, walker.now) for event, _ in script]
        assert again == [advance(version, walker.walk, event, walker.now) for event, _ in script]


@given(FUNNELS, SCRIPTS)
def test_one_basket_has_one_open_charge(version: Version, script: list[tuple[Event, int]]) -> None:
    for walker in play(Walker(version), script):
        opened = [(order.step, order.items, order.coupon) for order in walker.walk.orders if order.is_open(walker.now)]
        assert len(opened) == len(set(opened))
        assert len({order.payment_id for order in walker.walk.orders}) == len(walker.walk.orders)


@given(FUNNELS, SCRIPTS)
def test_deliveries_follow_nothing_but_a_payment(version: Version, script: list[tuple[Event, int]]) -> None:
    walker = Walker(version)
    for (event, _), _ in zip(script, play(walker, script), strict=True):
        delivered = [effect for effect in walker.effects if isinstance(effect, Say) and effect.delivery]
        assert not delivered or (
            isinstance(event, Paid) and {said.payment_id for said in delivered} == {event.payment_id}
        )


@given(FUNNELS, SCRIPTS)
def test_every_button_leads_back_to_a_step_that_knows_it(version: Version, script: list[tuple[Event, int]]) -> None:
    for walker in play(Walker(version), script):
        for said in (effect for effect in walker.effects if isinstance(effect, Say)):
            for mark, step, button, _ in read_callbacks(said):
                assert (mark, step) == ("v1", said.step)
                assert button in version.steps[step].taps()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5), st.integers(0, 40)), max_size=30))
def test_a_buyer_who_presses_anything_is_charged_once_for_a_basket(presses: list[tuple[int, int, int]]) -> None:
    walker = Walker(make_version())
    walker.tell(Started())
    for message, button, seconds in presses:
        said = walker.said[message % len(walker.said)]
        found = read_callbacks(said)
        if found:
            _, step, name, _ = found[button % len(found)]
            walker.wait(seconds=seconds)
            walker.tap_again(step, name, message)
    assert len(walker.charges) == len({charge.items for charge in walker.charges})
