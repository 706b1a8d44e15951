"""The store: errors, reconnecting, waking, memory that is full, text of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tornado.ioloop
from redis.asyncio import Redis

from grimbots.queue.connections import RedisAway, RedisMoving
from grimbots.queue.job import Accepted, Ack, Beat, BuryNew, Claim, ClaimReply, Enqueue, Job, Mine, Register, Verdict
from grimbots.queue.store import PREFIX, BlockingBeat, NewerProtocol, Store
from grimbots.tests.queue.desks import connect
from grimbots.tests.queue.fuzz_servers import find_programs, private_server

CONSUMER = "host:0:1"
CAP = 1000


@pytest.fixture
def redis(io_loop: tornado.ioloop.IOLoop, server_url: str) -> Iterator[Any]:
    """Give a client of the emptied server."""

    async def make() -> Any:
        client = Redis.from_url(server_url, protocol=3)
        await client.config_set("maxmemory", 0)
        await client.flushall()
        return client

    client = io_loop.run_sync(make)
    yield client
    io_loop.run_sync(client.aclose)


@pytest.fixture
def store(io_loop: tornado.ioloop.IOLoop, redis: Any, server_url: str) -> Iterator[Store]:
    """Give a connected store with a registered consumer."""

    async def make() -> Store:
        made = Store(server_url)
        await connect(made)
        await made.run([Register(CONSUMER)])
        return made

    made = io_loop.run_sync(make)
    yield made
    io_loop.run_sync(made.close)


def make_job(job_id: str = "1", **payload: Any) -> Job:
    return Job(job_id, "a.b", "tasks", "b1", "1", "55", payload)


@pytest.mark.gen_test
async def test_run_loads_scripts_that_redis_forgot(store: Store, redis: Any) -> None:
    await redis.script_flush()
    replies = await store.run([Beat(CONSUMER)], [Enqueue(make_job(), CAP)])
    assert (list(replies.drain), replies.intake) == ([Verdict.OK], [Accepted.ACCEPTED])


@pytest.mark.gen_test
async def test_run_carries_any_text(store: Store) -> None:
    job = Job("ü|#0\ud800", "a.b", "tasks", "b:é", "\udfff", "a|b\n", {"text": "\ud83d olá\n\x00", "big": 2**70})
    await store.run([], [Enqueue(make_job("0"), CAP), Enqueue(job, CAP)])
    (reply,) = (await store.run([Claim(CONSUMER, 1, {"tasks": 9})])).drain
    assert isinstance(reply, ClaimReply)
    assert [claimed.job for claimed in reply.claimed] == [make_job("0"), job]


@pytest.mark.gen_test
async def test_run_sends_nothing_of_a_batch_with_a_payload_that_is_no_json(store: Store, redis: Any) -> None:
    with pytest.raises(TypeError):
        await store.run([], [Enqueue(make_job("1"), CAP), Enqueue(make_job("2", at=object()), CAP)])
    assert not await redis.exists(PREFIX + "job:1")
    assert list((await store.run([Beat(CONSUMER)])).drain) == [Verdict.OK]


@pytest.mark.gen_test
async def test_run_with_memory_full_refuses_intake_and_drains(store: Store, redis: Any) -> None:
    await store.run([], [Enqueue(make_job("1"), CAP), Enqueue(make_job("2"), CAP)])
    await redis.config_set("maxmemory", 1)
    replies = await store.run([Claim(CONSUMER, 1, {"tasks": 1})], [Enqueue(make_job("3"), CAP)])
    (reply,) = replies.drain
    assert isinstance(reply, ClaimReply)
    (claimed,) = reply.claimed
    acked = await store.run([Ack(CONSUMER, "1", claimed.fence, [make_job("1#0")])], [BuryNew(make_job("4"), "junk")])
    assert (replies.intake, list(acked.drain), acked.intake) == (None, [Verdict.OK], None)
    assert await redis.exists(PREFIX + "job:3", PREFIX + "job:4") == 0
    assert await redis.lrange(PREFIX + "group:b1|55", 0, -1) == [b"2", b"1#0"]


@pytest.mark.gen_test
async def test_connect_with_memory_full(store: Store, redis: Any) -> None:
    await redis.config_set("maxmemory", 1)
    await connect(store)
    assert list((await store.run([Beat(CONSUMER)])).drain) == [Verdict.OK]


@pytest.mark.gen_test
async def test_beat_of_the_thread_with_memory_full(store: Store, redis: Any, server_url: str) -> None:
    await redis.config_set("maxmemory", 1)
    beat = BlockingBeat(server_url)
    verdicts = [await asyncio.to_thread(beat.beat, name) for name in (CONSUMER, "host:9:9")]
    beat.close()
    assert verdicts == [Verdict.OK, Verdict.LOST]


@pytest.mark.gen_test
async def test_beat_of_the_thread_without_redis() -> None:
    beat = BlockingBeat("unix:///nowhere/redis.sock")
    with pytest.raises(RedisAway):
        await asyncio.to_thread(beat.beat, CONSUMER)


@pytest.mark.gen_test
async def test_run_without_connection_fails_at_once(server_url: str) -> None:
    with pytest.raises(RedisAway):
        await Store(server_url).run([Beat(CONSUMER)])


@pytest.mark.gen_test
async def test_run_gives_up_on_a_silent_redis(store: Store, redis: Any) -> None:
    await redis.client_pause(2_500, all=True)
    started_at = asyncio.get_running_loop().time()
    with pytest.raises(RedisAway):
        await store.run([Beat(CONSUMER)])
    assert 1.4 < asyncio.get_running_loop().time() - started_at < 2.4
    with pytest.raises(RedisAway):
        await store.run([Beat(CONSUMER)])
    await connect(store)
    assert list((await store.run([Mine(CONSUMER)])).drain) == [[]]


@pytest.mark.gen_test
async def test_run_tells_when_the_moves_have_left(store: Store, redis: Any) -> None:
    await redis.client_pause(300, all=True)
    sent = asyncio.Event()
    running = asyncio.create_task(store.run([Beat(CONSUMER)], on_sent=sent.set))
    await sent.wait()
    assert not running.done()
    assert list((await running).drain) == [Verdict.OK]


@pytest.mark.gen_test
async def test_run_after_a_cut_connection_needs_connect(store: Store, redis: Any) -> None:
    await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    with pytest.raises(RedisAway):
        await store.run([Beat(CONSUMER)])
    await connect(store)
    assert list((await store.run([Beat(CONSUMER)])).drain) == [Verdict.OK]


@pytest.mark.gen_test
async def test_run_cancelled_throws_its_connection_away(store: Store, redis: Any) -> None:
    await redis.client_pause(300, all=True)
    running = asyncio.create_task(store.run([Beat(CONSUMER)]))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(RedisAway):
        await store.run([Beat(CONSUMER)])


@pytest.mark.gen_test(timeout=120)
async def test_connect_works_when_redis_came_late(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    store = Store(f"unix://{path}")
    with pytest.raises(RedisAway):
        await store.connect()
    program = next(iter(find_programs().values()))
    with private_server(program, path):
        await connect(store)
        assert list((await store.run([Beat(CONSUMER)])).drain) == [Verdict.LOST]
        await store.close()


@pytest.mark.gen_test
async def test_connect_refuses_data_of_a_newer_protocol(redis: Any, server_url: str) -> None:
    await redis.set(PREFIX + "version", 2)
    with pytest.raises(NewerProtocol, match="run the newer version"):
        await Store(server_url).connect()


@pytest.mark.gen_test
async def test_run_on_what_became_a_replica_is_to_be_repeated_elsewhere(store: Store, redis: Any) -> None:
    await redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(RedisMoving, match="replica"):
            await store.run([], [Enqueue(make_job(), CAP)])
        with pytest.raises(RedisMoving, match="this server is a replica"):
            await store.connect()
    finally:
        await redis.replicaof("NO", "ONE")
    await connect(store)
    assert (await store.run([], [Enqueue(make_job(), CAP)])).intake == [Accepted.ACCEPTED]


@pytest.mark.gen_test
async def test_wait_ends_with_a_token(store: Store) -> None:
    waiting = asyncio.create_task(store.wait(["webhook", "tasks"], 5))
    await store.run([], [Enqueue(make_job(), CAP)])
    assert await waiting is True


@pytest.mark.gen_test
async def test_wait_ends_without_a_token(store: Store) -> None:
    assert [await store.wait(["tasks"], 0.01), await store.wait(["tasks"], 0)] == [False, False]


@pytest.mark.gen_test
async def test_wait_over_a_cut_connection_can_be_repeated(store: Store, redis: Any) -> None:
    waiting = asyncio.create_task(store.wait(["tasks"], 5))
    await _wait_blocked(redis)
    await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    with pytest.raises(RedisAway):
        await waiting
    assert await store.wait(["tasks"], 0.01) is False


@pytest.mark.gen_test
async def test_wait_notices_a_dead_connection(store: Store, redis: Any) -> None:
    await redis.client_pause(1_800, all=True)
    with pytest.raises(RedisAway):
        await store.wait(["tasks"], 0.01)


async def _wait_blocked(redis: Any) -> None:
    while not (await redis.info("clients"))["blocked_clients"]:
        await asyncio.sleep(0.001)


@pytest.mark.gen_test
async def test_wait_and_claim_brings_the_job_with_its_token(store: Store, redis: Any) -> None:
    waiting = asyncio.create_task(store.wait_and_claim(Claim(CONSUMER, 1, {"webhook": 1, "tasks": 1}), 5))
    await _wait_blocked(redis)
    await store.run([], [Enqueue(make_job(), CAP)])
    reply = await waiting
    assert reply is not None
    assert [claimed.job.id for claimed in reply.claimed] == ["1"]


@pytest.mark.gen_test
async def test_wait_and_claim_claims_too_when_its_time_is_up(store: Store, redis: Any) -> None:
    await store.run([], [Enqueue(make_job(), CAP)])
    await redis.delete(PREFIX + "wake:tasks")  # a token that was lost
    reply = await store.wait_and_claim(Claim(CONSUMER, 1, {"tasks": 1}), 0.01)
    assert reply is not None
    assert [claimed.job.id for claimed in reply.claimed] == ["1"]


@pytest.mark.gen_test
async def test_wait_and_claim_says_when_redis_forgot_the_script(store: Store, redis: Any) -> None:
    await redis.script_flush()
    assert await store.wait_and_claim(Claim(CONSUMER, 1, {"tasks": 1}), 0.01) is None
    await store.run([Beat(CONSUMER)])
    assert await store.wait_and_claim(Claim(CONSUMER, 1, {"tasks": 1}), 0.01) == ClaimReply(Verdict.OK, None, [])


@pytest.mark.gen_test
async def test_wait_that_a_new_connection_overtook_is_not_waited_on_again(store: Store, redis: Any) -> None:
    """The server it reaches may be another by now."""
    waiting = asyncio.create_task(store.wait(["tasks"], 5))
    await _wait_blocked(redis)
    await store.connect()
    await store.run([], [Enqueue(make_job(), CAP)])
    assert await waiting is True
    assert store.list_open() == ["commands"]
