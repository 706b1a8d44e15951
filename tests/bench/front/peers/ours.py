"""GrimBots: `tests/bench/front_door.py`, which is our server without its worker; what it queued, a worker notes."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from grimbots.tests.bench import front_door
from grimbots.tests.bench.front.contract import REDIS_URL, execute, find_chat, main
from grimbots.tests.queue.desks import make_task, open_queue, run_worker


def serve(port: int) -> None:
    """Serve until killed; the stores are those of the environment."""
    os.environ["PORT"] = str(port)
    asyncio.run(front_door.serve())


async def _handle(context: None, *, bot_id: int, update: dict[str, Any], received_at: float) -> None:
    await execute(find_chat(update))


async def _work() -> None:
    async with open_queue(REDIS_URL) as queue, run_worker(queue, make_task(_handle, "updates.handle")):
        await asyncio.Event().wait()


def work() -> None:
    """Run jobs until killed."""
    asyncio.run(_work())


if __name__ == "__main__":
    main(serve, work)
