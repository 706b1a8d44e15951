"""Tasks: named coroutine functions that a worker runs, what they may answer and what they may raise."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec

from grimbots.queue.job import Accepted, Job

if TYPE_CHECKING:
    from grimbots.queue.dispatcher import Queue

P = ParamSpec("P")

# A job waits in memory of Redis and travels with its claim: what is larger belongs into a row, its id into the job.
PAYLOAD_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Done:
    """What a task may return: jobs that follow from it, in order, and how long its chat then rests."""

    follow_ups: Sequence[Job] = ()
    pause_ms: int = 0


class Again(Exception):
    """Raised by a task: run this job again later; its group waits. `spend=False`: surely nothing was executed."""

    def __init__(self, after_seconds: float, reason: str, *, spend: bool = True) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds
        self.reason = reason
        self.spend = spend


class Bury(Exception):
    """Raised by a task: this job can never succeed; it is dead now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LeaseLost(Exception):
    """Raised by `Queue.guard`: another process may run this job, so its effect must not start here."""


class Task(Generic[P]):
    """A function `async def f(context, *, ...)` under a name that jobs carry."""

    def __init__(
        self,
        name: str,
        function: Callable[Concatenate[Any, P], Awaitable[Done | None]],
        *,
        queue: str,
        timeout_seconds: float,
        attempts: int,
        payload_bytes: int | None = PAYLOAD_BYTES,
    ) -> None:
        """Keep them. `payload_bytes` is the most a payload may have; None: whoever makes the jobs bounds it cheaper."""
        self.name = name
        self.queue = queue
        self.timeout_seconds = timeout_seconds
        self.attempts = attempts
        self.payload_bytes = payload_bytes
        self.function = function
        self._signature = _read_payload_signature(function)
        self._names = self._signature.parameters.keys()

    async def __call__(self, context: Any, *args: P.args, **payload: P.kwargs) -> Done | None:
        """Run the function itself, here and now."""
        return await self.function(context, *args, **payload)

    def job(self, *, id: str, source: str, account: str, group: str = "", **payload: Any) -> Job:  # noqa: A002
        """Make a job of this task.

        Raises:
            TypeError: the payload does not fit the function.
            ValueError: it is larger than a job's may be.
        """
        if payload.keys() != self._names:
            self._signature.bind(**payload)
        if self.payload_bytes is not None and (size_bytes := _measure(payload)) > self.payload_bytes:
            raise ValueError(
                f"job {id!r}: a payload of {size_bytes} bytes, where {self.name} may have {self.payload_bytes}: "
                "store what is large in a row and put the row's id into the job"
            )
        return Job(id, self.name, self.queue, source, account, group, payload, self.attempts)

    async def later(
        self,
        queue: Queue,
        *,
        id: str,  # noqa: A002
        source: str,
        account: str,
        group: str = "",
        **payload: Any,
    ) -> Accepted:
        """Enqueue a job of this task; durable when it returns. Raise QueueUnavailable where Redis is away."""
        return await queue.enqueue(self.job(id=id, source=source, account=account, group=group, **payload))


_registered: dict[str, Task[Any]] = {}
REGISTRY: Mapping[str, Task[Any]] = MappingProxyType(_registered)


def task(
    name: str, *, queue: str, timeout_seconds: float = 30, attempts: int = 8, payload_bytes: int | None = PAYLOAD_BYTES
) -> Callable[[Callable[Concatenate[Any, P], Awaitable[Done | None]]], Task[P]]:
    """Register the decorated function as the task `name` ("noun.verb").

    Raises:
        ValueError: another function has that name.
    """

    def register(function: Callable[Concatenate[Any, P], Awaitable[Done | None]]) -> Task[P]:
        if name in _registered:
            raise ValueError(f"two tasks are named {name!r}: a job of one would run the other")
        _registered[name] = Task(
            name,
            function,
            queue=queue,
            timeout_seconds=timeout_seconds,
            attempts=attempts,
            payload_bytes=payload_bytes,
        )
        return _registered[name]

    return register


def _measure(payload: Mapping[str, Any]) -> int:
    """Measure a payload as it will travel; 0 for what JSON cannot hold, which whoever enqueues it is told."""
    try:
        return len(json.dumps(payload, separators=(",", ":")))
    except (TypeError, ValueError):
        return 0


def _read_payload_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the function's signature without its first parameter, the context."""
    whole = inspect.signature(function)
    return whole.replace(parameters=list(whole.parameters.values())[1:])
