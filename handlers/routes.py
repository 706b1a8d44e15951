"""The whole URL map on one page, grouped by who calls."""

from __future__ import annotations

from typing import Any

from grimbots.conf.settings import Settings
from grimbots.handlers import telegram
from grimbots.handlers.admin.assets import AssetHandler
from grimbots.handlers.admin.audits import AuditHandler
from grimbots.handlers.admin.bots import BotHandler, BotsHandler
from grimbots.handlers.admin.calendars import CalendarHandler
from grimbots.handlers.admin.chats import ChatHandler, ChatsHandler
from grimbots.handlers.admin.dead import DeadHandler, DeadJobHandler, DeadReasonHandler
from grimbots.handlers.admin.events import EventsHandler
from grimbots.handlers.admin.gateways import GatewayAddHandler, GatewayHandler, GatewaysHandler
from grimbots.handlers.admin.jobs import JobHandler
from grimbots.handlers.admin.languages import LanguageHandler
from grimbots.handlers.admin.ledger import LedgerFileHandler, LedgerHandler
from grimbots.handlers.admin.logins import IndexHandler, LinkHandler, LoginCodeHandler, LoginHandler, LogoutHandler
from grimbots.handlers.admin.mishaps import MishapHandler, MishapsHandler
from grimbots.handlers.admin.persons import CodeHandler, PersonHandler, SessionHandler
from grimbots.handlers.admin.privacy import ErasureHandler, HoldingsHandler, PersonFileHandler, PrivacyHandler
from grimbots.handlers.admin.queues import QueuesHandler
from grimbots.handlers.admin.refunds import RefundHandler
from grimbots.handlers.admin.reports import ReportFileHandler, ReportsHandler
from grimbots.handlers.admin.sales import SalesHandler, SalesIndexHandler, StoryHandler
from grimbots.handlers.admin.stops import StopHandler
from grimbots.handlers.domains import DomainHandler
from grimbots.handlers.health import HealthHandler, LiveHandler, ReadyHandler
from grimbots.handlers.metrics import MetricsHandler
from grimbots.handlers.payments import PaymentHandler
from grimbots.handlers.redirects import RedirectHandler
from grimbots.handlers.sandbox import SandboxHandler
from grimbots.handlers.telegram import TelegramHandler

Route = tuple[str, type[Any]]

ACCOUNT = r"/sales/([a-z0-9][a-z0-9._-]{0,39})"


STATUS_ROUTES: list[Route] = [
    (r"/live", LiveHandler),
    (r"/ready", ReadyHandler),
    (r"/health", HealthHandler),
    (r"/metrics", MetricsHandler),
]

PAGES: list[Route] = [
    (r"/", IndexHandler),
    (r"/login", LoginHandler),
    (r"/login/code", LoginCodeHandler),
    (r"/logout(/everywhere)?", LogoutHandler),
    (r"/me", PersonHandler),
    (r"/me/sessions/([0-9]{1,18})/end", SessionHandler),
    (r"/me/code(/off)?", CodeHandler),
    (r"/language", LanguageHandler),
    (r"/static/([a-z]{1,32}\.[a-z]{1,8})", AssetHandler),
    (r"/sales", SalesIndexHandler),
    (ACCOUNT, SalesHandler),
    (ACCOUNT + r"/payments/([0-9]{1,18})", StoryHandler),
    (ACCOUNT + r"/payments/([0-9]{1,18})/refund", RefundHandler),
    (ACCOUNT + r"/reports", ReportsHandler),
    (ACCOUNT + r"/reports\.csv", ReportFileHandler),
    (ACCOUNT + r"/bots", BotsHandler),
    (ACCOUNT + r"/bots/([0-9]{1,18})/(webhook|token)", BotHandler),
    (ACCOUNT + r"/chats", ChatsHandler),
    (ACCOUNT + r"/chats/([0-9]{1,18})/return", ChatHandler),
    (ACCOUNT + r"/messages", MishapsHandler),
    (ACCOUNT + r"/messages/([0-9]{1,18})/(resend|discard)", MishapHandler),
    (ACCOUNT + r"/events", EventsHandler),
    (ACCOUNT + r"/gateways", GatewaysHandler),
    (ACCOUNT + r"/gateways/add", GatewayAddHandler),
    (ACCOUNT + r"/gateways/([0-9]{1,18})/(front|retire|activate|limits|register)", GatewayHandler),
    (ACCOUNT + r"/ledger", LedgerHandler),
    (ACCOUNT + r"/ledger\.csv", LedgerFileHandler),
    (ACCOUNT + r"/privacy", PrivacyHandler),
    (ACCOUNT + r"/privacy/([0-9]{1,18})", HoldingsHandler),
    (ACCOUNT + r"/privacy/([0-9]{1,18})/export", PersonFileHandler),
    (ACCOUNT + r"/privacy/([0-9]{1,18})/erase", ErasureHandler),
    (r"/admin/queues", QueuesHandler),
    (r"/admin/queues/dead", DeadHandler),
    (r"/admin/queues/due", CalendarHandler),
    (r"/admin/queues/job", JobHandler),
    (r"/admin/queues/(requeue|discard)", DeadJobHandler),
    (r"/admin/queues/requeue/all", DeadReasonHandler),
    (r"/admin/queues/(pause|drain|resume)", StopHandler),
    (r"/admin/audit", AuditHandler),
]


def routes(settings: Settings) -> list[Route]:
    """Return every route; the sandbox's only where it is open."""
    visitors: list[Route] = [
        (r"/go/([A-Za-z0-9_-]{1,64})/?", RedirectHandler),
        (r"/\.well-known/grimbots/([A-Za-z0-9_-]{16,64})", DomainHandler),
    ]
    parties: list[Route] = [
        (telegram.PATH + r"([A-Za-z0-9_-]{1,64})", TelegramHandler),  # what is in order: handlers/doors.py
        (r"/webhook/payment/([a-z0-9_]{1,32})/([A-Za-z0-9_-]{1,64})((?:/.*)?)", PaymentHandler),
    ]
    local: list[Route] = [(r"/sandbox(?:/.*)?", SandboxHandler), (r"/login/link(?:/([A-Za-z0-9_-]{43}))?", LinkHandler)]
    return visitors + parties + STATUS_ROUTES + PAGES + (local if settings.sandbox else [])
