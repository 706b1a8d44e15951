"""Spool: records kept on this machine's disk until a store that is away can take them.

    spool = Spool(folder, "clicks", limit_bytes=64 << 20)
    await spool.open()
    await spool.append({"token": "..."})       # durable when it returns
    await spool.drain(store, batch=500)        # hands the oldest to store(records), then deletes them

Every process writes segments of its own (services/segments.py) and drains these and the ones of processes that died.
Many appends share one fsync. A record is handed over at least once, a process's records in their order; `store` must
take one it has seen before. The disk is read and written in a thread, never on the loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

from grimbots.services import segments
from grimbots.services.segments import Portion, Segment

log = logging.getLogger(__name__)

SEGMENT_BYTES = 4 << 20  # what is repeated, at most, when a process dies while it drains
WAITING_BYTES = 16 << 20  # in memory, while the disk is slow

Record = dict[str, Any]
Handle = Callable[[Sequence[Record]], Awaitable[None]]
T = TypeVar("T")


class SpoolUnavailable(Exception):
    """The spool is full, or the disk refuses: what was to be appended is not kept."""


class Spool:
    """One kind of records in `folder`.

    Args:
        limit_bytes: on the disk, the segments of other processes counted too. When it is reached the oldest are kept.
    """

    def __init__(self, folder: Path, name: str, limit_bytes: int) -> None:
        self._folder, self._name, self._limit_bytes = folder, name, limit_bytes
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._draining = asyncio.Lock()
        self._is_refusing = self._is_closed = False
        # One thread, so that what follows is touched by nobody else.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"spool-{name}")
        self._open: Segment | None = None  # being written
        self._held: dict[Path, Segment] = {}  # to be drained: full ones of our own, adopted ones

    async def open(self) -> None:
        """Make the folder.

        Raises:
            SpoolUnavailable: it cannot be made.
        """
        await self._run(self._make_folder)

    async def append(self, record: Mapping[str, Any]) -> None:
        """Keep a record; it is on the disk when this returns. A caller who is cancelled leaves it to be written.

        Raises:
            SpoolUnavailable: it is not kept.
        """
        line = segments.encode(record)
        if self._is_closed or self._waiting_bytes + len(line) > WAITING_BYTES:
            raise SpoolUnavailable(f"the spool {self._name} is closed, or its disk too slow")
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((line, kept))
        self._waiting_bytes += len(line)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())
        await kept

    async def drain(self, handle: Handle, batch: int) -> int:
        """Hand over what is kept, oldest first, in portions of at most `batch`; returns how many records that was.

        What `handle` raises ends it: the portion stays and is handed over again next time.

        Raises:
            SpoolUnavailable: the disk cannot be read.
        """
        async with self._draining:
            drained = 0
            for collect in (self._collect_older, self._collect_open):
                for segment in await self._run(collect):
                    drained += await self._drain_segment(segment, handle, batch)
            return drained

    async def close(self) -> None:
        """Write what waits and let every segment go; what is not drained stays for whoever comes next."""
        self._is_closed = True
        if self._writing is not None:
            await self._writing
        async with self._draining:
            await self._run(self._release_all)
        self._thread.shutdown()

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except OSError as error:
            raise SpoolUnavailable(f"the spool in {self._folder} cannot be used: {error}") from error

    async def _write_waiting(self) -> None:
        """Write group after group: all that came while the disk was busy is one group."""
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                fitting = await self._run(self._write, [line for line, _ in group])
                refusal = SpoolUnavailable(f"the spool {self._name} is full ({self._limit_bytes} bytes)")
            except SpoolUnavailable as error:
                fitting, refusal = 0, error
            self._waiting_bytes -= sum(len(line) for line, _ in group)
            self._note_refusal(refusal if fitting < len(group) else None)
            _answer([kept for _, kept in group], fitting, refusal)

    def _note_refusal(self, refusal: SpoolUnavailable | None) -> None:
        """Say once that records are refused, and once that they are kept again."""
        if refusal is not None and not self._is_refusing:
            log.error("records are lost: %s", refusal)
        elif refusal is None and self._is_refusing:
            log.warning("the spool %s keeps records again", self._name)
        self._is_refusing = refusal is not None

    async def _drain_segment(self, segment: Segment, handle: Handle, batch: int) -> int:
        drained = offset = damaged = 0
        while True:
            portion: Portion = await self._run(segment.read, offset, batch)
            if portion.next_offset == offset:
                break
            if portion.records:
                await handle(portion.records)
            drained, damaged, offset = drained + len(portion.records), damaged + portion.damaged, portion.next_offset
        await self._run(self._conclude, segment, offset, damaged)
        return drained

    # In the thread:

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _write(self, lines: Sequence[bytes]) -> int:
        """Write the lines that fit under the limit; returns how many."""
        room = self._limit_bytes - segments.measure(self._folder, self._name)
        fitting = sum(total <= room for total in accumulate(map(len, lines)))
        if not fitting:
            return 0
        if self._open is None or self._open.size_bytes >= SEGMENT_BYTES:
            self._hold_open()
            self._open = segments.create(self._folder, self._name)
        try:
            self._open.append(lines[:fitting])
        except OSError:
            self._hold_open()  # it may end anywhere: no more is written to it
            raise
        return fitting

    def _hold_open(self) -> None:
        if self._open is not None:
            self._held[self._open.path] = self._open
            self._open = None

    def _collect_older(self) -> list[Segment]:
        """Take over what dead processes left, and give it with what is held already, oldest first."""
        own = self._open.path if self._open is not None else None
        for path in segments.list_paths(self._folder, self._name):
            if path != own and path not in self._held and (adopted := segments.adopt(path)):
                self._held[path] = adopted
        return [self._held[path] for path in sorted(self._held)]

    def _collect_open(self) -> list[Segment]:
        """Take what is being written out of the writer's hands, now that all before it is drained."""
        self._hold_open()
        return [self._held[path] for path in sorted(self._held)]

    def _conclude(self, segment: Segment, offset: int, damaged: int) -> None:
        del self._held[segment.path]
        if segment.size_bytes > offset:
            log.warning("%s had an unfinished line at its end: nobody was told that it is kept", segment.path.name)
        if damaged:
            log.error("%s had %d damaged lines: it is kept beside the others", segment.path.name, damaged)
            segment.set_aside()
        else:
            segment.remove()

    def _release_all(self) -> None:
        self._hold_open()
        for segment in self._held.values():
            segment.release()
        self._held.clear()


def _answer(waiting: Sequence[asyncio.Future[None]], fitting: int, refusal: SpoolUnavailable) -> None:
    """Tell the first `fitting` that they are kept, the others that they are not; who was cancelled does not hear it."""
    for place, kept in enumerate(waiting):
        if kept.done():
            continue
        if place < fitting:
            kept.set_result(None)
        else:
            kept.set_exception(SpoolUnavailable(str(refusal)))
