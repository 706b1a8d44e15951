"""`grimbots gateway` and `grimbots event`: a seller's accounts in order, what was left over, what statements say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grimbots.tests.handlers.commands.conftest import Command
from grimbots.tests.rows import open_query


@pytest.fixture
def loja(command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Give the command where the account loja has two gateway accounts, the second as a backup."""
    monkeypatch.setenv("GRIMBOTS_SANDBOX", "1")
    assert command("account", "add", "loja") == 0
    for more in ((), ("--backup",)):
        assert command("gateway", "add", "sandbox", "--account", "loja", *more, given="key\nsecret\n") == 0
    assert "where those before it make no charge" in capsys.readouterr().out
    return command


def read(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the lines just printed."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_gateways_are_put_in_order_and_limited(loja: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert loja("gateway", "list", "--account", "loja", "--json") == 0
    first, second = read(capsys)
    assert [(row["place"], row["breaker"], row["most_cents"]) for row in (first, second)] == [
        (1, "closed", None),
        (2, "closed", None),
    ]
    assert loja("gateway", "order", str(second["id"]), str(first["id"]), "--account", "loja") == 0
    assert loja("gateway", "limit", str(second["id"]), "--account", "loja", "--most", "5000") == 0
    capsys.readouterr()
    loja("gateway", "list", "--account", "loja", "--json")
    assert [(row["id"], row["place"], row["most_cents"]) for row in read(capsys)] == [
        (second["id"], 1, 5000),
        (first["id"], 2, None),
    ]
    assert loja("gateway", "order", "1", "--account", "loja") == 1
    assert loja("gateway", "limit", str(first["id"]), "--account", "loja", "--most", "5", "--least", "9") == 1
    assert "no charge would be within" in capsys.readouterr().err
    loja("gateway", "list", "--account", "loja", "--json")
    assert [row["place"] for row in read(capsys)] == [1, 2]  # a refused order changes nothing


def test_a_left_over_event_is_listed_shown_and_tried_again(
    loja: Command, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_query(database_url) as query:
        ((event_id,),) = query(
            "INSERT INTO provider_events (account_id, gateway_account_id, dedup_key, headers, body, verified, status,"
            " received_at, settled_at) SELECT account_id, id, 'k', '{}', %s, 'no', 'unmatched', now(), now()"
            " FROM gateway_accounts LIMIT 1 RETURNING id",
            b'{"txid": "abc", "payer": {"cpf": "529.982.247-25"}}',
        )
    capsys.readouterr()
    assert loja("event", "list", "--account", "loja", "--json") == 0
    assert [row["id"] for row in read(capsys)] == [event_id]
    assert loja("event", "show", str(event_id), "--account", "loja") == 0
    shown = capsys.readouterr().out
    assert "abc" in shown and "982" not in shown
    assert loja("event", "retry", str(event_id), "--account", "loja") == 0
    assert loja("event", "retry", str(event_id), "--account", "loja") == 1
    assert "is received" in capsys.readouterr().err


def test_a_difference_is_listed_and_closed(
    loja: Command, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_query(database_url) as query:
        ((found,),) = query(
            "INSERT INTO statement_differences (account_id, gateway_account_id, kind, reference, detail, found_at)"
            " SELECT account_id, id, 'missing', 'x', 'paid here', now() FROM gateway_accounts LIMIT 1 RETURNING id"
        )
    capsys.readouterr()
    assert loja("gateway", "differences", "--account", "loja", "--json") == 0
    assert [row["kind"] for row in read(capsys)] == ["missing"]
    assert loja("gateway", "differences", "--account", "loja", "--close", str(found)) == 0
    assert "say what our rows say" in capsys.readouterr().out
