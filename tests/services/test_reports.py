"""What is told to Sentry of the whole program: a request's and a job's errors, once each, named, and scrubbed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sentry_sdk

from grimbots.conf import sentry
from grimbots.conf.settings import load
from grimbots.handlers.base import BaseHandler
from grimbots.queue.inspector import Inspector
from grimbots.queue.job import Job
from grimbots.services import updates
from grimbots.tests.conf.leaks import PIX, TOKEN
from grimbots.tests.conf.sinks import Sink, open_sink
from grimbots.tests.services.log_lines import open_log_lines
from grimbots.tests.services.workers import work


class BrokenHandler(BaseHandler):
    """Fails."""

    def get(self) -> None:
        """Raise."""
        raise ValueError(f"cannot {TOKEN}")


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Report to a sink until the test ends."""
    handlers = logging.getLogger().handlers[:]
    with open_sink() as opened:
        sentry.set_up(load({"SENTRY_DSN": opened.dsn}))
        yield opened
        logging.getLogger().handlers[:] = handlers
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)


@pytest.mark.gen_test
async def test_an_error_of_a_request_is_told_by_the_id_in_its_answer(
    sink: Sink, web: Any, http_client: Any, base_url: str, expect_errors: list[str]
) -> None:
    web.add_handlers(".*", [("/broken", BrokenHandler)])
    with open_log_lines() as log:
        answer = await http_client.fetch(f"{base_url}/broken", raise_error=False)
        (line,) = log.read()
    request_id = answer.headers["X-Request-Id"]
    assert request_id in answer.body.decode()
    assert request_id in line
    (event,) = await _wait_events(sink, 1)
    assert event["tags"] == {"request_id": request_id}
    assert event["logentry"]["formatted"] == "GET of BrokenHandler failed"
    assert TOKEN not in "".join(sink.texts)
    assert len(expect_errors) == 1


@pytest.mark.gen_test
async def test_an_error_of_a_job_is_told_once_by_task_and_job(
    sink: Sink, app: Any, accounts: Any, expect_errors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise ValueError(f"cannot {PIX}")

    monkeypatch.setattr(updates, "_apply", fail)
    await app.queue.enqueue(replace(_make_job(accounts[0]), attempts_limit=2))
    async with work(app):
        (event,) = await _wait_events(sink, 1)
    assert [dead.job.id for dead in await Inspector(app.queue).dead("", 9)] == ["u:1:2"]
    assert len(sink.read_events()) == len(expect_errors) == 1, "not at its first failure, and not by two roads"
    assert event["tags"] == _tags_of(accounts[0])
    assert event["exception"]["values"][0]["value"] == "cannot <pix code>"
    assert event["release"] == sentry.find_release()
    assert "vars" not in str(event)


@pytest.mark.gen_test
async def test_a_job_that_died_of_its_time_is_told_by_task_and_job(
    sink: Sink, app: Any, accounts: Any, expect_errors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(updates, "_apply", hang)
    monkeypatch.setattr(updates.handle, "timeout_seconds", 0.05)
    await app.queue.enqueue(replace(_make_job(accounts[0]), attempts_limit=1))
    async with work(app):
        (event,) = await _wait_events(sink, 1)
    assert "TimedOut: ran longer than 0.05 s" in expect_errors[0]
    assert event["tags"] == _tags_of(accounts[0])


def _make_job(tenant: Any) -> Job:
    person = {"id": 5, "is_bot": False, "first_name": "Ana"}
    message = {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}, "from": person, "text": "/start"}
    named = {"id": "u:1:2", "source": f"b{tenant.bot_id}", "account": str(tenant.account_id), "group": "5"}
    return updates.handle.job(**named, bot_id=tenant.bot_id, update={"update_id": 2, "message": message})


def _tags_of(tenant: Any) -> dict[str, str]:
    ids = {"account_id": str(tenant.account_id), "bot_id": str(tenant.bot_id)}
    return {"job_id": "u:1:2", "task": "updates.handle", **ids}


async def _wait_events(sink: Sink, count: int) -> list[dict[str, Any]]:
    return await asyncio.to_thread(sink.wait_events, count)
