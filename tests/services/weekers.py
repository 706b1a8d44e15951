"""A process that does a shop's timers and messages, to be killed and started anew: its time is what a file says.

`python -m grimbots.tests.services.weekers <clock file> <database> <redis> <telegram> <provider> <folder>`; it ends with
its standard input, so that none outlives its test.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from grimbots.conf.settings import load
from grimbots.queue.dispatcher import Queue
from grimbots.queue.worker import Worker
from grimbots.services import duties, sweep, takeovers, timers, updates  # noqa: F401  their tasks
from grimbots.services.app import App
from grimbots.services.bots import BotCache
from grimbots.services.clients.http import HttpClient
from grimbots.services.clients.telegram import TelegramClient
from grimbots.services.pools import PoolCache
from grimbots.services.secrets import KEY_BYTES, Vault
from grimbots.services.spool import Spool
from grimbots.sql.database import Database

ROUND_SECONDS = 0.05


async def main(clock: Path, database: str, redis: str, telegram: str, provider: str, folder: str) -> None:
    """Do what is due, round after round."""
    settings = load({"GRIMBOTS_DATA": folder, "PUBLIC_URL": "https://bots.example.com"})
    settings = replace(settings, sandbox=True, sandbox_url=provider)
    async with AsyncExitStack() as stack:
        db, http = Database(database, size=4), HttpClient()
        await db.open()
        await http.open()
        queue = Queue(redis, consumer_host="week", slot=1, queue_slots=settings.queue_slots)
        await queue.start()
        spools = [Spool(Path(folder) / "spool", name, 1_000_000) for name in ("clicks", "events")]
        for spool in spools:
            await spool.open()
        stack.push_async_callback(queue.stop)
        app = App(
            settings=settings,
            db=db,
            queue=queue,
            http=http,
            telegram=TelegramClient(http, telegram),
            vault=Vault(bytes(range(KEY_BYTES))),
            bots=BotCache(settings.bot_cache_seconds),
            pools=PoolCache(),
            click_spool=spools[0],
            event_spool=spools[1],
            clock=lambda: datetime.fromisoformat(clock.read_text(encoding="ascii")),
        )
        Worker(queue, app).start()
        (Path(folder) / f"ready-{os.getpid()}").touch()
        while True:
            await timers.fire_due(app)
            await sweep.sweep(app)
            await asyncio.sleep(ROUND_SECONDS)


def end_with_parent() -> None:
    """Leave when the test does."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
