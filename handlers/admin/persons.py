"""/me: where somebody is logged in, and the codes of his telephone."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil

from grimbots.handlers.admin.base import PageHandler
from grimbots.services import logins, qr_codes, second_factors, sessions, totp
from grimbots.services.errors import TooMany, Unauthorized

BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari")  # each calls itself by those after it, too
SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
CALLED = {"Edg": "Edge", "OPR": "Opera", "Mac OS": "macOS"}


class PersonHandler(PageHandler):
    """GET /me."""

    async def get(self) -> None:
        """Show the sessions, and whether codes are asked for."""
        self.render(
            "person.html",
            open_sessions=await sessions.list_open(self.app, self.user),
            has_codes=await second_factors.is_on(self.app, self.user.user_id),
            name_browser=name_browser,
            complaint="",
        )


class SessionHandler(PageHandler):
    """POST /me/sessions/<id>/end."""

    async def post(self, session_id: str) -> None:
        """End one of the visitor's sessions."""
        await sessions.end_one(self.app, self.user, int(session_id))
        self.go("/me")


class CodeHandler(PageHandler):
    """GET and POST /me/code, and POST /me/code/off."""

    async def get(self, _off: str) -> None:
        """Show the secret to be photographed, until its first code was typed in."""
        await self._ask(HTTPStatus.OK, "")

    async def post(self, off: str) -> None:
        """Bring codes in force by the first one and show the recovery codes, once; or turn them off by a code."""
        code = self.get_body_argument("code", "")
        try:
            if off:
                await logins.check_code(self.app, self.user.user_id, code)
                await second_factors.turn_off(self.app, self.user)
                self.go("/me")
            else:
                self.render("recovery.html", codes=await second_factors.confirm(self.app, self.user, code))
        except Unauthorized:
            await self._refuse(off, HTTPStatus.UNAUTHORIZED, self.texts.say("code_wrong"))
        except TooMany as error:
            self.set_header("Retry-After", str(error.retry_after_seconds))
            minutes = ceil(error.retry_after_seconds / 60)
            said = self.texts.say("login_throttled", minutes=minutes)
            await self._refuse(off, HTTPStatus.TOO_MANY_REQUESTS, said)

    async def _refuse(self, off: str, status: HTTPStatus, complaint: str) -> None:
        if not off:
            await self._ask(status, complaint)
            return
        self.set_status(status)
        self.render(
            "person.html",
            open_sessions=await sessions.list_open(self.app, self.user),
            has_codes=True,
            name_browser=name_browser,
            complaint=complaint,
        )

    async def _ask(self, status: HTTPStatus, complaint: str) -> None:
        secret = await second_factors.offer(self.app, self.user)
        uri = totp.write_uri(secret, self.user.email, second_factors.ISSUER)
        letters = " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))
        self.set_status(status)
        self.render("code.html", picture=qr_codes.draw_svg(uri), uri=uri, letters=letters, complaint=complaint)


def name_browser(called: str) -> str:
    """Name a browser and its system out of what it calls itself, coarsely; what nobody knows stays as it came."""
    found = [next((word for word in words if word in called), "") for words in (BROWSERS, SYSTEMS)]
    named = [CALLED.get(word, word) for word in found if word]
    return ", ".join(named) or called[:60]
