"""Cut the slice of the Bot API that the tests check against out of its whole description.

    python tests/data/slice_bot_api.py <bot-api.json>

The whole description is in the shape of PaulSonOfLars/telegram-bot-api-spec: methods and types with their fields. The
slice holds the methods below and every type they or an Update can contain, without the prose. To add a method, add its
name and run this again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SLICE = Path(__file__).parent / "bot-api-slice.json"
METHODS = (
    *("getMe", "getWebhookInfo", "setWebhook", "deleteWebhook", "getFile", "sendChatAction"),
    *("sendMessage", "sendPhoto", "sendVideo", "sendVideoNote", "sendVoice", "sendAudio", "sendAnimation"),
    *("sendDocument", "sendMediaGroup", "copyMessage", "answerCallbackQuery", "answerPreCheckoutQuery"),
    *("editMessageText", "editMessageCaption", "editMessageMedia", "editMessageReplyMarkup", "deleteMessage"),
    *("createChatInviteLink", "revokeChatInviteLink", "approveChatJoinRequest", "declineChatJoinRequest"),
    *("banChatMember", "unbanChatMember", "getChatMember", "getChat"),
    *("getManagedBotToken", "replaceManagedBotToken"),
    *("createInvoiceLink", "getStarTransactions", "refundStarPayment"),
)
RECEIVED = ["Update", "ResponseParameters"]
ORIGIN = "aiogram 3.31.0 and PaulSonOfLars/telegram-bot-api-spec, both MIT: see bot-api-slice.LICENSE"

Description = Mapping[str, Any]


def cut(whole: Description) -> dict[str, Any]:
    """Give the slice of the whole description."""
    methods = {name: _describe(whole["methods"][name]) for name in sorted(METHODS)}
    reached = _reach(
        whole["types"], RECEIVED + [kind for name in METHODS for kind in _mentioned(whole["methods"][name])]
    )
    return {
        "version": whole["version"],
        "release_date": whole["release_date"],
        "origin": ORIGIN,
        "methods": methods,
        "types": {name: _describe(whole["types"][name]) for name in sorted(reached)},
    }


def _describe(item: Description) -> dict[str, Any]:
    """Give an item's fields as {name: "Type|Type"}, a * before the types of a required one."""
    described: dict[str, Any] = {}
    if item.get("fields"):
        described["fields"] = {
            field["name"]: ("*" if field["required"] else "") + "|".join(field["types"]) for field in item["fields"]
        }
    if item.get("subtypes"):
        described["subtypes"] = item["subtypes"]
    if item.get("returns"):
        described["returns"] = "|".join(item["returns"])
    return described


def _mentioned(item: Description) -> list[str]:
    fields = [kind for field in item.get("fields", []) for kind in field["types"]]
    return [kind.replace("Array of ", "") for kind in (*fields, *item.get("returns", []), *item.get("subtypes", []))]


def _reach(types: Mapping[str, Description], names: Iterable[str]) -> set[str]:
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in types and name not in reached:
            reached.add(name)
            waiting += _mentioned(types[name])
    return reached


def write(sliced: Mapping[str, Any]) -> str:
    """Write the slice with one method or type per line, so that a new version shows as a readable difference."""
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in sliced.items() if isinstance(value, str)]
    for room in ("methods", "types"):
        lines = [f"  {json.dumps(name)}: {json.dumps(item)}" for name, item in sliced[room].items()]
        parts.append(f'"{room}": {{\n' + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    SLICE.write_text(write(cut(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))), encoding="utf-8")
