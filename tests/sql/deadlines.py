"""Waiting for a thing to come true, never longer than it may need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


async def become_true(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until `condition` holds, looking every few milliseconds.

    Raises:
        TimeoutError: it does not hold after `seconds`.
    """
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def expect_soon(awaited: Awaitable[Any], seconds: float = 30) -> Any:
    """Wait for a result that must not need longer than `seconds`."""
    return await asyncio.wait_for(awaited, seconds)
