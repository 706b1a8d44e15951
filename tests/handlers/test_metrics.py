"""/metrics: ten thousand bots make no series more than one, and every label's words are known."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from grimbots.conf import metrics
from grimbots.handlers.routes import routes
from grimbots.queue.reports import Death
from grimbots.services import measures
from grimbots.services.clients.telegram import Kind
from grimbots.sql.statements import VERBS
from grimbots.tests.conftest import Tenant
from grimbots.tests.services.conftest import query
from grimbots.tests.services.workers import work

__all__ = ["query"]

BOTS, WRITTEN_TO = 10_000, 60
WAIT_SECONDS = 30
WORD = re.compile(r"[A-Za-z][A-Za-z_.]{0,40}|[1-5]xx")


def count_series(text: str) -> int:
    return sum(not line.startswith("#") for line in text.splitlines())


@pytest.fixture
def scrape(app: Any, http_client: Any, base_url: str) -> Callable[[], Any]:
    async def fetch() -> str:
        return str((await http_client.fetch(f"{base_url}/metrics")).body.decode())

    return fetch


def add_bots(app: Any, tenant: Tenant, query: Callable[..., Any]) -> list[tuple[int, str]]:
    """Add ten thousand watched bots, each webhook at another host; give the ids and keys."""
    return query(
        "WITH made AS (INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, created_at,"
        " updated_at) SELECT %s, n, 'bot_' || n, 'x', 'key-' || n, %s, now(), now() FROM generate_series(1, %s) AS n"
        " RETURNING id, account_id, key), watched AS (INSERT INTO bot_webhooks (bot_id, account_id, state, host,"
        " state_since, pending_count, asked_at) SELECT id, account_id, 'taken', 'host' || id, now(), 3, now()"
        " FROM made)"
        " SELECT id, key FROM made",
        *(tenant.account_id, app.vault.encrypt(tenant.token), BOTS),
    )


@pytest.mark.gen_test
async def test_ten_thousand_bots_make_no_more_series_than_one(
    app: Any, accounts: list[Tenant], http_client: Any, base_url: str, scrape: Any, query: Any, fake_telegram: Any
) -> None:
    async def write(key: str, number: int) -> None:
        sender = {"id": number, "is_bot": False, "first_name": "Ana"}
        message = {"message_id": 1, "date": 1, "chat": {"id": number, "type": "private"}, "from": sender}
        await http_client.fetch(
            f"{base_url}/webhook/telegram/{key}",
            method="POST",
            body=json.dumps({"update_id": number, "message": {**message, "text": "/start"}}),
            headers={"X-Telegram-Bot-Api-Secret-Token": app.vault.webhook_secret(key, 1)},
        )

    async with work(app):
        for number in range(2):
            await write(accounts[number].key, number + 1)
            await http_client.fetch(f"{base_url}/nowhere/{number}", raise_error=False)
            await http_client.fetch(f"{base_url}/go/nowhere{number}", raise_error=False)
        async with asyncio.timeout(WAIT_SECONDS):
            while 'settled_jobs{queue="tasks"} 2.0' not in await scrape():
                await asyncio.sleep(0.02)
        before = count_series(await scrape())
        bots = add_bots(app, accounts[0], query)
        for number, (_, key) in enumerate(bots[:WRITTEN_TO]):
            await write(key, 10 + number)
            await http_client.fetch(f"{base_url}/nowhere/{key}", raise_error=False)
            await http_client.fetch(f"{base_url}/go/{key}", raise_error=False)
        text = await scrape()
    assert len(bots) == BOTS
    assert 'grimbots_telegram_webhooks{state="taken"} 10000.0' in text
    assert "grimbots_telegram_webhook_pending_updates 30000.0" in text
    assert count_series(text) == before
    assert before < 2500


def test_labels_hold_words_and_no_numbers_or_names() -> None:
    """Whatever this session's tests have counted: no id, no host, no path."""
    told = {
        (label, value)
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        for label, value in sample.labels.items()
        if label != "le"
    }
    assert {pair for pair in told if not WORD.fullmatch(pair[1])} == set()


@pytest.mark.parametrize(
    ("name", "label", "words"),
    [
        ("telegram_errors", "error_type", {kind.value for kind in Kind} - {"ok"}),
        ("queue_deaths", "reason", {death.value for death in Death}),
        ("database_query_seconds", "query_type", set(VERBS)),
    ],
)
def test_a_counter_begins_at_0_for_each_word_it_knows(name: str, label: str, words: set[str]) -> None:
    samples = next(iter(getattr(metrics, name).collect())).samples
    assert {sample.labels[label] for sample in samples} == words


@pytest.mark.gen_test
async def test_a_scrape_without_postgres_says_so_and_keeps_the_rest(app: Any, scrape: Any) -> None:
    assert "grimbots_database_up 1.0" in await scrape()
    await app.db.close()
    text = await scrape()
    assert "grimbots_database_up 0.0" in text
    assert "grimbots_queue_up 1.0" in text
    assert "process_resident_memory_bytes" in text


@pytest.mark.gen_test
async def test_measures_count_pool_workers_and_spools(app: Any, scrape: Any) -> None:
    await app.click_spool.append({"token": "x"})
    async with work(app) as worker:
        await worker.wait_claimed()
        text = await scrape()
    assert re.search(r'grimbots_spool_bytes\{spool="clicks"\} [1-9]', text)
    assert 'grimbots_spool_bytes{spool="events"} 0.0' in text
    assert 'grimbots_queue_workers{queue="tasks"} 1.0' in text
    assert "grimbots_database_pool_size 10.0" in text
    assert set(measures.WEBHOOK_STATES) <= set(re.findall(r'webhooks\{state="(\w+)"', text))


def test_handlers_are_counted_by_their_class(settings: Any) -> None:
    known = {handler.__name__ for _, handler in routes(settings)} | {"NotFoundHandler"}
    samples = next(iter(metrics.http_requests.collect())).samples
    assert {sample.labels["handler"] for sample in samples} <= known | {"SandboxHandler", "LinkHandler"}
