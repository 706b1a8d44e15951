"""deploy/prometheus and deploy/alertmanager by their own tools: every alert fires when it should, and only then."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from grimbots.conf import metrics
from grimbots.handlers.routes import routes
from grimbots.queue.reports import Death
from grimbots.services import crons

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES, ALERTS = PROMETHEUS / "grimbots.rules.yml", PROMETHEUS / "grimbots.alerts.yml"
GUIDES = ("docs/alerts.md", "docs/alerts.pt-BR.md")
OURS = re.compile(r"\b(?:grimbots_[a-z0-9_]+|process_[a-z0-9_]+)")
INSTANCE = 'instance="a",job="grimbots"'
UP = f"up{{{INSTANCE}}}"


def load(path: Path) -> list[Any]:
    (group,) = yaml.safe_load(path.read_text())["groups"]
    rules: list[Any] = group["rules"]
    return rules


def list_exposed() -> set[str]:
    """List every name that a scrape may show, a histogram's and a counter's parts too."""
    names: set[str] = set()
    for family in metrics.REGISTRY.collect():
        names |= {family.name, f"{family.name}_total", f"{family.name}_bucket", f"{family.name}_sum"}
        names |= {f"{family.name}_count", *(sample.name for sample in family.samples)}
    return names


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: make monitoring")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Case:
    """Series in promtool's words: under `firing` the alert comes after `minutes`, under `silent` never."""

    firing: Mapping[str, str]
    silent: Mapping[str, str]
    minutes: int
    labels: Mapping[str, str] = field(default_factory=dict)


def buckets(name: str, labels: str, fast: str, slow: str) -> dict[str, str]:
    """Write a histogram of which all observations lie under 0.1 s (`fast`), or between 1 and 5 s (`slow`)."""
    bounds = {"0.1": fast, "1": fast, "5": slow, "+Inf": slow}
    return {f'{name}_bucket{{{labels},le="{bound}"}}': values for bound, values in bounds.items()}


def gauge(name: str, labels: str = INSTANCE) -> str:
    return f"grimbots_{name}{{{labels}}}"


ON_A = {"instance": "a", "job": "grimbots"}
SLOW, FAST = ("0+0x30", "0+60x30"), ("0+60x30", "0+60x30")
HANDLING = f'task="updates.handle",{INSTANCE}'
HANDLER = f'handler="TelegramHandler",{INSTANCE}'
QUEUE = f'queue="tasks",{INSTANCE}'
DEATH, LOST = gauge("queue_deaths_total", f'reason="poison",{INSTANCE}'), gauge("clicks_total", 'outcome="dropped"')
REFUSED = gauge("payments_events_spooled_total", 'outcome="refused"')
REFUSAL, BLOCKED = (gauge("telegram_errors_total", f'error_type="{kind}"') for kind in ("refused", "dead_chat"))
SWEEP, POOLS = (gauge("duty_success_timestamp_seconds", f'duty="{duty}",{INSTANCE}') for duty in ("sweep", "pools"))
CRON, OWED = gauge("cron_success_timestamp_seconds", 'cron="keep_days"'), gauge("deliveries_owed", 'status="failed"')
TAKEN, GOOD = (gauge("telegram_webhooks", f'state="{state}"') for state in ("taken", "ours"))
DEAD = gauge("telegram_bots", 'status="dead"')
FAILING, LEFT = gauge("telegram_webhooks_failing"), gauge("payments_events_left_over", 'status="unmatched"')
UNTOLD, PAUSED = (
    gauge(f"conversions_{what}", f'network="meta",{INSTANCE}') for what in ("oldest_seconds", "paused_destinations")
)
BROKEN = gauge("payments_gateway_accounts", 'state="open"')
DIFFERS, STRANGERS = (gauge("payments_statement_differences", f'kind="{kind}"') for kind in ("unpaid", "stranger"))
UNEVEN, STUCK = gauge("ledger_differences"), gauge("payments_refunds_stuck")
LAG = gauge("database_replica_lag_bytes")
USED, ALLOWED = gauge("database_connections"), gauge("database_connections_allowed")

CASES: dict[str, Case] = {
    "GrimBotsAbsent": Case({'up{job="node"}': "1x30"}, {UP: "1x30"}, 6, {"job": "grimbots"}),
    "GrimBotsProcessDown": Case({UP: "0x30"}, {UP: "1x5 0x0 1x30"}, 2, ON_A),
    "GrimBotsPostgresDown": Case(
        {gauge("database_up"): "0x30"},
        {gauge("database_up"): "1x30", gauge("database_up", 'instance="b"'): "0x30"},
        2,
    ),
    "GrimBotsRedisDown": Case({gauge("queue_up"): "0x30"}, {gauge("queue_up"): "1x30"}, 2),
    "GrimBotsNoWorker": Case(
        {gauge("queue_workers", QUEUE): "0x30"}, {gauge("queue_workers", QUEUE): "1x30"}, 2, {"queue": "tasks"}
    ),
    "GrimBotsErrors": Case(
        {REFUSAL: "0+7x30"}, {BLOCKED: "0+600x30", REFUSAL: "0+5x30", DEATH: "0x30"}, 12
    ),  # a minute: 0.117 and 0.083 a second
    "GrimBotsSlowUpdates": Case(
        buckets("grimbots_queue_run_seconds", HANDLING, *SLOW),
        buckets("grimbots_queue_run_seconds", HANDLING, *FAST),
        12,
    ),
    "GrimBotsSlowWebhooks": Case(
        buckets("grimbots_http_request_seconds", HANDLER, *SLOW),
        buckets("grimbots_http_request_seconds", HANDLER, *FAST)
        | buckets("grimbots_http_request_seconds", HANDLER.replace("Telegram", "Sales"), *SLOW),
        12,
        {"handler": "TelegramHandler"},
    ),
    "GrimBotsQueueLong": Case(
        {gauge("queue_pending_jobs", QUEUE): "1001x30"},
        {gauge("queue_pending_jobs", QUEUE): "1000x30"},
        11,
        {"queue": "tasks"},
    ),
    "GrimBotsQueueOld": Case(
        {gauge("queue_oldest_seconds", QUEUE): "61x30"},
        {gauge("queue_oldest_seconds", QUEUE): "60x30", gauge("queue_oldest_seconds", 'queue="campaigns"'): "900x30"},
        6,
        {"queue": "tasks"},
    ),
    "GrimBotsJobsDying": Case({DEATH: "0x5 1x30"}, {DEATH: "7x30"}, 8, {"reason": "poison"}),
    "GrimBotsPoolShort": Case(
        {gauge("database_pool_free"): "4x30"}, {gauge("database_pool_free"): "4x3 5x1 4x3 9x30"}, 6, ON_A
    ),
    "GrimBotsConnectionsFull": Case({USED: "91x30", ALLOWED: "100x30"}, {USED: "90x30", ALLOWED: "100x30"}, 6),
    "GrimBotsRedisMemory": Case({gauge("queue_memory_part"): "0.91x30"}, {gauge("queue_memory_part"): "0.9x30"}, 11),
    "GrimBotsReplicaBehind": Case(
        {gauge("queue_replica_lag_bytes"): "2e7x30"}, {gauge("queue_replica_lag_bytes"): "1e7x30", LAG: "2e7x30"}, 6
    ),
    "GrimBotsDiskFull": Case({gauge("disk_free_part"): "0.09x30"}, {gauge("disk_free_part"): "0.1x30"}, 6, ON_A),
    "GrimBotsSpoolWaits": Case(
        {gauge("spool_bytes", 'spool="events"'): "10x30"},
        {gauge("spool_bytes", 'spool="events"'): "10x3 0x1 10x3 0x30"},
        6,
        {"spool": "events"},
    ),
    "GrimBotsClicksLost": Case({LOST: "0x5 3x30"}, {LOST: "3x30"}, 8, {"outcome": "dropped"}),
    "GrimBotsEventsRefused": Case({REFUSED: "0x5 3x30"}, {REFUSED: "3x30"}, 8, {"outcome": "refused"}),
    "GrimBotsLoopHeldUp": Case(
        buckets("grimbots_loop_lag_seconds", INSTANCE, *SLOW),
        buckets("grimbots_loop_lag_seconds", INSTANCE, *FAST),
        12,
        {"instance": "a"},
    ),
    "GrimBotsDutyLate": Case({SWEEP: "0x30"}, {SWEEP: "0+60x30", POOLS: "0x15"}, 5, {"duty": "sweep", **ON_A}),
    "GrimBotsCronLate": Case({CRON: "0x300"}, {CRON: "0x60 3600x60 7200x180"}, 150, {"cron": "keep_days"}),
    "GrimBotsWebhooksFailing": Case({FAILING: "2x30", GOOD: "10x30"}, {FAILING: "1x30", GOOD: "10x30"}, 6),
    "GrimBotsUpdatesWait": Case(
        {gauge("telegram_webhook_pending_updates"): "1001x30"},
        {gauge("telegram_webhook_pending_updates"): "1000x30"},
        11,
    ),
    "GrimBotsWebhooksLost": Case({TAKEN: "1x30"}, {TAKEN: "0x30", GOOD: "9x30"}, 6),
    "GrimBotsBotsDead": Case({DEAD: "2x3 5x30"}, {DEAD: "7x3 8x30"}, 6, {"status": "dead"}),
    "GrimBotsDeliveriesOwed": Case({OWED: "1x30"}, {OWED: "1x8 0x30"}, 11),
    "GrimBotsEventsLeftOver": Case({LEFT: "3x5 4x30"}, {LEFT: "3x30"}, 8, {"status": "unmatched"}),
    "GrimBotsConversionsWait": Case({UNTOLD: "3601x30"}, {UNTOLD: "3600x30"}, 12, {"network": "meta"}),
    "GrimBotsConversionsPaused": Case({PAUSED: "1x30"}, {PAUSED: "1x3 0x30"}, 7, {"network": "meta"}),
    "GrimBotsGatewayBroken": Case({BROKEN: "1x30"}, {BROKEN: "1x3 0x30"}, 6),
    "GrimBotsStatementDiffers": Case({DIFFERS: "2x30"}, {STRANGERS: "2x30"}, 1, {"kind": "unpaid"}),
    "GrimBotsLedgerDiffers": Case({UNEVEN: "0x3 2x30"}, {UNEVEN: "0x30"}, 5),
    "GrimBotsRefundsStuck": Case({STUCK: "0x3 1x30"}, {STUCK: "0x30"}, 5),
}
# The other halves of those that say "or".
OTHERWISE: list[tuple[str, Case]] = [
    ("GrimBotsReplicaBehind", Case({LAG: "7e7x30"}, {LAG: "6e7x30"}, 6)),
    ("GrimBotsDutyLate", Case({POOLS: "0x30"}, {POOLS: "0x9 600x30"}, 22, {"duty": "pools", **ON_A})),
]
ALL = [*CASES.items(), *OTHERWISE]
ALERT_RULES = {rule["alert"]: rule for rule in load(ALERTS)}


def write_test(alert: str, case: Case) -> list[dict[str, Any]]:
    """Write promtool's tests of one alert: it fires, and in as many minutes of the other series it does not."""
    rule = ALERT_RULES[alert]
    expected = {"exp_labels": {**rule["labels"], **case.labels}, "exp_annotations": rule["annotations"]}

    def group(name: str, series: Mapping[str, str], times: list[int], alerts: list[Any]) -> dict[str, Any]:
        asked = [{"eval_time": f"{at}m", "alertname": alert, "exp_alerts": alerts} for at in times]
        inputs = [{"series": one, "values": values} for one, values in series.items()]
        return {"name": f"{alert} {name}", "interval": "1m", "input_series": inputs, "alert_rule_test": asked}

    silent_minutes = list(range(0, case.minutes + 3, 1 if case.minutes < 30 else 15))
    firing = group("fires", case.firing, [case.minutes], [expected])
    return [firing, group("is silent", case.silent, silent_minutes, [])]


def test_every_alert_fires_and_stays_silent(tmp_path: Path) -> None:
    need("promtool")
    assert set(CASES) == set(ALERT_RULES)
    tests = [group for alert, case in ALL for group in write_test(alert, case)]
    file = tmp_path / "alerts.test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES), str(ALERTS)], "tests": tests}))
    run("promtool", "test", "rules", file)


def test_the_old_plans_alerts_are_as_it_asked() -> None:
    asked = {
        "GrimBotsErrors": ("5m", "critical"),
        "GrimBotsSlowUpdates": ("5m", "warning"),
        "GrimBotsQueueLong": ("10m", "warning"),
        "GrimBotsPoolShort": ("5m", "critical"),
        "GrimBotsRedisMemory": ("10m", "warning"),
    }
    told = {alert: (ALERT_RULES[alert]["for"], ALERT_RULES[alert]["labels"]["severity"]) for alert in asked}
    assert told == asked


def test_no_alert_comes_before_its_time(tmp_path: Path) -> None:
    """Without this the durations could be anything."""
    need("promtool")
    tests = []
    for alert, case in ALL:
        minutes = int(ALERT_RULES[alert]["for"].removesuffix("m"))
        if minutes > 1:
            firing, _ = write_test(alert, case)
            (asked,) = firing["alert_rule_test"]
            tests.append({**firing, "alert_rule_test": [{**asked, "eval_time": f"{minutes - 1}m", "exp_alerts": []}]})
    file = tmp_path / "early.test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES), str(ALERTS)], "tests": tests}))
    run("promtool", "test", "rules", file)


def test_prometheus_accepts_its_configuration() -> None:
    need("promtool")
    assert "SUCCESS" in run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.parametrize("path", [RULES, ALERTS], ids=["rules", "alerts"])
def test_rules_ask_for_metrics_that_there_are(path: Path) -> None:
    expressions = [rule["expr"] for rule in load(path)]
    recorded = {rule["record"] for rule in load(RULES)}
    exposed = list_exposed()
    asked = {name for expr in expressions for name in OURS.findall(expr)}
    assert asked - exposed == set()
    assert {name for expr in expressions for name in re.findall(r"grimbots:[a-z0-9_:]+", expr)} - recorded == set()


def test_rules_name_what_there_is(settings: Any) -> None:
    """A handler, a reason or a cron that was renamed would silence an alert."""
    told = "".join(rule["expr"] for rule in load(ALERTS))
    handlers = {name for names in re.findall(r'handler=~"([^"]+)"', told) for name in names.split("|")}
    assert handlers <= {handler.__name__ for _, handler in routes(settings)}
    reasons = {sample.labels["reason"] for sample in next(iter(metrics.queue_deaths.collect())).samples}
    assert reasons == {death.value for death in Death}
    assert max(every.total_seconds() for every, _ in crons.CRONS.values()) == 3600


@pytest.mark.parametrize("guide", GUIDES)
def test_every_alert_has_its_line_in_the_guides(guide: str) -> None:
    headings = re.findall(r"(?m)^### (\w+)", (ROOT / guide).read_text())
    assert headings == list(ALERT_RULES)
    assert {alert: rule["annotations"]["runbook"] for alert, rule in ALERT_RULES.items()} == {
        alert: f"docs/alerts.md#{alert.lower()}" for alert in ALERT_RULES
    }


def test_alertmanager_accepts_its_configuration() -> None:
    need("amtool")
    assert "SUCCESS" in run("amtool", "check-config", ROOT / "deploy" / "alertmanager" / "alertmanager.yml")


@pytest.mark.parametrize(
    ("severity", "receivers"), [("critical", "telegram,email"), ("warning", "telegram"), ("info", "email")]
)
def test_alertmanager_sends_each_severity_where_it_belongs(severity: str, receivers: str) -> None:
    need("amtool")
    configuration = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
    routed = run("amtool", "config", "routes", "test", "--config.file", configuration, f"severity={severity}")
    assert routed.strip() == receivers
