"""Every public sample of an update, through the front door and a worker, twice: no fault, and then nothing new."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grimbots.handlers.commands.seeds import DEMO
from grimbots.queue.inspector import Inspector
from grimbots.queue.worker import Worker
from grimbots.services.funnels import versions
from grimbots.services.funnels.files import read_files
from grimbots.tests.rows import query

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "updates.jsonl"
QUIET_SECONDS = 60
TABLES = ("leads", "applied_updates", "messages", "payments", "deliveries", "timers", "provider_events")


@pytest.fixture
def selling_bot(io_loop: Any, app: Any, accounts: Any, database_url: str) -> Any:
    """Give the first tenant's bot the demo funnel."""

    async def publish() -> None:
        definition, files = read_files(DEMO)
        published = await versions.publish(app, accounts[0].account_id, definition, files, actor="test")
        query(database_url, f"UPDATE bots SET funnel_id = {published.funnel_id} WHERE id = {accounts[0].bot_id}")

    io_loop.run_sync(publish)
    return accounts[0]


@pytest.fixture
def working(io_loop: Any, app: Any) -> Iterator[None]:
    worker = Worker(app.queue, app)

    async def start() -> None:
        worker.start()

    io_loop.run_sync(start)
    yield
    io_loop.run_sync(worker.drain)


def _count_rows(url: str) -> dict[str, int]:
    return {table: query(url, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


async def _wait_quiet(app: Any) -> None:
    async with asyncio.timeout(QUIET_SECONDS):
        while any(queue.pending + queue.in_flight for queue in await Inspector(app.queue).queues()):
            await asyncio.sleep(0.02)


def _message(update_id: int, chat_id: int) -> dict[str, Any]:
    sender = {"id": chat_id, "is_bot": False, "first_name": "Ana"}
    message = {"message_id": 1, "date": 1, "chat": {"id": chat_id, "type": "private"}, "from": sender, "text": "/start"}
    return {"update_id": update_id, "message": message}


@pytest.mark.slow
@pytest.mark.gen_test(timeout=180)
async def test_samples_are_handled_once_without_a_fault(
    http_client: Any, base_url: str, app: Any, selling_bot: Any, working: Any, database_url: str, fake_telegram: Any
) -> None:
    if not SAMPLES.exists():
        pytest.skip("the sample updates (shared/data/updates.jsonl) are not here")
    updates = [json.loads(line)["update"] for line in SAMPLES.read_text(encoding="utf-8").splitlines()]
    fresh = [{**update, "update_id": 5000 + place} for place, update in enumerate(updates)] + [_message(9000, 77)]
    headers = {"X-Telegram-Bot-Api-Secret-Token": app.vault.webhook_secret(selling_bot.key, 1)}
    url = f"{base_url}/webhook/telegram/{selling_bot.key}"
    seen = []
    for _ in range(2):
        for update in fresh:
            answer = await http_client.fetch(url, method="POST", body=json.dumps(update), headers=headers)
            assert answer.code == 200
        await _wait_quiet(app)
        seen.append((_count_rows(database_url), len(fake_telegram.calls)))
    assert seen[0] == seen[1]
    assert seen[0][0]["leads"] > 1
    assert seen[0][1] > 1
    assert [dead.job.id for dead in await Inspector(app.queue).dead()] == []
