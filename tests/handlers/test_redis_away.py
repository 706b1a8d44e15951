"""What the edges say while Redis is really gone: killed, not stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from grimbots.handlers.commands.embedded.children import Child, stop, wait
from grimbots.handlers.commands.embedded.redis import start_redis

UPDATE = {
    "update_id": 1,
    "message": {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}, "from": {"id": 5}, "text": "/start"},
}


@pytest.fixture
def own_redis(io_loop: Any, servers_folder: Path) -> Iterator[tuple[str, Child]]:
    folder = servers_folder / "redis-away"
    url, child = io_loop.run_sync(partial(start_redis, folder, folder.with_suffix(".log"), durable=False))
    yield url, child
    io_loop.run_sync(partial(stop, child))


@pytest.fixture
def flushed_redis_url(own_redis: tuple[str, Child]) -> str:
    return own_redis[0]


@pytest.fixture
def kill_redis(own_redis: tuple[str, Child], queue: Any) -> Any:
    async def kill() -> None:
        own_redis[1].process.kill()
        await wait(own_redis[1])

    return kill


@pytest.mark.gen_test
async def test_update_is_answered_503_with_retry_after(
    http_client: Any, base_url: str, app: Any, accounts: Any, kill_redis: Any
) -> None:
    await kill_redis()
    headers = {"X-Telegram-Bot-Api-Secret-Token": app.vault.webhook_secret(accounts[0].key, 1)}
    url = f"{base_url}/webhook/telegram/{accounts[0].key}"
    answer = await http_client.fetch(url, method="POST", body=json.dumps(UPDATE), headers=headers, raise_error=False)
    assert (answer.code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.request_time < 2.0


@pytest.mark.gen_test
async def test_health_is_unhealthy(http_client: Any, base_url: str, kill_redis: Any) -> None:
    await kill_redis()
    answer = await http_client.fetch(f"{base_url}/health", raise_error=False)
    assert (answer.code, json.loads(answer.body)["checks"]["redis"]["status"]) == (503, "down")


@pytest.mark.gen_test
async def test_live_and_ready_need_no_redis(http_client: Any, base_url: str, kill_redis: Any) -> None:
    await kill_redis()
    for path in ("/live", "/ready"):
        assert (await http_client.fetch(base_url + path)).code == 200


@pytest.mark.gen_test
async def test_metrics_say_that_the_queue_is_down(http_client: Any, base_url: str, kill_redis: Any) -> None:
    await kill_redis()
    text = (await http_client.fetch(f"{base_url}/metrics")).body.decode()
    assert "grimbots_queue_up 0.0" in text
