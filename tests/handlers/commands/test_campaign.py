"""`grimbots campaign start --at`: one instant, however it is written; without a time zone it is none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from grimbots.tests import rows
from grimbots.tests.handlers.commands.conftest import Command
from grimbots.tests.handlers.commands.test_cli import add_shop

DEMO = Path(__file__).parents[3] / "handlers" / "commands" / "demo"
START = ("campaign", "start", "--account", "loja", "--bot", "loja_bot", "--funnel", "demo")


def test_an_instant_is_understood_by_its_time_zone(
    command: Command, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_shop(database_url)
    assert command("funnel", "publish", str(DEMO / "demo.json"), "--account", "loja") == 0
    for at in ("2026-11-30T12:00Z", "2026-11-30T12:00:00.000Z", "2026-11-30T09:00-03:00"):
        assert command(*START, "--at", at) == 0
    starts = rows.query(database_url, "SELECT DISTINCT next_slice_at FROM campaigns")
    assert starts == [(datetime(2026, 11, 30, 12, tzinfo=UTC),)]
    with pytest.raises(SystemExit):
        command(*START, "--at", "2026-11-30T09:00")
    assert "say the time zone too, as in 2026-11-30T09:00-03:00" in capsys.readouterr().err
