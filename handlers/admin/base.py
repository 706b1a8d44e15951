"""PageHandler: what every page shares: who is there, the reader's language, one frame, and the guard of its forms."""

from __future__ import annotations

import logging
import re
import secrets
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any

from tornado.web import HTTPError

from grimbots.handlers.admin import forgeries
from grimbots.handlers.admin.assets import asset_url
from grimbots.handlers.admin.formats import show_instant, show_money, show_percent, show_span
from grimbots.handlers.admin.texts import Texts, choose_language
from grimbots.handlers.base import STATUS_OF_CODE, BaseHandler
from grimbots.services import sessions
from grimbots.services.errors import Invalid, ServiceError
from grimbots.services.sessions import Origin, Visitor
from grimbots.services.stores import AWAY

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
LANGUAGE_COOKIE = "grimbots_language"
YEAR_SECONDS = 31_536_000
AWAY_RETRY_SECONDS = 2


class PageHandler(BaseHandler):
    """One page or form. Whoever is not logged in is sent to log in, save where `is_open`."""

    is_open = False
    zone: tzinfo = UTC  # in which instants are written; a seller's pages take the account's
    visitor: Visitor | None = None

    def set_default_headers(self) -> None:
        """Let a page load our own style and pictures and nothing else, stand in no frame, and stay in no cache.

        The referrer policy is ours: under `no-referrer` browsers hide the origin even of our own forms.
        """
        super().set_default_headers()
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("X-Frame-Options", "DENY")
        if self.is_secure:
            self.set_header("Strict-Transport-Security", f"max-age={YEAR_SECONDS}")

    async def prepare(self) -> None:
        """Find out who is there, and refuse forms of other sites before anything else happens."""
        is_use = "X-Refresh" not in self.request.headers
        found = await sessions.find(self.app, self.session_token, is_use=is_use) if self.session_token else None
        self.visitor = found
        if self.visitor is None and not self.is_open:
            self.go("/login")
        elif self.request.method == "POST":
            forgeries.check(self.app, self.request, self.form_cookie, self.get_body_argument("form", ""))

    # Who is there ---------------------------------------------------------------------------------------------------

    @property
    def user(self) -> Visitor:
        """The visitor of a page that is not open."""
        if self.visitor is None:
            raise HTTPError(HTTPStatus.UNAUTHORIZED)
        return self.visitor

    @property
    def form_cookie(self) -> str:
        """What this browser's forms are bound to: its session, or before that a cookie of its own."""
        return self.session_token if self.visitor else self.get_cookie(self.cookie_name("grimbots_form"), "") or ""

    def set_session(self, token: str) -> None:
        """Give the browser its session."""
        self.set_own_cookie(self.cookie_name("grimbots"), token, max_age=int(sessions.LIFE.total_seconds()))

    def drop_session(self) -> None:
        """Take the session's cookie back."""
        self.drop_own_cookie("grimbots")

    def drop_own_cookie(self, name: str) -> None:
        """Take a cookie back, by the name it has without a prefix."""
        self.clear_cookie(self.cookie_name(name), httponly=True, secure=self.is_secure, samesite="Lax")

    @property
    def origin(self) -> Origin:
        """From where somebody logs in."""
        return Origin(self.client_address, self.request.headers.get("User-Agent", ""))

    def make_form_token(self) -> str:
        """Return the token for this page's forms; a browser without any cookie of ours gets one."""
        cookie = self.form_cookie
        if not cookie:
            cookie = secrets.token_urlsafe(sessions.TOKEN_BYTES)
            self.set_own_cookie(self.cookie_name("grimbots_form"), cookie)
        return forgeries.make_form_token(self.app, cookie)

    def set_own_cookie(self, name: str, value: str, max_age: int | None = None) -> None:
        """Set a cookie that no script reads and no other site's form brings; without an age till the browser closes."""
        self.set_cookie(name, value, max_age=max_age, httponly=True, secure=self.is_secure, samesite="Lax")

    # What is shown --------------------------------------------------------------------------------------------------

    @cached_property
    def texts(self) -> Texts:
        """The words in the reader's language."""
        chosen = self.get_cookie(self.cookie_name(LANGUAGE_COOKIE), "") or ""
        return Texts(choose_language(chosen, self.request.headers.get("Accept-Language", "")))

    def get_template_path(self) -> str:
        """The pages lie beside this file."""
        return str(TEMPLATES)

    def get_template_namespace(self) -> dict[str, Any]:
        """What every template may use, besides its own values."""
        return {
            "asset_url": asset_url,
            "form_token": self.make_form_token(),
            "here": self.request.path,
            "language": self.texts.language,
            "member": None,
            "money": self.show_money,
            "name": self.texts.name,
            "percent": self.show_percent,
            "say": self.texts.say,
            "span": show_span,
            "tab": "",
            "visitor": self.visitor,
            "when": self.show_instant,
            "zone": self.zone,
        }

    def show_money(self, cents: int, currency: str = "BRL") -> str:
        """Write an amount."""
        return show_money(cents, self.texts.language, currency)

    def show_percent(self, rate: float | None) -> str:
        """Write a share."""
        return show_percent(rate, self.texts.language)

    def show_instant(self, at: datetime) -> str:
        """Write an instant in the page's zone."""
        return show_instant(at, self.zone, self.texts.language)

    def read_id(self, name: str) -> int | None:
        """Read an id from the query, None without one.

        Raises:
            Invalid: it is no id.
        """
        text = self.get_query_argument(name, "")
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,18}", text):
            raise Invalid(f"{name!r} is no id")
        return int(text)

    def go(self, path: str) -> None:
        """Send the browser on, to a GET: a reload repeats nothing."""
        self.redirect(path, status=HTTPStatus.SEE_OTHER)

    # What goes wrong ------------------------------------------------------------------------------------------------

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer a failure as a page that says what happened and what to do."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        word, retry_after = "internal", None
        if isinstance(error, ServiceError):
            status_code, word = STATUS_OF_CODE[error.code], error.code
            retry_after = getattr(error, "retry_after_seconds", None)
        elif isinstance(error, AWAY):
            status_code, word, retry_after = HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", AWAY_RETRY_SECONDS
        elif isinstance(error, HTTPError):
            word = "not_found" if status_code == HTTPStatus.NOT_FOUND else "invalid"
        if retry_after is not None:
            self.set_header("Retry-After", str(retry_after))
        self.set_status(status_code)
        self.render("error.html", word=word, request_id=self.request_id)

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """A store that is away is no bug."""
        if isinstance(value, AWAY):
            log.warning("%s: a store is away: %s", type(self).__name__, value)
        else:
            super().log_exception(typ, value, tb)
