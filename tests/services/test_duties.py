"""The periodic duties: what a round does when a store is away, or when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.services import duties
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout
from grimbots.tests.conftest import FIRST_INSTANT, Clock

WAIT_SECONDS = 30


@pytest.mark.gen_test
@pytest.mark.parametrize("away", [DatabaseUnavailable, StatementTimeout, QueueUnavailable])
async def test_repeat_puts_a_round_off_and_says_so_while_a_store_is_away(
    app: Any, away: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: Iterator[Exception | None] = iter([away("it is away"), away("it is still away")])
    done = asyncio.Event()

    async def serve(_: Any) -> None:
        if outcome := next(outcomes, None):
            raise outcome
        done.set()

    repeating = asyncio.create_task(duties.repeat(app, "sample", serve, 0))
    async with asyncio.timeout(WAIT_SECONDS):
        await done.wait()
    repeating.cancel()
    assert [line.split(" put off: ")[1] for line in caplog.messages] == ["it is away", "it is still away"]


@pytest.mark.gen_test
async def test_repeat_ends_on_any_other_error(app: Any) -> None:
    rounds = []

    async def break_down(_: Any) -> None:
        rounds.append(1)
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await duties.repeat(app, "sample", break_down, 0)
    assert rounds == [1]


@pytest.mark.gen_test
async def test_repeat_notes_the_rounds_that_came_to_their_end(app: Any, clock: Clock) -> None:
    outcomes: Iterator[Exception | None] = iter([DatabaseUnavailable("away"), None, DatabaseUnavailable("away")])
    rounds: list[bool] = []
    done = asyncio.Event()

    async def serve(_: Any) -> None:
        rounds.append(app.rounds.last["sample"].has_succeeded)
        clock.move(minutes=2)
        if len(rounds) == 4:
            done.set()
            await asyncio.Event().wait()
        if outcome := next(outcomes):
            raise outcome

    repeating = asyncio.create_task(duties.repeat(app, "sample", serve, 0))
    async with asyncio.timeout(WAIT_SECONDS):
        await done.wait()
    repeating.cancel()
    assert rounds == [False, False, True, True]
    assert app.rounds.last["sample"].at == FIRST_INSTANT + timedelta(minutes=4)
    assert app.rounds.list_late(FIRST_INSTANT + timedelta(minutes=5)) == []
    assert app.rounds.list_late(clock()) == ["sample"]
