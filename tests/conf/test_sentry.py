"""Sentry: what a real envelope holds, and what it never does; that each error is told once, and a storm is not."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk

from grimbots.conf import logs, sentry
from grimbots.conf.settings import load
from grimbots.tests.conf.leaks import ALL, LEAKS, TOKEN
from grimbots.tests.conf.sinks import Sink, open_sink

NEVER_LOGGED = 1  # a line that cannot be put together (leaks.say_badly) is a line all the same


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with open_sink() as opened:
        yield opened


@pytest.fixture
def reporting(sink: Sink) -> Iterator[Sink]:
    """Report to the sink from this process, until the test ends."""
    sink.texts.clear()
    handlers = logging.getLogger().handlers[:]
    sentry.set_up(load({"SENTRY_DSN": sink.dsn}))
    yield sink
    logging.getLogger().handlers[:] = handlers
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def test_no_secret_leaves_in_an_envelope(postgres_url: str, sink: Sink) -> None:
    """Every way a process can say a thing, and what an integration would hand over by hand."""
    command = [sys.executable, "-P", "-m", "grimbots.tests.conf.leaks", postgres_url]
    environ = {**os.environ, "SENTRY_DSN": sink.dsn}
    subprocess.run(command, env=environ, capture_output=True, timeout=60, check=False)
    events = sink.wait_events(9)
    told = "\n".join(sink.texts)
    assert {name: leak.needle for name, leak in LEAKS.items() if leak.needle in told} == {}
    assert {event["release"] for event in events} <= {sentry.find_release()}
    by_hand = next(event for event in events if event.get("message") == "by hand")
    assert by_hand["request"]["url"] == "https://x/webhook/telegram/<key>"
    assert by_hand["request"]["cookies"] == "<hidden>"
    assert "vars" in str(by_hand)
    assert any(event.get("level") == "fatal" for event in events), "what nobody caught is told too, at the very end"


def test_an_error_is_told_once_with_the_ids_as_tags(reporting: Sink, expect_errors: list[str]) -> None:
    logs.begin(job_id="u:1:2", task="updates.handle", bot_id=7)
    try:
        raise ValueError(f"no {TOKEN}")
    except ValueError:
        logging.getLogger("grimbots.x").exception("job %s failed", "u:1:2")
    logs.begin()
    logging.getLogger("grimbots.x").warning("no news")
    logging.getLogger("grimbots.x").error("without an exception")
    first, second = reporting.wait_events(2)
    assert first["tags"] == {"job_id": "u:1:2", "task": "updates.handle", "bot_id": "7"}
    assert first["exception"]["values"][0]["value"] == "no <token>"
    assert first["logentry"]["formatted"] == "job u:1:2 failed"
    assert second["logentry"]["message"] == "without an exception"
    assert "breadcrumbs" not in second or not second["breadcrumbs"]["values"]
    assert len(expect_errors) == 2


def test_a_storm_is_let_through_a_few_times_a_minute() -> None:
    storm = sentry.StormFilter(most=3)
    record = logging.makeLogRecord({"msg": ALL})
    assert [storm.filter(record) for _ in range(5)] == [True, True, True, False, False]


def test_the_share_of_the_settings_is_sampled(sink: Sink) -> None:
    settings = load({"SENTRY_DSN": sink.dsn, "SENTRY_PERCENT": "25"})
    handlers = logging.getLogger().handlers[:]
    sentry.set_up(settings)
    options: dict[str, Any] = sentry_sdk.get_client().options
    logging.getLogger().handlers[:] = handlers
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)
    assert (options["sample_rate"], options["traces_sample_rate"]) == (0.25, None)


def test_nothing_runs_without_an_address() -> None:
    before = logging.getLogger().handlers[:]
    sentry.set_up(load({}))
    assert logging.getLogger().handlers == before
    assert not sentry_sdk.get_client().is_active()


def test_the_last_words_of_a_stuck_process_are_told(sink: Sink) -> None:
    """It ends at once, by no road that the SDK would notice."""
    sink.texts.clear()
    words = "from grimbots.conf import logs, loops, sentry, settings; import os; logs.set_up('INFO')"
    script = f"{words}; sentry.set_up(settings.load(os.environ)); loops.exit_now('the event loop is stuck')"
    environ = {**os.environ, "SENTRY_DSN": sink.dsn}
    done = subprocess.run([sys.executable, "-P", "-c", script], env=environ, capture_output=True, timeout=60)
    assert done.returncode == os.EX_SOFTWARE
    (event,) = sink.wait_events(1)
    assert event["logentry"]["formatted"] == "this process ends now: the event loop is stuck"
