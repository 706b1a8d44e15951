"""BaseHandler: what every handler shares: the App, a request id, one map from error codes to statuses, JSON answers."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import secrets
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from prometheus_client import Counter, Histogram
from tornado.web import HTTPError, RequestHandler

from grimbots.conf import logs, metrics
from grimbots.conf.precedence import comes_first
from grimbots.handlers.addresses import find_client
from grimbots.services.errors import ServiceError

if TYPE_CHECKING:
    from grimbots.handlers.roles import Role
    from grimbots.services.app import App

log = logging.getLogger(__name__)

STATUS_OF_CODE = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_many": 429,
    "unavailable": 503,
}


def count_request(handler: str, status: int, seconds: float) -> None:
    """Count an answer, of a handler's class, by its status and the time it took."""
    answered, took = _find_counters(handler, status // 100)
    answered.inc()
    took.observe(seconds)


@functools.cache
def _find_counters(handler: str, status_class: int) -> tuple[Counter, Histogram]:
    """Keep what `labels` gives: to look it up takes five times as long as to count."""
    return (
        metrics.http_requests.labels(handler, f"{status_class}xx"),
        metrics.http_request_seconds.labels(handler),
    )


class OpenRequests:
    """The requests that are not answered yet, and a wait for the last of them."""

    def __init__(self) -> None:
        self._requests: set[object] = set()
        self._none = asyncio.Event()
        self._none.set()

    def add(self, request: object) -> None:
        """A request has begun."""
        self._requests.add(request)
        self._none.clear()

    def discard(self, request: object) -> None:
        """A request has ended, one way or another."""
        self._requests.discard(request)
        if not self._requests:
            self._none.set()

    def __len__(self) -> int:
        return len(self._requests)

    async def wait_none(self, seconds: float) -> None:
        """Wait until every request has ended, `seconds` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none.wait()


class BaseHandler(RequestHandler):
    """One request. Raise a ServiceError to refuse it; what else escapes is a bug: logged, told as "Internal error"."""

    @property
    def app(self) -> App:
        """The process's App."""
        return cast("App", self.application.settings["app"])

    @property
    def role(self) -> Role:
        """What this process is there for."""
        return cast("Role", self.application.settings["role"])

    @property
    def client_address(self) -> str:
        """Who calls: the connection's other end, or whom a trusted proxy names."""
        forwarded_for = self.request.headers.get("X-Forwarded-For", "")
        return find_client(self.request.remote_ip or "", forwarded_for, self.app.settings.trusted_proxies)

    @functools.cached_property
    def request_id(self) -> str:
        """The name of this request in its answer and in every line of the log."""
        return secrets.token_hex(8)

    @property
    def is_secure(self) -> bool:
        """Whether people reach us by https only."""
        return self.app.settings.base_url.startswith("https://")

    def cookie_name(self, name: str) -> str:
        """Return a cookie's name; by https with the prefix that keeps other hosts and plain http from setting it."""
        return f"__Host-{name}" if self.is_secure else name

    @property
    def session_token(self) -> str:
        """The secret of the session, "" without one."""
        return self.get_cookie(self.cookie_name("grimbots"), "") or ""

    def initialize(self) -> None:
        """Count this request as open until it ends, so that a stop waits for it, and let it go before the jobs."""
        comes_first.set(True)
        self._open: OpenRequests = self.application.settings["open_requests"]
        self._open.add(self)

    def on_finish(self) -> None:
        """Answered."""
        self._open.discard(self)

    def on_connection_close(self) -> None:
        """The caller has gone."""
        self._open.discard(self)

    def set_default_headers(self) -> None:
        """Give every answer its id and headers that keep browsers from guessing; while draining, end the connection."""
        logs.begin(request_id=self.request_id)
        self.set_header("X-Request-Id", self.request_id)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.clear_header("Server")
        if self.application.settings["draining"].is_set():
            self.set_header("Connection", "close")

    def answer(self, value: dict[str, Any], status: int = 200) -> None:
        """Finish with a JSON object."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(value, ensure_ascii=False, default=str))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer a failure as `{"error": {"code", "message", "request_id"}}`."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        code, message = "internal", "Internal error"
        if isinstance(error, ServiceError):
            status_code, code, message = STATUS_OF_CODE[error.code], error.code, error.message
            retry_after = getattr(error, "retry_after_seconds", None)
            if retry_after is not None:
                self.set_header("Retry-After", str(retry_after))
        elif isinstance(error, HTTPError):
            code, message = f"http_{status_code}", self._reason
        self.answer({"error": {"code": code, "message": message, "request_id": self.request_id}}, status_code)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log a bug with its traceback, which reports it too; a refusal is no news."""
        if isinstance(value, ServiceError | HTTPError):
            return
        log.error("%s of %s failed", self.request.method, type(self).__name__, exc_info=(typ, value, tb))  # type: ignore[arg-type]


class NotFoundHandler(BaseHandler):
    """Whatever no route knows."""

    def prepare(self) -> None:
        """Answer 404 to every method."""
        raise HTTPError(404)
