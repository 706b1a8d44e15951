"""Moves as script arguments, script answers as values (fields: the heads of `scripts/*.lua`). Pure: sends nothing.

Text travels as UTF-8 that lets lone surrogates pass, payloads as ASCII JSON: no text whatever can fail a batch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, cast

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
    Drain,
    DrainReply,
    Enqueue,
    Hold,
    Intake,
    Job,
    Mine,
    Pause,
    Register,
    Release,
    Requeue,
    Resume,
    Retry,
    Share,
    Started,
    StopKind,
    Upkeep,
    UpkeepReply,
    Verdict,
)

ERROR_CHARS = 500
SUSPECT_CRASHES = 2
Fields = list[str | int]

# `json.dumps` and `json.loads` build and look up anew, for every text, what these have at hand.
_write_json = json.JSONEncoder(separators=(",", ":")).encode
_read_json = json.JSONDecoder().raw_decode


def _encode_job(job: Job) -> Fields:
    return [
        job.id,
        job.task,
        job.queue,
        job.source,
        job.account,
        job.group,
        job.attempts_limit,
        _write_json(job.payload),
    ]


def _encode_enqueue(move: Enqueue) -> Fields:
    rank = "" if move.rank is None else move.rank
    return ["enqueue", *_encode_job(move.job), move.group_cap, rank, move.hold_ms]


def _encode_bury(move: BuryNew) -> Fields:
    return ["bury", *_encode_job(move.job), move.reason]


def _encode_claim(move: Claim) -> Fields:
    fields: Fields = ["claim", move.consumer, move.number, move.free_suspects, len(move.free)]
    for queue, free in move.free.items():
        share = move.shares.get(queue) or Share(free)
        fields += [queue, free, share.room, len(share.rooms)]
        fields += [part for account_room in share.rooms.items() for part in account_room]
    return fields


def _encode_acks(moves: Sequence[Ack]) -> Fields:
    fields: Fields = ["acks", moves[0].consumer, len(moves)]
    for move in moves:
        fields += (move.id, move.fence, move.pause_ms, len(move.follow_ups))
        for job in move.follow_ups:
            fields += _encode_job(job)
    return fields


def _encode_retry(move: Retry) -> Fields:
    error = move.error[:ERROR_CHARS]
    return ["retry", move.consumer, move.id, move.fence, move.after_ms, error, int(move.spend), int(move.bury)]


def _encode_release(move: Release) -> Fields:
    return ["release", move.consumer, move.id, move.fence]


def _encode_upkeep(move: Upkeep) -> Fields:
    return ["upkeep"]


def _encode_hold(move: Hold) -> Fields:
    return ["hold", "g" if move.kind == "group" else "s", move.name, move.ms]


def _encode_bury_waiting(move: BuryWaiting) -> Fields:
    return ["bury", move.id, move.reason[:ERROR_CHARS]]


def name_stop(kind: StopKind, name: str) -> str:
    """Name what an operator stops as the scripts do."""
    return kind[0] + name


def _by_stop(verb: str) -> Callable[[Pause | Close | Resume], Fields]:
    return lambda move: [verb, name_stop(move.kind, move.name)]


def _by_consumer(name: str) -> Callable[[Register | Beat | Deregister | Mine], Fields]:
    return lambda move: [name, move.consumer]


def _by_id(name: str) -> Callable[[Requeue | Discard], Fields]:
    return lambda move: [name, move.id]


_ENCODERS: Mapping[type, Callable[[Any], Fields]] = {
    Beat: _by_consumer("beat"),
    BuryNew: _encode_bury,
    BuryWaiting: _encode_bury_waiting,
    Claim: _encode_claim,
    Close: _by_stop("close"),
    Deregister: _by_consumer("deregister"),
    Discard: _by_id("discard"),
    Enqueue: _encode_enqueue,
    Hold: _encode_hold,
    Mine: _by_consumer("mine"),
    Pause: _by_stop("pause"),
    Register: _by_consumer("register"),
    Release: _encode_release,
    Requeue: _by_id("requeue"),
    Resume: _by_stop("resume"),
    Retry: _encode_retry,
    Upkeep: _encode_upkeep,
}


def encode_moves(moves: Iterable[Drain | Intake]) -> list[bytes | int]:
    """Lay moves out flat, one after the other; acks of one consumer that follow each other travel as one.

    Raises:
        TypeError, ValueError: a payload holds what JSON cannot.
    """
    parts: Fields = []
    for acker, run in groupby(moves, _acker):
        if acker is None:
            parts += [part for move in run for part in _ENCODERS[type(move)](move)]
        else:
            parts += _encode_acks(cast("list[Ack]", list(run)))
    return [part if isinstance(part, int) else part.encode("utf-8", "surrogatepass") for part in parts]


def _acker(move: Drain | Intake) -> str | None:
    return move.consumer if type(move) is Ack else None


def decode_text(raw: bytes) -> str:
    """Read text as `encode_moves` wrote it."""
    return raw.decode("utf-8", "surrogatepass")


def decode_packed(id: str, packed: bytes) -> tuple[dict[str, Any], Job | None]:  # noqa: A002
    """Split a packed value into its header and its job; a done job has left only its header."""
    text = decode_text(packed)
    header, newline = _read_json(text)
    if "done" in header:
        return header, None
    payload, _ = _read_json(text, newline + 1)
    names = header["task"], header["queue"], header["source"], header["account"], header["group"]
    return header, Job(id, *names, payload, header["limit"])


def _decode_claimed(raw: Sequence[Any]) -> list[Claimed]:
    return [_decode_one(*fields) for fields in zip(raw[::4], raw[1::4], raw[2::4], raw[3::4], strict=True)]


def _decode_one(id: bytes, fence: bytes, claimed_ms: int, packed: bytes) -> Claimed:  # noqa: A002
    header, job = decode_packed(decode_text(id), packed)
    if job is None:
        raise ValueError(f"job {id!r} is in flight and done at once")
    read = header.get
    suspect = read("crashes", 0) >= SUSPECT_CRASHES
    return Claimed(
        job, fence.decode(), read("attempts", 0), suspect, header["at"], claimed_ms, read("retrying_since", 0)
    )


_VERDICTS = {verdict.encode(): verdict for verdict in Verdict}


def _decode_claim(raw: Sequence[Any]) -> ClaimReply:
    verdict = _VERDICTS[raw[0]]
    if verdict is not Verdict.OK:
        return ClaimReply(verdict)
    _, next_due_ms, claimed, parts = raw
    started = [
        Started(decode_text(parts[i]), decode_text(parts[i + 1]), *parts[i + 2 : i + 4])
        for i in range(0, len(parts), 4)
    ]
    return ClaimReply(verdict, None if next_due_ms < 0 else next_due_ms, started, partial(_decode_claimed, claimed))


def _decode_upkeep(raw: Sequence[Any]) -> UpkeepReply:
    promoted, names, reaped_jobs, poisoned, shifted_ms = raw
    return UpkeepReply(promoted, [decode_text(name) for name in names], reaped_jobs, poisoned, shifted_ms)


_DECODERS: Mapping[type, Callable[[Any], DrainReply]] = {
    Claim: _decode_claim,
    Mine: _decode_claimed,
    Upkeep: _decode_upkeep,
}


def decode_drain(moves: Sequence[Drain], raw: Sequence[Any]) -> list[DrainReply]:
    """Read drain.lua's answer: one reply per move, in order."""
    return [_DECODERS.get(type(move), _VERDICTS.__getitem__)(answer) for move, answer in zip(moves, raw, strict=True)]


def decode_intake(raw: Sequence[bytes]) -> list[Accepted]:
    """Read intake.lua's answer: one word per move, in order."""
    return [Accepted(word.decode()) for word in raw]
