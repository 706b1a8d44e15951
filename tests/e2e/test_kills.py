"""kill -9 at random under load: per chat first sends in order, nothing missing, no repeat its row does not admit.

CI runs a slice; `make proof` runs it whole (GRIMBOTS_PROOF=1): 50 chats, 20 kills.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from grimbots.tests.e2e import kills
from grimbots.tests.e2e.installation import Installation, open_installation

WHOLE = os.environ.get("GRIMBOTS_PROOF") == "1"
CHATS, KILLS, STARTS = (50, 20, 8) if WHOLE else (12, 5, 4)
FIRST_CHAT = 7001
SLOW = {"method": "sendMessage", "delay_seconds": 0.1, "times": 1_000_000}  # so that kills find calls under way


async def _kill(installation: Installation, names: list[str], times: int) -> None:
    for number in range(times):
        await asyncio.sleep(random.uniform(0.3, 2.0))
        name = random.choice(names)
        await installation.kill(name)
        if name != "server":
            await asyncio.sleep(random.uniform(0.0, 1.0))
        await installation.start(name)
        print(f"kill {number + 1}/{times}: {name} is back")


async def _run(folder: Path, names: list[str]) -> kills.Verdict:
    chats = list(range(FIRST_CHAT, FIRST_CHAT + CHATS))
    async with open_installation(folder) as installation:
        await installation.seed(kills.FUNNEL, kills.BOT)
        await installation.api("POST", "faults", SLOW)
        buyers = [kills.Buyer(installation, chat, STARTS).walk() for chat in chats]
        await asyncio.gather(_kill(installation, names, KILLS), kills.plan_once_messages(installation, 3), *buyers)
        await kills.wait_until_quiet(installation)
        verdict = await kills.judge(installation, chats, STARTS)
        print(verdict)
        return verdict


@pytest.mark.slow
@pytest.mark.parametrize("names", [["server"], ["redis", "postgres"], ["server", "redis", "postgres"]], ids="-".join)
def test_kill_loses_nothing_and_keeps_order(servers_folder: Path, names: list[str]) -> None:
    verdict = asyncio.run(_run(servers_folder / f"kill-{'-'.join(names)}", names))
    assert verdict.faults == []
    assert verdict.sent >= CHATS * (STARTS * 3 + 4)
