"""The world outside the workers: the rows of every effect and the log of what really happened, on a unix socket.

It stands in for Postgres (rows: planned -> sending -> sent, or uncertain) and for Telegram (effects), and dies never.
A request is a line [number, verb, arguments ...], its answer a line [number, answer].
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

CALL_SECONDS = 0.02  # what a call outside takes: kills shall find calls under way
EFFECTS_PER_UPDATE = 2


@dataclass(slots=True)
class Effect:
    """One row. `doubtful`: an attempt died around the call, which may have happened or not. `happened`: when it did.

    `holder` and `fence`: the process and the claim that began last; `called`: under that claim. `strange`: the
    processes that called under another one.
    """

    chat: str
    place: int  # in the chat's order
    policy: str
    state: str = "planned"
    holder: int = 0
    fence: str = ""
    called: bool = False
    doubtful: bool = False
    happened: list[int] = field(default_factory=list)
    strange: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Start:
    """A job began to run in a process."""

    pid: int
    at: float


class Ledger:
    """Serves the workers, remembers everything."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.sock"
        self.effects: dict[str, Effect] = {}
        self.starts: dict[str, list[Start]] = {}
        self.pids: set[int] = set()
        self._log = (folder / "effects.log").open("w", encoding="ascii")
        self._clock = 0
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def close(self) -> None:
        """Listen no more."""
        if self._server:
            self._server.close()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        self._log.close()

    def count_under_way(self, pid: int) -> int:
        """Count the effects whose attempt a process has begun and not ended."""
        return sum(effect.state == "sending" and effect.holder == pid for effect in self.effects.values())

    def is_about_to_call(self, pid: int) -> bool:
        """Tell whether a process has begun an effect and not called yet."""
        return any(
            effect.state == "sending" and effect.holder == pid and not effect.called for effect in self.effects.values()
        )

    # The verbs:

    async def plan(self, pid: int, job: str, chat: str, n: int, policy: str) -> list[str]:
        """The update's transaction: plan its effects once; give those that still want a job."""
        self._note_start(pid, job)
        names = [f"{job}#{ordinal}" for ordinal in range(EFFECTS_PER_UPDATE)]
        for ordinal, name in enumerate(names):
            self.effects.setdefault(name, Effect(chat, n * EFFECTS_PER_UPDATE + ordinal, policy))
        return [name for name in names if self.effects[name].state in ("planned", "sending")]

    async def begin(self, pid: int, name: str, fence: str) -> bool:
        """planned -> sending, or what the policy says of an attempt that died; tell whether to call."""
        self._note_start(pid, name)
        effect = self.effects[name]
        if effect.state == "sending":
            effect.doubtful = True
            effect.state = "sending" if effect.policy == "retry" else "uncertain"
        elif effect.state == "planned":
            effect.state = "sending"
        else:
            return False
        effect.holder, effect.fence, effect.called = pid, fence, False
        return effect.state == "sending"

    async def call(self, pid: int, name: str, fence: str) -> None:
        """The effect itself."""
        self._clock += 1
        effect = self.effects[name]
        effect.happened.append(self._clock)
        if effect.fence == fence:
            effect.called = True
        else:
            effect.strange.append(pid)
        self._log.write(f"{self._clock} {name} {effect.policy} {pid} {fence} {effect.holder} {effect.fence}\n")
        await asyncio.sleep(CALL_SECONDS)

    async def put_back(self, pid: int, name: str) -> None:
        """sending -> planned: surely not executed. Nothing where somebody else tries meanwhile."""
        effect = self.effects[name]
        if effect.state == "sending" and effect.holder == pid:
            effect.state = "planned"

    async def finish(self, pid: int, name: str) -> None:
        """-> sent: written by whoever knows it, fence or no fence."""
        self.effects[name].state = "sent"

    def _note_start(self, pid: int, job: str) -> None:
        self.starts.setdefault(job, []).append(Start(pid, monotonic()))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        if talk:
            self._talks.add(talk)
            talk.add_done_callback(self._talks.discard)
        pid = int(await reader.readline())
        self.pids.add(pid)
        verbs: dict[str, Callable[..., Awaitable[Any]]] = {
            verb.__name__: verb for verb in (self.plan, self.begin, self.call, self.put_back, self.finish)
        }
        with suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as group:
                while line := await _hear(reader):
                    number, verb, *arguments = json.loads(line)
                    group.create_task(_answer(writer, number, verbs[verb](pid, *arguments)))
        self.pids.discard(pid)
        writer.close()


async def _hear(reader: asyncio.StreamReader) -> bytes:
    """Read a line; nothing where the worker was killed."""
    try:
        return await reader.readline()
    except OSError:
        return b""


async def _answer(writer: asyncio.StreamWriter, number: int, work: Awaitable[Any]) -> None:
    answer = await work
    if writer.transport.is_closing():  # the worker was killed meanwhile
        return
    with suppress(OSError):
        writer.write(json.dumps([number, answer]).encode() + b"\n")
        await writer.drain()
