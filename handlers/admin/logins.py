"""The way in and out: /, /login, /login/code, /login/link, /logout."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil

from grimbots.handlers.admin import forgeries
from grimbots.handlers.admin.base import PageHandler
from grimbots.services import logins, sessions
from grimbots.services.errors import Forbidden, NotFound, TooMany, Unauthorized
from grimbots.services.logins import TICKET_LIFE

TICKET_COOKIE = "grimbots_login"


class IndexHandler(PageHandler):
    """GET /."""

    def get(self) -> None:
        """Send a seller to his sales, an administrator to the queues."""
        if self.user.memberships:
            self.go("/sales")
        elif self.user.is_administrator:
            self.go("/admin/queues")
        else:
            raise Forbidden("this user belongs to no account: an administrator can add one")


class LoginHandler(PageHandler):
    """GET and POST /login."""

    is_open = True

    def get(self) -> None:
        """Ask who it is."""
        if self.visitor:
            self.go("/")
        else:
            self._ask()

    async def post(self) -> None:
        """Open a session, or say that it was wrong, never what."""
        email = self.get_body_argument("email", "")
        password = self.get_body_argument("password", "", strip=False)
        try:
            entry = await logins.log_in(self.app, email=email, password=password, origin=self.origin)
        except Unauthorized:
            self._ask(HTTPStatus.UNAUTHORIZED, self.texts.say("login_wrong"), email)
        except TooMany as error:
            self.set_header("Retry-After", str(error.retry_after_seconds))
            minutes = ceil(error.retry_after_seconds / 60)
            self._ask(HTTPStatus.TOO_MANY_REQUESTS, self.texts.say("login_throttled", minutes=minutes), email)
        else:
            if entry.ticket:
                self.set_own_cookie(self.cookie_name(TICKET_COOKIE), entry.ticket, int(TICKET_LIFE.total_seconds()))
                self.go("/login/code")
            else:
                self.set_session(entry.token)
                self.go("/")

    def _ask(self, status: HTTPStatus = HTTPStatus.OK, complaint: str = "", email: str = "") -> None:
        self.set_status(status)
        self.render("login.html", complaint=complaint, email=email)


class LoginCodeHandler(PageHandler):
    """GET and POST /login/code."""

    is_open = True

    def get(self) -> None:
        """Ask for the code of who has given his password."""
        if self._ticket:
            self._ask()
        else:
            self.go("/login")

    async def post(self) -> None:
        """Open a session, or say that the code was wrong."""
        code = self.get_body_argument("code", "")
        try:
            token = await logins.log_in_by_code(self.app, ticket=self._ticket, code=code, origin=self.origin)
        except Unauthorized:
            self._ask(HTTPStatus.UNAUTHORIZED, self.texts.say("code_wrong"))
        except Forbidden:
            self.go("/login")
        except TooMany as error:
            self.set_header("Retry-After", str(error.retry_after_seconds))
            minutes = ceil(error.retry_after_seconds / 60)
            self._ask(HTTPStatus.TOO_MANY_REQUESTS, self.texts.say("login_throttled", minutes=minutes))
        else:
            self.drop_own_cookie(TICKET_COOKIE)
            self.set_session(token)
            self.go("/")

    @property
    def _ticket(self) -> str:
        return self.get_cookie(self.cookie_name(TICKET_COOKIE), "") or ""

    def _ask(self, status: HTTPStatus = HTTPStatus.OK, complaint: str = "") -> None:
        self.set_status(status)
        self.render("login_code.html", complaint=complaint)


class LinkHandler(PageHandler):
    """GET /login/link/<secret> and POST /login/link: into the sandbox without a password, once, from this machine."""

    is_open = True

    async def prepare(self) -> None:
        """Answer on this machine's own names only."""
        if not forgeries.is_local(self.request):
            raise NotFound("there is no such page")
        await super().prepare()

    def get(self, token: str = "") -> None:
        """Ask for a click: what only looks at links in advance does not use this one up."""
        if not token:
            raise NotFound("there is no such page")
        self.render("link.html", token=token, complaint="")

    async def post(self, _token: str = "") -> None:
        """Open a session."""
        try:
            token = await logins.log_in_by_link(self.app, self.get_body_argument("token", ""), self.origin)
        except Unauthorized:
            self.set_status(HTTPStatus.UNAUTHORIZED)
            self.render("link.html", token="", complaint=self.texts.say("link_void", command="grimbots user link"))
        else:
            self.set_session(token)
            self.go("/")


class LogoutHandler(PageHandler):
    """POST /logout and /logout/everywhere."""

    async def post(self, everywhere: str) -> None:
        """End this session, or every one of this person's."""
        await (sessions.end_all if everywhere else sessions.end)(self.app, self.user)
        self.drop_session()
        self.go("/login")
