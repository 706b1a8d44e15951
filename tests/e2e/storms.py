"""Storms: faults of Telegram and of the payment provider, drawn by a seed, and kill -9 of the server."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from grimbots.tests.e2e.installation import Installation

MOST_WAITING = 3  # at a place: of a party that is asked less often for a while, the rest would strike all in a row
SENDING = ("sendMessage", "sendMessage", "sendPhoto")
CALL, CREATE, FETCH, EVENT = "call", "create", "fetch", "event"

# Weight, where it strikes, what happens. Each strikes once.
FAULTS: list[tuple[int, str, dict[str, Any]]] = [
    (10, CALL, {"http": 429, "retry_after": 2}),
    (4, CALL, {"http": 500}),
    (4, CALL, {"http": 502, "execute": True}),
    (2, CALL, {"http": 403}),
    (5, CALL, {"drop": True}),
    (5, CALL, {"drop": True, "execute": True}),
    (5, CALL, {"delay_seconds": 3}),
    (3, CREATE, {"drop": True}),
    (3, CREATE, {"drop": True, "execute": True}),
    (3, CREATE, {"http": 503}),
    (2, CREATE, {"delay_seconds": 5, "execute": True}),
    (2, FETCH, {"http": 500}),
    (2, FETCH, {"delay_seconds": 3}),
    (5, EVENT, {"copies": 3}),
    (2, EVENT, {"copies": 0}),
    (3, EVENT, {"delay_seconds": 5}),
    (3, EVENT, {"signature": "wrong"}),
    (2, EVENT, {"signature": "missing"}),
    (2, EVENT, {"signature": "old"}),
    (2, "message", {"copies": 2}),
    (2, "callback_query", {"copies": 3}),
    (2, "callback_query", {"delay_seconds": 2}),
]
# What outlasts our client's patience: calls of 20 s, provider's of 10 s.
TIMEOUTS: list[tuple[int, str, dict[str, Any]]] = [
    (2, CALL, {"delay_seconds": 25}),
    (2, CALL, {"delay_seconds": 25, "execute": True}),
    (1, CREATE, {"delay_seconds": 12}),
    (1, CREATE, {"delay_seconds": 12, "execute": True}),
]


@dataclass(frozen=True)
class Weather:
    """How hard it blows: faults a second, which, how many kills, and the seconds from one to the next."""

    faults_per_second: float
    faults: list[tuple[int, str, dict[str, Any]]]
    kills: int
    kill_every_seconds: float


@asynccontextmanager
async def storm(installation: Installation, weather: Weather, dice: random.Random) -> AsyncIterator[None]:
    """Let things fail meanwhile; what has not struck by then is taken back."""
    async with asyncio.TaskGroup() as group:
        raging = group.create_task(_rage(installation, weather, dice))
        yield
        raging.cancel()
    await installation.api("DELETE", "faults")


async def _rage(installation: Installation, weather: Weather, dice: random.Random) -> None:
    weights = [weight for weight, _, _ in weather.faults]
    while True:
        ((_, place, what),) = dice.choices(weather.faults, weights)
        aim = _aim(place, dice)
        waiting = await installation.api("GET", "faults")
        if sum(aim.items() <= fault.items() for fault in waiting) < MOST_WAITING:
            await installation.api("POST", "faults", aim | what)
        await asyncio.sleep(dice.expovariate(weather.faults_per_second))


def _aim(place: str, dice: random.Random) -> dict[str, Any]:
    match place:
        case "call":
            return {"method": dice.choice(SENDING)}
        case "create" | "fetch":
            return {"on": "provider", "method": place}
        case "event":
            return {"on": "events"}
    return {"on": "updates", "method": place}


async def kill_again_and_again(installation: Installation, weather: Weather) -> list[float]:
    """Kill the server and start it again, as a supervisor does; give the instants of the kills (Unix time)."""
    kills: list[float] = []
    began = time.monotonic()
    for number in range(1, weather.kills + 1):
        await asyncio.sleep(began + weather.kill_every_seconds * number - time.monotonic())
        assert installation.children["server"].process.poll() is None, "the server has ended by itself"
        kills.append(time.time())
        await installation.kill("server")
        await installation.start("server")
    return kills
