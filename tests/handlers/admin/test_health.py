"""/health: who sees its details, and what it says that is not as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from grimbots.conf.settings import Settings, load
from grimbots.queue.worker import Worker
from grimbots.services import crons, examinations
from grimbots.services.rounds import Round
from grimbots.tests.conftest import Clock, Tenant
from grimbots.tests.handlers.admin.readers import Reader

STRANGER, NEIGHBOUR = "203.0.113.9", "10.1.2.3"


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    """Give settings with a proxy before us on this machine."""
    return load({"GRIMBOTS_DATA": str(tmp_path), "TRUSTED_PROXIES": "127.0.0.1"})


@pytest.fixture
def working(io_loop: Any, app: Any) -> Iterator[None]:
    """Let this process run jobs."""
    worker = Worker(app.queue, app)

    async def start() -> Any:
        return worker.start()

    io_loop.run_sync(start)
    io_loop.run_sync(worker.wait_claimed)
    yield
    io_loop.run_sync(worker.drain)


async def ask(reader: Reader, **headers: str) -> dict[str, Any]:
    seen = await reader.get("/health", **headers)
    told: dict[str, Any] = json.loads(seen.html)
    assert seen.status == (503 if told["status"] == "unhealthy" else 200)
    return told


@pytest.mark.gen_test
async def test_a_private_address_sees_the_details(stranger: Reader) -> None:
    assert "checks" in await ask(stranger)
    assert "checks" in await ask(stranger, X_Forwarded_For=NEIGHBOUR)


@pytest.mark.parametrize(
    "headers",
    [{"X_Forwarded_For": STRANGER}, {"X_Forwarded_For": f"{NEIGHBOUR}, {STRANGER}"}, {"Forwarded": f"for={NEIGHBOUR}"}],
    ids=["by the proxy", "forged before the proxy", "in words we do not read"],
)
@pytest.mark.gen_test
async def test_a_stranger_sees_how_it_is_and_no_more(stranger: Reader, headers: dict[str, str]) -> None:
    assert sorted(await ask(stranger, **headers)) == ["status", "timestamp"]


@pytest.mark.gen_test
async def test_a_proxy_that_nobody_trusts_vouches_for_nobody(stranger: Reader, web: Any) -> None:
    trusting = web.settings["app"].settings
    object.__setattr__(trusting, "trusted_proxies", ())
    assert sorted(await ask(stranger, X_Forwarded_For=NEIGHBOUR)) == ["status", "timestamp"]


@pytest.mark.gen_test
async def test_an_administrator_sees_the_details_from_anywhere(administrator: Reader, owner: Reader, app: Any) -> None:
    assert "checks" in await ask(administrator, X_Forwarded_For=STRANGER)
    assert "checks" not in await ask(owner, X_Forwarded_For=STRANGER)
    await app.db.close()
    assert await ask(administrator, X_Forwarded_For=STRANGER) == {
        "status": "unhealthy",
        "timestamp": app.clock().isoformat(),
    }


@pytest.mark.gen_test
async def test_head_answers_the_status_alone(app: Any, http_client: Any, base_url: str) -> None:
    for path, status in (("/live", 200), ("/ready", 200), ("/health", 503)):
        answer = await http_client.fetch(f"{base_url}{path}", method="HEAD", raise_error=False)
        assert (answer.code, answer.body) == (status, b"")


@pytest.mark.gen_test
async def test_tells_of_every_part(working: None, stranger: Reader, app: Any) -> None:
    app.lag.note(0.25)
    app.rounds.begin("sweep", 10, app.clock())
    await crons.enter(app)
    told = await ask(stranger)
    assert (told["status"], told["warnings"]) == ("healthy", [])
    checks = told["checks"]
    assert checks["loop"] == {"worst_lag_seconds": 0.25}
    assert checks["disk"].keys() == {"free_bytes", "free_part", "clicks_bytes", "events_bytes"}
    assert 0 < checks["disk"]["free_part"] < 1 < checks["disk"]["free_bytes"]
    assert checks["database"]["connections"]["used"] >= 1
    assert checks["database"]["replication"] == {"replicas": 0, "lag_bytes": None, "lag_seconds": None}
    assert {name: one for name, one in checks["redis"]["servers"][0].items() if name in ("role", "replicas")} == {
        "role": "master",
        "replicas": 0,
    }
    assert set(checks["redis"]["workers"].values()) == {1}
    assert [process["claims"] for process in checks["processes"]] == [True]
    assert checks["duties"] == [{"name": "sweep", "succeeded_at": None, "is_late": False}]
    assert [cron["finished_at"] for cron in checks["crons"]] == [None] * len(crons.CRONS)
    assert (checks["webhooks"]["bots"], checks["webhooks"]["lost"]) == (0, [])


def lose_webhook(app: Any, tenant: Tenant, query: Callable[..., Any]) -> None:
    query(
        "INSERT INTO bot_webhooks (bot_id, account_id, state, host, state_since, asked_at, seen_at)"
        " VALUES (%s, %s, 'taken', 'thief.example.org', %s, %s, %s)",
        *(tenant.bot_id, tenant.account_id, app.clock(), app.clock(), app.clock()),
    )


@pytest.mark.gen_test
async def test_warns_of_what_is_not_as_it_should_be(
    working: None,
    stranger: Reader,
    app: Any,
    accounts: list[Tenant],
    query: Callable[..., Any],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(examinations, "LEAST_FREE_PART", 1.1)
    await crons.enter(app)
    clock.move(hours=1)
    app.lag.note(3.0)
    app.rounds.last["sweep"] = Round(timedelta(seconds=10), clock() - timedelta(minutes=10), has_succeeded=True)
    lose_webhook(app, accounts[0], query)
    query(
        "INSERT INTO processes (name, queues, claims, lag_seconds, heard, seen_at)"
        " VALUES ('other:1', '{tasks,orphans}', false, 0, '', %s)",
        clock(),
    )
    told = await ask(stranger)
    free = told["checks"]["disk"]["free_part"]
    assert (told["status"], told["warnings"]) == (
        "degraded",
        [
            "no process takes jobs of orphans: they wait",
            f"the disk of the data folder has {free:.1%} left: without room clicks and events are lost",
            "the event loop of test:0 was held up for 3.0 s within the last minute: see its log",
            "the duty sweep has not come to its end for too long: see the log",
            f"the cron {', '.join(sorted(crons.CRONS))} has not come to its end for too long: see the log",
            "the webhooks of 1 of 1 bots were taken over or deleted within a day",
        ],
    )
    assert [lost["host"] for lost in told["checks"]["webhooks"]["lost"]] == ["thief.example.org"]


@pytest.mark.gen_test
async def test_warns_of_a_data_folder_that_is_not_there(working: None, stranger: Reader, app: Any) -> None:
    object.__setattr__(app.settings, "data_dir", "/nowhere/at/all")
    told = await ask(stranger)
    assert told["warnings"] == ["the data folder does not answer: clicks and events are lost while postgres is away"]


@pytest.mark.gen_test
async def test_warns_when_telegram_fails_to_deliver_or_nobody_looks(
    working: None, stranger: Reader, app: Any, accounts: list[Tenant], query: Callable[..., Any], clock: Clock
) -> None:
    lose_webhook(app, accounts[0], query)
    query("UPDATE bot_webhooks SET state = 'ours', host = NULL, error = 'Connection refused', error_at = %s", clock())
    assert (await ask(stranger))["warnings"] == ["telegram could not deliver to 1 of 1 bots within the last minutes"]
    clock.move(minutes=9)
    assert (await ask(stranger))["warnings"] == ["a bot's webhook was not looked at since 2026-03-02 12:00 UTC"]


@pytest.mark.gen_test
async def test_a_bot_that_stays_taken_over_is_counted_and_its_sellers_affair(
    working: None, stranger: Reader, app: Any, accounts: list[Tenant], query: Callable[..., Any], clock: Clock
) -> None:
    lose_webhook(app, accounts[0], query)
    assert (await ask(stranger))["status"] == "degraded"
    clock.move(days=1)
    query("UPDATE bot_webhooks SET seen_at = %s", clock())
    told = await ask(stranger)
    assert (told["status"], told["warnings"]) == ("healthy", [])
    webhooks = told["checks"]["webhooks"]
    assert (webhooks["bots"], webhooks["taken"], webhooks["lost"][0]["bot"]) == (1, 1, "tenant1_bot")


@pytest.mark.gen_test
async def test_a_seller_is_told_of_a_bot_that_was_taken_over(
    owner: Reader, app: Any, accounts: list[Tenant], query: Callable[..., Any]
) -> None:
    lose_webhook(app, accounts[0], query)
    query("UPDATE bot_webhooks SET pending_count = 12, error = 'Gateway Timeout', error_at = %s", app.clock())
    sales = await owner.get("/sales/tenant1")
    assert "Bots que não recebem nada: 1" in sales.text
    bots = await owner.get("/sales/tenant1/bots")
    for said in ("@tenant1_bot", "tomado por outro servidor", "thief.example.org", "Gateway Timeout", "Telegram: 12"):
        assert said in bots.text
    assert "tenant2" not in bots.text


@pytest.mark.gen_test
async def test_a_bot_in_service_is_shown_so(owner: Reader, accounts: list[Tenant], query: Any, app: Any) -> None:
    lose_webhook(app, accounts[0], query)
    query("UPDATE bot_webhooks SET state = 'ours', host = NULL")
    assert "em serviço" in (await owner.get("/sales/tenant1/bots")).text
    assert "não recebem nada" not in (await owner.get("/sales/tenant1")).text
