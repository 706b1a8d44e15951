"""What a process does from its first moment on, whatever is away."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from grimbots import server
from grimbots.handlers.roles import EVERYTHING
from grimbots.tests.queue.desks import wait_until


@pytest.mark.gen_test
async def test_duties_wait_for_no_claim(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Redis away nothing is claimed; clicks and events go from the disk to Postgres all the same."""
    may_claim, stop = asyncio.Event(), asyncio.Event()

    async def wait_long(worker: Any) -> None:
        await may_claim.wait()

    monkeypatch.setattr(server, "_wait_claimed", wait_long)
    serving = asyncio.create_task(server._serve_app(app, EVERYTHING, [], stop))
    await wait_until(lambda: {"clicks", "events", "pools"} <= _list_done(app))
    may_claim.set()
    stop.set()
    assert await serving == 0
    gc.unfreeze()  # what serving froze


def _list_done(app: Any) -> set[str]:
    return {name for name, last in app.rounds.last.items() if last.has_succeeded}
