"""The sandbox against the Bot API's own description: every parameter it declares, every object it makes."""

from __future__ import annotations

import pytest

from grimbots.services.sandbox.botapi import METHOD_MODULES
from grimbots.services.sandbox.registry import METHODS
from grimbots.tests.fakes.bot_api import find_call_mistakes, find_mistakes, read_slice
from grimbots.tests.services.sandbox.drivers import Driver, Webhook
from grimbots.tests.services.sandbox.objects import make_objects

KINDS = {
    "String": "text",
    "Integer": "integer",
    "Boolean": "boolean",
    "InputFile": "file",
    "Integer|String": "text",
    "InputFile|String": "file",
}


def test_find_mistakes_sees_them() -> None:
    assert find_mistakes({"id": "x", "is_bot": True, "nose": 1}, "User") == [
        ".first_name is missing",
        ".nose is unknown to User",
        ".id is no Integer",
    ]
    assert find_mistakes([{"type": "bold", "offset": True, "length": 1}], "Array of MessageEntity") == [
        "[0].offset is no Integer"
    ]


def test_find_call_mistakes_sees_them() -> None:
    assert find_call_mistakes("sendPhoto", {"chat_id": 1, "photo": {"a": 1}, "colour": "red"}) == [
        "sendPhoto.colour is unknown",
        "sendPhoto.photo is no InputFile",
    ]
    assert find_call_mistakes("sendPhoto", {"chat_id": 1}, files=["photo"]) == []
    assert find_call_mistakes("sendPhoto", {"chat_id": 1}) == ["sendPhoto.photo is missing"]
    assert find_call_mistakes("sendPigeon", {}) == ["sendPigeon is not in bot-api-slice.json"]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_method_declares_the_documented_parameters(name: str) -> None:
    assert METHOD_MODULES
    known = METHODS[name]
    documented = {
        field: KINDS.get(kinds.removeprefix("*"), "json")
        for field, kinds in read_slice()["methods"][known.name].get("fields", {}).items()
    }
    assert {parameter.name: parameter.kind for parameter in known.parameters} == documented


@pytest.mark.gen_test
async def test_objects_the_sandbox_makes_are_whole(served: Driver, webhook: Webhook) -> None:
    made = await make_objects(served, webhook)
    assert [find_mistakes(message, "Message") for message in made.messages] == [[]] * len(made.messages)
    assert [find_mistakes(update, "Update") for update in made.updates] == [[]] * 4
    assert find_mistakes(made.user, "User") == []
    assert find_mistakes(made.webhook_info, "WebhookInfo") == []
