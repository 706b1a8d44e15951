"""Sentry: each line logged at ERROR is reported once, scrubbed as the log is. Without SENTRY_DSN nothing of it runs.

The SDK's own integrations stay off: Tornado's alone cost 37 % of the requests a second, and others report what was
logged a second time. So whatever is logged with an exception, in a request, a job, a duty or a thread, is reported, and
nothing else is.
"""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.logging import EventHandler

from grimbots.conf.logs import read_ids
from grimbots.conf.redactions import scrub_value

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

    from grimbots.conf.settings import Settings

MOST_PER_MINUTE = 60  # an event costs some 3 ms of the loop: a storm of errors must not become one of reports


class StormFilter(logging.Filter):
    """Lets so many records pass in each minute; the log has all of them."""

    def __init__(self, most: int = MOST_PER_MINUTE) -> None:
        super().__init__()
        self._most = most
        self._begun_at = 0.0
        self._passed = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether this one may pass."""
        now = monotonic()
        if now - self._begun_at >= 60:
            self._begun_at, self._passed = now, 0
        self._passed += 1
        return self._passed <= self._most


def set_up(settings: Settings) -> None:
    """Report to the address of the settings from now on, in a thread; call it after `logs.set_up`."""
    if not settings.sentry_dsn:
        return
    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        release=find_release(),
        sample_rate=settings.sentry_percent / 100,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[AtexitIntegration(callback=_say_nothing), DedupeIntegration()],
        before_send=clean,
        max_breadcrumbs=0,  # one process does many things at once: what happened before was somebody else's
        include_local_variables=False,
        include_source_context=False,  # the release says what stands in a line; to read and scrub it took 6 ms an event
        max_request_body_size="never",
        https_proxy=settings.outbound_proxy or None,
    )
    handler = EventHandler(level=logging.ERROR)
    handler.addFilter(StormFilter())
    logging.getLogger().addHandler(handler)


def find_release() -> str | None:
    """Name the installed version as Sentry does; None for a checkout that was never installed."""
    try:
        return f"grimbots@{version('grimbots')}"
    except PackageNotFoundError:
        return None


def clean(event: Event, hint: Hint) -> Event:
    """Scrub an event to its depths, and give it the ids of what it happened in as tags to search by."""
    record = hint.get("log_record")
    ids = scrub_value(read_ids(record)) if record else {}
    cleaned: Any = scrub_value(event)
    cleaned["tags"] = {name: str(value) for name, value in ids.items()}
    cleaned["release"] = event.get("release")  # it reads like an e-mail address
    return cast("Event", cleaned)


def _say_nothing(pending: int, timeout: float) -> None:
    """The SDK would print that it waits for the last events to leave."""
