"""The workers under fire: under the parent of `grimbots serve --processes`, or with nobody to start them again."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

from grimbots.handlers.commands.embedded.children import dress
from grimbots.tests.chaos.ledger import Ledger
from grimbots.tests.queue.desks import wait_until

WORKERS = 2
START_SECONDS = 30.0
STOP_SECONDS = 40.0


class Crew(ABC):
    """Two workers. Whoever is killed dies by SIGKILL."""

    def __init__(self, folder: Path, redis_url: str, ledger: Ledger) -> None:
        self.ledger = ledger
        self.command = [sys.executable, "-m", "grimbots.tests.chaos.workers", redis_url, str(ledger.path)]
        self._log = folder / "workers.log"

    @abstractmethod
    async def open(self) -> None:
        """Start the workers and wait until they are there."""

    @abstractmethod
    async def close(self) -> None:
        """Stop them in good order."""

    @abstractmethod
    async def mend(self) -> None:
        """Make it two again after a kill."""

    def pick(self, dice: random.Random) -> int:
        """Pick a living worker."""
        return dice.choice(sorted(self.ledger.pids))

    async def wait_whole(self) -> None:
        """Wait until two workers are there."""
        await wait_until(lambda: len(self.ledger.pids) == WORKERS, START_SECONDS)

    async def spawn(self, command: list[str], slot: int = 0) -> asyncio.subprocess.Process:
        """Start a process, which ends with this one."""
        environ = {**os.environ, "GRIMBOTS_SLOT": str(slot)}
        leashed = dress(command, identity=None, death_signal=signal.SIGTERM)
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(*leashed, env=environ, stdout=log, stderr=log)


class Family(Crew):
    """Under a parent, which replaces the dead."""

    _parent: asyncio.subprocess.Process

    async def open(self) -> None:
        """Start the parent."""
        self._parent = await self.spawn(
            [sys.executable, "-m", "grimbots.tests.queue.parent", str(WORKERS), *self.command]
        )
        await self.wait_whole()

    async def close(self) -> None:
        """Stop the parent, which stops the others."""
        self._parent.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            await self._parent.wait()

    async def mend(self) -> None:
        """Wait for what the parent does."""
        await self.wait_whole()

    async def kill_parent(self) -> None:
        """Kill the parent; its children drain and end, and somebody starts another one at once."""
        self._parent.kill()
        await self._parent.wait()
        await self.open()

    async def renew(self) -> None:
        """Replace the workers one by one."""
        before = set(self.ledger.pids)
        self._parent.send_signal(signal.SIGHUP)
        await wait_until(lambda: not before & self.ledger.pids and len(self.ledger.pids) == WORKERS, START_SECONDS)


class Strangers(Crew):
    """Without parent or supervisor: who dies stays dead, and his slot is nobody's. The lease alone brings jobs back."""

    def __init__(self, folder: Path, redis_url: str, ledger: Ledger) -> None:
        super().__init__(folder, redis_url, ledger)
        self._slots = itertools.count()
        self._workers: list[asyncio.subprocess.Process] = []

    async def open(self) -> None:
        """Start two."""
        for _ in range(WORKERS):
            self._workers.append(await self.spawn(self.command, next(self._slots)))
        await self.wait_whole()

    async def close(self) -> None:
        """Stop them all."""
        for worker in self._workers:
            with suppress(ProcessLookupError):
                worker.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            await asyncio.gather(*(worker.wait() for worker in self._workers))

    async def mend(self) -> None:
        """Start another one, in a slot of its own."""
        self._workers.append(await self.spawn(self.command, next(self._slots)))
        await self.wait_whole()
