"""Provider events while Postgres is dead, and then the server too: kept on the disk, drained once by the next one."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from grimbots.tests.e2e import kills
from grimbots.tests.e2e.installation import Installation, open_installation, until

BUYERS, TIMES, FIRST_CHAT = 4, 3, 8001
PATIENCE_SECONDS = 60.0


def list_spooled(installation: Installation) -> list[bytes]:
    """List the bodies of the events that lie on the disk, in their order there."""
    segments = (installation.folder / "spool").glob("events-*.spool")
    lines = [line for path in segments for line in path.read_bytes().split(b"\n")[:-1]]
    return [base64.b64decode(json.loads(line.partition(b" ")[2])["body"]) for line in lines]


async def _run(folder: Path) -> dict[str, Any]:
    async with open_installation(folder) as installation:
        await installation.seed(kills.FUNNEL, kills.BOT)
        buyers = [kills.Buyer(installation, FIRST_CHAT + number, starts=1) for number in range(BUYERS)]
        txids = await asyncio.gather(*(buyer.order() for buyer in buyers))
        await installation.kill("postgres")
        for buyer, txid in zip(buyers, txids, strict=True):
            await buyer.pay(txid)

        async def all_spooled() -> bool:
            return len(list_spooled(installation)) >= BUYERS * TIMES

        await until(all_spooled, PATIENCE_SECONDS, "events are not spooled")
        spooled = list_spooled(installation)
        await installation.kill("server")
        await installation.start("postgres")
        await installation.start("server")
        await asyncio.gather(*(buyer.wait_delivered() for buyer in buyers))

        async def all_acted_upon() -> bool:
            rows = installation.query("SELECT count(*) FROM provider_events WHERE status = 'applied'")
            return bool(rows[0][0] == BUYERS * TIMES)

        await until(all_acted_upon, PATIENCE_SECONDS, "events are not acted upon")
        return {
            "bodies": [bytes(body) for (body,) in installation.query("SELECT body FROM provider_events ORDER BY id")],
            "spooled": spooled,
            "paid": installation.query("SELECT state, flags FROM payments ORDER BY id"),
            "delivered": Counter(installation.query("SELECT payment_id FROM deliveries WHERE status = 'delivered'")),
            "left": list_spooled(installation),
            "errors": installation.read_errors(),
        }


@pytest.mark.slow
def test_events_kept_on_the_disk_outlive_the_process_and_act_once(servers_folder: Path) -> None:
    found = asyncio.run(_run(servers_folder / "spooled-events"))
    assert len(set(found["bodies"])) == len(found["bodies"]) == BUYERS * TIMES
    assert found["bodies"] == found["spooled"] and found["left"] == []
    assert found["paid"] == [("paid", ["double"])] * BUYERS
    assert sorted(found["delivered"].values()) == [1] * BUYERS and found["errors"] == []
