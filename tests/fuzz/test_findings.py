"""What the fuzzers found: each fault as it was found, and what is done now."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, cast

import pytest

from grimbots.conf.settings import load
from grimbots.services import answers, media
from grimbots.services.clients.http import HttpClient
from grimbots.services.clients.telegram import LONGEST_WAIT_SECONDS, Kind, TelegramClient
from grimbots.services.errors import Invalid
from grimbots.services.funnels.check import check
from grimbots.services.funnels.files import read_files
from grimbots.services.gateways.base import Undecided
from grimbots.services.gateways.logins import SHORTEST_LIFE_SECONDS, read_token
from grimbots.services.gateways.sandbox import Sandbox
from grimbots.services.sandbox import registry
from grimbots.services.sandbox.refusals import Refusal
from grimbots.tests.fuzz.parsers import CHARGE, Answering, run_now


def call(body: Any, status: int = 400) -> Any:
    """Let Telegram, or a proxy before it, answer a call with this body."""
    http = cast(HttpClient, Answering(status, json.dumps(body).encode(), {}))
    return run_now(TelegramClient(http, "https://x").call("1:a", "sendMessage", {"chat_id": 5}))


@pytest.mark.parametrize("code", ["400", None, [], 10**30, True])
def test_an_error_code_that_is_no_number_is_the_status(code: Any) -> None:
    """TypeError: '>=' between str and int; the message then stayed in `sending` and went out twice."""
    assert call({"ok": False, "error_code": code, "description": "Bad Request: chat not found"}).http == 400


@pytest.mark.parametrize("description", [None, 5, {}, ["x"]])
def test_a_description_that_is_no_text_is_as_good_as_none(description: Any) -> None:
    """AttributeError: 'float' object has no attribute 'partition'."""
    answer = call({"ok": False, "error_code": 400, "description": description})
    assert (answer.kind, answer.description) == (Kind.REFUSED, "HTTP 400 without a Bot API answer")


@pytest.mark.parametrize("parameters", [True, None, [], "x"])
def test_parameters_that_are_no_object_are_as_good_as_none(parameters: Any) -> None:
    """AttributeError: 'bool' object has no attribute 'get'."""
    assert call({"ok": False, "error_code": 429, "parameters": parameters}, 429).retry_after_seconds == 5.0


@pytest.mark.parametrize(("told", "seconds"), [(86_401, LONGEST_WAIT_SECONDS), (10**400, 5.0), ("9" * 5000, 5.0)])
def test_a_wait_that_nobody_can_wait_is_cut(told: Any, seconds: float) -> None:
    """OverflowError: cannot convert float infinity to integer."""
    text = f'{{"ok": false, "error_code": 429, "parameters": {{"retry_after": {json.dumps(told)}}}}}'
    http = cast(HttpClient, Answering(429, text.encode(), {}))
    answer = run_now(TelegramClient(http, "https://x").call("1:a", "sendMessage", {"chat_id": 5}))
    assert answer.retry_after_seconds == seconds


@pytest.mark.parametrize("moved_to", ["-1001", 2**63, None, []])
def test_a_chat_moves_to_an_id_only(moved_to: Any) -> None:
    """It was handed to Postgres as it came."""
    body = {"ok": False, "error_code": 400, "parameters": {"migrate_to_chat_id": moved_to}}
    assert call(body).migrate_to_chat_id is None


@pytest.mark.parametrize("message_id", ["5", -1, 2**63, None, {}, 1.5])
def test_a_sent_message_has_an_id_that_is_one(message_id: Any) -> None:
    """It was handed to Postgres as it came; the message was sent and its row could not say so."""
    assert answers._read_message_id({"message_id": message_id}) is None
    assert answers._read_message_id([{"message_id": 7}]) == 7


@pytest.mark.parametrize(
    "photo", [[{"file_id": "a"}], ["a"], [None], [{"width": "1", "height": 2}], [], {"file_id": 5}]
)
def test_sizes_of_a_photo_may_lack_anything(photo: Any) -> None:
    """KeyError: 'width'; the picture was sent, its message was told to be sent again."""
    assert media.read_file_id({"photo": photo}, "photo") in (None, "a")


@pytest.mark.parametrize("paid", [5, None, ["x"], {"a": 1}, [None]])
def test_receipts_that_are_no_list_decide_nothing(paid: Any) -> None:
    """TypeError and AttributeError where the contract of gateways says Undecided."""
    http = cast(HttpClient, Answering(200, json.dumps({**CHARGE, "paid": paid}).encode(), {}))
    credentials = {field.name: "x" for field in Sandbox.fields}
    with pytest.raises(Undecided):
        run_now(Sandbox(http, load({})).fetch(credentials, txid="a", provider_id="b"))


@pytest.mark.parametrize("told", [10**400, math.inf, math.nan, -1, 0, True, "3600", None])
def test_a_token_lives_for_a_time_that_can_be(told: Any) -> None:
    """OverflowError: int too large to convert to float; and an Infinity was a token for ever."""
    assert read_token({"access_token": "x", "expires_in": told}).life_seconds == SHORTEST_LIFE_SECONDS
    assert read_token({"access_token": "x", "expires_in": 3600}).life_seconds == 3600.0


@pytest.mark.parametrize("text", ["[" * 100_000, '{"name": ' + "9" * 5000 + "}", '{"a":' * 5000 + "1" + "}" * 5000])
def test_a_funnel_nobody_can_read_is_told_in_a_sentence(tmp_path: Path, text: str) -> None:
    """RecursionError; ValueError: Exceeds the limit (4300 digits) for integer string conversion."""
    path = tmp_path / "funnel.json"
    path.write_text(text)
    with pytest.raises(Invalid, match="nobody can read"):
        read_files(path)


def test_a_funnel_may_name_a_file_that_no_disk_can_hold(tmp_path: Path) -> None:
    """OSError: File name too long."""
    path = tmp_path / "funnel.json"
    path.write_text(json.dumps({"steps": [{"id": "a", "kind": "message", "text": "x", "photo": "9" * 5000}]}))
    definition, files = read_files(path)
    assert files == {}
    assert check(definition, files)


def test_a_long_funnel_is_checked_in_linear_time() -> None:
    """3,000 steps that lead on at once took a minute: each step's way was followed to its end."""
    steps = [{"id": f"s{place}", "kind": "message", "text": "x", "next": f"s{place + 1}"} for place in range(3000)]
    begun = time.thread_time()
    assert check({"name": "a", "steps": [*steps, {"id": "s3000", "kind": "message", "text": "x"}]}, {}) == []
    assert time.thread_time() - begun < 10


def test_each_ring_of_a_funnel_is_told_once_from_its_first_step() -> None:
    """As before that was mended, whichever step leads into it."""
    ways = {"in": "c", "a": "b", "b": "c", "c": "a", "self": "self"}
    steps = [{"id": step, "kind": "message", "text": "x", "next": onward} for step, onward in ways.items()]
    told = [problem for problem in check({"name": "a", "start": "in", "steps": steps}, {}) if "→" in str(problem)]
    assert [problem.step for problem in told] == ["a", "self"]
    assert "a → b → c → a" in str(told[0])


def test_a_parameter_nested_too_deep_is_refused_by_the_sandbox() -> None:
    """RecursionError, told as 500."""
    with pytest.raises(Refusal, match="can't parse reply_markup JSON object"):
        registry._read_json("reply_markup", '{"a":' * 5000 + "1" + "}" * 5000)
