"""The periodic duties: the days of applied_updates, and what a round does when a store is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from typing import Any

import psycopg2
import pytest

from grimbots.queue.dispatcher import QueueUnavailable
from grimbots.services import duties
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout
from grimbots.tests.conftest import Clock

TODAY = date(2026, 3, 2)
WAIT_SECONDS = 5
DAY_TABLES = r"SELECT relname FROM pg_class WHERE relname ~ '^applied_updates_\d{8}$' ORDER BY relname"


@pytest.fixture
def list_days(query: Callable[..., Any]) -> Iterator[Callable[[], list[date]]]:
    """Give a function that lists the days with a partition, of which there is none at first."""

    def drop_all() -> None:
        for (table,) in query(DAY_TABLES):
            query(f"DROP TABLE {table}")

    drop_all()
    yield lambda: [date.fromisoformat(table[-8:]) for (table,) in query(DAY_TABLES)]
    drop_all()


def make_days(first: int, last: int) -> list[date]:
    """Give the days so many days from TODAY."""
    return [TODAY + timedelta(days=offset) for offset in range(first, last + 1)]


async def apply_update(app: Any, tenant: Any, day: date) -> int:
    """Note an applied update; returns its number."""
    key = {"account_id": tenant.account_id, "bot_id": tenant.bot_id, "update_id": day.toordinal()}
    assert await app.db.applied_updates.note(applied_on=day, **key) == 1
    return day.toordinal()


def list_applied(query: Callable[..., Any]) -> list[int]:
    return [number for (number,) in query("SELECT update_id FROM applied_updates ORDER BY update_id")]


@pytest.mark.gen_test
async def test_keep_days_makes_days_ahead(app: Any, list_days: Callable[[], list[date]]) -> None:
    await duties.keep_days(app)
    assert list_days() == make_days(-1, 2)


@pytest.mark.gen_test
async def test_keep_days_again_changes_nothing(
    app: Any, accounts: Any, list_days: Callable[[], list[date]], query: Callable[..., Any]
) -> None:
    await duties.keep_days(app)
    number = await apply_update(app, accounts[0], TODAY)
    await duties.keep_days(app)
    assert list_days() == make_days(-1, 2)
    assert list_applied(query) == [number]


@pytest.mark.gen_test
async def test_keep_days_moves_rows_to_their_day(
    app: Any, accounts: Any, list_days: Callable[[], list[date]], query: Callable[..., Any]
) -> None:
    numbers = [await apply_update(app, accounts[0], day) for day in make_days(-2, 0)]
    await duties.keep_days(app)
    places = query("SELECT tableoid::regclass::text FROM applied_updates ORDER BY applied_on")
    assert [place for (place,) in places] == [
        "applied_updates_default",
        "applied_updates_20260301",
        "applied_updates_20260302",
    ]
    assert list_applied(query) == numbers


@pytest.mark.gen_test
async def test_keep_days_drops_days_older_than_three(
    app: Any, accounts: Any, clock: Clock, list_days: Callable[[], list[date]], query: Callable[..., Any]
) -> None:
    await apply_update(app, accounts[0], TODAY)  # without a partition
    await duties.keep_days(app)
    _, kept = [await apply_update(app, accounts[0], day) for day in make_days(-1, 2)[::3]]
    await apply_update(app, accounts[0], TODAY - timedelta(days=2))  # in none of the partitions there are
    clock.move(days=4)
    await duties.keep_days(app)
    assert list_days() == make_days(1, 6)
    assert list_applied(query) == [kept]


@pytest.mark.gen_test
async def test_keep_days_after_a_long_pause_begins_anew(
    app: Any, accounts: Any, clock: Clock, list_days: Callable[[], list[date]], query: Callable[..., Any]
) -> None:
    await duties.keep_days(app)
    clock.move(days=100)
    number = await apply_update(app, accounts[0], clock().date())
    await duties.keep_days(app)
    assert list_days() == make_days(99, 102)
    assert list_applied(query) == [number]


@pytest.mark.gen_test
async def test_keep_days_in_two_processes_at_once_is_done_once(app: Any, list_days: Callable[[], list[date]]) -> None:
    await asyncio.gather(duties.keep_days(app), duties.keep_days(app))
    assert list_days() == make_days(-1, 2)


@pytest.mark.gen_test
async def test_keep_days_passes_while_another_process_has_the_turn(
    app: Any, list_days: Callable[[], list[date]]
) -> None:
    async with app.db.transaction() as other:
        assert await other.duties.take_turn(duty="keep_days")
        await duties.keep_days(app)
    assert list_days() == []


@pytest.mark.gen_test(timeout=15)
async def test_keep_days_waits_for_readers_before_it_holds_what_they_want(
    app: Any, list_days: Callable[[], list[date]], query: Callable[..., Any], database_url: str
) -> None:
    with closing(psycopg2.connect(database_url)) as reader:
        reader.cursor().execute("SELECT FROM applied_updates")
        keeping = asyncio.create_task(duties.keep_days(app))
        assert await wait_for_a_waiter(query) == [("applied_updates", "AccessExclusiveLock")]
        assert list_days() == []
    await keeping
    assert list_days() == make_days(-1, 2)


async def wait_for_a_waiter(query: Callable[..., Any]) -> Any:
    """Return the relation and the mode of every lock that somebody waits for, as soon as there is one."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not (waiting := query("SELECT relation::regclass::text, mode FROM pg_locks WHERE NOT granted")):
            await asyncio.sleep(0.01)
        return waiting


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

    repeating = asyncio.create_task(duties.repeat(app, serve, 0))
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
        await duties.repeat(app, break_down, 0)
    assert rounds == [1]
