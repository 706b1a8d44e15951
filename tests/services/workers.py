"""A worker for tests of what jobs do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from grimbots.queue.worker import Worker


@asynccontextmanager
async def work(app: Any) -> AsyncIterator[Worker]:
    """Run a worker for the length of a block."""
    worker = Worker(app.queue, app)
    running = worker.start()
    try:
        yield worker
    finally:
        await worker.drain(5)
        await running
