"""The whole URL map on one page, grouped by who calls."""

from __future__ import annotations

from typing import Any

from grimbots.conf.settings import Settings
from grimbots.handlers.health import HealthHandler, LiveHandler, ReadyHandler
from grimbots.handlers.metrics import MetricsHandler
from grimbots.handlers.payments import PaymentHandler
from grimbots.handlers.redirects import RedirectHandler
from grimbots.handlers.sandbox import SandboxHandler
from grimbots.handlers.telegram import TelegramHandler

Route = tuple[str, type[Any]]


def routes(settings: Settings) -> list[Route]:
    """Return every route; the sandbox's only where it is open."""
    visitors: list[Route] = [
        (r"/go/([A-Za-z0-9_-]{1,64})/?", RedirectHandler),
    ]
    parties: list[Route] = [
        (r"/webhook/telegram/([A-Za-z0-9_-]{1,64})", TelegramHandler),
        (r"/webhook/payment/([a-z0-9_]{1,32})/([A-Za-z0-9_-]{1,64})((?:/.*)?)", PaymentHandler),
    ]
    operators: list[Route] = [
        (r"/live", LiveHandler),
        (r"/ready", ReadyHandler),
        (r"/health", HealthHandler),
        (r"/metrics", MetricsHandler),
    ]
    local: list[Route] = [(r"/sandbox(?:/.*)?", SandboxHandler)] if settings.sandbox else []
    return visitors + parties + operators + local
