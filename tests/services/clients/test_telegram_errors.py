"""The table of refusals against every answer known, and against our own copies of those that matter most."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grimbots.services.clients.telegram_errors import Kind, find_meaning, is_gone_for_good

KNOWN = Path(__file__).parents[4] / "shared" / "data" / "bot-api-errors.json"
KIND_OF_CLASS = {
    "bad_file": Kind.BAD_FILE,
    "conflict": Kind.CONFLICT,
    "dead_bot": Kind.DEAD_BOT,
    "dead_chat": Kind.DEAD_CHAT,
    "degrade": Kind.DEGRADE,
    "flood": Kind.FLOOD,
    "ignore": Kind.IGNORED,
    "lost_chat": Kind.LOST_CHAT,
    "migrate": Kind.MIGRATED,
    "our_bug": Kind.REFUSED,
    "our_config": Kind.REFUSED,
    "our_limit": Kind.REFUSED,
    "transient": Kind.AMBIGUOUS,
}


def load_known() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(KNOWN.read_text()) if KNOWN.exists() else []
    return rows


def read_kind(row: dict[str, Any]) -> Kind:
    """Bad formatting is our bug, yet it passes as plain text, so we send it so."""
    return Kind.DEGRADE if "can't parse entities" in row["description"] else KIND_OF_CLASS[row["class"]]


@pytest.mark.skipif(not KNOWN.exists(), reason="the list of known answers is not beside this repository")
def test_find_meaning_knows_every_listed_answer() -> None:
    rows = load_known()
    assert len(rows) >= 50
    found = {(row["http"], row["description"]): find_meaning(row["http"], row["description"]) for row in rows}
    assert found == {(row["http"], row["description"]): read_kind(row) for row in rows}


@pytest.mark.parametrize(
    ("http", "description", "kind"),
    [
        (403, "Forbidden: bot was blocked by the user", Kind.DEAD_CHAT),
        (403, "Forbidden: user is deactivated", Kind.DEAD_CHAT),
        (400, "Bad Request: chat not found", Kind.DEAD_CHAT),
        (400, "Bad Request: USER_IS_BLOCKED", Kind.DEAD_CHAT),
        (403, "Forbidden: bot was kicked from the supergroup chat", Kind.LOST_CHAT),
        (400, "Bad Request: group chat was upgraded to a supergroup chat", Kind.MIGRATED),
        (429, "Too Many Requests: retry after 5", Kind.FLOOD),
        (401, "Unauthorized", Kind.DEAD_BOT),
        (404, "Not Found", Kind.DEAD_BOT),
        (404, "Not Found: method not found", Kind.REFUSED),
        (409, "Conflict: terminated by setWebhook request", Kind.CONFLICT),
        (400, "Bad Request: wrong file identifier/HTTP URL specified", Kind.BAD_FILE),
        (400, "Bad Request: message is not modified: specified new message content ...", Kind.IGNORED),
        (400, "Bad Request: can't parse entities: unsupported start tag", Kind.DEGRADE),
        (400, "Bad Request: message to be replied not found", Kind.DEGRADE),
        (400, "Bad Request: message is too long", Kind.REFUSED),
        (500, "Internal Server Error: restart", Kind.AMBIGUOUS),
        (504, "anything", Kind.AMBIGUOUS),
    ],
)
def test_find_meaning(http: int, description: str, kind: Kind) -> None:
    assert find_meaning(http, description) is kind


@pytest.mark.parametrize(("http", "description"), [(400, "Bad Request: BRAND_NEW"), (403, "Forbidden: new"), (418, "")])
def test_find_meaning_admits_what_it_does_not_know(http: int, description: str) -> None:
    assert find_meaning(http, description) is None


def test_find_meaning_depends_on_the_code() -> None:
    assert find_meaning(400, "Bad Request: bot was kicked from the group chat") is None


def test_is_gone_for_good_tells_a_deleted_account_from_a_block() -> None:
    assert is_gone_for_good("Forbidden: user is deactivated")
    assert not is_gone_for_good("Forbidden: bot was blocked by the user")
