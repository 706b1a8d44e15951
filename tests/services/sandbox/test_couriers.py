"""Couriers: a new address is tried at once, whenever the word of it comes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from grimbots.services.sandbox.couriers import Courier, Verdict
from grimbots.services.sandbox.store import Row, Store

PATIENCE_SECONDS = 30


@pytest.mark.gen_test
async def test_new_address_during_an_attempt_cuts_short_the_pause_after_it(tmp_path: Path) -> None:
    store, attempts, carried = Store(tmp_path / "sandbox.db"), 0, asyncio.Event()

    async def send(parcel: Row) -> Verdict:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            courier.hurry(parcel["owner"])
            return Verdict("the old address is gone", retry_after_seconds=3600)
        carried.set()
        return Verdict()

    courier = Courier(store, {"update": send}, lambda owner: 1, time.time)
    store.run("INSERT INTO parcels (kind, owner, queue, body, made_at) VALUES ('update', 'bot', 'chat', '{}', 0)")
    courier.wake("chat")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await carried.wait()
    await courier.stop()
    store.close()
