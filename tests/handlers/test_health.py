"""/live, /ready, /health and /metrics: what each says when something is away."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from grimbots.queue.job import Job
from grimbots.queue.operators import Operator
from grimbots.queue.worker import Worker
from grimbots.services import examinations


@pytest.fixture
def get(http_client: Any, base_url: str) -> Any:
    async def fetch(path: str) -> tuple[int, Any]:
        answer = await http_client.fetch(base_url + path, raise_error=False)
        return answer.code, json.loads(answer.body)

    return fetch


@pytest.fixture
def working(io_loop: Any, app: Any) -> Any:
    worker = Worker(app.queue, app)

    async def start() -> Any:
        return worker.start()

    io_loop.run_sync(start)
    yield worker
    io_loop.run_sync(worker.drain)


async def _until(check: Any, status: str) -> tuple[int, Any]:
    async with asyncio.timeout(30):
        while (answer := await check("/health"))[1]["status"] != status:
            await asyncio.sleep(0.02)
    return answer


@pytest.mark.gen_test
async def test_live_and_ready_answer_without_asking_a_store(get: Any, app: Any) -> None:
    await app.db.close()
    assert (await get("/live"))[0] == 200
    assert (await get("/ready"))[0] == 200


@pytest.mark.gen_test
async def test_ready_is_503_while_draining(get: Any, web: Any) -> None:
    web.settings["draining"].set()
    assert await get("/ready") == (503, {"status": "draining"})


@pytest.mark.gen_test
async def test_health_shows_stores_and_every_queue(get: Any, working: Any) -> None:
    code, report = await _until(get, "healthy")
    assert code == 200
    assert report["checks"]["database"]["status"] == "up"
    assert report["checks"]["redis"]["connections"] == ["blocking", "commands"]
    assert {queue["queue"] for queue in report["checks"]["redis"]["queues"]} == {
        "tasks",
        "webhook",
        "gateway",
        "checks",
        "campaigns",
    }


@pytest.mark.gen_test
async def test_health_is_unhealthy_when_nobody_claims(get: Any) -> None:
    code, report = await get("/health")
    assert (code, report["status"], report["checks"]["redis"]["status"]) == (503, "unhealthy", "not claiming")


@pytest.mark.gen_test
async def test_health_is_unhealthy_without_postgres(get: Any, working: Any, app: Any) -> None:
    await _until(get, "healthy")
    await app.db.close()
    code, report = await get("/health")
    assert (code, report["checks"]["database"]["status"]) == (503, "down")


@pytest.mark.gen_test
async def test_health_warns_of_what_an_operator_stopped(get: Any, working: Any, app: Any) -> None:
    operator = Operator(app.queue)
    await _until(get, "healthy")
    await operator.pause("queue", "tasks")
    await operator.drain("queue", "gateway")
    await operator.pause("account", "7")
    code, report = await _until(get, "degraded")
    assert code == 200
    assert report["warnings"] == [
        "queue gateway takes nothing new until grimbots queue resume gateway",
        "queue tasks is paused: nothing of it starts until grimbots queue resume tasks",
        "an operator stopped 1 sources or accounts: grimbots queue resume",
    ]
    for kind, name in (("queue", "tasks"), ("queue", "gateway"), ("account", "7")):
        await operator.resume(kind, name)
    await _until(get, "healthy")


@pytest.mark.gen_test
async def test_metrics_hold_what_is_stopped_and_what_went_through(http_client: Any, base_url: str, app: Any) -> None:
    await Operator(app.queue).pause("queue", "tasks")
    await Operator(app.queue).pause("account", "7")
    await Operator(app.queue).drain("account", "8")
    await app.queue.enqueue(Job("u:1:1", "updates.handle", "tasks", "b1", "1", "55", {}))
    await app.queue.hold_source("b1", 30)
    text = (await http_client.fetch(f"{base_url}/metrics")).body.decode()
    for line in (
        'grimbots_queue_paused_places{kind="queue"} 1.0',
        'grimbots_queue_paused_places{kind="account"} 1.0',
        'grimbots_queue_paused_places{kind="source"} 0.0',
        'grimbots_queue_draining_places{kind="account"} 1.0',
        'grimbots_queue_enqueued_jobs{queue="tasks"} 1.0',
        'grimbots_queue_settled_jobs{queue="tasks"} 0.0',
        'grimbots_queue_in_flight_jobs{queue="tasks"} 0.0',
        "grimbots_queue_due_entries 1.0",
        "grimbots_queue_consumers 0.0",
    ):
        assert line in text


@pytest.mark.gen_test
async def test_metrics_hold_the_queues_depth(http_client: Any, base_url: str) -> None:
    text = (await http_client.fetch(f"{base_url}/metrics")).body.decode()
    assert 'grimbots_queue_pending_jobs{queue="tasks"} 0.0' in text
    assert "grimbots_queue_up 1.0" in text


@pytest.mark.gen_test
async def test_who_asks_within_a_second_shares_an_examination(
    get: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examinations, "FRESH_SECONDS", 3600.0)
    first, second = await asyncio.gather(get("/health"), get("/health"))
    await Operator(app.queue).pause("queue", "tasks")
    assert first == second == await get("/health")
    monkeypatch.setattr(examinations, "FRESH_SECONDS", 0.0)
    assert any("tasks is paused" in warning for warning in (await get("/health"))[1]["warnings"])


@pytest.mark.gen_test
async def test_who_asks_while_an_examination_runs_hears_the_last(
    get: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examinations, "STALE_SECONDS", 3600.0)
    first = await get("/health")
    await Operator(app.queue).pause("queue", "tasks")
    assert await get("/health") == first
    async with asyncio.timeout(30):
        while not any("tasks is paused" in warning for warning in (await get("/health"))[1]["warnings"]):
            pass


@pytest.mark.gen_test
async def test_unknown_path_is_a_json_404(get: Any) -> None:
    code, body = await get("/nothing")
    assert (code, body["error"]["code"]) == (404, "http_404")
