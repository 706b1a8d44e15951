"""The fuzzer, short (`python tests/queue/fuzz.py --seconds 60` runs longer), and the faults that it must catch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from grimbots.tests.queue.fuzz import walk
from grimbots.tests.queue.fuzz_scripts import Mutation
from grimbots.tests.queue.fuzz_servers import find_programs, private_server
from grimbots.tests.queue.model import Violation

SEED, STEPS, DEPLOY_STEPS, FAULTY_SEEDS, FAULTY_STEPS = 7, 14_000, 4_000, range(14), 2_000

FAULTS = {
    "the fence is not compared": Mutation("flights", "if flight.fence ~= fence then return nil end", ""),
    "the fence of an ack is not compared": Mutation("settle", "flight.fence == ack.fence and ", ""),
    "a repeated claim takes more": Mutation("claim", "if claim.number == last.number then", "if false then"),
    "a claim forgets to count a suspect": Mutation("claim", "parts[at + 4] = parts[at + 4] + 1", "parts[at + 4] = 0"),
    "a claim counts accounts together": Mutation("claim", "job.queue .. '|' .. job.account\n", "job.queue\n"),
    "a late claim takes work": Mutation("claim", "if claim.number < last.number then", "if false then"),
    "a started job remembers its retry": Mutation("claim", "    job.settled = nil\n", ""),
    "suspects run side by side": Mutation("claim", "and claiming.free_suspects < 1 then", "and false then"),
    "an account without room is served": Mutation("claim", " or room_of(wanted, account) < 1", ""),
    "an account takes more than its room in one claim": Mutation("claim", "job.account) - 1", "job.account)"),
    "a crowd is never relieved": Mutation("claim", "      if room > 0 then", "      if false then"),
    "a crowd is forgotten while some of it is parked": Mutation(
        "claim", "if unpark(stop, room) then", "unpark(stop, 1)\nif true then"
    ),
    "what is skipped is taken from the ring": Mutation(
        "claim", "if wanted.skipped == 0 then\n    redis.call('RPOP'", "if true then\n    redis.call('RPOP'"
    ),
    "a turn goes to one that is skipped": Mutation(
        "claim", "if wanted.skipped == 0 then\n    redis.call('LMOVE'", "if true then\n    redis.call('LMOVE'"
    ),
    "a source leaves the ring too early": Mutation("claim", "if turn.more or shut then", "if shut then"),
    "a source leaves the ring when it meets a full account": Mutation("claim", "if turn.more or shut", "if turn.more"),
    "a turn takes one entry of several": Mutation("claim", "turn.taken = i", "turn.taken = 1"),
    "a held chat is served": Mutation("claim", "held = in_future(scores[i])", "held = nil"),
    "a held source is served": Mutation("claim", "held = in_future(scores[1])", "held = nil"),
    "a claim that leaves work wakes nobody": Mutation(
        "claim", "turn.taken)\n  touched[wanted.queue] = true\n", "turn.taken)\n"
    ),
    "fences are given out twice": Mutation("claim", "local first = last.first + last.jobs", "local first = last.first"),
    "fences run over their end": Mutation("claim", "if first + jobs <= last.limit then", "if last.limit > 0 then"),
    "a paused queue is claimed": Mutation("claim", "if claiming.stops['q' .. wanted.queue] then return end", ""),
    "a paused source is served": Mutation("claim", "if stops[source_stop] then", "if false then"),
    "a paused account is served": Mutation("claim", "stops['a' .. account] or ", ""),
    "what is paused is not named": Mutation("parking", "redis.call('ZADD', parked_key(reason), NOW, place)", ""),
    "a resume forgets most": Mutation("parking", "return #popped < 2 * most", "return true"),
    "a resumed queue wakes nobody": Mutation("operators", "    touched[string.sub(what, 2)] = true\n", ""),
    "what is closed lets in": Mutation("intake", "if is_closed(job) then return 'CLOSED' end", ""),
    "a buried head blocks its chat": Mutation(
        "operators",
        "  kill(job, reason)\n",
        "  store_dead(job, reason)\n  count(job.queue, 'settled', 1)\n"
        "  if is_ordered(job) then redis.call('RPOP', group_key(group_of(job))) end\n",
    ),
    "a buried job waits on": Mutation("operators", "redis.call('ZREM', DUE, place_of(job.source, entry)) == 0", "true"),
    "a source with nothing left keeps its turn": Mutation(
        "operators", "if redis.call('LREM', ring_key(queue), 1, source) == 1 then return end", "if true then return end"
    ),
    "new work wakes nobody": Mutation("prelude", "if redis.call('EXISTS', ring_key(queue)) == 0", "if true"),
    "a hold is shortened": Mutation("waiting", "'GT', ms, reason", "ms, reason"),
    "a crash is forgotten": Mutation("flights", "if crashed then save_job(job) end", ""),
    "a dead head blocks its chat": Mutation("flights", "    go_on(job.source, job.group, 0)\n", ""),
    "a pause is ignored": Mutation("flights", "if pause_ms > 0 then prolong('g' .. group, NOW + pause_ms) end", ""),
    "an outage is not forgiven": Mutation(
        "drain", "if gap <= OUTAGE_MS then return 0 end", "if true then return 0 end"
    ),
    "leases are stretched too far": Mutation(
        "drain", "math.min(leases[i + 1] + shift, NOW + LEASE_MS)", "NOW + LEASE_MS"
    ),
    "an earlier boot takes over": Mutation("drain", "if is_before(boot, rival_boot) then return 'REPLACED' end", ""),
    "boots are compared as words": Mutation("drain", "if #boot ~= #other then return #boot < #other end", ""),
    "an orderly end counts as a crash": Mutation("drain", "reap(take(), false)", "reap(take(), true)"),
    "what is done stays in flight": Mutation(
        "settle", "if #landed > 0 then redis.call('HDEL', flight_key(consumer), unpack(landed)) end", ""
    ),
    "follow-ups are reversed": Mutation("settle", "for i = #jobs, 1, -1 do", "for i = 1, #jobs do"),
    "a waiting follow-up is doubled": Mutation(
        "settle", "'LREM', group_key(group_of(job)), 1, job.id) == 0", "'LLEN', 'x') > 0"
    ),
    "a retry lets the chat go on": Mutation(
        "settle", "  wait_until(place_of(job.source, entry_of(job)), ", "  return_to_head(job, "
    ),
    "the budget of a head is endless": Mutation("settle", "job.failing_ms >= HEAD_BUDGET_MS", "false"),
    "a run takes nothing of the budget": Mutation("settle", "math.min(NOW - flight.at, RUN_COUNTED_MS)", "0"),
    "a first run takes of the budget": Mutation("settle", "RUN_COUNTED_MS) or 0", "RUN_COUNTED_MS) or NOW - flight.at"),
    "a wait takes nothing of the budget": Mutation("settle", "  job.failing_ms = job.failing_ms + wait_ms\n", ""),
    "an unspent wait takes of the budget": Mutation("settle", "if not spend or not is_ordered", "if not is_ordered"),
    "an idle chat is never ready": Mutation(
        "prelude", "group_key(group_of(job)), job.id) > 1", "group_key(group_of(job)), job.id) > 0"
    ),
    "a requeued job remembers its crashes": Mutation(
        "operators", "id = job.id, task = job.task,", "id = job.id, crashes = job.crashes, task = job.task,"
    ),
    "a requeued job stays among the dead": Mutation("operators", "    leave_dead(job)\n    append", "    append"),
    "a running job is requeued": Mutation(
        "operators",
        "  if job and job.dead then\n    leave_dead(job)",
        "  if job and not job.done then\n    leave_dead(job)",
    ),
    "a discarded job is kept": Mutation("operators", "    forget_dead({ id })\n", ""),
    "what is held back starts": Mutation("claim", "job.held_until > NOW then", "false then"),
    "what runs may be passed": Mutation("intake", "not is_head and NOW", "NOW"),
    "what started is held back still": Mutation("claim", "    job.held_until = nil\n", ""),
    "a passed head keeps its chat waiting": Mutation(
        "intake", "'ZREM', DUE, 'G' .. group) == 1", "'EXISTS', 'x') == 1"
    ),
    "a higher rank passes": Mutation("intake", "(other.rank or job.rank) <= job.rank", "false"),
    "a late one passes": Mutation("intake", "NOW - other.at <= hold_ms", "true"),
    "a source stands in the ring twice": Mutation("prelude", "entry) == 1 then", "entry) >= 1 then"),
}


@pytest.fixture(scope="module")
def any_server_url() -> Iterator[str]:
    """Give a private Redis of whichever version is at hand."""
    with private_server(next(iter(find_programs().values()))) as url:
        yield url


@pytest.mark.slow
def test_walk_finds_no_violation_and_takes_every_branch(server_url: str) -> None:
    done = asyncio.run(walk(server_url, SEED, None, STEPS))
    assert done.untaken == set()


@pytest.mark.slow
def test_versions_share_the_data_during_a_deploy(server_url: str) -> None:
    asyncio.run(walk(server_url, SEED, None, DEPLOY_STEPS, deploying=True))


@pytest.mark.parametrize("fault", FAULTS)
def test_walk_catches_planted(fault: str, any_server_url: str) -> None:
    with pytest.raises(Violation):
        for seed in FAULTY_SEEDS:
            asyncio.run(walk(any_server_url, seed, None, FAULTY_STEPS, FAULTS[fault]))
