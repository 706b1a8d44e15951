"""The scripts as the fuzzer loads them: time read from a key, short keeping times, and a counter at every branch.

Production scripts hold no hook: everything is put in here, by replacing text that must be found exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grimbots.queue.store import DRAIN_PARTS, INTAKE_PARTS, Scripts, read_script_part, read_scripts
from grimbots.tests.queue.fuzz_branches import COUNTER, instrument

CLOCK = "clock"
PREVIOUS = Path(__file__).parent / "previous"
PREVIOUS_DRAIN_PARTS = ("prelude", "waiting", "flights", "claim", "settle", "drain")
DEAD_KEPT_MS, DEAD_KEPT, TRIM_LIMIT = 300_000, 25, 3

READ_CLOCK = "redis.call('TIME')"
READ_MOVED_CLOCK = f"redis.call('HMGET', KEYS[1] .. '{CLOCK}', 'seconds', 'micros')"
REPLACED = {
    READ_CLOCK: READ_MOVED_CLOCK,
    "local DONE_KEPT_SECONDS = 60": "local DONE_KEPT_SECONDS = 86400",
    "local DEAD_KEPT_MS = 7776000000": f"local DEAD_KEPT_MS = {DEAD_KEPT_MS}",
    "local DEAD_KEPT = 100000": f"local DEAD_KEPT = {DEAD_KEPT}",
    "local TRIM_LIMIT = 100 ": f"local TRIM_LIMIT = {TRIM_LIMIT} ",
    "local PASS_LIMIT = 64 ": "local PASS_LIMIT = 5 ",
    "local SKIP_LIMIT = 8 ": "local SKIP_LIMIT = 1 ",
    "local UNPARK_LIMIT = 100 ": "local UNPARK_LIMIT = 1 ",
    "local FENCES_AT_ONCE = 1000 ": "local FENCES_AT_ONCE = 20 ",
    "  finish()\n  return replies": "  finish()\n  write_marks()\n  return replies",
}
KEPT = {old: new for old, new in REPLACED.items() if "_KEPT" in old or "TRIM" in old or old == READ_CLOCK}

# This program lays fields out in its own way; what the scripts of another version do to the data stays.
FIELDS = {
    "slots = take_number() } end": "slots = take_number() } take() for _ = 1, take_number() do take() take() end end",
    "  for _ = 1, take_number() do claim.full[take()] = true end\n": "",
    "claim.consumer, last.first, last.jobs) }": "claim.consumer, last.first, last.jobs), {} }",
    "return { 'OK', next_due(), {} } end": "return { 'OK', next_due(), {}, {} } end",
    "return { 'OK', next_due(), listed }": "return { 'OK', next_due(), listed, {} }",
    "function moves.ack()": "local function ack(consumer)",
    "local consumer, id, fence, pause_ms, follow_ups = take(), take(), take(), take_number(), {}": (
        "local id, fence, pause_ms, follow_ups = take(), take(), take_number(), {}"
    ),
    "-- What a repeated retry or release answers": (
        "function moves.acks()\n"
        "  local consumer = take()\n"
        "  for _ = 1, take_number() do replies[#replies + 1] = ack(consumer) end\n"
        "end\n-- What a repeated retry or release answers"
    ),
    "local function run_moves()\n  local replies = {}": "local replies = {}\nlocal function run_moves()",
    "replies[#replies + 1] = moves[take()]()": "local reply = moves[take()]() replies[#replies + 1] = reply",
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """A fault to plant: `old`, found exactly once in the named part, becomes `new`."""

    part: str
    old: str
    new: str


def replace_once(text: str, old: str, new: str) -> str:
    """Replace text that must occur exactly once."""
    if text.count(old) != 1:
        raise ValueError(f"{old!r} occurs {text.count(old)} times")
    return text.replace(old, new)


def load_clocked() -> Scripts:
    """Load both scripts as they are, save that time stands until a test moves it."""
    scripts = read_scripts()
    return Scripts(*(replace_once(text, READ_CLOCK, READ_MOVED_CLOCK) for text in (scripts.drain, scripts.intake)))


def load_previous() -> Scripts:
    """Load the scripts of the version before (`previous/`), with the fuzzer's clock and keeping times."""
    drain = "".join((PREVIOUS / f"{part}.lua").read_text("utf-8") for part in PREVIOUS_DRAIN_PARTS)
    intake = "".join((PREVIOUS / f"{part}.lua").read_text("utf-8") for part in INTAKE_PARTS)
    for old, new in (KEPT | FIELDS).items():
        drain, intake = replace_once(drain, old, new), intake.replace(old, new)
    return Scripts(drain, intake)


def load_fuzzed(mutation: Mutation | None = None) -> tuple[Scripts, set[str]]:
    """Load both scripts with clock, counters and perhaps a planted fault. Returns them and all branches' names."""
    branches: set[str] = set()
    texts = {}
    for part in {*DRAIN_PARTS, *INTAKE_PARTS}:
        text = read_script_part(part)
        if mutation and mutation.part == part:
            text = replace_once(text, mutation.old, mutation.new)
        texts[part], counted = instrument(part, text)
        branches |= counted
    drain, intake = (COUNTER + "".join(texts[part] for part in parts) for parts in (DRAIN_PARTS, INTAKE_PARTS))
    for old, new in REPLACED.items():
        drain, intake = replace_once(drain, old, new), intake.replace(old, new)  # the intake script has the prelude's
    return Scripts(drain, intake), branches
