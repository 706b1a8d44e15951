"""What a process does from its first moment on, whatever is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from grimbots import server
from grimbots.handlers.roles import EVERYTHING
from grimbots.tests.queue.desks import wait_until


@pytest.mark.gen_test
async def test_duties_wait_for_no_claim(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Redis away nothing is claimed; clicks and events go from the disk to Postgres all the same."""

    async def wait_for_ever(worker: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(server, "_wait_claimed", wait_for_ever)
    others = asyncio.all_tasks()
    asyncio.create_task(server._serve_app(app, EVERYTHING, [], asyncio.Event()))  # noqa: RUF006 (cancelled below)
    await wait_until(lambda: {"clicks", "events", "pools"} <= _list_done(app))
    started = asyncio.all_tasks() - others
    for task in started:
        task.cancel()
    await asyncio.wait(started)


def _list_done(app: Any) -> set[str]:
    return {name for name, last in app.rounds.last.items() if last.has_succeeded}
