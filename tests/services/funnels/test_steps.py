"""The kinds of step that wait, decide and tell others, walked as a lead walks them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grimbots.services.funnels.effects import Effect, Notify, Post, Say, Wake
from grimbots.services.funnels.events import Held, Paid, Returned, Started, Woke, Wrote
from grimbots.tests.services.funnels.samples import NOW, make_charged, make_funnel, make_version
from grimbots.tests.services.funnels.walkers import Walker


def walk(*steps: dict[str, Any], **fields: Any) -> Walker:
    """Begin a funnel of these steps; their ids are a, b, c ... unless they have one."""
    named = [{"id": "abcdefgh"[place], **step} for place, step in enumerate(steps)]
    walker = Walker(make_version({"name": "x", "steps": named, **fields}))
    walker.tell(Started())
    return walker


def say(text: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "message", "text": text, **fields}


def ask(**fields: Any) -> dict[str, Any]:
    return {"kind": "question", "text": "?", "variable": "v", "next": "b", **fields}


def list_texts(effects: Sequence[Effect]) -> list[str]:
    return [effect.body["text"] for effect in effects if isinstance(effect, Say)]


def wake(walker: Walker) -> Sequence[Effect]:
    """Let the newest wait end at its time."""
    (due,) = [effect for effect in walker.effects if isinstance(effect, Wake)]
    walker.now = due.due_at
    return walker.tell(Woke(due.step, due.number))


def test_an_answer_is_kept_and_told_in_later_texts() -> None:
    walker = walk(ask(answer="cpf"), say("CPF {{v}}"))
    assert list_texts(walker.tell(Wrote("52998224725"))) == ["CPF 529.982.247-25"]
    assert walker.walk.answers == {"v": "529.982.247-25"}


def test_answers_and_tags_stay_when_the_funnel_begins_anew() -> None:
    walker = walk(ask(), {"kind": "tag", "add": ["x", "y"], "next": "c"}, {"kind": "tag", "remove": ["x"]})
    walker.tell(Wrote("sim"))
    walker.tell(Started())
    assert (walker.walk.answers, walker.walk.tags) == ({"v": "sim"}, ("y",))


def test_what_cannot_be_taken_is_asked_for_again_until_the_tries_are_spent() -> None:
    walker = walk(ask(answer="number", least=4, tries=3, failed="c", again="Só o número"), say("sim"), say("não"))
    assert list_texts(walker.tell(Wrote("três"))) == ["Só o número"]
    assert list_texts(walker.tell(Wrote("3"))) == ["Só o número"]
    assert list_texts(walker.tell(Wrote("2"))) == ["não"]
    assert walker.walk.answers == {}


def test_a_choice_is_made_by_its_button_or_its_words() -> None:
    options = [{"text": "São Paulo", "value": "SP"}, {"text": "Rio"}]
    walker = walk(ask(answer="choice", options=options), say("{{v}}"))
    assert list_texts(walker.tap("a", "0")) == ["SP"]
    assert list_texts(walker.tap("a", "1", message=0)) == ["Rio"]  # an old button still answers
    walker.tell(Started())
    assert list_texts(walker.tell(Wrote("  são paulo"))) == ["SP"]
    walker.tell(Started())
    assert list_texts(walker.tell(Wrote("Acre"))) == ["Toque em um dos botões, por favor 👇"]


def test_a_question_without_an_answer_goes_on_at_its_time_and_not_after_one() -> None:
    walker = walk(ask(timeout_minutes=10, timeout="c"), say("sim", buttons=[{"text": "x", "next": "c"}]), say("tarde"))
    (due,) = [effect for effect in walker.effects if isinstance(effect, Wake)]
    assert due.due_at == NOW + timedelta(minutes=10)
    assert list_texts(wake(walker)) == ["tarde"]
    walker.tell(Started())
    (due,) = [effect for effect in walker.effects if isinstance(effect, Wake)]
    walker.tell(Wrote("oi"))
    assert walker.tell(Woke(due.step, due.number)) == ()


def test_a_second_arrival_is_another_wait() -> None:
    walker = walk({"kind": "delay", "minutes": 5, "next": "b"}, say("oi"))
    (first,) = [effect for effect in walker.effects if isinstance(effect, Wake)]
    walker.tell(Started())
    assert walker.tell(Woke(first.step, first.number)) == ()
    walker.tell(Started())
    assert list_texts(wake(walker)) == ["oi"]


def test_a_delay_waits_for_the_hour_where_the_lead_lives() -> None:
    zones = [{"text": "Manaus", "value": "America/Manaus"}]
    delay = {"id": "b", "kind": "delay", "minutes": 60, "at": "09:00", "weekdays": ["tue"], "next": "c"}
    walker = walk(ask(variable="time_zone", answer="choice", options=zones), delay, say("oi"))
    walker.tap("a", "0")
    (due,) = [effect for effect in walker.effects if isinstance(effect, Wake)]
    assert due.due_at == datetime(2026, 3, 3, 13, 0, tzinfo=UTC)
    assert list_texts(wake(walker)) == ["oi"]


CASES: list[tuple[dict[str, Any], str]] = [
    ({"variable": "v"}, "yes"),
    ({"variable": "w"}, "no"),
    ({"variable": "w", "not": True}, "yes"),
    ({"variable": "v", "is": "SETE "}, "no"),
    ({"variable": "v", "is": "7"}, "yes"),
    ({"variable": "first_name", "contains": "AN"}, "yes"),
    ({"variable": "v", "at_least": 7}, "yes"),
    ({"variable": "v", "at_most": 6}, "no"),
    ({"variable": "first_name", "at_most": 6}, "no"),
    ({"tag": "vip"}, "yes"),
    ({"tag": "other"}, "no"),
    ({"bought": "offer"}, "no"),
    ({"hours": ["09:00", "09:01"]}, "yes"),  # it is 12:00 UTC
    ({"hours": ["09:01", "09:00"]}, "no"),
    ({"weekdays": ["mon"]}, "yes"),
    ({"weekdays": ["mon"], "not": True}, "no"),
]


@pytest.mark.parametrize(("case", "expected"), CASES)
def test_a_condition_decides(case: dict[str, Any], expected: str) -> None:
    condition = {"kind": "condition", "cases": [{**case, "next": "yes"}], "next": "no"}
    tag = {"kind": "tag", "add": ["vip"], "next": "c"}
    walker = walk(ask(answer="number"), tag, condition, say("s", id="yes"), say("n", id="no"))
    walker.tell(Wrote("7"))
    assert walker.steps_said == [expected]


def test_the_first_case_that_holds_decides() -> None:
    cases = [{"tag": "x", "next": "b"}, {"variable": "first_name", "next": "c"}, {"weekdays": ["mon"], "next": "b"}]
    assert walk({"kind": "condition", "cases": cases, "next": "b"}, say("b"), say("c")).steps_said == ["c"]


def test_the_seller_and_his_server_are_told() -> None:
    told = {"kind": "notify", "text": "<b>{{first_name}}</b> {{v|?}}", "next": "b"}
    values = {"nome": "{{first_name}}", "v": "{{v|nada}}"}
    post = {"kind": "webhook", "url": "https://example.com/x", "values": values, "next": "c"}
    walker = walk(told, post, {"kind": "end"})
    assert walker.effects == (
        Notify("a", "<b>Ana</b> ?"),
        Post("b", "https://example.com/x", {"nome": "Ana", "v": "nada"}),
    )
    assert walker.walk.step == ""


def test_a_webhook_without_values_tells_all_that_is_known() -> None:
    walker = walk({"kind": "webhook", "url": "https://example.com/x"})
    (post,) = walker.effects
    assert isinstance(post, Post) and post.values["first_name"] == "Ana"


def test_a_person_silences_the_bot_and_what_came_due_follows() -> None:
    walker = walk(
        {"kind": "delay", "minutes": 5, "next": "b"}, say("oi", buttons=[{"text": "x", "next": "c"}]), say("c")
    )
    (due,) = [effect for effect in walker.effects if isinstance(effect, Wake)]
    walker.tell(Held(NOW + timedelta(hours=1)))
    walker.now = due.due_at
    assert walker.tell(Woke(due.step, due.number)) == ()
    assert walker.tell(Wrote("alguém?")) == walker.tell(Started()) == ()
    assert list_texts(walker.tell(Held(None))) == ["oi"]
    walker.tell(Held(walker.now + timedelta(hours=1)))
    assert walker.tap("b", "0") == ()
    walker.wait(hours=1)
    assert list_texts(walker.tap("b", "0")) == ["c"]  # its time is over


def test_payments_go_on_while_a_person_has_the_chat() -> None:
    walker = Walker()
    walker.tell(Started())
    for step, button in (("welcome", "0"), ("offer", "accept"), ("bump", "decline")):
        walker.tap(step, button)
    walker.tell(Held(NOW + timedelta(hours=9)))
    walker.tell(make_charged(payment_id=1))
    assert walker.steps_said == ["charge", "charge"]
    assert walker.tap("charge", "paid") != ()
    walker.tell(Paid(1, "charge"))
    assert "delivery" in walker.steps_said


def test_who_lets_the_bot_in_again_goes_on() -> None:
    walker = walk({"kind": "delay", "minutes": 5, "next": "b"}, say("oi"))
    assert walker.tell(Returned()) == ()
    walker.wait(minutes=5)
    assert list_texts(walker.tell(Returned())) == ["oi"]


def make_paid_walker(**after: Any) -> Walker:
    """Give a lead with an open charge of the whole funnel, which goes on to `after` when it has delivered."""
    funnel = make_funnel(delivery={"next": "wait"})
    steps = [
        *funnel["steps"],
        {"id": "wait", "kind": "delay", "minutes": 5, "next": "thanks"},
        {"id": "thanks", **after},
    ]
    walker = Walker(make_version({**funnel, "steps": steps}))
    walker.tell(Started())
    for step, button in (("welcome", "0"), ("offer", "accept"), ("bump", "decline")):
        walker.tap(step, button)
    walker.tell(make_charged(payment_id=1, amount_cents=1990))
    return walker


def test_what_was_bought_is_known_for_good() -> None:
    walker = make_paid_walker(**say("obrigada"))
    walker.tell(Paid(1, "charge"))
    walker.tell(Started())
    assert walker.walk.bought == ("offer",)


def test_who_pays_from_elsewhere_is_moved_to_what_waits_behind_the_delivery() -> None:
    walker = make_paid_walker(**say("obrigada"))
    walker.tap("welcome", "0", message=0)
    walker.tap("offer", "decline")
    walker.tell(Paid(1, "charge"))
    assert walker.walk.step == "wait"
    assert list_texts(wake(walker)) == ["obrigada"]


def test_who_is_buying_something_else_stays_with_that() -> None:
    walker = make_paid_walker(**say("obrigada"))
    walker.tap("offer", "accept", message=1)
    walker.tap("bump", "accept")
    walker.tell(Paid(1, "charge"))
    assert (walker.walk.step, walker.walk.wait) == ("charge", None)
    assert len(walker.walk.basket) == 2
    assert not any(isinstance(effect, Wake) for effect in walker.effects)
