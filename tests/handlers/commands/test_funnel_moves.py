"""`grimbots funnel move`: what it says, writes and publishes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grimbots.tests.handlers.commands.conftest import Command
from grimbots.tests.rows import open_query

FIXTURES = Path(__file__).parents[2] / "services" / "funnels" / "moving" / "fixtures"


def test_move_says_what_came_along_and_what_did_not(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("funnel", "move", str(FIXTURES / "novembro.json")) == 0
    said = capsys.readouterr().out
    assert "Veio junto:\n  - 2 botão(ões) de compra" in said
    assert "Não veio, confira:\n  - main_buttons[2]:" in said
    assert "Diferente, de propósito:" in said
    assert command("funnel", "move", str(FIXTURES / "novembro.json"), "--language", "en") == 0
    assert "Came along:" in capsys.readouterr().out


def test_move_reads_what_is_piped_in_and_answers_as_json(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    piped = (FIXTURES / "fluxo.json").read_text("utf-8")
    assert command("funnel", "move", "-", "--name", "novo", "--json", given=piped) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["funnel"]["name"] == "novo" and answer["problems"] == []
    assert {"sort": "left", "place": "flow_steps.step_9"}.items() <= answer["remarks"][4].items()


def test_move_writes_a_funnel_that_can_be_checked(command: Command, tmp_path: Path) -> None:
    assert command("funnel", "move", str(FIXTURES / "assinatura.json"), "--out", "funil.json") == 0
    assert command("funnel", "check", "funil.json") == 0
    assert command("funnel", "move", str(FIXTURES / "assinatura.json"), "--out", "funil.json") == 1


def test_move_publishes_for_a_bot_of_the_account(command: Command, database_url: str) -> None:
    command("account", "add", "loja")
    with open_query(database_url) as query:
        query(
            "INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, created_at, updated_at)"
            " SELECT id, 1, 'loja_bot', 'Loja', 'key', 'token', now(), now() FROM accounts"
        )
        settings = str(FIXTURES / "sequencia.json")
        assert command("funnel", "move", settings, "--name", "antigo", "--publish") == 1
        publish = ("--name", "antigo", "--publish", "--account", "loja")
        assert command("funnel", "move", settings, *publish, "--bot", "outra_bot") == 1
        assert command("funnel", "move", settings, *publish, "--bot", "@loja_bot") == 0
        found = query("SELECT funnels.name, bots.username FROM bots JOIN funnels ON funnels.id = bots.funnel_id")
        assert found == [("antigo", "loja_bot")]


@pytest.mark.parametrize("content", [b"no json", b"\xff\xfe", b"[" * 100_000])
def test_move_refuses_what_cannot_be_read(command: Command, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    assert command("funnel", "move", "x.json") == 1
    assert command("funnel", "move", "nowhere.json") == 1
