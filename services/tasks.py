"""Tasks of the services: as the queue's, and while Postgres is away a job of theirs waits, however long that is."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec

from grimbots.conf import logs
from grimbots.queue import task as queue_task
from grimbots.queue.attempts import CURRENT
from grimbots.queue.task import PAYLOAD_BYTES, Again, Done, Task
from grimbots.services.errors import Unavailable
from grimbots.sql.database import DatabaseUnavailable, StatementTimeout

P = ParamSpec("P")
Function = Callable[Concatenate[Any, P], Awaitable[Done | None]]

AWAY_SECONDS = 2.0
BOT = re.compile(r"b(\d{1,18})")  # a job's source, where it is of a bot


def task(
    name: str, *, queue: str, timeout_seconds: float = 30, attempts: int = 8, payload_bytes: int | None = PAYLOAD_BYTES
) -> Callable[[Function[P]], Task[P]]:
    """Register the decorated function as the task `name`. Without Postgres it runs again, and no attempt is spent.

    A row is the truth and the job a hint: a job that died of an outage would leave a row that nobody does.
    """
    register = queue_task.task(
        name, queue=queue, timeout_seconds=timeout_seconds, attempts=attempts, payload_bytes=payload_bytes
    )

    def wrap(function: Function[P]) -> Task[P]:
        @functools.wraps(function)
        async def run(context: Any, /, *args: P.args, **payload: P.kwargs) -> Done | None:
            _begin_lines()
            try:
                return await function(context, *args, **payload)
            except (DatabaseUnavailable, StatementTimeout, Unavailable) as error:
                raise Again(AWAY_SECONDS, "Postgres is away", spend=False) from error
            except Exception as error:
                logs.mark(error)  # the queue logs it, should the job die of it
                raise
            except asyncio.CancelledError:
                if (attempt := CURRENT.get()) and attempt.stopped_by:
                    logs.mark(attempt.stopped_by)  # this is what it ends with: its time is up, for one
                raise

        return register(run)

    return wrap


def _begin_lines() -> None:
    """Let the log's lines carry the ids of the job that runs here; who calls a task without one has ids of his own."""
    if attempt := CURRENT.get():
        job = attempt.claimed.job
        logs.begin(job_id=job.id, task=job.task)
        if job.account.isdecimal():
            logs.add(account_id=int(job.account))
        if bot := BOT.fullmatch(job.source):
            logs.add(bot_id=int(bot[1]))
