"""The sandbox against the Bot API's own description: every parameter it declares, every object it makes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from grimbots.services.sandbox.botapi import METHOD_MODULES
from grimbots.services.sandbox.registry import METHODS
from grimbots.tests.services.sandbox.drivers import CHAT, Driver, Webhook
from grimbots.tests.services.sandbox.test_pictures import make_png, upload

SCHEMA = Path(__file__).resolve().parents[4] / "shared" / "data" / "bot-api.json"
KINDS = {
    "String": "text",
    "Integer": "integer",
    "Boolean": "boolean",
    "InputFile": "file",
    "Integer|String": "text",
    "InputFile|String": "file",
}
PLAIN: dict[str, tuple[type, ...]] = {"String": (str,), "Integer": (int,), "Boolean": (bool,), "Float": (int, float)}

pytestmark = pytest.mark.skipif(not SCHEMA.exists(), reason="needs the Bot API's schema, ../shared/data/bot-api.json")


@cache
def schema() -> Any:
    """Give the Bot API's description."""
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def find_mistakes(value: Any, types: list[str], path: str = "") -> list[str]:
    """Tell where a value is none of these Bot API types."""
    if len(types) > 1:
        found = [find_mistakes(value, [kind], path) for kind in types]
        return min(found, key=len)
    [kind] = types
    if kind.startswith("Array of "):
        items = [kind.removeprefix("Array of ")]
        if not isinstance(value, list):
            return [f"{path} is no list"]
        return [mistake for at, item in enumerate(value) for mistake in find_mistakes(item, items, f"{path}[{at}]")]
    if kind in PLAIN:
        is_right = isinstance(value, PLAIN[kind]) and (kind == "Boolean" or not isinstance(value, bool))
        return [] if is_right else [f"{path} is no {kind}"]
    return find_object_mistakes(value, kind, path)


def find_object_mistakes(value: Any, kind: str, path: str) -> list[str]:
    """Tell where an object lacks a field, or has one of the wrong type or one nobody knows."""
    description = schema()["types"][kind]
    if description.get("subtypes"):
        return find_mistakes(value, description["subtypes"], path)
    fields = {item["name"]: item for item in description.get("fields", [])}
    mistakes = [f"{path}.{name} is missing" for name, item in fields.items() if item["required"] and name not in value]
    mistakes += [f"{path}.{name} is unknown to {kind}" for name in value if name not in fields]
    for name in set(value) & set(fields):
        mistakes += find_mistakes(value[name], fields[name]["types"], f"{path}.{name}")
    return mistakes


def test_find_mistakes_sees_them() -> None:
    assert find_mistakes({"id": "x", "is_bot": True, "nose": 1}, ["User"]) == [
        ".first_name is missing",
        ".nose is unknown to User",
        ".id is no Integer",
    ]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_method_declares_the_documented_parameters(name: str) -> None:
    assert METHOD_MODULES
    known = METHODS[name]
    documented = {
        field["name"]: KINDS.get("|".join(field["types"]), "json")
        for field in schema()["methods"][known.name].get("fields", [])
    }
    assert {parameter.name: parameter.kind for parameter in known.parameters} == documented


@pytest.mark.gen_test
async def test_objects_the_sandbox_makes_are_whole(served: Driver, webhook: Webhook) -> None:
    await served.say("/start https://a.b")
    keyboard = {"inline_keyboard": [[{"text": "a", "callback_data": "b"}, {"text": "c", "copy_text": {"text": "d"}}]]}
    first = await served.send('<b>x</b> <a href="https://a.b">y</a>', parse_mode="HTML", reply_markup=keyboard)
    second = await served.send("re", reply_parameters={"message_id": first["message_id"]}, protect_content=True)
    third = (await upload(served, make_png(), caption="<i>x</i>", parse_mode="HTML", has_spoiler="true")).json["result"]
    edited = await served.call(
        "editMessageText", chat_id=CHAT, message_id=first["message_id"], text="z", reply_markup=keyboard
    )
    for message in (first, second, third, edited.json["result"], *(await served.chat("messages")).json):
        assert find_mistakes(message, ["Message"]) == []
    assert find_mistakes((await served.call("getMe")).json["result"], ["User"]) == []
    assert find_mistakes((await served.call("getWebhookInfo")).json["result"], ["WebhookInfo"]) == []
    await served.chat("taps", {"button": "a"})
    await served.chat("checkouts", {"payload": "p", "total_amount": 1})
    await served.chat("block", {})
    await webhook.wait(4)
    assert [find_mistakes(update, ["Update"]) for update in webhook.updates] == [[]] * 4
