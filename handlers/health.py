"""GET /live, /ready, /health: is the process there, may a balancer send to it, and does all of it really work."""

from __future__ import annotations

from typing import Any

from grimbots.handlers.addresses import is_private, is_within
from grimbots.handlers.base import BaseHandler
from grimbots.queue.inspector import Inspector
from grimbots.services import sessions
from grimbots.services.examinations import Examiner
from grimbots.services.stores import AWAY

UNHEALTHY_RETRY_SECONDS = 1
PROXIES_WORDS = ("X-Forwarded-For", "X-Real-IP", "Forwarded")


class LiveHandler(BaseHandler):
    """The process runs its loop."""

    def get(self) -> None:
        """Answer 200."""
        self.answer({"status": "alive"})

    head = get


class ReadyHandler(BaseHandler):
    """Listening and not draining: what a balancer asks. Stores are not asked: `/go` works without them.

    A process that serves no HTTP has nothing else to do than to run jobs: it is ready while it claims.
    """

    def get(self) -> None:
        """Answer 200; 503 from the moment the process is told to stop, or while it is there to work and cannot."""
        status = self._find_status()
        self.answer({"status": status}, 200 if status == "ready" else 503)

    head = get

    def _find_status(self) -> str:
        if self.application.settings["draining"].is_set():
            return "draining"
        if not self.role.http and not Inspector(self.app.queue).claims():
            return "not claiming"
        return "ready"


class HealthHandler(BaseHandler):
    """Everything: healthy and degraded are 200 (warnings say why), unhealthy is 503."""

    async def get(self) -> None:
        """Examine and tell; the details only to who may see them."""
        examiner: Examiner = self.application.settings["examiner"]
        report = await examiner.examine(self.app, works=self.role.work)
        is_broken = report.status == "unhealthy"
        if is_broken:
            self.set_header("Retry-After", str(UNHEALTHY_RETRY_SECONDS))
        told: dict[str, Any] = {"status": report.status, "timestamp": self.app.clock().isoformat()}
        if self._is_near() or await self._is_administrator():
            told |= {"checks": report.checks, "warnings": report.warnings}
        self.set_header("Cache-Control", "no-store")
        self.answer(told, 503 if is_broken else 200)

    head = get

    def _is_near(self) -> bool:
        """Tell whether a private address asks, and not a proxy on behalf of whom we do not know."""
        headers, proxies = self.request.headers, self.app.settings.trusted_proxies
        if any(word in headers for word in PROXIES_WORDS):
            is_known = "X-Forwarded-For" in headers and is_within(self.request.remote_ip or "", proxies)
            return is_known and is_private(self.client_address)
        return is_private(self.client_address)

    async def _is_administrator(self) -> bool:
        try:
            visitor = await sessions.find(self.app, self.session_token) if self.session_token else None
        except AWAY:
            return False
        return visitor is not None and visitor.is_administrator
