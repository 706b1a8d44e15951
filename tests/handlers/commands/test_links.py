"""`grimbots domain`, `pool` and `report` on real stores: what they say, and what programs read."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from grimbots.tests import rows
from grimbots.tests.handlers.commands.conftest import Command
from grimbots.tests.handlers.commands.test_cli import add_shop

Capture = pytest.CaptureFixture[str]
START = (
    "WITH lead AS (INSERT INTO leads (account_id, bot_id, chat_id, created_at, updated_at)"
    " SELECT account_id, id, 1, now(), now() FROM bots RETURNING account_id, bot_id, id, created_at)"
    " INSERT INTO starts (account_id, bot_id, lead_id, started_at) SELECT * FROM lead"
)


@pytest.fixture
def shop(command: Command, database_url: str) -> Command:
    """Give the command, with an account loja that has a bot and one start."""
    add_shop(database_url)
    rows.query(database_url, START)
    return command


def test_report_is_a_table_of_days(shop: Command, capsys: Capture) -> None:
    assert shop("report", "--account", "loja") == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["day", "clicks", "starts", "matched"]
    assert line.split()[1:4] == ["0", "1", "0"]


def test_report_for_programs(shop: Command, capsys: Capture) -> None:
    assert shop("report", "--account", "loja", "--by", "bot,source", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["bot"], told["source"], told["starts"], told["conversion"]) == ("loja_bot", "", 1, 0.0)
    assert shop("report", "--account", "loja", "--by", "bot", "--csv") == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["bot"], row["starts"], row["start_rate"]) == ("loja_bot", "1", "")


def test_report_of_days_without_anything_says_so(shop: Command, capsys: Capture) -> None:
    assert shop("report", "--account", "loja", "--from", "2026-01-01", "--to", "2026-01-31") == 0
    assert "nothing happened" in capsys.readouterr().out


def test_report_refuses_what_is_no_report(shop: Command, capsys: Capture) -> None:
    assert shop("report", "--account", "nobody") == 1
    assert shop("report", "--account", "loja", "--from", "2026-02-01", "--to", "2026-01-31") == 1
    with pytest.raises(SystemExit):
        shop("report", "--account", "loja", "--by", "day,hour")
    assert "choose of day, bot, step, source, campaign" in capsys.readouterr().err


def test_pool_takes_strategy_weights_and_a_page(shop: Command, capsys: Capture, tmp_path: Path) -> None:
    page = tmp_path / "page.json"
    page.write_text(json.dumps({"title": "Curso"}))
    wanted = ("pool", "add", "promo", "--account", "loja", "--bot", "loja_bot:3:-1", "--strategy", "weighted")
    assert shop(*wanted, "--landing", str(page)) == 0
    capsys.readouterr()
    assert shop("pool", "list", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["strategy"], told["landing"], told["bots"]) == ("weighted", True, "@loja_bot")
    for content in ("[]", "{", '{"title": ""}'):
        page.write_text(content)
        assert shop(*wanted, "--landing", str(page)) == 1
    assert shop("pool", "add", "promo", "--account", "loja", "--bot", "loja_bot:0") == 1
    assert "name a bot as username" in capsys.readouterr().err


def test_domain_is_added_shown_and_removed(shop: Command, capsys: Capture) -> None:
    assert shop("domain", "add", "Vendas.example.com", "--account", "loja") == 0
    capsys.readouterr()
    assert shop("domain", "list", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["host"], told["account"], told["status"]) == ("vendas.example.com", "loja", "pending")
    assert shop("pool", "add", "p", "--account", "loja", "--bot", "loja_bot", "--domain", "vendas.example.com") == 1
    assert "grimbots domain verify" in capsys.readouterr().err
    assert shop("domain", "remove", "vendas.example.com", "--account", "loja") == 0
    assert shop("domain", "list") == 0
    assert "there is no domain yet" in capsys.readouterr().out
