"""A slice of `make storm`, and its verdicts over records of which each thing that must not be is a part."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grimbots.services.funnels.answers import read_cpf, read_email, read_phone
from grimbots.tests.e2e.verdicts import Verdict
from grimbots.tests.storms.people import Identity, draw_identity
from grimbots.tests.storms.runs import Plan, run
from grimbots.tests.storms.searches import name_needles, search
from grimbots.tests.storms.verdicts import judge_money, judge_purchases

SEED = 7
SLICE = Plan(buyers=20, seconds=5, pause_seconds=(0.3, 1.2), patience_seconds=15, rest_seconds=120, least_ended=3)
PERSON = Identity("529.982.247-25", "ana.souza@correio.example.com", "(11) 98765-4321")
TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0"


@pytest.mark.slow
def test_every_sale_is_delivered_booked_and_reported_once_and_nobodys_data_seen(servers_folder: Path) -> None:
    outcome = asyncio.run(run(SLICE, SEED, servers_folder / "storm"))
    assert outcome.verdict.faults == []
    assert outcome.verdict.figures["sales with one event id at the receiver"] > 0
    assert outcome.dealt
    assert outcome.needles > 3 * SLICE.buyers


def test_people_tell_what_the_bot_takes() -> None:
    dice = random.Random(SEED)
    people = [draw_identity(dice, number) for number in range(200)]
    assert all(read_cpf(one.cpf, "pt-BR") and read_email(one.email, "pt-BR") for one in people)
    assert all(read_phone(one.phone, "pt-BR") for one in people)
    assert len({one.email for one in people}) == 200


@pytest.mark.parametrize(
    "said",
    [
        "payer 529.982.247-25.",
        "payer 52998224725",
        "tel:+5511987654321",
        "call 98765-4321 now",
        "(11) 98765-4321",
        "to ANA.souza@correio.example.com",
        "?u=ana.souza%40correio.example.com",
        f"POST /bot{TOKEN}/sendMessage",
        "bot123456789%3AAAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0",
        "half AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0",
    ],
)
def test_what_must_not_be_seen_is_found_however_it_is_written(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.log").write_text(f"fine\nseen: {said}\nfine\n")
    (found, *_) = search([tmp_path / "a.log"], name_needles({"token of @a": TOKEN}, [PERSON]))
    assert found.file == "a.log"


@pytest.mark.parametrize("said", ["152998224725", "id 5299822472500", "98765", "souza@correio.example.com"])
def test_another_number_or_address_is_not_found(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.log").write_text(said)
    assert search([tmp_path / "a.log"], name_needles({"token of @a": TOKEN}, [PERSON])) == []


Sales = dict[str, Any]


def _make_sales() -> Sales:
    outbox = [{"payment_id": number, "event": "Purchase", "status": "sent", "answer": "ok"} for number in (1, 2)]
    return {"paid": {"a": 1, "b": 2}, "outbox": outbox, "reported": {"a": {"purchase_a"}, "b": {"purchase_b"}}}


def test_sales_reported_once_each_are_in_order() -> None:
    verdict = Verdict()
    judge_purchases(**_make_sales(), verdict=verdict)
    assert (verdict.faults, verdict.figures["sales with one event id at the receiver"]) == ([], 2)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda sales: sales["reported"]["a"].add("purchase_x"), "P: payment 1 has 2 event ids"),
        (lambda sales: sales["reported"].pop("a"), "P: payment 1: its Purchase is sent and came 0 times"),
        (lambda sales: sales["outbox"].pop(0), "P: payment 1 is paid and no Purchase was written down"),
        (lambda sales: sales["outbox"][0].update(status="planned"), "P: payment 1: its Purchase is planned"),
        (lambda sales: sales["reported"].update(b={"purchase_a"}), "P: 2 sales have the event id purchase_a"),
        (lambda sales: sales["paid"].pop("a"), "P: sale a is reported and not paid"),
    ],
)
def test_sale_reported_wrongly_is_found(spoil: Callable[[Sales], Any], fault: str) -> None:
    verdict, sales = Verdict(), _make_sales()
    spoil(sales)
    judge_purchases(**sales, verdict=verdict)
    assert verdict.faults[0].startswith(fault)


def test_sale_that_was_refused_is_listed_with_its_reason() -> None:
    verdict, sales = Verdict(), _make_sales()
    sales["outbox"][0].update(status="refused", answer="code 100")
    sales["reported"].pop("a")
    judge_purchases(**sales, verdict=verdict)
    assert (verdict.faults, verdict.listed) == ([], Counter({"sale not reported: refused: code 100": 1}))


@pytest.mark.parametrize(("provider", "faults"), [(1971, 0), (1990, 1)])
def test_book_is_held_against_the_providers_money(provider: int, faults: int) -> None:
    entries = [{"debit": "provider", "credit": "buyers", "cents": provider}]
    verdict = Verdict()
    judge_money([{"paid": [{"amount_cents": 1990, "fee_cents": 19}]}], entries, verdict)
    assert len(verdict.faults) == faults
