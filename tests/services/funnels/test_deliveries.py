"""Kinds of delivery: read, checked and handed over by a delivery step; a new kind is one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grimbots.services.funnels import deliveries
from grimbots.services.funnels.check import check
from grimbots.services.funnels.effects import INVITE
from grimbots.services.funnels.events import AccessNews, Paid, Started
from grimbots.services.funnels.handovers import find_deliveries
from grimbots.tests.fakes.bot_api import find_call_mistakes
from grimbots.tests.services.additions import add_file
from grimbots.tests.services.funnels.samples import FILES, make_charged, make_funnel, make_version
from grimbots.tests.services.funnels.walkers import Walker

SUBSCRIPTION = {"kind": "subscription", "group": -1001, "days": 30, "renew": "offer"}
TICKET = """
from dataclasses import dataclass, field
from typing import ClassVar

from grimbots.services.funnels.deliveries.base import DeliveryKind
from grimbots.services.funnels.fields import Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket(DeliveryKind):
    kind: ClassVar[str] = "ticket"
    seat: str = field(metadata={"rule": Plain()})

    def default_text(self, language: str) -> str:
        return f"Assento {self.seat}"
"""


@pytest.fixture
def ticket(tmp_path: Path) -> Iterator[None]:
    """Put one more file where the kinds are looked for."""
    with add_file(tmp_path, deliveries, "ticket", TICKET, find_deliveries):
        yield


def make_sale(**delivery: Any) -> Walker:
    """Walk a sale of this delivery up to the payment."""
    funnel = make_funnel(delivery={"text": "", **delivery})
    assert check(funnel, FILES) == []
    walker = Walker(make_version(funnel))
    walker.tell(Started())
    for step, button in (("welcome", "0"), ("offer", "accept"), ("bump", "decline")):
        walker.tap(step, button)
    walker.tell(make_charged(1))
    walker.tell(Paid(1, "charge"))
    return walker


def test_find_deliveries_finds_those_that_ship() -> None:
    assert set(find_deliveries()) == {"message", "invite", "subscription"}


def test_a_new_file_is_a_new_kind(ticket: None) -> None:
    walker = make_sale(gives={"kind": "ticket", "seat": "12A"})
    assert [said.body["text"] for said in walker.said if said.delivery] == ["Assento 12A"]
    (problem,) = check(make_funnel(delivery={"gives": {"kind": "ticket"}}), FILES)
    assert (problem.step, problem.field) == ("delivery", "gives.seat")


@pytest.mark.parametrize("language", ["pt-BR", "en"])
@pytest.mark.parametrize("gives", [{"kind": "invite", "group": -1001}, SUBSCRIPTION], ids=lambda gives: gives["kind"])
def test_a_place_in_a_group_is_handed_over_with_its_link(gives: dict[str, Any], language: str) -> None:
    funnel = make_funnel(delivery={"text": "", "gives": gives}) | {"language": language}
    walker = Walker(make_version(funnel))
    walker.tell(Started())
    for step, button in (("welcome", "0"), ("offer", "accept"), ("bump", "decline")):
        walker.tap(step, button)
    walker.tell(make_charged(1))
    walker.tell(Paid(1, "charge"))
    (said,) = [one for one in walker.said if one.delivery]
    assert said.body["reply_markup"]["inline_keyboard"][0][0]["url"] == INVITE
    assert said.grant is not None and (said.grant.group, said.grant.days) == (-1001, gives.get("days"))
    before = len(walker.said)
    for word in ("ending", "grace", "ended", "again"):
        walker.tell(AccessNews(1, "delivery", word, "VIP <&>", 86_400))  # type: ignore[arg-type]
    told = walker.said[before:]
    assert len(told) == (4 if gives is SUBSCRIPTION else 1)
    for one in (said, *told):
        assert find_call_mistakes(one.method, {"chat_id": 1, **one.body}) == []
    assert all("VIP &lt;&amp;&gt;" in one.body["text"] for one in told)
    assert find_call_mistakes("sendMessage", {"chat_id": 1, **said.grant.stay}) == []


def test_the_groups_that_a_charge_pays_for_are_known() -> None:
    assert make_version(make_funnel(delivery={"gives": SUBSCRIPTION})).list_groups("charge") == {-1001}
    assert make_version().list_groups("charge") == make_version().list_groups("nowhere") == set()


@pytest.mark.parametrize(
    ("gives", "place"),
    [
        ("invite", "gives"),
        ({}, "gives.kind"),
        ({"kind": "gift"}, "gives.kind"),
        ({"kind": "invite"}, "gives.group"),
        ({"kind": "invite", "group": 5}, "gives.group"),
        ({"kind": "invite", "group": -5, "by": "mail"}, "gives.by"),
        ({"kind": "invite", "group": -5, "days": 3}, "gives.days"),
        ({"kind": "invite", "group": -5, "texts": {"open": " "}}, "gives.texts.open"),
        ({**SUBSCRIPTION, "days": 0}, "gives.days"),
        ({**SUBSCRIPTION, "remind_days": [0]}, "gives.remind_days"),
        ({**SUBSCRIPTION, "remind_days": [1, 2, 3, 4, 5, 6]}, "gives.remind_days"),
        ({**SUBSCRIPTION, "renew": "nowhere"}, "gives.renew"),
        ({**SUBSCRIPTION, "texts": {"ending": "<b>"}}, "gives.texts.ending"),
    ],
)
def test_mistakes_are_told_with_their_place(gives: Any, place: str) -> None:
    problems = check(make_funnel(delivery={"gives": gives}), FILES)
    assert [(problem.step, problem.field) for problem in problems] == [("delivery", place)]
