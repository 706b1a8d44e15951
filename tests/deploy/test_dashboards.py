"""deploy/grafana: every query of the dashboard, asked of a real Prometheus that scrapes a working application."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from grimbots.conf.loops import LoopWatch
from grimbots.services import crons, duties, logins, pools
from grimbots.services.payments import settle
from grimbots.tests.deploy.fronts import DEPLOY, HOST, accepts, render, run_server
from grimbots.tests.ports import pick_port
from grimbots.tests.services.shops import PRICE_CENTS, Shop
from grimbots.tests.services.workers import work

DASHBOARD = json.loads((DEPLOY / "grafana" / "grimbots.json").read_text())
WAIT_SECONDS = 60
ROUND_SECONDS = 0.2


def list_queries() -> dict[str, str]:
    """Give each query by where it stands."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "1m")
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", [])
    }


@pytest.fixture
def prometheus(tmp_path: Path, base_url: str) -> Iterator[str]:
    """Run Prometheus on the shipped files, its target the application, in a hurry; give its address."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed: make monitoring")
    port = pick_port()
    changes = {
        "scrape_interval: 15s": f"scrape_interval: {ROUND_SECONDS * 1000:.0f}ms",
        "evaluation_interval: 15s": f"evaluation_interval: {ROUND_SECONDS * 1000:.0f}ms",
        '"127.0.0.1:9100", "127.0.0.1:9101"': f'"{base_url.removeprefix("http://")}"',
        "127.0.0.1:9093": f"{HOST}:{pick_port()}",
    }
    (tmp_path / "prometheus.yml").write_text(render(DEPLOY / "prometheus" / "prometheus.yml", changes))
    for rules in ("grimbots.rules.yml", "grimbots.alerts.yml"):
        shutil.copy(DEPLOY / "prometheus" / rules, tmp_path)
    command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
    listen = [f"--web.listen-address={HOST}:{port}", "--log.level=warn"]
    with run_server([*command, *listen], tmp_path / "prometheus.log", lambda: accepts(port)):
        yield f"http://{HOST}:{port}"


async def ask(http_client: Any, url: str) -> Any:
    answer = await http_client.fetch(url, raise_error=False, request_timeout=30)
    told = json.loads(answer.body)
    assert told["status"] == "success", told
    return told["data"]


async def has_figures(http_client: Any, prometheus: str, query: str) -> bool:
    """Tell whether a query gives a figure: `NaN` is none."""
    data = await ask(http_client, f"{prometheus}/api/v1/query?query={quote(query)}")
    return any(math.isfinite(float(series["value"][1])) for series in data["result"])


@pytest.fixture
def trade(
    io_loop: Any, app: Any, shop: Shop, http_client: Any, base_url: str, query: Callable[..., Any]
) -> Callable[[int], Any]:
    """Give a function that lets somebody click, write and pay."""
    key, secret = shop.tenant.key, app.vault.webhook_secret(shop.tenant.key, 1)
    query("UPDATE bots SET funnel_id = funnels.id FROM funnels WHERE funnels.account_id = bots.account_id")
    io_loop.run_sync(partial(pools.save, app, account="tenant1", slug="promo", usernames=["tenant1_bot"], actor="test"))
    io_loop.run_sync(partial(app.pools.load, app))

    async def once(number: int) -> None:
        sender = {"id": number, "is_bot": False, "first_name": "Ana"}
        start = {"message_id": 1, "date": 1772452800, "chat": {"id": number, "type": "private"}, "from": sender}
        posted = await http_client.fetch(
            f"{base_url}/webhook/telegram/{key}",
            method="POST",
            body=json.dumps({"update_id": number, "message": {**start, "text": "/start"}}),
            headers={"X-Telegram-Bot-Api-Secret-Token": secret},
        )
        clicked = await http_client.fetch(f"{base_url}/go/promo", follow_redirects=False, raise_error=False)
        assert (posted.code, clicked.code) == (200, 302)
        payment = await shop.charge(100_000 + number)
        told = {"paid_at": app.clock(), "end_to_end_id": f"E{number}", "actor": "webhook", "reason": "told"}
        key_of_it = {"payment_id": payment.id, "account_id": payment.account_id}
        await settle(shop.app, **key_of_it, paid_cents=PRICE_CENTS, **told)

    return once


@pytest.mark.gen_test(timeout=WAIT_SECONDS + 30)
async def test_every_query_of_the_dashboard_gives_figures(
    app: Any,
    fake_telegram: Any,
    http_client: Any,
    prometheus: str,
    trade: Callable[[int], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crons, "CRONS", {"forget_logins": (timedelta(hours=1), logins.forget_old)})
    fake_telegram.answer("getWebhookInfo", {"url": ""})
    await crons.enter(app)
    open_queries = list_queries()
    with LoopWatch():
        async with work(app):
            running = [*duties.all_duties(app), duties.report(app)]
            background = [asyncio.create_task(duty) for duty in running]
            number = 1
            deadline = time.monotonic() + WAIT_SECONDS
            while open_queries and time.monotonic() < deadline:
                await trade(number)
                number += 1
                await asyncio.sleep(ROUND_SECONDS)  # scrapes come meanwhile; what is waited for is the condition above
                for place, query in list(open_queries.items()):
                    if await has_figures(http_client, prometheus, query):
                        del open_queries[place]
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
    assert open_queries == {}
    assert not await has_figures(http_client, prometheus, "grimbots_nothing_of_this_name")
    groups = (await ask(http_client, f"{prometheus}/api/v1/rules"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    assert len(rules) > 30


def test_the_old_plans_panels_are_there() -> None:
    told = " ".join(list_queries().values())
    for name in (
        "grimbots_http_requests_total",
        "grimbots:update_seconds:p50",
        "grimbots:update_seconds:p95",
        "grimbots:update_seconds:p99",
        "grimbots:errors:rate5m",
        "grimbots_leads_active",
        "grimbots:queue_pending_jobs:max",
        "grimbots_database_connections",
        "grimbots_queue_memory_part",
    ):
        assert name in told


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    """Grafana is not in Debian, so this looks at what its import demands. Not run here."""
    panels = DASHBOARD["panels"]
    assert (DASHBOARD["uid"], DASHBOARD["title"]) == ("grimbots", "GrimBots")
    assert [panel["id"] for panel in panels] == sorted({panel["id"] for panel in panels})
    cells = {
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    }
    assert len(cells) == sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in panels)
    assert max(x for x, _ in cells) == 23
    sources = {json.dumps(target["datasource"]) for panel in panels for target in panel.get("targets", [])}
    assert sources == {'{"type": "prometheus", "uid": "${datasource}"}'}


def test_loki_and_promtail_have_their_shape() -> None:
    """Neither is in Debian. Not run here."""
    loki = yaml.safe_load((DEPLOY / "loki" / "loki.yml").read_text())
    assert loki.keys() == {
        "auth_enabled",
        "server",
        "common",
        "schema_config",
        "limits_config",
        "compactor",
    }
    (period,) = loki["schema_config"]["configs"]
    assert (period["store"], period["schema"], period["index"]["period"]) == ("tsdb", "v13", "24h")
    assert loki["compactor"]["retention_enabled"]
    assert loki["compactor"]["delete_request_store"] == period["object_store"]
    promtail = yaml.safe_load((DEPLOY / "loki" / "promtail.yml").read_text())
    port = loki["server"]["http_listen_port"]
    assert promtail["clients"] == [{"url": f"http://127.0.0.1:{port}/loki/api/v1/push"}]
    assert {job["job_name"] for job in promtail["scrape_configs"]} == {"grimbots", "nginx"}


def test_no_log_label_grows_with_bots() -> None:
    jobs = yaml.safe_load((DEPLOY / "loki" / "promtail.yml").read_text())["scrape_configs"]
    stages = [stage for job in jobs for stage in job.get("pipeline_stages", [])]
    labels = {label for stage in stages for label in stage.get("labels", {})}
    labels |= set(jobs[0]["journal"]["labels"]) | set(jobs[1]["static_configs"][0]["labels"])
    assert labels == {"level", "job", "__path__"}


@pytest.mark.parametrize("name", ["datasources", "dashboards"])
def test_grafana_is_provisioned_with_what_is_here(name: str) -> None:
    told = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / f"{name}.yml").read_text())
    assert told["apiVersion"] == 1
    if name == "datasources":
        ports = [source["url"].rpartition(":")[2] for source in told["datasources"]]
        assert ports == ["9090", "3100"]
