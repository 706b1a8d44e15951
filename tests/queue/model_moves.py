"""What every move must answer, and what it does to the model.

Which eligible job a claim takes is Redis's choice (sources and chats take turns), so a claim is checked, not predicted:
only eligible jobs, no more than asked for, and all there are while slots are free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from grimbots.queue.job import (
    Accepted,
    Ack,
    Beat,
    BuryNew,
    BuryWaiting,
    Claim,
    Claimed,
    ClaimReply,
    Close,
    Deregister,
    Discard,
    Enqueue,
    Hold,
    Job,
    Mine,
    Pause,
    Register,
    Release,
    Requeue,
    Resume,
    Retry,
    Upkeep,
    UpkeepReply,
    Verdict,
)
from grimbots.tests.queue.budgets import Budget, check_tally
from grimbots.tests.queue.model import SUSPECT_CRASHES, Entry, LastClaim, Model, expect, is_stopped

LEASE_MS, OUTAGE_MS, BEAT_SLACK_MS, SUSPECT_WAIT_MS = 10_000, 3_000, 1_000, 200
HEAD_BUDGET_MS, RUN_COUNTED_MS = 60_000, 30_000
REAP_LIMIT = 8


def apply(model: Model, move: Any, reply: Any) -> None:
    """Do a move in the model and compare what Redis answered."""
    expected = _MOVES[type(move)](model, move, reply)
    expect(expected == reply, f"{move}\n  expected {expected}\n  answered {reply}")


def _enqueue(model: Model, move: Enqueue, _reply: Any) -> Accepted:
    known = model.entries.get(move.job.id)
    if known:
        return Accepted.DEAD if known.dead_ms is not None else Accepted.ACCEPTED
    if is_stopped(move.job, model.closed):
        return Accepted.CLOSED
    chat = f"{move.job.source}|{move.job.group}"
    if move.job.group and len(model.chats.get(chat, ())) >= move.group_cap:
        return Accepted.FULL
    model.append(move.job, move.rank, move.hold_ms)
    return Accepted.ACCEPTED


def _bury(model: Model, move: BuryNew, _reply: Any) -> Accepted:
    known = model.entries.get(move.job.id)
    if known:
        return Accepted.DEAD if known.dead_ms is not None else Accepted.ACCEPTED
    model.entries[move.job.id] = Entry(move.job, model.now, dead_ms=model.now, reason=move.reason)
    return Accepted.DEAD


def _claim(model: Model, move: Claim, reply: ClaimReply) -> ClaimReply:
    if move.consumer not in model.leases:
        return ClaimReply(Verdict.UNREGISTERED)
    if not model.is_previous:
        check_tally(reply)
    last = model.last_claims.get(move.consumer, LastClaim(0, {}))
    if move.number <= last.number:
        fences = last.fences if move.number == last.number else {}
        still = {job_id: fence for job_id, fence in fences.items() if model.flights[move.consumer].get(job_id) == fence}
        expect({one.job.id: one.fence for one in reply.claimed} == still, f"{move} was replayed wrongly: {reply}")
        return reply
    _check_started(model, move, reply)
    model.last_claims[move.consumer] = LastClaim(move.number, {one.job.id: one.fence for one in reply.claimed})
    return reply


def _check_started(model: Model, move: Claim, reply: ClaimReply) -> None:
    budget = Budget(move)
    for one in reply.claimed:
        entry = model.entries[one.job.id]
        expect(model.is_startable(entry, model.running()), f"{move} started {one} which may not start")
        expect(entry.job == one.job, f"{one} is not the job that was stored")
        expect(
            (one.attempts, one.suspect) == (entry.attempts, entry.crashes >= SUSPECT_CRASHES), f"{one} is not {entry}"
        )
        expect(one.fence not in model.fences, f"the fence of {one} was given out before")
        expect((one.enqueued_ms, one.claimed_ms) == (entry.at_ms, model.now), f"{one} has wrong times")
        model.fences.add(one.fence)
        model.flights.setdefault(move.consumer, {})[one.job.id] = one.fence
        entry.settled, entry.held_until, entry.claimed_ms = "", 0, model.now
        model.note_start(entry)
        budget.spend(one)
    left = [entry for entry in _list_left(model, move, budget) if entry.excused_until <= model.now]
    is_excused = reply.next_due_ms == 0 or model.is_previous
    expect(is_excused or not left, f"{move} left {left} although slots are free: {budget.slots}")


def _list_left(model: Model, move: Claim, budget: Budget) -> list[Entry]:
    """List what might have started: there is a slot, and room for its account. Excuses suspects that had to wait."""
    running, left = model.running(), []
    for entry in model.alive():
        if not move.free.get(entry.job.queue) or not model.is_startable(entry, running):
            continue
        if entry.crashes >= SUSPECT_CRASHES and budget.suspects <= 0:
            entry.excused_until = model.now + SUSPECT_WAIT_MS
        if budget.slots[entry.job.queue] and budget.room(entry.job) > 0:
            left.append(entry)
    return left


def _ack(model: Model, move: Ack, _reply: Any) -> Verdict:
    entry = model.own(move)
    if not entry:
        known = model.entries.get(move.id)
        return Verdict.OK if known and known.done == move.fence else Verdict.LOST
    entry.done, entry.done_ms = move.fence, model.now
    model.settle(entry)
    model.leave_chat(entry)
    _add_follow_ups(model, entry, move.follow_ups)
    if entry.chat and move.pause_ms > 0:
        _prolong(model, f"g{entry.chat}", move.pause_ms)
    return Verdict.OK


def _add_follow_ups(model: Model, entry: Entry, follow_ups: Sequence[Job]) -> None:
    def is_own(job: Job) -> bool:
        return bool(job.group) and f"{job.source}|{job.group}" == entry.chat

    for job in reversed([job for job in follow_ups if is_own(job)]):
        line = model.chats.setdefault(entry.chat, [])
        if job.id not in model.entries:
            model.admit(job)
            line.insert(0, job.id)
        elif job.id in line:
            line.remove(job.id)
            model.entries[job.id].place = 0
            line.insert(0, job.id)
        model.drop_idle(entry.chat)
    for job in follow_ups:
        if not is_own(job) and job.id not in model.entries:
            model.append(job)


def _repeat(model: Model, job_id: str, settled: str) -> Verdict:
    known = model.entries.get(job_id)
    if not known or known.settled != settled:
        return Verdict.LOST
    return Verdict.OK if known.alive else Verdict.DEAD


def _retry(model: Model, move: Retry, _reply: Any) -> Verdict:
    settled = f"retry:{move.fence}"
    entry = model.own(move)
    if not entry:
        return _repeat(model, move.id, settled)
    entry.settled = settled
    if move.spend:
        entry.attempts += 1
        _note_failing(model, entry)
    reason = _reason_to_die(model, entry, move)
    if reason:
        model.kill(entry, reason)
        return Verdict.DEAD
    wait_ms = move.after_ms
    if move.spend and entry.chat:
        wait_ms = min(wait_ms, _count_left(model, entry))
        if not model.is_previous:
            entry.failing_ms = (entry.failing_ms or 0) + wait_ms
    wake_ms = model.now + wait_ms
    if entry.chat:
        model.chat_waits[entry.chat] = wake_ms
    else:
        entry.not_before = wake_ms
    return Verdict.OK


def _reason_to_die(model: Model, entry: Entry, move: Retry) -> str:
    if move.bury:
        return "buried"
    if move.spend and entry.attempts >= entry.job.attempts_limit:
        return "attempts"
    if move.spend and entry.chat and _count_left(model, entry) <= 0:
        return "budget"
    return ""


def _note_failing(model: Model, entry: Entry) -> None:
    if model.is_previous:
        entry.failing_since = model.now if entry.failing_since is None else entry.failing_since
    elif entry.failing_ms is None:
        entry.failing_ms = 0
    else:
        entry.failing_ms += min(model.now - entry.claimed_ms, RUN_COUNTED_MS)


def _count_left(model: Model, entry: Entry) -> int:
    """Count what is left of a head's minute, in milliseconds; the version before counts from the first failure on."""
    if model.is_previous and entry.failing_since is not None:
        return entry.failing_since + HEAD_BUDGET_MS - model.now
    return HEAD_BUDGET_MS - (entry.failing_ms or 0)


def _release(model: Model, move: Release, _reply: Any) -> Verdict:
    settled = f"release:{move.fence}"
    entry = model.own(move)
    if not entry:
        return _repeat(model, move.id, settled)
    entry.settled = settled
    return Verdict.OK


def split_name(consumer: str) -> tuple[str, int]:
    """Split a consumer's name into its host and slot, and its boot time."""
    slot, _, boot = consumer.rpartition(":")
    return slot, int(boot)


def _register(model: Model, move: Register, _reply: Any) -> Verdict:
    slot, boot = split_name(move.consumer)
    for rival in list(model.leases):
        rival_slot, rival_boot = split_name(rival)
        if rival_slot == slot and rival_boot > boot:
            return Verdict.REPLACED
        if rival_slot == slot and rival_boot < boot:
            model.reap(rival, crashed=True)
    model.leases[move.consumer] = model.now + LEASE_MS
    model.mark = model.now if model.mark is None else model.mark
    return Verdict.OK


def _beat(model: Model, move: Beat, _reply: Any) -> Verdict:
    if move.consumer not in model.leases:
        return Verdict.LOST
    model.leases[move.consumer] = model.now + LEASE_MS
    return Verdict.OK


def _deregister(model: Model, move: Deregister, _reply: Any) -> Verdict:
    model.reap(move.consumer, crashed=False)
    return Verdict.OK


def _upkeep(model: Model, _move: Upkeep, reply: UpkeepReply) -> UpkeepReply:
    before, mark = dict(model.leases), model.now if model.mark is None else model.mark
    gap, model.mark = model.now - mark, model.now
    shift = gap - BEAT_SLACK_MS if gap > OUTAGE_MS else 0
    if shift:
        model.leases = {name: min(deadline + shift, model.now + LEASE_MS) for name, deadline in before.items()}
    expired = sorted((deadline, name) for name, deadline in model.leases.items() if deadline <= model.now)[:REAP_LIMIT]
    if shift:
        gone = [name for _, name in expired if before[name] > mark + BEAT_SLACK_MS]
        expect(not gone, f"{gone} were reaped for an outage")
    counts = [model.reap(name, crashed=True) for _, name in expired]
    _trim(model)
    jobs, poisoned = sum(count for count, _ in counts), sum(count for _, count in counts)
    return UpkeepReply(reply.promoted, [name for _, name in expired], jobs, poisoned, shift)


def _trim(model: Model) -> None:
    old = [job_id for job_id in model.dead() if (model.entries[job_id].dead_ms or 0) <= model.now - model.dead_kept_ms]
    model.forget(old[: model.trim_limit])
    dead = model.dead()
    model.forget(dead[: min(max(0, len(dead) - model.dead_kept), model.trim_limit)])


def _mine(model: Model, move: Mine, reply: Sequence[Claimed]) -> Sequence[Claimed]:
    flights = model.flights.get(move.consumer, {})
    expect({one.job.id: one.fence for one in reply} == flights, f"{move} answered {reply}, not {flights}")
    return reply


def _prolong(model: Model, reason: str, ms: int) -> None:
    model.holds[reason] = max(model.holds.get(reason, 0), model.now + ms)


def _hold(model: Model, move: Hold, _reply: Any) -> Verdict:
    _prolong(model, ("g" if move.kind == "group" else "s") + move.name, move.ms)
    return Verdict.OK


def _find_place(model: Model, job_id: str) -> Verdict:
    """Tell where a job is that is not dead."""
    entry = model.entries.get(job_id)
    if not entry or entry.done:
        return Verdict.GONE
    return Verdict.RUNNING if job_id in model.running() else Verdict.PENDING


def _requeue(model: Model, move: Requeue, _reply: Any) -> Verdict:
    entry = model.entries.get(move.id)
    if entry and entry.dead_ms is not None:
        model.forget([move.id])
        model.append(entry.job)
        return Verdict.OK
    place = _find_place(model, move.id)
    return Verdict.OK if place is Verdict.PENDING else place


def _discard(model: Model, move: Discard, _reply: Any) -> Verdict:
    entry = model.entries.get(move.id)
    if entry and entry.dead_ms is not None:
        model.forget([move.id])
        return Verdict.OK
    place = _find_place(model, move.id)
    return Verdict.OK if place is Verdict.GONE else place


def _bury_waiting(model: Model, move: BuryWaiting, _reply: Any) -> Verdict:
    entry = model.entries.get(move.id)
    if entry and entry.dead_ms is not None:
        return Verdict.DEAD
    place = _find_place(model, move.id)
    if not entry or place is not Verdict.PENDING:
        return place
    entry.dead_ms, entry.reason = model.now, move.reason
    model.settle(entry)
    if entry.chat:
        if model.chats[entry.chat][0] == move.id:
            model.chat_waits.pop(entry.chat, None)
        model.chats[entry.chat].remove(move.id)
        model.drop_idle(entry.chat)
    return Verdict.DEAD


def _pause(model: Model, move: Pause, _reply: Any) -> Verdict:
    model.paused.add(move.kind[0] + move.name)
    return Verdict.OK


def _close(model: Model, move: Close, _reply: Any) -> Verdict:
    model.closed.add(move.kind[0] + move.name)
    return Verdict.OK


def _resume(model: Model, move: Resume, _reply: Any) -> Verdict:
    for stops in (model.paused, model.closed):
        stops.discard(move.kind[0] + move.name)
    return Verdict.OK


_MOVES: Mapping[type, Callable[[Model, Any, Any], Any]] = {
    Ack: _ack,
    Beat: _beat,
    BuryNew: _bury,
    BuryWaiting: _bury_waiting,
    Claim: _claim,
    Close: _close,
    Deregister: _deregister,
    Discard: _discard,
    Enqueue: _enqueue,
    Hold: _hold,
    Mine: _mine,
    Pause: _pause,
    Register: _register,
    Release: _release,
    Requeue: _requeue,
    Resume: _resume,
    Retry: _retry,
    Upkeep: _upkeep,
}
