"""Sandbox: what every part of the sandbox may touch, built once by `server.build()` and passed first to functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grimbots.services.sandbox.floods import Floods

if TYPE_CHECKING:
    from grimbots.services.clients.http import HttpClient
    from grimbots.services.sandbox.connections import Connections
    from grimbots.services.sandbox.couriers import Courier
    from grimbots.services.sandbox.store import Store


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The sandbox's store, courier and clock (Unix seconds).

    What a restart may forget: `typing` holds until when a bot "is typing", by (bot id, chat id); `connections` those of
    each webhook, by bot id; `floods` how fast calls came.
    """

    store: Store
    http: HttpClient
    courier: Courier
    clock: Callable[[], float]
    connections: dict[int, Connections] = field(default_factory=dict)
    floods: Floods = field(default_factory=Floods)
    typing: dict[tuple[int, int], float] = field(default_factory=dict)

    async def commit(self, *queues: str) -> None:
        """Wait until everything written is on disk, then let the courier carry what waits in `queues`."""
        await self.store.flush()
        for queue in queues:
            self.courier.wake(queue)


def next_change(sandbox: Sandbox) -> int:
    """Number a change of a chat; the chat page asks for what changed since the last number it saw."""
    number: int = sandbox.store.value("UPDATE counters SET value = value + 1 WHERE name = 'change' RETURNING value")
    return number
