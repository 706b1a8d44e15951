"""Our calls against the Bot API's own description. Those the tests of messages and bots make are checked by `app`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grimbots.services import intake
from grimbots.services.funnels.kinds import find_kinds
from grimbots.tests.fakes.bot_api import find_call_mistakes
from grimbots.tests.services.calls import Call, list_calls

# They say nothing to the lead; what a notify step tells the seller is sent by services/notices.py.
SILENT = {"condition", "delay", "end", "jump", "notify", "pick", "tag", "webhook"}


@pytest.mark.parametrize("call", list_calls(), ids=lambda call: f"{call.step}-{call.method}")
def test_call_is_as_documented(call: Call) -> None:
    assert find_call_mistakes(call.method, call.params, call.files) == []


def test_calls_of_every_kind_of_step_are_looked_at() -> None:
    assert {call.step for call in list_calls()} == set(find_kinds()) - SILENT


@pytest.mark.gen_test
@pytest.mark.parametrize("kind", ["callback_query", "pre_checkout_query"])
async def test_reply_to_a_webhook_is_as_documented(app: Any, accounts: Any, kind: str) -> None:
    bot = await app.bots.by_id(app, accounts[0].bot_id)
    query = {"id": "1", "from": {"id": 7, "is_bot": False, "first_name": "Ana"}}
    reply = await intake.receive(app, bot, json.dumps({"update_id": 1, kind: query}).encode())
    assert reply is not None
    assert find_call_mistakes(reply.pop("method"), reply) == []
