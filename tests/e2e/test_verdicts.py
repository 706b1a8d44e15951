"""The verdict on a crowd can fail: each promise broken once in evidence that is clean otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from grimbots.tests.e2e.evidence import Evidence, Said, Update, read_saying
from grimbots.tests.e2e.verdicts import judge

BOT, CHAT = 7_000_000_001, 77
BEGAN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TEXTS = {
    "u:1:10": ["Oi", "Quer?"],
    "u:1:11": ["Oferta"],
    "p:5:charged": ["Código"],
    "p:5:paid": ["Confirmado", "Acesso"],
}
PAYMENT = {
    "id": 5,
    "idempotency_key": "t",
    "txid": "t",
    "provider_id": "c",
    "code": "0002",
    "expires_at": BEGAN,
    "amount_cents": 100,
    "state": "paid",
    "flags": [],
    "cause": "u:1:11",
    "ordinal": 9,
}


def _make_messages() -> list[dict[str, Any]]:
    planned = [(cause, ordinal, text) for cause, texts in TEXTS.items() for ordinal, text in enumerate(texts)]
    common = {
        "payment_id": 5,
        "chat_id": CHAT,
        "status": "sent",
        "attempts": 1,
        "resent": False,
        "regrants": 0,
        "error": None,
    }
    return [
        {**common, "id": number, "cause": cause, "ordinal": ordinal, "step": text, "body": {"text": f"<b>{text}</b>"}}
        for number, (cause, ordinal, text) in enumerate(planned, 1)
    ]


def _make_update(update_id: int, family: str, **changes: Any) -> Update:
    at = BEGAN + timedelta(seconds=update_id)
    return Update(
        **{"bot": BOT, "update_id": update_id, "family": family, "chat_id": CHAT, "made_at": at, "done_at": at}
        | changes
    )


@pytest.fixture
def evidence() -> Evidence:
    """Give what one buyer leaves who paid once and got everything once."""
    messages, event = _make_messages(), json.dumps({"end_to_end_id": "E1"})
    return Evidence(
        rows={
            "messages": messages,
            "payments": [deepcopy(PAYMENT)],
            "transitions": [{"payment_id": 5, "to_state": "paid"}],
            "receipts": [{"end_to_end_id": "E1"}],
            "events": [{"id": 1, "body": event, "status": "applied", "reason": None}],
            "deliveries": [
                {"id": 1, "payment_id": 5, "message_id": 6, "step": "Acesso", "status": "delivered", "error": None}
            ],
            "updates": [{"bot": BOT, "update_id": 10}, {"bot": BOT, "update_id": 11}],
            "bots": [{"id": 1, "telegram_id": BOT}],
        },
        said={
            CHAT: [Said(row["id"], read_saying(row["body"]), ("0002",) if row["id"] == 4 else ()) for row in messages]
        },
        updates=[_make_update(10, "chat"), _make_update(11, "taps")],
        events=[{"kind": "event", "outcome": "carried", "last_error": None, "body": event}],
        charges=[{"txid": "t", "paid": [{"amount_cents": 100}]}],
        payments_shown={5: SimpleNamespace(flags=[], state="paid", delivery="delivered")},
        mishaps_shown={},
        dead=[],
        pending=0,
        errors=[],
    )


def _change(table: str, place: int = 0, **changes: Any) -> Callable[[Evidence], None]:
    return lambda evidence: dict.update(evidence.rows[table][place], changes)


def _drop(table: str) -> Callable[[Evidence], None]:
    return lambda evidence: list.clear(evidence.rows[table])


def _repeat(place: int) -> Callable[[Evidence], None]:
    return lambda evidence: evidence.said[CHAT].append(evidence.said[CHAT][place])


def _swap_sends(evidence: Evidence) -> None:
    said = evidence.said[CHAT]
    said[0], said[1] = Said(2, said[0].saying, ()), Said(1, said[1].saying, ())


def _swap_updates(evidence: Evidence) -> None:
    for row in evidence.rows["messages"]:
        dict.update(row, cause={"u:1:10": "u:1:11", "u:1:11": "u:1:10"}.get(row["cause"], row["cause"]))


PLANTED: dict[str, tuple[Callable[[Evidence], Any], str]] = {
    "code of no payment": (_change("payments", code="0003"), "I1: chat 77 was shown a code that no payment has"),
    "code without its end": (_change("payments", expires_at=None), "I1: chat 77 was shown the code of payment 5"),
    "event lost": (_drop("events"), "I2: an event answered 200 is 0 rows"),
    "event twice": (_change("receipts", end_to_end_id="E2"), "I2: a true event acted 0 times"),
    "event open": (_change("events", status="received"), "I2: event 1 ended received"),
    "paid twice": (
        lambda found: found.rows["transitions"].append({"payment_id": 5, "to_state": "paid"}),
        "I3: payment 5",
    ),
    "paid and not noticed": (_change("payments", state="pending"), "I3: the sales page does not show payment 5"),
    "paid without money": (lambda found: found.charges[0]["paid"].clear(), "I3: payment 5 is paid and the provider"),
    "no delivery": (_drop("deliveries"), "I3: payment 5 is paid and has 0 deliveries"),
    "delivery without payment": (_change("payments", state="expired"), "I3: payment 5 is expired and has 1 deliveries"),
    "delivery planned twice": (_change("messages", 4, step="Acesso"), "I3: payment 5 is handed over 2 times"),
    "delivery not sent": (_change("messages", 5, status="failed"), "I3: delivery 1 is delivered (None), its message"),
    "delivery not listed": (
        _change("deliveries", status="failed", error="x"),
        "I3: the sales page does not show deliv",
    ),
    "delivery came twice": (_repeat(5), "I4: chat 77: 'Acesso' came 2 times"),
    "message never came": (lambda found: found.said[CHAT].pop(2), "I4: chat 77: 'Oferta' is called sent 1 times and"),
    "first sends swapped": (_swap_sends, "I4: chat 77: u:1:10#1 came before u:1:10#0"),
    "update lost": (lambda found: found.rows["updates"].pop(), "I4: update 11 of chat 77 was answered 200 and acted 0"),
    "updates swapped": (_swap_updates, "I4: chat 77: update 11 acted before 10"),
    "message left open": (_change("messages", status="sending"), "message 1 is left sending"),
    "failed and not shown": (
        _change("messages", status="failed", error="x"),
        "message 1 is failed and not on the page",
    ),
    "error": (lambda found: found.errors.append({"message": "boom"}), "ERROR line: boom"),
}


def test_clean_evidence_has_no_faults(evidence: Evidence) -> None:
    verdict = judge(evidence)
    assert verdict.faults == []
    assert {name: verdict.figures[name] for name in ("updates accepted", "paid", "delivered")} == {
        "updates accepted": 2,
        "paid": 1,
        "delivered": 1,
    }


@pytest.mark.parametrize(("plant", "said"), PLANTED.values(), ids=PLANTED)
def test_broken_promise_is_found(evidence: Evidence, plant: Callable[[Evidence], Any], said: str) -> None:
    plant(evidence)
    assert [fault for fault in judge(evidence).faults if fault.startswith(said)]


def test_repeat_that_its_row_admits_is_counted_only(evidence: Evidence) -> None:
    _repeat(5)(evidence)
    _change("messages", 5, resent=True, attempts=2)(evidence)
    verdict = judge(evidence)
    assert (verdict.faults, verdict.figures["repeated, and their rows say so"]) == ([], 1)


@pytest.mark.parametrize("resent", [False, True])
def test_what_was_given_up_in_doubt_may_come_whenever(evidence: Evidence, resent: bool) -> None:
    _swap_sends(evidence)
    _change("messages", status="failed", error="x", resent=resent)(evidence)
    assert any("came before" in fault for fault in judge(evidence).faults) is not resent


def test_what_telegram_tells_of_money_is_judged_with_its_payment(evidence: Evidence) -> None:
    evidence.updates.extend((_make_update(12, "checkouts"), _make_update(13, "payments")))
    assert judge(evidence).faults == []


def test_updates_of_two_kinds_under_way_together_may_swap(evidence: Evidence) -> None:
    _swap_updates(evidence)
    evidence.updates[0] = _make_update(10, "chat", done_at=BEGAN + timedelta(seconds=30))
    verdict = judge(evidence)
    assert verdict.figures["updates swapped on their way"] == 1
    assert not [fault for fault in verdict.faults if "acted before" in fault]
