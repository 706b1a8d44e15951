"""`grimbots conversion` on real stores: who is told, what was told, and what is sent again."""

from __future__ import annotations

import json

import pytest

from grimbots.services.conversions.scan import find_networks
from grimbots.tests import rows
from grimbots.tests.handlers.commands.conftest import Command
from grimbots.tests.handlers.commands.test_cli import add_shop

Capture = pytest.CaptureFixture[str]
META = "1234567890\nEAAsecret\n\n"  # its third field may be left empty
EVENT = (
    "INSERT INTO conversions (account_id, destination_id, event, event_key, bot_id, occurred_at, expires_at, status,"
    " answer, sent, planned_at, ended_at) SELECT bots.account_id, conversion_destinations.id, 'PageView', 'pageview_a',"
    " bots.id, now(), now() + interval '1 day', 'refused', 'code 100', '{\"event_name\": \"PageView\"}', now(), now()"
    " FROM bots JOIN conversion_destinations USING (account_id)"
)


@pytest.fixture
def shop(command: Command, database_url: str) -> Command:
    """Give the command, with an account loja that has a bot."""
    add_shop(database_url)
    return command


def test_networks_are_listed(shop: Command, capsys: Capture) -> None:
    assert shop("conversion", "networks", "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["network"] for one in told} == set(find_networks())


def test_destination_is_added_listed_resumed_and_removed(shop: Command, database_url: str, capsys: Capture) -> None:
    add = ("conversion", "add", "meta", "--account", "loja", "--event", "Purchase", "--bot", "loja_bot")
    assert shop(*add, given=META) == 0
    assert shop("conversion", "destinations", "--account", "loja", "--json") == 0
    *_, line = capsys.readouterr().out.splitlines()
    place = json.loads(line)
    assert (place["network"], place["status"], place["events"]) == ("meta", "active", ["Purchase"])
    assert "EAAsecret" not in line
    rows.query(database_url, "UPDATE conversion_destinations SET status = 'paused', reason = 'code 190'")
    which = (str(place["id"]), "--account", "loja")
    assert shop("conversion", "resume", *which, "--new-credentials", given=META) == 0
    assert rows.query(database_url, "SELECT status, reason FROM conversion_destinations") == [("active", None)]
    assert shop("conversion", "remove", *which) == 0
    assert shop("conversion", "remove", *which) == 1
    assert shop("conversion", "add", "orkut", "--account", "loja") == 1
    assert "conversion networks" in capsys.readouterr().err


def test_events_are_listed_shown_and_sent_again(shop: Command, database_url: str, capsys: Capture) -> None:
    shop("conversion", "add", "meta", "--account", "loja", given=META)
    rows.query(database_url, EVENT)
    capsys.readouterr()
    assert shop("conversion", "list", "--account", "loja", "--status", "refused", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["answer"]) == ("PageView", "code 100")
    which = (str(told["id"]), "--account", "loja")
    assert shop("conversion", "show", *which) == 0
    assert "event_name" in capsys.readouterr().out
    assert shop("conversion", "retry", *which) == 0
    assert shop("conversion", "retry", *which) == 1
    assert "nothing to repeat" in capsys.readouterr().err
    assert shop("conversion", "list", "--account", "loja", "--payment", "1") == 0
    assert "nothing was told" in capsys.readouterr().out


def test_a_lead_is_silenced(shop: Command, database_url: str, capsys: Capture) -> None:
    rows.query(
        database_url,
        "INSERT INTO leads (account_id, bot_id, chat_id, created_at, updated_at)"
        " SELECT account_id, id, 42, now(), now() FROM bots",
    )
    which = ("--account", "loja", "--bot", "loja_bot", "--lead", "42")
    assert shop("conversion", "silence", *which) == 0
    assert rows.query(database_url, "SELECT is_reported FROM leads") == [(False,)]
    assert shop("conversion", "silence", *which, "--off") == 0
    assert rows.query(database_url, "SELECT is_reported FROM leads") == [(True,)]
