"""stars: the same sale as by PIX, counted in whole Stars, with an invoice's button in place of a code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grimbots.services.funnels.definitions import list_rules
from grimbots.services.funnels.events import Charged, ChargeFailed, MoneyNews, Paid, Started
from grimbots.services.funnels.kinds import find_kinds
from grimbots.tests.services.funnels.samples import make_version
from grimbots.tests.services.funnels.test_nudges import Lead

LINK = "https://t.me/$abc"
FUNNEL: dict[str, Any] = {
    "name": "x",
    "coupons": [{"code": "VOLTA10", "percent": 10, "uses": 1}],
    "steps": [
        {"id": "course", "kind": "pick", "product": "Curso", "price_cents": 1990, "next": "stars"},
        {"id": "stars", "kind": "stars", "expires_in_minutes": 30, "cents_per_star": 8, "next": "access",
         "reminders": [{"after_minutes": 10}, {"after_minutes": 20, "text": "Ainda {{stars}}"}],
         "downsells": [{"after_minutes": 40, "next": "book"}],
         "upsells": [{"after_minutes": 5, "next": "book", "of": "course"}]},
        {"id": "access", "kind": "delivery", "text": "Aqui"},
        {"id": "book", "kind": "pick", "product": "Livro", "price_cents": 700, "next": "stars"},
    ],
}  # fmt: skip


def order(param: str = "", language: str = "pt-BR") -> Lead:
    """Let a lead come, with a coupon or without, and Telegram make the invoice."""
    lead = Lead(make_version({**FUNNEL, "language": language}))
    lead.tell(Started(param))
    make_invoice(lead)
    return lead


def make_invoice(lead: Lead) -> None:
    newest = lead.charges[-1]
    until = lead.now + timedelta(seconds=newest.expires_in_seconds)
    lead.tell(Charged(len(lead.charges), newest.step, LINK, newest.amount_cents, until))


def read_buttons(lead: Lead) -> list[dict[str, Any]]:
    return [button for row in lead.said[-1].body["reply_markup"]["inline_keyboard"] for button in row]


@pytest.mark.parametrize(("param", "stars"), [("", 249), ("volta10", 224)])  # 19.90 and 17.91 at eight cents a Star
def test_what_is_shown_is_what_is_asked_for_with_a_coupon_too(param: str, stars: int) -> None:
    lead = order(param)
    (charge,) = lead.charges
    assert (charge.amount_cents, charge.currency, charge.uses) == (stars, "XTR", 1 if param else None)
    pay, _ = read_buttons(lead)
    assert f"{stars} Stars" in lead.said[-1].body["text"] and pay == {"text": f"Pagar {stars} ⭐", "url": LINK}


def test_whoever_comes_back_is_shown_the_same_invoice() -> None:
    lead = order("volta10")
    lead.tell(Started("volta10"))
    assert len(lead.charges) == 1 and read_buttons(lead)[0]["url"] == LINK
    lead.tell(Started("nothing"))  # the coupon stays until it pays
    assert len(lead.charges) == 1


def test_a_coupon_that_is_used_up_leaves_the_full_price_in_stars() -> None:
    lead = Lead(make_version(FUNNEL))
    lead.tell(Started("volta10"))
    lead.tell(ChargeFailed(1, "stars", coupon=True))
    assert "249 Stars" in lead.said[-1].body["text"]
    lead.tap("stars", "again")
    assert [charge.amount_cents for charge in lead.charges] == [224, 249]


def test_a_reminder_brings_the_invoices_button_and_no_code() -> None:
    lead = order()
    assert lead.pass_time(minutes=11) == ["reminder"]
    assert "249 Stars" in lead.said[-1].body["text"] and "PIX" not in lead.said[-1].body["text"]
    assert lead.pass_time(minutes=10) == ["reminder"]
    assert lead.said[-1].body["text"] == "Ainda 249" and read_buttons(lead)[0]["url"] == LINK


def test_who_does_not_pay_is_led_to_the_downsell_and_who_pays_to_the_upsell() -> None:
    lead = order()
    lead.pass_time(minutes=41)
    assert [charge.amount_cents for charge in lead.charges] == [249, 88]
    buyer = order()
    buyer.tell(Paid(1, "stars"))
    assert buyer.pass_time(minutes=6) and buyer.charges[-1].amount_cents == 88
    assert buyer.charges[-1].currency == "XTR"


@pytest.mark.parametrize("language", ["pt-BR", "en"])
@pytest.mark.parametrize("word", ["returned", "refunded"])
def test_what_goes_back_is_told_in_stars(language: str, word: str) -> None:
    lead = order(language=language)
    lead.tell(Paid(1, "stars"))
    lead.tell(MoneyNews(1, "stars", word, 249))
    said = lead.said[-1].body["text"]
    assert "249 Stars" in said and "R$" not in said and "PIX" not in said


@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_nothing_it_says_speaks_of_pix(language: str) -> None:
    lead = order(language=language)
    lead.pass_time(minutes=25)
    lead.tell(ChargeFailed(1, "stars"))
    lead.tap("stars", "again")
    assert not [said.body for said in lead.said if "PIX" in str(said.body) or "R$" in str(said.body)]


def test_there_is_no_picture_to_ask_for() -> None:
    assert "qr" not in {name for name, _ in list_rules(find_kinds()["stars"])}
