"""Coupons: what one takes off, where it counts, and when it does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grimbots.services.funnels.coupons import Coupon
from grimbots.services.funnels.definitions import Version
from grimbots.services.funnels.events import Charged, ChargeFailed, Paid, Started, Tapped, Wrote
from grimbots.services.funnels.prices import LEAST_CENTS, cut
from grimbots.services.funnels.simulations import Habits, simulate
from grimbots.tests.services.funnels.samples import NOW, make_charged, make_funnel, make_version
from grimbots.tests.services.funnels.walkers import Walker

COUPONS = [
    {"code": "BACK10", "percent": 10, "until": "2026-03-02", "uses": 2},
    {"code": "less5", "amount_cents": 500},
]


def make_shop(**changes: Any) -> Version:
    funnel = make_funnel(bump={"next": "coupon"}, **changes)
    funnel["steps"].append({"id": "coupon", "kind": "coupon", "text": "Cupom?", "next": "charge"})
    return make_version({**funnel, "coupons": COUPONS})


def order(walker: Walker, param: str = "", typed: str = "") -> Walker:
    """Buy the course and the book, with a coupon of the start's or a typed one."""
    walker.tell(Started(param))
    walker.tap("offer", "accept")
    walker.tap("bump", "accept")
    walker.tell(Wrote(typed)) if typed else walker.tap("coupon", "skip")
    return walker


def read_text(walker: Walker, place: int = -1) -> str:
    return str(walker.said[place].body.get("text") or walker.said[place].body["caption"])


@pytest.mark.parametrize(
    ("param", "typed", "amount_cents", "code"),
    [
        ("", "", 2980, ""),
        ("back10", "", 2682, "BACK10"),
        ("", " Less5 ", 2480, "less5"),
        ("BACK10", "less5", 2480, "less5"),
        ("0123456789abcdef", "", 2980, ""),
    ],
)
def test_the_charge_counts_the_coupon(param: str, typed: str, amount_cents: int, code: str) -> None:
    walker = order(Walker(make_shop()), param, typed)
    (charge,) = walker.charges
    assert (charge.amount_cents, charge.coupon) == (amount_cents, code)
    assert charge.uses == {"BACK10": 2}.get(code)
    assert sum(item.price_cents for item in charge.items) == 2980


def test_prices_on_the_way_count_it_too() -> None:
    walker = Walker(make_shop(offer={"text": "{{full_price}} {{price}} {{coupon}}"}))
    walker.tell(Started("BACK10"))
    walker.tap("welcome", "0")
    assert read_text(walker) == "R$ 19,90 R$ 17,91 BACK10"
    walker.tap("offer", "accept")
    assert read_text(walker) == "E o Livro, por mais R$ 8,91?"
    walker.tap("bump", "accept")
    walker.tap("coupon", "skip")
    walker.tell(make_charged(1, amount_cents=2682))
    assert "R$ 26,82" in read_text(walker, -2)
    walker.tell(Paid(1, "charge"))
    assert walker.walk.coupon == "" and walker.walk.basket == ()


def test_a_coupon_nobody_knows_is_asked_for_again() -> None:
    walker = order(Walker(make_shop()), typed="nothing")
    assert walker.charges == [] and "Não encontrei" in read_text(walker)
    walker.tap("coupon", "skip")
    assert walker.charges[-1].amount_cents == 2980


def test_a_coupon_that_is_over_is_said_to_be_at_the_charge() -> None:
    walker = Walker(make_shop())
    walker.tell(Started("BACK10"))
    walker.tap("offer", "accept")
    walker.wait(days=1)
    walker.tap("bump", "accept")
    walker.tap("coupon", "skip")
    assert walker.charges[-1].amount_cents == 2980 and walker.walk.coupon == ""
    assert read_text(walker) == "O cupom <b>BACK10</b> não vale mais. Sem ele, o valor é R$ 29,80."


def test_a_coupon_that_is_used_up_leaves_the_full_price_at_a_tap() -> None:
    walker = order(Walker(make_shop()), "BACK10")
    walker.tell(ChargeFailed(1, "charge", coupon=True))
    assert read_text(walker) == "O cupom <b>BACK10</b> não vale mais. Sem ele, o valor é R$ 29,80."
    walker.tap("charge", "again")
    assert [(one.amount_cents, one.coupon) for one in walker.charges] == [(2682, "BACK10"), (2980, "")]


def test_a_new_code_takes_the_coupon_again() -> None:
    walker = order(Walker(make_shop()), typed="less5")
    walker.tell(ChargeFailed(1, "charge"))
    walker.tap("charge", "again")
    assert [one.amount_cents for one in walker.charges] == [2480, 2480]


def test_a_coupon_found_later_makes_another_charge() -> None:
    walker = order(Walker(make_shop()))
    walker.tell(Charged(1, "charge", "code", 2980, NOW))
    order(walker, typed="less5")
    assert [one.amount_cents for one in walker.charges] == [2980, 2480]


@pytest.mark.parametrize(("typed", "kept"), [("", ""), ("less5", "less5")])
def test_a_coupon_is_spent_by_a_payment_that_comes_while_something_else_is_bought(typed: str, kept: str) -> None:
    walker = order(Walker(make_shop()), "BACK10")
    walker.tap("offer", "accept", message=0)
    walker.tap("bump", "decline")
    if typed:
        walker.tell(Wrote(typed))
    assert len(walker.walk.basket) == 1
    walker.tell(Paid(1, "charge"))
    assert (walker.walk.coupon, len(walker.walk.basket)) == (kept, 1)


def test_the_skip_button_of_an_old_message_is_no_way_back() -> None:
    walker = order(Walker(make_shop()))
    walker.wait(minutes=1)
    assert walker.tell(Tapped("coupon", "skip", "old")) == ()


@given(st.integers(1, 10**8), st.integers(1, 99), st.integers(1, 10**8))
@example(full=100, percent=99, off=60)
@example(full=30, percent=10, off=1)
def test_what_stays_to_be_paid_can_be_charged(full: int, percent: int, off: int) -> None:
    least = min(full, LEAST_CENTS)
    assert least <= cut(full, percent) <= full
    assert cut(full, percent) == least or abs(cut(full, percent) - full * (100 - percent) / 100) <= 1
    for coupon in (Coupon("A", percent=percent), Coupon("A", amount_cents=off)):
        left = full - coupon.find_discount(full)
        assert least <= left <= full
        assert left == least or left == full - coupon.find_worth(full)


def test_made_up_leads_use_them_as_often_as_they_may() -> None:
    habits = Habits(reacts=1, misreads=0, pays=1, leaves=0, payment_seconds=1, says_paid=0)
    report = simulate(make_shop(), leads=300, days=2, seed=1, habits=habits)
    of_course, of_book = report.revenue_by_offer["offer"], report.revenue_by_offer["bump"]
    assert report.revenue_cents == of_course + of_book - report.discount_cents
    assert report.discount_cents > 500 * 10 and report.discount_cents % 500 in (199, 298, 398, 497, 96)
