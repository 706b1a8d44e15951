from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grimbots.services.funnels.advance import advance
from grimbots.services.funnels.effects import NONCE, Charge, Say, Verify
from grimbots.services.funnels.events import ChargeFailed, Expired, Paid, PaymentPending, Started, Tapped, Wrote
from grimbots.services.funnels.walks import Item
from grimbots.tests.services.funnels.samples import NOW, make_charged, make_funnel, make_version, make_walk
from grimbots.tests.services.funnels.walkers import Walker

COURSE, BOOK = Item("offer", "Curso", 1990), Item("bump", "Livro", 990)


def read_buttons(said: Say) -> list[dict[str, Any]]:
    return [button for row in said.body["reply_markup"]["inline_keyboard"] for button in row]


@pytest.fixture
def walker() -> Walker:
    """Give a lead who has not come yet."""
    return Walker()


@pytest.fixture
def at_charge(walker: Walker) -> Walker:
    """Give a lead who accepted everything and whose charge is being made: payment 1."""
    walker.tell(Started())
    walker.tap("welcome", "0")
    walker.tap("offer", "accept")
    walker.tap("bump", "accept")
    return walker


@pytest.fixture
def with_code(at_charge: Walker) -> Walker:
    """Give a lead who was shown the code of payment 1."""
    at_charge.tell(make_charged(1, expires_at=at_charge.now + timedelta(minutes=30)))
    return at_charge


def test_start_says_the_welcome_with_its_picture(walker: Walker) -> None:
    (said,) = walker.tell(Started("ad7"))
    assert isinstance(said, Say)
    assert (said.method, said.body["photo"]) == ("sendPhoto", {"asset": "sha-of-welcome"})
    assert (said.body["caption"], said.body["parse_mode"]) == ("Oi, Ana!", "HTML")
    assert (walker.walk.step, walker.walk.variables["start_param"]) == ("welcome", "ad7")


def test_buttons_carry_names_and_nothing_else(walker: Walker) -> None:
    walker.tell(Started())
    assert read_buttons(walker.said[0]) == [
        {"text": "Ver", "callback_data": "v1:welcome:0:" + NONCE},
        {"text": "Site", "url": "https://example.com/"},
    ]


def test_a_first_text_starts_the_funnel(walker: Walker) -> None:
    walker.tell(Wrote("oi"))
    assert walker.steps_said == ["welcome"]


def test_a_text_without_an_open_question_changes_nothing(at_charge: Walker) -> None:
    before = at_charge.walk
    assert at_charge.tell(Wrote("oi")) == ()
    assert at_charge.walk == before


def test_a_text_after_the_end_changes_nothing(walker: Walker) -> None:
    walker.tell(Started())
    walker.tap("welcome", "0")
    walker.tap("offer", "decline")
    assert (walker.walk.step, walker.steps_said) == ("", ["bye", "after"])
    assert walker.tell(Wrote("oi")) == ()


def test_start_begins_anew_on_the_version_it_is_given(at_charge: Walker) -> None:
    at_charge.tell(Started(), make_version(version_id=8))
    assert (at_charge.walk.version_id, at_charge.walk.step, at_charge.walk.basket) == (8, "welcome", ())


def test_an_accepted_offer_and_bump_are_charged_together(at_charge: Walker) -> None:
    (effect,) = at_charge.charges
    assert effect == Charge("charge", (COURSE, BOOK), 2980, 1800, "Curso + Livro")


def test_a_declined_bump_is_not_charged(walker: Walker) -> None:
    walker.tell(Started())
    walker.tap("welcome", "0")
    walker.tap("offer", "accept")
    walker.tap("bump", "decline")
    assert [charge.items for charge in walker.charges] == [(COURSE,)]


def test_charged_shows_qr_then_code_with_its_buttons(with_code: Walker) -> None:
    qr, code = with_code.said[-2:]
    assert (qr.method, qr.body["photo"], qr.payment_id) == ("sendPhoto", {"qr": "00020126"}, 1)
    assert all(word in qr.body["caption"] for word in ("Curso + Livro", "R$ 29,80", "30 minutos"))
    assert "<code>00020126</code>" in code.body["text"]
    assert read_buttons(code) == [
        {"text": "Copiar código PIX", "copy_text": {"text": "00020126"}},
        {"text": "Já paguei", "callback_data": "v1:charge:paid:" + NONCE},
    ]


@pytest.mark.parametrize(("length", "buttons"), [(256, 2), (257, 1)])
def test_a_code_too_long_for_a_button_is_copied_from_the_text(at_charge: Walker, length: int, buttons: int) -> None:
    at_charge.tell(make_charged(1, code="x" * length))
    assert len(read_buttons(at_charge.said[-1])) == buttons
    assert "x" * length in at_charge.said[-1].body["text"]


def test_a_code_is_escaped_in_its_text_only(at_charge: Walker) -> None:
    at_charge.tell(make_charged(1, code="A&B<C"))
    assert "<code>A&amp;B&lt;C</code>" in at_charge.said[-1].body["text"]
    assert read_buttons(at_charge.said[-1])[0]["copy_text"] == {"text": "A&B<C"}


def test_i_have_paid_asks_the_provider(with_code: Walker) -> None:
    assert with_code.tap("charge", "paid") == (Verify(1),)


def test_payment_pending_offers_to_ask_again(with_code: Walker) -> None:
    with_code.tell(PaymentPending(1, "charge"))
    assert with_code.said[-1].payment_id == 1
    assert with_code.tap("charge", "paid") == (Verify(1),)


def test_paid_confirms_and_delivers(with_code: Walker) -> None:
    with_code.tell(Paid(1, "charge"))
    assert with_code.steps_said == ["charge", "delivery", "after"]
    delivered = with_code.said[-2]
    assert (delivered.delivery, delivered.payment_id, delivered.policy) == (True, 1, "retry")
    assert delivered.body["text"] == "Seu acesso a Curso + Livro"
    assert delivered.body["protect_content"] is True
    assert read_buttons(delivered) == [{"text": "Abrir", "url": "https://example.com/access"}]
    assert (with_code.walk.step, with_code.walk.basket) == ("", ())


def test_paid_delivers_on_its_own_version_to_a_lead_who_is_elsewhere(with_code: Walker) -> None:
    newer = make_version(make_funnel(delivery={"text": "Outra entrega"}), version_id=8)
    with_code.tell(Started(), newer)
    with_code.tap("welcome", "0", version=newer)
    with_code.tell(Paid(1, "charge"))
    assert [said.body["text"] for said in with_code.said if said.delivery] == ["Seu acesso a Curso + Livro"]
    assert (with_code.walk.version_id, with_code.walk.step) == (8, "offer")


def test_paid_leaves_the_basket_of_a_lead_who_is_elsewhere(with_code: Walker) -> None:
    with_code.tell(Started())
    with_code.tap("welcome", "0")
    with_code.tap("offer", "accept")
    with_code.tell(Paid(1, "charge"))
    assert (with_code.walk.step, with_code.walk.basket) == ("bump", (COURSE,))


def test_a_failed_charge_can_be_made_again(at_charge: Walker) -> None:
    at_charge.tell(ChargeFailed(1, "charge"))
    at_charge.tap("charge", "again")
    assert [charge.items for charge in at_charge.charges] == [(COURSE, BOOK)] * 2


def test_an_expired_charge_can_be_made_again(with_code: Walker) -> None:
    with_code.wait(minutes=31)
    with_code.tell(Expired(1, "charge"))
    with_code.tap("charge", "again")
    assert len(with_code.charges) == 2


def test_expired_is_not_told_to_a_lead_who_is_elsewhere(with_code: Walker) -> None:
    with_code.tell(Started())
    assert with_code.tell(Expired(1, "charge")) == ()
    assert with_code.walk.step == "welcome"


def test_a_double_tap_is_one_tap(walker: Walker) -> None:
    walker.tell(Started())
    walker.tap("welcome", "0", message=0)
    assert walker.tap_again("welcome", "0", message=0) == ()


def test_a_button_pressed_again_later_leads_there_again(walker: Walker) -> None:
    walker.tell(Started())
    walker.tap("welcome", "0", message=0)
    walker.tap("welcome", "0", message=0)
    assert walker.steps_said == ["offer"]


@pytest.mark.parametrize("button", ["accept", "decline"])
def test_a_bump_pressed_again_makes_no_second_charge(at_charge: Walker, button: str) -> None:
    assert at_charge.tap("bump", button) == ()
    assert len(at_charge.charges) == 1


def test_an_offer_without_bump_pressed_twice_at_once_makes_one_charge() -> None:
    walker = Walker(make_version(make_funnel(offer={"accept": {"text": "x", "next": "charge"}})))
    walker.tell(Started())
    walker.tap("welcome", "0")
    walker.tap("offer", "accept")
    walker.tell(Tapped("offer", "accept", "another message"))
    assert len(walker.charges) == 1


def test_the_same_basket_is_shown_its_open_code_again(with_code: Walker) -> None:
    offer = next(place for place, said in enumerate(with_code.said) if said.step == "offer")
    with_code.tap("offer", "accept", offer)
    with_code.tap("bump", "accept")
    assert len(with_code.charges) == 1
    assert with_code.said[-2].body["photo"] == {"qr": "00020126"}
    assert with_code.said[-1].payment_id == 1


def test_the_same_basket_after_a_new_start_is_shown_its_open_code(with_code: Walker) -> None:
    with_code.tell(Started(), make_version(version_id=8))
    with_code.tap("welcome", "0")
    with_code.tap("offer", "accept")
    with_code.tap("bump", "accept")
    assert len(with_code.charges) == 1


def test_the_same_basket_is_charged_again_once_its_code_expired(with_code: Walker) -> None:
    with_code.wait(minutes=31)
    with_code.tap("offer", "accept")
    with_code.tap("bump", "accept")
    assert len(with_code.charges) == 2


def test_the_same_basket_is_charged_again_once_it_was_paid(with_code: Walker) -> None:
    with_code.tell(Paid(1, "charge"))
    with_code.tap("offer", "accept")
    with_code.tap("bump", "accept")
    assert len(with_code.charges) == 2


def test_another_basket_is_another_charge(with_code: Walker) -> None:
    with_code.tap("offer", "accept")
    with_code.tap("bump", "decline")
    assert [charge.amount_cents for charge in with_code.charges] == [2980, 1990]


def test_an_old_button_leads_on_its_own_version(walker: Walker) -> None:
    walker.tell(Started())
    walker.tell(Started(), make_version(make_funnel(welcome={"buttons": [{"text": "x", "next": "bye"}]}), version_id=8))
    walker.tap("welcome", "0", message=0)
    assert (walker.walk.version_id, walker.walk.step) == (7, "offer")


def test_a_bump_of_another_version_is_not_the_one_the_lead_stands_at(walker: Walker) -> None:
    walker.tell(Started())
    walker.tap("welcome", "0")
    walker.tap("offer", "accept")
    assert walker.tap("bump", "accept", version=make_version(version_id=8)) == ()


@pytest.mark.parametrize(
    ("step", "button"), [("nowhere", "0"), ("welcome", "1"), ("welcome", "9"), ("welcome", "x"), ("delivery", "0")]
)
def test_a_button_that_was_never_there_changes_nothing(walker: Walker, step: str, button: str) -> None:
    walker.tell(Started())
    before = walker.walk
    assert walker.tap(step, button) == ()
    assert walker.walk == before


def test_names_are_escaped_in_texts_and_not_in_buttons() -> None:
    funnel = make_funnel(welcome={"buttons": [{"text": "Sou {{first_name}}", "next": "offer"}]})
    lead = make_walk(variables={"first_name": "<b>{{price}} & %s"})
    _, (said,) = advance(make_version(funnel), lead, Started(), NOW)
    assert isinstance(said, Say)
    assert said.body["caption"] == "Oi, &lt;b&gt;{{price}} &amp; %s!"
    assert read_buttons(said)[0]["text"] == "Sou <b>{{price}} & %s"


def test_default_texts_follow_the_language() -> None:
    english = make_version({**make_funnel(), "language": "en"})
    charged = make_walk(version_id=7, step="charge", basket=(COURSE,))
    _, effects = advance(english, charged, make_charged(), NOW)
    assert [button["text"] for button in read_buttons(effects[-1])] == ["Copy PIX code", "I have paid"]  # type: ignore[arg-type]


def test_own_texts_take_the_place_of_default_ones(at_charge: Walker) -> None:
    texts = {"code": "Copie: {{code}}", "paid": "Feito", "copy": "Copiar {{price}}"}
    at_charge.tell(make_charged(1), make_version(make_funnel(charge={"texts": texts})))
    said = at_charge.said[-1]
    assert said.body["text"] == "Copie: 00020126"
    assert [button["text"] for button in read_buttons(said)] == ["Copiar R$ 29,80", "Feito"]


def test_a_loop_that_was_never_checked_ends() -> None:
    version = make_version(make_funnel(after={"next": "bye"}, welcome={"buttons": [], "next": "bye"}))
    walk, effects = advance(version, make_walk(), Started(), NOW)
    assert len(effects) == len(version.steps)
    assert walk.step in ("bye", "after")


def test_a_way_to_a_step_that_is_not_there_ends_the_funnel() -> None:
    version = make_version(make_funnel(welcome={"buttons": [], "next": "nowhere"}))
    walk, effects = advance(version, make_walk(), Started(), NOW)
    assert (walk.step, len(effects)) == ("", 1)


def test_nothing_is_delivered_without_a_payment() -> None:
    version = make_version(make_funnel(welcome={"buttons": [], "next": "delivery"}))
    _, effects = advance(version, make_walk(), Started(), NOW)
    assert [effect.step for effect in effects if isinstance(effect, Say)] == ["welcome", "after"]


def test_what_was_paid_is_not_charged_again_by_a_funnel_that_leads_back(with_code: Walker) -> None:
    with_code.tell(Paid(1, "charge"), make_version(make_funnel(delivery={"next": "charge"})))
    assert len(with_code.charges) == 1
