"""A bare hand-off, LPUSH to a blocked BRPOP: the least that waking another process costs. Nothing survives a kill."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from grimbots.tests.bench.queue.contract import PADDING, Send, main, run


@asynccontextmanager
async def open_send(url: str) -> AsyncIterator[Send]:
    """Give a function that pushes one job."""
    async with Redis.from_url(url) as client:
        yield lambda n, ms: client.lpush("jobs", json.dumps([n, ms, PADDING]))


async def _work(url: str) -> None:
    async with Redis.from_url(url, socket_timeout=None) as client:
        while True:
            _, packed = await client.brpop(["jobs"], timeout=0)
            await run(*json.loads(packed))


def work(url: str) -> None:
    """Pop and run, one at a time, until killed."""
    asyncio.run(_work(url))


if __name__ == "__main__":
    main(open_send, work)
