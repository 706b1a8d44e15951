"""One run: a Redis, a proxy, a ledger, a crew and senders in a storm, until everything accepted is settled."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from grimbots.queue.connections import RedisAway
from grimbots.queue.dispatcher import Queue, QueueUnavailable
from grimbots.queue.job import Accepted, Job
from grimbots.tests.chaos.crews import Crew, Family, Strangers
from grimbots.tests.chaos.ledger import Ledger
from grimbots.tests.chaos.storms import FAMILY_DECK, FREEZES_DECK, RENEWALS_DECK, STRANGERS_DECK, Storm
from grimbots.tests.chaos.verdicts import Verdict, judge
from grimbots.tests.chaos.workers import make_update
from grimbots.tests.queue.desks import open_queue
from grimbots.tests.queue.proxy import LossyProxy
from grimbots.tests.queue.servers import run_server

CHATS = 20
SENDER_SLOT = 900  # the senders' queue never works
PAUSE_SECONDS = (0.05, 0.5)  # between two updates of a chat
LONG_SECONDS = 60.0  # a run of so long has time for an outage longer than a lease
PATIENCE_SECONDS = 120.0
FAMILY_BOUND_SECONDS, STRANGERS_BOUND_SECONDS = 2.0, 12.0  # until a killed worker's jobs run again


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does: who works, which faults, for how long or how many; how soon a killed worker's jobs run again."""

    name: str
    crew: type[Crew]
    deck: dict[str, int]
    seconds: float
    bound_seconds: float
    faults: int | None = None


def plan_family(seconds: float, bound_seconds: float = FAMILY_BOUND_SECONDS) -> Plan:
    """Two workers under the parent of `grimbots serve --processes`."""
    deck = FAMILY_DECK | ({"long_outage": 1} if seconds >= LONG_SECONDS else {})
    return Plan("under a parent", Family, deck, seconds, bound_seconds)


def plan_strangers(seconds: float, bound_seconds: float = STRANGERS_BOUND_SECONDS) -> Plan:
    """Two workers nobody starts again in their slot."""
    return Plan("with neither parent nor supervisor", Strangers, STRANGERS_DECK, seconds, bound_seconds)


def plan_freezes(times: int) -> Plan:
    """One of two workers frozen past its lease, so many times, with calls in its hands and nothing else going on."""
    return Plan(f"{times} freezes past the lease", Strangers, FREEZES_DECK, 3600.0, STRANGERS_BOUND_SECONDS, times)


def plan_renewals(times: int) -> Plan:
    """So many rolling restarts."""
    return Plan(f"{times} rolling restarts", Family, RENEWALS_DECK, 3600.0, FAMILY_BOUND_SECONDS, times)


async def run(plan: Plan, seed: int, folder: Path) -> tuple[Verdict, Storm]:
    """Do one run in an empty folder."""
    dice = random.Random(f"{seed} {plan.name}")
    folder.mkdir()
    async with run_server(folder) as server, AsyncExitStack() as closing:
        proxy, ledger = LossyProxy(folder, server.socket), Ledger(folder)
        closing.push_async_callback(proxy.stop)
        await proxy.start()
        closing.push_async_callback(ledger.close)
        await ledger.open()
        crew = plan.crew(folder, proxy.url, ledger)
        closing.push_async_callback(crew.close)
        await crew.open()
        storm = Storm(dice, plan.deck, crew, server, proxy)
        closing.push_async_callback(storm.thaw)
        accepted = await _send_meanwhile(storm, plan, proxy.url)
    return judge(accepted, ledger.effects, ledger.starts, storm.faults, storm.under_way, plan.bound_seconds), storm


async def _send_meanwhile(storm: Storm, plan: Plan, url: str) -> list[str]:
    """Send while the storm rages, then wait until the queue is empty; gives the ids that were accepted."""
    accepted: list[str] = []
    over = asyncio.Event()
    async with open_queue(url, slot=SENDER_SLOT) as queue:
        senders = [asyncio.create_task(_send(queue, chat, accepted, over)) for chat in range(CHATS)]
        try:
            await storm.rage(plan.seconds, plan.faults)
            over.set()
            await asyncio.gather(*senders)
        finally:
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
        await _wait_empty(queue)
    return accepted


async def _send(queue: Queue, chat: int, accepted: list[str], over: asyncio.Event) -> None:
    """Send a chat's updates as Telegram does: each again until it is accepted, then the next."""
    dice, n = random.Random(chat), 0
    while not over.is_set():
        job = make_update(f"c{chat}", n, "once" if chat % 2 else "retry")
        while not await _is_accepted(queue, job):
            await asyncio.sleep(0.05)
        accepted.append(job.id)
        n += 1
        await asyncio.sleep(dice.uniform(*PAUSE_SECONDS))


async def _is_accepted(queue: Queue, job: Job) -> bool:
    try:
        return await queue.enqueue(job) is Accepted.ACCEPTED
    except QueueUnavailable:
        return False


async def _wait_empty(queue: Queue) -> None:
    """Wait until nothing waits or runs; after a while, leave what is left to the verdict."""
    ends_at = monotonic() + PATIENCE_SECONDS
    while monotonic() < ends_at:
        try:
            counts = await queue.reads.count_jobs()
            if all(count.enqueued == count.settled for count in counts.values()):
                return
        except RedisAway:
            pass  # coming back still
        await asyncio.sleep(0.1)
