"""BaseHandler: what every handler shares: the App, a request id, one map from error codes to statuses, one way to answer JSON."""

from __future__ import annotations

import json
import logging
import secrets
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import sentry_sdk
from tornado.web import HTTPError, RequestHandler

from grimbots.services.errors import ServiceError

if TYPE_CHECKING:
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


class BaseHandler(RequestHandler):
    """One request. Raise a ServiceError to refuse it; anything else that escapes is a bug: logged, and told as "Internal error"."""

    @property
    def app(self) -> App:
        """The process's App."""
        return cast("App", self.application.settings["app"])

    def initialize(self) -> None:
        """Count this request as open until it ends, so that a stop waits for it."""
        self._open: set[BaseHandler] = self.application.settings["open_requests"]
        self._open.add(self)

    def on_finish(self) -> None:
        """Answered."""
        self._open.discard(self)

    def on_connection_close(self) -> None:
        """The caller has gone."""
        self._open.discard(self)

    def set_default_headers(self) -> None:
        """Give every answer a request id, the headers that keep browsers from guessing and, while draining, the end of the connection."""
        self.request_id = secrets.token_hex(8)
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
        """Log a bug with its traceback, and report it; a refusal is no news."""
        if isinstance(value, ServiceError | HTTPError):
            return
        log.error("%s failed", type(self).__name__, exc_info=(typ, value, tb), extra={"request_id": self.request_id})  # type: ignore[arg-type]
        with sentry_sdk.isolation_scope() as scope:
            scope.set_transaction_name(f"{self.request.method} {type(self).__name__}")
            sentry_sdk.capture_exception(value)


class NotFoundHandler(BaseHandler):
    """Whatever no route knows."""

    def prepare(self) -> None:
        """Answer 404 to every method."""
        raise HTTPError(404)
