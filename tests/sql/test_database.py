"""What a service meets: rows, parameters, transactions, errors."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import pytest

from grimbots.sql.connections import Connection
from grimbots.sql.database import Database, DatabaseUnavailable, Json, UniqueViolation
from grimbots.sql.diallers import Dialler
from grimbots.sql.statements import QueryFileError
from grimbots.tests.sql.deadlines import become_true, expect_soon

VALUES = """
-- name: count_to :many
SELECT number, number * 100 AS amount_cents
FROM generate_series(1, %(last)s) AS number

-- name: echo_bytes :value
SELECT %(content)s::bytea

-- name: echo_instant :value
SELECT %(at)s::timestamptz

-- name: echo_json :value
SELECT %(body)s::jsonb

-- name: echo_text :value
SELECT %(text)s::text

-- name: find_nothing :one
SELECT 1 AS id
WHERE false

-- name: find_pair :one
SELECT 1 AS id, 'paid' AS state, 2 AS "lead.id", 'offer' AS "lead.step"

-- name: share :value
SELECT '100%%'
"""

PLACES = """
-- name: add :exec
INSERT INTO places (name)
VALUES (%(name)s)

-- name: add_later :later
INSERT INTO places (name)
VALUES (%(name)s)

-- name: count :value
SELECT count(*)
FROM places

-- name: divide :value
SELECT 1 / %(by)s

-- name: fill :one
INSERT INTO places (name)
VALUES (%(name)s)
RETURNING id, name

-- name: list_plans :many
SELECT name, generic_plans, custom_plans
FROM pg_prepared_statements
ORDER BY name

-- name: pid :value
SELECT pg_backend_pid()
"""


class Colour(StrEnum):
    RED = "red"


@pytest.fixture
def places(observe):
    """Give an empty table to write into."""
    observe(
        "CREATE TABLE places (id bigint GENERATED ALWAYS AS IDENTITY, name text UNIQUE CHECK (name <> 'forbidden'))"
    )
    yield
    observe("DROP TABLE places")


@pytest.mark.gen_test
async def test_many_gives_rows_by_name(open_database):
    async with open_database(queries=VALUES) as database:
        rows = await database.probe.count_to(last=3)
    assert [(row.number, row.amount_cents) for row in rows] == [(1, 100), (2, 200), (3, 300)]


@pytest.mark.gen_test
async def test_rows_of_a_statement_share_a_class(open_database):
    async with open_database(queries=VALUES) as database:
        first, second = await database.probe.count_to(last=1), await database.probe.count_to(last=1)
    assert type(first[0]) is type(second[0])


@pytest.mark.gen_test
async def test_columns_with_a_prefix_are_a_row_in_the_row(open_database):
    async with open_database(queries=VALUES) as database:
        row = await database.probe.find_pair()
    assert row._fields == ("id", "state", "lead")
    assert (row.id, row.state, row.lead.id, row.lead.step) == (1, "paid", 2, "offer")


@pytest.mark.gen_test
async def test_one_without_a_row_gives_none(open_database):
    async with open_database(queries=VALUES) as database:
        assert await database.probe.find_nothing() is None


@pytest.mark.gen_test
async def test_exec_gives_the_number_of_rows(open_database, places):
    async with open_database(queries=PLACES) as database:
        assert await database.probe.add(name="one") == 1


@pytest.mark.gen_test
async def test_statement_is_prepared_once_in_a_session_and_planned_for_any_values(open_database, places):
    async with open_database(queries=PLACES, size=1) as database:
        for name in ("one", "two", "three"):
            await database.probe.add(name=name)
        assert await database.probe.list_plans() == [("probe.add", 3, 0), ("probe.list_plans", 1, 0)]


@pytest.mark.gen_test
async def test_plan_of_a_small_table_is_the_one_for_a_large_table(postgres_url):
    """It is made once, and the table grows."""
    connection = Connection(Dialler(postgres_url, 5).dial(), 5)
    await connection.run("CREATE TEMPORARY TABLE things (id bigint PRIMARY KEY, name text)")
    await connection.run("INSERT INTO things VALUES (1, 'one')")
    await connection.run("ANALYZE things")
    by_index = await connection.run("EXPLAIN SELECT name FROM things WHERE id = 1")
    assert by_index.fetchone()[0].startswith("Index Scan")
    whole = await connection.run("EXPLAIN ANALYZE SELECT sum(length(name)) FROM things WHERE name = 'one'")
    assert not [line for (line,) in whole.fetchall() if "JIT" in line]
    await connection.close()


@pytest.mark.gen_test
async def test_percent_is_written_twice(open_database):
    async with open_database(queries=VALUES) as database:
        assert await database.probe.share() == "100%"


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "body",
    [{"text": "olá 🎉", "ids": [1, None, True]}, Json([1, {"a": "b"}]), Json("text")],
    ids=["dict", "list", "text"],
)
async def test_jsonb_goes_in_and_comes_out(open_database, body):
    async with open_database(queries=VALUES) as database:
        assert await database.probe.echo_json(body=body) == (body.adapted if isinstance(body, Json) else body)


@pytest.mark.gen_test
async def test_instant_comes_out_aware_and_utc(open_database):
    given = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=-3)))
    async with open_database(queries=VALUES) as database:
        read = await database.probe.echo_instant(at=given)
    assert (read, read.tzinfo) == (datetime(2026, 3, 2, 12, 0, tzinfo=UTC), UTC)


@pytest.mark.gen_test
async def test_bytea_comes_out_as_bytes(open_database):
    async with open_database(queries=VALUES) as database:
        assert await database.probe.echo_bytes(content=b"\x00\xff") == b"\x00\xff"
        assert await database.probe.echo_bytes(content=None) is None


@pytest.mark.gen_test
async def test_member_of_an_enumeration_goes_in_as_its_text(open_database):
    async with open_database(queries=VALUES) as database:
        assert await database.probe.echo_text(text=Colour.RED) == "red"


@pytest.mark.gen_test
async def test_call_with_wrong_parameters_names_statement_and_parameters(open_database):
    async with open_database(queries=VALUES) as database:
        with pytest.raises(TypeError, match=r"^probe.echo_text\(\) misses text, does not take txt; it takes text$"):
            await database.probe.echo_text(txt="x")


@pytest.mark.gen_test
async def test_wrong_aggregate_names_those_there_are(open_database):
    async with open_database(queries=VALUES) as database:
        with pytest.raises(AttributeError, match="Database has no leads; its aggregates are probe"):
            database.leads.find  # noqa: B018


@pytest.mark.gen_test
async def test_wrong_statement_names_those_there_are(open_database):
    async with open_database(queries=VALUES) as database:
        with pytest.raises(AttributeError, match=r"no statement probe.find; there are count_to, echo_bytes"):
            database.probe.find  # noqa: B018


def test_use_before_open_says_so():
    with pytest.raises(AttributeError, match="it is not open"):
        Database("host=/nowhere").probe  # noqa: B018


@pytest.mark.gen_test
async def test_open_with_a_bad_file_names_it(open_database):
    with pytest.raises(QueryFileError, match=r"probe.sql:1: "):
        async with open_database(queries="-- name: x :few\nSELECT 1"):
            pass


@pytest.mark.gen_test
async def test_transaction_commits_at_its_end(open_database, places):
    async with open_database(queries=PLACES) as database:
        async with database.transaction() as tx:
            await tx.probe.add(name="one")
            assert await database.probe.count() == 0
        assert await database.probe.count() == 1


@pytest.mark.gen_test
async def test_transaction_rolls_back_on_an_exception_and_keeps_its_session(open_database, places):
    async with open_database(queries=PLACES, size=1) as database:
        before = await database.probe.pid()
        with pytest.raises(KeyError):
            async with database.transaction() as tx:
                await tx.probe.add(name="one")
                raise KeyError
        assert (await database.probe.count(), await database.probe.pid()) == (0, before)


@pytest.mark.gen_test
async def test_transaction_rolls_back_when_cancelled(open_database, places, observe):
    async def hold(database):
        async with database.transaction() as tx:
            await tx.probe.add(name="one")
            await asyncio.Event().wait()

    waiting = "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%%probe.add%%'"
    async with open_database(queries=PLACES, size=1) as database:
        holder = asyncio.create_task(hold(database))
        await become_true(lambda: bool(observe(waiting)))
        holder.cancel()
        assert await expect_soon(database.probe.count()) == 0


@pytest.mark.gen_test
async def test_transaction_that_swallowed_an_error_does_not_pass_for_committed(open_database, places):
    async with open_database(queries=PLACES) as database:
        with pytest.raises(RuntimeError, match="rolled back"):
            async with database.transaction() as tx:
                await tx.probe.add(name="one")
                with pytest.raises(UniqueViolation):
                    await tx.probe.add(name="one")


@pytest.mark.gen_test
async def test_transaction_whose_first_statement_failed_does_not_pass_for_committed(open_database, places):
    async with open_database(queries=PLACES) as database:
        await database.probe.add(name="one")
        with pytest.raises(RuntimeError, match="rolled back"):
            async with database.transaction() as tx:
                with pytest.raises(UniqueViolation):
                    await tx.probe.add(name="one")


@pytest.mark.gen_test
@pytest.mark.parametrize("before", [0, 1])
async def test_transaction_that_lost_its_session_does_not_pass_for_committed(open_database, places, observe, before):
    async with open_database(queries=PLACES) as database:
        pid = await database.probe.pid()
        with pytest.raises(DatabaseUnavailable, match="already closed"):
            async with database.transaction() as tx:
                for number in range(before):
                    await tx.probe.add(name=f"{number}")
                observe("SELECT pg_terminate_backend(%s, 5000)", pid)
                with pytest.raises(DatabaseUnavailable, match="connection to Postgres lost"):
                    await tx.probe.add(name="one")
        assert await database.probe.count() == 0


@pytest.mark.gen_test
@pytest.mark.parametrize("name", ["add", "add_later"])
async def test_statement_on_a_session_known_to_be_lost_is_unavailable(open_database, places, observe, name):
    async with open_database(queries=PLACES, size=1) as database:
        await getattr(database.probe, name)(name="before")  # from now on the session knows it
        pid = await database.probe.pid()
        with pytest.raises(DatabaseUnavailable, match="connection to Postgres lost"):
            async with database.transaction() as tx:
                observe("SELECT pg_terminate_backend(%s, 5000)", pid)
                await become_true(lambda: tx._connection.closed)
                await getattr(tx.probe, name)(name="one")
        assert await database.probe.count() == 1


@pytest.mark.gen_test
async def test_transaction_whose_first_statement_never_left_is_still_one(open_database, places):
    async with open_database(queries=PLACES) as database:
        async with database.transaction() as tx:
            with pytest.raises(ValueError, match="NUL"):
                await tx.probe.add(name="o\0ne")
            await tx.probe.add(name="one")
            assert await database.probe.count() == 0
        assert await database.probe.count() == 1


@pytest.mark.gen_test
async def test_later_goes_along_with_the_next_statement_or_with_commit(open_database, places):
    async with open_database(queries=PLACES) as database:
        async with database.transaction() as tx:
            assert await tx.probe.add_later(name="one") is None
            await tx.probe.add_later(name="two")
            assert await tx.probe.count() == 2
            await tx.probe.add_later(name="three")
        async with database.transaction() as tx:
            await tx.probe.add_later(name="alone")
        assert await database.probe.count() == 4


@pytest.mark.gen_test
async def test_later_outside_of_a_transaction_runs_at_once(open_database, places):
    async with open_database(queries=PLACES) as database:
        assert await database.probe.add_later(name="one") is None
        assert await database.probe.count() == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("begun", [False, True], ids=["alone", "in a transaction"])
async def test_later_that_fails_at_commit_rolls_back_and_keeps_its_session(open_database, places, begun):
    async with open_database(queries=PLACES, size=1) as database:
        pid = await database.probe.pid()
        with pytest.raises(UniqueViolation) as raised:
            async with database.transaction() as tx:
                if begun:
                    await tx.probe.fill(name="first")
                await tx.probe.add_later(name="one")
                await tx.probe.add_later(name="one")
        assert raised.value.__notes__ == ["in the statements probe.add_later, probe.add_later"]
        assert (await database.probe.count(), await database.probe.pid()) == (0, pid)


@pytest.mark.gen_test
async def test_later_that_fails_is_raised_by_the_next_statement(open_database, places):
    async with open_database(queries=PLACES) as database:
        with pytest.raises(UniqueViolation) as raised:
            async with database.transaction() as tx:
                await tx.probe.add_later(name="one")
                await tx.probe.add_later(name="one")
                await tx.probe.count()
        assert raised.value.__notes__ == ["in the statements probe.add_later, probe.add_later, probe.count"]
        assert await database.probe.count() == 0


@pytest.mark.gen_test
async def test_later_is_dropped_with_its_transaction(open_database, places):
    async with open_database(queries=PLACES) as database:
        with pytest.raises(KeyError):
            async with database.transaction() as tx:
                await tx.probe.add_later(name="one")
                raise KeyError
        assert await database.probe.count() == 0


@pytest.mark.gen_test
async def test_later_outlives_a_statement_that_never_left(open_database, places):
    async with open_database(queries=PLACES) as database:
        async with database.transaction() as tx:
            await tx.probe.add_later(name="one")
            with pytest.raises(ValueError, match="NUL"):
                await tx.probe.fill(name="o\0ne")
        assert await database.probe.count() == 1


@pytest.mark.gen_test
async def test_transaction_used_after_its_end_is_refused(open_database, places):
    async with open_database(queries=PLACES) as database:
        async with database.transaction() as tx:
            pass
        with pytest.raises(RuntimeError, match=r"probe.count\(\) after its transaction ended"):
            await tx.probe.count()


@pytest.mark.gen_test
async def test_transactions_run_beside_each_other(open_database, places):
    async with open_database(queries=PLACES) as database, database.transaction() as one, database.transaction() as two:
        assert await one.probe.pid() != await two.probe.pid()


@pytest.mark.gen_test
@pytest.mark.parametrize("name", ["twice", "forbidden"], ids=["unique", "check"])
async def test_error_of_a_constraint_repeats_no_value(open_database, places, name):
    async with open_database(queries=PLACES) as database:
        await database.probe.add(name="twice")
        with pytest.raises(Exception, match="violates") as caught:
            await database.probe.add(name=name)
    assert name not in str(caught.value)
    assert caught.value.__notes__ == ["in the statement probe.add"]


@pytest.mark.gen_test
async def test_write_to_a_standby_is_unavailable(open_database, postgres_url, places):
    standby = f"{postgres_url}&options=-c%20default_transaction_read_only%3Don"
    async with open_database(standby, PLACES) as database:
        with pytest.raises(DatabaseUnavailable, match="read-only transaction"):
            await database.probe.add(name="one")


@pytest.mark.gen_test
async def test_connect_with_hosts_and_ports_that_do_not_fit_says_so(open_database):
    async with open_database("host=a,b,c port=1,2") as database:
        with pytest.raises(DatabaseUnavailable, match="could not match 2 port numbers to 3 hosts"):
            await database.probe.pid()


@pytest.mark.gen_test
async def test_connect_to_nobody_is_unavailable(open_database):
    async with open_database("postgresql://grimbots@127.0.0.1:1/grimbots") as database:
        with pytest.raises(DatabaseUnavailable, match="cannot connect to Postgres"):
            await database.probe.pid()


@pytest.mark.gen_test
async def test_close_refuses_whoever_waits_or_comes(open_database):
    async with open_database(size=1) as database:
        holder = asyncio.create_task(database.probe.sleep(seconds=60))
        waiter = asyncio.create_task(database.probe.pid())
        await asyncio.sleep(0)
        await database.close()
        for refused in (holder, waiter, database.probe.pid()):
            with pytest.raises(DatabaseUnavailable, match="closed"):
                await expect_soon(refused)


@pytest.mark.gen_test
async def test_close_between_an_answer_and_its_reader_is_unavailable(open_database):
    async with open_database() as database:
        await database.probe.echo(text="dialled")
        answer = asyncio.create_task(database.probe.echo(text="x"))
        await asyncio.sleep(0)
        (connection,) = database._pool._busy
        while not connection._waiter.done():  # each turn of ours comes before the loop hears of the answer
            await asyncio.sleep(0)
        await database.close()
        with pytest.raises(DatabaseUnavailable):
            await answer
