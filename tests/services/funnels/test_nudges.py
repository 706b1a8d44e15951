"""Reminders, downsells and upsells: each is wanted at its time, or is not; what follows is what was bought."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.effects import Charge, Nudge, Say
from grimbots.services.funnels.events import Charged, ChargeFailed, Event, Expired, Held, Nudged, Paid, Started
from grimbots.services.funnels.explanations import explain_nudges
from grimbots.services.funnels.replays import Happening, play
from grimbots.services.funnels.simulations import Habits, simulate
from grimbots.tests.services.funnels.samples import make_version, make_walk
from grimbots.tests.services.funnels.walkers import Walker

CODE = "00020126"
OFFER = {"kind": "offer", "product": "Curso", "text": "{{price}} de {{full_price}}"}
STEPS: list[dict[str, Any]] = [
    {"id": "hi", "kind": "message", "text": "Oi", "buttons": [{"text": "Curso", "next": "course"}],
     "downsells": [{"after_minutes": 60, "next": "half"}]},
    {"id": "course", "kind": "pick", "product": "Curso", "price_cents": 1999, "next": "pix"},
    {"id": "pix", "kind": "charge", "expires_in_minutes": 30, "next": "access",
     "reminders": [{"after_minutes": 10}, {"after_minutes": 20, "text": "<code>{{code}}</code> {{validity}}"}],
     "downsells": [{"after_minutes": 15, "next": "half"}, {"after_minutes": 45, "next": "other"}],
     "upsells": [{"after_minutes": 5, "next": "more", "of": "course"}, {"after_minutes": 9, "next": "book"}]},
    {"id": "access", "kind": "delivery", "text": "Aqui"},
    {"id": "half", **OFFER, "discount": {"percent": 50, "of": "course"}, "accept": {"text": "Sim", "next": "pix"}},
    {"id": "other", "kind": "message", "text": "Outro", "buttons": [{"text": "Livro", "next": "book"}]},
    {"id": "more", **OFFER, "product": "Mais", "price_cents": 500, "accept": {"text": "Sim", "next": "pix"}},
    {"id": "book", "kind": "pick", "product": "Livro", "price_cents": 700, "next": "pix"},
]  # fmt: skip


def make_sale() -> Version:
    return make_version({"name": "x", "steps": STEPS})


class Lead(Walker):
    """A walker whose nudges come at their time, in order."""

    def __init__(self, version: Version | None = None) -> None:
        super().__init__(version or make_sale())
        self.planned: list[Nudge] = []
        self.given: list[str] = []
        self.past: list[Happening] = []

    def tell(self, event: Event, version: Version | None = None) -> Any:
        opened = len(self.charges)
        effects = super().tell(event, version)
        numbers = range(opened + 1, len(self.charges) + 1)
        self.past.append(Happening(self.now, version or self.version, event, tuple(numbers)))
        self.planned += [effect for effect in effects if isinstance(effect, Nudge)]
        return effects

    def charged(self) -> None:
        newest = self.charges[-1]
        until = self.now + timedelta(seconds=newest.expires_in_seconds)
        self.tell(Charged(len(self.charges), newest.step, CODE, newest.amount_cents, until))

    def pass_time(self, **span: float) -> list[str]:
        """Let time pass; returns the steps that spoke because of nudges, a name for each that did something."""
        end, self.given = self.now + timedelta(**span), []
        while due := sorted((one for one in self.planned if one.due_at <= end), key=lambda one: one.due_at):
            nudge = due[0]
            self.planned.remove(nudge)
            self.now = nudge.due_at
            if self.tell(make_event(nudge)):
                self.given.append(nudge.what if nudge.what == "reminder" else self.walk.step)
        self.now = end
        return self.given


def make_event(nudge: Nudge) -> Nudged:
    return Nudged(nudge.step, nudge.what, nudge.place, nudge.payment_id, nudge.stage)


def begin(**after: Any) -> Lead:
    """Give a lead who has been shown a code."""
    lead = Lead()
    lead.tell(Started())
    lead.tap("hi", "0")
    lead.charged()
    return lead


def test_who_does_nothing_is_led_to_the_downsell() -> None:
    lead = Lead()
    lead.tell(Started())
    assert lead.pass_time(minutes=59) == []
    assert lead.pass_time(minutes=1) == ["half"]
    assert (lead.walk.step, lead.said[-1].body["text"]) == ("half", "R$ 10,00 de R$ 19,99")
    assert lead.pass_time(days=30) == []


def test_an_unpaid_code_is_shown_again_and_then_other_offers_come() -> None:
    lead = begin()
    assert lead.pass_time(minutes=14) == ["reminder"]
    assert [one.body["text"].count(CODE) for one in lead.said[-2:]] == [0, 1]
    assert lead.pass_time(minutes=16) == ["half", "reminder"]
    assert lead.said[-1].body["text"] == f"<code>{CODE}</code> 10 minutos"
    assert lead.said[-1].body["reply_markup"]["inline_keyboard"][0][0]["copy_text"] == {"text": CODE}
    lead.tell(Expired(1, "pix"))
    assert lead.pass_time(days=1) == ["other"]  # its time comes after the code's; the welcome's downsell is long gone


def test_who_has_paid_is_reminded_of_nothing_and_offered_more() -> None:
    lead = begin()
    lead.wait(minutes=3)
    lead.tell(Paid(1, "pix"))
    assert lead.pass_time(days=30) == ["more", "pix"]
    assert [item.offer for item in lead.charges[-1].items] == ["book"]  # a pick: straight to a code of its own


def test_an_upsell_is_for_who_bought_its_product_and_sells_nothing_twice() -> None:
    lead = Lead()
    lead.tell(Started())
    lead.pass_time(minutes=60)
    lead.tap("half", "accept")
    lead.charged()
    assert lead.charges[-1].amount_cents == 1000
    lead.tell(Paid(1, "pix"))
    lead.pass_time(minutes=9)
    assert (lead.given, lead.charges[-1].amount_cents) == (["pix"], 700)
    lead.tell(Paid(2, "pix"))
    assert lead.walk.last_bought == ("book",) and lead.walk.bought == ("half", "book")
    assert lead.pass_time(days=30) == []  # the book's own upsells would sell the book again


def test_a_downsell_is_given_once_until_the_lead_begins_anew() -> None:
    lead = begin()
    lead.pass_time(minutes=15)
    lead.tap("half", "accept")
    lead.charged()
    assert lead.pass_time(days=2) == ["reminder", "reminder", "other"]
    lead.tell(Started())
    lead.tap("hi", "0")
    lead.charged()
    assert "half" in lead.pass_time(days=2)


def test_another_step_with_downsells_takes_the_place_of_the_first() -> None:
    lead = begin()
    lead.wait(minutes=1)
    lead.tell(Started())
    assert lead.pass_time(days=1) == ["reminder", "reminder", "half"]  # the welcome's, an hour later


@pytest.mark.parametrize("against", ["held", "blocked", "returned"])
def test_what_is_against_it_leaves_it_out_for_good(against: str) -> None:
    lead = begin()
    if against == "held":
        lead.tell(Held(lead.now + timedelta(minutes=16)))
    else:
        for place, nudge in enumerate(lead.planned):
            assert lead.tell(Nudged(nudge.step, nudge.what, place % 2, 1, nudge.stage, against)) == ()  # type: ignore[arg-type]
        lead.planned = []
    assert lead.pass_time(minutes=16) == []
    lead.tell(Held(None))
    assert lead.pass_time(days=1) == (["reminder", "other"] if against == "held" else [])


def test_a_nudge_of_a_step_that_has_none_does_nothing() -> None:
    lead = begin()
    for event in (
        Nudged("nowhere", "downsell", 0),
        Nudged("hi", "reminder", 0),
        Nudged("pix", "upsell", 9),
        Nudged("pix", "downsell", -1),
        Nudged("pix", "reminder", 0, 99),
    ):
        assert lead.tell(event) == ()


def test_an_old_version_keeps_its_nudges_and_leads_on_its_own_ways() -> None:
    lead = begin()
    edited = [{**step, "text": "Novo"} if step["id"] == "half" else step for step in STEPS if step["id"] != "other"]
    newer = make_version(
        {"name": "x", "steps": [*edited[:2], edited[2] | {"downsells": []}, *edited[3:]]}, version_id=8
    )
    planned, lead.planned = lead.planned, []
    lead.tell(Started(), newer)
    assert lead.walk.version_id == 8
    lead.planned = [one for one in planned if one.what == "reminder"]
    assert lead.pass_time(minutes=25) == ["reminder", "reminder"] and lead.walk.version_id == 8


def test_explain_says_why_a_downsell_was_left_out() -> None:
    def tell(lead: Lead, step: str = "half") -> list[str]:
        passages = list(play(lead.past, make_walk()))
        return [reason.code for reason in explain_nudges(passages, step, lead.now)]

    lead = begin()
    assert tell(lead) == ["nudge_moved", "nudge_due"] and tell(lead, "other") == ["nudge_due"]
    lead.tell(Paid(1, "pix"))
    lead.wait(days=2)
    assert tell(lead) == ["nudge_bought", "nudge_bought"]
    assert tell(lead, "pix") == ["nudge_settled", "nudge_settled"]
    lead = begin()
    lead.wait(minutes=1)
    lead.tell(Started())
    lead.planned = []
    lead.wait(minutes=30)
    assert tell(lead) == ["nudge_moved", "nudge_moved", "nudge_due"]
    lead = begin()
    lead.wait(minutes=15)
    lead.tell(Nudged("pix", "downsell", 0, 1, lead.walk.stage, "blocked"))
    assert tell(lead)[-1] == "nudge_blocked"
    lead = begin()
    lead.tell(Held(lead.now + timedelta(hours=1)))
    lead.wait(hours=2)
    assert tell(lead)[-1] == "nudge_held"
    lead = begin()
    lead.pass_time(minutes=15)
    assert tell(lead)[-1] != "nudge_late" and len(tell(lead)) == 1


def test_made_up_leads_are_given_them_too() -> None:
    report = simulate(make_sale(), leads=300, days=4, seed=2, habits=Habits(pays=0.3, reacts=0.9))
    assert {"reminder", "downsell", "upsell"} == set(report.nudges) and all(report.nudges.values())
    assert report.revenue_by_offer["half"] % 1000 == 0 < report.revenue_by_offer["half"]
    assert report.revenue_cents == sum(report.revenue_by_offer.values())


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["start", "pick", "half", "code", "pay", "expire", "fail", "hold", "give"]), st.integers(0, 40)
    ),
    max_size=30,
)


@given(ACTS)
def test_whatever_a_lead_does_nothing_is_said_twice_or_after_its_time(acts: list[tuple[str, int]]) -> None:
    lead = Lead()
    lead.tell(Started())
    for act, minutes in acts:
        paid = set(lead.walk.bought)
        for given_ in lead.pass_time(minutes=minutes):
            assert not lead.walk.is_held(lead.now) or given_
        number = len(lead.charges)
        match act:
            case "start":
                lead.tell(Started())
            case "pick":
                lead.tap("hi", "0")
            case "half":
                lead.tap("half", "accept")
            case "code" if number and not lead.walk.find_order(number).code:  # type: ignore[union-attr]
                lead.charged()
            case "pay" if number:
                lead.tell(Paid(number, "pix"))
            case "expire" if number:
                lead.tell(Expired(number, "pix"))
            case "fail" if number:
                lead.tell(ChargeFailed(number, "pix"))
            case "hold":
                lead.tell(Held(lead.now + timedelta(minutes=5)))
            case "give":
                lead.tell(Held(None))
        assert paid <= set(lead.walk.bought)
        for nudge in lead.planned:  # repeated, none does anything a second time but show a code that can be paid
            if lead.walk.is_held(lead.now):
                assert lead.tell(make_event(nudge)) == ()
    for charge in lead.charges:
        assert isinstance(charge, Charge) and charge.amount_cents in (1999, 1000, 700, 500)
    assert all(isinstance(said, Say) for said in lead.said)
