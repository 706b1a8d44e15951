"""What keeps processes alive: the pauses before another try, and the notices a process sends to whoever keeps it."""

from __future__ import annotations

import pytest

from grimbots.handlers.commands.embedded.children import CannotStart
from grimbots.handlers.commands.notices import READY, VARIABLE, NoticeBox, notify
from grimbots.handlers.commands.supervisors import find_pause


def test_pause_is_none_at_first_then_doubles_up_to_ten_seconds() -> None:
    pauses = [find_pause(failures) for failures in (0, 1, 2, 3, 8, 1000)]
    assert pauses == [0.0, 0.1, 0.2, 0.4, 10.0, 10.0]


@pytest.mark.gen_test
async def test_notice_arrives_once(monkeypatch: pytest.MonkeyPatch) -> None:
    box = NoticeBox()
    monkeypatch.setenv(VARIABLE, box.address)
    assert not await box.is_ready()
    notify("STATUS=almost")
    assert not await box.is_ready()
    notify(READY)
    assert [await box.is_ready() for _ in range(2)] == [True, False]
    box.close()


def test_notice_to_nobody_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    notify(READY)


def test_notice_to_a_supervisor_that_has_gone_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    box = NoticeBox()
    monkeypatch.setenv(VARIABLE, box.address)
    box.close()
    with pytest.raises(CannotStart, match="has gone"):
        notify(READY)
