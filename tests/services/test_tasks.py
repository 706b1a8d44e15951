"""Tasks while Postgres is away: each waits and spends nothing, however long that lasts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grimbots.queue.task import REGISTRY, Again
from grimbots.services import (  # noqa: F401  their tasks
    admissions,
    campaigns,
    checks,
    conversion_sends,
    crons,
    deliveries,
    events,
    managed_bots,
    messages,
    nudges,
    payments,
    posts,
    refunds,
    subscriptions,
    takeovers,
    updates,
    wakes,
    warmups,
)
from grimbots.services.bots import BotCache
from grimbots.sql.database import Database

PAYLOADS: dict[str, dict[str, Any]] = {
    "accesses.tick": {"timer_id": 1, "access_id": 1, "number": 0},
    "bots.warm": {"bot_id": 1, "version_id": 1},
    "campaigns.expand": {"account_id": 1, "campaign_id": 1, "number": 0},
    "conversions.send": {"account_id": 1, "destination_id": 1, "number": 1},
    "crons.run": {"name": "keep_days", "due_at": 0.0},
    "deliveries.retry": {"timer_id": 1, "delivery_id": 1},
    "events.apply": {"event_id": 1},
    "groups.do": {"act_id": 1},
    "managed_bots.adopt": {
        "bot_id": 1,
        "update": {"update_id": 1, "managed_bot": {"user": {"id": 5}, "bot": {"id": 6}}},
    },
    "messages.broadcast": {"account_id": 1, "cause": "c:1:1"},
    "messages.send": {"cause": "u:1:1", "ordinal": 0},
    "nudges.give": {
        "timer_id": 1,
        "account_id": 1,
        "lead_id": 1,
        "version_id": 1,
        "step": "a",
        "what": "downsell",
        "place": 0,
        "payment_id": None,
        "stage": 1,
    },
    "payments.charge": {"payment_id": 1},
    "payments.check": {"payment_id": 1, "number": 0},
    "payments.expire": {"timer_id": 1, "payment_id": 1},
    "refunds.do": {"return_id": 1},
    "returns.look": {"payment_id": 1},
    "payments.look_back": {"payment_id": 1, "paid_at": 0.0},
    "payments.verify": {"payment_id": 1, "cause": "u:1:1"},
    "privacy.erase": {"account_id": 1, "bot_id": 1, "chat_id": 5, "lead_id": 1, "actor": "lead", "language": ""},
    "privacy.finish": {"bot_id": 1, "chat_id": 5, "group_ids": [], "told": True, "language": ""},
    "posts.retry": {"timer_id": 1, "account_id": 1, "post_id": 1},
    "posts.send": {"post_id": 1},
    "statements.compare": {"gateway_account_id": 1, "since": 0.0, "until": 1.0},
    "takeovers.end": {"timer_id": 1, "account_id": 1, "lead_id": 1, "until": "2026-01-01T00:00:00+00:00"},
    "updates.handle": {
        "bot_id": 1,
        "update": {
            "update_id": 1,
            "message": {
                "message_id": 1,
                "date": 1,
                "chat": {"id": 1, "type": "private"},
                "from": {"id": 1, "is_bot": False, "first_name": "Ana"},
                "text": "/start",
            },
        },
    },
    "wakes.wake": {"timer_id": 1, "account_id": 1, "lead_id": 1, "version_id": 1, "step": "a", "number": 0},
}


def test_every_task_is_tried() -> None:
    of_services = {name for name, task in REGISTRY.items() if task.function.__module__.startswith("grimbots.services.")}
    assert of_services == set(PAYLOADS)


@pytest.mark.gen_test
@pytest.mark.parametrize("name", PAYLOADS)
async def test_task_waits_for_postgres_and_spends_nothing(app: Any, name: str) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
    await nowhere.open()
    try:
        with pytest.raises(Again) as told:
            await REGISTRY[name](replace(app, db=nowhere, bots=BotCache(1)), **PAYLOADS[name])
    finally:
        await nowhere.close()
    assert told.value.spend is False
