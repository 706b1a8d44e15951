"""`grimbots privacy` on real stores: a person found, exported, erased, and who did that."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from grimbots.queue import task
from grimbots.tests import rows
from grimbots.tests.handlers.commands.conftest import Command
from grimbots.tests.handlers.commands.test_cli import add_shop

Capture = pytest.CaptureFixture[str]
LEAD = (
    "INSERT INTO leads (account_id, bot_id, chat_id, first_name, username, created_at, updated_at)"
    " SELECT account_id, id, 7001, 'Brunhilde', 'brunhilde_t', now(), now() FROM bots"
)
WHO = ("--account", "loja", "--bot", "loja_bot", "--lead", "7001")


@pytest.fixture
def shop(command: Command, database_url: str) -> Command:
    """Give the command, with an account loja whose bot has a lead."""
    add_shop(database_url)
    rows.query(database_url, LEAD)
    return command


def list_acts(url: str) -> list[tuple[str, str]]:
    return rows.query(url, "SELECT action, actor FROM audit WHERE action LIKE 'lead.%%' ORDER BY id")


def test_person_is_found_and_exported_and_both_are_written_down(
    shop: Command, database_url: str, tmp_path: Path, capsys: Capture
) -> None:
    assert shop("privacy", "find", "@brunhilde_t", "--account", "loja", "--json") == 0
    assert json.loads(capsys.readouterr().out)["chat_id"] == 7001
    file = tmp_path / "answer.json"
    assert shop("privacy", "export", *WHO, "--to", str(file)) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["lead"]["first_name"] == "Brunhilde"
    assert list_acts(database_url) == [("lead.find", "command"), ("lead.export", "command")]


def test_erasure_is_asked_for_twice_and_ordered_once(shop: Command, database_url: str, capsys: Capture) -> None:
    assert shop("privacy", "erase", *WHO) == 0
    assert "nothing is changed" in capsys.readouterr().out
    assert shop("queue", "peek", "tasks", "--json") == 0
    assert capsys.readouterr().out == ""
    assert shop("privacy", "erase", *WHO, "--yes") == 0
    assert "is being erased" in capsys.readouterr().out
    assert shop("queue", "peek", "tasks", "--json") == 0
    assert json.loads(capsys.readouterr().out)["task"] == "privacy.erase" in task.REGISTRY


def test_texts_are_the_sellers_or_ours(shop: Command, database_url: str) -> None:
    look = "SELECT privacy_text, support_text FROM accounts"
    assert shop("privacy", "text", "--account", "loja", "--privacy", "Guardamos pouco.") == 0
    assert rows.query(database_url, look) == [("Guardamos pouco.", "")]
    assert shop("privacy", "text", "--account", "loja", "--privacy", "") == 0
    assert rows.query(database_url, look) == [("", "")]
    assert shop("privacy", "text", "--account", "loja", "--support", "x" * 2001) == 1


def test_who_was_erased_is_listed(shop: Command, database_url: str, capsys: Capture) -> None:
    assert shop("privacy", "list", "--account", "loja") == 0
    assert "nobody was erased" in capsys.readouterr().out
    rows.query(
        database_url,
        "INSERT INTO tombstones (account_id, lead_id, bot_id, digest, actor, made_at)"
        " SELECT account_id, id, bot_id, 'd', 'lead', now() FROM leads",
    )
    assert shop("privacy", "list", "--account", "loja", "--json") == 0
    assert json.loads(capsys.readouterr().out)["actor"] == "lead"
