"""The verdicts on guests can fail: each promise broken once in what is clean otherwise."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from grimbots.tests.e2e.evidence import Said, read_saying
from grimbots.tests.e2e.guest_verdicts import check_patience, check_posts, compare_with_replays, compare_with_ways
from grimbots.tests.e2e.guests import TOLD
from grimbots.tests.e2e.verdicts import Verdict

LEAD, CHAT, WAY = 5, 77, "thinks"


def _make_row(place: int, step: str) -> dict[str, Any]:
    row = {"lead_id": LEAD, "chat_id": CHAT, "step": step, "body": {"text": f"{step} {place}"}, "status": "sent"}
    return {**row, "resent": False, "regrants": 0}


@pytest.fixture
def world() -> SimpleNamespace:
    """Give one guest who met no fault: rows, the record, what replays say."""
    rows = [_make_row(place, step) for place, step in enumerate(TOLD[WAY])]
    said = [Said(place, read_saying(row["body"]), ()) for place, row in enumerate(rows)]
    guest = SimpleNamespace(chat_id=CHAT, way=WAY, repeats=0, lost=[], stuck="")
    told = {LEAD: [(row["step"], row["body"]["text"]) for row in rows]}
    return SimpleNamespace(found=SimpleNamespace(rows={"messages": rows}, said={CHAT: said}), guest=guest, told=told)


def _judge(world: SimpleNamespace) -> list[str]:
    return [
        *compare_with_replays(world.found, world.told),
        *compare_with_ways(world.found, [world.guest], Verdict()),
        *check_patience(world.found, [world.guest]),
    ]


def test_a_clean_guest_passes(world: SimpleNamespace) -> None:
    assert _judge(world) == []


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda world: world.found.rows["messages"].pop(3), "was to be told"),
        (lambda world: world.found.rows["messages"].append(_make_row(9, "volta")), "was to be told"),
        (lambda world: world.found.rows["messages"].reverse(), "was to be told"),
        (lambda world: world.told[LEAD].pop(), "was to be told"),
        (lambda world: world.found.said[CHAT].reverse(), "was told"),
        (lambda world: world.found.said[CHAT].pop(), "was told"),
        (lambda world: world.found.said[CHAT].pop(2), "was told"),
        (lambda world: world.guest.lost.append("the morning"), "began anew, waiting for the morning"),
        (lambda world: setattr(world.guest, "stuck", "the morning"), "is stuck"),
    ],
)
def test_a_broken_promise_is_found(
    world: SimpleNamespace, break_it: Callable[[SimpleNamespace], Any], words: str
) -> None:
    break_it(world)
    assert any(words in fault for fault in _judge(world))


@pytest.mark.parametrize("why", [{"status": "failed"}, {"regrants": 1}], ids=["failed", "served when he came back"])
def test_a_message_that_failed_explains_a_walk_anew(world: SimpleNamespace, why: dict[str, Any]) -> None:
    world.guest.lost.append("the morning")
    world.found.rows["messages"][-1].update(why)
    assert _judge(world) == []


def test_a_repeated_message_may_come_late_once_more(world: SimpleNamespace) -> None:
    world.found.said[CHAT].insert(3, world.found.said[CHAT][1])
    assert any("was told" in fault for fault in _judge(world))
    world.found.rows["messages"][1]["resent"] = True
    assert _judge(world) == []


@pytest.mark.parametrize(
    ("post", "heard", "is_right"),
    [
        ((1, "sent", 0), {"post_1": [{}]}, True),
        ((1, "sent", 1), {"post_1": [{}, {}]}, True),
        ((1, "sent", 0), {"post_1": [{}, {}]}, False),
        ((1, "sent", 0), {}, False),
        ((1, "failed", 9), {"post_1": [{}]}, False),
        ((1, "sent", 0), {"post_1": [{}], "post_2": [{}]}, False),
    ],
)
def test_a_post_is_heard_once(post: Any, heard: dict[str, list[Any]], is_right: bool) -> None:
    assert (list(check_posts([post], heard, Verdict())) == []) is is_right
