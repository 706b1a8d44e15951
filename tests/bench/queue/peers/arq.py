"""arq: 50 jobs at once, results off; a job stays in its queue until it is done (at-least-once by itself).

https://arq-docs.helpmanual.io/ ("pessimistic execution"; 0.28.0, November 2026).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from arq import Worker, create_pool, func
from arq.connections import RedisSettings

from grimbots.tests.bench.queue.contract import CONCURRENCY, PADDING, Send, main, run


async def _run(context: dict[str, Any], n: int, ms: int, padding: str) -> None:
    await run(n, ms, padding)


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that enqueues one job."""
    pool = await create_pool(RedisSettings.from_dsn(url))
    yield lambda n, ms: pool.enqueue_job("run", n, ms, PADDING)
    await pool.aclose()


def work(url: str, slot: int = 0) -> None:
    """Run jobs until killed."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    functions = [func(_run, name="run", keep_result=0)]
    Worker(functions, redis_settings=RedisSettings.from_dsn(url), max_jobs=CONCURRENCY).run()


if __name__ == "__main__":
    main(open_send, work)
