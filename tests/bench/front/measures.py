"""What is measured of a server: accepts, waits at a steady rate, memory, and what `kill -9` loses."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

from grimbots.tests.bench.environments import NotRun
from grimbots.tests.bench.front.callers import Caller, Tally, call, call_on_schedule, open_callers, wait_idle
from grimbots.tests.bench.front.stands import Door, Stand, kill
from grimbots.tests.bench.front.systems import OURS, System
from grimbots.tests.bench.reports import summarize
from grimbots.tests.bench.results import Figures
from grimbots.tests.bench.rigs import OTHER_CORE, SERVER_CORE
from grimbots.tests.bench.shares import TICKS_PER_SECOND, read_pss_mib

CONNECTIONS = (40, 500)  # Telegram's default for a webhook, and many bots'
WARM_UP_SECONDS, SECONDS = 0.3, 1.5
CORES = {"server_core": SERVER_CORE, "other_core": OTHER_CORE}
MOST_A_SECOND = 12_000  # updates written beforehand; none answers more here
STEADY_SHARE, STEADY_SECONDS, STEADY_CONNECTIONS = 0.7, 6.0, 100

KILL_AFTER, KILL_CONNECTIONS, HANDLE_MS = 400, 40, 50
QUIET_SECONDS, PATIENCE_SECONDS = 3.0, 30.0

HELD, HELD_AT_ONCE = 10_000, 100
SETTLE_SECONDS = 2.0
SOAK_SAMPLE_SECONDS = 10.0


async def measure_speed(stand: Stand, system: System, connections: int, scale: float = 1.0) -> Figures:
    """Load it with so many connections, as fast as it answers."""
    door, seconds = await stand.find_door(system), SECONDS * scale
    await door.clear()
    updates = door.write_updates(int(MOST_A_SECOND * (seconds + WARM_UP_SECONDS)))
    before, began_at = {name: read_busy_seconds(core) for name, core in CORES.items()}, time.monotonic()
    tally = await call(door.port, connections, updates, WARM_UP_SECONDS, seconds)
    lasted = time.monotonic() - began_at
    busy = {name: (read_busy_seconds(core) - before[name]) / lasted for name, core in CORES.items()}
    if len(tally.waits) < 2:
        raise NotRun(f"it answered {len(tally.waits)} updates in {seconds:g} s")
    waits = summarize([wait * 1000 for wait in tally.waits])
    return {
        "accepts_per_second": len(tally.waits) / seconds,
        "p50_ms": waits["p50 ms"],
        "p99_ms": waits["p99 ms"],
        "refused": tally.refused,
        **busy,
    }


async def measure_steady(stand: Stand, system: System, per_second: float, scale: float = 1.0) -> Figures:
    """Send updates on a schedule, answered or not those before them; waits count from the schedule."""
    door = await stand.find_door(system)
    await door.clear()
    updates = door.write_updates(int(per_second * STEADY_SECONDS * scale))
    tally = await call_on_schedule(door.port, STEADY_CONNECTIONS, updates, per_second)
    waits = summarize([wait * 1000 for wait in tally.waits])
    return {"steady_per_second": per_second, "steady_p50_ms": waits["p50 ms"], "steady_p99_ms": waits["p99 ms"]}


async def measure_kill(stand: Stand, system: System) -> Figures:
    """Kill it under load, start it again with what executes its updates, and count those answered 200 and not seen."""
    effects = stand.rig.folder / f"effects-{system.name}"
    effects.write_bytes(b"")
    environ = {"EFFECTS": str(effects), "HANDLE_MS": str(HANDLE_MS)}
    async with stand.serve(system, **environ) as door:
        await door.clear()
        tally = await _call_until_killed(door)
    async with stand.serve(system, **environ):
        if system.works:
            async with stand.work(system, EFFECTS=str(effects)):
                seen = await _wait_executed(effects, set(tally.accepted))
        else:
            seen = await _wait_executed(effects, set(tally.accepted))
    return {"accepted": len(tally.accepted), "lost": len(set(tally.accepted) - seen)}


async def _call_until_killed(door: Door) -> Tally:
    tally = Tally()
    callers = await open_callers(door.port, KILL_CONNECTIONS, door.write_updates(20 * KILL_AFTER), tally)
    for caller in callers:
        caller.send_next()
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while len(tally.accepted) < KILL_AFTER:
        if time.monotonic() > ends_at:
            raise NotRun(f"it accepted {len(tally.accepted)} updates in {PATIENCE_SECONDS:.0f} s")
        await asyncio.sleep(0.001)
    await kill(door.child)
    await wait_idle(callers)
    return tally


async def _wait_executed(effects: Path, accepted: set[int]) -> set[int]:
    """Wait until all are executed, or nothing more comes."""
    seen, changed_at, ends_at = set[int](), time.monotonic(), time.monotonic() + PATIENCE_SECONDS
    while (now := time.monotonic()) < min(ends_at, changed_at + QUIET_SECONDS) and not accepted <= seen:
        found = {int(line) for line in effects.read_bytes().split()}
        if found != seen:
            seen, changed_at = found, now
        await asyncio.sleep(0.05)
    return seen


async def measure_memory(stand: Stand, system: System, held: int = HELD) -> Figures:
    """Read its memory idle and with kept-alive connections, each of which was answered once."""
    async with stand.serve(system) as door:
        idle = read_memory(door.child.process.pid)
        callers = await _hold(door, min(held, system.holds))
        await asyncio.sleep(SETTLE_SECONDS)
        kept = sum(not caller.is_cut for caller in callers)
        figures = {"idle_mib": idle, "held_mib": read_memory(door.child.process.pid), "held_connections": kept}
        for caller in callers:
            caller.close()
    return figures


async def _hold(door: Door, connections: int) -> list[Caller]:
    """Open connections, some at a time, and have each answered once: all at once would show a peak, not what stays."""
    held = list[Caller]()
    while len(held) < connections:
        count = min(HELD_AT_ONCE, connections - len(held))
        callers = await open_callers(door.port, count, door.write_updates(count), Tally())
        for caller in callers:
            caller.send_next()
        await wait_idle(callers)
        held += callers
    return held


async def measure_soak(stand: Stand, per_second: float, seconds: float) -> Figures:
    """Send our server a steady load and read its memory: after a tenth of the time, and at the end."""
    async with stand.serve(OURS) as door:
        samples = list[float]()
        for _ in range(max(2, round(seconds / SOAK_SAMPLE_SECONDS))):
            await door.clear()  # nobody works here: only the server's own memory is looked at
            updates = door.write_updates(round(per_second * SOAK_SAMPLE_SECONDS))
            await call_on_schedule(door.port, STEADY_CONNECTIONS, updates, per_second)
            samples.append(read_memory(door.child.process.pid))
    first = samples[len(samples) // 10]
    return {"seconds": seconds, "per_second": per_second, "first_mib": first, "last_mib": samples[-1]}


def read_memory(pid: int) -> float:
    """Return what a process and those of its group hold by themselves, in MiB (proc(5): Pss)."""
    members = (int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _read_group(int(entry.name)) == pid)
    return sum(map(read_pss_mib, members))


def _read_group(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[2])
    except OSError:
        return 0


def read_busy_seconds(core: int) -> float:
    """Return for how long a core has worked since the machine started (proc(5), /proc/stat)."""
    fields = re.search(rf"^cpu{core} (.*)", Path("/proc/stat").read_text(), re.MULTILINE)
    assert fields is not None
    user, nice, system, _, _, irq, soft_irq = map(int, fields[1].split()[:7])
    return (user + nice + system + irq + soft_irq) / TICKS_PER_SECOND
