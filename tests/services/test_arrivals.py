from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grimbots.services import arrivals, updates
from grimbots.services.arrivals import KINDS, OTHER, Person, Press, Sign
from grimbots.services.funnels.events import Started, Wrote

CHAT = {"id": 42, "type": "private"}
ANA = {"id": 42, "is_bot": False, "first_name": "Ana", "language_code": "pt-br"}


def make_message(**fields: Any) -> dict[str, Any]:
    return {"update_id": 1, "message": {"message_id": 7, "from": ANA, "chat": CHAT, "date": 1668633998, **fields}}


def read(update: Any) -> arrivals.Arrival:
    arrival = arrivals.read(update)
    assert arrival is not None
    return arrival


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("/start", Started()),
        ("/start ad7_-", Started("ad7_-")),
        ("/start@demo_bot ad7", Started("ad7")),
        ("  /start\nad7 ", Started("ad7")),
        ("/start " + "x" * 70, Started("x" * 64)),
        ("/start a\x00b\ud83d", Started("ab")),
        ("/starting", Wrote("/starting")),
        ("start", Wrote("start")),
        ("o\x00i", Wrote("oi")),
        ("", Wrote("")),
        (None, Sign.LIFE),
        (["/start"], Sign.LIFE),
    ],
)
def test_read_tells_a_start_from_a_text(text: Any, act: Any) -> None:
    assert read(make_message(text=text)).act == act


def test_read_takes_who_wrote() -> None:
    person = {"id": 42, "first_name": "A\x00na", "last_name": 5, "username": "ana", "language_code": None}
    assert read(make_message(text="oi", **{"from": person})).person == Person("Ana", "", "ana", "")


@pytest.mark.parametrize(
    "fields",
    [
        {"chat": {"id": 42}, "from": {"id": 42}},
        {"from": None},
        {"date": None, "message_id": "7"},
        {"chat": {"id": 2**53 - 1, "type": "private"}},
    ],
)
def test_read_takes_messages_that_lack_what_is_promised(fields: dict[str, Any]) -> None:
    assert read(make_message(text="oi", **fields)).act == Wrote("oi")


@pytest.mark.parametrize(
    "fields",
    [
        {"chat": {"id": -100, "type": "supergroup"}},
        {"chat": {"id": -100}},
        {"chat": {"id": 42, "type": "group"}},
        {"chat": {"id": 0, "type": "private"}},
        {"chat": {"id": "42", "type": "private"}},
        {"chat": {"id": True, "type": "private"}},
        {"chat": {"id": 2**53, "type": "private"}},
        {"chat": {"id": 42.0, "type": "private"}},
        {"chat": 42},
        {"from": {"id": 42, "is_bot": True}},
    ],
)
def test_read_does_nothing_about_other_chats(fields: dict[str, Any]) -> None:
    arrival = read(make_message(text="/start", **fields))
    assert (arrival.kind, arrival.act, arrival.chat_id) == ("message", None, None)


def test_read_takes_a_tap_to_the_tapper() -> None:
    arrival = read({"update_id": 1, "callback_query": {"id": "5", "from": ANA, "data": "v1:a:0:n"}})
    assert (arrival.chat_id, arrival.act) == (42, Press("v1:a:0:n"))


@pytest.mark.parametrize("query", [{"data": "x"}, {"from": ANA}, {"from": ANA, "game_short_name": "x"}])
def test_read_does_nothing_about_a_tap_without_person_or_data(query: dict[str, Any]) -> None:
    assert read({"update_id": 1, "callback_query": query}).act is None


@pytest.mark.parametrize(
    ("status", "act"),
    [("kicked", Sign.BLOCKED), ("member", Sign.RETURNED), ("left", None), (None, None), (["kicked"], None)],
)
def test_read_tells_a_block_from_a_return(status: Any, act: Any) -> None:
    change = {"chat": CHAT, "from": ANA, "new_chat_member": {"status": status}}
    assert read({"update_id": 1, "my_chat_member": change}).act is act


@pytest.mark.parametrize("kind", sorted(KINDS - {"message", "callback_query", "my_chat_member"}))
def test_read_does_nothing_about_other_kinds(kind: str) -> None:
    arrival = read({"update_id": 1, kind: {"from": ANA, "chat": CHAT, "text": "/start", "data": "v1:a:0:n"}})
    assert (arrival.kind, arrival.act) == (kind, None)


def test_read_takes_a_kind_nobody_knows() -> None:
    assert read({"update_id": 1, "invented": {}}).kind == OTHER


IDS_NOBODY_SENDS = [None, "1", 1.0, True, -1, 2**63]


@pytest.mark.parametrize("junk", [None, [], "x", 5, {}, *({"update_id": wrong} for wrong in IDS_NOBODY_SENDS)])
def test_read_gives_nothing_for_junk(junk: Any) -> None:
    assert arrivals.read(junk) is None
    assert updates.route(junk) is None


def test_route_groups_a_persons_messages_and_taps() -> None:
    message = updates.route(make_message(text="oi"))
    tap = updates.route({"update_id": 2, "callback_query": {"from": ANA, "data": "x", "message": {"chat": CHAT}}})
    assert message is not None
    assert tap is not None
    assert (message.group, message.acts, message.chat_id) == (tap.group, tap.acts, tap.chat_id) == ("42", True, 42)


def test_route_leaves_what_does_not_act_without_a_group() -> None:
    routed = updates.route({"update_id": 3, "poll": {"id": "1"}})
    assert routed == updates.Routed(update_id=3, kind="poll", chat_id=None, group="", acts=False)


NAMES = ["id", "type", "chat", "from", "text", "data", "message", "new_chat_member", "status", "is_bot"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS | st.sampled_from(["private", "kicked", "/start"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=15,
)
UPDATES = st.fixed_dictionaries(
    {"update_id": st.integers(0, 5) | JSON},
    optional=dict.fromkeys(["message", "edited_message", "callback_query", "my_chat_member", "invented"], JSON),
)


@given(JSON | UPDATES)
@example({"update_id": 1, "message": {"chat": {"id": 1, "type": ["private"]}}})
def test_route_answers_whatever_json_comes(update: Any) -> None:
    routed = updates.route(update)
    if routed is not None:
        assert routed.kind in {*KINDS, OTHER}
        assert routed.acts == (routed.group != "") and (routed.chat_id is None or routed.acts)
