"""LocalHandler: what every request to the sandbox passes: it comes from this machine, not from a page of elsewhere."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlsplit

from tornado.web import HTTPError, RequestHandler

from grimbots.conf.foreign_json import read_json
from grimbots.conf.settings import is_loopback
from grimbots.services.errors import Forbidden, Invalid, ServiceError
from grimbots.services.sandbox.state import Sandbox

log = logging.getLogger(__name__)

STATUS_OF_CODE = {"invalid": 400, "unauthorized": 401, "forbidden": 403, "not_found": 404, "conflict": 409}


class LocalHandler(RequestHandler):
    """One request. A ServiceError is answered as `{"error": {"code", "message"}}`."""

    @property
    def sandbox(self) -> Sandbox:
        """The process's Sandbox."""
        return cast("Sandbox", self.application.settings["sandbox"])

    def set_default_headers(self) -> None:
        """Keep browsers from guessing and caching."""
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def prepare(self) -> None:
        """Refuse names that are not this machine's (a page that rebinds its DNS) and calls from pages of elsewhere."""
        if not is_local_name(self.request.headers.get("Host", "")):
            raise Forbidden(
                "The sandbox answers on loopback names only: open it as http://127.0.0.1 or http://localhost."
            )
        origin = self.request.headers.get("Origin")
        if origin and not is_local_name(urlsplit(origin).netloc):
            raise Forbidden("The sandbox takes no requests from pages of other sites.")

    def answer(self, value: Any, status: int = 200) -> None:
        """Finish with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(value, ensure_ascii=False))

    def read_json(self) -> dict[str, Any]:
        """Give the body's JSON object; an empty body is an empty one.

        Raises:
            Invalid: it is something else.
        """
        try:
            read = read_json(self.request.body or b"{}")
        except ValueError as error:
            raise Invalid("The body must be JSON.") from error
        if not isinstance(read, dict):
            raise Invalid("The body must be a JSON object.")
        return read

    def read_number(self, name: str) -> int:
        """Give a whole number of the query string, 0 when it is not there.

        Raises:
            Invalid
        """
        raw = self.get_query_argument(name, "0")
        if not re.fullmatch(r"\d{1,9}", raw, re.ASCII):
            raise Invalid(f"{name!r} must be a whole number of up to nine digits.")
        return int(raw)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer a failure as JSON."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        code, message = "internal", "Internal error; the sandbox's log has the traceback."
        if isinstance(error, ServiceError):
            status_code, code, message = STATUS_OF_CODE[error.code], error.code, error.message
        elif isinstance(error, HTTPError):
            code, message = f"http_{status_code}", self._reason
        self.answer({"error": {"code": code, "message": message}}, status_code)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log a bug with its traceback; a refusal is no news. The path is left out: a Bot API path holds a token."""
        if not isinstance(value, ServiceError | HTTPError):
            log.error("%s failed", type(self).__name__, exc_info=(typ, value, tb))  # type: ignore[arg-type]


class UnknownHandler(LocalHandler):
    """Whatever no route knows."""

    def prepare(self) -> None:
        """Answer 404 to every method."""
        super().prepare()
        raise HTTPError(404)


def is_local_name(netloc: str) -> bool:
    """Tell whether `host:port` names this machine only."""
    try:
        return is_loopback(urlsplit(f"//{netloc}").hostname or "")
    except ValueError:
        return False


def take(body: Mapping[str, Any], name: str, kind: type, default: Any = ...) -> Any:
    """Give a field of a JSON body.

    Raises:
        Invalid: missing (without a default) or of another type.
    """
    value = body.get(name, default)
    if value is default and default is not ...:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Invalid(f"{name!r} must be {kind.__name__}.")
    return value
