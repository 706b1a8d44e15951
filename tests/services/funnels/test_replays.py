"""What happened, played again on an edited funnel, and told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

import pytest

from grimbots.services.funnels import journals
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.events import (
    AccessNews,
    Charged,
    ChargeFailed,
    Event,
    Expired,
    Held,
    MoneyNews,
    Nudged,
    Paid,
    PaymentPending,
    Returned,
    Started,
    Tapped,
    TappedOld,
    Woke,
    Wrote,
)
from grimbots.services.funnels.explanations import explain
from grimbots.services.funnels.replays import EDITED_ID, Difference, Happening, find_difference, play
from grimbots.tests.services.funnels.samples import NOW, make_charged, make_funnel, make_version, make_walk

EVENTS: list[Event] = [
    Started("p"),
    Wrote("x"),
    Tapped("offer", "accept", "n", 5),
    TappedOld("buy_0"),
    make_charged(),
    ChargeFailed(5, "charge"),
    ChargeFailed(5, "charge", coupon=True),
    Paid(5, "charge"),
    PaymentPending(5, "charge"),
    Expired(5, "charge"),
    AccessNews(5, "delivery", "ending", "VIP", 86400.0),
    MoneyNews(5, "charge", "refunded", 1990),
    Woke("wait", 3),
    Nudged("charge", "downsell", 1, 5, 2, "blocked"),
    Held(NOW),
    Held(None),
    Returned(),
]
BOUGHT: list[tuple[Event, tuple[int, ...]]] = [
    (Started(), ()),
    (Tapped("welcome", "0", "1"), ()),
    (Tapped("offer", "accept", "2"), ()),
    (Tapped("bump", "decline", "3"), (9,)),
    (make_charged(payment_id=9, amount_cents=1990), ()),
    (Paid(9, "charge"), ()),
]


def happen(version: Version, events: list[tuple[Event, tuple[int, ...]]]) -> list[Happening]:
    return [
        Happening(NOW + timedelta(seconds=10 * place), version, event, payments)
        for place, (event, payments) in enumerate(events)
    ]


def differ(events: list[tuple[Event, tuple[int, ...]]], **changes: Any) -> Difference | None:
    edited = make_version(make_funnel(**changes), version_id=EDITED_ID)
    return find_difference(happen(make_version(), events), make_walk(), edited)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_read_back_as_it_was_written(event: Event) -> None:
    assert journals.load(journals.dump(event)) == event


def test_every_kind_of_event_is_written() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event)) == {*journals.KINDS.values()}
    assert Charged in journals.KINDS.values()


def test_the_same_funnel_does_the_same() -> None:
    assert differ(BOUGHT) is None


@pytest.mark.parametrize(
    ("changes", "step", "event"),
    [
        ({"bye": {"text": "Nunca visto"}}, None, None),
        ({"welcome": {"text": "Olá!"}}, "welcome", Started),
        ({"offer": {"price_cents": 2990}}, "offer", Tapped),
        ({"charge": {"expires_in_minutes": 5}}, "charge", Tapped),
        ({"charge": {"texts": {"confirmed": "Obrigado"}}}, "charge", Paid),
        ({"delivery": {"protect_content": False}}, "delivery", Paid),
    ],
)
def test_the_first_step_that_differs_is_shown(changes: Any, step: str | None, event: Any) -> None:
    found = differ(BOUGHT, **changes)
    assert (found and found.step, found and type(found.event)) == (step, event)


def test_a_step_that_is_not_there_any_more_is_shown() -> None:
    found = differ(BOUGHT, bump={"id": "other"}, offer={"accept": {"text": "Quero por {{price}}", "next": "other"}})
    assert found is not None and (found.step, found.after) == ("bump", None)


def list_reasons(events: list[tuple[Event, tuple[int, ...]]], step: str, version: Version | None = None) -> list[str]:
    version = version or make_version()
    passages = list(play(happen(version, events), make_walk()))
    walk = passages[-1].done.walk if passages else make_walk()
    return [reason.code for reason in explain(version, passages, walk, step, NOW + timedelta(minutes=1))]


def make_waiting() -> Version:
    steps = [
        {"id": "a", "kind": "question", "text": "?", "variable": "v", "next": "b"},
        {"id": "b", "kind": "delay", "minutes": 9, "next": "c"},
        {"id": "c", "kind": "message", "text": "oi"},
    ]
    return make_version({"name": "x", "steps": steps})


def test_reasons() -> None:
    assert list_reasons([], "welcome") == ["never_started"]
    assert list_reasons(BOUGHT[:1], "nowhere") == ["no_step"]
    assert list_reasons(BOUGHT[:1], "offer") == ["waits_tap"]
    assert list_reasons(BOUGHT[:5], "delivery") == ["waits_payment"]
    assert list_reasons(BOUGHT, "delivery") == ["came"]
    assert list_reasons(BOUGHT, "bye") == ["parted", "ended"]
    assert list_reasons([*BOUGHT[:1], (Held(NOW + timedelta(hours=1)), ())], "offer") == ["held"]
    assert list_reasons([(Started(), ())], "c", make_waiting()) == ["waits_answer"]
    assert list_reasons([(Started(), ()), (Wrote("x"), ())], "c", make_waiting()) == ["waits_until"]
    assert list_reasons([(Started(), ()), (Wrote("x"), ())], "b", make_waiting()) == ["came_silent"]
