"""Crons: done once each time, however many processes there are, after deaths and long pauses too; and keep_days."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg2
import pytest

from grimbots.services import crons, leads
from grimbots.services.arrivals import Person
from grimbots.tests.conftest import Clock

TODAY = date(2026, 3, 2)
WAIT_SECONDS = 30
DAY_TABLES = r"SELECT relname FROM pg_class WHERE relname ~ '^applied_updates_\d{8}$' ORDER BY relname"


@pytest.fixture
def done(app: Any, io_loop: Any, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Give the instants at which an hourly cron was done; it is the only one there is."""
    instants: list[datetime] = []

    async def act(app: Any) -> None:
        instants.append(app.clock())

    monkeypatch.setattr(crons, "CRONS", {"sample": (timedelta(hours=1), act)})
    io_loop.run_sync(lambda: crons.enter(app))
    return instants


async def run_due(app: Any, query: Callable[..., Any]) -> None:
    """Run what is due, as the queue would."""
    await crons.hand_out_due(app)
    for name, due_at in query("SELECT name, due_at FROM crons WHERE claimed_until IS NOT NULL"):
        await crons.run(app, name=name, due_at=due_at.timestamp())


@pytest.mark.gen_test
async def test_cron_is_done_once_an_hour(app: Any, clock: Clock, done: list[datetime], query: Any) -> None:
    for _ in range(180):
        await run_due(app, query)
        clock.move(minutes=1)
    assert [instant.hour for instant in done] == [12, 13, 14]


@pytest.mark.gen_test
async def test_processes_at_once_hand_it_out_once(app: Any, done: list[datetime]) -> None:
    assert sum(await asyncio.gather(*(crons.hand_out_due(app) for _ in range(5)))) == 1
    assert await crons.hand_out_due(app) == 0


@pytest.mark.gen_test
async def test_lost_job_is_handed_out_again(app: Any, clock: Clock, done: list[datetime]) -> None:
    await crons.hand_out_due(app)
    clock.move(minutes=11)
    assert await crons.hand_out_due(app) == 1


@pytest.mark.gen_test
async def test_what_was_missed_is_done_once(app: Any, clock: Clock, done: list[datetime], query: Any) -> None:
    await run_due(app, query)
    clock.move(days=3, minutes=20)
    for _ in range(3):
        await run_due(app, query)
    assert len(done) == 2


@pytest.mark.gen_test
async def test_late_repeat_does_not_put_the_next_time_off(
    app: Any, clock: Clock, done: list[datetime], query: Any
) -> None:
    first_due = query("SELECT due_at FROM crons WHERE name = 'sample'")[0][0]
    await run_due(app, query)
    clock.move(hours=1)
    await crons.run(app, name="sample", due_at=first_due.timestamp())  # of a process that was frozen
    assert await crons.hand_out_due(app) == 1


def test_all_processes_mean_the_same_instant() -> None:
    late, later = datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC), datetime(2026, 3, 2, 12, 59, 59, tzinfo=UTC)
    assert {crons.next_due(timedelta(hours=1), now) for now in (late, later)} == {datetime(2026, 3, 2, 13, tzinfo=UTC)}


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
    bot = await app.bots.by_id(app, tenant.bot_id)
    at = datetime.combine(day, time(12), UTC)
    async with app.db.transaction() as tx:
        lead = await leads.lock(tx, bot, 42, Person("Ana"), at, update_id=day.toordinal(), received_at=at)
    assert lead.is_news
    return day.toordinal()


def list_applied(query: Callable[..., Any]) -> list[int]:
    """Give the numbers of the updates noted."""
    return [number for (number,) in query("SELECT update_id FROM applied_updates ORDER BY update_id")]


@pytest.mark.gen_test
async def test_keep_days_makes_days_ahead(app: Any, list_days: Callable[[], list[date]]) -> None:
    await crons.keep_days(app)
    assert list_days() == make_days(-1, 2)


@pytest.mark.gen_test
async def test_keep_days_again_changes_nothing(
    app: Any, accounts: Any, list_days: Callable[[], list[date]], query: Callable[..., Any]
) -> None:
    await crons.keep_days(app)
    number = await apply_update(app, accounts[0], TODAY)
    await crons.keep_days(app)
    assert list_days() == make_days(-1, 2)
    assert list_applied(query) == [number]


@pytest.mark.gen_test
async def test_keep_days_moves_rows_to_their_day(
    app: Any, accounts: Any, list_days: Callable[[], list[date]], query: Callable[..., Any]
) -> None:
    numbers = [await apply_update(app, accounts[0], day) for day in make_days(-2, 0)]
    await crons.keep_days(app)
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
    await crons.keep_days(app)
    _, kept = [await apply_update(app, accounts[0], day) for day in make_days(-1, 2)[::3]]
    await apply_update(app, accounts[0], TODAY - timedelta(days=2))  # in none of the partitions there are
    clock.move(days=4)
    await crons.keep_days(app)
    assert list_days() == make_days(1, 6)
    assert list_applied(query) == [kept]


@pytest.mark.gen_test
async def test_keep_days_after_a_long_pause_begins_anew(
    app: Any, accounts: Any, clock: Clock, list_days: Callable[[], list[date]], query: Callable[..., Any]
) -> None:
    await crons.keep_days(app)
    clock.move(days=100)
    number = await apply_update(app, accounts[0], clock().date())
    await crons.keep_days(app)
    assert list_days() == make_days(99, 102)
    assert list_applied(query) == [number]


@pytest.mark.gen_test
async def test_keep_days_in_two_processes_at_once_is_done_once(app: Any, list_days: Callable[[], list[date]]) -> None:
    await asyncio.gather(crons.keep_days(app), crons.keep_days(app))
    assert list_days() == make_days(-1, 2)


@pytest.mark.gen_test
async def test_keep_days_passes_while_another_process_has_the_turn(
    app: Any, list_days: Callable[[], list[date]]
) -> None:
    async with app.db.transaction() as other:
        assert await other.duties.take_turn(duty="keep_days")
        await crons.keep_days(app)
    assert list_days() == []


@pytest.mark.gen_test
async def test_keep_days_waits_for_readers_before_it_holds_what_they_want(
    app: Any, list_days: Callable[[], list[date]], query: Callable[..., Any], database_url: str
) -> None:
    with closing(psycopg2.connect(database_url)) as reader:
        reader.cursor().execute("SELECT FROM applied_updates")
        keeping = asyncio.create_task(crons.keep_days(app))
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
